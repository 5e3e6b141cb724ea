//! Policies and exceptions from files, as kubectl would apply them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::api::exception::EndpointExceptionSpec;
use crate::judge::compile::{Policy, PolicyRef, compile};

/// What was found in the files.
#[derive(Debug, Default)]
pub struct Found {
    /// Compiled policies.
    pub policies: Vec<Policy>,
    /// Exceptions, each with its namespace.
    pub exceptions: Vec<(String, EndpointExceptionSpec)>,
    /// What could not be read or compiled, with its file.
    pub faults: Vec<String>,
}

/// Reads a file, or every `.yaml`, `.yml` and `.json` below a folder.
///
/// # Errors
/// When the path cannot be read at all.
pub fn read(path: &Path) -> Result<Found, String> {
    let mut found = Found::default();
    for file in list(path)? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if let Err(fault) = documents(&text, &file, &mut found) {
            found.faults.push(format!("{}: {fault}", file.display()));
        }
    }
    Ok(found)
}

/// A file itself, or every `.yaml`, `.yml` and `.json` below a folder.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>, String> {
    let explain = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.metadata().map_err(explain)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        if path.is_dir() {
            files.extend(list(&path)?);
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn documents(text: &str, file: &Path, found: &mut Found) -> Result<(), String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    for document in documents.into_iter().filter(|d| !d.is_null()) {
        let text = |key: &str| {
            document
                .get("metadata")
                .and_then(|m| m.get(key))
                .and_then(Value::as_str)
        };
        let namespace = text("namespace").unwrap_or("default").to_owned();
        let name = text("name").unwrap_or_default().to_owned();
        let spec = document.get("spec").cloned().unwrap_or(Value::Null);
        match document.get("kind").and_then(Value::as_str) {
            Some("EndpointPolicy") => {
                let id = PolicyRef {
                    namespace,
                    uid: name.clone(),
                    name: name.clone(),
                    generation: 0,
                };
                let spec = from(spec).map_err(|fault| format!("EndpointPolicy {name}: {fault}"))?;
                match compile(id, &spec) {
                    Ok(policy) => found.policies.push(policy),
                    Err(faults) => {
                        let told = faults
                            .iter()
                            .map(|f| format!("{}: EndpointPolicy {name}: {f}", file.display()));
                        found.faults.extend(told);
                    }
                }
            }
            Some("EndpointException") => {
                let spec = from(spec).map_err(|fault| format!("EndpointException {name}: {fault}"))?;
                found.exceptions.push((namespace, spec));
            }
            Some(_) => {}
            None => return Err("a document without `kind`: write `kind: EndpointPolicy`".into()),
        }
    }
    Ok(())
}

fn from<T: for<'de> Deserialize<'de>>(spec: Value) -> Result<T, String> {
    serde_json::from_value(spec).map_err(|error| format!("spec: {error}"))
}
