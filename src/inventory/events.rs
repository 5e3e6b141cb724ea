//! What was told of a change: by whom, what, where. It is a hint and an explanation, never a fact that a plan rests on.

use jiff::Timestamp;
use serde_json::Value;

use crate::judge::snapshot::EndpointId;

/// One call that CloudTrail recorded, as far as it concerns endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `eventID`: the same in every way that it comes.
    pub id: String,
    /// `eventName`, as in `UpdateIntegration`.
    pub name: String,
    /// `eventTime`, to the second.
    pub time: Timestamp,
    /// The endpoints that it may have changed.
    pub endpoints: Vec<EndpointId>,
    /// Who called.
    pub principal: Principal,
    /// `sourceIPAddress`.
    pub source_address: String,
    /// `userAgent`.
    pub user_agent: String,
    /// `requestParameters`: what was asked for, in AWS's field names.
    pub parameters: Value,
    /// `responseElements.id` of a `CreateDeployment`: the deployment that it made.
    pub deployment: Option<String>,
    /// Whether CloudTrail masked some of the values (`***`).
    pub masked: bool,
}

/// Who called, as `userIdentity` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// As in `AssumedRole`.
    pub type_: String,
    /// The ARN of the session, user or account.
    pub arn: String,
    /// `sessionContext.sessionIssuer.arn`: whose session it is.
    pub issuer: Option<String>,
    /// The name at an identity provider, for federated and IAM Identity Center sessions.
    pub federated_name: Option<String>,
    /// The AWS service that called for the principal.
    pub invoked_by: Option<String>,
}

/// What a message, or a part of one, says.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A call that may have changed an endpoint.
    Call(Box<Event>),
    /// Something else says that an endpoint changed: AWS Config.
    Changed(EndpointId),
    /// A file of a trail is there to be fetched.
    File(TrailFile),
    /// Plumbline's own notification of a Drift.
    Drift(Pointer),
    /// Understood, and of no concern.
    Aside(Aside),
}

/// A trail's file in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailFile {
    /// The bucket.
    pub bucket: String,
    /// The key, as it is.
    pub key: String,
    /// The account whose calls it holds, by its key.
    pub account_id: String,
    /// Their region, by its key.
    pub region: String,
}

/// What a notification points at. It is authenticated by what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The account's id.
    pub account_id: String,
    /// The Drift's namespace.
    pub namespace: String,
    /// The Drift's name.
    pub name: String,
    /// The Drift's uid.
    pub uid: String,
    /// The plan that it told of.
    pub plan_digest: String,
}

/// Why something that was understood is of no concern. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aside {
    /// A read.
    ReadOnly,
    /// A call that failed: it has an `errorCode`.
    FailedCall,
    /// Of another service, or of API Gateway v2.
    OtherService,
    /// A write that concerns no endpoint, such as `CreateApiKey`.
    NoEndpoint,
    /// A trail's digest file.
    Digest,
    /// A file in a bucket that is none of a trail's.
    ForeignFile,
    /// A test or control message: `s3:TestEvent`, `CONTROL_MESSAGE`, a trail's validation.
    Control,
    /// A notification of a Drift that is over, or that asks for nothing.
    Told,
}

/// Why a body, or a part of one, was not understood: it is left to the queue's redrive policy. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No JSON.
    NotJson,
    /// No base64 where it must be.
    MalformedBase64,
    /// A gzip stream that is broken, or breaks off.
    MalformedGzip,
    /// More than is read of one message, record or file.
    TooLarge,
    /// Wrapped more often than anybody wraps.
    TooDeep,
    /// JSON of a shape that is not known.
    UnknownShape,
    /// A known shape without what it must hold.
    Incomplete,
}
