//! Objects that a newer version wrote, which this one cannot read: the definitions know values that the binary does not.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use plumbline::api::{AwsAccount, Drift, EndpointPolicy};
use serde_json::{Value, json};

use crate::alone;
use crate::support::{World, https_only_rules, reason, show, until};

/// Makes the definitions those of a newer version: an enumeration takes one value more.
async fn newer(world: &World, definition: &str, at: &str, value: &str) {
    let kind = ApiResource::erase::<CustomResourceDefinition>(&());
    let definitions: Api<DynamicObject> = Api::all_with(world.client.clone(), &kind);
    let pointer = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{at}/enum");
    until(&format!("{definition} takes {value}"), || async {
        let mut object = definitions.get(definition).await.unwrap();
        let values = object.data.pointer_mut(&pointer).unwrap().as_array_mut().unwrap();
        values.push(value.into());
        definitions
            .replace(definition, &PostParams::default(), &object)
            .await
            .ok()
    })
    .await;
}

/// Objects as they are, whoever understands them.
fn raw<K: Resource<DynamicType = ()>>(world: &World) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<K>(&());
    if K::plural(&()) == "awsaccounts" {
        Api::all_with(world.client.clone(), &kind)
    } else {
        Api::namespaced_with(world.client.clone(), &world.name, &kind)
    }
}

/// Patches until the API server knows the new value.
async fn patched(api: &Api<DynamicObject>, name: &str, subresource: bool, patch: Value) -> DynamicObject {
    until(&format!("{name} takes {patch}"), || async {
        let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
        if subresource {
            api.patch_status(name, &params, &patch).await.ok()
        } else {
            api.patch(name, &params, &patch).await.ok()
        }
    })
    .await
}

