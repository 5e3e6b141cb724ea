//! Callers meet what was deployed, not what was edited.

use serde_json::{Value, json};

use crate::world::World;

const GET: &str = "/restapis/{api}/resources/{pets}/methods/GET";

fn uri(export: &Value) -> &Value {
    &export["paths"]["/pets"]["get"]["x-amazon-apigateway-integration"]["uri"]
}

#[test]
fn an_edit_is_live_only_after_a_deployment_to_the_stage() {
    let mut world = World::new().with_stage();
    let plain = "http://pets.example.com/pets";
    world
        .patch(&format!("{GET}/integration"), &[("replace /uri", json!(plain))])
        .ok();
    assert_eq!(
        world.get(&format!("{GET}/integration"))["uri"],
        plain,
        "the editor has it"
    );
    assert_eq!(
        uri(&world.export("prod")),
        "https://pets.example.com/pets",
        "callers do not"
    );

    let deployment = world.post("/restapis/{api}/deployments", &json!({}));
    world.name("second", &deployment["id"]);
    assert_eq!(
        uri(&world.export("prod")),
        "https://pets.example.com/pets",
        "a deployment without a stage meets nobody"
    );

    world
        .patch(
            "/restapis/{api}/stages/prod",
            &[("replace /deploymentId", json!("{second}"))],
        )
        .ok();
    assert_eq!(uri(&world.export("prod")), plain, "the stage points at it");

    world
        .patch(
            "/restapis/{api}/stages/prod",
            &[("replace /deploymentId", json!("{deployment}"))],
        )
        .ok();
    assert_eq!(
        uri(&world.export("prod")),
        "https://pets.example.com/pets",
        "and back: deployments do not change"
    );
}

#[test]
fn an_edit_after_a_deployment_leaves_the_deployment_as_it_was() {
    let edits: [(&str, &str, Value, &str); 6] = [
        (
            "a method's authorization",
            GET,
            json!([["replace /authorizationType", "AWS_IAM"]]),
            "/paths/~1pets/get/security",
        ),
        (
            "a method's key",
            GET,
            json!([["replace /apiKeyRequired", "true"]]),
            "/paths/~1pets/get/security",
        ),
        (
            "the policy",
            "/restapis/{api}",
            json!([[
                "replace /policy",
                r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}"#
            ]]),
            "/x-amazon-apigateway-policy",
        ),
        (
            "compression",
            "/restapis/{api}",
            json!([["replace /minimumCompressionSize", "5"]]),
            "/x-amazon-apigateway-minimum-compression-size",
        ),
        (
            "the default endpoint",
            "/restapis/{api}",
            json!([["replace /disableExecuteApiEndpoint", "true"]]),
            "/servers/0/x-amazon-apigateway-endpoint-configuration",
        ),
        (
            "a gateway response",
            "/restapis/{api}/gatewayresponses/DEFAULT_4XX",
            json!([["replace /statusCode", "418"]]),
            "/x-amazon-apigateway-gateway-responses",
        ),
    ];
    for (why, path, operations, shown) in edits {
        let world = World::new().with_stage();
        let before = world.export("prod");
        let operations: Vec<(&str, Value)> = operations
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].clone()))
            .collect();
        world.patch(path, &operations).ok();
        assert_eq!(world.export("prod"), before, "{why}: edited, not deployed");
        world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
        assert!(
            before.pointer(shown).is_none() && world.export("prod").pointer(shown).is_some(),
            "{why}: deployed"
        );
    }
}

#[test]
fn the_summary_of_a_deployment_knows_authorization_and_keys() {
    let world = World::new().with_stage();
    let deployment = world.get("/restapis/{api}/deployments/{deployment}?embed=apisummary");
    let summary = json!({"/pets": {"GET": {"authorizationType": "NONE", "apiKeyRequired": false}}});
    assert_eq!(deployment["apiSummary"], summary);
}

#[test]
fn the_default_endpoint_is_closed_by_any_change_of_a_stage() {
    let rows = [
        (
            "on-stage-change",
            true,
            "AWS's documentation: a stage change or a deployment",
        ),
        ("on-deployment", false, "the other reading: a deployment alone"),
    ];
    for (position, after_change, why) in rows {
        let world = World::new().with_stage();
        world.sim.set_switch("disable-execute-api", position).unwrap();
        let live = || {
            let state = world
                .sim
                .api_state("111122223333", "eu-west-1", world.id("api"))
                .unwrap();
            state["live"]["disableExecuteApiEndpoint"].as_bool().unwrap()
        };
        world
            .patch(
                "/restapis/{api}",
                &[("replace /disableExecuteApiEndpoint", json!("true"))],
            )
            .ok();
        assert!(!live(), "the edit alone does nothing");
        world
            .patch("/restapis/{api}/stages/prod", &[("replace /description", json!("x"))])
            .ok();
        assert_eq!(live(), after_change, "{why}");
        world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
        assert!(live(), "a deployment does");
    }
}

#[test]
fn an_api_that_is_not_finished_is_not_deployed() {
    let world = World::new().with_api();
    let deploy = |world: &World| {
        world
            .call("POST /restapis/{api}/deployments", &json!({}))
            .message()
            .to_owned()
    };
    world.put(
        "/restapis/{api}/resources/{pets}/methods/POST",
        &json!({"authorizationType": "NONE"}),
    );
    assert_eq!(deploy(&world), "No integration defined for method");
    world.call("DELETE /restapis/{api}/resources/{pets}", &Value::Null).ok();
    assert_eq!(deploy(&world), "The REST API doesn't contain any methods");
}
