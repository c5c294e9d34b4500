//! The one executable `thumbline`: reads the command and calls it.

use std::process::ExitCode;

use clap::Parser;
use thumbline::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The render child locks itself in before anything else exists in its process, a runtime included.
    if let Command::RenderChild = cli.command {
        return worker::child::main();
    }
    #[cfg(feature = "test-hooks")]
    match shared::test_hooks::Hooks::parse(&std::env::var("THUMBLINE_TEST_HOOKS").unwrap_or_default()) {
        Ok(hooks) => hooks.install(),
        Err(problem) => {
            eprintln!("thumbline: THUMBLINE_TEST_HOOKS: {problem}");
            return ExitCode::from(2);
        }
    }
    thumbline::cli::run(cli)
}
