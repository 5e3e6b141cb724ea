//! How long a Drift is held, and when it goes.

use std::path::PathBuf;
use std::process::Stdio;

use awsim::Fault;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use plumbline::api::drift::Drift;
use serde_json::json;
use tokio::process::Command;

use crate::support::aws::Developer;
use crate::support::life::uid;
use crate::support::people::may;
use crate::support::{World, cluster, message, phase, reason, show, until};

const PLAIN: &str = "http://backend.example.com/plain";

/// A world in which AWS takes patches and no deployments: the repair of the drift stays half-done.
async fn stuck(story: &str, arguments: &[&str]) -> (World, Developer, String, Drift) {
    let mut world = World::with_fleet(story, 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    assert!(world.stop().await.success());
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.point_backend(&api, PLAIN).await;
    anna.deploy(&api, "prod").await;
    let refused = Fault::error("CreateDeployment", 503, "ServiceUnavailableException", "not now");
    world.sim.fault(refused);
    world.start_with_args(arguments).await;
    let drift = world
        .drift("backends-over-https", "is being repaired and cannot be", |d| {
            phase(d) == "Repairing" && reason(d) == "Unavailable"
        })
        .await;
    (world, anna, api, drift)
}

#[tokio::test]
async fn a_deleted_drift_is_held_until_its_repair_is_over_and_told() {
    let (world, _, _, drift) = stuck("held", &[]).await;
    assert!(drift.is_held());
    let name = drift.name_any();
    world.drifts().delete(&name, &DeleteParams::default()).await.unwrap();
    world.swept(2).await;
    let still = world.drifts().get(&name).await.unwrap();
    assert!(still.is_held() && still.metadata.deletion_timestamp.is_some(), "held");
    world.sim.clear_faults();
    world.gone("the Drift", &world.drifts(), &name).await;
    assert!(
        world.audit_of(&drift, "resolved").await.contains("Repaired"),
        "it went when its end was recorded"
    );
    world.compliant("https-only").await;
    assert_eq!(world.made("CreateDeployment"), 1);
    assert!(
        world.all_drifts().await.is_empty(),
        "{}",
        show(&world.all_drifts().await)
    );
}

#[tokio::test]
async fn a_deleted_drift_is_given_up_when_aws_stays_out_of_reach_and_the_step_is_noted() {
    let (world, anna, api, drift) = stuck("given-up", &["--give-up-after", "3s"]).await;
    let name = drift.name_any();
    world.drifts().delete(&name, &DeleteParams::default()).await.unwrap();
    let again = until("it is let go, and found again as another", || async {
        let found = world.drifts().get_opt(&name).await.ok()??;
        (uid(&found) != uid(&drift)).then_some(found)
    })
    .await;
    let note = world.audit_of(&drift, "abandoned").await;
    assert!(note.contains("left unfinished"), "the step stands in S3: {note}");
    assert!(
        note.contains("Plumbline repair"),
        "and how its deployment would be found: {note}"
    );
    world.told_on(&name, "left unfinished").await;
    let told = world.aws.machines().await;
    let abandoned = told
        .iter()
        .find(|m| m["transition"] == "Abandoned")
        .expect("machines are told");
    assert_eq!(abandoned["drift"]["uid"], uid(&drift));

    world.sim.clear_faults();
    let over = world.told("backends-over-https", "Resolved").await;
    assert_eq!((uid(&over), reason(&over)), (uid(&again), "Repaired".to_owned()));
    assert_ne!(anna.backend(&api).await, PLAIN);
}

#[tokio::test]
async fn a_drift_of_which_no_write_has_begun_is_not_held() {
    let world = World::with_fleet("not-held", 1).await;
    world
        .policy(
            "https-only",
            json!({"enforcement": "Approve", "rules": crate::support::https_only_rules()}),
        )
        .await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let drift = world
        .drift("tracing", "waits for approval", |d| reason(d) == "ApprovalRequired")
        .await;
    assert!(!drift.is_held());
}

#[tokio::test]
async fn uninstalling_lets_go_of_drifts_that_nobody_is_left_to_finish() {
    let (mut world, _, _, drift) = stuck("uninstalled", &[]).await;
    let name = drift.name_any();
    world.kill_and_bury().await;
    let mut release = helm(
        &world,
        &[
            "install",
            "bye",
            &chart(),
            "--set",
            "crds.install=false,approvals.create=false",
        ],
    );
    let release = release
        .arg("--set")
        .arg(format!("accountSelector.story={}", world.name))
        .output()
        .await
        .unwrap();
    assert!(release.status.success(), "{}", String::from_utf8_lossy(&release.stderr));
    world.drifts().delete(&name, &DeleteParams::default()).await.unwrap();
    assert!(
        world.drifts().get(&name).await.is_ok(),
        "held, and nobody lets go of it"
    );

    let mut uninstall = helm(&world, &["uninstall", "bye", "--timeout", "3m"]).spawn().unwrap();
    run_the_pod(&world).await;
    let ended = uninstall.wait().await.unwrap();
    assert!(ended.success(), "helm waits for the hook");
    world.gone("the Drift", &world.drifts(), &name).await;
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &world.name);
    until("nothing of the release is left", || async {
        let pods = pods.list(&ListParams::default()).await.ok()?;
        pods.items
            .iter()
            .all(|p| p.metadata.deletion_timestamp.is_some())
            .then_some(())
    })
    .await;
}

