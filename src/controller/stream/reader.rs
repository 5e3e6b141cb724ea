//! Reads endpoints that hints name, more urgently than any sweep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use tokio::sync::Semaphore;

use super::{actors, baseline};
use crate::api::account::Sweep;
use crate::api::{AwsAccount, AwsEndpoint, EndpointPolicy, REQUESTED_AT};
use crate::aws::Class;
use crate::aws::budget::Priority;
use crate::controller::account::sweeper;
use crate::controller::context::Context;
use crate::controller::endpoint::{episode, objects};
use crate::controller::policy;
use crate::inventory::hints::Hint;
use crate::inventory::{Hand, sweep};
use crate::judge::select;
use crate::judge::snapshot::EndpointId;

/// So many endpoints are read at once. The budget is what limits; this only fills it.
const AT_ONCE: usize = 16;
/// A reading that failed is tried again after this, and after twice, three times as long.
const AGAIN: Duration = Duration::from_secs(2);
/// And at the latest after this.
const LATEST: Duration = Duration::from_mins(1);

/// Until it is dropped.
pub async fn run(ctx: Arc<Context>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let hint = ctx.stream.hints.next().await;
        let ctx = ctx.clone();
        tokio::spawn(async move {
            read(&ctx, hint).await;
            drop(place);
        });
    }
}

async fn read(ctx: &Arc<Context>, hint: Hint) {
    let Some(account) = ctx.account_of(&hint.id.account_id).filter(|a| ctx.acts_for(a)) else {
        // Its messages come again, to whoever acts for the account now; a request stands on its object.
        drop(ctx.stream.hints.failed(hint));
        return;
    };
    let reader = ctx
        .sessions
        .of(&account.spec)
        .observer(&hint.id.region)
        .at(hint.priority);
    let (depth, begun) = (ctx.depth(), Instant::now());
    match sweep::again(&reader, &hint.id, depth, &ctx.exports).await {
        Ok(snapshot) => {
            objects::ensure(ctx, &account, &hint.name, &hint.id).await;
            let now = ctx.now();
            let news = ctx
                .inventory
                .keep(&hint.name, &snapshot, depth, Hand::Anybody, begun, now);
            let awaited = hint.asked.is_some() || ctx.stream.hints.awaits_judgement(&hint.name);
            if news || awaited || has_open_drift(ctx, &hint.name) {
                let (name, id) = (hint.name.clone(), hint.id.clone());
                ctx.stream.hints.read(hint, begun);
                ctx.wake.endpoint(&name);
                baseline::after_deployment(ctx, &account, &id, &snapshot).await;
            } else {
                ctx.stream.hints.settled(hint);
            }
        }
        Err(error) if error.class == Class::NotFound => {
            ctx.inventory.vanished(&hint.name);
            ctx.stream.trail.forget(&hint.id);
            ctx.wake.endpoint(&hint.name);
            ctx.stream.hints.judged(&hint.name, begun); // of what is gone nothing more is judged
            ctx.stream.hints.settled(hint);
        }
        Err(error) => {
            let why = sweeper::explain(&error);
            if ctx.inventory.failed(&hint.name, &why, begun, ctx.now()) {
                ctx.wake.endpoint(&hint.name);
            }
            let hint = ctx.stream.hints.failed(hint);
            let pause = (AGAIN * hint.failures).min(LATEST);
            let ctx = ctx.clone();
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                ctx.stream.hints.push(hint);
            });
        }
    }
}

fn has_open_drift(ctx: &Context, name: &str) -> bool {
    let open = |d: &crate::api::Drift| d.spec.endpoint == name && (episode::is_open(d) || actors::is_sought(ctx, d));
    ctx.stores.drifts.find(open).is_some()
}

/// Has an endpoint read if a person asked for it and was not answered.
pub fn asked(ctx: &Context, endpoint: &AwsEndpoint) {
    let Some(asked) = endpoint.annotations().get(REQUESTED_AT) else {
        return;
    };
    let name = endpoint.name_any();
    let answered = endpoint
        .status
        .as_ref()
        .and_then(|s| s.last_handled_reconcile_at.as_ref());
    if answered == Some(asked) || ctx.stream.hints.is_asked(&name, asked) {
        return;
    }
    let mut hint = Hint::new(name, EndpointId::from(&endpoint.spec), Priority::Hint);
    hint.asked = Some(asked.clone());
    ctx.stream.hints.push(hint);
}

/// Has every endpoint read that a policy selects in an account.
pub fn of_policy(ctx: &Context, account: &AwsAccount, policy: &EndpointPolicy) {
    let labels = ctx.namespace_labels(&policy.namespace().unwrap_or_default());
    let of = |endpoint: &AwsEndpoint| endpoint.spec.account_id == account.spec.account_id;
    for endpoint in ctx.stores.endpoints.state_filter(of) {
        if policy::selects(policy, account, &endpoint, &labels) {
            let id = EndpointId::from(&endpoint.spec);
            let hint = Hint::new(endpoint.name_any(), id, Priority::Sweep);
            ctx.stream.hints.push(hint);
        }
    }
}

/// The sweeps that policies ask for themselves.
pub fn sweeps<'a>(policy: &'a EndpointPolicy, account: &AwsAccount) -> Option<&'a Sweep> {
    let selected = select::selects_account(&policy.spec.accounts, &account.name_any());
    policy.spec.sweep.as_ref().filter(|_| selected)
}
