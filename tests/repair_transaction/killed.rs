//! The process dies, AWS's answers get lost, somebody comes in between: the repair is begun again and comes to its end once.

use awsim::Fault;
use plumbline::api::Reason;
use plumbline::aws::Class;
use plumbline::repair::transaction::End;
use serde_json::json;

use crate::clean::in_clear_text;
use crate::colleague::Colleague;
use crate::wire::Cut;
use crate::world::{STAGES, World, https, open};

const CLEAR: &str = "http://backend.example.com/items";

/// Two methods and the policy, live on both stages, and one stage's tracing.
fn everything(anna: &Colleague) {
    anna.uri("POST /items", CLEAR);
    anna.patch("", "replace /policy", &open().to_string());
    anna.patch("/stages/prod", "replace /tracingEnabled", "false");
    in_clear_text(anna);
}

/// The calls of an undisturbed repair, from the look on, and which of them write.
async fn calls() -> Vec<bool> {
    let mut world = World::new().await;
    everything(&world.anna);
    world.round().await.sent.iter().map(super::wire::Sent::writes).collect()
}

#[tokio::test]
async fn killed_at_any_call_it_ends_repaired_with_one_deployment() {
    for (after, writes) in calls().await.into_iter().enumerate() {
        for applied in [false, true] {
            if applied && !writes {
                continue; // a read that nobody heard is none
            }
            let cut = Cut { after, applied };
            let mut world = World::new().await;
            everything(&world.anna);
            let before = world.deployments();
            world.desk.kill = Some(cut);
            let first = world.round().await;
            assert!(
                !matches!(first.end, Some(End::Applied { .. })),
                "{cut:?}: {:?}",
                first.end
            );
            world.restart();
            let rounds = world.settle().await;
            assert!(world.is_right(), "{cut:?}: {rounds:#?}");
            assert!(world.desk.drifts.is_empty(), "{cut:?}: {:?}", world.desk.drifts);
            assert_eq!(
                world.deployments(),
                before + 1,
                "{cut:?}: one deployment, whatever happened"
            );
            let state = world.anna.state();
            for stage in STAGES {
                assert_eq!(
                    state["stages"][stage]["pending"], false,
                    "{cut:?}: no half state on {stage}"
                );
            }
        }
    }
}

#[tokio::test]
async fn killed_twice_it_still_makes_one_deployment() {
    let all = calls().await;
    let create = 6 + 2 + 4 * 2 + 1 + 6 + 1; // the look, the patches each with its read, one more for the stage, the editor, the list
    assert!(all[create], "the deployment is made here");
    for second in (0..all.len()).step_by(3) {
        let mut world = World::new().await;
        everything(&world.anna);
        let before = world.deployments();
        world.desk.kill = Some(Cut {
            after: create,
            applied: true,
        });
        world.round().await;
        world.restart();
        world.desk.kill = Some(Cut {
            after: second,
            applied: second % 2 == 0,
        });
        world.round().await;
        world.restart();
        world.settle().await;
        assert!(world.is_right(), "{second}: {:?}", world.desk.drifts);
        assert_eq!(world.deployments(), before + 1, "{second}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_before_anything_is_repeated() {
    for operation in ["UpdateIntegration", "CreateDeployment", "UpdateStage"] {
        let mut world = World::new().await;
        in_clear_text(&world.anna);
        let before = world.deployments();
        let lost = Fault::error(operation, 500, "InternalFailure", "").times(1).applied();
        world.anna.sim.fault(lost);
        let round = world.round().await;
        let Some(End::Failed(error)) = &round.end else {
            panic!("{operation}: {round:?}");
        };
        assert_eq!(error.class, Class::Unavailable);
        let rounds = world.settle().await;
        assert!(world.is_right(), "{operation}: {rounds:?} {:?}", world.desk.drifts);
        assert_eq!(world.deployments(), before + 1, "{operation}");
    }
}

#[tokio::test]
async fn throttled_half_way_it_goes_on_where_it_was() {
    for operation in ["UpdateIntegration", "CreateDeployment", "UpdateStage"] {
        let mut world = World::new().await;
        in_clear_text(&world.anna);
        let before = world.deployments();
        let throttled = Fault::error(operation, 429, "TooManyRequestsException", "Too Many Requests");
        world.anna.sim.fault(throttled.times(1));
        let round = world.round().await;
        let Some(End::Failed(error)) = &round.end else {
            panic!("{operation}: {round:?}");
        };
        assert_eq!(error.class, Class::Throttled, "{operation}");
        world.settle().await;
        assert!(world.is_right());
        assert_eq!(world.deployments(), before + 1, "{operation}");
    }
}

#[tokio::test]
async fn without_a_persisted_intent_nothing_is_deployed() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let before = world.deployments();
    world.desk.sealed = true;
    let round = world.round().await;
    assert!(matches!(round.end, Some(End::NotPersisted)), "{round:?}");
    assert_eq!(world.deployments(), before);
    world.desk.sealed = false;
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.deployments(), before + 1);
}

