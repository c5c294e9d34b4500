//! Who may see which file, tokens and logins.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use shared::domain::access::Access;
use shared::domain::credential::{Login, Standing, StoredToken, Token};
use shared::domain::file::UnixMillis;
use shared::domain::ids::{FileId, Tenant};
use shared::domain::principal::{Identity, Scopes};
use shared::ports::access_store::{AccessChanged, AccessStore, FileAccess};
use shared::ports::state_store::StoreError;

use super::Database;
use super::convert::{Place, text};
use super::sql::Sql;

/// When an access was decided: what the producer says, but never later than now, so that no clock that runs ahead can
/// keep later changes out.
pub(super) const DECIDED_AT: &str = "CASE WHEN {said} < {now} THEN {said} ELSE {now} END";

#[derive(Debug, FromQueryResult)]
struct AccessRow {
    tenant: String,
    access: Option<String>,
}

#[derive(Debug, FromQueryResult)]
struct ChangedRow {
    current_version_id: Option<i64>,
    access: Option<String>,
}

#[derive(Debug, FromQueryResult)]
struct TokenRow {
    prefix: String,
    digest: String,
    label: String,
    email: Option<String>,
    user_id: Option<String>,
    member_of: String,
    scopes: String,
    tenant: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    standing: String,
}

#[derive(Debug, FromQueryResult)]
struct LoginRow {
    email: String,
    password_hash: String,
    user_id: String,
    member_of: String,
    tenant: Option<String>,
}

#[async_trait]
impl AccessStore for Database {
    async fn access_of(&self, file: FileId) -> Result<Option<FileAccess>, StoreError> {
        let row: Option<AccessRow> = self.bounded(|| access_of(file).first(&self.connection)).await?;
        let at = Place::new("file", file);
        let guarded = |row: AccessRow| {
            let access = row.access.as_deref().map(serde_json::from_str).transpose();
            let access = access.map_err(|problem| at.impossible("access", problem))?;
            Ok(FileAccess { tenant: at.parse("tenant", &row.tenant)?, access })
        };
        row.map(guarded).transpose()
    }

    async fn set_access(&self, file: FileId, access: Option<&Access>) -> Result<bool, StoreError> {
        let access = access.map(access_json).transpose()?;
        let sql = "UPDATE file SET access = $2, access_at = {now} WHERE id = $1 AND current_version_id IS NOT NULL";
        let set = Sql::new(sql).value(file.get()).value(access);
        Ok(self.bounded(|| set.clone().run(&self.connection)).await? > 0)
    }

    async fn change_access(
        &self,
        tenant: &Tenant,
        identity: &str,
        access: &Access,
        decided_at: Option<UnixMillis>,
    ) -> Result<AccessChanged, StoreError> {
        let wanted = access_json(access)?;
        let change = change(tenant, identity, &wanted, decided_at);
        let changed: Option<ChangedRow> = self.bounded(|| change.clone().first(&self.connection)).await?;
        Ok(match changed {
            Some(row) if row.access.as_ref() != Some(&wanted) => AccessChanged::Superseded,
            Some(ChangedRow { current_version_id: Some(_), .. }) => AccessChanged::Applied,
            _ => AccessChanged::Remembered,
        })
    }

    async fn issue_token(&self, token: &Token) -> Result<(), StoreError> {
        let issue = issue(token)?;
        match self.bounded(|| issue.clone().run(&self.connection)).await? {
            0 => Err(Place::new("access_token", &token.prefix).impossible("prefix", "is taken")),
            _ => Ok(()),
        }
    }

    async fn token(&self, prefix: &str) -> Result<Option<StoredToken>, StoreError> {
        let row: Option<TokenRow> = self.bounded(|| token(prefix).first(&self.connection)).await?;
        row.map(stored_token).transpose()
    }

    async fn tokens(&self, limit: u32) -> Result<Vec<StoredToken>, StoreError> {
        let sql = Sql::new(TOKENS).part("which", "ORDER BY created_at DESC, prefix LIMIT $1").value(i64::from(limit));
        let rows: Vec<TokenRow> = self.bounded(|| sql.clone().all(&self.connection)).await?;
        rows.into_iter().map(stored_token).collect()
    }

    async fn revoke_token(&self, prefix: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE access_token SET revoked_at = {now} WHERE prefix = $1 AND revoked_at IS NULL";
        let revoke = Sql::new(sql).value(text(prefix));
        Ok(self.bounded(|| revoke.clone().run(&self.connection)).await? > 0)
    }

    async fn put_login(&self, login: &Login) -> Result<(), StoreError> {
        let put = put_login(login)?;
        self.bounded(|| put.clone().run(&self.connection)).await.map(|_| ())
    }

    async fn login(&self, email: &str) -> Result<Option<Login>, StoreError> {
        let row: Option<LoginRow> = self.bounded(|| login_of(email).first(&self.connection)).await?;
        row.map(login).transpose()
    }

    async fn logins(&self, limit: u32) -> Result<Vec<Login>, StoreError> {
        let sql = Sql::new(LOGINS).part("which", "ORDER BY email LIMIT $1").value(i64::from(limit));
        let rows: Vec<LoginRow> = self.bounded(|| sql.clone().all(&self.connection)).await?;
        rows.into_iter().map(login).collect()
    }

