//! A colleague's unfinished work: nothing is written until it is finished, and none of it is lost.

use awsim::seed::https_only;
use plumbline::api::Reason;
use serde_json::{Value, json};

use crate::clean::in_clear_text;
use crate::colleague::{Colleague, patch};
use crate::world::{STAGES, World, https, open};

/// What a colleague left undeployed.
type Edit = fn(&Colleague);

/// An API that has something of everything.
pub fn furnished(anna: &Colleague) {
    let lambda = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:auth/invocations";
    let token = json!({"name": "tokens", "type": "TOKEN", "authorizerUri": lambda,
        "identitySource": "method.request.header.Authorization"});
    anna.ok("POST /authorizers", &token);
    anna.ok(
        "POST /requestvalidators",
        &json!({"name": "bodies", "validateRequestBody": true}),
    );
    anna.ok(
        "POST /models",
        &json!({"name": "Item", "contentType": "application/json", "schema": "{\"type\":\"object\"}"}),
    );
    anna.ok(
        "PUT /gatewayresponses/THROTTLED",
        &json!({"statusCode": "429", "responseTemplates": {"text/plain": "later"}}),
    );
    anna.add_resource("/admin");
    anna.add_method("GET /admin");
    anna.add_method("POST /admin");
    let authorizer = anna.first("authorizers");
    anna.ok(
        "PATCH {/admin}/methods/POST",
        &json!({"patchOperations": [
            {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
            {"op": "replace", "path": "/authorizerId", "value": authorizer},
            {"op": "replace", "path": "/requestValidatorId", "value": anna.first("requestValidators")},
            {"op": "add", "path": "/requestModels/application~1json", "value": "Item"},
            {"op": "add", "path": "/requestParameters/method.request.header.X-Tenant", "value": "true"}]}),
    );
    anna.ok("PUT {/admin}/methods/POST/responses/200", &json!({}));
    anna.ok("PUT {/admin}/methods/POST/integration/responses/200", &json!({}));
    anna.patch("", "add /binaryMediaTypes/image~1png", "");
}

/// An API with a gateway response of its own.
pub fn furnished_plainly(anna: &Colleague) {
    anna.ok(
        "PUT /gatewayresponses/THROTTLED",
        &json!({"statusCode": "429", "responseTemplates": {"text/plain": "later"}}),
    );
}

fn authorized(anna: &Colleague) {
    anna.ok(
        "PATCH {/admin}/methods/GET",
        &json!({"patchOperations": [
            {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
            {"op": "replace", "path": "/authorizerId", "value": anna.first("authorizers")}]}),
    );
}

use Reason::{RedeployPending as Pending, RedeployUncertain as Uncertain};

#[rustfmt::skip]
const EDITS: &[(&str, Edit, Reason, &str)] = &[
    ("a method was added", |a| a.add_method("PUT /items"), Pending, "PUT /items was added"),
    ("a resource with a method was added", |a| { a.add_resource("/refunds"); a.add_method("GET /refunds"); },
        Pending, "GET /refunds was added"),
    ("a method was removed", |a| { a.ok("DELETE {/orders}/methods/GET", &Value::Null); }, Pending, "GET /orders was removed"),
    ("a resource was removed", |a| { a.ok("DELETE {/orders}", &Value::Null); }, Pending, "GET /orders was removed"),
    ("a path was renamed", |a| a.patch("{/orders}", "replace /pathPart", "baskets"), Pending, "GET /baskets was added"),
    ("an integration calls another backend", |a| a.uri("GET /orders", "https://v2.example.com/orders"),
        Pending, "GET /orders methodIntegration.uri: deployed https://backend.example.com/orders, drafted https://v2.example.com/orders"),
    ("an integration became another one",
        |a| { a.ok("PUT {/orders}/methods/GET/integration", &json!({"type": "MOCK"})); }, Pending, "GET /orders methodIntegration.type"),
    ("a mapping was added", |a| a.patch("{/admin}/methods/POST/integration",
        "add /requestParameters/integration.request.header.X-Tenant", "method.request.header.X-Tenant"),
        Pending, "POST /admin methodIntegration.requestParameters"),
    ("a parameter became optional", |a| a.patch("{/admin}/methods/POST",
        "replace /requestParameters/method.request.header.X-Tenant", "false"), Pending, "POST /admin requestParameters"),
    ("a response was added", |a| { a.ok("PUT {/admin}/methods/POST/responses/404", &json!({})); },
        Pending, "POST /admin methodResponses.404"),
    ("an integration's response was mapped", |a| { a.ok("PUT {/admin}/methods/POST/integration/responses/200",
        &json!({"responseTemplates": {"application/json": "{}"}})); }, Pending, "integrationResponses.200.responseTemplates"),
    ("authorization was opened", |a| a.patch("{/admin}/methods/POST", "replace /authorizationType", "NONE"),
        Pending, "POST /admin authorizationType: deployed CUSTOM, drafted NONE"),
    ("an authorizer was attached", authorized, Pending, "GET /admin authorizationType: deployed NONE, drafted CUSTOM"),
    ("an authorizer was changed", |a| { let id = a.first("authorizers");
        a.patch(&format!("/authorizers/{id}"), "replace /authorizerResultTtlInSeconds", "0"); },
        Pending, "the authorizer tokens authorizerResultTtlInSeconds: deployed 300, drafted 0"),
    ("an authorizer was added that nothing uses yet", |a| { a.ok("POST /authorizers", &json!({"name": "pool",
        "type": "COGNITO_USER_POOLS", "identitySource": "method.request.header.Authorization", "providerARNs": ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/p"]})); },
        Uncertain, "the authorizer pool"),
    ("an API key is asked for", |a| a.patch("{/orders}/methods/GET", "replace /apiKeyRequired", "true"),
        Pending, "GET /orders apiKeyRequired: deployed false, drafted true"),
    ("a validator was changed", |a| { let id = a.first("requestValidators");
        a.patch(&format!("/requestvalidators/{id}"), "replace /validateRequestParameters", "true"); },
        Pending, "the request validator bodies validateRequestParameters"),
    ("a validator was taken off a method", |a| a.patch("{/admin}/methods/POST", "replace /requestValidatorId", ""),
        Pending, "POST /admin requestValidatorId: deployed bodies, drafted nothing"),
    ("a validator was added", |a| { a.ok("POST /requestvalidators", &json!({"name": "all"})); }, Uncertain, "the request validator all"),
    ("a model was changed", |a| a.patch("/models/Item", "replace /schema", "{\"type\":\"array\"}"), Pending, "the model Item"),
    ("a model was added", |a| { a.ok("POST /models", &json!({"name": "Order", "contentType": "application/json", "schema": "{}"})); },
        Uncertain, "the model Order: nothing uses it, and the export does not show it"),
    ("a gateway response was changed", |a| a.patch("/gatewayresponses/THROTTLED", "replace /statusCode", "503"),
        Pending, "the gateway response THROTTLED statusCode"),
    ("a gateway response was customised", |a| { a.ok("PUT /gatewayresponses/UNAUTHORIZED", &json!({"statusCode": "404"})); },
        Uncertain, "the gateway response UNAUTHORIZED"),
    ("a gateway response was reset", |a| { a.ok("DELETE /gatewayresponses/THROTTLED", &Value::Null); },
        Pending, "the gateway response THROTTLED was removed"),
    ("a media type was added", |a| a.patch("", "add /binaryMediaTypes/image~1gif", ""), Pending, "the API's binaryMediaTypes"),
    ("a media type was removed", |a| a.patch("", "remove /binaryMediaTypes/image~1png", ""), Pending, "the API's binaryMediaTypes"),
    ("compression was set", |a| a.patch("", "replace /minimumCompressionSize", "1024"), Uncertain, "the API's minimumCompressionSize"),
    ("API keys come another way", |a| a.patch("", "replace /apiKeySource", "AUTHORIZER"), Uncertain, "the API's apiKeySource"),
    ("the execute-api endpoint was closed", |a| a.patch("", "replace /disableExecuteApiEndpoint", "true"),
        Uncertain, "the API's disableExecuteApiEndpoint"),
    ("the policy lets fewer call", |a| { let mut policy = https_only();
        policy["Statement"][0]["Principal"] = json!({"AWS": "arn:aws:iam::111122223333:root"});
        a.patch("", "replace /policy", &policy.to_string()); }, Pending, "the API's policy"),
    ("the policy lost its Deny", |a| a.patch("", "replace /policy", &open().to_string()), Pending, "the API's policy"),
    ("the very URI was drafted anew, and still in clear text", |a| a.uri("GET /items", "http://v2.example.com/items"),
        Pending, "GET /items methodIntegration.uri: deployed http://backend.example.com/items, drafted http://v2.example.com/items"),
];

#[tokio::test]
async fn unfinished_work_of_any_kind_holds_the_repair_until_it_is_finished() {
    for (why, edit, reason, told) in EDITS {
        let mut world = World::of(&[], https(), furnished).await;
        in_clear_text(&world.anna);
        edit(&world.anna);
        let drafted = world.anna.state();
        let round = world.round().await;
        assert!(round.end.is_none(), "{why}: {round:?}");
        assert!(round.writes().is_empty(), "{why}: {:?}", round.story());
        let held = round.held_for(*reason);
        assert!(
            held.pending_edits.iter().any(|edit| edit.contains(told)),
            "{why}: {held:?}"
        );
        assert!(
            held.message.contains(told),
            "{why}: the difference is told: {}",
            held.message
        );
        assert_eq!(world.anna.state(), drafted, "{why}: nothing is touched");

        // The colleague finishes; whatever was drafted stays, but for what violates.
        if told.contains("model Order") {
            // Deployed or not, no export shows it until something uses it.
            let used = patch("add /requestModels/application~1json", "Order");
            world.anna.ok("PATCH {/orders}/methods/GET", &used);
        }
        world.anna.deploy(&STAGES);
        let before = world.anna.state()["editor"].clone();
        world.settle().await;
        assert!(world.is_right(), "{why}: {:?}", world.desk.drifts);
        let after = world.anna.state();
        let lost = plumbline::judge::path::differences(&before, &after["editor"]);
        let repaired = lost.iter().all(|at| world.desk.is_repair(at, at.get(&after["editor"])));
        assert!(repaired, "{why}: {lost:?}");
    }
}

#[tokio::test]
async fn somebodys_own_mending_is_theirs_to_deploy() {
    for (allow, reason) in [(false, Reason::Disruptive), (true, Reason::RedeployPending)] {
        let mut policy = https();
        for rule in policy["rules"].as_array_mut().unwrap() {
            rule["allowDisruption"] = json!(allow);
        }
        let mut world = World::of(&[], policy, furnished).await;
        in_clear_text(&world.anna);
        world.anna.uri("GET /items", "https://v2.example.com/items");
        let drafted = world.anna.state();
        let round = world.round().await;
        assert!(round.writes().is_empty(), "{:?}", round.story());
        assert_eq!(world.anna.state(), drafted, "nothing is touched");
        let waits = world.desk.record("backends-over-https").waits.clone().unwrap();
        assert_eq!(
            waits.0, reason,
            "another value than the last compliant one leads callers elsewhere: {}",
            waits.1
        );
    }
}

#[tokio::test]
async fn what_callers_never_meet_holds_nothing() {
    let edits: &[(&str, Edit)] = &[
        ("a resource without methods", |a| a.add_resource("/soon")),
        ("the API's name and description", |a| {
            a.patch("", "replace /name", "shop-2");
            a.patch("", "replace /description", "new");
        }),
        ("a model's description", |a| {
            a.patch("/models/Item", "replace /description", "an item");
        }),
        ("tags", |a| {
            let arn = format!("arn:aws:apigateway:eu-west-1::/restapis/{}", a.api);
            a.ok(&format!("PUT /tags/{arn}"), &json!({"tags": {"team": "shop"}}));
        }),
        ("whether a response's header is required", |a| {
            let at = "{/admin}/methods/POST/responses/200";
            a.patch(at, "add /responseParameters/method.response.header.X", "true");
            a.deploy(&STAGES);
            a.patch(at, "replace /responseParameters/method.response.header.X", "false");
        }),
    ];
    for (why, edit) in edits {
        let mut world = World::of(&[], https(), furnished).await;
        in_clear_text(&world.anna);
        edit(&world.anna);
        world.settle().await;
        assert!(world.is_right(), "{why}: {:?}", world.desk.drifts);
    }
}

#[tokio::test]
async fn pending_edits_of_one_stage_do_not_hold_another() {
    let mut world = World::new().await;
    let anna = &world.anna;
    anna.uri("GET /items", "http://backend.example.com/items");
    anna.deploy(&["dev"]);
    // On prod nothing of this is known yet: a deployment there would bring it.
    anna.add_method("PUT /items");
    anna.deploy(&["dev"]);
    let prod = anna.deployed("prod");
    world.settle().await;
    assert!(world.is_right());
    assert_eq!(world.anna.deployed("prod"), prod);
}

#[tokio::test]
async fn always_deploys_what_is_pending_and_never_does_not_deploy_at_all() {
    let policy = |redeploy: &str| {
        let mut policy = https();
        policy["redeploy"] = json!(redeploy);
        policy
    };
    let mut world = World::of(&[], policy("Always"), furnished).await;
    in_clear_text(&world.anna);
    world.anna.add_method("PUT /items");
    let round = crate::desk::round(&mut world).await;
    assert!(round.held.is_empty(), "{round:?}");
    let state = world.anna.state();
    assert!(state["stages"]["prod"]["snapshot"]["resources"]["/items"]["methods"]["PUT"].is_object());
    assert!(world.is_right());

    let mut world = World::of(&[], policy("Never"), furnished).await;
    in_clear_text(&world.anna);
    world.anna.patch("/stages/prod", "replace /tracingEnabled", "false");
    let rounds = world.settle().await;
    let record = world.desk.record("backends-over-https");
    assert_eq!(record.waits.as_ref().unwrap().0, Reason::RedeployNever);
    assert_eq!(
        world.anna.state()["stages"]["prod"]["stage"]["tracingEnabled"],
        true,
        "what needs no deployment is repaired"
    );
    assert!(rounds.iter().all(|round| round.made("CreateDeployment").is_empty()));
}

#[tokio::test]
async fn what_a_person_agreed_to_is_published_and_nothing_more() {
    let mut world = World::of(&[], https(), furnished).await;
    in_clear_text(&world.anna);
    world.anna.add_method("PUT /items");
    let shown = world
        .round()
        .await
        .held_for(Reason::RedeployPending)
        .pending_edits
        .clone();
    assert_eq!(shown, ["PUT /items was added"]);
    // Meanwhile there is more.
    world.desk.approved = Some(shown.clone());
    world
        .anna
        .patch("{/orders}/methods/GET", "replace /apiKeyRequired", "true");
    let round = world.round().await;
    assert!(round.writes().is_empty(), "{round:?}");
    assert_ne!(round.held_for(Reason::RedeployPending).pending_edits, shown);
    world
        .anna
        .patch("{/orders}/methods/GET", "replace /apiKeyRequired", "false");
    world.witnessed = false;
    world.settle().await;
    assert!(world.is_right());
    let state = world.anna.state();
    assert!(state["stages"]["prod"]["snapshot"]["resources"]["/items"]["methods"]["PUT"].is_object());
}

#[tokio::test]
async fn one_answer_covers_what_every_stage_would_be_brought() {
    let mut world = World::of(&[], https(), furnished).await;
    in_clear_text(&world.anna);
    world.anna.add_method("PUT /items");
    world.anna.deploy(&["dev"]);
    world
        .anna
        .patch("{/orders}/methods/GET", "replace /apiKeyRequired", "true");
    let shown = world
        .round()
        .await
        .held_for(Reason::RedeployPending)
        .pending_edits
        .clone();
    let edits = [
        "GET /orders apiKeyRequired: deployed false, drafted true",
        "PUT /items was added",
    ];
    assert_eq!(shown, edits, "dev's and prod's together, each once");
    world.desk.approved = Some(shown);
    world.witnessed = false;
    world.settle().await;
    assert!(world.is_right(), "{:?}", world.desk.drifts);
}

#[tokio::test]
async fn a_held_drift_holds_no_other() {
    let mut world = World::of(&[], https(), furnished).await;
    world.anna.patch("", "replace /policy", &open().to_string());
    in_clear_text(&world.anna);
    world
        .anna
        .ok("PATCH /stages/dev", &patch("replace /tracingEnabled", "false"));
    world.anna.add_method("PUT /items");
    let round = world.round().await;
    assert_eq!(round.held.len(), 2, "{round:?}");
    let writes: Vec<_> = round.writes().iter().map(|sent| sent.line.clone()).collect();
    assert_eq!(writes.len(), 1, "only the stage is repaired: {writes:?}");
    assert!(writes[0].ends_with("/stages/dev"));
}
