//! How long the first protected records of a join are, to look like the messages that would be there
//! (reading A-20).
//!
//! All sizes are those of a record's plaintext in bytes, without content type and tag: a record is
//! padded up to that, unless what it carries is longer.

use super::{JoinShape, RandomSource};
use crate::{frame::MAX_PLAINTEXT, hello::CipherSuite};

/// The first record of the client.
///
/// In the full shape it stands for `Finished`. In the resumption shape it stands for early data, and
/// those are of any length: 128 to 639 bytes, like a short request.
pub fn client_first(shape: JoinShape, suite: CipherSuite, random: &mut RandomSource<'_>) -> usize {
    match shape {
        JoinShape::Full => finished(suite),
        JoinShape::Resumption => {
            let mut drawn = [0; 2];
            random(&mut drawn);
            let [high, low] = drawn;
            128 + usize::from(u16::from_be_bytes([high & 1, low]))
        }
    }
}

/// The client's `EndOfEarlyData` and `Finished`, which in the resumption shape follow the first
/// record of the server.
pub fn client_second(suite: CipherSuite) -> usize {
    HANDSHAKE_HEADER + finished(suite)
}

/// What a server would say under its own name after a `ServerHello`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerFlight {
    /// The session's cipher suite.
    pub suite: CipherSuite,
    /// Length of the session's application protocol in bytes; 0 without one.
    pub protocol: usize,
    /// Length of the server's `Certificate` and `CertificateVerify` messages together, if known.
    pub certificates: Option<usize>,
}

impl ServerFlight {
    /// The first record of the server: `EncryptedExtensions` and `Finished`, in the full shape with
    /// the certificate's messages between them; at most the 16384 bytes of a record.
    pub fn first_record(self, shape: JoinShape) -> usize {
        let protocol = match self.protocol {
            0 => 0,
            length => EXTENSION_HEADER + LIST_LENGTH + 1 + length,
        };
        // `early_data` in a resumption, `server_name` in a full handshake: both are empty.
        let extensions = LIST_LENGTH + EXTENSION_HEADER + protocol;
        let certificates = match shape {
            JoinShape::Resumption => 0,
            JoinShape::Full => self.certificates.unwrap_or(TYPICAL_CERTIFICATES),
        };
        let rest = HANDSHAKE_HEADER + extensions + finished(self.suite);
        certificates.saturating_add(rest).min(MAX_PLAINTEXT)
    }
}

/// The most of `wanted` plaintext bytes that one record may have so that a server sends at most three
/// times what it received, headers and tags included; `None` if not even an empty record fits.
///
/// It binds whatever goes out before the client proved that it knows the session's keys.
pub fn within_amplification(wanted: usize, received: usize, sent: usize) -> Option<usize> {
    let room = received
        .saturating_mul(AMPLIFICATION)
        .checked_sub(sent)?
        .checked_sub(RECORD_OVERHEAD)?;
    Some(wanted.min(room))
}

/// A `Finished` message.
fn finished(suite: CipherSuite) -> usize {
    HANDSHAKE_HEADER + suite.hash_length()
}

const HANDSHAKE_HEADER: usize = crate::hello::HANDSHAKE_HEADER;
const EXTENSION_HEADER: usize = 4;
const LIST_LENGTH: usize = 2;
/// Record header, content type and tag.
const RECORD_OVERHEAD: usize = 5 + 1 + 16;
/// How many bytes may answer one.
const AMPLIFICATION: usize = 3;
/// An ECDSA certificate, its intermediate, and a signature.
const TYPICAL_CERTIFICATES: usize = 2_400;

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: CipherSuite = CipherSuite::AES_128_GCM_SHA256;
    const SHA384: CipherSuite = CipherSuite::AES_256_GCM_SHA384;

    /// the client's records weigh what `Finished`, or early data, would.
    #[test]
    fn client_records_weigh_what_a_handshake_does() {
        assert_eq!(client_first(JoinShape::Full, SHA256, &mut |_| {}), 36);
        assert_eq!(client_first(JoinShape::Full, SHA384, &mut |_| {}), 52);
        assert_eq!(client_second(SHA256), 40);
        let early = |byte| {
            client_first(JoinShape::Resumption, SHA256, &mut |buffer: &mut [u8]| {
                buffer.fill(byte);
            })
        };
        assert_eq!((early(0), early(0xff)), (128, 639));
    }

    /// so does the server's first one, with and without certificates.
    #[test]
    fn server_record_weighs_what_a_flight_does() {
        let mut flight = ServerFlight {
            suite: SHA256,
            protocol: 2,
            certificates: Some(1000),
        };
        // EncryptedExtensions with early_data and ALPN `h2`, then Finished.
        assert_eq!(flight.first_record(JoinShape::Resumption), 10 + 9 + 36);
        assert_eq!(flight.first_record(JoinShape::Full), 10 + 9 + 1000 + 36);
        flight.protocol = 0;
        flight.certificates = Some(usize::MAX);
        assert_eq!(flight.first_record(JoinShape::Resumption), 10 + 36);
        assert_eq!(flight.first_record(JoinShape::Full), 16_384);
    }

    /// before its proof a client is answered with three times its bytes at most.
    #[test]
    fn amplification_is_bounded_by_three() {
        assert_eq!(within_amplification(1000, 1000, 133), Some(1000));
        assert_eq!(within_amplification(5000, 1000, 133), Some(3000 - 133 - 22));
        assert_eq!(within_amplification(5000, 100, 278), Some(0));
        assert_eq!(within_amplification(5000, 100, 279), None);
        assert_eq!(within_amplification(5000, 0, 0), None);
        assert_eq!(within_amplification(1, usize::MAX, usize::MAX), None);
    }
}
