//! When nothing changes, nothing is written.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use kube::ResourceExt;
use kube::api::ListParams;
use plumbline::api::Drift;
use serde_json::{Value, json};

use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{World, https_only_rules, phase, reason};

/// What the controller asked the API server to change from here on.
struct Listener {
    log: std::path::PathBuf,
    from: u64,
}

impl Listener {
    fn new() -> Self {
        let log: std::path::PathBuf = std::env::var_os("PLUMBLINE_KUBE_AUDIT_LOG").unwrap().into();
        let from = std::fs::metadata(&log).unwrap().len();
        Listener { log, from }
    }

    /// Verb and object of each, but for those of other stories.
    fn writes(&self, world: &World) -> Vec<String> {
        let mut log = std::fs::File::open(&self.log).unwrap();
        log.seek(SeekFrom::Start(self.from)).unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| {
                let writes = ["create", "update", "patch", "delete"].contains(&event["verb"].as_str().unwrap_or(""));
                let controller = event["user"]["username"] == "system:serviceaccount:plumbline-system:plumbline";
                let object = &event["objectRef"];
                let mine = object["namespace"] == world.name.as_str()
                    || object["name"]
                        .as_str()
                        .is_some_and(|name| name.contains(&world.account_id));
                // Those of other stories look at these objects, too: what one asks that lags behind is refused.
                let done = event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
                writes && controller && mine && done && object["resource"] != "leases"
            })
            .map(|event| format!("{} {}", event["verb"], event["objectRef"]))
            .collect()
    }
}

/// Versions of everything that Plumbline writes for this story, but for its account.
async fn versions(world: &World) -> BTreeMap<String, String> {
    let all = ListParams::default();
    let mut found = BTreeMap::new();
    for policy in world.policies().list(&all).await.unwrap() {
        found.insert(
            format!("policy {}", policy.name_any()),
            policy.resource_version().unwrap(),
        );
    }
    for drift in world.drifts().list(&all).await.unwrap() {
        found.insert(format!("drift {}", drift.name_any()), drift.resource_version().unwrap());
    }
    for endpoint in world.endpoints().list(&all).await.unwrap() {
        if endpoint.spec.account_id == world.account_id {
            found.insert(
                format!("endpoint {}", endpoint.name_any()),
                endpoint.resource_version().unwrap(),
            );
        }
    }
    found
}

#[tokio::test]
async fn when_nothing_changes_nothing_is_written() {
    let world = World::with_fleet("quiet", 3).await;
    world.https_only().await;
    // One of each that lasts: in order, reported only, waiting, unknown, broken, without endpoints.
    let mut audit = https_only_rules()[2].clone();
    audit["name"] = json!("reported");
    audit["desired"] = json!({"description": "traced"});
    audit["enforcement"] = json!("Audit");
    world.policy("reported", json!({"rules": [audit]})).await;
    let endless = "lists.range(2000).all(a, lists.range(2000).all(b, a + b >= 0))";
    let unknown = json!({"rules": [{"name": "endless", "target": "AWS::ApiGateway::RestApi", "require": endless}]});
    world.policy("unknown", unknown).await;
    let broken = json!({"rules": [{"name": "broken", "target": "AWS::ApiGateway::RestApi", "require": "object."}]});
    world.policy("broken", broken).await;
    let nothing = json!({"selector": {"names": ["orders-*"]}, "rules": [https_only_rules()[2]]});
    world.policy("nothing", nothing).await;
    world.compliant("https-only").await;
    world
        .policy_says("unknown", "Compliant", "Compliant=Unknown Unreadable")
        .await;
    world.policy_says("broken", "Ready", "Ready=False Invalid").await;
    world
        .policy_says("nothing", "Compliant", "Compliant=Unknown NoEndpoints")
        .await;

    let (anna, carol) = (world.developer("anna"), world.developer("carol"));
    let mut apis = anna.apis().await;
    let (traced, pending) = (apis.remove(0), apis.remove(0));
    world
        .unseen(async {
            anna.update_stage(&traced, "dev", "/tracingEnabled", "false").await;
            anna.point_backend(&pending, CLEAR_TEXT).await;
            anna.deploy(&pending, "prod").await;
            carol.add_method(&pending, "unfinished").await;
        })
        .await;
    world
        .drift("tracing", "is over and told", |d| {
            phase(d) == "Resolved" && d.status.as_ref().is_some_and(|s| s.notified.len() == 4)
        })
        .await;
    world
        .drift("backends-over-https", "waits and is told", |d| {
            reason(d) == "RedeployPending" && d.status.as_ref().is_some_and(|s| s.notified.len() == 4)
        })
        .await;
    world
        .drift("reported", "is told", |d| {
            d.status.as_ref().is_some_and(|s| s.notified.len() == 2)
        })
        .await;
    for rule in ["tracing", "backends-over-https"] {
        let known = |d: &Drift| of_drift(d, "Attributed").starts_with("Attributed=True");
        world.drift(rule, "names who did it", known).await;
    }
    world.sweeps(3).await;

    let listener = Listener::new();
    let before = versions(&world).await;
    let keys = world.aws.audit_keys().await;
    let writes = world.writes();
    let _ = (world.aws.machines().await, world.aws.people().await);
    world.sweeps(5).await;
    let mut after = versions(&world).await;
    after.retain(|name, version| before.get(name) != Some(version));
    let written = listener.writes(&world);
    assert!(after.is_empty(), "changed: {after:#?}, by {written:#?}");
    assert!(
        written.is_empty(),
        "requests that change nothing are requests all the same: {written:#?}"
    );
    assert_eq!(world.writes(), writes);
    assert_eq!(world.aws.audit_keys().await, keys);
    assert!(world.aws.machines().await.is_empty());
    assert!(world.aws.people().await.is_empty());
}
