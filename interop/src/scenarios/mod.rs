//! Every row, by the peer that it meets.

mod joins;
mod library;
#[cfg(target_os = "linux")]
mod network;
mod ours;
mod profile;
mod rustls;
mod s_client;
mod s_server;
mod s_server_plain;
mod strangers;

use crate::scenario::Scenario;

/// All rows in the order in which they run.
pub(crate) fn all() -> Vec<Scenario> {
    let mut rows = s_server::rows();
    rows.extend(s_server_plain::rows());
    rows.extend(s_client::rows());
    rows.extend(library::rows());
    rows.extend(rustls::rows());
    rows.extend(ours::rows());
    rows.extend(profile::rows());
    rows.extend(strangers::rows());
    rows.extend(joins::rows());
    #[cfg(target_os = "linux")]
    rows.extend(network::rows());
    rows
}
