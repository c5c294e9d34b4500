//! How attempts end.

use std::time::Duration;

use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::StateStore;

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn success_shows_its_content_and_ends_the_work(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    let row = row(&store, &registration, SMALL).await;
    assert_eq!((row.state, row.attempts, row.last_failure), (State::Success(content(1, 1)), 1, None));
    assert!(row.settled_at.is_some_and(|at| at >= row.pending_since));
    assert_eq!(state(&store, &registration, MEDIUM).await, State::Pending);
    settled(&store, &registration, &token, &[MEDIUM], &Outcome::Success(content(2, 1))).await;
    assert!(!store.extend(&token, LONG).await.unwrap(), "nothing is held any more");
    assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), []);
}

pub(super) async fn only_held_rows_are_written(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    store.ask(registration.version_id, &wanted(&[LARGE]), Lane::Normal).await.unwrap();
    let second = claimed(&store, &registration).await;
    let outcomes = [SMALL, LARGE, "jpg_paged_2048x2048"].map(|name| (preset(name), Outcome::Success(content(1, 1))));
    let written = store.settle(registration.version_id, &first, &outcomes).await.unwrap();
    assert_eq!(written, [preset(SMALL)], "one is somebody else's, one was never wanted");
    assert_eq!(state(&store, &registration, LARGE).await, State::Pending);
    let other = registered(&store, &photo("other.jpg")).await;
    assert_eq!(store.settle(other.version_id, &second, &outcomes).await.unwrap(), []);
    settled(&store, &registration, &second, &[LARGE], &Outcome::Success(content(2, 1))).await;
}

pub(super) async fn a_second_settle_writes_nothing(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    assert_eq!(store.settle(registration.version_id, &token, &[]).await.unwrap(), []);
    settled(&store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    for late in [
        Outcome::Success(content(2, 1)),
        Outcome::Viewable(content(2, 1)),
        Outcome::Error(failure(FailureCode::CorruptSource)),
        retry(Duration::ZERO, false),
        Outcome::HandBack,
    ] {
        let written = store.settle(registration.version_id, &token, &[(preset(SMALL), late)]).await.unwrap();
        assert_eq!(written, []);
        let row = row(&store, &registration, SMALL).await;
        assert_eq!((row.state, row.attempts), (State::Success(content(1, 1)), 1));
    }
}

pub(super) async fn an_error_is_final_and_says_why(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    let failure = failure(FailureCode::CorruptSource);
    settled(&store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Error(failure.clone())).await;
    let row = row(&store, &registration, SMALL).await;
    assert_eq!((row.state, row.crashes), (State::Error(failure.clone()), 0));
    assert_eq!(row.last_failure, Some(failure));
    assert!(row.settled_at.is_some());
    assert_eq!(store.claim(registration.version_id, &token, LONG).await.unwrap(), None);
    assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), []);
}

pub(super) async fn a_retry_is_due_after_its_wait_by_the_databases_clock(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    // Long enough for a busy machine to look twice before it has passed.
    let wait = Duration::from_secs(1);
    settled(&store, &registration, &first, &[SMALL, MEDIUM], &retry(wait, false)).await;
    let waiting = row(&store, &registration, SMALL).await;
    assert_eq!((waiting.state, waiting.attempts), (State::Pending, 1));
    assert_eq!(waiting.last_failure, Some(failure(FailureCode::DependencyDown)));
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);

    // Whatever the patience: nobody has woken it yet.
    let due = || async { store.due(LONG, 10).await.unwrap().pop() };
    let (due, took) = eventually("the sweeper sees it", due).await;
    assert_eq!(due.version, registration.version_id);
    assert!(took > wait / 2, "it was due after {took:?}");
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    // Its sibling was settled by a later statement, and may be due a moment later.
    let attempts = |preset| claim.state.representation(preset).map(|row| row.attempts);
    assert!(claim.presets.iter().all(|preset| attempts(preset) == Some(2)));
}

pub(super) async fn a_success_forgets_earlier_failures(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    settled(&store, &registration, &first, &[SMALL, MEDIUM], &retry(Duration::ZERO, false)).await;
    let second = claimed(&store, &registration).await;
    assert!(row(&store, &registration, SMALL).await.last_failure.is_some(), "kept while trying again");
    settled(&store, &registration, &second, &[SMALL], &Outcome::Success(content(1, 1))).await;
    assert_eq!(row(&store, &registration, SMALL).await.last_failure, None);
}

