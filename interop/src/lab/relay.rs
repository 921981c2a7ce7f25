//! The wire of a path: two TAP devices, one in each namespace, and threads that carry frames
//! between them under [`Conditions`].
//!
//! The relay makes delay, jitter, rate, queue, loss, corruption and holes, because not every kernel
//! has netem; and because it drops outside of both kernels, TCP sees a hole as on a real path (a drop on
//! its own way out would be reported to it as local congestion).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result};
use tun_rs::{DeviceBuilder, InterruptEvent, Layer, SyncDevice};

use super::conditions::{Conditions, Line};
use super::namespaces::Namespace;

/// Frames under way in one direction at most: more than any window that TCP uses here.
const FRAMES: usize = 1 << 14;

/// An Ethernet frame without offloads.
const LONGEST_FRAME: usize = 9018;

/// Threads of the relay run before the endpoints that they connect.
const PRIORITY: i32 = -10;

/// A running wire; it stops when it is dropped.
pub(crate) struct Relay {
    stop: Arc<InterruptEvent>,
    threads: Vec<JoinHandle<()>>,
    /// From the first end to the second.
    pub(crate) forth: Arc<Conditions>,
    /// From the second end to the first.
    pub(crate) back: Arc<Conditions>,
}

/// A frame and when it arrives.
type Parcel = (Instant, Box<[u8]>);

impl Relay {
    /// Creates the interfaces named with each namespace, and connects them.
    pub(crate) fn new(first: (&Namespace, &str), second: (&Namespace, &str)) -> Result<Self> {
        let devices = [device(first)?, device(second)?];
        let mut relay = Self {
            stop: Arc::new(InterruptEvent::new()?),
            threads: Vec::new(),
            forth: Arc::default(),
            back: Arc::default(),
        };
        let [first, second] = devices.map(Arc::new);
        relay.connect(&first, &second, &Arc::clone(&relay.forth))?;
        relay.connect(&second, &first, &Arc::clone(&relay.back))?;
        Ok(relay)
    }

    fn connect(
        &mut self,
        from: &Arc<SyncDevice>,
        to: &Arc<SyncDevice>,
        conditions: &Arc<Conditions>,
    ) -> Result<()> {
        let (sender, receiver) = sync_channel(FRAMES);
        let seed = u64::try_from(self.threads.len()).unwrap_or_default() + 1;
        let (from, stop, conditions) = (
            Arc::clone(from),
            Arc::clone(&self.stop),
            Arc::clone(conditions),
        );
        self.start("relay-in", move || {
            // The end of the device or of the relay: nothing more to carry.
            let _end = take_in(&from, &stop, &conditions, seed, &sender);
        })?;
        let to = Arc::clone(to);
        self.start("relay-out", move || deliver(&to, &receiver))
    }

    fn start(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(|| {
            // Without the privilege the relay is only less exact on a busy machine.
            let _refused = rustix::process::setpriority_process(None, PRIORITY);
            body();
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("forth", &self.forth)
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.stop.trigger().is_err() {
            return;
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                eprintln!("interop: a thread of a relay panicked");
            }
        }
    }
}

fn device((namespace, name): (&Namespace, &str)) -> Result<SyncDevice> {
    namespace
        .enter(|| {
            DeviceBuilder::new()
                .name(name)
                .layer(Layer::L2)
                .enable(false)
                .build_sync()
        })?
        .with_context(|| format!("cannot create the TAP device {name}"))
}

/// Reads frames and decides when they arrive, until the relay stops.
fn take_in(
    device: &SyncDevice,
    stop: &InterruptEvent,
    conditions: &Conditions,
    seed: u64,
    sender: &SyncSender<Parcel>,
) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST_FRAME];
    let mut line = Line::new(conditions, seed, Instant::now());
    loop {
        let length = device.recv_intr(&mut buffer, stop)?;
        let Some(frame) = buffer.get_mut(..length) else {
            continue;
        };
        if let Some(arrival) = line.admit(frame, Instant::now()) {
            let parcel = (arrival, Box::from(&*frame));
            sender.send(parcel).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
    }
}

/// Writes each frame at its time, until no more come.
fn deliver(device: &SyncDevice, receiver: &Receiver<Parcel>) {
    for (arrival, frame) in receiver {
        let now = Instant::now();
        if arrival > now {
            thread::sleep(arrival.duration_since(now));
        }
        // An interface that is down refuses frames: they are lost, as on a cable without an end.
        let _refused = device.send(&frame);
    }
}
