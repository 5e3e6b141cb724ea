//! An endpoint: from a snapshot to verdicts, Drifts and repairs. The only AWS writer of its endpoint.

use std::sync::{Arc, PoisonError};

use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::episode::{self, Absence, Step};
use super::outcome::Failure;
use super::{names, remedy, status};
use crate::api::condition::{self, Said};
use crate::api::drift::{Drift, DriftSpec, Resolution};
use crate::api::endpoint::{AwsEndpointStatus, PolicyVerdict};
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::Enforcement;
use crate::api::{AwsAccount, AwsEndpoint, Reason, Status};
use crate::aws::apigateway::properties;
use crate::inventory::Reading;
use crate::judge::cel::Document;
use crate::judge::compile::Policy;
use crate::judge::verdict::{Outcome, Violation};
use crate::judge::{self, Judgement, Question, Snapshot, Verdict, select};
use crate::record::entry::{Whole, whole_needed};

/// One look at an endpoint.
pub async fn reconcile(endpoint: Arc<AwsEndpoint>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let name = endpoint.name_any();
    let Some(account) = ctx.account_of(&endpoint.spec.account_id) else {
        return Ok(Action::await_change());
    };
    if !ctx.acts_for(&account) {
        return Ok(Action::await_change());
    }
    if ctx.inventory.is_gone(&name) {
        return bury(&endpoint, &ctx).await;
    }
    let Some(reading) = ctx.inventory.get(&name) else {
        return Ok(Action::await_change());
    };
    let complete = reading
        .snapshot
        .as_ref()
        .filter(|_| reading.failure.is_none() && reading.depth >= ctx.depth());
    let Some(snapshot) = complete else {
        return unreadable(&endpoint, &reading, &ctx).await;
    };
    let case = Case::new(&ctx, &account, &endpoint);
    let judgement = case.judge(snapshot);
    let drifts = ctx.stores.drifts.state();
    let steps = episode::settle(&name, &judgement.verdicts, &drifts, &case.absence(snapshot));
    let kept = write_steps(&ctx, &endpoint, snapshot, steps).await?;
    // Values with which a rule held must stand before a repair can need them after a restart.
    write_status(&ctx, &endpoint, &case, snapshot, &judgement).await?;
    remedy::repair(&ctx, &account, &endpoint, kept).await
}

/// One endpoint's judgement and what it rests on.
pub struct Case<'a> {
    ctx: &'a Context,
    endpoint: &'a AwsEndpoint,
    account: &'a AwsAccount,
    /// Policies that are granted something here.
    pub policies: Vec<(Arc<Policy>, Enforcement)>,
}

impl<'a> Case<'a> {
    /// Gathers what the judge needs besides the snapshot.
    pub fn new(ctx: &'a Context, account: &'a AwsAccount, endpoint: &'a AwsEndpoint) -> Self {
        let reading = ctx.inventory.get(&endpoint.name_any());
        let tags = reading
            .and_then(|r| r.snapshot)
            .map(|s| s.tags.clone())
            .unwrap_or_default();
        Case {
            ctx,
            endpoint,
            account,
            policies: ctx.granted(account, &tags),
        }
    }

    /// Asks the judge.
    pub fn judge(&self, snapshot: &Snapshot) -> Judgement {
        let nothing = std::collections::BTreeMap::new();
        let policies: Vec<(&Policy, Enforcement)> = self.policies.iter().map(|(p, g)| (p.as_ref(), *g)).collect();
        let state = self.ctx.stores.exceptions.state();
        let exceptions: Vec<(String, &EndpointExceptionSpec)> = state
            .iter()
            .map(|e| (e.namespace().unwrap_or_default(), &e.spec))
            .collect();
        let exceptions: Vec<(&str, &EndpointExceptionSpec)> =
            exceptions.iter().map(|(n, e)| (n.as_str(), *e)).collect();
        let account = Document::new(json!({
            "name": self.account.name_any(), "accountId": self.account.spec.account_id, "labels": self.account.labels(),
        }));
        judge::judge(&Question {
            snapshot,
            policies: &policies,
            exceptions: &exceptions,
            last_compliant: self.endpoint.status.as_ref().map_or(&nothing, |s| &s.last_compliant),
            account: &account,
            tables: properties::table,
            now: self.ctx.now(),
        })
    }

