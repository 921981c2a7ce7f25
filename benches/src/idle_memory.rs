//! User-space memory of an idle session: both ends, one connection, everything that is allocated.
#![allow(
    clippy::print_stdout,
    reason = "a measuring program prints its figures"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tcpls_benches::{Error, Identity, SERVER_NAME};
use tcpls_tokio::{ClientConfig, Endpoint, ServerConfig, Session, default_provider};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[derive(Debug, Parser)]
#[command(about = "Heap bytes of an idle TCPLS session, both ends")]
struct Arguments {
    /// Sessions to hold at a time.
    #[arg(long, default_value_t = 200)]
    sessions: usize,
    /// Write where each live byte was allocated to this file, for dhat's viewer.
    #[arg(long, value_name = "JSON")]
    profile: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let profiler = match &arguments.profile {
        Some(file) => dhat::Profiler::builder()
            .file_name(file)
            .trim_backtraces(None),
        None => dhat::Profiler::builder().testing(),
    };
    let profiler = profiler.build();
    let runtime = tokio::runtime::Runtime::new()?;
    let Measured {
        before,
        after,
        sessions,
    } = runtime.block_on(measure(arguments.sessions))?;
    // A profile is of the moment in which the sessions rest.
    let left = if arguments.profile.is_some() {
        drop(profiler);
        None
    } else {
        let left = runtime.block_on(end(sessions)).saturating_sub(before);
        drop(profiler);
        Some(left / arguments.sessions.max(1))
    };
    let each = after.saturating_sub(before) / arguments.sessions.max(1);
    if arguments.json {
        let report = serde_json::json!({
            "sessions": arguments.sessions,
            "bytes_per_session": each,
            "bytes_left_per_session": left,
        });
        println!("{report}");
    } else {
        println!(
            "{} sessions, both ends: {each} bytes of heap each",
            arguments.sessions
        );
        if let Some(left) = left {
            println!("after they ended: {left} bytes of heap each");
        }
    }
    Ok(())
}

/// Live heap bytes before and after the sessions were made and used.
struct Measured {
    before: usize,
    after: usize,
    /// The sessions, and their endpoints.
    sessions: (Vec<(Session, Session)>, [Endpoint; 2]),
}

async fn measure(count: usize) -> Result<Measured, Error> {
    let identity = Identity::generate()?;
    let provider = default_provider();
    let client = ClientConfig::new(&Arc::new(identity.client(&provider)?))?;
    let server = ServerConfig::new(&Arc::new(identity.server(&provider)?))?;
    let client = Endpoint::client(client);
    let server = Endpoint::server(server, ([127, 0, 0, 1], 0).into())?;
    // What is allocated once and for all is not a session's.
    let warm = session(&client, &server).await?;
    let before = dhat::HeapStats::get().curr_bytes;
    let mut sessions = Vec::with_capacity(count + 1);
    for _ in 0..count {
        sessions.push(session(&client, &server).await?);
    }
    // Buffers of the handshake and of the exchange are given back when it has been quiet.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = dhat::HeapStats::get().curr_bytes;
    sessions.push(warm);
    Ok(Measured {
        before,
        after,
        sessions: (sessions, [client, server]),
    })
}

/// Live heap bytes after all sessions ended and their connections are gone.
async fn end((sessions, endpoints): (Vec<(Session, Session)>, [Endpoint; 2])) -> usize {
    for (near, _far) in &sessions {
        near.close(0, b"");
    }
    drop(sessions);
    for endpoint in &endpoints {
        endpoint.wait_idle().await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    dhat::HeapStats::get().curr_bytes
}

/// A session that has moved a little both ways and rests.
async fn session(client: &Endpoint, server: &Endpoint) -> Result<(Session, Session), Error> {
    let (near, far) = tokio::join!(client.connect(server.local_addr()?, SERVER_NAME), async {
        server
            .accept()
            .await
            .ok_or("the server is closed")?
            .accept()
            .await
            .map_err(Error::from)
    });
    let (near, far) = (near?, far?);
    let (mut send, mut receive) = near.open_bi().await?;
    send.write_all(&vec![1; 40_000]).await?;
    send.finish()?;
    let (mut far_send, mut far_receive) = far.accept_bi().await?;
    let heard = far_receive.read_to_end(100_000).await?;
    far_send.write_all(&heard).await?;
    far_send.finish()?;
    receive.read_to_end(100_000).await?;
    Ok((near, far))
}
