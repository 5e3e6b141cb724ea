//! Repairs that are never made, repairs that wait, and how a repair is taken back.

use serde_json::{Value, json};

use super::support::*;
use crate::api::Reason;
use crate::api::policy::Target;
use crate::judge::verdict::Remedy;

fn refusal(world: &World) -> (Reason, String) {
    match world.violation().remedy {
        Remedy::None { reason, message } => (reason, message),
        Remedy::Plan(plan) => panic!("a plan: {}", calls(&plan.patches)),
    }
}

#[test]
fn a_repair_is_proven_before_any_call() {
    let ineffective = "the repair would not make the rule hold, so it is never made: correct the rule";
    for (fields, last, reason, expected, why) in [
        (
            json!({"require": "object.tracingEnabled", "fix": "{'tracingEnabled': false}"}),
            None,
            Reason::FixIneffective,
            ineffective,
            "it leads to what the rule refuses",
        ),
        (
            json!({"require": "object.tracingEnabled", "fix": "{}"}),
            None,
            Reason::FixIneffective,
            ineffective,
            "it leads nowhere",
        ),
        (
            json!({"require": "object.tracingEnabled", "fix": "{'description': object.nothing}"}),
            None,
            Reason::FixIneffective,
            "fix: no such key `nothing`: guard it with has(object.nothing)",
            "it cannot be computed",
        ),
        (
            json!({"require": "object.tracingEnabled", "fix": "'on'"}),
            None,
            Reason::FixIneffective,
            "fix must give a map, as in {'tracingEnabled': true}",
            "it is no map",
        ),
        (
            json!({"require": "object.tracingEnabled && (object.description == '' || object.gone)",
                   "fix": "{'tracingEnabled': true, 'description': 'x'}"}),
            None,
            Reason::FixIneffective,
            "whether the repair makes the rule hold cannot be told, so it is never made: require: no such key `gone`: guard it with has(object.gone)",
            "whether it helps cannot be told, which is not enough",
        ),
        (
            json!({"require": "object.tracingEnabled", "restore": ["tracingEnabled"]}),
            Some(("tracingEnabled", json!(false))),
            Reason::FixIneffective,
            ineffective,
            "what was compliant once is no longer, as the rule has changed",
        ),
        (
            json!({"require": "object.tracingEnabled", "restore": ["tracingEnabled", "description"]}),
            Some(("tracingEnabled", json!(true))),
            Reason::NoCompliantValue,
            "description: no value with which the rule held was ever seen",
            "one of the paths was never seen compliant",
        ),
        (
            json!({"require": "object.tracingEnabled"}),
            None,
            Reason::NotRepairable,
            "the rule names no repair: write desired, fix or restore",
            "the rule reports, a person repairs",
        ),
        (
            json!({"desired": {"webAclArn": "arn:acl"}}),
            None,
            Reason::NotRepairable,
            "webAclArn cannot be repaired: no patch takes it: associate a web ACL with the stage's ARN by AWS WAF (wafv2 AssociateWebACL)",
            "the table says what a person can do",
        ),
        (
            json!({"desired": {"tracingEnabled": true, "deploymentId": "d9"}}),
            None,
            Reason::NotRepairable,
            "deploymentId cannot be repaired: a repair points the stage at its own deployment; another one is chosen by a person",
            "half a repair is none",
        ),
        (
            json!({"desired": {"newByAws": true}}),
            None,
            Reason::NotRepairable,
            "newByAws has no repair that is known to be safe: change it by hand",
            "a property that no table knows",
        ),
        (
            json!({"desired": {"methodSettings": {"*/*": {"newByAws": true}}}}),
            None,
            Reason::NotRepairable,
            "methodSettings has no repair that is known to be safe: change it by hand",
            "nor one within a map that it knows",
        ),
        (
            json!({"desired": {"variables": "none"}}),
            None,
            Reason::NotRepairable,
            "variables has no repair that is known to be safe: change it by hand",
            "a value of another kind",
        ),
        (
            json!({"desired": {"tags": "none"}}),
            None,
            Reason::NotRepairable,
            "tags cannot be repaired: write a map of tags",
            "the same, of tags",
        ),
    ] {
        let mut world = World::of([stage("prod", json!({"tracingEnabled": false, "description": ""}))])
            .under(policy("p", rule(STAGE, fields.clone())));
        if let Some((path, value)) = last {
            world = world.after(Target::Stage, "prod", path, value);
        }
        assert_eq!(refusal(&world), (reason, expected.to_owned()), "{why}: {fields}");
    }
}

#[test]
fn a_repair_that_means_the_same_to_aws_is_not_made_for_ever() {
    let fields = json!({
        "require": "object.policy.Statement[0].Effect == 'Deny'",
        "fix": "{'policy': {'Statement': [object.policy.Statement[1], object.policy.Statement[0]]}}",
    });
    let world = World::of([api(json!({"policy": closed()}))]).under(policy("p", rule(API, fields)));
    let (reason, message) = refusal(&world);
    assert_eq!(reason, Reason::FixIneffective, "another order is the same policy");
    assert!(message.contains("means the same to AWS"), "{message}");
}

