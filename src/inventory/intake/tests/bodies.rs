//! Each shape raw, wrapped by SNS and many to a body; and what is no shape at all.

use std::collections::BTreeSet;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;

use super::{all_said, bodies};
use crate::inventory::events::Fault::{
    self, Incomplete, MalformedBase64, MalformedGzip, NotJson, TooDeep, TooLarge, UnknownShape,
};
use crate::inventory::intake::payload::UNZIPPED;
use crate::inventory::intake::{LONGEST, read};

const EDIT: &str = "UpdateIntegration abc123";
const DEPLOYMENT: &str = "CreateDeployment abc123 made d7";
const DOMAIN: &str = "UpdateDomainName domain api.example.com";
const FILE: &str = "file 111122223333 acme-trail:AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/\
                    111122223333_CloudTrail_eu-west-1_20260302T0935Z_Ab12Cd34.json.gz";
const PREFIXED: &str = "file 111122223333 acme-trail:my logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/\
                        111122223333_CloudTrail_eu-west-1_20260302T0935Z_Ab12Cd34.json.gz";
const OF_ORGANIZATION: &str = "file 111122223333 acme-trail:my logs/AWSLogs/o-abc123/111122223333/CloudTrail/\
                               eu-west-1/2026/03/02/111122223333_CloudTrail_eu-west-1_20260302T0935Z_Ab12Cd34.json.gz";
const DRIFT: &str = "drift payments/backends-over-https-7f3a9c41d20be85c 5b1f";

