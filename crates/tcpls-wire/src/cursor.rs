//! The two cursors that do all the slicing of peer bytes: one from the front, one from the end.
//!
//! Like every view in this crate that may hold a token, they show no bytes in debug output.

use core::fmt;

use crate::DecodeError;

/// Reads big-endian fields from the front of a byte string (draft 2.1, RFC 8446 section 3).
///
/// A failed read takes nothing.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor before the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let (head, tail) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes an 8-bit number.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().copied().map(u8::from_be_bytes)
    }

    /// Takes a 16-bit number.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().copied().map(u16::from_be_bytes)
    }

    /// Takes a 24-bit number.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        let &[high, middle, low] = self.array()?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    /// Takes a 32-bit number.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().copied().map(u32::from_be_bytes)
    }

    /// Takes a byte string after its 8-bit length.
    pub fn bytes_u8(&mut self) -> Result<&'a [u8], DecodeError> {
        self.attempt(|reader| {
            let length = reader.u8()?;
            reader.take(usize::from(length))
        })
    }

    /// Takes a byte string after its 16-bit length.
    pub fn bytes_u16(&mut self) -> Result<&'a [u8], DecodeError> {
        self.attempt(|reader| {
            let length = reader.u16()?;
            reader.take(usize::from(length))
        })
    }

    /// The bytes not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading: an error when bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }

    fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut attempt = *self;
        let value = read(&mut attempt)?;
        *self = attempt;
        Ok(value)
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes)", self.rest.len())
    }
}

/// Reads big-endian fields from the end of a byte string towards its start (draft 5.2).
///
/// A failed read takes nothing.
#[derive(Clone, Copy)]
pub struct BackReader<'a> {
    rest: &'a [u8],
}

impl<'a> BackReader<'a> {
    /// A cursor after the last byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the last `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let start = self
            .rest
            .len()
            .checked_sub(length)
            .ok_or(DecodeError::Truncated)?;
        let (head, tail) = self
            .rest
            .split_at_checked(start)
            .ok_or(DecodeError::Truncated)?;
        self.rest = head;
        Ok(tail)
    }

    /// Takes the last `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let (head, tail) = self.rest.split_last_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = head;
        Ok(tail)
    }

    /// Takes an 8-bit number.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().copied().map(u8::from_be_bytes)
    }

    /// Takes a 16-bit number.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().copied().map(u16::from_be_bytes)
    }

    /// Takes a 32-bit number.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().copied().map(u32::from_be_bytes)
    }

    /// Takes a 64-bit number.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().copied().map(u64::from_be_bytes)
    }

    /// Takes all zero bytes at the end and returns how many they were, 16 at a time (reading A-28).
    pub fn zeros(&mut self) -> usize {
        let (_, chunks) = self.rest.as_rchunks::<16>();
        let whole = chunks
            .iter()
            .rev()
            .take_while(|chunk| **chunk == [0; 16])
            .count()
            * 16;
        let single = self
            .rest
            .iter()
            .rev()
            .skip(whole)
            .take_while(|byte| **byte == 0)
            .count();
        let length = whole + single;
        self.rest = self
            .rest
            .get(..self.rest.len() - length)
            .unwrap_or_default();
        length
    }

    /// The bytes not taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl fmt::Debug for BackReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackReader({} bytes)", self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    /// R1: numbers are big-endian from both ends.
    #[test]
    fn numbers_are_big_endian() {
        let bytes: Vec<u8> = (1..=15).collect();
        let mut front = Reader::new(&bytes);
        assert_eq!(front.u8(), Ok(0x01));
        assert_eq!(front.u16(), Ok(0x0203));
        assert_eq!(front.u24(), Ok(0x04_0506));
        assert_eq!(front.u32(), Ok(0x0708_090a));
        assert_eq!(front.rest(), [11, 12, 13, 14, 15]);
        let mut back = BackReader::new(&bytes);
        assert_eq!(back.u8(), Ok(0x0f));
        assert_eq!(back.u16(), Ok(0x0d0e));
        assert_eq!(back.u32(), Ok(0x090a_0b0c));
        assert_eq!(back.u64(), Ok(0x0102_0304_0506_0708));
        assert!(back.is_empty());
    }

    #[test]
    fn failed_read_takes_nothing() {
        let bytes = [3, 1, 2];
        let mut front = Reader::new(&bytes);
        assert_eq!(front.u32(), Err(DecodeError::Truncated));
        assert_eq!(front.bytes_u8(), Err(DecodeError::Truncated));
        assert_eq!(front.bytes_u16(), Err(DecodeError::Truncated));
        assert_eq!(front.take(4), Err(DecodeError::Truncated));
        assert_eq!(front.rest(), bytes);
        assert_eq!(front.finish(), Err(DecodeError::TrailingBytes));
        let mut back = BackReader::new(&bytes);
        assert_eq!(back.u64(), Err(DecodeError::Truncated));
        assert_eq!(back.take(4), Err(DecodeError::Truncated));
        assert_eq!(back.take(usize::MAX), Err(DecodeError::Truncated));
        assert_eq!(back.rest(), bytes);
    }

    /// a run of zeros is taken whole, whatever its length and what stands before it.
    #[test]
    fn zeros_are_taken_to_the_last_one() {
        for before in 0..40 {
            for zeros in 0..70 {
                let mut bytes = vec![9; before];
                bytes.resize(before + zeros, 0);
                let mut back = BackReader::new(&bytes);
                assert_eq!((back.zeros(), back.rest().len()), (zeros, before));
            }
        }
    }
}
