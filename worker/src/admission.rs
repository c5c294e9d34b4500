//! Memory is granted before it is used, first come first served: how much of it, not how many may have some.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Held;

/// The unit of a grant; a semaphore counts in 32 bits at a time.
const UNIT_BYTES: u64 = 1 << 20;

/// An amount of memory of which parts are granted.
#[derive(Debug, Clone)]
pub struct Admission {
    units: Arc<Semaphore>,
    most: u32,
}

/// A part of the memory, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    _permit: Option<OwnedSemaphorePermit>,
    _held: Held,
}

impl Admission {
    /// So much memory, at least one unit of it.
    pub fn of_bytes(bytes: u64) -> Self {
        let most = u32::try_from((bytes / UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        Self { units: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// More than anybody asks for.
    pub fn unbounded() -> Self {
        Self::of_bytes(u64::MAX)
    }

    /// What is granted to nobody, in bytes.
    pub fn free_bytes(&self) -> u64 {
        self.units.available_permits() as u64 * UNIT_BYTES
    }

    /// Waits until this much is free. Who asks for more than there is gets all of it, and is alone with it.
    pub(crate) async fn admit(&self, bytes: u64) -> Admitted {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes)).await.ok();
        Admitted { _permit: permit, _held: Held::bytes(bytes) }
    }

    /// The same, if it need not wait.
    pub(crate) fn try_admit(&self, bytes: u64) -> Option<Admitted> {
        let permit = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).ok()?;
        Some(Admitted { _permit: Some(permit), _held: Held::bytes(bytes) })
    }

    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::time::Duration;

    use super::*;

    async fn is_granted(grant: Pin<&mut impl Future<Output = Admitted>>) -> bool {
        tokio::time::timeout(Duration::ZERO, grant).await.is_ok()
    }

    #[tokio::test]
    async fn what_is_too_large_is_alone_and_what_fits_is_not() {
        let admission = Admission::of_bytes(10 << 20);
        let small = admission.admit(4 << 20).await;
        let other = admission.try_admit(6 << 20).unwrap();
        assert!(admission.try_admit(1).is_none());
        drop((small, other));
        let huge = admission.admit(u64::MAX).await;
        assert!(admission.try_admit(1).is_none());
        drop(huge);
        assert!(admission.try_admit(10 << 20).is_some());
    }

    #[tokio::test]
    async fn who_waits_is_not_overtaken() {
        let admission = Admission::of_bytes(10 << 20);
        let first = admission.admit(6 << 20).await;
        let large = admission.admit(8 << 20);
        tokio::pin!(large);
        assert!(!is_granted(large.as_mut()).await);
        let small = admission.admit(1 << 20);
        tokio::pin!(small);
        assert!(!is_granted(small.as_mut()).await, "a small one would starve the large one");
        drop(first);
        assert!(is_granted(large.as_mut()).await);
    }
}
