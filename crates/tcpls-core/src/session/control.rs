//! Frames of the session itself: tokens, addresses, reports of failed connections.

use std::{collections::VecDeque, net::SocketAddr};

use crate::{
    AddressError, AddressStanding, Event, PeerMisbehaved, TokenError,
    address::{OwnAddresses, PeerAddresses},
    event::EventQueue,
    sent::ControlFrame,
    stream::News,
    token::Tokens,
    wire::{
        AddressId, ConnectionId, ConnectionResetFrame, Frame, NewAddressFrame, NewTokenFrame,
        RemoveAddressFrame, Role, Token, TokenSequence,
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
    own_addresses: OwnAddresses,
    peer_addresses: PeerAddresses,
}

impl Control {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            queue: VecDeque::new(),
            tokens: Tokens::new(role),
            asked: 0,
            own_addresses: OwnAddresses::default(),
            peer_addresses: PeerAddresses::default(),
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
    pub(crate) fn next_frame(&mut self) -> Option<(ControlFrame, Frame<'_>)> {
        while let Some(&next) = self.queue.front() {
            if let ControlFrame::NewToken(sequence) = next
                && self.tokens.issued(sequence).is_none()
            {
                self.queue.pop_front();
                continue;
            }
            return self.frame(next).map(|frame| (next, frame));
        }
        None
    }

    /// The frame that [`next_frame`](Self::next_frame) gave is in a record.
    pub(crate) fn advance(&mut self) {
        self.queue.pop_front();
    }

    /// The peer has this frame.
    pub(crate) fn on_acked(&mut self, frame: ControlFrame) {
        match frame {
            ControlFrame::NewToken(sequence) => self.tokens.on_acked(sequence),
            ControlFrame::NewAddress(id) => {
                if let Some(next) = self.own_addresses.on_acked(id) {
                    self.push(next);
                }
            }
            ControlFrame::ConnectionReset(_) | ControlFrame::RemoveAddress(_) => {}
        }
    }

    pub(crate) fn add_early_token(&mut self, token: Token) {
        self.tokens.add_early(token);
    }

    pub(crate) fn tokens(&self) -> usize {
        self.tokens.count()
    }

    pub(crate) fn unused_tokens(&self) -> usize {
        self.tokens.unused()
    }

    /// R47: asks for tokens, so that the client has `spare` unused ones.
    pub(crate) fn want_tokens(&mut self, spare: u8, events: &mut EventQueue) {
        let wanted = self.tokens.wanted(spare);
        if wanted > self.asked {
            events.push(Event::TokensWanted(wanted - self.asked));
            self.asked = wanted;
        }
    }

    pub(crate) fn issue_token(&mut self, token: Token) -> Result<TokenSequence, TokenError> {
        self.asked = self.asked.saturating_sub(1);
        let sequence = self.tokens.issue(token)?;
        self.push(ControlFrame::NewToken(sequence));
        Ok(sequence)
    }

    pub(crate) fn take_token(&mut self) -> Option<(TokenSequence, Token)> {
        self.tokens.take()
    }

    pub(crate) fn put_token_back(
        &mut self,
        sequence: TokenSequence,
        token: Token,
        events: &mut EventQueue,
    ) {
        if self.tokens.put_back(sequence, token) {
            events.push(Event::TokenReceived(sequence));
        }
    }

    pub(crate) fn redeem_token(&mut self, sequence: TokenSequence) -> Result<(), TokenError> {
        self.tokens.redeem(sequence)
    }

    /// The connection of a token joined. Returns whether it may.
    pub(crate) fn on_joined(&mut self, connection: ConnectionId) -> bool {
        self.tokens.on_joined(connection)
    }

    pub(crate) fn on_new_token(
        &mut self,
        frame: &NewTokenFrame<'_>,
        events: &mut EventQueue,
    ) -> Result<News, PeerMisbehaved> {
        if !self.tokens.receive(frame.sequence, frame.token)? {
            return Ok(News::None);
        }
        events.push(Event::TokenReceived(frame.sequence));
        Ok(News::Some)
    }

    /// Whether a token is out that another connection could join with.
    pub(crate) fn may_join(&self) -> bool {
        self.tokens.may_join()
    }

    /// Whether a connection with this identifier could have joined.
    pub(crate) fn was_issued(&self, connection: ConnectionId) -> bool {
        self.tokens.was_issued(connection)
    }

    /// a connection that has not joined was reset, or its join failed: its token is burnt and the
    /// peer is told, the first time.
    pub(crate) fn burn(&mut self, connection: ConnectionId) {
        if self.tokens.burn(connection) {
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

    fn frame(&self, frame: ControlFrame) -> Option<Frame<'_>> {
        Some(match frame {
            ControlFrame::NewToken(sequence) => {
                let token = self.tokens.issued(sequence)?;
                Frame::NewToken(NewTokenFrame { sequence, token })
            }
            ControlFrame::ConnectionReset(connection) => {
                Frame::ConnectionReset(ConnectionResetFrame { connection })
            }
            ControlFrame::NewAddress(id) => Frame::NewAddress(self.own_addresses.frame(id)?),
            ControlFrame::RemoveAddress(id) => Frame::RemoveAddress(RemoveAddressFrame { id }),
        })
    }
}
