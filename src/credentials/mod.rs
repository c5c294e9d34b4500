//! `thumbline token` and `thumbline user`: who may come in.

pub mod token;
pub mod user;

use std::sync::Arc;

use shared::domain::ids::Tenant;
use shared::ports::access_store::AccessStore;

use crate::cli::CommonArguments;
use crate::exit::Failed;
use crate::platform::Rows;

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

/// How a list is printed.
#[derive(Debug, clap::Args)]
pub struct ListArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Tokens and logins of the configured database.
async fn store(common: &CommonArguments) -> Result<Arc<dyn AccessStore>, Failed> {
    Ok(Rows::open(&common.load(None)?.config).await?.access)
}
