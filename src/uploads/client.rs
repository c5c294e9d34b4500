//! A client of the API: it uploads and asks like anybody else.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::files::Upload;

/// Talks to one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
    token: Option<String>,
}

/// What `GET /v1/files/{id}` says, as far as the table needs it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileReport {
    /// Its id; empty when it could not be uploaded.
    pub(crate) id: String,
    /// The file's name.
    pub(crate) name: String,
    /// Its representations; lazy ones that nobody asked for have state `none`.
    pub(crate) representations: Vec<RepresentationReport>,
}

/// One line of the table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RepresentationReport {
    /// The preset.
    pub(crate) name: String,
    /// One of the five states.
    pub(crate) state: String,
    /// Failure code, for `error`.
    pub(crate) code: Option<String>,
    /// Actual columns.
    pub(crate) width: Option<u32>,
    /// Actual rows.
    pub(crate) height: Option<u32>,
    /// Encoded length.
    pub(crate) bytes: Option<u64>,
    /// Milliseconds from `pending` to settled.
    pub(crate) elapsed_ms: Option<u64>,
}

impl FileReport {
    /// Of a file that could not even be uploaded.
    pub(crate) fn refused(name: String, why: &anyhow::Error) -> Self {
        // Answers and names may hold anything; the terminal gets none of it.
        let why: String = format!("{why:#}").chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect();
        let representation = RepresentationReport {
            name: "(upload)".to_owned(),
            state: "error".to_owned(),
            code: Some(why),
            width: None,
            height: None,
            bytes: None,
            elapsed_ms: None,
        };
        Self { id: String::new(), name, representations: vec![representation] }
    }

    pub(crate) fn has_settled(&self) -> bool {
        self.asked_for().all(|representation| matches!(representation.state.as_str(), "success" | "error"))
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.asked_for().all(|representation| representation.state == "success")
    }

    pub(crate) fn asked_for(&self) -> impl Iterator<Item = &RepresentationReport> {
        self.representations.iter().filter(|representation| representation.state != "none")
    }
}

impl Client {
    /// `base_url` is without a slash at the end.
    pub(crate) fn new(base_url: String, token: Option<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).no_proxy().build()?;
        Ok(Self { http, base_url, token })
    }

    /// Whether anybody answers there.
    pub(crate) async fn is_there(&self) -> anyhow::Result<()> {
        let asked = self.http.get(format!("{}/livez", self.base_url)).send().await;
        asked.map(drop).with_context(|| format!("nobody answers at {}", self.base_url))
    }

    /// Uploads into a folder of its own: two files of one name, or the same file in a second run, are no conflict here.
    pub(crate) async fn upload(&self, upload: &Upload, bytes_max: u64) -> anyhow::Result<String> {
        let length = upload.length(bytes_max)?;
        let content = Part::stream_with_length(upload.open().await?, length);
        self.put(&format!("submitted-{:016x}", rand::random::<u64>()), upload.acceptable_name(), content).await
    }

    /// Uploads as Box's clients do; returns the file's id.
    pub(crate) async fn put(&self, folder: &str, name: String, content: Part) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Uploaded {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            id: String,
        }
        let attributes = serde_json::json!({ "name": name, "parent": { "id": folder } });
        let form = Form::new().text("attributes", attributes.to_string()).part("file", content.file_name(name));
        let url = format!("{}/2.0/files/content", self.base_url);
        let uploaded: Uploaded = self.answer(self.http.post(url).multipart(form)).await?;
        uploaded.entries.into_iter().next().map(|entry| entry.id).context("the answer names no file")
    }

    /// Where the file stands.
    pub(crate) async fn report(&self, id: &str) -> anyhow::Result<FileReport> {
        let url = format!("{}/v1/files/{id}", self.base_url);
        self.answer(self.http.get(url)).await
    }

    /// The same, once all of it has settled, or after as many seconds.
    pub(crate) async fn report_within(&self, id: &str, seconds: u64) -> anyhow::Result<FileReport> {
        let url = format!("{}/v1/files/{id}?wait={seconds}", self.base_url);
        self.answer(self.http.get(url)).await
    }

    /// Into the trash, and out of it for good.
    pub(crate) async fn remove(&self, id: &str) {
        for path in [format!("/2.0/files/{id}"), format!("/2.0/files/{id}/trash")] {
            // Nothing depends on it: what stays is what any upload leaves.
            let _ = self.authorized(self.http.delete(format!("{}{path}", self.base_url))).send().await;
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = self.authorized(request).send().await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            bail!("{status}: {}", body.chars().take(200).collect::<String>());
        }
        serde_json::from_str(&body).with_context(|| format!("not the JSON we expect: {body}"))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}
