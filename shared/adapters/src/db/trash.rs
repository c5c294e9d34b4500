//! What the trash does to representations: what has not settled stops there, and waits again once it is restored.

use shared::domain::failure::FailureCode;
use shared::domain::ids::FileVersionId;

use super::settle::ENDED;
use super::sql::Sql;

/// Ends rows that have not settled, and the lease on them: whoever works on one cannot settle it any more.
const SUSPEND: &str = "
UPDATE representation
SET {ended},
    lease_token = NULL, claimed_at = NULL, lease_until = NULL, woken_at = NULL, wakes = 0
WHERE state IN ('pending', 'viewable') AND file_version_id IN (SELECT id FROM file_version WHERE {which})";

/// Makes them wait again, as if they had just been asked for; the sweeper wakes them at once.
const RESUME: &str = "
UPDATE representation
SET state = 'pending', settled_at = NULL, code = NULL, reason = NULL, pending_since = {now}, due_at = {now},
    first_attempt_at = NULL, excused_ms = 0
WHERE state = 'error' AND code = $2 AND file_version_id IN (SELECT id FROM file_version WHERE {which})";

const OF_FILE: &str = "file_id = $1";
/// Versions that are in the trash on their own stay there.
const OF_FILE_RESTORED: &str = "file_id = $1 AND trashed_at IS NULL";
const OF_VERSION: &str = "id = $1";

/// Of every version of the file.
pub(super) fn suspend(file: i64) -> Sql {
    rows(SUSPEND, OF_FILE, file)
}

/// Of this version.
pub(super) fn suspend_version(version: FileVersionId) -> Sql {
    rows(SUSPEND, OF_VERSION, version.get())
}

/// Of every version of the file that is not in the trash itself.
pub(super) fn resume(file: i64) -> Sql {
    rows(RESUME, OF_FILE_RESTORED, file)
}

/// Of this version.
pub(super) fn resume_version(version: FileVersionId) -> Sql {
    rows(RESUME, OF_VERSION, version.get())
}

fn rows(sql: &str, which: &str, id: i64) -> Sql {
    let sql = Sql::new(sql).part("ended", ENDED).part("code", "$2").part("reason", "'the file is in the trash'");
    sql.part("which", which).value(id).value(FailureCode::Trashed.name())
}

/// Takes the file out of the trash.
pub(super) fn bring_back(file: i64) -> Sql {
    Sql::new(
        "UPDATE file SET trashed_at = NULL, removed_sequence = NULL, removed_occurred_at = NULL, revision = revision + 1
         WHERE id = $1",
    )
    .value(file)
}

/// Puts the file into the trash; only what is newer than this order brings it back by itself.
pub(super) fn put_away(file: i64, sequence: Option<String>, occurred_at: Option<i64>) -> Sql {
    Sql::new(
        "UPDATE file
         SET trashed_at = coalesce(trashed_at, {now}), removed_sequence = $2, removed_occurred_at = $3,
             revision = revision + 1
         WHERE id = $1",
    )
    .value(file)
    .value(sequence)
    .value(occurred_at)
}
