//! The trash: what stops there, what comes back, and what must not.

use std::time::Duration;

use adapters::db::Database;
use shared::domain::explain::explain;
use shared::domain::failure::FailureCode;
use shared::domain::file::{Condition, NewFileVersion, VersionOrder, normal_sequence};
use shared::domain::file_change::{Deleted, FileDeletion};
use shared::domain::ids::FileId;
use shared::domain::lane::Lane;
use shared::domain::ledger::FailureFilter;
use shared::domain::representation::{Outcome, State};
use shared::domain::source::SourceLocation;
use shared::ports::file_store::{Change, FileStore, SourceRemoval};
use shared::ports::ledger::Ledger;
use shared::ports::state_store::{Conflict, Registration, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

async fn changed(store: &Database, file: FileId, change: Change) {
    store.change(file, &change, None).await.unwrap();
}

async fn refused(store: &Database, file: FileId, change: Change, why: Conflict) {
    let answer = store.change(file, &change, None).await;
    assert!(matches!(answer, Err(StoreError::Conflict(refusal)) if refusal == why), "{change:?}: {answer:?}");
}

async fn is_trashed(store: &Database, file: FileId) -> bool {
    store.file(file).await.unwrap().expect("the file is there").file.trashed_at.is_some()
}

fn order(sequence: &str) -> VersionOrder {
    VersionOrder { sequence: Some(normal_sequence(sequence)), occurred_at: None }
}

/// What a producer says that has deleted the source of this file, or one version of it.
fn deletion(new: &NewFileVersion, version: Option<&str>, order: VersionOrder) -> FileDeletion {
    let (tenant, file_identity) = (new.tenant.clone(), new.file_identity.clone());
    let what = version.map_or(Deleted::File, |version| Deleted::Version(version.to_owned()));
    FileDeletion { tenant, file_identity, what, order }
}

async fn kinds(store: &Database, file: FileId) -> Vec<&'static str> {
    let life = store.life(file).await.unwrap().expect("something is known of it");
    explain(&life).iter().map(|told| told.kind).filter(|kind| !matches!(*kind, "registered" | "stands")).collect()
}

fn is_suspended(state: &State) -> bool {
    matches!(state, State::Error(failure) if failure.code == FailureCode::Trashed)
}

pub(super) async fn what_is_in_the_trash_is_not_worked_on_until_it_is_restored(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let late = claimed(&store, &photo).await;
    changed(&store, photo.file_id, Change::Trash).await;

    assert!(!store.extend(&late, LONG).await.unwrap(), "the lease is gone");
    let outcomes = [(preset(SMALL), Outcome::Success(content(1, 1))), (preset(MEDIUM), Outcome::HandBack)];
    assert_eq!(store.settle(photo.version_id, &late, &outcomes).await.unwrap(), []);
    assert_eq!(store.claim(photo.version_id, &token(), LONG).await.unwrap(), None);
    assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), []);
    let asked = store.ask(photo.version_id, &wanted(&[LARGE]), Lane::Interactive).await;
    assert!(matches!(asked, Err(StoreError::NotFound)), "{asked:?}");
    let found = stands(&store, &photo).await;
    assert!(found.file.trashed_at.is_some_and(|at| at >= found.file.created_at));
    assert!(found.representations.iter().all(|row| is_suspended(&row.state)), "{:?}", found.representations);
    assert_eq!(store.recent(None, 10).await.unwrap(), []);
    assert!(store.backlog().await.unwrap().iter().all(|lane| lane.pending == 0));

    changed(&store, photo.file_id, Change::Restore).await;
    assert!(!is_trashed(&store, photo.file_id).await);
    assert_eq!(state(&store, &photo, SMALL).await, State::Pending);
    let due = store.due(LONG, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.version).collect::<Vec<_>>(), [photo.version_id], "woken at once");
    let token = claimed(&store, &photo).await;
    settled(&store, &photo, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
}

pub(super) async fn what_had_settled_comes_back_as_it_was(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &photo).await;
    settled(&store, &photo, &token, &[SMALL], &Outcome::Success(content(1, 2))).await;
    settled(&store, &photo, &token, &[MEDIUM], &Outcome::Error(failure(FailureCode::CorruptSource))).await;
    let before = stands(&store, &photo).await;
    changed(&store, photo.file_id, Change::Trash).await;
    changed(&store, photo.file_id, Change::Restore).await;
    let after = stands(&store, &photo).await;
    assert_eq!(after.representations, before.representations);
    assert_eq!((after.file.revision, after.file.generation), (before.file.revision + 2, before.file.generation));
}

