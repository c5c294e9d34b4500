//! What is told to others: by the transactions that settle, in one order, and to nobody twice without need.

use std::collections::BTreeMap;
use std::time::Duration;

use adapters::db::Database;
use futures_util::future::join_all;
use serde_json::Value;
use shared::domain::announcement::Announcement;
use shared::domain::failure::FailureCode;
use shared::domain::lane::Lane;
use shared::domain::preset::RecipeHash;
use shared::domain::representation::Outcome;
use shared::ports::access_store::AccessStore;
use shared::ports::announcements::{AnnouncementLog, Span};
use shared::ports::file_store::{Change, FileStore};
use shared::ports::renewal::{Renewal, RenewalStore};
use shared::ports::state_store::StateStore;

use super::fixtures::*;
use super::scratch::Store;

async fn collected(store: &Database) -> u32 {
    let mut taken = 0;
    loop {
        match store.collect(100).await.unwrap() {
            0 => return taken,
            some => taken += some,
        }
    }
}

async fn log(store: &Database) -> Vec<Announcement> {
    store.after(0, 10_000).await.unwrap()
}

fn topics(log: &[Announcement]) -> Vec<&str> {
    log.iter().map(|announcement| announcement.topic.as_str()).collect()
}

/// A version of which everything has succeeded.
async fn succeeded(store: &Database, key: &str) {
    let registration = registered(store, &photo(key)).await;
    let token = claimed(store, &registration).await;
    settled(store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
}

pub(super) async fn what_settles_is_told_in_order_and_the_end_once(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    assert_eq!(collected(&store).await, 0, "nothing has settled");
    settled(&store, &registration, &token, &[MEDIUM], &Outcome::Success(content(7, 3))).await;
    settled(&store, &registration, &token, &[SMALL], &retry(Duration::ZERO, false)).await;
    assert_eq!(collected(&store).await, 1);
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Error(failure(FailureCode::CorruptSource))).await;
    assert_eq!(collected(&store).await, 1);

    let log = log(&store).await;
    assert_eq!(topics(&log), ["representation.success", "representation.error", "file_version.completed"]);
    assert_eq!(log.iter().map(|announcement| announcement.position).collect::<Vec<_>>(), [1, 2, 3]);
    let bodies: Vec<Value> = log.iter().map(|told| serde_json::from_str(&told.body).unwrap()).collect();
    for (body, told) in bodies.iter().zip(&log) {
        assert_eq!(body["specversion"], "1.0");
        assert_eq!(body["id"], told.position.to_string());
        assert_eq!(body["type"], format!("thumbline.{}", told.topic));
        assert_eq!(body["data"]["file_id"], registration.file_id.to_string());
        assert_eq!(body["data"]["source"], "s3://photos/beach.jpg");
        assert_eq!(body["data"]["is_current"], true);
    }
    let success = &bodies[0]["data"]["representation"];
    assert_eq!(
        (&success["name"], &success["state"], &success["pages"]),
        (&MEDIUM.into(), &"success".into(), &3.into())
    );
    assert_eq!(success["sha256"], content(7, 3).first().sha256().to_string());
    let error = &bodies[1]["data"]["representation"];
    assert_eq!((&error["name"], &error["code"]), (&SMALL.into(), &"corrupt_source".into()));
    assert_eq!(bodies[2]["data"]["representations"].as_array().unwrap().len(), 2);
}

pub(super) async fn what_was_not_written_is_not_told(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    claimed(&store, &registration).await;
    let outcomes = [(preset(SMALL), Outcome::Success(content(1, 1)))];
    assert!(store.settle(registration.version_id, &token(), &outcomes).await.unwrap().is_empty());
    assert_eq!(collected(&store).await, 0);
}

pub(super) async fn what_is_put_back_is_told_like_what_was_made_anew(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    let made_by = row(&store, &registration, SMALL).await.recipe;
    collected(&store).await;
    let before = log(&store).await.len();
    let renewal = Renewal { preset: preset(SMALL), made_by, recipe: RecipeHash::from_stored("new".to_owned()) };
    store.renew(&[renewal], None, 10).await.unwrap();
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Success(content(2, 1))).await;
    store.roll_back(None, 10).await.unwrap();
    collected(&store).await;
    let told = log(&store).await.split_off(before);
    let small = told.iter().filter(|announcement| announcement.topic.as_str() == "representation.success");
    assert_eq!(small.count(), 2, "{:?}", topics(&told));
}

pub(super) async fn what_ends_at_its_deadline_is_told(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL, MEDIUM], &retry(LONG, false)).await;
    let overdue = [(Lane::Normal, Duration::ZERO)];
    assert_eq!(store.give_up_overdue(&overdue, &failure(FailureCode::DeadlineExceeded)).await.unwrap(), 2);
    assert_eq!(collected(&store).await, 2);
    let log = log(&store).await;
    assert_eq!(topics(&log), ["representation.error", "representation.error", "file_version.completed"]);
    assert!(log[0].body.contains("deadline_exceeded"), "{}", log[0].body);
}

pub(super) async fn of_ten_collectors_one_takes_each_news(Store { store, .. }: Store) {
    for number in 0..12 {
        succeeded(&store, &format!("{number}.jpg")).await;
    }
    // Five rows are two versions and a half: the half is left for the next.
    let collectors = join_all((0..10).map(|_| async {
        let mut taken = 0;
        loop {
            match store.collect(5).await.unwrap() {
                0 => break taken,
                some => taken += some,
            }
        }
    }));
    assert_eq!(collectors.await.into_iter().sum::<u32>(), 24);
    let log = log(&store).await;
    assert!(log.iter().map(|announcement| announcement.position).eq(1..=36), "{:?}", topics(&log));
    let mut of_file: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    log.iter().for_each(|told| of_file.entry(told.file).or_default().push(&told.topic));
    let expected = ["representation.success", "representation.success", "file_version.completed"];
    assert!(of_file.len() == 12 && of_file.values().all(|topics| topics == &expected), "{of_file:?}");
}

