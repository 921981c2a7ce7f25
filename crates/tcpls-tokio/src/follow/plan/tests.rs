//! Which attempts a plan makes, and when.

use tcpls_core::wire::{ConnectionId, Role};
use tcpls_core::{ConnectionStart, Session, SessionConfig};

use super::*;

/// The handle of this connection of a session.
pub(crate) fn connection(nth: u32) -> ConnectionHandle {
    let now = crate::clock::now();
    let mut session = Session::new(Role::Client, SessionConfig::new(), now);
    let start = |id| ConnectionStart::joined(ConnectionId::from_wire(id));
    let mut handles = (0..=nth).map(|id| session.add_connection(start(id), now));
    handles.next_back().unwrap()
}

/// A plan with one path that was lost, at some time.
fn lost() -> (Plan, PlaceId, Instant) {
    let now = crate::clock::now();
    let mut plan = Plan::new(now);
    plan.set_usable(1, now);
    plan.on_lost(connection(0), None, PathOptions::new(), now);
    let place = plan.begin(now).unwrap();
    assert!(plan.begin(now).is_none(), "one attempt at a time");
    (plan, place.id, now)
}

/// When `fails` lets the next attempts begin, in milliseconds from the first.
fn attempts(
    (mut plan, id, start): (Plan, PlaceId, Instant),
    count: usize,
    mut fails: impl FnMut(&mut Plan, PlaceId, Instant),
) -> Vec<u128> {
    let mut now = start;
    let mut times = Vec::new();
    for _ in 0..count {
        fails(&mut plan, id, now);
        now = plan.next(now).unwrap();
        assert_eq!(plan.begin(now).unwrap().id, id);
        times.push((now - start).as_millis());
    }
    times
}

/// while another connection is usable, attempts to get a path back become rare.
#[test]
fn attempts_become_rare_while_another_connection_works() {
    let times = attempts(lost(), 23, Plan::on_unreached);
    assert_eq!(times[..6], [250, 750, 1750, 3750, 7750, 11_750]);
    assert_eq!(times[22] - times[21], 15_000);
}

/// without a usable connection, every path is tried again and again, for a minute.
#[test]
fn attempts_stay_frequent_while_nothing_works() {
    let (mut plan, id, now) = lost();
    plan.set_usable(0, now);
    let times = attempts((plan, id, now), 800, Plan::on_unreached);
    assert_eq!(times[..3], [700, 1400, 2100]);
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] > 60_000 || pair[1] - pair[0] == 700)
    );
    assert_eq!(times[799] - times[798], 15_000);
}

/// joins that come to nothing take tokens, and are repeated less and less often.
#[test]
fn joins_that_fail_become_rare() {
    let times = attempts(lost(), 12, Plan::on_unjoined);
    assert_eq!(times[..4], [1000, 3000, 7000, 15_000]);
    assert_eq!(times[11] - times[10], 300_000);
}

/// in a network that swallows everything they stay within seconds, and cost no token.
#[test]
fn joins_are_repeated_while_nothing_works() {
    let (mut plan, id, now) = lost();
    plan.set_usable(0, now);
    let times = attempts((plan, id, now), 12, Plan::on_unjoined);
    assert_eq!(times[..4], [700, 2100, 4900, 10_500]);
    assert_eq!(times[11] - times[10], 15_000);
}

/// a connection that falls silent and recovers again and again does not have a path tried each time
/// whose joins come to nothing: each takes a token.
#[test]
fn moments_of_silence_do_not_use_up_the_tokens() {
    let (mut plan, id, mut now) = lost();
    plan.on_unjoined(id, now);
    let mut attempts = 0;
    for _ in 0..100 {
        now += Duration::from_millis(300);
        plan.set_usable(0, now);
        if let Some(place) = plan.begin(now) {
            attempts += 1;
            plan.set_usable(1, now);
            plan.on_unjoined(place.id, now);
        }
        plan.set_usable(1, now);
    }
    assert!((3..=6).contains(&attempts), "{attempts} in 30 s");
}

