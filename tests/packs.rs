//! The policy packs: each rule is tested, explained, and safe in what it repairs.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use plumbline::api::Reason;
use plumbline::api::policy::{EndpointPolicySpec, EndpointType, Enforcement, Target};
use plumbline::aws::apigateway::export::Deployed;
use plumbline::aws::apigateway::{assemble, properties};
use plumbline::judge::cel::Document;
use plumbline::judge::compile::{Policy, PolicyRef};
use plumbline::judge::snapshot::EndpointId;
use plumbline::judge::verdict::{Plan, Remedy};
use plumbline::judge::{self, Outcome, Question, Snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

const PACKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

/// Every pack: its name, its text, and the document.
fn packs() -> Vec<(String, String, Value)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(PACKS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let document = serde_saphyr::from_str(&text).unwrap();
        (name, text, document)
    };
    files.iter().map(read).collect()
}

fn rules(pack: &Value) -> Vec<&Value> {
    pack["spec"]["rules"].as_array().unwrap().iter().collect()
}

/// The packs in Enforce, with a log group.
fn policies() -> &'static [Policy] {
    static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
        let compiled = packs().into_iter().map(|(name, _, pack)| {
            let mut spec: EndpointPolicySpec = serde_json::from_value(pack["spec"].clone()).unwrap();
            spec.enforcement = Enforcement::Enforce;
            spec.params.insert("logGroup".into(), json!("group"));
            let id = PolicyRef {
                name,
                ..PolicyRef::default()
            };
            judge::compile(id, &spec).unwrap()
        });
        compiled.collect()
    });
    &POLICIES
}

#[test]
fn every_pack_passes_its_tests() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
    let output = command.args(["test", PACKS]).env_clear().output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("all as expected"), "{told}");
}

/// A rule that was never seen both ways is not known to tell one from the other.
#[test]
fn every_rule_is_seen_to_hold_and_to_be_violated() {
    for (name, _, pack) in packs() {
        let tests = std::fs::read_to_string(format!("{PACKS}/tests/{name}.test.yaml"))
            .unwrap_or_else(|error| panic!("{name} has no tests: {error}"));
        let tests: Vec<Value> = serde_saphyr::from_multiple(&tests).unwrap();
        let expectations = tests.iter().flat_map(|test| test["expect"].as_array().unwrap());
        let seen: BTreeSet<(&str, &str)> = expectations
            .map(|e| (e["rule"].as_str().unwrap(), e["outcome"].as_str().unwrap()))
            .collect();
        for rule in rules(&pack) {
            let rule = rule["name"].as_str().unwrap();
            for outcome in ["Compliant", "Violated"] {
                assert!(
                    seen.contains(&(rule, outcome)),
                    "{name}: {rule} is never expected to be {outcome}"
                );
            }
        }
    }
}

#[test]
fn every_rule_says_what_it_serves_why_and_how_it_is_repaired() {
    for (name, text, pack) in packs() {
        assert_eq!(pack["metadata"]["name"], name, "a pack is called as its file");
        assert_eq!(
            pack["spec"]["enforcement"], "Audit",
            "{name}: nothing is repaired unasked"
        );
        assert!(
            pack["metadata"].get("namespace").is_none(),
            "{name}: whoever applies it says where"
        );
        for rule in rules(&pack) {
            let rule_name = rule["name"].as_str().unwrap();
            let controls = rule["controls"].as_array().map_or(0, Vec::len);
            assert!(controls > 0, "{name}: {rule_name} serves no control");
            assert!(
                rule.get("allowDisruption").is_none(),
                "{name}: {rule_name} interrupts callers unasked"
            );
            let above = text.split(&format!("- name: {rule_name}\n")).next().unwrap();
            let comment = above.rsplit("\n\n").next().unwrap();
            let comment = if comment.contains("  rules:\n") {
                comment.split("  rules:\n").nth(1).unwrap()
            } else {
                comment
            };
            for part in ["# Why: ", "# Repair: "] {
                assert!(comment.contains(part), "{name}: {rule_name} has no `{part}` above it");
            }
            let repaired = ["desired", "absent", "fix", "restore"]
                .iter()
                .any(|field| rule.get(*field).is_some());
            assert_ne!(
                repaired,
                comment.contains("# Repair: none"),
                "{name}: {rule_name} does not say that it has no repair"
            );
        }
    }
}

