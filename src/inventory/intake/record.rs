//! One call as CloudTrail recorded it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::config::by_path;
use super::key::decode;
use crate::api::drift::Actor;
use crate::api::policy::EndpointType;
use crate::inventory::events::{Aside, Event, Fault, Item, Principal};
use crate::judge::snapshot::EndpointId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A text of a call that is kept: paths and values of patches are shorter, templates need not be whole.
const LONGEST: usize = 4096;

/// A field's text, or nothing.
pub fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Reads one record.
pub fn record(record: &Value) -> Result<Item, Fault> {
    let name = text(record, "eventName");
    if name.is_empty() {
        return Err(Fault::Incomplete);
    }
    if text(record, "eventSource") != "apigateway.amazonaws.com" {
        return Ok(Item::Aside(Aside::OtherService));
    }
    if record.get("errorCode").is_some_and(|code| !code.is_null()) {
        return Ok(Item::Aside(Aside::FailedCall));
    }
    if record.get("readOnly").and_then(Value::as_bool) == Some(true) || name.starts_with("Get") {
        return Ok(Item::Aside(Aside::ReadOnly));
    }
    let parameters = record.get("requestParameters").unwrap_or(&Value::Null);
    // HTTP and WebSocket APIs: the same source and names, other ids.
    if parameters.get("apiId").is_some() {
        return Ok(Item::Aside(Aside::OtherService));
    }
    let response = record.get("responseElements").unwrap_or(&Value::Null);
    let (account_id, region) = (text(record, "recipientAccountId"), text(record, "awsRegion"));
    let named = named(name, parameters, response);
    if named.is_empty() {
        return Ok(Item::Aside(Aside::NoEndpoint));
    }
    let time: Option<Timestamp> = text(record, "eventTime").parse().ok();
    let id = text(record, "eventID");
    let (Some(time), false) = (time, account_id.is_empty() || region.is_empty() || id.is_empty()) else {
        return Err(Fault::Incomplete);
    };
    let endpoint = |(type_, id): (EndpointType, String)| EndpointId {
        account_id: account_id.to_owned(),
        region: region.to_owned(),
        type_,
        id,
    };
    Ok(Item::Call(Box::new(Event {
        id: id.to_owned(),
        name: name.to_owned(),
        time,
        endpoints: named.into_iter().map(endpoint).collect(),
        principal: principal(record.get("userIdentity").unwrap_or(&Value::Null)),
        source_address: text(record, "sourceIPAddress").to_owned(),
        user_agent: text(record, "userAgent").chars().take(256).collect(),
        parameters: cut(parameters),
        deployment: (name == "CreateDeployment" && !text(response, "id").is_empty())
            .then(|| text(response, "id").to_owned()),
        masked: is_masked(parameters),
    })))
}

/// The endpoints that a call may have changed.
fn named(name: &str, parameters: &Value, response: &Value) -> Vec<(EndpointType, String)> {
    let mut found = Vec::new();
    let mut add = |type_, id: &str| {
        if !id.is_empty() && !found.contains(&(type_, id.to_owned())) {
            found.push((type_, id.to_owned()));
        }
    };
    add(EndpointType::RestApi, text(parameters, "restApiId"));
    add(EndpointType::DomainName, text(parameters, "domainName"));
    match name {
        "CreateRestApi" | "ImportRestApi" => add(EndpointType::RestApi, text(response, "id")),
        "CreateDomainName" => {
            let input = parameters.get("createDomainNameInput").unwrap_or(&Value::Null);
            add(EndpointType::DomainName, text(input, "domainName"));
            add(EndpointType::DomainName, text(response, "domainName"));
        }
        "CreateBasePathMapping" => {
            let input = parameters.get("createBasePathMappingInput").unwrap_or(&Value::Null);
            add(EndpointType::RestApi, text(input, "restApiId"));
        }
        "TagResource" | "UntagResource" => {
            if let Some((type_, id)) = by_path(&decode(text(parameters, "resourceArn"))) {
                add(type_, &id);
            }
        }
        _ => {}
    }
    found
}

