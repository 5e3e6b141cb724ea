//! S3 or SNS out of order: the Drift waits and says so, nothing is repaired unrecorded, and it goes on by itself.

use serde_json::json;

use crate::support::aws::make_bucket;
use crate::support::seen::of_drift;
use crate::support::{Front, World, cluster, phase, reason, until};

/// A world whose policy is compliant and whose calls to a service, as in `S3`, meet a front.
async fn behind(story: &str, service: &str) -> (World, Front) {
    let front = Front::of(&cluster::moto()).await;
    let mut world = World::seeded(story, 1).await;
    world.create_account(|_| {}).await;
    world.https_only().await;
    let variable = format!("AWS_ENDPOINT_URL_{service}");
    world.start_with(&[(variable.as_str(), front.url.as_str())]).await;
    world.compliant("https-only").await;
    (world, front)
}

/// Anna opens an API to clear text, and deploys it; gives the API and where it pointed before.
async fn open(world: &World) -> (String, String) {
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    world.open_to_clear_text(&anna, &api, "prod").await;
    (api, before)
}

/// Waits until the Drift is repaired, then holds the record against what was done.
async fn goes_on(world: &World, api: &str, before: &str) {
    let drift = world
        .drift("backends-over-https", "is resolved", |d| phase(d) == "Resolved")
        .await;
    assert_eq!(reason(&drift), "Repaired");
    assert_eq!(world.developer("anna").backend(api).await, before);
    world
        .drift("backends-over-https", "is told to its end", |d| {
            d.status.as_ref().is_some_and(|s| s.notified.len() == 4)
        })
        .await;
    let keys = world.aws.audit_keys().await;
    let uid = drift.metadata.uid.as_ref().unwrap();
    let mine: Vec<&String> = keys.iter().filter(|k| k.contains(uid)).collect();
    assert_eq!(mine.len(), 2, "detected and resolved: {keys:?}");
    let told: Vec<String> = world
        .aws
        .machines()
        .await
        .iter()
        .map(|m| m["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, [format!("{uid}/Detected"), format!("{uid}/Resolved")]);
    let told: Vec<String> = world
        .aws
        .people()
        .await
        .iter()
        .map(|m| m["MessageAttributes"]["id"]["Value"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, [format!("{uid}/Detected"), format!("{uid}/Resolved")]);
    world.compliant("https-only").await;
}

#[tokio::test]
async fn while_s3_is_down_a_drift_waits_and_nothing_is_repaired_unrecorded() {
    let (mut world, s3) = behind("s3-down", "S3").await;
    s3.down();
    let (api, before) = open(&world).await;
    let drift = world
        .drift("backends-over-https", "waits for S3", |d| reason(d) == "RecordFailed")
        .await;
    assert_eq!(phase(&drift), "Waiting");
    let said = of_drift(&drift, "Recorded");
    let bucket = format!("PutObject s3://{}/audit/v1/", world.aws.bucket);
    assert!(said.starts_with("Recorded=False RecordFailed: "), "{said}");
    assert!(said.contains(&bucket), "what was tried: {said}");
    world
        .policy_says("https-only", "Compliant", "Compliant=False Drifted")
        .await;
    let met = s3.met();
    until("another attempt", || async { (s3.met() > met).then_some(()) }).await;
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0], "nothing is repaired unrecorded");
    assert!(
        world.aws.machines().await.is_empty(),
        "nobody is told of what is not recorded"
    );
    assert!(world.lives(), "{}", world.log());
    s3.mend();
    goes_on(&world, &api, &before).await;
}

#[tokio::test]
async fn a_drift_waits_for_a_bucket_that_is_not_there_yet() {
    let mut world = World::seeded("no-bucket", 1).await;
    world.aws.bucket = format!("late-{}", world.name);
    world.create_account(|_| {}).await;
    world.https_only().await;
    world.start().await;
    world.compliant("https-only").await;
    let (api, before) = open(&world).await;
    let drift = world
        .drift("backends-over-https", "waits for the bucket", |d| {
            reason(d) == "RecordFailed"
        })
        .await;
    let message = &drift.status.as_ref().unwrap().message;
    assert!(message.contains("NoSuchBucket"), "AWS's word: {message}");
    assert!(
        message.ends_with("create the bucket or correct spec.audit.bucket"),
        "what to do: {message}"
    );
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0]);
    make_bucket(&world.aws.s3, &world.aws.bucket).await;
    goes_on(&world, &api, &before).await;
}

#[tokio::test]
async fn while_sns_is_down_a_drift_waits_recorded_and_nothing_is_repaired_untold() {
    let (mut world, sns) = behind("sns-down", "SNS").await;
    sns.down();
    let (api, before) = open(&world).await;
    let drift = world
        .drift("backends-over-https", "waits for SNS", |d| reason(d) == "NotifyFailed")
        .await;
    assert_eq!(phase(&drift), "Waiting");
    let said = of_drift(&drift, "Notified");
    let topic = format!("Publish to {}", world.aws.people_topic);
    assert!(said.starts_with("Notified=False NotifyFailed: "), "{said}");
    assert!(said.contains(&topic), "what was tried: {said}");
    assert_eq!(world.aws.audit_keys().await.len(), 1, "it is recorded already");
    let met = sns.met();
    until("another attempt", || async { (sns.met() > met).then_some(()) }).await;
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0], "nothing is repaired untold");
    assert!(world.lives(), "{}", world.log());
    sns.mend();
    goes_on(&world, &api, &before).await;
}

#[tokio::test]
async fn a_drift_waits_for_a_topic_that_is_not_there_yet() {
    let mut world = World::seeded("no-topic", 1).await;
    let missing = format!("arn:aws:sns:eu-west-1:{}:plumbline-late", world.account_id);
    let there = std::mem::replace(&mut world.aws.machines_topic, missing.clone());
    let account = world.create_account(|_| {}).await;
    world.https_only().await;
    world.start().await;
    world.compliant("https-only").await;
    let (api, before) = open(&world).await;
    let drift = world
        .drift("backends-over-https", "waits for the topic", |d| {
            reason(d) == "NotifyFailed"
        })
        .await;
    let message = &drift.status.as_ref().unwrap().message;
    assert!(message.contains(&missing), "which topic: {message}");
    assert!(
        message.ends_with("create the topic or correct spec.notify.machines.topicArn"),
        "what to do: {message}"
    );
    world.sweeps(2).await;
    assert_eq!(world.writes(), [""; 0]);
    let corrected = json!({"spec": {"notify": {"machines": {"topicArn": there}}}});
    let name = account.metadata.name.unwrap();
    world
        .accounts()
        .patch(
            &name,
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(corrected),
        )
        .await
        .unwrap();
    goes_on(&world, &api, &before).await;
}
