//! `plumbline capture`: fixtures from what stands on AWS, which give the same verdicts, and hold no secret.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use awsim::seed::{Fleet, Seed};
use awsim::{Awsim, Fault, Options, Running};
use axum::body::Bytes;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::process::Command;

const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

const IDENTITY: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::111122223333:user/auditor</Arn><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"#;

/// An account with four APIs of two stages each.
struct World {
    sim: Awsim,
    address: String,
    apis: Vec<String>,
    sts: String,
    folder: PathBuf,
    _server: Running,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl World {
    /// `story` names the folder.
    async fn new(story: &str) -> Self {
        let fleet = Fleet {
            apis: 4,
            stages: vec!["prod".into(), "test".into()],
            name_prefix: "shop-".into(),
            ..Fleet::default()
        };
        World::of(story, fleet).await
    }

    async fn of(story: &str, fleet: Fleet) -> Self {
        let (sim, address, server) = awsim::start(Options::default()).await.unwrap();
        let apis = sim.seed(&Seed::fleet(fleet), jiff::Timestamp::now()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capture").join(story);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sts = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(|| async { ([("content-type", "text/xml")], IDENTITY) });
        tokio::spawn(async move { axum::serve(listener, router).await });
        World {
            sim,
            address: address.to_string(),
            apis,
            sts,
            folder,
            _server: server,
        }
    }

    /// Runs the program with an auditor's credentials in a clean environment.
    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.folder)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333AUDITOR")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_ENDPOINT_URL_API_GATEWAY", format!("http://{}", self.address))
            .env("AWS_ENDPOINT_URL_STS", &self.sts)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(Duration::from_mins(2), command.output()).await;
        let output = ended.expect("it ends within two minutes").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran {
            code: output.status.code().expect("it ends by itself"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    async fn capture(&self, more: &[&str]) -> Ran {
        let out = self.folder.join("fixtures");
        self.run(&[&["capture", "--budget", "none", "--out", out.to_str().unwrap()], more].concat())
            .await
    }

    /// The captured fixtures: their names and texts.
    fn fixtures(&self) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(self.folder.join("fixtures")).unwrap();
        let mut all: Vec<_> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read_to_string(&path).unwrap())
            })
            .collect();
        all.sort();
        all
    }

    /// A developer's call.
    fn call(&self, verb: &str, path: &str, body: &Value) -> Value {
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA111122223333DEVELOPER/20270115/eu-west-1/apigateway/aws4_request, Signature=x";
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let request = Request::builder()
            .method(verb)
            .uri(path)
            .header("accept", "application/json")
            .header("authorization", scope)
            .body(body)
            .unwrap();
        let response = self.sim.answer(&request, jiff::Timestamp::now()).response;
        assert!(response.status().is_success(), "{verb} {path}: {response:?}");
        serde_json::from_slice(response.body()).unwrap_or(Value::Null)
    }

    fn patch(&self, path: &str, operations: &[(&str, &str, &str)]) {
        let operations: Vec<Value> = operations
            .iter()
            .map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
            .collect();
        self.call("PATCH", path, &json!({"patchOperations": operations}));
    }

    /// The path of `GET /items` of an API.
    fn items(&self, api: &str) -> String {
        let resources = self.call("GET", &format!("/restapis/{api}/resources"), &Value::Null);
        let found = [&resources["_embedded"]["item"], &resources["item"]];
        let all = found.into_iter().find_map(Value::as_array).unwrap();
        let id = all.iter().find(|item| item["path"] == "/items").unwrap()["id"]
            .as_str()
            .unwrap();
        format!("/restapis/{api}/resources/{id}/methods/GET")
    }

    fn deploy(&self, api: &str, stage: &str) {
        self.call(
            "POST",
            &format!("/restapis/{api}/deployments"),
            &json!({"stageName": stage}),
        );
    }

    /// Everything that the packs look at goes wrong somewhere: live, drafted, by a stage variable, at a domain name.
    fn go_wrong(&self) {
        let [first, second, third, _] = &self.apis[..] else {
            panic!("four APIs")
        };
        let integration = |api: &str| format!("{}/integration", self.items(api));
        self.patch(
            &integration(first),
            &[("replace", "/uri", "http://backend.example.com/items")],
        );
        self.patch(&format!("/restapis/{first}"), &[("replace", "/policy", "")]);
        self.deploy(first, "prod");
        self.patch(
            &format!("/restapis/{first}/stages/prod"),
            &[
                ("replace", "/tracingEnabled", "false"),
                ("replace", "/*/*/caching/enabled", "true"),
                ("replace", "/*/*/logging/dataTrace", "true"),
            ],
        );
        self.patch(
            &integration(second),
            &[("replace", "/uri", "${stageVariables.url}/items")],
        );
        self.deploy(second, "prod");
        self.deploy(second, "test");
        self.patch(
            &format!("/restapis/{second}/stages/prod"),
            &[("replace", "/variables/url", "http://backend.example.com/v1/secret")],
        );
        self.patch(
            &format!("/restapis/{second}/stages/test"),
            &[("replace", "/variables/url", "https://backend.example.com")],
        );
        self.patch(&self.items(third), &[("replace", "/authorizationType", "AWS_IAM")]);
        self.patch(
            &integration(third),
            &[("replace", "/uri", "http://backend.example.com/items")],
        );
        for (name, policy) in [("old.example.com", "TLS_1_0"), ("new.example.com", "TLS_1_2")] {
            let domain = json!({"domainName": name, "securityPolicy": policy, "endpointConfiguration": {"types": ["REGIONAL"]},
                "regionalCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/1"});
            self.call("POST", "/domainnames", &domain);
        }
    }
}

