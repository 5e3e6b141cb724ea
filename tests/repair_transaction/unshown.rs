//! What an export does not show, and stages that two deployments serve.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plumbline::api::Reason;
use plumbline::api::endpoint::Baseline;
use plumbline::aws::apigateway::read;
use plumbline::repair::transaction::api_of;
use serde_json::json;

use crate::clean::in_clear_text;
use crate::colleague::{Colleague, patch};
use crate::pending::furnished;
use crate::world::{STAGES, World, https};

const AT: &str = "{/orders}/methods/GET/integration";

fn linked(anna: &Colleague) {
    let link = json!({"patchOperations": [
        {"op": "replace", "path": "/connectionType", "value": "VPC_LINK"},
        {"op": "replace", "path": "/connectionId", "value": "vpclink1"}]});
    anna.ok(&format!("PATCH {AT}"), &link);
}

fn assumed(anna: &Colleague) {
    let mut own = crate::colleague::integration("GET", "/orders");
    own["credentials"] = json!("arn:aws:iam::111122223333:role/orders");
    anna.ok(&format!("PUT {AT}"), &own);
}

#[tokio::test]
async fn a_field_that_is_not_surely_shown_is_clean_only_at_its_default() {
    #[expect(clippy::type_complexity, reason = "a table of this test alone")]
    let fields: &[(&str, fn(&Colleague), &str)] = &[
        (
            "cacheNamespace",
            |a| a.patch(AT, "replace /cacheNamespace", "mine"),
            "methodIntegration.cacheNamespace",
        ),
        (
            "timeoutInMillis",
            |a| a.patch(AT, "replace /timeoutInMillis", "5000"),
            "methodIntegration.timeoutInMillis",
        ),
        ("connectionType", linked, "methodIntegration.connectionType"),
        ("credentials", assumed, "methodIntegration.credentials"),
        (
            "contentHandling",
            |a| a.patch(AT, "replace /contentHandling", "CONVERT_TO_TEXT"),
            "methodIntegration.contentHandling",
        ),
        (
            "insecureSkipVerification",
            |a| a.patch(AT, "replace /tlsConfig/insecureSkipVerification", "true"),
            "methodIntegration.tlsConfig.insecureSkipVerification",
        ),
    ];
    for (field, set, told) in fields {
        let mut world = World::of(&[], https(), furnished).await;
        in_clear_text(&world.anna);
        set(&world.anna);
        let round = world.round().await;
        assert!(round.writes().is_empty(), "{field} is drafted: {:?}", round.story());
        let held = round.held_for(Reason::RedeployUncertain);
        let why = format!("GET /orders {told}: the draft sets it, and the export does not show it");
        assert!(held.pending_edits.contains(&why), "{field}: {held:?}");

        // Deployed, and seen in this account's own export: equal.
        world.anna.deploy(&STAGES);
        world.settle().await;
        assert!(world.is_right(), "{field} is deployed: {:?}", world.desk.drifts);
    }
}

/// The editor as it stands, believed to be what the stage's deployment was made of.
async fn baseline(world: &World, stage: &str) -> Baseline {
    let editor = read::read_editor(&world.client, &world.id.id).await.unwrap();
    let serves = world.client.get_stage(&world.id.id, stage).await.unwrap();
    Baseline {
        deployment_id: serves["deploymentId"].as_str().unwrap().to_owned(),
        digest: editor.digest(&api_of(&world.id)),
        read_at: Time(jiff::Timestamp::UNIX_EPOCH),
        repairing: None,
        proof: Some("nobody wrote since".into()),
    }
}

#[tokio::test]
async fn what_an_export_does_not_show_a_believed_baseline_tells() {
    #[expect(clippy::type_complexity, reason = "a table of this test alone")]
    let rows: &[(fn(&mut Baseline), fn(&Colleague), Option<Reason>, &str)] = &[
        (|_| (), |_| (), None, "the editor is what was deployed"),
        (
            |b| b.proof = None,
            |_| (),
            Some(Reason::RedeployUncertain),
            "not believed yet: somebody may have edited before it was read",
        ),
        (
            |b| b.deployment_id = "another".into(),
            |_| (),
            Some(Reason::RedeployUncertain),
            "of a deployment that this stage does not serve",
        ),
        (
            |_| (),
            |boris| boris.patch(AT, "replace /cacheNamespace", "mine"),
            Some(Reason::RedeployPending),
            "somebody edited since, whatever an export shows of it",
        ),
    ];
    for (change, edit, held, why) in rows {
        let mut world = World::of(&[("export.policy", "absent")], https(), furnished).await;
        world.anna.uri("GET /items", "http://items.example.com/");
        world.anna.deploy(&["prod"]);
        let mut known = baseline(&world, "prod").await;
        change(&mut known);
        world.desk.baseline = Some(known);
        edit(&world.anna);
        let round = world.round().await;
        if let Some(reason) = held {
            assert!(round.writes().is_empty(), "{why}: {:?}", round.story());
            round.held_for(*reason);
        } else {
            assert!(round.held.is_empty(), "{why}: {round:?}");
            let deployed = round.writes().iter().any(|w| w.operation == "CreateDeployment");
            assert!(deployed && world.is_right(), "{why}: {:?}", round.story());
        }
    }
}

#[tokio::test]
async fn an_api_that_cannot_be_exported_waits() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    world.settle().await;
    in_clear_text(&world.anna);
    world
        .anna
        .sim
        .fault(awsim::Fault::error("GetExport", 400, "BadRequestException", "no exporter").after(1));
    let round = world.round().await;
    assert!(round.writes().is_empty());
    let held = round.held_for(Reason::RedeployUncertain);
    assert!(held.message.contains("no exporter"), "{held:?}");
}

#[tokio::test]
async fn a_canary_is_somebodys_release_under_way() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    world
        .anna
        .patch("/stages/prod", "replace /canarySettings/percentTraffic", "10");
    let round = world.round().await;
    assert!(round.writes().is_empty());
    let held = round.held_for(Reason::Canary);
    assert!(
        held.message.contains("stage prod has a canary: promote or remove it"),
        "{held:?}"
    );

    world
        .anna
        .ok("PATCH /stages/prod", &patch("remove /canarySettings", ""));
    let rounds = world.settle().await;
    assert!(world.is_right(), "{rounds:?} {:?}", world.desk.drifts);
}

#[tokio::test]
async fn a_canary_that_comes_while_the_repair_runs_stops_it() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let anna = world.anna.clone();
    world.wire.between(move |call| {
        if call.operation == "CreateDeployment" {
            anna.patch("/stages/prod", "replace /canarySettings/percentTraffic", "10");
        }
    });
    let round = world.round().await;
    world.wire.nobody_between();
    let end = format!("{:?}", round.end);
    assert!(end.contains("stage prod was given a canary meanwhile"), "{end}");
    assert!(
        world
            .live_uri("prod", "GET /items")
            .as_str()
            .unwrap()
            .starts_with("http://")
    );
    world.settle().await;
    assert_eq!(
        world.desk.record("backends-over-https").waits.as_ref().unwrap().0,
        Reason::Canary
    );
    world
        .anna
        .ok("PATCH /stages/prod", &patch("remove /canarySettings", ""));
    world.settle().await;
    assert!(world.is_right());
}
