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

/// Compares the editor with a stage's export, but for the properties of `own`.
pub fn compare(editor: &Editor, export: &Value, own: &[Own]) -> Cleanliness {
    let deployed = match export::read(export) {
        Ok(deployed) => deployed,
        Err(why) => return Cleanliness::CannotTell(vec![why]),
    };
    let mut findings = Findings::new(Asked::AllBut(own));
    rest_api(editor, &deployed, &mut findings);
    methods(editor, &deployed, &mut findings);
    named::authorizers(editor, export, &mut findings);
    named::request_validators(editor, export, &mut findings);
    named::gateway_responses(editor, export, &mut findings);
    named::models(editor, export, &mut findings);
    extensions(export, &mut findings);
    findings.into_cleanliness()
}

/// Compares the properties of `own` with a stage's export, and nothing else.
pub fn compare_only(editor: &Editor, export: &Value, own: &[Own]) -> Cleanliness {
    let deployed = match export::read(export) {
        Ok(deployed) => deployed,
        Err(why) => return Cleanliness::CannotTell(vec![why]),
    };
    let mut findings = Findings::new(Asked::Only(own));
    rest_api(editor, &deployed, &mut findings);
    methods(editor, &deployed, &mut findings);
    findings.into_cleanliness()
}

/// Which properties are asked about.
#[derive(Clone, Copy)]
enum Asked<'a> {
    AllBut(&'a [Own]),
    Only(&'a [Own]),
}

impl Asked<'_> {
    fn about(self, target: Target, key: &str, path: &Path) -> bool {
        let of = |own: &&Own| own.target == target && own.key == key;
        match self {
            Asked::AllBut(own) => !own.iter().filter(of).any(|own| own.path.covers(path)),
            Asked::Only(own) => own
                .iter()
                .filter(of)
                .any(|own| own.path.covers(path) || path.covers(&own.path)),
        }
    }
}

struct Findings<'a> {
    asked: Asked<'a>,
    dirty: Vec<String>,
    cannot_tell: Vec<String>,
}

impl<'a> Findings<'a> {
    fn new(asked: Asked<'a>) -> Self {
        Findings {
            asked,
            dirty: Vec::new(),
            cannot_tell: Vec::new(),
        }
    }

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

    /// Compares two documents field by field. `of`: the REST API or the method that they are, if they are one.
    fn fields(
        &mut self,
        what: &str,
        of: Option<(Target, &str)>,
        fields: &'static [Field],
        editor: &Value,
        deployed: &Value,
    ) {
        for Difference { path, kind } in fields::walk(fields, editor, deployed) {
            if of.is_some_and(|(target, key)| !self.asked.about(target, key, &path)) {
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

fn rest_api(editor: &Editor, deployed: &Deployed, findings: &mut Findings) {
    let api = document::rest_api(&editor.rest_api);
    let of = Some((Target::RestApi, ""));
    findings.fields("the API's", of, fields::REST_API, &api, &deployed.rest_api);
}

fn methods(editor: &Editor, deployed: &Deployed, findings: &mut Findings) {
    let authorizers = names(&editor.authorizers);
    let validators = names(&editor.request_validators);
    let mut drafted = BTreeSet::new();
    if let Asked::AllBut(_) = findings.asked {
        for resource in &editor.resources {
            let what = format!("the resource {}", text(resource, "path"));
            findings.fields(&what, None, fields::RESOURCE, resource, &Value::Null);
        }
    }
    for draft in document::methods(&editor.resources) {
        let Some(live) = deployed.methods.get(&draft.key) else {
            if findings.asked.about(Target::Method, &draft.key, &Path::root()) {
                findings.dirty(format!("{} was added", draft.key));
            }
            drafted.insert(draft.key);
            continue;
        };
        // Without `embed=methods` AWS lists verbs with nothing in them.
        if draft.json.get("httpMethod").is_none() && draft.json.get("authorizationType").is_none() {
            if findings.asked.about(Target::Method, &draft.key, &Path::root()) {
                findings.cannot_tell(format!("{} was read without its settings", draft.key));
            }
        } else {
            let of = Some((Target::Method, draft.key.as_str()));
            findings.fields(&draft.key, of, fields::METHOD, &draft.json, live);
            reference("authorizerId", &authorizers, &deployed.authorizers, &draft, findings);
            reference(
                "requestValidatorId",
                &validators,
                &deployed.request_validators,
                &draft,
                findings,
            );
            cache_namespace(&draft, live, findings);
        }
        for path in deployed.untold.get(&draft.key).into_iter().flatten() {
            if findings.asked.about(Target::Method, &draft.key, path) {
                findings.cannot_tell(format!(
                    "{} {path}: the export does not tell what is deployed",
                    draft.key
                ));
            }
        }
        drafted.insert(draft.key);
    }
    for key in deployed.methods.keys().filter(|key| !drafted.contains(*key)) {
        if findings.asked.about(Target::Method, key, &Path::root()) {
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
    findings: &mut Findings,
) {
    if !findings.asked.about(Target::Method, &draft.key, &Path::of([field])) {
        return;
    }
    // A method that asks no authorizer has none, whatever it names; which one was asked before goes with the type.
    let unasked = field == "authorizerId" && matches!(text(&draft.json, "authorizationType"), "NONE" | "AWS_IAM");
    let type_ = Path::of(["authorizationType"]);
    if unasked && !findings.asked.about(Target::Method, &draft.key, &type_) {
        return;
    }
    let id = if unasked { "" } else { text(&draft.json, field) };
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
fn cache_namespace(draft: &document::Method, live: &Value, findings: &mut Findings) {
    let path = Path::of(["methodIntegration", "cacheNamespace"]);
    let drafted = path.get(&draft.json).and_then(Value::as_str).unwrap_or_default();
    let deployed = path.get(live).and_then(Value::as_str);
    if !findings.asked.about(Target::Method, &draft.key, &path) || deployed == Some(drafted) {
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
