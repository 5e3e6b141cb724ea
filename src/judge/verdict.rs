//! What the judge says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compile::PolicyRef;
use super::path::{self, Path};
use crate::api::Reason;
use crate::api::drift::{Call, Change, Scope};
use crate::api::policy::{Enforcement, Redeploy, Severity, Target};

/// Everything the judge says of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// One for each rule of each policy on each resource that it means.
    pub verdicts: Vec<Verdict>,
    /// Values with which a rule held, by slot, for those paths that some `restore` names.
    pub compliant: BTreeMap<String, Value>,
}

/// What one rule says of one resource.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The policy.
    pub policy: PolicyRef,
    /// The rule.
    pub rule: String,
    /// What it judged.
    pub target: Target,
    /// Which of them: a stage's name, a method, or empty.
    pub resource: String,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It holds, for callers and in the draft.
    Compliant,
    /// An exception applies to what would be a violation.
    Exempted,
    /// It does not hold.
    Violated(Box<Violation>),
    /// It cannot be told; says why.
    Unknown(String),
}

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// For callers, or in the draft alone.
    pub scope: Scope,
    /// Why a draft's violation is not known to be live, if that could not be read.
    pub live_unknown: Option<String>,
    /// The stages whose callers meet it.
    pub stages: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The controls that the rule serves.
    pub controls: Vec<String>,
    /// What the rule says of it.
    pub finding: String,
    /// The differing parts as found.
    pub observed: Value,
    /// The differing parts as wanted; null when nobody can tell.
    pub desired: Value,
    /// Path by path.
    pub difference: Vec<Change>,
    /// How it is put right.
    pub remedy: Remedy,
    /// How far Plumbline may go: the least of what is asked for and granted.
    pub allowed: Enforcement,
    /// What the rule itself asks for.
    pub asked: Enforcement,
    /// The most that the account grants.
    pub granted: Enforcement,
    /// Whether a repair may deploy.
    pub redeploy: Redeploy,
    /// Whether drafts are patched.
    pub drafts: bool,
    /// Whether a repair may interrupt callers unasked.
    pub allow_disruption: bool,
    /// Between policies that want different values.
    pub priority: i32,
}

/// How a violation is put right.
#[derive(Clone, Debug)]
pub enum Remedy {
    /// By these calls.
    Plan(Plan),
    /// Not by Plumbline.
    None {
        /// Why: `NotRepairable`, `FixIneffective`, `NoCompliantValue`, `Conflicted`, `Overruled`.
        reason: Reason,
        /// In a sentence.
        message: String,
    },
}

/// The repair of one violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Patches of the editor, or of what takes effect at once.
    pub patches: Vec<Call>,
    /// The stages that then need a new deployment.
    pub deploy: Vec<String>,
    /// What takes the patches back.
    pub inverse: Vec<Call>,
    /// What no call takes back: it was not set before, and AWS has no call that unsets it.
    pub irreversible: Vec<Path>,
    /// How callers can be interrupted.
    pub disruptions: Vec<String>,
    /// The paths that belong to this violation: what the patches and the deployment change of it.
    pub paths: Vec<Path>,
    /// What is laid over the draft. Without patches: what the repair would write, had nobody mended the draft before.
    pub overlay: Value,
}

impl Plan {
    /// What is wanted of a document.
    pub fn wanted(&self, document: &Value) -> Value {
        path::merge(document, &self.overlay)
    }

    /// Every call in order, the deployment included: what a person sees, and what the digest covers.
    pub fn calls(&self, rest_api: &str) -> Vec<Call> {
        let mut calls = self.patches.clone();
        calls.extend(super::plan::deployment_calls(rest_api, &self.deploy));
        calls
    }
}

/// The name under which a last compliant value is kept.
pub fn slot(target: Target, resource: &str, path: &Path) -> String {
    format!("{}|{resource}|{path}", target.as_str())
}
