//! A queue of a story, and the world that listens to it.

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use awsim::Delivery;
use serde_json::{Value, json};

use crate::support::{World, until_seen};

/// A queue, with one for what nobody understands.
pub struct Queue {
    pub url: String,
    pub arn: String,
    pub dead: String,
}

impl Queue {
    /// In the story's account. What was taken twice and not deleted goes to the other queue.
    pub async fn new(world: &World, name: &str) -> Queue {
        Queue::redriven(world, name, 2).await
    }

    /// The same after so many takings.
    pub async fn redriven(world: &World, name: &str, takings: u32) -> Queue {
        let dead = make(world, &format!("{name}-dead"), None).await;
        let redrive = json!({"deadLetterTargetArn": arn(world, &dead).await, "maxReceiveCount": takings}).to_string();
        let url = make(world, name, Some(redrive)).await;
        Queue {
            arn: arn(world, &url).await,
            url,
            dead,
        }
    }

    /// Puts one message on it.
    pub async fn put(&self, world: &World, body: &Value) {
        self.put_text(world, &body.to_string()).await;
    }

    /// Puts one message on it, as it is.
    pub async fn put_text(&self, world: &World, body: &str) {
        let sent = world.aws.sqs.send_message().queue_url(&self.url).message_body(body);
        sent.send().await.unwrap();
    }

    /// Puts many messages on it, in their order.
    pub async fn put_all(&self, world: &World, bodies: &[String]) {
        for batch in bodies.chunks(10) {
            let entry = |(at, body): (usize, &String)| {
                let entry = SendMessageBatchRequestEntry::builder().id(at.to_string());
                entry.message_body(body).build().unwrap()
            };
            let entries = batch.iter().enumerate().map(entry).collect();
            let sent = world.aws.sqs.send_message_batch().queue_url(&self.url);
            let answer = sent.set_entries(Some(entries)).send().await.unwrap();
            assert!(answer.failed().is_empty(), "{:?}", answer.failed());
        }
    }

    /// Takes what nobody understood: the bodies, in the order of the alphabet.
    pub async fn dead(&self, world: &World) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let asked = world.aws.sqs.receive_message().queue_url(&self.dead);
            let got = asked.max_number_of_messages(10).send().await.unwrap();
            if got.messages().is_empty() {
                bodies.sort();
                return bodies;
            }
            bodies.extend(got.messages().iter().filter_map(|m| m.body().map(str::to_owned)));
        }
    }

    /// Messages on it, seen and unseen.
    pub async fn depth(&self, world: &World) -> i64 {
        depth(world, &self.url).await
    }

    /// Waits until it is empty, what is under way included.
    pub async fn drained(&self, world: &World) {
        until_seen("an empty queue", || async {
            let depth = self.depth(world).await;
            if depth == 0 {
                Ok(())
            } else {
                Err(format!("{depth} messages\n{}", world.log()))
            }
        })
        .await;
    }
}

pub async fn depth(world: &World, url: &str) -> i64 {
    let wanted = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let asked = world.aws.sqs.get_queue_attributes().queue_url(url);
    let answer = asked.set_attribute_names(Some(wanted.into())).send().await.unwrap();
    let counts = answer.attributes().unwrap().values();
    counts.map(|count| count.parse::<i64>().unwrap()).sum()
}

async fn make(world: &World, name: &str, redrive: Option<String>) -> String {
    let mut made = world.aws.sqs.create_queue().queue_name(name);
    if let Some(redrive) = redrive {
        made = made.attributes(QueueAttributeName::RedrivePolicy, redrive);
    }
    made.send().await.unwrap().queue_url().unwrap().to_owned()
}

async fn arn(world: &World, url: &str) -> String {
    let asked = world.aws.sqs.get_queue_attributes().queue_url(url);
    let answer = asked
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    answer.attributes().unwrap()[&QueueAttributeName::QueueArn].clone()
}

/// A world whose first sweep is over and whose next is an hour away; its account listens to a queue.
pub struct Listening {
    pub world: World,
    pub queue: Queue,
    /// awsim's events go there until this is dropped.
    pub delivery: Option<Delivery>,
}

impl Listening {
    /// With so many compliant APIs, under the whitepaper's policy.
    pub async fn new(story: &str, apis: usize, arguments: &[&str]) -> Listening {
        let listening = Listening::without_policy(story, apis, arguments).await;
        listening.world.https_only().await;
        listening.world.compliant("https-only").await;
        listening
    }

    /// The same without any policy yet.
    pub async fn without_policy(story: &str, apis: usize, arguments: &[&str]) -> Listening {
        let mut world = World::seeded(story, apis).await;
        let queue = Queue::new(&world, "events").await;
        let delivery = world.sim.deliver_to(&queue.url, &world.account_id).unwrap();
        let url = queue.url.clone();
        world
            .create_account(|account| {
                account["spec"]["sweep"] = json!({"interval": "1h"});
                account["spec"]["events"] = json!({"queues": [url]});
            })
            .await;
        world.start_with_args(arguments).await;
        world.account_says(&world.name, "Observed", "Observed=True").await;
        world.account_says(&world.name, "Listening", "Listening=True").await;
        Listening {
            world,
            queue,
            delivery: Some(delivery),
        }
    }
}
