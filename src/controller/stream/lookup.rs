//! CloudTrail is asked who made the calls that can explain a drift. One round asks for what everybody in a region wants,
//! each call's name once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use super::actors::{self, Moment};
use crate::api::AwsAccount;
use crate::aws::Error;
use crate::aws::cloudtrail::PAGE;
use crate::controller::context::Context;
use crate::inventory::events::Item;
use crate::inventory::intake;
use crate::inventory::trail::Way;

/// So many pages are read of one name.
const PAGES: usize = 4;
/// So many of the newest calls of one name are looked at.
pub const DEEP: usize = PAGES * PAGE;
/// CloudTrail remembers so long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is wanted of one account and region.
#[derive(Debug, Default)]
struct Wanted {
    names: BTreeSet<&'static str>,
    /// Endpoints to look at again afterwards, by the names of their objects.
    endpoints: BTreeSet<String>,
    running: bool,
    failure: Option<Error>,
}

/// What is wanted of CloudTrail, by account id and region, and how often each Drift wanted it.
#[derive(Default)]
pub struct Lookups {
    wanted: Mutex<HashMap<(String, String), Wanted>>,
    used: Mutex<HashMap<String, usize>>,
}

impl Lookups {
    fn wanted(&self) -> MutexGuard<'_, HashMap<(String, String), Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the last round of a region failed, if it did.
    pub fn failure(&self, account_id: &str, region: &str) -> Option<Error> {
        let key = (account_id.to_owned(), region.to_owned());
        self.wanted().get(&key)?.failure.clone()
    }

    /// What a Drift is to do, that was found so long ago; an asking is counted.
    pub fn moment(&self, uid: &str, since: SignedDuration, delay: SignedDuration, streamed: bool) -> Moment {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.entry(uid.to_owned()).or_insert(usize::from(streamed));
        let (moment, after) = actors::moment(*used, since, delay);
        *used = after;
        moment
    }

    /// A Drift wants nothing more.
    pub fn forget(&self, uid: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Takes what is wanted now; none, and nobody runs any more, if it is nothing.
    fn take(&self, key: &(String, String)) -> Option<(BTreeSet<&'static str>, BTreeSet<String>)> {
        let mut all = self.wanted();
        let wanted = all.get_mut(key)?;
        if wanted.names.is_empty() {
            wanted.running = false;
            return None;
        }
        Some((std::mem::take(&mut wanted.names), std::mem::take(&mut wanted.endpoints)))
    }

    fn failed(&self, key: &(String, String), failure: Option<Error>) {
        if let Some(wanted) = self.wanted().get_mut(key) {
            wanted.failure = failure;
        }
    }
}

/// Has the newest calls of these names looked up, and the endpoint looked at again afterwards.
pub fn want(
    ctx: &Arc<Context>,
    account: &Arc<AwsAccount>,
    region: &str,
    names: BTreeSet<&'static str>,
    endpoint: &str,
) {
    let key = (account.spec.account_id.clone(), region.to_owned());
    let mut all = ctx.stream.lookups.wanted();
    let wanted = all.entry(key.clone()).or_default();
    wanted.names.extend(names);
    wanted.endpoints.insert(endpoint.to_owned());
    if !wanted.running {
        wanted.running = true;
        tokio::spawn(run(ctx.clone(), account.clone(), key));
    }
}

/// Until nothing more is wanted.
async fn run(ctx: Arc<Context>, account: Arc<AwsAccount>, key: (String, String)) {
    while let Some((names, endpoints)) = ctx.stream.lookups.take(&key) {
        let mut failure = None;
        for name in names {
            if let Err(error) = lookup(&ctx, &account, &key.1, name).await {
                tracing::debug!(%error, name, "not looked up");
                failure = Some(error);
            }
        }
        ctx.stream.lookups.failed(&key, failure);
        for endpoint in endpoints {
            ctx.wake.endpoint(&endpoint);
        }
    }
}

async fn lookup(ctx: &Context, account: &AwsAccount, region: &str, name: &str) -> Result<(), Error> {
    let trail = ctx.sessions.of(&account.spec).trail(region);
    let since = ctx.now() - REMEMBERED;
    let mut next = None;
    for _ in 0..PAGES {
        let page = trail.lookup(name, since, next.take()).await?;
        for record in &page.records {
            let item = serde_json::from_str(record).map(|record| intake::record(&record));
            if let Ok(Ok(Item::Call(event))) = item
                && event.endpoints.iter().all(|e| e.account_id == account.spec.account_id)
            {
                ctx.stream.trail.note(&event, Way::LookedUp);
            }
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok(())
}
