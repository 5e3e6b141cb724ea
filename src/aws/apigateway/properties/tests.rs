use serde_json::json;

use super::*;
use crate::judge::path::Path;

const TARGETS: [Target; 4] = [Target::RestApi, Target::Stage, Target::Method, Target::DomainName];

/// AWS's documented patch paths that the tables use: operation, path, operations.
const DOCUMENTED: &[(&str, &str, &str)] = &[
    ("UpdateRestApi", "/apiKeySource", "replace"),
    ("UpdateRestApi", "/binaryMediaTypes", "add replace remove"),
    ("UpdateRestApi", "/description", "add replace remove"),
    ("UpdateRestApi", "/disableExecuteApiEndpoint", "replace"),
    ("UpdateRestApi", "/endpointConfiguration/vpcEndpointIds", "add remove"),
    ("UpdateRestApi", "/endpointConfiguration/ipAddressType", "replace"),
    ("UpdateRestApi", "/endpointAccessMode", "replace"),
    ("UpdateRestApi", "/minimumCompressionSize", "replace"),
    ("UpdateRestApi", "/name", "replace"),
    ("UpdateRestApi", "/policy", "replace"),
    ("UpdateRestApi", "/securityPolicy", "replace"),
    ("UpdateStage", "/accessLogSettings", "remove"),
    ("UpdateStage", "/accessLogSettings/destinationArn", "add replace remove"),
    ("UpdateStage", "/accessLogSettings/format", "add replace remove"),
    ("UpdateStage", "/cacheClusterEnabled", "replace"),
    ("UpdateStage", "/cacheClusterSize", "replace"),
    ("UpdateStage", "/clientCertificateId", "replace"),
    ("UpdateStage", "/description", "replace"),
    ("UpdateStage", "/documentationVersion", "replace"),
    ("UpdateStage", "/tracingEnabled", "replace"),
    ("UpdateStage", "/variables", "replace remove"),
    // Not in AWS's table, but recorded: the removal of a method's settings.
    ("UpdateStage", "/{resourcePath}/{httpMethod}", "remove"),
    ("UpdateStage", "/{resourcePath}/{httpMethod}/metrics/enabled", "replace"),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/logging/dataTrace",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/logging/loglevel",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/throttling/burstLimit",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/throttling/rateLimit",
        "replace",
    ),
    ("UpdateStage", "/{resourcePath}/{httpMethod}/caching/enabled", "replace"),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/caching/dataEncrypted",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/caching/ttlInSeconds",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl",
        "replace",
    ),
    (
        "UpdateStage",
        "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy",
        "replace",
    ),
    ("UpdateMethod", "/authorizationScopes", "add remove"),
    ("UpdateMethod", "/authorizationType", "replace"),
    ("UpdateMethod", "/authorizerId", "replace"),
    ("UpdateMethod", "/apiKeyRequired", "replace"),
    ("UpdateMethod", "/operationName", "replace"),
    ("UpdateMethod", "/requestParameters", "add replace remove"),
    ("UpdateMethod", "/requestModels", "add replace remove"),
    ("UpdateMethod", "/requestValidatorId", "replace"),
    ("UpdateIntegration", "/cacheKeyParameters", "add replace remove"),
    ("UpdateIntegration", "/cacheNamespace", "replace"),
    ("UpdateIntegration", "/connectionId", "replace"),
    ("UpdateIntegration", "/connectionType", "replace"),
    ("UpdateIntegration", "/contentHandling", "replace"),
    ("UpdateIntegration", "/httpMethod", "replace"),
    ("UpdateIntegration", "/integrationTarget", "replace"),
    ("UpdateIntegration", "/passthroughBehavior", "replace"),
    ("UpdateIntegration", "/requestParameters", "add replace remove"),
    ("UpdateIntegration", "/requestTemplates", "add replace remove"),
    ("UpdateIntegration", "/responseTransferMode", "replace"),
    ("UpdateIntegration", "/timeoutInMillis", "replace"),
    ("UpdateIntegration", "/tlsConfig/insecureSkipVerification", "replace"),
    ("UpdateIntegration", "/uri", "replace"),
    ("UpdateDomainName", "/certificateName", "add replace remove"),
    ("UpdateDomainName", "/certificateArn", "add replace remove"),
    ("UpdateDomainName", "/endpointConfiguration/ipAddressType", "replace"),
    ("UpdateDomainName", "/endpointAccessMode", "replace"),
    ("UpdateDomainName", "/managementPolicy", "replace"),
    (
        "UpdateDomainName",
        "/mutualTlsAuthentication/truststoreUri",
        "add replace remove",
    ),
    (
        "UpdateDomainName",
        "/mutualTlsAuthentication/truststoreVersion",
        "add replace remove",
    ),
    ("UpdateDomainName", "/policy", "replace"),
    ("UpdateDomainName", "/regionalCertificateName", "add replace remove"),
    ("UpdateDomainName", "/regionalCertificateArn", "add replace remove"),
    ("UpdateDomainName", "/routingMode", "replace"),
    ("UpdateDomainName", "/securityPolicy", "replace"),
    (
        "UpdateDomainName",
        "/ownershipVerificationCertificateArn",
        "add replace remove",
    ),
];

