//! What AWS does and neither documents nor was seen doing, either way: a story ends repaired, or waiting with the reason.

use plumbline::api::Reason;
use plumbline::aws::apigateway::read::Depth;
use plumbline::inventory::sweep;
use serde_json::{Value, json};

use crate::clean::in_clear_text;
use crate::colleague::Colleague;
use crate::wire::Cut;
use crate::world::{STAGES, World, https, open};

/// Every switch in every position.
const POSITIONS: &[(&str, &str)] = &[
    ("export.policy", "snapshot"),
    ("export.policy", "editor"),
    ("export.policy", "absent"),
    ("export.compression", "snapshot"),
    ("export.compression", "editor"),
    ("export.compression", "absent"),
    ("export.gateway-responses", "snapshot"),
    ("export.gateway-responses", "editor"),
    ("export.gateway-responses", "absent"),
    ("export.endpoint-configuration", "snapshot"),
    ("export.endpoint-configuration", "editor"),
    ("export.endpoint-configuration", "absent"),
    ("canary-deploy-without-settings", "stage"),
    ("canary-deploy-without-settings", "canary"),
    ("disable-execute-api", "on-stage-change"),
    ("disable-execute-api", "on-deployment"),
    ("policy-arns", "expanded"),
    ("policy-arns", "as-written"),
    ("new-method-settings", "from-wildcard"),
    ("new-method-settings", "defaults"),
    ("security-policy-change", "updating"),
    ("security-policy-change", "at-once"),
    // Nothing of a repair rests on the trail.
    ("trail-masks-values", "off"),
    ("trail-masks-values", "on"),
];

#[test]
fn every_position_of_every_switch_is_tried() {
    for switch in awsim::Switch::ALL {
        for value in switch.values() {
            assert!(POSITIONS.contains(&(switch.name(), value)), "{} {value}", switch.name());
        }
    }
}

impl World {
    /// Reads everything, as a sweep does, and repairs nothing.
    async fn sweep(&self) {
        sweep::again(&self.client, &self.id, Depth::Live, &self.exports)
            .await
            .unwrap();
    }

    /// Repaired in truth, or waiting for a reason.
    #[track_caller]
    fn ended_well(&self, why: &str) {
        if self.desk.drifts.is_empty() {
            assert!(self.is_right(), "{why}: believed to be repaired, and it is not");
        }
        for (key, drift) in &self.desk.drifts {
            assert!(
                drift.waits.is_some(),
                "{why}: {key:?} neither repaired nor waiting: {drift:?}"
            );
        }
    }
}

fn drift(anna: &Colleague) {
    anna.patch("", "replace /policy", &open().to_string());
    in_clear_text(anna);
}

#[tokio::test]
async fn a_drift_ends_repaired_or_waiting() {
    for position in POSITIONS {
        let mut world = World::of(&[*position], https(), crate::pending::furnished_plainly).await;
        drift(&world.anna);
        world.settle().await;
        world.ended_well(&format!("{position:?}"));
        let expected = *position != ("export.policy", "absent") && *position != ("export.gateway-responses", "absent");
        assert_eq!(world.is_right(), expected, "{position:?}: {:?}", world.desk.drifts);
    }
}

#[tokio::test]
async fn unfinished_settings_are_never_published() {
    #[rustfmt::skip]
    #[expect(clippy::type_complexity, reason = "a table of this test alone")]
    let edits: &[(&str, fn(&Colleague))] = &[
        ("policy", |a| { let mut policy = open();
            policy["Statement"][0]["Principal"] = json!({"AWS": "arn:aws:iam::111122223333:root"});
            a.patch("", "replace /policy", &policy.to_string()); }),
        ("compression", |a| a.patch("", "replace /minimumCompressionSize", "1024")),
        ("gateway response", |a| a.patch("/gatewayresponses/THROTTLED", "replace /statusCode", "503")),
        ("execute-api", |a| a.patch("", "replace /disableExecuteApiEndpoint", "true")),
    ];
    for position in POSITIONS {
        for (what, edit) in edits {
            let mut world = World::of(&[*position], https(), crate::pending::furnished_plainly).await;
            in_clear_text(&world.anna);
            // The deployment was seen before anybody drafted something on top of it.
            world.sweep().await;
            edit(&world.anna);
            let drafted = world.anna.state();
            world.settle().await;
            let why = format!("{position:?}, {what}");
            assert_eq!(world.anna.state(), drafted, "{why}: nothing is touched");
            let (reason, _) = world.desk.record("backends-over-https").waits.clone().unwrap();
            assert!(
                matches!(reason, Reason::RedeployPending | Reason::RedeployUncertain),
                "{why}: {reason:?}"
            );
            world.anna.deploy(&STAGES);
            world.settle().await;
            world.ended_well(&why);
        }
    }
}

