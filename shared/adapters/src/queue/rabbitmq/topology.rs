//! Every exchange, queue and binding that we need on the broker: their names, arguments and declaration.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use serde_json::{Value, json};
use shared::domain::lane::Lane;
use shared::ports::work_queue::{Channel as Feed, QueueError};

use super::fault;
use crate::queue::config::{Config, Declare};

/// Parked messages wait for an operator, however often they are looked at. Brokers from 4.0 on would drop them after
/// 20 deliveries if nothing were said, and older ones know no word for "never".
const PARKING_DELIVERY_LIMIT: i32 = i32::MAX;

/// Names and arguments of all that we declare.
///
/// | Exchange | Kind | Purpose |
/// |---|---|---|
/// | `uploads` | topic | producers publish events here, with any routing key |
/// | `thumbline.work` | direct | wakes (`wake.<lane>.<shard>`, `wake.dead`) and messages to park (`parking`), by ourselves only |
/// | `thumbline.events` | topic | what we tell others |
///
/// | Queue | Bound to | Dead letters |
/// |---|---|---|
/// | `thumbline.uploads` | `uploads`, `#` | to `thumbline.parking` |
/// | `thumbline.wake.<lane>.<shard>` | `thumbline.work` | to `thumbline.wake.dead` |
/// | `thumbline.wake.dead` | `thumbline.work` | none; somebody looks at the rows |
/// | `thumbline.parking` | `thumbline.work` | none |
///
/// All queues are durable quorum queues with an explicit delivery limit, and refuse messages when an operator's policy
/// limits their length, rather than dropping the oldest.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    namespace: String,
    shards: u16,
    delivery_limit: u32,
    declare: Declare,
}

struct Exchange {
    name: String,
    kind: ExchangeKind,
}

struct Queue {
    name: String,
    exchange: String,
    routing_key: String,
    arguments: FieldTable,
}

impl Topology {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            namespace: config.namespace.clone(),
            shards: config.shards,
            delivery_limit: config.delivery_limit,
            declare: config.declare,
        }
    }

    /// Where producers publish.
    pub(super) fn uploads_exchange(&self) -> String {
        self.named("uploads")
    }

    /// Where we tell others.
    pub(super) fn events_exchange(&self) -> String {
        self.named("thumbline.events")
    }

    /// Where we publish to ourselves.
    pub(super) fn work_exchange(&self) -> String {
        self.named("thumbline.work")
    }

    /// The queue that a wake goes to, by lane and shard.
    pub(super) fn wake_queue(&self, lane: Lane, shard: u16) -> String {
        self.named(&format!("thumbline.{}", wake_key(lane, shard)))
    }

    /// How many shards each lane has.
    pub(super) fn shards(&self) -> u16 {
        self.shards
    }

    /// The queues that feed a subscription.
    pub(super) fn queues_of(&self, feed: Feed) -> Vec<String> {
        match feed {
            Feed::Uploads => vec![self.uploads_queue()],
            Feed::Wakes(lane) => (0..self.shards).map(|shard| self.wake_queue(lane, shard)).collect(),
            Feed::Parking => vec![self.parking_queue()],
            Feed::DeadWakes => vec![self.dead_wakes_queue()],
        }
    }

    /// Declares, or only checks, all of it. Everything that is wrong is in the error, not only the first thing.
    pub(super) async fn declare(&self, connection: &Connection) -> Result<(), QueueError> {
        let mut wrong = Vec::new();
        // A refusal closes the channel, so each gets a new one.
        let mut channel = connection.create_channel().await.map_err(fault::away)?;
        for exchange in self.exchanges() {
            if let Err(error) = self.declare_exchange(&channel, &exchange).await {
                wrong.push(fault::refusal("exchange", &exchange.name, error)?);
                channel = connection.create_channel().await.map_err(fault::away)?;
            }
        }
        for queue in self.queues() {
            if let Err(error) = self.declare_queue(&channel, &queue).await {
                wrong.push(fault::refusal("queue", &queue.name, error)?);
                channel = connection.create_channel().await.map_err(fault::away)?;
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(QueueError::Misconfigured(wrong.join("; "))) }
    }

    async fn declare_exchange(&self, channel: &Channel, exchange: &Exchange) -> lapin::Result<()> {
        let options =
            ExchangeDeclareOptions { passive: self.is_passive(), durable: true, ..ExchangeDeclareOptions::default() };
        let (name, kind) = (exchange.name.as_str().into(), exchange.kind.clone());
        channel.exchange_declare(name, kind, options, FieldTable::default()).await
    }

    async fn declare_queue(&self, channel: &Channel, queue: &Queue) -> lapin::Result<()> {
        let options =
            QueueDeclareOptions { passive: self.is_passive(), durable: true, ..QueueDeclareOptions::default() };
        let name = lapin::types::ShortString::from(queue.name.as_str());
        channel.queue_declare(name.clone(), options, queue.arguments.clone()).await?;
        if self.is_passive() {
            return Ok(());
        }
        let (exchange, key) = (queue.exchange.as_str().into(), queue.routing_key.as_str().into());
        channel.queue_bind(name, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
    }

    fn exchanges(&self) -> [Exchange; 3] {
        [
            Exchange { name: self.uploads_exchange(), kind: ExchangeKind::Topic },
            Exchange { name: self.work_exchange(), kind: ExchangeKind::Direct },
            Exchange { name: self.events_exchange(), kind: ExchangeKind::Topic },
        ]
    }

    /// The parking queue and that of dead wakes come first: the others send their dead letters there.
    fn queues(&self) -> Vec<Queue> {
        let work = self.work_exchange();
        let mut queues = vec![
            Queue {
                name: self.parking_queue(),
                exchange: work.clone(),
                routing_key: PARKING_KEY.into(),
                arguments: quorum(PARKING_DELIVERY_LIMIT),
            },
            Queue {
                name: self.dead_wakes_queue(),
                exchange: work.clone(),
                routing_key: DEAD_WAKES_KEY.into(),
                arguments: quorum(PARKING_DELIVERY_LIMIT),
            },
            Queue {
                name: self.uploads_queue(),
                exchange: self.uploads_exchange(),
                routing_key: "#".into(),
                arguments: self.uploads_arguments(),
            },
        ];
        for lane in Lane::ALL {
            queues.extend((0..self.shards).map(|shard| Queue {
                name: self.wake_queue(lane, shard),
                exchange: work.clone(),
                routing_key: wake_key(lane, shard),
                arguments: self.wake_arguments(),
            }));
        }
        queues
    }

    /// Dead letters are kept until the parking queue has confirmed them; that needs queues which refuse when full.
    fn uploads_arguments(&self) -> FieldTable {
        let mut arguments = quorum(self.limit());
        arguments.insert("x-dead-letter-exchange".into(), text(&self.work_exchange()));
        arguments.insert("x-dead-letter-routing-key".into(), text(PARKING_KEY));
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        arguments
    }

    /// A dead wake that gets lost does no harm: the row is still there, so the cheaper strategy will do.
    fn wake_arguments(&self) -> FieldTable {
        let mut arguments = quorum(self.limit());
        arguments.insert("x-dead-letter-exchange".into(), text(&self.work_exchange()));
        arguments.insert("x-dead-letter-routing-key".into(), text(DEAD_WAKES_KEY));
        arguments
    }

    fn dead_wakes_queue(&self) -> String {
        self.named("thumbline.wake.dead")
    }

    fn uploads_queue(&self) -> String {
        self.named("thumbline.uploads")
    }

    fn parking_queue(&self) -> String {
        self.named("thumbline.parking")
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.namespace)
    }

    fn limit(&self) -> i32 {
        i32::try_from(self.delivery_limit).unwrap_or(i32::MAX)
    }

    fn is_passive(&self) -> bool {
        self.declare == Declare::Passive
    }
}

