//! Files by what they belong to: names, places, lists and versions.

use adapters::db::Database;
use futures_util::future::join_all;
use shared::domain::file::{ByteFacts, Condition, NewFileVersion, VersionIdentity};
use shared::domain::ids::FileId;
use shared::ports::file_store::{Change, FileStore, Listing, ListingKey, Parent};
use shared::ports::state_store::{Refusal, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

/// An upload into a folder, whose name nobody else there may have.
fn upload(folder: &str, name: &str) -> NewFileVersion {
    NewFileVersion {
        file_identity: format!("upload:{}", token().as_str()),
        name: name.to_owned(),
        parent: Some(folder.to_owned()),
        condition: Condition::NewName,
        ..photo(name)
    }
}

fn parent(id: &str) -> Parent {
    Parent { tenant: Some("acme".parse().unwrap()), id: id.to_owned() }
}

async fn is_in_use(store: &Database, new: &NewFileVersion) -> bool {
    match store.register(new).await {
        Ok(_) => false,
        Err(StoreError::Refused(Refusal::NameInUse)) => true,
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn a_name_belongs_to_one_file_of_its_parent(Store { store, .. }: Store) {
    let first = registered(&store, &upload("7", "Übersicht.PNG")).await;
    assert!(is_in_use(&store, &upload("7", "übersicht.png")).await);
    assert!(!is_in_use(&store, &upload("8", "Übersicht.PNG")).await);
    let elsewhere = NewFileVersion { tenant: "other".parse().unwrap(), ..upload("7", "Übersicht.PNG") };
    assert!(!is_in_use(&store, &elsewhere).await);
    let found = store.file_named(&parent("7"), "ÜBERSICHT.png").await.unwrap().unwrap();
    assert_eq!((found.file.id, found.file.name.as_str()), (first.file_id, "Übersicht.PNG"));
    assert_eq!(store.file_named(&parent("7"), "other").await.unwrap(), None);
    let announced = NewFileVersion { parent: Some("7".to_owned()), ..photo("announced.jpg") };
    registered(&store, &announced).await;
    assert!(is_in_use(&store, &upload("7", "ANNOUNCED.jpg")).await, "names of events count");
    let again = NewFileVersion { file_identity: "s3://photos/copy".to_owned(), ..announced };
    registered(&store, &again).await;
}

pub(super) async fn of_ten_at_once_one_gets_the_name(Store { store, .. }: Store) {
    for round in 0..5 {
        let name = format!("{round}.jpg");
        let uploads: Vec<_> = (0..10).map(|_| upload("7", &name)).collect();
        let refused = join_all(uploads.iter().map(|new| is_in_use(&store, new))).await;
        assert_eq!(refused.iter().filter(|refused| !**refused).count(), 1, "{refused:?}");
    }
    assert_eq!(store.count_of(&parent("7")).await.unwrap(), 5);
}

pub(super) async fn a_name_is_free_while_its_file_is_in_the_trash(Store { store, .. }: Store) {
    let first = registered(&store, &upload("7", "a.jpg")).await;
    store.change(first.file_id, &Change::Trash, None).await.unwrap();
    let second = registered(&store, &upload("7", "A.jpg")).await;
    let restored = store.change(first.file_id, &Change::Restore, None).await;
    assert!(matches!(restored, Err(StoreError::Refused(Refusal::NameInUse))), "{restored:?}");
    assert!(stands(&store, &first).await.file.trashed_at.is_some());
    let place = Change::Place { name: Some("b.jpg".to_owned()), parent: None };
    store.change(second.file_id, &place, None).await.unwrap();
    store.change(first.file_id, &Change::Restore, None).await.unwrap();
}

pub(super) async fn a_further_version_wants_its_file_there(Store { store, .. }: Store) {
    let new = upload("7", "a.jpg");
    let first = registered(&store, &new).await;
    let further = |number: u32, revision| NewFileVersion {
        version_identity: VersionIdentity::Named(format!("upload:{number}")),
        condition: Condition::Existing { revision },
        ..new.clone()
    };
    let second = registered(&store, &further(2, Some(0))).await;
    assert!(second.is_current && second.file_id == first.file_id);
    let stale = store.register(&further(3, Some(0))).await;
    assert!(matches!(stale, Err(StoreError::Refused(Refusal::RevisionDiffers))), "{stale:?}");
    registered(&store, &further(4, None)).await;
    registered(&store, &upload("7", "b.jpg")).await;
    let renamed = store.register(&NewFileVersion { name: "B.jpg".to_owned(), ..further(5, None) }).await;
    assert!(matches!(renamed, Err(StoreError::Refused(Refusal::NameInUse))), "{renamed:?}");
    assert_eq!(store.versions(first.file_id, None, 10).await.unwrap().len(), 3, "what was refused left nothing");

    store.change(first.file_id, &Change::Trash, None).await.unwrap();
    let trashed = store.register(&further(6, None)).await;
    assert!(matches!(trashed, Err(StoreError::Refused(Refusal::Trashed))), "{trashed:?}");
    store.change(first.file_id, &Change::Purge, None).await.unwrap();
    assert!(matches!(store.register(&further(7, None)).await, Err(StoreError::NotFound)));
    let unknown = NewFileVersion { file_identity: "upload:unknown".to_owned(), ..further(8, None) };
    assert!(matches!(store.register(&unknown).await, Err(StoreError::NotFound)));
    assert_eq!(store.file_by_identity(&unknown.tenant, &unknown.file_identity).await.unwrap(), None);
}

pub(super) async fn files_are_renamed_and_moved(Store { store, .. }: Store) {
    let a = registered(&store, &upload("7", "a.jpg")).await;
    let b = registered(&store, &upload("7", "b.jpg")).await;
    registered(&store, &upload("8", "b.jpg")).await;
    let place = |name: Option<&str>, parent: Option<&str>| Change::Place {
        name: name.map(str::to_owned),
        parent: parent.map(str::to_owned),
    };
    for taken in [place(Some("B.jpg"), None), place(Some("b.jpg"), Some("8"))] {
        let refused = store.change(a.file_id, &taken, None).await;
        assert!(matches!(refused, Err(StoreError::Refused(Refusal::NameInUse))), "{taken:?}: {refused:?}");
    }
    store.change(b.file_id, &place(Some("B.JPG"), None), Some(0)).await.unwrap();
    store.change(a.file_id, &place(None, Some("8")), None).await.unwrap();
    let moved = stands(&store, &a).await.file;
    assert_eq!((moved.name.as_str(), moved.parent.as_deref(), moved.revision), ("a.jpg", Some("8"), 1));
    assert_eq!(stands(&store, &b).await.file.name, "B.JPG");
    assert_eq!(store.count_of(&parent("8")).await.unwrap(), 2);
    registered(&store, &upload("7", "a.jpg")).await;
}

/// Pages through a listing and returns the names.
async fn listed(store: &Database, by: ListingKey, descending: bool, limit: u32) -> Vec<String> {
    let mut names = Vec::new();
    let mut after: Option<FileId> = None;
    loop {
        let listing = Listing { parent: parent("7"), by, descending, after, offset: 0, limit };
        let page = store.files_of(&listing).await.unwrap();
        assert!(page.len() <= limit as usize && page.iter().all(|state| !state.representations.is_empty()));
        let Some(last) = page.last() else { return names };
        after = Some(last.file.id);
        names.extend(page.into_iter().map(|state| state.file.name));
    }
}

pub(super) async fn files_of_a_parent_come_in_order_and_in_pages(Store { store, .. }: Store) {
    for (name, length_bytes) in [("b", 30), ("A", 20), ("c", 20), ("ä", 10)] {
        let counted = ByteFacts { length_bytes, ..bytes(name) };
        registered(&store, &NewFileVersion { bytes: Some(counted), ..upload("7", name) }).await;
    }
    let trashed = registered(&store, &upload("7", "trashed")).await;
    store.change(trashed.file_id, &Change::Trash, None).await.unwrap();
    registered(&store, &upload("8", "elsewhere")).await;
    registered(&store, &NewFileVersion { tenant: "other".parse().unwrap(), ..upload("7", "theirs") }).await;
    for limit in [1, 2, 10] {
        for (by, expected) in [
            (ListingKey::Id, ["b", "A", "c", "ä"]),
            (ListingKey::ModifiedAt, ["b", "A", "c", "ä"]),
            (ListingKey::Name, ["A", "b", "c", "ä"]),
            (ListingKey::Length, ["ä", "A", "c", "b"]),
        ] {
            assert_eq!(listed(&store, by, false, limit).await, expected, "{by:?} in pages of {limit}");
            let reversed: Vec<_> = expected.into_iter().rev().collect();
            assert_eq!(listed(&store, by, true, limit).await, reversed, "{by:?} in pages of {limit}");
        }
    }
    let by = ListingKey::Name;
    let offset = Listing { parent: parent("7"), by, descending: false, after: None, offset: 1, limit: 2 };
    let page = store.files_of(&offset).await.unwrap();
    assert_eq!(page.iter().map(|state| state.file.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(store.count_of(&parent("7")).await.unwrap(), 4);
    let everybody = Parent { tenant: None, ..parent("7") };
    assert_eq!(store.count_of(&everybody).await.unwrap(), 5);
}

pub(super) async fn files_without_a_parent_are_the_roots(Store { store, .. }: Store) {
    registered(&store, &NewFileVersion { parent: None, ..photo("nowhere.jpg") }).await;
    registered(&store, &upload(Parent::ROOT, "root.jpg")).await;
    assert_eq!(store.count_of(&parent(Parent::ROOT)).await.unwrap(), 2);
    assert!(is_in_use(&store, &NewFileVersion { parent: None, ..upload("", "ROOT.jpg") }).await);
}

pub(super) async fn versions_come_newest_first_and_in_pages(Store { store, .. }: Store) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let registration = registered(&store, &version_of("beach.jpg", &format!("etag:{number}"))).await;
        ids.insert(0, registration);
    }
    registered(&store, &photo("other.jpg")).await;
    let mut found = Vec::new();
    for expected in [2, 2, 1, 0] {
        let before = found.last().copied();
        let page = store.versions(ids[0].file_id, before, 2).await.unwrap();
        assert_eq!(page.len(), expected);
        found.extend(page.into_iter().map(|state| state.version.id));
    }
    assert_eq!(found, ids.iter().map(|registration| registration.version_id).collect::<Vec<_>>());
}
