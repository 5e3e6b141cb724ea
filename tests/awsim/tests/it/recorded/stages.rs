//! Deployments and stages.

use serde_json::{Value, json};

use super::{ok, plain, refused, replay};
use crate::world::{World, patches};

fn stage(name: &str, more: &Value) -> Value {
    let mut stage = json!({"cacheClusterEnabled": false, "cacheClusterStatus": "NOT_AVAILABLE", "createdDate": "datetime",
        "deploymentId": "<id>", "lastUpdatedDate": "datetime", "methodSettings": {}, "stageName": name, "tracingEnabled": false});
    for (name, value) in more.as_object().unwrap() {
        stage[name] = value.clone();
    }
    stage
}

fn setting(burst: i64, caching: bool) -> Value {
    json!({"cacheDataEncrypted": false, "cacheTtlInSeconds": 300, "cachingEnabled": caching, "dataTraceEnabled": false,
        "metricsEnabled": false, "requireAuthorizationForCacheControl": true, "throttlingBurstLimit": burst,
        "throttlingRateLimit": 10000.0, "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER"})
}

/// An API with a deployment and no stage.
fn world_with_deployment() -> World {
    let mut world = World::new().with_api();
    let deployment = world.post("/restapis/{api}/deployments", &json!({}));
    world.name("deployment", &deployment["id"]);
    world
}

const S1: &str = "PATCH /restapis/{api}/stages/s1";
const STAGE_PATHS: &str = "Must be one of: [/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]";

#[test]
fn stage_settings_are_created_whole_and_kept_by_key() {
    let described = |text: &str| json!({"description": text, "documentationVersion": "v123"});
    let updated = |burst: i64| {
        stage(
            "s1",
            &json!({"description": "stage new", "documentationVersion": "v123", "tracingEnabled": true,
        "variables": {"var1": "test", "var2": "test2"},
        "methodSettings": {"*/*": setting(burst, true), "test/GET": setting(124, true)}}),
        )
    };
    let invalid = |path: &str| format!("Invalid method setting path: {path}. {STAGE_PATHS}");
    replay(
        world_with_deployment(),
        vec![
            ok(
                "a stage",
                "POST /restapis/{api}/stages",
                json!({"stageName": "s1", "deploymentId": "{deployment}", "description": "my stage",
            "documentationVersion": "v123"}),
                201,
                stage("s1", &described("my stage")),
            ),
            refused(
                "a path with a typing error",
                S1,
                patches(&[("replace /documentation_version", json!("v2"))]),
                "BadRequestException",
                &invalid("/documentation_version"),
            ),
            refused(
                "tags are not patched",
                S1,
                patches(&[("replace /tags/tag1", json!("x"))]),
                "BadRequestException",
                &invalid("/tags/tag1"),
            ),
            ok(
                "all at once; the settings of one method start from those of */*",
                S1,
                patches(&[
                    ("replace /description", json!("stage new")),
                    ("replace /variables/var1", json!("test")),
                    ("replace /variables/var2", json!("test2")),
                    ("replace /*/*/throttling/burstLimit", json!("123")),
                    ("replace /*/*/caching/enabled", json!("true")),
                    ("replace /tracingEnabled", json!("true")),
                    ("replace /test/GET/throttling/burstLimit", json!("124")),
                ]),
                200,
                updated(123),
            ),
            ok(
                "read back",
                "GET /restapis/{api}/stages/s1",
                Value::Null,
                200,
                updated(123),
            ),
            ok(
                "*/* does not touch test/GET",
                S1,
                patches(&[("replace /*/*/throttling/burstLimit", json!("100"))]),
                200,
                updated(100),
            ),
        ],
    );
}

#[test]
fn removing_method_settings_needs_some() {
    let plain_stage = || stage("s1", &json!({"description": "my stage"}));
    let remove = || patches(&[("remove /*/*", Value::Null)]);
    replay(
        world_with_deployment(),
        vec![
            ok(
                "a stage",
                "POST /restapis/{api}/stages",
                json!({"stageName": "s1", "deploymentId": "{deployment}", "description": "my stage"}),
                201,
                plain_stage(),
            ),
            refused(
                "none yet",
                S1,
                remove(),
                "BadRequestException",
                "Cannot remove method setting */* because there is no method setting for this method ",
            ),
            ok(
                "one change makes the whole entry",
                S1,
                patches(&[("replace /*/*/caching/enabled", json!("true"))]),
                200,
                stage(
                    "s1",
                    &json!({"description": "my stage", "methodSettings": {"*/*": setting(5000, true)}}),
                ),
            ),
            ok("removed", S1, remove(), 200, plain_stage()),
            ok(
                "and gone",
                "GET /restapis/{api}/stages/s1",
                Value::Null,
                200,
                plain_stage(),
            ),
        ],
    );
}

