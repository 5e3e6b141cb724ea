//! What an export shows and leaves out.

use serde_json::{Value, json};

use crate::world::{ACCOUNT, REGION, World};

const LAMBDA: &str = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:f/invocations";

fn deploy(world: &World) -> Value {
    world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
    world.export("prod")
}

#[test]
fn defaults_are_left_out_and_words_are_lower_case() {
    let world = World::new().with_stage();
    let export = world.export("prod");
    let api = world.id("api");
    assert_eq!(export["openapi"], "3.0.1");
    assert_eq!(
        export["servers"],
        json!([{"url": format!("https://{api}.execute-api.eu-west-1.amazonaws.com/{{basePath}}"),
        "variables": {"basePath": {"default": "prod"}}}])
    );
    let paths = json!({"/pets": {"get": {"x-amazon-apigateway-integration": {
        "type": "http_proxy", "httpMethod": "GET", "uri": "https://pets.example.com/pets", "passthroughBehavior": "when_no_match"}}}});
    assert_eq!(
        export["paths"], paths,
        "no root without methods, no INTERNET, no 29000, no cache namespace"
    );
    let bare = world.get("/restapis/{api}/stages/prod/exports/oas30");
    assert_eq!(
        bare["paths"],
        json!({"/pets": {"get": {}}}),
        "without extensions no integration"
    );
}

