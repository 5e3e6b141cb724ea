//! What an export does not show, events tell: whether anybody edited since a deployment.

use plumbline::api::Drift;

use crate::queue::Listening;
use crate::support::seen::CLEAR_TEXT;
use crate::support::{World, phase, reason, until};

/// The whitepaper's rule on backends, and exports that do not show the resource policy, which every API has.
async fn unshown(world: &World) {
    world.sim.set_switch("export.policy", "absent").unwrap();
    let rules = crate::support::https_only_rules();
    world.policy("backends", serde_json::json!({"rules": [rules[0]]})).await;
    world.compliant("backends").await;
}

/// Events tell time to the second: what was done before is of another one.
pub async fn another_second() {
    let now = jiff::Timestamp::now().as_second();
    until("another second", || async {
        (jiff::Timestamp::now().as_second() > now + 1).then_some(())
    })
    .await;
}

/// An API that calls its backend in clear text, deployed.
async fn drifted(world: &World) -> String {
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, CLEAR_TEXT).await;
    another_second().await;
    anna.deploy(&api, "prod").await;
    api
}

/// It waits, as nobody can tell; and goes on by itself once events told.
async fn settles(world: &World) {
    let uncertain = |d: &Drift| reason(d) == "RedeployUncertain";
    world.drift("backends-over-https", "cannot be told", uncertain).await;
    world
        .drift("backends-over-https", "is repaired", |d| phase(d) == "Resolved")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_of_the_deployment_and_of_no_edit_since_it_is_repaired() {
    let Listening {
        world,
        delivery: _delivery,
        ..
    } = Listening::without_policy("clean", 1, &["--stream-delay", "15s"]).await;
    unshown(&world).await;
    let api = drifted(&world).await;
    settles(&world).await;
    let endpoint = world.endpoints().get(&world.endpoint_name(&api)).await.unwrap();
    let baseline = endpoint.status.unwrap().baseline.unwrap();
    let deployed = world.developer("anna").deployment(&api, "prod").await;
    assert_eq!(baseline.deployment_id, deployed, "the next repair need not wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_of_a_colleagues_edit_after_the_deployment_it_waits_and_says_so() {
    let Listening {
        world,
        delivery: _delivery,
        ..
    } = Listening::without_policy("dirty", 1, &["--stream-delay", "3s"]).await;
    unshown(&world).await;
    let api = drifted(&world).await;
    edited_meanwhile(&world, &api).await;
    assert!(
        world.writes().iter().all(|w| !w.starts_with("CreateDeployment")),
        "{:?}",
        world.writes()
    );
}

/// The colleague edits while the baseline is not believed yet.
async fn edited_meanwhile(world: &World, api: &str) {
    let boris = world.developer("boris");
    let (resource, verb, _) = boris.first_method(api).await;
    let call = boris.0.update_integration().rest_api_id(api).resource_id(resource);
    let patch = crate::support::replace("/cacheNamespace", "another");
    call.http_method(verb).patch_operations(patch).send().await.unwrap();
    let pending = |d: &Drift| matches!(reason(d).as_str(), "RedeployPending" | "RedeployUncertain");
    world.drift("backends-over-https", "waits for a person", pending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_queue_cloudtrail_is_asked_for_every_call_that_edits() {
    let mut world = World::seeded("cleanlookup", 1).await;
    world.create_account(|_| {}).await;
    world
        .start_with_args(&["--trail-delay", "3s", "--budget", "none"])
        .await;
    unshown(&world).await;
    drifted(&world).await;
    settles(&world).await;
    let asked = |name: &str| {
        let trail = world.sim.trail();
        let mut lookups = trail.iter().filter(|record| record["eventName"] == "LookupEvents");
        lookups.any(|record| record["requestParameters"].to_string().contains(name))
    };
    assert!(
        asked("UpdateGatewayResponse") && asked("PutRestApi"),
        "every call that edits"
    );
}
