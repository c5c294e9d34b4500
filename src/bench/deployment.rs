//! A deployment under load, as a client of its API sees it.

use std::time::Duration;

use anyhow::bail;
use reqwest::multipart::Part;
use tokio::time::Instant;

use super::tally::Upload;
use crate::uploads::client::{Client, FileReport, RepresentationReport};

/// Seconds that the API lets us wait for a file with one request.
const WAIT_SECONDS: u64 = 30;
/// An upload that has not settled after this has failed.
const PATIENCE: Duration = Duration::from_secs(900);
/// Pause before a file is asked for again that has not settled: the API may let nobody wait any more.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Random bytes behind each picture, written as hex.
const TAIL_BYTES: usize = 16;

/// Where the load goes.
pub(super) struct Deployment {
    client: Client,
    /// The folder that everything is uploaded to.
    folder: String,
}

impl Deployment {
    pub(super) fn new(server: &str, token: Option<String>) -> anyhow::Result<Self> {
        if !server.starts_with("http://") {
            bail!("--server is {server}; http://HOST:PORT of an API is right: load does not go through TLS proxies");
        }
        let client = Client::new(server.trim_end_matches('/').to_owned(), token)?;
        let folder = format!("load-{:016x}", rand::random::<u64>());
        Ok(Self { client, folder })
    }

    /// Uploads the picture as if nobody had seen it before, and waits until everything of it has settled.
    pub(super) async fn follow(&self, name: &str, content: &[u8], due: Instant) -> Upload {
        let id = match self.upload(name, content).await {
            Ok(id) => id,
            Err(error) => return Upload::failed(format!("{error:#}")),
        };
        let (answered, deadline) = (due.elapsed(), Instant::now() + PATIENCE);
        let followed = self.settled(&id, deadline).await;
        match followed {
            Ok(file) => self.judged(id, answered, &file),
            Err(error) => Upload { file: Some(id), ..Upload::failed(format!("{error:#}")) },
        }
    }

    async fn upload(&self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        // Decoders stop at the end of the picture: it is the same one, with another digest.
        let tail = format!("{:0width$x}", rand::random::<u128>(), width = 2 * TAIL_BYTES);
        let unique = [content, tail.as_bytes()].concat();
        let name = format!("{tail}-{name}");
        self.client.put(&self.folder, name, Part::bytes(unique)).await
    }

    async fn settled(&self, id: &str, deadline: Instant) -> anyhow::Result<FileReport> {
        loop {
            let file = self.client.report_within(id, WAIT_SECONDS).await?;
            if file.has_settled() {
                return Ok(file);
            }
            if Instant::now() > deadline {
                bail!("it has not settled within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn judged(&self, id: String, answered: Duration, file: &FileReport) -> Upload {
        let broken = file.representations.iter().find(|one| one.state == "error");
        if let Some(RepresentationReport { name, code, .. }) = broken {
            let code = code.as_deref().unwrap_or("error");
            return Upload { file: Some(id), ..Upload::failed(format!("{name} ended as {code}")) };
        }
        let made = file.representations.iter().filter_map(|one| one.elapsed_ms).max();
        Upload { file: Some(id), outcome: Ok((answered, Duration::from_millis(made.unwrap_or(0)))) }
    }

    pub(super) async fn remove(&self, id: &str) {
        self.client.remove(id).await;
    }
}
