//! What is done with the transports, one file each.

mod bulk;
mod establish;
mod idle;
mod join;
mod patterns;
mod requests;
mod small_streams;

use tcpls_benches::Identity;
use tcpls_benches::transport::Peer;

use self::bulk::Bulk;
use self::requests::InFlight;
use crate::arguments::Effort;
use crate::subject::Outcome;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    Bulk(Bulk),
    SmallStreams,
    Requests(InFlight),
    Idle,
    Establish,
    Join,
}

impl Workload {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 12] = [
        Self::Bulk(Bulk::Upload),
        Self::Bulk(Bulk::Download),
        Self::Bulk(Bulk::Both),
        Self::Bulk(Bulk::HundredStreams),
        Self::Bulk(Bulk::ThousandStreams),
        Self::Bulk(Bulk::TenThousandStreams),
        Self::SmallStreams,
        Self::Requests(InFlight::One),
        Self::Requests(InFlight::Hundred),
        Self::Idle,
        Self::Establish,
        Self::Join,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bulk(bulk) => bulk.name(),
            Self::SmallStreams => "small streams of 64 KiB",
            Self::Requests(in_flight) => in_flight.name(),
            Self::Idle => "1,000 idle streams",
            Self::Establish => "establishments",
            Self::Join => "joins",
        }
    }

    /// Measures it once.
    pub(crate) async fn run<P: Peer>(
        self,
        peer: &P,
        effort: Effort,
        identity: &Identity,
    ) -> Outcome {
        match self {
            Self::Bulk(bulk) => bulk::run(bulk, peer, effort, identity).await,
            Self::SmallStreams => small_streams::run(peer, effort, identity).await,
            Self::Requests(in_flight) => requests::run(in_flight, peer, effort, identity).await,
            Self::Idle => tokio::task::block_in_place(|| idle::run(peer, effort, identity)),
            Self::Establish => establish::run(peer, effort, identity).await,
            Self::Join => join::run(peer, effort, identity).await,
        }
    }
}
