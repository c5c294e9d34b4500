//! Metrics as Prometheus text, with the names and help texts of `shared::telemetry`.

use std::time::Duration;

use metrics::{KeyName, Recorder as _};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use shared::telemetry::{
    ALL, EVENT_TO_FIRST_THUMBNAIL_SECONDS, EVENT_TO_SUCCESS_SECONDS, HTTP_SECONDS, Kind, STAGE_SECONDS,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often observations are moved from where they are made to where they are read; without it, memory grows between
/// two scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// From a header read to the longest render that is allowed.
const STAGE_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From an idle worker on a small photo to a backlog of hours.
const PIPELINE_BUCKETS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0];
/// From an answer out of the database to a long upload.
const HTTP_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// Why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A histogram without buckets, or two with the same name.
    #[error("the histograms can't be built")]
    Build(#[from] BuildError),
    /// Something in this process counts already.
    #[error("metrics are set up already")]
    Installed,
}

/// What the process counted, ready to be read.
pub struct Exposition {
    handle: PrometheusHandle,
    _upkeep: DropGuard,
}

impl Exposition {
    /// All metrics in the Prometheus text format (version 0.0.4).
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

/// Counts for the whole process from now on; once, within the runtime that also runs the upkeep.
pub fn install() -> Result<Exposition, MetricsError> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
    let stop = CancellationToken::new();
    tokio::spawn(stop.clone().run_until_cancelled_owned(upkeep(handle.clone())));
    Ok(Exposition { handle, _upkeep: stop.drop_guard() })
}

async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
        builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets(metric.name))?;
    }
    let recorder = builder.build_recorder();
    for metric in ALL {
        let (name, help) = (KeyName::from_const_str(metric.name), metric.help.trim().into());
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        }
    }
    Ok(recorder)
}

/// A histogram added to the table without a line here has the buckets of a stage.
fn buckets(name: &str) -> &'static [f64] {
    match name {
        EVENT_TO_FIRST_THUMBNAIL_SECONDS | EVENT_TO_SUCCESS_SECONDS => PIPELINE_BUCKETS,
        HTTP_SECONDS => HTTP_BUCKETS,
        STAGE_SECONDS => STAGE_BUCKETS,
        _ => STAGE_BUCKETS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_exposed_with_its_help_and_type() {
        let recorder = recorder().unwrap();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            for metric in ALL {
                match metric.kind {
                    Kind::Counter => metrics::counter!(metric.name, "label" => "value").increment(1),
                    Kind::Gauge => metrics::gauge!(metric.name).set(1.0),
                    Kind::Histogram => metrics::histogram!(metric.name).record(0.3),
                }
            }
        });
        let text = handle.render();
        for metric in ALL {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            assert!(text.contains(&format!("# HELP {} {}\n", metric.name, metric.help.trim())), "{}", metric.name);
            assert!(text.contains(&format!("# TYPE {} {kind}\n", metric.name)), "{}", metric.name);
        }
        assert!(text.contains("thumbline_http_request_duration_seconds_bucket{le=\"0.25\"} 0\n"), "{text}");
        assert!(text.contains("thumbline_http_request_duration_seconds_bucket{le=\"0.5\"} 1\n"), "{text}");
    }

    #[tokio::test]
    async fn installing_twice_is_an_error() {
        let first = install().unwrap();
        metrics::gauge!(shared::telemetry::BUILD_INFO, "version" => "1").set(1.0);
        assert!(first.render().contains("thumbline_build_info{version=\"1\"} 1"));
        assert!(matches!(install(), Err(MetricsError::Installed)));
    }
}
