//! A normal form: documents that mean the same look the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ApiRef;
use super::document::{Part, Principals, Statement, object, statements};
use super::pattern::{covers, short};

/// The normal form. `api` says which API a policy is attached to, so that full ARNs can be told to mean it; without
/// it only ARNs of any API at all (`arn:aws:execute-api:*:*:*/…`) are written short.
///
/// `null` for no policy. A document that cannot be read comes back as it is, parsed if it is text.
pub fn canonical(policy: &Value, api: Option<&ApiRef>) -> Value {
    match statements(policy) {
        Ok(None) => Value::Null,
        Ok(Some(statements)) => document(policy, &statements, api),
        Err(_) => match object(policy) {
            Ok(Some(fields)) => Value::Object(fields.into_owned()),
            _ => policy.clone(),
        },
    }
}

/// Do two documents mean the same?
pub fn equivalent(left: &Value, right: &Value, api: Option<&ApiRef>) -> bool {
    canonical(left, api) == canonical(right, api)
}

fn document(policy: &Value, statements: &[Statement], api: Option<&ApiRef>) -> Value {
    let mut written: Vec<(String, Value)> = statements
        .iter()
        .map(|statement| {
            let json = write(statement, api);
            (json.to_string(), json)
        })
        .collect();
    written.sort_by(|one, other| one.0.cmp(&other.0));
    written.dedup_by(|one, other| one.0 == other.0);
    let mut fields = Map::new();
    // The version decides one thing only: whether `${...}` is a variable.
    if written.iter().any(|(text, _)| text.contains("${")) {
        let version = object(policy)
            .ok()
            .flatten()
            .and_then(|fields| fields.get("Version").cloned());
        fields.insert("Version".into(), version.unwrap_or_else(|| json!("2008-10-17")));
    }
    fields.insert("Statement".into(), written.into_iter().map(|(_, json)| json).collect());
    Value::Object(fields)
}

fn write(statement: &Statement, api: Option<&ApiRef>) -> Value {
    let mut fields = Map::new();
    fields.insert("Effect".into(), json!(if statement.allow { "Allow" } else { "Deny" }));
    match &statement.principals {
        Some(Part::Is(names)) => fields.insert("Principal".into(), principals(names)),
        Some(Part::Not(names)) => fields.insert("NotPrincipal".into(), principals(names)),
        None => None,
    };
    let lower = |pattern: &String| pattern.to_ascii_lowercase();
    match &statement.actions {
        Part::Is(patterns) => fields.insert("Action".into(), least(patterns.iter().map(lower))),
        Part::Not(patterns) => fields.insert("NotAction".into(), least(patterns.iter().map(lower))),
    };
    let shorten = |pattern: &String| short(pattern, api, false);
    match &statement.resources {
        Part::Is(patterns) => fields.insert("Resource".into(), least(patterns.iter().map(shorten))),
        Part::Not(patterns) => fields.insert("NotResource".into(), least(patterns.iter().map(shorten))),
    };
    if !statement.conditions.is_empty() {
        let mut operators: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
        for condition in &statement.conditions {
            operators
                .entry(&condition.operator)
                .or_default()
                .insert(&condition.key, json!(condition.values));
        }
        fields.insert("Condition".into(), json!(operators));
    }
    Value::Object(fields)
}

fn principals(names: &Principals) -> Value {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, name) in names {
        kinds.entry(kind).or_default().push(name);
    }
    json!(kinds)
}

/// Sorted, once each, without what another pattern covers.
fn least(patterns: impl Iterator<Item = String>) -> Value {
    let mut all: Vec<String> = patterns.collect();
    all.sort();
    all.dedup();
    let kept: Vec<&String> = all
        .iter()
        .enumerate()
        .filter(|(at, pattern)| {
            !all.iter()
                .enumerate()
                .any(|(other, wide)| other != *at && covers(wide, pattern) && (!covers(pattern, wide) || other < *at))
        })
        .map(|(_, pattern)| pattern)
        .collect();
    json!(kept)
}
