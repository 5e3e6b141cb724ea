//! What a judgement means for the Drifts that stand: which open, which stay, which end. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt;
use serde_json::Value;

use crate::api::Reason;
use crate::api::condition::{self, Said};
use crate::api::drift::{Approval, Call, Decision, Drift, DriftSpec, DriftStatus, Excerpt, Phase, Resolution};
use crate::aws::apigateway::command;
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::{Outcome, Remedy, Verdict, Violation};
use crate::record::entry::excerpt;
use crate::repair::gate::{Answer, Gate};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What makes two findings the same drift, episodes apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    policy_uid: String,
    rule: String,
    target: &'static str,
    resource: String,
}

impl Identity {
    /// Of a verdict.
    pub fn of_verdict(verdict: &Verdict) -> Self {
        Identity {
            policy_uid: verdict.policy.uid.clone(),
            rule: verdict.rule.clone(),
            target: verdict.target.as_str(),
            resource: verdict.resource.clone(),
        }
    }

    /// Of a Drift.
    pub fn of_drift(spec: &DriftSpec) -> Self {
        Identity {
            policy_uid: spec.policy_uid.clone(),
            rule: spec.rule.clone(),
            target: spec.target.as_str(),
            resource: spec.resource.clone(),
        }
    }
}

/// What is to be done about one identity.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a handful live for one reconcile")]
pub enum Step<'a> {
    /// A violation without an open Drift.
    Open {
        /// The violation.
        verdict: &'a Verdict,
        /// The spec of its Drift.
        spec: DriftSpec,
    },
    /// A violation with an open Drift.
    Keep {
        /// The violation.
        verdict: &'a Verdict,
        /// Its Drift.
        drift: &'a Drift,
    },
    /// An open Drift that is over.
    Resolve {
        /// The Drift.
        drift: &'a Drift,
        /// How it ended.
        how: Resolution,
    },
}

/// What is known about why an open Drift may have no verdict any more.
pub trait Absence {
    /// How the Drift ended, if nothing judges it any more; none: it stays as it is.
    fn explain(&self, drift: &Drift) -> Option<Resolution>;
}

/// Holds verdicts against the Drifts of one endpoint, open and resolved.
pub fn settle<'a>(
    endpoint: &str,
    verdicts: &'a [Verdict],
    drifts: &'a [std::sync::Arc<Drift>],
    absence: &dyn Absence,
) -> Vec<Step<'a>> {
    let mut open: BTreeMap<Identity, &Drift> = BTreeMap::new();
    let mut last: BTreeMap<Identity, &Drift> = BTreeMap::new();
    let mine = |d: &&Drift| d.spec.endpoint == endpoint && d.spec.reverts.is_none();
    for drift in drifts.iter().map(AsRef::as_ref).filter(mine) {
        let episodes = if is_open(drift) { &mut open } else { &mut last };
        let newest = episodes.entry(Identity::of_drift(&drift.spec)).or_insert(drift);
        if newest.metadata.creation_timestamp < drift.metadata.creation_timestamp {
            *newest = drift;
        }
    }
    let mut steps = Vec::new();
    for verdict in verdicts {
        let identity = Identity::of_verdict(verdict);
        let drift = open.remove(&identity);
        match (&verdict.outcome, drift) {
            (Outcome::Violated(_), Some(drift)) => steps.push(Step::Keep { verdict, drift }),
            (Outcome::Violated(_), None) => {
                let previous = last.get(&identity).and_then(|d| d.uid());
                steps.push(Step::Open {
                    verdict,
                    spec: spec(endpoint, verdict, previous),
                });
            }
            (Outcome::Compliant, Some(drift)) => {
                let how = if begun(drift) {
                    Resolution::Repaired
                } else {
                    Resolution::FixedElsewhere
                };
                steps.push(Step::Resolve { drift, how });
            }
            (Outcome::Exempted, Some(drift)) => steps.push(Step::Resolve {
                drift,
                how: Resolution::Exempted,
            }),
            (Outcome::Unknown(_), _) | (_, None) => {}
        }
    }
    for drift in open.into_values() {
        if let Some(how) = absence.explain(drift) {
            steps.push(Step::Resolve { drift, how });
        }
    }
    steps
}