/// Waits until the object's `Ready` says so; gives the message.
async fn says(api: &Api<DynamicObject>, name: &str, status: &str) -> String {
    until(&format!("{name} is Ready={status}"), || async {
        let object = api.get(name).await.ok()?;
        let conditions = object.data["status"]["conditions"].as_array()?.clone();
        let ready = conditions.into_iter().find(|c| c["type"] == "Ready")?;
        (ready["status"] == status).then(|| ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

async fn audited(world: &World) {
    world
        .policy("audited", json!({"enforcement": "Audit", "rules": https_only_rules()}))
        .await;
    world.compliant("audited").await;
}

#[tokio::test]
async fn a_policy_of_a_newer_version_is_not_ready_and_the_others_go_on() {
    let _alone = alone().await;
    let mut world = World::with_fleet("newer-policy", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    newer(
        &world,
        "endpointpolicies.plumbline.dev",
        "spec/properties/enforcement",
        "Heal",
    )
    .await;
    let policies = raw::<EndpointPolicy>(&world);
    let rules = json!([{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]);
    let future: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy", "metadata": {"name": "future"},
        "spec": {"enforcement": "Heal", "rules": rules},
    }))
    .unwrap();
    until("the newer policy is stored", || async {
        policies.create(&PostParams::default(), &future).await.ok()
    })
    .await;
    let why = says(&policies, "future", "False").await;
    assert!(
        why.contains("Heal") && why.contains("this version of Plumbline cannot read it"),
        "{why}"
    );

    // One that starts must list it first.
    world.kill_and_bury().await;
    world.start().await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "Repaired");
    assert!(world.lives());

    patched(&policies, "future", false, json!({"spec": {"enforcement": "Audit"}})).await;
    says(&policies, "future", "True").await;
}

#[tokio::test]
async fn drifts_of_a_policy_that_cannot_be_read_any_more_stay_as_they_are() {
    let _alone = alone().await;
    let mut world = World::with_fleet("newer-edit", 1).await;
    audited(&world).await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world.settled("tracing").await;
    newer(
        &world,
        "endpointpolicies.plumbline.dev",
        "spec/properties/enforcement",
        "Rescue",
    )
    .await;
    let policies = raw::<EndpointPolicy>(&world);
    patched(&policies, "audited", false, json!({"spec": {"enforcement": "Rescue"}})).await;
    says(&policies, "audited", "False").await;
    world.swept(2).await;
    world.kill_and_bury().await;
    world.start().await;
    world.swept(2).await;
    let after = world.all_drifts().await;
    assert_eq!(after.len(), 1);
    assert_eq!(
        after[0].resource_version(),
        drift.resource_version(),
        "{}",
        show(&after)
    );

    patched(&policies, "audited", false, json!({"spec": {"enforcement": "Enforce"}})).await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "Repaired");
}

#[tokio::test]
async fn a_drift_of_a_newer_version_is_left_alone_and_not_opened_again() {
    let _alone = alone().await;
    let mut world = World::with_fleet("newer-drift", 1).await;
    audited(&world).await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world.settled("tracing").await;
    newer(&world, "drifts.plumbline.dev", "status/properties/phase", "Parked").await;
    let drifts = raw::<Drift>(&world);
    let name = drift.name_any();
    let parked = patched(&drifts, &name, true, json!({"status": {"phase": "Parked"}})).await;
    // Something else on the same endpoint goes on.
    anna.update_stage(&api, "dev", "/tracingEnabled", "false").await;
    let of_stage = |stage: &'static str| {
        let drifts = drifts.clone();
        async move {
            let listed = drifts.list(&ListParams::default()).await.unwrap();
            let of = |d: &&DynamicObject| d.data["spec"]["resource"] == stage;
            listed.items.iter().filter(of).cloned().collect::<Vec<_>>()
        }
    };
    until(
        "the other stage's drift is found, and the endpoint counts both",
        || async {
            let endpoint = world.my_endpoints().await.remove(0);
            (of_stage("dev").await.len() == 1 && endpoint.status?.drift == 2).then_some(())
        },
    )
    .await;
    world.kill_and_bury().await;
    world.start().await;
    world.swept(2).await;
    let standing = of_stage("prod").await;
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert_eq!(standing[0].resource_version(), parked.resource_version(), "left alone");

    patched(&drifts, &name, true, json!({"status": {"phase": "Detected"}})).await;
    anna.update_stage(&api, "prod", "/tracingEnabled", "true").await;
    until("it goes on", || async {
        let drift = drifts.get(&name).await.ok()?;
        (drift.data["status"]["resolution"] == "FixedElsewhere").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_not_gone() {
    let _alone = alone().await;
    let mut world = World::with_fleet("newer-account", 1).await;
    audited(&world).await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world.settled("tracing").await;
    let at = "spec/properties/grants/items/properties/maxEnforcement";
    newer(&world, "awsaccounts.plumbline.dev", at, "Heal").await;
    let accounts = raw::<AwsAccount>(&world);
    let grants = |most: &str| {
        let names = json!({"matchLabels": {"kubernetes.io/metadata.name": world.name}});
        json!({"spec": {"grants": [{"namespaces": names, "maxEnforcement": most}]}})
    };
    let (newer, older) = (grants("Heal"), grants("Enforce"));
    patched(&accounts, &world.name, false, newer).await;
    let why = says(&accounts, &world.name, "False").await;
    assert!(why.contains("Heal"), "{why}");
    world.kill_and_bury().await;
    world.start().await;
    until("the controller is at work", || async {
        world.logged("cannot be read, and is left alone").then_some(())
    })
    .await;
    let after = world.all_drifts().await;
    assert_eq!(
        after[0].resource_version(),
        drift.resource_version(),
        "{}",
        show(&after)
    );
    assert_eq!(world.my_endpoints().await.len(), 1);

    patched(&accounts, &world.name, false, older).await;
    says(&accounts, &world.name, "True").await;
    anna.update_stage(&api, "prod", "/tracingEnabled", "true").await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "FixedElsewhere");
}
