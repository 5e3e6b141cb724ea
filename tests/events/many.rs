//! Many messages at once: told twice, out of order, and mixed with what nobody understands.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use plumbline::api::drift::Actor;
use plumbline::api::{AwsEndpoint, Drift};
use serde_json::{Value, json};

use crate::queue::{Listening, Queue, depth};
use crate::support::{World, https_only_rules, until, until_seen};

const MESSAGES: usize = 10_000;
const TWICE: usize = 1_000;
const LATE: usize = 500;
const POISON: usize = 100;
const APIS: usize = 50;

fn by_event_bridge(record: &Value) -> String {
    json!({
        "version": "0", "id": record["eventID"], "detail-type": "AWS API Call via CloudTrail", "source": "aws.apigateway",
        "account": record["recipientAccountId"], "time": record["eventTime"], "region": record["awsRegion"],
        "resources": [], "detail": record,
    })
    .to_string()
}

/// Something else that another did to the same stage a little before.
fn before(record: &Value, number: usize) -> Value {
    let mut other: Value = serde_json::from_str(&record.to_string().replace("anna", "boris")).unwrap();
    let at: Timestamp = record["eventTime"].as_str().unwrap().parse().unwrap();
    let ago = SignedDuration::from_secs(1 + i64::try_from(number % 30).unwrap());
    other["eventTime"] = json!((at - ago).strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    other["eventID"] = json!(format!("other-{number}"));
    other["requestParameters"]["updateStageInput"]["patchOperations"] =
        json!([{"op": "replace", "path": "/description", "value": format!("number {number}")}]);
    other
}

/// Everything in its order, with what is told twice, late and not understood in between. The same in each run.
fn messages(records: &[Value]) -> (Vec<String>, Vec<String>) {
    let distinct = MESSAGES - TWICE - POISON;
    let mut told: Vec<String> = (0..distinct - records.len())
        .map(|number| by_event_bridge(&before(&records[number % records.len()], number)))
        .collect();
    for (number, record) in records.iter().enumerate() {
        told.insert(told.len() * number / records.len(), by_event_bridge(record));
    }
    let apart = told.len() / LATE;
    for late in 0..LATE {
        let at = late * apart;
        let body = told.remove(at);
        told.insert((at + 2_000).min(told.len()), body);
    }
    let again = told.len() / TWICE;
    for twice in 0..TWICE {
        told.push(told[twice * again].clone());
    }
    let poison: Vec<String> = (0..POISON).map(|number| format!("{{\"broken\": {number:03}")).collect();
    for (number, body) in poison.iter().enumerate() {
        told.insert(number * 17, body.clone()); // near the beginning: it comes again after a minute
    }
    assert_eq!(told.len(), MESSAGES);
    (told, poison)
}

fn editor(drift: &Drift) -> Option<&Actor> {
    drift.status.as_ref()?.actors.as_ref()?.editor.as_ref()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_messages_none_is_lost_and_every_drift_is_found_once() {
    let Listening { world, delivery, .. } = Listening::without_policy("many", APIS, &["--budget", "none"]).await;
    drop(delivery); // only what is put there by hand
    let spec = json!({"enforcement": "Audit", "rules": https_only_rules()});
    world.policy("https-only", spec).await;
    until("each endpoint, judged", || async {
        let judged = |e: &AwsEndpoint| e.status.as_ref().is_some_and(|s| !s.policies.is_empty());
        let endpoints = world.my_endpoints().await;
        (endpoints.len() == APIS && endpoints.iter().all(judged)).then_some(())
    })
    .await;
    // Whatever is not deleted within a minute ends on the other queue: a message that is understood would be seen there.
    let queue = Queue::redriven(&world, "many", 1).await;
    world.change_account(json!({"events": {"queues": [queue.url]}})).await;
    let records = changes(&world).await;
    let event_of: HashMap<String, &str> = records
        .iter()
        .map(|record| {
            let api = record["requestParameters"]["restApiId"].as_str().unwrap();
            (world.endpoint_name(api), record["eventID"].as_str().unwrap())
        })
        .collect();
    let (told, poison) = messages(&records);
    queue.put_all(&world, &told).await;
    until_seen("each drift with the event that made it", || async {
        let drifts = world.all_drifts().await;
        let named = |d: &&Drift| event_of.get(&d.spec.endpoint).copied() == editor(d).map(|e| e.event_id.as_str());
        let seen = (drifts.len(), drifts.iter().filter(named).count());
        if seen == (APIS, APIS) {
            Ok(())
        } else {
            Err(format!(
                "{} drifts, {} of them with it\n{}",
                seen.0,
                seen.1,
                world.log()
            ))
        }
    })
    .await;
    let found = uids(&world.all_drifts().await);
    until_seen("nothing but what nobody understands, on the other queue", || async {
        let seen = (queue.depth(&world).await, depth(&world, &queue.dead).await);
        if seen.0 == 0 && seen.1 >= i64::try_from(POISON).unwrap() {
            Ok(())
        } else {
            Err(format!("{seen:?}\n{}", world.log()))
        }
    })
    .await;
    assert_eq!(
        queue.dead(&world).await,
        poison,
        "what is understood is deleted the first time"
    );
    let drifts = world.all_drifts().await;
    assert_eq!(uids(&drifts), found, "no second drift");
    assert!(drifts.iter().all(|d| editor(d).unwrap().name == "user/anna"));
    // Of one endpoint the newest events are known: what is told again after many others counts as a call again.
    let (calls, twice) = (counted(&world, "call").await, counted(&world, "duplicate").await);
    assert_eq!(
        calls + twice,
        MESSAGES - POISON,
        "each was read once, those told twice too"
    );
    assert!(twice > 0, "{calls} calls");
    assert_eq!(counted(&world, "not_json").await, POISON);
}

/// Somebody turns tracing off everywhere: what CloudTrail records of it.
async fn changes(world: &World) -> Vec<Value> {
    let anna = world.developer("anna");
    for api in anna.apis().await {
        anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    }
    let trail = world.sim.trail();
    let of = |record: &&Value| record["eventName"] == "UpdateStage";
    let records: Vec<Value> = trail.iter().filter(of).cloned().collect();
    assert_eq!(records.len(), APIS);
    records
}

fn uids(drifts: &[Drift]) -> Vec<String> {
    let mut uids: Vec<String> = drifts.iter().filter_map(ResourceExt::uid).collect();
    uids.sort();
    uids
}

/// How many items of messages were of this kind.
async fn counted(world: &World, kind: &str) -> usize {
    let metrics = world.metrics().await;
    let line = format!("plumbline_intake_total{{kind=\"{kind}\"}} ");
    let count = metrics.lines().find_map(|l| l.strip_prefix(&line));
    count.map_or(0, |count| count.parse().unwrap())
}
