//! A second writer acts between any two of Plumbline's calls, and the process may die at any of them. Whatever comes of it:
//!
//! * nothing of the other's unfinished work is published by Plumbline's hand,
//! * no edit of the other's is lost, and none is overwritten that was not judged before.
//!
//! What no API of AWS can prevent, exactly:
//!
//! 1. A write to the very property that Plumbline patches, or to the pointer of the very stage that it points, which lands between
//!    Plumbline's last read of it and Plumbline's write. No other call of Plumbline's stands between these two. A deployment that
//!    is overwritten so is told: the run ends as collided.
//! 2. A draft of `disableExecuteApiEndpoint`, which AWS makes effective by any change of any stage, that lands between the two
//!    reads before such a change (the API, the stage) and the change; or that takes back a value which only such a change, and no
//!    deployment, had made effective: of that no API tells.
//! 3. An edit that is made before `CreateDeployment` and taken back after it, both between the readings of the editor on either
//!    side. If it adds, removes or opens a method it is never published; otherwise the stage is pointed back within the same
//!    run, unless the process is killed right then.
//!
//! `RACE_SEED` and `RACE_CASES` change what is tried; the seed is printed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use awsim::seed::https_only;
use plumbline::judge::path::{self, Path};
use plumbline::repair::transaction::End;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::colleague::{Colleague, integration, patch};
use crate::desk::Round;
use crate::pending::furnished;
use crate::wire::{Cut, Sent};
use crate::world::{STAGES, World, foreign_published, https, open};

const METHODS: [&str; 5] = ["GET /items", "POST /items", "GET /orders", "GET /admin", "PUT /items"];
const URIS: [&str; 4] = [
    "http://backend.example.com/items",
    "http://v2.example.com",
    "https://v2.example.com",
    "https://backend.example.com/items",
];

/// What the second writer does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Uri(usize, usize),
    Timeout(usize),
    KeyRequired(usize, bool),
    AddMethod,
    RemoveMethod(usize),
    AddResource(bool),
    DeleteResource,
    Authorizer,
    Attach(usize),
    Ttl,
    Model,
    Schema(bool),
    Validator(bool),
    GatewayResponse(bool),
    MediaType(bool),
    Policy(usize),
    Compression,
    Endpoint(bool),
    Deploy(Option<usize>),
    DeployUnseen,
    PointBack(usize),
    Tracing(usize, bool),
    Variable(usize),
    Canary(usize, bool),
    /// Takes back the last edit that is not taken back yet.
    Undo,
}

fn act() -> impl Strategy<Value = Act> {
    let method = 0..METHODS.len();
    let stage = 0..STAGES.len();
    prop_oneof![
        6 => (method.clone(), 0..URIS.len()).prop_map(|(m, u)| Act::Uri(m, u)),
        1 => method.clone().prop_map(Act::Timeout),
        2 => (method.clone(), any::<bool>()).prop_map(|(m, on)| Act::KeyRequired(m, on)),
        2 => Just(Act::AddMethod),
        1 => method.clone().prop_map(Act::RemoveMethod),
        1 => any::<bool>().prop_map(Act::AddResource),
        1 => Just(Act::DeleteResource),
        1 => Just(Act::Authorizer),
        1 => method.prop_map(Act::Attach),
        1 => Just(Act::Ttl),
        1 => Just(Act::Model),
        1 => any::<bool>().prop_map(Act::Schema),
        1 => any::<bool>().prop_map(Act::Validator),
        1 => any::<bool>().prop_map(Act::GatewayResponse),
        1 => any::<bool>().prop_map(Act::MediaType),
        3 => (0usize..3).prop_map(Act::Policy),
        1 => Just(Act::Compression),
        1 => any::<bool>().prop_map(Act::Endpoint),
        3 => proptest::option::of(stage.clone()).prop_map(Act::Deploy),
        1 => Just(Act::DeployUnseen),
        2 => stage.clone().prop_map(Act::PointBack),
        2 => (stage.clone(), any::<bool>()).prop_map(|(s, on)| Act::Tracing(s, on)),
        1 => stage.clone().prop_map(Act::Variable),
        1 => (stage, any::<bool>()).prop_map(|(s, on)| Act::Canary(s, on)),
        6 => Just(Act::Undo),
    ]
}

/// Before which of Plumbline's calls something is done.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Its n-th call of all.
    Call(usize),
    /// Its n-th call of an operation.
    Of(&'static str, usize),
}

