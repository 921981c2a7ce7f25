//! Peers in memory: configurations with their certificates, and pumps between two ends.

use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tcpls_crypto::wire::ExtensionCodec;
use tcpls_crypto::{
    Answer, ClientHandshake, Established, FirstFlight, HandshakeError, HelloReader, Offer, Options,
    ReceivedHello, ServerHandshake, TlsClient, TlsServer, provider,
};

pub const NAME: &str = "tcpls.test";

/// A certificate that both ends trust.
pub static IDENTITY: LazyLock<CertifiedKey<KeyPair>> =
    LazyLock::new(|| generate_simple_self_signed([NAME.to_owned()]).unwrap());

pub fn chain() -> Vec<CertificateDer<'static>> {
    vec![IDENTITY.cert.der().clone()]
}

pub fn key() -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(IDENTITY.signing_key.serialize_der()).into()
}

pub fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(IDENTITY.cert.der().clone()).unwrap();
    roots
}

pub fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).unwrap()
}

pub fn base() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

pub fn tcpls_provider() -> CryptoProvider {
    provider(&base())
}

pub fn client_config(provider: CryptoProvider) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_no_client_auth()
}

pub fn client_config_with_certificate(provider: CryptoProvider) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_client_auth_cert(chain(), key())
        .unwrap()
}

pub fn server_config(provider: CryptoProvider) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(), key())
        .unwrap()
}

pub fn server_config_that_asks_for_certificates(provider: CryptoProvider) -> ServerConfig {
    let provider = Arc::new(provider);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots()), Arc::clone(&provider))
            .build()
            .unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain(), key())
        .unwrap()
}

pub fn tls_client() -> TlsClient {
    TlsClient::new(&client_config(tcpls_provider())).unwrap()
}

pub fn tls_server() -> TlsServer {
    TlsServer::new(&server_config(tcpls_provider())).unwrap()
}

pub fn client(tls: &TlsClient) -> ClientHandshake {
    ClientHandshake::new(
        tls,
        name(),
        Offer::Tcpls { params: None },
        Options::default(),
    )
    .unwrap()
}

pub fn answer() -> Answer {
    Answer::Tcpls {
        token: None,
        params: None,
    }
}

/// A server of this crate from its first byte on.
pub enum Server<'a> {
    Hello(
        HelloReader,
        Box<dyn FnOnce(&ReceivedHello) -> ServerHandshake + 'a>,
    ),
    Handshake(Box<ServerHandshake>),
    Moved,
}

impl<'a> Server<'a> {
    pub fn accepting(tls: &'a TlsServer, answer: Answer, options: Options) -> Self {
        Self::with_codec(options.codec, tls, answer, options)
    }

    pub fn with_codec(
        codec: ExtensionCodec,
        tls: &'a TlsServer,
        answer: Answer,
        options: Options,
    ) -> Self {
        let accept = move |hello: &ReceivedHello| {
            ServerHandshake::accept(hello, tls, answer, options).unwrap()
        };
        Self::Hello(HelloReader::new(codec), Box::new(accept))
    }

    pub fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError> {
        match std::mem::replace(self, Self::Moved) {
            Self::Hello(mut reader, accept) => match reader.read(input) {
                Ok(FirstFlight::Incomplete) => *self = Self::Hello(reader, accept),
                Ok(FirstFlight::Hello(hello)) => {
                    *self = Self::Handshake(Box::new(accept(&hello)));
                    return self.read(input);
                }
                Ok(FirstFlight::Join(_)) => panic!("a join"),
                Err(error) => {
                    *self = Self::Hello(reader, accept);
                    return Err(error);
                }
            },
            Self::Handshake(mut handshake) => {
                let result = handshake.read(input);
                *self = Self::Handshake(handshake);
                return result;
            }
            Self::Moved => panic!("moved"),
        }
        Ok(())
    }

    pub fn write(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(reader, _) => reader.write(out),
            Self::Handshake(handshake) => handshake.write(out),
            Self::Moved => panic!("moved"),
        }
    }

    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Handshake(handshake) if handshake.is_complete())
    }

    pub fn finish(self) -> Result<Established, HandshakeError> {
        match self {
            Self::Handshake(handshake) => handshake.finish(),
            Self::Hello(..) | Self::Moved => panic!("not accepted"),
        }
    }
}

/// Bytes between two ends that have not been taken yet.
#[derive(Default)]
pub struct Wire {
    pub to_server: BytesMut,
    pub to_client: BytesMut,
    /// Everything that was ever sent.
    pub sent_by_client: Vec<u8>,
    pub sent_by_server: Vec<u8>,
}

/// What both ends have when their handshakes are over.
pub struct Ends {
    pub client: Established,
    pub server: Established,
    pub wire: Wire,
}

/// Runs both handshakes, handing over at most `chunk` bytes at a time.
pub fn shake_hands_in_chunks(
    mut client: ClientHandshake,
    mut server: Server<'_>,
    chunk: usize,
) -> Result<Ends, HandshakeError> {
    let mut wire = Wire::default();
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    loop {
        let before = (from_client.len(), from_server.len());
        client.write(&mut from_client);
        server.write(&mut from_server);
        let progress = before != (from_client.len(), from_server.len());
        let deliver = |from: &mut Vec<u8>, to: &mut BytesMut, log: &mut Vec<u8>| {
            let count = from.len().min(chunk);
            to.extend_from_slice(&from[..count]);
            log.extend(from.drain(..count));
            count > 0
        };
        let delivered = deliver(
            &mut from_client,
            &mut wire.to_server,
            &mut wire.sent_by_client,
        ) | deliver(
            &mut from_server,
            &mut wire.to_client,
            &mut wire.sent_by_server,
        );
        let result = server
            .read(&mut wire.to_server)
            .and(client.read(&mut wire.to_client));
        if let Err(error) = result {
            client.write(&mut wire.sent_by_client);
            server.write(&mut wire.sent_by_server);
            return Err(error);
        }
        if !progress && !delivered {
            break;
        }
    }
    assert!(
        client.is_complete() && server.is_complete(),
        "the handshake stalls"
    );
    Ok(Ends {
        client: client.finish()?,
        server: server.finish()?,
        wire,
    })
}

pub fn shake_hands(client: ClientHandshake, server: Server<'_>) -> Result<Ends, HandshakeError> {
    shake_hands_in_chunks(client, server, usize::MAX)
}

/// A handshake between a client and a server with these configurations that must work.
pub fn session(client_tls: &TlsClient, server_tls: &TlsServer, options: Options) -> Ends {
    let offer = Offer::Tcpls { params: None };
    let client = ClientHandshake::new(client_tls, name(), offer, options).unwrap();
    shake_hands(client, Server::accepting(server_tls, answer(), options)).unwrap()
}
