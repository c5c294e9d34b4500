//! The queue on a real RabbitMQ: all stories, and what happens when the broker or the way to it misbehaves.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::queue::{Config, Declare};
use futures_util::FutureExt as _;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};
use shared::domain::lane::{Lane, shard_of};
use shared::ports::work_queue::{Channel, QueueError, WorkQueue};
use tokio::io::AsyncReadExt as _;

use super::proxy::{Falsify, Mode, Proxy};
use super::{DEADLINE, SHARDS, config, drain, next, nothing_comes, subscribe, upload, version, wake};

/// A corner of the broker for one test: everything in it is deleted when the test ends, also when it fails.
struct Corner {
    url: String,
    namespace: String,
}

async fn in_corner(test: impl AsyncFnOnce(&Corner)) {
    let url = std::env::var("THUMBLINE_TEST_AMQP_URL")
        .expect("set THUMBLINE_TEST_AMQP_URL to the RabbitMQ for tests, like amqp://guest:guest@127.0.0.1:5672/%2f");
    let corner = Corner { url, namespace: format!("test-{:016x}.", rand::random::<u64>()) };
    let outcome = AssertUnwindSafe(test(&corner)).catch_unwind().await;
    corner.delete_all().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn WorkQueue>) -> F) {
    in_corner(async |corner| story(corner.open().await).await).await;
}

stories! {
    #[ignore = "needs RabbitMQ: run `make test`"]
    run
}

impl Corner {
    fn config(&self) -> Config {
        config(&self.url, &self.namespace)
    }

    async fn open(&self) -> Arc<dyn WorkQueue> {
        adapters::queue::open(&self.config()).await.unwrap()
    }

    /// A queue that reaches the broker through a proxy.
    async fn open_through(&self, proxy: &Proxy) -> Arc<dyn WorkQueue> {
        let mut uri: AMQPUri = self.url.parse().unwrap();
        uri.authority.host = proxy.address.ip().to_string();
        uri.authority.port = proxy.address.port();
        let config = Config { url: uri.to_string(), confirm_timeout_seconds: 2, ..self.config() };
        adapters::queue::open(&config).await.unwrap()
    }

    async fn proxy(&self, falsify: Falsify) -> Proxy {
        let uri: AMQPUri = self.url.parse().unwrap();
        Proxy::start(format!("{}:{}", uri.authority.host, uri.authority.port), falsify).await
    }

    async fn connect(&self) -> Connection {
        Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap()
    }

    fn queues(&self) -> Vec<String> {
        let mut names = vec!["thumbline.uploads".to_owned(), "thumbline.parking".to_owned()];
        for lane in Lane::ALL {
            names.extend((0..SHARDS).map(|shard| format!("thumbline.wake.{}.{shard}", lane.name())));
        }
        names.iter().map(|name| format!("{}{name}", self.namespace)).collect()
    }

    fn exchanges(&self) -> Vec<String> {
        ["uploads", "thumbline.work", "thumbline.events"].map(|name| format!("{}{name}", self.namespace)).to_vec()
    }

