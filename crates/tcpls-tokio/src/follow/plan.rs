//! Which paths to try next, and when: no socket, no clock.

#[cfg(test)]
pub(super) mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tcpls_core::ConnectionHandle;

use super::budget::{Budget, Identifiers};
use super::policy::AdvertisedAddresses;
use crate::path_options::PathOptions;

/// Paths that a session could have and has not, and what was tried to get them.
#[derive(Debug)]
pub(crate) struct Plan {
    places: Vec<Place>,
    next_id: u64,
    budget: Budget,
    /// Since when no connection is usable.
    cut_off: Option<Instant>,
    /// Where connections go.
    connected: Vec<SocketAddr>,
    closing: Closing,
}

/// Whether the session is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    Yes,
}

/// Which place; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlaceId(u64);

/// A path that the session could have.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) id: PlaceId,
    pub(crate) options: PathOptions,
    pub(crate) origin: Origin,
    trying: Trying,
    /// When the last attempt began.
    began: Option<Instant>,
    /// Attempts in a row that ended before TCP was connected.
    unreached: u32,
    /// Attempts in a row that ended after that.
    unjoined: u32,
    /// Not before this time.
    next: Instant,
    lost_at: Instant,
}

/// A connection that is silent, from where it comes, and how it was opened.
pub(super) type Suspect = (ConnectionHandle, Option<IpAddr>, PathOptions);

/// Why a place is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This connection was there and failed. It came from that address.
    Lost(ConnectionHandle, Option<IpAddr>),
    /// This connection is there and silent: tried while no other is usable.
    Suspect(ConnectionHandle, Option<IpAddr>),
    /// The server advertised its address: tried while no connection is usable, or none goes there.
    Advertised(AdvertisedAddresses),
    /// The application wants it.
    Wanted,
    /// There is an interface that no connection uses: tried a few times, until something changes there.
    Interface,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trying {
    No,
    Yes,
}

impl Place {
    fn is_advertised(&self) -> bool {
        matches!(self.origin, Origin::Advertised(_))
    }

    fn goes_to(&self, address: SocketAddr) -> bool {
        self.options.remote_address() == Some(address)
    }

    /// How long a join may take, on a path where connecting TCP took this long: not long at first, because
    /// the path may have broken just now.
    pub(crate) fn patience(&self, dial: Duration) -> Duration {
        let patience = doubled(JOIN_PATIENCE, self.unjoined).max(dial * 4);
        patience.min(LONGEST_JOIN_PATIENCE)
    }

    /// When it may be tried again at the earliest, whatever the hurry.
    fn rested(&self, now: Instant) -> Instant {
        match (self.began, self.unjoined.checked_sub(1)) {
            (Some(began), Some(times)) => {
                let rest = doubled(SPACING, times).min(LONGEST_PAUSE);
                now.max(began + rest)
            }
            _ => now,
        }
    }
}

/// How long a join may take.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_JOIN_PATIENCE: Duration = Duration::from_secs(6);
/// Places at a time. More than this many connections are not re-joined.
const PLACES: usize = 64;
/// Advertised addresses that are remembered.
const ADVERTISED: usize = 8;
/// Attempts at a time to get to advertised addresses.
const ADVERTISED_ATTEMPTS: usize = 2;
/// Attempts from an interface that may lead nowhere.
const INTERFACE_ATTEMPTS: u32 = 4;
/// Attempts at a time.
const ATTEMPTS: usize = 8;
/// How long a connection is suspect before the same path is tried anew. A peer's TCP may keep a lone
/// acknowledgment for 200 ms, and a slow answer of the application must not cost a connection.
const SUSPICION: Duration = Duration::from_millis(200);
/// From one attempt to the next while no connection is usable.
pub(crate) const SPACING: Duration = Duration::from_millis(700);
/// How long attempts follow each other at that distance.
const EAGER: Duration = Duration::from_secs(60);
/// The longest pause between attempts that do not get through.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The first pause while another connection is usable, and the longest one in the beginning.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const EARLY_PAUSE: Duration = Duration::from_secs(4);
/// The first pause after a join came to nothing, and the longest one.
const JOIN_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_JOIN_PAUSE: Duration = Duration::from_secs(300);

