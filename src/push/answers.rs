//! Answers that the tax department gives by itself, as a list or a file: each held against its own message, one bad answer spoiling no other.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::answer::{self, NotUnderstood};
use super::feed::{FeedError, division_of};
use crate::domain::access::{Action, Actor};
use crate::domain::facts::words;
use crate::store::answers::{AnswerDelivery, Asked};
use crate::store::audit::Act;
use crate::store::feed::Way;
use crate::store::outbox::{Answered, AttemptRecord, Closing, Outgoing};
use crate::store::{Store, StoreError};

words! {
    /// What became of one answer.
    Taken {
        Accepted = "accepted",
        Rejected = "rejected",
        Later = "later",
        /// The same was answered before; nothing changed.
        Repeated = "repeated",
        /// Kept as it came; its message stands as it stood, or is unclear.
        Refused = "refused",
    }
}

/// What became of one answer, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AnswerOutcome")]
pub struct Outcome {
    /// From 1: of a file its line, of a list the place in it.
    pub line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Uuid>,
    pub result: Taken,
    /// Why it was refused: for programs, and for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Outcome {
    /// Whether it is about a message that was not known here or had not left: it may be taken another time.
    pub fn is_early(&self) -> bool {
        self.code.is_some_and(|code| code == UNKNOWN_MESSAGE || code == NOT_SENT)
    }

    fn refused(line: usize, message_id: Option<Uuid>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { line, message_id, result: Taken::Refused, code: Some(code), detail: Some(detail.into()) }
    }
}

/// One answer as it came.
#[derive(Clone, Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// JSON, or why there is none.
    pub answer: Result<Vec<u8>, String>,
}

/// A delivery of answers.
#[derive(Clone, Debug)]
pub struct Delivered<'a> {
    pub way: Way,
    /// As it came.
    pub body: &'a [u8],
    pub lines: Vec<Line>,
    /// Taken before: of it these lines are left, about messages that were not known then or had not left.
    pub again: bool,
}

/// A department that decides later is not asked again before.
const LATER: TimeDelta = TimeDelta::hours(1);

/// So many answers are stored at a time.
const AT_ONCE: usize = 200;

/// So many refusals of a delivery are kept with it; all of them are told to whoever brought it.
const MOST_KEPT: usize = 1000;

/// No such message here.
const UNKNOWN_MESSAGE: &str = "unknown_message";
/// There is one, and it never left.
const NOT_SENT: &str = "not_sent";

/// Takes every answer that is one, reports the others, and keeps the delivery as it came. Taking the news into the declarations is not
/// done here. Done twice it changes nothing.
pub async fn take_answers(store: &Store, actor: &Actor, delivered: &Delivered<'_>) -> Result<Vec<Outcome>, FeedError> {
    actor.may_at_all(Action::AnswerTaxFeed)?;
    let division = division_of(actor)?;
    let at = store.now().await?;
    let mut outcomes = Vec::with_capacity(delivered.lines.len());
    let mut lines = &delivered.lines[..];
    while !lines.is_empty() {
        let (together, rest) = lines.split_at(several(lines));
        lines = rest;
        outcomes.extend(take(store, delivered.way, division, together, at).await?);
    }
    if delivered.again && outcomes.iter().all(Outcome::is_early) {
        // nothing changed since it was taken before
        return Ok(outcomes);
    }
    let refused: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.result == Taken::Refused).collect();
    let early: Vec<i32> = refused
        .iter()
        .filter(|outcome| outcome.is_early())
        .filter_map(|outcome| outcome.line.try_into().ok())
        .collect();
    let digest: [u8; 32] = Sha256::digest(delivered.body).into();
    let told = serde_json::to_value(&refused[..refused.len().min(MOST_KEPT)]).unwrap_or_default();
    let (way, body, answers) = (delivered.way, delivered.body, outcomes.len());
    let delivery = AnswerDelivery { way, division, digest, body, answers, refused: told, early: &early };
    let mut change = store.change().await?;
    change.keep_answer_delivery(store.keys(), &delivery, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::AnswerTaxFeed, "tax answers").with("way", delivered.way.as_str());
    let act = act.with("answers", outcomes.len()).with("refused", refused.len());
    change.record(&act.with("digest", hex::encode(digest))).await?;
    change.commit().await?;
    Ok(outcomes)
}

/// The number that an answer names, if it is JSON that names one.
fn message_id(line: &Line) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct About {
        message_id: Uuid,
    }
    let about: About = serde_json::from_slice(line.answer.as_ref().ok()?).ok()?;
    Some(about.message_id)
}

/// How many of the next answers can be taken together: each is about another message.
fn several(lines: &[Line]) -> usize {
    let mut seen = HashSet::new();
    let fresh = |line: &&Line| message_id(line).is_none_or(|message_id| seen.insert(message_id));
    lines.iter().take(AT_ONCE).take_while(fresh).count()
}

