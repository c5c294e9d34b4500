//! The servers that Thumbline stands on: our own, which may be hurt, or those that the environment names, which may not.

pub(crate) mod database;
mod postgres;
mod rabbitmq;
pub(crate) mod store;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::guard::{End, Guard, lock};
use crate::proxy::Proxy;

pub(crate) use postgres::Postgres;
pub(crate) use rabbitmq::Brokers;

/// The longest that a server may take to start; machines may be busy.
pub(crate) const READY: Duration = Duration::from_secs(180);

/// A process of ours that is the leader of its own group, known to the guard while it lives.
pub(crate) struct Server {
    child: std::sync::Mutex<Option<std::process::Child>>,
}

impl Server {
    pub(crate) fn start(guard: &Guard, mut command: Command, end: End) -> anyhow::Result<Self> {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = command.get_program().to_owned();
        let mut child =
            command.stdin(Stdio::null()).spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        if let Err(error) = guard.started(child.id(), end) {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        Ok(Self { child: std::sync::Mutex::new(Some(child)) })
    }

    pub(crate) fn pid(&self) -> Option<rustix::process::Pid> {
        lock(&self.child).as_ref().map(rustix::process::Pid::from_child)
    }

    /// How it ended, if it has by itself.
    pub(crate) fn has_ended(&self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(match lock(&self.child).as_mut() {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// Signals the process itself.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// SIGKILL to the whole group; returns once the leader is gone.
    pub(crate) fn kill(&self, guard: &Guard) -> anyhow::Result<()> {
        let Some(mut child) = lock(&self.child).take() else { return Ok(()) };
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        child.wait()?;
        guard.ended(child.id())
    }

    /// Waits until it has ended by itself after a signal; kills it after a while.
    pub(crate) async fn gone(&self, guard: &Guard, patience: Duration) -> anyhow::Result<bool> {
        let deadline = tokio::time::Instant::now() + patience;
        while self.has_ended()?.is_none() {
            if tokio::time::Instant::now() > deadline {
                self.kill(guard)?;
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(child) = lock(&self.child).take() {
            guard.ended(child.id())?;
        }
        Ok(true)
    }
}

/// A log file for what a server says.
pub(crate) fn log_to(command: &mut Command, path: &std::path::Path) -> anyhow::Result<()> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}

/// What production's shape needs; the proxies are between it and Thumbline.
pub(crate) struct Servers {
    pub(crate) postgres: Option<Postgres>,
    pub(crate) brokers: Option<Brokers>,
    /// Where our own clients and checks go, past all faults.
    pub(crate) database_url: String,
    pub(crate) amqp_url: String,
    pub(crate) store: store::Access,
    store_server: Option<Server>,
    pub(crate) database_proxy: Proxy,
    pub(crate) broker_proxy: Proxy,
    pub(crate) store_proxy: Proxy,
    /// Follows the broker's node, but is never hurt; only where the broker is ours.
    _way_in: Option<std::sync::Arc<Proxy>>,
}

fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Whether the broker, and the database, would be ours to hurt.
pub(crate) fn ours() -> (bool, bool) {
    (named("THUMBLINE_TEST_AMQP_URL").is_none(), named("THUMBLINE_TEST_DATABASE_URL").is_none())
}

impl Servers {
    pub(crate) async fn start(guard: &std::sync::Arc<Guard>, cluster: bool) -> anyhow::Result<Self> {
        let (store, store_server) = match named("THUMBLINE_TEST_S3_URL") {
            Some(url) => (store::Access::from_url(&url)?, None),
            None => store::start(guard).await.map(|(access, server)| (access, Some(server)))?,
        };
        let (postgres, database_url) = match named("THUMBLINE_TEST_DATABASE_URL") {
            Some(url) => (None, url),
            None => {
                let postgres = Postgres::start(guard).await?;
                let url = postgres.url();
                (Some(postgres), url)
            }
        };
        let (brokers, amqp_url, broker_address) = match named("THUMBLINE_TEST_AMQP_URL") {
            Some(_) if cluster => bail!("--cluster starts its own brokers: unset THUMBLINE_TEST_AMQP_URL"),
            Some(url) => {
                let address = address_of(&url)?;
                (None, url, address)
            }
            None => {
                let brokers = Brokers::start(guard, if cluster { 3 } else { 1 }).await?;
                let address = brokers.address(0);
                (Some(brokers), String::new(), address)
            }
        };
        let broker_proxy = Proxy::start(broker_address).await?;
        let mut servers = Self {
            database_proxy: Proxy::start(address_of(&database_url)?).await?,
            store_proxy: Proxy::start(store.address()?).await?,
            broker_proxy,
            postgres,
            brokers,
            database_url,
            amqp_url,
            store,
            store_server,
            _way_in: None,
        };
        if let Some(brokers) = &servers.brokers {
            let way_in = std::sync::Arc::new(Proxy::start(broker_address).await?);
            servers.amqp_url = format!("amqp://guest:guest@{}/%2f", way_in.address);
            brokers.lead(std::sync::Arc::clone(&way_in));
            servers._way_in = Some(way_in);
        }
        Ok(servers)
    }
}

impl Servers {
    /// Whether somebody else's store is used.
    pub(crate) fn store_is_shared(&self) -> bool {
        self.store_server.is_none()
    }
}

/// Host and port of a URL with or without credentials and path.
pub(crate) fn address_of(url: &str) -> anyhow::Result<std::net::SocketAddr> {
    use std::net::ToSocketAddrs as _;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let mut found = host.to_socket_addrs().with_context(|| format!("{host:?} is no host:port"))?;
    found.next().with_context(|| format!("{host:?} has no address"))
}

/// The same URL, through a proxy.
pub(crate) fn through(url: &str, proxy: std::net::SocketAddr) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let credentials = authority.rsplit_once('@').map(|(credentials, _)| format!("{credentials}@")).unwrap_or_default();
    format!("{scheme}://{credentials}{proxy}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_led_through_a_proxy() {
        let proxy = "127.0.0.1:7".parse().unwrap();
        assert_eq!(through("amqp://a:b@127.0.0.1:5672/%2f", proxy), "amqp://a:b@127.0.0.1:7/%2f");
        assert_eq!(through("http://127.0.0.1:80", proxy), "http://127.0.0.1:7");
        assert_eq!(address_of("postgres://u:p@127.0.0.1:5432/x").unwrap().port(), 5432);
    }
}
