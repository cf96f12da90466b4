//! How events reach the programs that subscribed to them: `[events]`.

use serde::Deserialize;

use super::error::ConfigError;
use super::picked::{Shown, Sources, Wanted};

/// How events reach the programs that subscribed to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSettings {
    /// Receivers may be on this machine, without encryption: for tests and the sandbox.
    pub allow_loopback: bool,
}

/// `[events]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EventsFile {
    allow_loopback: Option<bool>,
}

impl EventSettings {
    pub(super) fn pick(sources: &Sources<'_>, file: &EventsFile) -> Result<Self, ConfigError> {
        let allow_loopback = sources.pick_read(
            &Wanted {
                key: "events.allow_loopback",
                variable: Some("RENZHENG_EVENTS_ALLOW_LOOPBACK"),
                shown: Shown::Plain,
                default: Some("false"),
            },
            file.allow_loopback.map(|allow| allow.to_string()),
            |text| text.parse().ok(),
            "`true`, `false`",
        )?;
        Ok(Self { allow_loopback: allow_loopback.unwrap_or(false) })
    }
}
