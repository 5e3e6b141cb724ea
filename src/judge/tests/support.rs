//! Small builders, so that a table's row says only what it is about.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::drift::{Call, Scope};
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{EndpointPolicySpec, EndpointType, Enforcement, Target};
use crate::aws::apigateway::properties;
use crate::judge::cel::Document;
use crate::judge::compile::{Policy, PolicyRef};
use crate::judge::path::Path;
use crate::judge::snapshot::{EndpointId, Known, LiveState, Resource, Snapshot, StagePointer};
use crate::judge::verdict::{Plan, Remedy, Violation, slot};
use crate::judge::{Judgement, Outcome, Question, Verdict, compile, judge};

pub const API: &str = "AWS::ApiGateway::RestApi";
pub const STAGE: &str = "AWS::ApiGateway::Stage";
pub const METHOD: &str = "AWS::ApiGateway::Method";
pub const DOMAIN: &str = "AWS::ApiGateway::DomainName";

/// A REST API, deployed as it is to `prod`.
pub fn api(document: Value) -> Resource {
    resource(
        Target::RestApi,
        "",
        &[("restApiId", "a1"), ("resourceArn", "arn:a1")],
        document,
    )
    .live_as_drafted("prod")
}

/// A stage, which has no draft of its own.
pub fn stage(name: &str, document: Value) -> Resource {
    let arn = format!("arn:a1/{name}");
    let address = [("restApiId", "a1"), ("stageName", name), ("resourceArn", &arn)];
    resource(Target::Stage, name, &address, document).live_as_drafted(name)
}

/// A method, as in `GET /pets`, deployed as it is to `prod`.
pub fn method(key: &str, document: Value) -> Resource {
    let verb = key.split(' ').next().unwrap();
    let address = [("restApiId", "a1"), ("resourceId", "r1"), ("httpMethod", verb)];
    resource(Target::Method, key, &address, document).live_as_drafted("prod")
}

/// A custom domain name.
pub fn domain(document: Value) -> Resource {
    resource(Target::DomainName, "", &[("domainName", "pets.example")], document).live_as_drafted("")
}

fn resource(target: Target, key: &str, address: &[(&str, &str)], document: Value) -> Resource {
    Resource {
        target,
        key: key.to_owned(),
        address: address
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        draft: Some(Document::new(document)),
        live: vec![],
    }
}

/// What is known of a live state, and of which stage.
pub trait Served: Sized {
    fn known(self, stage: &str, known: Known) -> Self;
    fn served(self, stage: &str, document: Value) -> Self;
    fn served_but(self, stage: &str, document: Value, hidden: &[&str]) -> Self;
    fn unreadable(self, stage: &str) -> Self;
    fn not_in(self, stage: &str) -> Self;
    fn live_as_drafted(self, stage: &str) -> Self;
    fn never_deployed(self) -> Self;
    fn without_draft(self) -> Self;
}

impl Served for Resource {
    /// Says it of a stage anew, or adds the stage.
    fn known(mut self, stage: &str, known: Known) -> Self {
        self.live.retain(|live| live.stage != stage);
        self.live.push(LiveState {
            stage: stage.to_owned(),
            known,
        });
        self.live.sort_by(|a, b| a.stage.cmp(&b.stage));
        self
    }

    fn served(self, stage: &str, document: Value) -> Self {
        self.served_but(stage, document, &[])
    }

    fn served_but(self, stage: &str, document: Value, hidden: &[&str]) -> Self {
        let document = Document::new(document);
        let hidden = hidden.iter().map(|path| Path::parse(path).unwrap()).collect();
        self.known(stage, Known::Shown { document, hidden })
    }

    fn unreadable(self, stage: &str) -> Self {
        self.known(stage, Known::Unreadable("AWS said 403".into()))
    }

    fn not_in(self, stage: &str) -> Self {
        self.known(stage, Known::Absent)
    }

    fn live_as_drafted(self, stage: &str) -> Self {
        let document = self.draft.as_ref().unwrap().json().clone();
        self.served(stage, document)
    }

