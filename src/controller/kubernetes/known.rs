//! What Kubernetes holds, as far as it is known here: by the watch, and by the own writes, which it has at once. Whoever looks
//! after a write sees what was written, and does not write over it what was read before.

use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{AwsAccount, AwsEndpoint, Drift, EndpointException, EndpointPolicy};
use crate::controller::context::Stores;

/// The answer to a write may be looked at so long after the watch has told that the object is gone.
const LATE: Duration = Duration::from_mins(1);

/// The store of a kind.
pub struct Known<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<K>,
    /// Whoever writes the store holds it.
    inside: Arc<Mutex<Inside<K>>>,
}

struct Inside<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    writer: Writer<K>,
    /// By uid, and since when: an answer that comes late makes none of these stand again.
    gone: HashMap<String, Instant>,
}

impl<K> Inside<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    fn bury(&mut self, object: &K) {
        self.gone.retain(|_, since| since.elapsed() < LATE);
        self.gone.insert(object.uid().unwrap_or_default(), Instant::now());
    }
}

impl<K> Clone for Known<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    fn clone(&self) -> Self {
        Known {
            store: self.store.clone(),
            inside: self.inside.clone(),
        }
    }
}

impl<K> Deref for Known<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    type Target = Store<K>;

    fn deref(&self) -> &Store<K> {
        &self.store
    }
}

impl<K> Known<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// With nothing in it.
    pub fn new() -> Self {
        let (store, writer) = reflector::store();
        Known {
            store,
            inside: Arc::new(Mutex::new(Inside {
                writer,
                gone: HashMap::new(),
            })),
        }
    }

    /// The store itself.
    pub fn store(&self) -> &Store<K> {
        &self.store
    }

    /// What the watch tells. It may be behind what was written from here: what is older than what is known is no news.
    pub fn told(&self, event: &Event<K>) {
        let mut inside = self.inside();
        match event {
            Event::Apply(object) if self.is_overtaken(object) => return,
            Event::Apply(object) | Event::InitApply(object) => {
                inside.gone.remove(&object.uid().unwrap_or_default());
            }
            Event::Delete(object) => inside.bury(object),
            Event::Init => {}
            Event::InitDone => return self.relisted(&mut inside),
        }
        inside.writer.apply_watcher_event(event);
    }

    /// A list takes the place of everything: of what it is behind of, too, and of what it does not hold any more.
    fn relisted(&self, inside: &mut Inside<K>) {
        let before = self.store.state();
        inside.writer.apply_watcher_event(&Event::InitDone);
        for object in before {
            match self.store.get(&ObjectRef::from(object.as_ref())) {
                None => inside.bury(object.as_ref()),
                Some(listed) if listed.uid() == object.uid() && version(object.as_ref()) > version(listed.as_ref()) => {
                    inside.writer.apply_watcher_event(&Event::Apply(K::clone(&object)));
                }
                Some(_) => {}
            }
        }
    }

    /// What Kubernetes answered to an own write.
    pub fn wrote(&self, object: &K) {
        let mut inside = self.inside();
        let uid = object.uid().unwrap_or_default();
        // The write that takes the last finalizer off ends the object.
        let ended = object.meta().deletion_timestamp.is_some() && object.finalizers().is_empty();
        if ended || inside.gone.contains_key(&uid) || version(object).is_none() || self.is_overtaken(object) {
            return;
        }
        let mut object = object.clone();
        object.meta_mut().managed_fields = None;
        inside.writer.apply_watcher_event(&Event::Apply(object));
    }

    /// Whether something newer is known.
    fn is_overtaken(&self, object: &K) -> bool {
        let known = self.store.get(&ObjectRef::from(object));
        known.is_some_and(|known| version(known.as_ref()) > version(object) && version(object).is_some())
    }

    fn inside(&self) -> MutexGuard<'_, Inside<K>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kubernetes counts up; what is no number cannot be compared.
