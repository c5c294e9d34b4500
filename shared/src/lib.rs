//! The core of Thumbline: what the words mean, what may happen to them, and what the core needs from outside.
//!
//! It does no I/O and knows no runtime; it never reads the clock, the environment or randomness: they come in as
//! arguments. Modules in reading order:
//!
//! - [`config`]: how a configuration section says what is wrong with it.
//! - [`domain`]: files, presets, representations and their states, failures, retries, limits, hints, blob keys.
//! - [`event`]: what producers send, told apart by content: bytes and headers in; event, ignore or reason out.
//! - [`register`]: intake as a function: an event and the configured sources in, one file version to register out.
//! - [`pace`]: how long what waits will go on waiting.
//! - [`announcement`]: what others are told, as the event that everybody gets.
//! - [`scan`]: a bucket's listing against the rows, page by page.
//! - [`ports`]: the traits that databases, blob stores and queues implement in `shared/adapters`.
//! - [`telemetry`]: the names of all metrics, in one place.
//! - `test_hooks`: promises to break on purpose, in builds for `make chaos` only.

pub mod announcement;
pub mod config;
pub mod domain;
pub mod event;
pub mod pace;
pub mod ports;
pub mod register;
pub mod scan;
pub mod telemetry;
#[cfg(feature = "test-hooks")]
pub mod test_hooks;
