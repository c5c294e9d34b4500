//! Settling: how an attempt ended, written only to rows still held under the token.

use std::borrow::Cow;
use std::time::Duration;

use sea_orm::{DatabaseTransaction, Value};
use shared::domain::announcement::News;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::domain::ledger::AttemptNotes;
use shared::domain::preset::PresetName;
use shared::domain::representation::{Content, Outcome, PageContent, Placement};
use shared::ports::state_store::StoreError;

use super::Database;
use super::announcements::outbox;
use super::collection;
use super::convert::{bytes, millis, text};
use super::error::store_error;
use super::ledger;
use super::sql::Sql;

/// Page rows written by one statement: nine values each, far below both databases' limits.
const PAGES_PER_STATEMENT: usize = 1000;

/// Until a blob that is being deleted is gone for certain.
const PUT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The condition is the whole of the protection: a lease that has run out, or has passed to somebody else, matches no
/// row. `{set}` is one of the constants below; their values begin at `$4`.
const SETTLE: &str = "
UPDATE representation SET {set}
WHERE file_version_id = $1 AND preset = $2 AND lease_token = $3 AND lease_until > {now}";

/// What it would be without that protection; `$3` is there because every value has to be used.
#[cfg(feature = "test-hooks")]
const UNCHECKED: &str = "
UPDATE representation SET {set}
WHERE file_version_id = $1 AND preset = $2 AND $3 <> ''";

const SUCCESS: &str = "
state = 'success', settled_at = {now}, code = NULL, reason = NULL, old_recipe = NULL,
{content}, {released}";

/// The lease goes on. A row that is `viewable` already does not match: see `State::after`.
const VIEWABLE: &str = "
state = 'viewable', {content}";

/// What [`content_values`] lists.
const CONTENT: &str = "
blob = $4, packed_name = $5, packed_offset = $6, width = $7, height = $8, length_bytes = $9, pages = $10";

const ERROR: &str = "
{ended}, crashes = crashes + $6, {released}";

/// The end as `error`; but what was to be made anew stays what it was. `{code}` and `{reason}` say why.
pub(super) const ENDED: &str = "
state = CASE WHEN old_recipe IS NULL THEN 'error' ELSE 'success' END, settled_at = {now},
recipe = coalesce(old_recipe, recipe), old_recipe = NULL,
code = CASE WHEN old_recipe IS NULL THEN {code} END, reason = CASE WHEN old_recipe IS NULL THEN {reason} END,
blob = CASE WHEN old_recipe IS NOT NULL THEN blob END,
packed_name = CASE WHEN old_recipe IS NOT NULL THEN packed_name END,
packed_offset = CASE WHEN old_recipe IS NOT NULL THEN packed_offset END, width = CASE WHEN old_recipe IS NOT NULL THEN width END,
height = CASE WHEN old_recipe IS NOT NULL THEN height END,
length_bytes = CASE WHEN old_recipe IS NOT NULL THEN length_bytes END,
pages = CASE WHEN old_recipe IS NOT NULL THEN pages END";

/// Not woken and due later: the sweeper wakes it then. `$8` is 1 when the time since the claim and the wait are
/// excused, else 0.
const RETRY: &str = "
code = $4, reason = $5, crashes = crashes + $6, due_at = {now} + $7,
excused_ms = excused_ms + $8 * ({now} - claimed_at + $7), {released}";

/// As if it had not been claimed; the sweeper wakes it at once.
const HAND_BACK: &str = "
attempts = attempts - 1,
first_attempt_at = CASE WHEN attempts = 1 THEN NULL ELSE first_attempt_at END, {released}";

/// As if it had not been claimed, but later: somebody else is making it meanwhile.
const WAIT: &str = "
due_at = {now} + $4, attempts = attempts - 1,
first_attempt_at = CASE WHEN attempts = 1 THEN NULL ELSE first_attempt_at END,
excused_ms = excused_ms + CASE WHEN attempts = 1 THEN 0 ELSE {now} - claimed_at + $4 END, {released}";

/// As if it had not been claimed, on another lane; the sweeper wakes it at once, if nobody else does.
const MOVE: &str = "
lane = $4, attempts = attempts - 1,
first_attempt_at = CASE WHEN attempts = 1 THEN NULL ELSE first_attempt_at END, {released}";

const RELEASED: &str = "
lease_token = NULL, claimed_at = NULL, lease_until = NULL, woken_at = NULL, wakes = 0";

