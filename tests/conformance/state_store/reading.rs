//! Reading files, and counting rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adapters::db::Database;
use shared::domain::failure::FailureCode;
use shared::domain::file::NewFileVersion;
use shared::domain::ids::{FileId, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::representation::{Outcome, State};
use shared::ports::access_store::AccessStore as _;
use shared::ports::file_store::{Change, FileStore};
use shared::ports::state_store::{CensusLine, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn every_way_to_a_file_shows_the_same(Store { store, .. }: Store) {
    let new = photo("scan.tiff");
    let registration = registered(&store, &new).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 3))).await;
    let found = stands(&store, &registration).await;
    assert_eq!(store.file(registration.file_id).await.unwrap().as_ref(), Some(&found));
    let by_identity = store.file_by_identity(&new.tenant, &new.file_identity).await.unwrap();
    assert_eq!(by_identity.as_ref(), Some(&found));
    assert_eq!(store.recent(None, 10).await.unwrap(), [found]);
    assert_eq!(store.file_by_identity(&new.tenant, "s3://photos/other.jpg").await.unwrap(), None);
    assert_eq!(store.file(FileId::new(4711).unwrap()).await.unwrap(), None);
}

pub(super) async fn files_are_found_by_their_source_whatever_they_are_called(Store { store, .. }: Store) {
    let by_place = registered(&store, &photo("beach.jpg")).await;
    let named = NewFileVersion { file_identity: "id:asset-7".to_owned(), ..photo("beach.jpg") };
    let by_name = registered(&store, &named).await;
    registered(&store, &NewFileVersion { tenant: "other".parse().unwrap(), ..photo("beach.jpg") }).await;
    let trashed =
        registered(&store, &NewFileVersion { file_identity: "id:gone".to_owned(), ..photo("beach.jpg") }).await;
    store.change(trashed.file_id, &Change::Trash, None).await.unwrap();
    let found = async |key: &str, limit| {
        let found = store.files_by_source(&named.tenant, "photos", key, limit).await.unwrap();
        found.into_iter().map(|state| state.file.id).collect::<Vec<_>>()
    };
    assert_eq!(found("beach.jpg", 10).await, [by_name.file_id, by_place.file_id]);
    assert_eq!(found("beach.jpg", 1).await, [by_name.file_id]);
    assert_eq!(found("other.jpg", 10).await, []);
    // A newer version lies elsewhere: that is where the file is found now.
    let moved = NewFileVersion { file_identity: "id:asset-7".to_owned(), ..version_of("moved.jpg", "etag:2") };
    registered(&store, &moved).await;
    assert_eq!(found("beach.jpg", 10).await, [by_place.file_id]);
    assert_eq!(found("moved.jpg", 10).await, [by_name.file_id]);
}

pub(super) async fn versions_belong_to_their_file(Store { store, .. }: Store) {
    let first = registered(&store, &version_of("a.jpg", "etag:1")).await;
    let second = registered(&store, &version_of("a.jpg", "etag:2")).await;
    let other = registered(&store, &photo("b.jpg")).await;
    let old = stands(&store, &first).await;
    assert_eq!((old.version.id, old.file.current_version), (first.version_id, second.version_id));
    assert_eq!(store.version(other.file_id, first.version_id).await.unwrap(), None);
    assert_eq!(store.version(first.file_id, FileVersionId::new(4711).unwrap()).await.unwrap(), None);
}

