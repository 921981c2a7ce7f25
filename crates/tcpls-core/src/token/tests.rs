//! What both sides do with tokens.

use super::*;
use crate::testing::Clock;

fn token(byte: u8) -> Token {
    Token::from_bytes([byte; 32])
}

fn new(byte: u8) -> NewToken {
    NewToken {
        token: token(byte),
        start: KeyGenerations::FIRST,
        lifetime: None,
        now: Clock::new().now(),
    }
}

fn receive(pool: &mut Tokens, value: u32, token: &Token) -> Result<bool, PeerMisbehaved> {
    pool.receive(&ReceivedToken {
        id: id(value),
        token: token.as_token_ref(),
        start: KeyGenerations::FIRST,
        lifetime: 0,
        now: Clock::new().now(),
    })
}

/// Both sides count alike, with the token of the handshake and without.
#[test]
fn tokens_are_counted_on_both_sides() {
    let (mut client, mut server) = (Tokens::new(Role::Client), Tokens::new(Role::Server));
    assert_eq!((client.count(), server.count()), (0, 0));
    client.add_early(token(1));
    server.add_early(token(1));
    assert_eq!((client.count(), server.count()), (1, 1));
    let issued = server.issue(new(2)).unwrap();
    receive(&mut client, issued.as_u32(), &token(2)).unwrap();
    client.take().unwrap();
    assert_eq!((client.count(), server.count()), (2, 2));
    while server.issue(new(3)).is_ok() {}
    assert_eq!(server.count(), 255);
}

fn id(value: u32) -> ConnectionId {
    ConnectionId::from_wire(value)
}

/// tokens count from 2 after one in the `EncryptedExtensions`, otherwise from 1. A-5: they
/// end at 255.
#[test]
fn issues_each_sequence_once() {
    let mut issuer = Tokens::new(Role::Server);
    issuer.add_early(token(0));
    for expected in 2..=255 {
        assert_eq!(issuer.issue(new(expected)), Ok(id(expected.into())));
    }
    assert_eq!(issuer.issue(new(0)), Err(TokenError::UsedUp));
    assert_eq!(Tokens::new(Role::Server).issue(new(1)), Ok(id(1)));
    assert_eq!(
        Tokens::new(Role::Client).issue(new(1)),
        Err(TokenError::NotServer)
    );
}

/// a repeated token is ignored, one with another value is wrong.
#[test]
fn a_repeated_token_must_be_the_same() {
    let mut pool = Tokens::new(Role::Client);
    assert_eq!(receive(&mut pool, 9, &token(1)), Ok(true));
    assert_eq!(receive(&mut pool, 9, &token(1)), Ok(false));
    let changed = receive(&mut pool, 9, &token(2));
    assert_eq!(changed, Err(PeerMisbehaved::TokenChanged));
}

/// R13: a token is taken once, the lowest first, and a late copy does not bring it back.
#[test]
fn a_token_is_taken_once() {
    let mut pool = Tokens::new(Role::Client);
    for value in [7, 3] {
        receive(&mut pool, value.into(), &token(value)).unwrap();
    }
    assert_eq!(pool.take(), Some((id(3), KeyGenerations::FIRST, token(3))));
    assert_eq!(receive(&mut pool, 3, &token(3)), Ok(false));
    assert_eq!(pool.take(), Some((id(7), KeyGenerations::FIRST, token(7))));
    assert_eq!(pool.take(), None);
}

/// a token that was taken but not spent comes back; one that was burnt meanwhile does not.
#[test]
fn a_token_that_was_not_spent_comes_back() {
    let mut pool = Tokens::new(Role::Client);
    pool.add_early(token(1));
    let (early, _, taken) = pool.take().unwrap();
    assert_eq!((pool.unused(), pool.may_join()), (0, true));
    pool.put_back(early, taken);
    let (early, _, taken) = pool.take().unwrap();
    pool.burn(early);
    pool.put_back(early, taken);
    assert_eq!((pool.take(), pool.may_join()), (None, false));
}

/// R47, A-44: so many tokens are wanted that the client has eight unused ones; those that joins in
/// progress hold count until these are over.
#[test]
fn tokens_are_replenished() {
    let mut issuer = Tokens::new(Role::Server);
    issuer.add_early(token(1));
    assert_eq!(issuer.wanted(8), 7);
    for value in 2..=8 {
        issuer.issue(new(value)).unwrap();
    }
    assert_eq!((issuer.wanted(8), issuer.unused()), (0, 8));
    issuer.redeem(id(3)).unwrap();
    assert_eq!((issuer.wanted(8), issuer.unused()), (0, 7));
    assert!(issuer.on_joined(id(3)));
    assert_eq!(issuer.wanted(8), 1);
    issuer.burn(id(5));
    assert_eq!(issuer.wanted(8), 2);
    while issuer.issue(new(9)).is_ok() {}
    assert_eq!(issuer.wanted(255), 0, "no more than 255 ever");
}

