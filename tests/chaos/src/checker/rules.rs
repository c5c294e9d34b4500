//! What must hold: each rule as a comparison of what was promised with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::PRESETS;
use super::expected::Expected;
use super::ledger;
use super::seen::{Row, Seen, Version};

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Every accepted event and upload has its rows, once.
    AcceptedHasRows,
    /// There are no rows of what nobody sent.
    NothingElseHasRows,
    /// Every row is `success` or `error`, held by nobody, with a code exactly when it failed.
    EveryRowHasEnded,
    /// Every `success` can be read, under a key or name that says its digest.
    SuccessIsReadable,
    /// Every row is what a fresh render is: the same bytes, or an error where there are none.
    RowEqualsFreshRender,
    /// Nothing is stored that no row refers to, beyond its grace.
    NoOrphans,
    /// Every end was told at least once.
    EveryEndWasTold,
    /// No queue holds anything.
    QueuesAreEmpty,
    /// What is parked is exactly what nobody can understand.
    ParkedIsWhatIsBad,
    /// A file shows its newest version.
    NewestIsShown,
    /// Nobody settles what somebody else holds.
    OnlyHoldersSettle,
    /// No process ends by itself.
    NoProcessEnds,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// Rows of each version, by preset.
type Rows<'a> = BTreeMap<i64, BTreeMap<&'a str, &'a Row>>;

/// Everything that does not hold.
pub(crate) fn judge(expected: &Expected, seen: &Seen) -> Vec<Violation> {
    let mut rows: Rows<'_> = BTreeMap::new();
    for row in &seen.rows {
        rows.entry(row.file_version_id).or_default().insert(&row.preset, row);
    }
    let queued = seen.queues.iter().map(|(queue, count)| format!("{count} in {queue}")).collect();
    let judged = [
        (Rule::AcceptedHasRows, accepted(expected, seen, &rows)),
        (Rule::NothingElseHasRows, unknown(expected, seen)),
        (Rule::EveryRowHasEnded, not_ended(seen)),
        (Rule::SuccessIsReadable, unreadable(seen)),
        (Rule::RowEqualsFreshRender, different(expected, seen, &rows)),
        (Rule::NoOrphans, orphans(seen)),
        (Rule::EveryEndWasTold, untold(seen, &rows)),
        (Rule::QueuesAreEmpty, queued),
        (Rule::ParkedIsWhatIsBad, parked(expected, seen)),
        (Rule::NewestIsShown, older_shown(expected, seen)),
        (Rule::OnlyHoldersSettle, ledger::settled_by_others(seen)),
        (Rule::NoProcessEnds, expected.deaths.clone()),
    ];
    let violations = |(rule, found): (Rule, Vec<String>)| found.into_iter().map(move |what| Violation { rule, what });
    judged.into_iter().flat_map(violations).collect()
}

fn accepted(expected: &Expected, seen: &Seen, rows: &Rows<'_>) -> Vec<String> {
    let mut named: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for version in &seen.versions {
        named.entry(&version.name).or_default().push(version);
    }
    let missing = |(number, name): (&u32, &String)| match named.get(name.as_str()).map(Vec::as_slice) {
        None | Some([]) => Some(format!("upload {number} ({name}) was accepted and has no file version")),
        Some([version]) => {
            let has = rows.get(&version.id);
            let lacks: Vec<&str> =
                PRESETS.into_iter().filter(|preset| has.is_none_or(|has| !has.contains_key(preset))).collect();
            (!lacks.is_empty()).then(|| format!("upload {number} ({name}) has no row for {}", lacks.join(", ")))
        }
        Some(several) => Some(format!("upload {number} ({name}) has {} file versions", several.len())),
    };
    expected.accepted.iter().filter_map(missing).collect()
}

fn unknown(expected: &Expected, seen: &Seen) -> Vec<String> {
    let unknown = seen.versions.iter().filter(|version| expected.upload(&version.name).is_none());
    unknown.map(|version| format!("version {} is called {:?}", version.id, version.name)).collect()
}

fn not_ended(seen: &Seen) -> Vec<String> {
    let is_sound = |row: &&Row| match row.state.as_str() {
        "success" => row.code.is_none() && row.blob.is_some() && row.lease_token.is_none(),
        "error" => row.code.is_some() && row.lease_token.is_none(),
        _ => false,
    };
    let unsound = seen.rows.iter().filter(|row| !is_sound(row));
    unsound.map(|row| format!("{row:?}")).collect()
}

