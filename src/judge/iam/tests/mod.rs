#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)] // tables of json!(...) read best so

mod documents;

use serde_json::{Value, json};

use super::*;

/// A policy of one statement, from its differences to "everybody may not call anything".
fn deny(changes: &Value) -> Value {
    let mut statement =
        json!({"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"});
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            statement.as_object_mut().unwrap().remove(key);
        } else {
            statement[key] = value.clone();
        }
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn allow_all_and(policy: Value) -> Value {
    let Value::Object(mut policy) = policy else {
        return policy;
    };
    policy["Statement"].as_array_mut().unwrap().push(
        json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}),
    );
    Value::Object(policy)
}

fn when(condition: Value) -> Value {
    allow_all_and(deny(&json!({"Condition": condition})))
}

fn ask(policy: &Value, context: &Value) -> (bool, bool) {
    let request = Request::from_json(context).unwrap();
    (denies(policy, &request).unwrap(), allows(policy, &request).unwrap())
}

const NEITHER: (bool, bool) = (false, false);
const DENIED: (bool, bool) = (true, false);
const ALLOWED: (bool, bool) = (false, true);

#[test]
fn https_only() {
    let http = json!({"aws:SecureTransport": "false"});
    let bool_false = json!({"Bool": {"aws:SecureTransport": "false"}});
    let table = [
        (when(bool_false.clone()), DENIED, "the usual way"),
        (
            when(json!({"StringEquals": {"aws:SecureTransport": "false"}})),
            DENIED,
            "compared as text",
        ),
        (
            when(json!({"Bool": {"aws:SecureTransport": false}})),
            DENIED,
            "as a JSON bool",
        ),
        (
            when(json!({"bool": {"AWS:securetransport": ["False"]}})),
            DENIED,
            "case and lists",
        ),
        (
            when(json!({"BoolIfExists": {"aws:SecureTransport": "false"}})),
            DENIED,
            "the key is there",
        ),
        (
            when(json!({"StringNotEquals": {"aws:SecureTransport": "true"}})),
            DENIED,
            "negated",
        ),
        (
            when(json!({"Bool": {"aws:SecureTransport": "true"}})),
            ALLOWED,
            "the wrong way round",
        ),
        (when(json!({})), DENIED, "no condition at all"),
        (
            when(json!({"Bool": {"aws:SecureTransport": "false"}, "NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
            NEITHER,
            "only from some addresses",
        ),
        (
            allow_all_and(deny(
                &json!({"Resource": "execute-api:/*/GET/*", "Condition": bool_false.clone()}),
            )),
            NEITHER,
            "one method only",
        ),
        (
            allow_all_and(deny(
                &json!({"Resource": "execute-api:/prod/*/*", "Condition": bool_false.clone()}),
            )),
            NEITHER,
            "one stage only",
        ),
        (
            allow_all_and(deny(&json!({"Resource": "*", "Condition": bool_false.clone()}))),
            DENIED,
            "any resource",
        ),
        (
            allow_all_and(deny(&json!({"Resource": "execute-api:/*/*/*"}))),
            DENIED,
            "all of the API, by its parts",
        ),
        (
            allow_all_and(deny(
                &json!({"Resource": "arn:aws:execute-api:eu-west-1:111122223333:abc/*"}),
            )),
            DENIED,
            "as AWS writes it back",
        ),
        (
            allow_all_and(deny(&json!({"Resource": ["execute-api:/a/*", "execute-api:/*"]}))),
            DENIED,
            "one of a list",
        ),
        (
            allow_all_and(deny(&json!({"Action": "execute-api:*"}))),
            DENIED,
            "all actions",
        ),
        (
            allow_all_and(deny(&json!({"Action": ["execute-api:Inv*"]}))),
            DENIED,
            "a pattern",
        ),
        (allow_all_and(deny(&json!({"Action": "*"}))), DENIED, "everything"),
        (
            allow_all_and(deny(&json!({"Action": "EXECUTE-API:invoke"}))),
            DENIED,
            "actions have no case",
        ),
        (
            allow_all_and(deny(&json!({"Action": "execute-api:ManageConnections"}))),
            ALLOWED,
            "another action",
        ),
        (
            allow_all_and(deny(&json!({"Action": null, "NotAction": "s3:*"}))),
            DENIED,
            "all but another service",
        ),
        (
            allow_all_and(deny(&json!({"Action": null, "NotAction": "execute-api:Invoke"}))),
            ALLOWED,
            "all but this",
        ),
        (
            allow_all_and(deny(&json!({"Resource": null, "NotResource": "execute-api:/health/*"}))),
            NEITHER,
            "all but a part",
        ),
        (
            allow_all_and(deny(&json!({"Principal": {"AWS": "*"}}))),
            DENIED,
            "everybody, the other way",
        ),
        (
            allow_all_and(deny(&json!({"Principal": {"AWS": "111122223333"}}))),
            NEITHER,
            "one account only",
        ),
        (
            allow_all_and(deny(
                &json!({"Principal": null, "NotPrincipal": {"AWS": "111122223333"}}),
            )),
            NEITHER,
            "somebody is excepted",
        ),
        (
            json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}}),
            DENIED,
            "nobody says that http may: refused without a Deny",
        ),
        (
            json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}}),
            NEITHER,
            "some may",
        ),
        (
            json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*"}}),
            NEITHER,
            "an account may, also by http",
        ),
        (json!(null), ALLOWED, "no policy refuses nothing"),
        (json!(""), ALLOWED, "an empty text is no policy"),
        (
            json!({"Version": "2012-10-17", "Statement": []}),
            ALLOWED,
            "no statement says nothing",
        ),
        (json!(when(bool_false.clone()).to_string()), DENIED, "as text"),
        (
            json!(when(bool_false).to_string().replace('"', "\\\"")),
            DENIED,
            "as API Gateway escapes it",
        ),
    ];
    for (policy, expected, why) in table {
        assert_eq!(ask(&policy, &http), expected, "{why}: {policy}");
    }
}

