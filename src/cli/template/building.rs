//! From resources to APIs and domain names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cloudformation::{Resource, V2_DOMAIN};
use super::endpoint::{Api, Method, SOMETHING, Stage};
use super::fields::{self, Draft};
use super::node::{Data, Entry, Fault, Mystery, Node, Place, Unknowns, mark};
use super::paths::Paths;
use super::resolve::Resolver;
use super::{openapi, settings};
use crate::judge::path::Path;

/// Everything under way.
pub(super) struct Building<'a> {
    pub resolver: &'a Resolver<'a>,
    pub unknowns: &'a Unknowns,
    pub apis: BTreeMap<String, Api>,
    pub domains: Vec<(String, Place, Draft)>,
    pub untold: Vec<Fault>,
}

impl Building<'_> {
    /// Takes the resources of API Gateway.
    pub fn resources(&mut self, resources: &[Resource]) -> Result<(), Fault> {
        let paths = Paths::of(resources, self.unknowns);
        for resource in resources {
            let Resource {
                logical,
                at,
                kind,
                properties,
            } = resource;
            match kind.as_str() {
                "AWS::ApiGateway::RestApi" => self.rest_api(resource)?,
                "AWS::ApiGateway::Stage" => {
                    let mut draft = Draft::default();
                    draft.write_all(fields::STAGE, properties);
                    self.stage(logical, at, draft, properties);
                }
                "AWS::ApiGateway::Deployment" => self.deployment(resource),
                "AWS::ApiGateway::Method" => {
                    let method = self.method(resource, &paths);
                    self.api_of(properties, at).methods.push(method);
                }
                "AWS::ApiGateway::DomainName" | "AWS::ApiGateway::DomainNameV2" => {
                    let mut draft = Draft::default();
                    draft.write_all(fields::DOMAIN_NAME, properties);
                    self.domains.push((logical.clone(), at.clone(), draft));
                }
                V2_DOMAIN => {
                    let draft = v2_domain(properties);
                    self.domains.push((logical.clone(), at.clone(), draft));
                }
                _ => {}
            }
        }
        self.web_acls(resources);
        Ok(())
    }

    /// The API that a resource belongs to.
    fn api_of(&mut self, properties: &Node, at: &Place) -> &mut Api {
        let id = properties.get("RestApiId");
        let named = id.and_then(|id| self.unknowns.refers(id));
        let named = named.map(|name| name.trim_end_matches(".RestApiId").to_owned());
        let name = named.or_else(|| id.and_then(Node::text).map(str::to_owned));
        // Two that are imported may be one or not: they are judged apart.
        let name = name.unwrap_or_else(|| format!("RestApiId of {at}"));
        self.api(&name, at)
    }

    /// The API of a logical id.
    pub fn api(&mut self, logical: &str, at: &Place) -> &mut Api {
        self.apis
            .entry(logical.to_owned())
            .or_insert_with(|| Api::new(logical, at))
    }

    fn rest_api(&mut self, resource: &Resource) -> Result<(), Fault> {
        let Resource {
            logical,
            at,
            properties,
            ..
        } = resource;
        let mut draft = Draft::default();
        draft.write_all(fields::REST_API, properties);
        if let Some(parameters) = properties
            .entry("Parameters")
            .filter(|_| draft.get("endpointConfiguration").is_none())
        {
            let types = parameters.value.entry("endpointConfigurationTypes");
            let at = types.map_or(&parameters.at, |types| &types.at);
            let text = types.and_then(|types| types.value.text());
            let unknown = parameters.value.unknown().filter(|_| text.is_none());
            let value = text
                .map(|text| text.split(',').collect::<Value>())
                .or(unknown.map(mark));
            if let Some(value) = value {
                draft.put(&Path::of(["endpointConfiguration", "types"]), at, value);
            }
        }
        if let Some(clone) = properties.entry("CloneFrom") {
            self.untold.push(Fault {
                at: clone.at.clone(),
                message: format!("{logical} is made from another API, which is not read"),
            });
        }
        let body = match (properties.get("Body"), properties.entry("BodyS3Location")) {
            (Some(body), _) => Some(body.clone()),
            (None, Some(location)) => self.definition(logical, location)?,
            (None, None) => None,
        };
        self.own(logical, at, draft, body.as_ref());
        Ok(())
    }

    /// A definition that stands in a file of its own. None: it is not read, and noted.
    pub fn definition(&mut self, logical: &str, location: &Entry) -> Result<Option<Node>, Fault> {
        if let Some(name) = location.value.text().filter(|name| !name.starts_with("s3://")) {
            let file = self.resolver.file(name, &location.value)?;
            self.resolver.value(&file)
        } else {
            self.untold.push(Fault {
                at: location.at.clone(),
                message: format!(
                    "the definition of {logical} stands in S3, which is not read: check the template before it is packaged, with the file's name here"
                ),
            });
            Ok(None)
        }
    }

    /// The API itself, with what its body says.
    pub fn own(&mut self, logical: &str, at: &Place, mut draft: Draft, body: Option<&Node>) {
        let mut methods = Vec::new();
        match body {
            Some(body) if matches!(body.data, Data::Unknown(_)) => {
                let why = body
                    .unknown()
                    .map(|unknown| self.unknowns.get(unknown).why)
                    .unwrap_or_default();
                self.untold
                    .push(body.fault(format!("the methods of {logical} cannot be told: {why}")));
            }
            Some(body) => match openapi::read(body, self.unknowns, logical) {
                Ok(imported) => {
                    self.untold.extend(imported.untold);
                    methods = imported.methods;
                    self.laid_under(&mut draft, imported.settings);
                }
                Err(fault) => self.untold.push(fault),
            },
            None => {}
        }
        let api = self.api(logical, at);
        api.at = at.clone();
        api.own = Some(draft);
        api.methods.extend(methods);
    }

    /// What the body says counts where no property says anything.
    fn laid_under(&self, draft: &mut Draft, settings: Draft) {
        let Value::Object(fields) = settings.json else {
            return;
        };
        let both = draft.get("policy").is_some() && draft.get("policy") != fields.get("policy");
        if both && fields.contains_key("policy") {
            let why = "the property Policy and the body's x-amazon-apigateway-policy differ: write one of them";
            let mark = self.unknowns.mark(Mystery::certain(why));
            Path::of(["policy"]).set(&mut draft.json, Some(mark));
        }
        for (field, value) in fields {
            match value {
                Value::Object(below) if field == "endpointConfiguration" => {
                    for (key, value) in below {
                        draft.fill(&[&field, &key], value);
                    }
                }
                value => draft.fill(&[&field], value),
            }
        }
        for (path, place) in settings.lines {
            draft.lines.entry(path).or_insert(place);
        }
    }

    /// A stage, unless there is one of this name already.
    pub fn stage(&mut self, logical: &str, at: &Place, draft: Draft, properties: &Node) {
        let api = self.api_of(properties, at);
        let same = |stage: &Stage| {
            draft.text("stageName").is_some() && stage.draft.text("stageName") == draft.text("stageName")
        };
        if !api.stages.iter().any(same) {
            api.stages.push(Stage {
                logical: logical.to_owned(),
                at: at.clone(),
                draft,
            });
        }
    }

    /// A deployment that names a stage makes it.
    fn deployment(&mut self, resource: &Resource) {
        let Resource {
            logical,
            at,
            properties,
            ..
        } = resource;
        let Some(name) = properties.entry("StageName") else {
            return;
        };
        let mut draft = Draft::default();
        let value = name.value.text().map_or_else(|| name.value.json(), Value::from);
        draft.put(&Path::of(["stageName"]), &name.at, value);
        if let Some(description) = properties.get("StageDescription") {
            let direct = |prop: &fields::Prop| settings::SETTING.iter().any(|setting| setting.0 == prop.0);
            let props: Vec<fields::Prop> = fields::STAGE.iter().filter(|prop| !direct(prop)).copied().collect();
            draft.write(&Path::root(), &props, description);
            // Settings of the description itself are those of all methods.
            if description
                .entries()
                .iter()
                .any(|entry| settings::SETTING.iter().any(|prop| prop.0 == entry.key))
            {
                settings::one(&mut draft, &Path::of(["methodSettings", "*/*"]), description);
            }
        }
        self.stage(logical, at, draft, properties);
    }

    fn method(&self, resource: &Resource, paths: &Paths<'_>) -> Method {
        let Resource {
            logical,
            at,
            properties,
            ..
        } = resource;
        let mut draft = Draft::default();
        draft.write_all(fields::METHOD, properties);
        let id = properties.entry("ResourceId");
        let path = id.map_or_else(
            || Err("ResourceId is not written".to_owned()),
            |id| paths.of_id(&id.value),
        );
        let (shown, value) = match path {
            Ok(path) => (path.clone(), Value::from(path)),
            Err(why) => {
                let part = id
                    .and_then(|id| self.unknowns.refers(&id.value))
                    .and_then(|id| paths.part(&id));
                let shown = part.map_or_else(|| SOMETHING.to_owned(), |part| format!("{SOMETHING}/{part}"));
                (shown, self.unknowns.mark(Mystery::certain(why)))
            }
        };
        draft.put(&Path::of(["resourcePath"]), id.map_or(at, |id| &id.at), value);
        let verb = properties.text_of("HttpMethod").map(str::to_ascii_uppercase);
        if let Some(verb) = &verb {
            Path::of(["httpMethod"]).set(&mut draft.json, Some(verb.as_str().into()));
        }
        Method {
            logical: logical.clone(),
            at: at.clone(),
            verb: verb.unwrap_or_else(|| SOMETHING.to_owned()),
            path: shown,
            asks: true,
            draft,
        }
    }

    /// A web ACL is associated by a resource of its own, which names the stage in a text.
    fn web_acls(&mut self, resources: &[Resource]) {
        let Some(association) = resources.iter().find(|r| r.kind.ends_with("::WebACLAssociation")) else {
            return;
        };
        let why = format!(
            "whether {} means this stage is known after deployment",
            association.logical
        );
        let unknown = self.unknowns.mark(Mystery {
            certain: false,
            ..Mystery::certain(why)
        });
        for stage in self.apis.values_mut().flat_map(|api| &mut api.stages) {
            stage.draft.fill(&["webAclArn"], unknown.clone());
        }
    }
}

/// Custom domain names of version 2 are shown by version 1, each with its first configuration.
fn v2_domain(properties: &Node) -> Draft {
    let mut draft = Draft::default();
    draft.write(&Path::root(), fields::DOMAIN_NAME, properties);
    let configurations = properties.get("DomainNameConfigurations");
    let Some(first) = configurations.and_then(|list| list.items().first()) else {
        return draft;
    };
    for Entry { key, at, value } in first.entries() {
        let path: &[&str] = match key.as_str() {
            "CertificateArn" => &["regionalCertificateArn"],
            "SecurityPolicy" => &["securityPolicy"],
            "EndpointType" => &["endpointConfiguration", "types"],
            "IpAddressType" => &["endpointConfiguration", "ipAddressType"],
            "OwnershipVerificationCertificateArn" => &["ownershipVerificationCertificateArn"],
            _ => continue,
        };
        let value = value.json();
        let value = if key == "EndpointType" {
            serde_json::json!([value])
        } else {
            value
        };
        draft.put(&Path::of(path.iter().copied()), at, value);
    }
    draft
}
