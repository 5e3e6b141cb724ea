//! What every story stands on.

pub mod aws;
pub mod cluster;
pub mod controller;
pub mod front;
pub mod hold;
pub mod life;
pub mod people;
pub mod seen;
pub mod wait;
pub mod watching;

use std::sync::atomic::{AtomicU32, Ordering};

use awsim::seed::{Fleet, Seed};
use awsim::{Awsim, Running};
use jiff::Timestamp;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use plumbline::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy};
use serde_json::{Value, json};

pub use wait::{until, until_seen};
#[allow(unused_imports)] // not every target tells a story of them
pub use {aws::replace, front::Front};

pub const REGION: &str = "eu-west-1";

/// One story's world.
pub struct World {
    /// Its namespace, which is also the name of its account and the value of its label.
    pub name: String,
    pub account_id: String,
    pub client: Client,
    pub sim: Awsim,
    pub sim_url: String,
    pub aws: aws::Moto,
    controller: Option<controller::Controller>,
    _running: Running,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl World {
    /// An empty account with bucket, topics and queues, and a namespace; no controller yet.
    pub async fn new(story: &str) -> World {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{story}-{number}-{}", std::process::id());
        let account_id = format!(
            "{:012}",
            200_000_000_000_u64 + u64::from(std::process::id()) * 1000 + u64::from(number)
        );
        let client = cluster::admin().await;
        cluster::namespace(&client, &name).await;
        let options = awsim::Options {
            account: account_id.clone(),
            region: REGION.into(),
            sts: Some(cluster::moto()),
            ..awsim::Options::default()
        };
        let (sim, address, running) = awsim::start(options).await.unwrap();
        let aws = aws::Moto::new(&account_id, &name).await;
        World {
            sim_url: format!("http://{address}"),
            name,
            account_id,
            client,
            sim,
            aws,
            controller: None,
            _running: running,
        }
    }

    /// A world with a compliant fleet, an account object and a running controller.
    pub async fn with_fleet(story: &str, apis: usize) -> World {
        let mut world = World::seeded(story, apis).await;
        world.create_account(|_| {}).await;
        world.start().await;
        world
    }

    /// A world with a compliant fleet; no account object and no controller yet.
    pub async fn seeded(story: &str, apis: usize) -> World {
        let world = World::new(story).await;
        world.seed(Fleet {
            apis,
            stages: vec!["prod".into(), "dev".into()],
            name_prefix: "payments-".into(),
            ..Fleet::default()
        });
        world
    }

    pub fn seed(&self, fleet: Fleet) -> Vec<String> {
        self.sim
            .seed(
                &Seed::fleet(fleet).in_account(&self.account_id, REGION),
                Timestamp::now(),
            )
            .unwrap()
    }

    /// The account object: a sweep each second, audit, both topics, everything granted to the story's namespace.
    pub async fn create_account(&self, change: impl FnOnce(&mut Value)) -> AwsAccount {
        let mut account = json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "AwsAccount",
            "metadata": {"name": self.name, "labels": {"story": self.name}},
            "spec": {
                "accountId": self.account_id, "regions": [REGION],
                "roles": {
                    "observe": {"arn": format!("arn:aws:iam::{}:role/plumbline-observe", self.account_id)},
                    "repair": {"arn": format!("arn:aws:iam::{}:role/plumbline-repair", self.account_id)},
                },
                "grants": [{
                    "namespaces": {"matchLabels": {"kubernetes.io/metadata.name": self.name}}, "maxEnforcement": "Enforce",
                }],
                "sweep": {"interval": "1s"}, "budget": {"share": "100%"},
                "audit": {"bucket": self.aws.bucket, "prefix": "audit/v1"},
                "notify": {"people": {"topicArn": self.aws.people_topic}, "machines": {"topicArn": self.aws.machines_topic}},
            },
        });
        change(&mut account);
        let account: AwsAccount = serde_json::from_value(account).unwrap();
        Api::all(self.client.clone())
            .create(&PostParams::default(), &account)
            .await
            .unwrap()
    }

    /// A policy of the story's namespace. `spec` is laid over `{accounts: [its account], enforcement: Enforce}`, without limits.
    pub async fn policy(&self, name: &str, spec: Value) -> EndpointPolicy {
        let mut whole = json!({
            "accounts": [self.name], "enforcement": "Enforce",
            "limits": {"settle": "0s", "share": "100%", "repairsPerHour": 1000},
        });
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let policy = json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy", "metadata": {"name": name}, "spec": whole,
        });
        let policy: EndpointPolicy = serde_json::from_value(policy).unwrap();
        self.policies().create(&PostParams::default(), &policy).await.unwrap()
    }

    /// HTTPS on both legs, and tracing.
    pub async fn https_only(&self) -> EndpointPolicy {
        self.policy("https-only", json!({"rules": https_only_rules()})).await
    }

    pub fn policies(&self) -> Api<EndpointPolicy> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub fn drifts(&self) -> Api<Drift> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub fn endpoints(&self) -> Api<AwsEndpoint> {
        Api::all(self.client.clone())
    }

    pub fn accounts(&self) -> Api<AwsAccount> {
        Api::all(self.client.clone())
    }

    /// Starts the controller.
    pub async fn start(&mut self) {
        self.start_with(&[]).await;
    }

    /// Starts the controller with more environment.
    pub async fn start_with(&mut self, environment: &[(&str, &str)]) {
        self.controller = Some(controller::Controller::start(self, environment).await);
    }

    /// Starts the controller with more arguments.
    pub async fn start_with_args(&mut self, arguments: &[&str]) {
        self.controller = Some(controller::Controller::start_with(self, &[], arguments).await);
    }

    /// Merges into a policy's spec.
    pub async fn change_policy(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.policies()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Merges into the account's spec.
    pub async fn change_account(&self, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.accounts()
            .patch(&self.name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// The endpoints of the story's account.
    pub async fn my_endpoints(&self) -> Vec<AwsEndpoint> {
        let params = ListParams::default().fields(&format!("spec.accountId={}", self.account_id));
        self.endpoints().list(&params).await.unwrap().items
    }

    /// An exception for every endpoint.
    pub async fn exception(&self, name: &str, policy: &str, expires_at: Timestamp) {
        let expires_at = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let spec =
            json!({"policy": policy, "endpoints": {"names": ["*"]}, "reason": "a story", "expiresAt": expires_at});
        self.try_exception(name, spec).await.unwrap();
    }

    /// An exception as it is written.
    pub async fn try_exception(&self, name: &str, spec: Value) -> Result<(), String> {
        let exception = json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointException", "metadata": {"name": name}, "spec": spec,
        });
        let kind = kube::api::ApiResource::erase::<EndpointException>(&());
        let exceptions: Api<kube::api::DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &kind);
        let exception = serde_json::from_value(exception).unwrap();
        let created = exceptions.create(&PostParams::default(), &exception).await;
        created.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Waits until an exception's `Ready` has a reason.
    pub async fn exception_says(&self, name: &str, reason: &str) {
        let exceptions: Api<EndpointException> = Api::namespaced(self.client.clone(), &self.name);
        until(&format!("exception {name} says {reason}"), || async {
            let exception = exceptions.get(name).await.ok()?;
            let conditions = exception.status?.conditions;
            conditions
                .iter()
                .any(|c| c.type_ == "Ready" && c.reason == reason)
                .then_some(())
        })
        .await;
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.controller.take().expect("a running controller").kill().await;
    }

    /// Whether the controller still runs.
    pub fn lives(&mut self) -> bool {
        self.controller.as_mut().is_some_and(controller::Controller::lives)
    }

    /// Asks the controller to end, and waits for it.
    pub async fn stop(&mut self) -> std::process::ExitStatus {
        self.controller.take().expect("a running controller").stop().await
    }

    /// A developer's API Gateway client: `anna` calls as `arn:aws:iam::<account>:user/anna`.
    pub fn developer(&self, name: &str) -> aws::Developer {
        aws::Developer::new(&self.sim_url, &self.account_id, name)
    }

    /// The same as another principal: `assumed-role/Deploy/ci`.
    pub fn developer_as(&self, name: &str, resource: &str) -> aws::Developer {
        let arn = format!("arn:aws:sts::{}:{resource}", self.account_id);
        let key = aws::Developer::key(&self.account_id, name);
        self.sim.register_principal(&key, &self.account_id, &arn);
        self.developer(name)
    }

    /// Waits until the policy is compliant.
    pub async fn compliant(&self, policy: &str) {
        self.policy_says(policy, "Compliant", "Compliant=True").await;
    }

    /// Waits until a Drift of the rule is as asked.
    pub async fn drift(&self, rule: &str, what: &str, as_asked: impl Fn(&Drift) -> bool) -> Drift {
        until_seen(&format!("a drift of {rule} that {what}"), || async {
            let drifts = self.all_drifts().await;
            let found = drifts.iter().find(|d| d.spec.rule == rule && as_asked(d)).cloned();
            found.ok_or_else(|| format!("{}\n{}", show(&drifts), self.log()))
        })
        .await
    }

    /// Every Drift of the story.
    pub async fn all_drifts(&self) -> Vec<Drift> {
        self.drifts()
            .list(&kube::api::ListParams::default())
            .await
            .unwrap()
            .items
    }

    /// What the controller counts, as Prometheus reads it.
    pub async fn metrics(&self) -> String {
        self.controller.as_ref().expect("a running controller").metrics().await
    }

    /// Whether the controller that runs said something.
    pub fn logged(&self, words: &str) -> bool {
        self.controller.as_ref().is_some_and(|one| one.logged(words))
    }

    /// Tail of the controller's log, for messages of failures.
    pub fn log(&self) -> String {
        self.controller
            .as_ref()
            .map_or_else(String::new, controller::Controller::log)
    }

    /// Names of operations that changed something, of whoever but the named developers.
    pub fn writes_by_plumbline(&self) -> Vec<String> {
        let by = |c: &awsim::Call| !c.read_only && c.status < 400 && !c.principal.contains(":user/");
        self.sim
            .calls()
            .iter()
            .filter(|c| by(c))
            .map(|c| c.operation.to_owned())
            .collect()
    }
}

