//! The other changes of the whitepaper's story: what is put back, how, and what waits for whom.

use awsim::seed::https_only;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{World, phase, reason, show};

fn plan(drift: &Drift) -> Vec<&str> {
    let calls = &drift.status.as_ref().unwrap().plan;
    calls.iter().map(|c| c.operation.as_str()).collect()
}

/// The Deny of clear text in a policy that a stage serves.
fn denies(state: &Value, stage: &str) -> bool {
    let policy = state["stages"][stage]["snapshot"]["settings"]["policy"].to_string();
    policy.contains("Deny") && policy.contains("aws:SecureTransport")
}

#[tokio::test]
async fn a_resource_policy_that_lost_its_deny_is_put_back_and_deployed() {
    let world = World::with_fleet("deny", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let mut open = https_only();
    open["Statement"].as_array_mut().unwrap().pop();
    anna.update_api(&api, "/policy", &open.to_string()).await;
    let theirs = anna.deploy(&api, "prod").await;

    let drift = world
        .drift("callers-over-https", "is resolved", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(reason(&drift), "Repaired");
    let status = drift.status.as_ref().unwrap();
    assert_eq!(status.stages, ["prod"], "callers of dev never met it");
    assert_eq!(status.difference[0].path, "policy");
    assert_eq!(plan(&drift), ["UpdateRestApi", "CreateDeployment", "UpdateStage"]);
    assert_eq!(
        world.writes(),
        ["UpdateRestApi", "CreateDeployment", "UpdateStage prod"]
    );
    let state = world.state(&api);
    assert!(denies(&state, "prod") && denies(&state, "dev"), "{state}");
    assert_ne!(state["stages"]["prod"]["deploymentId"], json!(theirs));
    assert_eq!(
        state["stages"]["prod"]["pending"],
        json!(false),
        "nothing is left in the editor"
    );
    assert!(
        of_drift(&drift, "Verified").starts_with("Verified=True Verified: by deployment"),
        "{}",
        of_drift(&drift, "Verified")
    );
    world.compliant("https-only").await;
}

#[tokio::test]
async fn tracing_that_went_off_is_on_again_without_a_deployment() {
    let world = World::with_fleet("tracing", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    // Something unfinished in the editor is no business of a stage.
    anna.add_method(&api, "unfinished").await;
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world.drift("tracing", "is resolved", |d| phase(d) == "Resolved").await;
    let status = drift.status.as_ref().unwrap();
    assert_eq!(reason(&drift), "Repaired");
    assert_eq!(drift.spec.resource, "prod");
    assert_eq!(status.proof.as_deref(), Some("read back from AWS"));
    let change = &status.difference[0];
    assert_eq!((&change.from, &change.to), (&Some(json!(false)), &Some(json!(true))));
    assert_eq!(world.writes(), ["UpdateStage prod"]);
    let state = world.state(&api);
    assert_eq!(state["stages"]["prod"]["stage"]["tracingEnabled"], json!(true));
    assert_eq!(
        state["stages"]["prod"]["pending"],
        json!(true),
        "the unfinished method is still a draft"
    );
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_repair_waits_for_a_colleague_whose_work_it_would_publish() {
    let world = World::with_fleet("colleague", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let (anna, carol) = (world.developer("anna"), world.developer("carol"));
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    world
        .unseen(async {
            anna.point_backend(&api, CLEAR_TEXT).await;
            anna.deploy(&api, "prod").await;
            carol.add_method(&api, "unfinished").await;
        })
        .await;

    let drift = world
        .drift("backends-over-https", "waits", |d| phase(d) == "Waiting")
        .await;
    assert_eq!(
        reason(&drift),
        "RedeployPending",
        "{}",
        show(std::slice::from_ref(&drift))
    );
    let status = drift.status.as_ref().unwrap();
    assert_eq!(status.pending_edits, ["GET /unfinished was added"], "the difference");
    assert_eq!(
        status.message,
        "a deployment to prod would publish edits that are not Plumbline's: GET /unfinished was added"
    );
    assert!(
        of_drift(&drift, "Authorized").starts_with("Authorized=False RedeployPending"),
        "{}",
        of_drift(&drift, "Authorized")
    );
    let told = world
        .drift("backends-over-https", "is told to wait", |d| {
            d.status
                .as_ref()
                .is_some_and(|s| s.notified.iter().any(|n| n.transition == "Waiting"))
        })
        .await;
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0], "not even the editor is touched");
    let policy = world
        .policy_says("https-only", "Compliant", "Compliant=False Drifted")
        .await;
    let counted = policy.status.unwrap();
    assert_eq!((counted.drift, counted.waiting), (1, 1));

    let hers = carol.deploy(&api, "prod").await;
    let resolved = world
        .drift("backends-over-https", "is resolved", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(reason(&resolved), "Repaired");
    assert_eq!(
        resolved.metadata.uid, told.metadata.uid,
        "one episode from beginning to end"
    );
    assert!(resolved.status.as_ref().unwrap().pending_edits.is_empty());
    assert_eq!(anna.backend(&api).await, before);
    assert_eq!(
        world.writes(),
        ["UpdateIntegration", "CreateDeployment", "UpdateStage prod"]
    );
    // Her method went live by her own hand: the stage pointed at her deployment before Plumbline's.
    let calls = world.sim.calls();
    let deployments = calls.iter().filter(|c| c.operation == "CreateDeployment");
    let by: Vec<&str> = deployments.map(|c| c.principal.rsplit('/').next().unwrap()).collect();
    assert_eq!(by[..2], ["anna", "carol"], "{by:?}");
    assert_eq!(by.len(), 3, "{by:?}");
    let state = world.state(&api);
    assert_ne!(state["stages"]["prod"]["deploymentId"], json!(hers));
    assert!(state["stages"]["prod"]["snapshot"]["resources"]["/unfinished"].is_object());
    assert!(
        state["stages"]["dev"]["snapshot"]["resources"]["/unfinished"].is_null(),
        "she never deployed it to dev"
    );
    world.compliant("https-only").await;
}

#[tokio::test]
async fn several_drifts_of_one_api_are_repaired_by_one_deployment_a_stage() {
    let world = World::with_fleet("together", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let mut open = https_only();
    open["Statement"].as_array_mut().unwrap().pop();
    world
        .unseen(async {
            for verb in ["GET", "POST"] {
                anna.point(&api, "/items", verb, CLEAR_TEXT).await;
            }
            anna.update_api(&api, "/policy", &open.to_string()).await;
            anna.update_stage(&api, "dev", "/tracingEnabled", "false").await;
            anna.deploy(&api, "prod").await;
            anna.deploy(&api, "dev").await;
        })
        .await;
    for (rule, resource) in [
        ("backends-over-https", "GET /items"),
        ("backends-over-https", "POST /items"),
        ("callers-over-https", ""),
        ("tracing", "dev"),
    ] {
        let drift = world
            .drift(rule, "is resolved", |d| {
                d.spec.resource == resource && phase(d) == "Resolved"
            })
            .await;
        assert_eq!(reason(&drift), "Repaired", "{rule} {resource}");
    }
    world.compliant("https-only").await;
    let drifts = world.all_drifts().await;
    assert_eq!(drifts.len(), 4, "one Drift each:\n{}", show(&drifts));
    let mut writes = world.writes();
    writes.sort();
    let expected = [
        "CreateDeployment",
        "UpdateIntegration",
        "UpdateIntegration",
        "UpdateRestApi",
        "UpdateStage dev",
        "UpdateStage dev",
        "UpdateStage prod",
    ];
    assert_eq!(
        writes, expected,
        "tracing of dev, and each stage pointed at the one deployment"
    );
    let state = world.state(&api);
    assert_eq!(
        state["stages"]["prod"]["deploymentId"],
        state["stages"]["dev"]["deploymentId"]
    );
}
