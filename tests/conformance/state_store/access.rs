//! Who may see a file: from its versions, by changes in any order, and by hand; tokens and logins.

use std::collections::BTreeSet;

use shared::domain::access::Access;
use shared::domain::credential::{Login, Standing, Token};
use shared::domain::file::{NewAccess, NewFileVersion, VersionOrder};
use shared::domain::ids::{FileId, Sha256Digest};
use shared::domain::principal::{Identity, Scopes};
use shared::ports::access_store::{AccessChanged, AccessStore, FileAccess};
use shared::ports::state_store::{StateStore, StoreError};

use super::fixtures::{access, photo, registered, version_of};
use super::scratch::Store;

/// A moment long ago, and the moments after it.
const LONG_AGO: i64 = 1_600_000_000_000;

fn only(user: &str) -> Access {
    Access::only_user(user).unwrap()
}

fn silent(new: NewFileVersion) -> NewFileVersion {
    NewFileVersion { access: NewAccess::Default(None), ..new }
}

fn declared(new: NewFileVersion, user: &str, occurred_at: Option<i64>) -> NewFileVersion {
    let order = VersionOrder { sequence: None, occurred_at };
    NewFileVersion { access: NewAccess::Declared(only(user)), order, ..new }
}

async fn of(store: &impl AccessStore, file: FileId) -> Option<Access> {
    store.access_of(file).await.unwrap().expect("the file is there").access
}

