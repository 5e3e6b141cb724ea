//! For generated APIs and sets of rules: plans make their rules hold, once is enough, and inverses lead back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

use super::aws::Editor;
use super::generated::{Generated, generated};
use super::support::*;
use crate::api::drift::Call;
use crate::api::policy::Target;
use crate::aws::apigateway::properties::table;
use crate::judge::path::{self, Path};
use crate::judge::plan;
use crate::judge::snapshot::{Known, LiveState};
use crate::judge::table::Property;
use crate::judge::verdict::{Outcome, Plan, Remedy, Verdict};

/// The same cases each time. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for more and for others.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        failure_persistence: None,
        rng_seed: match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(20_260_601),
            RngSeed::Fixed(asked) => RngSeed::Fixed(asked),
        },
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn plans_make_their_rules_hold_once_and_for_all_and_can_be_taken_back(generated in generated()) {
        Trial::of(&generated).run();
    }
}

/// One judgement, and the plans in it.
struct Trial {
    world: World,
    before: Vec<Verdict>,
    planned: Vec<(Verdict, Plan)>,
    editor: Editor,
}

impl Trial {
    fn of(generated: &Generated) -> Self {
        let world = generated.world();
        let before = world.ask().verdicts;
        let planned = before.iter().filter_map(|v| Some((v.clone(), plan_of(v)?))).collect();
        let resources = &world.snapshot.resources;
        let key = |r: &crate::judge::snapshot::Resource| (r.target, r.key.clone());
        let editor = Editor {
            documents: resources
                .iter()
                .map(|r| (key(r), r.draft.as_ref().unwrap().json().clone()))
                .collect(),
            addresses: resources.iter().map(|r| (key(r), r.address.clone())).collect(),
        };
        Trial {
            world,
            before,
            planned,
            editor,
        }
    }

    fn run(self) {
        let patches = plan::join(self.planned.iter().map(|(_, plan)| plan.patches.as_slice()));
        let mut editor = self.editor.clone();
        editor
            .make(&patches)
            .unwrap_or_else(|why| panic!("AWS refuses the repair: {why}"));
        self.holds_after(&editor);
        let mut again = editor.clone();
        again.make_what_can_be(&patches);
        assert_eq!(again, editor, "the same calls once more change nothing");
        self.leads_back(editor);
    }

    /// Every rule with a plan holds, and no rule that held is broken by one that has no right to.
    fn holds_after(&self, editor: &Editor) {
        let later = self.after(editor);
        let after = later.ask().verdicts;
        for (verdict, _) in &self.planned {
            let found = after.iter().find(|v| identity(v) == identity(verdict));
            let fine = match found.map(|v| &v.outcome) {
                None | Some(Outcome::Compliant) => true,
                // Of what is not shown of stages that were not deployed to, no more is known than before.
                Some(Outcome::Unknown(_)) => hides(&later, verdict),
                _ => false,
            };
            assert!(
                fine,
                "{} on {} does not hold after its repair\nbefore: {}\nafter: {}",
                verdict.policy.name,
                verdict.resource,
                line(&verdict.outcome),
                found.map_or_else(String::new, |v| line(&v.outcome)),
            );
        }
        for verdict in self.before.iter().filter(|v| matches!(v.outcome, Outcome::Compliant)) {
            let priority = |v: &Verdict| {
                let mut policies = self.world.policies.iter();
                policies.find(|(p, _)| p.id == v.policy).map(|(p, _)| p.priority)
            };
            let beaten = self.planned.iter().any(|(by, _)| {
                by.target == verdict.target && by.resource == verdict.resource && priority(by) > priority(verdict)
            });
            let found = after.iter().find(|v| identity(v) == identity(verdict));
            let broken = found.is_some_and(|v| matches!(v.outcome, Outcome::Violated(_)));
            assert!(
                !broken || beaten || self.pending(verdict),
                "{} on {} was broken: {}",
                verdict.policy.name,
                verdict.resource,
                line(&found.unwrap().outcome),
            );
        }
    }

    /// Whether callers of some stage meet something else than what is drafted: a deployment publishes that too.
    fn pending(&self, verdict: &Verdict) -> bool {
        let mut resources = self.world.snapshot.resources.iter();
        let resource = resources
            .find(|r| r.target == verdict.target && r.key == verdict.resource)
            .unwrap();
        let draft = resource.draft.as_ref().unwrap().json();
        resource.live.iter().any(|live| match &live.known {
            Known::Shown { document, .. } => document.json() != draft,
            _ => true,
        })
    }

    /// The world after the calls: what takes effect at once did, and stages that are deployed to serve what is drafted.
    fn after(&self, editor: &Editor) -> World {
        let deployed: BTreeSet<&String> = self.planned.iter().flat_map(|(_, plan)| &plan.deploy).collect();
        let mut world = self.world.clone();
        for resource in &mut world.snapshot.resources {
            let document =
                crate::judge::cel::Document::new(editor.documents[&(resource.target, resource.key.clone())].clone());
            resource.draft = Some(document.clone());
            for live in &mut resource.live {
                let at_once = resource.target == Target::Stage;
                if at_once || deployed.contains(&live.stage) {
                    live.known = Known::Shown {
                        document: document.clone(),
                        hidden: vec![],
                    };
                } else if resource.target == Target::RestApi {
                    with_tags_of(live, document.json());
                }
            }
        }
        world
    }

