//! The post office: events leave in another order than they came, some of them ten times, each until the broker confirms it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Copies that wait, so that one of them can be drawn.
const HELD: usize = 60;
/// When nothing more comes for so long, what waits is sent all the same.
const IDLE: Duration = Duration::from_millis(200);
/// A confirm that takes longer is none.
const CONFIRM: Duration = Duration::from_secs(15);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
/// A broker that is away for longer ends the run.
const TRIES_MAX: u32 = 900;

/// An event to be sent so many times.
pub(super) struct Letter {
    pub(super) body: String,
    pub(super) copies: u32,
}

/// Where letters go.
pub(super) struct Office {
    url: String,
    exchange: String,
    channel: Option<(Connection, Channel)>,
}

impl Office {
    pub(super) fn new(url: String, exchange: String) -> Self {
        Self { url, exchange, channel: None }
    }

    /// Sends everything that comes, until nothing more will; how many copies were confirmed.
    pub(super) async fn run(mut self, seed: u64, mut letters: mpsc::Receiver<Letter>) -> anyhow::Result<u64> {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut held, mut open, mut sent) = (Vec::<Arc<str>>::new(), true, 0);
        while open || !held.is_empty() {
            if open && held.len() < HELD {
                match timeout(IDLE, letters.recv()).await {
                    Ok(Some(letter)) => {
                        let body: Arc<str> = letter.body.into();
                        held.extend(std::iter::repeat_n(body, letter.copies as usize));
                        continue;
                    }
                    Ok(None) => open = false,
                    Err(_) => {}
                }
            }
            if !held.is_empty() {
                let body = held.swap_remove(random.random_range(0..held.len()));
                self.send(&body).await?;
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// Until it is confirmed; what was sent and not confirmed is sent again.
    async fn send(&mut self, body: &str) -> anyhow::Result<()> {
        let mut last = None;
        for _ in 0..TRIES_MAX {
            match self.try_to_send(body).await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
            self.channel = None;
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no try")).context("the broker does not take events any more"))
    }

    async fn try_to_send(&mut self, body: &str) -> anyhow::Result<()> {
        if self.channel.is_none() {
            self.channel = Some(timeout(CONFIRM, connect(&self.url)).await.context("no connection in time")??);
        }
        let Some((_, channel)) = &self.channel else { bail!("no channel") };
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let publishing = async {
            let exchange = self.exchange.as_str().into();
            channel.basic_publish(exchange, "upload".into(), options, body.as_bytes(), properties).await?.await
        };
        match timeout(CONFIRM, publishing).await.context("no confirm in time")?? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => bail!("there is no queue yet"),
            _ => bail!("the broker refuses it"),
        }
    }
}

async fn connect(url: &str) -> anyhow::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}
