//! Without a queue, CloudTrail is asked who did it.

use awsim::Fault;
use plumbline::api::drift::Drift;
use serde_json::json;

use crate::support::World;
use crate::support::seen::{CLEAR_TEXT, of_drift};

async fn swept(story: &str, arguments: &[&str]) -> World {
    let mut world = World::seeded(story, 1).await;
    world.create_account(|_| {}).await;
    world.start_with_args(arguments).await;
    world
        .policy(
            "https-only",
            json!({"enforcement": "Audit", "rules": crate::support::https_only_rules()}),
        )
        .await;
    world.compliant("https-only").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_it_and_cloudtrail_says_who_by_the_names_of_calls() {
    let world = swept("lookup", &[]).await;
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, CLEAR_TEXT).await;
    boris.deploy(&api, "prod").await;
    let drift = world
        .drift("backends-over-https", "is attributed", |d| {
            of_drift(d, "Attributed").starts_with("Attributed=True")
        })
        .await;
    let actors = drift.status.unwrap().actors.unwrap();
    assert_eq!(actors.editor.unwrap().name, "user/anna");
    assert_eq!(actors.deployer.unwrap().name, "user/boris");
    let asked: Vec<String> = world
        .sim
        .trail()
        .iter()
        .filter(|record| record["eventName"] == "LookupEvents")
        .map(|record| record["requestParameters"].to_string())
        .collect();
    assert!(
        !asked.is_empty()
            && asked
                .iter()
                .all(|p| p.contains("EventName") && !p.contains("EventSource")),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_explains_is_unattributed_once_the_trails_delay_is_over() {
    let world = swept("nobody", &["--trail-delay", "3s"]).await;
    world.sim.set_lookup_delay(std::time::Duration::from_hours(1));
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let unattributed = |d: &Drift| of_drift(d, "Attributed").starts_with("Attributed=False Unattributed");
    let drift = world.drift("tracing", "is unattributed", unattributed).await;
    let said = of_drift(&drift, "Attributed");
    assert!(
        said.contains("UpdateStage") && said.contains("3s after it was found"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_look_is_told_which_permission_is_missing() {
    let world = swept("denied", &["--trail-delay", "2s"]).await;
    let words = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: cloudtrail:LookupEvents";
    world
        .sim
        .fault(Fault::error("LookupEvents", 400, "AccessDeniedException", words));
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let unattributed = |d: &Drift| of_drift(d, "Attributed").starts_with("Attributed=False Unattributed");
    let drift = world.drift("tracing", "is unattributed", unattributed).await;
    let said = of_drift(&drift, "Attributed");
    assert!(said.contains("missing permission: cloudtrail:LookupEvents"), "{said}");
}
