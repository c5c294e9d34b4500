//! How far a run is: a bar for people, a line now and then for logs.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::faults::Kind;
use crate::guard::lock;

const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// Shared by everything that moves a run on.
#[derive(Clone)]
pub(crate) struct Progress(Arc<State>);

struct State {
    bar: ProgressBar,
    faults: u32,
    struck: Mutex<BTreeMap<Kind, u32>>,
    last_line: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new(uploads: u32, faults: u32) -> Self {
        let bar = ProgressBar::new(u64::from(uploads));
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} uploads, {msg}, ETA {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(Arc::new(State { bar, faults, struck: Mutex::default(), last_line: Mutex::new(Instant::now()) }))
    }

    /// One more fault is over.
    pub(crate) fn struck(&self, kind: Kind) {
        *lock(&self.0.struck).entry(kind).or_default() += 1;
    }

    /// How many there were of each kind.
    pub(crate) fn faults(&self) -> BTreeMap<Kind, u32> {
        lock(&self.0.struck).clone()
    }

    /// So many uploads were sent, and so many file versions still wait.
    pub(crate) fn sent(&self, uploads: u32, pending: i64) {
        let State { bar, faults, .. } = &*self.0;
        let struck: u32 = lock(&self.0.struck).values().sum();
        bar.set_position(u64::from(uploads));
        let message = format!("{struck}/{faults} faults, {pending} waiting");
        bar.set_message(message.clone());
        let eta = bar.eta().as_secs();
        self.line(|| format!("{uploads}/{} uploads, {message}, about {eta} s to go", bar.length().unwrap_or_default()));
    }

    /// What happens besides.
    pub(crate) fn tell(&self, what: &str) {
        if std::io::stderr().is_terminal() {
            self.0.bar.println(what);
        } else {
            eprintln!("chaos: {what}");
        }
    }

    /// A line where nobody sees a bar; not too often.
    fn line(&self, line: impl FnOnce() -> String) {
        let mut last = lock(&self.0.last_line);
        if !std::io::stderr().is_terminal() && last.elapsed() > BETWEEN_LINES {
            eprintln!("chaos: {:.0?}: {}", self.0.bar.elapsed(), line());
            *last = Instant::now();
        }
    }

    pub(crate) fn finish(&self) {
        self.0.bar.finish_and_clear();
    }
}
