//! From what is and what is wanted to the calls that lead there, by a service's property table.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::path::{self, Path};
use super::rule;
use super::table::{Deploy, Ops, Property, Repair, Risk, Table};
use crate::api::drift::{Call, PatchOperation};

/// The calls that lead from one document to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// In their order.
    pub calls: Vec<Call>,
    /// Whether callers meet the change only after a deployment.
    pub deployment: bool,
    /// How callers can be interrupted, if they can.
    pub disruptions: Vec<String>,
    /// The paths that change.
    pub paths: Vec<Path>,
}

/// A property that no call can bring to the wanted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRepairable {
    /// Where.
    pub path: Path,
    /// Why, and what a person can do.
    pub message: String,
}

/// Makes the calls that lead from `object` to `wanted`. `restored`: the wanted values are the last compliant ones.
///
/// # Errors
/// When some difference has no repair.
pub fn calls(
    table: &'static Table,
    address: &BTreeMap<String, String>,
    object: &Value,
    wanted: &Value,
    restored: bool,
) -> Result<Calls, NotRepairable> {
    let mut plan = Calls::default();
    let changes = changes(table, object, wanted);
    for (at, property) in &changes {
        for (operation, patch) in operations(property, at, object, wanted)? {
            push(&mut plan.calls, operation, address, patch);
        }
        plan.deployment |= property.deploy == Deploy::Deployment;
        plan.disruptions.extend(disruption(property, at, restored));
    }
    plan.paths = changes.into_iter().map(|(at, _)| at).collect();
    match unexplained(table, &plan.paths, object, wanted) {
        None => Ok(plan),
        Some(at) => Err(NotRepairable {
            message: format!("{at} has no repair that is known to be safe: change it by hand"),
            path: at,
        }),
    }
}

/// The calls that take a change back, as far as calls can, and what they cannot take back.
pub fn inverse(
    table: &'static Table,
    address: &BTreeMap<String, String>,
    object: &Value,
    wanted: &Value,
) -> (Vec<Call>, Vec<NotRepairable>) {
    let (mut back, mut stays) = (Vec::new(), Vec::new());
    for (at, property) in changes(table, wanted, object) {
        match operations(property, &at, wanted, object) {
            Ok(operations) => {
                for (operation, patch) in operations {
                    push(&mut back, operation, address, patch);
                }
            }
            Err(refused) => stays.push(refused),
        }
    }
    (back, stays)
}

/// Where two documents differ, and the property there. A property that holds others stands for them where it goes as a
/// whole.
pub fn changes(table: &'static Table, object: &Value, wanted: &Value) -> Vec<(Path, &'static Property)> {
    let mut found: Vec<(Path, &'static Property)> = Vec::new();
    for property in table.properties {
        let whole_entry = matches!(property.repair, Repair::Patch { ops: Ops::Remove, .. });
        for at in instances(property, object, wanted) {
            let covered = found.iter().any(|(above, _)| above.covers(&at));
            let same = (property.same)(at.get(object), at.get(wanted));
            // The leaves of an entry that is wanted follow in the table.
            let of_leaves = whole_entry && at.get(wanted).is_some();
            if !(covered || same || of_leaves) {
                found.push((at, property));
            }
        }
    }
    found
}

/// How a change there can interrupt callers.
pub fn disruption(property: &Property, at: &Path, restored: bool) -> Option<String> {
    match property.risk {
        Risk::Disruptive(how) => Some(format!("{at}: {how}")),
        Risk::DisruptiveUnlessRestored(how) if !restored => Some(format!("{at}: {how}")),
        _ => None,
    }
}

/// A difference that changes at these paths do not explain.
fn unexplained(table: &Table, changed: &[Path], object: &Value, wanted: &Value) -> Option<Path> {
    path::differences(object, wanted).into_iter().find(|at| {
        if changed.iter().any(|c| c.covers(at)) || rule::same_at(table, at, object, wanted) {
            return false;
        }
        // What only appears or goes with its leaves is made of them; nothing is left of it without any.
        let mut reached = object.clone();
        for leaf in changed.iter().filter(|c| at.covers(c)) {
            leaf.set(&mut reached, leaf.get(wanted).cloned());
        }
        let (reached, wanted) = (at.get(&reached), at.get(wanted));
        let made = path::same(reached, wanted) || (hollow(reached) && hollow(wanted));
        !made
    })
}

/// Nothing, or objects that hold nothing.
fn hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.values().all(|value| hollow(Some(value))),
        Some(_) => false,
    }
}

