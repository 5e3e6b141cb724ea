//! What news of one kind means to the reconcilers of the others.

use std::sync::{Arc, PoisonError};

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;

use super::foreign::{Shelf, confess};
use super::names;
use super::watched::{Marks, News};
use crate::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy};
use crate::controller::context::Context;
use crate::controller::farewell;

/// Accounts: everything rests on them.
pub fn accounts(ctx: &Arc<Context>) -> impl FnMut(&News<AwsAccount>) + Send + use<> {
    let (ctx, mut marks) = (ctx.clone(), Marks::default());
    move |news| {
        if !marks.moved(news) {
            return;
        }
        match news {
            News::Stands(account) => {
                if account.metadata.deletion_timestamp.is_some() {
                    farewell::depart(&ctx, account);
                }
                twins(&ctx, account);
            }
            News::Gone(account) => {
                farewell::depart(&ctx, account);
                twins(&ctx, account);
            }
            News::Foreign(foreign) => {
                let shelf: Shelf<AwsAccount> = ctx.foreign.accounts.clone();
                tokio::spawn(confess(ctx.client.clone(), shelf, foreign.clone(), &["Ready"]));
            }
        }
        ctx.wake.endpoints();
        ctx.wake.drifts();
        ctx.wake.policies();
        ctx.wake.exceptions();
    }
}

/// Other objects that name the same account id: the first of them acts, and which that is may have changed.
fn twins(ctx: &Context, account: &AwsAccount) {
    let same = |a: &AwsAccount| a.spec.account_id == account.spec.account_id && a.uid() != account.uid();
    for twin in ctx.stores.accounts.state_filter(same) {
        ctx.wake.account(&twin.name_any());
    }
}

/// Policies: what is judged.
pub fn policies(ctx: &Arc<Context>) -> impl FnMut(&News<EndpointPolicy>) + Send + use<> {
    let (ctx, mut marks) = (ctx.clone(), Marks::default());
    move |news| {
        if !marks.moved(news) {
            return;
        }
        match news {
            News::Stands(_) => {}
            News::Gone(policy) => {
                let uid = policy.uid().unwrap_or_default();
                ctx.compiled.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
            }
            News::Foreign(foreign) => {
                let shelf: Shelf<EndpointPolicy> = ctx.foreign.policies.clone();
                tokio::spawn(confess(
                    ctx.client.clone(),
                    shelf,
                    foreign.clone(),
                    &["Ready", "Compliant"],
                ));
            }
        }
        ctx.wake.endpoints();
        ctx.wake.drifts();
        ctx.wake.exceptions();
    }
}

/// Endpoints: looked at by their own reconciler.
pub fn endpoints(ctx: &Arc<Context>) -> impl FnMut(&News<AwsEndpoint>) + Send + use<> {
    let ctx = ctx.clone();
    move |news| {
        if matches!(news, News::Foreign(_)) {
            ctx.wake.policies();
        }
    }
}

/// Drifts: their endpoint acts on them, their policy counts them.
pub fn drifts(ctx: &Arc<Context>) -> impl FnMut(&News<Drift>) + Send + use<> {
    let ctx = ctx.clone();
    move |news| {
        let drift = match news {
            News::Stands(drift) => drift,
            News::Gone(drift) => {
                let uid = drift.uid().unwrap_or_default();
                ctx.wholes.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
                let account = names::account(&drift.spec.endpoint).map(str::to_owned);
                if let Some(account) = account.filter(|id| ctx.account_of(id).is_none()) {
                    let ctx = ctx.clone();
                    tokio::spawn(async move { farewell::let_go(&ctx, &account).await });
                }
                drift
            }
            News::Foreign(_) => return,
        };
        ctx.wake.endpoint(&drift.spec.endpoint);
        ctx.wake
            .policy(&drift.namespace().unwrap_or_default(), &drift.spec.policy);
    }
}

/// Exceptions: what is judged.
pub fn exceptions(ctx: &Arc<Context>) -> impl FnMut(&News<EndpointException>) + Send + use<> {
    let (ctx, mut marks) = (ctx.clone(), Marks::default());
    move |news| {
        if marks.moved(news) {
            ctx.wake.exceptions();
            ctx.wake.endpoints();
            ctx.wake.policies(); // one that cannot be read holds its policy back
        }
    }
}

/// Namespaces: grants name them by their labels.
pub fn namespaces(ctx: &Arc<Context>) -> impl FnMut(&News<Namespace>) + Send + use<> {
    let (ctx, mut marks) = (ctx.clone(), Marks::default());
    move |news| {
        if marks.moved(news) {
            ctx.wake.endpoints();
            ctx.wake.drifts(); // a grant may be one no more
            ctx.wake.policies();
            ctx.wake.exceptions();
        }
    }
}
