//! A `CloudFormation` template: its resources of API Gateway, as APIs and domain names.

use std::collections::BTreeMap;

use super::building::Building;
use super::endpoint::{Endpoint, domain_name};
use super::node::{Data, Entry, Fault, Node, Place, Unknowns};
use super::options::Given;
use super::resolve::{Files, Resolver};
use super::sam;

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What can be judged.
    pub endpoints: Vec<Endpoint>,
    /// What cannot be told.
    pub untold: Vec<Fault>,
    /// The parameters that it takes.
    pub parameters: Vec<String>,
}

/// A resource, its properties without functions.
#[derive(Debug)]
pub(super) struct Resource {
    pub logical: String,
    pub at: Place,
    pub kind: String,
    pub properties: Node,
}

/// Whether it looks like a template.
pub(super) fn is(root: &Node) -> bool {
    root.get("Resources").is_some_and(Node::is_map) || root.get("AWSTemplateFormatVersion").is_some()
}

/// Reads a template.
pub(super) fn read(root: &Node, given: &Given, files: &dyn Files) -> Result<Found, Fault> {
    let unknowns = Unknowns::default();
    let written = root.get("Resources").filter(|resources| resources.is_map());
    let written = written.ok_or_else(|| root.fault("a template without Resources: write some"))?;
    let mut untold = Vec::new();
    let serverless = transforms(root, &mut untold)
        || written
            .entries()
            .iter()
            .any(|e| e.value.text_of("Type").is_some_and(|t| t.starts_with(sam::PREFIX)));
    let lenient = serverless || !untold.is_empty();
    let resolver = Resolver::new(root, given, &unknowns, files, lenient);
    let resources = resources(written, &resolver, &mut untold)?;
    let mut building = Building {
        resolver: &resolver,
        unknowns: &unknowns,
        apis: BTreeMap::new(),
        domains: Vec::new(),
        untold,
    };
    building.resources(&resources)?;
    if serverless {
        sam::expand(root, &resources, &mut building)?;
    }
    let Building {
        apis, domains, untold, ..
    } = building;
    let mut endpoints: Vec<Endpoint> = apis.into_values().map(|api| api.endpoint(given, &unknowns)).collect();
    endpoints.extend(
        domains
            .into_iter()
            .map(|(logical, at, draft)| domain_name(&logical, &at, draft, given, &unknowns)),
    );
    let parameters = root.get("Parameters").map(Node::entries).unwrap_or_default();
    Ok(Found {
        endpoints,
        untold,
        parameters: parameters.iter().map(|entry| entry.key.clone()).collect(),
    })
}

/// Whether the template is one of SAM; macros that nobody can foresee are noted.
fn transforms(root: &Node, untold: &mut Vec<Fault>) -> bool {
    let Some(transform) = root.get("Transform") else {
        return false;
    };
    let names = match &transform.data {
        Data::List(items) => items.iter().collect(),
        _ => vec![transform],
    };
    let mut serverless = false;
    for name in names {
        match name.text().or_else(|| name.text_of("Name")).unwrap_or_default() {
            sam::TRANSFORM => serverless = true,
            "AWS::LanguageExtensions" | "AWS::CodeDeployBlueGreen" | "AWS::SecretsManager-2020-07-23" | "AWS::SecretsManager-2024-09-16" => {}
            name => untold.push(transform.fault(format!(
                "the macro {name} may change anything: check the processed template, as `aws cloudformation get-template` shows it"
            ))),
        }
    }
    serverless
}

/// Those that are looked at, without those whose condition does not hold.
fn resources(written: &Node, resolver: &Resolver<'_>, untold: &mut Vec<Fault>) -> Result<Vec<Resource>, Fault> {
    let mut found = Vec::new();
    for Entry { key, at, value } in written.entries() {
        if key.starts_with("Fn::") {
            untold.push(Fault {
                at: at.clone(),
                message: format!("{key} makes resources that are not foreseen here: check the processed template"),
            });
            continue;
        }
        let Some(kind) = value.text_of("Type") else {
            untold.push(Fault {
                at: at.clone(),
                message: format!("{key} has no Type: write one, as in Type: AWS::ApiGateway::RestApi"),
            });
            continue;
        };
        if kind.ends_with("::MODULE") {
            untold.push(Fault {
                at: at.clone(),
                message: format!(
                    "the module {kind} makes resources that are not foreseen here: check the processed template"
                ),
            });
            continue;
        }
        let looked_at = kind.starts_with("AWS::ApiGateway::")
            || kind.ends_with("::WebACLAssociation")
            || kind == V2_DOMAIN
            || sam::reads(kind);
        if !looked_at {
            continue;
        }
        if let Some(condition) = value.get("Condition").filter(|condition| condition.text().is_some())
            && resolver.condition(condition.text().unwrap_or_default(), condition)? == Ok(false)
        {
            continue;
        }
        let nothing = Node {
            at: at.clone(),
            data: Data::Map(Vec::new()),
        };
        let properties = match value.get("Properties") {
            Some(properties) => resolver.some(&sam::looked_at(kind, properties))?,
            None => nothing,
        };
        if let Data::Unknown(_) = properties.data {
            untold.push(properties.fault(format!("the properties of {key} are made when CloudFormation deploys")));
            continue;
        }
        found.push(Resource {
            logical: key.clone(),
            at: at.clone(),
            kind: kind.to_owned(),
            properties,
        });
    }
    Ok(found)
}

/// The same domain names as those of version 1, in the words of version 2.
pub(super) const V2_DOMAIN: &str = "AWS::ApiGatewayV2::DomainName";
