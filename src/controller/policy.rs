//! A policy: can it be judged, and what do its endpoints say?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::account::Grant;
use crate::api::condition::{self, Said};
use crate::api::drift::Phase;
use crate::api::policy::{AllowedIn, EndpointPolicyStatus, PolicyRule};
use crate::api::{AwsAccount, AwsEndpoint, EndpointPolicy, Reason, Status};
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::status;
use crate::controller::outcome::Failure;
use crate::inventory::schedule::Schedule;
use crate::judge::allowed;
use crate::judge::select::{self, Candidate};
use crate::judge::snapshot::EndpointId;

/// Three missed sweeps make what was seen unknown; looked at this often.
const RECHECK: Duration = Duration::from_mins(1);

/// Nobody is thought dead sooner.
const LEAST: SignedDuration = SignedDuration::from_mins(1);

/// One look at a policy.
pub async fn reconcile(policy: Arc<EndpointPolicy>, ctx: Arc<Context>) -> Result<Action, Failure> {
    if policy.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let accounts = accounts(&policy, &ctx);
    let ready = ready(&policy, &accounts, &ctx);
    if ready.status == Status::True && observed_generation(&policy) != policy.metadata.generation {
        sweeper::wake_all(&ctx); // it may need a deeper look than was taken so far
    }
    let judged = ready.status == Status::True;
    let tally = tally(&policy, &accounts, &ctx);
    let mut after = (*policy).clone();
    let status = after.status.get_or_insert_default();
    let (generation, now) = (policy.metadata.generation, ctx.now());
    count(status, &tally);
    status.allowed = allowed(&policy, &accounts, &ctx);
    let compliant = if judged {
        compliant(&tally)
    } else {
        Said::new("Compliant", Status::Unknown, ready.reason, "the policy is not judged")
    };
    condition::set(&mut status.conditions, ready, generation, now);
    condition::set(&mut status.conditions, compliant, generation, now);
    status::write(&ctx, policy.as_ref(), &after).await?;
    Ok(Action::requeue(RECHECK))
}

fn observed_generation(policy: &EndpointPolicy) -> Option<i64> {
    condition::find(&policy.status.as_ref()?.conditions, "Ready")?.observed_generation
}

/// The accounts that the policy means and that grant its namespace something.
fn accounts(policy: &EndpointPolicy, ctx: &Context) -> Vec<Arc<AwsAccount>> {
    let labels = ctx.namespace_labels(&policy.namespace().unwrap_or_default());
    ctx.stores
        .accounts
        .state()
        .into_iter()
        .filter(|a| a.metadata.deletion_timestamp.is_none())
        .filter(|a| select::selects_account(&policy.spec.accounts, &a.name_any()))
        .filter(|a| select::grants_anything(&a.spec, &labels))
        .collect()
}

fn ready(policy: &EndpointPolicy, accounts: &[Arc<AwsAccount>], ctx: &Context) -> Said {
    if let Err(faults) = ctx.compile(policy) {
        let message = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Said::new("Ready", false, Reason::Invalid, message);
    }
    let namespace = policy.namespace().unwrap_or_default();
    let known = |name: &String| ctx.stores.accounts.state().iter().any(|a| a.name_any() == *name);
    if let Some(missing) = policy.spec.accounts.iter().find(|name| !known(name)) {
        let message = format!(
            "spec.accounts: there is no AwsAccount {missing}: create it, or name one of `kubectl get awsaccounts`"
        );
        return Said::new("Ready", false, Reason::Invalid, message);
    }
    let refusing = policy
        .spec
        .accounts
        .iter()
        .find(|name| !accounts.iter().any(|a| a.name_any() == **name));
    match refusing {
        Some(account) => Said::new("Ready", false, Reason::NotGranted, not_granted(account, &namespace)),
        None if accounts.is_empty() => Said::new("Ready", false, Reason::NotGranted, not_granted("(any)", &namespace)),
        None => Said::new("Ready", true, Reason::Ready, ""),
    }
}

/// What the policy may do in each of its accounts, of all its rules, and why not more.
fn allowed(policy: &EndpointPolicy, accounts: &[Arc<AwsAccount>], ctx: &Context) -> Vec<AllowedIn> {
    let labels = ctx.namespace_labels(&policy.namespace().unwrap_or_default());
    let asked = |rule: &PolicyRule| rule.enforcement.unwrap_or(policy.spec.enforcement);
    let asked = policy.spec.rules.iter().map(asked).max().unwrap_or_default();
    let mut found: Vec<AllowedIn> = accounts
        .iter()
        .map(|account| {
            let means = |grant: &&Grant| select::labels_match(&grant.namespaces, &labels);
            let granted = account
                .spec
                .grants
                .iter()
                .filter(means)
                .map(|g| g.max_enforcement)
                .max();
            let suspended = ctx.suspension(account, policy.spec.suspend);
            let allowed = allowed::allowed(asked, granted.unwrap_or_default(), suspended.as_ref());
            AllowedIn {
                account: account.name_any(),
                enforcement: allowed.enforcement(),
                reason: allowed.why_not_more.map(|(_, message)| message).unwrap_or_default(),
            }
        })
        .collect();
    found.sort_by(|a, b| a.account.cmp(&b.account));
    found
}

fn not_granted(account: &str, namespace: &str) -> String {
    format!(
        "AwsAccount {account} grants namespace {namespace} nothing: add to its spec.grants an entry such as \
         {{namespaces: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}, maxEnforcement: Enforce}}"
    )
}

