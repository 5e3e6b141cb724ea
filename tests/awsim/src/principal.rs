//! Who calls: read from the SigV4 header, never verified.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, USER_AGENT};
use serde::{Deserialize, Serialize};

use crate::identity::Face;

/// The header that says where a call comes from.
const SOURCE_IP: HeaderName = HeaderName::from_static("x-awsim-source-ip");

/// Who is behind an access key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Account id, 12 digits.
    pub account: String,
    /// IAM ARN; services and web identities have none.
    #[serde(default)]
    pub arn: String,
    /// How CloudTrail shows it.
    #[serde(flatten)]
    pub face: Face,
}

impl Principal {
    /// A principal that is shown as its ARN says.
    pub fn new(account: &str, arn: &str) -> Self {
        Self {
            account: account.to_owned(),
            arn: arn.to_owned(),
            face: Face::default(),
        }
    }

    /// The same with a face.
    #[must_use]
    pub fn shown_as(self, face: Face) -> Self {
        Self { face, ..self }
    }
}

/// Who is behind an access key, ready to be met by many calls.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    account: String,
    arn: String,
    face: Arc<Face>,
}

impl Known {
    pub(crate) fn new(principal: Principal, region: &str) -> Self {
        let Principal { account, mut arn, face } = principal;
        if arn.is_empty() {
            let name = face.user_name.as_ref().or(face.invoked_by.as_ref());
            arn = name.cloned().unwrap_or_default();
        }
        let face = Arc::new(face.completed(&account, &arn, region));
        Self { account, arn, face }
    }
}

/// What the headers say about the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_agent: String,
    pub(crate) source_ip_address: String,
    pub(crate) face: Arc<Face>,
}

/// The access key id that a call is signed with.
pub(crate) fn access_key(headers: &HeaderMap) -> &str {
    scope(headers).split('/').next().unwrap_or_default()
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(headers: &HeaderMap) -> &str {
    let signed = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    signed
        .and_then(|text| text.split_once("Credential="))
        .map_or("", |(_, rest)| rest.split([',', ' ']).next().unwrap_or_default())
}

/// Whether a key says by itself whose it is: `AKIA`, 12 digits and a name.
pub(crate) fn is_named(access_key_id: &str) -> bool {
    let digits = access_key_id.strip_prefix("AKIA").and_then(|rest| rest.get(..12));
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) && access_key_id.len() > 16
}

/// Reads the caller. A registered key wins; then `AKIA` + 12 digits + name; then the default account.
pub(crate) fn caller(
    headers: &HeaderMap,
    known: &HashMap<String, Known>,
    default_account: &str,
    default_region: &str,
) -> Caller {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut scope = scope(headers).split('/');
    let access_key_id = scope.next().unwrap_or_default().to_owned();
    let region = scope
        .nth(1)
        .filter(|region| !region.is_empty())
        .unwrap_or(default_region)
        .to_owned();
    let Known { account, arn, face } = known
        .get(&access_key_id)
        .cloned()
        .unwrap_or_else(|| unregistered(&access_key_id, default_account));
    let from = text(SOURCE_IP);
    let from = match &face.invoked_by {
        _ if !from.is_empty() => from,
        Some(service) => service,
        None => "127.0.0.1",
    };
    Caller {
        source_ip_address: from.to_owned(),
        face,
        access_key_id,
        region,
        account,
        arn,
        user_agent: text(USER_AGENT).to_owned(),
    }
}

fn unregistered(access_key_id: &str, default_account: &str) -> Known {
    let named = access_key_id.strip_prefix("AKIA").and_then(|rest| {
        let (digits, name) = rest.split_at_checked(12)?;
        (digits.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()).then_some((digits, name))
    });
    if let Some((account, name)) = named {
        let arn = format!("arn:aws:iam::{account}:user/{}", name.to_ascii_lowercase());
        return Known {
            account: account.to_owned(),
            arn,
            face: Arc::default(),
        };
    }
    let session = if access_key_id.is_empty() {
        "anonymous"
    } else {
        access_key_id
    };
    Known {
        account: default_account.to_owned(),
        arn: format!("arn:aws:sts::{default_account}:assumed-role/unknown/{session}"),
        face: Arc::default(),
    }
}
