//! What the schema can say is said by the API server, before anything is stored.

use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Resource};
use plumbline::api::{AwsAccount, EndpointException, EndpointPolicy};
use serde_json::{Value, json};

use crate::support::World;

/// A rule that is fine, with some of its fields changed; null takes a field away.
fn rule(change: &Value) -> Value {
    let mut rule = json!({
        "name": "backends-over-https", "target": "AWS::ApiGateway::Method",
        "require": "object.methodIntegration.uri.startsWith('https://')",
    });
    for (key, value) in change.as_object().unwrap() {
        if value.is_null() {
            rule.as_object_mut().unwrap().remove(key);
        } else {
            rule[key] = value.clone();
        }
    }
    rule
}

async fn create<K: Resource<DynamicType = ()>>(world: &World, namespaced: bool, spec: Value) -> Result<(), String> {
    let resource = ApiResource::erase::<K>(&());
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": resource.api_version, "kind": resource.kind,
        "metadata": {"generateName": "bad-"}, "spec": spec,
    }))
    .unwrap();
    let client = world.client.clone();
    let api: Api<DynamicObject> = if namespaced {
        Api::namespaced_with(client, &world.name, &resource)
    } else {
        Api::all_with(client, &resource)
    };
    // Nothing is kept, not even what is accepted.
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_policy_that_the_schema_can_refuse_is_refused_with_what_to_write() {
    let world = World::new("refused-policy").await;
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    for (change, expected, why) in [
        (json!({}), "", "the rule that the others are made of is fine"),
        (
            json!({"target": "AWS::ApiGateway::Methods"}),
            r#"rules[0].target: Unsupported value: "AWS::ApiGateway::Methods": supported values: "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::ApiGateway::Method", "AWS::ApiGateway::DomainName""#,
            "an unknown target names those that there are",
        ),
        (
            json!({"desired": {"apiKeyRequired": true}}),
            r#"rules[0]: Invalid value: "object": write either desired (and absent), the values that must stand, or require, a CEL expression: not both, not neither"#,
            "desired and require are two ways to say one thing",
        ),
        (
            json!({"require": null}),
            "write either desired (and absent), the values that must stand, or require, a CEL expression: not both, not neither",
            "a rule that says nothing",
        ),
        (
            json!({"fix": "{}", "restore": ["methodIntegration.uri"]}),
            "fix goes with require alone: desired is its own repair, and restore is the other way to repair a require",
            "two repairs",
        ),
        (
            json!({"require": null, "desired": {"apiKeyRequired": true}, "restore": ["apiKeyRequired"]}),
            "restore goes with require: desired is its own repair",
            "two repairs",
        ),
        (
            json!({"name": "Backends over HTTPS"}),
            "write lower-case letters, digits and dashes, as in backends-over-https",
            "names of Drifts begin with it",
        ),
        (
            json!({"severity": "Bad"}),
            r#"rules[0].severity: Unsupported value: "Bad": supported values: "Informational", "Low", "Medium", "High", "Critical""#,
            "severities are a closed set",
        ),
        (
            json!({"require": "a".repeat(1 << 20)}),
            "rules[0].require: Too long: may not be more than 16384 bytes",
            "an expression of 1 MB",
        ),
        (
            json!({"require": nested(10_000)}),
            "rules[0].require: Too long: may not be more than 16384 bytes",
            "an expression nested 10,000 deep",
        ),
    ] {
        let refused = create::<EndpointPolicy>(&world, true, json!({"rules": [rule(&change)]})).await;
        says(refused, expected, why);
    }
    for (spec, expected, why) in [
        (
            json!({"rules": []}),
            "spec.rules: Invalid value: 0: spec.rules in body should have at least 1 items",
            "a policy without rules",
        ),
        (
            json!({"rules": [rule(&json!({})), rule(&json!({}))]}),
            r#"spec.rules[1]: Duplicate value: {"name":"backends-over-https"}"#,
            "names of rules are unique within a policy",
        ),
        (
            json!({"rules": [rule(&json!({}))], "enforcement": "Repair"}),
            r#"spec.enforcement: Unsupported value: "Repair": supported values: "Audit", "Approve", "Enforce""#,
            "enforcements are a closed set",
        ),
        (
            json!({"rules": [rule(&json!({}))], "selector": {"types": ["AWS::ApiGateway::Api"]}}),
            r#"spec.selector.types[0]: Unsupported value: "AWS::ApiGateway::Api": supported values: "AWS::ApiGateway::RestApi", "AWS::ApiGateway::DomainName""#,
            "endpoints are a closed set",
        ),
    ] {
        says(create::<EndpointPolicy>(&world, true, spec).await, expected, why);
    }
}

#[tokio::test]
async fn an_account_or_exception_that_the_schema_can_refuse_is_refused_with_what_to_write() {
    let world = World::new("refused-account").await;
    for (change, expected, why) in [
        (json!({}), "", "the account that the others are made of is fine"),
        (
            json!({"accountId": "1111-2222-3333"}),
            r#"write the 12 digits of the AWS account id in quotes, as in "111122223333""#,
            "as consoles show it",
        ),
        (
            json!({"accountId": 111_122_223_333_u64}),
            "spec.accountId: Invalid value: \"integer\": spec.accountId in body must be of type string",
            "without quotes YAML reads a number",
        ),
        (
            json!({"regions": []}),
            "spec.regions in body should have at least 1 items",
            "nothing would be observed",
        ),
        (
            json!({"regions": ["Europe (Ireland)"]}),
            "write a region's code, as in eu-west-1",
            "as consoles show it",
        ),
        (
            json!({"sweep": {"interval": "15 minutes"}}),
            "write a duration such as 15m, 90s or 1h30m",
            "no duration",
        ),
        (
            json!({"budget": {"share": "0%"}}),
            r#"write a share from 1% to 100%, as in "50%""#,
            "nothing could be asked",
        ),
        (
            json!({"notify": {"people": {"topicArn": "plumbline-people"}}}),
            "write the ARN of a standard topic, as in arn:aws:sns:eu-west-1:111122223333:plumbline-people",
            "a topic's name is not its ARN",
        ),
    ] {
        let mut spec = json!({"accountId": "111122223333", "regions": ["eu-west-1"]});
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        says(create::<AwsAccount>(&world, false, spec).await, expected, why);
    }
    let everywhere = json!({
        "policy": "https-only", "endpoints": {}, "reason": "for now", "expiresAt": "2027-01-31T00:00:00Z",
    });
    says(
        create::<EndpointException>(&world, true, everywhere).await,
        r#"name the endpoints by ids, names or tags; names: ["*"] is all of them"#,
        "an exception for everything must say so",
    );
}

fn says(refused: Result<(), String>, expected: &str, why: &str) {
    match refused {
        Ok(()) => assert!(expected.is_empty(), "{why}: accepted"),
        Err(message) => {
            let fits = !expected.is_empty() && message.contains(expected);
            let shown: String = message.chars().take(600).collect();
            assert!(fits, "{why}: {shown}");
        }
    }
}
