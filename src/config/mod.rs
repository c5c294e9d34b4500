//! The configuration: one section per room, composed here and checked once at start.

mod layers;
mod mask;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared::config::Problem;
use shared::domain::limits::LimitsTable;
use shared::domain::preset::{Preset, PresetTable};
use shared::domain::source::AllowedBuckets;

pub use mask::masked;

/// Every key with its default; compiled in and read first. The file is the reference of all keys.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// The checked configuration of a process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Presets beside the built-in ones.
    pub presets: Vec<Preset>,
    /// Buckets that events may name.
    pub sources: Vec<adapters::blob::SourceBucketConfig>,
    /// Section `[database]`.
    pub database: adapters::db::Config,
    /// Section `[queue]`.
    pub queue: adapters::queue::Config,
    /// Section `[blobs]`.
    pub blobs: adapters::blob::Config,
    /// Section `[api]`.
    pub api: api::Config,
    /// Section `[jira]`.
    pub jira: api::jira::Config,
    /// Section `[ops]`.
    pub ops: OpsConfig,
    /// Section `[auth]`.
    pub auth: api::auth::Config,
    /// Section `[worker]`.
    pub worker: worker::Config,
    /// Section `[retry]`.
    pub retry: worker::RetryConfig,
    /// Section `[retention]`.
    pub retention: worker::RetentionConfig,
    /// Section `[webhooks]`.
    pub webhooks: worker::WebhooksConfig,
    /// Section `[gc]`.
    pub gc: worker::GcConfig,
    /// Section `[limits]`.
    pub limits: LimitsTable,
    /// Section `[sandbox]`.
    pub sandbox: worker::child::Sandbox,
    /// Section `[log]`.
    pub log: adapters::telemetry::logs::Config,
}

/// Section `[ops]`: health and metrics of every role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpsConfig {
    /// Address to listen on; empty: no listener of its own.
    pub listen: String,
}

/// Where the strings come from; a test passes its own and never touches the process's environment.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Keys set by flags, with the flag's name for messages.
    pub flags: Vec<(&'static str, toml::Value)>,
}

impl Inputs {
    /// The process's environment, this file and these flags.
    pub fn of_process(file: Option<&Path>, flags: Vec<(&'static str, toml::Value)>) -> Self {
        // Variables that are not UTF-8 cannot be ours.
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        Self { file: file.map(Path::to_owned), environment, flags }
    }
}

/// Everything that is wrong with the configuration, at once.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// The configuration and the table that it was read from, for `thumbline config`.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Checked.
    pub config: Config,
    /// Merged, every key present, secrets in clear.
    pub table: toml::Table,
}

/// Reads, merges and checks: defaults < file < environment < flags.
pub fn load(inputs: &Inputs) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let table = layers::merge(inputs, &mut problems);
    let Some(mut config) = layers::typed(&table, &mut problems) else { return Err(Problems(problems)) };
    config.blobs.fill_from_aws(&adapters::blob::AwsEnvironment::from_map(&inputs.environment));
    config.check(&mut problems);
    if problems.is_empty() { Ok(Loaded { config, table }) } else { Err(Problems(problems)) }
}

impl Config {
    /// The built-in presets with the user's own.
    pub fn preset_table(&self) -> PresetTable {
        PresetTable::new(self.presets.clone()).unwrap_or_else(|_| PresetTable::built_in())
    }

    /// What URLs are signed with: all processes of the API have the same token anyway.
    pub fn signing_secret(&self) -> &str {
        if self.api.signing_secret.is_empty() { &self.auth.token } else { &self.api.signing_secret }
    }

