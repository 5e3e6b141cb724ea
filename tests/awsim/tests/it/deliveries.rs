//! What arrives in a queue of what was recorded.

use std::time::{Duration, Instant};

use awsim::{Delivered, Delivery, DeliveryError, Rules, Target, Wrap};
use serde_json::{Value, json};

use crate::queue::{Manner, Queue};
use crate::world::{ACCOUNT, REGION, World};

fn patch(world: &World, words: &str) {
    let patch = [("replace /description", json!(words))];
    world.patch("/restapis/{api}/stages/prod", &patch).ok();
}

/// The description that an event's patch sets.
fn words(event: &Value) -> &str {
    let input = &event["detail"]["requestParameters"]["updateStageInput"];
    input["patchOperations"][0]["value"].as_str().unwrap_or_default()
}

async fn until(delivery: &Delivery, done: impl Fn(&Delivered) -> bool) -> Delivered {
    let waited = async {
        loop {
            let delivered = delivery.delivered();
            if done(&delivered) {
                return delivered;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_mins(1), waited).await;
    found.unwrap_or_else(|_| panic!("not within a minute: {:?}", delivery.delivered()))
}

#[tokio::test]
async fn a_write_arrives_in_eventbridges_envelope_and_a_read_does_not() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    world.get("/restapis/{api}/stages");
    patch(&world, "first");
    let batch = queue.batch().await;
    let [event] = batch.bodies.as_slice() else {
        panic!("{:?}", batch.bodies)
    };
    let record = world.sim.trail().pop().unwrap();
    assert_eq!(*event, awsim::event(&record));
    let asked = json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "UpdateStage"}]});
    assert_eq!(
        world.lookup(&asked)[0]["EventId"],
        event["detail"]["eventID"],
        "one id everywhere"
    );
    assert_eq!(batch.queue_url, queue.url);
    assert_eq!(batch.headers["x-amz-target"], "AmazonSQS.SendMessageBatch");
    assert_eq!(batch.headers["content-type"], "application/x-amz-json-1.0");
    let signed = batch.headers["authorization"].to_str().unwrap();
    assert!(
        signed.contains("Credential=AKIA111122223333AWSIM/") && signed.contains("/eu-west-1/sqs/aws4_request"),
        "the queue's account signs: {signed}"
    );
    let delivered = until(&delivery, |delivered| delivered.sent == 1).await;
    assert_eq!((delivered.waiting, delivered.refused, delivered.lost), (0, 0, 0));
}

#[tokio::test]
async fn a_queue_gets_what_its_rules_name() {
    let mut world = World::new().with_stage();
    let rows = [
        (
            json!({}),
            vec!["GET /account", "other"],
            "other",
            "every account's writes",
        ),
        (
            json!({"readOnly": true}),
            vec!["GET /account"],
            "GetAccount",
            "reads when told so",
        ),
        (
            json!({"accounts": [ACCOUNT]}),
            vec!["other", "own"],
            "own",
            "one account's",
        ),
        (
            json!({"regions": ["us-east-1"]}),
            vec!["own", "us-east-1"],
            "StopLogging",
            "one region's",
        ),
    ];
    for (rules, deeds, first, why) in rows {
        let mut queue = Queue::of(ACCOUNT).await;
        let mut target = Target::new(&queue.url, ACCOUNT, REGION);
        target.rules = serde_json::from_value(rules).unwrap();
        let _delivery = world.sim.deliver(target).unwrap();
        for deed in deeds {
            world.key(&format!("AKIA{ACCOUNT}ALICE"));
            match deed {
                "own" => patch(&world, "own"),
                "other" => {
                    world.key("AKIA444455556666BOB");
                    let body = json!({"name": "other"});
                    world.post("/restapis", &body);
                }
                "us-east-1" => {
                    let body = json!({"Name": "management-events"});
                    world.cloudtrail_in("us-east-1", "StopLogging", &body);
                }
                _ => {
                    world.call(deed, &Value::Null).ok();
                }
            }
        }
        let event = queue.take(1).await.remove(0);
        let seen = match (event["account"].as_str(), event["detail"]["eventName"].as_str()) {
            (Some("444455556666"), _) => "other",
            (_, Some("UpdateStage")) => "own",
            (_, name) => name.unwrap(),
        };
        assert_eq!(seen, first, "{why}");
    }
}

