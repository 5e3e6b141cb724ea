//! What messages say. Pure: a body in, items out. Whatever it says is a hint and an explanation; nothing of it reaches a plan.
//!
//! * `shape`: which of the known shapes a JSON value has, raw or wrapped.
//! * `record`: one call as CloudTrail recorded it.
//! * `config`: what AWS Config tells of changes.
//! * `key`: which keys in S3 are a trail's files.
//! * `payload`: base64 and gzip, as far as they are bounded.
//! * `files`: a trail's file, as a stream.

mod config;
pub mod files;
mod key;
mod payload;
mod record;
mod shape;
#[cfg(test)]
mod tests;

use super::events::{Fault, Item};

pub use record::{name, record};

/// A longer body is none of SQS's.
const LONGEST: usize = 1024 * 1024;
/// So many items are taken of one body. The largest log payload holds some thousand records.
const MOST: usize = 20_000;

/// What one message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What was understood.
    pub items: Vec<Item>,
    /// What was not, each once.
    pub faults: Vec<Fault>,
    /// So much its payloads came to, unzipped.
    unzipped: usize,
}

impl Reading {
    fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn item(&mut self, item: Result<Item, Fault>) {
        match item {
            Ok(_) if self.items.len() >= MOST => self.fault(Fault::TooLarge),
            Ok(item) => self.items.push(item),
            Err(fault) => self.fault(fault),
        }
    }
}

/// Reads one message's body.
pub fn read(body: &str) -> Reading {
    let mut reading = Reading::default();
    if body.len() > LONGEST {
        reading.fault(Fault::TooLarge);
    } else {
        shape::body(body, 0, &mut reading);
    }
    reading
}
