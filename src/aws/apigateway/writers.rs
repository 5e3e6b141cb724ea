//! Which calls write what: how an event is held against a property. From the property tables, and from what else the
//! operations of API Gateway's control plane do.

use std::borrow::Cow;

use serde_json::Value;

use super::properties;
use crate::api::policy::Target;
use crate::judge::path::Path;
use crate::judge::table::{Property, Repair};

/// Operations that change what a deployment would publish.
const EDITS: &[&str] = &[
    "CreateAuthorizer",
    "CreateModel",
    "CreateRequestValidator",
    "CreateResource",
    "CreateRestApi",
    "DeleteAuthorizer",
    "DeleteGatewayResponse",
    "DeleteIntegration",
    "DeleteIntegrationResponse",
    "DeleteMethod",
    "DeleteMethodResponse",
    "DeleteModel",
    "DeleteRequestValidator",
    "DeleteResource",
    "DeleteRestApi",
    "ImportRestApi",
    "PutGatewayResponse",
    "PutIntegration",
    "PutIntegrationResponse",
    "PutMethod",
    "PutMethodResponse",
    "PutRestApi",
    "UpdateAuthorizer",
    "UpdateGatewayResponse",
    "UpdateIntegration",
    "UpdateIntegrationResponse",
    "UpdateMethod",
    "UpdateMethodResponse",
    "UpdateModel",
    "UpdateRequestValidator",
    "UpdateResource",
    "UpdateRestApi",
];

/// Operations that write, and nothing that a deployment would publish.
const OTHERS: &[&str] = &[
    "CreateApiKey",
    "CreateBasePathMapping",
    "CreateDeployment",
    "CreateDocumentationPart",
    "CreateDocumentationVersion",
    "CreateDomainName",
    "CreateDomainNameAccessAssociation",
    "CreateStage",
    "CreateUsagePlan",
    "CreateUsagePlanKey",
    "CreateVpcLink",
    "DeleteApiKey",
    "DeleteBasePathMapping",
    "DeleteClientCertificate",
    "DeleteDeployment",
    "DeleteDocumentationPart",
    "DeleteDocumentationVersion",
    "DeleteDomainName",
    "DeleteDomainNameAccessAssociation",
    "DeleteStage",
    "DeleteUsagePlan",
    "DeleteUsagePlanKey",
    "DeleteVpcLink",
    "FlushStageAuthorizersCache",
    "FlushStageCache",
    "GenerateClientCertificate",
    "ImportApiKeys",
    "ImportDocumentationParts",
    "RejectDomainNameAccessAssociation",
    "TagResource",
    "TestInvokeAuthorizer",
    "TestInvokeMethod",
    "UntagResource",
    "UpdateAccount",
    "UpdateApiKey",
    "UpdateBasePathMapping",
    "UpdateClientCertificate",
    "UpdateDeployment",
    "UpdateDocumentationPart",
    "UpdateDocumentationVersion",
    "UpdateDomainName",
    "UpdateStage",
    "UpdateUsage",
    "UpdateUsagePlan",
    "UpdateVpcLink",
];

/// Operations that change what a deployment would publish: what is asked for to know that nobody did.
pub fn edits() -> &'static [&'static str] {
    EDITS
}

/// Whether a write changes what a deployment would publish. One that is not known may.
pub fn is_edit(operation: &str) -> bool {
    !OTHERS.contains(&operation)
}

/// Operations that bring a deployment to callers.
pub const DEPLOYERS: [&str; 3] = ["CreateDeployment", "CreateStage", "UpdateStage"];

/// Operations that replace a whole API.
const WHOLE: [&str; 3] = ["CreateRestApi", "ImportRestApi", "PutRestApi"];

/// Operations that write the property at a path, or nothing of which is known.
pub fn writers(target: Target, at: &Path) -> Vec<&'static str> {
    let Some(property) = properties::table(target).property(at) else {
        return vec![];
    };
    let mut found = match property.repair {
        Repair::Patch { operation, .. } | Repair::Members { operation, .. } => vec![operation],
        Repair::Tags => {
            let made = match target {
                Target::RestApi => "CreateRestApi",
                Target::DomainName => "CreateDomainName",
                Target::Stage | Target::Method => "CreateStage",
            };
            return vec!["TagResource", "UntagResource", made];
        }
        Repair::None(_) => by_hand(target, property)
            .map(|(operation, _)| operation)
            .into_iter()
            .collect(),
    };
    let first = at.keys().first().map_or("", String::as_str);
    found.extend::<&[&str]>(match (target, first) {
        // Of another service.
        (Target::Stage, "webAclArn") | (Target::RestApi, _) => &[],
        (Target::Stage, _) => &["CreateDeployment", "CreateStage"],
        (Target::Method, "methodIntegration") => &["DeleteIntegration", "PutIntegration"],
        (Target::Method, _) => &["DeleteMethod", "PutMethod"],
        (Target::DomainName, _) => &["CreateDomainName"],
    });
    if matches!(target, Target::RestApi | Target::Method) {
        found.extend(WHOLE);
    }
    found.extend(responses(property));
    found
}

