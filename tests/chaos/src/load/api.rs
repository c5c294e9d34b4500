//! Uploads through the API, as a client that tries again: 201 is a promise, everything else is none.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};

use super::contents::Content;
use crate::system::TOKEN;

const REQUEST: Duration = Duration::from_secs(40);
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
const TRIES_MAX: u32 = 400;

/// A client of every API process.
pub(super) struct Uploader {
    http: reqwest::Client,
    apis: Vec<SocketAddr>,
}

/// The name of a try. Nobody knows what became of one without an answer, so the next has another name.
fn name(number: u32, tried: u32, extension: &str) -> String {
    format!("u{number}-{tried}.{extension}")
}

impl Uploader {
    pub(super) fn new(apis: Vec<SocketAddr>) -> anyhow::Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().timeout(REQUEST).build()?, apis })
    }

    /// Tries until one is accepted; the name of that one.
    pub(super) async fn upload(&self, number: u32, content: &Content) -> anyhow::Result<String> {
        let mut last = String::new();
        for tried in 0..TRIES_MAX {
            let name = name(number, tried, &content.extension);
            let api = self.apis[(number + tried) as usize % self.apis.len()];
            match self.try_to_upload(api, &name, content).await {
                Ok(StatusCode::CREATED) => return Ok(name),
                Ok(status) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                    bail!("the API answers {status} to {name}");
                }
                Ok(status) => last = status.to_string(),
                Err(error) => last = format!("{:#}", anyhow::Error::new(error)),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        bail!("no API accepts upload {number} any more: {last}")
    }

    async fn try_to_upload(&self, api: SocketAddr, name: &str, content: &Content) -> reqwest::Result<StatusCode> {
        let attributes = serde_json::json!({ "name": name, "parent": { "id": "0" } });
        let file = Part::bytes(content.bytes.clone()).file_name(name.to_owned());
        let form = Form::new().text("attributes", attributes.to_string()).part("file", file);
        let request = self.http.post(format!("http://{api}/2.0/files/content")).bearer_auth(TOKEN).multipart(form);
        Ok(request.send().await?.status())
    }
}
