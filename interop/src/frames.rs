//! The few frames that a minimal peer needs, written and read without tcpls-wire: an independent
//! second opinion on the byte layout of draft 5.2.

#![cfg_attr(
    not(feature = "openssl-peer"),
    allow(dead_code, reason = "only the peer on OpenSSL's library reads frames")
)]

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};

/// A frame as this peer understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Bytes of a stream.
    Stream {
        /// Stream number: even from the client, odd from the server.
        stream: u32,
        /// Where in the stream the data begins.
        offset: u64,
        /// Whether the stream ends with it.
        fin: bool,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Records of a connection that have arrived.
    Ack {
        /// The connection that they arrived on.
        connection: u32,
        /// The highest of them.
        highest: u64,
    },
    /// A token for one more connection.
    NewToken {
        /// Its number, which becomes that of the connection.
        sequence: u8,
        /// What the connection shows.
        value: [u8; 32],
    },
    /// A connection that failed.
    ConnectionReset {
        /// Which.
        connection: u32,
    },
    /// An address of the sender.
    NewAddress {
        /// Its number at the sender.
        id: u8,
        /// The address and the port.
        address: SocketAddr,
    },
    /// An address that the sender no longer has.
    RemoveAddress {
        /// Its number at the sender.
        id: u8,
    },
    /// Where the next record of the connection goes on; a hint.
    StreamChange {
        /// Stream of its first frame.
        stream: u32,
        /// Offset of its first frame.
        offset: u64,
    },
    /// Asks for an acknowledgement.
    Ping,
    /// A byte without meaning.
    Padding,
}

impl Frame {
    /// Whether the record of this frame is to be acknowledged.
    pub(crate) fn is_eliciting(&self) -> bool {
        !matches!(self, Self::Ack { .. } | Self::Padding)
    }
}

/// A record that holds `frames` in this order: the reader meets the last one first.
pub(crate) fn encode(frames: &[Frame]) -> Result<Vec<u8>> {
    let mut record = Vec::new();
    for frame in frames {
        match frame {
            Frame::Stream {
                stream,
                offset,
                fin,
                data,
            } => {
                let length = u16::try_from(data.len()).context("too long for one frame")?;
                record.extend_from_slice(data);
                record.extend_from_slice(&length.to_be_bytes());
                record.extend_from_slice(&offset.to_be_bytes());
                record.extend_from_slice(&stream.to_be_bytes());
                record.push(if *fin { 3 } else { 2 });
            }
            Frame::Ack {
                connection,
                highest,
            } => {
                record.extend_from_slice(&highest.to_be_bytes());
                record.extend_from_slice(&connection.to_be_bytes());
                record.push(4);
            }
            Frame::NewToken { sequence, value } => {
                record.extend_from_slice(value);
                record.extend_from_slice(&[*sequence, 5]);
            }
            Frame::ConnectionReset { connection } => {
                record.extend_from_slice(&connection.to_be_bytes());
                record.push(6);
            }
            Frame::NewAddress { id, address } => {
                record.extend_from_slice(&address.port().to_be_bytes());
                let version = match address.ip() {
                    IpAddr::V4(address) => {
                        record.extend_from_slice(&address.octets());
                        4
                    }
                    IpAddr::V6(address) => {
                        record.extend_from_slice(&address.octets());
                        6
                    }
                };
                record.extend_from_slice(&[version, *id, 7]);
            }
            Frame::RemoveAddress { id } => record.extend_from_slice(&[*id, 8]),
            Frame::StreamChange { stream, offset } => {
                record.extend_from_slice(&stream.to_be_bytes());
                record.extend_from_slice(&offset.to_be_bytes());
                record.push(9);
            }
            Frame::Ping => record.push(1),
            Frame::Padding => record.push(0),
        }
    }
    Ok(record)
}

