//! A trail's file as a stream: gunzipped piece by piece, cut into its records. Never more than one record is held.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::record;
use crate::inventory::events::{Fault, Item};

/// `CloudTrail`'s records have at most 256 KiB.
pub const RECORD: usize = 1024 * 1024;
/// So much is unzipped of one file. `CloudTrail` writes one each few minutes: real ones have some MiB.
const FILE: u64 = 256 * 1024 * 1024;

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A longer record is skipped.
    pub record: usize,
    /// A longer file, unzipped, is not read on.
    pub file: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            record: RECORD,
            file: FILE,
        }
    }
}

/// A file that is being read. Each of its records is handed on as soon as it is there: what was understood of it, or why
/// it was not.
pub struct Records {
    unzip: MultiGzDecoder<Splitter>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Default for Records {
    fn default() -> Self {
        Records::new(Limits::default())
    }
}

impl Records {
    /// A file from its beginning.
    pub fn new(limits: Limits) -> Self {
        Records {
            unzip: MultiGzDecoder::new(Splitter {
                limits,
                found: Vec::new(),
                record: Vec::new(),
                skipping: false,
                key: Vec::new(),
                list: List::Before,
                depth: 0,
                text: Text::Outside,
                seen: 0,
                broken: None,
            }),
        }
    }

    /// Reads a piece, as it came.
    ///
    /// # Errors
    /// When it is no gzip, no such file, or too much: then it is not to be read on.
    pub fn push(&mut self, mut zipped: &[u8], each: &mut dyn FnMut(Result<Item, Fault>)) -> Result<(), Fault> {
        // One write unzips no more than a small buffer, however much the piece comes to.
        while !zipped.is_empty() {
            let written = self.unzip.write(zipped);
            self.hand_on(each);
            match written {
                Ok(0) | Err(_) => return Err(self.why()),
                Ok(taken) => zipped = &zipped[taken..],
            }
        }
        Ok(())
    }

    /// The file is at its end.
    ///
    /// # Errors
    /// When it broke off.
    pub fn finish(mut self, each: &mut dyn FnMut(Result<Item, Fault>)) -> Result<(), Fault> {
        let ended = self.unzip.try_finish();
        self.hand_on(each);
        if ended.is_err() {
            return Err(self.why());
        }
        let splitter = self.unzip.get_ref();
        if splitter.depth > 0 {
            return Err(Fault::NotJson);
        }
        if splitter.list == List::Behind {
            Ok(())
        } else {
            Err(Fault::Incomplete)
        }
    }

    fn hand_on(&mut self, each: &mut dyn FnMut(Result<Item, Fault>)) {
        self.unzip.get_mut().found.drain(..).for_each(each);
    }

    fn why(&self) -> Fault {
        self.unzip.get_ref().broken.unwrap_or(Fault::MalformedGzip)
    }

    /// Bytes that are held of it.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let splitter = self.unzip.get_ref();
        splitter.record.capacity() + splitter.found.capacity() * size_of::<Result<Item, Fault>>()
    }
}

/// Cuts `{"Records":[{…},{…}]}` into its records. Whatever else such an object holds is skipped.
struct Splitter {
    limits: Limits,
    found: Vec<Result<Item, Fault>>,
    /// The record under way.
    record: Vec<u8>,
    /// It is longer than any is, and skipped.
    skipping: bool,
    /// The last text of the file's object: what a list is called.
    key: Vec<u8>,
    list: List,
    depth: usize,
    text: Text,
    seen: u64,
    broken: Option<Fault>,
}

/// Where the reading is by the list of records.
#[derive(Clone, Copy, PartialEq)]
enum List {
    Before,
    Within,
    Behind,
}

/// Where it is by a text.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

const RECORDS: &[u8] = b"Records";
/// The file's object.
const OBJECT: usize = 1;
/// The file's object, its list: what is deeper is a record.
const LIST: usize = 2;

impl Splitter {
    fn byte(&mut self, byte: u8) -> Result<(), Fault> {
        let inside = self.in_record();
        match self.text {
            Text::Outside => self.sign(byte)?,
            Text::Inside | Text::Escaped => self.letter(byte),
        }
        let still = self.in_record();
        if inside || still {
            self.keep(byte);
        }
        if inside && !still {
            self.end();
        }
        Ok(())
    }

    fn in_record(&self) -> bool {
        self.list == List::Within && self.depth > LIST
    }

    /// A byte within a text.
    fn letter(&mut self, byte: u8) {
        self.text = match (self.text, byte) {
            (Text::Inside, b'\\') => Text::Escaped,
            (Text::Inside, b'"') => Text::Outside,
            _ => Text::Inside,
        };
        if self.text == Text::Outside {
            return;
        }
        // One more than is looked for: a longer one is another.
        if self.depth == OBJECT && self.key.len() <= RECORDS.len() {
            self.key.push(byte);
        }
    }

    /// A byte outside of texts.
    fn sign(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'{' | b'[' => {
                match self.depth {
                    0 if byte == b'[' => return Err(Fault::UnknownShape),
                    OBJECT if byte == b'[' && self.key == RECORDS => self.list = List::Within,
                    _ => {}
                }
                self.depth += 1;
            }
            _ if self.depth == 0 => return Err(Fault::NotJson),
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == OBJECT && self.list == List::Within {
                    self.list = List::Behind;
                }
            }
            b',' if self.depth == OBJECT => self.key.clear(),
            b',' => {}
            // No record is a number or a text.
            _ if self.list == List::Within && self.depth == LIST => return Err(Fault::UnknownShape),
            b'"' => {
                self.text = Text::Inside;
                if self.depth == OBJECT {
                    self.key.clear();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        self.skipping |= self.record.len() >= self.limits.record;
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

    fn take(&mut self, unzipped: &[u8]) -> Result<(), Fault> {
        self.seen += unzipped.len() as u64;
        if self.seen > self.limits.file {
            return Err(Fault::TooLarge);
        }
        unzipped.iter().try_for_each(|byte| self.byte(*byte))
    }
}

impl Write for Splitter {
    fn write(&mut self, unzipped: &[u8]) -> io::Result<usize> {
        if self.broken.is_none() {
            self.broken = self.take(unzipped).err();
        }
        match self.broken {
            Some(_) => Err(io::Error::other("not read on")),
            None => Ok(unzipped.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
