//! From readings of one endpoint to the judge's snapshot of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::document::{self, text};
use super::export::{self, Deployed};
use super::fields::{self, Kind};
use super::properties::table;
use crate::api::policy::Target;
use crate::judge::cel::Document;
use crate::judge::path::Path;
use crate::judge::snapshot::{EndpointId, Known, LiveState, Resource, Snapshot, StagePointer};
use crate::judge::table::{Deploy, Live};

#[cfg(test)]
mod tests;

/// A REST API, from its item of `GetRestApis`, its stages, its resources with their methods (none: not read, so that no
/// method is in the snapshot), and the export of each deployment by the deployment's id.
pub fn rest_api(
    id: EndpointId,
    listed: &Value,
    stages: &[Value],
    resources: Option<&[Value]>,
    exports: &BTreeMap<String, Result<Arc<Value>, String>>,
) -> Snapshot {
    let read = |export: &Result<Arc<Value>, String>| match export {
        Ok(export) => export::read(export),
        Err(why) => Err(why.clone()),
    };
    let deployments = exports.iter().map(|(id, export)| (id.clone(), read(export))).collect();
    deployed_rest_api(id, listed, stages, resources, deployments)
}

/// The same, where it is known otherwise what the deployments hold.
pub fn deployed_rest_api(
    id: EndpointId,
    listed: &Value,
    stages: &[Value],
    resources: Option<&[Value]>,
    mut deployments: BTreeMap<String, Result<Deployed, String>>,
) -> Snapshot {
    let api = document::rest_api(listed);
    let arn = arn(&id.region, &format!("/restapis/{}", id.id));
    let stages = by_name(stages);
    let methods = resources.map(document::methods);
    let digest = digest(&api, &stages, methods.as_deref(), &deployments);
    let pointers: BTreeMap<String, StagePointer> = stages
        .iter()
        .map(|(name, stage)| (name.clone(), pointer(stage)))
        .collect();
    let met = |id: &String| {
        let mut pointers = pointers.values();
        pointers.any(|p| p.deployment_id == *id || p.canary.as_ref() == Some(id))
    };
    deployments.retain(|id, _| met(id));
    let deployed = Deployments(deployments);

    let mut found = Vec::with_capacity(1 + stages.len() + methods.as_ref().map_or(0, Vec::len));
    let tags = tags(&api);
    let name = text(&api, "name").to_owned();
    let draft = Document::new(api);
    found.push(Resource {
        target: Target::RestApi,
        key: String::new(),
        address: address([("restApiId", id.id.as_str()), ("resourceArn", &arn)]),
        live: deployed.live(&pointers, |deployed| live_api(&draft, deployed)),
        draft: Some(draft),
    });
    for (name, stage) in stages {
        let document = Document::new(stage);
        found.push(Resource {
            target: Target::Stage,
            key: name.clone(),
            address: address([
                ("restApiId", id.id.as_str()),
                ("stageName", &name),
                ("resourceArn", &format!("{arn}/stages/{name}")),
            ]),
            draft: Some(document.clone()),
            // What is read of a stage is what its callers meet.
            live: vec![LiveState {
                stage: name,
                known: Known::Shown {
                    document,
                    hidden: Vec::new(),
                },
            }],
        });
    }
    if let Some(methods) = methods {
        found.extend(methods_of(&id, methods, &deployed, &pointers));
    }
    Snapshot {
        name,
        arn,
        tags,
        resources: found,
        stages: pointers,
        digest,
        endpoint: id,
    }
}

/// The digest of the snapshot that [`rest_api`] would make of the same.
pub fn digest_of<T>(
    listed: &Value,
    stages: &[Value],
    resources: Option<&[Value]>,
    exports: &BTreeMap<String, Result<T, String>>,
) -> String {
    let methods = resources.map(document::methods);
    digest(
        &document::rest_api(listed),
        &by_name(stages),
        methods.as_deref(),
        exports,
    )
}

fn by_name(stages: &[Value]) -> BTreeMap<String, Value> {
    let stages = stages.iter();
    stages
        .map(|stage| (text(stage, "stageName").to_owned(), document::stage(stage)))
        .collect()
}

