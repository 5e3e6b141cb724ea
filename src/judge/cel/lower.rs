//! From the parser's syntax tree to the form that is evaluated; names are checked on the way.

use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};

use super::error::CompileError;
use super::ir::{Arithmetic, Native, Node, Quantifier, Relation, VARIABLES, Variable};
use super::library;

/// Deepest tree that is evaluated; chains of `+` count once.
const MAX_DEPTH: usize = 96;

type Result<T> = std::result::Result<T, CompileError>;

/// The lowered expression, and which variables it uses.
pub(super) fn lower(expression: &IdedExpr) -> Result<(Node, Vec<Variable>)> {
    let mut lowering = Lowering {
        loops: Vec::new(),
        depth: 0,
        uses: Vec::new(),
    };
    let node = lowering.node(expression)?;
    Ok((node, lowering.uses))
}

struct Lowering {
    loops: Vec<String>,
    depth: usize,
    uses: Vec<Variable>,
}

impl Lowering {
    fn node(&mut self, expression: &IdedExpr) -> Result<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CompileError::new(format!(
                "the expression is nested more than {MAX_DEPTH} deep: split the rule"
            )));
        }
        let node = match &expression.expr {
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => Ok(Node::List(self.nodes(&list.elements)?)),
            Expr::Map(map) => map
                .entries
                .iter()
                .map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => Ok((self.node(&entry.key)?, self.node(&entry.value)?)),
                    EntryExpr::StructField(_) => Err(no_messages()),
                })
                .collect::<Result<_>>()
                .map(Node::Map),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) => Err(no_messages()),
            Expr::Unspecified => Err(CompileError::new("the expression is empty")),
        };
        self.depth -= 1;
        node
    }

    fn nodes(&mut self, expressions: &[IdedExpr]) -> Result<Vec<Node>> {
        expressions.iter().map(|expression| self.node(expression)).collect()
    }

    fn boxed(&mut self, expression: &IdedExpr) -> Result<Box<Node>> {
        self.node(expression).map(Box::new)
    }

    fn name(&mut self, name: &str) -> Result<Node> {
        if let Some(place) = self.loops.iter().rposition(|known| known == name) {
            return Ok(Node::Local(place));
        }
        let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = VARIABLES.iter().map(|(name, _)| *name).collect();
            return Err(CompileError::new(format!(
                "unknown variable `{name}`; there are {}",
                known.join(", ")
            )));
        };
        if !self.uses.contains(variable) {
            self.uses.push(*variable);
        }
        Ok(Node::Variable(*variable))
    }

    fn select(&mut self, select: &SelectExpr) -> Result<Node> {
        let path = path(&select.operand).map(|path| format!("{path}.{}", select.field));
        let of = self.boxed(&select.operand)?;
        Ok(Node::Select {
            of,
            key: Arc::new(select.field.clone()),
            test: select.test,
            path,
        })
    }

    fn call(&mut self, call: &CallExpr) -> Result<Node> {
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::CONDITIONAL, None, [condition, yes, no]) => Ok(Node::Conditional(Box::new([
                self.node(condition)?,
                self.node(yes)?,
                self.node(no)?,
            ]))),
            (operators::LOGICAL_AND, None, [left, right]) => Ok(Node::And(self.boxed(left)?, self.boxed(right)?)),
            (operators::LOGICAL_OR, None, [left, right]) => Ok(Node::Or(self.boxed(left)?, self.boxed(right)?)),
            (operators::LOGICAL_NOT, None, [operand]) => Ok(Node::Not(self.boxed(operand)?)),
            (operators::NEGATE, None, [operand]) => Ok(Node::Negate(self.boxed(operand)?)),
            (operators::INDEX, None, [of, at]) => {
                let path = path(of).zip(index(at)).map(|(path, at)| format!("{path}[{at}]"));
                Ok(Node::Index {
                    of: self.boxed(of)?,
                    at: self.boxed(at)?,
                    path,
                })
            }
            ("transformMap", Some(range), [key, value, rest @ ..]) => self.transform_map(range, [key, value], rest),
            (name, None, [left, right]) if arithmetic(name).is_some() => self.chain(left, name, right),
            (name, None, [left, right]) if relation(name).is_some() => {
                let relation = relation(name).unwrap_or(Relation::Equal);
                Ok(Node::Relation(relation, self.boxed(left)?, self.boxed(right)?))
            }
            (name, target, arguments) => self.function(name, target, arguments),
        }
    }

    /// `a + b + c` is nested to the left as deep as it is long, so it is unrolled.
    fn chain<'a>(&mut self, left: &'a IdedExpr, name: &'a str, right: &'a IdedExpr) -> Result<Node> {
        let mut links = vec![(name, right)];
        let mut first = left;
        while let Expr::Call(CallExpr {
            func_name,
            target: None,
            args,
        }) = &first.expr
            && let [left, right] = args.as_slice()
            && arithmetic(func_name).is_some()
        {
            links.push((func_name, right));
            first = left;
        }
        let first = self.boxed(first)?;
        let links = links
            .into_iter()
            .rev()
            .map(|(name, operand)| Ok((arithmetic(name).unwrap_or(Arithmetic::Add), self.node(operand)?)))
            .collect::<Result<_>>()?;
        Ok(Node::Chain(first, links))
    }

    fn function(&mut self, name: &str, target: Option<&IdedExpr>, arguments: &[IdedExpr]) -> Result<Node> {
        let namespace = match target.map(|target| &target.expr) {
            Some(Expr::Ident(namespace)) if !self.loops.contains(namespace) => Some(namespace.as_str()),
            _ => None,
        };
        let native = match (namespace, name, usize::from(target.is_some()) + arguments.len()) {
            (Some("iam"), "denies", 3) => Some(Native::Denies),
            (Some("iam"), "allows", 3) => Some(Native::Allows),
            (Some("iam"), ..) => {
                return Err(CompileError::new(format!(
                    "unknown function `iam.{name}` with {} arguments; there are iam.denies(policy, context) and \
                     iam.allows(policy, context)",
                    arguments.len()
                )));
            }
            (_, "size", 1) => Some(Native::Size),
            (_, "startsWith", 2) => Some(Native::StartsWith),
            (_, "endsWith", 2) => Some(Native::EndsWith),
            (_, "contains", 2) if namespace != Some("sets") => Some(Native::Contains),
            (None, "dyn", 1) => Some(Native::Dyn),
            _ => None,
        };
        if let Some(native) = native {
            let target = if matches!(native, Native::Denies | Native::Allows) {
                None
            } else {
                target
            };
            let mut nodes = target
                .map(|target| self.node(target))
                .transpose()?
                .into_iter()
                .collect::<Vec<_>>();
            nodes.extend(self.nodes(arguments)?);
            return Ok(Node::Native(native, nodes));
        }
        let qualified = namespace.filter(|namespace| library::knows(Some(namespace), name));
        if qualified.is_none() && !library::knows(None, name) {
            let shown = namespace
                .filter(|namespace| VARIABLES.iter().all(|(known, _)| known != namespace))
                .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}.{name}"));
            return Err(CompileError::new(format!(
                "unknown function `{shown}`; there are those of CEL and Kubernetes, iam.denies and iam.allows"
            )));
        }
        let method = target.filter(|_| qualified.is_none());
        let mut nodes = method
            .map(|target| self.node(target))
            .transpose()?
            .into_iter()
            .collect::<Vec<_>>();
        nodes.extend(self.nodes(arguments)?);
        let call = library::call(qualified, name, method.is_some(), arguments.len());
        let name = qualified.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}.{name}"));
        Ok(Node::Library {
            name,
            call: Box::new(call),
            arguments: nodes,
        })
    }

    /// Comprehensions come from macros alone, so their shapes are known.
    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Result<Node> {
        let variable = &comprehension.iter_var;
        free_for_loops(variable)?;
        let range = self.boxed(&comprehension.iter_range)?;
        self.loops.push(variable.clone());
        let node = self.looped(comprehension, range);
        self.loops.pop();
        node
    }

    /// The parser knows no macro of two variables, so this one comes as a call.
    fn transform_map(&mut self, range: &IdedExpr, names: [&IdedExpr; 2], rest: &[IdedExpr]) -> Result<Node> {
        let usage =
            || CompileError::new("write map.transformMap(k, v, result) or map.transformMap(k, v, filter, result)");
        let (filter, result) = match rest {
            [result] => (None, result),
            [filter, result] => (Some(filter), result),
            _ => return Err(usage()),
        };
        let [Expr::Ident(key), Expr::Ident(value)] = names.map(|name| &name.expr) else {
            return Err(usage());
        };
        free_for_loops(key)?;
        free_for_loops(value)?;
        let range = self.boxed(range)?;
        self.loops.extend([key.clone(), value.clone()]);
        let filter = filter.map(|filter| self.boxed(filter)).transpose();
        let result = self.boxed(result);
        self.loops.truncate(self.loops.len() - 2);
        Ok(Node::TransformMap {
            range,
            filter: filter?,
            result: result?,
        })
    }

    fn looped(&mut self, comprehension: &ComprehensionExpr, range: Box<Node>) -> Result<Node> {
        let Expr::Call(step) = &comprehension.loop_step.expr else {
            return Err(unknown_macro());
        };
        let (name, arguments) = (step.func_name.as_str(), step.args.as_slice());
        let which = match (&comprehension.accu_init.expr, name, arguments) {
            (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, body]) => (Quantifier::All, body),
            (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, body]) => (Quantifier::Exists, body),
            (Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [body, ..]) => (Quantifier::ExistsOne, body),
            (Expr::List(_), operators::CONDITIONAL, [filter, add, _]) => {
                let filter = Some(self.boxed(filter)?);
                let item = self.boxed(appended(add).ok_or_else(unknown_macro)?)?;
                return Ok(Node::Collect { range, filter, item });
            }
            (Expr::List(_), operators::ADD, _) => {
                let item = self.boxed(appended(&comprehension.loop_step).ok_or_else(unknown_macro)?)?;
                return Ok(Node::Collect {
                    range,
                    filter: None,
                    item,
                });
            }
            _ => return Err(unknown_macro()),
        };
        Ok(Node::Quantify {
            which: which.0,
            range,
            body: self.boxed(which.1)?,
        })
    }
}

