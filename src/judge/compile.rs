//! From a policy as written to a policy that can be asked: every expression compiled, every path parsed, every fault named.

use serde_json::Value;

use super::cel::{Document, Program};
use super::path::Path;
use super::rule::overlay_paths;
use super::window::{self, Window};
use crate::api::policy::{EndpointPolicySpec, Enforcement, PolicyRule, Redeploy, Selector, Severity, Target, Via};

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
    /// Whether endpoints that another tool manages are repaired unasked.
    pub managed: bool,
    /// What repairs start from.
    pub via: Via,
    /// Whether repairs are suspended.
    pub suspend: bool,
    /// How much may be repaired, and how soon.
    pub limits: Limits,
    /// When repairs may begin; none: always.
    pub windows: Vec<Window>,
    /// What must hold.
    pub rules: Vec<Rule>,
}

/// How much may be repaired, and how soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Drifts whose repair may begin within an hour.
    pub repairs_per_hour: u16,
    /// The share of the selected endpoints that may be repaired within an hour, 1 to 100.
    pub share_percent: u8,
    /// How long a drift must stand, and its endpoint be left alone.
    pub settle: jiff::SignedDuration,
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
    /// Laid over the object, this changes nothing. What must be absent is null in it.
    Desired(Value),
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
        faults.push(policy_fault("rules", "write at least one rule".into()));
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
    let limits = limits(spec, &mut faults);
    let windows = windows(spec, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Policy {
        id,
        selector: spec.selector.clone(),
        priority: spec.priority,
        params: Document::new(Value::Object(spec.params.clone())),
        redeploy: spec.redeploy,
        drafts: spec.repairs.drafts,
        managed: spec.repairs.managed,
        via: spec.repairs.via,
        suspend: spec.suspend,
        limits,
        windows,
        rules,
    })
}

fn policy_fault(field: &'static str, message: String) -> Fault {
    Fault {
        rule: String::new(),
        field,
        message,
    }
}

fn limits(spec: &EndpointPolicySpec, faults: &mut Vec<Fault>) -> Limits {
    let written = &spec.limits;
    let settle = window::duration(&written.settle).unwrap_or_else(|why| {
        faults.push(policy_fault("limits.settle", why));
        jiff::SignedDuration::ZERO
    });
    let share = written.share.strip_suffix('%').and_then(|share| share.parse().ok());
    let share_percent = share.filter(|share| (1..=100).contains(share)).unwrap_or_else(|| {
        let why = format!("`{}`: write a share from 1% to 100%, as in \"20%\"", written.share);
        faults.push(policy_fault("limits.share", why));
        1
    });
    Limits {
        repairs_per_hour: written.repairs_per_hour,
        share_percent,
        settle,
    }
}

fn windows(spec: &EndpointPolicySpec, faults: &mut Vec<Fault>) -> Vec<Window> {
    let mut windows = Vec::new();
    for written in &spec.windows {
        match Window::compile(written) {
            Ok(window) => windows.push(window),
            Err(why) => faults.push(policy_fault("windows", why)),
        }
    }
    windows
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
    faults.check_demands(rule, &absent);
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
    let holds = require.map_or_else(|| desired(rule, &absent), Holds::Require);
    let mend = match (&holds, fix, restore.is_empty()) {
        (Holds::Desired(_), ..) => Mend::Desired,
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

fn desired(rule: &PolicyRule, absent: &[Path]) -> Holds {
    let mut overlay = Value::Object(rule.desired.clone().unwrap_or_default());
    for path in absent {
        path.set(&mut overlay, Some(Value::Null));
    }
    Holds::Desired(overlay)
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

    /// A rule that asks for nothing would hold everywhere, and one that asks for both would hold nowhere.
    fn check_demands(&mut self, rule: &PolicyRule, absent: &[Path]) {
        let Some(desired) = &rule.desired else { return };
        if desired.is_empty() && rule.absent.is_empty() {
            self.add(
                "desired",
                "write at least one value that must stand, as in {tracingEnabled: true}",
            );
        }
        let stand = overlay_paths(&Value::Object(desired.clone()));
        for path in absent {
            if let Some(both) = stand.iter().find(|at| at.covers(path) || path.covers(at)) {
                self.add(
                    "absent",
                    format!("{path} cannot be absent while desired names {both}: write one of them"),
                );
            }
        }
    }
}
