//! Generated rules: what they ask of APIs, stages and methods, and how they want it mended.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::generated::one;
use super::support::*;
use crate::judge::path::{self, Path};

/// What rules of one target can ask for.
struct Wishes {
    target: &'static str,
    values: Vec<(&'static str, Value)>,
    absences: Vec<&'static str>,
    /// A requirement, a fix and paths to restore; either of the two is taken.
    requirements: Vec<(&'static str, &'static str, &'static [&'static str])>,
}

fn of_apis() -> Wishes {
    Wishes {
        target: API,
        values: vec![
            ("disableExecuteApiEndpoint", json!([true, false])),
            ("apiKeySource", json!(["HEADER", "AUTHORIZER"])),
            ("minimumCompressionSize", json!([0, 1024.0, 4096])),
            ("binaryMediaTypes", json!([[], ["image/png"], ["image/png", "a~b"]])),
            ("description", json!(["x", "y"])),
            ("policy", json!([closed(), closed_in_other_words(), open()])),
            ("tags.team", json!(["a", "b"])),
            ("tags[\"a/b\"]", json!(["1", "2"])),
            (
                "endpointConfiguration.vpcEndpointIds",
                json!([["vpce-1"], ["vpce-1", "vpce-2"]]),
            ),
            ("endpointConfiguration.types", json!([["REGIONAL"], ["EDGE"]])),
            ("securityPolicy", json!(["TLS_1_2"])),
        ],
        absences: vec![
            "policy",
            "minimumCompressionSize",
            "description",
            "tags",
            "tags.team",
            "binaryMediaTypes",
        ],
        requirements: vec![
            (
                "has(object.policy) && iam.denies(object.policy, {'aws:SecureTransport': 'false'})",
                "{'policy': {'Statement': object.policy.Statement + [{'Effect': 'Deny', 'Principal': '*', \
                 'Action': 'execute-api:Invoke', 'Resource': 'execute-api:/*', \
                 'Condition': {'Bool': {'aws:SecureTransport': 'false'}}}]}}",
                &["policy"],
            ),
            (
                "object.disableExecuteApiEndpoint",
                "{'disableExecuteApiEndpoint': true}",
                &["disableExecuteApiEndpoint"],
            ),
            (
                "has(object.minimumCompressionSize) && object.minimumCompressionSize <= 1024",
                "{'minimumCompressionSize': 512}",
                &["minimumCompressionSize", "binaryMediaTypes"],
            ),
            (
                "has(object.tags) && 'team' in object.tags",
                "{'tags': {'team': 'a'}}",
                &["tags"],
            ),
        ],
    }
}

fn of_stages() -> Wishes {
    Wishes {
        target: STAGE,
        values: vec![
            ("tracingEnabled", json!([true, false])),
            ("cacheClusterEnabled", json!([true, false])),
            ("cacheClusterSize", json!(["0.5", "1.6"])),
            ("description", json!(["x", "y"])),
            ("documentationVersion", json!(["v1"])),
            ("variables.a", json!(["1", "2"])),
            ("variables[\"b/c\"]", json!(["1"])),
            ("accessLogSettings.destinationArn", json!(["arn"])),
            ("accessLogSettings.format", json!(["f", "g"])),
            ("tags.team", json!(["a", "b"])),
            ("webAclArn", json!(["arn"])),
            ("methodSettings[\"*/*\"].loggingLevel", json!(["INFO", "ERROR"])),
            ("methodSettings[\"*/*\"].metricsEnabled", json!([true, false])),
            ("methodSettings[\"*/*\"].throttlingRateLimit", json!([100, 0.5, 10000])),
            ("methodSettings[\"*/*\"].cachingEnabled", json!([true])),
            ("methodSettings[\"~1pets/GET\"].loggingLevel", json!(["INFO", "OFF"])),
            ("methodSettings[\"~1pets/GET\"].throttlingBurstLimit", json!([10])),
            ("methodSettings[\"~1cats/GET\"].dataTraceEnabled", json!([false])),
        ],
        absences: vec![
            "variables",
            "variables.a",
            "accessLogSettings",
            "accessLogSettings.format",
            "methodSettings[\"*/*\"]",
            "methodSettings[\"~1pets/GET\"]",
            "tags.team",
        ],
        requirements: vec![
            ("object.tracingEnabled", "{'tracingEnabled': true}", &["tracingEnabled"]),
            (
                "'*/*' in object.methodSettings && object.methodSettings.all(k, has(object.methodSettings[k].loggingLevel) \
                 && object.methodSettings[k].loggingLevel != 'OFF')",
                "{'methodSettings': {'*/*': {'loggingLevel': 'ERROR'}}}",
                &["methodSettings"],
            ),
            (
                "object.methodSettings.all(k, object.methodSettings[k].throttlingBurstLimit <= 100)",
                "{'methodSettings': object.methodSettings.all(k, k == '*/*') ? {} : {'*/*': {'throttlingBurstLimit': 100}}}",
                &["methodSettings"],
            ),
            (
                "!has(object.variables) || !has(object.variables.debug)",
                "{'variables': {'debug': null}}",
                &["variables"],
            ),
            (
                "has(object.accessLogSettings) && has(object.accessLogSettings.destinationArn)",
                "{'accessLogSettings': {'destinationArn': 'arn'}}",
                &["accessLogSettings"],
            ),
        ],
    }
}

