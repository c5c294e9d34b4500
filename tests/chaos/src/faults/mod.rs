//! Everything that can be done to a running Thumbline.

mod connections;
pub(crate) mod disk;
mod processes;
mod servers;
mod strike;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use strike::{Struck, possible, strike_all};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// `kill -9` of a worker, or of the one process; it is started again at once.
    WorkerKilled,
    /// `kill -9` of an API process; it is started again at once.
    ApiKilled,
    /// `kill -9` of a render child, while it renders where one does.
    ChildKilled,
    /// A worker is stopped for longer than its leases last, then goes on.
    WorkerFrozen,
    /// A worker is started again with its clock hours off, and later with the right one.
    WorkerClock,
    /// Every connection to the broker is cut.
    BrokerCut,
    /// Every byte to and from the broker comes late.
    BrokerDelayed,
    /// Nothing gets through to the broker, but connections stay open.
    BrokerHangs,
    /// `kill -9` of the broker, or of one of its nodes.
    BrokerKilled,
    /// The broker, or one of its nodes, is asked to end, and is started again.
    BrokerRestarted,
    /// Every connection to the database is cut.
    DatabaseCut,
    /// Every byte to and from the database comes late.
    DatabaseDelayed,
    /// Nothing gets through to the database, but connections stay open.
    DatabaseHangs,
    /// `kill -9` of the database.
    DatabaseKilled,
    /// `kill -9` of one of the database's own processes: it recovers by itself, and cuts every connection.
    DatabaseCrashed,
    /// The database is asked to end at once, and is started again.
    DatabaseRestarted,
    /// Every connection to the store is cut.
    StoreCut,
    /// Every byte to and from the store comes late.
    StoreDelayed,
    /// The store answers 503 Slow Down.
    StoreRefuses,
    /// Nothing gets through to the store, but connections stay open.
    StoreHangs,
    /// The store's answers end in the middle.
    StoreTruncates,
    /// There is no room for blobs.
    DiskFull,
}

impl Kind {
    /// How often it is chosen, beside the others.
    pub(crate) fn weight(self) -> u32 {
        match self {
            Self::WorkerKilled | Self::ChildKilled => 8,
            Self::BrokerCut | Self::DatabaseCut | Self::StoreCut | Self::StoreRefuses | Self::StoreTruncates => 4,
            Self::ApiKilled | Self::DatabaseKilled | Self::DatabaseCrashed | Self::DiskFull => 3,
            Self::WorkerFrozen | Self::BrokerDelayed | Self::DatabaseDelayed | Self::StoreDelayed => 2,
            Self::BrokerHangs | Self::DatabaseHangs | Self::StoreHangs | Self::DatabaseRestarted => 2,
            Self::WorkerClock | Self::BrokerKilled | Self::BrokerRestarted => 1,
        }
    }

    /// The shortest and the longest that it lasts, milliseconds; for what is over at once, how long before it strikes.
    pub(crate) fn lasts(self) -> (u64, u64) {
        match self {
            // Leases last 4 s.
            Self::WorkerFrozen => (6000, 9000),
            Self::WorkerClock => (3000, 6000),
            Self::BrokerDelayed | Self::DatabaseDelayed | Self::StoreDelayed => (1000, 4000),
            Self::BrokerHangs | Self::DatabaseHangs | Self::StoreHangs => (1000, 6000),
            Self::StoreRefuses | Self::StoreTruncates | Self::DiskFull => (500, 3000),
            _ => (0, 300),
        }
    }

    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
