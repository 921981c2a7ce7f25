//! Paths that fail when they are told to: `TIME:path=N:rst|down`.

use std::future::pending;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::number::parse_seconds;

/// One failure that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Fault {
    /// Seconds from the start of the measurement.
    #[serde(rename = "at", serialize_with = "as_seconds")]
    pub(super) time: Duration,
    /// The Connection ID: 0 is the first connection, the others count on.
    pub(super) path: u32,
    pub(super) how: How,
}

/// How a path fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum How {
    /// The connection is aborted.
    Rst,
    /// Nothing arrives on it any more.
    Down,
}

impl How {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rst => "rst",
            Self::Down => "down",
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected TIME:path=N:rst or TIME:path=N:down".to_owned();
        let mut parts = text.split(':');
        let (Some(time), Some(path), Some(how), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(expected());
        };
        let path = path.strip_prefix("path=").ok_or_else(expected)?;
        let path = path.parse().ok().filter(|path| *path <= LAST_PATH);
        Ok(Self {
            time: parse_seconds(time.strip_suffix('s').unwrap_or(time))?,
            path: path.ok_or_else(|| format!("paths count from 0 to {LAST_PATH}"))?,
            how: match how {
                "rst" => How::Rst,
                "down" => How::Down,
                _ => return Err(format!("a path fails by 'rst' or 'down', not by '{how}'")),
            },
        })
    }
}

/// The highest Connection ID (draft 4.2.1).
const LAST_PATH: u32 = 255;

/// The failures that are still to come.
#[derive(Debug)]
pub(super) struct Faults {
    start: Instant,
    /// The next one last.
    left: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(wanted: &[Fault], start: Instant) -> Self {
        let mut left = wanted.to_vec();
        left.sort_by_key(|fault| std::cmp::Reverse(fault.time));
        Self { start, left }
    }

    /// Waits for the next one to be due. Cancel safe.
    pub(super) async fn due(&mut self) -> Fault {
        let Some(next) = self.left.last().copied() else {
            return pending().await;
        };
        sleep_until(self.start + next.time).await;
        self.left.pop();
        next
    }
}

fn as_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_time_a_path_and_a_way() {
        let fault = Fault {
            time: Duration::from_millis(1500),
            path: 1,
            how: How::Down,
        };
        assert_eq!("1.5:path=1:down".parse(), Ok(fault));
        let fault = Fault {
            time: Duration::from_secs(2),
            path: 0,
            how: How::Rst,
        };
        assert_eq!("2s:path=0:rst".parse(), Ok(fault));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_its_part() {
        for (text, problem) in [
            ("", "expected TIME"),
            ("1:path=1", "expected TIME"),
            ("1:path=1:rst:2", "expected TIME"),
            ("1:1:rst", "expected TIME"),
            ("soon:path=1:rst", "expected a number of seconds"),
            ("1:path=x:rst", "paths count from 0 to 255"),
            ("1:path=256:rst", "paths count from 0 to 255"),
            (
                "1:path=1:fin",
                "a path fails by 'rst' or 'down', not by 'fin'",
            ),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn faults_come_in_the_order_of_their_times() {
        let start = Instant::now();
        let fault = |text: &str| text.parse::<Fault>().unwrap();
        let wanted = [fault("2:path=1:rst"), fault("1:path=0:down")];
        let mut faults = Faults::new(&wanted, start);
        for (expected, seconds) in [(wanted[1], 1), (wanted[0], 2)] {
            assert_eq!(faults.due().await, expected);
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }
}
