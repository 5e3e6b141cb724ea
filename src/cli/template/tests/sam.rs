use serde_json::json;

use super::*;

const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Globals:
  Api:
    TracingEnabled: true
    Auth: {ApiKeyRequired: true}
Resources:
  Shop:
    Type: AWS::Serverless::Api
    Properties:
      Name: shop
      StageName: prod
      OpenApiVersion: 3.0.1
      EndpointConfiguration: {Type: REGIONAL}
      BinaryMediaTypes: [image~1png]
      MethodSettings: [{ResourcePath: "/*", HttpMethod: "*", LoggingLevel: INFO}]
      Tags: {team: shop}
      Cors: "'*'"
      Auth:
        DefaultAuthorizer: Pool
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers:
          Pool: {UserPoolArn: !GetAtt Users.Arn}
          Own: {FunctionArn: !GetAtt Function.Arn}
        ResourcePolicy:
          CustomStatements: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: execute-api:/*}]
      Domain: {DomainName: a.example.com, CertificateArn: c, SecurityPolicy: TLS_1_2}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Handler: !Ref Nothing
      Events:
        List: {Type: Api, Properties: {RestApiId: !Ref Shop, Path: /items, Method: get}}
        Open:
          Type: Api
          Properties:
            RestApiId: !Ref Shop
            Path: /items
            Method: post
            Auth: {Authorizer: NONE, ApiKeyRequired: false}
            TimeoutInMillis: 5000
        Own: {Type: Api, Properties: {RestApiId: !Ref Shop, Path: /own, Method: any, Auth: {Authorizer: Own}}}
        Bare: {Type: Api, Properties: {Path: /bare, Method: get}}
        Timer: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Events:
        Start: {Type: Api, Properties: {RestApiId: !Ref Shop, Path: /start, Method: post}}
"#;

fn apis() -> Vec<Endpoint> {
    let found = found(TEMPLATE);
    assert!(found.untold.is_empty(), "{:?}", found.untold);
    found.endpoints
}

#[test]
fn an_api_is_what_the_transform_makes_of_it() {
    let apis = apis();
    let shop = apis.iter().find(|api| api.logical == "Shop").unwrap();
    let (own, unknown) = shop.document(Target::RestApi, "");
    assert_eq!(
        *own,
        json!({"name": "shop", "binaryMediaTypes": ["image/png"], "apiKeySource": "HEADER",
            "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}, "disableExecuteApiEndpoint": false,
            "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
                "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}]}})
    );
    assert!(unknown.is_empty(), "{unknown:?}");
    let (stage, _) = shop.document(Target::Stage, "prod");
    assert_eq!(stage["tracingEnabled"], true, "from Globals");
    assert_eq!(stage["tags"], json!({"team": "shop"}), "the stage's, not the API's");
    assert_eq!(stage["methodSettings"]["*/*"]["loggingLevel"], "INFO");
    assert_eq!(
        shop.snapshot.stages.len(),
        1,
        "no stage besides, as the version of OpenAPI is written"
    );
}

#[test]
fn methods_come_from_events() {
    let apis = apis();
    let shop = apis.iter().find(|api| api.logical == "Shop").unwrap();
    let mut methods = shop.methods();
    methods.sort_unstable();
    assert_eq!(
        methods,
        [
            "ANY /own",
            "GET /items",
            "OPTIONS /items",
            "OPTIONS /own",
            "OPTIONS /start",
            "POST /items",
            "POST /start"
        ]
    );
    for (key, kind, api_key, why) in [
        ("GET /items", "COGNITO_USER_POOLS", true, "the default"),
        ("POST /items", "NONE", false, "the event asks for nothing"),
        ("ANY /own", "CUSTOM", true, "the event's own"),
        ("OPTIONS /items", "NONE", true, "not added to preflights"),
    ] {
        let (method, _) = shop.document(Target::Method, key);
        assert_eq!(
            (&method["authorizationType"], &method["apiKeyRequired"]),
            (&json!(kind), &json!(api_key)),
            "{key}: {why}"
        );
    }
    let (get, unknown) = shop.document(Target::Method, "GET /items");
    assert_eq!(
        (
            &get["methodIntegration"]["type"],
            &get["methodIntegration"]["httpMethod"]
        ),
        (&json!("AWS_PROXY"), &json!("POST"))
    );
    assert!(unknown.contains(&"methodIntegration.uri".to_owned()), "it holds an ARN");
    let (post, _) = shop.document(Target::Method, "POST /items");
    assert_eq!(post["methodIntegration"]["timeoutInMillis"], 5000);
    assert_eq!(
        shop.document(Target::Method, "OPTIONS /items").0["methodIntegration"]["type"],
        "MOCK"
    );
    assert_eq!(
        shop.document(Target::Method, "POST /start").0["methodIntegration"]["type"],
        "AWS"
    );
    let line = |key: &str, path: &str| shop.line(TEMPLATE, Target::Method, key, path);
    assert_eq!(
        line("POST /items", "authorizationType"),
        "Auth: {Authorizer: NONE, ApiKeyRequired: false}"
    );
    assert_eq!(
        line("GET /items", ""),
        "List: {Type: Api, Properties: {RestApiId: !Ref Shop, Path: /items, Method: get}}"
    );
}

