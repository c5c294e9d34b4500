//! The checker: reads what is left in database, bucket and queues, and says what does not hold. It knows no code of the product.

mod blobs;
mod broker;
mod collect;
pub(crate) mod expected;
pub(crate) mod figures;
mod fresh;
mod ledger;
mod quiet;
mod rules;
mod seen;
mod told;

use std::sync::Arc;

pub(crate) use broker::{delete_all, forget_none};
pub(crate) use expected::Expected;
pub(crate) use quiet::until_quiet;
pub(crate) use rules::{Rule, Violation};
pub(crate) use seen::Seen;

use crate::load::contents::Contents;
use crate::system::System;

/// Representations that every file version gets by itself.
pub(crate) const PRESETS: [&str; 5] =
    ["jpg_thumb_32x32", "jpg_thumb_94x94", "jpg_160x160", "jpg_320x320", "jpg_1024x1024"];

/// Reads everything, now that nothing of the product runs any more, and judges it.
pub(crate) async fn check(
    system: &Arc<System>,
    mut expected: Expected,
    contents: &Contents,
    tell: &dyn Fn(&str),
) -> anyhow::Result<(Seen, Vec<Violation>)> {
    tell("checking: collecting garbage with the database's clock ahead");
    collect::collect(system).await?;
    tell("checking: reading rows, queues and what was told");
    let mut seen = Seen::read(system).await?;
    tell("checking: reading every blob");
    let packed = seen.rows.iter().filter_map(seen::Row::part).collect();
    (seen.blobs, seen.parts) = blobs::read(system, packed).await?;
    tell(&format!("checking: rendering {} contents afresh", expected.contents().len()));
    expected.fresh = fresh::render(system, contents, &expected).await?;
    let violations = rules::judge(&expected, &seen);
    Ok((seen, violations))
}
