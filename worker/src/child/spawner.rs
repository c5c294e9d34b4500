//! The thread that starts children.
//!
//! The kernel ends a child when the *thread* that started it ends (`prctl(2)`, `PR_SET_PDEATHSIG`), and the threads of
//! a runtime come and go. This one lives as long as its pool.

use std::io;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Started = oneshot::Sender<io::Result<Child>>;

/// Starts processes on a thread of its own.
#[derive(Debug)]
pub(super) struct Spawner {
    commands: mpsc::Sender<(Command, Started)>,
}

impl Spawner {
    /// Must be called within a runtime, which will reap what is started.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Handle::current();
        let (commands, due) = mpsc::channel::<(Command, Started)>();
        std::thread::Builder::new().name("child-spawner".into()).spawn(move || {
            let _entered = runtime.enter();
            for (mut command, started) in due {
                let child = command.spawn();
                // The command holds our copy of the child's end of the socket; while it is open, nobody sees the end.
                drop(command);
                // Nobody waiting any more: the child is dropped, which kills it.
                let _ = started.send(child);
            }
        })?;
        Ok(Self { commands })
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts render children is gone");
        let (started, child) = oneshot::channel();
        self.commands.send((command, started)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}
