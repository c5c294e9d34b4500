//! Migrations, and opening a database that is not as expected.

use adapters::db::{Database, SchemaMismatch};
use futures_util::future::join_all;
use shared::ports::state_store::{StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn an_empty_database_says_what_to_run(Store { store, .. }: Store) {
    store.migrate_down().await.unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(error.to_string().starts_with("the schema is not the expected one"), "{error}");
    assert!(error.to_string().contains("run `thumbline migrate`"), "{error}");
    let StoreError::Schema(source) = error else { panic!("{error:?}") };
    assert!(matches!(source.downcast_ref(), Some(SchemaMismatch::Behind { pending }) if !pending.is_empty()));
    store.migrate().await.unwrap();
    store.ping().await.unwrap();
}

pub(super) async fn a_newer_schema_is_refused(place: Store) {
    place.tamper("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)").await;
    for refused in [place.store.ping().await, place.store.migrate().await] {
        let Err(StoreError::Schema(source)) = refused else { panic!("{refused:?}") };
        assert!(matches!(source.downcast_ref(), Some(SchemaMismatch::Unknown(_))), "{source}");
        assert!(source.to_string().contains("update this program"), "{source}");
    }
}

pub(super) async fn opening_and_migrating_twice_changes_nothing(place: Store) {
    let registration = registered(&place.store, &photo("beach.jpg")).await;
    let before = stands(&place.store, &registration).await;
    let second = Database::connect(&place.config).await.unwrap();
    second.ping().await.unwrap();
    second.migrate().await.unwrap();
    assert_eq!(second.file(registration.file_id).await.unwrap(), Some(before));
    second.close().await.unwrap();
    place.store.ping().await.unwrap();
}

pub(super) async fn migrations_go_up_down_and_up_again(Store { store, .. }: Store) {
    assert_eq!(store.pending_migrations().await.unwrap(), Vec::<String>::new());
    registered(&store, &photo("beach.jpg")).await;
    store.migrate_down().await.unwrap();
    let pending = store.pending_migrations().await.unwrap();
    assert!(!pending.is_empty());
    assert!(pending.is_sorted(), "they are dated");
    store.migrate().await.unwrap();
    assert_eq!(store.recent(None, 10).await.unwrap(), []);
    registered(&store, &photo("beach.jpg")).await;
}

pub(super) async fn ten_may_migrate_at_once(place: Store) {
    place.store.migrate_down().await.unwrap();
    let open = || Database::connect(&place.config);
    let processes: Vec<_> = join_all((0..10).map(|_| open())).await.into_iter().map(Result::unwrap).collect();
    for migrated in join_all(processes.iter().map(Database::migrate)).await {
        migrated.unwrap();
    }
    place.store.ping().await.unwrap();
    registered(&place.store, &photo("beach.jpg")).await;
    for process in processes {
        process.close().await.unwrap();
    }
}
