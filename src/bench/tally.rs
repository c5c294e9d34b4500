//! What became of the uploads of a run: how many, how quickly, and what went wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// Shares of uploads that were served as quickly or quicker, in percent, with their names.
const SHARES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("max", 100.0)];
/// Most different failures that are told.
const REASONS_SHOWN: usize = 5;

/// What became of one upload.
pub(super) struct Upload {
    /// The file's id, once there is one.
    pub(super) file: Option<String>,
    /// From when it was due to the answer, and from then until its last eager thumbnail could be read; or what went wrong.
    pub(super) outcome: Result<(Duration, Duration), String>,
}

impl Upload {
    pub(super) fn failed(reason: String) -> Self {
        Self { file: None, outcome: Err(reason) }
    }
}

/// What became of all of them so far.
pub(super) struct Tally {
    began: Instant,
    last: Instant,
    files: Vec<String>,
    answered: Vec<Duration>,
    viewable: Vec<Duration>,
    reasons: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            last: began,
            files: Vec::new(),
            answered: Vec::new(),
            viewable: Vec::new(),
            reasons: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, upload: Upload) {
        self.last = Instant::now();
        self.files.extend(upload.file);
        match upload.outcome {
            Ok((answered, made)) => {
                self.answered.push(answered);
                self.viewable.push(answered + made);
            }
            Err(reason) => *self.reasons.entry(reason).or_default() += 1,
        }
    }

    pub(super) fn uploads(&self) -> u64 {
        self.settled() + self.failed()
    }

    pub(super) fn settled(&self) -> u64 {
        self.viewable.len() as u64
    }

    pub(super) fn failed(&self) -> u64 {
        self.reasons.values().sum()
    }

    pub(super) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.keys().map(String::as_str)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Uploads a second whose thumbnails could be read.
    pub(super) fn rate(&self) -> f64 {
        let seconds = self.seconds();
        if seconds > 0.0 { self.settled() as f64 / seconds } else { 0.0 }
    }

    fn seconds(&self) -> f64 {
        (self.last - self.began).as_secs_f64()
    }

    pub(super) fn json(&self) -> Value {
        let times = |of: &[Duration]| -> Value {
            shares(of).into_iter().map(|(name, took)| (name.to_owned(), json!(rounded(took)))).collect()
        };
        json!({
            "uploads": self.uploads(),
            "failed": self.failed(),
            "seconds": (self.seconds() * 1e3).round() / 1e3,
            "uploads_per_second": (self.rate() * 100.0).round() / 100.0,
            "answered_ms": times(&self.answered),
            "viewable_ms": times(&self.viewable),
            "reasons": self.reasons,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rate) = (self.seconds(), self.rate());
        write!(f, "{} uploads in {seconds:.1} s: {rate:.1} a second, {} failed", self.uploads(), self.failed())?;
        for (what, times) in [("answered", &self.answered), ("viewable", &self.viewable)] {
            let told = shares(times).into_iter().map(|(name, took)| format!("{name} {:.0} ms", rounded(took)));
            write!(f, "\n{what} after  {}", told.collect::<Vec<_>>().join("  "))?;
        }
        for (reason, count) in self.reasons.iter().take(REASONS_SHOWN) {
            let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            write!(f, "\nfailed {count}: {reason}")?;
        }
        Ok(())
    }
}

/// The slowest of each share; nothing of nothing.
fn shares(times: &[Duration]) -> Vec<(&'static str, Duration)> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let slowest = |share: f64| {
        let rank = (share / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    };
    SHARES.into_iter().filter_map(|(name, share)| Some((name, slowest(share)?))).collect()
}

/// Milliseconds with one digit behind the point.
fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e4).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_each_share_is_told() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let told: Vec<_> = shares(&times).into_iter().map(|(name, took)| (name, took.as_millis())).collect();
        assert_eq!(told, [("p50", 100), ("p90", 180), ("p99", 198), ("max", 200)]);
        assert!(shares(&[]).is_empty());
        assert_eq!(shares(&times[..1]).iter().map(|(_, took)| took.as_millis()).collect::<Vec<_>>(), [200; 4]);
    }

    #[test]
    fn failures_are_counted_apart_and_told_without_control_characters() {
        let mut tally = Tally::new(Instant::now());
        let took = (Duration::from_millis(3), Duration::from_millis(40));
        tally.add(Upload { file: Some("7".to_owned()), outcome: Ok(took) });
        tally.add(Upload::failed("503\u{1b}[2J".to_owned()));
        tally.add(Upload::failed("503\u{1b}[2J".to_owned()));
        assert_eq!((tally.uploads(), tally.settled(), tally.failed()), (3, 1, 2));
        let told = tally.to_string();
        assert!(told.contains("failed 2: 503 [2J") && told.contains("p99 43 ms"), "{told}");
        let json = tally.json();
        assert_eq!((&json["failed"], &json["viewable_ms"]["p50"]), (&json!(2), &json!(43.0)));
    }
}
