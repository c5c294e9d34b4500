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
    thumbline::cli::run(cli)
}
