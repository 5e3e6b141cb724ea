//! What one item of a message means. Every account, endpoint and Drift that it names is looked up: nothing in it is believed.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::files;
use crate::api::drift::{Drift, Phase, Release};
use crate::api::policy::{EndpointType, Via};
use crate::api::{AwsAccount, AwsEndpoint, REQUESTED_AT};
use crate::aws::budget::Priority;
use crate::controller::context::Context;
use crate::controller::endpoint::episode;
use crate::controller::kubernetes::{names, status};
use crate::inventory::events::{Aside, Event, Fault, Item, Pointer};
use crate::inventory::hints::{Hint, Receipt};
use crate::inventory::trail::Way;
use crate::judge::snapshot::EndpointId;

/// A clock of AWS's and the own one differ by less.
const CLOCKS: Duration = Duration::from_mins(1);

/// Where the items of one message go.
pub struct Route<'a> {
    /// What everybody has at hand.
    pub ctx: &'a Arc<Context>,
    /// Accounts that name the queue.
    pub owners: &'a [Arc<AwsAccount>],
    /// SQS's id of the message.
    pub message_id: &'a str,
    /// What is held until everything is done.
    pub receipt: &'a Arc<Receipt>,
}

impl Route<'_> {
    /// Takes one item where it belongs, and counts it.
    pub fn item(&self, item: &Item, way: Way) {
        match item {
            Item::Call(event) => self.call(event, way),
            Item::Changed(endpoint) => {
                if let Some(account) = self.account(endpoint) {
                    self.ctx.metrics.count("changed");
                    self.hint(&account, endpoint);
                }
            }
            Item::File(file) => {
                let owner = self.owners.iter().find(|a| a.spec.account_id == file.account_id);
                match owner {
                    None => self.ctx.metrics.count("foreign_account"),
                    Some(owner) if !owner.spec.regions.contains(&file.region) => {
                        self.ctx.metrics.count("region_not_watched");
                    }
                    Some(owner) => {
                        self.ctx.metrics.count("file");
                        files::fetch(self, owner.clone(), file.clone());
                    }
                }
            }
            Item::Drift(pointer) => self.release(pointer),
            Item::Aside(why) => self.ctx.metrics.count(aside(*why)),
        }
    }

    fn call(&self, event: &Event, way: Way) {
        if event.masked {
            self.ctx.metrics.count("masked");
        }
        let watched = |id| self.account(id).map(|account| (id, account));
        let mine: Vec<_> = event.endpoints.iter().filter_map(watched).collect();
        if mine.is_empty() {
            return;
        }
        // A call that names two endpoints is one call, and new to both of them.
        let new = self.ctx.stream.trail.note(event, way);
        self.ctx.metrics.count(if new { "call" } else { "duplicate" });
        for (endpoint, account) in mine {
            let name = names::endpoint(endpoint);
            self.ctx.stream.health.told(&account.name_any(), event.time, self.ctx);
            // Own repairs are read back by whoever makes them, and a reading that began well after the call shows it.
            let age = self.ctx.now().duration_since(event.time);
            let shown = self.ctx.inventory.begun(&name).is_some_and(|begun| {
                let since = SignedDuration::try_from(begun.elapsed() + CLOCKS).unwrap_or(SignedDuration::MAX);
                age > since
            });
            if self.ctx.own(&account).is_own(&event.principal) || shown {
                if new {
                    self.ctx.wake.endpoint(&name); // it may say who did it
                }
                continue;
            }
            self.hint(&account, endpoint);
        }
    }

    /// The account that names the queue and watches the endpoint's region.
    fn account(&self, endpoint: &EndpointId) -> Option<Arc<AwsAccount>> {
        let owner = self.owners.iter().find(|a| a.spec.account_id == endpoint.account_id);
        let Some(owner) = owner else {
            self.ctx.metrics.count("foreign_account");
            return None;
        };
        if !owner.spec.regions.contains(&endpoint.region) {
            self.ctx.metrics.count("region_not_watched");
            return None;
        }
        if !plausible(endpoint) {
            self.ctx.metrics.count("no_endpoint");
            return None;
        }
        Some(owner.clone())
    }

    fn hint(&self, account: &AwsAccount, endpoint: &EndpointId) {
        let name = names::endpoint(endpoint);
        if self.ctx.acts_for(account) {
            let mut hint = Hint::new(name, endpoint.clone(), Priority::Hint);
            hint.receipts.push(self.receipt.held());
            self.ctx.stream.hints.push(hint);
        } else if self.receipt.is_first(&name) {
            tokio::spawn(hand_over(
                self.ctx.clone(),
                name,
                self.message_id.to_owned(),
                self.receipt.held(),
            ));
        }
    }

    /// Lets a Drift's repair start, if what stands in Kubernetes says that this message may.
    fn release(&self, pointer: &Pointer) {
        let owner = self.owners.iter().find(|a| a.spec.account_id == pointer.account_id);
        let Some(account) = owner else {
            return self.ctx.metrics.count("foreign_account");
        };
        if !self.ctx.acts_for(account) {
            // Whoever acts for it takes the message when it comes again.
            let _left = self.receipt.held();
            return;
        }
        let (ctx, pointer) = (self.ctx.clone(), pointer.clone());
        let (message_id, receipt) = (self.message_id.to_owned(), self.receipt.held());
        tokio::spawn(async move {
            match release(&ctx, &pointer, &message_id).await {
                Ok(kind) => {
                    ctx.metrics.count(kind);
                    receipt.done();
                }
                Err(error) => tracing::debug!(%error, drift = pointer.name, "not released: the message comes again"),
            }
        });
    }
}

