//! Which parts of `object` an expression may read, from its syntax alone.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

/// Paths under `object`; always at least what evaluation reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// `object` as a whole, for example as an argument.
    pub whole: bool,
    /// Parts, each read with all that is below it.
    pub paths: Vec<Vec<String>>,
    /// Parts of which `has()` asks only whether they are there.
    pub presence: Vec<Vec<String>>,
}

impl Reads {
    /// May the expression see anything at, below or above `path`?
    pub fn touches(&self, path: &[&str]) -> bool {
        let agree = |read: &Vec<String>| read.iter().zip(path).all(|(one, other)| one == other);
        // Whether a part is there does not hang on what is deeper within it.
        let within = |read: &&Vec<String>| path.len() <= read.len();
        self.whole || self.paths.iter().any(agree) || self.presence.iter().filter(within).any(agree)
    }

    pub(super) fn of(expression: &IdedExpr) -> Self {
        let mut reads = Self::default();
        reads.visit(expression);
        reads.paths.sort();
        reads.paths.dedup();
        reads.presence.sort();
        reads.presence.dedup();
        if reads.whole {
            reads.paths.clear();
            reads.presence.clear();
        }
        reads
    }

    fn visit(&mut self, expression: &IdedExpr) {
        if let Expr::Select(select) = &expression.expr
            && select.test
            && let Some(path) = self.path(expression)
        {
            self.presence.push(path.segments);
            return;
        }
        if let Some(path) = self.path(expression) {
            if path.segments.is_empty() {
                self.whole = true;
            } else {
                self.paths.push(path.segments);
            }
            return;
        }
        match &expression.expr {
            Expr::Select(select) => self.visit(&select.operand),
            Expr::Call(call) => call
                .target
                .iter()
                .map(AsRef::as_ref)
                .chain(&call.args)
                .for_each(|part| self.visit(part)),
            Expr::List(list) => list.elements.iter().for_each(|part| self.visit(part)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    self.visit(&entry.key);
                    self.visit(&entry.value);
                }
            }),
            Expr::Comprehension(comprehension) => {
                for part in [
                    &comprehension.iter_range,
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.visit(part);
                }
            }
            _ => {}
        }
    }

    /// The path of a chain that starts at `object`, up to its first index that is no literal name.
    fn path(&mut self, expression: &IdedExpr) -> Option<Path> {
        match &expression.expr {
            Expr::Ident(name) if name == "object" => Some(Path {
                segments: Vec::new(),
                open: true,
            }),
            Expr::Select(select) => Some(self.path(&select.operand)?.then(Some(&select.field))),
            Expr::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                let path = self.path(&call.args[0])?;
                if let Expr::Literal(LiteralValue::String(key)) = &call.args[1].expr {
                    Some(path.then(Some(key.inner())))
                } else {
                    self.visit(&call.args[1]);
                    Some(path.then(None))
                }
            }
            _ => None,
        }
    }
}

struct Path {
    segments: Vec<String>,
    open: bool,
}

impl Path {
    fn then(mut self, segment: Option<&str>) -> Self {
        match segment {
            Some(segment) if self.open => self.segments.push(segment.to_owned()),
            Some(_) => {}
            None => self.open = false,
        }
        self
    }
}