/// What the endpoints of a policy say.
#[derive(Debug, Default)]
struct Tally {
    selected: i64,
    violated: i64,
    unknown: i64,
    pending: i64,
    unswept: Option<String>,
    message: Option<String>,
    drifts: i64,
    waiting: i64,
}

fn tally(policy: &EndpointPolicy, accounts: &[Arc<AwsAccount>], ctx: &Context) -> Tally {
    let mut tally = Tally::default();
    let uid = policy.uid().unwrap_or_default();
    let labels = ctx.namespace_labels(&policy.namespace().unwrap_or_default());
    for account in accounts {
        let swept = account.status.as_ref().and_then(|s| s.last_sweep_time.as_ref());
        if swept.is_none_or(|at| stale(account, at.0, ctx)) {
            first(&mut tally.unswept, account.name_any());
        }
        if let Some(endpoint) = ctx.foreign.endpoint_of(&account.spec.account_id) {
            tally.unknown += 1;
            let why = "this version of Plumbline cannot read it";
            first(&mut tally.message, format!("{endpoint}: {why}"));
        }
        for endpoint in ctx
            .stores
            .endpoints
            .state()
            .iter()
            .filter(|e| e.spec.account_id == account.spec.account_id)
            .filter(|e| account.spec.regions.contains(&e.spec.region))
        {
            if selects(policy, account, endpoint, &labels) {
                judge(&mut tally, endpoint, &uid, policy.metadata.generation);
            }
        }
    }
    for drift in ctx
        .stores
        .drifts
        .state()
        .iter()
        .filter(|d| d.spec.policy_uid == uid && d.spec.reverts.is_none() && episode::is_open(d))
    {
        tally.drifts += 1;
        if drift.status.as_ref().is_some_and(|s| s.phase == Phase::Waiting) {
            tally.waiting += 1;
        }
    }
    tally
}

/// Whether three sweeps were missed: whoever made them may be dead.
fn stale(account: &AwsAccount, swept: Timestamp, ctx: &Context) -> bool {
    let missed = Schedule::compile(&account.spec.sweep).map_or(Timestamp::MAX, |schedule| schedule.thrice_after(swept));
    ctx.now() > missed.max(swept + LEAST)
}

/// Whether a policy selects an endpoint of an account, and is granted it.
pub fn selects(
    policy: &EndpointPolicy,
    account: &AwsAccount,
    endpoint: &AwsEndpoint,
    labels: &BTreeMap<String, String>,
) -> bool {
    let nothing = BTreeMap::new();
    let tags = endpoint.status.as_ref().map_or(&nothing, |s| &s.tags);
    let id = EndpointId::from(&endpoint.spec);
    let name = endpoint.status.as_ref().map_or("", |s| s.name.as_str());
    let candidate = Candidate { id: &id, name, tags };
    select::selects(&policy.spec.selector, candidate) && select::granted(&account.spec, labels, tags).is_some()
}

fn judge(tally: &mut Tally, endpoint: &AwsEndpoint, uid: &str, generation: Option<i64>) {
    tally.selected += 1;
    let said = endpoint
        .status
        .as_ref()
        .and_then(|s| s.policies.iter().find(|p| p.uid == uid));
    match said.filter(|p| Some(p.generation) == generation) {
        None => tally.pending += 1,
        Some(said) => {
            tally.violated += i64::from(said.violated > 0);
            tally.unknown += i64::from(said.unknown > 0);
            if let Some(message) = &said.message {
                first(&mut tally.message, format!("{}: {message}", endpoint.name_any()));
            }
        }
    }
}

/// Keeps the text that comes first: stores have no order, and whoever looks next must say the same.
fn first(kept: &mut Option<String>, text: String) {
    if kept.as_ref().is_none_or(|kept| text < *kept) {
        *kept = Some(text);
    }
}

fn count(status: &mut EndpointPolicyStatus, tally: &Tally) {
    status.endpoints = tally.selected;
    status.drift = tally.drifts;
    status.waiting = tally.waiting;
    status.unknown = tally.unknown;
}

fn compliant(tally: &Tally) -> Said {
    let said = |status: Status, reason, message: String| Said::new("Compliant", status, reason, message);
    if tally.violated > 0 || tally.drifts > 0 {
        let message = format!(
            "{} open drifts on {} of {} endpoints",
            tally.drifts, tally.violated, tally.selected
        );
        return said(Status::False, Reason::Drifted, message);
    }
    if let Some(account) = &tally.unswept {
        return said(
            Status::Unknown,
            Reason::Pending,
            format!("AwsAccount {account} was not swept lately"),
        );
    }
    if tally.unknown > 0 {
        let message = format!(
            "{} of {} endpoints: {}",
            tally.unknown,
            tally.selected,
            tally.message.clone().unwrap_or_default()
        );
        return said(Status::Unknown, Reason::Unreadable, message);
    }
    if tally.pending > 0 {
        let message = format!("{} of {} endpoints are not judged yet", tally.pending, tally.selected);
        return said(Status::Unknown, Reason::Pending, message);
    }
    if tally.selected == 0 {
        return said(
            Status::Unknown,
            Reason::NoEndpoints,
            "the selector selects nothing".into(),
        );
    }
    said(Status::True, Reason::Compliant, format!("{} endpoints", tally.selected))
}