#[test]
fn everything_that_a_method_holds_is_shown() {
    let mut world = World::new().with_stage();
    let validator = world.post(
        "/restapis/{api}/requestvalidators",
        &json!({"name": "all", "validateRequestBody": true, "validateRequestParameters": true}),
    );
    world.name("validator", &validator["id"]);
    let cognito = world.post("/restapis/{api}/authorizers", &json!({"name": "pool", "type": "COGNITO_USER_POOLS",
        "providerARNs": ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/p"], "identitySource": "method.request.header.Auth"}));
    world.name("pool", &cognito["id"]);
    world.post("/restapis/{api}/models", &json!({"name": "Pet", "contentType": "application/json",
        "schema": r#"{"$schema":"x","type":"object","properties":{"kind":{"$ref":"https://apigateway.amazonaws.com/restapis/x/models/Kind"}}}"#}));
    world.post(
        "/restapis/{api}/models",
        &json!({"name": "Kind", "contentType": "application/json", "schema": r#"{"type":"string"}"#}),
    );
    let any = "/restapis/{api}/resources/{pets}/methods/ANY";
    world.put(any, &json!({"authorizationType": "COGNITO_USER_POOLS", "authorizerId": "{pool}", "authorizationScopes": ["read"],
        "apiKeyRequired": true, "operationName": "AnyPet", "requestValidatorId": "{validator}",
        "requestParameters": {"method.request.querystring.q": false, "method.request.path.id": true, "method.request.header.h": true},
        "requestModels": {"application/json": "Pet"}}));
    world.put(
        &format!("{any}/responses/200"),
        &json!({"responseParameters": {"method.response.header.X": true},
        "responseModels": {"application/json": "Pet"}}),
    );
    world.put(&format!("{any}/integration"), &json!({"type": "HTTP", "httpMethod": "POST", "uri": "https://b.example.com",
        "connectionType": "VPC_LINK", "connectionId": "link", "credentials": "arn:aws:iam::111122223333:role/r", "timeoutInMillis": 5000,
        "requestParameters": {"integration.request.header.h": "method.request.header.h"}, "requestTemplates": {"application/json": "{}"},
        "passthroughBehavior": "NEVER", "cacheNamespace": "mine", "cacheKeyParameters": ["method.request.path.id"],
        "contentHandling": "CONVERT_TO_TEXT", "tlsConfig": {"insecureSkipVerification": true}}));
    world.put(
        &format!("{any}/integration/responses/200"),
        &json!({"selectionPattern": "2\\d\\d", "contentHandling": "CONVERT_TO_BINARY",
        "responseParameters": {"method.response.header.X": "'x'"}, "responseTemplates": {"application/json": "{}"}}),
    );
    let export = deploy(&world);
    let operation = &export["paths"]["/pets"]["x-amazon-apigateway-any-method"];
    assert_eq!(
        *operation,
        json!({
            "operationId": "AnyPet",
            "parameters": [
                {"name": "h", "in": "header", "required": true, "schema": {"type": "string"}},
                {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
                {"name": "q", "in": "query", "schema": {"type": "string"}}],
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}, "required": true},
            "responses": {"200": {"description": "200 response", "headers": {"X": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
            "security": [{"pool": ["read"]}, {"api_key": []}],
            "x-amazon-apigateway-request-validator": "all",
            "x-amazon-apigateway-integration": {"type": "http", "httpMethod": "POST", "uri": "https://b.example.com",
                "credentials": "arn:aws:iam::111122223333:role/r", "connectionType": "VPC_LINK", "connectionId": "link", "timeoutInMillis": 5000,
                "requestParameters": {"integration.request.header.h": "method.request.header.h"}, "requestTemplates": {"application/json": "{}"},
                "passthroughBehavior": "never", "cacheNamespace": "mine", "cacheKeyParameters": ["method.request.path.id"],
                "contentHandling": "CONVERT_TO_TEXT", "tlsConfig": {"insecureSkipVerification": true},
                "responses": {"2\\d\\d": {"statusCode": "200", "contentHandling": "CONVERT_TO_BINARY",
                    "responseParameters": {"method.response.header.X": "'x'"}, "responseTemplates": {"application/json": "{}"}}}},
        })
    );
    assert_eq!(
        export["components"]["schemas"],
        json!({
        "Pet": {"type": "object", "properties": {"kind": {"$ref": "#/components/schemas/Kind"}}}, "Kind": {"type": "string"}}),
        "models that methods refer to, and what those refer to"
    );
    assert_eq!(
        export["components"]["securitySchemes"],
        json!({
        "pool": {"type": "apiKey", "name": "Auth", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/p"]}},
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}})
    );
    assert_eq!(
        export["x-amazon-apigateway-request-validators"],
        json!({"all": {"validateRequestBody": true, "validateRequestParameters": true}})
    );
}

#[test]
fn settings_of_the_whole_api_are_extensions() {
    let world = World::new().with_stage();
    world.patch("/restapis/{api}", &[
        ("replace /apiKeySource", json!("AUTHORIZER")), ("add /binaryMediaTypes/image~1png", Value::Null),
        ("replace /minimumCompressionSize", json!("0")), ("replace /disableExecuteApiEndpoint", json!("true")),
        ("replace /policy", json!(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}"#)),
    ]).ok();
    world.put(
        "/restapis/{api}/gatewayresponses/ACCESS_DENIED",
        &json!({"statusCode": "404", "responseTemplates": {"application/json": "{}"}}),
    );
    let export = deploy(&world);
    let arn = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/*", world.id("api"));
    let rows = [
        (
            "/x-amazon-apigateway-api-key-source",
            json!("AUTHORIZER"),
            "not the default",
        ),
        (
            "/x-amazon-apigateway-binary-media-types",
            json!(["image/png"]),
            "a list",
        ),
        ("/x-amazon-apigateway-minimum-compression-size", json!(0), "0 is a size"),
        (
            "/servers/0/x-amazon-apigateway-endpoint-configuration",
            json!({"disableExecuteApiEndpoint": true}),
            "at the server in OpenAPI 3",
        ),
        (
            "/x-amazon-apigateway-policy/Statement/0/Resource",
            json!(arn),
            "an object, with whole ARNs",
        ),
        (
            "/x-amazon-apigateway-gateway-responses",
            json!({"ACCESS_DENIED": {"statusCode": 404, "responseTemplates": {"application/json": "{}"}}}),
            "the customised ones alone",
        ),
    ];
    for (pointer, expected, why) in rows {
        assert_eq!(export.pointer(pointer), Some(&expected), "{pointer}: {why}");
    }
}

#[test]
fn what_is_not_recorded_can_be_had_either_way() {
    let rows = [
        ("snapshot", None, "what was deployed: no policy yet"),
        ("editor", Some("2012-10-17"), "what was edited since"),
        ("absent", None, "nothing at all"),
    ];
    for (position, version, why) in rows {
        let world = World::new().with_stage();
        world.sim.set_switch("export.policy", position).unwrap();
        let policy =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
        world
            .patch("/restapis/{api}", &[("replace /policy", json!(policy))])
            .ok();
        assert_eq!(
            world.export("prod")["x-amazon-apigateway-policy"]["Version"].as_str(),
            version,
            "{position}: {why}"
        );
    }
    let refused = World::new()
        .sim
        .set_switch("export.policy", "sometimes")
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "export.policy takes snapshot | editor | absent, not \"sometimes\""
    );
}

#[test]
fn an_export_can_be_imported_again() {
    let mut world = World::new().with_stage();
    let authorizer = world.post(
        "/restapis/{api}/authorizers",
        &json!({"name": "token", "type": "TOKEN", "authorizerUri": LAMBDA,
        "identitySource": "method.request.header.Auth"}),
    );
    world.name("token", &authorizer["id"]);
    let get = "/restapis/{api}/resources/{pets}/methods/GET";
    world
        .patch(
            get,
            &[
                ("replace /authorizationType", json!("CUSTOM")),
                ("replace /authorizerId", json!("{token}")),
                ("add /requestParameters/method.request.querystring.q", json!("true")),
            ],
        )
        .ok();
    world.put(
        &format!("{get}/responses/200"),
        &json!({"responseModels": {"application/json": "Empty"}}),
    );
    let export = deploy(&world);
    let import = world.post("/restapis?mode=import&endpointConfigurationTypes=REGIONAL", &export);
    world.name("api", &import["id"]);
    let mut again = deploy(&world);
    assert_ne!(again["servers"], export["servers"], "another API");
    again["servers"] = export["servers"].clone();
    assert_eq!(again, export, "that says the same");
}

#[test]
fn swagger_says_the_same_in_other_words() {
    let world = World::new().with_stage();
    let export = world.get("/restapis/{api}/stages/prod/exports/swagger?extensions=apigateway");
    assert_eq!(
        (&export["swagger"], &export["basePath"]),
        (&json!("2.0"), &json!("/prod"))
    );
    assert_eq!(export["paths"]["/pets"]["get"]["responses"], json!({}));
    let unknown = world.call("GET /restapis/{api}/stages/prod/exports/raml", &Value::Null);
    assert_eq!((unknown.status, unknown.code.as_str()), (400, "BadRequestException"));
}

#[test]
fn a_policy_is_escaped_once_more_in_answers() {
    let world = World::new().with_api();
    let policy = r#"{ "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "a/b"}] }"#;
    let answered = world
        .patch("/restapis/{api}", &[("replace /policy", json!(policy))])
        .ok();
    let shown = answered["policy"].as_str().unwrap().to_owned();
    assert_eq!(
        shown,
        r#"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"execute-api:Invoke\",\"Resource\":\"a\/b\"}]}"#
    );
    let unquoted: String = serde_json::from_str(&format!("\"{shown}\"")).unwrap();
    assert!(
        serde_json::from_str::<Value>(&unquoted).is_ok(),
        "unquoting as JSON gives the document"
    );
    let invalid = world.patch("/restapis/{api}", &[("replace /policy", json!("{"))]);
    assert!(invalid.message().starts_with("Invalid policy document"), "{invalid:?}");
    let none = world.patch("/restapis/{api}", &[("replace /policy", json!(""))]).ok();
    assert_eq!(none.get("policy"), None, "an empty policy is none");
}
