//! The algebra of a rule: what holds, what is wanted, and the calls that lead there.

use serde_json::{Value, json};

use super::support::*;
use crate::api::policy::Target;

/// One rule, asked of one resource.
fn asked(resource: crate::judge::snapshot::Resource, target: &str, fields: Value) -> String {
    World::of([resource]).under(policy("p", rule(target, fields))).says()
}

#[test]
fn desired_values_stand_or_are_put_there() {
    for (document, desired, expected, why) in [
        (
            json!({"tracingEnabled": true}),
            json!({"tracingEnabled": true}),
            "compliant",
            "it stands",
        ),
        (
            json!({"tracingEnabled": false}),
            json!({"tracingEnabled": true}),
            "live in prod: UpdateStage replace /tracingEnabled=true",
            "another value; a stage needs no deployment",
        ),
        (
            json!({}),
            json!({"tracingEnabled": true}),
            "live in prod: UpdateStage replace /tracingEnabled=true",
            "AWS leaves out what is not set",
        ),
        (
            json!({"accessLogSettings": {"destinationArn": "arn:logs", "format": "$context.requestId"}}),
            json!({"accessLogSettings": {"destinationArn": "arn:logs"}}),
            "compliant",
            "maps merge: what the rule does not name is not its business",
        ),
        (
            json!({"accessLogSettings": {"destinationArn": "arn:other", "format": "f"}}),
            json!({"accessLogSettings": {"destinationArn": "arn:logs"}}),
            "live in prod: UpdateStage replace /accessLogSettings/destinationArn=arn:logs",
            "the differing part alone is patched",
        ),
        (
            json!({}),
            json!({"accessLogSettings": {"destinationArn": "arn:logs", "format": "f"}}),
            "live in prod: UpdateStage replace /accessLogSettings/destinationArn=arn:logs, replace /accessLogSettings/format=f",
            "a map that is not there is made of its leaves",
        ),
        (
            json!({"variables": {"a/b": "1"}}),
            json!({"variables": {"a/b": "2", "c~d": "3"}}),
            "live in prod: UpdateStage replace /variables/a~1b=2, replace /variables/c~0d=3",
            "keys are escaped as patch paths want them",
        ),
        (
            json!({"cacheClusterEnabled": true, "tracingEnabled": false}),
            json!({"tracingEnabled": true, "cacheClusterEnabled": true}),
            "live in prod: UpdateStage replace /tracingEnabled=true",
            "what stands already is not patched again",
        ),
    ] {
        let says = asked(stage("prod", document.clone()), STAGE, json!({"desired": desired}));
        assert_eq!(says, expected, "{why}: {document}");
    }
}

#[test]
fn numbers_compare_by_value() {
    let entry = |rate: Value| json!({"methodSettings": {"*/*": {"throttlingRateLimit": rate}}});
    for (stands, desired, expected, why) in [
        (
            json!(10000.0),
            json!(10000),
            "compliant",
            "AWS answers a float where an integer was written",
        ),
        (json!(10000), json!(10000.0), "compliant", "and the other way round"),
        (
            json!(10000.0),
            json!(500),
            "live in prod: UpdateStage replace /*/*/throttling/rateLimit=500",
            "another number",
        ),
        (
            json!(10),
            json!(0.5),
            "live in prod: UpdateStage replace /*/*/throttling/rateLimit=0.5",
            "fractions stay fractions",
        ),
        (
            json!(10),
            json!(10000.0),
            "live in prod: UpdateStage replace /*/*/throttling/rateLimit=10000",
            "a whole number goes out as one",
        ),
        (
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992_i64),
            "live in prod: UpdateStage replace /*/*/throttling/rateLimit=9007199254740992",
            "whole numbers are not rounded before they are compared",
        ),
        (
            json!("10000"),
            json!(10000),
            "live in prod: UpdateStage replace /*/*/throttling/rateLimit=10000",
            "text is no number",
        ),
    ] {
        let says = asked(
            stage("prod", entry(stands.clone())),
            STAGE,
            json!({"desired": entry(desired.clone())}),
        );
        assert_eq!(says, expected, "{why}: {stands} for {desired}");
    }
}

#[test]
fn lists_replace_whole() {
    for (stands, desired, expected, why) in [
        (
            json!(["image/png", "image/gif"]),
            json!(["image/png"]),
            "live in prod: UpdateRestApi remove /binaryMediaTypes/image~1gif; deploy prod",
            "a list is not merged: what the rule does not name goes",
        ),
        (
            json!(["image/gif"]),
            json!(["image/png"]),
            "live in prod: UpdateRestApi add /binaryMediaTypes/image~1png, remove /binaryMediaTypes/image~1gif; deploy prod",
            "member by member, the new ones first",
        ),
        (
            json!(["b", "a"]),
            json!(["a", "b", "a"]),
            "compliant",
            "the order of media types means nothing, nor does saying one twice",
        ),
        (json!([]), json!([]), "compliant", "none is none"),
        (
            Value::Null,
            json!(["a", "a"]),
            "live in prod: UpdateRestApi add /binaryMediaTypes/a; deploy prod",
            "each member is added once",
        ),
    ] {
        let document = json!({"binaryMediaTypes": stands});
        let says = asked(api(document), API, json!({"desired": {"binaryMediaTypes": desired}}));
        assert_eq!(says, expected, "{why}: {stands}");
    }
}

