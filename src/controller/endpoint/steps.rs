//! What a judgement means to the endpoint's Drifts: opened, described, closed. One at a time, each as Kubernetes takes it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::case::{Asked, Case, Counts};
use super::episode::{self, Seen, Step};
use super::remedy;
use crate::api::drift::{Drift, DriftSpec, Resolution};
use crate::api::policy::Enforcement;
use crate::api::{AwsAccount, Reason};
use crate::controller::context::Context;
use crate::controller::farewell;
use crate::controller::kubernetes::{names, status};
use crate::controller::outcome::Failure;
use crate::controller::stream::actors;
use crate::judge::compile::Policy;
use crate::judge::verdict::{Outcome, Violation};
use crate::judge::{self, Snapshot, Verdict};
use crate::record::entry::{Whole, whole_needed};

/// Whether Kubernetes checks who approves: asked only where somebody did.
pub(super) async fn guarded(ctx: &Context, steps: &[Step<'_>]) -> bool {
    let approved = |step: &Step<'_>| matches!(step, Step::Keep { drift, .. } if drift.spec.approval.is_some());
    steps.iter().any(approved) && ctx.guard.stands(&ctx.client).await
}

/// An open Drift with what judge and gate say of it now.
pub struct Kept {
    /// As it stands in Kubernetes.
    pub drift: Drift,
    /// What the judge says.
    pub violation: Violation,
    /// Its policy, compiled.
    pub policy: Arc<Policy>,
    /// What the gate and a person say.
    pub asked: Asked,
}

/// What the steps are written with.
pub(super) struct Writing<'a> {
    pub ctx: &'a Arc<Context>,
    pub account: &'a Arc<AwsAccount>,
    pub case: &'a Case<'a>,
    pub snapshot: &'a Snapshot,
    /// Names of the Drifts whose repairs deploy: one deployment publishes them all.
    pub deploying: Vec<String>,
    /// Whether Kubernetes checks who approves.
    pub guarded: bool,
}

/// What writing the steps came to.
#[derive(Default)]
pub(super) struct Written {
    /// The Drifts that are open now.
    pub kept: Vec<Kept>,
    /// Those that are to end in the middle of their repair, and how: AWS is asked for that.
    pub ending: Vec<(Drift, Resolution)>,
    /// When to look again.
    pub again: Option<Duration>,
}

/// Writes them.
pub(super) async fn write(
    writing: &Writing<'_>,
    steps: Vec<Step<'_>>,
    put_back: &mut Counts,
) -> Result<Written, Failure> {
    let mut written = Written::default();
    for step in steps {
        match step {
            Step::Open { verdict, spec } => {
                if let Some(drift) = open(writing, verdict, spec).await? {
                    written.keep(describe(writing, verdict, drift, put_back).await?);
                }
            }
            Step::Keep { verdict, drift } => {
                written.keep(describe(writing, verdict, drift.clone(), put_back).await?);
            }
            Step::Resolve { drift, how } if farewell::cuts_short(drift, how) => {
                written.ending.push((drift.clone(), how));
            }
            Step::Resolve { drift, how } => {
                let proof = (how == Resolution::Repaired).then(|| remedy::proof(drift));
                close(writing.ctx, drift, how, proof).await?;
            }
        }
    }
    Ok(written)
}

impl Written {
    fn keep(&mut self, described: Option<(Kept, Option<Duration>)>) {
        if let Some((one, next)) = described {
            self.kept.push(one);
            self.again = self.again.into_iter().chain(next).min();
        }
    }
}

/// Names of the Drifts that one deployment of the endpoint would publish the repairs of.
pub(super) fn deploying(steps: &[Step<'_>]) -> Vec<String> {
    let deploys = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Violated(violation) => violation.allowed > Enforcement::Audit && episode::deploys(violation),
        _ => false,
    };
    let mut names: Vec<String> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Open { verdict, spec } if deploys(verdict) => Some(names::drift(spec)),
            Step::Keep { verdict, drift } if deploys(verdict) => Some(drift.name_any()),
            _ => None,
        })
        .collect();
    names.sort();
    names
}

