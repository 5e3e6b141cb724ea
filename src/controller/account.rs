//! An account: are its spec and credentials good, does this replica act for it, and does its sweeper run?

pub mod sweeper;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::condition::{self, Said};
use crate::api::{AwsAccount, Reason, Status};
use crate::aws::{Class, Error};
use crate::controller::context::Context;
use crate::controller::farewell;
use crate::controller::kubernetes::status;
use crate::controller::outcome::{self, Failure};
use crate::controller::stream::listener;
use crate::inventory::schedule::Schedule;

/// Credentials are looked at again this often.
const RECHECK: Duration = Duration::from_mins(10);

/// One look at an account.
pub async fn reconcile(account: Arc<AwsAccount>, ctx: Arc<Context>) -> Result<Action, Failure> {
    let name = account.name_any();
    if account.metadata.deletion_timestamp.is_some() {
        sweeper::stop(&ctx, &name);
        return Ok(Action::await_change());
    }
    // A look that began before the account went must not take it for one that is back.
    if ctx.account_of(&account.spec.account_id).is_some() {
        farewell::returned(&ctx, &account.spec.account_id);
    }
    if !ctx.is_mine(&account) {
        // Another Plumbline may be waiting for it.
        sweeper::stop(&ctx, &name);
        ctx.leases.as_ref().drop(&account.spec.account_id).await;
        return Ok(Action::await_change());
    }
    let Judged { said, retry, sweep } = judge(&account, &ctx).await;
    if sweep {
        ctx.leases.ensure(&account.spec.account_id);
        sweeper::ensure(&ctx, &account);
        listener::ensure(&ctx, &account);
    } else if said.status == Status::False {
        sweeper::stop(&ctx, &name);
    }
    let mut after = (*account).clone();
    let generation = account.metadata.generation;
    let conditions = &mut after.status.get_or_insert_default().conditions;
    condition::set(conditions, said, generation, ctx.now());
    let mut retry = retry;
    if let Some((said, next)) = ctx
        .stream
        .health
        .said(&account, &ctx)
        .filter(|_| ctx.acts_for(&account))
    {
        condition::set(conditions, said, generation, ctx.now());
        retry = retry.min(next.unwrap_or(retry));
    } else if listener::queues(&account).is_empty() {
        conditions.retain(|c| c.type_ != "Listening");
    }
    if status::write(&ctx, account.as_ref(), &after).await?.is_some() {
        ctx.wake.policies();
    }
    Ok(Action::requeue(retry))
}

/// What is to be said of an account, and done about it.
struct Judged {
    /// The `Ready` condition.
    said: Said,
    /// When to look again.
    retry: Duration,
    /// Whether it is swept: as long as its credentials are good somewhere.
    sweep: bool,
}

async fn judge(account: &AwsAccount, ctx: &Context) -> Judged {
    let ready = |status, reason, message: String| Said::new("Ready", status, reason, message);
    let settled = |reason, message| Judged {
        said: ready(Status::False, reason, message),
        retry: RECHECK,
        sweep: false,
    };
    if let Some(first) = ctx.account_of(&account.spec.account_id)
        && first.name_any() != account.name_any()
    {
        let message = format!(
            "AwsAccount {} already names account {}",
            first.name_any(),
            account.spec.account_id
        );
        return settled(Reason::DuplicateAccount, message);
    }
    if ctx.foreign.has_account(&account.spec.account_id) {
        let message = format!(
            "another AwsAccount, which this version of Plumbline cannot read, already names account {}",
            account.spec.account_id
        );
        return settled(Reason::DuplicateAccount, message);
    }
    if let Err(message) = Schedule::compile(&account.spec.sweep) {
        return settled(Reason::Invalid, message);
    }
    let good = Judged {
        said: ready(Status::True, Reason::Ready, String::new()),
        retry: RECHECK,
        sweep: true,
    };
    // Each sweep's end comes by here: AWS is not asked each time who one is.
    if ctx.verified.holds(account) {
        return good;
    }
    let retry = outcome::attempts(account.status.as_ref().map(|s| s.conditions.as_slice()), ctx.now());
    let session = ctx.sessions.of(&account.spec);
    if let Err(error) = session.identify().await {
        return Judged {
            said: refused(&error),
            retry,
            sweep: false,
        };
    }
    for region in &account.spec.regions {
        // The smallest question that only a region in which the account may act answers.
        if let Err(error) = session.observer(region).get_account().await {
            let said = elsewhere(region, &error);
            return Judged {
                said,
                retry,
                sweep: true,
            };
        }
    }
    ctx.verified.note(account);
    good
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
    Said::new("Ready", status, reason, sweeper::explain(error))
}

