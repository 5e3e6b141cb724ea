//! Records: which endpoints a call may have changed, and who called.

use serde_json::{Value, json};

use super::{said, seeds};
use crate::api::drift::Actor;
use crate::inventory::events::{Event, Fault, Item};
use crate::inventory::intake::{name, record};

/// A record as in `fuzz/seeds/record/call.json`, with other fields.
fn with(other: &Value) -> Value {
    let mut record: Value = serde_json::from_slice(&seeds("record")["call.json"]).unwrap();
    for (name, value) in other.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn event(other: &Value) -> Event {
    match record(&with(other)) {
        Ok(Item::Call(event)) => *event,
        found => panic!("{found:?}"),
    }
}

fn call(name: &str, parameters: Value) -> Value {
    answered(name, parameters, Value::Null)
}

fn answered(name: &str, parameters: Value, response: Value) -> Value {
    let mut other = json!({"eventName": name});
    other["requestParameters"] = parameters;
    other["responseElements"] = response;
    other
}

/// Each: how a record differs, what is said of it, why.
fn are_said(rows: &[(Value, &str, &str)]) {
    for (other, expected, why) in rows {
        assert_eq!(
            record(&with(other)).as_ref().map(said),
            Ok((*expected).to_owned()),
            "{why}"
        );
    }
}

#[test]
fn a_call_is_put_where_it_belongs() {
    are_said(&[
        (
            call("DeleteStage", json!({"restApiId": "abc123", "stageName": "prod"})),
            "DeleteStage abc123",
            "an API's part",
        ),
        (
            call("PutRestApi", json!({"restApiId": "abc123", "mode": "merge"})),
            "PutRestApi abc123",
            "an import over it",
        ),
        (
            answered(
                "CreateRestApi",
                json!({"createRestApiInput": {"name": "x"}}),
                json!({"id": "new123"}),
            ),
            "CreateRestApi new123",
            "what is made gets its id in the answer",
        ),
        (
            answered("ImportRestApi", Value::Null, json!({"id": "new123"})),
            "ImportRestApi new123",
            "so does an import",
        ),
        (
            answered("CreateDeployment", json!({"restApiId": "abc123"}), json!({"id": "d7"})),
            "CreateDeployment abc123 made d7",
            "whoever brought a deployment is known by it",
        ),
        (
            answered("CreateResource", json!({"restApiId": "abc123"}), json!({"id": "r2"})),
            "CreateResource abc123",
            "other ids are no deployment's",
        ),
        (
            call(
                "CreateDomainName",
                json!({"createDomainNameInput": {"domainName": "api.example.com"}}),
            ),
            "CreateDomainName domain api.example.com",
            "a domain name is asked for by name",
        ),
        (
            call(
                "CreateBasePathMapping",
                json!({"domainName": "api.example.com", "createBasePathMappingInput": {"restApiId": "abc123", "stage": "prod"}}),
            ),
            "CreateBasePathMapping domain api.example.com abc123",
            "a mapping touches both",
        ),
        (
            call(
                "DeleteBasePathMapping",
                json!({"domainName": "api.example.com", "basePath": "v1"}),
            ),
            "DeleteBasePathMapping domain api.example.com",
            "the API is not named",
        ),
        (
            call(
                "TagResource",
                json!({"resourceArn": "arn:aws:apigateway:eu-west-1::/restapis/abc123/stages/prod"}),
            ),
            "TagResource abc123",
            "a stage's tags are the API's",
        ),
        (
            call(
                "UntagResource",
                json!({"resourceArn": "arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fdomainnames%2Fapi.example.com"}),
            ),
            "UntagResource domain api.example.com",
            "the ARN stands in the path, encoded",
        ),
        (
            call(
                "TagResource",
                json!({"resourceArn": "arn:aws:apigateway:eu-west-1:111122223333:/domainnames/in.example.com+abc123"}),
            ),
            "TagResource domain in.example.com",
            "a private name is followed by its id",
        ),
        (
            json!({"errorCode": null}),
            "UpdateIntegration abc123",
            "null is no error",
        ),
        (
            call(
                "UpdateRestApi",
                json!({"restApiId": "abc123", "x": [{"y": "HIDDEN_DUE_TO_SECURITY_REASONS"}]}),
            ),
            "UpdateRestApi abc123 masked",
            "hidden however deep",
        ),
    ]);
}

#[test]
fn what_changes_no_endpoint_is_put_aside() {
    are_said(&[
        (
            call(
                "TagResource",
                json!({"resourceArn": "arn:aws:apigateway:eu-west-1::/apikeys/k"}),
            ),
            "NoEndpoint",
            "keys have tags too",
        ),
        (
            call("CreateApiKey", json!({"createApiKeyInput": {"name": "k"}})),
            "NoEndpoint",
            "a key is no endpoint",
        ),
        (
            call("CreateUsagePlan", json!({"createUsagePlanInput": {}})),
            "NoEndpoint",
            "nor a usage plan",
        ),
        (
            call("GenerateClientCertificate", Value::Null),
            "NoEndpoint",
            "nor a certificate",
        ),
        (
            call("CreateVpcLink", json!({"createVpcLinkInput": {}})),
            "NoEndpoint",
            "nor a VPC link",
        ),
        (
            call("UpdateAccount", json!({"updateAccountInput": {}})),
            "NoEndpoint",
            "nor the account",
        ),
        (json!({"readOnly": true}), "ReadOnly", "CloudTrail says so"),
        (
            json!({"eventName": "GetExport", "readOnly": null}),
            "ReadOnly",
            "its name says so",
        ),
        (
            json!({"eventName": "TestInvokeMethod"}),
            "ReadOnly",
            "trying a method changes nothing",
        ),
        (
            json!({"errorCode": "AccessDenied"}),
            "FailedCall",
            "nothing was changed",
        ),
        (
            json!({"eventSource": "s3.amazonaws.com"}),
            "OtherService",
            "another service's",
        ),
        (json!({"eventSource": null}), "OtherService", "nobody's"),
        (
            call("UpdateStage", json!({"apiId": "h2", "stageName": "$default"})),
            "OtherService",
            "v2 has the same names",
        ),
        (
            answered("CreateApi", json!({"name": "h2"}), json!({"apiId": "h2"})),
            "OtherService",
            "v2, by its answer",
        ),
    ]);
}

#[test]
fn a_record_that_lacks_what_tells_calls_apart_is_a_fault() {
    let long = "x".repeat(300);
    let rows = [
        (json!({"eventName": null}), Fault::Incomplete, "what was called"),
        (json!({"eventID": ""}), Fault::Incomplete, "duplicates are told by it"),
        (json!({"eventTime": "today"}), Fault::Incomplete, "when it was"),
        (
            json!({"recipientAccountId": null}),
            Fault::Incomplete,
            "whose endpoint it is",
        ),
        (json!({"awsRegion": null}), Fault::Incomplete, "where it is"),
        (json!({"eventID": long}), Fault::TooLarge, "nobody's id is so long"),
        (json!({"eventName": long}), Fault::TooLarge, "nor an operation's name"),
    ];
    for (other, fault, why) in rows {
        assert_eq!(record(&with(&other)), Err(fault), "{why}");
    }
    for no_record in [json!(null), json!(1), json!("x"), json!([]), json!({})] {
        assert_eq!(record(&no_record), Err(Fault::Incomplete), "{no_record}");
    }
}

#[test]
fn whoever_called_has_a_short_name() {
    let session = |role: &str, session: &str| {
        json!({"type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}"),
        "sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/{role}")}, "webIdFederationData": {}}})
    };
    let mut by_web = session("Deploy", "run-17");
    by_web["sessionContext"]["webIdFederationData"] =
        json!({"federatedProvider": "arn:aws:iam::111122223333:oidc-provider/ci"});
    let mut by_service = session("Stack", "AWSCloudFormation");
    by_service["invokedBy"] = json!("cloudformation.amazonaws.com");
    // userIdentity, the short name, the name at the identity provider, why
    let rows = [
        (
            session("Dev", "anna"),
            "role/Dev/anna",
            None,
            "a role's session, by the name that the caller chose",
        ),
        (
            session("AWSReservedSSO_Dev_0123456789abcdef", "anna@example.com"),
            "sso/Dev/anna@example.com",
            Some("anna@example.com"),
            "IAM Identity Center names the session after the person",
        ),
        (
            by_web,
            "role/Deploy/run-17",
            Some("run-17"),
            "a provider vouches for the session",
        ),
        (
            by_service,
            "role/Stack/AWSCloudFormation",
            None,
            "a service with somebody's role",
        ),
        (
            json!({"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/staff/anna", "userName": "anna"}),
            "user/anna",
            None,
            "a user, whatever the path",
        ),
        (
            json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root"}),
            "root",
            None,
            "the account itself",
        ),
        (
            json!({"type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/anna"}),
            "federated/anna",
            Some("anna"),
            "a federation token's",
        ),
        (
            json!({"type": "SAMLUser", "principalId": "x:anna", "userName": "anna"}),
            "anna",
            Some("anna"),
            "no ARN at all",
        ),
        (
            json!({"type": "WebIdentityUser", "principalId": "x:anna", "userName": "anna"}),
            "anna",
            Some("anna"),
            "no ARN at all",
        ),
        (
            json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}),
            "autoscaling.amazonaws.com",
            None,
            "a service of its own accord",
        ),
        (
            json!({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": "444455556666"}),
            "account/444455556666",
            None,
            "of another account only its number is told",
        ),
        (
            json!({"type": "IdentityCenterUser", "credentialId": "c", "onBehalfOf": {"userId": "u-1", "identityStoreArn": "a"}}),
            "u-1",
            Some("u-1"),
            "only its id in the store is told",
        ),
        (
            json!({"type": "Unknown"}),
            "",
            None,
            "nothing is told, nothing is made up",
        ),
        (Value::Null, "", None, "nothing is told, nothing is made up"),
    ];
    for (identity, short, federated, why) in rows {
        let event = event(&json!({"userIdentity": identity}));
        assert_eq!(name(&event.principal), short, "{why}: {identity}");
        assert_eq!(
            event.principal.federated_name.as_deref(),
            federated,
            "{why}: {identity}"
        );
    }
}

