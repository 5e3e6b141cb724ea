//! An `OpenAPI` document with API Gateway's extensions: what an import of it makes.
//!
//! The reader of exports does the work; here is what a document that people write has besides.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::endpoint::{Api, Method};
use super::fields::Draft;
use super::node::{Data, Entry, Fault, Mystery, Node, Place, Unknowns, mark};
use crate::aws::apigateway::document::method_key;
use crate::aws::apigateway::export;
use crate::judge::path::Path;

mod swagger;

/// What an import makes.
pub(super) struct Imported {
    /// The API's own settings.
    pub settings: Draft,
    /// Its methods.
    pub methods: Vec<Method>,
    /// What cannot be told, for it hangs on something that is not known.
    pub untold: Vec<Fault>,
    /// Whether any operation says what it calls.
    called: bool,
}

/// Whether it says of itself that it is `OpenAPI`.
pub(super) fn is(root: &Node) -> bool {
    root.get("openapi").is_some() || root.get("swagger").is_some()
}

/// A document of its own: an API whose stages are not written.
pub(super) fn api(root: &Node, unknowns: &Unknowns) -> Result<(Api, Vec<Fault>), Fault> {
    let mut imported = read(root, unknowns, "")?;
    if !imported.called && !imported.methods.is_empty() {
        return Err(root.fault(
            "no operation has x-amazon-apigateway-integration, so API Gateway does not know what to call: write one for each operation",
        ));
    }
    for field in ["types", "ipAddressType"] {
        let why = "an OpenAPI document does not say it: the import or the API does";
        imported
            .settings
            .fill(&["endpointConfiguration", field], unknowns.mark(Mystery::certain(why)));
    }
    let title = imported.settings.text("name").unwrap_or("API").to_owned();
    let mut api = Api::new(title, &root.at);
    api.own = Some(imported.settings);
    api.methods = imported.methods;
    Ok((api, imported.untold))
}

/// Reads a document, or the body of a REST API.
pub(super) fn read(root: &Node, unknowns: &Unknowns, logical: &str) -> Result<Imported, Fault> {
    let version = root
        .text_of("openapi")
        .or_else(|| root.text_of("swagger"))
        .unwrap_or_default();
    let Some(paths) = root.entry("paths").map(|paths| &paths.value) else {
        return Err(root.fault("an OpenAPI document without paths: write paths with their operations"));
    };
    if !(version.starts_with("3.") || version == "2.0") {
        return Err(root.fault(format!(
            "API Gateway does not import OpenAPI {version}: write openapi: 3.0.1 or swagger: \"2.0\""
        )));
    }
    let mut untold = Vec::new();
    let operations = operations(root, paths, unknowns, &mut untold);
    let mut json = root.json();
    if let Some(root) = json.as_object_mut() {
        root.remove("security");
    }
    for ((path, key), operation) in &operations {
        let written = &mut json["paths"][path][key];
        if let Some(integration) = operation.integration {
            written[INTEGRATION] = integration.json();
        }
        if let Some(security) = written.get_mut("security") {
            without_markers(security);
        }
    }
    if version == "2.0" {
        swagger::to_openapi(&mut json);
    }
    let deployed = export::document(&json).map_err(|message| root.fault(message))?;
    let doubt = scheme_doubt(root);
    let mut methods = Vec::new();
    for ((path, _), operation) in &operations {
        let key = method_key(operation.verb, path);
        let Some(shown) = deployed.methods.get(&key) else {
            continue;
        };
        let mut draft = Draft {
            json: shown.clone(),
            lines: operation.lines(),
        };
        for path in deployed.untold.get(&key).into_iter().flatten() {
            let mystery = Mystery {
                certain: false,
                ..Mystery::certain(untold_why(path))
            };
            path.set(&mut draft.json, Some(unknowns.mark(mystery)));
        }
        operation.doubts(&mut draft, doubt);
        operation.unsaid(root, &mut draft, unknowns);
        let given = Mystery::certain("API Gateway gives it when it imports");
        for (names, field) in [
            (&deployed.authorizers, "authorizerId"),
            (&deployed.request_validators, "requestValidatorId"),
        ] {
            if names.contains_key(&key) {
                draft.fill(&[field], unknowns.mark(given.clone()));
            }
        }
        methods.push(Method {
            logical: logical.to_owned(),
            at: operation.at.clone(),
            verb: operation.verb.to_owned(),
            path: path.clone(),
            asks: operation.asks(&draft),
            draft,
        });
    }
    let called = operations.values().any(|operation| operation.integration.is_some());
    let settings = settings(root, &deployed);
    Ok(Imported {
        settings,
        methods,
        untold,
        called,
    })
}

/// SAM says by these names that nothing is asked for.
const MARKERS: [&str; 2] = ["NONE", "api_key_false"];

fn without_markers(security: &mut Value) {
    if let Some(list) = security.as_array_mut() {
        list.retain(|asked| !MARKERS.iter().any(|marker| asked.get(marker).is_some()));
    }
}

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const AUTH: &str = "x-amazon-apigateway-auth";
const SECURITY: [&str; 3] = ["authorizationType", "apiKeyRequired", "authorizationScopes"];