    /// The inverses lead back, but for what is said to be irreversible.
    fn leads_back(&self, mut editor: Editor) {
        let inverse: Vec<Call> = plan::join(self.planned.iter().map(|(_, plan)| plan.inverse.as_slice()));
        editor
            .make(&inverse)
            .unwrap_or_else(|why| panic!("AWS refuses the inverse: {why}"));
        let mut stays: BTreeMap<(Target, &str), Vec<&Path>> = BTreeMap::new();
        for (verdict, plan) in &self.planned {
            let own = stays.entry((verdict.target, &verdict.resource)).or_default();
            own.extend(&plan.irreversible);
        }
        for (key, before) in &self.editor.documents {
            let now = &editor.documents[key];
            let stays = stays.remove(&(key.0, key.1.as_str())).unwrap_or_default();
            for at in &stays {
                assert!(
                    at.get(before).is_none(),
                    "{at} of {key:?} stood there before, so it can be put back"
                );
            }
            for (at, property) in places(key.0, before, now) {
                let same = (property.same)(at.get(before), at.get(now));
                let excused = stays.iter().any(|path| path.covers(&at) || at.covers(path));
                assert!(
                    same || excused,
                    "{at} of {key:?} is not put back: {:?}, was {:?}",
                    at.get(now),
                    at.get(before)
                );
            }
        }
    }
}

/// Whether some stage does not show all of a resource.
fn hides(world: &World, verdict: &Verdict) -> bool {
    let mut resources = world.snapshot.resources.iter();
    let resource = resources
        .find(|r| r.target == verdict.target && r.key == verdict.resource)
        .unwrap();
    let hides = |live: &LiveState| matches!(&live.known, Known::Shown { hidden, .. } if !hidden.is_empty());
    resource.live.iter().any(hides)
}

/// Tags, name and description of an API take effect at once.
fn with_tags_of(live: &mut LiveState, draft: &Value) {
    if let Known::Shown { document, .. } = &mut live.known {
        let mut json = document.json().clone();
        for key in ["name", "description", "tags"] {
            let path = Path::of([key]);
            path.set(&mut json, path.get(draft).cloned());
        }
        *document = crate::judge::cel::Document::new(json);
    }
}

fn plan_of(verdict: &Verdict) -> Option<Plan> {
    match &verdict.outcome {
        Outcome::Violated(violation) => match &violation.remedy {
            Remedy::Plan(plan) => Some(plan.clone()),
            Remedy::None { .. } => None,
        },
        _ => None,
    }
}

fn identity(verdict: &Verdict) -> (&str, &str, Target, &str) {
    (&verdict.policy.uid, &verdict.rule, verdict.target, &verdict.resource)
}

/// Every place of the table's properties in two documents, and every other leaf of theirs.
fn places(target: Target, one: &Value, other: &Value) -> Vec<(Path, &'static Property)> {
    let mut found = Vec::new();
    for property in table(target).properties {
        let mut at = vec![Path::root()];
        for key in property.path {
            at = at
                .iter()
                .flat_map(|place| {
                    if *key != "*" {
                        return vec![place.then(key)];
                    }
                    let of = |document| {
                        place
                            .get(document)
                            .and_then(Value::as_object)
                            .cloned()
                            .unwrap_or_default()
                    };
                    let keys: BTreeSet<String> = of(one).into_iter().chain(of(other)).map(|(key, _)| key).collect();
                    keys.iter().map(|key| place.then(key)).collect()
                })
                .collect();
        }
        found.extend(at.into_iter().map(|at| (at, property)));
    }
    for at in path::differences(one, other) {
        let known = found.iter().any(|(place, _)| place.covers(&at) || at.covers(place));
        assert!(known, "{at} is no place of the table");
    }
    found
}

#[test]
fn trials_are_worth_their_name() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..64 {
        let generated = generated().new_tree(&mut runner).unwrap().current();
        for verdict in generated.world().ask().verdicts {
            let kind = match &verdict.outcome {
                Outcome::Violated(violation) => match &violation.remedy {
                    Remedy::Plan(plan) if plan.patches.is_empty() => "deployment alone".to_owned(),
                    Remedy::Plan(plan) if !plan.irreversible.is_empty() => "irreversible".to_owned(),
                    Remedy::Plan(plan) if plan.deploy.is_empty() => "patches alone".to_owned(),
                    Remedy::Plan(_) => "patches and deployment".to_owned(),
                    Remedy::None { reason, .. } => reason.as_str().to_owned(),
                },
                Outcome::Compliant => "compliant".to_owned(),
                Outcome::Exempted => "exempted".to_owned(),
                Outcome::Unknown(_) => "unknown".to_owned(),
            };
            *seen.entry(kind).or_default() += 1;
        }
    }
    for kind in [
        "Conflicted",
        "FixIneffective",
        "NoCompliantValue",
        "NotRepairable",
        "Overruled",
        "compliant",
        "deployment alone",
        "irreversible",
        "patches alone",
        "patches and deployment",
        "unknown",
    ] {
        assert!(
            seen.get(kind).is_some_and(|count| *count >= 3),
            "too few of {kind}: {seen:?}"
        );
    }
}
