//! Section `[webhooks]` of the configuration, and the deliveries: to every webhook what it has not got yet.
//!
//! A delivery that fails is tried again on the schedule, and does not hold up the others. When a whole round fails the
//! webhook itself gets a pause on the same schedule, and then one delivery to try it with, so that a receiver that is down
//! costs one request now and then however much there is to tell; what was not tried waits in the log.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::announcement::{Announcement, Position};
use shared::domain::ids::ClaimToken;
use shared::domain::webhook::Webhook;
use shared::ports::state_store::StoreError;
use shared::ports::webhooks::{Again, Delivery, Receipt, Round, Undeliverable};
use tokio::time::MissedTickBehavior;

use crate::dependency::{MayBeAway as _, chain};
use crate::metrics::{self, WebhookOutcome};
use crate::worker::{Ended, Worker};

/// Time between two looks when nothing was announced by this process.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Webhooks that one worker delivers to at the same time.
const TURNS: usize = 16;
/// Deliveries of one round, and those of them that are under way at the same time.
const ROUND: usize = 32;
const UNDER_WAY: usize = 8;
/// Announcements looked at in one round: most may be of topics that the webhook does not want.
const LOOKED_AT: u32 = 500;
/// Longest time of one request, seconds.
const TIMEOUT_SECONDS_MAX: u64 = 30;
/// What is beside the requests in a turn.
const TURN_OVERHEAD: Duration = Duration::from_secs(10);
/// Time for what is under way when the worker stops; what does not end comes again from another worker.
const STOP_TIME: Duration = Duration::from_secs(3);
/// Longest wait of the schedule, seconds.
const WAIT_SECONDS_MAX: u64 = 86_400;
/// Most waits of the schedule.
const WAITS_MAX: usize = 30;
/// Thirty days.
const PATIENCE_HOURS_MAX: u64 = 720;
/// Longest account of a failure that is kept, in characters.
const FAILURE_CHARS_MAX: usize = 300;

/// How webhooks are delivered to. Every field is a key of `config.default.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Whether targets may have private addresses, and be reached without TLS.
    pub allow_private_targets: bool,
    /// Seconds for one delivery.
    pub timeout_seconds: u64,
    /// Waits after the first, second, … failed try of one delivery, seconds; after the last it is given up.
    pub retry_seconds: Vec<u64>,
    /// Hours without any success after which a webhook is switched off.
    pub switch_off_after_hours: u64,
}

impl WebhooksConfig {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |key: &str, value: String, remedy: String| {
            problems.push(Problem::new(format!("webhooks.{key}"), value, remedy));
        };
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&self.timeout_seconds) {
            let remedy = format!("seconds from 1 to {TIMEOUT_SECONDS_MAX}");
            refuse("timeout_seconds", self.timeout_seconds.to_string(), remedy);
        }
        let are_sound = self.retry_seconds.iter().all(|wait| (1..=WAIT_SECONDS_MAX).contains(wait));
        if !are_sound || self.retry_seconds.is_empty() || self.retry_seconds.len() > WAITS_MAX {
            let remedy = format!("1 to {WAITS_MAX} waits, each of 1 to {WAIT_SECONDS_MAX} seconds");
            refuse("retry_seconds", format!("{:?}", self.retry_seconds), remedy);
        }
        if !(1..=PATIENCE_HOURS_MAX).contains(&self.switch_off_after_hours) {
            let remedy = format!("hours from 1 to {PATIENCE_HOURS_MAX}");
            refuse("switch_off_after_hours", self.switch_off_after_hours.to_string(), remedy);
        }
    }

    /// Time for one delivery.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long a turn lasts: a round at its slowest.
    fn lease(&self) -> Duration {
        self.timeout() * (ROUND / UNDER_WAY) as u32 + TURN_OVERHEAD
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.switch_off_after_hours * 3600)
    }

    /// The wait after this many failed tries, spread by a fifth so that what failed together does not come back together;
    /// `None` when there is no further try.
    fn wait(&self, tries: u32) -> Option<Duration> {
        let seconds = self.retry_seconds.get((tries as usize).checked_sub(1)?)?;
        Some(Duration::from_secs(*seconds).mul_f64(0.8 + 0.4 * rand::random::<f64>()))
    }

    /// How long a webhook is left alone after so many rounds of which everything failed.
    fn pause(&self, rounds: u32) -> Duration {
        let last = u32::try_from(self.retry_seconds.len()).unwrap_or(u32::MAX);
        self.wait(rounds.min(last)).unwrap_or_default()
    }
}

/// Delivers until the worker drains. Every webhook has a turn of its own, so that a slow receiver holds up no other.
pub(crate) async fn deliver(worker: Arc<Worker>) -> Ended {
    let mut ticks = tokio::time::interval(LOOK_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => break,
            () = worker.announced.notified() => {}
            _ = ticks.tick() => {}
            // Who has had a turn may have another at once.
            Some(ended) = turns.next(), if !turns.is_empty() => report(ended),
        }
        let token = ClaimToken::new(&worker.deps.worker_name, rand::random());
        match take(&worker, &token, TURNS - turns.len()).await {
            Ok(webhooks) => turns.extend(webhooks.into_iter().map(|webhook| turn(&worker, webhook, token.clone()))),
            Err(error) => report(Err(error)),
        }
    }
    let ending = async { while turns.next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_TIME, ending).await;
    Ended::Drained
}

