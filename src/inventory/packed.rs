//! Snapshots that nobody looks at, as text.
//!
//! A document takes several times the room of its text, and mostly nothing changes: what a controller keeps of a large
//! account would fill its memory with trees that nobody walks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::policy::Target;
use crate::judge::Snapshot;
use crate::judge::cel::Document;
use crate::judge::path::Path;
use crate::judge::snapshot::{EndpointId, Known, LiveState, Resource, StagePointer};

/// A snapshot as text: a line that says what it holds, then a line for each document.
#[derive(Debug)]
pub(super) struct Packed {
    endpoint: EndpointId,
    digest: String,
    text: Box<[u8]>,
}

/// The first line. Documents are named by the number of their line.
#[derive(Serialize, Deserialize)]
struct Contents {
    name: String,
    arn: String,
    tags: BTreeMap<String, String>,
    stages: BTreeMap<String, (String, Option<String>)>,
    resources: Vec<Part>,
}

/// One resource.
#[derive(Serialize, Deserialize)]
struct Part {
    target: Target,
    key: String,
    address: BTreeMap<String, String>,
    draft: Option<usize>,
    live: Vec<(String, State)>,
}

/// What is known of a live state.
#[derive(Serialize, Deserialize)]
enum State {
    Shown(usize, Vec<Vec<String>>),
    Absent,
    Unreadable(String),
}

impl Packed {
    /// Packs. A document that several states share is packed once.
    pub(super) fn of(snapshot: &Snapshot) -> serde_json::Result<Self> {
        let Snapshot {
            endpoint,
            name,
            arn,
            tags,
            resources,
            stages,
            digest,
        } = snapshot.clone();
        let mut documents = Documents::default();
        let contents = Contents {
            name,
            arn,
            tags,
            stages: stages
                .into_iter()
                .map(|(stage, StagePointer { deployment_id, canary })| (stage, (deployment_id, canary)))
                .collect(),
            resources: resources.into_iter().map(|r| documents.part(r)).collect(),
        };
        let mut text = serde_json::to_vec(&contents)?;
        for document in documents.all {
            text.push(b'\n');
            serde_json::to_writer(&mut text, document.json())?;
        }
        Ok(Packed {
            endpoint,
            digest,
            text: text.into(),
        })
    }

    /// SHA-256, in hex, over everything that was read.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether both say the same, in whatever order AWS wrote it. An export that had to be read again may hold something
    /// else although the digest, which has only the deployment's id, is the same.
    pub(super) fn same(&self, other: &Packed) -> bool {
        let read = |line| serde_json::from_slice::<Value>(line).ok();
        let (own, others) = (self.lines(), other.lines());
        self.digest == other.digest
            && own.clone().count() == others.clone().count()
            && own.zip(others).all(|(a, b)| a == b || read(a) == read(b))
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.text.split(|byte| *byte == b'\n')
    }

    /// The snapshot as it was; fails only for documents nested deeper than any that AWS takes.
    pub(super) fn unpack(&self) -> serde_json::Result<Snapshot> {
        let mut lines = self.lines();
        let contents: Contents = serde_json::from_slice(lines.next().unwrap_or_default())?;
        let documents = lines
            .map(|line| serde_json::from_slice::<Value>(line).map(Document::new))
            .collect::<serde_json::Result<Vec<_>>>()?;
        let pointer = |(stage, (deployment_id, canary))| (stage, StagePointer { deployment_id, canary });
        Ok(Snapshot {
            endpoint: self.endpoint.clone(),
            name: contents.name,
            arn: contents.arn,
            tags: contents.tags,
            resources: contents.resources.into_iter().map(|p| p.resource(&documents)).collect(),
            stages: contents.stages.into_iter().map(pointer).collect(),
            digest: self.digest.clone(),
        })
    }
}

/// The documents so far.
#[derive(Default)]
struct Documents {
    all: Vec<Document>,
}

impl Documents {
    fn part(&mut self, resource: Resource) -> Part {
        let Resource {
            target,
            key,
            address,
            draft,
            live,
        } = resource;
        // Nothing is shared between resources.
        let own = self.all.len();
        let draft = draft.map(|document| self.line(own, document));
        let state = |LiveState { stage, known }| {
            let state = match known {
                Known::Shown { document, hidden } => {
                    let hidden = hidden.iter().map(|path| path.keys().to_vec()).collect();
                    State::Shown(self.line(own, document), hidden)
                }
                Known::Absent => State::Absent,
                Known::Unreadable(why) => State::Unreadable(why),
            };
            (stage, state)
        };
        Part {
            target,
            key,
            address,
            draft,
            live: live.into_iter().map(state).collect(),
        }
    }

    fn line(&mut self, from: usize, document: Document) -> usize {
        let known = self.all[from..].iter().position(|known| known.is(&document));
        known.map_or_else(
            || {
                self.all.push(document);
                self.all.len() - 1
            },
            |at| from + at,
        )
    }
}

