//! Conditions: which are decided before deployment, and how.

use super::super::node::{Data, Entry, Fault, Mystery, Node};
use super::{Resolver, call};

/// Longest chain of conditions that name each other.
const LONGEST_CHAIN: usize = 32;

/// Whether a condition holds; or why nobody knows.
pub(crate) type Truth = Result<bool, String>;

impl Resolver<'_> {
    /// Whether the condition of this name holds.
    pub fn condition(&self, name: &str, by: &Node) -> Result<Truth, Fault> {
        let known = self.decided.borrow().get(name).cloned();
        match known {
            Some(Some(truth)) => return Ok(truth),
            Some(None) => return Err(by.fault(format!("the condition {name} hangs on itself: break the circle"))),
            None => {}
        }
        let Some(condition) = self.conditions.get(name) else {
            if self.lenient {
                return Ok(Err(format!("the condition {name} is not written here")));
            }
            return Err(by.fault(format!("Conditions has no {name}: write the name of one that it has")));
        };
        let open = self.decided.borrow().values().filter(|truth| truth.is_none()).count();
        if open == LONGEST_CHAIN {
            return Err(by.fault(format!(
                "conditions name each other in a chain of more than {LONGEST_CHAIN}"
            )));
        }
        self.decided.borrow_mut().insert(name.to_owned(), None);
        let truth = self.truth(condition)?;
        self.decided.borrow_mut().insert(name.to_owned(), Some(truth.clone()));
        Ok(truth)
    }

    fn truth(&self, node: &Node) -> Result<Truth, Fault> {
        let named = match node.entries() {
            [Entry { key, value, .. }] if key == "Condition" => Some(value),
            _ => None,
        };
        if let Some(name) = named.and_then(Node::text) {
            return self.condition(name, node);
        }
        let Some((function, argument)) = call(node.entries()) else {
            return match node.truth() {
                Some(truth) => Ok(Ok(truth)),
                None => Err(node.fault("a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")),
            };
        };
        match (function, argument.items()) {
            ("Fn::Equals", [left, right]) => self.equals(left, right),
            ("Fn::Not", [condition]) => Ok(self.truth(condition)?.map(|truth| !truth)),
            ("Fn::And", conditions) if !conditions.is_empty() => self.all(conditions, true),
            ("Fn::Or", conditions) if !conditions.is_empty() => self.all(conditions, false),
            (function, _) => Err(node.fault(format!(
                "{function} is no condition in this form: write Fn::Equals: [a, b], Fn::And: [..], Fn::Or: [..], Fn::Not: [c] or Condition: name"
            ))),
        }
    }

    /// Whether all are as `wanted`: one that is not, decides.
    fn all(&self, conditions: &[Node], wanted: bool) -> Result<Truth, Fault> {
        let mut undecided = None;
        for condition in conditions {
            match self.truth(condition)? {
                Ok(truth) if truth != wanted => return Ok(Ok(truth)),
                Ok(_) => {}
                Err(why) => undecided = undecided.or(Some(why)),
            }
        }
        Ok(undecided.map_or(Ok(wanted), Err))
    }

    fn equals(&self, left: &Node, right: &Node) -> Result<Truth, Fault> {
        let (left, right) = (self.some(left)?, self.some(right)?);
        if let Some(unknown) = left.unknown().or_else(|| right.unknown()) {
            return Ok(Err(self.unknowns.get(unknown).why));
        }
        let same = match (left.text(), right.text()) {
            (Some(left), Some(right)) => left == right,
            // What is written without quotes and empty.
            (None, Some(text)) | (Some(text), None) if left.is_null() || right.is_null() => text.is_empty(),
            _ => left.json() == right.json(),
        };
        Ok(Ok(same))
    }

    /// `Fn::If`.
    pub(super) fn choose(&self, node: &Node, argument: &Node) -> Result<Option<Node>, Fault> {
        let [name, yes, no] = argument.items() else {
            return Err(node.fault("Fn::If takes a condition's name and two values: !If [IsProd, a, b]"));
        };
        let Some(name) = name.text() else {
            return Err(node.fault("Fn::If takes a condition's name first: !If [IsProd, a, b]"));
        };
        match self.condition(name, node)? {
            Ok(true) => self.value(yes),
            Ok(false) => self.value(no),
            Err(why) => {
                let (yes, no) = (self.value(yes)?, self.value(no)?);
                let doubtful = |node: &Option<Node>| match node.as_ref().map(|node| &node.data) {
                    Some(Data::Unknown(unknown)) => !self.unknowns.get(*unknown).certain,
                    found => found.is_none(),
                };
                let certain = !doubtful(&yes) && !doubtful(&no);
                if let (Some(yes), Some(no)) = (&yes, &no)
                    && yes.unknown().is_none()
                    && yes.json() == no.json()
                {
                    return Ok(Some(yes.clone()));
                }
                let why = format!("the condition {name} is not decided: {why}");
                let mystery = Mystery {
                    certain,
                    ..Mystery::certain(why)
                };
                Ok(Some(self.mystery(node, mystery)))
            }
        }
    }
}
