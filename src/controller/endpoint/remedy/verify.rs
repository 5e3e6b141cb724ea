//! A repair is believed only after a new read shows it. What callers meet can follow a few seconds after AWS has taken a
//! repair: it is read again until a deadline.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::part::is_planned;
use super::{LOOK_AGAIN, Next, OTHERWISE, Round, proof};
use crate::api::Reason;
use crate::api::condition;
use crate::api::drift::{Drift, Phase, Resolution};
use crate::aws::apigateway::Client;
use crate::aws::budget::Priority;
use crate::controller::endpoint::Kept;
use crate::controller::endpoint::case::Case;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::inventory::{Hand, sweep};
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::{Outcome, Violation};
use crate::repair::gate::Gate;

/// A repair that no read shows by then has failed.
const WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// The first read after the one that did not show it.
const SOONEST: Duration = Duration::from_secs(2);

/// What follows from a read that does not show a repair.
#[derive(Debug, PartialEq)]
enum Unshown {
    /// It is read again after this.
    NotYet(Duration),
    /// It had its time.
    Failed,
}

fn unshown(repaired: Timestamp, now: Timestamp) -> Unshown {
    let since = now.duration_since(repaired);
    if since >= WITHIN {
        return Unshown::Failed;
    }
    // Each pause is as long as all before it; a clock that was set back makes none negative.
    let pause = Duration::try_from(since).unwrap_or_default();
    Unshown::NotYet(pause.clamp(SOONEST, LOOK_AGAIN))
}

/// When AWS had taken the whole repair of a Drift, if that does not show yet.
fn repaired_at(drift: &Drift) -> Option<Timestamp> {
    let status = drift.status.as_ref().filter(|s| s.phase == Phase::Repairing)?;
    let repaired = condition::find(&status.conditions, "Repaired")?;
    (repaired.status == "True").then_some(repaired.last_transition_time.0)
}

/// Whether a repair was made and is waited for to show.
pub(super) fn awaited(kept: &Kept) -> bool {
    kept.asked.gate == Gate::Open && repaired_at(&kept.drift).is_some()
}

impl Round<'_> {
    /// Reads what was repaired again.
    pub(super) async fn read_back(&self, repaired: Vec<&Kept>) -> Result<Next, Failure> {
        if repaired.is_empty() {
            return Ok(None);
        }
        let _desk = self.ctx.desk(&self.endpoint.name_any()).await;
        let session = self.ctx.sessions.of(&self.account.spec);
        let reader = session.observer(&self.endpoint.spec.region).at(Priority::Repair);
        let drifts: Vec<Drift> = repaired.into_iter().map(|kept| kept.drift.clone()).collect();
        let id = EndpointId::from(&self.endpoint.spec);
        self.verify(&reader, &id, &drifts).await
    }

    /// Resolves what a new read shows to be repaired.
    pub(super) async fn verify(&self, reader: &Client, id: &EndpointId, drifts: &[Drift]) -> Result<Next, Failure> {
        let depth = self.ctx.depth();
        let begun = Instant::now();
        let snapshot = match sweep::again(reader, id, depth, &self.ctx.exports).await {
            Ok(snapshot) => snapshot,
            Err(error) => return self.failed(drifts, &error).await,
        };
        let name = self.endpoint.name_any();
        let inventory = &self.ctx.inventory;
        inventory.keep(&name, &snapshot, depth, Hand::Own, begun, self.ctx.now());
        let judgement = Case::new(self.ctx, self.account, self.endpoint).judge(&snapshot);
        let mut next: Next = None;
        for drift in drifts {
            let identity = episode::Identity::of_drift(&drift.spec);
            let of = |v: &&crate::judge::Verdict| episode::Identity::of_verdict(v) == identity;
            let outcome = judgement.verdicts.iter().find(of).map(|v| &v.outcome);
            let now = self.ctx.now();
            let pause = match outcome {
                Some(Outcome::Compliant) => {
                    let mut after = drift.clone();
                    let proof = Some(proof(drift));
                    episode::resolve(after.status.get_or_insert_default(), Resolution::Repaired, proof, now);
                    status::write(self.ctx, drift, &after).await?;
                    continue;
                }
                Some(Outcome::Violated(violation)) => self.unshown(drift, violation, now).await?,
                // It cannot be told, or nothing judges it any more: the next look at the endpoint says more.
                _ => LOOK_AGAIN,
            };
            next = next.into_iter().chain([pause]).min();
        }
        self.ctx.wake.endpoint(&name); // its status still tells of before
        Ok(next)
    }

    /// Says what follows from a read that does not show a repair; gives when to look again.
    async fn unshown(&self, drift: &Drift, violation: &Violation, now: Timestamp) -> Result<Duration, Failure> {
        if !is_planned(drift, violation, &self.endpoint.spec.id) {
            let after = Duration::from_secs(1);
            self.stand(drift, Phase::Waiting, Reason::Overtaken, OTHERWISE, Some(after))
                .await?;
            return Ok(after);
        }
        match unshown(repaired_at(drift).unwrap_or(now), now) {
            Unshown::NotYet(pause) => {
                let why = "repaired; a new read does not show it yet: reading it back again";
                self.stand(drift, Phase::Repairing, Reason::Verifying, why, Some(pause))
                    .await?;
                Ok(pause)
            }
            Unshown::Failed => {
                let seconds = WITHIN.as_secs();
                let why = format!("the repair was made, and {seconds} seconds later a new read still shows the drift");
                self.stand(drift, Phase::Failed, Reason::RepairFailed, &why, Some(LOOK_AGAIN))
                    .await?;
                Ok(LOOK_AGAIN)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_has_time_to_show() {
        let repaired: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let again = |seconds| Unshown::NotYet(Duration::from_secs(seconds));
        for (seconds, wanted, why) in [
            (-60, again(2), "the clock was set back"),
            (
                0,
                again(2),
                "read in the moment in which it was made: what callers meet follows",
            ),
            (1, again(2), "not at once again"),
            (9, again(9), "each pause is as long as all before it"),
            (90, again(30), "but none is longer than a Drift waits for anything"),
            (119, again(30), "the last read may be a little late"),
            (120, Unshown::Failed, "it had its time"),
            (
                7200,
                Unshown::Failed,
                "nobody looked meanwhile, and it does not show now",
            ),
        ] {
            let now = repaired + SignedDuration::from_secs(seconds);
            assert_eq!(unshown(repaired, now), wanted, "{why}");
        }
    }
}
