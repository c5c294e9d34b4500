//! RabbitMQ nodes of a test's own, to be stopped, frozen and killed: private ports, names and directories.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Debian's scripts that do not insist on a user of their own.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
/// A node that is not ready after this has failed; machines may be busy.
const READY: Duration = Duration::from_secs(120);

/// The nodes of one test with the port mapper that they find each other by.
pub(super) struct Brokers {
    directory: tempfile::TempDir,
    epmd: Child,
    epmd_port: u16,
}

/// One node. Dropped, it is killed.
pub(super) struct Broker {
    name: String,
    home: PathBuf,
    /// Of the listener, and of the other nodes.
    ports: [u16; 2],
    epmd_port: u16,
    node: Option<Child>,
}

/// A port that nobody uses, below the range where any outgoing connection may sit.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Brokers {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let epmd_port = free_port();
        let epmd = Command::new("epmd")
            .args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd starts: install rabbitmq-server");
        std::fs::write(directory.path().join(".erlang.cookie"), format!("{:032x}", rand::random::<u128>())).unwrap();
        set_mode(&directory.path().join(".erlang.cookie"), 0o400);
        Self { directory, epmd, epmd_port }
    }

    /// Starts a node; returns once it takes connections.
    pub(super) fn start(&self) -> Broker {
        let ports = [free_port(), free_port()];
        let home = self.directory.path().join(format!("node{}", ports[0]));
        std::fs::create_dir(&home).unwrap();
        std::fs::copy(self.directory.path().join(".erlang.cookie"), home.join(".erlang.cookie")).unwrap();
        std::fs::write(home.join("enabled_plugins"), "[].").unwrap();
        // What RabbitMQ recommends for three nodes: one that sees only the smaller part of its cluster pauses.
        let settings = "disk_free_limit.absolute = 100MB\nvm_memory_high_watermark.absolute = 400MB\n\
                        cluster_partition_handling = pause_minority\n";
        std::fs::write(home.join("rabbitmq.conf"), settings).unwrap();
        // Peers that are silent for so long are gone; the default is a minute.
        std::fs::write(home.join("advanced.config"), "[{kernel, [{net_ticktime, 8}]}].").unwrap();
        let name = format!("node{}@localhost", ports[0]);
        let mut broker = Broker { name, home, ports, epmd_port: self.epmd_port, node: None };
        broker.run();
        broker
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

impl Broker {
    /// Where clients connect.
    pub(super) fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.address())
    }

    /// Host and port of the listener.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Starts the node, again if it ran before: its data are still there.
    pub(super) fn run(&mut self) {
        let mut command = self.command("rabbitmq-server");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let log = std::fs::File::create(self.home.join("console.log")).unwrap();
        let node = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().expect("rabbitmq-server starts");
        self.node = Some(node);
        let begun = Instant::now();
        while !self.greets() {
            assert!(begun.elapsed() < READY, "no broker: {}", self.console());
            let ended = self.node.as_mut().is_some_and(|node| node.try_wait().unwrap().is_some());
            assert!(!ended, "the broker ended: {}", self.console());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn console(&self) -> String {
        std::fs::read_to_string(self.home.join("console.log")).unwrap_or_default()
    }

    /// A broker that is ready answers the first bytes of a client.
    fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address()) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok() && stream.read_exact(&mut [0; 7]).is_ok()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new(PROGRAMS).join(program));
        let path = std::env::var("PATH").unwrap_or_default();
        let [port, distribution] = self.ports;
        let environment = [
            ("PATH", format!("{path}:/usr/sbin:/sbin")),
            ("LANG", "C.UTF-8".to_owned()),
            ("HOME", self.home.display().to_string()),
            ("ERL_EPMD_PORT", self.epmd_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODENAME", self.name.clone()),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", port.to_string()),
            ("RABBITMQ_DIST_PORT", distribution.to_string()),
            ("RABBITMQ_PID_FILE", self.home.join("pid").display().to_string()),
            ("RABBITMQ_MNESIA_BASE", self.home.join("mnesia").display().to_string()),
            ("RABBITMQ_LOG_BASE", self.home.join("log").display().to_string()),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_CONFIG_FILE", self.home.join("rabbitmq.conf").display().to_string()),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", self.home.join("advanced.config").display().to_string()),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", self.home.join("enabled_plugins").display().to_string()),
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none".to_owned(),
            ),
        ];
        command.env_clear().envs(environment).stdin(Stdio::null());
        command
    }

    /// `rabbitmqctl` with these arguments; fails with what it said.
    pub(super) fn control(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command("rabbitmqctl").args(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "rabbitmqctl {arguments:?}: {said}");
        said
    }

    /// Makes this node a member of the other's cluster.
    pub(super) fn join(&self, other: &Self) {
        self.control(&["stop_app"]);
        self.control(&["join_cluster", &other.name]);
        self.control(&["start_app"]);
    }

    /// Waits until every queue would survive the loss of this node.
    pub(super) fn await_spare(&self) {
        let begun = Instant::now();
        loop {
            let asked = self.command("rabbitmq-queues").arg("check_if_node_is_quorum_critical").output().unwrap();
            if asked.status.success() {
                return;
            }
            let said = String::from_utf8_lossy(&asked.stdout).into_owned();
            assert!(begun.elapsed() < READY, "{} cannot be spared: {said}", self.name);
        }
    }

    /// The name that `rabbitmqctl` and `rabbitmq-queues` know it by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The Erlang process itself, which the shell scripts around it become or start.
    fn node_pid(&self) -> Pid {
        let written = std::fs::read_to_string(self.home.join("pid")).expect("the node wrote its process id");
        Pid::from_raw(written.trim().parse().unwrap()).unwrap()
    }

    /// Nothing moves until [`thaw`](Self::thaw): connections stay open.
    pub(super) fn freeze(&self) {
        kill_process(self.node_pid(), Signal::STOP).unwrap();
    }

    pub(super) fn thaw(&self) {
        kill_process(self.node_pid(), Signal::CONT).unwrap();
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) fn kill(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        if let Some(pid) = std::fs::read_to_string(self.home.join("pid")).ok().and_then(|pid| pid.trim().parse().ok()) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
        let _ = kill_process_group(Pid::from_child(&node), Signal::KILL);
        node.wait().unwrap();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}
