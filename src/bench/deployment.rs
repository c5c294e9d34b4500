//! A deployment under load, as a client of its API sees it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use super::tally::Upload;

/// Longest time of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
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
    http: reqwest::Client,
    server: String,
    token: Option<String>,
    /// The folder that everything is uploaded to.
    folder: String,
}

#[derive(Deserialize)]
struct Uploaded {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

/// What `GET /v1/files/{id}` says, as far as it is measured.
#[derive(Deserialize)]
struct File {
    representations: Vec<Representation>,
}

#[derive(Deserialize)]
struct Representation {
    name: String,
    state: String,
    code: Option<String>,
    elapsed_ms: Option<u64>,
}

impl Deployment {
    pub(super) fn new(server: &str, token: Option<String>) -> anyhow::Result<Self> {
        if !server.starts_with("http://") {
            bail!("--server is {server}; http://HOST:PORT of an API is right: load does not go through TLS proxies");
        }
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        let folder = format!("load-{:016x}", rand::random::<u64>());
        Ok(Self { http, server: server.trim_end_matches('/').to_owned(), token, folder })
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
        let attributes = json!({ "name": name, "parent": { "id": self.folder } });
        let form = Form::new().text("attributes", attributes.to_string());
        let form = form.part("file", Part::bytes(unique).file_name(name));
        let request = self.http.post(format!("{}/2.0/files/content", self.server)).multipart(form);
        let uploaded: Uploaded = self.answer(request).await?;
        uploaded.entries.into_iter().next().map(|entry| entry.id).context("the answer names no file")
    }

    async fn settled(&self, id: &str, deadline: Instant) -> anyhow::Result<File> {
        let url = format!("{}/v1/files/{id}?wait={WAIT_SECONDS}", self.server);
        loop {
            let file: File = self.answer(self.http.get(&url)).await?;
            if !file.representations.iter().any(|one| matches!(one.state.as_str(), "pending" | "viewable")) {
                return Ok(file);
            }
            if Instant::now() > deadline {
                bail!("it has not settled within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn judged(&self, id: String, answered: Duration, file: &File) -> Upload {
        let broken = file.representations.iter().find(|one| one.state == "error");
        if let Some(Representation { name, code, .. }) = broken {
            let code = code.as_deref().unwrap_or("error");
            return Upload { file: Some(id), ..Upload::failed(format!("{name} ended as {code}")) };
        }
        let made = file.representations.iter().filter_map(|one| one.elapsed_ms).max();
        Upload { file: Some(id), outcome: Ok((answered, Duration::from_millis(made.unwrap_or(0)))) }
    }

    /// Into the trash, and out of it for good.
    pub(super) async fn remove(&self, id: &str) {
        for path in [format!("/2.0/files/{id}"), format!("/2.0/files/{id}/trash")] {
            // Nothing depends on it: what stays is what any upload leaves.
            let _ = self.authorized(self.http.delete(format!("{}{path}", self.server))).send().await;
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let answer = self.authorized(request).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            bail!("{status}: {}", body.chars().take(200).collect::<String>());
        }
        serde_json::from_str(&body).context("the answer is not the JSON that is expected")
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}