/// a token is redeemed once, and never after it was burnt, also when the join is in
/// progress.
#[test]
fn a_token_is_redeemed_once() {
    let mut issuer = Tokens::new(Role::Server);
    for value in 1..=3 {
        issuer.issue(new(value)).unwrap();
    }
    assert_eq!(issuer.redeem(id(1)), Ok(KeyGenerations::FIRST));
    assert_eq!(issuer.redeem(id(1)), Err(TokenError::Spent));
    assert!(issuer.burn(id(1)));
    assert!(!issuer.on_joined(id(1)));
    issuer.burn(id(2));
    assert_eq!(issuer.redeem(id(2)), Err(TokenError::Spent));
    assert_eq!(issuer.redeem(id(9)), Err(TokenError::Spent));
    assert!(issuer.may_join());
    issuer.redeem(id(3)).unwrap();
    assert!(issuer.may_join(), "in progress");
    issuer.burn(id(3));
    assert!(!issuer.may_join());
}

/// a Connection Reset for a connection that has not joined burns its token.
#[test]
fn a_burnt_token_is_not_taken() {
    let mut pool = Tokens::new(Role::Client);
    receive(&mut pool, 4, &token(4)).unwrap();
    assert!(pool.was_issued(id(4)));
    assert!(pool.burn(id(4)));
    assert!(!pool.burn(id(4)), "burnt already");
    assert_eq!(pool.take(), None);
    assert!(pool.was_issued(id(4)));
    assert!(!pool.was_issued(id(5)));
    assert!(!pool.was_issued(id(260)));
}

fn extended_server() -> Tokens {
    let mut server = Tokens::new(Role::Server);
    server.set_numbering(Numbering::Extended);
    server
}

/// between peers that agreed on it identifiers go beyond 255, and none comes twice; what was issued is
/// known from what never was, whatever became of it.
#[test]
fn identifiers_go_beyond_the_drafts() {
    let mut server = extended_server();
    server.add_early(token(1));
    for expected in 2..1000 {
        assert_eq!(server.wanted(1), u8::from(expected > 2));
        assert_eq!(server.issue(new(2)), Ok(id(expected)));
        server.redeem(id(expected)).unwrap();
        assert!(server.on_joined(id(expected)));
        server.burn(id(1));
    }
    assert!(server.was_issued(id(1)) && server.was_issued(id(700)) && server.was_issued(id(999)));
    assert!(!server.was_issued(id(1000)) && !server.was_issued(id(u32::MAX)));
    assert_eq!(server.redeem(id(700)), Err(TokenError::Spent));
    assert!(!server.burn(id(700)), "that is no news");
    assert_eq!((server.count(), server.unused()), (999, 0));
}

/// a client knows what was issued and is over from what never came, also beyond 255.
#[test]
fn a_client_remembers_identifiers() {
    let mut pool = Tokens::new(Role::Client);
    for value in 1..2000 {
        assert_eq!(receive(&mut pool, value, &token(1)), Ok(true));
        assert_eq!(pool.take().unwrap().0, id(value));
        assert!(pool.on_joined(id(value)));
        assert_eq!(
            receive(&mut pool, value, &token(2)),
            Ok(false),
            "a late copy"
        );
    }
    assert!(pool.was_issued(id(1500)) && !pool.was_issued(id(2000)));
    assert!(!pool.burn(id(1500)));
    assert_eq!((pool.take(), pool.may_join()), (None, false));
}

/// A token that is taken back before it comes is not used; one in use stays in use.
#[test]
fn a_withdrawn_token_is_not_taken() {
    let mut pool = Tokens::new(Role::Client);
    assert_eq!(pool.on_withdrawn(id(400)), Ok(false));
    assert_eq!(receive(&mut pool, 400, &token(1)), Ok(false));
    for value in [401, 402, 403] {
        receive(&mut pool, value, &token(1)).unwrap();
    }
    assert_eq!(pool.on_withdrawn(id(402)), Ok(true));
    let [(one, _, _), (two, _, back)] = [pool.take().unwrap(), pool.take().unwrap()];
    assert_eq!((one, two, pool.take()), (id(401), id(403), None));
    pool.on_withdrawn(one).unwrap();
    assert!(pool.on_joined(one), "the server decides");
    pool.on_withdrawn(two).unwrap();
    assert!(!pool.put_back(two, back));
    assert_eq!((pool.take(), pool.may_join()), (None, false));
    let mut server = extended_server();
    assert_eq!(
        server.on_withdrawn(id(1)),
        Err(PeerMisbehaved::TokenFromClient)
    );
}