/// The calls around which most can happen.
const CRITICAL: [&str; 8] = [
    "GetExport",
    "GetMethod",
    "UpdateIntegration",
    "CreateDeployment",
    "GetDeployment",
    "GetStage",
    "UpdateStage",
    "GetDeployments",
];

/// Something that is done, and perhaps something more a few calls later.
#[derive(Clone, Copy, Debug)]
struct Deed {
    when: When,
    act: Act,
    then: Option<(usize, Act)>,
}

/// One run: what is done, how many seconds pass with each call, and where the process dies.
#[derive(Clone, Debug)]
struct Script {
    deeds: Vec<Deed>,
    seconds: i64,
    kills: Vec<(usize, Cut)>,
}

fn script() -> impl Strategy<Value = Script> {
    let when = prop_oneof![
        (0usize..150).prop_map(When::Call),
        (0..CRITICAL.len(), 1usize..5).prop_map(|(of, nth)| When::Of(CRITICAL[of], nth)),
    ];
    // Edits that come and go within a few calls are the hardest to see.
    let then = proptest::option::of((1usize..9, prop_oneof![2 => Just(Act::Undo), 1 => act()]));
    let deed = (when, act(), then).prop_map(|(when, act, then)| Deed { when, act, then });
    let kill =
        (0usize..6, 0usize..50, any::<bool>()).prop_map(|(round, after, applied)| (round, Cut { after, applied }));
    (
        prop::collection::vec(deed, 1..7),
        0i64..2,
        prop::collection::vec(kill, 0..3),
    )
        .prop_map(|(deeds, seconds, kills)| Script { deeds, seconds, kills })
}

type Undo = Vec<(String, Value)>;

/// The second writer, who remembers how to take edits back.
struct Writer {
    anna: Colleague,
    deeds: Vec<Deed>,
    seconds: i64,
    calls: usize,
    by_operation: BTreeMap<String, usize>,
    done: Vec<Undo>,
    log: Vec<String>,
}

impl Writer {
    fn before_call(&mut self, operation: &str) {
        self.anna.clock.pass(self.seconds);
        *self.by_operation.entry(operation.to_owned()).or_default() += 1;
        let nth = self.by_operation[operation];
        let due = |deed: &Deed| match deed.when {
            When::Call(call) => call <= self.calls,
            When::Of(of, number) => of == operation && number == nth,
        };
        let (now, mut later): (Vec<Deed>, Vec<Deed>) = self.deeds.iter().copied().partition(due);
        let then = now.iter().filter_map(|deed| deed.then);
        later.extend(then.map(|(calls, act)| Deed {
            when: When::Call(self.calls + calls),
            act,
            then: None,
        }));
        self.deeds = later;
        for deed in now {
            self.log
                .push(format!("before call {} ({operation}): {:?}", self.calls, deed.act));
            self.act(deed.act);
        }
        self.calls += 1;
    }

    /// Sends an edit; if it is taken, remembers how it is taken back.
    fn edit(&mut self, line: &str, body: &Value, undo: impl FnOnce(&Value) -> Undo) {
        let (status, answer) = self.anna.call(line, body);
        if status < 300 {
            self.done.push(undo(&answer));
        } else {
            self.log.push(format!("  refused: {answer}"));
        }
    }

    /// One patch, taken back by the value that stood there before.
    fn set(&mut self, at: &str, path: &str, value: &str, before: Option<&Value>) {
        let text = before.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let back = text.map(|text| (format!("PATCH {at}"), patch(&format!("replace {path}"), &text)));
        self.edit(
            &format!("PATCH {at}"),
            &patch(&format!("replace {path}"), value),
            |_| back.into_iter().collect(),
        );
    }

    fn method(&self, key: &str) -> Value {
        let (verb, path) = key.split_once(' ').unwrap();
        self.anna.state()["editor"]["resources"][path]["methods"][verb].clone()
    }

