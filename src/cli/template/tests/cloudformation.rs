use serde_json::json;

use super::*;

const TEMPLATE: &str = r#"
Parameters:
  Level: {Type: String}
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: shop
      EndpointConfiguration: {Types: [REGIONAL]}
      MinimumCompressionSize: "1024"
      BinaryMediaTypes: [image~1png]
      Tags: [{Key: team, Value: shop}, {Key: level, Value: !Ref Level}]
      Policy:
        Version: 2012-10-17
        Statement: []
  Items:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: items}
  Item:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Api, ParentId: !Ref Items, PathPart: "{id}"}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Item
      HttpMethod: get
      AuthorizationType: COGNITO_USER_POOLS
      AuthorizerId: !Ref Pool
      ApiKeyRequired: "true"
      RequestParameters: {method.request.path.id: true}
      Integration:
        Type: HTTP
        IntegrationHttpMethod: GET
        Uri: https://backend.example.com/items
        IntegrationResponses:
          - StatusCode: 200
          - StatusCode: 400
            SelectionPattern: 4\d\d
      MethodResponses: [{StatusCode: 200, ResponseModels: {application/json: Empty}}]
  Options:
    Type: AWS::ApiGateway::Method
    Properties: {RestApiId: !Ref Api, ResourceId: !GetAtt Api.RootResourceId, HttpMethod: OPTIONS}
  Pool: {Type: AWS::ApiGateway::Authorizer}
  Deployment:
    Type: AWS::ApiGateway::Deployment
    Properties: {RestApiId: !Ref Api}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      DeploymentId: !Ref Deployment
      StageName: prod
      TracingEnabled: yes
      Variables: {host: 1}
      AccessLogSetting: {DestinationArn: !GetAtt Logs.Arn, Format: x}
      MethodSettings:
        - {ResourcePath: "/*", HttpMethod: "*", LoggingLevel: !Ref Level, ThrottlingBurstLimit: "10"}
        - {ResourcePath: "/~1items", HttpMethod: GET, DataTraceEnabled: true}
  Logs: {Type: AWS::Logs::LogGroup}
"#;

#[test]
fn an_api_is_as_get_rest_apis_shows_it() {
    let api = one(TEMPLATE);
    let (own, unknown) = api.document(Target::RestApi, "");
    assert_eq!(
        *own,
        json!({"name": "shop", "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
            "minimumCompressionSize": 1024, "binaryMediaTypes": ["image/png"], "tags": {"team": "shop"},
            "policy": {"Version": "2012-10-17", "Statement": []}, "apiKeySource": "HEADER",
            "disableExecuteApiEndpoint": false})
    );
    assert_eq!(unknown, ["tags.level"]);
    assert_eq!(api.snapshot.name, "shop");
    assert_eq!(api.snapshot.tags["team"], "shop");
    assert!(api.tags_unknown.contains_key("level"));
}

#[test]
fn a_method_is_as_get_resources_shows_it() {
    let api = one(TEMPLATE);
    assert_eq!(api.methods(), ["GET /items/{id}", "OPTIONS /"]);
    let (method, unknown) = api.document(Target::Method, "GET /items/{id}");
    assert_eq!(
        *method,
        json!({"httpMethod": "GET", "resourcePath": "/items/{id}", "authorizationType": "COGNITO_USER_POOLS",
            "apiKeyRequired": true, "requestParameters": {"method.request.path.id": true},
            "methodIntegration": {"type": "HTTP", "httpMethod": "GET", "uri": "https://backend.example.com/items",
                "integrationResponses": {"200": {"statusCode": "200"},
                    "400": {"statusCode": "400", "selectionPattern": "4\\d\\d"}},
                "connectionType": "INTERNET", "timeoutInMillis": 29000, "passthroughBehavior": "WHEN_NO_MATCH",
                "cacheKeyParameters": []},
            "methodResponses": {"200": {"statusCode": "200", "responseModels": {"application/json": "Empty"}}}})
    );
    assert_eq!(
        unknown,
        ["authorizerId", "methodIntegration.cacheNamespace"],
        "AWS gives them"
    );
    let (open, _) = api.document(Target::Method, "OPTIONS /");
    assert_eq!(open["authorizationType"], "NONE", "what nobody wrote");
    assert!(open.get("methodIntegration").is_none());
}

