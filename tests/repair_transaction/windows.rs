//! Between two calls: what somebody else does there is respected, or seen.

use plumbline::api::Reason;
use plumbline::repair::transaction::End;
use serde_json::{Value, json};

use crate::clean::in_clear_text;
use crate::colleague::Colleague;
use crate::desk::Round;
use crate::wire::Cut;
use crate::world::{STAGES, World, https};

const THEIRS: &str = "https://v2.example.com/orders";
const OURS: &str = "https://backend.example.com/orders";

/// Acts once before the n-th call of an operation, and once more before a later call.
fn once(
    world: &World,
    (operation, nth): (&'static str, usize),
    act: impl Fn(&Colleague) + Send + 'static,
    (calls_later, then): (usize, impl Fn(&Colleague) + Send + 'static),
) {
    let anna = world.anna.clone();
    let (mut seen, mut due) = (0, None);
    world.wire.between(move |call| {
        seen += usize::from(call.operation == operation);
        if seen == nth && due.is_none() {
            act(&anna);
            due = Some(calls_later);
        }
        match &mut due {
            Some(0) => {
                then(&anna);
                due = Some(usize::MAX);
            }
            Some(calls) => *calls -= 1,
            None => {}
        }
    });
}

const NEVER: usize = usize::MAX - 1;

fn nothing(_: &Colleague) {}

fn why(round: &Round) -> String {
    format!("{:?}", round.end)
}

fn last_deployment(world: &World) -> Value {
    world.anna.state()["deployments"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_method_that_came_and_went_around_the_deployment_is_never_published() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let before = world.anna.deployed("prod");
    let gone = |a: &Colleague| drop(a.ok("DELETE {/items}/methods/PUT", &Value::Null));
    once(
        &world,
        ("CreateDeployment", 1),
        |a| a.add_method("PUT /items"),
        (1, gone),
    );
    let round = world.round().await;
    assert!(why(&round).contains("it holds PUT /items"), "{round:?}");
    let made = last_deployment(&world);
    assert_eq!(world.anna.deployed("prod"), before);
    world.settle().await;
    assert!(world.is_right());
    assert_ne!(world.anna.deployed("prod"), made, "not by a later attempt either");
}

#[tokio::test]
async fn an_edit_that_came_and_went_around_the_deployment_is_taken_back_at_once() {
    type Edit = fn(&Colleague);
    const CLEAR: &str = "http://v2.example.com/items";
    const MENDED: &str = "https://backend.example.com/items";
    const OTHER: &str = "https://v2.example.com/items";
    let edits: [(Edit, Edit, &str); 4] = [
        // Of the very property, after it was patched.
        (|a| a.uri("GET /items", CLEAR), |a| a.uri("GET /items", MENDED), CLEAR),
        (|a| a.uri("GET /items", OTHER), |a| a.uri("GET /items", MENDED), OTHER),
        (|a| a.uri("GET /orders", THEIRS), |a| a.uri("GET /orders", OURS), THEIRS),
        (
            |a| drop(a.ok("DELETE /gatewayresponses/THROTTLED", &Value::Null)),
            |a| crate::pending::furnished_plainly(a),
            "the gateway response THROTTLED",
        ),
    ];
    for (edit, back, told) in edits {
        let mut world = World::of(&[], https(), crate::pending::furnished_plainly).await;
        world.witnessed = false; // it is published for three calls: no API of AWS shows what a deployment holds before
        in_clear_text(&world.anna);
        let before = STAGES.map(|stage| world.anna.deployed(stage));
        once(&world, ("CreateDeployment", 1), edit, (1, back));
        let round = world.round().await;
        assert!(
            why(&round).contains("came and went") && why(&round).contains(told),
            "{round:?}"
        );
        assert_eq!(
            STAGES.map(|stage| world.anna.deployed(stage)),
            before,
            "both are pointed back: {round:?}"
        );
        let made = last_deployment(&world);
        world.witnessed = true;
        world.settle().await;
        assert!(world.is_right(), "{told}");
        assert!(
            STAGES.iter().all(|stage| world.anna.deployed(stage) != made),
            "not by a later attempt either"
        );
    }
}

#[tokio::test]
async fn what_one_stage_was_pointed_at_is_looked_at_although_the_next_one_was_overtaken() {
    let mut world = World::new().await;
    world.witnessed = false;
    let first = world.anna.deployed("prod");
    in_clear_text(&world.anna);
    let before = world.anna.deployed("dev");
    let edit = move |a: &Colleague| {
        a.patch("/stages/prod", "replace /deploymentId", &first);
        a.uri("GET /orders", THEIRS);
    };
    once(
        &world,
        ("CreateDeployment", 1),
        edit,
        (1, |a: &Colleague| a.uri("GET /orders", OURS)),
    );
    let round = world.round().await;
    assert_eq!(
        round.story().iter().filter(|call| *call == "point dev").count(),
        2,
        "there and back: {round:?}"
    );
    assert_eq!(world.anna.deployed("dev"), before);
}

#[tokio::test]
async fn a_deployment_that_is_overwritten_in_the_last_moment_is_told() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    // Between the last read of prod and pointing it.
    let deploy = |a: &Colleague| drop(a.ok("POST /deployments", &json!({"stageName": "prod"})));
    once(&world, ("UpdateStage", 2), deploy, (NEVER, nothing));
    let round = world.round().await;
    let Some(End::Collided(told)) = &round.end else {
        panic!("{round:?}");
    };
    let theirs = last_deployment(&world);
    assert!(told.contains(theirs.as_str().unwrap()), "{told}");
}

#[tokio::test]
async fn a_deployment_for_all_stages_that_is_overwritten_on_one_is_told() {
    let mut world = World::new().await;
    world.anna.uri("GET /items", "http://backend.example.com/items");
    world.anna.deploy(&["prod"]);
    let both = |a: &Colleague| drop(a.deploy(&STAGES));
    once(&world, ("UpdateStage", 1), both, (NEVER, nothing));
    let round = world.round().await;
    assert!(matches!(round.end, Some(End::Collided(_))), "dev serves it: {round:?}");
}

#[tokio::test]
async fn somebodys_deployment_at_another_moment_is_no_collision() {
    for (operation, nth) in [("GetDeployments", 2), ("GetExport", 3)] {
        let mut world = World::new().await;
        in_clear_text(&world.anna);
        let elsewhere = |a: &Colleague| drop(a.ok("POST /deployments", &json!({"stageName": "test"})));
        once(&world, (operation, nth), elsewhere, (NEVER, nothing));
        let round = world.round().await;
        assert!(
            matches!(round.end, Some(End::Applied { .. })),
            "before {operation}: {round:?}"
        );
    }
}

#[tokio::test]
async fn a_stage_that_somebody_pointed_stays_where_they_pointed_it() {
    let windows: [(&str, usize, &str); 4] = [
        ("GetStages", 3, "between the judgement and the look"),
        ("GetMethod", 1, "between the look and the patch"),
        ("CreateDeployment", 1, "before the deployment"),
        ("GetStage", 2, "before the last read of it"),
    ];
    for (operation, nth, when) in windows {
        let mut world = World::new().await;
        let first = world.anna.deployed("prod");
        in_clear_text(&world.anna);
        let back = first.clone();
        let point = move |a: &Colleague| a.patch("/stages/prod", "replace /deploymentId", &back);
        once(&world, (operation, nth), point, (NEVER, nothing));
        let round = world.round().await;
        world.wire.nobody_between();
        assert_eq!(world.anna.deployed("prod"), first, "{when}: {round:?}");
        let overtaken = matches!(round.end, Some(End::Overtaken(_)));
        assert!(
            overtaken || round.held.iter().any(|held| held.reason == Reason::Overtaken),
            "{when}: {round:?}"
        );
        world.settle().await;
        assert!(world.is_right(), "{when}");
        assert_eq!(
            world.anna.deployed("prod"),
            first,
            "{when}: it is compliant, and theirs"
        );
    }
}

#[tokio::test]
async fn whoever_points_the_stage_last_is_told_of() {
    let mut world = World::new().await;
    let first = world.anna.deployed("prod");
    in_clear_text(&world.anna);
    let back = first.clone();
    let point = move |a: &Colleague| a.patch("/stages/prod", "replace /deploymentId", &back);
    once(&world, ("GetStages", 4), point, (NEVER, nothing));
    let round = world.round().await;
    assert!(
        why(&round).contains("somebody pointed stage prod elsewhere right after"),
        "{round:?}"
    );
    assert_eq!(world.anna.deployed("prod"), first);
}

#[tokio::test]
async fn a_draft_that_was_mended_and_is_spoilt_again_is_not_deployed() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    world.anna.uri("GET /items", "https://backend.example.com/items");
    let before = world.deployments();
    // After the judgement that only a deployment is missing.
    let spoil = |a: &Colleague| a.uri("GET /items", "http://backend.example.com/items");
    once(&world, ("GetStages", 3), spoil, (NEVER, nothing));
    let round = world.round().await;
    assert!(round.writes().is_empty(), "{round:?}");
    // The editor is read before the stages: the next look sees it.
    world.wire.nobody_between();
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.deployments(), before + 1);
}

