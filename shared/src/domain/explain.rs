//! The life of a file told in order, with reasons, from its rows and its ledger.

use super::file::{FileState, UnixMillis, VersionIdentity};
use super::ledger::{Entry, EntryKind, FileLife, Quarantine};
use super::moment::rfc3339;
use super::preset::PresetName;
use super::representation::{Representation, State};

/// One sentence of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When, by the database's clock.
    pub at: UnixMillis,
    /// A stable word: one of [`EntryKind`], or `registered`, `lease_lost`, `cut`, `stands`, `purged`.
    pub kind: &'static str,
    /// For people.
    pub detail: String,
}

/// The whole story, oldest first; the last sentences say where each representation stands.
pub fn explain(life: &FileLife) -> Vec<Told> {
    let mut story: Vec<Told> = life.versions.iter().map(registered).collect();
    if let Some(first) = life.entries.first().filter(|_| life.is_cut) {
        let detail = "what happened before is left out: only the newest entries are read".to_owned();
        story.push(Told { at: first.at, kind: "cut", detail });
    }
    for (index, entry) in life.entries.iter().enumerate() {
        story.extend(lease_lost(life, index));
        story.push(Told { at: entry.at, kind: entry.kind.name(), detail: detail(life, entry) });
    }
    // Stable: what was written in one transaction keeps its order.
    story.sort_by_key(|told| told.at);
    story.extend(life.versions.iter().flat_map(|version| stands(life, version)));
    story.extend(life.purged_at.map(purged));
    story
}

fn purged(at: UnixMillis) -> Told {
    let detail = "removed for good; only an upload that is newer than that makes a file of it again".to_owned();
    Told { at, kind: EntryKind::Purged.name(), detail }
}

fn registered(state: &FileState) -> Told {
    let version = &state.version;
    let named = match &version.identity {
        VersionIdentity::Named(name) => name.clone(),
        VersionIdentity::ByDigest(_) => "named by its digest".to_owned(),
    };
    let declared = match (&version.declared.content_type, version.declared.size) {
        (Some(kind), Some(size)) => format!(", declared as {kind} of {size} bytes"),
        (Some(kind), None) => format!(", declared as {kind}"),
        (None, Some(size)) => format!(", declared to have {size} bytes"),
        (None, None) => String::new(),
    };
    let detail = format!(
        "version {} ({named}) of {:?} for tenant {}, source {}{declared}",
        version.id,
        version.name,
        state.file.tenant,
        version.source.display(),
    );
    Told { at: version.created_at, kind: "registered", detail }
}

/// The attempt before this one, when nobody ever said how it ended.
fn lease_lost(life: &FileLife, index: usize) -> Option<Told> {
    let entry = &life.entries[index];
    if entry.kind != EntryKind::Claimed {
        return None;
    }
    let before = life.entries[..index].iter().rev().find(|other| {
        other.kind == EntryKind::Claimed
            && other.version == entry.version
            && other.claim != entry.claim
            && other.presets.iter().any(|preset| entry.presets.contains(preset))
    })?;
    let ended = |other: &&Entry| other.claim == before.claim && other.kind.ends_attempt();
    if life.entries[..index].iter().any(|other| ended(&other)) {
        return None;
    }
    let detail = format!(
        "the lease of {}'s attempt ran out: that worker died, froze or could not reach the database",
        before.worker().unwrap_or("a worker")
    );
    Some(Told { at: entry.at, kind: "lease_lost", detail })
}

