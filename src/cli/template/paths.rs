//! The paths of API Gateway's resources, which are chains of parents.

use std::collections::BTreeMap;

use super::cloudformation::Resource;
use super::node::{Data, Mystery, Node, Unknowns};

/// The resources of APIs, whose paths are chains.
pub(super) struct Paths<'a> {
    resources: BTreeMap<&'a str, &'a Node>,
    unknowns: &'a Unknowns,
}

/// Deepest path.
const DEEPEST: usize = 64;

impl<'a> Paths<'a> {
    pub fn of(resources: &'a [Resource], unknowns: &'a Unknowns) -> Self {
        let of_kind = resources.iter().filter(|r| r.kind == "AWS::ApiGateway::Resource");
        Paths {
            resources: of_kind.map(|r| (r.logical.as_str(), &r.properties)).collect(),
            unknowns,
        }
    }

    /// The last part of a resource's path.
    pub fn part(&self, logical: &str) -> Option<&str> {
        self.resources.get(logical)?.text_of("PathPart")
    }

    /// The path of a resource's id; or why it is not known.
    pub fn of_id(&self, id: &Node) -> Result<String, String> {
        let mut parts = Vec::new();
        let mut at = id;
        loop {
            let Data::Unknown(unknown) = at.data else {
                return Err("the resource is made elsewhere".to_owned());
            };
            let Mystery { why, refers, .. } = self.unknowns.get(unknown);
            let refers = refers.ok_or_else(|| why.clone())?;
            if refers.ends_with(".RootResourceId") {
                break;
            }
            let logical = refers.trim_end_matches(".ResourceId");
            let resource = self.resources.get(logical).ok_or(why)?;
            let part = resource.get("PathPart");
            let Some(text) = part.and_then(Node::text) else {
                let unknown = part.and_then(Node::unknown);
                let why = unknown.map(|unknown| self.unknowns.get(unknown).why);
                return Err(why.unwrap_or_else(|| format!("{logical} has no PathPart")));
            };
            parts.push(text.to_owned());
            if parts.len() > DEEPEST {
                return Err(format!("the parents of {logical} have no end"));
            }
            at = resource
                .get("ParentId")
                .ok_or_else(|| format!("{logical} has no ParentId"))?;
        }
        parts.reverse();
        Ok(format!("/{}", parts.join("/")))
    }
}
