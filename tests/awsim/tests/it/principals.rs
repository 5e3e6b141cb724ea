//! Who called, and what is recorded of it.

use awsim::{Face, Kind, Principal};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, World};

#[test]
fn the_access_key_says_who_calls() {
    let mut world = World::new();
    world.sim.register_principal(
        "ASIAREGISTERED",
        "999988887777",
        "arn:aws:sts::999988887777:assumed-role/deployer/ci",
    );
    let rows = [
        (
            "ASIAREGISTERED",
            "999988887777",
            "arn:aws:sts::999988887777:assumed-role/deployer/ci",
            "registered",
        ),
        (
            "AKIA444455556666ALICE",
            "444455556666",
            "arn:aws:iam::444455556666:user/alice",
            "by its form",
        ),
        (
            "AKIDEXAMPLE",
            ACCOUNT,
            "arn:aws:sts::111122223333:assumed-role/unknown/AKIDEXAMPLE",
            "unknown",
        ),
    ];
    for (key, account, arn, why) in rows {
        world.key(key);
        world.get("/account");
        let call = world.sim.calls().pop().unwrap();
        assert_eq!(
            (call.account.as_str(), call.principal.as_str()),
            (account, arn),
            "{why}"
        );
        assert_eq!((call.region.as_str(), call.user_agent.as_str()), ("eu-west-1", "tests"));
    }
}

#[test]
fn accounts_do_not_see_each_other() {
    let mut world = World::new().with_stage();
    world.key("AKIA444455556666ALICE");
    assert_eq!(world.get("/restapis"), json!({"item": []}));
    assert_eq!(world.call("GET /restapis/{api}", &Value::Null).status, 404);
}

#[test]
fn a_path_that_no_operation_has_is_refused_at_the_door() {
    let world = World::new();
    let answer = world.call("GET /nothing/here", &Value::Null);
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (403, "MissingAuthenticationTokenException")
    );
    assert_eq!(world.sim.calls()[0].operation, "Unknown");
}

#[test]
fn the_trail_records_who_did_what_and_whether_it_failed() {
    let mut world = World::new().with_stage();
    world.sim.register_principal(
        "ASIADEPLOYER",
        ACCOUNT,
        "arn:aws:sts::111122223333:assumed-role/deployer/ci",
    );
    world.key("ASIADEPLOYER");
    let before = world.sim.calls().last().unwrap().sequence;
    world
        .patch(
            "/restapis/{api}/stages/prod",
            &[("replace /tracingEnabled", json!("true"))],
        )
        .ok();
    world.patch(
        "/restapis/{api}/stages/prod",
        &[("replace /deploymentId", json!("nope"))],
    );
    world.get("/restapis/{api}/stages");
    let trail = world.sim.trail_after(before);
    let [done, failed, read] = trail.as_slice() else {
        panic!("{trail:?}")
    };
    assert_eq!(done["eventName"], "UpdateStage");
    assert_eq!(done["eventTime"], "2027-01-15T08:00:00Z");
    assert_eq!(
        done["requestParameters"],
        json!({"restApiId": world.id("api"), "stageName": "prod",
        "updateStageInput": {"patchOperations": [{"op": "replace", "path": "/tracingEnabled", "value": "true"}]}})
    );
    assert_eq!(done["responseElements"]["tracingEnabled"], true);
    assert_eq!(
        done["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"],
        "arn:aws:iam::111122223333:role/deployer"
    );
    assert_eq!((done.get("errorCode"), &done["readOnly"]), (None, &json!(false)));
    assert_eq!(
        (&failed["errorCode"], &failed["responseElements"]),
        (&json!("BadRequestException"), &Value::Null)
    );
    assert_eq!(
        (&read["readOnly"], &read["responseElements"]),
        (&json!(true), &Value::Null)
    );
    assert_ne!(done["eventID"], failed["eventID"]);
    let event = awsim::event(done);
    assert_eq!(
        (&event["source"], &event["detail"]["eventID"]),
        (&json!("aws.apigateway"), &event["id"])
    );
}

