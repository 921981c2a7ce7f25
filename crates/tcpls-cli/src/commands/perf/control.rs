//! What the two ends of a measurement tell each other, on a stream of its own: JSON, one message
//! per line.
//!
//! The client sends one [`Request`]. The server answers [`Reply::Ready`] or [`Reply::Refused`],
//! then [`Reply::Progress`] now and then if asked to, and [`Reply::Done`] last. Between `Ready` and
//! `Done` the client opens as many data streams as it asked for, and each side that sends finishes
//! its direction of each.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tcpls_tokio::{RecvStream, SendStream};

use crate::exit::{Exit, Failure};
use crate::number::LONGEST;

/// Version of this exchange; other versions are refused.
pub(super) const VERSION: u32 = 1;
/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 4096;
/// The most data streams of one measurement.
pub(super) const MAX_STREAMS: u32 = 128;
/// The most streams on which nothing is sent.
pub(super) const MAX_IDLE_STREAMS: u32 = 3500;
/// The most streams that nobody reads.
pub(super) const MAX_STALLED_STREAMS: u32 = 100;
/// The largest single write, in bytes.
pub(super) const MAX_LENGTH: u64 = 16 << 20;

/// What the client wants to measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) version: u32,
    pub(super) direction: Direction,
    pub(super) streams: u32,
    /// Bytes that each sender writes at a time.
    pub(super) length: u64,
    pub(super) amount: Amount,
    /// Whether the server reports what it has read so far.
    pub(super) progress: bool,
    /// Streams that the client opens before the others, and on which nothing is sent.
    #[serde(default)]
    pub(super) idle_streams: u32,
    /// Streams that the client opens before the others, that are written to, and that nobody reads.
    #[serde(default)]
    pub(super) stalled_streams: u32,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    ToServer,
    ToClient,
    Both,
}

/// When senders stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Amount {
    /// After this many bytes, over all streams of one direction.
    Bytes(u64),
    Seconds(f64),
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The client can open its streams.
    Ready,
    Refused {
        reason: String,
    },
    /// The server has read this many bytes since the start.
    Progress {
        bytes: u64,
    },
    /// Every stream is finished and read.
    Done(Outcome),
}

/// What the server measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Bytes that the server has read.
    pub(super) bytes: u64,
    /// CPU time of the server's process during the measurement, where its system tells.
    pub(super) cpu_seconds: Option<f64>,
}

impl Direction {
    pub(super) const fn server_reads(self) -> bool {
        matches!(self, Self::ToServer | Self::Both)
    }

    pub(super) const fn client_reads(self) -> bool {
        matches!(self, Self::ToClient | Self::Both)
    }
}

impl Request {
    /// Whether a server is ready to do this.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!(
                "this server speaks version {VERSION}, not {}",
                self.version
            ));
        }
        if !(1..=MAX_STREAMS).contains(&self.streams) {
            return Err(format!("between 1 and {MAX_STREAMS} streams are possible"));
        }
        if self.idle_streams > MAX_IDLE_STREAMS {
            return Err(format!(
                "at most {MAX_IDLE_STREAMS} idle streams are possible"
            ));
        }
        if self.stalled_streams > MAX_STALLED_STREAMS {
            return Err(format!(
                "at most {MAX_STALLED_STREAMS} stalled streams are possible"
            ));
        }
        if !(1..=MAX_LENGTH).contains(&self.length) {
            return Err(format!(
                "between 1 and {MAX_LENGTH} bytes can be written at a time"
            ));
        }
        if let Amount::Seconds(seconds) = self.amount
            && !(0.0..=LONGEST.as_secs_f64()).contains(&seconds)
        {
            return Err("a measurement takes at most a day".to_owned());
        }
        Ok(())
    }
}

