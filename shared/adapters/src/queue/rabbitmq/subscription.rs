//! Consuming: deliveries of several queues in turn, over as many connections as it takes.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use shared::ports::work_queue::{Channel as Feed, Delivery, QueueError, Receipt, Subscription};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::link::{LinkState, Session};
use super::{fault, message};

/// The pause before queues are asked for deliveries again after the broker refused.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for the broker to end a subscription.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a subscription consumes, and how.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) feed: Feed,
    /// The queues, served in turn.
    pub(super) queues: Vec<String>,
    /// Most deliveries that are unsettled at a time.
    pub(super) prefetch: u16,
    /// Longest wait for the broker to answer.
    pub(super) patience: Duration,
}

/// A subscription that goes on wherever the connection comes back.
pub(super) struct QueueSubscription {
    link: watch::Receiver<LinkState>,
    plan: Plan,
    /// One per delivery that may be unsettled. The broker counts per queue, so it may have handed us some more; they
    /// wait here, and go back to it when the subscription ends.
    slots: Arc<Semaphore>,
    stage: Stage,
}

enum Stage {
    Attached(Attached),
    /// `None` at its end: the queue was closed.
    Attaching(BoxFuture<'static, Option<Attached>>),
    Closed,
}

impl QueueSubscription {
    /// Attaches to the queues now, so that the caller learns what is wrong with them.
    pub(super) async fn open(mut link: watch::Receiver<LinkState>, plan: Plan) -> Result<Self, QueueError> {
        let session = match &*link.borrow_and_update() {
            LinkState::Up(session) | LinkState::Blocked(session, _) => Arc::clone(session),
            LinkState::Down(loss) => return Err(QueueError::Away(Box::new(loss.clone()))),
        };
        let attached = Attached::new(&session, &plan).await?;
        let slots = Arc::new(Semaphore::new(plan.prefetch.into()));
        Ok(Self { link, plan, slots, stage: Stage::Attached(attached) })
    }
}

#[async_trait]
impl Subscription for QueueSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            // Whatever is awaited here stays in `self` when this future is dropped.
            let lost = match &mut self.stage {
                Stage::Closed => return None,
                Stage::Attaching(attaching) => {
                    self.stage = attaching.await.map_or(Stage::Closed, Stage::Attached);
                    continue;
                }
                Stage::Attached(attached) => {
                    let session = Arc::clone(&attached.session);
                    let arrived = tokio::select! {
                        biased;
                        arrived = attached.next() => arrived,
                        () = superseded(&mut self.link, &session) => Err(Lost::Connection),
                    };
                    match arrived {
                        Ok(arrived) => return Some(attached.hand_over(&self.plan, arrived, slot)),
                        Err(lost) => lost,
                    }
                }
            };
            if let Lost::Refused(reason) = &lost {
                tracing::warn!(queues = ?self.plan.queues, reason, "the broker ended our subscription; renewing it");
            }
            self.stage = Stage::Attaching(attach(self.link.clone(), self.plan.clone(), lost).boxed());
        }
    }
}

/// Why nothing more comes.
enum Lost {
    /// The connection is gone; whoever supervises it has said so.
    Connection,
    /// The connection is fine, but the broker ended our consumers, for instance because a queue was deleted.
    Refused(String),
}

/// Waits until the connection is lost, or closed for good.
async fn superseded(link: &mut watch::Receiver<LinkState>, session: &Arc<Session>) {
    let is_another = |state: &LinkState| match state {
        LinkState::Up(current) | LinkState::Blocked(current, _) => !Arc::ptr_eq(current, session),
        LinkState::Down(_) => true,
    };
    // An error means closed for good.
    let _ = link.wait_for(is_another).await;
}

/// Waits for a connection, then for the queues. `None` when the connection was closed for good.
async fn attach(mut link: watch::Receiver<LinkState>, plan: Plan, lost: Lost) -> Option<Attached> {
    if matches!(lost, Lost::Refused(_)) {
        sleep(PAUSE).await;
    }
    while link.has_changed().is_ok() {
        let up = link.wait_for(|state| !matches!(state, LinkState::Down(_))).await.ok()?.clone();
        let (LinkState::Up(session) | LinkState::Blocked(session, _)) = up else { continue };
        match Attached::new(&session, &plan).await {
            Ok(attached) => return Some(attached),
            // The session may be one that has ended and whose supervisor does not know yet.
            Err(error) => tracing::debug!(queues = ?plan.queues, %error, "could not subscribe; trying again"),
        }
        sleep(PAUSE).await;
    }
    None
}

/// Consumers on one channel of one connection.
struct Attached {
    session: Arc<Session>,
    channel: Channel,
    consumers: Vec<Consumer>,
    /// The consumer that is asked first.
    turn: usize,
}

