//! Taking a repair back, because a person says so: an episode of its own, under the same gate as a repair.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::case::{Case, Counts};
use super::episode;
use super::remedy::begin;
use crate::api::condition::{self, Said};
use crate::api::drift::{Approval, Change, Decision, Drift, DriftSpec, DriftStatus, Phase, Resolution, Scope};
use crate::api::policy::{Enforcement, Redeploy};
use crate::api::{AwsEndpoint, EndpointPolicy, Reason, Status};
use crate::aws::apigateway::command;
use crate::aws::budget::Priority;
use crate::controller::context::Context;
use crate::controller::kubernetes::{names, status};
use crate::controller::outcome::Failure;
use crate::inventory::{Hand, sweep};
use crate::judge::compile::Policy;
use crate::judge::plan;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::{Plan, Remedy, Violation};
use crate::repair::contest;
use crate::repair::gate::{Answer, Gate, Wait};
use crate::repair::revert::{self, Made, Stands};
use crate::repair::transaction::End;

/// Looked at again this often while it waits for nothing that wakes it.
const AGAIN: Duration = Duration::from_secs(10);

/// One endpoint's reverts.
pub struct Reverts<'a> {
    /// What every reconciler has at hand.
    pub ctx: &'a Arc<Context>,
    /// The endpoint's case.
    pub case: &'a Case<'a>,
    /// The endpoint, as last written.
    pub endpoint: &'a AwsEndpoint,
    /// Every Drift of the endpoint.
    pub drifts: &'a [Arc<Drift>],
}

/// The person's word on a repair that is over.
fn asked(drift: &Drift) -> Option<&Approval> {
    let status = drift.status.as_ref()?;
    let approval = drift.spec.approval.as_ref()?;
    (approval.decision == Decision::Revert
        && status.resolution == Some(Resolution::Repaired)
        && !status.inverse_digest.is_empty()
        && approval.plan_digest == status.inverse_digest)
        .then_some(approval)
}

/// Whether people asked for repairs to be taken back, which has not come to its end.
pub fn is_asked(drifts: &[Arc<Drift>]) -> bool {
    pending(drifts).next().is_some()
}

/// The repairs that are to be taken back, each with the episode of that, if it has begun.
fn pending(drifts: &[Arc<Drift>]) -> impl Iterator<Item = (&Arc<Drift>, Option<Arc<Drift>>)> {
    let asked = drifts.iter().filter(|drift| asked(drift).is_some());
    let episodes = asked.map(|original| {
        let of = |d: &&Arc<Drift>| d.spec.reverts.is_some() && d.spec.reverts == original.uid();
        (original, drifts.iter().find(of).cloned())
    });
    episodes.filter(|(_, episode)| episode.as_ref().is_none_or(|e| episode::is_open(e)))
}

