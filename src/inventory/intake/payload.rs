//! base64 and gzip, as far as they are bounded.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

use crate::inventory::events::Fault;

/// So much is unzipped of one payload. CloudWatch Logs puts at most 1 MiB into one before zipping; a bomb costs no more.
const UNZIPPED: u64 = 32 * 1024 * 1024;

/// The text in base64 of gzip.
pub fn unpack(encoded: &str) -> Result<String, Fault> {
    let zipped = STANDARD.decode(encoded.trim()).map_err(|_| Fault::MalformedBase64)?;
    let mut text = Vec::new();
    MultiGzDecoder::new(zipped.as_slice())
        .take(UNZIPPED + 1)
        .read_to_end(&mut text)
        .map_err(|_| Fault::MalformedGzip)?;
    if text.len() as u64 > UNZIPPED {
        return Err(Fault::TooLarge);
    }
    String::from_utf8(text).map_err(|_| Fault::NotJson)
}

/// Whether a body that is no JSON may be base64: `H4sI` is how base64 of gzip begins.
pub fn looks_packed(body: &str) -> bool {
    body.trim_start().starts_with("H4sI")
}
