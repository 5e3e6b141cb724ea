//! Two states, one rule: what callers meet and what is drafted, and what is not known of them.

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::Target;
use crate::judge::snapshot::Resource;
use crate::judge::verdict::{Outcome, Remedy};

const HTTPS: &str = "object.methodIntegration.uri.startsWith('https://')";
const FIX: &str = "{'methodIntegration': {'uri': object.methodIntegration.uri.replace('http://', 'https://')}}";

fn drafted(uri: &str) -> Resource {
    method("GET /pets", calling(uri)).never_deployed()
}

fn says(resource: Resource) -> String {
    let rule = rule(METHOD, json!({"require": HTTPS, "fix": FIX}));
    World::of([resource]).under(policy("p", rule)).says()
}

#[test]
fn what_callers_meet_decides_and_the_draft_is_told_apart() {
    let (good, bad) = ("https://a", "http://a");
    let repair = "UpdateIntegration replace /uri=https://a";
    for (resource, expected, why) in [
        (
            drafted(good).served("prod", calling(good)),
            "compliant".to_owned(),
            "both hold",
        ),
        (
            drafted(bad).served("prod", calling(bad)),
            format!("live in prod: {repair}; deploy prod"),
            "both violate: patched, and deployed where callers meet it",
        ),
        (
            drafted(bad).served("prod", calling(good)),
            format!("draft: {repair}"),
            "the draft alone: patched, never deployed",
        ),
        (
            drafted(good).served("prod", calling(bad)),
            "live in prod: deploy prod".to_owned(),
            "somebody mended the draft: the deployment is all that is missing",
        ),
        (
            drafted(bad).served("dev", calling(bad)).served("prod", calling(good)),
            format!("live in dev: {repair}; deploy dev"),
            "only where it is met",
        ),
        (
            drafted(bad).served("dev", calling(bad)).served("prod", calling(bad)),
            format!("live in dev prod: {repair}; deploy dev prod"),
            "one patch, and every stage that serves it",
        ),
        (
            drafted(bad),
            format!("draft: {repair}"),
            "never deployed: nobody meets it",
        ),
        (drafted(good), "compliant".to_owned(), "never deployed, and holds"),
        (
            drafted(bad).not_in("prod"),
            format!("draft: {repair}"),
            "the deployment is older than the method",
        ),
        (
            drafted(bad).served("prod", calling(bad)).without_draft(),
            "live in prod: NotRepairable".to_owned(),
            "deleted in the editor, still served",
        ),
        (
            drafted(good).served("prod", calling(good)).without_draft(),
            "compliant".to_owned(),
            "the same, and it holds",
        ),
        (
            drafted(good).not_in("prod").without_draft(),
            "does not apply".to_owned(),
            "neither drafted nor served",
        ),
    ] {
        assert_eq!(says(resource), expected, "{why}");
    }
}

#[test]
fn what_cannot_be_read_is_never_compliant() {
    let (good, bad) = ("https://a", "http://a");
    for (resource, expected, why) in [
        (
            drafted(good).unreadable("prod"),
            "unknown: stage prod: AWS said 403",
            "the draft says nothing of what callers meet",
        ),
        (
            drafted(good).served("dev", calling(good)).unreadable("prod"),
            "unknown: stage prod: AWS said 403",
            "one stage that holds does not speak for another",
        ),
        (
            drafted(good).served("dev", calling(bad)).unreadable("prod"),
            "live in dev: deploy dev",
            "a violation that is seen is one, whatever else is not",
        ),
        (
            drafted(bad).unreadable("prod"),
            "draft: UpdateIntegration replace /uri=https://a",
            "the draft's violation is known",
        ),
        (
            drafted(good).served_but("prod", calling(good), &["methodIntegration.uri"]),
            "unknown: require: what callers meet of methodIntegration.uri is not shown by AWS",
            "an export that does not show what the rule reads",
        ),
        (
            drafted(good).served_but("prod", calling(bad), &["methodIntegration.uri"]),
            "unknown: require: what callers meet of methodIntegration.uri is not shown by AWS",
            "a value that stands where nothing is shown proves nothing",
        ),
        (
            drafted(good).served_but("prod", calling(good), &["authorizerId"]),
            "compliant",
            "what the rule does not read may stay hidden",
        ),
    ] {
        assert_eq!(says(resource), expected, "{why}");
    }
    let told = World::of([drafted(bad).unreadable("prod")])
        .under(policy("p", rule(METHOD, json!({"require": HTTPS, "fix": FIX}))))
        .violation();
    assert_eq!(
        told.live_unknown.as_deref(),
        Some("stage prod: AWS said 403"),
        "and says why nobody knows more"
    );
}

