use super::*;

/// An export of one operation, with security schemes.
fn one(operation: &Value) -> Deployed {
    let export = json!({"openapi": "3.0.1", "paths": {"/pets": {"x-amazon-apigateway-any-method": operation}},
        "components": {"securitySchemes": {
            "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
            "staff": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {"type": "token"}},
            "pool": {"type": "apiKey", "name": "Authorization", "in": "header",
                "x-amazon-apigateway-authtype": "cognito_user_pools",
                "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools"}},
            "odd": {"type": "oauth2"}}}});
    read(&export).unwrap()
}

fn with_security(security: &Value) -> Deployed {
    one(&json!({"security": security, "x-amazon-apigateway-integration": {"type": "mock"}}))
}

#[test]
fn who_may_call() {
    for (security, kind, key, authorizer, why) in [
        (json!([]), "NONE", false, None, "nothing is asked for"),
        (json!([{"sigv4": []}]), "AWS_IAM", false, None, "signed requests"),
        (
            json!([{"sigv4": []}, {"api_key": []}]),
            "AWS_IAM",
            true,
            None,
            "an API key besides",
        ),
        (
            json!([{"api_key": []}]),
            "NONE",
            true,
            None,
            "an API key is no authorization",
        ),
        (
            json!([{"staff": []}]),
            "CUSTOM",
            false,
            Some("staff"),
            "a Lambda authorizer",
        ),
        (
            json!([{"pool": ["read"]}]),
            "COGNITO_USER_POOLS",
            false,
            Some("pool"),
            "a user pool",
        ),
    ] {
        let deployed = with_security(&security);
        let method = &deployed.methods["ANY /pets"];
        assert_eq!(method["authorizationType"], kind, "{why}");
        assert_eq!(method["apiKeyRequired"], key, "{why}");
        assert_eq!(
            deployed.authorizers.get("ANY /pets").map(String::as_str),
            authorizer,
            "{why}"
        );
    }
    let scoped = with_security(&json!([{"pool": ["read"]}]));
    assert_eq!(scoped.methods["ANY /pets"]["authorizationScopes"], json!(["read"]));
    let odd = with_security(&json!([{"odd": []}]));
    assert_eq!(
        odd.untold["ANY /pets"],
        [Path::of(["authorizationType"])],
        "a scheme that is not known"
    );
}

#[test]
fn an_integration_as_the_editor_has_it() {
    let deployed = one(
        &json!({"operationId": "All", "x-amazon-apigateway-request-validator": "body",
        "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "ANY", "uri": "https://b", "passthroughBehavior": "when_no_templates",
            "connectionId": "l1", "contentHandling": "convert_to_text", "credentials": "role",
            "cacheKeyParameters": ["method.request.path.x"], "tlsConfig": {"insecureSkipVerification": true},
            "responses": {"default": {"statusCode": 200}, "4\\d\\d": {"statusCode": "400"}}}}),
    );
    let method = &deployed.methods["ANY /pets"];
    assert_eq!(method["httpMethod"], "ANY");
    assert_eq!(method["operationName"], "All");
    assert_eq!(deployed.request_validators["ANY /pets"], "body");
    assert_eq!(
        method["methodIntegration"],
        json!({"type": "HTTP_PROXY", "httpMethod": "ANY", "uri": "https://b", "passthroughBehavior": "WHEN_NO_TEMPLATES",
            "connectionId": "l1", "connectionType": "VPC_LINK", "contentHandling": "CONVERT_TO_TEXT",
            "credentials": "role", "cacheKeyParameters": ["method.request.path.x"], "timeoutInMillis": 29000,
            "tlsConfig": {"insecureSkipVerification": true},
            "integrationResponses": {"200": {"statusCode": "200"},
                "400": {"statusCode": "400", "selectionPattern": "4\\d\\d"}}})
    );
    let plain = one(&json!({"x-amazon-apigateway-integration": {"type": "http", "uri": "http://a"}}));
    assert_eq!(
        plain.methods["ANY /pets"]["methodIntegration"]["connectionType"], "INTERNET",
        "the default"
    );
}

#[test]
fn the_apis_own_settings() {
    let export = json!({"openapi": "3.0.1", "paths": {},
        "servers": [{"url": "x", "x-amazon-apigateway-endpoint-configuration":
            {"disableExecuteApiEndpoint": true, "vpcEndpointIds": ["vpce-1"]}}],
        "x-amazon-apigateway-policy": {"Version": "2012-10-17"},
        "x-amazon-apigateway-api-key-source": "header",
        "x-amazon-apigateway-minimum-compression-size": 10});
    let deployed = read(&export).unwrap();
    assert_eq!(
        deployed.rest_api,
        json!({"policy": {"Version": "2012-10-17"}, "apiKeySource": "HEADER", "minimumCompressionSize": 10,
            "disableExecuteApiEndpoint": true, "endpointConfiguration": {"vpcEndpointIds": ["vpce-1"]}})
    );
    assert!(
        deployed
            .shown
            .contains(&Path::of(["endpointConfiguration", "vpcEndpointIds"]))
    );
    assert!(!deployed.shown.contains(&Path::of(["binaryMediaTypes"])));
}

#[test]
fn what_is_no_export_is_refused() {
    for (export, part) in [
        (json!(null), "no paths"),
        (json!({"swagger": "2.0", "paths": {}}), "no OpenAPI 3"),
        (json!({"openapi": "3.0.1", "paths": {"/": {"get": {}}}}), "extensions"),
    ] {
        assert!(read(&export).unwrap_err().contains(part), "{part}");
    }
}

#[test]
fn an_editors_export_shows_what_exports_show() {
    let listed = json!({"id": "a1", "policy": "{}", "disableExecuteApiEndpoint": false});
    let method = json!({"httpMethod": "GET", "authorizationType": "CUSTOM", "authorizerId": "auth1", "requestValidatorId": "v1",
        "methodIntegration": {"uri": "https://a", "cacheNamespace": "r1"}});
    let resources = [json!({"id": "r1", "path": "/pets", "resourceMethods": {"GET": method}})];
    let deployed = Deployed::of_editor(&listed, &resources);
    assert_eq!(
        deployed.methods["GET /pets"],
        json!({"httpMethod": "GET", "authorizationType": "CUSTOM", "methodIntegration": {"uri": "https://a"}, "resourcePath": "/pets"}),
        "ids are not shown, nor what no export shows"
    );
    assert_eq!(deployed.authorizers["GET /pets"], "auth1", "that there is one is seen");
    assert_eq!(deployed.request_validators["GET /pets"], "v1");
    let shown: Vec<String> = deployed.shown.iter().map(ToString::to_string).collect();
    for (path, is, why) in [
        ("policy", true, "an export has it"),
        (
            "securityPolicy",
            true,
            "an export that says nothing says that there is none",
        ),
        ("endpointConfiguration.types", false, "no export has it"),
        ("name", false, "no deployment carries it"),
    ] {
        assert_eq!(shown.contains(&path.to_owned()), is, "{path}: {why}");
    }
}
