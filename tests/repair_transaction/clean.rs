//! Repairs that nobody disturbs.

use awsim::seed::https_only;
use plumbline::aws::apigateway::write;
use plumbline::repair::transaction::End;
use serde_json::json;

use crate::colleague::Colleague;
use crate::world::{STAGES, World, open};

const CLEAR: &str = "http://backend.example.com/items";

/// The calls of a repair of one method that both stages serve.
pub const STORY: [&str; 20] = [
    "the editor",
    "GetStages",
    "GetExport",
    "GetMethod",
    "UpdateIntegration",
    "the editor",
    "GetDeployments",
    "CreateDeployment",
    "the editor",
    "GetDeployment",
    "GetDeployments",
    "GetRestApi",
    "GetStage",
    "point dev",
    "GetRestApi",
    "GetStage",
    "point prod",
    "GetDeployments",
    "GetStages",
    "GetExport",
];

/// `GET /items` calls its backend in clear text, live on both stages.
pub fn in_clear_text(anna: &Colleague) {
    anna.uri("GET /items", CLEAR);
    anna.deploy(&STAGES);
}

#[tokio::test]
async fn a_clean_repair_makes_these_calls_and_no_others() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let round = world.round().await;
    assert!(
        matches!(round.end, Some(End::Applied { deployment: Some(_) })),
        "{round:?}"
    );
    assert_eq!(round.story(), STORY);
    let made = &round.made("CreateDeployment")[0].body;
    let told = made["description"].as_str().unwrap();
    assert!(
        told.starts_with("Plumbline repair ") && told.ends_with(" of drifts drift-1"),
        "{told}"
    );
    assert_eq!(made.as_object().unwrap().len(), 1, "no stage, no settings: {made}");
    let patch = json!({"patchOperations": [
        {"op": "replace", "path": "/uri", "value": "https://backend.example.com/items"}]});
    assert_eq!(round.made("UpdateIntegration")[0].body, patch);
    assert!(world.is_right());
    let state = world.anna.state();
    assert!(
        STAGES.iter().all(|stage| state["stages"][*stage]["pending"] == false),
        "nothing is left undeployed"
    );

    let after = world.settle().await;
    assert!(
        world.desk.drifts.is_empty(),
        "proved by reading: {:?}",
        world.desk.drifts
    );
    assert!(
        after.iter().all(|round| round.writes().is_empty()),
        "when nothing changes nothing is written"
    );
}

#[tokio::test]
async fn several_drifts_and_both_stages_share_one_deployment() {
    let mut world = World::new().await;
    let anna = &world.anna;
    anna.uri("POST /items", CLEAR);
    anna.patch("", "replace /policy", &open().to_string());
    anna.patch("/stages/prod", "replace /tracingEnabled", "false");
    in_clear_text(anna);
    let before = world.deployments();
    let rounds = world.settle().await;
    assert!(world.is_right(), "{rounds:?}");
    assert_eq!(world.deployments(), before + 1);
    let first = &rounds[0];
    assert_eq!(
        first.writes().len(),
        3 + 1 + 1 + 2,
        "three patches, tracing, one deployment, two stages: {:?}",
        first.story()
    );
    // Each patch follows the read of what it patches.
    for (at, sent) in first
        .sent
        .iter()
        .enumerate()
        .filter(|(_, sent)| sent.writes() && sent.operation != "CreateDeployment")
    {
        let read = &first.sent[at - 1];
        let of = sent.line.trim_start_matches("PATCH ").trim_end_matches("/integration");
        assert_eq!(read.line, format!("GET {of}"), "{:?}", first.story());
    }
}

#[tokio::test]
async fn drifts_of_different_stages_share_one_deployment() {
    let mut world = World::new().await;
    let anna = &world.anna;
    anna.uri("GET /items", CLEAR);
    anna.deploy(&["dev"]);
    anna.uri("GET /items", "https://backend.example.com/items");
    anna.uri("POST /items", CLEAR);
    anna.deploy(&["prod"]);
    let before = world.deployments();
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.deployments(), before + 1);
}

#[tokio::test]
async fn only_the_stage_that_drifted_is_deployed_to() {
    let mut world = World::new().await;
    world.anna.uri("GET /items", CLEAR);
    world.anna.deploy(&["dev"]);
    let prod = world.anna.deployed("prod");
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.anna.deployed("prod"), prod);
}

#[tokio::test]
async fn a_draft_that_is_mended_already_is_only_deployed() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    world.anna.uri("GET /items", "https://backend.example.com/items");
    let round = world.round().await;
    let writes: Vec<_> = round.writes().iter().map(|sent| sent.operation).collect();
    assert_eq!(writes, ["CreateDeployment", "UpdateStage", "UpdateStage"]);
    assert!(world.is_right());
}

#[tokio::test]
async fn the_inverse_leads_back() {
    let mut world = World::new().await;
    world.anna.patch("", "replace /policy", &open().to_string());
    in_clear_text(&world.anna);
    let drafted = world.anna.state()["editor"].clone();
    assert!(world.round().await.end.is_some());
    let inverse: Vec<_> = world
        .desk
        .drifts
        .values()
        .flat_map(|drift| drift.inverse.clone())
        .collect();
    assert_eq!(inverse.len(), 2, "{inverse:?}");
    for call in inverse {
        write::apply(&world.client, &call).await.unwrap();
    }
    assert_eq!(world.anna.state()["editor"], drafted);
}

#[tokio::test]
async fn a_policy_is_restored_by_meaning() {
    let mut world = World::new().await;
    world.anna.patch("", "replace /policy", "");
    world.anna.deploy(&STAGES);
    let rounds = world.settle().await;
    assert!(world.is_right() && world.desk.drifts.is_empty(), "{rounds:?}");
    let deployed = &world.anna.state()["stages"]["prod"]["snapshot"]["settings"]["policy"];
    assert_eq!(
        deployed["Statement"].as_array().unwrap().len(),
        https_only()["Statement"].as_array().unwrap().len()
    );
}
