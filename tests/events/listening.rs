//! Whether the stream can be relied on.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::queue::Listening;
use crate::support::{REGION, https_only_rules, phase, until_seen};

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_said_with_what_to_do() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = Listening::new("noqueue", 1, &[]).await;
    let gone = format!("{}-gone", queue.url);
    world.change_account(json!({"events": {"queues": [gone]}})).await;
    let said = world.account_says(&world.name, "Listening", "Listening=False").await;
    assert!(said.contains("correct spec.events.queues, or make the queue"), "{said}");
    world.change_account(json!({"events": {"queues": [queue.url]}})).await;
    world.account_says(&world.name, "Listening", "Listening=True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_is_stopped_or_not_for_this_region_is_said_with_the_region() {
    let Listening {
        world,
        delivery: _delivery,
        ..
    } = Listening::new("trail", 1, &[]).await;
    let look = |number: &str| {
        let patch = json!({"metadata": {"annotations": {"plumbline.dev/requestedAt": number}}});
        let accounts = world.accounts();
        let name = world.name.clone();
        async move {
            accounts
                .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                .await
                .unwrap();
        }
    };
    let account = world.account_id.clone();
    world.sim.change_trail(&account, |trail| trail.logging = false);
    look("1").await;
    let said = world
        .account_says(&world.name, "Listening", "Listening=False TrailMissing")
        .await;
    assert!(
        said.contains(REGION) && said.contains("is stopped: `aws cloudtrail start-logging"),
        "{said}"
    );
    world.sim.change_trail(&account, |trail| {
        trail.logging = true;
        trail.regions = Some(vec!["us-east-1".into()]);
    });
    look("2").await;
    until_seen("no trail for this region", || async {
        let said = world
            .account_says(&world.name, "Listening", "Listening=False TrailMissing")
            .await;
        if said.contains("no trail records what is written in eu-west-1") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    world.sim.change_trail(&account, |trail| trail.regions = None);
    look("3").await;
    world.account_says(&world.name, "Listening", "Listening=True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_no_event_told_of_and_the_next_event_ends_the_gap() {
    let arguments = ["--stream-delay", "2s"];
    let Listening { world, delivery, .. } = Listening::without_policy("gap", 2, &arguments).await;
    // Audited only: an own repair is an event, too, and would end the gap.
    let audit = json!({"enforcement": "Audit", "rules": https_only_rules()});
    world.policy("audited", audit).await;
    world.compliant("audited").await;
    let delivery = delivery.unwrap();
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    delivery.drop_next(1);
    anna.update_stage(&apis[0], "prod", "/tracingEnabled", "false").await;
    let patch = json!({"metadata": {"annotations": {"plumbline.dev/requestedAt": "now"}}});
    let accounts = world.accounts();
    accounts
        .patch(&world.name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    let said = world
        .account_says(&world.name, "Listening", "Listening=False EventGap")
        .await;
    assert!(said.contains(&apis[0]), "{said}");
    assert!(
        world
            .metrics()
            .await
            .contains(&format!("plumbline_event_gaps_total{{account=\"{}\"}} 1", world.name))
    );
    world.drift("tracing", "is found", |d| phase(d) == "Detected").await;
    // Events tell time to the second: this one is of another.
    until_seen("a second that is over", || async {
        let account = world.accounts().get(&world.name).await.map_err(|e| e.to_string())?;
        let conditions = account.status.unwrap_or_default().conditions;
        let gap = conditions
            .iter()
            .find(|c| c.type_ == "Listening")
            .ok_or("no condition")?;
        let age = jiff::Timestamp::now().duration_since(gap.last_transition_time.0);
        if age.as_secs() > 1 {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
    anna.update_stage(&apis[1], "prod", "/tracingEnabled", "false").await;
    world.account_says(&world.name, "Listening", "Listening=True").await;
}
