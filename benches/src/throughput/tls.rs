//! The floor: tokio-rustls, one TLS 1.3 connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::CipherSuite;
use rustls::pki_types::ServerName;
use tcpls_benches::{Error, Identity, SERVER_NAME, only_suite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{Load, bulk, tcp_pair};

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
    bulk::transfer(near?, far?, load).await
}
