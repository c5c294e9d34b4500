//! Preset changes: what is made anew, what is read meanwhile, and the way back.

use std::time::Duration;

use adapters::db::Database;
use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::domain::preset::RecipeHash;
use shared::domain::representation::{Content, Outcome, State};
use shared::ports::collection::{CollectionStore, Condemned};
use shared::ports::file_store::{Change, FileStore};
use shared::ports::renewal::{Renewal, RenewalStore, Renewed};
use shared::ports::state_store::{Registration, StateStore};

use super::fixtures::*;
use super::scratch::Store;

fn recipe(name: &str) -> RecipeHash {
    RecipeHash::from_stored(name.to_owned())
}

/// The small preset has changed: its recipe is another one now.
fn renewal(store_recipe: &RecipeHash, to: &str) -> [Renewal; 1] {
    [Renewal { preset: preset(SMALL), made_by: store_recipe.clone(), recipe: recipe(to) }]
}

/// A file whose two representations are there, and the recipe of the small one.
async fn made(store: &Database, key: &str, seed: u32) -> (Registration, RecipeHash) {
    let file = registered(store, &photo(key)).await;
    let token = claimed(store, &file).await;
    settled(store, &file, &token, &[SMALL], &Outcome::Success(content(seed, 3))).await;
    settled(store, &file, &token, &[MEDIUM], &Outcome::Success(content(seed + 50, 1))).await;
    let recipe = row(store, &file, SMALL).await.recipe;
    (file, recipe)
}

