//! What documents mean, whoever asks.

use serde_json::json;

use super::super::*;
use super::{allow_all_and, deny};

#[test]
fn unreadable() {
    let table = [
        (json!(5), "it is neither an object nor text"),
        (json!("{"), "the text is no JSON"),
        (json!("[1]"), "the text is JSON, but no object"),
        (json!({"Version": "2012-10-17"}), "it has no `Statement`"),
        (json!({"statement": []}), "it has an unknown element `statement`"),
        (json!({"Statement": ["x"]}), "statement 1: it is no object"),
        (
            json!({"Statement": [{"Effect": "deny"}]}),
            "statement 1: `Effect` is neither Allow nor Deny",
        ),
        (
            deny(&json!({"Action": null})),
            "statement 1: it has neither `Action` nor `NotAction`",
        ),
        (
            deny(&json!({"NotAction": "x"})),
            "statement 1: it has both `Action` and `NotAction`",
        ),
        (deny(&json!({"Resource": []})), "statement 1: `Resource` cannot be read"),
        (
            deny(&json!({"Principal": "somebody"})),
            "statement 1: `Principal` cannot be read",
        ),
        (
            deny(&json!({"Condition": {"Boole": {}}})),
            "statement 1: unknown condition operator `Boole`",
        ),
        (
            deny(&json!({"Condition": {"Bool": 1}})),
            "statement 1: `Bool` holds no object of condition keys",
        ),
    ];
    for (policy, expected) in table {
        let error = denies(&policy, &Request::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("not a policy document: {expected}"),
            "{policy}"
        );
        assert!(equivalent(&policy, &policy, None), "{policy}");
    }
    for request in [json!(null), json!({"k": {}}), json!({"principal": ["a", "b"]})] {
        assert!(Request::from_json(&request).is_err(), "{request}");
    }
}

#[test]
fn equivalence() {
    let api = ApiRef {
        region: "eu-west-1".into(),
        account: "111122223333".into(),
        id: "abc".into(),
    };
    let base = deny(&json!({}));
    let full = "arn:aws:execute-api:eu-west-1:111122223333:abc/*";
    let same = [
        (base.clone(), deny(&json!({"Sid": "x"})), "names do not matter"),
        (base.clone(), deny(&json!({"Principal": {"AWS": ["*"]}})), "everybody"),
        (
            base.clone(),
            deny(&json!({"Action": ["execute-api:invoke", "execute-api:Invoke"]})),
            "case, list, twice",
        ),
        (base.clone(), deny(&json!({"Resource": full})), "this API in full"),
        (
            base.clone(),
            deny(&json!({"Resource": "arn:aws:execute-api:*:*:*/*"})),
            "any API is this one",
        ),
        (
            base.clone(),
            deny(&json!({"Resource": ["execute-api:/*", "execute-api:/prod/*"]})),
            "covered",
        ),
        (
            base.clone(),
            deny(&json!({"Resource": "execute-api:/*/*/*"})),
            "all of it, by its parts",
        ),
        (
            base.clone(),
            json!({"Statement": base["Statement"][0]}),
            "one statement, no version",
        ),
        (base.clone(), json!(base.to_string()), "text"),
        (
            base.clone(),
            json!(base.to_string().replace('"', "\\\"")),
            "escaped text",
        ),
        (
            deny(&json!({"Principal": {"AWS": ["111122223333", "999988887777"]}})),
            deny(&json!({"Principal": {"AWS": ["arn:aws:iam::999988887777:root", "arn:aws:iam::111122223333:root"]}})),
            "accounts and their roots, any order",
        ),
        (
            deny(&json!({"Condition": {"Bool": {"aws:SecureTransport": false}}})),
            deny(&json!({"Condition": {"bool": {"AWS:SecureTransport": ["False"]}}})),
            "bools as text",
        ),
        (
            deny(&json!({"Condition": {"IpAddress": {"aws:SourceIp": "1.2.3.4"}}})),
            deny(&json!({"Condition": {"IpAddress": {"aws:SourceIp": ["1.2.3.4/32"]}}})),
            "one address",
        ),
        (
            deny(&json!({"Condition": {"ArnEquals": {"k": ["b", "a"]}}})),
            deny(&json!({"Condition": {"ArnLike": {"k": ["a", "b"]}}})),
            "synonyms, any order",
        ),
        (json!(null), json!(""), "no policy"),
    ];
    for (left, right, why) in same {
        assert!(equivalent(&left, &right, Some(&api)), "{why}: {left} {right}");
        let once = canonical(&left, Some(&api));
        assert_eq!(
            canonical(&once, Some(&api)),
            once,
            "{why}: the normal form stays as it is"
        );
    }
    let reversed = |policy: &Value| {
        let mut policy = policy.clone();
        policy["Statement"].as_array_mut().unwrap().reverse();
        policy
    };
    let two = allow_all_and(base.clone());
    assert!(equivalent(&two, &reversed(&two), None), "order of statements");
    let different = [
        (base.clone(), allow_all_and(base.clone()), "one statement more"),
        (base.clone(), deny(&json!({"Effect": "Allow"})), "effect"),
        (
            base.clone(),
            deny(&json!({"Resource": "execute-api:/prod/*"})),
            "a part",
        ),
        (
            base.clone(),
            deny(&json!({"Resource": full.replace("abc", "zzz")})),
            "another API",
        ),
        (
            base.clone(),
            deny(&json!({"Principal": null, "NotPrincipal": "*"})),
            "negated",
        ),
        (
            base.clone(),
            deny(&json!({"Condition": {"Bool": {"aws:SecureTransport": "false"}}})),
            "condition",
        ),
        (base.clone(), json!(null), "no policy"),
        (
            deny(&json!({"Condition": {"StringEquals": {"k": "a"}}})),
            deny(&json!({"Condition": {"StringEquals": {"k": "A"}}})),
            "values have case",
        ),
    ];
    for (left, right, why) in different {
        assert!(!equivalent(&left, &right, Some(&api)), "{why}: {left} {right}");
    }
    assert!(
        !equivalent(&base, &deny(&json!({"Resource": full})), None),
        "which API is meant is not known"
    );
}
