//! base64 and gzip, as far as they are bounded: what CloudWatch Logs sends.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::inventory::events::Fault;

/// So much is unzipped of all payloads of one body. CloudWatch Logs puts at most 1 MiB into one before zipping; a bomb costs no more.
pub const UNZIPPED: usize = 16 * 1024 * 1024;

/// A subscription's payload. It is read right into this: a tree of all JSON that a bomb may hold would be many times its size.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// `DATA_MESSAGE` or `CONTROL_MESSAGE`.
    #[serde(default)]
    pub message_type: String,
    /// One for each record.
    pub log_events: Option<Vec<LogEvent>>,
}

/// One line of a log.
#[derive(Deserialize)]
pub struct LogEvent {
    /// The record, as text.
    #[serde(default)]
    pub message: String,
}

/// What base64 of gzip holds, if it is at most so long.
pub fn unpack(encoded: &str, most: usize) -> Result<Vec<u8>, Fault> {
    let zipped = STANDARD.decode(encoded.trim()).map_err(|_| Fault::MalformedBase64)?;
    let mut text = Vec::new();
    MultiGzDecoder::new(zipped.as_slice())
        .take(most as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|_| Fault::MalformedGzip)?;
    if text.len() > most {
        return Err(Fault::TooLarge);
    }
    Ok(text)
}

/// Whether a body that is no JSON may be base64: `H4sI` is how base64 of gzip begins.
pub fn looks_packed(body: &str) -> bool {
    body.trim_start().starts_with("H4sI")
}
