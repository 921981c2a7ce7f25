//! `tcpls demo`: a server and a client in one process, over real sockets.

mod breakage;
mod report;
mod transfer;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tcpls_tokio::{ClientConfig, Endpoint, ServerConfig, Session, SessionConfig, TransportConfig};
use tokio::time::Instant;

use self::breakage::{Arrivals, break_and_heal, second_path};
use self::report::{Outage, Report, Transfer};
use self::transfer::{End, Plan, Watch};
use crate::certificates::SelfSigned;
use crate::client::unusable;
use crate::exit::{Exit, Failure};
use crate::number::parse_size;
use crate::profile_arg::ProfileArg;
use crate::progress::Progress;
use crate::report::Format;

/// Run a server and a client in this process and compare what they send each other
///
/// Random bytes go both ways on several streams at a time, over two TCP connections on the loopback
/// interface. After a third of the bytes the first connection is aborted with a RST, and the session
/// gets another one. The certificate is made for this run, and the client verifies it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes to send, over all streams and both ways (K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size)]
    size: u64,
    /// Streams at a time; each side opens half of them
    #[arg(long, value_name = "N", default_value = "8",
        value_parser = clap::value_parser!(u32).range(1..=128))]
    streams: u32,
    /// Flip a bit of one byte that arrived, to see that the comparison notices
    #[arg(long)]
    damage: bool,
    #[command(flatten)]
    profile: ProfileArg,
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let pair = Pair::connect(args.profile).await?;
    let plan = Plan {
        streams: args.streams,
        size: args.size,
        damage: args.damage,
    };
    second_path(&pair.client).await?;
    let progress = Progress::bytes(args.size);
    let arrivals = Arrivals::default();
    let watch = Watch {
        progress: progress.clone(),
        arrivals: arrivals.clone(),
    };
    let start = Instant::now();
    let third = args.size / 3;
    let breaking = break_and_heal(pair.client.clone(), arrivals.clone(), third);
    let transfers = async {
        let ends = tokio::try_join!(
            transfer::run(&pair.client, End::Client, plan, &watch),
            transfer::run(&pair.server, End::Server, plan, &watch),
        );
        ends.map(|ends| (ends, start.elapsed()))
    };
    let result = tokio::try_join!(transfers, breaking);
    progress.clear();
    let (((client, server), time), broken) = result?;
    let transfers = Transfer::pair_up(client, server)?;
    let outage = Outage::new(start, &broken, arrivals.longest_gap());
    let report = Report::new(&pair.client, &pair.server, transfers, time, outage);
    pair.close().await;
    format.print(&report)?;
    report.verdict()
}

/// Both ends of one session.
struct Pair {
    client_endpoint: Endpoint,
    server_endpoint: Endpoint,
    client: Session,
    server: Session,
}

impl Pair {
    async fn connect(profile: ProfileArg) -> Result<Self, Failure> {
        let mut session = SessionConfig::new();
        profile.apply(&mut session);
        let mut transport = TransportConfig::default();
        transport.session(session);
        let transport = Arc::new(transport);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let cannot_listen = |error| {
            Failure::new(
                Exit::Listen,
                format!("cannot listen on {any_port}: {error}"),
            )
        };
        let certificate = SelfSigned::generate(any_port.ip())?;
        let roots = certificate.as_roots()?;
        let identity = certificate.identity;
        let mut config =
            ServerConfig::with_single_cert(identity.chain, identity.key).map_err(unusable)?;
        config.transport_config(Arc::clone(&transport));
        let server_endpoint = Endpoint::server(config, any_port).map_err(cannot_listen)?;
        let mut config = ClientConfig::with_root_certificates(roots).map_err(unusable)?;
        config.transport_config(transport);
        let client_endpoint = Endpoint::client(config);

        let address = server_endpoint.local_addr().map_err(cannot_listen)?;
        let accept = async {
            let incoming = server_endpoint.accept().await;
            let incoming = incoming.ok_or_else(|| unusable("the server is closed"))?;
            incoming
                .accept()
                .await
                .map_err(|error| Failure::handshake("client", &error))
        };
        let connect = async {
            let session = client_endpoint.connect(address, "localhost").await;
            session.map_err(|error| Failure::handshake(address, &error))
        };
        let (client, server) = tokio::try_join!(connect, accept)?;
        Ok(Self {
            client_endpoint,
            server_endpoint,
            client,
            server,
        })
    }

    async fn close(self) {
        self.client.close(0, b"");
        self.client_endpoint.wait_idle().await;
        self.server_endpoint.close();
        self.server_endpoint.wait_idle().await;
    }
}
