//! Credentials that were verified a moment ago, so that a burst of requests costs one look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::domain::ids::Sha256Digest;
use shared::domain::principal::Principal;

/// Most credentials remembered at a time.
const ENTRIES_MAX: usize = 4096;

/// Principals by the digest of what they presented. What is revoked may be let in for as long as it is remembered.
pub(super) struct Remembered {
    entries: Mutex<HashMap<Sha256Digest, (Instant, Arc<Principal>)>>,
    age_max: Duration,
}

impl Remembered {
    pub(super) fn new(age_max: Duration) -> Self {
        Self { entries: Mutex::default(), age_max }
    }

    pub(super) fn get(&self, presented: &Sha256Digest) -> Option<Arc<Principal>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, principal) = entries.get(presented)?;
        (since.elapsed() < self.age_max).then(|| Arc::clone(principal))
    }

    pub(super) fn put(&self, presented: Sha256Digest, principal: Arc<Principal>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, (since, _)| since.elapsed() < self.age_max);
        }
        if entries.len() < ENTRIES_MAX {
            entries.insert(presented, (Instant::now(), principal));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> Sha256Digest {
        Sha256Digest::of(&n.to_le_bytes())
    }

    #[test]
    fn what_is_remembered_is_forgotten_in_time_and_bounded_in_number() {
        let remembered = Remembered::new(Duration::from_secs(3600));
        for n in 0..ENTRIES_MAX + 10 {
            remembered.put(digest(n), Arc::new(Principal::Operator));
        }
        assert!(remembered.get(&digest(0)).is_some() && remembered.get(&digest(ENTRIES_MAX)).is_none());
        let at_once = Remembered::new(Duration::ZERO);
        at_once.put(digest(0), Arc::new(Principal::Operator));
        assert!(at_once.get(&digest(0)).is_none());
    }
}
