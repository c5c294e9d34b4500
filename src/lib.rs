//! Composes the parts of Thumbline into one executable; decides nothing.
//!
//! - [`cli`]: every command on one page.
//! - [`config`]: defaults < file < environment < flags, checked once.
//! - [`platform`]: the only place that names concrete adapters.
//! - [`roles`]: runs the chosen roles under one two-stage shutdown.
//! - [`credentials`]: tokens and users.
//! - [`demo`], [`render_files`], [`mod@bench`], [`doctor`], [`health`], [`explain`], [`gc`], [`presets`], [`redrive`], [`topology`]: the
//!   commands that are more than a role.

pub mod backfill;
pub mod bench;
pub mod check_event;
pub mod cli;
pub mod config;
mod cpu_time;
pub mod credentials;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod gc;
pub mod health;
mod management;
pub mod parked;
pub mod platform;
pub mod presets;
pub mod publish;
pub mod readiness;
pub mod redrive;
pub mod render_files;
pub mod roles;
pub mod shutdown;
mod source_file;
pub mod submit;
pub mod topology;
mod uploads;
