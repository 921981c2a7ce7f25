//! What was agreed on beyond the draft.

use std::fmt;

use serde::Serialize;
use tcpls_tokio::{Features, Session, SessionParams};

/// Whether the server speaks the profile beyond the draft, and what it said about itself.
#[derive(Debug, Serialize)]
pub(super) struct Beyond {
    profile: Profile,
    /// What both sides can do.
    features: Vec<&'static str>,
    params: Option<Params>,
}

/// What a session follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    Draft,
    Extended,
}

/// What the server said in `tcpls_params`; `null` where it said nothing.
#[derive(Debug, Serialize)]
struct Params {
    max_idle_ms: Option<u32>,
    max_data: Option<u64>,
    max_stream_data: Option<u64>,
    max_streams: Option<u32>,
    max_uni_streams: Option<u32>,
    ack_records: Option<u16>,
    ack_delay_ms: Option<u16>,
    max_connections: Option<u16>,
    max_record: Option<u16>,
    keepalive_ms: Option<u32>,
    linger_s: Option<u32>,
}

/// The features by their names, in the order of their bits.
const NAMES: [(Features, &str); 8] = [
    (Features::FLOW_CONTROL, "flow_control"),
    (Features::STREAM_RESET, "stream_reset"),
    (Features::SESSION_CLOSE, "session_close"),
    (Features::TOKENS, "tokens"),
    (Features::IDLE, "idle"),
    (Features::CONNECTION_STATE, "connection_state"),
    (Features::PATH_PROBE, "path_probe"),
    (Features::UNIDIRECTIONAL, "unidirectional"),
];

impl Beyond {
    pub(super) fn new(session: &Session) -> Self {
        let params = session.peer_params();
        Self {
            profile: match params {
                Some(_) => Profile::Extended,
                None => Profile::Draft,
            },
            features: names(session.features()),
            params: params.as_ref().map(Params::new),
        }
    }
}

fn names(features: Features) -> Vec<&'static str> {
    NAMES
        .iter()
        .filter(|(feature, _)| features.contains(*feature))
        .map(|(_, name)| *name)
        .collect()
}

impl Params {
    fn new(params: &SessionParams) -> Self {
        Self {
            max_idle_ms: params.max_idle,
            max_data: params.max_data,
            max_stream_data: params.max_stream_data,
            max_streams: params.max_streams,
            max_uni_streams: params.max_uni_streams,
            ack_records: params.ack_records,
            ack_delay_ms: params.ack_delay,
            max_connections: params.max_connections,
            max_record: params.max_record,
            keepalive_ms: params.keepalive,
            linger_s: params.linger,
        }
    }

    /// Those that the server said, by name and with their values.
    fn said(&self) -> Vec<String> {
        let number = |name, value: Option<u64>| value.map(|value| format!("{name} {value}"));
        [
            number("max_idle_ms", self.max_idle_ms.map(u64::from)),
            number("max_data", self.max_data),
            number("max_stream_data", self.max_stream_data),
            number("max_streams", self.max_streams.map(u64::from)),
            number("max_uni_streams", self.max_uni_streams.map(u64::from)),
            number("ack_records", self.ack_records.map(u64::from)),
            number("ack_delay_ms", self.ack_delay_ms.map(u64::from)),
            number("max_connections", self.max_connections.map(u64::from)),
            number("max_record", self.max_record.map(u64::from)),
            number("keepalive_ms", self.keepalive_ms.map(u64::from)),
            number("linger_s", self.linger_s.map(u64::from)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.profile {
            Profile::Draft => return write!(f, "  profile       the draft alone"),
            Profile::Extended => writeln!(f, "  profile       extended")?,
        }
        writeln!(f, "  features      {}", listed(&self.features))?;
        let said = self.params.as_ref().map(Params::said).unwrap_or_default();
        write!(f, "  parameters    {}", listed(&said))
    }
}

fn listed(items: &[impl AsRef<str>]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_and_parameters_are_shown_by_name() {
        let features = Features::TOKENS.with(Features::UNIDIRECTIONAL);
        assert_eq!(names(features), ["tokens", "unidirectional"]);
        let beyond = Beyond {
            profile: Profile::Extended,
            features: names(features),
            params: Some(Params::new(&SessionParams {
                max_idle: Some(30_000),
                linger: Some(60),
                ..SessionParams::default()
            })),
        };
        let expected = "  profile       extended\n  features      tokens, unidirectional\n  \
            parameters    max_idle_ms 30000, linger_s 60";
        assert_eq!(beyond.to_string(), expected);
    }
}
