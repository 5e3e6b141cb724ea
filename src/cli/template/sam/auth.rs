//! `Auth`: who may call, as SAM writes it into methods and policies.

use serde_json::{Value, json};

use super::events::Event;
use crate::cli::template::building::Building;
use crate::cli::template::endpoint::Method;
use crate::cli::template::fields::Draft;
use crate::cli::template::node::{Data, Entry, Mystery, Node, Place, Unknowns, mark};
use crate::judge::path::Path;

/// Writes what `Auth` of the API and of events says into the API's methods and its policy.
pub(super) fn secure(logical: &str, properties: &Node, events: &[Event], building: &mut Building<'_>) {
    let unknowns = building.unknowns;
    let auth = properties.entry("Auth");
    let policies = auth.map(|auth| &auth.value).into_iter();
    let policies = policies.chain(events.iter().filter_map(|event| event.properties.get("Auth")));
    let policies: Vec<&Entry> = policies.filter_map(|auth| auth.entry("ResourcePolicy")).collect();
    let at = properties.at.clone();
    let api = building.api(logical, &at);
    let none = api.methods.is_empty();
    if let Some(own) = &mut api.own {
        resource_policy(own, &policies, none, unknowns);
    }
    for method in &mut api.methods {
        let event = events
            .iter()
            .find(|event| event.at == method.at || event.overrides(method));
        let own = event.and_then(|event| event.properties.entry("Auth"));
        Asked {
            api: auth,
            own,
            unknowns,
        }
        .write(method);
    }
}

impl Event {
    /// Whether it overrides who may call a method of the definition.
    fn overrides(&self, method: &Method) -> bool {
        let auth = self.properties.get("Auth");
        let overrides = auth.and_then(|auth| auth.get("OverrideApiAuth")).and_then(Node::truth);
        let verb = self.properties.text_of("Method").unwrap_or_default();
        overrides == Some(true)
            && verb.eq_ignore_ascii_case(&method.verb)
            && self.properties.text_of("Path") == Some(&method.path)
    }
}

/// What is asked of callers of a method.
struct Asked<'a> {
    api: Option<&'a Entry>,
    own: Option<&'a Entry>,
    unknowns: &'a Unknowns,
}

impl Asked<'_> {
    fn write(&self, method: &mut Method) {
        let of_api = |key: &str| self.api.and_then(|auth| auth.value.entry(key));
        let of_own = |key: &str| self.own.and_then(|auth| auth.value.entry(key));
        let preflight = |key: &str| {
            let unless = of_api(key).and_then(|entry| entry.value.truth()) == Some(false);
            method.verb != "OPTIONS" || !unless
        };
        if let Some(whole) = [self.api, self.own]
            .into_iter()
            .flatten()
            .find_map(|auth| whole(&auth.value))
        {
            for field in ["authorizationType", "apiKeyRequired"] {
                Path::of([field]).set(&mut method.draft.json, Some(mark(whole)));
            }
            return;
        }
        let open = !method.asks;
        let default = of_api("DefaultAuthorizer").filter(|_| open && preflight("AddDefaultAuthorizerToCorsPreflight"));
        let key_default = of_api("ApiKeyRequired").filter(|_| preflight("AddApiKeyRequiredToCorsPreflight"));
        if let Some(entry) = of_own("Authorizer").or(default) {
            self.authorizer(entry, of_own("AuthorizationScopes"), &mut method.draft);
        }
        if let Some(entry) = of_own("ApiKeyRequired").or(key_default) {
            let truth = entry.value.truth().map_or_else(|| entry.value.json(), Value::Bool);
            let had = method.draft.get("apiKeyRequired") == Some(&json!(true));
            let truth = if had { json!(true) } else { truth };
            method.draft.put(&Path::of(["apiKeyRequired"]), &entry.at, truth);
        }
    }

    fn authorizer(&self, named: &Entry, scopes: Option<&Entry>, draft: &mut Draft) {
        let put = |draft: &mut Draft, field: &str, at: &Place, value: Value| draft.put(&Path::of([field]), at, value);
        let Some(name) = named.value.text() else {
            return put(draft, "authorizationType", &named.at, named.value.json());
        };
        let authorizers = self.api.and_then(|auth| auth.value.get("Authorizers"));
        let authorizer = authorizers.and_then(|all| all.get(name));
        let kind = match (name, authorizer) {
            ("NONE" | "AWS_IAM", _) => json!(name),
            (_, Some(pools)) if pools.get("UserPoolArn").is_some() => json!("COGNITO_USER_POOLS"),
            (_, Some(function)) if function.get("FunctionArn").is_some() => json!("CUSTOM"),
            (_, found) => {
                let unknown = found.or(authorizers).and_then(Node::unknown);
                let unsaid = || {
                    let why = format!("Authorizers says nothing of {name}: write its UserPoolArn or FunctionArn");
                    self.unknowns.mark(Mystery::certain(why))
                };
                unknown.map_or_else(unsaid, mark)
            }
        };
        put(draft, "authorizationType", &named.at, kind);
        if name == "AWS_IAM" {
            let role = Mystery {
                certain: false,
                ..Mystery::certain("SAM writes them from InvokeRole")
            };
            draft.fill(&["methodIntegration", "credentials"], self.unknowns.mark(role));
        }
        if !matches!(name, "NONE" | "AWS_IAM") {
            let id = Mystery::certain(format!("AWS gives the authorizer {name} its id"));
            draft.fill(&["authorizerId"], self.unknowns.mark(id));
        }
        let scopes = scopes.or_else(|| authorizer.and_then(|authorizer| authorizer.entry("AuthorizationScopes")));
        let empty = |scopes: &&Entry| matches!(&scopes.value.data, Data::List(list) if list.is_empty());
        if let Some(scopes) = scopes.filter(|scopes| !empty(scopes)) {
            put(draft, "authorizationScopes", &scopes.at, scopes.value.json());
        }
    }
}

/// `ResourcePolicy`: own statements as they are; what SAM makes of lists of accounts, addresses and VPCs is not foreseen.
fn resource_policy(api: &mut Draft, policies: &[&Entry], none: bool, unknowns: &Unknowns) {
    let Some(first) = policies.first() else {
        return;
    };
    let path = Path::of(["policy"]);
    let made = policies.iter().flat_map(|policy| policy.value.entries());
    let made = made.filter(|entry| entry.key != "CustomStatements").count() > 0;
    let strange = policies.iter().find_map(|policy| whole(&policy.value));
    if made && none && strange.is_none() {
        return; // it makes them for each path
    }
    if made || strange.is_some() || api.get("policy").is_some() {
        let why = "SAM makes its statements from ResourcePolicy: write them as CustomStatements to have them judged";
        let unknown = strange.map_or_else(|| unknowns.mark(Mystery::certain(why)), mark);
        return api.put(&path, &first.at, unknown);
    }
    let statements: Vec<Value> = policies
        .iter()
        .filter_map(|policy| policy.value.get("CustomStatements"))
        .flat_map(|statements| match &statements.data {
            Data::List(items) => items.iter().map(Node::json).collect(),
            _ => vec![statements.json()],
        })
        .collect();
    api.put(
        &path,
        &first.at,
        json!({"Version": "2012-10-17", "Statement": statements}),
    );
}

fn whole(node: &Node) -> Option<usize> {
    match node.data {
        Data::Unknown(unknown) => Some(unknown),
        _ => None,
    }
}
