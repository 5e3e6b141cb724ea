//! Verdicts on what a template will make, as findings that name file and line.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::super::files::Found as Policies;
use super::super::output::{Finding, NoRepair, Report, Source};
use super::endpoint::{Endpoint, Part, SOMETHING};
use super::node::Place;
use super::options::Given;
use crate::api::Reason;
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{EndpointType, Enforcement, Selector, Target};
use crate::aws::apigateway::properties;
use crate::judge::cel::{Document, Program, Unknown};
use crate::judge::compile::{Holds, Mend, Policy, Rule};
use crate::judge::evaluate::belongs;
use crate::judge::path::Path;
use crate::judge::select::{self, Candidate};
use crate::judge::snapshot::NOT_KNOWN;
use crate::judge::verdict::Outcome;
use crate::judge::{self, Question};

/// The policies, and what they are asked with.
pub(super) struct Judge {
    policies: Vec<Policy>,
    exceptions: Vec<(String, EndpointExceptionSpec)>,
    account: Document,
    now: Timestamp,
}

impl Judge {
    /// A template says nothing of regions, so policies are asked whatever regions they select.
    pub fn new(found: Policies, given: &Given, now: Timestamp) -> Self {
        let mut policies = found.policies;
        for policy in &mut policies {
            policy.selector.regions.clear();
        }
        let account = match given.value("AWS::AccountId") {
            Some(id) => Document::new(json!({"name": id, "accountId": id, "labels": {}})),
            None => Document::partial(
                json!({"name": NOT_KNOWN, "accountId": NOT_KNOWN, "labels": NOT_KNOWN}),
                |text| {
                    let why = "which account it goes to is not known: give --parameter AWS::AccountId=VALUE";
                    (text == NOT_KNOWN).then(|| Unknown::certain(why))
                },
            ),
        };
        Judge {
            policies,
            exceptions: found.exceptions,
            account,
            now,
        }
    }

    /// Judges one endpoint.
    pub fn endpoint(&self, endpoint: &Endpoint, report: &mut Report) {
        report.endpoints += 1;
        let snapshot = &endpoint.snapshot;
        let candidate = Candidate {
            id: &snapshot.endpoint,
            name: &snapshot.name,
            tags: &snapshot.tags,
        };
        let mut asked = Vec::new();
        for policy in &self.policies {
            let selected = select::selects(&policy.selector, candidate);
            if let Some(why) = undecided(endpoint, &policy.selector) {
                let why = format!("whether the policy means it is not known: {why}");
                for rule in policy.rules.iter().filter(|rule| endpoint.holds(rule.target)) {
                    report.unknown(endpoint, policy, rule, why.clone());
                }
            } else if selected {
                for rule in &policy.rules {
                    if let Some(why) = unserved(endpoint, policy, rule) {
                        report.unknown(endpoint, policy, rule, why);
                    }
                }
                asked.push((policy, Enforcement::Enforce));
            }
        }
        let exceptions: Vec<_> = self.exceptions.iter().map(|(n, e)| (n.as_str(), e)).collect();
        let judgement = judge::judge(&Question {
            snapshot,
            policies: &asked,
            exceptions: &exceptions,
            last_compliant: &BTreeMap::new(),
            account: &self.account,
            tables: properties::table,
            now: self.now,
        });
        let parts: BTreeMap<(Target, &str), &Part> = endpoint
            .parts
            .iter()
            .map(|part| ((part.target, part.key.as_str()), part))
            .collect();
        for verdict in judgement.verdicts {
            report.judged += 1;
            if matches!(verdict.outcome, Outcome::Compliant | Outcome::Exempted) {
                continue;
            }
            let rule = asked
                .iter()
                .filter(|(policy, _)| policy.id == verdict.policy)
                .flat_map(|(policy, _)| &policy.rules)
                .find(|rule| rule.name == verdict.rule);
            let part = parts.get(&(verdict.target, verdict.resource.as_str())).copied();
            let (target, resource) = (verdict.target, &verdict.resource);
            let mut finding = Finding::new(
                snapshot,
                &verdict.policy,
                &verdict.rule,
                target,
                resource,
                verdict.outcome,
            );
            let place = match (part, rule) {
                (Some(part), Some(rule)) => place(part, rule, &finding),
                _ => &endpoint.at,
            };
            let logical = part.map_or(&endpoint.logical, |part| &part.logical);
            endpoint.sign(&mut finding, place, logical);
            report.findings.push(finding);
        }
    }
}

impl Report {
    /// A rule of which nobody can tell what it means for an endpoint.
    fn unknown(&mut self, endpoint: &Endpoint, policy: &Policy, rule: &Rule, why: String) {
        self.judged += 1;
        let outcome = Outcome::Unknown(why);
        let mut finding = Finding::new(&endpoint.snapshot, &policy.id, &rule.name, rule.target, "", outcome);
        endpoint.sign(&mut finding, &endpoint.at, &endpoint.logical);
        self.findings.push(finding);
    }
}

impl Endpoint {
    fn holds(&self, target: Target) -> bool {
        let type_ = self.snapshot.endpoint.type_;
        belongs(target, type_) && self.parts.iter().any(|part| part.target == target)
    }

