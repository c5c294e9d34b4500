//! Pages that share a blob with others: which of its bytes they are.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000053_add_packs"
    }
}

/// Every table whose column `blob` names the blob of a page.
const TABLES: [&str; 4] = ["representation", "page", "former", "former_page"];

/// Set when `blob` is a pack: the name of the page, and how many bytes of the pack come before it. What asks for references to
/// a blob need not know of them.
const COLUMNS: [&str; 2] = ["packed_name TEXT", "packed_offset BIGINT"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            for column in COLUMNS {
                let sql = format!("ALTER TABLE {table} ADD COLUMN {column}");
                manager.get_connection().execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            for column in ["packed_name", "packed_offset"] {
                let sql = format!("ALTER TABLE {table} DROP COLUMN {column}");
                manager.get_connection().execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }
}
