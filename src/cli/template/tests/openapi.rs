use serde_json::json;

use super::*;

const DOCUMENT: &str = r#"
openapi: 3.0.1
info: {title: shop, version: "1"}
servers:
  - url: https://x
    x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}
x-amazon-apigateway-policy: {Version: 2012-10-17, Statement: []}
paths:
  /items:
    parameters: []
    get:
      operationId: list
      security: [{pool: [read]}]
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: GET
        uri: http://backend.example.com/items
    post:
      x-amazon-apigateway-integration:
        $ref: '#/components/x-amazon-apigateway-integrations/backend'
    delete: {}
components:
  securitySchemes:
    pool:
      type: apiKey
      name: Authorization
      in: header
      x-amazon-apigateway-authtype: cognito_user_pools
      x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: [!GetAtt Pool.Arn]}
  x-amazon-apigateway-integrations:
    backend:
      type: aws_proxy
      httpMethod: POST
      uri: !Sub arn:${AWS::Partition}:lambda:${Function.Arn}
"#;

#[test]
fn a_document_is_what_its_import_makes() {
    let api = one(DOCUMENT);
    let (own, unknown) = api.document(Target::RestApi, "");
    assert_eq!(
        *own,
        json!({"name": "shop", "version": "1", "disableExecuteApiEndpoint": true, "apiKeySource": "HEADER",
            "policy": {"Version": "2012-10-17", "Statement": []}, "endpointConfiguration": {}})
    );
    assert_eq!(
        unknown,
        ["endpointConfiguration.ipAddressType", "endpointConfiguration.types"],
        "the import says it"
    );
    assert_eq!(api.methods(), ["DELETE /items", "GET /items", "POST /items"]);
    let (get, unknown) = api.document(Target::Method, "GET /items");
    assert_eq!(get["authorizationType"], "COGNITO_USER_POOLS");
    assert_eq!(get["methodIntegration"]["uri"], "http://backend.example.com/items");
    assert_eq!(unknown, ["authorizerId", "methodIntegration.cacheNamespace"]);
    let (post, unknown) = api.document(Target::Method, "POST /items");
    assert_eq!(
        post["methodIntegration"]["type"], "AWS_PROXY",
        "a reference is followed"
    );
    assert_eq!(post["authorizationType"], "NONE");
    assert_eq!(unknown, ["methodIntegration.cacheNamespace", "methodIntegration.uri"]);
    assert_eq!(
        api.document(Target::Method, "DELETE /items").1,
        ["methodIntegration"],
        "nothing is called"
    );
    assert!(api.snapshot.stages.is_empty());
}

#[test]
fn every_part_knows_its_line() {
    let api = one(DOCUMENT);
    let endpoint = "x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}";
    let policy = "x-amazon-apigateway-policy: {Version: 2012-10-17, Statement: []}";
    for (target, key, path, line) in [
        (Target::RestApi, "", "policy", policy),
        (Target::RestApi, "", "disableExecuteApiEndpoint", endpoint),
        (Target::Method, "GET /items", "", "get:"),
        (
            Target::Method,
            "GET /items",
            "methodIntegration.uri",
            "uri: http://backend.example.com/items",
        ),
        (
            Target::Method,
            "GET /items",
            "authorizationType",
            "security: [{pool: [read]}]",
        ),
        (Target::Method, "GET /items", "resourcePath", "/items:"),
        (
            Target::Method,
            "POST /items",
            "methodIntegration.uri",
            "uri: !Sub arn:${AWS::Partition}:lambda:${Function.Arn}",
        ),
        (Target::Method, "POST /items", "authorizationType", "post:"),
    ] {
        assert_eq!(api.line(DOCUMENT, target, key, path), line, "{key} {path}");
    }
}

