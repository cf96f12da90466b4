//! One request to the tax department, signed, and what came of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, StatusCode};
use url::Url;
use uuid::Uuid;

use super::{PushError, answer};
use crate::config::TaxSettings;
use crate::errors::chain;
use crate::http::{self, BodyError, HttpSettings, Signer, retry_after};
use crate::store::outbox::{Answered, AttemptRecord, Outgoing};

/// An answer is a few hundred bytes; a page that is none may be larger.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Shorter than the lease of an attempt, so that nobody takes a message over whose request still runs.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(45);

/// Speaks to one tax department.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Where messages go; a message's own address is one segment below.
    declarations: Url,
    signer: Signer,
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
}

impl Client {
    /// Messages go to `{url}/declarations`.
    pub fn new(settings: &TaxSettings) -> Result<Self, PushError> {
        let text = format!("{}/declarations", settings.url.trim_end_matches('/'));
        let declarations = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let declarations = declarations.filter(|url| url.query().is_none() && url.fragment().is_none());
        let http = http::client(&HttpSettings { total_timeout: Some(TOTAL_TIMEOUT), ..HttpSettings::default() })?;
        Ok(Self {
            http,
            declarations: declarations.ok_or(PushError::Address)?,
            signer: Signer::new(&settings.key_id, settings.key.clone(), settings.algorithm)
                .map_err(|_| PushError::KeyId)?,
        })
    }

    /// Sends the message's bytes as they are. `at` is the time that the request is signed with.
    pub async fn send(&self, outgoing: &Outgoing, at: DateTime<Utc>) -> Exchange {
        let request = self
            .signed(&Method::POST, &self.declarations, &outgoing.body, at)
            .header("Idempotency-Key", &outgoing.idempotency_key)
            .header(CONTENT_TYPE, "application/json")
            .body(outgoing.body.clone());
        exchange(request, outgoing, Question::Sending).await
    }

    /// Asks what became of a message that was sent and not answered understandably.
    pub async fn ask(&self, outgoing: &Outgoing, at: DateTime<Utc>) -> Exchange {
        let mut address = self.declarations.clone();
        address.set_path(&format!("{}/{}", self.declarations.path(), outgoing.message_id));
        exchange(self.signed(&Method::GET, &address, b"", at), outgoing, Question::Asking).await
    }

    /// Asks about a message that nobody sent: whether the department answers, and knows our key. What is the matter, if something is.
    pub async fn probe(&self, at: DateTime<Utc>) -> Result<(), String> {
        let mut address = self.declarations.clone();
        address.set_path(&format!("{}/{}", self.declarations.path(), Uuid::nil()));
        let answer = self.signed(&Method::GET, &address, b"", at).send().await;
        match answer.map_err(|error| chain(&error.without_url()))?.status().as_u16() {
            404 | 200..=299 => Ok(()),
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
        let answer = self.signed(&Method::GET, &address, b"", at).send().await;
        let answer = answer.map_err(|error| chain(&error.without_url()))?;
        let status = answer.status().as_u16();
        let body = http::read_body(answer, max_bytes).await.map_err(|error| chain(&error))?;
        Ok((status, body))
    }

    fn signed(&self, method: &Method, address: &Url, body: &[u8], at: DateTime<Utc>) -> RequestBuilder {
        let request = self.http.request(method.clone(), address.clone()).header(ACCEPT, "application/json");
        self.signer.sign(request, method, address, body, at)
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Sending,
    Asking,
}

impl Question {
    /// Where a request tells nothing: bytes that were sent are sent again, a question is put again.
    fn unanswered(self) -> Answered {
        match self {
            Self::Sending => Answered::Later,
            Self::Asking => Answered::Unknown,
        }
    }
}

async fn exchange(request: RequestBuilder, outgoing: &Outgoing, question: Question) -> Exchange {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let error = Some(chain(&error.without_url()));
            return Exchange {
                record: AttemptRecord { status: None, answer: None, error },
                answered: question.unanswered(),
                again: Again::Later { retry_after: None },
            };
        }
    };
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    let body = http::read_body(response, MAX_ANSWER_BYTES).await;
    let (answered, error) = meaning(status, &body, outgoing, question);
    let forgotten = question == Question::Asking && status == StatusCode::NOT_FOUND;
    Exchange {
        record: AttemptRecord { status: Some(status.as_u16()), answer: body.ok(), error },
        answered,
        again: if forgotten { Again::AtOnce } else { Again::Later { retry_after } },
    }
}

/// What an answer means, and what is wrong with it if something is.
fn meaning(
    status: StatusCode,
    body: &Result<Vec<u8>, BodyError>,
    outgoing: &Outgoing,
    question: Question,
) -> (Answered, Option<String>) {
    let told = |text: &str| Some(format!("status {}: {text}", status.as_u16()));
    match (status.as_u16(), question) {
        (200..=299, _) => match body {
            Ok(body) => match answer::read(outgoing, body) {
                Ok(answered) => (answered, None),
                Err(error) => (Answered::Unknown, Some(error.to_string())),
            },
            Err(error) => (Answered::Unknown, Some(chain(error))),
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
