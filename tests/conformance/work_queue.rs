//! What every `WorkQueue` must do, told once and run over each of them.

/// Runs every story over one kind of queue.
macro_rules! stories {
    ($(#[$attribute:meta])* $run:path) => {
        stories! { @each [$(#[$attribute])*] $run;
            acked_wakes_do_not_come_again
            released_deliveries_come_again
            dropped_deliveries_come_again
            prefetch_bounds_what_is_unsettled
            lanes_and_channels_do_not_mix
            a_burst_of_one_tenant_does_not_delay_another
            a_parked_message_keeps_body_and_headers
            strange_headers_do_not_stop_a_message
            long_and_binary_bodies_arrive_whole
            what_was_handed_over_outlives_its_subscription
            what_was_not_handed_over_goes_to_others
            the_same_message_twice_is_two_deliveries
            two_subscribers_share_the_work
            giving_up_on_next_loses_nothing
            an_upload_that_nobody_settles_is_parked
            a_wake_that_nobody_settles_is_a_dead_wake
            a_dropped_queue_ends_its_subscriptions
            announcements_need_nobody_who_listens
            it_answers_pings
        }
    };
    (@each $attributes:tt $run:path; $($story:ident)*) => {
        $(stories! { @one $attributes $run; $story })*
    };
    (@one [$($attribute:tt)*] $run:path; $story:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $($attribute)*
        async fn $story() {
            $run(super::$story).await;
        }
    };
}

mod broker;
mod corner;
mod memory;
mod nodes;
mod outages;
mod proxy;
mod rabbitmq;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use adapters::queue::{Config, Declare};
use shared::domain::ids::FileVersionId;
use shared::domain::lane::{Lane, shard_of};
use shared::ports::work_queue::{Channel, Delivery, Message, ParkingReason, Subscription, Wake, WorkQueue};

/// Longest wait for something that must happen.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long something that must not happen is given to happen.
const QUIET: Duration = Duration::from_millis(300);
/// Shards of each lane in these tests.
const SHARDS: u16 = 4;
/// Deliveries of one message in these tests before it is given up.
const DELIVERY_LIMIT: u32 = 3;

fn config(url: &str, namespace: &str) -> Config {
    Config {
        url: url.to_owned(),
        namespace: namespace.to_owned(),
        declare: Declare::Active,
        shards: SHARDS,
        heartbeat_seconds: 1,
        confirm_timeout_seconds: 5,
        memory_capacity: 2_000,
        delivery_limit: DELIVERY_LIMIT,
        management_url: String::new(),
    }
}

fn wake(version: i64, tenant: &str, lane: Lane) -> Wake {
    Wake { version: FileVersionId::new(version).unwrap(), tenant: tenant.parse().unwrap(), lane }
}

fn upload(body: &str) -> Message {
    Message { body: body.to_owned().into(), content_type: Some("application/json".into()), headers: BTreeMap::new() }
}

/// Two tenants whose wakes go to different shards.
fn tenants_of_two_shards() -> (String, String) {
    let shard = |name: &str| shard_of(&name.parse().unwrap(), SHARDS);
    let other = (0..).map(|n| format!("tenant-{n}")).find(|name| shard(name) != shard("acme")).unwrap();
    ("acme".to_owned(), other)
}

async fn subscribe(queue: &Arc<dyn WorkQueue>, channel: Channel, prefetch: u16) -> Box<dyn Subscription> {
    queue.subscribe(channel, prefetch).await.unwrap()
}

async fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    tokio::time::timeout(DEADLINE, subscription.next())
        .await
        .expect("no delivery in time")
        .expect("the subscription ended")
}

async fn nothing_comes(subscription: &mut Box<dyn Subscription>) {
    if let Ok(delivery) = tokio::time::timeout(QUIET, subscription.next()).await {
        panic!("a delivery came that should not: {:?}", delivery.map(|delivery| delivery.message));
    }
}

fn version(delivery: &Delivery) -> i64 {
    Wake::version_in(&delivery.message.body).expect("not a wake").get()
}

/// Acks `count` deliveries and returns the versions that they named.
async fn drain(subscription: &mut Box<dyn Subscription>, count: usize) -> BTreeSet<i64> {
    let mut versions = BTreeSet::new();
    for _ in 0..count {
        let delivery = next(subscription).await;
        versions.insert(version(&delivery));
        delivery.ack().await.unwrap();
    }
    versions
}

async fn acked_wakes_do_not_come_again(queue: Arc<dyn WorkQueue>) {
    queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
    let mut first = subscribe(&queue, Channel::Wakes(Lane::Normal), 1).await;
    let delivery = next(&mut first).await;
    assert_eq!(delivery.message.body, wake(1, "acme", Lane::Normal).to_body());
    assert_eq!(delivery.message.headers, BTreeMap::new());
    assert!(!delivery.redelivered);
    delivery.ack().await.unwrap();
    drop(first);
    nothing_comes(&mut subscribe(&queue, Channel::Wakes(Lane::Normal), 1).await).await;
}

async fn released_deliveries_come_again(queue: Arc<dyn WorkQueue>) {
    queue.publish_upload(&upload("{}")).await.unwrap();
    let mut uploads = subscribe(&queue, Channel::Uploads, 4).await;
    next(&mut uploads).await.release().await.unwrap();
    let again = next(&mut uploads).await;
    assert!(again.redelivered);
    assert_eq!(again.message, upload("{}"));
    again.ack().await.unwrap();
    nothing_comes(&mut uploads).await;
}

async fn dropped_deliveries_come_again(queue: Arc<dyn WorkQueue>) {
    queue.wake(&wake(1, "acme", Lane::Heavy)).await.unwrap();
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Heavy), 1).await;
    drop(next(&mut wakes).await);
    let again = next(&mut wakes).await;
    assert!(again.redelivered);
    again.ack().await.unwrap();
}

