//! `check --template`: the same policies judge what is not deployed yet.
//!
//! * `parse`, `node`: from YAML or JSON to a tree in which every value knows its line.
//! * `resolve`, `text`, `functions`, `options`: from a tree with functions to one without; what nobody knows before deployment
//!   stays unknown.
//! * `cloudformation`, `sam`, `openapi`: the three kinds of files. `building`, `paths`: from resources to APIs and domain names.
//! * `fields`, `settings`, `endpoint`: from properties to documents in AWS's field names, and to the judge's snapshots.
//! * `judged`: verdicts, as findings with their lines.
//!
//! All of it is pure but for reading files, here.

mod building;
mod cloudformation;
mod endpoint;
mod fields;
mod functions;
mod judged;
mod node;
mod openapi;
mod options;
mod parse;
mod paths;
mod resolve;
mod sam;
mod settings;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::files::{self, Found as Policies};
use super::output::{Asked, Report};
use cloudformation::Found;
use node::{Fault, Node, Place, Unknowns};
use options::Given;
use resolve::{Files, Resolver};

/// What is asked on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options<'a> {
    /// Files, and folders of such.
    pub templates: &'a [PathBuf],
    /// At most one.
    pub regions: &'a [String],
    /// As in `Key=Value`.
    pub parameters: &'a [String],
    /// Which serve an API of which the files name none.
    pub stages: &'a [String],
    /// As in `key=value`.
    pub tags: &'a [String],
}

/// Judges files.
///
/// # Errors
/// A sentence that says what to write instead.
pub(super) fn check(policies: Policies, options: &Options<'_>, now: Timestamp) -> Result<Report, String> {
    let region = match options.regions {
        [] => None,
        [region] => Some(region.as_str()),
        _ => return Err("a template is judged for one region: give --region once, or leave it out".into()),
    };
    let given = Given::new(region, options.parameters, options.stages, options.tags)?;
    let mut report = Report {
        rules: policies.policies.iter().flat_map(Asked::of).collect(),
        policies: policies.policies.iter().map(|policy| policy.id.name.clone()).collect(),
        faults: policies.faults.clone(),
        ..Report::default()
    };
    let judge = judged::Judge::new(policies, &given, now);
    let mut parameters = BTreeSet::new();
    let mut read = 0;
    for (path, named) in list(options.templates)? {
        match file(&path, &given) {
            Ok(Some(found)) => {
                read += 1;
                parameters.extend(found.parameters);
                report.unread.extend(found.untold.iter().map(ToString::to_string));
                for endpoint in &found.endpoints {
                    judge.endpoint(endpoint, &mut report);
                }
            }
            Ok(None) if named => report.unread.push(format!("{}:1: {NEITHER}", path.display())),
            // A folder holds other files too.
            Ok(None) => {}
            Err(fault) => {
                read += 1;
                report.unread.push(fault.to_string());
            }
        }
    }
    if read == 0 && report.unread.is_empty() {
        return Err(format!("no template in {}: {NEITHER}", show(options.templates)));
    }
    if let Some(name) = given.parameters().find(|name| !parameters.contains(*name))
        && report.unread.is_empty()
    {
        return Err(format!("--parameter {name}: no template has a parameter of this name"));
    }
    report.findings.sort_by(|a, b| a.key().cmp(&b.key()));
    Ok(report)
}

const NEITHER: &str = "give a CloudFormation or SAM template (with Resources) or an OpenAPI document (with openapi: 3.0.1 or swagger: \"2.0\")";

/// The files, each with whether it was named itself.
fn list(templates: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>, String> {
    let mut all = Vec::new();
    for template in templates {
        let named = !template.is_dir();
        all.extend(files::list(template)?.into_iter().map(|path| (path, named)));
    }
    Ok(all)
}

fn show(templates: &[PathBuf]) -> String {
    let names: Vec<String> = templates.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

/// Reads one file. None: it is none of the three kinds.
fn file(path: &Path, given: &Given) -> Result<Option<Found>, Fault> {
    let name: Arc<str> = path.display().to_string().into();
    let text = text_of(path).map_err(|message| Fault {
        at: Place {
            file: name.clone(),
            line: 1,
        },
        message,
    })?;
    let beside = Beside {
        folder: path.parent().unwrap_or_else(|| Path::new("")),
    };
    tree(&parse::parse(&text, &name)?, given, &beside)
}

/// Reads one tree. None: it is none of the three kinds.
fn tree(root: &Node, given: &Given, files: &dyn Files) -> Result<Option<Found>, Fault> {
    if openapi::is(root) {
        let unknowns = Unknowns::default();
        let root = Resolver::new(root, given, &unknowns, files, true).some(root)?;
        let (api, untold) = openapi::api(&root, &unknowns)?;
        return Ok(Some(Found {
            endpoints: vec![api.endpoint(given, &unknowns)],
            untold,
            parameters: Vec::new(),
        }));
    }
    if cloudformation::is(root) {
        return cloudformation::read(root, given, files).map(Some);
    }
    Ok(None)
}

/// The files in a template's folder.
struct Beside<'a> {
    folder: &'a Path,
}

impl Files for Beside<'_> {
    fn read(&self, name: &str, by: &Node) -> Result<Node, Fault> {
        let path = self.folder.join(name);
        let text = text_of(&path).map_err(|message| by.fault(format!("{}: {message}", path.display())))?;
        parse::parse(&text, &path.display().to_string().into())
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let about = path.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("is no file: name one".into());
    }
    if about.len() > parse::MAX_BYTES as u64 {
        return Err(format!("is larger than {} MiB: AWS takes less", parse::MAX_BYTES >> 20));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text: save it as such".into())
}
