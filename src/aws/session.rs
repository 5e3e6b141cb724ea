//! Sessions: whose credentials, which endpoints, one gate and one budget for an account and region.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use tokio::sync::OnceCell;

use super::apigateway::Client;
use super::budget::Budget;
use super::cloudtrail::CloudTrail;
use super::gate::{ATTEMPT_TIMEOUT, Counts, Fence, Gate, ReadOnly};
use super::{Class, Error};
use crate::api::account::{AwsAccountSpec, Role, Roles};

/// Where the pod's own configuration names no region and the account none either.
const FALLBACK_REGION: &str = "us-east-1";

/// Whether request budgets apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// The account's share of AWS's quotas.
    Quotas,
    /// None: for endpoints that are not AWS.
    None,
}

/// Sessions of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    base: SdkConfig,
    below: SharedHttpClient,
    cluster_id: String,
    fence: Arc<dyn Fence>,
    limits: Limits,
    counts: Arc<Counts>,
    budgets: Mutex<HashMap<(String, String, Service), Arc<Budget>>>,
    cached: Mutex<HashMap<String, Arc<Session>>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("cluster_id", &self.0.cluster_id)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// The pod's own configuration: credentials, region and endpoints by the standard variables and files.
pub async fn environment() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(connections())
        .load()
        .await
}

/// Connections over TLS, shared by whoever holds a clone.
pub fn connections() -> SharedHttpClient {
    use aws_smithy_http_client::{Builder, tls};
    Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build_https()
}

/// The account that the environment's credentials belong to.
///
/// # Errors
/// AWS's own words.
pub async fn caller(base: &SdkConfig) -> Result<String, Error> {
    let operation = "GetCallerIdentity";
    let region = base.region().cloned().unwrap_or_else(|| Region::new(FALLBACK_REGION));
    let sts = aws_sdk_sts::Client::new(&base.to_builder().region(region).build());
    let identity = sts
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| Error::from_sdk(operation, &error))?;
    identity
        .account()
        .map(str::to_owned)
        .ok_or_else(|| Error::new(Class::Malformed, operation, "no account in the answer"))
}

impl Sessions {
    /// On top of a configuration as [`environment`] loads it, which brings credentials, endpoints and the HTTP client to use.
    pub fn new(base: &SdkConfig, cluster_id: impl Into<String>, fence: Arc<dyn Fence>, limits: Limits) -> Self {
        let below = base.http_client().unwrap_or_else(connections);
        let base = base
            .to_builder()
            .http_client(below.clone())
            // One cache for all clients: a role is assumed once, not once a region.
            .identity_cache(IdentityCache::lazy().build())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .build(),
            )
            .build();
        Sessions(Arc::new(Shared {
            base,
            below,
            cluster_id: cluster_id.into(),
            fence,
            limits,
            counts: Arc::default(),
            budgets: Mutex::default(),
            cached: Mutex::default(),
        }))
    }

    /// Calls so far, by operation, of all accounts.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.0.counts
    }

    /// The session of an account. A new one when the account's roles have changed.
    pub fn of(&self, spec: &AwsAccountSpec) -> Arc<Session> {
        let roles = spec.roles.clone().unwrap_or_default();
        for ((account_id, ..), budget) in lock(&self.0.budgets).iter() {
            if *account_id == spec.account_id {
                budget.set_share(spec.budget.fraction());
            }
        }
        let mut cached = lock(&self.0.cached);
        if let Some(session) = cached.get(&spec.account_id)
            && session.roles == roles
            && session.share.to_bits() == spec.budget.fraction().to_bits()
        {
            return session.clone();
        }
        let session = Arc::new(Session {
            account_id: spec.account_id.clone(),
            home: self
                .0
                .base
                .region()
                .cloned()
                .or_else(|| spec.regions.first().cloned().map(Region::new))
                .unwrap_or(Region::from_static(FALLBACK_REGION)),
            share: spec.budget.fraction(),
            roles,
            shared: self.0.clone(),
            observe: OnceLock::new(),
            repair: OnceLock::new(),
            clients: Mutex::default(),
            identities: Mutex::default(),
        });
        cached.insert(spec.account_id.clone(), session.clone());
        session
    }

    /// Forgets an account.
    pub fn forget(&self, account_id: &str) {
        lock(&self.0.cached).remove(account_id);
    }
}

impl Shared {
    /// Shared by every session that an account ever has: AWS counts by account, not by role.
    fn budget(&self, account_id: &str, region: &str, service: Service, share: f64) -> Arc<Budget> {
        lock(&self.budgets)
            .entry((account_id.to_owned(), region.to_owned(), service))
            .or_insert_with(|| {
                Arc::new(match (self.limits, service) {
                    (Limits::None, _) => Budget::unlimited(),
                    (Limits::Quotas, Service::ApiGateway) => Budget::api_gateway(share),
                    (Limits::Quotas, Service::CloudTrail) => Budget::cloud_trail(share),
                })
            })
            .clone()
    }

    /// The trail of events shows it with every call. AWS takes 64 of some characters.
    fn session_name(&self) -> String {
        format!("plumbline-{}", self.cluster_id)
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "_=,.@-".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .take(64)
            .collect()
    }
}

/// A service with a quota of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Service {
    ApiGateway,
    CloudTrail,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    Observe,
    Repair,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Observe => "observe",
            Purpose::Repair => "repair",
        }
    }
}

