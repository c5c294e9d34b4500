//! The schedule: which fault strikes when, on whom and for how long, all of it from the seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use crate::faults::Kind;

/// Keeps the faults apart from the uploads, which have the same seed.
const STREAM: u64 = 0xFA17;
/// Of a hundred faults, so many strike together with the one before.
const TOGETHER_PERCENT: f64 = 0.2;

/// One fault to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Fault {
    pub(crate) number: u32,
    /// It strikes once so many uploads have been sent.
    pub(crate) after_uploads: u32,
    pub(crate) kind: Kind,
    /// Chooses whom it strikes, where there are several.
    pub(crate) target: u32,
    /// How long it lasts, where it does.
    pub(crate) milliseconds: u64,
}

/// So many faults of these kinds over so many uploads, in the order in which they strike.
pub(crate) fn faults(seed: u64, count: u32, uploads: u32, kinds: &[Kind]) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed ^ STREAM);
    if kinds.is_empty() {
        return Vec::new();
    }
    // None after the last tenth: whatever is hurt has work to do afterwards.
    let last = (uploads - uploads / 10).max(1);
    let mut moments: Vec<u32> = (0..count).map(|_| random.random_range(0..last)).collect();
    moments.sort_unstable();
    for at in 1..moments.len() {
        if random.random_bool(TOGETHER_PERCENT) {
            moments[at] = moments[at - 1];
        }
    }
    let fault = |(number, after_uploads)| {
        // Every kind once before chance decides, so that a short run has them all.
        let chosen =
            kinds.get(number as usize).or_else(|| kinds.choose_weighted(&mut random, |kind| kind.weight()).ok());
        let kind = chosen.copied().unwrap_or(kinds[0]);
        let (shortest, longest) = kind.lasts();
        let milliseconds = random.random_range(shortest..=longest);
        Fault { number, after_uploads, kind, target: random.random_range(0..1000), milliseconds }
    };
    (0..).zip(moments).map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_schedule_and_another_one_another() {
        let kinds = [Kind::WorkerKilled, Kind::ChildKilled, Kind::BrokerCut];
        let schedule = faults(3, 50, 400, &kinds);
        assert_eq!(schedule, faults(3, 50, 400, &kinds));
        assert_ne!(schedule, faults(4, 50, 400, &kinds));
        assert!(schedule.is_sorted_by_key(|fault| fault.after_uploads));
        assert!(kinds.iter().all(|kind| schedule.iter().any(|fault| fault.kind == *kind)));
    }
}
