//! Permits: how many file versions are worked on at the same time, some of them for one lane alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::domain::lane::Lane;
use tokio::sync::Notify;

/// Permits of one worker. The shared ones are for every lane; a reserved one is beside them and for its lane alone, so
/// that whatever the others are busy with, that lane can begin.
#[derive(Clone)]
pub(crate) struct Permits(Arc<Inner>);

struct Inner {
    free: Mutex<Free>,
    returned: Notify,
}

struct Free {
    shared: usize,
    /// In the order of [`Lane::ALL`].
    reserved: [usize; Lane::ALL.len()],
}

/// A permit in use; dropped, it is free again.
pub(crate) struct Permit {
    permits: Permits,
    /// The lane that it is reserved for.
    reserved_for: Option<usize>,
}

impl Permits {
    /// `reserved` in the order of [`Lane::ALL`].
    pub(crate) fn new(shared: usize, reserved: [usize; Lane::ALL.len()]) -> Self {
        Self(Arc::new(Inner { free: Mutex::new(Free { shared, reserved }), returned: Notify::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which lanes can begin now, in the order of [`Lane::ALL`]; waits until any can.
    pub(crate) async fn open(&self) -> [bool; Lane::ALL.len()] {
        loop {
            let returned = self.0.returned.notified();
            let open = self.lock().open();
            if open.contains(&true) {
                return open;
            }
            returned.await;
        }
    }

    /// Returns when a lane may have opened that was not.
    pub(crate) async fn returned(&self) {
        self.0.returned.notified().await;
    }

    /// Takes a permit for the lane at this place of [`Lane::ALL`]: a reserved one first, the shared ones are everybody's.
    pub(crate) fn take(&self, lane: usize) -> Option<Permit> {
        let mut free = self.lock();
        let reserved_for = if free.reserved[lane] > 0 {
            free.reserved[lane] -= 1;
            Some(lane)
        } else {
            free.shared = free.shared.checked_sub(1)?;
            None
        };
        Some(Permit { permits: self.clone(), reserved_for })
    }
}

impl Free {
    fn open(&self) -> [bool; Lane::ALL.len()] {
        self.reserved.map(|reserved| self.shared > 0 || reserved > 0)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut free = self.permits.lock();
        match self.reserved_for {
            Some(lane) => free.reserved[lane] += 1,
            None => free.shared += 1,
        }
        drop(free);
        // One dispatcher waits; what it has not begun to wait for it will look at first.
        self.permits.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERACTIVE: usize = 0;
    const HEAVY: usize = 2;

    #[tokio::test]
    async fn a_reserved_permit_is_left_for_its_lane_whatever_the_others_do() {
        assert_eq!((Lane::ALL[INTERACTIVE], Lane::ALL[HEAVY]), (Lane::Interactive, Lane::Heavy));
        let permits = Permits::new(2, [1, 0, 0, 0]);
        let _busy = [permits.take(HEAVY).unwrap(), permits.take(HEAVY).unwrap()];
        assert!(permits.take(HEAVY).is_none());
        assert_eq!(permits.open().await, [true, false, false, false]);
        let quick = permits.take(INTERACTIVE).unwrap();
        assert!(permits.take(INTERACTIVE).is_none());
        drop(quick);
        assert_eq!(permits.open().await, [true, false, false, false], "it went back to its lane");
    }

    #[tokio::test]
    async fn whoever_waits_learns_of_a_permit_that_comes_back() {
        let permits = Permits::new(1, [0; 4]);
        let busy = permits.take(HEAVY).unwrap();
        let waiting = permits.clone();
        let opened = tokio::spawn(async move { waiting.open().await });
        tokio::task::yield_now().await;
        drop(busy);
        assert_eq!(opened.await.unwrap(), [true; 4]);
    }
}
