//! Silence: idle time-outs and keep-alives (reading A-46).

use std::time::Duration;

use tcpls_core::{
    CloseReason, ContentType, Event, SessionConfig, TimeoutReason,
    testing::{LinkConfig, Pair, PairConfig, Solo},
    wire::{Frame, Role},
};

use crate::talk::{all_frames, data};

const SECOND: Duration = Duration::from_secs(1);

fn client_with(idle: Option<Duration>, keep_alive: Option<Duration>) -> Solo {
    let mut config = SessionConfig::new();
    config.idle_timeout(idle).keep_alive(keep_alive);
    Solo::new(Role::Client, config)
}

/// silence ends the session when that is configured, and the peer hears `close_notify`.
#[test]
fn silence_ends_a_session() {
    let mut client = client_with(Some(10 * SECOND), None);
    assert_eq!(
        client.session.poll_timeout().unwrap().1,
        TimeoutReason::Idle
    );
    client.advance(9 * SECOND);
    client.receive(&[Frame::Ping]);
    client.advance(9 * SECOND);
    assert_eq!(
        client.session.close_reason(),
        None,
        "a received record counts"
    );
    client.transmit();
    client.advance(SECOND);
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::IdleTimeout)
    );
    assert_eq!(
        client.events().last(),
        Some(&Event::Closed(CloseReason::IdleTimeout))
    );
    let sent = client.transmit();
    assert_eq!(
        (sent[0].content_type, &*sent[0].plaintext),
        (ContentType::Alert, &[1, 0][..])
    );
    assert_eq!(
        Solo::client().session.poll_timeout(),
        None,
        "by default it does not"
    );
}

/// the first eliciting record sent after a received one counts too, later ones do not: sending
/// into a hole does not keep a session alive.
#[test]
fn sending_into_a_hole_does_not_keep_a_session_alive() {
    let mut client = client_with(Some(10 * SECOND), None);
    let id = client.session.open_bi().unwrap();
    client.advance(5 * SECOND);
    client.transmit();
    for _ in 0..9 {
        client.advance(SECOND);
        client.session.send(id).write(b"x").unwrap();
        client.transmit();
        assert_eq!(client.session.close_reason(), None);
    }
    client.advance(SECOND);
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::IdleTimeout)
    );
}

/// a keep-alive is a Ping on each connection after so much silence.
#[test]
fn keep_alives_are_pings() {
    let mut client = client_with(None, Some(3 * SECOND));
    let second = client.join(1);
    assert_eq!(
        client.session.poll_timeout().unwrap().1,
        TimeoutReason::KeepAlive
    );
    client.advance(3 * SECOND);
    assert_eq!(all_frames(&client.transmit()), [Frame::Ping]);
    assert_eq!(all_frames(&client.transmit_on(second).0), [Frame::Ping]);
    client.advance(2 * SECOND);
    assert_eq!(client.transmit(), []);
    client.advance(SECOND);
    assert_eq!(
        all_frames(&client.transmit()),
        [Frame::Ping],
        "though the first is unanswered"
    );
}

/// an interval of nothing does not keep the driver busy for ever.
#[test]
fn keep_alives_leave_time_in_between() {
    let mut client = client_with(None, Some(Duration::ZERO));
    let now = client.clock.now();
    let (deadline, reason) = client.session.poll_timeout().unwrap();
    assert_eq!(reason, TimeoutReason::KeepAlive);
    assert!(deadline > now);
}

/// keep-alives keep a session alive as long as the peer answers, and no longer.
#[test]
fn keep_alives_need_an_answer() {
    let mut config = SessionConfig::new();
    config
        .idle_timeout(Some(10 * SECOND))
        .keep_alive(Some(3 * SECOND));
    let mut pair = Pair::new(PairConfig {
        client: config,
        ..PairConfig::default()
    });
    pair.drive_for(300 * SECOND);
    assert_eq!(pair.client.session.close_reason(), None);

    let mut client = client_with(Some(10 * SECOND), Some(3 * SECOND));
    for _ in 0..14 {
        client.advance(SECOND);
        client.transmit();
    }
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::IdleTimeout)
    );
}

/// a session that closes has its own deadlines.
#[test]
fn a_closing_session_is_not_idle() {
    let mut client = client_with(Some(2 * SECOND), Some(SECOND));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).finish().unwrap();
    client.session.close(client.clock.now());
    client.transmit();
    client.advance(4 * SECOND);
    assert_eq!(
        client.session.poll_timeout().unwrap().1,
        TimeoutReason::Drain
    );
    assert_eq!(client.session.close_reason(), None);
}

/// The edges that a driver waits for are told, each once.
#[test]
fn a_driver_is_told_when_there_is_something_to_transmit() {
    let mut client = Solo::client();
    assert_eq!(client.events(), []);
    let ready = [Event::TransmitReady(client.first)];
    for _ in 0..3 {
        let id = client.session.open_bi().unwrap();
        assert_eq!(client.events(), ready);
        client.session.send(id).write(b"x").unwrap();
        assert_eq!(client.events(), [], "told already");
        client.transmit();
        assert_eq!(client.events(), []);
    }
    client.session.close(client.clock.now());
    assert_eq!(client.events(), ready, "the alert too");
}

/// Nothing happens in a session that nobody uses, and the simulated time says so.
#[test]
fn an_unused_session_is_silent() {
    let link = LinkConfig {
        latency: SECOND,
        ..LinkConfig::default()
    };
    let mut pair = Pair::new(PairConfig {
        link,
        ..PairConfig::default()
    });
    assert!(!pair.step());
    pair.drive_for(1000 * SECOND);
    assert_eq!(
        (pair.records_sealed(), pair.clock.since_start()),
        (0, 1000 * SECOND)
    );
}

/// while this side does not read, because its application does not, it cannot tell silence; after
/// that the peer gets the whole time again.
#[test]
fn a_pause_in_reading_is_no_silence() {
    let mut config = SessionConfig::new();
    config.idle_timeout(Some(10 * SECOND)).unread_soft_cap(4);
    let mut client = Solo::new(Role::Client, config);
    let id = client.session.open_bi().unwrap();
    client.transmit();
    client.receive(&[data(id, 0, b"unread")]);
    client.events();
    assert!(!client.session.wants_read(client.first));
    client.advance(35 * SECOND);
    assert_eq!(client.session.close_reason(), None);
    client.session.recv(id).read(&mut [0; 6]).unwrap();
    client.events();
    assert!(client.session.wants_read(client.first));
    client.advance(10 * SECOND);
    assert_eq!(client.session.close_reason(), None);
    client.advance(10 * SECOND);
    assert_eq!(
        client.session.close_reason(),
        Some(CloseReason::IdleTimeout)
    );
}