/// Whether an episode goes on.
pub fn is_open(drift: &Drift) -> bool {
    drift
        .status
        .as_ref()
        .is_none_or(|status| status.phase != Phase::Resolved)
}

/// Whether AWS is being written for a Drift.
pub fn is_repairing(drift: &Drift) -> bool {
    drift.status.as_ref().is_some_and(|s| s.phase == Phase::Repairing)
}

/// Whether Plumbline wrote something to AWS for this Drift.
pub fn begun(drift: &Drift) -> bool {
    drift.status.as_ref().is_some_and(|status| status.attempts > 0)
}

/// The identity of a new episode.
pub fn spec(endpoint: &str, verdict: &Verdict, previous: Option<String>) -> DriftSpec {
    DriftSpec {
        policy: verdict.policy.name.clone(),
        policy_uid: verdict.policy.uid.clone(),
        rule: verdict.rule.clone(),
        endpoint: endpoint.to_owned(),
        target: verdict.target,
        resource: verdict.resource.clone(),
        previous,
        reverts: None,
        approval: None,
    }
}

/// What is seen of a violation besides the violation itself.
pub struct Seen<'a> {
    /// The violation.
    pub violation: &'a Violation,
    /// Its endpoint.
    pub endpoint: &'a EndpointId,
    /// The name that people gave it.
    pub endpoint_name: &'a str,
    /// The tool that manages it.
    pub managed_by: Option<&'a str>,
    /// Other Drifts whose repairs a deployment for this one would publish.
    pub deploys_with: Vec<String>,
}

/// What a violation says of its Drift: what was found, what is wanted, and the plan. What a repair under way rests on is
/// left alone.
pub fn describe(before: Option<&DriftStatus>, seen: Seen<'_>, now: Timestamp) -> DriftStatus {
    let Seen {
        violation,
        endpoint,
        endpoint_name,
        managed_by,
        deploys_with,
    } = seen;
    let mut status = before.cloned().unwrap_or_default();
    status.detected_at.get_or_insert(Time(now));
    status.severity = violation.severity;
    status.controls.clone_from(&violation.controls);
    endpoint_name.clone_into(&mut status.endpoint_name);
    if status.phase == Phase::Repairing {
        return status;
    }
    status.managed_by = managed_by.map(str::to_owned);
    status.scope = violation.scope;
    status.stages.clone_from(&violation.stages);
    status.finding.clone_from(&violation.finding);
    (status.observed, status.desired) = shown(&violation.observed, &violation.desired);
    status.difference = cut(&violation.difference);
    match &violation.remedy {
        Remedy::Plan(found) => {
            status.plan = found.calls(&endpoint.id);
            status.inverse.clone_from(&found.inverse);
            status.irreversible = found.irreversible.iter().map(ToString::to_string).collect();
            status.disruptions.clone_from(&found.disruptions);
        }
        Remedy::None { .. } => {
            status.plan.clear();
            status.inverse.clear();
            status.irreversible.clear();
            status.disruptions.clear();
        }
    }
    // What a deployment would publish besides is known from the last look at AWS, until the next one.
    if deploys(violation) {
        status.deploys_with = deploys_with;
    } else {
        status.deploys_with.clear();
        status.pending_edits.clear();
    }
    status.commands = command::commands(&status.plan, &endpoint.region);
    status.plan_digest = plan::decided(&status.plan, &status.pending_edits, &status.deploys_with);
    cut_plan(&mut status);
    status
}

/// What a Drift shows of what was observed and is desired.
fn shown(observed: &Value, desired: &Value) -> (Option<Excerpt>, Option<Excerpt>) {
    (Some(excerpt(observed)), (!desired.is_null()).then(|| excerpt(desired)))
}

/// Whether a Drift shows these values, and not those of before its repair began.
pub fn shows(status: &DriftStatus, observed: &Value, desired: &Value) -> bool {
    let (observed, desired) = shown(observed, desired);
    status.observed == observed && status.desired == desired
}

