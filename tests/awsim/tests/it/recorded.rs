//! Calls that were once made to AWS, and what AWS answered: shapes, defaults, words and statuses.

use serde_json::{Value, json};

use crate::world::{World, patches};

/// One call of a scenario.
struct Row {
    why: &'static str,
    line: &'static str,
    body: Value,
    status: u16,
    /// An object that the answer equals, or the words of an error; null for an empty answer.
    answer: Value,
    code: &'static str,
    /// The name under which an id of the answer is remembered.
    keep: Option<(&'static str, &'static str)>,
}

fn ok(why: &'static str, line: &'static str, body: Value, status: u16, answer: Value) -> Row {
    Row {
        why,
        line,
        body,
        status,
        answer,
        code: "",
        keep: None,
    }
}

fn refused(why: &'static str, line: &'static str, body: Value, code: &'static str, message: &str) -> Row {
    let status = if code == "NotFoundException" { 404 } else { 400 };
    Row {
        why,
        line,
        body,
        status,
        answer: json!(message),
        code,
        keep: None,
    }
}

impl Row {
    fn keep(self, field: &'static str, name: &'static str) -> Self {
        Self {
            keep: Some((field, name)),
            ..self
        }
    }
}

/// Ids and times are whatever they are.
fn plain(value: &Value) -> Value {
    const IDS: [&str; 7] = [
        "id",
        "rootResourceId",
        "parentId",
        "deploymentId",
        "authorizerId",
        "cacheNamespace",
        "restApiId",
    ];
    match value {
        Value::Object(object) => {
            let plain = object.iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "createdDate" | "lastUpdatedDate" if value.is_i64() => json!("datetime"),
                    id if IDS.contains(&id) && value.is_string() => json!("<id>"),
                    _ => plain(value),
                };
                (name.clone(), value)
            });
            Value::Object(plain.collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

#[track_caller]
fn replay(mut world: World, rows: Vec<Row>) {
    for row in rows {
        let answer = world.call(row.line, &row.body);
        assert_eq!(
            answer.status, row.status,
            "{}: {} answered {:?}",
            row.why, row.line, answer.body
        );
        assert_eq!(answer.code, row.code, "{}", row.why);
        if row.answer.is_string() {
            assert_eq!(answer.message(), row.answer.as_str().unwrap(), "{}", row.why);
        } else {
            assert_eq!(plain(&answer.body), plain(&row.answer), "{}", row.why);
        }
        if let Some((field, name)) = row.keep {
            world.name(name, &answer.body[field]);
        }
    }
}

fn api(more: &Value) -> Value {
    let mut api = json!({
        "id": "<id>", "name": "n", "rootResourceId": "<id>", "createdDate": "datetime", "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": false, "endpointConfiguration": {"ipAddressType": "ipv4", "types": ["EDGE"]},
    });
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            api.as_object_mut().unwrap().remove(name);
        } else {
            api[name] = value.clone();
        }
    }
    api
}

const API: &str = "PATCH /restapis/{api}";

fn create(body: Value, answer: &Value) -> Row {
    ok("an API is created", "POST /restapis", body, 201, api(answer)).keep("id", "api")
}

#[test]
fn rest_apis_are_listed_until_they_are_deleted() {
    let described = |text: &str| json!({"description": text});
    let listed = |items: Value| json!({"item": items});
    replay(
        World::new(),
        vec![
            create(
                json!({"name": "n", "description": "this is my api"}),
                &described("this is my api"),
            ),
            create(
                json!({"name": "n", "description": "this is my api2"}),
                &described("this is my api2"),
            )
            .keep("id", "second"),
            ok(
                "both, in the order made, under `item`",
                "GET /restapis",
                Value::Null,
                200,
                listed(json!([
                    api(&described("this is my api")),
                    api(&described("this is my api2"))
                ])),
            ),
            ok(
                "deleting answers 202 and nothing",
                "DELETE /restapis/{api}",
                Value::Null,
                202,
                Value::Null,
            ),
            ok(
                "one is left",
                "GET /restapis",
                Value::Null,
                200,
                listed(json!([api(&described("this is my api2"))])),
            ),
        ],
    );
}

