//! The result of a run, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::checker::figures::Figures;
use crate::checker::{Rule, Violation};
use crate::faults::Kind;
use crate::options::{Broken, Options, Shape};

/// Violations of one rule that are shown.
const SHOWN: usize = 5;

/// What was done and what came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) cluster: bool,
    pub(crate) broken: Option<Broken>,
    /// `false`: it was interrupted, and nothing was checked.
    pub(crate) finished: bool,
    pub(crate) seconds: u64,
    pub(crate) uploads_wanted: u32,
    pub(crate) uploads_accepted: u32,
    pub(crate) bad_events: u32,
    /// Copies of events that the broker confirmed.
    pub(crate) copies_sent: u64,
    pub(crate) faults_wanted: u32,
    pub(crate) faults_struck: BTreeMap<Kind, u32>,
    pub(crate) figures: BTreeMap<Kind, Figures>,
    /// Rows, by state.
    pub(crate) rows: BTreeMap<String, u32>,
    pub(crate) blobs: u32,
    /// Attempts that had to be made again, whatever the reason.
    pub(crate) attempts_again: u32,
    /// What ended the run before its end.
    pub(crate) error: Option<String>,
    pub(crate) violations: Vec<Violation>,
}

impl Report {
    /// Of a run that has only begun.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            shape: options.shape,
            cluster: options.cluster,
            broken: options.broken,
            finished: false,
            seconds: 0,
            uploads_wanted: options.uploads,
            uploads_accepted: 0,
            bad_events: 0,
            copies_sent: 0,
            faults_wanted: options.faults,
            faults_struck: BTreeMap::new(),
            figures: BTreeMap::new(),
            rows: BTreeMap::new(),
            blobs: 0,
            attempts_again: 0,
            error: None,
            violations: Vec::new(),
        }
    }

    /// As JSON, where that was asked for.
    pub(crate) fn write(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(path, json + "\n").with_context(|| format!("{} cannot be written", path.display()))
    }

    fn violations_by_rule(&self) -> BTreeMap<Rule, Vec<&str>> {
        let mut by_rule: BTreeMap<Rule, Vec<&str>> = BTreeMap::new();
        for violation in &self.violations {
            by_rule.entry(violation.rule).or_default().push(&violation.what);
        }
        by_rule
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let struck: u32 = self.faults_struck.values().sum();
        let Self { seed, shape, cluster, seconds, uploads_accepted, bad_events, copies_sent, .. } = self;
        writeln!(f, "seed {seed}, {shape:?}{}, {seconds} s", if *cluster { ", cluster of three" } else { "" })?;
        writeln!(
            f,
            "{uploads_accepted} uploads accepted, {bad_events} bad events, {copies_sent} copies of events, {struck} faults"
        )?;
        let ms = |time: Option<i64>| time.map_or("-".to_owned(), |ms| ms.to_string());
        if !self.figures.is_empty() {
            writeln!(f, "{:<20} {:>6} {:>12} {:>12} {:>10}", "fault", "count", "median ms", "worst ms", "made again")?;
        }
        for (kind, figures) in &self.figures {
            let (median, worst) = (ms(figures.recovery_median_ms), ms(figures.recovery_worst_ms));
            writeln!(
                f,
                "{:<20} {:>6} {median:>12} {worst:>12} {:>10}",
                kind.name(),
                figures.faults,
                figures.made_again
            )?;
        }
        if self.figures.is_empty() {
            self.faults_struck.iter().try_for_each(|(kind, count)| writeln!(f, "{:<20} {count:>6}", kind.name()))?;
        }
        if !self.finished {
            let why = self.error.as_deref().unwrap_or("interrupted");
            return write!(f, "NOT FINISHED, nothing was checked: {why}");
        }
        writeln!(f, "rows {:?}, {} blobs, {} attempts made again", self.rows, self.blobs, self.attempts_again)?;
        for (rule, found) in self.violations_by_rule() {
            writeln!(f, "VIOLATED {rule:?}, {} times", found.len())?;
            found.iter().take(SHOWN).try_for_each(|what| writeln!(f, "  {what}"))?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}

/// The result goes to stdout, everything else to stderr.
#[expect(clippy::print_stdout, reason = "it is the output of the program")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}
