//! Functions that make texts and lists of others, and take them apart.

use super::super::node::{Data, Fault, Mystery, Node};
use super::super::text::{self, Piece};
use super::Resolver;

impl Resolver<'_> {
    pub(super) fn substitute(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let (template, names) = match (&argument.data, argument.items()) {
            (_, [template, names]) => (template.text(), names.entries()),
            (_, [template]) => (template.text(), Default::default()),
            (Data::List(_), _) => (None, Default::default()),
            _ => (argument.text(), Default::default()),
        };
        let Some(template) = template else {
            return Err(node.fault("Fn::Sub takes text, or a list of text and a map: !Sub 'https://${Host}/'"));
        };
        let mut values = Vec::new();
        for piece in text::pieces(template) {
            values.push(match piece {
                Piece::Text(text) => Node::text_at(&node.at, text),
                Piece::Name(name) => match names.iter().find(|entry| entry.key == name) {
                    Some(entry) => self.some(&entry.value)?,
                    None if name.contains('.') => self.attribute_of(node, name)?,
                    None => self
                        .reference(node, name)?
                        .unwrap_or_else(|| Node::text_at(&node.at, "")),
                },
            });
        }
        self.together(node, &values, "")
    }

    pub(super) fn join(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let [delimiter, list] = argument.items() else {
            return Err(node.fault("Fn::Join takes a delimiter and a list: !Join ['/', [a, b]]"));
        };
        let (delimiter, list) = (self.some(delimiter)?, self.some(list)?);
        match (delimiter.text(), &list.data) {
            (Some(delimiter), Data::List(values)) => self.together(node, values, delimiter),
            // A plain empty text looks like nothing.
            (None, Data::List(values)) if delimiter.is_null() => self.together(node, values, ""),
            (_, Data::Unknown(unknown)) => Ok(self.mystery(node, Mystery::certain(self.unknowns.get(*unknown).why))),
            _ => Err(node.fault("Fn::Join takes a delimiter and a list: !Join ['/', [a, b]]")),
        }
    }

    /// One text of several. What comes before the first that is not known, is known.
    pub(super) fn together(&self, node: &Node, values: &[Node], between: &str) -> Result<Node, Fault> {
        if let [
            only @ Node {
                data: Data::Unknown(_), ..
            },
        ] = values
        {
            return Ok(Node::unknown_at(&node.at, only.unknown().unwrap_or_default()));
        }
        let mut text = String::new();
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                text.push_str(between);
            }
            self.charge(node, text.len() / 8)?;
            match &value.data {
                Data::Unknown(unknown) => {
                    let Mystery { why, starts, .. } = self.unknowns.get(*unknown);
                    text.push_str(&starts);
                    let mystery = Mystery {
                        starts: text,
                        ..Mystery::certain(why)
                    };
                    return Ok(self.mystery(node, mystery));
                }
                Data::List(_) | Data::Map(_) => {
                    return Err(node.fault("a list or a map is put into a text: join it first"));
                }
                _ => text.push_str(value.text().unwrap_or_default()),
            }
        }
        self.charge(node, text.len())?;
        Ok(self.dynamic(&Node::text_at(&node.at, text.as_str()), &text))
    }

    pub(super) fn split(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let usage = || node.fault("Fn::Split takes a delimiter and a text: !Split [',', 'a,b']");
        let [delimiter, text] = argument.items() else {
            return Err(usage());
        };
        let text = self.some(text)?;
        if let Data::Unknown(unknown) = text.data {
            return Ok(self.mystery(node, Mystery::certain(self.unknowns.get(unknown).why)));
        }
        let delimiter = delimiter
            .text()
            .filter(|delimiter| !delimiter.is_empty())
            .ok_or_else(usage)?;
        let parts = text.text().ok_or_else(usage)?.split(delimiter);
        let parts = parts.map(|part| Node::text_at(&node.at, part)).collect();
        Ok(Node {
            at: node.at.clone(),
            data: Data::List(parts),
        })
    }

    pub(super) fn select(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let usage = || node.fault("Fn::Select takes a place and a list: !Select [0, [a, b]]");
        let [place, list] = argument.items() else {
            return Err(usage());
        };
        let (place, list) = (self.some(place)?, self.some(list)?);
        if let Some(Data::Unknown(unknown)) = [&place, &list]
            .map(|n| &n.data)
            .into_iter()
            .find(|d| matches!(d, Data::Unknown(_)))
        {
            return Ok(self.mystery(node, Mystery::certain(self.unknowns.get(*unknown).why)));
        }
        let place: usize = place.text().and_then(|place| place.parse().ok()).ok_or_else(usage)?;
        let members = list.items();
        let found = members.get(place).ok_or_else(|| {
            node.fault(format!(
                "Fn::Select asks for place {place} of a list of {}: the first is 0",
                members.len()
            ))
        })?;
        Ok(Node {
            at: node.at.clone(),
            data: found.data.clone(),
        })
    }

    pub(super) fn find_in_map(&self, node: &Node, argument: &Node) -> Result<Option<Node>, Fault> {
        let usage = "Fn::FindInMap takes a map and two keys: !FindInMap [Map, first, second]";
        let (keys, fallback) = match argument.items() {
            keys @ [_, _, _] => (keys, None),
            [keys @ .., options] if keys.len() == 3 => (keys, options.get("DefaultValue")),
            _ => return Err(node.fault(usage)),
        };
        let mut at = self.mappings;
        let mut names = Vec::new();
        for key in keys {
            let key = self.some(key)?;
            if let Data::Unknown(unknown) = key.data {
                return Ok(Some(
                    self.mystery(node, Mystery::certain(self.unknowns.get(unknown).why)),
                ));
            }
            let key = key.text().ok_or_else(|| node.fault(usage))?.to_owned();
            at = at.and_then(|map| map.get(&key));
            names.push(key);
        }
        let here = |found: Node| Node {
            at: node.at.clone(),
            data: found.data,
        };
        match (at, fallback) {
            // Mappings hold values as they are.
            (Some(found), _) => Ok(Some(here(found.clone()))),
            (None, Some(fallback)) => Ok(self.value(fallback)?.map(here)),
            (None, None) => Err(node.fault(format!(
                "Mappings has no {}: write a key that it has",
                names.join(" / ")
            ))),
        }
    }

    pub(super) fn length(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let list = self.some(argument)?;
        match &list.data {
            Data::List(items) => Ok(Node {
                at: node.at.clone(),
                data: Data::Plain(items.len().to_string()),
            }),
            Data::Unknown(unknown) => Ok(self.mystery(node, Mystery::certain(self.unknowns.get(*unknown).why))),
            _ => Err(node.fault("Fn::Length takes a list")),
        }
    }

    pub(super) fn to_json_string(&self, node: &Node, argument: &Node) -> Result<Node, Fault> {
        let value = self.some(argument)?;
        Ok(match value.unknown() {
            Some(unknown) => self.mystery(node, Mystery::certain(self.unknowns.get(unknown).why)),
            None => Node::text_at(&node.at, value.json().to_string()),
        })
    }
}
