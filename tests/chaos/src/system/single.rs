//! The all-in-one: one process over SQLite, local files and the queue within it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::{Executable, Member, System, TOKEN, asked};
use crate::faults::disk;
use crate::guard::Guard;
use crate::options::Options;
use crate::servers::database::Database;

/// Room for blobs where they have a file system of their own.
const ROOM: &str = "size=512m";
/// The database is there once the process has made it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

/// Starts it and returns once its database is there.
pub(crate) async fn start(guard: &Arc<Guard>, executable: Executable, options: &Options) -> anyhow::Result<System> {
    let data = guard.subdirectory("data")?;
    let blobs = guard.subdirectory("data/blobs")?;
    mount(guard, &blobs)?;
    let address = SocketAddr::from(([127, 0, 0, 1], crate::ports::free()));
    let settings =
        [("OPS__LISTEN", String::new()), ("AUTH__MODE", "token".to_owned()), ("AUTH__TOKEN", TOKEN.to_owned())];
    let ours = settings.into_iter().map(|(key, value)| (format!("THUMBLINE__{key}"), value));
    let mut settings: Vec<(String, String)> = ours.chain(asked(options)).collect();
    let (listen, directory) = (address.to_string(), data.display().to_string());
    let arguments = ["all", "--listen", &listen, "--data", &directory];
    let member = Member::new(guard, "all", &executable, &arguments, &settings, Some(address));
    member.start(guard, &[]).await?;
    let database = database(&data.join("thumbline.db")).await?;
    // Commands beside the roles take no --data.
    settings.push(("THUMBLINE__DATABASE__URL".to_owned(), format!("sqlite:{directory}/thumbline.db")));
    settings.push(("THUMBLINE__BLOBS__URL".to_owned(), format!("file:{directory}/blobs")));
    Ok(System {
        apis: vec![Arc::clone(&member)],
        workers: vec![member],
        database,
        servers: None,
        name: "chaos".to_owned(),
        executable,
        blob_directory: Some(blobs),
        guard: Arc::clone(guard),
        settings,
    })
}

/// A small file system that can be filled without filling the machine's, where one can be made.
fn mount(guard: &Guard, blobs: &Path) -> anyhow::Result<()> {
    if !disk::can_be_filled() {
        return Ok(());
    }
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", ROOM, "tmpfs"]).arg(blobs).output()?;
    anyhow::ensure!(mounted.status.success(), "mount: {}", String::from_utf8_lossy(&mounted.stderr));
    guard.mounted(blobs)
}

async fn database(path: &Path) -> anyhow::Result<Database> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let url = format!("sqlite:{}?mode=ro", path.display());
    loop {
        let tried = async {
            let database = Database::connect(&url).await?;
            database.number("SELECT count(*) AS number FROM representation").await?;
            anyhow::Ok(database)
        };
        match tried.await {
            Ok(database) => return Ok(database),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error.context("it makes no database")),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}
