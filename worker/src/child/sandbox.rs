//! Section `[sandbox]` of the configuration: which layers a render child locks itself behind.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::config::Problem;

/// Section `[sandbox]`; every key is explained in `config.default.toml`.
///
/// A layer that the kernel offers is always set up, and failing to is always an error: `required` only says which
/// layers the kernel must offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// Whether there is a sandbox at all.
    pub mode: Mode,
    /// The layers without which no child renders.
    pub required: Vec<Layer>,
    /// Whether one child may render sources of several tenants, one after the other.
    pub share_children_across_tenants: bool,
}

/// Whether there is a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Children lock themselves in, or do not render.
    On,
    /// Resource limits only; for machines that have nothing else, on loopback listeners.
    Off,
}

/// One thing that holds a child back, whatever the others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Address space, output, descriptors, processes.
    Rlimits,
    /// No file system, no TCP.
    Landlock,
    /// No system call but those that decoding needs.
    Seccomp,
}

impl Layer {
    /// Every layer, in the order in which a child sets them up.
    pub const ALL: [Self; 3] = [Self::Rlimits, Self::Landlock, Self::Seccomp];
    /// Every supported kernel has these; a sandbox without them is none.
    const ALWAYS: [Self; 2] = [Self::Rlimits, Self::Seccomp];

    /// As the configuration and `thumbline doctor` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rlimits => "rlimits",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Sandbox {
    /// Says everything that is wrong with it.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        for layer in Layer::ALWAYS.into_iter().filter(|layer| !self.required.contains(layer)) {
            let listed = self.required.iter().map(|layer| layer.name()).collect::<Vec<_>>().join(", ");
            let remedy = format!("{layer} is always required: add it, or set sandbox.mode = \"off\" to go without all");
            problems.push(Problem::new("sandbox.required", listed, remedy));
        }
    }

    /// Whether children lock themselves in.
    pub fn is_on(&self) -> bool {
        self.mode == Mode::On
    }

    pub(super) fn requires(&self, layer: Layer) -> bool {
        self.is_on() && self.required.contains(&layer)
    }
}

/// How one layer stands in a child that got ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerState {
    pub(super) layer: Layer,
    pub(super) standing: Standing,
}

/// Whether a layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    /// It holds; what exactly.
    Enforced(String),
    /// This kernel does not have it, and it is not required.
    Unavailable(String),
}

impl fmt::Display for LayerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.standing {
            Standing::Enforced(what) => write!(f, "{} ({what})", self.layer),
            Standing::Unavailable(why) => write!(f, "no {} ({why})", self.layer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rlimits_and_seccomp_are_always_required() {
        let problems = |required: &[Layer]| {
            let mut problems = Vec::new();
            Sandbox { mode: Mode::On, required: required.to_vec(), share_children_across_tenants: false }
                .check(&mut problems);
            problems.len()
        };
        assert_eq!(problems(&Layer::ALL), 0);
        assert_eq!(problems(&[Layer::Seccomp, Layer::Rlimits]), 0);
        assert_eq!(problems(&[Layer::Seccomp]), 1);
        assert_eq!(problems(&[Layer::Landlock]), 2);
    }

    #[test]
    fn a_layer_is_called_the_same_everywhere() {
        for layer in Layer::ALL {
            assert_eq!(serde_json::to_string(&layer).unwrap(), format!("\"{layer}\""));
        }
    }
}
