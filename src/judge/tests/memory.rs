//! Last compliant values: what is remembered, and what never is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::Target;
use crate::judge::compile::Policy;

const HTTPS: &str = "object.methodIntegration.uri.startsWith('https://')";
const SLOT: &str = "AWS::ApiGateway::Method|GET /pets|methodIntegration.uri";

fn restoring(name: &str, require: &str) -> Policy {
    policy(
        name,
        rule(
            METHOD,
            json!({"require": require, "restore": ["methodIntegration.uri"]}),
        ),
    )
}

fn remembered(world: &World) -> BTreeMap<String, Value> {
    world.ask().compliant
}

#[test]
fn the_value_that_callers_met_while_the_rule_held_is_remembered() {
    let (good, other, bad) = (calling("https://a"), calling("https://b"), calling("http://a"));
    let method = |document: &Value| method("GET /pets", document.clone());
    for (resource, before, expected, why) in [
        (method(&good), None, Some("https://a"), "live and drafted"),
        (
            method(&other).served("prod", good.clone()),
            None,
            Some("https://a"),
            "what callers meet, not what somebody drafts",
        ),
        (
            method(&good).never_deployed(),
            None,
            Some("https://a"),
            "nothing is deployed: the draft",
        ),
        (method(&bad), None, None, "it does not hold"),
        (
            method(&good).served("prod", bad.clone()),
            None,
            None,
            "callers meet a violation, whatever is drafted",
        ),
        (
            method(&bad).served("prod", good.clone()),
            None,
            None,
            "the draft violates: wait until that is settled",
        ),
        (
            method(&good).served("dev", other.clone()),
            None,
            Some("https://b"),
            "the first of the stages, each time",
        ),
        (
            method(&good).unreadable("prod"),
            None,
            Some("https://a"),
            "the draft holds: better than nothing, while callers' state cannot be read",
        ),
        (
            method(&good).unreadable("prod"),
            Some("https://before"),
            None,
            "but never in the place of what was seen live",
        ),
        (
            method(&good),
            Some("https://before"),
            Some("https://a"),
            "a newer value takes the older one's place",
        ),
        (
            method(&good).without_draft(),
            None,
            Some("https://a"),
            "still served, no longer in the editor",
        ),
    ] {
        let mut world = World::of([resource]).under(restoring("p", HTTPS));
        if let Some(uri) = before {
            world = world.after(Target::Method, "GET /pets", "methodIntegration.uri", json!(uri));
        }
        let expected: BTreeMap<String, Value> = expected.map(|uri| (SLOT.to_owned(), json!(uri))).into_iter().collect();
        assert_eq!(remembered(&world), expected, "{why}");
    }
}

#[test]
fn that_nothing_stood_there_is_remembered_too() {
    let fields = json!({"require": "!has(object.variables) || !has(object.variables.debug)", "restore": ["variables"]});
    let world = World::of([stage("prod", json!({}))]).under(policy("p", rule(STAGE, fields)));
    let slot = "AWS::ApiGateway::Stage|prod|variables".to_owned();
    assert_eq!(remembered(&world), BTreeMap::from([(slot, Value::Null)]));
}

#[test]
fn only_paths_that_some_rule_restores_are_remembered() {
    let world = World::of([method("GET /pets", calling("https://a"))]).under(policy(
        "p",
        rule(
            METHOD,
            json!({"require": HTTPS, "fix": "{'methodIntegration': {'uri': 'https://a'}}"}),
        ),
    ));
    assert_eq!(remembered(&world), BTreeMap::new(), "a fix keeps nothing");
    let slots = json!({"when": "false", "require": HTTPS, "restore": ["methodIntegration.uri"]});
    let world = World::of([method("GET /pets", calling("https://a"))]).under(policy("p", rule(METHOD, slots)));
    assert_eq!(remembered(&world), BTreeMap::new(), "nor a rule that does not apply");
}

