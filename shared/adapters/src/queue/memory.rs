//! The queue within one process: bounded, fair between shards, and it delivers again what was not settled.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use shared::domain::lane::{Lane, shard_of};
use shared::ports::work_queue::{
    Channel, Delivery, Message, ParkingReason, QueueError, Receipt, Subscription, Wake, WorkQueue,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::config::Config;
use super::{DELIVERY_LIMIT_CODE, counted};

/// A [`WorkQueue`] that ends with the process; the rows outlive it and are woken again by the sweeper.
pub(super) struct MemoryQueue {
    lines: HashMap<Channel, Arc<Line>>,
    shards: u16,
}

impl MemoryQueue {
    pub(super) fn new(config: &Config) -> Self {
        let line = |name: String, shards: u16, exhausted: Exhausted| Line::new(name, shards, config, exhausted);
        let parking = line("parking".into(), 1, Exhausted::ComeAgain);
        let uploads = line("uploads".into(), 1, Exhausted::Park(Arc::clone(&parking)));
        let dead = line("wake.dead".into(), 1, Exhausted::ComeAgain);
        let mut lines = HashMap::from([(Channel::Parking, parking), (Channel::Uploads, uploads)]);
        for lane in Lane::ALL {
            let exhausted = Exhausted::DeadWake(Arc::clone(&dead));
            lines.insert(Channel::Wakes(lane), line(format!("wake.{}", lane.name()), config.shards, exhausted));
        }
        lines.insert(Channel::DeadWakes, dead);
        Self { lines, shards: config.shards }
    }

    fn line(&self, channel: Channel) -> Result<&Arc<Line>, QueueError> {
        self.lines.get(&channel).ok_or_else(|| QueueError::Unroutable(format!("{channel:?}")))
    }
}

/// Whoever waits for a delivery learns that none will come.
impl Drop for MemoryQueue {
    fn drop(&mut self) {
        for line in self.lines.values() {
            line.lock().closed = true;
            line.arrived.notify_waiters();
        }
    }
}

#[async_trait]
impl WorkQueue for MemoryQueue {
    async fn wake(&self, wake: &Wake) -> Result<(), QueueError> {
        let message =
            Message { body: wake.to_body(), content_type: Some("application/json".into()), ..Message::default() };
        counted(self.line(Channel::Wakes(wake.lane))?.push(shard_of(&wake.tenant, self.shards), message))
    }

    async fn publish_upload(&self, message: &Message) -> Result<(), QueueError> {
        counted(self.line(Channel::Uploads)?.push(0, message.clone()))
    }

    /// Nobody outside of this process can listen to it; webhooks and server-sent events do not come this way.
    async fn announce(&self, _: &str, _: &str, _: &Message) -> Result<(), QueueError> {
        Ok(())
    }

    async fn park(&self, message: &Message, reason: &ParkingReason) -> Result<(), QueueError> {
        counted(self.line(Channel::Parking)?.push(0, super::parked(message, reason)))
    }

    async fn subscribe(&self, channel: Channel, prefetch: u16) -> Result<Box<dyn Subscription>, QueueError> {
        let slots = Arc::new(Semaphore::new(prefetch.max(1).into()));
        Ok(Box::new(LineSubscription { line: Arc::clone(self.line(channel)?), slots }))
    }

    fn outlives_process(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Messages of one channel, in shards that are served in turn.
struct Line {
    name: String,
    capacity: usize,
    delivery_limit: u32,
    exhausted: Exhausted,
    state: Mutex<LineState>,
    arrived: Notify,
}

/// What happens to a message that was delivered too often.
enum Exhausted {
    /// Wakes: somebody looks at the row.
    DeadWake(Arc<Line>),
    /// Events: an operator looks at them.
    Park(Arc<Line>),
    /// Parked messages and dead wakes: there is nowhere else to go.
    ComeAgain,
}

struct LineState {
    shards: Vec<Shard>,
    /// The shard that is served next.
    turn: usize,
    closed: bool,
}

#[derive(Default)]
struct Shard {
    waiting: VecDeque<Entry>,
    /// Handed over and not settled; they count against the capacity, so that giving one back always succeeds.
    unsettled: usize,
}

#[derive(Clone)]
struct Entry {
    message: Message,
    /// How often it was handed over.
    deliveries: u32,
}

impl Line {
    fn new(name: String, shards: u16, config: &Config, exhausted: Exhausted) -> Arc<Self> {
        let shards = (0..shards.max(1)).map(|_| Shard::default()).collect();
        Arc::new(Self {
            name,
            capacity: config.memory_capacity,
            delivery_limit: config.delivery_limit,
            exhausted,
            state: Mutex::new(LineState { shards, turn: 0, closed: false }),
            arrived: Notify::new(),
        })
    }

    /// A panic elsewhere can't leave the state half-changed: no code that may panic runs under the lock.
    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, shard: u16, message: Message) -> Result<(), QueueError> {
        let full = || QueueError::Full(format!("{}.{shard}", self.name));
        {
            let mut state = self.lock();
            let shard = state.shards.get_mut(usize::from(shard)).ok_or_else(full)?;
            if shard.waiting.len() + shard.unsettled >= self.capacity {
                return Err(full());
            }
            shard.waiting.push_back(Entry { message, deliveries: 0 });
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// The next message and its shard, the shards in turn.
    fn take(&self) -> Taken {
        let mut state = self.lock();
        if state.closed {
            return Taken::Closed;
        }
        let count = state.shards.len();
        for index in (0..count).map(|step| (state.turn + step) % count).collect::<Vec<_>>() {
            let shard = &mut state.shards[index];
            if let Some(mut entry) = shard.waiting.pop_front() {
                entry.deliveries += 1;
                shard.unsettled += 1;
                state.turn = (index + 1) % count;
                return Taken::Entry(index, entry);
            }
        }
        Taken::Nothing
    }

    fn settle(&self, shard: usize) {
        self.lock().shards[shard].unsettled -= 1;
    }

    /// Hands a message back to the end of its shard, so that one that nobody can take does not hold up the others.
    fn give_back(&self, shard: usize, entry: Entry) {
        if entry.deliveries > self.delivery_limit && self.give_up(&entry) {
            self.settle(shard);
            return;
        }
        {
            let mut state = self.lock();
            state.shards[shard].unsettled -= 1;
            state.shards[shard].waiting.push_back(entry);
        }
        self.arrived.notify_one();
    }

    /// Whether the message is off this line's hands.
    fn give_up(&self, entry: &Entry) -> bool {
        let deliveries = entry.deliveries;
        match &self.exhausted {
            Exhausted::ComeAgain => false,
            Exhausted::DeadWake(dead) => {
                tracing::warn!(queue = self.name, deliveries, "a wake was delivered too often");
                // When even the dead wakes are full the row is still there, and the sweeper wakes it again.
                let _ = counted(dead.push(0, entry.message.clone()));
                true
            }
            Exhausted::Park(parking) => {
                let reason = format!("delivered {deliveries} times and never settled");
                let reason = ParkingReason { code: DELIVERY_LIMIT_CODE, reason };
                counted(parking.push(0, super::parked(&entry.message, &reason))).is_ok()
            }
        }
    }
}

enum Taken {
    Entry(usize, Entry),
    Nothing,
    Closed,
}

struct LineSubscription {
    line: Arc<Line>,
    /// One per delivery that may be unsettled.
    slots: Arc<Semaphore>,
}

#[async_trait]
impl Subscription for LineSubscription {
    async fn next(&mut self) -> Option<Delivery> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            // Listening starts before the look, so that nothing can arrive between the two unnoticed.
            let mut arrived = pin!(self.line.arrived.notified());
            arrived.as_mut().enable();
            match self.line.take() {
                Taken::Entry(shard, entry) => {
                    let (message, redelivered) = (entry.message.clone(), entry.deliveries > 1);
                    let receipt = LineReceipt { line: Arc::clone(&self.line), shard, entry: Some(entry), _slot: slot };
                    return Some(Delivery::new(message, redelivered, Box::new(receipt)));
                }
                Taken::Closed => return None,
                Taken::Nothing => arrived.await,
            }
        }
    }
}

struct LineReceipt {
    line: Arc<Line>,
    shard: usize,
    /// Empty once settled.
    entry: Option<Entry>,
    _slot: OwnedSemaphorePermit,
}

#[async_trait]
impl Receipt for LineReceipt {
    async fn ack(mut self: Box<Self>) -> Result<(), QueueError> {
        if self.entry.take().is_some() {
            self.line.settle(self.shard);
        }
        Ok(())
    }

    async fn release(self: Box<Self>) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Unsettled at the end means released.
impl Drop for LineReceipt {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.line.give_back(self.shard, entry);
        }
    }
}
