//! Of a violation of which nobody knows what is wanted, the rule says where it looks: whoever wrote there last is named.

use super::parts::{api, member, of, remove, tag, untag};
use super::*;

fn looked_at(target: Target, path: &str, stands: Value) -> Case {
    Case {
        wanted: false,
        ..of(target, path, stands, Value::Null)
    }
}

#[test]
fn whoever_wrote_last_what_a_rule_looks_at_is_named() {
    let certificate = || looked_at(Target::Stage, "clientCertificateId", Value::Null);
    let set = |second, who, value| stage(second, who, "/clientCertificateId", value);
    let open = || looked_at(Target::Method, "authorizationType", json!("NONE"));
    let method = |second, who, path, value| patch(second, who, "UpdateMethod", get(), path, value);
    let tags = |is: Value| looked_at(Target::RestApi, "tags", is);
    let types = |is: Value| looked_at(Target::RestApi, "binaryMediaTypes", is);
    let entry = |is: Value| looked_at(Target::Stage, "methodSettings[\"*/*\"]", is);
    for (case, events, who, why) in [
        (
            open(),
            vec![method(10, ANNA, "/authorizationType", "NONE")],
            Some("anna@10"),
            "it is forbidden, and somebody wrote it",
        ),
        (
            open(),
            vec![
                method(10, ANNA, "/authorizationType", "NONE"),
                method(20, BORIS, "/apiKeyRequired", "false"),
            ],
            Some("anna@10"),
            "the newest wrote where the rule does not look",
        ),
        (
            open(),
            vec![method(10, ANNA, "/authorizationType", "AWS_IAM")],
            None,
            "something else stands there: who wrote that was not told",
        ),
        (
            certificate(),
            vec![set(10, ANNA, "c1"), set(20, BORIS, "")],
            Some("boris@20"),
            "it is required, and somebody took it away",
        ),
        (
            certificate(),
            vec![set(10, ANNA, ""), set(20, OWN, "c1")],
            None,
            "it was put back since",
        ),
        (
            tags(json!({"env": "p"})),
            vec![tag(10, ANNA, "team", "x"), untag(20, BORIS, "team")],
            Some("boris@20"),
            "a tag that is required is gone: it is not known which, but who wrote tags last",
        ),
        (
            looked_at(Target::RestApi, "tags.env", json!("p")),
            vec![tag(10, ANNA, "env", "p"), untag(20, BORIS, "team")],
            Some("anna@10"),
            "the rule looks at one tag",
        ),
        (
            types(json!(["text/css"])),
            vec![
                member(10, ANNA, "UpdateRestApi", "add", "/binaryMediaTypes/text~1css"),
                member(20, BORIS, "UpdateRestApi", "remove", "/binaryMediaTypes/image~1png"),
            ],
            Some("boris@20"),
            "a member that is required is gone: likewise",
        ),
        (
            types(json!(["text/css"])),
            vec![
                member(10, ANNA, "UpdateRestApi", "add", "/binaryMediaTypes/text~1css"),
                api(20, BORIS, "/name", "n"),
            ],
            Some("anna@10"),
            "a member is forbidden",
        ),
        (
            entry(json!({"dataTraceEnabled": true})),
            vec![
                stage(10, ANNA, "/*/*/logging/dataTrace", "true"),
                stage(20, BORIS, "/~1pets/GET/logging/dataTrace", "true"),
            ],
            Some("anna@10"),
            "an entry of a map is looked at as a whole",
        ),
        (
            entry(Value::Null),
            vec![remove(10, ANNA, "/*/*")],
            Some("anna@10"),
            "it was taken away as a whole",
        ),
    ] {
        assert_eq!(case.explain(&events).0.as_deref(), who, "{why}");
    }
}

#[test]
fn of_several_places_the_last_one_that_was_written_counts() {
    let at = |path: &str, stands: Value| looked_at(Target::Method, path, stands).change;
    let changes = [
        at("methodIntegration.uri", json!("http://x")),
        at("methodIntegration.type", json!("HTTP_PROXY")),
        at("methodIntegration.timeoutInMillis", json!(9000)),
    ];
    let case = of_uri(Some("d2"));
    let put = json!({"resourceId": "r1", "httpMethod": "GET", "putIntegrationInput": {
        "type": "HTTP_PROXY", "uri": "http://x", "timeoutInMillis": 8000}});
    let events = [
        call(10, ANNA, "PutIntegration", put),
        patch(20, BORIS, "UpdateIntegration", get(), "/timeoutInMillis", "9000"),
        deploy(30, ANNA, "d2"),
    ];
    let endpoint = endpoint();
    let question = Question {
        endpoint: &endpoint,
        target: Target::Method,
        address: &case.address,
        changes: &changes,
        wanted: false,
        deployments: &case.deployments,
        before: Timestamp::from_second(1000).unwrap(),
    };
    let found = explain(&question, &events, &own());
    assert_eq!(
        found.editor,
        Some(&events[1]),
        "one of them broke the rule: the last, not who wrote most"
    );
    assert_eq!(found.deployer, Some(&events[2]), "and somebody brought it to callers");
}