#[test]
fn only_documented_patches() {
    for target in TARGETS {
        for p in table(target).properties {
            let (operation, path, ops): (_, _, &[&str]) = match p.repair {
                Repair::Patch { operation, path, ops } => (
                    operation,
                    path,
                    match ops {
                        Ops::Replace | Ops::ReplaceOrEmpty => &["replace"],
                        Ops::ReplaceRemove => &["replace", "remove"],
                        Ops::AddReplaceRemove => &["add", "replace", "remove"],
                        Ops::Remove => &["remove"],
                    },
                ),
                Repair::Members { operation, path } => (operation, path, &["add", "remove"]),
                Repair::Tags => continue,
                Repair::None(words) => {
                    assert!(words.len() > 10, "{:?} says what a person can do", p.path);
                    continue;
                }
            };
            // AWS writes a map's own path in its table; operations name an entry below it.
            let path = path.replace("/{~}", "").replace("/{}", "/{resourcePath}/{httpMethod}");
            let documented = DOCUMENTED
                .iter()
                .find(|row| row.0 == operation && row.1 == path)
                .unwrap_or_else(|| panic!("{operation} {path} is not documented"));
            for op in ops {
                assert!(
                    documented.2.split(' ').any(|known| known == *op),
                    "{operation} {path} takes no {op}"
                );
            }
        }
    }
}

#[test]
fn what_holds_others_stands_before_them_and_nothing_twice() {
    for target in TARGETS {
        let properties = table(target).properties;
        for (at, p) in properties.iter().enumerate() {
            for later in &properties[at + 1..] {
                assert_ne!(p.path, later.path);
                assert!(
                    !p.path.starts_with(later.path),
                    "{:?} stands after {:?}",
                    later.path,
                    p.path
                );
            }
            assert_eq!(p.deploy == Deploy::Immediate, p.live == Live::ReadBack, "{:?}", p.path);
        }
    }
}

#[test]
fn risks_are_as_designed() {
    for (target, path, disruptive, why) in [
        (Target::RestApi, "securityPolicy", true, "TLS policy"),
        (Target::RestApi, "endpointAccessMode", true, "access mode"),
        (Target::RestApi, "endpointConfiguration.types", true, "endpoint type"),
        (
            Target::RestApi,
            "disableExecuteApiEndpoint",
            true,
            "closing the execute-api endpoint",
        ),
        (Target::RestApi, "tags", false, "callers never meet tags"),
        (Target::Stage, "clientCertificateId", true, "client certificates"),
        (
            Target::Stage,
            "methodSettings[\"*/*\"].cachingEnabled",
            true,
            "caching on",
        ),
        (Target::Stage, "methodSettings[\"*/*\"].loggingLevel", false, "logging"),
        (Target::Stage, "webAclArn", true, "web ACL"),
        (Target::Stage, "tracingEnabled", false, "tracing"),
        (Target::Method, "authorizationType", true, "authorization"),
        (Target::Method, "authorizerId", true, "authorization"),
        (Target::DomainName, "securityPolicy", true, "TLS policy"),
        (
            Target::DomainName,
            "mutualTlsAuthentication.truststoreUri",
            true,
            "client certificates",
        ),
    ] {
        let found = table(target).property(&Path::parse(path).unwrap()).unwrap();
        assert_eq!(matches!(found.risk, Risk::Disruptive(_)), disruptive, "{path}: {why}");
    }
    for (target, path) in [
        (Target::Method, "methodIntegration.uri"),
        (Target::RestApi, "policy"),
        (Target::Stage, "methodSettings[\"*/*\"].throttlingRateLimit"),
        (Target::Stage, "methodSettings[\"*/*\"].throttlingBurstLimit"),
    ] {
        let found = table(target).property(&Path::parse(path).unwrap()).unwrap();
        assert!(matches!(found.risk, Risk::DisruptiveUnlessRestored(_)), "{path}");
    }
}

#[test]
fn a_path_tells_of_its_property_or_else_of_all_below_it() {
    let settings = json!({"methodSettings": {"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {}}});
    for (target, path, document, places, why) in [
        (Target::RestApi, "policy", json!({}), vec!["policy"], "a property"),
        (
            Target::RestApi,
            "policy.Statement",
            json!({}),
            vec!["policy.Statement"],
            "a part of one",
        ),
        (
            Target::Stage,
            "methodSettings",
            settings,
            vec!["methodSettings[\"*/*\"]", "methodSettings[\"~1pets/GET\"]"],
            "every entry as a whole, and nothing within it once more",
        ),
        (Target::Stage, "methodSettings", json!({}), vec![], "no entry is there"),
        (
            Target::DomainName,
            "mutualTlsAuthentication",
            json!({}),
            vec![
                "mutualTlsAuthentication.truststoreUri",
                "mutualTlsAuthentication.truststoreVersion",
            ],
            "all that can stand there, be it there or not",
        ),
        (Target::Stage, "nonsense", json!({}), vec![], "nothing is known of it"),
    ] {
        let found = table(target).places(&Path::parse(path).unwrap(), &document);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, places, "{path}: {why}");
    }
}

#[test]
fn the_documentation_is_the_tables() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/properties.md");
    let rendered = markdown();
    if std::env::var_os("GOLDEN").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == rendered,
        "docs/properties.md is another: GOLDEN=write cargo test --lib properties"
    );
    for target in TARGETS {
        for p in table(target).properties {
            assert!(
                rendered.contains(&format!("| `{}` |", p.path.join("."))),
                "{:?}",
                p.path
            );
        }
    }
}
