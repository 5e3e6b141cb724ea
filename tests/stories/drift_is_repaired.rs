//! The whitepaper's story, row by row.

use crate::support::{World, reason, show};

#[tokio::test]
async fn an_integration_opened_to_clear_text_is_found_recorded_told_and_repaired() {
    let world = World::with_fleet("clear-text", 2).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    let before = anna.backend(&api).await;
    world.open_to_clear_text(&anna, &api, "prod").await;

    let drift = world.told("backends-over-https", "Resolved").await;
    let status = drift.status.as_ref().unwrap();
    assert_eq!(reason(&drift), "Repaired", "{}", show(std::slice::from_ref(&drift)));
    assert_eq!(anna.backend(&api).await, before, "the last compliant value is back");
    assert!(
        status.proof.as_ref().unwrap().contains("deployment"),
        "{:?}",
        status.proof
    );
    assert_eq!(status.difference[0].to.as_ref().unwrap(), &before);
    world.compliant("https-only").await;

    let keys = world.aws.audit_keys().await;
    let uid = drift.metadata.uid.as_ref().unwrap();
    for transition in ["detected", "resolved"] {
        assert!(
            keys.iter().any(|k| k.contains(uid) && k.contains(transition)),
            "{transition} in {keys:?}"
        );
    }
    let told: Vec<String> = world
        .aws
        .machines()
        .await
        .iter()
        .map(|m| m["transition"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["Detected", "Resolved"]);
    let letters = world.aws.people().await;
    assert!(
        letters[0]["Message"]
            .as_str()
            .unwrap()
            .contains("http://backend.example.com/plain"),
        "{letters:?}"
    );
}
