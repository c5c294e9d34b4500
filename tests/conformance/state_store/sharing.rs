//! Equal content: one version renders it, and the others take it over.

use adapters::db::Database;
use shared::domain::failure::FailureCode;
use shared::domain::file::{NewFileVersion, PictureFacts};
use shared::domain::format::SourceFormat;
use shared::domain::ids::ClaimToken;
use shared::domain::preset::RecipeHash;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::{Registration, Rest, Shared, Sharing, StateStore};

use super::fixtures::*;
use super::scratch::Store;

const BYTES: &str = "the very same bytes";

/// A version whose bytes were counted, under a claim.
async fn counted(store: &Database, new: &NewFileVersion) -> (Registration, ClaimToken) {
    let version = registered(store, new).await;
    let token = claimed(store, &version).await;
    store.record_bytes(version.version_id, bytes(BYTES)).await.unwrap();
    (version, token)
}

async fn share(store: &Database, (version, token): &(Registration, ClaimToken), sharing: Sharing) -> Shared {
    let wanted = wanted(&[SMALL, MEDIUM]);
    store.share(version.version_id, token, bytes(BYTES), &wanted, sharing).await.unwrap()
}

/// Makes both presets, as a worker does.
async fn render(store: &Database, (version, token): &(Registration, ClaimToken)) {
    let dimensions = shared::domain::dimensions::Dimensions::new(640, 480).unwrap();
    let picture = PictureFacts { format: SourceFormat::Jpeg, dimensions, pages: 1, placeholder: None };
    store.record_picture(version.version_id, picture).await.unwrap();
    settled(store, version, token, &[SMALL], &Outcome::Success(content(1, 2))).await;
    settled(store, version, token, &[MEDIUM], &Outcome::Success(content(2, 1))).await;
}

pub(super) async fn of_ten_with_the_same_bytes_one_renders(Store { store, .. }: Store) {
    let mut all = Vec::new();
    for number in 0..10 {
        all.push(counted(&store, &photo(&format!("{number}.jpg"))).await);
    }
    let asking = all.iter().cloned().map(|attempt| {
        let store = store.clone();
        tokio::spawn(async move { share(&store, &attempt, Sharing::WithinTenant).await })
    });
    let mut mine = 0;
    for asked in asking.collect::<Vec<_>>() {
        let Shared { made, rest } = asked.await.unwrap();
        assert_eq!(made, []);
        mine += usize::from(rest == Rest::Mine);
        assert!(matches!(rest, Rest::Mine | Rest::Elsewhere));
    }
    assert_eq!(mine, 1);
}

pub(super) async fn what_another_version_has_is_taken_over(Store { store, .. }: Store) {
    let first = counted(&store, &photo("first.jpg")).await;
    assert_eq!(share(&store, &first, Sharing::WithinTenant).await.rest, Rest::Mine);
    render(&store, &first).await;
    let second = counted(&store, &photo("second.jpg")).await;
    let Shared { made, rest } = share(&store, &second, Sharing::WithinTenant).await;
    assert_eq!(rest, Rest::None);
    let contents: Vec<_> = made.iter().map(|made| (made.preset.as_str(), made.content.clone())).collect();
    assert_eq!(contents, [(SMALL, content(1, 2)), (MEDIUM, content(2, 1))]);
    assert!(made.iter().all(|made| made.version == first.0.version_id && made.picture.dimensions.width == 640));
    // Other bytes are other bytes, whatever is declared of them.
    let other = registered(&store, &photo("other.jpg")).await;
    let token = claimed(&store, &other).await;
    let wanted = wanted(&[SMALL]);
    let alone = store.share(other.version_id, &token, bytes("others"), &wanted, Sharing::WithinTenant).await.unwrap();
    assert_eq!((alone.made, alone.rest), (Vec::new(), Rest::Mine));
}

pub(super) async fn an_error_is_nobody_elses(Store { store, .. }: Store) {
    let first = counted(&store, &photo("first.jpg")).await;
    let second = counted(&store, &photo("second.jpg")).await;
    assert_eq!(share(&store, &first, Sharing::WithinTenant).await.rest, Rest::Mine);
    assert_eq!(share(&store, &second, Sharing::WithinTenant).await.rest, Rest::Elsewhere);
    settled(&store, &first.0, &first.1, &[SMALL, MEDIUM], &Outcome::Error(failure(FailureCode::ChildOutOfMemory)))
        .await;
    let next = share(&store, &second, Sharing::WithinTenant).await;
    assert_eq!((next.made, next.rest), (Vec::new(), Rest::Mine));
}

