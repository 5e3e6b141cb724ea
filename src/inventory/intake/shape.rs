//! Which of the known shapes a JSON value has: raw or wrapped by SNS, one or many.

use serde_json::{Deserializer, Value};

use super::payload::{Payload, UNZIPPED};
use super::record::text;
use super::{Reading, config, files, key, payload, record};
use crate::api::DRIFT_EVENT;
use crate::inventory::events::{Aside, Fault, Item, Pointer};

/// Nobody wraps more often: SNS in `EventBridge` in SNS, and what is in it.
const DEEPEST: usize = 8;
/// CloudWatch Logs sends it to see whether a subscription works.
const CONTROL: &str = "CONTROL_MESSAGE";

/// JSON values one after the other, or a payload of CloudWatch Logs.
pub fn body(text: &str, depth: usize, reading: &mut Reading) {
    if depth > DEEPEST {
        return reading.fault(Fault::TooDeep);
    }
    if payload::looks_packed(text) {
        return packed(text, reading);
    }
    // What a trail's topic is sent to see whether it works is a sentence.
    if text.trim_start().starts_with("CloudTrail validation message") {
        return reading.item(Ok(Item::Aside(Aside::Control)));
    }
    let mut any = false;
    for one in Deserializer::from_str(text).into_iter::<Value>() {
        any = true;
        match one {
            Ok(one) => value(&one, depth, reading),
            Err(_) => return reading.fault(Fault::NotJson),
        }
    }
    if !any {
        reading.fault(Fault::NotJson);
    }
}

/// A payload of CloudWatch Logs. Nothing else comes in base64, so nothing is wrapped in it.
fn packed(encoded: &str, reading: &mut Reading) {
    let unpacked = match payload::unpack(encoded, UNZIPPED - reading.unzipped) {
        Ok(unpacked) => unpacked,
        Err(fault) => {
            if fault == Fault::TooLarge {
                reading.unzipped = UNZIPPED; // the others are not even tried
            }
            return reading.fault(fault);
        }
    };
    reading.unzipped += unpacked.len();
    let mut any = false;
    for one in Deserializer::from_slice(&unpacked).into_iter::<Payload>() {
        any = true;
        match one {
            Ok(Payload { message_type, .. }) if message_type == CONTROL => {
                reading.item(Ok(Item::Aside(Aside::Control)));
            }
            Ok(Payload {
                log_events: Some(events),
                ..
            }) => {
                for event in &events {
                    log_event(&event.message, reading);
                }
            }
            Ok(_) => reading.fault(Fault::UnknownShape),
            Err(error) if error.is_data() => return reading.fault(Fault::UnknownShape),
            Err(_) => return reading.fault(Fault::NotJson),
        }
    }
    if !any {
        reading.fault(Fault::NotJson);
    }
}

fn value(value: &Value, depth: usize, reading: &mut Reading) {
    if depth > DEEPEST {
        return reading.fault(Fault::TooDeep);
    }
    match value {
        Value::Array(all) if !all.is_empty() => all.iter().for_each(|one| self::value(one, depth + 1, reading)),
        Value::String(text) => body(text, depth + 1, reading),
        Value::Object(_) => object(value, depth, reading),
        _ => reading.fault(Fault::UnknownShape),
    }
}

fn object(message: &Value, depth: usize, reading: &mut Reading) {
    let has = |name: &str| message.get(name).is_some();
    match self::kind(message) {
        "Notification" if has("Message") => match message.get("Message") {
            Some(inner) => value(inner, depth + 1, reading),
            None => reading.fault(Fault::Incomplete),
        },
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => reading.item(Ok(Item::Aside(Aside::Control))),
        _ if text(message, "schema") == DRIFT_EVENT => reading.item(drift(message)),
        _ if has("detail-type") => event(message, depth, reading),
        _ if has("awslogs") => match message["awslogs"].get("data").and_then(Value::as_str) {
            Some(data) => packed(data, reading),
            None => reading.fault(Fault::Incomplete),
        },
        _ if has("logEvents") || text(message, "messageType") == CONTROL => logs(message, reading),
        _ if text(message, "messageType").ends_with("Notification")
            || text(message, "messageType").starts_with("Config") =>
        {
            reading.item(config::notification(message, &Value::Null));
        }
        _ if has("s3Bucket") => announced(message, reading),
        _ if text(message, "Event") == "s3:TestEvent" => reading.item(Ok(Item::Aside(Aside::Control))),
        _ if has("Records") => records(message, reading),
        _ if has("eventName") && has("userIdentity") => reading.item(record(message)),
        _ => reading.fault(Fault::UnknownShape),
    }
}

fn kind(message: &Value) -> &str {
    text(message, "Type")
}

