//! Method settings: a list in a template, a map by path and verb in AWS's answers.

use serde_json::{Value, json};

use super::fields::{Draft, Kind, Prop};
use super::node::{Data, Entry, Node, mark};
use crate::judge::path::Path;

pub(super) const SETTING: &[Prop] = &[
    Prop("CacheDataEncrypted", "cacheDataEncrypted", Kind::Bool),
    Prop("CacheTtlInSeconds", "cacheTtlInSeconds", Kind::Number),
    Prop("CachingEnabled", "cachingEnabled", Kind::Bool),
    Prop("DataTraceEnabled", "dataTraceEnabled", Kind::Bool),
    Prop("LoggingLevel", "loggingLevel", Kind::Text),
    Prop("MetricsEnabled", "metricsEnabled", Kind::Bool),
    Prop("ThrottlingBurstLimit", "throttlingBurstLimit", Kind::Number),
    Prop("ThrottlingRateLimit", "throttlingRateLimit", Kind::Number),
];

/// Puts the list where AWS shows the map.
pub(super) fn write(draft: &mut Draft, path: &Path, entry: &Entry) {
    let known = |item: &Node| {
        Some((
            item.text_of("ResourcePath")?.to_owned(),
            item.text_of("HttpMethod")?.to_owned(),
        ))
    };
    if let Data::Unknown(unknown) = entry.value.data {
        return draft.put(path, &entry.at, mark(unknown));
    }
    // Of which method the settings are is not known: then it is not known of any.
    let mut strange = entry.value.items().iter().filter(|item| known(item).is_none());
    if let Some(unknown) = strange.find_map(Node::unknown) {
        return draft.put(path, &entry.at, mark(unknown));
    }
    draft.put(path, &entry.at, json!({}));
    for item in entry.value.items() {
        if let Some((resource, verb)) = known(item) {
            one(draft, &path.then(&key(&resource, &verb)), item);
        }
    }
}

/// The settings of one method.
pub(super) fn one(draft: &mut Draft, at: &Path, node: &Node) {
    // AWS makes an entry whole.
    draft.put(at, &node.at, defaults());
    draft.write(at, SETTING, node);
}

fn defaults() -> Value {
    json!({
        "metricsEnabled": false, "dataTraceEnabled": false, "throttlingBurstLimit": 5000,
        "throttlingRateLimit": 10000.0, "cachingEnabled": false, "cacheTtlInSeconds": 300, "cacheDataEncrypted": false,
        "requireAuthorizationForCacheControl": true,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
}

/// As `GetStages` has it: `*/*`, `~1pets/GET`.
fn key(path: &str, verb: &str) -> String {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let path = match rest {
        "*" => rest.to_owned(),
        _ if rest.starts_with("~1") => rest.to_owned(),
        _ => format!("~1{}", rest.replace('/', "~1")),
    };
    format!("{path}/{verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_aws_answers_them() {
        for (path, verb, expected, why) in [
            ("/*", "*", "*/*", "all methods"),
            ("*", "*", "*/*", "the same, as some write it"),
            ("/~1pets", "GET", "~1pets/GET", "escaped, as the documentation says"),
            ("/~1pets~1{id}", "GET", "~1pets~1{id}/GET", "deeper"),
            (
                "/pets/{id}",
                "GET",
                "~1pets~1{id}/GET",
                "as it is, as SAM's examples have it",
            ),
            ("/", "GET", "~1/GET", "the root"),
            ("/~1", "GET", "~1/GET", "the root, escaped"),
        ] {
            assert_eq!(key(path, verb), expected, "{why}");
        }
    }
}
