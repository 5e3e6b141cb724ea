mod looked_at;
mod parts;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::policy::EndpointType;

const ANNA: &str = "arn:aws:sts::111122223333:assumed-role/Dev/anna";
const BORIS: &str = "arn:aws:iam::111122223333:user/boris";
const OWN: &str = "arn:aws:sts::111122223333:assumed-role/plumbline-repair/plumbline-cluster";

fn endpoint() -> EndpointId {
    EndpointId {
        account_id: "111122223333".into(),
        region: "eu-west-1".into(),
        type_: EndpointType::RestApi,
        id: "a1".into(),
    }
}

fn own() -> Own {
    Own::new(vec!["arn:aws:iam::111122223333:role/service/plumbline-repair".into()])
}

/// A call in that second.
#[expect(clippy::needless_pass_by_value, reason = "rows write `json!` in place")]
fn call(second: i64, who: &str, name: &str, parameters: Value) -> Event {
    let mut whole = json!({"restApiId": "a1"});
    for (key, value) in parameters.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let deployment = whole.get("made").and_then(Value::as_str).map(str::to_owned);
    let issuer = who
        .contains("assumed-role")
        .then(|| format!("arn:aws:iam::111122223333:role/{}", who.split('/').nth(1).unwrap()));
    Event {
        id: format!("{second}-{who}-{name}-{whole}"),
        name: name.into(),
        time: Timestamp::from_second(second).unwrap(),
        endpoints: vec![endpoint()],
        principal: Principal {
            arn: who.into(),
            issuer,
            ..Principal::default()
        },
        source_address: String::new(),
        user_agent: String::new(),
        masked: false,
        parameters: whole,
        deployment,
    }
}

fn patch(second: i64, who: &str, name: &str, at: Value, path: &str, value: &str) -> Event {
    let mut input = name.to_owned();
    input[..1].make_ascii_lowercase();
    let mut parameters = at;
    parameters[format!("{input}Input")] = json!({"patchOperations": [{"op": "replace", "path": path, "value": value}]});
    call(second, who, name, parameters)
}

fn get() -> Value {
    json!({"resourceId": "r1", "httpMethod": "GET"})
}

fn uri(second: i64, who: &str, value: &str) -> Event {
    patch(second, who, "UpdateIntegration", get(), "/uri", value)
}

fn stage(second: i64, who: &str, path: &str, value: &str) -> Event {
    patch(second, who, "UpdateStage", json!({"stageName": "prod"}), path, value)
}

fn deploy(second: i64, who: &str, id: &str) -> Event {
    let input = json!({"stageName": "prod"});
    call(
        second,
        who,
        "CreateDeployment",
        json!({"createDeploymentInput": input, "made": id}),
    )
}

struct Case {
    target: Target,
    address: BTreeMap<String, String>,
    change: Change,
    wanted: bool,
    deployments: BTreeMap<String, String>,
}

impl Case {
    fn of(target: Target, address: &[(&str, &str)], path: &str, observed: Value, deployed: Option<&str>) -> Self {
        Case {
            target,
            // As snapshots have it: what tags are put on is an ARN.
            address: address
                .iter()
                .chain(&[("resourceArn", "arn:…")])
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            change: Change {
                path: path.into(),
                from: (!observed.is_null()).then_some(observed),
                to: None,
            },
            wanted: true,
            deployments: deployed
                .map(|id| ("prod".to_owned(), id.to_owned()))
                .into_iter()
                .collect(),
        }
    }

    fn explain(&self, events: &[Event]) -> (Option<String>, Option<String>) {
        let endpoint = endpoint();
        let question = Question {
            endpoint: &endpoint,
            target: self.target,
            address: &self.address,
            changes: std::slice::from_ref(&self.change),
            wanted: self.wanted,
            deployments: &self.deployments,
            before: Timestamp::from_second(1000).unwrap(),
        };
        let found = explain(&question, events, &own());
        let who = |event: Option<&Event>| {
            event.map(|e| format!("{}@{}", e.principal.arn.rsplit('/').next().unwrap(), e.time.as_second()))
        };
        (who(found.editor), who(found.deployer))
    }
}

