//! What happens to drifts when what they rest on goes: a policy, a grant, an account, an endpoint, the Drift itself.

use awsim::Fault;
use awsim::seed::Fleet;
use kube::ResourceExt;
use kube::api::DeleteParams;
use plumbline::api::drift::Drift;
use serde_json::json;

use crate::support::aws::Developer;
use crate::support::controller::Controller;
use crate::support::life::uid;
use crate::support::{World, message, phase, reason, show, until};

const PLAIN: &str = "http://backend.example.com/plain";

/// A fleet without tracing, found at the first sweep; the next one is an hour away.
async fn untraced(story: &str) -> (World, Drift) {
    let mut world = World::new(story).await;
    world.seed(Fleet {
        stage: json!({}),
        ..Fleet::default()
    });
    world
        .create_account(|a| a["spec"]["sweep"]["interval"] = "1h".into())
        .await;
    world.start().await;
    let rules = json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]);
    world
        .policy("traced", json!({"enforcement": "Audit", "rules": rules}))
        .await;
    let drift = world.told("tracing", "Detected").await;
    (world, drift)
}

/// An API of which a repair is under way that AWS lets come no further than the editor.
async fn half_repaired(story: &str) -> (World, Developer, String) {
    let mut world = World::with_fleet(story, 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    assert!(world.stop().await.success());
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    anna.point_backend(&api, PLAIN).await;
    anna.deploy(&api, "prod").await;
    let refused = Fault::error("CreateDeployment", 503, "ServiceUnavailableException", "not now");
    world.sim.fault(refused);
    world.start().await;
    world
        .drift("backends-over-https", "is being repaired and cannot be", |d| {
            phase(d) == "Repairing" && reason(d) == "Unavailable"
        })
        .await;
    assert_eq!(anna.backend(&api).await, before, "the editor holds the repair");
    (world, anna, api)
}

#[tokio::test]
async fn a_deleted_policy_ends_its_drifts_and_leaves_their_history() {
    let (world, drift) = untraced("policy-deleted").await;
    assert!(drift.metadata.owner_references.is_none(), "nothing owns history");
    world
        .policies()
        .delete("traced", &DeleteParams::default())
        .await
        .unwrap();
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "PolicyDeleted", "{}", show(std::slice::from_ref(&over)));
    assert_eq!(uid(&over), uid(&drift));
    assert!(world.audit_of(&over, "resolved").await.contains("PolicyDeleted"));
}

#[tokio::test]
async fn a_withdrawn_grant_ends_its_drifts() {
    let (world, _) = untraced("grant-withdrawn").await;
    world.change_account(json!({"grants": []})).await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "AccountRemoved", "{}", show(std::slice::from_ref(&over)));
}

#[tokio::test]
async fn a_deleted_account_ends_its_drifts_takes_its_endpoints_and_its_lease() {
    let (world, _) = untraced("account-deleted").await;
    assert_eq!(world.my_endpoints().await.len(), 1);
    world.delete_account().await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "AccountRemoved", "{}", show(std::slice::from_ref(&over)));
    assert!(
        world.audit_of(&over, "resolved").await.contains("AccountRemoved"),
        "told to the sinks that the account had"
    );
    until("its AwsEndpoints are gone", || async {
        world.my_endpoints().await.is_empty().then_some(())
    })
    .await;
    world.nobody_leads().await;
}

#[tokio::test]
async fn an_account_that_went_unseen_leaves_no_open_drifts_and_no_lease() {
    let (mut world, drift) = untraced("account-unseen").await;
    assert!(world.stop().await.success());
    world.delete_account().await;
    world.start().await;
    let over = world.drift("tracing", "is over", |d| phase(d) == "Resolved").await;
    assert_eq!((uid(&over), reason(&over)), (uid(&drift), "AccountRemoved".into()));
    world.nobody_leads().await;
}

#[tokio::test]
async fn an_account_that_goes_after_its_credentials_leaves_no_open_drifts_and_no_lease() {
    let (mut world, drift) = untraced("account-offboarded").await;
    assert!(world.stop().await.success());
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let restarted = Controller::start_with(&world, &none, &["--give-up-after", "3s"]).await;
    world
        .account_says(&world.name, "Ready", "Ready=False NoCredentials: AssumeRole: ")
        .await;
    world.delete_account().await;
    let over = world.drift("tracing", "is over", |d| phase(d) == "Resolved").await;
    assert_eq!((uid(&over), reason(&over)), (uid(&drift), "AccountRemoved".into()));
    world.nobody_leads().await;
    restarted.kill().await;
}

#[tokio::test]
async fn an_orphan_that_a_person_deletes_leaves_no_lease_either() {
    let (mut world, _, _) = half_repaired("orphan-deleted").await;
    world.kill_and_bury().await;
    world.delete_account().await;
    let drift = world.all_drifts().await.remove(0);
    assert!(drift.is_held());
    let name = drift.name_any();
    world.drifts().delete(&name, &DeleteParams::default()).await.unwrap();
    world.start().await;
    world.gone("the Drift", &world.drifts(), &name).await;
    world.nobody_leads().await;
}

