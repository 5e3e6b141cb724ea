//! The two functions that every rule is: does it hold, and what is laid over.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::cel::{Document, Program, Scope};
use super::compile::{Holds, Mend, Rule};
use super::evaluate::Held;
use super::path::{self, Path};
use super::table::Table;

/// Whether the rule holds for `names.object`, of which the paths in `hidden` are not known.
pub(super) fn held(rule: &Rule, table: &Table, names: &Scope<'_>, hidden: &[Path]) -> Held {
    if let Some(when) = &rule.when {
        match ask(when, names, hidden) {
            Ok(true) => {}
            Ok(false) => return Held::NotApplicable,
            Err(why) => return Held::Unknown(format!("when: {why}")),
        }
    }
    match &rule.holds {
        Holds::Require(program) => match ask(program, names, hidden) {
            Ok(true) => Held::Yes,
            Ok(false) => Held::No,
            Err(why) => Held::Unknown(format!("require: {why}")),
        },
        Holds::Desired(overlay) => desired(table, names.object, overlay, hidden),
    }
}

/// Whether laying the overlay over the object would change nothing.
fn desired(table: &Table, object: &Document, overlay: &Value, hidden: &[Path]) -> Held {
    let overlay = expanded(table, object.json(), overlay);
    let wanted = path::merge(object.json(), &overlay);
    let mut unseen = None;
    for at in overlay_paths(&overlay) {
        let near = |one: &Path| one.covers(&at) || at.covers(one);
        let unknown = object.unknown().iter().find(|(one, _)| near(one));
        let why = unknown
            .map(|(_, unknown)| unknown.why.clone())
            .or_else(|| hidden.iter().any(near).then(|| not_shown(&at)));
        match why {
            Some(why) => _ = unseen.get_or_insert(why),
            None if !same_at(table, &at, object.json(), &wanted) => return Held::No,
            None => {}
        }
    }
    unseen.map_or(Held::Yes, Held::Unknown)
}

/// Whether two documents are the same at a path, as the property there compares.
pub(super) fn same_at(table: &Table, at: &Path, one: &Value, other: &Value) -> bool {
    path::same(at.get(one), at.get(other))
        || table.property(at).is_some_and(|property| {
            let at = property.of(at);
            (property.same)(at.get(one), at.get(other))
        })
}

fn ask(program: &Program, names: &Scope<'_>, hidden: &[Path]) -> Result<bool, String> {
    let unseen = hidden.iter().find(|path| {
        let keys: Vec<&str> = path.keys().iter().map(String::as_str).collect();
        program.reads().touches(&keys)
    });
    match unseen {
        Some(path) => Err(not_shown(path)),
        None => program.eval_bool(names).map_err(|error| error.to_string()),
    }
}

fn not_shown(path: &Path) -> String {
    format!("what callers meet of {path} is not shown by AWS")
}

/// An overlay in which every entry stands for itself: what is desired of a map's default entry is desired of every entry,
/// but for what the overlay says of that entry by name.
pub(super) fn expanded<'a>(table: &Table, object: &Value, overlay: &'a Value) -> Cow<'a, Value> {
    let Some(every) = &table.every_entry else {
        return Cow::Borrowed(overlay);
    };
    let named = overlay.get(every.map).and_then(Value::as_object);
    // That the default entry shall be absent says nothing of the others.
    let default = named
        .and_then(|named| named.get(every.default))
        .filter(|d| d.is_object());
    let (Some(named), Some(default)) = (named, default) else {
        return Cow::Borrowed(overlay);
    };
    let there = object.get(every.map).and_then(Value::as_object);
    let mut whole = overlay.clone();
    for key in there.into_iter().flat_map(Map::keys).chain(named.keys()) {
        let own = named
            .get(key)
            .map_or_else(|| default.clone(), |own| path::compose(default, own));
        Path::of([every.map, key.as_str()]).set(&mut whole, Some(own));
    }
    Cow::Owned(whole)
}

/// The leaves of an overlay. What shall be absent is one.
pub(super) fn overlay_paths(overlay: &Value) -> Vec<Path> {
    let nothing = Value::Object(Map::new());
    let mut found = Vec::new();
    leaves(&Path::root(), overlay, &nothing, &mut found);
    found
}

fn leaves(at: &Path, value: &Value, nothing: &Value, found: &mut Vec<Path>) {
    match value {
        Value::Object(entries) if value != nothing => {
            for (key, value) in entries {
                leaves(&at.then(key), value, nothing, found);
            }
        }
        _ if at.keys().is_empty() => {}
        _ => found.push(at.clone()),
    }
}

/// The paths that a violation of a rule is about, where no repair tells: those that it would put back, or else those that
/// it looks at, be it only whether something is there.
pub fn concerns(rule: &Rule) -> Vec<Path> {
    let Mend::Restore(paths) = &rule.mend else {
        let mut paths = reads(rule);
        if let Holds::Require(program) = &rule.holds {
            let there = program.reads().presence.iter().map(|keys| Path::of(keys.clone()));
            let other = there.filter(|at| !paths.iter().any(|read| read.covers(at) || at.covers(read)));
            paths.extend(other.collect::<Vec<_>>());
        }
        return paths;
    };
    paths.clone()
}

/// The paths that a rule looks at, as far as its syntax tells.
pub fn reads(rule: &Rule) -> Vec<Path> {
    match &rule.holds {
        Holds::Require(program) => program
            .reads()
            .paths
            .iter()
            .map(|keys| Path::of(keys.clone()))
            .collect(),
        Holds::Desired(overlay) => overlay_paths(overlay),
    }
}