    /// The buckets that events may name.
    pub fn allowed_buckets(&self) -> AllowedBuckets {
        AllowedBuckets::new(self.sources.iter().map(|source| source.allowed(&self.blobs)))
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if let Err(invalid) = PresetTable::new(self.presets.clone()) {
            problems.extend(invalid.into_iter().map(|p| Problem::new("presets", p.preset, p.problem)));
        }
        for preset in self.presets.iter().filter(|preset| !render::writes(preset.format)) {
            let format = preset.format.name();
            let problem =
                format!("this build does not write {format}; build with `cargo build --release --features {format}`");
            problems.push(Problem::new("presets", preset.name.to_string(), problem));
        }
        self.database.check(problems);
        self.queue.check(problems);
        crate::management::check(&self.queue.management_url, problems);
        self.blobs.check(problems);
        adapters::blob::check_sources(&self.sources, &self.blobs, problems);
        self.api.check(problems);
        self.jira.check(&self.api, problems);
        self.auth.check(&self.api, problems);
        self.worker.check(problems);
        self.retry.check(problems);
        self.retention.check(problems);
        self.webhooks.check(problems);
        self.gc.check(problems);
        self.ops.check(problems);
        self.log.check(problems);
        self.limits.check(problems);
        self.sandbox.check(problems);
        self.check_unconfined(problems);
    }

    /// Without a sandbox whoever can send a file may own the process, so nobody else's files may come in.
    fn check_unconfined(&self, problems: &mut Vec<Problem>) {
        if self.sandbox.is_on() {
            return;
        }
        let listeners = [
            ("api.listen", &self.api.listen, self.api.is_loopback()),
            ("ops.listen", &self.ops.listen, self.ops.is_loopback()),
        ];
        for (key, address, _) in listeners.into_iter().filter(|(.., loopback)| !loopback) {
            let remedy = format!("is for loopback listeners only, and {key} is {address}");
            problems.push(Problem::new("sandbox.mode", "off", remedy));
        }
    }
}

