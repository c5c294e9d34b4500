//! Garbage collection: what is deleted, what is not, and what happens when somebody needs it at that very moment.

use std::time::Duration;

use shared::domain::blob_key::BlobKey;
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::ids::Sha256Digest;
use shared::domain::representation::{Outcome, State};
use shared::domain::source::SourceLocation;
use shared::ports::blob_store::StoredBlob;
use shared::ports::collection::{CollectionStore, Condemned};
use shared::ports::file_store::{Change, FileStore};
use shared::ports::state_store::{Conflict, Registration, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

const NOW: Duration = Duration::ZERO;

impl Store {
    /// Long enough ago for every settle of that time to be over.
    async fn two_minutes_later(&self) {
        self.tamper("UPDATE condemned_blob SET since = since - 121000, condemned_at = condemned_at - 121000").await;
    }

    /// Takes what is due without any grace.
    async fn taken(&self) -> Vec<BlobKey> {
        let taken = self.store.take_condemned(NOW, LONG, 100).await.unwrap();
        let mut keys: Vec<_> = taken.into_iter().map(|blob| blob.key).collect();
        keys.sort_by_key(ToString::to_string);
        keys
    }

    async fn purge(&self, file: &Registration) {
        self.store.change(file.file_id, &Change::Trash, None).await.unwrap();
        self.store.change(file.file_id, &Change::Purge, None).await.unwrap();
    }

    /// A file whose small representation has this content.
    async fn rendered(&self, key: &str, seed: u32, pages: u32) -> Registration {
        let file = registered(&self.store, &photo(key)).await;
        let token = claimed(&self.store, &file).await;
        settled(&self.store, &file, &token, &[SMALL], &Outcome::Success(content(seed, pages))).await;
        file
    }
}

fn keys(seed: u32, pages: u32) -> Vec<BlobKey> {
    let mut keys: Vec<_> = content(seed, pages).pages().iter().map(|page| page.blob().clone()).collect();
    keys.sort_by_key(ToString::to_string);
    keys
}

fn stored(key: &BlobKey) -> StoredBlob {
    StoredBlob { key: key.clone(), length_bytes: 7, modified_at: Some(0) }
}

fn upload(key: &str, bytes: &str) -> NewFileVersion {
    let digest = Sha256Digest::of(bytes.as_bytes());
    let source = SourceLocation::Uploaded(BlobKey::Source { tenant: "acme".parse().unwrap(), digest });
    NewFileVersion { source, ..photo(key) }
}

pub(super) async fn what_a_purged_file_had_is_deleted_after_its_grace(scratch: Store) {
    let file = scratch.rendered("beach.jpg", 1, 3).await;
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default());
    scratch.purge(&file).await;
    let bytes = content(1, 3).pages().iter().map(|page| page.length_bytes).sum();
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned { blobs: 3, bytes });
    assert_eq!(scratch.taken().await, [], "a settle may be about to refer to it");
    scratch.two_minutes_later().await;
    assert_eq!(scratch.store.take_condemned(LONG, LONG, 100).await.unwrap(), [], "its grace is not over");
    assert_eq!(scratch.taken().await, keys(1, 3));
    assert_eq!(scratch.taken().await, [], "somebody has it");
    scratch.store.deleted(&keys(1, 3)).await.unwrap();
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default());
    assert_eq!(scratch.store.forget_deleted(LONG, 100).await.unwrap(), 0);
    scratch.tamper("UPDATE condemned_blob SET deleted_at = deleted_at - 7200000").await;
    assert_eq!(scratch.store.forget_deleted(LONG, 2).await.unwrap(), 2);
    assert_eq!(scratch.store.forget_deleted(LONG, 2).await.unwrap(), 1);
}

pub(super) async fn what_another_file_or_version_has_stays(scratch: Store) {
    let gone = scratch.rendered("beach.jpg", 1, 2).await;
    let other = scratch.rendered("copy.jpg", 1, 2).await;
    scratch.purge(&gone).await;
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, []);
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default(), "it is off the list");
    let newer = registered(&scratch.store, &version_of("copy.jpg", "etag:2")).await;
    let token = claimed(&scratch.store, &newer).await;
    settled(&scratch.store, &newer, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    for change in [Change::TrashVersion(other.version_id), Change::PurgeVersion(other.version_id)] {
        scratch.store.change(other.file_id, &change, None).await.unwrap();
    }
    scratch.two_minutes_later().await;
    let only_its_own: Vec<_> = keys(1, 2).into_iter().filter(|key| !keys(1, 1).contains(key)).collect();
    assert_eq!(scratch.taken().await, only_its_own);
}