fn of_methods() -> Wishes {
    Wishes {
        target: METHOD,
        values: vec![
            ("authorizationType", json!(["NONE", "AWS_IAM"])),
            ("authorizerId", json!(["auth1"])),
            ("apiKeyRequired", json!([true, false])),
            ("authorizationScopes", json!([["a"], ["a", "b/c"]])),
            ("operationName", json!(["x", "y"])),
            ("requestParameters[\"method.request.header.x\"]", json!([true, false])),
            ("requestModels[\"application/json\"]", json!(["M", "N"])),
            ("methodIntegration.uri", json!(["https://a", "https://b"])),
            ("methodIntegration.timeoutInMillis", json!([5000.0, 1000])),
            ("methodIntegration.connectionType", json!(["INTERNET", "VPC_LINK"])),
            (
                "methodIntegration.tlsConfig.insecureSkipVerification",
                json!([false, true]),
            ),
            ("methodIntegration.cacheKeyParameters", json!([[], ["k", "l"]])),
            ("methodIntegration.cacheNamespace", json!(["r1", "r2"])),
            (
                "methodIntegration.requestParameters[\"integration.request.header.a\"]",
                json!(["'x'", "'z'"]),
            ),
            (
                "methodIntegration.requestTemplates[\"application/json\"]",
                json!(["t", "v"]),
            ),
            ("methodIntegration.type", json!(["HTTP_PROXY", "MOCK"])),
        ],
        absences: vec![
            "authorizationScopes",
            "authorizerId",
            "requestParameters[\"method.request.header.x\"]",
            "requestModels",
            "methodIntegration.requestParameters",
            "methodIntegration.requestTemplates[\"text/plain\"]",
        ],
        requirements: vec![
            (
                "object.methodIntegration.uri.startsWith('https://')",
                "{'methodIntegration': {'uri': object.methodIntegration.uri.replace('http://', 'https://')}}",
                &["methodIntegration.uri"],
            ),
            (
                "object.methodIntegration.timeoutInMillis <= 5000",
                "{'methodIntegration': {'timeoutInMillis': 5000}}",
                &[
                    "methodIntegration.timeoutInMillis",
                    "methodIntegration.requestTemplates",
                ],
            ),
            (
                "object.authorizationType != 'NONE' || object.apiKeyRequired",
                "object.methodIntegration.uri == 'http://b' ? {'apiKeyRequired': true} : {'authorizationType': 'AWS_IAM'}",
                &["apiKeyRequired", "authorizationScopes"],
            ),
            (
                "!has(object.methodIntegration.requestTemplates) || object.methodIntegration.requestTemplates.all(k, k == 'application/json')",
                "{'methodIntegration': {'requestTemplates': {'text/plain': null}}}",
                &["methodIntegration.requestTemplates"],
            ),
        ],
    }
}

/// A rule of any of the targets.
pub fn a_rule() -> BoxedStrategy<Value> {
    prop_oneof![rule_of(of_apis()), rule_of(of_stages()), rule_of(of_methods())].boxed()
}

fn rule_of(wishes: Wishes) -> BoxedStrategy<Value> {
    let target = wishes.target;
    let when = select(vec!["", "", "", "stage == null || stage == 'prod'", "stage == 'prod'"]);
    let fields = prop_oneof![
        3 => desired(wishes.values, wishes.absences),
        2 => select(wishes.requirements).prop_flat_map(|(require, fix, restore)| {
            prop_oneof![
                Just(json!({"require": require, "fix": fix})),
                Just(json!({"require": require, "restore": restore})),
            ]
        }),
    ];
    (when, fields)
        .prop_map(move |(when, fields)| {
            let mut rule = rule(target, fields);
            if !when.is_empty() {
                rule["when"] = json!(when);
            }
            rule
        })
        .boxed()
}

/// Up to three values, and what shall be absent besides them.
fn desired(values: Vec<(&'static str, Value)>, absences: Vec<&'static str>) -> BoxedStrategy<Value> {
    let values = subsequence(values, 0..=3).prop_flat_map(|chosen| {
        let each: Vec<_> = chosen
            .into_iter()
            .map(|(path, values)| one(values).prop_map(move |value| (path, value)))
            .collect();
        each
    });
    (values, select(absences), any::<bool>())
        .prop_map(|(values, absent, also)| {
            let mut desired = json!({});
            let path = Path::parse(absent).unwrap();
            let mut clear = true;
            for (at, value) in &values {
                let at = Path::parse(at).unwrap();
                clear &= !path.covers(&at) && !at.covers(&path);
                desired = path::merge(&desired, &with(json!({}), &at.to_string(), value.clone()));
            }
            match (values.is_empty(), clear && also) {
                (true, _) => json!({"absent": [absent]}),
                (false, true) => json!({"desired": desired, "absent": [absent]}),
                (false, false) => json!({"desired": desired}),
            }
        })
        .boxed()
}