impl Plan {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            places: Vec::new(),
            next_id: 0,
            budget: Budget::new(Identifiers::Few, now),
            cut_off: None,
            connected: Vec::new(),
            closing: Closing::No,
        }
    }

    /// The session closes: what it finished may still need the paths that it had, but no others.
    pub(crate) fn close(&mut self) {
        self.closing = Closing::Yes;
        self.places
            .retain(|place| matches!(place.origin, Origin::Lost(..) | Origin::Suspect(..)));
    }

    /// The same for a session that has so many identifiers.
    pub(crate) fn with(self, identifiers: Identifiers, now: Instant) -> Self {
        Self {
            budget: Budget::new(identifiers, now),
            ..self
        }
    }

    /// Says how many connections are usable. Without any, pauses are over, but for those after joins that
    /// came to nothing: a connection that falls silent again and again would take a token for each time.
    pub(crate) fn set_usable(&mut self, usable: usize, now: Instant) {
        if usable > 0 {
            self.cut_off = None;
        } else if self.cut_off.is_none() {
            self.cut_off = Some(now);
            for place in &mut self.places {
                place.next = place.next.min(place.rested(now));
            }
        }
    }

    /// Says where connections go.
    pub(crate) fn set_connected(&mut self, connected: Vec<SocketAddr>) {
        self.connected = connected;
    }

    /// A connection failed. An attempt that began while it was suspect goes on.
    pub(crate) fn on_lost(
        &mut self,
        connection: ConnectionHandle,
        local: Option<IpAddr>,
        options: PathOptions,
        now: Instant,
    ) {
        let origin = Origin::Lost(connection, local);
        let suspect = Origin::Suspect(connection, local);
        match self.places.iter_mut().find(|place| place.origin == suspect) {
            Some(place) => place.origin = origin,
            None => self.add(options, origin, now),
        }
    }

    /// These connections are suspect, and no others.
    pub(crate) fn set_suspects(&mut self, suspects: Vec<Suspect>, now: Instant) {
        self.places.retain(|place| match place.origin {
            Origin::Suspect(connection, _) => suspects.iter().any(|(c, ..)| *c == connection),
            Origin::Lost(..) | Origin::Advertised(_) | Origin::Wanted | Origin::Interface => true,
        });
        for (connection, local, options) in suspects {
            let origin = Origin::Suspect(connection, local);
            if !self.places.iter().any(|place| place.origin == origin) {
                self.add(options, origin, now + SUSPICION);
            }
        }
    }

    /// The server advertised an address that may be connected to.
    pub(crate) fn on_advertised(
        &mut self,
        address: SocketAddr,
        policy: AdvertisedAddresses,
        now: Instant,
    ) {
        let mut known = self.places.iter().filter(|place| place.is_advertised());
        if known.clone().count() < ADVERTISED && !known.any(|place| place.goes_to(address)) {
            self.add(PathOptions::to(address), Origin::Advertised(policy), now);
        }
    }

    /// What was lost is not wanted any more, nor what was wanted before.
    pub(crate) fn forget_lost(&mut self) {
        self.places.retain(Place::is_advertised);
    }

    /// The session is to have such a path, too.
    pub(crate) fn want(&mut self, options: PathOptions, origin: Origin, now: Instant) {
        let mut own = self
            .places
            .iter_mut()
            .filter(|place| !place.is_advertised());
        match own.find(|place| place.options == options) {
            Some(place) => {
                place.next = now;
                place.unreached = 0;
            }
            None => self.add(options, origin, now),
        }
    }

    /// Keeps the places whose address fulfils `allowed`.
    pub(crate) fn retain(&mut self, allowed: impl Fn(SocketAddr) -> bool) {
        self.places
            .retain(|place| place.options.remote_address().is_none_or(&allowed));
    }

    /// Local addresses became usable: what may need them is tried at once.
    pub(crate) fn on_addresses(&mut self, came: &[IpAddr], now: Instant) {
        for place in &mut self.places {
            let bound = place.options.local_address();
            if bound.is_none_or(|address| came.contains(&address)) {
                place.next = now;
                place.unreached = 0;
            }
        }
    }

    /// The next attempt that is due; it has begun now.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<Place> {
        let at = self.due(now)?;
        let place = self.places.get_mut(at)?;
        place.trying = Trying::Yes;
        place.began = Some(now);
        Some(place.clone())
    }

    /// An attempt did not get as far as a TCP connection.
    pub(crate) fn on_unreached(&mut self, id: PlaceId, now: Instant) {
        let cut_off = self.cut_off;
        if let Some(place) = self.get_mut(id) {
            place.trying = Trying::No;
            let began = place.began.unwrap_or(now);
            place.next = match cut_off {
                Some(since) => now.max(began + spacing(now - since)),
                None => now + pause(place.unreached, now - place.lost_at),
            };
            place.unreached += 1;
            place.unjoined = 0;
        }
    }

    /// TCP was connected, and the join came to nothing; tokens are scarce.
    pub(crate) fn on_unjoined(&mut self, id: PlaceId, now: Instant) {
        let cut_off = self.cut_off;
        if cut_off.is_none() {
            self.budget.take(now);
        }
        if let Some(place) = self.get_mut(id) {
            place.trying = Trying::No;
            place.next = match cut_off {
                // A network that lets nothing through costs time alone (reading A-44).
                Some(_) => now + doubled(SPACING, place.unjoined).min(LONGEST_PAUSE),
                None => now + doubled(JOIN_PAUSE, place.unjoined).min(LONGEST_JOIN_PAUSE),
            };
            place.unjoined += 1;
        }
    }

    /// The path is there again.
    pub(crate) fn on_joined(&mut self, id: PlaceId, now: Instant) {
        self.budget.take(now);
        match self.get_mut(id) {
            // It stays advertised.
            Some(place) if place.is_advertised() => {
                place.trying = Trying::No;
                place.unreached = 0;
                place.unjoined = 0;
                place.next = now + JOIN_PAUSE;
            }
            _ => self.forget(id),
        }
    }

    /// Whether there still is such a place.
    pub(crate) fn has(&self, id: PlaceId) -> bool {
        self.places.iter().any(|place| place.id == id)
    }

    /// Why a place is one.
    pub(crate) fn origin(&self, id: PlaceId) -> Option<Origin> {
        let place = self.places.iter().find(|place| place.id == id)?;
        Some(place.origin)
    }

    /// There is no point in trying again.
    pub(crate) fn forget(&mut self, id: PlaceId) {
        self.places.retain(|place| place.id != id);
    }

    /// When something is due that is not now.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let allowed = self.allowed(now);
        self.places
            .iter()
            .filter(|place| self.is_open(place) && self.has_room(place))
            .map(|place| place.next.max(allowed))
            .min()
    }

    /// From when on another join is within the budget: at once when the session has no connection. One that
    /// is only silent may speak again and fall silent again, for hours.
    fn allowed(&self, now: Instant) -> Instant {
        if self.cut_off.is_some() && self.connected.is_empty() {
            return now;
        }
        self.budget.next(now)
    }

    fn due(&self, now: Instant) -> Option<usize> {
        if self.allowed(now) > now {
            return None;
        }
        self.places
            .iter()
            .position(|place| place.next <= now && self.is_open(place) && self.has_room(place))
    }

    /// Whether a place is to be tried, when its time comes.
    fn is_open(&self, place: &Place) -> bool {
        place.trying == Trying::No
            && match place.origin {
                Origin::Lost(..) | Origin::Wanted => true,
                Origin::Interface => place.unreached < INTERFACE_ATTEMPTS,
                Origin::Suspect(..) => self.cut_off.is_some(),
                Origin::Advertised(policy) => {
                    let wanted = self.cut_off.is_some() || policy == AdvertisedAddresses::Open;
                    wanted && !self.is_covered(place)
                }
            }
    }

    /// Whether a connection goes where this place is, or another place stands for one that did.
    fn is_covered(&self, place: &Place) -> bool {
        let Some(address) = place.options.remote_address() else {
            return false;
        };
        let other = |other: &Place| !other.is_advertised() && other.goes_to(address);
        self.connected.contains(&address) || self.places.iter().any(other)
    }

    fn has_room(&self, place: &Place) -> bool {
        let trying = |place: &&Place| place.trying == Trying::Yes;
        let attempts = self.places.iter().filter(trying);
        let advertised = attempts.clone().filter(|place| place.is_advertised());
        attempts.count() < ATTEMPTS
            && (!place.is_advertised() || advertised.count() < ADVERTISED_ATTEMPTS)
    }

    /// Adds a place that is not tried before this time.
    fn add(&mut self, options: PathOptions, origin: Origin, next: Instant) {
        if self.closing == Closing::Yes && !matches!(origin, Origin::Lost(..) | Origin::Suspect(..))
        {
            return;
        }
        if self.places.len() >= PLACES {
            tracing::debug!("too many paths are gone to get all of them back");
            let idle = |place: &Place| place.trying == Trying::No;
            match self.places.iter().position(idle) {
                Some(oldest) => drop(self.places.remove(oldest)),
                None => return,
            }
        }
        let id = PlaceId(self.next_id);
        self.next_id += 1;
        self.places.push(Place {
            id,
            options,
            origin,
            trying: Trying::No,
            began: None,
            unreached: 0,
            unjoined: 0,
            next,
            lost_at: next,
        });
    }

    fn get_mut(&mut self, id: PlaceId) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.id == id)
    }
}

/// The distance of attempts after this long without a usable connection.
fn spacing(cut_off: Duration) -> Duration {
    let late = cut_off.saturating_sub(EAGER);
    (SPACING + late / 20).min(LONGEST_PAUSE)
}

/// The pause after this many attempts, this long after the path was lost, while another is usable.
fn pause(attempts: u32, lost: Duration) -> Duration {
    let longest = if lost < EAGER {
        EARLY_PAUSE
    } else {
        LONGEST_PAUSE
    };
    doubled(FIRST_PAUSE, attempts).min(longest)
}

fn doubled(pause: Duration, times: u32) -> Duration {
    pause.saturating_mul(1 << times.min(16))
}