/// Those that have something to get, and that nobody delivers to.
async fn take(worker: &Worker, token: &ClaimToken, most: usize) -> Result<Vec<Webhook>, StoreError> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let (lease, most) = (worker.deps.webhooks_config.lease(), u32::try_from(most).unwrap_or(u32::MAX));
    worker.dependencies.database.note(worker.deps.webhooks.take_turns(token, lease, most).await)
}

/// Outages are told where they begin and end.
fn report(ended: Result<(), StoreError>) {
    if let Err(error) = ended
        && !error.is_away()
    {
        tracing::error!(error = chain(&error), "webhooks could not be delivered to");
    }
}

/// What is to be delivered in a round, with the number of tries before.
struct Due {
    announcement: Announcement,
    tries: u32,
}

async fn turn(worker: &Worker, webhook: Webhook, token: ClaimToken) -> Result<(), StoreError> {
    let (due, mut round) = gather(worker, &webhook).await?;
    let posts = due.into_iter().map(|due| post(worker, &webhook, due));
    let outcomes: Vec<_> = futures_util::stream::iter(posts).buffer_unordered(UNDER_WAY).collect().await;
    judge(&worker.deps.webhooks_config, &webhook, outcomes, &mut round);
    let ended = worker.deps.webhooks.end_round(webhook.id, &token, &round).await;
    if worker.dependencies.database.note(ended)? {
        tell(&webhook, &round);
    }
    Ok(())
}

/// First what has failed before, then what is new; a webhook that is failing gets one thing to try it with.
async fn gather(worker: &Worker, webhook: &Webhook) -> Result<(Vec<Due>, Round), StoreError> {
    let most = if webhook.health.failures == 0 { ROUND } else { 1 };
    let mut round = Round { position: webhook.position, ..Round::default() };
    let mut due = Vec::with_capacity(most);
    let again = worker.deps.webhooks.due_again(webhook.id, u32::try_from(most).unwrap_or(u32::MAX)).await;
    for tried in worker.dependencies.database.note(again)? {
        match tried.announcement {
            Some(announcement) => due.push(Due { announcement, tries: tried.attempts }),
            None => round.done.push(tried.position),
        }
    }
    if due.len() < most {
        let page = worker.deps.announcements.after(webhook.position, LOOKED_AT).await;
        for announcement in worker.dependencies.database.note(page)? {
            if due.len() == most {
                break;
            }
            round.position = announcement.position;
            if webhook.subscription.wants(&announcement) {
                due.push(Due { announcement, tries: 0 });
            }
        }
    }
    Ok((due, round))
}

async fn post(worker: &Worker, webhook: &Webhook, due: Due) -> (Due, Result<Receipt, Undeliverable>) {
    let announcement = &due.announcement;
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (id, body) = (announcement.position.to_string(), announcement.body.as_str());
    let signature = webhook.sign(&id, timestamp, body.as_bytes());
    let delivery = Delivery { url: &webhook.subscription.url, id: &id, timestamp, signature: &signature, body };
    let posted = worker.deps.webhook_sender.post(&delivery).await;
    (due, posted)
}

/// What follows from how the deliveries of a round went.
fn judge(
    config: &WebhooksConfig,
    webhook: &Webhook,
    outcomes: Vec<(Due, Result<Receipt, Undeliverable>)>,
    round: &mut Round,
) {
    round.patience = config.patience();
    let mut asked_pause = Duration::ZERO;
    for (Due { announcement, tries }, outcome) in outcomes {
        let position: Position = announcement.position;
        match outcome {
            Ok(receipt) if receipt.is_success() => {
                round.succeeded = true;
                metrics::webhook(WebhookOutcome::Delivered);
                if tries > 0 {
                    round.done.push(position);
                }
                continue;
            }
            Ok(receipt) => {
                round.is_gone |= receipt.is_gone();
                asked_pause = asked_pause.max(receipt.retry_after.unwrap_or_default());
                round.failure = Some(format!("status {}", receipt.status));
            }
            Err(error) => round.failure = Some(error.to_string().chars().take(FAILURE_CHARS_MAX).collect()),
        }
        let attempts = tries.saturating_add(1);
        match config.wait(attempts) {
            Some(wait) => {
                metrics::webhook(WebhookOutcome::Failed);
                round.again.push(Again { position, attempts, wait });
            }
            None => {
                metrics::webhook(WebhookOutcome::GivenUp);
                round.done.push(position);
            }
        }
    }
    if !round.succeeded && round.failure.is_some() {
        round.pause = config.pause(webhook.health.failures.saturating_add(1)).max(asked_pause);
    } else {
        round.pause = asked_pause;
    }
}