/// The places where a property stands in either document.
fn instances(property: &Property, object: &Value, wanted: &Value) -> Vec<Path> {
    let mut places = vec![Path::root()];
    for key in property.path {
        places = places
            .into_iter()
            .flat_map(|place| {
                if *key != "*" {
                    return vec![place.then(key)];
                }
                let mut keys = std::collections::BTreeSet::new();
                for document in [object, wanted] {
                    keys.extend(
                        place
                            .get(document)
                            .and_then(Value::as_object)
                            .into_iter()
                            .flat_map(|o| o.keys()),
                    );
                }
                keys.into_iter().map(|key| place.then(key)).collect()
            })
            .collect();
    }
    places
}

fn operations(
    property: &Property,
    at: &Path,
    object: &Value,
    wanted: &Value,
) -> Result<Vec<(&'static str, PatchOperation)>, NotRepairable> {
    let value = at.get(wanted);
    let refuse = |message: String| NotRepairable {
        path: at.clone(),
        message,
    };
    match property.repair {
        Repair::None(instead) => Err(refuse(format!("{at} cannot be repaired: {instead}"))),
        Repair::Patch { operation, path, ops } => {
            let path = fill(path, property, at);
            let operation_on_path = match (value, ops) {
                (Some(value), Ops::AddReplaceRemove) => {
                    let verb = if at.get(object).is_some() { "replace" } else { "add" };
                    PatchOperation {
                        op: verb.into(),
                        path,
                        value: Some(text(value)),
                    }
                }
                (Some(value), Ops::Replace | Ops::ReplaceRemove | Ops::ReplaceOrEmpty) => PatchOperation {
                    op: "replace".into(),
                    path,
                    value: Some(text(value)),
                },
                (None, Ops::ReplaceRemove | Ops::AddReplaceRemove | Ops::Remove) => PatchOperation {
                    op: "remove".into(),
                    path,
                    value: None,
                },
                (None, Ops::ReplaceOrEmpty) => PatchOperation {
                    op: "replace".into(),
                    path,
                    value: Some(String::new()),
                },
                (None, Ops::Replace) => {
                    return Err(refuse(format!(
                        "{at} can be changed but not taken away: name the value that shall stand"
                    )));
                }
                (Some(_), Ops::Remove) => return Err(refuse(format!("{at} can only be removed as a whole"))),
            };
            Ok(vec![(operation, operation_on_path)])
        }
        Repair::Members { operation, path } => {
            let members = |document: &Value| -> Vec<String> {
                at.get(document)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect()
            };
            let (before, after) = (members(object), members(wanted));
            let named = path.contains("{~}");
            let patch = |op: &str, member: &str| {
                let patch = PatchOperation {
                    op: op.into(),
                    path: path.replace("{~}", &escape(member)),
                    value: (!named).then(|| member.to_owned()),
                };
                (operation, patch)
            };
            let added = after.iter().filter(|m| !before.contains(m)).map(|m| patch("add", m));
            let removed = before.iter().filter(|m| !after.contains(m)).map(|m| patch("remove", m));
            Ok(added.chain(removed).collect())
        }
        Repair::Tags => {
            let nothing = Map::new();
            let tags = |value: Option<&Value>| match value {
                None => Some(nothing.clone()),
                Some(value) => value.as_object().cloned(),
            };
            let (Some(before), Some(after)) = (tags(at.get(object)), tags(value)) else {
                return Err(refuse(format!("{at} cannot be repaired: write a map of tags")));
            };
            let patch = |op: &str, key: &str, value: Option<&Value>| PatchOperation {
                op: op.into(),
                path: format!("/tags/{}", escape(key)),
                value: value.map(text),
            };
            let set = after
                .iter()
                .filter(|(key, value)| !path::same(before.get(*key), Some(value)))
                .map(|(key, value)| ("TagResource", patch("add", key, Some(value))));
            let gone = before
                .keys()
                .filter(|key| !after.contains_key(*key))
                .map(|key| ("UntagResource", patch("remove", key, None)));
            Ok(set.chain(gone).collect())
        }
    }
}

