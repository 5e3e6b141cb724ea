//! What `check` found, and how it is printed.

mod json;
mod junit;
mod sarif;
mod table;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::check::Format;
use crate::api::Reason;
use crate::api::drift::{Call, Change};
use crate::api::policy::{Severity, Target};
use crate::aws::apigateway::command;
use crate::judge::Snapshot;
use crate::judge::compile::{Policy, PolicyRef};
use crate::judge::verdict::{Outcome, Remedy};

/// Everything that one run found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The policies that were asked.
    pub policies: Vec<String>,
    /// Their rules.
    pub rules: Vec<Asked>,
    /// How many endpoints were read.
    pub endpoints: usize,
    /// How many verdicts were given.
    pub judged: usize,
    /// Violations, and what could not be told.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// What is wrong with the policies.
    pub faults: Vec<String>,
}

impl Report {
    /// 0 compliant, 1 findings, 2 anything unknown or wrong.
    pub fn exit_code(&self) -> u8 {
        let untold = |finding: &Finding| finding.unknown || finding.live_unknown.is_some();
        let unknown = !self.unread.is_empty() || !self.faults.is_empty() || self.findings.iter().any(untold);
        if unknown {
            2
        } else {
            u8::from(!self.findings.is_empty())
        }
    }
}

/// A rule that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The policy.
    pub policy: String,
    /// The rule's name.
    pub name: String,
    /// How bad a violation is.
    pub severity: Severity,
    /// The controls that it serves.
    pub controls: Vec<String>,
    /// CloudFormation type of what it judges.
    pub target: Target,
}

impl Asked {
    /// Every rule of a policy.
    pub fn of(policy: &Policy) -> impl Iterator<Item = Asked> + '_ {
        policy.rules.iter().map(|rule| Asked {
            policy: policy.id.name.clone(),
            name: rule.name.clone(),
            severity: rule.severity,
            controls: rule.controls.clone(),
            target: rule.target,
        })
    }
}

/// One violation, or one thing that could not be told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The policy.
    pub policy: String,
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The controls that the rule serves.
    pub controls: Vec<String>,
    /// Twelve digits.
    pub account_id: String,
    /// As in `eu-west-1`.
    pub region: String,
    /// CloudFormation type of what was judged.
    pub target: Target,
    /// The endpoint's id.
    pub endpoint: String,
    /// The endpoint's name.
    pub name: String,
    /// What within the endpoint: a stage, a method, or empty.
    pub resource: String,
    /// `Live` or `Draft`; absent when it could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<crate::api::drift::Scope>,
    /// The stages whose callers meet it.
    pub stages: Vec<String>,
    /// True: it could not be told.
    pub unknown: bool,
    /// Why it is not known whether callers meet what the draft violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_unknown: Option<String>,
    /// What the rule says, or why it could not be told.
    pub message: String,
    /// As found.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub observed: Value,
    /// Path by path.
    pub difference: Vec<Change>,
    /// The calls that a repair would make.
    pub plan: Vec<Call>,
    /// The same calls as commands of the AWS CLI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Why there is no repair: the reason, and a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repair: Option<NoRepair>,
    /// Where it is written, if it is not deployed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Why there is no repair.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoRepair {
    /// As in `Conflicted`.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
}

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// As it was named on the command line.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The resource's logical id; empty in a document that has none.
    pub logical_id: String,
}

impl Finding {
    /// Of an outcome that is a violation or unknown.
    pub fn new(
        snapshot: &Snapshot,
        policy: &PolicyRef,
        rule: &str,
        target: Target,
        resource: &str,
        outcome: Outcome,
    ) -> Self {
        let mut finding = Finding {
            policy: policy.name.clone(),
            rule: rule.to_owned(),
            severity: Severity::Informational,
            controls: vec![],
            account_id: snapshot.endpoint.account_id.clone(),
            region: snapshot.endpoint.region.clone(),
            target,
            endpoint: snapshot.endpoint.id.clone(),
            name: snapshot.name.clone(),
            resource: resource.to_owned(),
            scope: None,
            stages: vec![],
            unknown: true,
            live_unknown: None,
            message: String::new(),
            observed: Value::Null,
            difference: vec![],
            plan: vec![],
            commands: vec![],
            no_repair: None,
            source: None,
        };
        match outcome {
            Outcome::Violated(violation) => {
                finding.unknown = false;
                finding.severity = violation.severity;
                finding.controls = violation.controls;
                finding.scope = Some(violation.scope);
                finding.stages = violation.stages;
                finding.live_unknown = violation.live_unknown;
                finding.message = violation.finding;
                finding.observed = violation.observed;
                finding.difference = violation.difference;
                match violation.remedy {
                    Remedy::Plan(plan) => {
                        finding.plan = plan.calls(&snapshot.endpoint.id);
                        finding.commands = command::commands(&finding.plan, &snapshot.endpoint.region);
                    }
                    Remedy::None { reason, message } => finding.no_repair = Some(NoRepair { reason, message }),
                }
            }
            Outcome::Unknown(why) => finding.message = why,
            Outcome::Compliant | Outcome::Exempted => {}
        }
        finding
    }

    /// The order in which findings are printed: the worst first.
    pub fn key(&self) -> (bool, std::cmp::Reverse<Severity>, &str, &str, &str, &str) {
        (
            self.unknown,
            std::cmp::Reverse(self.severity),
            &self.region,
            &self.name,
            &self.rule,
            &self.resource,
        )
    }

    /// What is said of it, with what could not be told.
    pub fn told(&self) -> String {
        match &self.live_unknown {
            Some(why) => format!("{} (in the draft; what callers meet is not known: {why})", self.message),
            None => self.message.clone(),
        }
    }

    /// Where it is, for people: `eu-west-1 payments-api-3 (a1b2c3) GET /pets`, or `template.yaml:12 payments-api GET /pets`.
    pub fn place(&self) -> String {
        let place = match &self.source {
            Some(source) => format!("{source} {} {}", self.name, self.resource),
            None => format!("{} {} ({}) {}", self.region, self.name, self.endpoint, self.resource),
        };
        place.trim_end().to_owned()
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Names on AWS and messages of policies are other people's text: no line breaks in a row, no commands to the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Prints a line. Whoever reads may have gone: that is no failure.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The report in a format, ending with a line break. `plans`: for people, the calls that would repair each finding too.
pub fn render(report: &Report, format: Format, plans: bool) -> String {
    match format {
        Format::Table => table::render(report, plans),
        Format::Json => json::render(report),
        Format::Sarif => sarif::render(report),
        Format::Junit => junit::render(report),
    }
}
