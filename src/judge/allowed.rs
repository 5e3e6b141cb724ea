//! What a rule may do to an endpoint: the one place where policy, grant and kill switches meet.

use crate::api::Reason;
use crate::api::policy::Enforcement;

/// Something that may be done about a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Find it, record it, tell people.
    Report,
    /// Repair it once a person approved the plan.
    RepairApproved,
    /// Repair it unasked.
    Repair,
}

/// Who suspended repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// The whole controller, on its command line.
    Controller,
    /// `spec.suspend` of this `AwsAccount`.
    Account(String),
    /// `spec.suspend` of the policy.
    Policy,
}

/// The verbs that are allowed, and what stands against more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// From the least to the most.
    pub verbs: &'static [Verb],
    /// Why not more; none where nothing more exists.
    pub why_not_more: Option<(Reason, String)>,
}

impl Allowed {
    /// Whether a verb is among them.
    pub fn may(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// As a policy writes it.
    pub fn enforcement(&self) -> Enforcement {
        match self.verbs.last() {
            Some(Verb::Repair) => Enforcement::Enforce,
            Some(Verb::RepairApproved) => Enforcement::Approve,
            _ => Enforcement::Audit,
        }
    }
}

/// Resolves what a rule asks for, what the account grants and what is suspended.
pub fn allowed(asked: Enforcement, granted: Enforcement, suspended: Option<&Suspension>) -> Allowed {
    let verbs = |enforcement: Enforcement| -> &'static [Verb] {
        match enforcement {
            Enforcement::Audit => &[Verb::Report],
            Enforcement::Approve => &[Verb::Report, Verb::RepairApproved],
            Enforcement::Enforce => &[Verb::Report, Verb::RepairApproved, Verb::Repair],
        }
    };
    let least = asked.min(granted);
    if let (Some(by), true) = (suspended, least > Enforcement::Audit) {
        return Allowed {
            verbs: verbs(Enforcement::Audit),
            why_not_more: Some((Reason::Suspended, told(by))),
        };
    }
    let why_not_more = match (asked, granted) {
        (asked, granted) if asked > granted => Some((
            Reason::GrantLimits,
            match granted {
                Enforcement::Audit => {
                    "the account's grant allows reports only: raise maxEnforcement of the grant to have it repaired"
                }
                _ => "the account's grant allows approved repairs only: raise maxEnforcement of the grant to Enforce to have it repaired unasked",
            }
            .to_owned(),
        )),
        (Enforcement::Audit, _) => Some((
            Reason::AuditOnly,
            "enforcement is Audit: set it to Approve or Enforce to have it repaired".into(),
        )),
        (Enforcement::Approve, _) => Some((
            Reason::ApprovalRequired,
            "enforcement is Approve: a person must approve the plan".into(),
        )),
        (Enforcement::Enforce, _) => None,
    };
    Allowed {
        verbs: verbs(least),
        why_not_more,
    }
}

fn told(suspension: &Suspension) -> String {
    match suspension {
        Suspension::Controller => {
            "the controller runs with --suspend: nothing is changed until it runs without".to_owned()
        }
        Suspension::Account(name) => {
            format!("AwsAccount {name} is suspended: set its spec.suspend to false to have repairs go on")
        }
        Suspension::Policy => "the policy is suspended: set its spec.suspend to false to have repairs go on".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Enforcement::{Approve, Audit, Enforce};

    #[test]
    fn the_least_of_policy_and_grant_counts_and_the_reason_says_which_it_was() {
        for (asked, granted, enforcement, reason, why) in [
            (Enforce, Enforce, Enforce, None, "nothing stands against it"),
            (Enforce, Approve, Approve, Some(Reason::GrantLimits), "the grant cuts"),
            (
                Enforce,
                Audit,
                Audit,
                Some(Reason::GrantLimits),
                "the grant cuts to nothing",
            ),
            (
                Approve,
                Audit,
                Audit,
                Some(Reason::GrantLimits),
                "the grant cuts here too",
            ),
            (
                Approve,
                Enforce,
                Approve,
                Some(Reason::ApprovalRequired),
                "the policy asks for less than it may",
            ),
            (Approve, Approve, Approve, Some(Reason::ApprovalRequired), "both say so"),
            (Audit, Enforce, Audit, Some(Reason::AuditOnly), "the policy only looks"),
            (Audit, Audit, Audit, Some(Reason::AuditOnly), "both only look"),
        ] {
            let found = allowed(asked, granted, None);
            assert_eq!(found.enforcement(), enforcement, "{why}");
            assert_eq!(found.why_not_more.map(|(reason, _)| reason), reason, "{why}");
        }
    }

    #[test]
    fn whatever_is_suspended_is_reported_and_not_changed() {
        for suspension in [
            Suspension::Controller,
            Suspension::Account("prod".into()),
            Suspension::Policy,
        ] {
            let found = allowed(Enforce, Enforce, Some(&suspension));
            assert!(found.may(Verb::Report) && !found.may(Verb::RepairApproved) && !found.may(Verb::Repair));
            let (reason, told) = found.why_not_more.unwrap();
            assert_eq!(reason, Reason::Suspended);
            assert!(told.contains("uspend"), "{told}");
        }
        let audit = allowed(Audit, Enforce, Some(&Suspension::Policy));
        assert_eq!(
            audit.why_not_more.unwrap().0,
            Reason::AuditOnly,
            "what would not be changed anyway is not held by the switch"
        );
    }
}
