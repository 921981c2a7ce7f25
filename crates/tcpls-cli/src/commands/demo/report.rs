//! What the demonstration showed.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tcpls_tokio::{Session, StreamId};
use tokio::time::Instant;

use super::breakage::Broken;
use super::transfer::{Passages, Passed};
use crate::exit::{Exit, Failure};
use crate::number::{Size, gbit_per_s, milliseconds};
use crate::tls::{kx_group_name, suite_name};

/// One direction of one stream, as its two ends saw it.
#[derive(Debug, Serialize)]
pub(super) struct Transfer {
    stream: u32,
    /// Who sent.
    from: &'static str,
    bytes: u64,
    bytes_received: u64,
    sha256_sent: String,
    sha256_received: String,
    equal: bool,
}

impl Transfer {
    /// Puts together what one end sent and the other received.
    pub(super) fn pair_up(client: Passages, server: Passages) -> Result<Vec<Self>, Failure> {
        let directions = [
            ("client", client.sent, server.received),
            ("server", server.sent, client.received),
        ];
        let mut transfers = Vec::new();
        for (from, sent, mut received) in directions {
            for (id, sent) in sent {
                let received = received.remove(&id).ok_or_else(|| {
                    let text = format!("stream {} arrived nowhere", id.as_u32());
                    Failure::new(Exit::DataDiffers, text)
                })?;
                transfers.push(Self::new(id, from, sent, received));
            }
        }
        transfers.sort_by_key(|transfer| transfer.stream);
        Ok(transfers)
    }

    fn new(id: StreamId, from: &'static str, sent: Passed, received: Passed) -> Self {
        Self {
            stream: id.as_u32(),
            from,
            bytes: sent.bytes,
            bytes_received: received.bytes,
            sha256_sent: sent.digest.hex(),
            sha256_received: received.digest.hex(),
            equal: sent == received,
        }
    }
}

/// What the abort of a connection did.
#[derive(Debug, Serialize)]
pub(super) struct Outage {
    /// Connection IDs.
    aborted_path: u32,
    aborted_at: f64,
    healed_path: u32,
    healed_after_ms: f64,
    /// The longest time without data at the application of an end, over all its streams.
    longest_gap_ms: f64,
}

impl Outage {
    pub(super) fn new(start: Instant, broken: &Broken, longest_gap: Duration) -> Self {
        Self {
            aborted_path: broken.aborted,
            aborted_at: broken.aborted_at.duration_since(start).as_secs_f64(),
            healed_path: broken.healed,
            healed_after_ms: milliseconds(broken.healed_after),
            longest_gap_ms: milliseconds(longest_gap),
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "connection {} was aborted with a RST after {:.2} s; connection {} came in its place {:.0} ms later",
            self.aborted_path, self.aborted_at, self.healed_path, self.healed_after_ms,
        )?;
        write!(
            f,
            "longest gap between data at an application: {:.1} ms",
            self.longest_gap_ms
        )
    }
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    equal: bool,
    bytes: u64,
    seconds: f64,
    gbit_per_s: f64,
    cipher_suite: &'static str,
    kx_group: Option<String>,
    streams: u64,
    /// TCP connections that the session had.
    connections: u32,
    #[serde(flatten)]
    outage: Outage,
    /// Stream bytes that were sent again because their connection was lost.
    bytes_retransmitted: u64,
    /// Records that carried the session's frames.
    records_to_server: u64,
    records_to_client: u64,
    /// ACK frames.
    acks_to_server: u64,
    acks_to_client: u64,
    transfers: Vec<Transfer>,
}

