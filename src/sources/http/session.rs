//! Asking an agency: who we are, how often, how patiently, and for how long in all.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::{Client, Method, Response, StatusCode, Url};
use tokio::time::Instant;

use super::identity::Identity;
use super::stream::RecordStream;
use crate::config::Retry;
use crate::http::{read_body, retry_after};
use crate::sources::answer::{Answer, AnswerForm, Reach, is_ndjson};
use crate::sources::error::Fault;

/// What an agency is asked.
pub(super) struct Question {
    pub url: Url,
    /// JSON that is sent by POST; without it the question is a GET.
    pub body: Option<String>,
    /// What the last answer was known by: the agency may say that nothing changed since.
    pub validator: Option<String>,
    /// How much of the answer was read before.
    pub reach: Reach,
    /// The question goes on where another run ended.
    pub resumed: bool,
}

/// What an agency says.
pub(super) enum Reply {
    Unchanged,
    /// All of it.
    Document(Answer, HeaderMap),
    /// What there is of it as it comes.
    Records(Box<RecordStream>, HeaderMap),
}

/// What an agency is asked with; filled in.
pub(super) struct SessionSettings {
    pub client: Client,
    pub identity: Identity,
    pub form: AnswerForm,
    pub max_body: u64,
    /// From one request to the next.
    pub interval: Option<Duration>,
    pub retry: Retry,
    /// So long all of it may take.
    pub timeout: Duration,
    /// The program's time at the start.
    pub now: Option<DateTime<Utc>>,
}

/// Questions to one agency, and the patience with it.
pub(super) struct Session {
    settings: SessionSettings,
    began: Instant,
    deadline: Instant,
    next_request_at: Option<Instant>,
    /// Faults since something came.
    faults: u32,
}

impl Session {
    pub fn start(settings: SessionSettings) -> Self {
        let began = Instant::now();
        let deadline = began + settings.timeout;
        Self { settings, began, deadline, next_request_at: None, faults: 0 }
    }

    /// Gives the next questions the whole time again.
    pub fn restart_deadline(&mut self) {
        self.deadline = Instant::now() + self.settings.timeout;
        self.faults = 0;
    }

    /// Something came: patience begins anew.
    pub fn note_progress(&mut self) {
        self.faults = 0;
    }

    /// Asks until there is a good answer, as often as the job allows.
    pub async fn ask(&mut self, question: &Question) -> Result<Reply, Fault> {
        loop {
            match self.ask_once(question).await {
                Ok(reply) => return Ok(reply),
                Err(fault) => self.wait_after(fault).await?,
            }
        }
    }

    /// Waits before the same is asked again, or gives the fault back where that would not help.
    pub async fn wait_after(&mut self, fault: Fault) -> Result<(), Fault> {
        self.faults += 1;
        let fault =
            if self.is_over() && fault.transient() { Fault::TooSlow { limit: self.settings.timeout } } else { fault };
        let asked = fault.retry_after();
        let too_long = asked.is_some_and(|asked| asked > self.settings.retry.max_backoff.duration());
        let wait = self.backoff().max(asked.unwrap_or_default());
        let beyond = Instant::now() + wait >= self.deadline;
        if !fault.transient()
            || fault.starts_over()
            || self.faults >= self.settings.retry.attempts
            || too_long
            || beyond
        {
            return Err(fault);
        }
        tracing::warn!(attempt = self.faults, fault = %fault, "asking the agency again");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Doubled each time up to the cap, of which half to all is waited, so that many jobs do not come back at once.
    fn backoff(&self) -> Duration {
        let doubled = self.settings.retry.backoff.duration().saturating_mul(1 << (self.faults.max(1) - 1).min(20));
        let longest = doubled.min(self.settings.retry.max_backoff.duration());
        let share = getrandom::u32().unwrap_or(u32::MAX);
        longest / 2 + (longest / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }

    async fn keep_rate(&mut self) -> Result<(), Fault> {
        let Some(interval) = self.settings.interval else { return Ok(()) };
        if let Some(at) = self.next_request_at {
            if at >= self.deadline {
                return Err(Fault::TooSlow { limit: self.settings.timeout });
            }
            tokio::time::sleep_until(at).await;
        }
        self.next_request_at = Some(Instant::now() + interval);
        Ok(())
    }

    /// Asks once whether there would be an answer, which is not read: its status.
    pub async fn probe(&mut self, question: &Question) -> Result<StatusCode, Fault> {
        let response = self.send_known(question).await?;
        match response.status() {
            status if status.is_success() => Ok(status),
            status => Err(Fault::Status { status: status.as_u16(), retry_after: retry_after(response.headers()) }),
        }
    }

    /// Sends, once more with a new token if ours is refused.
    async fn send_known(&mut self, question: &Question) -> Result<Response, Fault> {
        let refused = |response: &Response| matches!(response.status().as_u16(), 401 | 403);
        let mut response = self.send(question).await?;
        if refused(&response) {
            let renewed = self.settings.identity.renew();
            if renewed {
                tracing::info!("the agency refuses the token: another is fetched");
                response = self.send(question).await?;
            }
            if refused(&response) {
                return Err(Fault::Unauthorized { status: response.status().as_u16(), renewed });
            }
        }
        Ok(response)
    }

    async fn ask_once(&mut self, question: &Question) -> Result<Reply, Fault> {
        let response = self.send_known(question).await?;
        let status = response.status();
        let headers = response.headers().clone();
        if status == StatusCode::NOT_MODIFIED && question.validator.is_some() {
            return Ok(Reply::Unchanged);
        }
        if !status.is_success() {
            let gone = matches!(status.as_u16(), 400 | 404 | 410 | 422);
            return Err(if question.resumed && gone {
                Fault::ResumeLost { status: status.as_u16() }
            } else {
                Fault::Status { status: status.as_u16(), retry_after: retry_after(&headers) }
            });
        }
        if status == StatusCode::NO_CONTENT {
            return Ok(Reply::Document(Answer::nothing(), headers));
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if is_ndjson(content_type) {
            let stream = RecordStream::new(response, self.settings.max_body, question.reach.clone());
            return Ok(Reply::Records(Box::new(stream), headers));
        }
        let body = read_body(response, self.settings.max_body).await.map_err(Fault::Body)?;
        let answer = Answer::read(body, content_type, &self.settings.form)?;
        self.note_progress();
        Ok(Reply::Document(answer, headers))
    }

    async fn send(&mut self, question: &Question) -> Result<Response, Fault> {
        self.keep_rate().await?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::TooSlow { limit: self.settings.timeout });
        }
        let method = if question.body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.settings.client.request(method.clone(), question.url.clone()).timeout(left);
        if let Some(body) = &question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(validator) = &question.validator {
            let is_tag = validator.starts_with('"') || validator.starts_with("W/");
            request = request.header(if is_tag { IF_NONE_MATCH } else { IF_MODIFIED_SINCE }, validator);
        }
        let body = question.body.as_deref().unwrap_or_default().as_bytes();
        let at = self.settings.now.map(|now| now + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default());
        let request = self
            .settings
            .identity
            .present(request, (&method, &question.url, body), &self.settings.client, at, left)
            .await?;
        request.send().await.map_err(Fault::unreachable)
    }
}