impl Amount {
    /// How long senders send, when it is not the bytes that end it.
    pub(super) fn duration(self) -> Option<Duration> {
        match self {
            Self::Bytes(_) => None,
            Self::Seconds(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        }
    }
}

/// The sending half of the control stream.
#[derive(Debug)]
pub(super) struct Sender(pub(super) SendStream);

impl Sender {
    pub(super) async fn send(&mut self, message: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(message)
            .map_err(|error| Failure::new(Exit::Internal, format!("no JSON: {error}")))?;
        line.push(b'\n');
        self.0.write_all(&line).await.map_err(Failure::write)
    }

    pub(super) fn finish(&mut self) {
        // When the session is over, everybody knows.
        let _finished = self.0.finish();
    }
}

/// The receiving half of the control stream.
#[derive(Debug)]
pub(super) struct Receiver {
    stream: RecvStream,
    received: Vec<u8>,
}

impl Receiver {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// The next message; `None` at the end of the stream. Cancel safe.
    pub(super) async fn receive<M: DeserializeOwned>(&mut self) -> Result<Option<M>, Failure> {
        loop {
            if let Some(message) = take_line(&mut self.received)? {
                return Ok(Some(message));
            }
            match self
                .stream
                .read_chunk(LONGEST_MESSAGE)
                .await
                .map_err(Failure::read)?
            {
                Some(chunk) => self.received.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// Takes one message off the front.
fn take_line<M: DeserializeOwned>(received: &mut Vec<u8>) -> Result<Option<M>, Failure> {
    let strange = || Failure::lost("the peer does not speak the language of 'tcpls perf'");
    let Some(end) = received.iter().position(|byte| *byte == b'\n') else {
        return if received.len() > LONGEST_MESSAGE {
            Err(strange())
        } else {
            Ok(None)
        };
    };
    let line: Vec<u8> = received.drain(..=end).collect();
    serde_json::from_slice(&line)
        .map(Some)
        .map_err(|_| strange())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            version: VERSION,
            direction: Direction::Both,
            streams: 2,
            length: 1024,
            amount: Amount::Seconds(0.5),
            progress: true,
            idle_streams: 3,
            stalled_streams: 2,
        }
    }

    #[test]
    fn messages_survive_their_line() {
        let mut received = serde_json::to_vec(&request()).unwrap();
        received.extend_from_slice(b"\nrest");
        assert_eq!(take_line(&mut received).unwrap(), Some(request()));
        assert_eq!(received, b"rest");
    }

    #[test]
    fn a_line_in_parts_waits_for_its_end() {
        let mut received = b"\"rea".to_vec();
        assert_eq!(take_line::<Reply>(&mut received).unwrap(), None);
        received.extend_from_slice(b"dy\"\n");
        assert_eq!(take_line(&mut received).unwrap(), Some(Reply::Ready));
    }

    #[test]
    fn an_endless_line_and_nonsense_are_refused() {
        assert!(take_line::<Reply>(&mut vec![b'x'; LONGEST_MESSAGE + 1]).is_err());
        assert!(take_line::<Reply>(&mut b"{}\n".to_vec()).is_err());
    }

    #[test]
    fn requests_out_of_range_are_refused() {
        assert_eq!(request().check(), Ok(()));
        let wrong = [
            Request {
                version: 2,
                ..request()
            },
            Request {
                streams: 0,
                ..request()
            },
            Request {
                streams: MAX_STREAMS + 1,
                ..request()
            },
            Request {
                stalled_streams: MAX_STALLED_STREAMS + 1,
                ..request()
            },
            Request {
                idle_streams: MAX_IDLE_STREAMS + 1,
                ..request()
            },
            Request {
                length: 0,
                ..request()
            },
            Request {
                length: MAX_LENGTH + 1,
                ..request()
            },
            Request {
                amount: Amount::Seconds(-1.0),
                ..request()
            },
            Request {
                amount: Amount::Seconds(f64::NAN),
                ..request()
            },
        ];
        for request in wrong {
            assert!(request.check().is_err(), "{request:?} was accepted");
        }
    }
}
