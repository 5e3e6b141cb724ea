//! Models of a REST API's editor.

use std::sync::Arc;

use serde_json::Value;

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Request, empty, json};
use crate::store::{Model, Partition, RestApi};

const EMPTY: &str = r#"{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "title" : "Empty Schema",
  "type" : "object"
}"#;

const ERROR: &str = r#"{
  "$schema" : "http://json-schema.org/draft-04/schema#",
  "title" : "Error Schema",
  "type" : "object",
  "properties" : {
    "message" : { "type" : "string" }
  }
}"#;

/// The models that every new API has.
pub(crate) fn defaults(partition: &mut Partition, ids: &mut Ids) -> Vec<Arc<Model>> {
    [
        ("Empty", "This is a default empty schema model", EMPTY),
        ("Error", "This is a default error schema model", ERROR),
    ]
    .into_iter()
    .map(|(name, description, schema)| {
        Arc::new(Model {
            id: ids.short(),
            name: name.to_owned(),
            description: Some(description.to_owned()),
            schema: Some(schema.to_owned()),
            content_type: "application/json".to_owned(),
            seq: partition.next_seq(),
        })
    })
    .collect()
}

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let model: Model = request.json()?;
    let seq = partition.next_seq();
    let api = partition.api_mut(request.api())?;
    let model = Model {
        seq,
        id: ids.short(),
        ..model
    };
    if model.name.is_empty() || !model.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(AwsError::bad_request(format!(
            "Model name must be alphanumeric: {}",
            model.name
        )));
    }
    schema(model.schema.as_deref())?;
    if api.editor.models.iter().any(|known| known.name == model.name) {
        return Err(AwsError::conflict("Model name already exists for this REST API"));
    }
    let answer = json(201, &model);
    api.edit().models.push(Arc::new(model));
    answer
}

fn schema(text: Option<&str>) -> Result<(), AwsError> {
    let legal = text.is_none_or(|text| serde_json::from_str::<Value>(text).is_ok());
    if legal {
        Ok(())
    } else {
        Err(AwsError::bad_request("Model schema must be valid JSON"))
    }
}

fn find<'a>(api: &'a RestApi, request: &Request<'_>) -> Result<&'a Model, AwsError> {
    let name = request.id("modelName");
    let known = api.editor.models.iter().find(|known| known.name == name);
    known
        .map(Arc::as_ref)
        .ok_or_else(|| AwsError::not_found(format!("Invalid model name specified: {name}")))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    json(
        200,
        &Page::asked(request)?.of(api.editor.models.iter().map(|known| (known.seq, known.as_ref()))),
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition.api(request.api())?, request)?)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let mut changed = find(api, request)?.clone();
    for step in patch::steps(request)? {
        match step.path {
            "/description" => changed.description = step.optional(),
            _ => changed.schema = step.optional(),
        }
    }
    schema(changed.schema.as_deref())?;
    let answer = json(200, &changed);
    if let Some(known) = api.edit().models.iter_mut().find(|known| known.name == changed.name) {
        *known = Arc::new(changed);
    }
    answer
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let name = find(api, request)?.name.clone();
    let methods = || {
        api.editor
            .resources
            .iter()
            .flat_map(|resource| resource.resource_methods.values())
    };
    let used = methods().any(|method| {
        let answered = method
            .method_responses
            .values()
            .flat_map(|response| response.response_models.values());
        method
            .request_models
            .values()
            .chain(answered)
            .any(|model| *model == name)
    });
    if used {
        return Err(AwsError::conflict(format!(
            "Cannot delete model '{name}', is referenced in method"
        )));
    }
    api.edit().models.retain(|known| known.name != name);
    empty(202)
}