/// More at once than one query reads: whatever the store does about that must not show.
pub(super) async fn a_crowd_of_readers_is_shown_each_its_own(Store { store, .. }: Store) {
    let mut registrations = Vec::new();
    for number in 0..20 {
        let key = format!("{number}.jpg");
        registrations.push((registered(&store, &version_of(&key, "etag:1")).await, number));
        registrations.push((registered(&store, &version_of(&key, "etag:2")).await, number));
    }
    let missing = FileId::new(4711).unwrap();
    let reads = (0..5).flat_map(|_| &registrations).map(|(registration, number)| {
        let (store, file, version, name) =
            (store.clone(), registration.file_id, registration.version_id, format!("{number}.jpg"));
        tokio::spawn(async move {
            let named = store.version(file, version).await.unwrap().unwrap();
            assert_eq!((named.file.id, named.version.id, &named.file.name), (file, version, &name));
            let current = store.file(file).await.unwrap().unwrap();
            assert_eq!((current.file.id, &current.file.name), (file, &name));
            assert_eq!(current.version.id, current.file.current_version);
            assert!(named.representations.len() == 2 && current.representations.len() == 2);
            for (preset, rows) in [(SMALL, 1), (MEDIUM, 1), (LARGE, 0)] {
                let only = store.version_with(file, version, &super::fixtures::preset(preset)).await.unwrap().unwrap();
                assert_eq!((only.version.id, only.representations.len()), (version, rows));
                assert!(only.representations.iter().all(|row| row.preset.as_str() == preset));
                assert_eq!(only.representations.first(), named.representation(&super::fixtures::preset(preset)));
            }
            assert_eq!(store.version_with(missing, version, &super::fixtures::preset(SMALL)).await.unwrap(), None);
            assert_eq!(store.version(missing, version).await.unwrap(), None);
            assert_eq!(store.file(missing).await.unwrap(), None);
        })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }
}

pub(super) async fn a_read_shows_what_was_written_before_it_whoever_else_reads(Store { store, .. }: Store) {
    let file = registered(&store, &photo("a.jpg")).await.file_id;
    let done = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..8)
        .map(|_| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    store.file(file).await.unwrap();
                }
            })
        })
        .collect();
    for number in 0..50 {
        let rules = access(&format!(r#"[["user:{number}"]]"#));
        store.set_access(file, Some(&rules)).await.unwrap();
        let shown = store.file(file).await.unwrap().unwrap().file.access;
        assert_eq!(shown, Some(rules));
    }
    done.store(true, Ordering::Relaxed);
    for reader in crowd {
        reader.await.unwrap();
    }
}

/// Whatever a store keeps of what it has read, it may not outlive what others commit.
pub(super) async fn a_read_shows_what_another_process_has_written(Store { store, config }: Store) {
    let other = Database::connect(&config).await.unwrap();
    let first = registered(&other, &version_of("a.jpg", "etag:1")).await;
    let (file, version, small) = (first.file_id, first.version_id, super::fixtures::preset(SMALL));
    let shown = async || {
        let asked = (0..4).map(|_| store.file(file));
        let of_all = futures_util::future::try_join_all(asked).await.unwrap();
        let only = (0..4).map(|_| store.version_with(file, version, &small));
        let rows = futures_util::future::try_join_all(only).await.unwrap();
        assert!(of_all.iter().all(|state| *state == of_all[0]) && rows.iter().all(|state| *state == rows[0]));
        (of_all[0].clone().unwrap(), rows[0].clone().unwrap())
    };
    for number in 0..25 {
        let rules = access(&format!(r#"[["user:{number}"]]"#));
        other.set_access(file, Some(&rules)).await.unwrap();
        let (state, row) = shown().await;
        assert_eq!((state.file.access.as_ref(), row.file.access.as_ref()), (Some(&rules), Some(&rules)));
        assert_eq!(shown().await, (state, row), "nothing has changed");
    }
    let token = claimed(&other, &first).await;
    settled(&other, &first, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    let (state, row) = shown().await;
    assert_eq!(state.representation(&small), row.representation(&small));
    assert!(matches!(row.representations[0].state, State::Success(_)), "{row:?}");
    let second = registered(&other, &version_of("a.jpg", "etag:2")).await;
    assert_eq!(shown().await.0.version.id, second.version_id);
    other.change(file, &Change::Trash, None).await.unwrap();
    let (state, row) = shown().await;
    assert!(state.file.trashed_at.is_some() && row.file.trashed_at.is_some());
    other.close().await.unwrap();
}

pub(super) async fn recent_files_come_newest_first_and_in_pages(Store { store, .. }: Store) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let key = format!("{number}.jpg");
        ids.insert(0, registered(&store, &photo(&key)).await.file_id);
        registered(&store, &version_of(&key, "etag:2")).await;
    }
    let mut found = Vec::new();
    for expected in [2, 2, 1, 0] {
        let page = store.recent(found.last().copied(), 2).await.unwrap();
        assert_eq!(page.len(), expected);
        assert!(page.iter().all(|state| state.version.id == state.file.current_version));
        assert!(page.iter().all(|state| state.representations.len() == 2));
        found.extend(page.into_iter().map(|state| state.file.id));
    }
    assert_eq!(found, ids);
}

pub(super) async fn the_backlog_lists_every_lane(Store { store, .. }: Store) {
    let empty = store.backlog().await.unwrap();
    assert_eq!(empty.iter().map(|line| line.lane).collect::<Vec<_>>(), Lane::ALL);
    assert!(empty.iter().all(|line| line.pending == 0 && line.oldest == Duration::ZERO));

    let registration = registered(&store, &photo("a.jpg")).await;
    let token = claimed(&store, &registration).await;
    settled(&store, &registration, &token, &[SMALL], &Outcome::Viewable(content(1, 1))).await;
    registered(&store, &NewFileVersion { lane: Lane::Heavy, ..photo("b.jpg") }).await;
    let done = registered(&store, &photo("c.jpg")).await;
    let token = claimed(&store, &done).await;
    settled(&store, &done, &token, &[SMALL, MEDIUM], &Outcome::Success(content(1, 1))).await;

    let counts: BTreeMap<Lane, u64> =
        store.backlog().await.unwrap().into_iter().map(|line| (line.lane, line.pending)).collect();
    let expected = [(Lane::Interactive, 0), (Lane::Normal, 2), (Lane::Heavy, 2), (Lane::Backfill, 0)];
    assert_eq!(counts, BTreeMap::from(expected));
    let aged = || async {
        let lines = store.backlog().await.unwrap();
        lines.into_iter().find(|line| line.lane == Lane::Heavy && line.oldest >= Duration::from_millis(20))
    };
    eventually("the oldest grows older", aged).await;
}

pub(super) async fn the_census_counts_rows_by_state_and_code(Store { store, .. }: Store) {
    assert_eq!(store.census().await.unwrap(), []);
    for (key, outcome) in [
        ("a.jpg", retry(LONG, false)),
        ("b.jpg", Outcome::Success(content(1, 1))),
        ("c.jpg", Outcome::Viewable(content(1, 1))),
        ("d.jpg", Outcome::Error(failure(FailureCode::CorruptSource))),
        ("e.jpg", Outcome::Error(failure(FailureCode::CorruptSource))),
        ("f.jpg", Outcome::Error(failure(FailureCode::ZeroBytes))),
    ] {
        let registration = registered(&store, &photo(key)).await;
        let token = claimed(&store, &registration).await;
        settled(&store, &registration, &token, &[SMALL, MEDIUM], &outcome).await;
    }
    let line = |state: &str, code: Option<&str>, rows| CensusLine {
        state: state.to_owned(),
        code: code.map(str::to_owned),
        rows,
    };
    let mut census = store.census().await.unwrap();
    census.sort_by_key(|line| (line.state.clone(), line.code.clone()));
    assert_eq!(
        census,
        [
            line("error", Some("corrupt_source"), 4),
            line("error", Some("zero_bytes"), 2),
            line("pending", None, 2),
            line("success", None, 2),
            line("viewable", None, 2),
        ]
    );
}

pub(super) async fn an_impossible_row_names_table_column_and_row(place: Store) {
    let store = &place.store;
    for (sql, table, column) in [
        ("UPDATE representation SET blob = 'x' WHERE state = 'success'", "representation", "blob"),
        ("UPDATE representation SET packed_name = 'x' WHERE state = 'success'", "representation", "packed_name"),
        ("UPDATE file_version SET format = 'papyrus'", "file_version", "format"),
        ("UPDATE file SET access = '[[1]]'", "file", "access"),
    ] {
        let registration = registered(store, &photo(column)).await;
        let token = claimed(store, &registration).await;
        settled(store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
        place.tamper(sql).await;
        let expected = match table {
            "file" => registration.file_id.to_string(),
            "file_version" => registration.version_id.to_string(),
            _ => format!("{}/{SMALL}", registration.version_id),
        };
        match store.file(registration.file_id).await {
            Err(StoreError::Inconsistent { table: t, column: c, id, .. }) => {
                assert_eq!((t, c, id), (table, column, expected));
            }
            other => panic!("{sql}: {other:?}"),
        }
        place.tamper("DELETE FROM representation").await;
        place.tamper("DELETE FROM file_version").await;
    }
}

pub(super) async fn missing_pages_are_noticed(place: Store) {
    let store = &place.store;
    for (key, gone, column) in [("a.tiff", 3, "pages"), ("b.tiff", 2, "number")] {
        let registration = registered(store, &photo(key)).await;
        let token = claimed(store, &registration).await;
        settled(store, &registration, &token, &[SMALL], &Outcome::Success(content(1, 3))).await;
        place.tamper(&format!("DELETE FROM page WHERE number = {gone}")).await;
        match store.file(registration.file_id).await {
            Err(StoreError::Inconsistent { column: found, .. }) => assert_eq!(found, column),
            other => panic!("{key}: {other:?}"),
        }
    }
}

pub(super) async fn what_waits_of_several_versions_is_told_together(Store { store, .. }: Store) {
    let (waiting, done) = (registered(&store, &photo("a.jpg")).await, registered(&store, &photo("b.jpg")).await);
    let token = claimed(&store, &done).await;
    settled(&store, &done, &token, &[SMALL], &Outcome::Success(content(1, 1))).await;
    let both = [waiting.version_id, done.version_id];
    let unsettled = async || {
        let mut versions = store.unsettled(&both).await.unwrap();
        versions.sort_unstable();
        versions
    };
    assert_eq!(unsettled().await, both, "one row of the second still waits");
    settled(&store, &done, &token, &[MEDIUM], &Outcome::Error(failure(FailureCode::CorruptSource))).await;
    assert_eq!(unsettled().await, [waiting.version_id]);
    assert_eq!(store.unsettled(&[]).await.unwrap(), []);
}
