//! From text to a tree. YAML and JSON alike, as JSON is YAML; within bounds, as files are other people's text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::functions;
use super::node::{Data, Entry, Fault, Node, Place};

/// Largest file. AWS takes 1 MB of a template and 6 MB of an API's definition.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// Most values in a file, with those that aliases repeat.
const MAX_NODES: usize = 500_000;
/// Deepest nesting, with that which aliases bring.
const MAX_DEPTH: usize = 100;

/// Reads a file's text.
pub(super) fn parse(text: &str, file: &Arc<str>) -> Result<Node, Fault> {
    let begin = Place {
        file: file.clone(),
        line: 1,
    };
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB: AWS takes less", MAX_BYTES >> 20);
        return Err(Fault { at: begin, message });
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        file: file.clone(),
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Fault {
            at: builder.place(error.marker().line()),
            message: format!("no YAML or JSON: {}", error.info()),
        })?;
        builder.event(event, span.start.line())?;
    }
    builder.root.map(|part| part.node).ok_or_else(|| Fault {
        at: begin,
        message: "the file is empty: write a template or an OpenAPI document".into(),
    })
}

/// A finished value, with what it weighs.
#[derive(Clone)]
struct Part {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A list or a map whose end is still to come.
struct Open {
    at: Place,
    anchor: usize,
    tag: Option<Tag>,
    inside: Inside,
    nodes: usize,
    depth: usize,
}

enum Inside {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Place)>,
        seen: BTreeMap<String, usize>,
    },
}

struct Builder {
    file: Arc<str>,
    open: Vec<Open>,
    anchors: HashMap<usize, Part>,
    nodes: usize,
    root: Option<Part>,
    documents: usize,
}

impl Builder {
    fn place(&self, line: usize) -> Place {
        Place {
            file: self.file.clone(),
            line: line.max(1),
        }
    }

    fn fault(&self, line: usize, message: impl Into<String>) -> Fault {
        Fault {
            at: self.place(line),
            message: message.into(),
        }
    }

    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.fault(line, "a second document: write one template in a file"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, line)?;
                let text = text.into_owned();
                if text.contains('\u{0}') {
                    return Err(self.fault(line, "a text with a NUL in it: AWS takes none"));
                }
                let at = self.place(line);
                let data = match style {
                    ScalarStyle::Plain => Data::Plain(text),
                    _ => Data::Text(text),
                };
                let part = Part {
                    node: Node { at, data },
                    nodes: 1,
                    depth: 1,
                };
                self.finish(part, anchor, tag.as_deref())
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(
                line,
                anchor,
                tag.map(std::borrow::Cow::into_owned),
                Inside::List(Vec::new()),
            ),
            Event::MappingStart(_, anchor, tag) => {
                let inside = Inside::Map {
                    entries: Vec::new(),
                    key: None,
                    seen: BTreeMap::new(),
                };
                self.begin(line, anchor, tag.map(std::borrow::Cow::into_owned), inside)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(part) => {
                    self.count(part.nodes, line)?;
                    self.finish(part, 0, None)
                }
                None => Err(self.fault(line, "an alias of something that it is itself a part of")),
            },
            _ => Ok(()),
        }
    }

    fn count(&mut self, more: usize, line: usize) -> Result<(), Fault> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, with those that aliases repeat: use fewer aliases");
            return Err(self.fault(line, message));
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, anchor: usize, tag: Option<Tag>, inside: Inside) -> Result<(), Fault> {
        if matches!(self.open.last().map(|o| &o.inside), Some(Inside::Map { key: None, .. })) {
            return Err(self.fault(line, "a key that is a list or a map: write text"));
        }
        self.count(1, line)?;
        self.open.push(Open {
            at: self.place(line),
            anchor,
            tag,
            inside,
            nodes: 1,
            depth: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let data = match open.inside {
            Inside::List(items) => Data::List(items),
            Inside::Map { entries, .. } => Data::Map(merged(entries)),
        };
        let part = Part {
            node: Node { at: open.at, data },
            nodes: open.nodes,
            depth: open.depth + 1,
        };
        self.finish(part, open.anchor, open.tag.as_ref())
    }

    fn finish(&mut self, mut part: Part, anchor: usize, tag: Option<&Tag>) -> Result<(), Fault> {
        let line = part.node.at.line;
        if let Some(tag) = tag {
            part.node = tagged(tag, part.node)?;
            part.depth += 1;
        }
        if part.depth + self.open.len() > MAX_DEPTH {
            return Err(self.fault(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, part.clone());
        }
        self.add(part)
    }

    fn add(&mut self, part: Part) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(part);
            return Ok(());
        };
        open.nodes += part.nodes;
        open.depth = open.depth.max(part.depth);
        let node = part.node;
        match &mut open.inside {
            Inside::List(items) => items.push(node),
            Inside::Map { entries, key, seen } => {
                if let Some((key, at)) = key.take() {
                    entries.push(Entry { key, at, value: node });
                    return Ok(());
                }
                let at = node.at;
                let (Data::Plain(text) | Data::Text(text)) = node.data else {
                    let message = "a key that is a list, a map or a function: write text".to_owned();
                    return Err(Fault { at, message });
                };
                if let Some(first) = seen.insert(text.clone(), at.line) {
                    let message = format!("`{text}` stands here twice, first in line {first}: keep one of them");
                    return Err(Fault { at, message });
                }
                *key = Some((text, at));
            }
        }
        Ok(())
    }
}

/// With what the key `<<` brings, where the map has no such key itself.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let maps = match &merge.value.data {
            Data::List(items) => items.iter().collect(),
            _ => vec![&merge.value],
        };
        for entry in maps.into_iter().flat_map(Node::entries) {
            if !own.iter().any(|known| known.key == entry.key) {
                own.push(entry.clone());
            }
        }
    }
    own
}

/// What a tag makes of a value: `!Ref X` is `{Ref: X}`.
fn tagged(tag: &Tag, node: Node) -> Result<Node, Fault> {
    let at = node.at.clone();
    match (tag.core_suffix(), tag.parts()) {
        (Some("str"), _) | (None, ("" | "!", "" | "!")) => Ok(match node.data {
            Data::Plain(text) => Node::text_at(&at, text),
            _ => node,
        }),
        (Some("int" | "float" | "bool" | "null"), _) => Ok(match node.data {
            Data::Text(text) => Node {
                at,
                data: Data::Plain(text),
            },
            _ => node,
        }),
        (Some(_), _) => Ok(node),
        (None, ("!", short)) => match functions::long(short) {
            Some(long) => Ok(Node {
                at: at.clone(),
                data: Data::Map(vec![Entry {
                    key: long.into(),
                    at,
                    value: node,
                }]),
            }),
            None => Err(Fault {
                at,
                message: format!("`!{short}` is no function: {}", functions::instead(short)),
            }),
        },
        _ => Err(Fault {
            at,
            message: format!("the tag `{tag}` means nothing to CloudFormation: leave it out"),
        }),
    }
}

#[cfg(test)]
mod tests;
