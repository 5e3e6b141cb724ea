//! Rules that want different things of one resource.

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::Enforcement;
use crate::judge::Judgement;
use crate::judge::compile::Policy;
use crate::judge::plan;
use crate::judge::verdict::Remedy;

fn tracing(name: &str, on: bool, fields: Value) -> Policy {
    policy_with(name, rule(STAGE, json!({"desired": {"tracingEnabled": on}})), fields)
}

fn says(judgement: &Judgement, policy: &str) -> String {
    let verdict = judgement.verdicts.iter().find(|v| v.policy.name == policy).unwrap();
    line(&verdict.outcome)
}

fn message(judgement: &Judgement, policy: &str) -> String {
    let verdict = judgement.verdicts.iter().find(|v| v.policy.name == policy).unwrap();
    match &violated(verdict).remedy {
        Remedy::None { message, .. } => message.clone(),
        Remedy::Plan(_) => panic!("{policy} has a plan"),
    }
}

fn stage_with(document: Value) -> World {
    World::of([stage("prod", document)])
}

fn description(name: &str, text: &str, priority: i32) -> Policy {
    let fields = json!({"priority": priority});
    policy_with(name, rule(STAGE, json!({"desired": {"description": text}})), fields)
}

#[test]
fn different_values_at_one_path() {
    let repaired = |text: &str| format!("live in prod: UpdateStage replace /description={text}");
    let (overruled, conflicted) = (
        "live in prod: Overruled".to_owned(),
        "live in prod: Conflicted".to_owned(),
    );
    for (one, other, first, second, why) in [
        (
            description("one", "x", 1),
            description("other", "y", 0),
            repaired("x"),
            overruled.clone(),
            "the higher priority wins",
        ),
        (
            description("one", "x", -1),
            description("other", "y", 0),
            overruled.clone(),
            repaired("y"),
            "whoever comes first",
        ),
        (
            description("one", "x", 0),
            description("other", "y", 0),
            conflicted.clone(),
            conflicted.clone(),
            "a tie: neither is repaired",
        ),
        (
            description("one", "x", 0),
            description("other", "x", 0),
            repaired("x"),
            repaired("x"),
            "the same value twice is no conflict",
        ),
        (
            description("one", "x", 0),
            policy_with(
                "other",
                rule(STAGE, json!({"desired": {"description": "y"}, "enforcement": "Audit"})),
                json!({}),
            ),
            repaired("x"),
            repaired("y"),
            "a rule in Audit repairs nothing, so it stands against nobody",
        ),
        (
            description("one", "x", 0),
            policy(
                "other",
                rule(
                    STAGE,
                    json!({"desired": {"description": "y"}, "enforcement": "Approve"}),
                ),
            ),
            conflicted.clone(),
            conflicted.clone(),
            "one in Approve does",
        ),
        (
            description("one", "x", 0),
            policy("other", rule(STAGE, json!({"absent": ["description"]}))),
            repaired("x"),
            "live in prod: NotRepairable".to_owned(),
            "one without a repair stands against nobody",
        ),
        (
            policy("one", rule(STAGE, json!({"desired": {"variables": {"a": "1"}}}))),
            policy("other", rule(STAGE, json!({"absent": ["variables"]}))),
            conflicted.clone(),
            conflicted,
            "a value within what another takes away",
        ),
        (
            policy("one", rule(STAGE, json!({"desired": {"variables": {"a": "1"}}}))),
            policy("other", rule(STAGE, json!({"desired": {"variables": {"b": "2"}}}))),
            "live in prod: UpdateStage replace /variables/a=1".to_owned(),
            "live in prod: UpdateStage replace /variables/b=2".to_owned(),
            "side by side is no conflict",
        ),
    ] {
        let judgement = stage_with(json!({"description": "now", "variables": {"c": "3"}}))
            .under(one)
            .under(other)
            .ask();
        assert_eq!(says(&judgement, "one"), first, "{why}");
        assert_eq!(says(&judgement, "other"), second, "{why}");
    }
}

#[test]
fn each_names_the_other() {
    let world = stage_with(json!({"description": "now"}));
    let tie = world
        .clone()
        .under(description("one", "x", 0))
        .under(description("other", "y", 0))
        .ask();
    let tail = "wants another value, and it has the same priority: give one of the policies the higher priority";
    assert_eq!(message(&tie, "one"), format!("ns/other, rule r {tail}"));
    assert_eq!(message(&tie, "other"), format!("ns/one, rule r {tail}"));
    let lost = world
        .clone()
        .under(description("one", "x", 0))
        .under(description("other", "y", 7))
        .ask();
    assert_eq!(
        message(&lost, "one"),
        "ns/other, rule r wants another value, and it has the higher priority"
    );

    let mut second = rule(STAGE, json!({"desired": {"description": "y"}}));
    second["name"] = json!("second");
    let first = rule(STAGE, json!({"desired": {"description": "x"}}));
    let both = compiled("p", json!({"enforcement": "Enforce", "rules": [first, second]}));
    let inner = world.under(both).ask();
    let told: Vec<String> = inner
        .verdicts
        .iter()
        .map(|v| format!("{:?}", violated(v).remedy))
        .collect();
    assert!(
        told[0].contains("ns/p, rule second wants another value: correct one of the two rules"),
        "{}",
        told[0]
    );
    assert!(
        told[1].contains("ns/p, rule r wants another value: correct one of the two rules"),
        "{}",
        told[1]
    );
}

