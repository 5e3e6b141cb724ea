//! Faults on demand, and a second writer.

use std::time::Duration;

use awsim::Fault;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_fault_strikes_the_calls_it_names_and_no_others() {
    let world = World::new().with_stage();
    world.sim.fault(
        Fault::error("GetStages", 503, "ServiceUnavailableException", "later")
            .after(1)
            .times(2),
    );
    let statuses: Vec<u16> = (0..4)
        .map(|_| world.call("GET /restapis/{api}/stages", &Value::Null).status)
        .collect();
    assert_eq!(statuses, [200, 503, 503, 200], "after one, twice");
    assert_eq!(world.call("GET /restapis/{api}", &Value::Null).status, 200);

    world
        .sim
        .fault(Fault::error("GetStages", 403, "AccessDeniedException", "no").on("restApiId", "another"));
    assert_eq!(
        world.call("GET /restapis/{api}/stages", &Value::Null).status,
        200,
        "another API's"
    );
    world
        .sim
        .fault(Fault::error("GetStages", 403, "AccessDeniedException", "no").on("restApiId", world.id("api")));
    let denied = world.call("GET /restapis/{api}/stages", &Value::Null);
    assert_eq!(
        (denied.status, denied.code.as_str(), denied.message()),
        (403, "AccessDeniedException", "no")
    );
    world.sim.clear_faults();
    assert_eq!(world.call("GET /restapis/{api}/stages", &Value::Null).status, 200);
}

#[test]
fn a_call_may_be_carried_out_and_fail_all_the_same() {
    let world = World::new().with_stage();
    world.sim.fault(
        Fault::error("UpdateStage", 500, "InternalFailure", "?")
            .times(1)
            .applied(),
    );
    assert_eq!(
        world
            .patch("/restapis/{api}/stages/prod", &[("replace /description", json!("x"))])
            .status,
        500
    );
    assert_eq!(world.get("/restapis/{api}/stages/prod")["description"], "x");
}

#[test]
fn answers_can_be_slow_cut_or_lost() {
    let world = World::new().with_stage();
    let whole = world.answer("GET /restapis/{api}", &Value::Null).response.into_body();
    world.sim.fault(Fault {
        delay_ms: 250,
        times: Some(1),
        ..Fault::default()
    });
    assert_eq!(
        world.answer("GET /restapis/{api}", &Value::Null).delay,
        Duration::from_millis(250)
    );
    world.sim.fault(Fault {
        truncate: true,
        times: Some(1),
        ..Fault::default()
    });
    assert_eq!(
        world.answer("GET /restapis/{api}", &Value::Null).response.body().len(),
        whole.len() / 2
    );
    world.sim.fault(Fault {
        drop: true,
        times: Some(1),
        ..Fault::default()
    });
    assert!(world.answer("GET /restapis/{api}", &Value::Null).drop);
    assert!(!world.answer("GET /restapis/{api}", &Value::Null).drop);
}

#[test]
fn a_second_writer_gets_in_before_a_call_is_answered() {
    let world = World::new().with_stage();
    let meddle = world.request(
        "PATCH /restapis/{api}/stages/prod",
        &json!({"patchOperations": [{"op": "replace", "path": "/description", "value": "meddled"}]}),
    );
    let now = world.now;
    world.sim.before_each(move |call, sim| {
        if call.operation == "GetStage" {
            assert_eq!(sim.answer(&meddle, now).response.status(), 200);
        }
    });
    assert_eq!(world.get("/restapis/{api}/stages/prod")["description"], "meddled");
    world.sim.clear_before_each();
    let operations: Vec<&str> = world
        .sim
        .calls()
        .iter()
        .map(|call| call.operation)
        .rev()
        .take(2)
        .collect();
    assert_eq!(
        operations,
        ["GetStage", "UpdateStage"],
        "the meddling is a call like any other"
    );
}
