//! The API server goes away and comes back.

use awsim::Fault;
use kube::ResourceExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::alone;
use crate::support::aws::Developer;
use crate::support::life::uid;
use crate::support::{World, phase, reason, show, until};

/// Asks the lab, as in `crash-apiserver`.
async fn lab(action: &str) {
    let control = std::env::var("PLUMBLINE_CLUSTER_CONTROL").unwrap();
    let address = control.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("POST /{action} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 "), "{action}: {answer}");
}

/// A world without a controller, whose next deployment takes a while, and somebody who opened an API to clear text.
async fn opened(story: &str) -> (World, Developer, String, String) {
    let mut world = World::with_fleet(story, 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    assert!(world.stop().await.success());
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    anna.point_backend(&api, "http://backend.example.com/plain").await;
    anna.deploy(&api, "prod").await;
    world.sim.fault(Fault {
        operation: Some("CreateDeployment".into()),
        delay_ms: 4000,
        times: Some(1),
        ..Fault::default()
    });
    (world, anna, api, before)
}

/// Until the deployment is under way.
async fn repairing(world: &mut World) {
    world.start().await;
    world.arrived("CreateDeployment").await;
}

async fn ends_well(world: &World, anna: &Developer, api: &str, before: &str) {
    let over = world.told("backends-over-https", "Resolved").await;
    let all = world.all_drifts().await;
    assert_eq!(all.len(), 1, "no second Drift:\n{}", show(&all));
    assert_eq!((phase(&over), reason(&over)), ("Resolved".into(), "Repaired".into()));
    assert_eq!(anna.backend(api).await, before);
    assert_eq!(world.made("CreateDeployment"), 1, "one deployment");
    assert_eq!(world.made("UpdateStage"), 1);
    let told = world.aws.machines().await;
    let mut ids: Vec<&str> = told.iter().map(|m| m["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    let wanted = ["Detected", "Resolved"].map(|t| format!("{}/{t}", uid(&over)));
    assert_eq!(ids, wanted, "each told, repeated only with the same id");
    assert_eq!(world.aws.audit_keys().await.len(), 2);
    world.compliant("https-only").await;
}

#[tokio::test]
async fn a_crash_of_the_api_server_in_the_middle_of_a_repair_costs_nothing() {
    let _alone = alone().await;
    let (mut world, anna, api, before) = opened("crash").await;
    let mut bob = world.watching();
    assert_eq!(bob.told().await, "No open drifts found.");
    repairing(&mut world).await;
    lab("crash-apiserver").await;
    lab("start-apiserver").await;
    ends_well(&world, &anna, &api, &before).await;
    assert!(world.lives());

    // And its watches are alive: what happens now is seen.
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let over = world.told("tracing", "Resolved").await;
    assert_eq!(reason(&over), "Repaired");

    // Whoever watched by kubectl was told of the crash, and sees on.
    assert!(bob.told().await.starts_with("The watch broke and begins anew"));
    let ended = |line: &str| line.contains(&over.name_any()) && line.contains("Resolved");
    while !ended(&bob.shown().await) {}
}

#[tokio::test]
async fn a_controller_that_is_cut_off_for_long_stops_leading_and_goes_on_afterwards() {
    let _alone = alone().await;
    let (mut world, anna, api, before) = opened("cut-off").await;
    repairing(&mut world).await;
    lab("crash-apiserver").await;
    until("it leads no more", || async {
        world.logged(r#""leads":false"#).then_some(())
    })
    .await;
    lab("start-apiserver").await;
    ends_well(&world, &anna, &api, &before).await;
}
