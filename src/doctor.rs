//! `thumbline doctor`: tries everything this machine and its servers must do; one line each, with the remedy.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use shared::domain::preset::PresetTable;
use worker::Admission;
use worker::child::{Layer, Pool, Proof, SealedSource, Verdict, prove};

use crate::cli::print_line;
use crate::config::{Config, Loaded};
use crate::exit::{Exit, Failed};
use crate::roles;

/// The time that one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// A picture that every working render child can render.
const SAMPLE: &[u8] = include_bytes!("demo/samples/transparent.png");

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    /// What was found.
    detail: String,
    /// What to do about it, when it is not all right.
    remedy: Option<String>,
    milliseconds: u64,
}

/// Prints all findings; exit 3 when a check failed.
pub async fn run(loaded: Result<Loaded, Failed>, json: bool) -> Result<Exit, Failed> {
    let config = loaded?.config;
    let mut findings = vec![
        examine("build", BUILD_REMEDY, async { build() }).await,
        examine("JPEG decoder", "install nasm and build again", async { simd() }).await,
        examine("render child", RENDER_REMEDY, render_in_a_child(&config)).await,
    ];
    findings.extend(formats(&config).await);
    findings.extend(sandbox(&config).await);
    findings.extend([
        examine("database", DATABASE_REMEDY, database(&config)).await,
        examine("queue", QUEUE_REMEDY, queue(&config)).await,
        examine("blobs", BLOBS_REMEDY, blobs(&config)).await,
    ]);
    findings.iter().for_each(|finding| print(finding, json));
    Ok(if findings.iter().all(|finding| finding.ok) { Exit::Success } else { Exit::DependencyAway })
}

const BUILD_REMEDY: &str = "build without `--features test-hooks`";
const RENDER_REMEDY: &str = "the worker cannot render on this machine: look at limits.raster.child_memory_bytes_max and at what \
                             confines this process";
const SANDBOX_REMEDY: &str = "a render child could break out: let the container's own profile allow seccomp and Landlock, \
                              use Linux on x86-64 or aarch64, or leave a missing layer out of sandbox.required";
const DATABASE_REMEDY: &str =
    "start the database or correct database.url; run `thumbline migrate` when its schema is behind";
const QUEUE_REMEDY: &str =
    "start the broker or correct queue.url; compare queue.namespace and queue.shards between processes";
const BLOBS_REMEDY: &str = "start the store, correct blobs.url, blobs.endpoint and the credentials, or make the bucket";

async fn examine(check: &'static str, remedy: &str, examined: impl Future<Output = anyhow::Result<String>>) -> Finding {
    let begun = Instant::now();
    let result = tokio::time::timeout(CHECK_TIMEOUT, examined).await;
    let result = result.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", CHECK_TIMEOUT.as_secs())));
    let milliseconds = begun.elapsed().as_millis() as u64;
    match result {
        Ok(detail) => Finding { check, ok: true, detail, remedy: None, milliseconds },
        Err(error) => {
            Finding { check, ok: false, detail: in_one_line(&error), remedy: Some(remedy.to_owned()), milliseconds }
        }
    }
}

/// The error and its causes; most of ours say their cause themselves.
fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.is_empty() {
        true => cause,
        false if told.contains(&cause) => told,
        false => format!("{told}: {cause}"),
    })
}

fn print(finding: &Finding, json: bool) {
    if json {
        // Strings and numbers only: it cannot fail to be written.
        print_line(&serde_json::to_string(finding).unwrap_or_default());
        return;
    }
    let mark = if finding.ok { "ok  " } else { "FAIL" };
    print_line(&format!("{mark}  {:<14} {} ({} ms)", finding.check, finding.detail, finding.milliseconds));
    if let Some(remedy) = &finding.remedy {
        print_line(&format!("      {:<14} → {remedy}", ""));
    }
}

/// A build for `make chaos` breaks its promises when it is told to.
fn build() -> anyhow::Result<String> {
    anyhow::ensure!(!cfg!(feature = "test-hooks"), "this build has test hooks: it can lose what it is given");
    Ok(format!("version {}, no test hooks", env!("CARGO_PKG_VERSION")))
}

/// Slower is not broken: a build without SIMD is told, not failed.
fn simd() -> anyhow::Result<String> {
    Ok(if render::has_simd_jpeg() {
        "built with SIMD".to_owned()
    } else {
        "libjpeg was built without SIMD, so JPEGs that are left to it (grey, ink, damaged) are slow; install nasm and build again".to_owned()
    })
}

