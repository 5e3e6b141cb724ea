//! From a tree with `CloudFormation`'s functions to one without: what is known before deployment stands there as it will be,
//! everything else as one of the [`Unknowns`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::functions;
use super::node::{Data, Entry, Fault, Mystery, Node, Unknowns};
use super::options::Given;

mod conditions;
mod values;

/// Most text that functions may make of one template.
const MOST_TEXT: usize = 64 << 20;

/// Deepest chain of files that include each other.
const MOST_INCLUDES: usize = 4;

/// Answers what is asked for by name: the files that a template includes.
pub(super) trait Files {
    /// The tree of a file beside the one that names it.
    fn read(&self, name: &str, by: &Node) -> Result<Node, Fault>;
}

/// What a template's functions look into.
pub(super) struct Resolver<'a> {
    pub unknowns: &'a Unknowns,
    given: &'a Given,
    files: &'a dyn Files,
    parameters: BTreeMap<&'a str, &'a Node>,
    mappings: Option<&'a Node>,
    conditions: BTreeMap<&'a str, &'a Node>,
    resources: BTreeSet<&'a str>,
    /// Names may be of things that a transform makes.
    lenient: bool,
    decided: RefCell<BTreeMap<String, Option<conditions::Truth>>>,
    room: Cell<usize>,
    included: Cell<usize>,
}

impl<'a> Resolver<'a> {
    pub fn new(
        template: &'a Node,
        given: &'a Given,
        unknowns: &'a Unknowns,
        files: &'a dyn Files,
        lenient: bool,
    ) -> Self {
        let section = |name: &str| template.get(name).map(Node::entries).unwrap_or_default();
        let by_name = |name: &str| section(name).iter().map(|e| (e.key.as_str(), &e.value)).collect();
        Resolver {
            unknowns,
            given,
            files,
            parameters: by_name("Parameters"),
            mappings: template.get("Mappings"),
            conditions: by_name("Conditions"),
            resources: section("Resources").iter().map(|e| e.key.as_str()).collect(),
            lenient,
            decided: RefCell::default(),
            room: Cell::new(MOST_TEXT),
            included: Cell::new(0),
        }
    }

    /// A value without functions. None: it is `AWS::NoValue`.
    pub fn value(&self, node: &Node) -> Result<Option<Node>, Fault> {
        let of = |data| {
            Ok(Some(Node {
                at: node.at.clone(),
                data,
            }))
        };
        match &node.data {
            Data::Plain(text) | Data::Text(text) => {
                self.charge(node, text.len())?;
                Ok(Some(self.dynamic(node, text)))
            }
            Data::List(items) => {
                let mut known = Vec::with_capacity(items.len());
                for item in items {
                    known.extend(self.value(item)?);
                }
                of(Data::List(known))
            }
            Data::Map(entries) => {
                if let Some((name, argument)) = call(entries) {
                    return self.call(node, name, argument);
                }
                if let Some(among) = entries.iter().find(|entry| is_function(&entry.key)) {
                    return self.among(node, among);
                }
                let mut known = Vec::with_capacity(entries.len());
                for Entry { key, at, value } in entries {
                    if let Some(value) = self.value(value)? {
                        let (key, at) = (key.clone(), at.clone());
                        known.push(Entry { key, at, value });
                    }
                }
                of(Data::Map(known))
            }
            Data::Unknown(_) => Ok(Some(node.clone())),
        }
    }

    /// A value that must be there.
    pub fn some(&self, node: &Node) -> Result<Node, Fault> {
        let nothing = Node {
            at: node.at.clone(),
            data: Data::Plain(String::new()),
        };
        Ok(self.value(node)?.unwrap_or(nothing))
    }

    pub fn mystery(&self, node: &Node, mystery: Mystery) -> Node {
        Node::unknown_at(&node.at, self.unknowns.add(mystery))
    }

