//! Hurts a running Thumbline by a seeded schedule of faults, and proves afterwards that nothing was lost.
//!
//! - [`options`], [`seeds`]: what is asked for.
//! - [`load`], [`schedule`]: what a seed means: the uploads, and the faults.
//! - [`servers`], [`system`], [`proxy`], [`guard`]: what runs, and that nothing of it is left running.
//! - [`faults`]: how each fault is made.
//! - [`checker`]: what must hold afterwards, read from database, bucket and queues only.
//! - [`run`], [`progress`], [`report`]: one run from beginning to end, and what is told of it.

mod checker;
mod faults;
mod guard;
mod load;
mod options;
mod ports;
mod progress;
mod proxy;
mod report;
mod run;
mod schedule;
mod seeds;
mod servers;
mod system;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::Options;
use crate::report::{Report, print};

const VIOLATED: u8 = 1;
const UNUSABLE: u8 = 2;
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    match asked(&Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Every run that was asked for, one after the other, until one is interrupted.
async fn asked(options: &Options) -> anyhow::Result<ExitCode> {
    let runs = match &options.replay {
        None => vec![options.clone()],
        Some(name) => seeds::find(name)?.iter().map(|kept| told(kept, options)).collect(),
    };
    let mut code = ExitCode::SUCCESS;
    for options in &runs {
        if options.plan {
            print(&run::plan(options)?);
            continue;
        }
        let report = run::run(options).await?;
        print(&report.to_string());
        report.write(options.report.as_deref())?;
        code = match verdict(&report) {
            None => code,
            Some(INTERRUPTED) => return Ok(ExitCode::from(INTERRUPTED)),
            Some(other) => ExitCode::from(other),
        };
    }
    Ok(code)
}

fn told(kept: &seeds::Kept, asked: &Options) -> Options {
    eprintln!("chaos: {}: {}", kept.name, kept.why);
    kept.options(asked)
}

/// The exit code; `None` when all is well.
fn verdict(report: &Report) -> Option<u8> {
    if report.error.is_some() {
        Some(VIOLATED)
    } else if !report.finished {
        Some(INTERRUPTED)
    } else if report.violations.is_empty() {
        None
    } else {
        Some(VIOLATED)
    }
}
