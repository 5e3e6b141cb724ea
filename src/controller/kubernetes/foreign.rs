//! Objects that this version cannot read: a newer one wrote them, most likely.
//!
//! They are set aside and never stop what is read beside them. Nothing is concluded from their absence: whoever asks
//! whether something is gone asks here too. What a person has written says so in its status.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::ObjectMeta;
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::status;
use crate::api::condition::{self, Said};
use crate::api::drift::DriftSpec;
use crate::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy, Reason, Status};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// An object as it came: read, or as it stands. A watch of these goes on whatever is stored.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "almost every one is the large one")]
pub enum Came<K> {
    /// Understood.
    Read(K),
    /// Not understood.
    Foreign(Foreign),
}

/// An object that is not understood.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Its metadata, which every version understands.
    pub metadata: ObjectMeta,
    /// What is not understood.
    pub why: String,
    raw: Value,
}

impl Foreign {
    /// A field of its spec, as text.
    fn spec(&self, field: &str) -> Option<&str> {
        self.raw.get("spec")?.get(field)?.as_str()
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Came<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        match K::deserialize(&raw) {
            Ok(object) => Ok(Came::Read(object)),
            Err(error) => {
                let Envelope { metadata } = Envelope::deserialize(&raw).map_err(serde::de::Error::custom)?;
                let why = error.to_string();
                Ok(Came::Foreign(Foreign { metadata, why, raw }))
            }
        }
    }
}

impl<K: Resource> Resource for Came<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> std::borrow::Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> std::borrow::Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> std::borrow::Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> std::borrow::Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Came::Read(object) => object.meta(),
            Came::Foreign(foreign) => &foreign.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Came::Read(object) => object.meta_mut(),
            Came::Foreign(foreign) => &mut foreign.metadata,
        }
    }
}

/// Namespace and name.
pub type Key = (String, String);

/// The key of an object.
pub fn key(meta: &ObjectMeta) -> Key {
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// What is set aside of one kind.
pub struct Shelf<K>(Arc<Mutex<BTreeMap<Key, Arc<Foreign>>>>, PhantomData<fn() -> K>);

impl<K> Clone for Shelf<K> {
    fn clone(&self) -> Self {
        Shelf(self.0.clone(), PhantomData)
    }
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Shelf(Arc::default(), PhantomData)
    }
}

impl<K> Shelf<K> {
    fn held(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Foreign>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets an object aside.
    pub fn put(&self, foreign: Arc<Foreign>) {
        self.held().insert(key(&foreign.metadata), foreign);
    }

    /// It is gone, or understood by now.
    pub fn take(&self, key: &Key) {
        self.held().remove(key);
    }

    /// A complete list holds only these.
    pub fn keep_only(&self, keys: &std::collections::BTreeSet<Key>) {
        self.held().retain(|key, _| keys.contains(key));
    }

    fn find(&self, wanted: impl Fn(&Foreign) -> bool) -> Option<Arc<Foreign>> {
        self.held().values().find(|foreign| wanted(foreign)).cloned()
    }

    /// Whether it still stands as it was set aside.
    fn still(&self, foreign: &Foreign) -> bool {
        self.find(|f| {
            f.metadata.uid == foreign.metadata.uid && f.metadata.resource_version == foreign.metadata.resource_version
        })
        .is_some()
    }
}

/// Everything that is set aside.
#[derive(Clone, Default)]
pub struct Shelves {
    /// Accounts.
    pub accounts: Shelf<AwsAccount>,
    /// Policies.
    pub policies: Shelf<EndpointPolicy>,
    /// Exceptions.
    pub exceptions: Shelf<EndpointException>,
    /// Endpoints.
    pub endpoints: Shelf<AwsEndpoint>,
    /// Drifts.
    pub drifts: Shelf<Drift>,
}

impl Shelves {
    /// Whether the policy stands, and cannot be read.
    pub fn has_policy(&self, uid: &str) -> bool {
        self.policies.find(|f| f.metadata.uid.as_deref() == Some(uid)).is_some()
    }

    /// Whether an account object stands for that account id, and cannot be read.
    pub fn has_account(&self, account_id: &str) -> bool {
        self.accounts
            .find(|f| f.spec("accountId") == Some(account_id))
            .is_some()
    }

    /// The name of an exception that may be one of the policy's.
    pub fn exception_of(&self, namespace: &str, policy: &str) -> Option<String> {
        let of = |f: &Foreign| {
            f.metadata.namespace.as_deref() == Some(namespace) && f.spec("policy").is_none_or(|named| named == policy)
        };
        self.exceptions.find(of)?.metadata.name.clone()
    }

    /// The name of an endpoint of the account.
    pub fn endpoint_of(&self, account_id: &str) -> Option<String> {
        let of = |f: &Foreign| f.spec("accountId").is_none_or(|id| id == account_id);
        self.endpoints.find(of)?.metadata.name.clone()
    }

