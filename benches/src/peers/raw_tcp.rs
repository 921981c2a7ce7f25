//! TCP without any cryptography: what the kernel makes of it.

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::byte_stream::{Reading, Single, Writing};
use super::tcp::Listening;
use crate::transport::{Link, Multiplexing, Peer};
use crate::{Error, Identity};

pub(super) struct RawTcp;

impl Peer for RawTcp {
    type Link = RawLink;

    fn name(&self) -> &'static str {
        "raw TCP"
    }

    fn multiplexing(&self) -> Multiplexing {
        Multiplexing::No
    }

    async fn link(&self, _identity: &Identity, _streams: u32) -> Result<RawLink, Error> {
        Ok(RawLink(Listening::new().await?))
    }
}

pub(super) struct RawLink(Listening);

impl Link for RawLink {
    type Session = Single<Writing<OwnedWriteHalf>, Reading<OwnedReadHalf>>;

    async fn establish(&self) -> Result<(Self::Session, Self::Session), Error> {
        let (near, far) = self.0.pair().await?;
        let session = |tcp: tokio::net::TcpStream| {
            let (receive, send) = tcp.into_split();
            Single::new(Writing(send), Reading(receive))
        };
        Ok((session(near), session(far)))
    }
}
