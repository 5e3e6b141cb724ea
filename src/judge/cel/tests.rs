#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)] // tables of json!(...) read best so

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

fn object() -> Value {
    json!({
        "name": "payments", "rate": 10000.0, "burst": 10000, "ratio": 0.5, "big": u64::MAX, "none": null,
        "methodIntegration": {"type": "HTTP", "uri": "http://x"},
        "tags": {"b": "2", "a": "1", "c": "3"},
        "list": [3, 1, 2], "text": "grüße", "secure": true,
        "nested": {"xs": [{"n": 1}, {"n": 2}, {}]},
        "policy": {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]},
    })
}

fn json_of(source: &str) -> Result<Value, EvalError> {
    with(source, object(), Program::eval_json)
}

fn with<T>(source: &str, object: Value, eval: impl Fn(&Program, &Scope<'_>) -> T) -> T {
    let program = Program::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let (object, empty) = (Document::new(object), Document::new(json!({"region": "eu-west-1"})));
    let scope = Scope {
        object: &object,
        previous: None,
        endpoint: &empty,
        account: &empty,
        params: &empty,
        stage: Some("prod"),
        now: Some("2026-01-02T03:04:05Z".parse().unwrap()),
    };
    eval(&program, &scope)
}

#[test]
fn values() {
    let table = [
        ("object.rate == 10000", json!(true), "numbers compare by value"),
        ("object.burst == 10000.0", json!(true), "numbers compare by value"),
        ("object.burst >= 5.5 && object.ratio < 1", json!(true), "order across types"),
        ("object.burst in [10000.0]", json!(true), "also in lists"),
        ("object.list == [3.0, 1, 2]", json!(true), "also inside of lists"),
        ("object.burst + 0.5", json!(10000.5), "an int that lost its point still adds"),
        ("object.rate * 2 == 20000", json!(true), "the other way round"),
        ("object.big > 5", json!(true), "above the range of int"),
        ("7 / 2", json!(3), "ints divide to ints"),
        ("-7 % 3", json!(-1), "sign of the dividend"),
        ("-(-object.burst)", json!(10000), "negation"),
        ("1 + 2 * 3 - 4", json!(3), "precedence and chains from the left"),
        ("'a' + 'b' + object.name", json!("abpayments"), "chains of text"),
        ("size(object.text)", json!(5), "code points, not bytes"),
        ("object.text.size() + object.list.size() + size(object.tags)", json!(11), "as a method too"),
        ("has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']", json!(true), "design"),
        ("object.methodIntegration.uri.startsWith('https://')", json!(false), "design"),
        ("'calls ' + object.methodIntegration.uri + ' in clear text'", json!("calls http://x in clear text"), "design"),
        ("has(object.nothing)", json!(false), "absent"),
        ("has(object.none) && object.none == null", json!(true), "null is there"),
        ("object.nothing == 1 || true", json!(true), "an error that does not matter"),
        ("true || object.nothing == 1", json!(true), "nor on the other side"),
        ("object.nothing == 1 && false", json!(false), "an error that does not matter"),
        ("[1, 2].exists(x, x == 2 || object.nothing)", json!(true), "exists forgives"),
        ("object.nested.xs.exists(x, x.n == 2)", json!(true), "before the error"),
        ("object.nested.xs.all(x, x.n > 5)", json!(false), "all forgives once it is false"),
        ("object.list.exists_one(x, x == 1)", json!(true), "exactly one"),
        ("object.list.map(x, x * 2)", json!([6, 2, 4]), "map"),
        ("object.list.filter(x, x > 1)", json!([3, 2]), "filter"),
        ("object.list.map(x, x > 1, x * 2)", json!([6, 4]), "map with a filter"),
        ("object.list.map(x, object.list.map(y, x * y))", json!([[9, 3, 6], [3, 1, 2], [6, 2, 4]]), "two loops"),
        ("object.tags.map(k, object.tags[k])", json!(["1", "2", "3"]), "maps are walked in order, each time"),
        ("'a' in object.tags && !('z' in object.tags)", json!(true), "keys"),
        ("{'z': 1, 'a': [true, null, 1.5]}", json!({"a": [true, null, 1.5], "z": 1}), "maps come out sorted"),
        ("object.secure ? 'yes' : 'no'", json!("yes"), "conditional"),
        ("stage + endpoint.region", json!("prodeu-west-1"), "the other variables"),
        ("previous == null", json!(true), "no previous value is null"),
        ("now > timestamp('2026-01-01T00:00:00Z')", json!(true), "time"),
        ("timestamp('2026-01-01T00:00:00Z') + duration('1h') == timestamp('2026-01-01T01:00:00Z')", json!(true), "times"),
        ("now.getFullYear()", json!(2026), "time"),
        ("dyn(object.burst) == 10000", json!(true), "Kubernetes has dyn"),
        ("object.name.replace('pay', 'x').upperAscii()", json!("XMENTS"), "library of strings"),
        ("'a,b'.split(',').join('-')", json!("a-b"), "lists and strings"),
        ("object.name.matches('^pay.*s$')", json!(true), "regular expressions"),
        ("object.list.sort() == [1, 2, 3] && object.list.sum() == 6", json!(true), "library of lists"),
        ("sets.contains([1, 2], [2])", json!(true), "a namespace"),
        ("math.greatest(1, 2)", json!(2), "a namespace"),
        ("url(object.methodIntegration.uri).getScheme()", json!("http"), "objects of a library"),
        ("ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.1.1')", json!(true), "ip"),
        ("quantity('1Gi').isGreaterThan(quantity('500Mi'))", json!(true), "quantities"),
        ("'%s-%d'.format(['a', 1])", json!("a-1"), "format"),
        ("optional.of(1).orValue(2)", json!(1), "optionals"),
        ("string(1) + string(true ? 2 : 3)", json!("12"), "conversions"),
        ("r'\\d(((' + 'it\\'s (((' + \"'(\" + '''a(('''", json!("\\d(((it's ((('(a(("), "strings of all kinds"),
        ("1 // a comment ((((\n + 1", json!(2), "comments"),
        ("iam.denies(object.policy, {'aws:SecureTransport': 'false'})", json!(true), "design"),
        ("iam.allows(object.policy, {'aws:SecureTransport': true})", json!(false), "nothing is allowed"),
        ("iam.denies(object.nothing, {'aws:SecureTransport': 'false'})", json!(false), "no policy needs no guard"),
    ];
    for (source, expected, why) in table {
        assert_eq!(json_of(source), Ok(expected), "{source}: {why}");
    }
}

#[test]
fn same_as_cel() {
    let sources = [
        "object.list.map(x, x + 1)", "object.list.filter(x, x != 1)", "object.list.all(x, x > 0)",
        "object.list.exists(x, x > 2)", "object.list.exists_one(x, x > 2)", "object.list[1]", "object['name']",
        "object.tags.b", "[1, 2] + [3]", "{'a': 1}.a", "'abc'.contains('b')", "object.list.contains(3)",
        "10 - 3 - 2", "2 * 3 % 4", "!object.secure", "object.secure ? 1 : 2", "1.5 + 2.5", "'a' < 'b'",
        "object.burst == 10000 && (object.ratio == 0.5 || false)", "has(object.tags.a)", "1 in object.list",
        "object.nested.xs.map(x, has(x.n))", "[[1, 2], [3]].map(x, x.size())", "string(object.burst)", "3u + 4u",
        "int('12') + 1", "double(object.burst) / 4.0", "b'ab' == bytes('ab')", "'a' in object.tags",
        "object.list.map(x, x > 1, x)", "max(1, 3, 2)", "object.name.endsWith('s')", "[1, 2.0, 'x'] == [1, 2.0, 'x']",
    ];
    for source in sources {
        let mut context = kube_cel::cel::Context::default();
        context.add_variable_from_value("object", Document::new(object()).value().clone());
        let theirs = kube_cel::cel::Program::compile(source).unwrap().execute(&context).unwrap();
        assert_eq!(json_of(source), document::to_json(&theirs), "{source}");
    }
}

#[test]
fn errors_help() {
    let table = [
        ("object.methodIntegration.url", "no such key `url`: guard it with has(object.methodIntegration.url)"),
        ("object.tags['x']", "no such key `x`: guard it with `'x' in object.tags`"),
        ("object.nested.xs.map(x, x.n)", "no such key `n`: guard it with has(x.n)"),
        ("object.name.first.x", "a string has no field `first` in object.name.first"),
        ("has(object.none.x)", "null has no field `x` in object.none.x"),
        ("object.list[7]", "index out of range in a list of 3"),
        ("object.name > 1", "cannot compare a string with an int"),
        ("object.name + 1", "`+` does not work on a string and an int"),
        ("object.name && true", "`&&` needs a bool, not a string"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "`+` leaves the range of an int"),
        ("object.name.startsWith(1)", "a string.startsWith() cannot be called with an int"),
        ("object.secure.all(x, x)", "a macro walks over lists and maps, not over a bool"),
        ("[1].all(x, x)", "`all` needs a bool, not an int"),
        ("'%s'.format([[object.tags]])", "format() takes no maps, as they have no order: name their values"),
        ("int(object.tags)", "int() cannot be called on a map"),
        ("iam.denies(1, {})", "not a policy document: it is neither an object nor text"),
        ("'a'.substring(7)", "substring(): "),
        ("1.0 / 0.0", "the result holds an infinite number or none at all"),
        ("duration('1h')", "the result holds a duration, which JSON cannot carry"),
    ];
    for (source, expected) in table {
        let error = json_of(source).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
    let error = with("object.name", object(), Program::eval_bool).unwrap_err().to_string();
    assert_eq!(error, "the expression gives a string, not a bool");
}

#[test]
fn refused_when_compiling() {
    let nested = |times: usize, open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let table = [
        ("a".repeat(1 << 20), "the expression has 1048576 characters; at most 16384: split the rule", "1 MB"),
        (nested(8000, "(", "1", ")"), "brackets and conditionals are nested", "parentheses"),
        (nested(8000, "[", "1", "]"), "brackets and conditionals are nested", "lists"),
        ("(".repeat(10_000), "brackets and conditionals are nested", "never closed"),
        ("true ? 1 : ".repeat(1000) + "1", "brackets and conditionals are nested", "conditionals to the right"),
        ("a+".repeat(8000) + "a", "a chain of more than", "long sums"),
        ("!".repeat(10_000) + "true", "a chain of more than", "negations"),
        ("-".repeat(10_000) + "1", "a chain of more than", "signs"),
        ("object".to_owned() + &".a".repeat(8000), "a chain of more than", "selections"),
        ("object".to_owned() + &".a".repeat(900), "the expression is nested more than", "selections that parse"),
        ("object".to_owned() + &"[0]".repeat(5000), "a chain of more than", "indexes"),
        ("'\\q".to_owned() + &"(".repeat(9000), "an unknown escape", "the lexer would go on behind the escape"),
        ("'\n".to_owned() + &"(".repeat(9000), "a string is not closed on its line", "the lexer would go on"),
        ("1r'\\'((('".to_owned(), "a string stands directly behind a word", "what the lexer makes of it differs"),
        ("'abc".to_owned(), "a string is not closed", "open"),
        ("objekt.x".to_owned(), "unknown variable `objekt`; there are object, previous, endpoint, account, params, stage, now", "names"),
        ("object.name.startWith('x')".to_owned(), "unknown function `startWith`", "functions"),
        ("nope(1)".to_owned(), "unknown function `nope`", "functions"),
        ("math.nope(1)".to_owned(), "unknown function `math.nope`", "functions in namespaces"),
        ("iam.denys(1, 2)".to_owned(), "unknown function `iam.denys`", "ours"),
        ("iam.denies(object.policy)".to_owned(), "unknown function `iam.denies` with 1 arguments", "ours"),
        ("[1].map(object, object)".to_owned(), "`object` cannot name a loop's element", "shadows"),
        ("Foo{a: 1}".to_owned(), "messages like", "would panic in cel"),
        ("1 +".to_owned(), "no CEL at line 1, column 4, near `1 +`: Syntax error", "syntax"),
        (String::new(), "no CEL at line 1", "empty"),
        ("object.x # y".to_owned(), "a character that CEL does not know outside of strings, behind `object.x `", "strange"),
        ("object.`a//b`".to_owned() + &"(".repeat(9000), "names in backticks", "no comment for the lexer"),
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
        ("object.xs.map(a, object.xs.map(b, object.xs.map(c, object.xs.map(d, object.xs.map(e, 1)))))".to_owned(), "loops"),
        ("object.xs.all(a, object.xs.all(b, object.xs.all(c, true)))".to_owned(), "loops that keep nothing"),
        ("object.xs.exists(a, object.xs.all(b, object.xs.all(c, true)) && false || false)".to_owned(), "never forgiven"),
        (double(30), "text that doubles"),
        (format!("[1]{}", ".map(a, [a, a])".repeat(30)), "lists that share their parts"),
        ("lists.range(1000000000)".to_owned(), "a list from a number"),
        ("object.s.replace('', object.s).replace('', object.s)".to_owned(), "text from text"),
        ("lists.range(2000).map(x, object.s).join(object.s)".to_owned(), "a long separator"),
        ("'%.999999999f'.format([1.0])".to_owned(), "a long precision"),
        ("quantity('1e999999999').sub(quantity('1')) == quantity('1')".to_owned(), "a large exponent"),
        ("lists.range(100000).distinct()".to_owned(), "all with all"),
        ("object.xs.map(x, object.s.matches('(a|b|c){50}x'))".to_owned(), "regular expressions"),
        ("object.xs.map(x, object.xs)".to_owned(), "many small things"),
        ("iam.denies({'Statement': lists.range(9000).map(x, object.s)}, {'resource': object.s})".to_owned(), "a policy"),
    ];
    for (source, why) in table {
        let started = Instant::now();
        let result = with(&source, list.clone(), Program::eval_json);
        assert!(matches!(result, Err(EvalError::Limit { .. })), "{why}: {result:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{why}: {:?}", started.elapsed());
    }
}

#[test]
fn reads() {
    let table: [(&str, bool, &[&[&str]]); 10] = [
        ("object.a.b == 1 && object.c", false, &[&["a", "b"], &["c"]]),
        ("has(object.a.b)", false, &[&["a", "b"]]),
        ("object['a'].b", false, &[&["a", "b"]]),
        ("object.a[0].b", false, &[&["a"]]),
        ("object.a[params.k].b && object.z", false, &[&["a"], &["z"]]),
        ("object.a[object.k]", false, &[&["a"], &["k"]]),
        ("object.a.all(x, x.b == object.c)", false, &[&["a"], &["c"]]),
        ("object[params.k]", true, &[]),
        ("(true ? object : params).a", true, &[]),
        ("params.object.a == '' && endpoint.object == 1", false, &[]),
    ];
    for (source, whole, paths) in table {
        let program = Program::compile(source).unwrap();
        let expected: Vec<Vec<String>> =
            paths.iter().map(|path| path.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(*program.reads(), Reads { whole, paths: expected }, "{source}");
    }
    let program = Program::compile("object.a.b == params.x").unwrap();
    assert!(program.reads().touches(&["a"]) && program.reads().touches(&["a", "b", "c"]));
    assert!(!program.reads().touches(&["a", "c"]) && !program.reads().touches(&["b"]));
    assert!(program.uses("params") && !program.uses("now") && !program.uses("nonsense"));
}

#[test]
fn programs_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Program>();
    shared::<Document>();
}

#[test]
#[ignore = "prints times"]
fn times() {
    let (object, empty) = (Document::new(object()), Document::default());
    let scope = Scope {
        object: &object,
        previous: None,
        endpoint: &empty,
        account: &empty,
        params: &empty,
        stage: None,
        now: None,
    };
    for source in [
        "object.burst == 10000",
        "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']",
        "object.methodIntegration.uri.startsWith('https://')",
        "object.nested.xs.exists(x, x.n == 2)",
        "object.name.matches('^pay')",
        "object.name.lowerAscii() == 'payments'",
        "iam.denies(object.policy, {'aws:SecureTransport': 'false'})",
    ] {
        let started = Instant::now();
        let program = Program::compile(source).unwrap();
        let compiled = started.elapsed();
        let started = Instant::now();
        for _ in 0..10_000 {
            let _ = std::hint::black_box(program.eval_bool(&scope));
        }
        println!("{:>9.0?} each, compiled in {compiled:.0?}: {source}", started.elapsed() / 10_000);
    }
}

#[test]
#[ignore = "prints times"]
fn slow_sources() {
    let fill = |piece: &str| piece.repeat(scan::MAX_SOURCE / piece.len());
    for source in [
        fill("a,"), fill("a:"), fill("a &&"), fill("a? "), fill("1 "), fill("'a' "), fill("#"), fill("a<"), fill("in "),
        fill("(a),"), fill("[a,(b.c(d,{e:f}))],"), fill("{}"), fill(")"), fill("}"), fill("a b "), fill("@"), fill("a||b&&"),
        format!("[{}1]", fill("1,")).replacen("1,1,1,", "1,", 1),
        format!("{}1{}", "(".repeat(64), ")".repeat(63)),
        format!("{}1{}", "[{'a':".repeat(32), "}]".repeat(32)),
        format!("{}1{}", "f(a.b(".repeat(32), "))".repeat(32)),
        format!("[{}1]", "object.a.b.c + 'xyz',".repeat(760)),
        format!("{}true", "object.a.b == 'xyz' && ".repeat(700)),
        format!("[1].map(x, [{}1])", "[1].map(x, x),".repeat(1000)),
        format!("{}1{}", "[1].map(x, ".repeat(63), ")".repeat(63)),
    ] {
        let started = Instant::now();
        let result = Program::compile(&source).map(|_| ());
        let text = source.chars().take(40).collect::<String>();
        println!("{:>9.0?} {text}: {}", started.elapsed(), result.err().map_or_else(String::new, |e| e.to_string().chars().take(90).collect()));
    }
}
