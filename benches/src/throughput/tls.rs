//! The floor: tokio-rustls, one TLS 1.3 connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::CipherSuite;
use rustls::pki_types::ServerName;
use tcpls_benches::{Error, Identity, SERVER_NAME, only_suite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{Load, stopwatch, tcp_pair};

/// Moves the load through a TLS connection.
pub(crate) async fn run(load: Load, identity: &Identity) -> Result<Duration, Error> {
    let provider = Arc::new(only_suite(
        rustls::crypto::aws_lc_rs::default_provider(),
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ));
    let connector = TlsConnector::from(Arc::new(identity.client(&provider)?));
    let acceptor = TlsAcceptor::from(Arc::new(identity.server(&provider)?));
    let (near, far) = tcp_pair().await?;
    let (near, far) = tokio::join!(
        connector.connect(ServerName::try_from(SERVER_NAME)?, near),
        acceptor.accept(far)
    );
    let (mut near, mut far) = (near?, far?);
    let start = stopwatch();
    let sender = tokio::spawn(async move {
        let block = vec![7; load.write];
        let mut left = load.bytes;
        while left > 0 {
            let piece = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            near.write_all(block.get(..piece).unwrap_or_default())
                .await?;
            left -= u64::try_from(piece)?;
        }
        near.shutdown().await?;
        Ok::<_, Error>(near)
    });
    let mut buffer = vec![0; 256 * 1024];
    let mut received = 0;
    while received < load.bytes {
        match far.read(&mut buffer).await? {
            0 => return Err("the connection ended early".into()),
            count => received += u64::try_from(count)?,
        }
    }
    sender.await??;
    Ok(start.elapsed())
}
