//! The same question has the same answer, whoever asks first.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

use super::generated::generated;
use super::support::*;
use crate::judge::plan;
use crate::judge::verdict::{Outcome, Remedy, Verdict};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_order_of_policies_and_of_resources_decides_nothing(generated in generated()) {
        let world = generated.world();
        let first = decided(&world);
        prop_assert_eq!(&first, &decided(&world), "the same question twice");
        let mut turned = world.clone();
        turned.policies.reverse();
        turned.snapshot.resources.reverse();
        prop_assert_eq!(&first, &decided(&turned), "the other way round");
        let half = turned.policies.len() / 2;
        turned.policies.rotate_left(half);
        prop_assert_eq!(&first, &decided(&turned), "in any other order");
    }
}

/// Everything that is said, by what it is said of; and what is remembered.
fn decided(world: &World) -> (BTreeMap<String, String>, String) {
    let judgement = world.ask();
    let said = judgement
        .verdicts
        .iter()
        .map(|verdict| {
            let about = format!(
                "{} {} {}",
                verdict.policy.name,
                verdict.target.as_str(),
                verdict.resource
            );
            (about, format!("{:?}\n{}", verdict.outcome, digest(verdict)))
        })
        .collect();
    (said, format!("{:?}", judgement.compliant))
}

/// The digest that a person would approve.
fn digest(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::Violated(violation) => match &violation.remedy {
            Remedy::Plan(plan) => plan::digest(&plan.calls("a1")),
            Remedy::None { .. } => String::new(),
        },
        _ => String::new(),
    }
}

#[test]
fn a_digest_stands_while_nothing_changes_and_falls_when_the_plan_does() {
    let fields = json!({"require": "object.methodIntegration.uri.startsWith('https://')",
        "fix": "{'methodIntegration': {'uri': 'https://a', 'requestParameters': {'b': '1', 'a': '2', 'c': '3'}}}"});
    let rule = rule(METHOD, fields);
    let world = World::of([method("GET /pets", calling("http://a"))]).under(policy("p", rule.clone()));
    let of = |world: &World| plan::digest(&world.plan().calls("a1"));
    let digest = of(&world);
    assert_eq!(digest.len(), 64);
    for _ in 0..16 {
        assert_eq!(of(&world), digest, "a computed map has no order of its own");
    }
    let mut later = world.clone();
    later.now = "2036-01-01T00:00:00Z";
    assert_eq!(of(&later), digest, "time alone changes no plan");
    let resource = method("GET /pets", calling("http://a")).served("dev", calling("http://a"));
    let wider = World::of([resource]).under(policy("p", rule));
    assert_ne!(of(&wider), digest, "another stage to deploy to is another plan");
}

#[test]
fn a_plan_shows_the_deployment_too() {
    let rule = rule(METHOD, json!({"desired": {"apiKeyRequired": true}}));
    let plan = World::of([method("GET /pets", calling("https://a"))])
        .under(policy("p", rule))
        .plan();
    assert_eq!(
        calls(&plan.calls("a1")),
        "UpdateMethod replace /apiKeyRequired=true; CreateDeployment ; UpdateStage replace /deploymentId=(the new deployment)"
    );
}
