//! Sends a plan: a few producers and clients at a time, each upload until it is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::contents::{Content, Contents};
use super::plan::{Item, Plan, Upload, Way};
use super::post::{Letter, Office};
use super::{api::Uploader, events, pace};
use crate::guard::lock;
use crate::options::Options;
use crate::progress::Progress;
use crate::system::System;

/// Uploads under way at the same time.
const AT_ONCE: usize = 6;
const LETTERS: usize = 8;
const STORE_TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// What was promised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted {
    /// The names of accepted file versions, by the number of their upload.
    pub(crate) uploads: BTreeMap<u32, String>,
    /// Bodies of bad events that were sent.
    pub(crate) bad: BTreeSet<Vec<u8>>,
}

struct Sender {
    system: Arc<System>,
    plan: Arc<Plan>,
    contents: Arc<Contents>,
    uploader: Uploader,
    store: Option<aws_sdk_s3::Client>,
    letters: mpsc::Sender<Letter>,
    accepted: Arc<Mutex<Accepted>>,
    next: AtomicUsize,
    until: Option<Instant>,
    sent: watch::Sender<u32>,
    reached: watch::Receiver<u32>,
    waiting: watch::Receiver<i64>,
    progress: Progress,
}

/// Sends everything; returns how many copies of events were confirmed, once all are. What was accepted is in `accepted`
/// from the moment that it was: an event counts when its first copy is confirmed, which is awaited here as a whole.
pub(crate) async fn send_all(
    system: &Arc<System>,
    plan: &Arc<Plan>,
    contents: &Arc<Contents>,
    options: &Options,
    (sent, reached): (watch::Sender<u32>, watch::Receiver<u32>),
    accepted: &Arc<Mutex<Accepted>>,
    progress: &Progress,
) -> anyhow::Result<u64> {
    let (letters, posted) = mpsc::channel(LETTERS);
    let (waiting, looking) = pace::watch_waiting(system.database.clone());
    let sender = Arc::new(Sender {
        system: Arc::clone(system),
        plan: Arc::clone(plan),
        contents: Arc::clone(contents),
        uploader: Uploader::new(system.apis.iter().filter_map(|api| api.address).collect())?,
        store: system.servers.as_ref().map(|servers| servers.store.client()),
        letters,
        accepted: Arc::clone(accepted),
        next: AtomicUsize::new(0),
        until: options.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes)),
        sent,
        reached,
        waiting,
        progress: progress.clone(),
    });
    let posting = system.servers.as_ref().map(|servers| {
        let office = Office::new(servers.amqp_url.clone(), system.namespaced("uploads"));
        tokio::spawn(office.run(options.seed, posted))
    });
    let mut senders = JoinSet::new();
    for _ in 0..AT_ONCE {
        senders.spawn(Arc::clone(&sender).run());
    }
    drop(sender);
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    looking.abort();
    match posting {
        Some(posting) => posting.await?,
        None => Ok(0),
    }
}

impl Sender {
    async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        let (mut reached, mut waiting) = (self.reached.clone(), self.waiting.clone());
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = self.plan.items.get(number) else { return Ok(()) };
            pace::my_turn(number as u32, &mut reached, &mut waiting).await;
            if self.until.is_some_and(|until| Instant::now() > until) {
                return Ok(());
            }
            match item {
                Item::Bad(bad) => {
                    lock(&self.accepted).bad.insert(bad.body.clone().into_bytes());
                    self.post(bad.body.clone(), bad.copies).await?;
                }
                Item::Upload(upload) => self.upload(upload).await?,
            }
            self.sent.send_modify(|sent| *sent += 1);
            self.progress.sent(*self.sent.borrow(), *waiting.borrow());
        }
    }

    async fn upload(&self, upload: &Upload) -> anyhow::Result<()> {
        let content = self.contents.get(upload.content)?;
        let name = match upload.way {
            Way::Api => self.uploader.upload(upload.number, &content).await?,
            Way::Bare | Way::CloudEvent | Way::Notification => {
                let key = events::key(upload, &content.extension);
                self.put(&key, &content).await?;
                self.post(events::body(upload, &self.system.uploads_bucket(), &key), upload.copies).await?;
                key
            }
        };
        lock(&self.accepted).uploads.insert(upload.number, name);
        Ok(())
    }

    async fn post(&self, body: String, copies: u32) -> anyhow::Result<()> {
        self.letters.send(Letter { body, copies }).await.ok().context("events cannot be sent any more")
    }

    /// Puts a source where the event will say that it is.
    async fn put(&self, key: &str, content: &Content) -> anyhow::Result<()> {
        let store = self.store.as_ref().context("this shape has no bucket")?;
        let mut last = None;
        for _ in 0..STORE_TRIES {
            let body = ByteStream::from(content.bytes.clone());
            match store.put_object().bucket(self.system.uploads_bucket()).key(key).body(body).send().await {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(last.map_or_else(|| anyhow::anyhow!("no try"), anyhow::Error::new).context("the store takes no source"))
    }
}
