//! The queue within the process: all stories, and what only it promises.

use std::sync::Arc;

use adapters::queue::Config;
use shared::domain::lane::Lane;
use shared::ports::work_queue::{Channel, ParkingReason, QueueError, WorkQueue};

use super::{config, next, subscribe, tenants_of_two_shards, upload, wake};

async fn run<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn WorkQueue>) -> F) {
    story(adapters::queue::open(&config("memory:", "")).await.unwrap()).await;
}

stories! { run }

async fn open_with_capacity(memory_capacity: usize) -> Arc<dyn WorkQueue> {
    adapters::queue::open(&Config { memory_capacity, ..config("memory:", "") }).await.unwrap()
}

#[tokio::test]
async fn a_full_shard_refuses_and_the_others_do_not() {
    let queue = open_with_capacity(2).await;
    let (full, other) = tenants_of_two_shards();
    for number in 1..=2 {
        queue.wake(&wake(number, &full, Lane::Normal)).await.unwrap();
    }
    assert!(matches!(queue.wake(&wake(3, &full, Lane::Normal)).await, Err(QueueError::Full(_))));
    queue.wake(&wake(4, &other, Lane::Normal)).await.unwrap();
    queue.wake(&wake(5, &full, Lane::Heavy)).await.unwrap();
}

#[tokio::test]
async fn what_is_unsettled_counts_against_the_capacity() {
    let queue = open_with_capacity(1).await;
    queue.publish_upload(&upload("1")).await.unwrap();
    let mut uploads = subscribe(&queue, Channel::Uploads, 1).await;
    let delivery = next(&mut uploads).await;
    assert!(matches!(queue.publish_upload(&upload("2")).await, Err(QueueError::Full(_))));
    delivery.ack().await.unwrap();
    queue.publish_upload(&upload("2")).await.unwrap();
    assert_eq!(next(&mut uploads).await.message.body, "2");
}

#[tokio::test]
async fn the_parking_queue_is_bounded_too() {
    let queue = open_with_capacity(1).await;
    let reason = ParkingReason { code: "not_json", reason: "not JSON".into() };
    queue.park(&upload("1"), &reason).await.unwrap();
    assert!(matches!(queue.park(&upload("2"), &reason).await, Err(QueueError::Full(_))));
}
