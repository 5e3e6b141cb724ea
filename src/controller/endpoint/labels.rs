//! AWS tags as labels of the `AwsEndpoint`, as far as Kubernetes takes them: `kubectl get awsendpoints -l tags.plumbline.dev/team=payments`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::api::AwsEndpoint;
use crate::controller::context::Context;
use crate::controller::kubernetes::status;

/// What the labels begin with.
const PREFIX: &str = "tags.plumbline.dev/";

/// Brings the labels in step with the tags. Other labels are not Plumbline's.
pub async fn keep(
    ctx: &Context,
    endpoint: &Arc<AwsEndpoint>,
    tags: &BTreeMap<String, String>,
) -> Result<Arc<AwsEndpoint>, status::Error> {
    let changes = changes(endpoint.labels(), tags);
    if changes.is_empty() {
        return Ok(endpoint.clone());
    }
    let patch = json!({"metadata": {"uid": endpoint.uid(), "labels": changes}});
    status::merge(ctx, "", &endpoint.name_any(), patch).await.map(Arc::new)
}

/// What a merge patch must say: new and other values, and null for those that are no tags any more.
fn changes(labels: &BTreeMap<String, String>, tags: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let wanted = of(tags);
    let obsolete = labels
        .keys()
        .filter(|key| key.starts_with(PREFIX) && !wanted.contains_key(*key))
        .map(|key| (key.clone(), Value::Null));
    let others = wanted
        .iter()
        .filter(|(key, value)| labels.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), json!(value)));
    obsolete.chain(others).collect()
}

/// The labels that tags make. A tag that is no valid label makes none: it stands in the status.
fn of(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.iter()
        .filter(|(key, value)| is_name(key) && (value.is_empty() || is_name(value)))
        .map(|(key, value)| (format!("{PREFIX}{key}"), value.clone()))
        .collect()
}

/// What Kubernetes takes as the name of a label, and as a value that is not empty.
fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_valid_labels_are_labels() {
        let long = "x".repeat(63);
        let longer = "x".repeat(64);
        for (key, value, label, why) in [
            ("team", "payments", true, "plain"),
            ("Cost_Center.eu-1", "0815", true, "all that a label's name may hold"),
            ("team", "", true, "a label's value may be empty"),
            (&long, &long, true, "63 characters are enough"),
            (&longer, "x", false, "64 are too many for a name"),
            ("x", &longer, false, "and for a value"),
            ("aws:cloudformation:stack-name", "api", false, "no colon in a name"),
            ("a/b", "x", false, "no second slash in a name"),
            ("owner", "anna@example.com", false, "no @ in a value"),
            ("note", "two words", false, "no blank in a value"),
            ("-x", "x", false, "a name begins with a letter or digit"),
            ("x_", "x", false, "and ends with one"),
            ("x", ".x", false, "and so does a value"),
            ("größe", "1", false, "only ASCII"),
        ] {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let labels = of(&tags);
            let wanted = label.then(|| (format!("{PREFIX}{key}"), value.to_owned()));
            assert_eq!(labels.into_iter().next(), wanted, "{key}={value}: {why}");
        }
    }

    #[test]
    fn only_what_differs_is_written_and_only_plumblines_own() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let tags = map(&[("team", "payments"), ("tier", "prod")]);
        let labels = map(&[
            ("tags.plumbline.dev/team", "payments"),
            ("tags.plumbline.dev/tier", "dev"),
            ("tags.plumbline.dev/old", "x"),
            ("mine", "stays"),
        ]);
        let wanted = BTreeMap::from([
            ("tags.plumbline.dev/old".to_owned(), Value::Null),
            ("tags.plumbline.dev/tier".to_owned(), json!("prod")),
        ]);
        assert_eq!(changes(&labels, &tags), wanted);
        assert!(
            changes(&of(&tags), &tags).is_empty(),
            "nothing changed, nothing is written"
        );
    }
}