#[test]
fn the_same_seed_and_the_same_calls_give_the_same_ids() {
    let (one, other) = (World::new().with_stage(), World::new().with_stage());
    assert_eq!(one.export("prod"), other.export("prod"));
    assert_eq!(one.sim.trail(), other.sim.trail());
}

#[test]
fn calls_are_counted_by_operation() {
    let world = World::new().with_stage();
    world.sim.clear_calls();
    world.get("/restapis/{api}/stages");
    world.get("/restapis/{api}/stages");
    world.get("/restapis/{api}");
    assert_eq!(
        world.sim.calls_by_operation().into_iter().collect::<Vec<_>>(),
        [("GetRestApi", 1), ("GetStages", 2)]
    );
    assert_eq!(world.sim.calls()[0].ids["restApiId"], world.id("api"));
}

#[test]
fn the_trail_shows_each_kind_of_principal_as_cloudtrail_does() {
    let sso = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/anna@example.com";
    let named = |kind| Face {
        kind: Some(kind),
        ..Face::default()
    };
    let issuer = "/sessionContext/sessionIssuer/arn";
    let rows = [
        (
            Principal::new(ACCOUNT, sso),
            vec![
                ("/type", "AssumedRole"),
                ("/principalId", "AROAAWSRESERVEDSSODEV0123456789ABCDEF:anna@example.com"),
                (
                    issuer,
                    "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123456789abcdef",
                ),
                (
                    "/sessionContext/sessionIssuer/userName",
                    "AWSReservedSSO_Dev_0123456789abcdef",
                ),
            ],
            Some("anna@example.com"),
            "somebody who came through single sign-on",
        ),
        (
            Principal::new(ACCOUNT, "arn:aws:sts::111122223333:federated-user/bob"),
            vec![
                ("/type", "FederatedUser"),
                ("/principalId", "111122223333:bob"),
                ("/sessionContext/sessionIssuer/type", "IAMUser"),
            ],
            Some("bob"),
            "a federated user",
        ),
        (
            Principal::new(
                ACCOUNT,
                "arn:aws:sts::111122223333:assumed-role/stacks/AWSCloudFormation",
            )
            .shown_as(Face {
                invoked_by: Some("cloudformation.amazonaws.com".to_owned()),
                session_issuer: Some("arn:aws:iam::111122223333:role/teams/stacks".to_owned()),
                ..Face::default()
            }),
            vec![
                ("/type", "AssumedRole"),
                ("/invokedBy", "cloudformation.amazonaws.com"),
                (issuer, "arn:aws:iam::111122223333:role/teams/stacks"),
            ],
            Some("AWSCloudFormation"),
            "a stack, under a role with a path",
        ),
        (
            Principal::new(ACCOUNT, "").shown_as(Face {
                invoked_by: Some("autoscaling.amazonaws.com".to_owned()),
                ..named(Kind::AwsService)
            }),
            vec![("/type", "AWSService"), ("/invokedBy", "autoscaling.amazonaws.com")],
            None,
            "a service for itself",
        ),
        (
            Principal::new(ACCOUNT, "").shown_as(Face {
                provider: Some("accounts.google.com".to_owned()),
                user_name: Some("117".to_owned()),
                ..named(Kind::WebIdentityUser)
            }),
            vec![
                ("/type", "WebIdentityUser"),
                ("/identityProvider", "accounts.google.com"),
                ("/principalId", "accounts.google.com:117"),
            ],
            Some("117"),
            "a web identity",
        ),
        (
            Principal::new(ACCOUNT, "arn:aws:sts::111122223333:assumed-role/pipeline/build-7").shown_as(Face {
                provider: Some("token.actions.example.com".to_owned()),
                ..Face::default()
            }),
            vec![(
                "/sessionContext/webIdFederationData/federatedProvider",
                "token.actions.example.com",
            )],
            Some("build-7"),
            "a role behind an identity provider",
        ),
        (
            Principal::new(ACCOUNT, "arn:aws:iam::111122223333:user/staff/carol"),
            vec![("/type", "IAMUser"), ("/userName", "carol")],
            Some("carol"),
            "a user with a path",
        ),
    ];
    for (principal, shown, name, why) in rows {
        let mut world = World::new().with_stage();
        world.sim.register("ASIASOMEBODY", principal);
        world.key("ASIASOMEBODY");
        let patch = [("replace /description", json!("x"))];
        world.patch("/restapis/{api}/stages/prod", &patch).ok();
        let record = world.sim.trail().pop().unwrap();
        for (pointer, value) in shown {
            assert_eq!(
                record["userIdentity"].pointer(pointer),
                Some(&json!(value)),
                "{why}: {pointer}"
            );
        }
        let asked = json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "UpdateStage"}]});
        assert_eq!(
            world.lookup(&asked)[0].get("Username"),
            name.map(|name| json!(name)).as_ref(),
            "{why}"
        );
    }
}