/// The rules of the whitepaper's story.
pub fn https_only_rules() -> Value {
    json!([
        {
            "name": "backends-over-https", "target": "AWS::ApiGateway::Method", "severity": "Critical",
            "when": "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']",
            "require": "object.methodIntegration.uri.startsWith('https://')",
            "message": "'calls ' + object.methodIntegration.uri + ' in clear text'",
            "restore": ["methodIntegration.uri"],
        },
        {
            "name": "callers-over-https", "target": "AWS::ApiGateway::RestApi", "severity": "Critical",
            "require": "iam.denies(object.policy, {'aws:SecureTransport': 'false'})", "restore": ["policy"],
        },
        {"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}},
    ])
}

/// Whether a condition has a status.
pub fn is(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition], type_: &str, status: &str) -> bool {
    conditions.iter().any(|c| c.type_ == type_ && c.status == status)
}

/// A Drift's phase as text.
pub fn phase(drift: &Drift) -> String {
    drift
        .status
        .as_ref()
        .map_or_else(String::new, |s| s.phase.as_str().to_owned())
}

/// A Drift's reason as text.
pub fn reason(drift: &Drift) -> String {
    drift
        .status
        .as_ref()
        .and_then(|s| s.reason)
        .map_or_else(String::new, |r| r.as_str().to_owned())
}

/// A Drift's message.
pub fn message(drift: &Drift) -> &str {
    drift.status.as_ref().map_or("", |s| s.message.as_str())
}

/// A short line about Drifts, for messages of failures.
pub fn show(drifts: &[Drift]) -> String {
    drifts
        .iter()
        .map(|d| {
            let message = d.status.as_ref().map_or("", |s| s.message.as_str());
            format!(
                "{} {} {} {} {message}",
                d.name_any(),
                d.spec.resource,
                phase(d),
                reason(d)
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}
