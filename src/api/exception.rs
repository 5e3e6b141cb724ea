//! `EndpointException`: rules that do not count for some endpoints until a date.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Endpoints that are exempt from rules until a date.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "plumbline.dev",
    version = "v1alpha1",
    kind = "EndpointException",
    plural = "endpointexceptions",
    namespaced,
    shortname = "eexc",
    category = "plumbline",
    status = "EndpointExceptionStatus",
    derive = "PartialEq",
    doc = "Endpoints that are exempt from rules of a policy until a date, with a reason.",
    printcolumn(name = "Policy", type_ = "string", json_path = ".spec.policy"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct EndpointExceptionSpec {
    /// The policy, of the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub policy: String,
    /// Its rules. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub rules: Vec<String>,
    /// Which endpoints. Every part given must match, and at least one must be given.
    pub endpoints: ExemptEndpoints,
    /// Why.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// From this second on the rules count again, as in `2027-01-31T00:00:00Z`.
    pub expires_at: Time,
}

/// The endpoints of an exception.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.ids) || has(self.names) || has(self.tags)").message("name the endpoints by ids, names or tags; names: [\"*\"] is all of them"))]
pub struct ExemptEndpoints {
    /// AWS ids, as in `a1b2c3d4e5`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub ids: Vec<String>,
    /// Names, in which `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub names: Vec<String>,
    /// Selects by AWS tags as by labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<LabelSelector>,
}

/// What Plumbline knows of the exception.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointExceptionStatus {
    /// `Ready`.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}