#[test]
fn a_call_comes_from_where_it_says() {
    let world = World::new();
    let stack = Principal::new(ACCOUNT, "arn:aws:sts::111122223333:assumed-role/stacks/s").shown_as(Face {
        invoked_by: Some("cloudformation.amazonaws.com".to_owned()),
        ..Face::default()
    });
    world.sim.register("ASIASTACK", stack);
    let rows = [
        ("AKIA111122223333ALICE", None, "127.0.0.1", "tests", "this machine"),
        (
            "AKIA111122223333ALICE",
            Some("203.0.113.7"),
            "203.0.113.7",
            "tests",
            "as the header says",
        ),
        (
            "ASIASTACK",
            None,
            "cloudformation.amazonaws.com",
            "cloudformation.amazonaws.com",
            "a service",
        ),
        (
            "ASIASTACK",
            Some("203.0.113.7"),
            "203.0.113.7",
            "cloudformation.amazonaws.com",
            "the header wins",
        ),
    ];
    for (key, header, address, agent, why) in rows {
        let mut request = world.request("GET /account", &Value::Null);
        let headers = request.headers_mut();
        let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20270115/eu-west-1/apigateway/aws4_request");
        headers.insert("authorization", scope.parse().unwrap());
        if let Some(header) = header {
            headers.insert("x-awsim-source-ip", header.parse().unwrap());
        }
        assert_eq!(world.sim.answer(&request, world.now).response.status(), 200);
        let record = world.sim.trail().pop().unwrap();
        assert_eq!(
            (&record["sourceIPAddress"], &record["userAgent"]),
            (&json!(address), &json!(agent)),
            "{why}"
        );
        assert_eq!(world.sim.calls().pop().unwrap().source_ip_address, address, "{why}");
    }
}

#[test]
fn records_hide_values_when_the_switch_is_on() {
    let world = World::new().with_stage();
    world.sim.set_switch("trail-masks-values", "on").unwrap();
    let patch = [
        ("replace /description", json!("secret")),
        ("remove /variables/x", Value::Null),
    ];
    world.patch("/restapis/{api}/stages/prod", &patch);
    let record = world.sim.trail().pop().unwrap();
    assert_eq!(
        record["requestParameters"],
        json!({"restApiId": world.id("api"), "stageName": "prod", "updateStageInput": {"patchOperations": [
            {"op": "replace", "path": "/description", "value": "***"},
            {"op": "remove", "path": "/variables/x"},
        ]}})
    );
    let integration = json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "https://user:secret@pets.example.com"});
    world.put("/restapis/{api}/resources/{pets}/methods/GET/integration", &integration);
    let record = world.sim.trail().pop().unwrap();
    assert_eq!(
        record["requestParameters"]["putIntegrationInput"],
        json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "***"})
    );
    world.sim.set_switch("trail-masks-values", "off").unwrap();
    world.patch("/restapis/{api}/stages/prod", &patch[..1]).ok();
    let trail = world.sim.trail();
    let value = |record: &Value| record["requestParameters"]["updateStageInput"]["patchOperations"][0]["value"].clone();
    assert_eq!(
        (value(&trail[trail.len() - 1]), value(&trail[trail.len() - 3])),
        (json!("secret"), json!("***")),
        "what was hidden stays hidden"
    );
}
