//! TLS alerts (RFC 8446 section 6): two bytes, level and description.

use core::fmt;

use crate::{DecodeError, cursor::Reader};

/// An alert as a record carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert {
    /// How the sender rates it; TLS 1.3 goes by the description alone.
    pub level: AlertLevel,
    /// What happened.
    pub description: AlertDescription,
}

impl Alert {
    /// The orderly end of what this side sends (draft 4.4).
    pub const CLOSE_NOTIFY: Self = Self {
        level: AlertLevel::Warning,
        description: AlertDescription::CLOSE_NOTIFY,
    };

    /// A fatal alert.
    pub const fn fatal(description: AlertDescription) -> Self {
        Self {
            level: AlertLevel::Fatal,
            description,
        }
    }

    /// Reads the two bytes of an alert record: `Level:1 Description:1`.
    ///
    /// An alert is neither split nor joined with another in one record, so other lengths are errors.
    pub fn parse(plaintext: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(plaintext);
        let level = match reader.u8()? {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            other => return Err(DecodeError::UnknownAlertLevel(other)),
        };
        let description = AlertDescription(reader.u8()?);
        reader.finish()?;
        Ok(Self { level, description })
    }

    /// The two bytes of the alert record.
    pub const fn encode(self) -> [u8; 2] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.0]
    }

    /// Whether this is `close_notify`.
    pub fn is_close_notify(self) -> bool {
        self.description == AlertDescription::CLOSE_NOTIFY
    }
}

/// How the sender rates an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertLevel {
    /// 1: an orderly end.
    Warning,
    /// 2: everything else (RFC 8446 section 6).
    Fatal,
}

/// What an alert says, 8 bits; the constants are those that TCPLS and TLS 1.3 use.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(u8);

impl AlertDescription {
    /// The description with this value on the wire.
    pub const fn from_wire(value: u8) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// Writes each description once, for its constant and for its name.
macro_rules! descriptions {
    ($($name:ident = $value:literal, $text:literal;)+) => {
        /// The descriptions that TCPLS and TLS 1.3 use.
        impl AlertDescription {
            $(#[doc = concat!("`", $text, "` (", stringify!($value), ")")]
            pub const $name: Self = Self($value);)+

            /// The name in RFC 8446, or `None` for a value without a constant here.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)+
                    _ => None,
                }
            }
        }
    };
}

descriptions! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "alert {}", self.0),
        }
    }
}

impl fmt::Debug for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// R26: `close_notify` is the warning 0; the alerts of errors are fatal.
    #[test]
    fn alerts_are_two_bytes() {
        assert_eq!(Alert::CLOSE_NOTIFY.encode(), [1, 0]);
        assert!(Alert::CLOSE_NOTIFY.is_close_notify());
        let refusal = Alert::fatal(AlertDescription::ILLEGAL_PARAMETER);
        assert_eq!(refusal.encode(), [2, 47]);
        assert_eq!(Alert::parse(&[2, 47]), Ok(refusal));
        assert!(!refusal.is_close_notify());
    }

    #[test]
    fn alerts_of_other_sizes_and_levels_are_refused() {
        assert_eq!(Alert::parse(&[]), Err(DecodeError::Truncated));
        assert_eq!(Alert::parse(&[2]), Err(DecodeError::Truncated));
        assert_eq!(
            Alert::parse(&[1, 0, 1, 0][..3]),
            Err(DecodeError::TrailingBytes)
        );
        assert_eq!(
            Alert::parse(&[3, 0]),
            Err(DecodeError::UnknownAlertLevel(3))
        );
    }

    #[test]
    fn alerts_are_named_as_in_tls() {
        assert_eq!(
            AlertDescription::BAD_RECORD_MAC.to_string(),
            "bad_record_mac"
        );
        assert_eq!(AlertDescription::from_wire(255).to_string(), "alert 255");
        assert_eq!(
            AlertDescription::from_wire(20),
            AlertDescription::BAD_RECORD_MAC
        );
    }
}
