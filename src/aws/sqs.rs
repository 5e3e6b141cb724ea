//! A queue: taken from by long polling, in batches; a message goes when it was dealt with, not before.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::StalledStreamProtectionConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};
use aws_smithy_types::error::operation::BuildError;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::{Class, Error};

/// As many messages as one call takes.
pub const BATCH: usize = 10;

/// The longest that a poll can wait for a first message.
pub const POLL: Duration = Duration::from_secs(20);

/// A poll and its way there and back.
const PATIENCE: Duration = Duration::from_secs(30);

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message that was taken and not yet deleted.
#[derive(Clone, Debug)]
pub struct Message {
    /// SQS's id of it: the same however often it comes.
    pub id: String,
    /// What this taking of it is dealt with by.
    pub receipt: String,
    /// Its text.
    pub body: String,
    /// How often it was taken, this time included.
    pub taken: u32,
}

impl Queue {
    /// The queue of a URL, in the region that the URL names or else in the configuration's.
    pub fn new(config: &SdkConfig, url: &str) -> Self {
        let mut builder = aws_sdk_sqs::config::Builder::from(config)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(PATIENCE)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = region(url) {
            builder = builder.region(Region::new(region.to_owned()));
        }
        Queue {
            client: Client::from_conf(builder.build()),
            url: url.to_owned(),
        }
    }

    /// Waits for messages at most for `wait`, and takes some. Nobody else sees them for `hidden`.
    pub async fn take(&self, wait: Duration, hidden: Duration) -> Result<Vec<Message>, Error> {
        let taken = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(hidden))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| Error::from_sdk("ReceiveMessage", &error))?;
        let messages = taken.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| {
                let count = message
                    .attributes
                    .as_ref()
                    .and_then(|a| a.get(&MessageSystemAttributeName::ApproximateReceiveCount));
                Some(Message {
                    taken: count.and_then(|count| count.parse().ok()).unwrap_or(1),
                    id: message.message_id?,
                    receipt: message.receipt_handle?,
                    body: message.body.unwrap_or_default(),
                })
            })
            .collect())
    }

    /// Deletes messages that were dealt with, at most [`BATCH`]. One that SQS keeps comes again, which does no harm.
    pub async fn delete(&self, receipts: &[String]) -> Result<(), Error> {
        let operation = "DeleteMessage";
        let entry = |(at, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(receipt)
                .build()
        };
        let entries: Result<Vec<_>, BuildError> = receipts.iter().enumerate().map(entry).collect();
        let done = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.map_err(|error| refused(operation, &error))?))
            .send()
            .await
            .map_err(|error| Error::from_sdk(operation, &error))?;
        for failed in done.failed() {
            tracing::debug!(code = failed.code(), "a message was not deleted");
        }
        Ok(())
    }

    /// Hides messages for longer, at most [`BATCH`].
    pub async fn hide(&self, receipts: &[String], hidden: Duration) -> Result<(), Error> {
        let operation = "ChangeMessageVisibility";
        let entry = |(at, receipt): (usize, &String)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(seconds(hidden))
                .build()
        };
        let entries: Result<Vec<_>, BuildError> = receipts.iter().enumerate().map(entry).collect();
        self.client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.map_err(|error| refused(operation, &error))?))
            .send()
            .await
            .map_err(|error| Error::from_sdk(operation, &error))?;
        Ok(())
    }
}

fn refused(operation: &'static str, error: &BuildError) -> Error {
    Error::new(Class::Refused, operation, error.to_string())
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// The region in a queue's URL: `sqs.eu-west-1.amazonaws.com`, and of old `eu-west-1.queue.amazonaws.com`.
fn region(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', ':']).next()?;
    let mut labels = host.split('.');
    match (labels.next()?, labels.next()?) {
        ("sqs" | "sqs-fips", region) | (region, "queue") => Some(region),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_stands_in_the_region_that_its_url_names() {
        for (url, named, why) in [
            (
                "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
                Some("eu-west-1"),
                "as SQS gives it",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q",
                Some("cn-north-1"),
                "in China",
            ),
            (
                "https://eu-west-1.queue.amazonaws.com/111122223333/q",
                Some("eu-west-1"),
                "of old",
            ),
            ("http://127.0.0.1:5000/111122223333/q", None, "no AWS host"),
        ] {
            assert_eq!(region(url), named, "{why}");
        }
    }
}
