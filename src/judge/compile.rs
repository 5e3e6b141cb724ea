//! From a policy as written to a policy that can be asked: every expression compiled, every path parsed, every fault named.

use serde_json::Value;

use super::cel::{Document, Program};
use super::path::Path;
use crate::api::policy::{EndpointPolicySpec, Enforcement, PolicyRule, Redeploy, Selector, Severity, Target};

/// Which policy, and which edition of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
}

/// A policy, ready to be asked.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which one.
    pub id: PolicyRef,
    /// `AwsAccounts` by name; empty: all that grant something.
    pub accounts: Vec<String>,
    /// Which endpoints.
    pub selector: Selector,
    /// Between policies that want different values.
    pub priority: i32,
    /// What rules may name as `params`.
    pub params: Document,
    /// Whether a repair may deploy.
    pub redeploy: Redeploy,
    /// Whether drafts are patched.
    pub drafts: bool,
    /// What must hold.
    pub rules: Vec<Rule>,
}

/// A rule, ready to be asked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it judges.
    pub target: Target,
    /// How bad a violation is.
    pub severity: Severity,
    /// The controls that it serves.
    pub controls: Vec<String>,
    /// Whether it applies.
    pub when: Option<Program>,
    /// What must be.
    pub holds: Holds,
    /// How a violation is put right.
    pub mend: Mend,
    /// A sentence about a violation.
    pub message: Option<Program>,
    /// How far Plumbline may go, before any grant.
    pub enforcement: Enforcement,
    /// Whether a repair may interrupt callers unasked.
    pub allow_disruption: bool,
}

impl Rule {
    /// Whether the answer can hang on which stage is asked about.
    pub fn names_stage(&self) -> bool {
        let require = match &self.holds {
            Holds::Require(program) => Some(program),
            Holds::Desired { .. } => None,
        };
        self.when.iter().chain(require).any(|program| program.uses("stage"))
    }
}

/// What must be.
#[derive(Clone, Debug)]
pub enum Holds {
    /// These values stand and these paths are absent.
    Desired {
        /// In AWS's field names.
        overlay: Value,
        /// What must be absent.
        absent: Vec<Path>,
    },
    /// The expression is true.
    Require(Program),
}

/// How a violation is put right.
#[derive(Clone, Debug)]
pub enum Mend {
    /// By the values that are desired.
    Desired,
    /// By a computed overlay.
    Fix(Program),
    /// By the last compliant values at these paths.
    Restore(Vec<Path>),
    /// By a person.
    Nothing,
}

/// Something in a policy that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule; empty for the policy itself.
    pub rule: String,
    /// The field, as in `require`.
    pub field: &'static str,
    /// What is wrong, and what to write.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.rule.is_empty() {
            write!(f, "{}: {}", self.field, self.message)
        } else {
            write!(f, "rule {}, {}: {}", self.rule, self.field, self.message)
        }
    }
}

/// Compiles a policy.
///
/// # Errors
/// Every fault that was found, not the first alone.
pub fn compile(id: PolicyRef, spec: &EndpointPolicySpec) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    if spec.rules.is_empty() {
        faults.push(Fault {
            rule: String::new(),
            field: "rules",
            message: "write at least one rule".into(),
        });
    }
    let mut names = std::collections::BTreeSet::new();
    let mut rules = Vec::new();
    for rule in &spec.rules {
        if !names.insert(&rule.name) {
            faults.push(Fault {
                rule: rule.name.clone(),
                field: "name",
                message: "two rules have this name: give each its own".into(),
            });
        }
        match compile_rule(rule, spec.enforcement) {
            Ok(rule) => rules.push(rule),
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Policy {
        id,
        accounts: spec.accounts.clone(),
        selector: spec.selector.clone(),
        priority: spec.priority,
        params: Document::new(Value::Object(spec.params.clone())),
        redeploy: spec.redeploy,
        drafts: spec.repairs.drafts,
        rules,
    })
}

fn compile_rule(rule: &PolicyRule, enforcement: Enforcement) -> Result<Rule, Vec<Fault>> {
    let mut faults = Faults {
        rule: &rule.name,
        found: Vec::new(),
    };
    let when = faults.program("when", rule.when.as_deref());
    let message = faults.program("message", rule.message.as_deref());
    let fix = faults.program("fix", rule.fix.as_deref());
    let require = faults.program("require", rule.require.as_deref());
    let absent = faults.paths("absent", &rule.absent);
    let restore = faults.paths("restore", &rule.restore);
    faults.check_shape(rule);
    if let Some(fix) = &fix
        && fix.uses("now")
    {
        faults.add(
            "fix",
            "a fix cannot name `now`: its plan must stay the same while nothing changes",
        );
    }
    for (field, program) in [("when", &when), ("require", &require), ("message", &message)] {
        if program.as_ref().is_some_and(|p| p.uses("previous")) {
            faults.add(field, "`previous`, the last compliant value, can be named in fix alone");
        }
    }
    let holds = match require {
        Some(program) => Holds::Require(program),
        None => Holds::Desired {
            overlay: Value::Object(rule.desired.clone().unwrap_or_default()),
            absent,
        },
    };
    let mend = match (&holds, fix, restore.is_empty()) {
        (Holds::Desired { .. }, ..) => Mend::Desired,
        (_, Some(fix), _) => Mend::Fix(fix),
        (_, None, false) => Mend::Restore(restore),
        (_, None, true) => Mend::Nothing,
    };
    if !faults.found.is_empty() {
        return Err(faults.found);
    }
    Ok(Rule {
        name: rule.name.clone(),
        target: rule.target,
        severity: rule.severity,
        controls: rule.controls.clone(),
        when,
        holds,
        mend,
        message,
        enforcement: rule.enforcement.unwrap_or(enforcement),
        allow_disruption: rule.allow_disruption,
    })
}

struct Faults<'a> {
    rule: &'a str,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.found.push(Fault {
            rule: self.rule.to_owned(),
            field,
            message: message.into(),
        });
    }

    fn program(&mut self, field: &'static str, source: Option<&str>) -> Option<Program> {
        match Program::compile(source?) {
            Ok(program) => Some(program),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    fn paths(&mut self, field: &'static str, texts: &[String]) -> Vec<Path> {
        let mut paths = Vec::new();
        for text in texts {
            match Path::parse(text) {
                Ok(path) => paths.push(path),
                Err(message) => self.add(field, message),
            }
        }
        paths
    }

    /// What the API server's schema says too: files given to `check` never met it.
    fn check_shape(&mut self, rule: &PolicyRule) {
        let desired = rule.desired.is_some() || !rule.absent.is_empty();
        match (desired, rule.require.is_some()) {
            (true, true) => self.add("desired", "write either desired (and absent) or require, not both"),
            (false, false) => self.add(
                "desired",
                "write desired, the values that must stand, or require, a CEL expression",
            ),
            _ => {}
        }
        if rule.fix.is_some() && (desired || !rule.restore.is_empty()) {
            self.add(
                "fix",
                "fix goes with require alone, without restore: desired is its own repair",
            );
        }
        if !rule.restore.is_empty() && desired {
            self.add("restore", "restore goes with require: desired is its own repair");
        }
    }
}
