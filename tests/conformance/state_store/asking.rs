//! Asking for presets.

use std::time::Duration;

use futures_util::future::join_all;
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::fit_preset;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::{Asked, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn absent_rows_become_pending_once(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let wanted = wanted(&[SMALL, MEDIUM, LARGE]);
    let asked = store.ask(registration.version_id, &wanted, Lane::Normal).await.unwrap();
    assert_eq!(asked, Asked { started: 1, promoted: 0 });
    assert!(asked.needs_wake());
    assert_eq!(state(&store, &registration, LARGE).await, State::Pending);
    let again = store.ask(registration.version_id, &wanted, Lane::Normal).await.unwrap();
    assert_eq!(again, Asked { started: 0, promoted: 0 });
    assert!(!again.needs_wake());
}

pub(super) async fn pending_rows_move_to_more_urgent_lanes_only(Store { store, .. }: Store) {
    for (urgency, from) in Lane::ALL.into_iter().enumerate() {
        for (asked_urgency, to) in Lane::ALL.into_iter().enumerate() {
            let new = NewFileVersion { lane: from, ..photo(&format!("{from:?} {to:?}.jpg")) };
            let registration = registered(&store, &new).await;
            let asked = store.ask(registration.version_id, &wanted(&[SMALL]), to).await.unwrap();
            let moves = asked_urgency < urgency;
            assert_eq!(asked, Asked { started: 0, promoted: moves.into() }, "{from:?} to {to:?}");
            let claim = store.claim(registration.version_id, &token(), LONG).await.unwrap().unwrap();
            assert_eq!(claim.lane, if moves { to } else { from }, "{from:?} to {to:?}");
        }
    }
}

pub(super) async fn settled_rows_stay(Store { store, .. }: Store) {
    let new = NewFileVersion { lane: Lane::Backfill, ..photo("beach.jpg") };
    let registration = registered(&store, &new).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    let error = Outcome::Error(failure(FailureCode::CorruptSource));
    settled(&store, &registration, &token, &[MEDIUM], &error).await;
    let before = stands(&store, &registration).await;
    let asked = store.ask(registration.version_id, &new.wanted, Lane::Interactive).await.unwrap();
    assert_eq!(asked, Asked { started: 0, promoted: 0 });
    assert_eq!(stands(&store, &registration).await, before);
}

pub(super) async fn unknown_versions_are_not_found(Store { store, .. }: Store) {
    let unknown = FileVersionId::new(4711).unwrap();
    for wanted in [wanted(&[SMALL]), Vec::new()] {
        let asked = store.ask(unknown, &wanted, Lane::Normal).await;
        assert!(matches!(asked, Err(StoreError::NotFound)), "{asked:?}");
    }
    let registration = registered(&store, &photo("beach.jpg")).await;
    let asked = store.ask(registration.version_id, &[], Lane::Interactive).await.unwrap();
    assert_eq!(asked, Asked { started: 0, promoted: 0 });
}

pub(super) async fn ten_at_once_start_every_row_once(Store { store, .. }: Store) {
    let new = NewFileVersion { wanted: Vec::new(), ..photo("beach.jpg") };
    let registration = registered(&store, &new).await;
    let wanted = wanted(&[SMALL, MEDIUM, LARGE]);
    let all = join_all((0..10).map(|_| store.ask(registration.version_id, &wanted, Lane::Interactive))).await;
    let started: u32 = all.into_iter().map(|asked| asked.unwrap().started).sum();
    assert_eq!(started, 3);
}

pub(super) async fn of_twenty_at_once_sixteen_of_a_family_start(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let version = registration.version_id;
    let family: Vec<_> =
        (1..=20).map(|n| plan::wanted(&fit_preset::by_name(&format!("fit_{n}x{n}")).unwrap())).collect();
    let ask = |wanted| store.ask_one_of_few(version, wanted, (fit_preset::PREFIX, 16), Lane::Interactive);
    let all = join_all(family.iter().map(ask)).await;
    let (kept, refused): (Vec<_>, Vec<_>) = family.iter().zip(all).partition(|(_, asked)| matches!(asked, Ok(Some(_))));
    assert_eq!((kept.len(), refused.len()), (16, 4), "{refused:?}");
    assert!(kept.iter().all(|(_, asked)| asked.as_ref().unwrap().unwrap() == Asked { started: 1, promoted: 0 }));
    assert!(refused.iter().all(|(_, asked)| matches!(asked, Ok(None))), "{refused:?}");
    // What is there may be asked for again, others of the version do not count, and the next version has its own.
    assert_eq!(ask(kept[0].0).await.unwrap(), Some(Asked { started: 0, promoted: 0 }));
    assert_eq!(stands(&store, &registration).await.representations.len(), 2 + 16);
    let next = registered(&store, &version_of("beach.jpg", "etag:2")).await;
    let asked = store.ask_one_of_few(next.version_id, &family[0], (fit_preset::PREFIX, 16), Lane::Interactive).await;
    assert_eq!(asked.unwrap().map(|asked| asked.started), Some(1));
    let unknown = FileVersionId::new(4711).unwrap();
    let asked = store.ask_one_of_few(unknown, &family[0], (fit_preset::PREFIX, 16), Lane::Interactive).await;
    assert!(matches!(asked, Err(StoreError::NotFound)), "{asked:?}");
}

pub(super) async fn a_promoted_row_counts_as_woken_once(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    for _ in 0..8 {
        assert_eq!(store.due(Duration::ZERO, 10).await.unwrap().len(), 1);
    }
    store.ask(registration.version_id, &wanted(&[SMALL]), Lane::Interactive).await.unwrap();
    assert_eq!(store.due(LONG, 10).await.unwrap(), [], "a wake follows the promotion");
    // Nine wakes would mean 128 times the patience, 12.8 s: the promotion has forgotten them.
    let patience = Duration::from_millis(100);
    let due = || async { store.due(patience, 10).await.unwrap().pop() };
    let (due, took) = eventually("the promoted row is due", due).await;
    assert_eq!((due.version, due.lane), (registration.version_id, Lane::Interactive));
    assert!(took < 64 * patience, "it took {took:?}");
}

pub(super) async fn a_promoted_row_keeps_its_lease_and_its_time(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let first = claimed(&store, &registration).await;
    settled(&store, &registration, &first, &[MEDIUM], &retry(LONG, false)).await;
    let asked = store.ask(registration.version_id, &wanted(&[SMALL, MEDIUM]), Lane::Interactive).await.unwrap();
    assert_eq!(asked, Asked { started: 0, promoted: 2 });
    assert_eq!(store.claim(registration.version_id, &token(), LONG).await.unwrap(), None);
    assert_eq!(store.due(Duration::ZERO, 10).await.unwrap(), []);
    settled(&store, &registration, &first, &[SMALL], &Outcome::Success(content(1, 1))).await;
}
