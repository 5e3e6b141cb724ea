//! Pages: `limit` and `position`.

use crate::error::AwsError;
use crate::request::{Items, Request};

/// Which page is asked for.
pub(crate) struct Page {
    /// Things made after this are on it.
    pub(crate) after: u64,
    limit: usize,
    salt: u64,
}

impl Page {
    /// Reads `limit` (25, at most 500) and `position`; a position of another list is an error.
    pub(crate) fn asked(request: &Request<'_>) -> Result<Self, AwsError> {
        let limit = match request.query("limit") {
            None | Some("") => 25,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| AwsError::bad_request(format!("Invalid limit specified: {text}")))?
                .min(500),
        };
        let salt = salt(request);
        let after = match request.query("position") {
            None | Some("") => 0,
            Some(token) => {
                decode(token, salt).ok_or_else(|| AwsError::bad_request("Invalid position parameter specified"))?
            }
        };
        Ok(Self { after, limit, salt })
    }

    /// Takes this page of what comes after `after`.
    pub(crate) fn of<T>(&self, items: impl Iterator<Item = (u64, T)>) -> Items<T> {
        let mut last = 0;
        let mut item = Vec::new();
        for (seq, thing) in items.filter(|(seq, _)| *seq > self.after) {
            if item.len() == self.limit {
                return Items {
                    position: Some(encode(last, self.salt)),
                    item,
                };
            }
            last = seq;
            item.push(thing);
        }
        Items { position: None, item }
    }
}

fn salt(request: &Request<'_>) -> u64 {
    let labels = request.routed.ids.values().flat_map(|id| id.bytes());
    request
        .operation
        .name()
        .bytes()
        .chain(labels)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn encode(seq: u64, salt: u64) -> String {
    format!(
        "{:016x}{:08x}",
        seq ^ salt,
        (seq.wrapping_mul(31) ^ (salt >> 16)) & 0xffff_ffff
    )
}

fn decode(token: &str, salt: u64) -> Option<u64> {
    let seq = u64::from_str_radix(token.get(..16)?, 16).ok()? ^ salt;
    (encode(seq, salt) == token).then_some(seq)
}
