//! From `OpenAPI` 2.0 (Swagger) to 3.0, as far as methods go.

use serde_json::{Map, Value, json};

const VERBS: [&str; 8] = [
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "x-amazon-apigateway-any-method",
];

/// Says in the words of 3.0 what 2.0 says.
pub(super) fn to_openapi(json: &mut Value) {
    let Some(root) = json.as_object_mut() else {
        return;
    };
    root.remove("swagger");
    root.insert("openapi".into(), "3.0.1".into());
    if let Some(schemes) = root.remove("securityDefinitions") {
        root.insert("components".into(), json!({"securitySchemes": schemes}));
    }
    let types = |of: &Map<String, Value>, name: &str| of.get(name).filter(|types| types.is_array()).cloned();
    let (consumes, produces) = (types(root, "consumes"), types(root, "produces"));
    let Some(paths) = root.get_mut("paths").and_then(Value::as_object_mut) else {
        return;
    };
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        for (key, operation) in item.iter_mut() {
            let Some(operation) = operation.as_object_mut().filter(|_| VERBS.contains(&key.as_str())) else {
                continue;
            };
            let consumes = types(operation, "consumes").or_else(|| consumes.clone());
            let produces = types(operation, "produces").or_else(|| produces.clone());
            body(operation, consumes.as_ref());
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            for response in responses.into_iter().flat_map(|responses| responses.values_mut()) {
                if let Some(schema) = response.as_object_mut().and_then(|response| response.remove("schema")) {
                    response["content"] = content(produces.as_ref(), &schema);
                }
            }
        }
    }
}

/// The parameter that is the body.
fn body(operation: &mut Map<String, Value>, consumes: Option<&Value>) {
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    let body = parameters.iter().position(|parameter| parameter["in"] == "body");
    let schema = body.map(|at| parameters.remove(at)["schema"].take());
    if let Some(schema) = schema {
        operation.insert("requestBody".into(), json!({"content": content(consumes, &schema)}));
    }
}

fn content(types: Option<&Value>, schema: &Value) -> Value {
    let types = types.and_then(Value::as_array).into_iter().flatten();
    let mut content: Map<String, Value> = types
        .filter_map(Value::as_str)
        .map(|media_type| (media_type.to_owned(), json!({"schema": schema})))
        .collect();
    if content.is_empty() {
        content.insert("application/json".into(), json!({"schema": schema}));
    }
    Value::Object(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_2_0_says_is_said_in_3_0() {
        let mut document = json!({"swagger": "2.0", "produces": ["text/plain"],
            "securityDefinitions": {"api_key": {"type": "apiKey"}},
            "paths": {"/pets": {"parameters": [], "post": {
                "parameters": [{"in": "query", "name": "q"}, {"in": "body", "name": "b", "schema": {"$ref": "#/definitions/Pet"}}],
                "responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}, "404": {"description": "none"}}}}}});
        to_openapi(&mut document);
        let post = &document["paths"]["/pets"]["post"];
        assert_eq!(document["openapi"], "3.0.1");
        assert_eq!(document["components"]["securitySchemes"]["api_key"]["type"], "apiKey");
        assert_eq!(post["parameters"], json!([{"in": "query", "name": "q"}]));
        let pet = json!({"schema": {"$ref": "#/definitions/Pet"}});
        assert_eq!(
            post["requestBody"]["content"],
            json!({"application/json": pet}),
            "JSON, if nothing else is said"
        );
        assert_eq!(
            post["responses"]["200"]["content"],
            json!({"text/plain": pet}),
            "what the document produces"
        );
        assert_eq!(post["responses"]["404"], json!({"description": "none"}));
    }
}
