//! The ledger on both databases: entries are written here, inside the transactions that do what they say.

mod failures;
mod forget;
mod life;

pub(super) use failures::NOT_TRASHED;
#[cfg(test)]
pub(super) use failures::{find, scheduled};
#[cfg(test)]
pub(super) use forget::oldest;
#[cfg(test)]
pub(super) use life::entries_of;

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use shared::domain::failure::Failure;
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::ledger::{AttemptNotes, EntryKind};
use shared::domain::preset::PresetName;
use shared::domain::representation::Outcome;
use shared::ports::state_store::StoreError;

use super::convert::{millis, text};
use super::sql::Sql;

/// Entries written by one statement: ten values each, far below both databases' limits.
const ENTRIES_PER_STATEMENT: usize = 500;

/// An entry to be written; its moment is the database's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewEntry {
    version: i64,
    kind: EntryKind,
    claim: Option<String>,
    lane: Option<&'static str>,
    presets: String,
    code: Option<&'static str>,
    reason: Option<String>,
    wait_ms: Option<i64>,
    stages: Option<String>,
}

impl NewEntry {
    pub(super) fn new(version: FileVersionId, kind: EntryKind) -> Self {
        Self {
            version: version.get(),
            kind,
            claim: None,
            lane: None,
            presets: String::new(),
            code: None,
            reason: None,
            wait_ms: None,
            stages: None,
        }
    }

    pub(super) fn claim(self, token: &ClaimToken) -> Self {
        Self { claim: Some(token.as_str().to_owned()), ..self }
    }

    pub(super) fn lane(self, lane: Lane) -> Self {
        Self { lane: Some(lane.name()), ..self }
    }

    pub(super) fn presets<'a>(self, presets: impl IntoIterator<Item = &'a str>) -> Self {
        Self { presets: presets.into_iter().collect::<Vec<_>>().join(","), ..self }
    }

    pub(super) fn reason(self, reason: &str) -> Self {
        Self { reason: Some(text(reason)), ..self }
    }

    pub(super) fn failure(self, failure: &Failure) -> Self {
        Self { code: Some(failure.code.name()), ..self.reason(&failure.reason) }
    }

    fn wait(self, wait: Duration) -> Self {
        Self { wait_ms: Some(millis(wait)), ..self }
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.version.into(),
            self.kind.name().into(),
            self.claim.clone().into(),
            self.lane.into(),
            self.presets.clone().into(),
            self.code.into(),
            self.reason.clone().into(),
            self.wait_ms.into(),
            self.stages.clone().into(),
        ]
    }
}

/// Adds entries, in this order.
pub(super) async fn write(on: &impl ConnectionTrait, entries: &[NewEntry]) -> Result<(), StoreError> {
    for some in entries.chunks(ENTRIES_PER_STATEMENT) {
        insert(some).run(on).await?;
    }
    Ok(())
}

pub(super) fn insert(entries: &[NewEntry]) -> Sql {
    Sql::new(
        "WITH entry (version, kind, claim, lane, presets, code, reason, wait_ms, stages) AS (VALUES {entries})
         INSERT INTO ledger (file_version_id, at, kind, claim, lane, presets, code, reason, wait_ms, stages)
         SELECT version, {now}, kind, claim, lane, presets, code, reason, CAST(wait_ms AS BIGINT), stages FROM entry",
    )
    .rows("entries", entries.iter().map(NewEntry::values))
}