async fn prefetch_bounds_what_is_unsettled(queue: Arc<dyn WorkQueue>) {
    let (one, other) = tenants_of_two_shards();
    for (number, tenant) in [&one, &one, &one, &other, &other, &other].into_iter().enumerate() {
        queue.wake(&wake(number as i64 + 1, tenant, Lane::Normal)).await.unwrap();
    }
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await;
    let first = next(&mut wakes).await;
    let _second = next(&mut wakes).await;
    nothing_comes(&mut wakes).await;
    first.ack().await.unwrap();
    let _third = next(&mut wakes).await;
    nothing_comes(&mut wakes).await;
}

async fn lanes_and_channels_do_not_mix(queue: Arc<dyn WorkQueue>) {
    let mut subscriptions = Vec::new();
    for lane in Lane::ALL {
        subscriptions.push((lane, subscribe(&queue, Channel::Wakes(lane), 4).await));
    }
    for (number, lane) in Lane::ALL.into_iter().enumerate() {
        queue.wake(&wake(number as i64 + 1, "acme", lane)).await.unwrap();
    }
    queue.publish_upload(&upload("event")).await.unwrap();
    queue.park(&upload("parked"), &ParkingReason { code: "x", reason: "y".into() }).await.unwrap();
    for (number, (_, wakes)) in subscriptions.iter_mut().enumerate() {
        assert_eq!(drain(wakes, 1).await, BTreeSet::from([number as i64 + 1]));
        nothing_comes(wakes).await;
    }
    assert_eq!(next(&mut subscribe(&queue, Channel::Uploads, 1).await).await.message.body, "event");
    assert_eq!(next(&mut subscribe(&queue, Channel::Parking, 1).await).await.message.body, "parked");
}

async fn a_burst_of_one_tenant_does_not_delay_another(queue: Arc<dyn WorkQueue>) {
    const BURST: i64 = 1_000;
    let (noisy, quiet) = tenants_of_two_shards();
    for number in 1..=BURST {
        queue.wake(&wake(number, &noisy, Lane::Backfill)).await.unwrap();
    }
    queue.wake(&wake(BURST + 1, &quiet, Lane::Backfill)).await.unwrap();
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Backfill), 1).await;
    // The broker may need a moment to send the first message of the other shard.
    let early = drain(&mut wakes, 50).await;
    assert!(early.contains(&(BURST + 1)), "the single wake waited for the burst");
}

