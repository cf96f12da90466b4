//! What alarms, and who is told of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::duration::Span;
use super::environment::Secret;
use super::error::ConfigError;
use super::picked::{Shown, Sources, Wanted};
use super::remind::{RemindFile, RemindSettings};
use crate::crypto::SignatureAlgorithm;

/// What alarms, and who is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertSettings {
    /// A message to the tax department that waits for its answer for longer than this alarms.
    pub receipt_after: Span,
    /// A larger share of refused records among those of a source alarms.
    pub quarantine_ratio: f64,
    /// By name.
    pub webhooks: BTreeMap<String, WebhookSettings>,
    /// By name.
    pub mails: BTreeMap<String, MailSettings>,
    pub remind: RemindSettings,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            receipt_after: Span::of_seconds(3 * 86_400),
            quarantine_ratio: 0.05,
            webhooks: BTreeMap::new(),
            mails: BTreeMap::new(),
            remind: RemindSettings::default(),
        }
    }
}

/// An address that takes messages by POST, signed as those to the tax department are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    pub url: String,
    /// Under which name it knows our key.
    pub key_id: String,
    pub key: Secret,
    pub algorithm: SignatureAlgorithm,
}

/// Mailboxes, and the server that takes mail for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSettings {
    /// `smtps://user:password@host`, or `smtp://…?tls=required` for STARTTLS; without either nothing is encrypted.
    pub server: Secret,
    pub from: String,
    pub to: Vec<String>,
}

/// `[alerts]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AlertsFile {
    receipt_after: Option<String>,
    quarantine_ratio: Option<f64>,
    webhook: BTreeMap<String, WebhookFile>,
    mail: BTreeMap<String, MailFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WebhookFile {
    url: Option<String>,
    key_id: Option<String>,
    key: Option<String>,
    algorithm: Option<SignatureAlgorithm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MailFile {
    server: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// The targets that variables name.
const WEBHOOK: &str = "webhook";
const MAIL: &str = "mail";

impl AlertSettings {
    pub(super) fn pick(sources: &Sources<'_>, mut file: AlertsFile, remind: RemindFile) -> Result<Self, ConfigError> {
        let defaults = Self::default();
        let receipt_after = sources.pick_read(
            &Wanted {
                key: "alerts.receipt_after",
                variable: Some("RENZHENG_ALERTS_RECEIPT_AFTER"),
                shown: Shown::Plain,
                default: Some("3d"),
            },
            file.receipt_after,
            |text| Span::parse(text).ok(),
            "the spans of time such as `12h` or `3d`",
        )?;
        let quarantine_ratio = sources.pick_read(
            &Wanted {
                key: "alerts.quarantine_ratio",
                variable: Some("RENZHENG_ALERTS_QUARANTINE_RATIO"),
                shown: Shown::Plain,
                default: Some("0.05"),
            },
            file.quarantine_ratio.map(|ratio| ratio.to_string()),
            |text| text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)),
            "the ratios from 0 to 1",
        )?;
        // a variable can make a target that the file does not name
        file.webhook.entry(WEBHOOK.to_owned()).or_default();
        file.mail.entry(MAIL.to_owned()).or_default();
        let (mut webhooks, mut mails) = (BTreeMap::new(), BTreeMap::new());
        for (name, target) in file.webhook {
            if let Some(webhook) = pick_webhook(sources, &name, target)? {
                webhooks.insert(name, webhook);
            }
        }
        for (name, target) in file.mail {
            if let Some(mail) = pick_mail(sources, &name, target)? {
                mails.insert(name, mail);
            }
        }
        let named = webhooks.keys().map(|name| format!("webhook:{name}"));
        let targets: Vec<String> = named.chain(mails.keys().map(|name| format!("mail:{name}"))).collect();
        let remind = RemindSettings::pick(sources, remind, &targets)?;
        Ok(Self {
            remind,
            receipt_after: receipt_after.unwrap_or(defaults.receipt_after),
            quarantine_ratio: quarantine_ratio.unwrap_or(defaults.quarantine_ratio),
            webhooks,
            mails,
        })
    }
}

fn pick_webhook(sources: &Sources<'_>, name: &str, file: WebhookFile) -> Result<Option<WebhookSettings>, ConfigError> {
    let table = format!("alerts.webhook.{name}");
    let by_variable = |variable| (name == WEBHOOK).then_some(variable);
    let pick = |key: &str, variable, shown, default, in_file| {
        let key = format!("{table}.{key}");
        sources.pick(&Wanted { key: &key, variable: by_variable(variable), shown, default }, None, in_file)
    };
    let url = pick("url", "RENZHENG_WEBHOOK_URL", Shown::Place, None, file.url)?;
    let key_id = pick("key_id", "RENZHENG_WEBHOOK_KEY_ID", Shown::Plain, None, file.key_id)?;
    let key = pick("key", "RENZHENG_WEBHOOK_KEY", Shown::Secret, None, file.key)?;
    let algorithm = sources.pick_read(
        &Wanted {
            key: &format!("{table}.algorithm"),
            variable: by_variable("RENZHENG_WEBHOOK_ALGORITHM"),
            shown: Shown::Plain,
            default: Some("hmac-sm3"),
        },
        file.algorithm.map(|algorithm| algorithm.to_string()),
        |word| word.parse().ok(),
        "`hmac-sm3`, `hmac-sha256`",
    )?;
    match (url, key_id, key) {
        (None, None, None) => Ok(None),
        (Some(url), Some(key_id), Some(key)) => Ok(Some(WebhookSettings {
            url,
            key_id,
            key: Secret::new(key),
            algorithm: algorithm.unwrap_or(SignatureAlgorithm::HmacSm3),
        })),
        _ => Err(sources.error_at(&table, "a webhook needs all of `url`, `key_id` and `key`, or none")),
    }
}

fn pick_mail(sources: &Sources<'_>, name: &str, file: MailFile) -> Result<Option<MailSettings>, ConfigError> {
    let table = format!("alerts.mail.{name}");
    let pick = |key: &str, variable, shown, in_file| {
        let key = format!("{table}.{key}");
        let variable = (name == MAIL).then_some(variable);
        sources.pick(&Wanted { key: &key, variable, shown, default: None }, None, in_file)
    };
    let server = pick("server", "RENZHENG_MAIL_SERVER", Shown::Url, file.server)?;
    let from = pick("from", "RENZHENG_MAIL_FROM", Shown::Plain, file.from)?;
    let in_file = Some(file.to.join(",")).filter(|to| !to.is_empty());
    let to: Vec<String> = pick("to", "RENZHENG_MAIL_TO", Shown::Plain, in_file)?
        .map(|to| {
            to.split(',').map(|address| address.trim().to_owned()).filter(|address| !address.is_empty()).collect()
        })
        .unwrap_or_default();
    match (server, from, to) {
        (None, None, to) if to.is_empty() => Ok(None),
        (Some(server), Some(from), to) if !to.is_empty() => {
            Ok(Some(MailSettings { server: Secret::new(server), from, to }))
        }
        _ => Err(sources.error_at(&table, "mail needs all of `server`, `from` and `to`, or none")),
    }
}
