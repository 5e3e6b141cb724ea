//! Tags, members of lists, canaries, and what no repair writes: each is told apart by what a call names of it.

use super::*;

/// A drift, whose `from` is what was observed and whose `to` is what shall stand.
pub(super) fn of(target: Target, path: &str, from: Value, to: Value) -> Case {
    let address: &[(&str, &str)] = match target {
        Target::RestApi => &[("restApiId", "a1")],
        Target::Stage => &[("restApiId", "a1"), ("stageName", "prod")],
        Target::Method => &[("restApiId", "a1"), ("resourceId", "r1"), ("httpMethod", "GET")],
        Target::DomainName => &[("domainName", "api.example.com")],
    };
    let mut case = Case::of(target, address, path, from, None);
    case.change.to = (!to.is_null()).then_some(to);
    case
}

pub(super) fn tag(second: i64, who: &str, key: &str, value: &str) -> Event {
    let arn = "arn:aws:apigateway:eu-west-1::/restapis/a1";
    let input = json!({"tags": {key: value}});
    call(
        second,
        who,
        "TagResource",
        json!({"resourceArn": arn, "tagResourceInput": input}),
    )
}

pub(super) fn untag(second: i64, who: &str, key: &str) -> Event {
    let arn = "arn:aws:apigateway:eu-west-1::/restapis/a1";
    call(
        second,
        who,
        "UntagResource",
        json!({"resourceArn": arn, "tagKeys": [key]}),
    )
}

/// One patch operation without a value.
pub(super) fn member(second: i64, who: &str, name: &str, op: &str, path: &str) -> Event {
    let mut parameters = get();
    let mut input = name.to_owned();
    input[..1].make_ascii_lowercase();
    parameters[format!("{input}Input")] = json!({"patchOperations": [{"op": op, "path": path}]});
    call(second, who, name, parameters)
}

fn scope(second: i64, who: &str, op: &str, scope: &str) -> Event {
    member(
        second,
        who,
        "UpdateMethod",
        op,
        &format!("/authorizationScopes/{scope}"),
    )
}

pub(super) fn api(second: i64, who: &str, path: &str, value: &str) -> Event {
    patch(second, who, "UpdateRestApi", json!({}), path, value)
}

fn canary(second: i64, who: &str, id: &str) -> Event {
    let input = json!({"stageName": "prod", "canarySettings": {"percentTraffic": 10}});
    call(
        second,
        who,
        "CreateDeployment",
        json!({"createDeploymentInput": input, "made": id}),
    )
}

/// A patch of the stage that takes something away.
pub(super) fn remove(second: i64, who: &str, path: &str) -> Event {
    let gone = json!([{"op": "remove", "path": path}]);
    call(
        second,
        who,
        "UpdateStage",
        json!({"stageName": "prod", "updateStageInput": {"patchOperations": gone}}),
    )
}

