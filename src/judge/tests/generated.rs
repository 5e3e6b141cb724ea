//! Generated APIs and rules for them. Documents have the fields that AWS always shows, and some of the others.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::aws::new_entry;
use super::support::*;
use super::wishes::a_rule;
use crate::api::policy::Target;
use crate::judge::path::Path;

/// An API with two stages and two methods, rules for them, and what was compliant before.
#[derive(Clone, Debug)]
pub struct Generated {
    pub api: Value,
    pub stages: Vec<Value>,
    pub methods: Vec<Value>,
    /// What callers of dev and prod meet of the API and of each method; none: what is drafted.
    pub live: Vec<Option<Value>>,
    /// Each with the priority of its policy.
    pub rules: Vec<(Value, i32)>,
    pub last: Vec<(Target, &'static str, Value)>,
}

pub const STAGES: [&str; 2] = ["dev", "prod"];
pub const METHODS: [&str; 2] = ["GET /pets", "POST /pets"];

pub fn generated() -> impl Strategy<Value = Generated> {
    let live = || option::weighted(0.3, rest_api()).boxed();
    let live_method = || option::weighted(0.3, method_of()).boxed();
    (
        rest_api(),
        vec![stage_of(), stage_of()],
        vec![method_of(), method_of()],
        vec![
            live(),
            live(),
            live_method(),
            live_method(),
            live_method(),
            live_method(),
        ],
        proptest::collection::vec((a_rule(), 0..2_i32), 1..7),
        last(),
    )
        .prop_map(|(api, stages, methods, live, rules, last)| Generated {
            api,
            stages,
            methods,
            live,
            rules,
            last,
        })
}

impl Generated {
    /// As the judge sees it. Exports hide what exports hide.
    pub fn world(&self) -> World {
        let mut live = self.live.iter();
        let mut next = || live.next().unwrap();
        let mut resources = vec![];
        let mut own = api(self.api.clone());
        for name in STAGES {
            own = match next() {
                None => own.live_as_drafted(name),
                Some(document) => own.served_but(name, deployed(document, &self.api), HIDDEN_OF_API),
            };
        }
        resources.push(own);
        for (name, document) in STAGES.iter().zip(&self.stages) {
            resources.push(stage(name, document.clone()));
        }
        for (key, document) in METHODS.iter().zip(&self.methods) {
            let mut own = method(key, document.clone());
            for name in STAGES {
                own = match next() {
                    None => own.live_as_drafted(name),
                    Some(document) => own.served_but(name, document.clone(), HIDDEN_OF_METHODS),
                };
            }
            resources.push(own);
        }
        let mut world = World::of(resources);
        for (at, (rule, priority)) in self.rules.iter().enumerate() {
            let fields = json!({"priority": priority});
            world = world.under(policy_with(&format!("p{at}"), rule.clone(), fields));
        }
        for (target, path, value) in &self.last {
            let keys: &[&str] = match target {
                Target::Stage => &STAGES,
                Target::Method => &METHODS,
                _ => &[""],
            };
            for key in keys {
                world = world.after(*target, key, path, value.clone());
            }
        }
        world
    }
}

const HIDDEN_OF_API: &[&str] = &["endpointConfiguration.types", "endpointConfiguration.ipAddressType"];
const HIDDEN_OF_METHODS: &[&str] = &["authorizerId", "requestValidatorId", "methodIntegration.cacheNamespace"];

/// Another API's document as this one's deployment: what takes effect at once is as it is drafted.
fn deployed(document: &Value, draft: &Value) -> Value {
    let mut live = document.clone();
    for key in ["id", "name", "description", "tags", "rootResourceId"] {
        let path = Path::of([key]);
        path.set(&mut live, path.get(draft).cloned());
    }
    live
}

/// One of these values.
pub fn one(values: Value) -> BoxedStrategy<Value> {
    let Value::Array(values) = values else {
        panic!("a list of values: {values}");
    };
    select(values).boxed()
}

fn always(values: Value) -> BoxedStrategy<Option<Value>> {
    one(values).prop_map(Some).boxed()
}

fn sometimes(values: Value) -> BoxedStrategy<Option<Value>> {
    option::of(one(values)).boxed()
}

fn document(base: Value, fields: Vec<(&str, BoxedStrategy<Option<Value>>)>) -> BoxedStrategy<Value> {
    let (paths, values): (Vec<Path>, Vec<_>) = fields
        .into_iter()
        .map(|(path, values)| (Path::parse(path).unwrap(), values))
        .unzip();
    values
        .prop_map(move |values| {
            let mut document = base.clone();
            for (path, value) in paths.iter().zip(values) {
                if let Some(value) = value {
                    path.set(&mut document, Some(value));
                }
            }
            document
        })
        .boxed()
}

fn rest_api() -> BoxedStrategy<Value> {
    document(
        json!({"id": "a1", "name": "payments-api", "rootResourceId": "r0", "endpointConfiguration": {"types": ["REGIONAL"]}}),
        vec![
            ("disableExecuteApiEndpoint", always(json!([true, false]))),
            ("apiKeySource", always(json!(["HEADER", "AUTHORIZER"]))),
            (
                "endpointConfiguration.ipAddressType",
                always(json!(["ipv4", "dualstack"])),
            ),
            (
                "endpointConfiguration.vpcEndpointIds",
                sometimes(json!([["vpce-1"], ["vpce-2", "vpce-3"]])),
            ),
            ("description", sometimes(json!(["x", "y"]))),
            ("policy", sometimes(json!([open(), closed(), closed_in_other_words()]))),
            ("minimumCompressionSize", sometimes(json!([0, 1024, 4096]))),
            (
                "binaryMediaTypes",
                sometimes(json!([[], ["image/png"], ["image/gif", "a~b"]])),
            ),
            ("tags", sometimes(json!([{"team": "a"}, {"team": "b", "a/b": "1"}]))),
        ],
    )
}

fn stage_of() -> BoxedStrategy<Value> {
    let entry = || {
        sometimes(json!([
            entry(None, 5000),
            entry(Some("OFF"), 100),
            entry(Some("INFO"), 50)
        ]))
    };
    document(
        json!({"deploymentId": "d1", "methodSettings": {}}),
        vec![
            ("tracingEnabled", always(json!([true, false]))),
            ("cacheClusterEnabled", always(json!([true, false]))),
            ("cacheClusterSize", sometimes(json!(["0.5", "1.6"]))),
            ("description", sometimes(json!(["x", "y"]))),
            (
                "variables",
                sometimes(json!([{"a": "1"}, {"b/c": "2"}, {"a": "2", "b/c": "1", "debug": "1"}])),
            ),
            (
                "accessLogSettings",
                sometimes(json!([{"format": "f"}, {"destinationArn": "arn", "format": "g"}])),
            ),
            ("tags", sometimes(json!([{"team": "a"}, {"team": "b", "a/b": "1"}]))),
            ("methodSettings[\"*/*\"]", entry()),
            ("methodSettings[\"~1pets/GET\"]", entry()),
            ("methodSettings[\"~1pets~1{id}/POST\"]", entry()),
        ],
    )
}

/// An entry of method settings, whole as AWS shows it.
fn entry(level: Option<&str>, burst: i64) -> Value {
    let mut entry = with(new_entry(), "throttlingBurstLimit", json!(burst));
    if let Some(level) = level {
        entry["loggingLevel"] = json!(level);
    }
    entry
}

fn method_of() -> BoxedStrategy<Value> {
    document(
        calling("https://a"),
        vec![
            ("authorizationType", always(json!(["NONE", "AWS_IAM"]))),
            ("apiKeyRequired", always(json!([true, false]))),
            ("authorizerId", sometimes(json!(["auth1", "auth2"]))),
            ("authorizationScopes", sometimes(json!([["a"], ["b/c", "a"]]))),
            ("operationName", sometimes(json!(["x"]))),
            (
                "requestParameters",
                sometimes(json!([{"method.request.header.x": true}, {"method.request.header.y": false}])),
            ),
            ("requestModels", sometimes(json!([{"application/json": "M"}]))),
            (
                "methodIntegration.uri",
                always(json!(["https://a", "http://a", "http://b"])),
            ),
            ("methodIntegration.timeoutInMillis", always(json!([29000, 5000]))),
            (
                "methodIntegration.cacheKeyParameters",
                always(json!([[], ["k"], ["l", "k"]])),
            ),
            (
                "methodIntegration.tlsConfig",
                sometimes(json!([{"insecureSkipVerification": true}])),
            ),
            (
                "methodIntegration.requestParameters",
                sometimes(json!([{"integration.request.header.a": "'x'"}, {"integration.request.header.b": "'y'"}])),
            ),
            (
                "methodIntegration.requestTemplates",
                sometimes(json!([{"application/json": "t"}, {"text/plain": "u"}])),
            ),
        ],
    )
}

/// Values with which rules held before; some of them would make no rule hold today.
fn last() -> BoxedStrategy<Vec<(Target, &'static str, Value)>> {
    let mut kept = Vec::new();
    for (target, path, values) in [
        (Target::RestApi, "policy", json!([closed(), open(), null])),
        (Target::RestApi, "disableExecuteApiEndpoint", json!([true, false])),
        (Target::RestApi, "minimumCompressionSize", json!([0, 1024, null])),
        (Target::RestApi, "binaryMediaTypes", json!([["image/png"], null])),
        (
            Target::RestApi,
            "tags",
            json!([{"team": "a"}, {"team": "c", "a/b": "1"}, null]),
        ),
        (Target::Stage, "tracingEnabled", json!([true, false])),
        (
            Target::Stage,
            "variables",
            json!([{"a": "1"}, {"a": "2", "b/c": "3"}, null]),
        ),
        (
            Target::Stage,
            "methodSettings",
            json!([{}, {"*/*": entry(Some("INFO"), 50)}, {"*/*": entry(Some("ERROR"), 100), "~1pets/GET": entry(Some("INFO"), 7)}]),
        ),
        (
            Target::Stage,
            "accessLogSettings",
            json!([{"destinationArn": "arn", "format": "f"}, null]),
        ),
        (
            Target::Method,
            "methodIntegration.uri",
            json!(["https://a", "https://b", "http://c"]),
        ),
        (
            Target::Method,
            "methodIntegration.timeoutInMillis",
            json!([5000, 1000.0]),
        ),
        (
            Target::Method,
            "methodIntegration.requestTemplates",
            json!([{"application/json": "t"}, null]),
        ),
        (Target::Method, "apiKeyRequired", json!([true])),
        (Target::Method, "authorizationScopes", json!([["a"], null])),
    ] {
        kept.push(option::weighted(
            0.8,
            one(values).prop_map(move |value| (target, path, value)),
        ));
    }
    kept.prop_map(|kept| kept.into_iter().flatten().collect()).boxed()
}