/// The credentials are good, and a region does not take them. The other regions are swept all the same.
fn elsewhere(region: &str, error: &Error) -> Said {
    let said = refused(error);
    let told = format!("region {region}: {}", said.message);
    match error.class {
        // AWS has a host name for each of its regions.
        Class::Unavailable if nowhere(&error.message) => {
            let message = format!("{told}; AWS has no such region: correct spec.regions");
            Said::new("Ready", Status::False, Reason::Invalid, message)
        }
        Class::NoCredentials => Said {
            message: format!("{told}; enable the region for the account, or take it out of spec.regions"),
            ..said
        },
        _ => Said { message: told, ..said },
    }
}

/// Whether the resolver knows for sure that there is no such host: the words of glibc, musl and macOS.
fn nowhere(message: &str) -> bool {
    [
        "Name or service not known",
        "Name does not resolve",
        "nodename nor servname provided",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Accounts whose credentials were good a short while ago.
#[derive(Default)]
pub struct Verified(Mutex<HashMap<String, (Option<i64>, Instant)>>);

impl Verified {
    fn seen(&self) -> MutexGuard<'_, HashMap<String, (Option<i64>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, account: &AwsAccount) -> bool {
        let seen = self.seen().get(&account.name_any()).copied();
        seen.is_some_and(|(generation, at)| generation == account.metadata.generation && at.elapsed() < RECHECK)
    }

    /// Something went wrong: it is to be asked again.
    pub fn forget(&self, account: &AwsAccount) {
        self.seen().remove(&account.name_any());
    }

    fn note(&self, account: &AwsAccount) {
        self.seen()
            .insert(account.name_any(), (account.metadata.generation, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_does_not_answer_is_wrong_only_if_that_is_sure() {
        let unreachable = "dispatch failure: client error (Connect): dns error: failed to lookup address information: ";
        for (class, message, status, reason, ends, why) in [
            (
                Class::Unavailable,
                format!("{unreachable}Name or service not known"),
                Status::False,
                Reason::Invalid,
                "AWS has no such region: correct spec.regions",
                "there is no such host",
            ),
            (
                Class::Unavailable,
                format!("{unreachable}Temporary failure in name resolution"),
                Status::Unknown,
                Reason::Unavailable,
                "Temporary failure in name resolution",
                "nobody was there to be asked",
            ),
            (
                Class::NoCredentials,
                "UnrecognizedClientException: The security token included in the request is invalid.".to_owned(),
                Status::False,
                Reason::NoCredentials,
                "enable the region for the account, or take it out of spec.regions",
                "AWS answers so in a region that is not enabled",
            ),
            (
                Class::Denied,
                "User: u is not authorized to perform: apigateway:GET on resource: arn:aws:apigateway:eu-west-1::/account"
                    .to_owned(),
                Status::False,
                Reason::AccessDenied,
                "missing permission: apigateway:GET on arn:aws:apigateway:eu-west-1::/account",
                "what to grant",
            ),
        ] {
            let said = elsewhere("eu-west-1", &Error::new(class, "GetAccount", message));
            assert_eq!((said.status, said.reason), (status, reason), "{why}");
            assert!(said.message.starts_with("region eu-west-1: GetAccount: "), "{why}: {}", said.message);
            assert!(said.message.ends_with(ends), "{why}: {}", said.message);
        }
    }
}
