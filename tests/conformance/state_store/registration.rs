//! Registering file versions.

use futures_util::future::join_all;
use shared::domain::blob_key::BlobKey;
use shared::domain::file::{NewAccess, NewFileVersion, VersionIdentity, VersionOrder};
use shared::domain::representation::State;
use shared::domain::source::SourceLocation;
use shared::ports::state_store::{StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

pub(super) async fn a_new_version_reads_back_as_it_was_registered(Store { store, .. }: Store) {
    let new = photo("beach.jpg");
    let registration = registered(&store, &new).await;
    assert!(registration.is_current);

    let found = store.file(registration.file_id).await.unwrap().unwrap();
    let (file, version) = (&found.file, &found.version);
    assert_eq!((file.id, file.current_version), (registration.file_id, registration.version_id));
    assert_eq!((&file.tenant, &file.identity, &file.name), (&new.tenant, &new.file_identity, &new.name));
    assert_eq!((&file.parent, file.access.as_ref(), file.generation), (&new.parent, new.access.of_new_file(), 0));
    assert_eq!((version.id, version.file_id), (registration.version_id, registration.file_id));
    assert_eq!((&version.identity, &version.source), (&new.version_identity, &new.source));
    assert_eq!((&version.name, &version.declared), (&new.name, &new.declared));
    assert_eq!((&version.sha1, version.bytes, version.picture), (&None, None, None));
    assert_eq!(file.modified_at, version.created_at);
    assert!(file.created_at > 1_700_000_000_000, "times are milliseconds since 1970");

    assert_eq!(found.representations.len(), new.wanted.len());
    for wanted in &new.wanted {
        let row = found.representation(&wanted.preset).unwrap();
        assert_eq!((&row.state, &row.recipe), (&State::Pending, &wanted.recipe));
        assert_eq!((row.attempts, row.crashes, &row.last_failure), (0, 0, &None));
        assert!(row.pending_since >= version.created_at && row.settled_at.is_none());
    }
}

pub(super) async fn an_upload_reads_back_as_it_was_registered(Store { store, .. }: Store) {
    let counted = bytes("the bytes of an upload");
    let new = NewFileVersion {
        version_identity: VersionIdentity::ByDigest(Some(counted.sha256)),
        source: SourceLocation::Uploaded(BlobKey::Source { tenant: "acme".parse().unwrap(), digest: counted.sha256 }),
        sha1: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
        bytes: Some(counted),
        parent: None,
        access: NewAccess::Default(None),
        ..photo("upload.jpg")
    };
    let found = stands(&store, &registered(&store, &new).await).await;
    assert_eq!((found.file.parent, found.file.access), (None, None));
    assert_eq!((found.version.identity, found.version.source), (new.version_identity, new.source));
    assert_eq!((found.version.sha1, found.version.bytes), (new.sha1, new.bytes));
}

pub(super) async fn the_same_version_again_changes_nothing(Store { store, .. }: Store) {
    let first = registered(&store, &photo("beach.jpg")).await;
    let before = stands(&store, &first).await;
    let again = NewFileVersion {
        name: "another name".to_owned(),
        access: NewAccess::Default(None),
        wanted: wanted(&[LARGE]),
        ..photo("beach.jpg")
    };
    let second = store.register(&again).await.unwrap();
    assert!(!second.is_new && second.is_current);
    assert_eq!((second.file_id, second.version_id), (first.file_id, first.version_id));
    assert_eq!(stands(&store, &first).await, before);
}

pub(super) async fn ten_identical_registrations_at_once_make_one_version(Store { store, .. }: Store) {
    for round in 0..5 {
        let new = photo(&format!("{round}.jpg"));
        let all = join_all((0..10).map(|_| store.register(&new))).await;
        let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!(all.iter().filter(|registration| registration.is_new).count(), 1);
        assert!(all.iter().all(|registration| registration.is_current));
        assert!(all.iter().all(|registration| registration.version_id == all[0].version_id));
        let found = stands(&store, &all[0]).await;
        assert_eq!((found.representations.len(), found.file.generation), (new.wanted.len(), 0));
    }
}

pub(super) async fn the_newer_of_two_racing_versions_is_current(Store { store, .. }: Store) {
    for round in 0..10 {
        let key = format!("{round}.jpg");
        let (older, newer) = (sequenced(&key, "99"), sequenced(&key, "100"));
        let (older, newer) = if round % 2 == 0 {
            tokio::join!(store.register(&older), store.register(&newer))
        } else {
            let (newer, older) = tokio::join!(store.register(&newer), store.register(&older));
            (older, newer)
        };
        let (older, newer) = (older.unwrap(), newer.unwrap());
        assert_eq!(older.file_id, newer.file_id);
        assert!(newer.is_current);
        let found = store.file(newer.file_id).await.unwrap().unwrap();
        assert_eq!(found.version.id, newer.version_id);
    }
}

pub(super) async fn an_older_version_that_arrives_late_does_not_become_current(Store { store, .. }: Store) {
    let occurred = |at, name: &str| NewFileVersion {
        order: VersionOrder { sequence: None, occurred_at: Some(at) },
        name: format!("named by {name}"),
        ..version_of("beach.jpg", name)
    };
    let newer = registered(&store, &occurred(2_000, "b")).await;
    let before = stands(&store, &newer).await;
    let older = registered(&store, &occurred(1_000, "a")).await;
    assert!(newer.is_current && !older.is_current);
    assert_eq!(store.file(newer.file_id).await.unwrap().unwrap(), before, "the file shows the newer one as before");
    assert_eq!(stands(&store, &older).await.representations.len(), 2, "the older one is rendered all the same");
    assert!(!store.register(&occurred(1_000, "a")).await.unwrap().is_current);
}

pub(super) async fn without_an_order_the_last_to_arrive_is_current(Store { store, .. }: Store) {
    for generation in 0..3 {
        let name = format!("name {generation}.jpg");
        let new = NewFileVersion { name: name.clone(), ..version_of("beach.jpg", &format!("etag:{generation}")) };
        let registration = registered(&store, &new).await;
        assert!(registration.is_current);
        let found = store.file(registration.file_id).await.unwrap().unwrap();
        assert_eq!((found.version.id, found.file.generation), (registration.version_id, generation));
        assert_eq!((found.file.name, found.file.modified_at), (name, found.version.created_at));
    }
}

pub(super) async fn a_file_has_at_most_one_version_that_nobody_named(Store { store, .. }: Store) {
    let first = registered(&store, &nameless("beach.jpg", None)).await;
    let second = store.register(&nameless("beach.jpg", None)).await.unwrap();
    assert!(!second.is_new);
    assert_eq!(second.version_id, first.version_id);
    assert_eq!(stands(&store, &first).await.version.identity, VersionIdentity::ByDigest(None));
}

pub(super) async fn tenants_do_not_share_files(Store { store, .. }: Store) {
    let ours = registered(&store, &photo("beach.jpg")).await;
    let other = NewFileVersion { tenant: "other".parse().unwrap(), ..photo("beach.jpg") };
    let theirs = registered(&store, &other).await;
    assert_ne!(ours.file_id, theirs.file_id);
    let found = store.file_by_identity(&other.tenant, &other.file_identity).await.unwrap().unwrap();
    assert_eq!(found.file.id, theirs.file_id);
}

pub(super) async fn rows_are_made_all_or_none(place: Store) {
    let store = &place.store;
    place.tamper("ALTER TABLE representation RENAME TO gone").await;
    assert!(matches!(store.register(&photo("beach.jpg")).await, Err(StoreError::Away(_))));
    place.tamper("ALTER TABLE gone RENAME TO representation").await;
    assert_eq!(store.recent(None, 10).await.unwrap(), []);
    assert!(store.register(&photo("beach.jpg")).await.unwrap().is_new, "nothing was left half made");
}

pub(super) async fn a_version_may_want_nothing(Store { store, .. }: Store) {
    let new = NewFileVersion { wanted: Vec::new(), ..photo("beach.jpg") };
    let registration = registered(&store, &new).await;
    assert_eq!(stands(&store, &registration).await.representations, []);
}

pub(super) async fn a_nul_in_text_does_no_harm(Store { store, .. }: Store) {
    let new = NewFileVersion { parent: Some("\0".to_owned()), ..version_of("be\0ach.jpg", "etag:\0") };
    let registration = registered(&store, &new).await;
    assert!(!store.register(&new).await.unwrap().is_new);
    let found = store.file_by_identity(&new.tenant, &new.file_identity).await.unwrap().unwrap();
    assert_eq!((found.file.id, found.file.name.as_str()), (registration.file_id, "be\u{fffd}ach.jpg"));
}
