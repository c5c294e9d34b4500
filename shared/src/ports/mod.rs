//! What the core needs from outside, in domain words only: no status codes, no SQL, no S3 or AMQP words.
//!
//! Every adapter of a port passes that port's conformance suite in `tests/conformance`; a change of meaning goes
//! into the suite, never into one adapter alone.

pub mod access_store;
pub mod announcements;
pub mod blob_store;
pub mod collection;
pub mod file_store;
pub mod key_source;
pub mod ledger;
pub mod parking;
pub mod renewal;
pub mod scan;
pub mod state_store;
pub mod webhooks;
pub mod work_queue;
