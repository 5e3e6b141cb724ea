#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)] // tables of json!(...) read best so

mod bounds;

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
        (
            "object.burst >= 5.5 && object.ratio < 1",
            json!(true),
            "order across types",
        ),
        ("object.burst in [10000.0]", json!(true), "also in lists"),
        ("object.list == [3.0, 1, 2]", json!(true), "also inside of lists"),
        (
            "object.burst + 0.5",
            json!(10000.5),
            "an int that lost its point still adds",
        ),
        ("object.rate * 2 == 20000", json!(true), "the other way round"),
        ("object.big > 5", json!(true), "above the range of int"),
        ("7 / 2", json!(3), "ints divide to ints"),
        ("-7 % 3", json!(-1), "sign of the dividend"),
        ("-(-object.burst)", json!(10000), "negation"),
        ("1 + 2 * 3 - 4", json!(3), "precedence and chains from the left"),
        ("'a' + 'b' + object.name", json!("abpayments"), "chains of text"),
        ("size(object.text)", json!(5), "code points, not bytes"),
        (
            "object.text.size() + object.list.size() + size(object.tags)",
            json!(11),
            "as a method too",
        ),
        (
            "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']",
            json!(true),
            "design",
        ),
        (
            "object.methodIntegration.uri.startsWith('https://')",
            json!(false),
            "design",
        ),
        (
            "'calls ' + object.methodIntegration.uri + ' in clear text'",
            json!("calls http://x in clear text"),
            "design",
        ),
        ("has(object.nothing)", json!(false), "absent"),
        ("has(object.none) && object.none == null", json!(true), "null is there"),
        (
            "object.nothing == 1 || true",
            json!(true),
            "an error that does not matter",
        ),
        ("true || object.nothing == 1", json!(true), "nor on the other side"),
        (
            "object.nothing == 1 && false",
            json!(false),
            "an error that does not matter",
        ),
        (
            "[1, 2].exists(x, x == 2 || object.nothing)",
            json!(true),
            "exists forgives",
        ),
        ("object.nested.xs.exists(x, x.n == 2)", json!(true), "before the error"),
        (
            "object.nested.xs.all(x, x.n > 5)",
            json!(false),
            "all forgives once it is false",
        ),
        ("object.list.exists_one(x, x == 1)", json!(true), "exactly one"),
        ("object.list.map(x, x * 2)", json!([6, 2, 4]), "map"),
        ("object.list.filter(x, x > 1)", json!([3, 2]), "filter"),
        ("object.list.map(x, x > 1, x * 2)", json!([6, 4]), "map with a filter"),
        (
            "object.list.map(x, object.list.map(y, x * y))",
            json!([[9, 3, 6], [3, 1, 2], [6, 2, 4]]),
            "two loops",
        ),
        (
            "object.tags.map(k, object.tags[k])",
            json!(["1", "2", "3"]),
            "maps are walked in order, each time",
        ),
        (
            "object.tags.transformMap(k, v, v + k)",
            json!({"a": "1a", "b": "2b", "c": "3c"}),
            "a map of the same keys",
        ),
        (
            "object.tags.transformMap(k, v, v != '2', {'was': v})",
            json!({"a": {"was": "1"}, "c": {"was": "3"}}),
            "of those that pass the filter",
        ),
        (
            "object.tags.transformMap(k, v, object.list.map(x, string(x) + k + v)).a",
            json!(["3a1", "1a1", "2a1"]),
            "a loop within it",
        ),
        (
            "object.list.map(x, object.tags.transformMap(k, v, k == 'a', x))",
            json!([{"a": 3}, {"a": 1}, {"a": 2}]),
            "and around it",
        ),
        ("'a' in object.tags && !('z' in object.tags)", json!(true), "keys"),
        (
            "{'z': 1, 'a': [true, null, 1.5]}",
            json!({"a": [true, null, 1.5], "z": 1}),
            "maps come out sorted",
        ),
        ("object.secure ? 'yes' : 'no'", json!("yes"), "conditional"),
        ("stage + endpoint.region", json!("prodeu-west-1"), "the other variables"),
        ("previous == null", json!(true), "no previous value is null"),
        ("now > timestamp('2026-01-01T00:00:00Z')", json!(true), "time"),
        (
            "timestamp('2026-01-01T00:00:00Z') + duration('1h') == timestamp('2026-01-01T01:00:00Z')",
            json!(true),
            "times",
        ),
        ("now.getFullYear()", json!(2026), "time"),
        ("dyn(object.burst) == 10000", json!(true), "Kubernetes has dyn"),
        (
            "object.name.replace('pay', 'x').upperAscii()",
            json!("XMENTS"),
            "library of strings",
        ),
        ("'a,b'.split(',').join('-')", json!("a-b"), "lists and strings"),
        ("object.name.matches('^pay.*s$')", json!(true), "regular expressions"),
        (
            "object.list.sort() == [1, 2, 3] && object.list.sum() == 6",
            json!(true),
            "library of lists",
        ),
        ("sets.contains([1, 2], [2])", json!(true), "a namespace"),
        ("math.greatest(1, 2)", json!(2), "a namespace"),
        (
            "url(object.methodIntegration.uri).getScheme()",
            json!("http"),
            "objects of a library",
        ),
        (
            "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.1.1')",
            json!(true),
            "ip",
        ),
        (
            "quantity('1Gi').isGreaterThan(quantity('500Mi'))",
            json!(true),
            "quantities",
        ),
        ("'%s-%d'.format(['a', 1])", json!("a-1"), "format"),
        ("optional.of(1).orValue(2)", json!(1), "optionals"),
        ("string(1) + string(true ? 2 : 3)", json!("12"), "conversions"),
        (
            "r'\\d(((' + 'it\\'s (((' + \"'(\" + '''a(('''",
            json!("\\d(((it's ((('(a(("),
            "strings of all kinds",
        ),
        ("1 // a comment ((((\n + 1", json!(2), "comments"),
        (
            "iam.denies(object.policy, {'aws:SecureTransport': 'false'})",
            json!(true),
            "design",
        ),
        (
            "iam.allows(object.policy, {'aws:SecureTransport': true})",
            json!(false),
            "nothing is allowed",
        ),
        (
            "iam.denies(object.nothing, {'aws:SecureTransport': 'false'})",
            json!(false),
            "no policy needs no guard",
        ),
    ];
    for (source, expected, why) in table {
        assert_eq!(json_of(source), Ok(expected), "{source}: {why}");
    }
}

