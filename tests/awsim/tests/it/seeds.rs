//! Accounts that are full from the start, and pages of them.

use awsim::seed::{Api, Fleet, Seed, https_only};
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_fleet_is_compliant_and_deployed_everywhere() {
    let mut world = World::new();
    let text = json!({"account": "111122223333", "region": "eu-west-1", "fleet": {
        "apis": 3, "stages": ["prod", "dev"], "methods": 3, "namePrefix": "payments-", "tags": {"team": "payments"},
        "integrationUri": "https://x.example.com", "stage": {"tracingEnabled": true, "variables": {"a": "b"}}}});
    let made = world
        .sim
        .seed(&Seed::from_json(text.to_string().as_bytes()).unwrap(), world.now)
        .unwrap();
    assert_eq!(made.len(), 3);
    assert!(world.sim.calls().is_empty(), "seeding is no call");
    world.name("api", &json!(made[2]));
    let api = world.get("/restapis/{api}");
    assert_eq!(
        (&api["name"], &api["tags"]),
        (&json!("payments-0003"), &json!({"team": "payments"}))
    );
    assert!(api["policy"].as_str().unwrap().contains("aws:SecureTransport"));
    let stages = world.get("/restapis/{api}/stages");
    assert_eq!(
        stages["item"][0]["deploymentId"], stages["item"][1]["deploymentId"],
        "one deployment for both"
    );
    assert_eq!(
        (&stages["item"][0]["tracingEnabled"], &stages["item"][0]["variables"]),
        (&json!(true), &json!({"a": "b"}))
    );
    let paths = world.export("prod")["paths"].as_object().unwrap().len();
    assert_eq!(paths, 2, "two methods a resource");
}

#[test]
fn an_api_is_planted_as_it_is_told() {
    let mut world = World::new();
    let api: Api = serde_json::from_value(json!({
        "id": "abcdefghij",
        "settings": {"name": "shop", "policy": https_only(), "endpointConfiguration": {"types": ["EDGE"]}},
        "authorizers": [{"name": "token", "type": "TOKEN", "authorizerUri": "arn:aws:apigateway:x"}],
        "resources": {"/a/{id}": {"GET": {"authorizationType": "CUSTOM", "authorizerName": "token",
            "integration": {"type": "HTTP", "httpMethod": "GET", "uri": "http://x.example.com"}, "responses": ["200"]}}},
        "stages": {"live": {"methodSettings": {"*/*": {"loggingLevel": "ERROR"}}}},
    })).unwrap();
    world.sim.seed(&Seed::apis(vec![api]), world.now).unwrap();
    world.name("api", &json!("abcdefghij"));
    let operation = &world.export("live")["paths"]["/a/{id}"]["get"];
    assert_eq!(
        (&operation["security"], &operation["responses"]["200"]["description"]),
        (&json!([{"token": []}]), &json!("200 response"))
    );
    let settings = &world.get("/restapis/{api}/stages/live")["methodSettings"]["*/*"];
    assert_eq!(
        (&settings["loggingLevel"], &settings["throttlingBurstLimit"]),
        (&json!("ERROR"), &json!(5000))
    );
    let wrong = Seed::from_json(br#"{"fleat": {}}"#).unwrap_err().to_string();
    assert!(wrong.contains("unknown field `fleat`"), "{wrong}");
}

#[test]
fn long_lists_come_in_pages() {
    let world = World::new();
    world
        .sim
        .seed(
            &Seed::fleet(Fleet {
                apis: 60,
                ..Fleet::default()
            }),
            world.now,
        )
        .unwrap();
    let mut names = Vec::new();
    let (mut sizes, mut position) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/restapis?position={position}"));
        let items = page["item"].as_array().unwrap();
        sizes.push(items.len());
        names.extend(items.iter().map(|api| api["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["position"].as_str() else { break };
        next.clone_into(&mut position);
    }
    assert_eq!(sizes, [25, 25, 10], "25 without a limit");
    names.dedup();
    assert_eq!(names.len(), 60, "each once");
    assert_eq!(
        world.get("/restapis?limit=1000")["item"].as_array().unwrap().len(),
        60,
        "500 at most"
    );
    for line in [
        "GET /restapis?position=nonsense",
        "GET /restapis?limit=0",
        "GET /restapis?limit=x",
    ] {
        assert_eq!(world.call(line, &Value::Null).status, 400, "{line}");
    }
    let foreign = format!("GET /clientcertificates?position={position}");
    assert_eq!(
        world.call(&foreign, &Value::Null).status,
        400,
        "a position of another list"
    );
}

#[test]
fn methods_are_shown_when_they_are_asked_for() {
    let world = World::new().with_api();
    let methods =
        |query: &str| world.get(&format!("/restapis/{{api}}/resources{query}"))["item"][1]["resourceMethods"].clone();
    assert_eq!(methods(""), json!({"GET": {}}), "names alone");
    assert_eq!(
        methods("?embed=methods")["GET"]["methodIntegration"]["connectionType"],
        "INTERNET",
        "the whole, with defaults"
    );
}