    /// Whether a Drift for the same thing stands, and cannot be read.
    pub fn has_drift(&self, namespace: &str, spec: &DriftSpec) -> bool {
        let of = |f: &Foreign| {
            f.metadata.namespace.as_deref() == Some(namespace)
                && f.spec("policyUid") == Some(&spec.policy_uid)
                && f.spec("rule") == Some(&spec.rule)
                && f.spec("endpoint") == Some(&spec.endpoint)
                && f.spec("resource").unwrap_or_default() == spec.resource
                && f.spec("reverts") == spec.reverts.as_deref()
        };
        self.drifts.find(of).is_some()
    }
}

/// Says on an object itself that it cannot be read, for as long as it stands so.
pub async fn confess<K>(client: Client, shelf: Shelf<K>, foreign: Arc<Foreign>, types: &'static [&'static str])
where
    K: Resource<DynamicType = ()>,
{
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match &foreign.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let Some(after) = confession(&foreign, types, Timestamp::now()) else {
        return;
    };
    let name = foreign.metadata.name.clone().unwrap_or_default();
    while shelf.still(&foreign) {
        match status::bounded(api.replace_status(&name, &PostParams::default(), &after)).await {
            Err(status::Error::Unavailable(_)) => tokio::time::sleep(std::time::Duration::from_secs(3)).await,
            _ => return,
        }
    }
}

/// The object with conditions that say so; none if they say so already.
fn confession(foreign: &Foreign, types: &[&'static str], now: Timestamp) -> Option<DynamicObject> {
    let conditions = |raw: &Value| -> Vec<Condition> {
        let listed = raw.get("status").and_then(|s| s.get("conditions"));
        listed.and_then(|c| Vec::deserialize(c).ok()).unwrap_or_default()
    };
    let mut said = conditions(&foreign.raw);
    let before = said.clone();
    for type_ in types {
        let status = if *type_ == "Ready" {
            Status::False
        } else {
            Status::Unknown
        };
        let message = format!(
            "this version of Plumbline cannot read it: {}; correct it, or run the version that it was written for",
            foreign.why
        );
        condition::set(
            &mut said,
            Said::new(type_, status, Reason::Invalid, message),
            foreign.metadata.generation,
            now,
        );
    }
    if said == before {
        return None;
    }
    let mut raw = foreign.raw.clone();
    let said = serde_json::to_value(said).ok()?;
    let status = raw
        .as_object_mut()?
        .entry("status")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    status.as_object_mut()?.insert("conditions".into(), said);
    serde_json::from_value(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(enforcement: &str) -> Value {
        json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7"},
            "spec": {"enforcement": enforcement, "rules": [{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {}}]},
            "status": {"endpoints": 4, "unheardOf": true},
        })
    }

    #[test]
    fn what_cannot_be_read_keeps_its_metadata_and_everything_else() {
        let read: Came<EndpointPolicy> = serde_json::from_value(policy("Audit")).unwrap();
        assert!(matches!(read, Came::Read(_)));
        let foreign: Came<EndpointPolicy> = serde_json::from_value(policy("Heal")).unwrap();
        assert_eq!(foreign.meta().uid.as_deref(), Some("u"));
        let Came::Foreign(foreign) = foreign else {
            panic!("read")
        };
        assert!(foreign.why.contains("Heal"), "{}", foreign.why);
        let after = confession(&foreign, &["Ready", "Compliant"], Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(after.data["spec"], policy("Heal")["spec"]);
        assert_eq!(
            after.data["status"]["unheardOf"], true,
            "what a newer version wrote stays"
        );
        let ready = &after.data["status"]["conditions"][0];
        assert_eq!(
            (ready["status"].as_str(), ready["observedGeneration"].as_i64()),
            (Some("False"), Some(3))
        );
        let again: Came<EndpointPolicy> = serde_json::from_value(serde_json::to_value(&after).unwrap()).unwrap();
        let Came::Foreign(again) = again else { panic!("read") };
        assert!(
            confession(&again, &["Ready", "Compliant"], Timestamp::now()).is_none(),
            "said once"
        );
    }

    #[test]
    fn nothing_is_concluded_from_what_is_set_aside() {
        let shelves = Shelves::default();
        let put = |raw: Value| match serde_json::from_value::<Came<EndpointPolicy>>(raw).unwrap() {
            Came::Foreign(foreign) => Arc::new(foreign),
            Came::Read(_) => panic!("read"),
        };
        shelves.policies.put(put(policy("Heal")));
        assert!(shelves.has_policy("u") && !shelves.has_policy("v"));
        shelves.policies.keep_only(&std::collections::BTreeSet::new());
        assert!(!shelves.has_policy("u"), "a complete list no longer holds it");
        let exception = |spec: Value| {
            let raw = json!({"metadata": {"name": "e", "namespace": "n"}, "spec": spec});
            match serde_json::from_value::<Came<EndpointException>>(raw).unwrap() {
                Came::Foreign(foreign) => Arc::new(foreign),
                Came::Read(_) => panic!("read"),
            }
        };
        shelves
            .exceptions
            .put(exception(json!({"policy": "p", "endpoints": 1})));
        assert_eq!(shelves.exception_of("n", "p").as_deref(), Some("e"));
        assert_eq!(shelves.exception_of("n", "q"), None, "another policy's");
        assert_eq!(shelves.exception_of("m", "p"), None, "another namespace's");
        shelves.exceptions.put(exception(json!({"policy": {"newer": "p"}})));
        assert_eq!(
            shelves.exception_of("n", "q").as_deref(),
            Some("e"),
            "whose it is cannot be told: anybody's"
        );
    }
}
