//! Everything that the worker records; names and help texts are the table in `shared::telemetry`.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use shared::domain::failure::FailureCode;
use shared::domain::fit_preset;
use shared::domain::lane::Lane;
use shared::domain::preset::PresetName;
use shared::event::Dialect;
use shared::ports::state_store::LaneBacklog;
use shared::telemetry as names;

/// What became of an upload event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventOutcome {
    Registered,
    Duplicate,
    Applied,
    Deleted,
    Ignored,
    Parked,
}

impl EventOutcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Duplicate => "duplicate",
            Self::Applied => "applied",
            Self::Deleted => "deleted",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
        }
    }
}

/// Why a render child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// It had rendered its share, or another tenant needed its place.
    Recycled,
    /// It exited by itself, with a panic for instance.
    Exited,
    /// A signal ended it that we did not send.
    Signal,
    /// It made a system call that the sandbox forbids.
    Sandbox,
    /// It needed too long and was killed.
    Timeout,
    /// It needed more memory than its limit.
    Memory,
    /// What it said is not the protocol.
    Protocol,
    /// Nobody wanted its answer any more: the lease was lost, or the worker stops.
    Cancelled,
}

impl ExitCause {
    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recycled => "recycled",
            Self::Exited => "exited",
            Self::Signal => "signal",
            Self::Sandbox => "sandbox",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
        }
    }
}

pub(crate) fn event(dialect: Dialect, outcome: EventOutcome) {
    counter!(names::EVENTS, "dialect" => dialect.name(), "outcome" => outcome.name()).increment(1);
}

/// The broker gave up on a wake.
pub(crate) fn dead_wake() {
    counter!(names::DEAD_WAKES).increment(1);
}

/// How many messages are parked.
pub(crate) fn parked(count: u64) {
    gauge!(names::PARKED).set(count as f64);
}

/// An announcement was published to the exchange.
pub(crate) fn announced(topic: &str) {
    counter!(names::ANNOUNCEMENTS, "topic" => topic.to_owned()).increment(1);
}

/// What became of a delivery to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebhookOutcome {
    Delivered,
    Failed,
    GivenUp,
}

/// A delivery to a webhook was tried.
pub(crate) fn webhook(outcome: WebhookOutcome) {
    let outcome = match outcome {
        WebhookOutcome::Delivered => "delivered",
        WebhookOutcome::Failed => "failed",
        WebhookOutcome::GivenUp => "given_up",
    };
    counter!(names::WEBHOOK_DELIVERIES, "outcome" => outcome).increment(1);
}

/// How many announcements wait for the exchange.
pub(crate) fn announcements_waiting(count: u64) {
    gauge!(names::ANNOUNCEMENTS_WAITING).set(count as f64);
}

/// A representation settled as `success` or `error`.
pub(crate) fn settled(preset: &PresetName, state: &'static str, code: Option<FailureCode>) {
    let code = code.map_or("", FailureCode::name);
    let label = if fit_preset::is_name(preset) { fit_preset::METRIC_LABEL } else { preset.as_str() };
    counter!(names::RENDERS, "preset" => label.to_owned(), "state" => state, "code" => code).increment(1);
}

pub(crate) fn retried(code: FailureCode) {
    counter!(names::RETRIES, "code" => code.name()).increment(1);
}

pub(crate) fn taken_over() {
    counter!(names::TAKEN_OVER).increment(1);
}

pub(crate) fn quarantined() {
    counter!(names::QUARANTINED).increment(1);
}

pub(crate) fn stage(stage: &'static str, took: Duration) {
    histogram!(names::STAGE_SECONDS, "stage" => stage).record(took.as_secs_f64());
}

pub(crate) fn first_thumbnail(lane: Lane, since_registered: Duration) {
    let histogram = histogram!(names::EVENT_TO_FIRST_THUMBNAIL_SECONDS, "lane" => lane.name());
    histogram.record(since_registered.as_secs_f64());
}

pub(crate) fn all_succeeded(lane: Lane, since_registered: Duration) {
    histogram!(names::EVENT_TO_SUCCESS_SECONDS, "lane" => lane.name()).record(since_registered.as_secs_f64());
}

pub(crate) fn backlog(lane: &LaneBacklog) {
    gauge!(names::PENDING, "lane" => lane.lane.name()).set(lane.pending as f64);
    gauge!(names::OLDEST_PENDING_SECONDS, "lane" => lane.lane.name()).set(lane.oldest.as_secs_f64());
}

pub(crate) fn child_exit(cause: ExitCause) {
    counter!(names::CHILD_EXITS, "cause" => cause.name()).increment(1);
}

/// Adds to a gauge for as long as it lives, however it ends.
#[derive(Debug)]
pub(crate) struct Held {
    gauge: &'static str,
    amount: f64,
}

impl Held {
    /// One file version in work.
    pub(crate) fn file_version() -> Self {
        Self::new(names::INFLIGHT, 1.0)
    }

    /// Memory that was granted.
    pub(crate) fn bytes(bytes: u64) -> Self {
        Self::new(names::INFLIGHT_BYTES, bytes as f64)
    }

    fn new(gauge: &'static str, amount: f64) -> Self {
        gauge!(gauge).increment(amount);
        Self { gauge, amount }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        gauge!(self.gauge).decrement(self.amount);
    }
}
