//! Whoever it was, and however CloudTrail shows what they did.

use plumbline::api::drift::{Actors, Drift};
use serde_json::json;
use tokio::process::Command;

use crate::clean::another_second;
use crate::queue::Listening;
use crate::support::seen::{CLEAR_TEXT, of_drift};
use crate::support::{World, https_only_rules, until_seen};

/// A world that finds and leaves alone.
async fn audited(story: &str) -> Listening {
    let listening = Listening::without_policy(story, 1, &[]).await;
    let spec = json!({"enforcement": "Audit", "rules": https_only_rules()});
    listening.world.policy("https-only", spec).await;
    listening.world.compliant("https-only").await;
    listening
}

async fn attributed(world: &World, rule: &str) -> Actors {
    let attributed = |d: &Drift| of_drift(d, "Attributed").starts_with("Attributed=True");
    let drift = world.drift(rule, "is attributed", attributed).await;
    drift.status.unwrap().actors.unwrap()
}

/// Who edited and who deployed.
fn names(drift: &Drift) -> [Option<&str>; 2] {
    let actors = drift.status.as_ref().and_then(|status| status.actors.as_ref());
    let editor = actors.and_then(|actors| actors.editor.as_ref());
    let deployer = actors.and_then(|actors| actors.deployer.as_ref());
    [editor, deployer].map(|actor| actor.map(|actor| actor.name.as_str()))
}

/// What stands in a column of `kubectl get drifts`, of the only one.
async fn column(world: &World, name: &str) -> String {
    let asked = Command::new("kubectl")
        .args(["get", "drifts", "-n", &world.name])
        .output();
    let output = asked.await.unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let [head, row] = lines[..] else {
        panic!("one drift is shown: {told}")
    };
    let at = head.find(name).unwrap();
    let end = head[at..].find("   ").map_or(head.len(), |width| {
        at + width + head[at + width..].chars().take_while(|c| *c == ' ').count()
    });
    row[at..end.min(row.len())].trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_by_sso_is_named_as_a_person() {
    let Listening {
        world,
        queue,
        delivery: _delivery,
    } = audited("sso").await;
    let anna = world.developer_as(
        "anna",
        "assumed-role/AWSReservedSSO_Developers_0123456789abcdef/anna@example.com",
    );
    let pipeline = world.developer_as("pipeline", "assumed-role/Deploy/release-42");
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, CLEAR_TEXT).await;
    pipeline.deploy(&api, "prod").await;
    let actors = attributed(&world, "backends-over-https").await;
    let (editor, deployer) = (actors.editor.unwrap(), actors.deployer.unwrap());
    assert_eq!(editor.name, "sso/Developers/anna@example.com");
    assert_eq!(editor.federated_name.as_deref(), Some("anna@example.com"));
    let issuer = editor.session_issuer.unwrap();
    assert!(
        issuer.contains(":role/aws-reserved/sso.amazonaws.com/") && issuer.contains("AWSReservedSSO_Developers_"),
        "{issuer}"
    );
    assert_eq!(deployer.name, "role/Deploy/release-42");
    assert_eq!(deployer.federated_name, None, "a pipeline is no person");
    until_seen("the person, in the column WHO", || async {
        let who = column(&world, "WHO").await;
        if who == "sso/Developers/anna@example.com" {
            Ok(())
        } else {
            Err(who)
        }
    })
    .await;
    queue.drained(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_trail_masks_values_it_is_the_last_who_wrote_this_very_thing() {
    let Listening { world, queue, delivery } = audited("maskedall").await;
    world.sim.set_switch("trail-masks-values", "on").unwrap();
    let delivery = delivery.unwrap();
    delivery.change(|rules| rules.delay_ms = 5_000); // nothing is told before everything is done
    let [anna, boris, carla] = ["anna", "boris", "carla"].map(|name| world.developer(name));
    let api = anna.apis().await.remove(0);
    carla.point_backend(&api, "https://other.example.com").await;
    carla.update_stage(&api, "prod", "/tracingEnabled", "true").await;
    another_second().await;
    anna.point_backend(&api, CLEAR_TEXT).await;
    boris.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    another_second().await;
    carla.update_stage(&api, "prod", "/description", "mine").await;
    carla.deploy(&api, "prod").await;
    // What carla did first is told first, and could be it as long as nothing else is known.
    let both = [Some("user/anna"), Some("user/carla")];
    let named = |d: &Drift| names(d) == both;
    world.drift("backends-over-https", "names them", named).await;
    let named = |d: &Drift| names(d) == [Some("user/boris"), None];
    world.drift("tracing", "names him", named).await;
    queue.drained(&world).await;
    for drift in world.all_drifts().await {
        let said = of_drift(&drift, "Attributed");
        assert!(said.starts_with("Attributed=True"), "{said}");
    }
    let metrics = world.metrics().await;
    for line in [
        "plumbline_intake_total{kind=\"masked\"} 5",
        "plumbline_intake_total{kind=\"call\"} 6",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in {metrics}");
    }
}
