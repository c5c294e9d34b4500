//! Every blob is read, from the bucket or from the directory, and its digest taken, and that of each part that rows refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::seen::Part;
use crate::system::System;

/// In front of every key in the bucket.
const PREFIX: &str = "some/prefix/";
const READS_AT_ONCE: usize = 16;
/// What the product puts below a directory of blobs; everything else there is on its way.
const OURS: [&str; 3] = ["packs", "representations", "sources"];

/// Digests of blobs by key, and of parts of them.
type Digests = (BTreeMap<String, String>, BTreeMap<Part, String>);

/// Digests of all blobs, and of these parts as far as they are there.
pub(super) async fn read(system: &Arc<System>, parts: BTreeSet<Part>) -> anyhow::Result<Digests> {
    let mut digests = Digests::default();
    let mut take = |key: String, bytes: &[u8]| {
        let of_this = parts.iter().filter(|part| part.blob == key);
        let there = of_this.filter_map(|part| Some((part.clone(), hex(part.of(bytes)?))));
        digests.1.extend(there);
        digests.0.insert(key, hex(bytes));
    };
    match &system.blob_directory {
        Some(directory) => {
            for path in files_below(directory)? {
                take(path.strip_prefix(directory)?.display().to_string(), &std::fs::read(&path)?);
            }
        }
        None => read_bucket(system, take).await?,
    }
    Ok(digests)
}

async fn read_bucket(system: &System, mut take: impl FnMut(String, &[u8])) -> anyhow::Result<()> {
    let servers = system.servers.as_ref().context("this shape has no bucket")?;
    let (client, bucket) = (servers.store.client(), system.blobs_bucket());
    let mut keys = Vec::new();
    let mut pages = client.list_objects_v2().bucket(&bucket).into_paginator().send();
    while let Some(page) = pages.try_next().await? {
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    let reads = keys.into_iter().map(|key| {
        let (client, bucket) = (client.clone(), bucket.clone());
        async move {
            let object = client.get_object().bucket(bucket).key(&key).send().await?;
            let bytes = object.body.collect().await?.into_bytes();
            let key = key.strip_prefix(PREFIX).unwrap_or(&key).to_owned();
            anyhow::Ok((key, bytes))
        }
    });
    let mut read = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    while let Some((key, bytes)) = read.try_next().await? {
        take(key, &bytes);
    }
    Ok(())
}

/// The files of the product below a directory.
pub(super) fn files_below(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = OURS.iter().map(|name| directory.join(name)).filter(|path| path.is_dir()).collect();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// The SHA-256 as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