/// How a property is patched that no repair patches: what is not safe is done all the same.
fn by_hand(target: Target, property: &Property) -> Option<(&'static str, &'static str)> {
    match (target, property.path) {
        (Target::RestApi, ["endpointConfiguration", "types"]) => {
            Some(("UpdateRestApi", "/endpointConfiguration/types"))
        }
        (Target::DomainName, ["endpointConfiguration", "types"]) => {
            Some(("UpdateDomainName", "/endpointConfiguration/types"))
        }
        (Target::Method, ["methodIntegration", "credentials"]) => Some(("UpdateIntegration", "/credentials")),
        (Target::Stage, ["canarySettings"]) => Some(("UpdateStage", "/canarySettings")),
        (Target::Stage, ["deploymentId"]) => Some(("UpdateStage", "/deploymentId")),
        _ => None,
    }
}

/// Operations that write one of a method's responses.
fn responses(property: &Property) -> &'static [&'static str] {
    match property.path {
        ["methodResponses"] => &["DeleteMethodResponse", "PutMethodResponse", "UpdateMethodResponse"],
        ["methodIntegration", "integrationResponses"] => &[
            "DeleteIntegrationResponse",
            "PutIntegrationResponse",
            "UpdateIntegrationResponse",
        ],
        _ => &[],
    }
}

/// What a call did to a property.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrote<'a> {
    /// Nothing.
    Nothing,
    /// It wrote this text, as a patch has it.
    Text(&'a str),
    /// It wrote this value, as a document has it.
    Value(&'a Value),
    /// It added the list's member.
    Member,
    /// It took the property away.
    Absent,
    /// It wrote something that the event does not show.
    Something,
    /// It may have set a default: the first patch of an entry makes all of it.
    Perhaps,
}

/// What a call did to the property at a path, by its parameters as a trail shows them. A tag's key and a list's member stand
/// as the path's last key. That it was made on the right resource is for `is_of` to say.
pub fn wrote<'a>(operation: &str, parameters: &'a Value, target: Target, at: &Path) -> Wrote<'a> {
    let Some(property) = properties::table(target).property(at) else {
        return Wrote::Nothing;
    };
    let input = input(operation, parameters);
    match property.repair {
        Repair::Patch {
            operation: own, path, ..
        } if own == operation => {
            return patched(
                &patch_path(path, property, at),
                input,
                entry(property, path, at).as_deref(),
            );
        }
        Repair::Members { operation: own, path } if own == operation => {
            let path = path.trim_end_matches("/{~}");
            return match at.keys().get(property.path.len()) {
                Some(member) => member_patched(path, member, input),
                None => patched(path, input, None),
            };
        }
        Repair::Tags if matches!(operation, "TagResource" | "UntagResource") => {
            return tagged(operation, parameters, input, at);
        }
        Repair::None(_) => {
            if let Some((own, path)) = by_hand(target, property)
                && own == operation
            {
                return patched(path, input, None);
            }
        }
        _ => {}
    }
    if !writers(target, at).contains(&operation) {
        return Wrote::Nothing;
    }
    if responses(property).contains(&operation) {
        return Wrote::Something;
    }
    let member = match property.repair {
        Repair::Members { .. } => at.keys().get(property.path.len()),
        _ => None,
    };
    let keys = if member.is_some() {
        property.path.len()
    } else {
        at.keys().len()
    };
    let keys = &at.keys()[..keys];
    let wrote = match operation {
        "DeleteIntegration" | "DeleteMethod" => Wrote::Absent,
        "PutIntegration" => put(input, &keys[1..]),
        "CreateDeployment" => deployed(input, keys),
        "ImportRestApi" | "PutRestApi" => Wrote::Something,
        // A new API has methods only if they are another one's.
        "CreateRestApi" if target == Target::Method => {
            if input.get("cloneFrom").is_some() {
                Wrote::Something
            } else {
                Wrote::Nothing
            }
        }
        // What is made has the tags that are named, and no others.
        _ if matches!(property.repair, Repair::Tags) => match keys.get(1) {
            Some(key) => input
                .get("tags")
                .and_then(|tags| tags.get(key))
                .map_or(Wrote::Absent, Wrote::Value),
            None => Wrote::Something,
        },
        _ => put(input, keys),
    };
    match (member, wrote) {
        (Some(member), Wrote::Value(Value::Array(all))) => {
            let found = all.iter().find(|one| one.as_str() == Some(member));
            found.map_or(Wrote::Absent, Wrote::Value)
        }
        (_, wrote) => wrote,
    }
}

