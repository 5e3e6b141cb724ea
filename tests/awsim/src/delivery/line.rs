//! One queue's channel, and the task that empties it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::queue::{Queue, Unsent};
use super::target::{DeliveryError, Rules, Target, Wrap};
use crate::ids::{chance, uuid};
use crate::trail::{Entry, event};

/// Events that wait for a queue; more are lost.
const CAPACITY: usize = 100_000;
const BATCH: usize = 10;
/// What SQS takes at once is a little more.
const BATCH_BYTES: usize = 1_000_000;
const ATTEMPTS: u32 = 6;

/// How far a delivery is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// The queue.
    pub queue_url: String,
    /// Its account.
    pub account: String,
    /// What it gets.
    pub rules: Rules,
    /// Events that the queue took.
    pub sent: u64,
    /// Events that wait.
    pub waiting: u64,
    /// Events lost on demand.
    pub dropped: u64,
    /// Events that the queue refused.
    pub refused: u64,
    /// Events lost because the queue did not answer, or too many waited.
    pub lost: u64,
}

#[derive(Default)]
struct Counts {
    offered: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

fn add(count: &AtomicU64, number: usize) {
    count.fetch_add(u64::try_from(number).unwrap_or_default(), Ordering::Relaxed);
}

struct Parcel {
    entry: Entry,
    wrap: Wrap,
    due: Option<Instant>,
}

/// A queue that is delivered to until this is dropped.
pub(super) struct Line {
    target: Target,
    sender: Sender<Parcel>,
    counts: Arc<Counts>,
    dropped: u64,
    task: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    pub(super) fn start(target: Target) -> Result<Self, DeliveryError> {
        let queue = Queue::new(&target)?;
        let runtime = Handle::try_current().map_err(|_| DeliveryError::NoRuntime)?;
        let (sender, parcels) = mpsc::channel(CAPACITY);
        let counts = Arc::new(Counts::default());
        let task = runtime.spawn(empty(parcels, queue, Arc::clone(&counts)));
        Ok(Self {
            target,
            sender,
            counts,
            dropped: 0,
            task: task.abort_handle(),
        })
    }

    pub(super) fn queue_url(&self) -> &str {
        &self.target.queue_url
    }

    pub(super) fn rules_mut(&mut self) -> &mut Rules {
        &mut self.target.rules
    }

    pub(super) fn offer(&mut self, entry: &Entry) {
        let rules = &mut self.target.rules;
        if !rules.want(entry) {
            return;
        }
        let unlucky = rules.drop > 0.0 && chance(entry.seed, entry.call.sequence) < rules.drop;
        if rules.drop_next > 0 || unlucky {
            rules.drop_next = rules.drop_next.saturating_sub(1);
            self.dropped += 1;
            return;
        }
        let due = (rules.delay_ms > 0).then(|| Instant::now() + Duration::from_millis(rules.delay_ms));
        let parcel = Parcel {
            entry: entry.clone(),
            wrap: rules.wrap,
            due,
        };
        add(&self.counts.offered, 1);
        if self.sender.try_send(parcel).is_err() {
            add(&self.counts.lost, 1);
        }
    }

    pub(super) fn delivered(&self) -> Delivered {
        // What is counted last is read first, so that nothing seems to be sent that was not offered.
        let [sent, refused, lost, offered] = [
            &self.counts.sent,
            &self.counts.refused,
            &self.counts.lost,
            &self.counts.offered,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        Delivered {
            queue_url: self.target.queue_url.clone(),
            account: self.target.account.clone(),
            rules: self.target.rules.clone(),
            sent,
            waiting: offered.saturating_sub(sent + refused + lost),
            dropped: self.dropped,
            refused,
            lost,
        }
    }
}

/// Sends what comes, in order: whatever is there and due at once, up to a batch.
async fn empty(mut parcels: Receiver<Parcel>, mut queue: Queue, counts: Arc<Counts>) {
    let mut next: Option<(Option<Instant>, String)> = None;
    loop {
        let (due, first) = match next.take() {
            Some(next) => next,
            None => match parcels.recv().await {
                Some(parcel) => (parcel.due, text(&parcel)),
                None => return,
            },
        };
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        let now = Instant::now();
        let mut bytes = first.len();
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(parcel) = parcels.try_recv()
        {
            let text = text(&parcel);
            bytes += text.len();
            if bytes > BATCH_BYTES || parcel.due.is_some_and(|due| due > now) {
                next = Some((parcel.due, text));
                break;
            }
            batch.push(text);
        }
        send(&mut queue, &batch, &counts).await;
    }
}

async fn send(queue: &mut Queue, batch: &[String], counts: &Counts) {
    let body = queue.body(batch);
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        // The first failure may be no more than a connection that ended while it was idle.
        if attempt > 1 {
            tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
        }
        match queue.send(body.clone()).await {
            Ok(refusals) => {
                for refusal in &refusals {
                    eprintln!("awsim: {} refused an event: {refusal}", queue.url());
                }
                let refused = refusals.len().min(batch.len());
                add(&counts.refused, refused);
                add(&counts.sent, batch.len() - refused);
                return;
            }
            Err(Unsent::Refused(message)) => {
                eprintln!("awsim: {} refused {} events: {message}", queue.url(), batch.len());
                add(&counts.refused, batch.len());
                return;
            }
            Err(Unsent::Failed(message)) => why = message,
        }
    }
    eprintln!("awsim: {} did not take {} events: {why}", queue.url(), batch.len());
    add(&counts.lost, batch.len());
}

/// An event as it lies in the queue.
fn text(Parcel { entry, wrap, .. }: &Parcel) -> String {
    let event = event(&entry.record()).to_string();
    match wrap {
        Wrap::None => event,
        Wrap::Sns => {
            let call = &entry.call;
            let topic = format!("arn:aws:sns:{}:{}:awsim", call.region, call.account);
            json!({
                "Type": "Notification",
                "MessageId": uuid(entry.seed, call.sequence, 2),
                "TopicArn": topic,
                "Message": event,
                "Timestamp": call.time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
                "SignatureVersion": "1",
                "Signature": "unsigned",
                "SigningCertURL": format!("https://sns.{}.amazonaws.com/SimpleNotificationService.pem", call.region),
                "UnsubscribeURL": format!("https://sns.{}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={topic}", call.region),
            })
            .to_string()
        }
    }
}