#[test]
fn conditions() {
    let vpce = json!({"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}});
    let table = [
        (
            vpce.clone(),
            json!({"aws:SourceVpce": "vpce-9"}),
            DENIED,
            "another VPC endpoint",
        ),
        (vpce.clone(), json!({"aws:SourceVpce": "vpce-2"}), ALLOWED, "ours"),
        (
            vpce.clone(),
            json!({"aws:SourceVpce": null}),
            DENIED,
            "none: negated operators hold without the key",
        ),
        (vpce, json!({}), NEITHER, "not known"),
        (
            json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
            json!({"aws:SourceVpce": null}),
            ALLOWED,
            "without the key",
        ),
        (
            json!({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}),
            json!({"aws:SourceVpce": null}),
            DENIED,
            "IfExists holds without the key",
        ),
        (
            json!({"Null": {"aws:SourceVpce": "true"}}),
            json!({"aws:SourceVpce": null}),
            DENIED,
            "absent",
        ),
        (
            json!({"Null": {"aws:SourceVpce": true}}),
            json!({"aws:SourceVpce": "x"}),
            ALLOWED,
            "there",
        ),
        (
            json!({"Null": {"aws:SourceVpce": "false"}}),
            json!({}),
            NEITHER,
            "not known",
        ),
        (
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"aws:PrincipalOrgID": "o-2"}),
            DENIED,
            "org",
        ),
        (
            json!({"StringLike": {"aws:UserAgent": "curl*"}}),
            json!({"aws:UserAgent": "curl/8"}),
            DENIED,
            "wildcards",
        ),
        (
            json!({"StringNotLike": {"aws:UserAgent": "curl*"}}),
            json!({"aws:UserAgent": "curl/8"}),
            ALLOWED,
            "negated",
        ),
        (
            json!({"StringEquals": {"aws:UserAgent": "curl*"}}),
            json!({"aws:UserAgent": "curl/8"}),
            ALLOWED,
            "no wildcard",
        ),
        (
            json!({"StringEqualsIgnoreCase": {"k": "AbC"}}),
            json!({"k": "aBc"}),
            DENIED,
            "case",
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}}),
            json!({"aws:SourceIp": "10.9.8.7"}),
            DENIED,
            "in",
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            json!({"aws:SourceIp": "10.9.8.7"}),
            ALLOWED,
            "not out",
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            json!({"aws:SourceIp": "11.0.0.1"}),
            DENIED,
            "out",
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
            json!({"aws:SourceIp": "1.2.3.4"}),
            DENIED,
            "anywhere",
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}),
            json!({"aws:SourceIp": "2001:db8::1"}),
            DENIED,
            "IPv6",
        ),
        (
            json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            json!({"s3:TlsVersion": 1.1}),
            DENIED,
            "numbers",
        ),
        (
            json!({"NumericGreaterThanEquals": {"n": 5}}),
            json!({"n": 4}),
            ALLOWED,
            "numbers",
        ),
        (
            json!({"DateLessThan": {"aws:CurrentTime": "2026-06-01"}}),
            json!({"aws:CurrentTime": "2026-01-01T00:00:00Z"}),
            DENIED,
            "time",
        ),
        (
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:*"}}),
            json!({"aws:SourceArn": "arn:aws:sns:eu-west-1:1:t"}),
            DENIED,
            "ARNs",
        ),
        (
            json!({"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:*:1:*"}}),
            json!({"aws:SourceArn": "arn:aws:sns:x:1:t"}),
            ALLOWED,
            "ARNs",
        ),
        (
            json!({"ForAnyValue:StringEquals": {"k": ["a", "b"]}}),
            json!({"k": ["x", "b"]}),
            DENIED,
            "one of them",
        ),
        (
            json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}}),
            json!({"k": ["x", "b"]}),
            ALLOWED,
            "not all",
        ),
        (
            json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}}),
            json!({"k": null}),
            DENIED,
            "none are all",
        ),
        (
            json!({"ForAnyValue:StringEquals": {"k": "a"}}),
            json!({"k": null}),
            ALLOWED,
            "none is not one",
        ),
        (
            json!({"StringEquals": {"k": "${aws:username}"}}),
            json!({"k": "x"}),
            NEITHER,
            "variables are not known",
        ),
        (
            json!({"StringEquals": {"k": "a", "l": "b"}}),
            json!({"k": "a", "l": "c"}),
            ALLOWED,
            "all must hold",
        ),
    ];
    for (condition, context, expected, why) in table {
        assert_eq!(
            ask(&when(condition.clone()), &context),
            expected,
            "{why}: {condition} {context}"
        );
    }
}

