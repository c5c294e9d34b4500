//! Claims: rows taken for a time, by one conditional update; and the lease prolonged.

use std::time::Duration;

use sea_orm::FromQueryResult;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::domain::ledger::EntryKind;
use shared::ports::state_store::{Claim, StoreError};

use super::Database;
use super::convert::{duration, lane, millis, representation_value, urgency};
use super::error::store_error;
use super::ledger::{self, NewEntry};
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct ClaimedRow {
    preset: String,
    lane: String,
    waited_ms: i64,
    since_first_attempt_ms: i64,
    quarantine_code: Option<String>,
    quarantine_reason: Option<String>,
}

impl Database {
    /// The update takes the rows, whoever else tries; the transaction is there so that they are not taken when what
    /// is needed to work on them cannot be read.
    pub(super) async fn claim_rows(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let transaction = self.begin().await?;
        let rows: Vec<ClaimedRow> = take(version, token, lease).all(&transaction).await?;
        if rows.is_empty() {
            transaction.rollback().await.map_err(store_error)?;
            return Ok(None);
        }
        ledger::write(&transaction, &entries(version, token, &rows)?).await?;
        let state = super::read::state_of_version(&transaction, version).await?.ok_or(StoreError::NotFound)?;
        if state.file.trashed_at.is_some() || state.version.trashed_at.is_some() {
            // Made by an event or a request that crossed the removal.
            super::trash::suspend_version(version).run(&transaction).await?;
            transaction.commit().await.map_err(store_error)?;
            return Ok(None);
        }
        transaction.commit().await.map_err(store_error)?;

        let parse = |row: &ClaimedRow| representation_value("preset", version, &row.preset);
        let presets = rows.iter().map(parse).collect::<Result<_, _>>()?;
        let lanes = rows.iter().map(|row| lane(version, &row.lane)).collect::<Result<Vec<_>, _>>()?;
        let Some(lane) = lanes.into_iter().min_by_key(|lane| urgency(*lane)) else { return Ok(None) };
        let longest = |ms: fn(&ClaimedRow) -> i64| duration(rows.iter().map(ms).max().unwrap_or_default());
        let waited = longest(|row| row.waited_ms);
        let since_first_attempt = longest(|row| row.since_first_attempt_ms);
        let quarantine = quarantine(version, &rows)?;
        Ok(Some(Claim { state, presets, lane, waited, since_first_attempt, quarantine }))
    }

    pub(super) async fn extend_lease(&self, token: &ClaimToken, lease: Duration) -> Result<bool, StoreError> {
        Ok(prolong(token, lease).run(&self.connection).await? > 0)
    }
}

/// One entry for each lane among the rows that were taken.
fn entries(version: FileVersionId, token: &ClaimToken, rows: &[ClaimedRow]) -> Result<Vec<NewEntry>, StoreError> {
    let mut lanes: Vec<&str> = rows.iter().map(|row| row.lane.as_str()).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let of_lane = |name: &str| {
        let presets = rows.iter().filter(|row| row.lane == name).map(|row| row.preset.as_str());
        let entry = NewEntry::new(version, EntryKind::Claimed).claim(token);
        Ok(entry.lane(lane(version, name)?).presets(presets))
    };
    lanes.into_iter().map(of_lane).collect()
}

fn quarantine(version: FileVersionId, rows: &[ClaimedRow]) -> Result<Option<Failure>, StoreError> {
    let Some(ClaimedRow { quarantine_code: Some(name), quarantine_reason, .. }) = rows.first() else {
        return Ok(None);
    };
    let code = FailureCode::from_name(name).ok_or_else(|| StoreError::Inconsistent {
        table: "quarantine",
        column: "code",
        id: version.to_string(),
        problem: format!("{name:?} is none we know"),
    })?;
    Ok(Some(Failure { code, reason: quarantine_reason.clone().unwrap_or_default() }))
}

/// A claim resets the wakes: should the lease run out, the sweeper wakes the row at once. A first attempt in the future
/// is that of a clock that has jumped back since; the deadline counts from now.
pub(super) fn take(version: FileVersionId, token: &ClaimToken, lease: Duration) -> Sql {
    Sql::new(
        "UPDATE representation
         SET attempts = attempts + 1,
             first_attempt_at = CASE WHEN first_attempt_at <= {now} THEN first_attempt_at ELSE {now} END,
             lease_token = $2, claimed_at = {now}, lease_until = {now} + $3, woken_at = NULL, wakes = 0
         WHERE file_version_id = $1 AND state IN ('pending', 'viewable')
           AND due_at <= {now} AND (lease_until IS NULL OR lease_until <= {now})
         RETURNING preset, lane, {now} - pending_since AS waited_ms, {now} - first_attempt_at AS since_first_attempt_ms,
             (SELECT quarantine.code FROM quarantine
              WHERE quarantine.file_version_id = representation.file_version_id) AS quarantine_code,
             (SELECT quarantine.reason FROM quarantine
              WHERE quarantine.file_version_id = representation.file_version_id) AS quarantine_reason",
    )
    .value(version.get())
    .value(token.as_str())
    .value(millis(lease))
}

/// A lease that has run out cannot be prolonged, even if nobody has taken the rows since: the sweeper may have
/// looked already.
pub(super) fn prolong(token: &ClaimToken, lease: Duration) -> Sql {
    Sql::new(
        "UPDATE representation SET lease_until = {now} + $2
         WHERE lease_token = $1 AND lease_until > {now}",
    )
    .value(token.as_str())
    .value(millis(lease))
}
