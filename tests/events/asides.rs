//! What is of no use is counted, and nothing else happens.

use std::io::Write;

use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::queue::{Listening, Queue, depth};
use crate::support::{REGION, World, until_seen};

/// An event on an API, as EventBridge delivers it.
fn event(world: &World, api: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut record = json!({
        "eventVersion": "1.09", "eventTime": "2026-11-25T07:00:00Z", "eventSource": "apigateway.amazonaws.com",
        "eventName": "UpdateStage", "awsRegion": REGION, "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2",
        "eventID": format!("of-{api}"), "readOnly": false, "recipientAccountId": world.account_id,
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{}:user/anna", world.account_id)},
        "requestParameters": {"restApiId": api, "stageName": "prod", "updateStageInput": {"patchOperations": [
            {"op": "replace", "path": "/tracingEnabled", "value": "false"}]}},
    });
    change(&mut record);
    json!({
        "version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail", "source": "aws.apigateway",
        "account": world.account_id, "time": record["eventTime"], "region": REGION, "resources": [], "detail": record,
    })
}

fn happens_now(record: &mut Value) {
    record["eventTime"] = json!(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

/// Waits until something was counted so often.
async fn counted(world: &World, kind: &str, count: u64) {
    let line = format!("plumbline_intake_total{{kind=\"{kind}\"}} {count}");
    until_seen(&line, || async {
        let text = world.metrics().await;
        if text.lines().any(|l| l == line) {
            Ok(())
        } else {
            Err(text
                .lines()
                .filter(|l| l.starts_with("plumbline_intake"))
                .collect::<Vec<_>>()
                .join("\n"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_understood_and_of_no_use_is_counted_and_deleted() {
    let Listening { world, queue, delivery } = Listening::new("asides", 1, &[]).await;
    drop(delivery); // only what is put there by hand
    let api = world.developer("anna").apis().await.remove(0);
    let reads = || world.sim.calls().iter().filter(|c| c.operation == "GetStages").count();
    let before = reads();
    for (change, kind) in [
        (json!({"recipientAccountId": "999999999999"}), "foreign_account"),
        (json!({"awsRegion": "us-east-1"}), "region_not_watched"),
        (json!({"errorCode": "AccessDenied"}), "failed_call"),
        (json!({"readOnly": true, "eventName": "GetStage"}), "read_only"),
        (
            json!({"requestParameters": {"apiId": api, "stageName": "prod"}}),
            "other_service",
        ),
        (
            json!({"eventName": "CreateApiKey", "requestParameters": {}}),
            "no_endpoint",
        ),
    ] {
        let body = event(&world, &api, |record| {
            for (name, value) in change.as_object().unwrap() {
                record[name] = value.clone();
            }
        });
        queue.put(&world, &body).await;
        counted(&world, kind, 1).await;
    }
    queue.drained(&world).await;
    assert_eq!(reads(), before, "nothing was read for any of them");
    assert!(world.all_drifts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_value_is_counted_and_the_endpoint_read_all_the_same() {
    let Listening { world, queue, delivery } = Listening::new("masked", 1, &[]).await;
    drop(delivery);
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let body = event(&world, &api, |record| {
        happens_now(record);
        record["requestParameters"]["updateStageInput"]["patchOperations"][0]["value"] = json!("***");
    });
    queue.put(&world, &body).await;
    let named = |d: &Drift| d.status.as_ref().is_some_and(|s| s.actors.is_some());
    let drift = world.drift("tracing", "names somebody", named).await;
    assert_eq!(drift.status.unwrap().actors.unwrap().editor.unwrap().name, "user/anna");
    counted(&world, "masked", 1).await;
    queue.drained(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_holds_nothing_up_and_ends_on_the_dead_letter_queue() {
    let Listening { world, delivery, .. } = Listening::new("poison", 2, &[]).await;
    drop(delivery);
    world.change_policy("https-only", json!({"enforcement": "Audit"})).await;
    let queue = Queue::redriven(&world, "poison", 1).await;
    world.change_account(json!({"events": {"queues": [queue.url]}})).await;
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    let tell = |at: usize| {
        let (world, queue, anna, api) = (&world, &queue, &anna, &apis[at]);
        async move {
            anna.update_stage(api, "prod", "/tracingEnabled", "false").await;
            queue.put(world, &event(world, api, happens_now)).await;
            let endpoint = world.endpoint_name(api);
            let found = |d: &Drift| d.spec.endpoint == endpoint;
            world.drift("tracing", &format!("is of {api}"), found).await;
        }
    };
    tell(0).await;
    let mut broken = zipped(b"{}");
    broken.truncate(broken.len() - 6);
    let poison = [
        ("no JSON at all".to_owned(), "not_json"),
        (json!({"hello": "world"}).to_string(), "unknown_shape"),
        (
            json!({"awslogs": {"data": "no base64!"}}).to_string(),
            "malformed_base64",
        ),
        (
            json!({"awslogs": {"data": STANDARD.encode(broken)}}).to_string(),
            "malformed_gzip",
        ),
    ];
    for (body, kind) in &poison {
        queue.put_text(&world, body).await;
        counted(&world, kind, 1).await;
    }
    for words in ["a message is not understood", "NotJson"] {
        assert!(world.logged(words), "{words}");
    }
    assert!(!world.logged("no JSON at all"), "what is in it may be secret");
    tell(1).await;
    // Hidden for a minute once it was taken; then SQS moves it.
    let mut bodies = poison.map(|(body, _)| body);
    bodies.sort();
    until_seen("all that, on the dead-letter queue", || async {
        let seen = (queue.depth(&world).await, depth(&world, &queue.dead).await);
        if seen == (0, 4) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    assert_eq!(queue.dead(&world).await, bodies);
    assert_eq!(world.all_drifts().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trails_file_beyond_all_measure_is_counted_and_read_no_further() {
    let Listening { world, queue, delivery } = Listening::new("huge", 1, &[]).await;
    drop(delivery);
    let key = format!(
        "AWSLogs/{0}/CloudTrail/{REGION}/2026/11/25/{0}_CloudTrail_{REGION}_20261125T0700Z_a.json.gz",
        world.account_id
    );
    // 500 MB of blanks: less than 3 MB zipped.
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(b"{\"Records\":[").unwrap();
    let blanks = vec![b' '; 1024 * 1024];
    for _ in 0..500 {
        zip.write_all(&blanks).unwrap();
    }
    zip.write_all(b"]}").unwrap();
    let file = ByteStream::from(zip.finish().unwrap());
    let put = world.aws.s3.put_object().bucket(&world.aws.bucket).key(&key).body(file);
    put.send().await.unwrap();
    queue
        .put(&world, &json!({"s3Bucket": world.aws.bucket, "s3ObjectKey": [key]}))
        .await;
    counted(&world, "too_large", 1).await;
    queue.drained(&world).await;
}
