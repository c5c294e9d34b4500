//! Tokens and logins, and when a file's access was decided.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000006_credentials"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in [ACCESS_AT, TOKEN, LOGIN] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in ["DROP TABLE login", "DROP TABLE access_token", "ALTER TABLE file DROP COLUMN access_at"] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

/// NULL as long as nobody but the configuration has said who may see the file.
const ACCESS_AT: &str = "ALTER TABLE file ADD COLUMN access_at BIGINT";

/// `digest` is the SHA-256 of the whole token; `member_of` and `scopes` are lists of names in JSON.
const TOKEN: &str = "
CREATE TABLE access_token (
    prefix TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    label TEXT NOT NULL,
    email TEXT,
    user_id TEXT,
    member_of TEXT NOT NULL,
    scopes TEXT NOT NULL,
    tenant TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
)";

/// `email` in lower case; `password_hash` is Argon2id in PHC form.
const LOGIN: &str = "
CREATE TABLE login (
    email TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    member_of TEXT NOT NULL,
    tenant TEXT,
    created_at BIGINT NOT NULL
)";
