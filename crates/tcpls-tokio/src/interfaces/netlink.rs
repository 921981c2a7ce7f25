//! What Linux tells of its interfaces: rtnetlink's groups of links and addresses.

use std::io;
use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};

use super::table::{Carrier, Report, Told};

/// Tells of the interfaces of this network namespace for as long as it is polled. Needs no privilege.
pub(super) async fn watch(mut tell: impl FnMut(Told)) -> io::Result<()> {
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
    ];
    let (connection, handle, mut messages) = new_multicast_connection(&groups)?;
    let listen = async {
        tell(Told::Everything(everything(&handle).await?));
        while let Ok((message, _)) = messages.recv().await {
            if let NetlinkPayload::Overrun(_) = message.payload {
                tell(Told::Everything(everything(&handle).await?));
            } else if let NetlinkPayload::InnerMessage(message) = message.payload
                && let Some(report) = report(message)
            {
                tell(Told::Something(report));
            }
        }
        Ok(())
    };
    tokio::select! {
        () = connection => Ok(()),
        end = listen => end,
    }
}

async fn everything(handle: &Handle) -> io::Result<Vec<Report>> {
    let links: Vec<_> = handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .map_err(io::Error::other)?;
    let addresses = handle.address().get().execute();
    let addresses: Vec<_> = addresses.try_collect().await.map_err(io::Error::other)?;
    let links = links.into_iter().map(link);
    Ok(links
        .chain(
            addresses
                .into_iter()
                .filter_map(|message| address(&message)),
        )
        .collect())
}

fn report(message: RouteNetlinkMessage) -> Option<Report> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rtnetlink has dozens of other messages"
    )]
    match message {
        // A bridge tells of its ports in the same words; that is not the interface itself.
        RouteNetlinkMessage::NewLink(message) | RouteNetlinkMessage::DelLink(message)
            if message.header.interface_family != AddressFamily::Unspec =>
        {
            None
        }
        RouteNetlinkMessage::NewLink(message) => Some(link(message)),
        RouteNetlinkMessage::DelLink(message) => Some(Report::LinkGone(message.header.index)),
        RouteNetlinkMessage::NewAddress(message) => address(&message),
        RouteNetlinkMessage::DelAddress(message) => Some(Report::AddressGone {
            index: message.header.index,
            address: local_address(&message)?,
        }),
        _ => None,
    }
}

fn link(message: LinkMessage) -> Report {
    let mut device = None;
    for attribute in message.attributes {
        if let LinkAttribute::IfName(name) = attribute {
            device = Some(name);
        }
    }
    let running = LinkFlags::Up | LinkFlags::Running;
    let carrier = if message.header.flags.contains(running) {
        Carrier::Up
    } else {
        Carrier::Down
    };
    Report::Link {
        index: message.header.index,
        device,
        carrier,
    }
}

/// An address that is tentative is not there yet; the system tells again once it is.
fn address(message: &AddressMessage) -> Option<Report> {
    let tentative = message.header.flags.contains(AddressHeaderFlags::Tentative);
    let index = message.header.index;
    let address = local_address(message)?;
    Some(if tentative {
        Report::AddressGone { index, address }
    } else {
        Report::Address { index, address }
    })
}

/// On a point-to-point link the other attribute is the peer's address.
fn local_address(message: &AddressMessage) -> Option<IpAddr> {
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        if let AddressAttribute::Local(value) = attribute {
            local = Some(*value);
        } else if let AddressAttribute::Address(value) = attribute {
            address = Some(*value);
        }
    }
    local.or(address)
}
