//! One API with two stages, its colleague, and Plumbline.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use awsim::seed::{Api, Seed, https_only};
use awsim::{Awsim, Options};
use plumbline::api::policy::EndpointType;
use plumbline::aws::apigateway::Client;
use plumbline::aws::apigateway::read::ExportCache;
use plumbline::aws::budget::Budget;
use plumbline::aws::gate::{Counts, Fence, Gate};
use plumbline::judge::path::{self, Path};
use plumbline::judge::snapshot::EndpointId;
use serde_json::{Value, json};

use crate::colleague::Colleague;
use crate::desk::{Desk, Round};
use crate::wire::{Clock, Sent, Wire};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";
pub const PLUMBLINE: &str = "AKIA111122223333PLUMBLINE";
pub const STAGES: [&str; 2] = ["dev", "prod"];

struct Always;

impl Fence for Always {
    fn may_write(&self, _: &str) -> bool {
        true
    }
}

pub struct World {
    pub anna: Colleague,
    pub clock: Clock,
    pub wire: Wire,
    pub client: Client,
    pub id: EndpointId,
    pub exports: ExportCache,
    pub desk: Desk,
    /// Whether each round is looked at for what must never happen.
    pub witnessed: bool,
}

/// Backends and callers over HTTPS, tracing on.
pub fn https() -> Value {
    json!({"enforcement": "Enforce", "rules": [
        {"name": "backends-over-https", "target": "AWS::ApiGateway::Method",
         "when": "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']",
         "require": "object.methodIntegration.uri.startsWith('https://')", "restore": ["methodIntegration.uri"]},
        {"name": "callers-over-https", "target": "AWS::ApiGateway::RestApi",
         "require": "iam.denies(object.policy, {'aws:SecureTransport': 'false'})", "restore": ["policy"]},
        {"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}},
    ]})
}

/// A policy that lets everybody call, in clear text too.
pub fn open() -> Value {
    let mut policy = https_only();
    policy["Statement"].as_array_mut().unwrap().truncate(1);
    policy
}

/// The resources of a plain API.
fn plain() -> Value {
    let method = |verb: &str, path: &str| json!({"authorizationType": "NONE", "integration": crate::colleague::integration(verb, path)});
    json!({"/items": {"GET": method("GET", "/items"), "POST": method("POST", "/items")},
           "/orders": {"GET": method("GET", "/orders")}})
}

impl World {
    pub async fn new() -> Self {
        Self::of(&[], https(), |_| {}).await
    }

    /// Switches are turned and `prepare` acts before everything is deployed to both stages; then Plumbline has a first look, with
    /// which all is well.
    pub async fn of(switches: &[(&str, &str)], policy: Value, prepare: impl FnOnce(&Colleague)) -> Self {
        let mut world = Self::unseen(switches, policy, prepare);
        let round = world.round().await;
        assert!(
            round.end.is_none() && round.held.is_empty(),
            "all is well at first: {round:?}"
        );
        world
    }

    pub fn unseen(switches: &[(&str, &str)], policy: Value, prepare: impl FnOnce(&Colleague)) -> Self {
        let sim = Awsim::new(Options {
            calls_kept: 1,
            trail_kept: 1,
            ..Options::default()
        });
        for (name, value) in switches {
            sim.set_switch(name, value).unwrap();
        }
        sim.set_cloudwatch_role(ACCOUNT, REGION, Some("arn:aws:iam::111122223333:role/logs"));
        let clock = Clock::new();
        let stages = STAGES.map(|stage| (stage.to_owned(), json!({"tracingEnabled": true})));
        let api = Api {
            settings: json!({"name": "shop", "policy": https_only(), "endpointConfiguration": {"types": ["REGIONAL"]}}),
            resources: serde_json::from_value(plain()).unwrap(),
            stages: BTreeMap::from(stages),
            ..Api::default()
        };
        let api = sim.seed(&Seed::apis(vec![api]), clock.now()).unwrap().remove(0);
        let wire = Wire::new(&sim, clock.clone(), &api);
        let anna = Colleague {
            sim,
            clock: clock.clone(),
            api: api.clone(),
        };
        prepare(&anna);
        if anna.state()["stages"]
            .as_object()
            .unwrap()
            .values()
            .any(|stage| stage["pending"] == true)
        {
            anna.deploy(&STAGES);
        }
        let id = EndpointId {
            account_id: ACCOUNT.into(),
            region: REGION.into(),
            type_: EndpointType::RestApi,
            id: api,
        };
        World {
            client: client(&wire),
            anna,
            clock,
            wire,
            id,
            exports: ExportCache::new(),
            desk: Desk::new(policy),
            witnessed: true,
        }
    }

    /// As after `kill -9`: what is persisted stays, what was only known is gone.
    pub fn restart(&mut self) {
        self.wire.cut(None);
        self.exports = ExportCache::new();
    }

    /// One round of the controller. Whatever happened, nobody else's work was published by Plumbline's hand.
    pub async fn round(&mut self) -> Round {
        let round = crate::desk::round(self).await;
        if self.witnessed {
            for pair in round.sent.windows(2) {
                let foreign = foreign_published(&pair[0], &pair[1], &self.desk);
                assert!(
                    foreign.is_empty(),
                    "published by Plumbline's hand: {foreign:?}\n{round:?}"
                );
            }
            let to_a_stage =
                |sent: &&Sent| sent.operation == "CreateDeployment" && sent.body.get("stageName").is_some();
            assert_eq!(
                round.sent.iter().find(to_a_stage).map(|sent| &sent.body),
                None,
                "made without a stage"
            );
        }
        round
    }

    /// Rounds until nothing more is done, at most eight.
    pub async fn settle(&mut self) -> Vec<Round> {
        let mut rounds = Vec::new();
        for _ in 0..8 {
            let round = self.round().await;
            let over = round.is_quiet();
            rounds.push(round);
            if over {
                return rounds;
            }
            self.clock.pass(30);
        }
        panic!("it does not come to an end: {rounds:#?} {:#?}", self.desk.drifts);
    }

    /// What callers of a stage meet of a method's integration.
    pub fn live_uri(&self, stage: &str, method: &str) -> Value {
        let (verb, path) = method.split_once(' ').unwrap();
        let state = self.anna.state();
        state["stages"][stage]["snapshot"]["resources"][path]["methods"][verb]["methodIntegration"]["uri"].clone()
    }

    /// Whether callers of both stages meet what the rules ask for, whatever Plumbline believes.
    pub fn is_right(&self) -> bool {
        let state = self.anna.state();
        STAGES.iter().all(|stage| {
            let stage = &state["stages"][stage];
            let snapshot = &stage["snapshot"];
            let methods = snapshot["resources"].as_object().unwrap().values();
            let uris = methods
                .flat_map(|resource| resource["methods"].as_object().unwrap().values())
                .map(|method| method["methodIntegration"]["uri"].as_str().unwrap_or("https://"));
            let denies = snapshot["settings"]["policy"].to_string().contains("SecureTransport");
            stage["stage"]["tracingEnabled"] == true
                && denies
                && uris.into_iter().all(|uri| uri.starts_with("https://"))
        })
    }

    /// How many deployments there are.
    pub fn deployments(&self) -> usize {
        self.anna.state()["deployments"].as_array().unwrap().len()
    }
}

pub fn client(wire: &Wire) -> Client {
    let credentials = Credentials::new(PLUMBLINE, "secret", None, None, "static");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url("http://awsim.test")
        .http_client(wire.http())
        .build();
    let gate = Gate::new(
        wire.http(),
        ACCOUNT,
        Arc::new(Budget::unlimited()),
        Arc::new(Always),
        Arc::new(Counts::default()),
    );
    Client::new(&config, gate, ACCOUNT, REGION)
}

/// What a stage was pointed at besides what it served when it was read last, and besides the repair.
pub fn foreign_published(last: &Sent, sent: &Sent, desk: &Desk) -> Vec<Path> {
    let Some((stage, _)) = sent.pointed() else {
        return vec![];
    };
    let snapshot = |state: &Value| state["stages"][stage]["snapshot"].clone();
    let (before, after) = (snapshot(&last.before), snapshot(&sent.after));
    let mut news = path::differences(&before, &after);
    news.retain(|at| !unmet(at, &before, &after) && !desk.is_repair(at, at.get(&after)));
    news
}

/// What callers never meet, or what takes effect without a deployment.
fn unmet(at: &Path, before: &Value, after: &Value) -> bool {
    // A model that nothing uses, and any model's description.
    let told = |snapshot: &Value| {
        let models = snapshot["models"].as_array().cloned().unwrap_or_default();
        let used = |model: &Value| {
            let name = model["name"].to_string();
            let others = models.iter().filter(|other| other["name"] != model["name"]);
            snapshot["resources"].to_string().contains(&name)
                || others.clone().any(|other| other.to_string().contains(&name))
        };
        let told = models.iter().filter(|model| used(model));
        told.map(|model| (model["name"].clone(), model["schema"].clone()))
            .collect::<Vec<_>>()
    };
    let keys: Vec<&str> = at.keys().iter().map(String::as_str).collect();
    match keys[..] {
        ["settings", "name" | "description" | "version"]
        | ["settings", "endpointConfiguration", "types" | "ipAddressType"] => true,
        // Whether a response's header is required means nothing to anybody.
        [
            "resources",
            _,
            "methods",
            _,
            "methodResponses",
            _,
            "responseParameters",
            ..,
        ] => true,
        ["models"] => told(before) == told(after),
        // A resource without methods.
        ["resources", _] => [before, after]
            .iter()
            .all(|snapshot| at.get(snapshot).is_none_or(|resource| resource["methods"] == json!({}))),
        _ => false,
    }
}
