//! Expectations against verdicts.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::spec::{Expectation, Expected, Patch, Planned};
use crate::api::Reason;
use crate::api::drift::{Call, PatchOperation};
use crate::aws::apigateway::document::same_policy;
use crate::judge::allowed::Suspension;
use crate::judge::compile::{Policy, PolicyRef};
use crate::judge::managed::managed_by;
use crate::judge::verdict::{Remedy, Violation};
use crate::judge::{Outcome, Snapshot, Verdict, window};
use crate::repair::gate::{self, Answer, Facts, Gate};

/// A verdict, and what it is about.
pub(super) struct Said<'a> {
    pub snapshot: &'a Snapshot,
    pub policy: &'a Policy,
    pub now: Timestamp,
    pub verdict: Verdict,
}

impl Said<'_> {
    /// Whether an expectation speaks of it.
    pub fn is_meant(&self, by: &Expectation) -> bool {
        let policy = &self.verdict.policy;
        by.rule == self.verdict.rule
            && by.policy.as_deref().is_none_or(|name| is_called(policy, name))
            && by.endpoint.as_deref().is_none_or(|name| is_named(self.snapshot, name))
            && by.resource.as_deref().is_none_or(|key| key == self.verdict.resource)
    }

    /// Whether somebody should have expected it.
    pub fn matters(&self) -> bool {
        matches!(self.verdict.outcome, Outcome::Violated(_) | Outcome::Unknown(_))
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        let Verdict {
            policy, rule, resource, ..
        } = &self.verdict;
        let mut place = format!("{}/{rule}, {}", policy.name, called(self.snapshot));
        if !resource.is_empty() {
            let _ = write!(place, ", {resource}");
        }
        place
    }

    /// As an expectation would have it: a line that can be put into the file.
    pub fn line(&self) -> String {
        let Verdict {
            policy,
            rule,
            resource,
            outcome,
            ..
        } = &self.verdict;
        let mut line = format!(
            "{{policy: {}, rule: {rule}, endpoint: {}, resource: {}",
            quoted(&policy.name),
            quoted(called(self.snapshot)),
            quoted(resource)
        );
        let _ = match outcome {
            Outcome::Violated(violation) => write!(
                line,
                ", outcome: Violated, scope: {:?}, stages: [{}], finding: {}}}",
                violation.scope,
                violation
                    .stages
                    .iter()
                    .map(|s| quoted(s))
                    .collect::<Vec<_>>()
                    .join(", "),
                quoted(&violation.finding)
            ),
            Outcome::Unknown(why) => write!(line, ", outcome: Unknown, finding: {}}}", quoted(why)),
            other => write!(line, ", outcome: {:?}}}", kind(other)),
        };
        line
    }
}

/// A policy by its name, or by its namespace and name.
pub(super) fn is_called(policy: &PolicyRef, name: &str) -> bool {
    match name.split_once('/') {
        Some((namespace, name)) => policy.namespace == namespace && policy.name == name,
        None => policy.name == name,
    }
}

/// An endpoint by its name or its id.
pub(super) fn is_named(snapshot: &Snapshot, name: &str) -> bool {
    snapshot.name == name || snapshot.endpoint.id == name
}

fn called(snapshot: &Snapshot) -> &str {
    if snapshot.name.is_empty() {
        &snapshot.endpoint.id
    } else {
        &snapshot.name
    }
}

/// What a JSON text is, a YAML text is too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn kind(outcome: &Outcome) -> Expected {
    match outcome {
        Outcome::Compliant => Expected::Compliant,
        Outcome::Exempted => Expected::Exempted,
        Outcome::Violated(_) => Expected::Violated,
        Outcome::Unknown(_) => Expected::Unknown,
    }
}

