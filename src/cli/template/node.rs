//! A file's tree: every value with the place where it is written.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::judge::cel;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub file: Arc<str>,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What is wrong at a place, and what to write instead.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub at: Place,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// A value at its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Place,
    pub data: Data,
}

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// Written without quotes: text, or a number, a bool or nothing if it looks like one.
    Plain(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it is written.
    Map(Vec<Entry>),
    /// One of the [`Unknowns`].
    Unknown(usize),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub at: Place,
    pub value: Node,
}

impl Node {
    pub fn text_at(at: &Place, text: impl Into<String>) -> Self {
        let data = Data::Text(text.into());
        Node { at: at.clone(), data }
    }

    pub fn unknown_at(at: &Place, unknown: usize) -> Self {
        let data = Data::Unknown(unknown);
        Node { at: at.clone(), data }
    }

    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            at: self.at.clone(),
            message: message.into(),
        }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The members of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// An entry whose value is something.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        let found = self.entries().iter().find(|entry| entry.key == key);
        found.filter(|entry| !entry.value.is_null())
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A scalar as text, however it is written.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Plain(text) if !nothing(text) => Some(text),
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text at a key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Plain(text) if nothing(text))
    }

    pub fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// A bool, however it is written.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<Number> {
        number(self.text()?)
    }

    /// The first unknown at or below it.
    pub fn unknown(&self) -> Option<usize> {
        match &self.data {
            Data::Unknown(unknown) => Some(*unknown),
            Data::List(items) => items.iter().find_map(Node::unknown),
            Data::Map(entries) => entries.iter().find_map(|entry| entry.value.unknown()),
            _ => None,
        }
    }

    /// As JSON, with marks for what is not known.
    pub fn json(&self) -> Value {
        match &self.data {
            Data::Plain(text) => match text.as_str() {
                text if nothing(text) => Value::Null,
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                text => number(text).map_or_else(|| text.into(), Value::Number),
            },
            Data::Text(text) => text.as_str().into(),
            Data::List(items) => items.iter().map(Node::json).collect(),
            Data::Map(entries) => {
                let fields: Map<String, Value> = entries.iter().map(|e| (e.key.clone(), e.value.json())).collect();
                Value::Object(fields)
            }
            Data::Unknown(unknown) => mark(*unknown),
        }
    }
}

fn nothing(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

fn number(text: &str) -> Option<Number> {
    let digits = text.trim_start_matches(['-', '+']);
    if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
        return None; // an account id, not a number
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.len() > 32 {
        return None;
    }
    text.parse::<i64>()
        .map(Number::from)
        .ok()
        .or_else(|| text.parse::<u64>().map(Number::from).ok())
        .or_else(|| Number::from_f64(text.parse().ok()?))
}

/// What stands in JSON for something that is not known. No file can hold such text.
pub(super) fn mark(unknown: usize) -> Value {
    format!("\u{0}{unknown}\u{0}").into()
}

/// The unknown that a text is a mark of.
pub(super) fn marked(text: &str) -> Option<usize> {
    text.strip_prefix('\u{0}')?.strip_suffix('\u{0}')?.parse().ok()
}

/// Something that is not known before deployment.
#[derive(Clone, Debug)]
pub(super) struct Mystery {
    /// Why, and what to do about it.
    pub why: String,
    /// The text that it surely begins with; empty: it may not even be text.
    pub starts: String,
    /// Whether there surely is a value at all.
    pub certain: bool,
    /// What it is the id or an attribute of: `Api` or `Api.RootResourceId`.
    pub refers: Option<String>,
}

impl Mystery {
    pub fn certain(why: impl Into<String>) -> Self {
        Mystery {
            why: why.into(),
            starts: String::new(),
            certain: true,
            refers: None,
        }
    }

    pub fn of(refers: impl Into<String>, why: impl Into<String>) -> Self {
        Mystery {
            refers: Some(refers.into()),
            ..Mystery::certain(why)
        }
    }
}

/// Everything that is not known, by number.
#[derive(Debug, Default)]
pub(super) struct Unknowns(RefCell<Vec<Mystery>>);

impl Unknowns {
    pub fn add(&self, mystery: Mystery) -> usize {
        let mut all = self.0.borrow_mut();
        all.push(mystery);
        all.len() - 1
    }

    /// Adds one, and gives its mark.
    pub fn mark(&self, mystery: Mystery) -> Value {
        mark(self.add(mystery))
    }

    pub fn get(&self, unknown: usize) -> Mystery {
        let all = self.0.borrow();
        all.get(unknown)
            .cloned()
            .unwrap_or_else(|| Mystery::certain("nobody knows"))
    }

    /// What a value refers to.
    pub fn refers(&self, node: &Node) -> Option<String> {
        match node.data {
            Data::Unknown(unknown) => self.get(unknown).refers,
            _ => None,
        }
    }

    /// Why a JSON value is not known.
    pub fn why(&self, value: Option<&Value>) -> Option<String> {
        let unknown = marked(value?.as_str()?)?;
        Some(self.get(unknown).why)
    }

    /// What the judge is told of a mark.
    pub fn find(&self, text: &str) -> Option<cel::Unknown> {
        let Mystery {
            why,
            starts,
            certain,
            refers: _,
        } = self.get(marked(text)?);
        Some(cel::Unknown { why, starts, certain })
    }
}
