//! Who calls: read from the SigV4 header, never verified.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

/// The account and ARN behind an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Account id, 12 digits.
    pub account: String,
    /// IAM ARN.
    pub arn: String,
}

/// What the headers say about the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_agent: String,
}

/// Reads the caller. A registered key wins; then `AKIA` + 12 digits + name; then the default account.
pub(crate) fn caller(
    headers: &HeaderMap,
    known: &HashMap<String, Principal>,
    default_account: &str,
    default_region: &str,
) -> Caller {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut scope = text(AUTHORIZATION)
        .split_once("Credential=")
        .map_or("", |(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
        .split('/');
    let access_key_id = scope.next().unwrap_or_default().to_owned();
    let region = scope
        .nth(1)
        .filter(|region| !region.is_empty())
        .unwrap_or(default_region)
        .to_owned();
    let Principal { account, arn } = known
        .get(&access_key_id)
        .cloned()
        .unwrap_or_else(|| unregistered(&access_key_id, default_account));
    Caller {
        access_key_id,
        region,
        account,
        arn,
        user_agent: text(USER_AGENT).to_owned(),
    }
}

fn unregistered(access_key_id: &str, default_account: &str) -> Principal {
    let named = access_key_id.strip_prefix("AKIA").and_then(|rest| {
        let (digits, name) = rest.split_at_checked(12)?;
        (digits.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()).then_some((digits, name))
    });
    if let Some((account, name)) = named {
        let arn = format!("arn:aws:iam::{account}:user/{}", name.to_ascii_lowercase());
        return Principal {
            account: account.to_owned(),
            arn,
        };
    }
    let session = if access_key_id.is_empty() {
        "anonymous"
    } else {
        access_key_id
    };
    Principal {
        account: default_account.to_owned(),
        arn: format!("arn:aws:sts::{default_account}:assumed-role/unknown/{session}"),
    }
}
