//! The ledger says what happened, neither more nor less; and what failed gets another chance.

use std::time::Duration;

use adapters::db::Database;
use shared::domain::explain::explain;
use shared::domain::failure::FailureCode;
use shared::domain::file::{NewFileVersion, PictureFacts};
use shared::domain::format::SourceFormat;
use shared::domain::lane::Lane;
use shared::domain::ledger::{AttemptNotes, Entry, EntryKind, FailureFilter, FileLife, Redriven, Reproducer};
use shared::domain::limits::Limits;
use shared::domain::representation::{Outcome, State};
use shared::ports::file_store::{Change, FileStore};
use shared::ports::ledger::Ledger;
use shared::ports::state_store::{Registration, StateStore};

use super::fixtures::*;
use super::scratch::Store;

const EVERYTHING: FailureFilter = FailureFilter { code: None, format: None, preset: None, since: None, until: None };

async fn life(store: &Database, registration: &Registration) -> FileLife {
    store.life(registration.file_id).await.unwrap().expect("the file is there")
}

fn kinds(life: &FileLife) -> Vec<EntryKind> {
    life.entries.iter().map(|entry| entry.kind).collect()
}

async fn failed(store: &Database, key: &str, code: FailureCode) -> Registration {
    let registration = registered(store, &photo(key)).await;
    let token = claimed(store, &registration).await;
    settled(store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Error(failure(code))).await;
    registration
}

pub(super) async fn every_attempt_is_remembered_with_worker_times_and_outcomes(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    settled(&store, &registration, &first, &[SMALL, MEDIUM], &retry(Duration::ZERO, false)).await;
    let second = claimed(&store, &registration).await;
    let notes = AttemptNotes { stages: vec![("fetch".into(), 12), ("render".into(), 345)], ..AttemptNotes::default() };
    let outcomes = [
        (preset(SMALL), Outcome::Success(content(1, 1))),
        (preset(MEDIUM), Outcome::Error(failure(FailureCode::EncodeFailed))),
    ];
    store.settle_attempt(registration.version_id, &second, &outcomes, &notes).await.unwrap();

    let life = life(&store, &registration).await;
    use EntryKind::{Claimed, Error, Retry, Success};
    assert_eq!(kinds(&life), [Claimed, Retry, Claimed, Success, Error]);
    assert!(life.entries.is_sorted_by_key(|entry| entry.at));
    assert!(life.entries.iter().all(|entry| entry.worker() == Some("worker")));
    let claim = |index: usize| life.entries[index].claim.as_deref();
    assert_eq!((claim(0), claim(1)), (Some(first.as_str()), Some(first.as_str())));
    assert_eq!((claim(2), claim(4)), (Some(second.as_str()), Some(second.as_str())));
    let retried = &life.entries[1];
    assert_eq!(retried.presets.len(), 2, "equal outcomes are one entry");
    assert_eq!((retried.code, retried.wait), (Some(FailureCode::DependencyDown), Some(Duration::ZERO)));
    assert_eq!(retried.reason.as_deref(), Some("because of dependency_down"));
    assert_eq!(life.entries[3].stages, notes.stages);
    assert_eq!((&life.entries[4].presets, &life.entries[4].stages), (&vec![preset(MEDIUM)], &Vec::new()));
    assert_eq!(explain(&life).len(), 1 + 5 + 2, "registered, the entries, and where the two stand");
}

