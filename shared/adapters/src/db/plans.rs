//! Tests of the query plans: no statement that runs often reads a whole table, on either database.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use shared::domain::announcement::News;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::file::{ByteFacts, Wanted};
use shared::domain::ids::{ClaimToken, FileId, FileVersionId, Sha256Digest};
use shared::domain::lane::Lane;
use shared::domain::ledger::{EntryKind, FailureFilter};
use shared::domain::plan;
use shared::domain::preset::{PresetTable, RecipeHash};
use shared::domain::representation::Outcome;
use shared::ports::file_store::{Listing, ListingKey, Parent};
use shared::ports::renewal::Renewal;

use super::sql::Sql;
use super::{
    Config, Database, announcements, ask, backlog, change, claim, collection, facts, ledger, listing, read, register,
    removal, renewal, settle, share, sweep, trash, webhooks,
};

/// 4000 files of one version with five representations each, enough for planners to mind; one version in twenty waits,
/// one in a hundred is held.
const FILL: &[&str] = &[
    "INSERT INTO file (tenant, identity, name, parent, generation, current_version_id, created_at, modified_at)
     SELECT 't', 'file ' || n, 'a.jpg', 'folder ' || n % 400, 0, n, 1, 1 FROM ({numbers}) AS numbers",
    "INSERT INTO file_version (file_id, identity, name, source_bucket, source_key, length_bytes, sha256, turn, turn_tenant,
         created_at)
     SELECT n, 'named:1', 'a.jpg', 'bucket', 'key ' || n, 9, 'digest ' || n, 'token', 't', 1 FROM ({numbers}) AS numbers",
    "INSERT INTO representation (file_version_id, preset, recipe, state, lane, pending_since, first_attempt_at,
         settled_at, due_at, wakes, lease_token, claimed_at, lease_until, pages, blob)
     SELECT n, column1, 'r', CASE WHEN n % 20 = 0 THEN 'pending' ELSE 'success' END, 'normal', n, n,
         CASE WHEN n % 20 = 0 THEN NULL ELSE 2 END, n, n % 3, CASE WHEN n % 100 = 0 THEN 'token ' || n END,
         CASE WHEN n % 100 = 0 THEN 1 END, CASE WHEN n % 100 = 0 THEN 2 END, 2,
         CASE WHEN n % 20 = 0 THEN NULL ELSE 'blob ' || n || column1 END
     FROM ({numbers}) AS numbers CROSS JOIN (VALUES ('a'), ('b'), ('c'), ('d'), ('e')) AS presets",
    "INSERT INTO page (file_version_id, preset, number, blob, width, height, length_bytes)
     SELECT file_version_id, preset, 2, 'page ' || file_version_id || preset, 1, 1, 1 FROM representation",
    "INSERT INTO former (file_version_id, preset, recipe, blob, width, height, length_bytes, pages, settled_at, replaced_at)
     SELECT file_version_id, preset, 'q', 'former ' || file_version_id || preset, 1, 1, 1, 2, 1, file_version_id
     FROM representation WHERE blob IS NOT NULL",
    "INSERT INTO former_page (file_version_id, preset, number, blob, width, height, length_bytes)
     SELECT file_version_id, preset, 2, 'former page ' || file_version_id || preset, 1, 1, 1 FROM former",
    "INSERT INTO condemned_blob (key, length_bytes, since, condemned_at)
     SELECT 'blob ' || n || 'a', 1, n, n FROM ({numbers}) AS numbers",
    "INSERT INTO ledger (file_version_id, at, kind, presets)
     SELECT file_version_id, 1, 'success', preset FROM representation",
    "INSERT INTO quarantine (file_version_id, at, code, reason, reproducer)
     SELECT n, 1, 'child_crashed', 'r', '{}' FROM ({numbers}) AS numbers",
    "INSERT INTO announcement (position, at, topic, file_id, tenant, body)
     SELECT n, 1, 'file_version.completed', n, 't', '{}' FROM ({numbers}) AS numbers",
    "ANALYZE",
];
const NUMBERS: &str =
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000) SELECT n FROM numbers";

