//! LookupEvents: the event history of 90 days, which needs no trail.

use std::cmp::Reverse;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json;
use crate::calls::Call;
use crate::error::AwsError;
use crate::request::{self, Answered};
use crate::sim::State;
use crate::trail::Entry;

const MOST: i64 = 50;
const NINETY_DAYS: i64 = 90 * 24 * 3600;
/// The year 10000.
const END_OF_TIME: f64 = 253_402_300_800.0;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    lookup_attributes: Vec<Attribute>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_key: Key,
    attribute_value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
enum Key {
    AccessKeyId,
    EventId,
    EventName,
    EventSource,
    ReadOnly,
    ResourceName,
    ResourceType,
    Username,
    #[serde(untagged)]
    Unknown(String),
}

impl Asked {
    fn checked(&self) -> Result<usize, AwsError> {
        let refuse = |code: &'static str, message: String| Err(AwsError::new(400, code, message));
        match self.lookup_attributes.as_slice() {
            [
                Attribute {
                    attribute_key: Key::Unknown(key),
                    ..
                },
            ] => {
                return refuse(
                    "InvalidLookupAttributesException",
                    format!("The lookup attribute {key} is not valid."),
                );
            }
            [attribute] if !(1..=2000).contains(&attribute.attribute_value.chars().count()) => {
                return refuse(
                    "InvalidLookupAttributesException",
                    format!(
                        "The value of the lookup attribute {:?} must have 1 to 2000 characters.",
                        attribute.attribute_key
                    ),
                );
            }
            [] | [_] => {}
            _ => {
                return refuse(
                    "InvalidLookupAttributesException",
                    "You can only specify one lookup attribute.".to_owned(),
                );
            }
        }
        if let Some(category) = self.event_category.as_deref().filter(|category| *category != "insight") {
            return refuse(
                "InvalidEventCategoryException",
                format!("The event category {category} is not valid."),
            );
        }
        let possible = |time: &f64| (0.0..END_OF_TIME).contains(time);
        if ![self.start_time, self.end_time].iter().flatten().all(possible) {
            return refuse(
                "InvalidTimeRangeException",
                "The time range is outside the range of possible values.".to_owned(),
            );
        }
        if let (Some(start), Some(end)) = (self.start_time, self.end_time)
            && start > end
        {
            return refuse(
                "InvalidTimeRangeException",
                "The start time occurs after the end time.".to_owned(),
            );
        }
        let most = self.max_results.unwrap_or(MOST);
        if !(1..=MOST).contains(&most) {
            return refuse(
                "InvalidMaxResultsException",
                format!("MaxResults must be between 1 and {MOST}: {most}."),
            );
        }
        Ok(usize::try_from(most).unwrap_or_default())
    }

    /// What a token holds to: it goes on with the same question of the same caller alone.
    fn salt(&self, call: &Call) -> u64 {
        let question = format!(
            "{:?} {:?} {:?} {:?} {:?} {} {}",
            self.lookup_attributes,
            self.start_time,
            self.end_time,
            self.event_category,
            self.max_results.unwrap_or(MOST),
            call.account,
            call.region
        );
        hash(question.bytes())
    }

    #[allow(clippy::cast_precision_loss)] // seconds of this age are exact
    fn wants(&self, entry: &Entry, now: Timestamp) -> bool {
        let second = entry.call.time.as_second();
        second >= now.as_second() - NINETY_DAYS
            && self.start_time.is_none_or(|start| start <= second as f64)
            && self.end_time.is_none_or(|end| second as f64 <= end)
            && self.lookup_attributes.iter().all(|attribute| attribute.is_of(entry))
    }
}

impl Attribute {
    fn is_of(&self, entry: &Entry) -> bool {
        let (call, value) = (&entry.call, self.attribute_value.as_str());
        match &self.attribute_key {
            Key::AccessKeyId => call.access_key_id == value,
            Key::EventId => entry.event_id() == value,
            Key::EventName => call.operation == value,
            Key::EventSource => entry.operation.service().event_source() == value,
            Key::ReadOnly => value == if call.read_only { "true" } else { "false" },
            Key::Username => entry.user_name() == Some(value),
            // CloudTrail does not reliably tell REST APIs by their resources: nobody should lean on it.
            Key::ResourceName | Key::ResourceType | Key::Unknown(_) => false,
        }
    }
}

/// Where an event stands in the list, newest first.
type Place = (Reverse<i64>, Reverse<u64>);

fn place(entry: &Entry) -> Place {
    (Reverse(entry.call.time.as_second()), Reverse(entry.call.sequence))
}

/// Answers LookupEvents.
pub(super) fn events(state: &State, call: &Call, body: &Bytes) -> Answered {
    let asked: Asked = json(body)?;
    let most = asked.checked()?;
    let salt = asked.salt(call);
    let after = asked
        .next_token
        .as_deref()
        .map(|token| {
            decode(token, salt).ok_or_else(|| AwsError::new(400, "InvalidNextTokenException", "Invalid token."))
        })
        .transpose()?;
    let visible = |entry: &&Entry| {
        entry.call.account == call.account
            && entry.call.region == call.region
            && entry.call.time.saturating_add(state.lookup_delay).is_ok_and(|seen| seen <= call.time)
            && asked.event_category.is_none() // there are no Insights events
            && asked.wants(entry, call.time)
            && after.is_none_or(|after| place(entry) > after)
    };
    let mut found: Vec<&Entry> = state.history.entries().filter(visible).collect();
    found.sort_by_key(|entry| place(entry));
    let mut answer = json!({"Events": found.iter().take(most).map(|entry| event(entry)).collect::<Vec<_>>()});
    if found.len() > most
        && let Some(last) = found.get(most - 1)
    {
        answer["NextToken"] = json!(encode(place(last), salt));
    }
    request::json(200, &answer)
}

#[allow(clippy::cast_precision_loss)] // seconds of this age are exact
fn event(entry: &Entry) -> Value {
    let call = &entry.call;
    let mut event = json!({
        "EventId": entry.event_id(),
        "EventName": call.operation,
        "ReadOnly": call.read_only.to_string(),
        "EventTime": call.time.as_second() as f64,
        "EventSource": entry.operation.service().event_source(),
        "Resources": [],
        "CloudTrailEvent": entry.record().to_string(),
    });
    if let Some(name) = entry.user_name() {
        event["Username"] = json!(name);
    }
    if !call.access_key_id.is_empty() {
        event["AccessKeyId"] = json!(call.access_key_id);
    }
    event
}

fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn encode((Reverse(second), Reverse(sequence)): Place, salt: u64) -> String {
    let place = format!("{second:016x}{sequence:016x}");
    let seal = hash(place.bytes().chain(salt.to_be_bytes()));
    format!("{place}{seal:016x}")
}

fn decode(token: &str, salt: u64) -> Option<Place> {
    let second = i64::from_str_radix(token.get(..16)?, 16).ok()?;
    let sequence = u64::from_str_radix(token.get(16..32)?, 16).ok()?;
    let place = (Reverse(second), Reverse(sequence));
    (encode(place, salt) == token).then_some(place)
}
