//! What must end.

use std::time::Duration;

use serde_json::json;

use super::super::*;
use super::{json_of, with};

#[test]
fn refused_when_compiling() {
    let nested = |times: usize, open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let table = [
        (
            "a".repeat(1 << 20),
            "the expression has 1048576 characters; at most 16384: split the rule",
            "1 MB",
        ),
        (
            nested(8000, "(", "1", ")"),
            "brackets and conditionals are nested",
            "parentheses",
        ),
        (
            nested(8000, "[", "1", "]"),
            "brackets and conditionals are nested",
            "lists",
        ),
        (
            "(".repeat(10_000),
            "brackets and conditionals are nested",
            "never closed",
        ),
        (
            "true ? 1 : ".repeat(1000) + "1",
            "brackets and conditionals are nested",
            "conditionals to the right",
        ),
        ("a+".repeat(8000) + "a", "a chain of more than", "long sums"),
        ("!".repeat(10_000) + "true", "a chain of more than", "negations"),
        ("-".repeat(10_000) + "1", "a chain of more than", "signs"),
        (
            "object".to_owned() + &".a".repeat(8000),
            "a chain of more than",
            "selections",
        ),
        (
            "object".to_owned() + &".a".repeat(900),
            "the expression is nested more than",
            "selections that parse",
        ),
        (
            "object".to_owned() + &"[0]".repeat(5000),
            "a chain of more than",
            "indexes",
        ),
        (
            "'\\q".to_owned() + &"(".repeat(9000),
            "an unknown escape",
            "the lexer would go on behind the escape",
        ),
        (
            "'\n".to_owned() + &"(".repeat(9000),
            "a string is not closed on its line",
            "the lexer would go on",
        ),
        (
            "1r'\\'((('".to_owned(),
            "a string stands directly behind a word",
            "what the lexer makes of it differs",
        ),
        ("'abc".to_owned(), "a string is not closed", "open"),
        (
            "objekt.x".to_owned(),
            "unknown variable `objekt`; there are object, previous, endpoint, account, params, stage, now",
            "names",
        ),
        (
            "object.name.startWith('x')".to_owned(),
            "unknown function `startWith`",
            "functions",
        ),
        ("nope(1)".to_owned(), "unknown function `nope`", "functions"),
        (
            "math.nope(1)".to_owned(),
            "unknown function `math.nope`",
            "functions in namespaces",
        ),
        ("iam.denys(1, 2)".to_owned(), "unknown function `iam.denys`", "ours"),
        (
            "iam.denies(object.policy)".to_owned(),
            "unknown function `iam.denies` with 1 arguments",
            "ours",
        ),
        (
            "[1].map(object, object)".to_owned(),
            "`object` cannot name a loop's element",
            "shadows",
        ),
        (
            "object.transformMap(k, object, 1)".to_owned(),
            "`object` cannot name a loop's element",
            "shadows",
        ),
        (
            "object.transformMap(k, v)".to_owned(),
            "write map.transformMap(k, v, result)",
            "no result",
        ),
        (
            "object.transformMap('k', v, 1)".to_owned(),
            "write map.transformMap(k, v, result)",
            "no name",
        ),
        ("Foo{a: 1}".to_owned(), "messages like", "would panic in cel"),
        (
            "1 +".to_owned(),
            "no CEL at line 1, column 4, near `1 +`: Syntax error",
            "syntax",
        ),
        (String::new(), "no CEL at line 1", "empty"),
        (
            "object.x # y".to_owned(),
            "a character that CEL does not know outside of strings, behind `object.x `",
            "strange",
        ),
        (
            "object.`a//b`".to_owned() + &"(".repeat(9000),
            "names in backticks",
            "no comment for the lexer",
        ),
    ];
    for (source, expected, why) in table {
        let error = Program::compile(&source).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{why}: {error}");
    }
}

