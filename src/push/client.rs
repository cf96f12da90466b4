//! One request to the tax department, signed, and what came of it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;
use uuid::Uuid;

use super::{PushError, answer};
use crate::config::{Secret, TaxSettings};
use crate::errors::chain;
use crate::http::{self, BodyError, HttpSettings, Signer, retry_after};
use crate::store::outbox::{Answered, AttemptRecord, Outgoing};

/// An answer is a few hundred bytes; a page that is none may be larger. What is beyond is neither read nor kept.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Shorter than the lease of an attempt, so that nobody takes a message over whose request still runs.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(45);

/// How long nobody sends where the department wants fewer requests and does not say until when.
const USUAL_PAUSE: Duration = Duration::from_secs(30);

/// Speaks to one tax department.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Where messages go; a message's own address is one segment below.
    declarations: Url,
    key: Key,
    /// Tried where the department refuses the key above.
    previous: Option<Key>,
}

/// By which requests are signed, with its name.
#[derive(Debug)]
struct Key {
    id: String,
    signer: Signer,
}

impl Key {
    fn new(id: &str, secret: &Secret, settings: &TaxSettings) -> Result<Self, PushError> {
        let signer = Signer::new(id, secret.clone(), settings.algorithm).map_err(|_| PushError::KeyId)?;
        Ok(Self { id: id.to_owned(), signer })
    }
}

/// When the next attempt is due, if one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    AtOnce,
    /// After the usual wait, and not before what the department asked for.
    Later {
        retry_after: Option<Duration>,
    },
}

/// What a request brought.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Raw.
    pub record: AttemptRecord,
    /// Read.
    pub answered: Answered,
    pub again: Again,
    /// The department wants nothing from us, whatever it is about, for so long.
    pub pause: Option<Duration>,
}

impl Exchange {
    /// The message did not leave.
    pub(super) fn unsent(ask: bool, why: &str) -> Self {
        let record = AttemptRecord { status: None, answer: None, error: Some(format!("not sent: {why}")) };
        Self { record, answered: Question::of(ask).unanswered(), again: Again::AtOnce, pause: None }
    }