#[test]
fn same_as_cel() {
    let sources = [
        "object.list.map(x, x + 1)",
        "object.list.filter(x, x != 1)",
        "object.list.all(x, x > 0)",
        "object.list.exists(x, x > 2)",
        "object.list.exists_one(x, x > 2)",
        "object.list[1]",
        "object['name']",
        "object.tags.b",
        "[1, 2] + [3]",
        "{'a': 1}.a",
        "'abc'.contains('b')",
        "object.list.contains(3)",
        "10 - 3 - 2",
        "2 * 3 % 4",
        "!object.secure",
        "object.secure ? 1 : 2",
        "1.5 + 2.5",
        "'a' < 'b'",
        "object.burst == 10000 && (object.ratio == 0.5 || false)",
        "has(object.tags.a)",
        "1 in object.list",
        "object.nested.xs.map(x, has(x.n))",
        "[[1, 2], [3]].map(x, x.size())",
        "string(object.burst)",
        "3u + 4u",
        "int('12') + 1",
        "double(object.burst) / 4.0",
        "b'ab' == bytes('ab')",
        "'a' in object.tags",
        "object.list.map(x, x > 1, x)",
        "max(1, 3, 2)",
        "object.name.endsWith('s')",
        "[1, 2.0, 'x'] == [1, 2.0, 'x']",
    ];
    for source in sources {
        let mut context = kube_cel::cel::Context::default();
        context.add_variable_from_value("object", Document::new(object()).value().clone());
        let theirs = kube_cel::cel::Program::compile(source)
            .unwrap()
            .execute(&context)
            .unwrap();
        assert_eq!(json_of(source), document::to_json(&theirs), "{source}");
    }
}