async fn a_parked_message_keeps_body_and_headers(queue: Arc<dyn WorkQueue>) {
    let mut message = upload("\u{0}not json");
    message.headers = BTreeMap::from([
        ("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ("ce-id".to_owned(), "grüße".to_owned()),
    ]);
    let reason = ParkingReason { code: "not_json", reason: "line 1: not JSON".into() };
    queue.park(&message, &reason).await.unwrap();
    let parked = next(&mut subscribe(&queue, Channel::Parking, 1).await).await;
    message.headers.insert("x-thumbline-code".into(), "not_json".into());
    message.headers.insert("x-thumbline-reason".into(), "line 1: not JSON".into());
    assert_eq!(parked.message, message);
    parked.ack().await.unwrap();
}

async fn strange_headers_do_not_stop_a_message(queue: Arc<dyn WorkQueue>) {
    let mut message = upload("body");
    message.content_type = Some("text/".to_owned() + &"x".repeat(300));
    message.headers = BTreeMap::from([
        ("huge".to_owned(), "x".repeat(300_000)),
        ("n".repeat(300), "a name that AMQP has no room for".to_owned()),
        ("".to_owned(), "no name".to_owned()),
        ("controls".to_owned(), "\u{0}\r\n\u{7f}".to_owned()),
        ("kept".to_owned(), "value".to_owned()),
    ]);
    queue.publish_upload(&message).await.unwrap();
    queue.park(&message, &ParkingReason { code: "strange", reason: "x".repeat(1_000) }).await.unwrap();
    for channel in [Channel::Uploads, Channel::Parking] {
        let delivery = next(&mut subscribe(&queue, channel, 1).await).await;
        assert_eq!(delivery.message.body, "body");
        assert_eq!(delivery.message.headers["kept"], "value");
        assert_eq!(delivery.message.headers["controls"], "\u{0}\r\n\u{7f}");
        delivery.ack().await.unwrap();
    }
}

async fn long_and_binary_bodies_arrive_whole(queue: Arc<dyn WorkQueue>) {
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut uploads = subscribe(&queue, Channel::Uploads, 1).await;
    for body in [long, vec![0xff, 0xfe, 0], Vec::new()] {
        let message = Message { body: body.into(), ..Message::default() };
        queue.publish_upload(&message).await.unwrap();
        let delivery = next(&mut uploads).await;
        assert!(delivery.message == message, "{} bytes", message.body.len());
        delivery.ack().await.unwrap();
    }
}

async fn what_was_handed_over_outlives_its_subscription(queue: Arc<dyn WorkQueue>) {
    queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
    let mut first = subscribe(&queue, Channel::Wakes(Lane::Normal), 4).await;
    let delivery = next(&mut first).await;
    drop(first);
    let mut second = subscribe(&queue, Channel::Wakes(Lane::Normal), 4).await;
    nothing_comes(&mut second).await;
    delivery.ack().await.unwrap();
    nothing_comes(&mut second).await;
}

async fn what_was_not_handed_over_goes_to_others(queue: Arc<dyn WorkQueue>) {
    for number in 1..=5 {
        queue.wake(&wake(number, "acme", Lane::Normal)).await.unwrap();
    }
    let mut first = subscribe(&queue, Channel::Wakes(Lane::Normal), 5).await;
    let held = next(&mut first).await;
    drop(first);
    let mut second = subscribe(&queue, Channel::Wakes(Lane::Normal), 5).await;
    let mut versions = drain(&mut second, 4).await;
    versions.insert(version(&held));
    assert_eq!(versions, BTreeSet::from([1, 2, 3, 4, 5]));
    held.ack().await.unwrap();
}

async fn the_same_message_twice_is_two_deliveries(queue: Arc<dyn WorkQueue>) {
    for _ in 0..2 {
        queue.wake(&wake(7, "acme", Lane::Interactive)).await.unwrap();
    }
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Interactive), 2).await;
    assert_eq!(drain(&mut wakes, 2).await, BTreeSet::from([7]));
    nothing_comes(&mut wakes).await;
}

