//! One endpoint's case: what the judge and the gate need, gathered; what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

use super::episode::{self, Absence};
use crate::api::drift::{Drift, DriftSpec, DriftStatus, Phase, Resolution};
use crate::api::endpoint::PutBack;
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{Enforcement, Via};
use crate::api::{AwsAccount, AwsEndpoint};
use crate::aws::apigateway::properties;
use crate::aws::session::Session;
use crate::controller::context::Context;
use crate::inventory::Reading;
use crate::judge::cel::Document;
use crate::judge::compile::Policy;
use crate::judge::managed::managed_by;
use crate::judge::verdict::{Remedy, Violation, slot};
use crate::judge::{self, Judgement, Question, Snapshot, Verdict, select, window};
use crate::repair::contest::{self, HeldBack};
use crate::repair::gate::{self, Answer, Facts, Gate};

/// How often each thing was put back.
pub type Counts = BTreeMap<String, PutBack>;

/// The gate's answer, and the person's that it heard.
pub struct Asked {
    /// The gate's.
    pub gate: Gate,
    /// The person's.
    pub answer: Answer,
}

/// One endpoint's judgement and what it rests on.
pub struct Case<'a> {
    ctx: &'a Context,
    endpoint: &'a AwsEndpoint,
    /// Its account.
    pub account: &'a AwsAccount,
    /// Policies that are granted something here.
    pub policies: Vec<(Arc<Policy>, Enforcement)>,
    /// The tool that manages the endpoint.
    pub managed_by: Option<String>,
    /// When somebody last changed the endpoint.
    pub changed_at: Timestamp,
}

impl<'a> Case<'a> {
    /// Gathers what judge and gate need besides the snapshot.
    pub fn new(ctx: &'a Context, account: &'a AwsAccount, endpoint: &'a AwsEndpoint) -> Self {
        let reading = ctx.inventory.get(&endpoint.name_any());
        let tags = reading
            .as_ref()
            .and_then(|r| r.snapshot.as_ref())
            .map(|s| s.tags.clone())
            .unwrap_or_default();
        Case {
            ctx,
            endpoint,
            account,
            policies: ctx.granted(account, &tags),
            managed_by: managed_by(&tags),
            changed_at: changed_at(endpoint, reading.as_ref(), ctx.now()),
        }
    }

    /// The compiled policy of a verdict.
    pub fn policy_of(&self, verdict: &Verdict) -> Option<&Arc<Policy>> {
        self.policies
            .iter()
            .map(|(policy, _)| policy)
            .find(|p| p.id == verdict.policy)
    }

    /// May the Drift be repaired now? Its status shows the plan that is asked about.
    pub fn gate(
        &self,
        policy: &Policy,
        violation: &Violation,
        drift: &Drift,
        put_back: &mut Counts,
        guarded: bool,
    ) -> Asked {
        let nothing = DriftStatus::default();
        let status = drift.status.as_ref().unwrap_or(&nothing);
        let answer = episode::answer(drift.spec.approval.as_ref(), status, guarded);
        let who = status.actors.as_ref().and_then(|a| a.editor.as_ref());
        let who = who.map(|a| a.name.as_str());
        let things = things(&drift.spec, violation);
        let uid = drift.uid().unwrap_or_default();
        let held_back = contest::ask(put_back, &things, &uid, who, self.ctx.now());
        Asked {
            gate: self.decide(policy, violation, drift, &answer, held_back.as_ref()),
            answer,
        }
    }

    /// The gate's answer to a person's answer.
    pub fn decide(
        &self,
        policy: &Policy,
        violation: &Violation,
        drift: &Drift,
        answer: &Answer,
        held_back: Option<&HeldBack>,
    ) -> Gate {
        let now = self.ctx.now();
        let detected = drift.status.as_ref().and_then(|s| s.detected_at.as_ref());
        let stood_since = detected.map_or(now, |at| at.0).max(self.changed_at);
        let settle = policy.limits.settle;
        let suspended = self.ctx.suspension(self.account, policy.suspend);
        gate::decide(&Facts {
            violation,
            suspended: suspended.as_ref(),
            under_way: drift.status.as_ref().is_some_and(|s| s.phase == Phase::Repairing),
            answer,
            managed_by: self.managed_by.as_deref().filter(|_| !policy.managed),
            held_back,
            awaits_message: policy.via == Via::Queue && drift.spec.reverts.is_none() && !is_released(drift),
            settled_at: stood_since.checked_add(settle).unwrap_or(Timestamp::MAX),
            hours: window::hours(&policy.windows, now),
            now,
        })
    }

    /// Whether the account has an audit bucket.
    pub fn records(&self) -> bool {
        self.account.spec.audit.is_some()
    }

    /// The account's session.
    pub fn session(&self) -> Arc<Session> {
        self.ctx.sessions.of(&self.account.spec)
    }

    /// Asks the judge.
    pub fn judge(&self, snapshot: &Snapshot) -> Judgement {
        let nothing = std::collections::BTreeMap::new();
        let policies: Vec<(&Policy, Enforcement)> = self.policies.iter().map(|(p, g)| (p.as_ref(), *g)).collect();
        let state = self.ctx.stores.exceptions.state();
        let counts =
            |namespace: &str| !select::forbids_exceptions(&self.account.spec, &self.ctx.namespace_labels(namespace));
        let exceptions: Vec<(String, &EndpointExceptionSpec)> = state
            .iter()
            .map(|e| (e.namespace().unwrap_or_default(), &e.spec))
            .filter(|(namespace, _)| counts(namespace))
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

    /// Why an open Drift may have no verdict any more.
    pub fn absence<'b>(&'b self, snapshot: &'b Snapshot) -> impl Absence + 'b {
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
        if ctx.foreign.has_policy(policy_uid) {
            return None;
        }
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

/// Whether a message let the repair of the plan as it stands start.
fn is_released(drift: &Drift) -> bool {
    let status = drift.status.as_ref();
    let released = |s: &DriftStatus| s.released.as_ref().is_some_and(|r| r.plan_digest == s.plan_digest);
    status.is_some_and(released)
}

/// The things that a repair of the violation puts back.
pub fn things(spec: &DriftSpec, violation: &Violation) -> Vec<String> {
    let Remedy::Plan(plan) = &violation.remedy else {
        return vec![];
    };
    plan.paths
        .iter()
        .map(|path| slot(spec.target, &spec.resource, path))
        .collect()
}

/// When somebody but Plumbline last changed the endpoint: now, if this reading is the first to show it.
fn changed_at(endpoint: &AwsEndpoint, reading: Option<&Reading>, now: Timestamp) -> Timestamp {
    let status = endpoint.status.as_ref();
    let known = status.and_then(|s| s.last_change_time.as_ref()).map(|at| at.0);
    let digest = reading.and_then(|r| r.snapshot.as_ref()).map(|s| s.digest.as_str());
    let moved = status.map(|s| s.digest.as_str()) != digest && !reading.is_some_and(|r| r.own);
    match known {
        Some(known) if !moved => known,
        _ => now,
    }
}
