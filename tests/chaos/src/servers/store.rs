//! The S3 store: how to reach it, and one of our own where none is named.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use aws_sdk_s3::config::{BehaviorVersion, Region};

use super::{READY, Server};
use crate::guard::{End, Guard};

const MISSING: &str =
    "no S3 store could be started: name one in THUMBLINE_TEST_S3_URL, or install what scripts/test-servers asks for";

/// Address and credentials.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Access {
    /// From `scheme://key:secret@host:port`.
    pub(crate) fn from_url(url: &str) -> anyhow::Result<Self> {
        let parts = url.split_once("://").and_then(|(scheme, rest)| {
            let (credentials, host) = rest.rsplit_once('@')?;
            let (key, secret) = credentials.split_once(':')?;
            Some((scheme, host.trim_end_matches('/'), key, secret))
        });
        let (scheme, host, key, secret) = parts.context("THUMBLINE_TEST_S3_URL is not http://KEY:SECRET@HOST:PORT")?;
        let endpoint = format!("{scheme}://{host}");
        Ok(Self { endpoint, access_key: key.to_owned(), secret_key: secret.to_owned() })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        super::address_of(&self.endpoint)
    }

    /// A client that asks the store itself.
    pub(crate) fn client(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .credentials_provider(aws_credential_types::Credentials::from_keys(
                &self.access_key,
                &self.secret_key,
                None,
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }
}

/// A bucket with everything in it.
pub(crate) async fn delete_bucket(client: &aws_sdk_s3::Client, bucket: &str) -> anyhow::Result<()> {
    let mut pages = client.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.try_next().await? {
        for key in page.contents().iter().filter_map(|object| object.key()) {
            client.delete_object().bucket(bucket).key(key).send().await?;
        }
    }
    client.delete_bucket().bucket(bucket).send().await?;
    Ok(())
}

/// Ceph's gateway as the tests start it. It lives in the script's care, which ends it when it is asked to.
pub(super) async fn start(guard: &Guard) -> anyhow::Result<(Access, Server)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-servers");
    let output = guard.directory().join("store.url");
    let mut command = Command::new(&script);
    command
        .args(["run", "--", "sh", "-c", "echo \"$THUMBLINE_TEST_S3_URL\" >\"$0\"; exec sleep infinity"])
        .arg(&output)
        .env("THUMBLINE_TEST_AMQP_URL", "unused")
        .env("THUMBLINE_TEST_DATABASE_URL", "unused");
    super::log_to(&mut command, &guard.directory().join("store.log"))?;
    command.stdin(Stdio::null());
    let server = Server::start(guard, command, End::Term).context(MISSING)?;
    let deadline = tokio::time::Instant::now() + READY;
    loop {
        let line = std::fs::File::open(&output).ok().and_then(|file| BufReader::new(file).lines().next()?.ok());
        if let Some(url) = line {
            return Ok((Access::from_url(&url)?, server));
        }
        if server.has_ended()?.is_some() || tokio::time::Instant::now() > deadline {
            let log = std::fs::read_to_string(guard.directory().join("store.log")).unwrap_or_default();
            bail!("{MISSING}\n{}", log.trim());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
