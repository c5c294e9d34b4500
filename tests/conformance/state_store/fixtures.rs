//! Files, contents and failures that the behaviours are told with, and waiting for a condition.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adapters::db::Database;
use shared::domain::access::Access;
use shared::domain::blob_key::{BlobKey, PageName};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::file::{
    ByteFacts, Condition, FileState, NewAccess, NewFileVersion, VersionIdentity, VersionOrder, Wanted, normal_sequence,
};
use shared::domain::format::OutputFormat;
use shared::domain::ids::{ClaimToken, Sha256Digest};
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::preset::{PresetName, PresetTable};
use shared::domain::representation::{Content, Outcome, PageContent, Placement, Representation, State};
use shared::domain::source::{DeclaredFacts, SourceLocation};
use shared::ports::state_store::{Registration, StateStore};

/// Longer than any test: a lease or patience that does not end by itself.
pub(super) const LONG: Duration = Duration::from_secs(3600);
/// Longest wait for a condition that must come true.
const DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(super) const SMALL: &str = "jpg_160x160";
pub(super) const MEDIUM: &str = "jpg_320x320";
pub(super) const LARGE: &str = "jpg_1024x1024";

/// A file version from a bucket, with two presets wanted.
pub(super) fn photo(key: &str) -> NewFileVersion {
    NewFileVersion {
        tenant: "acme".parse().unwrap(),
        file_identity: format!("s3://photos/{key}"),
        version_identity: VersionIdentity::Named("etag:1".to_owned()),
        order: VersionOrder::default(),
        name: key.to_owned(),
        parent: Some("folder 7".to_owned()),
        access: NewAccess::Declared(access(r#"[["user:1","group:staff"],["scope:photos"]]"#)),
        source: SourceLocation::Bucket {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            version: Some("object-1".to_owned()),
        },
        declared: DeclaredFacts {
            size: Some(12_345),
            content_type: Some("image/jpeg".to_owned()),
            etag: Some("abc-1".to_owned()),
            sha256: Some(Sha256Digest::of(b"declared")),
        },
        sha1: None,
        bytes: None,
        lane: Lane::Normal,
        wanted: wanted(&[SMALL, MEDIUM]),
        condition: Condition::Always,
    }
}

/// The same file with another version of it.
pub(super) fn version_of(key: &str, name: &str) -> NewFileVersion {
    NewFileVersion { version_identity: VersionIdentity::Named(name.to_owned()), ..photo(key) }
}

/// The same file with a version that the producer did not name, but says when it occurred.
pub(super) fn nameless(key: &str, occurred_at: Option<i64>) -> NewFileVersion {
    let order = VersionOrder { sequence: None, occurred_at };
    NewFileVersion { version_identity: VersionIdentity::ByDigest(None), order, ..photo(key) }
}

pub(super) fn sequenced(key: &str, sequence: &str) -> NewFileVersion {
    let order = VersionOrder { sequence: Some(normal_sequence(sequence)), occurred_at: None };
    NewFileVersion { order, ..version_of(key, &format!("sequence:{sequence}")) }
}

pub(super) fn wanted(names: &[&str]) -> Vec<Wanted> {
    let presets = PresetTable::built_in();
    names.iter().map(|name| plan::wanted(presets.get(name).unwrap())).collect()
}

/// Access as events write it.
pub(super) fn access(json: &str) -> Access {
    serde_json::from_str(json).unwrap()
}

pub(super) fn preset(name: &str) -> PresetName {
    name.parse().unwrap()
}

/// A token that no other claim has.
pub(super) fn token() -> ClaimToken {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    ClaimToken::new("worker", NEXT.fetch_add(1, Ordering::Relaxed).into())
}

pub(super) fn bytes(text: &str) -> ByteFacts {
    ByteFacts { length_bytes: text.len() as u64, sha256: Sha256Digest::of(text.as_bytes()) }
}

/// A content of so many pages; another seed is another content.
pub(super) fn content(seed: u32, pages: u32) -> Content {
    let page = |number: u32| PageContent {
        placement: Placement::Own(BlobKey::Representation {
            tenant: "acme".parse().unwrap(),
            digest: Sha256Digest::of(format!("{seed} {number}").as_bytes()),
            format: OutputFormat::Jpg,
        }),
        dimensions: Dimensions::new(100 + number, 50 + seed).unwrap(),
        length_bytes: u64::from(1000 * seed + number),
    };
    Content::new((1..=pages).map(page).collect()).unwrap()
}

/// Contents of one page each that share a pack, each of 100 bytes; another seed is another pack.
pub(super) fn packed(seed: u32) -> [Content; 3] {
    let pack = pack_key(seed);
    [0, 1, 2].map(|number: u64| {
        let digest = Sha256Digest::of(format!("packed {seed} {number}").as_bytes());
        let name = PageName { digest, format: OutputFormat::Png };
        let placement = Placement::Packed { pack: pack.clone(), offset_bytes: 100 * number, name };
        let dimensions = Dimensions::new(40, 30).unwrap();
        Content::new(vec![PageContent { placement, dimensions, length_bytes: 100 }]).unwrap()
    })
}

/// The blob that they share.
pub(super) fn pack_key(seed: u32) -> BlobKey {
    BlobKey::Pack { tenant: "acme".parse().unwrap(), digest: Sha256Digest::of(format!("pack {seed}").as_bytes()) }
}

/// Pages of their own and packed ones, in turns.
pub(super) fn mixed(seed: u32) -> Content {
    let (own, packed) = (content(seed, 2), packed(seed));
    let pages = [packed[0].first(), own.first(), packed[1].first(), &own.pages()[1]];
    Content::new(pages.map(Clone::clone).to_vec()).unwrap()
}

pub(super) fn failure(code: FailureCode) -> Failure {
    Failure::new(code, format!("because of {code}"))
}

pub(super) fn retry(wait: Duration, excused: bool) -> Outcome {
    Outcome::Retry { failure: failure(FailureCode::DependencyDown), wait, excused }
}

/// Registers, and expects it to be new.
pub(super) async fn registered(store: &Database, new: &NewFileVersion) -> Registration {
    let registration = store.register(new).await.unwrap();
    assert!(registration.is_new);
    registration
}

/// Claims everything of the version for a long time.
pub(super) async fn claimed(store: &Database, registration: &Registration) -> ClaimToken {
    let token = token();
    store.claim(registration.version_id, &token, LONG).await.unwrap().expect("there is something to claim");
    token
}

/// Settles some presets with the same outcome and expects all of them to be written.
pub(super) async fn settled(
    store: &Database,
    registration: &Registration,
    token: &ClaimToken,
    names: &[&str],
    outcome: &Outcome,
) {
    let outcomes: Vec<_> = names.iter().map(|name| (preset(name), outcome.clone())).collect();
    let written = store.settle(registration.version_id, token, &outcomes).await.unwrap();
    assert_eq!(written.len(), names.len(), "only {written:?} were written");
}

/// The version as it stands.
pub(super) async fn stands(store: &Database, registration: &Registration) -> FileState {
    store.version(registration.file_id, registration.version_id).await.unwrap().expect("the version is there")
}

/// One representation as it stands.
pub(super) async fn row(store: &Database, registration: &Registration, name: &str) -> Representation {
    stands(store, registration).await.representation(&preset(name)).expect("the row is there").clone()
}

pub(super) async fn state(store: &Database, registration: &Registration, name: &str) -> State {
    row(store, registration, name).await.state
}

/// Looks until there is an answer; returns it with the time that it took.
pub(super) async fn eventually<T, F>(what: &str, look: impl Fn() -> F) -> (T, Duration)
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        if let Some(answer) = look().await {
            return (answer, begun.elapsed());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    panic!("within {DEADLINE:?}, this did not come true: {what}");
}
