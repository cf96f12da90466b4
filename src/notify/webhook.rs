//! A message by POST, as JSON, signed as those to the tax department are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Url};
use serde::Serialize;
use uuid::Uuid;

use super::Undelivered;
use crate::clock;
use crate::config::WebhookSettings;
use crate::http::{self, HttpSettings, Signer};
use crate::store::messages::OutgoingMessage;

/// Shorter than the lease of an attempt, so that nobody takes a message over whose request still runs.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// What is sent: the same bytes however often.
#[derive(Serialize)]
struct Body<'a> {
    message_id: Uuid,
    /// Of an alert.
    alert_id: Option<i32>,
    /// Whose notice it is: an employer's code, or a division.
    #[serde(skip_serializing_if = "Option::is_none")]
    employer_uscc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a str>,
    kind: &'a str,
    event: &'a str,
    subject: &'a str,
    text: &'a str,
    text_zh: &'a str,
    created_at: String,
}

/// Sends it; taken is what is answered by 2xx. `now` is the time that the request is signed with.
pub(super) async fn send(
    settings: &WebhookSettings,
    message: &OutgoingMessage,
    now: DateTime<Utc>,
) -> Result<(), Undelivered> {
    let address = Url::parse(&settings.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let address = address.ok_or(Undelivered::Address)?;
    let signer = Signer::new(&settings.key_id, settings.key.clone(), settings.algorithm);
    let signer = signer.map_err(|_| Undelivered::KeyId)?;
    let client = http::client(&HttpSettings { total_timeout: Some(TOTAL_TIMEOUT), ..HttpSettings::default() })?;
    let body = serde_json::json!(Body {
        message_id: message.message_id,
        alert_id: message.alert_id,
        employer_uscc: message.employer_uscc.as_deref(),
        division: message.division.as_deref(),
        kind: &message.kind,
        event: &message.event,
        subject: &message.subject,
        text: &message.text,
        text_zh: &message.chinese,
        created_at: clock::rfc3339(message.created_at),
    })
    .to_string();
    let request = client
        .post(address.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", message.message_id.to_string())
        .body(body.clone());
    let request = signer.sign(request, &Method::POST, &address, body.as_bytes(), now);
    let answer = request.send().await.map_err(|error| Undelivered::Unreachable(error.without_url()))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(Undelivered::Status(status.as_u16())),
    }
}
