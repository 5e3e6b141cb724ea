//! `Drift`: one episode of drift, from detection to resolution.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::{Severity, Target};

/// The finalizer of a Drift of which an AWS write has begun.
pub const FINALIZER: &str = "plumbline.dev/aws-write";

/// One episode of drift.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "plumbline.dev", version = "v1alpha1", kind = "Drift", plural = "drifts", namespaced,
    shortname = "drf", category = "plumbline", status = "DriftStatus", derive = "PartialEq",
    doc = "One episode of drift: what was observed, what was desired, the planned calls, and how it ended. Written by the controller.",
    selectable = ".spec.endpoint",
    validation = Rule::new("self.spec.policy == oldSelf.spec.policy && self.spec.policyUid == oldSelf.spec.policyUid && self.spec.rule == oldSelf.spec.rule && self.spec.endpoint == oldSelf.spec.endpoint && self.spec.target == oldSelf.spec.target && self.spec.resource == oldSelf.spec.resource && has(self.spec.previous) == has(oldSelf.spec.previous) && (!has(self.spec.previous) || self.spec.previous == oldSelf.spec.previous) && has(self.spec.reverts) == has(oldSelf.spec.reverts) && (!has(self.spec.reverts) || self.spec.reverts == oldSelf.spec.reverts)").message("a Drift is its policy, rule, endpoint and resource, and these cannot change; approval is what a person may write"),
    printcolumn(name = "Severity", type_ = "string", json_path = ".status.severity"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpointName"),
    printcolumn(name = "Rule", type_ = "string", json_path = ".spec.rule"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Who", type_ = "string", json_path = ".status.actors.editor.name"),
    printcolumn(name = "Since", type_ = "date", json_path = ".status.detectedAt"),
    printcolumn(name = "Resource", type_ = "string", json_path = ".spec.resource", priority = 1),
    printcolumn(name = "Scope", type_ = "string", json_path = ".status.scope", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct DriftSpec {
    /// The policy's name, of the same namespace.
    #[schemars(length(max = 253))]
    pub policy: String,
    /// The policy's uid.
    #[schemars(length(max = 64))]
    pub policy_uid: String,
    /// The rule's name.
    #[schemars(length(max = 63))]
    pub rule: String,
    /// The name of the `AwsEndpoint`.
    #[schemars(length(max = 253))]
    pub endpoint: String,
    /// CloudFormation type name of what drifted.
    pub target: Target,
    /// What drifted within the endpoint: a stage's name, a method as in `GET /pets`, or empty for the endpoint itself.
    #[serde(default)]
    #[schemars(length(max = 2048))]
    pub resource: String,
    /// The uid of the episode before, if this is a relapse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub previous: Option<String>,
    /// The uid of the Drift whose repair this episode takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reverts: Option<String>,
    /// What a person decided about the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// What a person decided. It holds for one plan: when the plan changes, it is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Yes or no.
    pub decision: Decision,
    /// `status.planDigest` as it was read: what is decided about. For `Revert`: `status.inverseDigest`.
    #[schemars(length(max = 64))]
    pub plan_digest: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// Who: the user name that Kubernetes knows the person by (`kubectl auth whoami`).
    #[schemars(length(min = 1, max = 512))]
    pub by: String,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// Make these calls.
    Approve,
    /// Do not make them.
    Reject,
    /// Take a repair back that was made.
    Revert,
}

/// Where a Drift stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Found; being recorded and told, or reported only.
    #[default]
    Detected,
    /// Held back; the reason says by what.
    Waiting,
    /// AWS is being written.
    Repairing,
    /// Over.
    Resolved,
    /// A repair did not work; still open.
    Failed,
}

impl Drift {
    /// Whether Plumbline keeps it from going: from its first write to AWS until its end is told.
    pub fn is_held(&self) -> bool {
        self.finalizers().iter().any(|f| f == FINALIZER)
    }
}

impl Phase {
    /// As written in the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Detected => "Detected",
            Phase::Waiting => "Waiting",
            Phase::Repairing => "Repairing",
            Phase::Resolved => "Resolved",
            Phase::Failed => "Failed",
        }
    }
}

/// What violates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// What callers meet.
    #[default]
    Live,
    /// What is drafted, while callers meet a compliant state or one that cannot be read.
    Draft,
}

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Resolution {
    /// By Plumbline.
    Repaired,
    /// Without Plumbline's hand.
    FixedElsewhere,
    /// An exception applies.
    Exempted,
    /// The policy or its rule is gone.
    PolicyDeleted,
    /// The account is gone or its grant withdrawn.
    AccountRemoved,
    /// The resource is gone.
    Gone,
    /// A person had the repair taken back.
    Reverted,
}

impl Resolution {
    /// The reason of the same name.
    pub fn reason(self) -> super::Reason {
        match self {
            Resolution::Repaired => super::Reason::Repaired,
            Resolution::FixedElsewhere => super::Reason::FixedElsewhere,
            Resolution::Exempted => super::Reason::Exempted,
            Resolution::PolicyDeleted => super::Reason::PolicyDeleted,
            Resolution::AccountRemoved => super::Reason::AccountRemoved,
            Resolution::Gone => super::Reason::Gone,
            Resolution::Reverted => super::Reason::Reverted,
        }
    }
}

