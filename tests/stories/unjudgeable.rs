//! Policies that cannot be judged say why, where and what to write; the others go on.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::seen::line;
use crate::support::{World, phase};

/// A policy of one rule.
fn one(mut rule: Value) -> Value {
    rule["name"] = json!("broken");
    rule["target"] = json!("AWS::ApiGateway::Method");
    json!({"rules": [rule]})
}

#[tokio::test]
async fn a_policy_that_cannot_be_judged_says_why_and_the_others_go_on() {
    let mut world = World::with_fleet("unjudgeable", 2).await;
    let stingy = format!("{}-stingy", world.name);
    let other_id = world.account_id.replacen('2', "3", 1);
    world
        .create_account(|account| {
            account["metadata"]["name"] = json!(stingy);
            account["spec"]["accountId"] = json!(other_id);
            account["spec"]["grants"] = json!([]);
        })
        .await;
    world.https_only().await;
    world.compliant("https-only").await;

    let deep = format!("{}true{}", "(".repeat(8000), ")".repeat(8000));
    let not_granted = format!(
        "Ready=False NotGranted: AwsAccount {stingy} grants namespace {} nothing",
        world.name
    );
    let rows = [
        (
            "syntax",
            one(json!({"require": "object.apiKeyRequired ==\n  true &&"})),
            "Ready=False Invalid: rule broken, require: no CEL at line 2, column",
            "the rule, the field, line and column",
        ),
        (
            "function",
            one(json!({"require": "object.methodIntegration.uri.startWith('https://')"})),
            "Ready=False Invalid: rule broken, require: unknown function `startWith`",
            "what a typing error is near to",
        ),
        (
            "variable",
            one(json!({"when": "obj.apiKeyRequired", "desired": {"apiKeyRequired": true}})),
            "Ready=False Invalid: rule broken, when: unknown variable `obj`; there are object, previous, endpoint",
            "what there is instead",
        ),
        (
            "deep",
            one(json!({"require": deep})),
            "Ready=False Invalid: rule broken, require: brackets and conditionals are nested more than 64 deep: split the rule",
            "deep nesting ends at the rule, not with the process",
        ),
        (
            "path",
            one(json!({"require": "object.apiKeyRequired", "restore": ["methodIntegration..uri"]})),
            "Ready=False Invalid: rule broken, restore: `methodIntegration..uri`: a key is missing; write a path such as",
            "what a path looks like",
        ),
        (
            "previous",
            one(json!({"require": "object.apiKeyRequired == previous.apiKeyRequired"})),
            "Ready=False Invalid: rule broken, require: `previous`, the last compliant value, can be named in fix alone",
            "where it can be named",
        ),
        (
            "nobody",
            json!({"accounts": ["nobody"], "rules": [{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]}),
            "Ready=False Invalid: spec.accounts: there is no AwsAccount nobody: create it, or name one of `kubectl get awsaccounts`",
            "an account that is not there",
        ),
        (
            "stingy",
            json!({"accounts": [stingy], "rules": [{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]}),
            not_granted.as_str(),
            "an account that grants nothing",
        ),
    ];
    for (name, spec, ..) in &rows {
        world.policy(name, spec.clone()).await;
    }
    for (name, _, starts, why) in &rows {
        let policy = world.policy_says(name, "Ready", starts).await;
        let status = policy.status.as_ref().unwrap();
        let compliant = line(&status.conditions, "Compliant");
        assert!(compliant.starts_with("Compliant=Unknown"), "{name}, {why}: {compliant}");
    }
    let policy = world.policy_says("stingy", "Ready", "Ready=False").await;
    let said = line(&policy.status.unwrap().conditions, "Ready");
    let write = format!(
        "add to its spec.grants an entry such as {{namespaces: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}, maxEnforcement: Enforce}}",
        world.name
    );
    assert!(said.contains(&write), "what to write into the account: {said}");

    // The policy beside them finds and repairs.
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    world.drift("tracing", "is resolved", |d| phase(d) == "Resolved").await;
    assert!(world.lives(), "{}", world.log());

    // Mended, a policy is judged.
    let mended = json!({"spec": {"rules": [{
        "name": "broken", "target": "AWS::ApiGateway::Method", "require": "object.apiKeyRequired == false",
    }]}});
    let patched = world
        .policies()
        .patch("syntax", &PatchParams::default(), &Patch::Merge(mended))
        .await;
    patched.unwrap();
    world.policy_says("syntax", "Ready", "Ready=True").await;
    world.compliant("syntax").await;
}

#[tokio::test]
async fn a_rule_that_would_never_end_is_unknown_and_the_others_go_on() {
    let mut world = World::with_fleet("endless", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let loops = "params.many.all(a, params.many.all(b, params.many.all(c, params.many.all(d, a + b + c + d >= 0))))";
    let many: Vec<u32> = (0..1000).collect();
    let mut spec = one(json!({"require": loops}));
    spec["params"] = json!({"many": many});
    world.policy("loops", spec).await;
    let text = "params.text.replace('', params.text).replace('', params.text).size() > 0";
    let mut spec = one(json!({"require": text}));
    spec["params"] = json!({"text": "x".repeat(20_000)});
    world.policy("swells", spec).await;
    for name in ["loops", "swells"] {
        let policy = world
            .policy_says(name, "Compliant", "Compliant=Unknown Unreadable: 1 of 1 endpoints:")
            .await;
        let status = policy.status.unwrap();
        let said = line(&status.conditions, "Compliant");
        assert!(said.contains("rule broken GET /items: "), "which rule, where: {said}");
        assert!(said.contains("the evaluation was stopped: "), "why: {said}");
        assert!(
            line(&status.conditions, "Ready").starts_with("Ready=True"),
            "it can be asked"
        );
        assert_eq!(status.unknown, 1, "{name}");
    }
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    world.drift("tracing", "is resolved", |d| phase(d) == "Resolved").await;
    world.compliant("https-only").await;
    assert!(world.lives(), "{}", world.log());
}

#[tokio::test]
async fn a_selector_that_selects_nothing_is_ready_and_unknown() {
    let world = World::with_fleet("nothing", 1).await;
    world
        .policy(
            "nothing",
            json!({"selector": {"names": ["orders-*"]}, "rules": [
                {"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}},
            ]}),
        )
        .await;
    let policy = world
        .policy_says(
            "nothing",
            "Compliant",
            "Compliant=Unknown NoEndpoints: the selector selects nothing",
        )
        .await;
    let status = policy.status.unwrap();
    assert!(line(&status.conditions, "Ready").starts_with("Ready=True"));
    assert_eq!((status.endpoints, status.drift), (0, 0));
    world.https_only().await;
    world.compliant("https-only").await;
}