    fn absence<'b>(&'b self, snapshot: &'b Snapshot) -> Unjudged<'b> {
        Unjudged { case: self, snapshot }
    }
}

/// Why an open Drift has no verdict any more.
struct Unjudged<'a> {
    case: &'a Case<'a>,
    snapshot: &'a Snapshot,
}

impl Absence for Unjudged<'_> {
    fn explain(&self, drift: &Drift) -> Option<Resolution> {
        let Case { ctx, policies, .. } = self.case;
        let DriftSpec {
            policy_uid,
            rule,
            target,
            resource,
            ..
        } = &drift.spec;
        let stands = ctx.stores.policies.find(|p| p.uid().as_ref() == Some(policy_uid));
        let Some(policy) = stands.filter(|p| p.metadata.deletion_timestamp.is_none()) else {
            return Some(Resolution::PolicyDeleted);
        };
        if !policy.spec.rules.iter().any(|r| r.name == *rule) {
            return Some(Resolution::PolicyDeleted);
        }
        let Ok(compiled) = ctx.compile(&policy) else {
            return None; // a policy that cannot be judged says nothing
        };
        let Some((_, _)) = policies.iter().find(|(p, _)| p.id.uid == *policy_uid) else {
            return Some(Resolution::AccountRemoved);
        };
        if !self
            .snapshot
            .resources
            .iter()
            .any(|r| r.target == *target && r.key == *resource)
        {
            return Some(Resolution::Gone);
        }
        let snapshot = self.snapshot;
        let candidate = select::Candidate {
            id: &snapshot.endpoint,
            name: &snapshot.name,
            tags: &snapshot.tags,
        };
        if select::selects(&compiled.selector, candidate) {
            Some(Resolution::FixedElsewhere) // the rule's `when` does not apply any more
        } else {
            Some(Resolution::PolicyDeleted)
        }
    }
}

/// An open Drift with what the judge says of it now.
pub struct Kept {
    /// As it stands in Kubernetes.
    pub drift: Drift,
    /// What is said.
    pub verdict: Verdict,
}

async fn write_steps(
    ctx: &Context,
    endpoint: &AwsEndpoint,
    snapshot: &Snapshot,
    steps: Vec<Step<'_>>,
) -> Result<Vec<Kept>, Failure> {
    let mut kept = Vec::new();
    for step in steps {
        match step {
            Step::Open { verdict, spec } => {
                if let Some(drift) = open(ctx, verdict, spec, snapshot).await? {
                    kept.push(Kept {
                        drift,
                        verdict: verdict.clone(),
                    });
                }
            }
            Step::Keep { verdict, drift } => {
                let drift = describe(ctx, verdict, drift, snapshot).await?;
                kept.push(Kept {
                    drift,
                    verdict: verdict.clone(),
                });
            }
            Step::Resolve { drift, how } => {
                let proof = (how == Resolution::Repaired).then(|| remedy::proof(drift, endpoint));
                close(ctx, drift, how, proof).await?;
            }
        }
    }
    Ok(kept)
}