#[test]
fn who_may_call_is_as_the_import_has_it() {
    let api = |root: &str, operation: &str| {
        one(&format!(
            "swagger: '2.0'\ninfo: {{title: x}}\n{root}paths:\n  /a:\n    get:\n      {operation}x-amazon-apigateway-integration: {{type: mock}}\nsecurityDefinitions:\n  key: {{type: apiKey, name: x-api-key, in: header}}\n  iam: {{type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}}\n  odd: {{type: oauth2}}\n  doubt: {{type: apiKey, x-amazon-apigateway-authtype: !Ref Type}}\n"
        ))
    };
    // A document in which a scheme is not known tells of no method that asks for any.
    let known = |root: &str, operation: &str| {
        let text = format!(
            "swagger: '2.0'\ninfo: {{title: x}}\n{root}paths:\n  /a:\n    get:\n      {operation}x-amazon-apigateway-integration: {{type: mock}}\nsecurityDefinitions:\n  key: {{type: apiKey, name: x-api-key, in: header}}\n  iam: {{type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}}\n  odd: {{type: oauth2}}\n  bearer: {{type: apiKey, name: Authorization, in: header}}\n"
        );
        one(&text)
    };
    for (root, operation, kind, key, why) in [
        ("", "", "NONE", false, "nothing is asked for"),
        (
            "security: [{iam: []}]\n",
            "security: []\n      ",
            "NONE",
            false,
            "the operation asks for nothing",
        ),
        (
            "",
            "security: [{key: []}]\n      ",
            "NONE",
            true,
            "a key is no authorization",
        ),
        (
            "",
            "security: [{NONE: []}]\n      ",
            "NONE",
            false,
            "SAM's word for nobody",
        ),
        (
            "",
            "x-amazon-apigateway-auth: {type: AWS_IAM}\n      ",
            "AWS_IAM",
            false,
            "the extension",
        ),
    ] {
        let api = known(root, operation);
        let (method, unknown) = api.document(Target::Method, "GET /a");
        assert_eq!(
            (&method["authorizationType"], &method["apiKeyRequired"]),
            (&json!(kind), &json!(key)),
            "{why}"
        );
        assert_eq!(unknown, ["methodIntegration.cacheNamespace"], "{why}");
    }
    let all = known("security: [{iam: []}]\n", "");
    let unsaid = [
        "apiKeyRequired",
        "authorizationScopes",
        "authorizationType",
        "methodIntegration.cacheNamespace",
    ];
    assert_eq!(
        all.document(Target::Method, "GET /a").1,
        unsaid,
        "API Gateway is said to ignore it"
    );
    let bearer = known("", "security: [{bearer: []}]\n      ");
    assert!(
        bearer
            .document(Target::Method, "GET /a")
            .1
            .contains(&"apiKeyRequired".to_owned()),
        "a key that is not API Gateway's"
    );
    let odd = known("", "security: [{odd: []}]\n      ");
    assert!(
        odd.document(Target::Method, "GET /a")
            .1
            .contains(&"authorizationType".to_owned()),
        "no scheme of AWS's"
    );
    let asks = api("", "security: [{doubt: []}]\n      ");
    assert!(
        asks.document(Target::Method, "GET /a")
            .1
            .contains(&"authorizationType".to_owned()),
        "which is not known"
    );
    let open = api("", "");
    assert_eq!(
        open.document(Target::Method, "GET /a").0["authorizationType"],
        "NONE",
        "it asks for none of them"
    );
}

#[test]
fn what_hangs_on_something_unknown_is_said() {
    let text = "openapi: 3.0.1\ninfo: {title: x}\npaths:\n  /a: !If [C, {get: {}}, !Ref AWS::NoValue]\n  /b:\n    get: !Ref Operation\n    put:\n      x-amazon-apigateway-integration: !Ref Integration\n";
    let found = found(text);
    let untold: Vec<String> = found.untold.iter().map(ToString::to_string).collect();
    assert!(
        untold[0].contains("t.yaml:4: the methods of /a cannot be told"),
        "{untold:?}"
    );
    assert!(untold[1].contains("t.yaml:6: GET /b cannot be told"), "{untold:?}");
    assert_eq!(
        found.endpoints[0].document(Target::Method, "PUT /b").1,
        ["methodIntegration"]
    );
}

#[test]
fn what_is_no_such_document_is_answered_with_what_to_write() {
    for (text, words, why) in [
        (
            "openapi: 3.0.1",
            "t.yaml:1: an OpenAPI document without paths",
            "no paths",
        ),
        (
            "openapi: 4.0.0\npaths: {}",
            "write openapi: 3.0.1 or swagger: \"2.0\"",
            "another version",
        ),
        (
            "openapi: 3.0.1\npaths: {/a: {get: {}}}",
            "no operation has x-amazon-apigateway-integration",
            "no extensions of API Gateway",
        ),
        ("a: 1", "give a CloudFormation or SAM template", "something else"),
        ("- a", "give a CloudFormation or SAM template", "a list"),
        (
            "AWSTemplateFormatVersion: '2010-09-09'",
            "t.yaml:1: a template without Resources",
            "a template without resources",
        ),
    ] {
        let fault = found_with(text, &given(&[]), &Known(&[])).expect_err(why);
        assert!(fault.contains(words), "{why}: {fault}");
    }
}