pub(super) async fn who_follows_the_log_misses_nothing(Store { store, .. }: Store) {
    const VERSIONS: i64 = 16;
    let writers = join_all((0..VERSIONS).map(|number| {
        let store = &store;
        async move {
            succeeded(store, &format!("{number}.jpg")).await;
            store.collect(3).await.unwrap();
        }
    }));
    let follower = async {
        let mut position = 0;
        while position < 3 * VERSIONS {
            for told in store.after(position, 4).await.unwrap() {
                assert_eq!(told.position, position + 1, "one was passed over");
                position = told.position;
            }
            store.collect(3).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(writers, follower) }).await.unwrap();
}

pub(super) async fn one_at_a_time_has_the_turn_to_publish(Store { store, .. }: Store) {
    assert_eq!(store.take_turn(&token(), LONG).await.unwrap(), None, "there is nothing to publish");
    succeeded(&store, "beach.jpg").await;
    collected(&store).await;
    let (first, second) = (token(), token());
    assert_eq!(store.take_turn(&first, LONG).await.unwrap(), Some(0));
    assert_eq!(store.take_turn(&second, LONG).await.unwrap(), None);
    assert!(!store.published(&second, 3, LONG).await.unwrap(), "it is not its turn");
    assert!(store.published(&first, 2, Duration::from_millis(1)).await.unwrap());
    // It dies here, after it has published the third one, and before it has noted that.
    let again = || async { store.take_turn(&second, LONG).await.unwrap() };
    let (position, _) = eventually("the turn of the dead one ends", again).await;
    assert_eq!(position, 2);
    assert!(!store.published(&first, 3, LONG).await.unwrap(), "it comes back to life, too late");
    assert!(store.published(&second, 3, LONG).await.unwrap());
    store.end_turn(&second).await.unwrap();
    assert_eq!(store.take_turn(&first, LONG).await.unwrap(), None, "everything is published");
    assert_eq!(store.span().await.unwrap(), Span { oldest: 1, newest: 3, published: 3 });
}

pub(super) async fn only_what_was_published_is_forgotten(Store { store, .. }: Store) {
    succeeded(&store, "beach.jpg").await;
    collected(&store).await;
    let gone = || async {
        // The clock has to go on for a moment before anything is older than nothing.
        let forgotten = store.forget(Duration::ZERO, 100).await.unwrap();
        (forgotten > 0).then_some(forgotten)
    };
    assert_eq!(gone().await, None, "the exchange was not told");
    let token = token();
    store.take_turn(&token, LONG).await.unwrap();
    store.published(&token, 2, LONG).await.unwrap();
    assert_eq!(store.forget(LONG, 100).await.unwrap(), 0, "they are young");
    assert_eq!(eventually("two are forgotten", gone).await.0, 2);
    assert_eq!(store.span().await.unwrap(), Span { oldest: 3, newest: 3, published: 2 });
    store.published(&token, 3, LONG).await.unwrap();
    assert_eq!(eventually("the last is forgotten", gone).await.0, 1);
    succeeded(&store, "later.jpg").await;
    collected(&store).await;
    assert_eq!(log(&store).await[0].position, 4, "positions are never used again");
}

pub(super) async fn news_of_what_is_gone_are_dropped(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    for change in [Change::Trash, Change::Purge] {
        store.change(registration.file_id, &change, None).await.unwrap();
    }
    assert_eq!(collected(&store).await, 2);
    assert_eq!(log(&store).await, []);
}

pub(super) async fn who_may_see_it_is_told_as_it_is_now(Store { store, .. }: Store) {
    succeeded(&store, "beach.jpg").await;
    collected(&store).await;
    let first = log(&store).await.remove(0);
    assert_eq!(
        (first.tenant.as_str(), &first.access),
        ("acme", &Some(access(r#"[["user:1","group:staff"],["scope:photos"]]"#)))
    );
    store.set_access(first.file, None).await.unwrap();
    assert_eq!(log(&store).await[0].access, None);
}

pub(super) async fn an_impossible_row_does_not_hold_up_the_others(place: Store) {
    let store = &place.store;
    succeeded(store, "spoilt.jpg").await;
    succeeded(store, "sound.jpg").await;
    place.tamper("UPDATE representation SET recipe = '', blob = 'nowhere' WHERE file_version_id = 1").await;
    assert_eq!(collected(store).await, 4);
    let log = log(store).await;
    assert_eq!(topics(&log), ["representation.success", "representation.success", "file_version.completed"]);
    assert!(log[0].body.contains("sound.jpg"), "{}", log[0].body);
}

pub(super) async fn what_was_served_lately_is_told_by_lane(Store { store, .. }: Store) {
    let nothing = store.service(100, LONG).await.unwrap();
    assert!(nothing.read_at > 0 && nothing.served.is_empty());
    succeeded(&store, "beach.jpg").await;
    collected(&store).await;
    let service = store.service(100, LONG).await.unwrap();
    assert_eq!(service.served.len(), 2, "that the version is complete is no service");
    for served in &service.served {
        assert!(served.lane == Lane::Normal && served.at <= service.read_at && served.waited < LONG, "{served:?}");
    }
    assert_eq!(store.service(1, LONG).await.unwrap().served, [], "the newest is the end of the version");
    let later = || async { store.service(100, Duration::ZERO).await.unwrap().served.is_empty().then_some(()) };
    eventually("it is too long ago", later).await;
}
