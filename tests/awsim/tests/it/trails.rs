//! The trail of an account: what CloudTrail says of it, and what stops it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World};

const ARN: &str = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/management-events";

fn described(world: &World, region: &str, body: &Value) -> Vec<Value> {
    let answer = world.cloudtrail_in(region, "DescribeTrails", body).ok();
    answer["trailList"].as_array().unwrap().clone()
}

fn logging(world: &World) -> Value {
    let status = world.cloudtrail("GetTrailStatus", &json!({"Name": ARN})).ok();
    status["IsLogging"].clone()
}

#[test]
fn every_account_has_a_trail_of_all_regions_that_logs() {
    let mut world = World::new().with_api();
    let trails = described(&world, REGION, &json!({}));
    let [trail] = trails.as_slice() else {
        panic!("{trails:?}")
    };
    assert_eq!(
        (
            &trail["Name"],
            &trail["IsMultiRegionTrail"],
            &trail["HomeRegion"],
            &trail["TrailARN"]
        ),
        (&json!("management-events"), &json!(true), &json!(REGION), &json!(ARN))
    );
    assert_eq!(trail["S3BucketName"], "cloudtrail-111122223333");
    world.pass(Duration::from_secs(5));
    let status = world
        .cloudtrail("GetTrailStatus", &json!({"Name": "management-events"}))
        .ok();
    assert_eq!(
        status,
        json!({"IsLogging": true, "LatestDeliveryTime": 1_800_000_000.0})
    );
    world.key("AKIA444455556666OTHER");
    let other = described(&world, REGION, &json!({}));
    assert_eq!(other[0]["TrailARN"], ARN.replace(ACCOUNT, "444455556666"));
}

#[test]
fn a_trail_of_all_regions_casts_shadows() {
    let world = World::new();
    let rows = [
        (REGION, json!({}), 1, "at home"),
        ("us-east-1", json!({}), 1, "its shadow"),
        (
            "us-east-1",
            json!({"includeShadowTrails": false}),
            0,
            "no shadow asked for",
        ),
        (REGION, json!({"includeShadowTrails": false}), 1, "at home it is none"),
        (
            REGION,
            json!({"trailNameList": ["management-events"]}),
            1,
            "by name at home",
        ),
        (
            "us-east-1",
            json!({"trailNameList": ["management-events"]}),
            0,
            "not by name elsewhere",
        ),
        (
            "us-east-1",
            json!({"trailNameList": ["another", ARN]}),
            1,
            "by ARN everywhere",
        ),
        (REGION, json!({"trailNameList": ["another"]}), 0, "another's name"),
    ];
    for (region, asked, count, why) in rows {
        let trails = described(&world, region, &asked);
        assert_eq!(trails.len(), count, "{why}");
        assert!(trails.iter().all(|trail| trail["HomeRegion"] == REGION), "{why}");
    }
}

#[test]
fn the_status_is_of_a_trail_that_is_there() {
    let world = World::new();
    let rows = [
        (REGION, "management-events", "", "by name"),
        ("us-east-1", ARN, "", "the shadow by its ARN"),
        (
            "us-east-1",
            "management-events",
            "TrailNotFoundException",
            "the shadow has no name",
        ),
        (REGION, "another", "TrailNotFoundException", "no such trail"),
        (REGION, "", "InvalidTrailNameException", "no name"),
        (
            REGION,
            "arn:aws:s3:::bucket",
            "CloudTrailARNInvalidException",
            "no trail's ARN",
        ),
    ];
    for (region, name, code, why) in rows {
        let answer = world.cloudtrail_in(region, "GetTrailStatus", &json!({"Name": name}));
        assert_eq!(answer.code, code, "{why}");
    }
    let unknown = world.cloudtrail("GetTrailStatus", &json!({"Name": "another"}));
    assert_eq!(unknown.message(), "Unknown trail: another for the user: 111122223333");
}

#[test]
fn a_trail_is_stopped_and_started_by_calls_that_are_recorded() {
    let mut world = World::new();
    let elsewhere = world.cloudtrail_in("us-east-1", "StopLogging", &json!({"Name": ARN}));
    assert_eq!(elsewhere.code, "InvalidHomeRegionException");
    world.cloudtrail("StopLogging", &json!({"Name": ARN})).ok();
    assert_eq!(logging(&world), false);
    world.pass(Duration::from_secs(9));
    world.cloudtrail("StartLogging", &json!({"Name": ARN})).ok();
    let status = world.cloudtrail("GetTrailStatus", &json!({"Name": ARN})).ok();
    assert_eq!(
        (
            &status["IsLogging"],
            &status["StopLoggingTime"],
            &status["StartLoggingTime"]
        ),
        (&json!(true), &json!(1_800_000_000.0), &json!(1_800_000_009.0))
    );
    let writes: Vec<Value> = world
        .sim
        .trail()
        .into_iter()
        .filter(|record| record["readOnly"] == false)
        .collect();
    let names: Vec<&Value> = writes.iter().map(|record| &record["eventName"]).collect();
    assert_eq!(names, ["StopLogging", "StopLogging", "StartLogging"]);
    assert_eq!(writes[1]["requestParameters"], json!({"name": ARN}));
}

#[test]
fn the_event_history_goes_on_without_a_trail() {
    let world = World::new();
    world.sim.change_trail(ACCOUNT, |trail| trail.logging = false);
    assert_eq!(logging(&world), false);
    world.sim.change_trail(ACCOUNT, |trail| trail.exists = false);
    assert_eq!(described(&world, REGION, &json!({})).len(), 0);
    let status = world.cloudtrail("GetTrailStatus", &json!({"Name": ARN}));
    assert_eq!(status.code, "TrailNotFoundException");
    let world = world.with_api();
    let asked = json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateRestApi"}]});
    assert_eq!(world.lookup(&asked).len(), 1);
}

#[test]
fn a_trail_of_one_region_is_in_that_region() {
    let world = World::new();
    world
        .sim
        .change_trail(ACCOUNT, |trail| trail.regions = Some(vec!["us-east-1".to_owned()]));
    assert_eq!(described(&world, REGION, &json!({})).len(), 0);
    let trails = described(&world, "us-east-1", &json!({}));
    assert_eq!(
        (&trails[0]["IsMultiRegionTrail"], &trails[0]["HomeRegion"]),
        (&json!(false), &json!("us-east-1"))
    );
    world.sim.change_trail(ACCOUNT, |trail| trail.regions = None);
    assert_eq!(described(&world, REGION, &json!({})).len(), 1);
}
