//! `repairs.via: Queue`: found, told, taken from a queue, and only then repaired.

use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::queue::{Listening, Queue};
use crate::support::seen::CLEAR_TEXT;
use crate::support::{World, phase, reason, until};

async fn subscribe(world: &World, queue: &Queue, raw: bool) {
    subscribe_to(world, queue, &[("RawMessageDelivery", raw.to_string())]).await;
}

/// With attributes of the subscription.
async fn subscribe_to(world: &World, queue: &Queue, attributes: &[(&str, String)]) {
    let mut subscribed = world.aws.sns.subscribe().topic_arn(&world.aws.machines_topic);
    subscribed = subscribed.protocol("sqs").endpoint(&queue.arn);
    for (name, value) in attributes {
        subscribed = subscribed.attributes(*name, value);
    }
    subscribed.send().await.unwrap();
}

async fn by_queue(story: &str) -> Listening {
    let listening = Listening::without_policy(story, 2, &[]).await;
    let spec = json!({"repairs": {"via": "Queue"}, "rules": crate::support::https_only_rules()});
    listening.world.policy("https-only", spec).await;
    listening.world.compliant("https-only").await;
    listening
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_starts_from_its_own_notification_raw_or_wrapped() {
    for raw in [true, false] {
        let Listening { world, queue, delivery } = by_queue(if raw { "viaraw" } else { "viasns" }).await;
        let anna = world.developer("anna");
        let api = anna.apis().await.remove(0);
        anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
        let waits = |d: &Drift| reason(d) == "AwaitingMessage";
        let drift = world.drift("tracing", "waits for a message", waits).await;
        assert!(world.writes_by_plumbline().is_empty(), "nothing is repaired before");
        // What was told before anybody subscribed is told to nobody: put it there as it was.
        let detected = until("it is told", || async {
            let told = world.aws.machines().await;
            told.into_iter().find(|m| m["transition"] == "Detected")
        })
        .await;
        let detected = &detected;
        let forged = |change: fn(&mut Value)| {
            let mut forged = detected.clone();
            change(&mut forged);
            forged
        };
        for forged in [
            forged(|m| m["planDigest"] = json!("0".repeat(64))),
            forged(|m| m["drift"]["uid"] = json!("another")),
            forged(|m| m["account"] = json!("999999999999")),
        ] {
            queue.put(&world, &forged).await;
        }
        drop(delivery);
        queue.drained(&world).await;
        let metrics = world.metrics().await;
        for kind in ["stale_plan", "no_such_drift", "foreign_account"] {
            let line = format!("plumbline_intake_total{{kind=\"{kind}\"}} 1");
            assert!(metrics.lines().any(|l| l == line), "{line}");
        }
        assert!(
            world.writes_by_plumbline().is_empty(),
            "a forged message starts nothing"
        );
        subscribe(&world, &queue, raw).await;
        let body = if raw {
            detected.clone()
        } else {
            json!({"Type": "Notification", "Message": detected.to_string()})
        };
        queue.put(&world, &body).await;
        let repaired = world.drift("tracing", "is repaired", |d| phase(d) == "Resolved").await;
        assert_eq!(repaired.metadata.uid, drift.metadata.uid);
        let released = repaired.status.unwrap().released.unwrap();
        assert_eq!(released.plan_digest, detected["planDigest"].as_str().unwrap());
        // From now on the topic itself brings it.
        anna.update_stage(&api, "dev", "/tracingEnabled", "false").await;
        let patch = json!({"metadata": {"annotations": {"plumbline.dev/requestedAt": "now"}}});
        let patch = kube::api::Patch::Merge(patch);
        world
            .endpoints()
            .patch(&world.endpoint_name(&api), &kube::api::PatchParams::default(), &patch)
            .await
            .unwrap();
        let of_dev = |d: &Drift| d.spec.resource == "dev" && phase(d) == "Resolved";
        world
            .drift("tracing", "is repaired, found, told and taken", of_dev)
            .await;
        queue.drained(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_filter_policy_lets_through_is_repaired_and_nothing_else() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = by_queue("filtered").await;
    let filter = ("FilterPolicy", json!({"severity": ["Critical"]}).to_string());
    subscribe_to(&world, &queue, &[filter]).await;
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    anna.update_stage(&apis[0], "prod", "/tracingEnabled", "false").await;
    let waits = |d: &Drift| reason(d) == "AwaitingMessage";
    let held = world.drift("tracing", "waits for a message", waits).await;
    anna.point_backend(&apis[1], CLEAR_TEXT).await;
    anna.deploy(&apis[1], "prod").await;
    let repaired = |d: &Drift| phase(d) == "Resolved";
    world.drift("backends-over-https", "is repaired", repaired).await;
    // Its own notification went to the topic as well, and nowhere from there.
    until("it is told", || async {
        let told = world.aws.machines().await;
        let of_it = |m: &Value| m["transition"] == "Detected" && m["rule"] == "tracing";
        told.iter().any(of_it).then_some(())
    })
    .await;
    queue.drained(&world).await;
    let kept = world.drift("tracing", "waits for a message", waits).await;
    assert_eq!(kept.metadata.uid, held.metadata.uid);
    assert_eq!(kept.status.unwrap().released, None);
    let stage = anna.0.get_stage().rest_api_id(&apis[0]).stage_name("prod");
    assert!(!stage.send().await.unwrap().tracing_enabled());
    let metrics = world.metrics().await;
    let released = "plumbline_intake_total{kind=\"released\"} 1";
    assert!(metrics.lines().any(|l| l == released), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_changes_is_told_anew_and_starts_from_that() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = by_queue("replanned").await;
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, "http://one.example.com/").await;
    anna.deploy(&api, "prod").await;
    let waits = |d: &Drift| reason(d) == "AwaitingMessage";
    world.drift("backends-over-https", "waits", waits).await;
    subscribe(&world, &queue, true).await;
    // Deployed to another stage too: the repair has one more to deploy to.
    boris.deploy(&api, "dev").await;
    let planned = until("the new plan, told", || async {
        let told = world.aws.machines().await;
        told.into_iter().find(|m| m["transition"] == "Planned")
    })
    .await;
    assert!(
        planned["id"].as_str().unwrap().contains("/Planned/"),
        "{}",
        planned["id"]
    );
    world
        .drift("backends-over-https", "is repaired", |d| phase(d) == "Resolved")
        .await;
}