    fn charge(&self, node: &Node, text: usize) -> Result<(), Fault> {
        let left = self.room.get().checked_sub(text + 16);
        let left = left.ok_or_else(|| {
            node.fault(format!(
                "functions make more than {} MiB of text of this template",
                MOST_TEXT >> 20
            ))
        })?;
        self.room.set(left);
        Ok(())
    }

    /// `{{resolve:ssm:…}}` is looked up when the stack is made.
    fn dynamic(&self, node: &Node, text: &str) -> Node {
        match text.find("{{resolve:") {
            Some(at) => self.mystery(
                node,
                Mystery {
                    starts: text[..at].to_owned(),
                    ..Mystery::certain("CloudFormation looks up {{resolve:…}} when it deploys")
                },
            ),
            None => node.clone(),
        }
    }

    /// A function among other keys.
    fn among(&self, node: &Node, entry: &Entry) -> Result<Option<Node>, Fault> {
        if entry.key == "Fn::Transform" || entry.key.starts_with("Fn::ForEach") {
            let why = format!("{} makes it when CloudFormation deploys", entry.key);
            return Ok(Some(self.mystery(node, Mystery::certain(why))));
        }
        let message = format!("{} stands among other keys: give it a map of its own", entry.key);
        Err(Fault {
            at: entry.at.clone(),
            message,
        })
    }

    fn call(&self, node: &Node, name: &str, argument: &Node) -> Result<Option<Node>, Fault> {
        let unknown = |why: &str| Ok(Some(self.mystery(node, Mystery::certain(why))));
        match name {
            "Ref" => self.reference(node, argument.text().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(node, argument).map(Some),
            "Fn::Sub" => self.substitute(node, argument).map(Some),
            "Fn::Join" => self.join(node, argument).map(Some),
            "Fn::Split" => self.split(node, argument).map(Some),
            "Fn::Select" => self.select(node, argument).map(Some),
            "Fn::FindInMap" => self.find_in_map(node, argument),
            "Fn::If" => self.choose(node, argument),
            "Fn::Length" => self.length(node, argument).map(Some),
            "Fn::ToJsonString" => self.to_json_string(node, argument).map(Some),
            "Fn::Transform" => self.transform(node, argument).map(Some),
            "Fn::ImportValue" => unknown("another stack exports it"),
            "Fn::GetStackOutput" => unknown("it is another stack's output"),
            "Fn::Base64" | "Fn::Cidr" | "Fn::GetAZs" => {
                unknown(&format!("{name} is computed when CloudFormation deploys"))
            }
            name if name.starts_with("Fn::ForEach") => unknown("Fn::ForEach makes it when CloudFormation deploys"),
            name if functions::is_known(name) => Err(node.fault(format!(
                "{name} belongs into Conditions or Rules: write its result here"
            ))),
            name => Err(node.fault(format!("`{name}` is no function: {}", functions::instead(name)))),
        }
    }

    pub fn reference(&self, node: &Node, name: &str) -> Result<Option<Node>, Fault> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(parameter) = self.parameters.get(name) {
            return self.parameter(node, name, parameter).map(Some);
        }
        if let Some(text) = self.given.value(name).filter(|_| name.starts_with("AWS::")) {
            return Ok(Some(Node::text_at(&node.at, text)));
        }
        let why = if name.starts_with("AWS::") {
            super::options::pseudo(name).ok_or_else(|| {
                node.fault(format!(
                    "`{name}` is no pseudo parameter: write one such as AWS::Region"
                ))
            })?
        } else if self.resources.contains(name) || self.lenient {
            format!("AWS gives {name} its id when it is made")
        } else {
            return Err(node.fault(format!(
                "`{name}` is neither a parameter nor a resource of this template: write the name of one"
            )));
        };
        Ok(Some(self.mystery(node, Mystery::of(name, why))))
    }

