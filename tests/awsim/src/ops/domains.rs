//! Custom domain names and base path mappings.

use serde::Deserialize;

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch::{self, Op, Step};
use crate::request::{Answered, Request, empty, json};
use crate::store::{BasePathMapping, DomainName, EndpointConfiguration, Map, MutualTls, Partition};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    #[serde(default)]
    domain_name: String,
    certificate_name: Option<String>,
    certificate_arn: Option<String>,
    regional_certificate_name: Option<String>,
    regional_certificate_arn: Option<String>,
    endpoint_configuration: Option<EndpointConfiguration>,
    #[serde(default)]
    tags: Map,
    security_policy: Option<String>,
    endpoint_access_mode: Option<String>,
    mutual_tls_authentication: Option<MutualTls>,
    ownership_verification_certificate_arn: Option<String>,
    policy: Option<String>,
    routing_mode: Option<String>,
}

pub(crate) fn create(partition: &mut Partition, request: &Request<'_>, ids: &mut Ids) -> Answered {
    let body: Create = request.json()?;
    if !body.domain_name.contains('.') {
        return Err(AwsError::bad_request("Invalid domain name identifier specified"));
    }
    if partition.domain_names.contains_key(&body.domain_name) {
        return Err(AwsError::conflict("The domain name you provided already exists."));
    }
    let mut endpoint_configuration = body.endpoint_configuration.unwrap_or_default();
    super::restapi::endpoint(&mut endpoint_configuration)?;
    let private = endpoint_configuration.types[0] == "PRIVATE";
    let regional = !private && endpoint_configuration.types[0] != "EDGE";
    if regional && body.regional_certificate_arn.is_none() || !regional && body.certificate_arn.is_none() {
        return Err(AwsError::bad_request(
            "A certificate ARN must be specified for the endpoint type",
        ));
    }
    let host = format!(
        "d-{:010x}.execute-api.{}.amazonaws.com",
        partition.next_seq(),
        partition.region
    );
    let (region, name) = (&partition.region, &body.domain_name);
    let domain_name_id = private.then(|| ids.short());
    let domain_name_arn = match &domain_name_id {
        Some(id) => format!(
            "arn:aws:apigateway:{region}:{}:/domainnames/{name}+{id}",
            partition.account
        ),
        None => format!("arn:aws:apigateway:{region}::/domainnames/{name}"),
    };
    let domain = DomainName {
        domain_name_arn,
        domain_name_id,
        certificate_upload_date: (!regional).then_some(request.now),
        regional_domain_name: regional.then_some(host),
        regional_hosted_zone_id: regional.then(|| "ZLY8HYME6SFDD".to_owned()),
        distribution_domain_name: (!regional && !private)
            .then(|| format!("d{:013x}.cloudfront.net", partition.next_seq())),
        distribution_hosted_zone_id: (!regional && !private).then(|| "Z2FDTNDATAQYW2".to_owned()),
        domain_name: body.domain_name,
        certificate_name: body.certificate_name,
        certificate_arn: body.certificate_arn,
        regional_certificate_name: body.regional_certificate_name,
        regional_certificate_arn: body.regional_certificate_arn,
        endpoint_configuration,
        domain_name_status: "AVAILABLE".to_owned(),
        security_policy: body.security_policy.unwrap_or_else(|| "TLS_1_2".to_owned()),
        endpoint_access_mode: body.endpoint_access_mode,
        tags: body.tags,
        mutual_tls_authentication: body.mutual_tls_authentication,
        ownership_verification_certificate_arn: body.ownership_verification_certificate_arn,
        management_policy: None,
        policy: body.policy,
        routing_mode: body.routing_mode.unwrap_or_else(|| "BASE_PATH_MAPPING_ONLY".to_owned()),
        mappings: std::collections::BTreeMap::new(),
        seq: partition.next_seq(),
    };
    check(&domain)?;
    let answer = json(201, &domain);
    partition.domain_names.insert(domain.domain_name.clone(), domain);
    answer
}

fn check(domain: &DomainName) -> Result<(), AwsError> {
    let policy = &domain.security_policy;
    if policy != "TLS_1_0" && policy != "TLS_1_2" && !policy.starts_with("SecurityPolicy_") {
        return Err(AwsError::bad_request(format!(
            "Invalid security policy specified: {policy}"
        )));
    }
    if domain.mutual_tls_authentication.is_some() && policy == "TLS_1_0" {
        return Err(AwsError::bad_request(
            "Mutual TLS is not supported for security policy TLS_1_0",
        ));
    }
    match domain.endpoint_access_mode.as_deref() {
        None | Some("BASIC" | "STRICT") => Ok(()),
        Some(other) => Err(AwsError::bad_request(format!(
            "Invalid endpoint access mode specified: {other}"
        ))),
    }
}

fn find<'a>(partition: &'a Partition, request: &Request<'_>) -> Result<&'a DomainName, AwsError> {
    let found = partition.domain_names.get(request.id("domainName"));
    found
        .filter(|domain| is_meant(domain, request))
        .ok_or_else(no_such_domain)
}

/// A private name is found by its id alone.
fn is_meant(domain: &DomainName, request: &Request<'_>) -> bool {
    domain.domain_name_id.is_none() || domain.domain_name_id.as_deref() == request.query("domainNameId")
}

fn no_such_domain() -> AwsError {
    AwsError::not_found("Invalid domain name identifier specified")
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    let mut known: Vec<_> = partition
        .domain_names
        .values()
        .map(|domain| (domain.seq, domain))
        .collect();
    known.sort_by_key(|(seq, _)| *seq);
    json(200, &Page::asked(request)?.of(known.into_iter()))
}