fn version<K: Resource>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_ref()?.parse().ok()
}

/// A kind that is written from here.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug + PartialEq + 'static
{
    /// Where the objects of a namespace are; it is empty for kinds that have none.
    fn api(client: &Client, namespace: &str) -> Api<Self>;
    /// What is known of them.
    fn store(stores: &Stores) -> &Known<Self>;
}

macro_rules! kinds {
    ($($kind:ty, $of:expr, $known:ident;)*) => {$(
        impl Kind for $kind {
            fn api(client: &Client, namespace: &str) -> Api<Self> {
                $of(client.clone(), namespace)
            }

            fn store(stores: &Stores) -> &Known<Self> {
                &stores.$known
            }
        }
    )*};
}

kinds! {
    AwsAccount, |client, _| Api::all(client), accounts;
    AwsEndpoint, |client, _| Api::all(client), endpoints;
    EndpointPolicy, Api::namespaced, policies;
    EndpointException, Api::namespaced, exceptions;
    Drift, Api::namespaced, drifts;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What happens to an object.
    enum Happens {
        Told(&'static str),
        Wrote(&'static str),
        WroteTheLastFinalizerOff(&'static str),
        /// All that stands is told anew.
        Listed(Option<&'static str>),
        Gone,
    }

    fn policy(version: &str, ends: bool) -> EndpointPolicy {
        let ends = ends.then_some("2026-11-25T10:00:00Z");
        serde_json::from_value(json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": version, "deletionTimestamp": ends},
            "spec": {"rules": [{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {}}]},
        }))
        .unwrap()
    }

    #[test]
    fn own_writes_are_seen_at_once_and_nothing_older_after_them() {
        use Happens::{Gone, Listed, Told, Wrote, WroteTheLastFinalizerOff};
        let known = Known::<EndpointPolicy>::new();
        known.told(&Event::Init);
        known.told(&Event::InitDone);
        for (happens, version, why) in [
            (Told("7"), Some("7"), "the watch tells of it"),
            (
                Wrote("9"),
                Some("9"),
                "an own write is known before the watch tells of it",
            ),
            (Told("8"), Some("9"), "the watch is behind"),
            (Told("9"), Some("9"), "and arrives"),
            (
                Told("10"),
                Some("10"),
                "somebody else wrote: the number has a digit more and is newer",
            ),
            (
                Wrote("9"),
                Some("10"),
                "the answer to a write that somebody has overtaken",
            ),
            (
                Wrote("eleven"),
                Some("10"),
                "what cannot be compared is left to the watch",
            ),
            (Told("eleven"), Some("eleven"), "which is believed"),
            (Told("12"), Some("12"), "and goes on"),
            (WroteTheLastFinalizerOff("13"), Some("12"), "it is about to go"),
            (Gone, None, "it goes"),
            (Wrote("13"), None, "an answer that comes late makes it stand no more"),
            (
                Told("20"),
                Some("20"),
                "it stands again, as after somebody has corrected what could not be read",
            ),
            (Wrote("22"), Some("22"), "and is written"),
            (Listed(Some("21")), Some("22"), "a list is behind as well"),
            (Listed(None), None, "a list does not hold it any more: it went unseen"),
            (Wrote("23"), None, "an answer that comes late"),
        ] {
            match happens {
                Told(version) => known.told(&Event::Apply(policy(version, false))),
                Wrote(version) => known.wrote(&policy(version, false)),
                WroteTheLastFinalizerOff(version) => known.wrote(&policy(version, true)),
                Listed(version) => {
                    known.told(&Event::Init);
                    if let Some(version) = version {
                        known.told(&Event::InitApply(policy(version, false)));
                    }
                    known.told(&Event::InitDone);
                }
                Gone => known.told(&Event::Delete(policy("14", true))),
            }
            let found = known.find(|_| true).and_then(|policy| policy.resource_version());
            assert_eq!(found.as_deref(), version, "{why}");
        }
    }
}
