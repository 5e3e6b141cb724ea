//! From files to what rules see.

mod cloudformation;
mod openapi;
mod properties;
mod sam;

use serde_json::Value;

use super::endpoint::Endpoint;
use super::node::Node;
use super::*;
use crate::api::policy::Target;

/// No files beside the template but these.
pub(super) struct Known(pub &'static [(&'static str, &'static str)]);

impl Files for Known {
    fn read(&self, name: &str, by: &Node) -> Result<Node, Fault> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => parse::parse(text, &name.into()),
            None => Err(by.fault(format!("{name}: no such file"))),
        }
    }
}

pub(super) fn given(parameters: &[&str]) -> Given {
    let parameters: Vec<String> = parameters.iter().map(|&text| text.to_owned()).collect();
    Given::new(Some("eu-west-1"), &parameters, &[], &[]).unwrap()
}

pub(super) fn found_with(text: &str, given: &Given, files: &Known) -> Result<Found, String> {
    let read = parse::parse(text, &"t.yaml".into()).and_then(|root| tree(&root, given, files));
    let found = read.map_err(|fault| fault.to_string())?;
    found.ok_or_else(|| NEITHER.to_owned())
}

pub(super) fn found(text: &str) -> Found {
    found_with(text, &given(&[]), &Known(&[])).unwrap_or_else(|fault| panic!("{fault}"))
}

/// The only endpoint of a template.
pub(super) fn one(text: &str) -> Endpoint {
    let mut found = found(text);
    let untold: Vec<String> = found.untold.iter().map(ToString::to_string).collect();
    assert!(untold.is_empty(), "{untold:?}");
    assert_eq!(found.endpoints.len(), 1);
    found.endpoints.remove(0)
}

impl Endpoint {
    /// A document, and what of it is not known.
    #[track_caller]
    pub(super) fn document(&self, target: Target, key: &str) -> (&Value, Vec<String>) {
        let part = self.parts.iter().find(|part| part.target == target && part.key == key);
        let keys: Vec<_> = self.parts.iter().map(|part| (part.target, &part.key)).collect();
        let part = part.unwrap_or_else(|| panic!("no {key} among {keys:?}"));
        let mut unknown: Vec<String> = part
            .document
            .unknown()
            .iter()
            .map(|(path, _)| path.to_string())
            .collect();
        unknown.sort();
        (part.document.json(), unknown)
    }

    /// The line of a text where a part of a document is written.
    #[track_caller]
    pub(super) fn line<'a>(&self, text: &'a str, target: Target, key: &str, path: &str) -> &'a str {
        let part = self
            .parts
            .iter()
            .find(|part| part.target == target && part.key == key)
            .unwrap();
        let line = match path {
            "" => part.at.line,
            path => part.lines[&crate::judge::path::Path::parse(path).unwrap()].line,
        };
        text.lines().nth(line - 1).unwrap().trim()
    }

    pub(super) fn methods(&self) -> Vec<&str> {
        let methods = self.parts.iter().filter(|part| part.target == Target::Method);
        methods.map(|part| part.key.as_str()).collect()
    }
}