/// A file of `fuzz/seeds/body`, what is understood of it, what is not, and why.
type Row = (&'static str, &'static [&'static str], &'static [Fault], &'static str);

const ROWS: &[Row] = &[
    ("call_event.json", &[EDIT], &[], "EventBridge's detail is the record"),
    (
        "call_event_masked.json",
        &["UpdateIntegration abc123 masked"],
        &[],
        "CloudTrail hid a value",
    ),
    (
        "call_event_of_cloudtrail.json",
        &[DOMAIN],
        &[],
        "the source is no matter, the record says whose call it is",
    ),
    (
        "sign_in_event.json",
        &["OtherService"],
        &[],
        "a rule on everything of CloudTrail's sends it too",
    ),
    (
        "event_without_detail.json",
        &[],
        &[Incomplete],
        "an event is nothing without what it tells",
    ),
    (
        "unknown_event.json",
        &[],
        &[UnknownShape],
        "a rule that matches too much is to be noticed",
    ),
    (
        "config_item_event.json",
        &["changed abc123"],
        &[],
        "a stage belongs to its API",
    ),
    (
        "config_compliance_event.json",
        &["changed abc123"],
        &[],
        "an id alone is the API's",
    ),
    (
        "config_compliance_event_of_envelope.json",
        &["changed abc123"],
        &[],
        "the envelope knows account and region",
    ),
    (
        "config_compliance_nowhere.json",
        &[],
        &[Incomplete],
        "of which account it is nobody says",
    ),
    (
        "config_delivery_event.json",
        &["Control"],
        &[],
        "a snapshot was delivered: nothing changed",
    ),
    (
        "config_item.json",
        &["changed abc123"],
        &[],
        "Config's own topic has no envelope",
    ),
    (
        "config_item_oversized.json",
        &["changed abc123"],
        &[],
        "the summary names the resource",
    ),
    (
        "config_compliance.json",
        &["changed domain api.example.com"],
        &[],
        "a domain name is its own id",
    ),
    (
        "config_of_another_service.json",
        &["OtherService"],
        &[],
        "Config tells of everything",
    ),
    ("logs_wrapped.json", &[EDIT, DEPLOYMENT], &[], "as a function gets it"),
    ("logs_packed.txt", &[EDIT, DEPLOYMENT], &[], "as a stream gets it"),
    ("logs.json", &[EDIT, DEPLOYMENT], &[], "unzipped by somebody on its way"),
    (
        "logs_control.json",
        &["Control"],
        &[],
        "CloudWatch Logs tries the destination",
    ),
    ("logs_control_packed.txt", &["Control"], &[], "the same, as it comes"),
    (
        "logs_of_a_program.json",
        &[DEPLOYMENT],
        &[NotJson, UnknownShape],
        "the wrong log group, with a record among its lines",
    ),
    (
        "logs_packed_of_nothing.txt",
        &[],
        &[UnknownShape],
        "packed, but no payload",
    ),
    ("logs_packed_no_json.txt", &[], &[NotJson], "packed text"),
    (
        "logs_packed_twice.txt",
        &[],
        &[NotJson],
        "nobody packs twice, and bombs are made so",
    ),
    (
        "logs_no_base64.json",
        &[],
        &[MalformedBase64],
        "not base64 where it must be",
    ),
    ("logs_no_gzip.json", &[], &[MalformedGzip], "base64 of something else"),
    (
        "logs_broken_off.txt",
        &[],
        &[MalformedGzip],
        "half a payload is no payload",
    ),
    ("logs_without_data.json", &[], &[Incomplete], "an empty wrapping"),
    (
        "s3.json",
        &[FILE, OF_ORGANIZATION],
        &[],
        "keys are URL-encoded, and an organisation's have its id",
    ),
    (
        "s3_asides.json",
        &["Digest", "ForeignFile", "ForeignFile", "ForeignFile", "ForeignFile"],
        &[],
        "digests, insights, others' files, what was deleted, and what only lies there hold no calls",
    ),
    ("s3_without_key.json", &[], &[Incomplete], "which file nobody says"),
    ("s3_test.json", &["Control"], &[], "S3 tries the destination"),
    ("s3_event.json", &[PREFIXED], &[], "by EventBridge keys are not encoded"),
    (
        "s3_event_deleted.json",
        &["ForeignFile"],
        &[],
        "what was deleted cannot be fetched",
    ),
    ("trail_announces.json", &[FILE, "Digest"], &[], "the trail's own topic"),
    (
        "trail_announces_nothing.json",
        &[],
        &[Incomplete],
        "which file nobody says",
    ),
    (
        "trail_validates.txt",
        &["Control"],
        &[],
        "the trail tries its topic, with a sentence",
    ),
    ("drift.json", &[DRIFT], &[], "Plumbline's own notification comes back"),
    ("drift_resolved.json", &["Told"], &[], "it is over"),
    ("drift_abandoned.json", &["Told"], &[], "it is gone"),
    (
        "drift_without_plan.json",
        &["Told"],
        &[],
        "it asks for nothing, and no message lets nothing start",
    ),
    ("drift_of_nobody.json", &[], &[Incomplete], "it points at nothing"),
    ("record.json", &[EDIT], &[], "a record and nothing around it"),
    (
        "records.json",
        &[
            EDIT,
            DEPLOYMENT,
            "ReadOnly",
            "FailedCall",
            "OtherService",
            "OtherService",
            "NoEndpoint",
        ],
        &[],
        "as in a trail's file: what is of no concern is said to be so",
    ),
    (
        "record_without_time.json",
        &[],
        &[Incomplete],
        "when it was decides whom it explains",
    ),
    ("sns_subscription.json", &["Control"], &[], "subscribing is for people"),
    ("sns_end.json", &["Control"], &[], "and so is leaving"),
    (
        "sns_call.json",
        &[EDIT],
        &[],
        "without raw delivery the message is text",
    ),
    ("sns_of_words.json", &[], &[NotJson], "a letter for people"),
    (
        "many.json",
        &[EDIT, DOMAIN, FILE],
        &[],
        "each of a list may have another shape",
    ),
    (
        "lines.txt",
        &[EDIT, DRIFT, DEPLOYMENT, "NoEndpoint"],
        &[],
        "one to a line, or one after the other",
    ),
    ("lines_broken_off.txt", &[EDIT], &[NotJson], "what was whole is kept"),
    (
        "some_unknown.json",
        &[EDIT, DEPLOYMENT],
        &[UnknownShape],
        "what was understood is kept beside it",
    ),
    (
        "too_deep.json",
        &[],
        &[TooDeep],
        "wrapped more often than anybody wraps",
    ),
    ("unknown.json", &[], &[UnknownShape], "some JSON"),
    ("number.json", &[], &[UnknownShape], "JSON, but no message"),
    ("empty.txt", &[], &[NotJson], "nothing is no message"),
    ("words.txt", &[], &[NotJson], "words are no message"),
];

fn by_sns(body: &str) -> String {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": body})
        .to_string()
}

#[test]
fn each_shape_is_understood_and_everything_else_is_a_fault() {
    let bodies = bodies();
    for (file, items, faults, why) in ROWS {
        let reading = read(&bodies[*file]);
        assert_eq!(all_said(&reading.items), *items, "{file}: {why}");
        assert_eq!(reading.faults, *faults, "{file}: {why}");
    }
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.0).collect();
    let files: BTreeSet<&str> = bodies.keys().map(String::as_str).collect();
    assert_eq!(rows, files, "each file has its row");
}

#[test]
fn what_sns_wraps_says_the_same() {
    let mut wrapped = 0;
    for (file, body) in bodies().iter().filter(|(file, _)| *file != "too_deep.json") {
        let (raw, once) = (read(body), read(&by_sns(body)));
        assert_eq!((&raw.items, &raw.faults), (&once.items, &once.faults), "{file}");
        let twice = read(&by_sns(&by_sns(body)));
        assert_eq!(
            (&raw.items, &raw.faults),
            (&twice.items, &twice.faults),
            "{file}, twice"
        );
        wrapped += 1;
    }
    assert_eq!(wrapped, ROWS.len() - 1);
}

#[test]
fn many_to_a_body_say_as_much_as_each() {
    for (file, body) in bodies().iter().filter(|(file, _)| *file != "too_deep.json") {
        let one = read(body);
        let twice: Vec<_> = one.items.iter().chain(&one.items).cloned().collect();
        let wrapped = by_sns(body);
        let mut ways = vec![
            format!("[{wrapped},{wrapped}]"),
            format!("{wrapped}\n{wrapped}\n"),
            wrapped.repeat(2),
        ];
        if serde_json::from_str::<serde_json::Value>(body).is_ok() {
            ways.push(format!("[{body},{body}]"));
            ways.push(format!("{body}\n{body}"));
        }
        for many in ways {
            let reading = read(&many);
            assert_eq!(all_said(&reading.items), all_said(&twice), "{file}: {many}");
            assert_eq!(reading.faults, one.faults, "{file}: {many}");
        }
    }
}

#[test]
fn a_body_that_breaks_off_never_says_anything_else() {
    for (file, body) in bodies() {
        let whole = read(&body).items;
        for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)) {
            let part = read(&body[..end]);
            assert!(
                whole.starts_with(&part.items),
                "{file} at {end}: {:?}",
                all_said(&part.items)
            );
            let noticed = part.items.len() == whole.len() || !part.faults.is_empty() || end_of_a_value(&body, end);
            assert!(noticed, "{file} at {end}: what is missing is noticed");
        }
    }
}

