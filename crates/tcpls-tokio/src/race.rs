//! TCP connections to all addresses of a server, raced (RFC 8305).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::path_options::PathOptions;
use crate::tcp::DialError;

/// How long an attempt has to itself before the next one begins beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Attempts to connect to a server, one beginning after the other: when the one before has failed, or
/// has been going on for [`STAGGER`]. Those that are still going on are given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<Attempt>,
    running: JoinSet<Result<Connection, DialError>>,
    /// The last attempt, when no other is going on: it races nobody and needs no task.
    alone: Option<Alone>,
    /// When the next attempt begins, at the latest.
    next_start: Instant,
    failure: Option<DialError>,
}

/// A TCP connection, and how it was opened.
pub(crate) type Connection = (TcpStream, PathOptions);

/// An attempt of which nobody else knows.
struct Alone(Pin<Box<dyn Future<Output = Result<Connection, DialError>> + Send>>);

#[derive(Debug, PartialEq, Eq)]
struct Attempt {
    remote: SocketAddr,
    options: PathOptions,
}

impl Race {
    /// To all `remotes`, from each of `locals` that is of their family, or from the address that the
    /// system chooses when there are none.
    pub(crate) fn new(
        remotes: &[SocketAddr],
        locals: &[IpAddr],
        congestion_control: Option<&str>,
    ) -> Self {
        Self {
            waiting: attempts(remotes, locals, congestion_control),
            running: JoinSet::new(),
            alone: None,
            next_start: Instant::now(),
            failure: None,
        }
    }

    /// The next connection that comes about; an error when none will any more, with the reason of the
    /// last one.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Connection, DialError> {
        loop {
            if self.running.is_empty() {
                if let Some(alone) = &mut self.alone {
                    let end = alone.0.as_mut().await;
                    self.alone = None;
                    return end;
                }
                match self.waiting.pop_front() {
                    None => return Err(self.failure.take().unwrap_or_else(nowhere)),
                    Some(last) if self.waiting.is_empty() => {
                        self.alone = Some(Alone(Box::pin(last.run())));
                        continue;
                    }
                    Some(next) => self.begin(next),
                }
            }
            tokio::select! {
                Some(end) = self.running.join_next() => match end {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(error)) => {
                        tracing::debug!(?error, "an address was not reached");
                        self.failure = Some(error);
                        self.start();
                    }
                    Err(panic) => self.failure = Some(io::Error::other(panic).into()),
                },
                () = tokio::time::sleep_until(self.next_start), if !self.waiting.is_empty() => {
                    self.start();
                }
            }
        }
    }

    /// Begins all attempts that have not begun: others than the fastest are wanted, too.
    pub(crate) fn start_all(&mut self) {
        while self.start() {}
    }

    /// Begins the next attempt; `false` when there is none.
    fn start(&mut self) -> bool {
        let next = self.waiting.pop_front();
        let begins = next.is_some();
        if let Some(next) = next {
            self.begin(next);
        }
        begins
    }

    fn begin(&mut self, attempt: Attempt) {
        self.running.spawn(attempt.run());
        self.next_start = Instant::now() + STAGGER;
    }
}

impl Attempt {
    async fn run(self) -> Result<Connection, DialError> {
        Ok((self.options.dial_to(self.remote).await?, self.options))
    }
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alone(..)")
    }
}

/// Which connections are tried, in which order: the first local address with each remote one first, and
/// among those one family after the other, beginning with that of the first remote address.
fn attempts(
    remotes: &[SocketAddr],
    locals: &[IpAddr],
    congestion_control: Option<&str>,
) -> VecDeque<Attempt> {
    let remotes = interleaved(remotes);
    let from = |remote: SocketAddr, local: Option<IpAddr>| {
        let mut options = PathOptions::to(remote);
        if let Some(local) = local {
            options.local(local);
        }
        if let Some(name) = congestion_control {
            options.congestion_control(name);
        }
        Attempt { remote, options }
    };
    if locals.is_empty() {
        return remotes
            .into_iter()
            .map(|remote| from(remote, None))
            .collect();
    }
    let mut attempts = VecDeque::new();
    for round in 0..locals.len() {
        for &remote in &remotes {
            let mut fitting = locals
                .iter()
                .filter(|local| local.is_ipv4() == remote.is_ipv4());
            if let Some(&local) = fitting.nth(round) {
                attempts.push_back(from(remote, Some(local)));
            }
        }
    }
    attempts
}

