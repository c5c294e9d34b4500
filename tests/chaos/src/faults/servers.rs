//! What happens to servers of our own: killed, restarted, recovered.

use std::sync::Arc;

use super::Kind;
use crate::guard::Guard;
use crate::servers::Servers;

/// Returns once the server takes connections again.
pub(super) async fn hurt(kind: Kind, servers: &Servers, guard: &Arc<Guard>, which: u32) -> anyhow::Result<()> {
    let front = &servers.broker_proxy;
    match (kind, &servers.postgres, &servers.brokers) {
        (Kind::DatabaseKilled, Some(postgres), _) => postgres.kill(guard).await,
        (Kind::DatabaseRestarted, Some(postgres), _) => postgres.restart(guard).await,
        (Kind::DatabaseCrashed, Some(postgres), _) => postgres.crash(which).await,
        (Kind::BrokerKilled, _, Some(brokers)) => brokers.hurt(guard, which, true, front).await,
        (Kind::BrokerRestarted, _, Some(brokers)) => brokers.hurt(guard, which, false, front).await,
        _ => Ok(()),
    }
}

impl Kind {
    /// Whether it is done to a server itself, which then has to be ours.
    pub(crate) fn hurts_broker(self) -> bool {
        matches!(self, Self::BrokerKilled | Self::BrokerRestarted)
    }

    /// The same for the database.
    pub(crate) fn hurts_database(self) -> bool {
        matches!(self, Self::DatabaseKilled | Self::DatabaseRestarted | Self::DatabaseCrashed)
    }
}