/// A drift, what was told, who edited and who deployed, and why.
type Row = (Case, Vec<Event>, (Option<String>, Option<String>), &'static str);

/// The URI of an integration, drafted alone or deployed.
fn of_uri(deployed: Option<&str>) -> Case {
    let address = [("restApiId", "a1"), ("resourceId", "r1"), ("httpMethod", "GET")];
    Case::of(
        Target::Method,
        &address,
        "methodIntegration.uri",
        json!("http://x"),
        deployed,
    )
}

fn of_stage(path: &str, observed: Value) -> Case {
    Case::of(
        Target::Stage,
        &[("restApiId", "a1"), ("stageName", "prod")],
        path,
        observed,
        None,
    )
}

fn of_api(path: &str, observed: Value) -> Case {
    Case::of(Target::RestApi, &[("restApiId", "a1")], path, observed, None)
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one row for each way in which a drift is explained"
)]
fn the_event_that_explains_this_property_is_chosen() {
    let two = |editor: &str, deployer: &str| {
        let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (own(editor), own(deployer))
    };
    let other = |second, who| patch(second, who, "UpdateIntegration", get(), "/timeoutInMillis", "9000");
    let elsewhere = json!({"resourceId": "r2", "httpMethod": "GET"});
    let allow = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}]});
    let alike = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["execute-api:Invoke"], "Resource": "*"}});
    let rows: Vec<Row> = vec![
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x")],
            two("anna@10", ""),
            "who wrote it",
        ),
        (of_uri(None), vec![], two("", ""), "nothing was told"),
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x"), other(20, BORIS)],
            two("anna@10", ""),
            "the newest touches another property",
        ),
        (
            of_uri(None),
            vec![
                uri(10, ANNA, "http://x"),
                patch(20, BORIS, "UpdateIntegration", elsewhere, "/uri", "http://x"),
            ],
            two("anna@10", ""),
            "the newest is on another method",
        ),
        (
            of_uri(Some("d2")),
            vec![uri(10, ANNA, "http://x"), other(20, BORIS), deploy(30, BORIS, "d2")],
            two("anna@10", "boris@30"),
            "one edits, another deploys",
        ),
        (
            of_uri(Some("d2")),
            vec![
                uri(10, ANNA, "http://x"),
                deploy(30, BORIS, "d2"),
                uri(40, BORIS, "http://x"),
            ],
            two("anna@10", "boris@30"),
            "what was edited after the deployment is not what callers meet",
        ),
        (
            of_uri(Some("d2")),
            vec![uri(10, ANNA, "http://x"), deploy(30, BORIS, "d1")],
            two("anna@10", ""),
            "callers meet another deployment",
        ),
        (
            of_uri(Some("d2")),
            vec![uri(10, ANNA, "http://x"), stage(30, BORIS, "/deploymentId", "d2")],
            two("anna@10", "boris@30"),
            "a stage can be pointed at a deployment",
        ),
        (
            of_uri(Some("d2")),
            vec![
                uri(10, ANNA, "http://x"),
                call(
                    30,
                    BORIS,
                    "UpdateStage",
                    json!({"stageName": "prod", "updateStageInput": {"patchOperations": [
                    {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}]}}),
                ),
            ],
            two("anna@10", "boris@30"),
            "a canary is promoted",
        ),
        (
            of_uri(None),
            vec![
                uri(10, ANNA, "http://x"),
                uri(20, ANNA, "https://x"),
                uri(30, BORIS, "http://x"),
            ],
            two("boris@30", ""),
            "written, mended, and written again by another",
        ),
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x"), uri(20, BORIS, "https://x")],
            two("", ""),
            "it was overwritten since: what is observed came some other way",
        ),
        (
            of_uri(None),
            vec![uri(10, ANNA, "***")],
            two("anna@10", ""),
            "a masked value may be this one",
        ),
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x"), uri(20, BORIS, "***")],
            two("anna@10", ""),
            "one that shows it is preferred to one that does not",
        ),
        (
            of_uri(None),
            vec![call(
                10,
                ANNA,
                "PutIntegration",
                json!({"resourceId": "r1", "httpMethod": "GET", "putIntegrationInput": {"type": "HTTP", "uri": "http://x"}}),
            )],
            two("anna@10", ""),
            "the whole integration was put",
        ),
        (
            of_uri(None),
            vec![call(10, BORIS, "PutRestApi", json!({}))],
            two("boris@10", ""),
            "an import replaces everything",
        ),
        (
            of_uri(None),
            vec![
                uri(10, ANNA, "http://x"),
                uri(20, OWN, "https://x"),
                uri(30, BORIS, "http://x"),
            ],
            two("boris@30", ""),
            "repaired, and written again",
        ),
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x"), uri(20, OWN, "http://x")],
            two("", ""),
            "Plumbline's own call is nobody's",
        ),
        (
            of_uri(None),
            vec![uri(10, ANNA, "http://x"), uri(10, BORIS, "https://x")],
            two("anna@10", ""),
            "within one second there is no order",
        ),
        (
            of_uri(None),
            vec![uri(2000, ANNA, "http://x")],
            two("", ""),
            "it was found before that",
        ),
        (
            of_stage("tracingEnabled", json!(false)),
            vec![stage(10, ANNA, "/tracingEnabled", "false")],
            two("anna@10", ""),
            "a patch writes texts",
        ),
        (
            of_stage("methodSettings[\"~1pets/GET\"].loggingLevel", json!("OFF")),
            vec![
                stage(10, ANNA, "/~1pets/GET/logging/loglevel", "OFF"),
                stage(20, BORIS, "/*/*/logging/loglevel", "OFF"),
            ],
            two("anna@10", ""),
            "each key of the settings is its own",
        ),
        (
            of_stage("tracingEnabled", json!(false)),
            vec![stage(10, ANNA, "/tracingEnabled", "false"), deploy(20, BORIS, "d9")],
            two("anna@10", ""),
            "a deployment leaves the stage's settings",
        ),
        (
            of_api("policy", allow.clone()),
            vec![patch(
                10,
                ANNA,
                "UpdateRestApi",
                json!({}),
                "/policy",
                &alike.to_string(),
            )],
            two("anna@10", ""),
            "policies are the same by meaning",
        ),
        (
            of_api("tags.team", json!("billing")),
            vec![
                call(
                    10,
                    ANNA,
                    "TagResource",
                    json!({"resourceArn": "arn:aws:apigateway:eu-west-1::/restapis/a1", "tagResourceInput": {"tags": {"team": "billing"}}}),
                ),
                call(
                    20,
                    BORIS,
                    "TagResource",
                    json!({"resourceArn": "arn:aws:apigateway:eu-west-1::/restapis/a1", "tagResourceInput": {"tags": {"stage": "billing"}}}),
                ),
            ],
            two("anna@10", ""),
            "a tag by its key",
        ),
        (
            of_api("tags.team", Value::Null),
            vec![call(
                10,
                BORIS,
                "UntagResource",
                json!({"resourceArn": "arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fa1", "tagKeys": ["team"]}),
            )],
            two("boris@10", ""),
            "a tag was taken away",
        ),
    ];
    for (case, events, wanted, why) in rows {
        assert_eq!(case.explain(&events), wanted, "{why}");
    }
}

