//! A corner of the RabbitMQ for tests: exchanges and queues of one test, deleted at its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use adapters::queue::Config;
use futures_util::FutureExt as _;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use shared::domain::lane::Lane;
use shared::ports::work_queue::WorkQueue;

use super::proxy::{Falsify, Proxy};
use super::{SHARDS, config};

/// A corner of the broker for one test: everything in it is deleted when the test ends, also when it fails.
pub(super) struct Corner {
    pub(super) url: String,
    pub(super) namespace: String,
}

pub(super) async fn in_corner(test: impl AsyncFnOnce(&Corner)) {
    let url = std::env::var("THUMBLINE_TEST_AMQP_URL")
        .expect("set THUMBLINE_TEST_AMQP_URL to the RabbitMQ for tests, like amqp://guest:guest@127.0.0.1:5672/%2f");
    let corner = Corner { url, namespace: format!("test-{:016x}.", rand::random::<u64>()) };
    let outcome = AssertUnwindSafe(test(&corner)).catch_unwind().await;
    corner.delete_all().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Corner {
    pub(super) fn config(&self) -> Config {
        config(&self.url, &self.namespace)
    }

    pub(super) async fn open(&self) -> Arc<dyn WorkQueue> {
        adapters::queue::open(&self.config()).await.unwrap()
    }

    /// A queue that reaches the broker through a proxy.
    pub(super) async fn open_through(&self, proxy: &Proxy) -> Arc<dyn WorkQueue> {
        let mut uri: AMQPUri = self.url.parse().unwrap();
        uri.authority.host = proxy.address.ip().to_string();
        uri.authority.port = proxy.address.port();
        let config = Config { url: uri.to_string(), confirm_timeout_seconds: 2, ..self.config() };
        adapters::queue::open(&config).await.unwrap()
    }

    pub(super) async fn proxy(&self, falsify: Falsify) -> Proxy {
        let uri: AMQPUri = self.url.parse().unwrap();
        Proxy::start(format!("{}:{}", uri.authority.host, uri.authority.port), falsify).await
    }

    pub(super) async fn connect(&self) -> Connection {
        Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap()
    }

    pub(super) fn queues(&self) -> Vec<String> {
        let mut names = ["thumbline.uploads", "thumbline.parking", "thumbline.wake.dead"].map(str::to_owned).to_vec();
        for lane in Lane::ALL {
            names.extend((0..SHARDS).map(|shard| format!("thumbline.wake.{}.{shard}", lane.name())));
        }
        names.iter().map(|name| format!("{}{name}", self.namespace)).collect()
    }

    pub(super) fn exchanges(&self) -> Vec<String> {
        ["uploads", "thumbline.work", "thumbline.events"].map(|name| format!("{}{name}", self.namespace)).to_vec()
    }

    pub(super) async fn delete_queue(&self, name: &str) {
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
