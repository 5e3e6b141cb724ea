//! Who may do what: selectors, grants and exceptions.

use serde_json::{Value, json};

use super::support::*;
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{EndpointType, Enforcement, Target};
use crate::judge::evaluate::belongs;

fn untraced() -> World {
    World::of([stage("prod", json!({"tracingEnabled": false}))])
}

fn traced(fields: Value) -> crate::judge::compile::Policy {
    policy_with("p", rule(STAGE, json!({"desired": {"tracingEnabled": true}})), fields)
}

fn exception(fields: Value) -> EndpointExceptionSpec {
    let mut spec = json!({"policy": "p", "endpoints": {"names": ["*"]}, "reason": "until the move", "expiresAt": "2026-06-01T12:00:00Z"});
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

#[test]
fn an_exception_ends_at_its_second() {
    let violated = "live in prod: UpdateStage replace /tracingEnabled=true";
    for (now, expected, why) in [
        ("2026-06-01T11:59:59Z", "exempted", "the second before"),
        ("2026-06-01T11:59:59.999Z", "exempted", "to the last moment"),
        (
            "2026-06-01T12:00:00Z",
            violated,
            "from that second on the rule counts again",
        ),
        ("2027-06-01T12:00:00Z", violated, "and for ever"),
    ] {
        let mut world = untraced().under(traced(json!({})));
        world.exceptions.push(("ns".into(), exception(json!({}))));
        world.now = now;
        assert_eq!(world.says(), expected, "{why}");
    }
}

#[test]
fn an_exception_is_for_what_it_names() {
    for (namespace, fields, exempt, why) in [
        ("ns", json!({}), true, "every endpoint, every rule"),
        (
            "other",
            json!({}),
            false,
            "a policy of the same name in another namespace is another one",
        ),
        ("ns", json!({"policy": "q"}), false, "another policy"),
        ("ns", json!({"rules": ["r"]}), true, "this rule"),
        ("ns", json!({"rules": ["s"]}), false, "another rule"),
        (
            "ns",
            json!({"endpoints": {"names": ["pay*-api"]}}),
            true,
            "by a pattern of its name",
        ),
        ("ns", json!({"endpoints": {"names": ["shop-*"]}}), false, "another name"),
        ("ns", json!({"endpoints": {"ids": ["a1"]}}), true, "by its id"),
        (
            "ns",
            json!({"endpoints": {"ids": ["a1"], "names": ["shop-*"]}}),
            false,
            "every part must match",
        ),
        (
            "ns",
            json!({"endpoints": {"tags": {"matchLabels": {"team": "payments"}}}}),
            true,
            "by its tags",
        ),
        (
            "ns",
            json!({"endpoints": {"tags": {"matchLabels": {"team": "shop"}}}}),
            false,
            "another's",
        ),
        ("ns", json!({"endpoints": {}}), false, "who names nothing means nothing"),
    ] {
        let mut world = untraced().under(traced(json!({})));
        world.exceptions.push((namespace.into(), exception(fields.clone())));
        world.now = "2026-01-01T00:00:00Z";
        assert_eq!(world.says() == "exempted", exempt, "{why}: {fields}");
    }
}

#[test]
fn an_exception_hides_a_violation_and_nothing_else() {
    let rule = || {
        rule(
            METHOD,
            json!({"require": "!object.apiKeyRequired", "fix": "{'apiKeyRequired': false}"}),
        )
    };
    for (resource, expected, why) in [
        (
            method("GET /a", json!({"apiKeyRequired": false})),
            "compliant",
            "what holds needs no exception",
        ),
        (
            method("GET /a", json!({"apiKeyRequired": false})).unreadable("prod"),
            "unknown: stage prod: AWS said 403",
            "what cannot be read stays unknown",
        ),
        (
            method("GET /a", json!({"apiKeyRequired": true})).served("prod", json!({"apiKeyRequired": false})),
            "exempted",
            "a draft's violation too",
        ),
    ] {
        let mut world = World::of([resource]).under(policy("p", rule()));
        world
            .exceptions
            .push(("ns".into(), exception(json!({"expiresAt": "2030-01-01T00:00:00Z"}))));
        assert_eq!(world.says(), expected, "{why}");
    }
}

#[test]
fn an_exempted_rule_stands_against_nobody() {
    let other = policy(
        "q",
        rule(STAGE, json!({"desired": {"tracingEnabled": true}, "controls": ["c"]})),
    );
    let wants_off = policy(
        "p",
        rule(
            STAGE,
            json!({"require": "!has(object.description)", "fix": "{'description': null, 'tracingEnabled': false}"}),
        ),
    );
    let mut world = World::of([stage("prod", json!({"tracingEnabled": false, "description": "x"}))])
        .under(other)
        .under(wants_off);
    world
        .exceptions
        .push(("ns".into(), exception(json!({"expiresAt": "2030-01-01T00:00:00Z"}))));
    assert_eq!(
        lines(&world.ask()),
        [
            "p/r prod| exempted",
            "q/r prod| live in prod: UpdateStage replace /tracingEnabled=true"
        ]
    );
}

#[test]
fn a_grant_lowers_and_never_raises() {
    use Enforcement::{Approve, Audit, Enforce};
    for (asked, rule_asks, granted, allowed, cut, why) in [
        ("Enforce", None, Enforce, Enforce, false, "all of it"),
        ("Enforce", None, Approve, Approve, true, "a person is asked"),
        ("Enforce", None, Audit, Audit, true, "looking only"),
        (
            "Audit",
            None,
            Enforce,
            Audit,
            false,
            "the policy asks for less than it may",
        ),
        (
            "Audit",
            Some("Enforce"),
            Approve,
            Approve,
            true,
            "a rule asks for more than its policy, and may less",
        ),
        (
            "Enforce",
            Some("Audit"),
            Enforce,
            Audit,
            false,
            "a rule asks for less than its policy",
        ),
        ("Approve", None, Approve, Approve, false, "just that"),
    ] {
        let mut rule = rule(STAGE, json!({"desired": {"tracingEnabled": true}}));
        if let Some(own) = rule_asks {
            rule["enforcement"] = json!(own);
        }
        let mut world = untraced();
        world
            .policies
            .push((policy_with("p", rule, json!({"enforcement": asked})), granted));
        let violation = world.violation();
        assert_eq!(
            (violation.allowed, violation.granted < violation.asked),
            (allowed, cut),
            "{why}"
        );
    }
}

#[test]
fn a_policy_judges_what_it_selects() {
    for (selector, selected, why) in [
        (json!({}), true, "everything"),
        (
            json!({"types": [API]}),
            true,
            "the type of the endpoint, not of what is judged of it",
        ),
        (json!({"types": [DOMAIN]}), false, "another type"),
        (
            json!({"regions": ["eu-west-1", "eu-central-1"]}),
            true,
            "one of the regions",
        ),
        (json!({"regions": ["us-east-1"]}), false, "another region"),
        (json!({"names": ["payments-*"]}), true, "a name"),
        (json!({"names": ["payments"]}), false, "the whole of it"),
        (json!({"tags": {"matchLabels": {"team": "payments"}}}), true, "a tag"),
        (
            json!({"tags": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["payments"]}]}}),
            false,
            "not this one",
        ),
        (
            json!({"tags": {"matchExpressions": [{"key": "env", "operator": "DoesNotExist"}, {"key": "team", "operator": "Exists"}]}}),
            true,
            "by what there is and is not",
        ),
        (
            json!({"tags": {"matchExpressions": [{"key": "team", "operator": "Like", "values": ["pay"]}]}}),
            false,
            "an operator that nobody knows selects nothing",
        ),
        (
            json!({"names": ["payments-*"], "regions": ["us-east-1"]}),
            false,
            "every part must match",
        ),
    ] {
        let world = untraced().under(traced(json!({"selector": selector.clone()})));
        assert_eq!(world.says() != "does not apply", selected, "{why}: {selector}");
    }
}

#[test]
fn targets_belong_to_endpoints() {
    for (target, api, domain) in [
        (Target::RestApi, true, false),
        (Target::Stage, true, false),
        (Target::Method, true, false),
        (Target::DomainName, false, true),
    ] {
        assert_eq!(belongs(target, EndpointType::RestApi), api, "{target:?}");
        assert_eq!(belongs(target, EndpointType::DomainName), domain, "{target:?}");
    }
}

#[test]
fn what_else_a_policy_allows_goes_along() {
    let fields = json!({"redeploy": "Never", "repairs": {"drafts": false}, "priority": 7});
    let violation = untraced().under(traced(fields)).violation();
    assert_eq!(violation.redeploy, crate::api::policy::Redeploy::Never);
    assert!(!violation.drafts);
    assert_eq!(violation.priority, 7);
}
