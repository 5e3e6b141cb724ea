//! Why a drift is not repaired: the reason that a person sees, and what makes it go on.

use awsim::seed::Fleet;
use kube::api::{Patch, PatchParams};
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{World, https_only_rules, phase, reason, replace, until_seen};

/// What happens to a row's API.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    /// It violates as it stands.
    Nothing,
    /// The stage's tracing goes off.
    Tracing,
    /// A backend is called in clear text, in the editor.
    Draft,
    /// The same, deployed.
    Deployed,
    /// The same, and the stage then gets a canary.
    Canary,
}

/// What makes it go on.
enum Way {
    /// A change of the policy.
    Policy(Value),
    /// A change of the account's grants.
    Grants(Value),
    /// The canary is taken away.
    NoCanary,
    /// Not shown here.
    Person,
}

/// Phase, reason and part of the message.
type Seen = (&'static str, &'static str, &'static str);

fn https(name: &str) -> Value {
    let mut rule = https_only_rules()[0].clone();
    rule["name"] = json!(name);
    rule
}

fn tracing(name: &str) -> Value {
    json!({"name": name, "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}})
}

fn policy(rule: Value, mut more: Value) -> Value {
    more["rules"] = Value::Array(vec![rule]);
    more
}

fn grants(world: &World, limited: &str) -> Value {
    let namespaces = json!({"matchLabels": {"kubernetes.io/metadata.name": world.name}});
    let limit = json!({"key": "limit", "operator": "DoesNotExist"});
    json!([
        {"namespaces": namespaces, "endpoints": {"tags": {"matchExpressions": [limit]}}, "maxEnforcement": "Enforce"},
        {"namespaces": namespaces, "endpoints": {"tags": {"matchLabels": {"limit": "yes"}}}, "maxEnforcement": limited},
    ])
}

#[allow(clippy::too_many_lines)] // a table
fn rows(world: &World) -> Vec<(&'static str, Value, Change, Seen, Way)> {
    let enforce = || Way::Policy(json!({"enforcement": "Enforce"}));
    vec![
        (
            "audit",
            policy(tracing("audit"), json!({"enforcement": "Audit"})),
            Change::Tracing,
            (
                "Detected",
                "AuditOnly",
                "enforcement is Audit: set it to Approve or Enforce to have it repaired",
            ),
            enforce(),
        ),
        (
            "approve",
            policy(tracing("approve"), json!({"enforcement": "Approve"})),
            Change::Tracing,
            ("Waiting", "ApprovalRequired", "a person must approve the plan"),
            enforce(),
        ),
        (
            "draft",
            policy(https("draft"), json!({})),
            Change::Draft,
            (
                "Waiting",
                "DraftOnly",
                "a draft is somebody's work: set repairs.drafts to have it patched",
            ),
            Way::Policy(json!({"repairs": {"drafts": true}})),
        ),
        (
            "never",
            policy(https("never"), json!({"redeploy": "Never"})),
            Change::Deployed,
            (
                "Waiting",
                "RedeployNever",
                "the repair needs a deployment and redeploy is Never",
            ),
            Way::Policy(json!({"redeploy": "WhenClean"})),
        ),
        (
            "canary",
            policy(https("canary"), json!({})),
            Change::Canary,
            (
                "Waiting",
                "Canary",
                "stage prod has a canary: promote or remove it, then the repair goes on",
            ),
            Way::NoCanary,
        ),
        (
            "disruptive",
            policy(
                json!({
                    "name": "disruptive", "target": "AWS::ApiGateway::Method",
                    "when": "object.httpMethod == 'GET'", "desired": {"authorizationType": "AWS_IAM"},
                }),
                json!({}),
            ),
            Change::Nothing,
            (
                "Waiting",
                "Disruptive",
                "callers without the credentials that are asked for are refused",
            ),
            Way::Person,
        ),
        (
            "by-hand",
            policy(
                json!({
                    "name": "by-hand", "target": "AWS::ApiGateway::RestApi",
                    "desired": {"endpointConfiguration": {"types": ["EDGE"]}},
                }),
                json!({}),
            ),
            Change::Nothing,
            (
                "Waiting",
                "NotRepairable",
                "the endpoint type changes the API's host names: move callers first",
            ),
            Way::Person,
        ),
        (
            "in-vain",
            policy(
                json!({
                    "name": "in-vain", "target": "AWS::ApiGateway::Stage", "when": "object.stageName == 'prod'",
                    "require": "object.tracingEnabled == false", "fix": "{'description': 'traced'}",
                }),
                json!({}),
            ),
            Change::Nothing,
            (
                "Waiting",
                "FixIneffective",
                "the repair would not make the rule hold, so it is never made: correct the rule",
            ),
            Way::Person,
        ),
        (
            "never-seen",
            policy(
                json!({
                    "name": "never-seen", "target": "AWS::ApiGateway::Method", "when": "object.httpMethod == 'GET'",
                    "require": "object.methodIntegration.uri.startsWith('https://other')",
                    "restore": ["methodIntegration.uri"],
                }),
                json!({}),
            ),
            Change::Nothing,
            (
                "Waiting",
                "NoCompliantValue",
                "methodIntegration.uri: no value with which the rule held was ever seen",
            ),
            Way::Person,
        ),
        // The last API has a tag of its own.
        (
            "limited",
            policy(tracing("limited"), json!({})),
            Change::Tracing,
            (
                "Detected",
                "GrantLimits",
                "the account's grant allows reports only: raise maxEnforcement of the grant to have it repaired",
            ),
            Way::Grants(grants(world, "Enforce")),
        ),
    ]
}

async fn stands(world: &World, rule: &str, wanted: Seen) -> Drift {
    let (phase_, reason_, message) = wanted;
    world
        .drift(rule, &format!("is {phase_} {reason_}"), |d| {
            let said = d.status.as_ref().map_or("", |s| s.message.as_str());
            phase(d) == phase_ && reason(d) == reason_ && said.contains(message)
        })
        .await
}

#[tokio::test]
async fn each_drift_that_is_held_back_says_why_and_goes_on_when_that_is_gone() {
    let mut world = World::new("held-back").await;
    let rows = rows(&world);
    let fleet = |apis, prefix: &str, tags: &[(&str, &str)]| Fleet {
        apis,
        stages: vec!["prod".into()],
        name_prefix: prefix.into(),
        tags: tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..Fleet::default()
    };
    world.seed(fleet(rows.len() - 1, "a-", &[]));
    world.seed(fleet(1, "b-", &[("limit", "yes")]));
    world
        .create_account(|account| account["spec"]["grants"] = grants(&world, "Audit"))
        .await;
    for (at, (name, spec, ..)) in rows.iter().enumerate() {
        let api = if *name == "limited" {
            "b-0001".to_owned()
        } else {
            format!("a-{:04}", at + 1)
        };
        let mut spec = spec.clone();
        spec["selector"] = json!({"names": [api]});
        world.policy(name, spec).await;
    }
    world.start().await;
    for (name, _, change, ..) in &rows {
        if *change != Change::Nothing {
            world.compliant(name).await;
        }
    }

    let anna = world.developer("anna");
    let apis = anna.apis().await;
    world
        .unseen(async {
            for (api, (_, _, change, ..)) in apis.iter().zip(&rows) {
                match change {
                    Change::Nothing => {}
                    Change::Tracing => anna.update_stage(api, "prod", "/tracingEnabled", "false").await,
                    Change::Draft => anna.point_backend(api, CLEAR_TEXT).await,
                    Change::Deployed | Change::Canary => {
                        anna.point_backend(api, CLEAR_TEXT).await;
                        anna.deploy(api, "prod").await;
                    }
                }
                if *change == Change::Canary {
                    anna.canary(api, "prod").await;
                }
            }
        })
        .await;
    for (name, _, _, seen, _) in &rows {
        let drift = stands(&world, name, *seen).await;
        let authorized = of_drift(&drift, "Authorized");
        let (_, reason, message) = seen;
        assert!(
            authorized.starts_with(&format!("Authorized=False {reason}: ")),
            "{name}: {authorized}"
        );
        assert!(authorized.contains(message), "{name}: {authorized}");
    }
    world.sweeps(1).await;
    assert_eq!(world.writes(), [""; 0], "held back is held back");

    for (api, (name, _, _, _, way)) in apis.iter().zip(&rows) {
        match way {
            Way::Person => continue,
            Way::NoCanary => anna.remove(api, "prod", "/canarySettings").await,
            Way::Policy(spec) => {
                let patch = Patch::Merge(json!({"spec": spec}));
                let patched = world.policies().patch(name, &PatchParams::default(), &patch).await;
                patched.unwrap();
            }
            Way::Grants(grants) => {
                let patch = Patch::Merge(json!({"spec": {"grants": grants}}));
                let patched = world
                    .accounts()
                    .patch(&world.name, &PatchParams::default(), &patch)
                    .await;
                patched.unwrap();
            }
        }
        let drift = world.drift(name, "is resolved", |d| phase(d) == "Resolved").await;
        assert_eq!(reason(&drift), "Repaired", "{name}");
        world.compliant(name).await;
    }
    let draft = &apis[2];
    assert_eq!(
        world.state(draft)["stages"]["prod"]["pending"],
        json!(false),
        "the draft is what is deployed again"
    );
    let deployments = |c: &&awsim::Call| c.operation == "CreateDeployment" && c.ids.get("restApiId") == Some(draft);
    assert_eq!(
        world.sim.calls().iter().filter(deployments).count(),
        0,
        "a draft is patched, not deployed"
    );
    assert!(world.lives(), "{}", world.log());
}

#[tokio::test]
async fn an_export_that_does_not_show_everything_makes_a_repair_wait() {
    let world = World::new("hidden").await;
    world.sim.set_switch("export.policy", "absent").unwrap();
    world.seed(Fleet::default());
    world.create_account(|_| {}).await;
    let mut world = world;
    world.start().await;
    world.policy("https", policy(https("https"), json!({}))).await;
    world.compliant("https").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, CLEAR_TEXT).await;
    anna.deploy(&api, "prod").await;
    let drift = stands(
        &world,
        "https",
        (
            "Waiting",
            "RedeployUncertain",
            "cannot be told: the API's policy: the draft sets it, and the export does not show it",
        ),
    )
    .await;
    let status = drift.status.as_ref().unwrap();
    let edits = ["the API's policy: the draft sets it, and the export does not show it"];
    assert_eq!(status.pending_edits, edits);
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0]);
    // Whoever knows better says so.
    let always = Patch::Merge(json!({"spec": {"redeploy": "Always"}}));
    let patched = world.policies().patch("https", &PatchParams::default(), &always).await;
    patched.unwrap();
    let drift = world.drift("https", "is resolved", |d| phase(d) == "Resolved").await;
    assert_eq!(reason(&drift), "Repaired");
}