/// Values one after the other may end after any of them.
fn end_of_a_value(body: &str, end: usize) -> bool {
    body[..end].trim_end().ends_with('}') && body[end..].trim_start().starts_with('{')
}

fn packed(text: &[u8]) -> String {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(text).unwrap();
    STANDARD.encode(zip.finish().unwrap())
}

#[test]
fn a_bomb_is_too_large_and_costs_no_more_than_one_payload() {
    let bomb = packed(&vec![b' '; UNZIPPED + 1]);
    let reading = read(&bomb);
    assert_eq!((all_said(&reading.items), reading.faults), (vec![], vec![TooLarge]));
    let many = json!(vec![json!({"awslogs": {"data": bomb}}); 20]).to_string();
    assert!(many.len() < LONGEST);
    let reading = read(&many);
    assert_eq!((all_said(&reading.items), reading.faults), (vec![], vec![TooLarge]));
    assert_eq!(reading.unzipped, UNZIPPED, "the second one is not even tried");
    let half = packed(&vec![b' '; UNZIPPED / 2 + 1]);
    let reading = read(&json!([half, half]).to_string());
    assert!(
        reading.faults.contains(&TooLarge),
        "all payloads of a body are limited together"
    );
}

#[test]
fn a_body_is_bounded_in_length_items_and_nesting() {
    let long = read(&" ".repeat(LONGEST + 1));
    assert_eq!(
        (all_said(&long.items), long.faults),
        (vec![], vec![TooLarge]),
        "longer than SQS takes"
    );
    let event = json!({"message": r#"{"eventName":"A"}"#});
    let many = json!({"messageType": "DATA_MESSAGE", "logEvents": vec![event; 20_001]}).to_string();
    let reading = read(&many);
    assert_eq!(
        (reading.items.len(), reading.faults),
        (20_000, vec![TooLarge]),
        "the rest is missing, and noticed"
    );
    let event = json!({"message": format!(r#"{{"eventName":"{}"}}"#, "A".repeat(LONGEST))});
    let reading = read(&packed(&serde_json::to_vec(&json!({"logEvents": [event]})).unwrap()));
    assert_eq!(reading.faults, [TooLarge], "no record is so long");
    let deep = read(&format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000)));
    assert_eq!(
        (all_said(&deep.items), deep.faults),
        (vec![], vec![NotJson]),
        "the stack is not at anybody's mercy"
    );
    let nested = read(&format!("{}1{}", "[".repeat(100), "]".repeat(100)));
    assert_eq!(nested.faults, [TooDeep]);
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in any::<String>()) {
        let (raw, wrapped) = (read(&text), read(&by_sns(&text)));
        prop_assert_eq!((raw.items, raw.faults), (wrapped.items, wrapped.faults));
    }

    #[test]
    fn any_bytes_in_base64_are_read_to_their_end(bytes in any::<Vec<u8>>(), zipped: bool) {
        let data = if zipped { packed(&bytes) } else { STANDARD.encode(&bytes) };
        let reading = read(&json!({"awslogs": {"data": data}}).to_string());
        prop_assert!(reading.items.is_empty() && !reading.faults.is_empty());
    }

    #[test]
    fn any_damage_to_a_body_is_read_to_its_end(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let bodies = bodies();
        let mut body = which.get(&bodies.values().collect::<Vec<_>>()).as_bytes().to_vec();
        for (at, byte) in damage {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        let text = String::from_utf8_lossy(&body);
        let (raw, wrapped) = (read(&text), read(&by_sns(&text)));
        if !wrapped.faults.contains(&TooDeep) {
            prop_assert_eq!((raw.items, raw.faults), (wrapped.items, wrapped.faults));
        }
    }
}
