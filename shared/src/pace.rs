//! How long something that waits will go on waiting, from what is waiting and how quickly it was served lately.
//!
//! A lane serves what came first. Of its `pending` rows those are ahead of one that has waited for `waited` which have waited
//! longer; taking them to have come evenly since the oldest came, that is `pending × (oldest − waited) ∕ oldest`. With its
//! own rows they are served at the rate at which the lane has served its latest ones while anything was waiting in it:
//!
//! ```text
//! eta = (ahead + own) ∕ rate        rate = served ∕ time in which at least one of them waited
//! ```
//!
//! Time in which nothing waited says nothing about how quickly a lane serves, so it does not count.

use std::time::Duration;

use crate::domain::file::UnixMillis;
use crate::domain::lane::Lane;
use crate::domain::representation::Representation;
use crate::ports::announcements::{Served, Service};
use crate::ports::state_store::LaneBacklog;

/// What a lane is taken to serve when it has served nothing lately: a picture's eager set in a second.
const RATE_UNKNOWN_PER_SECOND: f64 = 5.0;
/// Nothing is told to be nearer or farther than this.
const ETA_MIN: Duration = Duration::from_millis(100);
const ETA_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What the lanes have to do, and how quickly they do it.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    lanes: Vec<LanePace>,
    read_at: UnixMillis,
}

/// One lane.
#[derive(Debug, Clone, Copy)]
struct LanePace {
    lane: Lane,
    pending: u64,
    oldest: Duration,
    rate_per_second: f64,
}

impl Pace {
    /// From the backlog of all lanes and what they have served lately.
    pub fn new(backlog: &[LaneBacklog], service: &Service) -> Self {
        let lane = |waiting: &LaneBacklog| LanePace {
            lane: waiting.lane,
            pending: waiting.pending,
            oldest: waiting.oldest,
            rate_per_second: rate_per_second(&service.served, waiting.lane),
        };
        Self { lanes: backlog.iter().map(lane).collect(), read_at: service.read_at }
    }

    /// Representations that a lane serves in a second, as told.
    pub fn rate_per_second(&self, lane: Lane) -> f64 {
        self.of(lane).map_or(RATE_UNKNOWN_PER_SECOND, |pace| pace.rate_per_second)
    }

    /// How long until `own` rows are served that have waited for `waited` in this lane.
    pub fn eta(&self, lane: Lane, waited: Duration, own: u64) -> Duration {
        let ahead = self.of(lane).map_or(0.0, |pace| pace.ahead(waited));
        let seconds = (ahead + own as f64) / self.rate_per_second(lane);
        // Not a number, or infinite, is as far as can be told.
        Duration::try_from_secs_f64(seconds).unwrap_or(ETA_MAX).clamp(ETA_MIN, ETA_MAX)
    }

