//! The beginning of repairs: counted against limits and contests, then said, before AWS is written.

use kube::ResourceExt;

use super::admission;
use super::part::publishes;
use super::{LOOK_AGAIN, Round};
use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, FINALIZER, Phase};
use crate::api::{EndpointPolicy, Reason, Status};
use crate::controller::context::Context;
use crate::controller::endpoint::Kept;
use crate::controller::endpoint::case;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::judge::compile::Limits;
use crate::repair::contest;
use crate::repair::gate::Answer;

/// Whether a Drift that waits for room in its policy's limits has some: they may have been raised.
pub fn has_room(ctx: &Context, drift: &Drift, limits: &Limits) -> bool {
    let waits = drift
        .status
        .as_ref()
        .is_some_and(|s| s.reason == Some(Reason::LimitReached));
    let of = |p: &EndpointPolicy| p.uid().as_deref() == Some(drift.spec.policy_uid.as_str());
    let policy = ctx.stores.policies.find(of).filter(|_| waits);
    let uid = drift.uid().unwrap_or_default();
    policy.is_some_and(|policy| admission::ask(ctx, &policy, &uid, &drift.spec.endpoint, limits).is_ok())
}

impl Round<'_> {
    /// Counts the repairs against their policies' limits before they begin; true if one must wait, which its Drift then says.
    pub(super) async fn beyond_limits(&self, ready: &[&Kept]) -> Result<bool, Failure> {
        let mut beyond = false;
        for kept in ready {
            let uid = kept.drift.spec.policy_uid.as_str();
            let of = |p: &EndpointPolicy| p.uid().as_deref() == Some(uid);
            let Some(policy) = self.ctx.stores.policies.find(of) else {
                continue; // deleted this moment: the Drift ends by that
            };
            let admissions = &self.ctx.admissions;
            let wait = admissions
                .admit(self.ctx, &policy, &kept.drift, &kept.policy.limits)
                .await?;
            if let Some(wait) = wait {
                beyond = true;
                let again = wait.until.unwrap_or(self.ctx.now() + LOOK_AGAIN);
                self.wait(&kept.drift, wait.reason, &wait.message, again).await?;
            }
        }
        Ok(beyond)
    }

    /// Counts what is about to be put back, before it is.
    pub(super) async fn count(&self, ready: &[&Kept], expected: Option<String>) -> Result<(), Failure> {
        let mut after = self.endpoint.clone();
        let status = after.status.get_or_insert_default();
        if let Some(baseline) = &mut status.baseline {
            baseline.repairing = expected;
        }
        let counts = &mut status.put_back;
        for kept in ready {
            let things = case::things(&kept.drift.spec, &kept.violation);
            let uid = kept.drift.uid().unwrap_or_default();
            let approved = matches!(kept.asked.answer, Answer::Approved { .. });
            // A repair that goes on after an interruption was counted when it began.
            if !episode::is_repairing(&kept.drift) {
                contest::begin(counts, &things, &uid, approved, self.ctx.now());
            }
        }
        status::write(self.ctx, self.endpoint, &after).await?;
        Ok(())
    }

    /// The Drift says that AWS is about to be written, before it is.
    pub(super) async fn begin(&self, kept: &Kept) -> Result<Drift, Failure> {
        let mut drift = kept.drift.clone();
        if !drift.is_held() {
            let mut finalizers = drift.finalizers().to_vec();
            finalizers.push(FINALIZER.into());
            drift = status::finalize(self.ctx, &drift, &finalizers).await?;
        }
        let mut after = drift.clone();
        let now = self.ctx.now();
        let status = after.status.get_or_insert_default();
        status.attempts += 1;
        status.next_attempt_at = None;
        let approved = matches!(kept.asked.answer, Answer::Approved { .. });
        if !approved && !episode::is_repairing(&kept.drift) {
            // The look before this found none: what an earlier look found is published by now, or gone.
            publishes(status, vec![], &self.endpoint.spec.id, &kept.violation);
        }
        episode::stand(
            status,
            Phase::Repairing,
            Some(Reason::Repairing),
            "the repair is under way",
        );
        let why = match &kept.asked.answer {
            Answer::Approved { by } => format!("approved by {by}"),
            _ => "enforcement is Enforce".to_owned(),
        };
        let open = Said::new("Authorized", true, Reason::Authorized, why);
        condition::set(&mut status.conditions, open, None, now);
        let under_way = Said::new("Repaired", Status::Unknown, Reason::Repairing, "");
        condition::set(&mut status.conditions, under_way, None, now);
        Ok(status::write(self.ctx, &drift, &after).await?.unwrap_or(after))
    }
}
