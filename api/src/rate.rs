//! How many requests one principal may make, so that no client's loop takes the place of all others.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Seconds of its rate that a principal may use at once after a pause.
const BURST_SECONDS: u64 = 10;
/// Principals that are remembered; beyond it those that have their whole burst left are forgotten.
const PRINCIPALS_MAX: usize = 10_000;

/// One limit for every principal on its own. It holds in this process: with several, each allows as much.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_minute: u32,
    hasher: RandomState,
    /// Until when the requests of a principal so far have used up its rate.
    used_until: Mutex<HashMap<u64, Instant>>,
}

/// What a principal hears that has made too many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// Whole seconds until the next one passes.
    pub(crate) retry_after_seconds: u64,
    /// The limit.
    pub(crate) per_minute: u32,
}

impl Limiter {
    /// Zero is no limit.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { per_minute, hasher: RandomState::new(), used_until: Mutex::default() }
    }

    /// Counts a request of this principal at `now`, or refuses it.
    pub(crate) fn take(&self, principal: u64, now: Instant) -> Result<(), Exceeded> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let each = Duration::from_secs(60) / self.per_minute;
        let burst = Duration::from_secs(BURST_SECONDS).max(each);
        let mut used_until = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        if used_until.len() >= PRINCIPALS_MAX {
            used_until.retain(|_, until| *until > now);
        }
        let until = used_until.entry(principal).or_insert(now);
        let next = (*until).max(now) + each;
        if next > now + burst {
            let wait = next - (now + burst);
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(Exceeded { retry_after_seconds: seconds, per_minute: self.per_minute });
        }
        *until = next;
        Ok(())
    }

    /// Who asks, as far as a limit is concerned: the credentials, and in whose name. Only a keyed hash is kept.
    pub(crate) fn principal(&self, headers: &HeaderMap) -> u64 {
        let value = |name: &http::HeaderName| headers.get(name).map(|value| value.as_bytes().to_vec());
        self.hasher.hash_one((value(&AUTHORIZATION), value(&http::HeaderName::from_static("as-user"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limiter = Limiter::new(60);
        let begin = Instant::now();
        for _ in 0..10 {
            limiter.take(1, begin).unwrap();
        }
        let exceeded = limiter.take(1, begin).unwrap_err();
        assert_eq!(exceeded, Exceeded { retry_after_seconds: 1, per_minute: 60 });
        limiter.take(2, begin).unwrap();
        assert!(limiter.take(1, begin + Duration::from_millis(999)).is_err());
        limiter.take(1, begin + Duration::from_secs(1)).unwrap();
        assert!(limiter.take(1, begin + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn whoever_waits_as_told_passes() {
        for per_minute in [1, 7, 1000, 100_000] {
            let limiter = Limiter::new(per_minute);
            let mut now = Instant::now();
            let mut refused = 0;
            for _ in 0..3 {
                while limiter.take(1, now).is_ok() {}
                let wait = limiter.take(1, now).unwrap_err().retry_after_seconds;
                now += Duration::from_secs(wait);
                limiter.take(1, now).unwrap();
                refused += 1;
            }
            assert_eq!(refused, 3);
        }
    }

    #[test]
    fn zero_is_no_limit_and_memory_is_bounded() {
        let (unlimited, limiter) = (Limiter::new(0), Limiter::new(60));
        let begin = Instant::now();
        for principal in 0..3 * PRINCIPALS_MAX as u64 {
            unlimited.take(1, begin).unwrap();
            limiter.take(principal, begin + Duration::from_secs(2 * principal)).unwrap();
        }
        assert!(limiter.used_until.lock().unwrap().len() <= PRINCIPALS_MAX);
    }
}
