//! The trail of an account: whether what is recorded is delivered, and from where.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json;
use crate::calls::Call;
use crate::error::AwsError;
use crate::request::{self, Answered};
use crate::sim::{Awsim, State};

/// The trail of an account. The event history goes on without one; nothing is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trail {
    /// Whether there is one.
    pub exists: bool,
    /// Whether it logs.
    pub logging: bool,
    /// Its name.
    pub name: String,
    /// The region in which a trail of all regions was made.
    pub home_region: String,
    /// The regions that it covers; none means all of them. With a list each region has a trail of
    /// its own by this name.
    pub regions: Option<Vec<String>>,
    /// Where its files would go.
    pub s3_bucket_name: String,
}

impl Trail {
    fn of(account: &str, region: &str) -> Self {
        Self {
            exists: true,
            logging: true,
            name: "management-events".to_owned(),
            home_region: region.to_owned(),
            regions: None,
            s3_bucket_name: format!("cloudtrail-{account}"),
        }
    }

    fn is_in(&self, region: &str) -> bool {
        let covers = |regions: &Vec<String>| regions.iter().any(|covered| covered == region);
        self.exists && self.regions.as_ref().is_none_or(covers)
    }

    fn home<'a>(&'a self, region: &'a str) -> &'a str {
        if self.regions.is_some() {
            region
        } else {
            &self.home_region
        }
    }

    fn arn(&self, account: &str, region: &str) -> String {
        let home = self.home(region);
        format!("arn:aws:cloudtrail:{home}:{account}:trail/{}", self.name)
    }

    /// A trail is called by its name in its home region, and by its ARN everywhere.
    fn is_called(&self, name: &str, account: &str, region: &str) -> bool {
        name == self.arn(account, region) || (name == self.name && self.home(region) == region)
    }
}

struct Held {
    trail: Trail,
    started: Option<Timestamp>,
    stopped: Option<Timestamp>,
}

/// The trails that are not as every account's is, and how that is.
pub(crate) struct Trails {
    region: String,
    held: HashMap<String, Held>,
}

impl Trails {
    pub(crate) fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            held: HashMap::new(),
        }
    }

    /// Whether what happens there is delivered.
    pub(crate) fn deliver(&self, account: &str, region: &str) -> bool {
        self.held
            .get(account)
            .is_none_or(|held| held.trail.logging && held.trail.is_in(region))
    }

    fn held(&mut self, account: &str) -> &mut Held {
        let region = &self.region;
        self.held.entry(account.to_owned()).or_insert_with(|| Held {
            trail: Trail::of(account, region),
            started: None,
            stopped: None,
        })
    }
}

impl Awsim {
    /// The trail of an account.
    pub fn trail_of(&self, account: &str) -> Trail {
        self.state().trails.held(account).trail.clone()
    }

    /// Makes the trail of an account another: stops it, narrows it, removes it.
    pub fn change_trail(&self, account: &str, change: impl FnOnce(&mut Trail)) {
        change(&mut self.state().trails.held(account).trail);
    }

    /// The same from the fields that change, as JSON.
    pub(crate) fn merge_trail(&self, account: &str, change: &Value) -> Result<Trail, serde_json::Error> {
        let mut state = self.state();
        let held = state.trails.held(account);
        let mut whole = serde_json::to_value(&held.trail)?;
        let fields: serde_json::Map<String, Value> = serde_json::from_value(change.clone())?;
        if let Some(object) = whole.as_object_mut() {
            object.extend(fields);
        }
        held.trail = serde_json::from_value(whole)?;
        Ok(held.trail.clone())
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Described {
    trail_name_list: Vec<String>,
    include_shadow_trails: Option<bool>,
}

/// Answers DescribeTrails.
pub(super) fn describe(state: &mut State, call: &Call, body: &Bytes) -> Answered {
    let Described {
        trail_name_list,
        include_shadow_trails,
    } = json(body)?;
    let (account, region) = (call.account.as_str(), call.region.as_str());
    let trail = &state.trails.held(account).trail;
    let shadow = trail.home(region) != region;
    let asked = trail_name_list.is_empty()
        || trail_name_list
            .iter()
            .any(|name| trail.is_called(name, account, region));
    let shown = trail.is_in(region) && asked && !(shadow && include_shadow_trails == Some(false));
    let described = json!({
        "Name": trail.name,
        "S3BucketName": trail.s3_bucket_name,
        "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": trail.regions.is_none(),
        "HomeRegion": trail.home(region),
        "TrailARN": trail.arn(account, region),
        "LogFileValidationEnabled": true,
        "HasCustomEventSelectors": false,
        "HasInsightSelectors": false,
        "IsOrganizationTrail": false,
    });
    let list = if shown { vec![described] } else { Vec::new() };
    request::json(200, &json!({"trailList": list}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(default)]
    name: String,
}

/// The trail of that name, as it is called from the caller's region.
fn find<'a>(state: &'a mut State, call: &Call, body: &Bytes) -> Result<&'a mut Held, AwsError> {
    let Named { name } = json(body)?;
    if name.is_empty() {
        return Err(AwsError::new(
            400,
            "InvalidTrailNameException",
            "Trail name cannot be blank!",
        ));
    }
    if name.starts_with("arn:") && !name.starts_with("arn:aws:cloudtrail:") {
        return Err(AwsError::new(
            400,
            "CloudTrailARNInvalidException",
            format!("The trail ARN is not valid: {name}"),
        ));
    }
    let held = state.trails.held(&call.account);
    if held.trail.is_in(&call.region) && held.trail.is_called(&name, &call.account, &call.region) {
        return Ok(held);
    }
    let message = format!("Unknown trail: {name} for the user: {}", call.account);
    Err(AwsError::new(400, "TrailNotFoundException", message))
}

/// Answers GetTrailStatus.
pub(super) fn status(state: &mut State, call: &Call, body: &Bytes) -> Answered {
    let held = find(state, call, body)?;
    let mut status = json!({"IsLogging": held.trail.logging});
    let (started, stopped) = (held.started, held.stopped);
    let delivered = state
        .history
        .entries()
        .filter(|entry| entry.delivered && entry.call.account == call.account && entry.call.region == call.region);
    let latest = delivered.max_by_key(|entry| entry.call.sequence);
    let times = [
        ("LatestDeliveryTime", latest.map(|entry| entry.call.time)),
        ("StartLoggingTime", started),
        ("StopLoggingTime", stopped),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            status[name] = json!(time.as_duration().as_secs_f64());
        }
    }
    request::json(200, &status)
}

/// Answers StartLogging and StopLogging.
pub(super) fn switch(state: &mut State, call: &Call, body: &Bytes, on: bool) -> Answered {
    let held = find(state, call, body)?;
    if held.trail.home(&call.region) != call.region {
        return Err(AwsError::new(
            400,
            "InvalidHomeRegionException",
            format!("The home region of the trail is {}.", held.trail.home_region),
        ));
    }
    held.trail.logging = on;
    let moment = if on { &mut held.started } else { &mut held.stopped };
    *moment = Some(call.time);
    request::json(200, &json!({}))
}
