//! Endpoints are read when a person asks, and when a policy says so.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{World, phase, show, until, until_seen};

async fn hourly(story: &str) -> World {
    let mut world = World::seeded(story, 2).await;
    world
        .create_account(|account| account["spec"]["sweep"] = json!({"interval": "1h"}))
        .await;
    world.start().await;
    world.https_only().await;
    world.compliant("https-only").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_has_an_endpoint_read_at_once_and_again_when_it_is_asked_again() {
    let world = hourly("asked").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let name = world.endpoint_name(&api);
    let mut resolved = vec![];
    for asked in ["2026-11-25T08:00:00+01:00", "2026-11-25T08:00:05+01:00"] {
        anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
        let patch = json!({"metadata": {"annotations": {"plumbline.dev/requestedAt": asked}}});
        world
            .endpoints()
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        until("its answer", || async {
            let status = world.endpoints().get(&name).await.ok()?.status?;
            (status.last_handled_reconcile_at.as_deref() == Some(asked)).then_some(())
        })
        .await;
        // To its end: what is undone while a repair is read back looks like a reading that is late.
        let before = resolved.len();
        resolved = until_seen("found and repaired", || async {
            let drifts = world.all_drifts().await;
            let over = drifts.len() > before && drifts.iter().all(|d| phase(d) == "Resolved");
            if over { Ok(drifts) } else { Err(show(&drifts)) }
        })
        .await;
        let stage = anna.0.get_stage().rest_api_id(&api).stage_name("prod").send().await;
        assert!(stage.unwrap().tracing_enabled());
    }
    assert_eq!(resolved.len(), 2, "once for each time it was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_has_what_it_selects_read_at_its_own_times() {
    let world = hourly("policysweep").await;
    let anna = world.developer("anna");
    let listed = anna.0.get_rest_apis().limit(500).send().await.unwrap();
    let of = |api: &aws_sdk_apigateway::types::RestApi| (api.name().unwrap().to_owned(), api.id().unwrap().to_owned());
    let named: Vec<(String, String)> = listed.items().iter().map(of).collect();
    let spec = json!({"selector": {"names": [named[0].0]}, "sweep": {"interval": "1s"}});
    world.change_policy("https-only", spec).await;
    let reads = |api: &str| {
        let of = |c: &&awsim::Call| c.operation == "GetStages" && c.ids.get("restApiId").is_some_and(|id| id == api);
        world.sim.calls().iter().filter(of).count()
    };
    world.sim.clear_calls();
    until_seen("two more readings", || async {
        let count = reads(&named[0].1);
        if count >= 2 {
            Ok(())
        } else {
            Err(format!("{count} of {named:?}\n{}", world.log()))
        }
    })
    .await;
    assert_eq!(reads(&named[1].1), 0, "it is not selected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_none_is_said_with_what_to_write() {
    let world = hourly("badtimes").await;
    world
        .change_policy("https-only", json!({"sweep": {"schedule": "every hour"}}))
        .await;
    let policy = world.policy_says("https-only", "Ready", "Ready=False Invalid").await;
    let said = crate::support::seen::line(&policy.status.unwrap().conditions, "Ready");
    assert!(said.contains("as in `0 2 * * 1-5`"), "{said}");
    world
        .change_account(json!({"sweep": {"interval": null, "schedule": "0 0 31 2 *"}}))
        .await;
    let said = world.account_says(&world.name, "Ready", "Ready=False Invalid").await;
    assert!(said.contains("never comes"), "{said}");
    let both = json!({"spec": {"sweep": {"interval": "15m", "schedule": "0 * * * *"}}});
    let refused = world
        .accounts()
        .patch(&world.name, &PatchParams::default(), &Patch::Merge(both))
        .await;
    let words = refused.unwrap_err().to_string();
    assert!(
        words.contains("write either interval, as in 15m, or schedule"),
        "{words}"
    );
}
