//! Frames of the session itself: tokens, addresses, reports of failed connections.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use super::path_words::PathWords;
use crate::{
    AddressError, AddressStanding, Event, KeyGenerations, PeerMisbehaved, TokenError,
    address::{OwnAddresses, PeerAddresses},
    event::EventQueue,
    sent::ControlFrame,
    stream::News,
    token::{NewToken, Next, Numbering, ReceivedToken, TokenRequest, Tokens},
    wire::{
        AddressId, ConnectionId, ConnectionResetFrame, ExtendedFrame, Frame, NewAddressFrame,
        RemoveAddressFrame, Role, Token,
    },
};

/// What the session knows beside streams and connections, and what of it is to be sent.
///
/// The queue holds each frame once, so it is bounded by the identifiers that there are.
#[derive(Debug)]
pub(crate) struct Control {
    queue: VecDeque<ControlFrame>,
    tokens: Tokens,
    /// Tokens that the driver was asked for and has not issued.
    asked: u8,
    /// Unused tokens that the client is to have.
    spare: u8,
    request: TokenRequest,
    own_addresses: OwnAddresses,
    peer_addresses: PeerAddresses,
    pub(super) paths: PathWords,
}

/// How many reports of failed connections wait to be sent at most: more than the draft has connections.
const MAX_REPORTS: usize = 512;

