//! Who hears of declarations that are not finished, and when what is agreed is completed: `[remind]`.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use serde::Deserialize;

use super::error::ConfigError;
use super::picked::{Shown, Sources, Wanted};

/// Who is reminded, and when what is agreed is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemindSettings {
    /// Targets of the alerts' settings that hear of employers' reminders, as `webhook:NAME` or `mail:NAME`; they hear of no alerts.
    pub employers: Vec<String>,
    /// The same for staff, by the beginning of the division in charge; they hear of alerts too.
    pub staff: BTreeMap<String, Vec<String>>,
    /// From when on the last day a consent is carried out, by Shanghai's clocks.
    pub consent_at: NaiveTime,
}

impl Default for RemindSettings {
    fn default() -> Self {
        let consent_at = NaiveTime::from_hms_opt(18, 0, 0).unwrap_or_default();
        Self { employers: Vec::new(), staff: BTreeMap::new(), consent_at }
    }
}

/// `[remind]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RemindFile {
    employers: Vec<String>,
    staff: BTreeMap<String, Vec<String>>,
    consent_at: Option<String>,
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn joined(list: &[String]) -> Option<String> {
    Some(list.join(",")).filter(|text| !text.is_empty())
}

impl RemindSettings {
    /// `targets`: the names that there are.
    pub(super) fn pick(sources: &Sources<'_>, file: RemindFile, targets: &[String]) -> Result<Self, ConfigError> {
        let defaults = Self::default();
        let known = |key: &str, list: &[String]| match list.iter().find(|name| !targets.contains(name)) {
            None => Ok(()),
            Some(unknown) => {
                let there = if targets.is_empty() { "none are set".to_owned() } else { targets.join(", ") };
                let what = format!(
                    "`{unknown}` is no target of [alerts]: accepted are `webhook:NAME` and `mail:NAME` that are set there; {there}"
                );
                Err(sources.error_at(key, what))
            }
        };
        let wanted = |key, variable| Wanted { key, variable: Some(variable), shown: Shown::Plain, default: None };
        let employers = wanted("remind.employers", "RENZHENG_REMIND_EMPLOYERS");
        let employers =
            sources.pick(&employers, None, joined(&file.employers))?.map(|text| listed(&text)).unwrap_or_default();
        known("remind.employers", &employers)?;
        let mut staff = BTreeMap::new();
        for (division, list) in file.staff {
            let key = format!("remind.staff.{division}");
            let digits = division.bytes().all(|byte| byte.is_ascii_digit());
            if !digits || !matches!(division.len(), 2 | 4 | 6) {
                return Err(sources
                    .error_at(&key, "is not the two, four or six first digits of a division code, such as `3601`"));
            }
            let wanted = Wanted { key: &key, variable: None, shown: Shown::Plain, default: None };
            let list = sources.pick(&wanted, None, joined(&list))?.map(|text| listed(&text)).unwrap_or_default();
            known(&key, &list)?;
            staff.insert(division, list);
        }
        let consent_at = sources.pick_read(
            &Wanted {
                key: "remind.consent_at",
                variable: Some("RENZHENG_REMIND_CONSENT_AT"),
                shown: Shown::Plain,
                default: Some("18:00"),
            },
            file.consent_at,
            |text| NaiveTime::parse_from_str(text, "%H:%M").ok(),
            "the times of day such as `18:00`",
        )?;
        Ok(Self { employers, staff, consent_at: consent_at.unwrap_or(defaults.consent_at) })
    }
}
