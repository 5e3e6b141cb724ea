//! CloudTrail: who did what, within 90 days, and whether a trail records it. Two lookups a second are all that an account
//! and region has, its people's own included: they pass a budget of their own.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::Timestamp;

use super::budget::{Budget, Priority};
use super::{Class, Error};

/// As many events as a page holds.
pub const PAGE: usize = 50;

/// How often a throttled lookup is tried.
const ATTEMPTS: u32 = 5;

/// CloudTrail of one account and region.
#[derive(Clone, Debug)]
pub struct CloudTrail {
    client: Client,
    budget: Arc<Budget>,
    region: String,
}

/// One page of events, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Each as CloudTrail recorded it: JSON.
    pub records: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Whether what is written in a region is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// By a trail.
    By(String),
    /// By none; says why.
    None(String),
}

impl CloudTrail {
    /// With the credentials and endpoints of a configuration.
    pub fn new(config: &SdkConfig, budget: Arc<Budget>, region: &str) -> Self {
        let config = aws_sdk_cloudtrail::config::Builder::from(config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled()) // each attempt passes the budget
            .build();
        CloudTrail {
            client: Client::from_conf(config),
            budget,
            region: region.to_owned(),
        }
    }

    /// Calls of one name since a moment, the newest first.
    pub async fn lookup(&self, event_name: &str, since: Timestamp, page: Option<String>) -> Result<Page, Error> {
        let operation = "LookupEvents";
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(event_name)
            .build()
            .map_err(|error| Error::new(Class::Refused, operation, error.to_string()))?;
        let mut attempt = 1;
        loop {
            self.budget.acquire(operation, Priority::Hint).await;
            let answer = self
                .client
                .lookup_events()
                .lookup_attributes(attribute.clone())
                .start_time(DateTime::from_secs(since.as_second()))
                .max_results(i32::try_from(PAGE).unwrap_or(1))
                .set_next_token(page.clone())
                .send()
                .await;
            match answer {
                Ok(found) => {
                    let events = found.events.unwrap_or_default();
                    return Ok(Page {
                        records: events.into_iter().filter_map(|event| event.cloud_trail_event).collect(),
                        next: found.next_token,
                    });
                }
                Err(error) => {
                    let error = Error::from_sdk(operation, &error);
                    if error.class == Class::Throttled {
                        self.budget.throttled();
                    }
                    if !error.class.is_transient() || attempt == ATTEMPTS {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
            attempt += 1;
        }
    }

    /// Whether some trail records what is written in this region, so that events tell of it.
    pub async fn recording(&self) -> Result<Recording, Error> {
        let trails = self
            .client
            .describe_trails()
            .include_shadow_trails(true)
            .send()
            .await
            .map_err(|error| Error::from_sdk("DescribeTrails", &error))?;
        let mut stopped = None;
        for trail in trails.trail_list() {
            let here = trail.is_multi_region_trail() == Some(true) || trail.home_region() == Some(&self.region);
            let Some(arn) = trail.trail_arn().filter(|_| here) else {
                continue;
            };
            let name = trail.name().unwrap_or(arn);
            let status = self.client.get_trail_status().name(arn).send().await;
            match status.map_err(|error| Error::from_sdk("GetTrailStatus", &error)) {
                Ok(status) if status.is_logging() == Some(true) => return Ok(Recording::By(name.to_owned())),
                Ok(_) => {
                    stopped = Some(format!(
                        "trail {name} is stopped: `aws cloudtrail start-logging --name {arn}`"
                    ));
                }
                // An organisation's trail belongs to another account, which alone may ask for its status.
                Err(_) if trail.is_organization_trail() == Some(true) => return Ok(Recording::By(name.to_owned())),
                Err(error) => return Err(error),
            }
        }
        let region = &self.region;
        Ok(Recording::None(stopped.unwrap_or_else(|| {
            format!("no trail records what is written in {region}: make one for all regions")
        })))
    }
}
