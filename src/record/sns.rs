//! Notifications: a letter to one topic, the document to another. At least once: SNS cannot tell a repetition from a new
//! message, so each carries the id that stays the same.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_smithy_types::error::operation::BuildError;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::entry::Entry;
use super::{Class, RecordError, classify, letter, patiently};
use crate::api::account::Notify;

/// What SNS takes as one message, attributes included.
const LARGEST: usize = 256 * 1024;

/// Who reads a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    /// Text.
    People,
    /// JSON.
    Machines,
}

impl TopicKind {
    /// Both.
    pub const ALL: [TopicKind; 2] = [TopicKind::People, TopicKind::Machines];

    /// As in `status.notified[].topic` and under `spec.notify`.
    pub fn as_str(self) -> &'static str {
        match self {
            TopicKind::People => "people",
            TopicKind::Machines => "machines",
        }
    }
}

/// An account's topics, each with a client of its own region.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    topics: BTreeMap<TopicKind, (Client, String)>,
}

impl Topics {
    /// The topics that an account names. The region of a topic is the one in its ARN.
    ///
    /// # Errors
    /// When an ARN has no region.
    pub fn new(config: &SdkConfig, notify: &Notify) -> Result<Self, RecordError> {
        let named = [
            (TopicKind::People, &notify.people),
            (TopicKind::Machines, &notify.machines),
        ];
        let mut topics = BTreeMap::new();
        for (kind, topic) in named {
            let Some(topic) = topic else { continue };
            let arn = &topic.topic_arn;
            let region = region(arn).ok_or_else(|| {
                let message = format!(
                    "spec.notify.{}.topicArn is {arn:?}, which is no ARN of a topic",
                    kind.as_str()
                );
                RecordError::new(Class::Settled, message)
            })?;
            let config = aws_sdk_sns::config::Builder::from(config)
                .region(Region::new(region.to_owned()))
                .build();
            topics.insert(kind, (Client::from_conf(config), arn.clone()));
        }
        Ok(Topics { topics })
    }

    /// Whether the account names a topic of that kind.
    pub fn has(&self, kind: TopicKind) -> bool {
        self.topics.contains_key(&kind)
    }

    /// Tells one topic and returns SNS's id of the message.
    ///
    /// # Errors
    /// When the account names no such topic, or SNS does not take the message.
    pub async fn publish(&self, entry: &Entry, kind: TopicKind) -> Result<String, RecordError> {
        let Some((client, arn)) = self.topics.get(&kind) else {
            return Err(RecordError::new(
                Class::Settled,
                format!("spec.notify.{} names no topic", kind.as_str()),
            ));
        };
        let attempt = format!("Publish to {arn}");
        let attributes = attributes(entry);
        let publish = client.publish().topic_arn(arn);
        let publish = match kind {
            TopicKind::People => publish.subject(letter::subject(entry)).message(letter::body(entry)),
            TopicKind::Machines => publish.message(document(entry, LARGEST - size(&attributes))),
        };
        let publish = publish.set_message_attributes(Some(
            typed(&attributes).map_err(|error| RecordError::new(Class::Settled, format!("{attempt}: {error}")))?,
        ));
        let missing = format!("create the topic or correct spec.notify.{}.topicArn", kind.as_str());
        patiently(&attempt, async {
            let told = publish
                .send()
                .await
                .map_err(|error| classify(&attempt, &missing, &error))?;
            Ok(told.message_id.unwrap_or_default())
        })
        .await
    }
}

