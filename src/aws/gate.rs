//! The one gate to AWS: every attempt of every call passes here, the SDK's retries included.
//!
//! In this order: the budget, the fence (for whatever is not a read), the connection below. The fence stands right before
//! the sending, and the attempt's timeout starts there too: time spent waiting for the budget is no part of either. So
//! whoever may write now is known to be done with it after [`ATTEMPT_TIMEOUT`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;

use super::budget::{Budget, Priority};
use super::error::Class;

/// How long one attempt may take, from the fence to the last byte of the answer. Shorter than the lease's margin.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests are signed before they wait for the budget, and AWS takes a signature for five minutes.
const PATIENCE: Duration = Duration::from_mins(4);

/// Says whether this replica acts for an account.
pub trait Fence: Send + Sync {
    /// Asked right before each attempt of a write.
    fn may_write(&self, account_id: &str) -> bool;
}

/// The fence of those who only look.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOnly;

impl Fence for ReadOnly {
    fn may_write(&self, _: &str) -> bool {
        false
    }
}

/// How often each operation was sent to AWS, attempt by attempt.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    /// As of now, by operation.
    pub fn by_operation(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, operation: &'static str) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(operation)
            .or_default() += 1;
    }
}

/// Goes with a request to tell the gate what it is.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// AWS's name of the operation.
    pub operation: &'static str,
    /// Who asks.
    pub priority: Priority,
}

/// Why the gate did not bring an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Not sent: the fence.
    #[error("not sent: this replica does not act for the account")]
    Fenced,
    /// Not sent: the budget.
    #[error("not sent: the request budget was used up for four minutes")]
    Budget,
    /// Sent, and no whole answer came in time.
    #[error("no complete answer within 10 s")]
    Late,
    /// The answer broke off.
    #[error("the answer broke off before its end")]
    Cut,
}

impl Stopped {
    /// What follows from it.
    pub fn class(self) -> Class {
        match self {
            Stopped::Fenced => Class::Fenced,
            Stopped::Budget => Class::Throttled,
            Stopped::Late => Class::Unavailable,
            Stopped::Cut => Class::Malformed,
        }
    }

    /// As the SDK knows it: what was never sent is not retried.
    fn into_connector_error(self) -> ConnectorError {
        match self {
            Stopped::Fenced | Stopped::Budget => ConnectorError::other(self.into(), None),
            Stopped::Late => ConnectorError::timeout(self.into()),
            Stopped::Cut => ConnectorError::io(self.into()),
        }
    }
}

/// The gate of one account, region and service.
#[derive(Clone)]
pub struct Gate {
    below: SharedHttpClient,
    shared: Arc<Shared>,
}

struct Shared {
    account_id: String,
    budget: Arc<Budget>,
    fence: Arc<dyn Fence>,
    counts: Arc<Counts>,
}

impl Gate {
    /// A gate above a connection.
    pub fn new(
        below: SharedHttpClient,
        account_id: impl Into<String>,
        budget: Arc<Budget>,
        fence: Arc<dyn Fence>,
        counts: Arc<Counts>,
    ) -> Self {
        Gate {
            below,
            shared: Arc::new(Shared {
                account_id: account_id.into(),
                budget,
                fence,
                counts,
            }),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("account_id", &self.shared.account_id)
            .finish_non_exhaustive()
    }
}

impl HttpClient for Gate {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Gated {
            below: self.below.http_connector(settings, components),
            shared: self.shared.clone(),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.below.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.below.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.below.connector_metadata()
    }
}

/// One connection with the gate before it.
struct Gated {
    below: SharedHttpConnector,
    shared: Arc<Shared>,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated").finish_non_exhaustive()
    }
}

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (below, shared) = (self.below.clone(), self.shared.clone());
        HttpConnectorFuture::new(async move { attempt(&below, &shared, request).await })
    }
}

async fn attempt(
    below: &SharedHttpConnector,
    shared: &Shared,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let ticket = request.extension::<Ticket>().copied().unwrap_or(Ticket {
        operation: "unknown",
        priority: Priority::Sweep,
    });
    tokio::time::timeout(PATIENCE, shared.budget.acquire(ticket.operation, ticket.priority))
        .await
        .map_err(|_| Stopped::Budget.into_connector_error())?;
    if request.method() != "GET" && !shared.fence.may_write(&shared.account_id) {
        return Err(Stopped::Fenced.into_connector_error());
    }
    shared.counts.add(ticket.operation);
    let response = tokio::time::timeout(ATTEMPT_TIMEOUT, whole_answer(below, request))
        .await
        .map_err(|_| Stopped::Late.into_connector_error())??;
    if is_throttled(&response) {
        shared.budget.throttled();
    }
    Ok(response)
}

/// With its body in memory: an answer that breaks off is none, and the timeout covers the body too.
async fn whole_answer(below: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let mut response = below.call(request).await?;
    let body = ByteStream::new(response.take_body())
        .collect()
        .await
        .map_err(|_| Stopped::Cut.into_connector_error())?;
    *response.body_mut() = SdkBody::from(body.into_bytes());
    Ok(response)
}

fn is_throttled(response: &HttpResponse) -> bool {
    response.status().as_u16() == 429
        || (response.status().as_u16() == 400
            && response
                .headers()
                .get("x-amzn-errortype")
                .is_some_and(|type_| type_.starts_with("Throttl") || type_.starts_with("TooManyRequests")))
}