async fn two_subscribers_share_the_work(queue: Arc<dyn WorkQueue>) {
    const COUNT: i64 = 200;
    let mut workers = Vec::new();
    let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..2 {
        let (mut wakes, sender) = (subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await, sender.clone());
        workers.push(tokio::spawn(async move {
            while let Some(delivery) = wakes.next().await {
                sender.send(version(&delivery)).unwrap();
                delivery.ack().await.unwrap();
            }
        }));
    }
    for number in 1..=COUNT {
        queue.wake(&wake(number, &format!("tenant-{number}"), Lane::Normal)).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < COUNT as usize {
        seen.push(tokio::time::timeout(DEADLINE, done.recv()).await.expect("some wakes never came").unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=COUNT).collect::<Vec<_>>(), "each exactly once");
    workers.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn giving_up_on_next_loses_nothing(queue: Arc<dyn WorkQueue>) {
    const COUNT: i64 = 100;
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 3).await;
    let publishing = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move {
            for number in 1..=COUNT {
                queue.wake(&wake(number, &format!("tenant-{number}"), Lane::Normal)).await.unwrap();
            }
        }
    });
    let mut versions = BTreeSet::new();
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while versions.len() < COUNT as usize {
        assert!(tokio::time::Instant::now() < deadline, "only {} of {COUNT} came", versions.len());
        let Ok(delivery) = tokio::time::timeout(Duration::from_micros(200), wakes.next()).await else { continue };
        let delivery = delivery.unwrap();
        versions.insert(version(&delivery));
        delivery.ack().await.unwrap();
    }
    publishing.await.unwrap();
}

async fn an_upload_that_nobody_settles_is_parked(queue: Arc<dyn WorkQueue>) {
    queue.publish_upload(&upload("poison")).await.unwrap();
    let mut uploads = subscribe(&queue, Channel::Uploads, 1).await;
    for _ in 0..=DELIVERY_LIMIT {
        drop(next(&mut uploads).await);
    }
    let parked = next(&mut subscribe(&queue, Channel::Parking, 1).await).await;
    assert_eq!(parked.message.body, "poison");
    assert_eq!(parked.message.headers["x-thumbline-code"], "delivery_limit");
    assert!(!parked.message.headers["x-thumbline-reason"].is_empty());
    nothing_comes(&mut uploads).await;
}

async fn a_wake_that_nobody_settles_is_a_dead_wake(queue: Arc<dyn WorkQueue>) {
    queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 1).await;
    for _ in 0..=DELIVERY_LIMIT {
        next(&mut wakes).await.release().await.unwrap();
    }
    nothing_comes(&mut wakes).await;
    let dead = next(&mut subscribe(&queue, Channel::DeadWakes, 1).await).await;
    assert_eq!(version(&dead), 1);
    dead.ack().await.unwrap();
    nothing_comes(&mut subscribe(&queue, Channel::Parking, 1).await).await;
}

async fn a_dropped_queue_ends_its_subscriptions(queue: Arc<dyn WorkQueue>) {
    let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 1).await;
    let waiting = tokio::spawn(async move { wakes.next().await.is_none() });
    tokio::task::yield_now().await;
    drop(queue);
    let ended = tokio::time::timeout(DEADLINE, waiting).await.expect("it went on waiting").unwrap();
    assert!(ended, "a delivery came out of nothing");
}

async fn it_answers_pings(queue: Arc<dyn WorkQueue>) {
    queue.ping().await.unwrap();
}

async fn announcements_need_nobody_who_listens(queue: Arc<dyn WorkQueue>) {
    for number in 0..40 {
        queue.announce("representation.success", &number.to_string(), &upload("{}")).await.unwrap();
    }
    nothing_comes(&mut subscribe(&queue, Channel::Uploads, 1).await).await;
}
