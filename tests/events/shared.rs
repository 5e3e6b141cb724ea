//! Two accounts whose trails write into one bucket, and one queue that tells of its files.

use std::io::Write;

use aws_sdk_s3::primitives::ByteStream;
use awsim::seed::{Fleet, Seed};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::queue::Listening;
use crate::support::aws::Developer;
use crate::support::seen::of_drift;
use crate::support::{REGION, World, https_only_rules, until, until_seen};

/// Puts a trail's file of an account into the bucket; gives its key.
async fn file(world: &World, account: &str, records: &[Value]) -> String {
    let key = format!(
        "org/AWSLogs/o-abc123/{account}/CloudTrail/{REGION}/2026/11/25/{account}_CloudTrail_{REGION}_20261125T0700Z_one.json.gz"
    );
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(json!({"Records": records}).to_string().as_bytes())
        .unwrap();
    let body = ByteStream::from(zip.finish().unwrap());
    let put = world.aws.s3.put_object().bucket(&world.aws.bucket).key(&key).body(body);
    put.send().await.unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn one_queue_and_one_bucket_tell_each_account_who_did_what_in_it() {
    let Listening { world, queue, delivery } = Listening::without_policy("shared", 1, &[]).await;
    drop(delivery); // only files tell of anything
    let second = format!("3{}", &world.account_id[1..]);
    let fleet = Fleet {
        apis: 1,
        stages: vec!["prod".into()],
        name_prefix: "shop-".into(),
        ..Fleet::default()
    };
    let seed = Seed::fleet(fleet).in_account(&second, REGION);
    world.sim.seed(&seed, Timestamp::now()).unwrap();
    let also = format!("{}-too", world.name);
    world
        .create_account(|account| {
            account["metadata"]["name"] = json!(also);
            let spec = account["spec"].as_object_mut().unwrap();
            spec.remove("audit");
            spec.remove("notify");
            spec.insert("accountId".into(), json!(second));
            for role in ["observe", "repair"] {
                spec["roles"][role] = json!({"arn": format!("arn:aws:iam::{second}:role/plumbline-{role}")});
            }
            spec.insert("sweep".into(), json!({"interval": "1h"}));
            spec.insert("events".into(), json!({"queues": [queue.url]}));
        })
        .await;
    world.account_says(&also, "Ready", "Ready=True").await;
    world.account_says(&also, "Observed", "Observed=True").await;
    world.account_says(&also, "Listening", "Listening=True").await;
    let spec = json!({"accounts": [world.name, also], "enforcement": "Audit", "rules": https_only_rules()});
    world.policy("https-only", spec).await;
    world.compliant("https-only").await;

    let people = [
        (&world.account_id, world.developer("anna")),
        (&second, Developer::new(&world.sim_url, &second, "carla")),
    ];
    let mut keys = Vec::new();
    for (account, person) in &people {
        let api = person.apis().await.remove(0);
        person.update_stage(&api, "prod", "/tracingEnabled", "false").await;
        let trail = world.sim.trail();
        let of = |r: &&Value| r["eventName"] == "UpdateStage" && r["recipientAccountId"] == account.as_str();
        let records: Vec<Value> = trail.iter().filter(of).cloned().collect();
        assert_eq!(records.len(), 1);
        keys.push(file(&world, account, &records).await);
    }
    // An account that nobody watches, in the same bucket.
    keys.push(file(&world, "999999999999", &[json!({"eventName": "UpdateStage"})]).await);
    let told = |key: &String| {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": REGION,
            "s3": {"bucket": {"name": world.aws.bucket}, "object": {"key": key}},
        })
    };
    let body = json!({"Records": keys.iter().map(told).collect::<Vec<_>>()});
    queue.put(&world, &body).await;

    for ((account, _), name) in people.iter().zip(["user/anna", "user/carla"]) {
        let of_account = |d: &Drift| d.spec.endpoint.starts_with(account.as_str());
        let attributed = |d: &Drift| of_account(d) && of_drift(d, "Attributed").starts_with("Attributed=True");
        let what = format!("of {account} is attributed");
        let drift = world.drift("tracing", &what, attributed).await;
        let editor = drift.status.unwrap().actors.unwrap().editor.unwrap();
        assert_eq!(editor.name, name);
        assert!(editor.arn.contains(account.as_str()), "{}", editor.arn);
    }
    assert_eq!(world.all_drifts().await.len(), 2);
    queue.drained(&world).await;
    until("the third account's file, counted", || async {
        let metrics = world.metrics().await;
        let line = "plumbline_intake_total{kind=\"foreign_account\"} 1";
        metrics.lines().any(|l| l == line).then_some(())
    })
    .await;
    until_seen("both files, counted", || async {
        let metrics = world.metrics().await;
        let line = "plumbline_intake_total{kind=\"file\"} 2";
        metrics.lines().any(|l| l == line).then_some(()).ok_or(metrics)
    })
    .await;
}