pub(super) async fn nobody_waits_for_what_has_failed_before(Store { store, .. }: Store) {
    let first = counted(&store, &photo("first.jpg")).await;
    assert_eq!(share(&store, &first, Sharing::WithinTenant).await.rest, Rest::Mine);
    settled(&store, &first.0, &first.1, &[SMALL, MEDIUM], &Outcome::Error(failure(FailureCode::CorruptSource))).await;
    for name in ["second.jpg", "third.jpg", "fourth.jpg"] {
        let copy = counted(&store, &photo(name)).await;
        assert_eq!(share(&store, &copy, Sharing::WithinTenant).await.rest, Rest::Mine, "{name}");
    }
}

pub(super) async fn a_lost_lease_passes_the_turn_on(scratch: Store) {
    let store = &scratch.store;
    let first = counted(store, &photo("first.jpg")).await;
    let second = counted(store, &photo("second.jpg")).await;
    assert_eq!(share(store, &first, Sharing::WithinTenant).await.rest, Rest::Mine);
    assert_eq!(share(store, &first, Sharing::WithinTenant).await.rest, Rest::Mine, "it is its own turn still");
    let version = first.0.version_id;
    scratch.tamper(&format!("UPDATE representation SET lease_until = 1 WHERE file_version_id = {version}")).await;
    assert_eq!(share(store, &second, Sharing::WithinTenant).await.rest, Rest::Mine);
}

pub(super) async fn only_the_same_recipe_is_the_same_picture(scratch: Store) {
    let store = &scratch.store;
    let first = counted(store, &photo("first.jpg")).await;
    share(store, &first, Sharing::WithinTenant).await;
    render(store, &first).await;
    scratch.tamper(&format!("UPDATE representation SET recipe = 'older' WHERE preset = '{SMALL}'")).await;
    let second = counted(store, &photo("second.jpg")).await;
    let Shared { made, rest } = share(store, &second, Sharing::WithinTenant).await;
    assert_eq!(made.iter().map(|made| made.preset.as_str()).collect::<Vec<_>>(), [MEDIUM]);
    assert_eq!(rest, Rest::Mine);
    assert_ne!(RecipeHash::from_stored("older".into()), row(store, &second.0, SMALL).await.recipe);
}

pub(super) async fn tenants_share_only_when_told_to(Store { store, .. }: Store) {
    let first = counted(&store, &photo("first.jpg")).await;
    share(&store, &first, Sharing::WithinTenant).await;
    let foreign = NewFileVersion { tenant: "other".parse().unwrap(), ..photo("first.jpg") };
    let second = counted(&store, &foreign).await;
    assert_eq!(share(&store, &second, Sharing::WithinTenant).await.rest, Rest::Mine);
    settled(&store, &second.0, &second.1, &[SMALL, MEDIUM], &Outcome::HandBack).await;
    render(&store, &first).await;
    let second = (second.0.clone(), claimed(&store, &second.0).await);
    let alone = share(&store, &second, Sharing::WithinTenant).await;
    assert_eq!((alone.made, alone.rest), (Vec::new(), Rest::Mine));
    let Shared { made, rest } = share(&store, &second, Sharing::AcrossTenants).await;
    assert_eq!((made.len(), rest), (2, Rest::None));
}

pub(super) async fn a_wait_does_not_count_as_an_attempt(Store { store, .. }: Store) {
    let photo = registered(&store, &photo("beach.jpg")).await;
    let token = claimed(&store, &photo).await;
    settled(&store, &photo, &token, &[SMALL, MEDIUM], &Outcome::Wait { wait: LONG }).await;
    let waiting = row(&store, &photo, SMALL).await;
    assert_eq!((waiting.state, waiting.attempts, waiting.last_failure), (State::Pending, 0, None));
    assert_eq!(store.claim(photo.version_id, &super::fixtures::token(), LONG).await.unwrap(), None, "not yet");
    assert_eq!(store.due(LONG, 10).await.unwrap(), []);
}
