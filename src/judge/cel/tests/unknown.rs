//! Documents of which some parts are not known.

use serde_json::{Value, json};

use super::*;

/// `?x` is a part that surely is there, `??x` one that may not be there, `?=text` one that begins with a text.
fn partial() -> Document {
    let object = json!({
        "type": "HTTP", "uri": "?=https://", "arn": "?arn", "maybe": "??condition",
        "log": {"arn": "?group", "format": "x"},
        "tags": {"team": "?team", "env": "prod"}, "doubtful": {"a": "1", "b": "??b"},
        "types": ["REGIONAL", "?other"], "few": ["a", "??b"],
        "policy": {"Statement": [{"Effect": "Deny", "Resource": "?arn"}]},
    });
    Document::partial(object, |text| {
        let rest = text.strip_prefix('?')?;
        let (certain, rest) = rest.strip_prefix('?').map_or((true, rest), |rest| (false, rest));
        let starts = rest.strip_prefix('=').unwrap_or_default().to_owned();
        Some(Unknown {
            why: format!("nobody said {rest}"),
            starts,
            certain,
        })
    })
}

fn ask(source: &str) -> Result<Value, EvalError> {
    let program = Program::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let (object, empty) = (partial(), Document::new(json!({})));
    program.eval_json(&Scope {
        object: &object,
        previous: None,
        endpoint: &empty,
        account: &empty,
        params: &empty,
        stage: Some(crate::judge::snapshot::NOT_KNOWN),
        now: None,
    })
}

#[test]
fn what_is_known_is_answered_and_nothing_else() {
    let unknown = None;
    for (source, answer, why) in [
        ("object.arn == 'x'", unknown, "its value is not known"),
        ("object.arn != 'x'", unknown, "nor that it is another one"),
        ("has(object.arn)", Some(true), "there surely is one"),
        ("has(object.maybe)", unknown, "there may be none"),
        ("'maybe' in object", unknown, "the same in other words"),
        ("object.contains('maybe')", unknown, "and in others"),
        (
            "has(object.log.arn) && object.log.format == 'x'",
            Some(true),
            "its neighbour is known",
        ),
        ("object.log.arn.size() > 0", unknown, "its length is not known"),
        (
            "object.log == {'format': 'x'}",
            unknown,
            "a comparison looks at everything",
        ),
        (
            "object.type == 'AWS' && object.arn == 'x'",
            Some(false),
            "one side decides",
        ),
        (
            "object.arn == 'x' || object.type == 'HTTP'",
            Some(true),
            "the other way round",
        ),
        ("object.type == 'HTTP' && object.arn == 'x'", unknown, "it matters"),
        (
            "object.type == 'HTTP' ? true : object.arn == 'x'",
            Some(true),
            "the other branch is not asked",
        ),
        (
            "object.uri.startsWith('https://')",
            Some(true),
            "its beginning is known",
        ),
        (
            "object.uri.startsWith('http')",
            Some(true),
            "and what it begins with itself",
        ),
        ("object.uri.startsWith('http://')", Some(false), "another beginning"),
        (
            "object.uri.startsWith('https://a')",
            unknown,
            "what comes next is not known",
        ),
        ("object.uri.endsWith('/')", unknown, "nor its end"),
        ("object.uri == 'https://a'", unknown, "nor the whole"),
        ("object.arn.startsWith('arn:')", unknown, "no beginning is known"),
        ("object.maybe.startsWith('a')", unknown, "there may be none"),
        (
            "'team' in object.tags",
            Some(true),
            "the key is there, whatever its value",
        ),
        ("object.tags.team == 'a'", unknown, "the value is not known"),
        ("object.tags.exists(k, k == 'env')", Some(true), "all keys are known"),
        (
            "object.tags.all(k, object.tags[k] != '')",
            unknown,
            "not all values are",
        ),
        (
            "object.tags.exists(k, object.tags[k] == 'prod')",
            Some(true),
            "one is enough",
        ),
        ("object.tags.size() == 2", Some(true), "their number is known"),
        (
            "object.doubtful.size() == 2",
            unknown,
            "it hangs on a member that may not be there",
        ),
        ("object.doubtful.exists(k, k == 'b')", unknown, "the same in a loop"),
        ("'a' in object.doubtful", Some(true), "the other member is there"),
        ("'c' in object.doubtful", Some(false), "a third one is not"),
        ("object.types[0] == 'REGIONAL'", Some(true), "members have their places"),
        ("object.types[1] == 'EDGE'", unknown, "that one is not known"),
        ("'REGIONAL' in object.types", unknown, "a search looks at all of them"),
        ("object.types.exists(t, t == 'REGIONAL')", Some(true), "one is enough"),
        ("object.types.size() == 2", Some(true), "their number is known"),
        (
            "object.types == ['REGIONAL', 'EDGE']",
            unknown,
            "a comparison looks at all of them",
        ),
        ("object.types.join(',') == ''", unknown, "so does a function"),
        (
            "object.few.size() == 2",
            unknown,
            "a list of which a member may be absent has no length",
        ),
        ("has(object.few)", Some(true), "but it is there"),
        (
            "iam.denies(object.policy, {'aws:SecureTransport': 'false'})",
            unknown,
            "a statement is not known",
        ),
        ("stage == 'prod'", unknown, "the stage's name is not known"),
        ("stage == null", unknown, "nor whether it is a stage at all"),
    ] {
        assert_eq!(ask(source).ok(), answer.map(Value::Bool), "{source}: {why}");
    }
}

#[test]
fn the_error_says_what_is_not_known_and_why() {
    for (source, words) in [
        ("object.log.arn == ''", "log.arn is not known: nobody said group"),
        ("object.tags.team == ''", "tags.team is not known: nobody said team"),
        (
            "iam.denies(object.policy, {})",
            "policy.Statement.Resource is not known: nobody said arn",
        ),
        ("object.few == []", "few is not known: nobody said b"),
    ] {
        assert_eq!(ask(source).unwrap_err().to_string(), words, "{source}");
    }
}

#[test]
fn the_json_is_without_what_is_not_known() {
    let document = partial();
    let json = document.json();
    assert_eq!(json["log"], json!({"format": "x"}));
    assert_eq!(json["tags"], json!({"env": "prod"}));
    assert_eq!(json["types"], json!(["REGIONAL", null]), "the others keep their places");
    assert!(json.get("arn").is_none() && json.get("few").is_none());
    let mut paths: Vec<String> = document.unknown().iter().map(|(path, _)| path.to_string()).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "arn",
            "doubtful.b",
            "few",
            "log.arn",
            "maybe",
            "policy.Statement",
            "tags.team",
            "types",
            "uri"
        ]
    );
}
