//! Health and metrics: on the API listener, and alone on the operations listener of every role.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::join_all;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::error::ApiError;
use crate::{observe, router};

/// Time for one dependency to answer a readiness check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Age up to which a readiness report is given out again: the route is public and must not become a load.
const REPORT_AGE_MAX: Duration = Duration::from_secs(1);
/// Prometheus' text format.
const EXPOSITION_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the metrics of this process in Prometheus' text format.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

type Answer = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

/// Asks one dependency whether it is there.
pub struct Check {
    name: &'static str,
    ask: Box<dyn Fn() -> Answer + Send + Sync>,
}

impl Check {
    /// A check of the dependency `name`; the caller bounds its time.
    pub fn new<F>(name: &'static str, ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self { name, ask: Box::new(move || Box::pin(ask())) }
    }

    /// The dependency's state: away when it says so or says nothing in time. Why is for the log: the route is public.
    async fn report(&self, timeout: Duration) -> (bool, Value) {
        let started = Instant::now();
        let problem = match tokio::time::timeout(timeout, (self.ask)()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {timeout:?}")),
        };
        if let Some(problem) = &problem {
            tracing::warn!(dependency = self.name, problem, "{} is away: {problem}", self.name);
        }
        let state = if problem.is_none() { "up" } else { "away" };
        (problem.is_none(), json!({ "state": state, "duration_ms": started.elapsed().as_millis() as u64 }))
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the operations routes answer from.
pub struct Ops {
    checks: Vec<Check>,
    pub(crate) exposition: Option<Exposition>,
    check_timeout: Duration,
    latest: Mutex<Option<(Instant, StatusCode, Value)>>,
}

impl Ops {
    /// Ready when all `checks` are; `/metrics` exists when there is an exposition.
    pub fn new(checks: Vec<Check>, exposition: Option<Exposition>) -> Self {
        Self { checks, exposition, check_timeout: CHECK_TIMEOUT, latest: Mutex::new(None) }
    }

    /// Requests that come together wait for one round of checks, which is bounded, and share its report.
    async fn report(&self) -> (StatusCode, Value) {
        let mut latest = self.latest.lock().await;
        if let Some((at, status, report)) = &*latest
            && at.elapsed() < REPORT_AGE_MAX
        {
            return (*status, report.clone());
        }
        let answers = join_all(self.checks.iter().map(|check| check.report(self.check_timeout))).await;
        let is_ready = answers.iter().all(|(is_up, _)| *is_up);
        let names = self.checks.iter().map(|check| check.name.to_owned());
        let dependencies: Map<String, Value> = names.zip(answers.into_iter().map(|(_, report)| report)).collect();
        let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let report = json!({ "status": if is_ready { "ready" } else { "not ready" }, "dependencies": dependencies });
        *latest = Some((Instant::now(), status, report.clone()));
        (status, report)
    }
}

/// `/livez`, `/readyz` and `/metrics`, for the operations listener.
pub fn ops_router(ops: Ops) -> Router {
    let methods = |methods: axum::routing::MethodRouter<Arc<Ops>>| methods.fallback(router::method_not_allowed);
    Router::new()
        .route("/livez", methods(get(livez)))
        .route("/readyz", methods(get(readyz)))
        .route("/metrics", methods(get(metrics)))
        .fallback(router::not_found)
        .layer(from_fn(observe::observe))
        .with_state(Arc::new(ops))
}

/// Alive as long as it answers; says nothing of dependencies, whose absence no restart would mend.
pub(crate) async fn livez() -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(json!({ "status": "alive" }))).into_response()
}

/// Ready when every dependency is there.
pub(crate) async fn readyz(State(ops): State<Arc<Ops>>) -> Response {
    let (status, report) = ops.report().await;
    (status, [(CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// The metrics of this process.
pub(crate) async fn metrics(State(ops): State<Arc<Ops>>) -> Result<Response, ApiError> {
    let exposition = ops.exposition.as_ref().ok_or(ApiError::NotFound)?;
    Ok(([(CONTENT_TYPE, EXPOSITION_TYPE), (CACHE_CONTROL, "no-store")], exposition()).into_response())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_silent_dependency_makes_it_unready_within_the_bound() {
        let silent = Check::new("queue", || async {
            std::future::pending::<()>().await;
            Ok(())
        });
        let mut ops = Ops::new(vec![Check::new("database", || async { Ok(()) }), silent], None);
        ops.check_timeout = Duration::from_millis(20);
        let (status, report) = tokio::time::timeout(Duration::from_secs(10), ops.report()).await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(report["dependencies"]["database"]["state"], "up");
        assert_eq!(report["dependencies"]["queue"]["state"], "away");
    }

    #[tokio::test]
    async fn a_crowd_of_probes_costs_one_check_and_reasons_stay_inside() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let failing = Check::new("database", || async {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Err("postgres://user:hunter2@db".into())
        });
        let ops = Ops::new(vec![failing], None);
        let reports = join_all((0..20).map(|_| ops.report())).await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        assert!(reports.iter().all(|(status, report)| {
            *status == StatusCode::SERVICE_UNAVAILABLE && !report.to_string().contains("hunter2")
        }));
    }
}