/// Everything that happened in one episode. Written by the controller alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// Where it stands.
    #[serde(default)]
    pub phase: Phase,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<super::Reason>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// `Recorded`, `Notified`, `Attributed`, `Authorized`, `Repaired`, `Verified`.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The rule's severity.
    #[serde(default)]
    pub severity: Severity,
    /// The rule's controls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<String>,
    /// The endpoint's name on AWS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint_name: String,
    /// Live or draft.
    #[serde(default)]
    pub scope: Scope,
    /// The stages whose callers meet it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// What the rule says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub finding: String,
    /// The differing parts as found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Excerpt>,
    /// The differing parts as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Excerpt>,
    /// Path by path, from what to what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<Change>,
    /// The calls that a repair makes, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<Call>,
    /// The same calls as commands of the AWS CLI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// SHA-256 over the plan and over what a deployment would publish besides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan_digest: String,
    /// The calls that take the repair back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inverse: Vec<Call>,
    /// Paths that no call takes back: where nothing stood before and AWS knows only other values, or more than is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub irreversible: Vec<String>,
    /// SHA-256 over the inverse, once the repair was made and if the inverse takes all of it back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub inverse_digest: String,
    /// What a deployment would publish besides the repair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_edits: Vec<String>,
    /// Other Drifts of the endpoint whose repairs the same deployment would publish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploys_with: Vec<String>,
    /// How callers can be interrupted by the repair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disruptions: Vec<String>,
    /// The tool that manages the endpoint, as its tags tell, as in `CloudFormation stack payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Who did it, once known. The condition `Attributed` says whether more is to be expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<Actors>,
    /// The message that lets the repair start, where the policy has repairs start from messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Time>,
    /// How often a repair began.
    #[serde(default)]
    pub attempts: i32,
    /// Before this time no further attempt is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Time>,
    /// What was about to be done, persisted before a call that cannot be repeated safely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// How it is known that the repair is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Key of the newest audit object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_key: Option<String>,
    /// Transitions that are in the audit bucket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<String>,
    /// Messages that SNS took, by transition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Notice>,
}

/// A JSON value, cut where it is too large for an object of Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Excerpt {
    /// The value, or the first 16 KiB of its text when it is larger.
    #[schemars(schema_with = "super::schema::any_value")]
    pub value: Value,
    /// SHA-256 of the whole, if it was cut; the whole stands in the audit record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A difference at one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// As in `methodIntegration.uri`.
    pub path: String,
    /// What stood there, absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_value")]
    pub from: Option<Value>,
    /// What shall stand there, absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_value")]
    pub to: Option<Value>,
}

/// One call of AWS's API, as it will be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// AWS's name of the operation, as in `UpdateIntegration`.
    pub operation: String,
    /// What it is made on, in AWS's field names, as in `restApiId`.
    pub parameters: std::collections::BTreeMap<String, String>,
    /// Patch operations, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patch_operations: Vec<PatchOperation>,
}

/// One patch operation of API Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PatchOperation {
    /// `add`, `replace`, `remove` or `copy`.
    pub op: String,
    /// As in `/uri`.
    pub path: String,
    /// Always text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actors {
    /// Who edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<Actor>,
    /// Who deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployer: Option<Actor>,
}

/// A principal, and the event that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Short, as in `role/Dev/anna`.
    pub name: String,
    /// The principal's ARN.
    pub arn: String,
    /// `userIdentity.type`, as in `AssumedRole`.
    #[serde(rename = "type", default, skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// The ARN of the role or user whose session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_issuer: Option<String>,
    /// The name that a person has at the identity provider, for federated and IAM Identity Center sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_name: Option<String>,
    /// The AWS service that called for the principal, as in `cloudformation.amazonaws.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
    /// From where the call came: an IP address, or an AWS service's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_address: String,
    /// By which program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The call, as in `UpdateIntegration`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_name: String,
    /// CloudTrail's id of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_id: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}

/// A message that lets a repair start, where the policy has repairs start from messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The plan that it told of: another one is not started by it.
    pub plan_digest: String,
    /// SQS's id of it.
    pub message_id: String,
    /// When it was taken from the queue.
    pub at: Time,
}

/// A deployment about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The description that the deployment carries: how it is found again after a crash.
    pub description: String,
    /// Digest of the plan of the whole endpoint.
    pub plan_digest: String,
    /// The stages to be pointed at it, each with the deployment that it had before.
    pub stages: std::collections::BTreeMap<String, String>,
    /// The deployment, once made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
}

/// A message that SNS took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What it told.
    pub transition: String,
    /// `people` or `machines`.
    pub topic: String,
    /// SNS's id.
    pub message_id: String,
    /// The plan that it told of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan_digest: String,
}