/// What a deployment to a stage did to the stage: only what it names, everything else stays.
fn deployed<'a>(input: &'a Value, keys: &[String]) -> Wrote<'a> {
    match keys.first().map_or("", String::as_str) {
        // With these settings it goes to the canary.
        "deploymentId" if input.get("canarySettings").is_some_and(Value::is_object) => Wrote::Nothing,
        "deploymentId" => Wrote::Something,
        // `description` is the deployment's own.
        "description" => input.get("stageDescription").map_or(Wrote::Nothing, Wrote::Value),
        _ => match put(input, keys) {
            Wrote::Something => Wrote::Nothing,
            wrote => wrote,
        },
    }
}

/// Whether a call was made on a resource, by what both of them say of it.
pub fn is_of(operation: &str, parameters: &Value, address: &std::collections::BTreeMap<String, String>) -> bool {
    if WHOLE.contains(&operation) {
        return !address.contains_key("stageName");
    }
    if matches!(operation, "TagResource" | "UntagResource") {
        let arn = text(parameters, "resourceArn").replace("%2F", "/").replace("%2f", "/");
        let stage = arn.split_once("/stages/").map(|(_, stage)| stage);
        return stage == address.get("stageName").map(String::as_str);
    }
    let input = input(operation, parameters);
    // What tags are put on names the same resource in another way.
    let mut labels = address.iter().filter(|(label, _)| *label != "resourceArn");
    labels.all(|(label, value)| {
        let said = [parameters, input]
            .iter()
            .find_map(|of| of.get(label).and_then(Value::as_str));
        // The body of PutIntegration calls the backend's verb so.
        let said = match (operation, label.as_str()) {
            ("PutIntegration", "httpMethod") => parameters.get(label).and_then(Value::as_str),
            _ => said,
        };
        match (label.as_str(), said) {
            ("httpMethod", Some(said)) => said.eq_ignore_ascii_case(value),
            (_, Some(said)) => said == value,
            // A response that makes an id names none.
            (label, None) => label == "restApiId" || (label == "domainName" && operation == "CreateDomainName"),
        }
    })
}

/// Whether a call deployed to a stage's canary alone.
pub fn is_canary(operation: &str, parameters: &Value) -> bool {
    operation == "CreateDeployment"
        && input(operation, parameters)
            .get("canarySettings")
            .is_some_and(Value::is_object)
}

/// The deployment that a call pointed a stage at: its id, or none where the event does not show it.
pub fn pointed<'a>(
    operation: &str,
    parameters: &'a Value,
    stage: &str,
    made: Option<&'a str>,
) -> Option<Option<&'a str>> {
    let input = input(operation, parameters);
    let named = [parameters, input]
        .iter()
        .find_map(|of| of.get("stageName").and_then(Value::as_str));
    if named != Some(stage) {
        return None;
    }
    match operation {
        "CreateDeployment" => Some(made),
        "CreateStage" => Some(input.get("deploymentId").and_then(Value::as_str)),
        "UpdateStage" => {
            let mut patches = patches(input).filter(|patch| text(patch, "path") == "/deploymentId");
            patches.next_back().map(|patch| match text(patch, "op") {
                "replace" => patch
                    .get("value")
                    .and_then(Value::as_str)
                    .filter(|value| *value != MASKED),
                _ => None,
            })
        }
        _ => None,
    }
}

/// What CloudTrail shows of a value that it does not show.
const MASKED: &str = "***";

/// The body of a call: `updateStageInput`. A trail that shows it without this name shows it among the labels.
fn input<'a>(operation: &str, parameters: &'a Value) -> &'a Value {
    let mut name = operation.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    parameters.get(format!("{name}Input")).unwrap_or(parameters)
}

fn patches(input: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    let all = input.get("patchOperations").and_then(Value::as_array);
    all.into_iter().flatten()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What the last patch operation did that concerns a path.
fn patched<'a>(path: &str, input: &'a Value, entry: Option<&str>) -> Wrote<'a> {
    let below = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    let mut perhaps = Wrote::Nothing;
    for patch in patches(input).rev() {
        let (op, at) = (text(patch, "op"), text(patch, "path"));
        if at == path && op != "remove" && op != "copy" {
            return match patch.get("value").and_then(Value::as_str) {
                Some(MASKED) | None => Wrote::Something,
                Some(value) => Wrote::Text(value),
            };
        }
        if (at == path || below(path, at)) && op == "remove" {
            return Wrote::Absent;
        }
        if at == path || below(path, at) || below(at, path) {
            return Wrote::Something;
        }
        if entry.is_some_and(|entry| below(at, entry)) {
            perhaps = Wrote::Perhaps;
        }
    }
    perhaps
}