fn statements() -> Vec<(&'static str, Sql)> {
    let version = FileVersionId::new(40).unwrap();
    let file = FileId::new(40).unwrap();
    let token = ClaimToken::new("w", 1);
    let wanted: Vec<Wanted> = plan::eager(&PresetTable::built_in(), None);
    let parent = Parent { tenant: Some("t".parse().unwrap()), id: "folder 40".to_owned() };
    let (by, after) = (ListingKey::Name, Some(file));
    let by_name = Listing { parent: parent.clone(), by, descending: false, after, offset: 0, limit: 50 };
    let failure = Failure::new(FailureCode::DeadlineExceeded, "too long");
    let (made_by, recipe) = (RecipeHash::from_stored("r".into()), wanted[0].recipe.clone());
    let renewals = [Renewal { preset: "a".parse().unwrap(), made_by, recipe }];
    let counted = ByteFacts { length_bytes: 9, sha256: Sha256Digest::of(b"x") };
    vec![
        ("claim", claim::take(version, &token, Duration::from_secs(60))),
        ("extend", claim::prolong(&token, Duration::from_secs(60))),
        ("settle", settle::settle(version, &wanted[0].preset, &token, &Outcome::HandBack)),
        ("promote", ask::promote(version, &wanted, Lane::Interactive).unwrap()),
        ("names", ask::names(version, "fit_")),
        ("due", sweep::wake(Duration::from_secs(30), 100)),
        ("give_up_overdue", sweep::give_up(Lane::Normal, Duration::from_secs(900), &failure)),
        ("release_absurd_times", sweep::release_absurd_times()),
        ("backlog", backlog::lanes()),
        ("order_of", register::order_of(40)),
        ("same_content", facts::same_content(40, version, counted)),
        ("file", read::files(&[file])),
        ("version", read::file_versions(&[version])),
        ("file_by_identity", read::file_by_identity(&"t".parse().unwrap(), "file 40")),
        ("files_by_source", read::by_source(&"t".parse().unwrap(), "bucket", "key 40", 100)),
        ("recent", read::recent(None, 50)),
        ("lock", change::lock(file)),
        ("suspend", trash::suspend(40)),
        ("resume", trash::resume(40)),
        ("versions", listing::versions(file, None, 50)),
        ("file_named", listing::named(&parent, "a.jpg")),
        ("files_of", listing::files_of(&by_name)),
        ("representations", read::representations(40..50)),
        ("representations by name", read::only(&[(version, wanted[0].preset.clone())])),
        ("outbox", announcements::outbox::insert(&[(version, News::Success(wanted[0].preset.clone()))])),
        ("webhook turns", webhooks::take_turns(&token, Duration::from_secs(60), 16)),
        ("announcements at", announcements::at(40..50)),
        ("unsettled", read::unsettled(40..50)),
        ("service", announcements::service(1000, Duration::from_secs(600))),
        ("announcements after", announcements::after(40, 100)),
        ("forget announcements", announcements::oldest(Duration::from_secs(1), 1000)),
        ("ledger entries", ledger::insert(&[ledger::NewEntry::new(version, EntryKind::Claimed)])),
        ("life", ledger::entries_of(&[40])),
        ("forget_entries", ledger::oldest(Duration::from_secs(1), 1000)),
        ("redrive", ledger::find(&FailureFilter { code: Some(FailureCode::Truncated), ..FailureFilter::default() }, 9)),
        ("purge_trashed", removal::trashed_files(Duration::from_secs(1), 100)),
        ("purge_trashed versions", removal::trashed_versions(Duration::from_secs(1), 100)),
        ("forget_removed", removal::forget(Duration::from_secs(1), 100)),
        ("share candidates", share::candidates(version, counted, Some("t"))),
        ("share candidates of all", share::candidates(version, counted, None)),
        ("share successes", share::successes(40..50)),
        ("recipes", renewal::recipes(40, 80)),
        ("stale versions", renewal::stale_versions(&renewals, 40, 80)),
        ("renew", renewal::renew(&renewals, 40, 80)),
        ("oldest former", renewal::oldest_former(Duration::from_secs(1), 100)),
        ("condemned entries", collection::entries(&keys(5))),
        ("references", collection::references(&keys(20))),
        ("condemn", collection::condemn_versions("file_version.file_id = $1", 40)),
        ("take_condemned", collection::take(Duration::from_secs(1), Duration::from_secs(1), 5)),
        ("redrive_ended", ledger::scheduled(FailureCode::DeadlineExceeded, Duration::from_secs(9), 3, 9)),
    ]
}

/// Keys of blobs, most of which are none.
fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("blob {n}")).collect()
}

/// The plan of every statement, as the database tells it.
async fn plans(database: &Database) -> Vec<(&'static str, Vec<String>)> {
    database.migrate().await.unwrap();
    for sql in FILL {
        database.connection.execute_unprepared(&sql.replace("{numbers}", NUMBERS)).await.unwrap();
    }
    let (explain, column) = match backend(database) {
        DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let mut plans = Vec::new();
    for (name, sql) in statements() {
        let text = format!("{explain} {}", sql.statement(backend(database)));
        let rows = database.connection.query_all_raw(Statement::from_string(backend(database), text)).await.unwrap();
        plans.push((name, rows.iter().map(|row| row.try_get("", column).unwrap()).collect()));
    }
    plans
}

fn backend(database: &Database) -> DbBackend {
    database.connection.get_database_backend()
}

fn config(url: String) -> Config {
    Config { url, connections_max: 2, acquire_timeout_seconds: 10 }
}

#[tokio::test]
async fn sqlite_reads_no_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("plans.db").display());
    let database = Database::connect(&config(url)).await.unwrap();
    for (name, plan) in plans(&database).await {
        let scans = |line: &&String| {
            let table = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            // The index of the backlog has only the rows that are counted.
            let tables =
                ["file", "file_version", "representation", "page", "ledger", "announcement", "former", "former_page"];
            table.is_some_and(|table| tables.contains(&table))
                && !line.contains("INDEX representation_backlog")
                // In the order of its ids, and only as far as the batch goes.
                && !name.starts_with("forget")
        };
        assert_eq!(plan.iter().find(scans), None, "{name}:\n{}", plan.join("\n"));
    }
    database.close().await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: run `make test`"]
async fn postgresql_reads_no_whole_table() {
    let admin_url = std::env::var("THUMBLINE_TEST_DATABASE_URL")
        .expect("set THUMBLINE_TEST_DATABASE_URL to postgres://user:password@host:port/database, or run `make test`");
    let admin = Database::connect(&config(admin_url.clone())).await.unwrap();
    let name = format!("thumbline_plans_{:016x}", rand::random::<u64>());
    admin.connection.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let database = Database::connect(&config(format!("{server}/{name}"))).await.unwrap();
    let told = database.clone();
    // A task of its own, so that the database goes also when it panics.
    let plans = tokio::spawn(async move { plans(&told).await }).await;
    database.close().await.unwrap();
    admin.connection.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    for (name, plan) in plans.unwrap() {
        // A batch of a table this small is most of it, and the planner knows; and there are few webhooks.
        let may_scan = name.starts_with("forget") || name == "service" || name == "webhook turns";
        let scan = plan.iter().find(|line| line.contains("Seq Scan on ") && !may_scan);
        assert_eq!(scan, None, "{name}:\n{}", plan.join("\n"));
    }
}
