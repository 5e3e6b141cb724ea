//! A trail's file as a stream: gunzipped piece by piece, cut into its records. Never more than one record is held.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::record;
use crate::inventory::events::{Fault, Item};

/// CloudTrail's records have at most 256 KiB.
const RECORD: usize = 1024 * 1024;
/// So much is unzipped of one file. CloudTrail writes one each few minutes: real ones have some MiB.
const FILE: u64 = 256 * 1024 * 1024;

/// What one piece of a file held: records that were understood, and why others were not.
pub type Piece = Vec<Result<Item, Fault>>;

/// A file that is being read.
pub struct Records {
    unzip: MultiGzDecoder<Splitter>,
}

impl Default for Records {
    fn default() -> Self {
        Records {
            unzip: MultiGzDecoder::new(Splitter::default()),
        }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    /// Reads a piece, as it came.
    ///
    /// # Errors
    /// When it is no gzip, or too much: then the file is not read on.
    pub fn push(&mut self, zipped: &[u8]) -> Result<Piece, Fault> {
        let written = self.unzip.write_all(zipped).and_then(|()| self.unzip.flush());
        self.after(written)
    }

    /// The file is at its end.
    ///
    /// # Errors
    /// When it broke off.
    pub fn finish(mut self) -> Result<Piece, Fault> {
        let ended = self.unzip.try_finish();
        let piece = self.after(ended)?;
        let splitter = self.unzip.get_ref();
        if splitter.whole() {
            Ok(piece)
        } else {
            Err(splitter.why())
        }
    }

    fn after(&mut self, result: io::Result<()>) -> Result<Piece, Fault> {
        let splitter = self.unzip.get_mut();
        if splitter.seen > FILE {
            return Err(Fault::TooLarge);
        }
        result.map_err(|_| Fault::MalformedGzip)?;
        Ok(std::mem::take(&mut splitter.found))
    }

    /// Bytes that are held of the record under way.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.unzip.get_ref().record.capacity()
    }
}

/// Cuts `{"Records":[{…},{…}]}` into its elements. Everything outside of the first list is skipped.
#[derive(Default)]
struct Splitter {
    found: Piece,
    record: Vec<u8>,
    /// The record under way is longer than any is, and skipped.
    skipping: bool,
    depth: usize,
    in_text: bool,
    escaped: bool,
    seen: u64,
}

/// The file's object, its list: what is deeper is a record.
const LIST: usize = 2;

impl Splitter {
    /// Whether the file's object ended.
    fn whole(&self) -> bool {
        self.seen > 0 && self.depth == 0 && !self.in_text
    }

    fn why(&self) -> Fault {
        if self.seen == 0 {
            Fault::Incomplete
        } else {
            Fault::NotJson
        }
    }

    fn byte(&mut self, byte: u8) -> io::Result<()> {
        let inside = self.depth > LIST;
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.checked_sub(1).ok_or_else(|| io::Error::other("not JSON"))?;
                }
                _ => {}
            }
        }
        if inside || self.depth > LIST {
            self.keep(byte);
        }
        if inside && self.depth == LIST && !self.in_text {
            self.end();
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        if self.record.len() >= RECORD {
            self.skipping = true;
        }
        if !self.skipping {
            self.record.push(byte);
        }
    }

    fn end(&mut self) {
        let found = if self.skipping {
            Err(Fault::TooLarge)
        } else {
            serde_json::from_slice(&self.record)
                .map_err(|_| Fault::NotJson)
                .and_then(|value| record(&value))
        };
        self.found.push(found);
        self.record.clear();
        self.skipping = false;
    }
}

impl Write for Splitter {
    fn write(&mut self, unzipped: &[u8]) -> io::Result<usize> {
        self.seen += unzipped.len() as u64;
        if self.seen > FILE {
            return Err(io::Error::other("too large"));
        }
        unzipped.iter().try_for_each(|byte| self.byte(*byte))?;
        Ok(unzipped.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
