//! `EndpointPolicy`: which endpoints, which rules, and how far Plumbline may go.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A compliance policy for endpoints.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "plumbline.dev",
    version = "v1alpha1",
    kind = "EndpointPolicy",
    plural = "endpointpolicies",
    namespaced,
    shortname = "epol",
    category = "plumbline",
    status = "EndpointPolicyStatus",
    derive = "PartialEq",
    doc = "A compliance policy for endpoints: a selector, rules, and how far Plumbline may go.",
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status"
    ),
    printcolumn(name = "Endpoints", type_ = "integer", json_path = ".status.endpoints"),
    printcolumn(name = "Drift", type_ = "integer", json_path = ".status.drift"),
    printcolumn(name = "Waiting", type_ = "integer", json_path = ".status.waiting"),
    printcolumn(name = "Unknown", type_ = "integer", json_path = ".status.unknown"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].reason",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPolicySpec {
    /// `AwsAccounts` by name, among those that grant this namespace something. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub accounts: Vec<String>,
    /// Which endpoints. Empty: every endpoint that is granted.
    #[serde(default)]
    pub selector: Selector,
    /// How far Plumbline may go by itself.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// Between policies that want different values the higher one wins.
    #[serde(default)]
    pub priority: i32,
    /// Values that rules may name as `params`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "super::schema::any_object")]
    pub params: Map<String, Value>,
    /// What must hold.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<PolicyRule>,
    /// What else may be repaired, and what repairs start from.
    #[serde(default)]
    pub repairs: Repairs,
    /// Whether a repair may deploy.
    #[serde(default)]
    pub redeploy: Redeploy,
    /// How much may be repaired unasked, and how soon.
    #[serde(default)]
    pub limits: Limits,
    /// When repairs may begin. Empty: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub windows: Vec<Window>,
    /// When the endpoints that it selects are read besides the account's sweeps. None: with these alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<super::account::Sweep>,
    /// True: drift is found and told, and nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// How much may be repaired, and how soon. They hold for approved repairs too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Drifts of this policy whose repair may begin within an hour.
    #[serde(default = "Limits::default_repairs_per_hour")]
    #[schemars(range(min = 0, max = 1000))]
    pub repairs_per_hour: u16,
    /// The share of the selected endpoints that may be repaired within an hour, as in `20%`; at least one.
    #[serde(default = "Limits::default_share")]
    #[x_kube(validation = Rule::new("self.matches('^([1-9][0-9]?|100)%$')").message("write a share from 1% to 100%, as in \"20%\""))]
    #[schemars(length(max = 4))]
    pub share: String,
    /// How long a drift must stand, and nobody have changed its endpoint, before it is repaired, as in `30s`.
    #[serde(default = "Limits::default_settle")]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("write a duration such as 30s, 10m or 1h; 0s is not to wait at all"))]
    #[schemars(length(max = 16))]
    pub settle: String,
}

impl Limits {
    fn default_repairs_per_hour() -> u16 {
        10
    }

    fn default_share() -> String {
        "20%".into()
    }

    fn default_settle() -> String {
        "30s".into()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            repairs_per_hour: Self::default_repairs_per_hour(),
            share: Self::default_share(),
            settle: Self::default_settle(),
        }
    }
}

/// A time during which repairs may begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When it opens: minute, hour, day of the month, month and day of the week, as in `0 2 * * 1-5`.
    #[schemars(length(min = 9, max = 128))]
    pub schedule: String,
    /// How long it stays open, as in `2h`.
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("write a duration such as 2h or 90m"))]
    #[schemars(length(max = 16))]
    pub duration: String,
    /// Whose clock, as in `Europe/Berlin`. Absent: UTC.
    #[serde(default = "Window::default_time_zone")]
    #[schemars(length(max = 64))]
    pub time_zone: String,
}

impl Window {
    fn default_time_zone() -> String {
        "UTC".into()
    }
}

/// How far Plumbline may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// Report only.
    #[default]
    Audit,
    /// Repair what a person approved.
    Approve,
    /// Repair.
    Enforce,
}

/// Whether a repair may deploy a REST API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Redeploy {
    /// Never: what needs a deployment waits.
    Never,
    /// Only when the deployment would publish nothing but the repair.
    #[default]
    WhenClean,
    /// Even when it publishes others' pending edits.
    Always,
}

/// Which endpoints. Every part given must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct Selector {
    /// CloudFormation type names of endpoints: `AWS::ApiGateway::RestApi`, `AWS::ApiGateway::DomainName`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub types: Vec<EndpointType>,
    /// As in `eu-west-1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 32)))]
    pub regions: Vec<String>,
    /// Names, in which `*` stands for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)))]
    pub names: Vec<String>,
    /// Judge only what these stages serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 128)))]
    pub stages: Vec<String>,
    /// Selects by AWS tags as by labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<LabelSelector>,
}