#[test]
fn tags_of_a_new_api_are_shown_in_every_read() {
    let tagged = json!({"tags": {"MY_TAG1": "MY_VALUE1"}});
    replay(
        World::new(),
        vec![
            create(json!({"name": "n", "tags": {"MY_TAG1": "MY_VALUE1"}}), &tagged),
            ok("one", "GET /restapis/{api}", Value::Null, 200, api(&tagged)),
            ok(
                "all",
                "GET /restapis",
                Value::Null,
                200,
                json!({"item": [api(&tagged)]}),
            ),
        ],
    );
}

#[test]
fn update_rest_api_edits_lists_by_their_members() {
    let base = json!({"name": "n", "description": "this is my api"});
    let add = [
        ("add /binaryMediaTypes/image~1png", Value::Null),
        ("add /binaryMediaTypes/image~1jpeg", Value::Null),
    ];
    let invalid = "Invalid patch path /binaryMediaTypes";
    let with = |types: Value| api(&json!({"description": "this is my api", "tags": {}, "binaryMediaTypes": types}));
    replay(
        World::new(),
        vec![
            create(base, &json!({"description": "this is my api"})),
            ok(
                "an update shows tags even when there are none",
                API,
                patches(&add),
                200,
                with(json!(["image/png", "image/jpeg"])),
            ),
            ok(
                "what replaces a member comes last",
                API,
                patches(&[("replace /binaryMediaTypes/image~1png", json!("image/gif"))]),
                200,
                with(json!(["image/jpeg", "image/gif"])),
            ),
            ok(
                "a description can be removed",
                API,
                patches(&[
                    ("remove /binaryMediaTypes/image~1gif", Value::Null),
                    ("remove /description", Value::Null),
                ]),
                200,
                api(&json!({"tags": {}, "binaryMediaTypes": ["image/jpeg"]})),
            ),
            ok(
                "- is a member like any other",
                API,
                patches(&[
                    ("remove /binaryMediaTypes/image~1jpeg", Value::Null),
                    ("add /binaryMediaTypes/-", Value::Null),
                ]),
                200,
                api(&json!({"tags": {}, "binaryMediaTypes": ["-"]})),
            ),
            refused(
                "add needs a member",
                API,
                patches(&[("add /binaryMediaTypes", json!("image/png"))]),
                "BadRequestException",
                invalid,
            ),
            refused(
                "replace too",
                API,
                patches(&[("replace /binaryMediaTypes", json!("image/png"))]),
                "BadRequestException",
                invalid,
            ),
            refused(
                "and remove",
                API,
                patches(&[("remove /binaryMediaTypes", Value::Null)]),
                "BadRequestException",
                invalid,
            ),
        ],
    );
}

#[test]
fn compression_takes_a_size_or_nothing() {
    let size = |size: Value| patches(&[("replace /minimumCompressionSize", size)]);
    let invalid = "Invalid minimum compression size, must be between 0 and 10485760";
    let tagged = json!({"tags": {}});
    replay(
        World::new(),
        vec![
            create(json!({"name": "n"}), &json!({})),
            ok(
                "a size",
                API,
                size(json!("10")),
                200,
                api(&json!({"tags": {}, "minimumCompressionSize": 10})),
            ),
            ok("no value disables", API, size(Value::Null), 200, api(&tagged)),
            ok(
                "0 is not none",
                API,
                size(json!("0")),
                200,
                api(&json!({"tags": {}, "minimumCompressionSize": 0})),
            ),
            refused("negative", API, size(json!("-1")), "BadRequestException", invalid),
            refused("no number", API, size(json!("test")), "BadRequestException", invalid),
            refused(
                "add is not in the table",
                API,
                patches(&[("add /minimumCompressionSize", json!("10"))]),
                "BadRequestException",
                "Invalid patch operation specified. Must be one of: [replace]",
            ),
        ],
    );
}

#[test]
fn an_unknown_api_is_named_with_its_account() {
    replay(
        World::new(),
        vec![refused(
            "the account stands before the id",
            "PATCH /restapis/api_id",
            patches(&[("replace /name", json!("x"))]),
            "NotFoundException",
            "Invalid API identifier specified 111122223333:api_id",
        )],
    );
}

