//! The fixed request quotas: token buckets per account and region, turned by the caller's clock.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::router::Operation;
use crate::service::Service;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// The buckets of one account in one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets(HashMap<Option<Operation>, Bucket>);

/// All operations of API Gateway together: burst and requests a second.
const TOTAL: (f64, f64) = (40.0, 10.0);

/// Burst and requests a second of one operation.
fn quota(operation: Operation) -> Option<(f64, f64)> {
    match operation {
        Operation::GetResources => Some((5.0, 2.5)),
        Operation::CreateDeployment => Some((1.0, 1.0 / 5.0)),
        Operation::UpdateAccount => Some((1.0, 1.0 / 20.0)),
        Operation::CreateDomainName
        | Operation::UpdateDomainName
        | Operation::DeleteDomainName
        | Operation::DeleteRestApi => Some((1.0, 1.0 / 30.0)),
        Operation::CreateRestApi | Operation::ImportRestApi => Some((1.0, 1.0 / 3.0)),
        Operation::PutRestApi => Some((1.0, 1.0)),
        Operation::CreateResource | Operation::DeleteResource => Some((5.0, 5.0)),
        Operation::LookupEvents => Some((2.0, 2.0)),
        _ => None,
    }
}

impl Buckets {
    /// Takes one call, or says that there is none left; a refused call costs nothing.
    pub(crate) fn take(&mut self, operation: Operation, now: Timestamp) -> bool {
        let own = quota(operation).map(|quota| (Some(operation), quota));
        let total = (operation.service() == Service::ApiGateway).then_some((None, TOTAL));
        let wanted = [total, own];
        let enough = wanted
            .iter()
            .flatten()
            .all(|(key, quota)| self.fill(*key, *quota, now) >= 1.0);
        if enough {
            for (key, _) in wanted.iter().flatten() {
                if let Some(bucket) = self.0.get_mut(key) {
                    bucket.tokens -= 1.0;
                }
            }
        }
        enough
    }

    fn fill(&mut self, key: Option<Operation>, (burst, rate): (f64, f64), now: Timestamp) -> f64 {
        let bucket = self.0.entry(key).or_insert(Bucket { tokens: burst, at: now });
        let passed = now.duration_since(bucket.at).as_secs_f64();
        if passed > 0.0 {
            // A hair is added so that a caller who waits exactly long enough is served.
            bucket.tokens = (bucket.tokens + passed * rate + 1e-9).min(burst);
            bucket.at = now;
        }
        bucket.tokens
    }
}
