//! The controller is killed (`kill -9`) at each step of a drift's life and started again: whatever the step, there is one
//! Drift, one deployment, nothing half-done, one record a transition, and no message that was not told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use awsim::Fault;
use awsim::seed::Fleet;
use plumbline::api::Drift;

use crate::support::aws::{Developer, replace};
use crate::support::hold::{At, Hold};
use crate::support::life::uid;
use crate::support::{World, cluster, is, phase, reason, show, until};

/// A drift that waits to be found: the change was made while no controller ran.
struct Scene {
    world: World,
    s3: Hold,
    sns: Hold,
    anna: Developer,
    api: String,
    /// Where the API's methods pointed before.
    backends: BTreeMap<String, String>,
    /// What the stage that nobody touched serves.
    dev: String,
}

impl Scene {
    /// `methods`: how many of the API's methods are opened to clear text.
    async fn new(step: &str, methods: usize) -> Scene {
        let mut world = World::new(&format!("killed-{step}")).await;
        world.seed(Fleet {
            stages: vec!["prod".into(), "dev".into()],
            deployment_per_stage: true,
            ..Fleet::default()
        });
        world.create_account(|_| {}).await;
        let (s3, sns) = (
            Hold::before(&cluster::moto()).await,
            Hold::before(&cluster::moto()).await,
        );
        let anna = world.developer("anna");
        let api = anna.apis().await.remove(0);
        let backends = backends(&anna, &api).await;
        world.start().await;
        world.https_only().await;
        world.compliant("https-only").await;
        assert!(world.stop().await.success());
        open(&anna, &api, methods).await;
        anna.deploy(&api, "prod").await;
        let dev = world.served(&api, "dev");
        Scene {
            world,
            s3,
            sns,
            anna,
            api,
            backends,
            dev,
        }
    }

    async fn start(&mut self) {
        let (s3, sns) = (self.s3.url.clone(), self.sns.url.clone());
        self.world
            .start_with(&[("AWS_ENDPOINT_URL_S3", &s3), ("AWS_ENDPOINT_URL_SNS", &sns)])
            .await;
    }

    /// Runs the controller until a request to S3 or SNS is held, and kills it there.
    async fn killed_at_request(mut self, to: fn(&Scene) -> &Hold, at: At, texts: &[&str]) -> Scene {
        let held = to(&self).snare(at, texts);
        self.start().await;
        held.await;
        self.world.kill_and_bury().await;
        self
    }

    /// Runs the controller until a call of AWS is held, and kills it there.
    async fn killed_at_call(mut self, operation: &str, at: At, after: u64) -> Scene {
        self.hold_call(operation, at, after);
        self.start().await;
        self.killed_when_held(operation, after).await
    }

    fn hold_call(&self, operation: &str, at: At, after: u64) {
        self.world.sim.fault(Fault {
            operation: Some(operation.to_owned()),
            status: (at == At::Before).then_some(503),
            delay_ms: 600_000,
            after,
            times: Some(1),
            ..Fault::default()
        });
    }

    async fn killed_when_held(mut self, operation: &str, after: u64) -> Scene {
        until(&format!("a call of {operation} that is held"), || async {
            let calls = self.world.sim.calls();
            let met = calls
                .iter()
                .filter(|c| c.operation == operation && !c.principal.contains(":user/"));
            (met.count() as u64 > after).then_some(())
        })
        .await;
        self.world.kill_and_bury().await;
        self
    }

    /// Runs the controller until Kubernetes refuses a write of a Drift's status, and kills it there.
    async fn killed_at_write(mut self, expression: &str) -> Scene {
        let forbidden = self
            .world
            .forbid(&format!(
                "has(request.subResource) && request.subResource == 'status' && ({expression})"
            ))
            .await;
        self.start().await;
        until("a write that is refused", || async {
            self.world.was_refused().then_some(())
        })
        .await;
        self.world.kill_and_bury().await;
        self.world.allow(forbidden).await;
        self
    }

