//! The queue on RabbitMQ: supervised connections, confirmed publishing, subscriptions that outlive connections.

mod fault;
mod link;
mod message;
mod publisher;
mod screen;
mod subscription;
mod topology;
mod transport;

use std::time::Duration;

use async_trait::async_trait;
use shared::domain::lane::shard_of;
use shared::ports::work_queue::{Channel, Message, ParkingReason, QueueError, Subscription, Wake, WorkQueue};
use tokio::sync::OnceCell;

use self::link::{Dialer, Link};
use self::publisher::{Address, Publisher};
use self::subscription::{Plan, QueueSubscription};
use self::topology::Topology;
use super::config::Config;
use super::counted;

pub(super) use self::topology::definitions;

/// A [`WorkQueue`] on a RabbitMQ broker. Dropping it closes its connections and ends its subscriptions.
pub(super) struct RabbitQueue {
    dialer: Dialer,
    topology: Topology,
    patience: Duration,
    publisher: Publisher,
    consumers: Consumers,
}

/// Connections to consume over, opened when first needed. Messages by others have their own, so that whatever is wrong
/// with one does not take the wakes with it.
#[derive(Default)]
struct Consumers {
    uploads: OnceCell<Link>,
    wakes: OnceCell<Link>,
    parking: OnceCell<Link>,
}

impl RabbitQueue {
    /// Connects and declares.
    pub(super) async fn open(config: &Config) -> Result<Self, QueueError> {
        let dialer = Dialer::new(config)?;
        let patience = config.confirm_timeout();
        let publisher = Publisher::new(dialer.link("publisher").await?, patience);
        let topology = Topology::new(config);
        Ok(Self { dialer, topology, patience, publisher, consumers: Consumers::default() })
    }

    /// Publishes on the exchange for our own messages.
    async fn publish_work(&self, key: &str, queue: &str, kind: &str, message: &Message) -> Result<(), QueueError> {
        let exchange = self.topology.work_exchange();
        let address = Address { exchange: &exchange, routing_key: key, display: queue, wants_queue: true };
        counted(self.publisher.publish(&address, message::properties(kind, message), &message.body).await)
    }

    async fn link_for(&self, channel: Channel) -> Result<&Link, QueueError> {
        let (cell, purpose) = match channel {
            Channel::Uploads => (&self.consumers.uploads, "uploads"),
            Channel::Wakes(_) | Channel::DeadWakes => (&self.consumers.wakes, "wakes"),
            Channel::Parking => (&self.consumers.parking, "parking"),
        };
        cell.get_or_try_init(|| self.dialer.link(purpose)).await
    }
}

#[async_trait]
impl WorkQueue for RabbitQueue {
    async fn wake(&self, wake: &Wake) -> Result<(), QueueError> {
        let shard = shard_of(&wake.tenant, self.topology.shards());
        let (key, queue) = (topology::wake_key(wake.lane, shard), self.topology.wake_queue(wake.lane, shard));
        let message =
            Message { body: wake.to_body(), content_type: Some("application/json".into()), ..Message::default() };
        self.publish_work(&key, &queue, "thumbline.wake", &message).await
    }

    async fn publish_upload(&self, message: &Message) -> Result<(), QueueError> {
        let exchange = self.topology.uploads_exchange();
        let routing_key = "thumbline.file.uploaded";
        let address = Address { exchange: &exchange, routing_key, display: &exchange, wants_queue: true };
        let properties = message::properties("thumbline.file.uploaded", message);
        counted(self.publisher.publish(&address, properties, &message.body).await)
    }

    async fn announce(&self, topic: &str, id: &str, message: &Message) -> Result<(), QueueError> {
        let exchange = self.topology.events_exchange();
        let address = Address { exchange: &exchange, routing_key: topic, display: &exchange, wants_queue: false };
        let kind = format!("{}{topic}", shared::announcement::TYPE_PREFIX);
        // Told twice, it has the same id: consumers may know it by that.
        let properties = message::properties(&kind, message).with_message_id(id.into());
        counted(self.publisher.publish(&address, properties, &message.body).await)
    }

    async fn park(&self, message: &Message, reason: &ParkingReason) -> Result<(), QueueError> {
        let queue = self.topology.queues_of(Channel::Parking).join(", ");
        let parked = super::parked(message, reason);
        self.publish_work(topology::PARKING_KEY, &queue, "thumbline.parked", &parked).await
    }

    async fn subscribe(&self, channel: Channel, prefetch: u16) -> Result<Box<dyn Subscription>, QueueError> {
        let plan = Plan {
            feed: channel,
            queues: self.topology.queues_of(channel),
            prefetch: prefetch.max(1),
            patience: self.patience,
        };
        let subscribing = async { QueueSubscription::open(self.link_for(channel).await?.watch(), plan).await };
        Ok(Box::new(counted(subscribing.await)?))
    }

    async fn ping(&self) -> Result<(), QueueError> {
        counted(self.publisher.ping(&self.topology.work_exchange()).await)
    }
}