#[test]
fn tags_are_set_and_taken_away_one_by_one() {
    for (tags, fields, expected, why) in [
        (
            json!({"env": "prod"}),
            json!({"desired": {"tags": {"team": "pay/ments"}}}),
            "live in prod: TagResource add /tags/team=pay/ments",
            "the others stay, and no deployment is needed",
        ),
        (
            Value::Null,
            json!({"desired": {"tags": {"a/b": "1", "c": "2"}}}),
            "live in prod: TagResource add /tags/a~1b=1, add /tags/c=2",
            "none was there",
        ),
        (
            json!({"a/b": "1", "c": "2"}),
            json!({"desired": {"tags": {"c": "3"}}, "absent": ["tags[\"a/b\"]"]}),
            "live in prod: TagResource add /tags/c=3; UntagResource remove /tags/a~1b",
            "set and taken away",
        ),
        (
            json!({"c": "3"}),
            json!({"desired": {"tags": {"c": "3"}}}),
            "compliant",
            "it stands",
        ),
    ] {
        assert_eq!(
            asked(api(json!({"tags": tags})), API, fields),
            expected,
            "{why}: {tags}"
        );
    }
    let plan = World::of([api(json!({}))])
        .under(policy("p", rule(API, json!({"desired": {"tags": {"team": "x"}}}))))
        .plan();
    let named: Vec<_> = plan.patches[0]
        .parameters
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(named, ["resourceArn=arn:a1"], "tags are set on an ARN");
    assert_eq!(calls(&plan.inverse), "UntagResource remove /tags/team");
}

#[test]
fn what_must_be_absent_is_taken_away() {
    for (document, absent, expected, why) in [
        (json!({}), "variables.debug", "compliant", "it is not there"),
        (
            json!({"variables": {"debug": null}}),
            "variables.debug",
            "compliant",
            "null is absent",
        ),
        (
            json!({"variables": {"debug": "1", "a": "2"}}),
            "variables.debug",
            "live in prod: UpdateStage remove /variables/debug",
            "that one alone",
        ),
        (
            json!({"variables": {"debug": "1", "a": "2"}}),
            "variables",
            "live in prod: UpdateStage remove /variables",
            "all at once",
        ),
        (
            json!({"accessLogSettings": {"format": "f"}}),
            "accessLogSettings",
            "live in prod: UpdateStage remove /accessLogSettings",
            "a map as a whole",
        ),
        (
            json!({"tracingEnabled": true}),
            "tracingEnabled",
            "live in prod: NotRepairable",
            "AWS can change it, not take it away",
        ),
    ] {
        let says = asked(stage("prod", document.clone()), STAGE, json!({"absent": [absent]}));
        assert_eq!(says, expected, "{why}: {absent} of {document}");
    }
    let null = json!({"desired": {"variables": {"debug": null}}});
    assert_eq!(
        asked(stage("prod", json!({"variables": {"debug": "1"}})), STAGE, null),
        "live in prod: UpdateStage remove /variables/debug",
        "null in desired is absent, where no kubectl has dropped it"
    );
}

#[test]
fn policies_compare_by_meaning() {
    for (stands, desired, compliant, why) in [
        (
            closed(),
            closed_in_other_words(),
            true,
            "order, scalars and lists mean nothing",
        ),
        (closed(), open(), false, "a Deny less means something"),
        (json!(""), Value::Null, true, "empty text is no policy"),
    ] {
        let fields = if desired.is_null() {
            json!({"absent": ["policy"]})
        } else {
            json!({"desired": {"policy": desired}})
        };
        let says = asked(api(json!({"policy": stands})), API, fields);
        assert_eq!(says == "compliant", compliant, "{why}: {says}");
    }
}

#[test]
fn when_says_where_a_rule_applies() {
    let fields = json!({
        "when": "has(object.methodIntegration) && object.methodIntegration.type in ['HTTP', 'HTTP_PROXY']",
        "require": "object.methodIntegration.uri.startsWith('https://')",
        "fix": "{'methodIntegration': {'uri': object.methodIntegration.uri.replace('http://', 'https://')}}",
    });
    let mock = json!({"httpMethod": "GET", "methodIntegration": {"type": "MOCK"}});
    for (document, expected, why) in [
        (calling("https://a"), "compliant", "it holds"),
        (
            calling("http://a"),
            "live in prod: UpdateIntegration replace /uri=https://a; deploy prod",
            "it applies and does not hold",
        ),
        (mock, "does not apply", "neither compliant nor violated"),
        (
            json!({"httpMethod": "GET"}),
            "does not apply",
            "nothing is called at all",
        ),
        (
            json!({"httpMethod": "GET", "methodIntegration": {"uri": "http://a"}}),
            "unknown: when: no such key `type`: guard it with has(object.methodIntegration.type)",
            "whether it applies cannot be told",
        ),
        (
            json!({"httpMethod": "GET", "methodIntegration": {"type": "HTTP"}}),
            "unknown: require: no such key `uri`: guard it with has(object.methodIntegration.uri)",
            "whether it holds cannot be told, which is no violation",
        ),
    ] {
        assert_eq!(
            asked(method("GET /pets", document), METHOD, fields.clone()),
            expected,
            "{why}"
        );
    }
    let desired = json!({"when": "object.stageName == 'prod'", "desired": {"tracingEnabled": true}});
    let prod = json!({"stageName": "prod", "tracingEnabled": false});
    let dev = json!({"stageName": "dev", "tracingEnabled": false});
    assert_eq!(
        asked(stage("prod", prod), STAGE, desired.clone()),
        "live in prod: UpdateStage replace /tracingEnabled=true"
    );
    assert_eq!(
        asked(stage("dev", dev), STAGE, desired),
        "does not apply",
        "desired has a when too"
    );
}