pub(super) async fn uploads_go_with_their_last_version(scratch: Store) {
    let new = upload("beach.jpg", "bytes");
    let SourceLocation::Uploaded(key) = new.source.clone() else { unreachable!() };
    let one = registered(&scratch.store, &new).await;
    let two = registered(&scratch.store, &upload("copy.jpg", "bytes")).await;
    scratch.purge(&one).await;
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, []);
    scratch.purge(&two).await;
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, [key]);
}

pub(super) async fn only_what_no_row_refers_to_is_condemned(scratch: Store) {
    scratch.rendered("beach.jpg", 1, 2).await;
    let leaked: Vec<StoredBlob> = keys(2, 1).iter().map(stored).collect();
    let all: Vec<StoredBlob> = keys(1, 2).iter().map(stored).chain(leaked.clone()).collect();
    assert_eq!(scratch.store.unreferenced(&all, LONG).await.unwrap(), leaked);
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default(), "looking changes nothing");
    let young: Vec<_> = leaked.iter().map(|blob| StoredBlob { modified_at: Some(i64::MAX), ..blob.clone() }).collect();
    assert_eq!(scratch.store.condemn(&young, LONG).await.unwrap(), []);
    assert_eq!(scratch.store.condemn(&all, LONG).await.unwrap(), leaked);
    assert_eq!(scratch.store.condemn(&all, LONG).await.unwrap(), [], "it is known");
    scratch.two_minutes_later().await;
    let taken = scratch.store.take_condemned(LONG, LONG, 100).await.unwrap();
    assert_eq!(taken.len(), 1, "it was old when it was found: no second grace");
}

pub(super) async fn of_ten_collectors_one_gets_a_blob(scratch: Store) {
    let file = scratch.rendered("beach.jpg", 1, 40).await;
    scratch.purge(&file).await;
    scratch.two_minutes_later().await;
    let takers = (0..10).map(|_| {
        let store = scratch.store.clone();
        tokio::spawn(async move { store.take_condemned(NOW, LONG, 7).await.unwrap() })
    });
    let mut all = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        all.extend(taker.await.unwrap().into_iter().map(|blob| blob.key.to_string()));
    }
    let taken = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), taken, "two have taken the same one");
    assert!(taken > 0);
}

pub(super) async fn a_settle_spares_what_is_condemned(scratch: Store) {
    let late = registered(&scratch.store, &photo("late.jpg")).await;
    let token = claimed(&scratch.store, &late).await;
    let leaked: Vec<StoredBlob> = keys(1, 1).iter().map(stored).collect();
    assert_eq!(scratch.store.condemn(&leaked, NOW).await.unwrap().len(), 1);
    settled(&scratch.store, &late, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default());
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, []);
    assert!(matches!(state(&scratch.store, &late, SMALL).await, State::Success(_)));
}