/// Where an operation is written.
struct Operation<'a> {
    verb: &'static str,
    at: &'a Place,
    path_at: &'a Place,
    body: &'a Node,
    integration: Option<&'a Node>,
    security: Option<&'a Entry>,
}

type Operations<'a> = BTreeMap<(String, String), Operation<'a>>;

fn operations<'a>(root: &'a Node, paths: &'a Node, unknowns: &Unknowns, untold: &mut Vec<Fault>) -> Operations<'a> {
    let mut found = BTreeMap::new();
    let mut doubt = |what: &str, node: &Node| {
        if let Data::Unknown(unknown) = node.data {
            let why = unknowns.get(unknown).why;
            untold.push(node.fault(format!("{what} cannot be told: {why}")));
        }
    };
    doubt("the API's methods", paths);
    for item in paths.entries() {
        doubt(&format!("the methods of {}", item.key), &item.value);
        for entry in item.value.entries() {
            let Some(verb) = export::verb(&entry.key) else {
                continue;
            };
            doubt(&format!("{verb} {}", item.key), &entry.value);
            if !entry.value.is_map() {
                continue;
            }
            let operation = Operation {
                verb,
                at: &entry.at,
                path_at: &item.at,
                body: &entry.value,
                integration: entry.value.get(INTEGRATION).map(|shown| referred(root, shown)),
                security: entry.value.entry("security"),
            };
            found.insert((item.key.clone(), entry.key.clone()), operation);
        }
    }
    found
}

/// What `$ref: '#/components/x-amazon-apigateway-integrations/…'` stands for.
fn referred<'a>(root: &'a Node, node: &'a Node) -> &'a Node {
    let target = node.text_of("$ref").and_then(|pointer| {
        let mut keys = pointer.strip_prefix("#/")?.split('/');
        keys.try_fold(root, |at, key| at.get(&key.replace("~1", "/").replace("~0", "~")))
    });
    target.unwrap_or(node)
}

impl Operation<'_> {
    /// Whether it says itself who may call, be it anybody.
    fn asks(&self, draft: &Draft) -> bool {
        let own = self.body.get("security").map(Node::items).unwrap_or_default();
        let anybody = own.iter().any(|asked| asked.get("NONE").is_some());
        anybody || (!own.is_empty() && draft.text("authorizationType") != Some("NONE"))
    }

    fn lines(&self) -> BTreeMap<Path, Place> {
        let mut lines = BTreeMap::new();
        lines.insert(Path::of(["httpMethod"]), self.at.clone());
        lines.insert(Path::of(["resourcePath"]), self.path_at.clone());
        let security = self.security.map_or(self.at, |entry| &entry.at);
        for field in SECURITY {
            lines.insert(Path::of([field]), security.clone());
        }
        for (key, field) in [
            ("operationId", "operationName"),
            ("parameters", "requestParameters"),
            ("requestBody", "requestModels"),
            ("responses", "methodResponses"),
            (INTEGRATION, "methodIntegration"),
        ] {
            if let Some(entry) = self.body.entry(key) {
                lines.insert(Path::of([field]), entry.at.clone());
            }
        }
        for entry in self.integration.map(Node::entries).unwrap_or_default() {
            let field = match entry.key.as_str() {
                "responses" => "integrationResponses",
                key => key,
            };
            let path = Path::of(["methodIntegration", field]);
            for below in entry.value.entries() {
                lines.insert(path.then(&below.key), below.at.clone());
            }
            lines.insert(path, entry.at.clone());
        }
        lines
    }

    /// What people write and AWS does not say how it imports.
    fn unsaid(&self, root: &Node, draft: &mut Draft, unknowns: &Unknowns) {
        let asked = root.entry("security").filter(|entry| !entry.value.items().is_empty());
        if let (None, Some(asked)) = (self.security, asked) {
            let why = "API Gateway is said to ignore security at the root of a document: write it at each operation";
            let unknown = unknowns.mark(Mystery::certain(why));
            for field in SECURITY {
                draft.put(&Path::of([field]), &asked.at, unknown.clone());
            }
        }
        let names = self.security.map(|entry| entry.value.items()).unwrap_or_default();
        let names = names.iter().flat_map(Node::entries).map(|entry| entry.key.as_str());
        let odd = names.filter_map(|name| schemes(root).find_map(|schemes| schemes.get(name)));
        if odd.clone().any(is_odd_key) {
            let why = "API Gateway's own key is the header x-api-key: write that, or x-amazon-apigateway-authtype";
            Path::of(["apiKeyRequired"]).set(&mut draft.json, Some(unknowns.mark(Mystery::certain(why))));
        }
    }

    /// What the reader of exports, which meets no unknown, would take for something else.
    fn doubts(&self, draft: &mut Draft, schemes: Option<usize>) {
        let mut doubt = |keys: &[&str], unknown: Option<usize>| {
            if let Some(unknown) = unknown {
                Path::of(keys.iter().copied()).set(&mut draft.json, Some(mark(unknown)));
            }
        };
        let security = self.security.and_then(|entry| entry.value.unknown());
        let security = security.or_else(|| self.body.get(AUTH).and_then(Node::unknown));
        let asked = self.security.is_some_and(|entry| !entry.value.items().is_empty());
        let security = security.or(schemes.filter(|_| asked));
        for field in SECURITY {
            doubt(&[field], security);
        }
        let own = |key: &str| self.body.get(key).and_then(Node::unknown);
        doubt(&["requestParameters"], own("parameters"));
        doubt(&["requestModels"], own("requestBody"));
        let whole = |node: Option<&Node>| match node.map(|node| &node.data) {
            Some(Data::Unknown(unknown)) => Some(*unknown),
            _ => None,
        };
        doubt(&["methodResponses"], whole(self.body.get("responses")));
        let responses = self.integration.and_then(|integration| integration.get("responses"));
        doubt(&["methodIntegration", "integrationResponses"], whole(responses));
        doubt(&["methodIntegration"], whole(self.integration));
    }
}

