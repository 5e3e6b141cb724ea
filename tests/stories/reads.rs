//! Reads that are denied or throttled half-way: unknown is neither compliant nor gone.

use awsim::{Call, Fault};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::seen::line;
use crate::support::{REGION, World, https_only_rules, message, phase, reason, show, until, until_seen};

/// Waits until an operation was answered so often more with a status.
async fn answered(world: &World, operation: &str, status: u16, times: usize) {
    let count = || {
        let met = |c: &&Call| c.operation == operation && c.status == status;
        world.sim.calls().iter().filter(met).count()
    };
    let before = count();
    until(&format!("{operation} is answered {status} {times} times"), || async {
        (count() >= before + times).then_some(())
    })
    .await;
}

fn denied(world: &World, operation: &str, resource: &str) -> Fault {
    let words = format!(
        "User: arn:aws:sts::{}:assumed-role/plumbline-observe/plumbline is not authorized to perform: apigateway:GET \
         on resource: arn:aws:apigateway:eu-west-1::{resource} because no identity-based policy allows the apigateway:GET action",
        world.account_id
    );
    Fault::error(operation, 403, "AccessDeniedException", &words)
}

#[tokio::test]
async fn what_may_not_be_read_is_unknown_and_nothing_is_resolved_repaired_or_forgotten() {
    let mut world = World::with_fleet("denied", 2).await;
    let policy = json!({"enforcement": "Audit", "rules": https_only_rules()});
    world.policy("https-only", policy).await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    let (method, verb, _) = anna.first_method(&api).await;
    world.open_to_clear_text(&anna, &api, "prod").await;
    world
        .drift("backends-over-https", "is found and told", |d| {
            reason(d) == "AuditOnly" && d.status.as_ref().is_some_and(|s| s.notified.len() == 2)
        })
        .await;
    let remembered = world.endpoint_says(&api, "Compliant", "Compliant=False").await;

    let resource = format!("/restapis/{api}/resources");
    world
        .sim
        .fault(denied(&world, "GetResources", &resource).on("restApiId", &api));
    let endpoint = world
        .endpoint_says(
            &api,
            "Observed",
            "Observed=Unknown Unreadable: GetResources: AccessDeniedException: User: ",
        )
        .await;
    let status = endpoint.status.unwrap();
    let said = line(&status.conditions, "Compliant");
    assert!(said.starts_with("Compliant=Unknown Unreadable"), "{said}");
    assert_eq!(status.last_compliant, remembered.status.unwrap().last_compliant);
    let said = world
        .account_says(&world.name, "Observed", "Observed=False AccessDenied")
        .await;
    let missing = format!("; missing permission: apigateway:GET on arn:aws:apigateway:eu-west-1::{resource}");
    assert!(said.ends_with(&missing), "{said}");
    until_seen("the policy counts what is unknown", || async {
        let status = world.policies().get("https-only").await.unwrap().status.unwrap();
        let counted = (status.endpoints, status.drift, status.unknown);
        if counted == (2, 1, 1) {
            Ok(())
        } else {
            Err(format!("{counted:?}"))
        }
    })
    .await;

    // Now it may be repaired, and somebody does it: neither is done or seen on what was read before.
    let enforce = Patch::Merge(json!({"spec": {"enforcement": "Enforce"}}));
    let patched = world
        .policies()
        .patch("https-only", &PatchParams::default(), &enforce)
        .await;
    patched.unwrap();
    answered(&world, "GetResources", 403, 2).await;
    anna.point_integration(&api, &method, &verb, &before).await;
    anna.deploy(&api, "prod").await;
    answered(&world, "GetResources", 403, 2).await;
    let drifts = world.all_drifts().await;
    assert_eq!(drifts.len(), 1, "{}", show(&drifts));
    assert_ne!(phase(&drifts[0]), "Resolved", "{}", show(&drifts));
    assert_eq!(world.writes(), [""; 0]);
    assert!(world.lives());

    world.sim.clear_faults();
    let drift = world
        .drift("backends-over-https", "is over", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(reason(&drift), "FixedElsewhere");
    assert_eq!(drift.name_any(), drifts[0].name_any(), "the same episode");
    world.compliant("https-only").await;
    world.account_says(&world.name, "Observed", "Observed=True").await;
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_list_that_did_not_come_to_its_end_makes_nothing_gone() {
    let world = World::with_fleet("lists", 2).await;
    let policy = json!({"enforcement": "Audit", "rules": https_only_rules()});
    world.policy("https-only", policy).await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let mut apis = anna.apis().await;
    let (stays, goes) = (apis.remove(0), apis.remove(0));
    anna.update_stage(&goes, "prod", "/tracingEnabled", "false").await;
    world.drift("tracing", "is found", |d| reason(d) == "AuditOnly").await;

    // One takes the place of the other at once: no list comes to its end in between.
    for (fault, why) in [
        (
            Fault {
                operation: Some("GetRestApis".into()),
                truncate: true,
                ..Fault::default()
            },
            "the list was cut in the middle",
        ),
        (
            Fault::error("GetRestApis", 429, "TooManyRequestsException", "Too Many Requests"),
            "the list was throttled",
        ),
        (
            denied(&world, "GetDomainNames", "/domainnames"),
            "the APIs were listed, the domain names were not",
        ),
    ] {
        let (operation, status) = (fault.operation.clone().unwrap(), fault.status.unwrap_or(200));
        world.sim.replace_faults(fault);
        if world.sim.api_state(&world.account_id, REGION, &goes).is_some() {
            anna.0.delete_rest_api().rest_api_id(&goes).send().await.unwrap();
        }
        answered(&world, &operation, status, 3).await;
        for api in [&stays, &goes] {
            let endpoint = world.endpoints().get(&world.endpoint_name(api)).await;
            assert!(endpoint.is_ok(), "{why}: {endpoint:?}");
        }
        let drifts = world.all_drifts().await;
        assert_eq!(reason(&drifts[0]), "AuditOnly", "{why}: {}", show(&drifts));
    }
    world.sim.clear_faults();
    let drift = world.drift("tracing", "is over", |d| phase(d) == "Resolved").await;
    assert_eq!(reason(&drift), "Gone");
    until("the object of the deleted API is gone", || async {
        world
            .endpoints()
            .get(&world.endpoint_name(&goes))
            .await
            .err()
            .map(|_| ())
    })
    .await;
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_repair_that_is_throttled_half_way_goes_on_where_it_was() {
    let world = World::with_fleet("throttled", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    let mut patched = false;
    world.sim.before_each(move |call, sim| {
        let ours = !call.principal.contains(":user/");
        if ours && call.operation == "UpdateIntegration" && !patched {
            patched = true;
            // As often as a read is attempted.
            let throttled = Fault::error("GetResources", 429, "TooManyRequestsException", "Too Many Requests");
            sim.fault(throttled.times(3));
        }
    });
    world.open_to_clear_text(&anna, &api, "prod").await;
    let drift = world
        .drift("backends-over-https", "is resolved", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(reason(&drift), "Repaired");
    let throttled = |c: &&Call| c.status == 429;
    assert_eq!(world.sim.calls().iter().filter(throttled).count(), 3);
    assert_eq!(anna.backend(&api).await, before);
    assert_eq!(
        world.writes(),
        ["UpdateIntegration", "CreateDeployment", "UpdateStage prod"],
        "nothing is done twice, and nothing is deployed that was not read"
    );
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_repair_that_shows_late_is_read_back_again_and_made_once() {
    let world = World::with_fleet("late", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let (account_id, stage) = (world.account_id.clone(), format!("/restapis/{api}/stages/prod"));
    let (mut repaired, mut shown) = (false, false);
    world.sim.before_each(move |call, sim| {
        let ours = !call.principal.contains(":user/");
        repaired |= ours && call.operation == "UpdateStage";
        if repaired && !shown && ours && call.operation == "GetRestApi" {
            shown = true;
            // What the first read back is shown stands still for a while.
            let off = json!({"patchOperations": [{"op": "replace", "path": "/tracingEnabled", "value": "false"}]});
            let key = format!("Credential=AKIA{account_id}LAG/20261125/{REGION}/apigateway/aws4_request");
            let request = http::Request::patch(&stage)
                .header("authorization", format!("AWS4-HMAC-SHA256 {key}, Signature=x"))
                .body(off.to_string().into());
            let answer = sim.answer(&request.unwrap(), Timestamp::now());
            assert_eq!(answer.response.status(), 200);
        }
    });
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world
        .drift("tracing", "is read back again", |d| {
            message(d).contains("does not show it yet")
        })
        .await;
    assert_eq!(
        (phase(&drift), reason(&drift)),
        ("Repairing".into(), "Verifying".into())
    );
    world.sweeps(2).await;
    assert_eq!(world.writes(), ["UpdateStage prod"], "it is not made again meanwhile");
    anna.update_stage(&api, "prod", "/tracingEnabled", "true").await;
    world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
    assert_eq!(world.writes(), ["UpdateStage prod"]);
}
