//! The names of all metrics with their help texts, in one table, so that dashboards and code cannot drift apart.
//!
//! No ids are ever used as labels; preset labels are bounded by the configured presets.

/// What kind of series a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// One metric: name, kind, help text.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As exposed.
    pub name: &'static str,
    /// Kind of series.
    pub kind: Kind,
    /// Help text with labels and unit.
    pub help: &'static str,
}

macro_rules! metrics_table {
    ($($(#[doc = $help:literal])* $constant:ident = $kind:ident $name:literal;)*) => {
        $($(#[doc = $help])* pub const $constant: &str = $name;)*

        /// Every metric, for the exporter and for the documentation.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            help: concat!($($help),*),
        }),*];
    };
}

metrics_table! {
    /// Upload events by dialect and outcome (registered, duplicate, applied, deleted, ignored, parked).
    EVENTS = Counter "thumbline_events_total";
    /// Representations settled, by preset, state and failure code.
    RENDERS = Counter "thumbline_renders_total";
    /// Representations that were taken over from another version with the same content instead of rendered.
    TAKEN_OVER = Counter "thumbline_taken_over_total";
    /// Seconds spent in each stage of a file version: queue_wait, fetch, render, put, settle; and
    /// within render the steps of the engine (inspect, decode, reduce, colour, orient, resize, flatten, encode).
    STAGE_SECONDS = Histogram "thumbline_stage_duration_seconds";
    /// Seconds from registration to the first thumbnail, by lane.
    EVENT_TO_FIRST_THUMBNAIL_SECONDS = Histogram "thumbline_event_to_first_thumbnail_seconds";
    /// Seconds from registration until all claimed representations of a file version were settled as success, by lane.
    EVENT_TO_SUCCESS_SECONDS = Histogram "thumbline_event_to_success_seconds";
    /// Representations that are pending, by lane. Read from the database: aggregate with max, not sum.
    PENDING = Gauge "thumbline_pending";
    /// Age in seconds of the oldest pending representation, by lane. Read from the database: aggregate with max.
    OLDEST_PENDING_SECONDS = Gauge "thumbline_oldest_pending_seconds";
    /// File versions this worker is working on now.
    INFLIGHT = Gauge "thumbline_inflight";
    /// Bytes of memory this worker has granted now: sources that it holds, and what renders are predicted to need.
    INFLIGHT_BYTES = Gauge "thumbline_inflight_bytes";
    /// Announcements published to the exchange, by topic.
    ANNOUNCEMENTS = Counter "thumbline_announcements_total";
    /// Announcements that were collected and not yet published to the exchange. Read from the database: aggregate with max.
    ANNOUNCEMENTS_WAITING = Gauge "thumbline_announcements_waiting";
    /// Deliveries to webhooks, by outcome (delivered, failed, given_up).
    WEBHOOK_DELIVERIES = Counter "thumbline_webhook_deliveries_total";
    /// Messages that nobody could read and that wait for an operator. Read from the database: aggregate with max.
    PARKED = Gauge "thumbline_parked";
    /// Wakes that the broker gave up on; their rows were looked at instead.
    DEAD_WAKES = Counter "thumbline_dead_wakes_total";
    /// Attempts that ended with a retry, by failure code.
    RETRIES = Counter "thumbline_retries_total";
    /// Render children that ended, by cause (recycled, exited, signal, sandbox, timeout, memory, protocol, cancelled).
    CHILD_EXITS = Counter "thumbline_child_exits_total";
    /// File versions given up after repeated deaths of their render child.
    QUARANTINED = Counter "thumbline_quarantined_total";
    /// Statements sent to the database, without the beginnings and ends of transactions.
    STATEMENTS = Counter "thumbline_statements_total";
    /// Requests to blob stores and buckets by operation (put, get, head, delete, list); an upload in parts counts once.
    BLOB_REQUESTS = Counter "thumbline_blob_requests_total";
    /// Messages published to the queue.
    PUBLISHED = Counter "thumbline_published_total";
    /// Blobs that were deleted because no row refers to them.
    COLLECTED_BLOBS = Counter "thumbline_collected_blobs_total";
    /// Bytes of blobs that were deleted because no row refers to them.
    COLLECTED_BYTES = Counter "thumbline_collected_bytes_total";
    /// Seconds to answer HTTP requests, by route, method and status.
    HTTP_SECONDS = Histogram "thumbline_http_request_duration_seconds";
    /// Errors of the database, queue or blob store, by dependency.
    DEPENDENCY_ERRORS = Counter "thumbline_dependency_errors_total";
    /// Always 1; version, commit and simd are labels.
    BUILD_INFO = Gauge "thumbline_build_info";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_and_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("thumbline_"));
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(
                metric.kind == Kind::Histogram,
                metric.name.ends_with("_duration_seconds") || metric.name.contains("_to_"),
                "{}",
                metric.name
            );
        }
    }
}