    /// Whether the department dealt with the message, whatever it said of it.
    pub(super) fn is_heard(&self) -> bool {
        self.record.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Client {
    /// Messages go to `{url}/declarations`.
    pub fn new(settings: &TaxSettings) -> Result<Self, PushError> {
        let text = format!("{}/declarations", settings.url.trim_end_matches('/'));
        let declarations = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let declarations = declarations.filter(|url| url.query().is_none() && url.fragment().is_none());
        let identity = settings.client.as_ref().map(|client| (client.certificate.clone(), client.key.clone()));
        let http = http::client(&HttpSettings {
            total_timeout: Some(TOTAL_TIMEOUT),
            ca_file: settings.ca_file.clone(),
            identity,
            ..HttpSettings::default()
        })?;
        let previous = settings.previous.as_ref().map(|previous| Key::new(&previous.key_id, &previous.key, settings));
        Ok(Self {
            http,
            declarations: declarations.ok_or(PushError::Address)?,
            key: Key::new(&settings.key_id, &settings.key, settings)?,
            previous: previous.transpose()?,
        })
    }

    /// Sends the message's bytes as they are. `at` is the time that the request is signed with.
    pub async fn send(&self, outgoing: &Outgoing, at: DateTime<Utc>) -> Exchange {
        self.exchange(outgoing, Question::Sending, at, TOTAL_TIMEOUT).await
    }

    /// Asks what became of a message that was sent and not answered understandably.
    pub async fn ask(&self, outgoing: &Outgoing, at: DateTime<Utc>) -> Exchange {
        self.exchange(outgoing, Question::Asking, at, TOTAL_TIMEOUT).await
    }

    /// Sends or asks, whatever the message is opened for, within `patience`, which bounds both requests where one key after the other
    /// is tried.
    pub(super) async fn put(&self, outgoing: &Outgoing, at: DateTime<Utc>, patience: Duration) -> Exchange {
        self.exchange(outgoing, Question::of(outgoing.ask_first), at, patience).await
    }

    /// Asks about a message that nobody sent: whether the department answers, and knows our key. What is the matter, if something is.
    pub async fn probe(&self, at: DateTime<Utc>) -> Result<(), String> {
        let address = self.address_of(Uuid::nil());
        let mut status = None;
        for key in [Some(&self.key), self.previous.as_ref()].into_iter().flatten() {
            let answer = self.signed(key, &Method::GET, &address, b"", at).send().await;
            match answer.map_err(|error| chain(&error.without_url()))?.status().as_u16() {
                404 | 200..=299 => return Ok(()),
                other => status = Some(other),
            }
        }
        match status.unwrap_or_default() {
            status @ (401 | 403) => {
                Err(format!("it refuses our requests by {status}: check the key, its name and the clock"))
            }
            status => Err(format!("it answers {status}: check the address")),
        }
    }

    /// Asks for what lies beside the messages, at `path` below the department's address: status and body.
    pub(super) async fn read(&self, path: &str, max_bytes: u64, at: DateTime<Utc>) -> Result<(u16, Vec<u8>), String> {
        let mut address = self.declarations.clone();
        let base = address.path().trim_end_matches("declarations").to_owned();
        address.set_path(&format!("{base}{path}"));
        let ask = async |key: &Key| {
            let answer = self.signed(key, &Method::GET, &address, b"", at).send().await;
            answer.map_err(|error| chain(&error.without_url()))
        };
        let mut answer = ask(&self.key).await?;
        if let Some(previous) = self.previous.as_ref().filter(|_| answer.status() == StatusCode::UNAUTHORIZED) {
            answer = ask(previous).await?;
        }
        let status = answer.status().as_u16();
        let body = http::read_body(answer, max_bytes).await.map_err(|error| chain(&error))?;
        Ok((status, body))
    }

    fn address_of(&self, message_id: Uuid) -> Url {
        let mut address = self.declarations.clone();
        address.set_path(&format!("{}/{message_id}", self.declarations.path()));
        address
    }

    fn signed(&self, key: &Key, method: &Method, address: &Url, body: &[u8], at: DateTime<Utc>) -> RequestBuilder {
        let request = self.http.request(method.clone(), address.clone()).header(ACCEPT, "application/json");
        key.signer.sign(request, method, address, body, at)
    }

    fn request(&self, key: &Key, outgoing: &Outgoing, question: Question, at: DateTime<Utc>) -> RequestBuilder {
        match question {
            Question::Sending => self
                .signed(key, &Method::POST, &self.declarations, &outgoing.body, at)
                .header("Idempotency-Key", &outgoing.idempotency_key)
                .header(CONTENT_TYPE, "application/json")
                .body(outgoing.body.clone()),
            Question::Asking => self.signed(key, &Method::GET, &self.address_of(outgoing.message_id), b"", at),
        }
    }

    async fn exchange(
        &self,
        outgoing: &Outgoing,
        question: Question,
        at: DateTime<Utc>,
        patience: Duration,
    ) -> Exchange {
        let begun = Instant::now();
        let heard = self.request(&self.key, outgoing, question, at).timeout(patience).send().await;
        let unknown = |heard: &Response| heard.status() == StatusCode::UNAUTHORIZED;
        let refused = heard.as_ref().is_ok_and(unknown);
        let Some(previous) = self.previous.as_ref().filter(|_| refused) else {
            return read(heard, outgoing, question).await;
        };
        let left = patience.saturating_sub(begun.elapsed());
        let heard = self.request(previous, outgoing, question, at).timeout(left).send().await;
        let known = heard.as_ref().is_ok_and(|heard| !unknown(heard));
        let mut exchange = read(heard, outgoing, question).await;
        if known {
            let (current, previous) = (&self.key.id, &previous.id);
            tracing::warn!(current, previous, "the tax department refuses our key and takes the previous one");
            let note = format!("under the previous key `{previous}`: the department refuses `{current}` by 401");
            let error = exchange.record.error.take();
            exchange.record.error = Some(error.map_or_else(|| note.clone(), |error| format!("{error}; {note}")));
        }
        exchange
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Sending,
    Asking,
}

impl Question {
    fn of(ask: bool) -> Self {
        if ask { Self::Asking } else { Self::Sending }
    }

    /// Where a request tells nothing: bytes that were sent are sent again, a question is put again.
    fn unanswered(self) -> Answered {
        match self {
            Self::Sending => Answered::Later,
            Self::Asking => Answered::Unknown,
        }
    }
}

async fn read(heard: reqwest::Result<Response>, outgoing: &Outgoing, question: Question) -> Exchange {
    let response = match heard {
        Ok(response) => response,
        Err(error) => {
            let error = Some(chain(&error.without_url()));
            return Exchange {
                record: AttemptRecord { status: None, answer: None, error },
                answered: question.unanswered(),
                again: Again::Later { retry_after: None },
                pause: None,
            };
        }
    };
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let (body, broken) = http::read_beginning(response, MAX_ANSWER_BYTES).await;
    let (answered, error) = meaning(status, &body, broken.as_ref(), outgoing, question);
    let forgotten = answered == Answered::Forgotten;
    Exchange {
        record: AttemptRecord { status: Some(status.as_u16()), answer: Some(body), error },
        answered,
        again: if forgotten { Again::AtOnce } else { Again::Later { retry_after } },
        pause: match status {
            StatusCode::TOO_MANY_REQUESTS => Some(retry_after.unwrap_or(USUAL_PAUSE)),
            StatusCode::SERVICE_UNAVAILABLE => retry_after,
            _ => None,
        },
    }
}

/// What an answer means, and what is wrong with it if something is. `broken`: why `body` is only its beginning.
fn meaning(
    status: StatusCode,
    body: &[u8],
    broken: Option<&BodyError>,
    outgoing: &Outgoing,
    question: Question,
) -> (Answered, Option<String>) {
    let told = |text: &str| Some(format!("status {}: {text}", status.as_u16()));
    match (status.as_u16(), question) {
        (200..=299, _) => match broken
            .map_or_else(|| answer::read(outgoing, body), |_| Err(answer::NotUnderstood::Form))
        {
            Ok(answered) => (answered, None),
            Err(error) => (Answered::Unknown, Some(broken.map_or_else(|| error.to_string(), |broken| chain(broken)))),
        },
        (300..=399, _) => (Answered::Unknown, told("a redirect instead of an answer")),
        (404, Question::Asking) => {
            (Answered::Forgotten, told("the department does not hold the message; it is sent again"))
        }
        (409 | 422, _) => (Answered::Unknown, told("the department holds another body under this key or id")),
        (400 | 401 | 403, _) => {
            (question.unanswered(), told("the department refuses our requests; check address, key and clock"))
        }
        (408 | 429 | 500..=599, _) => (question.unanswered(), told("the department is busy or out of order")),
        _ => (question.unanswered(), told("no answer as agreed; check the address")),
    }
}
