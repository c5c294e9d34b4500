//! Many workers, sweepers and clients at once, all on the same few versions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adapters::db::Database;
use futures_util::future::join_all;
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::ids::FileVersionId;
use shared::domain::lane::Lane;
use shared::domain::preset::PresetName;
use shared::domain::representation::Outcome;
use shared::ports::state_store::{Registration, StateStore};
use tokio::task::JoinSet;

use super::fixtures::*;
use super::scratch::Store;

const VERSIONS: usize = 12;
const WORKERS: usize = 6;
/// Longest time that all of it may take.
const DEADLINE: Duration = Duration::from_secs(60);
const PRESETS: [&str; 4] = [SMALL, MEDIUM, LARGE, "jpg_thumb_94x94"];

/// How often success was written, of each row.
type Successes = BTreeMap<(FileVersionId, PresetName), u32>;

pub(super) async fn nobody_gets_in_anybodys_way(Store { store, .. }: Store) {
    let photos: Vec<_> = (0..VERSIONS).map(picture).collect();
    let all: Vec<_> = join_all(photos.iter().map(|new| registered(&store, new))).await;
    let mut workers = JoinSet::new();
    for seed in 0..WORKERS {
        workers.spawn(work(store.clone(), seed));
    }
    let done = AtomicBool::new(false);
    let clients = async {
        while !done.load(Ordering::Relaxed) {
            disturb(&store, &all).await;
        }
    };
    let everything = async {
        let mut successes = Successes::new();
        for counted in workers.join_all().await {
            for (row, times) in counted {
                *successes.entry(row).or_default() += times;
            }
        }
        done.store(true, Ordering::Relaxed);
        successes
    };
    let ends = tokio::time::timeout(DEADLINE, async { tokio::join!(everything, clients) });
    let (successes, ()) = ends.await.expect("everything ends in time");
    assert_eq!(successes.len(), VERSIONS * PRESETS.len());
    assert!(successes.values().all(|times| *times == 1), "{successes:?}");
    let census = store.census().await.unwrap();
    assert_eq!(census.len(), 1, "{census:?}");
    assert_eq!(census[0].rows, successes.len() as u64);
}

fn picture(number: usize) -> NewFileVersion {
    NewFileVersion { wanted: wanted(&PRESETS), ..photo(&format!("{number}.jpg")) }
}

/// Takes what is due until everything has succeeded. Two attempts of three fail in some way.
async fn work(store: Database, seed: usize) -> Successes {
    let mut successes = Successes::new();
    let mut turn = seed;
    while store.backlog().await.unwrap().iter().any(|line| line.pending > 0) {
        for due in store.due(Duration::from_millis(1), 4).await.unwrap() {
            turn += 1;
            attempt(&store, due.version, turn, &mut successes).await;
        }
    }
    successes
}

async fn attempt(store: &Database, version: FileVersionId, turn: usize, successes: &mut Successes) {
    let token = token();
    let Some(claim) = store.claim(version, &token, LONG).await.unwrap() else { return };
    let outcome = match turn % 6 {
        0 => retry(Duration::ZERO, true),
        1 => Outcome::HandBack,
        2 => Outcome::Viewable(content(1, 2)),
        3 => Outcome::Retry { failure: failure(FailureCode::ChildCrashed), wait: Duration::ZERO, excused: false },
        _ => Outcome::Success(content(1, 3)),
    };
    let outcomes: Vec<_> = claim.presets.into_iter().rev().map(|preset| (preset, outcome.clone())).collect();
    let written = store.settle(version, &token, &outcomes).await.unwrap();
    match outcome {
        Outcome::Success(_) => {
            for preset in written {
                *successes.entry((version, preset)).or_default() += 1;
            }
        }
        // As if the worker had died in the middle.
        Outcome::Viewable(_) => drop(store.extend(&token, Duration::ZERO).await.unwrap()),
        Outcome::Error(_) | Outcome::Retry { .. } | Outcome::HandBack | Outcome::Wait { .. } | Outcome::Move { .. } => {
        }
    }
}

/// Clients ask, events come again, the sweeper looks for overdue rows: all at once.
async fn disturb(store: &Database, all: &[Registration]) {
    let overdue = failure(FailureCode::DeadlineExceeded);
    let deadlines = Lane::ALL.map(|lane| (lane, LONG));
    let calls = all.iter().enumerate().map(|(number, registration)| async move {
        let lane = Lane::ALL[number % Lane::ALL.len()];
        store.ask(registration.version_id, &wanted(&PRESETS), lane).await.unwrap();
        let again = store.register(&picture(number)).await.unwrap();
        assert!(!again.is_new);
        assert!(store.file(registration.file_id).await.unwrap().is_some());
    });
    let (_, ended) = tokio::join!(join_all(calls), store.give_up_overdue(&deadlines, &overdue));
    assert_eq!(ended.unwrap(), 0);
}
