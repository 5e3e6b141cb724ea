//! The part that a Drift has in a repair: what AWS needs now, if that is what was planned.

use kube::ResourceExt;

use crate::api::drift::{Drift, DriftStatus, Phase};
use crate::controller::endpoint::Kept;
use crate::controller::endpoint::episode;
use crate::judge::plan;
use crate::judge::verdict::{Outcome, Remedy, Verdict, Violation};
use crate::repair::gate::Answer;
use crate::repair::transaction::Part;

pub(super) fn has_part(parts: &[Part], drift: &Drift) -> bool {
    parts.iter().any(|part| Some(&part.uid) == drift.uid().as_ref())
}

/// What a deployment would publish besides, as the Drift shows it to whoever is asked.
pub(super) fn publishes(status: &mut DriftStatus, edits: Vec<String>, rest_api: &str, violation: &Violation) {
    let Remedy::Plan(found) = &violation.remedy else { return };
    status.pending_edits = edits;
    status.plan_digest = plan::decided(&found.calls(rest_api), &status.pending_edits, &status.deploys_with);
}

/// The part that a Drift has in a repair, if the plan that AWS needs now is the one that is persisted.
pub(super) fn part(kept: &Kept, verdicts: &[Verdict], rest_api: &str) -> Option<Part> {
    let drift = &kept.drift;
    let identity = episode::Identity::of_drift(&drift.spec);
    let verdict = verdicts.iter().find(|v| episode::Identity::of_verdict(v) == identity)?;
    let Outcome::Violated(violation) = &verdict.outcome else {
        return None;
    };
    let Remedy::Plan(found) = &violation.remedy else {
        return None;
    };
    let status = drift.status.as_ref()?;
    let approved = matches!(kept.asked.answer, Answer::Approved { .. });
    is_planned(drift, violation, rest_api).then(|| Part {
        uid: drift.uid().unwrap_or_default(),
        target: verdict.target,
        resource: verdict.resource.clone(),
        plan: found.clone(),
        redeploy: violation.redeploy,
        approved_edits: approved.then(|| status.pending_edits.clone()),
        intent: status.intent.clone(),
    })
}

/// Whether the plan that AWS needs now is the one that is persisted.
pub(super) fn is_planned(drift: &Drift, violation: &Violation, rest_api: &str) -> bool {
    let (Some(status), Remedy::Plan(found)) = (&drift.status, &violation.remedy) else {
        return false;
    };
    let calls = found.calls(rest_api);
    let same = plan::decided(&calls, &status.pending_edits, &status.deploys_with) == status.plan_digest;
    // An interrupted repair may have made a part of its calls already: less than what is persisted may be done.
    same || status.phase == Phase::Repairing && plan::within(&calls, &status.plan)
}
