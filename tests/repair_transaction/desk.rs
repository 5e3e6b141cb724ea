//! What the controller does with a transaction, without Kubernetes: reads, judges, persists the plan, reads and judges again,
//! looks, begins, runs. What is in [`Record`] outlives the process, nothing else does.

use std::collections::BTreeMap;
use std::sync::Mutex;

use plumbline::api::Reason;
use plumbline::api::drift::{Call, Intent};
use plumbline::api::endpoint::Baseline;
use plumbline::api::policy::{EndpointPolicySpec, Enforcement, Target};
use plumbline::aws::Error;
use plumbline::aws::apigateway::properties;
use plumbline::aws::apigateway::read::Depth;
use plumbline::inventory::sweep;
use plumbline::judge::cel::Document;
use plumbline::judge::compile::{Policy, PolicyRef};
use plumbline::judge::path::Path;
use plumbline::judge::verdict::{Outcome, Plan, Remedy, Verdict, Violation, slot};
use plumbline::judge::window::Hours;
use plumbline::judge::{self, Question, Snapshot, plan};
use plumbline::repair::gate::{self, Answer, Facts, Gate};
use plumbline::repair::transaction::{End, Held, Ledger, Part, Transaction};
use serde_json::{Value, json};

use crate::wire::{Cut, Sent};
use crate::world::World;

/// What is persisted of one drift.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub uid: String,
    pub repairing: bool,
    pub attempts: usize,
    pub plan: Vec<Call>,
    pub digest: String,
    pub inverse: Vec<Call>,
    pub intent: Option<Intent>,
    pub waits: Option<(Reason, String)>,
}

pub type Key = (String, Target, String);

pub struct Desk {
    policy: Policy,
    pub drifts: BTreeMap<Key, Record>,
    pub last_compliant: BTreeMap<String, Value>,
    /// Values that some desired rule of the tests writes: path and value.
    pub desires: Vec<(Path, Value)>,
    /// Where the process is killed, from its look on.
    pub kill: Option<Cut>,
    /// Edits that a person agreed to have published.
    pub approved: Option<Vec<String>>,
    /// The editor as it was deployed, as far as that is known.
    pub baseline: Option<Baseline>,
    /// Kubernetes takes no write.
    pub sealed: bool,
    /// What the drifts of this round keep, to be led back by.
    pub inverses: Vec<Call>,
    made: usize,
}

/// What one round came to.
#[derive(Default)]
pub struct Round {
    pub held: Vec<Held>,
    pub end: Option<End>,
    /// Why a read failed, if one did.
    pub unread: Option<Error>,
    pub unknown: Vec<String>,
    /// Whether AWS needs other calls than those that were planned.
    pub anew: bool,
    /// Calls of the reading that came before the look.
    pub read: Vec<Sent>,
    /// Calls from the look on.
    pub sent: Vec<Sent>,
}

impl std::fmt::Debug for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held: Vec<String> = self
            .held
            .iter()
            .map(|held| format!("{:?}: {}", held.reason, held.message))
            .collect();
        let Round {
            end,
            unread,
            unknown,
            anew,
            ..
        } = self;
        writeln!(f, "{}", self.story().join(", "))?;
        writeln!(f, "    wrote {:?}", self.writes())?;
        write!(
            f,
            "    held {held:?}, end {end:?}, unread {unread:?}, unknown {unknown:?}, anew {anew}"
        )
    }
}

impl Round {
    /// Nothing was begun and nothing failed: what is held is held.
    pub fn is_quiet(&self) -> bool {
        let again = self.held.iter().any(|held| held.reason == Reason::Overtaken);
        self.end.is_none() && self.unread.is_none() && !self.anew && !again
    }

    pub fn writes(&self) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.writes()).collect()
    }

    pub fn made(&self, operation: &str) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.operation == operation).collect()
    }

    /// The operations in order; the six reads of an editor are one.
    pub fn story(&self) -> Vec<String> {
        const EDITOR: [&str; 6] = [
            "GetRestApi",
            "GetResources",
            "GetAuthorizers",
            "GetRequestValidators",
            "GetModels",
            "GetGatewayResponses",
        ];
        let mut story = Vec::new();
        let mut at = 0;
        while let Some(sent) = self.sent.get(at) {
            let next: Vec<&str> = self.sent[at..].iter().take(6).map(|sent| sent.operation).collect();
            if next.len() == 6 && EDITOR.iter().all(|part| next.contains(part)) {
                story.push("the editor".to_owned());
                at += 6;
                continue;
            }
            story.push(match sent.pointed() {
                Some((stage, _)) => format!("point {stage}"),
                None => sent.operation.to_owned(),
            });
            at += 1;
        }
        story
    }

    #[track_caller]
    pub fn held_for(&self, reason: Reason) -> &Held {
        let found = self.held.iter().find(|held| held.reason == reason);
        found.unwrap_or_else(|| panic!("held for {reason:?}: {:?} {:?}", self.held, self.end))
    }
}

