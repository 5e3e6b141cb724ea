//! The two functions that every rule is: does it hold, and what is laid over.

use serde_json::{Map, Value};

use super::cel::{Program, Scope};
use super::compile::{Holds, Rule};
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
        Holds::Desired { overlay, absent } => {
            let object = names.object.json();
            let mut wanted = lay_over(table, object, overlay);
            for path in absent {
                path.set(&mut wanted, None);
            }
            let unmet: Vec<Path> = path::differences(object, &wanted)
                .into_iter()
                .filter(|at| table.property(at).is_none_or(|p| !same_at(p, at, object, &wanted)))
                .collect();
            let asked = || overlay_paths(overlay).into_iter().chain(absent.iter().cloned());
            let unseen = |path: &Path| {
                let at = |one: &Path| one.covers(path) || path.covers(one);
                let unknown = names.object.unknown().iter().find(|(one, _)| at(one));
                unknown
                    .map(|(_, unknown)| unknown.why.clone())
                    .or_else(|| hidden.iter().any(at).then(|| not_shown(path)))
            };
            match unmet.iter().find(|path| unseen(path).is_none()) {
                Some(_) => Held::No,
                None => match unmet.iter().cloned().chain(asked()).find_map(|path| unseen(&path)) {
                    Some(why) => Held::Unknown(why),
                    None => Held::Yes,
                },
            }
        }
    }
}

fn same_at(property: &super::table::Property, at: &Path, object: &Value, wanted: &Value) -> bool {
    let at = Path::of(at.keys()[..property.path.len()].to_vec());
    (property.same)(at.get(object), at.get(wanted))
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

/// Lays an overlay over an object. What is desired of a map's default entry is desired of every entry that is not named.
pub(super) fn lay_over(table: &Table, object: &Value, overlay: &Value) -> Value {
    let expanded = table.every_entry.as_ref().and_then(|every| {
        let default = overlay.get(every.map)?.get(every.default)?;
        let entries = object.get(every.map)?.as_object()?;
        let named = overlay.get(every.map)?.as_object()?;
        let mut expanded = overlay.clone();
        let map = expanded.get_mut(every.map)?.as_object_mut()?;
        for key in entries.keys().filter(|key| !named.contains_key(*key)) {
            map.insert(key.clone(), default.clone());
        }
        Some(expanded)
    });
    path::merge(object, expanded.as_ref().unwrap_or(overlay))
}

/// The leaves of an overlay.
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

/// The paths that a rule looks at, as far as its syntax tells.
pub(super) fn reads(rule: &Rule) -> Vec<Path> {
    match &rule.holds {
        Holds::Require(program) => program
            .reads()
            .paths
            .iter()
            .map(|keys| Path::of(keys.clone()))
            .collect(),
        Holds::Desired { overlay, absent } => overlay_paths(overlay)
            .into_iter()
            .chain(absent.iter().cloned())
            .collect(),
    }
}
