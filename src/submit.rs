//! `thumbline submit`: uploads files to a deployment, and tells what becomes of them.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use futures_util::StreamExt as _;
use indicatif::ProgressBar;
use serde_json::json;

use crate::cli::print_line;
use crate::exit::{Exit, Failed};
use crate::shutdown::Shutdown;
use crate::uploads::client::{Client, FileReport};
use crate::uploads::{Until, files, follow_all, progress_bar, table};

/// Arguments of `thumbline submit`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to upload; of a directory, everything below it
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Where the API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// A token that may upload (or THUMBLINE_TOKEN)
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Wait until everything is rendered, and print a table of it
    #[arg(long)]
    wait: bool,
    /// Print one JSON object per file; with --wait, per representation
    #[arg(long)]
    json: bool,
}

/// Exit 1 when a file was refused or, with `--wait`, something of it ended as `error`; 130 when Ctrl-C came before all
/// were that far.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let uploads = files::collect(&arguments.files).map_err(Failed::usage)?;
    let server = arguments.server.trim_end_matches('/').to_owned();
    if !server.starts_with("http://") {
        let remedy = "http://HOST:PORT of an API is right; behind a proxy with TLS, ask from the inside";
        return Err(Failed::usage(anyhow!("--server is {server}; {remedy}")));
    }
    let token = arguments.token.clone().or_else(|| std::env::var("THUMBLINE_TOKEN").ok());
    let client = Client::new(server, token)?;
    client.is_there().await.map_err(Failed::dependency)?;
    let shutdown = Shutdown::on_signals()?;
    let count = uploads.len();
    let bar = progress_bar(count);
    let until = if arguments.wait { Until::Settled } else { Until::Uploaded };
    // How long a file may be is for the server to say.
    let mut followed = std::pin::pin!(follow_all(&client, uploads, u64::MAX, until));
    let mut reports = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.drain.cancelled() => break,
            next = followed.next() => match next {
                Some((position, report)) => {
                    tell(&bar, &report, &arguments);
                    reports.push((position, report));
                }
                None => break,
            },
        }
    }
    bar.finish_and_clear();
    reports.sort_by_key(|(position, _)| *position);
    let reports: Vec<FileReport> = reports.into_iter().map(|(_, report)| report).collect();
    if arguments.wait {
        table::print(&reports, arguments.json);
    }
    let is_well = |report: &FileReport| if arguments.wait { report.succeeded() } else { !report.id.is_empty() };
    Ok(match () {
        () if reports.len() < count => Exit::Interrupted,
        () if reports.iter().all(is_well) => Exit::Success,
        () => Exit::SomeFailed,
    })
}

/// One more is that far. Whoever does not wait is told at once.
fn tell(bar: &ProgressBar, report: &FileReport, arguments: &Arguments) {
    bar.set_message(report.name.clone());
    bar.inc(1);
    if arguments.wait {
        return;
    }
    let why =
        report.representations.first().filter(|_| report.id.is_empty()).and_then(|refused| refused.code.as_deref());
    let line = match (arguments.json, why) {
        (true, _) => {
            json!({ "file": report.name, "id": Some(&report.id).filter(|id| !id.is_empty()), "error": why }).to_string()
        }
        (false, Some(why)) => format!("refused  {}: {why}", report.name),
        (false, None) => format!("{}  {}", report.id, report.name),
    };
    bar.suspend(|| print_line(&line));
}
