//! What CloudTrail would record of a call.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::calls::Call;
use crate::identity::Face;
use crate::ids::uuid;
use crate::router::Operation;
use crate::service::Service;
use crate::sim::keep;

/// A call with what its record needs; the record is made when somebody reads it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) call: Arc<Call>,
    pub(crate) face: Arc<Face>,
    pub(crate) operation: Operation,
    pub(crate) request: Bytes,
    pub(crate) response: Bytes,
    pub(crate) message: Option<String>,
    /// Whether a trail logged there and then.
    pub(crate) delivered: bool,
    /// Whether its record hides values.
    pub(crate) masked: bool,
    pub(crate) seed: u64,
}

/// What is kept, oldest first: reads apart from writes, so that sweeps push no write out.
#[derive(Default)]
pub(crate) struct History {
    writes: VecDeque<Entry>,
    reads: VecDeque<Entry>,
}

impl History {
    /// Keeps an entry, and of its kind so many at most.
    pub(crate) fn keep(&mut self, entry: Entry, most: usize) {
        let ring = if entry.call.read_only {
            &mut self.reads
        } else {
            &mut self.writes
        };
        keep(ring, entry, most);
    }

    /// All of them, first the writes and then the reads.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.writes.iter().chain(&self.reads)
    }

    /// What came after the call of that sequence, in order.
    pub(crate) fn after(&self, sequence: u64) -> Vec<Entry> {
        let later = self.entries().filter(|entry| entry.call.sequence > sequence);
        let mut later: Vec<Entry> = later.cloned().collect();
        later.sort_by_key(|entry| entry.call.sequence);
        later
    }
}

impl Entry {
    pub(crate) fn event_id(&self) -> String {
        uuid(self.seed, self.call.sequence, 1)
    }

    /// What LookupEvents calls the caller: the name of the user or of the session.
    pub(crate) fn user_name(&self) -> Option<&str> {
        self.face.called(&self.call.principal)
    }

    pub(crate) fn record(&self) -> Value {
        let call = &self.call;
        let mut parameters = self.parameters();
        if self.masked {
            mask(&mut parameters);
        }
        let mut record = json!({
            "eventVersion": "1.09",
            "userIdentity": self.face.identity(call),
            "eventTime": call.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": self.operation.service().event_source(),
            "eventName": call.operation,
            "awsRegion": call.region,
            "sourceIPAddress": call.source_ip_address,
            "userAgent": self.face.invoked_by.as_deref().unwrap_or(&call.user_agent),
            "requestParameters": parameters,
            "responseElements": self.elements(),
            "requestID": uuid(self.seed, call.sequence, 0),
            "eventID": self.event_id(),
            "readOnly": call.read_only,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": call.account,
            "eventCategory": "Management",
        });
        if let Some(code) = &call.error {
            record["errorCode"] = json!(code);
            record["errorMessage"] = json!(self.message);
        }
        record
    }

    fn parameters(&self) -> Value {
        if self.operation.service() == Service::CloudTrail {
            return serde_json::from_slice(&self.request).map_or(Value::Null, uncapitalized);
        }
        let ids = self.call.ids.iter().map(|(name, value)| (name.clone(), json!(value)));
        let mut parameters: Map<String, Value> = ids.collect();
        parameters.extend(asked(&self.call.query));
        if let Ok(body @ Value::Object(_)) = serde_json::from_slice(&self.request) {
            parameters.insert(self.operation.input(), body);
        }
        if parameters.is_empty() {
            Value::Null
        } else {
            Value::Object(parameters)
        }
    }

    fn elements(&self) -> Value {
        if self.call.read_only || self.call.error.is_some() {
            return Value::Null;
        }
        serde_json::from_slice(&self.response).unwrap_or(Value::Null)
    }
}

/// A query as a record has it: what is asked for more than once is a list.
fn asked(query: &[(String, String)]) -> Map<String, Value> {
    let mut found: Map<String, Value> = Map::new();
    for (name, value) in query {
        let value = json!(value);
        match found.get_mut(name) {
            None => _ = found.insert(name.clone(), value),
            Some(Value::Array(all)) => all.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    found
}

/// The members of a JSON service's request begin with a small letter in its record.
fn uncapitalized(value: Value) -> Value {
    let small = |name: &str| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    match value {
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(name, value)| (small(&name), uncapitalized(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(uncapitalized).collect()),
        other => other,
    }
}

/// What CloudTrail may hide: the values of patches, and where integrations point.
fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let patch = members.contains_key("op");
            for (name, value) in members {
                if (name == "uri" || (patch && name == "value")) && !value.is_null() {
                    *value = json!("***");
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// A record as EventBridge delivers it.
pub fn event(record: &Value) -> Value {
    let service = record["eventSource"]
        .as_str()
        .and_then(|source| source.split('.').next());
    json!({
        "version": "0",
        "id": record["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{}", service.unwrap_or_default()),
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": record,
    })
}