#[tokio::test]
async fn through_a_topic_the_event_is_text_in_a_notification() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    delivery.change(|rules| rules.wrap = Wrap::Sns);
    patch(&world, "wrapped");
    let notification = queue.take(1).await.remove(0);
    assert_eq!(
        (
            &notification["Type"],
            &notification["TopicArn"],
            &notification["Timestamp"]
        ),
        (
            &json!("Notification"),
            &json!("arn:aws:sns:eu-west-1:111122223333:awsim"),
            &json!("2027-01-15T08:00:00.000Z")
        )
    );
    let event: Value = serde_json::from_str(notification["Message"].as_str().unwrap()).unwrap();
    assert_eq!(event, awsim::event(&world.sim.trail().pop().unwrap()));
    assert_ne!(notification["MessageId"], event["id"]);
}

#[tokio::test]
async fn hundreds_of_events_arrive_in_order_ten_at_most_at_once() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let _delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    // Nothing of it is sent while the answers are made: this task does not yield.
    for number in 0..500 {
        patch(&world, &number.to_string());
    }
    let mut seen = Vec::new();
    while seen.len() < 500 {
        let batch = queue.batch().await;
        assert!(batch.bodies.len() <= 10, "{} at once", batch.bodies.len());
        seen.extend(batch.bodies.iter().map(|event| words(event).to_owned()));
    }
    let expected: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_trail_that_is_stopped_or_elsewhere_or_gone_delivers_nothing() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let _delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    let name = json!({"Name": "management-events"});
    world.cloudtrail("StopLogging", &name).ok();
    patch(&world, "while it is stopped");
    world.cloudtrail("StartLogging", &name).ok();
    world
        .sim
        .change_trail(ACCOUNT, |trail| trail.regions = Some(vec!["us-east-1".to_owned()]));
    patch(&world, "in a region that it does not cover");
    world
        .sim
        .change_trail(ACCOUNT, |trail| trail.regions = Some(vec![REGION.to_owned()]));
    patch(&world, "in one that it does");
    world.sim.change_trail(ACCOUNT, |trail| trail.exists = false);
    patch(&world, "without a trail");
    world.sim.change_trail(ACCOUNT, |trail| trail.exists = true);
    patch(&world, "last");
    let events = queue.take(4).await;
    let seen: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event["detail"]["eventName"].as_str().unwrap(), words(event)))
        .collect();
    assert_eq!(
        seen,
        [
            ("StopLogging", ""),
            ("StartLogging", ""),
            ("UpdateStage", "in one that it does"),
            ("UpdateStage", "last")
        ],
        "stopping is the last event, starting the first"
    );
    assert_eq!(events[0]["source"], "aws.cloudtrail");
    let asked = json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "UpdateStage"}]});
    assert_eq!(world.lookup(&asked).len(), 5, "the event history has them all");
}

#[tokio::test]
async fn events_are_lost_on_demand() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    delivery.drop_next(3);
    for number in 0..5 {
        patch(&world, &number.to_string());
    }
    let events = queue.take(2).await;
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), ["3", "4"]);
    delivery.change(|rules| rules.drop = 0.5);
    for number in 0..200 {
        patch(&world, &number.to_string());
    }
    let dropped = delivery.delivered().dropped - 3;
    assert!((60..140).contains(&dropped), "about half: {dropped}");
    queue.take(200 - usize::try_from(dropped).unwrap()).await;
    delivery.change(|rules| rules.drop = 1.0);
    patch(&world, "lost");
    assert_eq!(delivery.delivered().dropped, dropped + 4, "all");
}

#[tokio::test]
async fn events_that_are_late_keep_their_order() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    let begin = Instant::now();
    let delay = Duration::from_millis(60);
    delivery.change(|rules| rules.delay_ms = 60);
    patch(&world, "late");
    delivery.change(|rules| rules.delay_ms = 0);
    patch(&world, "behind it");
    assert_eq!(delivery.delivered().waiting, 2);
    let events = queue.take(2).await;
    assert!(begin.elapsed() >= delay, "not before it is due");
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), ["late", "behind it"]);
}