#[test]
fn an_actor_says_who_called_what_when_from_where() {
    let actor = Actor::from(&event(&json!({})));
    assert_eq!(
        serde_json::to_value(&actor).unwrap(),
        json!({
            "name": "role/Dev/anna",
            "arn": "arn:aws:sts::111122223333:assumed-role/Dev/anna",
            "type": "AssumedRole",
            "sessionIssuer": "arn:aws:iam::111122223333:role/Dev",
            "sourceAddress": "192.0.2.7",
            "userAgent": "aws-cli/2.17.0",
            "eventName": "UpdateIntegration",
            "eventId": "0f4e2d1c-0000-4000-8000-000000000001",
            "time": "2026-03-02T09:30:00Z",
        })
    );
}

#[test]
fn nothing_of_any_length_goes_into_an_object() {
    let long = "ä".repeat(300_000);
    let event = event(&json!({
        "userIdentity": {"type": long, "arn": long, "invokedBy": long, "userName": long, "sessionContext": {"sessionIssuer": {"arn": long}}},
        "sourceIPAddress": long, "userAgent": long,
        "requestParameters": {"restApiId": "abc123", "body": long, "many": vec![1; 100_000]},
    }));
    let actor = serde_json::to_string(&Actor::from(&event)).unwrap();
    assert!(actor.len() < 16 * 1024, "{} bytes of an actor", actor.len());
    let parameters = event.parameters.to_string();
    assert!(parameters.len() < 32 * 1024, "{} bytes of parameters", parameters.len());
    assert_eq!(event.parameters["restApiId"], "abc123");
}

#[test]
fn what_attribution_needs_of_the_parameters_is_kept() {
    let event = event(&json!({}));
    assert_eq!(
        event.parameters["updateIntegrationInput"]["patchOperations"],
        json!([{"op": "replace", "path": "/uri", "value": "http://backend.example.com"}])
    );
}
