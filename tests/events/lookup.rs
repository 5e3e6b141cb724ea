//! Without a queue, CloudTrail is asked who did it.

use awsim::Fault;
use jiff::Timestamp;
use plumbline::api::drift::Drift;
use serde_json::json;

use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{World, show, until_seen};

async fn swept(story: &str, apis: usize, arguments: &[&str]) -> World {
    let mut world = World::seeded(story, apis).await;
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
    let world = swept("lookup", 1, &[]).await;
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
    let world = swept("nobody", 1, &["--trail-delay", "3s"]).await;
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
    let world = swept("denied", 1, &["--trail-delay", "2s"]).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn however_many_drifts_a_sweep_finds_cloudtrail_is_asked_twice_a_second() {
    const APIS: usize = 12;
    let world = swept("lookups", APIS, &["--trail-delay", "15s"]).await;
    world.sim.set_lookup_delay(std::time::Duration::from_hours(1)); // it tells nothing: each is asked for to the end
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    world
        .unseen(async {
            for api in &apis {
                anna.point_backend(api, CLEAR_TEXT).await;
                anna.deploy(api, "prod").await;
                anna.update_stage(api, "dev", "/tracingEnabled", "false").await;
            }
        })
        .await;
    until_seen("all of them, given up", || async {
        let drifts = world.all_drifts().await;
        let given_up = |d: &&Drift| of_drift(d, "Attributed").starts_with("Attributed=False Unattributed");
        if drifts.iter().filter(given_up).count() == 2 * APIS {
            Ok(())
        } else {
            Err(show(&drifts))
        }
    })
    .await;
    let lookups = world.sim.calls();
    let lookups = lookups.iter().filter(|call| call.operation == "LookupEvents");
    let asked: Vec<Timestamp> = lookups.map(|call| call.time).collect();
    assert!(asked.len() > 10, "{asked:?}");
    for (first, from) in asked.iter().enumerate() {
        for (last, until) in asked.iter().enumerate().skip(first) {
            let (count, seconds) = (last - first + 1, until.duration_since(*from).as_secs_f64());
            // Two at once, two a second, and two for what is late on its way.
            let most = 4.0 + 2.0 * seconds;
            assert!(
                f64::from(u32::try_from(count).unwrap()) <= most,
                "{count} within {seconds} s: {asked:?}"
            );
        }
    }
}