/// The region of `arn:aws:sns:eu-west-1:111122223333:name`.
fn region(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

/// What filter policies can select by. Ten and not more: raw delivery to a queue drops a message with eleven.
fn attributes(entry: &Entry) -> Vec<(&'static str, String)> {
    let all = [
        ("transition", entry.transition.as_str().to_owned()),
        ("severity", entry.severity.as_str().to_owned()),
        ("account", entry.account.clone()),
        ("region", entry.region.clone()),
        ("policy", entry.policy.clone()),
        ("rule", entry.rule.clone()),
        ("namespace", entry.drift.namespace.clone()),
        ("endpointType", entry.endpoint.type_.as_str().to_owned()),
        ("phase", entry.phase.as_str().to_owned()),
        ("id", entry.id.clone()),
    ];
    // SNS refuses an empty one.
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn size(attributes: &[(&str, String)]) -> usize {
    attributes
        .iter()
        .map(|(name, value)| name.len() + "String".len() + value.len())
        .sum()
}

type Attributes = std::collections::HashMap<String, MessageAttributeValue>;

fn typed(attributes: &[(&str, String)]) -> Result<Attributes, BuildError> {
    attributes
        .iter()
        .map(|(name, value)| {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()?;
            Ok(((*name).to_owned(), value))
        })
        .collect()
}

/// The document in at most so many bytes: what is large goes first and is named in `cut`; the audit record has it all.
fn document(entry: &Entry, room: usize) -> String {
    type Cut = (&'static [&'static str], fn(&mut Entry));
    const CUTS: [Cut; 3] = [
        (&["observed", "desired", "plan"], |entry| {
            (entry.observed, entry.desired) = (None, None);
            entry.plan.clear();
        }),
        (&["difference", "inverse", "pendingEdits"], |entry| {
            entry.difference.clear();
            entry.inverse.clear();
            entry.pending_edits.clear();
        }),
        (&["finding", "message"], |entry| {
            for text in [&mut entry.finding, &mut entry.message] {
                text.truncate(text.floor_char_boundary(4096));
            }
        }),
    ];
    let mut text = entry.line();
    let mut entry = entry.clone();
    for (fields, cut) in CUTS {
        if text.len() <= room {
            break;
        }
        cut(&mut entry);
        entry.cut.extend(fields.iter().map(|field| (*field).to_owned()));
        entry.cut.sort();
        entry.cut.dedup();
        text = entry.line();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::account::Topic;
    use crate::record::Transition;
    use crate::record::entry::tests::{drift, place};

    fn entry() -> Entry {
        Entry::new(&drift(), Transition::Detected, &place(), None)
            .unwrap()
            .recorded("acme", "a/b.jsonl.gz")
    }

    #[test]
    fn filter_policies_find_ten_attributes_and_never_an_empty_one() {
        let names: Vec<_> = attributes(&entry()).into_iter().map(|(name, _)| name).collect();
        let wanted = [
            "transition",
            "severity",
            "account",
            "region",
            "policy",
            "rule",
            "namespace",
            "endpointType",
            "phase",
            "id",
        ];
        assert_eq!(names, wanted);
        let bare = Entry {
            policy: String::new(),
            ..entry()
        };
        assert_eq!(attributes(&bare).len(), 9);
    }

    #[test]
    fn a_document_that_is_too_large_names_what_it_lacks() {
        type Case = (fn(&mut Entry, String), &'static [&'static str]);
        let large = "x".repeat(300_000);
        let cases: [Case; 3] = [
            (|_, _| {}, &[]),
            (
                |entry, large| entry.observed = Some(large.into()),
                &["desired", "observed", "plan"],
            ),
            (
                |entry, large| entry.pending_edits = vec![large],
                &["desired", "difference", "inverse", "observed", "pendingEdits", "plan"],
            ),
        ];
        for (fill, wanted) in cases {
            let mut entry = entry();
            fill(&mut entry, large.clone());
            let text = document(&entry, LARGEST - size(&attributes(&entry)));
            assert!(text.len() < LARGEST, "{}", text.len());
            let told: Entry = serde_json::from_str(&text).unwrap();
            assert_eq!(told.cut, wanted);
            assert_eq!(told.audit.unwrap().key, "a/b.jsonl.gz");
            assert_eq!(told.id, "0a1b/Detected");
        }
        let entry = Entry {
            message: large.clone(),
            finding: large,
            ..entry()
        };
        assert!(document(&entry, LARGEST).len() < 16 * 1024);
    }

    #[test]
    fn a_topics_region_is_the_one_in_its_arn() {
        assert_eq!(
            region("arn:aws-cn:sns:cn-north-1:111122223333:name"),
            Some("cn-north-1")
        );
        assert_eq!(region("arn:aws:sns::111122223333:name"), None);
        let topic = |arn: &str| Some(Topic { topic_arn: arn.into() });
        let config = SdkConfig::builder().build();
        let wrong = Topics::new(
            &config,
            &Notify {
                people: topic("nonsense"),
                machines: None,
            },
        )
        .unwrap_err();
        assert_eq!(wrong.class(), Class::Settled);
        assert!(wrong.to_string().contains("spec.notify.people.topicArn"), "{wrong}");
    }
}
