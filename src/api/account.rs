//! `AwsAccount`: an account, who may judge what in it, and where its records go.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Enforcement;

/// An AWS account that Plumbline observes.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "plumbline.dev",
    version = "v1alpha1",
    kind = "AwsAccount",
    plural = "awsaccounts",
    shortname = "awsacc",
    category = "plumbline",
    status = "AwsAccountStatus",
    derive = "PartialEq",
    doc = "An AWS account that Plumbline observes: regions, roles, grants, and where records go.",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountId"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Observed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Observed\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Listening",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Listening\")].status"
    ),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(name = "Endpoints", type_ = "integer", json_path = ".status.endpoints"),
    printcolumn(name = "Last-Sweep", type_ = "date", json_path = ".status.lastSweepTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AwsAccountSpec {
    /// The twelve digits of the account id.
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{12}$')").message("write the 12 digits of the AWS account id in quotes, as in \"111122223333\""))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountId cannot change: create another AwsAccount for the other account"))]
    #[schemars(length(max = 32))]
    pub account_id: String,
    /// Regions to observe, as in `eu-west-1`.
    #[x_kube(validation = Rule::new("self.all(region, region.matches('^[a-z]{2,}(-[a-z]+)+-[0-9]+$'))").message("write a region's code, as in eu-west-1"))]
    #[schemars(length(min = 1, max = 64), inner(length(max = 32)))]
    pub regions: Vec<String>,
    /// Roles to assume. Neither: the pod's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Roles>,
    /// Who may judge and repair what here. None: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub grants: Vec<Grant>,
    /// When everything is read again.
    #[serde(default)]
    pub sweep: Sweep,
    /// How much of the request quotas may be used.
    #[serde(default)]
    pub budget: Budget,
    /// Where audit records go. None: they stay in the Drifts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Whom to tell.
    #[serde(default)]
    pub notify: Notify,
    /// Where changes are heard of within seconds. None: sweeps alone find them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// True: drift is found and told, and nothing is changed in this account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// The roles that Plumbline assumes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Roles {
    /// For reading. Absent: the pod's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Role>,
    /// For repairing. Absent: the pod's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Role>,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// `arn:aws:iam::111122223333:role/name`.
    #[schemars(length(max = 2048))]
    pub arn: String,
    /// The external id that the role's trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1224))]
    pub external_id: Option<String>,
}

/// What policies of some namespaces may do to some endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Namespaces by their labels; `{}` is all of them.
    pub namespaces: LabelSelector,
    /// Endpoints by their tags. Absent: all of them.
    #[serde(default)]
    pub endpoints: GrantedEndpoints,
    /// The most that a policy may do.
    #[serde(default)]
    pub max_enforcement: Enforcement,
    /// Whether exceptions of these namespaces count here. Where several grants meet, one that forbids them wins.
    #[serde(default)]
    pub exceptions: Exceptions,
}

/// Whether exceptions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Exceptions {
    /// They do.
    #[default]
    Allowed,
    /// They do not.
    Forbidden,
}

/// The endpoints of a grant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrantedEndpoints {
    /// Selects by AWS tags as by labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<LabelSelector>,
}

/// When things are read again: after an interval, or at the times of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.interval) && has(self.schedule))").message("write either interval, as in 15m, or schedule, as in \"0 * * * *\": not both"),
    validation = Rule::new("!has(self.timeZone) || has(self.schedule)").message("timeZone goes with schedule")
)]
pub struct Sweep {
    /// From one sweep's start to the next, as in `15m` or `1h30m`; at least one second. An account without either has `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("write a duration such as 15m, 90s or 1h30m"))]
    #[schemars(length(max = 16))]
    pub interval: Option<String>,
    /// Minute, hour, day of the month, month and day of the week, as in `*/10 7-19 * * 1-5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 128))]
    pub schedule: Option<String>,
    /// Whose clock the schedule goes by, as in `Europe/Berlin`. Absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
}

/// Where changes are heard of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct Events {
    /// URLs of SQS queues, as in `https://sqs.eu-west-1.amazonaws.com/111122223333/plumbline-events`. Several accounts may
    /// name the same one.
    #[x_kube(validation = Rule::new("self.all(queue, queue.matches('^https?://[^/]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}$'))").message("write the URL of a standard queue, as in https://sqs.eu-west-1.amazonaws.com/111122223333/plumbline-events"))]
    #[schemars(length(min = 1, max = 16), inner(length(max = 512)))]
    pub queues: Vec<String>,
}

/// How much of each service's request quota Plumbline may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct Budget {
    /// A share as in `50%`; the rest is left to the user's pipelines.
    #[serde(default = "Budget::default_share")]
    #[x_kube(validation = Rule::new("self.matches('^([1-9][0-9]?|100)%$')").message("write a share from 1% to 100%, as in \"50%\""))]
    #[schemars(length(max = 4))]
    pub share: String,
}

impl Budget {
    fn default_share() -> String {
        "50%".into()
    }

    /// The share as a number from 0.01 to 1.
    pub fn fraction(&self) -> f64 {
        self.share
            .trim_end_matches('%')
            .parse::<f64>()
            .map_or(0.5, |percent| (percent / 100.0).clamp(0.01, 1.0))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            share: Self::default_share(),
        }
    }
}

/// An S3 bucket for audit records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// The bucket's name.
    #[schemars(length(min = 3, max = 63))]
    pub bucket: String,
    /// What every key starts with, without a slash at its end.
    #[serde(default = "Audit::default_prefix")]
    #[schemars(length(max = 512))]
    pub prefix: String,
    /// The bucket's region. Absent: the account's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,
}

impl Audit {
    fn default_prefix() -> String {
        "audit/v1".into()
    }
}

/// Whom to tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notify {
    /// A topic whose subscribers read text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Topic>,
    /// A topic whose subscribers read JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<Topic>,
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// `arn:aws:sns:eu-west-1:111122223333:name`.
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$')").message("write the ARN of a standard topic, as in arn:aws:sns:eu-west-1:111122223333:plumbline-people; FIFO topics take no e-mail and are not used"))]
    #[schemars(length(max = 512))]
    pub topic_arn: String,
}

/// What Plumbline knows of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsAccountStatus {
    /// `Ready`, `Observed`, `Listening`.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How many endpoints the last complete sweep found.
    #[serde(default)]
    pub endpoints: i64,
    /// When the last complete sweep ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sweep_time: Option<Time>,
    /// The `plumbline.dev/requestedAt` that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}
