//! Who may go first: to judge is quick and must not wait behind repairs, which wait for AWS's quotas.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::endpoint::AwsEndpointSpec;

/// So many endpoints are judged at once.
const JUDGED: usize = 16;
/// So many endpoints of an account and region are repaired at once: more of them would only wait for the same quota, and in
/// Kubernetes get in the way of what was found since.
const REPAIRED: usize = 4;

/// The places, each given in the order in which they were asked for.
pub struct Turns {
    judging: Arc<Semaphore>,
    /// By account id and region, while anybody has one.
    repairing: Mutex<HashMap<(String, String), Arc<Semaphore>>>,
}

/// Somebody's, until it is dropped. No place means that none is needed any more: nobody ever closes them.
pub type Place = Option<OwnedSemaphorePermit>;

impl Default for Turns {
    fn default() -> Self {
        Turns {
            judging: Arc::new(Semaphore::new(JUDGED)),
            repairing: Mutex::default(),
        }
    }
}

impl Turns {
    /// To judge an endpoint and to say so in Kubernetes.
    pub async fn judge(&self) -> Place {
        self.judging.clone().acquire_owned().await.ok()
    }

    /// To look at AWS before a repair, and to make it. `true`: it was waited for, and what was decided before is old.
    pub async fn repair(&self, endpoint: &AwsEndpointSpec) -> (Place, bool) {
        let places = self.of(endpoint);
        match places.clone().try_acquire_owned() {
            Ok(place) => (Some(place), false),
            Err(_) => (places.acquire_owned().await.ok(), true),
        }
    }

    fn of(&self, endpoint: &AwsEndpointSpec) -> Arc<Semaphore> {
        let mut all = self.repairing.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, places| Arc::strong_count(places) > 1);
        let quota = (endpoint.account_id.clone(), endpoint.region.clone());
        let places = all.entry(quota).or_insert_with(|| Arc::new(Semaphore::new(REPAIRED)));
        places.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::EndpointType;

    fn endpoint(region: &str) -> AwsEndpointSpec {
        AwsEndpointSpec {
            account_id: "111122223333".into(),
            region: region.into(),
            type_: EndpointType::RestApi,
            id: "a1b2c3d4e5".into(),
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_a_repair_holds_up_no_judgement_and_no_other_region() {
        let turns = Turns::default();
        let (busy, idle) = (endpoint("eu-west-1"), endpoint("eu-north-1"));
        let mut repairs = Vec::new();
        for number in 0..REPAIRED {
            let (place, waited) = turns.repair(&busy).await;
            assert!(place.is_some() && !waited, "repair {number} has a place at once");
            repairs.push(place);
        }
        let one_more = turns.repair(&busy);
        tokio::pin!(one_more);
        assert!(futures::poll!(one_more.as_mut()).is_pending(), "all places are taken");
        assert!(turns.judge().await.is_some(), "which judging does not need");
        assert!(!turns.repair(&idle).await.1, "nor does another region");
        repairs.pop();
        let (place, waited) = one_more.await;
        assert!(
            place.is_some() && waited,
            "it has the place of the one that is over, and knows that it is late"
        );
    }
}
