use serde_json::json;

use super::*;

fn authorizer(editor: &mut Editor, export: &mut Value) {
    editor.authorizers = vec![
        json!({"id": "z1", "name": "staff", "type": "TOKEN", "authType": "custom",
        "authorizerUri": "arn:aws:lambda:f", "identitySource": "method.request.header.Authorization",
        "authorizerResultTtlInSeconds": 300}),
    ];
    export["components"]["securitySchemes"] = json!({"staff": {"type": "apiKey", "name": "Authorization", "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": "arn:aws:lambda:f"}}});
    exported(export)["security"] = json!([{"staff": []}]);
    pets(editor)["authorizationType"] = json!("CUSTOM");
    pets(editor)["authorizerId"] = json!("z1");
}

fn validator(editor: &mut Editor, export: &mut Value) {
    editor.request_validators =
        vec![json!({"id": "v1", "name": "body", "validateRequestBody": true, "validateRequestParameters": false})];
    export["x-amazon-apigateway-request-validators"] =
        json!({"body": {"validateRequestBody": true, "validateRequestParameters": false}});
    exported(export)["x-amazon-apigateway-request-validator"] = json!("body");
    pets(editor)["requestValidatorId"] = json!("v1");
}

fn response(editor: &mut Editor, export: &mut Value) {
    editor.gateway_responses = vec![
        json!({"responseType": "THROTTLED", "statusCode": "503", "defaultResponse": false,
        "responseParameters": {}, "responseTemplates": {"application/json": "{}"}}),
    ];
    export["x-amazon-apigateway-gateway-responses"] =
        json!({"THROTTLED": {"statusCode": 503, "responseTemplates": {"application/json": "{}"}}});
}

#[test]
#[allow(clippy::too_many_lines, clippy::semicolon_if_nothing_returned)] // one row a reason
fn edits_of_what_has_a_name() {
    run(&[
        ("an authorizer, as deployed", authorizer, Clean),
        (
            "an authorizer calls another function",
            |e, x| {
                authorizer(e, x);
                e.authorizers[0]["authorizerUri"] = json!("g");
            },
            Dirty("the authorizer staff authorizerUri: deployed arn:aws:lambda:f, drafted g"),
        ),
        (
            "an authorizer caches for another time",
            |e, x| {
                authorizer(e, x);
                e.authorizers[0]["authorizerResultTtlInSeconds"] = json!(0);
            },
            CannotTell("authorizerResultTtlInSeconds"),
        ),
        (
            "another authorizer",
            |e, x| {
                authorizer(e, x);
                let mut other = e.authorizers[0].clone();
                (other["id"], other["name"]) = (json!("z2"), json!("guests"));
                e.authorizers.push(other);
                pets(e)["authorizerId"] = json!("z2");
            },
            Dirty("GET /pets authorizerId: deployed staff, drafted guests"),
        ),
        (
            "an authorizer that was not read",
            |e, x| {
                authorizer(e, x);
                pets(e)["authorizerId"] = json!("z9");
            },
            CannotTell("z9"),
        ),
        (
            "an authorizer that nothing uses",
            |e, _| e.authorizers = vec![json!({"id": "z3", "name": "new", "type": "TOKEN"})],
            CannotTell("the authorizer new"),
        ),
        (
            "an authorizer that was removed",
            |e, x| {
                authorizer(e, x);
                e.authorizers.clear();
            },
            Dirty("staff was removed"),
        ),
        ("a validator, as deployed", validator, Clean),
        (
            "a validator checks more",
            |e, x| {
                validator(e, x);
                e.request_validators[0]["validateRequestParameters"] = json!(true);
            },
            Dirty("validateRequestParameters"),
        ),
        (
            "a validator that a method no longer names",
            |e, x| {
                validator(e, x);
                pets(e)["requestValidatorId"] = Value::Null;
            },
            Dirty("requestValidatorId: deployed body, drafted nothing"),
        ),
        (
            "a validator that the export's method does not name",
            |e, x| {
                validator(e, x);
                exported(x)
                    .as_object_mut()
                    .unwrap()
                    .remove("x-amazon-apigateway-request-validator");
            },
            CannotTell("requestValidatorId"),
        ),
        ("a gateway response, as deployed", response, Clean),
        (
            "a gateway response that AWS made",
            |e, _| {
                e.gateway_responses = vec![json!({"responseType": "THROTTLED",
            "defaultResponse": true, "statusCode": "429"})]
            },
            Clean,
        ),
        (
            "a gateway response that the export does not show",
            |e, x| {
                response(e, x);
                x.as_object_mut()
                    .unwrap()
                    .remove("x-amazon-apigateway-gateway-responses");
            },
            CannotTell("THROTTLED"),
        ),
        (
            "a gateway response that was reset",
            |e, x| {
                response(e, x);
                e.gateway_responses[0]["defaultResponse"] = json!(true);
            },
            Dirty("the gateway response THROTTLED was removed"),
        ),
        (
            "a gateway response with another status",
            |e, x| {
                response(e, x);
                e.gateway_responses[0]["statusCode"] = json!("500");
            },
            Dirty("deployed 503, drafted 500"),
        ),
        (
            "a model differs",
            |e, _| e.models[5]["schema"] = json!("{\"type\": \"string\"}"),
            Dirty("the model PetType"),
        ),
        (
            "a model of another content type",
            |e, _| e.models[5]["contentType"] = json!("application/xml"),
            CannotTell("contentType"),
        ),
        (
            "a model that nothing uses",
            |e, _| e.models.push(model("New", &json!({"type": "object"}))),
            CannotTell("the model New"),
        ),
        (
            "a model that a method uses",
            |e, _| {
                e.models.push(model("New", &json!({"type": "object"})));
                pets(e)["requestModels"] = json!({"application/json": "New"});
            },
            Dirty("the model New was added"),
        ),
        (
            "a model that AWS makes with an API, unused",
            |e, _| {
                e.models.push(model(
                    "Error",
                    &json!({"$schema": "s",
            "title": "Error Schema", "type": "object", "properties": {"message": {"type": "string"}}}),
                ))
            },
            Clean,
        ),
        (
            "a model was removed",
            |e, _| {
                e.models.pop();
            },
            Dirty("the model PetType was removed"),
        ),
        (
            "a description reaches no caller",
            |e, _| e.models[0]["description"] = json!("x"),
            Clean,
        ),
    ]);
}
