//! Servers whose clients are many.

use std::net::{IpAddr, Ipv4Addr};

use tcpls_tokio::{ConnectError, Endpoint, PathOptions};

use crate::common::{Identity, SERVER_NAME, until};

/// One address has as many sessions as it may, and not one more; other addresses, and connections that join,
/// are not concerned, and a session that ends makes room.
#[tokio::test]
async fn an_address_has_so_many_sessions() {
    let identity = Identity::generate();
    let mut config = identity.server_config();
    config.sessions_per_address(2);
    let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = server.local_addr().unwrap();
    let client = Endpoint::client(identity.client_config());
    let connect = || async {
        let accept = async { server.accept().await.unwrap().accept().await };
        tokio::join!(client.connect(address, SERVER_NAME), accept)
    };
    let (first, accepted) = connect().await;
    let (first, _first) = (first.unwrap(), accepted.unwrap());
    let (second, accepted) = connect().await;
    let (second, _second) = (second.unwrap(), accepted.unwrap());
    let (third, refused) = connect().await;
    assert!(third.is_err());
    assert!(matches!(refused, Err(ConnectError::TooManySessions)));
    assert_eq!((server.refused_sessions(), server.open_sessions()), (1, 2));

    second.open_path(&PathOptions::new()).await.unwrap();
    let mut elsewhere = identity.client_config();
    elsewhere.local_addresses([IpAddr::from([127, 0, 0, 2])]);
    let elsewhere = Endpoint::client(elsewhere);
    let accept = async { server.accept().await.unwrap().accept().await };
    let (other, accepted) = tokio::join!(elsewhere.connect(address, SERVER_NAME), accept);
    let (_other, _accepted) = (other.unwrap(), accepted.unwrap());

    first.close(0, b"");
    until("its place is free", || server.open_sessions() == 2).await;
    let (again, accepted) = connect().await;
    again.unwrap();
    accepted.unwrap();
}
