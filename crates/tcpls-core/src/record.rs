//! Opened records as the session takes them.

use crate::wire::RecordSequence;
use bytes::Bytes;

/// Inner content type of a protected record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// 21
    Alert,
    /// 22
    Handshake,
    /// 23
    ApplicationData,
}

/// A record whose protection was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRecord {
    /// Its number on its connection.
    pub sequence: RecordSequence,
    /// The inner content type.
    pub content_type: ContentType,
    /// The plaintext without type and padding.
    pub payload: Bytes,
}
