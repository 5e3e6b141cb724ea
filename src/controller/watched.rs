//! One watch for each kind: it fills the store, tells what moved, and is never stopped by an object that cannot be read.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::foreign::{Came, Foreign, Key, Shelf, key};

/// What a watch tells.
#[derive(Debug)]
pub enum News<K> {
    /// It stands, new or changed or listed again.
    Stands(K),
    /// It is gone.
    Gone(K),
    /// It stands, and cannot be read.
    Foreign(Arc<Foreign>),
    /// Everything was listed again: whatever is gone went unseen.
    Relisted,
}

/// Watches a kind. The store is right before the news is told.
pub fn everything<K>(client: &Client, shelf: &Shelf<K>) -> (Store<K>, impl Stream<Item = News<K>> + Send + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, mut writer) = reflector::store();
    let mut sorter = Sorter {
        store: store.clone(),
        shelf: shelf.clone(),
        listed: BTreeSet::new(),
    };
    let news = watcher(Api::<Came<K>>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .filter_map(|event| async {
            event
                .inspect_err(|error| tracing::warn!(kind = %K::kind(&()), %error, "a watch broke off and begins again"))
                .ok()
        })
        .filter_map(move |event| {
            let (event, foreign) = sorter.sort(event);
            if let Some(event) = &event {
                writer.apply_watcher_event(event);
            }
            let told = sorter.tell(event, foreign);
            async move { told }
        });
    (store, news)
}

/// Keeps apart what is read and what is set aside.
struct Sorter<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    shelf: Shelf<K>,
    /// What a list under way holds that cannot be read.
    listed: BTreeSet<Key>,
}

impl<K> Sorter<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// What the store is to be told of an event, and the object that is to be set aside.
    fn sort(&mut self, event: Event<Came<K>>) -> (Option<Event<K>>, Option<Arc<Foreign>>) {
        match event {
            Event::Init => {
                self.listed.clear();
                (Some(Event::Init), None)
            }
            Event::InitDone => (Some(Event::InitDone), None),
            Event::InitApply(Came::Read(object)) => (Some(Event::InitApply(object)), None),
            Event::InitApply(Came::Foreign(foreign)) => {
                self.listed.insert(key(&foreign.metadata));
                (None, Some(self.aside(foreign)))
            }
            Event::Apply(Came::Read(object)) => (Some(Event::Apply(object)), None),
            Event::Apply(Came::Foreign(foreign)) => {
                let foreign = self.aside(foreign);
                // What was read of it before holds no more.
                let before = self.store.get(&reference(&foreign));
                (
                    before.map(|old| Event::Delete(Arc::unwrap_or_clone(old))),
                    Some(foreign),
                )
            }
            Event::Delete(Came::Read(object)) => (Some(Event::Delete(object)), None),
            Event::Delete(Came::Foreign(foreign)) => {
                self.shelf.take(&key(&foreign.metadata));
                (None, None)
            }
        }
    }

    /// Set aside before the store forgets it: at no moment does it look gone.
    fn aside(&self, foreign: Foreign) -> Arc<Foreign> {
        tracing::warn!(kind = %K::kind(&()), name = foreign.metadata.name, why = foreign.why, "cannot be read, and is left alone");
        let foreign = Arc::new(foreign);
        self.shelf.put(foreign.clone());
        foreign
    }

    /// The store has heard of it: what the others are told.
    fn tell(&mut self, event: Option<Event<K>>, foreign: Option<Arc<Foreign>>) -> Option<News<K>> {
        if let Some(foreign) = foreign {
            return Some(News::Foreign(foreign));
        }
        match event? {
            Event::Apply(object) => {
                self.shelf.take(&key(object.meta()));
                Some(News::Stands(object))
            }
            Event::InitApply(object) => Some(News::Stands(object)),
            Event::Delete(object) => {
                self.shelf.take(&key(object.meta()));
                Some(News::Gone(object))
            }
            Event::InitDone => {
                self.shelf.keep_only(&self.listed);
                Some(News::Relisted)
            }
            Event::Init => None,
        }
    }
}

fn reference<K: Resource<DynamicType = ()>>(foreign: &Foreign) -> ObjectRef<K> {
    let (namespace, name) = key(&foreign.metadata);
    let object = ObjectRef::new(&name);
    if namespace.is_empty() {
        object
    } else {
        object.within(&namespace)
    }
}

/// What of an object decides whether others must look again: not its status.
#[derive(PartialEq)]
struct Mark {
    generation: Option<i64>,
    ending: bool,
    labels: Option<std::collections::BTreeMap<String, String>>,
}

/// The marks that were seen of each object of a kind.
#[derive(Default)]
pub struct Marks(HashMap<String, Mark>);

