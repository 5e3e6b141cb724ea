//! The cluster as kubectl would find it.

use clap::Args;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};

use crate::api::Drift;

/// Which cluster, and which namespace of it.
#[derive(Debug, Args)]
pub struct Cluster {
    /// The namespace; without it the one of the kubeconfig's context
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The kubeconfig's context; without it the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// A client, and the namespace that is meant.
pub struct Connected {
    /// With the rights of whoever calls.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Cluster {
    /// Connects.
    pub async fn connect(&self) -> Result<Connected, String> {
        let config = match &self.context {
            Some(context) => {
                let options = KubeConfigOptions {
                    context: Some(context.clone()),
                    ..KubeConfigOptions::default()
                };
                Config::from_kubeconfig(&options)
                    .await
                    .map_err(|error| format!("--context {context}: {error}"))?
            }
            None => Config::infer()
                .await
                .map_err(|error| format!("no kubeconfig: {error}"))?,
        };
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        Ok(Connected { client, namespace })
    }
}

impl Connected {
    /// The namespace's drifts.
    pub fn drifts(&self) -> Api<Drift> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One drift by its name.
    pub async fn drift(&self, name: &str) -> Result<Drift, String> {
        let name = name.trim_start_matches("drift/").trim_start_matches("drifts/");
        self.drifts().get(name).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => format!(
                "namespace {} has no drift {name}: `plumbline drift -n {0}` lists them, -A those of all namespaces",
                self.namespace
            ),
            other => words(&other),
        })
    }

    /// The name by which Kubernetes knows whoever calls.
    pub async fn who(&self) -> Result<String, String> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let review = reviews
            .create(&PostParams::default(), &SelfSubjectReview::default())
            .await
            .map_err(|error| format!("who calls cannot be told: {}", words(&error)))?;
        review
            .status
            .and_then(|status| status.user_info)
            .and_then(|user| user.username)
            .ok_or_else(|| "Kubernetes knows whoever calls by no name".to_owned())
    }
}

/// The API server's own words.
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
