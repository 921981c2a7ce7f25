//! What the two ends tell each other about sessions that rest.
//!
//! On a session with [`Purpose::Rest`] the server answers [`Reply::Ready`](super::super::control::Reply)
//! and finishes the stream. With [`Purpose::Watch`] it goes on: each [`Look`] is answered with
//! [`Figures`], until the client finishes the stream.

use serde::{Deserialize, Serialize};

use super::super::control::{Request, VERSION};

/// What a client may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(in super::super) enum Asked {
    Load(Request),
    Idle(RestRequest),
}

/// What a session of `tcpls perf idle` begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct RestRequest {
    pub(super) version: u32,
    pub(super) idle: Purpose,
}

/// What the session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// To be there.
    Rest,
    /// To ask what the server uses.
    Watch,
}

/// Asks for [`Figures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Look {
    Now,
}

/// What a process used so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Sessions that rest at this server.
    pub(super) resting: u32,
    /// Bytes of memory that are the process's own; `None` where the system does not tell.
    pub(super) memory: Option<u64>,
    /// CPU time of the process, in seconds; `None` where the system does not tell.
    pub(super) cpu_seconds: Option<f64>,
}

impl RestRequest {
    /// Whether this server knows what is asked for.
    pub(super) fn check(self) -> Result<(), String> {
        if self.version == VERSION {
            return Ok(());
        }
        Err(format!(
            "this server speaks version {VERSION}, not {}",
            self.version
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_both_kinds_are_told_apart() {
        let rest = RestRequest {
            version: VERSION,
            idle: Purpose::Rest,
        };
        let line = serde_json::to_string(&rest).unwrap();
        assert_eq!(line, r#"{"version":1,"idle":"rest"}"#);
        assert_eq!(
            serde_json::from_str::<Asked>(&line).unwrap(),
            Asked::Idle(rest)
        );
        let load = r#"{"version":1,"direction":"both","streams":1,"length":1,
            "amount":{"bytes":1},"progress":false}"#;
        assert!(matches!(
            serde_json::from_str(load).unwrap(),
            Asked::Load(_)
        ));
        assert!(serde_json::from_str::<Asked>("{}").is_err());
    }

    #[test]
    fn other_versions_are_refused() {
        let other = RestRequest {
            version: 2,
            idle: Purpose::Watch,
        };
        assert!(other.check().unwrap_err().contains("not 2"));
    }
}
