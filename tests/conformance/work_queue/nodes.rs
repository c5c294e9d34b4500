//! The queue on RabbitMQ nodes of its own, which are killed, frozen and started again: no confirmed wake is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adapters::queue::{Config, Declare};
use shared::domain::lane::Lane;
use shared::ports::work_queue::{Channel, QueueError, WorkQueue};
use tokio::task::{JoinHandle, block_in_place};

use super::broker::{Broker, Brokers};
use super::outages::wake_until_taken;
use super::proxy::Proxy;
use super::{DEADLINE, SHARDS, config, drain, next, subscribe, version, wake};

/// A broker, or a cluster, that was hurt is back after this.
const RECOVERY: Duration = Duration::from_secs(90);
/// Wakes that are published before and after something happens.
const SOME: usize = 100;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test`"]
async fn one_node_is_imported_locked_killed_and_frozen() {
    let brokers = Brokers::new();
    let mut broker = block_in_place(|| brokers.start());
    exported_definitions_are_all_that_is_needed(&broker).await;
    a_virtual_host_without_permission_is_a_clear_error(&broker).await;
    what_was_confirmed_survives_a_kill(&mut broker).await;
    a_frozen_node_is_noticed_and_used_again(&broker).await;
}

/// What `thumbline topology` prints, imported by the broker's own tool, is what we would have declared.
async fn exported_definitions_are_all_that_is_needed(broker: &Broker) {
    let active = config(&broker.url(), "imported.");
    let passive = Config { declare: Declare::Passive, ..active.clone() };
    let Err(QueueError::Misconfigured(words)) = adapters::queue::open(&passive).await.map(drop) else {
        panic!("nothing is declared yet");
    };
    assert!(words.contains("imported.thumbline.uploads") && words.contains("declare this queue"), "{words}");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("definitions.json");
    std::fs::write(&file, adapters::queue::definitions(&active, None).to_string()).unwrap();
    block_in_place(|| broker.control(&["import_definitions", file.to_str().unwrap()]));
    let queue = adapters::queue::open(&passive).await.unwrap();
    queue.wake(&wake(7, "acme", Lane::Heavy)).await.unwrap();
    assert_eq!(version(&next(&mut subscribe(&queue, Channel::Wakes(Lane::Heavy), 1).await).await), 7);
    // A declaration with other arguments would be refused.
    adapters::queue::open(&active).await.unwrap();
    let other = Config { delivery_limit: active.delivery_limit + 1, ..active };
    let Err(QueueError::Misconfigured(words)) = adapters::queue::open(&other).await.map(drop) else {
        panic!("queues with other arguments were taken for ours");
    };
    for part in ["inequivalent arg 'x-delivery-limit'", "drain and delete", "imported.thumbline.wake.normal.0"] {
        assert!(words.contains(part), "{part:?} is missing: {words}");
    }
}

async fn a_virtual_host_without_permission_is_a_clear_error(broker: &Broker) {
    block_in_place(|| {
        broker.control(&["add_vhost", "locked"]);
        broker.control(&["add_user", "nobody", "secret"]);
        broker.control(&["set_permissions", "-p", "/", "nobody", "^$", ".*", ".*"]);
    });
    let url = |vhost: &str| format!("amqp://nobody:secret@{}/{vhost}", broker.address());
    for (vhost, part) in [("locked", "virtual host in queue.url"), ("%2f", "grant the user configure")] {
        let config = config(&url(vhost), "locked.");
        let opening = adapters::queue::open(&config);
        let opened = tokio::time::timeout(DEADLINE, opening).await.expect("it hangs");
        let Err(QueueError::Misconfigured(words)) = opened.map(drop) else { panic!("{vhost} let us in") };
        assert!(words.contains(part) && !words.contains("secret"), "{words}");
    }
}

/// Publishes wakes, one after the other, until told to stop; the confirmed ones are what counts.
struct Load {
    confirmed: Arc<std::sync::Mutex<BTreeSet<i64>>>,
    stop: Arc<AtomicBool>,
    publishing: JoinHandle<()>,
}

impl Load {
    fn begin(queue: &Arc<dyn WorkQueue>) -> Self {
        let (confirmed, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let load = (Arc::clone(queue), Arc::clone(&confirmed), Arc::clone(&stop));
        let publishing = tokio::spawn(async move {
            let (queue, confirmed, stop): (_, Arc<std::sync::Mutex<BTreeSet<i64>>>, _) = load;
            for number in 1.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let tenant = format!("tenant-{}", number % 7);
                match queue.wake(&wake(number, &tenant, Lane::Normal)).await {
                    Ok(()) => drop(confirmed.lock().unwrap().insert(number)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Self { confirmed, stop, publishing }
    }

    /// Waits until so many more were confirmed; how long that took.
    async fn go_on(&self, more: usize) -> Duration {
        let count = || self.confirmed.lock().unwrap().len();
        let (begun, enough) = (Instant::now(), count() + more);
        while count() < enough {
            assert!(begun.elapsed() < RECOVERY, "no confirm since {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }

    async fn end(self) -> BTreeSet<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.publishing.await.unwrap();
        let confirmed = self.confirmed.lock().unwrap();
        confirmed.clone()
    }
}

/// Takes wakes until all of these have come, in any order and any number of times.
async fn all_arrive(queue: &Arc<dyn WorkQueue>, mut expected: BTreeSet<i64>) {
    let mut wakes = subscribe(queue, Channel::Wakes(Lane::Normal), 50).await;
    while !expected.is_empty() {
        for arrived in drain(&mut wakes, 1).await {
            expected.remove(&arrived);
        }
    }
}

async fn what_was_confirmed_survives_a_kill(broker: &mut Broker) {
    let queue = adapters::queue::open(&config(&broker.url(), "killed.")).await.unwrap();
    let load = Load::begin(&queue);
    load.go_on(SOME).await;
    block_in_place(|| {
        broker.kill();
        broker.run();
    });
    let took = load.go_on(SOME).await;
    let confirmed = load.end().await;
    eprintln!("{} wakes confirmed; {SOME} more within {took:?} of the broker's return", confirmed.len());
    all_arrive(&queue, confirmed).await;
}

async fn a_frozen_node_is_noticed_and_used_again(broker: &Broker) {
    let config = Config { confirm_timeout_seconds: 2, ..config(&broker.url(), "frozen.") };
    let queue = adapters::queue::open(&config).await.unwrap();
    queue.wake(&wake(1, "acme", Lane::Normal)).await.unwrap();
    broker.freeze();
    for _ in 0..3 {
        let asked = Instant::now();
        let error = queue.wake(&wake(2, "acme", Lane::Normal)).await.unwrap_err();
        assert!(matches!(error, QueueError::Away(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    }
    broker.thaw();
    wake_until_taken(&queue, 3).await;
    all_arrive(&queue, BTreeSet::from([1, 3])).await;
}

/// Takes minutes, so `make test-cluster` runs it and `make test` does not.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RabbitMQ: run `make test-cluster`"]
async fn cluster_of_three_loses_a_node_and_its_frozen_leader_and_no_confirmed_wake() {
    let brokers = Brokers::new();
    let mut nodes = block_in_place(|| {
        let nodes = [brokers.start(), brokers.start(), brokers.start()];
        nodes[1].join(&nodes[0]);
        nodes[2].join(&nodes[0]);
        nodes
    });
    // Clients know one address; what stands behind it changes, as with a load balancer.
    let proxy = Proxy::start(nodes[0].address(), None).await;
    let url = format!("amqp://guest:guest@{}/%2f", proxy.address);
    let queue = adapters::queue::open(&config(&url, "cluster.")).await.unwrap();
    let load = Load::begin(&queue);
    load.go_on(SOME).await;

    // The first node declared every queue, so it leads them; connections go to it as well.
    nodes[0].freeze();
    proxy.lead_to(nodes[1].address());
    eprintln!("frozen leader: {SOME} wakes confirmed again within {:?}", load.go_on(SOME).await);
    nodes[0].thaw();
    // Its queues follow the others at once, but the node itself stays apart until it is restarted: RabbitMQ 3.
    block_in_place(|| {
        nodes[0].control(&["stop_app"]);
        nodes[0].control(&["start_app"]);
        nodes[1].await_spare();
    });
    load.go_on(SOME).await;

    nodes[1].kill();
    proxy.lead_to(nodes[2].address());
    eprintln!("lost node: {SOME} wakes confirmed again within {:?}", load.go_on(SOME).await);
    block_in_place(|| nodes[1].run());
    load.go_on(SOME).await;
    let confirmed = load.end().await;
    eprintln!("{} wakes confirmed in {} shards, on {}", confirmed.len(), SHARDS, nodes[2].name());
    all_arrive(&queue, confirmed).await;
}
