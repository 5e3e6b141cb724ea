//! REST APIs and their resources.

use serde_json::{Value, json};

use super::{Row, ok, refused, replay};
use crate::world::{World, patches};

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
