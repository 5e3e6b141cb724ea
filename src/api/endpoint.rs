//! `AwsEndpoint`: one API or domain name, as Plumbline last saw it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::EndpointType;

/// One API or domain name on AWS. Written by Plumbline alone.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "plumbline.dev",
    version = "v1alpha1",
    kind = "AwsEndpoint",
    plural = "awsendpoints",
    shortname = "awsep",
    category = "plumbline",
    status = "AwsEndpointStatus",
    derive = "PartialEq",
    doc = "One API or domain name on AWS, as Plumbline last saw it. Written by the controller alone.",
    selectable = ".spec.accountId",
    selectable = ".spec.region",
    printcolumn(name = "Endpoint-Name", type_ = "string", json_path = ".status.name"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status"
    ),
    printcolumn(
        name = "Observed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Observed\")].status"
    ),
    printcolumn(name = "Drift", type_ = "integer", json_path = ".status.drift"),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].lastTransitionTime"
    ),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountId", priority = 1),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", priority = 1),
    printcolumn(name = "Id", type_ = "string", json_path = ".spec.id", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct AwsEndpointSpec {
    /// The twelve digits of the account id.
    #[schemars(length(max = 12))]
    pub account_id: String,
    /// As in `eu-west-1`.
    #[schemars(length(max = 32))]
    pub region: String,
    /// CloudFormation type name.
    #[serde(rename = "type")]
    pub type_: EndpointType,
    /// The REST API's id or the domain name itself.
    #[schemars(length(max = 256))]
    pub id: String,
}

/// What Plumbline last saw and judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsEndpointStatus {
    /// `Observed`, `Compliant`.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The name that people gave it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its ARN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arn: String,
    /// Its AWS tags, as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// SHA-256 over everything that was read, so that a change shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Each stage's deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deployments: BTreeMap<String, String>,
    /// How many drifts are open.
    #[serde(default)]
    pub drift: i64,
    /// What each policy that selects it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyVerdict>,
    /// The last values with which a rule held, by target, key and path: what `restore` puts back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::schema::map_of_values")]
    pub last_compliant: BTreeMap<String, Value>,
    /// When something of it last changed in Plumbline's eyes, and not by Plumbline's hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change_time: Option<Time>,
    /// The tool that manages it, as its tags tell, as in `CloudFormation stack payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The editor as it stood when something was deployed from it: whoever finds it so again publishes nobody's edits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The `plumbline.dev/requestedAt` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// What was put back lately, by target, resource and path: what a contest is told by. It survives the Drifts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub put_back: BTreeMap<String, PutBack>,
}

/// The editor of a REST API as it was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The deployment.
    pub deployment_id: String,
    /// SHA-256 over everything that a deployment publishes, as it was read.
    pub digest: String,
    /// When the reading ended.
    pub read_at: Time,
    /// The same with the repairs that are under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repairing: Option<String>,
    /// How it is known that nobody wrote between the deployment and the reading. Absent: not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// How often one thing was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PutBack {
    /// Repairs of it within the last hour, by the uid of their Drifts.
    #[serde(default)]
    pub repairs: BTreeMap<String, Time>,
    /// Since when nobody but a person has it put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Time>,
    /// Why: `Contested`, or `Reverted` by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<super::Reason>,
}

/// What one policy says of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVerdict {
    /// The policy's namespace.
    pub namespace: String,
    /// The policy's name.
    pub name: String,
    /// The policy's uid.
    pub uid: String,
    /// The generation that was judged.
    pub generation: i64,
    /// Rules, counted over resources, that are violated.
    pub violated: i64,
    /// Rules, counted over resources, that could not be told.
    pub unknown: i64,
    /// Why something could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
