//! Messages that nobody could read.

use shared::ports::parking::{ParkedFilter, ParkedMessage, ParkingStore};
use shared::ports::work_queue::Message;

use super::fixtures::LONG;
use super::scratch::Store;

fn parked(body: &[u8], code: &str) -> ParkedMessage {
    let headers = [("ce-type".to_owned(), "x\0 ü".to_owned())].into();
    let content_type = Some("text/plain".to_owned());
    ParkedMessage {
        message: Message { body: body.to_vec().into(), content_type, headers },
        length_bytes: body.len() as u64,
        code: code.to_owned(),
        reason: "because".to_owned(),
    }
}

fn of_code(code: &str) -> ParkedFilter {
    ParkedFilter { code: Some(code.to_owned()), id: None }
}

fn all() -> ParkedFilter {
    ParkedFilter::default()
}

pub(super) async fn what_was_parked_reads_back_byte_for_byte(Store { store, .. }: Store) {
    let message = parked(b"\0\xff not JSON", "not_json");
    store.keep(&message).await.unwrap();
    let row = store.list(&all(), None, 10).await.unwrap().remove(0);
    assert_eq!((&row.parked, row.times, row.replay_requested), (&message, 1, false));
    assert_eq!(store.get(row.id).await.unwrap(), Some(row));
    assert_eq!(store.get(4711).await.unwrap(), None);
}

pub(super) async fn the_same_message_again_is_counted(Store { store, .. }: Store) {
    for _ in 0..3 {
        store.keep(&parked(b"same", "not_json")).await.unwrap();
    }
    store.keep(&parked(b"other", "not_json")).await.unwrap();
    let rows = store.list(&all(), None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.times).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(store.count().await.unwrap(), 2);
}

pub(super) async fn parked_messages_are_listed_in_pages_and_by_code(Store { store, .. }: Store) {
    for (body, code) in [(b"1", "a"), (b"2", "b"), (b"3", "a")] {
        store.keep(&parked(body, code)).await.unwrap();
    }
    let first = store.list(&all(), None, 2).await.unwrap();
    let rest = store.list(&all(), first.last().map(|row| row.id), 2).await.unwrap();
    let bodies: Vec<_> = first.iter().chain(&rest).map(|row| row.parked.message.body.clone()).collect();
    assert_eq!(bodies, ["3", "2", "1"]);
    assert_eq!(store.list(&of_code("a"), None, 10).await.unwrap().len(), 2);
    assert_eq!(store.discard(&of_code("a")).await.unwrap(), 2);
    assert_eq!(store.count().await.unwrap(), 1);
}

pub(super) async fn a_replayed_message_goes_unless_it_was_parked_again(Store { store, .. }: Store) {
    for body in [b"1", b"2"] {
        store.keep(&parked(body, "a")).await.unwrap();
    }
    assert_eq!(store.to_replay(10).await.unwrap(), []);
    assert_eq!(store.request_replay(&all()).await.unwrap(), 2);
    let waiting = store.to_replay(10).await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.parked.message.body.clone()).collect::<Vec<_>>(), ["1", "2"]);
    // The second one is published, refused and parked again before the first look at it has ended.
    store.keep(&parked(b"2", "a")).await.unwrap();
    for row in &waiting {
        store.replayed(row.id).await.unwrap();
    }
    let left = store.list(&all(), None, 10).await.unwrap();
    assert_eq!(left.iter().map(|row| (row.times, row.replay_requested)).collect::<Vec<_>>(), [(2, false)]);
}

pub(super) async fn a_message_that_was_cut_is_not_replayed(Store { store, .. }: Store) {
    store.keep(&ParkedMessage { length_bytes: 1000, ..parked(b"beginning", "too_long") }).await.unwrap();
    assert_eq!(store.request_replay(&all()).await.unwrap(), 0);
    assert!(store.list(&all(), None, 1).await.unwrap()[0].parked.is_cut());
    // Another one that begins the same.
    store.keep(&ParkedMessage { length_bytes: 2000, ..parked(b"beginning", "too_long") }).await.unwrap();
    assert_eq!(store.list(&all(), None, 10).await.unwrap().len(), 2);
}

pub(super) async fn messages_that_came_last_long_ago_are_forgotten(scratch: Store) {
    for body in [b"1", b"2", b"3"] {
        scratch.store.keep(&parked(body, "not_json")).await.unwrap();
    }
    scratch.tamper("UPDATE parked SET first_at = 0, last_at = 0").await;
    scratch.store.keep(&parked(b"3", "not_json")).await.unwrap();
    assert_eq!(scratch.store.forget_parked(LONG, 1).await.unwrap(), 1);
    assert_eq!(scratch.store.forget_parked(LONG, 10).await.unwrap(), 1);
    assert_eq!(scratch.store.count().await.unwrap(), 1, "one came again just now");
}