#[test]
fn who_is_overruled_says_so_even_if_he_is_also_tied() {
    let world = stage_with(json!({"description": "now"}));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let all = [
            description("a", "x", 0),
            description("b", "y", 0),
            description("c", "z", 1),
        ];
        let asked = order
            .iter()
            .fold(world.clone(), |world, at| world.under(all[*at].clone()));
        assert_eq!(
            lines(&asked.ask()),
            [
                "a/r prod| live in prod: Overruled",
                "b/r prod| live in prod: Overruled",
                "c/r prod| live in prod: UpdateStage replace /description=z",
            ],
            "in the order {order:?}"
        );
    }
}

#[test]
fn the_same_value_twice_is_one_repair() {
    let judgement = stage_with(json!({"tracingEnabled": false}))
        .under(tracing("one", true, json!({})))
        .under(tracing("other", true, json!({"priority": 3})))
        .ask();
    let plans: Vec<_> = judgement
        .verdicts
        .iter()
        .map(|verdict| match &violated(verdict).remedy {
            Remedy::Plan(plan) => plan.patches.clone(),
            Remedy::None { message, .. } => panic!("{message}"),
        })
        .collect();
    assert_eq!(plans.len(), 2, "two Drifts");
    let joined = plan::join(plans.iter().map(Vec::as_slice));
    assert_eq!(calls(&joined), "UpdateStage replace /tracingEnabled=true", "one call");
}

#[test]
fn the_same_policy_in_other_words_is_one_repair() {
    let one = policy("one", rule(API, json!({"desired": {"policy": closed()}})));
    let other = policy(
        "other",
        rule(API, json!({"desired": {"policy": closed_in_other_words()}})),
    );
    let judgement = World::of([api(json!({"policy": open()}))])
        .under(one)
        .under(other)
        .ask();
    let plans: Vec<_> = judgement
        .verdicts
        .iter()
        .map(|verdict| match &violated(verdict).remedy {
            Remedy::Plan(plan) => plan.patches.clone(),
            Remedy::None { message, .. } => panic!("{message}"),
        })
        .collect();
    let joined = plan::join(plans.iter().map(Vec::as_slice));
    assert_eq!(joined[0].patch_operations.len(), 1, "{}", calls(&joined));
}

#[test]
fn a_repair_does_not_break_a_rule_that_holds() {
    let slow = |priority: i32| {
        let fields = json!({"require": "object.methodIntegration.timeoutInMillis >= 10000"});
        policy_with("slow", rule(METHOD, fields), json!({"priority": priority}))
    };
    let fast = policy(
        "fast",
        rule(
            METHOD,
            json!({"desired": {"methodIntegration": {"timeoutInMillis": 5000}}}),
        ),
    );
    let world = World::of([method("GET /pets", calling("https://a"))]).under(fast);
    let repaired = "live in prod: UpdateIntegration replace /timeoutInMillis=5000; deploy prod";
    for (other, expected, why) in [
        (
            slow(0),
            "live in prod: Conflicted",
            "a tie, although one of them is content",
        ),
        (
            slow(1),
            "live in prod: Overruled",
            "the one that holds has the higher priority",
        ),
        (slow(-1), repaired, "the one that holds has the lower priority"),
        (
            policy(
                "slow",
                rule(
                    METHOD,
                    json!({"require": "object.methodIntegration.timeoutInMillis >= 10000", "enforcement": "Audit"}),
                ),
            ),
            repaired,
            "a report stands against nobody",
        ),
        (
            policy(
                "slow",
                rule(
                    METHOD,
                    json!({"require": "object.methodIntegration.timeoutInMillis >= 1000"}),
                ),
            ),
            repaired,
            "it holds afterwards too",
        ),
        (
            policy(
                "slow",
                rule(
                    METHOD,
                    json!({"require": "object.methodIntegration.timeoutInMillis >= 10000 || object.gone"}),
                ),
            ),
            "live in prod: Conflicted",
            "whether it holds afterwards could not be told",
        ),
        (
            policy(
                "slow",
                rule(
                    METHOD,
                    json!({"require": "stage == null || object.methodIntegration.timeoutInMillis >= 10000"}),
                ),
            ),
            "live in prod: Conflicted",
            "it holds for drafts, but not where prod serves it",
        ),
        (
            policy(
                "slow",
                rule(
                    METHOD,
                    json!({"when": "object.methodIntegration.timeoutInMillis >= 10000", "require": "true"}),
                ),
            ),
            repaired,
            "a rule that no longer applies is not broken",
        ),
    ] {
        let judgement = world.clone().under(other).ask();
        assert_eq!(says(&judgement, "fast"), expected, "{why}");
        assert_eq!(says(&judgement, "slow"), "compliant", "{why}");
    }
    let judgement = world.under(slow(0)).ask();
    assert_eq!(
        message(&judgement, "fast"),
        "ns/slow, rule r and this repair cannot both stand, and it has the same priority: give one of the policies the higher priority"
    );
}