async fn render_in_a_child(config: &Config) -> anyhow::Result<String> {
    let (limits, sandbox) = (config.limits.clone().into(), config.sandbox.clone());
    let pool = Pool::new(roles::child_command()?, limits, sandbox, 1, Admission::unbounded())?;
    let source = SealedSource::from_bytes(SAMPLE).context("cannot make a memory file")?;
    let presets = PresetTable::built_in().iter().take(1).cloned().collect();
    let answer = pool.render(None, &source, presets).await;
    pool.close().await;
    let renderings = answer.result.map_err(|failure| anyhow!("{failure}"))?;
    let facts = renderings.picture;
    Ok(format!("rendered a {} of {} in a process of its own", facts.format.name(), facts.dimensions))
}

/// One line for what can be read and one for what can be written, and one for each format that cannot.
async fn formats(config: &Config) -> Vec<Finding> {
    let begun = Instant::now();
    let proven = match roles::capabilities(config).await {
        Ok(proven) => proven,
        // The line of the render child tells it.
        Err(_) => return Vec::new(),
    };
    let sources: Vec<_> = proven.sources.iter().map(|c| (c.format.name(), c.problem.as_deref())).collect();
    let outputs: Vec<_> = proven.outputs.iter().map(|c| (c.format.name(), c.problem.as_deref())).collect();
    let milliseconds = begun.elapsed().as_millis() as u64;
    let told = |check, formats: Vec<(&'static str, Option<&str>)>| {
        let named = |is_proven: bool| -> Vec<String> {
            let picked = formats.iter().filter(|(_, problem)| problem.is_none() == is_proven);
            picked.map(|(name, problem)| problem.map_or((*name).to_owned(), |why| format!("{name} ({why})"))).collect()
        };
        let (works, fails) = (named(true).join(", "), named(false));
        let ok = fails.is_empty();
        let detail = if ok { works } else { format!("{works}; NOT {}", fails.join(", ")) };
        Finding { check, ok, detail, remedy: (!ok).then(|| RENDER_REMEDY.to_owned()), milliseconds }
    };
    vec![told("reads", sources), told("writes", outputs)]
}

/// Tries to break out of every layer; one line each.
async fn sandbox(config: &Config) -> Vec<Finding> {
    let begun = Instant::now();
    let proofs = match roles::child_command() {
        Ok(command) => prove(&command, &config.limits, &config.sandbox).await,
        // The line of the render child tells it.
        Err(_) => Vec::new(),
    };
    let milliseconds = begun.elapsed().as_millis() as u64;
    let finding = |Proof { layer, verdict }| {
        let check = match layer {
            Layer::Rlimits => "rlimits",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
        };
        let ok = |detail| Finding { check, ok: true, detail, remedy: None, milliseconds };
        match verdict {
            Verdict::Holds(how) => ok(format!("ok: {how}")),
            Verdict::Unavailable(why) => ok(format!("unavailable, and not required: {why}")),
            Verdict::Off => ok("off (sandbox.mode): render children are NOT confined".to_owned()),
            Verdict::Broken(how) => Finding { remedy: Some(SANDBOX_REMEDY.to_owned()), ok: false, ..ok(how) },
        }
    };
    proofs.into_iter().map(finding).collect()
}

async fn database(config: &Config) -> anyhow::Result<String> {
    let database = adapters::db::Database::connect(&config.database).await?;
    shared::ports::state_store::StateStore::ping(&database).await?;
    Ok("answers, and its schema is up to date".to_owned())
}

async fn queue(config: &Config) -> anyhow::Result<String> {
    if config.queue.is_in_process() {
        return Ok("within the process".to_owned());
    }
    match adapters::queue::open(&config.queue).await {
        Ok(queue) => queue.ping().await?,
        Err(error) => return Err(crate::platform::explained(config, error).await.into()),
    }
    Ok("answers, and takes messages".to_owned())
}

async fn blobs(config: &Config) -> anyhow::Result<String> {
    let blobs =
        adapters::blob::open(&config.blobs).map_err(|problems| anyhow!("{}", crate::config::Problems(problems)))?;
    blobs.ping().await?;
    let redirects = config.api.delivery == api::config::Delivery::Redirect;
    let streamed = if redirects { ", and are streamed, not redirected to" } else { "" };
    Ok(match config.worker.pack_bytes_max {
        0 => "can be written and read".to_owned(),
        most => format!("can be written and read; outputs of up to {most} bytes share an object{streamed}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_told_twice() {
        let error = anyhow!("no route to host").context("the store is away: no route to host").context("it failed");
        assert_eq!(in_one_line(&error), "it failed: the store is away: no route to host");
    }
}
