//! `plumbline check`, as a person or a pipeline runs it, against API Gateway's simulator.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use awsim::seed::{Fleet, Seed};
use awsim::{Awsim, Fault, Options, Running};
use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

const IDENTITY: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::111122223333:user/auditor</Arn><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"#;

const INVALID_TOKEN: &str = r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type><Code>InvalidClientTokenId</Code>
    <Message>The security token included in the request is invalid.</Message>
  </Error>
  <RequestId>1</RequestId>
</ErrorResponse>"#;

const BACKENDS: &str = r#"
apiVersion: plumbline.dev/v1alpha1
kind: EndpointPolicy
metadata: {name: https-only}
spec:
  rules:
  - name: backends-over-https
    target: AWS::ApiGateway::Method
    severity: Critical
    require: "object.methodIntegration.uri.startsWith('https://')"
    message: "'calls ' + object.methodIntegration.uri + ' in clear text'"
    restore: [methodIntegration.uri]
"#;

const TRACING: &str = "
apiVersion: plumbline.dev/v1alpha1
kind: EndpointPolicy
metadata: {name: tracing}
spec:
  rules:
  - name: traced
    target: AWS::ApiGateway::Stage
    desired: {tracingEnabled: true}
";

/// A policy of one rule on methods.
fn policy(name: &str, require: &str) -> String {
    json!({
        "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy", "metadata": {"name": name},
        "spec": {"rules": [{"name": "asks", "target": "AWS::ApiGateway::Method", "require": require}]},
    })
    .to_string()
}

/// An account with two APIs of two stages each, and a folder for policies.
struct World {
    sim: Awsim,
    address: String,
    apis: Vec<String>,
    sts: String,
    folder: PathBuf,
    _server: Running,
}

/// What a run left behind.
struct Ran {
    code: i32,
    out: String,
    err: String,
    took: Duration,
}

impl World {
    /// `story` names the folder.
    async fn new(story: &str) -> Self {
        let (sim, address, server) = awsim::start(Options::default()).await.unwrap();
        let fleet = Fleet {
            apis: 2,
            stages: vec!["prod".into(), "test".into()],
            name_prefix: "shop-".into(),
            ..Fleet::default()
        };
        let apis = sim.seed(&Seed::fleet(fleet), jiff::Timestamp::now()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check").join(story);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        World {
            sim,
            address: address.to_string(),
            apis,
            sts: sts(StatusCode::OK, IDENTITY).await,
            folder,
            _server: server,
        }
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The command, as it stands after `plumbline`, with credentials in a clean environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.folder)
            .env("AWS_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", format!("AKIA{ACCOUNT}AUDITOR"))
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_ENDPOINT_URL_API_GATEWAY", format!("http://{}", self.address))
            .env("AWS_ENDPOINT_URL_STS", &self.sts)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Judges the folder's policies.
    async fn check(&self, more: &[&str]) -> Ran {
        let folder = self.folder.to_str().unwrap();
        run(self.command(&[&["check", "--budget", "none", "-f", folder], more].concat())).await
    }

    fn call(&self, verb: &str, path: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(verb)
            .uri(path)
            .header("accept", "application/json");
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA{ACCOUNT}DEVELOPER/20270115/{REGION}/apigateway/aws4_request, Signature=x"
        );
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let answer = self.sim.answer(
            &request.header("authorization", scope).body(body).unwrap(),
            jiff::Timestamp::now(),
        );
        assert!(
            answer.response.status().is_success(),
            "{verb} {path}: {:?}",
            answer.response
        );
        serde_json::from_slice(answer.response.body()).unwrap_or(Value::Null)
    }

    /// A developer lets `GET /items` of an API call its backend in clear text.
    fn in_clear_text(&self, api: &str) {
        let resources = self.call("GET", &format!("/restapis/{api}/resources"), &Value::Null);
        let items = resources["_embedded"]["item"]
            .as_array()
            .or(resources["item"].as_array())
            .unwrap();
        let id = items.iter().find(|i| i["path"] == "/items").unwrap()["id"]
            .as_str()
            .unwrap();
        let patch = json!({"patchOperations": [{"op": "replace", "path": "/uri", "value": "http://backend.example.com/items"}]});
        self.call(
            "PATCH",
            &format!("/restapis/{api}/resources/{id}/methods/GET/integration"),
            &patch,
        );
    }

    fn deploy(&self, api: &str, stage: &str) {
        self.call(
            "POST",
            &format!("/restapis/{api}/deployments"),
            &json!({"stageName": stage}),
        );
    }
}

async fn run(mut command: Command) -> Ran {
    let began = Instant::now();
    let ended = tokio::time::timeout(Duration::from_mins(1), command.output())
        .await
        .expect("it ends within a minute");
    let Output { status, stdout, stderr } = ended.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: status.code().expect("it ends by itself"),
        out: text(stdout),
        err: text(stderr),
        took: began.elapsed(),
    };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

