//! Telemetry leaves the process here: logs on standard error, metrics as Prometheus text.

pub mod logs;
pub mod metrics;