/// the last usable connection falls silent: at once a second one is tried next to it and all
/// that were lost; it is given up when the first recovers, and goes on when that fails.
#[test]
fn silence_of_the_last_connection_ends_the_pauses() {
    let (mut plan, id, mut now) = lost();
    plan.on_unreached(id, now);
    let silent = connection(1);
    let suspects = || vec![(silent, None, PathOptions::new())];
    plan.set_suspects(suspects(), now);
    assert!(plan.begin(now).is_none(), "another works");
    plan.set_usable(0, now);
    let first = plan.begin(now).unwrap();
    let second = plan.begin(now).unwrap();
    assert_eq!(first.id, id);
    assert_eq!(second.origin, Origin::Suspect(silent, None));
    plan.on_lost(silent, None, PathOptions::new(), now);
    plan.set_suspects(Vec::new(), now);
    assert!(plan.has(second.id), "it was the last chance of this path");
    assert!(plan.begin(now).is_none(), "and is one attempt still");
    plan.on_joined(second.id, now);
    plan.set_suspects(suspects(), now);
    assert!(
        plan.begin(now).is_none(),
        "it may be an answer that is slow"
    );
    now += SUSPICION;
    let third = plan.begin(now).unwrap();
    now += SPACING;
    plan.set_suspects(Vec::new(), now);
    assert!(!plan.has(third.id), "it recovered");
}

/// R51, A-32: of a server's many addresses eight are remembered, and two at a time are tried; the
/// others get their turn. None twice.
#[test]
fn few_advertised_addresses_are_tried() {
    let now = crate::clock::now();
    let mut plan = Plan::new(now);
    plan.set_usable(1, now);
    let address = |last| SocketAddr::from(([192, 0, 2, last], 443));
    for last in (0..=255).chain(0..=255) {
        plan.on_advertised(address(last), AdvertisedAddresses::WhenNeeded, now);
    }
    assert!(plan.begin(now).is_none(), "another connection works");
    plan.set_usable(0, now);
    let mut tried = Vec::new();
    for _ in 0..4 {
        let [first, second] = [plan.begin(now), plan.begin(now)].map(Option::unwrap);
        assert!(plan.begin(now).is_none());
        for place in [first, second] {
            plan.on_unreached(place.id, now);
            tried.extend(place.options.remote_address());
        }
    }
    assert_eq!(tried, (0..8).map(address).collect::<Vec<_>>());
    assert!(plan.begin(now).is_none());
}

/// what the application wants is tried until it is there; an interface that leads nowhere is tried
/// four times, and again when something changes there.
#[test]
fn interfaces_that_lead_nowhere_are_given_up() {
    let now = crate::clock::now();
    let mut plan = Plan::new(now);
    plan.set_usable(1, now);
    let mut other = PathOptions::new();
    other.device("eth1");
    plan.want(other.clone(), Origin::Interface, now);
    plan.want(PathOptions::new(), Origin::Wanted, now);
    plan.want(PathOptions::new(), Origin::Wanted, now);
    let (mut at, mut attempts) = (now, [0, 0]);
    for _ in 0..14 {
        at = plan.next(at).unwrap().max(at);
        let place = plan.begin(at).unwrap();
        attempts[usize::from(place.origin == Origin::Wanted)] += 1;
        plan.on_unreached(place.id, at);
    }
    assert_eq!(attempts, [4, 10]);
    plan.want(other, Origin::Interface, at);
    let place = plan.begin(at).unwrap();
    assert_eq!(place.origin, Origin::Interface);
    plan.on_joined(place.id, at);
    assert!(!plan.has(place.id));
}

/// R52: nothing is tried any more that was withdrawn, advertised or not.
#[test]
fn withdrawn_addresses_are_forgotten() {
    let (mut plan, id, now) = lost();
    plan.on_unreached(id, now);
    let [first, second] = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 443)));
    plan.on_lost(connection(1), None, PathOptions::to(first), now);
    plan.on_advertised(first, AdvertisedAddresses::Open, now);
    plan.on_advertised(second, AdvertisedAddresses::Open, now);
    plan.retain(|address| address != first);
    assert_eq!(plan.begin(now).unwrap().options, PathOptions::to(second));
    assert!(plan.begin(now).is_none());
    assert!(plan.has(id));
}

