//! The stack of `deploy/aws`, and the story on what it made: the account is the one that the stack says.
//!
//! moto holds what the stack makes, and lets everybody use it. It has no API Gateway whose calls a trail could record: awsim stands in for that,
//! and for what CloudTrail answers. In the first story it stands in for EventBridge, too, with AWS's whole envelope. In the second one moto's
//! EventBridge carries the events: there the stack's rule decides, and the envelope names no account.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use aws_sdk_s3::types::ObjectLockMode;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use plumbline::api::Drift;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::queue::depth;
use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{REGION, World, cluster, https_only_rules, phase, reason, until, until_seen};

/// The stack's name, which every name in it begins with.
const NAME: &str = "acme";

/// A world whose account has a stack, and a controller that was told of nothing else.
struct Stack {
    world: World,
    outputs: HashMap<String, String>,
}

impl Stack {
    /// As `docs/aws-setup.md` says it, step by step.
    async fn new(story: &str, parameters: &[&str]) -> Stack {
        let mut world = World::seeded(story, 2).await;
        let outputs = deploy(&world.account_id, parameters).await;
        world.aws.bucket.clone_from(&outputs["AuditBucketName"]); // where the story looks for records
        let stack = Stack { world, outputs };
        // Whoever else wants to hear: the story's own queues.
        stack.subscribe("PeopleTopicArn", "people").await;
        stack.subscribe("MachinesTopicArn", "machines").await;
        stack
    }

    /// The custom resource that comes out of the stack, and what is left to say: grants. Sweeps are an hour apart, so that events tell, and a
    /// label says whose story it is. Then the controller, and a policy.
    async fn watch(&mut self, policy: Value) {
        let mut told: Value = serde_saphyr::from_str(&self.outputs["AwsAccount"]).unwrap();
        let name = told["metadata"]["name"].as_str().unwrap().to_owned();
        assert_eq!(name, format!("{NAME}-{}", self.world.account_id));
        self.world
            .create_account(|account| {
                told["metadata"]["labels"] = account["metadata"]["labels"].take();
                told["spec"]["grants"] = account["spec"]["grants"].take();
                told["spec"]["sweep"] = json!({"interval": "1h"});
                *account = told;
            })
            .await;
        self.world.start().await;
        for condition in ["Ready", "Observed", "Listening"] {
            let wanted = format!("{condition}=True");
            self.world.account_says(&name, condition, &wanted).await;
        }
        let mut whole = json!({"accounts": [name], "rules": https_only_rules()});
        for (key, value) in policy.as_object().unwrap() {
            whole[key] = value.clone();
        }
        self.world.policy("https-only", whole).await;
        self.world.compliant("https-only").await;
    }

    async fn subscribe(&self, topic: &str, queue: &str) {
        let Stack { world, outputs } = self;
        let arn = format!("arn:aws:sqs:{REGION}:{}:plumbline-{queue}", world.account_id);
        let subscribed = world.aws.sns.subscribe().topic_arn(&outputs[topic]);
        subscribed.protocol("sqs").endpoint(arn).send().await.unwrap();
    }

    /// A queue of the stack's, by the address under which moto has it.
    fn on_loopback(&self, queue: &str) -> String {
        let (_, path) = self.outputs[queue].split_once(".amazonaws.com/").unwrap();
        format!("{}/{path}", cluster::moto())
    }

    /// Waits until nothing is left on the stack's queues; nothing was put aside.
    async fn all_dealt_with(&self) {
        let Stack { world, outputs } = self;
        until_seen("empty queues", || async {
            let left = [
                depth(world, &outputs["EventsQueueUrl"]).await,
                depth(world, &outputs["RepairsQueueUrl"]).await,
            ];
            if left == [0, 0] {
                Ok(())
            } else {
                Err(format!("{left:?}\n{}", world.log()))
            }
        })
        .await;
        for aside in ["EventsDeadLettersUrl", "RepairsDeadLettersUrl"] {
            assert_eq!(depth(world, &outputs[aside]).await, 0, "{aside}");
        }
    }

