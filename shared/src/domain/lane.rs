//! Lanes: queues of wakes with their own share of the worker, split into shards by tenant.

use serde::{Deserialize, Serialize};

use super::ids::{Sha256Digest, Tenant};

/// A queue of wakes with its own share of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Somebody is looking at a placeholder right now.
    Interactive,
    /// Fresh uploads.
    Normal,
    /// What is already there and can wait: backfills and re-renders.
    Backfill,
    /// Sources that are predicted to take long.
    Heavy,
}

impl Lane {
    /// Every lane, most urgent first.
    pub const ALL: [Self; 4] = [Self::Interactive, Self::Normal, Self::Heavy, Self::Backfill];

    /// The name in queue names, rows, configuration and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Backfill => "backfill",
            Self::Heavy => "heavy",
        }
    }

    /// The lane with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// Which of a lane's `shards` (at least 1) a tenant's wakes go to: a burst of one tenant fills its own shard only.
pub fn shard_of(tenant: &Tenant, shards: u16) -> u16 {
    let digest = Sha256Digest::of(tenant.as_str().as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    (u32::from_be_bytes([a, b, c, d]) % u32::from(shards.max(1))) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        assert!(Lane::ALL.iter().all(|lane| Lane::from_name(lane.name()) == Some(*lane)));
    }

    #[test]
    fn shards_are_stable_and_spread() {
        let shard = |name: &str| shard_of(&name.parse().unwrap(), 4);
        assert_eq!(shard("acme"), shard("acme"));
        let used: std::collections::BTreeSet<u16> = (0..100).map(|n| shard(&format!("tenant-{n}"))).collect();
        assert_eq!(used.len(), 4);
        assert_eq!(shard_of(&"acme".parse().unwrap(), 0), 0);
    }
}