/// A custom domain name, from its item of `GetDomainNames`. Callers meet what is read.
pub fn domain_name(id: EndpointId, listed: &Value) -> Snapshot {
    let domain = document::domain_name(listed);
    // Private domain names may share a name: their ARN says which one.
    let arn = match text(&domain, "domainNameArn") {
        "" => arn(&id.region, &format!("/domainnames/{}", id.id)),
        own => own.to_owned(),
    };
    let mut at = address([("domainName", text(&domain, "domainName")), ("resourceArn", &arn)]);
    if let Some(own) = domain.get("domainNameId").and_then(Value::as_str) {
        at.insert("domainNameId".into(), own.to_owned());
    }
    let digest = digest::<()>(&domain, &BTreeMap::new(), None, &BTreeMap::new());
    let (name, tags) = (text(&domain, "domainName").to_owned(), tags(&domain));
    let document = Document::new(domain);
    Snapshot {
        name,
        arn,
        tags,
        resources: vec![Resource {
            target: Target::DomainName,
            key: String::new(),
            address: at,
            draft: Some(document.clone()),
            // A domain name has no stages: its one live state has no stage's name.
            live: vec![LiveState {
                stage: String::new(),
                known: Known::Shown {
                    document,
                    hidden: Vec::new(),
                },
            }],
        }],
        stages: BTreeMap::new(),
        digest,
        endpoint: id,
    }
}

/// Every method that the editor or a deployment holds, by key.
fn methods_of(
    id: &EndpointId,
    drafts: Vec<document::Method>,
    deployed: &Deployments,
    pointers: &BTreeMap<String, StagePointer>,
) -> Vec<Resource> {
    let never = hidden(Target::Method);
    let mut resources: BTreeMap<String, Resource> = BTreeMap::new();
    for draft in drafts {
        let at = address([
            ("restApiId", id.id.as_str()),
            ("resourceId", &draft.resource_id),
            ("httpMethod", &draft.verb),
        ]);
        let document = Document::new(draft.json);
        resources.insert(
            draft.key.clone(),
            method(draft.key, at, Some(document), deployed, pointers, &never),
        );
    }
    for gone in deployed
        .0
        .values()
        .flatten()
        .flat_map(|deployed| deployed.methods.keys())
    {
        if !resources.contains_key(gone) {
            let verb = gone.split(' ').next().unwrap_or_default();
            let at = address([("restApiId", id.id.as_str()), ("httpMethod", verb)]);
            resources.insert(gone.clone(), method(gone.clone(), at, None, deployed, pointers, &never));
        }
    }
    resources.into_values().collect()
}

fn method(
    key: String,
    address: BTreeMap<String, String>,
    draft: Option<Document>,
    deployed: &Deployments,
    pointers: &BTreeMap<String, StagePointer>,
    never: &[Path],
) -> Resource {
    let live = deployed.live(pointers, |deployed| live_method(&key, draft.as_ref(), deployed, never));
    Resource {
        target: Target::Method,
        key,
        address,
        draft,
        live,
    }
}

fn live_method(key: &str, draft: Option<&Document>, deployed: &Deployed, never: &[Path]) -> Known {
    let Some(live) = deployed.methods.get(key) else {
        return Known::Absent;
    };
    // Only a method with an authorizer has the authorizer's id.
    let named = deployed.authorizers.contains_key(key);
    let mut hidden: Vec<Path> = never
        .iter()
        .filter(|path| (named || path.keys() != ["authorizerId"]) && path.get(live).is_none())
        .cloned()
        .collect();
    if let Some(untold) = deployed.untold.get(key) {
        hidden.extend(untold.iter().cloned());
    }
    let Some(draft) = draft else {
        return Known::Shown {
            document: Document::new(live.clone()),
            hidden,
        };
    };
    let mut same = true;
    for difference in fields::walk(fields::METHOD, draft.json(), live) {
        match difference.kind {
            // The draft says more than an export is known to show: whether callers meet it, nobody knows.
            Kind::Unshown | Kind::Unknown => hidden.push(difference.path),
            Kind::Differs | Kind::DiffersInSilence => {
                same &= hidden.iter().any(|hidden| hidden.covers(&difference.path));
            }
        }
    }
    hidden.sort();
    hidden.dedup();
    Known::Shown {
        document: if same {
            draft.clone()
        } else {
            Document::new(live.clone())
        },
        hidden,
    }
}

/// The draft, with what the export shows laid over it.
fn live_api(draft: &Document, deployed: &Deployed) -> Known {
    let mut hidden = Vec::new();
    let mut changed: Option<Value> = None;
    for property in table(Target::RestApi).properties {
        if property.deploy == Deploy::Immediate {
            continue;
        }
        let path = Path::of(property.path.iter().copied());
        let drafted = path.get(draft.json());
        if deployed.shown.contains(&path) {
            let live = path.get(&deployed.rest_api);
            if !(property.same)(drafted, live) {
                path.set(changed.get_or_insert_with(|| draft.json().clone()), live.cloned());
            }
        } else if property.live == Live::Hidden || drafted.is_some() {
            hidden.push(path);
        }
    }
    Known::Shown {
        document: changed.map_or_else(|| draft.clone(), Document::new),
        hidden,
    }
}