#[test]
fn two_repairs_that_break_each_other_are_a_conflict() {
    // At different paths, so that no value is wanted twice.
    let one = policy(
        "one",
        rule(
            STAGE,
            json!({"require": "object.tracingEnabled && object.description != 'traced'", "fix": "{'tracingEnabled': true}"}),
        ),
    );
    let other = policy("other", rule(STAGE, json!({"desired": {"description": "traced"}})));
    let judgement = stage_with(json!({"tracingEnabled": false, "description": ""}))
        .under(one)
        .under(other)
        .ask();
    assert_eq!(
        lines(&judgement),
        [
            "one/r prod| live in prod: Conflicted",
            "other/r prod| live in prod: Conflicted"
        ]
    );
}

#[test]
fn entries_of_a_map_and_its_default_can_conflict() {
    let setting = |key: &str, value: Value| json!({"desired": {"methodSettings": {key: value}}});
    let (info, error) = (json!({"loggingLevel": "INFO"}), json!({"loggingLevel": "ERROR"}));
    for (settings, one, other, conflict, why) in [
        (
            json!({"*/*": {}, "~1pets/GET": {"loggingLevel": "OFF"}}),
            setting("*/*", info.clone()),
            setting("~1pets/GET", error.clone()),
            true,
            "the default is desired of that entry too",
        ),
        (
            json!({"*/*": {}, "~1pets/GET": {"loggingLevel": "OFF"}}),
            setting("*/*", info.clone()),
            setting("~1pets/GET", info.clone()),
            false,
            "both want the same of it",
        ),
        (
            json!({"*/*": {}}),
            setting("*/*", info.clone()),
            setting("~1pets/GET", json!({"throttlingBurstLimit": 5})),
            true,
            "a new entry is born without what the default has, so one repair breaks the other",
        ),
        (
            json!({"*/*": {}}),
            setting("*/*", info.clone()),
            setting("~1pets/GET", json!({"throttlingBurstLimit": 5, "loggingLevel": "INFO"})),
            false,
            "unless it is born with it",
        ),
        (
            json!({"*/*": {"loggingLevel": "OFF"}, "~1pets/GET": {"loggingLevel": "OFF"}}),
            setting("*/*", info),
            json!({"absent": ["methodSettings[\"~1pets/GET\"]"]}),
            true,
            "a setting of an entry that another takes away",
        ),
    ] {
        let judgement = stage_with(json!({"methodSettings": settings}))
            .under(policy("one", rule(STAGE, one)))
            .under(policy("other", rule(STAGE, other)))
            .ask();
        for policy in ["one", "other"] {
            let said = says(&judgement, policy);
            assert_eq!(said.contains("Conflicted"), conflict, "{why}: {policy} {said}");
        }
    }
}

#[test]
fn a_mended_draft_and_a_repair_of_the_same_path() {
    let live = calling("https://a");
    let draft = with(live.clone(), "apiKeyRequired", json!(true));
    let resource = method("GET /pets", draft).served("prod", live);
    let one = policy("one", rule(METHOD, json!({"desired": {"apiKeyRequired": true}})));
    let other = policy("other", rule(METHOD, json!({"desired": {"apiKeyRequired": false}})));
    let judgement = World::of([resource]).under(one).under(other).ask();
    assert_eq!(
        lines(&judgement),
        [
            "one/r GET /pets| live in prod: Conflicted",
            "other/r GET /pets| draft: Conflicted"
        ],
        "the deployment of one would publish what the other takes back"
    );
}

#[test]
fn what_a_grant_leaves_of_a_rule_counts() {
    let mut world = stage_with(json!({"description": "now"})).under(description("one", "x", 0));
    world.policies.push((description("other", "y", 0), Enforcement::Audit));
    let judgement = world.ask();
    assert_eq!(
        says(&judgement, "one"),
        "live in prod: UpdateStage replace /description=x",
        "the other one may only look, whatever it says"
    );
}

#[test]
fn rules_of_different_resources_never_conflict() {
    let world = World::of([
        stage("dev", json!({"tracingEnabled": false, "stageName": "dev"})),
        stage("prod", json!({"tracingEnabled": true, "stageName": "prod"})),
    ]);
    let on = policy(
        "on",
        rule(
            STAGE,
            json!({"when": "object.stageName == 'dev'", "desired": {"tracingEnabled": true}}),
        ),
    );
    let off = policy(
        "off",
        rule(
            STAGE,
            json!({"when": "object.stageName == 'prod'", "desired": {"tracingEnabled": false}}),
        ),
    );
    assert_eq!(
        lines(&world.under(on).under(off).ask()),
        [
            "off/r prod| live in prod: UpdateStage replace /tracingEnabled=false",
            "on/r dev| live in dev: UpdateStage replace /tracingEnabled=true",
        ]
    );
}
