//! `thumbline health`: asks a running process whether it is ready, for images without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::cli::print_line;
use crate::config::{Inputs, load};
use crate::exit::{Exit, Failed};

/// Arguments of `thumbline health`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Configuration file (TOML) of the process that is asked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask this URL instead of ops.listen's /readyz
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print the answer's JSON
    #[arg(long)]
    json: bool,
}

/// Exit 0 when ready, 3 when not or when nobody answers.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let url = match arguments.url {
        Some(url) => url,
        None => readiness_url(arguments.config.as_deref())?,
    };
    let answer = ask(&url).await.map_err(Failed::dependency)?;
    if arguments.json {
        print_line(&answer.body);
    } else {
        print_line(if answer.ready { "ready" } else { &answer.body });
    }
    Ok(if answer.ready { Exit::Success } else { Exit::DependencyAway })
}

struct Answer {
    ready: bool,
    body: String,
}

async fn ask(url: &str) -> anyhow::Result<Answer> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()?;
    let response = client.get(url).send().await.with_context(|| format!("nobody answers at {url}"))?;
    let ready = response.status().is_success();
    Ok(Answer { ready, body: response.text().await? })
}

fn readiness_url(config: Option<&Path>) -> Result<String, Failed> {
    let config = load(&Inputs::of_process(config, Vec::new())).map_err(Failed::usage)?.config;
    let listen = if config.ops.listen.is_empty() { &config.api.listen } else { &config.ops.listen };
    let address: SocketAddr =
        listen.parse().map_err(|_| Failed::usage(anyhow!("ops.listen = {listen:?} is not an address")))?;
    Ok(format!("http://{}/readyz", reachable(address)))
}

/// A listener on all interfaces is asked over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