    fn never_deployed(mut self) -> Self {
        self.live.clear();
        self
    }

    fn without_draft(mut self) -> Self {
        self.draft = None;
        self
    }
}

/// A rule for a target, of the fields that are given.
pub fn rule(target: &str, fields: Value) -> Value {
    let mut rule = json!({"name": "r", "target": target});
    rule.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    rule
}

/// A policy with one rule, in Enforce, that may patch drafts.
pub fn policy(name: &str, rule: Value) -> Policy {
    policy_with(name, rule, json!({}))
}

/// The same, with other fields of its spec.
pub fn policy_with(name: &str, rule: Value, fields: Value) -> Policy {
    let mut spec = json!({"enforcement": "Enforce", "repairs": {"drafts": true}, "rules": [rule]});
    spec.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    compiled(name, spec)
}

pub fn compiled(name: &str, spec: Value) -> Policy {
    let spec: EndpointPolicySpec = serde_json::from_value(spec).unwrap();
    let id = PolicyRef {
        namespace: "ns".into(),
        name: name.into(),
        uid: format!("uid-{name}"),
        generation: 1,
    };
    compile(id, &spec).unwrap_or_else(|faults| panic!("{name}: {faults:?}"))
}

/// Everything that an answer depends on.
#[derive(Clone)]
pub struct World {
    pub snapshot: Snapshot,
    pub policies: Vec<(Policy, Enforcement)>,
    pub exceptions: Vec<(String, EndpointExceptionSpec)>,
    pub last_compliant: BTreeMap<String, Value>,
    pub now: &'static str,
}

impl World {
    /// An endpoint of these resources.
    pub fn of(resources: impl IntoIterator<Item = Resource>) -> Self {
        let resources: Vec<Resource> = resources.into_iter().collect();
        let domain = resources.iter().any(|r| r.target == Target::DomainName);
        let stages = resources
            .iter()
            .flat_map(|r| r.live.iter().map(|live| live.stage.clone()));
        let pointer = StagePointer {
            deployment_id: "d1".into(),
            canary: None,
        };
        World {
            snapshot: Snapshot {
                endpoint: EndpointId {
                    account_id: "111122223333".into(),
                    region: "eu-west-1".into(),
                    type_: if domain {
                        EndpointType::DomainName
                    } else {
                        EndpointType::RestApi
                    },
                    id: "a1".into(),
                },
                name: "payments-api".into(),
                arn: "arn:a1".into(),
                tags: BTreeMap::from([("team".into(), "payments".into())]),
                stages: stages.map(|stage| (stage, pointer.clone())).collect(),
                digest: String::new(),
                resources,
            },
            policies: vec![],
            exceptions: vec![],
            last_compliant: BTreeMap::new(),
            now: "2026-06-01T12:00:00Z",
        }
    }

    /// Judged by a policy that is granted everything.
    pub fn under(mut self, policy: Policy) -> Self {
        self.policies.push((policy, Enforcement::Enforce));
        self
    }

    /// A value with which a rule held once.
    pub fn after(mut self, target: Target, resource: &str, path: &str, value: Value) -> Self {
        let slot = slot(target, resource, &Path::parse(path).unwrap());
        self.last_compliant.insert(slot, value);
        self
    }

    pub fn ask(&self) -> Judgement {
        let policies: Vec<(&Policy, Enforcement)> = self.policies.iter().map(|(p, granted)| (p, *granted)).collect();
        let exceptions: Vec<(&str, &EndpointExceptionSpec)> =
            self.exceptions.iter().map(|(n, e)| (n.as_str(), e)).collect();
        judge(&Question {
            snapshot: &self.snapshot,
            policies: &policies,
            exceptions: &exceptions,
            last_compliant: &self.last_compliant,
            account: &Document::new(json!({"name": "prod", "accountId": "111122223333"})),
            tables: properties::table,
            now: self.now.parse().unwrap(),
        })
    }

