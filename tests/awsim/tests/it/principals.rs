//! Who called, and what is recorded of it.

use serde_json::{Value, json};

use crate::world::{ACCOUNT, World};

#[test]
fn the_access_key_says_who_calls() {
    let mut world = World::new();
    world.sim.register_principal(
        "ASIAREGISTERED",
        "999988887777",
        "arn:aws:sts::999988887777:assumed-role/deployer/ci",
    );
    let rows = [
        (
            "ASIAREGISTERED",
            "999988887777",
            "arn:aws:sts::999988887777:assumed-role/deployer/ci",
            "registered",
        ),
        (
            "AKIA444455556666ALICE",
            "444455556666",
            "arn:aws:iam::444455556666:user/alice",
            "by its form",
        ),
        (
            "AKIDEXAMPLE",
            ACCOUNT,
            "arn:aws:sts::111122223333:assumed-role/unknown/AKIDEXAMPLE",
            "unknown",
        ),
    ];
    for (key, account, arn, why) in rows {
        world.key(key);
        world.get("/account");
        let call = world.sim.calls().pop().unwrap();
        assert_eq!(
            (call.account.as_str(), call.principal.as_str()),
            (account, arn),
            "{why}"
        );
        assert_eq!((call.region.as_str(), call.user_agent.as_str()), ("eu-west-1", "tests"));
    }
}

#[test]
fn accounts_do_not_see_each_other() {
    let mut world = World::new().with_stage();
    world.key("AKIA444455556666ALICE");
    assert_eq!(world.get("/restapis"), json!({"item": []}));
    assert_eq!(world.call("GET /restapis/{api}", &Value::Null).status, 404);
}

#[test]
fn a_path_that_no_operation_has_is_refused_at_the_door() {
    let world = World::new();
    let answer = world.call("GET /nothing/here", &Value::Null);
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (403, "MissingAuthenticationTokenException")
    );
    assert_eq!(world.sim.calls()[0].operation, "Unknown");
}

#[test]
fn the_trail_records_who_did_what_and_whether_it_failed() {
    let mut world = World::new().with_stage();
    world.sim.register_principal(
        "ASIADEPLOYER",
        ACCOUNT,
        "arn:aws:sts::111122223333:assumed-role/deployer/ci",
    );
    world.key("ASIADEPLOYER");
    let before = world.sim.calls().last().unwrap().sequence;
    world
        .patch(
            "/restapis/{api}/stages/prod",
            &[("replace /tracingEnabled", json!("true"))],
        )
        .ok();
    world.patch(
        "/restapis/{api}/stages/prod",
        &[("replace /deploymentId", json!("nope"))],
    );
    world.get("/restapis/{api}/stages");
    let trail = world.sim.trail_after(before);
    let [done, failed, read] = trail.as_slice() else {
        panic!("{trail:?}")
    };
    assert_eq!(done["eventName"], "UpdateStage");
    assert_eq!(done["eventTime"], "2027-01-15T08:00:00Z");
    assert_eq!(
        done["requestParameters"],
        json!({"restApiId": world.id("api"), "stageName": "prod",
        "updateStageInput": {"patchOperations": [{"op": "replace", "path": "/tracingEnabled", "value": "true"}]}})
    );
    assert_eq!(done["responseElements"]["tracingEnabled"], true);
    assert_eq!(
        done["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"],
        "arn:aws:iam::111122223333:role/deployer"
    );
    assert_eq!((done.get("errorCode"), &done["readOnly"]), (None, &json!(false)));
    assert_eq!(
        (&failed["errorCode"], &failed["responseElements"]),
        (&json!("BadRequestException"), &Value::Null)
    );
    assert_eq!(
        (&read["readOnly"], &read["responseElements"]),
        (&json!(true), &Value::Null)
    );
    assert_ne!(done["eventID"], failed["eventID"]);
    let event = awsim::event(done);
    assert_eq!(
        (&event["source"], &event["detail"]["eventID"]),
        (&json!("aws.apigateway"), &event["id"])
    );
}

#[test]
fn the_same_seed_and_the_same_calls_give_the_same_ids() {
    let (one, other) = (World::new().with_stage(), World::new().with_stage());
    assert_eq!(one.export("prod"), other.export("prod"));
    assert_eq!(one.sim.trail(), other.sim.trail());
}

#[test]
fn calls_are_counted_by_operation() {
    let world = World::new().with_stage();
    world.sim.clear_calls();
    world.get("/restapis/{api}/stages");
    world.get("/restapis/{api}/stages");
    world.get("/restapis/{api}");
    assert_eq!(
        world.sim.calls_by_operation().into_iter().collect::<Vec<_>>(),
        [("GetRestApi", 1), ("GetStages", 2)]
    );
    assert_eq!(world.sim.calls()[0].ids["restApiId"], world.id("api"));
}
