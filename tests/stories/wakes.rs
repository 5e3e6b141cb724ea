//! A controller that starts, stops, stands by, or is not the only one.

use awsim::Fault;
use awsim::seed::Fleet;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use plumbline::api::{AwsAccount, AwsEndpoint};
use serde_json::json;

use crate::support::life::uid;
use crate::support::{World, controller, is, phase, reason, show, until};

fn unreadable(world: &World) {
    world.sim.fault(Fault::error(
        "GetRestApis",
        503,
        "ServiceUnavailableException",
        "not now",
    ));
}

/// Waits until a sweep was refused so often since.
async fn refused(world: &World, times: usize) {
    let met = || {
        let calls = world.sim.calls();
        calls
            .iter()
            .filter(|c| c.operation == "GetRestApis" && c.status == 503)
            .count()
    };
    let before = met();
    until("sweeps that are refused", || async {
        (met() >= before + times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_nothing_is_concluded_before_the_first_complete_read() {
    let mut world = World::with_fleet("restart", 2).await;
    world
        .policy(
            "audited",
            json!({"enforcement": "Audit", "rules": crate::support::https_only_rules()}),
        )
        .await;
    world.compliant("audited").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let before = world.settled("tracing").await;
    assert!(world.stop().await.success());
    world.aws.machines().await;
    let endpoints = world.my_endpoints().await;

    unreadable(&world);
    world.start().await;
    refused(&world, 3).await;
    let after = world.all_drifts().await;
    assert_eq!(after.len(), 1, "{}", show(&after));
    assert_eq!(
        after[0].resource_version(),
        before.resource_version(),
        "not written:\n{}",
        show(&after)
    );
    let versions =
        |all: &[AwsEndpoint]| -> Vec<Option<String>> { all.iter().map(ResourceExt::resource_version).collect() };
    assert_eq!(
        versions(&world.my_endpoints().await),
        versions(&endpoints),
        "nor are endpoints"
    );
    assert!(world.aws.machines().await.is_empty(), "and nobody is told anything");

    anna.update_stage(&api, "prod", "/tracingEnabled", "true").await;
    world.sim.clear_faults();
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "FixedElsewhere");
}

#[tokio::test]
async fn what_nobody_has_looked_at_for_three_sweeps_is_unknown() {
    let mut world = World::with_fleet("unswept", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    assert!(world.stop().await.success());
    // It was long ago.
    let then = json!({"status": {"lastSweepTime": "2026-01-01T00:00:00Z"}});
    world.merge_status(&world.accounts(), &world.name, then).await;
    unreadable(&world);
    world.start().await;
    until("the policy is unknown, and says since when nobody looked", || async {
        let policy = world.policies().get("https-only").await.ok()?;
        let conditions = policy.status?.conditions;
        let compliant = conditions.iter().find(|c| c.type_ == "Compliant")?;
        (compliant.status == "Unknown" && compliant.message.contains("not swept")).then_some(())
    })
    .await;
    world.sim.clear_faults();
    world.compliant("https-only").await;
}

#[tokio::test]
async fn of_two_accounts_with_one_id_the_first_acts_and_the_second_takes_over() {
    let world = World::with_fleet("twins", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let accounts: Api<AwsAccount> = world.accounts();
    let first = accounts.get(&world.name).await.unwrap();
    let mut second = AwsAccount::new(&format!("{}-b", world.name), first.spec.clone());
    second.metadata.labels.clone_from(&first.metadata.labels);
    accounts.create(&PostParams::default(), &second).await.unwrap();
    let name = second.name_any();
    until("the second one is refused, and names the first", || async {
        let second = accounts.get(&name).await.ok()?;
        let conditions = second.status?.conditions;
        let ready = conditions.iter().find(|c| c.type_ == "Ready")?;
        (ready.status == "False" && ready.reason == "DuplicateAccount" && ready.message.contains(&world.name))
            .then_some(())
    })
    .await;
    assert!(is(
        &accounts.get(&world.name).await.unwrap().status.unwrap().conditions,
        "Ready",
        "True"
    ));

    accounts.delete(&world.name, &DeleteParams::default()).await.unwrap();
    let second = until("the second one takes over", || async {
        let second = accounts.get(&name).await.ok()?;
        is(&second.status.as_ref()?.conditions, "Observed", "True").then_some(second)
    })
    .await;
    until("the endpoint belongs to the second one", || async {
        let endpoints = world.my_endpoints().await;
        let of = |e: &AwsEndpoint| e.owner_references().iter().any(|o| o.uid == uid(&second));
        (endpoints.len() == 1 && endpoints.iter().all(of)).then_some(())
    })
    .await;
    accounts.delete(&name, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn an_account_is_acted_for_by_the_plumbline_that_its_labels_select() {
    let mut world = World::new("selected").await;
    world.seed(Fleet::default());
    world
        .create_account(|a| a["metadata"]["labels"] = json!({"story": "another"}))
        .await;
    world.https_only().await;
    world.start().await;
    until("the controller is at work", || async {
        let policy = world.policies().get("https-only").await.ok()?;
        (!policy.status?.conditions.is_empty()).then_some(())
    })
    .await;
    assert!(world.sim.calls().is_empty(), "nothing is asked of another's account");
    assert!(world.accounts().get(&world.name).await.unwrap().status.is_none());

    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"story": value}}}));
    let accounts = world.accounts();
    let params = PatchParams::default();
    accounts.patch(&world.name, &params, &label(&world.name)).await.unwrap();
    world.compliant("https-only").await;
    assert!(world.leader().await.starts_with(&world.name));
    accounts.patch(&world.name, &params, &label("another")).await.unwrap();
    until("the lease is free for the other one", || async {
        world.leader().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn asked_to_end_it_ends_the_repair_and_the_other_replica_takes_over() {
    let mut world = World::with_fleet("handover", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    // A deployment that takes a while, so that there is something under way.
    world.sim.fault(Fault {
        operation: Some("CreateDeployment".into()),
        delay_ms: 8000,
        after: 1,
        times: Some(1),
        ..Fault::default()
    });
    anna.point_backend(&api, "http://backend.example.com/plain").await;
    anna.deploy(&api, "prod").await;
    world.arrived("CreateDeployment").await;
    let second = controller::Controller::start(&world, &[]).await;
    let first = world.leader().await;
    assert!(world.stop().await.success(), "it ends by itself");
    let drift = world.all_drifts().await.remove(0);
    assert_eq!(
        (phase(&drift), reason(&drift)),
        ("Resolved".into(), "Repaired".into()),
        "what was under way is ended"
    );
    assert_eq!(anna.backend(&api).await, before);

    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!(uid(&over), uid(&drift));
    until("the other one leads", || async {
        let leader = world.leader().await;
        (!leader.is_empty() && leader != first).then_some(())
    })
    .await;
    let lease = world.leases().get(&world.lease_name()).await.unwrap();
    assert_eq!(
        lease.spec.unwrap().lease_transitions,
        Some(1),
        "handed over, not waited for"
    );
    assert_eq!(world.made("CreateDeployment"), 1);
    world.compliant("https-only").await;
    second.kill().await;
}

#[tokio::test]
async fn tags_are_labels_where_kubernetes_takes_them() {
    let mut world = World::new("tags").await;
    world.seed(Fleet {
        tags: [("team", "payments"), ("tier", "prod"), ("owner", "anna@example.com")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        ..Fleet::default()
    });
    world.create_account(|_| {}).await;
    world.start().await;
    let labelled = |labels: &'static str| {
        let world = &world;
        async move {
            let selector = format!("{labels},!tags.plumbline.dev/owner");
            let listed = world
                .endpoints()
                .list(&ListParams::default().labels(&selector))
                .await
                .unwrap();
            listed.items.into_iter().find(|e| e.spec.account_id == world.account_id)
        }
    };
    let endpoint = until("it is found by its tags", || {
        labelled("tags.plumbline.dev/team=payments,tags.plumbline.dev/tier=prod")
    })
    .await;
    let status = endpoint.status.as_ref().map(|s| s.tags.clone()).unwrap_or_default();
    assert!(
        status.is_empty() || status["owner"] == "anna@example.com",
        "the status has what is no label"
    );

    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.tag(&api, "team", "shop").await;
    let arn = format!("arn:aws:apigateway:{}::/restapis/{api}", crate::support::REGION);
    anna.0
        .untag_resource()
        .resource_arn(arn)
        .tag_keys("tier")
        .send()
        .await
        .unwrap();
    until("its labels follow", || {
        labelled("tags.plumbline.dev/team=shop,!tags.plumbline.dev/tier")
    })
    .await;
}

async fn drifting(world: &World) -> String {
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    api
}

#[tokio::test]
async fn a_namespace_whose_quota_is_full_is_told_on_the_account_and_nothing_is_repaired() {
    let world = World::with_fleet("quota", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let quota: ResourceQuota = serde_json::from_value(json!({
        "metadata": {"name": "no-drifts"}, "spec": {"hard": {"count/drifts.plumbline.dev": "0"}},
    }))
    .unwrap();
    let quotas: Api<ResourceQuota> = Api::namespaced(world.client.clone(), &world.name);
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    until("the quota counts", || async {
        quotas.get("no-drifts").await.ok()?.status?.hard.map(|_| ())
    })
    .await;
    let api = drifting(&world).await;
    world.told_on(&world.name, "takes no Drift").await;
    world.told_on(&world.name, "exceeded quota").await;
    world.swept(2).await;
    assert!(world.all_drifts().await.is_empty());
    assert_eq!(world.made("UpdateStage"), 0, "nothing is repaired unrecorded");
    assert_eq!(world.held(&api)["stages"]["prod"]["stage"]["tracingEnabled"], false);

    quotas.delete("no-drifts", &DeleteParams::default()).await.unwrap();
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "Repaired");
}

#[tokio::test]
async fn a_namespace_that_is_ending_is_told_on_the_account_and_nothing_is_repaired() {
    let world = World::with_fleet("ending", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    // The policy outlives the order to end for a while, as something with a finalizer does.
    let kept = world
        .forbid("request.operation == 'DELETE' && request.resource.resource == 'endpointpolicies'")
        .await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.name, &DeleteParams::default()).await.unwrap();
    until("the namespace is ending", || async {
        let namespace = namespaces.get(&world.name).await.ok()?;
        (namespace.status?.phase.as_deref() == Some("Terminating")).then_some(())
    })
    .await;
    drifting(&world).await;
    world.told_on(&world.name, "takes no Drift").await;
    assert_eq!(world.made("UpdateStage"), 0);
    world.lift(kept).await;
    world.gone("the namespace", &namespaces, &world.name).await;
    assert_eq!(world.made("UpdateStage"), 0);
}
