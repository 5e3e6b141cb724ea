use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use serde_json::json;

use super::*;
use crate::api::drift::{Actor, DriftSpec, DriftStatus, PatchOperation};

/// A Drift that waits, as the stories of this room use it.
pub fn drift() -> Drift {
    let at = |text: &str| Time(text.parse().unwrap());
    let call = |value: &str| Call {
        operation: "UpdateIntegration".into(),
        parameters: [("restApiId", "abc123"), ("httpMethod", "GET"), ("resourceId", "r1")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        patch_operations: vec![PatchOperation {
            op: "replace".into(),
            path: "/uri".into(),
            value: Some(value.into()),
        }],
    };
    let condition = |type_: &str, status: &str, since: &str| Condition {
        type_: type_.into(),
        status: status.into(),
        reason: "RedeployPending".into(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: at(since),
    };
    Drift {
        metadata: ObjectMeta {
            name: Some("backends-over-https-7f3a".into()),
            namespace: Some("payments".into()),
            uid: Some("0a1b".into()),
            ..ObjectMeta::default()
        },
        spec: DriftSpec {
            policy: "https-only".into(),
            policy_uid: "9f".into(),
            rule: "backends-over-https".into(),
            endpoint: "111122223333-eu-west-1-restapi-abc123".into(),
            target: Target::Method,
            resource: "GET /pets".into(),
            previous: None,
            reverts: None,
            approval: None,
        },
        status: Some(DriftStatus {
            phase: Phase::Waiting,
            reason: Some(Reason::RedeployPending),
            message: "a deployment would publish 1 other edit".into(),
            conditions: vec![
                condition("Recorded", "True", "2026-03-01T08:00:01Z"),
                condition("Authorized", "False", "2026-03-02T09:30:00Z"),
            ],
            severity: Severity::Critical,
            controls: vec!["SecurityHub/APIGateway.2".into()],
            endpoint_name: "payments-api-3".into(),
            stages: vec!["prod".into()],
            finding: "calls http://backend in clear text".into(),
            observed: Some(excerpt(&json!({"type": "HTTP", "uri": "http://backend"}))),
            desired: Some(excerpt(&json!({"uri": "https://backend", "type": "HTTP"}))),
            difference: vec![Change {
                path: "methodIntegration.uri".into(),
                from: Some("http://backend".into()),
                to: Some("https://backend".into()),
            }],
            plan: vec![call("https://backend")],
            plan_digest: "d1".into(),
            inverse: vec![call("http://backend")],
            pending_edits: vec!["POST /pets: authorizationType".into()],
            actors: Some(Actors {
                editor: Some(Actor {
                    name: "role/Dev/anna".into(),
                    arn: "arn:aws:sts::1:assumed-role/Dev/anna".into(),
                    ..Actor::default()
                }),
                deployer: None,
            }),
            detected_at: Some(at("2026-03-01T08:00:00.123456Z")),
            ..DriftStatus::default()
        }),
    }
}

pub fn place() -> Place {
    Place {
        account_id: "111122223333".into(),
        region: "eu-west-1".into(),
        endpoint_type: EndpointType::RestApi,
        endpoint_id: "abc123".into(),
    }
}

/// Consumers parse these bytes: a change of them is a change of the contract.
const GOLDEN: &str = concat!(
    r#"{"schema":"plumbline.dev/drift-event/v1","id":"0a1b/Waiting","transition":"Waiting","time":"2026-03-02T09:30:00Z","#,
    r#""drift":{"namespace":"payments","name":"backends-over-https-7f3a","uid":"0a1b"},"policy":"https-only","#,
    r#""rule":"backends-over-https","severity":"Critical","controls":["SecurityHub/APIGateway.2"],"account":"111122223333","#,
    r#""region":"eu-west-1","endpoint":{"type":"AWS::ApiGateway::RestApi","id":"abc123","name":"payments-api-3","#,
    r#""object":"111122223333-eu-west-1-restapi-abc123"},"target":"AWS::ApiGateway::Method","resource":"GET /pets","#,
    r#""scope":"Live","stages":["prod"],"finding":"calls http://backend in clear text","#,
    r#""observed":{"type":"HTTP","uri":"http://backend"},"desired":{"type":"HTTP","uri":"https://backend"},"#,
    r#""difference":[{"path":"methodIntegration.uri","from":"http://backend","to":"https://backend"}],"#,
    r#""plan":[{"operation":"UpdateIntegration","parameters":{"httpMethod":"GET","resourceId":"r1","restApiId":"abc123"},"#,
    r#""patchOperations":[{"op":"replace","path":"/uri","value":"https://backend"}]}],"planDigest":"d1","#,
    r#""inverse":[{"operation":"UpdateIntegration","parameters":{"httpMethod":"GET","resourceId":"r1","restApiId":"abc123"},"#,
    r#""patchOperations":[{"op":"replace","path":"/uri","value":"http://backend"}]}],"#,
    r#""pendingEdits":["POST /pets: authorizationType"],"phase":"Waiting","reason":"RedeployPending","#,
    r#""message":"a deployment would publish 1 other edit","#,
    r#""actors":{"editor":{"name":"role/Dev/anna","arn":"arn:aws:sts::1:assumed-role/Dev/anna"}},"#,
    r#""times":{"detected":"2026-03-01T08:00:00Z"},"audit":{"bucket":"acme","key":"k"}}"#,
);

#[test]
fn the_document_is_these_bytes() {
    let entry = Entry::new(&drift(), Transition::Waiting, &place(), None)
        .unwrap()
        .recorded("acme", "k");
    assert_eq!(entry.line(), GOLDEN);
    assert_eq!(serde_json::from_str::<Entry>(GOLDEN).unwrap(), entry, "and reads back");
    let stored: Drift = serde_json::from_value(serde_json::to_value(drift()).unwrap()).unwrap();
    let again = Entry::new(&stored, Transition::Waiting, &place(), None)
        .unwrap()
        .recorded("acme", "k");
    assert_eq!(again.line(), GOLDEN, "persisting the Drift in between changes nothing");
}

#[test]
fn each_transition_has_its_own_time() {
    let mut drift = drift();
    let status = drift.status.as_mut().unwrap();
    status.resolved_at = Some(Time("2026-03-03T00:00:00Z".parse().unwrap()));
    let mut failed = status.conditions[1].clone();
    (failed.type_, failed.last_transition_time) = ("Verified".into(), Time("2026-03-02T23:00:00Z".parse().unwrap()));
    status.conditions.push(failed);
    let time = |drift: &Drift, transition| Entry::new(drift, transition, &place(), None).unwrap().time;
    for (transition, wanted) in [
        (Transition::Detected, "2026-03-01T08:00:00Z"),
        (Transition::Waiting, "2026-03-02T09:30:00Z"),
        (Transition::Failed, "2026-03-02T23:00:00Z"),
        (Transition::Resolved, "2026-03-03T00:00:00Z"),
    ] {
        assert_eq!(time(&drift, transition), wanted);
    }
    drift.status.as_mut().unwrap().conditions.clear();
    assert_eq!(
        time(&drift, Transition::Waiting),
        "2026-03-01T08:00:00Z",
        "no condition: the time of detection"
    );
}

#[test]
fn a_drift_that_was_never_persisted_gives_no_document() {
    let mut unborn = drift();
    unborn.metadata.uid = None;
    assert!(
        Entry::new(&unborn, Transition::Detected, &place(), None)
            .unwrap_err()
            .to_string()
            .contains("uid")
    );
    let timeless = Drift {
        status: None,
        ..drift()
    };
    assert!(
        Entry::new(&timeless, Transition::Detected, &place(), None)
            .unwrap_err()
            .to_string()
            .contains("time")
    );
}

#[test]
fn an_excerpt_is_the_value_or_the_head_of_its_text() {
    let fits = json!({"b": "x".repeat(EXCERPT - 20), "a": 1});
    let kept = excerpt(&fits);
    assert_eq!((kept.value, kept.digest), (fits, None));

    // Two bytes each, at odd offsets: 16384 is within one.
    let large = json!({"a": "é".repeat(EXCERPT)});
    let cut = excerpt(&large);
    let head = cut.value.as_str().unwrap();
    assert_eq!(head.len(), EXCERPT);
    assert!(large.to_string().starts_with(head));
    assert_eq!(cut.digest.unwrap(), hex(large.to_string().as_bytes()));
    let odd = excerpt(&json!(format!("é{}", "é".repeat(EXCERPT)))).value;
    assert_eq!(odd.as_str().unwrap().len(), EXCERPT - 1, "never within a character");
    assert_eq!(
        excerpt(&json!({"b": large, "a": 1})).digest,
        excerpt(&json!({"a": 1, "b": large})).digest,
        "the order of keys says nothing"
    );
}

#[test]
fn the_record_has_the_whole_and_says_when_it_has_not() {
    let whole = Whole {
        observed: json!({"body": "x".repeat(20_000)}),
        desired: json!({"body": ""}),
    };
    let mut drift = drift();
    assert!(!whole_needed(&drift));
    let status = drift.status.as_mut().unwrap();
    (status.observed, status.desired) = (Some(excerpt(&whole.observed)), Some(excerpt(&whole.desired)));
    assert!(whole_needed(&drift));
    let with = Entry::new(&drift, Transition::Detected, &place(), Some(&whole)).unwrap();
    assert_eq!((with.observed, with.cut), (Some(whole.observed), vec![]));
    let without = Entry::new(&drift, Transition::Detected, &place(), None).unwrap();
    assert_eq!(without.observed.unwrap().as_str().unwrap().len(), EXCERPT);
    assert_eq!(without.cut, ["observed"]);
}
