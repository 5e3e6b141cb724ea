//! Names of the objects that Plumbline creates: the same for the same thing, always.

use crate::api::drift::DriftSpec;
use crate::judge::plan::hex;
use crate::judge::snapshot::EndpointId;

/// `<accountId>-<region>-<type>-<id>`, the id in lower case, or its hash where Kubernetes would refuse it.
pub fn endpoint(id: &EndpointId) -> String {
    let lower = id.id.to_lowercase();
    let plain = lower == id.id
        && lower.len() <= 150
        && lower.starts_with(|c: char| c.is_ascii_alphanumeric())
        && lower.ends_with(|c: char| c.is_ascii_alphanumeric())
        && lower.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    let id_part = if plain {
        lower
    } else {
        hex(id.id.as_bytes())[..16].to_owned()
    };
    format!("{}-{}-{}-{id_part}", id.account_id, id.region, id.type_.short())
}

/// The id of the account in an endpoint's name.
pub fn account(endpoint: &str) -> Option<&str> {
    let (id, _) = endpoint.split_once('-')?;
    (id.len() == 12 && id.bytes().all(|digit| digit.is_ascii_digit())).then_some(id)
}

/// The rule and 16 hex of what makes the episode: policy, rule, resource and the episode before.
pub fn drift(spec: &DriftSpec) -> String {
    let DriftSpec {
        policy: _,
        policy_uid,
        rule,
        endpoint,
        target,
        resource,
        previous,
        reverts,
        approval: _,
    } = spec;
    let identity = serde_json::json!([policy_uid, rule, endpoint, target.as_str(), resource, previous, reverts]);
    format!("{rule}-{}", &hex(identity.to_string().as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::EndpointType;

    #[test]
    fn endpoint_names_are_valid_names_of_objects() {
        for (type_, id, name, why) in [
            (
                EndpointType::RestApi,
                "a1b2c3d4e5",
                "111122223333-eu-west-1-restapi-a1b2c3d4e5",
                "an API's id as it is",
            ),
            (
                EndpointType::DomainName,
                "api.example.com",
                "111122223333-eu-west-1-domainname-api.example.com",
                "dots are fine",
            ),
            (
                EndpointType::DomainName,
                "*.example.com",
                "111122223333-eu-west-1-domainname-8fc4c94c2ed4a83f",
                "a wildcard is no name",
            ),
        ] {
            let id = EndpointId {
                account_id: "111122223333".into(),
                region: "eu-west-1".into(),
                type_,
                id: id.into(),
            };
            let given = endpoint(&id);
            if name.ends_with("a83f") {
                assert!(
                    given.starts_with("111122223333-eu-west-1-domainname-") && given.len() == 50,
                    "{why}: {given}"
                );
            } else {
                assert_eq!(given, name, "{why}");
            }
        }
    }
}
