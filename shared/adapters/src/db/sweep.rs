//! The sweeper's statements: what nobody works on although it could be, and what took too long.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::FromQueryResult;
use shared::domain::announcement::News;
use shared::domain::failure::Failure;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::ledger::EntryKind;
use shared::ports::state_store::{DueVersion, StoreError};

use super::Database;
use super::announcements::outbox;
use super::convert::{lane, millis, representation_value, text, urgency, version_id};
use super::error::store_error;
use super::ledger::{ChangedRow, NewEntry, changed, write};
use super::settle::ENDED;
use super::sql::Sql;

/// Wakes after which the patience is not doubled any more: with 30 s, a row is then woken every 64 minutes.
const WAKES_MAX: u32 = 8;
/// Rows looked at for one version that is returned, so that one sweep stays short however long the backlog is.
const ROWS_PER_VERSION: i64 = 32;

/// No lease, wake or retry puts a row further ahead than this: the longest wait of a schedule is a day and a fifth.
const AHEAD_MAX: Duration = Duration::from_secs(2 * 86_400);

#[derive(Debug, FromQueryResult)]
struct WokenRow {
    file_version_id: i64,
    lane: String,
    tenant: String,
}

impl Database {
    pub(super) async fn wake_due(&self, patience: Duration, limit: u32) -> Result<Vec<DueVersion>, StoreError> {
        let rows: Vec<WokenRow> = wake(patience, limit).all(&self.connection).await?;
        let mut versions: BTreeMap<i64, DueVersion> = BTreeMap::new();
        for row in rows {
            let version = version_id(row.file_version_id)?;
            let lane = lane(version, &row.lane)?;
            let tenant = representation_value("tenant", version, &row.tenant)?;
            let due = versions.entry(version.get()).or_insert(DueVersion { version, tenant, lane });
            due.lane = std::cmp::min_by_key(due.lane, lane, |lane| urgency(*lane));
        }
        Ok(versions.into_values().collect())
    }

    pub(super) async fn end_overdue(
        &self,
        deadlines: &[(Lane, Duration)],
        failure: &Failure,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        let transaction = self.begin().await?;
        release_absurd_times().run(&transaction).await?;
        for (lane, deadline) in deadlines {
            let rows: Vec<ChangedRow> = give_up(*lane, *deadline, failure).all(&transaction).await?;
            let entries = changed(&rows, |version| NewEntry::new(version, EntryKind::Overdue).failure(failure))?;
            write(&transaction, &entries).await?;
            outbox::write(&transaction, &news(&rows, failure)?).await?;
            ended += rows.len() as u64;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(ended)
    }
}

fn news(rows: &[ChangedRow], failure: &Failure) -> Result<Vec<(FileVersionId, News)>, StoreError> {
    let news = |row: &ChangedRow| {
        let version = version_id(row.file_version_id)?;
        Ok((version, News::Error(representation_value("preset", version, &row.preset)?, failure.code)))
    };
    rows.iter().map(news).collect()
}

/// Since when nobody works on a row although somebody could: the end of its lease, its last wake, or when it is due,
/// whichever it has first in this order. A claim takes the wake away, and only due rows are woken.
const IDLE_SINCE: &str = "coalesce(representation.lease_until, representation.woken_at, representation.due_at)";

/// A row is woken once it was idle for as long as its number of wakes says: not at all, once, twice, four times, …
/// the patience.
///
/// The condition stands twice: inside it finds rows by the index, longest idle first for each number of wakes;
/// outside it is looked at again under the row's lock, so that of two sweepers only one gets the row.
pub(super) fn wake(patience: Duration, limit: u32) -> Sql {
    let waits = (0..=WAKES_MAX).map(|wakes| {
        let doubled = patience.saturating_mul(wakes.checked_sub(1).map_or(0, |times| 1 << times));
        vec![i64::from(wakes).into(), millis(doubled).into()]
    });
    let late: Vec<String> = (0..=WAKES_MAX).map(|wakes| LATE.replace("{wakes}", &wakes.to_string())).collect();
    Sql::new(
        "WITH patience (wakes, wait_ms) AS (VALUES {waits}),
         late (file_version_id) AS ({late})
         UPDATE representation
         SET woken_at = {now}, lease_token = NULL, claimed_at = NULL, lease_until = NULL,
             wakes = CASE WHEN representation.wakes < $3 THEN representation.wakes + 1 ELSE $3 END
         WHERE file_version_id IN (SELECT DISTINCT file_version_id FROM late LIMIT $2)
           AND state IN ('pending', 'viewable')
           AND {idle_since} <= {now} - (SELECT wait_ms FROM patience WHERE patience.wakes = representation.wakes)
         RETURNING representation.file_version_id, representation.lane,
             (SELECT file.tenant FROM file_version JOIN file ON file.id = file_version.file_id
              WHERE file_version.id = representation.file_version_id) AS tenant",
    )
    .part("late", &late.join(" UNION ALL "))
    .part("idle_since", IDLE_SINCE)
    .value(i64::from(limit) * ROWS_PER_VERSION)
    .value(i64::from(limit))
    .value(i64::from(WAKES_MAX))
    .rows("waits", waits)
}

/// Versions with rows of this number of wakes. A range of the index in its own order, which no planner mistakes.
const LATE: &str = "
SELECT file_version_id FROM (
    SELECT file_version_id FROM representation
    WHERE state IN ('pending', 'viewable') AND wakes = {wakes}
      AND {idle_since} <= {now} - (SELECT wait_ms FROM patience WHERE patience.wakes = {wakes})
    ORDER BY {idle_since} LIMIT $1
) AS woken_{wakes}";

/// A row that is idle only from a moment too far ahead was put there by somebody's hand, or by a clock that has jumped
/// back since; kept, nobody would look at it until then.
pub(super) fn release_absurd_times() -> Sql {
    let wakes: Vec<String> = (0..=WAKES_MAX).map(|wakes| wakes.to_string()).collect();
    Sql::new(
        "UPDATE representation
         SET lease_token = NULL, claimed_at = NULL, lease_until = NULL, woken_at = NULL, wakes = 0,
             due_at = CASE WHEN due_at > {now} THEN {now} ELSE due_at END
         WHERE state IN ('pending', 'viewable') AND wakes IN ({wakes}) AND {idle_since} > {now} + $1",
    )
    .part("wakes", &wakes.join(", "))
    .part("idle_since", IDLE_SINCE)
    .value(millis(AHEAD_MAX))
}

pub(super) fn give_up(lane: Lane, deadline: Duration, failure: &Failure) -> Sql {
    Sql::new(
        "UPDATE representation
         SET {ended},
             lease_token = NULL, claimed_at = NULL, lease_until = NULL, woken_at = NULL, wakes = 0
         WHERE state IN ('pending', 'viewable') AND lane = $1 AND first_attempt_at + excused_ms <= {now} - $2
           AND (lease_until IS NULL OR lease_until <= {now})
         RETURNING file_version_id, preset, lane",
    )
    .part("ended", ENDED)
    .part("code", "$3")
    .part("reason", "$4")
    .value(lane.name())
    .value(millis(deadline))
    .value(failure.code.name())
    .value(text(&failure.reason))
}
