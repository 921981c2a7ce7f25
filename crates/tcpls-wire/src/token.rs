//! The value that lets a connection join a session, handled as the secret it is.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Length of a token value, in bytes (draft 4.2.1).
pub const TOKEN_LENGTH: usize = 32;

/// A token's 32-byte value (draft 4.2.1).
///
/// Whoever presents it joins the session, and two connections with one token would repeat a nonce.
/// So it moves and is not cloned, compares in constant time, does not show itself in debug output
/// and is erased when dropped.
pub struct Token([u8; TOKEN_LENGTH]);

impl Token {
    /// The token with this value.
    pub const fn from_bytes(value: [u8; TOKEN_LENGTH]) -> Self {
        Self(value)
    }

    /// The value, for a map lookup or for the wire.
    pub const fn as_bytes(&self) -> &[u8; TOKEN_LENGTH] {
        &self.0
    }

    /// The token as frames carry it.
    pub const fn as_token_ref(&self) -> TokenRef<'_> {
        TokenRef(&self.0)
    }

    /// A second copy, for the one place that must send again what it keeps: the issuing server.
    #[must_use]
    pub const fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A token value inside a record or a message: borrowed, compared in constant time, not shown.
#[derive(Clone, Copy)]
pub struct TokenRef<'a>(&'a [u8; TOKEN_LENGTH]);

impl<'a> TokenRef<'a> {
    /// The token with this value.
    pub const fn from_bytes(value: &'a [u8; TOKEN_LENGTH]) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn as_bytes(self) -> &'a [u8; TOKEN_LENGTH] {
        self.0
    }

    /// The token as a value of its own.
    pub const fn to_token(self) -> Token {
        Token(*self.0)
    }
}

impl PartialEq for TokenRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0).into()
    }
}

impl Eq for TokenRef<'_> {}

impl fmt::Debug for TokenRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    /// R14: a token is its 32 bytes; equality looks at all of them.
    #[test]
    fn tokens_differ_when_any_byte_does() {
        let token = Token::from_bytes([1; TOKEN_LENGTH]);
        assert_eq!(token, token.duplicate());
        assert_eq!(token, token.as_token_ref().to_token());
        for position in 0..TOKEN_LENGTH {
            let mut value = [1; TOKEN_LENGTH];
            value[position] = 2;
            assert_ne!(token, Token::from_bytes(value));
            assert_ne!(token.as_token_ref(), TokenRef::from_bytes(&value));
        }
    }

    /// a token must not leak through a log.
    #[test]
    fn tokens_do_not_show_themselves() {
        let token = Token::from_bytes([0xAB; TOKEN_LENGTH]);
        let shown = format!("{token:?} {:?}", token.as_token_ref());
        assert_eq!(shown, "Token(..) Token(..)");
    }
}
