//! `plumbline exempt`: an exception made from a drift.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::cluster::{Cluster, words};
use crate::api::exception::{EndpointExceptionSpec, ExemptEndpoints};
use crate::api::{AwsEndpoint, EndpointException};

/// Exempts a drift's endpoint from its rule until a date.
#[derive(Debug, Args)]
pub struct Exempt {
    #[command(flatten)]
    cluster: Cluster,
    /// The drift's name
    drift: String,
    /// From when on the rule counts again: a date (its beginning, in UTC) or a time, as in 2027-01-31 or 2027-01-31T18:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Timestamp,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Exempt {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        let connected = self.cluster.connect().await?;
        let drift = connected.drift(&self.drift).await?;
        let endpoints: Api<AwsEndpoint> = Api::all(connected.client.clone());
        let endpoint = endpoints
            .get(&drift.spec.endpoint)
            .await
            .map_err(|error| words(&error))?;
        let exception = EndpointException::new(
            &drift.name_any(),
            EndpointExceptionSpec {
                policy: drift.spec.policy.clone(),
                rules: vec![drift.spec.rule.clone()],
                endpoints: ExemptEndpoints {
                    ids: vec![endpoint.spec.id],
                    ..ExemptEndpoints::default()
                },
                reason: self.reason,
                expires_at: Time(self.until),
            },
        );
        let exceptions: Api<EndpointException> = Api::namespaced(connected.client.clone(), &connected.namespace);
        exceptions
            .create(&PostParams::default(), &exception)
            .await
            .map_err(|error| words(&error))?;
        println!(
            "endpointexception.plumbline.dev/{}: rule {} does not count for {} until {}",
            drift.name_any(),
            drift.spec.rule,
            drift.spec.endpoint,
            self.until
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no time: write 2027-01-31 or 2027-01-31T18:00:00Z");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    let begins = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    Ok(begins.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_date_or_a_time_and_anything_else_says_what_to_write() {
        assert_eq!(moment("2027-01-31").unwrap().to_string(), "2027-01-31T00:00:00Z");
        assert_eq!(
            moment("2027-01-31T18:00:00+01:00").unwrap().to_string(),
            "2027-01-31T17:00:00Z"
        );
        assert!(moment("soon").unwrap_err().contains("2027-01-31"));
    }
}
