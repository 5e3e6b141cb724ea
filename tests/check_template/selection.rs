//! Which policies mean what of a template.

use super::*;

#[test]
fn an_openapi_document_has_no_stages_but_those_that_are_named() {
    let prod = json!({"selector": {"stages": ["prod"]}});
    let asks = "!has(object.methodIntegration) || object.methodIntegration.type != 'HTTP_PROXY'";
    let folder = Folder::new("openapi")
        .copy("openapi.json")
        .file("policies/a.yaml", BACKENDS)
        .file("policies/b.yaml", TRACING);
    let ran = folder.check(&["--template", "openapi.json"]);
    says(
        ran.ended(1).row("backends-over-https"),
        &[&line("openapi.json", "\"uri\""), "catalogue", "GET /pages"],
    );
    assert!(!ran.out.contains("traced"), "no stage, no rule on stages: {}", ran.out);

    let folder = folder.file(
        "policies/c.yaml",
        &policy("prod", "AWS::ApiGateway::Method", asks, &prod),
    );
    let ran = folder.check(&["--template", "openapi.json"]);
    says(
        ran.ended(2).row("asks"),
        &[
            "Unknown",
            "which stages will serve it is not written: say so with --stage NAME",
        ],
    );
    let ran = folder.check(&["--template", "openapi.json", "--stage", "prod"]);
    says(
        ran.ended(1).row("asks"),
        &[&line("openapi.json", "\"type\""), "(stages: prod)"],
    );
    let ran = folder.check(&["--template", "openapi.json", "--stage", "test"]);
    assert!(
        !ran.ended(1).out.contains("asks"),
        "the policy means prod alone: {}",
        ran.out
    );
}

#[test]
fn selectors_mean_what_the_template_says() {
    for (selector, judged, why) in [
        (json!({"names": ["shop-*"]}), 1, "the name"),
        (json!({"names": ["pay-*"]}), 0, "another name"),
        (json!({"tags": {"matchLabels": {"team": "shop"}}}), 1, "a tag"),
        (json!({"tags": {"matchLabels": {"team": "pay"}}}), 0, "another tag"),
        (json!({"types": ["AWS::ApiGateway::DomainName"]}), 0, "another type"),
        (json!({"stages": ["prod"]}), 1, "the stage"),
        (json!({"stages": ["test"]}), 0, "another stage"),
        (json!({"regions": ["ap-south-1"]}), 1, "a template goes to any region"),
    ] {
        let rule = policy("p", "AWS::ApiGateway::RestApi", "true", &json!({"selector": selector}));
        let folder = Folder::new("selectors")
            .copy("cloudformation.yaml")
            .file("policies/a.yaml", &rule);
        let ran = folder.check(&["--template", "cloudformation.yaml"]);
        let told = format!("1 endpoints, {judged} verdicts: 0 violations, 0 unknown\n");
        assert_eq!(ran.ended(0).out, told, "{why}");
    }
}

#[test]
fn what_a_selector_means_is_unknown_if_the_name_is() {
    let template = "Parameters: {Name: {Type: String}}\nResources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: !Ref Name}}\n";
    let rule = policy(
        "p",
        "AWS::ApiGateway::RestApi",
        "true",
        &json!({"selector": {"names": ["shop-*"]}}),
    );
    let folder = Folder::new("name")
        .file("t.yaml", template)
        .file("policies/a.yaml", &rule);
    let ran = folder.check(&["--template", "t.yaml"]);
    says(
        ran.ended(2).row("asks"),
        &["t.yaml:3", "Api", "its name is not known", "--parameter Name=VALUE"],
    );
    folder
        .check(&["--template", "t.yaml", "--parameter", "Name=shop-1"])
        .ended(0);
}

#[test]
fn tags_of_the_deployment_can_be_given() {
    let template = "Resources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}\n";
    let rule = policy(
        "p",
        "AWS::ApiGateway::RestApi",
        "has(object.tags) && 'team' in object.tags",
        &json!({}),
    );
    let folder = Folder::new("tags")
        .file("t.yaml", template)
        .file("policies/a.yaml", &rule);
    says(
        folder.check(&["--template", "t.yaml"]).ended(1).row("asks"),
        &["t.yaml:2"],
    );
    folder.check(&["--template", "t.yaml", "--tag", "team=shop"]).ended(0);
}

#[test]
fn an_exception_counts_for_templates_too() {
    let exception = "
apiVersion: plumbline.dev/v1alpha1
kind: EndpointException
metadata: {name: old}
spec: {policy: https-only, endpoints: {names: [shop-*]}, reason: moves, expiresAt: '2999-01-01T00:00:00Z'}
";
    let folder = Folder::new("exception")
        .copy("cloudformation.yaml")
        .file("policies/a.yaml", BACKENDS);
    folder
        .file("policies/b.yaml", exception)
        .check(&["--template", "cloudformation.yaml"])
        .ended(0);
}

#[test]
fn policies_that_quarrel_are_told_before_anything_is_deployed() {
    let wants = |name: &str, value: &str| {
        json!({"kind": "EndpointPolicy", "metadata": {"name": name}, "spec": {"enforcement": "Enforce", "rules": [
            {"name": "says", "target": "AWS::ApiGateway::Stage", "desired": {"description": value}}]}})
        .to_string()
    };
    let folder = Folder::new("quarrel").copy("cloudformation.yaml");
    let folder = folder
        .file("policies/a.yaml", &wants("a", "x"))
        .file("policies/b.yaml", &wants("b", "y"));
    let ran = folder.check(&["--template", "cloudformation.yaml"]);
    says(
        ran.ended(1).row("Conflicted: a"),
        &["cloudformation.yaml:", "default/b, rule says wants another value"],
    );
    says(ran.row("Conflicted: b"), &["default/a"]);
}
