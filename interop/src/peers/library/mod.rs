//! A peer on OpenSSL's library, which knows `tcpls` through the library's interface for custom
//! extensions and protects the frames of [`super::minimal`].

mod encrypted_extensions;
mod recorder;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use openssl::ssl::{
    ErrorCode, ExtensionContext, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod,
    SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509Ref;

use super::minimal::{Before, Minimal, Records, Summary};
use crate::authority::SERVER_NAME;
use crate::lab::Lab;
use encrypted_extensions::Extension;
use recorder::Recorder;

/// The code point of `tcpls`.
const TCPLS: u16 = 0xff64;

/// The code point of `tcpls_token`.
const TOKEN: u16 = 0xff66;

/// Session tickets that OpenSSL's server sends after the handshake, a record each.
pub(crate) const TICKETS: u8 = 2;

/// How long the peer waits for a byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// A peer after its handshake.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: SslStream<Recorder>,
    /// The number of the stream that it opens.
    own: u32,
    /// The body of `tcpls` in the message of the other side.
    pub(crate) tcpls: Vec<u8>,
    /// All of `EncryptedExtensions`, opened with OpenSSL's own key log; empty at a server.
    encrypted_extensions: Vec<Extension>,
}

impl Peer {
    /// Connects as an OpenSSL client that offers `tcpls`.
    pub(crate) fn connect(lab: &Lab, stream: TcpStream) -> Result<Self> {
        let (key_log, secrets) = channel();
        let (sender, extensions) = channel();
        let mut builder = SslContextBuilder::new(SslMethod::tls_client())?;
        builder.set_ca_file(&lab.authority.root_file)?;
        builder.set_verify(SslVerifyMode::PEER);
        builder.set_ciphersuites(encrypted_extensions::SUITE)?;
        builder.set_keylog_callback(move |_, line| drop(key_log.send(line.to_owned())));
        let context = with_tcpls(builder, sender)?;
        let mut ssl = Ssl::new(&context)?;
        ssl.set_hostname(SERVER_NAME)?;
        ssl.param_mut().set_host(SERVER_NAME)?;
        let stream = ssl
            .connect(Recorder::new(patient(stream)?))
            .map_err(handshake_error)?;
        let encrypted_extensions =
            encrypted_extensions::open(&stream.get_ref().received(), &secrets)?;
        Ok(Self {
            stream,
            own: 0,
            tcpls: answered(&extensions)?,
            encrypted_extensions,
        })
    }

    /// The value of `tcpls_token`, of 32 bytes, with or without a length byte before it.
    pub(crate) fn token(&self) -> Option<&[u8]> {
        let mut all = self.encrypted_extensions.iter();
        let body = all
            .find(|extension| extension.code_point == TOKEN)?
            .body
            .as_slice();
        let token = if body.len() == 33 {
            body.strip_prefix(&[32])?
        } else {
            body
        };
        (token.len() == 32).then_some(token)
    }

    /// Has `payload` echoed, echoes the other side's stream, closes the session, and waits for the
    /// other side to do the same.
    ///
    /// As a client, the server is known to send `tickets` records of session tickets, which count
    /// in its record sequence although OpenSSL does not show them.
    pub(crate) fn converse(self, payload: &[u8], tickets: u8) -> Result<Summary> {
        let (sent, received) = match (self.own, self.stream.ssl().session_reused()) {
            (0, _) => (0, tickets),
            // A session that was resumed already has a ticket, so one more is enough.
            (_, true) => (1, 0),
            (_, false) => (TICKETS, 0),
        };
        let before = Before {
            own: self.own,
            sent,
            received,
        };
        let mut peer = Minimal::new(self.stream, before);
        let summary = peer.converse(payload)?;
        let mut stream = peer.into_records();
        stream.shutdown().context("cannot send close_notify")?;
        let mut buffer = [0; 16 * 1024];
        loop {
            match stream.ssl_read(&mut buffer) {
                // What was on its way when we closed: acknowledgements.
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => return Ok(summary),
                Err(error) => bail!("no close_notify came back: {error}"),
            }
        }
    }
}

/// An OpenSSL server that answers `tcpls`, for any number of connections.
#[derive(Debug)]
pub(crate) struct Server {
    context: SslContext,
    extensions: Receiver<Vec<u8>>,
}

impl Server {
    /// A server with the lab's certificate.
    pub(crate) fn new(lab: &Lab) -> Result<Self> {
        let (sender, extensions) = channel();
        let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
        let identity = &lab.authority.server;
        builder.set_certificate_file(&identity.certificate_file, SslFiletype::PEM)?;
        builder.set_private_key_file(&identity.key_file, SslFiletype::PEM)?;
        builder.set_num_tickets(TICKETS.into())?;
        Ok(Self {
            context: with_tcpls(builder, sender)?,
            extensions,
        })
    }

    /// Runs the handshake of one connection.
    pub(crate) fn accept(&self, stream: TcpStream) -> Result<Peer> {
        let stream = Ssl::new(&self.context)?.accept(Recorder::new(patient(stream)?));
        let stream = stream.map_err(handshake_error)?;
        let tcpls = answered(&self.extensions)?;
        Ok(Peer {
            stream,
            own: 1,
            tcpls,
            encrypted_extensions: Vec::new(),
        })
    }
}

/// Registers `tcpls`, empty, in `ClientHello` and `EncryptedExtensions`; what the other side's message
/// holds goes to `seen`.
fn with_tcpls(mut builder: SslContextBuilder, seen: Sender<Vec<u8>>) -> Result<SslContext> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    builder.add_custom_ext(
        TCPLS,
        ExtensionContext::CLIENT_HELLO
            | ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS
            | ExtensionContext::TLS1_3_ONLY,
        |_, _, _: Option<(usize, &X509Ref)>| Ok(Some([0; 0])),
        move |_, _, body, _| {
            drop(seen.send(body.to_vec()));
            Ok(())
        },
    )?;
    Ok(builder.build())
}

fn answered(extensions: &Receiver<Vec<u8>>) -> Result<Vec<u8>> {
    extensions
        .try_recv()
        .map_err(|_| anyhow!("the other side's message lacks `tcpls`"))
}

fn patient(stream: TcpStream) -> Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn handshake_error(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("OpenSSL's handshake failed: {error}")
}

impl Records for SslStream<Recorder> {
    fn send(&mut self, record: &[u8]) -> Result<()> {
        self.write_all(record).context("cannot send a record")
    }

    /// OpenSSL returns what one record holds, never more.
    fn receive(&mut self) -> Result<Vec<u8>> {
        let mut buffer = vec![0; 16 * 1024];
        let length = self.read(&mut buffer).context("cannot receive a record")?;
        if length == 0 {
            bail!("the other side closed before the conversation was over");
        }
        buffer.truncate(length);
        Ok(buffer)
    }
}