fn detail(life: &FileLife, entry: &Entry) -> String {
    let presets = names(&entry.presets);
    let lane = entry.lane.map_or("?", |lane| lane.name());
    let worker = entry.worker().unwrap_or("a worker");
    let why = why(entry);
    let took = took(life, entry);
    let told = match entry.kind {
        EntryKind::Asked => format!("{presets} asked for on lane {lane}"),
        EntryKind::Claimed => format!("{worker} took {presets} from lane {lane}"),
        EntryKind::Success => format!("{worker} made {presets}{took}{}", stages(entry)),
        EntryKind::Viewable => format!("{worker} made the first pages of {presets}"),
        EntryKind::Error => format!("{presets} ended{why}{took}{}", stages(entry)),
        EntryKind::Retry => format!("{presets} failed{why}{took}; {}", next(entry)),
        EntryKind::Crashed => format!("the render child died over {presets}{why}{took}; {}", next(entry)),
        EntryKind::HandedBack => format!("{worker} stopped and gave {presets} back; the attempt does not count"),
        EntryKind::Overdue => format!("{presets} ended at the deadline of lane {lane}{why}"),
        EntryKind::Quarantined => format!("not tried any more{why}{}", reproducer(life, entry)),
        EntryKind::Redriven => format!("{presets} may be tried again, on lane {lane}{why}"),
        EntryKind::DeadLettered => "the broker gave up on a wake; the row is looked at instead".to_owned(),
        EntryKind::SameContent => format!("another version had the same content, and this one stands for both{why}"),
        EntryKind::Waiting => {
            format!("{presets} wait: another version with the same content is being rendered; {}", next(entry))
        }
        EntryKind::Moved => format!("{presets} are too much for the lane that they were on, and go to lane {lane}"),
        EntryKind::TakenOver => format!("{presets} need no rendering{why}"),
        EntryKind::Renewing => format!("{presets} are made anew by the preset as it is now, on lane {lane}"),
        EntryKind::RolledBack => format!("{presets} are again what they were before their preset changed"),
        EntryKind::Trashed => format!("put into the trash{why}"),
        EntryKind::SourceRemoved => format!("its producer has deleted it, so it is in the trash{why}"),
        EntryKind::Restored => format!("taken out of the trash{why}"),
        EntryKind::Purged => format!("removed for good{why}"),
    };
    if life.versions.len() > 1 { format!("version {}: {told}", entry.version) } else { told }
}

fn why(entry: &Entry) -> String {
    match (entry.code, &entry.reason) {
        (Some(code), Some(reason)) => format!(": {code}, {reason}"),
        (Some(code), None) => format!(": {code}"),
        (None, Some(reason)) => format!(": {reason}"),
        (None, None) => String::new(),
    }
}

fn next(entry: &Entry) -> String {
    let wait = entry.wait.unwrap_or_default();
    let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    format!("the next attempt is due in {:.1} s, at {}", wait.as_secs_f64(), rfc3339(entry.at.saturating_add(millis)))
}

/// Since the claim that began the attempt.
fn took(life: &FileLife, entry: &Entry) -> String {
    let began = life.entries.iter().find(|other| other.kind == EntryKind::Claimed && other.claim == entry.claim);
    began.map_or_else(String::new, |began| format!(" after {} ms", entry.at - began.at))
}

fn stages(entry: &Entry) -> String {
    if entry.stages.is_empty() {
        return String::new();
    }
    let stages: Vec<String> = entry.stages.iter().map(|(stage, ms)| format!("{stage} {ms}")).collect();
    format!(" ({} ms)", stages.join(", "))
}

fn reproducer(life: &FileLife, entry: &Entry) -> String {
    let Some(Quarantine { reproducer, .. }) = life.quarantines.iter().find(|one| one.version == entry.version) else {
        return String::new();
    };
    let format = reproducer.format.map_or("a source of unknown format", |format| format.name());
    let size = reproducer.dimensions.map_or_else(String::new, |(width, height)| format!(" of {width}x{height}"));
    let limits = &reproducer.limits;
    format!(
        "; to reproduce: {format}{size}, {} bytes, SHA-256 {}, on {} with at most {} bytes of memory, {} s and {} pixels",
        reproducer.length_bytes,
        reproducer.sha256,
        reproducer.worker,
        limits.child_memory_bytes_max,
        limits.child_seconds_max,
        limits.area_pixels_max,
    )
}

/// Where the representations of a version stand now, equal ones together.
fn stands(life: &FileLife, version: &FileState) -> Vec<Told> {
    let mut told: Vec<(String, Vec<PresetName>)> = Vec::new();
    for row in &version.representations {
        let standing = standing(row);
        match told.iter_mut().find(|(known, _)| *known == standing) {
            Some((_, presets)) => presets.push(row.preset.clone()),
            None => told.push((standing, vec![row.preset.clone()])),
        }
    }
    let of = |presets: &[PresetName]| {
        let presets = names(presets);
        if life.versions.len() > 1 { format!("version {}: {presets}", version.version.id) } else { presets }
    };
    let tell = |(standing, presets): (String, Vec<PresetName>)| Told {
        at: life.read_at,
        kind: "stands",
        detail: format!("{}: {standing}", of(&presets)),
    };
    told.into_iter().map(tell).collect()
}

fn standing(row: &Representation) -> String {
    let attempts = match row.attempts {
        1 => "1 attempt".to_owned(),
        number => format!("{number} attempts"),
    };
    match (&row.state, &row.last_failure) {
        (State::Error(failure), _) => format!("error after {attempts}: {}, {}", failure.code, failure.reason),
        (State::Pending | State::Viewable(_), Some(last)) => {
            format!("{} after {attempts}, the last of which failed: {}, {}", row.state.name(), last.code, last.reason)
        }
        (state, _) => format!("{} after {attempts}", state.name()),
    }
}

