//! A database of its own for every test, removed afterwards, whatever the test's end.

use std::future::Future;

use adapters::db::{Config, Database};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

/// What a behaviour works on.
#[derive(Clone)]
pub(super) struct Store {
    /// The store under test.
    pub(super) store: Database,
    /// What it was opened with, to open it again.
    pub(super) config: Config,
}

impl Store {
    /// Does to the rows what the port does not allow.
    pub(super) async fn tamper(&self, sql: &str) {
        let direct = direct(&self.config.url).await;
        direct.execute_unprepared(sql).await.unwrap();
        direct.close().await.unwrap();
    }
}

/// A database that one test has for itself.
pub(super) struct Scratch {
    database: Store,
    remains: Remains,
}

/// What is removed in the end.
enum Remains {
    Directory(TempDir),
    Database { admin_url: String, name: String },
}

impl Scratch {
    /// A new file.
    pub(super) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("of its own").join("thumbline.db");
        let database = open(config(format!("sqlite:{}", path.display()))).await;
        Self { database, remains: Remains::Directory(directory) }
    }

    /// A new database on the test server.
    pub(super) async fn postgresql() -> Self {
        let admin_url = postgresql_url();
        let name = format!("thumbline_test_{:032x}", rand::random::<u128>());
        let admin = direct(&admin_url).await;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        let (server, _) = admin_url.rsplit_once('/').unwrap();
        let database = open(config(format!("{server}/{name}"))).await;
        Self { database, remains: Remains::Database { admin_url, name } }
    }

    /// Runs a behaviour, removes the database, and only then fails if the behaviour failed.
    pub(super) async fn run<F>(self, behaviour: impl FnOnce(Store) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ended = tokio::spawn(behaviour(self.database.clone())).await;
        self.database.store.close().await.unwrap();
        match self.remains {
            Remains::Directory(directory) => directory.close().unwrap(),
            Remains::Database { admin_url, name } => {
                let admin = direct(&admin_url).await;
                admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
                admin.close().await.unwrap();
            }
        }
        if let Err(failed) = ended {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// The server for tests, from the environment.
pub(super) fn postgresql_url() -> String {
    std::env::var("THUMBLINE_TEST_DATABASE_URL")
        .expect("set THUMBLINE_TEST_DATABASE_URL to postgres://user:password@host:port/database, or run `make test`")
}

pub(super) fn config(url: String) -> Config {
    Config { url, connections_max: 8, acquire_timeout_seconds: 20 }
}

async fn open(config: Config) -> Store {
    let store = Database::connect(&config).await.unwrap();
    store.migrate().await.unwrap();
    Store { store, config }
}

/// A connection past the store.
async fn direct(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1);
    sea_orm::Database::connect(options).await.unwrap()
}
