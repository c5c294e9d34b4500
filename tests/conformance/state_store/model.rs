//! Random walks, compared after every step with what the state machine of the core says.

use std::collections::BTreeMap;
use std::time::Duration;

use adapters::db::Database;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::ids::ClaimToken;
use shared::domain::lane::Lane;
use shared::domain::representation::{Outcome, State, Transition};
use shared::ports::state_store::{Registration, StateStore};

use super::fixtures::*;
use super::scratch::Store;

/// Walks over one database; each has a file of its own.
const WALKS: u32 = 48;
const PRESETS: [&str; 2] = [SMALL, MEDIUM];
const WORKERS: usize = 2;

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Step {
    Want(usize),
    Claim {
        worker: usize,
    },
    Settle {
        worker: usize,
        preset: usize,
        outcome: Outcome,
    },
    /// The worker's lease runs out.
    Expire {
        worker: usize,
    },
    Extend {
        worker: usize,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let worker = 0..WORKERS;
    prop_oneof![
        2 => (0..PRESETS.len()).prop_map(Step::Want),
        3 => worker.clone().prop_map(|worker| Step::Claim { worker }),
        6 => (worker.clone(), 0..PRESETS.len(), any_outcome())
            .prop_map(|(worker, preset, outcome)| Step::Settle { worker, preset, outcome }),
        1 => worker.clone().prop_map(|worker| Step::Expire { worker }),
        1 => worker.prop_map(|worker| Step::Extend { worker }),
    ]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let crash = Outcome::Retry { failure: failure(FailureCode::ChildCrashed), wait: Duration::ZERO, excused: false };
    prop_oneof![
        1 => (1..9_u32, 1..4_u32).prop_map(|(seed, pages)| Outcome::Success(content(seed, pages))),
        3 => (1..9_u32, 1..4_u32).prop_map(|(seed, pages)| Outcome::Viewable(content(seed, pages))),
        1 => Just(Outcome::Error(failure(FailureCode::CorruptSource))),
        1 => Just(Outcome::HandBack),
        1 => Just(Outcome::Wait { wait: LONG }),
        1 => Just(Outcome::Move { lane: Lane::Heavy }),
        2 => any::<bool>().prop_map(|excused| retry(Duration::ZERO, excused)),
        1 => Just(retry(LONG, true)),
        1 => Just(crash),
    ]
}

/// What a row should be.
#[derive(Debug, Clone, Default)]
struct Row {
    state: Option<State>,
    attempts: u32,
    crashes: u32,
    holder: Option<ClaimToken>,
    is_later: bool,
}

impl Row {
    fn can_be_taken(&self) -> bool {
        self.state.as_ref().is_some_and(|state| !state.has_settled()) && self.holder.is_none() && !self.is_later
    }

    /// Whether the outcome is written.
    fn settle(&mut self, token: &ClaimToken, outcome: &Outcome) -> bool {
        if self.holder.as_ref() != Some(token) {
            return false;
        }
        let Ok(after) = State::after(self.state.clone(), Transition::Settle(outcome.clone())) else { return false };
        self.state = Some(after);
        self.crashes += u32::from(outcome.is_crash());
        self.is_later = matches!(outcome, Outcome::Retry { wait, .. } | Outcome::Wait { wait } if *wait == LONG);
        if matches!(outcome, Outcome::HandBack | Outcome::Wait { .. } | Outcome::Move { .. }) {
            self.attempts -= 1;
        }
        if !matches!(outcome, Outcome::Viewable(_)) {
            self.holder = None;
        }
        true
    }
}

struct Walk<'a> {
    store: &'a Database,
    registration: Registration,
    rows: BTreeMap<&'static str, Row>,
    tokens: [ClaimToken; WORKERS],
}

impl Walk<'_> {
    async fn step(&mut self, step: &Step) {
        let version = self.registration.version_id;
        match step {
            Step::Want(preset) => {
                let name = PRESETS[*preset];
                let asked = self.store.ask(version, &wanted(&[name]), Lane::Normal).await.unwrap();
                let row = self.rows.entry(name).or_default();
                assert_eq!(asked.started, u32::from(row.state.is_none()));
                row.state = State::after(row.state.take(), Transition::Want).ok();
            }
            Step::Claim { worker } => self.claim(*worker).await,
            Step::Settle { worker, preset: index, outcome } => {
                let name = PRESETS[*index];
                let outcomes = [(preset(name), outcome.clone())];
                let written = self.store.settle(version, &self.tokens[*worker], &outcomes).await.unwrap();
                let expected = self.rows.entry(name).or_default().settle(&self.tokens[*worker], outcome);
                assert_eq!(written.len(), usize::from(expected));
            }
            Step::Expire { worker } => {
                self.extend(*worker, Duration::ZERO).await;
                let token = &self.tokens[*worker];
                self.rows
                    .values_mut()
                    .filter(|row| row.holder.as_ref() == Some(token))
                    .for_each(|row| row.holder = None);
            }
            Step::Extend { worker } => self.extend(*worker, LONG).await,
        }
    }

    /// Every claim has a token of its own, so a worker forgets what it held before.
    async fn claim(&mut self, worker: usize) {
        self.tokens[worker] = token();
        let claim = self.store.claim(self.registration.version_id, &self.tokens[worker], LONG).await.unwrap();
        let mut taken: Vec<String> = claim.into_iter().flat_map(|claim| claim.presets).map(String::from).collect();
        taken.sort();
        let mut expected = Vec::new();
        for (name, row) in self.rows.iter_mut().filter(|(_, row)| row.can_be_taken()) {
            expected.push((*name).to_owned());
            row.holder = Some(self.tokens[worker].clone());
            row.attempts += 1;
        }
        expected.sort();
        assert_eq!(taken, expected);
    }

    async fn extend(&mut self, worker: usize, lease: Duration) {
        let token = &self.tokens[worker];
        let holds_any = self.rows.values().any(|row| row.holder.as_ref() == Some(token));
        assert_eq!(self.store.extend(token, lease).await.unwrap(), holds_any);
    }

    async fn compare(&self) {
        let found = stands(self.store, &self.registration).await;
        for name in PRESETS {
            let expected = self.rows.get(name).cloned().unwrap_or_default();
            let row = found.representation(&preset(name));
            assert_eq!(row.map(|row| &row.state), expected.state.as_ref(), "{name}");
            if let Some(row) = row {
                assert_eq!((row.attempts, row.crashes), (expected.attempts, expected.crashes), "{name}");
                assert_eq!(row.settled_at.is_some(), row.state.has_settled(), "{name}");
            }
        }
    }
}

async fn walk(store: &Database, steps: &[Step]) {
    let file = token().as_str().to_owned();
    let new = NewFileVersion { wanted: Vec::new(), ..photo(&file) };
    let registration = registered(store, &new).await;
    let tokens = std::array::from_fn(|_| token());
    let mut walk = Walk { store, registration, rows: BTreeMap::new(), tokens };
    for step in steps {
        walk.step(step).await;
        walk.compare().await;
    }
}

pub(super) async fn any_walk_ends_where_the_state_machine_says(Store { store, .. }: Store) {
    let runtime = tokio::runtime::Handle::current();
    let config = Config { cases: WALKS, failure_persistence: None, ..Config::default() };
    tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&proptest::collection::vec(any_step(), 1..60), |steps| {
            runtime.block_on(walk(&store, &steps));
            Ok(())
        })
    })
    .unwrap();
}