fn unreadable(seen: &Seen) -> Vec<String> {
    let successes = seen.rows.iter().filter(|row| row.state == "success");
    let unreadable = successes.filter_map(|row| {
        let what = unread(seen, row)?;
        Some(format!("version {}, {}: {what}", row.file_version_id, row.preset))
    });
    unreadable.collect()
}

/// Why the bytes of the row are not what it says.
fn unread(seen: &Seen, row: &Row) -> Option<String> {
    let (blob, name) = (row.blob.as_ref()?, row.named()?);
    let Some(digest) = seen.blobs.get(blob) else { return Some(format!("{blob} is not there")) };
    if !blob.contains(digest.as_str()) {
        return Some(format!("{blob} has bytes of {digest}"));
    }
    let Some(part) = row.part() else {
        return row.packed_name.as_ref().map(|name| format!("where in {blob} is {name}?"));
    };
    match seen.parts.get(&part) {
        None => Some(format!("{part:?} is not there")),
        Some(digest) if !name.contains(digest.as_str()) => Some(format!("{name} has bytes of {digest}")),
        Some(_) => None,
    }
}

fn different(expected: &Expected, seen: &Seen, rows: &Rows<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for version in &seen.versions {
        let Some(upload) = expected.upload(&version.name) else { continue };
        let Some(fresh) = expected.fresh.get(&upload.content) else { continue };
        for (preset, digest) in fresh {
            let Some(row) = rows.get(&version.id).and_then(|rows| rows.get(preset)) else { continue };
            let is_same = match digest {
                Some(digest) => {
                    row.state == "success" && row.named().is_some_and(|name| name.contains(digest.as_str()))
                }
                None => row.state != "success",
            };
            if !is_same {
                let fresh = digest.as_deref().unwrap_or("no picture");
                let (name, Row { state, code, .. }, bytes) = (&version.name, row, row.named());
                found.push(format!(
                    "version {} ({name}), {preset}: {state} {code:?} {bytes:?}, a fresh render is {fresh}",
                    version.id
                ));
            }
        }
    }
    found
}

fn orphans(seen: &Seen) -> Vec<String> {
    let of_rows = seen.rows.iter().filter_map(|row| row.blob.as_deref());
    let of_versions = seen.versions.iter().filter_map(|version| version.source_blob.as_deref());
    let referred: BTreeSet<&str> = of_rows.chain(of_versions).chain(seen.pages.iter().map(String::as_str)).collect();
    let stored = seen.blobs.keys().filter(|key| !referred.contains(key.as_str()));
    let left = stored.map(|key| format!("{key} is stored, and no row refers to it"));
    left.chain(seen.condemned.iter().map(|key| format!("{key} still waits to be deleted"))).collect()
}

fn untold(seen: &Seen, rows: &Rows<'_>) -> Vec<String> {
    let was_told =
        |topic: &str, version: i64, preset: &str| seen.told.contains(&(topic.to_owned(), version, preset.to_owned()));
    let mut found: Vec<String> = Vec::new();
    if seen.untold != 0 {
        found.push(format!("{} news were written and not published", seen.untold));
    }
    for (version, rows) in rows {
        if !was_told("file_version.completed", *version, "") {
            found.push(format!("version {version}: nobody was told that it is complete"));
        }
        for row in rows.values() {
            if !was_told(&format!("representation.{}", row.state), *version, &row.preset) {
                found.push(format!("version {version}, {}: nobody was told of its {}", row.preset, row.state));
            }
        }
    }
    found
}

fn parked(expected: &Expected, seen: &Seen) -> Vec<String> {
    let shown = |body: &Vec<u8>| String::from_utf8_lossy(body).chars().take(120).collect::<String>();
    let missing = expected.bad.difference(&seen.parked).map(|body| format!("not parked: {}", shown(body)));
    let extra = seen
        .parked
        .difference(&expected.bad)
        .map(|body| format!("parked, and nothing is wrong with it: {}", shown(body)));
    missing.chain(extra).collect()
}

/// Of a file's versions, the one of the latest upload has the highest sequence.
fn older_shown(expected: &Expected, seen: &Seen) -> Vec<String> {
    let mut newest: BTreeMap<i64, (u32, &Version)> = BTreeMap::new();
    for version in &seen.versions {
        let Some(upload) = expected.upload(&version.name) else { continue };
        let known = newest.entry(version.file_id).or_insert((upload.number, version));
        if upload.number > known.0 {
            *known = (upload.number, version);
        }
    }
    let wrong = newest.values().filter(|(_, version)| version.current_version_id != Some(version.id));
    wrong
        .map(|(_, version)| {
            format!("file {} shows {:?} instead of {}", version.file_id, version.current_version_id, version.id)
        })
        .collect()
}

#[cfg(test)]
mod tests;
