//! The simulator: from a request and a time to an answer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::ACCEPT;
use jiff::Timestamp;
use serde_json::Value;

use crate::calls::Call;
use crate::cloudtrail::{self, Trails};
use crate::delivery::Lines;
use crate::error::AwsError;
use crate::faults::{Fault, Faults};
use crate::identity::Face;
use crate::ids::{Ids, uuid};
use crate::ops;
use crate::principal::{self, Known, Principal};
use crate::request::{Answered, Reply, Request};
use crate::router::{self, Routed};
use crate::seed::{Seed, SeedError};
use crate::service::Service;
use crate::store::Partition;
use crate::switches::{Switch, Switches, UnknownSwitch};
use crate::trail::{Entry, History};

/// How a simulator is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The same seed and the same calls give the same ids.
    pub seed: u64,
    /// The account of callers whose access key says nothing.
    pub account: String,
    /// The region of callers whose signature names none.
    pub region: String,
    /// Whether the request quotas hold.
    pub quotas: bool,
    /// The positions of the switches.
    pub switches: Switches,
    /// Calls kept in the log.
    pub calls_kept: usize,
    /// Calls kept in the trail: so many writes, and besides them so many reads.
    pub trail_kept: usize,
    /// How long after a call LookupEvents tells of it; AWS takes minutes.
    pub lookup_delay: Duration,
    /// `http://127.0.0.1:PORT` of the STS that the server asks who is behind a key that it does not know.
    pub sts: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            quotas: false,
            switches: Switches::default(),
            calls_kept: 100_000,
            trail_kept: 20_000,
            lookup_delay: Duration::ZERO,
            sts: None,
        }
    }
}

/// What the simulator answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response.
    pub response: Response<Bytes>,
    /// How long it takes; whoever carries the answer waits.
    pub delay: Duration,
    /// The connection is closed instead.
    pub drop: bool,
}

type Hook = Box<dyn FnMut(&Call, &Awsim) + Send>;

/// API Gateway v1 and the CloudTrail that watches it, for all accounts and regions. Clones share everything.
#[derive(Clone)]
pub struct Awsim(Arc<Inner>);

struct Inner {
    options: Options,
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
    lines: Lines,
}

pub(crate) struct State {
    partitions: HashMap<(String, String), Partition>,
    pub(crate) ids: Ids,
    pub(crate) switches: Switches,
    principals: HashMap<String, Known>,
    quotas: bool,
    faults: Faults,
    sequence: u64,
    calls: VecDeque<Arc<Call>>,
    pub(crate) history: History,
    pub(crate) trails: Trails,
    pub(crate) lookup_delay: Duration,
}

impl State {
    pub(crate) fn partition(&mut self, account: &str, region: &str) -> &mut Partition {
        self.partitions
            .entry((account.to_owned(), region.to_owned()))
            .or_insert_with(|| Partition::new(account, region))
    }

    /// A partition with the generator of ids.
    pub(crate) fn parts(&mut self, account: &str, region: &str) -> (&mut Partition, &mut Ids) {
        let partition = self
            .partitions
            .entry((account.to_owned(), region.to_owned()))
            .or_insert_with(|| Partition::new(account, region));
        (partition, &mut self.ids)
    }
}

