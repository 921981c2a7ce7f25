//! The `openssl` program as a peer: started, fed, watched, and killed at the latest when dropped.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::lab::Lab;

/// How long one step of a program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program started with `-msg` prints when it updates its own keys.
pub(crate) const SENT_KEY_UPDATE: &str = ">>> TLS 1.3, Handshake [length 0005], KeyUpdate";

/// What it prints when the other side does.
pub(crate) const RECEIVED_KEY_UPDATE: &str = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate";

/// A running `openssl` with all that it has printed.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: watch::Receiver<Vec<u8>>,
}

impl Program {
    /// Starts `openssl s_server` with the lab's certificate on a free port, for one connection
    /// unless `arguments` say otherwise.
    pub(crate) async fn server<S: AsRef<OsStr>>(
        lab: &Lab,
        arguments: &[S],
    ) -> Result<(Self, SocketAddr)> {
        lab.need_openssl()?;
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"]);
        command
            .arg("-cert")
            .arg(&lab.authority.server.certificate_file);
        command.arg("-key").arg(&lab.authority.server.key_file);
        let mut program = Self::start(command.args(arguments))?;
        let greeting = program
            .wait_for("ACCEPT 127.0.0.1:", Until::EndOfLine)
            .await?;
        let port = greeting
            .rsplit("ACCEPT ")
            .next()
            .and_then(|rest| rest.lines().next());
        let address = port.unwrap_or_default().trim().parse();
        Ok((
            program,
            address.with_context(|| format!("no address in `{greeting}`"))?,
        ))
    }

    /// Starts `openssl s_client` towards `address`, which must show a certificate of the lab's.
    pub(crate) fn client<S: AsRef<OsStr>>(
        lab: &Lab,
        address: SocketAddr,
        arguments: &[S],
    ) -> Result<Self> {
        lab.need_openssl()?;
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &address.to_string()]);
        command.args([
            "-servername",
            "localhost",
            "-verify_return_error",
            "-CAfile",
        ]);
        command.arg(&lab.authority.root_file);
        Self::start(command.args(arguments))
    }

    fn start(command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .context("cannot start openssl")?;
        let input = child.stdin.take();
        let (sender, output) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(collect(stdout, Arc::clone(&sender)));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, sender));
        }
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Waits until `text` was printed, and returns all the output so far.
    pub(crate) async fn wait_for(&mut self, text: &str, until: Until) -> Result<String> {
        let found = |output: &Vec<u8>| {
            let output = String::from_utf8_lossy(output);
            let rest = output.find(text).and_then(|start| output.get(start..));
            rest.is_some_and(|rest| until == Until::Seen || rest.contains('\n'))
        };
        let seen = matches!(
            timeout(PATIENCE, self.output.wait_for(found)).await,
            Ok(Ok(_))
        );
        if seen {
            return Ok(self.output());
        }
        bail!("openssl did not print `{text}` but `{}`", self.output())
    }

    /// Writes to the program's standard input.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let input = self
            .input
            .as_mut()
            .ok_or_else(|| anyhow!("its input is closed"))?;
        input
            .write_all(bytes)
            .await
            .context("openssl no longer reads")?;
        input.flush().await.context("openssl no longer reads")
    }

    /// Closes the program's standard input, which makes `s_client` end.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for the program to end by itself.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        Ok(status.map_err(|_| anyhow!("openssl does not end: `{}`", self.output()))??)
    }

    /// All that was printed so far, on both streams.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.borrow()).into_owned()
    }
}

/// How far to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The text is there.
    Seen,
    /// The text is there and so is the rest of its line.
    EndOfLine,
}

async fn collect(mut stream: impl AsyncRead + Unpin, output: Arc<watch::Sender<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let read = buffer.get(..length).unwrap_or_default();
        output.send_modify(|output| output.extend_from_slice(read));
    }
}