/// Killed right after the deployment was made, before any stage was pointed at it.
async fn killed_with_a_deployment(world: &mut World) -> String {
    let create = 6 + 2 + 2 + 6 + 1;
    world.desk.kill = Some(Cut {
        after: create,
        applied: true,
    });
    let round = world.round().await;
    assert_eq!(round.sent.last().unwrap().operation, "CreateDeployment");
    world.restart();
    let state = world.anna.state();
    state["deployments"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn work_that_began_while_the_process_was_down_holds_the_repair() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let made = killed_with_a_deployment(&mut world).await;
    world.anna.add_method("PUT /items");
    let round = world.round().await;
    round.held_for(Reason::RedeployPending);
    assert!(round.writes().is_empty());
    // Given up again: what was deployed then is what is drafted now.
    world.anna.ok("DELETE {/items}/methods/PUT", &serde_json::Value::Null);
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.anna.deployed("prod"), made, "no second deployment");
}

#[tokio::test]
async fn a_deployment_of_an_earlier_edition_of_the_policy_is_never_pointed_at() {
    let to = |uri: &str| {
        json!({"enforcement": "Enforce", "rules": [{"name": "backend", "target": "AWS::ApiGateway::Method", "allowDisruption": true,
            "when": "object.resourcePath == '/items' && object.httpMethod == 'GET'",
            "require": format!("object.methodIntegration.uri == '{uri}'"),
            "fix": format!("{{'methodIntegration': {{'uri': '{uri}'}}}}")}]})
    };
    let (one, two) = ("https://one.example.com", "https://two.example.com");
    let mut world = World::of(&[], to(one), |anna| anna.uri("GET /items", one)).await;
    for uri in [one, two] {
        let at = ["resources", "/items", "methods", "GET", "methodIntegration", "uri"];
        world
            .desk
            .desires
            .push((plumbline::judge::path::Path::of(at), json!(uri)));
    }
    in_clear_text(&world.anna);
    let made = killed_with_a_deployment(&mut world).await;
    world.desk.edit(to(two));
    world.settle().await;
    // What the killed run drafted is nobody's any more: it waits like everybody's draft.
    assert_eq!(
        world.desk.record("backend").waits.as_ref().unwrap().0,
        Reason::RedeployPending
    );
    assert!(STAGES.iter().all(|stage| world.anna.deployed(stage) != made));
    world.anna.deploy(&STAGES);
    world.settle().await;
    for stage in STAGES {
        assert_eq!(world.live_uri(stage, "GET /items"), two, "{:?}", world.desk.drifts);
        assert_ne!(world.anna.deployed(stage), made);
    }
    assert!(world.desk.drifts.is_empty());
}

#[tokio::test]
async fn a_deployment_that_may_hold_somebodys_edit_is_never_pointed_at() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let anna = world.anna.clone();
    world.wire.between(move |call| {
        if call.operation == "CreateDeployment" {
            anna.uri("GET /orders", "https://v2.example.com/orders");
        }
    });
    let round = world.round().await;
    world.wire.nobody_between();
    let end = format!("{:?}", round.end);
    assert!(end.contains("GET /orders methodIntegration.uri"), "{end}");
    let made = world.anna.state()["deployments"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    world.settle().await;
    assert_eq!(
        world.desk.record("backends-over-https").waits.as_ref().unwrap().0,
        Reason::RedeployPending
    );
    // Given up again: the editor is what it was, the deployment is not.
    world.anna.uri("GET /orders", "https://backend.example.com/orders");
    world.settle().await;
    assert!(world.is_right());
    assert_ne!(world.anna.deployed("prod"), made);
}

#[tokio::test]
async fn a_rejected_deployment_is_not_taken_for_the_next_one() {
    let mut world = World::new().await;
    in_clear_text(&world.anna);
    let anna = world.anna.clone();
    let mut creates = 0;
    world.wire.between(move |call| match call.operation {
        "CreateDeployment" => {
            creates += 1;
            if creates == 1 {
                anna.uri("GET /orders", "https://v2.example.com/orders");
            }
        }
        "GetGatewayResponses" if creates == 1 => anna.uri("GET /orders", "https://backend.example.com/orders"),
        _ => {}
    });
    // The first deployment may hold somebody's edit; of the second one nobody hears.
    let rejected = world.round().await;
    assert!(matches!(rejected.end, Some(End::Overtaken(_))), "{rejected:?}");
    world.wire.nobody_between();
    let first = world.anna.state()["deployments"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    world.desk.kill = Some(Cut {
        after: 6 + 2 + 6 + 1,
        applied: true,
    });
    let killed = world.round().await;
    assert_eq!(killed.sent.last().unwrap().operation, "CreateDeployment");
    let second = world.anna.state()["deployments"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    world.restart();
    world.settle().await;
    assert!(world.is_right());
    assert_ne!(world.anna.deployed("prod"), first);
    assert_eq!(world.anna.deployed("prod"), second, "no third deployment");
}

#[tokio::test]
async fn a_colleague_who_deploys_the_half_finished_repair_finishes_it() {
    let mut world = World::of(&[], https(), |_| {}).await;
    in_clear_text(&world.anna);
    killed_with_a_deployment(&mut world).await;
    world.anna.deploy(&STAGES);
    let before = world.deployments();
    world.settle().await;
    assert!(world.is_right() && world.desk.drifts.is_empty());
    assert_eq!(world.deployments(), before);
}