#[test]
fn deepest_that_compiles_runs_on_a_small_stack() {
    let depth = 60;
    let sources = [
        format!("{}1{}", "(".repeat(64), ")".repeat(64)),
        format!("{}1{}", "[".repeat(depth), "]".repeat(depth)),
        format!("{}true{}", "[1].exists(x, ".repeat(30), ")".repeat(30)),
        format!("{}1{}", "size([1].map(x, ".repeat(30), "))".repeat(30)),
        "1+".repeat(499) + "1",
        format!("{}1{}", "(true ? ".repeat(30), " : 2)".repeat(30)),
        "true && ".repeat(2000) + "true",
        "!".repeat(90) + "true",
        "false ? 1 : ".repeat(60) + "1",
        format!("{}object.name{}", "string(".repeat(60), ")".repeat(60)),
    ];
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for source in sources {
                let result = json_of(&source);
                assert!(result.is_ok(), "{source}: {result:?}");
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn bombs_are_stopped() {
    let list = json!({"xs": (0..2000).collect::<Vec<_>>(), "s": "x".repeat(1000), "deep": [[1]]});
    let double = |times: usize| format!("['xxxxxxxx']{}", ".map(a, a + a)".repeat(times));
    let table = [
        (
            "object.xs.map(a, object.xs.map(b, object.xs.map(c, object.xs.map(d, object.xs.map(e, 1)))))".to_owned(),
            "loops",
        ),
        (
            "object.xs.all(a, object.xs.all(b, object.xs.all(c, true)))".to_owned(),
            "loops that keep nothing",
        ),
        (
            "object.xs.exists(a, object.xs.all(b, object.xs.all(c, true)) && false || false)".to_owned(),
            "never forgiven",
        ),
        (double(30), "text that doubles"),
        (
            format!("[1]{}", ".map(a, [a, a])".repeat(30)),
            "lists that share their parts",
        ),
        ("lists.range(1000000000)".to_owned(), "a list from a number"),
        (
            "object.s.replace('', object.s).replace('', object.s)".to_owned(),
            "text from text",
        ),
        (
            "lists.range(2000).map(x, object.s).join(object.s)".to_owned(),
            "a long separator",
        ),
        ("'%.999999999f'.format([1.0])".to_owned(), "a long precision"),
        (
            "quantity('1e999999999').sub(quantity('1')) == quantity('1')".to_owned(),
            "a large exponent",
        ),
        ("lists.range(100000).distinct()".to_owned(), "all with all"),
        (
            "object.xs.map(x, object.s.matches('(a|b|c){50}x'))".to_owned(),
            "regular expressions",
        ),
        ("object.xs.map(x, object.xs)".to_owned(), "many small things"),
        (
            "iam.denies({'Statement': lists.range(9000).map(x, object.s)}, {'resource': object.s})".to_owned(),
            "a policy",
        ),
    ];
    for (source, why) in table {
        let list = list.clone();
        let result = ends(why, move || with(&source, list, Program::eval_json));
        assert!(matches!(result, Err(EvalError::Limit { .. })), "{why}: {result:?}");
    }
}

#[test]
fn the_worst_of_long_sources_end_in_a_program_or_a_sentence() {
    let fill = |piece: &str| piece.repeat(scan::MAX_SOURCE / piece.len());
    for source in [
        fill("a,"),
        fill("a:"),
        fill("a &&"),
        fill("a? "),
        fill("1 "),
        fill("'a' "),
        fill("#"),
        fill("a<"),
        fill("in "),
        fill("(a),"),
        fill("[a,(b.c(d,{e:f}))],"),
        fill("{}"),
        fill(")"),
        fill("}"),
        fill("a b "),
        fill("@"),
        fill("a||b&&"),
        format!("[{}1]", fill("1,")).replacen("1,1,1,", "1,", 1),
        format!("{}1{}", "(".repeat(64), ")".repeat(63)),
        format!("{}1{}", "[{'a':".repeat(32), "}]".repeat(32)),
        format!("{}1{}", "f(a.b(".repeat(32), "))".repeat(32)),
        format!("[{}1]", "object.a.b.c + 'xyz',".repeat(760)),
        format!("{}true", "object.a.b == 'xyz' && ".repeat(700)),
        format!("[1].map(x, [{}1])", "[1].map(x, x),".repeat(1000)),
        format!("{}1{}", "[1].map(x, ".repeat(63), ")".repeat(63)),
    ] {
        let shown: String = source.chars().take(40).collect();
        if let Err(error) = ends(&shown, move || Program::compile(&source).map(|_| ())) {
            assert!(!error.to_string().is_empty(), "{shown}");
        }
    }
}

/// Does the work on a thread of its own, so that work without an end fails with what it was.
fn ends<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    result
        .recv_timeout(Duration::from_mins(1))
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}
