//! `GET /v1/events`: what happens to the files that the caller may see, as server-sent events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use shared::domain::announcement::{Announcement, Position};
use shared::domain::principal::{Action, Guarded, decide};
use shared::ports::announcements::Span;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::Params;

/// A sign of life when nothing happens. It carries the position, so that whoever comes back need not read it all again.
const HEARTBEAT_PERIOD: Duration = Duration::from_secs(15);
/// Then the client connects again, and is asked again who it is.
const STREAM_TIME_MAX: Duration = Duration::from_secs(900);
/// What clients are told to wait before they connect again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";
/// Announcements read at a time by a stream that is behind.
const BATCH: u32 = 200;
/// What proxies that would rather wait for more are told.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");
const LAST_EVENT_ID: &str = "last-event-id";

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    /// For clients that cannot set the header.
    last_event_id: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let seat = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)?;
    let after = last_event_id(&headers, &query)?;
    let events = Events::begin(app, caller, after, seat).await?;
    let frames = futures_util::stream::unfold(events, async |mut events| {
        let frame = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), events))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), UNBUFFERED];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// An empty one is none: clients send it so before they have got any.
fn last_event_id(headers: &HeaderMap, query: &Query) -> Result<Option<Position>, ApiError> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    let Some(text) = header.or(query.last_event_id.as_deref()).filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let position = text.parse().ok().filter(|_| is_plain);
    position.map(Some).ok_or_else(|| ApiError::BadRequest("Last-Event-ID is not the id of an event of ours".to_owned()))
}

/// One stream. It keeps no more than one page of events; when its client reads too slowly it ends, and the client comes
/// back with the last id that it got.
struct Events {
    app: Arc<App>,
    caller: Caller,
    live: Receiver<Arc<Announcement>>,
    /// Everything up to here was written, or is none of the caller's business.
    position: Position,
    /// The log has more than was read, as far as is known.
    is_behind: bool,
    frames: VecDeque<Bytes>,
    heartbeat: Interval,
    ends_at: Instant,
    _seat: OwnedSemaphorePermit,
}

impl Events {
    async fn begin(
        app: Arc<App>,
        caller: Caller,
        after: Option<Position>,
        seat: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        let live = app.tail.listen();
        let Span { oldest, newest, .. } = app.deps.announcements.span().await?;
        let mut frames = VecDeque::from([Bytes::from_static(RETRY.as_bytes())]);
        let mut position = after.map_or(newest, |after| after.min(newest));
        if position + 1 < oldest {
            frames.push_back(lost(position, oldest));
            position = oldest - 1;
        }
        let mut heartbeat = tokio::time::interval(HEARTBEAT_PERIOD);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once: it tells the client where it stands.
        let ends_at = Instant::now() + STREAM_TIME_MAX;
        let is_behind = position < newest;
        Ok(Self { app, caller, live, position, is_behind, frames, heartbeat, ends_at, _seat: seat })
    }

    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            if self.is_behind {
                self.catch_up().await?;
                continue;
            }
            tokio::select! {
                biased;
                () = self.app.deps.shutdown.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends_at) => return None,
                received = self.live.recv() => match received {
                    // Read from the log already.
                    Ok(announcement) if announcement.position <= self.position => {}
                    Ok(announcement) if announcement.position == self.position + 1 => self.take(&announcement),
                    Ok(_) => self.is_behind = true,
                    Err(RecvError::Lagged(_)) => {
                        tracing::debug!("a reader of events is too slow and is cut");
                        return None;
                    }
                    Err(RecvError::Closed) => return None,
                },
                _ = self.heartbeat.tick() => {
                    self.catch_up().await?;
                    self.frames.push_back(heartbeat(self.position));
                }
            }
        }
    }

    /// Reads one page of the log. `None` when the database is away: the client comes back.
    async fn catch_up(&mut self) -> Option<()> {
        let page = match self.app.deps.announcements.after(self.position, BATCH).await {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(error = %error, "a stream of events ends: {error}");
                return None;
            }
        };
        self.is_behind = page.len() == BATCH as usize;
        page.iter().for_each(|announcement| self.take(announcement));
        if !self.is_behind {
            // What came meanwhile was read, or shows as a gap when the next one comes.
            self.live = self.live.resubscribe();
        }
        Some(())
    }

    fn take(&mut self, announcement: &Announcement) {
        self.position = announcement.position;
        let guarded = Guarded { tenant: &announcement.tenant, access: announcement.access.as_ref() };
        if decide(&self.caller.0, Some(guarded), Action::Read).is_ok() {
            self.frames.push_back(frame(announcement));
        }
    }
}

/// The body is JSON on one line.
fn frame(announcement: &Announcement) -> Bytes {
    let Announcement { position, topic, body, .. } = announcement;
    format!("id: {position}\nevent: {topic}\ndata: {body}\n\n").into()
}

/// Without data it is no event, and yet the client takes note of the id.
fn heartbeat(position: Position) -> Bytes {
    format!("id: {position}\n\n").into()
}

/// The client was away for longer than announcements are kept.
fn lost(after: Position, oldest: Position) -> Bytes {
    let last = oldest - 1;
    format!("event: lost\ndata: {{\"after\":\"{after}\",\"up_to\":\"{last}\"}}\n\n").into()
}
