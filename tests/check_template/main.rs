//! `plumbline check --template`, as a person or a pipeline runs it: no cluster, no AWS, no credentials.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

mod findings;
mod mistakes;
mod selection;

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
