//! What AWS Config tells of changes: a resource's new configuration, or what a rule says of it.

use serde_json::Value;

use super::record::text;
use crate::api::policy::EndpointType;
use crate::api::{DOMAIN_NAME, REST_API, STAGE};
use crate::inventory::events::{Aside, Fault, Item};
use crate::judge::snapshot::EndpointId;

/// One notification: the `detail` of an event, or the message of Config's own topic. What it does not say of account and
/// region stands in its envelope.
pub fn notification(detail: &Value, envelope: &Value) -> Result<Item, Fault> {
    let item = match text(detail, "messageType") {
        "ConfigurationItemChangeNotification" => detail.get("configurationItem"),
        "OversizedConfigurationItemChangeNotification" => detail.get("configurationItemSummary"),
        "ComplianceChangeNotification" => Some(detail),
        // Snapshots, delivery of histories, what a rule was started for.
        _ => return Ok(Item::Aside(Aside::Control)),
    };
    let item = item.filter(|item| item.is_object()).ok_or(Fault::Incomplete)?;
    let type_ = text(item, "resourceType");
    if ![REST_API, STAGE, DOMAIN_NAME].contains(&type_) {
        return Ok(Item::Aside(Aside::OtherService));
    }
    let said = |name, outside| match text(item, name) {
        "" => text(envelope, outside),
        inside => inside,
    };
    let (account, region) = (said("awsAccountId", "account"), said("awsRegion", "region"));
    // The ARN says it all; an id alone is that of an API or a domain name.
    let named = [text(item, "ARN"), text(item, "arn"), text(item, "resourceId")];
    let found = named.iter().find_map(|name| endpoint(type_, name));
    let (Some((type_, id)), false) = (found, region.is_empty() || account.is_empty()) else {
        return Err(Fault::Incomplete);
    };
    Ok(Item::Changed(EndpointId {
        account_id: account.to_owned(),
        region: region.to_owned(),
        type_,
        id,
    }))
}

/// The endpoint in `arn:aws:apigateway:eu-west-1::/restapis/abc/stages/prod`, or in a plain id.
fn endpoint(type_: &str, name: &str) -> Option<(EndpointType, String)> {
    if let Some(found) = by_path(name) {
        return Some(found);
    }
    let plain = !name.is_empty() && !name.contains([':', '/']);
    match type_ {
        REST_API if plain => Some((EndpointType::RestApi, name.to_owned())),
        DOMAIN_NAME if plain => Some((EndpointType::DomainName, name.to_owned())),
        _ => None,
    }
}

/// The endpoint that an ARN's path names.
pub fn by_path(arn: &str) -> Option<(EndpointType, String)> {
    let path = &arn[arn.find("/restapis/").or_else(|| arn.find("/domainnames/"))?..];
    let mut parts = path.split('/').skip(1);
    let type_ = match parts.next()? {
        "restapis" => EndpointType::RestApi,
        _ => EndpointType::DomainName,
    };
    // A private domain name has its id behind it, `in.example.com+abc123`; decoded, the plus may be a space.
    let id = parts.next()?.split(['+', ' ']).next().filter(|id| !id.is_empty())?;
    Some((type_, id.to_owned()))
}
