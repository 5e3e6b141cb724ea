//! REST APIs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{models, policy};
use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch::{self, Op, Step};
use crate::request::{Answered, Items, Request, empty, json};
use crate::store::{Definition, EndpointConfiguration, Map, Partition, Resource, RestApi, Settings};
use crate::switches::Switch;

const TYPES: [&str; 3] = ["REGIONAL", "EDGE", "PRIVATE"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    created_date: i64,
    root_resource_id: &'a str,
    #[serde(flatten)]
    settings: &'a Settings,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a Map>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_status: Option<&'static str>,
}

fn shown(api: &RestApi, now: i64) -> Shown<'_> {
    let settings = &api.editor.settings;
    let busy = api.updating_until.is_some_and(|until| now < until);
    Shown {
        id: &api.id,
        created_date: api.created_date,
        root_resource_id: &api.root_resource_id,
        settings,
        policy: settings.policy.as_deref().map(policy::escaped),
        tags: (!api.tags.is_empty()).then_some(&api.tags),
        api_status: settings
            .security_policy
            .as_ref()
            .map(|_| if busy { "UPDATING" } else { "AVAILABLE" }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(default)]
    tags: Map,
    clone_from: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let Create {
        tags,
        clone_from,
        mut settings,
    } = request.json()?;
    if settings.name.is_empty() {
        return Err(AwsError::bad_request("API name can not be empty"));
    }
    endpoint(&mut settings.endpoint_configuration)?;
    if let Some(size) = settings.minimum_compression_size {
        compression_size(&size.to_string())?;
    }
    security(&settings, None)?;
    let id = new_id(partition, ids);
    settings.policy = policy::read(settings.policy.as_deref(), &id, partition, request)?;
    let editor = match clone_from {
        Some(other) => Definition {
            settings,
            ..(*partition.api(&other)?.editor).clone()
        },
        None => blank(partition, ids, settings),
    };
    let api = assemble(id, editor, tags, request.now);
    let answer = json(201, &shown(&api, request.now));
    partition.insert_api(api);
    answer
}

pub(crate) fn new_id(partition: &Partition, ids: &mut Ids) -> String {
    loop {
        let id = ids.api();
        if !partition.has_api(&id) {
            return id;
        }
    }
}

/// An editor with the root resource and the two models that every new API has.
pub(crate) fn blank(partition: &mut Partition, ids: &mut Ids, settings: Settings) -> Definition {
    let root = Resource {
        seq: partition.next_seq(),
        id: format!("{}{}", ids.short(), &ids.short()[..4]),
        parent_id: None,
        path_part: None,
        path: "/".to_owned(),
        resource_methods: std::collections::BTreeMap::new(),
    };
    Definition {
        settings,
        resources: vec![Arc::new(root)],
        models: models::defaults(partition, ids),
        ..Definition::default()
    }
}

pub(crate) fn assemble(id: String, editor: Definition, tags: Map, now: i64) -> RestApi {
    let root = editor.resources.iter().find(|resource| resource.parent_id.is_none());
    RestApi {
        id,
        root_resource_id: root.map(|root| root.id.clone()).unwrap_or_default(),
        created_date: now,
        tags,
        endpoint_disabled_live: editor.settings.disable_execute_api_endpoint,
        editor: Arc::new(editor),
        deployments: Vec::new(),
        stages: Vec::new(),
        updating_until: None,
    }
}

/// Fills in what an endpoint configuration leaves out.
pub(crate) fn endpoint(configuration: &mut EndpointConfiguration) -> Result<(), AwsError> {
    if configuration.types.is_empty() {
        configuration.types.push("EDGE".to_owned());
    }
    if configuration.types.iter().any(|kind| !TYPES.contains(&kind.as_str())) {
        let violation = format!(
            "Value '[{}]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: \
             Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]",
            configuration.types.join(", ")
        );
        return Err(AwsError::validation(&[violation]));
    }
    let private = is_private(configuration);
    let default = if private { "dualstack" } else { "ipv4" };
    let chosen = configuration
        .ip_address_type
        .get_or_insert_with(|| default.to_owned())
        .clone();
    ip_address_type(&chosen, private)?;
    if !private && !configuration.vpc_endpoint_ids.is_empty() {
        return Err(AwsError::bad_request(
            "VPCEndpoints can only be specified with PRIVATE apis.",
        ));
    }
    Ok(())
}

fn is_private(configuration: &EndpointConfiguration) -> bool {
    configuration.types.iter().any(|kind| kind == "PRIVATE")
}

fn ip_address_type(value: &str, private: bool) -> Result<(), AwsError> {
    match value {
        "ipv4" if private => Err(AwsError::bad_request(
            "Only dualstack ipAddressType is supported for Private APIs.",
        )),
        "ipv4" | "dualstack" => Ok(()),
        _ => Err(AwsError::bad_request("ipAddressType must be either ipv4 or dualstack.")),
    }
}

fn compression_size(text: &str) -> Result<i64, AwsError> {
    text.parse()
        .ok()
        .filter(|size| (0..=10_485_760).contains(size))
        .ok_or_else(|| AwsError::bad_request("Invalid minimum compression size, must be between 0 and 10485760"))
}

