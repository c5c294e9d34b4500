//! `thumbline bench`: what this machine renders, and what a deployment carries.

mod deployment;
mod load;
mod render;
mod tally;

use clap::Subcommand;

use crate::exit::{Exit, Failed};

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// CPU and wall time of the eager set of each file
    Render(render::Arguments),
    /// Uploads to a deployment, how many a second it carries, and how long until they can be seen
    Load(load::Arguments),
}

/// Measures.
pub async fn run(bench: Bench) -> Result<Exit, Failed> {
    match bench {
        Bench::Render(arguments) => render::run(arguments).await,
        Bench::Load(arguments) => load::run(arguments).await,
    }
}