/// The addresses, each once, of both families in turn (RFC 8305 section 4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !unique.contains(address) {
            unique.push(*address);
        }
    }
    let first_is_v4 = unique.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = unique
        .into_iter()
        .partition(|address| address.is_ipv4() == first_is_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(first.next());
        mixed.extend(second.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

fn nowhere() -> DialError {
    let text = "there is no address to connect to, or no local one of its family";
    io::Error::new(io::ErrorKind::InvalidInput, text).into()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::net::TcpListener;

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// R17: the families take turns, and the resolver's preference decides who begins.
    #[test]
    fn families_take_turns() {
        let resolved = addresses(&[
            "[2001:db8::1]:1",
            "[2001:db8::2]:1",
            "[2001:db8::1]:1",
            "192.0.2.1:1",
            "192.0.2.2:1",
            "192.0.2.3:1",
        ]);
        let expected = addresses(&[
            "[2001:db8::1]:1",
            "192.0.2.1:1",
            "[2001:db8::2]:1",
            "192.0.2.2:1",
            "192.0.2.3:1",
        ]);
        assert_eq!(interleaved(&resolved), expected);
    }

    /// R17: every local address is tried with every remote one of its family, and each remote one is tried
    /// before any is tried again.
    #[test]
    fn local_addresses_are_tried_with_all_of_their_family() {
        let remotes = addresses(&["192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1"]);
        let locals: Vec<IpAddr> = ["198.51.100.1", "198.51.100.2", "2001:db8:1::1"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let pairs: Vec<_> = attempts(&remotes, &locals, None)
            .into_iter()
            .map(|attempt| (attempt.remote, attempt.options.local_address().unwrap()))
            .collect();
        let expected = [
            (remotes[0], locals[0]),
            (remotes[1], locals[2]),
            (remotes[2], locals[0]),
            (remotes[0], locals[1]),
            (remotes[2], locals[1]),
        ];
        assert_eq!(pairs, expected);
    }

    /// R17: a refusal costs no time, and when all have failed there is nothing to wait for.
    #[tokio::test]
    async fn a_refusal_starts_the_next_attempt() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let works = listener.local_addr().unwrap();
        // As long as a socket is bound to it that does not listen, nobody else is.
        let bound = tokio::net::TcpSocket::new_v4().unwrap();
        bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let refuses = bound.local_addr().unwrap();
        // No attempt begins for want of time here.
        let mut race = Race::new(&[refuses, works], &[], None);
        let (tcp, options) = race.next().await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), works);
        assert_eq!(options, PathOptions::to(works));
        let DialError::Io(error) = race.next().await.unwrap_err() else {
            panic!("the refusal");
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    /// An attempt that nobody waits for any more goes on when somebody does again, also the only one.
    #[tokio::test]
    async fn waiting_can_be_given_up_and_taken_up_again() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        for others in [0, 1] {
            let remotes = [vec![address], addresses(&["127.0.0.2:9"]).repeat(others)].concat();
            let mut race = Race::new(&remotes, &[], None);
            {
                let mut given_up = pin!(race.next());
                let mut cx = Context::from_waker(Waker::noop());
                assert!(given_up.as_mut().poll(&mut cx).is_pending());
            }
            let (tcp, _) = race.next().await.unwrap();
            assert_eq!(tcp.peer_addr().unwrap(), address);
        }
    }
}
