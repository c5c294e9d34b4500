//! A listener on the exchange for announcements: a queue of its own, read event by event.

use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection};
use serde_json::Value;

use super::eventually;

/// A queue that ends with its connection, bound to every topic.
pub(crate) struct Listener {
    channel: Channel,
    queue: ShortString,
    exchange: String,
}

impl Listener {
    /// `None` as long as there is no such exchange.
    pub(super) async fn bind(connection: &Connection, exchange: &str) -> Option<Self> {
        let channel = connection.create_channel().await.unwrap();
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await.unwrap().name().clone();
        let listener = Self { channel, queue, exchange: exchange.to_owned() };
        listener.bind_queue(&listener.queue).await.ok().map(|()| listener)
    }

    async fn bind_queue(&self, queue: &ShortString) -> lapin::Result<()> {
        let (queue, exchange) = (queue.clone(), self.exchange.as_str().into());
        self.channel.queue_bind(queue, exchange, "#".into(), QueueBindOptions::default(), FieldTable::default()).await
    }

    /// The next so many events.
    pub(crate) async fn events(&self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            let message = eventually("something is told on the exchange", || async {
                self.channel.basic_get(self.queue.clone(), BasicGetOptions { no_ack: true }).await.unwrap()
            })
            .await;
            let event: Value = serde_json::from_slice(&message.data).unwrap();
            assert_eq!(event["type"], format!("thumbline.{}", message.routing_key));
            events.push(event);
        }
        events
    }

    /// One more queue, which is full at once: the broker refuses announcements as long as it is there.
    pub(crate) async fn clog(&self) -> ShortString {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare("".into(), exclusive, arguments).await.unwrap().name().clone();
        self.bind_queue(&queue).await.unwrap();
        queue
    }

    /// The broker takes them again.
    pub(crate) async fn unclog(&self, queue: ShortString) {
        self.channel.queue_delete(queue, QueueDeleteOptions::default()).await.unwrap();
    }
}