    /// What the one rule says of the one resource, in a line.
    pub fn says(&self) -> String {
        let judgement = self.ask();
        assert!(judgement.verdicts.len() < 2, "more than one verdict");
        judgement
            .verdicts
            .first()
            .map_or_else(|| "does not apply".to_owned(), |verdict| line(&verdict.outcome))
    }

    /// The one violation.
    pub fn violation(&self) -> Violation {
        let judgement = self.ask();
        let [verdict] = &judgement.verdicts[..] else {
            panic!("not one verdict: {:?}", lines(&judgement));
        };
        violated(verdict).clone()
    }

    /// The one repair.
    pub fn plan(&self) -> Plan {
        let violation = self.violation();
        let Remedy::Plan(plan) = violation.remedy else {
            panic!("no plan: {:?}", violation.remedy);
        };
        plan
    }
}

pub fn violated(verdict: &Verdict) -> &Violation {
    let Outcome::Violated(violation) = &verdict.outcome else {
        panic!("not violated: {}", line(&verdict.outcome));
    };
    violation
}

/// An outcome in a line, as in `live in prod: UpdateStage replace /tracingEnabled=true; deploy prod`.
pub fn line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Compliant => "compliant".into(),
        Outcome::Exempted => "exempted".into(),
        Outcome::Unknown(why) => format!("unknown: {why}"),
        Outcome::Violated(violation) => {
            let scope = match violation.scope {
                Scope::Live => format!("live in {}", violation.stages.join(" ")),
                Scope::Draft => "draft".to_owned(),
            };
            let remedy = match &violation.remedy {
                Remedy::Plan(plan) => shown(plan),
                Remedy::None { reason, .. } => reason.as_str().to_owned(),
            };
            format!("{}: {remedy}", scope.trim())
        }
    }
}

fn shown(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if !plan.patches.is_empty() {
        parts.push(calls(&plan.patches));
    }
    if !plan.deploy.is_empty() {
        parts.push(format!("deploy {}", plan.deploy.join(" ")));
    }
    parts.join("; ")
}

/// Calls in a line.
pub fn calls(calls: &[Call]) -> String {
    let one = |call: &Call| {
        let patches = call.patch_operations.iter().map(|patch| match &patch.value {
            Some(value) => format!("{} {}={value}", patch.op, patch.path),
            None => format!("{} {}", patch.op, patch.path),
        });
        format!("{} {}", call.operation, patches.collect::<Vec<_>>().join(", "))
    };
    calls.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Each verdict in a line, in an order of its own, with what is said of it.
pub fn lines(judgement: &Judgement) -> Vec<String> {
    let mut lines: Vec<String> = judgement
        .verdicts
        .iter()
        .map(|v| format!("{}/{} {}| {}", v.policy.name, v.rule, v.resource, line(&v.outcome)))
        .collect();
    lines.sort();
    lines
}

/// A resource policy that refuses plain HTTP and lets the rest in.
pub fn closed() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]})
}

/// The same in other words: scalars as lists, another order.
pub fn closed_in_other_words() -> Value {
    json!({"Statement": [
        {"Condition": {"Bool": {"aws:SecureTransport": ["false"]}}, "Effect": "Deny", "Principal": {"AWS": "*"},
         "Resource": ["execute-api:/*"], "Action": ["execute-api:Invoke"]},
        {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["execute-api:Invoke"], "Resource": ["execute-api:/*"]},
    ], "Version": "2012-10-17"})
}

/// A resource policy that lets everybody in.
pub fn open() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"},
    ]})
}

/// A method that calls a backend, with the fields that AWS always shows.
pub fn calling(uri: &str) -> Value {
    json!({
        "httpMethod": "GET", "resourcePath": "/pets", "authorizationType": "NONE", "apiKeyRequired": false,
        "methodIntegration": {
            "type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri, "connectionType": "INTERNET",
            "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "cacheNamespace": "r1", "cacheKeyParameters": [],
        },
    })
}

/// The same with one value more.
pub fn with(mut document: Value, path: &str, value: Value) -> Value {
    Path::parse(path).unwrap().set(&mut document, Some(value));
    document
}
