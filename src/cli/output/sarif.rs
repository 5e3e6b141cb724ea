//! SARIF 2.1.0: a rule for each rule of a policy, a result for each finding.
//!
//! What could not be told is a result of kind `review`, whose level the standard fixes to `none`. What could not be read
//! and what is wrong with the policies are notifications, and the execution then counts as not successful.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Asked, Finding, Report};
use crate::api::policy::Severity;
use crate::judge::plan;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn render(report: &Report) -> String {
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "plumbline",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": report.rules.iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": report.unread.is_empty() && report.faults.is_empty(),
                "exitCode": report.exit_code(),
                "toolExecutionNotifications": report.unread.iter().map(|text| notification(text)).collect::<Vec<_>>(),
                "toolConfigurationNotifications": report.faults.iter().map(|text| notification(text)).collect::<Vec<_>>(),
            }],
            "results": report.findings.iter().map(|finding| result(report, finding)).collect::<Vec<_>>(),
        }],
    });
    format!("{}\n", serde_json::to_string_pretty(&log).unwrap_or_default())
}

fn rule(rule: &Asked) -> Value {
    let mut tags = vec!["security"];
    tags.extend(rule.controls.iter().map(String::as_str));
    let mut properties = json!({"tags": tags, "target": rule.target.as_str()});
    if let Some(score) = score(rule.severity) {
        properties["security-severity"] = json!(score);
    }
    json!({
        "id": id(&rule.policy, &rule.name),
        "name": rule.name,
        "shortDescription": {"text": format!("{} of policy {}", rule.name, rule.policy)},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": properties,
    })
}

fn result(report: &Report, finding: &Finding) -> Value {
    let Finding {
        policy,
        rule,
        severity,
        controls: _, // of the rule
        account_id,
        region,
        target,
        endpoint,
        name,
        resource,
        scope,
        stages,
        unknown,
        live_unknown: _, // told in words
        message: _,
        observed,
        difference,
        plan,
        commands: _, // the plan says the same
        no_repair,
        source,
    } = finding;
    let id = id(policy, rule);
    let identity = match source {
        Some(source) => json!([source.file, endpoint, target.as_str(), resource, id]),
        None => json!([account_id, region, endpoint, target.as_str(), resource, id]),
    };
    let identity = identity.to_string();
    let place = [region, endpoint, resource].map(String::as_str);
    let place = place
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    let mut properties = json!({"accountId": account_id, "endpointName": name, "target": target.as_str()});
    if let Some(scope) = scope {
        properties["scope"] = json!(scope);
        properties["stages"] = json!(stages);
        properties["difference"] = json!(difference);
        properties["plan"] = json!(plan);
    }
    if let Some(no_repair) = no_repair {
        properties["noRepair"] = json!(no_repair);
    }
    if !observed.is_null() {
        properties["observed"] = observed.clone();
    }
    let mut location = json!({"logicalLocations": [{
        "name": if resource.is_empty() { name } else { resource },
        "fullyQualifiedName": place,
        "kind": "resource",
    }]});
    if let Some(source) = source {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&source.file)},
            "region": {"startLine": source.line},
        });
        properties["logicalId"] = json!(source.logical_id);
    }
    let mut result = json!({
        "ruleId": id,
        "kind": if *unknown { "review" } else { "fail" },
        "level": if *unknown { "none" } else { level(*severity) },
        "message": {"text": format!("{}: {}", finding.place(), finding.told())},
        "locations": [location],
        "partialFingerprints": {"plumblineFinding/v1": plan::hex(identity.as_bytes())},
        "properties": properties,
    });
    if let Some(index) = report
        .rules
        .iter()
        .position(|asked| asked.policy == *policy && asked.name == *rule)
    {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// A file's name as a relative reference.
fn uri(file: &str) -> String {
    let mut uri = String::with_capacity(file.len());
    for byte in file.strip_prefix("./").unwrap_or(file).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

fn notification(text: &str) -> Value {
    json!({"level": "error", "message": {"text": text}})
}

fn id(policy: &str, rule: &str) -> String {
    format!("{policy}/{rule}")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "note",
    }
}

/// In the middle of the band that readers of SARIF give to the word.
fn score(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Medium => Some("5.5"),
        Severity::Low => Some("2.0"),
        Severity::Informational => None,
    }
}
