//! The verbs of the kubectl plugin, run as a person runs them.

use std::process::{Output, Stdio};

use kube::ResourceExt;
use serde_json::json;
use tokio::process::Command;

use crate::support::{World, phase, reason};

async fn plumbline(world: &World, words: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_plumbline"))
        .args(words)
        .args(["-n", &world.name])
        .env("KUBECONFIG", std::env::var("KUBECONFIG").unwrap())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (status.success(), told)
}

#[tokio::test]
async fn a_person_lists_explains_and_decides_without_writing_yaml() {
    let world = World::with_fleet("plugin", 1).await;
    let rules = json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]);
    world
        .policy("tracing", json!({"enforcement": "Approve", "rules": rules}))
        .await;
    world.compliant("tracing").await;
    let (_, told) = plumbline(&world, &["drift"]).await;
    assert!(told.contains("No open drifts"), "{told}");

    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world
        .drift("tracing", "asks a person", |d| reason(d) == "ApprovalRequired")
        .await;
    let name = drift.metadata.name.unwrap();

    let (done, told) = plumbline(&world, &["drift", "--phase", "waiting", "--policy", "tracing"]).await;
    assert!(
        done && told.contains(&name) && told.contains("ApprovalRequired"),
        "{told}"
    );
    let (_, told) = plumbline(&world, &["drift", "--phase", "Failed"]).await;
    assert!(!told.contains(&name), "a filter leaves out: {told}");

    let (done, told) = plumbline(&world, &["explain", &name]).await;
    for part in [
        "Why it is not repaired",
        "no  may it be made without a person's yes",
        "aws apigateway update-stage",
        "kubectl plumbline approve",
    ] {
        assert!(done && told.contains(part), "{part} in:\n{told}");
    }

    let (done, told) = plumbline(&world, &["suspend", "policy", "tracing"]).await;
    assert!(done && told.contains("suspended"), "{told}");
    world
        .drift("tracing", "is suspended", |d| reason(d) == "Suspended")
        .await;
    let (done, told) = plumbline(&world, &["resume", "policy", "tracing"]).await;
    assert!(done && told.contains("go on"), "{told}");
    world
        .drift("tracing", "asks again", |d| reason(d) == "ApprovalRequired")
        .await;

    let (done, told) = plumbline(&world, &["approve", &name]).await;
    assert!(!done && told.contains("add --yes"), "nobody is there to ask: {told}");
    assert!(world.writes_by_plumbline().is_empty());
    let (done, told) = plumbline(&world, &["approve", &name, "--yes", "--reason", "read it"]).await;
    assert!(done && told.contains("approved"), "{told}");
    let drift = world.drift("tracing", "is repaired", |d| reason(d) == "Repaired").await;
    let (_, told) = plumbline(&world, &["explain", &name]).await;
    assert!(
        told.contains("How it was decided") && told.contains("Verified=True"),
        "{told}"
    );

    let (done, told) = plumbline(&world, &["revert", &name, "--yes"]).await;
    assert!(done && told.contains("/tracingEnabled to false"), "{told}");
    let again = world
        .drift("tracing", "waits after the revert", |d| {
            d.spec.reverts.is_none() && d.metadata.uid != drift.metadata.uid && phase(d) == "Waiting"
        })
        .await;
    let again = again.metadata.name.unwrap();

    let (done, told) = plumbline(&world, &["exempt", &again, "--until", "soon", "--reason", "r"]).await;
    assert!(!done && told.contains("2027-01-31"), "{told}");
    let (done, told) = plumbline(
        &world,
        &["exempt", &again, "--until", "2099-01-31", "--reason", "legacy"],
    )
    .await;
    assert!(done, "{told}");
    world.drift("tracing", "is exempted", |d| reason(d) == "Exempted").await;
    let (done, told) = plumbline(&world, &["explain", "nothing"]).await;
    assert!(!done && told.contains("has no drift nothing"), "{told}");
}

#[tokio::test]
async fn whoever_watches_sees_a_drift_come_and_go_and_none_of_those_before() {
    let world = World::with_fleet("watch", 1).await;
    let rules = json!([{"name": "tracing", "target": "AWS::ApiGateway::Stage", "desired": {"tracingEnabled": true}}]);
    world.policy("tracing", json!({"rules": rules})).await;
    world.compliant("tracing").await;
    let dev = world.developer("dev");
    let api = dev.apis().await.remove(0);
    dev.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let before = world.drift("tracing", "is over", |d| phase(d) == "Resolved").await;
    world.change_policy("tracing", json!({"enforcement": "Audit"})).await;

    let mut watching = world.watching();
    assert_eq!(watching.told().await, "No open drifts found.");
    dev.update_stage(&api, "dev", "/tracingEnabled", "false").await;
    let head = watching.shown().await;
    assert_eq!(head.split_whitespace().next(), Some("NAMESPACE"), "{head}");
    let mut lines = vec![watching.shown().await];
    world.change_policy("tracing", json!({"enforcement": "Enforce"})).await;
    while !lines.last().unwrap().contains("Resolved") {
        lines.push(watching.shown().await);
    }
    let over = world.all_drifts().await;
    let drift = over.iter().find(|d| d.metadata.uid != before.metadata.uid).unwrap();
    assert!(lines[0].contains("Detected"), "{lines:?}");
    let name = drift.name_any();
    let of_it = |line: &String| line.split_whitespace().nth(1) == Some(name.as_str());
    assert!(lines.iter().all(of_it), "{lines:?}");
    assert!(watching.goes_on());
}
