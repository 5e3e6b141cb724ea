//! An API or a domain name as a template will make it, as the judge's snapshot, with the place of each part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fields::Draft;
use super::node::{Mystery, Place, Unknowns, marked};
use super::options::Given;
use crate::api::policy::{EndpointType, Target};
use crate::aws::apigateway::document::method_key;
use crate::judge::cel::Document;
use crate::judge::path::Path;
use crate::judge::snapshot::{EndpointId, Known, LiveState, NOT_KNOWN, Resource, Snapshot, StagePointer};

/// What stands for a part of a name that is not known.
pub(super) const SOMETHING: &str = "…";

/// A REST API under way.
#[derive(Debug)]
pub(super) struct Api {
    pub logical: String,
    pub at: Place,
    /// None: another template makes the API itself.
    pub own: Option<Draft>,
    pub stages: Vec<Stage>,
    pub methods: Vec<Method>,
}

/// A stage under way.
#[derive(Debug)]
pub(super) struct Stage {
    pub logical: String,
    pub at: Place,
    pub draft: Draft,
}

/// A method under way.
#[derive(Debug)]
pub(super) struct Method {
    pub logical: String,
    pub at: Place,
    pub verb: String,
    pub path: String,
    /// Whether its definition says itself who may call.
    pub asks: bool,
    pub draft: Draft,
}

/// An endpoint that can be judged.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub snapshot: Snapshot,
    pub logical: String,
    pub at: Place,
    pub parts: Vec<Part>,
    taken: BTreeSet<(Target, String)>,
    /// How stages whose name is not known are called in findings.
    pub nameless: Vec<String>,
    /// Why its name is not known.
    pub name_unknown: Option<String>,
    /// Why its tags, or the value of one of them, are not known; the key is empty for all of them.
    pub tags_unknown: BTreeMap<String, String>,
}

/// Where something that rules judge is written.
#[derive(Debug)]
pub(super) struct Part {
    pub target: Target,
    pub key: String,
    pub logical: String,
    pub at: Place,
    pub lines: BTreeMap<Path, Place>,
    pub document: Document,
}

impl Api {
    pub fn new(logical: impl Into<String>, at: &Place) -> Self {
        Api {
            logical: logical.into(),
            at: at.clone(),
            own: None,
            stages: Vec::new(),
            methods: Vec::new(),
        }
    }

    /// The snapshot, as if the template were deployed.
    pub fn endpoint(mut self, given: &Given, unknowns: &Unknowns) -> Endpoint {
        let mut endpoint = Endpoint::new(EndpointType::RestApi, &self.logical, &self.at, given);
        let mut served = Vec::new();
        for stage in &self.stages {
            let name = stage.draft.text("stageName").filter(|name| marked(name).is_none());
            served.push(name.unwrap_or(NOT_KNOWN).to_owned());
        }
        if served.is_empty() {
            served.clone_from(&given.stages);
        }
        if let Some(own) = &mut self.own {
            defaults(own);
            settle_tags(own, given);
        }
        endpoint.own(self.own.as_ref(), "name", unknowns);
        if let Some(own) = self.own {
            let document = document(own.json, unknowns);
            endpoint.part(Target::RestApi, "", &self.logical, &self.at, own.lines, &document);
            endpoint.resource(Target::RestApi, "", &served, document);
        }
        for (stage, name) in self.stages.into_iter().zip(&served) {
            let mut draft = stage.draft;
            for (field, value) in [
                ("tracingEnabled", json!(false)),
                ("cacheClusterEnabled", json!(false)),
                ("methodSettings", json!({})),
            ] {
                draft.fill(&[field], value);
            }
            draft.fill(
                &["deploymentId"],
                unknowns.mark(Mystery::certain("AWS gives it when it deploys")),
            );
            settle_tags(&mut draft, given);
            let document = document(draft.json, unknowns);
            let key = if name == NOT_KNOWN {
                endpoint.nameless.push(stage.logical.clone());
                stage.logical.clone()
            } else {
                name.clone()
            };
            let key = endpoint.unique(Target::Stage, key, &stage.logical);
            endpoint.part(Target::Stage, &key, &stage.logical, &stage.at, draft.lines, &document);
            endpoint.resource(Target::Stage, &key, std::slice::from_ref(name), document);
        }
        for method in self.methods {
            let Method {
                logical,
                at,
                verb,
                path,
                mut draft,
                asks: _,
            } = method;
            integration_defaults(&mut draft, unknowns);
            let document = document(draft.json, unknowns);
            let key = endpoint.unique(Target::Method, method_key(&verb, &path), &logical);
            endpoint.part(Target::Method, &key, &logical, &at, draft.lines, &document);
            endpoint.resource(Target::Method, &key, &served, document);
        }
        let pointer = StagePointer {
            deployment_id: NOT_KNOWN.to_owned(),
            canary: None,
        };
        endpoint.snapshot.stages = served.into_iter().map(|name| (name, pointer.clone())).collect();
        endpoint
    }
}