pub(super) async fn crashes_are_counted_apart(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let crash = failure(FailureCode::ChildTimeout);
    for crashes in 1..3 {
        let token = claimed(&store, &registration).await;
        let outcome = Outcome::Retry { failure: crash.clone(), wait: Duration::ZERO, excused: false };
        settled(&store, &registration, &token, &[SMALL], &outcome).await;
        settled(&store, &registration, &token, &[MEDIUM], &retry(Duration::ZERO, false)).await;
        let (small, medium) = (row(&store, &registration, SMALL).await, row(&store, &registration, MEDIUM).await);
        assert_eq!((small.attempts, small.crashes), (crashes, crashes));
        assert_eq!((medium.attempts, medium.crashes), (crashes, 0));
    }
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Error(crash)).await;
    assert_eq!(row(&store, &registration, SMALL).await.crashes, 3, "the one that ended it is counted too");
}

pub(super) async fn a_claim_handed_back_leaves_no_trace(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let before = stands(&store, &registration).await;
    let first = claimed(&store, &registration).await;
    settled(&store, &registration, &first, &[SMALL, MEDIUM], &Outcome::HandBack).await;
    assert_eq!(stands(&store, &registration).await, before);
    assert_eq!(store.due(LONG, 10).await.unwrap().len(), 1, "the sweeper does not lose patience first");
    let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
    assert_eq!((claim.presets.len(), claim.since_first_attempt), (2, Duration::ZERO));
    assert!(claim.state.representations.iter().all(|row| row.attempts == 1));
}

pub(super) async fn viewable_keeps_the_lease_and_success_completes_it(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("scan.tiff")).await;
    let holder = claimed(&store, &registration).await;
    settled(&store, &registration, &holder, &[SMALL], &Outcome::Viewable(content(1, 2))).await;
    let viewable = row(&store, &registration, SMALL).await;
    assert_eq!((viewable.state, viewable.settled_at), (State::Viewable(content(1, 2)), None));
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);
    settled(&store, &registration, &holder, &[SMALL], &Outcome::Success(content(1, 5))).await;
    assert_eq!(state(&store, &registration, SMALL).await, State::Success(content(1, 5)));
}

pub(super) async fn viewable_twice_is_refused(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("scan.tiff")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Viewable(content(1, 1))).await;
    let again = [(preset(SMALL), Outcome::Viewable(content(1, 2)))];
    assert_eq!(store.settle(registration.version_id, &token, &again).await.unwrap(), []);
    assert_eq!(state(&store, &registration, SMALL).await, State::Viewable(content(1, 1)));
}

pub(super) async fn an_error_takes_viewable_pages_away(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("scan.tiff")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Viewable(content(1, 3))).await;
    let failure = failure(FailureCode::Truncated);
    settled(&store, &registration, &token, &[SMALL], &Outcome::Error(failure.clone())).await;
    assert_eq!(state(&store, &registration, SMALL).await, State::Error(failure));
}

pub(super) async fn many_pages_read_back_in_order(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("scan.tiff")).await;
    let first = claimed(&store, &registration).await;
    let outcomes =
        [(preset(SMALL), Outcome::Success(content(1, 2_500))), (preset(MEDIUM), Outcome::Viewable(content(2, 12)))];
    assert_eq!(store.settle(registration.version_id, &first, &outcomes).await.unwrap().len(), 2);
    assert_eq!(state(&store, &registration, SMALL).await, State::Success(content(1, 2_500)));
    // Another attempt finds other bytes, and fewer pages.
    store.extend(&first, Duration::ZERO).await.unwrap();
    let second = claimed(&store, &registration).await;
    settled(&store, &registration, &second, &[MEDIUM], &Outcome::Success(content(3, 11))).await;
    assert_eq!(state(&store, &registration, MEDIUM).await, State::Success(content(3, 11)));
}

pub(super) async fn packed_pages_read_back_where_they_are(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &photo).await;
    let [small, ..] = packed(2);
    settled(&store, &photo, &token, &[SMALL], &Outcome::Success(small.clone())).await;
    assert_eq!(state(&store, &photo, SMALL).await, State::Success(small));
    // Where the pages of an earlier attempt were says nothing about those of the next one.
    settled(&store, &photo, &token, &[MEDIUM], &Outcome::Viewable(mixed(1))).await;
    assert_eq!(state(&store, &photo, MEDIUM).await, State::Viewable(mixed(1)));
    settled(&store, &photo, &token, &[MEDIUM], &Outcome::Success(content(3, 4))).await;
    assert_eq!(state(&store, &photo, MEDIUM).await, State::Success(content(3, 4)));
}
