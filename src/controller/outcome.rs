//! How a reconcile ends: one place that turns failures into the next attempt.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::controller::Action;

use crate::api::condition;
use crate::controller::context::Context;
use crate::controller::kubernetes::status;

/// Why a reconcile did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Kubernetes did not take a write.
    #[error(transparent)]
    Kubernetes(#[from] status::Error),
}

/// When to try again.
pub fn retry<K>(_: Arc<K>, failure: &Failure, _: Arc<Context>) -> Action {
    let Failure::Kubernetes(error) = failure;
    match error {
        // The watch brings the newer object within moments.
        status::Error::Conflict => Action::requeue(Duration::from_millis(200)),
        status::Error::Gone => Action::await_change(),
        status::Error::Refused(_) => {
            tracing::warn!(%error, "refused by Kubernetes");
            Action::requeue(Duration::from_secs(30))
        }
        status::Error::Unavailable(_) => {
            tracing::warn!(%error, "Kubernetes did not answer");
            Action::requeue(Duration::from_secs(3))
        }
    }
}

/// How long to wait after trouble that has lasted since the condition turned: a fifth of that, from 5 s to 5 min.
pub fn attempts(conditions: Option<&[Condition]>, now: Timestamp) -> Duration {
    let since = conditions
        .and_then(|c| condition::find(c, "Ready"))
        .filter(|c| c.status != "True")
        .map_or(0, |c| now.as_second() - c.last_transition_time.0.as_second());
    Duration::from_secs(u64::try_from(since / 5).unwrap_or(0).clamp(5, 300))
}
