//! What a policy cannot say, and what it is told to say instead.

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::EndpointPolicySpec;
use crate::judge::compile;
use crate::judge::compile::PolicyRef;

fn faults(rules: Value) -> Vec<String> {
    faults_of(json!({"rules": rules}))
}

fn faults_of(spec: Value) -> Vec<String> {
    let spec: EndpointPolicySpec = serde_json::from_value(spec).unwrap();
    match compile(PolicyRef::default(), &spec) {
        Ok(_) => vec![],
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_fault_says_the_rule_the_field_and_what_to_write() {
    for (fields, expected, why) in [
        (
            json!({"require": "object.a =="}),
            vec!["rule r, require: no CEL at line 1, column "],
            "broken CEL, and where it breaks",
        ),
        (
            json!({"require": "true &&\n  object.a = 1"}),
            vec!["rule r, require: no CEL at line 2, column "],
            "on the line that it is on",
        ),
        (
            json!({"require": "objekt.a"}),
            vec!["rule r, require: unknown variable `objekt`; there are object, "],
            "a name that nobody knows, and those that there are",
        ),
        (
            json!({"when": "iam.refuses(object.policy, {})", "require": "true"}),
            vec![
                "rule r, when: unknown function `iam.refuses` with 2 arguments; there are iam.denies(policy, context)",
            ],
            "a function that nobody knows, and those that there are",
        ),
        (
            json!({"require": "true", "message": "'"}),
            vec!["rule r, message: "],
            "the message is compiled too",
        ),
        (
            json!({"require": "true", "desired": {"a": 1}}),
            vec!["rule r, desired: write either desired (and absent) or require, not both"],
            "two ways to say what must hold",
        ),
        (
            json!({"require": "true", "absent": ["a"]}),
            vec!["rule r, desired: write either desired (and absent) or require, not both"],
            "absent is the same way as desired",
        ),
        (
            json!({}),
            vec!["rule r, desired: write desired, the values that must stand, or require, a CEL expression"],
            "nothing must hold",
        ),
        (
            json!({"desired": {}}),
            vec!["rule r, desired: write at least one value that must stand, as in {tracingEnabled: true}"],
            "a rule that asks for nothing would be held by everything",
        ),
        (
            json!({"desired": {"tags": {"team": "x", "env": "y"}}, "absent": ["tags.team"]}),
            vec!["rule r, absent: tags.team cannot be absent while desired names tags.team: write one of them"],
            "a value that must stand and must not",
        ),
        (
            json!({"desired": {"variables": {"a": "1"}}, "absent": ["variables"]}),
            vec!["rule r, absent: variables cannot be absent while desired names variables.a: write one of them"],
            "the same, further up",
        ),
        (
            json!({"require": "object.a", "fix": "{'a': now}"}),
            vec!["rule r, fix: a fix cannot name `now`: its plan must stay the same while nothing changes"],
            "a plan that changes by itself can never be approved",
        ),
        (
            json!({"when": "previous.a", "require": "previous.a == object.a", "message": "previous.a"}),
            vec![
                "rule r, when: `previous`, the last compliant value, can be named in fix alone",
                "rule r, require: `previous`, the last compliant value, can be named in fix alone",
                "rule r, message: `previous`, the last compliant value, can be named in fix alone",
            ],
            "every fault is said, not the first alone",
        ),
        (
            json!({"desired": {"a": 1}, "fix": "{'a': 1}"}),
            vec!["rule r, fix: fix goes with require alone, without restore: desired is its own repair"],
            "two repairs",
        ),
        (
            json!({"require": "true", "fix": "{'a': 1}", "restore": ["a"]}),
            vec!["rule r, fix: fix goes with require alone, without restore: desired is its own repair"],
            "two other repairs",
        ),
        (
            json!({"desired": {"a": 1}, "restore": ["a"]}),
            vec!["rule r, restore: restore goes with require: desired is its own repair"],
            "and two more",
        ),
        (
            json!({"absent": ["methodSettings[*/*]"]}),
            vec![
                "rule r, absent: `methodSettings[*/*]`: write a key in quotes between the brackets, as in methodSettings[\"*/*\"]",
            ],
            "a key without quotes",
        ),
        (
            json!({"require": "true", "restore": ["methodSettings[\"*/*\"", "a..b", "a.", ""]}),
            vec![
                "rule r, restore: `methodSettings[\"*/*\"`: the bracket is not closed; write methodSettings[\"*/*\"].loggingLevel",
                "rule r, restore: `a..b`: a key is missing; write a path such as methodIntegration.uri",
                "rule r, restore: `a.`: a path does not end with a dot",
                "rule r, restore: write a path such as methodIntegration.uri",
            ],
            "each bad path on its own",
        ),
    ] {
        let found = faults(json!([rule(STAGE, fields.clone())]));
        assert_eq!(found.len(), expected.len(), "{why}: {fields}\n{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{why}: {fields}\n{found}");
        }
    }
}

#[test]
fn a_policy_is_refused_with_every_fault_of_every_rule() {
    let twice = json!([
        rule(STAGE, json!({"desired": {"a": 1}})),
        rule(STAGE, json!({"require": "1 +"}))
    ]);
    let found = faults(twice);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(found[0], "rule r, name: two rules have this name: give each its own");
    assert!(found[1].starts_with("rule r, require: no CEL"), "{}", found[1]);
    assert_eq!(
        faults(json!([])),
        ["rules: write at least one rule"],
        "the policy itself"
    );
}

#[test]
fn a_fault_of_the_policy_itself_says_the_field() {
    for (fields, expected, why) in [
        (
            json!({"limits": {"share": "0%"}}),
            "limits.share: `0%`: write a share from 1% to 100%",
            "no endpoint at all",
        ),
        (
            json!({"limits": {"share": "20"}}),
            "limits.share: `20`: write a share",
            "percent or number?",
        ),
        (
            json!({"limits": {"settle": "soon"}}),
            "limits.settle: `soon` is no duration: write 30s",
            "how soon?",
        ),
        (
            json!({"windows": [{"schedule": "0 2 30 2 *", "duration": "1h", "timeZone": "UTC"}]}),
            "windows: schedule `0 2 30 2 *` never comes",
            "a day that never comes",
        ),
    ] {
        let mut spec = json!({"rules": [rule(STAGE, json!({"desired": {"a": 1}}))]});
        spec.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let found = faults_of(spec);
        assert_eq!(found.len(), 1, "{why}: {found:#?}");
        assert!(found[0].starts_with(expected), "{why}: {}", found[0]);
    }
}

#[test]
fn what_a_policy_can_say_compiles() {
    for (fields, why) in [
        (json!({"desired": {"tracingEnabled": true}}), "values"),
        (json!({"absent": ["variables.debug"]}), "absence alone"),
        (
            json!({"desired": {"a": {"b": 1}}, "absent": ["a.c"]}),
            "both, side by side",
        ),
        (
            json!({"when": "stage == 'prod'", "require": "now > timestamp('2026-01-01T00:00:00Z')"}),
            "now and stage",
        ),
        (
            json!({"require": "true", "fix": "{'a': previous.a}"}),
            "previous in fix",
        ),
        (
            json!({"require": "true", "restore": ["a[\"b.c\"].d"]}),
            "paths with quoted keys",
        ),
    ] {
        assert_eq!(faults(json!([rule(STAGE, fields)])), Vec::<String>::new(), "{why}");
    }
}
