//! The form in which expressions are evaluated: names resolved, macros recognised, chains of operators flat.

use std::sync::Arc;

use kube_cel::cel::{IdedExpr, Value};

/// The variables of every expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    Object,
    Previous,
    Endpoint,
    Account,
    Params,
    Stage,
    Now,
}

/// Names and variables, in the order in which errors list them.
pub(super) const VARIABLES: [(&str, Variable); 7] = [
    ("object", Variable::Object),
    ("previous", Variable::Previous),
    ("endpoint", Variable::Endpoint),
    ("account", Variable::Account),
    ("params", Variable::Params),
    ("stage", Variable::Stage),
    ("now", Variable::Now),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

/// Functions that are answered here, without a detour through the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Native {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    Dyn,
    Denies,
    Allows,
}

#[derive(Debug)]
pub(super) enum Node {
    Const(Value),
    Variable(Variable),
    /// A loop's variable, by its place on the stack of loops.
    Local(usize),
    Select {
        of: Box<Node>,
        key: Arc<String>,
        test: bool,
        path: Option<String>,
    },
    Index {
        of: Box<Node>,
        at: Box<Node>,
        path: Option<String>,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Conditional(Box<[Node; 3]>),
    /// `a + b - c`, from the left.
    Chain(Box<Node>, Vec<(Arithmetic, Node)>),
    Relation(Relation, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Quantify {
        which: Quantifier,
        range: Box<Node>,
        body: Box<Node>,
    },
    Collect {
        range: Box<Node>,
        filter: Option<Box<Node>>,
        item: Box<Node>,
    },
    /// `map.transformMap(key, value, filter, result)`: the key and the value are the two innermost loop variables.
    TransformMap {
        range: Box<Node>,
        filter: Option<Box<Node>>,
        result: Box<Node>,
    },
    Native(Native, Vec<Node>),
    /// A function of the library: the call with placeholders, and what fills them (the target first, if any).
    Library {
        name: String,
        call: Box<IdedExpr>,
        arguments: Vec<Node>,
    },
}
