//! Does the editor hold anything that the deployed snapshot doesn't? A deployment publishes the editor as a whole, so this is
//! asked before any.
//!
//! The answer is [`Cleanliness::Clean`] only when every field of the editor is one that is known, and is either shown equal by
//! the export or at its default. Everything else says what it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{self, text};
use super::export::{self, Deployed};
use super::fields::{self, Difference, Field, Kind};
pub use super::read::Editor;
use crate::api::policy::Target;
use crate::judge::path::Path;

mod named;
#[cfg(test)]
mod tests;

/// A property that may differ: the drift's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What holds it: the REST API or a method.
    pub target: Target,
    /// The method, as in `GET /pets`; empty for the REST API.
    pub key: String,
    /// The property, with everything below it.
    pub path: Path,
}

/// Whether a deployment would publish anything but the repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanliness {
    /// Nothing.
    Clean,
    /// Something: what it is, and after that what cannot be told besides.
    Dirty(Vec<String>),
    /// It cannot be told: why.
    CannotTell(Vec<String>),
}

/// Compares the editor with a stage's export.
pub fn compare(editor: &Editor, export: &Value, own: &[Own]) -> Cleanliness {
    let deployed = match export::read(export) {
        Ok(deployed) => deployed,
        Err(why) => return Cleanliness::CannotTell(vec![why]),
    };
    let mut findings = Findings::default();
    rest_api(editor, &deployed, own, &mut findings);
    methods(editor, &deployed, own, &mut findings);
    named::authorizers(editor, export, &mut findings);
    named::request_validators(editor, export, &mut findings);
    named::gateway_responses(editor, export, &mut findings);
    named::models(editor, export, &mut findings);
    extensions(export, &mut findings);
    findings.into_cleanliness()
}

#[derive(Default)]
struct Findings {
    dirty: Vec<String>,
    cannot_tell: Vec<String>,
}

impl Findings {
    fn into_cleanliness(mut self) -> Cleanliness {
        if self.dirty.is_empty() && self.cannot_tell.is_empty() {
            Cleanliness::Clean
        } else if self.dirty.is_empty() {
            Cleanliness::CannotTell(self.cannot_tell)
        } else {
            self.dirty.append(&mut self.cannot_tell);
            Cleanliness::Dirty(self.dirty)
        }
    }

    fn dirty(&mut self, sentence: impl Into<String>) {
        self.dirty.push(sentence.into());
    }

    fn cannot_tell(&mut self, sentence: impl Into<String>) {
        self.cannot_tell.push(sentence.into());
    }

    /// Compares two documents field by field, but for what is the drift's own.
    fn fields(&mut self, what: &str, fields: &'static [Field], editor: &Value, deployed: &Value, own: &[&Path]) {
        for Difference { path, kind } in fields::walk(fields, editor, deployed) {
            if own.iter().any(|own| own.covers(&path)) {
                continue;
            }
            match kind {
                Kind::Differs => self.dirty(format!(
                    "{what} {path}: deployed {}, drafted {}",
                    words(path.get(deployed)),
                    words(path.get(editor))
                )),
                Kind::DiffersInSilence => self.dirty(format!("{what} {path}: the draft differs from what is deployed")),
                Kind::Unshown => {
                    self.cannot_tell(format!(
                        "{what} {path}: the draft sets it, and the export does not show it"
                    ));
                }
                Kind::Unknown => self.cannot_tell(format!("{what} {path}: this field is not known")),
            }
        }
    }
}

/// A value in a sentence.
fn words(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        // A query can hold a key, and nobody needs it to see what differs.
        Some(Value::String(text)) => cut(text.split_once('?').map_or(text, |(before, _)| before)),
        Some(Value::Object(_)) => "a document".to_owned(),
        Some(other) => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

fn own_paths<'a>(own: &'a [Own], target: Target, key: &str) -> Vec<&'a Path> {
    let mine = own.iter().filter(|own| own.target == target && own.key == key);
    mine.map(|own| &own.path).collect()
}

fn rest_api(editor: &Editor, deployed: &Deployed, own: &[Own], findings: &mut Findings) {
    let own = own_paths(own, Target::RestApi, "");
    let api = document::rest_api(&editor.rest_api);
    findings.fields("the API's", fields::REST_API, &api, &deployed.rest_api, &own);
}

