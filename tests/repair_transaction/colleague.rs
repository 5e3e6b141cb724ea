//! Somebody else who works on the same API.

use awsim::Awsim;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::wire::Clock;
use crate::world::{ACCOUNT, REGION};

/// Writes as another principal, at any time, also between two of Plumbline's calls.
#[derive(Clone)]
pub struct Colleague {
    pub sim: Awsim,
    pub clock: Clock,
    pub api: String,
}

impl Colleague {
    /// `{/items}` is the resource of that path, `/…` stands below the API.
    pub fn call(&self, line: &str, body: &Value) -> (u16, Value) {
        let (verb, path) = line.split_once(' ').unwrap();
        let path = match path.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((at, rest)) => format!("/restapis/{}/resources/{}{rest}", self.api, self.resource(at)),
            None if path.starts_with("/domainnames") || path.starts_with("/tags") => path.to_owned(),
            None => format!("/restapis/{}{path}", self.api),
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA{ACCOUNT}ANNA/20270115/{REGION}/apigateway/aws4_request, Signature=x"
        );
        let request = http::Request::builder()
            .method(verb)
            .uri(path)
            .header("authorization", scope)
            .header("accept", "application/json")
            .body(Bytes::from(body))
            .unwrap();
        let response = self.sim.answer(&request, self.clock.now()).response;
        let answer = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), answer)
    }

    /// A call that works.
    #[track_caller]
    pub fn ok(&self, line: &str, body: &Value) -> Value {
        let (status, answer) = self.call(line, body);
        assert!(status < 300, "{line}: {status} {answer}");
        answer
    }

    /// One patch operation, as in `replace /uri`.
    #[track_caller]
    pub fn patch(&self, at: &str, operation: &str, value: &str) {
        self.ok(&format!("PATCH {at}"), &patch(operation, value));
    }

    pub fn uri(&self, method: &str, uri: &str) {
        let (verb, path) = method.split_once(' ').unwrap();
        self.patch(&format!("{{{path}}}/methods/{verb}/integration"), "replace /uri", uri);
    }

    /// Adds a method that calls a backend.
    pub fn add_method(&self, method: &str) {
        let (verb, path) = method.split_once(' ').unwrap();
        let at = format!("PUT {{{path}}}/methods/{verb}");
        self.ok(&at, &json!({"authorizationType": "NONE"}));
        self.ok(&format!("{at}/integration"), &integration(verb, path));
    }

    pub fn add_resource(&self, path: &str) {
        let part = path.trim_start_matches('/');
        self.ok("POST {/}", &json!({"pathPart": part}));
    }

    /// To these stages, with one deployment.
    pub fn deploy(&self, stages: &[&str]) -> String {
        let made = self.ok("POST /deployments", &json!({"description": "anna"}));
        let id = made["id"].as_str().unwrap().to_owned();
        for stage in stages {
            self.patch(&format!("/stages/{stage}"), "replace /deploymentId", &id);
        }
        id
    }

    pub fn state(&self) -> Value {
        self.sim.api_state(ACCOUNT, REGION, &self.api).unwrap()
    }

    pub fn deployed(&self, stage: &str) -> String {
        self.state()["stages"][stage]["deploymentId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub fn resource(&self, path: &str) -> String {
        let state = self.state();
        state["editor"]["resources"][path]["id"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }

    /// The id of the first authorizer, validator, …
    pub fn first(&self, kind: &str) -> String {
        self.state()["editor"][kind][0]["id"].as_str().unwrap().to_owned()
    }
}

pub fn patch(operation: &str, value: &str) -> Value {
    let (op, path) = operation.split_once(' ').unwrap();
    let mut one = json!({"op": op, "path": path});
    if op != "remove" {
        one["value"] = value.into();
    }
    json!({"patchOperations": [one]})
}

pub fn integration(verb: &str, path: &str) -> Value {
    json!({"type": "HTTP_PROXY", "httpMethod": verb, "uri": format!("https://backend.example.com{path}")})
}
