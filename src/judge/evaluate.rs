//! From a snapshot and policies to verdicts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::cel::{Document, Scope as Names, Unknown};
use super::compile::{Holds, Mend, Policy, Rule};
use super::memory::{DRAFT, Memory};
use super::path::{self, Path};
use super::remedy::{named, stages};
use super::select::{self, Candidate};
use super::snapshot::{EndpointId, Known, LiveState, NOT_KNOWN, Resource, Snapshot};
use super::table::Table;
use super::verdict::{Judgement, Outcome, Remedy, Verdict, Violation};
use super::{conflict, rule};
use crate::api::drift::{Change, Scope};
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{EndpointType, Enforcement, Target};

/// Everything that an answer depends on.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// The policies that are granted something here, each with the most that it may do.
    pub policies: &'a [(&'a Policy, Enforcement)],
    /// Exceptions, each with its namespace.
    pub exceptions: &'a [(&'a str, &'a EndpointExceptionSpec)],
    /// Values with which rules held, by slot.
    pub last_compliant: &'a BTreeMap<String, Value>,
    /// What rules may name as `account`.
    pub account: &'a Document,
    /// The property table of each target.
    pub tables: fn(Target) -> &'static Table,
    /// Now.
    pub now: Timestamp,
}

/// What three ways of looking can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No,
    NotApplicable,
    Unknown(String),
}

/// Judges one endpoint.
pub fn judge(question: &Question<'_>) -> Judgement {
    let snapshot = question.snapshot;
    let endpoint = Document::partial(endpoint_document(snapshot), |text| {
        (text == NOT_KNOWN).then(|| Unknown::certain("it is not deployed"))
    });
    let mut judgement = Judgement::default();
    let mut memory = Memory::default();
    for (policy, granted) in question.policies {
        let candidate = Candidate {
            id: &snapshot.endpoint,
            name: &snapshot.name,
            tags: &snapshot.tags,
        };
        if !select::selects(&policy.selector, candidate) {
            continue;
        }
        for rule in &policy.rules {
            for resource in snapshot.resources.iter().filter(|r| r.target == rule.target) {
                let case = Case {
                    question,
                    policy,
                    rule,
                    granted: *granted,
                    resource,
                    endpoint: &endpoint,
                };
                let Some(mut outcome) = case.outcome(&mut memory) else {
                    continue;
                };
                let exempt = |(namespace, exception): &(&str, &EndpointExceptionSpec)| {
                    *namespace == policy.id.namespace
                        && select::exempts(exception, &policy.id.name, &rule.name, candidate, question.now)
                };
                if matches!(outcome, Outcome::Violated(_)) && question.exceptions.iter().any(exempt) {
                    outcome = Outcome::Exempted;
                }
                judgement.verdicts.push(Verdict {
                    policy: policy.id.clone(),
                    rule: rule.name.clone(),
                    target: rule.target,
                    resource: resource.key.clone(),
                    outcome,
                });
            }
        }
    }
    judgement.compliant = memory.values();
    conflict::settle(question, &endpoint, &mut judgement.verdicts);
    judgement
}

/// What rules may name as `endpoint`.
fn endpoint_document(snapshot: &Snapshot) -> Value {
    let EndpointId {
        account_id,
        region,
        type_,
        id,
    } = &snapshot.endpoint;
    json!({
        "accountId": account_id, "region": region, "type": type_.as_str(), "id": id,
        "name": snapshot.name, "arn": snapshot.arn, "tags": snapshot.tags,
        "stages": snapshot.stages.keys().collect::<Vec<_>>(), "stageVariables": stage_variables(snapshot),
        "endpointTypes": endpoint_types(snapshot),
    })
}

/// Which hosts serve it: as in `["PRIVATE"]`. It is the same for every stage, and no deployment carries it.
fn endpoint_types(snapshot: &Snapshot) -> Value {
    let own = snapshot.resources.iter().find(|resource| resource.key.is_empty());
    let types = own.and_then(|own| own.draft.as_ref()?.json().pointer("/endpointConfiguration/types"));
    types.cloned().unwrap_or_else(|| json!([]))
}

/// By stage, what `${stageVariables.x}` in a method stands for.
fn stage_variables(snapshot: &Snapshot) -> Map<String, Value> {
    let stages = snapshot.resources.iter().filter(|r| r.target == Target::Stage);
    stages
        .map(|stage| {
            let variables = stage.draft.as_ref().and_then(|draft| draft.json().get("variables"));
            (stage.key.clone(), variables.cloned().unwrap_or_else(|| json!({})))
        })
        .collect()
}

/// One rule on one resource.
pub(super) struct Case<'a> {
    pub question: &'a Question<'a>,
    pub policy: &'a Policy,
    pub rule: &'a Rule,
    pub granted: Enforcement,
    pub resource: &'a Resource,
    pub endpoint: &'a Document,
}