    async fn remove_login(&self, email: &str) -> Result<bool, StoreError> {
        let remove = Sql::new("DELETE FROM login WHERE email = $1").value(folded(email));
        Ok(self.bounded(|| remove.clone().run(&self.connection)).await? > 0)
    }
}

const TOKENS: &str = "
SELECT prefix, digest, label, email, user_id, member_of, scopes, tenant, created_at, expires_at,
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= {now} THEN 'expired' ELSE 'live' END AS standing
FROM access_token {which}";

const LOGINS: &str = "SELECT email, password_hash, user_id, member_of, tenant FROM login {which}";

pub(super) fn access_of(file: FileId) -> Sql {
    Sql::new("SELECT tenant, access FROM file WHERE id = $1 AND current_version_id IS NOT NULL").value(file.get())
}

/// A file that is not known becomes a row without a version, which no reader sees.
fn change(tenant: &Tenant, identity: &str, access: &str, decided_at: Option<UnixMillis>) -> Sql {
    Sql::new(
        "INSERT INTO file (tenant, identity, name, access, access_at, generation, created_at, modified_at)
         VALUES ($1, $2, '', $3, {decided_at}, 0, {now}, {now})
         ON CONFLICT (tenant, identity) DO UPDATE SET
             access = CASE WHEN coalesce(file.access_at, 0) <= excluded.access_at
                 THEN excluded.access ELSE file.access END,
             access_at = CASE WHEN coalesce(file.access_at, 0) <= excluded.access_at
                 THEN excluded.access_at ELSE file.access_at END
         RETURNING current_version_id, access",
    )
    .part("decided_at", DECIDED_AT)
    .part("said", "$4")
    .value(tenant.as_str())
    .value(text(identity))
    .value(access)
    .value(decided_at)
}

fn issue(token: &Token) -> Result<Sql, StoreError> {
    let identity = &token.identity;
    Ok(Sql::new(
        "INSERT INTO access_token (prefix, digest, label, email, user_id, member_of, scopes, tenant, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}, $9)
         ON CONFLICT (prefix) DO NOTHING",
    )
    .value(text(&token.prefix))
    .value(token.digest.to_string())
    .value(text(&token.label))
    .value(token.email.as_deref().map(folded))
    .value(identity.user.as_deref().map(text))
    .value(names_json(&identity.groups)?)
    .value(match &identity.scopes {
        Scopes::All => ALL_SCOPES.to_owned(),
        Scopes::Named(names) => names_json(names)?,
    })
    .value(identity.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
    .value(token.expires_at))
}

/// How all scopes are spelled in a column.
const ALL_SCOPES: &str = "all";

pub(super) fn token(prefix: &str) -> Sql {
    Sql::new(TOKENS).part("which", "WHERE prefix = $1").value(text(prefix))
}

fn stored_token(row: TokenRow) -> Result<StoredToken, StoreError> {
    let at = Place::new("access_token", &row.prefix);
    let scopes = match row.scopes.as_str() {
        ALL_SCOPES => Scopes::All,
        names => Scopes::Named(names_of(&at, "scopes", names)?),
    };
    let identity = Identity {
        user: row.user_id,
        groups: names_of(&at, "member_of", &row.member_of)?,
        scopes,
        tenant: row.tenant.as_deref().map(|tenant| at.parse("tenant", tenant)).transpose()?,
    };
    let token = Token {
        digest: at.parse("digest", &row.digest)?,
        prefix: row.prefix,
        label: row.label,
        email: row.email,
        identity,
        expires_at: row.expires_at,
    };
    let standing = at.known("standing", Standing::from_name(&row.standing), &row.standing)?;
    Ok(StoredToken { token, created_at: row.created_at, standing })
}

fn put_login(login: &Login) -> Result<Sql, StoreError> {
    Ok(Sql::new(
        "INSERT INTO login (email, password_hash, user_id, member_of, tenant, created_at)
         VALUES ($1, $2, $3, $4, $5, {now})
         ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, user_id = excluded.user_id,
             member_of = excluded.member_of, tenant = excluded.tenant",
    )
    .value(folded(&login.email))
    .value(login.password_hash.as_str())
    .value(text(&login.user))
    .value(names_json(&login.groups)?)
    .value(login.tenant.as_ref().map(|tenant| tenant.as_str().to_owned())))
}

pub(super) fn login_of(email: &str) -> Sql {
    Sql::new(LOGINS).part("which", "WHERE email = $1").value(folded(email))
}

fn login(row: LoginRow) -> Result<Login, StoreError> {
    let at = Place::new("login", &row.email);
    Ok(Login {
        groups: names_of(&at, "member_of", &row.member_of)?,
        tenant: row.tenant.as_deref().map(|tenant| at.parse("tenant", tenant)).transpose()?,
        email: row.email,
        password_hash: row.password_hash,
        user: row.user_id,
    })
}

/// E-mail addresses are compared without regard to letter case.
fn folded(email: &str) -> String {
    text(&email.to_lowercase())
}

pub(super) fn access_json(access: &Access) -> Result<String, StoreError> {
    serde_json::to_string(access).map_err(|error| StoreError::Away(Box::new(error)))
}

fn names_json(names: &BTreeSet<String>) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(|error| StoreError::Away(Box::new(error)))
}

fn names_of(at: &Place, column: &'static str, json: &str) -> Result<BTreeSet<String>, StoreError> {
    serde_json::from_str(json).map_err(|problem| at.impossible(column, problem))
}