/// How an attempt ended: equal outcomes are one entry, and the first carries the stages.
pub(super) fn settled(
    version: FileVersionId,
    token: &ClaimToken,
    written: &[(&PresetName, &Outcome)],
    notes: &AttemptNotes,
) -> Vec<NewEntry> {
    let mut entries: Vec<(NewEntry, Vec<&str>)> = Vec::new();
    for (preset, outcome) in written {
        let entry = outcome_entry(version, outcome).claim(token);
        match entries.iter_mut().find(|(known, _)| *known == entry) {
            Some((_, presets)) => presets.push(preset.as_str()),
            None => entries.push((entry, vec![preset.as_str()])),
        }
    }
    let mut from: Vec<FileVersionId> = notes.taken_over.iter().map(|(_, from)| *from).collect();
    from.dedup();
    let taken_over = from.into_iter().map(|from| {
        let presets = notes.taken_over.iter().filter(|(_, other)| *other == from);
        let why = format!("version {from} has the same content");
        let entry = NewEntry::new(version, EntryKind::TakenOver).claim(token).reason(&why);
        entry.presets(presets.map(|(preset, _)| preset.as_str()))
    });
    let taken_over: Vec<NewEntry> = if written.is_empty() { Vec::new() } else { taken_over.collect() };
    let mut stages = (!notes.stages.is_empty()).then(|| stages_json(&notes.stages));
    let whole = |(entry, presets): (NewEntry, Vec<&str>)| NewEntry { stages: stages.take(), ..entry.presets(presets) };
    taken_over.into_iter().chain(entries.into_iter().map(whole)).collect()
}

fn outcome_entry(version: FileVersionId, outcome: &Outcome) -> NewEntry {
    let entry = |kind| NewEntry::new(version, kind);
    match outcome {
        Outcome::Success(_) => entry(EntryKind::Success),
        Outcome::Viewable(_) => entry(EntryKind::Viewable),
        Outcome::Error(failure) => entry(EntryKind::Error).failure(failure),
        Outcome::Retry { failure, wait, .. } if outcome.is_crash() => {
            entry(EntryKind::Crashed).failure(failure).wait(*wait)
        }
        Outcome::Retry { failure, wait, .. } => entry(EntryKind::Retry).failure(failure).wait(*wait),
        Outcome::HandBack => entry(EntryKind::HandedBack),
        Outcome::Move { lane } => entry(EntryKind::Moved).lane(*lane),
        Outcome::Wait { wait } => entry(EntryKind::Waiting).wait(*wait),
    }
}

fn stages_json(stages: &[(String, u64)]) -> String {
    serde_json::to_string(stages).unwrap_or_default()
}

/// The failure that quarantines the version, if one of these outcomes does.
pub(super) fn quarantining<'a>(written: &[(&PresetName, &'a Outcome)]) -> Option<&'a Failure> {
    written.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Error(failure) if outcome.is_crash() => Some(failure),
        _ => None,
    })
}

/// Keeps what is needed to see the crash again; a version that is quarantined already stays as it is.
pub(super) async fn quarantine(
    on: &impl ConnectionTrait,
    version: FileVersionId,
    failure: &Failure,
    notes: &AttemptNotes,
) -> Result<(), StoreError> {
    let Some(reproducer) = &notes.reproducer else { return Ok(()) };
    let json = serde_json::to_string(reproducer).map_err(|error| StoreError::Away(Box::new(error)))?;
    let inserted = Sql::new(
        "INSERT INTO quarantine (file_version_id, at, code, reason, reproducer) VALUES ($1, {now}, $2, $3, $4)
         ON CONFLICT (file_version_id) DO NOTHING",
    )
    .value(version.get())
    .value(failure.code.name())
    .value(text(&failure.reason))
    .value(text(&json))
    .run(on)
    .await?;
    if inserted > 0 {
        write(on, &[NewEntry::new(version, EntryKind::Quarantined).failure(failure)]).await?;
    }
    Ok(())
}

/// A row that a statement changed.
#[derive(Debug, FromQueryResult)]
pub(super) struct ChangedRow {
    pub(super) file_version_id: i64,
    pub(super) preset: String,
    pub(super) lane: String,
}

/// One entry of this kind for each version and lane among changed rows.
pub(super) fn changed(
    rows: &[ChangedRow],
    entry: impl Fn(FileVersionId) -> NewEntry,
) -> Result<Vec<NewEntry>, StoreError> {
    let mut groups: BTreeMap<(i64, &str), Vec<&str>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.file_version_id, &row.lane)).or_default().push(&row.preset);
    }
    let whole = |((version, lane), presets): ((i64, &str), Vec<&str>)| {
        let version = super::convert::version_id(version)?;
        let lane = super::convert::lane(version, lane)?;
        Ok(entry(version).lane(lane).presets(presets))
    };
    groups.into_iter().map(whole).collect()
}