/// R51: an address that is to be used always is connected to once, and again when that connection
/// is gone.
#[test]
fn an_advertised_address_is_connected_to_once() {
    let now = crate::clock::now();
    let mut plan = Plan::new(now);
    plan.set_usable(1, now);
    let address = SocketAddr::from(([192, 0, 2, 1], 443));
    plan.on_advertised(address, AdvertisedAddresses::Open, now);
    let place = plan.begin(now).unwrap();
    plan.on_joined(place.id, now);
    plan.set_connected(vec![address]);
    assert_eq!(plan.next(now), None);
    plan.set_connected(Vec::new());
    plan.on_lost(connection(0), None, PathOptions::to(address), now);
    assert!(plan.begin(now).is_some());
    assert!(
        plan.begin(now + JOIN_PAUSE).is_none(),
        "one stands for both"
    );
}

/// an address that comes ends the pauses of the paths that may need it.
#[test]
fn an_address_that_comes_ends_the_pauses() {
    let (mut plan, id, now) = lost();
    let home = IpAddr::from([192, 0, 2, 1]);
    let mut bound = PathOptions::new();
    bound.local(home);
    plan.on_lost(connection(0), Some(home), bound, now);
    let other = plan.begin(now).unwrap();
    for _ in 0..5 {
        plan.on_unreached(id, now);
        plan.on_unreached(other.id, now);
    }
    assert!(plan.begin(now).is_none());
    plan.on_addresses(&[IpAddr::from([192, 0, 2, 2])], now);
    assert_eq!(plan.begin(now).unwrap().id, id);
    assert!(plan.begin(now).is_none());
    plan.on_addresses(&[home], now);
    assert_eq!(plan.begin(now).unwrap().id, other.id);
}

/// a path that comes and goes does not take all identifiers of the session.
#[test]
fn a_path_that_comes_and_goes_takes_few_identifiers() {
    let (mut plan, mut id, start) = lost();
    let (mut now, mut joins) = (start, 0);
    while now < start + Duration::from_secs(600) {
        plan.on_joined(id, now);
        joins += 1;
        plan.on_lost(connection(0), None, PathOptions::new(), now);
        now = plan.next(now).unwrap().max(now);
        id = plan.begin(now).unwrap().id;
    }
    assert_eq!(joins, 24 + 29);
    let mut silent = Plan::new(start);
    silent.set_connected(vec![([192, 0, 2, 1], 443).into()]);
    let (mut now, mut joins) = (start, 0);
    while now < start + Duration::from_secs(600) {
        now += SPACING;
        silent.set_usable(0, now);
        silent.set_suspects(vec![(connection(0), None, PathOptions::new())], now);
        now += SUSPICION;
        if let Some(place) = silent.begin(now) {
            silent.on_joined(place.id, now);
            joins += 1;
        }
        silent.set_usable(1, now);
        silent.set_suspects(Vec::new(), now);
    }
    assert!(
        (50..=24 + 30).contains(&joins),
        "{joins} while it was silent"
    );
    plan.set_usable(0, now);
    plan.on_lost(connection(0), None, PathOptions::new(), now);
    assert!(plan.begin(now).is_some(), "unless it is the last one");
}

/// a session that closes may get back what it had, and goes nowhere else.
#[test]
fn a_closing_session_goes_nowhere_new() {
    let (mut plan, id, now) = lost();
    let address = ([192, 0, 2, 1], 443).into();
    let policy = AdvertisedAddresses::Open;
    plan.on_advertised(address, policy, now);
    plan.want(PathOptions::to(address), Origin::Wanted, now);
    plan.on_unreached(id, now);
    plan.close();
    plan.on_advertised(([192, 0, 2, 2], 443).into(), policy, now);
    plan.set_usable(0, now);
    let now = plan.next(now).unwrap();
    assert_eq!(plan.begin(now).unwrap().id, id);
    assert!(plan.begin(now + SPACING).is_none());
}
