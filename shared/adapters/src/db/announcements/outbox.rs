//! The outbox is filled here, inside the transactions that settle representations: one statement, however many they are.

use sea_orm::{ConnectionTrait, Value};
use shared::domain::announcement::News;
use shared::domain::ids::FileVersionId;
use shared::ports::state_store::StoreError;

use crate::db::sql::Sql;

/// News written by one statement: four values each, far below both databases' limits.
const NEWS_PER_STATEMENT: usize = 500;

/// Leaves word of what happened to representations of these versions. That a version is complete follows from it when it is
/// collected: two transactions at once could each leave it to the other.
pub(in crate::db) async fn write(on: &impl ConnectionTrait, news: &[(FileVersionId, News)]) -> Result<(), StoreError> {
    for some in news.chunks(NEWS_PER_STATEMENT) {
        insert(some).run(on).await?;
    }
    Ok(())
}

/// Lane and waiting time are read from the rows as they were just written; what a row does not say is not told.
pub(in crate::db) fn insert(news: &[(FileVersionId, News)]) -> Sql {
    let rows = news.iter().map(|(version, news)| -> Vec<Value> {
        let (preset, code) = news.subject();
        vec![
            version.get().into(),
            news.topic().into(),
            preset.map(|preset| preset.as_str().to_owned()).into(),
            code.map(|code| code.name()).into(),
        ]
    });
    Sql::new(
        "WITH news (version, topic, preset, code) AS (VALUES {news})
         INSERT INTO outbox (file_version_id, at, topic, preset, code, lane, waited_ms)
         SELECT news.version, {now}, news.topic, news.preset, news.code, representation.lane,
             {now} - representation.pending_since
         FROM news JOIN representation
             ON representation.file_version_id = news.version AND representation.preset = news.preset
             AND news.topic = 'representation.' || representation.state",
    )
    .rows("news", rows)
}
