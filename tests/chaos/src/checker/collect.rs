//! Garbage is collected as it would be hours later: the database's clock is put ahead, for it alone decides about grace.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::ensure;

use crate::servers::database::Database;
use crate::system::System;

/// The shortest grace that the configuration allows, hours.
const GRACE_HOURS: &str = "1";
/// By how much the clock is ahead at each of two runs: the first finds what nothing refers to, the second deletes it.
const AHEAD_HOURS: [u32; 2] = [2, 4];
const BACK: Duration = Duration::from_secs(3 * 3600);

/// What nothing refers to is gone afterwards, and nothing else.
pub(super) async fn collect(system: &Arc<System>) -> anyhow::Result<()> {
    for hours in AHEAD_HOURS {
        match &system.blob_directory {
            None => put_clock_ahead(system, hours).await?,
            Some(blobs) => put_files_back(system, blobs).await?,
        }
        let mut gc = system.command(&["gc", "--apply", "--restart", "--no-wait", "--json"]);
        gc.env("THUMBLINE__GC__GRACE_HOURS", GRACE_HOURS);
        let done = tokio::process::Command::from(gc).output().await?;
        ensure!(done.status.success(), "thumbline gc failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// PostgreSQL looks for functions where it is told to: ours hides its own clock from everybody who connects from now on.
async fn put_clock_ahead(system: &System, hours: u32) -> anyhow::Result<()> {
    let database = &system.database;
    database
        .execute(&format!(
            "CREATE OR REPLACE FUNCTION public.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql
             AS $$ SELECT pg_catalog.statement_timestamp() + interval '{hours} hours' $$"
        ))
        .await?;
    database.execute(&format!("ALTER DATABASE \"{}\" SET search_path = public, pg_catalog", system.name)).await
}

/// SQLite knows one clock only; so files and what is condemned are made older instead.
async fn put_files_back(system: &System, blobs: &Path) -> anyhow::Result<()> {
    let then = SystemTime::now() - BACK;
    for path in super::blobs::files_below(blobs)? {
        std::fs::File::options().append(true).open(&path)?.set_modified(then)?;
    }
    let url = system.settings.iter().find(|(key, _)| key == "THUMBLINE__DATABASE__URL").map(|(_, url)| url.as_str());
    let database = Database::connect(url.unwrap_or_default()).await?;
    database.execute(&format!("UPDATE condemned_blob SET since = since - {}", BACK.as_millis())).await
}
