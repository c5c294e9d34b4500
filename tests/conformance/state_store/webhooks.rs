//! Webhooks: whose turn it is, what failed and comes again, and how their health is kept.

use std::time::Duration;

use adapters::db::Database;
use shared::domain::announcement::Position;
use shared::domain::representation::Outcome;
use shared::domain::webhook::{SECRET_BYTES, Secret, Subscription, Webhook};
use shared::ports::announcements::AnnouncementLog;
use shared::ports::webhooks::{Again, Round, WebhookStore};

use super::fixtures::*;
use super::scratch::Store;

fn subscription(url: &str) -> Subscription {
    let topics = vec!["representation.error".to_owned()];
    Subscription { url: url.to_owned(), description: "for\0people".to_owned(), topics, tenant: None }
}

async fn made(store: &Database, url: &str) -> Webhook {
    store.create(&subscription(url), &Secret::new([7; SECRET_BYTES])).await.unwrap()
}

/// Three announcements more; the newest position.
async fn announced(store: &Database) -> Position {
    let key = format!("{:016x}.jpg", rand::random::<u64>());
    let registration = registered(store, &photo(&key)).await;
    let token = claimed(store, &registration).await;
    settled(store, &registration, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;
    while store.collect(100).await.unwrap() > 0 {}
    store.span().await.unwrap().newest
}

/// The turn of the only webhook, which ends as `round` says.
async fn turn(store: &Database, round: &Round) -> Webhook {
    let token = token();
    let webhook = store.take_turns(&token, LONG, 10).await.unwrap().pop().expect("it has a turn");
    assert!(store.end_round(webhook.id, &token, round).await.unwrap());
    store.webhook(webhook.id).await.unwrap().unwrap()
}

fn failed(position: Position) -> Round {
    Round { position, failure: Some("status 500".to_owned()), patience: LONG, ..Round::default() }
}

pub(super) async fn a_webhook_reads_back_and_is_told_what_comes(Store { store, .. }: Store) {
    let newest = announced(&store).await;
    let first = made(&store, "https://one.example/").await;
    assert_eq!((first.position, &first.health.switched_off), (newest, &None));
    assert_eq!(first.subscription.description, "for\u{fffd}people");
    assert_eq!(first.secret, Secret::new([7; SECRET_BYTES]));
    let second = made(&store, "https://two.example/").await;
    assert_eq!(store.webhook(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.webhooks(None, 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.webhooks(Some(first.id), 10).await.unwrap(), std::slice::from_ref(&second));
    assert!(store.remove(second.id).await.unwrap() && !store.remove(second.id).await.unwrap());
    assert!(!store.switch(second.id, None).await.unwrap());
    assert_eq!(store.webhooks(None, 10).await.unwrap(), [first]);
}

pub(super) async fn an_old_secret_counts_for_its_grace(Store { store, .. }: Store) {
    let webhook = made(&store, "https://one.example/").await;
    assert_eq!(webhook.old_secret, None);
    let [second, third] = [[8; SECRET_BYTES], [9; SECRET_BYTES]].map(Secret::new);
    let rotated = store.rotate(webhook.id, &second, LONG).await.unwrap().unwrap();
    assert_eq!((&rotated.secret, &rotated.old_secret.as_ref().unwrap().secret), (&second, &webhook.secret));
    let until = rotated.old_secret.as_ref().unwrap().until;
    assert!(until > webhook.created_at, "{until}");
    announced(&store).await;
    let after_a_turn = turn(&store, &Round { position: 1, succeeded: true, ..Round::default() }).await;
    assert_eq!(after_a_turn.old_secret, rotated.old_secret);
    // Once more, and the first one counts no more, whatever was left of its grace; nor does one without any.
    let rotated = store.rotate(webhook.id, &third, LONG).await.unwrap().unwrap();
    assert_eq!((&rotated.secret, rotated.old_secret.unwrap().secret), (&third, second));
    let leaked = store.rotate(webhook.id, &webhook.secret, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!((&leaked.secret, leaked.old_secret), (&webhook.secret, None));
    assert_eq!(store.webhook(webhook.id).await.unwrap().unwrap().old_secret, None);
    assert_eq!(store.rotate(webhook.id + 1, &third, LONG).await.unwrap(), None);
}

pub(super) async fn one_at_a_time_has_the_turn_of_a_webhook(Store { store, .. }: Store) {
    let webhook = made(&store, "https://one.example/").await;
    let (first, second) = (token(), token());
    assert_eq!(store.take_turns(&first, LONG, 10).await.unwrap(), [], "there is nothing to tell");
    let newest = announced(&store).await;
    let turns = futures_util::future::join_all((0..10).map(|_| async {
        let token = token();
        store.take_turns(&token, Duration::from_millis(1), 10).await.unwrap().len()
    }));
    assert!(turns.await.into_iter().sum::<usize>() >= 1);
    let again = || async { (!store.take_turns(&first, LONG, 10).await.unwrap().is_empty()).then_some(()) };
    eventually("the turns of those who died end", again).await;
    assert_eq!(store.take_turns(&second, LONG, 10).await.unwrap(), []);
    let round = Round { position: newest, succeeded: true, ..Round::default() };
    assert!(!store.end_round(webhook.id, &second, &round).await.unwrap(), "it is not its turn");
    assert!(store.end_round(webhook.id, &first, &round).await.unwrap());
    assert_eq!(store.take_turns(&second, LONG, 10).await.unwrap(), [], "everything was told");
    let told = store.webhook(webhook.id).await.unwrap().unwrap();
    assert_eq!((told.position, told.health.delivered_at.is_some()), (newest, true));
}

pub(super) async fn what_failed_comes_again_after_its_wait(Store { store, .. }: Store) {
    made(&store, "https://one.example/").await;
    let newest = announced(&store).await;
    let again = |position, wait| Again { position, attempts: 1, wait };
    let soon = vec![again(1, Duration::ZERO), again(2, LONG), again(3, Duration::ZERO)];
    let webhook = turn(&store, &Round { succeeded: true, again: soon, ..failed(newest) }).await;
    assert_eq!((webhook.health.waiting, webhook.health.failures), (3, 0));
    let due = store.due_again(webhook.id, 10).await.unwrap();
    assert_eq!(due.iter().map(|tried| (tried.position, tried.attempts)).collect::<Vec<_>>(), [(1, 1), (3, 1)]);
    assert_eq!(due[0].announcement.as_ref(), store.after(0, 1).await.unwrap().first());
    assert_eq!(store.due_again(webhook.id, 1).await.unwrap().len(), 1);
    let later = vec![Again { position: 3, attempts: 2, wait: LONG }];
    let webhook = turn(&store, &Round { succeeded: true, done: vec![1], again: later, ..failed(newest) }).await;
    assert_eq!(webhook.health.waiting, 2);
    assert_eq!(store.due_again(webhook.id, 10).await.unwrap(), []);
    assert_eq!(store.take_turns(&token(), LONG, 10).await.unwrap(), [], "nothing is due");
}

pub(super) async fn one_that_fails_is_paused_and_in_the_end_switched_off(Store { store, .. }: Store) {
    let webhook = made(&store, "https://one.example/").await;
    announced(&store).await;
    let failing = turn(&store, &failed(0)).await.health;
    assert_eq!((failing.failures, failing.last_failure.as_deref()), (1, Some("status 500")));
    assert!(failing.failing_since.is_some() && failing.switched_off.is_none());
    let still = turn(&store, &Round { pause: LONG, ..failed(0) }).await.health;
    assert_eq!((still.failures, still.failing_since), (2, failing.failing_since));
    assert_eq!(store.take_turns(&token(), LONG, 10).await.unwrap(), [], "it has a pause");
    assert!(store.switch(webhook.id, None).await.unwrap(), "which an operator ends");
    let well = turn(&store, &Round { succeeded: true, position: 1, ..Round::default() }).await.health;
    assert_eq!((well.failures, well.failing_since), (0, None));
    let impatient = Round { patience: Duration::ZERO, ..failed(1) };
    assert_eq!(turn(&store, &impatient).await.health.switched_off, None, "it has failed for no time yet");
    let off = turn(&store, &impatient).await.health;
    assert_eq!(off.switched_off.as_deref(), Some("every delivery failed for too long"));
    assert_eq!(store.take_turns(&token(), LONG, 10).await.unwrap(), [], "it is off");
    store.switch(webhook.id, None).await.unwrap();
    let gone = turn(&store, &Round { is_gone: true, ..failed(1) }).await;
    assert_eq!(gone.health.switched_off.as_deref(), Some("the receiver answered 410 Gone"));
    assert_eq!(gone.position, 1, "it goes on from there when it is switched on");
}

pub(super) async fn what_a_webhook_waits_for_is_kept(Store { store, .. }: Store) {
    let webhook = made(&store, "https://one.example/").await;
    let newest = announced(&store).await;
    let publisher = token();
    store.take_turn(&publisher, LONG).await.unwrap();
    store.published(&publisher, newest, LONG).await.unwrap();
    let older = || async { store.service(100, Duration::ZERO).await.unwrap().served.is_empty().then_some(()) };
    eventually("they are older than nothing", older).await;
    assert_eq!(store.forget(Duration::ZERO, 100).await.unwrap(), 0, "the webhook was not told");
    turn(&store, &Round { position: 1, succeeded: true, ..Round::default() }).await;
    assert_eq!(store.forget(Duration::ZERO, 100).await.unwrap(), 1);
    store.switch(webhook.id, Some("off")).await.unwrap();
    assert_eq!(store.forget(Duration::ZERO, 100).await.unwrap(), 2, "one that is off waits for nothing");
}