/// The frames of a record from its end to its beginning, which is the order to handle them in.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<Frame>> {
    let mut rest = record;
    let mut frames = Vec::new();
    while let Some((kind, before)) = rest.split_last() {
        rest = before;
        frames.push(match kind {
            0 => Frame::Padding,
            1 => Frame::Ping,
            2 | 3 => {
                let stream = u32::from_be_bytes(*take(&mut rest)?);
                let offset = u64::from_be_bytes(*take(&mut rest)?);
                let length = u16::from_be_bytes(*take(&mut rest)?);
                let start = rest
                    .len()
                    .checked_sub(length.into())
                    .context("data is cut off")?;
                let (before, data) = rest.split_at(start);
                rest = before;
                Frame::Stream {
                    stream,
                    offset,
                    fin: *kind == 3,
                    data: data.to_vec(),
                }
            }
            4 => {
                let connection = u32::from_be_bytes(*take(&mut rest)?);
                let highest = u64::from_be_bytes(*take(&mut rest)?);
                Frame::Ack {
                    connection,
                    highest,
                }
            }
            5 => {
                let &[sequence] = take(&mut rest)?;
                let value = *take(&mut rest)?;
                Frame::NewToken { sequence, value }
            }
            6 => Frame::ConnectionReset {
                connection: u32::from_be_bytes(*take(&mut rest)?),
            },
            7 => {
                let &[version, id] = take(&mut rest)?;
                let ip = match version {
                    4 => IpAddr::from(*take::<4>(&mut rest)?),
                    6 => IpAddr::from(*take::<16>(&mut rest)?),
                    other => bail!("an address of version {other}"),
                };
                let port = u16::from_be_bytes(*take(&mut rest)?);
                let address = SocketAddr::new(ip, port);
                Frame::NewAddress { id, address }
            }
            8 => {
                let &[id] = take(&mut rest)?;
                Frame::RemoveAddress { id }
            }
            9 => {
                let offset = u64::from_be_bytes(*take(&mut rest)?);
                let stream = u32::from_be_bytes(*take(&mut rest)?);
                Frame::StreamChange { stream, offset }
            }
            other => bail!("a frame of type {other:#04x}, which this peer does not know"),
        });
    }
    Ok(frames)
}

/// Takes a field off the end.
fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (before, field) = rest.split_last_chunk().context("a field is cut off")?;
    *rest = before;
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// R41, A-2: written by hand from the draft's figures, not from tcpls-wire.
    #[test]
    fn a_record_has_the_bytes_of_the_draft() {
        let stream = Frame::Stream {
            stream: 0,
            offset: 0,
            fin: false,
            data: b"abc".to_vec(),
        };
        let ack = Frame::Ack {
            connection: 0,
            highest: 7,
        };
        let record = encode(&[stream.clone(), ack.clone()]).unwrap();
        let expected = "616263 0003 0000000000000000 00000000 02 0000000000000007 00000000 04";
        assert_eq!(record, hex(expected));
        assert_eq!(decode(&record).unwrap(), [ack, stream]);
    }

    /// R14: written by hand from the draft's figure.
    #[test]
    fn a_token_has_the_bytes_of_the_draft() {
        let token = Frame::NewToken {
            sequence: 2,
            value: [0xab; 32],
        };
        let record = encode(std::slice::from_ref(&token)).unwrap();
        assert_eq!(record, hex(&format!("{} 02 05", "ab".repeat(32))));
        assert_eq!(decode(&record).unwrap(), [token]);
    }

    /// R51, A-1: written by hand from the draft's figures, that of Stream Change from version 04.
    #[test]
    fn frames_of_the_session_have_the_bytes_of_the_draft() {
        for (frame, expected) in [
            (Frame::ConnectionReset { connection: 7 }, "00000007 06"),
            (
                Frame::NewAddress {
                    id: 3,
                    address: "192.0.2.1:443".parse().unwrap(),
                },
                "01bb c0000201 04 03 07",
            ),
            (
                Frame::NewAddress {
                    id: 4,
                    address: "[2001:db8::1]:80".parse().unwrap(),
                },
                "0050 20010db8000000000000000000000001 06 04 07",
            ),
            (Frame::RemoveAddress { id: 3 }, "03 08"),
            (
                Frame::StreamChange {
                    stream: 4,
                    offset: 16,
                },
                "00000004 0000000000000010 09",
            ),
        ] {
            let record = encode(std::slice::from_ref(&frame)).unwrap();
            assert_eq!(record, hex(expected));
            assert_eq!(decode(&record).unwrap(), [frame]);
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_refused() {
        let record = hex("6869 0002 0000000000000010 00000004 03");
        assert_eq!(decode(&record).unwrap().len(), 1);
        for start in 1..record.len() {
            assert!(decode(&record[start..]).is_err(), "from byte {start}");
        }
    }
}
