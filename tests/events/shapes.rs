//! Every shape in which a change can be told.

use std::io::Write;

use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::queue::Listening;
use crate::support::{REGION, World};

fn zipped(text: &Value) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(text.to_string().as_bytes()).unwrap();
    zip.finish().unwrap()
}

fn by_sns(body: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t",
        "Message": body.to_string(), "Timestamp": "2026-11-25T07:00:00.000Z",
    })
}

fn by_event_bridge(record: &Value) -> Value {
    json!({
        "version": "0", "id": record["eventID"], "detail-type": "AWS API Call via CloudTrail", "source": "aws.apigateway",
        "account": record["recipientAccountId"], "time": record["eventTime"], "region": record["awsRegion"],
        "resources": [], "detail": record,
    })
}

/// AWS Config's notification of a change.
fn by_config(world: &World, api: &str) -> Value {
    json!({
        "messageType": "ConfigurationItemChangeNotification", "recordVersion": "1.3",
        "configurationItem": {
            "resourceType": "AWS::ApiGateway::Stage", "awsRegion": REGION, "awsAccountId": world.account_id,
            "resourceId": format!("arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod"),
            "ARN": format!("arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod"),
        },
    })
}

fn by_config_rule(world: &World, api: &str) -> Value {
    let detail = json!({
        "messageType": "ComplianceChangeNotification", "configRuleName": "api-gw-xray-enabled",
        "resourceType": "AWS::ApiGateway::Stage", "awsRegion": REGION, "awsAccountId": world.account_id,
        "resourceId": format!("arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod"),
        "newEvaluationResult": {"complianceType": "NON_COMPLIANT"},
    });
    json!({"version": "0", "source": "aws.config", "detail-type": "Config Rules Compliance Change", "region": REGION,
        "account": world.account_id, "detail": detail})
}

/// What CloudWatch Logs hands to a subscription of a trail's log group.
fn by_logs(record: &Value) -> Value {
    let payload = json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": [{"id": "1", "timestamp": 1, "message": record.to_string()}],
    });
    json!({"awslogs": {"data": STANDARD.encode(zipped(&payload))}})
}

async fn file(world: &World, name: &str, record: &Value) -> String {
    let key = format!(
        "trails here/AWSLogs/o-abc123/{0}/CloudTrail/{REGION}/2026/11/25/{0}_CloudTrail_{REGION}_20261125T0700Z_{name}.json.gz",
        world.account_id
    );
    let body = ByteStream::from(zipped(&json!({"Records": [record]})));
    let put = world.aws.s3.put_object().bucket(&world.aws.bucket).key(&key).body(body);
    put.send().await.unwrap();
    key
}

fn by_s3(world: &World, key: &str) -> Value {
    let key = key.replace(' ', "+").replace('/', "%2F");
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": REGION,
        "s3": {"bucket": {"name": world.aws.bucket}, "object": {"key": key}},
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_shape_the_change_is_found_and_where_the_shape_tells_it_by_name() {
    let Listening { world, queue, delivery } = Listening::new("shapes", 11, &[]).await;
    drop(delivery); // only what is put there by hand
    world.change_policy("https-only", json!({"enforcement": "Audit"})).await;
    let anna = world.developer("anna");
    let apis = anna.apis().await;
    for api in &apis {
        anna.update_stage(api, "prod", "/tracingEnabled", "false").await;
    }
    let record = |api: &str| {
        let of = |r: &&Value| r["eventName"] == "UpdateStage" && r["requestParameters"]["restApiId"] == api;
        world.sim.trail().iter().find(of).cloned().unwrap()
    };
    let one = file(&world, "one", &record(&apis[8])).await;
    let two = file(&world, "two", &record(&apis[9])).await;
    for (body, why) in [
        (by_event_bridge(&record(&apis[0])), "EventBridge"),
        (by_sns(&by_event_bridge(&record(&apis[1]))), "EventBridge, by SNS"),
        (
            json!([by_event_bridge(&record(&apis[2])), record(&apis[3])]),
            "several to a body",
        ),
        (by_sns(&by_config(&world, &apis[4])), "AWS Config's own topic"),
        (
            json!({"version": "0", "source": "aws.config", "detail-type": "Config Configuration Item Change", "detail": by_config(&world, &apis[5])}),
            "AWS Config, by EventBridge",
        ),
        (by_config_rule(&world, &apis[6]), "a rule of AWS Config's"),
        (by_logs(&record(&apis[7])), "a log group's subscription"),
        (by_s3(&world, &one), "a trail's file, told by S3"),
        (
            by_sns(&json!({"s3Bucket": world.aws.bucket, "s3ObjectKey": [two]})),
            "a trail's file, told by the trail",
        ),
        (json!({"Records": [record(&apis[10])]}), "records as in a trail's file"),
    ] {
        queue.put(&world, &body).await;
        assert!(!body.is_null(), "{why}");
    }
    let of_config = [&apis[4], &apis[5], &apis[6]];
    for api in &apis {
        let endpoint = world.endpoint_name(api);
        let known = |d: &Drift| {
            let named = d.status.as_ref().and_then(|s| s.actors.as_ref()).is_some();
            d.spec.endpoint == endpoint && d.status.is_some() && (named || of_config.contains(&api))
        };
        world.drift("tracing", &format!("is of {api}"), known).await;
    }
    assert_eq!(world.all_drifts().await.len(), apis.len());
    queue.drained(&world).await;
}
