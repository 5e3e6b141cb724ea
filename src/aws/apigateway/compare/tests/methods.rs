use serde_json::json;

use super::*;

#[test]
#[allow(clippy::too_many_lines, clippy::semicolon_if_nothing_returned)] // one row a reason
fn edits_of_methods() {
    run(&[
        (
            "a drafted URI differs",
            |e, _| integration(e)["uri"] = json!("https://b"),
            Dirty(
                "GET /pets methodIntegration.uri: deployed http://petstore.execute-api.eu-west-1.amazonaws.com/petstore/pets, drafted https://b",
            ),
        ),
        (
            "a query is not told, it can hold a key",
            |e, _| integration(e)["uri"] = json!("https://b?key=x"),
            Dirty("drafted https://b"),
        ),
        (
            "a resource with a method was added",
            |e, _| {
                e.resources.push(json!({"id": "r4", "path": "/refunds",
            "resourceMethods": {"GET": {"httpMethod": "GET", "authorizationType": "NONE"}}}))
            },
            Dirty("GET /refunds was added"),
        ),
        (
            "a resource without methods has no effect on callers",
            |e, _| e.resources.push(json!({"id": "r4", "path": "/x"})),
            Clean,
        ),
        (
            "a method was removed",
            |e, _| {
                pets_verbs(e).remove("POST");
            },
            Dirty("POST /pets was removed"),
        ),
        (
            "a resource was removed",
            |e, _| {
                e.resources.pop();
            },
            Dirty("GET /pets/{petId} was removed"),
        ),
        (
            "the integration's type differs",
            |e, _| integration(e)["type"] = json!("HTTP_PROXY"),
            Dirty("methodIntegration.type"),
        ),
        (
            "authorization was drafted",
            |e, _| pets(e)["authorizationType"] = json!("AWS_IAM"),
            Dirty("deployed NONE, drafted AWS_IAM"),
        ),
        (
            "an API key was drafted",
            |e, _| pets(e)["apiKeyRequired"] = json!(true),
            Dirty("apiKeyRequired"),
        ),
        (
            "a header was made required",
            |e, _| pets(e)["requestParameters"]["method.request.header.X"] = json!(true),
            Dirty("requestParameters"),
        ),
        (
            "a mapping differs, and its value is not told",
            |e, _| integration(e)["requestParameters"]["integration.request.querystring.page"] = json!("'secret'"),
            Dirty("requestParameters[\"integration.request.querystring.page\"]: the draft differs"),
        ),
        (
            "a template was added",
            |e, _| integration(e)["requestTemplates"] = json!({"application/json": "{}"}),
            Dirty("requestTemplates"),
        ),
        (
            "a template that passes bodies through is not known to be shown",
            |e, _| integration(e)["requestTemplates"] = json!({"application/json": null}),
            CannotTell("requestTemplates"),
        ),
        (
            "a response's template differs",
            |e, _| integration(e)["integrationResponses"]["200"]["responseTemplates"] = json!({"text/html": "x"}),
            Dirty("responseTemplates"),
        ),
        (
            "a response was added",
            |e, _| {
                integration(e)["integrationResponses"]["500"] = json!({"statusCode": "500",
            "selectionPattern": "5.*"})
            },
            Dirty("integrationResponses.500"),
        ),
        (
            "an empty pattern is the default one",
            |e, _| integration(e)["integrationResponses"]["200"]["selectionPattern"] = json!(""),
            Clean,
        ),
        (
            "whether a response header is required means nothing",
            |e, _| {
                pets(e)["methodResponses"]["200"]["responseParameters"]["method.response.header.Access-Control-Allow-Origin"] =
                    json!(true)
            },
            Clean,
        ),
        (
            "an operation's name differs",
            |e, _| pets(e)["operationName"] = json!("List"),
            Dirty("drafted List"),
        ),
        (
            "another timeout is not shown",
            |e, _| integration(e)["timeoutInMillis"] = json!(5000),
            CannotTell("timeoutInMillis"),
        ),
        (
            "another timeout was deployed",
            |_, x| exported(x)["x-amazon-apigateway-integration"]["timeoutInMillis"] = json!(5000),
            Dirty("deployed 5000, drafted 29000"),
        ),
        (
            "both have another timeout",
            |e, x| {
                integration(e)["timeoutInMillis"] = json!(5000);
                exported(x)["x-amazon-apigateway-integration"]["timeoutInMillis"] = json!(5000);
            },
            Clean,
        ),
        (
            "INTERNET is the default",
            |e, _| integration(e)["connectionType"] = json!("INTERNET"),
            Clean,
        ),
        (
            "a VPC link that is not shown",
            |e, _| integration(e)["connectionId"] = json!("l1"),
            CannotTell("connectionId"),
        ),
        (
            "unverified certificates that are not shown",
            |e, _| integration(e)["tlsConfig"] = json!({"insecureSkipVerification": true}),
            CannotTell("tlsConfig.insecureSkipVerification"),
        ),
        (
            "verified certificates are the default",
            |e, _| integration(e)["tlsConfig"] = json!({"insecureSkipVerification": false}),
            Clean,
        ),
        (
            "another cache namespace is never shown",
            |e, _| integration(e)["cacheNamespace"] = json!("mine"),
            CannotTell("cacheNamespace"),
        ),
        (
            "a role that is not shown is not told",
            |e, _| integration(e)["credentials"] = json!("arn:aws:iam::1:role/x"),
            CannotTell("credentials: the draft sets it"),
        ),
        (
            "a field that AWS has invented since",
            |e, _| integration(e)["newThing"] = json!(1),
            CannotTell("newThing: this field is not known"),
        ),
        (
            "the same of methods",
            |e, _| pets(e)["newThing"] = json!(1),
            CannotTell("newThing"),
        ),
        (
            "and of resources",
            |e, _| e.resources[0]["newThing"] = json!(1),
            CannotTell("the resource / newThing"),
        ),
        (
            "and of what is deployed",
            |_, x| exported(x)["x-amazon-apigateway-integration"]["newThing"] = json!(1),
            CannotTell("newThing"),
        ),
        (
            "resources that were read without their methods",
            |e, _| *pets(e) = json!({}),
            CannotTell("without its settings"),
        ),
        (
            "Dirty goes before what cannot be told, and both are listed",
            |e, _| {
                pets(e)["apiKeyRequired"] = json!(true);
                integration(e)["credentials"] = json!("x");
            },
            Dirty("credentials"),
        ),
    ]);
}