fn methods(editor: &Editor, deployed: &Deployed, own: &[Own], findings: &mut Findings) {
    let authorizers = names(&editor.authorizers);
    let validators = names(&editor.request_validators);
    let mut drafted = BTreeSet::new();
    for resource in &editor.resources {
        let what = format!("the resource {}", text(resource, "path"));
        findings.fields(&what, fields::RESOURCE, resource, &Value::Null, &[]);
    }
    for draft in document::methods(&editor.resources) {
        let own = own_paths(own, Target::Method, &draft.key);
        let Some(live) = deployed.methods.get(&draft.key) else {
            if !own.iter().any(|own| own.keys().is_empty()) {
                findings.dirty(format!("{} was added", draft.key));
            }
            drafted.insert(draft.key);
            continue;
        };
        // Without `embed=methods` AWS lists verbs with nothing in them.
        if draft.json.get("httpMethod").is_none() && draft.json.get("authorizationType").is_none() {
            findings.cannot_tell(format!("{} was read without its settings", draft.key));
        } else {
            findings.fields(&draft.key, fields::METHOD, &draft.json, live, &own);
            reference(
                "authorizerId",
                &authorizers,
                &deployed.authorizers,
                &draft,
                &own,
                findings,
            );
            reference(
                "requestValidatorId",
                &validators,
                &deployed.request_validators,
                &draft,
                &own,
                findings,
            );
            cache_namespace(&draft, live, &own, findings);
        }
        for path in deployed.untold.get(&draft.key).into_iter().flatten() {
            if !own.iter().any(|own| own.covers(path)) {
                findings.cannot_tell(format!(
                    "{} {path}: the export does not tell what is deployed",
                    draft.key
                ));
            }
        }
        drafted.insert(draft.key);
    }
    for key in deployed.methods.keys().filter(|key| !drafted.contains(*key)) {
        if !own_paths(own, Target::Method, key)
            .iter()
            .any(|own| own.keys().is_empty())
        {
            findings.dirty(format!("{key} was removed"));
        }
    }
}

/// The editor names by id what an export names by name.
fn reference(
    field: &str,
    names: &BTreeMap<&str, &str>,
    deployed: &BTreeMap<String, String>,
    draft: &document::Method,
    own: &[&Path],
    findings: &mut Findings,
) {
    let path = Path::of([field]);
    if own.iter().any(|own| own.covers(&path)) {
        return;
    }
    let id = text(&draft.json, field);
    let drafted = names.get(id).copied();
    let deployed = deployed.get(&draft.key).map(String::as_str);
    let key = &draft.key;
    match (id, drafted, deployed) {
        ("", _, None) => {}
        ("", _, Some(deployed)) => findings.dirty(format!("{key} {field}: deployed {deployed}, drafted nothing")),
        (_, None, _) => findings.cannot_tell(format!("{key} {field}: the draft names {id}, which was not read")),
        (_, Some(drafted), Some(deployed)) if drafted == deployed => {}
        (_, Some(drafted), Some(deployed)) => {
            findings.dirty(format!("{key} {field}: deployed {deployed}, drafted {drafted}"));
        }
        (_, Some(drafted), None) => {
            findings.cannot_tell(format!(
                "{key} {field}: the draft sets {drafted}, and the export does not show it"
            ));
        }
    }
}

/// A cache namespace is the resource's id until somebody sets another one, and no export is known to show it.
fn cache_namespace(draft: &document::Method, live: &Value, own: &[&Path], findings: &mut Findings) {
    let path = Path::of(["methodIntegration", "cacheNamespace"]);
    let drafted = path.get(&draft.json).and_then(Value::as_str).unwrap_or_default();
    let deployed = path.get(live).and_then(Value::as_str);
    if own.iter().any(|own| own.covers(&path)) || deployed == Some(drafted) {
        return;
    }
    if let Some(deployed) = deployed {
        findings.dirty(format!("{} {path}: deployed {deployed}, drafted {drafted}", draft.key));
    } else if !drafted.is_empty() && drafted != draft.resource_id {
        findings.cannot_tell(format!(
            "{} {path}: the draft sets it, and the export does not show it",
            draft.key
        ));
    }
}

/// By id.
fn names(of: &[Value]) -> BTreeMap<&str, &str> {
    of.iter().map(|one| (text(one, "id"), text(one, "name"))).collect()
}

/// What an export may hold besides what is compared. Documentation is published by itself.
const KNOWN: &[&str] = &[
    "api-key-source",
    "binary-media-types",
    "documentation",
    "endpoint-access-mode",
    "endpoint-configuration",
    "gateway-responses",
    "importexport-version",
    "minimum-compression-size",
    "policy",
    "request-validator",
    "request-validators",
    "security-policy",
];

/// An extension that is not known shows something that may be compared with nothing here.
fn extensions(export: &Value, findings: &mut Findings) {
    for name in export.as_object().into_iter().flatten().map(|(name, _)| name) {
        if name
            .strip_prefix("x-amazon-apigateway-")
            .is_some_and(|name| !KNOWN.contains(&name))
        {
            findings.cannot_tell(format!("the export holds {name}, which is not known"));
        }
    }
}
