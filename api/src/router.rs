//! Every route on one screen, with who may use it and how long it may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
use http::{HeaderMap, Method};
use tokio::sync::Semaphore;

use crate::auth::access::{Access, CALLER, DOWNLOAD, FILE, OWN_DECISION, Operator, Public, ROUTE, SOURCE};
use crate::auth::guard;
use crate::content::small::SmallBlobs;
use crate::error::ApiError;
use crate::ops::{self, Check, Ops};
use crate::prompt_queue::PromptQueue;
use crate::tail::Tail;
use crate::waiting::{WAIT_SECONDS_MAX, WaitingRoom};
use crate::{App, Deps, cors, observe, pace, rate, routes};

/// Requests that wait for something at the same time; more are answered at once. Together with the streams of events they
/// leave room for others among the connections of `serve`.
const WAITING_MAX: usize = 400;

/// Streams of events at the same time.
const STREAMS_MAX: usize = 400;

/// One line of the table.
struct Route {
    path: &'static str,
    access: Access,
    methods: MethodRouter<Arc<App>>,
    time: Time,
    /// Whether `?access_token=` stands for the header: where contracts want it, for pictures in pages.
    takes_query_token: bool,
}

/// Which time limit of the configuration holds for a route; sending the bytes of an answer is bounded by `serve`.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// We have to answer.
    Request,
    /// The client has to send.
    Upload,
    /// The client may want to wait for something.
    Wait,
}

/// What the guard of one route needs.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: Arc<App>,
    pub(crate) access: Access,
    pub(crate) time: Time,
    pub(crate) takes_query_token: bool,
}

impl Guard {
    /// How long the route may take.
    pub(crate) fn time_max(&self) -> Duration {
        let config = &self.app.deps.config;
        Duration::from_secs(match self.time {
            Time::Request => config.request_timeout_seconds,
            Time::Upload => config.upload_timeout_seconds,
            Time::Wait => config.request_timeout_seconds + WAIT_SECONDS_MAX,
        })
    }

    /// Counts a request against the limits of whoever makes it. What is public, or open to everybody on this host, is not
    /// counted.
    pub(crate) fn count(&self, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
        let App { deps, requests, uploads, .. } = &*self.app;
        if self.access == Public || deps.auth.is_open() {
            return Ok(());
        }
        let now = Instant::now();
        requests.take(requests.principal(headers), now).map_err(ApiError::RateLimited)?;
        if method == Method::POST && matches!(self.time, Time::Upload) {
            uploads.take(uploads.principal(headers), now).map_err(ApiError::RateLimited)?;
        }
        Ok(())
    }

    /// Whose fault it is when it takes longer.
    pub(crate) fn too_late(&self) -> ApiError {
        match self.time {
            Time::Request | Time::Wait => ApiError::TimedOut { seconds: self.time_max().as_secs() },
            Time::Upload => ApiError::UploadTooSlow,
        }
    }
}

