//! `plumbline run`: the controller.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use kube::core::Selector;
use tokio::sync::watch;

use crate::aws::session::Limits;
use crate::controller::{self, Options, Spans};
use crate::ops::metrics::Metrics;

/// Runs the controller.
#[derive(Debug, Args)]
pub struct Run {
    /// The namespace that holds the leases: the controller's own
    #[arg(long, env = "POD_NAMESPACE", default_value = "plumbline-system")]
    namespace: String,
    /// Who holds the leases: the pod's name, different for each replica
    #[arg(long, env = "POD_NAME", default_value = "plumbline")]
    identity: String,
    /// Stands in the names of AWS sessions, so that two clusters can be told apart
    #[arg(long, env = "PLUMBLINE_CLUSTER_ID", default_value = "cluster")]
    cluster_id: String,
    /// Act only for AwsAccounts with these labels, as in team=payments,tier=prod; without it for all
    #[arg(long, value_name = "KEY=VALUE", value_parser = labels, default_value = "")]
    account_selector: Selector,
    /// Find drift and tell of it, and change nothing anywhere
    #[arg(long, env = "PLUMBLINE_SUSPEND")]
    suspend: bool,
    /// The ValidatingAdmissionPolicy that checks who approves, and its binding of the same name; without it no approval is taken
    #[arg(long, value_name = "NAME")]
    approval_policy: Option<String>,
    /// How long a Drift stays once it is over and every sink has it, as in 168h; a day at least
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "168h")]
    ttl_after_resolved: SignedDuration,
    /// How long a deleted Drift is held whose repair cannot be brought to an end, as in 10m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    give_up_after: SignedDuration,
    /// After so long CloudTrail shows every call, as in 15m: who did something is looked for until then
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15m")]
    trail_delay: SignedDuration,
    /// After so long a queue has told of every call, as in 5m: what it has not told of by then is an event gap
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    stream_delay: SignedDuration,
    /// Where /healthz, /readyz and /metrics are served
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Which request budget holds
    #[arg(long, value_enum, default_value_t = Budget::Accounts)]
    budget: Budget,
}

/// Which request budget holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Budget {
    /// Each account's own share of AWS's request quotas
    Accounts,
    /// None, for endpoints that are not AWS
    None,
}

impl Run {
    /// Runs until the process is asked to end.
    pub async fn run(self) -> Result<ExitCode, String> {
        let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init();
        let client = kube::Client::try_default()
            .await
            .map_err(|error| format!("no access to Kubernetes: {error}"))?;
        let (ready, is_ready) = watch::channel(false);
        let (stop, stopping) = watch::channel(false);
        let listener = tokio::net::TcpListener::bind(self.listen)
            .await
            .map_err(|error| format!("--listen {}: {error}: name another address", self.listen))?;
        let address = listener.local_addr().map_or(self.listen, |address| address);
        let metrics = Arc::new(Metrics::default());
        let served = served(is_ready, metrics.clone());
        tokio::spawn(async move { axum::serve(listener, served).await });
        tokio::spawn(async move {
            asked_to_end().await;
            tracing::info!("ending");
            let _ = stop.send(true);
        });
        let options = Options {
            namespace: self.namespace,
            identity: self.identity,
            cluster_id: self.cluster_id,
            accounts: self.account_selector,
            suspend: self.suspend,
            approval_policy: self.approval_policy,
            spans: Spans {
                ttl_after_resolved: self.ttl_after_resolved,
                give_up_after: self.give_up_after,
                trail_delay: self.trail_delay,
                stream_delay: self.stream_delay,
            },
            limits: match self.budget {
                Budget::Accounts => Limits::Quotas,
                Budget::None => Limits::None,
            },
        };
        tracing::info!(namespace = %options.namespace, identity = %options.identity, %address, "running");
        controller::run(client, options, metrics, stopping, ready).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(span) if span.is_positive() => Ok(span),
        _ => Err("write a duration such as 90s, 10m or 168h".to_owned()),
    }
}

/// Labels as `key=value`, several with commas between them.
pub fn labels(text: &str) -> Result<Selector, String> {
    let pairs = text
        .split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(format!("`{pair}`: write key=value, several with commas between them")),
        });
    pairs.collect()
}

fn served(ready: watch::Receiver<bool>, metrics: Arc<Metrics>) -> Router {
    let answer = |State(ready): State<watch::Receiver<bool>>| async move {
        if *ready.borrow() {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "filling caches")
        }
    };
    let text = [(
        CONTENT_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )];
    Router::new()
        .route("/healthz", get(|| async { "alive" }))
        .route("/readyz", get(answer))
        .with_state(ready)
        .route("/metrics", get(move || async move { (text, metrics.text()) }))
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => futures::future::pending().await,
    }
}