impl Part {
    fn resource(self, documents: &[Document]) -> Resource {
        let document = |at: usize| documents.get(at).cloned().unwrap_or_default();
        let state = |(stage, state)| LiveState {
            stage,
            known: match state {
                State::Shown(at, hidden) => Known::Shown {
                    document: document(at),
                    hidden: hidden.into_iter().map(Path::of).collect(),
                },
                State::Absent => Known::Absent,
                State::Unreadable(why) => Known::Unreadable(why),
            },
        };
        Resource {
            target: self.target,
            key: self.key,
            address: self.address,
            draft: self.draft.map(document),
            live: self.live.into_iter().map(state).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::EndpointType;
    use serde_json::json;

    /// A resource whose stages serve its draft, something else, and nothing that is known.
    fn snapshot() -> Snapshot {
        let draft =
            Document::new(json!({"uri": "https://b.example.com/\n", "rate": 10000.5, "tags": {"z": 1, "a": null}}));
        let shown = |stage: &str, document: &Document, hidden: Vec<Path>| LiveState {
            stage: stage.into(),
            known: Known::Shown {
                document: document.clone(),
                hidden,
            },
        };
        let other = Document::new(json!({"uri": "http://b.example.com"}));
        let live = vec![
            shown("prod", &draft, vec![Path::of(["methodIntegration", "cacheNamespace"])]),
            shown("test", &other, vec![]),
            LiveState {
                stage: "old".into(),
                known: Known::Absent,
            },
            LiveState {
                stage: "new".into(),
                known: Known::Unreadable("AWS exports no canary's deployment".into()),
            },
        ];
        let resource = |key: &str, draft, live| Resource {
            target: Target::Method,
            key: key.into(),
            address: [("httpMethod".to_owned(), "GET".to_owned())].into(),
            draft,
            live,
        };
        let pointer = StagePointer {
            deployment_id: "d1".into(),
            canary: Some("d2".into()),
        };
        Snapshot {
            endpoint: EndpointId {
                account_id: "111122223333".into(),
                region: "eu-west-1".into(),
                type_: EndpointType::RestApi,
                id: "abcdefghij".into(),
            },
            name: "pets".into(),
            arn: "arn:aws:apigateway:eu-west-1::/restapis/abcdefghij".into(),
            tags: [("team".to_owned(), "payments".to_owned())].into(),
            resources: vec![
                resource("GET /pets", Some(draft), live),
                resource("GET /gone", None, vec![shown("prod", &other, vec![])]),
            ],
            stages: [("prod".to_owned(), pointer)].into(),
            digest: "00ff".into(),
        }
    }

    #[test]
    fn what_is_packed_comes_out_as_it_went_in() {
        let before = snapshot();
        let packed = Packed::of(&before).unwrap();
        let after = packed.unpack().unwrap();
        let told = |snapshot: &Snapshot| {
            let show = |document: &Document| document.json().to_string();
            let resources = snapshot.resources.iter().map(|r| {
                let live = r.live.iter().map(|live| match &live.known {
                    Known::Shown { document, hidden } => format!("{} {} {hidden:?}", live.stage, show(document)),
                    unseen => format!("{} {unseen:?}", live.stage),
                });
                let draft = r.draft.as_ref().map(show);
                format!(
                    "{:?} {} {:?} {draft:?} {:?}",
                    r.target,
                    r.key,
                    r.address,
                    live.collect::<Vec<_>>()
                )
            });
            let Snapshot {
                endpoint,
                name,
                arn,
                tags,
                stages,
                digest,
                ..
            } = snapshot;
            let resources = resources.collect::<Vec<_>>();
            format!("{endpoint:?} {name} {arn} {tags:?} {stages:?} {digest} {resources:#?}")
        };
        assert_eq!(told(&after), told(&before));
        assert_eq!(packed.text, Packed::of(&after).unwrap().text, "and the same text again");
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        let shows = |json: Value| {
            let mut snapshot = snapshot();
            snapshot.resources[1].live[0].known = Known::Shown {
                document: Document::new(json),
                hidden: vec![],
            };
            Packed::of(&snapshot).unwrap()
        };
        let known = shows(json!({"a": 1, "b": 2}));
        for (json, same, why) in [
            (json!({"a": 1, "b": 2}), true, "read again"),
            (json!({"b": 2, "a": 1}), true, "AWS promises no order"),
            (json!({"a": 1, "b": 3}), false, "another export under the same digest"),
            (json!({"a": 1}), false, "less"),
        ] {
            assert_eq!(known.same(&shows(json)), same, "{why}");
        }
    }

    #[test]
    fn what_a_stage_shares_with_the_draft_is_kept_once() {
        let before = snapshot();
        let packed = Packed::of(&before).unwrap();
        let lines = packed.text.split(|byte| *byte == b'\n').count();
        assert_eq!(
            lines,
            1 + 2 + 1,
            "the contents, two documents of the first resource, one of the second"
        );
        let after = packed.unpack().unwrap();
        let pets = &after.resources[0];
        let Known::Shown { document, .. } = &pets.live[0].known else {
            panic!("{:?}", pets.live[0]);
        };
        assert!(
            document.is(pets.draft.as_ref().unwrap()),
            "rules are asked once of what is one document"
        );
    }
}
