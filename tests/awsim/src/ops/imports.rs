//! ImportRestApi and PutRestApi.

use std::sync::Arc;

use super::restapi;
use crate::error::AwsError;
use crate::ids::Ids;
use crate::import::{Document, Workshop};
use crate::request::{Answered, Request};
use crate::store::{Definition, Map, Partition, Settings};
use crate::switches::Switch;

fn workshop<'a>(partition: &'a mut Partition, ids: &'a mut Ids, request: &Request<'_>, api: &str) -> Workshop<'a> {
    let expand = request.switches.is(Switch::PolicyArns, "expanded");
    let prefix = format!("arn:aws:execute-api:{}:{}:{api}/", partition.region, partition.account);
    Workshop {
        partition,
        ids,
        policy_prefix: expand.then_some(prefix),
    }
}

pub(crate) fn import(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let document = Document::read(request.body)?;
    let mut settings = Settings {
        api_key_source: "HEADER".to_owned(),
        ..Settings::default()
    };
    let types = request.query("endpointConfigurationTypes").into_iter();
    settings.endpoint_configuration.types = types.map(str::to_owned).collect();
    restapi::endpoint(&mut settings.endpoint_configuration)?;
    let id = restapi::new_id(partition, ids);
    let mut editor = restapi::blank(partition, ids, settings);
    document.apply(&mut editor, &mut workshop(partition, ids, request, &id))?;
    partition.insert_api(restapi::assemble(id.clone(), editor, Map::new(), request.now));
    restapi::show(partition, &id, 201, request.now)
}

/// `overwrite` starts from nothing but the root, `merge` from what is there.
pub(crate) fn put(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let document = Document::read(request.body)?;
    let api = partition.api(request.api())?;
    let mut editor = (*api.editor).clone();
    match request.query("mode") {
        Some("overwrite") => {
            let mut root = editor
                .resources
                .iter()
                .find(|resource| resource.parent_id.is_none())
                .cloned();
            if let Some(root) = &mut root {
                Arc::make_mut(root).resource_methods.clear();
            }
            editor = Definition {
                settings: editor.settings,
                resources: root.into_iter().collect(),
                authorizers: editor.authorizers,
                models: editor.models,
                ..Definition::default()
            };
        }
        None | Some("" | "merge") => {}
        Some(mode) => return Err(AwsError::bad_request(format!("Invalid mode specified: {mode}"))),
    }
    let id = request.api().to_owned();
    document.apply(&mut editor, &mut workshop(partition, ids, request, &id))?;
    partition.api_mut(&id)?.editor = Arc::new(editor);
    restapi::show(partition, &id, 200, request.now)
}
