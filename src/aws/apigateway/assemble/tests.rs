use super::*;
use crate::api::policy::EndpointType;
use serde_json::json;

fn id() -> EndpointId {
    EndpointId {
        account_id: "111122223333".into(),
        region: "eu-west-1".into(),
        type_: EndpointType::RestApi,
        id: "a1".into(),
    }
}

fn listed() -> Value {
    json!({"id": "a1", "name": "pets", "createdDate": 1, "tags": {"team": "x"}, "disableExecuteApiEndpoint": false,
        "policy": "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[]}"})
}

fn stage(name: &str, deployment: &str) -> Value {
    json!({"stageName": name, "deploymentId": deployment, "methodSettings": {}, "lastUpdatedDate": 7})
}

fn resources(uri: &str) -> Vec<Value> {
    vec![
        json!({"id": "r2", "path": "/pets", "resourceMethods": {"GET": {"httpMethod": "GET", "authorizationType": "NONE",
        "apiKeyRequired": false, "methodIntegration": {"type": "HTTP", "uri": uri, "timeoutInMillis": 29000,
        "cacheNamespace": "r2"}}}}),
    ]
}

#[allow(clippy::unnecessary_wraps)] // as exports are handed over
fn export(path: &str, uri: &str) -> Result<Arc<Value>, String> {
    Ok(Arc::new(json!({"openapi": "3.0.1", "paths": {path: {"get":
        {"x-amazon-apigateway-integration": {"type": "http", "uri": uri}}}}})))
}

type Exports = BTreeMap<String, Result<Arc<Value>, String>>;

fn snapshot(stages: &[Value], uri: &str, exports: &Exports) -> Snapshot {
    rest_api(id(), &listed(), stages, Some(&resources(uri)), exports)
}

fn find<'a>(snapshot: &'a Snapshot, target: Target, key: &str) -> &'a Resource {
    snapshot
        .resources
        .iter()
        .find(|r| r.target == target && r.key == key)
        .unwrap()
}

#[test]
fn everything_has_its_address() {
    let exports = Exports::from([("d1".into(), export("/pets", "http://a"))]);
    let s = snapshot(&[stage("prod", "d1")], "http://a", &exports);
    assert_eq!(
        (s.name.as_str(), s.arn.as_str()),
        ("pets", "arn:aws:apigateway:eu-west-1::/restapis/a1")
    );
    assert_eq!(s.tags["team"], "x");
    assert_eq!(s.stages["prod"].deployment_id, "d1");
    assert_eq!(
        find(&s, Target::Stage, "prod").address["resourceArn"],
        format!("{}/stages/prod", s.arn)
    );
    let method = find(&s, Target::Method, "GET /pets");
    assert_eq!(
        (
            method.address["resourceId"].as_str(),
            method.address["httpMethod"].as_str()
        ),
        ("r2", "GET")
    );
    for (region, partition) in [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-east-1", "aws"),
    ] {
        assert!(arn(region, "/restapis/a").starts_with(&format!("arn:{partition}:")));
    }
}

#[test]
fn what_callers_meet_by_stage() {
    let exports = Exports::from([
        ("d1".into(), export("/pets", "http://a")),
        ("d2".into(), export("/cats", "http://a")),
        ("d3".into(), Err("denied".into())),
    ]);
    let stages = [stage("a", "d1"), stage("b", "d2"), stage("c", "d3"), stage("d", "d4")];
    let s = snapshot(&stages, "http://a", &exports);
    let method = find(&s, Target::Method, "GET /pets");
    let draft = method.draft.as_ref().unwrap();
    let [first, second, third, fourth] = &method.live[..] else {
        panic!("one a stage")
    };
    let Known::Shown { document, hidden } = &first.known else {
        panic!("shown")
    };
    assert!(
        std::ptr::eq(document.json(), draft.json()),
        "a live state that equals the draft is the draft"
    );
    assert!(hidden.contains(&Path::of(["methodIntegration", "cacheNamespace"])));
    assert!(
        !hidden.contains(&Path::of(["authorizerId"])),
        "no authorizer is asked, so there is no id to hide"
    );
    assert!(matches!(second.known, Known::Absent));
    assert!(matches!(&third.known, Known::Unreadable(why) if why == "denied"));
    assert!(matches!(&fourth.known, Known::Unreadable(_)), "never exported");
    let gone = find(&s, Target::Method, "GET /cats");
    assert!(gone.draft.is_none() && !gone.address.contains_key("resourceId"));
    assert!(matches!(gone.live[1].known, Known::Shown { .. }));

    let s = snapshot(&stages, "https://b", &exports);
    let Known::Shown { document, .. } = &find(&s, Target::Method, "GET /pets").live[0].known else {
        panic!("shown")
    };
    assert_eq!(
        document.json()["methodIntegration"]["uri"],
        "http://a",
        "the deployed one"
    );
}