/// What is other than expected: what of it, what was expected, what it is.
pub(super) type Difference = (&'static str, String, String);

/// Where a verdict is other than expected.
pub(super) fn differences(expected: &Expectation, said: &Said<'_>) -> Vec<Difference> {
    let outcome = &said.verdict.outcome;
    if kind(outcome) != expected.outcome {
        let is = match outcome {
            Outcome::Violated(violation) => format!("Violated ({})", violation.finding),
            Outcome::Unknown(why) => format!("Unknown ({why})"),
            other => format!("{:?}", kind(other)),
        };
        return vec![("outcome", format!("{:?}", expected.outcome), is)];
    }
    match outcome {
        Outcome::Violated(violation) => violated(expected, said, violation),
        Outcome::Unknown(why) => {
            let mut found = Vec::new();
            compare(&mut found, "finding", expected.finding.as_deref(), why, str::to_owned);
            found
        }
        Outcome::Compliant | Outcome::Exempted => Vec::new(),
    }
}

fn compare<T: PartialEq + ?Sized>(
    found: &mut Vec<Difference>,
    what: &'static str,
    expected: Option<&T>,
    is: &T,
    show: impl Fn(&T) -> String,
) {
    if let Some(expected) = expected.filter(|expected| *expected != is) {
        found.push((what, show(expected), show(is)));
    }
}

fn violated(expected: &Expectation, said: &Said<'_>, violation: &Violation) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(
        &mut found,
        "finding",
        expected.finding.as_deref(),
        &violation.finding,
        str::to_owned,
    );
    compare(&mut found, "scope", expected.scope.as_ref(), &violation.scope, |s| {
        format!("{s:?}")
    });
    let names = |names: &Vec<String>| list(names.iter().cloned());
    compare(
        &mut found,
        "stages",
        expected.stages.as_ref().map(sorted).as_ref(),
        &sorted(&violation.stages),
        names,
    );
    compare(
        &mut found,
        "reason",
        expected.reason.map(|waits| waits.0).as_ref(),
        &waits(said, violation),
        |reason| reason.map_or("none", Reason::as_str).to_owned(),
    );
    match (&expected.plan, &violation.remedy) {
        (None, _) | (Some(Planned::None), Remedy::None { .. }) => {}
        (Some(Planned::None), Remedy::Plan(plan)) => {
            found.push(("plan", "none".into(), shown(&plan.patches)));
        }
        (Some(Planned::Patches(patches)), Remedy::None { reason, message }) => {
            let is = format!("none: {}: {message}", reason.as_str());
            found.push(("plan", expected_patches(patches), is));
        }
        (Some(Planned::Patches(patches)), Remedy::Plan(plan)) => {
            if !same_patches(patches, &plan.patches) {
                found.push(("plan", expected_patches(patches), shown(&plan.patches)));
            }
            // A plan that is written out without a deployment has none.
            let deploy = sorted(expected.deploy.as_deref().unwrap_or_default());
            compare(&mut found, "deploy", Some(&deploy), &sorted(&plan.deploy), names);
        }
    }
    found
}

fn sorted(names: impl AsRef<[String]>) -> Vec<String> {
    let mut sorted = names.as_ref().to_vec();
    sorted.sort();
    sorted
}

/// What a repair would wait for, as far as the violation, its policy, the endpoint's tags and the time tell: it has stood
/// for long enough, nobody was asked, nothing was repaired before.
fn waits(said: &Said<'_>, violation: &Violation) -> Option<Reason> {
    let managed_by = managed_by(&said.snapshot.tags).filter(|_| !said.policy.managed);
    let facts = Facts {
        violation,
        suspended: said.policy.suspend.then_some(&Suspension::Policy),
        answer: &Answer::None,
        managed_by: managed_by.as_deref(),
        held_back: None,
        under_way: false,
        settled_at: said.now,
        awaits_message: false, // a fixture has no queue
        hours: window::hours(&said.policy.windows, said.now),
        now: said.now,
    };
    match gate::decide(&facts) {
        Gate::Open => None,
        Gate::Audit(reason, _) => Some(reason),
        Gate::Wait(wait) => Some(wait.reason),
    }
}

fn flat(calls: &[Call]) -> Vec<(&str, &PatchOperation)> {
    let patches = |call| {
        let Call {
            operation,
            patch_operations,
            ..
        }: &Call = call;
        patch_operations.iter().map(|patch| (operation.as_str(), patch))
    };
    calls.iter().flat_map(patches).collect()
}

fn same_patches(expected: &[Patch], calls: &[Call]) -> bool {
    let is = flat(calls);
    let same = |(expected, (operation, is)): (&Patch, &(&str, &PatchOperation))| {
        expected.operation == *operation
            && expected.op == is.op
            && expected.path == is.path
            && expected
                .value
                .as_ref()
                .is_none_or(|value| same_value(value, is.value.as_deref()))
    };
    expected.len() == is.len() && expected.iter().zip(&is).all(same)
}

/// Patches carry texts; in a file `true`, a number or a whole policy may stand for one.
fn same_value(expected: &Value, is: Option<&str>) -> bool {
    match (expected, is) {
        (Value::String(text), Some(is)) => text == is,
        (Value::Object(_), Some(is)) => {
            let is: Option<Value> = serde_json::from_str(is).ok();
            is.as_ref() == Some(expected) || same_policy(Some(expected), is.as_ref())
        }
        (Value::Null, is) => is.is_none(),
        (scalar, Some(is)) => {
            let text = scalar.to_string();
            text == is
        }
        (_, None) => false,
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn expected_patches(patches: &[Patch]) -> String {
    list(patches.iter().map(|patch| {
        let value = patch.value.as_ref().map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        one(&patch.operation, &patch.op, &patch.path, value.as_deref())
    }))
}

fn shown(calls: &[Call]) -> String {
    list(
        flat(calls)
            .into_iter()
            .map(|(operation, patch)| one(operation, &patch.op, &patch.path, patch.value.as_deref())),
    )
}

fn one(operation: &str, op: &str, path: &str, value: Option<&str>) -> String {
    let mut text = format!("{operation} {op} {path}");
    if let Some(value) = value {
        let _ = write!(text, " {value}");
    }
    text
}
