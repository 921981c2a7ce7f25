//! TCPLS: one session, one stream, over one connection or several.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::CipherSuite;
use rustls::pki_types::ServerName;
use tcpls_benches::{Error, Identity, SERVER_NAME, only_suite};
use tcpls_tokio::{
    Acceptor, ClientConfig, ConnectError, Connector, Failover, ServerConfig, Session,
    SessionConfig, TransportConfig, provider,
};

use crate::{Load, bulk, stopwatch, tcp_pair};

/// Through `AsyncWrite` and `AsyncRead`, as a program written for TLS does it.
pub(crate) async fn copying(load: Load, identity: &Identity) -> Result<Duration, Error> {
    let (near, far) = sessions(identity, Setup::default()).await?;
    let (send, receive) = near.open_bi().await?;
    let (far_send, far_receive) = far.accept_bi().await?;
    let took = bulk::transfer(send, far_receive, load).await?;
    drop((receive, far_send));
    Ok(took)
}

/// Through refcounted chunks, which are neither copied in nor out.
pub(crate) async fn chunks(
    load: Load,
    identity: &Identity,
    setup: Setup,
) -> Result<Duration, Error> {
    let (near, far) = sessions(identity, setup).await?;
    let (mut send, receive) = near.open_bi().await?;
    let (far_send, mut far_receive) = far.accept_bi().await?;
    let start = stopwatch();
    let sender = tokio::spawn(async move {
        let block = Bytes::from(vec![7; load.write]);
        let mut left = load.bytes;
        while left > 0 {
            let piece = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            send.write_chunk(block.slice(..piece)).await?;
            left -= u64::try_from(piece)?;
        }
        send.finish()?;
        Ok::<_, Error>(send)
    });
    let mut received = 0;
    while received < load.bytes {
        match far_receive.read_chunk(usize::MAX).await? {
            None => return Err("the stream ended early".into()),
            Some(chunk) => received += u64::try_from(chunk.len())?,
        }
    }
    let took = start.elapsed();
    drop((sender.await??, receive, far_send));
    Ok(took)
}

/// What the sessions are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) failover: Failover,
    pub(crate) connections: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            failover: Failover::Resend,
            connections: 1,
        }
    }
}

impl Setup {
    fn transport(self) -> Arc<TransportConfig> {
        let mut session = SessionConfig::new();
        session.failover(self.failover);
        if self.failover == Failover::Off {
            // The peer keeps nothing either, so nothing waits for acknowledgments.
            session
                .ack_after_records(u32::MAX)
                .ack_after_bytes(usize::MAX)
                .ack_delay(Duration::from_secs(1));
        }
        let mut transport = TransportConfig::default();
        transport.session(session);
        Arc::new(transport)
    }
}

async fn sessions(identity: &Identity, setup: Setup) -> Result<(Session, Session), Error> {
    let provider = Arc::new(provider(&only_suite(
        rustls::crypto::aws_lc_rs::default_provider(),
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    )));
    let mut client = ClientConfig::new(&Arc::new(identity.client(&provider)?))?;
    client.transport_config(setup.transport());
    let mut server = ServerConfig::new(&Arc::new(identity.server(&provider)?))?;
    server.transport_config(setup.transport());
    let (connector, acceptor) = (Connector::new(client), Acceptor::new(server));
    let (near, far) = tcp_pair().await?;
    let (near, far) = tokio::join!(
        connector.connect(ServerName::try_from(SERVER_NAME)?, near),
        acceptor.accept(far)
    );
    let sessions = (near?, far?);
    for _ in 1..setup.connections {
        let (near, far) = tcp_pair().await?;
        let (path, joined) = tokio::join!(sessions.0.join_over(near), acceptor.accept(far));
        path?;
        match joined {
            Err(ConnectError::Joined) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("a connection did not join".into()),
        }
    }
    Ok(sessions)
}
