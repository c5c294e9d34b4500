//! Waits until nothing is left to do, or nothing moves any more.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::FromQueryResult;
use tokio::time::Instant;

use super::{broker, seen};
use crate::system::System;

/// When nothing changes for so long, what is left is stuck. Longer than any wait of the configuration.
const STUCK: Duration = Duration::from_secs(90);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Looks in a row that must find nothing to do: a wake may be on its way between two of them.
const LOOKS: u32 = 3;

/// What there is still to do, and a sign of anything moving.
#[derive(Debug, Default, PartialEq, Eq, FromQueryResult)]
struct Left {
    waiting: i64,
    entries: i64,
    untold: i64,
}

/// `true` when everything was done; `false` when it got stuck, which the rules will tell.
pub(crate) async fn until_quiet(system: &Arc<System>, tell: impl Fn(&str)) -> anyhow::Result<bool> {
    let left = format!(
        "SELECT (SELECT count(*) FROM representation WHERE state IN ('pending', 'viewable')) AS waiting,
                (SELECT count(*) FROM ledger) AS entries, ({}) AS untold",
        seen::UNTOLD
    );
    let (mut last, mut changed, mut quiet) = (Left::default(), Instant::now(), 0);
    let mut queued = std::collections::BTreeMap::new();
    while changed.elapsed() < STUCK {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let Some(now) = system.database.rows::<Left>(&left).await?.pop() else { continue };
        let messages = broker::left(system).await?;
        quiet = if now.waiting == 0 && now.untold == 0 && messages.is_empty() { quiet + 1 } else { 0 };
        if quiet == LOOKS {
            return Ok(true);
        }
        if now != last || messages != queued {
            tell(&format!("waiting for {} representations, {} news and {:?}", now.waiting, now.untold, messages));
            (last, queued, changed) = (now, messages, Instant::now());
        }
    }
    Ok(false)
}