/// Answers about different messages, judged and stored under the messages' locks: of two that come at once one is the first.
async fn take(
    store: &Store,
    way: Way,
    division: &str,
    lines: &[Line],
    at: DateTime<Utc>,
) -> Result<Vec<Outcome>, StoreError> {
    let ids: Vec<Uuid> = lines.iter().filter_map(message_id).collect();
    let mut change = store.change().await?;
    let mut asked = change.lock_asked(&ids).await?;
    // another department's message is as little known as one that there never was
    asked.retain(|_, message| message.division.starts_with(division));
    let mut outcomes = Vec::with_capacity(lines.len());
    let mut closings: Vec<(Uuid, AttemptRecord, Answered)> = Vec::new();
    for line in lines {
        let (outcome, to_store) = judge(line, &asked);
        outcomes.push(outcome);
        closings.extend(to_store);
    }
    let answered: Vec<Uuid> = closings.iter().map(|(message_id, ..)| *message_id).collect();
    if answered.is_empty() {
        change.abandon().await?;
        return Ok(outcomes);
    }
    let numbers = change.open_answered(&answered, way, at).await?;
    let closings: Vec<Closing> = closings
        .into_iter()
        .filter_map(|(message_id, record, answered)| {
            let attempt_number = *numbers.get(&message_id)?;
            Some(Closing { message_id, attempt_number, record, answered, again_at: at + LATER })
        })
        .collect();
    change.close_attempts(&closings, at).await?;
    change.commit().await?;
    Ok(outcomes)
}

/// What an answer means, and what of it is stored with its message.
fn judge(line: &Line, asked: &HashMap<Uuid, Asked>) -> (Outcome, Option<(Uuid, AttemptRecord, Answered)>) {
    let number = line.number;
    let refuse = |message_id, code, detail: &str| (Outcome::refused(number, message_id, code, detail), None);
    let body = match &line.answer {
        Ok(body) => body,
        Err(why) => return refuse(None, "not_understood", why),
    };
    let Some(message_id) = message_id(line) else {
        return refuse(None, "not_understood", "no answer as agreed, or one that names no message by its `message_id`");
    };
    let Some(message) = asked.get(&message_id) else {
        return refuse(Some(message_id), UNKNOWN_MESSAGE, "there is no such message here");
    };
    if !message.left {
        return refuse(Some(message_id), NOT_SENT, "the message never left, so that nobody can answer it");
    }
    let outgoing = Outgoing {
        message_id,
        idempotency_key: message.idempotency_key.clone(),
        body: Vec::new(),
        digest: message.digest.clone(),
        attempt_number: 0,
        ask_first: false,
    };
    let record = |error: Option<String>| AttemptRecord { status: None, answer: Some(body.clone()), error };
    let took = |result| Outcome { line: number, message_id: Some(message_id), result, code: None, detail: None };
    let answered = match answer::read(&outgoing, body) {
        Ok(answered) => answered,
        Err(error) => {
            let outcome = Outcome::refused(number, Some(message_id), code_of(error), error.to_string());
            return (outcome, Some((message_id, record(Some(error.to_string())), Answered::Unknown)));
        }
    };
    match against(message, &answered) {
        Before::Open => {
            let result = match answered {
                Answered::Accepted { .. } => Taken::Accepted,
                Answered::Rejected { .. } => Taken::Rejected,
                Answered::Later | Answered::Forgotten | Answered::Unknown => Taken::Later,
            };
            (took(result), Some((message_id, record(None), answered)))
        }
        // it stands by what it said first
        Before::Same if message.contradicted && !matches!(answered, Answered::Later) => {
            (took(Taken::Repeated), Some((message_id, record(None), answered)))
        }
        Before::Same => (took(Taken::Repeated), None),
        Before::Other => {
            let detail = format!("the message was {} before, and stays so", message.state);
            let outcome = Outcome::refused(number, Some(message_id), "contradicts", detail);
            (outcome, Some((message_id, record(Some("contradicts the answer before".to_owned())), answered)))
        }
    }
}

/// What was answered before.
enum Before {
    /// Nothing for good.
    Open,
    /// This, or something that came after this.
    Same,
    Other,
}

fn against(message: &Asked, answered: &Answered) -> Before {
    match (message.state.as_str(), answered) {
        // what was not decided when this was written is decided now
        ("accepted" | "rejected", Answered::Later | Answered::Forgotten | Answered::Unknown) => Before::Same,
        ("accepted", Answered::Accepted { receipt }) if message.receipt.as_ref() == Some(receipt) => Before::Same,
        ("rejected", Answered::Rejected { answer }) if message.answer.as_ref() == Some(answer) => Before::Same,
        ("accepted" | "rejected", _) => Before::Other,
        _ => Before::Open,
    }
}

fn code_of(error: NotUnderstood) -> &'static str {
    match error {
        NotUnderstood::Form => "not_understood",
        NotUnderstood::AnotherMessage => "another_message",
        NotUnderstood::NoReceipt | NotUnderstood::NoSuchReceipt => "no_receipt",
        NotUnderstood::AnotherDigest => "another_digest",
        NotUnderstood::NoCode | NotUnderstood::NoSuchCode => "no_code",
    }
}
