//! Intake as a function: from an event, or an upload through the API, to rows and a wake.

use crate::domain::cost;
use crate::domain::file::NewFileVersion;
use crate::ports::state_store::{Registration, StateStore, StoreError};
use crate::ports::work_queue::{QueueError, Wake, WorkQueue};

/// What [`register`] did.
#[derive(Debug)]
pub struct Registered {
    /// The rows.
    pub registration: Registration,
    /// Set when the wake could not be published. The rows are safe and the sweeper will wake them: worth a warning,
    /// never an error for whoever sent the event.
    pub wake_failure: Option<QueueError>,
}

/// Makes the rows of a new file version, on the heavy lane when that is what it is predicted to be, then wakes a worker.
/// Called by the queue consumer and by the upload routes alike; the same version again changes nothing and wakes nobody.
pub async fn register(
    store: &dyn StateStore,
    queue: &dyn WorkQueue,
    new: &NewFileVersion,
) -> Result<Registered, StoreError> {
    let lane = cost::lane(new);
    let laned;
    let new = if lane == new.lane {
        new
    } else {
        laned = NewFileVersion { lane, ..new.clone() };
        &laned
    };
    let registration = store.register(new).await?;
    let wake_failure = if registration.is_new {
        let wake = Wake { version: registration.version_id, tenant: new.tenant.clone(), lane };
        queue.wake(&wake).await.err()
    } else {
        None
    };
    Ok(Registered { registration, wake_failure })
}
