//! The shared control plane, with the chart installed once.

use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Stdio;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use plumbline::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::until;

/// Where the chart is installed.
pub const SYSTEM: &str = "plumbline-system";

static INSTALLED: OnceCell<()> = OnceCell::const_new();

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts Kubernetes and moto"))
}

/// A client that may do anything, and the chart in place.
pub async fn admin() -> Client {
    plumbline_crypto();
    INSTALLED.get_or_init(install).await;
    client().await
}

fn plumbline_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

async fn client() -> Client {
    let file = Kubeconfig::read_from(variable("KUBECONFIG")).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

async fn install() {
    let chart = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("charts/plumbline");
    let helm = Command::new("helm")
        .args(["upgrade", "--install", "plumbline"])
        .arg(chart)
        .args(["--namespace", SYSTEM, "--create-namespace", "--take-ownership"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(helm.status.success(), "helm: {}", String::from_utf8_lossy(&helm.stderr));
    // Helm does not wait for kinds that a chart brings as templates, and a kind is served a moment after it is established.
    let client = client().await;
    served::<AwsAccount>(&client).await;
    served::<AwsEndpoint>(&client).await;
    served::<Drift>(&client).await;
    served::<EndpointException>(&client).await;
    served::<EndpointPolicy>(&client).await;
}

async fn served<K>(client: &Client)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let all: Api<K> = Api::all(client.clone());
    let one = ListParams::default().limit(1);
    until(&format!("{} are served", K::plural(&())), || async {
        all.list_metadata(&one).await.is_ok().then_some(())
    })
    .await;
}

/// Makes a namespace.
pub async fn namespace(client: &Client, name: &str) {
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
}

/// A kubeconfig that holds the controller's ServiceAccount token and nothing more.
pub async fn controller_kubeconfig(client: &Client, path: &std::path::Path) {
    kubeconfig_of(client, SYSTEM, "plumbline", path).await;
}

/// A kubeconfig that holds a ServiceAccount's token and nothing more.
pub async fn kubeconfig_of(client: &Client, namespace: &str, account: &str, path: &std::path::Path) {
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(7200),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let issued = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .unwrap();
    let mut file = Kubeconfig::read_from(variable("KUBECONFIG")).unwrap();
    for user in &mut file.auth_infos {
        user.auth_info = Some(serde_json::from_value(json!({"token": issued.status.as_ref().unwrap().token})).unwrap());
    }
    std::fs::write(path, serde_json::to_string(&file).unwrap()).unwrap();
}

/// moto's address.
pub fn moto() -> String {
    variable("PLUMBLINE_MOTO")
}

/// The Python that runs the lab.
pub fn python() -> String {
    variable("PLUMBLINE_PYTHON")
}
