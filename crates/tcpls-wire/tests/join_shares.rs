//! The key shares in the hello of a join (reading A-20).
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::join::{
    BOTH, HYBRID, SECP256R1, X25519, body, first_extensions, join, message_in, random, template,
    template_of,
};
use common::{extension, hex};
use tcpls_wire::ClientHello;
use tcpls_wire::hello::NamedGroup;
use tcpls_wire::hello::join::{JoinGroup, JoinShape};

/// The groups of the shares that a join shows whose session began with `shown` and agreed on
/// `group`.
fn shares(shown: &[(NamedGroup, &[u8])], group: NamedGroup) -> Vec<(u16, Vec<u8>)> {
    let template = template_of(&first_extensions(shown), group).unwrap();
    let (record, _) = join(&template, JoinShape::Full, random(1));
    let hello = ClientHello::parse(message_in(&record)).unwrap();
    let shares = hello.key_shares().unwrap();
    shares
        .map(|(group, share)| (group, share.to_vec()))
        .collect()
}

/// a join shows the shares of a client that knows which group the server wants.
#[test]
fn shares_are_of_the_sessions_group() {
    let hybrid = [9; 1216];
    let grease = NamedGroup::from_wire(0x2a2a);
    let p256 = (SECP256R1, &[9; 65][..]);
    let classic = (X25519, &[9; 32][..]);
    let hybrid = (HYBRID, &hybrid[..]);
    let groups = |shown: &[_], group| {
        shares(shown, group)
            .into_iter()
            .map(|(group, share)| (group, share.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(groups(&[classic], X25519), [(0x1d, 32)]);
    assert_eq!(groups(&[hybrid, classic], X25519), [(0x1d, 32)]);
    assert_eq!(
        groups(&[hybrid, classic], HYBRID),
        [(0x11ec, 1216), (0x1d, 32)]
    );
    assert_eq!(groups(&[hybrid], HYBRID), [(0x11ec, 1216)]);
    // Another group, and one that was asked for by HelloRetryRequest.
    assert_eq!(groups(&[hybrid, classic], SECP256R1), [(0x1d, 32)]);
    assert_eq!(groups(&[p256], SECP256R1), [(0x1d, 32)]);
    assert_eq!(
        groups(&[(grease, &[0]), hybrid, classic], HYBRID),
        [(0x2a2a, 1), (0x11ec, 1216), (0x1d, 32)]
    );
    assert_eq!(groups(&[classic, classic], X25519), [(0x1d, 32)]);
}

/// a client that shows the X25519 part of its hybrid share once more does so in a join too,
/// and one with two X25519 shares shows two.
#[test]
fn second_share_is_related_to_the_first_as_it_was() {
    let hybrid = [9; 1216];
    for (second, related) in [([9; 32], true), ([8; 32], false)] {
        let shares = shares(&[(HYBRID, &hybrid), (X25519, &second)], HYBRID);
        assert_eq!(shares[0].1.ends_with(&shares[1].1), related);
    }
}

/// every coefficient in a join's hybrid share is below the modulus of ML-KEM.
#[test]
fn hybrid_share_passes_the_check_of_a_server() {
    let template = template(HYBRID);
    let mut random = random(7);
    for shape in BOTH {
        let (record, _) = join(&template, shape, &mut random);
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        let (_, share) = hello.key_shares().unwrap().next().unwrap();
        for bytes in share[..1152].chunks(3) {
            let [low, middle, high] = *bytes else {
                panic!("1152 is a multiple of 3")
            };
            let first = u16::from(low) | u16::from(middle & 0x0f) << 8;
            let second = u16::from(middle >> 4) | u16::from(high) << 4;
            assert!(first < 3329 && second < 3329);
        }
    }
}

/// a share is of a group that the hello supports.
#[test]
fn group_of_the_share_is_supported() {
    let mut extensions = first_extensions(&[(SECP256R1, &[9; 65])]);
    extensions[3] = extension(10, &hex("0004 0017 0018"));
    let template = template_of(&extensions, SECP256R1).unwrap();
    assert_eq!(template.group(), JoinGroup::X25519);
    let (record, _) = join(&template, JoinShape::Full, random(1));
    let hello = ClientHello::parse(message_in(&record)).unwrap();
    assert_eq!(body(&hello, 10), Some(&hex("0006 001d 0017 0018")[..]));
}
