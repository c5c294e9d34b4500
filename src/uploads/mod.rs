//! Uploading through an API as anybody would, and following each file: what `demo` and `submit` have in common.

pub(crate) mod client;
pub(crate) mod files;
pub(crate) mod table;

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};

use client::{Client, FileReport};
use files::Upload;

/// Uploads at the same time.
const UPLOADS_AT_ONCE: usize = 4;
/// Pause between two looks at a file.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);

/// How far each file is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// It is accepted.
    Uploaded,
    /// All of its representations have settled.
    Settled,
}

/// Uploads everything, a few at a time; each with its position as soon as it is that far.
pub(crate) fn follow_all(
    client: &Client,
    uploads: Vec<Upload>,
    bytes_max: u64,
    until: Until,
) -> impl Stream<Item = (usize, FileReport)> {
    futures_util::stream::iter(uploads.into_iter().enumerate())
        .map(move |(position, upload)| async move {
            let followed = follow(client, &upload, bytes_max, until).await;
            // One file that is refused must not hide the others.
            (position, followed.unwrap_or_else(|error| FileReport::refused(upload.acceptable_name(), &error)))
        })
        .buffer_unordered(UPLOADS_AT_ONCE)
}

async fn follow(client: &Client, upload: &Upload, bytes_max: u64, until: Until) -> anyhow::Result<FileReport> {
    let id = client.upload(upload, bytes_max).await?;
    loop {
        let report = client.report(&id).await?;
        if until == Until::Uploaded || report.has_settled() {
            return Ok(report);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Shows on a terminal how many of the files are that far.
pub(crate) fn progress_bar(files: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {elapsed}  {wide_msg}");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