impl Control {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            queue: VecDeque::new(),
            tokens: Tokens::new(role),
            asked: 0,
            spare: 0,
            request: TokenRequest::default(),
            own_addresses: OwnAddresses::default(),
            peer_addresses: PeerAddresses::default(),
            paths: PathWords::default(),
        }
    }

    /// Queues a frame, unless it is queued already.
    pub(crate) fn push(&mut self, frame: ControlFrame) {
        if !self.queue.contains(&frame) {
            self.queue.push_back(frame);
        }
    }

    /// The frame to send next and what to remember of it. Frames that became pointless while they
    /// waited are dropped.
    pub(crate) fn next_frame(&mut self, now: Instant) -> Option<(ControlFrame, Frame<'_>)> {
        while let Some(&next) = self.queue.front() {
            if self.is_pointless(next, now) {
                self.queue.pop_front();
                continue;
            }
            return self.frame(next, now).map(|frame| (next, frame));
        }
        None
    }

    /// Whether something newer took the place of a frame, or nobody needs it any more.
    fn is_pointless(&self, frame: ControlFrame, now: Instant) -> bool {
        match frame {
            ControlFrame::NewToken(id) => self.tokens.frame(id, now).is_none(),
            ControlFrame::TokenRequest => self.request.value().is_none(),
            ControlFrame::ConnectionPriority(..) | ControlFrame::ObservedAddress(..) => {
                self.paths.frame(frame).is_none()
            }
            ControlFrame::RetireToken(_)
            | ControlFrame::ConnectionReset(_)
            | ControlFrame::NewAddress(_)
            | ControlFrame::RemoveAddress(_)
            | ControlFrame::ConnectionClose(_) => false,
        }
    }

    /// The frame that [`next_frame`](Self::next_frame) gave is in a record.
    pub(crate) fn advance(&mut self) {
        self.queue.pop_front();
    }

    /// The peer has this frame.
    pub(crate) fn on_acked(&mut self, frame: ControlFrame) {
        match frame {
            ControlFrame::NewToken(id) => {
                for stale in self.tokens.on_acked(id, self.spare) {
                    self.push(ControlFrame::RetireToken(stale));
                }
            }
            ControlFrame::RetireToken(id) => self.tokens.on_dropped(id),
            ControlFrame::TokenRequest => {
                if self.request.on_acked() == Next::Send {
                    self.push(ControlFrame::TokenRequest);
                }
            }
            ControlFrame::NewAddress(id) => {
                if let Some(next) = self.own_addresses.on_acked(id) {
                    self.push(next);
                }
            }
            ControlFrame::ConnectionReset(_)
            | ControlFrame::RemoveAddress(_)
            | ControlFrame::ConnectionClose(_)
            | ControlFrame::ConnectionPriority(..)
            | ControlFrame::ObservedAddress(..) => {}
        }
    }

    pub(crate) fn add_early_token(&mut self, token: Token) {
        self.tokens.add_early(token);
    }

    /// What this side knows about tokens.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// How the server numbers its tokens.
    pub(crate) fn set_numbering(&mut self, numbering: Numbering) {
        self.tokens.set_numbering(numbering);
    }

    /// Takes note of the time, and of the key generations that the session has reached.
    pub(crate) fn age_tokens(&mut self, reached: KeyGenerations, now: Instant) {
        self.tokens.age(reached, now);
    }

    /// R47: asks for tokens, so that the client has `spare` unused ones.
    pub(crate) fn want_tokens(&mut self, spare: u8, events: &mut EventQueue) {
        self.spare = spare;
        let wanted = self.tokens.wanted(spare);
        if wanted > self.asked {
            events.push(Event::TokensWanted(wanted - self.asked));
            self.asked = wanted;
        }
    }

    pub(crate) fn issue_token(&mut self, token: NewToken) -> Result<ConnectionId, TokenError> {
        self.asked = self.asked.saturating_sub(1);
        let id = self.tokens.issue(token)?;
        self.push(ControlFrame::NewToken(id));
        Ok(id)
    }

    /// The session takes this token no more, and tells the client.
    pub(crate) fn withdraw_token(&mut self, id: ConnectionId) -> Result<(), TokenError> {
        if !self.tokens.withdraw(id)? {
            return Err(TokenError::Spent);
        }
        self.push(ControlFrame::RetireToken(id));
        Ok(())
    }

    /// The client wants to have this many unused tokens.
    pub(crate) fn request_tokens(&mut self, wanted: u8) {
        if self.request.set(wanted) == Next::Send {
            self.push(ControlFrame::TokenRequest);
        }
    }

    pub(crate) fn take_token(&mut self) -> Option<(ConnectionId, KeyGenerations, Token)> {
        self.tokens.take()
    }

    pub(crate) fn put_token_back(
        &mut self,
        id: ConnectionId,
        token: Token,
        events: &mut EventQueue,
    ) {
        if self.tokens.put_back(id, token) {
            events.push(Event::TokenReceived(id));
        }
    }

    pub(crate) fn redeem_token(&mut self, id: ConnectionId) -> Result<KeyGenerations, TokenError> {
        self.tokens.redeem(id)
    }

    /// The connection of a token joined. Returns whether it may.
    pub(crate) fn on_joined(&mut self, connection: ConnectionId) -> bool {
        self.tokens.on_joined(connection)
    }

    pub(crate) fn on_new_token(
        &mut self,
        new: &ReceivedToken<'_>,
        events: &mut EventQueue,
    ) -> Result<News, PeerMisbehaved> {
        if !self.tokens.receive(new)? {
            return Ok(News::None);
        }
        events.push(Event::TokenReceived(new.id));
        Ok(News::Some)
    }

    /// A token came that is of no use any more.
    pub(crate) fn on_late_token(
        &mut self,
        new: &ReceivedToken<'_>,
    ) -> Result<News, PeerMisbehaved> {
        if !self.tokens.receive(new)? {
            return Ok(News::None);
        }
        self.on_join_failed(new.id);
        self.check_churn()?;
        Ok(News::Some)
    }

    pub(crate) fn on_token_withdrawn(&mut self, id: ConnectionId) -> Result<News, PeerMisbehaved> {
        Ok(News::when(self.tokens.on_withdrawn(id)?))
    }

    /// Whether a token is out that another connection could join with.
    pub(crate) fn may_join(&self) -> bool {
        self.tokens.may_join()
    }

    /// Whether a connection with this identifier could have joined.
    pub(crate) fn was_issued(&self, connection: ConnectionId) -> bool {
        self.tokens.was_issued(connection)
    }

    /// a connection that has not joined was reset: its token is burnt and the peer is told, the
    /// first time.
    pub(crate) fn burn(&mut self, connection: ConnectionId) -> Result<(), PeerMisbehaved> {
        if self.tokens.burn(connection) {
            self.push(ControlFrame::ConnectionReset(connection));
        }
        self.check_churn()
    }

    /// A peer that gives up one token after the other must not make the queue grow.
    fn check_churn(&self) -> Result<(), PeerMisbehaved> {
        let report = |frame: &&ControlFrame| matches!(frame, ControlFrame::ConnectionReset(_));
        if self.queue.iter().filter(report).count() > MAX_REPORTS {
            return Err(PeerMisbehaved::TokenChurn);
        }
        Ok(())
    }

    /// The same for one whose join failed here.
    pub(crate) fn on_join_failed(&mut self, connection: ConnectionId) {
        if self.tokens.on_join_failed(connection) {
            self.push(ControlFrame::ConnectionReset(connection));
        }
    }

    pub(crate) fn advertise(&mut self, address: SocketAddr) -> Result<AddressId, AddressError> {
        let id = self.own_addresses.advertise(address)?;
        self.push(ControlFrame::NewAddress(id));
        Ok(id)
    }

    pub(crate) fn withdraw(&mut self, id: AddressId) -> Result<(), AddressError> {
        if let Some(frame) = self.own_addresses.withdraw(id)? {
            self.push(frame);
        }
        Ok(())
    }

    pub(crate) fn on_new_address(
        &mut self,
        frame: &NewAddressFrame,
        events: &mut EventQueue,
    ) -> News {
        let Some(address) = self.peer_addresses.on_new(frame) else {
            return News::None;
        };
        events.push(Event::AddressAdded {
            id: frame.id,
            address,
        });
        News::Some
    }

    pub(crate) fn on_remove_address(&mut self, id: AddressId, events: &mut EventQueue) -> News {
        let Some(address) = self.peer_addresses.on_removed(id) else {
            return News::None;
        };
        events.push(Event::AddressRemoved { id, address });
        News::Some
    }

    pub(crate) fn peer_address(&self, peer: Role, remote: SocketAddr) -> AddressStanding {
        self.peer_addresses.standing(peer, remote)
    }

    pub(crate) fn own_address(&self, own: Role, local: SocketAddr) -> AddressStanding {
        self.own_addresses.standing(own, local)
    }

    pub(crate) fn peer_addresses(&self) -> impl Iterator<Item = (AddressId, SocketAddr)> + '_ {
        self.peer_addresses.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn frame(&self, frame: ControlFrame, now: Instant) -> Option<Frame<'_>> {
        Some(match frame {
            ControlFrame::NewToken(id) => self.tokens.frame(id, now)?,
            ControlFrame::RetireToken(id) => Frame::Extended(ExtendedFrame::RetireToken(id)),
            ControlFrame::TokenRequest => {
                Frame::Extended(ExtendedFrame::TokenRequest(self.request.value()?))
            }
            ControlFrame::ConnectionReset(connection) => {
                Frame::ConnectionReset(ConnectionResetFrame { connection })
            }
            ControlFrame::NewAddress(id) => Frame::NewAddress(self.own_addresses.frame(id)?),
            ControlFrame::RemoveAddress(id) => Frame::RemoveAddress(RemoveAddressFrame { id }),
            name @ (ControlFrame::ConnectionClose(_)
            | ControlFrame::ConnectionPriority(..)
            | ControlFrame::ObservedAddress(..)) => Frame::Extended(self.paths.frame(name)?),
        })
    }
}