/// `item` of `@result + [item]`.
fn appended(step: &IdedExpr) -> Option<&IdedExpr> {
    let Expr::Call(add) = &step.expr else { return None };
    match add.args.get(1).map(|list| &list.expr) {
        Some(Expr::List(list)) => list.elements.first(),
        _ => None,
    }
}

fn free_for_loops(name: &str) -> Result<()> {
    if name == "iam" || VARIABLES.iter().any(|(known, _)| *known == name) {
        return Err(CompileError::new(format!(
            "`{name}` cannot name a loop's element: it is a variable already"
        )));
    }
    Ok(())
}

fn unknown_macro() -> CompileError {
    CompileError::new("a macro of an unknown kind")
}

fn no_messages() -> CompileError {
    CompileError::new("messages like `Name{field: value}` are not supported: write a map, {'field': value}")
}

fn constant(literal: &LiteralValue) -> Result<Node> {
    Value::try_from(literal.to_val().as_ref())
        .map(Node::Const)
        .map_err(|error| CompileError::new(format!("a literal cannot be read: {error}")))
}

/// How the author wrote the path, for the advice in errors.
fn path(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        Expr::Call(call) if call.func_name == operators::INDEX => {
            Some(format!("{}[{}]", path(call.args.first()?)?, index(call.args.get(1)?)?))
        }
        _ => None,
    }
}

fn index(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(format!("'{}'", text.inner())),
        Expr::Literal(LiteralValue::Int(number)) => Some(number.inner().to_string()),
        Expr::Ident(name) => Some(name.clone()),
        _ => None,
    }
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    Some(match name {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Sub,
        operators::MULTIPLY => Arithmetic::Mul,
        operators::DIVIDE => Arithmetic::Div,
        operators::MODULO => Arithmetic::Rem,
        _ => return None,
    })
}

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        operators::EQUALS => Relation::Equal,
        operators::NOT_EQUALS => Relation::NotEqual,
        operators::LESS => Relation::Less,
        operators::LESS_EQUALS => Relation::LessEqual,
        operators::GREATER => Relation::Greater,
        operators::GREATER_EQUALS => Relation::GreaterEqual,
        operators::IN => Relation::In,
        _ => return None,
    })
}
