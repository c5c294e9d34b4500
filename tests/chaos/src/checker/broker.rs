//! Our own eyes on the broker: a queue that records what is told, and how many messages are left in which queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Connection, ConnectionProperties};
use tokio::time::{Instant, timeout};

use crate::system::System;

const RECORDER: &str = "chaos";
const LANES: [&str; 4] = ["interactive", "normal", "heavy", "backfill"];
const SHARDS: u16 = 2;
/// When no more comes for so long, that was all.
const SILENCE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(90);

async fn connect(system: &System) -> anyhow::Result<Connection> {
    let servers = system.servers.as_ref().context("this shape has no broker")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Connection::connect(&servers.amqp_url, ConnectionProperties::default()).await {
            Ok(connection) => return Ok(connection),
            Err(error) if Instant::now() > deadline => return Err(error).context("the broker does not answer"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Every queue of the product that has to be empty in the end.
fn queues(system: &System) -> Vec<String> {
    let lanes = LANES.iter().flat_map(|lane| (0..SHARDS).map(move |shard| format!("thumbline.wake.{lane}.{shard}")));
    let others = ["thumbline.uploads", "thumbline.wake.dead", "thumbline.parking"].map(str::to_owned);
    lanes.chain(others).map(|name| system.namespaced(&name)).collect()
}

/// From here on everything that is told is recorded. Waits for the first process to declare the exchange.
pub(crate) async fn forget_none(system: &Arc<System>) -> anyhow::Result<()> {
    if system.servers.is_none() {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    let connection = connect(system).await?;
    loop {
        let declared = async {
            let channel = connection.create_channel().await?;
            let mut quorum = FieldTable::default();
            quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let name = ShortString::from(system.namespaced(RECORDER));
            channel.queue_declare(name.clone(), durable, quorum).await?;
            let exchange = system.namespaced("thumbline.events");
            let options = QueueBindOptions::default();
            channel.queue_bind(name, exchange.as_str().into(), "#".into(), options, FieldTable::default()).await
        };
        match declared.await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error).context("no worker declares its exchanges"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// The bodies of everything that was told.
pub(super) async fn recorded(system: &System) -> anyhow::Result<Vec<Vec<u8>>> {
    let channel = connect(system).await?.create_channel().await?;
    let (queue, options) = (system.namespaced(RECORDER), BasicConsumeOptions { no_ack: true, ..Default::default() });
    let consuming = channel.basic_consume(queue.as_str().into(), "chaos".into(), options, FieldTable::default());
    let mut events = consuming.await?;
    let mut bodies = Vec::new();
    while let Ok(Some(event)) = timeout(SILENCE, events.next()).await {
        bodies.push(event?.data.to_vec());
    }
    Ok(bodies)
}

/// Messages that are left, by queue; empty queues are left out.
pub(super) async fn left(system: &System) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut left = BTreeMap::new();
    if system.servers.is_none() {
        return Ok(left);
    }
    let connection = connect(system).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    for name in queues(system) {
        let queue = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await?;
        if queue.message_count() > 0 {
            left.insert(name, queue.message_count().into());
        }
    }
    Ok(left)
}

/// Takes everything of this run away from a broker that others use as well.
pub(crate) async fn delete_all(system: &System) -> anyhow::Result<()> {
    let channel = connect(system).await?.create_channel().await?;
    for name in queues(system).into_iter().chain([system.namespaced(RECORDER)]) {
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await?;
    }
    for name in ["uploads", "thumbline.work", "thumbline.events"] {
        channel.exchange_delete(system.namespaced(name).as_str().into(), ExchangeDeleteOptions::default()).await?;
    }
    Ok(())
}
