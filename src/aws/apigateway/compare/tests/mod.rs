use super::*;
use serde_json::json;

mod api;
mod methods;
mod named;

/// The Pet Store sample as AWS exported it after it was imported and deployed; one template is shortened.
fn export() -> Value {
    serde_json::from_str(include_str!("../petstore-export.json")).unwrap()
}

fn mock(resource: &str, responses: &Value) -> Value {
    json!({"type": "MOCK", "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "connectionType": "INTERNET",
        "cacheNamespace": resource, "cacheKeyParameters": [],
        "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
        "integrationResponses": {"200": responses}})
}

fn http(resource: &str, verb: &str, path: &str, parameters: &Value) -> Value {
    let mut integration = json!({"type": "HTTP", "httpMethod": verb, "passthroughBehavior": "WHEN_NO_MATCH",
        "uri": format!("http://petstore.execute-api.eu-west-1.amazonaws.com/petstore{path}"),
        "timeoutInMillis": 29000, "cacheNamespace": resource, "cacheKeyParameters": [],
        "integrationResponses": {"200": {"statusCode": "200",
            "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"}}}});
    if !parameters.is_null() {
        integration["requestParameters"] = parameters.clone();
    }
    integration
}

fn method(verb: &str, headers: &[&str], model: Option<&str>, integration: &Value) -> Value {
    let parameters: serde_json::Map<String, Value> = headers
        .iter()
        .map(|name| (format!("method.response.header.{name}"), json!(false)))
        .collect();
    let mut response = json!({"statusCode": "200", "responseParameters": parameters});
    if let Some(model) = model {
        response["responseModels"] = json!({"application/json": model});
    }
    json!({"httpMethod": verb, "authorizationType": "NONE", "apiKeyRequired": false,
        "methodResponses": {"200": response}, "methodIntegration": integration})
}

fn options(resource: &str, verbs: &str) -> Value {
    let responses = json!({"statusCode": "200", "responseParameters": {
        "method.response.header.Access-Control-Allow-Methods": verbs,
        "method.response.header.Access-Control-Allow-Headers": "'Content-Type,X-Amz-Date,Authorization,X-Api-Key'",
        "method.response.header.Access-Control-Allow-Origin": "'*'"}});
    let headers = [
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
    ];
    method("OPTIONS", &headers, Some("Empty"), &mock(resource, &responses))
}

fn model(name: &str, schema: &Value) -> Value {
    json!({"id": format!("m-{name}"), "name": name, "contentType": "application/json", "schema": schema.to_string()})
}

fn refers(name: &str) -> Value {
    json!({"$ref": format!("https://apigateway.amazonaws.com/restapis/a1b2c3d4e5/models/{name}")})
}

/// What AWS's editor holds after the import, written by hand from what was imported.
fn editor() -> Editor {
    let origin = ["Access-Control-Allow-Origin"];
    let mut list = method(
        "GET",
        &origin,
        Some("Pets"),
        &http(
            "r2",
            "GET",
            "/pets",
            &json!({
            "integration.request.querystring.page": "method.request.querystring.page",
            "integration.request.querystring.type": "method.request.querystring.type"}),
        ),
    );
    list["requestParameters"] =
        json!({"method.request.querystring.page": false, "method.request.querystring.type": false});
    let mut create = method(
        "POST",
        &origin,
        Some("NewPetResponse"),
        &http("r2", "POST", "/pets", &Value::Null),
    );
    create["operationName"] = json!("CreatePet");
    create["requestModels"] = json!({"application/json": "NewPet"});
    let mut get = method(
        "GET",
        &origin,
        Some("Pet"),
        &http(
            "r3",
            "GET",
            "/pets/{petId}",
            &json!({"integration.request.path.petId": "method.request.path.petId"}),
        ),
    );
    get["operationName"] = json!("GetPet");
    get["requestParameters"] = json!({"method.request.path.petId": true});
    let mut preflight = options("r3", "'GET,OPTIONS'");
    preflight["requestParameters"] = json!({"method.request.path.petId": true});
    let page = json!({"statusCode": "200", "responseParameters": {"method.response.header.Content-Type": "'text/html'"},
        "responseTemplates": {"text/html": "<html>Welcome to your Pet Store API</html>"}});
    Editor {
        rest_api: json!({"id": "a1b2c3d4e5", "name": "PetStore", "apiKeySource": "HEADER", "createdDate": 1,
            "description": "Your first API", "disableExecuteApiEndpoint": false, "rootResourceId": "r1",
            "endpointConfiguration": {"ipAddressType": "ipv4", "types": ["EDGE"]}}),
        resources: vec![
            json!({"id": "r1", "path": "/", "resourceMethods": {"GET": method("GET", &["Content-Type"], None, &mock("r1", &page))}}),
            json!({"id": "r2", "parentId": "r1", "pathPart": "pets", "path": "/pets",
                "resourceMethods": {"GET": list, "POST": create, "OPTIONS": options("r2", "'POST,GET,OPTIONS'")}}),
            json!({"id": "r3", "parentId": "r2", "pathPart": "{petId}", "path": "/pets/{petId}",
                "resourceMethods": {"GET": get, "OPTIONS": preflight}}),
        ],
        models: vec![
            model("Pets", &json!({"type": "array", "items": refers("Pet")})),
            model("Empty", &json!({"type": "object"})),
            model(
                "NewPetResponse",
                &json!({"type": "object",
                "properties": {"pet": refers("Pet"), "message": {"type": "string"}}}),
            ),
            model(
                "Pet",
                &json!({"type": "object", "properties": {"id": {"type": "integer"}, "type": {"type": "string"},
                "price": {"type": "number"}}}),
            ),
            model(
                "NewPet",
                &json!({"type": "object", "properties": {"type": refers("PetType"),
                "price": {"type": "number"}}}),
            ),
            model(
                "PetType",
                &json!({"type": "string", "enum": ["dog", "cat", "fish", "bird", "gecko"]}),
            ),
        ],
        ..Editor::default()
    }
}

#[test]
fn an_api_that_was_just_imported_and_deployed_is_clean() {
    assert_eq!(compare(&editor(), &export(), &[]), Cleanliness::Clean);
}

enum Want {
    Clean,
    Dirty(&'static str),
    CannotTell(&'static str),
}
use Want::{CannotTell, Clean, Dirty};

fn check(why: &str, got: &Cleanliness, want: &Want) {
    match (got, want) {
        (Cleanliness::Clean, Clean) => {}
        (Cleanliness::Dirty(all), Dirty(part)) | (Cleanliness::CannotTell(all), CannotTell(part))
            if all.iter().any(|sentence| sentence.contains(part)) => {}
        _ => panic!("{why}: {got:?}"),
    }
}

/// The integration of `GET /pets`.
fn integration(editor: &mut Editor) -> &mut Value {
    &mut pets(editor)["methodIntegration"]
}

/// `GET /pets`.
fn pets(editor: &mut Editor) -> &mut Value {
    &mut editor.resources[1]["resourceMethods"]["GET"]
}

/// `GET /pets` as exported.
fn exported(export: &mut Value) -> &mut Value {
    &mut export["paths"]["/pets"]["get"]
}

type Row = (&'static str, fn(&mut Editor, &mut Value), Want);

fn run(rows: &[Row]) {
    for (why, change, want) in rows {
        let (mut editor, mut export) = (editor(), export());
        change(&mut editor, &mut export);
        check(why, &compare(&editor, &export, &[]), want);
    }
}

fn pets_verbs(editor: &mut Editor) -> &mut serde_json::Map<String, Value> {
    editor.resources[1]["resourceMethods"].as_object_mut().unwrap()
}
