//! Logs on standard error, as text for people or as JSON lines for collectors; section `[log]` of the configuration.

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Libraries that say in their logs what they also say in their errors, which we log with what we know. A filter that
/// names one of them wins.
const QUIET_LIBRARIES: &str = "lapin=off,sqlx=warn,hyper=warn,rustls=warn";

/// Section `[log]`; `config.default.toml` explains every key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A level, or a filter like `info,worker=debug`.
    pub filter: String,
    /// How a line looks.
    pub format: Format,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter can't be read.
    #[error("the filter {filter:?} can't be read; use a level like \"info\", or \"info,worker=debug\"")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something in this process logs already.
    #[error("logs are set up already")]
    Installed(#[from] TryInitError),
}

impl Config {
    /// Adds everything that is wrong with this section.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        if let Err(error) = env_filter(&self.filter) {
            problems.push(Problem::new("log.filter", &self.filter, error.to_string()));
        }
    }
}

/// Sets up logs for the whole process; once.
pub fn install(filter: &str, format: Format) -> Result<(), LogsError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(env_filter(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        Format::Text => lines.finish().try_init()?,
        Format::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

fn env_filter(filter: &str) -> Result<EnvFilter, LogsError> {
    EnvFilter::builder()
        .parse(format!("{QUIET_LIBRARIES},{filter}"))
        .map_err(|source| LogsError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        for good in ["info", "warn,worker=debug", "info,lapin=trace"] {
            assert!(env_filter(good).is_ok(), "{good}");
        }
        for bad in ["info,worker=loud", "worker=debug=info"] {
            let mut problems = Vec::new();
            Config { filter: bad.into(), format: Format::Text }.check(&mut problems);
            assert_eq!(problems.len(), 1, "{bad}");
            assert_eq!(problems[0].key, "log.filter");
        }
    }

    #[test]
    fn a_filter_that_names_a_quiet_library_wins() {
        assert!(env_filter("info").unwrap().to_string().contains("lapin=off"));
        let loud = env_filter("info,lapin=trace").unwrap().to_string();
        assert!(loud.contains("lapin=trace") && !loud.contains("lapin=off"), "{loud}");
    }
}
