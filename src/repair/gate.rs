//! May this drift be repaired now? One pure answer, with its reason: the first step of a list that does not let it through.

use jiff::Timestamp;

use crate::api::Reason;
use crate::api::drift::Scope;
use crate::api::policy::Redeploy;
use crate::aws::apigateway::compare::Cleanliness;
use crate::judge::allowed::{self, Allowed, Suspension, Verb};
use crate::judge::verdict::{Plan, Remedy, Violation};
use crate::judge::window::Hours;

use super::contest::HeldBack;

/// The gate's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Repair.
    Open,
    /// Report only; nothing is waited for.
    Audit(Reason, String),
    /// Held back.
    Wait(Wait),
}

/// What holds a repair back.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// Why.
    pub reason: Reason,
    /// In a sentence that says what would let it go on.
    pub message: String,
    /// When it goes on by itself, if it does.
    pub until: Option<Timestamp>,
}

impl Gate {
    /// Held back until somebody does something.
    pub fn wait(reason: Reason, message: impl Into<String>) -> Self {
        Gate::Wait(Wait {
            reason,
            message: message.into(),
            until: None,
        })
    }
}

impl Wait {
    /// Until a moment. The message names it, and stays the same while nothing changes.
    pub fn until(reason: Reason, message: impl std::fmt::Display, until: Timestamp) -> Self {
        Wait {
            reason,
            message: format!("{message}; it goes on at {}", until.strftime("%Y-%m-%dT%H:%M:%SZ")),
            until: Some(until),
        }
    }
}

/// What a person said to the plan as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, or something about a plan that has changed since; says so then.
    #[default]
    None,
    /// An answer that does not count, and why.
    Void(String),
    /// Yes.
    Approved {
        /// Who.
        by: String,
    },
    /// No.
    Rejected {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// Everything that the gate looks at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the judge says.
    pub violation: &'a Violation,
    /// Who suspended repairs, if somebody did.
    pub suspended: Option<&'a Suspension>,
    /// Whether its repair has begun: then it is brought to its end, unless repairs are suspended.
    pub under_way: bool,
    /// What a person said.
    pub answer: &'a Answer,
    /// The tool that manages the endpoint; none where the policy repairs such endpoints unasked.
    pub managed_by: Option<&'a str>,
    /// Whether the same thing is not to be put back again.
    pub held_back: Option<&'a HeldBack>,
    /// Whether the policy has repairs start from messages, and none came for the plan as it stands.
    pub awaits_message: bool,
    /// From when on the drift has stood, and its endpoint been left alone, for long enough.
    pub settled_at: Timestamp,
    /// Whether a window is open.
    pub hours: Hours,
    /// Now.
    pub now: Timestamp,
}

/// One step of the decision.
pub struct Step {
    /// What is asked, so that yes lets the drift through.
    pub question: &'static str,
    /// The reasons that this step can give.
    pub reasons: &'static [Reason],
    ask: fn(&Facts<'_>) -> Option<Gate>,
}

/// The decision, step by step, in the order in which it is made. The last two are asked when a repair begins.
pub const STEPS: &[Step] = &[
    Step {
        question: "is a repair known that makes the rule hold?",
        reasons: &[
            Reason::NotRepairable,
            Reason::FixIneffective,
            Reason::NoCompliantValue,
            Reason::Conflicted,
            Reason::Overruled,
        ],
        ask: remedy,
    },
    Step {
        question: "do policy, grant and switches allow repairs at all?",
        reasons: &[Reason::AuditOnly, Reason::GrantLimits, Reason::Suspended],
        ask: verbs,
    },
    Step {
        question: "do callers meet it?",
        reasons: &[Reason::DraftOnly, Reason::LiveUnknown],
        ask: live,
    },
    Step {
        question: "may it be made without a person's yes, or is there one?",
        reasons: &[
            Reason::Rejected,
            Reason::Contested,
            Reason::Reverted,
            Reason::ApprovalRequired,
            Reason::Disruptive,
            Reason::ManagedElsewhere,
        ],
        ask: person,
    },
    Step {
        question: "may it deploy, if it must?",
        reasons: &[Reason::RedeployNever],
        ask: redeploy,
    },
    Step {
        question: "did a message start it, where repairs start from messages?",
        reasons: &[Reason::AwaitingMessage],
        ask: message,
    },
    Step {
        question: "has it stood, and been left alone, for long enough?",
        reasons: &[Reason::Settling],
        ask: settled,
    },
    Step {
        question: "is a window open?",
        reasons: &[Reason::OutsideWindow],
        ask: window,
    },
    Step {
        question: "would a deployment publish nothing but the repair?",
        reasons: &[Reason::RedeployPending, Reason::RedeployUncertain, Reason::Canary],
        ask: |_| None, // looked at on AWS then
    },
    Step {
        question: "is there room in the policy's limits?",
        reasons: &[Reason::LimitReached],
        ask: |_| None, // counted then
    },
];

/// The answer of the first step that does not let the drift through.
pub fn decide(facts: &Facts<'_>) -> Gate {
    if facts.under_way {
        return remedy(facts).or_else(|| verbs(facts)).unwrap_or(Gate::Open);
    }
    STEPS.iter().find_map(|step| (step.ask)(facts)).unwrap_or(Gate::Open)
}

/// Whether a person's yes is what a drift with this reason waits for.
pub fn asks_a_person(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ApprovalRequired
            | Reason::Disruptive
            | Reason::ManagedElsewhere
            | Reason::Contested
            | Reason::Reverted
            | Reason::RedeployPending
            | Reason::RedeployUncertain
    )
}

fn plan<'a>(facts: &Facts<'a>) -> Option<&'a Plan> {
    match &facts.violation.remedy {
        Remedy::Plan(plan) => Some(plan),
        Remedy::None { .. } => None,
    }
}