#[test]
fn rules_see_where_they_are() {
    let spec = json!({
        "params": {"owners": ["payments"]},
        "rules": [rule(STAGE, json!({
            "require": "endpoint.tags.team in params.owners && endpoint.name == 'payments-api' && account.name == 'prod'
                && endpoint.stages == ['prod'] && stage == 'prod' && now < timestamp('2027-01-01T00:00:00Z')",
        }))],
    });
    let world = World::of([stage("prod", json!({}))]).under(compiled("p", spec));
    // A stage is judged as callers meet it and as it is read, the second time without a stage's name.
    assert_eq!(world.says(), "compliant");
    let domain = World::of([domain(json!({}))]).under(policy("p", rule(DOMAIN, json!({"require": "stage == null"}))));
    assert_eq!(domain.says(), "compliant", "a domain name has no stage");
}

#[test]
fn a_fix_is_computed_from_the_draft_and_the_last_compliant_values() {
    let fields = json!({
        "require": "object.methodIntegration.timeoutInMillis <= 5000",
        "fix": "{'methodIntegration': {'timeoutInMillis': has(previous.methodIntegration) ? previous.methodIntegration.timeoutInMillis : 5000}}",
    });
    let world = World::of([method("GET /pets", calling("https://a"))]).under(policy("p", rule(METHOD, fields)));
    assert_eq!(
        world.says(),
        "live in prod: UpdateIntegration replace /timeoutInMillis=5000; deploy prod",
        "nothing is known of before"
    );
    let world = world
        .after(
            Target::Method,
            "GET /pets",
            "methodIntegration.timeoutInMillis",
            json!(1200),
        )
        .after(
            Target::Method,
            "GET /other",
            "methodIntegration.timeoutInMillis",
            json!(1),
        );
    assert_eq!(
        world.says(),
        "live in prod: UpdateIntegration replace /timeoutInMillis=1200; deploy prod",
        "the value of this method, not of another"
    );
}

#[test]
fn a_restore_puts_back_exactly_what_stood_there() {
    let uri =
        json!({"require": "object.methodIntegration.uri.startsWith('https://')", "restore": ["methodIntegration.uri"]});
    let world = World::of([method("GET /pets", calling("http://evil"))])
        .under(policy("p", rule(METHOD, uri)))
        .after(
            Target::Method,
            "GET /pets",
            "methodIntegration.uri",
            json!("https://good"),
        );
    assert_eq!(
        world.says(),
        "live in prod: UpdateIntegration replace /uri=https://good; deploy prod"
    );

    for (stands, last, expected, why) in [
        (
            json!({"debug": "1", "a": "2"}),
            json!({"a": "2"}),
            "live in prod: UpdateStage remove /variables/debug",
            "what was not there then goes",
        ),
        (
            json!({"debug": "1"}),
            json!({"a": "2"}),
            "live in prod: UpdateStage replace /variables/a=2, remove /variables/debug",
            "and what was there comes back",
        ),
        (
            json!({"debug": "1"}),
            Value::Null,
            "live in prod: UpdateStage remove /variables",
            "that nothing stood there can be restored too",
        ),
    ] {
        let fields =
            json!({"require": "!has(object.variables) || !has(object.variables.debug)", "restore": ["variables"]});
        let world = World::of([stage("prod", json!({"variables": stands}))])
            .under(policy("p", rule(STAGE, fields)))
            .after(Target::Stage, "prod", "variables", last);
        assert_eq!(world.says(), expected, "{why}");
    }

    let secure = json!({"require": "has(object.policy) && iam.denies(object.policy, {'aws:SecureTransport': 'false'})", "restore": ["policy"]});
    let mut edited = open();
    edited["Id"] = json!("theirs");
    let world = World::of([api(json!({"policy": edited}))])
        .under(policy("p", rule(API, secure)))
        .after(Target::RestApi, "", "policy", closed());
    let plan = world.plan();
    let text = plan.patches[0].patch_operations[0].value.as_ref().unwrap();
    let put_back: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        put_back,
        closed(),
        "the whole document as it was, without what was added since"
    );
}
