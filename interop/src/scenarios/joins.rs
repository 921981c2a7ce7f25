//! Connections that want into a session: many, forged ones, and ones that a box in the path dislikes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tcpls_tokio::{Endpoint, JoinFailure, PathError, PathOptions, Profile, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

use crate::authority::SERVER_NAME;
use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::peers::middlebox::{Dislike, Middlebox, code_points, read_record};
use crate::scenario::Scenario;

/// A fatal `illegal_parameter` in a record of its own.
const ILLEGAL_PARAMETER: [u8; 7] = [21, 3, 3, 0, 2, 2, 47];

/// The record type of a `ServerHello`.
const HANDSHAKE: u8 = 22;

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "join-storm",
            "ourselves",
            "255 connections join by the draft, one after the other, then the session's tokens are used up",
            storm,
        )
        .within(Duration::from_secs(60)),
        Scenario::new(
            "join-1000",
            "ourselves",
            "1,000 connections join with the profile on, no identifier comes twice, and it goes on",
            thousand,
        )
        .within(Duration::from_secs(120))
        .full_only(),
        Scenario::new(
            "join-wrong-token",
            "a thief",
            "a join whose token was changed is refused with illegal_parameter",
            wrong_token,
        ),
        Scenario::new(
            "join-replayed-token",
            "a thief",
            "a join that is shown again is refused with illegal_parameter",
            replayed_token,
        ),
        Scenario::new(
            "join-raced-token",
            "a thief",
            "of eight joins with one token at once, one is answered and seven are refused",
            raced_token,
        ),
        Scenario::new(
            "join-reset",
            "a middlebox",
            "a box resets joins: that path fails, the session goes on",
            |lab| async move { disliked_join(lab, Dislike::Reset).await },
        ),
        Scenario::new(
            "join-stripped",
            "a middlebox",
            "a box takes the extension out of joins: that path fails, the session goes on",
            |lab| async move { disliked_join(lab, Dislike::Strip).await },
        ),
        Scenario::new(
            "join-swallowed",
            "a middlebox",
            "a box swallows joins: that path fails after 3 s, the session goes on",
            |lab| async move { disliked_join(lab, Dislike::Swallow).await },
        ),
        Scenario::new(
            "hello-reset",
            "a middlebox",
            "a box resets hellos that offer TCPLS: plain TLS instead, with the reason",
            reset_hello,
        ),
        Scenario::new(
            "hello-stripped",
            "a middlebox",
            "a box takes the offer of TCPLS out: the handshake fails, and nothing takes its place",
            stripped_hello,
        ),
    ]
}

/// A session, and where its server accepts joins.
struct Pair {
    client: Session,
    server: Session,
    address: SocketAddr,
    /// Sessions need their endpoints to take joins.
    _endpoints: [Endpoint; 2],
}

impl Pair {
    async fn new(lab: &Lab) -> Result<Self> {
        Self::with(lab, &Setup::default()).await
    }

    async fn with(lab: &Lab, setup: &Setup) -> Result<Self> {
        let (server, address) = setup.server(lab)?;
        let client = setup.client(lab)?;
        let accepting = async { anyhow::Ok(ours::incoming(&server).await?.accept().await?) };
        let (ours, theirs) = tokio::try_join!(ours::connect(&client, address), accepting)?;
        ours::echo(&theirs);
        let strangers = server.clone();
        tokio::spawn(async move {
            // What does not join gets the answer that it asks for.
            while let Some(incoming) = strangers.accept().await {
                tokio::spawn(async move { incoming.accept_or_plain().await.is_ok() });
            }
        });
        let pair = Self {
            client: ours,
            server: theirs,
            address,
            _endpoints: [client, server],
        };
        // The first tokens stand before the echo, so they have arrived with it.
        pair.is_unhurt().await?;
        Ok(pair)
    }

    async fn is_unhurt(&self) -> Result<()> {
        ours::round_trip(&self.client, &ours::payload(5, 100_000)).await?;
        ensure!(self.client.close_reason().is_none(), "the session is over");
        Ok(())
    }

    /// A join that the client makes, and the other end of its connection, where nobody answers. The
    /// client gives the token up when that is dropped.
    async fn captured(&self) -> Result<(Vec<u8>, DuplexStream)> {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let client = self.client.clone();
        tokio::spawn(async move { client.join_over(near).await.is_ok() });
        Ok((read_record(&mut far).await?, far))
    }

