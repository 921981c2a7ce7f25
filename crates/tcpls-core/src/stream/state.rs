//! What the two halves of a stream go through.

/// Sending half.
///
/// ```text
///        finish          with the last data        acknowledged        all data too
///  Open --------> FinDue ------------------> FinSent --------> FinAcked ------------> Done
///   |                ^-- connection failed ---+
///   | dropped                any of them but Done        acknowledged
///   v                                      -------> Reset ------------> ResetAcked
///  Abandoned
/// ```
///
/// An abandoned half never ends for the peer: the draft cannot say so (reading A-34 d). Where the peer
/// knows of resets, halves are reset instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SendState {
    /// The application may write.
    #[default]
    Open,
    /// The end is to be sent (again).
    FinDue,
    /// The end was sent.
    FinSent,
    /// The peer has the end, but not all data before it.
    FinAcked,
    /// The peer has everything.
    Done,
    /// The application left without finishing.
    Abandoned,
    /// The stream was broken off, which the peer is to learn.
    Reset,
    /// The peer knows that it was.
    ResetAcked,
}

impl SendState {
    /// The application ends the stream; only an open half changes.
    pub(crate) fn finish(&mut self) {
        self.move_from(&[Self::Open], Self::FinDue);
    }

    /// The application left; only an open half changes.
    pub(crate) fn abandon(&mut self) {
        self.move_from(&[Self::Open], Self::Abandoned);
    }

    /// A frame with the end was given out.
    pub(crate) fn on_fin_sent(&mut self) {
        self.move_from(&[Self::FinDue], Self::FinSent);
    }

    /// The frame with the end went out on a connection that failed.
    pub(crate) fn on_fin_lost(&mut self) {
        self.move_from(&[Self::FinSent], Self::FinDue);
    }

    /// A frame with the end was acknowledged.
    pub(crate) fn on_fin_acked(&mut self) {
        self.move_from(&[Self::FinDue, Self::FinSent], Self::FinAcked);
    }

    /// All data is acknowledged. Returns whether that was the last thing missing.
    pub(crate) fn on_data_acked(&mut self) -> bool {
        self.move_from(&[Self::FinAcked], Self::Done)
    }

    /// The stream is broken off; a half that is over does not change.
    pub(crate) fn reset(&mut self) {
        use SendState::{Abandoned, FinAcked, FinDue, FinSent, Open, Reset};
        self.move_from(&[Open, FinDue, FinSent, FinAcked, Abandoned], Reset);
    }

    /// The peer knows of the reset. Returns whether that is new.
    pub(crate) fn on_reset_acked(&mut self) -> bool {
        self.move_from(&[Self::Reset], Self::ResetAcked)
    }

    /// Whether the peer has everything.
    pub(crate) fn is_done(self) -> bool {
        self == Self::Done
    }

    /// Whether nothing is to be sent any more, nor acknowledged.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::ResetAcked)
    }

    /// Whether the stream was broken off.
    pub(crate) fn is_reset(self) -> bool {
        matches!(self, Self::Reset | Self::ResetAcked)
    }

    fn move_from(&mut self, from: &[Self], to: Self) -> bool {
        let moves = from.contains(self);
        if moves {
            *self = to;
        }
        moves
    }
}

/// Receiving half; the number is where the stream ends, in bytes.
///
/// ```text
///        FIN              all bytes           read to the end
///  Open ----> EndKnown ------------> Complete ---------------> Ended
///   |            |                      |                        ^
///   |            +---- stopped ---------+---- stopped -----------+
///   |            +--- reset ---> Reset ------ stopped -----------+
///   +---- FIN or reset on a stopped stream ----------------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RecvState {
    /// The end is not known.
    #[default]
    Open,
    /// The end is known and bytes are missing.
    EndKnown(u64),
    /// All bytes came.
    Complete(u64),
    /// The peer broke the stream off with this code.
    Reset(u64, u32),
    /// The application has read everything or wants none of it.
    Ended(u64),
}

impl RecvState {
    /// A frame said where the stream ends.
    pub(crate) fn on_end_known(&mut self, end: u64) {
        if *self == Self::Open {
            *self = Self::EndKnown(end);
        }
    }

    /// The peer broke the stream off there; too late when all bytes came. Returns whether it was not.
    pub(crate) fn on_reset(&mut self, end: u64, code: u32) -> bool {
        let news = matches!(self, Self::Open | Self::EndKnown(_));
        if news {
            *self = Self::Reset(end, code);
        }
        news
    }