/// The credentials of one account, and the clients that use them.
pub struct Session {
    account_id: String,
    home: Region,
    share: f64,
    roles: Roles,
    shared: Arc<Shared>,
    observe: OnceLock<SdkConfig>,
    repair: OnceLock<SdkConfig>,
    clients: Mutex<HashMap<(Purpose, String), Client>>,
    /// Whom STS says that the credentials are.
    identities: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("account_id", &self.account_id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Twelve digits.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// API Gateway to look at: a write is refused by the gate, whatever the credentials could do.
    pub fn observer(&self, region: &str) -> Client {
        self.client(Purpose::Observe, region)
    }

    /// API Gateway to repair: each attempt of a write passes the fence.
    pub fn repairer(&self, region: &str) -> Client {
        self.client(Purpose::Repair, region)
    }

    /// The repair role's configuration in a region, for what leaves: S3, SNS. It passes no gate.
    pub fn outbound(&self, region: &str) -> SdkConfig {
        let config = self.config(Purpose::Repair);
        config.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// The observe role's configuration in a region, for what comes in: SQS, files of a trail. It passes no gate.
    pub fn inbound(&self, region: &str) -> SdkConfig {
        let config = self.config(Purpose::Observe);
        config.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// CloudTrail of a region, with the observe role.
    pub fn trail(&self, region: &str) -> CloudTrail {
        let budget = self
            .shared
            .budget(&self.account_id, region, Service::CloudTrail, self.share);
        CloudTrail::new(self.config(Purpose::Observe), budget, region)
    }

    /// ARNs by which a trail shows Plumbline's own calls: of its roles, or of the pod's own identity once that is known.
    pub fn own_arns(&self) -> Vec<String> {
        let roles = [&self.roles.observe, &self.roles.repair];
        let roles = roles.into_iter().flatten().map(|role| role.arn.clone());
        roles.chain(lock(&self.identities).iter().cloned()).collect()
    }

    /// Whether both roles' credentials belong to the account.
    pub async fn identify(&self) -> Result<(), Error> {
        self.identify_as(Purpose::Observe).await?;
        if self.roles.repair != self.roles.observe {
            self.identify_as(Purpose::Repair).await?;
        }
        Ok(())
    }

    async fn identify_as(&self, purpose: Purpose) -> Result<(), Error> {
        let operation = "GetCallerIdentity";
        let sts = aws_sdk_sts::Client::new(self.config(purpose));
        let identity = sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| Error::from_sdk(operation, &error))?;
        lock(&self.identities).extend(identity.arn().map(str::to_owned));
        let account = identity.account().unwrap_or("unknown");
        if account == self.account_id {
            return Ok(());
        }
        let message = format!(
            "the credentials to {} with belong to account {account} ({}), not to {}",
            purpose.as_str(),
            identity.arn().unwrap_or("unknown"),
            self.account_id
        );
        Err(Error::new(Class::NoCredentials, operation, message))
    }

    fn client(&self, purpose: Purpose, region: &str) -> Client {
        let key = (purpose, region.to_owned());
        if let Some(client) = lock(&self.clients).get(&key) {
            return client.clone();
        }
        let fence: Arc<dyn Fence> = match purpose {
            Purpose::Observe => Arc::new(ReadOnly),
            Purpose::Repair => self.shared.fence.clone(),
        };
        let gate = Gate::new(
            self.shared.below.clone(),
            self.account_id.clone(),
            self.shared
                .budget(&self.account_id, region, Service::ApiGateway, self.share),
            fence,
            self.shared.counts.clone(),
        );
        let client = Client::new(self.config(purpose), gate, &self.account_id, region);
        lock(&self.clients).entry(key).or_insert(client).clone()
    }

    fn config(&self, purpose: Purpose) -> &SdkConfig {
        let (cell, role) = match purpose {
            Purpose::Observe => (&self.observe, self.roles.observe.as_ref()),
            Purpose::Repair => (&self.repair, self.roles.repair.as_ref()),
        };
        cell.get_or_init(|| self.with_role(role))
    }

    /// The role's credentials, which renew themselves; the pod's own without a role.
    fn with_role(&self, role: Option<&Role>) -> SdkConfig {
        let base = self.shared.base.to_builder().region(self.home.clone()).build();
        let Some(role) = role else { return base };
        let assumed = Assumed {
            role: role.clone(),
            session_name: self.shared.session_name(),
            base: base.clone(),
            provider: OnceCell::new(),
        };
        base.to_builder()
            .credentials_provider(SharedCredentialsProvider::new(assumed))
            .build()
    }
}

/// A role's credentials. The provider below is made by an async function, so it is made when first asked.
#[derive(Debug)]
struct Assumed {
    role: Role,
    session_name: String,
    base: SdkConfig,
    provider: OnceCell<AssumeRoleProvider>,
}

impl Assumed {
    async fn provider(&self) -> AssumeRoleProvider {
        let mut builder = AssumeRoleProvider::builder(&self.role.arn)
            .session_name(&self.session_name)
            .configure(&self.base);
        if let Some(external_id) = &self.role.external_id {
            builder = builder.external_id(external_id);
        }
        builder.build().await
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let provider = self.provider.get_or_init(|| self.provider()).await;
            provider.provide_credentials().await
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