#[test]
fn what_an_export_is_not_known_to_show_is_hidden() {
    let exports = Exports::from([("d1".into(), export("/pets", "http://a"))]);
    let mut drafts = resources("http://a");
    drafts[0]["resourceMethods"]["GET"]["methodIntegration"]["tlsConfig"] = json!({"insecureSkipVerification": true});
    let s = rest_api(id(), &listed(), &[stage("prod", "d1")], Some(&drafts), &exports);
    let Known::Shown { hidden, .. } = &find(&s, Target::Method, "GET /pets").live[0].known else {
        panic!("shown")
    };
    assert!(hidden.contains(&Path::of([
        "methodIntegration",
        "tlsConfig",
        "insecureSkipVerification"
    ])));
    let Known::Shown { hidden, .. } = &find(&s, Target::RestApi, "").live[0].known else {
        panic!("shown")
    };
    for (path, is, why) in [
        ("policy", true, "drafted, and not shown"),
        ("disableExecuteApiEndpoint", true, "drafted, and not shown"),
        ("endpointConfiguration.types", true, "no export shows it"),
        ("binaryMediaTypes", false, "neither drafted nor shown"),
        ("tags", false, "takes effect at once"),
    ] {
        assert_eq!(hidden.contains(&Path::parse(path).unwrap()), is, "{path}: {why}");
    }
}

#[test]
fn a_deployed_policy_is_laid_over_the_draft() {
    let mut deployed = export("/pets", "http://a").unwrap().as_ref().clone();
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "execute-api:Invoke", "Resource": "*"}]});
    deployed["x-amazon-apigateway-policy"] = deny.clone();
    let exports = Exports::from([("d1".into(), Ok(Arc::new(deployed)))]);
    let s = snapshot(&[stage("prod", "d1")], "http://a", &exports);
    let api = find(&s, Target::RestApi, "");
    let Known::Shown { document, hidden } = &api.live[0].known else {
        panic!("shown")
    };
    assert_eq!(document.json()["policy"], deny);
    assert_eq!(document.json()["name"], "pets");
    assert!(!hidden.contains(&Path::of(["policy"])));
}

#[test]
fn a_canary_is_met_too() {
    let mut prod = stage("prod", "d1");
    prod["canarySettings"] = json!({"deploymentId": "d2", "percentTraffic": 10.0});
    let mut exports = Exports::from([("d1".into(), export("/pets", "http://a"))]);
    let s = snapshot(&[prod.clone()], "http://a", &exports);
    assert_eq!(s.stages["prod"].canary.as_deref(), Some("d2"));
    let live = &find(&s, Target::Method, "GET /pets").live;
    assert_eq!(live.len(), 2);
    assert!(matches!(&live[1].known, Known::Unreadable(why) if why.contains("canary")));
    assert_eq!(find(&s, Target::RestApi, "").live.len(), 2);
    // Another stage serves it as its own deployment.
    exports.insert("d2".into(), export("/pets", "http://b"));
    let s = snapshot(&[prod], "http://a", &exports);
    assert!(matches!(
        find(&s, Target::Method, "GET /pets").live[1].known,
        Known::Shown { .. }
    ));
}

#[test]
fn the_digest_follows_what_was_read_and_nothing_else() {
    let exports = Exports::from([("d1".into(), export("/pets", "http://a"))]);
    let stages = [stage("prod", "d1")];
    let digest = |stages: &[Value], uri: &str, listed: &Value, exports: &Exports| {
        rest_api(id(), listed, stages, Some(&resources(uri)), exports).digest
    };
    let first = digest(&stages, "http://a", &listed(), &exports);
    assert_eq!(first.len(), 64);
    let mut later = listed();
    later["createdDate"] = json!(9);
    let name = later.as_object_mut().unwrap().shift_remove("name").unwrap();
    later["name"] = name;
    assert_eq!(
        digest(&stages, "http://a", &later, &exports),
        first,
        "dates and the order of fields mean nothing"
    );
    let mut tagged = listed();
    tagged["tags"]["team"] = json!("y");
    for (other, why) in [
        (digest(&stages, "http://b", &listed(), &exports), "a method"),
        (
            digest(&[stage("prod", "d2")], "http://a", &listed(), &exports),
            "a deployment",
        ),
        (digest(&stages, "http://a", &tagged, &exports), "a tag"),
        (
            digest(
                &stages,
                "http://a",
                &listed(),
                &Exports::from([("d1".into(), Err("no".into()))]),
            ),
            "an unread export",
        ),
        (
            rest_api(id(), &listed(), &stages, None, &exports).digest,
            "methods that were not read",
        ),
    ] {
        assert_ne!(other, first, "{why}");
    }
}

#[test]
fn a_domain_name_is_met_as_it_is_read() {
    let mut domain = id();
    (domain.type_, domain.id) = (EndpointType::DomainName, "api.example.com".into());
    let s = domain_name(
        domain,
        &json!({"domainName": "api.example.com", "securityPolicy": "TLS_1_0",
        "domainNameStatus": "UPDATING"}),
    );
    let own = find(&s, Target::DomainName, "");
    assert_eq!(
        own.address["resourceArn"],
        "arn:aws:apigateway:eu-west-1::/domainnames/api.example.com"
    );
    assert_eq!(own.address["domainName"], "api.example.com");
    assert!(own.draft.as_ref().unwrap().json().get("domainNameStatus").is_none());
    assert!(matches!(own.live[0].known, Known::Shown { .. }));
}