#[test]
fn a_fix_may_take_its_object_out_of_the_rule() {
    let fields = json!({"when": "!object.tracingEnabled", "require": "false", "fix": "{'tracingEnabled': true}"});
    let world = World::of([stage("prod", json!({"tracingEnabled": false}))]).under(policy("p", rule(STAGE, fields)));
    assert_eq!(
        world.says(),
        "live in prod: UpdateStage replace /tracingEnabled=true",
        "where the rule does not apply it is not violated"
    );
}

#[test]
fn what_was_wanted_is_shown_although_it_is_not_done() {
    let fields = json!({"desired": {"webAclArn": "arn:acl"}});
    let violation = World::of([stage("prod", json!({"webAclArn": "arn:other"}))])
        .under(policy("p", rule(STAGE, fields)))
        .violation();
    assert_eq!(violation.observed, json!({"webAclArn": "arn:other"}));
    assert_eq!(
        violation.desired,
        json!({"webAclArn": "arn:acl"}),
        "so that a person can do it"
    );
    let nobody_knows = json!({"require": "object.tracingEnabled", "restore": ["tracingEnabled"]});
    let violation = World::of([stage("prod", json!({"tracingEnabled": false}))])
        .under(policy("p", rule(STAGE, nobody_knows)))
        .violation();
    assert_eq!(violation.desired, Value::Null, "nobody can tell what is wanted");
}

#[test]
fn what_a_rule_is_about_is_shown_where_no_repair_tells() {
    let document = json!({"tracingEnabled": false, "webAclArn": "arn:acl", "cacheClusterSize": "0.5",
        "accessLogSettings": {"format": "f"}});
    for (fields, observed, why) in [
        (
            json!({"require": "object.tracingEnabled"}),
            json!({"tracingEnabled": false}),
            "what it looks at",
        ),
        (
            json!({"require": "!has(object.webAclArn)"}),
            json!({"webAclArn": "arn:acl"}),
            "what shall not be there",
        ),
        (
            json!({"require": "has(object.clientCertificateId)"}),
            json!({}),
            "what shall be there, and is not",
        ),
        (
            json!({"require": "has(object.accessLogSettings) && object.accessLogSettings.format == 'g'"}),
            json!({"accessLogSettings": {"format": "f"}}),
            "a part of what shall be there",
        ),
        (
            json!({"require": "object.tracingEnabled", "restore": ["cacheClusterSize"]}),
            json!({"cacheClusterSize": "0.5"}),
            "what it would put back, had it ever been seen",
        ),
    ] {
        let violation = World::of([stage("prod", document.clone())])
            .under(policy("p", rule(STAGE, fields.clone())))
            .violation();
        assert_eq!(violation.observed, observed, "{why}: {fields}");
        assert!(violation.difference.is_empty(), "nothing is wanted: {fields}");
    }
}

#[test]
fn what_can_interrupt_callers_is_said() {
    let uri = "methodIntegration.uri: calls reach another target, or none";
    let https = "object.methodIntegration.uri.startsWith('https://')";
    let method_with = |fields: Value| {
        World::of([method("GET /pets", calling("http://a"))])
            .under(policy("p", rule(METHOD, fields)))
            .after(Target::Method, "GET /pets", "methodIntegration.uri", json!("https://a"))
    };
    for (world, expected, why) in [
        (
            method_with(json!({"require": https, "fix": "{'methodIntegration': {'uri': 'https://b'}}"})),
            vec![uri],
            "another target",
        ),
        (
            method_with(json!({"require": https, "restore": ["methodIntegration.uri"]})),
            vec![],
            "the last compliant target: callers met it before",
        ),
        (
            method_with(json!({"desired": {"authorizationType": "AWS_IAM"}})),
            vec!["authorizationType: callers without the credentials that are asked for are refused"],
            "authorization",
        ),
        (
            World::of([stage("prod", json!({"tracingEnabled": false}))])
                .under(policy("p", rule(STAGE, json!({"desired": {"tracingEnabled": true}})))),
            vec![],
            "nobody notices tracing",
        ),
        (
            World::of([stage("prod", json!({"cacheClusterEnabled": false}))]).under(policy(
                "p",
                rule(STAGE, json!({"desired": {"cacheClusterEnabled": true}})),
            )),
            vec![
                "cacheClusterEnabled: a cache is made, resized or deleted for minutes, during which backends get every call",
            ],
            "caching",
        ),
        (
            World::of([domain(json!({"securityPolicy": "TLS_1_0"}))]).under(policy(
                "p",
                rule(DOMAIN, json!({"desired": {"securityPolicy": "TLS_1_2"}})),
            )),
            vec!["securityPolicy: callers that cannot speak the new TLS policy are refused"],
            "the TLS policy",
        ),
    ] {
        assert_eq!(world.plan().disruptions, expected, "{why}");
        assert!(!world.violation().allow_disruption, "{why}: a person is asked");
    }
    let allowed = json!({"desired": {"cacheClusterEnabled": true}, "allowDisruption": true});
    let world = World::of([stage("prod", json!({}))]).under(policy("p", rule(STAGE, allowed)));
    assert!(world.violation().allow_disruption, "the rule says so");
}

