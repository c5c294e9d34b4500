//! What the network does: connections cut, late, silent; and answers of the store that are refused or end in the middle.

use std::time::Duration;

use super::Kind;
use crate::proxy::{Mode, Proxy};
use crate::servers::Servers;

/// Every piece of a delayed connection comes so much later: ten thousand statements a minute still get through.
const DELAY: Duration = Duration::from_millis(40);

/// The proxy that a kind of fault is about.
pub(super) fn proxy(kind: Kind, servers: &Servers) -> Option<&Proxy> {
    match kind {
        Kind::BrokerCut | Kind::BrokerDelayed | Kind::BrokerHangs => Some(&servers.broker_proxy),
        Kind::DatabaseCut | Kind::DatabaseDelayed | Kind::DatabaseHangs => Some(&servers.database_proxy),
        Kind::StoreCut | Kind::StoreDelayed | Kind::StoreRefuses | Kind::StoreHangs | Kind::StoreTruncates => {
            Some(&servers.store_proxy)
        }
        _ => None,
    }
}

/// For so long; a cut is over at once.
pub(super) async fn hurt(kind: Kind, proxy: &Proxy, lasts: Duration) {
    let mode = match kind {
        Kind::BrokerDelayed | Kind::DatabaseDelayed | Kind::StoreDelayed => Mode::Delay(DELAY),
        Kind::BrokerHangs | Kind::DatabaseHangs | Kind::StoreHangs => Mode::Hang,
        Kind::StoreRefuses => Mode::Refuse,
        Kind::StoreTruncates => Mode::Truncate,
        _ => {
            tokio::time::sleep(lasts).await;
            return proxy.cut();
        }
    };
    proxy.set(mode);
    tokio::time::sleep(lasts).await;
    proxy.set(Mode::Forward);
}