/// What a REST API may have as its security policy, given what it had.
fn security(settings: &Settings, before: Option<&Settings>) -> Result<(), AwsError> {
    let Some(policy) = settings.security_policy.as_deref() else {
        return Ok(());
    };
    let enhanced = policy.starts_with("SecurityPolicy_");
    if !enhanced && policy != "TLS_1_0" && policy != "TLS_1_2" {
        return Err(AwsError::bad_request(format!(
            "Invalid security policy specified: {policy}"
        )));
    }
    if policy == "TLS_1_2" && before.is_some_and(|before| before.security_policy.as_deref() == Some("TLS_1_0")) {
        return Err(AwsError::bad_request(
            "Changing the security policy from TLS_1_0 to TLS_1_2 is not supported.",
        ));
    }
    match settings.endpoint_access_mode.as_deref() {
        None if enhanced => Err(AwsError::bad_request(
            "The endpoint access mode must be set for this security policy.",
        )),
        None | Some("BASIC" | "STRICT") => Ok(()),
        Some(other) => Err(AwsError::bad_request(format!(
            "Invalid endpoint access mode specified: {other}"
        ))),
    }
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let page = Page::asked(request)?;
    let items = page.of(partition.apis_after(page.after));
    let item: Vec<_> = items.item.into_iter().map(|api| shown(api, request.now)).collect();
    json(
        200,
        &Items {
            position: items.position,
            item,
        },
    )
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, &shown(partition.api(request.api())?, request.now))
}

/// The answer of ImportRestApi and PutRestApi.
pub(crate) fn show(partition: &Partition, id: &str, status: u16, now: i64) -> Answered {
    json(status, &shown(partition.api(id)?, now))
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let id = request.api();
    partition.api(id)?;
    let mapped = |domain: &crate::store::DomainName| domain.mappings.values().any(|mapping| mapping.rest_api_id == id);
    if partition.domain_names.values().any(mapped) {
        return Err(AwsError::bad_request(
            "Please remove all base path mappings related to the API in your domains",
        ));
    }
    partition.remove_api(id)?;
    empty(202)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let before = &partition.api(request.api())?.editor.settings;
    let mut settings = before.clone();
    for step in patch::steps(request)? {
        apply(&mut settings, &step, partition, request)?;
    }
    security(&settings, Some(before))?;
    let restart = settings.security_policy != before.security_policy
        || settings.endpoint_access_mode != before.endpoint_access_mode;
    let changed = settings != *before;
    let api = partition.api_mut(request.api())?;
    if changed {
        api.edit().settings = settings;
    }
    if restart && request.switches.is(Switch::SecurityPolicyChange, "updating") {
        api.updating_until = Some(request.now + 15 * 60);
    }
    let shown = Shown {
        tags: Some(&api.tags),
        ..shown(api, request.now)
    };
    json(200, &shown)
}

fn apply(settings: &mut Settings, step: &Step, partition: &Partition, request: &Request<'_>) -> Result<(), AwsError> {
    let endpoint = &mut settings.endpoint_configuration;
    match step.path {
        "/name" => {
            settings.name = step
                .optional()
                .ok_or_else(|| AwsError::bad_request("API name can not be empty"))?;
        }
        "/description" => settings.description = step.optional(),
        "/apiKeySource" => {
            settings.api_key_source = super::one_of(step.value()?, &["HEADER", "AUTHORIZER"], || {
                "Invalid API key source specified. Valid options are HEADER,AUTHORIZER".to_owned()
            })?;
        }
        "/binaryMediaTypes" => step.edit_list(&mut settings.binary_media_types)?,
        "/disableExecuteApiEndpoint" => settings.disable_execute_api_endpoint = step.boolean()?,
        "/endpointConfiguration/types/{type}" => {
            if !TYPES.contains(&step.value()?) {
                return Err(AwsError::bad_request(
                    "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE",
                ));
            }
            endpoint.types = vec![step.value()?.to_owned()];
            if is_private(endpoint) {
                endpoint.ip_address_type = Some("dualstack".to_owned());
            } else {
                endpoint.vpc_endpoint_ids.clear();
            }
        }
        "/endpointConfiguration/vpcEndpointIds" => {
            if !is_private(endpoint) && step.op == Op::Add {
                return Err(AwsError::bad_request(
                    "VPCEndpoints can only be specified with PRIVATE apis.",
                ));
            }
            step.edit_list(&mut endpoint.vpc_endpoint_ids)?;
        }
        "/endpointConfiguration/ipAddressType" => {
            ip_address_type(step.value()?, is_private(endpoint))?;
            endpoint.ip_address_type = Some(step.value()?.to_owned());
        }
        "/endpointAccessMode" => settings.endpoint_access_mode = step.optional(),
        "/minimumCompressionSize" => {
            settings.minimum_compression_size = step.optional().map(|text| compression_size(&text)).transpose()?;
        }
        "/policy" => settings.policy = policy::read(step.value.as_deref(), request.api(), partition, request)?,
        "/securityPolicy" => settings.security_policy = step.optional(),
        other => return Err(AwsError::bad_request(format!("Invalid patch path {other}"))),
    }
    Ok(())
}
