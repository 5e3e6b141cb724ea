//! A stage's method settings: `*/*` stands for all, and AWS passes it on to none.

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::Target;

fn stage_of(settings: Value) -> World {
    World::of([stage("prod", json!({"methodSettings": settings}))])
}

#[test]
fn what_is_desired_of_the_default_entry_is_desired_of_every_entry() {
    let info = json!({"*/*": {"loggingLevel": "INFO"}});
    for (settings, desired, expected, why) in [
        (
            json!({"*/*": {"loggingLevel": "INFO"}}),
            info.clone(),
            "compliant",
            "the default stands and nothing else does",
        ),
        (
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "OFF"}}),
            info.clone(),
            "live in prod: UpdateStage replace /~1pets/GET/logging/loglevel=INFO",
            "AWS does not pass the default on to the entry of a method",
        ),
        (
            json!({"~1pets~1{id}/GET": {"loggingLevel": "OFF"}}),
            info.clone(),
            "live in prod: UpdateStage replace /*/*/logging/loglevel=INFO, replace /~1pets~1{id}/GET/logging/loglevel=INFO",
            "the default is made, and the others follow it; keys stand in paths as AWS answers them",
        ),
        (
            json!({}),
            info.clone(),
            "live in prod: UpdateStage replace /*/*/logging/loglevel=INFO",
            "there are no entries yet",
        ),
        (
            Value::Null,
            info.clone(),
            "live in prod: UpdateStage replace /*/*/logging/loglevel=INFO",
            "nor a map of them",
        ),
        (
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "ERROR"}, "~1cats/GET": {"loggingLevel": "OFF"}}),
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "ERROR"}}),
            "live in prod: UpdateStage replace /~1cats/GET/logging/loglevel=INFO",
            "an entry that the rule names is as the rule says",
        ),
        (
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "OFF", "throttlingBurstLimit": 10}}),
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"throttlingBurstLimit": 5}}),
            "live in prod: UpdateStage replace /~1pets/GET/logging/loglevel=INFO, replace /~1pets/GET/throttling/burstLimit=5",
            "and as the default says in everything else",
        ),
        (
            json!({}),
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"throttlingBurstLimit": 5}}),
            "live in prod: UpdateStage replace /*/*/logging/loglevel=INFO, replace /~1pets/GET/logging/loglevel=INFO, replace /~1pets/GET/throttling/burstLimit=5",
            "an entry that is made is born without the default's settings",
        ),
        (
            json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "OFF"}}),
            json!({"~1pets/GET": {"loggingLevel": "OFF"}}),
            "compliant",
            "what is desired of one method is desired of no other",
        ),
    ] {
        let world = stage_of(settings.clone()).under(policy(
            "p",
            rule(STAGE, json!({"desired": {"methodSettings": desired}})),
        ));
        assert_eq!(world.says(), expected, "{why}: {settings}");
    }
}

#[test]
fn a_computed_default_is_for_every_entry_too() {
    let fields = json!({
        "require": "object.methodSettings.all(k, object.methodSettings[k].throttlingBurstLimit <= 100)",
        "fix": "{'methodSettings': {'*/*': {'throttlingBurstLimit': 100}}}",
    });
    let settings = json!({"*/*": {"throttlingBurstLimit": 5000}, "~1pets/GET": {"throttlingBurstLimit": 7000}});
    let world = stage_of(settings).under(policy("p", rule(STAGE, fields)));
    assert_eq!(
        world.says(),
        "live in prod: UpdateStage replace /*/*/throttling/burstLimit=100, replace /~1pets/GET/throttling/burstLimit=100"
    );
}

#[test]
fn a_restored_default_is_put_back_where_it_stood() {
    let fields = json!({
        "require": "object.methodSettings['*/*'].throttlingBurstLimit <= 100",
        "restore": ["methodSettings[\"*/*\"].throttlingBurstLimit"],
    });
    let settings = json!({"*/*": {"throttlingBurstLimit": 5000}, "~1pets/GET": {"throttlingBurstLimit": 200}});
    let world = stage_of(settings).under(policy("p", rule(STAGE, fields))).after(
        Target::Stage,
        "prod",
        "methodSettings[\"*/*\"].throttlingBurstLimit",
        json!(50),
    );
    assert_eq!(
        world.says(),
        "live in prod: UpdateStage replace /*/*/throttling/burstLimit=50",
        "the limit of the single method is somebody's, and was never this one"
    );
}

#[test]
fn an_entry_goes_as_a_whole() {
    let settings =
        json!({"*/*": {"loggingLevel": "INFO"}, "~1pets/GET": {"loggingLevel": "OFF", "throttlingRateLimit": 10000.0}});
    for (absent, expected, why) in [
        (
            "methodSettings[\"~1pets/GET\"]",
            "live in prod: UpdateStage remove /~1pets/GET",
            "one call for the entry, not one for each setting",
        ),
        (
            "methodSettings[\"*/*\"]",
            "live in prod: UpdateStage remove /*/*",
            "without the default the entries of single methods stay",
        ),
        ("methodSettings[\"~1cats/GET\"]", "compliant", "it is not there"),
    ] {
        let world = stage_of(settings.clone()).under(policy("p", rule(STAGE, json!({"absent": [absent]}))));
        assert_eq!(world.says(), expected, "{why}");
    }
    let world = stage_of(settings).under(policy(
        "p",
        rule(STAGE, json!({"absent": ["methodSettings[\"~1pets/GET\"]"]})),
    ));
    assert_eq!(
        calls(&world.plan().inverse),
        "UpdateStage replace /~1pets/GET/logging/loglevel=OFF, replace /~1pets/GET/throttling/rateLimit=10000",
        "it is made again setting by setting"
    );
}

#[test]
fn the_inverse_of_a_new_entry_is_its_removal() {
    let desired = json!({"desired": {"methodSettings": {"*/*": {"loggingLevel": "INFO", "metricsEnabled": true}}}});
    for (settings, expected, why) in [
        (
            json!({}),
            "UpdateStage remove /*/*",
            "AWS makes the whole entry at the first setting, with defaults for the others",
        ),
        (
            Value::Null,
            "UpdateStage remove /*/*",
            "the same, where no map was there at all",
        ),
        (
            json!({"*/*": {"loggingLevel": "OFF", "metricsEnabled": false}}),
            "UpdateStage replace /*/*/logging/loglevel=OFF, replace /*/*/metrics/enabled=false",
            "an entry that was there keeps standing",
        ),
        (
            json!({"~1pets/GET": {"loggingLevel": "OFF", "metricsEnabled": true}}),
            "UpdateStage remove /*/*, replace /~1pets/GET/logging/loglevel=OFF",
            "one of each",
        ),
    ] {
        let world = stage_of(settings.clone()).under(policy("p", rule(STAGE, desired.clone())));
        assert_eq!(calls(&world.plan().inverse), expected, "{why}: {settings}");
        assert!(world.plan().irreversible.is_empty(), "{why}");
    }
}
