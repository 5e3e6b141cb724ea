//! What a service's property table is. Each service's folder under `aws/` fills one; the judge plans with it for services
//! that it has never heard of.

use serde_json::Value;

use super::path::{self, Path};
use crate::api::policy::Target;

/// Everything that is known of the properties of one kind of resource.
#[derive(Debug)]
pub struct Table {
    /// CloudFormation type.
    pub target: Target,
    /// Its properties. A property that holds others stands before them.
    pub properties: &'static [Property],
    /// A map of which one entry stands for all: what is desired of it is desired of every entry.
    pub every_entry: Option<EveryEntry>,
}

/// A map such as `methodSettings` with its default entry `*/*`.
#[derive(Debug)]
pub struct EveryEntry {
    /// The map's key in the document.
    pub map: &'static str,
    /// The entry that stands for all.
    pub default: &'static str,
}

/// One property: how it is read, repaired, made live, and what a repair risks.
#[derive(Debug)]
pub struct Property {
    /// Its path; `*` stands for any key of a map.
    pub path: &'static [&'static str],
    /// The operation that reads it.
    pub read: &'static str,
    /// How it is put right.
    pub repair: Repair,
    /// Whether callers meet it only after a deployment.
    pub deploy: Deploy,
    /// How its live value is known.
    pub live: Live,
    /// What a repair risks.
    pub risk: Risk,
    /// Whether two values mean the same.
    pub same: fn(Option<&Value>, Option<&Value>) -> bool,
}

/// How a property is put right.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// By a patch operation. In the path, `{}` is the key that `*` stood for, as it is, and `{~}` the same with `/` as `~1`.
    Patch {
        /// As in `UpdateStage`.
        operation: &'static str,
        /// As in `/{}/logging/loglevel`.
        path: &'static str,
        /// Which operations the path takes.
        ops: Ops,
    },
    /// A list whose members are added and removed one by one.
    Members {
        /// As in `UpdateMethod`.
        operation: &'static str,
        /// The path names a member where `{~}` stands in it, as in `/binaryMediaTypes/{~}`; of a path without, as in
        /// `/authorizationScopes`, it is the value.
        path: &'static str,
    },
    /// A map whose entries are set by `TagResource` and taken away by `UntagResource`.
    Tags,
    /// Not by any call that is safe; says what a person can do.
    None(&'static str),
}

/// The operations that a patch path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// `replace` alone: a value can be changed, not taken away.
    Replace,
    /// `replace` and `remove`.
    ReplaceRemove,
    /// `add` for what is not there yet, `replace` and `remove` for what is: entries of maps, whose `replace` is refused
    /// while they are not there.
    AddReplaceRemove,
    /// `remove` alone: the entry as a whole.
    Remove,
    /// `replace`, where an empty value takes it away.
    ReplaceOrEmpty,
}

/// Whether callers meet a property only after a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deploy {
    /// At once.
    Immediate,
    /// After a deployment to the stage.
    Deployment,
}

/// How a property's live value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// It takes effect at once: what is read is what callers meet.
    ReadBack,
    /// An export of the stage shows it.
    Export,
    /// Nothing shows it.
    Hidden,
}

/// What a repair risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Callers that do nothing forbidden notice nothing.
    Safe,
    /// Callers can be interrupted; says how.
    Disruptive(&'static str),
    /// Disruptive, unless the last compliant value is put back.
    DisruptiveUnlessRestored(&'static str),
}

impl Table {
    /// The property at a path, or the nearest one above it.
    pub fn property(&self, at: &Path) -> Option<&'static Property> {
        self.properties
            .iter()
            .filter(|p| p.path.len() <= at.keys().len() && p.matches(&at.keys()[..p.path.len()]))
            .max_by_key(|p| p.path.len())
    }

    /// Where properties stand of which a path tells: there, or else everywhere below it. A document says which entries a map
    /// has.
    pub fn places(&self, at: &Path, document: &Value) -> Vec<Path> {
        if self.property(at).is_some() {
            return vec![at.clone()];
        }
        let depth = at.keys().len();
        let below = self.properties.iter().filter(|p| {
            let above = p.path.iter().zip(at.keys());
            p.path.len() > depth && above.into_iter().all(|(own, key)| *own == "*" || own == key)
        });
        let mut found: Vec<Path> = Vec::new();
        for property in below {
            let mut places = vec![at.clone()];
            for key in &property.path[depth..] {
                let step = |place: &Path| match (*key, place.get(document)) {
                    ("*", Some(Value::Object(map))) => map.keys().map(|key| place.then(key)).collect(),
                    ("*", _) => vec![],
                    (key, _) => vec![place.then(key)],
                };
                places = places.iter().flat_map(step).collect();
            }
            places.retain(|place| !found.iter().any(|one| one.covers(place)));
            found.extend(places);
        }
        found
    }
}

impl Property {
    /// Its own path, of a path at or below it.
    pub fn of(&self, at: &Path) -> Path {
        Path::of(at.keys()[..self.path.len()].to_vec())
    }

    /// Whether it stands at these keys.
    pub fn matches(&self, keys: &[String]) -> bool {
        self.path.len() == keys.len() && self.path.iter().zip(keys).all(|(own, key)| *own == "*" || own == key)
    }
}

/// Comparison by value, which most properties use.
pub fn by_value(a: Option<&Value>, b: Option<&Value>) -> bool {
    path::same(a, b)
}

/// Comparison of lists whose order means nothing; an empty list is as good as none.
pub fn as_set(a: Option<&Value>, b: Option<&Value>) -> bool {
    let sorted = |v: Option<&Value>| {
        let mut members: Vec<String> = v
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect();
        members.sort();
        members.dedup();
        members
    };
    sorted(a) == sorted(b)
}
