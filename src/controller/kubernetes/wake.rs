//! Wakes reconcilers from outside of Kubernetes' watches.

use std::sync::Arc;

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Notify;

use crate::api::{AwsAccount, AwsEndpoint, EndpointPolicy};

/// The sending ends. At shutdown nobody listens any more: that is fine.
#[derive(Clone)]
pub struct Wake {
    endpoints: UnboundedSender<ObjectRef<AwsEndpoint>>,
    all_endpoints: UnboundedSender<()>,
    all_drifts: UnboundedSender<()>,
    accounts: UnboundedSender<ObjectRef<AwsAccount>>,
    policies: UnboundedSender<ObjectRef<EndpointPolicy>>,
    all_policies: UnboundedSender<()>,
    exceptions: Arc<Notify>,
}

/// The receiving ends.
pub struct Woken {
    /// Endpoints to look at.
    pub endpoints: UnboundedReceiver<ObjectRef<AwsEndpoint>>,
    /// All endpoints are to be looked at.
    pub all_endpoints: UnboundedReceiver<()>,
    /// All Drifts are to be looked at.
    pub all_drifts: UnboundedReceiver<()>,
    /// Accounts to look at.
    pub accounts: UnboundedReceiver<ObjectRef<AwsAccount>>,
    /// Policies to look at.
    pub policies: UnboundedReceiver<ObjectRef<EndpointPolicy>>,
    /// All policies are to be looked at.
    pub all_policies: UnboundedReceiver<()>,
}

/// Both ends.
pub fn channel() -> (Wake, Woken) {
    let (endpoints, woken_endpoints) = mpsc::unbounded();
    let (all_endpoints, woken_all_endpoints) = mpsc::unbounded();
    let (all_drifts, woken_all_drifts) = mpsc::unbounded();
    let (accounts, woken_accounts) = mpsc::unbounded();
    let (policies, woken_policies) = mpsc::unbounded();
    let (all_policies, woken_all_policies) = mpsc::unbounded();
    (
        Wake {
            endpoints,
            all_endpoints,
            all_drifts,
            accounts,
            policies,
            all_policies,
            exceptions: Arc::default(),
        },
        Woken {
            endpoints: woken_endpoints,
            all_endpoints: woken_all_endpoints,
            all_drifts: woken_all_drifts,
            accounts: woken_accounts,
            policies: woken_policies,
            all_policies: woken_all_policies,
        },
    )
}

impl Wake {
    /// Looks at an endpoint again.
    pub fn endpoint(&self, name: &str) {
        let _ = self.endpoints.unbounded_send(ObjectRef::new(name));
    }

    /// Looks at all endpoints again.
    pub fn endpoints(&self) {
        let _ = self.all_endpoints.unbounded_send(());
    }

    /// Looks at all Drifts again.
    pub fn drifts(&self) {
        let _ = self.all_drifts.unbounded_send(());
    }

    /// Looks at an account again.
    pub fn account(&self, name: &str) {
        let _ = self.accounts.unbounded_send(ObjectRef::new(name));
    }

    /// Looks at a policy again.
    pub fn policy(&self, namespace: &str, name: &str) {
        let _ = self.policies.unbounded_send(ObjectRef::new(name).within(namespace));
    }

    /// Looks at all policies again.
    pub fn policies(&self) {
        let _ = self.all_policies.unbounded_send(());
    }

    /// Answers all exceptions again.
    pub fn exceptions(&self) {
        self.exceptions.notify_one();
    }

    /// Waits until somebody wants them answered.
    pub async fn exceptions_asked(&self) {
        self.exceptions.notified().await;
    }
}