    /// The record of a transition, as it stands in the stack's bucket: once, and locked for as long as the stack says.
    async fn record(&self, drift: &Drift, transition: &str) -> Value {
        let aws = &self.world.aws;
        let end = format!("/{}-{transition}.jsonl.gz", drift.metadata.uid.as_ref().unwrap());
        let listed = aws.s3.list_object_versions().bucket(&aws.bucket).send().await.unwrap();
        let of = |key: Option<&str>| key.is_some_and(|key| key.starts_with("audit/v1/") && key.ends_with(&end));
        let [version] = listed.versions().iter().filter(|v| of(v.key())).collect::<Vec<_>>()[..] else {
            panic!("not one version of {end}: {:?}", listed.versions())
        };
        let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
        assert_ne!(id, "null", "the bucket is versioned");
        let head = aws.s3.head_object().bucket(&aws.bucket).key(key).send().await.unwrap();
        assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Governance));
        let until = Timestamp::from_second(head.object_lock_retain_until_date().unwrap().secs()).unwrap();
        let hours = until.duration_since(Timestamp::now()).as_hours();
        assert!((364 * 24..=365 * 24).contains(&hours), "locked until {until}");
        let deleted = aws.s3.delete_object().bucket(&aws.bucket).key(key).version_id(id);
        deleted
            .send()
            .await
            .expect_err("nobody deletes a record before its time");
        aws.audit(key).await
    }

    /// Puts what the trail has recorded on the account's event bus, reads and all: the stack's rule picks. On AWS CloudTrail does that.
    async fn onto_the_bus(&self) {
        let entry = |record: &Value| {
            let event = awsim::event(record);
            json!({"Source": event["source"], "DetailType": event["detail-type"], "Detail": record.to_string()})
        };
        let entries: Vec<Value> = self.world.sim.trail().iter().map(entry).collect();
        for some in entries.chunks(10) {
            put_events(&self.world.account_id, some).await;
        }
    }

    /// Writes what the trail has recorded into the trail's bucket, as CloudTrail does every few minutes. S3 tells the stack's queue.
    async fn write_trail_file(&self) {
        let World {
            aws, sim, account_id, ..
        } = &self.world;
        let key = format!(
            "AWSLogs/{account_id}/CloudTrail/{REGION}/2026/11/25/{account_id}_CloudTrail_{REGION}_20261125T0700Z_one.json.gz"
        );
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(json!({"Records": sim.trail()}).to_string().as_bytes())
            .unwrap();
        let put = aws.s3.put_object().bucket(&self.outputs["TrailBucketName"]).key(key);
        put.body(zip.finish().unwrap().into()).send().await.unwrap();
    }
}

/// Deploys the template as whoever sets an account up, and gives its outputs.
async fn deploy(account_id: &str, parameters: &[&str]) -> HashMap<String, String> {
    let deployed = Command::new(cluster::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/stack.py"))
        .args(["--endpoint", &cluster::moto(), "--account", account_id])
        .args(["--region", REGION, "--name", NAME])
        .arg(format!("ControllerArn=arn:aws:iam::{account_id}:role/plumbline-pod"))
        .args(["ExternalId=plumbline-acme", "PeopleEmail=platform@example.com"])
        .args(parameters)
        .kill_on_drop(true)
        .output();
    let deployed = tokio::time::timeout(Duration::from_mins(2), deployed).await;
    let done = deployed.expect("a stack within two minutes").unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// One `PutEvents`, with at most ten events.
async fn put_events(account_id: &str, entries: &[Value]) {
    let moto = cluster::moto();
    let host = moto.trim_start_matches("http://");
    let body = json!({"Entries": entries}).to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AWSEvents.PutEvents\r\nx-moto-account-id: {account_id}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIASTORY/20260101/{REGION}/events/aws4_request, SignedHeaders=host, Signature=0\r\n\
         \r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"FailedEntryCount\": 0"), "{answer}");
}