/// Whether the repair of a violation deploys.
pub fn deploys(violation: &Violation) -> bool {
    matches!(&violation.remedy, Remedy::Plan(plan) if !plan.deploy.is_empty())
}

/// What a person said to the plan as it stands. `guarded`: whether Kubernetes checks who says it.
pub fn answer(approval: Option<&Approval>, status: &DriftStatus, guarded: bool) -> Answer {
    let Some(Approval {
        decision,
        plan_digest,
        reason,
        by,
    }) = approval
    else {
        return Answer::None;
    };
    let answer = match decision {
        Decision::Approve => Answer::Approved { by: by.clone() },
        Decision::Reject => Answer::Rejected {
            by: by.clone(),
            reason: reason.clone(),
        },
        Decision::Revert => return Answer::None,
    };
    if !guarded {
        return Answer::Void(
            "an approval is not taken while the chart's ValidatingAdmissionPolicy is not in place".into(),
        );
    }
    // A repair under way rests on the plan that it began with.
    if *plan_digest != status.plan_digest && status.phase != Phase::Repairing {
        return Answer::Void(format!("the plan has changed since {by} decided about it"));
    }
    answer
}

/// Brings phase, reason and `Authorized` in step with the gate's answer.
pub fn stand_at(status: &mut DriftStatus, gate: &Gate, now: Timestamp) {
    if status.phase == Phase::Repairing {
        // It stays what it is, and says who stopped it.
        if let Gate::Wait(wait) = gate {
            stand(status, Phase::Repairing, Some(wait.reason), &wait.message);
        }
        return;
    }
    let trouble = matches!(status.reason, Some(Reason::RecordFailed | Reason::NotifyFailed));
    let (phase, reason, message) = match gate {
        Gate::Open => {
            // What only a look at AWS can tell stays until the next look.
            let waits = status.phase == Phase::Waiting && status.reason.is_some_and(looked);
            if !(waits || trouble || status.phase == Phase::Failed) {
                stand(status, Phase::Detected, None, "");
            }
            return;
        }
        Gate::Audit(reason, message) => (Phase::Detected, *reason, message),
        Gate::Wait(wait) => (Phase::Waiting, wait.reason, &wait.message),
    };
    if !trouble {
        stand(status, phase, Some(reason), message);
    }
    let closed = Said::new("Authorized", false, reason, message.clone());
    condition::set(&mut status.conditions, closed, None, now);
}

/// Reasons that only a fresh look at AWS gives.
pub fn looked(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RedeployPending
            | Reason::RedeployUncertain
            | Reason::Canary
            | Reason::LimitReached
            | Reason::Overtaken
            | Reason::Throttled
            | Reason::Unavailable
    )
}

/// Sets phase, reason and message together.
pub fn stand(status: &mut DriftStatus, phase: Phase, reason: Option<Reason>, message: &str) {
    status.phase = phase;
    status.reason = reason;
    status.message = message.chars().take(2048).collect();
}

/// Ends an episode.
pub fn resolve(status: &mut DriftStatus, how: Resolution, proof: Option<String>, now: Timestamp) {
    let message = match how {
        Resolution::Repaired => "the desired state is live again",
        Resolution::FixedElsewhere => "the rule holds again without Plumbline's hand",
        Resolution::Exempted => "an exception applies",
        Resolution::PolicyDeleted => "the policy or its rule is gone",
        Resolution::AccountRemoved => "the account is gone or its grant was withdrawn",
        Resolution::Gone => "the resource is gone",
        Resolution::Reverted => "the repair is taken back",
    };
    if how == Resolution::Repaired {
        let said = |type_| {
            Said::new(
                type_,
                true,
                if type_ == "Verified" {
                    Reason::Verified
                } else {
                    Reason::Repaired
                },
                "",
            )
        };
        condition::set(&mut status.conditions, said("Repaired"), None, now);
        let verified = Said {
            message: proof.clone().unwrap_or_default(),
            ..said("Verified")
        };
        condition::set(&mut status.conditions, verified, None, now);
        status.proof = proof;
    }
    stand(status, Phase::Resolved, Some(how.reason()), message);
    status.resolution = Some(how);
    status.resolved_at = Some(Time(now));
    status.next_attempt_at = None;
}

