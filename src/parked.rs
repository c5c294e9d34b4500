//! `thumbline parked`: messages that nobody could read; list, show, replay, drop.

use std::io::Write as _;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;
use shared::ports::parking::{Parked, ParkedFilter, ParkingStore};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{CommonArguments, print_line};
use crate::exit::{Exit, Failed};
use crate::platform::{Rows, away};

/// Rows that are read at once.
const PAGE: u32 = 100;

/// Arguments of `thumbline parked`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: ParkedCommand,
    #[command(flatten)]
    common: CommonArguments,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ParkedCommand {
    /// List what is parked, newest first
    List {
        /// Only with this code
        #[arg(long)]
        code: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one message with its headers
    Show {
        /// Its number in the list
        id: i64,
        /// Write the body's bytes, and nothing else
        #[arg(long)]
        body: bool,
    },
    /// Have messages published again; a running worker does so within seconds
    Replay(Which),
    /// Remove messages for good
    Drop(Which),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Numbers in the list
    id: Vec<i64>,
    /// All with this code
    #[arg(long)]
    code: Option<String>,
    /// All
    #[arg(long)]
    all: bool,
}

impl Which {
    fn filters(&self) -> Vec<ParkedFilter> {
        if self.id.is_empty() {
            return vec![ParkedFilter { id: None, code: self.code.clone() }];
        }
        self.id.iter().map(|id| ParkedFilter { id: Some(*id), code: None }).collect()
    }
}

/// Exit 1 when a message that was named is not there, or was too long to be kept as a whole.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let config = arguments.common.load(None)?.config;
    let store = Rows::open(&config).await?.parking;
    match &arguments.command {
        ParkedCommand::List { code, limit } => list(&*store, code.clone(), *limit, arguments.json).await,
        ParkedCommand::Show { id, body } => show(&*store, *id, *body, arguments.json).await,
        ParkedCommand::Replay(which) => {
            let mut done = Vec::new();
            for filter in which.filters() {
                done.push(store.request_replay(&filter).await.map_err(away)?);
            }
            Ok(told("replayed", &done, which, arguments.json))
        }
        ParkedCommand::Drop(which) => {
            let mut done = Vec::new();
            for filter in which.filters() {
                done.push(store.discard(&filter).await.map_err(away)?);
            }
            Ok(told("dropped", &done, which, arguments.json))
        }
    }
}

fn told(what: &str, done: &[u64], which: &Which, json: bool) -> Exit {
    let count: u64 = done.iter().sum();
    print_line(&if json { json!({ what: count }).to_string() } else { format!("{count} {what}") });
    let all_found = which.id.is_empty() || done.iter().all(|count| *count > 0);
    if all_found { Exit::Success } else { Exit::SomeFailed }
}

async fn list(store: &dyn ParkingStore, code: Option<String>, limit: u32, json: bool) -> Result<Exit, Failed> {
    let filter = ParkedFilter { id: None, code };
    let (mut before, mut left) = (None, limit);
    while left > 0 {
        let rows = store.list(&filter, before, left.min(PAGE)).await.map_err(away)?;
        let Some(last) = rows.last() else { break };
        (before, left) = (Some(last.id), left - u32::try_from(rows.len()).unwrap_or(left).min(left));
        rows.iter().for_each(|row| print_line(&if json { entry(row).to_string() } else { line(row) }));
    }
    Ok(Exit::Success)
}

async fn show(store: &dyn ParkingStore, id: i64, body_only: bool, json: bool) -> Result<Exit, Failed> {
    let row = store.get(id).await.map_err(away)?.ok_or_else(|| Failed::from(anyhow!("no message {id} is parked")))?;
    let message = &row.parked.message;
    if body_only {
        // A reader that went away is no failure of ours.
        let _ = std::io::stdout().write_all(&message.body);
        return Ok(Exit::Success);
    }
    let body = String::from_utf8_lossy(&message.body);
    if json {
        let mut shown = entry(&row);
        shown["headers"] = json!(message.headers);
        shown["content_type"] = json!(message.content_type);
        shown["body"] = json!(body);
        print_line(&shown.to_string());
        return Ok(Exit::Success);
    }
    print_line(&line(&row));
    let content_type = message.content_type.iter().map(|value| ("content-type", value.as_str()));
    let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    content_type.chain(headers).for_each(|(name, value)| print_line(&format!("  {name}: {value}")));
    print_line(&body);
    Ok(Exit::Success)
}

fn line(row: &Parked) -> String {
    let waits = if row.replay_requested { ", waits to be replayed" } else { "" };
    let times = if row.times > 1 { format!(", {} times", row.times) } else { String::new() };
    let (id, at, parked) = (row.id, moment(row.last_at), &row.parked);
    format!("{id}  {at}  {}: {} ({} bytes{times}{waits})", parked.code, parked.reason, parked.length_bytes)
}

fn entry(row: &Parked) -> serde_json::Value {
    json!({
        "id": row.id, "code": row.parked.code, "reason": row.parked.reason, "times": row.times,
        "first_at": moment(row.first_at), "last_at": moment(row.last_at), "length_bytes": row.parked.length_bytes,
        "replay_requested": row.replay_requested,
    })
}

fn moment(millis: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    moment.ok().and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| millis.to_string())
}
