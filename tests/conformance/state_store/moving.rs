//! Lanes: what turns out to belong on another one.

use std::time::Duration;

use shared::domain::lane::Lane;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::StateStore;

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn a_row_moves_to_another_lane_as_if_never_tried(Store { store, .. }: Store) {
    let film = registered(&store, &photo("film.jpg")).await;
    let token = claimed(&store, &film).await;
    settled(&store, &film, &token, &[SMALL, MEDIUM], &Outcome::Move { lane: Lane::Heavy }).await;
    let moved = row(&store, &film, SMALL).await;
    assert_eq!((moved.state, moved.attempts, moved.last_failure), (State::Pending, 0, None));
    let due = store.due(Duration::from_secs(3600), 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.lane).collect::<Vec<_>>(), [Lane::Heavy], "woken at once");
    let next = super::fixtures::token();
    assert_eq!(store.claim(film.version_id, &next, LONG).await.unwrap().unwrap().lane, Lane::Heavy);
}
