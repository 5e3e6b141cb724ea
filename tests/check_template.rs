//! `plumbline check --template`, as a person or a pipeline runs it: no cluster, no AWS, no credentials.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const BACKENDS: &str = r#"
apiVersion: plumbline.dev/v1alpha1
kind: EndpointPolicy
metadata: {name: https-only}
spec:
  rules:
  - name: backends-over-https
    target: AWS::ApiGateway::Method
    severity: Critical
    when: "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']"
    require: "object.methodIntegration.uri.startsWith('https://')"
    message: "'calls ' + object.methodIntegration.uri + ' in clear text'"
    restore: [methodIntegration.uri]
"#;

const TRACING: &str = "
apiVersion: plumbline.dev/v1alpha1
kind: EndpointPolicy
metadata: {name: tracing}
spec:
  rules:
  - name: traced
    target: AWS::ApiGateway::Stage
    desired: {tracingEnabled: true}
";

/// A policy of one rule, with the rest of its spec.
fn policy(name: &str, target: &str, require: &str, spec: &Value) -> String {
    let mut policy = json!({
        "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy", "metadata": {"name": name},
        "spec": {"rules": [{"name": "asks", "target": target, "require": require}]},
    });
    for (key, value) in spec.as_object().unwrap() {
        policy["spec"][key] = value.clone();
    }
    policy.to_string()
}

/// The text of a template.
fn template(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The place of a line in a template, as findings name it.
fn line(name: &str, words: &str) -> String {
    let line = template(name).lines().position(|line| line.contains(words)).unwrap();
    format!("{name}:{}", line + 1)
}

/// A folder of one story: `policies/` and whatever it writes beside it.
struct Folder(PathBuf);

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Folder {
    fn new(story: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join("check-template")
            .join(story);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("policies")).unwrap();
        Folder(folder)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A template of this folder of tests.
    fn copy(self, name: &str) -> Self {
        self.file(name, &template(name))
    }

    /// Runs in the folder, with nothing of AWS in its environment.
    fn check(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_plumbline"))
            .args(["check", "-f", "policies"])
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let ran = Ran {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }
}

impl Ran {
    #[track_caller]
    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    /// The table's row that holds a word.
    #[track_caller]
    fn row(&self, word: &str) -> &str {
        let row = self.out.lines().find(|line| line.contains(word));
        row.unwrap_or_else(|| panic!("no row with {word}: {} {}", self.out, self.err))
    }
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
}

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

#[test]
fn a_folder_is_every_template_in_it() {
    let folder = Folder::new("folder")
        .file("policies/a.yaml", BACKENDS)
        .file("templates/other.yaml", "just: {some: settings}\n")
        .file("templates/broken.yaml", "Resources: [\n")
        .file("templates/api/openapi.json", &template("openapi.json"))
        .file("templates/shop.yaml", &template("cloudformation.yaml"));
    let ran = folder.check(&["--template", "templates"]);
    says(
        ran.ended(2).row("could not be read"),
        &["templates/broken.yaml:1", "no YAML or JSON"],
    );
    says(
        &ran.out,
        &["templates/api/openapi.json:", "templates/shop.yaml:", "2 endpoints"],
    );
    assert!(
        !ran.out.contains("other.yaml"),
        "a folder holds other files too: {}",
        ran.out
    );
}

#[test]
fn what_is_no_template_is_answered_with_what_to_write() {
    for (name, text, words, why) in [
        (
            "t.yaml",
            "a: 1",
            "t.yaml:1: give a CloudFormation or SAM template",
            "something else",
        ),
        ("t.yaml", "", "t.yaml:1: the file is empty", "nothing"),
        (
            "t.yaml",
            "Resources:\n  A: !Rfe b\n",
            "t.yaml:2: `!Rfe` is no function",
            "a function that does not exist",
        ),
        (
            "t.yaml",
            "Resources:\n  A:\n    Type: AWS::ApiGateway::RestApi\n    Properties: {Name: !Ref Nmae}\n",
            "t.yaml:4: `Nmae` is neither a parameter nor a resource",
            "a name that nothing has",
        ),
        (
            "t.json",
            "{\"Resources\": {",
            "t.json:1: no YAML or JSON",
            "JSON that ends too early",
        ),
    ] {
        let folder = Folder::new("mistakes")
            .file("policies/a.yaml", BACKENDS)
            .file(name, text);
        let ran = folder.check(&["--template", name]);
        assert_eq!(ran.code, 2, "{why}: {}{}", ran.out, ran.err);
        says(ran.row("could not be read"), &[words]);
    }
    let folder = Folder::new("arguments")
        .file("policies/a.yaml", BACKENDS)
        .copy("openapi.json");
    for (arguments, words, why) in [
        (&["--template", "none.yaml"][..], "none.yaml", "no such file"),
        (
            &["--template", "policies"],
            "no template in policies",
            "a folder without templates",
        ),
        (
            &["--template", "openapi.json", "--parameter", "x"],
            "write --parameter NAME=VALUE",
            "no value",
        ),
        (
            &["--template", "openapi.json", "--parameter", "Nmae=x"],
            "no template has a parameter of this name",
            "a misspelt name",
        ),
        (
            &["--template", "openapi.json", "--region", "a,b"],
            "give --region once",
            "two regions",
        ),
        (&["--parameter", "a=b"], "--template", "a parameter of nothing"),
        (
            &["--template", "openapi.json", "--calls"],
            "cannot be used with",
            "calls that are never made",
        ),
    ] {
        let ran = folder.check(arguments);
        assert!(ran.code == 2 && ran.err.contains(words), "{why}: {}", ran.err);
    }
}

#[test]
fn small_files_that_mean_much_are_refused_at_once() {
    let aliases = (0..40).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1)
    });
    let deep = format!("Resources: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let chain = (0..5000).fold(
        "Resources: {A: {Type: AWS::ApiGateway::RestApi, Condition: C0}}\nConditions:\n".to_owned(),
        |text, n| format!("{text}  C{n}: !Not [!Condition C{}]\n", n + 1),
    );
    for (text, words, why) in [
        (&aliases, "aliases", "aliases of aliases"),
        (&deep, "no YAML or JSON", "deep nesting"),
        (&chain, "in a chain of more than 32", "conditions of conditions"),
        (
            &format!("a: {}", "x".repeat(9 << 20)),
            "is larger than 8 MiB",
            "a huge file",
        ),
    ] {
        let folder = Folder::new("bounds")
            .file("policies/a.yaml", BACKENDS)
            .file("t.yaml", text);
        let ran = folder.check(&["--template", "t.yaml"]);
        assert_eq!(ran.code, 2, "{why}: {}", ran.err);
        says(ran.row("could not be read"), &["t.yaml:", words]);
    }
}

#[test]
fn a_broken_policy_is_named_beside_the_findings() {
    let folder = Folder::new("faults")
        .copy("openapi.json")
        .file("policies/a.yaml", BACKENDS)
        .file(
            "policies/b.yaml",
            &policy("b", "AWS::ApiGateway::Method", "object.(", &json!({})),
        );
    let ran = folder.check(&["--template", "openapi.json"]);
    says(ran.ended(2).row("wrong in a policy"), &["policies/b.yaml"]);
    says(ran.row("backends-over-https"), &["openapi.json:11"]);
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