pub(super) async fn what_crosses_the_removal_is_not_claimed(Store { store, .. }: Store) {
    let newer = registered(&store, &sequenced("beach.jpg", "2")).await;
    changed(&store, newer.file_id, Change::Trash).await;
    let older = registered(&store, &sequenced("beach.jpg", "1")).await;
    assert!(is_trashed(&store, newer.file_id).await, "an older upload brings nothing back");
    assert_eq!(state(&store, &older, SMALL).await, State::Pending);
    assert_eq!(store.claim(older.version_id, &token(), LONG).await.unwrap(), None);
    assert!(is_suspended(&state(&store, &older, SMALL).await), "nothing waits for ever");
    changed(&store, newer.file_id, Change::Restore).await;
    claimed(&store, &older).await;
}

pub(super) async fn each_change_needs_its_state(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let (file, version) = (photo.file_id, photo.version_id);
    refused(&store, file, Change::Restore, Conflict::NotTrashed).await;
    refused(&store, file, Change::Purge, Conflict::NotTrashed).await;
    refused(&store, file, Change::PurgeVersion(version), Conflict::NotTrashed).await;
    refused(&store, file, Change::RestoreVersion(version), Conflict::NotTrashed).await;
    refused(&store, file, Change::TrashVersion(version), Conflict::OnlyVersion).await;
    changed(&store, file, Change::Trash).await;
    refused(&store, file, Change::Trash, Conflict::Trashed).await;
    refused(&store, file, Change::Place { name: Some("x".to_owned()), parent: None }, Conflict::Trashed).await;
    let unknown = FileId::new(4711).unwrap();
    assert!(matches!(store.change(unknown, &Change::Trash, None).await, Err(StoreError::NotFound)));
}

pub(super) async fn a_change_of_another_revision_is_refused(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    assert_eq!(stands(&store, &photo).await.file.revision, 0);
    let answer = store.change(photo.file_id, &Change::Trash, Some(1)).await;
    assert!(matches!(answer, Err(StoreError::Conflict(Conflict::RevisionDiffers))), "{answer:?}");
    assert!(!is_trashed(&store, photo.file_id).await);
    store.change(photo.file_id, &Change::Trash, Some(0)).await.unwrap();
    store.change(photo.file_id, &Change::Restore, Some(1)).await.unwrap();
}

pub(super) async fn a_purged_file_is_gone(Store { store, .. }: Store) {
    let new = photo("beach.jpg");
    let photo = registered(&store, &new).await;
    let kept = registered(&store, &version_of("other.jpg", "etag:9")).await;
    changed(&store, photo.file_id, Change::Trash).await;
    changed(&store, photo.file_id, Change::Purge).await;
    assert_eq!(store.file(photo.file_id).await.unwrap(), None);
    assert_eq!(store.version(photo.file_id, photo.version_id).await.unwrap(), None);
    assert_eq!(store.file_by_identity(&new.tenant, &new.file_identity).await.unwrap(), None);
    assert_eq!(store.versions(photo.file_id, None, 10).await.unwrap(), []);
    for change in [Change::Trash, Change::Restore, Change::Purge] {
        assert!(matches!(store.change(photo.file_id, &change, None).await, Err(StoreError::NotFound)), "{change:?}");
    }
    assert_eq!(store.census().await.unwrap().iter().map(|line| line.rows).sum::<u64>(), 2, "only the other file's");
    assert!(stands(&store, &kept).await.file.trashed_at.is_none());
}

pub(super) async fn only_a_newer_upload_brings_a_file_back(Store { store, .. }: Store) {
    for purged in [false, true] {
        let key = format!("{purged}.jpg");
        let first = registered(&store, &sequenced(&key, "5")).await;
        changed(&store, first.file_id, Change::Trash).await;
        if purged {
            changed(&store, first.file_id, Change::Purge).await;
        }
        let hides = async |registration: Registration| {
            assert_eq!(registration.file_id, first.file_id);
            let file = store.file(first.file_id).await.unwrap();
            assert!(file.is_none_or(|state| state.file.trashed_at.is_some()), "purged: {purged}");
        };
        hides(store.register(&sequenced(&key, "5")).await.unwrap()).await;
        hides(store.register(&sequenced(&key, "4")).await.unwrap()).await;
        let newer = registered(&store, &sequenced(&key, "6")).await;
        assert!(newer.is_current && newer.file_id == first.file_id);
        let shown = store.file(first.file_id).await.unwrap().unwrap();
        assert_eq!((shown.file.trashed_at, shown.version.id), (None, newer.version_id));
        assert!(shown.file.revision > 1, "a client that saw the file before sees that it has changed");
        claimed(&store, &newer).await;
    }
}