/// Who called.
fn principal(identity: &Value) -> Principal {
    let arn = text(identity, "arn");
    let session = identity.get("sessionContext");
    let issuer = session
        .and_then(|s| s.get("sessionIssuer"))
        .map_or("", |issuer| text(issuer, "arn"));
    let federated = session
        .and_then(|s| s.get("webIdFederationData"))
        .is_some_and(|data| data.get("federatedProvider").is_some());
    let type_ = text(identity, "type");
    let of_session = || arn.rsplit('/').next().filter(|name| !name.is_empty() && *name != arn);
    let federated_name = match type_ {
        "AssumedRole" if issuer.contains("/AWSReservedSSO_") || federated => of_session(),
        "FederatedUser" => of_session().or_else(|| arn.rsplit(':').next()),
        "SAMLUser" | "WebIdentityUser" => Some(text(identity, "userName")),
        "IdentityCenterUser" => identity.get("onBehalfOf").map(|user| text(user, "userId")),
        _ => None,
    };
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Principal {
        type_: type_.to_owned(),
        // An AWS service and some federated principals have no ARN.
        arn: own(arn).unwrap_or_else(|| text(identity, "principalId").to_owned()),
        issuer: own(issuer),
        federated_name: federated_name.and_then(own),
        invoked_by: own(text(identity, "invokedBy")),
    }
}

/// A principal in a few words: `role/Dev/anna`, `user/anna`, `sso/Dev/anna@example.com`, `federated/anna`, `root`, or a
/// service's name.
pub fn name(principal: &Principal) -> String {
    let resource = principal.arn.splitn(6, ':').nth(5).unwrap_or_default();
    let mut parts = resource.split('/');
    match (principal.type_.as_str(), parts.next().unwrap_or_default()) {
        ("Root", _) | (_, "root") => "root".to_owned(),
        ("FederatedUser", _) | (_, "federated-user") => {
            format!("federated/{}", principal.federated_name.as_deref().unwrap_or_default())
        }
        (_, "assumed-role") => {
            let (role, session) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match (role.strip_prefix("AWSReservedSSO_"), &principal.federated_name) {
                // The permission set stands before its sixteen hex digits.
                (Some(set), Some(person)) => {
                    format!("sso/{}/{person}", set.rsplit_once('_').map_or(set, |(set, _)| set))
                }
                _ => format!("role/{role}/{session}"),
            }
        }
        (_, "user") => format!("user/{}", resource.rsplit('/').next().unwrap_or_default()),
        _ => match (&principal.invoked_by, &principal.federated_name) {
            (Some(service), _) => service.clone(),
            (None, Some(person)) => person.clone(),
            (None, None) => principal.arn.clone(),
        },
    }
}

impl From<&Event> for Actor {
    fn from(event: &Event) -> Self {
        let Principal {
            type_,
            arn,
            issuer,
            federated_name,
            invoked_by,
        } = event.principal.clone();
        Actor {
            name: name(&event.principal),
            arn,
            type_,
            session_issuer: issuer,
            federated_name,
            invoked_by,
            source_address: event.source_address.clone(),
            user_agent: event.user_agent.clone(),
            event_name: event.name.clone(),
            event_id: event.id.clone(),
            time: Some(Time(event.time)),
        }
    }
}

/// What is kept of a call's parameters: long texts are cut.
fn cut(parameters: &Value) -> Value {
    match parameters {
        Value::String(text) if text.len() > LONGEST => {
            Value::String(text[..text.floor_char_boundary(LONGEST)].to_owned())
        }
        Value::Array(all) => Value::Array(all.iter().take(1000).map(cut).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), cut(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Whether CloudTrail left something out.
fn is_masked(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "***" || text == "HIDDEN_DUE_TO_SECURITY_REASONS",
        Value::Array(all) => all.iter().any(is_masked),
        Value::Object(fields) => fields.values().any(is_masked),
        _ => false,
    }
}
