//! Stages. Everything takes effect at once.

use super::{Ops, Property, Repair, Table, Target, patch, property};
use crate::judge::table::EveryEntry;

const READ: &str = "GetStages";

pub(super) static TABLE: Table = Table {
    target: Target::Stage,
    properties: PROPERTIES,
    // AWS applies `*/*` to the methods without settings of their own only: a setting that must stand must stand in all.
    every_entry: Some(EveryEntry {
        map: "methodSettings",
        default: "*/*",
    }),
};

const fn of(path: &'static [&'static str], patch_path: &'static str, ops: Ops) -> Property {
    property(path, READ, patch("UpdateStage", patch_path, ops))
}

/// A setting of one method, or of all. Its key stands in the patch path as AWS answers it.
const fn setting(path: &'static [&'static str], patch_path: &'static str) -> Property {
    of(path, patch_path, Ops::Replace)
}

const CACHE: &str = "a cache is made, resized or deleted for minutes, during which backends get every call";

const THROTTLE: &str = "callers beyond the limit are refused: a lower limit refuses calls that are answered now";

const PROPERTIES: &[Property] = &[
    // The first patch below a key makes the whole entry, with AWS's defaults: its inverse is the removal of the entry.
    of(&["methodSettings", "*"], "/{}", Ops::Remove),
    setting(&["methodSettings", "*", "loggingLevel"], "/{}/logging/loglevel"),
    setting(&["methodSettings", "*", "dataTraceEnabled"], "/{}/logging/dataTrace"),
    setting(&["methodSettings", "*", "metricsEnabled"], "/{}/metrics/enabled"),
    setting(
        &["methodSettings", "*", "throttlingRateLimit"],
        "/{}/throttling/rateLimit",
    )
    .disrupts_unless_restored(THROTTLE),
    setting(
        &["methodSettings", "*", "throttlingBurstLimit"],
        "/{}/throttling/burstLimit",
    )
    .disrupts_unless_restored(THROTTLE),
    setting(&["methodSettings", "*", "cachingEnabled"], "/{}/caching/enabled").disrupts(
        "callers get cached answers, which may be old or meant for another caller; or backends get every call",
    ),
    setting(
        &["methodSettings", "*", "cacheDataEncrypted"],
        "/{}/caching/dataEncrypted",
    ),
    setting(
        &["methodSettings", "*", "cacheTtlInSeconds"],
        "/{}/caching/ttlInSeconds",
    ),
    setting(
        &["methodSettings", "*", "requireAuthorizationForCacheControl"],
        "/{}/caching/requireAuthorizationForCacheControl",
    ),
    setting(
        &["methodSettings", "*", "unauthorizedCacheControlHeaderStrategy"],
        "/{}/caching/unauthorizedCacheControlHeaderStrategy",
    )
    .disrupts("callers that send Cache-Control without permission can be refused"),
    of(&["tracingEnabled"], "/tracingEnabled", Ops::Replace),
    of(&["accessLogSettings"], "/accessLogSettings", Ops::Remove),
    of(
        &["accessLogSettings", "destinationArn"],
        "/accessLogSettings/destinationArn",
        Ops::ReplaceRemove,
    ),
    of(
        &["accessLogSettings", "format"],
        "/accessLogSettings/format",
        Ops::ReplaceRemove,
    ),
    of(&["clientCertificateId"], "/clientCertificateId", Ops::Replace)
        .disrupts("backends that do not trust the certificate refuse API Gateway's calls"),
    property(
        &["webAclArn"],
        READ,
        Repair::None("no patch takes it: associate a web ACL with the stage's ARN by AWS WAF (wafv2 AssociateWebACL)"),
    )
    .disrupts("requests that the web ACL blocks are refused"),
    of(&["cacheClusterEnabled"], "/cacheClusterEnabled", Ops::Replace).disrupts(CACHE),
    of(&["cacheClusterSize"], "/cacheClusterSize", Ops::Replace).disrupts(CACHE),
    of(&["variables"], "/variables", Ops::Remove)
        .disrupts_unless_restored("integrations that name a variable call another target"),
    of(&["variables", "*"], "/variables/{~}", Ops::ReplaceRemove)
        .disrupts_unless_restored("integrations that name the variable call another target"),
    of(&["description"], "/description", Ops::Replace),
    of(&["documentationVersion"], "/documentationVersion", Ops::Replace),
    property(
        &["canarySettings"],
        READ,
        Repair::None("a canary is somebody's release under way: promote it or take it back"),
    )
    .disrupts("a part of the callers meets another deployment"),
    property(
        &["deploymentId"],
        READ,
        Repair::None("a repair points the stage at its own deployment; another one is chosen by a person"),
    )
    .disrupts("callers meet another deployment"),
    property(
        &["stageName"],
        READ,
        Repair::None("a stage keeps its name: make another stage"),
    ),
    property(&["tags"], READ, Repair::Tags),
];
