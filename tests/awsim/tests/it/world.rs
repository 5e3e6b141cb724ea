//! A simulator with a clock of its own, and words to talk to it.

use std::collections::BTreeMap;
use std::time::Duration;

use awsim::{Answer, Awsim, Options};
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";

/// What came back.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub code: String,
    pub body: Value,
}

impl Answered {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{self:?}");
        self.body
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

pub struct World {
    pub sim: Awsim,
    pub now: Timestamp,
    key: String,
    names: BTreeMap<String, String>,
}

impl World {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let key = format!("AKIA{ACCOUNT}DEVELOPER");
        Self {
            sim: Awsim::new(options),
            now,
            key,
            names: BTreeMap::new(),
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    /// Calls from here on are signed with this key.
    pub fn key(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    /// Remembers an id: `{name}` stands for it in what is sent.
    pub fn name(&mut self, name: &str, id: &Value) {
        self.names.insert(
            name.to_owned(),
            id.as_str().unwrap_or_else(|| panic!("{name}: {id}")).to_owned(),
        );
    }

    pub fn id(&self, name: &str) -> &str {
        &self.names[name]
    }

    pub fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    }

    pub fn request(&self, line: &str, body: &Value) -> Request<Bytes> {
        let line = self.fill(line);
        let (verb, path) = line.split_once(' ').expect("VERB /path");
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(self.fill(&body.to_string()))
        };
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={}/20270115/{REGION}/apigateway/aws4_request, Signature=x",
            self.key
        );
        Request::builder()
            .method(verb)
            .uri(path)
            .header("authorization", scope)
            .header("user-agent", "tests")
            .header("accept", "application/json")
            .body(body)
            .unwrap()
    }

    pub fn answer(&self, line: &str, body: &Value) -> Answer {
        self.sim.answer(&self.request(line, body), self.now)
    }

    pub fn call(&self, line: &str, body: &Value) -> Answered {
        answered(&self.answer(line, body))
    }

    /// Calls CloudTrail in a region, as the SDKs do.
    pub fn cloudtrail_in(&self, region: &str, operation: &str, body: &Value) -> Answered {
        let mut request = self.request("POST /", body);
        let scope = request.headers()["authorization"].to_str().unwrap();
        let scope = scope.replace(&format!("/{REGION}/apigateway/"), &format!("/{region}/cloudtrail/"));
        let headers = request.headers_mut();
        headers.insert("authorization", scope.parse().unwrap());
        headers.insert("content-type", "application/x-amz-json-1.1".parse().unwrap());
        let target = format!("CloudTrail_20131101.{operation}");
        headers.insert("x-amz-target", target.parse().unwrap());
        answered(&self.sim.answer(&request, self.now))
    }

    /// The same in the region of these stories.
    pub fn cloudtrail(&self, operation: &str, body: &Value) -> Answered {
        self.cloudtrail_in(REGION, operation, body)
    }

    /// The events that `LookupEvents` tells of.
    #[track_caller]
    pub fn lookup(&self, body: &Value) -> Vec<Value> {
        let answer = self.cloudtrail("LookupEvents", body).ok();
        answer["Events"].as_array().unwrap().clone()
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call(&format!("GET {path}"), &Value::Null).ok()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.call(&format!("POST {path}"), body).ok()
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Value {
        self.call(&format!("PUT {path}"), body).ok()
    }

    /// Sends patch operations, each `op path` with a value, or null for none.
    pub fn patch(&self, path: &str, operations: &[(&str, Value)]) -> Answered {
        self.call(&format!("PATCH {path}"), &patches(operations))
    }

    /// An API `{api}` with the resource `{pets}` at /pets and a method GET on it that calls a backend.
    pub fn with_api(mut self) -> Self {
        let api = self.post(
            "/restapis",
            &json!({"name": "pets", "endpointConfiguration": {"types": ["REGIONAL"]}}),
        );
        self.name("api", &api["id"]);
        self.name("root", &api["rootResourceId"]);
        let pets = self.post("/restapis/{api}/resources/{root}", &json!({"pathPart": "pets"}));
        self.name("pets", &pets["id"]);
        self.put(
            "/restapis/{api}/resources/{pets}/methods/GET",
            &json!({"authorizationType": "NONE"}),
        );
        let integration = json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "https://pets.example.com/pets"});
        self.put("/restapis/{api}/resources/{pets}/methods/GET/integration", &integration);
        self
    }

    /// The same, deployed as `{deployment}` to the stage `prod`.
    pub fn with_stage(self) -> Self {
        let mut world = self.with_api();
        let deployment = world.post("/restapis/{api}/deployments", &json!({"stageName": "prod"}));
        world.name("deployment", &deployment["id"]);
        world
    }

    /// The export of a stage with extensions.
    #[track_caller]
    pub fn export(&self, stage: &str) -> Value {
        self.get(&format!(
            "/restapis/{{api}}/stages/{stage}/exports/oas30?extensions=apigateway"
        ))
    }
}

fn answered(answer: &Answer) -> Answered {
    let response = &answer.response;
    let code = response
        .headers()
        .get("x-amzn-ErrorType")
        .map(|code| code.to_str().unwrap().to_owned());
    Answered {
        status: response.status().as_u16(),
        code: code.unwrap_or_default(),
        body: serde_json::from_slice(response.body()).unwrap_or(Value::Null),
    }
}

pub fn patches(operations: &[(&str, Value)]) -> Value {
    let operations: Vec<Value> = operations
        .iter()
        .map(|(words, value)| {
            let mut words = words.split(' ');
            let mut operation = json!({"op": words.next()});
            if let Some(path) = words.next() {
                operation["path"] = json!(path);
            }
            if let Some(from) = words.next() {
                operation["from"] = json!(from);
            }
            if !value.is_null() {
                operation["value"] = value.clone();
            }
            operation
        })
        .collect();
    json!({"patchOperations": operations})
}
