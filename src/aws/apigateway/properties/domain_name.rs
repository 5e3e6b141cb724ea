//! Custom domain names. Everything takes effect at once; AWS allows one `UpdateDomainName` in 30 seconds.

use super::{Ops, Property, Repair, Table, Target, patch, property};
use crate::aws::apigateway::document::same_policy;

const READ: &str = "GetDomainNames";

pub(super) static TABLE: Table = Table {
    target: Target::DomainName,
    properties: PROPERTIES,
    every_entry: None,
};

const fn of(path: &'static [&'static str], patch_path: &'static str, ops: Ops) -> Property {
    property(path, READ, patch("UpdateDomainName", patch_path, ops))
}

const CERTIFICATE: &str = "callers that pin or do not trust the new certificate break the connection";
const CLIENTS: &str = "callers whose certificate the truststore does not know are refused";

const PROPERTIES: &[Property] = &[
    of(&["securityPolicy"], "/securityPolicy", Ops::Replace)
        .disrupts("callers that cannot speak the new TLS policy are refused"),
    of(&["endpointAccessMode"], "/endpointAccessMode", Ops::Replace)
        .disrupts("STRICT refuses callers whose host name does not match their TLS server name; back to BASIC interrupts the service"),
    of(
        &["mutualTlsAuthentication", "truststoreUri"],
        "/mutualTlsAuthentication/truststoreUri",
        Ops::AddReplaceRemove,
    )
    .disrupts(CLIENTS),
    of(
        &["mutualTlsAuthentication", "truststoreVersion"],
        "/mutualTlsAuthentication/truststoreVersion",
        Ops::AddReplaceRemove,
    )
    .disrupts(CLIENTS),
    // Adding and removing certificates is for moves between edge and regional, which a person makes.
    of(&["certificateArn"], "/certificateArn", Ops::Replace).disrupts(CERTIFICATE),
    of(&["certificateName"], "/certificateName", Ops::Replace),
    of(&["regionalCertificateArn"], "/regionalCertificateArn", Ops::Replace).disrupts(CERTIFICATE),
    of(&["regionalCertificateName"], "/regionalCertificateName", Ops::Replace),
    of(
        &["ownershipVerificationCertificateArn"],
        "/ownershipVerificationCertificateArn",
        Ops::AddReplaceRemove,
    ),
    property(
        &["endpointConfiguration", "types"],
        READ,
        Repair::None("a move between edge and regional changes what DNS must point at: add the other type, move DNS, remove this one"),
    )
    .disrupts("DNS must point at another name"),
    of(
        &["endpointConfiguration", "ipAddressType"],
        "/endpointConfiguration/ipAddressType",
        Ops::Replace,
    )
    .disrupts("callers over the other IP version no longer reach the domain"),
    of(&["routingMode"], "/routingMode", Ops::Replace).disrupts("calls are led to APIs by other rules"),
    of(&["policy"], "/policy", Ops::Replace)
        .compared(same_policy)
        .disrupts_unless_restored("callers that the new policy does not allow are refused"),
    of(&["managementPolicy"], "/managementPolicy", Ops::Replace).compared(same_policy),
    property(&["domainName"], READ, Repair::None("a domain keeps its name: make another one")),
    property(&["tags"], READ, Repair::Tags),
];