#[test]
fn a_rule_that_is_violated_vetoes_what_another_is_content_with() {
    let internal = "object.methodIntegration.uri.endsWith('.internal')";
    for (uri, expected, why) in [
        ("https://a.internal", Some("https://a.internal"), "both hold"),
        ("https://evil", None, "one holds: its value is still none to go back to"),
    ] {
        let world = World::of([method("GET /pets", calling(uri))]);
        let (one, other) = (restoring("one", HTTPS), restoring("other", internal));
        let expected: BTreeMap<String, Value> = expected.map(|uri| (SLOT.to_owned(), json!(uri))).into_iter().collect();
        let forth = world.clone().under(one.clone()).under(other.clone());
        assert_eq!(remembered(&forth), expected, "{why}");
        assert_eq!(
            remembered(&world.under(other).under(one)),
            expected,
            "{why}, in the other order too"
        );
    }
}

#[test]
fn a_violation_vetoes_whoever_may_repair_it_and_whoever_is_exempt() {
    let internal = rule(
        METHOD,
        json!({"require": "object.methodIntegration.uri.endsWith('.internal')", "restore": ["methodIntegration.uri"], "enforcement": "Audit"}),
    );
    let mut world = World::of([method("GET /pets", calling("https://evil"))])
        .under(restoring("one", HTTPS))
        .under(policy("p", internal));
    assert_eq!(
        remembered(&world),
        BTreeMap::new(),
        "a report is a violation all the same"
    );
    let exception =
        json!({"policy": "p", "endpoints": {"names": ["*"]}, "reason": "r", "expiresAt": "2030-01-01T00:00:00Z"});
    world
        .exceptions
        .push(("ns".into(), serde_json::from_value(exception).unwrap()));
    assert_eq!(
        remembered(&world),
        BTreeMap::new(),
        "an exception excuses a value, it does not make it good"
    );
}

#[test]
fn what_is_hidden_is_not_remembered_as_absent() {
    let fields = json!({"require": HTTPS, "restore": ["methodIntegration.uri", "methodIntegration.cacheNamespace"]});
    let slot = |path: &str| format!("AWS::ApiGateway::Method|GET /pets|methodIntegration.{path}");
    let mut shown = calling("https://a");
    shown["methodIntegration"]
        .as_object_mut()
        .unwrap()
        .shift_remove("cacheNamespace");
    let resource =
        method("GET /pets", calling("https://a")).served_but("prod", shown, &["methodIntegration.cacheNamespace"]);
    let world = World::of([resource.clone()]).under(policy("p", rule(METHOD, fields.clone())));
    assert_eq!(
        remembered(&world),
        BTreeMap::from([(slot("uri"), json!("https://a")), (slot("cacheNamespace"), json!("r1"))]),
        "a draft that holds too knows it best"
    );
    let gone = World::of([resource.without_draft()]).under(policy("p", rule(METHOD, fields)));
    assert_eq!(
        remembered(&gone),
        BTreeMap::from([(slot("uri"), json!("https://a"))]),
        "and without one nobody knows"
    );
}

#[test]
fn policies_that_look_at_different_stages_agree_on_one_value() {
    let of = |name: &str, stage: &str| {
        let rule = rule(METHOD, json!({"require": HTTPS, "restore": ["methodIntegration.uri"]}));
        policy_with(name, rule, json!({"selector": {"stages": [stage]}}))
    };
    let resource = method("GET /pets", calling("https://draft"))
        .served("dev", calling("https://dev"))
        .served("prod", calling("https://prod"));
    let world = World::of([resource]);
    let forth = world.clone().under(of("a", "dev")).under(of("b", "prod"));
    let back = world.under(of("b", "prod")).under(of("a", "dev"));
    assert_eq!(remembered(&forth), remembered(&back), "whichever comes last");
    assert_eq!(remembered(&forth)[SLOT], json!("https://dev"));
}