impl Database {
    pub(super) async fn settle_rows(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        outcomes: &[(PresetName, Outcome)],
        notes: &AttemptNotes,
    ) -> Result<Vec<PresetName>, StoreError> {
        let mut written = Vec::new();
        let transaction = self.begin().await?;
        let outcomes = spared(&transaction, version, token, outcomes).await?;
        for (preset, outcome) in outcomes.iter() {
            if settle(version, preset, token, outcome).run(&transaction).await? == 0 {
                continue;
            }
            if let Outcome::Success(content) | Outcome::Viewable(content) = outcome {
                write_pages(&transaction, version, preset, content).await?;
            }
            written.push((preset, outcome));
        }
        ledger::write(&transaction, &ledger::settled(version, token, &written, notes)).await?;
        let news = written.iter().filter_map(|(preset, outcome)| Some((version, News::of(preset, outcome)?)));
        outbox::write(&transaction, &news.collect::<Vec<_>>()).await?;
        if let Some(failure) = ledger::quarantining(&written) {
            ledger::quarantine(&transaction, version, failure, notes).await?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(written.into_iter().map(|(preset, _)| preset.clone()).collect())
    }
}

/// The outcomes, but for those whose blobs were collected as garbage since they were put: they are put again.
async fn spared<'a>(
    on: &DatabaseTransaction,
    version: FileVersionId,
    token: &ClaimToken,
    outcomes: &'a [(PresetName, Outcome)],
) -> Result<Cow<'a, [(PresetName, Outcome)]>, StoreError> {
    let keys: Vec<String> = outcomes.iter().flat_map(|(_, outcome)| blobs(outcome)).collect();
    let lost = collection::secure(on, &keys, Some((version, token))).await?;
    if lost.is_empty() {
        return Ok(Cow::Borrowed(outcomes));
    }
    let spare = |(preset, outcome): &(PresetName, Outcome)| {
        let is_lost = blobs(outcome).any(|blob| lost.contains(&blob));
        (preset.clone(), if is_lost { put_again() } else { outcome.clone() })
    };
    Ok(outcomes.iter().map(spare).collect())
}

fn blobs(outcome: &Outcome) -> impl Iterator<Item = String> {
    let content = match outcome {
        Outcome::Success(content) | Outcome::Viewable(content) => Some(content),
        _ => None,
    };
    content.into_iter().flat_map(|content| content.pages()).map(|page| page.blob().to_string())
}

fn put_again() -> Outcome {
    let reason = "its bytes were collected as garbage while the row was on its way";
    Outcome::Retry { failure: Failure::new(FailureCode::DependencyDown, reason), wait: PUT_AGAIN_AFTER, excused: true }
}

pub(super) fn settle(version: FileVersionId, preset: &PresetName, token: &ClaimToken, outcome: &Outcome) -> Sql {
    let (set, values) = match outcome {
        Outcome::Success(content) => (SUCCESS, content_values(content)),
        Outcome::Viewable(content) => (VIEWABLE, content_values(content)),
        Outcome::Error(failure) => (ERROR, failure_values(failure, outcome)),
        Outcome::Retry { failure, wait, excused } => {
            let mut values = failure_values(failure, outcome);
            values.extend([millis(*wait).into(), i64::from(*excused).into()]);
            (RETRY, values)
        }
        Outcome::HandBack => (HAND_BACK, Vec::new()),
        Outcome::Move { lane } => (MOVE, vec![lane.name().into()]),
        Outcome::Wait { wait } => (WAIT, vec![millis(*wait).into()]),
    };
    let pending_only =
        if matches!(outcome, Outcome::Viewable(_)) { "\n  AND state = 'pending' AND old_recipe IS NULL" } else { "" };
    let held = SETTLE;
    #[cfg(feature = "test-hooks")]
    let held = if shared::test_hooks::breaks(shared::test_hooks::Broken::NoLeaseCheck) { UNCHECKED } else { held };
    let sql = Sql::new(&[held, pending_only].concat()).part("set", set).part("ended", ENDED);
    let sql = sql.part("content", CONTENT).part("code", "$4").part("reason", "$5").part("released", RELEASED);
    let held = sql.value(version.get()).value(preset.as_str()).value(token.as_str());
    values.into_iter().fold(held, Sql::value)
}

fn content_values(content: &Content) -> Vec<Value> {
    let mut values = page_values(content.first());
    values.push(bytes(content.pages().len() as u64).into());
    values
}

fn page_values(page: &PageContent) -> Vec<Value> {
    let (name, offset) = match &page.placement {
        Placement::Own(_) => (None, None),
        Placement::Packed { name, offset_bytes, .. } => (Some(name.to_string()), Some(bytes(*offset_bytes))),
    };
    vec![
        page.blob().to_string().into(),
        name.into(),
        offset.into(),
        i64::from(page.dimensions.width).into(),
        i64::from(page.dimensions.height).into(),
        bytes(page.length_bytes).into(),
    ]
}

fn failure_values(failure: &Failure, outcome: &Outcome) -> Vec<Value> {
    vec![failure.code.name().into(), text(&failure.reason).into(), i64::from(outcome.is_crash()).into()]
}

/// Writes the pages from 2 on. Pages that are there from an earlier attempt are overwritten; what an earlier attempt
/// had more is beyond the number of pages and not read.
async fn write_pages(
    on: &DatabaseTransaction,
    version: FileVersionId,
    preset: &PresetName,
    content: &Content,
) -> Result<(), StoreError> {
    let numbered: Vec<_> = (1_i64..).zip(content.pages()).skip(1).collect();
    for some in numbered.chunks(PAGES_PER_STATEMENT) {
        let rows = some.iter().map(|(number, page)| -> Vec<Value> {
            let mut values = vec![version.get().into(), preset.as_str().into(), (*number).into()];
            values.extend(page_values(page));
            values
        });
        let sql = Sql::new(
            "INSERT INTO page (file_version_id, preset, number, blob, packed_name, packed_offset, width, height, length_bytes)
             VALUES {pages}
             ON CONFLICT (file_version_id, preset, number) DO UPDATE
             SET blob = excluded.blob, packed_name = excluded.packed_name, packed_offset = excluded.packed_offset,
                 width = excluded.width, height = excluded.height, length_bytes = excluded.length_bytes",
        );
        sql.rows("pages", rows).run(on).await?;
    }
    Ok(())
}