/// A kind of endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EndpointType {
    /// A REST API with its stages and methods.
    #[serde(rename = "AWS::ApiGateway::RestApi")]
    RestApi,
    /// A custom domain name.
    #[serde(rename = "AWS::ApiGateway::DomainName")]
    DomainName,
}

impl EndpointType {
    /// The CloudFormation type name.
    pub fn as_str(self) -> &'static str {
        match self {
            EndpointType::RestApi => super::REST_API,
            EndpointType::DomainName => super::DOMAIN_NAME,
        }
    }

    /// As it stands in names of objects.
    pub fn short(self) -> &'static str {
        match self {
            EndpointType::RestApi => "restapi",
            EndpointType::DomainName => "domainname",
        }
    }
}

/// What a rule judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Target {
    /// A REST API's own settings.
    #[serde(rename = "AWS::ApiGateway::RestApi")]
    RestApi,
    /// A stage.
    #[serde(rename = "AWS::ApiGateway::Stage")]
    Stage,
    /// A method with its integration.
    #[serde(rename = "AWS::ApiGateway::Method")]
    Method,
    /// A custom domain name.
    #[serde(rename = "AWS::ApiGateway::DomainName")]
    DomainName,
}

impl Target {
    /// The CloudFormation type name.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::RestApi => super::REST_API,
            Target::Stage => super::STAGE,
            Target::Method => super::METHOD,
            Target::DomainName => super::DOMAIN_NAME,
        }
    }
}

/// How bad a violation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Severity {
    /// For the record.
    Informational,
    /// Should be mended some day.
    Low,
    /// Should be mended.
    #[default]
    Medium,
    /// Must be mended soon.
    High,
    /// Must be mended now.
    Critical,
}

impl Severity {
    /// As written in the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Informational => "Informational",
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
            Severity::Critical => "Critical",
        }
    }
}

/// What must hold, and how it is put right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.require) != (has(self.desired) || has(self.absent))").message("write either desired (and absent), the values that must stand, or require, a CEL expression: not both, not neither"),
    validation = Rule::new("!has(self.fix) || (has(self.require) && !has(self.restore))").message("fix goes with require alone: desired is its own repair, and restore is the other way to repair a require"),
    validation = Rule::new("!has(self.restore) || has(self.require)").message("restore goes with require: desired is its own repair")
)]
pub struct PolicyRule {
    /// A name that is unique within the policy, as in `backends-over-https`.
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("write lower-case letters, digits and dashes, as in backends-over-https"))]
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// CloudFormation type name of what is judged.
    pub target: Target,
    /// How bad a violation is.
    #[serde(default)]
    pub severity: Severity,
    /// Ids of the controls that this rule serves, as in `SecurityHub/APIGateway.3`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 128)))]
    pub controls: Vec<String>,
    /// CEL: whether the rule applies to this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub when: Option<String>,
    /// CEL: what must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub require: Option<String>,
    /// Values that must stand, in AWS's field names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_object")]
    pub desired: Option<Map<String, Value>>,
    /// Paths that must be absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub absent: Vec<String>,
    /// CEL: a map of values that make the rule hold. It may name `previous`, not `now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub fix: Option<String>,
    /// Paths that are put back to their last compliant values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub restore: Vec<String>,
    /// CEL: a sentence about a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// Overrides the policy's enforcement for this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Enforcement>,
    /// True: a repair that can interrupt callers does not wait for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_disruption: bool,
}

/// What else may be repaired.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repairs {
    /// True: drafts that violate are patched before anybody deploys them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drafts: bool,
    /// True: endpoints that a tool such as `CloudFormation` or Terraform manages are repaired unasked too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub managed: bool,
    /// What a repair starts from.
    #[serde(default)]
    pub via: Via,
}

/// What a repair starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Via {
    /// From the finding itself.
    #[default]
    Direct,
    /// From a message that tells of the Drift on one of the account's queues: whatever stands between the account's topic
    /// and that queue, a filter policy, a delay, decides when and whether.
    Queue,
}

/// What Plumbline found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPolicyStatus {
    /// `Ready`, `Compliant`.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How many endpoints are selected.
    #[serde(default)]
    pub endpoints: i64,
    /// How many drifts are open.
    #[serde(default)]
    pub drift: i64,
    /// How many of them wait for something.
    #[serde(default)]
    pub waiting: i64,
    /// Of how many endpoints something could not be told.
    #[serde(default)]
    pub unknown: i64,
    /// What the policy may do in each account that grants it something, and why not more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<AllowedIn>,
    /// Repairs that began within the last hour: what the limits count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Begun>,
}

/// What a policy may do in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowedIn {
    /// The `AwsAccount`'s name.
    pub account: String,
    /// The most that it may do there, of all its rules.
    pub enforcement: Enforcement,
    /// Why it may not do more; empty if nothing holds it back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A repair that began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Begun {
    /// The Drift's uid: it counts once, however often it is tried.
    pub drift: String,
    /// The name of the `AwsEndpoint`.
    pub endpoint: String,
    /// When.
    pub at: Time,
}
