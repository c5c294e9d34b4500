//! What the sweeper finds: rows that wait too long for a worker, and rows whose time is over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use adapters::db::Database;
use futures_util::future::join_all;
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::lane::Lane;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::{Registration, StateStore};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn patience_is_doubled_with_every_wake(Store { store, .. }: Store) {
    let mut since = Instant::now();
    let registration = registered(&store, &photo("beach.jpg")).await;
    let patience = Duration::from_millis(60);
    for doublings in 0..4 {
        let due = || async {
            let asked = Instant::now();
            store.due(patience, 10).await.unwrap().pop().map(|due| (due, asked))
        };
        let ((due, asked), _) = eventually("the version is due", due).await;
        assert_eq!(due.version, registration.version_id);
        // The wait began within the statement before, so never before that was asked; milliseconds are whole.
        let (took, expected) = (since.elapsed(), patience * (1 << doublings));
        assert!(took + Duration::from_millis(2) > expected, "after {doublings} doublings it was due after {took:?}");
        since = asked;
    }
}

pub(super) async fn of_ten_sweepers_one_gets_a_version(Store { store, .. }: Store) {
    // So many that the sweeps, which take some time then, overlap.
    let keys: Vec<String> = (0..150).map(|number| format!("{number}.jpg")).collect();
    let all = join_all(keys.iter().map(|key| tried(&store, key, &Outcome::HandBack))).await;
    for _ in 0..3 {
        let sweeps = join_all((0..10).map(|_| store.due(LONG, 150))).await;
        let found: Vec<_> = sweeps.into_iter().flat_map(Result::unwrap).map(|due| due.version).collect();
        let distinct: BTreeSet<_> = found.iter().copied().collect();
        assert_eq!((found.len(), distinct.len()), (all.len(), all.len()));
        join_all(all.iter().map(|registration| handed_back(&store, registration))).await;
    }
}

pub(super) async fn at_most_the_limit_comes_back_and_the_rest_later(Store { store, .. }: Store) {
    let mut expected = BTreeSet::new();
    for number in 0..5 {
        expected.insert(tried(&store, &format!("{number}.jpg"), &Outcome::HandBack).await.version_id);
    }
    let mut found = BTreeSet::new();
    for count in [2, 2, 1, 0] {
        let due = store.due(LONG, 2).await.unwrap();
        assert_eq!(due.len(), count);
        found.extend(due.into_iter().map(|due| due.version));
    }
    assert_eq!(found, expected);
}

pub(super) async fn held_settled_and_later_rows_are_not_due(Store { store, .. }: Store) {
    let held = registered(&store, &photo("held.jpg")).await;
    claimed(&store, &held).await;
    for (key, outcome) in [
        ("success.jpg", Outcome::Success(content(1, 1))),
        ("error.jpg", Outcome::Error(failure(FailureCode::CorruptSource))),
        ("later.jpg", retry(LONG, false)),
    ] {
        tried(&store, key, &outcome).await;
    }
    assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), []);
    let waiting = registered(&store, &photo("waiting.jpg")).await;
    let due = store.due(Duration::ZERO, 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.version).collect::<Vec<_>>(), [waiting.version_id]);
}

pub(super) async fn an_expired_lease_is_due_at_once(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    assert_eq!(store.due(LONG, 10).await.unwrap(), []);
    store.extend(&token, Duration::ZERO).await.unwrap();
    assert_eq!(store.due(LONG, 10).await.unwrap().len(), 1, "whatever the patience: its last wake was answered");
    assert_eq!(store.due(LONG, 10).await.unwrap(), [], "and then it has been woken");
}

pub(super) async fn the_most_urgent_lane_and_the_tenant_are_told(Store { store, .. }: Store) {
    let tenant = "other".parse().unwrap();
    let new = NewFileVersion { tenant, lane: Lane::Backfill, ..photo("beach.jpg") };
    let registration = registered(&store, &new).await;
    store.ask(registration.version_id, &wanted(&[MEDIUM]), Lane::Heavy).await.unwrap();
    let due = store.due(Duration::ZERO, 10).await.unwrap();
    assert_eq!(due.len(), 1, "a version comes once, however many rows are due");
    assert_eq!((&due[0].tenant, due[0].lane), (&new.tenant, Lane::Heavy));
}

const DEADLINE: Duration = Duration::from_millis(100);

/// Looks for overdue rows until so many have ended, all lanes under one deadline.
async fn overdue(store: &Database, deadline: Duration, rows: u64) {
    let deadlines = Lane::ALL.map(|lane| (lane, deadline));
    let failure = failure(FailureCode::DeadlineExceeded);
    let mut ended = 0;
    while ended < rows {
        let look = || async { Some(store.give_up_overdue(&deadlines, &failure).await.unwrap()).filter(|n| *n > 0) };
        ended += eventually("rows are overdue", look).await.0;
    }
    assert_eq!(ended, rows);
}

async fn tried(store: &Database, key: &str, outcome: &Outcome) -> Registration {
    let registration = registered(store, &photo(key)).await;
    let token = claimed(store, &registration).await;
    settled(store, &registration, &token, &[SMALL, MEDIUM], outcome).await;
    registration
}

async fn handed_back(store: &Database, registration: &Registration) {
    let token = claimed(store, registration).await;
    settled(store, registration, &token, &[SMALL, MEDIUM], &Outcome::HandBack).await;
}

