//! The resources of SAM that make REST APIs, as its transform makes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::building::Building;
use super::cloudformation::Resource;
use super::fields::{self, Draft, Kind, Prop};
use super::node::{Data, Entry, Fault, Mystery, Node, Place};
use crate::judge::path::Path;

mod auth;
mod events;

use events::Event;

pub(super) const PREFIX: &str = "AWS::Serverless::";
pub(super) const TRANSFORM: &str = "AWS::Serverless-2016-10-31";
const API: &str = "AWS::Serverless::Api";
const FUNCTION: &str = "AWS::Serverless::Function";
const STATE_MACHINE: &str = "AWS::Serverless::StateMachine";
/// Not REST APIs, but their domain names are shown among the others.
const OTHERS: [&str; 2] = ["AWS::Serverless::HttpApi", "AWS::Serverless::WebSocketApi"];
/// The API of events that name none.
const IMPLICIT: &str = "ServerlessRestApi";

/// Whether a type is looked at.
pub(super) fn reads(kind: &str) -> bool {
    matches!(kind, API | FUNCTION | STATE_MACHINE) || OTHERS.contains(&kind)
}

/// The part of a resource's properties that is looked at.
pub(super) fn looked_at(kind: &str, properties: &Node) -> Node {
    let mut properties = properties.clone();
    let looked_at: &[&str] = match kind {
        FUNCTION | STATE_MACHINE => &["Events", "PropagateTags", "Tags"],
        kind if OTHERS.contains(&kind) => &["Domain"],
        _ => return properties,
    };
    if let Data::Map(entries) = &mut properties.data {
        entries.retain(|entry| looked_at.contains(&entry.key.as_str()));
    }
    properties
}

/// Adds the APIs that SAM's resources make.
pub(super) fn expand(root: &Node, resources: &[Resource], building: &mut Building<'_>) -> Result<(), Fault> {
    let globals = global(root, API, building)?;
    for resource in resources
        .iter()
        .filter(|resource| OTHERS.contains(&resource.kind.as_str()))
    {
        let properties = merged(&global(root, &resource.kind, building)?, &resource.properties);
        domain(&resource.logical, &properties, building);
    }
    let mut events: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in resources.iter().flat_map(|resource| events::of(resource, building)) {
        events.entry(event.api.clone()).or_default().push(event);
    }
    for resource in resources.iter().filter(|resource| resource.kind == API) {
        let own = events.remove(&resource.logical).unwrap_or_default();
        let properties = merged(&globals, &resource.properties);
        api(&resource.logical, &resource.at, &properties, &own, building)?;
    }
    // What names an API that is not one of SAM's leads nowhere: the transform refuses it.
    if let Some(own) = events.remove(IMPLICIT) {
        let at = own[0].at.clone();
        let mut properties = globals;
        properties.at = at.clone();
        let name = Node::text_at(&at, "Prod");
        if let Data::Map(entries) = &mut properties.data {
            let key = "StageName".to_owned();
            entries.push(Entry {
                key,
                at: at.clone(),
                value: name,
            });
            entries.extend(events::tags(root, resources, building)?);
        }
        api(IMPLICIT, &at, &properties, &own, building)?;
    }
    Ok(())
}

/// Properties of an API that SAM hands on as they are.
const REST_API: &[Prop] = &[
    Prop("ApiKeySourceType", "apiKeySource", Kind::Text),
    Prop("BinaryMediaTypes", "binaryMediaTypes", Kind::MediaTypes),
    Prop("Description", "description", Kind::Text),
    Prop("DisableExecuteApiEndpoint", "disableExecuteApiEndpoint", Kind::Bool),
    Prop("EndpointAccessMode", "endpointAccessMode", Kind::Text),
    Prop("MinimumCompressionSize", "minimumCompressionSize", Kind::Number),
    Prop("Name", "name", Kind::Text),
    Prop("Policy", "policy", Kind::Policy),
    Prop("SecurityPolicy", "securityPolicy", Kind::Text),
];

const ENDPOINT: &[Prop] = &[
    Prop("IpAddressType", "endpointConfiguration.ipAddressType", Kind::Text),
    Prop("Type", "endpointConfiguration.types", Kind::Texts),
    Prop("VPCEndpointIds", "endpointConfiguration.vpcEndpointIds", Kind::Texts),
];

/// An API with its stages and methods.
fn api(
    logical: &str,
    at: &Place,
    properties: &Node,
    events: &[Event],
    building: &mut Building<'_>,
) -> Result<(), Fault> {
    let mut draft = rest_api(properties);
    let body = match (properties.get("DefinitionBody"), properties.entry("DefinitionUri")) {
        (Some(body), _) => Some(body.clone()),
        (None, Some(location)) => building.definition(logical, location)?,
        (None, None) => None,
    };
    let written = properties.get("DefinitionBody").is_some() || properties.get("DefinitionUri").is_some();
    if !written && draft.get("name").is_none() {
        let name = building.resolver.reference(&Node::text_at(at, ""), "AWS::StackName")?;
        let name = name.map_or(Value::Null, |name| name.json());
        draft.put(&Path::of(["name"]), at, name);
    }
    let merges = properties.get("MergeDefinitions").and_then(Node::truth) == Some(true);
    building.own(logical, at, draft, body.as_ref());
    if !written || merges {
        for event in events {
            let made = events::method(event, building);
            events::lay_over(&mut building.api(logical, at).methods, made);
        }
    }
    if let Some(entry) = properties.entry("Cors") {
        events::preflights(logical, &entry.at, building);
    }
    auth::secure(logical, properties, events, building);
    stages(logical, at, properties, building);
    domain(logical, properties, building);
    Ok(())
}