    #[allow(clippy::too_many_lines)] // one arm an act
    fn act(&mut self, act: Act) {
        let none = |_: &Value| Undo::new();
        let at = |key: &str| {
            let (verb, path) = key.split_once(' ').unwrap();
            format!("{{{path}}}/methods/{verb}")
        };
        match act {
            Act::Uri(method, uri) => {
                let before = self.method(METHODS[method])["methodIntegration"]["uri"].clone();
                self.set(
                    &format!("{}/integration", at(METHODS[method])),
                    "/uri",
                    URIS[uri],
                    Some(&before),
                );
            }
            Act::Timeout(method) => {
                let before = self.method(METHODS[method])["methodIntegration"]["timeoutInMillis"].clone();
                self.set(
                    &format!("{}/integration", at(METHODS[method])),
                    "/timeoutInMillis",
                    "5000",
                    Some(&before),
                );
            }
            Act::KeyRequired(method, on) => {
                let before = self.method(METHODS[method])["apiKeyRequired"].clone();
                self.set(&at(METHODS[method]), "/apiKeyRequired", &on.to_string(), Some(&before));
            }
            Act::AddMethod => {
                let line = format!("PUT {}", at("PUT /items"));
                self.edit(&line, &json!({"authorizationType": "NONE"}), |_| {
                    vec![(format!("DELETE {}", at("PUT /items")), Value::Null)]
                });
                self.anna
                    .call(&format!("{line}/integration"), &integration("PUT", "/items"));
            }
            Act::RemoveMethod(method) => {
                let before = self.method(METHODS[method]);
                let line = format!("PUT {}", at(METHODS[method]));
                self.edit(&format!("DELETE {}", at(METHODS[method])), &Value::Null, |_| {
                    vec![
                        (line.clone(), before.clone()),
                        (format!("{line}/integration"), before["methodIntegration"].clone()),
                    ]
                });
            }
            Act::AddResource(with_method) => {
                self.edit("POST {/}", &json!({"pathPart": "refunds"}), |_| {
                    vec![("DELETE {/refunds}".into(), Value::Null)]
                });
                if with_method {
                    self.anna
                        .call("PUT {/refunds}/methods/GET", &json!({"authorizationType": "NONE"}));
                    self.anna.call(
                        "PUT {/refunds}/methods/GET/integration",
                        &integration("GET", "/refunds"),
                    );
                }
            }
            Act::DeleteResource => self.edit("DELETE {/orders}", &Value::Null, none),
            Act::Authorizer => {
                let pool = json!({"name": "pool", "type": "COGNITO_USER_POOLS",
                    "identitySource": "method.request.header.Authorization",
                    "providerARNs": ["arn:aws:cognito-idp:eu-west-1:111122223333:userpool/p"]});
                self.edit("POST /authorizers", &pool, |made| {
                    vec![(
                        format!("DELETE /authorizers/{}", made["id"].as_str().unwrap()),
                        Value::Null,
                    )]
                });
            }
            Act::Attach(method) => {
                let body = json!({"patchOperations": [
                    {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
                    {"op": "replace", "path": "/authorizerId", "value": self.anna.first("authorizers")}]});
                let line = format!("PATCH {}", at(METHODS[method]));
                self.edit(&line, &body, |_| {
                    vec![(line.clone(), patch("replace /authorizationType", "NONE"))]
                });
            }
            Act::Ttl => {
                let id = self.anna.first("authorizers");
                self.set(
                    &format!("/authorizers/{id}"),
                    "/authorizerResultTtlInSeconds",
                    "0",
                    Some(&json!("300")),
                );
            }
            Act::Model => {
                let order = json!({"name": "Order", "contentType": "application/json", "schema": "{}"});
                self.edit("POST /models", &order, |_| {
                    vec![("DELETE /models/Order".into(), Value::Null)]
                });
            }
            Act::Schema(list) => {
                let kind = if list { "array" } else { "string" };
                let before = json!("{\"type\":\"object\"}");
                self.set(
                    "/models/Item",
                    "/schema",
                    &format!("{{\"type\":\"{kind}\"}}"),
                    Some(&before),
                );
            }
            Act::Validator(on) => {
                let id = self.anna.first("requestValidators");
                self.set(
                    &format!("/requestvalidators/{id}"),
                    "/validateRequestParameters",
                    &on.to_string(),
                    Some(&json!("false")),
                );
            }
            Act::GatewayResponse(there) => {
                let before = json!({"statusCode": "429", "responseTemplates": {"text/plain": "later"}});
                let line = "PUT /gatewayresponses/THROTTLED";
                if there {
                    self.edit(line, &json!({"statusCode": "503"}), |_| vec![(line.into(), before)]);
                } else {
                    self.edit("DELETE /gatewayresponses/THROTTLED", &Value::Null, |_| {
                        vec![(line.into(), before)]
                    });
                }
            }
            Act::MediaType(add) => {
                let (there, back) = if add { ("add", "remove") } else { ("remove", "add") };
                let body = |op: &str| {
                    patch(
                        &format!("{op} /binaryMediaTypes/image~1{}", if add { "gif" } else { "png" }),
                        "",
                    )
                };
                self.edit("PATCH ", &body(there), |_| vec![("PATCH ".into(), body(back))]);
            }
            Act::Policy(which) => {
                let mut fewer = https_only();
                fewer["Statement"][0]["Principal"] = json!({"AWS": "arn:aws:iam::111122223333:root"});
                let policy = [open(), https_only(), fewer][which].to_string();
                let before = self.anna.state()["editor"]["settings"]["policy"].clone();
                self.set("", "/policy", &policy, Some(&before));
            }
            Act::Compression => self.set("", "/minimumCompressionSize", "1024", Some(&json!(""))),
            Act::Endpoint(closed) => {
                let before = self.anna.state()["editor"]["settings"]["disableExecuteApiEndpoint"].clone();
                self.set("", "/disableExecuteApiEndpoint", &closed.to_string(), Some(&before));
            }
            Act::Deploy(stage) => {
                let all = stage.map_or(STAGES.to_vec(), |stage| vec![STAGES[stage]]);
                let (status, made) = self.anna.call("POST /deployments", &json!({"stageName": all[0]}));
                if status < 300 && all.len() > 1 {
                    let to = patch("replace /deploymentId", made["id"].as_str().unwrap());
                    self.anna.call(&format!("PATCH /stages/{}", all[1]), &to);
                }
            }
            Act::DeployUnseen => {
                self.anna.call("POST /deployments", &json!({}));
            }
            Act::PointBack(stage) => {
                let first = self.anna.state()["deployments"][0].as_str().unwrap().to_owned();
                self.anna.call(
                    &format!("PATCH /stages/{}", STAGES[stage]),
                    &patch("replace /deploymentId", &first),
                );
            }
            Act::Tracing(stage, on) => {
                let at = format!("PATCH /stages/{}", STAGES[stage]);
                self.anna.call(&at, &patch("replace /tracingEnabled", &on.to_string()));
            }
            Act::Variable(stage) => {
                let at = format!("PATCH /stages/{}", STAGES[stage]);
                self.anna.call(&at, &patch("replace /variables/color", "blue"));
            }
            Act::Canary(stage, there) => {
                let op = if there {
                    "replace /canarySettings/percentTraffic"
                } else {
                    "remove /canarySettings"
                };
                self.anna
                    .call(&format!("PATCH /stages/{}", STAGES[stage]), &patch(op, "10"));
            }
            Act::Undo => {
                for (line, body) in self.done.pop().into_iter().flatten() {
                    self.anna.call(&line, &body);
                }
            }
        }
    }

    /// Everything is finished and deployed, and no canary stands.
    fn finish(&mut self) {
        self.deeds.clear();
        for stage in STAGES {
            self.anna
                .call(&format!("PATCH /stages/{stage}"), &patch("remove /canarySettings", ""));
        }
        // A method that never was compliant waits for a person.
        self.anna.call(
            "PATCH {/items}/methods/PUT/integration",
            &patch("replace /uri", URIS[3]),
        );
        // Of a model that nothing uses no export tells whether it is deployed.
        self.anna.call("DELETE /models/Order", &Value::Null);
        self.anna.deploy(&STAGES);
    }
}

/// What Plumbline did, held against what it had read.
#[derive(Default)]
struct Witness {
    /// Per stage: the deployment that Plumbline's last pointing replaced.
    replaced: BTreeMap<String, String>,
}

fn fail(why: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(why.into())
}

impl Witness {
    fn round(&mut self, world: &World, round: &Round) -> Result<(), TestCaseError> {
        let all: Vec<&Sent> = round.read.iter().chain(&round.sent).collect();
        for (at, sent) in all.iter().enumerate().filter(|(_, sent)| sent.writes() && sent.done()) {
            if sent.operation == "CreateDeployment" {
                prop_assert!(
                    sent.body.get("stageName").is_none(),
                    "a deployment is made without a stage"
                );
                continue;
            }
            let last = all[at - 1];
            let of = sent.line.trim_start_matches("PATCH ").trim_end_matches("/integration");
            prop_assert_eq!(
                &last.line,
                &format!("GET {of}"),
                "the one read before a write is of what is written"
            );
            Self::only_its_own(sent)?;
            if sent.operation == "UpdateStage" {
                Self::closed(all[at - 2], sent)?;
            }
            match sent.pointed() {
                None => Self::patched(world, last, sent)?,
                Some((stage, deployment)) => self.pointed(world, round, &all[..at], sent, (stage, deployment))?,
            }
        }
        Ok(())
    }

