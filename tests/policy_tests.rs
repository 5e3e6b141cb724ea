//! `plumbline test`, as a team or its pipeline runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::too_many_lines)] // helpers of tests are tests, and tables are long

use std::path::PathBuf;
use std::process::Command;

const POLICY: &str = r#"
kind: EndpointPolicy
metadata: {name: backends, namespace: shop}
spec:
  enforcement: Enforce
  rules:
  - name: over-https
    target: AWS::ApiGateway::Method
    require: "object.methodIntegration.uri.startsWith('https://')"
    message: "'calls ' + object.methodIntegration.uri"
    restore: [methodIntegration.uri]
  - name: traced
    target: AWS::ApiGateway::Stage
    desired: {tracingEnabled: true}
"#;

const SAFE: &str = "
kind: Fixture
restApi: {id: a1, name: pets, tags: {team: pets}}
stages: [{stageName: prod, tracingEnabled: true}]
resources: [{id: r1, path: /pets, resourceMethods: {GET: {methodIntegration: {uri: 'https://b.example.com'}}}}]
";

const CLEAR: &str = "
kind: Fixture
restApi: {id: a1, name: pets, tags: {team: pets}}
stages: [{stageName: prod, tracingEnabled: true}]
resources: [{id: r1, path: /pets, resourceMethods: {GET: {methodIntegration: {uri: 'http://b.example.com'}}}}]
";