impl Desk {
    pub fn new(policy: Value) -> Self {
        Desk {
            policy: compiled(policy),
            drifts: BTreeMap::new(),
            last_compliant: BTreeMap::new(),
            desires: vec![],
            kill: None,
            approved: None,
            sealed: false,
            baseline: None,
            inverses: vec![],
            made: 0,
        }
    }

    /// Another edition of the policy.
    pub fn edit(&mut self, policy: Value) {
        self.policy = compiled(policy);
    }

    pub fn record(&self, rule: &str) -> &Record {
        let mut of_rule = self.drifts.iter().filter(|((own, ..), _)| own == rule);
        of_rule
            .next()
            .unwrap_or_else(|| panic!("no drift of {rule}: {:?}", self.drifts))
            .1
    }

    /// Whether a value in a deployment is what the repair writes there.
    pub fn is_repair(&self, at: &Path, value: Option<&Value>) -> bool {
        let keys: Vec<&str> = at.keys().iter().map(String::as_str).collect();
        let restored = match keys[..] {
            ["settings", "policy", ..] => {
                let policy = self
                    .last_compliant
                    .get(&slot(Target::RestApi, "", &Path::of(["policy"])));
                let below = Path::of(keys[2..].iter().copied());
                policy.is_some_and(|policy| below.get(policy) == value)
            }
            ["resources", path, "methods", verb, "methodIntegration", "uri"] => {
                let uri = Path::of(["methodIntegration", "uri"]);
                self.last_compliant
                    .get(&slot(Target::Method, &format!("{verb} {path}"), &uri))
                    == value
            }
            _ => false,
        };
        let desired = |(path, wanted): &(Path, Value)| path == at && Some(wanted) == value;
        restored || self.desires.iter().any(desired)
    }

    fn judge(&self, world: &World, snapshot: &Snapshot) -> judge::Judgement {
        judge::judge(&Question {
            snapshot,
            policies: &[(&self.policy, Enforcement::Enforce)],
            exceptions: &[],
            last_compliant: &self.last_compliant,
            account: &Document::new(json!({})),
            tables: properties::table,
            now: world.clock.now(),
        })
    }

    /// What a judgement means for the drifts that stand.
    fn keep(&mut self, judgement: &judge::Judgement, rest_api: &str, round: &mut Round) {
        // What nothing judges any more is gone.
        self.drifts.retain(|(rule, target, resource), _| {
            let mut verdicts = judgement.verdicts.iter();
            verdicts.any(|v| v.rule == *rule && v.target == *target && v.resource == *resource)
        });
        for verdict in &judgement.verdicts {
            let key = (verdict.rule.clone(), verdict.target, verdict.resource.clone());
            let violation = match &verdict.outcome {
                Outcome::Compliant | Outcome::Exempted => {
                    self.drifts.remove(&key);
                    continue;
                }
                Outcome::Unknown(why) => {
                    round
                        .unknown
                        .push(format!("{} {}: {why}", verdict.rule, verdict.resource));
                    continue;
                }
                Outcome::Violated(violation) => violation,
            };
            let made = &mut self.made;
            let record = self.drifts.entry(key).or_insert_with(|| {
                *made += 1;
                Record {
                    uid: format!("drift-{made}"),
                    ..Record::default()
                }
            });
            if record.repairing {
                continue;
            }
            if let Remedy::Plan(found) = &violation.remedy {
                record.plan = found.calls(rest_api);
                record.digest = plan::digest(&record.plan);
                record.inverse.clone_from(&found.inverse);
            }
            record.waits = match decide(violation) {
                Gate::Open => None,
                Gate::Audit(reason, why) => Some((reason, why)),
                Gate::Wait(wait) => Some((wait.reason, wait.message)),
            };
        }
        self.last_compliant.extend(judgement.compliant.clone());
    }

    fn part(&self, verdict: &Verdict, rest_api: &str) -> Option<Part> {
        let record = self
            .drifts
            .get(&(verdict.rule.clone(), verdict.target, verdict.resource.clone()))?;
        let Outcome::Violated(violation) = &verdict.outcome else {
            return None;
        };
        let (Remedy::Plan(found), Gate::Open) = (&violation.remedy, decide(violation)) else {
            return None;
        };
        let calls = found.calls(rest_api);
        let same = plan::digest(&calls) == record.digest && found.inverse == record.inverse;
        (same || (record.repairing && plan::within(&calls, &record.plan))).then(|| Part {
            uid: record.uid.clone(),
            target: verdict.target,
            resource: verdict.resource.clone(),
            plan: Plan::clone(found),
            redeploy: violation.redeploy,
            approved_edits: self.approved.clone(),
            intent: record.intent.clone(),
        })
    }

