//! Bodies as they come. They stand in `fuzz/seeds`, where fuzzing begins with them.

mod bodies;
mod calls;
mod streams;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::api::policy::EndpointType;
use crate::inventory::events::{Fault, Item};
use crate::judge::snapshot::EndpointId;

/// The files in one of the folders of `fuzz/seeds`.
fn seeds(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

/// The messages' bodies.
fn bodies() -> BTreeMap<String, String> {
    let text = |(name, bytes)| (name, String::from_utf8(bytes).unwrap());
    seeds("body").into_iter().map(text).collect()
}

fn place(endpoint: &EndpointId) -> String {
    let EndpointId {
        account_id,
        region,
        type_,
        id,
    } = endpoint;
    assert_eq!((account_id.as_str(), region.as_str()), ("111122223333", "eu-west-1"));
    match type_ {
        EndpointType::RestApi => id.clone(),
        EndpointType::DomainName => format!("domain {id}"),
    }
}

/// An item in a few words.
fn said(item: &Item) -> String {
    match item {
        Item::Call(event) => {
            let mut words = vec![event.name.clone()];
            words.extend(event.endpoints.iter().map(place));
            words.extend(event.deployment.iter().map(|id| format!("made {id}")));
            words.extend(event.masked.then(|| "masked".to_owned()));
            words.join(" ")
        }
        Item::Changed(endpoint) => format!("changed {}", place(endpoint)),
        Item::File(file) => format!("file {} {}:{}", file.account_id, file.bucket, file.key),
        Item::Drift(pointer) => format!("drift {}/{} {}", pointer.namespace, pointer.name, pointer.plan_digest),
        Item::Aside(why) => format!("{why:?}"),
    }
}

fn all_said(items: &[Item]) -> Vec<String> {
    items.iter().map(said).collect()
}

fn each_said(found: &[Result<Item, Fault>]) -> Vec<String> {
    let one = |found: &Result<Item, Fault>| found.as_ref().map_or_else(|fault| format!("{fault:?}!"), said);
    found.iter().map(one).collect()
}
