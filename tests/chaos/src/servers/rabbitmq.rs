//! RabbitMQ nodes of our own, one or a cluster of three: killed, restarted, and always one of them led to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::{READY, Server, log_to};
use crate::guard::{End, Guard};
use crate::proxy::Proxy;

/// Debian's scripts that do not insist on a user of their own.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
const MISSING: &str = "RabbitMQ is not installed: install Debian's package rabbitmq-server, or name a server in \
                       THUMBLINE_TEST_AMQP_URL";
/// A node that does not answer so long after its start is started anew, so many times.
const STARTING: Duration = Duration::from_secs(90);
const STARTS: u32 = 4;
/// A node that was asked to end is killed after this.
const ENDING: Duration = Duration::from_secs(30);

/// The nodes, with the port mapper that they find each other by.
pub(crate) struct Brokers {
    nodes: Vec<Node>,
    _epmd: Server,
    /// Where clients of ours go, which are not to be hurt.
    way_in: OnceCell<Arc<Proxy>>,
    /// One node at a time: the others are a majority.
    hurting: Mutex<()>,
}

struct Node {
    number: usize,
    home: PathBuf,
    port: u16,
    distribution: u16,
    epmd: u16,
    server: Mutex<Server>,
}

impl Brokers {
    pub(crate) async fn start(guard: &Arc<Guard>, count: usize) -> anyhow::Result<Self> {
        anyhow::ensure!(Path::new(PROGRAMS).join("rabbitmq-server").exists(), MISSING);
        let epmd_port = crate::ports::free();
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        log_to(&mut epmd, &guard.directory().join("epmd.log"))?;
        let epmd = Server::start(guard, epmd, End::Kill).context(MISSING)?;
        let mut nodes = Vec::new();
        for number in 0..count {
            let home = guard.subdirectory(&format!("rabbitmq{number}"))?;
            prepare(&home, count)?;
            let (port, distribution) = (crate::ports::free(), crate::ports::free());
            let server = run(guard, &home, number, port, distribution, epmd_port)?;
            nodes.push(Node { number, home, port, distribution, epmd: epmd_port, server: Mutex::new(server) });
        }
        for node in &nodes {
            node.ready().await?;
        }
        Ok(Self { nodes, _epmd: epmd, way_in: OnceCell::new(), hurting: Mutex::new(()) })
    }

    /// How many nodes there are.
    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.nodes[node % self.nodes.len()].port))
    }

    /// This way in leads to a living node from now on.
    pub(crate) fn lead(&self, way_in: Arc<Proxy>) {
        let _ = self.way_in.set(way_in);
    }

    /// `kill -9` of a node, or asks it to end; clients are led to another one meanwhile. Returns once it is back, and in
    /// a cluster once every queue could lose another node.
    pub(crate) async fn hurt(&self, guard: &Arc<Guard>, which: u32, kill: bool, front: &Proxy) -> anyhow::Result<()> {
        let _one_at_a_time = self.hurting.lock().await;
        let node = &self.nodes[which as usize % self.nodes.len()];
        let mut server = node.server.lock().await;
        if kill {
            node.kill_erlang();
            server.kill(guard)?;
        } else {
            node.signal_erlang(Signal::TERM);
            server.gone(guard, ENDING).await?;
            node.kill_erlang();
        }
        if self.count() > 1 {
            let other = self.address(node.number + 1);
            front.lead_to(other);
            if let Some(way_in) = self.way_in.get() {
                way_in.lead_to(other);
            }
        }
        node.start_again(guard, &mut server).await?;
        drop(server);
        if self.count() > 1 { node.spare().await } else { Ok(()) }
    }
}

fn name(number: usize) -> String {
    format!("chaos{number}@localhost")
}