/// The routing key of messages to park, on the exchange for our own messages.
pub(super) const PARKING_KEY: &str = "parking";

/// The routing key of wakes that the broker gave up on.
const DEAD_WAKES_KEY: &str = "wake.dead";

/// The routing key of wakes of this lane and shard, on the exchange for our own messages.
pub(super) fn wake_key(lane: Lane, shard: u16) -> String {
    format!("wake.{}.{shard}", lane.name())
}

/// All that we declare, as broker definitions that `rabbitmqctl import_definitions` and the management API take.
pub(in crate::queue) fn definitions(config: &Config, vhost: &str) -> Value {
    let topology = Topology::new(config);
    let exchanges = topology.exchanges().into_iter().map(|exchange| {
        json!({
            "name": exchange.name, "vhost": vhost, "type": kind_name(&exchange.kind), "durable": true,
            "auto_delete": false, "internal": false, "arguments": {},
        })
    });
    let queues = topology.queues();
    let bindings = queues.iter().map(|queue| {
        json!({
            "source": queue.exchange, "vhost": vhost, "destination": queue.name, "destination_type": "queue",
            "routing_key": queue.routing_key, "arguments": {},
        })
    });
    let declared = queues.iter().map(|queue| {
        json!({
            "name": queue.name, "vhost": vhost, "durable": true, "auto_delete": false,
            "arguments": arguments_json(&queue.arguments),
        })
    });
    json!({
        "exchanges": exchanges.collect::<Vec<_>>(),
        "queues": declared.collect::<Vec<_>>(),
        "bindings": bindings.collect::<Vec<_>>(),
    })
}

/// Ours are of these two kinds.
fn kind_name(kind: &ExchangeKind) -> &'static str {
    if matches!(kind, ExchangeKind::Direct) { "direct" } else { "topic" }
}

/// Ours are numbers and text only.
fn arguments_json(arguments: &FieldTable) -> Value {
    let value = |value: &AMQPValue| match value {
        AMQPValue::LongInt(number) => json!(number),
        AMQPValue::LongString(text) => json!(text.to_string()),
        other => json!(format!("{other:?}")),
    };
    arguments.inner().iter().map(|(key, argument)| (key.to_string(), value(argument))).collect()
}

fn quorum(delivery_limit: i32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(delivery_limit));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