fn allowed(facts: &Facts<'_>) -> Allowed {
    allowed::allowed(facts.violation.asked, facts.violation.granted, facts.suspended)
}

fn remedy(facts: &Facts<'_>) -> Option<Gate> {
    match &facts.violation.remedy {
        Remedy::Plan(_) => None,
        Remedy::None { reason, message } => Some(Gate::wait(*reason, message.clone())),
    }
}

fn verbs(facts: &Facts<'_>) -> Option<Gate> {
    let allowed = allowed(facts);
    match allowed.why_not_more {
        Some((reason, message)) if !allowed.verbs.contains(&Verb::RepairApproved) => {
            Some(if reason == Reason::Suspended {
                Gate::wait(reason, message)
            } else {
                Gate::Audit(reason, message)
            })
        }
        _ => None,
    }
}

fn live(facts: &Facts<'_>) -> Option<Gate> {
    let Violation {
        scope,
        drafts,
        live_unknown,
        ..
    } = facts.violation;
    if *scope == Scope::Live || *drafts {
        return None;
    }
    Some(match live_unknown {
        Some(why) => Gate::wait(
            Reason::LiveUnknown,
            format!("the draft violates the rule, and what callers meet cannot be read: {why}"),
        ),
        None => Gate::wait(
            Reason::DraftOnly,
            "only the draft violates the rule, and a draft is somebody's work: set repairs.drafts to have it patched",
        ),
    })
}

fn person(facts: &Facts<'_>) -> Option<Gate> {
    let void = match facts.answer {
        Answer::Approved { .. } => return None,
        Answer::Rejected { by, reason } => {
            let why = if reason.is_empty() {
                String::new()
            } else {
                format!(": {reason}")
            };
            return Some(Gate::wait(
                Reason::Rejected,
                format!("{by} said no{why}; it is asked again when the plan changes"),
            ));
        }
        Answer::Void(why) => format!("{why}; "),
        Answer::None => String::new(),
    };
    let ask = |reason, why: String| Some(Gate::wait(reason, format!("{void}{why}")));
    if let Some(held) = facts.held_back {
        return ask(held.reason, held.message.clone());
    }
    let allowed = allowed(facts);
    if let (Some((_, why)), false) = (&allowed.why_not_more, allowed.may(Verb::Repair)) {
        return ask(Reason::ApprovalRequired, why.clone());
    }
    let disruptions = plan(facts).map_or(&[][..], |plan| &plan.disruptions);
    if !disruptions.is_empty() && !facts.violation.allow_disruption {
        return ask(
            Reason::Disruptive,
            format!(
                "the repair can interrupt callers ({}): approve the plan, or set allowDisruption on the rule",
                disruptions.join("; ")
            ),
        );
    }
    let managed_by = facts.managed_by?;
    ask(
        Reason::ManagedElsewhere,
        format!(
            "{managed_by} manages the endpoint, and its next run would undo the repair: correct it there, approve the plan, \
             or set repairs.managed on the policy"
        ),
    )
}

fn redeploy(facts: &Facts<'_>) -> Option<Gate> {
    let deploys = plan(facts).is_some_and(|plan| !plan.deploy.is_empty());
    (deploys && facts.violation.redeploy == Redeploy::Never).then(|| {
        Gate::wait(
            Reason::RedeployNever,
            "the repair needs a deployment and redeploy is Never",
        )
    })
}

fn message(facts: &Facts<'_>) -> Option<Gate> {
    facts.awaits_message.then(|| {
        Gate::wait(
            Reason::AwaitingMessage,
            "repairs start from messages (repairs.via is Queue), and none of this plan came from the account's spec.events.queues yet",
        )
    })
}

fn settled(facts: &Facts<'_>) -> Option<Gate> {
    (facts.now < facts.settled_at).then(|| {
        let message = "the drift must stand, and nobody change the endpoint, for limits.settle first";
        Gate::Wait(Wait::until(Reason::Settling, message, facts.settled_at))
    })
}

fn window(facts: &Facts<'_>) -> Option<Gate> {
    match facts.hours {
        Hours::Open => None,
        Hours::ClosedUntil(opens) => Some(Gate::Wait(Wait::until(
            Reason::OutsideWindow,
            "repairs begin in the policy's windows only",
            opens,
        ))),
    }
}

/// What the comparison of editor and deployment says to a repair that deploys. `approved`: the edits that a person agreed
/// to have published.
pub fn decide_deployment(
    redeploy: Redeploy,
    stage: &str,
    cleanliness: &Cleanliness,
    approved: Option<&[String]>,
) -> Gate {
    let agreed = |edits: &[String]| approved.is_some_and(|approved| approved == shown(edits));
    match (redeploy, cleanliness) {
        (Redeploy::Always, _) | (_, Cleanliness::Clean) => Gate::Open,
        (_, Cleanliness::Dirty(edits) | Cleanliness::CannotTell(edits)) if agreed(edits) => Gate::Open,
        (_, Cleanliness::Dirty(edits)) => Gate::wait(
            Reason::RedeployPending,
            format!(
                "a deployment to {stage} would publish edits that are not Plumbline's: {}",
                edits.join("; ")
            ),
        ),
        (_, Cleanliness::CannotTell(why)) => Gate::wait(
            Reason::RedeployUncertain,
            format!(
                "whether a deployment to {stage} would publish somebody's edits cannot be told: {}",
                why.join("; ")
            ),
        ),
    }
}

/// Edits as a Drift shows them: what a person agrees to.
pub fn shown(edits: &[String]) -> Vec<String> {
    edits
        .iter()
        .take(32)
        .map(|edit| edit.chars().take(512).collect())
        .collect()
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