impl Ran {
    #[track_caller]
    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }
}

/// What `check` found, as expectations.
fn expectations(findings: &Value) -> Vec<Value> {
    let expectation = |finding: &Value| {
        let mut expected = json!({
            "policy": finding["policy"], "rule": finding["rule"], "endpoint": finding["endpoint"],
            "resource": finding["resource"], "finding": finding["message"],
            "outcome": if finding["unknown"] == true { "Unknown" } else { "Violated" },
        });
        if finding["unknown"] == false {
            expected["scope"] = finding["scope"].clone();
            expected["stages"] = finding["stages"].clone();
            let calls = finding["plan"].as_array().unwrap();
            let deploy = calls
                .iter()
                .position(|call| call["operation"] == "CreateDeployment")
                .unwrap_or(calls.len());
            if !calls.is_empty() {
                let patches = calls[..deploy].iter().flat_map(|call| {
                    let patches = call["patchOperations"].as_array().unwrap().iter();
                    patches.map(|p| json!({"operation": call["operation"], "op": p["op"], "path": p["path"], "value": p["value"]}))
                });
                expected["plan"] = patches.collect();
                let stages = calls[deploy..].iter().skip(1);
                expected["deploy"] = stages.map(|call| call["parameters"]["stageName"].clone()).collect();
            }
        }
        expected
    };
    findings.as_array().unwrap().iter().map(expectation).collect()
}

#[tokio::test]
async fn a_captured_account_is_judged_as_the_real_one() {
    let world = World::new("verdicts").await;
    world.go_wrong();
    let words = "Unable to build exporter: model is not valid";
    let fault = Fault::error("GetExport", 400, "BadRequestException", words);
    world.sim.fault(fault.on("restApiId", &world.apis[3]));
    let checked = world
        .run(&["check", "--budget", "none", "-f", PACKS, "-o", "json"])
        .await;
    let report: Value = serde_json::from_str(&checked.ended(2).out).unwrap();
    let expect = expectations(&report["findings"]);
    for rule in [
        "backends-over-https",
        "backends-by-variable-over-https",
        "callers-over-https",
        "apis-on-current-tls",
        "domains-on-current-tls",
        "methods-ask-who-calls",
        "cache-encryption",
        "no-bodies-in-production-logs",
    ] {
        assert!(
            expect.iter().any(|e| e["rule"] == rule),
            "{rule} is not violated, so nothing is compared: {report}"
        );
    }
    assert!(expect.iter().any(|e| e["outcome"] == "Unknown"), "{report}");
    assert!(expect.iter().any(|e| e["scope"] == "Draft"), "{report}");

    let captured = world.capture(&[]).await;
    assert!(
        captured
            .ended(0)
            .out
            .ends_with("6 fixtures, 0 that could not be read\n"),
        "{}",
        captured.out
    );
    let files: Vec<String> = world
        .fixtures()
        .into_iter()
        .map(|(name, _)| format!("fixtures/{name}"))
        .collect();
    let test = json!({"kind": "PolicyTest", "policies": [PACKS], "fixtures": files, "expect": expect});
    std::fs::write(world.folder.join("a.test.json"), test.to_string()).unwrap();
    let tested = world.run(&["test", world.folder.to_str().unwrap()]).await;
    assert!(tested.ended(0).out.contains(": all as expected"), "{}", tested.out);

    let wrote = world
        .sim
        .calls()
        .into_iter()
        .find(|call| !call.read_only && call.principal.contains("auditor"));
    assert!(wrote.is_none(), "capture only reads: {wrote:?}");
}

