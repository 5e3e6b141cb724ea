//! What holds repairs back, as a person sees it: limits, windows, kill switches, exceptions, contests, other tools.

use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, ListParams};
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::support::aws::Developer;
use crate::support::{World, is, message, phase, reason, show, until};

fn tracing() -> Value {
    json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}])
}

/// A world whose policy wants tracing, with `spec` laid over it.
async fn world_with(story: &str, apis: usize, spec: Value) -> (World, Developer, Vec<String>) {
    let world = World::with_fleet(story, apis).await;
    let mut whole = json!({"rules": tracing()});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    world.policy("tracing", whole).await;
    world.compliant("tracing").await;
    let dev = world.developer("dev");
    let apis = dev.apis().await;
    (world, dev, apis)
}

async fn off(dev: &Developer, api: &str) {
    dev.update_stage(api, "prod", "/tracingEnabled", "false").await;
}

#[tokio::test]
async fn no_more_endpoints_are_repaired_within_an_hour_than_the_share_allows() {
    let limits = json!({"limits": {"settle": "0s", "share": "20%", "repairsPerHour": 10}});
    let (world, dev, apis) = world_with("share", 5, limits).await;
    for api in &apis[..3] {
        off(&dev, api).await;
    }
    let drifts = until("one of three is repaired and two wait", || async {
        let drifts = world.all_drifts().await;
        let count = |wanted: &str| drifts.iter().filter(|d| reason(d) == wanted).count();
        (count("Repaired") == 1 && count("LimitReached") == 2).then_some(drifts)
    })
    .await;
    let waiting = drifts.iter().find(|d| reason(d) == "LimitReached").unwrap();
    assert!(
        message(waiting).contains("1 of 5 selected endpoints") && message(waiting).contains("goes on at"),
        "{}",
        message(waiting)
    );
    assert_eq!(world.writes_by_plumbline().len(), 1);
    let told = world.aws.machines().await;
    assert!(
        told.iter().all(|m| m["transition"] != "Waiting"),
        "what goes on by itself is no news for people: {told:?}"
    );
    world
        .change_policy("tracing", json!({"limits": {"share": "100%"}}))
        .await;
    until("all are repaired", || async {
        let drifts = world.all_drifts().await;
        drifts.iter().all(|d| reason(d) == "Repaired").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_repair_is_not_taken_back_beyond_the_limits_either() {
    let limits = json!({"limits": {"settle": "0s", "share": "100%", "repairsPerHour": 1}});
    let (world, dev, apis) = world_with("unrevert", 1, limits).await;
    off(&dev, &apis[0]).await;
    let repaired = world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
    let anna = world.approver("anna").await;
    anna.decide(&repaired, "Revert").await.unwrap();
    let waiting = world
        .drift("tracing", "waits to be taken back", |d| {
            d.spec.reverts.is_some() && reason(d) == "LimitReached"
        })
        .await;
    assert_eq!(phase(&waiting), "Waiting");
    assert!(
        message(&waiting).contains("limits.repairsPerHour 1") && message(&waiting).contains("goes on at"),
        "{}",
        message(&waiting)
    );
    world.sweeps(2).await;
    assert_eq!(world.writes_by_plumbline(), ["UpdateStage"], "the repair alone");

    world
        .change_policy("tracing", json!({"limits": {"repairsPerHour": 2}}))
        .await;
    world
        .drift("tracing", "is taken back", |d| {
            d.spec.reverts.is_some() && reason(d) == "Reverted"
        })
        .await;
}

#[tokio::test]
async fn a_drift_that_has_just_come_is_left_alone_until_it_has_settled() {
    let limits = json!({"limits": {"settle": "1h", "share": "100%"}});
    let (world, dev, apis) = world_with("settle", 1, limits).await;
    off(&dev, &apis[0]).await;
    let drift = world.drift("tracing", "settles", |d| reason(d) == "Settling").await;
    assert!(message(&drift).contains("goes on at"), "{}", message(&drift));
    assert!(world.writes_by_plumbline().is_empty());
    world
        .change_policy("tracing", json!({"limits": {"settle": "0s"}}))
        .await;
    world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
}

#[tokio::test]
async fn repairs_begin_in_the_windows_only() {
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let schedule = tomorrow.strftime("%M %H %d * *").to_string();
    let windows = json!({"windows": [{"schedule": schedule, "duration": "1h"}]});
    let (world, dev, apis) = world_with("window", 1, windows).await;
    off(&dev, &apis[0]).await;
    let drift = world
        .drift("tracing", "waits for its window", |d| reason(d) == "OutsideWindow")
        .await;
    let opens = tomorrow.strftime("%Y-%m-%dT%H:%M:00Z").to_string();
    assert!(message(&drift).contains(&opens), "{}", message(&drift));
    let always = json!({"windows": [{"schedule": "* * * * *", "duration": "1h"}]});
    world.change_policy("tracing", always).await;
    world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
}

#[tokio::test]
async fn whoever_pulls_a_kill_switch_sees_drift_found_and_nothing_changed() {
    let (mut world, dev, apis) = world_with("suspend", 1, json!({"suspend": true})).await;
    off(&dev, &apis[0]).await;
    let drift = world
        .drift("tracing", "is suspended", |d| reason(d) == "Suspended")
        .await;
    assert!(
        message(&drift).contains("the policy is suspended"),
        "{}",
        message(&drift)
    );
    let policy = world.policies().get("tracing").await.unwrap();
    let allowed = &policy.status.unwrap().allowed[0];
    assert!(
        allowed.reason.contains("suspended"),
        "a policy says why it may do no more: {allowed:?}"
    );

    world.change_account(json!({"suspend": true})).await;
    world
        .drift("tracing", "is held by the account", |d| {
            message(d).contains("AwsAccount")
        })
        .await;
    world.change_policy("tracing", json!({"suspend": false})).await;

    world.stop().await;
    world.start_with_args(&["--suspend"]).await;
    world.change_account(json!({"suspend": false})).await;
    world
        .drift("tracing", "is held by the controller", |d| {
            message(d).contains("--suspend")
        })
        .await;
    assert!(world.writes_by_plumbline().is_empty());

    world.stop().await;
    world.start().await;
    world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
}

#[tokio::test]
async fn an_exception_ends_a_drift_and_its_end_brings_it_back() {
    let (world, dev, apis) = world_with("exempt", 1, json!({"suspend": true})).await;
    off(&dev, &apis[0]).await;
    world.drift("tracing", "stands", |d| reason(d) == "Suspended").await;
    let until_then = Timestamp::now() + SignedDuration::from_secs(15);
    world.exception("legacy", "tracing", until_then).await;
    let exempted = world.drift("tracing", "is exempted", |d| reason(d) == "Exempted").await;
    world.exception_says("legacy", "Exempting").await;
    world.exception_says("legacy", "Expired").await;
    let again = world
        .drift("tracing", "is found again", |d| {
            d.status.is_some() && phase(d) != "Resolved" && d.metadata.uid != exempted.metadata.uid
        })
        .await;
    assert!(
        again.status.unwrap().detected_at.unwrap().0
            >= until_then.round(jiff::Unit::Second).unwrap() - SignedDuration::from_secs(1)
    );
}

#[tokio::test]
async fn an_account_may_forbid_exceptions_to_a_namespace() {
    let (world, dev, apis) = world_with("forbid", 1, json!({"suspend": true})).await;
    let grants = json!([{
        "namespaces": {"matchLabels": {"kubernetes.io/metadata.name": world.name}},
        "maxEnforcement": "Enforce", "exceptions": "Forbidden",
    }]);
    world.change_account(json!({"grants": grants})).await;
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    world.exception("legacy", "tracing", later).await;
    world.exception_says("legacy", "ExceptionsForbidden").await;
    off(&dev, &apis[0]).await;
    world
        .drift("tracing", "stands all the same", |d| reason(d) == "Suspended")
        .await;
}

#[tokio::test]
async fn what_was_put_back_three_times_is_contested_whoever_forgets() {
    let (mut world, dev, apis) = world_with("contest", 1, json!({})).await;
    for round in 1..=3 {
        off(&dev, &apis[0]).await;
        until(&format!("it is put back {round} times"), || async {
            let drifts = world.all_drifts().await;
            (drifts.iter().filter(|d| reason(d) == "Repaired").count() == round).then_some(())
        })
        .await;
    }
    // Neither the deletion of every Drift nor a restart makes it forget.
    world.stop().await;
    world
        .drifts()
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .unwrap();
    world.start().await;
    world.compliant("tracing").await;
    let before = world.writes_by_plumbline().len();
    off(&dev, &apis[0]).await;
    let contested = world
        .drift("tracing", "is contested", |d| reason(d) == "Contested")
        .await;
    assert!(
        message(&contested).contains("put back 3 times"),
        "{}",
        message(&contested)
    );
    assert_eq!(world.writes_by_plumbline().len(), before, "it is left as it is");
    let anna = world.approver("anna").await;
    anna.decide(&contested, "Approve").await.unwrap();
    world
        .drift("tracing", "is repaired", |d| {
            d.metadata.uid == contested.metadata.uid && reason(d) == "Repaired"
        })
        .await;
}

#[tokio::test]
async fn a_stage_that_is_pointed_back_at_an_old_deployment_again_and_again_is_a_contest_too() {
    let world = World::with_fleet("rollback", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.point_backend(&api, "http://backend.example.com/plain").await;
    let plain = dev.deploy(&api, "prod").await;
    for round in 1..=3 {
        until(&format!("it is repaired {round} times"), || async {
            let drifts = world.all_drifts().await;
            (drifts.iter().filter(|d| reason(d) == "Repaired").count() == round).then_some(())
        })
        .await;
        dev.update_stage(&api, "prod", "/deploymentId", &plain).await;
    }
    world
        .drift("backends-over-https", "is contested", |d| reason(d) == "Contested")
        .await;
    assert_eq!(
        dev.deployment(&api, "prod").await,
        plain,
        "the stage is left where they want it"
    );
}

#[tokio::test]
async fn what_another_tool_manages_waits_for_a_person_and_names_the_tool() {
    let (world, dev, apis) = world_with("managed", 1, json!({})).await;
    dev.tag(&apis[0], "ManagedBy", "terraform").await;
    until("the endpoint shows who manages it", || async {
        let endpoints = world.my_endpoints().await;
        endpoints
            .iter()
            .all(|e| e.status.as_ref().is_some_and(|s| s.managed_by.is_some()))
            .then_some(())
    })
    .await;
    off(&dev, &apis[0]).await;
    let drift = world
        .drift("tracing", "asks a person", |d| reason(d) == "ManagedElsewhere")
        .await;
    assert!(
        drift
            .status
            .as_ref()
            .unwrap()
            .managed_by
            .as_ref()
            .unwrap()
            .starts_with("Terraform")
    );
    world
        .change_policy("tracing", json!({"repairs": {"managed": true}}))
        .await;
    world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
}

#[tokio::test]
async fn a_window_that_never_comes_is_told_with_what_to_write() {
    let world = World::with_fleet("never", 1).await;
    let windows = json!([{"schedule": "0 2 30 2 *", "duration": "1h"}]);
    world
        .policy("tracing", json!({"rules": tracing(), "windows": windows}))
        .await;
    let policy = until("the policy says so", || async {
        let policy = world.policies().get("tracing").await.ok()?;
        is(&policy.status.as_ref()?.conditions, "Ready", "False").then_some(policy)
    })
    .await;
    let ready = &policy.status.unwrap().conditions[0];
    assert!(ready.message.contains("never comes"), "{}", ready.message);
}

#[tokio::test]
async fn an_exception_without_an_end_or_endpoints_is_refused() {
    let world = World::new("endless").await;
    let refused = |spec: Value| {
        let world = &world;
        async move { world.try_exception("endless", spec).await.unwrap_err() }
    };
    let told = refused(json!({"policy": "p", "endpoints": {"names": ["*"]}, "reason": "r"})).await;
    assert!(told.contains("expiresAt"), "{told}");
    let told =
        refused(json!({"policy": "p", "endpoints": {}, "reason": "r", "expiresAt": "2030-01-01T00:00:00Z"})).await;
    assert!(told.contains("name the endpoints by ids, names or tags"), "{told}");
}

#[tokio::test]
async fn two_policies_that_want_different_values_repair_nothing_and_name_each_other() {
    let (world, dev, apis) = world_with("conflict", 1, json!({"suspend": true})).await;
    let other = json!([{"name": "untraced", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": false}}]);
    off(&dev, &apis[0]).await;
    world.policy("other", json!({"rules": other})).await;
    let names = |drift: &Drift, policy: &str| reason(drift) == "Conflicted" && message(drift).contains(policy);
    world
        .drift("untraced", "names the other", |d| names(d, "/tracing"))
        .await;
    world.drift("tracing", "names the other", |d| names(d, "/other")).await;
    assert!(
        world.writes_by_plumbline().is_empty(),
        "{}",
        show(&world.all_drifts().await)
    );
}
