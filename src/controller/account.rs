//! An account: are its spec and credentials good, does this replica act for it, and does its sweeper run?

use std::sync::Arc;
use std::time::Duration;

use kube::core::SelectorExt;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};

use super::context::Context;
use super::outcome::{self, Failure};
use super::{farewell, status, sweeper};
use crate::api::condition::{self, Said};
use crate::api::{AwsAccount, Reason, Status};
use crate::aws::{Class, Error};

/// Credentials are looked at again this often.
const RECHECK: Duration = Duration::from_mins(10);

/// One look at an account.
pub async fn reconcile(account: Arc<AwsAccount>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let name = account.name_any();
    if account.metadata.deletion_timestamp.is_some() {
        sweeper::stop(&ctx, &name);
        return Ok(Action::await_change());
    }
    farewell::returned(&ctx, &account.spec.account_id);
    if !ctx.mine.matches(account.labels()) {
        // Another Plumbline may be waiting for it.
        sweeper::stop(&ctx, &name);
        ctx.leases.as_ref().drop(&account.spec.account_id).await;
        return Ok(Action::await_change());
    }
    let (said, retry) = judge(&account, &ctx).await;
    if said.status == Status::True {
        ctx.leases.ensure(&account.spec.account_id);
        sweeper::ensure(&ctx, &account);
    } else if said.status == Status::False {
        sweeper::stop(&ctx, &name);
    }
    let mut after = (*account).clone();
    let generation = account.metadata.generation;
    condition::set(
        &mut after.status.get_or_insert_default().conditions,
        said,
        generation,
        ctx.now(),
    );
    let api: Api<AwsAccount> = Api::all(ctx.client.clone());
    if status::write(&api, account.as_ref(), &after).await?.is_some() {
        ctx.wake.policies();
    }
    Ok(Action::requeue(retry))
}

/// The `Ready` condition, and when to look again.
async fn judge(account: &AwsAccount, ctx: &Context) -> (Said, Duration) {
    let ready = |status, reason, message: String| Said::new("Ready", status, reason, message);
    if let Some(first) = ctx.account_of(&account.spec.account_id)
        && first.name_any() != account.name_any()
    {
        let message = format!(
            "AwsAccount {} already names account {}",
            first.name_any(),
            account.spec.account_id
        );
        return (ready(Status::False, Reason::DuplicateAccount, message), RECHECK);
    }
    if ctx.foreign.has_account(&account.spec.account_id) {
        let message = format!(
            "another AwsAccount, which this version of Plumbline cannot read, already names account {}",
            account.spec.account_id
        );
        return (ready(Status::False, Reason::DuplicateAccount, message), RECHECK);
    }
    if let Err(message) = sweeper::interval(&account.spec.sweep.interval) {
        return (ready(Status::False, Reason::Invalid, message), RECHECK);
    }
    match ctx.sessions.of(&account.spec).identify().await {
        Ok(()) => (ready(Status::True, Reason::Ready, String::new()), RECHECK),
        Err(error) => {
            let attempts = outcome::attempts(account.status.as_ref().map(|s| s.conditions.as_slice()), ctx.now());
            (refused(&error), attempts)
        }
    }
}

/// AWS's own words, and the permission that is missing.
fn refused(error: &Error) -> Said {
    let (status, reason) = match error.class {
        Class::Denied => (Status::False, Reason::AccessDenied),
        Class::NoCredentials => (Status::False, Reason::NoCredentials),
        Class::Throttled => (Status::Unknown, Reason::Throttled),
        Class::Refused | Class::NotFound => (Status::False, Reason::Invalid),
        Class::Unavailable | Class::Malformed | Class::Fenced => (Status::Unknown, Reason::Unavailable),
    };
    let missing = error
        .missing_permission()
        .map(|p| format!("; missing permission: {p}"))
        .unwrap_or_default();
    Said::new("Ready", status, reason, format!("{error}{missing}"))
}
