//! What stands behind the `WorkQueue` port: a bounded queue within the process, or RabbitMQ.

mod config;
mod memory;
mod rabbitmq;

use std::sync::Arc;

use shared::ports::work_queue::{CODE_HEADER, Message, ParkingReason, QueueError, REASON_HEADER, WorkQueue};

pub use config::{Config, Declare};

/// The code of messages that were delivered too often; the row or the operator decides what follows.
const DELIVERY_LIMIT_CODE: &str = "delivery_limit";

/// Opens the queue that the configuration names. A broker that is down is `Away`: the caller waits and tries again.
pub async fn open(config: &Config) -> Result<Arc<dyn WorkQueue>, QueueError> {
    if config.is_in_process() {
        Ok(Arc::new(memory::MemoryQueue::new(config)))
    } else {
        Ok(Arc::new(counted(rabbitmq::RabbitQueue::open(config).await)?))
    }
}

/// Counts what went wrong with the queue, once, where it leaves the adapter.
fn counted<T>(result: Result<T, QueueError>) -> Result<T, QueueError> {
    if result.is_err() {
        metrics::counter!(shared::telemetry::DEPENDENCY_ERRORS, "dependency" => "queue").increment(1);
    }
    result
}

/// The message as it goes into the parking queue.
fn parked(message: &Message, reason: &ParkingReason) -> Message {
    let mut parked = message.clone();
    parked.headers.insert(REASON_HEADER.into(), reason.reason.clone());
    parked.headers.insert(CODE_HEADER.into(), reason.code.into());
    parked
}
