//! Faults on demand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calls::Call;
use crate::error::AwsError;

/// A fault: which calls it meets and what it does to them.
///
/// As JSON: `{"operation":"GetStages","after":2,"times":1,"ids":{"restApiId":"..."},"status":500,
/// "code":"ServiceUnavailableException","message":"...","delayMs":100,"truncate":false,"drop":false,"applied":false}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Fault {
    /// The operation's name; none means every operation.
    pub operation: Option<String>,
    /// The account it meets; none means every account.
    pub account: Option<String>,
    /// The region it meets; none means every region.
    pub region: Option<String>,
    /// Labels of the path that must be as given.
    pub ids: BTreeMap<String, String>,
    /// Calls that pass before it strikes.
    pub after: u64,
    /// How many calls it strikes; none means all that follow.
    pub times: Option<u64>,
    /// HTTP status of an error answer; none means no error.
    pub status: Option<u16>,
    /// Error code of the error answer.
    pub code: String,
    /// Message of the error answer.
    pub message: String,
    /// How long the answer takes.
    pub delay_ms: u64,
    /// The body is cut in the middle.
    pub truncate: bool,
    /// The connection is closed without an answer.
    pub drop: bool,
    /// The call is carried out before it fails: the caller cannot know.
    pub applied: bool,
}

impl Fault {
    /// An error on every call of an operation.
    pub fn error(operation: &str, status: u16, code: &str, message: &str) -> Self {
        Self {
            operation: Some(operation.to_owned()),
            status: Some(status),
            code: code.to_owned(),
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// Strikes so many calls and no more.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Lets so many calls pass first.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }

    /// Meets only calls with this label in their path.
    #[must_use]
    pub fn on(mut self, label: &str, value: &str) -> Self {
        self.ids.insert(label.to_owned(), value.to_owned());
        self
    }

    /// The call is carried out and fails all the same.
    #[must_use]
    pub fn applied(self) -> Self {
        Self { applied: true, ..self }
    }

    fn meets(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        same(&self.operation, call.operation)
            && same(&self.account, &call.account)
            && same(&self.region, &call.region)
            && self.ids.iter().all(|(label, value)| call.ids.get(label) == Some(value))
    }

    pub(crate) fn as_error(&self) -> Option<AwsError> {
        let code = if self.code.is_empty() {
            "InternalFailure"
        } else {
            &self.code
        };
        self.status
            .map(|status| AwsError::new(status, code.to_owned(), self.message.clone()))
    }
}

/// The faults that are set, in order; the first that strikes a call is the one.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts the call at every fault that meets it, and gives the one that strikes.
    pub(crate) fn strike(&mut self, call: &Call) -> Option<Fault> {
        let mut struck = None;
        for (fault, seen) in &mut self.0 {
            if struck.is_some() || !fault.meets(call) {
                continue;
            }
            *seen += 1;
            let past = seen.saturating_sub(fault.after);
            if past > 0 && fault.times.is_none_or(|times| past <= times) {
                struck = Some(fault.clone());
            }
        }
        struck
    }
}
