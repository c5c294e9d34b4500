//! Section `[database]` of the configuration.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use serde::{Deserialize, Serialize};
use shared::config::Problem;

/// Most connections of one process: PostgreSQL spends a server process on each.
const CONNECTIONS_MAX: u32 = 1000;
/// Longest wait for a connection, seconds: whoever waits longer should hear that the database is away.
const ACQUIRE_SECONDS_MAX: u64 = 300;

/// Section `[database]`; `config.default.toml` explains every key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Most connections of this process.
    pub connections_max: u32,
    /// Longest wait for a free connection, seconds; on SQLite also for the one writer that is allowed at a time.
    pub acquire_timeout_seconds: u64,
}

/// Which database a URL names.
pub(super) enum Location {
    /// A file of this host.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

impl Config {
    /// Adds everything that is wrong with this section.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        if let Err(reason) = self.location() {
            let remedy = format!("use sqlite:PATH or postgres://user:password@host/database ({reason})");
            problems.push(Problem::new("database.url", "(hidden)", remedy));
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            let remedy = format!("use 1 to {CONNECTIONS_MAX}");
            problems.push(Problem::new("database.connections_max", self.connections_max, remedy));
        }
        if !(1..=ACQUIRE_SECONDS_MAX).contains(&self.acquire_timeout_seconds) {
            let remedy = format!("use 1 to {ACQUIRE_SECONDS_MAX}");
            problems.push(Problem::new("database.acquire_timeout_seconds", self.acquire_timeout_seconds, remedy));
        }
    }

    /// Whether the database is a file of this host, so that only processes of this host can share it.
    pub fn is_file(&self) -> bool {
        matches!(self.location(), Ok(Location::Sqlite(_)))
    }

    /// Where the database is, without user and password.
    pub fn display_url(&self) -> String {
        match self.location() {
            Ok(Location::Sqlite(path)) => format!("sqlite:{}", path.display()),
            Ok(Location::Postgres(options)) => {
                let database = options.get_database().unwrap_or_default();
                format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
            }
            Err(_) => "(not a database's address)".to_owned(),
        }
    }

    pub(super) fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_seconds)
    }

    pub(super) fn location(&self) -> Result<Location, String> {
        match self.url.split_once(':') {
            Some(("sqlite", path)) => sqlite_path(path.strip_prefix("//").unwrap_or(path)).map(Location::Sqlite),
            Some(("postgres" | "postgresql", _)) => match self.url.parse() {
                Ok(options) => Ok(Location::Postgres(Box::new(options))),
                Err(reason) => Err(reason.to_string()),
            },
            _ => Err("the part before the colon is neither sqlite nor postgres".to_owned()),
        }
    }
}

fn sqlite_path(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() || path.contains(":memory:") {
        // Every connection of the pool would open a database of its own.
        return Err("a path is needed: databases in memory are not shared between connections".to_owned());
    }
    if path.contains('?') {
        return Err("parameters after a question mark are not supported".to_owned());
    }
    Ok(PathBuf::from(path))
}

/// Never shows the address as written: it holds the password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.display_url())
            .field("connections_max", &self.connections_max)
            .field("acquire_timeout_seconds", &self.acquire_timeout_seconds)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config { url: url.to_owned(), connections_max: 16, acquire_timeout_seconds: 10 }
    }

    fn problems_of(config: &Config) -> Vec<Problem> {
        let mut problems = Vec::new();
        config.check(&mut problems);
        problems
    }

    #[test]
    fn both_databases_are_accepted_in_their_usual_spellings() {
        for url in [
            "sqlite:thumbline-data/thumbline.db",
            "sqlite:///var/lib/thumbline/a b.db",
            "postgres://user:pw@db.example:5432/thumbline?sslmode=require",
            "postgresql://db.example/thumbline",
        ] {
            assert_eq!(problems_of(&config(url)), [], "{url}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once_and_none_shows_the_password() {
        let absurd = Config { url: "mysql://u:tell-nobody@h/d".into(), connections_max: 0, acquire_timeout_seconds: 0 };
        let problems = problems_of(&absurd);
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["database.url", "database.connections_max", "database.acquire_timeout_seconds"]);
        for url in
            ["mysql://u:tell-nobody@h/d", "postgres://u:tell-nobody@h:99999999/d", "postgres://u:tell-nobody@[/d"]
        {
            let shown = format!("{:?} {:?}", problems_of(&config(url)), config(url));
            assert!(!problems_of(&config(url)).is_empty(), "{url} was accepted");
            assert!(!shown.contains("tell-nobody"), "{shown}");
        }
    }

    #[test]
    fn databases_in_memory_are_refused() {
        for url in ["sqlite:", "sqlite::memory:", "sqlite://:memory:", "sqlite:a.db?mode=ro"] {
            assert_eq!(problems_of(&config(url)).len(), 1, "{url} was accepted");
        }
    }

    #[test]
    fn what_is_shown_has_no_user_and_no_password() {
        let shown = config("postgres://user:tell-nobody@db.example:5433/thumbline").display_url();
        assert_eq!(shown, "postgres://db.example:5433/thumbline");
        assert_eq!(config("sqlite://a/b.db").display_url(), "sqlite:a/b.db");
    }

    #[test]
    fn unknown_keys_are_an_error() {
        let text = serde_json::json!({
            "url": "sqlite:a.db", "connections_max": 1, "acquire_timeout_seconds": 1, "pool": 3,
        });
        assert!(serde_json::from_value::<Config>(text).is_err());
    }
}
