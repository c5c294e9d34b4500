//! `thumbline demo`: the main job in one command: everything in one process, one table, one page to look at.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use futures_util::StreamExt as _;

use crate::cli::{data_flags, print_line};
use crate::config::{Config, Inputs, load};
use crate::exit::{Exit, Failed};
use crate::roles::{self, Roles};
use crate::shutdown::Shutdown;
use crate::uploads::client::{Client, FileReport};
use crate::uploads::files::{self, Upload};
use crate::uploads::{Until, follow_all, progress_bar, table};

/// Arguments of `thumbline demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files or directories to upload; without any, a few bundled samples
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// End when everything has settled; exit code 1 when something did not end as `success`
    #[arg(long)]
    exit: bool,
    /// Keep the data below this directory
    #[arg(long, value_name = "DIR", default_value = "thumbline-data")]
    data: PathBuf,
    /// Address to listen on (loopback); port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Print one JSON object per representation instead of the table
    #[arg(long)]
    json: bool,
}

/// Starts everything, uploads, watches, prints, serves.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let uploads = files::collect(&arguments.files).map_err(Failed::usage)?;
    let config = configure(&arguments)?;
    roles::install_logs(&config)?;
    let shutdown = Shutdown::on_signals()?;
    let running = roles::start(&config, Roles::ALL, &shutdown).await?;
    let Some(address) = running.api_address() else { return Ok(Exit::Interrupted) };

    let client = Client::new(format!("http://{address}"), None)?;
    let settled = tokio::select! {
        () = shutdown.drain.cancelled() => None,
        reports = render_all(&client, uploads, config.api.upload_bytes_max) => Some(reports),
    };
    let exit = match &settled {
        None => Exit::Interrupted,
        Some(reports) => {
            table::print(reports, arguments.json);
            if reports.iter().all(FileReport::succeeded) { Exit::Success } else { Exit::SomeFailed }
        }
    };
    if settled.is_some() && !arguments.exit {
        print_line(&format!(
            "\nLook at http://{address}/ — Ctrl-C ends it; the data stays below {}.",
            arguments.data.display()
        ));
        shutdown.drain.cancelled().await;
    }
    shutdown.drain.cancel();
    running.ended().await?;
    Ok(exit)
}

/// The all-in-one shape, whatever the environment says of production.
fn configure(arguments: &Arguments) -> Result<Config, Failed> {
    let mut flags = data_flags(&arguments.data).to_vec();
    flags.push(("queue.url", "memory:".into()));
    flags.push(("auth.mode", "open".into()));
    flags.push(("api.listen", arguments.listen.to_string().into()));
    flags.push(("api.public_url", "".into()));
    flags.push(("ops.listen", "".into()));
    let mut inputs = Inputs::of_process(None, flags);
    // The table and the progress bar have the terminal; somebody who wants the log says so.
    if !inputs.environment.contains_key("THUMBLINE__LOG__FILTER") {
        inputs.flags.push(("log.filter", "warn".into()));
    }
    load(&inputs).map(|loaded| loaded.config).map_err(Failed::usage)
}

/// Uploads everything and waits until every representation has settled.
async fn render_all(client: &Client, uploads: Vec<Upload>, bytes_max: u64) -> Vec<FileReport> {
    let bar = progress_bar(uploads.len());
    let mut rendered = std::pin::pin!(follow_all(client, uploads, bytes_max, Until::Settled));
    let mut reports = Vec::new();
    while let Some((position, report)) = rendered.next().await {
        bar.set_message(report.name.clone());
        bar.inc(1);
        reports.push((position, report));
    }
    bar.finish_and_clear();
    reports.sort_by_key(|(position, _)| *position);
    reports.into_iter().map(|(_, report)| report).collect()
}
