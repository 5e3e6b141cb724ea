//! The log of calls that tests read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// One call, as it arrived and how it ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its place among all calls; 0 while it is not answered yet.
    pub sequence: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// The operation's name, or `Unknown`.
    pub operation: &'static str,
    /// Whether the operation only reads.
    pub read_only: bool,
    /// The caller's account.
    pub account: String,
    /// The region that the signature names.
    pub region: String,
    /// The caller's ARN.
    pub principal: String,
    /// The access key of the signature.
    pub access_key_id: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Where it came from.
    pub source_ip_address: String,
    /// HTTP method.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// The labels of the path: `restApiId`, `stageName`, ...
    pub ids: BTreeMap<String, String>,
    /// HTTP status of the answer; 0 while it is not answered yet.
    pub status: u16,
    /// Error code of the answer.
    pub error: Option<String>,
}