/// What `Globals` says of all resources of a type.
fn global(root: &Node, kind: &str, building: &Building<'_>) -> Result<Node, Fault> {
    let name = kind.trim_start_matches(PREFIX);
    match root.get("Globals").and_then(|globals| globals.get(name)) {
        Some(globals) => building.resolver.some(&looked_at(kind, globals)),
        None => Ok(Node {
            at: root.at.clone(),
            data: Data::Map(Vec::new()),
        }),
    }
}

fn domain(logical: &str, properties: &Node, building: &mut Building<'_>) {
    if let Some(domain) = properties.entry("Domain") {
        let name = format!("Domain of {logical}");
        let draft = domain_name(&domain.value);
        building.domains.push((name, domain.at.clone(), draft));
    }
}

fn rest_api(properties: &Node) -> Draft {
    let mut draft = Draft::default();
    draft.write(&Path::root(), REST_API, properties);
    if let Some(entry) = properties.entry("EndpointConfiguration") {
        if entry.value.is_map() {
            draft.write(&Path::root(), ENDPOINT, &entry.value);
        } else {
            let types = entry.value.text().map_or_else(|| entry.value.json(), Value::from);
            draft.put(&Path::of(["endpointConfiguration", "types"]), &entry.at, json!([types]));
        }
    }
    if properties.get("PropagateTags").and_then(Node::truth) == Some(true) {
        draft.write(&Path::root(), &[Prop("Tags", "tags", Kind::Tags)], properties);
    }
    draft
}

/// The stage, and the one called `Stage` that SAM makes besides unless the version of `OpenAPI` is written.
fn stages(logical: &str, at: &Place, properties: &Node, building: &mut Building<'_>) {
    let id = Mystery::of(logical, format!("AWS gives {logical} its id when it is made"));
    let id = Node::unknown_at(at, building.unknowns.add(id));
    let entry = Entry {
        key: "RestApiId".into(),
        at: at.clone(),
        value: id,
    };
    let belongs = Node {
        at: at.clone(),
        data: Data::Map(vec![entry]),
    };
    let mut draft = Draft::default();
    // The description is the API's.
    let props: Vec<Prop> = fields::STAGE
        .iter()
        .filter(|prop| prop.0 != "Description")
        .copied()
        .collect();
    draft.write(&Path::root(), &props, properties);
    building.stage(logical, at, draft, &belongs);
    if properties.get("OpenApiVersion").is_none() {
        let mut extra = Draft::default();
        extra.put(&Path::of(["stageName"]), at, json!("Stage"));
        building.stage(logical, at, extra, &belongs);
    }
}

fn domain_name(domain: &Node) -> Draft {
    let mut draft = Draft::default();
    let props: Vec<Prop> = fields::DOMAIN_NAME
        .iter()
        .filter(|prop| !matches!(prop.0, "CertificateArn" | "EndpointConfiguration"))
        .copied()
        .collect();
    draft.write(&Path::root(), &props, domain);
    let endpoint = domain.entry("EndpointConfiguration");
    let kind = endpoint.map_or_else(
        || json!("REGIONAL"),
        |entry| entry.value.text().map_or_else(|| entry.value.json(), Value::from),
    );
    let regional = kind == json!("REGIONAL");
    let at = endpoint.map_or(&domain.at, |entry| &entry.at);
    draft.put(&Path::of(["endpointConfiguration", "types"]), at, json!([kind]));
    if let Some(entry) = domain.entry("IpAddressType") {
        draft.put(
            &Path::of(["endpointConfiguration", "ipAddressType"]),
            &entry.at,
            entry.value.json(),
        );
    }
    if let Some(entry) = domain.entry("CertificateArn") {
        let field = if regional {
            "regionalCertificateArn"
        } else {
            "certificateArn"
        };
        draft.put(&Path::of([field]), &entry.at, entry.value.json());
    }
    draft
}

/// Globals with the resource's own laid over: maps merge, lists are put behind each other, all else replaces.
fn merged(globals: &Node, own: &Node) -> Node {
    let data = match (&globals.data, &own.data) {
        (Data::Map(global), Data::Map(own)) => {
            let mut entries = own.clone();
            for entry in global {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => known.value = merged(&entry.value, &known.value),
                    None => entries.push(entry.clone()),
                }
            }
            Data::Map(entries)
        }
        (Data::List(global), Data::List(own)) => Data::List(global.iter().chain(own).cloned().collect()),
        _ => own.data.clone(),
    };
    Node {
        at: own.at.clone(),
        data,
    }
}
