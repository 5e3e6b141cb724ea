use serde_json::json;

use super::*;

const POLICY: &str = "x-amazon-apigateway-policy";

fn allow() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"},
        "Action": ["execute-api:Invoke"], "Resource": ["execute-api:/*"]}]})
}

#[test]
#[allow(clippy::too_many_lines, clippy::semicolon_if_nothing_returned)] // one row a reason
fn edits_of_the_api() {
    run(&[
        (
            "a policy that the export does not show",
            |e, _| e.rest_api["policy"] = json!(allow().to_string()),
            CannotTell("policy"),
        ),
        (
            "the same policy, written otherwise",
            |e, x| {
                e.rest_api["policy"] = json!(allow().to_string().replace('"', "\\\""));
                x[POLICY] = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
                "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}});
            },
            Clean,
        ),
        (
            "another policy",
            |e, x| {
                e.rest_api["policy"] = json!(allow().to_string().replace("Allow", "Deny"));
                x[POLICY] = allow();
            },
            Dirty("the API's policy: deployed a document, drafted a document"),
        ),
        (
            "a policy that was taken away",
            |_, x| x[POLICY] = allow(),
            Dirty("drafted nothing"),
        ),
        (
            "binary types that are not shown",
            |e, _| e.rest_api["binaryMediaTypes"] = json!(["image/png"]),
            CannotTell("binaryMediaTypes"),
        ),
        (
            "binary types in another order",
            |e, x| {
                e.rest_api["binaryMediaTypes"] = json!(["image/png", "image/gif"]);
                x["x-amazon-apigateway-binary-media-types"] = json!(["image/gif", "image/png"]);
            },
            Clean,
        ),
        (
            "compression",
            |e, _| e.rest_api["minimumCompressionSize"] = json!(0),
            CannotTell("minimumCompressionSize"),
        ),
        (
            "the execute-api endpoint is shown closed",
            |e, x| {
                e.rest_api["disableExecuteApiEndpoint"] = json!(true);
                x["servers"][0]["x-amazon-apigateway-endpoint-configuration"] =
                    json!({"disableExecuteApiEndpoint": true});
            },
            Clean,
        ),
        (
            "an endpoint type that nobody has by default",
            |e, _| e.rest_api["endpointConfiguration"]["types"] = json!(["PRIVATE"]),
            CannotTell("endpointConfiguration.types"),
        ),
        (
            "an API that runs on AWS's default TLS policy",
            |e, _| e.rest_api["securityPolicy"] = json!("TLS_1_0"),
            Clean,
        ),
        (
            "another TLS policy",
            |e, _| e.rest_api["securityPolicy"] = json!("SecurityPolicy_TLS13_1_3_2025_09"),
            CannotTell("securityPolicy"),
        ),
        (
            "tags take effect at once",
            |e, _| e.rest_api["tags"] = json!({"team": "x"}),
            Clean,
        ),
        (
            "a field that AWS has invented since",
            |e, _| e.rest_api["newThing"] = json!(true),
            CannotTell("newThing"),
        ),
        (
            "an extension that AWS has invented since",
            |_, x| x["x-amazon-apigateway-new"] = json!(1),
            CannotTell("x-amazon-apigateway-new"),
        ),
        (
            "an export without extensions",
            |_, x| {
                for path in ["/", "/pets", "/pets/{petId}"] {
                    for operation in x["paths"][path].as_object_mut().unwrap().values_mut() {
                        operation
                            .as_object_mut()
                            .unwrap()
                            .remove("x-amazon-apigateway-integration");
                    }
                }
            },
            CannotTell("extensions"),
        ),
        ("no export at all", |_, x| *x = json!("<html>"), CannotTell("no paths")),
    ]);
}

#[test]
fn the_drifts_own_properties_are_left_out() {
    let own = |target, key: &str, path: &str| Own {
        target,
        key: key.to_owned(),
        path: if path.is_empty() {
            Path::root()
        } else {
            Path::parse(path).unwrap()
        },
    };
    let mut drafted = editor();
    integration(&mut drafted)["uri"] = json!("https://b");
    drafted.rest_api["policy"] = json!(allow().to_string());
    let uri = own(Target::Method, "GET /pets", "methodIntegration.uri");
    let policy = own(Target::RestApi, "", "policy");
    let got = compare(&drafted, &export(), &[uri.clone(), policy.clone()]);
    check("both are the drift's own", &got, &Clean);
    let got = compare(&drafted, &export(), &[uri]);
    check("the policy is somebody's", &got, &CannotTell("policy"));
    let other = own(Target::Method, "POST /pets", "methodIntegration.uri");
    let got = compare(&drafted, &export(), &[other, policy]);
    check(
        "another method's URI is",
        &got,
        &Dirty("GET /pets methodIntegration.uri"),
    );

    let mut added = editor();
    added
        .resources
        .push(json!({"id": "r4", "path": "/x", "resourceMethods": {"GET": {"httpMethod": "GET"}}}));
    let got = compare(&added, &export(), &[own(Target::Method, "GET /x", "")]);
    check("a method as a whole", &got, &Clean);
}
