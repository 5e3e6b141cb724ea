//! `plumbline suspend` and `resume`: the kill switches of a policy and of an account.

use std::fmt::Debug;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::cluster::{Cluster, Connected, words};
use crate::api::{AwsAccount, EndpointPolicy};

/// Stops repairs of a policy, or in an account. Drift is still found and told.
#[derive(Debug, Args)]
pub struct Suspend {
    #[command(flatten)]
    what: What,
}

/// Lets repairs go on.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct What {
    #[command(flatten)]
    cluster: Cluster,
    /// What is meant
    #[arg(value_enum)]
    kind: Kind,
    /// Its name
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An EndpointPolicy of the namespace
    Policy,
    /// An AwsAccount
    Account,
}

impl Suspend {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.what.set(true).await
    }
}

impl Resume {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.what.set(false).await
    }
}

impl What {
    async fn set(&self, suspend: bool) -> Result<ExitCode, String> {
        let connected = self.cluster.connect().await?;
        let Connected { client, namespace } = &connected;
        let name = &self.name;
        let done = match self.kind {
            Kind::Policy => patch::<EndpointPolicy>(Api::namespaced(client.clone(), namespace), name, suspend).await,
            Kind::Account => patch::<AwsAccount>(Api::all(client.clone()), name, suspend).await,
        };
        done?;
        println!(
            "{}: {}",
            self.name,
            if suspend {
                "suspended; nothing is changed"
            } else {
                "repairs go on"
            }
        );
        Ok(ExitCode::SUCCESS)
    }
}

async fn patch<K>(api: Api<K>, name: &str, suspend: bool) -> Result<(), String>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let spec = Patch::Merge(json!({"spec": {"suspend": suspend}}));
    let patched = api.patch(name, &PatchParams::default(), &spec).await;
    patched.map(|_| ()).map_err(|error| words(&error))
}