#[test]
fn a_stage_is_as_get_stages_shows_it() {
    let api = one(TEMPLATE);
    let (stage, unknown) = api.document(Target::Stage, "prod");
    assert_eq!(stage["tracingEnabled"], json!(true), "YAML's other word for it");
    assert_eq!(stage["variables"], json!({"host": "1"}));
    assert_eq!(stage["cacheClusterEnabled"], json!(false), "what nobody wrote");
    let all = &stage["methodSettings"]["*/*"];
    assert_eq!(
        (&all["throttlingBurstLimit"], &all["throttlingRateLimit"]),
        (&json!(10), &json!(10000.0))
    );
    assert_eq!(stage["methodSettings"]["~1items/GET"]["dataTraceEnabled"], json!(true));
    assert_eq!(
        unknown,
        [
            "accessLogSettings.destinationArn",
            "deploymentId",
            "methodSettings[\"*/*\"].loggingLevel"
        ]
    );
    assert_eq!(api.snapshot.stages.keys().collect::<Vec<_>>(), ["prod"]);
    let served = |target, key: &str| {
        let resource = api
            .snapshot
            .resources
            .iter()
            .find(|r| r.target == target && r.key == key)
            .unwrap();
        resource.live.iter().map(|live| live.stage.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        served(Target::Method, "OPTIONS /"),
        ["prod"],
        "the stage serves what the template says"
    );
    assert_eq!(served(Target::RestApi, ""), ["prod"]);
}

#[test]
fn every_part_knows_its_line() {
    let api = one(TEMPLATE);
    for (target, key, path, line) in [
        (Target::RestApi, "", "", "Api:"),
        (Target::RestApi, "", "policy", "Policy:"),
        (
            Target::RestApi,
            "",
            "endpointConfiguration.types",
            "EndpointConfiguration: {Types: [REGIONAL]}",
        ),
        (Target::Method, "GET /items/{id}", "", "Get:"),
        (
            Target::Method,
            "GET /items/{id}",
            "methodIntegration.uri",
            "Uri: https://backend.example.com/items",
        ),
        (
            Target::Method,
            "GET /items/{id}",
            "resourcePath",
            "ResourceId: !Ref Item",
        ),
        (Target::Stage, "prod", "tracingEnabled", "TracingEnabled: yes"),
        (
            Target::Stage,
            "prod",
            "methodSettings[\"~1items/GET\"].dataTraceEnabled",
            "- {ResourcePath: \"/~1items\", HttpMethod: GET, DataTraceEnabled: true}",
        ),
    ] {
        assert_eq!(api.line(TEMPLATE, target, key, path), line, "{key} {path}");
    }
}

#[test]
fn what_is_not_known_is_never_made_up() {
    let api = |properties: &str| {
        one(&format!(
            "Parameters: {{P: {{Type: String}}}}\nConditions: {{C: !Equals [!Ref P, x]}}\nResources:\n  Api:\n    Type: AWS::ApiGateway::RestApi\n    Properties: {{{properties}}}\n"
        ))
    };
    for (properties, unknown, why) in [
        ("Name: !Ref P", vec!["name"], "a name"),
        (
            "Name: a, Tags: !If [C, [{Key: a, Value: b}], !Ref AWS::NoValue]",
            vec!["tags"],
            "all tags",
        ),
        (
            "Name: a, Tags: [{Key: !Ref P, Value: b}]",
            vec!["tags"],
            "a tag whose key is not known may be any",
        ),
        (
            "Name: a, Tags: [!If [C, {Key: a, Value: b}, !Ref AWS::NoValue]]",
            vec!["tags"],
            "a tag that may not be there",
        ),
        (
            "Name: a, Parameters: {endpointConfigurationTypes: !Ref P}",
            vec!["endpointConfiguration.types"],
            "a parameter of the import",
        ),
        (
            "Name: a, Parameters: {endpointConfigurationTypes: REGIONAL}",
            vec![],
            "a known parameter of the import",
        ),
        (
            "Name: a, EndpointConfiguration: !Ref P",
            vec!["endpointConfiguration"],
            "a whole object",
        ),
        (
            "Name: a, EndpointConfiguration: {Types: [!Ref P]}",
            vec!["endpointConfiguration.types"],
            "a member of a list",
        ),
        (
            "Name: a, Policy: {Statement: [{Resource: !Sub '${P}/*'}]}",
            vec!["policy.Statement"],
            "deep within a policy",
        ),
        (
            "Name: a, DisableExecuteApiEndpoint: !If [C, true, false]",
            vec!["disableExecuteApiEndpoint"],
            "a condition",
        ),
        (
            "Name: a, DisableExecuteApiEndpoint: !If [C, true, true]",
            vec![],
            "a condition that does not matter",
        ),
    ] {
        assert_eq!(api(properties).document(Target::RestApi, "").1, unknown, "{why}");
    }
    assert!(
        api("Name: !Ref P")
            .name_unknown
            .unwrap()
            .contains("--parameter P=VALUE")
    );
    assert!(api("Description: x").name_unknown.is_some(), "no name at all");
}

#[test]
fn a_path_that_is_made_elsewhere_is_not_known() {
    let template = |parent: &str| {
        format!(
            "Parameters: {{Root: {{Type: String}}}}\nResources:\n  R: {{Type: AWS::ApiGateway::Resource, Properties: {{RestApiId: x, ParentId: {parent}, PathPart: a}}}}\n  M: {{Type: AWS::ApiGateway::Method, Properties: {{RestApiId: x, ResourceId: !Ref R, HttpMethod: GET}}}}\n"
        )
    };
    let api = one(&template("!Ref Root"));
    assert_eq!(api.methods(), ["GET …/a"]);
    assert_eq!(api.document(Target::Method, "GET …/a").1, ["resourcePath"]);
    assert_eq!(api.name_unknown.as_deref(), Some("another template makes it"));
    let round = one(&template("!Ref R"));
    assert_eq!(
        round.document(Target::Method, "GET …/a").1,
        ["resourcePath"],
        "a circle of parents"
    );
}

#[test]
fn conditions_decide_what_there_is() {
    let stage = |condition: &str| {
        let text = format!(
            "Parameters: {{P: {{Type: String}}, Q: {{Type: String, Default: no}}}}\nConditions: {{Known: !Equals [!Ref Q, yes], Open: !Equals [!Ref P, x]}}\nResources:\n  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{Name: a}}}}\n  S: {{Type: AWS::ApiGateway::Stage, Condition: {condition}, Properties: {{RestApiId: !Ref Api, StageName: prod}}}}\n"
        );
        one(&text).snapshot.stages.len()
    };
    assert_eq!(stage("Known"), 0, "it will not be made");
    assert_eq!(stage("Open"), 1, "it may be made, and is judged as if it will be");
}

#[test]
fn a_deployment_that_names_a_stage_makes_it() {
    let api = one(
        "Resources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}\n  D:\n    Type: AWS::ApiGateway::Deployment\n    Properties:\n      RestApiId: !Ref Api\n      StageName: prod\n      StageDescription: {TracingEnabled: true, LoggingLevel: INFO, Variables: {a: b}}\n",
    );
    let (stage, _) = api.document(Target::Stage, "prod");
    assert_eq!(
        (&stage["stageName"], &stage["tracingEnabled"]),
        (&json!("prod"), &json!(true))
    );
    assert_eq!(
        stage["methodSettings"]["*/*"]["loggingLevel"], "INFO",
        "settings of the description are those of all"
    );
    assert!(stage.get("loggingLevel").is_none());
}

#[test]
fn a_stage_without_a_known_name_is_one_of_any_name() {
    let api = one(
        "Parameters: {P: {Type: String}}\nResources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}\n  S: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: !Ref P}}\n",
    );
    assert_eq!(api.nameless, ["S"]);
    assert_eq!(api.document(Target::Stage, "S").1, ["deploymentId", "stageName"]);
}

#[test]
fn a_web_acl_that_is_associated_may_be_this_stages() {
    let api = one(
        "Resources:\n  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}\n  S: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, StageName: prod}}\n  W: {Type: AWS::WAFv2::WebACLAssociation, Properties: {ResourceArn: !Sub 'arn:aws:apigateway:eu-west-1::/restapis/${Api}/stages/prod', WebACLArn: x}}\n",
    );
    assert_eq!(api.document(Target::Stage, "prod").1, ["deploymentId", "webAclArn"]);
}

#[test]
fn domain_names_of_all_kinds_are_read() {
    for (kind, properties, expected, why) in [
        (
            "AWS::ApiGateway::DomainName",
            "DomainName: a.example.com, RegionalCertificateArn: c, EndpointConfiguration: {Types: [REGIONAL]}, SecurityPolicy: TLS_1_2, MutualTlsAuthentication: {TruststoreUri: s3://b/k}",
            json!({"domainName": "a.example.com", "regionalCertificateArn": "c", "endpointConfiguration": {"types": ["REGIONAL"]},
                "securityPolicy": "TLS_1_2", "mutualTlsAuthentication": {"truststoreUri": "s3://b/k"},
                "routingMode": "BASE_PATH_MAPPING_ONLY"}),
            "version 1",
        ),
        (
            "AWS::ApiGateway::DomainNameV2",
            "DomainName: a.example.com, EndpointConfiguration: {Types: [PRIVATE]}, SecurityPolicy: TLS_1_2, Policy: '{\"Statement\": []}'",
            json!({"domainName": "a.example.com", "endpointConfiguration": {"types": ["PRIVATE"]},
                "securityPolicy": "TLS_1_2", "policy": {"Statement": []}, "routingMode": "BASE_PATH_MAPPING_ONLY"}),
            "private",
        ),
        (
            "AWS::ApiGatewayV2::DomainName",
            "DomainName: a.example.com, DomainNameConfigurations: [{CertificateArn: c, EndpointType: REGIONAL, SecurityPolicy: TLS_1_2}]",
            json!({"domainName": "a.example.com", "regionalCertificateArn": "c", "endpointConfiguration": {"types": ["REGIONAL"]},
                "securityPolicy": "TLS_1_2", "routingMode": "BASE_PATH_MAPPING_ONLY"}),
            "version 2, as version 1 shows it",
        ),
    ] {
        let domain = one(&format!(
            "Resources:\n  D: {{Type: '{kind}', Properties: {{{properties}}}}}\n"
        ));
        assert_eq!(*domain.document(Target::DomainName, "").0, expected, "{why}");
        assert_eq!(domain.snapshot.name, "a.example.com");
    }
    let unsaid = one("Resources:\n  D: {Type: AWS::ApiGateway::DomainName, Properties: {DomainName: a.example.com}}\n");
    assert_eq!(
        unsaid.document(Target::DomainName, "").1,
        ["securityPolicy"],
        "what AWS takes then is not documented"
    );
}

#[test]
fn a_body_counts_where_no_property_says_anything() {
    let body = "openapi: 3.0.1, info: {title: from-body}, x-amazon-apigateway-policy: {Statement: []}, x-amazon-apigateway-minimum-compression-size: 5, paths: {/a: {get: {x-amazon-apigateway-integration: {type: mock}}}}";
    let api = |more: &str| {
        one(&format!(
            "Resources:\n  Api:\n    Type: AWS::ApiGateway::RestApi\n    Properties: {{Body: {{{body}}}{more}}}\n"
        ))
    };
    let whole = api("");
    let (own, _) = whole.document(Target::RestApi, "");
    assert_eq!(
        (&own["name"], &own["policy"]),
        (&json!("from-body"), &json!({"Statement": []}))
    );
    assert_eq!(own["minimumCompressionSize"], 5);
    assert_eq!(whole.methods(), ["GET /a"]);
    let named = api(", Name: own, MinimumCompressionSize: 7");
    let (own, _) = named.document(Target::RestApi, "");
    assert_eq!(
        (&own["name"], &own["minimumCompressionSize"]),
        (&json!("own"), &json!(7))
    );
    let both = api(", Policy: {Statement: [{Effect: Deny}]}");
    assert_eq!(
        both.document(Target::RestApi, "").1,
        ["policy"],
        "which one counts is not documented"
    );
}

#[test]
fn what_stands_elsewhere_is_said_to_be_unread() {
    for (text, words, why) in [
        (
            "Transform: Own\nResources: {}",
            "t.yaml:1: the macro Own may change anything",
            "a macro",
        ),
        (
            "Resources:\n  'Fn::ForEach::X': [a, [b], {}]",
            "t.yaml:2: Fn::ForEach::X makes resources",
            "a loop",
        ),
        (
            "Resources:\n  A: {Type: 'Own::Api::Thing::MODULE'}",
            "t.yaml:2: the module Own::Api::Thing::MODULE makes resources",
            "a module",
        ),
        (
            "Resources:\n  A: {Properties: {}}",
            "t.yaml:2: A has no Type: write one",
            "no type",
        ),
        (
            "Resources:\n  A: {Type: AWS::ApiGateway::RestApi, Properties: {BodyS3Location: {Bucket: b, Key: k}}}",
            "t.yaml:2: the definition of A stands in S3",
            "a definition on AWS",
        ),
        (
            "Resources:\n  A: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: 's3://b/k'}}}}}",
            "t.yaml:2: the methods of A cannot be told: it stands in s3://b/k",
            "the same by a transform",
        ),
        (
            "Resources:\n  A: {Type: AWS::ApiGateway::RestApi, Properties: {CloneFrom: x}}",
            "t.yaml:2: A is made from another API",
            "a clone",
        ),
        (
            "Resources:\n  A: {Type: AWS::ApiGateway::RestApi, Properties: {Body: {openapi: 3.0.1}}}",
            "t.yaml:2: an OpenAPI document without paths",
            "a body that is none",
        ),
    ] {
        let found = found(text);
        let untold: Vec<String> = found.untold.iter().map(ToString::to_string).collect();
        assert!(untold.iter().any(|told| told.contains(words)), "{why}: {untold:?}");
    }
}

#[test]
fn a_definition_beside_the_template_is_read() {
    let files = Known(&[(
        "api.yaml",
        "openapi: 3.0.1\ninfo: {title: x}\npaths:\n  /a:\n    get:\n      x-amazon-apigateway-integration: {type: http, uri: 'http://b'}\n",
    )]);
    for property in [
        "BodyS3Location: api.yaml",
        "Body: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}",
    ] {
        let text = format!("Resources:\n  A: {{Type: AWS::ApiGateway::RestApi, Properties: {{{property}}}}}\n");
        let found = found_with(&text, &given(&[]), &files).unwrap();
        let api = &found.endpoints[0];
        let part = api.parts.iter().find(|part| part.target == Target::Method).unwrap();
        assert_eq!(part.at.to_string(), "api.yaml:5", "{property}");
    }
}
