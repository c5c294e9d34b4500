//! `thumbline token` and `thumbline user`: who may come in.

pub mod token;
pub mod user;

use adapters::db::Database;
use shared::domain::ids::Tenant;
use shared::ports::state_store::StoreError;

use crate::cli::CommonArguments;
use crate::exit::Failed;

/// Most lines of a list.
const LIST_MAX: u32 = 10_000;

/// Whom a credential stands for, as every command that makes one takes it.
#[derive(Debug, clap::Args)]
pub struct WhoArguments {
    /// A group of theirs, as access rules name it; may be repeated
    #[arg(long = "group", value_name = "ID")]
    groups: Vec<String>,
    /// The only tenant whose files they reach
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
}

/// The configured database.
async fn database(common: &CommonArguments) -> Result<Database, Failed> {
    let config = common.load(None)?.config;
    let database = Database::connect(&config.database).await.map_err(failed)?;
    // A schema that is behind is told with its remedy, rather than as a missing table.
    shared::ports::state_store::StateStore::ping(&database).await.map_err(failed)?;
    Ok(database)
}

fn failed(error: StoreError) -> Failed {
    match error {
        StoreError::Away(_) => Failed::dependency(error),
        error => Failed::from(anyhow::Error::new(error)),
    }
}
