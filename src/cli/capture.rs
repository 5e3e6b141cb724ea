//! `plumbline capture`: what AWS answers about endpoints, in files that `plumbline test` reads.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use serde_json::Value;

use super::check;
use super::fixture::Fixture;
use super::output::say;
use crate::api::policy::EndpointType;
use crate::aws::Error;
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::read::{self, Depth, ExportCache};
use crate::aws::gate::ReadOnly;
use crate::aws::session::{self, Sessions};
use crate::inventory::sweep;
use crate::judge::snapshot::EndpointId;

/// How many endpoints are read at the same time. The budget is what limits.
const AT_ONCE: usize = 8;

/// Writes fixtures for `plumbline test` from what stands on AWS. Credentials and endpoints come from the standard AWS
/// environment; only reads are made. What may hold a secret is masked.
#[derive(Debug, Args)]
pub struct Capture {
    /// Region to look at; may be repeated
    #[arg(
        long = "region",
        env = "AWS_REGION",
        value_name = "R",
        required = true,
        value_delimiter = ','
    )]
    regions: Vec<String>,
    /// Id of a REST API; may be repeated. Neither this nor --domain: everything there is
    #[arg(long = "api", value_name = "ID")]
    apis: Vec<String>,
    /// A custom domain name; may be repeated
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// Folder to write into, one file an endpoint
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Keep mapping templates as they are; look at them before anybody else does
    #[arg(long)]
    templates: bool,
    /// Share of AWS's request quotas that may be used, or `none` for endpoints that are not AWS
    #[arg(long, default_value = "50%", value_name = "SHARE")]
    budget: String,
}

impl Capture {
    /// Runs: 0 everything was written, 2 something could not be read.
    pub async fn run(self) -> Result<ExitCode, String> {
        let base = session::environment().await;
        let sessions = Sessions::new(&base, "capture", Arc::new(ReadOnly), check::limits(&self.budget));
        let identity = session::caller(&base).await.map_err(|error| error.to_string())?;
        let session = sessions.of(&check::account(&identity, &self.regions, &self.budget)?);
        std::fs::create_dir_all(&self.out).map_err(|error| format!("{}: {error}", self.out.display()))?;
        let (mut written, mut failed) = (0, 0);
        for region in &self.regions {
            let client = session.observer(region);
            let listed = match self.listed(&client, &identity, region).await {
                Ok(listed) => listed,
                Err(error) => {
                    failed += 1;
                    say(&format!("could not be read: {region}: {error}"));
                    continue;
                }
            };
            let (client, capture) = (&client, &self);
            let reads = listed
                .iter()
                .map(|(id, document)| async move { (id, capture.one(client, id, document).await) });
            let mut reads = futures::stream::iter(reads).buffered(AT_ONCE);
            while let Some((id, read)) = reads.next().await {
                match read {
                    Ok(text) => {
                        written += 1;
                        say(&format!("{}", write(&self.out, id, &text)?.display()));
                    }
                    Err(error) => {
                        failed += 1;
                        say(&format!("could not be read: {} {}: {error}", id.region, id.id));
                    }
                }
            }
        }
        say(&format!("{written} fixtures, {failed} that could not be read"));
        Ok(ExitCode::from(if failed == 0 { 0 } else { 2 }))
    }

    /// The endpoints that were asked for, each with its document.
    async fn listed(&self, client: &Client, account_id: &str, region: &str) -> Result<Vec<(EndpointId, Value)>, Error> {
        if self.apis.is_empty() && self.domains.is_empty() {
            let all = sweep::list(client, account_id, region).await?;
            return Ok(all.into_iter().collect());
        }
        let id = |type_, id: &String| EndpointId {
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            type_,
            id: id.clone(),
        };
        let mut listed = Vec::new();
        for api in &self.apis {
            listed.push((id(EndpointType::RestApi, api), client.get_rest_api(api).await?));
        }
        for domain in &self.domains {
            listed.push((
                id(EndpointType::DomainName, domain),
                read::domain_name(client, domain).await?,
            ));
        }
        Ok(listed)
    }

    async fn one(&self, client: &Client, id: &EndpointId, listed: &Value) -> Result<String, String> {
        match id.type_ {
            EndpointType::DomainName => Fixture::of_domain_name(id, listed).text(),
            EndpointType::RestApi => {
                let reading = read::read_api(client, &id.id, Depth::Live, &ExportCache::new())
                    .await
                    .map_err(|error| error.to_string())?;
                Fixture::of_rest_api(id, listed, &reading, self.templates).text()
            }
        }
    }
}

fn write(folder: &Path, id: &EndpointId, text: &str) -> Result<PathBuf, String> {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "-.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = id.id.chars().map(safe).collect();
    let path = folder.join(format!("{}-{}-{name}.yaml", id.region, id.type_.short()));
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
