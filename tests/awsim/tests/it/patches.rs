//! Patch operations: the documented table and nothing else.

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn paths_outside_the_table_are_refused() {
    let rows = [
        ("/restapis/{api}", "replace /tags/x", "tags have calls of their own"),
        ("/restapis/{api}", "replace /id", "an id is for ever"),
        ("/restapis/{api}", "remove /policy", "only replaced, with nothing"),
        (
            "/restapis/{api}/stages/prod",
            "replace /methodSettings/*~1*/loggingLevel",
            "no such prefix",
        ),
        ("/restapis/{api}/stages/prod", "add /tracingEnabled", "replace alone"),
        ("/restapis/{api}/stages/prod", "replace /webAclArn", "WAF's"),
        (
            "/restapis/{api}/resources/{pets}/methods/GET/integration",
            "replace /type",
            "PutIntegration replaces the whole",
        ),
        (
            "/restapis/{api}/resources/{pets}/methods/GET/integration",
            "replace /credentials",
            "not in the table",
        ),
        (
            "/restapis/{api}/resources/{pets}/methods/GET",
            "replace /httpMethod",
            "it is the key",
        ),
        ("/account", "replace /throttleSettings", "AWS's own"),
    ];
    let world = World::new().with_stage();
    for (path, words, why) in rows {
        let answer = world.patch(path, &[(words, json!("x"))]);
        assert_eq!(
            (answer.status, answer.code.as_str()),
            (400, "BadRequestException"),
            "{words}: {why}"
        );
    }
}

#[test]
fn a_refused_path_names_those_that_are_known() {
    let world = World::new().with_api();
    let answer = world.patch("/restapis/{api}/resources/{pets}", &[("replace /wrong", json!("x"))]);
    assert_eq!(
        answer.message(),
        "Invalid patch path  '/wrong' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"
    );
}

#[test]
fn integrations_change_field_by_field_but_not_in_type() {
    let path = "/restapis/{api}/resources/{pets}/methods/GET/integration";
    let rows = [
        (
            "replace /uri",
            json!("https://other.example.com"),
            "/uri",
            json!("https://other.example.com"),
        ),
        (
            "replace /timeoutInMillis",
            json!("1000"),
            "/timeoutInMillis",
            json!(1000),
        ),
        (
            "replace /tlsConfig/insecureSkipVerification",
            json!("true"),
            "/tlsConfig/insecureSkipVerification",
            json!(true),
        ),
        (
            "add /requestParameters/integration.request.header.a",
            json!("'b'"),
            "/requestParameters/integration.request.header.a",
            json!("'b'"),
        ),
        (
            "add /cacheKeyParameters/method.request.path.x",
            Value::Null,
            "/cacheKeyParameters/0",
            json!("method.request.path.x"),
        ),
        (
            "replace /passthroughBehavior",
            json!("NEVER"),
            "/passthroughBehavior",
            json!("NEVER"),
        ),
    ];
    for (words, value, pointer, expected) in rows {
        let world = World::new().with_api();
        world.patch(path, &[(words, value)]).ok();
        assert_eq!(world.get(path).pointer(pointer), Some(&expected), "{words}");
    }
    let world = World::new().with_api();
    assert_eq!(
        world.patch(path, &[("replace /uri", json!("ftp://x"))]).message(),
        "Invalid HTTP endpoint specified for URI"
    );
}

#[test]
fn an_authorizer_must_exist_before_a_method_names_it() {
    let world = World::new().with_api();
    let answer = world.patch(
        "/restapis/{api}/resources/{pets}/methods/GET",
        &[("replace /authorizationType", json!("CUSTOM"))],
    );
    assert!(
        answer.message().starts_with("Invalid authorizer ID specified"),
        "{answer:?}"
    );
}

#[test]
fn the_body_of_a_patch_must_be_json_with_strings() {
    let world = World::new().with_api();
    let answer = world.call(
        "PATCH /restapis/{api}",
        &json!({"patchOperations": [{"op": "replace", "path": "/name", "value": 7}]}),
    );
    assert_eq!((answer.status, answer.code.as_str()), (400, "SerializationException"));
}