fn table(ops: &Arc<Ops>) -> Vec<Route> {
    let read = |path, access, methods| Route { path, access, methods, time: Time::Request, takes_query_token: false };
    let bytes = |path, access, methods| Route { takes_query_token: true, ..read(path, access, methods) };
    let wait = |path, access, methods| Route { time: Time::Wait, ..read(path, access, methods) };
    let upload = |path, access, methods| Route { time: Time::Upload, ..bytes(path, access, methods) };
    let new_file = || post(routes::upload::post).options(routes::preflight::new_file);
    let new_version = || post(routes::upload::post_version).options(routes::preflight::new_version);
    let mut table = vec![
        // Box.
        upload("/2.0/files/content", CALLER, new_file()),
        upload("/api/2.0/files/content", CALLER, new_file()),
        upload("/2.0/files/{file}/content", SOURCE, new_version().get(routes::download::get)),
        upload("/api/2.0/files/{file}/content", SOURCE, new_version().get(routes::download::get)),
        read(
            "/2.0/files/{file}",
            OWN_DECISION,
            get(routes::file::get).put(routes::file::put).delete(routes::file::delete).post(routes::trash::restore),
        ),
        read("/2.0/files/{file}/trash", OWN_DECISION, get(routes::trash::get).delete(routes::trash::delete)),
        bytes("/2.0/files/{file}/thumbnail.png", ROUTE, get(routes::thumbnail::png)),
        bytes("/2.0/files/{file}/thumbnail.jpg", ROUTE, get(routes::thumbnail::jpg)),
        read("/2.0/files/{file}/versions", FILE, get(routes::versions::list)),
        read("/2.0/files/{file}/versions/current", FILE, post(routes::versions::promote)),
        read(
            "/2.0/files/{file}/versions/{version}",
            FILE,
            get(routes::versions::get).put(routes::versions::put).delete(routes::versions::delete),
        ),
        read("/2.0/folders/{folder}", CALLER, get(routes::folder::get)),
        read("/2.0/folders/{folder}/items", CALLER, get(routes::folder::items)),
        read("/2.0/users/{user}", CALLER, get(routes::user::get)),
        read(REPRESENTATION, ROUTE, get(routes::representation::get)),
        bytes(CONTENT, ROUTE, get(routes::content::get)),
        bytes(CONTENT_EMPTY_ASSET_PATH, ROUTE, get(routes::content::get)),
        bytes(CONTENT_ASSET_PATH, ROUTE, get(routes::content::get)),
        bytes("/file/{uuid}/binary", Public, get(routes::jira::binary::get)),
        read("/assets/placeholders/{name}", Public, get(routes::placeholder::get)),
        // The URL is the right.
        read("/media/{file}/{version}/{what}", Public, get(routes::media::get)),
        // Our own.
        read("/v1/files", CALLER, get(routes::own_files::get)),
        wait("/v1/files/{file}", FILE, get(routes::own_file::get)),
        read("/v1/files/{file}/access", Operator, get(routes::access::get).put(routes::access::put)),
        read("/v1/files/{file}/explain", Operator, get(routes::explain::get)),
        read("/v1/events", CALLER, get(routes::events::get)),
        read("/v1/failures", Operator, get(routes::failures::get)),
        read("/v1/redrive", Operator, post(routes::redrive::post)),
        read("/v1/presets", CALLER, get(routes::presets::get)),
        read("/v1/capabilities", CALLER, get(routes::capabilities::get)),
        read("/v1/pipeline", Operator, get(routes::pipeline::get)),
        read("/v1/openapi.json", Public, get(routes::docs::openapi)),
        read("/docs", Public, get(routes::docs::page)),
        read("/v1/parked", Operator, get(routes::parked::list)),
        read("/v1/parked/{id}", Operator, get(routes::parked::get).delete(routes::parked::delete)),
        read("/v1/parked/{id}/replay", Operator, post(routes::parked::replay)),
        read("/v1/webhooks", Operator, get(routes::webhooks::list).post(routes::webhooks::create)),
        read("/v1/webhooks/{id}", Operator, get(routes::webhooks::get).delete(routes::webhooks::delete)),
        read("/v1/webhooks/{id}/test", Operator, post(routes::webhooks::test)),
        read("/v1/webhooks/{id}/enable", Operator, post(routes::webhooks::enable)),
        read("/v1/webhooks/{id}/disable", Operator, post(routes::webhooks::disable)),
        read("/v1/webhooks/{id}/rotate", Operator, post(routes::webhooks::rotate)),
        read("/", Public, get(routes::console::get)),
        // Operations.
        read("/livez", Public, get(ops::livez)),
        read("/readyz", Public, get(ops::readyz).with_state(Arc::clone(ops))),
    ];
    table.extend(jira());
    #[cfg(feature = "bench")]
    table.extend([
        read("/bench/row/{file}", ROUTE, get(crate::bench::row)),
        read("/bench/bytes/{count}", CALLER, get(crate::bench::bytes)),
    ]);
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
                    takes_query_token: false,
                },
                Route {
                    path: concat!("/ex/jira/{cloud}/rest/api/{api}/", $path),
                    access: $access,
                    methods: $methods,
                    time: Time::$time,
                    takes_query_token: false,
                },
            )+]
        };
    }
    on_both! {
        "serverInfo" Public Request get(routes::jira::server_info::get),
        "myself" CALLER Request get(routes::jira::user::myself),
        "user" CALLER Request get(routes::jira::user::get),
        "attachment/meta" CALLER Request get(routes::jira::meta::get),
        "attachment/{attachment}" OWN_DECISION Request get(routes::jira::attachment::get).delete(routes::jira::attachment::delete),
        "attachment/{attachment}/expand/human" ROUTE Request get(routes::jira::expand::get),
        "attachment/{attachment}/expand/raw" ROUTE Request get(routes::jira::expand::get),
        "attachment/content/{attachment}" DOWNLOAD Request get(routes::jira::content::get),
        "attachment/thumbnail/{attachment}" ROUTE Request get(routes::jira::thumbnail::get),
        "issue/{issue}" CALLER Request get(routes::jira::issue::get),
        "issue/{issue}/attachments" CALLER Upload post(routes::jira::upload::post),
    }
}

const REPRESENTATION: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}";
const CONTENT: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content";
const CONTENT_EMPTY_ASSET_PATH: &str = "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/";
const CONTENT_ASSET_PATH: &str =
    "/2.0/internal_files/{file}/versions/{version}/representations/{name}/content/{*asset_path}";

/// The whole API.
pub fn router(mut deps: Deps) -> Router {
    let ops = Arc::new(Ops::new(checks(&deps), deps.exposition.clone()));
    deps.queue = Arc::new(PromptQueue::new(deps.queue));
    deps.blobs = Arc::new(SmallBlobs::new(deps.blobs));
    let requests = rate::Limiter::new(deps.config.requests_per_minute);
    let uploads = rate::Limiter::new(deps.config.uploads_per_minute);
    let pace = pace::Clock::new(Arc::clone(&deps.store), Arc::clone(&deps.announcements));
    let tail = Tail::new(Arc::clone(&deps.announcements));
    let streams = Arc::new(Semaphore::new(STREAMS_MAX));
    let waiting_room = WaitingRoom::new(Arc::clone(&deps.store), WAITING_MAX);
    let app = Arc::new(App { deps, pace, waiting_room, tail, streams, requests, uploads });
    let mut router = Router::new();
    for route in table(&ops) {
        let Route { access, time, takes_query_token, .. } = route;
        let guard = Guard { app: Arc::clone(&app), access, time, takes_query_token };
        let methods = route.methods.fallback(method_not_allowed).layer(from_fn_with_state(guard, guard::guard));
        router = router.route(route.path, methods);
    }
    let cors = from_fn_with_state(Arc::clone(&app), cors::cors);
    router.fallback(not_found).layer(cors).layer(from_fn(observe::observe)).with_state(app)
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

/// Every path with its access, as the table has them.
pub(crate) fn paths() -> Vec<(&'static str, Access)> {
    let ops = Arc::new(Ops::new(Vec::new(), Some(Arc::new(String::new))));
    table(&ops).into_iter().map(|route| (route.path, route.access)).collect()
}