    /// Bytes up to `received` are there without a gap. Returns whether these are all.
    pub(crate) fn on_received(&mut self, received: u64) -> bool {
        let complete = *self == Self::EndKnown(received);
        if complete {
            *self = Self::Complete(received);
        }
        complete
    }

    /// The application has read everything.
    pub(crate) fn on_read_to_end(&mut self) {
        if let Self::Complete(end) = *self {
            *self = Self::Ended(end);
        }
    }

    /// The application wants nothing more.
    pub(crate) fn on_unwanted(&mut self) {
        if let Some(end) = self.end() {
            *self = Self::Ended(end);
        }
    }

    /// Where the stream ends, once known.
    pub(crate) fn end(self) -> Option<u64> {
        match self {
            Self::Open => None,
            Self::EndKnown(end) | Self::Complete(end) | Self::Reset(end, _) | Self::Ended(end) => {
                Some(end)
            }
        }
    }

    /// Whether nothing more is expected from the peer.
    pub(crate) fn is_complete(self) -> bool {
        matches!(self, Self::Complete(_) | Self::Reset(..) | Self::Ended(_))
    }

    /// The code with which the peer broke the stream off.
    pub(crate) fn reset_code(self) -> Option<u32> {
        match self {
            Self::Reset(_, code) => Some(code),
            Self::Open | Self::EndKnown(_) | Self::Complete(_) | Self::Ended(_) => None,
        }
    }

    /// Whether the application is through with it too.
    pub(crate) fn is_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Step = fn(&mut SendState);
    type RecvStep = fn(&mut RecvState);

    /// Every event in every state of the sending half, as one table to review.
    #[test]
    fn send_transitions() {
        use SendState::{Abandoned, Done, FinAcked, FinDue, FinSent, Open, Reset, ResetAcked};
        let states = [
            Open, FinDue, FinSent, FinAcked, Done, Abandoned, Reset, ResetAcked,
        ];
        let table: [(Step, [SendState; 8]); 8] = [
            (
                SendState::finish,
                [
                    FinDue, FinDue, FinSent, FinAcked, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                SendState::abandon,
                [
                    Abandoned, FinDue, FinSent, FinAcked, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                SendState::on_fin_sent,
                [
                    Open, FinSent, FinSent, FinAcked, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                SendState::on_fin_lost,
                [
                    Open, FinDue, FinDue, FinAcked, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                SendState::on_fin_acked,
                [
                    Open, FinAcked, FinAcked, FinAcked, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                |state| {
                    state.on_data_acked();
                },
                [
                    Open, FinDue, FinSent, Done, Done, Abandoned, Reset, ResetAcked,
                ],
            ),
            (
                SendState::reset,
                [Reset, Reset, Reset, Reset, Done, Reset, Reset, ResetAcked],
            ),
            (
                |state| {
                    state.on_reset_acked();
                },
                [
                    Open, FinDue, FinSent, FinAcked, Done, Abandoned, ResetAcked, ResetAcked,
                ],
            ),
        ];
        for (step, expected) in table {
            let after = states.map(|mut state| {
                step(&mut state);
                state
            });
            assert_eq!(after, expected);
        }
    }

    /// The same for the receiving half of a stream that ends at 9, with 9 bytes there.
    #[test]
    fn receive_transitions() {
        use RecvState::{Complete, EndKnown, Ended, Open, Reset};
        let states = [Open, EndKnown(9), Complete(9), Reset(9, 7), Ended(9)];
        let table: [(RecvStep, [RecvState; 5]); 5] = [
            (
                |state| state.on_end_known(9),
                [EndKnown(9), EndKnown(9), Complete(9), Reset(9, 7), Ended(9)],
            ),
            (
                |state| {
                    state.on_received(9);
                },
                [Open, Complete(9), Complete(9), Reset(9, 7), Ended(9)],
            ),
            (
                RecvState::on_read_to_end,
                [Open, EndKnown(9), Ended(9), Reset(9, 7), Ended(9)],
            ),
            (
                RecvState::on_unwanted,
                [Open, Ended(9), Ended(9), Ended(9), Ended(9)],
            ),
            (
                |state| {
                    state.on_reset(9, 7);
                },
                [Reset(9, 7), Reset(9, 7), Complete(9), Reset(9, 7), Ended(9)],
            ),
        ];
        for (step, expected) in table {
            let after = states.map(|mut state| {
                step(&mut state);
                state
            });
            assert_eq!(after, expected);
        }
    }
}
