//! What stands behind the ports of `shared`: databases, blob stores, queues; and the exporters of telemetry.
//!
//! | Module | Port | Kinds |
//! |---|---|---|
//! | [`blob`] | `BlobStore`, `SourceStore` | local directories, S3 |
//! | [`db`] | `StateStore` | PostgreSQL, SQLite |
//! | [`queue`] | `WorkQueue` | within the process, RabbitMQ |
//! | [`telemetry`] | none: the `tracing` and `metrics` facades | text or JSON logs, Prometheus text |

pub mod blob;
pub mod db;
pub mod keys;
pub mod queue;
pub mod telemetry;
pub mod webhook;
