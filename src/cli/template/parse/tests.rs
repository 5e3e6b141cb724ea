//! What is read, and what is refused.

use super::*;
use serde_json::json;

fn read(text: &str) -> Result<Node, String> {
    parse(text, &"t.yaml".into()).map_err(|fault| fault.to_string())
}

#[test]
fn yaml_and_json_are_read_alike() {
    for (text, value, why) in [
        ("a: 1\nb: [x, 'y']", json!({"a": 1, "b": ["x", "y"]}), "block and flow"),
        (
            "{\"a\": 1, \"b\": [\"x\", \"y\"]}",
            json!({"a": 1, "b": ["x", "y"]}),
            "JSON",
        ),
        (
            "{\"a\":{\"b\":\"c\\/d\"}}",
            json!({"a": {"b": "c/d"}}),
            "JSON without spaces",
        ),
        ("{\n\t\"a\": 1\n}", json!({"a": 1}), "JSON with tabs"),
        (
            "a: yes\nb: 'true'\nc: true",
            json!({"a": "yes", "b": "true", "c": true}),
            "words stay words",
        ),
        ("a: 2012-10-17", json!({"a": "2012-10-17"}), "a date is text"),
        ("a: 012345678901", json!({"a": "012345678901"}), "an account id is text"),
        (
            "a: 0.5\nb: -3\nc: 0\nd: 1e3",
            json!({"a": 0.5, "b": -3, "c": 0, "d": 1000.0}),
            "numbers",
        ),
        ("a:\nb: ~\nc: null", json!({"a": null, "b": null, "c": null}), "nothing"),
        ("a: !Ref X", json!({"a": {"Ref": "X"}}), "a short tag"),
        (
            "a: !Sub ['${x}', {x: !GetAtt B.C}]",
            json!({"a": {"Fn::Sub": ["${x}", {"x": {"Fn::GetAtt": "B.C"}}]}}),
            "tags in tags",
        ),
        (
            "a: !Join\n  - ','\n  - [b]",
            json!({"a": {"Fn::Join": [",", ["b"]]}}),
            "a tag on a block",
        ),
        ("a: !!str 1", json!({"a": "1"}), "a number that shall be text"),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}}), "an alias"),
        (
            "a: &x {b: 1, d: 2}\nc:\n  <<: *x\n  b: 3",
            json!({"a": {"b": 1, "d": 2}, "c": {"b": 3, "d": 2}}),
            "a merge",
        ),
        ("a: |\n  x\n  y\n", json!({"a": "x\ny\n"}), "a block of text"),
    ] {
        let node = read(text).unwrap_or_else(|fault| panic!("{why}: {fault}"));
        assert_eq!(node.json(), value, "{why}");
    }
}

#[test]
fn every_value_knows_its_line() {
    let node = read("a:\n  b: 1\n  c:\n    - x\n    -\n      d: !Sub\n        - y\n").unwrap();
    let c = node.get("a").unwrap().entry("c").unwrap();
    assert_eq!((node.entries()[0].at.line, c.at.line), (1, 3));
    assert_eq!(c.value.items()[0].at.line, 4);
    assert_eq!(c.value.items()[1].entries()[0].at.line, 6);
    assert_eq!(c.at.to_string(), "t.yaml:3");
}

#[test]
fn what_is_no_template_is_answered_with_what_to_write() {
    let aliases = (0..40).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}, *a{n}, *a{n}, *a{n}, *a{n}]\n", n + 1, n + 1)
    });
    let ladder = (0..300).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [[[[[*a{n}]]]]]\n", n + 1, n + 1)
    });
    for (text, words, why) in [
        ("", "t.yaml:1: the file is empty", "nothing at all"),
        (
            "# only a comment\n",
            "t.yaml:1: the file is empty",
            "nothing but a comment",
        ),
        ("a: [1, 2", "no YAML or JSON", "a list without end"),
        (
            "a: 1\n b: 2",
            "t.yaml:2: no YAML or JSON",
            "an indentation that fits nothing",
        ),
        ("a: 1\n---\nb: 2", "t.yaml:2: a second document", "two documents"),
        (
            "a: 1\nb: 2\na: 3",
            "t.yaml:3: `a` stands here twice, first in line 1",
            "a key twice",
        ),
        (
            "a: 1\nb: !Rfe X",
            "t.yaml:2: `!Rfe` is no function: write one of And, ",
            "a tag that is no function",
        ),
        (
            "a: !sub X",
            "t.yaml:1: `!sub` is no function: write !Sub or Fn::Sub",
            "a tag in lower case",
        ),
        (
            "a: !!binary aGk=",
            "the tag `tag:yaml.org,2002:binary` means nothing",
            "a tag of YAML that AWS refuses",
        ),
        (
            "? [a]\n: b",
            "t.yaml:1: a key that is a list or a map",
            "a list as a key",
        ),
        ("a: *x", "no YAML or JSON", "an alias of nothing"),
        ("a: &x [*x]", "part of", "an alias of itself"),
        ("a: \"x\\0y\"", "NUL", "text that AWS does not take"),
        (
            &format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)),
            "no YAML or JSON",
            "deep nesting",
        ),
        (&aliases, "aliases", "a few lines that mean billions of values"),
        (
            &ladder,
            "nested deeper than 100 levels",
            "aliases that nest without end",
        ),
    ] {
        let fault = read(text).expect_err(why);
        assert!(fault.contains(words), "{why}: {fault}");
        assert!(fault.len() < 600, "{why}: no longer than a person reads");
    }
    let huge = format!("a: '{}'", "x".repeat(MAX_BYTES));
    assert!(read(&huge).unwrap_err().contains("larger than 8 MiB"));
}