fn names_both(drift: &Drift) -> bool {
    let actors = drift.status.as_ref().and_then(|s| s.actors.as_ref());
    actors.is_some_and(|a| a.editor.is_some() && a.deployer.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_set_up_by_its_stack_is_watched_told_of_recorded_and_repaired() {
    let mut stack = Stack::new("stack", &[]).await;
    stack.watch(json!({})).await;
    let Stack { world, outputs } = &stack;
    let queue = stack.on_loopback("EventsQueueUrl");
    let delivery = world.sim.deliver_to(&queue, &world.account_id).unwrap();
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    delivery.change(|route| route.delay_ms = 2_000); // both are told when both are done
    anna.point_backend(&api, CLEAR_TEXT).await;
    boris.deploy(&api, "prod").await;

    let what = "is repaired and names both";
    let repaired = |d: &Drift| phase(d) == "Resolved" && names_both(d);
    world.drift("backends-over-https", what, repaired).await;
    let drift = world.told("backends-over-https", "Resolved").await;
    assert_eq!(reason(&drift), "Repaired");
    let status = drift.status.as_ref().unwrap();
    let actors = status.actors.as_ref().unwrap();
    let [editor, deployer] = [&actors.editor, &actors.deployer].map(|who| who.as_ref().unwrap());
    assert_eq!(
        [&editor.name, &editor.event_name, &deployer.name, &deployer.event_name],
        ["user/anna", "UpdateIntegration", "user/boris", "CreateDeployment"]
    );
    assert!(of_drift(&drift, "Attributed").starts_with("Attributed=True"));
    assert_eq!(anna.backend(&api).await, before, "the last compliant value is back");
    assert!(
        status.proof.as_ref().unwrap().contains("deployment"),
        "{:?}",
        status.proof
    );
    world.compliant("https-only").await;

    let (detected, resolved) = (
        stack.record(&drift, "detected").await,
        stack.record(&drift, "resolved").await,
    );
    assert_eq!(detected["difference"][0]["from"], CLEAR_TEXT, "{detected:#}");
    assert_eq!(resolved["resolution"], "Repaired", "{resolved:#}");
    assert_eq!(resolved["actors"]["deployer"]["name"], "user/boris");
    let told = world.aws.machines().await;
    let transitions: Vec<&str> = told.iter().map(|m| m["transition"].as_str().unwrap()).collect();
    assert_eq!(transitions, ["Detected", "Resolved"]);
    assert_eq!(told[1]["audit"]["bucket"], outputs["AuditBucketName"].as_str());
    let letters = world.aws.people().await;
    assert_eq!(letters.len(), 2, "{letters:#?}");
    assert!(letters[0]["Message"].as_str().unwrap().contains(CLEAR_TEXT));

    until("every event on its queue", || async {
        (delivery.delivered().waiting == 0).then_some(())
    })
    .await;
    stack.all_dealt_with().await;
    assert_eq!(world.all_drifts().await.len(), 1, "the own repair is none");
    // What looks is the one role, what changes anything the other.
    for call in world.sim.calls().iter().filter(|c| !c.principal.contains(":user/")) {
        let role = if call.read_only { "observe" } else { "repair" };
        let taken = format!(":assumed-role/{NAME}-{role}/");
        assert!(
            call.principal.contains(&taken),
            "{} by {}",
            call.operation,
            call.principal
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_the_stacks_rule_is_found_and_what_passes_its_subscription_is_repaired() {
    let mut stack = Stack::new("stackq", &[]).await;
    let filter = json!({"severity": ["High", "Critical"], "namespace": [stack.world.name]}).to_string();
    let (sns, topic) = (&stack.world.aws.sns, &stack.outputs["MachinesTopicArn"]);
    let subscribed = sns.list_subscriptions_by_topic().topic_arn(topic).send().await.unwrap();
    let of = |endpoint: Option<&str>| endpoint.is_some_and(|e| e.ends_with(&format!(":{NAME}-repairs")));
    let own = subscribed.subscriptions().iter().find(|s| of(s.endpoint())).unwrap();
    let set = sns.set_subscription_attributes().attribute_name("FilterPolicy");
    let set = set.attribute_value(filter);
    set.subscription_arn(own.subscription_arn().unwrap())
        .send()
        .await
        .unwrap();
    stack.watch(json!({"repairs": {"via": "Queue"}})).await;

    let world = &stack.world;
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let apis = anna.apis().await;
    anna.update_stage(&apis[1], "prod", "/tracingEnabled", "false").await;
    stack.onto_the_bus().await;
    world.told("tracing", "Detected").await;
    let before = anna.backend(&apis[0]).await;
    anna.point_backend(&apis[0], CLEAR_TEXT).await;
    boris.deploy(&apis[0], "prod").await;
    stack.onto_the_bus().await;
    let resolved = |d: &Drift| phase(d) == "Resolved" && names_both(d);
    let drift = world.drift("backends-over-https", "is repaired", resolved).await;
    let status = drift.status.as_ref().unwrap();
    let released = status.released.as_ref().unwrap();
    let detected = stack.record(&drift, "detected").await;
    assert_eq!(detected["planDigest"], released.plan_digest, "its own notification");
    assert_eq!(anna.backend(&apis[0]).await, before);

    stack.all_dealt_with().await;
    let held_back = world
        .drift("tracing", "waits", |d| reason(d) == "AwaitingMessage")
        .await;
    assert!(held_back.status.unwrap().released.is_none(), "it is not severe");
    let metrics = world.metrics().await;
    let calls = "plumbline_intake_total{kind=\"call\"} 3";
    assert!(metrics.lines().any(|l| l == calls), "{metrics}");
    assert!(!metrics.contains("kind=\"read_only\""), "the rule keeps reads out");
    let told = world.aws.machines().await;
    let of_tracing = told.iter().any(|m| m["rule"] == "tracing");
    assert!(of_tracing, "whoever else listens is told of what is not severe, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_in_the_stacks_trail_is_announced_and_read() {
    let mut stack = Stack::new("stackf", &["TrailFiles=yes"]).await;
    stack.watch(json!({})).await;
    let world = &stack.world;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    stack.write_trail_file().await;
    let attributed = |d: &Drift| of_drift(d, "Attributed").starts_with("Attributed=True");
    let drift = world.drift("tracing", "is attributed", attributed).await;
    let editor = drift.status.unwrap().actors.unwrap().editor.unwrap();
    assert_eq!(
        (editor.name.as_str(), editor.event_name.as_str()),
        ("user/anna", "UpdateStage")
    );
    world.told("tracing", "Resolved").await;
    stack.all_dealt_with().await;
    let metrics = world.metrics().await;
    let files = "plumbline_intake_total{kind=\"file\"} 1";
    assert!(metrics.lines().any(|l| l == files), "{metrics}");
}
