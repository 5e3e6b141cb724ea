//! Rules that want different things of one resource.
//!
//! Only rules in Approve or Enforce count. The higher priority wins and the lower says `Overruled`; a tie is `Conflicted`
//! and neither is repaired. A rule that holds now counts too, if the repair of another would break it.

use serde_json::Value;

use super::cel::Document;
use super::evaluate::{Case, Held, Question};
use super::path;
use super::rule;
use super::select;
use super::verdict::{Outcome, Remedy, Verdict};
use crate::api::Reason;
use crate::api::policy::Enforcement;

/// One verdict's refusal.
struct Refusal {
    verdict: usize,
    reason: Reason,
    message: String,
}

/// Takes the remedies away from verdicts that lose or tie.
pub(super) fn settle(question: &Question<'_>, endpoint: &Document, verdicts: &mut [Verdict]) {
    let mut refusals = Vec::new();
    for (at, verdict) in verdicts.iter().enumerate() {
        let Some((violation, plan)) = active(verdict) else {
            continue;
        };
        for (other_at, other) in verdicts.iter().enumerate() {
            let same_resource = other.target == verdict.target && other.resource == verdict.resource;
            if at == other_at || !same_resource || !quarrel(question, endpoint, verdict, &plan.overlay, other) {
                continue;
            }
            let Some(priority) = priority(question, other) else {
                continue;
            };
            let theirs = format!("{}/{}, rule {}", other.policy.namespace, other.policy.name, other.rule);
            let refusal = match violation.priority.cmp(&priority) {
                std::cmp::Ordering::Less => Some((
                    Reason::Overruled,
                    format!("{theirs} wants another value and has the higher priority"),
                )),
                std::cmp::Ordering::Equal => Some((
                    Reason::Conflicted,
                    format!(
                        "{theirs} wants another value with the same priority: give one of them the higher priority"
                    ),
                )),
                std::cmp::Ordering::Greater => None,
            };
            if let Some((reason, message)) = refusal {
                refusals.push(Refusal {
                    verdict: at,
                    reason,
                    message,
                });
                break;
            }
        }
    }
    for Refusal {
        verdict,
        reason,
        message,
    } in refusals
    {
        if let Outcome::Violated(violation) = &mut verdicts[verdict].outcome {
            violation.remedy = Remedy::None { reason, message };
        }
    }
}

fn active(verdict: &Verdict) -> Option<(&super::verdict::Violation, &super::verdict::Plan)> {
    match &verdict.outcome {
        Outcome::Violated(violation) if violation.allowed > Enforcement::Audit => match &violation.remedy {
            // A plan that patches nothing wants nothing that another could mind.
            Remedy::Plan(plan) if !plan.patches.is_empty() => Some((violation, plan)),
            Remedy::Plan(_) | Remedy::None { .. } => None,
        },
        _ => None,
    }
}

/// Whether the repair of `verdict` and the other rule cannot both have their way.
fn quarrel(question: &Question<'_>, endpoint: &Document, verdict: &Verdict, overlay: &Value, other: &Verdict) -> bool {
    match &other.outcome {
        Outcome::Violated(_) => active(other).is_some_and(|(_, plan)| {
            let mine = rule::overlay_paths(overlay);
            rule::overlay_paths(&plan.overlay).iter().any(|their| {
                mine.iter().any(|my| {
                    let at = if my.covers(their) { my } else { their };
                    (my.covers(their) || their.covers(my)) && !path::same(at.get(overlay), at.get(&plan.overlay))
                })
            })
        }),
        Outcome::Compliant => breaks(question, endpoint, verdict, overlay, other),
        _ => false,
    }
}

/// Whether laying the overlay over the draft breaks a rule that holds.
fn breaks(question: &Question<'_>, endpoint: &Document, verdict: &Verdict, overlay: &Value, other: &Verdict) -> bool {
    let resource = question
        .snapshot
        .resources
        .iter()
        .find(|r| r.target == verdict.target && r.key == verdict.resource);
    let (Some(resource), Some((policy, rule, granted))) = (resource, rule_of(question, other)) else {
        return false;
    };
    let (Some(draft), true) = (&resource.draft, rule.enforcement.min(granted) > Enforcement::Audit) else {
        return false;
    };
    let wanted = rule::lay_over((question.tables)(verdict.target), draft.json(), overlay);
    let case = Case {
        question,
        policy,
        rule,
        granted,
        resource,
        endpoint,
    };
    case.held(draft, &[], None) == Held::Yes && case.held(&Document::new(wanted), &[], None) == Held::No
}

fn rule_of<'a>(
    question: &'a Question<'a>,
    verdict: &Verdict,
) -> Option<(&'a super::compile::Policy, &'a super::compile::Rule, Enforcement)> {
    let (policy, granted) = question
        .policies
        .iter()
        .find(|(policy, _)| policy.id == verdict.policy)?;
    Some((
        policy,
        policy.rules.iter().find(|rule| rule.name == verdict.rule)?,
        *granted,
    ))
}

/// The priority of a verdict's policy, if its rule may repair at all and the policy still means the endpoint.
fn priority(question: &Question<'_>, verdict: &Verdict) -> Option<i32> {
    let (policy, rule, granted) = rule_of(question, verdict)?;
    let snapshot = question.snapshot;
    let candidate = select::Candidate {
        id: &snapshot.endpoint,
        name: &snapshot.name,
        tags: &snapshot.tags,
    };
    (rule.enforcement.min(granted) > Enforcement::Audit && select::selects(&policy.selector, candidate))
        .then_some(policy.priority)
}