impl Marks {
    /// Whether this is news to others than the object's own reconciler.
    pub fn moved<K: Resource>(&mut self, news: &News<K>) -> bool {
        let object = match news {
            News::Foreign(_) | News::Relisted => return true,
            News::Gone(object) => {
                self.0.remove(object.meta().uid.as_deref().unwrap_or_default());
                return true;
            }
            News::Stands(object) => object.meta(),
        };
        let mark = Mark {
            generation: object.generation,
            ending: object.deletion_timestamp.is_some(),
            labels: object.labels.clone(),
        };
        let uid = object.uid.clone().unwrap_or_default();
        if self.0.get(&uid) == Some(&mark) {
            return false;
        }
        self.0.insert(uid, mark);
        true
    }
}

/// What a Controller takes: objects that it shall look at. Everything else is heard by `hear` alone.
pub fn trigger<K: Send + 'static>(
    news: impl Stream<Item = News<K>> + Send + 'static,
    mut hear: impl FnMut(&News<K>) + Send + 'static,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
    news.filter_map(move |news| {
        hear(&news);
        let object = match news {
            News::Stands(object) | News::Gone(object) => Some(Ok(object)),
            News::Foreign(_) | News::Relisted => None,
        };
        async move { object }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointPolicy;
    use serde_json::{Value, json};

    fn came(enforcement: &str) -> Came<EndpointPolicy> {
        let raw: Value = json!({
            "apiVersion": "plumbline.dev/v1alpha1", "kind": "EndpointPolicy",
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": enforcement},
            "spec": {"enforcement": enforcement, "rules": [{"name": "r", "target": "AWS::ApiGateway::Stage", "desired": {}}]},
        });
        serde_json::from_value(raw).unwrap()
    }

    #[test]
    fn an_object_is_read_or_set_aside_and_never_neither() {
        let (store, mut writer) = reflector::store::<EndpointPolicy>();
        let shelves = super::super::foreign::Shelves::default();
        let mut sorter = Sorter {
            store: store.clone(),
            shelf: shelves.policies.clone(),
            listed: BTreeSet::new(),
        };
        let mut feed = |event| {
            let (event, foreign) = sorter.sort(event);
            if let Some(event) = &event {
                writer.apply_watcher_event(event);
            }
            let news = sorter.tell(event, foreign);
            let read = store.find(|_| true).is_some();
            (read, shelves.has_policy("u"), news)
        };
        for (event, read, aside, why) in [
            (Event::Init, false, false, "a list begins"),
            (
                Event::InitApply(came("Heal")),
                false,
                true,
                "listed, and not understood",
            ),
            (Event::InitDone, false, true, "the list does not end in nothing"),
            (Event::Apply(came("Audit")), true, false, "corrected"),
            (
                Event::Apply(came("Heal")),
                false,
                true,
                "what was read before holds no more",
            ),
            (Event::Init, false, true, "a list under way proves nothing yet"),
            (
                Event::InitApply(came("Audit")),
                false,
                true,
                "it is not in the store yet",
            ),
            (Event::InitDone, true, false, "now it is"),
            (Event::Apply(came("Heal")), false, true, "again"),
            (Event::Delete(came("Heal")), false, false, "deleted"),
            (Event::Apply(came("Heal")), false, true, "and back"),
            (Event::Init, false, true, "listed anew"),
            (Event::InitDone, false, false, "a complete list without it"),
        ] {
            let (is_read, is_aside, _) = feed(event);
            assert_eq!((is_read, is_aside), (read, aside), "{why}");
        }
    }

    #[test]
    fn others_hear_of_specs_labels_and_ends_and_not_of_statuses() {
        let policy = |generation: i64, label: &str| -> EndpointPolicy {
            let mut policy = match came("Audit") {
                Came::Read(policy) => policy,
                Came::Foreign(foreign) => panic!("{}", foreign.why),
            };
            policy.metadata.generation = Some(generation);
            policy.metadata.labels = Some([("a".to_owned(), label.to_owned())].into());
            policy
        };
        let mut marks = Marks::default();
        for (news, moved, why) in [
            (News::Stands(policy(1, "x")), true, "new"),
            (News::Stands(policy(1, "x")), false, "its status alone"),
            (News::Stands(policy(2, "x")), true, "its spec"),
            (News::Stands(policy(2, "y")), true, "its labels"),
            (
                News::Gone(policy(2, "y")),
                true,
                "gone, without ever being marked as ending",
            ),
            (News::Stands(policy(2, "y")), true, "back"),
            (News::Relisted, true, "what went unseen is not known"),
        ] {
            assert_eq!(marks.moved(&news), moved, "{why}");
        }
    }
}