/// What each deployment holds, by its id.
struct Deployments(BTreeMap<String, Result<Deployed, String>>);

impl Deployments {
    /// What callers of each stage meet.
    fn live(&self, pointers: &BTreeMap<String, StagePointer>, of: impl Fn(&Deployed) -> Known) -> Vec<LiveState> {
        let mut live = Vec::with_capacity(pointers.len());
        for (stage, pointer) in pointers {
            let missing = || Known::Unreadable("its deployment was not exported".into());
            let known = match self.0.get(&pointer.deployment_id) {
                Some(Ok(deployed)) => of(deployed),
                Some(Err(why)) => Known::Unreadable(why.clone()),
                None => missing(),
            };
            live.push(LiveState {
                stage: stage.clone(),
                known,
            });
            // An export shows a stage's first deployment. The second one is known only if another stage has it as its first.
            if let Some(canary) = pointer
                .canary
                .as_ref()
                .filter(|canary| **canary != pointer.deployment_id)
            {
                let known = match self.0.get(canary) {
                    Some(Ok(deployed)) => of(deployed),
                    _ => Known::Unreadable("the canary's deployment cannot be exported".into()),
                };
                live.push(LiveState {
                    stage: stage.clone(),
                    known,
                });
            }
        }
        live
    }
}

/// The paths that no export shows.
fn hidden(target: Target) -> Vec<Path> {
    let properties = table(target).properties.iter();
    properties
        .filter(|p| p.live == Live::Hidden)
        .map(|p| Path::of(p.path.iter().copied()))
        .collect()
}

fn pointer(stage: &Value) -> StagePointer {
    let canary = stage.get("canarySettings").map(|canary| text(canary, "deploymentId"));
    StagePointer {
        deployment_id: text(stage, "deploymentId").to_owned(),
        canary: canary.filter(|id| !id.is_empty()).map(str::to_owned),
    }
}

fn address<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn tags(document: &Value) -> BTreeMap<String, String> {
    let tags = document.get("tags").and_then(Value::as_object);
    tags.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn arn(region: &str, path: &str) -> String {
    let partition = match region.split('-').collect::<Vec<_>>()[..] {
        ["cn", ..] => "aws-cn",
        ["us", "gov", ..] => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:apigateway:{region}::{path}")
}

/// Over everything that was read, in an order that AWS's answers cannot change. A deployment never changes, so its id stands
/// for its export; whether the export could be read counts, because verdicts hang on it.
fn digest<T>(
    own: &Value,
    stages: &BTreeMap<String, Value>,
    methods: Option<&[document::Method]>,
    exports: &BTreeMap<String, Result<T, String>>,
) -> String {
    let mut text = Vec::with_capacity(16 * 1024);
    canonical(own, &mut text);
    for stage in stages.values() {
        text.push(b'\n');
        canonical(stage, &mut text);
    }
    match methods {
        Some(methods) => {
            for method in methods {
                text.extend(format!("\n{} {} ", method.resource_id, method.key).bytes());
                canonical(&method.json, &mut text);
            }
        }
        None => text.extend(b"\nmethods not read"),
    }
    for (id, deployed) in exports {
        text.extend(format!("\n{id} {}", deployed.is_ok()).bytes());
    }
    let hash = Sha256::digest(&text);
    hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
        for half in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(half.into(), 16).unwrap_or('0'));
        }
        hex
    })
}

pub(super) fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (key, value) in sorted {
                quoted(key, out);
                canonical(value, out);
            }
            out.push(b'}');
        }
        Value::Array(members) => {
            out.push(b'[');
            for member in members {
                canonical(member, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Value::String(text) => quoted(text, out),
        // 10000.0 and 10000 are the same to AWS.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.as_i64().is_none() => out.extend(float.to_string().bytes()),
            _ => out.extend(number.to_string().bytes()),
        },
        other => out.extend(other.to_string().bytes()),
    }
}

/// With its length first, so that no text can look like another structure.
fn quoted(text: &str, out: &mut Vec<u8>) {
    out.extend(text.len().to_string().bytes());
    out.push(b'"');
    out.extend(text.bytes());
}
