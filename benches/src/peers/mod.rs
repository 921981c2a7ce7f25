//! The transports that are compared, one file each.

mod bare_records;
mod byte_stream;
mod chunks;
mod h2;
mod noq;
mod qmux;
mod quinn;
mod raw_tcp;
mod s2n_quic;
mod tcp;
mod tcpls;
mod tls;
mod udp;
mod yamux;

use crate::transport::Peer;

/// Something that is done with every transport.
pub trait Visitor {
    /// Does it with this one.
    fn visit<P: Peer>(&mut self, peer: P);
}

/// Shows all transports to `visitor`, in the order of the tables.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit(raw_tcp::RawTcp);
    visitor.visit(bare_records::BareRecords);
    visitor.visit(tls::TokioRustls);
    visitor.visit(yamux::Yamux);
    visitor.visit(h2::H2);
    visitor.visit(qmux::Qmux);
    visitor.visit(quinn::Quinn::ethernet());
    visitor.visit(quinn::Quinn::large());
    visitor.visit(s2n_quic::S2nQuic);
    visitor.visit(noq::Noq);
    for tcpls in tcpls::Tcpls::all() {
        visitor.visit(tcpls);
    }
}