#[test]
fn own_calls_are_told_by_role_whatever_the_session() {
    let principal = |arn: &str, issuer: Option<&str>| Principal {
        arn: arn.into(),
        issuer: issuer.map(str::to_owned),
        ..Principal::default()
    };
    let session = Own::new(vec![OWN.into()]);
    for (own, principal, is_own, why) in [
        (
            own(),
            principal(OWN, Some("arn:aws:iam::111122223333:role/service/plumbline-repair")),
            true,
            "the role",
        ),
        (
            session.clone(),
            principal(OWN, Some("arn:aws:iam::111122223333:role/service/plumbline-repair")),
            true,
            "known by a session",
        ),
        (
            session.clone(),
            principal(ANNA, Some("arn:aws:iam::111122223333:role/Dev")),
            false,
            "another role",
        ),
        (
            session,
            principal(OWN, Some("arn:aws:iam::444455556666:role/plumbline-repair")),
            false,
            "another account",
        ),
        (
            Own::new(vec![BORIS.into()]),
            principal(BORIS, None),
            true,
            "a user without a session",
        ),
        (own(), principal(BORIS, None), false, "somebody"),
    ] {
        assert_eq!(own.is_own(&principal), is_own, "{why}");
    }
}

#[test]
fn cloudtrail_is_asked_for_calls_that_write_the_property_and_for_those_that_deploy() {
    let asked = |case: &Case| {
        let endpoint = endpoint();
        names(&Question {
            endpoint: &endpoint,
            target: case.target,
            address: &case.address,
            changes: std::slice::from_ref(&case.change),
            wanted: case.wanted,
            deployments: &case.deployments,
            before: Timestamp::UNIX_EPOCH,
        })
    };
    let whole = [
        "CreateRestApi",
        "DeleteIntegration",
        "ImportRestApi",
        "PutIntegration",
        "PutRestApi",
        "UpdateIntegration",
    ];
    assert_eq!(asked(&of_uri(None)), whole.into());
    let deployed = whole.into_iter().chain(DEPLOYERS).collect();
    assert_eq!(asked(&of_uri(Some("d2"))), deployed);
    assert!(
        asked(&of_stage("webAclArn", json!("arn"))).is_empty(),
        "no call of this service writes it"
    );
}