    fn parameter(&self, node: &Node, name: &str, parameter: &Node) -> Result<Node, Fault> {
        let kind = parameter.text_of("Type").unwrap_or("String");
        let unknown = |why: String| Ok(self.mystery(node, Mystery::certain(why)));
        if kind.starts_with("AWS::SSM::Parameter::Value") {
            return unknown(format!("the parameter {name} names a value of Systems Manager"));
        }
        if parameter.get("NoEcho").and_then(Node::truth) == Some(true) {
            return unknown(format!("the parameter {name} is not to be shown (NoEcho)"));
        }
        let value = self.given.value(name).or_else(|| parameter.text_of("Default"));
        let Some(value) = value else {
            return unknown(format!(
                "the parameter {name} has no Default: give --parameter {name}=VALUE"
            ));
        };
        self.charge(node, value.len())?;
        let data = if kind == "CommaDelimitedList" || kind.starts_with("List<") {
            let members = value.split(',').map(|member| Node::text_at(&node.at, member.trim()));
            Data::List(members.collect())
        } else if kind == "Number" {
            Data::Plain(value.to_owned())
        } else {
            return Ok(self.dynamic(&Node::text_at(&node.at, value), value));
        };
        Ok(Node {
            at: node.at.clone(),
            data,
        })
    }

    fn attribute(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let name = match &argument.data {
            Data::List(items) => {
                let mut parts = Vec::new();
                for item in items {
                    let item = self.some(item)?;
                    match item.text() {
                        Some(part) => parts.push(part.to_owned()),
                        None => {
                            return Ok(self.mystery(node, Mystery::certain("which attribute is meant is not known")));
                        }
                    }
                }
                parts.join(".")
            }
            _ => argument.text().unwrap_or_default().to_owned(),
        };
        self.attribute_of(node, &name)
    }

    fn attribute_of(&self, node: &Node, name: &str) -> Result<Node, Fault> {
        let Some((resource, attribute)) = name.split_once('.').filter(|(_, attribute)| !attribute.is_empty()) else {
            return Err(node.fault("Fn::GetAtt takes a resource and its attribute, as in !GetAtt Api.RootResourceId"));
        };
        if let Some(text) = self.given.value(name) {
            return Ok(Node::text_at(&node.at, text));
        }
        if !self.resources.contains(resource) && !self.lenient {
            return Err(node.fault(format!(
                "`{resource}` is no resource of this template: write the name of one"
            )));
        }
        let why = format!("{resource} has its {attribute} when it is made: assume one by --parameter {name}=VALUE");
        Ok(self.mystery(node, Mystery::of(name, why)))
    }

    /// `AWS::Include` of a local file, as a template holds it before it is packaged.
    fn transform(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let name = argument.text_of("Name").unwrap_or_default();
        let parameters = argument.get("Parameters");
        let location = parameters
            .and_then(|p| p.get("Location"))
            .map(|l| self.some(l))
            .transpose()?;
        match location.as_ref().and_then(Node::text) {
            Some(file) if name == "AWS::Include" && !file.starts_with("s3://") => {
                if self.included.get() == MOST_INCLUDES {
                    return Err(node.fault(format!("files include each other deeper than {MOST_INCLUDES} levels")));
                }
                self.included.set(self.included.get() + 1);
                let included = self.files.read(file, node).and_then(|file| self.some(&file));
                self.included.set(self.included.get() - 1);
                included
            }
            Some(file) if name == "AWS::Include" => Ok(self.mystery(
                node,
                Mystery::certain(format!("it stands in {file}, which is not read")),
            )),
            _ => Ok(self.mystery(
                node,
                Mystery::certain(format!("the macro {name} makes it when CloudFormation deploys")),
            )),
        }
    }

    /// The tree of a file that a property names.
    pub fn file(&self, name: &str, by: &Node) -> Result<Node, Fault> {
        self.files.read(name, by)
    }
}

/// A map that is nothing but a function.
fn call(entries: &[Entry]) -> Option<(&str, &Node)> {
    let [Entry { key, value, .. }] = entries else {
        return None;
    };
    let reference = key == "Ref" && value.text().is_some();
    (reference || is_function(key)).then_some((key.as_str(), value))
}

fn is_function(key: &str) -> bool {
    key.starts_with("Fn::")
}

#[cfg(test)]
mod tests;
