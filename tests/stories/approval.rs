//! What a person decides, and who may.

use serde_json::json;

use crate::support::{World, https_only_rules, message, phase, reason, until};

fn tracing() -> serde_json::Value {
    json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}])
}

#[tokio::test]
async fn a_plan_waits_until_somebody_who_may_approves_what_they_read() {
    let world = World::with_fleet("approve", 1).await;
    world
        .policy("tracing", json!({"enforcement": "Approve", "rules": tracing()}))
        .await;
    world.compliant("tracing").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.update_stage(&api, "prod", "/tracingEnabled", "false").await;

    let drift = world
        .drift("tracing", "asks a person", |d| reason(d) == "ApprovalRequired")
        .await;
    let status = drift.status.as_ref().unwrap();
    assert_eq!(phase(&drift), "Waiting");
    assert!(
        status.commands[0].starts_with("aws apigateway update-stage --region eu-west-1"),
        "{:?}",
        status.commands
    );
    assert!(
        world.writes_by_plumbline().is_empty(),
        "nothing before a person says yes"
    );

    let bob = world.editor("bob").await;
    let told = bob.decide(&drift, "Approve").await.unwrap_err();
    assert!(
        told.contains("bob may not decide") && told.contains("plumbline-approver"),
        "{told}"
    );

    let anna = world.approver("anna").await;
    let told = anna
        .write(&drift, "Approve", &status.plan_digest, "bob")
        .await
        .unwrap_err();
    assert!(told.contains("write anna, your own name"), "{told}");
    let told = anna.write(&drift, "Approve", "another", "anna").await.unwrap_err();
    assert!(told.contains("status.planDigest"), "{told}");

    anna.decide(&drift, "Approve").await.unwrap();
    let drift = world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
    let authorized = drift
        .status
        .unwrap()
        .conditions
        .into_iter()
        .find(|c| c.type_ == "Authorized");
    assert_eq!(authorized.unwrap().message, "approved by anna");
    assert_eq!(
        world.writes_by_plumbline(),
        ["UpdateStage"],
        "the planned call and no other"
    );
}

#[tokio::test]
async fn a_no_counts_and_says_whose_it_was() {
    let world = World::with_fleet("reject", 1).await;
    world
        .policy("tracing", json!({"enforcement": "Approve", "rules": tracing()}))
        .await;
    world.compliant("tracing").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world
        .drift("tracing", "asks a person", |d| reason(d) == "ApprovalRequired")
        .await;
    let anna = world.approver("anna").await;
    anna.decide(&drift, "Reject").await.unwrap();
    let drift = world.drift("tracing", "is rejected", |d| reason(d) == "Rejected").await;
    assert!(message(&drift).contains("anna said no: a story"), "{}", message(&drift));
    assert!(world.writes_by_plumbline().is_empty());
}

#[tokio::test]
async fn a_yes_to_a_plan_that_has_changed_falls_and_is_asked_again() {
    let world = World::with_fleet("fallen", 1).await;
    let rules = json!([{
        "name": "stage", "target": "AWS::ApiGateway::Stage",
        "desired": {"tracingEnabled": true, "description": "by policy"},
    }]);
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    for stage in ["prod", "dev"] {
        dev.update_stage(&api, stage, "/description", "by policy").await;
    }
    world
        .policy(
            "stages",
            json!({"enforcement": "Approve", "suspend": true, "rules": rules}),
        )
        .await;
    world.compliant("stages").await;
    dev.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let first = world.drift("stage", "is suspended", |d| reason(d) == "Suspended").await;
    let anna = world.approver("anna").await;
    anna.decide(&first, "Approve").await.unwrap();

    dev.update_stage(&api, "prod", "/description", "by hand").await;
    let digest = |d: &plumbline::api::Drift| d.status.as_ref().map(|s| s.plan_digest.clone()).unwrap_or_default();
    world
        .drift("stage", "has another plan", |d| digest(d) != digest(&first))
        .await;
    world.change_policy("stages", json!({"suspend": false})).await;

    let asked = world
        .drift("stage", "asks again", |d| reason(d) == "ApprovalRequired")
        .await;
    assert!(
        message(&asked).contains("the plan has changed since anna decided"),
        "{}",
        message(&asked)
    );
    assert!(world.writes_by_plumbline().is_empty());
    anna.decide(&asked, "Approve").await.unwrap();
    world.drift("stage", "is repaired", |d| reason(d) == "Repaired").await;
}

#[tokio::test]
async fn whoever_approves_a_deployment_sees_whose_edits_it_publishes() {
    let world = World::with_fleet("publish", 1).await;
    let rules = https_only_rules();
    world
        .policy("https-only", json!({"enforcement": "Approve", "rules": [rules[0]]}))
        .await;
    world.compliant("https-only").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.point_backend(&api, "http://backend.example.com/plain").await;
    dev.deploy(&api, "prod").await;
    dev.add_method(&api, "unfinished").await;

    let pending = |d: &plumbline::api::Drift| d.status.as_ref().map(|s| s.pending_edits.clone()).unwrap_or_default();
    let drift = world
        .drift("backends-over-https", "shows the pending edit", |d| {
            !pending(d).is_empty()
        })
        .await;
    assert_eq!(reason(&drift), "ApprovalRequired");
    assert!(pending(&drift)[0].contains("/unfinished"), "{:?}", pending(&drift));
    let anna = world.approver("anna").await;
    anna.decide(&drift, "Approve").await.unwrap();
    world
        .drift("backends-over-https", "is repaired", |d| reason(d) == "Repaired")
        .await;
    let writes = world.writes_by_plumbline();
    assert_eq!(
        writes.iter().filter(|w| *w == "CreateDeployment").count(),
        1,
        "{writes:?}"
    );
}

#[tokio::test]
async fn a_repair_is_taken_back_and_not_made_again_until_a_person_says_so() {
    let world = World::with_fleet("revert", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.point_backend(&api, "http://backend.example.com/plain").await;
    let theirs = dev.deploy(&api, "prod").await;
    let repaired = world
        .drift("backends-over-https", "is repaired", |d| reason(d) == "Repaired")
        .await;
    assert_ne!(dev.deployment(&api, "prod").await, theirs);

    let anna = world.approver("anna").await;
    anna.decide(&repaired, "Revert").await.unwrap();
    let revert = world
        .drift("backends-over-https", "takes it back", |d| {
            d.spec.reverts.is_some() && reason(d) == "Reverted"
        })
        .await;
    assert_eq!(revert.spec.reverts, repaired.metadata.uid);
    assert_eq!(dev.backend(&api).await, "http://backend.example.com/plain");
    assert_eq!(
        dev.deployment(&api, "prod").await,
        theirs,
        "the stage is back where it was"
    );

    let again = world
        .drift("backends-over-https", "waits for a person", |d| {
            d.spec.reverts.is_none() && phase(d) == "Waiting" && reason(d) == "Reverted"
        })
        .await;
    let before = world.writes_by_plumbline().len();
    anna.decide(&again, "Approve").await.unwrap();
    world
        .drift("backends-over-https", "is repaired again", |d| {
            d.metadata.uid == again.metadata.uid && reason(d) == "Repaired"
        })
        .await;
    assert!(world.writes_by_plumbline().len() > before);
    until("people were told of the revert", || async {
        let keys = world.aws.audit_keys().await;
        let uid = revert.metadata.uid.as_ref().unwrap();
        keys.iter()
            .any(|k| k.contains(uid) && k.contains("resolved"))
            .then_some(())
    })
    .await;
}
