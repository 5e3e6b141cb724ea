//! Drifts as objects of a namespace: what it does not take, and what it does not keep.

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::{World, phase, reason, show, until, until_seen};

#[tokio::test]
async fn a_namespace_that_is_full_is_told_on_the_account_and_nothing_is_repaired_until_it_has_room() {
    let world = World::with_fleet("full", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let quotas: Api<ResourceQuota> = Api::namespaced(world.client.clone(), &world.name);
    let none = json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/drifts.plumbline.dev": "0"}}});
    quotas
        .create(&PostParams::default(), &serde_json::from_value(none).unwrap())
        .await
        .unwrap();
    until("the quota counts", || async {
        world.probe_is_refused().await.then_some(())
    })
    .await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    for stage in ["prod", "dev"] {
        anna.update_stage(&api, stage, "/tracingEnabled", "false").await;
    }
    let events: Api<Event> = Api::all(world.client.clone());
    let told = until("the account tells of the namespace", || async {
        let all = events.list(&ListParams::default()).await.ok()?;
        all.items.into_iter().find(|e| {
            let about = e.regarding.as_ref().and_then(|r| r.name.as_ref());
            about == Some(&world.name) && e.reason.as_deref() == Some("NamespaceRefuses")
        })
    })
    .await;
    let note = told.note.unwrap();
    let begin = format!(
        "namespace {} takes no Drift, so nothing is repaired for it: ",
        world.name
    );
    assert!(note.starts_with(&begin), "{note}");
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0], "what is not recorded is not repaired");
    let drifts = world.all_drifts().await;
    assert!(drifts.is_empty(), "{}", show(&drifts));
    world.endpoint_says(&api, "Compliant", "Compliant=False Drifted").await;

    quotas.delete("none", &DeleteParams::default()).await.unwrap();
    for stage in ["prod", "dev"] {
        let drift = world
            .drift("tracing", "is resolved", |d| {
                d.spec.resource == stage && phase(d) == "Resolved"
            })
            .await;
        assert_eq!(reason(&drift), "Repaired");
    }
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_drift_that_was_over_for_a_week_goes_and_its_records_stay() {
    let world = World::with_fleet("week", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world
        .drift("tracing", "is over and told", |d| {
            phase(d) == "Resolved" && d.status.as_ref().is_some_and(|s| s.notified.len() == 4)
        })
        .await;
    let name = drift.metadata.name.unwrap();
    let keys = world.aws.audit_keys().await;
    let week = jiff::SignedDuration::from_hours(7 * 24 + 1);
    let then = (jiff::Timestamp::now() - week)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let aged = Patch::Merge(json!({"status": {"resolvedAt": then}}));
    world
        .drifts()
        .patch_status(&name, &PatchParams::default(), &aged)
        .await
        .unwrap();
    until_seen("the Drift goes", || async {
        match world.drifts().get_opt(&name).await {
            Ok(None) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await;
    assert_eq!(world.aws.audit_keys().await, keys);
    world.compliant("https-only").await;
}
