//! What leaves, against moto's S3, SNS and SQS: a record is written once, and a message reaches whom its filter names.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story that cannot be set up fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use axum::http::StatusCode;
use plumbline::api::Drift;
use plumbline::api::account::{Audit, Notify, Topic};
use plumbline::api::policy::EndpointType;
use plumbline::record::{AuditBucket, Class, Entry, Place, TopicKind, Topics, Transition};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

async fn aws() -> SdkConfig {
    let url = std::env::var("PLUMBLINE_MOTO").expect("PLUMBLINE_MOTO names no moto server: run make test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("testing", "testing", None, None, "story"))
        .endpoint_url(url)
        .load()
        .await
}

/// A Drift of its own for each story, as moto keeps what earlier ones wrote.
fn entry(uid: &str, transition: Transition) -> Entry {
    let drift: Drift = serde_json::from_value(json!({
        "apiVersion": "plumbline.dev/v1alpha1",
        "kind": "Drift",
        "metadata": {"name": "tracing-7f3a", "namespace": "payments", "uid": uid},
        "spec": {
            "policy": "https-only", "policyUid": "9f", "rule": "tracing", "endpoint": "e", "resource": "prod",
            "target": "AWS::ApiGateway::Stage",
        },
        "status": {
            "severity": "High", "endpointName": "payments-api-3", "detectedAt": "2026-03-01T08:00:00Z",
            "difference": [{"path": "tracingEnabled", "from": false, "to": true}],
        },
    }))
    .unwrap();
    let place = Place {
        account_id: "111122223333".into(),
        region: REGION.into(),
        endpoint_type: EndpointType::RestApi,
        endpoint_id: "abc123".into(),
    };
    Entry::new(&drift, transition, &place, None).unwrap()
}

/// A bucket with versions, so that a second write would show.
async fn bucket(config: &SdkConfig, name: &str) -> (aws_sdk_s3::Client, AuditBucket) {
    let client = aws_sdk_s3::Client::new(config);
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .build();
    client
        .create_bucket()
        .bucket(name)
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
    let versions = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    client
        .put_bucket_versioning()
        .bucket(name)
        .versioning_configuration(versions)
        .send()
        .await
        .unwrap();
    let audit = Audit {
        bucket: name.into(),
        prefix: "audit/v1/".into(),
        region: None,
    };
    (client, AuditBucket::of(config, &audit, REGION))
}

fn name(story: &str) -> String {
    format!("{story}-{}", std::process::id())
}

#[tokio::test]
async fn a_record_is_written_once_however_often_it_is_asked_for() {
    let (client, audit) = bucket(&aws().await, &name("once")).await;
    let first = entry("uid-1", Transition::Detected);
    let key = audit.write(&first).await.unwrap();
    assert_eq!(
        key,
        "audit/v1/account=111122223333/region=eu-west-1/year=2026/month=03/day=01/uid-1-detected.jsonl.gz"
    );
    assert_eq!(audit.write(&first).await.unwrap(), key);
    let later = Entry {
        message: "the actor became known in between".into(),
        ..first.clone()
    };
    assert_eq!(
        audit.write(&later).await.unwrap(),
        key,
        "the same transition, told with more words"
    );

    let versions = client
        .list_object_versions()
        .bucket(audit.bucket())
        .send()
        .await
        .unwrap();
    assert_eq!(versions.versions().len(), 1);
    let object = client
        .get_object()
        .bucket(audit.bucket())
        .key(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (object.content_type(), object.content_encoding()),
        (Some("application/gzip"), None)
    );
    let bytes = object.body.collect().await.unwrap().into_bytes();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes.as_ref()), &mut text).unwrap();
    assert_eq!(text, first.line() + "\n");

    let resolved = audit.write(&entry("uid-1", Transition::Resolved)).await.unwrap();
    assert_ne!(resolved, key, "each transition has its own object");
}

#[tokio::test]
async fn what_stands_in_a_records_place_is_left_alone_and_named() {
    let (client, audit) = bucket(&aws().await, &name("foreign")).await;
    let (mine, other) = (
        entry("uid-2", Transition::Detected),
        entry("uid-3", Transition::Detected),
    );
    let put = |body: Vec<u8>| {
        client
            .put_object()
            .bucket(audit.bucket())
            .key(audit.key(&mine))
            .body(ByteStream::from(body))
            .send()
    };
    put(b"not ours".to_vec()).await.unwrap();
    let error = audit.write(&mine).await.unwrap_err();
    assert_eq!((error.class(), error.is_transient()), (Class::Occupied, false));
    assert!(
        error.to_string().contains("8 bytes that are no audit record"),
        "{error}"
    );

    let key = audit.write(&other).await.unwrap();
    let record = client
        .get_object()
        .bucket(audit.bucket())
        .key(key)
        .send()
        .await
        .unwrap();
    put(record.body.collect().await.unwrap().to_vec()).await.unwrap();
    let error = audit.write(&mine).await.unwrap_err();
    assert!(error.to_string().contains("holds the record uid-3/Detected"), "{error}");
}

