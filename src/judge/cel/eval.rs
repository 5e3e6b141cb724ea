//! The evaluation, within a budget.
//!
//! cel's own interpreter is not used: it knows no limit, copies the part of a document that a selection stands on,
//! takes a selection from a string for `false`, and walks over maps in an order that changes from run to run.
//! Its parser, values and functions are. Depth is bounded when compiling, so recursion here is safe.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, KeyRef, Map};

use super::document::{kind, to_json, weight};
use super::error::EvalError;
use super::ir::{Arithmetic, Native, Node, Quantifier, Relation, Variable};
use super::limits::{Budget, MAX_WEIGHT};
use super::{Scope, library, ops};
use crate::judge::iam;

type Result<T> = std::result::Result<T, EvalError>;

/// Evaluates a whole expression.
pub(super) fn evaluate(node: &Node, scope: &Scope<'_>) -> Result<Value> {
    Evaluation {
        scope,
        budget: Budget::new(),
        locals: Vec::new(),
    }
    .value(node)
}

struct Evaluation<'a> {
    scope: &'a Scope<'a>,
    budget: Budget,
    locals: Vec<Value>,
}

impl Evaluation<'_> {
    fn value(&mut self, node: &Node) -> Result<Value> {
        self.budget.step()?;
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Variable(variable) => self.variable(*variable),
            Node::Local(place) => Ok(self.locals.get(*place).cloned().unwrap_or(Value::Null)),
            Node::Select { of, key, test, path } => self.select(of, key, *test, path.as_ref()),
            Node::Index { of, at, path } => self.index(of, at, path.as_ref()),
            Node::And(left, right) => self.both(left, right, false),
            Node::Or(left, right) => self.both(left, right, true),
            Node::Not(operand) => self.truth(operand, "!").map(|truth| Value::Bool(!truth)),
            Node::Negate(operand) => ops::negate(&self.value(operand)?),
            Node::Conditional(parts) => self.conditional(parts),
            Node::Chain(first, links) => self.chain(first, links),
            Node::Relation(relation, left, right) => self.relation(*relation, left, right),
            Node::List(nodes) => self.list(nodes),
            Node::Map(entries) => self.map(entries),
            Node::Quantify { which, range, body } => self.quantify(*which, range, body),
            Node::Collect { range, filter, item } => self.collect(range, filter.as_deref(), item),
            Node::TransformMap { range, filter, result } => self.transform_map(range, filter.as_deref(), result),
            Node::Native(native, nodes) => self.native(*native, nodes),
            Node::Library { name, call, arguments } => {
                let arguments = self.values(arguments)?;
                self.library(name, call, arguments)
            }
        }
    }

    fn values(&mut self, nodes: &[Node]) -> Result<Vec<Value>> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn truth(&mut self, node: &Node, place: &str) -> Result<bool> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(EvalError::type_of(format!(
                "`{place}` needs a bool, not {}",
                kind(&other)
            ))),
        }
    }

    fn variable(&self, variable: Variable) -> Result<Value> {
        Ok(match variable {
            Variable::Object => self.scope.object.value().clone(),
            Variable::Previous => self
                .scope
                .previous
                .map_or(Value::Null, |document| document.value().clone()),
            Variable::Endpoint => self.scope.endpoint.value().clone(),
            Variable::Account => self.scope.account.value().clone(),
            Variable::Params => self.scope.params.value().clone(),
            Variable::Stage => self.scope.stage.map_or(Value::Null, Value::from),
            Variable::Now => {
                let now = self
                    .scope
                    .now
                    .ok_or_else(|| EvalError::other("`now` is not known here"))?;
                let call = library::call(None, "timestamp", false, 1);
                library::invoke("timestamp", &call, vec![Value::from(now.to_string())])?
            }
        })
    }

    fn select(&mut self, of: &Node, key: &Arc<String>, test: bool, path: Option<&String>) -> Result<Value> {
        match self.value(of)? {
            Value::Map(map) => match map.get(&KeyRef::String(key.as_str())) {
                found if test => Ok(Value::Bool(found.is_some())),
                Some(value) => Ok(value.clone()),
                None => Err(EvalError::NoSuchKey {
                    key: key.to_string(),
                    path: path.cloned(),
                }),
            },
            other => {
                let path = path.map_or_else(String::new, |path| format!(" in {path}"));
                Err(EvalError::type_of(format!(
                    "{} has no field `{key}`{path}",
                    kind(&other)
                )))
            }
        }
    }

    fn index(&mut self, of: &Node, at: &Node, path: Option<&String>) -> Result<Value> {
        let (of, at) = (self.value(of)?, self.value(at)?);
        ops::index(&of, &at)?.ok_or_else(|| match (&at, path) {
            (Value::String(key), _) => EvalError::other(format!(
                "no such key `{key}`: guard it with `'{key}' in {}`",
                path.and_then(|path| path.rsplit_once('['))
                    .map_or("the map", |(map, _)| map)
            )),
            _ => EvalError::NoSuchKey {
                key: format!("{at:?}"),
                path: None,
            },
        })
    }

    /// `&&` and `||`: a side that decides makes the other side's error not matter. Limits always matter.
    fn both(&mut self, left: &Node, right: &Node, decides: bool) -> Result<Value> {
        let name = if decides { "||" } else { "&&" };
        let left = self.truth(left, name);
        if left == Ok(decides) || left.as_ref().is_err_and(EvalError::is_limit) {
            return left.map(Value::Bool);
        }
        match (left, self.truth(right, name)) {
            (_, Ok(right)) if right == decides => Ok(Value::Bool(decides)),
            (_, Err(error)) if error.is_limit() => Err(error),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(right)) => Ok(Value::Bool(right)),
        }
    }

    fn conditional(&mut self, [condition, yes, no]: &[Node; 3]) -> Result<Value> {
        if self.truth(condition, "?:")? {
            self.value(yes)
        } else {
            self.value(no)
        }
    }

    fn chain(&mut self, first: &Node, links: &[(Arithmetic, Node)]) -> Result<Value> {
        let mut result = self.value(first)?;
        for (operator, node) in links {
            let operand = self.value(node)?;
            if *operator == Arithmetic::Add {
                self.room(&result, &operand)?;
            }
            result = ops::arithmetic(*operator, result, operand)?;
        }
        Ok(result)
    }

    fn room(&mut self, left: &Value, right: &Value) -> Result<()> {
        if matches!(left, Value::String(_) | Value::List(_) | Value::Bytes(_)) {
            let weight = weight(left, MAX_WEIGHT) + weight(right, MAX_WEIGHT);
            self.built(weight, "`+`")?;
        }
        Ok(())
    }

    fn built(&mut self, weight: usize, what: &str) -> Result<()> {
        self.budget.work(weight)?;
        if weight > MAX_WEIGHT {
            return Err(EvalError::limit(format!("{what} built a value larger than 1 MiB")));
        }
        Ok(())
    }

    fn relation(&mut self, relation: Relation, left: &Node, right: &Node) -> Result<Value> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let wide = |value: &Value| {
            matches!(
                value,
                Value::List(_) | Value::Map(_) | Value::String(_) | Value::Bytes(_)
            )
        };
        if wide(&right) && !(matches!(right, Value::Map(_)) && relation == Relation::In) {
            self.budget.work(weight(&right, MAX_WEIGHT))?;
        }
        ops::relate(relation, &left, &right).map(Value::Bool)
    }

    fn list(&mut self, nodes: &[Node]) -> Result<Value> {
        let list = Value::List(Arc::new(self.values(nodes)?));
        self.built(weight(&list, MAX_WEIGHT), "a list")?;
        Ok(list)
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result<Value> {
        let mut map = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.value(key)?;
            let kind = kind(&key);
            let key: Key = key
                .try_into()
                .map_err(|_| EvalError::type_of(format!("{kind} cannot be the key of a map")))?;
            map.insert(key, self.value(value)?);
        }
        let map = Value::Map(Map { map: Arc::new(map) });
        self.built(weight(&map, MAX_WEIGHT), "a map")?;
        Ok(map)
    }

    /// Runs `each` for every element, with the element on the stack of loops, until it says stop.
    fn walk(&mut self, range: &Node, mut each: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        let range = self.value(range)?;
        let elements = ops::elements(&range)?;
        self.budget.work(elements.len())?;
        for element in elements.iter() {
            self.locals.push(element.clone());
            let goes_on = each(self);
            self.locals.pop();
            if !goes_on? {
                break;
            }
        }
        Ok(())
    }

    fn quantify(&mut self, which: Quantifier, range: &Node, body: &Node) -> Result<Value> {
        let name = match which {
            Quantifier::All => "all",
            Quantifier::Exists => "exists",
            Quantifier::ExistsOne => "exists_one",
        };
        let (mut found, mut trouble) = (0_u64, None);
        self.walk(range, |evaluation| match evaluation.truth(body, name) {
            Ok(truth) => {
                let counts = truth == (which != Quantifier::All);
                found += u64::from(counts);
                Ok(which == Quantifier::ExistsOne || !counts)
            }
            Err(error) if error.is_limit() || which == Quantifier::ExistsOne => Err(error),
            Err(error) => {
                trouble.get_or_insert(error);
                Ok(true)
            }
        })?;
        match (which, found, trouble) {
            (Quantifier::ExistsOne, found, _) => Ok(Value::Bool(found == 1)),
            (_, 0, Some(error)) => Err(error),
            (which, found, _) => Ok(Value::Bool((found > 0) == (which == Quantifier::Exists))),
        }
    }

    fn collect(&mut self, range: &Node, filter: Option<&Node>, item: &Node) -> Result<Value> {
        let (mut items, mut total) = (Vec::new(), 8);
        self.walk(range, |evaluation| {
            if let Some(filter) = filter
                && !evaluation.truth(filter, "filter")?
            {
                return Ok(true);
            }
            let value = evaluation.value(item)?;
            let weight = weight(&value, MAX_WEIGHT);
            total += weight;
            evaluation.budget.work(weight)?;
            evaluation.built(if total > MAX_WEIGHT { total } else { 0 }, "a macro")?;
            items.push(value);
            Ok(true)
        })?;
        Ok(Value::List(Arc::new(items)))
    }

    fn transform_map(&mut self, range: &Node, filter: Option<&Node>, result: &Node) -> Result<Value> {
        let range = self.value(range)?;
        let Value::Map(entries) = &range else {
            let kind = kind(&range);
            return Err(EvalError::type_of(format!(
                "transformMap walks over maps, not over {kind}"
            )));
        };
        let mut sorted: Vec<_> = entries.map.iter().collect();
        sorted.sort_by_key(|(key, _)| *key);
        self.budget.work(sorted.len())?;
        let (mut results, mut total) = (HashMap::new(), 8);
        for (key, value) in sorted {
            self.locals.extend([Value::from(key), value.clone()]);
            let entry = self.filtered(filter, result);
            self.locals.truncate(self.locals.len() - 2);
            if let Some(entry) = entry? {
                let weight = weight(&Value::from(key), MAX_WEIGHT) + weight(&entry, MAX_WEIGHT);
                total += weight;
                self.budget.work(weight)?;
                self.built(if total > MAX_WEIGHT { total } else { 0 }, "a macro")?;
                results.insert(key.clone(), entry);
            }
        }
        Ok(Value::Map(Map { map: Arc::new(results) }))
    }

    fn filtered(&mut self, filter: Option<&Node>, result: &Node) -> Result<Option<Value>> {
        match filter {
            Some(filter) if !self.truth(filter, "transformMap")? => Ok(None),
            _ => self.value(result).map(Some),
        }
    }

    fn native(&mut self, native: Native, nodes: &[Node]) -> Result<Value> {
        if matches!(native, Native::Denies | Native::Allows) {
            return self.iam(native, nodes);
        }
        let values = self.values(nodes)?;
        let [value, rest @ ..] = values.as_slice() else {
            return Ok(Value::Null);
        };
        match (native, value, rest) {
            (Native::Dyn, value, _) => Ok(value.clone()),
            (Native::Size, value, _) => {
                if let Value::String(text) = value {
                    self.budget.work(text.len())?;
                }
                ops::size(value)
            }
            (Native::StartsWith, Value::String(text), [Value::String(part)]) => {
                Ok(Value::Bool(text.starts_with(part.as_str())))
            }
            (Native::EndsWith, Value::String(text), [Value::String(part)]) => {
                Ok(Value::Bool(text.ends_with(part.as_str())))
            }
            (Native::Contains, Value::String(text), [Value::String(part)]) => {
                self.budget.work(text.len())?;
                Ok(Value::Bool(text.contains(part.as_str())))
            }
            (Native::Contains, Value::List(_) | Value::Map(_), [item]) => {
                self.budget.work(weight(value, MAX_WEIGHT))?;
                ops::contains(value, item, "contains").map(Value::Bool)
            }
            (native, value, rest) => {
                let name = match native {
                    Native::StartsWith => "startsWith",
                    Native::EndsWith => "endsWith",
                    _ => "contains",
                };
                let arguments = rest.iter().map(kind).collect::<Vec<_>>().join(", ");
                Err(EvalError::type_of(format!(
                    "{}.{name}() cannot be called with {arguments}",
                    kind(value)
                )))
            }
        }
    }

    fn library(&mut self, name: &str, call: &kube_cel::cel::IdedExpr, arguments: Vec<Value>) -> Result<Value> {
        let mut total = 0;
        for argument in &arguments {
            total += weight(argument, MAX_WEIGHT);
        }
        // Compiling a regular expression is the dearest of the small calls.
        self.budget.charge(if matches!(name, "matches" | "find" | "findAll") {
            1000
        } else {
            20
        })?;
        self.built(total, name)?;
        let result = library::invoke(name, call, arguments)?;
        self.built(weight(&result, MAX_WEIGHT), name)?;
        Ok(result)
    }

    /// A policy that is not there is no policy: `iam.denies(object.policy, …)` needs no guard.
    fn iam(&mut self, native: Native, nodes: &[Node]) -> Result<Value> {
        let [policy, context] = nodes else {
            return Ok(Value::Null);
        };
        let policy = match policy {
            Node::Select {
                of,
                key,
                test: false,
                path,
            } => match self.value(of)? {
                Value::Map(map) => map.get(&KeyRef::String(key.as_str())).cloned().unwrap_or(Value::Null),
                _ => self.select(of, key, false, path.as_ref())?,
            },
            other => self.value(other)?,
        };
        let context = self.value(context)?;
        let (wide, high) = (weight(&policy, MAX_WEIGHT), weight(&context, MAX_WEIGHT));
        self.budget.work(wide.saturating_mul(16 + high / 8))?;
        let (policy, context) = (to_json(&policy)?, to_json(&context)?);
        let answer = iam::Request::from_json(&context).and_then(|request| match native {
            Native::Denies => iam::denies(&policy, &request),
            _ => iam::allows(&policy, &request),
        });
        answer
            .map(Value::Bool)
            .map_err(|error| EvalError::other(error.to_string()))
    }
}
