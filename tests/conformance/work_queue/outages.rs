//! The queue on RabbitMQ when the broker, or the way to it, is not there: nothing hangs, nothing is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::queue::Config;
use shared::domain::lane::Lane;
use shared::ports::work_queue::{Channel, QueueError, Subscription, WorkQueue};
use tokio::io::AsyncReadExt as _;

use super::corner::{Corner, in_corner};
use super::proxy::{Mode, Proxy};
use super::{DEADLINE, config, drain, next, nothing_comes, subscribe, upload, version, wake};

/// Runs a test with a queue that reaches the broker through a proxy, and a subscription to the normal lane.
async fn through_a_proxy(test: impl AsyncFnOnce(&Corner, &Proxy, Arc<dyn WorkQueue>, Box<dyn Subscription>)) {
    in_corner(async |corner| {
        let proxy = corner.proxy(None).await;
        let queue = corner.open_through(&proxy).await;
        let wakes = subscribe(&queue, Channel::Wakes(Lane::Normal), 2).await;
        test(corner, &proxy, queue, wakes).await;
    })
    .await;
}

/// Waits until the queue takes wakes again.
pub(super) async fn wake_until_taken(queue: &Arc<dyn WorkQueue>, number: i64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match queue.wake(&wake(number, "acme", Lane::Normal)).await {
            Ok(()) => return,
            Err(error) => assert!(Instant::now() < deadline, "it never recovered: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_cut_connection_is_bridged() {
    through_a_proxy(async |_, proxy, queue, mut wakes| {
        queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
        let held = next(&mut wakes).await;
        proxy.cut();
        let again = next(&mut wakes).await;
        assert!(again.redelivered);
        assert_eq!(version(&again), 1);
        let error = held.ack().await.unwrap_err();
        assert!(matches!(error, QueueError::Away(_)), "{error}");
        again.ack().await.unwrap();
        wake_until_taken(&queue, 2).await;
        assert!(drain(&mut wakes, 1).await.contains(&2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn while_the_broker_is_unreachable_it_says_so_at_once() {
    through_a_proxy(async |_, proxy, queue, mut wakes| {
        proxy.set(Mode::Refuse);
        for _ in 0..20 {
            let asked = Instant::now();
            let error = queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap_err();
            assert!(matches!(error, QueueError::Away(_)), "{error}");
            assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
        }
        assert!(matches!(queue.ping().await, Err(QueueError::Away(_))));
        assert!(matches!(queue.subscribe(Channel::Wakes(Lane::Heavy), 1).await, Err(QueueError::Away(_))));
        proxy.set(Mode::Forward);
        wake_until_taken(&queue, 2).await;
        assert!(drain(&mut wakes, 1).await.contains(&2));
        queue.ping().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_frozen_broker_is_noticed_and_nothing_hangs() {
    through_a_proxy(async |_, proxy, queue, mut wakes| {
        queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
        let held = next(&mut wakes).await;
        proxy.set(Mode::Stall);
        let asked = Instant::now();
        let error = queue.wake(&wake(2, "acme", Lane::Normal)).await.unwrap_err();
        assert!(matches!(error, QueueError::Away(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
        // Heartbeats of one second are missed after two; both connections are given up and opened anew.
        proxy.set(Mode::Refuse);
        proxy.set(Mode::Forward);
        assert_eq!(version(&next(&mut wakes).await), 1);
        assert!(held.ack().await.is_err());
        wake_until_taken(&queue, 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn a_deleted_queue_is_declared_again_after_the_next_reconnect() {
    through_a_proxy(async |corner, proxy, queue, _| {
        let mut uploads = subscribe(&queue, Channel::Uploads, 2).await;
        corner.delete_queue(&format!("{}thumbline.uploads", corner.namespace)).await;
        let error = queue.publish_upload(&upload("lost")).await.unwrap_err();
        assert!(matches!(error, QueueError::Unroutable(_)), "{error}");
        nothing_comes(&mut uploads).await;
        proxy.cut();
        let deadline = Instant::now() + DEADLINE;
        while let Err(error) = queue.publish_upload(&upload("found")).await {
            assert!(Instant::now() < deadline, "it never recovered: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(next(&mut uploads).await.message.body, "found");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_down_is_away() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = config(&format!("amqp://guest:guest@127.0.0.1:{port}/%2f"), "");
    let opening = tokio::time::timeout(DEADLINE, adapters::queue::open(&config)).await.expect("it hangs");
    assert!(matches!(opening, Err(QueueError::Away(_))));
}

#[tokio::test]
async fn a_broker_that_accepts_and_says_nothing_is_away_and_hung_up_on() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap());
    let config = Config { confirm_timeout_seconds: 1, ..config(&url, "") };
    let opening = tokio::spawn(async move { adapters::queue::open(&config).await.map(drop) });
    let (mut socket, _) = listener.accept().await.unwrap();
    let opened = tokio::time::timeout(DEADLINE, opening).await.expect("it hangs").unwrap();
    assert!(matches!(opened, Err(QueueError::Away(_))));
    let mut said = Vec::new();
    tokio::time::timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("the connection stays open").unwrap();
    assert!(said.starts_with(b"AMQP"));
}
