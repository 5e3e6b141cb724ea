//! What is found, and what stays unknown.

use super::*;

#[test]
fn a_backend_in_clear_text_is_found_before_it_is_deployed() {
    let folder = Folder::new("cloudformation").copy("cloudformation.yaml");
    let ran = folder
        .file("policies/a.yaml", BACKENDS)
        .check(&["--template", "cloudformation.yaml"]);
    let row = ran.ended(1).row("backends-over-https");
    says(
        row,
        &[
            "Critical",
            &line("cloudformation.yaml", "Uri: !If"),
            "shop-prod",
            "GET /items",
            "calls http://backend.example.com/items in clear text (stages: prod)",
        ],
    );
    says(&ran.out, &["1 endpoints, 2 verdicts: 1 violations, 0 unknown"]);
}

#[test]
fn another_parameter_is_another_deployment() {
    let folder = Folder::new("parameter").copy("cloudformation.yaml");
    let folder = folder
        .file("policies/a.yaml", BACKENDS)
        .file("policies/b.yaml", TRACING);
    let prod = folder.check(&["--template", "cloudformation.yaml"]);
    says(
        prod.ended(1).row("traced"),
        &[
            &line("cloudformation.yaml", "TracingEnabled"),
            "tracingEnabled is false, not true",
        ],
    );
    let test = folder.check(&["--template", "cloudformation.yaml", "--parameter", "Stage=test"]);
    assert_eq!(test.ended(0).out, "1 endpoints, 3 verdicts: 0 violations, 0 unknown\n");
}

#[test]
fn what_is_known_only_after_deployment_is_unknown_and_never_compliant() {
    let folder = Folder::new("unknown").copy("cloudformation.yaml").file(
        "policies/logs.yaml",
        &policy(
            "logs",
            "AWS::ApiGateway::Stage",
            "object.accessLogSettings.destinationArn.endsWith(':log-group:shop')",
            &json!({}),
        ),
    );
    let ran = folder.check(&["--template", "cloudformation.yaml"]);
    let row = ran.ended(2).row("asks");
    says(
        row,
        &[
            "Unknown",
            &line("cloudformation.yaml", "DestinationArn"),
            "accessLogSettings.destinationArn is not known",
            "Logs.Arn=VALUE",
        ],
    );
    let assumed = "Logs.Arn=arn:aws:logs:eu-west-1:111122223333:log-group:shop";
    folder
        .check(&["--template", "cloudformation.yaml", "--parameter", assumed])
        .ended(0);
}

#[test]
fn what_is_desired_is_unknown_where_the_value_is() {
    let template = "
Parameters: {Level: {Type: String}}
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}
  Live:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      StageName: prod
      TracingEnabled: true
      MethodSettings:
        - {ResourcePath: /*, HttpMethod: '*', LoggingLevel: INFO, DataTraceEnabled: true}
        - {ResourcePath: /a, HttpMethod: GET, LoggingLevel: !Ref Level}
";
    for (desired, code, words, why) in [
        (json!({"tracingEnabled": true}), 0, "0 unknown", "it is known"),
        (
            json!({"methodSettings": {"*/*": {"loggingLevel": "INFO"}}}),
            2,
            "methodSettings[\"~1a/GET\"].loggingLevel is not known: the parameter Level has no Default",
            "one of the entries is not",
        ),
        (
            json!({"methodSettings": {"*/*": {"loggingLevel": "INFO", "dataTraceEnabled": false}}}),
            1,
            "dataTraceEnabled is true, not false",
            "something else violates already",
        ),
        (
            json!({"deploymentId": "x"}),
            2,
            "deploymentId is not known",
            "AWS gives it",
        ),
    ] {
        let rule = json!({"kind": "EndpointPolicy", "metadata": {"name": "p"}, "spec": {"rules": [
            {"name": "asks", "target": "AWS::ApiGateway::Stage", "desired": desired}]}});
        let folder = Folder::new("desired")
            .file("t.yaml", template)
            .file("policies/a.yaml", &rule.to_string());
        let ran = folder.check(&["--template", "t.yaml"]);
        assert!(
            ran.code == code && ran.out.contains(words),
            "{why}: {} {}",
            ran.code,
            ran.out
        );
    }
}

#[test]
fn what_is_sure_before_deployment_is_told() {
    let folder = Folder::new("sure").copy("cloudformation.yaml").file(
        "policies/logs.yaml",
        &policy(
            "logs",
            "AWS::ApiGateway::Stage",
            "has(object.accessLogSettings.destinationArn) && object.accessLogSettings.format.contains('$context.status')",
            &json!({}),
        ),
    );
    // There will be an ARN, whatever it is; and POST's backend begins with https:// whatever host it is.
    folder.check(&["--template", "cloudformation.yaml"]).ended(0);
    let ran = folder
        .file("policies/a.yaml", BACKENDS)
        .check(&["--template", "cloudformation.yaml"]);
    assert!(!ran.ended(1).out.contains("POST /items"), "{}", ran.out);
}

#[test]
fn a_sam_template_is_judged_as_its_transform_makes_it() {
    let open = policy(
        "open",
        "AWS::ApiGateway::Method",
        "object.authorizationType != 'NONE'",
        &json!({}),
    );
    let folder = Folder::new("sam")
        .copy("sam.yaml")
        .file("policies/a.yaml", &open)
        .file("policies/b.yaml", TRACING);
    let ran = folder.check(&["--template", "sam.yaml"]);
    says(
        ran.ended(1).row("asks"),
        &[&line("sam.yaml", "Authorizer: NONE"), "orders", "GET /status"],
    );
    assert!(
        !ran.out.contains("GET /orders") && !ran.out.contains("traced"),
        "{}",
        ran.out
    );
}

#[test]
fn the_formats_name_file_and_line() {
    let folder = Folder::new("formats")
        .file("policies/a.yaml", BACKENDS)
        .copy("openapi.json");
    let folder = folder.file("sub folder/openapi.json", &template("openapi.json"));
    let check = |format: &str| folder.check(&["--template", "sub folder/openapi.json", "-o", format]);
    let json: Value = serde_json::from_str(&check("json").ended(1).out).unwrap();
    let finding = &json["findings"][0];
    assert_eq!(finding["source"]["file"], "sub folder/openapi.json");
    assert_eq!(finding["source"]["line"], 11);
    assert_eq!(finding["plan"], json!([]), "there is nothing to call yet");
    let sarif: Value = serde_json::from_str(&check("sarif").ended(1).out).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        *place,
        json!({"artifactLocation": {"uri": "sub%20folder/openapi.json"}, "region": {"startLine": 11}})
    );
    says(
        &check("junit").ended(1).out,
        &[
            "file=\"sub folder/openapi.json\" line=\"11\"",
            "<failure type=\"Critical\"",
        ],
    );
}

/// The examples of the documentation can be asked of templates too.

#[test]
fn the_documented_examples_can_be_asked() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let folder = Folder::new("example")
            .copy("cloudformation.yaml")
            .file("policies/a.yaml", &text);
        let folder = folder.copy("sam.yaml");
        let ran = folder.check(&[
            "--template",
            "cloudformation.yaml",
            "--template",
            "sam.yaml",
            "-o",
            "json",
        ]);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (&report["faults"], &report["unread"]),
            (&json!([]), &json!([])),
            "{}",
            path.display()
        );
    }
}
