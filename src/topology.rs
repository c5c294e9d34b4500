//! `thumbline topology`: what the broker must have, for operators who declare it themselves.

use clap::Args;

use crate::cli::print_line;
use crate::config::Config;
use crate::exit::{Exit, Failed};
use crate::platform;

/// Arguments of `thumbline topology`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The virtual host to name; default: that of queue.url, else /
    #[arg(long)]
    vhost: Option<String>,
    /// Print it on one line
    #[arg(long)]
    json: bool,
}

/// Prints broker definitions as `rabbitmqctl import_definitions` takes them.
pub fn run(arguments: &Arguments, config: &Config) -> Result<Exit, Failed> {
    let definitions = platform::definitions(config, arguments.vhost.as_deref());
    let text =
        if arguments.json { serde_json::to_string(&definitions) } else { serde_json::to_string_pretty(&definitions) };
    print_line(&text.map_err(anyhow::Error::new)?);
    Ok(Exit::Success)
}