#[tokio::test]
async fn two_policies_that_want_different_values_name_each_other_until_one_has_priority() {
    let mut world = World::seeded("conflict", 1).await;
    world.create_account(|_| {}).await;
    for who in ["left", "right"] {
        let rule = json!({
            "name": who, "target": "AWS::ApiGateway::Stage", "when": "object.stageName == 'prod'",
            "desired": {"description": who},
        });
        world.policy(who, policy(rule, json!({}))).await;
    }
    world.start().await;
    for (who, other) in [("left", "right"), ("right", "left")] {
        let drift = world.drift(who, "is in conflict", |d| reason(d) == "Conflicted").await;
        assert_eq!(phase(&drift), "Waiting");
        let message = &drift.status.as_ref().unwrap().message;
        let names = format!(
            "{}/{other}, rule {other} wants another value, and it has the same priority",
            world.name
        );
        assert!(message.contains(&names), "{who}: {message}");
    }
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0], "neither has its way");

    let first = Patch::Merge(json!({"spec": {"priority": 10}}));
    let patched = world.policies().patch("left", &PatchParams::default(), &first).await;
    patched.unwrap();
    let drift = world.drift("left", "is resolved", |d| phase(d) == "Resolved").await;
    assert_eq!(reason(&drift), "Repaired");
    let drift = world.drift("right", "is overruled", |d| reason(d) == "Overruled").await;
    let message = &drift.status.as_ref().unwrap().message;
    let names = format!("{}/left, rule left", world.name);
    // Before left's repair it wants another value, and after it stands by its own.
    assert!(
        message.contains(&names) && message.ends_with("and it has the higher priority"),
        "{message}"
    );
    world.sweeps(2).await;
    assert_eq!(
        world.writes(),
        ["UpdateStage prod"],
        "it was set once, and nobody fights"
    );
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    until_seen("the stage says what the first one wants", || async {
        let stage = world.state(&api)["stages"]["prod"]["stage"]["description"].clone();
        if stage == "left" {
            Ok(())
        } else {
            Err(stage.to_string())
        }
    })
    .await;
    // A person who wants it otherwise is put right, too.
    let call = anna.0.update_stage().rest_api_id(&api).stage_name("prod");
    call.patch_operations(replace("/description", "right"))
        .send()
        .await
        .unwrap();
    until_seen("it is put back", || async {
        let stage = world.state(&api)["stages"]["prod"]["stage"]["description"].clone();
        if stage == "left" {
            Ok(())
        } else {
            Err(stage.to_string())
        }
    })
    .await;
}