    /// What the server answers to these bytes until it hangs up.
    async fn show(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut socket = TcpStream::connect(self.address).await?;
        socket.write_all(bytes).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

async fn thousand(lab: Arc<Lab>) -> Result<String> {
    const JOINS: usize = 1_000;
    let pair = Pair::new(&lab).await?;
    let mut identifiers = BTreeSet::new();
    while identifiers.len() < JOINS {
        match pair.client.open_path(&PathOptions::new()).await {
            Ok(path) => {
                let id = path.id();
                ensure!(identifiers.insert(id), "{id:?} came twice");
                if identifiers.len().is_multiple_of(100) {
                    pair.is_unhurt().await?;
                }
                path.close();
            }
            // The server's next token is on its way.
            Err(PathError::NoToken) => pair.is_unhurt().await?,
            Err(error) => bail!("after {} joins: {error}", identifiers.len()),
        }
    }
    pair.is_unhurt().await?;
    let kept = pair.server.path_stats().len();
    ensure!(kept < 100, "the server keeps {kept} of them");
    let counted = pair.server.stats().connections;
    Ok(format!(
        "{counted} connections at the server, {kept} of them kept"
    ))
}

async fn storm(lab: Arc<Lab>) -> Result<String> {
    let setup = Setup {
        profile: Profile::DraftOnly,
        ..Setup::default()
    };
    let pair = Pair::with(&lab, &setup).await?;
    let mut joins = 0;
    let error = loop {
        match pair.client.open_path(&PathOptions::new()).await {
            Ok(path) => {
                joins += 1;
                path.close();
            }
            // The server's next token is on its way.
            Err(PathError::NoToken) => pair.is_unhurt().await?,
            Err(error) => break error,
        }
        ensure!(joins <= 255, "more connections than numbers for them");
    };
    ensure!(
        error == PathError::TokensUsedUp,
        "after {joins} joins: {error}"
    );
    ensure!(joins == 255, "{joins} joins");
    pair.is_unhurt().await?;
    let counted = pair.server.stats().connections;
    Ok(format!("{counted} connections at the server"))
}

async fn wrong_token(lab: Arc<Lab>) -> Result<String> {
    let pair = Pair::new(&lab).await?;
    let (mut hello, _far) = pair.captured().await?;
    let kind = code_points().join.as_u16().to_be_bytes();
    let at = hello.windows(2).position(|window| window == kind);
    // Type, length of the extension, length of the token, and a byte of it.
    let byte = at.and_then(|at| hello.get_mut(at + 10));
    match byte {
        Some(byte) => *byte ^= 1,
        None => bail!("no join in the client's hello"),
    }
    let answer = pair.show(&hello).await?;
    ensure!(answer == ILLEGAL_PARAMETER, "the answer is {answer:02x?}");
    pair.is_unhurt().await?;
    Ok(String::new())
}

async fn replayed_token(lab: Arc<Lab>) -> Result<String> {
    let pair = Pair::new(&lab).await?;
    let (hello, _far) = pair.captured().await?;
    let first = pair.show(&hello).await?;
    ensure!(
        first.first() == Some(&HANDSHAKE),
        "the first answer is {first:02x?}"
    );
    let second = pair.show(&hello).await?;
    ensure!(
        second == ILLEGAL_PARAMETER,
        "the second answer is {second:02x?}"
    );
    pair.is_unhurt().await?;
    Ok(format!(
        "the thief got {} bytes, none of them protected",
        first.len()
    ))
}

async fn raced_token(lab: Arc<Lab>) -> Result<String> {
    const RACERS: usize = 8;
    let pair = Arc::new(Pair::new(&lab).await?);
    let (hello, _far) = pair.captured().await?;
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..RACERS {
        let (pair, hello) = (Arc::clone(&pair), hello.clone());
        racers.spawn(async move { pair.show(&hello).await });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(answer) = racers.join_next().await {
        let answer = answer??;
        if answer == ILLEGAL_PARAMETER {
            refused += 1;
        } else if answer.first() == Some(&HANDSHAKE) {
            answered += 1;
        }
    }
    let counts = (answered, refused);
    ensure!(
        counts == (1, RACERS - 1),
        "answered and refused: {counts:?}"
    );
    pair.is_unhurt().await?;
    Ok(String::new())
}

async fn disliked_join(lab: Arc<Lab>, dislike: Dislike) -> Result<String> {
    let pair = Pair::new(&lab).await?;
    let middlebox = Middlebox::new(pair.address, code_points().join, dislike).await?;
    let mut options = PathOptions::new();
    options.remote(middlebox.address);
    let Err(error) = pair.client.open_path(&options).await else {
        bail!("a path through a box that does not let it through");
    };
    let is_expected = match dislike {
        Dislike::Reset => matches!(error, PathError::Io(_) | PathError::Lost(_)),
        Dislike::Strip => matches!(
            error,
            PathError::NotJoined(JoinFailure::WithoutPreSharedKey)
        ),
        Dislike::Swallow => matches!(error, PathError::TimedOut(_)),
    };
    ensure!(is_expected, "the path failed otherwise: {error:?}");
    pair.is_unhurt().await?;
    pair.client.open_path(&PathOptions::new()).await?;
    pair.is_unhurt().await?;
    Ok(error.to_string())
}

async fn reset_hello(lab: Arc<Lab>) -> Result<String> {
    let setup = Setup::default();
    let (server, address) = setup.server(&lab)?;
    let middlebox = Middlebox::new(address, code_points().tcpls, Dislike::Reset).await?;
    let serving = async {
        let incoming = ours::incoming(&server).await?;
        ours::plain(incoming.accept_or_plain().await?)
    };
    let client = setup.client(&lab)?;
    let connecting = ours::connect_plain(&client, middlebox.address);
    let (ours, _theirs) = tokio::try_join!(connecting, serving)?;
    Ok(ours.reason().to_string())
}

async fn stripped_hello(lab: Arc<Lab>) -> Result<String> {
    let setup = Setup::default();
    let (server, address) = setup.server(&lab)?;
    let middlebox = Middlebox::new(address, code_points().tcpls, Dislike::Strip).await?;
    let serving = async {
        let incoming = ours::incoming(&server).await?;
        anyhow::Ok(incoming.accept_or_plain().await)
    };
    let client = setup.client(&lab)?;
    let connecting = async {
        Ok(client
            .connect_or_plain(middlebox.address, SERVER_NAME)
            .await)
    };
    // Both ends hash another hello into their keys.
    let (ours, theirs) = tokio::try_join!(connecting, serving)?;
    ensure!(theirs.is_err(), "the server took a hello that was changed");
    ours::expected_error(ours, &["decrypt"])
}
