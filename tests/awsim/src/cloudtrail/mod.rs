//! CloudTrail's own API: what was recorded, and the trail that delivers it.

mod lookup;
mod trails;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::calls::Call;
use crate::error::AwsError;
use crate::request::Answered;
use crate::router::Operation;
use crate::sim::State;

pub use trails::Trail;
pub(crate) use trails::Trails;

/// Carries out an operation of CloudTrail.
pub(crate) fn dispatch(state: &mut State, operation: Operation, call: &Call, body: &Bytes) -> Answered {
    match operation {
        Operation::LookupEvents => lookup::events(state, call, body),
        Operation::DescribeTrails => trails::describe(state, call, body),
        Operation::GetTrailStatus => trails::status(state, call, body),
        Operation::StartLogging => trails::switch(state, call, body, true),
        Operation::StopLogging => trails::switch(state, call, body, false),
        _ => Err(AwsError::unknown_target()),
    }
}

/// The body; an absent one is an empty object. Members that an operation does not have are left out, as AWS does.
fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, AwsError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice::<Map<String, Value>>(body)
        .and_then(|members| serde_json::from_value(Value::Object(members)))
        .map_err(|error| AwsError::new(400, "SerializationException", error.to_string()))
}
