//! Every command on one page.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Inputs, Loaded, load, masked};
use crate::credentials::token::{self, TokenCommand};
use crate::credentials::user::{self, UserCommand};
use crate::exit::{Exit, Failed};
use crate::presets::{self, Presets};
use crate::roles::Roles;
use crate::{
    backfill, bench, check_event, demo, doctor, explain, gc, health, parked, publish, redrive, render_files, roles,
    submit, topology,
};

/// Turns every upload into its thumbnails and other representations, in the background.
#[derive(Debug, Parser)]
#[command(name = "thumbline", version = VERSION, about, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A build that can be told to break its promises says so.
const VERSION: &str = if cfg!(feature = "test-hooks") {
    concat!(env!("CARGO_PKG_VERSION"), " (test-hooks: not for use)")
} else {
    env!("CARGO_PKG_VERSION")
};

const EXAMPLES: &str = "\
Examples:
  thumbline demo photo.jpg                       everything in one process, one table, one page to look at
  thumbline all --data /var/lib/thumbline        API and worker in one process, SQLite and local files
  thumbline api --config thumbline.toml          one role per process, over PostgreSQL, RabbitMQ and S3
  THUMBLINE__DATABASE__URL=postgres://… thumbline migrate
  thumbline submit photos/ --server http://localhost:8080 --wait
  thumbline render *.jpg --preset jpg_320x320,jpg_thumb_94x94 --out thumbs --explain
  thumbline explain 42                           tells what happened to file 42, and why
  thumbline bench load photo.jpg --rate 20       puts load on a deployment and tells what it carries
  thumbline redrive --code dependency_down --since 2h --dry-run
  thumbline gc                                   says which blobs no row refers to; --apply deletes them
  thumbline doctor                               tells what is missing and what to do about it

Configuration: defaults < --config FILE < THUMBLINE__SECTION__KEY (or …_FILE) < flags; `thumbline config` shows it.
Exit codes: 0 all right, 1 some failed, 2 usage or configuration, 3 a dependency is away, 130 interrupted before it was done.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it working: start everything on loopback, render these files, print a table, keep serving
    Demo(demo::Arguments),
    /// Run the API and the worker in one process
    All(RoleArguments),
    /// Run the API
    Api(RoleArguments),
    /// Run the worker
    Worker(RoleArguments),
    /// Bring the database's schema up to date, then end
    Migrate(RoleArguments),
    /// Upload files to a deployment, and tell what becomes of them
    Submit(submit::Arguments),
    /// Render files without any server
    Render(render_files::Arguments),
    /// Measure what this machine renders, or what a deployment carries
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Tell which dialect a message is, what it means, and what is wrong with it
    CheckEvent(check_event::Arguments),
    /// Emit an event as a producer would
    Publish(publish::Arguments),
    /// Register what is already in a bucket
    Backfill(backfill::Arguments),
    /// List, show, replay or drop messages that nobody could read
    Parked(parked::Arguments),
    /// Check the machine and every dependency, one line each, with the remedy
    Doctor(ReportArguments),
    /// Tell the life of one file in order, with reasons
    Explain(Composed<explain::Arguments>),
    /// Give representations that ended as error another chance
    Redrive(Composed<redrive::Arguments>),
    /// Delete blobs that no row refers to
    Gc(Composed<gc::Arguments>),
    /// Plan, apply or roll back what a change of presets makes of representations that are there
    #[command(subcommand)]
    Presets(Presets),
    /// Print exchanges, queues and bindings as broker definitions
    Topology(Composed<topology::Arguments>),
    /// Ask a running process whether it is ready; for container health checks
    Health(health::Arguments),
    /// Print the effective configuration with secrets masked
    Config(ReportArguments),
    /// Print the description of our own API (OpenAPI 3.1)
    Openapi,
    /// Issue, list and revoke tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Add, list and remove people who sign in with a password
    #[command(subcommand)]
    User(UserCommand),
    /// Render one source at a time for a worker
    #[command(hide = true)]
    RenderChild,
}

