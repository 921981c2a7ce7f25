//! One step of a rustls connection, the same for client and server.

use rustls::Error;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};

/// A rustls connection that is shaking hands.
pub(super) trait Machine {
    /// Lets rustls work on the records in `input`; what it writes is appended to `out`.
    ///
    /// Returns how many bytes of `input` it is done with.
    fn step(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Step, Error>);

    /// Whether the handshake is still going on.
    fn is_handshaking(&self) -> bool;

    /// Whether the next step only gives what rustls has to write, and reads nothing.
    fn wants_write(&self) -> bool;
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do with the same input.
    Again,
    /// Another record is needed.
    NeedsRecord,
    /// Application data may be sent: the handshake is over, as far as this end goes.
    MaySend,
    /// The peer has closed, or sends what it must not send yet.
    Closed,
}

impl Machine for UnbufferedClientConnection {
    fn step(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Step, Error>) {
        take_step(self.process_tls_records(input), out)
    }

    fn is_handshaking(&self) -> bool {
        rustls::CommonState::is_handshaking(self)
    }

    fn wants_write(&self) -> bool {
        rustls::CommonState::wants_write(self)
    }
}

impl Machine for UnbufferedServerConnection {
    fn step(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Step, Error>) {
        take_step(self.process_tls_records(input), out)
    }

    fn is_handshaking(&self) -> bool {
        rustls::CommonState::is_handshaking(self)
    }

    fn wants_write(&self) -> bool {
        rustls::CommonState::wants_write(self)
    }
}

fn take_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    out: &mut Vec<u8>,
) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { discard, state, .. } = status;
    let step = state.and_then(|state| match state {
        ConnectionState::EncodeTlsData(mut data) => {
            encode(out, |space| data.encode(space)).map(|()| Step::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::BlockedHandshake => Ok(Step::NeedsRecord),
        ConnectionState::WriteTraffic(_) => Ok(Step::MaySend),
        ConnectionState::ReadTraffic(_)
        | ConnectionState::ReadEarlyData(_)
        | ConnectionState::PeerClosed
        | ConnectionState::Closed
        | _ => Ok(Step::Closed),
    });
    (discard, step)
}

/// Appends what `write` gives, after asking it how much that is.
fn encode(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Error> {
    let start = out.len();
    let needed = match write(&mut []) {
        Err(EncodeError::InsufficientSize(error)) => error.required_size,
        _ => return Ok(()),
    };
    out.resize(start + needed, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    write(space).map_err(|error| Error::General(error.to_string()))?;
    Ok(())
}
