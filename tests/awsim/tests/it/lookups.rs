//! What `LookupEvents` tells, to whom, and when.

use std::time::Duration;

use awsim::{Fault, Options};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::world::{ACCOUNT, World};

fn by(key: &str, value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["EventName"].as_str().unwrap())
        .collect()
}

/// Alice patches the stage, and the deployer, a role, deploys a second later and reads.
fn edited_and_deployed() -> World {
    let mut world = World::new().with_stage();
    let deployer = "arn:aws:sts::111122223333:assumed-role/deployer/ci-42";
    world.sim.register_principal("ASIADEPLOYER", ACCOUNT, deployer);
    world.pass(Duration::from_mins(1));
    world.key("AKIA111122223333ALICE");
    let traced = [("replace /tracingEnabled", json!("true"))];
    world.patch("/restapis/{api}/stages/prod", &traced).ok();
    world.pass(Duration::from_secs(1));
    world.key("ASIADEPLOYER");
    world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
    world.get("/restapis/{api}/stages");
    world
}

#[test]
fn an_event_says_who_did_what_when() {
    let world = edited_and_deployed();
    let events = world.lookup(&by("EventName", "UpdateStage"));
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    let record: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert!(
        world.sim.trail().contains(&record),
        "the record is the one of the trail"
    );
    assert_eq!(
        *event,
        json!({
            "EventId": record["eventID"],
            "EventName": "UpdateStage",
            "ReadOnly": "false",
            "EventTime": 1_800_000_060.0,
            "EventSource": "apigateway.amazonaws.com",
            "Username": "alice",
            "Resources": [],
            "CloudTrailEvent": event["CloudTrailEvent"],
            "AccessKeyId": "AKIA111122223333ALICE",
        })
    );
    let answer = world.answer("POST /", &Value::Null).response;
    assert_eq!(answer.status(), 403, "a POST without a target is no CloudTrail");
}

#[test]
fn one_attribute_finds_the_events_that_have_it() {
    let mut world = edited_and_deployed();
    world.key("AKIA111122223333READER");
    let [first] = &world.lookup(&by("EventName", "UpdateStage"))[..] else {
        panic!("one UpdateStage")
    };
    let id = first["EventId"].as_str().unwrap();
    let rows: [(&str, &str, &[&str], &str); 11] = [
        ("EventName", "UpdateStage", &["UpdateStage"], "by name"),
        ("EventName", "DeleteStage", &[], "nobody did"),
        ("EventId", id, &["UpdateStage"], "by id"),
        ("Username", "alice", &["UpdateStage"], "a user's name"),
        (
            "Username",
            "ci-42",
            &["GetStages", "CreateDeployment"],
            "a session's name",
        ),
        ("Username", "deployer", &[], "not the role's"),
        ("AccessKeyId", "AKIA111122223333ALICE", &["UpdateStage"], "by key"),
        ("EventSource", "s3.amazonaws.com", &[], "another service"),
        (
            "ReadOnly",
            "true",
            &["LookupEvents", "LookupEvents"],
            "the newest reads are these",
        ),
        (
            "ResourceName",
            world.id("api"),
            &[],
            "CloudTrail does not know REST APIs as resources",
        ),
        ("ResourceType", "AWS::ApiGateway::RestApi", &[], "nor by type"),
    ];
    for (key, value, expected, why) in rows {
        let found = world.lookup(&by(key, value));
        let found = names(&found);
        if key == "ReadOnly" {
            assert_eq!(&found[..2], expected, "{why}");
        } else {
            assert_eq!(found, expected, "{why}: newest first");
        }
    }
    let source = world.lookup(&by("EventSource", "cloudtrail.amazonaws.com"));
    assert_eq!(source.len(), 12, "lookups are events themselves, this one not yet");
}