    fn by_uid(&mut self, uid: &str) -> Option<&mut Record> {
        self.drifts.values_mut().find(|record| record.uid == uid)
    }
}

/// The gate, with nothing but the violation to look at.
fn decide(violation: &Violation) -> Gate {
    gate::decide(&Facts {
        violation,
        suspended: None,
        under_way: false,
        answer: &Answer::None,
        managed_by: None,
        held_back: None,
        settled_at: jiff::Timestamp::UNIX_EPOCH,
        awaits_message: false,
        hours: Hours::Open,
        now: jiff::Timestamp::UNIX_EPOCH,
    })
}

fn compiled(policy: Value) -> Policy {
    let spec: EndpointPolicySpec = serde_json::from_value(policy).unwrap();
    judge::compile(PolicyRef::default(), &spec).unwrap()
}

struct Book<'a> {
    desk: Mutex<&'a mut Desk>,
}

impl Ledger for Book<'_> {
    async fn intend(&self, uids: &[String], intent: Option<&Intent>) -> bool {
        let mut desk = self.desk.lock().unwrap();
        if desk.sealed {
            return false;
        }
        for uid in uids {
            desk.by_uid(uid).unwrap().intent = intent.cloned();
        }
        true
    }
}

/// One round, as far as it comes.
pub async fn round(world: &mut World) -> Round {
    let mut round = Round::default();
    world.wire.take();
    let Some(parts) = read(world, &mut round).await else {
        round.read = world.wire.take();
        return round;
    };
    round.read = world.wire.take();
    let (snapshot, parts) = parts;
    if parts.is_empty() {
        return round;
    }
    world.wire.cut(world.desk.kill.take());
    let baseline = world.desk.baseline.clone();
    let transaction = Transaction {
        reader: &world.client,
        writer: &world.client,
        endpoint: &world.id,
        exports: &world.exports,
        baseline: baseline.as_ref(),
    };
    let looked = match transaction.look(&snapshot, parts).await {
        Ok(looked) => looked,
        Err(error) => {
            round.unread = Some(error);
            round.sent = world.wire.take();
            return round;
        }
    };
    for held in &looked.held {
        if let Some(record) = world.desk.by_uid(&held.uid) {
            record.repairing = false;
            record.waits = Some((held.reason, held.message.clone()));
        }
    }
    round.held.clone_from(&looked.held);
    if !looked.ready.is_empty() {
        let uids: Vec<String> = looked.ready.iter().map(|part| part.uid.clone()).collect();
        for uid in &uids {
            let record = world.desk.by_uid(uid).unwrap();
            record.repairing = true;
            record.attempts += 1;
        }
        let drifts = world.desk.drifts.values();
        world.desk.inverses = drifts.flat_map(|record| record.inverse.clone()).collect();
        let book = Book {
            desk: Mutex::new(&mut world.desk),
        };
        let end = transaction.run(&looked, &book).await;
        for record in world
            .desk
            .drifts
            .values_mut()
            .filter(|record| uids.contains(&record.uid))
        {
            match &end {
                End::Applied { deployment } => {
                    if let (Some(intent), Some(_)) = (&mut record.intent, deployment) {
                        intent.deployment_id.clone_from(deployment);
                    }
                }
                End::Overtaken(_) | End::Collided(_) => record.repairing = false,
                End::Failed(_) | End::NotPersisted => {}
            }
        }
        round.end = Some(end);
    }
    round.sent = world.wire.take();
    round
}

/// Reads and judges twice, as the endpoint's reconciler and then the repair do.
async fn read(world: &mut World, round: &mut Round) -> Option<(std::sync::Arc<Snapshot>, Vec<Part>)> {
    let rest_api = world.id.id.clone();
    let mut snapshot = None;
    for first in [true, false] {
        let read = match sweep::again(&world.client, &world.id, Depth::Live, &world.exports).await {
            Ok(read) => read,
            Err(error) => {
                round.unread = Some(error);
                return None;
            }
        };
        let judgement = world.desk.judge(world, &read);
        if first {
            world.desk.keep(&judgement, &rest_api, round);
            if world.desk.drifts.is_empty() {
                return Some((read, vec![]));
            }
        } else {
            snapshot = Some((read, judgement));
        }
    }
    let (snapshot, judgement) = snapshot?;
    let parts: Vec<Part> = judgement
        .verdicts
        .iter()
        .filter_map(|verdict| world.desk.part(verdict, &rest_api))
        .collect();
    for record in world.desk.drifts.values_mut().filter(|record| record.waits.is_none()) {
        // AWS needs other calls now than those that were planned: planning anew.
        let planned = parts.iter().any(|part| part.uid == record.uid);
        record.repairing &= planned;
        round.anew |= !planned;
    }
    Some((snapshot, parts))
}