#[tokio::test]
async fn what_may_be_secret_stays_on_aws() {
    let world = World::new("secrets").await;
    let api = &world.apis[0];
    let integration = format!("{}/integration", world.items(api));
    let referer = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
        "Resource": "execute-api:/*", "Condition": {"StringEquals": {"aws:Referer": "hush-referer"}}}]});
    world.patch(
        &format!("/restapis/{api}"),
        &[("replace", "/policy", &referer.to_string())],
    );
    world.patch(
        &integration,
        &[
            (
                "replace",
                "/uri",
                "https://user:hush-password@backend.example.com/items?code=hush-code",
            ),
            (
                "add",
                "/requestParameters/integration.request.header.Authorization",
                "'Bearer hush-token'",
            ),
            (
                "add",
                "/requestTemplates/application~1json",
                "{\"key\": \"hush-template\"}",
            ),
        ],
    );
    world.deploy(api, "prod");
    world.patch(
        &format!("/restapis/{api}/stages/prod"),
        &[("replace", "/variables/dbPassword", "hush-variable")],
    );
    world.capture(&["--api", api]).await.ended(0);
    let all = world.fixtures();
    assert_eq!(all.len(), 1, "one API was asked for");
    let (name, text) = &all[0];
    assert_eq!(name, &format!("eu-west-1-restapi-{api}.yaml"));
    assert!(!text.contains("hush"), "{text}");
    for kept in [
        "dbPassword",
        "backend.example.com/items",
        "integration.request.header.Authorization",
        "aws:Referer",
    ] {
        assert!(text.contains(kept), "{kept} tells what is there: {text}");
    }
    world.capture(&["--api", api]).await.ended(0);
    assert_eq!(world.fixtures(), all, "nothing changed, so nothing differs");
    world.capture(&["--api", api, "--templates"]).await.ended(0);
    let text = &world.fixtures()[0].1;
    assert!(
        text.contains("hush-template") && !text.contains("hush-token"),
        "templates, and nothing else: {text}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_rest_is_written() {
    let world = World::new("denied").await;
    let words = "User: arn:aws:iam::111122223333:user/auditor is not authorized to perform: apigateway:GET";
    world
        .sim
        .fault(Fault::error("GetResources", 403, "AccessDeniedException", words).on("restApiId", &world.apis[1]));
    let ran = world.capture(&[]).await;
    let told = ran
        .ended(2)
        .out
        .lines()
        .find(|line| line.starts_with("could not be read"));
    let told = told.unwrap_or_else(|| panic!("{}", ran.out));
    assert!(told.contains(&world.apis[1]) && told.contains(words), "{told}");
    let names: Vec<String> = world.fixtures().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 3, "a half-read API is no fixture: {names:?}");
    let ran = world.capture(&["--api", "nothere"]).await;
    assert!(
        ran.ended(2).out.contains("Invalid API identifier"),
        "AWS's own words: {}",
        ran.out
    );
}

#[tokio::test]
async fn a_capture_makes_the_calls_of_one_reading() {
    let world = World::new("calls").await;
    world.capture(&[]).await.ended(0);
    let mine: Vec<String> = world
        .sim
        .calls()
        .into_iter()
        .map(|call| call.operation.to_owned())
        .collect();
    let count = |name: &str| mine.iter().filter(|operation| *operation == name).count();
    let counts = [
        "GetRestApis",
        "GetDomainNames",
        "GetStages",
        "GetResources",
        "GetExport",
    ]
    .map(count);
    assert_eq!(
        counts,
        [1, 1, 4, 4, 4],
        "both stages of an API have one deployment: {mine:?}"
    );
    assert_eq!(mine.len(), 14, "and nothing else: {mine:?}");
}

#[tokio::test]
async fn a_large_api_is_captured_and_judged() {
    let fleet = Fleet {
        methods: 600,
        ..Fleet::default()
    };
    let world = World::of("large", fleet).await;
    world.capture(&[]).await.ended(0);
    let (name, text) = &world.fixtures()[0];
    assert!(
        text.len() > 300_000,
        "both the editor and what is deployed: {}",
        text.len()
    );
    let test = json!({"kind": "PolicyTest", "policies": [PACKS], "fixtures": [format!("fixtures/{name}")], "strict": false,
        "expect": [{"rule": "backends-over-https", "outcome": "Compliant"}]});
    std::fs::write(world.folder.join("a.test.json"), test.to_string()).unwrap();
    world.run(&["test", world.folder.to_str().unwrap()]).await.ended(0);
}