fn chart() -> String {
    let chart = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("charts/plumbline");
    chart.to_string_lossy().into_owned()
}

fn helm(world: &World, words: &[&str]) -> Command {
    let mut helm = Command::new("helm");
    helm.args(words).args(["--namespace", &world.name]);
    helm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    helm
}

/// No node runs the hook's pod here: the story does, with the pod's own arguments and its ServiceAccount's token.
async fn run_the_pod(world: &World) {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &world.name);
    let pod = until("the hook's pod", || async {
        let listed = pods
            .list(&ListParams::default().labels("app.kubernetes.io/component=uninstall"))
            .await
            .ok()?;
        listed.items.into_iter().next()
    })
    .await;
    let spec = pod.spec.as_ref().unwrap();
    let account = spec.service_account_name.as_deref().unwrap();
    let kubeconfig = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-hook", world.name));
    cluster::kubeconfig_of(&world.client, &world.name, account, &kubeconfig).await;
    let hook = format!("system:serviceaccount:{}:{account}", world.name);
    may(&world.client, &hook, "list", "awsaccounts", None).await;
    may(&world.client, &hook, "patch", "drifts", None).await;
    let ran = Command::new(env!("CARGO_BIN_EXE_plumbline"))
        .args(spec.containers[0].args.as_ref().unwrap())
        .env_clear()
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert!(
        said.contains("1 Drifts are let go"),
        "the others' are not touched: {said}"
    );
    let succeeded = json!({"status": {"phase": "Succeeded"}});
    world.merge_status(&pods, &pod.name_any(), succeeded).await;
}

#[tokio::test]
async fn a_drift_that_is_over_goes_after_its_time_and_never_before_s3_has_it() {
    let world = World::with_fleet("retired", 1).await;
    world.https_only().await;
    world.compliant("https-only").await;
    let anna = world.developer("anna");
    let api = anna.apis().await.remove(0);
    anna.update_stage(&api, "prod", "/tracingEnabled", "false").await;
    let over = world.told("tracing", "Resolved").await;
    assert!(message(&over).contains("live again"), "{}", message(&over));
    let name = over.name_any();
    let days_ago = |days: i64| {
        let then = Timestamp::now() - SignedDuration::from_hours(days * 24);
        json!({"status": {"resolvedAt": then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}})
    };
    world.merge_status(&world.drifts(), &name, days_ago(6)).await;
    world.swept(2).await;
    assert!(world.drifts().get(&name).await.is_ok(), "six days are no week");

    world.change_account(json!({"audit": null})).await;
    world.merge_status(&world.drifts(), &name, days_ago(8)).await;
    world.swept(2).await;
    assert!(
        world.drifts().get(&name).await.is_ok(),
        "without an audit bucket it is the only record"
    );
    world
        .change_account(json!({"audit": {"bucket": world.aws.bucket}}))
        .await;
    world.gone("the Drift", &world.drifts(), &name).await;
}