fn promote(second: i64, who: &str) -> Event {
    let copy = json!([{"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}]);
    call(
        second,
        who,
        "UpdateStage",
        json!({"stageName": "prod", "updateStageInput": {"patchOperations": copy}}),
    )
}

#[test]
fn a_tag_is_explained_by_a_call_that_names_it() {
    let wrong = || {
        of(
            Target::RestApi,
            "tags",
            json!({"team": "x", "env": "p"}),
            json!({"team": "y", "env": "p"}),
        )
    };
    let gone = || of(Target::RestApi, "tags", Value::Null, json!({"team": "y"}));
    for (case, events, who, why) in [
        (
            wrong(),
            vec![tag(10, ANNA, "team", "x"), api(20, BORIS, "/name", "n")],
            Some("anna@10"),
            "no patch writes tags",
        ),
        (
            wrong(),
            vec![tag(10, ANNA, "team", "x"), tag(20, BORIS, "env", "p")],
            Some("anna@10"),
            "the newest put another tag",
        ),
        (
            wrong(),
            vec![tag(10, BORIS, "team", "z")],
            None,
            "another value: who wrote this one was not told",
        ),
        (
            gone(),
            vec![untag(10, ANNA, "team"), untag(20, BORIS, "env")],
            Some("anna@10"),
            "the newest took another tag away",
        ),
        (
            gone(),
            vec![call(10, ANNA, "PutRestApi", json!({}))],
            None,
            "an import leaves the tags",
        ),
        (
            gone(),
            vec![call(
                10,
                ANNA,
                "CreateRestApi",
                json!({"createRestApiInput": {"name": "n"}}),
            )],
            Some("anna@10"),
            "it was made without",
        ),
    ] {
        assert_eq!(case.explain(&events).0.as_deref(), who, "{why}");
    }
}

#[test]
fn a_member_of_a_list_is_explained_by_a_call_that_names_it() {
    let path = "authorizationScopes";
    let more = || of(Target::Method, path, json!(["a", "b"]), json!(["a"]));
    let less = || of(Target::Method, path, json!(["a"]), json!(["a", "b/c"]));
    let named = |second, who, op: &str, value: &str| {
        let mut at = get();
        at["updateMethodInput"] =
            json!({"patchOperations": [{"op": op, "path": "/authorizationScopes", "value": value}]});
        call(second, who, "UpdateMethod", at)
    };
    let put = |list: Value| {
        let mut at = get();
        at["putMethodInput"] = json!({"authorizationScopes": list});
        call(10, ANNA, "PutMethod", at)
    };
    for (case, events, who, why) in [
        (
            more(),
            vec![scope(10, ANNA, "add", "b"), scope(20, BORIS, "add", "a")],
            Some("anna@10"),
            "the newest added one that is wanted",
        ),
        (
            more(),
            vec![scope(10, ANNA, "add", "b"), scope(20, BORIS, "remove", "b")],
            None,
            "it was taken away since: it came back some other way",
        ),
        (
            less(),
            vec![scope(10, ANNA, "remove", "b~1c"), scope(20, BORIS, "add", "a")],
            Some("anna@10"),
            "one was taken away",
        ),
        (
            more(),
            vec![named(10, ANNA, "add", "b"), named(20, BORIS, "add", "a")],
            Some("anna@10"),
            "the value names the member: the newest added one that is wanted",
        ),
        (
            less(),
            vec![named(10, ANNA, "remove", "b/c"), named(20, BORIS, "remove", "z")],
            Some("anna@10"),
            "the value names the member: the newest took another one away",
        ),
        (
            less(),
            vec![named(10, ANNA, "remove", "x, b/c")],
            Some("anna@10"),
            "a value names several members",
        ),
        (
            less(),
            vec![named(10, ANNA, "remove", "b/c"), named(20, BORIS, "add", "b/c")],
            None,
            "it was added since: it went some other way",
        ),
        (
            more(),
            vec![named(10, ANNA, "add", "***"), named(20, BORIS, "add", "a")],
            Some("anna@10"),
            "a masked value may be this member",
        ),
        (more(), vec![put(json!(["a", "b"]))], Some("anna@10"), "put with it"),
        (less(), vec![put(json!(["a"]))], Some("anna@10"), "put without it"),
        (more(), vec![put(json!(["a"]))], None, "put without one that is there"),
    ] {
        assert_eq!(case.explain(&events).0.as_deref(), who, "{why}");
    }
}

#[test]
fn a_member_that_was_replaced_is_gone_and_the_new_one_came() {
    let is = |from: Value, to: Value| of(Target::RestApi, "binaryMediaTypes", from, to);
    let replaced = |old: &str, new: &str| [api(10, ANNA, &format!("/binaryMediaTypes/{old}"), new)];
    for (case, events, who, why) in [
        (
            is(json!(["image/gif"]), json!([])),
            replaced("image~1png", "image/gif"),
            Some("anna@10"),
            "the new one came",
        ),
        (
            is(json!([]), json!(["image/png"])),
            replaced("image~1png", "image/gif"),
            Some("anna@10"),
            "the old one went",
        ),
        (
            is(json!(["image/png"]), json!([])),
            replaced("image~1png", "image/gif"),
            None,
            "the old one is there again, by somebody else",
        ),
        (
            is(json!(["text/css"]), json!([])),
            replaced("image~1png", "image/gif"),
            None,
            "neither of them",
        ),
    ] {
        assert_eq!(case.explain(&events).0.as_deref(), who, "{why}");
    }
}

#[test]
fn who_promotes_a_canary_brings_it_to_all_callers() {
    for (events, who, why) in [
        (
            vec![uri(10, ANNA, "http://x"), canary(20, ANNA, "d2"), promote(30, BORIS)],
            (Some("anna@10"), Some("boris@30")),
            "one tries, another promotes",
        ),
        (
            vec![uri(10, ANNA, "http://x"), canary(20, BORIS, "d2")],
            (Some("anna@10"), Some("boris@20")),
            "the promotion was not told of",
        ),
        (
            vec![uri(5, ANNA, "http://x"), promote(10, BORIS), deploy(20, BORIS, "d1")],
            (Some("anna@5"), None),
            "another deployment came since: the promotion did not bring this one",
        ),
        (
            vec![
                uri(10, ANNA, "http://x"),
                canary(20, ANNA, "d2"),
                uri(25, BORIS, "http://x"),
                promote(30, BORIS),
            ],
            (Some("anna@10"), Some("boris@30")),
            "a deployment holds what was edited before it was made",
        ),
        (
            vec![
                uri(10, ANNA, "http://x"),
                deploy(20, ANNA, "d2"),
                uri(25, BORIS, "http://x"),
                stage(40, BORIS, "/deploymentId", "d2"),
            ],
            (Some("anna@10"), Some("boris@40")),
            "a stage is pointed back at an old one",
        ),
    ] {
        let (editor, deployer) = of_uri(Some("d2")).explain(&events);
        assert_eq!((editor.as_deref(), deployer.as_deref()), who, "{why}");
    }
}

#[test]
fn what_no_repair_writes_is_explained_too() {
    let method = |path| of(Target::Method, path, json!("x"), json!("y"));
    for (case, event, who, why) in [
        (
            of(
                Target::RestApi,
                "endpointConfiguration.types",
                json!(["EDGE"]),
                json!(["REGIONAL"]),
            ),
            api(10, ANNA, "/endpointConfiguration/types/0", "EDGE"),
            Some("anna@10"),
            "an API was moved to the edge",
        ),
        (
            of(Target::Stage, "deploymentId", json!("d1"), json!("d2")),
            stage(10, ANNA, "/deploymentId", "d1"),
            Some("anna@10"),
            "a stage was pointed elsewhere",
        ),
        (
            of(Target::Stage, "deploymentId", json!("d1"), json!("d2")),
            stage(10, ANNA, "/deploymentId", "d3"),
            None,
            "at another one",
        ),
        (
            of(Target::Stage, "deploymentId", json!("d1"), json!("d2")),
            deploy(10, ANNA, "d1"),
            Some("anna@10"),
            "it was deployed to",
        ),
        (
            of(
                Target::Stage,
                "canarySettings",
                json!({"percentTraffic": 10}),
                Value::Null,
            ),
            canary(10, ANNA, "d1"),
            Some("anna@10"),
            "it was given a canary",
        ),
        (
            of(Target::Stage, "description", json!("x"), json!("y")),
            call(
                10,
                ANNA,
                "CreateDeployment",
                json!({"createDeploymentInput": {"stageName": "prod", "description": "x"}}),
            ),
            None,
            "the deployment's description is its own",
        ),
        (
            method("methodIntegration.credentials"),
            patch(10, ANNA, "UpdateIntegration", get(), "/credentials", "x"),
            Some("anna@10"),
            "a patch that AWS does not document",
        ),
        (
            method("methodResponses"),
            call(
                10,
                ANNA,
                "PutMethodResponse",
                json!({"resourceId": "r1", "httpMethod": "GET", "statusCode": "200"}),
            ),
            Some("anna@10"),
            "a response was put",
        ),
        (
            method("methodIntegration.uri"),
            call(10, ANNA, "CreateRestApi", json!({"createRestApiInput": {"name": "n"}})),
            None,
            "a new API has no methods",
        ),
        (
            method("methodIntegration.uri"),
            call(
                10,
                ANNA,
                "CreateRestApi",
                json!({"createRestApiInput": {"name": "n", "cloneFrom": "b"}}),
            ),
            Some("anna@10"),
            "it was cloned with its methods",
        ),
    ] {
        assert_eq!(case.explain(&[event]).0.as_deref(), who, "{why}");
    }
}

#[test]
fn a_domain_is_explained_by_its_own_calls() {
    let case = of(Target::DomainName, "securityPolicy", json!("TLS_1_0"), json!("TLS_1_2"));
    let at = |name: &str| json!({"domainName": name});
    let update = |second, who, name| patch(second, who, "UpdateDomainName", at(name), "/securityPolicy", "TLS_1_0");
    let events = [
        update(10, ANNA, "api.example.com"),
        update(20, BORIS, "www.example.com"),
    ];
    assert_eq!(case.explain(&events).0.as_deref(), Some("anna@10"));
}

#[test]
fn a_setting_is_lost_with_its_entry() {
    let setting = |path: &str| of(Target::Stage, path, Value::Null, json!("INFO"));
    let events = [remove(10, ANNA, "/~1pets/GET"), remove(20, BORIS, "/*/*")];
    for (path, who) in [
        ("methodSettings[\"~1pets/GET\"].loggingLevel", "anna@10"),
        ("methodSettings[\"~1pets/GET\"]", "anna@10"),
        ("methodSettings[\"*/*\"].loggingLevel", "boris@20"),
    ] {
        assert_eq!(setting(path).explain(&events).0.as_deref(), Some(who), "{path}");
    }
}

#[test]
fn what_explains_most_of_several_changes_is_named() {
    let change = |path: &str, from: Value| Change {
        path: path.into(),
        from: Some(from),
        to: None,
    };
    let changes = [
        change("methodIntegration.uri", json!("http://x")),
        change("methodIntegration.timeoutInMillis", json!(9000)),
        change("methodIntegration.connectionType", json!("INTERNET")),
    ];
    let case = of_uri(None);
    let both = json!({"resourceId": "r1", "httpMethod": "GET", "updateIntegrationInput": {"patchOperations": [
        {"op": "replace", "path": "/uri", "value": "http://x"},
        {"op": "replace", "path": "/timeoutInMillis", "value": "9000"}]}});
    let events = [
        call(10, ANNA, "UpdateIntegration", both),
        patch(20, BORIS, "UpdateIntegration", get(), "/connectionType", "INTERNET"),
    ];
    let endpoint = endpoint();
    let question = Question {
        endpoint: &endpoint,
        target: Target::Method,
        address: &case.address,
        changes: &changes,
        wanted: true,
        deployments: &case.deployments,
        before: Timestamp::from_second(1000).unwrap(),
    };
    assert_eq!(explain(&question, &events, &own()).editor, Some(&events[0]));
}

#[test]
fn a_long_text_that_was_cut_may_be_this_one() {
    let long = "x".repeat(5000);
    let cut = &long[..4096];
    let case = of(Target::RestApi, "description", json!(long), json!("y"));
    assert_eq!(
        case.explain(&[api(10, ANNA, "/description", cut)]).0.as_deref(),
        Some("anna@10")
    );
    assert_eq!(
        case.explain(&[api(10, ANNA, "/description", "short")]).0,
        None,
        "a short one is whole"
    );
}
