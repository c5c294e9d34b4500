//! Every route on one screen, with who may use it and how long it may take.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};

use crate::auth::Access::{self, Operator, Public};
use crate::error::ApiError;
use crate::ops::{self, Check, Ops};
use crate::{App, Deps, auth, observe, pace, routes};

/// One line of the table.
struct Route {
    path: &'static str,
    access: Access,
    methods: MethodRouter<Arc<App>>,
    time: Time,
}

/// Which time limit of the configuration holds for a route; sending the bytes of an answer is bounded by `serve`.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// We have to answer.
    Request,
    /// The client has to send.
    Upload,
}

/// What the guard of one route needs.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: Arc<App>,
    pub(crate) access: Access,
    pub(crate) time: Time,
}

impl Guard {
    /// How long the route may take.
    pub(crate) fn time_max(&self) -> Duration {
        let config = &self.app.deps.config;
        Duration::from_secs(match self.time {
            Time::Request => config.request_timeout_seconds,
            Time::Upload => config.upload_timeout_seconds,
        })
    }

    /// Whose fault it is when it takes longer.
    pub(crate) fn too_late(&self) -> ApiError {
        match self.time {
            Time::Request => ApiError::TimedOut { seconds: self.app.deps.config.request_timeout_seconds },
            Time::Upload => ApiError::UploadTooSlow,
        }
    }
}

fn table(ops: &Arc<Ops>) -> Vec<Route> {
    let read = |path, access, methods| Route { path, access, methods, time: Time::Request };
    let upload = |path| Route { path, access: Operator, methods: post(routes::upload::post), time: Time::Upload };
    let mut table = vec![
        // Box.
        upload("/2.0/files/content"),
        upload("/api/2.0/files/content"),
        read("/2.0/files/{file}", Operator, get(routes::file::get)),
        read(REPRESENTATION, Operator, get(routes::representation::get)),
        read(CONTENT, Operator, get(routes::content::get)),
        read(CONTENT_EMPTY_ASSET_PATH, Operator, get(routes::content::get)),
        read(CONTENT_ASSET_PATH, Operator, get(routes::content::get)),
        read("/file/{uuid}/binary", Public, get(routes::media::get)),
        read("/assets/placeholders/{name}", Public, get(routes::placeholder::get)),
        // Our own.
        read("/v1/files", Operator, get(routes::own_files::get)),
        read("/v1/files/{file}", Operator, get(routes::own_file::get)),
        read("/v1/presets", Operator, get(routes::presets::get)),
        read("/v1/pipeline", Operator, get(routes::pipeline::get)),
        read("/v1/parked", Operator, get(routes::parked::list)),
        read("/v1/parked/{id}", Operator, get(routes::parked::get).delete(routes::parked::delete)),
        read("/v1/parked/{id}/replay", Operator, post(routes::parked::replay)),
        read("/", Public, get(routes::console::get)),
        // Operations.
        read("/livez", Public, get(ops::livez)),
        read("/readyz", Public, get(ops::readyz).with_state(Arc::clone(ops))),
    ];
    table.extend(jira());
    if ops.exposition.is_some() {
        table.push(read("/metrics", Operator, get(ops::metrics).with_state(Arc::clone(ops))));
    }
    table
}

/// Jira's routes, on the site itself and below the prefix that scoped tokens use: contract section 8.1.
fn jira() -> Vec<Route> {
    macro_rules! on_both {
        ($($path:literal $access:ident $time:ident $methods:expr,)+) => {
            vec![$(
                Route {
                    path: concat!("/rest/api/{api}/", $path),
                    access: $access,
                    methods: $methods,
                    time: Time::$time,
                },
                Route {
                    path: concat!("/ex/jira/{cloud}/rest/api/{api}/", $path),
                    access: $access,
                    methods: $methods,
                    time: Time::$time,
                },
            )+]
        };
    }
    on_both! {
        "serverInfo" Public Request get(routes::jira::server_info::get),
        "myself" Operator Request get(routes::jira::user::myself),
        "user" Operator Request get(routes::jira::user::get),
        "attachment/meta" Operator Request get(routes::jira::meta::get),
        "attachment/{attachment}" Operator Request get(routes::jira::attachment::get).delete(routes::jira::attachment::delete),
        "attachment/{attachment}/expand/human" Operator Request get(routes::jira::expand::get),
        "attachment/{attachment}/expand/raw" Operator Request get(routes::jira::expand::get),
        "attachment/content/{attachment}" Operator Request get(routes::jira::content::get),
        "attachment/thumbnail/{attachment}" Operator Request get(routes::jira::thumbnail::get),
        "issue/{issue}" Operator Request get(routes::jira::issue::get),
        "issue/{issue}/attachments" Operator Upload post(routes::jira::upload::post),
    }
}

const REPRESENTATION: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}";
const CONTENT: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content";
const CONTENT_EMPTY_ASSET_PATH: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/";
const CONTENT_ASSET_PATH: &str =
    "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/{*asset_path}";

/// The whole API.
pub fn router(deps: Deps) -> Router {
    let ops = Arc::new(Ops::new(checks(&deps), deps.exposition.clone()));
    let app = Arc::new(App { deps, pace: pace::Pace::default() });
    let mut router = Router::new();
    for route in table(&ops) {
        let guard = Guard { app: Arc::clone(&app), access: route.access, time: route.time };
        let methods = route.methods.fallback(method_not_allowed).layer(from_fn_with_state(guard, auth::guard));
        router = router.route(route.path, methods);
    }
    router.fallback(not_found).layer(from_fn(observe::observe)).with_state(app)
}

fn checks(deps: &Deps) -> Vec<Check> {
    let (store, blobs, queue) = (Arc::clone(&deps.store), Arc::clone(&deps.blobs), Arc::clone(&deps.queue));
    vec![
        Check::new("database", move || {
            let store = Arc::clone(&store);
            async move { Ok(store.ping().await?) }
        }),
        Check::new("blobs", move || {
            let blobs = Arc::clone(&blobs);
            async move { Ok(blobs.ping().await?) }
        }),
        Check::new("queue", move || {
            let queue = Arc::clone(&queue);
            async move { Ok(queue.ping().await?) }
        }),
    ]
}

pub(crate) async fn not_found() -> ApiError {
    ApiError::NotFound
}

pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every path with its access, as the table has them.
    pub(crate) fn paths() -> Vec<(&'static str, Access)> {
        let ops = Arc::new(Ops::new(Vec::new(), Some(Arc::new(String::new))));
        table(&ops).into_iter().map(|route| (route.path, route.access)).collect()
    }
}
