//! Wakes reconcilers from outside of Kubernetes' watches.

use futures::Stream;
use futures::channel::mpsc;
use kube::runtime::reflector::ObjectRef;

use crate::api::{AwsAccount, AwsEndpoint};

/// The sending ends.
#[derive(Clone)]
pub struct Wake {
    endpoints: mpsc::UnboundedSender<ObjectRef<AwsEndpoint>>,
    accounts: mpsc::UnboundedSender<ObjectRef<AwsAccount>>,
    policies: mpsc::UnboundedSender<()>,
}

/// The receiving ends.
pub struct Woken {
    /// Endpoints to look at.
    pub endpoints: mpsc::UnboundedReceiver<ObjectRef<AwsEndpoint>>,
    /// Accounts to look at.
    pub accounts: mpsc::UnboundedReceiver<ObjectRef<AwsAccount>>,
    /// All policies are to be looked at.
    pub policies: mpsc::UnboundedReceiver<()>,
}

/// Both ends.
pub fn channel() -> (Wake, Woken) {
    let (endpoints, woken_endpoints) = mpsc::unbounded();
    let (accounts, woken_accounts) = mpsc::unbounded();
    let (policies, woken_policies) = mpsc::unbounded();
    (
        Wake { endpoints, accounts, policies },
        Woken { endpoints: woken_endpoints, accounts: woken_accounts, policies: woken_policies },
    )
}

impl Wake {
    /// Looks at an endpoint again. Nobody listens any more at shutdown: that is fine.
    pub fn endpoint(&self, name: &str) {
        let _ = self.endpoints.unbounded_send(ObjectRef::new(name));
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

/// A stream that says nothing about what woke it.
pub fn any<T>(stream: impl Stream<Item = T>) -> impl Stream<Item = ()> {
    futures::StreamExt::map(stream, |_| ())
}
