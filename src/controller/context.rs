//! What every reconciler has at hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{Selector, SelectorExt};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource, ResourceExt};

use crate::api::policy::{Enforcement, Target};
use crate::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy, Reason};
use crate::aws::apigateway::read::{Depth, ExportCache};
use crate::aws::session::Sessions;
use crate::controller::account::Verified;
use crate::controller::account::sweeper::Handle;
use crate::controller::drift::retention::Spans;
use crate::controller::drift::taken::Taken;
use crate::controller::endpoint::looks::Looks;
use crate::controller::endpoint::remedy::admission::Admissions;
use crate::controller::endpoint::turns::Turns;
use crate::controller::farewell::Departed;
use crate::controller::guard::Guard;
use crate::controller::kubernetes::foreign::Shelves;
use crate::controller::kubernetes::known::Known;
use crate::controller::kubernetes::wake::Wake;
use crate::controller::stream::Stream;
use crate::inventory::Inventory;
use crate::inventory::actors::Own;
use crate::inventory::schedule::Schedule;
use crate::judge::allowed::Suspension;
use crate::judge::compile::{Fault, Policy, PolicyRef};
use crate::judge::{self, select};
use crate::ops::lease::Leases;
use crate::ops::metrics::Metrics;
use crate::record::entry::Whole;

/// The clock, as an argument.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A policy, compiled or not.
pub type Compiled = Result<Arc<Policy>, Arc<Vec<Fault>>>;

/// Reflections of what Kubernetes holds.
pub struct Stores {
    /// Every account.
    pub accounts: Known<AwsAccount>,
    /// Every policy.
    pub policies: Known<EndpointPolicy>,
    /// Every exception.
    pub exceptions: Known<EndpointException>,
    /// Every endpoint.
    pub endpoints: Known<AwsEndpoint>,
    /// Every drift.
    pub drifts: Known<Drift>,
    /// Every namespace, for its labels.
    pub namespaces: Known<Namespace>,
}

/// What every reconciler has at hand.
pub struct Context {
    /// The Kubernetes API.
    pub client: Client,
    /// The accounts' credentials.
    pub sessions: Sessions,
    /// What was read of AWS.
    pub inventory: Inventory,
    /// Exports of deployments.
    pub exports: ExportCache,
    /// Who acts for which account.
    pub leases: Arc<Leases>,
    /// Kubernetes events.
    pub events: Recorder,
    /// What is known of changes by the streams of events.
    pub stream: Stream,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// Labels of the accounts that this controller acts for; empty: all.
    pub mine: Selector,
    /// Whether the controller was started with `--suspend`.
    pub suspended: bool,
    /// Whether approvals are to be believed.
    pub guard: Guard,
    /// Looks for questions that wait for a person.
    pub looks: Looks,
    /// How long things last.
    pub spans: Spans,
    /// Reflections.
    pub stores: Stores,
    /// What stands beside them and cannot be read.
    pub foreign: Shelves,
    /// Wakes reconcilers.
    pub wake: Wake,
    /// Policies by uid, as compiled from a generation.
    pub compiled: Mutex<HashMap<String, (i64, Compiled)>>,
    /// Observed and desired values that are too large for a Drift, by its uid.
    pub wholes: Mutex<HashMap<String, Whole>>,
    /// Messages that SNS took.
    pub taken: Taken,
    /// Accounts whose credentials are known to be good.
    pub verified: Verified,
    /// One sweeper for each account, by the account's name.
    pub sweepers: Mutex<HashMap<String, Arc<Handle>>>,
    /// Accounts whose objects are gone while something is still owed to their Drifts, by account id.
    pub departed: Mutex<HashMap<String, Departed>>,
    /// Whoever writes an endpoint on AWS sits at its desk, by the name of its `AwsEndpoint`.
    pub desks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Who may judge and repair now.
    pub turns: Turns,
    /// Repairs that are counted against their policies' limits.
    pub admissions: Admissions,
    /// Namespaces that take no Drift, by account: what was said of each, and when.
    pub refusals: Mutex<HashMap<(String, String), (String, Timestamp)>>,
}

