//! The api role: takes uploads, tells where each representation stands, and delivers bytes.
//!
//! Three surfaces over the same rows: the Box API below `/2.0` and the Jira API below `/rest/api`, in shapes that their
//! clients use unmodified, and our own below `/v1`; beside them the console page and the health routes. Modules in
//! reading order:
//!
//! - [`config`], [`jira`] and [`auth`]: sections `[api]`, `[jira]` and `[auth]`; who a request comes from, and whether
//!   it may pass.
//! - `router`: every route with its access on one screen; `routes`: one file each.
//! - `upload`: multipart, names, the spool and registration; `content`: conditions, ranges, names and signed URLs.
//! - `cors` and `rate`: browsers of other origins, and how much one principal may ask.
//! - `asking`: how a `none` is started. `pace` and `waiting`: how long it takes, and waiting for it;
//!   `tail`: the end of the log that streams of events follow. `wire`: what answers look like; `links`: every URL in them; `error`: every way to say no.
//! - [`ops`]: health and metrics, also for the operations listener of other roles.
//! - [`openapi`]: the description of our own API.
//! - `observe`, `serve` and `seats`: what happens around every request and connection.

use std::sync::Arc;

use shared::domain::capability::Capabilities;
use shared::domain::preset::PresetTable;
use shared::domain::source::AllowedBuckets;
use shared::ports::access_store::AccessStore;
use shared::ports::announcements::AnnouncementLog;
use shared::ports::blob_store::{BlobStore, SourceStore};
use shared::ports::file_store::FileStore;
use shared::ports::parking::ParkingStore;
use shared::ports::state_store::StateStore;
use shared::ports::webhooks::{WebhookSender, WebhookStore};
use shared::ports::work_queue::WorkQueue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

mod asking;
pub mod auth;
#[cfg(feature = "bench")]
mod bench;
pub mod config;
mod content;
mod cors;
mod error;
mod extract;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod jira;
mod links;
mod observe;
pub mod openapi;
pub mod ops;
mod pace;
mod paging;
mod prompt_queue;
mod rate;
mod router;
mod routes;
mod seats;
mod serve;
mod tail;
#[cfg(test)]
mod tests;
mod upload;
mod waiting;
mod wire;

pub use config::Config;
pub use content::signature::Signer;
pub use links::Links;
pub use ops::{Check, Exposition, Ops, ops_router};
pub use router::router;
pub use serve::serve;
pub use upload::remove_abandoned;

/// What the api role needs.
pub struct Deps {
    /// The rows.
    pub store: Arc<dyn StateStore>,
    /// The same rows, as people move files about.
    pub files: Arc<dyn FileStore>,
    /// Who may see what.
    pub access: Arc<dyn AccessStore>,
    /// What is told to others.
    pub announcements: Arc<dyn AnnouncementLog>,
    /// Who is told by requests of ours.
    pub webhooks: Arc<dyn WebhookStore>,
    /// What such requests are made with.
    pub webhook_sender: Arc<dyn WebhookSender>,
    /// Messages that nobody could read.
    pub parking: Arc<dyn ParkingStore>,
    /// Sources of uploads and bytes of representations.
    pub blobs: Arc<dyn BlobStore>,
    /// Sources, wherever they lie, for whoever downloads a file.
    pub sources: Arc<dyn SourceStore>,
    /// Where wakes go.
    pub queue: Arc<dyn WorkQueue>,
    /// What can be asked for.
    pub presets: Arc<PresetTable>,
    /// What can be read and written.
    pub capabilities: Arc<Capabilities>,
    /// Buckets that sources come from, for whose files are in them.
    pub buckets: Arc<AllowedBuckets>,
    /// Section `[api]`, checked.
    pub config: Arc<Config>,
    /// Section `[jira]`, checked.
    pub jira: Arc<jira::Config>,
    /// Who may pass.
    pub auth: auth::Auth,
    /// Where clients reach this process.
    pub links: Links,
    /// Cancelled when streams of events are to end.
    pub shutdown: CancellationToken,
    /// Signs URLs that need no credentials.
    pub signer: Signer,
    /// The metrics of this process, when they are to be on this listener too.
    pub exposition: Option<Exposition>,
}

/// What every route shares.
struct App {
    deps: Deps,
    pace: pace::Clock,
    waiting_room: Arc<waiting::WaitingRoom>,
    tail: Arc<tail::Tail>,
    /// One for each stream of events.
    streams: Arc<Semaphore>,
    requests: rate::Limiter,
    uploads: rate::Limiter,
}
