//! Exit codes: what scripts and supervisors learn from how a command ended.

use std::fmt;
use std::process::ExitCode;

/// How a command ended; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All right.
    Success,
    /// Some of what was asked failed.
    SomeFailed,
    /// The command line or the configuration is wrong.
    Usage,
    /// The database, the queue or the blob store is away.
    DependencyAway,
    /// Ctrl-C before the work was done.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::SomeFailed => 1,
            Exit::Usage => 2,
            Exit::DependencyAway => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// A failure that ends a command: what people read, and the exit code that scripts read.
#[derive(Debug)]
pub struct Failed {
    /// The exit code.
    pub exit: Exit,
    /// The whole story.
    pub error: anyhow::Error,
}

impl Failed {
    /// The command line or the configuration is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// A dependency is away.
    pub fn dependency(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::DependencyAway, error: error.into() }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::SomeFailed, error }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The whole chain on one line: the outermost message alone rarely says what to do.
        write!(f, "{:#}", self.error)
    }
}