/// What the last patch operation did that concerns one member of a list. It is named by the path, or by the value where the
/// path is the list's; `replace` puts the value in the place of the member that the path names.
fn member_patched<'a>(list: &str, member: &str, input: &'a Value) -> Wrote<'a> {
    let escaped = member.replace('~', "~0").replace('/', "~1");
    let is_named = |text: &str| text == member || text == escaped;
    for patch in patches(input).rev() {
        let (op, at) = (text(patch, "op"), text(patch, "path"));
        let value = patch.get("value").and_then(Value::as_str);
        let said = if op == "remove" { Wrote::Absent } else { Wrote::Member };
        let below = at.strip_prefix(list).and_then(|rest| rest.strip_prefix('/'));
        match (below, value) {
            (None, _) if at != list => {}
            (None, None) if op == "remove" => return Wrote::Absent,
            (None, None | Some(MASKED)) => return Wrote::Something,
            (None, Some(_)) if !matches!(op, "add" | "remove") => return Wrote::Something,
            (None, Some(all)) if all.split(',').any(|one| is_named(one.trim())) => return said,
            (Some(_), Some(MASKED)) if op == "replace" => return Wrote::Something,
            (Some(_), Some(new)) if op == "replace" && is_named(new) => return Wrote::Member,
            (Some(old), Some(_)) if op == "replace" && old == escaped => return Wrote::Absent,
            (Some(name), _) if op != "replace" && name == escaped => return said,
            _ => {}
        }
    }
    Wrote::Nothing
}

/// What the body of a call that writes everything says of a path.
fn put<'a>(input: &'a Value, keys: &[String]) -> Wrote<'a> {
    let mut value = input;
    for key in keys {
        match value.get(key) {
            Some(inner) => value = inner,
            None => return Wrote::Something,
        }
    }
    if value.as_str() == Some(MASKED) {
        return Wrote::Something;
    }
    Wrote::Value(value)
}

fn tagged<'a>(operation: &str, parameters: &'a Value, input: &'a Value, at: &Path) -> Wrote<'a> {
    let Some(key) = at.keys().get(1) else {
        return Wrote::Something; // some tag, of which it is not told
    };
    match operation {
        "TagResource" => {
            let tags = input.get("tags").or_else(|| parameters.get("tags"));
            tags.and_then(|tags| tags.get(key)).map_or(Wrote::Nothing, Wrote::Value)
        }
        "UntagResource" => {
            let keys = [input, parameters].iter().find_map(|of| of.get("tagKeys"));
            let named = match keys {
                Some(Value::Array(keys)) => keys.iter().any(|k| k.as_str() == Some(key)),
                Some(Value::String(keys)) => keys.split(',').any(|k| k == key),
                _ => false,
            };
            if named { Wrote::Absent } else { Wrote::Nothing }
        }
        _ => Wrote::Nothing,
    }
}

/// The patch path of the property at a path: `{}` is the key that `*` stood for, `{~}` the same with `/` as `~1`.
fn patch_path(template: &str, property: &Property, at: &Path) -> String {
    let keys = property.path.iter().zip(at.keys()).filter(|(own, _)| **own == "*");
    let mut path = template.to_owned();
    for (_, key) in keys {
        let escaped: Cow<'_, str> = if key.contains(['~', '/']) {
            key.replace('~', "~0").replace('/', "~1").into()
        } else {
            key.into()
        };
        path = match (path.find("{~}"), path.find("{}")) {
            (Some(at), None) => replaced(&path, at, 3, &escaped),
            (Some(at), Some(other)) if at < other => replaced(&path, at, 3, &escaped),
            (_, Some(at)) => replaced(&path, at, 2, key),
            (None, None) => path,
        };
    }
    path
}

fn replaced(path: &str, at: usize, length: usize, with: &str) -> String {
    format!("{}{with}{}", &path[..at], &path[at + length..])
}

/// The patch path of the map's entry that holds the property: the first patch below it makes all of it.
fn entry(property: &Property, template: &str, at: &Path) -> Option<String> {
    let key = at.keys().get(1)?;
    (property.path.first() == Some(&"methodSettings") && template.starts_with("/{}")).then(|| format!("/{key}"))
}

#[cfg(test)]
mod tests;