/// A custom domain name.
pub(super) fn domain_name(logical: &str, at: &Place, mut draft: Draft, given: &Given, unknowns: &Unknowns) -> Endpoint {
    let mut endpoint = Endpoint::new(EndpointType::DomainName, logical, at, given);
    settle_tags(&mut draft, given);
    draft.fill(&["endpointConfiguration", "types"], json!(["EDGE"]));
    draft.fill(&["routingMode"], json!("BASE_PATH_MAPPING_ONLY"));
    let unsaid = "SecurityPolicy is not written, and what AWS takes then is not documented: write it";
    draft.fill(&["securityPolicy"], unknowns.mark(Mystery::certain(unsaid)));
    endpoint.own(Some(&draft), "domainName", unknowns);
    endpoint.snapshot.endpoint.id.clone_from(&endpoint.snapshot.name);
    let document = document(draft.json, unknowns);
    endpoint.part(Target::DomainName, "", logical, at, draft.lines, &document);
    endpoint.resource(Target::DomainName, "", &[String::new()], document);
    endpoint
}

impl Endpoint {
    fn new(type_: EndpointType, logical: &str, at: &Place, given: &Given) -> Self {
        let known = |name: &str| given.value(name).unwrap_or(NOT_KNOWN).to_owned();
        Endpoint {
            snapshot: Snapshot {
                endpoint: EndpointId {
                    account_id: known("AWS::AccountId"),
                    region: known("AWS::Region"),
                    type_,
                    id: NOT_KNOWN.to_owned(),
                },
                name: NOT_KNOWN.to_owned(),
                arn: NOT_KNOWN.to_owned(),
                tags: BTreeMap::new(),
                resources: Vec::new(),
                stages: BTreeMap::new(),
                digest: String::new(),
            },
            logical: logical.to_owned(),
            at: at.clone(),
            parts: Vec::new(),
            taken: BTreeSet::new(),
            nameless: Vec::new(),
            name_unknown: None,
            tags_unknown: BTreeMap::new(),
        }
    }

    /// What policies select by.
    fn own(&mut self, draft: Option<&Draft>, name: &str, unknowns: &Unknowns) {
        let elsewhere = || "another template makes it".to_owned();
        let Some(draft) = draft else {
            self.name_unknown = Some(elsewhere());
            self.tags_unknown.insert(String::new(), elsewhere());
            return;
        };
        match draft.text(name) {
            Some(known) if marked(known).is_none() => known.clone_into(&mut self.snapshot.name),
            found => {
                let why = found.and_then(|mark| unknowns.why(Some(&mark.into())));
                self.name_unknown = Some(why.unwrap_or_else(|| "it is not written".to_owned()));
            }
        }
        if let Some(why) = unknowns.why(draft.get("tags")) {
            self.tags_unknown.insert(String::new(), why);
        }
        for (key, value) in draft.get("tags").and_then(Value::as_object).into_iter().flatten() {
            let known = match unknowns.why(Some(value)) {
                Some(why) => {
                    self.tags_unknown.insert(key.clone(), why);
                    NOT_KNOWN
                }
                None => value.as_str().unwrap_or_default(),
            };
            self.snapshot.tags.insert(key.clone(), known.to_owned());
        }
    }

