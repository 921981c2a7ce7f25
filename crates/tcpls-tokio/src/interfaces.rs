//! The interfaces of this machine: which local addresses come and go.
//!
//! TCP does not tell: a connection whose interface is down waits for minutes. Linux tells those who
//! ask; elsewhere, and where it does not, everything works without, only later.

#[cfg(target_os = "linux")]
mod netlink;
mod source;
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "nobody fills it there")
)]
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use source::sources;
pub(crate) use table::{Change, LocalAddress};
use tokio::task::AbortHandle;

/// Watches the interfaces, in a task of its own, until dropped.
#[derive(Debug)]
pub(crate) struct Interfaces {
    usable: Usable,
    task: AbortHandle,
}

/// The addresses that can be used now, as far as the system has told.
type Usable = Arc<Mutex<Arc<[LocalAddress]>>>;

impl Interfaces {
    /// Calls `on_change` for the addresses that are there, and whenever some come or go. Within a runtime
    /// with I/O enabled.
    pub(crate) fn watch(on_change: impl FnMut(&Change) + Send + 'static) -> Self {
        let usable = Usable::default();
        let task = tokio::spawn(watch(Arc::clone(&usable), on_change)).abort_handle();
        Self { usable, task }
    }

    /// The addresses that can be used now, as far as the system has told.
    pub(crate) fn usable(&self) -> Arc<[LocalAddress]> {
        Arc::clone(&lock(&self.usable))
    }

    /// Whether nothing is watched any more: the runtime of it ended, or the system does not tell.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Interfaces {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(target_os = "linux")]
async fn watch(usable: Usable, mut on_change: impl FnMut(&Change)) {
    let mut table = table::InterfaceTable::default();
    let end = netlink::watch(|told| {
        let change = table.take_in(told);
        lock(&usable).clone_from(&change.usable);
        if !change.is_empty() {
            tracing::debug!(?change, "local addresses changed");
            on_change(&change);
        }
    });
    if let Err(error) = end.await {
        tracing::debug!(%error, "interfaces are not watched");
    }
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
async fn watch(_usable: Usable, _on_change: impl FnMut(&Change)) {}

fn lock(usable: &Mutex<Arc<[LocalAddress]>>) -> MutexGuard<'_, Arc<[LocalAddress]>> {
    usable.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::table::InterfaceTable;

    /// without any privilege, Linux tells which addresses there are.
    #[tokio::test]
    async fn the_loopback_address_is_known() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut table = InterfaceTable::default();
        let watch = super::netlink::watch(|told| sender.send(table.take_in(told)).unwrap());
        let change = tokio::select! {
            end = watch => panic!("{end:?}"),
            change = receiver.recv() => change.unwrap(),
        };
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut came = change.came.iter();
        assert!(came.any(|local| local.address == loopback && local.device == "lo"));
    }
}
