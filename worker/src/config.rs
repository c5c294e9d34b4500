//! Section `[worker]` of the configuration: how much one worker does at a time, and how patiently.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;
use shared::domain::lane::Lane;

use crate::machine;

/// A lease is prolonged every third of it, so a shorter one would be lost to a single slow answer of the database.
const LEASE_SECONDS_MIN: u64 = 4;
/// Nobody needs more renders at a time on one machine; a larger number is a typing error.
const CONCURRENCY_MAX: u32 = 1024;
/// Larger outputs gain nothing from sharing a blob; a larger number is a typing error.
const PACK_BYTES_MAX: u64 = 1024 * 1024;
/// An hour: longer periods are typing errors (milliseconds for seconds).
const PERIOD_SECONDS_MAX: u64 = 3600;

/// How one worker works. Every field is a key of `config.default.toml`, which explains it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sources rendered at the same time; 0: one per core.
    pub concurrency: u32,
    /// Seconds that a claim is held; prolonged every third of it while the worker lives.
    pub lease_seconds: u64,
    /// Seconds between two looks at rows that are due.
    pub sweep_seconds: f64,
    /// Seconds after which a row that was woken, but not claimed, is woken again (doubled every time).
    pub wake_patience_seconds: u64,
    /// Seconds to let running work finish after the first signal; then it is handed back.
    pub drain_seconds: u64,
    /// Share of the interactive lane when all lanes have work.
    pub share_interactive: u32,
    /// Share of the normal lane.
    pub share_normal: u32,
    /// Share of the heavy lane.
    pub share_heavy: u32,
    /// Share of the backfill lane.
    pub share_backfill: u32,
    /// Seconds between two looks through every bucket of `[[sources]]` for objects that were never announced; 0: never.
    pub scan_seconds: u64,
    /// Permits beside `concurrency` that only the interactive lane may take.
    pub reserved_interactive: u32,
    /// The same for the normal lane.
    pub reserved_normal: u32,
    /// The same for the heavy lane.
    pub reserved_heavy: u32,
    /// The same for the backfill lane.
    pub reserved_backfill: u32,
    /// Whether what was rendered for one tenant may be taken over for another one that has the very same bytes.
    pub share_across_tenants: bool,
    /// Sources that one render child renders before it is replaced.
    pub child_renders_max: u32,
    /// Bytes that renders may need at a time, as predicted; 0: half of the memory there is.
    pub render_bytes_max: u64,
    /// Bytes of sources that are held at a time; 0: a quarter of the memory there is.
    pub source_bytes_max: u64,
    /// Longest page that shares a blob with others of its attempt, in bytes; 0: every page has a blob of its own.
    pub pack_bytes_max: u64,
}