/// The security schemes, in the words of either version.
fn schemes(root: &Node) -> impl Iterator<Item = &Node> {
    let new = root
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    root.get("securityDefinitions").into_iter().chain(new)
}

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const AUTH_TYPE: &str = "x-amazon-apigateway-authtype";

/// A key that is not AWS's, as in a bearer token's header.
fn is_odd_key(scheme: &Node) -> bool {
    scheme.text_of("type") == Some("apiKey")
        && scheme.get(AUTHORIZER).is_none()
        && scheme.get(AUTH_TYPE).is_none()
        && !scheme
            .text_of("name")
            .is_some_and(|name| name.eq_ignore_ascii_case("x-api-key"))
}

/// What of the security schemes is not known, so that nobody can tell what they ask for.
fn scheme_doubt(root: &Node) -> Option<usize> {
    let whole = |node: &Node| match node.data {
        Data::Unknown(unknown) => Some(unknown),
        _ => None,
    };
    schemes(root).find_map(|schemes| {
        let of_one = |scheme: &Node| {
            let authorizer = scheme.get(AUTHORIZER);
            let kind = authorizer.and_then(|authorizer| authorizer.get("type"));
            let parts = [
                Some(scheme),
                scheme.get("type"),
                scheme.get(AUTH_TYPE),
                authorizer,
                kind,
            ];
            parts.into_iter().flatten().find_map(whole)
        };
        whole(schemes).or_else(|| schemes.entries().iter().find_map(|scheme| of_one(&scheme.value)))
    })
}

fn untold_why(path: &Path) -> String {
    match path.keys().first().map(String::as_str) {
        Some("authorizationType") => {
            "a security scheme is none that API Gateway asks for: give it x-amazon-apigateway-authtype".to_owned()
        }
        Some("methodIntegration") => "the operation has no x-amazon-apigateway-integration: write one".to_owned(),
        _ => "the document does not say it in a form that is read here".to_owned(),
    }
}

/// The API's own settings.
fn settings(root: &Node, deployed: &export::Deployed) -> Draft {
    let mut draft = Draft::default();
    if let Value::Object(shown) = &deployed.rest_api {
        draft.json = Value::Object(shown.clone());
    }
    for (extension, field) in export::SETTINGS {
        if let Some(entry) = root.entry(extension) {
            draft.lines.insert(Path::of([*field]), entry.at.clone());
        }
    }
    let servers = root.get("servers").map(Node::items).unwrap_or_default();
    let endpoint = servers
        .iter()
        .chain([root])
        .find_map(|holder| holder.entry(export::ENDPOINT));
    let unknown = root.get("servers").and_then(|servers| match servers.data {
        Data::Unknown(unknown) => Some(unknown),
        _ => None,
    });
    let unknown = endpoint.map_or(unknown, |entry| match entry.value.data {
        Data::Unknown(unknown) => Some(unknown),
        _ => None,
    });
    if let Some(unknown) = unknown {
        for field in ["disableExecuteApiEndpoint", "endpointConfiguration"] {
            Path::of([field]).set(&mut draft.json, Some(mark(unknown)));
        }
    }
    for entry in endpoint.map(|entry| entry.value.entries()).unwrap_or_default() {
        let path = match entry.key.as_str() {
            "disableExecuteApiEndpoint" => Path::of(["disableExecuteApiEndpoint"]),
            key => Path::of(["endpointConfiguration", key]),
        };
        draft.lines.insert(path, entry.at.clone());
    }
    let truth = endpoint
        .and_then(|entry| entry.value.get("disableExecuteApiEndpoint"))
        .and_then(Node::truth);
    if let Some(truth) = truth {
        Path::of(["disableExecuteApiEndpoint"]).set(&mut draft.json, Some(json!(truth)));
    }
    let info = root.get("info");
    for (key, field) in [
        ("title", "name"),
        ("description", "description"),
        ("version", "version"),
    ] {
        if let Some(entry) = info.and_then(|info| info.entry(key)) {
            let value = entry.value.text().map_or_else(|| entry.value.json(), Value::from);
            draft.put(&Path::of([field]), &entry.at, value);
        }
    }
    draft
}
