//! Which keys in S3 are a trail's files: `[prefix/]AWSLogs/[o-organisation/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/….json.gz`.

use crate::inventory::events::{Aside, Item, TrailFile};

/// What a key names. `encoded`: as S3's notifications write it.
pub fn item(bucket: &str, key: &str, encoded: bool) -> Item {
    let key = if encoded { decode(key) } else { key.to_owned() };
    let parts: Vec<&str> = key.split('/').collect();
    let Some(logs) = parts.iter().rposition(|part| *part == "AWSLogs") else {
        return Item::Aside(Aside::ForeignFile);
    };
    let mut rest = &parts[logs + 1..];
    if rest.first().is_some_and(|part| part.starts_with("o-")) {
        rest = &rest[1..];
    }
    let [account, kind, region, year, month, day, file] = rest else {
        return Item::Aside(Aside::ForeignFile);
    };
    let is = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let dated = is(account, 12) && is(year, 4) && is(month, 2) && is(day, 2);
    let named = file.starts_with(&format!("{account}_CloudTrail_{region}_")) && file.ends_with(".json.gz");
    match *kind {
        "CloudTrail-Digest" => Item::Aside(Aside::Digest),
        "CloudTrail" if dated && named => Item::File(TrailFile {
            bucket: bucket.to_owned(),
            account_id: (*account).to_owned(),
            region: (*region).to_owned(),
            key,
        }),
        _ => Item::Aside(Aside::ForeignFile),
    }
}

/// `+` is a space, and `%2F` a slash. What is no such code stays as it is.
pub fn decode(key: &str) -> String {
    let bytes = key.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        let code = hex(at + 1)
            .zip(hex(at + 2))
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                decoded.push(code);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