/// Whether an endpoint may have this id. One that AWS never gives would be asked for in vain, again and again.
fn plausible(endpoint: &EndpointId) -> bool {
    let id = endpoint.id.as_str();
    let known = |c: char| match endpoint.type_ {
        EndpointType::RestApi => c.is_ascii_alphanumeric() || matches!(c, '-' | '_'),
        EndpointType::DomainName => c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*'),
    };
    !id.is_empty() && id.len() <= 255 && !id.starts_with('.') && id.chars().all(known)
}

/// Another replica acts for the account: the hint is made durable as a request on the object, which that one sees.
async fn hand_over(ctx: Arc<Context>, name: String, message: String, receipt: Arc<Receipt>) {
    let patch = serde_json::json!({"metadata": {"annotations": {REQUESTED_AT: format!("message {message}")}}});
    match status::merge::<AwsEndpoint>(&ctx, "", &name, patch).await {
        // One that has no object yet is found by the other's next sweep.
        Ok(_) | Err(status::Error::Gone) => {
            ctx.metrics.count("handed_over");
            receipt.done();
        }
        Err(error) => tracing::debug!(%error, endpoint = name, "not handed over: the message comes again"),
    }
}

/// Writes the release into the Drift; gives what the message came to.
async fn release(ctx: &Context, pointer: &Pointer, message_id: &str) -> Result<&'static str, status::Error> {
    let reference = ObjectRef::new(&pointer.name).within(&pointer.namespace);
    let mut kind = "no_such_drift";
    let written = status::change(ctx, &reference, |drift: &Drift| {
        kind = released(ctx, drift, pointer);
        let mut after = drift.clone();
        after.status.get_or_insert_default().released = Some(Release {
            plan_digest: pointer.plan_digest.clone(),
            message_id: message_id.to_owned(),
            at: Time(ctx.now()),
        });
        (kind == "released").then_some(after)
    });
    match written.await {
        // It was told from here: what is not here is not there any more.
        Err(status::Error::Gone) => Ok("no_such_drift"),
        Ok(_) => Ok(kind),
        Err(error) => Err(error),
    }
}

/// What a message about a Drift comes to, by what the Drift itself says.
fn released(ctx: &Context, drift: &Drift, pointer: &Pointer) -> &'static str {
    if drift.uid().as_ref() != Some(&pointer.uid) || !episode::is_open(drift) {
        return "no_such_drift";
    }
    let policy = ctx
        .stores
        .policies
        .find(|p| p.uid().as_ref() == Some(&drift.spec.policy_uid));
    if policy.is_none_or(|policy| policy.spec.repairs.via != Via::Queue) {
        return "not_by_queue";
    }
    let Some(status) = &drift.status else {
        return "stale_plan";
    };
    let known = status.released.as_ref().map(|r| r.plan_digest.as_str());
    let account = drift.spec.endpoint.split('-').next();
    if account != Some(pointer.account_id.as_str()) {
        "foreign_account"
    } else if status.phase == Phase::Repairing || known == Some(&status.plan_digest) {
        "duplicate"
    } else if status.plan_digest == pointer.plan_digest {
        "released"
    } else {
        "stale_plan"
    }
}

/// How something that is of no concern is counted.
fn aside(why: Aside) -> &'static str {
    match why {
        Aside::ReadOnly => "read_only",
        Aside::FailedCall => "failed_call",
        Aside::OtherService => "other_service",
        Aside::NoEndpoint => "no_endpoint",
        Aside::Digest => "digest",
        Aside::ForeignFile => "foreign_file",
        Aside::Control => "control",
        Aside::Told => "told",
    }
}

/// How something that was not understood is counted.
pub fn fault(why: Fault) -> &'static str {
    match why {
        Fault::NotJson => "not_json",
        Fault::MalformedBase64 => "malformed_base64",
        Fault::MalformedGzip => "malformed_gzip",
        Fault::TooLarge => "too_large",
        Fault::TooDeep => "too_deep",
        Fault::UnknownShape => "unknown_shape",
        Fault::Incomplete => "incomplete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_never_gives_as_an_id_is_no_endpoint() {
        let (api, domain) = (EndpointType::RestApi, EndpointType::DomainName);
        for (type_, id, wanted, why) in [
            (api, "a1b2c3d4e5", true, "an API"),
            (api, "..", false, "a path is no id"),
            (api, "a1/stages/prod", false, "nor is part of one"),
            (api, "", false, "nothing"),
            (domain, "api.example.com", true, "a domain name"),
            (domain, "*.example.com", true, "a wildcard"),
            (domain, "../restapis", false, "a path is no name"),
            (domain, "api.example.com\n", false, "nor are two lines"),
        ] {
            let id = EndpointId {
                account_id: "111122223333".into(),
                region: "eu-west-1".into(),
                type_,
                id: id.into(),
            };
            assert_eq!(plausible(&id), wanted, "{why}");
        }
        let long = EndpointId {
            account_id: "111122223333".into(),
            region: "eu-west-1".into(),
            type_: domain,
            id: "a".repeat(256),
        };
        assert!(!plausible(&long), "no name is so long");
    }
}
