//! What stands behind the `BlobStore` and `SourceStore` ports: local directories, and S3 and what speaks like it.

mod config;
mod counted;
mod local;
mod reading;
mod s3;
mod sources;

use std::sync::Arc;

use shared::config::Problem;
use shared::ports::blob_store::{BlobStore, SourceStore};

pub use config::{AwsEnvironment, Config, SourceBucketConfig, check_sources};

use self::config::Location;
use self::counted::Counted;

/// Opens the store of our own blobs. A local directory is made if need be; an S3 server is not asked for anything yet:
/// [`BlobStore::ping`] does that.
pub fn open(config: &Config) -> Result<Arc<dyn BlobStore>, Vec<Problem>> {
    let mut problems = Vec::new();
    config.check(&mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    match config.location().map_err(|problem| vec![problem])? {
        Location::Directory(root) => {
            let store = local::LocalStore::open(&root).map_err(|error| vec![unusable(config, &error)])?;
            Ok(Arc::new(Counted(store)))
        }
        Location::Bucket { bucket, prefix } => {
            let client = s3::Client::new(&config.s3_settings(), s3::http_client());
            Ok(Arc::new(Counted(s3::S3Store::new(client.bucket(bucket, prefix)))))
        }
    }
}

/// Opens the buckets that events may name, and our own blobs for sources that were uploaded through the API.
pub fn open_sources(
    sources: &[SourceBucketConfig],
    config: &Config,
    own: Arc<dyn BlobStore>,
) -> Result<Arc<dyn SourceStore>, Vec<Problem>> {
    let mut problems = Vec::new();
    check_sources(sources, config, &mut problems);
    if problems.is_empty() {
        Ok(Arc::new(Counted(sources::Sources::open(sources, config, own)?)))
    } else {
        Err(problems)
    }
}

fn unusable(config: &Config, error: &std::io::Error) -> Problem {
    let remedy = format!("name a directory that this process can make and write to ({error})");
    Problem::new("blobs.url", &config.url, remedy)
}