/// A folder with `policy.yaml`, `safe.yaml`, `clear.yaml`, and one test.
struct Folder(PathBuf);

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Folder {
    /// `story` names it; `test` stands behind `kind` and `policies`.
    fn new(story: &str, test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join("policy-tests")
            .join(story);
        let _ = std::fs::remove_dir_all(&folder);
        let this = Folder(folder);
        this.file("policy.yaml", POLICY)
            .file("fixtures/safe.yaml", SAFE)
            .file("fixtures/clear.yaml", CLEAR)
            .file(
                "a.test.yaml",
                &format!("kind: PolicyTest\npolicies: [policy.yaml]\n{test}\n"),
            );
        this
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn run(&self) -> Ran {
        run(self.0.to_str().unwrap())
    }
}

/// Without any environment: nothing of AWS is there to be asked.
fn run(folder: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plumbline"));
    let output = command.args(["test", folder]).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code().expect("it ends by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

impl Ran {
    #[track_caller]
    fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(
                self.out.contains(word) || self.err.contains(word),
                "`{word}` is missing: {}{}",
                self.out,
                self.err
            );
        }
        self
    }
}

#[test]
fn what_is_as_expected_ends_with_0() {
    let test = "
name: pets are called over HTTPS
fixtures: [fixtures/safe.yaml]
expect:
- {rule: over-https, resource: GET /pets, outcome: Compliant}
- {policy: shop/backends, rule: traced, endpoint: pets, resource: prod, outcome: Compliant}
- {rule: traced, endpoint: a1, outcome: Compliant}
";
    let ran = Folder::new("as-expected", test).run();
    ran.ended(0).says(&[
        "ok ",
        "a.test.yaml: pets are called over HTTPS",
        "1 tests, 3 expectations: all as expected",
    ]);
}

#[test]
fn a_difference_says_what_was_expected_and_what_is() {
    let test = "
fixtures: [fixtures/clear.yaml]
before: [fixtures/safe.yaml]
expect:
- {rule: over-https, outcome: Violated, scope: Draft, stages: [test], finding: calls nobody, reason: Disruptive,
   plan: [{operation: UpdateIntegration, op: replace, path: /uri, value: https://other.example.com}]}
- {rule: traced, outcome: Violated}
";
    let ran = Folder::new("different", test).run();
    ran.ended(1).says(&[
        "DIFFERS",
        "different: backends/over-https, pets, GET /pets\n",
        "    finding  expected calls nobody\n             is       calls http://b.example.com\n",
        "    scope    expected Draft\n             is       Live\n",
        "    stages   expected [test]\n             is       [prod]\n",
        "    reason   expected Disruptive\n             is       none\n",
        "expected [UpdateIntegration replace /uri https://other.example.com]\n",
        "is       [UpdateIntegration replace /uri https://b.example.com]\n",
        "    deploy   expected []\n             is       [prod]\n",
        "different: backends/traced, pets, prod\n    outcome  expected Violated\n             is       Compliant\n",
        "2 different, 0 unexpected",
    ]);
}

#[test]
fn a_violation_that_nobody_expects_is_told_as_a_line_for_the_file() {
    let folder = Folder::new("unexpected", "fixtures: [fixtures/clear.yaml]\nexpect: []");
    let ran = folder.run();
    let line = ran
        .ended(1)
        .out
        .lines()
        .find(|line| line.trim_start().starts_with("- {"));
    let line = line.unwrap_or_else(|| panic!("a line that can be put into the file: {}", ran.out));
    let test = format!("kind: PolicyTest\npolicies: [policy.yaml]\nfixtures: [fixtures/clear.yaml]\nexpect:\n{line}\n");
    folder.file("a.test.yaml", &test).run().ended(0);
    let lax = "fixtures: [fixtures/clear.yaml]\nexpect: []\nstrict: false";
    Folder::new("lax", lax)
        .run()
        .ended(0)
        .says(&["0 expectations: all as expected"]);
}

#[test]
fn what_cannot_be_told_is_unexpected_too() {
    let test = "
fixtures:
- {restApi: {id: a}, stages: [{stageName: prod, deploymentId: d, tracingEnabled: true}], exports: {d: {unreadable: denied}},
   resources: [{path: /a, resourceMethods: {GET: {methodIntegration: {uri: 'https://b'}}}}]}
expect: []
";
    let ran = Folder::new("unknown", test).run();
    ran.ended(1).says(&[
        "unexpected: backends/over-https, a, GET /a",
        "outcome: Unknown",
        "stage prod: denied",
    ]);
}

#[test]
fn an_exception_ends_at_its_second() {
    let exception = r#"
kind: EndpointException
metadata: {name: pets, namespace: shop}
spec: {policy: backends, endpoints: {tags: {matchLabels: {team: pets}}}, reason: moving, expiresAt: "2027-01-01T00:00:00Z"}
"#;
    let test = |now: &str, outcome: &str| {
        format!(
            "kind: PolicyTest\nname: at {now}\npolicies: [policy.yaml, exception.yaml]\nnow: {now}\nfixtures: [fixtures/clear.yaml]\n\
             expect: [{{rule: over-https, outcome: {outcome}}}]\n---\n"
        )
    };
    let both = test("2026-12-31T23:59:59Z", "Exempted") + &test("2027-01-01T00:00:00Z", "Violated");
    let folder = Folder::new("exception", "");
    folder.file("exception.yaml", exception).file("a.test.yaml", &both);
    folder.run().ended(0);
    folder.file("a.test.yaml", &both.replace("now: 2026-12-31T23:59:59Z\n", ""));
    folder.run().ended(2).says(&["hangs on the time", "now: \"2027"]);
}

#[test]
fn what_a_repair_waits_for_is_the_controllers_answer() {
    let with = |more: &str| POLICY.replace("  enforcement: Enforce\n", more);
    for (story, policy, given, reason, why) in [
        (
            "audit",
            with("  enforcement: Audit\n"),
            "",
            "AuditOnly",
            "as the policy is written",
        ),
        (
            "as-if",
            with("  enforcement: Audit\n"),
            "enforcement: Approve\n",
            "ApprovalRequired",
            "as if it were written otherwise",
        ),
        (
            "suspended",
            with("  enforcement: Enforce\n  suspend: true\n"),
            "",
            "Suspended",
            "a kill switch",
        ),
        (
            "window",
            with("  enforcement: Enforce\n  windows: [{schedule: '0 2 * * *', duration: 2h}]\n"),
            "now: 2027-01-15T12:00:00Z\n",
            "OutsideWindow",
            "noon is not between two and four",
        ),
        (
            "in-window",
            with("  enforcement: Enforce\n  windows: [{schedule: '0 2 * * *', duration: 2h}]\n"),
            "now: 2027-01-15T03:00:00Z\n",
            "none",
            "and three is",
        ),
        (
            "managed",
            with("  enforcement: Enforce\n"),
            "",
            "ManagedElsewhere",
            "a stack's tag",
        ),
        (
            "managed-too",
            with("  enforcement: Enforce\n  repairs: {managed: true}\n"),
            "",
            "none",
            "the policy repairs those too",
        ),
    ] {
        let tags = if story.starts_with("managed") {
            "{aws:cloudformation:stack-name: pets}"
        } else {
            "{}"
        };
        let test = format!(
            "{given}fixtures: [{{restApi: {{id: a, tags: {tags}}}, stages: [{{stageName: prod}}]}}]\n\
             expect: [{{rule: traced, outcome: Violated, reason: {reason}}}]"
        );
        let ran = Folder::new(story, &test).file("policy.yaml", &policy).run();
        assert_eq!(ran.code, 0, "{why}: {}", ran.out);
    }
}

#[test]
fn policies_that_quarrel_are_told() {
    let other = "
kind: EndpointPolicy
metadata: {name: cheap, namespace: shop}
spec:
  enforcement: Enforce
  rules: [{name: untraced, target: 'AWS::ApiGateway::Stage', desired: {tracingEnabled: false}}]
";
    let test = "
kind: PolicyTest
policies: [policy.yaml, other.yaml]
fixtures: [{restApi: {id: a}, stages: [{stageName: prod, tracingEnabled: true}]}]
expect:
- {policy: cheap, rule: untraced, outcome: Violated, reason: Conflicted, plan: none}
- {policy: backends, rule: traced, outcome: Compliant}
";
    let folder = Folder::new("quarrel", "");
    folder.file("other.yaml", other).file("a.test.yaml", test);
    folder.run().ended(0);
}

#[test]
fn params_and_the_account_can_be_given() {
    let policy = r#"
kind: EndpointPolicy
metadata: {name: owned}
spec:
  params: {tag: team, other: kept}
  rules:
  - name: tagged
    target: AWS::ApiGateway::RestApi
    require: "params.tag in object.tags && params.other == 'kept' && account.labels.env == 'prod' && account.name == 'main'"
"#;
    let test = |outcome: &str| {
        format!(
            "fixtures: [fixtures/safe.yaml]\nexpect: [{{rule: tagged, outcome: {outcome}}}]\naccount: {{name: main, labels: {{env: prod}}}}\n"
        )
    };
    Folder::new("params", &test("Compliant"))
        .file("policy.yaml", policy)
        .run()
        .ended(0);
    let owner = test("Violated") + "params: {tag: owner}";
    Folder::new("params-other", &owner)
        .file("policy.yaml", policy)
        .run()
        .ended(0);
    let slip = test("Compliant") + "params: {tags: owner}";
    let ran = Folder::new("params-slip", &slip).file("policy.yaml", policy).run();
    ran.ended(2).says(&["params: no policy here has a param tags"]);
}

#[test]
fn what_cannot_be_read_says_what_to_write_and_ends_with_2() {
    let safe = "fixtures: [fixtures/safe.yaml]\n";
    for (story, test, words, why) in [
        (
            "rule",
            format!("{safe}expect: [{{rule: over-http, outcome: Compliant}}]"),
            "there is no rule over-http; there are: over-https, traced",
            "a rule's name",
        ),
        (
            "policy",
            format!("{safe}expect: [{{policy: backend, rule: traced, outcome: Compliant}}]"),
            "there is no policy backend; there are: backends",
            "a policy's name",
        ),
        (
            "endpoint",
            format!("{safe}expect: [{{rule: traced, endpoint: cats, outcome: Compliant}}]"),
            "there is no endpoint cats; there are: a1",
            "an endpoint's name",
        ),
        (
            "resource",
            format!("{safe}expect: [{{rule: over-https, resource: GET /cats, outcome: NotApplicable}}]"),
            "no fixture has one called `GET /cats`; there are: GET /pets",
            "a method that is not there is never judged",
        ),
        (
            "outcome",
            format!("{safe}expect: [{{rule: traced, outcome: Complaint}}]"),
            "Complaint",
            "an outcome",
        ),
        (
            "field",
            format!("{safe}expect: [{{rule: traced, result: Compliant}}]"),
            "unknown field `result`",
            "a field",
        ),
        (
            "reason",
            format!("{safe}expect: [{{rule: traced, outcome: Violated, reason: Disruption}}]"),
            "there is no Disruption",
            "a reason",
        ),
        (
            "plan",
            format!("{safe}expect: [{{rule: traced, outcome: Violated, plan: [UpdateStage]}}]"),
            "a list of patches, as in",
            "a plan",
        ),
        (
            "deploy",
            format!("{safe}expect: [{{rule: traced, outcome: Violated, deploy: [prod]}}]"),
            "deploy goes with a plan",
            "a deployment of nothing",
        ),
        (
            "scope",
            format!("{safe}expect: [{{rule: traced, outcome: Compliant, scope: Live}}]"),
            "scope goes with outcome Violated",
            "what only a violation has",
        ),
        ("now", format!("{safe}now: tomorrow\nexpect: []"), "tomorrow", "a time"),
        (
            "no-fixture",
            "fixtures: [fixtures/none.yaml]\nexpect: []".into(),
            "none.yaml",
            "a file that is not there",
        ),
        (
            "bad-fixture",
            "fixtures: [policy.yaml]\nexpect: []".into(),
            "policy.yaml",
            "a file that is something else",
        ),
        (
            "inline",
            "fixtures: [{restapi: {}}]\nexpect: []".into(),
            "unknown field `restapi`",
            "a fixture's field",
        ),
        (
            "nobody",
            "fixtures: [{stages: []}]\nexpect: []".into(),
            "either restApi",
            "a fixture of nothing",
        ),
        (
            "kind",
            "fixtures: []\nexpect: []\n---\nkind: PolicyTests".into(),
            "PolicyTests",
            "another kind",
        ),
        ("yaml", "fixtures: [".into(), "a.test.yaml", "no YAML"),
    ] {
        let ran = Folder::new(&format!("bad-{story}"), &test).run();
        assert_eq!(ran.code, 2, "{why}: {}{}", ran.out, ran.err);
        ran.says(&[words]);
    }
    let ran = Folder::new("bad-cel", &format!("{safe}expect: []"));
    ran.file("policy.yaml", &POLICY.replace("startsWith", "beginsWith"));
    ran.run()
        .ended(2)
        .says(&["policy.yaml", "rule over-https, require", "beginsWith"]);
    let none = Folder::new("bad-none", "");
    std::fs::remove_file(none.0.join("a.test.yaml")).unwrap();
    none.run()
        .ended(2)
        .says(&["no test in it: write one in a file *.test.yaml"]);
    run("/no/such/folder").ended(2).says(&["/no/such/folder"]);
}

#[test]
fn one_broken_test_does_not_hide_the_others() {
    let folder = Folder::new(
        "others",
        "fixtures: [fixtures/safe.yaml]\nexpect: [{rule: nobody, outcome: Compliant}]",
    );
    let good =
        "kind: PolicyTest\nname: good\npolicies: [../policy.yaml]\nfixtures: [../fixtures/safe.yaml]\nexpect: []";
    let bad = "kind: PolicyTest\nname: bad\npolicies: [../policy.yaml]\nfixtures: [../fixtures/clear.yaml]\nexpect: []";
    folder.file("deeper/b.test.yml", good).file("deeper/c.test.yaml", bad);
    let ran = folder.run();
    ran.ended(2).says(&[
        "ERROR",
        "b.test.yml: good",
        "DIFFERS",
        "c.test.yaml: bad",
        "1 unexpected, 1 that cannot be read",
    ]);
}

#[test]
fn the_test_in_the_documentation_is_one() {
    let root = env!("CARGO_MANIFEST_DIR");
    let page = std::fs::read_to_string(format!("{root}/docs/policy-tests.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let policy = std::fs::read_to_string(format!("{root}/policies/https-only.yaml")).unwrap();
    let folder = Folder::new("documentation", "");
    folder.file("https-only.yaml", &policy).file("a.test.yaml", example);
    folder
        .run()
        .ended(0)
        .says(&["clear text is put back", "1 expectations: all as expected"]);
}
