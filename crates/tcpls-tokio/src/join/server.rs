//! The server's side of a join.

use std::sync::{Arc, Weak};

use bytes::BytesMut;
use tcpls_core::ConnectionStart;
use tcpls_core::crypto::{
    HandshakeInfo, JoinHello, KeyError, OpenedRecord, RecordOpener, SessionKeys,
};
use tcpls_core::wire::ConnectionId;
use tcpls_core::wire::hello::CipherSuite;
use tcpls_core::wire::hello::join::size::{ServerFlight, within_amplification};
use tcpls_core::wire::hello::join::{JoinRequest, JoinShape};
use tokio::io::AsyncWriteExt;

use super::JOIN_TIMEOUT;
use crate::config::Random;
use crate::establish::NewConnection;
use crate::handshake;
use crate::io::Transport;
use crate::pending::Pending;
use crate::registry::Registration;
use crate::shared::Shared;
use crate::token_table::Entry;

/// A session of this server, for connections that want to join it.
pub(crate) struct Member {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) keys: SessionKeys,
    pub(crate) info: HandshakeInfo,
    pub(crate) random: Random,
    /// Those who have not proved themselves.
    pub(crate) joins: Pending,
}

/// Answers a join whose token was found, and lets it prove itself in a task of its own. `received` is
/// what came after the hello, `total` the bytes that came at all.
///
/// Gives the transport back when the join is to be refused.
pub(crate) async fn answer(
    hello: &JoinHello,
    entry: Entry,
    mut transport: Transport,
    received: BytesMut,
    total: usize,
) -> Result<(), Transport> {
    let connection = entry.connection;
    let Some(member) = entry.member().await else {
        return Err(transport);
    };
    let Some((redeemed, answer)) = accept(hello, &member, connection) else {
        return Err(transport);
    };
    if transport.write.write_all(&answer.bytes).await.is_err()
        || transport.write.flush().await.is_err()
    {
        return Ok(());
    }
    let pending = PendingJoin {
        redeemed,
        transport,
        received,
        opener: answer.opener,
        shape: answer.shape,
        total,
        sent: answer.bytes.len(),
    };
    answer.joins.spawn(pending.run());
    Ok(())
}

/// What a join is answered with.
struct Answer {
    bytes: Vec<u8>,
    shape: JoinShape,
    opener: RecordOpener,
    joins: Pending,
}

fn accept(
    hello: &JoinHello,
    member: &Weak<Member>,
    connection: ConnectionId,
) -> Option<(Redeemed, Answer)> {
    let live = member.upgrade()?;
    let start = live
        .shared
        .update(|state, _| state.core.redeem_token(connection))
        .ok()?;
    let redeemed = Redeemed {
        member: Some(Weak::clone(member)),
        start,
    };
    let hello = hello.client_hello().ok()?;
    if hello.server_name().ok()? != live.info.server_name.as_deref() {
        return None;
    }
    let request = JoinRequest::parse(&hello).ok()?;
    let suite = CipherSuite::from_wire(live.info.suite.code_point());
    let mut bytes = Vec::new();
    live.random.with(|random| {
        request.answer(suite, random, &mut bytes);
    })?;
    let keys = Arc::clone(&live.keys.receive);
    let opener = start.opener(keys).ok()?;
    let shape = request.shape();
    Some((
        redeemed,
        Answer {
            bytes,
            shape,
            opener,
            joins: live.joins.clone(),
        },
    ))
}

/// A token that was presented. Unless its connection gets into the session, the session is told that
/// the join failed.
struct Redeemed {
    member: Option<Weak<Member>>,
    start: ConnectionStart,
}

impl Drop for Redeemed {
    fn drop(&mut self) {
        if let Some(member) = self.member.take().and_then(|member| member.upgrade()) {
            member
                .shared
                .update(|state, _| state.core.handle_join_failure(self.start.id));
        }
    }
}

/// A connection whose client has shown a token and not yet that it has the session's keys. It gets
/// nothing protected (reading A-21).
struct PendingJoin {
    redeemed: Redeemed,
    transport: Transport,
    received: BytesMut,
    opener: RecordOpener,
    shape: JoinShape,
    total: usize,
    sent: usize,
}

impl PendingJoin {
    async fn run(mut self) {
        match tokio::time::timeout(JOIN_TIMEOUT, self.first_record()).await {
            Ok(Some(first)) => {
                if let Err(error) = self.attach(first) {
                    tracing::warn!(%error, "a joined connection has no keys");
                }
            }
            Ok(None) => tracing::debug!("a join did not prove itself"),
            Err(_) => tracing::debug!("a join did not prove itself in time"),
        }
    }

    /// The first record, if it is authentic.
    async fn first_record(&mut self) -> Option<OpenedRecord> {
        loop {
            match self.opener.open_next(&mut self.received) {
                Ok(Some(record)) => return Some(record),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "the first record of a join");
                    return None;
                }
            }
            match handshake::read(&mut self.transport, &mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.total += count,
            }
        }
    }

    fn attach(self, first: OpenedRecord) -> Result<(), KeyError> {
        let mut redeemed = self.redeemed;
        let Some(member) = redeemed.member.take().and_then(|weak| weak.upgrade()) else {
            return Ok(());
        };
        let flight = ServerFlight {
            suite: CipherSuite::from_wire(member.info.suite.code_point()),
            protocol: member.info.alpn.as_ref().map_or(0, Vec::len),
            certificates: None,
        };
        let size = within_amplification(flight.first_record(self.shape), self.total, self.sent);
        let start = ConnectionStart {
            record_sizes: [size.unwrap_or(0), 0],
            ..redeemed.start
        };
        let connection = NewConnection {
            keys: &member.keys,
            start,
            transport: self.transport,
            received: self.received,
            opener: self.opener,
            first: Some(first),
            answer: None,
            prefix: Vec::new(),
        };
        connection.attach(&member.shared, &member.registration)?;
        Ok(())
    }
}