    async fn delete_queue(&self, name: &str) {
        let connection = self.connect().await;
        let channel = connection.create_channel().await.unwrap();
        channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    async fn delete_all(&self) {
        let connection = self.connect().await;
        let channel = connection.create_channel().await.unwrap();
        for queue in self.queues() {
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
        for exchange in self.exchanges() {
            channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
        }
    }
}

/// Waits until the queue takes wakes again.
async fn wake_until_taken(queue: &Arc<dyn WorkQueue>, number: i64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match queue.wake(&wake(number, "acme", Lane::Normal)).await {
            Ok(()) => return,
            Err(error) => assert!(Instant::now() < deadline, "it never recovered: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
        let reason = shared::ports::work_queue::ParkingReason { code: "strange", reason: "strange".into() };
        queue.park(&delivery.message, &reason).await.unwrap();
        let parked = next(&mut subscribe(&queue, Channel::Parking, 1).await).await;
        assert_eq!(parked.message.headers["number"], "42");
        assert_eq!(parked.message.headers["x-thumbline-code"], "strange");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_cut_connection_is_bridged() {
    in_corner(async |corner| {
        let proxy = corner.proxy(None).await;
        let queue = corner.open_through(&proxy).await;
        let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await;
        queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
        let held = next(&mut wakes).await;
        proxy.cut();
        let again = next(&mut wakes).await;
        assert!(again.redelivered);
        assert_eq!(version(&again), 1);
        let error = held.ack().await.unwrap_err();
        assert!(matches!(error, QueueError::Away(_)), "{error}");
        again.ack().await.unwrap();
        wake_until_taken(&queue, 2).await;
        assert!(drain(&mut wakes, 1).await.contains(&2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn while_the_broker_is_unreachable_it_says_so_at_once() {
    in_corner(async |corner| {
        let proxy = corner.proxy(None).await;
        let queue = corner.open_through(&proxy).await;
        let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await;
        proxy.set(Mode::Refuse);
        for _ in 0..20 {
            let asked = Instant::now();
            let error = queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap_err();
            assert!(matches!(error, QueueError::Away(_)), "{error}");
            assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
        }
        assert!(matches!(queue.ping().await, Err(QueueError::Away(_))));
        assert!(matches!(queue.subscribe(Channel::Wakes(Lane::Heavy), 1).await, Err(QueueError::Away(_))));
        proxy.set(Mode::Forward);
        wake_until_taken(&queue, 2).await;
        assert!(drain(&mut wakes, 1).await.contains(&2));
        queue.ping().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_frozen_broker_is_noticed_and_nothing_hangs() {
    in_corner(async |corner| {
        let proxy = corner.proxy(None).await;
        let queue = corner.open_through(&proxy).await;
        let mut wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await;
        queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
        let held = next(&mut wakes).await;
        proxy.set(Mode::Stall);
        let asked = Instant::now();
        let error = queue.wake(&wake(2, "acme", Lane::Normal)).await.unwrap_err();
        assert!(matches!(error, QueueError::Away(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
        // Heartbeats of one second are missed after two; both connections are given up and opened anew.
        proxy.set(Mode::Refuse);
        proxy.set(Mode::Forward);
        assert_eq!(version(&next(&mut wakes).await), 1);
        assert!(held.ack().await.is_err());
        wake_until_taken(&queue, 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_deleted_queue_is_declared_again_after_the_next_reconnect() {
    in_corner(async |corner| {
        let proxy = corner.proxy(None).await;
        let queue = corner.open_through(&proxy).await;
        let mut uploads = subscribe(&queue, Channel::Uploads, 2).await;
        corner.delete_queue(&format!("{}thumbline.uploads", corner.namespace)).await;
        let error = queue.publish_upload(&upload("lost")).await.unwrap_err();
        assert!(matches!(error, QueueError::Unroutable(_)), "{error}");
        nothing_comes(&mut uploads).await;
        proxy.cut();
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = queue.publish_upload(&upload("found")).await {
            assert!(Instant::now() < deadline, "it never recovered: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(next(&mut uploads).await.message.body, "found");
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
async fn strange_message_arrives(queue: &Arc<dyn WorkQueue>) -> std::collections::BTreeMap<String, String> {
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

#[tokio::test]
async fn a_broker_that_is_down_is_away() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = config(&format!("amqp://guest:guest@127.0.0.1:{port}/%2f"), "");
    let opening = tokio::time::timeout(DEADLINE, adapters::queue::open(&config)).await.expect("it hangs");
    assert!(matches!(opening, Err(QueueError::Away(_))));
}

#[tokio::test]
async fn a_broker_that_accepts_and_says_nothing_is_away_and_hung_up_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
    let config = Config { confirm_timeout_seconds: 1, ..config(&url, "") };
    let opening = tokio::spawn(async move { adapters::queue::open(&config).await.map(drop) });
    let (mut socket, _) = listener.accept().await.unwrap();
    let opened = tokio::time::timeout(DEADLINE, opening).await.expect("it hangs").unwrap();
    assert!(matches!(opened, Err(QueueError::Away(_))));
    let mut said = Vec::new();
    tokio::time::timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("the connection stays open").unwrap();
    assert!(said.starts_with(b"AMQP"));
}