pub(super) async fn what_was_taken_is_put_again_before_a_row_says_so(scratch: Store) {
    let late = registered(&scratch.store, &photo("late.jpg")).await;
    let token = claimed(&scratch.store, &late).await;
    let leaked: Vec<StoredBlob> = keys(1, 1).iter().map(stored).collect();
    scratch.store.condemn(&leaked, NOW).await.unwrap();
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, keys(1, 1));
    let outcomes =
        [(preset(SMALL), Outcome::Success(content(1, 1))), (preset(MEDIUM), Outcome::Success(content(2, 1)))];
    assert_eq!(scratch.store.settle(late.version_id, &token, &outcomes).await.unwrap().len(), 2);
    let lost = row(&scratch.store, &late, SMALL).await;
    assert_eq!(lost.state, State::Pending, "its bytes are on their way out");
    assert_eq!(lost.last_failure.unwrap().code, FailureCode::DependencyDown);
    assert!(matches!(state(&scratch.store, &late, MEDIUM).await, State::Success(_)), "the other one has its bytes");

    // Put before it was deleted, settled afterwards: lost all the same.
    scratch.tamper("UPDATE representation SET due_at = 0 WHERE state = 'pending'").await;
    let token = claimed(&scratch.store, &late).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    scratch.store.deleted(&keys(1, 1)).await.unwrap();
    settled(&scratch.store, &late, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    assert_eq!(state(&scratch.store, &late, SMALL).await, State::Pending);

    // Claimed after that, it was put after that.
    scratch.tamper("UPDATE representation SET due_at = 0 WHERE state = 'pending'").await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    let token = claimed(&scratch.store, &late).await;
    settled(&scratch.store, &late, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    assert!(matches!(state(&scratch.store, &late, SMALL).await, State::Success(_)));
}

pub(super) async fn an_upload_of_what_is_being_deleted_is_put_again(scratch: Store) {
    let new = upload("beach.jpg", "bytes");
    let SourceLocation::Uploaded(key) = new.source.clone() else { unreachable!() };
    scratch.store.condemn(&[stored(&key)], NOW).await.unwrap();
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, std::slice::from_ref(&key));
    let refused = async || {
        let answer = scratch.store.register(&new).await;
        assert!(matches!(answer, Err(StoreError::Conflict(Conflict::BlobCollected))), "{answer:?}");
    };
    refused().await;
    assert!(!scratch.store.put_again(&key).await.unwrap(), "whoever deletes it has not done so yet");
    scratch.store.deleted(std::slice::from_ref(&key)).await.unwrap();
    refused().await;
    assert!(scratch.store.put_again(&key).await.unwrap());
    registered(&scratch.store, &new).await;
}

pub(super) async fn a_pack_stays_while_anything_refers_to_a_part_of_it(scratch: Store) {
    let [one, two, _] = packed(1);
    let both = registered(&scratch.store, &photo("both.jpg")).await;
    let token = claimed(&scratch.store, &both).await;
    settled(&scratch.store, &both, &token, &[SMALL], &Outcome::Success(one)).await;
    settled(&scratch.store, &both, &token, &[MEDIUM], &Outcome::Success(two.clone())).await;
    let twin = registered(&scratch.store, &photo("twin.jpg")).await;
    let token = claimed(&scratch.store, &twin).await;
    settled(&scratch.store, &twin, &token, &[MEDIUM], &Outcome::Success(two)).await;

    scratch.purge(&both).await;
    let condemned = Condemned { blobs: 1, bytes: 200 };
    assert_eq!(scratch.store.count_condemned().await.unwrap(), condemned, "as long as the last page that it had");
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, [], "its twin has a part of it");
    assert_eq!(scratch.store.unreferenced(&[stored(&pack_key(1))], LONG).await.unwrap(), []);
    scratch.purge(&twin).await;
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, [pack_key(1)]);
    assert_eq!(scratch.store.unreferenced(&[stored(&pack_key(2))], LONG).await.unwrap().len(), 1, "never settled");
}

pub(super) async fn a_pack_that_was_taken_is_put_again_for_every_row(scratch: Store) {
    let late = registered(&scratch.store, &photo("late.jpg")).await;
    let [small, medium, _] = packed(1);
    let outcomes = [(preset(SMALL), Outcome::Success(small)), (preset(MEDIUM), Outcome::Success(medium))];
    let is_there = async || {
        let state = stands(&scratch.store, &late).await;
        state.representations.iter().filter(|row| matches!(row.state, State::Success(_))).count()
    };
    let token = claimed(&scratch.store, &late).await;
    scratch.store.condemn(&[stored(&pack_key(1))], NOW).await.unwrap();
    scratch.two_minutes_later().await;
    assert_eq!(scratch.taken().await, [pack_key(1)]);
    scratch.store.settle(late.version_id, &token, &outcomes).await.unwrap();
    assert_eq!(is_there().await, 0, "all of its pages are on their way out");
    scratch.store.deleted(&[pack_key(1)]).await.unwrap();
    scratch.tamper("UPDATE representation SET due_at = 0 WHERE state = 'pending'").await;
    tokio::time::sleep(Duration::from_millis(2)).await;

    // Put again under a later claim, and condemned meanwhile: the settle spares it for all of them.
    let token = claimed(&scratch.store, &late).await;
    scratch.tamper("UPDATE condemned_blob SET deleted_at = NULL, since = 0, condemned_at = 1").await;
    scratch.store.settle(late.version_id, &token, &outcomes).await.unwrap();
    assert_eq!(is_there().await, 2);
    assert_eq!(scratch.taken().await, []);
    assert_eq!(scratch.store.count_condemned().await.unwrap(), Condemned::default());
}