/// Where a role keeps its data, where it listens, where its configuration is.
#[derive(Debug, Args)]
pub struct RoleArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Address the API listens on (api.listen)
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// For commands that print a report.
#[derive(Debug, Args)]
pub struct ReportArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A command's own arguments, and where the configuration is.
#[derive(Debug, Args)]
pub struct Composed<A: Args> {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    own: A,
}

impl<A: Args> Composed<A> {
    fn config(&self) -> Result<Config, Failed> {
        Ok(self.common.load(None)?.config)
    }
}

/// What every command that reads the configuration takes.
#[derive(Debug, Args)]
pub struct CommonArguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep SQLite and local files below this directory (database.url and blobs.url)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl CommonArguments {
    pub(crate) fn load(&self, listen: Option<SocketAddr>) -> Result<Loaded, Failed> {
        let mut flags = Vec::new();
        if let Some(directory) = &self.data {
            flags.extend(data_flags(directory));
        }
        if let Some(address) = listen {
            flags.push(("api.listen", address.to_string().into()));
        }
        load(&Inputs::of_process(self.config.as_deref(), flags)).map_err(Failed::usage)
    }
}

/// The keys that `--data DIR` sets.
pub(crate) fn data_flags(directory: &std::path::Path) -> [(&'static str, toml::Value); 2] {
    let shown = directory.display();
    [
        ("database.url", format!("sqlite:{shown}/thumbline.db").into()),
        ("blobs.url", format!("file:{shown}/blobs").into()),
    ]
}

/// Runs the command to its end.
pub fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(Failed::from(anyhow::Error::new(error).context("cannot start the runtime")))),
    };
    let ended = runtime.block_on(dispatch(cli.command));
    // A stuck blocking call (a hanging file system, say) must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    report(ended)
}

fn report(ended: Result<Exit, Failed>) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(failed) => {
            // The last word of the process; when even stderr is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "thumbline: {failed}");
            failed.exit.into()
        }
    }
}

async fn dispatch(command: Command) -> Result<Exit, Failed> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::All(arguments) => roles::run(arguments.load()?.config, Roles::ALL).await,
        Command::Api(arguments) => roles::run(arguments.load()?.config, Roles::API).await,
        Command::Worker(arguments) => roles::run(arguments.load()?.config, Roles::WORKER).await,
        Command::Migrate(arguments) => roles::migrate(&arguments.load()?.config).await,
        Command::Submit(arguments) => submit::run(arguments).await,
        Command::Render(arguments) => render_files::run(arguments).await,
        Command::Bench(bench) => bench::run(bench).await,
        Command::CheckEvent(arguments) => check_event::run(arguments),
        Command::Publish(arguments) => publish::run(arguments).await,
        Command::Backfill(arguments) => backfill::run(arguments).await,
        Command::Parked(arguments) => parked::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments.common.load(None), arguments.json).await,
        Command::Explain(arguments) => explain::run(&arguments.own, &arguments.config()?).await,
        Command::Redrive(arguments) => redrive::run(&arguments.own, &arguments.config()?).await,
        Command::Gc(arguments) => gc::run(&arguments.own, &arguments.config()?).await,
        Command::Presets(command) => presets::run(command).await,
        Command::Topology(arguments) => topology::run(&arguments.own, &arguments.config()?),
        Command::Health(arguments) => health::run(arguments).await,
        Command::Config(arguments) => print_config(&arguments.common.load(None)?, arguments.json),
        Command::Openapi => {
            print_line(&format!("{:#}", api::openapi::document()));
            Ok(Exit::Success)
        }
        Command::Token(command) => token::run(command).await,
        Command::User(command) => user::run(command).await,
        Command::RenderChild => Err(Failed::usage(anyhow::anyhow!("render-child is started by a worker, not by hand"))),
    }
}

impl RoleArguments {
    fn load(&self) -> Result<Loaded, Failed> {
        self.common.load(self.listen)
    }
}

fn print_config(loaded: &Loaded, json: bool) -> Result<Exit, Failed> {
    let table = masked(&loaded.table);
    let text = if json { serde_json::to_string(&table).map_err(anyhow::Error::new)? } else { table.to_string() };
    print_line(text.trim_end());
    Ok(Exit::Success)
}

/// Prints to stdout; a reader that went away (`| head`) is no failure of ours.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