/// The patch path with the keys that `*` stood for.
fn fill(template: &str, property: &Property, at: &Path) -> String {
    let stars = property
        .path
        .iter()
        .zip(at.keys())
        .filter(|(own, _)| **own == "*")
        .map(|(_, key)| key);
    stars.fold(template.to_owned(), |filled, key| {
        if filled.contains("{~}") {
            filled.replacen("{~}", &escape(key), 1)
        } else {
            filled.replacen("{}", key, 1)
        }
    })
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A value as patch operations carry it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // 10000.0 came from an integer and goes back as one.
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within range")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => (float as i64).to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Adds a patch operation to the call that it belongs to. A path is patched once: who patches it again wants the same, unless
/// values name members of a list.
fn push(calls: &mut Vec<Call>, operation: &str, address: &BTreeMap<String, String>, patch: PatchOperation) {
    let parameters = parameters(operation, address);
    let again = |one: &PatchOperation| one.path == patch.path && (one.op == "replace" || one.value == patch.value);
    match calls
        .iter_mut()
        .find(|c| c.operation == operation && c.parameters == parameters)
    {
        Some(call) if call.patch_operations.iter().any(again) => {}
        Some(call) => call.patch_operations.push(patch),
        None => calls.push(Call {
            operation: operation.into(),
            parameters,
            patch_operations: vec![patch],
        }),
    }
}

/// The part of an address that an operation takes.
fn parameters(operation: &str, address: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let tagging = matches!(operation, "TagResource" | "UntagResource");
    address
        .iter()
        .filter(|(key, _)| (*key == "resourceArn") == tagging)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Joins plans into one: each call once, each patch operation once.
pub fn join<'a>(plans: impl IntoIterator<Item = &'a [Call]>) -> Vec<Call> {
    let mut joined = Vec::new();
    for call in plans.into_iter().flatten() {
        for patch in &call.patch_operations {
            push(&mut joined, &call.operation, &call.parameters, patch.clone());
        }
    }
    joined
}

/// The calls that make a deployment and point stages at it, as a plan shows them.
pub fn deployment_calls(rest_api: &str, stages: &[String]) -> Vec<Call> {
    let named = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut calls = Vec::new();
    if !stages.is_empty() {
        calls.push(Call {
            operation: "CreateDeployment".into(),
            parameters: named(&[("restApiId", rest_api)]),
            patch_operations: vec![],
        });
    }
    calls.extend(stages.iter().map(|stage| Call {
        operation: "UpdateStage".into(),
        parameters: named(&[("restApiId", rest_api), ("stageName", stage)]),
        patch_operations: vec![PatchOperation {
            op: "replace".into(),
            path: "/deploymentId".into(),
            value: Some(NEW_DEPLOYMENT.into()),
        }],
    }));
    calls
}

/// Stands in a plan for the id that a deployment will have.
pub const NEW_DEPLOYMENT: &str = "(the new deployment)";

/// SHA-256, in hex, over calls.
pub fn digest(calls: &[Call]) -> String {
    hex(&serde_json::to_vec(calls).unwrap_or_default())
}

/// Whether every call, operation by operation, stands in a persisted plan.
pub fn within(calls: &[Call], persisted: &[Call]) -> bool {
    calls.iter().all(|call| {
        persisted.iter().any(|p| {
            p.operation == call.operation
                && p.parameters == call.parameters
                && call.patch_operations.iter().all(|o| p.patch_operations.contains(o))
        })
    })
}

/// SHA-256, in hex, over everything that a person decides about: the calls, and what a deployment would publish besides.
pub fn decided(calls: &[Call], pending_edits: &[String], deploys_with: &[String]) -> String {
    if pending_edits.is_empty() && deploys_with.is_empty() {
        return digest(calls);
    }
    hex(&serde_json::to_vec(&(calls, pending_edits, deploys_with)).unwrap_or_default())
}

/// SHA-256, in hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
