//! Stopping the controller at a step of its work, and looking at what is left when it goes on.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use plumbline::api::Drift;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{REGION, World, cluster, is, until};

/// What the API server refuses for a while.
pub struct Forbidden(String);

impl World {
    /// `kill -9`, and the lease of the dead is nobody's: whoever comes next need not wait it out.
    pub async fn kill_and_bury(&mut self) {
        self.kill().await;
        self.leases()
            .delete(&self.lease_name(), &DeleteParams::default())
            .await
            .unwrap();
    }

    pub fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), cluster::SYSTEM)
    }

    pub fn lease_name(&self) -> String {
        format!("plumbline-{}", self.account_id)
    }

    /// Who holds the account's lease; empty: nobody.
    pub async fn leader(&self) -> String {
        let lease = self.leases().get_opt(&self.lease_name()).await.unwrap();
        lease.and_then(|l| l.spec?.holder_identity).unwrap_or_default()
    }

    /// Waits until nobody holds the account's lease.
    pub async fn nobody_leads(&self) {
        until("nobody leads it", || async {
            self.leader().await.is_empty().then_some(())
        })
        .await;
    }

    /// Deletes the account's object.
    pub async fn delete_account(&self) {
        let accounts = self.accounts();
        accounts.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }

    /// The API server refuses writes of the story's Drifts for which this CEL expression is true, until it is allowed.
    /// `request.subResource` is `status` for what the controller says, and absent otherwise.
    pub async fn forbid(&self, expression: &str) -> Forbidden {
        let rules = json!([{
            "apiGroups": ["plumbline.dev"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": ["drifts", "drifts/status", "endpointpolicies"],
        }]);
        self.forbid_where(&rules, expression).await
    }

    async fn forbid_where(&self, rules: &Value, expression: &str) -> Forbidden {
        let name = format!("{}-{:08x}", self.name, fxhash(expression));
        let probe =
            "request.resource.resource == 'drifts' && request.operation == 'CREATE' && object.spec.rule == 'probe'";
        let policy = json!({
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": rules},
                "validations": [
                    {"expression": format!("!({probe})"), "message": "probe"},
                    {"expression": format!("!({expression})"), "message": "forbidden by the story"},
                ],
            },
        });
        let binding = json!({
            "metadata": {"name": name},
            "spec": {
                "policyName": name, "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.name}}},
            },
        });
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(policy).unwrap();
        let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(binding).unwrap();
        Api::all(self.client.clone())
            .create(&PostParams::default(), &policy)
            .await
            .unwrap();
        Api::all(self.client.clone())
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
        until("the API server refuses what is forbidden", || async {
            self.probe_is_refused().await.then_some(())
        })
        .await;
        Forbidden(name)
    }

    /// Takes a refusal back, and waits until that is so.
    pub async fn allow(&self, forbidden: Forbidden) {
        self.lift(forbidden).await;
        until("the API server takes what was forbidden", || async {
            (!self.probe_is_refused().await).then_some(())
        })
        .await;
    }

    /// Takes a refusal back.
    pub async fn lift(&self, forbidden: Forbidden) {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(self.client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        bindings.delete(&forbidden.0, &DeleteParams::default()).await.unwrap();
        policies.delete(&forbidden.0, &DeleteParams::default()).await.unwrap();
    }

    /// Whether the API server takes no new Drift here now.
    pub async fn probe_is_refused(&self) -> bool {
        let probe: Drift = serde_json::from_value(json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "Drift", "metadata": {"name": "probe"},
            "spec": {"policy": "p", "policyUid": "u", "rule": "probe", "endpoint": "e", "target": "AWS::ApiGateway::Stage"},
        }))
        .unwrap();
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        self.drifts().create(&dry, &probe).await.is_err()
    }

    /// What the API server refused to the controller in this namespace, read from its own words in the log.
    pub fn was_refused(&self) -> bool {
        self.logged("forbidden by the story")
    }

    /// How often Plumbline's call of an operation was answered with success.
    pub fn made(&self, operation: &str) -> usize {
        self.sim
            .calls()
            .iter()
            .filter(|c| c.operation == operation && c.status < 400 && !c.principal.contains(":user/"))
            .count()
    }

    /// Waits until a call of an operation by Plumbline has arrived, answered or not.
    pub async fn arrived(&self, operation: &str) {
        let met = |c: &awsim::Call| c.operation == operation && !c.principal.contains(":user/");
        until(&format!("a call of {operation}"), || async {
            self.sim.calls().iter().any(met).then_some(())
        })
        .await;
    }

    /// What an API's editor and its stages hold.
    pub fn held(&self, api: &str) -> Value {
        self.sim.api_state(&self.account_id, REGION, api).unwrap()
    }

    /// The deployment that a stage serves.
    pub fn served(&self, api: &str, stage: &str) -> String {
        let held = self.held(api);
        held["stages"][stage]["deploymentId"]
            .as_str()
            .unwrap_or_else(|| panic!("{held:#}"))
            .to_owned()
    }

    /// Waits until everybody was told of a Drift's transition; gives the Drift.
    pub async fn told(&self, rule: &str, transition: &str) -> Drift {
        self.drift(rule, &format!("everybody has as {transition}"), |d| {
            let Some(status) = &d.status else { return false };
            let notified = status.notified.iter().filter(|n| n.transition == transition).count();
            status.recorded.iter().any(|t| t == transition) && notified == 2
        })
        .await
    }

    /// Waits until everybody was told of a Drift and it is known who did it: while nothing changes, nothing writes it any more.
    pub async fn settled(&self, rule: &str) -> Drift {
        self.told(rule, "Detected").await;
        let known = |d: &Drift| super::seen::of_drift(d, "Attributed").starts_with("Attributed=True");
        self.drift(rule, "names who did it", known).await
    }

    /// The audit record of a Drift's transition, as text; empty if there is none.
    pub async fn audit_of(&self, drift: &Drift, transition: &str) -> String {
        let end = format!("/{}-{transition}.jsonl.gz", uid(drift));
        let keys = self.aws.audit_keys().await;
        match keys.iter().find(|key| key.ends_with(&end)) {
            Some(key) => self.aws.audit(key).await.to_string(),
            None => String::new(),
        }
    }

    /// Waits until the account's `Observed` has a status.
    pub async fn account_observed(&self, status: &str) {
        until(&format!("account is Observed={status}"), || async {
            let account = self.accounts().get(&self.name).await.ok()?;
            is(&account.status?.conditions, "Observed", status).then_some(())
        })
        .await;
    }

    /// Waits for so many complete sweeps from now on.
    pub async fn swept(&self, times: usize) {
        for _ in 0..times {
            let last = || async { self.accounts().get(&self.name).await.ok()?.status?.last_sweep_time };
            let before = last().await;
            // The time has whole seconds.
            until("another sweep", || async { (last().await > before).then_some(()) }).await;
        }
    }

    /// Merges something into an object.
    pub async fn merge<K>(&self, api: &Api<K>, name: &str, patch: Value) -> K
    where
        K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    {
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }

    /// Merges something into an object's status.
    pub async fn merge_status<K>(&self, api: &Api<K>, name: &str, patch: Value) -> K
    where
        K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }

    /// Waits until an object is no more.
    pub async fn gone<K>(&self, what: &str, api: &Api<K>, name: &str)
    where
        K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
    {
        until(&format!("{what} is gone"), || async {
            api.get_opt(name).await.ok()?.is_none().then_some(())
        })
        .await;
    }

    /// Waits until a Kubernetes event about an object has these words in its note.
    pub async fn told_on(&self, object: &str, words: &str) {
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::all(self.client.clone());
        until(&format!("an event on {object} that says {words}"), || async {
            let listed = events.list(&kube::api::ListParams::default()).await.ok()?;
            let of = |e: &k8s_openapi::api::events::v1::Event| {
                e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(object)
                    && e.note.as_deref().is_some_and(|note| note.contains(words))
            };
            listed.items.iter().any(of).then_some(())
        })
        .await;
    }
}

/// The uid of an object.
pub fn uid(object: &impl ResourceExt) -> String {
    object.uid().unwrap()
}

/// A small number for a text, the same each time.
fn fxhash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