/// Creates the Drift of a new episode; one of the same name that is over makes way for the next one.
async fn open(writing: &Writing<'_>, verdict: &Verdict, spec: DriftSpec) -> Result<Option<Drift>, Failure> {
    let ctx = writing.ctx;
    let namespace = &verdict.policy.namespace;
    if ctx.foreign.has_drift(namespace, &spec) {
        return Ok(None); // it stands already, and only a newer version can read it
    }
    let mut spec = spec;
    for _ in 0..16 {
        let mut drift = Drift::new(&names::drift(&spec), spec.clone());
        drift.metadata.namespace = Some(namespace.clone());
        drift
            .labels_mut()
            .insert("plumbline.dev/policy".into(), label(&spec.policy));
        match status::create(ctx, &drift).await {
            Ok(created) => return Ok(Some(created)),
            Err(status::Error::Conflict) => {
                let reference = ObjectRef::new(&drift.name_any()).within(namespace);
                let Some(standing) = ctx.stores.drifts.get(&reference) else {
                    return Err(status::Error::Conflict.into()); // the watch has not brought it yet
                };
                if episode::is_open(&standing) {
                    return Ok(Some(Arc::unwrap_or_clone(standing)));
                }
                spec.previous = standing.uid();
            }
            Err(status::Error::Refused(why)) => {
                refused(ctx, writing.snapshot, namespace, &why).await;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn label(name: &str) -> String {
    if name.len() <= 63 {
        name.to_owned()
    } else {
        judge::plan::hex(name.as_bytes())[..32].to_owned()
    }
}

/// The same refusal is said again after this.
const REFD_AGAIN: SignedDuration = SignedDuration::from_mins(30);

/// A namespace that takes no Drift: said on the account, and nothing is repaired.
async fn refused(ctx: &Context, snapshot: &Snapshot, namespace: &str, why: &str) {
    let Some(account) = ctx.account_of(&snapshot.endpoint.account_id) else {
        return;
    };
    let now = ctx.now();
    {
        let mut refusals = ctx.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.name_any(), namespace.to_owned());
        let said = refusals.get(&key);
        if said.is_some_and(|(what, at)| what == why && now.duration_since(*at) < REFD_AGAIN) {
            return;
        }
        refusals.insert(key, (why.to_owned(), now));
    }
    tracing::warn!(namespace, why, "a Drift was refused");
    let note = format!("namespace {namespace} takes no Drift, so nothing is repaired for it: {why}");
    let warning = kube::runtime::events::EventType::Warning;
    ctx.event(account.as_ref(), warning, Reason::NamespaceRefuses, "Detect", &note)
        .await;
}

/// Brings the Drift's status in step with the violation and with what the gate says of its plan.
async fn describe(
    writing: &Writing<'_>,
    verdict: &Verdict,
    drift: Drift,
    put_back: &mut Counts,
) -> Result<Option<(Kept, Option<Duration>)>, Failure> {
    let Writing {
        ctx,
        account,
        case,
        snapshot,
        deploying,
        guarded,
    } = writing;
    let (Outcome::Violated(violation), Some(policy)) = (&verdict.outcome, case.policy_of(verdict)) else {
        return Ok(None);
    };
    let name = drift.name_any();
    let seen = Seen {
        violation,
        endpoint: &snapshot.endpoint,
        endpoint_name: &snapshot.name,
        managed_by: case.managed_by.as_deref(),
        deploys_with: deploying.iter().filter(|other| **other != name).cloned().collect(),
    };
    let now = ctx.now();
    let mut after = drift.clone();
    after.status = Some(episode::describe(drift.status.as_ref(), seen, now));
    keep_whole(ctx, &after, violation);
    let next = actors::name(ctx, account, snapshot, &mut after);
    let asked = case.gate(policy, violation, &after, put_back, *guarded);
    episode::stand_at(after.status.get_or_insert_default(), &asked.gate, now);
    let written = status::write(ctx, &drift, &after).await?;
    let kept = Kept {
        drift: written.unwrap_or(after),
        violation: (**violation).clone(),
        policy: policy.clone(),
        asked,
    };
    Ok(Some((kept, next)))
}

/// What a Drift shows cut is kept whole. During a repair it shows what was found before, and that stays kept.
fn keep_whole(ctx: &Context, drift: &Drift, violation: &Violation) {
    let (Some(uid), Some(status)) = (drift.uid(), &drift.status) else {
        return;
    };
    let mut wholes = ctx.wholes.lock().unwrap_or_else(PoisonError::into_inner);
    if !whole_needed(drift) {
        wholes.remove(&uid);
    } else if episode::shows(status, &violation.observed, &violation.desired) {
        let (observed, desired) = (violation.observed.clone(), violation.desired.clone());
        wholes.insert(uid, Whole { observed, desired });
    }
}

pub(super) async fn close(ctx: &Context, drift: &Drift, how: Resolution, proof: Option<String>) -> Result<(), Failure> {
    let mut after = drift.clone();
    episode::resolve(after.status.get_or_insert_default(), how, proof, ctx.now());
    status::write(ctx, drift, &after).await?;
    Ok(())
}