impl<'a> Case<'a> {
    pub fn names(&self, object: &'a Document, stage: Option<&'a str>) -> Names<'a> {
        Names {
            object,
            previous: None,
            endpoint: self.endpoint,
            account: self.question.account,
            params: &self.policy.params,
            stage,
            now: Some(self.question.now),
        }
    }

    /// Whether the rule holds for a document of which some paths are not known.
    pub fn held(&self, object: &Document, hidden: &[Path], stage: Option<&str>) -> Held {
        rule::held(self.rule, self.table(), &self.names(object, stage), hidden)
    }

    pub fn table(&self) -> &'static Table {
        (self.question.tables)(self.rule.target)
    }

    /// The live states that the policy's selector means, each with its place among all of them.
    pub fn live(&self) -> impl Iterator<Item = (usize, &'a LiveState)> {
        let stages = &self.policy.selector.stages;
        let all = self.resource.live.iter().enumerate();
        all.filter(move |(_, live)| live.stage.is_empty() || stages.is_empty() || stages.contains(&live.stage))
    }

    /// None: the rule does not apply.
    fn outcome(&self, memory: &mut Memory) -> Option<Outcome> {
        let mut live: Vec<(usize, &LiveState, Held)> = Vec::new();
        for (place, state) in self.live() {
            let like = live.iter().find(|(_, other, _)| self.alike(&other.known, &state.known));
            let held = like.map(|(.., held)| held.clone());
            live.push((place, state, held.unwrap_or_else(|| self.held_live(state))));
        }
        if !self.policy.selector.stages.is_empty() && live.is_empty() {
            return None; // not served by a stage that was asked for
        }
        let draft = match &self.resource.draft {
            Some(document) => self.held_draft(document, &live),
            None => Held::NotApplicable,
        };
        let of = |wanted: Held| live.iter().filter(move |(.., held)| *held == wanted);
        let met: Vec<&LiveState> = of(Held::No).map(|(_, state, _)| *state).collect();
        let unknown = live.iter().find_map(|(.., held)| match held {
            Held::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        if !met.is_empty() {
            self.veto(memory);
            let violation = self.violation(Scope::Live, &met, None);
            return Some(Outcome::Violated(Box::new(violation)));
        }
        if draft == Held::No && !self.immediate() {
            self.veto(memory);
            let violation = self.violation(Scope::Draft, &[], unknown);
            return Some(Outcome::Violated(Box::new(violation)));
        }
        let holding = of(Held::Yes).next();
        let drafted = self.resource.draft.as_ref().filter(|_| draft == Held::Yes);
        let told = unknown.is_none() && !matches!(draft, Held::Unknown(_));
        match (told, holding, drafted) {
            (true, Some((place, state, _)), _) => self.remember(*place, state, drafted, memory),
            (true, None, Some(draft)) => self.remember_draft(draft, memory),
            // The draft holds: better than no value at all, as long as nothing better was ever seen.
            (false, _, Some(draft)) if !self.seen_before() => self.remember_draft(draft, memory),
            _ => {}
        }
        match (unknown, draft) {
            (Some(why), _) | (None, Held::Unknown(why)) => Some(Outcome::Unknown(why)),
            (None, Held::NotApplicable) if holding.is_none() => None,
            (None, _) => Some(Outcome::Compliant),
        }
    }

    /// Whether the rule cannot tell two live states apart. Mostly all stages serve what is drafted.
    fn alike(&self, one: &Known, other: &Known) -> bool {
        match (one, other) {
            (
                Known::Shown { document, hidden },
                Known::Shown {
                    document: theirs,
                    hidden: covered,
                },
            ) => document.is(theirs) && hidden == covered && !self.rule.names_stage(),
            _ => false,
        }
    }

    /// As a live state that is the draft itself has it, if nothing hidden kept that from being told.
    fn held_draft(&self, draft: &Document, live: &[(usize, &LiveState, Held)]) -> Held {
        let told = live.iter().find(|(_, state, held)| {
            let same = matches!(&state.known, Known::Shown { document, .. } if document.is(draft));
            same && !matches!(held, Held::Unknown(_)) && !self.rule.names_stage()
        });
        told.map_or_else(|| self.held(draft, &[], None), |(.., held)| held.clone())
    }

    fn held_live(&self, state: &LiveState) -> Held {
        match &state.known {
            Known::Shown { document, hidden } => self.held(document, hidden, named(&state.stage)),
            Known::Absent => Held::NotApplicable,
            Known::Unreadable(why) => Held::Unknown(format!("stage {}: {why}", state.stage)),
        }
    }

    fn restore_paths(&self) -> &'a [Path] {
        match &self.rule.mend {
            Mend::Restore(paths) => paths,
            _ => &[],
        }
    }

    fn veto(&self, memory: &mut Memory) {
        for path in self.restore_paths() {
            memory.veto(self.slot(path));
        }
    }

    /// Remembers what stands at the paths that the rule would restore. Where it is not shown, a draft that holds too says
    /// it best.
    fn remember(&self, place: usize, state: &LiveState, draft: Option<&Document>, memory: &mut Memory) {
        let Known::Shown { document, hidden } = &state.known else {
            return;
        };
        for path in self.restore_paths() {
            let unseen = hidden.iter().any(|h| h.covers(path) || path.covers(h));
            let (place, document) = match (unseen, draft) {
                (false, _) => (place, document),
                (true, Some(draft)) => (DRAFT, draft),
                (true, None) => continue,
            };
            memory.keep(self.slot(path), place, value_at(path, document));
        }
    }

    fn remember_draft(&self, draft: &Document, memory: &mut Memory) {
        for path in self.restore_paths() {
            memory.keep(self.slot(path), DRAFT, value_at(path, draft));
        }
    }

    fn seen_before(&self) -> bool {
        let known = |path: &Path| self.question.last_compliant.contains_key(&self.slot(path));
        self.restore_paths().iter().any(known)
    }

    /// `met`: the live states that violate; none when the draft alone does.
    fn violation(&self, scope: Scope, met: &[&LiveState], live_unknown: Option<String>) -> Violation {
        let worst = met.first();
        let shown = worst.and_then(|state| match &state.known {
            Known::Shown { document, .. } => Some(document),
            _ => None,
        });
        let observed = shown.or(self.resource.draft.as_ref());
        let stage = worst.and_then(|state| named(&state.stage));
        let (wanted, remedy) = self.remedy(scope, met);
        let paths = match &remedy {
            Remedy::Plan(plan) => plan.paths.clone(),
            Remedy::None { .. } => rule::concerns(self.rule),
        };
        let observed_json = observed.map(Document::json);
        let known = |path: &&Path| {
            let unknown = observed.map(Document::unknown).unwrap_or_default();
            !unknown.iter().any(|(one, _)| one.covers(path) || path.covers(one))
        };
        let difference = wanted.as_ref().map_or_else(Vec::new, |wanted| {
            let changed = |path: &Path| Change {
                path: path.to_string(),
                from: observed_json.and_then(|d| path.get(d)).cloned(),
                to: path.get(wanted).cloned(),
            };
            paths
                .iter()
                .filter(known)
                .map(changed)
                .filter(|c| !path::same(c.from.as_ref(), c.to.as_ref()))
                .collect()
        });
        let allowed = self.rule.enforcement.min(self.granted);
        Violation {
            scope,
            live_unknown,
            stages: stages(met),
            severity: self.rule.severity,
            controls: self.rule.controls.clone(),
            finding: self.finding(observed, stage, &difference),
            observed: path::only(&paths, observed_json.unwrap_or(&Value::Null)),
            desired: wanted.as_ref().map_or(Value::Null, |wanted| path::only(&paths, wanted)),
            difference,
            remedy,
            allowed,
            asked: self.rule.enforcement,
            granted: self.granted,
            redeploy: self.policy.redeploy,
            drafts: self.policy.drafts,
            allow_disruption: self.rule.allow_disruption,
            priority: self.policy.priority,
        }
    }

    /// The rule's own sentence, or one made from the difference.
    fn finding(&self, object: Option<&Document>, stage: Option<&str>, difference: &[Change]) -> String {
        let told = match (&self.rule.message, object) {
            (Some(message), Some(object)) => message.eval_string(&self.names(object, stage)).ok(),
            _ => None,
        };
        let show = |value: &Option<Value>| {
            let whole = value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            shortened(whole, LONGEST_VALUE)
        };
        let finding = told.unwrap_or_else(|| match (difference.first(), &self.rule.holds) {
            (Some(change), _) => format!("{} is {}, not {}", change.path, show(&change.from), show(&change.to)),
            (None, Holds::Require(program)) => format!("does not hold: {}", program.source()),
            (None, Holds::Desired(_)) => "differs from what is desired".to_owned(),
        });
        shortened(finding, LONGEST_FINDING)
    }
}

/// Nothing there is a value too: it can be put back.
fn value_at(path: &Path, document: &Document) -> Value {
    path.get(document.json()).cloned().unwrap_or(Value::Null)
}

/// Longest finding, and longest value in one that is made, in characters: it is a sentence, and values stand beside it.
const LONGEST_FINDING: usize = 1024;
const LONGEST_VALUE: usize = 256;

fn shortened(text: String, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether the endpoint kind can hold anything of the rule's target.
pub fn belongs(target: Target, endpoint: EndpointType) -> bool {
    match endpoint {
        EndpointType::RestApi => matches!(target, Target::RestApi | Target::Stage | Target::Method),
        EndpointType::DomainName => target == Target::DomainName,
    }
}
