//! A change is told, found without a sweep, and known by name.

use plumbline::api::drift::{Actor, Drift};
use serde_json::json;

use crate::queue::Listening;
use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{phase, until};

fn editor(drift: &Drift) -> Option<Actor> {
    drift.status.as_ref()?.actors.as_ref()?.editor.clone()
}

fn deployer(drift: &Drift) -> Option<Actor> {
    drift.status.as_ref()?.actors.as_ref()?.deployer.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_edits_another_deploys_and_the_drift_names_both() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = Listening::new("told", 2, &[]).await;
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, CLEAR_TEXT).await;
    boris.deploy(&api, "prod").await;
    let named = |d: &Drift| editor(d).is_some() && deployer(d).is_some();
    let drift = world.drift("backends-over-https", "names both", named).await;
    let (editor, deployer) = (editor(&drift).unwrap(), deployer(&drift).unwrap());
    assert_eq!(
        (editor.name.as_str(), deployer.name.as_str()),
        ("user/anna", "user/boris")
    );
    assert_eq!(
        (editor.event_name.as_str(), deployer.event_name.as_str()),
        ("UpdateIntegration", "CreateDeployment")
    );
    assert!(
        editor.arn.ends_with(":user/anna") && editor.type_ == "IAMUser",
        "{editor:?}"
    );
    let trail = world.sim.trail();
    let event = trail
        .iter()
        .find(|record| record["eventID"] == editor.event_id.as_str())
        .unwrap();
    assert_eq!(
        event["requestParameters"]["updateIntegrationInput"]["patchOperations"][0]["value"],
        CLEAR_TEXT
    );
    assert_eq!(editor.source_address, "127.0.0.1");
    assert!(editor.time.is_some() && !editor.user_agent.is_empty(), "{editor:?}");
    assert!(of_drift(&drift, "Attributed").starts_with("Attributed=True"));
    world
        .drift("backends-over-https", "is repaired", |d| phase(d) == "Resolved")
        .await;
    queue.drained(&world).await;
    assert_eq!(
        world.all_drifts().await.len(),
        1,
        "the own repair is no drift, and comes back as an event"
    );
    let resolved = until("whoever is told is told that it is over", || async {
        let told = world.aws.machines().await;
        told.into_iter().find(|m| m["transition"] == "Resolved")
    })
    .await;
    assert_eq!(
        resolved["actors"]["deployer"]["name"], "user/boris",
        "whoever is told is told who"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_effect_at_once_has_an_editor_and_no_deployer() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = Listening::new("stage", 1, &[]).await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world.drift("tracing", "names somebody", |d| editor(d).is_some()).await;
    assert_eq!(editor(&drift).unwrap().name, "user/anna");
    assert_eq!(deployer(&drift), None);
    assert!(of_drift(&drift, "Attributed").starts_with("Attributed=True"));
    queue.drained(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_comes_and_goes_is_known_by_its_events_alone() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = Listening::new("comes", 1, &[]).await;
    let anna = world.developer("anna");
    let made = anna.0.create_rest_api().name("payments-late").send().await.unwrap();
    let api = made.id().unwrap().to_owned();
    world.endpoint_says(&api, "Observed", "Observed=True").await;
    anna.0.delete_rest_api().rest_api_id(&api).send().await.unwrap();
    let name = world.endpoint_name(&api);
    until("no object of an API that is gone", || async {
        world.endpoints().get_opt(&name).await.unwrap().is_none().then_some(())
    })
    .await;
    queue.drained(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_a_message_and_its_drift_it_finds_it_all_the_same() {
    let Listening {
        mut world,
        queue,
        delivery,
    } = Listening::new("killed", 1, &[]).await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    world.kill().await;
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    until("the event on the queue", || async {
        (queue.depth(&world).await > 0).then_some(())
    })
    .await;
    world.start().await;
    let drift = world.drift("tracing", "names somebody", |d| editor(d).is_some()).await;
    assert_eq!(
        editor(&drift).unwrap().name,
        "user/anna",
        "the first sweep found it, the message says who"
    );
    queue.drained(&world).await;
    drop(delivery);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_a_rule_that_knows_no_repair_is_named_too() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = Listening::without_policy("no-repair", 1, &[]).await;
    let rule = |name: &str, target: &str, require: &str| json!({"name": name, "target": target, "require": require});
    let rules = json!([
        rule(
            "one-scheme",
            "AWS::ApiGateway::Method",
            "!has(object.methodIntegration) || !object.methodIntegration.uri.startsWith('http://')"
        ),
        rule("undescribed", "AWS::ApiGateway::Stage", "!has(object.description)"),
    ]);
    world
        .policy("watched", json!({"enforcement": "Audit", "rules": rules}))
        .await;
    world.compliant("watched").await;
    let (anna, boris) = (world.developer("anna"), world.developer("boris"));
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/description", "for anna").await;
    let drift = world
        .drift("undescribed", "names somebody", |d| editor(d).is_some())
        .await;
    assert_eq!(
        editor(&drift).unwrap().name,
        "user/anna",
        "what may not be there was put there"
    );
    anna.point_backend(&api, CLEAR_TEXT).await;
    boris.deploy(&api, "prod").await;
    let named = |d: &Drift| editor(d).is_some() && deployer(d).is_some();
    let drift = world.drift("one-scheme", "names both", named).await;
    assert_eq!(
        (editor(&drift).unwrap().name, deployer(&drift).unwrap().name),
        ("user/anna".to_owned(), "user/boris".to_owned())
    );
    queue.drained(&world).await;
}
