//! Claims and leases.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use shared::domain::file::NewFileVersion;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::preset::PresetName;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::{Registration, StateStore};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn a_claim_takes_every_waiting_row_and_counts_an_attempt(Store { store, .. }: Store) {
    let new = photo("beach.jpg");
    let registration = registered(&store, &new).await;
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    let taken: BTreeSet<PresetName> = claim.presets.into_iter().collect();
    assert_eq!(taken, new.wanted.iter().map(|wanted| wanted.preset.clone()).collect());
    assert_eq!((claim.lane, claim.since_first_attempt), (new.lane, Duration::ZERO));
    assert!(claim.waited < LONG);
    assert_eq!(claim.state, stands(&store, &registration).await, "a claim has all that is needed to work");
    assert!(claim.state.representations.iter().all(|row| row.attempts == 1 && row.state == State::Pending));
}

pub(super) async fn of_twenty_claimers_exactly_one_wins(Store { store, .. }: Store) {
    for round in 0..5 {
        let registration = registered(&store, &photo(&format!("{round}.jpg"))).await;
        let tokens: Vec<_> = (0..20).map(|_| token()).collect();
        let claims = join_all(tokens.iter().map(|token| store.claim(registration.version_id, token, LONG))).await;
        let won: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(won[0].presets.len(), 2, "the one has all rows");
        assert!(stands(&store, &registration).await.representations.iter().all(|row| row.attempts == 1));
    }
}

pub(super) async fn held_rows_are_not_taken_but_new_ones_are(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    claimed(&store, &registration).await;
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);
    store.ask(registration.version_id, &wanted(&[SMALL, LARGE]), Lane::Interactive).await.unwrap();
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    assert_eq!((claim.presets, claim.lane), (vec![preset(LARGE)], Lane::Interactive));
    assert_eq!(claim.state.representations.len(), 3, "rows that somebody else holds are shown too");
}

pub(super) async fn nothing_to_take_is_none(Store { store, .. }: Store) {
    let unknown = FileVersionId::new(4711).unwrap();
    assert_eq!(store.claim(unknown, &token(), LONG).await.unwrap(), None);
    let registration = registered(&store, &photo("beach.jpg")).await;
    let holder = claimed(&store, &registration).await;
    settled(&store, &registration, &holder, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);
}

pub(super) async fn the_lane_is_that_of_the_most_urgent_row_taken(Store { store, .. }: Store) {
    // Heavy is more urgent than backfill, although it comes after it in other orders.
    let new = NewFileVersion { lane: Lane::Backfill, ..photo("beach.jpg") };
    let registration = registered(&store, &new).await;
    store.ask(registration.version_id, &wanted(&[MEDIUM]), Lane::Heavy).await.unwrap();
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    assert_eq!((claim.presets.len(), claim.lane), (2, Lane::Heavy));
}

pub(super) async fn an_expired_lease_passes_to_the_next_and_the_first_can_neither_settle_nor_extend(
    Store { store, .. }: Store,
) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let (first, second) = (token(), token());
    let lease = Duration::from_millis(150);
    store.claim(registration.version_id, &first, lease).await.unwrap().unwrap();
    let take = || async { store.claim(registration.version_id, &second, LONG).await.unwrap() };
    let (claim, took) = eventually("the lease runs out", take).await;
    assert!(took > lease / 2, "the lease was over after {took:?}");
    assert!(claim.state.representations.iter().all(|row| row.attempts == 2));

    assert!(!store.extend(&first, LONG).await.unwrap());
    let late = [(preset(SMALL), Outcome::Success(content(1, 1)))];
    assert_eq!(store.settle(registration.version_id, &first, &late).await.unwrap(), []);
    assert_eq!(state(&store, &registration, SMALL).await, State::Pending);
    let result = Outcome::Success(content(2, 1));
    settled(&store, &registration, &second, &[SMALL], &result).await;
    assert_eq!(state(&store, &registration, SMALL).await, State::Success(content(2, 1)));
}

pub(super) async fn an_expired_lease_cannot_be_used_even_if_nobody_took_the_rows(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    assert!(store.extend(&token, Duration::ZERO).await.unwrap(), "prolonged to now, which is over at once");
    assert!(!store.extend(&token, LONG).await.unwrap());
    let late = [(preset(SMALL), Outcome::Success(content(1, 1)))];
    assert_eq!(store.settle(registration.version_id, &token, &late).await.unwrap(), []);
}

pub(super) async fn an_extended_lease_lasts(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let lease = Duration::from_millis(150);
    let holder = token();
    store.claim(registration.version_id, &holder, lease).await.unwrap().unwrap();
    assert!(store.extend(&holder, LONG).await.unwrap());
    assert!(!store.extend(&token(), LONG).await.unwrap(), "nothing is held under another token");
    database_passes(&store, lease).await;
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);
    settled(&store, &registration, &holder, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
}

pub(super) async fn the_first_attempt_is_remembered(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    let wait = Duration::from_millis(60);
    settled(&store, &registration, &first, &[SMALL, MEDIUM], &retry(wait, false)).await;
    let again = || async { store.claim(registration.version_id, &token(), LONG).await.unwrap() };
    let (claim, _) = eventually("the retry is due", again).await;
    assert!(claim.since_first_attempt >= wait, "{:?}", claim.since_first_attempt);
    assert!(claim.waited >= claim.since_first_attempt);
}

pub(super) async fn a_viewable_row_whose_worker_died_is_taken_again(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let died = claimed(&store, &registration).await;
    settled(&store, &registration, &died, &[SMALL], &Outcome::Viewable(content(1, 1))).await;
    store.extend(&died, Duration::ZERO).await.unwrap();
    assert_eq!(store.due(LONG, 10).await.unwrap().len(), 1);
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    assert!(claim.presets.contains(&preset(SMALL)));
    assert_eq!(state(&store, &registration, SMALL).await, State::Viewable(content(1, 1)));
}

/// Returns when the database's clock has gone on by this much: a row of another file is due then.
async fn database_passes(store: &impl StateStore, time: Duration) {
    let clock: Registration = store.register(&photo("clock.jpg")).await.unwrap();
    let (first, second) = (token(), token());
    store.claim(clock.version_id, &first, LONG).await.unwrap().unwrap();
    store.settle(clock.version_id, &first, &[(preset(SMALL), retry(time, false))]).await.unwrap();
    eventually("time passes", || async { store.claim(clock.version_id, &second, LONG).await.unwrap() }).await;
}
