//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::faults::Kind;

const EXAMPLES: &str = "\
Examples:
  chaos                                          500 faults over 5,000 uploads, production's shape, own servers
  chaos --cluster --uploads 1000 --faults 100    the same on a RabbitMQ cluster of three
  chaos --shape all-in-one --uploads 2000 --faults 200
  chaos --only worker-killed,database-killed     these faults and no others
  chaos --seed 7 --plan                          prints what seed 7 would do, and does nothing
  chaos --replay                                 every kept seed (tests/chaos/seeds.toml); --replay NAME: that one
  chaos --broken ack-before-commit               a build with --features test-hooks that is broken on purpose

RabbitMQ and PostgreSQL are started here and hurt themselves. Servers named in THUMBLINE_TEST_AMQP_URL and
THUMBLINE_TEST_DATABASE_URL are used as they are: connections to them are hurt, they themselves are not. S3 is
THUMBLINE_TEST_S3_URL, or a server that scripts/test-servers starts.

Exit codes: 0 nothing was lost, 1 violations, 2 usage or a missing server, 130 interrupted (the report says how far it came).";

/// Uploads files to a Thumbline that is being hurt, and proves that nothing was lost.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos", about, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The same seed makes the same uploads and the same schedule of faults
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Files and events to send
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) uploads: u32,
    /// Faults, spread over the uploads
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) faults: u32,
    /// Send nothing more after so many minutes; what was sent until then is checked
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) minutes: Option<u64>,
    /// Separate processes over RabbitMQ, PostgreSQL and S3, or one process over SQLite and local files
    #[arg(long, value_enum, default_value_t = Shape::Production)]
    pub(crate) shape: Shape,
    /// Three RabbitMQ nodes, of which one at a time is lost
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Kinds of faults to use; default: all that can be made here
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Kind>,
    /// API processes
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) apis: u32,
    /// Worker processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) workers: u32,
    /// The executable under test; default: `thumbline` beside this program
    #[arg(long, value_name = "FILE")]
    pub(crate) thumbline: Option<PathBuf>,
    /// More sources: files of this directory (not below it) join the hostile share
    #[arg(long, value_name = "DIR")]
    pub(crate) corpus: Option<PathBuf>,
    /// Pack outputs of up to so many bytes (worker.pack_bytes_max)
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) pack: u32,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Leave logs and data where they are
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the schedule and end
    #[arg(long)]
    pub(crate) plan: bool,
    /// Run kept seeds: one by its name, or all of them
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "all")]
    pub(crate) replay: Option<String>,
    /// Break the product on purpose: needs a build with `--features test-hooks`
    #[arg(long, value_enum)]
    pub(crate) broken: Option<Broken>,
}

/// How the product is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// Separate processes over RabbitMQ, PostgreSQL and S3.
    Production,
    /// One process over SQLite, local files and the queue within it.
    AllInOne,
}

/// Promises that a build with `test-hooks` can be told to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Broken {
    /// Intake acks an event before its rows are committed.
    AckBeforeCommit,
    /// A row says `success` before its bytes are stored.
    RowBeforeBlob,
    /// A worker that has lost its lease settles all the same.
    NoLeaseCheck,
}

impl Broken {
    /// What the product calls it in THUMBLINE_TEST_HOOKS.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AckBeforeCommit => "ack-before-commit",
            Self::RowBeforeBlob => "row-before-blob",
            Self::NoLeaseCheck => "no-lease-check",
        }
    }
}