fn names(presets: &[PresetName]) -> String {
    presets.iter().map(PresetName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::failure::{Failure, FailureCode};
    use crate::domain::file::{File, FileVersion};
    use crate::domain::ids::FileId;
    use crate::domain::lane::Lane;
    use crate::domain::plan;
    use crate::domain::preset::PresetTable;
    use crate::domain::source::{DeclaredFacts, SourceLocation};

    fn entry(number: i64, kind: EntryKind, claim: &str) -> Entry {
        Entry {
            number,
            version: "7".parse().unwrap(),
            at: 1000 * number,
            kind,
            claim: Some(format!("{claim}/0123")),
            lane: Some(Lane::Normal),
            presets: vec!["jpg_320x320".parse().unwrap()],
            code: None,
            reason: None,
            wait: None,
            stages: Vec::new(),
        }
    }

    fn life(entries: Vec<Entry>, state: State) -> FileLife {
        let table = PresetTable::built_in();
        let preset = table.get("jpg_320x320").unwrap();
        let last_failure = match &state {
            State::Error(failure) => Some(failure.clone()),
            _ => None,
        };
        let row = Representation {
            preset: preset.name.clone(),
            recipe: plan::wanted(preset).recipe,
            state,
            lane: Lane::Normal,
            attempts: 2,
            crashes: 0,
            last_failure,
            pending_since: 0,
            due_at: 0,
            renewal: None,
            settled_at: None,
        };
        let file = File {
            id: FileId::new(3).unwrap(),
            tenant: "acme".parse().unwrap(),
            identity: "id:1".into(),
            name: "a.jpg".into(),
            parent: None,
            access: None,
            generation: 0,
            revision: 0,
            current_version: "7".parse().unwrap(),
            created_at: 0,
            modified_at: 0,
            trashed_at: None,
        };
        let version = FileVersion {
            id: "7".parse().unwrap(),
            file_id: file.id,
            identity: VersionIdentity::Named("etag:1".into()),
            source: SourceLocation::Bucket { bucket: "b".into(), key: "a.jpg".into(), version: None },
            name: "a.jpg".into(),
            declared: DeclaredFacts::default(),
            sha1: None,
            bytes: None,
            picture: None,
            created_at: 10,
            trashed_at: None,
        };
        let versions = vec![FileState { file, version, representations: vec![row] }];
        FileLife { versions, entries, is_cut: false, quarantines: Vec::new(), purged_at: None, read_at: 99_000 }
    }

    fn kinds(life: &FileLife) -> Vec<&'static str> {
        explain(life).into_iter().map(|told| told.kind).collect()
    }

    #[test]
    fn a_retry_is_told_with_its_reason_and_its_time() {
        let retry = Entry {
            code: Some(FailureCode::SourceMissing),
            reason: Some("s3://b/a.jpg is not there".into()),
            wait: Some(Duration::from_millis(1500)),
            ..entry(2, EntryKind::Retry, "one")
        };
        let life = life(vec![entry(1, EntryKind::Claimed, "one"), retry], State::Pending);
        let story = explain(&life);
        assert_eq!(kinds(&life), ["registered", "claimed", "retry", "stands"]);
        assert_eq!(
            story[2].detail,
            "jpg_320x320 failed: source_missing, s3://b/a.jpg is not there after 1000 ms; the next attempt is due in \
             1.5 s, at 1970-01-01T00:00:03.500Z"
        );
    }

    #[test]
    fn an_attempt_that_nobody_ended_is_told_when_the_next_begins() {
        let claims = vec![entry(1, EntryKind::Claimed, "one"), entry(2, EntryKind::Claimed, "two")];
        let life = life(claims, State::Pending);
        assert_eq!(kinds(&life), ["registered", "claimed", "lease_lost", "claimed", "stands"]);
        assert!(explain(&life)[2].detail.contains("one's attempt"));
    }

    #[test]
    fn the_last_sentence_says_where_it_stands_and_why() {
        let failure = Failure::new(FailureCode::TooManyBytes, "the source is 9 bytes long, the limit is 8");
        let told = explain(&life(Vec::new(), State::Error(failure)));
        let expected =
            "jpg_320x320: error after 2 attempts: too_many_bytes, the source is 9 bytes long, the limit is 8";
        assert_eq!(told.last().unwrap().detail, expected);
    }

    #[test]
    fn kinds_round_trip() {
        assert!(EntryKind::ALL.iter().all(|kind| EntryKind::from_name(kind.name()) == Some(*kind)));
    }
}