pub(super) async fn what_changed_nothing_leaves_no_entry(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    assert!(store.claim(registration.version_id, &super::fixtures::token(), LONG).await.unwrap().is_none());
    settled(&store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    let late = [(preset(SMALL), Outcome::Error(failure(FailureCode::CorruptSource)))];
    assert_eq!(store.settle(registration.version_id, &token, &late).await.unwrap(), []);
    store.ask(registration.version_id, &wanted(&[SMALL]), Lane::Interactive).await.unwrap();
    store.register(&photo("beach.jpg")).await.unwrap();
    assert_eq!(kinds(&life(&store, &registration).await), [EntryKind::Claimed, EntryKind::Success]);
}

pub(super) async fn asking_handing_back_deadlines_and_dead_wakes_are_told(Store { store, .. }: Store) {
    let registration = registered(&store, &NewFileVersion { lane: Lane::Backfill, ..photo("beach.jpg") }).await;
    store.ask(registration.version_id, &wanted(&[SMALL, LARGE]), Lane::Interactive).await.unwrap();
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL, MEDIUM, LARGE], &Outcome::HandBack).await;
    assert!(store.look_after_dead_wake(registration.version_id).await.unwrap());
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL, MEDIUM, LARGE], &retry(LONG, false)).await;
    let deadlines = Lane::ALL.map(|lane| (lane, Duration::ZERO));
    let late = failure(FailureCode::DeadlineExceeded);
    let ended = || async { Some(store.give_up_overdue(&deadlines, &late).await.unwrap()).filter(|rows| *rows > 0) };
    assert_eq!(eventually("the deadline passes", ended).await.0, 3);
    assert!(!store.look_after_dead_wake(registration.version_id).await.unwrap(), "nothing waits any more");

    let life = life(&store, &registration).await;
    use EntryKind::{Asked, Claimed, DeadLettered, HandedBack, Overdue, Retry};
    // Claims, dead wakes and deadlines are told for each lane: two rows were promoted, one stayed behind.
    let lanes = |kind: EntryKind| life.entries.iter().filter(|entry| entry.kind == kind).count();
    assert_eq!((lanes(Claimed), lanes(DeadLettered), lanes(Overdue)), (4, 2, 2));
    assert_eq!((lanes(Asked), lanes(HandedBack), lanes(Retry)), (1, 1, 1));
    let asked = &life.entries[0];
    assert_eq!((asked.kind, asked.lane, asked.presets.len()), (Asked, Some(Lane::Interactive), 2));
    let overdue: Vec<&Entry> = life.entries.iter().filter(|entry| entry.kind == Overdue).collect();
    assert!(overdue.iter().all(|entry| entry.code == Some(FailureCode::DeadlineExceeded)));
}

pub(super) async fn a_dead_wake_is_made_up_for_by_the_sweeper(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    assert_eq!(store.due(LONG, 10).await.unwrap(), [], "it was woken a moment ago");
    store.look_after_dead_wake(registration.version_id).await.unwrap();
    assert_eq!(store.due(LONG, 10).await.unwrap(), [], "patience is kept, so that nothing goes round in circles");
    let due = || async { store.due(Duration::from_millis(30), 10).await.unwrap().pop() };
    assert_eq!(eventually("it is due", due).await.0.version, registration.version_id);
}

pub(super) async fn a_version_that_is_another_one_leaves_word_with_it(Store { store, .. }: Store) {
    let one = registered(&store, &nameless("beach.jpg", None)).await;
    store.record_bytes(one.version_id, bytes("same")).await.unwrap();
    let other = registered(&store, &nameless("beach.jpg", None)).await;
    claimed(&store, &other).await;
    store.record_bytes(other.version_id, bytes("same")).await.unwrap();
    let life = life(&store, &one).await;
    assert_eq!(kinds(&life), [EntryKind::SameContent]);
    assert!(life.entries[0].reason.as_ref().unwrap().contains(&format!("version {}", other.version_id)));
}

fn reproducer() -> Reproducer {
    let limits = Limits {
        source_bytes_max: 1,
        width_pixels_max: 2,
        height_pixels_max: 3,
        area_pixels_max: 4,
        total_pixels_max: 5,
        pages_max: 6,
        nesting_max: 6,
        child_memory_bytes_max: 7,
        child_cpu_seconds_max: 8,
        child_seconds_max: 8,
        output_bytes_max: 9,
    };
    Reproducer {
        sha256: bytes("poison").sha256,
        length_bytes: 6,
        format: Some(SourceFormat::Tiff),
        dimensions: Some((640, 480)),
        end: "child_crashed: ended by signal 11 (SIGSEGV)".into(),
        limits,
        worker: "host-1".into(),
    }
}

pub(super) async fn a_version_that_kills_children_is_quarantined_until_redriven(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("poison.tif")).await;
    let token = claimed(&store, &registration).await;
    let crash = failure(FailureCode::ChildCrashed);
    let outcomes = [(preset(SMALL), Outcome::Error(crash.clone()))];
    let notes = AttemptNotes { stages: Vec::new(), reproducer: Some(reproducer()), ..AttemptNotes::default() };
    store.settle_attempt(registration.version_id, &token, &outcomes, &notes).await.unwrap();
    settled(&store, &registration, &token, &[MEDIUM], &Outcome::Success(content(1, 1))).await;
    let found = life(&store, &registration).await;
    assert_eq!(found.quarantines[0].reproducer, reproducer());
    assert_eq!(kinds(&found).iter().filter(|kind| **kind == EntryKind::Quarantined).count(), 1);
    let told = explain(&found).into_iter().find(|told| told.kind == "quarantined").unwrap().detail;
    for part in ["tiff of 640x480", "6 bytes", &reproducer().sha256.to_string(), "on host-1", "7 bytes of memory"] {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }

    store.ask(registration.version_id, &wanted(&[LARGE]), Lane::Normal).await.unwrap();
    let claim = store.claim(registration.version_id, &super::fixtures::token(), LONG).await.unwrap().unwrap();
    assert_eq!(claim.quarantine, Some(crash), "another preset of it is not tried either");

    store.redrive(&EVERYTHING, Lane::Backfill, 10).await.unwrap();
    let claim = store.claim(registration.version_id, &super::fixtures::token(), LONG).await.unwrap().unwrap();
    assert_eq!(claim.quarantine, None);
    assert_eq!(row(&store, &registration, SMALL).await.crashes, 0);
}

