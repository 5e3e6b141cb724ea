//! The operations, one file a subject.

pub(crate) mod account;
pub(crate) mod authorizers;
pub(crate) mod deployments;
pub(crate) mod domains;
pub(crate) mod exports;
pub(crate) mod gateway_responses;
pub(crate) mod imports;
pub(crate) mod integrations;
pub(crate) mod method_settings;
pub(crate) mod methods;
pub(crate) mod models;
pub(crate) mod policy;
pub(crate) mod resources;
pub(crate) mod restapi;
pub(crate) mod stages;
pub(crate) mod tags;
pub(crate) mod validators;
pub(crate) mod vpc_links;

use std::collections::BTreeMap;

use crate::error::AwsError;
use crate::ids::Ids;
use crate::patch::{Op, Step};
use crate::request::{Answered, Request};
use crate::router::Operation;
use crate::store::Partition;

/// Carries out an operation.
#[allow(clippy::too_many_lines)] // one line an operation
pub(crate) fn dispatch(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    use Operation as O;
    match request.operation {
        O::GetRestApis => restapi::list(partition, request),
        O::GetStages => stages::list(partition, request),
        O::GetResources => resources::list(partition, request),
        O::GetExport => exports::get(partition, request),
        O::CreateRestApi => restapi::create(partition, ids, request),
        O::ImportRestApi => imports::import(partition, ids, request),
        O::GetRestApi => restapi::get(partition, request),
        O::UpdateRestApi => restapi::update(partition, request),
        O::DeleteRestApi => restapi::delete(partition, request),
        O::PutRestApi => imports::put(partition, ids, request),
        O::CreateResource => resources::create(partition, ids, request),
        O::GetResource => resources::get(partition, request),
        O::UpdateResource => resources::update(partition, request),
        O::DeleteResource => resources::delete(partition, request),
        O::PutMethod => methods::put(partition, request),
        O::GetMethod => methods::get(partition, request),
        O::UpdateMethod => methods::update(partition, request),
        O::DeleteMethod => methods::delete(partition, request),
        O::PutMethodResponse => methods::put_response(partition, request),
        O::GetMethodResponse => methods::get_response(partition, request),
        O::UpdateMethodResponse => methods::update_response(partition, request),
        O::DeleteMethodResponse => methods::delete_response(partition, request),
        O::PutIntegration => integrations::put(partition, request),
        O::GetIntegration => integrations::get(partition, request),
        O::UpdateIntegration => integrations::update(partition, request),
        O::DeleteIntegration => integrations::delete(partition, request),
        O::PutIntegrationResponse => integrations::put_response(partition, request),
        O::GetIntegrationResponse => integrations::get_response(partition, request),
        O::UpdateIntegrationResponse => integrations::update_response(partition, request),
        O::DeleteIntegrationResponse => integrations::delete_response(partition, request),
        O::CreateDeployment => deployments::create(partition, ids, request),
        O::GetDeployments => deployments::list(partition, request),
        O::GetDeployment => deployments::get(partition, request),
        O::UpdateDeployment => deployments::update(partition, request),
        O::DeleteDeployment => deployments::delete(partition, request),
        O::CreateStage => stages::create(partition, request),
        O::GetStage => stages::get(partition, request),
        O::UpdateStage => stages::update(partition, request),
        O::DeleteStage => stages::delete(partition, request),
        O::FlushStageCache | O::FlushStageAuthorizersCache => stages::flush(partition, request),
        O::CreateAuthorizer => authorizers::create(partition, ids, request),
        O::GetAuthorizers => authorizers::list(partition, request),
        O::GetAuthorizer => authorizers::get(partition, request),
        O::UpdateAuthorizer => authorizers::update(partition, request),
        O::DeleteAuthorizer => authorizers::delete(partition, request),
        O::CreateRequestValidator => validators::create(partition, ids, request),
        O::GetRequestValidators => validators::list(partition, request),
        O::GetRequestValidator => validators::get(partition, request),
        O::UpdateRequestValidator => validators::update(partition, request),
        O::DeleteRequestValidator => validators::delete(partition, request),
        O::CreateModel => models::create(partition, ids, request),
        O::GetModels => models::list(partition, request),
        O::GetModel => models::get(partition, request),
        O::UpdateModel => models::update(partition, request),
        O::DeleteModel => models::delete(partition, request),
        O::PutGatewayResponse => gateway_responses::put(partition, request),
        O::GetGatewayResponses => gateway_responses::list(partition, request),
        O::GetGatewayResponse => gateway_responses::get(partition, request),
        O::UpdateGatewayResponse => gateway_responses::update(partition, request),
        O::DeleteGatewayResponse => gateway_responses::delete(partition, request),
        O::CreateDomainName => domains::create(partition, request, ids),
        O::GetDomainNames => domains::list(partition, request),
        O::GetDomainName => domains::get(partition, request),
        O::UpdateDomainName => domains::update(partition, request),
        O::DeleteDomainName => domains::delete(partition, request),
        O::CreateBasePathMapping => domains::create_mapping(partition, request),
        O::GetBasePathMappings => domains::list_mappings(partition, request),
        O::GetBasePathMapping => domains::get_mapping(partition, request),
        O::UpdateBasePathMapping => domains::update_mapping(partition, request),
        O::DeleteBasePathMapping => domains::delete_mapping(partition, request),
        O::GetAccount => account::get(partition),
        O::UpdateAccount => account::update(partition, request),
        O::GenerateClientCertificate => account::generate_certificate(partition, ids, request),
        O::GetClientCertificates => account::list_certificates(partition, request),
        O::GetClientCertificate => account::get_certificate(partition, request),
        O::UpdateClientCertificate => account::update_certificate(partition, request),
        O::DeleteClientCertificate => account::delete_certificate(partition, request),
        O::CreateVpcLink => vpc_links::create(partition, ids, request),
        O::GetVpcLinks => vpc_links::list(partition, request),
        O::GetVpcLink => vpc_links::get(partition, request),
        O::UpdateVpcLink => vpc_links::update(partition, request),
        O::DeleteVpcLink => vpc_links::delete(partition, request),
        O::TagResource => tags::tag(partition, request),
        O::UntagResource => tags::untag(partition, request),
        O::GetTags => tags::get(partition, request),
        O::LookupEvents | O::DescribeTrails | O::GetTrailStatus | O::StartLogging | O::StopLogging => {
            Err(AwsError::unknown_operation())
        }
    }
}

/// Adds, replaces or removes a key of a map; replacing or removing needs the key to be there.
fn edit_map<V>(step: &Step, map: &mut BTreeMap<String, V>, value: Option<V>, missing: &str) -> Result<(), AwsError> {
    let key = step.key();
    if step.op != Op::Add && !map.contains_key(key) {
        return Err(AwsError::not_found(missing));
    }
    match value {
        Some(value) if step.op != Op::Remove => {
            map.insert(key.to_owned(), value);
        }
        _ => {
            map.remove(key);
        }
    }
    Ok(())
}

const NO_PARAMETER: &str = "Invalid parameter name specified";
const NO_CONTENT_TYPE: &str = "Content-Type specified was not found";

/// One of a few words, or AWS's complaint.
fn one_of(value: &str, allowed: &[&str], complaint: impl FnOnce() -> String) -> Result<String, AwsError> {
    if allowed.contains(&value) {
        Ok(value.to_owned())
    } else {
        Err(AwsError::bad_request(complaint()))
    }
}
