//! Models as schemas: the ones that methods refer to, and what those refer to.

use serde_json::{Value, json};

use super::{Export, Flavour, Object};

impl Export<'_> {
    fn root(&self) -> &'static str {
        match self.flavour {
            Flavour::OpenApi3 => "#/components/schemas/",
            Flavour::Swagger2 => "#/definitions/",
        }
    }

    pub(super) fn model_ref(&self, model: &str) -> Value {
        json!({"$ref": format!("{}{model}", self.root())})
    }

    pub(super) fn schemas(&self) -> Object {
        let methods = || {
            self.snapshot
                .resources
                .iter()
                .flat_map(|resource| resource.resource_methods.values())
        };
        let mut wanted: Vec<String> = methods()
            .flat_map(|method| {
                let responses = method
                    .method_responses
                    .values()
                    .flat_map(|response| response.response_models.values());
                method.request_models.values().chain(responses)
            })
            .cloned()
            .collect();
        let mut schemas = Object::new();
        while let Some(name) = wanted.pop() {
            if schemas.contains_key(&name) {
                continue;
            }
            let model = self.snapshot.models.iter().find(|model| model.name == name);
            let Some(schema) = model.and_then(|model| model.schema.as_deref()) else {
                continue;
            };
            let Ok(mut schema) = serde_json::from_str::<Value>(schema) else {
                continue;
            };
            if let Some(object) = schema.as_object_mut() {
                object.remove("$schema");
            }
            self.retarget(&mut schema, &mut wanted);
            schemas.insert(name, schema);
        }
        schemas
    }

    /// References between models become references in the document.
    fn retarget(&self, schema: &mut Value, wanted: &mut Vec<String>) {
        match schema {
            Value::Object(object) => {
                for (name, value) in object {
                    if name == "$ref" {
                        let target = value
                            .as_str()
                            .and_then(|target| target.rsplit('/').next())
                            .map(str::to_owned);
                        if let Some(target) = target {
                            *value = json!(format!("{}{target}", self.root()));
                            wanted.push(target);
                        }
                    } else {
                        self.retarget(value, wanted);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.retarget(value, wanted)),
            _ => {}
        }
    }
}
