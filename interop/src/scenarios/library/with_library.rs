//! The rows with a peer on OpenSSL's library.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tcpls_tokio::Session;
use tcpls_tokio::core::crypto::{
    Answer, FirstFlight, HelloReader, Options, ReceivedHello, ServerHandshake,
};
use tcpls_tokio::core::wire::{ExtensionCodec, Token};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::peers::library::{Peer, Server, TICKETS};
use crate::peers::minimal::Summary;

/// Records in which our server sends its session tickets: rustls packs them into one.
const OUR_TICKETS: u8 = 1;

/// Bytes that the peer sends.
const THEIRS: usize = 70_000;

/// Bytes that we send.
const OURS: usize = 100_000;

/// The token that our handshake hands out.
const TOKEN: [u8; 32] = *b"one token, made for this one row";

/// OpenSSL is the client, we are the server.
pub(super) async fn client(lab: Arc<Lab>) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let peer = spawn_blocking(move || {
        let peer = Peer::connect(&lab, TcpStream::connect(address)?)?;
        ensure!(
            peer.tcpls.is_empty(),
            "`tcpls` is not empty but {:?}",
            peer.tcpls
        );
        ensure!(peer.token().is_some(), "our server gave no `tcpls_token`");
        peer.converse(&ours::payload(3, THEIRS), OUR_TICKETS)
    });
    let session = async {
        let accepted = ours::incoming(&endpoint).await?.accept().await;
        converse(accepted.context("our server")?).await
    };
    let summary = both(Box::pin(session), peer).await?;
    Ok(format!("{} records sent and acknowledged", summary.sent))
}

/// OpenSSL is the server, we are the client.
pub(super) async fn server(lab: Arc<Lab>, setup: Setup) -> Result<String> {
    let endpoint = setup.client(&lab)?;
    let (address, peer) = start_server(lab, 1)?;
    let session = async { converse(ours::connect(&endpoint, address).await?).await };
    let summary = both(session, peer).await?;
    Ok(format!(
        "{} records sent and acknowledged, {TICKETS} of them tickets",
        summary.sent
    ))
}

/// OpenSSL is the server of two sessions, of which the second resumes the first.
pub(super) async fn server_resumption(lab: Arc<Lab>) -> Result<String> {
    let endpoint = Setup::default().client(&lab)?;
    let (address, peer) = start_server(lab, 2)?;
    let sessions = async {
        for resumed in [false, true] {
            let session = ours::connect(&endpoint, address).await?;
            let is_resumed = session.handshake().is_resumed();
            ensure!(
                is_resumed == resumed,
                "resumed is {is_resumed} instead of {resumed}"
            );
            converse(session).await?;
        }
        Ok(())
    };
    both(sessions, peer).await?;
    Ok(String::new())
}

/// Starts an OpenSSL server for `connections`, one after the other; gives the last one's summary.
fn start_server(
    lab: Arc<Lab>,
    connections: usize,
) -> Result<(SocketAddr, JoinHandle<Result<Summary>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let task = spawn_blocking(move || {
        let server = Server::new(&lab)?;
        let mut last = None;
        for _ in 0..connections {
            let (stream, _) = listener.accept()?;
            let peer = server.accept(stream)?;
            ensure!(
                peer.tcpls.is_empty(),
                "`tcpls` is not empty but {:?}",
                peer.tcpls
            );
            last = Some(peer.converse(&ours::payload(3, THEIRS), 0)?);
        }
        last.context("no connection was asked for")
    });
    Ok((address, task))
}

/// OpenSSL is the client; on our side only the handshake runs, and gives a token.
pub(super) async fn client_token(lab: Arc<Lab>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shared = Arc::clone(&lab);
    let peer = spawn_blocking(move || {
        let peer = Peer::connect(&lab, TcpStream::connect(address)?)?;
        anyhow::Ok(peer.token().map(<[u8]>::to_vec))
    });
    let ours = spawn_blocking(move || {
        let (stream, _) = listener.accept()?;
        give_token(&shared, stream)
    });
    let (ours, peer) = tokio::join!(ours, peer);
    let token = joined(ours?, peer?)?;
    ensure!(token.as_deref() == Some(&TOKEN), "the peer read {token:?}");
    Ok(String::from_utf8_lossy(&TOKEN).into_owned())
}

