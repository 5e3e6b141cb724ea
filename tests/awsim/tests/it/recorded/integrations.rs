//! Integrations and responses.

use serde_json::{Value, json};

use super::{ok, plain, refused, replay, world_with_method};
use crate::world::{World, patches};

#[test]
fn integrations_need_a_known_type_and_a_method() {
    let mock = || json!({"type": "MOCK"});
    let missing = "NotFoundException";
    replay(
        world_with_method(),
        vec![
            refused(
                "a type that does not exist",
                "PUT /restapis/{api}/resources/{root}/methods/GET/integration",
                json!({"type": "HTTPS_PROXY", "uri": "https://x.example.com", "httpMethod": "GET"}),
                "ValidationException",
                "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
            ),
            refused(
                "no such method",
                "PUT /restapis/{api}/resources/{root}/methods/POST/integration",
                mock(),
                missing,
                "Invalid Method identifier specified",
            ),
            refused(
                "no such resource",
                "PUT /restapis/{api}/resources/wrong/methods/GET/integration",
                mock(),
                missing,
                "Invalid Resource identifier specified",
            ),
            refused(
                "no such method for a response",
                "PUT /restapis/{api}/resources/{root}/methods/POST/integration/responses/200",
                json!({}),
                missing,
                "Invalid Method identifier specified",
            ),
            refused(
                "no such resource for a response",
                "PUT /restapis/{api}/resources/wrong/methods/GET/integration/responses/200",
                json!({}),
                missing,
                "Invalid Resource identifier specified",
            ),
        ],
    );
}

#[test]
fn empty_response_templates_come_back_as_null() {
    let world = world_with_method();
    world.put(
        "/restapis/{api}/resources/{root}/methods/GET/integration",
        &json!({"type": "MOCK"}),
    );
    world.put("/restapis/{api}/resources/{root}/methods/GET/responses/200", &json!({}));
    let line = "PUT /restapis/{api}/resources/{root}/methods/GET/integration/responses/200";
    let null = json!({"responseTemplates": {"application/json": null}, "selectionPattern": "", "statusCode": "200"});
    let body = |template: Value| json!({"selectionPattern": "", "responseTemplates": {"application/json": template}});
    replay(
        world,
        vec![
            ok("null", line, body(Value::Null), 201, null.clone()),
            ok("empty", line, body(json!("")), 201, null),
            ok(
                "none",
                line,
                json!({"selectionPattern": ""}),
                201,
                json!({"selectionPattern": "", "statusCode": "200"}),
            ),
        ],
    );
}

#[test]
fn a_vpc_link_integration_shows_its_connection_and_defaults() {
    let line = "/restapis/{api}/resources/{root}/methods/GET/integration";
    let shown = |id: &str| {
        json!({"cacheKeyParameters": [], "cacheNamespace": "<id>", "connectionId": id, "connectionType": "VPC_LINK",
        "httpMethod": "GET", "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "type": "HTTP_PROXY",
        "uri": "http://nlb.example.com"})
    };
    let put = json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://nlb.example.com", "connectionType": "VPC_LINK",
        "connectionId": "${stageVariables.vpcLinkId}"});
    let (first, second) = (
        shown("${stageVariables.vpcLinkId}"),
        shown("${stageVariables.vpcLinkIdBeta}"),
    );
    let world = world_with_method();
    let put = world.call(&format!("PUT {line}"), &put);
    assert_eq!((put.status, plain(&put.body)), (201, plain(&first)), "put");
    assert_eq!(plain(&world.get(line)), plain(&first), "read");
    let patched = world.patch(
        line,
        &[("replace /connectionId", json!("${stageVariables.vpcLinkIdBeta}"))],
    );
    assert_eq!((patched.status, plain(&patched.body)), (200, plain(&second)), "patched");
    assert_eq!(plain(&world.get(line)), plain(&second), "read again");
}

const RESPONSE: &str = "PATCH /restapis/{api}/resources/{root}/methods/GET/responses/200";

fn world_with_response() -> World {
    let world = world_with_method();
    world.put("/restapis/{api}/resources/{root}/methods/GET/responses/200", &json!({}));
    world
}

