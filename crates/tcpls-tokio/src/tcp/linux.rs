//! Socket options of Linux that no library wraps by itself.
//!
//! Each may be missing: older systems and sandboxes do not have all of them.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use nix::libc::{self, IPPROTO_TCP, TCP_INFO, c_int};
use nix::sys::socket::sockopt::{GetStruct, SetStruct, TcpFastOpenConnect};
use nix::sys::socket::{getsockopt, setsockopt};
use nix::{getsockopt_impl, setsockopt_impl};
use socket2::SockRef;
use tcpls_core::PathInfo;
use tokio::net::TcpStream;

/// Reads what TCP says about a connection, where [`has_whole_info`].
pub(super) fn tcp_info(stream: &TcpStream) -> Option<PathInfo> {
    let info = Info(getsockopt(stream, InfoOption).ok()?);
    let segment = u64::from(info.u32(SEND_SEGMENT));
    Some(PathInfo {
        round_trip: Duration::from_micros(info.u32(ROUND_TRIP).into()),
        round_trip_variation: Duration::from_micros(info.u32(ROUND_TRIP_VARIATION).into()),
        congestion_window: u64::from(info.u32(CONGESTION_WINDOW)) * segment,
        in_flight: u64::from(info.u32(UNACKNOWLEDGED)) * segment,
        unsent: info.u32(NOT_SENT).into(),
        since_ack: Duration::from_millis(info.u32(LAST_ACK_RECEIVED).into()),
    })
}

/// Reads how many segments were sent again, where [`has_whole_info`].
pub(super) fn segments_retransmitted(stream: &TcpStream) -> Option<u64> {
    let info = Info(getsockopt(stream, InfoOption).ok()?);
    Some(info.u32(TOTAL_RETRANSMITTED).into())
}

/// Reads how many bytes the peer's TCP acknowledged and how many arrived here, together, where
/// [`has_whole_info`].
pub(super) fn bytes_delivered(stream: &TcpStream) -> Option<u64> {
    let info = Info(getsockopt(stream, InfoOption).ok()?);
    Some(
        info.u64(BYTES_ACKED)
            .saturating_add(info.u64(BYTES_RECEIVED)),
    )
}

/// Bounds the time after which TCP tries again what was not acknowledged, so that a path that was
/// gone for a while is used soon after it is back.
pub(super) fn set_retransmission_limit(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    Ok(setsockopt(stream, RetransmissionLimit, &limit)?)
}

/// How many bytes that TCP has not sent the socket takes before it counts as full; 0 for the default of
/// the system, which is no limit unless its administrator set one.
pub(super) fn set_unsent_limit(stream: &TcpStream, limit: u32) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(limit)
}

/// Has TCP spread what it sends over the round trip, also where its congestion control sends bursts. It
/// takes the speed from its window, below the limit that this sets.
pub(super) fn pace(stream: &TcpStream) -> io::Result<()> {
    // The highest limit that every system takes for one: 34 Gbit/s.
    Ok(setsockopt(stream, PacingLimit, &(u32::MAX - 1))?)
}

/// Chooses the congestion control by its name.
pub(super) fn set_congestion_control(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.set_tcp_congestion(name.as_bytes())
}

/// Sends and receives through the network interface of this name only.
pub(super) fn bind_device(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

/// Whether the system's `tcp_info` has all that is read of it. Longer ones are cut, shorter ones are
/// of Linux 4.5 and before; what is asked for here came with 4.11.
pub(super) fn has_whole_info(stream: &TcpStream) -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| getsockopt(stream, TcpFastOpenConnect).is_ok())
}

/// The first bytes of a `struct tcp_info`, whose fields never move.
#[derive(Clone, Copy)]
struct Info([u8; INFO_LENGTH]);

impl Info {
    /// The 32-bit field at this offset.
    fn u32(&self, offset: usize) -> u32 {
        let bytes = self.0.get(offset..).and_then(<[u8]>::first_chunk);
        bytes.copied().map_or(0, u32::from_ne_bytes)
    }

    /// The 64-bit field at this offset.
    fn u64(&self, offset: usize) -> u64 {
        let bytes = self.0.get(offset..).and_then(<[u8]>::first_chunk);
        bytes.copied().map_or(0, u64::from_ne_bytes)
    }
}

/// Up to and with `tcpi_notsent_bytes`.
const INFO_LENGTH: usize = NOT_SENT + 4;

// Offsets of the fields, in the order of linux/tcp.h.
const SEND_SEGMENT: usize = 16;
const UNACKNOWLEDGED: usize = 24;
const LAST_ACK_RECEIVED: usize = 56;
const ROUND_TRIP: usize = 68;
const ROUND_TRIP_VARIATION: usize = 72;
const CONGESTION_WINDOW: usize = 80;
const TOTAL_RETRANSMITTED: usize = 100;
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const NOT_SENT: usize = 144;

/// `TCP_RTO_MAX_MS`, since Linux 6.15; at least 1000.
const TCP_RTO_MAX_MS: c_int = 44;

#[derive(Clone, Copy)]
struct InfoOption;

#[derive(Clone, Copy)]
struct RetransmissionLimit;

#[derive(Clone, Copy)]
struct PacingLimit;

getsockopt_impl!(
    InfoOption,
    IPPROTO_TCP,
    TCP_INFO,
    [u8; INFO_LENGTH],
    GetStruct<[u8; INFO_LENGTH]>
);
setsockopt_impl!(
    RetransmissionLimit,
    IPPROTO_TCP,
    TCP_RTO_MAX_MS,
    u32,
    SetStruct<'_, u32>
);
setsockopt_impl!(
    PacingLimit,
    libc::SOL_SOCKET,
    libc::SO_MAX_PACING_RATE,
    u32,
    SetStruct<'_, u32>
);