pub(super) async fn overdue_rows_end_and_others_do_not(Store { store, .. }: Store) {
    let untried = registered(&store, &photo("untried.jpg")).await;
    let done = tried(&store, "done.jpg", &Outcome::Success(content(1, 1))).await;
    let tried = tried(&store, "tried.jpg", &retry(LONG, false)).await;
    assert_eq!(store.give_up_overdue(&[], &failure(FailureCode::DeadlineExceeded)).await.unwrap(), 0);
    overdue(&store, DEADLINE, 2).await;
    let row = row(&store, &tried, SMALL).await;
    assert_eq!(row.state, State::Error(failure(FailureCode::DeadlineExceeded)));
    assert!(row.settled_at.is_some());
    assert_eq!(state(&store, &untried, SMALL).await, State::Pending, "its time begins with its first attempt");
    assert_eq!(state(&store, &done, SMALL).await, State::Success(content(1, 1)));
}

pub(super) async fn a_row_that_somebody_holds_is_not_overdue(Store { store, .. }: Store) {
    let held = registered(&store, &photo("held.jpg")).await;
    let token = claimed(&store, &held).await;
    settled(&store, &held, &token, &[MEDIUM], &Outcome::Viewable(content(1, 3))).await;
    tried(&store, "tried.jpg", &retry(LONG, false)).await;
    overdue(&store, DEADLINE, 2).await;
    assert_eq!(state(&store, &held, SMALL).await, State::Pending);
    store.extend(&token, Duration::ZERO).await.unwrap();
    overdue(&store, DEADLINE, 2).await;
    assert_eq!(state(&store, &held, MEDIUM).await, State::Error(failure(FailureCode::DeadlineExceeded)));
}

pub(super) async fn each_lane_has_its_own_deadline(Store { store, .. }: Store) {
    let heavy = registered(&store, &NewFileVersion { lane: Lane::Heavy, ..photo("heavy.jpg") }).await;
    let token = claimed(&store, &heavy).await;
    settled(&store, &heavy, &token, &[SMALL, MEDIUM], &retry(LONG, false)).await;
    tried(&store, "normal.jpg", &retry(LONG, false)).await;
    let deadlines = [(Lane::Normal, DEADLINE), (Lane::Heavy, LONG)];
    let failure = failure(FailureCode::DeadlineExceeded);
    let look = || async { Some(store.give_up_overdue(&deadlines, &failure).await.unwrap()).filter(|n| *n > 0) };
    assert_eq!(eventually("the normal lane's rows end", look).await.0, 2);
    assert_eq!(state(&store, &heavy, SMALL).await, State::Pending);
}

pub(super) async fn excused_time_does_not_count(Store { store, .. }: Store) {
    let excused = tried(&store, "excused.jpg", &retry(LONG, true)).await;
    tried(&store, "counted.jpg", &retry(LONG, false)).await;
    overdue(&store, DEADLINE, 2).await;
    assert_eq!(state(&store, &excused, SMALL).await, State::Pending, "its hour of waiting is excused");

    // Held for longer than the deadline, of which the attempt itself is excused for one row.
    let slow = registered(&store, &photo("slow.jpg")).await;
    let token = claimed(&store, &slow).await;
    tried(&store, "clock.jpg", &retry(LONG, false)).await;
    let deadline = 15 * DEADLINE;
    overdue(&store, deadline, 2).await;
    settled(&store, &slow, &token, &[SMALL], &retry(Duration::ZERO, true)).await;
    settled(&store, &slow, &token, &[MEDIUM], &retry(Duration::ZERO, false)).await;
    let failure = failure(FailureCode::DeadlineExceeded);
    let ended = store.give_up_overdue(&[(Lane::Normal, deadline)], &failure).await.unwrap();
    assert_eq!((ended, state(&store, &slow, SMALL).await), (1, State::Pending));
}

/// As somebody's hand leaves them, or a clock of the database that jumped ahead and back.
pub(super) async fn absurd_times_do_not_hold_a_row_for_ever(place: Store) {
    let store = &place.store;
    let registration = registered(store, &photo("beach.jpg")).await;
    let token = claimed(store, &registration).await;
    let failure = failure(FailureCode::DeadlineExceeded);
    assert_eq!(store.give_up_overdue(&[], &failure).await.unwrap(), 0);
    assert!(store.extend(&token, LONG).await.unwrap(), "an honest lease stays");
    for times in [
        "woken_at = NULL, wakes = 0, lease_until = 9000000000000000",
        "woken_at = 9000000000000000, wakes = 3, lease_until = NULL",
        "woken_at = NULL, wakes = 0, due_at = 9000000000000000",
    ] {
        place.tamper(&format!("UPDATE representation SET {times}")).await;
        assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), [], "{times}");
        store.give_up_overdue(&[], &failure).await.unwrap();
        assert_eq!(store.due(Duration::ZERO, 10).await.unwrap().len(), 1, "{times}");
        assert!(!store.extend(&token, LONG).await.unwrap(), "{times}");
    }
    place.tamper("UPDATE representation SET first_attempt_at = 9000000000000000").await;
    let claim = store.claim(registration.version_id, &token, LONG).await.unwrap().unwrap();
    assert!(claim.since_first_attempt < LONG, "the deadline counts from the claim");
}
