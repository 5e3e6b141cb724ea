//! A Drift at a transition, as one JSON document. Its fields are documented in `docs/notifications.md`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Class, RecordError};
use crate::api::Reason;
use crate::api::condition;
use crate::api::drift::{Actors, Call, Change, Drift, Excerpt, Phase, Resolution, Scope};
use crate::api::policy::{EndpointType, Severity, Target};
use crate::judge::plan::hex;

/// The document's version.
pub const SCHEMA: &str = crate::api::DRIFT_EVENT;

/// How much of a value's text an object of Kubernetes holds.
pub const EXCERPT: usize = 16 * 1024;

/// What is told of a Drift, each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transition {
    /// It was found.
    Detected,
    /// Its plan is another one than was told before, and its repair starts from a message that tells it.
    Planned,
    /// Its repair is held back.
    Waiting,
    /// Its repair did not work.
    Failed,
    /// It is over.
    Resolved,
    /// Somebody deleted it in the middle of its repair, which could not be brought to an end.
    Abandoned,
}

impl Transition {
    /// As written in the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Transition::Detected => "Detected",
            Transition::Planned => "Planned",
            Transition::Waiting => "Waiting",
            Transition::Failed => "Failed",
            Transition::Resolved => "Resolved",
            Transition::Abandoned => "Abandoned",
        }
    }

    /// When the Drift made it.
    ///
    /// The conditions know when a Drift began to wait or failed. Where they do not say, the time of detection stands in:
    /// a key must be the same on every attempt, so there is no clock to fall back to.
    fn time(self, drift: &Drift) -> Option<Timestamp> {
        let status = drift.status.as_ref()?;
        let since = |types: &[&str]| {
            types
                .iter()
                .filter_map(|type_| condition::find(&status.conditions, type_))
                .find(|c| c.status != "True")
                .map(|c| c.last_transition_time.0)
        };
        let detected = || {
            status
                .detected_at
                .as_ref()
                .or(drift.metadata.creation_timestamp.as_ref())
                .map(|t| t.0)
        };
        match self {
            Transition::Detected | Transition::Planned => detected(),
            Transition::Waiting => since(&["Authorized"]).or_else(detected),
            Transition::Failed => since(&["Repaired", "Verified"]).or_else(detected),
            Transition::Resolved => status.resolved_at.as_ref().map(|t| t.0).or_else(detected),
            Transition::Abandoned => drift
                .metadata
                .deletion_timestamp
                .as_ref()
                .map(|t| t.0)
                .or_else(detected),
        }
    }
}

/// Where the endpoint of a Drift is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The twelve digits.
    pub account_id: String,
    /// As in `eu-west-1`.
    pub region: String,
    /// What it is.
    pub endpoint_type: EndpointType,
    /// The REST API's id or the domain name itself.
    pub endpoint_id: String,
}

/// The values that a Drift may hold in part only.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The differing parts as found.
    pub observed: Value,
    /// The differing parts as wanted.
    pub desired: Value,
}

/// One transition of one Drift, with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// [`SCHEMA`].
    pub schema: String,
    /// `<drift uid>/<transition>`: the same however often it is told.
    pub id: String,
    /// What happened.
    pub transition: Transition,
    /// When, to the second, in RFC 3339 and UTC.
    pub time: String,
    /// The object that holds all of it.
    pub drift: Name,
    /// The policy's name, of the Drift's namespace.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's severity.
    pub severity: Severity,
    /// The rule's controls.
    pub controls: Vec<String>,
    /// The AWS account's id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What kind of thing drifted.
    pub target: Target,
    /// Which one of the endpoint, empty for the endpoint itself.
    pub resource: String,
    /// The uid of the Drift whose repair this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
    /// Live or draft.
    pub scope: Scope,
    /// The stages whose callers meet it.
    pub stages: Vec<String>,
    /// What the rule says of it.
    pub finding: String,
    /// The differing parts as found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    /// The differing parts as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Value>,
    /// Path by path, from what to what.
    pub difference: Vec<Change>,
    /// The calls that a repair makes, in their order.
    pub plan: Vec<Call>,
    /// SHA-256 over the plan.
    pub plan_digest: String,
    /// The calls that take the repair back.
    pub inverse: Vec<Call>,
    /// What a deployment would publish besides the repair.
    pub pending_edits: Vec<String>,
    /// Where the Drift stands.
    pub phase: Phase,
    /// Why it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same in a sentence.
    pub message: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<Actors>,
    /// How it is known that the repair is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// From when to when.
    pub times: Times,
    /// Fields that are cut or left out here and whole in the audit record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// Where the audit record is. Not in the record itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditRef>,
}

/// An object of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// An endpoint on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `CloudFormation` type name.
    #[serde(rename = "type")]
    pub type_: EndpointType,
    /// The REST API's id or the domain name itself.
    pub id: String,
    /// The name that people gave it.
    pub name: String,
    /// The name of the `AwsEndpoint`.
    pub object: String,
}

