//! Pieces of the schemas that the derive cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any shape. Written by hand: the derived schema of a JSON value is refused by the API server.
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A value of any type.
pub fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// A map from text to values of any type.
pub fn map_of_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": {"x-kubernetes-preserve-unknown-fields": true}})
}

/// Marks every list of conditions as a map by type, so that writers of different conditions do not undo each other.
pub fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            conditions_by_type(schema);
        }
    }
    crd
}

fn conditions_by_type(schema: &mut JSONSchemaProps) {
    for (name, property) in schema.properties.iter_mut().flatten() {
        if name == "conditions" && property.type_.as_deref() == Some("array") {
            property.x_kubernetes_list_type = Some("map".into());
            property.x_kubernetes_list_map_keys = Some(vec!["type".into()]);
        }
        conditions_by_type(property);
    }
}