pub(super) async fn a_removed_source_goes_to_the_trash_unless_a_newer_version_is_there(Store { store, .. }: Store) {
    let new = sequenced("beach.jpg", "5");
    let removed = async |sequence: &str| store.source_removed(&deletion(&new, None, order(sequence))).await.unwrap();
    let photo = registered(&store, &new).await;
    assert_eq!(removed("4").await, SourceRemoval::Superseded);
    assert!(!is_trashed(&store, photo.file_id).await);
    assert_eq!(removed("6").await, SourceRemoval::Trashed);
    assert_eq!(removed("6").await, SourceRemoval::AlreadyTrashed);
    assert!(is_suspended(&state(&store, &photo, SMALL).await));
    registered(&store, &sequenced("beach.jpg", "7")).await;
    assert!(!is_trashed(&store, photo.file_id).await);
    let nameless = NewFileVersion { order: VersionOrder::default(), ..version_of("plain.jpg", "etag:1") };
    let plain = registered(&store, &nameless).await;
    let removal = store.source_removed(&deletion(&nameless, None, VersionOrder::default())).await;
    assert_eq!(removal.unwrap(), SourceRemoval::Trashed, "without an order the last to arrive counts");
    assert!(!store.register(&nameless).await.unwrap().is_new);
    assert!(is_trashed(&store, plain.file_id).await, "the same upload once more brings nothing back");
}

pub(super) async fn a_removal_that_comes_first_is_remembered(Store { store, .. }: Store) {
    let new = sequenced("beach.jpg", "5");
    let removal = store.source_removed(&deletion(&new, None, order("6"))).await.unwrap();
    assert_eq!(removal, SourceRemoval::Trashed);
    assert_eq!(store.file_by_identity(&new.tenant, &new.file_identity).await.unwrap(), None);
    assert_eq!(store.recent(None, 10).await.unwrap(), []);
    let late = registered(&store, &new).await;
    assert!(is_trashed(&store, late.file_id).await);
    assert_eq!(store.claim(late.version_id, &token(), LONG).await.unwrap(), None);
    let newer = registered(&store, &sequenced("beach.jpg", "7")).await;
    assert!(!is_trashed(&store, newer.file_id).await);
}

pub(super) async fn a_file_shows_the_newest_version_that_is_not_in_the_trash(Store { store, .. }: Store) {
    let third = registered(&store, &sequenced("beach.jpg", "3")).await;
    let first = registered(&store, &sequenced("beach.jpg", "1")).await;
    let second = registered(&store, &sequenced("beach.jpg", "2")).await;
    let file = third.file_id;
    let shown = async || store.file(file).await.unwrap().unwrap().version.id;
    assert_eq!(shown().await, third.version_id);
    changed(&store, file, Change::TrashVersion(third.version_id)).await;
    assert_eq!(shown().await, second.version_id);
    refused(&store, file, Change::TrashVersion(third.version_id), Conflict::Trashed).await;
    changed(&store, file, Change::TrashVersion(first.version_id)).await;
    assert_eq!(shown().await, second.version_id);
    refused(&store, file, Change::TrashVersion(second.version_id), Conflict::OnlyVersion).await;
    changed(&store, file, Change::PurgeVersion(third.version_id)).await;
    assert_eq!(store.version(file, third.version_id).await.unwrap(), None);
    changed(&store, file, Change::RestoreVersion(first.version_id)).await;
    assert_eq!(shown().await, second.version_id, "restored, it is there again, and no more");
    let other = registered(&store, &photo("other.jpg")).await;
    let foreign = store.change(other.file_id, &Change::TrashVersion(first.version_id), None).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
}

pub(super) async fn a_version_stops_in_the_trash_and_goes_on_after_it(Store { store, .. }: Store) {
    let first = registered(&store, &version_of("beach.jpg", "etag:1")).await;
    let second = registered(&store, &version_of("beach.jpg", "etag:2")).await;
    let late = claimed(&store, &first).await;
    changed(&store, first.file_id, Change::TrashVersion(first.version_id)).await;
    assert!(stands(&store, &first).await.version.trashed_at.is_some());
    assert!(stands(&store, &first).await.file.trashed_at.is_none());
    assert!(!store.extend(&late, LONG).await.unwrap());
    assert_eq!(state(&store, &second, SMALL).await, State::Pending, "the other version goes on");
    // The file's way through the trash leaves a version there that was put there on its own.
    changed(&store, first.file_id, Change::Trash).await;
    changed(&store, first.file_id, Change::Restore).await;
    assert!(is_suspended(&state(&store, &first, SMALL).await));
    assert_eq!(state(&store, &second, SMALL).await, State::Pending);
    changed(&store, first.file_id, Change::RestoreVersion(first.version_id)).await;
    claimed(&store, &first).await;
    let condition = Condition::Existing { revision: Some(u32::MAX) };
    let stale = store.register(&NewFileVersion { condition, ..version_of("beach.jpg", "etag:3") }).await;
    assert!(matches!(stale, Err(StoreError::Conflict(Conflict::RevisionDiffers))), "{stale:?}");
}