#[tokio::test]
async fn a_repair_under_way_is_taken_back_when_its_account_is_deleted() {
    let (world, anna, api) = half_repaired("account-deleted-midway").await;
    let live = anna.deployment(&api, "prod").await;
    world.sim.fault(Fault {
        operation: Some("UpdateIntegration".into()),
        delay_ms: 6000,
        times: Some(1),
        ..Fault::default()
    });
    world.delete_account().await;
    // One that starts now has never seen the account, and leaves its Drifts to the one that has.
    let second = Controller::start(&world, &[]).await;
    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!(reason(&over), "AccountRemoved", "{}", show(std::slice::from_ref(&over)));
    assert!(message(&over).contains("taken back"), "{}", message(&over));
    assert_eq!(anna.backend(&api).await, PLAIN, "the editor holds what Anna wrote");
    assert_eq!(anna.deployment(&api, "prod").await, live, "callers met nothing of it");
    assert_eq!(world.made("CreateDeployment"), 0);
    until("the Drift is let go", || async {
        let drift = world.drifts().get(&over.name_any()).await.ok()?;
        drift.metadata.finalizers.is_none().then_some(())
    })
    .await;
    world.nobody_leads().await;
    second.kill().await;
}

#[tokio::test]
async fn a_repair_under_way_is_taken_back_when_its_grant_is_withdrawn() {
    let (world, anna, api) = half_repaired("grant-withdrawn-midway").await;
    world.change_account(json!({"grants": []})).await;
    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!(reason(&over), "AccountRemoved", "{}", show(std::slice::from_ref(&over)));
    assert!(message(&over).contains("taken back"), "{}", message(&over));
    assert_eq!(anna.backend(&api).await, PLAIN);
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_not_taken_back() {
    let (mut world, anna, api) = half_repaired("midway-overwritten").await;
    world.kill_and_bury().await;
    anna.point_backend(&api, "http://backend.example.com/another").await;
    world
        .policies()
        .delete("https-only", &DeleteParams::default())
        .await
        .unwrap();
    world.start().await;
    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!(reason(&over), "PolicyDeleted", "{}", show(std::slice::from_ref(&over)));
    assert!(
        message(&over).contains("somebody else has changed"),
        "{}",
        message(&over)
    );
    assert_eq!(anna.backend(&api).await, "http://backend.example.com/another");
}

#[tokio::test]
async fn a_repair_that_callers_meet_already_is_finished_when_its_policy_is_deleted() {
    let mut world = World::with_fleet("policy-deleted-midway", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    assert!(world.stop().await.success());
    anna.point_backend(&api, PLAIN).await;
    let drifted = anna.deploy(&api, "prod").await;
    anna.update_stage(&api, "dev", "/deploymentId", &drifted).await;
    // Both stages serve the drift; the controller is killed when one of them serves the repair.
    world.sim.fault(Fault {
        operation: Some("UpdateStage".into()),
        delay_ms: 600_000,
        times: Some(1),
        ..Fault::default()
    });
    world.start().await;
    world.arrived("UpdateStage").await;
    world.kill_and_bury().await;
    let served = |stage: &str| world.served(&api, stage);
    assert_ne!(served("dev"), served("prod"), "one of two");
    world
        .policies()
        .delete("https-only", &DeleteParams::default())
        .await
        .unwrap();
    world.start().await;
    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!(reason(&over), "PolicyDeleted", "{}", show(std::slice::from_ref(&over)));
    assert!(message(&over).contains("finished"), "{}", message(&over));
    let served = |stage: &str| world.served(&api, stage);
    assert_eq!(served("dev"), served("prod"), "both serve the repair");
    assert_ne!(served("dev"), drifted);
    assert_eq!(world.made("CreateDeployment"), 1);
}

#[tokio::test]
async fn an_endpoint_is_gone_only_after_a_complete_list() {
    let world = World::with_fleet("gone", 2).await;
    world
        .policy(
            "traced",
            json!({"enforcement": "Audit", "rules": [
                {"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}},
            ]}),
        )
        .await;
    world.compliant("traced").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    world.told("tracing", "Detected").await;
    // The list breaks off: the API is on no list, and on no complete one.
    world.sim.fault(Fault {
        operation: Some("GetRestApis".into()),
        truncate: true,
        ..Fault::default()
    });
    anna.0.delete_rest_api().rest_api_id(&api).send().await.unwrap();
    world.account_observed("Unknown").await;
    let drift = world.all_drifts().await.remove(0);
    assert_eq!(phase(&drift), "Detected", "{}", show(std::slice::from_ref(&drift)));
    assert_eq!(world.my_endpoints().await.len(), 2);
    world.sim.clear_faults();
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "Gone", "{}", show(std::slice::from_ref(&over)));
    until("its AwsEndpoint is gone", || async {
        (world.my_endpoints().await.len() == 1).then_some(())
    })
    .await;
    world.compliant("traced").await;
}

#[tokio::test]
async fn a_drift_that_a_person_deletes_is_found_again_as_a_new_one() {
    let (world, drift) = untraced("deleted-by-hand").await;
    assert!(
        drift.metadata.finalizers.is_none(),
        "nothing was written for it: it goes at once"
    );
    let name = drift.name_any();
    world.drifts().delete(&name, &DeleteParams::default()).await.unwrap();
    let again = until("it is found again", || async {
        let found = world.drifts().get_opt(&name).await.ok()??;
        let told = found
            .status
            .as_ref()
            .is_some_and(|s| s.recorded.iter().any(|t| t == "Detected"));
        (uid(&found) != uid(&drift) && told).then_some(found)
    })
    .await;
    assert_eq!(again.spec, drift.spec);
    assert!(
        world.audit_of(&again, "detected").await.contains(&uid(&again)),
        "with a record of its own"
    );
    assert!(
        world.audit_of(&drift, "detected").await.contains(&uid(&drift)),
        "beside the first one's"
    );
}