impl Reverts<'_> {
    /// Opens and carries out what people asked for. Gives when to look again.
    pub async fn run(&self) -> Result<Option<Duration>, Failure> {
        let mut again = None;
        for (original, episode) in pending(self.drifts) {
            if !self.ctx.guard.stands(&self.ctx.client).await {
                continue;
            }
            let episode = match episode {
                Some(episode) => episode,
                None => Arc::new(self.open(original).await?),
            };
            self.go_on(original, &episode).await?;
            again = Some(AGAIN);
        }
        Ok(again)
    }

    /// The Drift of the revert, with the inverse as its plan.
    async fn open(&self, original: &Drift) -> Result<Drift, Failure> {
        let spec = DriftSpec {
            previous: None,
            reverts: original.uid(),
            approval: None,
            ..original.spec.clone()
        };
        let mut drift = Drift::new(&names::drift(&spec), spec);
        drift.metadata.namespace = original.namespace();
        // One that stands already comes by the watch: then this is asked again, and finds it.
        let created = status::create(self.ctx, &drift).await?;
        let mut after = created.clone();
        after.status = Some(self.described(original));
        Ok(status::write(self.ctx, &created, &after).await?.unwrap_or(after))
    }

    fn described(&self, original: &Drift) -> DriftStatus {
        let made = original.status.clone().unwrap_or_default();
        let (by, why) = asked(original).map_or((String::new(), String::new()), |a| (a.by.clone(), a.reason.clone()));
        let finding = match why.as_str() {
            "" => format!("{by} has the repair of {} taken back", original.name_any()),
            why => format!("{by} has the repair of {} taken back: {why}", original.name_any()),
        };
        let swapped = |c: &Change| Change {
            path: c.path.clone(),
            from: c.to.clone(),
            to: c.from.clone(),
        };
        DriftStatus {
            severity: made.severity,
            controls: made.controls,
            endpoint_name: made.endpoint_name,
            scope: Scope::Live,
            stages: made.stages,
            finding,
            observed: made.desired,
            desired: made.observed,
            difference: made.difference.iter().map(swapped).collect(),
            commands: command::commands(&made.inverse, &self.endpoint.spec.region),
            plan_digest: plan::digest(&made.inverse),
            plan: made.inverse,
            detected_at: Some(Time(self.ctx.now())),
            managed_by: made.managed_by,
            ..DriftStatus::default()
        }
    }

    async fn go_on(&self, original: &Drift, drift: &Drift) -> Result<(), Failure> {
        let Some(policy) = self.policy(drift) else {
            return Ok(());
        };
        let audit = self.case.records();
        let status = drift.status.clone().unwrap_or_default();
        if status.detected_at.is_none() {
            // Killed between creating it and describing it.
            let mut after = drift.clone();
            after.status = Some(self.described(original));
            status::write(self.ctx, drift, &after).await?;
            return Ok(());
        }
        let rests = status.next_attempt_at.as_ref().is_some_and(|at| at.0 > self.ctx.now());
        if !episode::told(&status, audit) || rests && !begin::has_room(self.ctx, drift, &policy.limits) {
            return Ok(());
        }
        match self.gate(original, drift, &policy) {
            Gate::Open => self.carry_out(original, drift, &policy).await,
            gate => self.hold(drift, &gate, None).await,
        }
    }

    async fn hold(&self, drift: &Drift, gate: &Gate, until: Option<Timestamp>) -> Result<(), Failure> {
        let mut after = drift.clone();
        let status = after.status.get_or_insert_default();
        episode::stand_at(status, gate, self.ctx.now());
        status.next_attempt_at = until.map(Time);
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }

    /// Counts it against its policy's limits before it begins; or says what it waits for.
    async fn admit(&self, drift: &Drift, policy: &Policy) -> Result<Option<Wait>, Failure> {
        let of = |p: &EndpointPolicy| p.uid().as_deref() == Some(policy.id.uid.as_str());
        let Some(standing) = self.ctx.stores.policies.find(of) else {
            return Ok(None); // deleted this moment: the gate is closed by that
        };
        let admissions = &self.ctx.admissions;
        admissions.admit(self.ctx, &standing, drift, &policy.limits).await
    }

    fn policy(&self, drift: &Drift) -> Option<Arc<Policy>> {
        let of = |(policy, _): &&(Arc<Policy>, Enforcement)| policy.id.uid == drift.spec.policy_uid;
        self.case.policies.iter().find(of).map(|(policy, _)| policy.clone())
    }

    /// The same gate that a repair passes, with the person's yes.
    fn gate(&self, original: &Drift, drift: &Drift, policy: &Arc<Policy>) -> Gate {
        let granted = self
            .case
            .policies
            .iter()
            .find(|(p, _)| p.id == policy.id)
            .map_or(Enforcement::Audit, |(_, granted)| *granted);
        let status = drift.status.clone().unwrap_or_default();
        let violation = Violation {
            scope: Scope::Live,
            live_unknown: None,
            stages: status.stages,
            severity: status.severity,
            controls: vec![],
            finding: String::new(),
            observed: serde_json::Value::Null,
            desired: serde_json::Value::Null,
            difference: vec![],
            remedy: Remedy::Plan(Plan {
                patches: status.plan,
                deploy: vec![],
                inverse: vec![],
                irreversible: vec![],
                disruptions: vec![],
                paths: vec![],
                overlay: serde_json::Value::Null,
            }),
            allowed: granted,
            asked: Enforcement::Approve,
            granted,
            redeploy: Redeploy::WhenClean,
            drafts: false,
            allow_disruption: true,
            priority: 0,
        };
        let by = asked(original).map(|a| a.by.clone()).unwrap_or_default();
        let answer = Answer::Approved { by };
        self.case.decide(policy, &violation, drift, &answer, None)
    }

    async fn carry_out(&self, original: &Drift, drift: &Drift, policy: &Policy) -> Result<(), Failure> {
        let region = &self.endpoint.spec.region;
        let session = self.case.session();
        let reader = session.observer(region).at(Priority::Repair);
        let writer = session.repairer(region).at(Priority::Repair);
        let made = original.status.clone().unwrap_or_default();
        let made = Made {
            target: original.spec.target,
            resource: &original.spec.resource,
            difference: &made.difference,
            patched: made.inverse.iter().any(revert::patches),
            intent: made.intent.as_ref(),
        };
        let id = EndpointId::from(&self.endpoint.spec);
        let depth = self.ctx.depth();
        let snapshot = match sweep::again(&reader, &id, depth, &self.ctx.exports).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                return self
                    .fail(drift, Phase::Waiting, Reason::Unavailable, &error.to_string())
                    .await;
            }
        };
        match made.stands(&snapshot) {
            Stands::TakenBack => return self.resolve(drift).await,
            Stands::Changed(why) => {
                let why = format!("{why}: nothing is taken back; take it back by hand, then delete this Drift");
                return self.fail(drift, Phase::Failed, Reason::Overtaken, &why).await;
            }
            Stands::Repaired => {}
        }
        if let Some(wait) = self.admit(drift, policy).await? {
            let until = wait.until.unwrap_or(self.ctx.now() + AGAIN);
            return self.hold(drift, &Gate::Wait(wait), Some(until)).await;
        }
        self.forswear(original).await?;
        let drift = self.begin(drift).await?;
        let calls = drift.status.as_ref().map(|s| s.plan.clone()).unwrap_or_default();
        let ours = made.intent.and_then(|i| i.deployment_id.as_deref());
        match revert::run(&reader, &writer, &calls, ours).await {
            End::Applied { .. } => {}
            End::Overtaken(why) | End::Collided(why) => {
                return self.fail(&drift, Phase::Failed, Reason::Overtaken, &why).await;
            }
            End::Failed(error) => {
                return self
                    .fail(&drift, Phase::Repairing, Reason::Unavailable, &error.to_string())
                    .await;
            }
            End::NotPersisted => return Ok(()),
        }
        let begun = Instant::now();
        match sweep::again(&reader, &id, depth, &self.ctx.exports).await {
            Ok(snapshot) => {
                let back = made.stands(&snapshot) == Stands::TakenBack;
                let name = self.endpoint.name_any();
                self.ctx
                    .inventory
                    .keep(&name, &snapshot, depth, Hand::Own, begun, self.ctx.now());
                self.ctx.wake.endpoint(&name);
                if back { self.resolve(&drift).await } else { Ok(()) }
            }
            Err(error) => {
                self.fail(&drift, Phase::Repairing, Reason::Verifying, &error.to_string())
                    .await
            }
        }
    }

    /// Before the first call: the policy must not put it back the moment after.
    async fn forswear(&self, original: &Drift) -> Result<(), Failure> {
        let mut after = self.endpoint.clone();
        let counts: &mut Counts = &mut after.status.get_or_insert_default().put_back;
        let difference = original
            .status
            .as_ref()
            .map(|s| s.difference.as_slice())
            .unwrap_or_default();
        let (target, resource) = (original.spec.target.as_str(), &original.spec.resource);
        let things: Vec<String> = difference
            .iter()
            .map(|c| format!("{target}|{resource}|{}", c.path))
            .collect();
        let marked = |thing: &String| counts.get(thing).is_some_and(|c| c.reason == Some(Reason::Reverted));
        if !things.iter().all(marked) {
            contest::reverted(counts, &things, self.ctx.now());
        }
        status::write(self.ctx, self.endpoint, &after).await?;
        Ok(())
    }

    async fn begin(&self, drift: &Drift) -> Result<Drift, Failure> {
        let mut after = drift.clone();
        let now = self.ctx.now();
        let status = after.status.get_or_insert_default();
        status.attempts += 1;
        status.next_attempt_at = None;
        episode::stand(
            status,
            Phase::Repairing,
            Some(Reason::Repairing),
            "the repair is being taken back",
        );
        let open = Said::new("Authorized", true, Reason::Authorized, "");
        condition::set(&mut status.conditions, open, None, now);
        Ok(status::write(self.ctx, drift, &after).await?.unwrap_or(after))
    }

    async fn fail(&self, drift: &Drift, phase: Phase, reason: Reason, why: &str) -> Result<(), Failure> {
        let mut after = drift.clone();
        let now = self.ctx.now();
        let status = after.status.get_or_insert_default();
        episode::stand(status, phase, Some(reason), why);
        let said = Said::new(
            "Repaired",
            if phase == Phase::Failed {
                Status::False
            } else {
                Status::Unknown
            },
            reason,
            why,
        );
        condition::set(&mut status.conditions, said, None, now);
        let pause = if phase == Phase::Failed {
            Duration::from_mins(10)
        } else {
            AGAIN
        };
        status.next_attempt_at = now.checked_add(pause).ok().map(Time);
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }

    async fn resolve(&self, drift: &Drift) -> Result<(), Failure> {
        let mut after = drift.clone();
        episode::resolve(
            after.status.get_or_insert_default(),
            Resolution::Reverted,
            None,
            self.ctx.now(),
        );
        status::write(self.ctx, drift, &after).await?;
        Ok(())
    }
}
