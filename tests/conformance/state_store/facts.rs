//! What was learned of a source, and that equal content is one version.

use shared::domain::dimensions::Dimensions;
use shared::domain::file::{PictureFacts, VersionIdentity};
use shared::domain::format::SourceFormat;
use shared::domain::ids::FileVersionId;
use shared::domain::placeholder::{Colour, Placeholder};
use shared::domain::representation::Outcome;
use shared::ports::state_store::{SameContent, StateStore, StoreError};

use super::fixtures::*;
use super::scratch::Store;

fn picture() -> PictureFacts {
    PictureFacts {
        format: SourceFormat::Tiff,
        dimensions: Dimensions::new(4_000, 3_000).unwrap(),
        pages: 7,
        placeholder: Some(Placeholder {
            thumbhash: "1QcSHQRnh493V4dIh4eXh1h4kJUI".parse().unwrap(),
            dominant_color: Colour([0, 127, 255]),
        }),
    }
}

pub(super) async fn bytes_and_picture_read_back(Store { store, .. }: Store) {
    let registration = registered(&store, &photo("beach.jpg")).await;
    let counted = bytes("of the source");
    assert_eq!(store.record_bytes(registration.version_id, counted).await.unwrap(), SameContent::Distinct);
    store.record_picture(registration.version_id, picture()).await.unwrap();
    let found = stands(&store, &registration).await.version;
    assert_eq!((found.bytes, found.picture), (Some(counted), Some(picture())));
    assert_eq!(found.identity, photo("beach.jpg").version_identity, "the producer's name stays");

    let bare = PictureFacts { placeholder: None, ..picture() };
    store.record_picture(registration.version_id, bare).await.unwrap();
    assert_eq!(stands(&store, &registration).await.version.picture, Some(bare));
}

pub(super) async fn unknown_versions_are_not_found(Store { store, .. }: Store) {
    let unknown = FileVersionId::new(4711).unwrap();
    assert!(matches!(store.record_bytes(unknown, bytes("x")).await, Err(StoreError::NotFound)));
    assert!(matches!(store.record_picture(unknown, picture()).await, Err(StoreError::NotFound)));
}

pub(super) async fn a_version_that_nobody_named_is_named_by_its_digest(Store { store, .. }: Store) {
    let first = registered(&store, &nameless("beach.jpg", None)).await;
    let counted = bytes("first");
    for _ in 0..2 {
        let same = store.record_bytes(first.version_id, counted).await.unwrap();
        assert_eq!(same, SameContent::Distinct, "a second attempt counts the same again");
    }
    let identity = VersionIdentity::ByDigest(Some(counted.sha256));
    assert_eq!(stands(&store, &first).await.version.identity, identity);

    let second = registered(&store, &nameless("beach.jpg", None)).await;
    assert_eq!(second.file_id, first.file_id);
    assert_eq!(store.record_bytes(second.version_id, bytes("second")).await.unwrap(), SameContent::Distinct);
    assert_eq!(store.file(first.file_id).await.unwrap().unwrap().version.id, second.version_id);
}

pub(super) async fn equal_content_of_a_version_that_nobody_named_is_one_version(Store { store, .. }: Store) {
    let first = registered(&store, &nameless("beach.jpg", None)).await;
    store.record_bytes(first.version_id, bytes("same")).await.unwrap();
    let second = registered(&store, &nameless("beach.jpg", None)).await;
    let holder = claimed(&store, &second).await;
    settled(&store, &second, &holder, &[MEDIUM], &Outcome::Viewable(content(1, 3))).await;

    let same = store.record_bytes(second.version_id, bytes("same")).await.unwrap();
    assert_eq!(same, SameContent::As(first.version_id));
    assert_eq!(store.version(second.file_id, second.version_id).await.unwrap(), None);
    let file = store.file(first.file_id).await.unwrap().unwrap();
    assert_eq!((file.version.id, file.file.modified_at), (first.version_id, file.version.created_at));

    // The worker that held its rows finds out by itself.
    assert!(!store.extend(&holder, LONG).await.unwrap());
    let late = [(preset(SMALL), Outcome::Success(content(1, 1)))];
    assert_eq!(store.settle(second.version_id, &holder, &late).await.unwrap(), []);
    assert!(matches!(store.record_picture(second.version_id, picture()).await, Err(StoreError::NotFound)));

    let third = registered(&store, &nameless("beach.jpg", None)).await;
    assert!(third.version_id > second.version_id, "the id of the version that is gone is not used again");
}

pub(super) async fn equal_content_leaves_a_newer_current_version_alone(Store { store, .. }: Store) {
    let first = registered(&store, &nameless("beach.jpg", None)).await;
    store.record_bytes(first.version_id, bytes("same")).await.unwrap();
    let second = registered(&store, &nameless("beach.jpg", None)).await;
    let newest = registered(&store, &version_of("beach.jpg", "etag:newest")).await;
    let same = store.record_bytes(second.version_id, bytes("same")).await.unwrap();
    assert_eq!(same, SameContent::As(first.version_id));
    assert_eq!(store.file(first.file_id).await.unwrap().unwrap().version.id, newest.version_id);
}

pub(super) async fn the_version_that_stays_takes_the_place_in_the_order(Store { store, .. }: Store) {
    let first = registered(&store, &nameless("beach.jpg", Some(1_000))).await;
    store.record_bytes(first.version_id, bytes("same")).await.unwrap();
    let latest = registered(&store, &nameless("beach.jpg", Some(3_000))).await;
    store.record_bytes(latest.version_id, bytes("same")).await.unwrap();
    // The same bytes were put there again at 3000: what occurred at 2000 was replaced by them.
    let between = registered(&store, &nameless("beach.jpg", Some(2_000))).await;
    assert!(!between.is_current);
    assert_eq!(store.file(first.file_id).await.unwrap().unwrap().version.id, first.version_id);
}

pub(super) async fn named_versions_with_equal_content_stay_distinct(Store { store, .. }: Store) {
    let first = registered(&store, &version_of("beach.jpg", "etag:1")).await;
    let second = registered(&store, &version_of("beach.jpg", "etag:2")).await;
    for registration in [&first, &second] {
        let same = store.record_bytes(registration.version_id, bytes("same")).await.unwrap();
        assert_eq!(same, SameContent::Distinct);
    }
    let nameless = registered(&store, &nameless("beach.jpg", None)).await;
    let same = store.record_bytes(nameless.version_id, bytes("same")).await.unwrap();
    assert_eq!(same, SameContent::As(second.version_id), "the newest of them");
}

pub(super) async fn content_is_compared_within_a_file_only(Store { store, .. }: Store) {
    for key in ["a.jpg", "b.jpg"] {
        let registration = registered(&store, &nameless(key, None)).await;
        let same = store.record_bytes(registration.version_id, bytes("same")).await.unwrap();
        assert_eq!(same, SameContent::Distinct, "{key}");
    }
}