#[test]
fn endpoint_types_decide_the_ip_address_type() {
    let configured = |kind: &str, ip: &str| json!({"endpointConfiguration": {"types": [kind], "ipAddressType": ip}});
    let kind = |kind: &str| json!({"name": "n", "endpointConfiguration": {"types": [kind]}});
    let mut private = configured("PRIVATE", "dualstack");
    private["tags"] = json!({});
    let ip = |words: &'static str, value: &str| patches(&[(words, json!(value))]);
    let bad = "BadRequestException";
    replay(
        World::new(),
        vec![
            create(json!({"name": "n"}), &json!({})),
            create(kind("REGIONAL"), &configured("REGIONAL", "ipv4")),
            create(kind("PRIVATE"), &configured("PRIVATE", "dualstack")),
            create(json!({"name": "n", "endpointConfiguration": {}}), &json!({})),
            refused(
                "an unknown type",
                "POST /restapis",
                kind("wrong"),
                "ValidationException",
                "1 validation error detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]",
            ),
            ok(
                "becoming private makes it dualstack",
                API,
                ip("replace /endpointConfiguration/types/0", "PRIVATE"),
                200,
                api(&private),
            ),
            refused(
                "private is never ipv4",
                API,
                ip("replace /endpointConfiguration/ipAddressType", "ipv4"),
                bad,
                "Only dualstack ipAddressType is supported for Private APIs.",
            ),
            refused(
                "neither one",
                API,
                ip("replace /endpointConfiguration/ipAddressType", "wrong"),
                bad,
                "ipAddressType must be either ipv4 or dualstack.",
            ),
            refused(
                "unknown type",
                API,
                ip("replace /endpointConfiguration/types/0", "wrong"),
                bad,
                "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE",
            ),
            refused(
                "add on ipAddressType",
                API,
                ip("add /endpointConfiguration/ipAddressType", "ipv4"),
                bad,
                "Invalid patch operation specified. Must be one of: [replace]",
            ),
            refused(
                "test on a type",
                API,
                ip("test /endpointConfiguration/types/0", "REGIONAL"),
                bad,
                "Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
            ),
            ok(
                "dualstack is fine",
                API,
                ip("replace /endpointConfiguration/ipAddressType", "dualstack"),
                200,
                api(&private),
            ),
        ],
    );
}

#[test]
fn resources_make_a_tree() {
    let root = || json!({"id": "<id>", "path": "/"});
    let child = |path: &str, part: &str| json!({"id": "<id>", "parentId": "<id>", "path": path, "pathPart": part});
    let all = |items: Value| {
        ok(
            "root first",
            "GET /restapis/{api}/resources",
            Value::Null,
            200,
            json!({"item": items}),
        )
    };
    let mut world = World::new();
    let made = world.post("/restapis", &json!({"name": "n"}));
    world.name("api", &made["id"]);
    world.name("root", &made["rootResourceId"]);
    replay(
        world,
        vec![
            all(json!([root()])),
            ok(
                "a resource",
                "POST /restapis/{api}/resources/{root}",
                json!({"pathPart": "pets"}),
                201,
                child("/pets", "pets"),
            )
            .keep("id", "pets"),
            all(json!([root(), child("/pets", "pets")])),
            ok(
                "one below",
                "POST /restapis/{api}/resources/{pets}",
                json!({"pathPart": "subpets"}),
                201,
                child("/pets/subpets", "subpets"),
            ),
            all(json!([
                root(),
                child("/pets", "pets"),
                child("/pets/subpets", "subpets")
            ])),
            ok(
                "renaming moves the path",
                "PATCH /restapis/{api}/resources/{pets}",
                patches(&[("replace /pathPart", json!("dogs"))]),
                200,
                child("/dogs", "dogs"),
            ),
            ok(
                "and is read back",
                "GET /restapis/{api}/resources/{pets}",
                Value::Null,
                200,
                child("/dogs", "dogs"),
            ),
            ok(
                "deleting takes what is below along",
                "DELETE /restapis/{api}/resources/{pets}",
                Value::Null,
                202,
                Value::Null,
            ),
            all(json!([root()])),
        ],
    );
}

const METHOD: &str = "PATCH /restapis/{api}/resources/{root}/methods/ANY";

fn world_with_root() -> World {
    let mut world = World::new();
    let made = world.post("/restapis", &json!({"name": "n"}));
    world.name("api", &made["id"]);
    world.name("root", &made["rootResourceId"]);
    world
}

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

fn world_with_method() -> World {
    let world = world_with_root();
    world.put(
        "/restapis/{api}/resources/{root}/methods/GET",
        &json!({"authorizationType": "NONE"}),
    );
    world
}

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
