//! TCPLS: one session, one connection, one stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::CipherSuite;
use rustls::pki_types::ServerName;
use tcpls_benches::{Error, Identity, SERVER_NAME, only_suite};
use tcpls_tokio::{Acceptor, ClientConfig, Connector, ServerConfig, Session, provider};

use crate::{Load, bulk, stopwatch, tcp_pair};

/// Through `AsyncWrite` and `AsyncRead`, as a program written for TLS does it.
pub(crate) async fn copying(load: Load, identity: &Identity) -> Result<Duration, Error> {
    let (near, far) = sessions(identity).await?;
    let (send, receive) = near.open_bi().await?;
    let (far_send, far_receive) = far.accept_bi().await?;
    let took = bulk::transfer(send, far_receive, load).await?;
    drop((receive, far_send));
    Ok(took)
}

/// Through refcounted chunks, which are neither copied in nor out.
pub(crate) async fn chunks(load: Load, identity: &Identity) -> Result<Duration, Error> {
    let (near, far) = sessions(identity).await?;
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

async fn sessions(identity: &Identity) -> Result<(Session, Session), Error> {
    let provider = Arc::new(provider(&only_suite(
        rustls::crypto::aws_lc_rs::default_provider(),
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    )));
    let connector = Connector::new(ClientConfig::new(&Arc::new(identity.client(&provider)?))?);
    let acceptor = Acceptor::new(ServerConfig::new(&Arc::new(identity.server(&provider)?))?);
    let (near, far) = tcp_pair().await?;
    let (near, far) = tokio::join!(
        connector.connect(ServerName::try_from(SERVER_NAME)?, near),
        acceptor.accept(far)
    );
    Ok((near?, far?))
}
