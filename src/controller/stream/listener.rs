//! One task for each queue. A message is deleted when everything that it asked for is done, hidden for longer while that
//! goes on, and left to the queue's redrive policy when it is not understood.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::ResourceExt;
use tokio::sync::watch;

use super::route;
use crate::api::AwsAccount;
use crate::aws::session::Session;
use crate::aws::sqs::{BATCH, Message, POLL, Queue};
use crate::controller::context::Context;
use crate::inventory::hints::Receipt;
use crate::inventory::intake;

/// How long a message is hidden at a time.
const HIDDEN: Duration = Duration::from_mins(1);
/// How often messages under way are hidden anew.
const HIDE_AGAIN: Duration = Duration::from_secs(20);
/// After this a message that is still not dealt with comes again, and in the end goes where the queue's redrive policy says.
const HELD: Duration = Duration::from_mins(15);
/// So many messages are under way at most.
const UNDER_WAY: usize = 2_000;
/// So many polls at once while there are full batches.
const POLLS: usize = 4;
/// After a failure of the queue.
const AGAIN: Duration = Duration::from_secs(5);
/// What is not understood is shown in the log at most this often.
const SAMPLE: Duration = Duration::from_secs(10);

/// The tasks, by their queue's URL.
#[derive(Default)]
pub struct Listeners(Mutex<HashMap<String, tokio::task::AbortHandle>>);

impl Listeners {
    /// Ends all of them: messages under way come again.
    pub fn stop(&self) {
        for (_, task) in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            task.abort();
        }
    }
}

/// Sees to it that the account's queues are listened to.
pub fn ensure(ctx: &Arc<Context>, account: &AwsAccount) {
    let mut listeners = ctx.stream.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
    for url in queues(account) {
        if listeners.get(url).is_none_or(tokio::task::AbortHandle::is_finished) {
            let task = tokio::spawn(listen(ctx.clone(), url.clone()));
            listeners.insert(url.clone(), task.abort_handle());
        }
    }
}

/// The queues that an account names.
pub fn queues(account: &AwsAccount) -> &[String] {
    account.spec.events.as_ref().map_or(&[], |events| &events.queues)
}

/// Accounts that name a queue, the one whose credentials are used first.
fn owners(ctx: &Context, url: &str) -> Vec<Arc<AwsAccount>> {
    let names = |account: &AwsAccount| {
        account.metadata.deletion_timestamp.is_none() && queues(account).iter().any(|queue| queue == url)
    };
    let mut owners = ctx.stores.accounts.state_filter(names);
    owners.retain(|account| {
        ctx.account_of(&account.spec.account_id)
            .is_some_and(|first| first.uid() == account.uid())
    });
    owners.sort_by_key(|account| (!ctx.acts_for(account), account.name_any()));
    owners
}

/// Until nobody names the queue.
async fn listen(ctx: Arc<Context>, url: String) {
    let (done, dealt_with) = mpsc::unbounded();
    let (renewed, newest) = watch::channel(None);
    tokio::spawn(delete(newest, dealt_with));
    let mut desk = Desk {
        ctx: ctx.clone(),
        url,
        done,
        under_way: Vec::new(),
        sampled: None,
        answers: false,
    };
    let mut client: Option<(Arc<Session>, Queue)> = None;
    loop {
        let owners = owners(&ctx, &desk.url);
        let Some(lead) = owners.first() else { return };
        if !ctx.acts_for(lead) {
            let mut leading = ctx.leases.changed();
            let _ = tokio::time::timeout(Duration::from_secs(1), leading.changed()).await;
            continue;
        }
        let session = ctx.sessions.of(&lead.spec);
        let queue = match &client {
            Some((known, queue)) if Arc::ptr_eq(known, &session) => queue.clone(),
            _ => {
                let region = lead.spec.regions.first().cloned().unwrap_or_default();
                let queue = Queue::new(&session.inbound(&region), &desk.url);
                renewed.send_replace(Some(queue.clone()));
                client = Some((session, queue.clone()));
                desk.answers = false;
                queue
            }
        };
        desk.round(&queue, &owners).await;
    }
}

/// One queue's messages.
struct Desk {
    ctx: Arc<Context>,
    url: String,
    done: UnboundedSender<Arc<Receipt>>,
    under_way: Vec<Hidden>,
    sampled: Option<Instant>,
    /// Whether it answered the last time.
    answers: bool,
}