pub(super) async fn redriven_rows_begin_anew_and_are_woken_at_once(Store { store, .. }: Store) {
    let registration = failed(&store, "beach.jpg", FailureCode::Truncated).await;
    let done = registered(&store, &photo("done.jpg")).await;
    let token = claimed(&store, &done).await;
    settled(&store, &done, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    let redriven = store.redrive(&EVERYTHING, Lane::Heavy, 10).await.unwrap();
    assert_eq!(redriven, Redriven { representations: 2, versions: 1 });
    let row = row(&store, &registration, SMALL).await;
    assert_eq!((row.state, row.attempts, row.crashes, row.settled_at), (State::Pending, 0, 0, None));
    assert_eq!(state(&store, &done, SMALL).await, State::Success(content(1, 1)));
    let due = store.due(LONG, 10).await.unwrap();
    assert_eq!(
        due.iter().map(|due| (due.version, due.lane)).collect::<Vec<_>>(),
        [(registration.version_id, Lane::Heavy)]
    );
    assert_eq!(store.redrive(&EVERYTHING, Lane::Heavy, 10).await.unwrap(), Redriven::default());
    let told = life(&store, &registration).await.entries.pop().unwrap();
    assert_eq!((told.kind, told.lane, told.presets.len()), (EntryKind::Redriven, Some(Lane::Heavy), 2));
}

pub(super) async fn a_filter_matches_what_it_says(Store { store, .. }: Store) {
    let png = failed(&store, "a.png", FailureCode::CorruptSource).await;
    let dimensions = shared::domain::dimensions::Dimensions::new(2, 2).unwrap();
    let picture = PictureFacts { format: SourceFormat::Png, dimensions, pages: 1, placeholder: None };
    store.record_picture(png.version_id, picture).await.unwrap();
    failed(&store, "b.jpg", FailureCode::Truncated).await;
    let now = store.count_failures(&EVERYTHING).await.unwrap();
    assert_eq!((now.representations, now.versions), (4, 2));
    for (filter, representations) in [
        (FailureFilter { code: Some(FailureCode::Truncated), ..EVERYTHING }, 2),
        (FailureFilter { code: Some(FailureCode::ZeroBytes), ..EVERYTHING }, 0),
        (FailureFilter { format: Some(SourceFormat::Png), ..EVERYTHING }, 2),
        (FailureFilter { format: Some(SourceFormat::Jpeg), ..EVERYTHING }, 2),
        (FailureFilter { format: Some(SourceFormat::Gif), ..EVERYTHING }, 0),
        (FailureFilter { preset: Some(preset(SMALL)), ..EVERYTHING }, 2),
        (FailureFilter { since: Some(now.counted_at + 60_000), ..EVERYTHING }, 0),
        (FailureFilter { until: Some(now.counted_at - 60_000), ..EVERYTHING }, 0),
        (
            FailureFilter {
                code: Some(FailureCode::CorruptSource),
                format: Some(SourceFormat::Png),
                preset: Some(preset(SMALL)),
                since: Some(now.counted_at - 60_000),
                until: Some(now.counted_at + 60_000),
            },
            1,
        ),
    ] {
        assert_eq!(store.count_failures(&filter).await.unwrap().representations, representations, "{filter:?}");
    }
    let groups = store.failures(10).await.unwrap();
    let told: Vec<_> = groups.iter().map(|group| (group.format, group.code, group.representations)).collect();
    assert!(told.contains(&(Some(SourceFormat::Png), FailureCode::CorruptSource, 2)), "{told:?}");
    assert!(told.contains(&(Some(SourceFormat::Jpeg), FailureCode::Truncated, 2)), "by its name: {told:?}");
    let filter = FailureFilter { preset: Some(preset(SMALL)), format: Some(SourceFormat::Png), ..EVERYTHING };
    let redriven = store.redrive(&filter, Lane::Backfill, 10).await.unwrap();
    assert_eq!(redriven, Redriven { representations: 1, versions: 1 });
    assert!(matches!(state(&store, &png, MEDIUM).await, State::Error(_)));
}

pub(super) async fn what_is_in_the_trash_did_not_fail(Store { store, .. }: Store) {
    let waiting = registered(&store, &photo("beach.jpg")).await;
    store.change(waiting.file_id, &Change::Trash, None).await.unwrap();
    assert!(matches!(state(&store, &waiting, SMALL).await, State::Error(_)));
    assert_eq!(store.count_failures(&EVERYTHING).await.unwrap().representations, 0);
    assert_eq!(store.failures(10).await.unwrap(), []);
    assert_eq!(store.redrive(&EVERYTHING, Lane::Backfill, 10).await.unwrap(), Redriven::default());
    store.change(waiting.file_id, &Change::Restore, None).await.unwrap();
    assert_eq!(state(&store, &waiting, SMALL).await, State::Pending);
}

pub(super) async fn what_fails_again_is_not_found_again_before_a_moment(Store { store, .. }: Store) {
    for number in 0..5 {
        failed(&store, &format!("{number}.jpg"), FailureCode::Truncated).await;
    }
    let (counted, _) = eventually("the failures lie before the count", || async {
        let counted = store.count_failures(&EVERYTHING).await.unwrap();
        let before = FailureFilter { until: Some(counted.counted_at), ..EVERYTHING };
        (store.count_failures(&before).await.unwrap().versions == 5).then_some(counted)
    })
    .await;
    let filter = FailureFilter { until: Some(counted.counted_at), ..EVERYTHING };
    let mut total = 0;
    loop {
        let redriven = store.redrive(&filter, Lane::Backfill, 2).await.unwrap();
        if redriven.versions == 0 {
            break;
        }
        assert!(redriven.versions <= 2);
        total += redriven.versions;
        for due in store.due(Duration::ZERO, 10).await.unwrap() {
            let token = token();
            let claim = store.claim(due.version, &token, LONG).await.unwrap().unwrap();
            let again =
                claim.presets.iter().map(|preset| (preset.clone(), Outcome::Error(failure(FailureCode::Truncated))));
            store.settle(due.version, &token, &again.collect::<Vec<_>>()).await.unwrap();
        }
    }
    assert_eq!(total, 5);
}

pub(super) async fn what_ended_at_its_deadline_is_tried_anew_a_few_times(Store { store, .. }: Store) {
    let registration = failed(&store, "late.jpg", FailureCode::DeadlineExceeded).await;
    failed(&store, "corrupt.jpg", FailureCode::CorruptSource).await;
    let again = |wait, times| store.redrive_ended(FailureCode::DeadlineExceeded, wait, times, 10);
    assert_eq!(again(LONG, 3).await.unwrap(), Redriven::default(), "not yet");
    assert_eq!(again(Duration::ZERO, 0).await.unwrap(), Redriven::default(), "switched off");
    for _ in 0..2 {
        let look = || async { Some(again(Duration::ZERO, 2).await.unwrap()).filter(|redriven| redriven.versions > 0) };
        assert_eq!(eventually("it is redriven", look).await.0, Redriven { representations: 2, versions: 1 });
        let token = claimed(&store, &registration).await;
        let late = Outcome::Error(failure(FailureCode::DeadlineExceeded));
        settled(&store, &registration, &token, &[SMALL, MEDIUM], &late).await;
    }
    assert_eq!(again(Duration::ZERO, 2).await.unwrap(), Redriven::default(), "twice is enough");
}

pub(super) async fn old_entries_are_forgotten_in_batches(place: Store) {
    let store = &place.store;
    let old = failed(store, "old.jpg", FailureCode::Truncated).await;
    place.tamper("UPDATE ledger SET at = at - 1000000").await;
    let new = failed(store, "new.jpg", FailureCode::Truncated).await;
    let keep = Duration::from_secs(500);
    assert_eq!(store.forget_entries(keep, 1).await.unwrap(), 1);
    assert_eq!(store.forget_entries(keep, 10).await.unwrap(), 1);
    assert_eq!(store.forget_entries(keep, 10).await.unwrap(), 0);
    assert_eq!(life(store, &old).await.entries, []);
    assert_eq!(life(store, &new).await.entries.len(), 2);
    assert!(matches!(state(store, &old, SMALL).await, State::Error(_)), "the row remembers");
}