    /// A write changes what it says and nothing else: so no edit of the other's is lost by it.
    fn only_its_own(sent: &Sent) -> Result<(), TestCaseError> {
        for at in path::differences(&sent.before, &sent.after) {
            let keys: Vec<&str> = at.keys().iter().map(String::as_str).collect();
            let own = match (sent.operation, &keys[..]) {
                ("UpdateIntegration", ["editor", "resources", _, "methods", _, "methodIntegration", "uri"])
                | ("UpdateRestApi", ["editor", "settings", "policy", ..])
                | ("UpdateStage", ["stages", ..]) => true,
                // Follows from the others.
                (_, ["stages", _, "pending"]) => true,
                ("UpdateStage", ["live", "disableExecuteApiEndpoint"]) => true, // see `closed`
                _ => false,
            };
            prop_assert!(own, "{} changed {at}", sent.line);
        }
        Ok(())
    }

    /// No change of a stage makes a draft of the execute-api endpoint effective, unless it came after the last but one read.
    fn closed(last_but_one: &Sent, sent: &Sent) -> Result<(), TestCaseError> {
        let live = |state: &Value| state["live"]["disableExecuteApiEndpoint"].clone();
        let drafted = |state: &Value| state["editor"]["settings"]["disableExecuteApiEndpoint"].clone();
        let came_later = drafted(&last_but_one.before) != drafted(&sent.before);
        let same = live(&sent.before) == live(&sent.after);
        let stages = last_but_one.before["stages"].as_object().unwrap().values();
        let mut deployed = stages.map(|stage| &stage["snapshot"]["settings"]["disableExecuteApiEndpoint"]);
        let untold = deployed.all(|deployed| *deployed == live(&sent.after));
        let own = sent.pointed().is_some_and(|(stage, _)| {
            let settings = &sent.after["stages"][stage]["snapshot"]["settings"];
            settings["disableExecuteApiEndpoint"] == live(&sent.after)
        });
        prop_assert!(
            same || came_later || untold || own,
            "{} published a draft of the execute-api endpoint",
            sent.line
        );
        Ok(())
    }