/// A message under way, and when it was last hidden.
struct Hidden {
    receipt: Weak<Receipt>,
    at: Instant,
}

impl Desk {
    /// Takes what is there and reads it.
    async fn round(&mut self, queue: &Queue, owners: &[Arc<AwsAccount>]) {
        self.hide(queue).await;
        if self.under_way.len() >= UNDER_WAY {
            tokio::time::sleep(Duration::from_millis(100)).await;
            return;
        }
        let (began, mut polls) = (Instant::now(), 1);
        // Whether a queue answers at all is not worth waiting for.
        let mut wait = if self.answers { POLL } else { Duration::ZERO };
        loop {
            let mut full = true;
            let mut failed = None;
            // What the others took is read even when one of them failed.
            for messages in futures::future::join_all((0..polls).map(|_| queue.take(wait, HIDDEN))).await {
                match messages {
                    Ok(messages) => {
                        full &= messages.len() == BATCH;
                        for message in messages {
                            self.read(message, owners);
                        }
                    }
                    Err(error) => failed = Some(error),
                }
            }
            self.answers = failed.is_none();
            let health = &self.ctx.stream.health;
            health.queue(owners, &self.url, failed.as_ref(), &self.ctx);
            if failed.is_some() {
                tokio::time::sleep(AGAIN).await;
                return;
            }
            // However many there are, those under way are to be hidden anew in time.
            if !full || self.under_way.len() >= UNDER_WAY || began.elapsed() >= HIDE_AGAIN {
                return;
            }
            // What some of them brought must not wait for those that bring nothing.
            (polls, wait) = (POLLS, Duration::ZERO);
        }
    }

    fn read(&mut self, message: Message, owners: &[Arc<AwsAccount>]) {
        let Desk { ctx, done, .. } = self;
        ctx.metrics.messages.inc();
        let reading = intake::read(&message.body);
        let receipt = Receipt::new(message.receipt, done.clone());
        let route = route::Route {
            ctx,
            owners,
            message_id: &message.id,
            receipt: &receipt,
        };
        for item in &reading.items {
            route.item(item, crate::inventory::trail::Way::Told);
        }
        for fault in &reading.faults {
            ctx.metrics.count(route::fault(*fault));
        }
        if !reading.faults.is_empty() {
            if self.sampled.is_none_or(|at| at.elapsed() > SAMPLE) {
                self.sampled = Some(Instant::now());
                // What is in it may be secret: its shape is enough to know whose it is.
                tracing::warn!(
                    queue = self.url, id = message.id, taken = message.taken, bytes = message.body.len(),
                    why = ?reading.faults, "a message is not understood, and left to the queue's redrive policy"
                );
            }
            return; // never let go of: it comes again, and in the end goes where the redrive policy says
        }
        self.under_way.push(Hidden {
            receipt: Arc::downgrade(&receipt),
            at: Instant::now(),
        });
        receipt.done();
    }

    /// Hides what is still under way for longer, and forgets what is not. What is dealt with is under way until it is deleted.
    async fn hide(&mut self, queue: &Queue) {
        self.under_way.retain(|hidden| {
            let receipt = hidden.receipt.upgrade();
            receipt.is_some_and(|receipt| receipt.taken.elapsed() < HELD)
        });
        let mut due = Vec::new();
        for hidden in &mut self.under_way {
            if hidden.at.elapsed() >= HIDE_AGAIN
                && let Some(receipt) = hidden.receipt.upgrade()
            {
                hidden.at = Instant::now();
                due.push(receipt.handle().to_owned());
            }
        }
        for receipts in due.chunks(BATCH) {
            if let Err(error) = queue.hide(receipts, HIDDEN).await {
                tracing::debug!(%error, "messages were not hidden for longer");
            }
        }
    }
}

/// Deletes what was dealt with, as long as somebody listens: as many batches at once as are taken at once, so that none waits
/// until it comes again.
async fn delete(queue: watch::Receiver<Option<Queue>>, dealt_with: UnboundedReceiver<Arc<Receipt>>) {
    let batches = dealt_with.ready_chunks(BATCH);
    let queue = &queue;
    batches
        .for_each_concurrent(POLLS, |receipts| async move {
            let Some(queue) = queue.borrow().clone() else { return };
            let handles: Vec<String> = receipts.iter().map(|receipt| receipt.handle().to_owned()).collect();
            if let Err(error) = queue.delete(&handles).await {
                tracing::debug!(%error, "messages were not deleted: they come again");
            }
        })
        .await;
}