#[tokio::test]
async fn what_is_patched_is_what_was_judged() {
    let windows: [(&str, usize, &str); 3] = [
        ("GetRestApi", 3, "between the judgement and the look"),
        ("GetExport", 2, "between the look and the last read"),
        ("GetMethod", 1, "right before the last read"),
    ];
    for (operation, nth, when) in windows {
        for (theirs, reason) in [
            ("http://v2.example.com/items", Reason::RedeployPending),
            // It leads callers elsewhere, and that is asked first.
            ("https://v2.example.com/items", Reason::Disruptive),
        ] {
            let mut world = World::new().await;
            in_clear_text(&world.anna);
            once(
                &world,
                (operation, nth),
                move |a| a.uri("GET /items", theirs),
                (NEVER, nothing),
            );
            let round = world.round().await;
            world.wire.nobody_between();
            assert!(round.writes().is_empty(), "{when}: {round:?}");
            let drafted =
                world.anna.state()["editor"]["resources"]["/items"]["methods"]["GET"]["methodIntegration"]["uri"]
                    .clone();
            assert_eq!(drafted, theirs, "{when}");
            world.settle().await;
            let record = world.desk.record("backends-over-https");
            assert_eq!(
                record.waits.as_ref().unwrap().0,
                reason,
                "{when}: {theirs} is a draft like others"
            );
        }
    }
}

