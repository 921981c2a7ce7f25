//! Our client and our server with the extension profile and without, over sessions that change their keys,
//! lose their connections, and sleep.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tcpls_tokio::{Endpoint, PathOptions, Profile, Session};

use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::scenario::Scenario;

const PEER: &str = "ourselves";

/// How long a session of the row about sleep is without connections.
const SLEEP: Duration = Duration::from_secs(60);

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let (on, off) = (Profile::Extended, Profile::DraftOnly);
    let mut rows = Vec::new();
    for (name, checked, client, server) in [
        (
            "profile-on",
            "both sides use what goes beyond the draft",
            on,
            on,
        ),
        (
            "profile-draft-client",
            "a client that speaks the draft alone gets the draft alone",
            off,
            on,
        ),
        (
            "profile-draft-server",
            "a server that speaks the draft alone gets the draft alone",
            on,
            off,
        ),
        (
            "profile-draft-both",
            "two sides that speak the draft alone",
            off,
            off,
        ),
    ] {
        rows.push(Scenario::new(name, PEER, checked, move |lab| {
            agreement(lab, client, server)
        }));
    }
    for (name, checked, profile) in [
        (
            "key-updates-failover",
            "keys change dozens of times while connections fail and others join",
            on,
        ),
        (
            "key-updates-failover-draft",
            "the same by the draft, where connections climb through the keys",
            off,
        ),
    ] {
        rows.push(
            Scenario::new(name, PEER, checked, move |lab| key_updates(lab, profile))
                .within(Duration::from_secs(60)),
        );
    }
    rows.push(
        Scenario::new(
            "sleep-60",
            PEER,
            "a session without connections for 60 s goes on where it stopped",
            sleep,
        )
        .within(SLEEP + Duration::from_secs(30))
        .full_only(),
    );
    rows
}

struct Pair {
    client: Session,
    server: Session,
    endpoints: [Endpoint; 2],
}

impl Pair {
    async fn new(lab: &Lab, client: &Setup, server: &Setup) -> Result<Self> {
        let (server, address) = server.server(lab)?;
        let client = client.client(lab)?;
        let accepting = async { anyhow::Ok(ours::incoming(&server).await?.accept().await?) };
        let (ours, theirs) = tokio::try_join!(ours::connect(&client, address), accepting)?;
        ours::echo(&theirs);
        let joins = server.clone();
        tokio::spawn(async move { while joins.accept().await.is_some() {} });
        // The first tokens stand before the echo, so they have arrived with it.
        ours::round_trip(&ours, &ours::payload(1, 10_000)).await?;
        Ok(Self {
            client: ours,
            server: theirs,
            endpoints: [client, server],
        })
    }

    /// Closes the session, which must still be there.
    async fn finish(self) -> Result<()> {
        ensure!(self.client.close_reason().is_none(), "the session is over");
        self.client.close(0, b"");
        ours::closed_by_peer(&self.server).await?;
        let [client, _server] = self.endpoints;
        client.wait_idle().await;
        Ok(())
    }
}

async fn agreement(lab: Arc<Lab>, client: Profile, server: Profile) -> Result<String> {
    let setup = |profile| Setup {
        profile,
        ..Setup::default()
    };
    let pair = Pair::new(&lab, &setup(client), &setup(server)).await?;
    let expected = [client, server] == [Profile::Extended; 2];
    for session in [&pair.client, &pair.server] {
        let agreed = session.peer_params().is_some() && session.features().bits() != 0;
        ensure!(agreed == expected, "features {:?}", session.features());
    }
    let path = pair.client.open_path(&PathOptions::new()).await?;
    for seed in 2..5 {
        ours::round_trip(&pair.client, &ours::payload(seed, 200_000)).await?;
    }
    path.close();
    ours::round_trip(&pair.client, &ours::payload(5, 200_000)).await?;
    let beyond: u64 = [&pair.client, &pair.server]
        .into_iter()
        .flat_map(Session::path_stats)
        .map(|path| path.counters.frames_sent.extended)
        .sum();
    ensure!((beyond > 0) == expected, "{beyond} frames beyond the draft");
    pair.finish().await?;
    Ok(format!("{beyond} frames beyond the draft"))
}

async fn key_updates(lab: Arc<Lab>, profile: Profile) -> Result<String> {
    const ROUNDS: u32 = 12;
    let setup = Setup {
        profile,
        key_update_after: Some(20),
        ..Setup::default()
    };
    let pair = Pair::new(&lab, &setup, &setup).await?;
    pair.client.open_path(&PathOptions::new()).await?;
    for round in 0..ROUNDS {
        let payload = ours::payload(round + 2, 1 << 20);
        let failing = async {
            tokio::time::sleep(Duration::from_millis(3)).await;
            // One that fails comes back by itself.
            let oldest = pair.client.paths().into_iter().next();
            oldest.context("no connection is left")?.abort();
            if round % 3 == 0 {
                pair.client.force_key_update();
            }
            anyhow::Ok(())
        };
        tokio::try_join!(ours::round_trip(&pair.client, &payload), failing)?;
        // However soon that was over, there is a connection again that can fail.
        ours::round_trip(&pair.client, &ours::payload(round + 2, 1000)).await?;
    }
    let reached = |session: &Session| {
        let paths = session.path_stats();
        let generations = paths.iter().map(|path| path.counters.send_generation);
        generations.max().unwrap_or(0)
    };
    let generations = [reached(&pair.client), reached(&pair.server)];
    ensure!(
        generations.iter().all(|reached| *reached >= 24),
        "key generations {generations:?}"
    );
    let joined = pair.server.stats().connections;
    ensure!(joined > ROUNDS, "{joined} connections");
    pair.finish().await?;
    let [up, down] = generations;
    Ok(format!(
        "{joined} connections, {up} keys up and {down} down"
    ))
}

async fn sleep(lab: Arc<Lab>) -> Result<String> {
    let setup = Setup {
        linger: Some(SLEEP * 2),
        ..Setup::default()
    };
    let pair = Pair::new(&lab, &setup, &setup).await?;
    let payload = ours::payload(2, 1 << 20);
    let (mut send, mut recv) = pair.client.open_bi().await?;
    send.write_all(payload.get(..1000).unwrap_or_default())
        .await?;
    for path in pair.client.paths() {
        path.close();
    }
    tokio::time::sleep(SLEEP).await;
    for session in [&pair.client, &pair.server] {
        ensure!(session.paths().is_empty(), "there is a connection");
        ensure!(session.close_reason().is_none(), "the session is over");
    }
    pair.client.open_path(&PathOptions::new()).await?;
    let sending = async {
        send.write_all(payload.get(1000..).unwrap_or_default())
            .await?;
        send.finish()?;
        anyhow::Ok(())
    };
    let receiving = async { anyhow::Ok(recv.read_to_end(payload.len()).await?) };
    let ((), received) = tokio::try_join!(sending, receiving)?;
    ensure!(received == payload, "the echo differs from what was sent");
    pair.finish().await?;
    Ok(String::new())
}
