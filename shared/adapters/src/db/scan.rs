//! Cursors of bucket scans, and which files are known: the statements, and the port over them.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use shared::domain::ids::Tenant;
use shared::ports::scan::{KnownSource, ScanCount, ScanProgress, ScanStore};
use shared::ports::state_store::StoreError;

use super::Database;
use super::convert::{bytes, millis, natural, text};
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct ProgressRow {
    after_key: Option<String>,
    listed: i64,
    registered: i64,
}

#[derive(Debug, FromQueryResult)]
struct KnownRow {
    identity: String,
    declared_etag: Option<String>,
    declared_size: Option<i64>,
}

#[async_trait]
impl ScanStore for Database {
    async fn take_page(
        &self,
        scan: &str,
        period: Duration,
        lease: Duration,
    ) -> Result<Option<ScanProgress>, StoreError> {
        self.bounded(|| async {
            begin(scan).run(&self.connection).await?;
            let row: Option<ProgressRow> = take(scan, period, lease).first(&self.connection).await?;
            Ok(row.map(|row| ScanProgress {
                after: row.after_key,
                count: ScanCount { listed: natural(row.listed), registered: natural(row.registered) },
            }))
        })
        .await
    }

    async fn page_done(&self, scan: &str, after: Option<&str>, page: ScanCount) -> Result<(), StoreError> {
        self.bounded(|| advance(scan, after, page).run(&self.connection)).await.map(drop)
    }

    async fn restart(&self, scan: &str) -> Result<(), StoreError> {
        let sql = || Sql::new("DELETE FROM scan WHERE name = $1").value(text(scan));
        self.bounded(|| sql().run(&self.connection)).await.map(drop)
    }

    async fn known(&self, tenant: &Tenant, identities: &[String]) -> Result<Vec<KnownSource>, StoreError> {
        if identities.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.bounded(|| known(tenant, identities).all::<KnownRow>(&self.connection)).await?;
        Ok(rows
            .into_iter()
            .map(|row| KnownSource {
                identity: row.identity,
                etag: row.declared_etag,
                size: row.declared_size.map(natural),
            })
            .collect())
    }
}

/// A scan that was never seen counts as one that has just ended: the schedule is in no hurry on its first day.
fn begin(scan: &str) -> Sql {
    Sql::new(
        "INSERT INTO scan (name, began_at, ended_at, lease_until, listed, registered) VALUES ($1, {now}, {now}, 0, 0, 0)
         ON CONFLICT (name) DO NOTHING",
    )
    .value(text(scan))
}

/// One conditional update: of many who ask, one gets the page.
fn take(scan: &str, period: Duration, lease: Duration) -> Sql {
    Sql::new(
        "UPDATE scan
         SET lease_until = {now} + $3,
             began_at = CASE WHEN ended_at IS NULL THEN began_at ELSE {now} END,
             after_key = CASE WHEN ended_at IS NULL THEN after_key ELSE NULL END,
             listed = CASE WHEN ended_at IS NULL THEN listed ELSE 0 END,
             registered = CASE WHEN ended_at IS NULL THEN registered ELSE 0 END,
             ended_at = NULL
         WHERE name = $1 AND lease_until <= {now} AND (ended_at IS NULL OR began_at <= {now} - $2)
         RETURNING after_key, listed, registered",
    )
    .value(text(scan))
    .value(millis(period))
    .value(millis(lease))
}

fn advance(scan: &str, after: Option<&str>, page: ScanCount) -> Sql {
    Sql::new(
        "UPDATE scan
         SET after_key = $2, ended_at = CASE WHEN $2 IS NULL THEN {now} END, lease_until = 0,
             listed = listed + $3, registered = registered + $4
         WHERE name = $1",
    )
    .value(text(scan))
    .value(after.map(text))
    .value(bytes(page.listed))
    .value(bytes(page.registered))
}

fn known(tenant: &Tenant, identities: &[String]) -> Sql {
    Sql::new(
        "SELECT file.identity, file_version.declared_etag, file_version.declared_size
         FROM file JOIN file_version ON file_version.id = file.current_version_id
         WHERE file.tenant = $1 AND file.identity IN {identities}",
    )
    .value(tenant.as_str())
    .list("identities", identities.iter().map(|identity| text(identity)))
}
