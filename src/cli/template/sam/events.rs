//! Events of functions and state machines that are methods.

use serde_json::{Value, json};

use super::super::building::Building;
use super::super::cloudformation::Resource;
use super::super::endpoint::{Method, SOMETHING};
use super::super::fields::Draft;
use super::super::node::{Entry, Fault, Mystery, Node, Place};
use super::{FUNCTION, IMPLICIT, STATE_MACHINE, global, merged};
use crate::judge::path::Path;

/// An event of a function or of a state machine that is a method.
pub(super) struct Event {
    pub logical: String,
    pub api: String,
    pub at: Place,
    pub properties: Node,
    of: &'static str,
}

/// Tags that functions and state machines hand on to the API of their events.
pub(super) fn tags(root: &Node, resources: &[Resource], building: &Building<'_>) -> Result<Vec<Entry>, Fault> {
    let mut found = Vec::new();
    for resource in resources {
        let own = of(resource, building).iter().any(|event| event.api == IMPLICIT);
        if !own {
            continue;
        }
        let properties = merged(&global(root, &resource.kind, building)?, &resource.properties);
        let hands_on = properties.get("PropagateTags").and_then(Node::truth) == Some(true);
        if let Some(tags) = properties.entry("Tags").filter(|_| hands_on) {
            found.extend(
                [Some(tags), properties.entry("PropagateTags")]
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
        }
    }
    Ok(found)
}

/// The methods among a resource's events.
pub(super) fn of(resource: &Resource, building: &Building<'_>) -> Vec<Event> {
    let of = match resource.kind.as_str() {
        FUNCTION => "lambda",
        STATE_MACHINE => "states",
        _ => return Vec::new(),
    };
    let events = resource.properties.get("Events").map(Node::entries).unwrap_or_default();
    let of_api = events.iter().filter(|entry| entry.value.text_of("Type") == Some("Api"));
    let event = |entry: &Entry| {
        let properties = entry.value.get("Properties")?;
        let api = match properties.get("RestApiId") {
            Some(id) => building.unknowns.refers(id).or_else(|| id.text().map(str::to_owned))?,
            None => IMPLICIT.to_owned(),
        };
        Some(Event {
            logical: resource.logical.clone(),
            api,
            at: entry.at.clone(),
            properties: properties.clone(),
            of,
        })
    };
    of_api.filter_map(event).collect()
}

/// The method of an event.
pub(super) fn method(event: &Event, building: &Building<'_>) -> Method {
    let Event {
        logical,
        at,
        properties,
        of,
        api: _,
    } = event;
    let mut draft = Draft::default();
    let place = |key: &str| properties.entry(key).map_or(at, |entry| &entry.at).clone();
    let path = properties.text_of("Path");
    let verb = properties.text_of("Method").map(str::to_ascii_uppercase);
    let or_mark = |known: Option<&str>, key: &str| match known {
        Some(known) => known.into(),
        None => properties.get(key).map_or(Value::Null, Node::json),
    };
    draft.put(
        &Path::of(["httpMethod"]),
        &place("Method"),
        or_mark(verb.as_deref(), "Method"),
    );
    draft.put(&Path::of(["resourcePath"]), &place("Path"), or_mark(path, "Path"));
    let mut integration = |key: &str, at: &Place, value: Value| {
        draft.put(&Path::of(["methodIntegration", key]), at, value);
    };
    let uri = Mystery {
        starts: "arn:".into(),
        ..Mystery::certain(format!("it holds the ARN of {logical}"))
    };
    integration("uri", at, building.unknowns.mark(uri));
    integration("httpMethod", at, json!("POST"));
    let kind = if *of == "lambda" { "AWS_PROXY" } else { "AWS" };
    integration("type", at, json!(kind));
    if *of == "states" {
        let role = Mystery::certain(format!("SAM makes a role for {logical}"));
        integration("credentials", at, building.unknowns.mark(role));
    }
    if let Some(timeout) = properties.entry("TimeoutInMillis") {
        let value = timeout
            .value
            .number()
            .map_or_else(|| timeout.value.json(), Value::Number);
        integration("timeoutInMillis", &timeout.at, value);
    }
    if properties.text_of("ResponseTransferMode") == Some("RESPONSE_STREAM") {
        integration("responseTransferMode", &place("ResponseTransferMode"), json!("STREAM"));
    }
    for (key, field) in [
        ("RequestParameters", "requestParameters"),
        ("RequestModel", "requestModels"),
    ] {
        if let Some(entry) = properties.entry(key) {
            let unread = Mystery::certain(format!("what SAM makes of {key} is not foreseen here"));
            draft.put(&Path::of([field]), &entry.at, building.unknowns.mark(unread));
        }
    }
    if let Some(model) = properties.get("RequestModel")
        && ["ValidateBody", "ValidateParameters"]
            .iter()
            .any(|key| model.get(key).is_some())
    {
        let id = Mystery::certain("AWS gives it when it is made");
        draft.fill(&["requestValidatorId"], building.unknowns.mark(id));
    }
    Method {
        logical: logical.clone(),
        at: at.clone(),
        verb: verb.unwrap_or_else(|| SOMETHING.to_owned()),
        path: path.unwrap_or(SOMETHING).to_owned(),
        asks: false,
        draft,
    }
}

/// A method of an event is laid over the definition's own, as `MergeDefinitions` asks.
pub(super) fn lay_over(methods: &mut Vec<Method>, made: Method) {
    let same = |known: &&mut Method| known.verb == made.verb && known.path == made.path;
    match methods.iter_mut().find(same) {
        Some(known) => {
            known.draft.json = crate::judge::path::merge(&known.draft.json, &made.draft.json);
            known.draft.lines.extend(made.draft.lines);
            (known.at, known.logical) = (made.at, made.logical);
        }
        None => methods.push(made),
    }
}

/// `Cors` adds OPTIONS to each path that has none.
pub(super) fn preflights(logical: &str, at: &Place, building: &mut Building<'_>) {
    let api = building.api(logical, at);
    let mut paths: Vec<String> = api.methods.iter().map(|method| method.path.clone()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        if api
            .methods
            .iter()
            .any(|method| method.path == path && method.verb == "OPTIONS")
        {
            continue;
        }
        let mut draft = Draft::default();
        draft.put(&Path::of(["httpMethod"]), at, json!("OPTIONS"));
        draft.put(&Path::of(["resourcePath"]), at, json!(path));
        draft.put(&Path::of(["methodIntegration", "type"]), at, json!("MOCK"));
        api.methods.push(Method {
            logical: logical.to_owned(),
            at: at.clone(),
            verb: "OPTIONS".into(),
            path,
            asks: false,
            draft,
        });
    }
}
