//! A box in the path that reads the first message of each connection, as firewalls do.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tcpls_tokio::core::wire::hello::{ClientHello, strip_extensions};
use tcpls_tokio::core::wire::{ExtensionCodec, ExtensionType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A TLS record's header: type, version, length.
const HEADER: usize = 5;

/// What the box does to a connection whose first message has the extension that it dislikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dislike {
    /// It resets both sides.
    Reset,
    /// It takes the extension out.
    Strip,
    /// It lets nothing through any more.
    Swallow,
}

/// A running box; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Middlebox {
    /// Where it accepts connections for the server.
    pub(crate) address: SocketAddr,
    task: AbortHandle,
}

impl Middlebox {
    /// A box before `server` that dislikes hellos with the extension `disliked`.
    pub(crate) async fn new(
        server: SocketAddr,
        disliked: ExtensionType,
        dislike: Dislike,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // What fails here ends the connection, which is what its ends see.
                tokio::spawn(carry(near, server, disliked, dislike));
            }
        });
        Ok(Self {
            address,
            task: task.abort_handle(),
        })
    }
}

impl Drop for Middlebox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut near: TcpStream,
    server: SocketAddr,
    disliked: ExtensionType,
    dislike: Dislike,
) -> Result<()> {
    let mut record = read_record(&mut near).await?;
    if has_extension(&record, disliked)? {
        match dislike {
            Dislike::Reset => return Ok(near.set_zero_linger()?),
            Dislike::Strip => record = without_extension(&record, disliked)?,
            Dislike::Swallow => {
                let _unread = tokio::io::copy(&mut near, &mut tokio::io::sink()).await?;
                return Ok(());
            }
        }
    }
    let mut far = TcpStream::connect(server).await?;
    far.write_all(&record).await?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}

/// The first record of a connection, header and all.
pub(crate) async fn read_record(stream: &mut (impl AsyncReadExt + Unpin)) -> Result<Vec<u8>> {
    let mut record = vec![0; HEADER];
    stream.read_exact(&mut record).await?;
    let [_, _, _, high, low] = record.as_slice() else {
        anyhow::bail!("no header");
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    record.resize(HEADER + length, 0);
    let body = record.get_mut(HEADER..).context("no body")?;
    stream.read_exact(body).await?;
    Ok(record)
}

fn has_extension(record: &[u8], kind: ExtensionType) -> Result<bool> {
    let message = record.get(HEADER..).context("no message")?;
    Ok(ClientHello::parse(message)?
        .extensions()
        .get(kind)
        .is_some())
}

fn without_extension(record: &[u8], kind: ExtensionType) -> Result<Vec<u8>> {
    let (header, message) = record.split_at_checked(HEADER).context("no message")?;
    let mut stripped = Vec::new();
    strip_extensions(message, &[kind], &mut stripped)?;
    let length = u16::try_from(stripped.len())?;
    ensure!(stripped.len() < message.len(), "nothing was taken out");
    let mut result = header.get(..3).context("no header")?.to_vec();
    result.extend_from_slice(&length.to_be_bytes());
    result.append(&mut stripped);
    Ok(result)
}

/// The types of the extensions that TCPLS uses.
pub(crate) fn code_points() -> tcpls_tokio::core::wire::ExtensionCodePoints {
    ExtensionCodec::default().code_points
}