/// From when to when a Drift lasted, in RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
}

/// Where an audit record is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRef {
    /// The S3 bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// The same however often it is told; each plan is told by itself.
fn id(uid: &str, transition: Transition, plan_digest: &str) -> String {
    let name = transition.as_str();
    match transition {
        Transition::Planned => format!("{uid}/{name}/{}", plan_digest.get(..12).unwrap_or(plan_digest)),
        _ => format!("{uid}/{name}"),
    }
}

impl Entry {
    /// The document of a transition. `whole`: the values that the Drift itself holds cut, for the audit record.
    ///
    /// # Errors
    /// When the Drift is not persisted yet: without uid and time of detection nothing of it can be told apart.
    pub fn new(
        drift: &Drift,
        transition: Transition,
        place: &Place,
        whole: Option<&Whole>,
    ) -> Result<Entry, RecordError> {
        let not_yet =
            |what: &str| RecordError::new(Class::Settled, format!("the Drift has no {what} yet: persist it first"));
        let uid = drift.metadata.uid.clone().ok_or_else(|| not_yet("uid"))?;
        let time = transition.time(drift).ok_or_else(|| not_yet("time of detection"))?;
        let status = drift.status.clone().unwrap_or_default();
        let spec = drift.spec.clone();
        let mut cut = Vec::new();
        let mut value = |field: &str, whole: Option<&Value>, held: Option<Excerpt>| {
            if whole.is_none() && held.as_ref().is_some_and(|e| e.digest.is_some()) {
                cut.push(field.to_owned());
            }
            whole.cloned().or(held.map(|e| e.value)).map(sorted)
        };
        Ok(Entry {
            schema: SCHEMA.into(),
            id: id(&uid, transition, &status.plan_digest),
            transition,
            time: rfc3339(time),
            drift: Name {
                namespace: drift.metadata.namespace.clone().unwrap_or_default(),
                name: drift.metadata.name.clone().unwrap_or_default(),
                uid,
            },
            policy: spec.policy,
            rule: spec.rule,
            severity: status.severity,
            controls: status.controls,
            account: place.account_id.clone(),
            region: place.region.clone(),
            endpoint: Endpoint {
                type_: place.endpoint_type,
                id: place.endpoint_id.clone(),
                name: status.endpoint_name,
                object: spec.endpoint,
            },
            target: spec.target,
            resource: spec.resource,
            reverts: spec.reverts,
            scope: status.scope,
            stages: status.stages,
            finding: status.finding,
            observed: value("observed", whole.map(|w| &w.observed), status.observed),
            desired: value("desired", whole.map(|w| &w.desired), status.desired),
            difference: status
                .difference
                .into_iter()
                .map(|c| Change {
                    path: c.path,
                    from: c.from.map(sorted),
                    to: c.to.map(sorted),
                })
                .collect(),
            plan: status.plan,
            plan_digest: status.plan_digest,
            inverse: status.inverse,
            pending_edits: status.pending_edits,
            phase: status.phase,
            reason: status.reason,
            message: status.message,
            resolution: status.resolution,
            actors: status.actors,
            proof: status.proof,
            times: Times {
                detected: status.detected_at.map(|Time(at)| rfc3339(at)),
                resolved: status.resolved_at.map(|Time(at)| rfc3339(at)),
            },
            cut,
            audit: None,
        })
    }

    /// The same, saying where its audit record is.
    #[must_use]
    pub fn recorded(mut self, bucket: &str, key: &str) -> Entry {
        self.audit = Some(AuditRef {
            bucket: bucket.into(),
            key: key.into(),
        });
        self
    }

    /// The document in one line, without its end. The same entry gives the same bytes.
    pub fn line(&self) -> String {
        // Strings as keys and no foreign Serialize: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A value as a Drift holds it: whole, or the first 16 KiB of its text with the digest of the whole text.
pub fn excerpt(value: &Value) -> Excerpt {
    let value = sorted(value.clone());
    let text = value.to_string();
    if text.len() <= EXCERPT {
        return Excerpt { value, digest: None };
    }
    let head = &text[..text.floor_char_boundary(EXCERPT)];
    Excerpt {
        value: head.into(),
        digest: Some(hex(text.as_bytes())),
    }
}

/// Whether the audit record says more than the Drift can.
pub fn whole_needed(drift: &Drift) -> bool {
    let cut = |excerpt: &Option<Excerpt>| excerpt.as_ref().is_some_and(|e| e.digest.is_some());
    drift
        .status
        .as_ref()
        .is_some_and(|s| cut(&s.observed) || cut(&s.desired))
}

/// Kubernetes gives maps back sorted: so are they here, before and after they were there.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// Kubernetes keeps whole seconds: so does this, before and after they were there.
fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
#[path = "entry_tests.rs"]
pub(super) mod tests;
