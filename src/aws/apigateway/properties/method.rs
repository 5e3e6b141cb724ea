//! Methods with their integrations. Everything takes effect with a deployment.

use super::{Ops, Property, Repair, Table, Target, patch, property};
use crate::judge::table::as_set;

const READ: &str = "GetResources?embed=methods";

pub(super) static TABLE: Table = Table {
    target: Target::Method,
    properties: PROPERTIES,
    every_entry: None,
};

const fn of(path: &'static [&'static str], patch_path: &'static str, ops: Ops) -> Property {
    property(path, READ, patch("UpdateMethod", patch_path, ops)).exported()
}

const fn integration(path: &'static [&'static str], patch_path: &'static str) -> Property {
    integration_map(path, patch_path, Ops::Replace)
}

const fn integration_map(path: &'static [&'static str], patch_path: &'static str, ops: Ops) -> Property {
    property(path, READ, patch("UpdateIntegration", patch_path, ops)).exported()
}

const fn by_hand(path: &'static [&'static str], words: &'static str) -> Property {
    property(path, READ, Repair::None(words)).exported()
}

const REFUSED: &str = "callers without the credentials that are asked for are refused";
const TARGET: &str = "calls reach another target, or none";
const REQUEST: &str = "backends get another request than before";
const CACHED: &str = "callers can get an answer that was cached for another request";

const PROPERTIES: &[Property] = &[
    by_hand(&["httpMethod"], "a method keeps its verb: make another method"),
    by_hand(&["resourcePath"], "a method keeps its path: make another resource"),
    of(&["authorizationType"], "/authorizationType", Ops::Replace).disrupts(REFUSED),
    // An export names the authorizer and the validator by name, never by id.
    of(&["authorizerId"], "/authorizerId", Ops::Replace)
        .hidden()
        .disrupts(REFUSED),
    property(
        &["authorizationScopes"],
        READ,
        Repair::Members {
            operation: "UpdateMethod",
            path: "/authorizationScopes",
        },
    )
    .exported()
    .compared(as_set)
    .disrupts(REFUSED),
    of(&["apiKeyRequired"], "/apiKeyRequired", Ops::Replace).disrupts("callers without an API key are refused"),
    of(&["requestValidatorId"], "/requestValidatorId", Ops::Replace)
        .hidden()
        .disrupts("requests that the validator finds wrong are refused"),
    of(&["operationName"], "/operationName", Ops::Replace),
    of(
        &["requestParameters", "*"],
        "/requestParameters/{~}",
        Ops::AddReplaceRemove,
    )
    .disrupts_unless_restored(
        "requests without a parameter that becomes required are refused where a validator checks them",
    ),
    of(&["requestModels", "*"], "/requestModels/{~}", Ops::AddReplaceRemove)
        .disrupts_unless_restored("requests that do not fit the model are refused where a validator checks them"),
    by_hand(
        &["methodResponses"],
        "change it with PutMethodResponse or UpdateMethodResponse",
    ),
    integration(&["methodIntegration", "uri"], "/uri").disrupts_unless_restored(TARGET),
    integration(&["methodIntegration", "httpMethod"], "/httpMethod").disrupts_unless_restored(TARGET),
    by_hand(
        &["methodIntegration", "type"],
        "no patch takes it: PutIntegration replaces the integration as a whole",
    )
    .disrupts_unless_restored(TARGET),
    integration(&["methodIntegration", "connectionType"], "/connectionType").disrupts_unless_restored(TARGET),
    integration(&["methodIntegration", "connectionId"], "/connectionId").disrupts_unless_restored(TARGET),
    integration(&["methodIntegration", "integrationTarget"], "/integrationTarget")
        .hidden()
        .disrupts_unless_restored(TARGET),
    integration(&["methodIntegration", "timeoutInMillis"], "/timeoutInMillis")
        .disrupts_unless_restored("calls that take longer are cut off"),
    integration(
        &["methodIntegration", "tlsConfig", "insecureSkipVerification"],
        "/tlsConfig/insecureSkipVerification",
    )
    .disrupts_unless_restored("a backend whose certificate does not verify is no longer called"),
    integration(&["methodIntegration", "passthroughBehavior"], "/passthroughBehavior")
        .disrupts_unless_restored("requests of a content type without a template can be refused"),
    integration(&["methodIntegration", "contentHandling"], "/contentHandling").disrupts_unless_restored(REQUEST),
    integration(&["methodIntegration", "responseTransferMode"], "/responseTransferMode")
        .hidden()
        .disrupts_unless_restored("callers get answers in another way"),
    by_hand(
        &["methodIntegration", "credentials"],
        "AWS documents no patch for it: PutIntegration replaces the integration as a whole",
    )
    .disrupts_unless_restored("API Gateway can lose the permission to call the target"),
    property(
        &["methodIntegration", "cacheKeyParameters"],
        READ,
        Repair::Members {
            operation: "UpdateIntegration",
            path: "/cacheKeyParameters/{~}",
        },
    )
    .exported()
    .compared(as_set)
    .disrupts_unless_restored(CACHED),
    integration(&["methodIntegration", "cacheNamespace"], "/cacheNamespace")
        .hidden()
        .disrupts_unless_restored(CACHED),
    integration_map(
        &["methodIntegration", "requestParameters", "*"],
        "/requestParameters/{~}",
        Ops::AddReplaceRemove,
    )
    .disrupts_unless_restored(REQUEST),
    integration_map(
        &["methodIntegration", "requestTemplates", "*"],
        "/requestTemplates/{~}",
        Ops::AddReplaceRemove,
    )
    .disrupts_unless_restored(REQUEST),
    by_hand(
        &["methodIntegration", "integrationResponses"],
        "change it with PutIntegrationResponse or UpdateIntegrationResponse",
    )
    .disrupts_unless_restored("callers get other answers"),
];
