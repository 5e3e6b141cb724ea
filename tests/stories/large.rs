//! Things that are larger than what Kubernetes takes: judged all the same, shown cut, recorded whole.

use std::collections::BTreeMap;

use awsim::seed::{Api, Seed, https_only};
use jiff::Timestamp;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::support::{REGION, World, https_only_rules, phase, reason};

/// What AWS takes at most as one mapping template.
const TEMPLATE: usize = 300 * 1024;

/// A method whose seven mapping templates have 2 MB together.
fn templates() -> Value {
    let template = |number: usize| {
        format!(
            "#set($password = '{number}')\n{}",
            "## a line\n".repeat(TEMPLATE / 10 - 4)
        )
    };
    let all: BTreeMap<String, String> = (0..7).map(|n| (format!("application/x-{n}"), template(n))).collect();
    json!(all)
}

fn api(name: &str, resources: BTreeMap<String, BTreeMap<String, Value>>) -> Api {
    Api {
        settings: json!({"name": name, "policy": https_only(), "endpointConfiguration": {"types": ["REGIONAL"]}}),
        resources,
        stages: [("prod".to_owned(), json!({"tracingEnabled": true}))].into(),
        ..Api::default()
    }
}

fn method(uri: &str, templates: Value) -> Value {
    let mut integration = json!({"type": "HTTP", "httpMethod": "POST", "uri": uri});
    if !templates.is_null() {
        integration["requestTemplates"] = templates;
    }
    json!({"authorizationType": "NONE", "integration": integration})
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).unwrap().len()
}

/// The audit record of a transition.
async fn record(world: &World, drift: &Drift, transition: &str) -> Value {
    let uid = drift.metadata.uid.as_ref().unwrap();
    let keys = world.aws.audit_keys().await;
    let key = keys.iter().find(|k| k.contains(uid) && k.contains(transition)).unwrap();
    world.aws.audit(key).await
}

#[tokio::test]
async fn two_megabytes_of_mapping_templates_are_judged_shown_cut_and_recorded_whole() {
    let mut world = World::new("templates").await;
    let large = templates();
    let post = method("https://backend.example.com/orders", large.clone());
    let resources = [("/orders".to_owned(), [("POST".to_owned(), post)].into())].into();
    let seed = Seed::apis(vec![api("orders", resources)]).in_account(&world.account_id, REGION);
    let id = world.sim.seed(&seed, Timestamp::now()).unwrap().remove(0);
    world.create_account(|_| {}).await;
    let names_none = "!has(object.methodIntegration.requestTemplates) || \
                      object.methodIntegration.requestTemplates.all(t, \
                      !object.methodIntegration.requestTemplates[t].contains('password'))";
    world
        .policy(
            "templates",
            json!({"rules": [
                {"name": "reported", "target": "AWS::ApiGateway::Method", "require": names_none},
                {
                    "name": "mended", "target": "AWS::ApiGateway::Method", "allowDisruption": true,
                    "require": "!object.methodIntegration.requestTemplates['application/x-3'].contains('password')",
                    "fix": "{'methodIntegration': {'requestTemplates': {'application/x-3': '{}'}}}",
                },
            ]}),
        )
        .await;
    world.start().await;

    let reported = world
        .drift("reported", "is recorded and told", |d| {
            d.status.as_ref().is_some_and(|s| s.notified.len() == 4)
        })
        .await;
    assert_eq!(
        (phase(&reported).as_str(), reason(&reported).as_str()),
        ("Waiting", "NotRepairable")
    );
    let observed = reported.status.as_ref().unwrap().observed.as_ref().unwrap();
    assert!(observed.digest.is_some(), "it says that it is cut");
    let shown = size(&reported);
    assert!(shown < 100 * 1024, "an object that the API server takes: {shown} bytes");
    let recorded = record(&world, &reported, "detected").await;
    assert_eq!(
        recorded["observed"]["methodIntegration"]["requestTemplates"], large,
        "whole in the audit record"
    );

    let mended = world.drift("mended", "is resolved", |d| phase(d) == "Resolved").await;
    assert_eq!(reason(&mended), "Repaired");
    let shown = size(&mended);
    assert!(shown < 200 * 1024, "with what would take it back: {shown} bytes");
    let recorded = record(&world, &mended, "detected").await;
    let before = &recorded["observed"]["methodIntegration"]["requestTemplates"]["application/x-3"];
    assert_eq!(*before, large["application/x-3"], "what stood there before is not lost");
    let live = world.state(&id);
    let live = &live["stages"]["prod"]["snapshot"]["resources"]["/orders"]["methods"]["POST"]["methodIntegration"];
    assert_eq!(live["requestTemplates"]["application/x-3"], "{}");
    assert_eq!(
        live["requestTemplates"]["application/x-2"], large["application/x-2"],
        "and nothing else"
    );
    for message in world.aws.machines().await {
        assert!(size(&message) <= 256 * 1024, "what SNS takes");
        assert!(message["audit"]["key"].is_string(), "and where the whole is: {message}");
    }
    assert!(world.lives(), "{}", world.log());
}

#[tokio::test]
async fn an_api_of_300_resources_and_900_methods_is_judged_and_repaired() {
    let mut world = World::new("large").await;
    let uri = |resource: usize| format!("https://backend.example.com/r{resource:03}");
    let resources = (0..300)
        .map(|at| {
            let verbs = ["GET", "POST", "PUT"];
            let methods = verbs.map(|verb| (verb.to_owned(), method(&uri(at), Value::Null)));
            (format!("/r{at:03}"), methods.into())
        })
        .collect();
    let seed = Seed::apis(vec![api("large", resources)]).in_account(&world.account_id, REGION);
    let id = world.sim.seed(&seed, Timestamp::now()).unwrap().remove(0);
    world.create_account(|_| {}).await;
    world.policy("https-only", json!({"rules": https_only_rules()})).await;
    world.start().await;
    world.compliant("https-only").await;
    let endpoint = world.endpoint_says(&id, "Compliant", "Compliant=True").await;
    let status = endpoint.status.as_ref().unwrap();
    assert_eq!(
        status.last_compliant.len(),
        901,
        "where each method points, and the resource policy"
    );
    assert!(size(&endpoint) < 512 * 1024, "{} bytes", size(&endpoint));

    let anna = world.developer("anna");
    anna.point(&id, "/r299", "PUT", "http://backend.example.com/r299").await;
    anna.deploy(&id, "prod").await;
    let drift = world
        .drift("backends-over-https", "is resolved", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(drift.spec.resource, "PUT /r299");
    assert_eq!(reason(&drift), "Repaired");
    let live = world.state(&id);
    let live = &live["stages"]["prod"]["snapshot"]["resources"]["/r299"]["methods"]["PUT"]["methodIntegration"];
    assert_eq!(live["uri"], json!(uri(299)));
    world.compliant("https-only").await;
    assert!(world.lives(), "{}", world.log());
}
