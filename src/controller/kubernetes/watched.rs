//! One watch for each kind: it fills the store, tells what moved, and is never stopped by an object that cannot be read.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::foreign::{Came, Foreign, Key, Shelf, key};
use super::known::Known;

/// What a watch tells.
#[derive(Debug)]
pub enum News<K> {
    /// It stands, new or changed or listed again.
    Stands(K),
    /// It is gone.
    Gone(K),
    /// It stands, and cannot be read.
    Foreign(Arc<Foreign>),
}

/// Watches a kind. The store is right before the news is told.
pub fn everything<K>(client: &Client, shelf: &Shelf<K>) -> (Known<K>, impl Stream<Item = News<K>> + Send + use<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let known = Known::new();
    let mut sorter = Sorter {
        known: known.clone(),
        shelf: shelf.clone(),
        listed: BTreeSet::new(),
    };
    let news = watcher(Api::<Came<K>>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(unmanaged)
        .filter_map(|event| async {
            event
                .inspect_err(|error| tracing::warn!(kind = %K::kind(&()), %error, "a watch broke off and begins again"))
                .ok()
        })
        .flat_map(move |event| stream::iter(sorter.sort(event)));
    (known, news)
}

/// Who wrote which field takes more room than the fields, and nobody here asks.
fn unmanaged<K: Resource>(came: &mut Came<K>) {
    if let Came::Read(object) = came {
        object.meta_mut().managed_fields = None;
    }
}

/// Keeps apart what is read and what is set aside.
struct Sorter<K: Resource<DynamicType = ()> + Clone + 'static> {
    known: Known<K>,
    shelf: Shelf<K>,
    /// What a list under way holds that cannot be read.
    listed: BTreeSet<Key>,
}

impl<K> Sorter<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Brings store and shelf in step with an event; gives the news of it. At no moment is an object that stands in neither.
    fn sort(&mut self, event: Event<Came<K>>) -> Vec<News<K>> {
        match event {
            Event::Init => {
                self.listed.clear();
                self.known.told(&Event::Init);
                vec![]
            }
            Event::InitApply(Came::Read(object)) => {
                self.known.told(&Event::InitApply(object));
                vec![] // the store has it when the list is complete
            }
            Event::InitApply(Came::Foreign(foreign)) => {
                self.listed.insert(key(&foreign.metadata));
                vec![News::Foreign(self.aside(foreign))]
            }
            Event::InitDone => self.relisted(),
            Event::Apply(Came::Read(object)) => {
                self.known.told(&Event::Apply(object.clone()));
                self.shelf.take(&key(object.meta()));
                vec![News::Stands(object)]
            }
            Event::Apply(Came::Foreign(foreign)) => {
                let foreign = self.aside(foreign);
                // What was read of it before holds no more.
                if let Some(old) = self.known.get(&reference(&foreign)) {
                    self.known.told(&Event::Delete(Arc::unwrap_or_clone(old)));
                }
                vec![News::Foreign(foreign)]
            }
            Event::Delete(Came::Read(object)) => {
                self.known.told(&Event::Delete(object.clone()));
                self.shelf.take(&key(object.meta()));
                vec![News::Gone(object)]
            }
            Event::Delete(Came::Foreign(foreign)) => {
                self.shelf.take(&key(&foreign.metadata));
                vec![]
            }
        }
    }

    /// A list is complete. What it no longer holds went unseen: that is news as well.
    fn relisted(&self) -> Vec<News<K>> {
        let before = self.known.state();
        self.known.told(&Event::InitDone);
        self.shelf.keep_only(&self.listed);
        let after = self.known.state();
        let standing: BTreeSet<Option<&str>> = after.iter().map(|o| o.meta().uid.as_deref()).collect();
        let gone = before
            .iter()
            .filter(|o| !standing.contains(&o.meta().uid.as_deref()) && !self.listed.contains(&key(o.meta())));
        let gone = gone.map(|o| News::Gone(K::clone(o)));
        gone.chain(after.iter().map(|o| News::Stands(K::clone(o)))).collect()
    }

    fn aside(&self, foreign: Foreign) -> Arc<Foreign> {
        let name = foreign.metadata.name.as_deref();
        tracing::warn!(kind = %K::kind(&()), name, why = foreign.why, "cannot be read, and is left alone");
        let foreign = Arc::new(foreign);
        self.shelf.put(foreign.clone());
        foreign
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
            News::Foreign(_) => return true,
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
            News::Foreign(_) => None,
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
        let known = Known::<EndpointPolicy>::new();
        let shelves = super::super::foreign::Shelves::default();
        let mut sorter = Sorter {
            known: known.clone(),
            shelf: shelves.policies.clone(),
            listed: BTreeSet::new(),
        };
        let mut feed = |event| {
            let news = sorter.sort(event);
            let told: Vec<&str> = news
                .iter()
                .map(|news| match news {
                    News::Stands(_) => "stands",
                    News::Gone(_) => "gone",
                    News::Foreign(_) => "foreign",
                })
                .collect();
            (known.find(|_| true).is_some(), shelves.has_policy("u"), told.join(" "))
        };
        for (event, read, aside, told, why) in [
            (Event::Init, false, false, "", "a list begins"),
            (
                Event::InitApply(came("Heal")),
                false,
                true,
                "foreign",
                "listed, and not understood",
            ),
            (Event::InitDone, false, true, "", "the list does not end in nothing"),
            (Event::Apply(came("Audit")), true, false, "stands", "corrected"),
            (
                Event::Apply(came("Heal")),
                false,
                true,
                "foreign",
                "what was read before holds no more",
            ),
            (Event::Init, false, true, "", "a list under way proves nothing yet"),
            (
                Event::InitApply(came("Audit")),
                false,
                true,
                "",
                "it is not in the store yet",
            ),
            (Event::InitDone, true, false, "stands", "now it is, and that is news"),
            (Event::Init, true, false, "", "listed anew"),
            (
                Event::InitApply(came("Heal")),
                true,
                true,
                "foreign",
                "not understood any more",
            ),
            (Event::InitDone, false, true, "", "which is not the same as gone"),
            (
                Event::Delete(came("Heal")),
                false,
                false,
                "",
                "deleted, and nobody knew it",
            ),
            (Event::Apply(came("Audit")), true, false, "stands", "and back"),
            (Event::Init, true, false, "", "listed anew"),
            (
                Event::InitDone,
                false,
                false,
                "gone",
                "a complete list without it: it went unseen",
            ),
            (Event::Apply(came("Audit")), true, false, "stands", "once more"),
            (Event::Delete(came("Audit")), false, false, "gone", "deleted"),
        ] {
            let (is_read, is_aside, is_told) = feed(event);
            assert_eq!((is_read, is_aside, is_told.as_str()), (read, aside, told), "{why}");
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
        ] {
            assert_eq!(marks.moved(&news), moved, "{why}");
        }
    }
}
