//! How many tokens the client wants to hold (`spec/extensions.md` 6.4).

/// A client's wish, on its way to the server.
///
/// The number is absolute and may go up and down, so two of them must not be on their way at a time:
/// over different connections the older one could come last.
#[derive(Debug, Default)]
pub(crate) struct TokenRequest {
    wanted: Option<u8>,
    /// The one that the server did not acknowledge.
    unacked: Option<u8>,
}

/// Whether a frame is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Send,
    Nothing,
}

impl TokenRequest {
    /// The client wants this many.
    pub(crate) fn set(&mut self, wanted: u8) -> Next {
        self.wanted = Some(wanted);
        match self.unacked {
            Some(_) => Next::Nothing,
            None => self.send(),
        }
    }

    /// The number to send, the first time and again.
    pub(crate) fn value(&self) -> Option<u8> {
        self.unacked
    }

    /// The server has it.
    pub(crate) fn on_acked(&mut self) -> Next {
        match self.unacked.take() {
            Some(acked) if self.wanted != Some(acked) => self.send(),
            Some(_) | None => Next::Nothing,
        }
    }

    fn send(&mut self) -> Next {
        self.unacked = self.wanted;
        Next::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One number is on its way at a time, and the last one gets there.
    #[test]
    fn the_last_number_arrives() {
        let mut request = TokenRequest::default();
        assert_eq!((request.set(20), request.value()), (Next::Send, Some(20)));
        assert_eq!(
            (request.set(30), request.value()),
            (Next::Nothing, Some(20))
        );
        assert_eq!(request.set(40), Next::Nothing);
        assert_eq!(
            (request.on_acked(), request.value()),
            (Next::Send, Some(40))
        );
        assert_eq!((request.on_acked(), request.value()), (Next::Nothing, None));
        assert_eq!(request.on_acked(), Next::Nothing);
        assert_eq!((request.set(40), request.value()), (Next::Send, Some(40)));
    }
}