#[test]
fn stages_are_filtered_by_deployment() {
    let mut world = world_with_deployment();
    let second = world.post("/restapis/{api}/deployments", &json!({}));
    world.name("second", &second["id"]);
    world.post(
        "/restapis/{api}/stages",
        &json!({"stageName": "stage1", "deploymentId": "{deployment}"}),
    );
    world.post(
        "/restapis/{api}/stages",
        &json!({"stageName": "stage2", "deploymentId": "{second}"}),
    );
    let (one, two) = (stage("stage1", &json!({})), stage("stage2", &json!({})));
    replay(
        world,
        vec![
            ok(
                "all",
                "GET /restapis/{api}/stages",
                Value::Null,
                200,
                json!({"item": [one.clone(), two.clone()]}),
            ),
            ok(
                "the first's",
                "GET /restapis/{api}/stages?deploymentId={deployment}",
                Value::Null,
                200,
                json!({"item": [one]}),
            ),
            ok(
                "the second's",
                "GET /restapis/{api}/stages?deploymentId={second}",
                Value::Null,
                200,
                json!({"item": [two]}),
            ),
        ],
    );
}

#[test]
fn a_deployment_in_use_is_not_deleted() {
    let delete = "DELETE /restapis/{api}/deployments/{deployment}";
    let words = "Active stages pointing to this deployment must be moved or deleted";
    let deployment = json!({"createdDate": "datetime", "id": "<id>"});
    replay(
        World::new().with_api(),
        vec![
            ok(
                "made with a stage",
                "POST /restapis/{api}/deployments",
                json!({"stageName": "s1"}),
                201,
                deployment.clone(),
            )
            .keep("id", "deployment"),
            ok(
                "read",
                "GET /restapis/{api}/deployments/{deployment}",
                Value::Null,
                200,
                deployment.clone(),
            ),
            ok(
                "the stage is there",
                "GET /restapis/{api}/stages",
                Value::Null,
                200,
                json!({"item": [stage("s1", &json!({}))]}),
            ),
            refused("in use", delete, Value::Null, "BadRequestException", words),
            ok(
                "another",
                "POST /restapis/{api}/deployments",
                json!({"stageName": "s1"}),
                201,
                deployment.clone(),
            )
            .keep("id", "second"),
            ok("the first is free", delete, Value::Null, 202, Value::Null),
            ok(
                "the second is left",
                "GET /restapis/{api}/deployments",
                Value::Null,
                200,
                json!({"item": [deployment]}),
            ),
            refused(
                "and in use",
                "DELETE /restapis/{api}/deployments/{second}",
                Value::Null,
                "BadRequestException",
                words,
            ),
        ],
    );
}

#[test]
fn a_deployment_with_canary_settings_goes_to_the_canary() {
    let canary = |percent: f64, value: &str| {
        json!({"description": "dev stage", "variables": {"testVar": "default"},
        "canarySettings": {"deploymentId": "<id>", "percentTraffic": percent, "stageVariableOverrides": {"testVar": value}, "useStageCache": false}})
    };
    let create = |name: &str, settings: Value| {
        json!({"stageName": name, "deploymentId": "{deployment}", "description": "dev stage",
        "variables": {"testVar": "default"}, "canarySettings": settings})
    };
    let mut world = world_with_deployment();
    let made = world.post(
        "/restapis/{api}/stages",
        &create(
            "dev1",
            json!({"percentTraffic": 40.0, "stageVariableOverrides": {"testVar": "canary1"}}),
        ),
    );
    assert_eq!(plain(&made), stage("dev1", &canary(40.0, "canary1")));
    assert_eq!(
        made["canarySettings"]["deploymentId"], made["deploymentId"],
        "the canary starts where the stage is"
    );
    let deployment = world.post(
        "/restapis/{api}/deployments",
        &json!({"stageName": "dev1",
        "canarySettings": {"percentTraffic": 50.0, "stageVariableOverrides": {"testVar": "canary2"}}}),
    );
    world.name("second", &deployment["id"]);
    let read = world.get("/restapis/{api}/stages/dev1");
    assert_eq!(plain(&read), stage("dev1", &canary(50.0, "canary2")));
    assert_eq!(
        read["deploymentId"], made["deploymentId"],
        "the stage's own deployment stays"
    );
    assert_eq!(
        read["canarySettings"]["deploymentId"], deployment["id"],
        "the canary has the new one"
    );
    replay(
        world,
        vec![
            ok(
                "a canary may be told its deployment",
                "POST /restapis/{api}/stages",
                create(
                    "dev2",
                    json!({"deploymentId": "{second}", "percentTraffic": 60.0, "stageVariableOverrides": {"testVar": "canary-overridden"}}),
                ),
                201,
                stage("dev2", &canary(60.0, "canary-overridden")),
            ),
            refused(
                "but one that exists",
                "POST /restapis/{api}/stages",
                create("dev3", json!({"deploymentId": "deploy", "percentTraffic": 60.0})),
                "BadRequestException",
                "Deployment id does not exist",
            ),
        ],
    );
}
