//! What the parameters mean: what one side grants and asks for at the start of a session.

use alloc::vec::Vec;

use super::{ParamId, Params};
use crate::HelloError;

/// What one side says about itself in `tcpls_params`; `None` stands for a parameter that is absent,
/// which means that there is no limit beyond the peer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionParams {
    /// How long the sender of this stays in a silent session, in milliseconds.
    pub max_idle: Option<u32>,
    /// Stream bytes that the peer may send in the session.
    pub max_data: Option<u64>,
    /// Bytes that the peer may send on each stream.
    pub max_stream_data: Option<u64>,
    /// Streams that the peer may open, of both kinds together.
    pub max_streams: Option<u32>,
    /// Records after which an ACK is sent.
    pub ack_records: Option<u16>,
    /// Milliseconds after which an ACK is sent.
    pub ack_delay: Option<u16>,
    /// Connections that the session may have at a time.
    pub max_connections: Option<u16>,
    /// What the sender of this can do.
    pub features: Features,
    /// Bytes of plaintext that a record may have.
    pub max_record: Option<u16>,
    /// Milliseconds between keepalives.
    pub keepalive: Option<u32>,
    /// Seconds that the session survives without a connection.
    pub linger: Option<u32>,
    /// Unidirectional streams of the peer that may be open at a time.
    pub max_uni_streams: Option<u32>,
}

/// What a side can do beyond the draft, one bit each (`spec/extensions.md`). A session uses what both
/// sides offer. Unknown bits are kept and mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Features(u64);

impl Features {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Limits on data and streams.
    pub const FLOW_CONTROL: Self = Self(1);
    /// Streams that are reset and stopped.
    pub const STREAM_RESET: Self = Self(1 << 1);
    /// The end of a session with a code and a reason.
    pub const SESSION_CLOSE: Self = Self(1 << 2);
    /// Tokens with 32-bit Connection IDs.
    pub const TOKENS: Self = Self(1 << 3);
    /// A negotiated idle time-out.
    pub const IDLE: Self = Self(1 << 4);
    /// The end and the priority of single connections.
    pub const CONNECTION_STATE: Self = Self(1 << 5);
    /// Probes and observed addresses.
    pub const PATH_PROBE: Self = Self(1 << 6);
    /// Streams of one direction.
    pub const UNIDIRECTIONAL: Self = Self(1 << 16);

    /// The features with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// These and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both have.
    #[must_use]
    pub const fn shared_with(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl SessionParams {
    /// Reads the content of a `tcpls_params` extension. Unknown parameters are passed over.
    pub fn decode(body: &[u8]) -> Result<Self, HelloError> {
        let params = Params::parse(body)?;
        let features = Features(params.get_u64(ParamId::FEATURES)?.unwrap_or_default());
        let read = Self {
            max_idle: params.get_u32(ParamId::MAX_IDLE)?,
            max_data: params.get_u64(ParamId::INITIAL_MAX_DATA)?,
            max_stream_data: params.get_u64(ParamId::INITIAL_MAX_STREAM_DATA)?,
            max_streams: params.get_u32(ParamId::INITIAL_MAX_STREAMS)?,
            ack_records: params.get_u16(ParamId::ACK_RECORDS)?,
            ack_delay: params.get_u16(ParamId::ACK_DELAY)?,
            max_connections: params.get_u16(ParamId::MAX_CONNECTIONS)?,
            features,
            max_record: params.get_u16(ParamId::MAX_RECORD)?,
            keepalive: params.get_u32(ParamId::KEEPALIVE)?,
            linger: params.get_u32(ParamId::LINGER)?,
            max_uni_streams: params.get_u32(ParamId::INITIAL_MAX_UNI_STREAMS)?,
        };
        if features.contains(Features::FLOW_CONTROL) {
            for (id, there) in [
                (ParamId::INITIAL_MAX_DATA, read.max_data.is_some()),
                (
                    ParamId::INITIAL_MAX_STREAM_DATA,
                    read.max_stream_data.is_some(),
                ),
                (ParamId::INITIAL_MAX_STREAMS, read.max_streams.is_some()),
            ] {
                if !there {
                    return Err(HelloError::MissingParam(id));
                }
            }
        }
        Ok(read)
    }

    /// The most bytes that [`encode`](Self::encode) gives.
    pub const MAX_ENCODED: usize = 100;

    /// The content of a `tcpls_params` extension, at most [`MAX_ENCODED`](Self::MAX_ENCODED) bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(Self::MAX_ENCODED);
        push(
            ParamId::MAX_IDLE,
            self.max_idle.map(u32::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::INITIAL_MAX_DATA,
            self.max_data.map(u64::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::INITIAL_MAX_STREAM_DATA,
            self.max_stream_data.map(u64::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::INITIAL_MAX_STREAMS,
            self.max_streams.map(u32::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::ACK_RECORDS,
            self.ack_records.map(u16::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::ACK_DELAY,
            self.ack_delay.map(u16::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::MAX_CONNECTIONS,
            self.max_connections.map(u16::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::FEATURES,
            Some(self.features.0.to_be_bytes()),
            &mut list,
        );
        push(
            ParamId::MAX_RECORD,
            self.max_record.map(u16::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::KEEPALIVE,
            self.keepalive.map(u32::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::LINGER,
            self.linger.map(u32::to_be_bytes),
            &mut list,
        );
        push(
            ParamId::INITIAL_MAX_UNI_STREAMS,
            self.max_uni_streams.map(u32::to_be_bytes),
            &mut list,
        );
        list
    }
}

fn push<const N: usize>(id: ParamId, value: Option<[u8; N]>, list: &mut Vec<u8>) {
    if let Some(value) = value {
        // Only a value of more than 65535 bytes is refused.
        let pushed = Params::push(id, &value, list);
        debug_assert!(pushed.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_written() {
        let full = SessionParams {
            max_idle: Some(1),
            max_data: Some(2),
            max_stream_data: Some(3),
            max_streams: Some(4),
            ack_records: Some(5),
            ack_delay: Some(6),
            max_connections: Some(7),
            features: Features::FLOW_CONTROL.with(Features::UNIDIRECTIONAL),
            max_record: Some(9),
            keepalive: Some(10),
            linger: Some(11),
            max_uni_streams: Some(12),
        };
        assert_eq!(full.encode().len(), SessionParams::MAX_ENCODED);
        assert_eq!(SessionParams::decode(&full.encode()), Ok(full));
        let none = SessionParams::default();
        assert_eq!(SessionParams::decode(&none.encode()), Ok(none));
        assert_eq!(SessionParams::decode(&[]), Ok(none));
    }

    #[test]
    fn flow_control_needs_its_three_limits() {
        let mut params = SessionParams {
            max_data: Some(2),
            max_stream_data: Some(3),
            features: Features::FLOW_CONTROL,
            ..SessionParams::default()
        };
        let error = SessionParams::decode(&params.encode()).unwrap_err();
        assert_eq!(
            error,
            HelloError::MissingParam(ParamId::INITIAL_MAX_STREAMS)
        );
        assert_eq!(error.alert().as_u8(), 47);
        params.max_streams = Some(0);
        assert_eq!(SessionParams::decode(&params.encode()), Ok(params));
    }
}
