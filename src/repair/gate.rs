//! May this drift be repaired now? One pure answer, with its reason.

use crate::api::Reason;
use crate::api::drift::Scope;
use crate::api::policy::{Enforcement, Redeploy};
use crate::aws::apigateway::compare::Cleanliness;
use crate::judge::verdict::{Plan, Remedy, Violation};

/// The gate's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Repair.
    Open,
    /// Report only; nothing is waited for.
    Audit(Reason, String),
    /// Held back.
    Wait(Reason, String),
}

/// What the violation itself says, before AWS is asked anything.
pub fn decide(violation: &Violation) -> Gate {
    let plan = match &violation.remedy {
        Remedy::Plan(plan) => plan,
        Remedy::None { reason, message } => return Gate::Wait(*reason, message.clone()),
    };
    match violation.allowed {
        Enforcement::Audit if violation.cut_by_grant => Gate::Audit(
            Reason::GrantLimits,
            "the account's grant allows reports only: raise maxEnforcement of the grant to have it repaired".into(),
        ),
        Enforcement::Audit => Gate::Audit(
            Reason::AuditOnly,
            "enforcement is Audit: set it to Enforce to have it repaired".into(),
        ),
        Enforcement::Approve => Gate::Wait(
            Reason::ApprovalRequired,
            "enforcement is Approve: a person must approve the plan".into(),
        ),
        Enforcement::Enforce => enforced(violation, plan),
    }
}

fn enforced(violation: &Violation, plan: &Plan) -> Gate {
    if violation.scope == Scope::Draft && !violation.drafts {
        return match &violation.live_unknown {
            Some(why) => Gate::Wait(
                Reason::LiveUnknown,
                format!("the draft violates the rule, and what callers meet cannot be read: {why}"),
            ),
            None => Gate::Wait(
                Reason::DraftOnly,
                "only the draft violates the rule, and a draft is somebody's work: set repairs.drafts to have it patched"
                    .into(),
            ),
        };
    }
    if !plan.disruptions.is_empty() && !violation.allow_disruption {
        return Gate::Wait(
            Reason::Disruptive,
            format!(
                "the repair can interrupt callers ({}): set allowDisruption on the rule to have it made",
                plan.disruptions.join("; ")
            ),
        );
    }
    if !plan.deploy.is_empty() && violation.redeploy == Redeploy::Never {
        return Gate::Wait(
            Reason::RedeployNever,
            "the repair needs a deployment and redeploy is Never".into(),
        );
    }
    Gate::Open
}

/// What the comparison of editor and deployment says to a repair that deploys.
pub fn decide_deployment(redeploy: Redeploy, stage: &str, cleanliness: &Cleanliness) -> Gate {
    match (redeploy, cleanliness) {
        (Redeploy::Always, _) | (_, Cleanliness::Clean) => Gate::Open,
        (_, Cleanliness::Dirty(edits)) => Gate::Wait(
            Reason::RedeployPending,
            format!(
                "a deployment to {stage} would publish edits that are not Plumbline's: {}",
                edits.join("; ")
            ),
        ),
        (_, Cleanliness::CannotTell(why)) => Gate::Wait(
            Reason::RedeployUncertain,
            format!(
                "whether a deployment to {stage} would publish somebody's edits cannot be told: {}",
                why.join("; ")
            ),
        ),
    }
}