#[test]
fn described_requests() {
    let role = json!({"AWS": "arn:aws:iam::111122223333:role/app"});
    let not_role = deny(&json!({"Principal": null, "NotPrincipal": role}));
    let health = allow_all_and(deny(&json!({"Resource": "execute-api:/prod/GET/admin/*"})));
    let full = "arn:aws:execute-api:eu-west-1:111122223333:abc/prod/GET/admin/x";
    let table = [
        (
            &not_role,
            json!({"principal": "arn:aws:iam::111122223333:role/app"}),
            DENIED,
            "nothing is allowed at all",
        ),
        (&not_role, json!({"principal": "999988887777"}), DENIED, "not excepted"),
        (
            &health,
            json!({"resource": "execute-api:/prod/GET/admin/users"}),
            DENIED,
            "the part",
        ),
        (&health, json!({"resource": full}), DENIED, "the part, in full"),
        (
            &health,
            json!({"resource": "execute-api:/prod/POST/admin/users"}),
            ALLOWED,
            "another part",
        ),
        (
            &health,
            json!({"resource": "execute-api:/prod/*"}),
            NEITHER,
            "more than the part",
        ),
        (
            &health,
            json!({"action": "execute-api:InvalidateCache"}),
            DENIED,
            "nobody says that it may",
        ),
    ];
    for (policy, context, expected, why) in table {
        assert_eq!(ask(policy, &context), expected, "{why}: {policy} {context}");
    }
    let other = allow_all_and(deny(
        &json!({"Resource": "arn:aws:execute-api:eu-west-1:111122223333:zzz/*"}),
    ));
    assert_eq!(
        ask(&other, &json!({"resource": full})),
        ALLOWED,
        "a policy copied from another API"
    );
    let account = allow_all_and(deny(&json!({"Principal": {"AWS": "111122223333"}})));
    for (who, expected) in [
        ("arn:aws:iam::111122223333:user/anna", DENIED),
        ("arn:aws:sts::111122223333:assumed-role/app/session", DENIED),
        ("999988887777", ALLOWED),
        ("anonymous", ALLOWED),
    ] {
        assert_eq!(ask(&account, &json!({"principal": who})), expected, "{who}");
    }
}
