//! What a person sees, and waiting for it.

use awsim::{Call, Fault};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use plumbline::api::{AwsAccount, AwsEndpoint, Drift, EndpointPolicy};

use super::aws::Developer;
use super::{World, until, until_seen};

/// A backend that is called in clear text.
pub const CLEAR_TEXT: &str = "http://backend.example.com/plain";

/// A condition in a line, as in `Ready=False Invalid: rule a, require: ...`.
pub fn line(conditions: &[Condition], type_: &str) -> String {
    conditions
        .iter()
        .find(|c| c.type_ == type_)
        .map_or_else(String::new, |c| {
            format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message)
        })
}

/// A condition of a Drift in a line.
pub fn of_drift(drift: &Drift, type_: &str) -> String {
    drift
        .status
        .as_ref()
        .map_or_else(String::new, |s| line(&s.conditions, type_))
}

impl World {
    /// Waits until a condition of a policy reads as asked, as in `Ready=False Invalid`; gives the policy.
    pub async fn policy_says(&self, policy: &str, type_: &str, starts: &str) -> EndpointPolicy {
        until_seen(&format!("policy {policy} says {starts}"), || async {
            let policy = self.policies().get(policy).await.map_err(|e| e.to_string())?;
            let said = policy
                .status
                .as_ref()
                .map_or_else(String::new, |s| line(&s.conditions, type_));
            if said.starts_with(starts) {
                Ok(policy)
            } else {
                Err(said)
            }
        })
        .await
    }

    /// Waits until a condition of an account reads as asked; gives the whole line.
    pub async fn account_says(&self, account: &str, type_: &str, starts: &str) -> String {
        until_seen(&format!("account {account} says {starts}"), || async {
            let account: AwsAccount = self.accounts().get(account).await.map_err(|e| e.to_string())?;
            let said = account
                .status
                .as_ref()
                .map_or_else(String::new, |s| line(&s.conditions, type_));
            if said.starts_with(starts) { Ok(said) } else { Err(said) }
        })
        .await
    }

    /// Waits until the object of an API is as asked.
    pub async fn endpoint_says(&self, api: &str, type_: &str, starts: &str) -> AwsEndpoint {
        let name = self.endpoint_name(api);
        until_seen(&format!("endpoint {name} says {starts}"), || async {
            let endpoint = self.endpoints().get(&name).await.map_err(|e| e.to_string())?;
            let said = endpoint
                .status
                .as_ref()
                .map_or_else(String::new, |s| line(&s.conditions, type_));
            if said.starts_with(starts) {
                Ok(endpoint)
            } else {
                Err(said)
            }
        })
        .await
    }

    /// The name of the object of an API.
    pub fn endpoint_name(&self, api: &str) -> String {
        format!("{}-{}-restapi-{api}", self.account_id, super::REGION)
    }

    /// The sequence of sweeps goes on: waits until so many more of them have come to their end.
    pub async fn sweeps(&self, count: usize) {
        for _ in 0..count {
            let before = self.last_sweep().await;
            until("another complete sweep", || async {
                (self.last_sweep().await > before).then_some(())
            })
            .await;
        }
    }

    async fn last_sweep(&self) -> Option<jiff::Timestamp> {
        let account = self.accounts().get(&self.name).await.ok()?;
        account.status?.last_sweep_time.map(|at| at.0)
    }

    /// Changes AWS while Plumbline does not look: no sweep sees anything between the first and the last of the change.
    pub async fn unseen<T>(&self, change: impl Future<Output = T>) -> T {
        let refused = || {
            let met = |c: &&Call| c.operation == "GetRestApis" && c.status == 503;
            self.sim.calls().iter().filter(met).count()
        };
        let before = refused();
        self.sim.fault(Fault::error(
            "GetRestApis",
            503,
            "ServiceUnavailableException",
            "not now",
        ));
        // A sweep that is refused begins after the one before it has ended.
        until("a sweep that is refused", || async {
            (refused() > before).then_some(())
        })
        .await;
        let changed = change.await;
        self.sim.clear_faults();
        changed
    }

    /// Somebody calls the backend of an API's first method in clear text, and deploys that to a stage.
    pub async fn open_to_clear_text(&self, who: &Developer, api: &str, stage: &str) {
        self.unseen(async {
            who.point_backend(api, CLEAR_TEXT).await;
            who.deploy(api, stage).await;
        })
        .await;
    }

    /// Operations by which Plumbline changed something, with the API's id and the stage.
    pub fn writes(&self) -> Vec<String> {
        let by = |c: &&Call| !c.read_only && c.status < 400 && !c.principal.contains(":user/");
        let shown = |c: &Call| {
            let stage = c.ids.get("stageName").map_or("", String::as_str);
            format!("{} {stage}", c.operation).trim_end().to_owned()
        };
        self.sim.calls().iter().filter(by).map(shown).collect()
    }

    /// What an API's editor and its stages hold.
    pub fn state(&self, api: &str) -> serde_json::Value {
        self.sim.api_state(&self.account_id, super::REGION, api).unwrap()
    }
}