#[test]
fn the_foundational_pack_serves_each_control_that_rest_apis_have() {
    let (_, _, pack) = packs()
        .into_iter()
        .find(|(name, ..)| name == "aws-foundational")
        .unwrap();
    let controls: BTreeSet<String> = rules(&pack)
        .iter()
        .flat_map(|rule| rule["controls"].as_array().unwrap())
        .filter_map(|control| {
            control
                .as_str()
                .unwrap()
                .strip_prefix("SecurityHub/")
                .map(str::to_owned)
        })
        .collect();
    let wanted = [
        "APIGateway.1",
        "APIGateway.11",
        "APIGateway.2",
        "APIGateway.3",
        "APIGateway.5",
    ];
    assert_eq!(controls.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

/// An API as drafted and deployed.
fn api(listed: &Value, stage: &Value) -> Snapshot {
    let id = EndpointId {
        account_id: "111122223333".into(),
        region: "eu-west-1".into(),
        type_: EndpointType::RestApi,
        id: "a1".into(),
    };
    let deployed = BTreeMap::from([("d1".to_owned(), Ok(Deployed::of_editor(listed, &[])))]);
    assemble::deployed_rest_api(id, listed, std::slice::from_ref(stage), None, deployed)
}

fn judged(snapshot: &Snapshot, policies: &[Policy], seen: &BTreeMap<String, Value>) -> judge::Judgement {
    let policies: Vec<_> = policies.iter().map(|policy| (policy, Enforcement::Enforce)).collect();
    judge::judge(&Question {
        snapshot,
        policies: &policies,
        exceptions: &[],
        last_compliant: seen,
        account: &Document::new(json!({})),
        tables: properties::table,
        now: jiff::Timestamp::UNIX_EPOCH,
    })
}

/// Every repair, with what it is of.
fn plans(judgement: judge::Judgement) -> Vec<(String, Target, Plan)> {
    let plan = |verdict: judge::Verdict| match verdict.outcome {
        Outcome::Violated(violation) => match violation.remedy {
            Remedy::Plan(plan) => Some((verdict.rule, verdict.target, plan)),
            Remedy::None { reason, message } => {
                assert_ne!(
                    reason,
                    Reason::Conflicted,
                    "packs do not quarrel: {}: {message}",
                    verdict.rule
                );
                None
            }
        },
        _ => None,
    };
    judgement.verdicts.into_iter().filter_map(plan).collect()
}

fn entry() -> impl Strategy<Value = Value> {
    let flag = prop::option::of(any::<bool>());
    let level = prop::option::of(prop::sample::select(vec!["OFF", "ERROR", "INFO"]));
    let rate = prop::sample::select(vec![-1.0, 0.0, 100.0, 10000.0]);
    (flag.clone(), flag.clone(), flag, level, rate).prop_map(|(cached, encrypted, traced, level, rate)| {
        let mut entry = json!({"throttlingRateLimit": rate, "throttlingBurstLimit": 5});
        for (field, value) in [
            ("cachingEnabled", cached),
            ("cacheDataEncrypted", encrypted),
            ("dataTraceEnabled", traced),
        ] {
            if let Some(value) = value {
                entry[field] = value.into();
            }
        }
        if let Some(level) = level {
            entry["loggingLevel"] = level.into();
        }
        entry
    })
}

fn stage() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec!["*/*", "pets/GET", "~1/POST"]);
    let settings = prop::option::of(prop::collection::btree_map(keys, entry(), 0..4));
    (settings, any::<bool>(), any::<bool>()).prop_map(|(settings, cluster, traced)| {
        let mut stage = json!({"stageName": "prod", "deploymentId": "d1", "cacheClusterEnabled": cluster, "tracingEnabled": traced});
        if let Some(settings) = settings {
            stage["methodSettings"] = json!(settings);
        }
        stage
    })
}