/// An event as `EventBridge` delivers it.
fn event(event: &Value, depth: usize, reading: &mut Reading) {
    let Some(detail) = event.get("detail").filter(|d| d.is_object()) else {
        return reading.fault(Fault::Incomplete);
    };
    match text(event, "detail-type") {
        "AWS API Call via CloudTrail" => reading.item(record(detail)),
        "Config Configuration Item Change" | "Config Rules Compliance Change" => {
            reading.item(config::notification(detail, event));
        }
        "Object Created" => {
            let name = detail.get("bucket").map_or("", |bucket| text(bucket, "name"));
            let object = detail.get("object").map_or("", |object| text(object, "key"));
            if name.is_empty() || object.is_empty() {
                reading.fault(Fault::Incomplete);
            } else {
                reading.item(Ok(key::item(name, object, false)));
            }
        }
        // Sign-ins, events of services, insights.
        kind if kind.ends_with(" via CloudTrail") => reading.item(Ok(Item::Aside(Aside::OtherService))),
        // Deliveries of snapshots, evaluations that were started.
        kind if kind.starts_with("Config ") => reading.item(Ok(Item::Aside(Aside::Control))),
        // Objects that were deleted, restored, tagged.
        _ if text(event, "source") == "aws.s3" => reading.item(Ok(Item::Aside(Aside::ForeignFile))),
        // Plumbline's own notification, put on a bus by somebody.
        _ if text(detail, "schema") == DRIFT_EVENT => value(detail, depth + 1, reading),
        _ => reading.fault(Fault::UnknownShape),
    }
}

/// A subscription's payload of CloudWatch Logs, unzipped by somebody on its way.
fn logs(payload: &Value, reading: &mut Reading) {
    if text(payload, "messageType") == CONTROL {
        return reading.item(Ok(Item::Aside(Aside::Control)));
    }
    let Some(events) = payload.get("logEvents").and_then(Value::as_array) else {
        return reading.fault(Fault::Incomplete);
    };
    for event in events {
        log_event(text(event, "message"), reading);
    }
}

/// Each log event of a trail is one record.
fn log_event(message: &str, reading: &mut Reading) {
    if message.len() > files::RECORD {
        return reading.fault(Fault::TooLarge);
    }
    match serde_json::from_str::<Value>(message) {
        Ok(one) if one.get("eventName").is_some() => reading.item(record(&one)),
        Ok(_) => reading.fault(Fault::UnknownShape),
        Err(_) => reading.fault(Fault::NotJson),
    }
}

/// A trail's own message: the files that it has just written.
fn announced(message: &Value, reading: &mut Reading) {
    let bucket = text(message, "s3Bucket");
    let keys: Vec<&str> = match message.get("s3ObjectKey") {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => vec![],
    };
    if bucket.is_empty() || keys.is_empty() {
        return reading.fault(Fault::Incomplete);
    }
    for key in keys {
        reading.item(Ok(key::item(bucket, key, false)));
    }
}

/// `Records`: S3's notifications, or what a trail's file holds.
fn records(message: &Value, reading: &mut Reading) {
    let Some(records) = message.get("Records").and_then(Value::as_array) else {
        return reading.fault(Fault::Incomplete);
    };
    for one in records {
        match one.get("s3") {
            None if one.get("eventName").is_some() => reading.item(record(one)),
            None => reading.fault(Fault::UnknownShape),
            Some(_) if !text(one, "eventName").starts_with("ObjectCreated") => {
                reading.item(Ok(Item::Aside(Aside::ForeignFile)));
            }
            Some(s3) => {
                let bucket = s3.get("bucket").map_or("", |bucket| text(bucket, "name"));
                let object = s3.get("object").map_or("", |object| text(object, "key"));
                if bucket.is_empty() || object.is_empty() {
                    reading.fault(Fault::Incomplete);
                } else {
                    reading.item(Ok(key::item(bucket, object, true)));
                }
            }
        }
    }
}

/// Plumbline's own notification.
fn drift(document: &Value) -> Result<Item, Fault> {
    let named = |name: &str| document.get("drift").map_or("", |drift| text(drift, name)).to_owned();
    let pointer = Pointer {
        account_id: text(document, "account").to_owned(),
        namespace: named("namespace"),
        name: named("name"),
        uid: named("uid"),
        plan_digest: text(document, "planDigest").to_owned(),
    };
    // Without a plan there is nothing to start.
    let no_plan = document.get("planDigest").and_then(Value::as_str) == Some("");
    if no_plan || matches!(text(document, "transition"), "Resolved" | "Abandoned") {
        return Ok(Item::Aside(Aside::Told));
    }
    let Pointer {
        account_id,
        namespace,
        name,
        uid,
        plan_digest,
    } = &pointer;
    let all = [account_id, namespace, name, uid, plan_digest];
    if all.iter().any(|text| text.is_empty()) {
        return Err(Fault::Incomplete);
    }
    Ok(Item::Drift(pointer))
}