impl Config {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |key: &str, value: String, remedy: String| {
            problems.push(Problem::new(format!("worker.{key}"), value, remedy));
        };
        if self.concurrency > CONCURRENCY_MAX {
            refuse("concurrency", self.concurrency.to_string(), format!("from 0 (one per core) to {CONCURRENCY_MAX}"));
        }
        if !(LEASE_SECONDS_MIN..=PERIOD_SECONDS_MAX).contains(&self.lease_seconds) {
            let remedy = format!("seconds from {LEASE_SECONDS_MIN} to {PERIOD_SECONDS_MAX}");
            refuse("lease_seconds", self.lease_seconds.to_string(), remedy);
        }
        if !(0.05..=PERIOD_SECONDS_MAX as f64).contains(&self.sweep_seconds) {
            refuse(
                "sweep_seconds",
                self.sweep_seconds.to_string(),
                format!("seconds from 0.05 to {PERIOD_SECONDS_MAX}"),
            );
        }
        if !(1..=PERIOD_SECONDS_MAX).contains(&self.wake_patience_seconds) {
            let remedy = format!("seconds from 1 to {PERIOD_SECONDS_MAX}");
            refuse("wake_patience_seconds", self.wake_patience_seconds.to_string(), remedy);
        }
        if self.drain_seconds > PERIOD_SECONDS_MAX {
            refuse("drain_seconds", self.drain_seconds.to_string(), format!("at most {PERIOD_SECONDS_MAX} seconds"));
        }
        for lane in Lane::ALL {
            if !(1..=1000).contains(&self.share(lane)) {
                let remedy = "from 1 to 1000: a lane without a share would never be served".to_owned();
                refuse(&format!("share_{}", lane.name()), self.share(lane).to_string(), remedy);
            }
            if self.reserved(lane) > CONCURRENCY_MAX as usize {
                let key = format!("reserved_{}", lane.name());
                refuse(&key, self.reserved(lane).to_string(), format!("from 0 to {CONCURRENCY_MAX}"));
            }
        }
        if self.child_renders_max == 0 {
            refuse("child_renders_max", "0".to_owned(), "at least 1".to_owned());
        }
        if self.pack_bytes_max > PACK_BYTES_MAX {
            let remedy = format!("bytes from 0 (a blob for each) to {PACK_BYTES_MAX}");
            refuse("pack_bytes_max", self.pack_bytes_max.to_string(), remedy);
        }
    }

    /// Sources rendered at the same time, at least 1.
    pub fn concurrency(&self) -> usize {
        match self.concurrency {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            chosen => chosen as usize,
        }
    }

    /// The lane's share when all lanes have work.
    pub fn share(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Interactive => self.share_interactive,
            Lane::Normal => self.share_normal,
            Lane::Heavy => self.share_heavy,
            Lane::Backfill => self.share_backfill,
        }
    }

    /// Permits that only this lane may take.
    pub fn reserved(&self, lane: Lane) -> usize {
        let permits = match lane {
            Lane::Interactive => self.reserved_interactive,
            Lane::Normal => self.reserved_normal,
            Lane::Heavy => self.reserved_heavy,
            Lane::Backfill => self.reserved_backfill,
        };
        permits as usize
    }

    /// Memory for renders, in bytes.
    pub(crate) fn render_bytes(&self) -> u64 {
        if self.render_bytes_max == 0 { machine::memory_bytes() / 2 } else { self.render_bytes_max }
    }

    /// Memory for sources, in bytes.
    pub(crate) fn source_bytes(&self) -> u64 {
        if self.source_bytes_max == 0 { machine::memory_bytes() / 4 } else { self.source_bytes_max }
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    pub(crate) fn sweep(&self) -> Duration {
        Duration::from_secs_f64(self.sweep_seconds)
    }

    pub(crate) fn wake_patience(&self) -> Duration {
        Duration::from_secs(self.wake_patience_seconds)
    }

    /// How often buckets are looked through; `None`: never.
    pub(crate) fn scan_period(&self) -> Option<Duration> {
        (self.scan_seconds > 0).then(|| Duration::from_secs(self.scan_seconds))
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Config {
        Config {
            concurrency: 0,
            lease_seconds: 60,
            sweep_seconds: 1.0,
            wake_patience_seconds: 30,
            scan_seconds: 86400,
            share_across_tenants: false,
            drain_seconds: 30,
            share_interactive: 8,
            share_normal: 4,
            share_heavy: 2,
            share_backfill: 1,
            reserved_interactive: 1,
            reserved_normal: 0,
            reserved_heavy: 0,
            reserved_backfill: 0,
            child_renders_max: 200,
            render_bytes_max: 0,
            source_bytes_max: 0,
            pack_bytes_max: 0,
        }
    }

    fn refused(config: &Config) -> Vec<String> {
        let mut problems = Vec::new();
        config.check(&mut problems);
        problems.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(refused(&sound()), Vec::<String>::new());
        assert!(sound().concurrency() >= 1);
    }

    #[test]
    fn everything_absurd_is_told_at_once() {
        let absurd = Config {
            concurrency: 100_000,
            lease_seconds: 3,
            sweep_seconds: f64::NAN,
            wake_patience_seconds: 0,
            drain_seconds: 1_000_000,
            share_heavy: 0,
            reserved_backfill: 100_000,
            child_renders_max: 0,
            pack_bytes_max: u64::MAX,
            ..sound()
        };
        let keys = [
            "worker.concurrency",
            "worker.lease_seconds",
            "worker.sweep_seconds",
            "worker.wake_patience_seconds",
            "worker.drain_seconds",
            "worker.share_heavy",
            "worker.reserved_backfill",
            "worker.child_renders_max",
            "worker.pack_bytes_max",
        ];
        assert_eq!(refused(&absurd), keys);
    }
}
