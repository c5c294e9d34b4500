//! What was replaced when a preset changed; and how to find versions by where their source lies.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000029_create_former"
    }
}

/// Set while a representation is made anew: the recipe that its content was made by, while `recipe` is the one to come.
const OLD_RECIPE: &str = "ALTER TABLE representation ADD COLUMN old_recipe TEXT";

/// What a representation was before its last renewal, page 1 here, the others beside it.
const FORMER: &str = "
CREATE TABLE former (
    file_version_id BIGINT NOT NULL,
    preset TEXT NOT NULL,
    recipe TEXT NOT NULL,
    blob TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    length_bytes BIGINT NOT NULL,
    pages BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (file_version_id, preset),
    FOREIGN KEY (file_version_id, preset) REFERENCES representation (file_version_id, preset) ON DELETE CASCADE
)";
const FORMER_PAGE: &str = "
CREATE TABLE former_page (
    file_version_id BIGINT NOT NULL,
    preset TEXT NOT NULL,
    number BIGINT NOT NULL,
    blob TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    length_bytes BIGINT NOT NULL,
    PRIMARY KEY (file_version_id, preset, number),
    FOREIGN KEY (file_version_id, preset) REFERENCES former (file_version_id, preset) ON DELETE CASCADE
)";

/// Asked for by equality only.
const LOOKED_UP: [(&str, &str, &str); 3] = [
    ("former_blob", "former", "blob"),
    ("former_page_blob", "former_page", "blob"),
    ("file_version_source_key", "file_version", "source_key"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let replaced = "CREATE INDEX former_replaced ON former (replaced_at)";
        for sql in [OLD_RECIPE, FORMER, FORMER_PAGE, replaced] {
            connection.execute_unprepared(sql).await?;
        }
        for (index, table, column) in LOOKED_UP {
            let sql = match manager.get_database_backend() {
                DbBackend::Postgres => format!("CREATE INDEX {index} ON {table} USING hash ({column})"),
                _ => format!("CREATE INDEX {index} ON {table} ({column}) WHERE {column} IS NOT NULL"),
            };
            connection.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("DROP INDEX file_version_source_key").await?;
        for table in ["former_page", "former"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        connection.execute_unprepared("ALTER TABLE representation DROP COLUMN old_recipe").await.map(drop)
    }
}
