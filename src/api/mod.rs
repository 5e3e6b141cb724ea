//! The five kinds of `plumbline.dev/v1alpha1`, their conditions and phases: the words that every other room speaks.
//!
//! Nothing here does anything: no I/O, no clock, no decision.

pub mod account;
pub mod condition;
pub mod drift;
pub mod endpoint;
pub mod exception;
pub mod policy;
mod schema;

pub use account::AwsAccount;
pub use condition::{Reason, Status};
pub use drift::Drift;
pub use endpoint::AwsEndpoint;
pub use exception::EndpointException;
pub use policy::EndpointPolicy;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// Set on an object by a person who wants it looked at now; answered by `status.lastHandledReconcileAt`.
pub const REQUESTED_AT: &str = "plumbline.dev/requestedAt";

/// What a notification of a Drift calls itself. A field may be added to it; one that changes its meaning makes a `v2`.
pub const DRIFT_EVENT: &str = "plumbline.dev/drift-event/v1";

/// CloudFormation type name of a REST API.
pub const REST_API: &str = "AWS::ApiGateway::RestApi";
/// CloudFormation type name of a REST API's stage.
pub const STAGE: &str = "AWS::ApiGateway::Stage";
/// CloudFormation type name of a REST API's method, with its integration.
pub const METHOD: &str = "AWS::ApiGateway::Method";
/// CloudFormation type name of a custom domain name.
pub const DOMAIN_NAME: &str = "AWS::ApiGateway::DomainName";

/// The custom resource definitions, in the order in which they are written to `crds/`.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        schema::finish(AwsAccount::crd()),
        schema::finish(AwsEndpoint::crd()),
        schema::finish(Drift::crd()),
        schema::finish(EndpointException::crd()),
        schema::finish(EndpointPolicy::crd()),
    ]
}
