//! A REST API's own settings.
//!
//! What stands as exported is shown by exports that carry AWS's `OpenAPI` extension for it. Not every export does: which of
//! them one export shows, `export::Deployed::shown` says, and the others are hidden in that live state.

use super::{Ops, Property, Repair, Table, Target, patch, property};
use crate::aws::apigateway::document::same_policy;
use crate::judge::table::as_set;

const READ: &str = "GetRestApis";

pub(super) static TABLE: Table = Table {
    target: Target::RestApi,
    properties: PROPERTIES,
    every_entry: None,
};

const fn of(path: &'static [&'static str], patch_path: &'static str, ops: Ops) -> Property {
    property(path, READ, patch("UpdateRestApi", patch_path, ops))
}

const PROPERTIES: &[Property] = &[
    of(&["policy"], "/policy", Ops::ReplaceOrEmpty)
        .exported()
        .compared(same_policy)
        .disrupts_unless_restored("callers that the new policy does not allow are refused"),
    // AWS documents that any change of a stage makes it effective; a deployment surely is one.
    of(&["disableExecuteApiEndpoint"], "/disableExecuteApiEndpoint", Ops::Replace)
        .exported()
        .disrupts("callers that use the execute-api host name are refused"),
    property(
        &["endpointConfiguration", "types"],
        READ,
        Repair::None("the endpoint type changes the API's host names: move callers first, then UpdateRestApi replace /endpointConfiguration/types/0"),
    )
    .hidden()
    .disrupts("host names change"),
    property(
        &["endpointConfiguration", "vpcEndpointIds"],
        READ,
        Repair::Members {
            operation: "UpdateRestApi",
            path: "/endpointConfiguration/vpcEndpointIds",
        },
    )
    .exported()
    .compared(as_set)
    .disrupts("callers behind a VPC endpoint that is removed no longer find the API"),
    of(
        &["endpointConfiguration", "ipAddressType"],
        "/endpointConfiguration/ipAddressType",
        Ops::Replace,
    )
    .hidden()
    .disrupts("callers over the other IP version no longer reach the API"),
    of(&["securityPolicy"], "/securityPolicy", Ops::Replace)
        .exported()
        .disrupts("callers that cannot speak the new TLS policy are refused; the API is updated for about 15 minutes"),
    of(&["endpointAccessMode"], "/endpointAccessMode", Ops::Replace)
        .exported()
        .disrupts("STRICT refuses callers whose host name does not match their TLS server name; back to BASIC interrupts the service"),
    of(&["minimumCompressionSize"], "/minimumCompressionSize", Ops::ReplaceOrEmpty).exported(),
    of(&["apiKeySource"], "/apiKeySource", Ops::Replace)
        .exported()
        .disrupts("callers that send their API key the other way are refused"),
    property(
        &["binaryMediaTypes"],
        READ,
        Repair::Members {
            operation: "UpdateRestApi",
            path: "/binaryMediaTypes/{~}",
        },
    )
    .exported()
    .compared(as_set)
    .disrupts_unless_restored("bodies of the media type reach backends and callers in another encoding"),
    of(&["name"], "/name", Ops::Replace),
    of(&["description"], "/description", Ops::ReplaceRemove),
    property(&["version"], READ, Repair::None("no call changes it: it is given when the API is created or imported")),
    property(&["id"], READ, Repair::None("AWS gives it")),
    property(&["rootResourceId"], READ, Repair::None("AWS gives it")),
    property(&["tags"], READ, Repair::Tags),
];