impl Context {
    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The policy as compiled; compiled anew when its generation moved.
    pub fn compile(&self, policy: &EndpointPolicy) -> Compiled {
        let uid = policy.uid().unwrap_or_default();
        let generation = policy.metadata.generation.unwrap_or_default();
        let namespace = policy.namespace().unwrap_or_default();
        if let Some(exception) = self.foreign.exception_of(&namespace, &policy.name_any()) {
            let message = format!(
                "this version of Plumbline cannot read EndpointException {exception}, so what it exempts is not known: correct or delete it"
            );
            return Err(Arc::new(vec![Fault {
                rule: String::new(),
                field: "exceptions",
                message,
            }]));
        }
        let mut cache = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, compiled)) = cache.get(&uid)
            && *at == generation
        {
            return compiled.clone();
        }
        let id = PolicyRef {
            namespace,
            name: policy.name_any(),
            uid: uid.clone(),
            generation,
        };
        let sweep = policy
            .spec
            .sweep
            .as_ref()
            .map_or(Ok(()), |sweep| Schedule::compile(sweep).map(drop));
        let compiled = match (judge::compile(id, &policy.spec), sweep) {
            (Ok(policy), Ok(())) => Ok(Arc::new(policy)),
            (compiled, sweep) => {
                let mut faults = compiled.err().unwrap_or_default();
                faults.extend(sweep.err().map(|message| Fault {
                    rule: String::new(),
                    field: "sweep",
                    message,
                }));
                Err(Arc::new(faults))
            }
        };
        cache.insert(uid, (generation, compiled.clone()));
        compiled
    }

    /// Labels of a namespace.
    pub fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        let mut labels = self
            .stores
            .namespaces
            .get(&ObjectRef::new(name))
            .map(|n| n.labels().clone())
            .unwrap_or_default();
        labels
            .entry("kubernetes.io/metadata.name".into())
            .or_insert_with(|| name.to_owned());
        labels
    }

    /// Policies that compiled and are granted something of an account's endpoint, each with the most that it may do.
    pub fn granted(&self, account: &AwsAccount, tags: &BTreeMap<String, String>) -> Vec<(Arc<Policy>, Enforcement)> {
        let mut found: Vec<_> = self
            .stores
            .policies
            .state()
            .iter()
            .filter(|p| p.metadata.deletion_timestamp.is_none())
            .filter(|p| select::selects_account(&p.spec.accounts, &account.name_any()))
            .filter_map(|p| {
                let labels = self.namespace_labels(&p.namespace().unwrap_or_default());
                let granted = select::granted(&account.spec, &labels, tags)?;
                Some((self.compile(p).ok()?, granted))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        found
    }

    /// How deep endpoints must be read so that every rule can be judged.
    pub fn depth(&self) -> Depth {
        let deep = self.stores.policies.state().iter().any(|p| {
            p.spec
                .rules
                .iter()
                .any(|rule| matches!(rule.target, Target::Method | Target::RestApi))
        });
        if deep { Depth::Live } else { Depth::Stages }
    }

    /// Who suspended a policy's repairs in an account, if somebody did.
    pub fn suspension(&self, account: &AwsAccount, policy_suspended: bool) -> Option<Suspension> {
        if self.suspended {
            Some(Suspension::Controller)
        } else if account.spec.suspend {
            Some(Suspension::Account(account.name_any()))
        } else {
            policy_suspended.then_some(Suspension::Policy)
        }
    }

    /// The account object that acts for an account id: the oldest, if several name it.
    pub fn account_of(&self, account_id: &str) -> Option<Arc<AwsAccount>> {
        if self.foreign.has_account(account_id) {
            return None; // who acts for it, and who may judge there, is not known
        }
        let mut named: Vec<_> = self
            .stores
            .accounts
            .state()
            .into_iter()
            .filter(|a| a.spec.account_id == account_id && a.metadata.deletion_timestamp.is_none())
            .collect();
        named.sort_by_key(|a| (a.metadata.creation_timestamp.clone(), a.name_any()));
        named.into_iter().next()
    }

    /// The desk of an endpoint: whoever writes it on AWS holds it, so that one does at a time.
    pub async fn desk(&self, endpoint: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let desk = {
            let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
            desks.retain(|_, desk| Arc::strong_count(desk) > 1);
            desks.entry(endpoint.to_owned()).or_default().clone()
        };
        desk.lock_owned().await
    }

    /// By whom a trail shows Plumbline's own calls.
    pub fn own(&self, account: &AwsAccount) -> Own {
        Own::new(self.sessions.of(&account.spec).own_arns())
    }

    /// Whether this controller acts for the account now: it is among those it is told to, and the lease is held.
    pub fn acts_for(&self, account: &AwsAccount) -> bool {
        self.is_mine(account) && self.leads(&account.spec.account_id, false)
    }

    /// Whether this controller leads an account. Where it is owed to a Drift, it sees to it that somebody does: one whose
    /// credentials never were any good is led by nobody otherwise.
    pub fn leads(&self, account_id: &str, owed: bool) -> bool {
        if owed {
            self.leases.ensure(account_id);
        }
        self.leases.is_leader(account_id)
    }

    /// Whether it is among the accounts that this controller is told to act for.
    pub fn is_mine(&self, account: &AwsAccount) -> bool {
        self.mine.matches(account.labels())
    }

    /// Publishes a Kubernetes event; a failure is no reason to stop.
    pub async fn event<K>(&self, object: &K, type_: EventType, reason: Reason, action: &str, note: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        let event = Event {
            type_,
            reason: reason.as_str().into(),
            note: (!note.is_empty()).then(|| note.chars().take(900).collect()),
            action: action.into(),
            secondary: None,
        };
        let about = object.object_ref(&());
        let published = tokio::time::timeout(Duration::from_secs(10), self.events.publish(&event, &about));
        if let Ok(Err(error)) = published.await {
            tracing::debug!(%error, "event not published");
        }
    }
}