    /// Says where it is written, and nothing of what is not known.
    fn sign(&self, finding: &mut Finding, at: &Place, logical: &str) {
        for field in [&mut finding.account_id, &mut finding.region] {
            if field == NOT_KNOWN {
                field.clear();
            }
        }
        finding.endpoint.clone_from(&self.logical);
        if finding.name == NOT_KNOWN {
            finding.name.clone_from(&self.logical);
        }
        for stage in &mut finding.stages {
            if stage == NOT_KNOWN {
                let name = self.nameless.first().map_or(SOMETHING, String::as_str);
                let own = if finding.target == Target::Stage {
                    &finding.resource
                } else {
                    name
                };
                own.clone_into(stage);
            }
        }
        // The calls that would mend what is deployed mend nothing here.
        finding.plan.clear();
        finding.commands.clear();
        let quarrel = |none: &NoRepair| matches!(none.reason, Reason::Conflicted | Reason::Overruled);
        finding.no_repair = finding.no_repair.take().filter(quarrel);
        finding.source = Some(Source {
            file: at.file.to_string(),
            line: at.line,
            logical_id: logical.to_owned(),
        });
    }
}

/// Why nobody knows whether a policy means an endpoint.
fn undecided(endpoint: &Endpoint, selector: &Selector) -> Option<String> {
    let type_ = endpoint.snapshot.endpoint.type_;
    if !selector.types.is_empty() && !selector.types.contains(&type_) {
        return None;
    }
    if let Some(why) = &endpoint.name_unknown {
        let any = selector.names.is_empty() || selector.names.iter().any(|pattern| pattern == "*");
        if !any {
            return Some(format!("its name is not known: {why}"));
        }
    } else if !selector.names.is_empty()
        && !selector
            .names
            .iter()
            .any(|pattern| select::glob(pattern, &endpoint.snapshot.name))
    {
        return None;
    }
    let tags = selector.tags.as_ref()?;
    let labels = tags.match_labels.iter().flatten().map(|(key, _)| key.as_str());
    let expressions = tags.match_expressions.iter().flatten().map(|one| one.key.as_str());
    let mut keys = labels.chain(expressions);
    let unknown = keys.find_map(|key| endpoint.tags_unknown.get(key).or_else(|| endpoint.tags_unknown.get("")));
    unknown.map(|why| format!("its tags are not known: {why}"))
}

/// Why nobody knows whether a rule applies: it asks for stages, and which there are is not written.
fn unserved(endpoint: &Endpoint, policy: &Policy, rule: &Rule) -> Option<String> {
    if endpoint.snapshot.endpoint.type_ != EndpointType::RestApi || !endpoint.holds(rule.target) {
        return None;
    }
    let chosen = !policy.selector.stages.is_empty();
    if endpoint.snapshot.stages.is_empty() && (chosen || programs(rule).any(|program| program.uses("stage"))) {
        return Some("which stages will serve it is not written: say so with --stage NAME".into());
    }
    let stage = endpoint.nameless.first()?;
    chosen.then(|| format!("whether the policy means the stage {stage} is not known, as its name is not"))
}

fn programs(rule: &Rule) -> impl Iterator<Item = &Program> {
    let require = match &rule.holds {
        Holds::Require(program) => Some(program),
        Holds::Desired { .. } => None,
    };
    rule.when.iter().chain(require)
}

/// The line of the property that a finding is about, or of the resource.
fn place<'a>(part: &'a Part, rule: &Rule, finding: &Finding) -> &'a Place {
    let paths = if finding.unknown {
        unknown_paths(part, rule)
    } else {
        let differing: Vec<Path> = finding
            .difference
            .iter()
            .filter_map(|change| Path::parse(&change.path).ok())
            .collect();
        match &rule.mend {
            _ if !differing.is_empty() => differing,
            Mend::Restore(paths) => paths.clone(),
            _ => judge::reads(rule),
        }
    };
    let places: BTreeSet<&Place> = paths.iter().filter_map(|path| nearest(part, path)).collect();
    match places.len() {
        0 => &part.at,
        1 => places.first().copied().unwrap_or(&part.at),
        _ => nearest(part, &common(&paths)).unwrap_or(&part.at),
    }
}

/// What is not known and the rule looks at: the first of it.
fn unknown_paths(part: &Part, rule: &Rule) -> Vec<Path> {
    let touched = |path: &Path| {
        let keys: Vec<&str> = path.keys().iter().map(String::as_str).collect();
        let read = programs(rule).any(|program| program.reads().touches(&keys));
        let desired = judge::reads(rule);
        read || desired.iter().any(|one| one.covers(path) || path.covers(one))
    };
    let unknown = part.document.unknown().iter().map(|(path, _)| path);
    unknown.filter(|path| touched(path)).take(1).cloned().collect()
}

fn nearest<'a>(part: &'a Part, path: &Path) -> Option<&'a Place> {
    let keys = path.keys();
    (1..=keys.len())
        .rev()
        .find_map(|n| part.lines.get(&Path::of(keys[..n].to_vec())))
}

fn common(paths: &[Path]) -> Path {
    let first = paths.first().map(Path::keys).unwrap_or_default();
    let same = |n: &usize| paths.iter().all(|path| path.keys().get(*n) == first.get(*n));
    let length = (0..first.len()).take_while(same).count();
    Path::of(first[..length].to_vec())
}
