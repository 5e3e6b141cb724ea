//! From a snapshot and policies to verdicts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::cel::{Document, Program, Scope as Names, Unknown};
use super::compile::{Holds, Mend, Policy, Rule};
use super::path::{self, Path};
use super::plan;
use super::select::{self, Candidate};
use super::snapshot::{EndpointId, Known, LiveState, NOT_KNOWN, Resource, Snapshot};
use super::table::Table;
use super::verdict::{Judgement, Outcome, Plan, Remedy, Verdict, Violation, slot};
use super::{conflict, rule};
use crate::api::Reason;
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
    let mut vetoed = Vec::new();
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
                let Some(mut outcome) = case.outcome(&mut judgement.compliant, &mut vetoed) else {
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
    judgement.compliant.retain(|slot, _| !vetoed.contains(slot));
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
        "stages": snapshot.stages.keys().collect::<Vec<_>>(),
    })
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

    /// The live states that the policy's selector means.
    fn live(&self) -> impl Iterator<Item = &'a LiveState> {
        let stages = &self.policy.selector.stages;
        self.resource
            .live
            .iter()
            .filter(move |live| live.stage.is_empty() || stages.is_empty() || stages.contains(&live.stage))
    }

    /// None: the rule does not apply.
    fn outcome(&self, compliant: &mut BTreeMap<String, Value>, vetoed: &mut Vec<String>) -> Option<Outcome> {
        let chosen = !self.policy.selector.stages.is_empty();
        if chosen && self.live().next().is_none() {
            return None; // not served by a stage that was asked for
        }
        let mut live = Vec::new();
        for state in self.live() {
            live.push((state, self.held_live(state)));
        }
        let draft = match &self.resource.draft {
            Some(document) => self.held(document, &[], None),
            None => Held::NotApplicable,
        };
        let violated = |held: &Held| *held == Held::No;
        let unknown = live.iter().find_map(|(_, held)| match held {
            Held::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        let immediate = matches!(self.rule.target, Target::Stage | Target::DomainName);
        if let Some((worst, _)) = live.iter().find(|(_, held)| violated(held)) {
            self.veto(vetoed);
            let stages = live
                .iter()
                .filter(|(_, h)| violated(h))
                .map(|(s, _)| s.stage.clone())
                .collect();
            return Some(Outcome::Violated(Box::new(self.violation(
                Scope::Live,
                stages,
                Some(worst),
                None,
            ))));
        }
        if violated(&draft) && !immediate {
            self.veto(vetoed);
            return Some(Outcome::Violated(Box::new(self.violation(
                Scope::Draft,
                vec![],
                None,
                unknown,
            ))));
        }
        let holding = live.iter().find(|(_, held)| *held == Held::Yes);
        if unknown.is_none() && !matches!(draft, Held::Unknown(_)) {
            if let Some((state, _)) = holding {
                if let Known::Shown { document, .. } = &state.known {
                    self.remember(document.json(), compliant);
                }
            } else if draft == Held::Yes {
                self.remember_draft(compliant);
            }
        } else if draft == Held::Yes {
            // The draft held: better than no value at all, as long as nothing better was ever seen.
            self.remember_draft_if_new(compliant);
        }
        match (unknown, draft) {
            (Some(why), _) | (None, Held::Unknown(why)) => Some(Outcome::Unknown(why)),
            (None, Held::NotApplicable) if holding.is_none() => None,
            (None, _) => Some(Outcome::Compliant),
        }
    }

    fn held_live(&self, state: &LiveState) -> Held {
        match &state.known {
            Known::Shown { document, hidden } => self.held(document, hidden, Some(&state.stage)),
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

    fn veto(&self, vetoed: &mut Vec<String>) {
        vetoed.extend(
            self.restore_paths()
                .iter()
                .map(|p| slot(self.rule.target, &self.resource.key, p)),
        );
    }

    fn remember(&self, document: &Value, compliant: &mut BTreeMap<String, Value>) {
        for path in self.restore_paths() {
            let value = path.get(document).cloned().unwrap_or(Value::Null);
            compliant.insert(slot(self.rule.target, &self.resource.key, path), value);
        }
    }

    fn remember_draft(&self, compliant: &mut BTreeMap<String, Value>) {
        if let Some(draft) = &self.resource.draft {
            self.remember(draft.json(), compliant);
        }
    }

    fn remember_draft_if_new(&self, compliant: &mut BTreeMap<String, Value>) {
        let seen = |path: &Path| {
            self.question
                .last_compliant
                .contains_key(&slot(self.rule.target, &self.resource.key, path))
        };
        if !self.restore_paths().iter().any(seen) {
            self.remember_draft(compliant);
        }
    }

    fn violation(
        &self,
        scope: Scope,
        stages: Vec<String>,
        live: Option<&LiveState>,
        live_unknown: Option<String>,
    ) -> Violation {
        let shown = live.and_then(|state| match &state.known {
            Known::Shown { document, .. } => Some(document),
            _ => None,
        });
        let observed = shown.or(self.resource.draft.as_ref());
        let stage = live.map(|l| l.stage.as_str());
        let (wanted, remedy) = self.remedy(scope, &stages);
        let paths = match (&remedy, &self.rule.mend) {
            (Remedy::Plan(plan), _) => plan.paths.clone(),
            (_, Mend::Restore(paths)) => paths.clone(),
            _ => rule::reads(self.rule),
        };
        let excerpt = |document: Option<&Value>| {
            let mut excerpt = Value::Object(Map::new());
            for path in &paths {
                if let Some(value) = document.and_then(|d| path.get(d)) {
                    path.set(&mut excerpt, Some(value.clone()));
                }
            }
            excerpt
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
            stages,
            severity: self.rule.severity,
            controls: self.rule.controls.clone(),
            finding: self.finding(observed, stage, &difference),
            observed: excerpt(observed_json),
            desired: wanted.as_ref().map_or(Value::Null, |wanted| excerpt(Some(wanted))),
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
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        told.unwrap_or_else(|| match (difference.first(), &self.rule.holds) {
            (Some(change), _) => format!("{} is {}, not {}", change.path, show(&change.from), show(&change.to)),
            (None, Holds::Require(program)) => format!("does not hold: {}", program.source()),
            (None, Holds::Desired { .. }) => "differs from what is desired".to_owned(),
        })
    }

    /// What is wanted, and how it is reached. The repair starts from the draft, as patches change the draft.
    fn remedy(&self, scope: Scope, stages: &[String]) -> (Option<Value>, Remedy) {
        let none = |reason, message: String| Remedy::None { reason, message };
        let Some(draft) = &self.resource.draft else {
            let message = format!(
                "{} stands only in what is deployed, no longer in the editor: deploy the API to take it away from callers",
                self.resource.key
            );
            return (None, none(Reason::NotRepairable, message));
        };
        let overlay = match self.overlay(draft) {
            Ok(overlay) => overlay,
            Err((reason, message)) => return (None, none(reason, message)),
        };
        // Somebody may have mended the draft already; then the deployment is all that is missing.
        let mended = self.held(draft, &[], None) != Held::No && scope == Scope::Live;
        let wanted = if mended {
            draft.json().clone()
        } else {
            rule::lay_over(self.table(), draft.json(), &overlay)
        };
        if self.held(&Document::new(wanted.clone()), &[], None) == Held::No {
            let message = "the repair would not make the rule hold, so it is never made: correct the rule".to_owned();
            return (Some(wanted), none(Reason::FixIneffective, message));
        }
        let restored = matches!(self.rule.mend, Mend::Restore(_));
        let there = plan::calls(self.table(), &self.resource.address, draft.json(), &wanted, restored);
        let back = plan::calls(self.table(), &self.resource.address, &wanted, draft.json(), true);
        match there {
            Err(refused) => (Some(wanted), none(Reason::NotRepairable, refused.message)),
            Ok(there) => {
                let immediate = matches!(self.rule.target, Target::Stage | Target::DomainName);
                let deploy = scope == Scope::Live && !immediate && (there.deployment || mended);
                let paths = if there.paths.is_empty() {
                    self.properties(&overlay)
                } else {
                    there.paths
                };
                let plan = Plan {
                    patches: there.calls,
                    deploy: if deploy { stages.to_vec() } else { vec![] },
                    inverse: back.map(|b| b.calls).unwrap_or_default(),
                    disruptions: there.disruptions,
                    paths,
                    overlay: if mended { json!({}) } else { overlay },
                };
                (Some(wanted), Remedy::Plan(plan))
            }
        }
    }

    /// The properties that an overlay sets: the same ones whether patches or a deployment alone put them right.
    fn properties(&self, overlay: &Value) -> Vec<Path> {
        let mut found = Vec::new();
        for at in rule::overlay_paths(overlay) {
            let length = self.table().property(&at).map_or(at.keys().len(), |p| p.path.len());
            let property = Path::of(at.keys()[..length].to_vec());
            if !found.contains(&property) {
                found.push(property);
            }
        }
        found
    }

    /// What is laid over the draft.
    fn overlay(&self, draft: &Document) -> Result<Value, (Reason, String)> {
        match (&self.rule.mend, &self.rule.holds) {
            (Mend::Fix(program), _) => self.computed(program, draft),
            (Mend::Restore(paths), _) => {
                let mut overlay = json!({});
                for path in paths {
                    let slot = slot(self.rule.target, &self.resource.key, path);
                    let value = self.question.last_compliant.get(&slot).ok_or_else(|| {
                        (
                            Reason::NoCompliantValue,
                            format!("{path}: no value with which the rule held was ever seen"),
                        )
                    })?;
                    path.set(&mut overlay, Some(value.clone()));
                }
                Ok(overlay)
            }
            (_, Holds::Desired { overlay, absent }) => {
                let mut overlay = overlay.clone();
                for path in absent {
                    path.set(&mut overlay, Some(Value::Null));
                }
                Ok(overlay)
            }
            _ => Err((
                Reason::NotRepairable,
                "the rule names no repair: write desired, fix or restore".to_owned(),
            )),
        }
    }

    fn computed(&self, program: &Program, draft: &Document) -> Result<Value, (Reason, String)> {
        let mut previous = json!({});
        let mine = format!("{}|{}|", self.rule.target.as_str(), self.resource.key);
        for (slot, value) in self.question.last_compliant {
            if let Some(path) = slot.strip_prefix(&mine).and_then(|text| Path::parse(text).ok()) {
                path.set(&mut previous, Some(value.clone()));
            }
        }
        let previous = Document::new(previous);
        let names = Names {
            previous: Some(&previous),
            now: None,
            ..self.names(draft, None)
        };
        match program.eval_json(&names) {
            Ok(overlay @ Value::Object(_)) => Ok(overlay),
            Ok(_) => Err((
                Reason::FixIneffective,
                "fix must give a map, as in {'tracingEnabled': true}".to_owned(),
            )),
            Err(error) => Err((Reason::FixIneffective, format!("fix: {error}"))),
        }
    }
}

/// Whether the endpoint kind can hold anything of the rule's target.
pub fn belongs(target: Target, endpoint: EndpointType) -> bool {
    match endpoint {
        EndpointType::RestApi => matches!(target, Target::RestApi | Target::Stage | Target::Method),
        EndpointType::DomainName => target == Target::DomainName,
    }
}