#[tokio::test]
async fn a_drift_that_is_found_while_the_process_is_down_gets_a_deployment_that_repairs_it_too() {
    let only = |paths: &str| {
        json!({"enforcement": "Enforce", "rules": [{"name": "backends-over-https", "target": "AWS::ApiGateway::Method",
            "when": format!("object.httpMethod in [{paths}]"),
            "require": "object.methodIntegration.uri.startsWith('https://')", "restore": ["methodIntegration.uri"]}]})
    };
    let mut world = World::of(&[], only("'GET', 'POST'"), |_| {}).await;
    world.anna.uri("POST /items", "http://backend.example.com/items");
    in_clear_text(&world.anna);
    world.desk.edit(only("'GET'"));
    let create = 6 + 2 + 2 + 6 + 1;
    world.desk.kill = Some(Cut {
        after: create,
        applied: true,
    });
    let round = world.round().await;
    assert_eq!(round.sent.last().unwrap().operation, "CreateDeployment");
    let made = last_deployment(&world);
    world.restart();
    world.desk.edit(only("'GET', 'POST'"));
    world.settle().await;
    assert!(world.is_right(), "{:?}", world.desk.drifts);
    assert_ne!(world.anna.deployed("prod"), made);
}

#[tokio::test]
async fn an_edit_of_another_property_of_the_same_method_is_kept_and_not_published() {
    let mut world = World::of(&[], https(), |_| {}).await;
    in_clear_text(&world.anna);
    let at = "{/items}/methods/GET/integration";
    let edit = move |a: &Colleague| a.patch(at, "replace /timeoutInMillis", "5000");
    once(&world, ("UpdateIntegration", 1), edit, (NEVER, nothing));
    let round = world.round().await;
    world.wire.nobody_between();
    assert!(
        why(&round).contains("GET /items methodIntegration.timeoutInMillis"),
        "{round:?}"
    );
    assert!(round.made("CreateDeployment").is_empty());
    world.settle().await;
    world.desk.record("backends-over-https").waits.as_ref().unwrap();
    let own = &world.anna.state()["editor"]["resources"]["/items"]["methods"]["GET"]["methodIntegration"];
    assert_eq!(
        (&own["timeoutInMillis"], &own["uri"]),
        (&json!(5000), &json!("https://backend.example.com/items"))
    );
    world.anna.deploy(&STAGES);
    world.settle().await;
    assert!(world.is_right());
}
