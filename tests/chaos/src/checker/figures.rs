//! What a run has measured: how soon each kind of fault was followed by a success, and how much was made again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ledger::{self, Again};
use super::seen::Seen;
use crate::faults::{Kind, Struck};

/// Of one kind of fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    pub(crate) faults: u32,
    /// From the moment that a fault is over to the next success, milliseconds; `None` when none followed any.
    pub(crate) recovery_median_ms: Option<i64>,
    pub(crate) recovery_worst_ms: Option<i64>,
    /// Attempts that were under way then and had to be made again.
    pub(crate) made_again: u32,
}

/// By kind, and how many attempts were made again in all.
pub(crate) fn measure(struck: &[Struck], seen: &Seen) -> (BTreeMap<Kind, Figures>, u32) {
    let (successes, again) = (ledger::successes(seen), ledger::attempts_again(seen));
    let mut figures: BTreeMap<Kind, Figures> = BTreeMap::new();
    let mut recoveries: BTreeMap<Kind, Vec<i64>> = BTreeMap::new();
    for one in struck {
        figures.entry(one.kind).or_default().faults += 1;
        let next = successes.partition_point(|at| *at < one.over);
        if let Some(at) = successes.get(next) {
            recoveries.entry(one.kind).or_default().push(at - one.over);
        }
    }
    for attempt in &again {
        if let Some(kind) = cause(struck, attempt) {
            figures.entry(kind).or_default().made_again += 1;
        }
    }
    for (kind, mut times) in recoveries {
        times.sort_unstable();
        let figures = figures.entry(kind).or_default();
        figures.recovery_median_ms = times.get(times.len() / 2).copied();
        figures.recovery_worst_ms = times.last().copied();
    }
    (figures, u32::try_from(again.len()).unwrap_or(u32::MAX))
}

/// The fault that an attempt met: the first that began during it, else one that was there already.
fn cause(struck: &[Struck], attempt: &Again) -> Option<Kind> {
    let met = |one: &&Struck| one.began <= attempt.until && one.over >= attempt.from;
    let mut all = struck.iter().filter(met);
    let first = all.clone().find(|one| one.began >= attempt.from);
    first.or_else(|| all.next()).map(|one| one.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::seen::Entry;

    #[test]
    fn recovery_counts_from_the_end_of_a_fault_and_what_it_broke_is_its_own() {
        let entry = |at, kind: &str| Entry {
            file_version_id: 1,
            at,
            kind: kind.into(),
            claim: Some("a".into()),
            presets: "x".into(),
        };
        let seen =
            Seen { entries: vec![entry(10, "claimed"), entry(50, "claimed"), entry(90, "success")], ..Seen::default() };
        let struck = [
            Struck { kind: Kind::StoreCut, began: 5, over: 12 },
            Struck { kind: Kind::WorkerKilled, began: 20, over: 30 },
            Struck { kind: Kind::ChildKilled, began: 95, over: 95 },
        ];
        let (figures, again) = measure(&struck, &seen);
        assert_eq!(again, 1);
        assert_eq!(
            figures[&Kind::WorkerKilled],
            Figures { faults: 1, recovery_median_ms: Some(60), recovery_worst_ms: Some(60), made_again: 1 }
        );
        assert_eq!(figures[&Kind::StoreCut].made_again, 0);
        assert_eq!(figures[&Kind::ChildKilled].recovery_worst_ms, None);
    }
}