#[test]
fn desired_values_that_are_not_shown_are_unknown() {
    let base = calling("https://a");
    let integration = |fields: Value| json!({"desired": {"methodIntegration": fields}});
    for (live, hidden, fields, expected, why) in [
        (
            base.clone(),
            vec!["methodIntegration.cacheNamespace"],
            integration(json!({"cacheNamespace": "r1"})),
            "unknown: what callers meet of methodIntegration.cacheNamespace is not shown by AWS",
            "it stands in the draft, which proves nothing",
        ),
        (
            base.clone(),
            vec!["methodIntegration.cacheNamespace"],
            integration(json!({"cacheNamespace": "r1", "timeoutInMillis": 29000})),
            "unknown: what callers meet of methodIntegration.cacheNamespace is not shown by AWS",
            "a part that holds does not speak for the hidden one",
        ),
        (
            with(base.clone(), "methodIntegration.timeoutInMillis", json!(1)),
            vec!["methodIntegration.cacheNamespace"],
            integration(json!({"cacheNamespace": "r1", "timeoutInMillis": 29000})),
            "live in prod: deploy prod",
            "a part that is seen to differ is enough",
        ),
        (
            base.clone(),
            vec!["methodIntegration"],
            integration(json!({"timeoutInMillis": 29000})),
            "unknown: what callers meet of methodIntegration.timeoutInMillis is not shown by AWS",
            "hidden with everything above it",
        ),
        (
            json!({"httpMethod": "GET"}),
            vec!["methodIntegration.cacheNamespace"],
            integration(json!({"timeoutInMillis": 29000})),
            "live in prod: deploy prod",
            "a hidden sibling hides nothing else",
        ),
        (
            base.clone(),
            vec!["authorizationScopes"],
            json!({"absent": ["authorizationScopes"]}),
            "unknown: what callers meet of authorizationScopes is not shown by AWS",
            "nor is absence believed where nothing is shown",
        ),
    ] {
        let resource = method("GET /pets", base.clone()).served_but("prod", live, &hidden);
        let world = World::of([resource]).under(policy("p", rule(METHOD, fields)));
        assert_eq!(world.says(), expected, "{why}");
    }
}

#[test]
fn a_rule_that_asks_for_a_stage_is_asked_as_that_stage() {
    // Drafts have no stage: such a rule leaves them alone. It must not take them for mended.
    for (fields, expected, why) in [
        (
            json!({"when": "stage == 'prod'", "desired": {"apiKeyRequired": true}}),
            "live in prod: UpdateMethod replace /apiKeyRequired=true; deploy prod",
            "the draft is not mended because the rule does not speak of drafts",
        ),
        (
            json!({"require": "stage != 'prod' || object.apiKeyRequired", "fix": "{'apiKeyRequired': true}"}),
            "live in prod: UpdateMethod replace /apiKeyRequired=true; deploy prod",
            "nor because it is content with them",
        ),
        (
            json!({"require": "stage != 'prod' || object.apiKeyRequired", "fix": "{'apiKeyRequired': stage == 'prod'}"}),
            "live in prod: FixIneffective",
            "a fix is made for the draft; what it gives must hold in the stage",
        ),
        (
            json!({"require": "stage.startsWith('prod') && object.apiKeyRequired", "fix": "{'apiKeyRequired': true}"}),
            "live in prod: UpdateMethod replace /apiKeyRequired=true; deploy prod",
            "whether a draft holds cannot be told, and is not asked",
        ),
    ] {
        let world = World::of([method("GET /pets", calling("https://a"))]).under(policy("p", rule(METHOD, fields)));
        assert_eq!(world.says(), expected, "{why}");
    }
}

#[test]
fn a_policy_that_asks_for_stages_judges_what_they_serve() {
    let (good, bad) = ("https://a", "http://a");
    for (resource, expected, why) in [
        (
            drafted(bad).served("dev", calling(bad)).served("prod", calling(good)),
            "draft: UpdateIntegration replace /uri=https://a",
            "dev is not asked for; the draft is what prod would serve next",
        ),
        (
            drafted(bad).served("dev", calling(bad)).served("prod", calling(bad)),
            "live in prod: UpdateIntegration replace /uri=https://a; deploy prod",
            "dev is neither named nor deployed to",
        ),
        (
            drafted(bad).served("dev", calling(bad)),
            "does not apply",
            "not served by prod",
        ),
        (
            drafted(good).unreadable("dev").served("prod", calling(good)),
            "compliant",
            "what dev serves is not asked",
        ),
    ] {
        let rule = rule(METHOD, json!({"require": HTTPS, "fix": FIX}));
        let policy = policy_with("p", rule, json!({"selector": {"stages": ["prod"]}}));
        assert_eq!(World::of([resource]).under(policy).says(), expected, "{why}");
    }
    let rule = rule(STAGE, json!({"desired": {"tracingEnabled": true}}));
    let policy = policy_with("p", rule, json!({"selector": {"stages": ["prod"]}}));
    let off = || json!({"tracingEnabled": false});
    let judgement = World::of([stage("dev", off()), stage("prod", off())])
        .under(policy)
        .ask();
    assert_eq!(
        lines(&judgement),
        ["p/r prod| live in prod: UpdateStage replace /tracingEnabled=true"],
        "a stage serves itself"
    );
}

#[test]
fn a_stage_with_a_canary_is_named_once() {
    let mut resource = drafted("http://a").served("prod", calling("http://a"));
    let canary = resource.live[0].clone();
    resource.live.push(canary);
    assert_eq!(
        says(resource),
        "live in prod: UpdateIntegration replace /uri=https://a; deploy prod",
        "both of its deployments violate"
    );
}