pub(super) async fn a_removal_that_comes_again_and_later_counts(Store { store, .. }: Store) {
    let new = sequenced("beach.jpg", "5");
    let photo = registered(&store, &new).await;
    changed(&store, photo.file_id, Change::Trash).await;
    let removal = store.source_removed(&deletion(&new, None, order("8"))).await.unwrap();
    assert_eq!(removal, SourceRemoval::AlreadyTrashed);
    registered(&store, &sequenced("beach.jpg", "7")).await;
    assert!(is_trashed(&store, photo.file_id).await, "what came between the two removals stays removed");
    registered(&store, &sequenced("beach.jpg", "9")).await;
    assert!(!is_trashed(&store, photo.file_id).await);
}

pub(super) async fn a_removed_version_goes_alone_and_the_last_one_with_its_file(Store { store, .. }: Store) {
    let first = version_of("beach.jpg", "version_id:1");
    let removed = async |version: &str| {
        let named = deletion(&first, Some(version), VersionOrder::default());
        store.source_removed(&named).await.unwrap()
    };
    assert_eq!(removed("version_id:1").await, SourceRemoval::UnknownVersion, "not even the file is known");
    let one = registered(&store, &first).await;
    let two = registered(&store, &version_of("beach.jpg", "version_id:2")).await;
    assert_eq!(removed("version_id:3").await, SourceRemoval::UnknownVersion);
    assert_eq!(removed("version_id:2").await, SourceRemoval::Trashed);
    assert_eq!(removed("version_id:2").await, SourceRemoval::AlreadyTrashed);
    let shown = store.file(one.file_id).await.unwrap().unwrap();
    assert_eq!((shown.version.id, shown.file.trashed_at), (one.version_id, None));
    assert!(is_suspended(&state(&store, &two, SMALL).await));
    assert_eq!(removed("version_id:1").await, SourceRemoval::Trashed);
    assert!(is_trashed(&store, one.file_id).await);
}

pub(super) async fn what_was_put_without_versions_is_removed_without_the_others(Store { store, .. }: Store) {
    let plain = |new: NewFileVersion| {
        let source = SourceLocation::Bucket { bucket: "photos".to_owned(), key: new.name.clone(), version: None };
        NewFileVersion { source, ..new }
    };
    let removed = async |new: &NewFileVersion, sequence: &str| {
        let gone = FileDeletion { what: Deleted::Unversioned, ..deletion(new, None, order(sequence)) };
        store.source_removed(&gone).await.unwrap()
    };
    let only = plain(sequenced("only.jpg", "1"));
    let file = registered(&store, &only).await.file_id;
    assert_eq!(removed(&only, "2").await, SourceRemoval::Trashed);
    assert!(is_trashed(&store, file).await, "the bucket keeps no versions: it was all there is");

    let old = registered(&store, &plain(sequenced("beach.jpg", "1"))).await;
    let versioned = registered(&store, &sequenced("beach.jpg", "2")).await;
    let newest = registered(&store, &plain(sequenced("beach.jpg", "5"))).await;
    assert_eq!(removed(&photo("beach.jpg"), "3").await, SourceRemoval::Trashed);
    assert!(is_suspended(&state(&store, &old, SMALL).await));
    let shown = store.file(old.file_id).await.unwrap().unwrap();
    assert_eq!((shown.version.id, shown.file.trashed_at), (newest.version_id, None), "it is newer than the removal");
    assert_eq!(removed(&photo("beach.jpg"), "6").await, SourceRemoval::Trashed);
    let shown = store.file(old.file_id).await.unwrap().unwrap();
    assert_eq!((shown.version.id, shown.file.trashed_at), (versioned.version_id, None));
    assert_eq!(removed(&photo("beach.jpg"), "7").await, SourceRemoval::UnknownVersion);
}

