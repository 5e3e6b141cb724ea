//! Conditions: the one place where they are set, and the closed set of their reasons.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a condition. Transient trouble is `Unknown`, a settled fault is `False`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold, and waiting will not change that.
    False,
    /// It cannot be told now.
    Unknown,
}

impl Status {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::True => "True",
            Status::False => "False",
            Status::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Status::True } else { Status::False }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Why a condition stands as it does, and why a drift waits: a closed set, equal to the reasons of the Kubernetes events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// Every one.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// As written into conditions and events.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name)),+ }
            }
        }
    };
}

reasons! {
    /// Everything asked for is in place.
    Ready,
    /// The spec cannot be acted on; the message says what to write instead.
    Invalid,
    /// A first complete look has not ended yet.
    Pending,
    /// No account grants the namespace what the policy asks for.
    NotGranted,
    /// The selector selects nothing.
    NoEndpoints,
    /// Every selected endpoint holds every rule.
    Compliant,
    /// At least one drift is open.
    Drifted,
    /// Something could not be read or judged.
    Unreadable,
    /// AWS answered that the caller may not do this.
    AccessDenied,
    /// No credentials were found.
    NoCredentials,
    /// AWS asked to slow down.
    Throttled,
    /// AWS or the network failed for now.
    Unavailable,
    /// Another `AwsAccount` names the same account id.
    DuplicateAccount,
    /// Another replica acts for this account.
    NotLeading,
    /// A new drift.
    Detected,
    /// Enforcement is `Audit`: reported, never repaired.
    AuditOnly,
    /// Nothing may repair here: the account's grant stops below.
    GrantLimits,
    /// Only the draft violates; that is somebody's work.
    DraftOnly,
    /// What callers meet cannot be read.
    LiveUnknown,
    /// A person must approve the plan.
    ApprovalRequired,
    /// The plan can interrupt callers and waits for a person.
    Disruptive,
    /// The proposed repair would not make the rule hold.
    FixIneffective,
    /// The property has no repair.
    NotRepairable,
    /// No compliant value was ever seen.
    NoCompliantValue,
    /// Two policies of equal priority want different values.
    Conflicted,
    /// A policy of higher priority wants another value.
    Overruled,
    /// A deployment would publish somebody else's pending edits.
    RedeployPending,
    /// Whether a deployment would publish others' edits cannot be told.
    RedeployUncertain,
    /// The policy forbids deployments.
    RedeployNever,
    /// The stage has a canary.
    Canary,
    /// Somebody else wrote while the repair was under way.
    Overtaken,
    /// The audit record is written, or none is asked for.
    Recorded,
    /// The audit record could not be written yet.
    RecordFailed,
    /// People and machines were told, or nobody is to be told.
    Notified,
    /// The notification could not be sent yet.
    NotifyFailed,
    /// The gate is open.
    Authorized,
    /// The repair is under way.
    Repairing,
    /// AWS holds the wanted value again.
    Repaired,
    /// A new read shows the repaired state where callers meet it.
    Verified,
    /// The repair was made and a new read does not show it yet.
    Verifying,
    /// AWS refused the repair.
    RepairFailed,
    /// The repair of a deleted drift was given up before its end.
    Abandoned,
    /// Gone without Plumbline's hand.
    FixedElsewhere,
    /// An exception applies.
    Exempted,
    /// The policy or its rule is gone.
    PolicyDeleted,
    /// The account is gone or its grant withdrawn.
    AccountRemoved,
    /// The resource is gone.
    Gone,
    /// A person had the repair taken back.
    Reverted,
    /// The policy, the account or the controller is suspended: nothing is changed.
    Suspended,
    /// A person said no to the plan.
    Rejected,
    /// The drift must stand, and the endpoint be left alone, for a while first.
    Settling,
    /// Repairs may begin in the policy's windows only.
    OutsideWindow,
    /// As much was repaired within the hour as the policy's limits allow.
    LimitReached,
    /// Another tool manages the endpoint, and its next run would undo the repair.
    ManagedElsewhere,
    /// The same thing was put back several times: somebody else wants it otherwise.
    Contested,
    /// The exception counts.
    Exempting,
    /// The exception's time is over.
    Expired,
    /// The account's grant forbids exceptions.
    ExceptionsForbidden,
    /// The namespace takes no more objects.
    NamespaceRefuses,
    /// Reading is complete.
    Observed,
    /// Events of changes arrive.
    Listening,
    /// A sweep found a change of which no event told.
    EventGap,
    /// No trail records what is written in a region: no event tells of it.
    TrailMissing,
    /// It is known who did it.
    Attributed,
    /// Who did it is being looked for.
    Attributing,
    /// Who did it cannot be found; the message says why.
    Unattributed,
    /// Repairs start from messages on a queue, and none has come for this plan.
    AwaitingMessage,
}

/// What one condition shall say.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// `Ready`, `Compliant`, …
    pub type_: &'static str,
    /// Its status.
    pub status: Status,
    /// Its reason.
    pub reason: Reason,
    /// A sentence for people; may be empty.
    pub message: String,
}

impl Said {
    /// A condition's new content.
    pub fn new(type_: &'static str, status: impl Into<Status>, reason: Reason, message: impl Into<String>) -> Self {
        Said {
            type_,
            status: status.into(),
            reason,
            message: message.into(),
        }
    }
}

/// Writes what is said into a list of conditions. The transition time moves only when the status does, so that writing
/// the same again changes nothing.
#[expect(clippy::needless_pass_by_value, reason = "what is said is made for this one call")]
pub fn set(conditions: &mut Vec<Condition>, said: Said, generation: Option<i64>, now: Timestamp) {
    let status = said.status.as_str();
    // The API server refuses a longer message.
    let message: String = said.message.chars().take(4096).collect();
    match conditions.iter_mut().find(|c| c.type_ == said.type_) {
        Some(condition) => {
            if condition.status != status {
                condition.last_transition_time = Time(now);
            }
            condition.status = status.into();
            condition.reason = said.reason.as_str().into();
            condition.message = message;
            condition.observed_generation = generation;
        }
        None => conditions.push(Condition {
            type_: said.type_.into(),
            status: status.into(),
            reason: said.reason.as_str().into(),
            message,
            observed_generation: generation,
            last_transition_time: Time(now),
        }),
    }
}

/// The condition of that type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of that type is `True`.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_says_what_every_reason_means() {
        let readme = include_str!("../../README.md");
        let unsaid: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| reason.as_str())
            .filter(|reason| !readme.contains(&format!("`{reason}`")))
            .collect();
        assert!(unsaid.is_empty(), "not in README.md: {unsaid:?}");
    }
}
