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
            Inside::Map { entries, key, seen } => match key.take() {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => {
                    let (Data::Plain(text) | Data::Text(text)) = node.data else {
                        let message = "a key that is a list, a map or a function: write text";
                        return Err(Fault {
                            at: node.at,
                            message: message.into(),
                        });
                    };
                    if let Some(first) = seen.insert(text.clone(), node.at.line) {
                        let message = format!("`{text}` stands here twice, first in line {first}: keep one of them");
                        return Err(Fault { at: node.at, message });
                    }
                    *key = Some((text, node.at));
                }
            },
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
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Node, String> {
        parse(text, &"t.yaml".into()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn yaml_and_json_are_read_alike() {
        for (text, value, why) in [
            ("a: 1\nb: [x, 'y']", json!({"a": 1, "b": ["x", "y"]}), "block and flow"),
            (
                "{\"a\": 1, \"b\": [\"x\", \"y\"]}",
                json!({"a": 1, "b": ["x", "y"]}),
                "JSON",
            ),
            (
                "{\"a\":{\"b\":\"c\\/d\"}}",
                json!({"a": {"b": "c/d"}}),
                "JSON without spaces",
            ),
            ("{\n\t\"a\": 1\n}", json!({"a": 1}), "JSON with tabs"),
            (
                "a: yes\nb: 'true'\nc: true",
                json!({"a": "yes", "b": "true", "c": true}),
                "words stay words",
            ),
            ("a: 2012-10-17", json!({"a": "2012-10-17"}), "a date is text"),
            ("a: 012345678901", json!({"a": "012345678901"}), "an account id is text"),
            (
                "a: 0.5\nb: -3\nc: 0\nd: 1e3",
                json!({"a": 0.5, "b": -3, "c": 0, "d": 1000.0}),
                "numbers",
            ),
            ("a:\nb: ~\nc: null", json!({"a": null, "b": null, "c": null}), "nothing"),
            ("a: !Ref X", json!({"a": {"Ref": "X"}}), "a short tag"),
            (
                "a: !Sub ['${x}', {x: !GetAtt B.C}]",
                json!({"a": {"Fn::Sub": ["${x}", {"x": {"Fn::GetAtt": "B.C"}}]}}),
                "tags in tags",
            ),
            (
                "a: !Join\n  - ','\n  - [b]",
                json!({"a": {"Fn::Join": [",", ["b"]]}}),
                "a tag on a block",
            ),
            ("a: !!str 1", json!({"a": "1"}), "a number that shall be text"),
            ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}}), "an alias"),
            (
                "a: &x {b: 1, d: 2}\nc:\n  <<: *x\n  b: 3",
                json!({"a": {"b": 1, "d": 2}, "c": {"b": 3, "d": 2}}),
                "a merge",
            ),
            ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"}), "a block of text"),
        ] {
            let node = read(text).unwrap_or_else(|fault| panic!("{why}: {fault}"));
            assert_eq!(node.json(), value, "{why}");
        }
    }

    #[test]
    fn every_value_knows_its_line() {
        let node = read("a:\n  b: 1\n  c:\n    - x\n    -\n      d: !Sub\n        - y\n").unwrap();
        let c = node.get("a").unwrap().entry("c").unwrap();
        assert_eq!((node.entries()[0].at.line, c.at.line), (1, 3));
        assert_eq!(c.value.items()[0].at.line, 4);
        assert_eq!(c.value.items()[1].entries()[0].at.line, 6);
        assert_eq!(c.at.to_string(), "t.yaml:3");
    }

    #[test]
    fn what_is_no_template_is_answered_with_what_to_write() {
        let aliases = (0..40).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            format!("{text}a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1)
        });
        let ladder = (0..300).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            format!("{text}a{}: &a{} [[[[[*a{n}]]]]]\n", n + 1, n + 1)
        });
        for (text, words, why) in [
            ("", "t.yaml:1: the file is empty", "nothing at all"),
            (
                "# only a comment\n",
                "t.yaml:1: the file is empty",
                "nothing but a comment",
            ),
            ("a: [1, 2", "no YAML or JSON", "a list without end"),
            (
                "a: 1\n b: 2",
                "t.yaml:2: no YAML or JSON",
                "an indentation that fits nothing",
            ),
            ("a: 1\n---\nb: 2", "t.yaml:2: a second document", "two documents"),
            (
                "a: 1\nb: 2\na: 3",
                "t.yaml:3: `a` stands here twice, first in line 1",
                "a key twice",
            ),
            (
                "a: 1\nb: !Rfe X",
                "t.yaml:2: `!Rfe` is no function: write one of And, ",
                "a tag that is no function",
            ),
            (
                "a: !sub X",
                "t.yaml:1: `!sub` is no function: write !Sub or Fn::Sub",
                "a tag in lower case",
            ),
            (
                "a: !!binary aGk=",
                "the tag `tag:yaml.org,2002:binary` means nothing",
                "a tag of YAML that AWS refuses",
            ),
            (
                "? [a]\n: b",
                "t.yaml:1: a key that is a list or a map",
                "a list as a key",
            ),
            ("a: *x", "no YAML or JSON", "an alias of nothing"),
            ("a: &x [*x]", "part of", "an alias of itself"),
            ("a: \"x\\0y\"", "NUL", "text that AWS does not take"),
            (
                &format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)),
                "no YAML or JSON",
                "deep nesting",
            ),
            (&aliases, "aliases", "a few lines that mean billions of values"),
            (
                &ladder,
                "nested deeper than 100 levels",
                "aliases that nest without end",
            ),
        ] {
            let fault = read(text).expect_err(why);
            assert!(fault.contains(words), "{why}: {fault}");
            assert!(fault.len() < 600, "{why}: no longer than a person reads");
        }
        let huge = format!("a: '{}'", "x".repeat(MAX_BYTES));
        assert!(read(&huge).unwrap_err().contains("larger than 8 MiB"));
    }
}
