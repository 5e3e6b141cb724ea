//! Tags of APIs, stages, domain names and client certificates.

use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::request::{Answered, Request, empty, json};
use crate::store::{Map, Partition};

const MOST: usize = 50;

fn target<'a>(partition: &'a mut Partition, request: &Request<'_>) -> Result<&'a mut Map, AwsError> {
    let arn = request.id("resourceArn");
    let invalid = || AwsError::bad_request("Invalid ARN specified in the request");
    let mut parts = arn.splitn(6, ':');
    let service = (parts.next() == Some("arn")).then(|| parts.nth(1)).flatten();
    let region = parts.next().unwrap_or_default().to_owned();
    let path = parts.nth(1).ok_or_else(invalid)?;
    if service != Some("apigateway") || region != partition.region {
        return Err(invalid());
    }
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["restapis", api] => Ok(&mut partition.api_mut(api)?.tags),
        ["restapis", api, "stages", stage] => Ok(&mut partition.api_mut(api)?.stage_mut(stage)?.tags),
        ["domainnames", name] => {
            let known = partition.domain_names.get_mut(*name).map(|domain| &mut domain.tags);
            known.ok_or_else(|| AwsError::not_found("Invalid domain name identifier specified"))
        }
        ["clientcertificates", id] => {
            let known = partition
                .certificates
                .iter_mut()
                .find(|known| known.client_certificate_id == *id);
            known
                .map(|certificate| &mut certificate.tags)
                .ok_or_else(|| AwsError::not_found("Invalid Client Certificate identifier specified"))
        }
        _ => Err(invalid()),
    }
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    tags: Map,
}

pub(crate) fn tag(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let Tag { tags } = request.json()?;
    let known = target(partition, request)?;
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(AwsError::bad_request("Tag keys that start with aws: are reserved"));
    }
    if known
        .keys()
        .chain(tags.keys().filter(|key| !known.contains_key(*key)))
        .count()
        > MOST
    {
        return Err(AwsError::bad_request("Too many tags: at most 50 are allowed"));
    }
    known.extend(tags);
    empty(204)
}

pub(crate) fn untag(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let known = target(partition, request)?;
    for (name, value) in &request.routed.query {
        if name == "tagKeys" {
            known.remove(value);
        }
    }
    empty(204)
}

#[derive(Serialize)]
struct Tags<'a> {
    tags: &'a Map,
}

pub(crate) fn get(partition: &mut Partition, request: &Request<'_>) -> Answered {
    json(
        200,
        &Tags {
            tags: target(partition, request)?,
        },
    )
}
