//! The demo as a client of its own API: it uploads and asks like anybody else.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::files::Upload;

/// Talks to one server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
}

/// What `GET /v1/files/{id}` says, as far as the table needs it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FileReport {
    /// The file's name.
    pub(super) name: String,
    /// Its representations; lazy ones that nobody asked for have state `none`.
    pub(super) representations: Vec<RepresentationReport>,
}

/// One line of the table.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RepresentationReport {
    /// The preset.
    pub(super) name: String,
    /// One of the five states.
    pub(super) state: String,
    /// Failure code, for `error`.
    pub(super) code: Option<String>,
    /// Actual columns.
    pub(super) width: Option<u32>,
    /// Actual rows.
    pub(super) height: Option<u32>,
    /// Encoded length.
    pub(super) bytes: Option<u64>,
    /// Milliseconds from `pending` to settled.
    pub(super) elapsed_ms: Option<u64>,
}

impl FileReport {
    /// Of a file that could not even be uploaded.
    pub(super) fn refused(name: String, why: &anyhow::Error) -> Self {
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
        Self { name, representations: vec![representation] }
    }

    pub(super) fn has_settled(&self) -> bool {
        self.asked_for().all(|representation| matches!(representation.state.as_str(), "success" | "error"))
    }

    pub(super) fn succeeded(&self) -> bool {
        self.asked_for().all(|representation| representation.state == "success")
    }

    pub(super) fn asked_for(&self) -> impl Iterator<Item = &RepresentationReport> {
        self.representations.iter().filter(|representation| representation.state != "none")
    }
}

impl Client {
    pub(super) fn new(base_url: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).no_proxy().build()?;
        Ok(Self { http, base_url })
    }

    /// Uploads as Box's clients do; returns the file's id.
    pub(super) async fn upload(&self, upload: &Upload, bytes_max: u64) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Uploaded {
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            id: String,
        }
        // A folder of its own: two files of one name, or the same file in a second run, are no conflict here.
        let folder = format!("demo-{:016x}", rand::random::<u64>());
        let attributes = serde_json::json!({ "name": upload.acceptable_name(), "parent": { "id": folder } });
        let form = Form::new()
            .text("attributes", attributes.to_string())
            .part("file", Part::bytes(upload.read(bytes_max)?).file_name(upload.acceptable_name()));
        let url = format!("{}/2.0/files/content", self.base_url);
        let uploaded: Uploaded = read(self.http.post(url).multipart(form).send().await?).await?;
        uploaded.entries.into_iter().next().map(|entry| entry.id).context("the answer names no file")
    }

    /// Where the file stands.
    pub(super) async fn report(&self, id: &str) -> anyhow::Result<FileReport> {
        let url = format!("{}/v1/files/{id}", self.base_url);
        read(self.http.get(url).send().await?).await
    }
}

async fn read<T: serde::de::DeserializeOwned>(response: reqwest::Response) -> anyhow::Result<T> {
    let status = response.status();
    let body = response.text().await?;
    if !status.is_success() {
        bail!("{status}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("not the JSON we expect: {body}"))
}
