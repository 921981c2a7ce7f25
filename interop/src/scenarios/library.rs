//! A peer on OpenSSL's library that knows `tcpls` and speaks frames of its own making.

use tcpls_tokio::core::crypto::Backend;

use crate::ours::{self, Setup};
use crate::scenario::Scenario;

const PEER: &str = "OpenSSL's library";

/// The rows of this module; without the feature they say what is missing.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = vec![
        Scenario::new(
            "library-client",
            PEER,
            "as a client of ours: tcpls in both hellos, a token, a stream each way, every ACK",
            |lab| async move { with_library::client(lab).await },
        ),
        Scenario::new(
            "library-client-token",
            PEER,
            "as a client of our handshake: tcpls_token in EncryptedExtensions, read and compared",
            |lab| async move { with_library::client_token(lab).await },
        ),
        Scenario::new(
            "library-server",
            PEER,
            "as a server of ours: tcpls in both hellos, a stream each way, every record's ACK",
            |lab| async move { with_library::server(lab, Setup::default()).await },
        ),
        Scenario::new(
            "library-server-resumption",
            PEER,
            "as a server of ours twice: the second session resumes the first, with tcpls again",
            |lab| async move { with_library::server_resumption(lab).await },
        ),
        Scenario::new(
            "library-alone",
            PEER,
            "as its own client and server: the peer understands itself",
            |lab| async move { with_library::alone(lab).await },
        ),
    ];
    for (suite, name) in ours::SUITES {
        for &backend in Backend::ALL {
            let label = ours::label(backend);
            let setup = Setup {
                suite: Some(suite),
                backend: Some(backend),
                ..Setup::default()
            };
            let row = Scenario::new(
                format!("library-server-{name}-{label}"),
                PEER,
                format!("as a server of ours under {name} with backend {label}"),
                |lab| async move { with_library::server(lab, setup).await },
            );
            rows.push(row.full_only());
        }
    }
    rows
}

#[cfg(feature = "openssl-peer")]
#[path = "library/with_library.rs"]
mod with_library;

#[cfg(not(feature = "openssl-peer"))]
mod with_library {
    use std::sync::Arc;

    use anyhow::Result;

    use crate::lab::Lab;
    use crate::ours::Setup;
    use crate::scenario::Skip;

    pub(super) use missing as alone;
    pub(super) use missing as client;
    pub(super) use missing as client_token;
    pub(super) use missing as server_resumption;

    pub(super) async fn missing(_: Arc<Lab>) -> Result<String> {
        Err(Skip("built without the feature openssl-peer: needs libssl-dev".to_owned()).into())
    }

    pub(super) async fn server(lab: Arc<Lab>, _: Setup) -> Result<String> {
        missing(lab).await
    }
}