#[test]
fn events_lie_within_the_time_asked_for_and_ninety_days() {
    let mut world = edited_and_deployed();
    let edit = 1_800_000_060.0;
    let rows = [
        (json!({}), 1, "without times everything"),
        (json!({"StartTime": edit, "EndTime": edit}), 1, "both ends are within"),
        (json!({"StartTime": edit + 0.5}), 0, "later only"),
        (json!({"EndTime": edit - 0.5}), 0, "earlier only"),
        (
            json!({"StartTime": 1_800_000_060, "EndTime": 1.8e9 + 100.0}),
            1,
            "whole numbers too",
        ),
        (json!({"EventCategory": "insight"}), 0, "no Insights events"),
    ];
    for (times, count, why) in rows {
        let mut asked = by("EventName", "UpdateStage");
        asked
            .as_object_mut()
            .unwrap()
            .extend(times.as_object().unwrap().clone());
        assert_eq!(world.lookup(&asked).len(), count, "{why}");
    }
    world.pass(Duration::from_secs(90 * 24 * 3600 - 2));
    assert_eq!(world.lookup(&by("EventName", "UpdateStage")).len(), 1);
    world.pass(Duration::from_secs(2));
    assert_eq!(
        world.lookup(&by("EventName", "UpdateStage")).len(),
        0,
        "90 days and a second old"
    );
}

#[test]
fn events_appear_after_the_delay() {
    let mut world = World::with(Options {
        lookup_delay: Duration::from_mins(5),
        ..Options::default()
    })
    .with_api();
    let count = |world: &World| world.lookup(&by("EventName", "CreateRestApi")).len();
    assert_eq!(count(&world), 0);
    world.pass(Duration::from_secs(299));
    assert_eq!(count(&world), 0, "a second too early");
    world.pass(Duration::from_secs(1));
    assert_eq!(count(&world), 1);
    world.sim.set_lookup_delay(Duration::from_secs(301));
    assert_eq!(count(&world), 0, "the delay may be turned");
}

