//! Production's shape: API and worker processes over RabbitMQ, PostgreSQL and S3, with a proxy before each of them.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;

use super::{Executable, Member, System, TOKEN, asked};
use crate::guard::Guard;
use crate::options::Options;
use crate::servers::{Servers, database::Database, through};

/// Shards of each lane.
const SHARDS: &str = "2";

/// Starts everything and returns once every API answers.
pub(crate) async fn start(guard: &Arc<Guard>, executable: Executable, options: &Options) -> anyhow::Result<System> {
    let servers = Servers::start(guard, options.cluster).await?;
    let name = format!("chaos{:012x}", rand::random::<u64>() >> 16);
    let store = servers.store.client();
    for bucket in [format!("{name}-blobs"), format!("{name}-uploads")] {
        store.create_bucket().bucket(bucket).send().await.context("the S3 server does not make buckets")?;
    }
    let admin = Database::connect(&servers.database_url).await?;
    admin.execute(&format!("CREATE DATABASE \"{name}\"")).await?;
    let (server_url, _) = servers.database_url.rsplit_once('/').context("the database's URL names no database")?;
    let database_url = format!("{server_url}/{name}");
    let settings = settings(&servers, &name, &database_url, options);

    let mut apis = Vec::new();
    for number in 0..options.apis {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::ports::free()));
        let listen = address.to_string();
        let arguments = ["api", "--listen", &listen];
        apis.push(Member::new(guard, &format!("api{number}"), &executable, &arguments, &settings, Some(address)));
    }
    let worker = |number| Member::new(guard, &format!("worker{number}"), &executable, &["worker"], &settings, None);
    let system = System {
        apis,
        workers: (0..options.workers).map(worker).collect(),
        database: Database::connect(&database_url).await?,
        servers: Some(servers),
        name,
        executable,
        blob_directory: None,
        guard: Arc::clone(guard),
        settings,
    };
    let migrated = system.command(&["migrate"]).output()?;
    anyhow::ensure!(migrated.status.success(), "migrate failed: {}", String::from_utf8_lossy(&migrated.stderr));
    for member in system.apis.iter().chain(&system.workers) {
        member.start(guard, &[]).await?;
    }
    Ok(system)
}

fn settings(servers: &Servers, name: &str, database_url: &str, options: &Options) -> Vec<(String, String)> {
    let sources = serde_json::json!([{ "bucket": format!("{name}-uploads"), "tenant": "acme" }]);
    let settings = [
        ("DATABASE__URL", through(database_url, servers.database_proxy.address)),
        ("QUEUE__URL", through(&servers.amqp_url, servers.broker_proxy.address)),
        ("QUEUE__NAMESPACE", format!("{name}.")),
        ("QUEUE__SHARDS", SHARDS.to_owned()),
        ("BLOBS__URL", format!("s3://{name}-blobs/some/prefix")),
        ("BLOBS__ENDPOINT", through(&servers.store.endpoint, servers.store_proxy.address)),
        ("BLOBS__ACCESS_KEY_ID", servers.store.access_key.clone()),
        ("BLOBS__SECRET_ACCESS_KEY", servers.store.secret_key.clone()),
        ("SOURCES", sources.to_string()),
        ("OPS__LISTEN", "127.0.0.1:0".to_owned()),
        ("AUTH__MODE", "token".to_owned()),
        ("AUTH__TOKEN", TOKEN.to_owned()),
    ];
    let ours = settings.into_iter().map(|(key, value)| (format!("THUMBLINE__{key}"), value));
    ours.chain(asked(options)).collect()
}