#[tokio::test]
async fn a_killed_repair_ends_repaired_or_waiting() {
    for position in POSITIONS {
        // If exports show the editor, nothing but the cache of exports tells that a policy which was patched is not live yet.
        let forgets = *position != ("export.policy", "editor");
        // After the policy's patch, the editor's reading, the deployment, the first stage.
        for after in [8, 10, 12, 18, 30] {
            let mut world = World::of(&[*position], https(), |_| {}).await;
            drift(&world.anna);
            world.desk.kill = Some(Cut { after, applied: true });
            world.round().await;
            world.wire.cut(None);
            if forgets {
                world.restart();
            }
            world.settle().await;
            world.ended_well(&format!("{position:?}, killed at {after}"));
        }
    }
}

#[tokio::test]
async fn a_policy_written_short_and_read_long_is_the_same() {
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "callers-over-https", "target": "AWS::ApiGateway::RestApi",
        "allowDisruption": true, "require": "iam.denies(object.policy, {'aws:SecureTransport': 'false'})",
        "fix": format!("{{'policy': {}}}", cel(&awsim::seed::https_only()))}]});
    for position in ["expanded", "as-written"] {
        for kill in [
            None,
            Some(Cut {
                after: 9,
                applied: true,
            }),
        ] {
            let mut world = World::of(&[("policy-arns", position)], policy.clone(), |_| {}).await;
            world.anna.patch("", "replace /policy", &open().to_string());
            world.anna.deploy(&STAGES);
            world.desk.desires = written(&world, &awsim::seed::https_only());
            world.desk.kill = kill;
            world.round().await;
            world.restart();
            world.settle().await;
            assert!(
                world.desk.drifts.is_empty(),
                "{position} {kill:?}: {:?}",
                world.desk.drifts
            );
            assert!(world.is_right());
        }
    }
}

/// A literal as CEL writes it.
fn cel(value: &Value) -> String {
    value.to_string().replace('"', "'")
}

/// What a policy may look like in a deployment, however AWS writes its ARNs.
fn written(world: &World, policy: &Value) -> Vec<(plumbline::judge::path::Path, Value)> {
    let long = format!("arn:aws:execute-api:eu-west-1:111122223333:{}/*", world.id.id);
    let expanded: Value = serde_json::from_str(&policy.to_string().replace("execute-api:/*", &long)).unwrap();
    let at = ["settings", "policy", "Statement"];
    [policy, &expanded]
        .map(|policy| (plumbline::judge::path::Path::of(at), policy["Statement"].clone()))
        .to_vec()
}

#[tokio::test]
async fn a_security_policy_is_raised_once() {
    let strong = "SecurityPolicy_TLS13_1_3_2025_09";
    let policy = json!({"enforcement": "Enforce", "rules": [{"name": "tls", "target": "AWS::ApiGateway::RestApi",
        "allowDisruption": true, "desired": {"securityPolicy": strong, "endpointAccessMode": "BASIC"}}]});
    for position in ["updating", "at-once"] {
        let mut world = World::of(&[("security-policy-change", position)], policy.clone(), |anna| {
            let both = json!({"patchOperations": [
                {"op": "replace", "path": "/securityPolicy", "value": strong},
                {"op": "replace", "path": "/endpointAccessMode", "value": "BASIC"}]});
            anna.ok("PATCH ", &both);
        })
        .await;
        for (field, value) in [("securityPolicy", strong), ("endpointAccessMode", "BASIC")] {
            let at = plumbline::judge::path::Path::of(["settings", field]);
            world.desk.desires.push((at, json!(value)));
        }
        world.anna.patch("", "replace /securityPolicy", "TLS_1_0");
        world.anna.deploy(&STAGES);
        let before = world.deployments();
        world.settle().await;
        assert!(world.desk.drifts.is_empty(), "{position}: {:?}", world.desk.drifts);
        let deployed = &world.anna.state()["stages"]["prod"]["snapshot"]["settings"]["securityPolicy"];
        assert_eq!(deployed, strong, "{position}");
        assert_eq!(world.deployments(), before + 1, "{position}");
    }
}
