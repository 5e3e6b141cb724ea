//! `plumbline release-finalizers`: what the chart runs when it is uninstalled.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{Selector, SelectorExt};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::api::drift::FINALIZER;
use crate::api::{AwsAccount, Drift};

/// Lets go of every Drift that is held for a repair under way, so that it can be deleted without a controller.
#[derive(Debug, Args)]
pub struct Release {
    /// Only Drifts of AwsAccounts with these labels, and those whose account is gone; as the controller was started with
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::run::labels, default_value = "")]
    account_selector: Selector,
}

/// Somebody may write a Drift at the same moment: looked at again so often.
const ROUNDS: usize = 30;

impl Release {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        let client = Client::try_default()
            .await
            .map_err(|error| format!("no access to Kubernetes: {error}"))?;
        // Whatever version wrote them: only metadata and names matter here.
        let accounts = ApiResource::erase::<AwsAccount>(&());
        let accounts = list(&Api::all_with(client.clone(), &accounts)).await?;
        let labels: BTreeMap<&str, &BTreeMap<String, String>> = accounts
            .iter()
            .filter_map(|account| Some((account.data.get("spec")?.get("accountId")?.as_str()?, account.labels())))
            .collect();
        let mine = |drift: &&DynamicObject| {
            drift.finalizers().iter().any(|f| f == FINALIZER)
                && account_id(drift).is_none_or(|id| labels.get(id).is_none_or(|l| self.account_selector.matches(l)))
        };
        let kind = ApiResource::erase::<Drift>(&());
        let mut released = 0;
        for _ in 0..ROUNDS {
            let drifts = list(&Api::all_with(client.clone(), &kind)).await?;
            let held: Vec<&DynamicObject> = drifts.iter().filter(mine).collect();
            if held.is_empty() {
                println!("{released} Drifts are let go");
                return Ok(ExitCode::SUCCESS);
            }
            for drift in held {
                released += usize::from(release(&client, &kind, drift).await?);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err("some Drifts are held again and again: is a controller still running?".into())
    }
}

/// The account of a Drift stands in its endpoint's name.
fn account_id(drift: &DynamicObject) -> Option<&str> {
    let endpoint = drift.data.get("spec")?.get("endpoint")?.as_str()?;
    endpoint.split('-').next()
}

async fn list(api: &Api<DynamicObject>) -> Result<Vec<DynamicObject>, String> {
    let mut params = ListParams::default().limit(500);
    let mut all = Vec::new();
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            // The definitions may go with the release.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(all),
            Err(error) => return Err(error.to_string()),
        };
        all.extend(page.items);
        match page.metadata.continue_ {
            Some(next) if !next.is_empty() => params = params.continue_token(&next),
            _ => return Ok(all),
        }
    }
}

/// False: it changed meanwhile, or is gone.
async fn release(client: &Client, kind: &ApiResource, drift: &DynamicObject) -> Result<bool, String> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &drift.namespace().unwrap_or_default(), kind);
    let others: Vec<&String> = drift.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let patch = json!({"metadata": {"resourceVersion": drift.resource_version(), "finalizers": others}});
    match api
        .patch(&drift.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
        Err(error) => Err(format!("Drift {}: {error}", drift.name_any())),
    }
}