async fn reads(store: &Database, file: &Registration) -> Content {
    match state(store, file, SMALL).await {
        State::Success(content) => content,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn recipes_are_counted_page_by_page(Store { store, .. }: Store) {
    for (key, seed) in [("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)] {
        made(&store, key, seed).await;
    }
    let (trashed, _) = made(&store, "trashed.jpg", 4).await;
    store.change(trashed.file_id, &Change::Trash, None).await.unwrap();
    registered(&store, &photo("pending.jpg")).await;
    let (mut after, mut representations, mut bytes) = (None, 0, 0);
    loop {
        let page = store.recipes(after, 2).await.unwrap();
        for line in page.lines.iter().filter(|line| line.preset.as_str() == SMALL) {
            representations += line.representations;
            bytes += line.bytes;
            assert_eq!(line.renewing, 0);
        }
        match page.last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    assert_eq!((representations, bytes), (3, (1..=3).map(|seed| content(seed, 3).first().length_bytes).sum()));
}

pub(super) async fn old_bytes_are_read_until_the_new_ones_are_there(Store { store, .. }: Store) {
    let (file, old) = made(&store, "beach.jpg", 1).await;
    let medium = row(&store, &file, MEDIUM).await;
    let renewals = renewal(&old, "new");
    assert_eq!(store.stale(&renewals, None, 10).await.unwrap().len(), 1);
    let renewed = store.renew(&renewals, None, 10).await.unwrap();
    assert_eq!(renewed, Renewed { representations: 1, versions: 1, last: Some(file.version_id) });
    assert_eq!(store.renew(&renewals, renewed.last, 10).await.unwrap(), Renewed::default());
    assert_eq!(store.renew(&renewals, None, 10).await.unwrap().representations, 0, "it is on its way");
    let waiting = row(&store, &file, SMALL).await;
    assert_eq!((waiting.recipe, waiting.renewal), (old.clone(), Some(recipe("new"))));
    assert_eq!(reads(&store, &file).await, content(1, 3));
    let backlog = store.backlog().await.unwrap();
    assert!(backlog.iter().all(|line| line.pending == u64::from(line.lane == Lane::Backfill)), "{backlog:?}");
    assert_eq!(store.due(LONG, 10).await.unwrap().len(), 1, "the sweeper wakes it at once");

    let token = claimed(&store, &file).await;
    assert_eq!(reads(&store, &file).await, content(1, 3), "while it is made, too");
    settled(&store, &file, &token, &[SMALL], &retry(Duration::ZERO, false)).await;
    assert_eq!(reads(&store, &file).await, content(1, 3));
    let token = claimed(&store, &file).await;
    settled(&store, &file, &token, &[SMALL], &Outcome::Success(content(9, 2))).await;
    assert_eq!(reads(&store, &file).await, content(9, 2));
    let now = row(&store, &file, SMALL).await;
    assert_eq!((now.recipe, now.renewal), (recipe("new"), None));
    assert_eq!(row(&store, &file, MEDIUM).await, medium, "the other preset has not changed");
    assert_eq!(store.count_condemned().await.unwrap(), Condemned::default(), "there is a way back");
}

pub(super) async fn what_cannot_be_made_anew_stays_as_it_was(scratch: Store) {
    let store = &scratch.store;
    let (file, old) = made(store, "beach.jpg", 1).await;
    let before = row(store, &file, SMALL).await;
    let is_as_before = async || {
        let now = row(store, &file, SMALL).await;
        assert_eq!((now.state, now.recipe, now.renewal), (before.state.clone(), old.clone(), None));
        assert_eq!(now.last_failure, None);
    };
    // An error, a deadline, the trash: the old bytes survive each.
    store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
    let token = claimed(store, &file).await;
    let failed = Outcome::Error(failure(FailureCode::SourceMissing));
    settled(store, &file, &token, &[SMALL], &failed).await;
    is_as_before().await;
    store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
    let token = claimed(store, &file).await;
    settled(store, &file, &token, &[SMALL], &retry(LONG, false)).await;
    scratch.tamper("UPDATE representation SET first_attempt_at = 1 WHERE state = 'pending'").await;
    let overdue = failure(FailureCode::DeadlineExceeded);
    assert_eq!(store.give_up_overdue(&[(Lane::Backfill, LONG)], &overdue).await.unwrap(), 1);
    is_as_before().await;
    store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
    for change in [Change::Trash, Change::Restore] {
        store.change(file.file_id, &change, None).await.unwrap();
    }
    is_as_before().await;
}

pub(super) async fn what_was_replaced_can_be_put_back(Store { store, .. }: Store) {
    let (done, old) = made(&store, "done.jpg", 1).await;
    let (waiting, _) = made(&store, "waiting.jpg", 2).await;
    store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
    let token = claimed(&store, &done).await;
    settled(&store, &done, &token, &[SMALL], &Outcome::Success(content(9, 2))).await;
    let late = claimed(&store, &waiting).await;

    assert_eq!(store.roll_back(Some(&preset(MEDIUM)), 10).await.unwrap(), Renewed::default());
    let back = store.roll_back(Some(&preset(SMALL)), 1).await.unwrap();
    assert_eq!((back.representations, back.last), (1, Some(done.version_id)));
    assert_eq!(store.roll_back(None, 10).await.unwrap().representations, 1);
    assert_eq!(store.roll_back(None, 10).await.unwrap(), Renewed::default());
    for (file, seed) in [(&done, 1), (&waiting, 2)] {
        assert_eq!(reads(&store, file).await, content(seed, 3));
        let now = row(&store, file, SMALL).await;
        assert_eq!((now.recipe, now.renewal), (old.clone(), None));
    }
    assert!(!store.extend(&late, LONG).await.unwrap(), "whoever was making it finds its lease lost");
    let written = store.settle(waiting.version_id, &late, &[(preset(SMALL), Outcome::Success(content(8, 1)))]).await;
    assert_eq!(written.unwrap(), []);
    // What took their place for a while is garbage; of the one that waited, the old bytes are looked at in vain.
    assert!(store.count_condemned().await.unwrap().blobs >= 2);
}

pub(super) async fn the_way_back_is_given_up_after_a_while(scratch: Store) {
    let store = &scratch.store;
    let (file, old) = made(store, "beach.jpg", 1).await;
    store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
    scratch.tamper("UPDATE former SET replaced_at = replaced_at - 7200000").await;
    assert_eq!(store.forget_former(LONG, 10).await.unwrap(), 0, "it is not replaced yet");
    let token = claimed(store, &file).await;
    settled(store, &file, &token, &[SMALL], &Outcome::Success(content(9, 1))).await;
    assert_eq!(store.count_condemned().await.unwrap(), Condemned::default());
    assert_eq!(store.forget_former(LONG, 10).await.unwrap(), 1);
    assert_eq!(store.count_condemned().await.unwrap().blobs, 3);
    assert_eq!(store.roll_back(None, 10).await.unwrap(), Renewed::default());
    assert_eq!(reads(store, &file).await, content(9, 1));
}

pub(super) async fn a_preset_that_changes_again_is_made_by_its_last_recipe(Store { store, .. }: Store) {
    let (waiting, old) = made(&store, "waiting.jpg", 1).await;
    store.renew(&renewal(&old, "second"), None, 10).await.unwrap();
    store.renew(&renewal(&old, "third"), None, 10).await.unwrap();
    assert_eq!(row(&store, &waiting, SMALL).await.renewal, Some(recipe("third")));
    let token = claimed(&store, &waiting).await;
    settled(&store, &waiting, &token, &[SMALL], &Outcome::Success(content(3, 2))).await;
    // Changed once more after that: the way back leads to what was before, not to the beginning.
    store.renew(&renewal(&recipe("third"), "fourth"), None, 10).await.unwrap();
    assert_eq!(store.count_condemned().await.unwrap().blobs, 3, "there is one way back, not two");
    let token = claimed(&store, &waiting).await;
    settled(&store, &waiting, &token, &[SMALL], &Outcome::Success(content(4, 1))).await;
    store.roll_back(None, 10).await.unwrap();
    assert_eq!(reads(&store, &waiting).await, content(3, 2));
    assert_eq!(row(&store, &waiting, SMALL).await.recipe, recipe("third"));
}

pub(super) async fn what_was_packed_comes_back_as_it_was(scratch: Store) {
    let store = &scratch.store;
    let file = registered(store, &photo("beach.jpg")).await;
    let token = claimed(store, &file).await;
    settled(store, &file, &token, &[SMALL], &Outcome::Success(mixed(1))).await;
    let [_, _, medium] = packed(1);
    settled(store, &file, &token, &[MEDIUM], &Outcome::Success(medium)).await;
    let old = row(store, &file, SMALL).await.recipe;
    let renewed = async |outcome: Outcome| {
        store.renew(&renewal(&old, "new"), None, 10).await.unwrap();
        assert_eq!(reads(store, &file).await, mixed(1), "while it is made anew");
        let token = claimed(store, &file).await;
        settled(store, &file, &token, &[SMALL], &outcome).await;
    };
    renewed(Outcome::Error(failure(FailureCode::SourceMissing))).await;
    assert_eq!(reads(store, &file).await, mixed(1));
    renewed(Outcome::Success(content(9, 2))).await;
    assert_eq!(reads(store, &file).await, content(9, 2));
    store.roll_back(None, 10).await.unwrap();
    assert_eq!(reads(store, &file).await, mixed(1));
    scratch.tamper("DELETE FROM condemned_blob").await;

    // For good: the other preset keeps the pack, and nothing keeps the pages that had blobs of their own.
    renewed(Outcome::Success(content(8, 4))).await;
    assert_eq!(reads(store, &file).await, content(8, 4));
    scratch.tamper("UPDATE former SET replaced_at = replaced_at - 7200000").await;
    assert_eq!(store.forget_former(LONG, 10).await.unwrap(), 1);
    scratch.tamper("UPDATE condemned_blob SET since = 0, condemned_at = 1").await;
    let taken = store.take_condemned(Duration::ZERO, LONG, 10).await.unwrap();
    assert!(taken.iter().all(|blob| blob.key != pack_key(1)), "{taken:?}");
    assert_eq!(taken.len(), 2, "{taken:?}");
}