impl OpsConfig {
    /// Whether nobody but this host can reach the listener, if there is one.
    fn is_loopback(&self) -> bool {
        self.listen.is_empty()
            || self.listen.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if !self.listen.is_empty() && self.listen.parse::<std::net::SocketAddr>().is_err() {
            problems.push(Problem::new(
                "ops.listen",
                &self.listen,
                "an address and port like 127.0.0.1:9090, or empty",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::format::OutputFormat;

    use super::*;

    fn inputs(environment: &[(&str, &str)]) -> Inputs {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Inputs { environment, ..Inputs::default() }
    }

    fn problem_keys(environment: &[(&str, &str)]) -> Vec<String> {
        load(&inputs(environment)).unwrap_err().0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_defaults_are_a_working_configuration() {
        let config = load(&Inputs::default()).unwrap().config;
        assert_eq!(config.preset_table(), PresetTable::built_in());
    }

    #[test]
    fn all_problems_are_told_at_once_with_key_and_remedy() {
        let keys = problem_keys(&[
            ("THUMBLINE__DATABASE__URL_TYPO", "x"),
            ("THUMBLINE__WORKER__CONCURRENCY", "many"),
            ("THUMBLINE__NOWHERE__AT_ALL", "1"),
        ]);
        assert_eq!(keys, ["database.url_typo", "nowhere.at_all", "worker.concurrency"]);
        let keys = problem_keys(&[("THUMBLINE__DATABASE__URL", "oracle://x"), ("THUMBLINE__LOG__FORMAT", "xml")]);
        assert!(keys.contains(&"database.url".to_owned()) && keys.contains(&"log.format".to_owned()), "{keys:?}");
    }

    #[test]
    fn no_sandbox_is_for_loopback_only() {
        let off = ("THUMBLINE__SANDBOX__MODE", "off");
        assert!(!load(&inputs(&[off])).unwrap().config.sandbox.is_on());
        assert_eq!(problem_keys(&[off, ("THUMBLINE__OPS__LISTEN", "0.0.0.0:9090")]), ["sandbox.mode"]);
        let public = [off, ("THUMBLINE__API__LISTEN", "[::]:8080"), ("THUMBLINE__API__PUBLIC_URL", "http://x.test")];
        assert!(problem_keys(&public).contains(&"sandbox.mode".to_owned()));
    }

    #[test]
    fn sandbox_layers_are_a_list_of_known_names() {
        let required = |list: &str| load(&inputs(&[("THUMBLINE__SANDBOX__REQUIRED", list)]));
        assert_eq!(required(r#"["rlimits", "landlock", "seccomp"]"#).unwrap().config.sandbox.required.len(), 3);
        let refused = |list: &str| required(list).unwrap_err().0.into_iter().map(|p| p.key).collect::<Vec<_>>();
        assert_eq!(refused(r#"["landlock", "seccomp"]"#), ["sandbox.required"]);
        assert_eq!(refused(r#"["rlimits", "seccomp", "apparmor"]"#), ["sandbox.required"]);
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("thumbline.toml");
        std::fs::write(&file, "[database]\nurl = \"sqlite:file.db\"\nconnections_max = 3\n[queue]\nshards = 2\n")
            .unwrap();
        let mut inputs = inputs(&[("THUMBLINE__DATABASE__URL", "sqlite:env.db"), ("THUMBLINE__QUEUE__SHARDS", "5")]);
        inputs.file = Some(file);
        inputs.flags = vec![("database.url", "sqlite:flag.db".into())];
        let table = load(&inputs).unwrap().table;
        assert_eq!(table["database"]["url"].as_str(), Some("sqlite:flag.db"));
        assert_eq!(table["database"]["connections_max"].as_integer(), Some(3));
        assert_eq!(table["queue"]["shards"].as_integer(), Some(5));
    }

    #[test]
    fn secrets_may_come_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "0123456789abcdef-from-a-file\n").unwrap();
        let path = file.to_str().unwrap();
        let loaded =
            load(&inputs(&[("THUMBLINE__AUTH__TOKEN_FILE", path), ("THUMBLINE__AUTH__MODE", "token")])).unwrap();
        assert_eq!(loaded.table["auth"]["token"].as_str(), Some("0123456789abcdef-from-a-file"));
        let keys = problem_keys(&[("THUMBLINE__AUTH__TOKEN_FILE", "/does/not/exist")]);
        assert_eq!(keys, ["auth.token"]);
    }

    #[test]
    fn lists_come_as_json_or_toml_and_buckets_as_plain_names() {
        let presets = r#"[{"name": "hero", "format": "webp", "width": 1600, "height": 900}]"#;
        let config = load(&inputs(&[("THUMBLINE__PRESETS", presets)])).unwrap().config;
        assert!(config.preset_table().get("hero").is_some());
        let s3 = ("THUMBLINE__BLOBS__URL", "s3://thumbs");
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "SK"));
        for sources in [
            r#"[{bucket = "uploads"}, {bucket = "more"}]"#,
            r#"[{"bucket":"uploads"},{"bucket":"more"}]"#,
            "uploads, more",
        ] {
            let config = load(&inputs(&[("THUMBLINE__SOURCES", sources), s3, id, secret])).unwrap().config;
            assert_eq!(config.sources.len(), 2, "{sources}");
        }
    }

    #[test]
    fn a_format_that_this_build_does_not_write_is_refused_with_the_remedy() {
        let presets = r#"[{"name": "tiny", "format": "avif", "width": 64, "height": 64}]"#;
        let loaded = load(&inputs(&[("THUMBLINE__PRESETS", presets)]));
        if render::writes(OutputFormat::Avif) {
            assert!(loaded.unwrap().config.preset_table().get("tiny").is_some());
            return;
        }
        let told = loaded.unwrap_err().to_string();
        assert!(["presets", "tiny", "--features avif"].iter().all(|part| told.contains(part)), "{told}");
    }

    #[test]
    fn a_broken_file_is_one_clear_problem() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("broken.toml");
        std::fs::write(&file, "[database\n").unwrap();
        let inputs = Inputs { file: Some(file), ..Inputs::default() };
        let problems = load(&inputs).unwrap_err().to_string();
        assert!(problems.contains("broken.toml") && problems.contains("line 1"), "{problems}");
    }
}