#[test]
fn pages_hold_every_event_once_while_new_ones_arrive() {
    let world = World::new().with_stage();
    for number in 0..7 {
        let patch = [("replace /description", json!(number.to_string()))];
        world.patch("/restapis/{api}/stages/prod", &patch).ok();
    }
    let mut asked = by("EventName", "UpdateStage");
    asked["MaxResults"] = json!(3);
    let (mut ids, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = world.cloudtrail("LookupEvents", &asked).ok();
        let events = page["Events"].as_array().unwrap();
        sizes.push(events.len());
        ids.extend(events.iter().map(|event| event["EventId"].as_str().unwrap().to_owned()));
        // Somebody goes on patching: newer than every page that follows.
        let patch = [("replace /description", json!("late"))];
        world.patch("/restapis/{api}/stages/prod", &patch).ok();
        if page["NextToken"].is_null() {
            break;
        }
        asked["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!(sizes, [3, 3, 1]);
    let trail = world.sim.trail();
    let mut recorded: Vec<&str> = trail
        .iter()
        .filter(|record| record["eventName"] == "UpdateStage")
        .map(|record| record["eventID"].as_str().unwrap())
        .take(7)
        .collect();
    recorded.reverse();
    assert_eq!(ids, recorded, "newest first, by the ids of the trail");
    assert_eq!(world.lookup(&json!({})).len(), 18, "fewer than the 50 of a page: all");
}

#[test]
fn a_token_goes_on_with_its_own_question_alone() {
    let mut world = edited_and_deployed();
    let first = world.cloudtrail("LookupEvents", &json!({"MaxResults": 2})).ok();
    let token = first["NextToken"].as_str().unwrap();
    let rows = [
        (json!({"MaxResults": 2, "NextToken": token}), true, "the same"),
        (json!({"MaxResults": 3, "NextToken": token}), false, "another size"),
        (
            json!({"MaxResults": 2, "NextToken": token, "EndTime": 1.9e9}),
            false,
            "another time",
        ),
        (
            json!({"MaxResults": 2, "NextToken": "nonsense"}),
            false,
            "no token at all",
        ),
        (
            json!({"MaxResults": 2, "NextToken": format!("{token}0")}),
            false,
            "a longer one",
        ),
        (
            json!({"MaxResults": 2, "NextToken": "ä".repeat(24)}),
            false,
            "strange letters",
        ),
    ];
    for (asked, good, why) in rows {
        let answer = world.cloudtrail("LookupEvents", &asked);
        let code = if good { "" } else { "InvalidNextTokenException" };
        assert_eq!((answer.status == 200, answer.code.as_str()), (good, code), "{why}");
    }
    world.key("AKIA444455556666OTHER");
    let answer = world.cloudtrail("LookupEvents", &json!({"MaxResults": 2, "NextToken": token}));
    assert_eq!(answer.code, "InvalidNextTokenException", "another account's");
}

#[test]
fn what_cannot_be_asked_is_refused_in_the_words_of_json_1_1() {
    let world = World::new();
    let pair = json!({"AttributeKey": "EventName", "AttributeValue": "x"});
    let rows = [
        (
            json!({"LookupAttributes": [pair, pair]}),
            "InvalidLookupAttributesException",
            "two attributes",
        ),
        (
            by("Colour", "red"),
            "InvalidLookupAttributesException",
            "no such attribute",
        ),
        (
            by("EventName", ""),
            "InvalidLookupAttributesException",
            "an empty value",
        ),
        (
            by("EventName", &"x".repeat(2001)),
            "InvalidLookupAttributesException",
            "a long value",
        ),
        (json!({"MaxResults": 0}), "InvalidMaxResultsException", "none"),
        (
            json!({"MaxResults": 51}),
            "InvalidMaxResultsException",
            "more than a page",
        ),
        (
            json!({"StartTime": 2, "EndTime": 1}),
            "InvalidTimeRangeException",
            "backwards",
        ),
        (
            json!({"StartTime": -1}),
            "InvalidTimeRangeException",
            "before time began",
        ),
        (
            json!({"EventCategory": "data"}),
            "InvalidEventCategoryException",
            "no such category",
        ),
        (
            json!({"MaxResults": "ten"}),
            "SerializationException",
            "words for numbers",
        ),
        (json!([]), "SerializationException", "no object"),
    ];
    for (asked, code, why) in rows {
        let answer = world.cloudtrail("LookupEvents", &asked);
        assert_eq!((answer.status, answer.code.as_str()), (400, code), "{why}");
        assert_eq!(answer.body["__type"], code, "{why}: the body says so too");
    }
    let unknown = world.cloudtrail("CreateTrail", &json!({}));
    assert_eq!(
        (unknown.status, unknown.code.as_str()),
        (400, "UnknownOperationException")
    );
}

#[test]
fn both_forms_of_the_target_are_understood() {
    let world = World::new();
    for prefix in ["", "com.amazonaws.cloudtrail.v20131101."] {
        let mut request = world.request("POST /", &json!({}));
        let target = format!("{prefix}CloudTrail_20131101.LookupEvents");
        request.headers_mut().insert("x-amz-target", target.parse().unwrap());
        let response = world.sim.answer(&request, world.now).response;
        assert_eq!(response.status(), 200, "{target}");
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    }
    let mut request = world.request("POST /", &json!({}));
    request
        .headers_mut()
        .insert("x-amz-target", "AmazonSQS.LookupEvents".parse().unwrap());
    *request.body_mut() = Bytes::from_static(b"{}");
    assert_eq!(
        world.sim.answer(&request, world.now).response.status(),
        400,
        "another service's"
    );
}

#[test]
fn accounts_and_regions_have_histories_of_their_own() {
    let mut world = edited_and_deployed();
    let elsewhere = world
        .cloudtrail_in("us-east-1", "LookupEvents", &by("EventName", "UpdateStage"))
        .ok();
    assert_eq!(elsewhere["Events"], json!([]), "another region");
    world.key("AKIA444455556666OTHER");
    assert_eq!(world.lookup(&json!({})).len(), 0, "another account");
    assert_eq!(names(&world.lookup(&json!({}))), ["LookupEvents"], "its own lookup");
}

#[test]
fn two_lookups_a_second_and_none_of_them_from_api_gateways_bucket() {
    let mut world = World::new();
    world.sim.set_quotas(true);
    let asked = || world.cloudtrail("LookupEvents", &json!({}));
    assert_eq!([asked().status, asked().status], [200, 200]);
    let refused = asked();
    assert_eq!(
        (refused.status, refused.code.as_str(), refused.message()),
        (400, "ThrottlingException", "Rate exceeded")
    );
    let accounts = (0..60).filter(|_| world.call("GET /account", &Value::Null).status == 200);
    assert_eq!(accounts.count(), 40, "API Gateway's bucket is still full");
    assert_eq!(
        world.cloudtrail("DescribeTrails", &json!({})).status,
        200,
        "nor is it asked"
    );
    let other = world.cloudtrail_in("us-east-1", "LookupEvents", &json!({}));
    assert_eq!(other.status, 200, "another region has a bucket of its own");
    world.pass(Duration::from_millis(500));
    let served = (0..5).filter(|_| world.cloudtrail("LookupEvents", &json!({})).status == 200);
    assert_eq!(served.count(), 1, "half a second later one more");
}

#[test]
fn sweeps_push_no_write_out_and_neither_grows_without_end() {
    let world = World::with(Options {
        trail_kept: 4,
        ..Options::default()
    })
    .with_stage();
    let patch = |number: u32| {
        let patch = [("replace /description", json!(number.to_string()))];
        world.patch("/restapis/{api}/stages/prod", &patch).ok();
    };
    patch(0);
    for _ in 0..10 {
        world.get("/restapis/{api}/stages");
    }
    assert_eq!(names(&world.lookup(&by("EventName", "UpdateStage"))), ["UpdateStage"]);
    for number in 1..7 {
        patch(number);
        world.get("/restapis/{api}/stages");
    }
    let trail = world.sim.trail();
    let recorded: Vec<&Value> = trail.iter().rev().map(|record| &record["eventID"]).collect();
    let found = world.lookup(&json!({}));
    let expected = ["GetStages", "UpdateStage"].repeat(4);
    assert_eq!(names(&found), expected, "four of each kind, newest first");
    let told: Vec<&Value> = found.iter().map(|event| &event["EventId"]).collect();
    assert_eq!(told, recorded, "the trail has the same, in order of sequence");
}

#[test]
fn a_fault_strikes_lookups_by_name() {
    let world = World::new();
    let fault = Fault::error("LookupEvents", 400, "ThrottlingException", "Rate exceeded");
    world.sim.fault(fault.times(1));
    let struck = world.cloudtrail("LookupEvents", &json!({}));
    assert_eq!(
        (struck.status, struck.body["__type"].as_str()),
        (400, Some("ThrottlingException"))
    );
    assert_eq!(world.cloudtrail("LookupEvents", &json!({})).status, 200);
}

#[test]
fn lookups_are_calls_and_records_themselves() {
    let world = World::new();
    let mut asked = by("EventName", "UpdateStage");
    asked["MaxResults"] = json!(10);
    world.lookup(&asked);
    let call = world.sim.calls().pop().unwrap();
    assert_eq!(
        (call.operation, call.read_only, call.status),
        ("LookupEvents", true, 200)
    );
    let record = world.sim.trail().pop().unwrap();
    assert_eq!(
        (
            &record["eventSource"],
            &record["eventName"],
            &record["readOnly"],
            &record["responseElements"]
        ),
        (
            &json!("cloudtrail.amazonaws.com"),
            &json!("LookupEvents"),
            &json!(true),
            &Value::Null
        )
    );
    assert_eq!(
        record["requestParameters"],
        json!({"lookupAttributes": [{"attributeKey": "EventName", "attributeValue": "UpdateStage"}], "maxResults": 10})
    );
    assert_eq!(awsim::event(&record)["source"], "aws.cloudtrail");
}