impl std::fmt::Debug for Awsim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Awsim")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Default for Awsim {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Awsim {
    /// A simulator that holds nothing yet.
    pub fn new(options: Options) -> Self {
        let state = State {
            partitions: HashMap::new(),
            ids: Ids::new(options.seed),
            switches: options.switches.clone(),
            principals: HashMap::new(),
            quotas: options.quotas,
            faults: Faults::default(),
            sequence: 0,
            calls: VecDeque::new(),
            history: History::default(),
            trails: Trails::new(&options.region),
            lookup_delay: options.lookup_delay,
        };
        Self(Arc::new(Inner {
            options,
            state: Mutex::new(state),
            hook: Mutex::new(None),
            lines: Lines::default(),
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lines(&self) -> Lines {
        self.0.lines.clone()
    }

    /// The STS that knows keys which are not known here.
    pub(crate) fn sts(&self) -> Option<&str> {
        self.0.options.sts.as_deref()
    }

    /// Whether nobody knows who is behind a key.
    pub(crate) fn is_stranger(&self, access_key_id: &str) -> bool {
        !access_key_id.is_empty()
            && !principal::is_named(access_key_id)
            && !self.state().principals.contains_key(access_key_id)
    }

    pub(crate) fn region(&self) -> &str {
        &self.0.options.region
    }

    fn hook(&self) -> MutexGuard<'_, Option<Hook>> {
        self.0.hook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request that arrives at `now`.
    pub fn answer(&self, request: &http::Request<Bytes>, now: Timestamp) -> Answer {
        let (uri, headers) = (request.uri(), request.headers());
        let routed = router::route(request.method(), uri.path(), uri.query(), headers);
        let options = &self.0.options;
        let caller = principal::caller(headers, &self.state().principals, &options.account, &options.region);
        let call = Call {
            sequence: 0,
            time: now,
            operation: routed.operation.map_or("Unknown", router::Operation::name),
            read_only: routed.operation.is_some_and(router::Operation::read_only),
            account: caller.account,
            region: caller.region,
            principal: caller.arn,
            access_key_id: caller.access_key_id,
            user_agent: caller.user_agent,
            source_ip_address: caller.source_ip_address,
            method: request.method().as_str().to_owned(),
            path: uri.path().to_owned(),
            query: routed.query.clone(),
            ids: routed.ids.clone(),
            status: 0,
            error: None,
        };
        self.run_hook(&call);
        let accept = headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or_default();
        self.carry_out(call, caller.face, &routed, request.body(), accept)
    }

    /// The hook is taken out while it runs, so that it may call the simulator itself.
    fn run_hook(&self, call: &Call) {
        let taken = self.hook().take();
        if let Some(mut hook) = taken {
            hook(call, self);
            self.hook().get_or_insert(hook);
        }
    }

    fn carry_out(&self, mut call: Call, face: Arc<Face>, routed: &Routed, body: &Bytes, accept: &str) -> Answer {
        let mut state = self.state();
        state.sequence += 1;
        call.sequence = state.sequence;
        let fault = state.faults.strike(&call).unwrap_or_default();
        let delivered = state.trails.deliver(&call.account, &call.region);
        let struck = fault.status.is_some() || fault.drop;
        let mut answered = if struck && !fault.applied {
            Ok(Reply {
                status: 503,
                ..Reply::default()
            })
        } else {
            perform(&mut state, &call, routed, body, accept)
        };
        if let Some(error) = fault.as_error() {
            answered = Err(error);
        }
        let (mut response, message) = routed
            .service
            .respond(answered, &uuid(self.0.options.seed, call.sequence, 0));
        call.status = response.status().as_u16();
        call.error = message.as_ref().map(|(code, _)| code.clone());
        let call = Arc::new(call);
        let Options {
            seed,
            calls_kept,
            trail_kept,
            ..
        } = self.0.options;
        keep(&mut state.calls, Arc::clone(&call), calls_kept);
        if let Some(operation) = routed.operation {
            let told = !call.read_only || routed.service == Service::CloudTrail;
            let request = if told { body.clone() } else { Bytes::new() };
            let answer = if call.read_only {
                Bytes::new()
            } else {
                response.body().clone()
            };
            let message = message.map(|(_, message)| message);
            // What stops a trail is its last event, and what starts it is its first.
            let delivered = delivered || state.trails.deliver(&call.account, &call.region);
            let entry = Entry {
                call,
                face,
                masked: state.switches.is(Switch::TrailMasksValues, "on"),
                operation,
                request,
                response: answer,
                message,
                delivered,
                seed,
            };
            if delivered {
                self.0.lines.offer(&entry);
            }
            state.history.keep(entry, trail_kept);
        }
        if fault.truncate {
            let half = response.body().len() / 2;
            response.body_mut().truncate(half);
        }
        Answer {
            response,
            delay: Duration::from_millis(fault.delay_ms),
            drop: fault.drop,
        }
    }

    /// Calls `hook` before each answer is made. It may call the simulator: those calls, and calls of
    /// other threads while it runs, do not meet it.
    pub fn before_each(&self, hook: impl FnMut(&Call, &Awsim) + Send + 'static) {
        *self.hook() = Some(Box::new(hook));
    }

    /// Takes the hook away.
    pub fn clear_before_each(&self) {
        *self.hook() = None;
    }

    /// Turns a switch.
    pub fn set_switch(&self, name: &str, value: &str) -> Result<(), UnknownSwitch> {
        self.state().switches.set(name, value)
    }

    /// Sets how long after a call LookupEvents tells of it.
    pub fn set_lookup_delay(&self, delay: Duration) {
        self.state().lookup_delay = delay;
    }

    /// Turns the request quotas on or off; turned on, every bucket is full.
    pub fn set_quotas(&self, on: bool) {
        let mut state = self.state();
        state.quotas = on;
        state
            .partitions
            .values_mut()
            .for_each(|partition| partition.buckets = crate::quotas::Buckets::default());
    }

    /// Makes an access key a principal.
    pub fn register_principal(&self, access_key_id: &str, account: &str, arn: &str) {
        self.register(access_key_id, Principal::new(account, arn));
    }

    /// The same for one that CloudTrail shows in its own way.
    pub fn register(&self, access_key_id: &str, principal: Principal) {
        let known = Known::new(principal, self.region());
        self.state().principals.insert(access_key_id.to_owned(), known);
    }

    /// Sets a fault besides those that are set.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// Sets a fault in the place of those that are set; no call meets neither.
    pub fn replace_faults(&self, fault: Fault) {
        let mut state = self.state();
        state.faults.clear();
        state.faults.add(fault);
    }

    /// Takes every fault away.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The calls that were answered, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().map(|call| (**call).clone()).collect()
    }

    /// Forgets the calls; the trail stays.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// How many calls of each operation were answered.
    pub fn calls_by_operation(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.state().calls {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }

    /// What CloudTrail recorded, oldest first.
    pub fn trail(&self) -> Vec<Value> {
        self.trail_after(0)
    }

    /// What CloudTrail recorded of the calls after the one of that sequence.
    pub fn trail_after(&self, sequence: u64) -> Vec<Value> {
        let entries = self.state().history.after(sequence);
        entries.iter().map(Entry::record).collect()
    }

    /// Fills accounts, as if it had been done at `now`, without calls.
    pub fn seed(&self, seed: &Seed, now: Timestamp) -> Result<Vec<String>, SeedError> {
        seed.plant(&mut self.state(), &self.0.options, now.as_second())
    }

    /// Sets the role for CloudWatch Logs of an account, which logging needs.
    pub fn set_cloudwatch_role(&self, account: &str, region: &str, arn: Option<&str>) {
        self.state().partition(account, region).cloudwatch_role_arn = arn.map(str::to_owned);
    }

    /// What WAFv2's AssociateWebACL does to a stage; UpdateStage cannot.
    pub fn set_web_acl(
        &self,
        account: &str,
        region: &str,
        api: &str,
        stage: &str,
        arn: Option<&str>,
    ) -> Result<(), AwsError> {
        let mut held = self.state();
        held.partition(account, region)
            .api_mut(api)?
            .stage_mut(stage)?
            .web_acl_arn = arn.map(str::to_owned);
        Ok(())
    }

    /// The editor of an API and what is deployed to each stage.
    pub fn api_state(&self, account: &str, region: &str, api: &str) -> Option<Value> {
        let mut state = self.state();
        crate::state::api(state.partition(account, region), api)
    }
}

pub(crate) fn keep<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    while ring.len() >= most.max(1) {
        ring.pop_front();
    }
    ring.push_back(item);
}

fn perform(state: &mut State, call: &Call, routed: &Routed, body: &Bytes, accept: &str) -> Answered {
    let operation = routed.operation.ok_or_else(|| routed.service.unknown_operation())?;
    let quotas = state.quotas;
    let switches = state.switches.clone();
    let (partition, ids) = state.parts(&call.account, &call.region);
    if quotas && !partition.buckets.take(operation, call.time) {
        return Err(routed.service.throttled());
    }
    if routed.service == Service::CloudTrail {
        return cloudtrail::dispatch(state, operation, call, body);
    }
    let request = Request {
        operation,
        routed,
        body,
        accept,
        now: call.time.as_second(),
        switches: &switches,
    };
    ops::dispatch(partition, ids, &request)
}