impl Ran {
    /// The table's row that holds a word.
    #[track_caller]
    fn row(&self, word: &str) -> &str {
        self.out
            .lines()
            .find(|line| line.contains(word))
            .unwrap_or_else(|| panic!("no row with {word}: {} {}", self.out, self.err))
    }

    #[track_caller]
    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
}

/// STS that gives one answer to whatever it is asked.
async fn sts(status: StatusCode, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || async move { (status, [("content-type", "text/xml")], body) };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_compliant_fleet_ends_with_0() {
    let world = World::new("compliant").await;
    let ran = world
        .file("a.yaml", BACKENDS)
        .file("deeper/b.yml", TRACING)
        .check(&[])
        .await;
    // Two APIs: two methods each, and two stages each.
    assert_eq!(ran.ended(0).out, "2 endpoints, 8 verdicts: 0 violations, 0 unknown\n");
    let wrote = world.sim.calls().into_iter().find(|call| !call.read_only);
    assert!(wrote.is_none(), "check only reads: {wrote:?}");
}

#[tokio::test]
async fn what_is_deployed_is_live() {
    let world = World::new("live").await;
    world.in_clear_text(&world.apis[0]);
    world.deploy(&world.apis[0], "prod");
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    let row = ran.ended(1).row("backends-over-https");
    says(
        row,
        &[
            "Critical",
            "shop-0001",
            "GET /items",
            "Live prod",
            "calls http://backend.example.com/items in clear text",
        ],
    );
    assert!(
        !row.contains("test"),
        "callers of the other stage meet the old deployment: {row}"
    );
    says(&ran.out, &["1 violations, 0 unknown"]);
}

#[tokio::test]
async fn what_is_not_deployed_is_a_draft() {
    let world = World::new("draft").await;
    world.in_clear_text(&world.apis[1]);
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    let row = ran.ended(1).row("backends-over-https");
    says(row, &["shop-0002", "GET /items", "Draft"]);
    assert!(!row.contains("Live"), "{row}");
}

#[tokio::test]
async fn the_formats_say_the_same() {
    let world = World::new("formats").await;
    world.in_clear_text(&world.apis[0]);
    world.deploy(&world.apis[0], "prod");
    world.file("a.yaml", BACKENDS);
    let json: Value = serde_json::from_str(&world.check(&["-o", "json"]).await.ended(1).out).unwrap();
    assert_eq!(json["findings"][0]["stages"], json!(["prod"]));
    let sarif: Value = serde_json::from_str(&world.check(&["-o", "sarif"]).await.ended(1).out).unwrap();
    let place = format!("{REGION}/{}/GET /items", world.apis[0]);
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["logicalLocations"][0];
    assert_eq!(location["fullyQualifiedName"], json!(place));
    let xml = world.check(&["-o", "junit"]).await;
    says(
        &xml.ended(1).out,
        &[
            "<testsuite name=\"https-only\" tests=\"1\" failures=\"1\" errors=\"0\"",
            "<failure type=\"Critical\"",
        ],
    );
}

#[tokio::test]
async fn a_denied_read_is_unknown_and_never_compliant() {
    let world = World::new("denied").await;
    let words = "User: arn:aws:iam::111122223333:user/auditor is not authorized to perform: apigateway:GET";
    world
        .sim
        .fault(Fault::error("GetResources", 403, "AccessDeniedException", words).on("restApiId", &world.apis[0]));
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    let told = ran.ended(2).row("could not be read");
    says(told, &[&world.apis[0], "GetResources", words]);
    says(&ran.out, &["1 endpoints, 2 verdicts: 0 violations, 1 unknown"]);
    assert_eq!(ran.out.matches(words).count(), 1, "told once: {}", ran.out);
    let xml = world.check(&["-o", "junit"]).await;
    says(&xml.ended(2).out, &["<error type=\"Unread\"", "<skipped"]);
}

#[tokio::test]
async fn a_list_that_is_denied_is_unknown_as_a_whole() {
    let world = World::new("list-denied").await;
    world
        .sim
        .fault(Fault::error("GetRestApis", 403, "AccessDeniedException", "not for you"));
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    says(
        ran.ended(2).row("could not be read"),
        &[REGION, "GetRestApis", "not for you"],
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_is_unknown() {
    let world = World::new("cut").await;
    let cut = Fault {
        operation: Some("GetResources".into()),
        truncate: true,
        ..Fault::default()
    };
    world.sim.fault(cut.on("restApiId", &world.apis[1]));
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    says(ran.ended(2).row("could not be read"), &[&world.apis[1], "GetResources"]);
}

#[tokio::test]
async fn a_broken_policy_is_named_and_the_others_are_judged() {
    let world = World::new("broken").await;
    world.in_clear_text(&world.apis[0]);
    world
        .file("broken.yaml", &policy("broken", "object.httpMethod.startsWith('G'"))
        .file("good.yaml", BACKENDS);
    let ran = world.check(&[]).await;
    says(
        ran.ended(2).row("wrong in a policy"),
        &[
            "broken.yaml",
            "EndpointPolicy broken",
            "rule asks, require",
            "line 1, column",
        ],
    );
    says(ran.row("backends-over-https"), &["shop-0001", "Draft"]);
}

#[tokio::test]
async fn what_is_no_policy_is_named() {
    for (text, words, why) in [
        (
            "kind: EndpointPolicy\nspec: {rules: []}",
            "at least one rule",
            "no rules",
        ),
        (
            "kind: EndpointPolicy\nmetadata: {name: p}\nspec: {rules: [{name: r}]}",
            "target",
            "a rule without a target",
        ),
        ("spec: {}", "kind", "no kind"),
        ("kind: [", "a.yaml", "no YAML"),
        (
            &policy("p", "objekt.httpMethod == 'GET'"),
            "unknown variable `objekt`",
            "a variable that does not exist",
        ),
        (
            &policy("p", "object.httpMethod.startswith('G')"),
            "startswith",
            "a function that does not exist",
        ),
    ] {
        let world = World::new("no-policy").await;
        let ran = world.file("a.yaml", text).check(&[]).await;
        assert_eq!(ran.code, 2, "{why}: {}{}", ran.out, ran.err);
        says(ran.row("wrong in a policy"), &[words]);
    }
}

#[tokio::test]
async fn a_folder_without_policies_is_a_mistake() {
    let world = World::new("empty").await;
    says(&world.check(&[]).await.ended(2).err, &["no EndpointPolicy in it"]);
    let ran = run(world.command(&["check", "-f", "/no/such/folder"])).await;
    says(&ran.ended(2).err, &["/no/such/folder"]);
}

#[tokio::test]
async fn without_credentials_it_says_so() {
    let world = World::new("no-credentials").await;
    world.file("a.yaml", BACKENDS);
    let mut command = world.command(&["check", "-f", world.folder.to_str().unwrap()]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = run(command).await;
    says(&ran.ended(2).err, &["GetCallerIdentity", "credential"]);
    assert_eq!(ran.out, "", "no report of an account that nobody looked at");
}

#[tokio::test]
async fn wrong_credentials_are_told_in_aws_own_words() {
    let mut world = World::new("wrong-credentials").await;
    world.sts = sts(StatusCode::FORBIDDEN, INVALID_TOKEN).await;
    let ran = world.file("a.yaml", BACKENDS).check(&[]).await;
    says(
        &ran.ended(2).err,
        &[
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ],
    );
}

#[tokio::test]
async fn huge_expressions_are_refused_within_seconds() {
    let deep = format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000));
    let long = format!("object.httpMethod != '{}'", "x".repeat(1 << 20));
    let wide = vec!["true"; 200_000].join(" && ");
    for (name, require) in [("deep", deep), ("long", long), ("wide", wide)] {
        let world = World::new(name).await;
        world
            .file("huge.yaml", &policy(name, &require))
            .file("good.yaml", TRACING);
        let ran = world.check(&[]).await;
        let told = ran.ended(2).row("wrong in a policy");
        says(told, &["huge.yaml", "require"]);
        assert!(
            told.len() < 2000,
            "{name}: the complaint is no longer than a person reads: {}",
            told.len()
        );
        assert!(ran.took < Duration::from_secs(10), "{name} took {:?}", ran.took);
        says(&ran.out, &["2 endpoints, 4 verdicts: 0 violations"]);
    }
}

/// The examples of docs/policies.md are what the documentation says: they compile, and are judged without an error.
#[tokio::test]
async fn the_examples_of_the_documentation_can_be_asked() {
    let world = World::new("examples").await;
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples");
    let told = run(world.command(&["check", "--budget", "none", "-o", "json", "-f", examples])).await;
    let report: Value = serde_json::from_str(&told.ended(1).out).unwrap();
    let names = |key: &str, field: &str| -> Vec<String> {
        let all = report[key].as_array().unwrap().iter();
        all.map(|one| one[field].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(report["faults"], json!([]));
    assert_eq!(
        report["policies"].as_array().unwrap().len(),
        std::fs::read_dir(examples).unwrap().count()
    );
    let mut found = names("findings", "rule");
    found.sort();
    found.dedup();
    // The simulator's fleet asks nobody who they are, logs nothing and has no tags; the rest holds or does not apply.
    assert_eq!(found, ["access-logs", "authorization", "owned"], "{}", told.out);
}