/// Both sides are OpenSSL's.
pub(super) async fn alone(lab: Arc<Lab>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let shared = Arc::clone(&lab);
    let server = spawn_blocking(move || {
        let (stream, _) = listener.accept()?;
        Server::new(&shared)?
            .accept(stream)?
            .converse(&ours::payload(5, OURS), 0)
    });
    let client = spawn_blocking(move || {
        let peer = Peer::connect(&lab, TcpStream::connect(address)?)?;
        ensure!(peer.token().is_none(), "a token that nobody sent");
        let summary = peer.converse(&ours::payload(3, THEIRS), TICKETS)?;
        ensure!(summary.bytes == OURS, "{} bytes of {OURS}", summary.bytes);
        Ok(())
    });
    let (client, server) = tokio::join!(client, server);
    let server = joined(client?, server?)?;
    ensure!(server.bytes == THEIRS, "{} bytes of {THEIRS}", server.bytes);
    Ok(String::new())
}

/// Our half of a conversation: echo what comes, have our own echoed, and be closed.
async fn converse(session: Session) -> Result<()> {
    ours::echo(&session);
    ours::round_trip(&session, &ours::payload(5, OURS)).await?;
    ours::closed_by_peer(&session).await
}

/// Both halves of a conversation.
async fn both(
    ours: impl Future<Output = Result<()>>,
    peer: JoinHandle<Result<Summary>>,
) -> Result<Summary> {
    let (ours, peer) = tokio::join!(ours, peer);
    let summary = joined(ours, peer?)?;
    ensure!(summary.bytes == OURS, "{} bytes of {OURS}", summary.bytes);
    Ok(summary)
}

/// The peer's result, where an error of the one is not lost behind that of the other.
fn joined<T>(ours: Result<()>, peer: Result<T>) -> Result<T> {
    match (ours, peer) {
        (Ok(()), peer) => peer,
        (Err(ours), Ok(_)) => Err(ours),
        (Err(ours), Err(peer)) => Err(ours.context(format!("the peer: {peer:#}"))),
    }
}

/// Runs our handshake as a server, with a token for the client.
fn give_token(lab: &Lab, mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut received = bytes::BytesMut::new();
    let hello = read_hello(&mut stream, &mut received)?;
    let answer = Answer::Tcpls {
        token: Some(Token::from_bytes(TOKEN)),
        params: None,
    };
    let server = Setup::default().tls_server(lab)?;
    let mut handshake = ServerHandshake::accept(&hello, &server, answer, Options::default())?;
    let mut out = Vec::new();
    loop {
        handshake.write(&mut out);
        stream.write_all(&out)?;
        out.clear();
        if handshake.is_complete() {
            handshake.finish()?;
            return Ok(());
        }
        receive(&mut stream, &mut received)?;
        handshake.read(&mut received)?;
    }
}

fn read_hello(stream: &mut TcpStream, received: &mut bytes::BytesMut) -> Result<ReceivedHello> {
    let mut reader = HelloReader::new(ExtensionCodec::default());
    loop {
        match reader.read(received)? {
            FirstFlight::Hello(hello) => return Ok(hello),
            FirstFlight::Join(_) => bail!("a join where a session was to begin"),
            FirstFlight::Incomplete => receive(stream, received)?,
        }
    }
}

fn receive(stream: &mut TcpStream, received: &mut bytes::BytesMut) -> Result<()> {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer)?;
    ensure!(length > 0, "the client hung up during the handshake");
    received.extend_from_slice(buffer.get(..length).unwrap_or_default());
    Ok(())
}