const LARGEST_VALUE: usize = 16 * 1024;
const LARGEST_PLAN: usize = 64 * 1024;

/// Differences whose values are too large are shown without them: the whole is in the audit record.
fn cut(changes: &[crate::api::drift::Change]) -> Vec<crate::api::drift::Change> {
    let small = |value: &Option<Value>| {
        value.as_ref().map(|v| {
            if v.to_string().len() <= LARGEST_VALUE {
                v.clone()
            } else {
                excerpt(v).value
            }
        })
    };
    let shown = |c: &crate::api::drift::Change| crate::api::drift::Change {
        path: c.path.clone(),
        from: small(&c.from),
        to: small(&c.to),
    };
    changes.iter().take(32).map(shown).collect()
}

/// A plan with huge values keeps its digest; the values are cut in what is shown. An inverse that is cut is none any more, and
/// what it would have taken back stays.
fn cut_plan(status: &mut DriftStatus) {
    cut_calls(&mut status.plan);
    let cut = cut_calls(&mut status.inverse);
    status.irreversible.extend(cut);
}

/// Cuts huge values; gives the paths at which that was done.
fn cut_calls(calls: &mut [Call]) -> Vec<String> {
    let size: usize = serde_json::to_string(calls).map_or(0, |text| text.len());
    let mut cut = Vec::new();
    if size <= LARGEST_PLAN {
        return cut;
    }
    for operation in calls.iter_mut().flat_map(|c| &mut c.patch_operations) {
        if let Some(value) = &mut operation.value
            && value.len() > 1024
        {
            let head: String = value.chars().take(1024).collect();
            *value = format!("{head}… ({} bytes)", value.len());
            cut.push(operation.path.clone());
        }
    }
    cut
}

/// Whether everything that must come before a repair is done: recorded where the account says, and told.
pub fn told(status: &DriftStatus, audit: bool) -> bool {
    let is = |type_| condition::is_true(&status.conditions, type_);
    (!audit || is("Recorded")) && is("Notified")
}

/// A Drift is recorded and told within moments of being found.
const MOMENTS: SignedDuration = SignedDuration::from_secs(10);

/// Whether the Drift was just found and will be told in a moment.
pub fn soon_told(status: &DriftStatus, audit: bool, now: Timestamp) -> bool {
    let found = status.detected_at.as_ref().map_or(now, |at| at.0);
    let trouble = matches!(status.reason, Some(Reason::RecordFailed | Reason::NotifyFailed));
    !told(status, audit) && !trouble && now.duration_since(found) < MOMENTS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::drift::PatchOperation;

    #[test]
    fn an_inverse_that_is_too_large_to_keep_is_never_offered() {
        let call = |value: String| Call {
            operation: "UpdateIntegration".into(),
            parameters: BTreeMap::new(),
            patch_operations: vec![PatchOperation {
                op: "replace".into(),
                path: "/requestTemplates/application~1json".into(),
                value: Some(value),
            }],
        };
        for (length, irreversible, why) in [
            (1000, vec![], "it is kept whole"),
            (
                100_000,
                vec!["/requestTemplates/application~1json".to_owned()],
                "what is cut must not be written to AWS",
            ),
        ] {
            let mut status = DriftStatus {
                inverse: vec![call("x".repeat(length))],
                ..DriftStatus::default()
            };
            cut_plan(&mut status);
            assert_eq!(status.irreversible, irreversible, "{why}");
        }
    }

    #[test]
    fn during_a_repair_a_drift_shows_what_was_found_before() {
        let long = |mark: &str| json!({"policy": mark.repeat(20_000)});
        let mut status = DriftStatus::default();
        (status.observed, status.desired) = shown(&long("a"), &Value::Null);
        for (observed, desired, wanted, why) in [
            (long("a"), Value::Null, true, "as it was judged"),
            (long("b"), Value::Null, false, "half repaired"),
            (long("a"), long("c"), false, "another is wanted now"),
        ] {
            assert_eq!(shows(&status, &observed, &desired), wanted, "{why}");
        }
    }
}