impl Report {
    pub(super) fn new(
        client: &Session,
        server: &Session,
        transfers: Vec<Transfer>,
        time: Duration,
        outage: Outage,
    ) -> Self {
        let bytes = transfers.iter().map(|transfer| transfer.bytes).sum();
        let (to_server, to_client) = (client.path_stats(), server.path_stats());
        let (stats, far) = (client.stats(), server.stats());
        Self {
            equal: transfers.iter().all(|transfer| transfer.equal),
            bytes,
            seconds: time.as_secs_f64(),
            gbit_per_s: gbit_per_s(bytes, time),
            cipher_suite: suite_name(client.handshake().suite),
            kx_group: kx_group_name(client.handshake()),
            streams: stats.streams_opened + stats.streams_accepted,
            connections: stats.connections,
            outage,
            bytes_retransmitted: stats.bytes_retransmitted + far.bytes_retransmitted,
            records_to_server: to_server.iter().map(|c| c.counters.records_sent).sum(),
            records_to_client: to_client.iter().map(|c| c.counters.records_sent).sum(),
            acks_to_server: to_server.iter().map(|c| c.counters.frames_sent.ack).sum(),
            acks_to_client: to_client.iter().map(|c| c.counters.frames_sent.ack).sum(),
            transfers,
        }
    }

    /// An error unless everything arrived as it was sent.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let differing: Vec<_> = self
            .transfers
            .iter()
            .filter(|transfer| !transfer.equal)
            .map(|transfer| format!("stream {} from the {}", transfer.stream, transfer.from))
            .collect();
        if differing.is_empty() {
            return Ok(());
        }
        let text = format!(
            "what arrived differs from what was sent: {}",
            differing.join(", ")
        );
        Err(Failure::new(Exit::DataDiffers, text))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.kx_group.as_deref().unwrap_or("no key exchange");
        writeln!(
            f,
            "TLS 1.3, {}, {group}; the client verified the certificate",
            self.cipher_suite
        )?;
        writeln!(f, "stream  from      bytes         SHA-256 sent  received")?;
        for transfer in &self.transfers {
            let short = |hex: &str| hex.get(..12).unwrap_or(hex).to_owned();
            writeln!(
                f,
                "{:>6}  {:<8}  {:<12}  {:<12}  {:<12}  {}",
                transfer.stream,
                transfer.from,
                Size(transfer.bytes).to_string(),
                short(&transfer.sha256_sent),
                short(&transfer.sha256_received),
                if transfer.equal { "equal" } else { "DIFFERENT" },
            )?;
        }
        writeln!(
            f,
            "{} on {} streams in {:.2} s: {:.2} Gbit/s, making and hashing the bytes included",
            Size(self.bytes),
            self.streams,
            self.seconds,
            self.gbit_per_s,
        )?;
        writeln!(
            f,
            "records: {} to the server, {} to the client; ACKs: {} and {}",
            self.records_to_server,
            self.records_to_client,
            self.acks_to_server,
            self.acks_to_client,
        )?;
        writeln!(f, "{}", self.outage)?;
        writeln!(
            f,
            "sent again on other connections: {}",
            Size(self.bytes_retransmitted)
        )?;
        write!(
            f,
            "{}",
            if self.equal {
                "all bytes arrived as sent"
            } else {
                "DATA DIFFERS"
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;

    fn passed(content: &[u8]) -> Passed {
        let mut hasher = Hasher::default();
        hasher.update(content);
        Passed {
            bytes: 1,
            digest: hasher.finish(),
        }
    }

    fn passages(sent: &[u8], received: &[u8]) -> Passages {
        let mut passages = Passages::default();
        passages.sent.insert(StreamId::from_wire(0), passed(sent));
        passages
            .received
            .insert(StreamId::from_wire(0), passed(received));
        passages
    }

    #[test]
    fn ends_are_compared_crosswise() {
        let transfers = Transfer::pair_up(passages(b"a", b"b"), passages(b"b", b"a")).unwrap();
        assert!(transfers.iter().all(|transfer| transfer.equal));
        let transfers = Transfer::pair_up(passages(b"a", b"b"), passages(b"c", b"a")).unwrap();
        let equal: Vec<_> = transfers.iter().map(|t| (t.from, t.equal)).collect();
        assert_eq!(equal, [("client", true), ("server", false)]);
    }

    #[test]
    fn a_stream_that_never_arrived_is_a_difference() {
        let nothing = Passages::default();
        let failure = Transfer::pair_up(passages(b"a", b"b"), nothing).unwrap_err();
        assert_eq!(failure.exit, Exit::DataDiffers);
    }
}