impl Attached {
    async fn new(session: &Arc<Session>, plan: &Plan) -> Result<Self, QueueError> {
        let attaching = async {
            let channel = session.connection.create_channel().await.map_err(fault::away)?;
            channel.basic_qos(plan.prefetch, BasicQosOptions::default()).await.map_err(fault::away)?;
            let mut consumers = Vec::with_capacity(plan.queues.len());
            for queue in &plan.queues {
                consumers.push(consume(&channel, queue).await?);
            }
            Ok(Self { session: Arc::clone(session), channel, consumers, turn: 0 })
        };
        timeout(plan.patience, attaching).await.unwrap_or_else(|_| Err(fault::too_slow("start a subscription")))
    }

    /// The next delivery, the queues in turn.
    async fn next(&mut self) -> Result<lapin::message::Delivery, Lost> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<lapin::message::Delivery, Lost>> {
        let count = self.consumers.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            match self.consumers[index].poll_next_unpin(context) {
                Poll::Ready(Some(Ok(delivery))) => {
                    self.turn = (index + 1) % count;
                    return Poll::Ready(Ok(delivery));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.lost(error.to_string()))),
                Poll::Ready(None) => return Poll::Ready(Err(self.lost("it cancelled the consumer".to_owned()))),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn lost(&self, reason: String) -> Lost {
        if self.session.connection.status().connected() { Lost::Refused(reason) } else { Lost::Connection }
    }

    fn hand_over(&self, plan: &Plan, arrived: lapin::message::Delivery, slot: OwnedSemaphorePermit) -> Delivery {
        let message = match plan.feed {
            Feed::Parking => message::parked_message(&arrived.properties, arrived.data),
            Feed::Uploads | Feed::Wakes(_) | Feed::DeadWakes => message::message(&arrived.properties, arrived.data),
        };
        let receipt = ChannelReceipt {
            acker: arrived.acker,
            patience: plan.patience,
            _channel: self.channel.clone(),
            _session: Arc::clone(&self.session),
            _slot: slot,
        };
        Delivery::new(message, arrived.redelivered, Box::new(receipt))
    }
}

/// What was not handed over goes back to the broker at once; the channel itself stays open for the receipts.
impl Drop for Attached {
    fn drop(&mut self) {
        let consumers = std::mem::take(&mut self.consumers);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Bounded: when the broker does not answer, the connection ends, and the deliveries go back by themselves.
            runtime.spawn(timeout(GOODBYE_TIMEOUT, hand_back(self.channel.clone(), consumers)));
        }
    }
}

/// Ends the consumers, then releases what had arrived until then.
async fn hand_back(channel: Channel, consumers: Vec<Consumer>) {
    for mut consumer in consumers {
        // An error means that the channel is gone, and with it everything that was to be handed back.
        let _ = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await;
        while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
            requeue(&delivery.acker);
        }
    }
}

async fn consume(channel: &Channel, queue: &str) -> Result<Consumer, QueueError> {
    let (name, tag) = (queue.into(), "".into());
    channel.basic_consume(name, tag, BasicConsumeOptions::default(), FieldTable::default()).await.map_err(|error| {
        match fault::refusal("queue", queue, error) {
            Ok(refusal) => QueueError::Misconfigured(refusal),
            Err(error) => error,
        }
    })
}

/// Asks the broker to deliver again. The request leaves with the first poll and its answer does not matter: when the
/// channel is gone, the broker does the same by itself.
fn requeue(acker: &Acker) {
    let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
    let _ = acker.nack(options).now_or_never();
}

struct ChannelReceipt {
    acker: Acker,
    patience: Duration,
    /// Keep the channel and its connection open until the delivery is settled, also when the subscription is gone.
    _channel: Channel,
    _session: Arc<Session>,
    _slot: OwnedSemaphorePermit,
}

impl ChannelReceipt {
    async fn settled(&self, settling: impl Future<Output = lapin::Result<bool>> + Send) -> Result<(), QueueError> {
        match timeout(self.patience, settling).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(QueueError::Away("the connection that brought the message is gone".into())),
            Ok(Err(error)) => Err(fault::away(error)),
            Err(_) => Err(fault::too_slow("take an acknowledgement")),
        }
    }
}

#[async_trait]
impl Receipt for ChannelReceipt {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        self.settled(self.acker.ack(BasicAckOptions::default())).await
    }

    async fn release(self: Box<Self>) -> Result<(), QueueError> {
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        self.settled(self.acker.nack(options)).await
    }
}

/// Dropped unsettled means released; an acker that was used already does nothing more.
impl Drop for ChannelReceipt {
    fn drop(&mut self) {
        requeue(&self.acker);
    }
}
