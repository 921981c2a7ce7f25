//! Bodies of the fuzz targets: for any bytes they return, or panic because a promise is broken.
//!
//! Each takes the bytes that a peer might send and checks what holds for all of them, above all that
//! reading never panics and that what was read is written back as it was. `fuzz/` calls them with a
//! fuzzer's inputs; the tests of this crate call them with the inputs in `corpus/` and with
//! variations of those.

#[cfg(test)]
mod corpus;
mod hello;
mod join;
#[cfg(test)]
mod properties;
mod record;
#[cfg(test)]
mod seeds;

pub use hello::{
    client_hello, cut_client_hello, encrypted_extensions, handshake_messages, params, server_hello,
};
pub use join::{join_answer, join_request, join_template};
pub use record::{alert, build_record, record};

/// A fuzz body.
pub type Body = fn(&[u8]);

/// Every body with its name, which is also the name of its target and of its corpus folder.
pub const BODIES: &[(&str, Body)] = &[
    ("alert", alert),
    ("build_record", build_record),
    ("client_hello", client_hello),
    ("cut_client_hello", cut_client_hello),
    ("encrypted_extensions", encrypted_extensions),
    ("handshake_messages", handshake_messages),
    ("join_answer", join_answer),
    ("join_request", join_request),
    ("join_template", join_template),
    ("params", params),
    ("record", record),
    ("server_hello", server_hello),
];
