//! Wakes reconcilers from outside of Kubernetes' watches.

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::runtime::reflector::ObjectRef;

use crate::api::{AwsAccount, AwsEndpoint};

/// The sending ends. At shutdown nobody listens any more: that is fine.
#[derive(Clone)]
pub struct Wake {
    endpoints: UnboundedSender<ObjectRef<AwsEndpoint>>,
    all_endpoints: UnboundedSender<()>,
    all_drifts: UnboundedSender<()>,
    accounts: UnboundedSender<ObjectRef<AwsAccount>>,
    policies: UnboundedSender<()>,
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
    /// All policies are to be looked at.
    pub policies: UnboundedReceiver<()>,
}

/// Both ends.
pub fn channel() -> (Wake, Woken) {
    let (endpoints, woken_endpoints) = mpsc::unbounded();
    let (all_endpoints, woken_all_endpoints) = mpsc::unbounded();
    let (all_drifts, woken_all_drifts) = mpsc::unbounded();
    let (accounts, woken_accounts) = mpsc::unbounded();
    let (policies, woken_policies) = mpsc::unbounded();
    (
        Wake {
            endpoints,
            all_endpoints,
            all_drifts,
            accounts,
            policies,
        },
        Woken {
            endpoints: woken_endpoints,
            all_endpoints: woken_all_endpoints,
            all_drifts: woken_all_drifts,
            accounts: woken_accounts,
            policies: woken_policies,
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

    /// Looks at all policies again.
    pub fn policies(&self) {
        let _ = self.policies.unbounded_send(());
    }
}
