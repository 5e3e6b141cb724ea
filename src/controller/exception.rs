//! Exceptions: does each of them count, and until when? Whatever they exempt is looked at again at the second they end.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::condition::{self, Said};
use crate::api::{EndpointException, Reason, Status};
use crate::controller::context::Context;
use crate::controller::kubernetes::status;
use crate::judge::select;

/// Policies, grants and namespaces may have changed by then.
const LONGEST: Duration = Duration::from_secs(30);

/// Says of every exception whether it counts; gives the time until the next one ends.
pub async fn answer_all(ctx: &Context) -> Duration {
    let now = ctx.now();
    let mut next = LONGEST;
    for exception in ctx.stores.exceptions.state() {
        let left = exception.spec.expires_at.0.duration_since(now);
        if let (true, Ok(left)) = (left.is_positive(), Duration::try_from(left)) {
            next = next.min(left + Duration::from_millis(1));
        }
        let mut after = (*exception).clone();
        let said = judge(&exception, ctx, now);
        let generation = exception.metadata.generation;
        condition::set(
            &mut after.status.get_or_insert_default().conditions,
            said,
            generation,
            now,
        );
        if let Err(error) = status::write(ctx, exception.as_ref(), &after).await {
            tracing::debug!(%error, exception = %exception.name_any(), "to be said again");
            next = next.min(Duration::from_secs(1));
        }
    }
    next
}

fn judge(exception: &EndpointException, ctx: &Context, now: Timestamp) -> Said {
    let spec = &exception.spec;
    let said = |status: Status, reason, message: String| Said::new("Ready", status, reason, message);
    if spec.expires_at.0 <= now {
        let message = "its time is over: delete it, or set a later expiresAt if the reason still holds";
        return said(Status::False, Reason::Expired, message.into());
    }
    let namespace = exception.namespace().unwrap_or_default();
    let policy = ctx
        .stores
        .policies
        .find(|p| p.name_any() == spec.policy && p.namespace().as_deref() == Some(&namespace));
    let Some(policy) = policy else {
        let message = format!(
            "namespace {namespace} has no EndpointPolicy {}: name one of `kubectl get endpointpolicies -n {namespace}`",
            spec.policy
        );
        return said(Status::False, Reason::Invalid, message);
    };
    let known = |rule: &String| policy.spec.rules.iter().any(|r| r.name == *rule);
    if let Some(missing) = spec.rules.iter().find(|rule| !known(rule)) {
        let rules: Vec<&str> = policy.spec.rules.iter().map(|r| r.name.as_str()).collect();
        let message = format!(
            "policy {} has no rule {missing}: name one of {}",
            spec.policy,
            rules.join(", ")
        );
        return said(Status::False, Reason::Invalid, message);
    }
    let labels = ctx.namespace_labels(&namespace);
    let accounts = ctx.stores.accounts.state();
    let meant = accounts
        .iter()
        .filter(|a| select::selects_account(&policy.spec.accounts, &a.name_any()))
        .filter(|a| select::grants_anything(&a.spec, &labels));
    let (forbidding, allowing): (Vec<_>, Vec<_>) = meant.partition(|a| select::forbids_exceptions(&a.spec, &labels));
    let names: Vec<String> = forbidding.iter().map(|a| a.name_any()).collect();
    match (names.is_empty(), allowing.is_empty()) {
        (true, _) => said(Status::True, Reason::Exempting, format!("until {}", spec.expires_at.0)),
        (false, false) => {
            let message = format!(
                "until {}; not in {}, whose grant forbids exceptions",
                spec.expires_at.0,
                names.join(", ")
            );
            said(Status::True, Reason::Exempting, message)
        }
        (false, true) => {
            let message = format!(
                "AwsAccount {} forbids exceptions of namespace {namespace}",
                names.join(", ")
            );
            said(Status::False, Reason::ExceptionsForbidden, message)
        }
    }
}
