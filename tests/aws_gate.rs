//! What the gate lets through, and what each answer of AWS becomes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use plumbline::api::account::AwsAccountSpec;
use plumbline::api::drift;
use plumbline::aws::apigateway::{Client, read, write};
use plumbline::aws::budget::{Budget, Priority};
use plumbline::aws::gate::{Counts, Fence, Gate};
use plumbline::aws::session::{Limits, Sessions};
use plumbline::aws::{Class, Error};
use serde_json::json;

const ACCOUNT: &str = "111122223333";

/// From method, URI and number of the call to status and body.
type Answer = dyn Fn(&str, &str, usize) -> (u16, String) + Send + Sync;

/// Answers as told, and keeps what was asked.
#[derive(Clone)]
struct Script {
    asked: Arc<Mutex<Vec<String>>>,
    answer: Arc<Answer>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    fn new(answer: impl Fn(&str, &str, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        Script {
            asked: Arc::default(),
            answer: Arc::new(answer),
        }
    }

    fn always(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Script::new(move |_, _, _| (status, body.clone()))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn http(&self) -> SharedHttpClient {
        let script = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(script.clone()))
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri().to_owned();
        let at = {
            let mut asked = self.asked.lock().unwrap();
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            asked.push(format!("{} {uri} {body}", request.method()));
            asked.len() - 1
        };
        let (status, body) = (self.answer)(request.method(), &uri, at);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        let code = match status {
            429 => Some("TooManyRequestsException"),
            403 => Some("AccessDeniedException"),
            404 => Some("NotFoundException"),
            400 => Some("BadRequestException"),
            _ => None,
        };
        if let Some(code) = code {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

#[derive(Default)]
struct Leader(AtomicBool);

impl Fence for Leader {
    fn may_write(&self, account_id: &str) -> bool {
        assert_eq!(account_id, ACCOUNT);
        self.0.load(Ordering::SeqCst)
    }
}

struct World {
    client: Client,
    budget: Arc<Budget>,
    leader: Arc<Leader>,
    counts: Arc<Counts>,
    script: Script,
}

fn config(script: &Script) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "static");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(script.http())
        .build()
}

fn world(script: Script) -> World {
    let budget = Arc::new(Budget::api_gateway(1.0));
    let (leader, counts) = (Arc::new(Leader::default()), Arc::new(Counts::default()));
    let gate = Gate::new(script.http(), ACCOUNT, budget.clone(), leader.clone(), counts.clone());
    World {
        client: Client::new(&config(&script), gate, ACCOUNT, "eu-west-1").at(Priority::Repair),
        budget,
        leader,
        counts,
        script,
    }
}

fn stage_call() -> drift::Call {
    drift::Call {
        operation: "UpdateStage".into(),
        parameters: [("restApiId", "a"), ("stageName", "prod")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        patch_operations: vec![drift::PatchOperation {
            op: "replace".into(),
            path: "/tracingEnabled".into(),
            value: Some("true".into()),
        }],
    }
}

#[tokio::test]
async fn a_write_is_sent_only_by_the_leader_and_only_once() {
    let world = world(Script::always(500, "{}"));
    let fenced = write::apply(&world.client, &stage_call()).await.unwrap_err();
    assert_eq!(fenced.class, Class::Fenced, "{fenced}");
    assert!(world.script.asked().is_empty(), "nothing is sent");

    world.leader.0.store(true, Ordering::SeqCst);
    let failed = write::apply(&world.client, &stage_call()).await.unwrap_err();
    assert_eq!(failed.class, Class::Unavailable, "{failed}");
    assert_eq!(world.script.asked().len(), 1, "no retry: it may have worked");
    assert_eq!(world.counts.by_operation()["UpdateStage"], 1);
}

#[tokio::test]
async fn a_leadership_lost_between_two_writes_stops_the_second() {
    let world = world(Script::always(200, "{}"));
    world.leader.0.store(true, Ordering::SeqCst);
    write::apply(&world.client, &stage_call()).await.unwrap();
    world.leader.0.store(false, Ordering::SeqCst);
    let fenced = write::apply(&world.client, &stage_call()).await.unwrap_err();
    assert_eq!(fenced.class, Class::Fenced);
    assert_eq!(world.script.asked().len(), 1);
    world.client.get_stages("a").await.unwrap_err();
    assert_eq!(world.script.asked().len(), 2, "reads go on");
}

#[tokio::test]
async fn throttling_is_told_and_slows_everything_down() {
    let world = world(Script::always(429, r#"{"message":"Too Many Requests"}"#));
    let error = world.client.get_stages("a").await.unwrap_err();
    assert_eq!(error.class, Class::Throttled);
    assert_eq!(
        error.to_string(),
        "GetStages: TooManyRequestsException: Too Many Requests"
    );
    assert_eq!(world.counts.by_operation()["GetStages"], 3, "a read has three attempts");
    assert!(world.budget.pace() <= 0.6, "pace {}", world.budget.pace());
}

#[tokio::test]
async fn denied_in_awss_own_words() {
    let words = "User: arn:aws:sts::111122223333:assumed-role/o/p is not authorized to perform: apigateway:GET on \
                 resource: arn:aws:apigateway:eu-west-1::/restapis";
    let world = world(Script::always(403, &json!({"message": words}).to_string()));
    let error = read::list_rest_apis(&world.client).await.unwrap_err();
    assert_eq!(error.class, Class::Denied);
    assert_eq!(
        error.to_string(),
        format!("GetRestApis: AccessDeniedException: {words}")
    );
    assert_eq!(
        error.missing_permission().unwrap(),
        "apigateway:GET on arn:aws:apigateway:eu-west-1::/restapis"
    );
    assert_eq!(world.script.asked().len(), 1, "a settled fault is not repeated");
}

#[tokio::test]
async fn half_an_answer_is_none() {
    for (body, why) in [
        (r#"{"item":[{"id":"a","name":"x"#, "cut"),
        ("<html>proxy</html>", "not of AWS"),
        ("{}", "without the list"),
        ("", "empty"),
        ("[]", "another shape"),
    ] {
        let world = world(Script::always(200, body));
        let error = read::list_rest_apis(&world.client).await.unwrap_err();
        assert_eq!(error.class, Class::Malformed, "{why}: {error}");
    }
}

#[tokio::test]
async fn a_list_ends_only_with_its_last_page() {
    let page = |id: &str, next: Option<&str>| {
        let mut page = json!({"item": [{"id": id, "name": id, "policy": "{}", "odd": 1}]});
        if let Some(next) = next {
            page["position"] = json!(next);
        }
        page.to_string()
    };
    let complete = world(Script::new(move |_, uri, _| {
        (
            200,
            if uri.contains("position=p1") {
                page("b", None)
            } else {
                page("a", Some("p1"))
            },
        )
    }));
    let listed = read::list_rest_apis(&complete.client).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(listed[0].document["odd"], 1, "what the SDK does not know is kept");
    let asked = complete.script.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].contains("limit=500"), "{asked:?}");

    let broken = world(Script::new(move |_, uri, _| {
        if uri.contains("position=p1") {
            (403, "{}".into())
        } else {
            (200, page("a", Some("p1")))
        }
    }));
    let error = read::list_rest_apis(&broken.client).await.unwrap_err();
    assert_eq!(error.class, Class::Denied, "never a shorter list");
}

/// An API with two stages on one deployment, whose stage can be pointed elsewhere.
fn live_api(updated: Arc<Mutex<u64>>, export: (u16, &'static str)) -> Script {
    Script::new(move |_, uri, _| {
        if uri.contains("/exports/") {
            (export.0, export.1.to_owned())
        } else if uri.contains("/stages") {
            let updated = *updated.lock().unwrap();
            let stage = |name: &str| json!({"stageName": name, "deploymentId": format!("d{}", updated / 10), "lastUpdatedDate": updated});
            (200, json!({"item": [stage("blue"), stage("green")]}).to_string())
        } else {
            (200, json!({"item": [{"id": "r", "path": "/"}]}).to_string())
        }
    })
}

#[tokio::test]
async fn a_deployment_is_exported_once() {
    let updated = Arc::new(Mutex::new(10));
    let world = world(live_api(updated.clone(), (200, r#"{"openapi":"3.0.1"}"#)));
    let cache = read::ExportCache::new();
    let exports = |script: &Script| script.asked().iter().filter(|one| one.contains("/exports/")).count();
    for (time, expected, why) in [
        (10, 1, "one for both stages"),
        (10, 1, "kept"),
        (
            11,
            1,
            "confirmed by the second reading, so the stage's later update changes nothing",
        ),
        (20, 2, "another deployment"),
        (
            21,
            3,
            "updated before it could be confirmed: the export may have been another's",
        ),
        (21, 3, "kept"),
    ] {
        *updated.lock().unwrap() = time;
        let reading = read::read_api(&world.client, "a", read::Depth::Live, &cache)
            .await
            .unwrap();
        assert!(reading.exports[&format!("d{}", time / 10)].is_ok());
        assert_eq!(exports(&world.script), expected, "{why}");
        assert_eq!(cache.len(), 1, "what no stage points at is forgotten");
    }
    let asked = ["green".to_owned(), "gone".to_owned()];
    let fresh = read::read_stage_exports(&world.client, "a", &asked, &cache)
        .await
        .unwrap();
    assert_eq!(exports(&world.script), 4, "past the cache");
    assert_eq!(fresh.keys().collect::<Vec<_>>(), ["green"]);
    assert!(!fresh["green"].moved && !fresh["green"].canary);
    assert_eq!(fresh["green"].deployment_id, "d2");
}

#[tokio::test]
async fn an_export_that_changes_without_a_deployment_is_told_every_time() {
    let world = world(Script::new(|_, uri, at| {
        if uri.contains("/exports/") {
            (200, json!({"asked": at}).to_string())
        } else {
            let stage = json!({"stageName": "prod", "deploymentId": "d", "lastUpdatedDate": 1});
            (200, json!({"item": [stage]}).to_string())
        }
    }));
    let cache = read::ExportCache::new();
    let stages = ["prod".to_owned()];
    for moved in [false, true, true] {
        let fresh = read::read_stage_exports(&world.client, "a", &stages, &cache)
            .await
            .unwrap();
        assert_eq!(fresh["prod"].moved, moved);
    }
}

#[tokio::test]
async fn an_export_that_is_refused_is_unreadable_and_one_that_is_denied_ends_the_reading() {
    for (status, class) in [(400, None), (404, None), (403, Some(Class::Denied))] {
        let world = world(live_api(Arc::new(Mutex::new(10)), (status, r#"{"message":"no"}"#)));
        let read = read::read_api(&world.client, "a", read::Depth::Live, &read::ExportCache::new()).await;
        match class {
            None => assert!(read.unwrap().exports["d1"].as_ref().unwrap_err().contains("GetExport")),
            Some(class) => assert_eq!(read.unwrap_err().class, class),
        }
    }
}

#[tokio::test]
async fn only_what_is_needed_is_read() {
    for (depth, calls) in [
        (read::Depth::Stages, 1),
        (read::Depth::Resources, 2),
        (read::Depth::Live, 3),
    ] {
        let world = world(live_api(Arc::new(Mutex::new(10)), (200, "{}")));
        read::read_api(&world.client, "a", depth, &read::ExportCache::new())
            .await
            .unwrap();
        assert_eq!(world.counts.by_operation().values().sum::<u64>(), calls, "{depth:?}");
    }
}

fn account(roles: bool) -> AwsAccountSpec {
    let role = |name: &str| json!({"arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"), "externalId": "x"});
    let mut spec = json!({"accountId": ACCOUNT, "regions": ["eu-west-1"]});
    if roles {
        spec["roles"] = json!({"observe": role("observe"), "repair": role("repair")});
    }
    serde_json::from_value(spec).unwrap()
}

async fn sessions(script: &Script) -> Sessions {
    let own = config(script);
    let base = aws_config::defaults(BehaviorVersion::latest())
        .region(own.region().cloned())
        .credentials_provider(own.credentials_provider().unwrap())
        .http_client(script.http())
        .load()
        .await;
    let leader = Leader::default();
    leader.0.store(true, Ordering::SeqCst);
    Sessions::new(&base, "c1", Arc::new(leader), Limits::Quotas)
}

fn identity(account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account}:user/u</Arn><UserId>U</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

#[tokio::test]
async fn credentials_of_another_account_are_told_by_its_id() {
    let session = sessions(&Script::always(200, &identity("999988887777")))
        .await
        .of(&account(false));
    let error = session.identify().await.unwrap_err();
    assert_eq!(error.class, Class::NoCredentials);
    assert!(error.message.contains("belong to account 999988887777"), "{error}");
    let session = sessions(&Script::always(200, &identity(ACCOUNT)))
        .await
        .of(&account(false));
    session.identify().await.unwrap();
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_told_in_awss_words() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: u is not authorized \
                   to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/observe</Message></Error>\
                   </ErrorResponse>";
    let script = Script::always(403, refusal);
    let session = sessions(&script).await.of(&account(true));
    let from_identify = session.identify().await.unwrap_err();
    let from_a_read = session.observer("eu-west-1").get_rest_apis().await.unwrap_err();
    for error in [from_identify, from_a_read] {
        assert_eq!((error.class, error.operation), (Class::Denied, "AssumeRole"), "{error}");
        assert_eq!(
            error.missing_permission().unwrap(),
            "sts:AssumeRole on arn:aws:iam::111122223333:role/observe"
        );
    }
}

#[tokio::test]
async fn whoever_observes_never_writes_and_a_session_lives_as_long_as_its_roles() {
    let script = Script::always(200, "{}");
    let sessions = sessions(&script).await;
    let session = sessions.of(&account(false));
    let error: Error = write::apply(&session.observer("eu-west-1"), &stage_call())
        .await
        .unwrap_err();
    assert_eq!(error.class, Class::Fenced);
    write::apply(&session.repairer("eu-west-1"), &stage_call())
        .await
        .unwrap();
    assert_eq!(sessions.counts().by_operation()["UpdateStage"], 1);
    assert!(Arc::ptr_eq(&session, &sessions.of(&account(false))));
    assert!(!Arc::ptr_eq(&session, &sessions.of(&account(true))));
}

#[tokio::test]
async fn a_role_is_assumed_once_for_all_regions_under_a_name_that_the_trail_shows() {
    let assumed = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                   <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                   <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let script = Script::new(move |_, uri, _| {
        let sts = uri.contains("//sts.");
        (200, if sts { assumed.into() } else { r#"{"item":[]}"#.into() })
    });
    let session = sessions(&script).await.of(&account(true));
    for region in ["eu-west-1", "eu-central-1"] {
        session.observer(region).get_rest_apis().await.unwrap();
    }
    let asked = script.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for part in ["RoleSessionName=plumbline-c1", "ExternalId=x", "role%2Fobserve"] {
        assert!(asked[0].contains(part), "{part} in {}", asked[0]);
    }
    assert!(asked[2].contains("eu-central-1"), "{}", asked[2]);
}

/// As `AWS_ENDPOINT_URL_API_GATEWAY` does.
#[derive(Debug)]
struct OwnEndpoint;

impl LoadServiceConfig for OwnEndpoint {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let asked = (key.service_id(), key.env()) == ("API Gateway", "AWS_ENDPOINT_URL");
        asked.then(|| "http://gateway.test:4566".into())
    }
}

#[tokio::test]
async fn endpoints_come_from_the_standard_variables() {
    let script = Script::always(200, r#"{"item":[]}"#);
    let base = config(&script).to_builder().service_config(OwnEndpoint).build();
    let session = Sessions::new(&base, "c1", Arc::new(Leader::default()), Limits::None).of(&account(false));
    session.observer("eu-west-1").get_rest_apis().await.unwrap();
    assert!(
        script.asked()[0].starts_with("GET http://gateway.test:4566/restapis"),
        "{:?}",
        script.asked()
    );
}