    /// Starts the controller again and waits for the end of the drift.
    async fn goes_on(mut self, drifts: usize) {
        self.start().await;
        let world = &self.world;
        until("every drift is resolved and let go", || async {
            let all = world.all_drifts().await;
            let over = all.len() >= drifts
                && all
                    .iter()
                    .all(|d| phase(d) == "Resolved" && d.metadata.finalizers.is_none());
            over.then_some(())
        })
        .await;
        world.compliant("https-only").await;
        let all = world.all_drifts().await;
        assert_eq!(all.len(), drifts, "no second Drift:\n{}", show(&all));
        for drift in &all {
            assert_eq!(reason(drift), "Repaired", "{}", show(&all));
        }

        let (api, anna) = (&self.api, &self.anna);
        assert_eq!(
            backends(anna, api).await,
            self.backends,
            "the last compliant values are back"
        );
        let prod = world.held(api)["stages"]["prod"].clone();
        assert!(
            !prod["snapshot"].to_string().contains(r#""uri":"http://"#),
            "callers meet HTTPS: {prod:#}"
        );
        assert_eq!(prod["pending"], false, "nothing is left undeployed: {prod:#}");
        assert_eq!(world.served(api, "dev"), self.dev, "nobody touched the other stage");
        assert_eq!(world.made("CreateDeployment"), 1, "one deployment");
        assert_eq!(world.made("UpdateStage"), 1, "pointed at once");
        assert_eq!(world.made("UpdateIntegration"), drifts, "patched once each");

        let wanted: BTreeSet<String> = all
            .iter()
            .flat_map(|d| ["Detected", "Resolved"].map(|t| format!("{}/{t}", uid(d))))
            .collect();
        let told: Mutex<Vec<String>> = Mutex::default();
        until("every transition is told", || async {
            let new = world.aws.machines().await;
            let mut told = told.lock().unwrap();
            told.extend(new.iter().map(|m| m["id"].as_str().unwrap().to_owned()));
            wanted.iter().all(|id| told.contains(id)).then_some(())
        })
        .await;
        let ids = told.into_inner().unwrap();
        assert!(
            ids.iter().all(|id| wanted.contains(id)),
            "told: {ids:?}, to be told: {wanted:?}"
        );
        for id in &wanted {
            let times = ids.iter().filter(|i| i == &id).count();
            assert!(times <= 2, "{id} was told {times} times and was interrupted once");
        }
        let keys = world.aws.audit_keys().await;
        assert_eq!(keys.len(), wanted.len(), "one record a transition: {keys:?}");
        for drift in &all {
            for transition in ["detected", "resolved"] {
                let end = format!("/{}-{transition}.jsonl.gz", uid(drift));
                assert!(keys.iter().any(|k| k.ends_with(&end)), "{end} in {keys:?}");
            }
        }
    }
}

/// Where each method of an API points, in the editor.
async fn backends(who: &Developer, api: &str) -> BTreeMap<String, String> {
    let listed = who.0.get_resources().rest_api_id(api).limit(500).embed("methods");
    let listed = listed.send().await.unwrap();
    let mut found = BTreeMap::new();
    for resource in listed.items() {
        for (verb, method) in resource.resource_methods().into_iter().flatten() {
            if let Some(uri) = method.method_integration().and_then(|i| i.uri()) {
                found.insert(format!("{} {verb}", resource.id().unwrap()), uri.to_owned());
            }
        }
    }
    found
}

/// Points so many methods of an API at something in clear text, in the editor.
async fn open(who: &Developer, api: &str, methods: usize) {
    for key in backends(who, api).await.keys().take(methods) {
        let (resource, verb) = key.split_once(' ').unwrap();
        let call = who.0.update_integration().rest_api_id(api).resource_id(resource);
        call.http_method(verb)
            .patch_operations(replace("/uri", "http://backend.example.com/plain"))
            .send()
            .await
            .unwrap();
    }
}

const FIRST: &str = "-detected.jsonl.gz";
const LAST: &str = "-resolved.jsonl.gz";
/// The write that a repair begins with.
const BEGINS: &str = "has(request.subResource) && request.subResource == 'status' && object.status.phase == 'Repairing' && oldObject.status.phase != 'Repairing'";

fn s3(scene: &Scene) -> &Hold {
    &scene.s3
}

fn sns(scene: &Scene) -> &Hold {
    &scene.sns
}

#[tokio::test]
async fn when_the_drift_was_created_and_not_yet_described() {
    let scene = Scene::new("created", 1).await;
    scene.killed_at_write("!has(oldObject.status)").await.goes_on(1).await;
}

#[tokio::test]
async fn when_it_was_described_and_not_yet_recorded() {
    let scene = Scene::new("described", 1).await;
    scene
        .killed_at_request(s3, At::Before, &["PUT ", FIRST])
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn when_s3_has_the_record_and_nobody_knows() {
    let scene = Scene::new("recorded", 1).await;
    scene
        .killed_at_request(s3, At::After, &["PUT ", FIRST])
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn between_record_and_notification() {
    let scene = Scene::new("untold", 1).await;
    let texts = ["Action=Publish", "plumbline-people", "Detected"];
    scene.killed_at_request(sns, At::Before, &texts).await.goes_on(1).await;
}

#[tokio::test]
async fn when_people_and_machines_were_told_and_nobody_knows() {
    let scene = Scene::new("told", 1).await;
    let texts = ["Action=Publish", "plumbline-machines", "Detected"];
    scene.killed_at_request(sns, At::After, &texts).await.goes_on(1).await;
}

#[tokio::test]
async fn when_the_repair_is_about_to_begin() {
    let scene = Scene::new("ready", 1).await;
    scene.killed_at_write(BEGINS).await.goes_on(1).await;
}

#[tokio::test]
async fn when_the_repair_began_and_nothing_was_patched() {
    let scene = Scene::new("begun", 1).await;
    scene
        .killed_at_call("UpdateIntegration", At::Before, 0)
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn when_the_patch_was_made_and_not_answered() {
    let scene = Scene::new("patched", 1).await;
    scene
        .killed_at_call("UpdateIntegration", At::After, 0)
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn between_two_patches_of_one_repair() {
    let mut scene = Scene::new("patching", 2).await;
    // Both are one repair if both were told before it begins.
    let held_back = scene.world.forbid(BEGINS).await;
    scene.start().await;
    until("both drifts are told", || async {
        let all = scene.world.all_drifts().await;
        let told = |d: &Drift| d.status.as_ref().is_some_and(|s| is(&s.conditions, "Notified", "True"));
        (all.len() == 2 && all.iter().all(told)).then_some(())
    })
    .await;
    scene.hold_call("UpdateIntegration", At::Before, 1);
    scene.world.allow(held_back).await;
    scene.killed_when_held("UpdateIntegration", 1).await.goes_on(2).await;
}

#[tokio::test]
async fn when_the_intent_to_deploy_could_not_be_written() {
    let scene = Scene::new("unintended", 1).await;
    let intends = "has(object.status.intent) && !has(oldObject.status.intent)";
    scene.killed_at_write(intends).await.goes_on(1).await;
}

#[tokio::test]
async fn when_the_intent_was_written_and_nothing_deployed() {
    let scene = Scene::new("intended", 1).await;
    scene
        .killed_at_call("CreateDeployment", At::Before, 0)
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn when_the_deployment_was_made_and_not_answered() {
    let scene = Scene::new("deployed", 1).await;
    scene
        .killed_at_call("CreateDeployment", At::After, 0)
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn when_the_stage_does_not_serve_the_deployment_yet() {
    let scene = Scene::new("unpointed", 1).await;
    scene
        .killed_at_call("UpdateStage", At::Before, 0)
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn when_the_stage_serves_the_deployment_and_nobody_knows() {
    let scene = Scene::new("pointed", 1).await;
    scene.killed_at_call("UpdateStage", At::After, 0).await.goes_on(1).await;
}

#[tokio::test]
async fn when_the_repair_is_made_and_not_yet_written_down() {
    let scene = Scene::new("applied", 1).await;
    let applied = "has(object.status.reason) && object.status.reason == 'Verifying'";
    scene.killed_at_write(applied).await.goes_on(1).await;
}

#[tokio::test]
async fn when_the_repair_was_verified_and_the_end_not_written() {
    let scene = Scene::new("verified", 1).await;
    scene
        .killed_at_write("object.status.phase == 'Resolved' && oldObject.status.phase != 'Resolved'")
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn before_the_last_record() {
    let scene = Scene::new("resolved", 1).await;
    scene
        .killed_at_request(s3, At::Before, &["PUT ", LAST])
        .await
        .goes_on(1)
        .await;
}

#[tokio::test]
async fn before_the_last_notification() {
    let scene = Scene::new("closing", 1).await;
    let texts = ["Action=Publish", "plumbline-machines", "Resolved"];
    scene.killed_at_request(sns, At::Before, &texts).await.goes_on(1).await;
}

#[tokio::test]
async fn after_the_last_notification() {
    let scene = Scene::new("closed", 1).await;
    let texts = ["Action=Publish", "plumbline-machines", "Resolved"];
    scene.killed_at_request(sns, At::After, &texts).await.goes_on(1).await;
}