#[test]
fn method_responses_are_patched_with_status_201() {
    let missing = "NotFoundException";
    let (parameter, kind) = (
        "Invalid parameter name specified",
        "Content-Type specified was not found",
    );
    replay(
        world_with_response(),
        vec![
            refused(
                "replacing a parameter that is not there",
                RESPONSE,
                patches(&[(
                    "replace /responseParameters/method.response.header.my-header",
                    json!("true"),
                )]),
                missing,
                parameter,
            ),
            refused(
                "removing one",
                RESPONSE,
                patches(&[("remove /responseParameters/method.response.header.wrong", Value::Null)]),
                missing,
                parameter,
            ),
            refused(
                "replacing a model",
                RESPONSE,
                patches(&[("replace /responseModels/application~1json", json!("Empty"))]),
                missing,
                kind,
            ),
            refused(
                "removing one",
                RESPONSE,
                patches(&[("remove /responseModels/application~1wrong", Value::Null)]),
                missing,
                kind,
            ),
            refused(
                "a wrong path",
                RESPONSE,
                patches(&[("add /wrong/method.response.header.my-header", json!("true"))]),
                "BadRequestException",
                "Invalid patch path /wrong/method.response.header.my-header",
            ),
            ok(
                "both added",
                RESPONSE,
                patches(&[
                    (
                        "add /responseParameters/method.response.header.my-header",
                        json!("true"),
                    ),
                    ("add /responseModels/application~1json", json!("Empty")),
                ]),
                201,
                json!({"responseModels": {"application/json": "Empty"},
            "responseParameters": {"method.response.header.my-header": true}, "statusCode": "200"}),
            ),
            ok(
                "both removed",
                RESPONSE,
                patches(&[
                    (
                        "remove /responseParameters/method.response.header.my-header",
                        Value::Null,
                    ),
                    ("remove /responseModels/application~1json", Value::Null),
                ]),
                201,
                json!({"statusCode": "200"}),
            ),
        ],
    );
}

#[test]
fn every_violation_of_a_request_is_named_at_once() {
    let op = |n: usize| {
        format!(
            "Value 'wrong_op' at 'updateMethodResponseInput.patchOperations.{n}.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
        )
    };
    let status = "Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d";
    let wrong = || ("wrong_op /responseParameters/x", json!("true"));
    let right = || ("add /responseParameters/method.response.header.x", json!("true"));
    let (validation, missing) = ("ValidationException", "NotFoundException");
    let many = |ns: &[usize]| {
        format!(
            "{} validation errors detected: {}",
            ns.len(),
            ns.iter().map(|n| op(*n)).collect::<Vec<_>>().join("; ")
        )
    };
    let at = |status: &str| -> &'static str {
        if status == "wrong" {
            "PATCH /restapis/{api}/resources/{root}/methods/GET/responses/wrong"
        } else {
            "PATCH /restapis/{api}/resources/{root}/methods/GET/responses/201"
        }
    };
    replay(
        world_with_response(),
        vec![
            refused(
                "one",
                RESPONSE,
                patches(&[wrong()]),
                validation,
                &format!("1 validation error detected: {}", op(1)),
            ),
            refused(
                "two",
                RESPONSE,
                patches(&[wrong(), wrong()]),
                validation,
                &many(&[1, 2]),
            ),
            refused(
                "four",
                RESPONSE,
                patches(&[wrong(), wrong(), wrong(), wrong()]),
                validation,
                &many(&[1, 2, 3, 4]),
            ),
            refused(
                "with a right one between",
                RESPONSE,
                patches(&[wrong(), right(), wrong()]),
                validation,
                &many(&[1, 3]),
            ),
            refused(
                "a status that no response has",
                at("201"),
                patches(&[right()]),
                missing,
                "Invalid Response status code specified",
            ),
            refused(
                "no status at all",
                at("wrong"),
                patches(&[right()]),
                validation,
                &format!("1 validation error detected: {status}"),
            ),
            refused(
                "op and status",
                at("wrong"),
                patches(&[wrong()]),
                validation,
                &format!("2 validation errors detected: {}; {status}", op(1)),
            ),
            refused(
                "no such resource",
                "PATCH /restapis/{api}/resources/wrong/methods/GET/responses/200",
                patches(&[right()]),
                missing,
                "Invalid Resource identifier specified",
            ),
            refused(
                "no such method",
                "PATCH /restapis/{api}/resources/{root}/methods/POST/responses/200",
                patches(&[right()]),
                missing,
                "Invalid Method identifier specified",
            ),
        ],
    );
}
