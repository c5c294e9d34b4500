//! When a failed attempt is tried again: a pure function, so that the whole schedule can be read here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The waits between attempts. The wait after attempt n is the n-th entry, the last entry from then on, each spread
/// by up to a fifth either way so that what failed together does not come back together.
///
/// With the defaults: 1 s, 2 s, 5 s, 15 s, 30 s, 60 s, then every 2 minutes until the lane's deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct RetrySchedule(Vec<Duration>);

impl RetrySchedule {
    /// `waits` must not be empty.
    pub fn new(waits: Vec<Duration>) -> Option<Self> {
        (!waits.is_empty()).then_some(Self(waits))
    }

    /// The wait after `attempt` (counted from 1); `jitter` is random in 0.0..1.0.
    pub fn wait_after(&self, attempt: u32, jitter: f64) -> Duration {
        let index = (attempt.max(1) as usize - 1).min(self.0.len() - 1);
        let spread = 0.8 + 0.4 * jitter.clamp(0.0, 1.0);
        self.0[index].mul_f64(spread)
    }
}

impl TryFrom<Vec<f64>> for RetrySchedule {
    type Error = String;

    fn try_from(seconds: Vec<f64>) -> Result<Self, String> {
        let waits: Vec<Duration> = seconds
            .iter()
            .map(|s| Duration::try_from_secs_f64(*s).ok().filter(|d| *d <= Duration::from_secs(86_400)))
            .collect::<Option<_>>()
            .ok_or("waits are seconds from 0 to 86400")?;
        Self::new(waits).ok_or_else(|| "at least one wait is needed".to_owned())
    }
}

impl From<RetrySchedule> for Vec<f64> {
    fn from(schedule: RetrySchedule) -> Self {
        schedule.0.iter().map(Duration::as_secs_f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_list_and_stay_at_its_end() {
        let schedule = RetrySchedule::try_from(vec![1.0, 10.0, 60.0]).unwrap();
        let middle = |attempt| schedule.wait_after(attempt, 0.5).as_secs_f64().round();
        assert_eq!([middle(1), middle(2), middle(3), middle(4), middle(4_000_000_000)], [1.0, 10.0, 60.0, 60.0, 60.0]);
    }

    #[test]
    fn jitter_spreads_by_a_fifth() {
        let schedule = RetrySchedule::try_from(vec![10.0]).unwrap();
        assert_eq!(schedule.wait_after(1, 0.0), Duration::from_secs(8));
        assert_eq!(schedule.wait_after(1, 1.0), Duration::from_secs(12));
        assert_eq!(schedule.wait_after(1, f64::INFINITY), Duration::from_secs(12));
    }

    #[test]
    fn absurd_schedules_are_refused() {
        for bad in [vec![], vec![-1.0], vec![f64::NAN], vec![f64::INFINITY], vec![1e9]] {
            assert!(RetrySchedule::try_from(bad.clone()).is_err(), "{bad:?} was accepted");
        }
    }
}
