//! What a client does about its paths by itself.

/// Whether a client gets back the paths of a session that fail.
///
/// A path that the application closed, or that either side retired, is not opened again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FollowPaths {
    /// It leaves that to the application.
    Off,
    /// It opens paths that failed again, the same way. While no connection is usable it tries all of
    /// them about 1.4 times a second for the first minute, and every 15 s in the long run; while one is,
    /// after 250 ms first and every 15 s in the long run. 24 joins may come in a
    /// row, then one a second, except while no connection is usable; with a peer that speaks the draft alone
    /// one each 20 s, because a session has 255 connection identifiers then (reading A-5). The default.
    #[default]
    Keep,
    /// The same, and it opens a path to the first connection's server from every other network interface,
    /// as they come: one for each, on Linux. Mobile data may cost money: this is for applications that
    /// know better.
    EveryInterface,
}

/// What a client does with the addresses that its server advertises (draft 5.2.7). It remembers eight of
/// those that its [`AddressFilter`](crate::AddressFilter) allows, and connects to two at a time at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertisedAddresses {
    /// It leaves them to the application.
    Ignore,
    /// It connects to them while no connection of the session is usable. The default.
    #[default]
    WhenNeeded,
    /// It connects to each of them, and again when that connection fails.
    Open,
}