#[tokio::test]
async fn a_queue_that_fails_for_a_while_gets_every_event() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    queue.answers([Manner::Gone, Manner::Error(500), Manner::Gone]);
    for number in 0..12 {
        patch(&world, &number.to_string());
    }
    let events = queue.take(12).await;
    let expected: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), expected);
    let delivered = until(&delivery, |delivered| delivered.sent == 12).await;
    assert_eq!((delivered.lost, delivered.refused), (0, 0));
}

#[tokio::test]
async fn what_a_queue_refuses_is_counted_and_the_rest_goes_on() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    queue.answers([Manner::RefusesFirst, Manner::Error(400)]);
    for number in 0..21 {
        patch(&world, &number.to_string());
    }
    let events = queue.take(10).await;
    assert_eq!((words(&events[0]), words(&events[9])), ("1", "20"));
    let delivered = until(&delivery, |delivered| delivered.waiting == 0).await;
    assert_eq!((delivered.sent, delivered.refused, delivered.lost), (10, 11, 0));
}

#[tokio::test]
async fn a_queue_that_never_answers_loses_its_events() {
    let world = World::new().with_stage();
    let queue = Queue::of(ACCOUNT).await;
    let url = queue.url.clone();
    drop(queue);
    let delivery = world.sim.deliver_to(&url, ACCOUNT).unwrap();
    patch(&world, "nobody is there");
    let delivered = until(&delivery, |delivered| delivered.waiting == 0).await;
    assert_eq!((delivered.sent, delivered.lost), (0, 1));
}

#[tokio::test]
async fn a_delivery_ends_when_it_is_dropped() {
    let world = World::new().with_stage();
    let mut queue = Queue::of(ACCOUNT).await;
    let delivery = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    assert_eq!(world.sim.deliveries().len(), 1);
    patch(&world, "before");
    queue.take(1).await;
    drop(delivery);
    assert_eq!(world.sim.deliveries(), []);
    patch(&world, "between");
    let _again = world.sim.deliver_to(&queue.url, ACCOUNT).unwrap();
    patch(&world, "after");
    assert_eq!(words(&queue.take(1).await[0]), "after");
}

#[tokio::test]
async fn only_queues_of_this_machine_are_delivered_to() {
    let world = World::new();
    let rows = [
        ("http://127.0.0.1:4566/111122223333/q", true),
        ("http://localhost:4566/111122223333/q", true),
        ("http://[::1]:4566/111122223333/q", true),
        ("http://10.0.0.1:4566/111122223333/q", false),
        ("http://sqs.eu-west-1.amazonaws.com/111122223333/q", false),
        ("https://127.0.0.1:4566/111122223333/q", false),
        ("http://localhost.example.com/111122223333/q", false),
        ("http://127.0.0.1:4566/q", false),
        ("127.0.0.1:4566", false),
        ("", false),
    ];
    for (url, good) in rows {
        let delivery = world.sim.deliver_to(url, ACCOUNT);
        assert_eq!(delivery.is_ok(), good, "{url}");
        if let Err(error) = delivery {
            assert_eq!(error, DeliveryError::Queue(url.to_owned()));
            assert!(error.to_string().contains("loopback"), "{error}");
        }
    }
}

#[test]
fn without_a_runtime_nothing_can_be_delivered() {
    let delivery = World::new()
        .sim
        .deliver_to("http://127.0.0.1:1/111122223333/q", ACCOUNT);
    assert_eq!(delivery.err(), Some(DeliveryError::NoRuntime));
}

#[test]
fn rules_are_those_that_are_documented() {
    let rules: Rules = serde_json::from_value(json!({"dropNext": 3})).unwrap();
    assert_eq!(rules.drop_next, 3);
    for wrong in [json!({"dropnext": 3}), json!({"wrap": "http"})] {
        assert!(serde_json::from_value::<Rules>(wrong.clone()).is_err(), "{wrong}");
    }
}
