//! Methods and gateway responses.

use serde_json::{Value, json};

use super::{ok, refused, replay, world_with_root};
use crate::world::patches;

const METHOD: &str = "PATCH /restapis/{api}/resources/{root}/methods/ANY";

#[test]
fn methods_are_patched_field_by_field() {
    let mut world = world_with_root();
    let authorizer = json!({"name": "a", "type": "TOKEN", "identitySource": "method.request.header.Authorization",
        "authorizerUri": "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:a/invocations"});
    let authorizer = world.post("/restapis/{api}/authorizers", &authorizer);
    world.name("authorizer", &authorizer["id"]);
    let optional = "method.request.querystring.optional";
    replay(
        world,
        vec![
            ok(
                "a method",
                "PUT /restapis/{api}/resources/{root}/methods/ANY",
                json!({"authorizationType": "NONE"}),
                201,
                json!({"apiKeyRequired": false, "authorizationType": "NONE", "httpMethod": "ANY"}),
            ),
            ok(
                "maps take members",
                METHOD,
                patches(&[
                    (
                        "add /requestParameters/method.request.querystring.optional",
                        json!("true"),
                    ),
                    ("add /requestModels/application~1json", json!("Empty")),
                ]),
                200,
                json!({"apiKeyRequired": false, "authorizationType": "NONE", "httpMethod": "ANY",
            "requestModels": {"application/json": "Empty"}, "requestParameters": {optional: true}}),
            ),
            ok(
                "values are replaced",
                METHOD,
                patches(&[
                    ("replace /apiKeyRequired", json!("true")),
                    ("replace /authorizationType", json!("AWS_IAM")),
                    ("replace /operationName", json!("ReplacedOperationName")),
                    (
                        "replace /requestParameters/method.request.querystring.optional",
                        json!("false"),
                    ),
                ]),
                200,
                json!({"apiKeyRequired": true, "authorizationType": "AWS_IAM", "httpMethod": "ANY",
            "operationName": "ReplacedOperationName", "requestModels": {"application/json": "Empty"},
            "requestParameters": {optional: false}}),
            ),
            ok(
                "an authorizer comes with its type",
                METHOD,
                patches(&[
                    ("replace /authorizationType", json!("CUSTOM")),
                    ("replace /authorizerId", json!("{authorizer}")),
                ]),
                200,
                json!({"apiKeyRequired": true, "authorizationType": "CUSTOM", "authorizerId": "<id>", "httpMethod": "ANY",
            "operationName": "ReplacedOperationName", "requestModels": {"application/json": "Empty"},
            "requestParameters": {optional: false}}),
            ),
            ok(
                "empty maps are left out",
                METHOD,
                patches(&[
                    (
                        "remove /requestParameters/method.request.querystring.optional",
                        Value::Null,
                    ),
                    ("remove /requestModels/application~1json", Value::Null),
                ]),
                200,
                json!({"apiKeyRequired": true, "authorizationType": "CUSTOM", "authorizerId": "<id>", "httpMethod": "ANY",
            "operationName": "ReplacedOperationName"}),
            ),
        ],
    );
}

const GATEWAY: &str = "PATCH /restapis/{api}/gatewayresponses/DEFAULT_4XX";

#[test]
fn gateway_responses_have_defaults_until_they_are_customised() {
    let template = "{\"message\":$context.error.messageString}";
    let first = json!({"defaultResponse": false, "responseParameters": {}, "responseTemplates": {"application/json": template},
        "responseType": "DEFAULT_4XX", "statusCode": "444"});
    let origin = "gatewayresponse.header.Access-Control-Allow-Origin";
    let second = json!({"defaultResponse": false, "responseParameters": {origin: "'a.b.c'"},
        "responseTemplates": {"application/json": "{}"}, "responseType": "DEFAULT_4XX", "statusCode": "404"});
    let third = json!({"defaultResponse": false, "responseParameters": {origin: "'example.com'"},
        "responseTemplates": {"application/json": "{}", "application/xml": "<m/>"}, "responseType": "DEFAULT_4XX", "statusCode": "444"});
    let bad = "BadRequestException";
    let set = |words: &'static str, value: Value| patches(&[(words, value)]);
    replay(
        world_with_root(),
        vec![
            ok(
                "the default, changed",
                GATEWAY,
                set("replace /statusCode", json!("444")),
                200,
                first.clone(),
            ),
            ok(
                "and read",
                "GET /restapis/{api}/gatewayresponses/DEFAULT_4XX",
                Value::Null,
                200,
                first,
            ),
            ok(
                "put replaces the whole",
                "PUT /restapis/{api}/gatewayresponses/DEFAULT_4XX",
                json!({"statusCode": "404", "responseParameters": {origin: "'a.b.c'"}, "responseTemplates": {"application/json": "{}"}}),
                201,
                second,
            ),
            ok(
                "several at once",
                GATEWAY,
                patches(&[
                    ("replace /statusCode", json!("444")),
                    ("add /responseTemplates/application~1xml", json!("<m/>")),
                    (
                        "replace /responseParameters/gatewayresponse.header.Access-Control-Allow-Origin",
                        json!("'example.com'"),
                    ),
                ]),
                200,
                third.clone(),
            ),
            ok(
                "and read",
                "GET /restapis/{api}/gatewayresponses/DEFAULT_4XX",
                Value::Null,
                200,
                third,
            ),
            refused(
                "add",
                GATEWAY,
                set("add /statusCode", json!("444")),
                bad,
                "Invalid patch path /statusCode",
            ),
            refused(
                "remove",
                GATEWAY,
                set("remove /statusCode", Value::Null),
                bad,
                "Invalid patch path /statusCode",
            ),
            refused(
                "a parameter that is not there",
                GATEWAY,
                set("replace /responseParameters/gatewayresponse.header.X", json!("'x'")),
                "NotFoundException",
                "Invalid parameter name specified",
            ),
            refused(
                "no path",
                GATEWAY,
                json!({"patchOperations": [{"op": "replace", "value": "x"}]}),
                bad,
                "Invalid patch path null",
            ),
            refused(
                "an unknown op",
                GATEWAY,
                set("wrong-op /statusCode", json!("x")),
                "ValidationException",
                "1 validation error detected: Value 'wrong-op' at 'updateGatewayResponseInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]",
            ),
            refused(
                "an unknown path",
                GATEWAY,
                set("replace /wrongPath", json!("x")),
                bad,
                "Invalid patch path /wrongPath",
            ),
            refused(
                "a template of nothing",
                GATEWAY,
                set("replace /responseTemplates/application~1json", Value::Null),
                bad,
                "Invalid null or empty value in responseTemplates",
            ),
            refused(
                "a parameter of nothing",
                GATEWAY,
                set(
                    "replace /responseParameters/gatewayresponse.header.Access-Control-Allow-Origin",
                    Value::Null,
                ),
                bad,
                "Invalid null or empty value in responseParameters",
            ),
        ],
    );
}
