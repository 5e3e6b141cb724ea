//! What was read of one endpoint: the judge's input.

use std::collections::BTreeMap;

use super::cel::Document;
use super::path::Path;
use crate::api::endpoint::AwsEndpointSpec;
use crate::api::policy::{EndpointType, Target};

/// What stands for a name, an id, a tag's value or a stage's name that is not known before something is deployed. AWS takes
/// no such text anywhere; a rule that reads it is `Unknown`.
pub const NOT_KNOWN: &str = "\u{0}";

/// Which endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// Twelve digits.
    pub account_id: String,
    /// As in `eu-west-1`.
    pub region: String,
    /// What it is.
    pub type_: EndpointType,
    /// The REST API's id or the domain name itself.
    pub id: String,
}

impl From<&AwsEndpointSpec> for EndpointId {
    fn from(spec: &AwsEndpointSpec) -> Self {
        EndpointId {
            account_id: spec.account_id.clone(),
            region: spec.region.clone(),
            type_: spec.type_,
            id: spec.id.clone(),
        }
    }
}

/// One complete reading of an endpoint. There is none of a reading that failed half-way.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// The name that people gave it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Itself and what it holds.
    pub resources: Vec<Resource>,
    /// Each stage's deployment.
    pub stages: BTreeMap<String, StagePointer>,
    /// SHA-256, in hex, over everything that was read.
    pub digest: String,
}

/// What a stage points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePointer {
    /// The deployment that its callers meet.
    pub deployment_id: String,
    /// The second one that some of them meet.
    pub canary: Option<String>,
}

/// One thing that rules judge.
#[derive(Clone, Debug)]
pub struct Resource {
    /// CloudFormation type.
    pub target: Target,
    /// What it is called within the endpoint: a stage's name, a method as in `GET /pets`, or empty for the endpoint itself.
    pub key: String,
    /// What calls name it by, in AWS's field names: `restApiId`, `resourceId`, `httpMethod`, `stageName`, `domainName`.
    pub address: BTreeMap<String, String>,
    /// What the editor holds. None: it is no longer there, while something deployed still is.
    pub draft: Option<Document>,
    /// What callers meet, by stage. Empty: it never was deployed.
    pub live: Vec<LiveState>,
}

/// What callers of one stage meet.
#[derive(Clone, Debug)]
pub struct LiveState {
    /// The stage.
    pub stage: String,
    /// What is known of it.
    pub known: Known,
}

/// What is known of a live state.
#[derive(Clone, Debug)]
pub enum Known {
    /// The document, but for some paths that nothing shows.
    Shown {
        /// In the same field names as the draft.
        document: Document,
        /// Paths whose live value is not known.
        hidden: Vec<Path>,
    },
    /// The deployment does not hold this resource.
    Absent,
    /// It could not be read.
    Unreadable(String),
}
