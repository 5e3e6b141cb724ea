//! Resources of a REST API's editor.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Items, Request, empty, json};
use crate::store::{Definition, Method, Partition, Resource};

/// Resources that one API may have.
const MOST: usize = 300;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_part: Option<&'a str>,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_methods: Option<Methods<'a>>,
}

/// With `embed=methods` the methods, without it their names alone.
#[derive(Serialize)]
#[serde(untagged)]
enum Methods<'a> {
    Whole(&'a BTreeMap<String, Box<Method>>),
    Names(BTreeMap<&'a str, Map<String, Value>>),
}

fn shown(resource: &Resource, whole: bool) -> Shown<'_> {
    let methods = &resource.resource_methods;
    let names = || methods.keys().map(|verb| (verb.as_str(), Map::new())).collect();
    Shown {
        id: &resource.id,
        parent_id: resource.parent_id.as_deref(),
        path_part: resource.path_part.as_deref(),
        path: &resource.path,
        resource_methods: (!methods.is_empty()).then(|| {
            if whole {
                Methods::Whole(methods)
            } else {
                Methods::Names(names())
            }
        }),
    }
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let page = Page::asked(request)?;
    let whole = request.embeds("methods");
    let Items { position, item } = page.of(api.editor.resources.iter().map(|resource| (resource.seq, resource)));
    json(
        200,
        &Items {
            position,
            item: item.into_iter().map(|resource| shown(resource, whole)).collect(),
        },
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    let resource = partition
        .api(request.api())?
        .editor
        .resource(request.id("resourceId"))?;
    json(200, &shown(resource, request.embeds("methods")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(default)]
    path_part: String,
}

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let seq = partition.next_seq();
    let api = partition.api_mut(request.api())?;
    let Create { path_part } = request.json()?;
    let editor = &api.editor;
    let parent = editor.resource(request.id("parentId"))?;
    fits(editor, &parent.id, &path_part, None)?;
    if editor.resources.len() >= MOST {
        return Err(AwsError::limit_exceeded(
            "Maximum number of Resources for this API has been reached. Please contact AWS if you need additional Resources.",
        ));
    }
    let resource = Resource {
        seq,
        id: ids.short(),
        parent_id: Some(parent.id.clone()),
        path: join(&parent.path, &path_part),
        path_part: Some(path_part),
        resource_methods: BTreeMap::new(),
    };
    let answer = json(201, &shown(&resource, false));
    api.edit().resources.push(Arc::new(resource));
    answer
}

pub(crate) fn join(parent: &str, part: &str) -> String {
    format!("{}/{part}", parent.trim_end_matches('/'))
}

fn fits(editor: &Definition, parent: &str, part: &str, own: Option<&str>) -> Result<(), AwsError> {
    let variable = |part: &str| part.starts_with('{');
    let name = part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .map_or(part, |name| name.strip_suffix('+').unwrap_or(name));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:~$,@!*'();%".contains(&byte);
    if name.is_empty() || !name.bytes().all(legal) {
        return Err(AwsError::bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        ));
    }
    let siblings = editor
        .resources
        .iter()
        .filter(|other| other.parent_id.as_deref() == Some(parent) && Some(other.id.as_str()) != own)
        .filter_map(|other| other.path_part.as_deref());
    for sibling in siblings {
        if sibling == part {
            return Err(AwsError::conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        if variable(sibling) && variable(part) {
            return Err(AwsError::bad_request(format!(
                "A sibling ({sibling}) of this resource already has a variable path part -- only one is allowed"
            )));
        }
    }
    Ok(())
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let id = request.id("resourceId");
    let mut resource = (**api.editor.resource(id)?).clone();
    for step in patch::steps(request)? {
        if resource.parent_id.is_none() {
            return Err(AwsError::bad_request("Root resource can not be updated"));
        }
        match step.path {
            "/pathPart" => resource.path_part = Some(step.value()?.to_owned()),
            _ => resource.parent_id = Some(api.editor.resource(step.value()?)?.id.clone()),
        }
    }
    if let (Some(parent), Some(part)) = (&resource.parent_id, &resource.path_part) {
        fits(&api.editor, parent, part, Some(id))?;
        let mut up = Some(parent.as_str());
        while let Some(above) = up {
            if above == id {
                return Err(AwsError::bad_request("A resource can not be its own ancestor"));
            }
            up = api.editor.resource(above)?.parent_id.as_deref();
        }
    }
    let editor = partition.api_mut(request.api())?.edit();
    *editor.resource_mut(id)? = resource;
    settle_paths(editor);
    json(200, &shown(editor.resource(id)?, false))
}

/// Gives every resource the path that its ancestors say.
fn settle_paths(editor: &mut Definition) {
    loop {
        let paths: BTreeMap<String, String> = editor
            .resources
            .iter()
            .map(|resource| (resource.id.clone(), resource.path.clone()))
            .collect();
        let mut settled = true;
        for resource in &mut editor.resources {
            let above = resource.parent_id.as_ref().and_then(|parent| paths.get(parent));
            let (Some(above), Some(part)) = (above, &resource.path_part) else {
                continue;
            };
            let path = join(above, part);
            if path != resource.path {
                Arc::make_mut(resource).path = path;
                settled = false;
            }
        }
        if settled {
            return;
        }
    }
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let api = partition.api_mut(request.api())?;
    let id = request.id("resourceId").to_owned();
    if api.editor.resource(&id)?.parent_id.is_none() {
        return Err(AwsError::bad_request("Root resource cannot be deleted"));
    }
    let mut doomed = vec![id];
    let mut at = 0;
    while let Some(parent) = doomed.get(at).cloned() {
        let children = api
            .editor
            .resources
            .iter()
            .filter(|child| child.parent_id.as_ref() == Some(&parent));
        doomed.extend(children.map(|child| child.id.clone()));
        at += 1;
    }
    api.edit().resources.retain(|resource| !doomed.contains(&resource.id));
    empty(202)
}