/// A server that takes a token back refuses it at once.
#[test]
fn a_withdrawn_token_is_refused() {
    let mut server = extended_server();
    server.issue(new(1)).unwrap();
    assert_eq!(server.withdraw(id(1)), Ok(true));
    assert_eq!(server.withdraw(id(1)), Ok(false));
    assert_eq!(server.redeem(id(1)), Err(TokenError::Spent));
    assert!(server.frame(id(1), Clock::new().now()).is_none());
    assert_eq!(
        Tokens::new(Role::Client).withdraw(id(1)),
        Err(TokenError::NotServer)
    );
}

/// Tokens have a lifetime: the server replaces them when a quarter of it is left, the client stops a bit
/// before the server does, and then they are refused.
#[test]
fn tokens_expire() {
    let now = Clock::new().now();
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut server = extended_server();
    let lifetime = Some(Duration::from_secs(80));
    server
        .issue(NewToken {
            lifetime,
            now,
            ..new(1)
        })
        .unwrap();
    server.issue(new(2)).unwrap();
    assert_eq!((server.wanted(2), server.deadline()), (0, Some(at(60))));
    server.age(KeyGenerations::FIRST, at(59));
    assert_eq!(server.wanted(2), 0);
    server.age(KeyGenerations::FIRST, at(60));
    assert_eq!((server.wanted(2), server.unused()), (1, 2));
    assert_eq!(server.deadline(), Some(at(80)));
    server.age(KeyGenerations::FIRST, at(80));
    assert_eq!((server.unused(), server.deadline()), (1, None));
    assert_eq!(server.redeem(id(1)), Err(TokenError::Spent));

    let mut pool = Tokens::new(Role::Client);
    let value = token(1);
    for (number, lifetime) in [(1, 80), (2, 0)] {
        let frame = ReceivedToken {
            id: id(number),
            token: value.as_token_ref(),
            start: KeyGenerations::FIRST,
            lifetime,
            now,
        };
        pool.receive(&frame).unwrap();
    }
    assert_eq!(pool.deadline(), Some(at(70)));
    pool.age(KeyGenerations::FIRST, at(69));
    assert_eq!(pool.unused(), 2);
    pool.age(KeyGenerations::FIRST, at(70));
    assert_eq!((pool.unused(), pool.deadline()), (1, None));
    assert_eq!(pool.take().unwrap().0, id(2));
}

/// tokens that start at keys long out of use are replaced; they are taken back once the client has the
/// others, and taken until it knows.
#[test]
fn tokens_of_old_keys_are_replaced() {
    let now = Clock::new().now();
    let mut server = extended_server();
    server.issue(new(1)).unwrap();
    server.on_acked(id(1), 1);
    let start = KeyGenerations {
        sent: 3,
        received: 16,
    };
    server.age(start, now);
    assert_eq!(server.wanted(1), 1);
    server.issue(NewToken { start, ..new(2) }).unwrap();
    assert_eq!(server.generations(), Some(KeyGenerations::FIRST));
    assert_eq!(server.on_acked(id(2), 1), [id(1)]);
    assert_eq!(server.on_acked(id(2), 1), []);
    assert_eq!(server.unused(), 2);
    server.on_dropped(id(2));
    server.on_dropped(id(1));
    assert_eq!((server.unused(), server.wanted(1)), (1, 0));
    assert_eq!(server.generations(), Some(start));
    assert_eq!(server.redeem(id(1)), Err(TokenError::Spent));
    assert_eq!(server.redeem(id(2)), Ok(start));

    let mut draft = Tokens::new(Role::Server);
    draft.issue(new(1)).unwrap();
    draft.age(start, now);
    assert_eq!(draft.wanted(1), 0, "they start at the first keys anyway");
}

/// A client holds twice what it can ask for, and no more.
#[test]
fn unused_tokens_are_bounded() {
    let mut pool = Tokens::new(Role::Client);
    for value in 1..=512 {
        receive(&mut pool, value, &token(1)).unwrap();
    }
    assert_eq!(
        receive(&mut pool, 513, &token(1)),
        Err(PeerMisbehaved::TooManyTokens)
    );
}
