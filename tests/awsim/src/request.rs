//! What an operation is given and what it gives back.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AwsError;
use crate::router::{Operation, Routed};
use crate::switches::Switches;

/// One request, routed.
pub(crate) struct Request<'a> {
    pub(crate) operation: Operation,
    pub(crate) routed: &'a Routed,
    pub(crate) body: &'a Bytes,
    pub(crate) accept: &'a str,
    /// Second at which it arrived.
    pub(crate) now: i64,
    pub(crate) switches: &'a Switches,
}

impl Request<'_> {
    /// A label of the path.
    pub(crate) fn id(&self, name: &str) -> &str {
        self.routed.ids.get(name).map_or("", String::as_str)
    }

    pub(crate) fn api(&self) -> &str {
        self.id("restApiId")
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.routed
            .query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn embeds(&self, what: &str) -> bool {
        self.routed
            .query
            .iter()
            .any(|(key, value)| key == "embed" && value.split(',').any(|part| part == what))
    }

    /// The body; an absent one is an empty object.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { self.body };
        serde_json::from_slice(body).map_err(|error| AwsError::new(400, "SerializationException", error.to_string()))
    }
}

/// What an operation answers when it succeeds.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: Option<String>,
    pub(crate) disposition: Option<String>,
}

pub(crate) type Answered = Result<Reply, AwsError>;

/// An answer with a body.
pub(crate) fn json(status: u16, value: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(value).map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?;
    Ok(Reply {
        status,
        body,
        ..Reply::default()
    })
}

/// An answer without one.
#[allow(clippy::unnecessary_wraps)] // stands where answers stand
pub(crate) fn empty(status: u16) -> Answered {
    Ok(Reply {
        status,
        ..Reply::default()
    })
}

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct Items<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<String>,
    pub(crate) item: Vec<T>,
}