    /// What was overwritten is what was judged, unless it came after the last read.
    fn patched(world: &World, last: &Sent, sent: &Sent) -> Result<(), TestCaseError> {
        let at = match sent.operation {
            "UpdateIntegration" => {
                let found = path::differences(&sent.before["editor"], &sent.after["editor"]);
                let Some(at) = found.into_iter().next() else {
                    return Ok(());
                };
                at
            }
            "UpdateRestApi" => Path::of(["settings", "policy"]),
            _ => return Ok(()),
        };
        let (read, overwritten) = (at.get(&last.before["editor"]), at.get(&sent.before["editor"]));
        if overwritten == at.get(&sent.after["editor"]) {
            return Ok(()); // it stood there already
        }
        if read != overwritten {
            return Ok(()); // exception 1
        }
        let text = overwritten.map_or(String::new(), |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        let known = world
            .desk
            .inverses
            .iter()
            .flat_map(|call| &call.patch_operations)
            .filter_map(|operation| operation.value.as_deref());
        let same = |value: &str| value == text || serde_json::from_str::<Value>(value).ok().as_ref() == overwritten;
        prop_assert!(known.into_iter().any(same), "overwritten unseen: {at} {overwritten:?}");
        Ok(())
    }

    fn pointed(
        &mut self,
        world: &World,
        round: &Round,
        earlier: &[&Sent],
        sent: &Sent,
        (stage, deployment): (&str, &str),
    ) -> Result<(), TestCaseError> {
        let last = earlier[earlier.len() - 1];
        let pointer = |state: &Value| {
            state["stages"][stage]["deploymentId"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let (read, overwritten) = (pointer(&last.before), pointer(&sent.before));
        if self.replaced.get(stage).is_some_and(|before| before == deployment) {
            return Ok(()); // taken back
        }
        let listed = round.read.iter().rev().find(|sent| sent.operation == "GetStages");
        let judged = listed.map(|sent| pointer(&sent.before));
        prop_assert_eq!(
            Some(&read),
            judged.as_ref(),
            "the stage served another deployment when it was judged"
        );
        if read != overwritten {
            // Exception 1. A deployment that was made in between is told.
            let new = !last.before["deployments"]
                .as_array()
                .unwrap()
                .contains(&json!(overwritten));
            let told = matches!(round.end, Some(End::Collided(_) | End::Overtaken(_) | End::Failed(_)));
            prop_assert!(
                !new || told,
                "deployment {overwritten} was overwritten and nobody is told: {:?}",
                round.end
            );
        }
        self.replaced.insert(stage.to_owned(), read);
        let foreign = foreign_published(last, sent, &world.desk);
        if foreign.is_empty() {
            return Ok(());
        }
        // Exception 3, or nothing that may happen.
        for at in &foreign {
            let keys: Vec<&str> = at.keys().iter().map(String::as_str).collect();
            let summarised = match keys[..] {
                ["resources", path, "methods", ..] if keys.len() <= 4 => {
                    let _ = path;
                    true
                }
                ["resources", _] => at
                    .get(&sent.after["stages"][stage]["snapshot"])
                    .is_some_and(|r| r["methods"] != json!({})),
                ["resources", _, "methods", _, "authorizationType" | "apiKeyRequired"] => true,
                _ => false,
            };
            prop_assert!(!summarised, "{at} was published, and the deployment's summary tells it");
            // The six reads of the editor that followed the deployment.
            let end = earlier
                .iter()
                .rposition(|sent| sent.operation == "GetGatewayResponses")
                .unwrap();
            let published = at.get(&sent.after["stages"][stage]["snapshot"]);
            let drafted = earlier[end - 5..=end]
                .iter()
                .all(|read| at.get(&read.before["editor"]) == published);
            prop_assert!(
                !drafted,
                "{at} was published while it stood in the editor, for everybody to read"
            );
        }
        let still = pointer(&world.wire.state()) == deployment;
        let killed = matches!(&round.end, Some(End::Failed(_)));
        prop_assert!(
            !still || killed,
            "{foreign:?} was published and not taken back: {:?}",
            round.end
        );
        Ok(())
    }
}

async fn play(script: &Script) -> Result<(), TestCaseError> {
    let mut world = World::of(&[], https(), furnished).await;
    world.witnessed = false;
    world.anna.uri("GET /items", URIS[0]);
    world.anna.deploy(&STAGES);
    world.anna.patch("/stages/prod", "replace /tracingEnabled", "false");
    let writer = Arc::new(Mutex::new(Writer {
        anna: world.anna.clone(),
        deeds: script.deeds.clone(),
        seconds: script.seconds,
        calls: 0,
        by_operation: BTreeMap::new(),
        done: vec![],
        log: vec![],
    }));
    let between = writer.clone();
    world
        .wire
        .between(move |call| between.lock().unwrap().before_call(call.operation));
    let mut witness = Witness::default();
    let mut story = Vec::new();
    let mut judge = |world: &World, round: &Round, writer: &Mutex<Writer>| {
        let log = std::mem::take(&mut writer.lock().unwrap().log);
        story.push(format!("{log:?}\n    {round:?}"));
        witness
            .round(world, round)
            .map_err(|error| fail(format!("{error}\n{}", story.join("\n"))))
    };
    for number in 0..7 {
        world.desk.kill = script
            .kills
            .iter()
            .find(|(round, _)| *round == number)
            .map(|(_, cut)| *cut);
        let round = world.round().await;
        judge(&world, &round, &writer)?;
        if script.kills.iter().any(|(round, _)| *round == number) {
            world.desk.kill = None;
            world.restart();
        }
        world.clock.pass(30);
    }
    // The other one finishes: then everything comes to its end.
    writer.lock().unwrap().finish();
    let mut quiet = false;
    for _ in 0..8 {
        let round = world.round().await;
        judge(&world, &round, &writer)?;
        world.clock.pass(30);
        quiet = round.is_quiet();
        if quiet {
            break;
        }
    }
    let right = quiet && world.desk.drifts.is_empty() && world.is_right();
    prop_assert!(
        right,
        "it does not come to its end: {:#?}\n{}",
        world.desk.drifts,
        story.join("\n")
    );
    Ok(())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn nothing_of_a_second_writer_is_published_lost_or_overwritten_unseen() {
    let (seed, cases) = (number("RACE_SEED", 1), number("RACE_CASES", 48));
    println!("RACE_SEED={seed} RACE_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = runner.run(&script(), |script| runtime.block_on(play(&script)));
    if let Err(error) = result {
        panic!("RACE_SEED={seed}: {error}");
    }
}
