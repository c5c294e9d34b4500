//! What the ledger says of claims: nobody settles what somebody else holds.

use std::collections::BTreeMap;

use super::seen::{Entry, Seen};

/// Entries that end an attempt, or write to rows under its claim.
const SETTLES: [&str; 8] = ["success", "viewable", "error", "retry", "crashed", "handed_back", "waiting", "moved"];

/// Each settle by somebody who did not hold the rows then, in words.
pub(super) fn settled_by_others(seen: &Seen) -> Vec<String> {
    let mut holders: BTreeMap<(i64, &str), &str> = BTreeMap::new();
    let mut found = Vec::new();
    for Entry { file_version_id, kind, claim, presets, .. } in &seen.entries {
        let Some(claim) = claim else { continue };
        for preset in presets.split(',').filter(|preset| !preset.is_empty()) {
            let row = (*file_version_id, preset);
            if kind == "claimed" {
                holders.insert(row, claim);
                continue;
            }
            if !SETTLES.contains(&kind.as_str()) {
                continue;
            }
            let holder = if kind == "viewable" { holders.get(&row).copied() } else { holders.remove(&row) };
            if holder != Some(claim) {
                found.push(format!(
                    "version {file_version_id}, {preset}: {kind} by {claim}, while held by {}",
                    holder.unwrap_or("nobody")
                ));
            }
        }
    }
    found
}

/// An attempt that somebody had to make again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    /// From its claim to the next one, milliseconds of unix time.
    pub(super) from: i64,
    pub(super) until: i64,
}

/// Attempts that did not end the rows that they had claimed: abandoned, crashed, or to be retried.
pub(super) fn attempts_again(seen: &Seen) -> Vec<Again> {
    let mut last: BTreeMap<(i64, &str), (i64, bool)> = BTreeMap::new();
    let mut again = Vec::new();
    for Entry { file_version_id, at, kind, presets, .. } in &seen.entries {
        let mut counted = false;
        for preset in presets.split(',').filter(|preset| !preset.is_empty()) {
            let row = (*file_version_id, preset);
            match kind.as_str() {
                "claimed" => {
                    if let Some((from, true)) = last.insert(row, (*at, true)).filter(|_| !counted) {
                        again.push(Again { from, until: *at });
                        counted = true;
                    }
                }
                // Given back before anything was made.
                "handed_back" | "waiting" | "moved" => drop(last.insert(row, (*at, false))),
                _ => {}
            }
        }
    }
    again
}

/// When representations became readable, in order.
pub(super) fn successes(seen: &Seen) -> Vec<i64> {
    let mut times: Vec<i64> =
        seen.entries.iter().filter(|entry| entry.kind == "success").map(|entry| entry.at).collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, kind: &str, claim: &str, presets: &str) -> Entry {
        let (kind, presets) = (kind.to_owned(), presets.to_owned());
        Entry { file_version_id: 1, at, kind, claim: Some(claim.to_owned()), presets }
    }

    #[test]
    fn a_settle_by_somebody_else_is_found_and_the_holders_is_not() {
        let mut seen =
            Seen { entries: vec![entry(1, "claimed", "a", "x,y"), entry(2, "success", "a", "x")], ..Seen::default() };
        assert_eq!(settled_by_others(&seen), Vec::<String>::new());
        seen.entries.extend([entry(3, "claimed", "b", "y"), entry(4, "success", "a", "y")]);
        assert_eq!(settled_by_others(&seen).len(), 1);
        assert_eq!(attempts_again(&seen), [Again { from: 1, until: 3 }]);
        assert_eq!(successes(&seen), [2, 4]);
    }
}