/// The first failure and the first success after it; every failure is in the row.
fn tell(webhook: &Webhook, round: &Round) {
    let (id, failures) = (webhook.id, webhook.health.failures);
    match &round.failure {
        Some(_) if round.is_gone => tracing::warn!(webhook.id = id, "webhook {id} is gone and was switched off"),
        Some(failure) if !round.succeeded && failures == 0 => {
            tracing::warn!(webhook.id = id, failure, "webhook {id} does not take deliveries: {failure}");
        }
        _ if round.succeeded && failures > 0 => tracing::info!(webhook.id = id, "webhook {id} takes deliveries again"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::webhook::{Health, SECRET_BYTES, Secret, Subscription};

    use super::*;

    fn config() -> WebhooksConfig {
        WebhooksConfig {
            allow_private_targets: false,
            timeout_seconds: 15,
            retry_seconds: vec![10, 100],
            switch_off_after_hours: 72,
        }
    }

    fn webhook(failures: u32) -> Webhook {
        let (url, description) = ("https://a.example/".to_owned(), String::new());
        Webhook {
            id: 1,
            subscription: Subscription { url, description, topics: Vec::new(), tenant: None },
            secret: Secret::new([1; SECRET_BYTES]),
            old_secret: None,
            created_at: 0,
            position: 0,
            health: Health { failures, ..Health::default() },
        }
    }

    fn due(position: Position, tries: u32) -> Due {
        let (topic, body) = ("representation.success".to_owned(), "{}".to_owned());
        let (file, tenant) = ("1".parse().unwrap(), "acme".parse().unwrap());
        Due { announcement: Announcement { position, at: 0, topic, file, tenant, access: None, body }, tries }
    }

    fn answer(status: u16) -> Result<Receipt, Undeliverable> {
        Ok(Receipt { status, retry_after: None })
    }

    fn judged(failures: u32, outcomes: Vec<(Due, Result<Receipt, Undeliverable>)>) -> Round {
        let mut round = Round::default();
        judge(&config(), &webhook(failures), outcomes, &mut round);
        round
    }

    #[test]
    fn one_poison_delivery_is_tried_again_and_holds_up_nobody() {
        let round = judged(0, vec![(due(1, 0), answer(200)), (due(2, 0), answer(500)), (due(3, 1), answer(204))]);
        assert!(round.succeeded && round.pause.is_zero());
        assert_eq!(round.done, [3], "the first had no row");
        assert_eq!((round.again[0].position, round.again[0].attempts), (2, 1));
        assert!((8..=12).contains(&round.again[0].wait.as_secs()), "{:?}", round.again[0].wait);
    }

    #[test]
    fn a_round_without_success_is_followed_by_a_pause_that_grows() {
        let failed = || (1..=3).map(|number| (due(number.into(), number - 1), answer(503))).collect();
        let first = judged(0, failed());
        assert!((8..=12).contains(&first.pause.as_secs()), "{:?}", first.pause);
        assert_eq!(first.done, [3], "there is no further try on the schedule");
        assert_eq!(first.again.iter().map(|again| again.position).collect::<Vec<_>>(), [1, 2]);
        for failures in [1, 2, 50] {
            let later = judged(failures, failed());
            assert!((80..=120).contains(&later.pause.as_secs()), "{:?}", later.pause);
        }
        assert!(judged(0, Vec::new()).pause.is_zero());
    }

    #[test]
    fn what_the_receiver_asks_for_is_heard() {
        let busy = Receipt { status: 429, retry_after: Some(Duration::from_secs(3000)) };
        assert_eq!(judged(0, vec![(due(1, 0), Ok(busy))]).pause, Duration::from_secs(3000));
        assert!(judged(0, vec![(due(1, 0), answer(410))]).is_gone);
        let moved = judged(0, vec![(due(1, 0), answer(302))]);
        assert_eq!(
            (moved.failure.as_deref(), moved.again.len()),
            (Some("status 302"), 1),
            "redirects are not followed"
        );
        let error = Undeliverable::Unreachable("x".repeat(1000), None);
        assert_eq!(judged(0, vec![(due(1, 0), Err(error))]).failure.unwrap().len(), FAILURE_CHARS_MAX);
    }

    #[test]
    fn absurd_sections_are_refused() {
        let problems = |config: WebhooksConfig| {
            let mut problems = Vec::new();
            config.check(&mut problems);
            problems.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert_eq!(problems(config()), Vec::<String>::new());
        let absurd =
            WebhooksConfig { timeout_seconds: 0, retry_seconds: vec![], switch_off_after_hours: 0, ..config() };
        assert_eq!(
            problems(absurd),
            ["webhooks.timeout_seconds", "webhooks.retry_seconds", "webhooks.switch_off_after_hours"]
        );
        assert_eq!(problems(WebhooksConfig { retry_seconds: vec![5, 0], ..config() }), ["webhooks.retry_seconds"]);
    }
}