#[test]
fn a_deployment_that_finishes_somebodys_edit_says_what_it_changes() {
    let desired = json!({"desired": {"authorizationType": "AWS_IAM", "apiKeyRequired": true}});
    let live = calling("https://a");
    let half = with(live.clone(), "authorizationType", json!("AWS_IAM"));
    let done = with(half.clone(), "apiKeyRequired", json!(true));
    let (authorization, key) = (
        "authorizationType: callers without the credentials that are asked for are refused",
        "apiKeyRequired: callers without an API key are refused",
    );
    for (draft, expected, why) in [
        (
            live.clone(),
            "live in prod: UpdateMethod replace /authorizationType=AWS_IAM, replace /apiKeyRequired=true; deploy prod",
            "nothing is drafted yet",
        ),
        (
            half,
            "live in prod: UpdateMethod replace /apiKeyRequired=true; deploy prod",
            "one half is drafted",
        ),
        (done, "live in prod: deploy prod", "all of it is drafted"),
    ] {
        let resource = method("GET /pets", draft).served("prod", live.clone());
        let world = World::of([resource]).under(policy("p", rule(METHOD, desired.clone())));
        assert_eq!(world.says(), expected, "{why}");
        let mut disruptions = world.plan().disruptions;
        disruptions.sort();
        assert_eq!(
            disruptions,
            [key, authorization],
            "{why}: callers are refused all the same"
        );
        let violation = world.violation();
        let mut paths: Vec<_> = violation.difference.iter().map(|change| change.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            ["apiKeyRequired", "authorizationType"],
            "{why}: callers meet both"
        );
    }
}

#[test]
fn a_mended_draft_needs_no_last_compliant_value() {
    let restore = json!({"require": HTTPS, "restore": ["methodIntegration.uri"]});
    let resource = drafted("https://b").served("prod", calling("http://a"));
    let world = World::of([resource]).under(policy("p", rule(METHOD, restore)));
    assert_eq!(
        world.says(),
        "live in prod: deploy prod",
        "somebody chose a value that holds"
    );
    let interrupts = "methodIntegration.uri: calls reach another target, or none";
    assert_eq!(
        world.plan().disruptions,
        [interrupts],
        "it is not the one that callers met before"
    );
    let world = world.after(Target::Method, "GET /pets", "methodIntegration.uri", json!("https://b"));
    assert!(world.plan().disruptions.is_empty(), "this one is");

    let report = rule(METHOD, json!({"require": HTTPS}));
    let resource = drafted("https://b").served("prod", calling("http://a"));
    let world = World::of([resource]).under(policy("p", report));
    assert_eq!(
        world.says(),
        "live in prod: NotRepairable",
        "a rule without a repair deploys nothing"
    );
}

#[test]
fn a_finding_says_what_was_found() {
    for (fields, expected, why) in [
        (
            json!({"require": HTTPS, "message": "'calls ' + object.methodIntegration.uri + ' in ' + stage"}),
            "calls http://a in prod",
            "in the rule's own words",
        ),
        (
            json!({"require": HTTPS, "message": "object.nothing"}),
            "does not hold: object.methodIntegration.uri.startsWith('https://')",
            "a message that fails hides nothing",
        ),
        (
            json!({"desired": {"apiKeyRequired": true}}),
            "apiKeyRequired is false, not true",
            "from the difference",
        ),
        (
            json!({"desired": {"operationName": "pets"}}),
            "operationName is nothing, not \"pets\"",
            "from nothing",
        ),
    ] {
        let world = World::of([method("GET /pets", calling("http://a"))]).under(policy("p", rule(METHOD, fields)));
        assert_eq!(world.violation().finding, expected, "{why}");
    }
    let live = with(calling("http://live"), "apiKeyRequired", json!(true));
    let resource = method("GET /pets", calling("http://draft")).served("prod", live);
    let fields = json!({"require": HTTPS, "fix": "{'methodIntegration': {'uri': 'https://a'}}"});
    let violation = World::of([resource])
        .under(policy("p", rule(METHOD, fields)))
        .violation();
    assert_eq!(
        violation.observed,
        json!({"methodIntegration": {"uri": "http://live"}}),
        "what callers meet"
    );
    assert_eq!(violation.desired, json!({"methodIntegration": {"uri": "https://a"}}));
    assert!(matches!(violation.remedy, Remedy::Plan(_)));
}

#[test]
fn severity_and_controls_go_along() {
    let fields = json!({"require": "false", "severity": "Critical", "controls": ["SecurityHub/APIGateway.3"]});
    let judgement = World::of([stage("prod", json!({}))])
        .under(policy("p", rule(STAGE, fields)))
        .ask();
    let Outcome::Violated(violation) = &judgement.verdicts[0].outcome else {
        panic!("{:?}", lines(&judgement));
    };
    assert_eq!(violation.severity.as_str(), "Critical");
    assert_eq!(violation.controls, ["SecurityHub/APIGateway.3"]);
}
