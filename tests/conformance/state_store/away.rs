//! Databases that are away: the answer is `Away`, and it comes within the time that the configuration gives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use adapters::db::{Config, Database};
use sea_orm::{ConnectionTrait, TransactionTrait};
use shared::ports::state_store::{StateStore, StoreError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fixtures::*;
use super::scratch::{config, postgresql_url};

const ACQUIRE_SECONDS: u64 = 1;
/// What an answer may take: the configured second, and what a busy machine needs.
const ANSWERED: Duration = Duration::from_secs(10);

fn impatient(url: String) -> Config {
    Config { acquire_timeout_seconds: ACQUIRE_SECONDS, ..config(url) }
}

fn expect_away<T: std::fmt::Debug>(answer: Result<T, StoreError>, begun: Instant) {
    match answer {
        Err(StoreError::Away(_)) => {}
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < ANSWERED, "it took {:?}", begun.elapsed());
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://test@{}/test", listener.local_addr().unwrap());
    drop(listener);
    let begun = Instant::now();
    expect_away(Database::connect(&impatient(url)).await, begun);
}

#[tokio::test]
async fn somebody_listens_but_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://test@{}/test", listener.local_addr().unwrap());
    let begun = Instant::now();
    expect_away(Database::connect(&impatient(url)).await, begun);
    drop(listener);
}

#[tokio::test]
async fn a_directory_cannot_be_made() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let begun = Instant::now();
    expect_away(Database::connect(&impatient(format!("sqlite:{}/a.db", file.display()))).await, begun);
}

#[tokio::test]
async fn another_process_does_not_let_go_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("a.db").display());
    let store = Database::connect(&impatient(url.clone())).await.unwrap();
    store.migrate().await.unwrap();
    let registration = registered(&store, &photo("beach.jpg")).await;

    let other = sea_orm::Database::connect(&url).await.unwrap();
    let transaction = other.begin().await.unwrap();
    transaction.execute_unprepared("UPDATE file SET name = 'held'").await.unwrap();
    let begun = Instant::now();
    expect_away(store.register(&photo("other.jpg")).await, begun);
    let begun = Instant::now();
    expect_away(store.claim(registration.version_id, &token(), LONG).await, begun);
    assert!(store.file(registration.file_id).await.unwrap().is_some(), "reading needs no lock");
    transaction.rollback().await.unwrap();
    assert!(store.register(&photo("other.jpg")).await.unwrap().is_new);
    store.close().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run `make test`"]
async fn a_server_that_froze_is_away_and_comes_back() {
    let scratch = super::scratch::Scratch::postgresql().await;
    scratch
        .run(|place| async move {
            let file = registered(&place.store, &photo("beach.jpg")).await.file_id;
            let (before, after) = place.config.url.split_once('@').unwrap();
            let (address, database) = after.split_once('/').unwrap();
            let server = Link::to(address.to_owned()).await;
            let url = format!("{before}@{}/{database}", server.address);
            let store = Database::connect(&Config { acquire_timeout_seconds: 5, ..config(url) }).await.unwrap();
            assert!(store.file(file).await.unwrap().is_some());
            server.freeze(true);
            let begun = Instant::now();
            expect_away(store.file(file).await, begun);
            server.freeze(false);
            eventually("the server is back", || async { store.file(file).await.ok() }).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run `make test`"]
async fn a_server_that_went_down_costs_a_moment_and_not_the_whole_patience() {
    let url = postgresql_url();
    let (before, after) = url.split_once('@').unwrap();
    let (address, database) = after.split_once('/').unwrap();
    let server = Link::to(address.to_owned()).await;
    let patient = Config { acquire_timeout_seconds: 60, ..config(format!("{before}@{}/{database}", server.address)) };
    let store = Database::connect(&patient).await.unwrap();
    store.pending_migrations().await.unwrap();
    server.close().await;
    let begun = Instant::now();
    for _ in 0..3 {
        expect_away(store.pending_migrations().await, begun);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run `make test`"]
async fn a_read_only_server_is_refused_with_the_remedy() {
    let scratch = super::scratch::Scratch::postgresql().await;
    scratch
        .run(|place| async move {
            let (_, name) = place.config.url.rsplit_once('/').unwrap();
            place.tamper(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
            let refused = Database::connect(&place.config).await;
            let Err(error @ StoreError::Refused(_)) = refused else { panic!("{refused:?}") };
            assert!(error.to_string().contains("connect to the primary server"), "{error}");
        })
        .await;
}

/// A TCP connection to the server that can be frozen: nothing is lost, nothing moves.
#[derive(Clone)]
struct Link {
    address: SocketAddr,
    frozen: watch::Sender<bool>,
    closed: watch::Sender<bool>,
}

impl Link {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (frozen, seen) = watch::channel(false);
        let (closed, mut closing) = watch::channel(false);
        tokio::spawn(async move {
            let mut carriers = tokio::task::JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = closing.wait_for(|closed| *closed) => return,
                };
                let Ok((client, _)) = accepted else { return };
                let upstream = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = upstream.into_split();
                carriers.spawn(carry(from_client, to_server, seen.clone()));
                carriers.spawn(carry(from_server, to_client, seen.clone()));
            }
        });
        Self { address, frozen, closed }
    }

    /// Cuts everything, and nobody listens any more.
    async fn close(&self) {
        self.closed.send_replace(true);
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

async fn carry(
    from: tokio::net::tcp::OwnedReadHalf,
    to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if from.readable().await.is_err() || frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let count = match from.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match to.writable().await.and_then(|()| to.try_write(rest)) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
