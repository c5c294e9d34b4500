//! A Landlock ruleset that handles everything the kernel knows and allows nothing: no file system, no TCP, no signals
//! or abstract sockets beyond the child.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetError,
    RulesetStatus, Scope,
};

use crate::child::sandbox::Standing;

/// The newest interface that this code was tried on. On an older kernel the crate leaves out what that one lacks.
const NEWEST: ABI = ABI::V7;

pub(super) fn restrict() -> Result<Standing, String> {
    let status = allow_nothing().map_err(|error| error.to_string())?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => unavailable("is not enabled on this kernel"),
        (RulesetStatus::NotEnforced, _) => unavailable("this kernel has none"),
        (_, LandlockStatus::Available { effective_abi, .. }) => Standing::Enforced(what_holds(effective_abi)),
        (_, status) => return Err(format!("enforced and yet {status:?}")),
    })
}

fn allow_nothing() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

fn unavailable(why: &str) -> Standing {
    Standing::Unavailable(why.to_owned())
}

fn what_holds(abi: ABI) -> String {
    let network = if abi >= ABI::V4 { "no files, no TCP" } else { "no files" };
    format!("{network}, ABI {}", abi as i32)
}
