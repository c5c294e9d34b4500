//! The queue on a real RabbitMQ: all stories, what is declared there, and what strangers may publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use adapters::queue::{Config, Declare};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};
use shared::domain::lane::{Lane, shard_of};
use shared::ports::work_queue::{Channel, ParkingReason, QueueError, WorkQueue};

use super::corner::{Corner, in_corner};
use super::{DEADLINE, SHARDS, next, subscribe, upload, wake};

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn WorkQueue>) -> F) {
    in_corner(async |corner| story(corner.open().await).await).await;
}

stories! {
    #[ignore = "needs RabbitMQ: run `make test`"]
    run
}

fn misconfigured<T>(result: Result<T, QueueError>) -> String {
    match result {
        Err(QueueError::Misconfigured(words)) => words,
        Err(other) => panic!("not misconfigured: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn names_are_the_documented_ones() {
    in_corner(async |corner| {
        let _queue = corner.open().await;
        let connection = corner.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        for queue in corner.queues() {
            channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await.unwrap();
        }
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        for exchange in corner.exchanges() {
            let kind = ExchangeKind::Topic;
            channel.exchange_declare(exchange.as_str().into(), kind, passive, FieldTable::default()).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn producers_reach_us_with_any_routing_key_and_any_header() {
    in_corner(async |corner| {
        let queue = corner.open().await;
        let connection = corner.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let mut headers = FieldTable::default();
        headers.insert("latin1".into(), AMQPValue::LongString(vec![b'g', 0xfc].into()));
        headers.insert("number".into(), AMQPValue::LongLongInt(42));
        headers.insert("long".into(), AMQPValue::LongString("x".repeat(100_000).into()));
        let properties = BasicProperties::default().with_headers(headers);
        let exchange = format!("{}uploads", corner.namespace).into();
        let options = BasicPublishOptions::default();
        channel.basic_publish(exchange, "any.thing".into(), options, b"body", properties).await.unwrap();

        let delivery = next(&mut subscribe(&queue, Channel::Uploads, 1).await).await;
        assert_eq!(delivery.message.body, "body");
        assert_eq!(delivery.message.headers["latin1"], "g\u{fffd}");
        assert_eq!(delivery.message.headers["number"], "42");
        assert_eq!(delivery.message.headers["long"].len(), 100_000);
        // With such a header there is hardly room for ours; the message is parked all the same.
        let reason = ParkingReason { code: "strange", reason: "strange".into() };
        queue.park(&delivery.message, &reason).await.unwrap();
        let parked = next(&mut subscribe(&queue, Channel::Parking, 1).await).await;
        assert_eq!(parked.message.headers["number"], "42");
        assert_eq!(parked.message.headers["x-thumbline-code"], "strange");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn listeners_get_the_announcements_of_their_topics() {
    in_corner(async |corner| {
        let queue = corner.open().await;
        let connection = corner.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let listener = channel.queue_declare("".into(), exclusive, FieldTable::default()).await.unwrap();
        let (name, exchange) = (listener.name().clone(), format!("{}thumbline.events", corner.namespace));
        let binding = QueueBindOptions::default();
        let topic = "representation.*".into();
        channel.queue_bind(name.clone(), exchange.into(), topic, binding, FieldTable::default()).await.unwrap();
        for (topic, id) in [("file_version.completed", "1"), ("representation.error", "2")] {
            queue.announce(topic, id, &shared::announcement::message("{}")).await.unwrap();
        }
        let get = || channel.basic_get(name.clone(), BasicGetOptions { no_ack: true });
        let message = get().await.unwrap().expect("it was confirmed, so it is there");
        assert_eq!(message.routing_key.as_str(), "representation.error");
        let properties = &message.properties;
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "2");
        assert_eq!(properties.kind().as_ref().unwrap().as_str(), "thumbline.representation.error");
        assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
        assert!(get().await.unwrap().is_none(), "the other topic is not listened to");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_wake_without_a_queue_is_unroutable() {
    in_corner(async |corner| {
        let queue = corner.open().await;
        let shard = shard_of(&"acme".parse().unwrap(), SHARDS);
        let name = format!("{}thumbline.wake.normal.{shard}", corner.namespace);
        corner.delete_queue(&name).await;
        match queue.wake(&wake(1, "acme", Lane::Normal)).await {
            Err(QueueError::Unroutable(what)) => assert_eq!(what, name),
            other => panic!("{other:?}"),
        }
        queue.wake(&wake(1, "acme", Lane::Heavy)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_queue_with_other_arguments_is_refused_in_the_brokers_words() {
    in_corner(async |corner| {
        let connection = corner.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let name = format!("{}thumbline.uploads", corner.namespace);
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.unwrap();
        let words = misconfigured(adapters::queue::open(&corner.config()).await);
        assert!(
            words.contains(&name) && words.contains("inequivalent arg") && words.contains("delete queue"),
            "{words}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn passive_declaration_lists_everything_that_is_missing() {
    in_corner(async |corner| {
        let passive = Config { declare: Declare::Passive, ..corner.config() };
        let words = misconfigured(adapters::queue::open(&passive).await);
        for name in corner.queues().iter().chain(&corner.exchanges()) {
            assert!(words.contains(name.as_str()), "{name} is not in: {words}");
        }
        assert!(words.contains("queue.declare = \"active\""), "{words}");
        drop(corner.open().await);
        adapters::queue::open(&passive).await.unwrap().ping().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_queue_that_is_limited_and_full_says_so() {
    in_corner(async |corner| {
        drop(corner.open().await);
        let shard = shard_of(&"acme".parse().unwrap(), SHARDS);
        let name = format!("{}thumbline.wake.normal.{shard}", corner.namespace);
        corner.delete_queue(&name).await;
        declare_limited(corner, &name, &format!("wake.normal.{shard}")).await;
        let queue = adapters::queue::open(&Config { declare: Declare::Passive, ..corner.config() }).await.unwrap();
        // The broker may take a few more than the limit while it counts.
        let deadline = Instant::now() + DEADLINE;
        loop {
            match queue.wake(&wake(1, "acme", Lane::Normal)).await {
                Ok(()) => assert!(Instant::now() < deadline, "it is never full"),
                Err(QueueError::Full(what)) => return assert_eq!(what, name),
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
}

async fn declare_limited(corner: &Corner, name: &str, key: &str) {
    let connection = corner.connect().await;
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(2));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, arguments).await.unwrap();
    let exchange = format!("{}thumbline.work", corner.namespace).into();
    let options = QueueBindOptions::default();
    channel.queue_bind(name.into(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_wrong_password_or_virtual_host_needs_an_operator() {
    in_corner(async |corner| {
        let mut wrong: AMQPUri = corner.url.parse().unwrap();
        wrong.authority.userinfo.password = "not-the-password".into();
        let words = misconfigured(adapters::queue::open(&Config { url: wrong.to_string(), ..corner.config() }).await);
        assert!(words.contains("ACCESS_REFUSED") && !words.contains("not-the-password"), "{words}");
        let mut wrong: AMQPUri = corner.url.parse().unwrap();
        wrong.vhost = "not-there".into();
        let words = misconfigured(adapters::queue::open(&Config { url: wrong.to_string(), ..corner.config() }).await);
        assert!(words.contains("not-there"), "{words}");
    })
    .await;
}

/// Publishes a message that no AMQP library would send: `written` stands for `meant` on its way to the broker.
async fn publish_falsified(corner: &Corner, written: &'static [u8], meant: &'static [u8], headers: FieldTable) {
    let proxy = corner.proxy(Some((written, meant))).await;
    let mut uri: AMQPUri = corner.url.parse().unwrap();
    uri.authority.host = proxy.address.ip().to_string();
    uri.authority.port = proxy.address.port();
    let connection = Connection::connect_uri(uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let properties = BasicProperties::default().with_headers(headers);
    let exchange = format!("{}uploads", corner.namespace).into();
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish(exchange, "strange-key".into(), options, b"strange", properties).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());
}

/// The strange message arrives, with what could be saved of its headers, and the connection lives on.
async fn strange_message_arrives(queue: &Arc<dyn WorkQueue>) -> BTreeMap<String, String> {
    let mut uploads = subscribe(queue, Channel::Uploads, 2).await;
    let delivery = next(&mut uploads).await;
    assert_eq!(delivery.message.body, "strange");
    assert!(!delivery.redelivered);
    queue.publish_upload(&upload("after")).await.unwrap();
    let after = next(&mut uploads).await;
    assert_eq!(after.message.body, "after");
    assert!(!after.redelivered, "the connection was lost in between");
    after.ack().await.unwrap();
    let headers = delivery.message.headers.clone();
    delivery.ack().await.unwrap();
    headers
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn names_that_are_not_utf8_arrive_patched() {
    in_corner(async |corner| {
        let queue = corner.open().await;
        let mut headers = FieldTable::default();
        headers.insert("falsify-me".into(), AMQPValue::LongString("value".into()));
        publish_falsified(corner, b"falsify-me", b"falsify-\xff\xff", headers).await;
        assert_eq!(strange_message_arrives(&queue).await["falsify-??"], "value");
        publish_falsified(corner, b"strange-key", b"strange-k\xe9y", FieldTable::default()).await;
        strange_message_arrives(&queue).await;
    })
    .await;
}

/// Parsed the usual way, this takes more stack than a thread has, and the process dies.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn headers_nested_without_end_arrive_as_text() {
    in_corner(async |corner| {
        let queue = corner.open().await;
        let nested = (0..15_000).fold(Vec::new(), |table, _| {
            let length = u32::try_from(table.len()).unwrap().to_be_bytes();
            [&b"\x01kF"[..], &length, &table].concat()
        });
        let mut headers = FieldTable::default();
        headers.insert("deep".into(), AMQPValue::LongString(nested.into()));
        headers.insert("flat".into(), AMQPValue::LongString("value".into()));
        // A table looks like text but for its type.
        publish_falsified(corner, b"\x04deepS", b"\x04deepF", headers).await;
        let headers = strange_message_arrives(&queue).await;
        assert_eq!(headers["flat"], "value");
        assert!(headers["deep"].starts_with("{\"k\":{\"k\":{"), "{:.100}", headers["deep"]);
    })
    .await;
}
