//! Runs the program, with a limit on how long it may take.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than anything here takes on a slow machine; only a hang meets it.
const LIMIT: Duration = Duration::from_secs(300);

/// The first of some results in which something shows, or the last of them: where the machine does something
/// else meanwhile, it need not show in the shortest time.
pub(crate) fn sooner_or_later<T>(
    mut results: impl Iterator<Item = T>,
    shows: impl Fn(&T) -> bool,
) -> T {
    let mut last = results.next().unwrap();
    while !shows(&last) {
        match results.next() {
            Some(next) => last = next,
            None => break,
        }
    }
    last
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn stdout_text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The only line on standard output, as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let text = self.stdout_text();
        assert_eq!(text.lines().count(), 1, "{self:?}");
        serde_json::from_str(text).unwrap()
    }
}

/// A run that is going on. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: mpsc::Receiver<Vec<u8>>,
    stderr: mpsc::Receiver<Vec<u8>>,
    first_line: Option<mpsc::Receiver<String>>,
}

impl Running {
    /// Starts the program with its standard output kept until the end.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = spawn(args);
        let stdout = collect(child.stdout.take().unwrap());
        Self::of(child, stdout, None)
    }

    /// Starts the program; [`first_line`](Self::first_line) then waits for what it says first.
    pub(crate) fn start_speaking(args: &[&str]) -> Self {
        let mut child = spawn(args);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (line_sender, line) = mpsc::channel();
        let (sender, stdout) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line_sender.send(line.clone()).ok();
            let mut all = line.into_bytes();
            output.read_to_end(&mut all).ok();
            sender.send(all).ok();
        });
        Self::of(child, stdout, Some(line))
    }

    fn of(
        mut child: Child,
        stdout: mpsc::Receiver<Vec<u8>>,
        first_line: Option<mpsc::Receiver<String>>,
    ) -> Self {
        let stderr = collect(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            stdout,
            stderr,
            first_line,
        }
    }

    pub(crate) fn first_line(&mut self) -> String {
        self.first_line
            .take()
            .unwrap()
            .recv_timeout(LIMIT)
            .expect("no first line")
    }

    pub(crate) fn write(&mut self, input: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(input).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Asks the program to end, as an init system does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let process = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(process).unwrap(), Signal::TERM).unwrap();
    }

    /// Ends its input, waits for it to end, and kills it if it does not.
    pub(crate) fn finish(mut self) -> Finished {
        drop(self.stdin.take());
        self.wait()
    }

    /// Waits for it to end although its input stays open.
    pub(crate) fn wait(mut self) -> Finished {
        let outputs = (
            self.stdout.recv_timeout(LIMIT),
            self.stderr.recv_timeout(LIMIT),
        );
        let (Ok(stdout), Ok(stderr)) = outputs else {
            panic!("the program hangs");
        };
        let code = self.child.wait().unwrap().code();
        Finished {
            code,
            stdout,
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs the program to its end without input.
pub(crate) fn run(args: &[&str]) -> Finished {
    Running::start(args).finish()
}

/// A server of the program, with the certificate that it made.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) address: String,
    certificate: Scratch,
}

impl Server {
    /// Starts `tcpls COMMAND --listen ... ARGS`. `name` is the test's own.
    pub(crate) fn start(command: &[&str], name: &str, args: &[&str]) -> Self {
        let certificate = scratch(&format!("{name}.pem"));
        let listen = [
            "--listen",
            "127.0.0.1:0",
            "--self-signed",
            certificate.to_str().unwrap(),
        ];
        let mut running = Running::start_speaking(&[command, &listen, args].concat());
        let line = running.first_line();
        let address = line
            .trim()
            .strip_prefix("listening ")
            .expect("no address")
            .to_owned();
        Self {
            running,
            address,
            certificate,
        }
    }

    pub(crate) fn ca(&self) -> &str {
        self.certificate.to_str().unwrap()
    }
}

/// A file in the tests' own directory, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// A file whose name has this in it and is this run's alone.
pub(crate) fn scratch(name: &str) -> Scratch {
    let name = format!("{}-{name}", std::process::id());
    Scratch(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been written.
        std::fs::remove_file(&self.0).ok();
    }
}

fn spawn(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tcpls"))
        .args(args)
        .env_remove("RUST_LOG")
        .env_remove("SSLKEYLOGFILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads to the end on a thread, so that the program never waits for its reader.
fn collect(mut source: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        source.read_to_end(&mut all).ok();
        sender.send(all).ok();
    });
    receiver
}