fn resource_policy() -> impl Strategy<Value = Option<Value>> {
    let statement = |effect: &str, condition: Option<Value>| {
        let mut statement =
            json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"});
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    };
    let insecure = json!({"Bool": {"aws:SecureTransport": "false"}});
    let vpc = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    let statements = vec![
        statement("Allow", None),
        statement("Allow", Some(vpc.clone())),
        statement("Deny", None),
        statement("Deny", Some(insecure)),
        statement("Deny", Some(vpc)),
    ];
    let chosen = prop::sample::subsequence(statements, 0..=3);
    prop::option::of(chosen.prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements})))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a stage's settings were and are: caching is never turned on, and what a rule repairs is its own business.
    #[test]
    fn no_repair_turns_caching_on(before in stage(), after in stage()) {
        let (policies, listed) = (policies(), json!({"id": "a1"}));
        let seen = judged(&api(&listed, &before), policies, &BTreeMap::new()).compliant;
        for (rule, target, plan) in plans(judged(&api(&listed, &after), policies, &seen)) {
            for patch in plan.patches.iter().flat_map(|call| &call.patch_operations) {
                let forbidden = ["/caching/enabled", "/cacheCluster"];
                prop_assert!(!forbidden.iter().any(|path| patch.path.contains(path)), "{rule}: {patch:?}");
                let own: &[&str] = match rule.as_str() {
                    "execution-logging" => &["/logging/loglevel"],
                    "cache-encryption" => &["/caching/dataEncrypted"],
                    "no-bodies-in-production-logs" => &["/logging/dataTrace"],
                    "throttled" => &["/*/*/throttling/rateLimit", "/*/*/throttling/burstLimit"],
                    "access-logs" => &["/accessLogSettings/destinationArn", "/accessLogSettings/format"],
                    "tracing" | "traced" => &["/tracingEnabled"],
                    _ => &[],
                };
                prop_assert!(target != Target::Stage || own.iter().any(|path| patch.path.ends_with(path)), "{rule}: {patch:?}");
                if rule == "cache-encryption" {
                    let key = patch.path.trim_start_matches('/').trim_end_matches("/caching/dataEncrypted");
                    prop_assert!(
                        patch.value.as_deref() == Some("false") || after["methodSettings"][key]["cachingEnabled"] == true,
                        "a method that is not cached is left alone: {patch:?}"
                    );
                }
            }
        }
    }

    /// Whatever the resource policy was and is: a repair leaves one under which somebody may call.
    #[test]
    fn no_repair_leaves_a_deny_alone(before in resource_policy(), after in resource_policy()) {
        let listed = |policy: &Option<Value>| match policy {
            Some(policy) => json!({"id": "a1", "policy": policy}),
            None => json!({"id": "a1"}),
        };
        let (policies, stage) = (policies(), json!({"stageName": "prod", "deploymentId": "d1"}));
        let seen = judged(&api(&listed(&before), &stage), policies, &BTreeMap::new()).compliant;
        for (rule, _, plan) in plans(judged(&api(&listed(&after), &stage), policies, &seen)) {
            for patch in plan.patches.iter().flat_map(|call| &call.patch_operations).filter(|p| p.path == "/policy") {
                let policy: Value = serde_json::from_str(patch.value.as_deref().unwrap_or_default()).unwrap_or(Value::Null);
                let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
                prop_assert!(statements.iter().any(|s| s["Effect"] == "Allow"), "{rule}: {patch:?}");
            }
        }
    }
}