#[test]
fn every_repair_has_its_inverse() {
    for (resource, fields, there, back, why) in [
        (
            stage("prod", json!({"tracingEnabled": false})),
            rule(STAGE, json!({"desired": {"tracingEnabled": true}})),
            "UpdateStage replace /tracingEnabled=true",
            "UpdateStage replace /tracingEnabled=false",
            "the value that stood there",
        ),
        (
            stage("prod", json!({})),
            rule(
                STAGE,
                json!({"desired": {"accessLogSettings": {"destinationArn": "a", "format": "f"}}}),
            ),
            "UpdateStage replace /accessLogSettings/destinationArn=a, replace /accessLogSettings/format=f",
            "UpdateStage remove /accessLogSettings",
            "what came as a whole goes as a whole",
        ),
        (
            stage("prod", json!({})),
            rule(STAGE, json!({"desired": {"variables": {"a": "1"}}})),
            "UpdateStage replace /variables/a=1",
            "UpdateStage remove /variables",
            "no variables were there",
        ),
        (
            stage("prod", json!({"variables": {"a": "1", "b": "2"}})),
            rule(STAGE, json!({"absent": ["variables"]})),
            "UpdateStage remove /variables",
            "UpdateStage replace /variables/a=1, replace /variables/b=2",
            "what went as a whole comes back one by one",
        ),
        (
            api(json!({"policy": open()})),
            rule(API, json!({"absent": ["policy"]})),
            "UpdateRestApi replace /policy=",
            "UpdateRestApi replace /policy={\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"execute-api:Invoke\",\"Resource\":\"execute-api:/*\"}]}",
            "a policy as text",
        ),
        (
            api(json!({"binaryMediaTypes": ["a"]})),
            rule(API, json!({"desired": {"binaryMediaTypes": ["b"]}})),
            "UpdateRestApi add /binaryMediaTypes/b, remove /binaryMediaTypes/a",
            "UpdateRestApi add /binaryMediaTypes/a, remove /binaryMediaTypes/b",
            "member by member",
        ),
        (
            api(json!({"endpointConfiguration": {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]}})),
            rule(
                API,
                json!({"desired": {"endpointConfiguration": {"vpcEndpointIds": ["vpce-2", "vpce-3"]}}}),
            ),
            "UpdateRestApi add /endpointConfiguration/vpcEndpointIds=vpce-2, add /endpointConfiguration/vpcEndpointIds=vpce-3, \
             remove /endpointConfiguration/vpcEndpointIds=vpce-1",
            "UpdateRestApi add /endpointConfiguration/vpcEndpointIds=vpce-1, remove /endpointConfiguration/vpcEndpointIds=vpce-2, \
             remove /endpointConfiguration/vpcEndpointIds=vpce-3",
            "the value names the member, and several are named at one path",
        ),
        (
            method("GET /pets", json!({"authorizationScopes": ["a/b"]})),
            rule(METHOD, json!({"desired": {"authorizationScopes": ["c"]}})),
            "UpdateMethod add /authorizationScopes=c, remove /authorizationScopes=a/b",
            "UpdateMethod add /authorizationScopes=a/b, remove /authorizationScopes=c",
            "a value is not escaped",
        ),
        (
            method(
                "GET /pets",
                json!({"methodIntegration": {"uri": "u", "requestParameters": {"integration.request.header.a": "'x'"}}}),
            ),
            rule(
                METHOD,
                json!({"desired": {"methodIntegration": {"requestParameters": {"integration.request.header.a": "'y'", "integration.request.header.b": "'z'"}}}}),
            ),
            "UpdateIntegration replace /requestParameters/integration.request.header.a='y', add /requestParameters/integration.request.header.b='z'",
            "UpdateIntegration replace /requestParameters/integration.request.header.a='x', remove /requestParameters/integration.request.header.b",
            "an entry that was there is replaced, one that was not is added",
        ),
    ] {
        let plan = World::of([resource]).under(policy("p", fields)).plan();
        assert_eq!(calls(&plan.patches), there, "{why}");
        assert_eq!(calls(&plan.inverse), back, "{why}");
        assert!(plan.irreversible.is_empty(), "{why}");
    }
}

#[test]
fn what_no_call_takes_back_is_said_and_the_rest_is_taken_back() {
    let fields = json!({"desired": {"tracingEnabled": true, "documentationVersion": "v1"}});
    let plan = World::of([stage("prod", json!({"tracingEnabled": false}))])
        .under(policy("p", rule(STAGE, fields)))
        .plan();
    assert_eq!(calls(&plan.inverse), "UpdateStage replace /tracingEnabled=false");
    let stays: Vec<String> = plan.irreversible.iter().map(ToString::to_string).collect();
    assert_eq!(stays, ["documentationVersion"], "AWS has no call that unsets it");
}
