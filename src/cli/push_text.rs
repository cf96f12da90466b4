//! The outbox in words: how it stands, and one message with everything that is known of it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::table::table;
use crate::clock::rfc3339;
use crate::domain::message::Rejection;
use crate::domain::rejection::{Meaning, meaning};
use crate::store::outbox::AttemptLine;
use crate::store::outbox_lines::{OutboxBody, OutboxFigure, OutboxLine};
use crate::store::push_holds::Hold;

/// How the outbox stands.
#[derive(Serialize)]
pub(super) struct Standing {
    pub(super) figures: Vec<OutboxFigure>,
    pub(super) holds: Vec<Hold>,
}

/// The department's reason, and what it means.
#[derive(Serialize)]
pub(super) struct Explained {
    #[serde(flatten)]
    rejection: Rejection,
    meaning: Meaning,
}

/// A message with everything that is known of it.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    line: OutboxLine,
    idempotency_key: String,
    /// Byte for byte what leaves.
    body: String,
    /// SHA-256 of the body, in hexadecimal.
    digest: String,
    explained: Option<Explained>,
    log: Vec<ShownAttempt>,
}

#[derive(Serialize)]
struct ShownAttempt {
    number: i32,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    status: Option<i32>,
    error: Option<String>,
    /// As it came; what is no UTF-8 is shown as U+FFFD.
    answer: Option<String>,
}

impl Shown {
    pub(super) fn new(line: OutboxLine, body: OutboxBody, attempts: Vec<AttemptLine>) -> Self {
        let explained = line.rejection.clone().and_then(|rejection| explained(&rejection));
        let log = attempts.into_iter().map(|attempt| ShownAttempt {
            number: attempt.number,
            opened_at: attempt.opened_at,
            closed_at: attempt.closed_at,
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer.map(|answer| String::from_utf8_lossy(&answer).into_owned()),
        });
        Self {
            explained,
            idempotency_key: body.idempotency_key,
            body: String::from_utf8_lossy(&body.body).into_owned(),
            digest: hex::encode(&body.digest),
            log: log.collect(),
            line,
        }
    }
}

fn explained(rejection: &serde_json::Value) -> Option<Explained> {
    let rejection: Rejection = serde_json::from_value(rejection.clone()).ok()?;
    let meaning = meaning(&rejection.code);
    Some(Explained { rejection, meaning })
}

/// A rejection in lines: the department's words, what they mean in both languages, who does what.
pub(super) fn rejection_lines(rejection: &Rejection) -> Vec<String> {
    let Rejection { code, field, value, text } = rejection;
    let of_field = field.as_ref().map(|field| {
        let value = value.as_ref().map(|value| format!(" = {}", printable(value))).unwrap_or_default();
        format!(" ({}{value})", printable(field))
    });
    let Meaning { english, chinese, acts, remedy } = meaning(code);
    vec![
        format!("rejected: {} {}{}", printable(code), printable(text), of_field.unwrap_or_default()),
        format!("  means: {english}; {chinese}"),
        format!("  acts: {} ({}): {remedy}", acts.english(), acts.chinese()),
    ]
}

/// What a peer sent, without anything that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '\u{FFFD}' } else { sign }).collect()
}

pub(super) fn standing_text(standing: &Standing) -> String {
    let Standing { figures, holds } = standing;
    if figures.is_empty() && holds.is_empty() {
        return "there are no messages".to_owned();
    }
    let mut lines: Vec<String> = figures
        .iter()
        .map(|figure| {
            let whose = figure.oldest_uscc.as_ref().map(|uscc| format!(" of {uscc}")).unwrap_or_default();
            let year = figure.oldest_year.map(|year| format!(" {year}")).unwrap_or_default();
            let error =
                figure.last_error.as_ref().map(|error| format!("; its last attempt: {error}")).unwrap_or_default();
            format!(
                "{}: {}, the oldest{whose}{year} since {}{error}",
                figure.state,
                figure.messages,
                rfc3339(figure.oldest_at)
            )
        })
        .collect();
    lines.extend(holds.iter().map(hold_text));
    lines.join("\n")
}

fn hold_text(hold: &Hold) -> String {
    let what = match (&hold.uscc, hold.year) {
        (Some(uscc), Some(year)) => format!("{uscc} {year}"),
        _ => "everything".to_owned(),
    };
    let until = hold.until.map(|until| format!(" until {}", rfc3339(until))).unwrap_or_default();
    format!("held: {what} since {}{until} by {}: {}", rfc3339(hold.held_at), hold.held_by, hold.why)
}

pub(super) fn lines_text(lines: &[OutboxLine]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.message_id.to_string(),
                line.uscc.clone(),
                line.year.to_string(),
                line.version.to_string(),
                line.kind.clone(),
                state_text(line),
                line.attempts.to_string(),
                rfc3339(line.created_at),
                line.receipt.clone().unwrap_or_default(),
                line.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header =
        ["message", "employer", "year", "version", "kind", "state", "attempts", "created", "receipt", "last error"];
    table(&header, &rows, &[2, 3, 6])
}

/// The state, and what else is to be known of it.
fn state_text(line: &OutboxLine) -> String {
    let mut text = line.state.clone();
    for (is_so, word) in [
        (line.held, ", held"),
        (line.checking.as_deref() == Some("ask"), ", asked again"),
        (line.checking.as_deref() == Some("send"), ", sent again"),
        (line.contradicted.is_some(), ", contradicted"),
    ] {
        if is_so {
            text.push_str(word);
        }
    }
    text
}

pub(super) fn message_text(shown: &Shown) -> String {
    let Shown { line, idempotency_key, body, digest, explained, log } = shown;
    let mut lines = vec![
        format!("message {}: {}", line.message_id, state_text(line)),
        format!("{} {} version {} {}, issue {}", line.uscc, line.year, line.version, line.kind, line.issue),
        format!("created {}", rfc3339(line.created_at)),
    ];
    if matches!(line.state.as_str(), "waiting" | "sent" | "unknown") || line.checking.is_some() {
        lines.push(format!("due {}", rfc3339(line.next_attempt_at)));
    }
    lines.extend(line.receipt.as_ref().map(|receipt| format!("receipt {receipt}")));
    if let Some(explained) = explained {
        lines.extend(rejection_lines(&explained.rejection));
    }
    lines.extend(line.contradicted.as_ref().map(|said| format!("the department said later: {said}")));
    lines.extend([format!("key {idempotency_key}"), format!("sha-256 {digest}"), body.clone()]);
    for attempt in log {
        let ended = match (attempt.closed_at, attempt.status) {
            (None, _) => "not closed".to_owned(),
            (Some(at), None) => format!("no answer, {}", rfc3339(at)),
            (Some(at), Some(status)) => format!("{status}, {}", rfc3339(at)),
        };
        let error = attempt.error.as_ref().map(|error| format!("; {error}")).unwrap_or_default();
        lines.push(format!("attempt {} of {}: {ended}{error}", attempt.number, rfc3339(attempt.opened_at)));
        let answer = attempt.answer.as_deref().filter(|answer| !answer.is_empty());
        lines.extend(answer.map(|answer| format!("    {}", printable(answer))));
    }
    lines.join("\n")
}

/// What an operator did.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) did: &'static str,
    /// `everything`, an employer with its year, or a message.
    pub(super) what: String,
    /// False: it was so already.
    pub(super) changed: bool,
    /// Messages that are due now, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) messages: Option<u64>,
}
