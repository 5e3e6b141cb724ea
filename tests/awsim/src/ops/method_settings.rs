//! A stage's method settings: `*/*` and the entries of single methods.

use crate::error::AwsError;
use crate::patch::{Op, Step};
use crate::store::{MethodSetting, Stage};

/// What AWS says when logging has no role to log with.
pub(crate) const NO_ROLE: &str = "CloudWatch Logs role ARN must be set in account settings to enable logging";

/// What a patch of the settings stands on.
pub(crate) struct Ground {
    /// The account has a role for CloudWatch Logs.
    pub(crate) may_log: bool,
    /// The first patch of one method's settings starts from `*/*`.
    pub(crate) from_wildcard: bool,
}

/// Carries out one step under `/{resourcePath}/{httpMethod}`.
pub(crate) fn apply(stage: &mut Stage, step: &Step, ground: &Ground) -> Result<(), AwsError> {
    let [path, verb] = step.keys.as_slice() else {
        return Err(AwsError::bad_request(format!(
            "Invalid method setting path: {}",
            step.sent
        )));
    };
    let key = format!("{path}/{verb}");
    if step.op == Op::Remove {
        return match stage.method_settings.remove(&key) {
            Some(_) => Ok(()),
            None => Err(AwsError::bad_request(format!(
                "Cannot remove method setting {key} because there is no method setting for this method "
            ))),
        };
    }
    let wildcard = stage
        .method_settings
        .get("*/*")
        .filter(|_| ground.from_wildcard)
        .cloned();
    let setting = stage
        .method_settings
        .entry(key)
        .or_insert_with(|| wildcard.unwrap_or_default());
    change(setting, step, ground)
}

fn change(setting: &mut MethodSetting, step: &Step, ground: &Ground) -> Result<(), AwsError> {
    let name = step.path.trim_start_matches("/{resourcePath}/{httpMethod}");
    match name {
        "/metrics/enabled" => setting.metrics_enabled = step.boolean()?,
        "/logging/dataTrace" => setting.data_trace_enabled = step.boolean()?,
        "/logging/loglevel" => {
            let level = super::one_of(step.value()?, &["OFF", "ERROR", "INFO"], || {
                "Invalid logging level specified. Must be one of: [OFF, ERROR, INFO]".to_owned()
            })?;
            if level != "OFF" && !ground.may_log {
                return Err(AwsError::bad_request(NO_ROLE));
            }
            setting.logging_level = Some(level);
        }
        "/throttling/burstLimit" => setting.throttling_burst_limit = step.number()?,
        "/throttling/rateLimit" => setting.throttling_rate_limit = step.number()?,
        "/caching/enabled" => setting.caching_enabled = step.boolean()?,
        "/caching/dataEncrypted" => setting.cache_data_encrypted = step.boolean()?,
        "/caching/ttlInSeconds" => {
            let ttl = step.number()?;
            if !(0..=3600).contains(&ttl) {
                return Err(AwsError::bad_request("Invalid cache TTL, must be between 0 and 3600"));
            }
            setting.cache_ttl_in_seconds = ttl;
        }
        "/caching/requireAuthorizationForCacheControl" => {
            setting.require_authorization_for_cache_control = step.boolean()?;
        }
        _ => {
            let known = [
                "FAIL_WITH_403",
                "SUCCEED_WITH_RESPONSE_HEADER",
                "SUCCEED_WITHOUT_RESPONSE_HEADER",
            ];
            setting.unauthorized_cache_control_header_strategy = super::one_of(step.value()?, &known, || {
                format!(
                    "Invalid unauthorized cache control header strategy. Must be one of: [{}]",
                    known.join(", ")
                )
            })?;
        }
    }
    Ok(())
}