pub(crate) fn get(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition, request)?)
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    find(partition, request)?;
    partition.domain_names.remove(request.id("domainName"));
    empty(202)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let mut domain = find(partition, request)?.clone();
    for step in patch::steps(request)? {
        apply(&mut domain, &step)?;
    }
    check(&domain)?;
    let answer = json(200, &domain);
    partition.domain_names.insert(domain.domain_name.clone(), domain);
    answer
}

fn apply(domain: &mut DomainName, step: &Step) -> Result<(), AwsError> {
    match step.path {
        "/certificateName" => domain.certificate_name = step.optional(),
        "/certificateArn" => domain.certificate_arn = step.optional(),
        "/endpointConfiguration/types" => step.edit_list(&mut domain.endpoint_configuration.types)?,
        "/endpointConfiguration/ipAddressType" => domain.endpoint_configuration.ip_address_type = step.optional(),
        "/endpointAccessMode" => domain.endpoint_access_mode = step.optional(),
        "/managementPolicy" => domain.management_policy = step.optional(),
        "/mutualTlsAuthentication/truststoreUri" => {
            // Without a truststore there is no mutual TLS.
            match step.optional() {
                Some(uri) => domain.mutual_tls_authentication.get_or_insert_default().truststore_uri = Some(uri),
                None => domain.mutual_tls_authentication = None,
            }
        }
        "/mutualTlsAuthentication/truststoreVersion" => {
            let mutual = domain.mutual_tls_authentication.as_mut();
            let mutual =
                mutual.ok_or_else(|| AwsError::bad_request("A truststore URI must be set before its version"))?;
            mutual.truststore_version = step.optional();
        }
        "/policy" => domain.policy = step.optional(),
        "/regionalCertificateName" => domain.regional_certificate_name = step.optional(),
        "/regionalCertificateArn" => domain.regional_certificate_arn = step.optional(),
        "/routingMode" => step.value()?.clone_into(&mut domain.routing_mode),
        "/securityPolicy" => step.value()?.clone_into(&mut domain.security_policy),
        _ => domain.ownership_verification_certificate_arn = step.optional(),
    }
    Ok(())
}

const NO_PATH: &str = "(none)";

fn path(sent: &str) -> String {
    if sent.is_empty() {
        NO_PATH.to_owned()
    } else {
        sent.to_owned()
    }
}

fn check_mapping(partition: &Partition, mapping: &BasePathMapping) -> Result<(), AwsError> {
    let invalid = |what: &str| AwsError::bad_request(format!("Invalid {what} identifier specified"));
    let api = partition.api(&mapping.rest_api_id).map_err(|_| invalid("REST API"))?;
    match mapping.stage.as_deref() {
        Some(stage) if api.stage(stage).is_err() => Err(invalid("stage")),
        _ => Ok(()),
    }
}

pub(crate) fn create_mapping(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let seq = partition.next_seq();
    let sent: BasePathMapping = request.json()?;
    let mapping = BasePathMapping {
        base_path: path(&sent.base_path),
        seq,
        ..sent
    };
    if find(partition, request)?.mappings.contains_key(&mapping.base_path) {
        return Err(AwsError::conflict("Base path already exists for this domain name"));
    }
    check_mapping(partition, &mapping)?;
    let answer = json(201, &mapping);
    let domain = partition
        .domain_names
        .get_mut(request.id("domainName"))
        .filter(|domain| is_meant(domain, request))
        .ok_or_else(no_such_domain)?;
    domain.mappings.insert(mapping.base_path.clone(), mapping);
    answer
}

pub(crate) fn list_mappings(partition: &Partition, request: &Request<'_>) -> Answered {
    let mut known: Vec<_> = find(partition, request)?
        .mappings
        .values()
        .map(|known| (known.seq, known))
        .collect();
    known.sort_by_key(|(seq, _)| *seq);
    json(200, &Page::asked(request)?.of(known.into_iter()))
}

fn find_mapping<'a>(partition: &'a Partition, request: &Request<'_>) -> Result<&'a BasePathMapping, AwsError> {
    let known = find(partition, request)?.mappings.get(request.id("basePath"));
    known.ok_or_else(|| AwsError::not_found("Invalid base path mapping identifier specified"))
}

pub(crate) fn get_mapping(partition: &Partition, request: &Request<'_>) -> Answered {
    json(200, find_mapping(partition, request)?)
}

pub(crate) fn update_mapping(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let mut mapping = find_mapping(partition, request)?.clone();
    for step in patch::steps(request)? {
        match step.path {
            "/basepath" => mapping.base_path = path(step.value.as_deref().unwrap_or_default()),
            "/restapiId" => step.value()?.clone_into(&mut mapping.rest_api_id),
            _ => mapping.stage = step.optional().filter(|_| step.op != Op::Remove),
        }
    }
    check_mapping(partition, &mapping)?;
    let answer = json(200, &mapping);
    let domain = partition
        .domain_names
        .get_mut(request.id("domainName"))
        .filter(|domain| is_meant(domain, request))
        .ok_or_else(no_such_domain)?;
    domain.mappings.remove(request.id("basePath"));
    domain.mappings.insert(mapping.base_path.clone(), mapping);
    answer
}

pub(crate) fn delete_mapping(partition: &mut Partition, request: &Request<'_>) -> Answered {
    find_mapping(partition, request)?;
    let domain = partition
        .domain_names
        .get_mut(request.id("domainName"))
        .filter(|domain| is_meant(domain, request))
        .ok_or_else(no_such_domain)?;
    domain.mappings.remove(request.id("basePath"));
    empty(202)
}