#[tokio::test]
async fn a_conflict_is_tried_again() {
    // moto has no 409: this S3 has nothing else, twice.
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
        assert_eq!(request.headers()["if-none-match"], "*");
        assert!(
            request.headers().contains_key("x-amz-checksum-sha256"),
            "what Object Lock asks for"
        );
        let code = "<Error><Code>ConditionalRequestConflict</Code><Message>again</Message></Error>";
        let status = if count.fetch_add(1, Ordering::Relaxed) < 2 {
            StatusCode::CONFLICT
        } else {
            StatusCode::OK
        };
        async move { (status, if status == StatusCode::OK { "" } else { code }) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let config = aws().await.into_builder().endpoint_url(url).build();
    let audit = AuditBucket::new(aws_sdk_s3::Client::new(&config), "acme", "");
    audit.write(&entry("uid-6", Transition::Detected)).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_bucket_or_topic_that_is_missing_is_a_settled_fault_with_advice() {
    let config = aws().await;
    let audit = AuditBucket::new(aws_sdk_s3::Client::new(&config), "nobody-made-this-one", "");
    let error = audit.write(&entry("uid-4", Transition::Detected)).await.unwrap_err();
    assert_eq!(error.class(), Class::Settled);
    assert!(error.to_string().contains("NoSuchBucket"), "AWS's own words: {error}");
    assert!(
        error
            .to_string()
            .contains("create the bucket or correct spec.audit.bucket"),
        "{error}"
    );

    let arn = "arn:aws:sns:eu-west-1:123456789012:nobody-made-this-one".to_owned();
    let notify = Notify {
        people: None,
        machines: Some(Topic { topic_arn: arn }),
    };
    let topics = Topics::new(&config, &notify).unwrap();
    let error = topics
        .publish(&entry("uid-4", Transition::Detected), TopicKind::Machines)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Settled);
    assert!(
        error.to_string().contains("correct spec.notify.machines.topicArn"),
        "{error}"
    );
    assert!(!topics.has(TopicKind::People));
}

/// A topic of a region of its own, and a queue that gets what the filter lets through.
async fn topic_with_queue(
    config: &SdkConfig,
    name: &str,
    region: &'static str,
    filter: Value,
) -> (Topic, aws_sdk_sqs::Client, String) {
    let config = config.clone().into_builder().region(Region::new(region)).build();
    let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let topic = sns.create_topic().name(name).send().await.unwrap().topic_arn.unwrap();
    let queue = sqs
        .create_queue()
        .queue_name(name)
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    let about = sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(QueueAttributeName::QueueArn);
    let arn = about.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
    subscribe
        .attributes("FilterPolicy", filter.to_string())
        .send()
        .await
        .unwrap();
    (Topic { topic_arn: topic }, sqs, queue)
}

/// The one message in a queue, as SNS wraps it.
async fn only(sqs: &aws_sdk_sqs::Client, queue: &str) -> Value {
    let received = sqs
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(10)
        .wait_time_seconds(5);
    let messages = received.send().await.unwrap().messages.unwrap_or_default();
    assert_eq!(messages.len(), 1, "{messages:?}");
    serde_json::from_str(messages[0].body().unwrap()).unwrap()
}

#[tokio::test]
async fn people_get_a_letter_and_machines_the_document_each_in_its_topics_region() {
    let config = aws().await;
    let (people, letters, letter_box) = topic_with_queue(
        &config,
        &name("people"),
        "eu-central-1",
        json!({"severity": ["High", "Critical"]}),
    )
    .await;
    let (machines, documents, queue) = topic_with_queue(
        &config,
        &name("machines"),
        REGION,
        json!({"transition": ["Detected"], "namespace": ["payments"]}),
    )
    .await;
    let topics = Topics::new(
        &config,
        &Notify {
            people: Some(people),
            machines: Some(machines),
        },
    )
    .unwrap();

    let detected = entry("uid-5", Transition::Detected).recorded("acme", "audit/x.jsonl.gz");
    let told = topics.publish(&detected, TopicKind::Machines).await.unwrap();
    topics
        .publish(&entry("uid-5", Transition::Resolved), TopicKind::Machines)
        .await
        .unwrap();
    let message = only(&documents, &queue).await;
    assert_eq!(message["MessageId"], told.as_str());
    assert_eq!(
        message["Message"],
        detected.line(),
        "the document itself, nothing around it"
    );
    let attributes = message["MessageAttributes"].as_object().unwrap();
    assert_eq!(attributes.len(), 10);
    assert_eq!(attributes["endpointType"]["Value"], "AWS::ApiGateway::RestApi");
    assert_eq!(attributes["id"]["Value"], "uid-5/Detected");

    topics.publish(&detected, TopicKind::People).await.unwrap();
    let letter = only(&letters, &letter_box).await;
    assert_eq!(
        letter["Subject"],
        "[High] Drift: tracing on payments-api-3 (111122223333)"
    );
    let text = letter["Message"].as_str().unwrap();
    for words in [
        "tracingEnabled: found false, wanted true",
        "s3://acme/audit/x.jsonl.gz",
        "kubectl describe drift tracing-7f3a -n payments",
    ] {
        assert!(text.contains(words), "{words:?} not in\n{text}");
    }
}