fn prepare(home: &Path, count: usize) -> anyhow::Result<()> {
    let cookie = home.join(".erlang.cookie");
    std::fs::write(&cookie, "CHAOSOFONERUN")?;
    std::fs::set_permissions(&cookie, std::os::unix::fs::PermissionsExt::from_mode(0o400))?;
    std::fs::write(home.join("enabled_plugins"), "[].")?;
    // Peers that are silent for so long are gone; the default is a minute.
    std::fs::write(home.join("advanced.config"), "[{kernel, [{net_ticktime, 8}]}].")?;
    let mut settings = "disk_free_limit.absolute = 100MB\nvm_memory_high_watermark.absolute = 600MB\n".to_owned();
    if count > 1 {
        settings += "cluster_partition_handling = pause_minority\n\
                     cluster_formation.peer_discovery_backend = classic_config\n";
        for number in 0..count {
            settings += &format!("cluster_formation.classic_config.nodes.{} = {}\n", number + 1, name(number));
        }
    }
    std::fs::write(home.join("rabbitmq.conf"), settings)?;
    Ok(())
}

fn command(program: &str, home: &Path, number: usize, port: u16, distribution: u16, epmd: u16) -> Command {
    let mut command = Command::new(Path::new(PROGRAMS).join(program));
    let path = std::env::var("PATH").unwrap_or_default();
    let in_home = |file: &str| home.join(file).display().to_string();
    let environment = [
        ("PATH", format!("{path}:/usr/sbin:/sbin")),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", home.display().to_string()),
        ("ERL_EPMD_PORT", epmd.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODENAME", name(number)),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution.to_string()),
        ("RABBITMQ_PID_FILE", in_home("pid")),
        ("RABBITMQ_MNESIA_BASE", in_home("mnesia")),
        ("RABBITMQ_LOG_BASE", in_home("log")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        ("RABBITMQ_CONFIG_FILE", in_home("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", in_home("advanced.config")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", in_home("enabled_plugins")),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none".to_owned(),
        ),
    ];
    // A node that is killed while it stops leaves a core of its tables where it was started.
    command.env_clear().envs(environment).current_dir(home);
    command
}

fn run(guard: &Guard, home: &Path, number: usize, port: u16, distribution: u16, epmd: u16) -> anyhow::Result<Server> {
    let mut server = command("rabbitmq-server", home, number, port, distribution, epmd);
    log_to(&mut server, &home.with_extension("log"))?;
    Server::start(guard, server, End::Kill).context(MISSING)
}

impl Node {
    /// The Erlang process itself, which the shell scripts around it become or start.
    fn erlang(&self) -> Option<Pid> {
        Pid::from_raw(std::fs::read_to_string(self.home.join("pid")).ok()?.trim().parse().ok()?)
    }

    fn signal_erlang(&self, signal: Signal) {
        if let Some(pid) = self.erlang() {
            let _ = kill_process(pid, signal);
        }
    }

    /// Its number is forgotten, so that nobody who gets it next is signalled.
    fn kill_erlang(&self) {
        self.signal_erlang(Signal::KILL);
        let _ = std::fs::remove_file(self.home.join("pid"));
    }

    /// A broker that is ready answers the first bytes of a client.
    async fn greets(&self) -> bool {
        let greeting = async {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
            stream.read_exact(&mut [0; 7]).await.map(drop)
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), greeting).await, Ok(Ok(())))
    }

    async fn ready(&self) -> anyhow::Result<()> {
        if self.greets_within(READY).await {
            return Ok(());
        }
        bail!("RabbitMQ does not answer; its log is {}", self.home.with_extension("log").display());
    }

    async fn greets_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.greets().await {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }

    /// On its data. A node may find its name taken for a moment, or wait for peers that wait for it: then it is tried anew.
    async fn start_again(&self, guard: &Guard, server: &mut Server) -> anyhow::Result<()> {
        for _ in 0..STARTS {
            *server = run(guard, &self.home, self.number, self.port, self.distribution, self.epmd)?;
            if self.greets_within(STARTING).await {
                return Ok(());
            }
            self.kill_erlang();
            server.kill(guard)?;
        }
        bail!("RabbitMQ does not start again; its log is {}", self.home.with_extension("log").display());
    }

    /// Waits until every queue would survive the loss of this node.
    async fn spare(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        loop {
            let asked = command("rabbitmq-queues", &self.home, self.number, self.port, self.distribution, self.epmd);
            let mut asked = tokio::process::Command::from(asked);
            if asked.arg("check_if_node_is_quorum_critical").output().await?.status.success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("node {} still cannot be spared", name(self.number));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