#[test]
fn events_without_an_api_make_one() {
    let apis = apis();
    let implicit = apis.iter().find(|api| api.logical == "ServerlessRestApi").unwrap();
    assert_eq!(implicit.methods(), ["GET /bare"]);
    let stages: Vec<&String> = implicit.snapshot.stages.keys().collect();
    assert_eq!(stages, ["Prod", "Stage"], "and the stage that SAM makes besides");
    assert_eq!(
        implicit.document(Target::Stage, "Prod").0["tracingEnabled"],
        true,
        "from Globals"
    );
    assert!(
        implicit.name_unknown.as_ref().unwrap().contains("AWS::StackName"),
        "it has the stack's name"
    );
    let domain = apis.iter().find(|api| api.logical == "Domain of Shop").unwrap();
    let (domain, _) = domain.document(Target::DomainName, "");
    assert_eq!(
        domain["endpointConfiguration"]["types"],
        json!(["REGIONAL"]),
        "what SAM takes if nothing is said"
    );
    assert_eq!(domain["regionalCertificateArn"], "c");
}

#[test]
fn a_definition_of_ones_own_is_secured_by_auth() {
    let api = |auth: &str, security: &str| {
        let text = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  A:\n    Type: AWS::Serverless::Api\n    Properties:\n      Name: a\n      StageName: prod\n      Auth: {{{auth}}}\n      DefinitionBody:\n        openapi: 3.0.1\n        info: {{title: x}}\n        security: [{{iam: []}}]\n        components: {{securitySchemes: {{iam: {{type: apiKey, x-amazon-apigateway-authtype: awsSigv4}}}}}}\n        paths: {{/a: {{get: {{{security}x-amazon-apigateway-integration: {{type: mock}}}}}}}}\n"
        );
        let api = one(&text);
        let kind = api
            .document(Target::Method, "GET /a")
            .0
            .get("authorizationType")
            .cloned();
        kind.unwrap_or_else(|| json!("?"))
    };
    let pool = "DefaultAuthorizer: P, Authorizers: {P: {UserPoolArn: x}}";
    for (auth, security, kind, why) in [
        ("", "", "?", "the document's own, which API Gateway is said to ignore"),
        (
            pool,
            "",
            "COGNITO_USER_POOLS",
            "the default is written into the operation",
        ),
        (pool, "security: [{NONE: []}], ", "NONE", "the operation says nobody"),
        (pool, "security: [{iam: []}], ", "AWS_IAM", "the operation says who"),
        (
            "DefaultAuthorizer: AWS_IAM",
            "security: [], ",
            "AWS_IAM",
            "an empty list says nothing",
        ),
    ] {
        assert_eq!(api(auth, security), kind, "{why}");
    }
}

#[test]
fn what_sam_would_make_of_lists_is_not_foreseen() {
    let api = one(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  A:\n    Type: AWS::Serverless::Api\n    Properties: {Name: a, StageName: prod, Auth: {ResourcePolicy: {IpRangeWhitelist: [10.0.0.0/8]}}}\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Events: {E: {Type: Api, Properties: {RestApiId: !Ref A, Path: /, Method: get}}}}\n",
    );
    assert_eq!(api.document(Target::RestApi, "").1, ["policy"]);
}

#[test]
fn a_definition_in_a_file_is_read_from_beside_the_template() {
    let files = Known(&[(
        "api.yaml",
        "openapi: 3.0.1\ninfo: {title: x}\npaths:\n  /a:\n    get:\n      x-amazon-apigateway-integration: {type: mock}\n",
    )]);
    let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  A: {Type: AWS::Serverless::Api, Properties: {Name: a, StageName: prod, DefinitionUri: api.yaml}}\n";
    let found = found_with(text, &given(&[]), &files).unwrap();
    assert_eq!(found.endpoints[0].methods(), ["GET /a"]);
    let missing = found_with(text, &given(&[]), &Known(&[])).unwrap_err();
    assert_eq!(missing, "t.yaml:3: api.yaml: no such file");
}
