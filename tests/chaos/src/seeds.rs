//! Kept seeds: runs that once found something, or that `make test` repeats.

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::faults::Kind;
use crate::options::{Options, Shape};

const KEPT: &str = include_str!("../seeds.toml");

/// One entry of `seeds.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) name: String,
    /// Why it is kept.
    pub(crate) why: String,
    seed: u64,
    uploads: u32,
    faults: u32,
    shape: Shape,
    #[serde(default)]
    pack: u32,
    #[serde(default)]
    only: Vec<Kind>,
}

#[derive(Deserialize)]
struct File {
    run: Vec<Kept>,
}

/// The kept runs that `name` means: one, or `all`.
pub(crate) fn find(name: &str) -> anyhow::Result<Vec<Kept>> {
    let File { run } = toml::from_str(KEPT).context("tests/chaos/seeds.toml cannot be read")?;
    if name == "all" {
        return Ok(run);
    }
    let known: Vec<String> = run.iter().map(|kept| kept.name.clone()).collect();
    match run.into_iter().find(|kept| kept.name == name) {
        Some(kept) => Ok(vec![kept]),
        None => bail!("there is no kept seed {name:?}; tests/chaos/seeds.toml has {}", known.join(", ")),
    }
}

impl Kept {
    /// The run as options; servers, executable and report stay as they were asked for.
    pub(crate) fn options(&self, asked: &Options) -> Options {
        Options {
            seed: self.seed,
            uploads: self.uploads,
            faults: self.faults,
            shape: self.shape,
            pack: self.pack,
            only: self.only.clone(),
            ..asked.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kept_seed_can_be_read_and_an_unknown_one_names_the_others() {
        let all = find("all").unwrap();
        assert!(!all.is_empty() && all.iter().all(|kept| !kept.why.is_empty()));
        assert_eq!(find(&all[0].name).unwrap().len(), 1);
        let error = find("no-such").unwrap_err().to_string();
        assert!(error.contains(&all[0].name), "{error}");
    }
}