#[test]
fn errors_help() {
    let table = [
        (
            "object.methodIntegration.url",
            "no such key `url`: guard it with has(object.methodIntegration.url)",
        ),
        (
            "object.tags['x']",
            "no such key `x`: guard it with `'x' in object.tags`",
        ),
        (
            "object.nested.xs.map(x, x.n)",
            "no such key `n`: guard it with has(x.n)",
        ),
        (
            "object.name.first.x",
            "a string has no field `first` in object.name.first",
        ),
        ("has(object.none.x)", "null has no field `x` in object.none.x"),
        ("object.list[7]", "index out of range in a list of 3"),
        ("object.name > 1", "cannot compare a string with an int"),
        ("object.name + 1", "`+` does not work on a string and an int"),
        ("object.name && true", "`&&` needs a bool, not a string"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "`+` leaves the range of an int"),
        (
            "object.name.startsWith(1)",
            "a string.startsWith() cannot be called with an int",
        ),
        (
            "object.secure.all(x, x)",
            "a macro walks over lists and maps, not over a bool",
        ),
        ("[1].all(x, x)", "`all` needs a bool, not an int"),
        (
            "object.list.transformMap(k, v, v)",
            "transformMap walks over maps, not over a list",
        ),
        (
            "object.tags.transformMap(k, v, v.x, v)",
            "a string has no field `x` in v.x",
        ),
        (
            "'%s'.format([[object.tags]])",
            "format() takes no maps, as they have no order: name their values",
        ),
        ("int(object.tags)", "int() cannot be called on a map"),
        (
            "iam.denies(1, {})",
            "not a policy document: it is neither an object nor text",
        ),
        ("'a'.substring(7)", "substring(): "),
        ("1.0 / 0.0", "the result holds an infinite number or none at all"),
        ("duration('1h')", "the result holds a duration, which JSON cannot carry"),
    ];
    for (source, expected) in table {
        let error = json_of(source).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
    let error = with("object.name", object(), Program::eval_bool)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the expression gives a string, not a bool");
}

#[test]
fn reads() {
    let table: [(&str, bool, &[&[&str]]); 10] = [
        ("object.a.b == 1 && object.c", false, &[&["a", "b"], &["c"]]),
        ("object['a'].b", false, &[&["a", "b"]]),
        ("object.a[0].b", false, &[&["a"]]),
        ("object.a[params.k].b && object.z", false, &[&["a"], &["z"]]),
        ("object.a[object.k]", false, &[&["a"], &["k"]]),
        ("object.a.all(x, x.b == object.c)", false, &[&["a"], &["c"]]),
        ("object.a.transformMap(k, v, object.b)", false, &[&["a"], &["b"]]),
        ("object[params.k]", true, &[]),
        ("(true ? object : params).a", true, &[]),
        ("params.object.a == '' && endpoint.object == 1", false, &[]),
    ];
    for (source, whole, paths) in table {
        let program = Program::compile(source).unwrap();
        let expected: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(
            *program.reads(),
            Reads {
                whole,
                paths: expected,
                presence: vec![]
            },
            "{source}"
        );
    }
    let presence = Program::compile("has(object.a.b)").unwrap();
    assert!(presence.reads().touches(&["a"]) && presence.reads().touches(&["a", "b"]));
    assert!(
        !presence.reads().touches(&["a", "b", "c"]),
        "what is deeper does not decide whether a part is there"
    );
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
