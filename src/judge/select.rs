//! Which endpoints a policy, an exception or a grant means.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::snapshot::EndpointId;
use crate::api::account::{AwsAccountSpec, Exceptions, Grant};
use crate::api::exception::EndpointExceptionSpec;
use crate::api::policy::{Enforcement, Selector};

/// What selection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Which endpoint.
    pub id: &'a EndpointId,
    /// Its name.
    pub name: &'a str,
    /// Its AWS tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// Whether a selector means this endpoint.
pub fn selects(selector: &Selector, candidate: Candidate<'_>) -> bool {
    (selector.types.is_empty() || selector.types.contains(&candidate.id.type_))
        && (selector.regions.is_empty() || selector.regions.contains(&candidate.id.region))
        && (selector.names.is_empty() || selector.names.iter().any(|pattern| glob(pattern, candidate.name)))
        && selector
            .tags
            .as_ref()
            .is_none_or(|tags| labels_match(tags, candidate.tags))
}

/// Whether a policy that names these accounts means this one.
pub fn selects_account(accounts: &[String], account: &str) -> bool {
    accounts.is_empty() || accounts.iter().any(|name| name == account)
}

/// The most that policies of a namespace may do to an endpoint; none: they may not even judge it.
pub fn granted(
    account: &AwsAccountSpec,
    namespace: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Option<Enforcement> {
    let means = |grant: &&Grant| {
        labels_match(&grant.namespaces, namespace)
            && grant
                .endpoints
                .tags
                .as_ref()
                .is_none_or(|selector| labels_match(selector, tags))
    };
    account
        .grants
        .iter()
        .filter(means)
        .map(|grant| grant.max_enforcement)
        .max()
}

/// Whether any grant of the account means the namespace at all.
pub fn grants_anything(account: &AwsAccountSpec, namespace: &BTreeMap<String, String>) -> bool {
    account
        .grants
        .iter()
        .any(|grant| labels_match(&grant.namespaces, namespace))
}

/// Whether exceptions of a namespace count in the account: one grant that forbids them is enough.
pub fn forbids_exceptions(account: &AwsAccountSpec, namespace: &BTreeMap<String, String>) -> bool {
    account
        .grants
        .iter()
        .filter(|grant| labels_match(&grant.namespaces, namespace))
        .any(|grant| grant.exceptions == Exceptions::Forbidden)
}

/// Whether an exception of the policy's namespace exempts this endpoint from this rule now.
pub fn exempts(
    exception: &EndpointExceptionSpec,
    policy: &str,
    rule: &str,
    candidate: Candidate<'_>,
    now: Timestamp,
) -> bool {
    let endpoints = &exception.endpoints;
    let named = !(endpoints.ids.is_empty() && endpoints.names.is_empty() && endpoints.tags.is_none());
    exception.policy == policy
        && now < exception.expires_at.0
        && (exception.rules.is_empty() || exception.rules.iter().any(|name| name == rule))
        && named
        && (endpoints.ids.is_empty() || endpoints.ids.contains(&candidate.id.id))
        && (endpoints.names.is_empty() || endpoints.names.iter().any(|pattern| glob(pattern, candidate.name)))
        && endpoints
            .tags
            .as_ref()
            .is_none_or(|tags| labels_match(tags, candidate.tags))
}

/// Whether a label selector matches. An operator that is not known matches nothing.
pub fn labels_match(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let exact = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector.match_expressions.iter().flatten().all(|requirement| {
        let value = labels.get(&requirement.key);
        let listed = |value: &String| requirement.values.iter().flatten().any(|one| one == value);
        match requirement.operator.as_str() {
            "In" => value.is_some_and(listed),
            "NotIn" => !value.is_some_and(listed),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    exact && expressions
}

/// Whether a pattern, in which `*` stands for any text, matches the whole of a text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::EndpointType;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, matches, why) in [
            ("payments-*", "payments-api-3", true, "a prefix"),
            ("payments-*", "old-payments-api", false, "not in the middle"),
            ("*-prod", "a-prod", true, "a suffix"),
            ("a*b*c", "axxbyyc", true, "several stars"),
            ("a*b*c", "acb", false, "in their order"),
            ("ab*b", "ab", false, "a text is not used twice"),
            ("", "", true, "nothing is nothing"),
            ("a", "ab", false, "the whole name"),
            ("*", "", true, "any text is no text too"),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} on {text}: {why}");
        }
    }

    #[test]
    fn the_highest_grant_that_means_namespace_and_endpoint_counts() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let account: AwsAccountSpec = serde_json::from_value(serde_json::json!({
            "accountId": "111122223333", "regions": ["eu-west-1"],
            "grants": [
                {"namespaces": {}, "maxEnforcement": "Audit"},
                {"namespaces": {"matchLabels": {"team": "payments"}}, "endpoints": {"tags": {"matchLabels": {"team": "payments"}}}, "maxEnforcement": "Enforce"},
            ],
        }))
        .unwrap();
        for (namespace, tags, granted_, why) in [
            (labels(&[]), labels(&[]), Some(Enforcement::Audit), "everybody may look"),
            (
                labels(&[("team", "payments")]),
                labels(&[("team", "payments")]),
                Some(Enforcement::Enforce),
                "its own",
            ),
            (
                labels(&[("team", "payments")]),
                labels(&[("team", "shop")]),
                Some(Enforcement::Audit),
                "not another's",
            ),
        ] {
            assert_eq!(granted(&account, &namespace, &tags), granted_, "{why}");
        }
        let nobody = AwsAccountSpec {
            grants: vec![],
            ..account
        };
        assert_eq!(granted(&nobody, &labels(&[]), &labels(&[])), None, "no grant: nobody");
    }

    #[test]
    fn an_exception_ends_at_its_second() {
        let exception: EndpointExceptionSpec = serde_json::from_value(serde_json::json!({
            "policy": "p", "endpoints": {"names": ["old-*"]}, "reason": "until the move", "expiresAt": "2027-01-01T00:00:00Z",
        }))
        .unwrap();
        let id = EndpointId {
            account_id: "1".into(),
            region: "r".into(),
            type_: EndpointType::RestApi,
            id: "a".into(),
        };
        let tags = BTreeMap::new();
        let candidate = Candidate {
            id: &id,
            name: "old-api",
            tags: &tags,
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(exempts(&exception, "p", "r", candidate, at("2026-12-31T23:59:59Z")));
        assert!(!exempts(&exception, "p", "r", candidate, at("2027-01-01T00:00:00Z")));
        assert!(!exempts(
            &exception,
            "other",
            "r",
            candidate,
            at("2026-12-31T23:59:59Z")
        ));
    }
}