pub(super) async fn access_reads_back_and_can_be_replaced(Store { store, .. }: Store) {
    let file = registered(&store, &photo("a.jpg")).await.file_id;
    let given = access(r#"[["user:1","group:staff"],["scope:photos"]]"#);
    let expected = FileAccess { tenant: "acme".parse().unwrap(), access: Some(given) };
    assert_eq!(store.access_of(file).await.unwrap(), Some(expected));
    assert!(store.set_access(file, Some(&only("2"))).await.unwrap());
    assert_eq!(of(&store, file).await, Some(only("2")));
    assert_eq!(store.file(file).await.unwrap().unwrap().file.access, Some(only("2")));
    assert!(store.set_access(file, None).await.unwrap());
    assert_eq!(of(&store, file).await, None);
    let nobody = FileId::new(4_000_000).unwrap();
    assert!(!store.set_access(nobody, None).await.unwrap());
    assert_eq!(store.access_of(nobody).await.unwrap(), None);
}

pub(super) async fn the_access_that_was_decided_last_holds(Store { store, .. }: Store) {
    let new = declared(photo("a.jpg"), "first", Some(LONG_AGO));
    let file = registered(&store, &new).await.file_id;
    let change = |user, at| {
        let (store, new, access) = (store.clone(), new.clone(), only(user));
        async move { store.change_access(&new.tenant, &new.file_identity, &access, at).await.unwrap() }
    };
    assert_eq!(change("late", Some(LONG_AGO + 20)).await, AccessChanged::Applied);
    assert_eq!(change("early", Some(LONG_AGO + 10)).await, AccessChanged::Superseded);
    assert_eq!(change("late", Some(LONG_AGO + 20)).await, AccessChanged::Applied);
    assert_eq!(of(&store, file).await, Some(only("late")));
    // By hand, or without a time: now. A clock that runs ahead counts as now, and keeps nobody out.
    assert!(store.set_access(file, Some(&only("by hand"))).await.unwrap());
    assert_eq!(change("late again", Some(LONG_AGO + 30)).await, AccessChanged::Superseded);
    assert_eq!(change("ahead", Some(i64::MAX)).await, AccessChanged::Applied);
    assert_eq!(change("now", None).await, AccessChanged::Applied);
    assert_eq!(of(&store, file).await, Some(only("now")));
}

pub(super) async fn a_change_before_the_first_version_is_remembered(Store { store, .. }: Store) {
    for (key, new) in [
        ("silent.jpg", silent(photo("silent.jpg"))),
        ("older.jpg", declared(photo("older.jpg"), "older", Some(LONG_AGO))),
    ] {
        let changed =
            store.change_access(&new.tenant, &new.file_identity, &only("changed"), Some(LONG_AGO + 10)).await.unwrap();
        assert_eq!(changed, AccessChanged::Remembered, "{key}");
        assert!(store.file_by_identity(&new.tenant, &new.file_identity).await.unwrap().is_none(), "{key}");
        assert!(
            store
                .recent(None, 10)
                .await
                .unwrap()
                .iter()
                .all(|state| state.file.name == "older.jpg" || state.file.name == "silent.jpg")
        );
        let file = registered(&store, &new).await.file_id;
        assert_eq!(of(&store, file).await, Some(only("changed")), "{key}");
        assert_eq!(store.file(file).await.unwrap().unwrap().file.name, new.name, "{key}");
    }
    let new = declared(photo("newer.jpg"), "newer", Some(LONG_AGO + 20));
    store.change_access(&new.tenant, &new.file_identity, &only("changed"), Some(LONG_AGO + 10)).await.unwrap();
    let file = registered(&store, &new).await.file_id;
    assert_eq!(of(&store, file).await, Some(only("newer")));
}

pub(super) async fn access_that_came_with_an_older_version_does_not_come_back(Store { store, .. }: Store) {
    let file = registered(&store, &declared(version_of("a.jpg", "2"), "two", Some(LONG_AGO + 20))).await.file_id;
    registered(&store, &declared(version_of("a.jpg", "1"), "one", Some(LONG_AGO + 10))).await;
    assert_eq!(of(&store, file).await, Some(only("two")));
    // The next version was made before its file's access was changed, and comes after it.
    store.set_access(file, Some(&only("changed"))).await.unwrap();
    registered(&store, &declared(version_of("a.jpg", "3"), "three", Some(LONG_AGO + 30))).await;
    assert_eq!(of(&store, file).await, Some(only("changed")));
    registered(&store, &declared(version_of("a.jpg", "4"), "four", None)).await;
    assert_eq!(of(&store, file).await, Some(only("four")));
}

pub(super) async fn without_a_word_a_new_version_keeps_the_access(Store { store, .. }: Store) {
    let by_bucket = |new| NewFileVersion { access: NewAccess::Default(Some(Access::anonymous())), ..new };
    let file = registered(&store, &by_bucket(version_of("a.jpg", "1"))).await.file_id;
    assert_eq!(of(&store, file).await, Some(Access::anonymous()));
    store.set_access(file, None).await.unwrap();
    registered(&store, &by_bucket(version_of("a.jpg", "2"))).await;
    assert_eq!(of(&store, file).await, None);
}

fn token(prefix: &str, expires_at: Option<i64>) -> Token {
    Token {
        prefix: prefix.to_owned(),
        digest: Sha256Digest::of(prefix.as_bytes()),
        label: "the label".to_owned(),
        email: Some("Ada@Example.org".to_owned()),
        identity: Identity {
            user: Some("ada".to_owned()),
            groups: BTreeSet::from(["staff".to_owned()]),
            scopes: Scopes::named(["thumbline:read", "read:jira-work"]),
            tenant: Some("acme".parse().unwrap()),
        },
        expires_at,
    }
}

pub(super) async fn tokens_are_found_until_they_are_revoked_or_expire(Store { store, .. }: Store) {
    store.issue_token(&token("live", None)).await.unwrap();
    store.issue_token(&token("expired", Some(LONG_AGO))).await.unwrap();
    let plain = Identity { scopes: Scopes::All, ..Identity::default() };
    store.issue_token(&Token { email: None, identity: plain.clone(), ..token("plain", None) }).await.unwrap();

    let live = store.token("live").await.unwrap().unwrap();
    let expected = Token { email: Some("ada@example.org".to_owned()), ..token("live", None) };
    assert_eq!((live.token, live.standing), (expected, Standing::Live));
    assert_eq!(store.token("expired").await.unwrap().unwrap().standing, Standing::Expired);
    assert_eq!(store.token("plain").await.unwrap().unwrap().token.identity, plain);
    assert_eq!(store.token("nobody's").await.unwrap(), None);

    assert!(matches!(store.issue_token(&token("live", None)).await, Err(StoreError::Inconsistent { .. })));
    assert!(store.revoke_token("live").await.unwrap());
    assert!(!store.revoke_token("live").await.unwrap());
    assert_eq!(store.token("live").await.unwrap().unwrap().standing, Standing::Revoked);
    assert_eq!(store.tokens(10).await.unwrap().len(), 3);
    assert_eq!(store.tokens(2).await.unwrap().len(), 2);
}

pub(super) async fn logins_are_found_in_any_letter_case(Store { store, .. }: Store) {
    let login = |hash: &str| Login {
        email: "ada@example.org".to_owned(),
        password_hash: hash.to_owned(),
        user: "ada".to_owned(),
        groups: BTreeSet::from(["staff".to_owned()]),
        tenant: None,
    };
    store.put_login(&login("one")).await.unwrap();
    store.put_login(&Login { email: "ADA@example.org".to_owned(), ..login("two") }).await.unwrap();
    assert_eq!(store.login("Ada@Example.ORG").await.unwrap(), Some(login("two")));
    assert_eq!(store.logins(10).await.unwrap(), [login("two")]);
    assert!(store.remove_login("ada@EXAMPLE.org").await.unwrap());
    assert!(!store.remove_login("ada@example.org").await.unwrap());
    assert_eq!(store.login("ada@example.org").await.unwrap(), None);
}
