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
/// So many values are kept of a call's parameters.
const MOST: usize = 5_000;
/// No ARN is longer. What says who called goes into objects of Kubernetes, which take no text of any length.
const ARN: usize = 2048;
/// No event's name or id is longer, nor a name, an address, or what is shown of a program's.
const NAME: usize = 256;

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
    let reads = name.starts_with("Get") || name.starts_with("TestInvoke");
    if reads || record.get("readOnly").and_then(Value::as_bool) == Some(true) {
        return Ok(Item::Aside(Aside::ReadOnly));
    }
    let parameters = record.get("requestParameters").unwrap_or(&Value::Null);
    let response = record.get("responseElements").unwrap_or(&Value::Null);
    // HTTP and WebSocket APIs: the same source and names, other ids.
    if parameters.get("apiId").is_some() || response.get("apiId").is_some() {
        return Ok(Item::Aside(Aside::OtherService));
    }
    let (account_id, region) = (text(record, "recipientAccountId"), text(record, "awsRegion"));
    let named = named(name, parameters, response);
    if named.is_empty() {
        return Ok(Item::Aside(Aside::NoEndpoint));
    }
    let time: Option<Timestamp> = text(record, "eventTime").parse().ok();
    let id = text(record, "eventID");
    let whole = [account_id, region, id].iter().all(|text| !text.is_empty());
    let (Some(time), true) = (time, whole) else {
        return Err(Fault::Incomplete);
    };
    if [name, account_id, region, id].iter().any(|text| text.len() > NAME) {
        return Err(Fault::TooLarge);
    }
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
        source_address: short(text(record, "sourceIPAddress"), NAME).to_owned(),
        user_agent: short(text(record, "userAgent"), NAME).to_owned(),
        parameters: cut(parameters, &mut { MOST }),
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
    let own = |text: &str, most| (!text.is_empty()).then(|| short(text, most).to_owned());
    // An AWS service, another account and some federated principals have no ARN.
    let instead = match type_ {
        "AWSAccount" => text(identity, "accountId"),
        _ => text(identity, "principalId"),
    };
    Principal {
        type_: short(type_, NAME).to_owned(),
        arn: own(arn, ARN).or_else(|| own(instead, ARN)).unwrap_or_default(),
        issuer: own(issuer, ARN),
        federated_name: federated_name.and_then(|name| own(name, NAME)),
        invoked_by: own(text(identity, "invokedBy"), NAME),
    }
}

/// A principal in a few words: `role/Dev/anna`, `user/anna`, `sso/Dev/anna@example.com`, `federated/anna`, `root`,
/// `account/111122223333`, a service's name, or what an identity provider calls a person.
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
        ("AWSAccount", "") => format!("account/{}", principal.arn),
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

/// At most so many bytes of it.
fn short(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What is kept of a call's parameters: long texts are cut, and of very many values the first.
fn cut(parameters: &Value, left: &mut usize) -> Value {
    match parameters {
        Value::String(text) => Value::String(short(text, LONGEST).to_owned()),
        Value::Array(all) => Value::Array(all.iter().map_while(|one| counted(one, left)).collect()),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map_while(|(name, value)| Some((short(name, LONGEST).to_owned(), counted(value, left)?)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn counted(value: &Value, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    Some(cut(value, left))
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
