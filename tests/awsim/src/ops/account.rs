//! The account's settings and client certificates.

use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Request, empty, json};
use crate::store::{ClientCertificate, Map, Partition};

const YEAR: i64 = 365 * 86_400;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cloudwatch_role_arn: Option<&'a str>,
    throttle_settings: Throttle,
    features: [&'static str; 1],
    api_key_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    burst_limit: i64,
    rate_limit: f64,
}

pub(crate) fn get(partition: &Partition) -> Answered {
    let throttle_settings = Throttle {
        burst_limit: 5000,
        rate_limit: 10_000.0,
    };
    let cloudwatch_role_arn = partition.cloudwatch_role_arn.as_deref();
    json(
        200,
        &Shown {
            cloudwatch_role_arn,
            throttle_settings,
            features: ["UsagePlans"],
            api_key_version: "4",
        },
    )
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let mut role = partition.cloudwatch_role_arn.clone();
    for step in patch::steps(request)? {
        if step.path == "/cloudwatchRoleArn" {
            role = step.optional();
            if role
                .as_ref()
                .is_some_and(|arn| !arn.starts_with("arn:") || !arn.contains(":role/"))
            {
                return Err(AwsError::bad_request(
                    "The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.",
                ));
            }
        }
    }
    partition.cloudwatch_role_arn = role;
    get(partition)
}

#[derive(Deserialize)]
struct Generate {
    description: Option<String>,
    #[serde(default)]
    tags: Map,
}

pub(crate) fn generate_certificate(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let Generate { description, tags } = request.json()?;
    let id = ids.short();
    let certificate = ClientCertificate {
        pem_encoded_certificate: format!("-----BEGIN CERTIFICATE-----\n{id}\n-----END CERTIFICATE-----"),
        client_certificate_id: id,
        description,
        created_date: request.now,
        expiration_date: request.now + YEAR,
        tags,
        seq: partition.next_seq(),
    };
    let answer = json(201, &certificate);
    partition.certificates.push(certificate);
    answer
}

fn find<'a>(partition: &'a mut Partition, request: &Request<'_>) -> Result<&'a mut ClientCertificate, AwsError> {
    let id = request.id("clientCertificateId");
    let known = partition
        .certificates
        .iter_mut()
        .find(|known| known.client_certificate_id == id);
    known.ok_or_else(|| AwsError::not_found("Invalid Client Certificate identifier specified"))
}

pub(crate) fn list_certificates(partition: &Partition, request: &Request<'_>) -> Answered {
    json(
        200,
        &Page::asked(request)?.of(partition.certificates.iter().map(|known| (known.seq, known))),
    )
}

pub(crate) fn get_certificate(partition: &mut Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition, request)?)
}

pub(crate) fn update_certificate(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let steps = patch::steps(request)?;
    let certificate = find(partition, request)?;
    for step in steps {
        certificate.description = step.optional();
    }
    json(200, certificate)
}

pub(crate) fn delete_certificate(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let id = find(partition, request)?.client_certificate_id.clone();
    let used = partition
        .apis_after(0)
        .flat_map(|(_, api)| &api.stages)
        .any(|stage| stage.client_certificate_id.as_ref() == Some(&id));
    if used {
        return Err(AwsError::bad_request("Client certificate is in use by a stage"));
    }
    partition.certificates.retain(|known| known.client_certificate_id != id);
    empty(202)
}
