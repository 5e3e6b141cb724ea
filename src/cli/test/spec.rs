//! The files: what is given, and what is expected.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::api::Reason;
use crate::api::drift::Scope;
use crate::api::policy::Enforcement;
use crate::cli::fixture::Fixture;

/// One test, a document of a file `*.test.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyTest {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// What it shows.
    pub name: Option<String>,
    /// Files and folders with policies and exceptions, from the file's own folder.
    pub policies: Vec<PathBuf>,
    /// As if every rule had this enforcement.
    pub enforcement: Option<Enforcement>,
    /// Laid over the policies' own `params`.
    #[serde(default)]
    pub params: serde_json::Map<String, Value>,
    /// The time.
    pub now: Option<Timestamp>,
    /// What rules may name as `account`.
    #[serde(default)]
    pub account: Account,
    /// What was seen before: where last compliant values come from.
    #[serde(default)]
    pub before: Vec<Given>,
    /// What is judged.
    pub fixtures: Vec<Given>,
    /// What must come out.
    pub expect: Vec<Expectation>,
    /// False: violations that nobody expects are no difference.
    #[serde(default = "yes")]
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Kind {
    PolicyTest,
}

fn yes() -> bool {
    true
}

/// An account as rules see it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Account {
    /// The `AwsAccount`'s name. Absent: the account id.
    pub name: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: serde_json::Map<String, Value>,
}

/// A fixture.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Value")]
pub(super) enum Given {
    /// In a file of its own.
    File(PathBuf),
    /// Here, as written.
    Inline(Value),
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        match value {
            Value::String(path) => Given::File(path.into()),
            other => Given::Inline(other),
        }
    }
}

impl Given {
    /// The fixtures themselves.
    pub fn fixtures(&self, folder: &std::path::Path) -> Result<Vec<Fixture>, String> {
        match self {
            Given::File(path) => Fixture::read(&folder.join(path)),
            Given::Inline(value) => serde_json::from_value(value.clone())
                .map(|fixture| vec![fixture])
                .map_err(|error| format!("a fixture: {error}")),
        }
    }
}

/// What shall come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Expected {
    Compliant,
    Violated,
    Unknown,
    Exempted,
    NotApplicable,
}

/// An expectation of every verdict that it describes. What is left out is not asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    /// The policy's name, or its namespace and name as in `payments/https-only`.
    pub policy: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// The endpoint's name or id.
    pub endpoint: Option<String>,
    /// What within it.
    pub resource: Option<String>,
    /// What shall come out.
    pub outcome: Expected,
    /// For callers, or in the draft alone.
    pub scope: Option<Scope>,
    /// The stages whose callers meet it.
    pub stages: Option<Vec<String>>,
    /// What the rule says of it, or why it cannot be told.
    pub finding: Option<String>,
    /// What a repair would wait for, or `none`.
    pub reason: Option<Waits>,
    /// The repair's patches, or `none`.
    pub plan: Option<Planned>,
    /// The stages that the repair deploys to.
    pub deploy: Option<Vec<String>>,
}

impl Expectation {
    /// A sentence about what contradicts itself.
    pub fn fault(&self) -> Option<String> {
        let violation = [
            ("scope", self.scope.is_some()),
            ("stages", self.stages.is_some()),
            ("reason", self.reason.is_some()),
            ("plan", self.plan.is_some()),
            ("deploy", self.deploy.is_some()),
        ];
        if let Some((field, _)) = violation.iter().find(|(_, given)| *given)
            && self.outcome != Expected::Violated
        {
            return Some(format!("rule {}: {field} goes with outcome Violated alone", self.rule));
        }
        let told = matches!(self.outcome, Expected::Violated | Expected::Unknown);
        if self.finding.is_some() && !told {
            return Some(format!(
                "rule {}: finding goes with outcome Violated or Unknown",
                self.rule
            ));
        }
        if self.deploy.is_some() && !matches!(self.plan, Some(Planned::Patches(_))) {
            return Some(format!(
                "rule {}: deploy goes with a plan: write plan: [] if there is no patch",
                self.rule
            ));
        }
        None
    }
}

/// What a repair would wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Waits(pub Option<Reason>);

impl TryFrom<String> for Waits {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == "none" {
            return Ok(Waits(None));
        }
        serde_json::from_value(Value::String(word.clone()))
            .map(|reason| Waits(Some(reason)))
            .map_err(|_| {
                format!("reason: there is no {word}; write `none` or what a Drift would wait for, as in Disruptive")
            })
    }
}

/// The repair.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Planned {
    /// There is none.
    None,
    /// Its patches, in order.
    Patches(Vec<Patch>),
}

impl TryFrom<Value> for Planned {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value == "none" {
            return Ok(Planned::None);
        }
        serde_json::from_value(value).map(Planned::Patches).map_err(|error| {
            format!("plan: {error}; write `none` or a list of patches, as in {{operation: UpdateStage, op: replace, path: /tracingEnabled, value: true}}")
        })
    }
}

/// One patch operation of a repair.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    /// As in `UpdateStage`.
    pub operation: String,
    /// `add`, `replace` or `remove`.
    pub op: String,
    /// As in `/tracingEnabled`.
    pub path: String,
    /// Left out: not asked.
    pub value: Option<Value>,
}
