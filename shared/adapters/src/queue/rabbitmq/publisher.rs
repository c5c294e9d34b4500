//! Publishing with confirms: it returns once the broker has taken responsibility, or says why not, in bounded time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};
use shared::ports::work_queue::QueueError;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::fault;
use super::link::Link;

/// Most messages that wait for their confirm at the same time.
const CHANNELS_MAX: usize = 16;

/// Publishes over a connection of its own: the broker stops reading from connections that publish when it runs low
/// on memory or disk, and must go on reading acks.
pub(super) struct Publisher {
    link: Link,
    patience: Duration,
    turns: Semaphore,
    /// Channels that wait for work. One message at a time on each, so that a message the broker returns is surely the
    /// one that was sent.
    idle: Mutex<Vec<Channel>>,
}

/// Where a message goes.
pub(super) struct Address<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    /// What operators know the place by: the queue, or the exchange when others decide on the queue.
    pub(super) display: &'a str,
    /// Whether it is an error that no queue takes the message.
    pub(super) wants_queue: bool,
}

impl Publisher {
    pub(super) fn new(link: Link, patience: Duration) -> Self {
        Self { link, patience, turns: Semaphore::new(CHANNELS_MAX), idle: Mutex::default() }
    }

    /// Publishes one message and waits for its confirm.
    pub(super) async fn publish(
        &self,
        address: &Address<'_>,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<(), QueueError> {
        metrics::counter!(shared::telemetry::PUBLISHED).increment(1);
        let publishing = async {
            let _turn = self.turns.acquire().await.map_err(|closed| QueueError::Away(Box::new(closed)))?;
            let channel = self.channel().await?;
            // Not given back after an error, nor when this future is dropped: a confirm may be outstanding on it.
            let confirmation = send(&channel, address, properties, body).await?;
            self.give_back(channel);
            judge(address, &confirmation)
        };
        timeout(self.patience, publishing).await.unwrap_or_else(|_| Err(fault::too_slow("confirm a message")))
    }

    /// Asks the broker for something that must be there.
    pub(super) async fn ping(&self, exchange: &str) -> Result<(), QueueError> {
        let asking = async {
            let channel = self.channel().await?;
            let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            channel
                .exchange_declare(exchange.into(), ExchangeKind::Direct, options, FieldTable::default())
                .await
                .map_err(|error| match fault::refusal("exchange", exchange, error) {
                    Ok(refusal) => QueueError::Misconfigured(refusal),
                    Err(error) => error,
                })?;
            self.give_back(channel);
            Ok(())
        };
        timeout(self.patience, asking).await.unwrap_or_else(|_| Err(fault::too_slow("answer")))
    }

    async fn channel(&self) -> Result<Channel, QueueError> {
        let session = self.link.session()?;
        while let Some(channel) = self.lock_idle().pop() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = session.connection.create_channel().await.map_err(fault::away)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(fault::away)?;
        Ok(channel)
    }

    fn give_back(&self, channel: Channel) {
        self.lock_idle().push(channel);
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(
    channel: &Channel,
    address: &Address<'_>,
    properties: BasicProperties,
    body: &[u8],
) -> Result<Confirmation, QueueError> {
    let refused = |error| match fault::refusal("exchange", address.exchange, error) {
        Ok(refusal) => QueueError::Misconfigured(refusal),
        Err(error) => error,
    };
    // Mandatory: the broker returns what it has no queue for, instead of confirming and forgetting it.
    let options = BasicPublishOptions { mandatory: address.wants_queue, ..BasicPublishOptions::default() };
    let (exchange, key) = (address.exchange.into(), address.routing_key.into());
    let confirm = channel.basic_publish(exchange, key, options, body, properties).await.map_err(refused)?;
    confirm.await.map_err(refused)
}

fn judge(address: &Address<'_>, confirmation: &Confirmation) -> Result<(), QueueError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
            Err(QueueError::Unroutable(address.display.to_owned()))
        }
        Confirmation::Nack(None) => Err(QueueError::Full(address.display.to_owned())),
        Confirmation::NotRequested => Err(QueueError::Away("the channel does not confirm".into())),
    }
}