/// Creates the Drift of a new episode; one of the same name that is over makes way for the next one.
async fn open(
    ctx: &Context,
    verdict: &Verdict,
    spec: DriftSpec,
    snapshot: &Snapshot,
) -> Result<Option<Drift>, Failure> {
    let api: Api<Drift> = Api::namespaced(ctx.client.clone(), &verdict.policy.namespace);
    let mut spec = spec;
    for _ in 0..16 {
        let mut drift = Drift::new(&names::drift(&spec), spec.clone());
        drift
            .labels_mut()
            .insert("plumbline.dev/policy".into(), label(&spec.policy));
        match status::bounded(api.create(&PostParams::default(), &drift)).await {
            Ok(created) => return describe(ctx, verdict, &created, snapshot).await.map(Some),
            Err(status::Error::Conflict) => {
                let standing = status::bounded(api.get(&drift.name_any())).await?;
                if episode::is_open(&standing) {
                    return describe(ctx, verdict, &standing, snapshot).await.map(Some);
                }
                spec.previous = standing.uid();
            }
            Err(status::Error::Refused(why)) => {
                refused(ctx, snapshot, &verdict.policy.namespace, &why).await;
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

/// A namespace that takes no Drift: said on the account, and nothing is repaired.
async fn refused(ctx: &Context, snapshot: &Snapshot, namespace: &str, why: &str) {
    tracing::warn!(namespace, why, "a Drift was refused");
    if let Some(account) = ctx.account_of(&snapshot.endpoint.account_id) {
        let note = format!("namespace {namespace} takes no Drift, so nothing is repaired for it: {why}");
        let warning = kube::runtime::events::EventType::Warning;
        ctx.event(account.as_ref(), warning, Reason::NamespaceRefuses, "Detect", &note)
            .await;
    }
}

/// Brings the Drift's status in step with the violation.
async fn describe(ctx: &Context, verdict: &Verdict, drift: &Drift, snapshot: &Snapshot) -> Result<Drift, Failure> {
    let Outcome::Violated(violation) = &verdict.outcome else {
        return Ok(drift.clone());
    };
    let now = ctx.now();
    let mut after = drift.clone();
    after.status = Some(episode::describe(
        drift.status.as_ref(),
        violation,
        &snapshot.name,
        &snapshot.endpoint.id,
        now,
    ));
    keep_whole(ctx, &after, violation);
    let api: Api<Drift> = Api::namespaced(ctx.client.clone(), &verdict.policy.namespace);
    Ok(status::write(&api, drift, &after).await?.unwrap_or(after))
}

/// What a Drift shows cut is kept whole until the audit record has it.
fn keep_whole(ctx: &Context, drift: &Drift, violation: &Violation) {
    let Some(uid) = drift.uid() else { return };
    let mut wholes = ctx.wholes.lock().unwrap_or_else(PoisonError::into_inner);
    if whole_needed(drift) {
        wholes.insert(
            uid,
            Whole {
                observed: violation.observed.clone(),
                desired: violation.desired.clone(),
            },
        );
    } else {
        wholes.remove(&uid);
    }
}

async fn close(ctx: &Context, drift: &Drift, how: Resolution, proof: Option<String>) -> Result<(), Failure> {
    let api: Api<Drift> = Api::namespaced(ctx.client.clone(), &drift.namespace().unwrap_or_default());
    let mut after = drift.clone();
    episode::resolve(after.status.get_or_insert_default(), how, proof, ctx.now());
    status::write(&api, drift, &after).await?;
    Ok(())
}

/// The endpoint is on no complete list any more.
async fn bury(endpoint: &AwsEndpoint, ctx: &Context) -> Result<Action, Failure> {
    let name = endpoint.name_any();
    for drift in ctx
        .stores
        .drifts
        .state()
        .iter()
        .filter(|d| d.spec.endpoint == name && episode::is_open(d))
    {
        close(ctx, drift, Resolution::Gone, None).await?;
    }
    status::delete(&Api::<AwsEndpoint>::all(ctx.client.clone()), endpoint).await?;
    ctx.inventory.forget(&name);
    Ok(Action::await_change())
}

/// What could not be read is unknown: nothing is resolved, repaired or forgotten.
async fn unreadable(endpoint: &AwsEndpoint, reading: &Reading, ctx: &Context) -> Result<Action, Failure> {
    let Some(why) = &reading.failure else {
        return Ok(Action::await_change());
    };
    let mut after = endpoint.clone();
    let now = ctx.now();
    let status = after.status.get_or_insert_default();
    let said = |type_| Said::new(type_, Status::Unknown, Reason::Unreadable, why.clone());
    condition::set(
        &mut status.conditions,
        said("Observed"),
        endpoint.metadata.generation,
        now,
    );
    condition::set(
        &mut status.conditions,
        said("Compliant"),
        endpoint.metadata.generation,
        now,
    );
    for policy in &mut status.policies {
        policy.unknown = policy.unknown.max(1);
        policy.message = Some(why.clone());
    }
    status::write(&Api::all(ctx.client.clone()), endpoint, &after).await?;
    Ok(Action::await_change())
}

/// Largest value that is kept as the last compliant one, and the most of an endpoint together, in bytes of JSON.
const LARGEST_VALUE: usize = 16 * 1024;
const LARGEST_TOGETHER: usize = 128 * 1024;

async fn write_status(
    ctx: &Context,
    endpoint: &AwsEndpoint,
    case: &Case<'_>,
    snapshot: &Snapshot,
    judgement: &Judgement,
) -> Result<(), Failure> {
    let now = ctx.now();
    let mut after = endpoint.clone();
    let generation = endpoint.metadata.generation;
    let status = after.status.get_or_insert_default();
    if status.digest != snapshot.digest {
        status.last_change_time = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    }
    status.name.clone_from(&snapshot.name);
    status.arn.clone_from(&snapshot.arn);
    status.tags.clone_from(&snapshot.tags);
    status.digest.clone_from(&snapshot.digest);
    status.deployments = snapshot
        .stages
        .iter()
        .map(|(stage, pointer)| (stage.clone(), pointer.deployment_id.clone()))
        .collect();
    status.policies = summaries(case, snapshot, judgement);
    let open = judgement
        .verdicts
        .iter()
        .filter(|v| matches!(v.outcome, Outcome::Violated(_)))
        .count();
    status.drift = i64::try_from(open).unwrap_or(i64::MAX);
    remember(status, judgement);
    condition::set(
        &mut status.conditions,
        Said::new("Observed", true, Reason::Observed, ""),
        generation,
        now,
    );
    condition::set(&mut status.conditions, compliant(&judgement.verdicts), generation, now);
    status::write(&Api::all(ctx.client.clone()), endpoint, &after).await?;
    Ok(())
}

/// Values with which rules held; what is too large is not kept, and a restore then waits for a person.
fn remember(status: &mut AwsEndpointStatus, judgement: &Judgement) {
    let mut room = LARGEST_TOGETHER;
    for value in status.last_compliant.values() {
        room = room.saturating_sub(value.to_string().len());
    }
    for (slot, value) in &judgement.compliant {
        let size = value.to_string().len();
        let before = status.last_compliant.get(slot).map_or(0, |v| v.to_string().len());
        if size <= LARGEST_VALUE && size <= room + before {
            room = room + before - size;
            status.last_compliant.insert(slot.clone(), value.clone());
        }
    }
}

/// One line for each policy that selects the endpoint.
fn summaries(case: &Case<'_>, snapshot: &Snapshot, judgement: &Judgement) -> Vec<PolicyVerdict> {
    let candidate = select::Candidate {
        id: &snapshot.endpoint,
        name: &snapshot.name,
        tags: &snapshot.tags,
    };
    case.policies
        .iter()
        .filter(|(policy, _)| select::selects(&policy.selector, candidate))
        .map(|(policy, _)| {
            let mine = judgement.verdicts.iter().filter(|v| v.policy.uid == policy.id.uid);
            let (mut violated, mut unknown, mut message) = (0, 0, None);
            for verdict in mine {
                match &verdict.outcome {
                    Outcome::Violated(_) => violated += 1,
                    Outcome::Unknown(why) => {
                        unknown += 1;
                        message.get_or_insert_with(|| {
                            format!("rule {} {}: {why}", verdict.rule, verdict.resource)
                                .chars()
                                .take(512)
                                .collect()
                        });
                    }
                    Outcome::Compliant | Outcome::Exempted => {}
                }
            }
            PolicyVerdict {
                namespace: policy.id.namespace.clone(),
                name: policy.id.name.clone(),
                uid: policy.id.uid.clone(),
                generation: policy.id.generation,
                violated,
                unknown,
                message,
            }
        })
        .collect()
}

/// The endpoint's `Compliant` condition.
fn compliant(verdicts: &[Verdict]) -> Said {
    let mut violated = verdicts.iter().filter(|v| matches!(v.outcome, Outcome::Violated(_)));
    let unknown = verdicts.iter().find_map(|v| match &v.outcome {
        Outcome::Unknown(why) => Some(format!("rule {} {}: {why}", v.rule, v.resource)),
        _ => None,
    });
    if let Some(first) = violated.next() {
        let more = violated.count();
        let others = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let message = format!("{} {}{others}", first.rule, first.resource);
        return Said::new("Compliant", false, Reason::Drifted, message);
    }
    match unknown {
        Some(why) => Said::new("Compliant", Status::Unknown, Reason::Unreadable, why),
        None if verdicts.is_empty() => Said::new("Compliant", Status::Unknown, Reason::NoEndpoints, "no rule applies"),
        None => Said::new("Compliant", true, Reason::Compliant, ""),
    }
}

/// The endpoint that a Drift belongs to.
pub fn of_drift(drift: &Drift) -> ObjectRef<AwsEndpoint> {
    ObjectRef::new(&drift.spec.endpoint)
}
