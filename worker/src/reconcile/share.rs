//! Equal content is rendered once: takes over what another version of the same bytes has, or waits for who makes it.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::domain::failure::Failure;
use shared::domain::file::ByteFacts;
use shared::domain::ids::{ClaimToken, Tenant};
use shared::domain::plan;
use shared::domain::preset::Preset;
use shared::domain::representation::{Content, Outcome};
use shared::ports::state_store::{Claim, Made, Rest, Shared, Sharing};

use super::attempt::{Attempted, recorded, recorded_picture};
use crate::metrics;
use crate::put::copy_page;
use crate::worker::Worker;

/// Until somebody looks again whether the other version has made it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Pages of another tenant that are copied at the same time.
const COPIES_AT_ONCE: usize = 4;

/// Takes over what there is of these presets, and puts off what somebody else makes right now; returns what is left to
/// render. Whatever another version ran into is none of this one's business: only what it has made is taken over.
pub(super) async fn share(
    worker: &Worker,
    claim: &Claim,
    token: &ClaimToken,
    counted: ByteFacts,
    presets: Vec<Preset>,
    attempted: &mut Attempted,
) -> Result<Vec<Preset>, Failure> {
    let version = claim.state.version.id;
    let wanted: Vec<_> = presets.iter().map(plan::wanted).collect();
    let sharing = if worker.deps.config.share_across_tenants { Sharing::AcrossTenants } else { Sharing::WithinTenant };
    let asking = || worker.deps.store.share(version, token, counted, &wanted, sharing);
    let Shared { made, rest } = recorded(worker, asking).await?;
    for made in made {
        take_over(worker, claim, made, attempted).await?;
    }
    let left: Vec<Preset> = presets.into_iter().filter(|preset| !attempted.has_outcome(&preset.name)).collect();
    if rest == Rest::Elsewhere {
        let later = left.into_iter().map(|preset| (preset.name, Outcome::Wait { wait: LOOK_AGAIN }));
        attempted.outcomes.extend(later);
        return Ok(Vec::new());
    }
    Ok(left)
}

async fn take_over(worker: &Worker, claim: &Claim, made: Made, attempted: &mut Attempted) -> Result<(), Failure> {
    let content = under_own_tenant(worker, &claim.state.file.tenant, made.content).await?;
    if attempted.picture.is_none() {
        attempted.picture = Some(made.picture);
        recorded_picture(worker, claim, made.picture).await?;
    }
    metrics::taken_over();
    tracing::debug!(file_version.id = %claim.state.version.id, preset = %made.preset, "taken over from {}", made.version);
    attempted.taken_over.push((made.preset.clone(), made.version));
    attempted.outcomes.push((made.preset, Outcome::Success(content)));
    Ok(())
}

/// Keys of blobs name their tenant: what belongs to another one is copied.
async fn under_own_tenant(worker: &Worker, tenant: &Tenant, content: Content) -> Result<Content, Failure> {
    let copies = content.pages().to_vec().into_iter().map(|page| copy_page(worker, tenant, page));
    let pages = stream::iter(copies).buffered(COPIES_AT_ONCE).try_collect().await?;
    Ok(Content::new(pages).unwrap_or(content))
}