#[test]
fn an_edit_between_a_deployment_and_a_reading_is_seen() {
    let at = |second| Timestamp::from_second(second).unwrap();
    for (event, seen, why) in [
        (uri(10, ANNA, "http://x"), true, "an edit"),
        (
            uri(5, ANNA, "http://x"),
            true,
            "in the same second: nobody knows which came first",
        ),
        (uri(20, OWN, "http://x"), true, "an own one too, in the last second"),
        (uri(21, ANNA, "http://x"), false, "after the reading"),
        (uri(4, ANNA, "http://x"), false, "before the deployment"),
        (deploy(5, ANNA, "d1"), false, "the deployment itself"),
        (
            stage(10, ANNA, "/tracingEnabled", "false"),
            false,
            "no deployment publishes a stage's settings",
        ),
    ] {
        let events = [event];
        assert_eq!(
            wrote_between(&events, &endpoint(), at(5), at(20), "d1").is_some(),
            seen,
            "{why}"
        );
    }
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(
        seconds in proptest::collection::vec((0_i64..50, 0_usize..3, 0_usize..3), 0..12),
        seed in any::<u64>(),
    ) {
        let made: Vec<Event> = seconds
            .iter()
            .map(|(second, who, value)| uri(*second, [ANNA, BORIS, OWN][*who], ["http://x", "https://x", "***"][*value]))
            .collect();
        let mut shuffled = made.clone();
        let length = shuffled.len();
        for at in 0..length {
            let with = usize::try_from(seed.rotate_left(u32::try_from(at).unwrap()) % length as u64).unwrap();
            shuffled.swap(at, with);
        }
        shuffled.extend(made.iter().take(3).cloned());
        prop_assert_eq!(of_uri(None).explain(&made), of_uri(None).explain(&shuffled));
    }
}
