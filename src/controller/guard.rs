//! Are approvals to be believed? Only while Kubernetes checks who writes them.

use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{Api, Client};
use tokio::sync::Mutex;

use crate::controller::kubernetes::status;

/// An answer is believed for so long.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// The chart's `ValidatingAdmissionPolicy` and its binding, which have the same name.
pub struct Guard {
    name: Option<String>,
    seen: Mutex<Option<(Instant, bool)>>,
}

impl Guard {
    /// By name; without one, nothing checks approvals.
    pub fn new(name: Option<String>) -> Self {
        Guard {
            name,
            seen: Mutex::default(),
        }
    }

    /// Whether both stand and deny what they do not allow. What cannot be read does not stand.
    pub async fn stands(&self, client: &Client) -> bool {
        let Some(name) = &self.name else { return false };
        let mut seen = self.seen.lock().await;
        if let Some((at, stands)) = *seen
            && at.elapsed() < GOOD_FOR
        {
            return stands;
        }
        let stands = in_place(client, name).await;
        *seen = Some((Instant::now(), stands));
        stands
    }
}

async fn in_place(client: &Client, name: &str) -> bool {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let (policy, binding) =
        match futures::join!(status::bounded(policies.get(name)), status::bounded(bindings.get(name))) {
            (Ok(policy), Ok(binding)) => (policy, binding),
            (policy, binding) => {
                let why = policy.err().or(binding.err()).map(|error| error.to_string());
                tracing::warn!(name, why, "approvals are not taken: what checks them cannot be read");
                return false;
            }
        };
    let fails_closed = policy
        .spec
        .is_some_and(|spec| spec.failure_policy.is_none_or(|policy| policy == "Fail"));
    let denies = binding.spec.is_some_and(|spec| {
        spec.policy_name.as_deref() == Some(name)
            && spec.match_resources.is_none()
            && spec
                .validation_actions
                .is_some_and(|actions| actions.iter().any(|a| a == "Deny"))
    });
    fails_closed && denies
}
