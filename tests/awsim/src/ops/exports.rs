//! GetExport: what the stage's deployment holds, as an OpenAPI document.

use crate::error::AwsError;
use crate::export::{Export, Flavour};
use crate::request::{Answered, Reply, Request};
use crate::store::Partition;

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    let api = partition.api(request.api())?;
    let stage = api.stage(request.id("stageName"))?;
    let kind = request.id("exportType");
    let flavour = match kind {
        "oas30" => Flavour::OpenApi3,
        "swagger" => Flavour::Swagger2,
        _ => return Err(AwsError::bad_request(format!("No API exporter for type '{kind}'"))),
    };
    if request.accept.contains("yaml") {
        return Err(AwsError::bad_request(
            "awsim exports JSON alone: send Accept: application/json",
        ));
    }
    let deployment = api
        .deployment(&stage.deployment_id)
        .ok_or_else(|| AwsError::not_found("Invalid Deployment identifier specified"))?;
    let extensions = request.query("extensions").unwrap_or_default();
    let export = Export {
        flavour,
        gateway: extensions
            .split(',')
            .any(|extension| extension == "apigateway" || extension == "integrations"),
        authorizers: extensions
            .split(',')
            .any(|extension| extension == "apigateway" || extension == "authorizers"),
        api: &api.id,
        region: &partition.region,
        stage: &stage.stage_name,
        created: deployment.created_date,
        snapshot: &deployment.snapshot,
        editor: &api.editor,
        switches: request.switches,
    };
    let body = serde_json::to_vec_pretty(&export.document())
        .map_err(|error| AwsError::new(500, "InternalFailure", error.to_string()))?;
    Ok(Reply {
        status: 200,
        body,
        content_type: Some("application/octet-stream".to_owned()),
        disposition: Some(format!("attachment; filename=\"{kind}_{}.json\"", export.version())),
    })
}
