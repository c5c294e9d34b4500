//! A connection to the broker that comes back: supervised, re-declared, with growing pauses between attempts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, Event};
use shared::ports::work_queue::QueueError;
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fault;
use super::topology::Topology;
use super::transport;
use crate::queue::config::Config;

/// Longest wait for a connection with all exchanges and queues declared, as a multiple of that for one confirm.
const CONNECT_PATIENCE: u32 = 2;
/// Longest wait for the broker to answer our goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the connection is looked at, should its end not have been announced.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause before the first new attempt; doubled with every one that fails.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A connection that lived this long was a good one: the pauses start anew.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// What is needed to connect.
#[derive(Clone)]
pub(super) struct Dialer {
    uri: AMQPUri,
    /// Without the password.
    address: String,
    patience: Duration,
    topology: Topology,
}

/// A supervised connection. It is closed, and nobody reconnects, once this is dropped.
pub(super) struct Link {
    state: watch::Receiver<LinkState>,
    _stop: DropGuard,
}

/// How a connection stands.
#[derive(Clone)]
pub(super) enum LinkState {
    /// It works.
    Up(Arc<Session>),
    /// It works, but the broker takes no messages, for this reason; deliveries still come.
    Blocked(Arc<Session>, String),
    /// It is lost, for this reason, and somebody is reconnecting.
    Down(Loss),
}

/// Why a connection was lost, for people.
#[derive(Debug, Clone)]
pub(super) struct Loss(Arc<str>);

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Loss {}

/// One connection, from its handshake to its end.
pub(super) struct Session {
    pub(super) connection: Connection,
    since: Instant,
    /// Ends the library's thread once nobody needs the connection any more.
    _end: DropGuard,
}

impl Dialer {
    pub(super) fn new(config: &Config) -> Result<Self, QueueError> {
        let mut uri = config.broker().map_err(|reason| QueueError::Misconfigured(format!("queue.url: {reason}")))?;
        uri.query.heartbeat = Some(config.heartbeat_seconds);
        let patience = config.confirm_timeout() * CONNECT_PATIENCE;
        uri.query.connection_timeout = u64::try_from(patience.as_millis()).ok();
        Ok(Self { uri, address: config.display_url(), patience, topology: Topology::new(config) })
    }

    /// Connects and declares; then keeps the connection until the link is dropped.
    pub(super) async fn link(&self, purpose: &'static str) -> Result<Link, QueueError> {
        let session = Arc::new(self.dial(purpose).await?);
        tracing::info!(broker = self.address, purpose, "connected to the broker");
        let (sender, state) = watch::channel(LinkState::Up(Arc::clone(&session)));
        let stop = CancellationToken::new();
        let supervisor = Supervisor { dialer: self.clone(), purpose, state: sender };
        let stopped = stop.clone();
        tokio::spawn(async move {
            // Dropping the supervisor wherever it is ends everything it waits for.
            stopped.run_until_cancelled(supervisor.run(session)).await;
        });
        Ok(Link { state, _stop: stop.drop_guard() })
    }

    async fn dial(&self, purpose: &str) -> Result<Session, QueueError> {
        let end = CancellationToken::new();
        let guard = end.clone().drop_guard();
        let dialing = async {
            let properties =
                ConnectionProperties::default().with_connection_name(format!("thumbline {purpose}").into());
            let connection = transport::connect(self.uri.clone(), properties, end)
                .await
                .map_err(|error| fault::connecting(&self.address, error))?;
            self.topology.declare(&connection).await?;
            Ok(Session { connection, since: Instant::now(), _end: guard })
        };
        timeout(self.patience, dialing).await.unwrap_or_else(|_| Err(fault::too_slow("greet us")))
    }
}

impl Link {
    /// How the connection stands now, and every change of it. It closes when the link is dropped.
    pub(super) fn watch(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// The connection, if it takes messages now.
    pub(super) fn session(&self) -> Result<Arc<Session>, QueueError> {
        match &*self.state.borrow() {
            LinkState::Up(session) => Ok(Arc::clone(session)),
            LinkState::Blocked(_, reason) => {
                Err(QueueError::Away(format!("the broker takes no messages at the moment: {reason}").into()))
            }
            LinkState::Down(loss) => Err(QueueError::Away(Box::new(loss.clone()))),
        }
    }
}

struct Supervisor {
    dialer: Dialer,
    purpose: &'static str,
    state: watch::Sender<LinkState>,
}

impl Supervisor {
    async fn run(self, mut session: Arc<Session>) {
        let mut pause = PAUSE_FIRST;
        loop {
            let goodbye = Goodbye(Arc::clone(&session));
            let loss = self.attend(&session).await;
            drop(goodbye);
            let (broker, purpose) = (&self.dialer.address, self.purpose);
            tracing::warn!(%broker, purpose, reason = %loss, "lost the broker; reconnecting");
            metrics::counter!(shared::telemetry::DEPENDENCY_ERRORS, "dependency" => "queue").increment(1);
            self.state.send_replace(LinkState::Down(loss));
            if session.since.elapsed() >= SETTLED_AFTER {
                pause = PAUSE_FIRST;
            }
            session = self.redial(&mut pause).await;
            tracing::info!(%broker, purpose, "connected to the broker again");
            self.state.send_replace(LinkState::Up(Arc::clone(&session)));
        }
    }

    /// Watches over a connection until it is lost.
    async fn attend(&self, session: &Arc<Session>) -> Loss {
        let mut events = session.connection.events_listener().boxed();
        let mut look = interval(LOOK_EVERY);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = look.tick() => None,
            };
            match event {
                Some(Event::Error(error)) => {
                    return Loss(error.to_string().into());
                }
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(broker = self.dialer.address, reason, "the broker takes no messages");
                    self.state.send_replace(LinkState::Blocked(Arc::clone(session), reason));
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!(broker = self.dialer.address, "the broker takes messages again");
                    self.state.send_replace(LinkState::Up(Arc::clone(session)));
                }
                _ if !session.connection.status().connected() => {
                    return Loss("the connection was closed".into());
                }
                _ => {}
            }
        }
    }

    /// Tries until it succeeds, with growing pauses. Misconfiguration is waited for like everything else: the operator
    /// who broke it may mend it.
    async fn redial(&self, pause: &mut Duration) -> Arc<Session> {
        loop {
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            *pause = (*pause * 2).min(PAUSE_MAX);
            match self.dialer.dial(self.purpose).await {
                Ok(session) => return Arc::new(session),
                Err(error) => {
                    tracing::debug!(broker = self.dialer.address, %error, "could not reconnect");
                    self.state.send_replace(LinkState::Down(Loss(error.to_string().into())));
                }
            }
        }
    }
}

/// Says goodbye to the broker when dropped, so that it hands our unsettled deliveries to others at once.
struct Goodbye(Arc<Session>);

impl Drop for Goodbye {
    fn drop(&mut self) {
        let session = Arc::clone(&self.0);
        if !session.connection.status().connected() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // The connection ends one way or the other; whether the broker answered makes no difference.
                let _ = timeout(GOODBYE_TIMEOUT, session.connection.close(200, "goodbye".into())).await;
            });
        }
    }
}
