//! The budgeted list: everything of an account is read again, spread over the interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use crate::api::policy::EndpointType;
use crate::aws::Error;
use crate::aws::apigateway::assemble;
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::read::{self, ApiReading, Depth, ExportCache};
use crate::judge::Snapshot;
use crate::judge::snapshot::EndpointId;

/// How many endpoints are read at the same time. The budget is what limits; this only fills it.
const AT_ONCE: usize = 8;

/// Who hears what a sweep finds.
pub trait Listener: Sync {
    /// A complete list of a region.
    fn listed(&self, region: &str, endpoints: &BTreeMap<EndpointId, Value>) -> impl Future<Output = ()> + Send;
    /// One endpoint was read, or could not be. No part of the reading is older than `begun`.
    fn read(
        &self,
        id: &EndpointId,
        depth: Depth,
        begun: Instant,
        result: Result<Arc<Snapshot>, Error>,
    ) -> impl Future<Output = ()> + Send;

    /// The digest of what is known of an endpoint, from a complete reading of this depth.
    fn known(&self, _id: &EndpointId, _depth: Depth) -> Option<String> {
        None
    }

    /// One endpoint was read, and is as it was `known`.
    fn unchanged(&self, _id: &EndpointId) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What one sweep came to.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many endpoints stand there.
    pub endpoints: usize,
    /// The first thing that could not be read.
    pub failure: Option<Error>,
}

/// Reads one region: the lists, then each endpoint, `spread` over time.
pub async fn region(
    client: &Client,
    account_id: &str,
    region: &str,
    depth: Depth,
    exports: &ExportCache,
    spread: Duration,
    listener: &impl Listener,
) -> Swept {
    let begun = Instant::now();
    let listed = match list(client, account_id, region).await {
        Ok(listed) => listed,
        Err(error) => {
            return Swept {
                endpoints: 0,
                failure: Some(error),
            };
        }
    };
    exports.retain_apis(account_id, region, |api| {
        listed.contains_key(&EndpointId {
            account_id: account_id.to_owned(),
            region: region.to_owned(),
            type_: EndpointType::RestApi,
            id: api.to_owned(),
        })
    });
    listener.listed(region, &listed).await;
    let count = listed.len();
    let pause = spread
        .checked_div(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
        .unwrap_or_default();
    let mut reading = FuturesUnordered::new();
    let mut failure = None;
    for (at, (id, document)) in listed.iter().enumerate() {
        if at > 0 && !pause.is_zero() {
            // One after the other: whatever is under way must not stand still while this waits.
            while let Some(ended) = reading.next().await {
                failure = failure.or(ended);
            }
            tokio::time::sleep(pause).await;
        }
        if reading.len() >= AT_ONCE {
            failure = failure.or(reading.next().await.flatten());
        }
        reading.push(one(client, id, document, depth, exports, begun, listener).boxed());
    }
    while let Some(ended) = reading.next().await {
        failure = failure.or(ended);
    }
    Swept {
        endpoints: count,
        failure,
    }
}

/// Reads one endpoint and says so; gives what went wrong.
async fn one(
    client: &Client,
    id: &EndpointId,
    document: &Value,
    depth: Depth,
    exports: &ExportCache,
    begun: Instant,
    listener: &impl Listener,
) -> Option<Error> {
    let known = listener.known(id, depth);
    match look(client, id, depth, exports).await {
        Ok(seen) if known.is_some_and(|known| seen.is_still(document, &known)) => {
            listener.unchanged(id).await;
            None
        }
        Ok(seen) => {
            listener.read(id, depth, begun, Ok(seen.snapshot(id, document))).await;
            None
        }
        Err(error) => {
            listener.read(id, depth, begun, Err(error.clone())).await;
            Some(error)
        }
    }
}

/// Every endpoint of a region, with its document as the list showed it.
pub async fn list(client: &Client, account_id: &str, region: &str) -> Result<BTreeMap<EndpointId, Value>, Error> {
    let mut found = BTreeMap::new();
    let mut add = |type_, listed: Vec<read::Listed>| {
        for read::Listed { id, document, .. } in listed {
            let id = EndpointId {
                account_id: account_id.to_owned(),
                region: region.to_owned(),
                type_,
                id,
            };
            found.insert(id, document);
        }
    };
    add(EndpointType::RestApi, read::list_rest_apis(client).await?);
    add(EndpointType::DomainName, read::list_domain_names(client).await?);
    Ok(found)
}

/// What was read of one endpoint besides its entry in the list.
enum Seen {
    RestApi(Depth, ApiReading),
    DomainName,
}

async fn look(client: &Client, id: &EndpointId, depth: Depth, exports: &ExportCache) -> Result<Seen, Error> {
    Ok(match id.type_ {
        EndpointType::DomainName => Seen::DomainName,
        EndpointType::RestApi => Seen::RestApi(depth, read::read_api(client, &id.id, depth, exports).await?),
    })
}

impl Seen {
    /// Whether the snapshot would be one with this digest. Cheap: nothing is put together.
    fn is_still(&self, listed: &Value, digest: &str) -> bool {
        match self {
            // An export that was read just now may hold something else than the one that the digest stands for.
            Seen::RestApi(_, reading) if reading.fresh => false,
            Seen::RestApi(depth, reading) => {
                let resources = resources(*depth, reading);
                assemble::digest_of(listed, &reading.stages, resources, &reading.exports) == digest
            }
            Seen::DomainName => false,
        }
    }

    fn snapshot(&self, id: &EndpointId, listed: &Value) -> Arc<Snapshot> {
        Arc::new(match self {
            Seen::DomainName => assemble::domain_name(id.clone(), listed),
            Seen::RestApi(depth, reading) => {
                let resources = resources(*depth, reading);
                assemble::rest_api(id.clone(), listed, &reading.stages, resources, &reading.documents())
            }
        })
    }
}

fn resources(depth: Depth, reading: &ApiReading) -> Option<&[Value]> {
    (depth >= Depth::Resources).then_some(reading.resources.as_slice())
}

/// Reads one endpoint whole.
pub async fn endpoint(
    client: &Client,
    id: &EndpointId,
    listed: &Value,
    depth: Depth,
    exports: &ExportCache,
) -> Result<Arc<Snapshot>, Error> {
    Ok(look(client, id, depth, exports).await?.snapshot(id, listed))
}

/// Reads one endpoint again, its own document too.
pub async fn again(
    client: &Client,
    id: &EndpointId,
    depth: Depth,
    exports: &ExportCache,
) -> Result<Arc<Snapshot>, Error> {
    let listed = match id.type_ {
        EndpointType::RestApi => client.get_rest_api(&id.id).await?,
        EndpointType::DomainName => read::domain_name(client, &id.id).await?,
    };
    endpoint(client, id, &listed, depth, exports).await
}