pub(super) async fn the_way_through_the_trash_is_told(Store { store, .. }: Store) {
    let new = sequenced("beach.jpg", "5");
    let photo = registered(&store, &new).await;
    changed(&store, photo.file_id, Change::Trash).await;
    changed(&store, photo.file_id, Change::Restore).await;
    store.source_removed(&deletion(&new, None, order("6"))).await.unwrap();
    let newer = registered(&store, &sequenced("beach.jpg", "7")).await;
    assert_eq!(kinds(&store, photo.file_id).await, ["trashed", "restored", "source_removed", "restored"]);
    changed(&store, photo.file_id, Change::TrashVersion(photo.version_id)).await;
    changed(&store, photo.file_id, Change::RestoreVersion(photo.version_id)).await;
    changed(&store, photo.file_id, Change::TrashVersion(photo.version_id)).await;
    changed(&store, photo.file_id, Change::PurgeVersion(photo.version_id)).await;
    assert_eq!(kinds(&store, newer.file_id).await, ["restored", "purged"], "the entries of a version go with it");
    changed(&store, newer.file_id, Change::Trash).await;
    changed(&store, newer.file_id, Change::Purge).await;
    assert_eq!(kinds(&store, newer.file_id).await, ["purged"]);
}

pub(super) async fn what_is_in_the_trash_is_not_redriven(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &photo).await;
    settled(&store, &photo, &token, &[SMALL], &Outcome::Error(failure(FailureCode::DeadlineExceeded))).await;
    changed(&store, photo.file_id, Change::Trash).await;
    let before = stands(&store, &photo).await.representations;
    let everything = FailureFilter::default();
    assert_eq!(store.count_failures(&everything).await.unwrap().versions, 0);
    assert_eq!(store.redrive(&everything, Lane::Backfill, 10).await.unwrap().versions, 0);
    let ended = store.redrive_ended(FailureCode::DeadlineExceeded, Duration::ZERO, 3, 10).await.unwrap();
    assert_eq!(ended.versions, 0);
    assert_eq!(stands(&store, &photo).await.representations, before);
    changed(&store, photo.file_id, Change::Restore).await;
    assert_eq!(store.redrive(&everything, Lane::Backfill, 10).await.unwrap().versions, 1);
}

pub(super) async fn what_was_in_the_trash_for_long_enough_is_removed_for_good(scratch: Store) {
    let store = &scratch.store;
    let old = registered(store, &photo("old.jpg")).await;
    let young = registered(store, &photo("young.jpg")).await;
    let shown = registered(store, &photo("shown.jpg")).await;
    let newer = registered(store, &version_of("shown.jpg", "etag:2")).await;
    changed(store, shown.file_id, Change::TrashVersion(shown.version_id)).await;
    changed(store, old.file_id, Change::Trash).await;
    scratch.tamper("UPDATE file SET trashed_at = trashed_at - 7200000").await;
    scratch.tamper("UPDATE file_version SET trashed_at = trashed_at - 7200000").await;
    changed(store, young.file_id, Change::Trash).await;
    assert_eq!(store.forget_removed(LONG, 10).await.unwrap(), 0, "it has not been removed for good yet");
    assert_eq!(store.purge_trashed(LONG, 10).await.unwrap(), 2);
    assert_eq!(store.purge_trashed(LONG, 10).await.unwrap(), 0);
    assert_eq!(store.file(old.file_id).await.unwrap(), None);
    assert!(is_trashed(store, young.file_id).await);
    assert_eq!(store.version(shown.file_id, shown.version_id).await.unwrap(), None);
    assert_eq!(store.file(shown.file_id).await.unwrap().unwrap().version.id, newer.version_id);
}

pub(super) async fn what_was_removed_is_known_as_removed_for_a_while(scratch: Store) {
    let store = &scratch.store;
    let seen = sequenced("seen.jpg", "5");
    let file = registered(store, &seen).await;
    changed(store, file.file_id, Change::Trash).await;
    changed(store, file.file_id, Change::Purge).await;
    let unseen = sequenced("unseen.jpg", "5");
    store.source_removed(&deletion(&unseen, None, order("6"))).await.unwrap();
    assert_eq!(store.forget_removed(LONG, 10).await.unwrap(), 0);
    scratch.tamper("UPDATE file SET trashed_at = trashed_at - 7200000").await;
    assert_eq!(store.forget_removed(LONG, 10).await.unwrap(), 1, "the other one was removed just now");
    let late = registered(store, &unseen).await;
    assert!(!is_trashed(store, late.file_id).await, "nobody remembers");
    scratch.tamper("UPDATE file SET purged_at = purged_at - 7200000").await;
    assert_eq!(store.forget_removed(LONG, 10).await.unwrap(), 1);
    assert_eq!(store.life(file.file_id).await.unwrap(), None);
    assert!(registered(store, &seen).await.file_id > file.file_id, "ids are never used twice");
}