    /// How long until nothing of these waits; `None` when nothing does. `elapsed` is the time since the pace was read.
    pub fn eta_of(&self, representations: &[Representation], elapsed: Duration) -> Option<Duration> {
        let waiting: Vec<_> = representations.iter().filter(|row| !row.state.has_settled()).collect();
        let now = self.read_at.saturating_add(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        let since = |moment: UnixMillis| Duration::from_millis(u64::try_from(now - moment).unwrap_or(0));
        let eta = |row: &&Representation| {
            let own = waiting.iter().filter(|other| other.lane == row.lane).count() as u64;
            // What is tried again later is not served before.
            let pause = Duration::from_millis(u64::try_from(row.due_at - now).unwrap_or(0));
            (self.eta(row.lane, since(row.pending_since), own) + pause).min(ETA_MAX)
        };
        waiting.iter().map(eta).max()
    }

    fn of(&self, lane: Lane) -> Option<&LanePace> {
        self.lanes.iter().find(|pace| pace.lane == lane)
    }
}

impl LanePace {
    fn ahead(&self, waited: Duration) -> f64 {
        let oldest = self.oldest.as_secs_f64();
        if oldest <= 0.0 {
            return 0.0;
        }
        self.pending as f64 * (oldest - waited.as_secs_f64()).max(0.0) / oldest
    }
}

/// What of this lane was served, by the time in which any of it waited.
fn rate_per_second(served: &[Served], lane: Lane) -> f64 {
    let mut waits: Vec<(UnixMillis, UnixMillis)> = served
        .iter()
        .filter(|one| one.lane == lane)
        .map(|one| (one.at.saturating_sub(i64::try_from(one.waited.as_millis()).unwrap_or(i64::MAX)), one.at))
        .collect();
    waits.sort_unstable();
    let (mut busy_ms, mut reached) = (0_i64, UnixMillis::MIN);
    for (from, to) in &waits {
        busy_ms = busy_ms.saturating_add((*to).saturating_sub((*from).max(reached)).max(0));
        reached = reached.max(*to);
    }
    if waits.is_empty() || busy_ms == 0 {
        return RATE_UNKNOWN_PER_SECOND;
    }
    waits.len() as f64 * 1000.0 / busy_ms as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::representation::State;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn backlog(lane: Lane, pending: u64, oldest: f64) -> LaneBacklog {
        LaneBacklog { lane, pending, oldest: seconds(oldest) }
    }

    /// Served at these seconds, each after waiting so many.
    fn service(lane: Lane, served: &[(i64, f64)]) -> Service {
        let served = served.iter().map(|(at, waited)| Served { lane, at: at * 1000, waited: seconds(*waited) });
        Service { read_at: 100_000, served: served.collect() }
    }

    #[test]
    fn a_newcomer_waits_for_the_whole_lane_and_the_oldest_for_itself() {
        // Ten in ten seconds during which something waited all the time.
        let served: Vec<_> = (1..=10).map(|second| (second, 2.0)).collect();
        let pace = Pace::new(&[backlog(Lane::Normal, 60, 30.0)], &service(Lane::Normal, &served));
        assert!((pace.rate_per_second(Lane::Normal) - 10.0 / 11.0).abs() < 1e-9);
        let eta = |waited| pace.eta(Lane::Normal, seconds(waited), 5).as_secs_f64();
        assert!((eta(0.0) - 65.0 * 1.1).abs() < 0.01, "{}", eta(0.0));
        assert!((eta(15.0) - 35.0 * 1.1).abs() < 0.01, "half of them have come later: {}", eta(15.0));
        assert!((eta(30.0) - 5.5).abs() < 0.01, "{}", eta(30.0));
        assert!((eta(99.0) - 5.5).abs() < 0.01, "nobody is behind the oldest");
    }

    #[test]
    fn idle_time_does_not_count() {
        // Once in a minute one is served within a fifth of a second.
        let pace =
            Pace::new(&[backlog(Lane::Normal, 1, 0.1)], &service(Lane::Normal, &[(10, 0.2), (70, 0.2), (130, 0.2)]));
        assert!((pace.rate_per_second(Lane::Normal) - 5.0).abs() < 1e-9);
        assert_eq!(pace.eta(Lane::Normal, Duration::ZERO, 1), Duration::from_millis(400));
    }

    #[test]
    fn lanes_are_told_apart_and_without_any_service_a_rate_is_assumed() {
        let pace = Pace::new(
            &[backlog(Lane::Interactive, 0, 0.0), backlog(Lane::Backfill, 10_000, 600.0)],
            &service(Lane::Backfill, &[(1, 1.0)]),
        );
        assert_eq!(pace.eta(Lane::Interactive, Duration::ZERO, 5), Duration::from_secs(1));
        assert_eq!(pace.eta(Lane::Backfill, Duration::ZERO, 5), Duration::from_secs(10_005));
        assert_eq!(Pace::default().eta(Lane::Heavy, Duration::ZERO, 5), Duration::from_secs(1));
    }

    #[test]
    fn nothing_that_waits_has_no_eta_and_a_retry_comes_after_its_wait() {
        let row = |state: State, due_at: i64| Representation {
            preset: "jpg_160x160".parse().unwrap(),
            recipe: crate::domain::preset::RecipeHash::from_stored(String::new()),
            state,
            lane: Lane::Normal,
            attempts: 1,
            crashes: 0,
            last_failure: None,
            pending_since: 100_000,
            due_at,
            renewal: None,
            settled_at: None,
        };
        let pace = Pace::new(&[], &service(Lane::Normal, &[]));
        let settled = State::Error(crate::domain::failure::Failure::new(
            crate::domain::failure::FailureCode::CorruptSource,
            "because",
        ));
        assert_eq!(pace.eta_of(&[row(settled, 0)], Duration::ZERO), None);
        let waiting = [row(State::Pending, 0), row(State::Pending, 103_000)];
        assert_eq!(pace.eta_of(&waiting, Duration::ZERO), Some(Duration::from_millis(3400)));
        assert_eq!(pace.eta_of(&waiting, Duration::from_secs(2)), Some(Duration::from_millis(1400)));
    }

    proptest! {
        #[test]
        fn an_eta_is_always_within_its_bounds(
            pending in any::<u64>(), oldest in any::<u32>(), waited in any::<u64>(), own in any::<u64>(),
            served in proptest::collection::vec((any::<i64>(), any::<u64>()), 0..20),
        ) {
            let served = served.into_iter().map(|(at, waited)| {
                Served { lane: Lane::Normal, at, waited: Duration::from_millis(waited) }
            });
            let service = Service { read_at: 0, served: served.collect() };
            let pace = Pace::new(&[backlog(Lane::Normal, pending, oldest.into())], &service);
            let eta = pace.eta(Lane::Normal, Duration::from_millis(waited), own);
            prop_assert!((ETA_MIN..=ETA_MAX).contains(&eta));
        }
    }
}