    fn unique(&mut self, target: Target, key: String, logical: &str) -> String {
        if self.taken.insert((target, key.clone())) {
            return key;
        }
        let mut other = format!("{key} ({logical})");
        while !self.taken.insert((target, other.clone())) {
            other.push('\'');
        }
        other
    }

    fn part(
        &mut self,
        target: Target,
        key: &str,
        logical: &str,
        at: &Place,
        lines: BTreeMap<Path, Place>,
        document: &Document,
    ) {
        self.parts.push(Part {
            target,
            key: key.to_owned(),
            logical: logical.to_owned(),
            at: at.clone(),
            lines,
            document: document.clone(),
        });
    }

    /// What callers of these stages will meet is what is drafted here.
    fn resource(&mut self, target: Target, key: &str, stages: &[String], document: Document) {
        let live = |stage: &String| LiveState {
            stage: stage.clone(),
            known: Known::Shown {
                document: document.clone(),
                hidden: Vec::new(),
            },
        };
        self.snapshot.resources.push(Resource {
            target,
            key: key.to_owned(),
            address: BTreeMap::new(),
            live: stages.iter().map(live).collect(),
            draft: Some(document),
        });
    }
}

/// The document that rules see.
fn document(json: Value, unknowns: &Unknowns) -> Document {
    Document::partial(json, |text| unknowns.find(text))
}

/// What AWS shows of an API of which nothing else is written.
fn defaults(api: &mut Draft) {
    api.fill(&["apiKeySource"], json!("HEADER"));
    api.fill(&["disableExecuteApiEndpoint"], json!(false));
    api.fill(&["endpointConfiguration", "types"], json!(["EDGE"]));
    let types = Path::of(["endpointConfiguration", "types"]);
    let address = match types.get(&api.json).map(Value::to_string).as_deref() {
        Some(r#"["PRIVATE"]"#) => "dualstack",
        Some(r#"["EDGE"]"# | r#"["REGIONAL"]"#) => "ipv4",
        _ => return,
    };
    api.fill(&["endpointConfiguration", "ipAddressType"], json!(address));
}

/// What AWS shows of a method of which nothing else is written.
fn integration_defaults(method: &mut Draft, unknowns: &Unknowns) {
    method.fill(&["authorizationType"], json!("NONE"));
    method.fill(&["apiKeyRequired"], json!(false));
    if !method.get("methodIntegration").is_some_and(Value::is_object) {
        return;
    }
    let kind = Path::of(["methodIntegration", "type"])
        .get(&method.json)
        .and_then(Value::as_str);
    if kind.is_some_and(|kind| kind.starts_with("HTTP")) {
        method.fill(&["methodIntegration", "connectionType"], json!("INTERNET"));
    }
    method.fill(&["methodIntegration", "timeoutInMillis"], json!(29_000));
    method.fill(&["methodIntegration", "passthroughBehavior"], json!("WHEN_NO_MATCH"));
    method.fill(&["methodIntegration", "cacheKeyParameters"], json!([]));
    let namespace = Mystery::certain("AWS gives the resource its id");
    method.fill(&["methodIntegration", "cacheNamespace"], unknowns.mark(namespace));
}

/// Without tags there is no such field; the deployment's own are added.
fn settle_tags(draft: &mut Draft, given: &Given) {
    for (key, value) in &given.tags {
        draft.fill(&["tags", key], json!(value));
    }
    if draft
        .get("tags")
        .and_then(Value::as_object)
        .is_some_and(serde_json::Map::is_empty)
    {
        Path::of(["tags"]).set(&mut draft.json, None);
    }
}
