//! Agencies over HTTP: pages by cursor, number or link, asked for again with patience when they fail.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LINK, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use tokio::time::Instant;

use super::answer::{Answer, AnswerForm};
use super::error::Fault;
use super::page::{Limits, Page};
use super::{Start, resolve};
use crate::config::{Auth, Environment, HttpSource, Job, Paging, Retry, Secret};
use crate::http::{HttpSettings, client, read_body};

/// Longer than this nobody is asked to wait; an agency that says so means something else.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(6);

/// Which request comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Cursor(String),
    /// The page's number from 1, and how many records came before it.
    Number(u64, u64),
    Link(String),
}

impl Place {
    /// As it is stored, with the records of the answer that were stored already.
    fn to_resume(&self, skip: u64) -> String {
        match self {
            Self::First => format!("{skip} first"),
            Self::Cursor(cursor) => format!("{skip} cursor {cursor}"),
            Self::Number(number, before) => format!("{skip} page {number} {before}"),
            Self::Link(link) => format!("{skip} link {link}"),
        }
    }

    fn from_resume(text: &str) -> Result<(Self, u64), Fault> {
        let parse = || {
            let (skip, place) = text.split_once(' ')?;
            let place = match place.split_once(' ') {
                None if place == "first" => Self::First,
                Some(("cursor", cursor)) => Self::Cursor(cursor.to_owned()),
                Some(("page", numbers)) => {
                    let (number, before) = numbers.split_once(' ')?;
                    Self::Number(number.parse().ok()?, before.parse().ok()?)
                }
                Some(("link", link)) => Self::Link(link.to_owned()),
                _ => return None,
            };
            Some((place, skip.parse().ok()?))
        };
        parse().ok_or(Fault::BadResume)
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Cursor(text) | Self::Link(text) => text.hash(&mut hasher),
            Self::First => "".hash(&mut hasher),
            Self::Number(number, _) => number.hash(&mut hasher),
        }
        hasher.finish()
    }
}

/// Credentials, filled in.
enum Identity {
    Bearer(Secret),
    Basic(String, Secret),
}

/// Asking for one person, filled in.
struct PersonRequest {
    url: Url,
    body: String,
}

/// An agency that is read page by page.
pub struct HttpReader {
    client: Client,
    url: Url,
    identity: Option<Identity>,
    paging: Option<Paging>,
    page_size: Option<u32>,
    since: Option<(String, String)>,
    form: AnswerForm,
    max_body: u64,
    interval: Option<Duration>,
    retry: Retry,
    person: Option<PersonRequest>,
    limits: Limits,
    /// `None` after the last.
    place: Option<Place>,
    /// Records of the next answer that were stored before.
    skip: u64,
    /// The next request is the first after a resume.
    resumed: bool,
    /// Number of the next page.
    number: u32,
    began: Option<DateTime<Utc>>,
    /// Pages of the last answer not handed out yet, the last first.
    waiting: Vec<Page>,
    seen: HashSet<u64>,
    last_body: Option<u64>,
    next_request_at: Option<Instant>,
}

impl HttpReader {
    pub(super) fn open(
        job: &Job,
        settings: &HttpSource,
        environment: &Environment,
        start: Start,
    ) -> Result<Self, Fault> {
        let fill = |key: &str, text: &str| resolve(job, environment, key, text);
        let url = |key: &str, text: &str| {
            let url = Url::parse(&fill(key, text)?).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            url.ok_or_else(|| Fault::Config(job.error_at(key, "is not an address of the form `https://host/path`")))
        };
        let refuse = |what: &str| Fault::Config(job.error_at("source.auth", what));
        let identity = match &settings.auth {
            None => None,
            Some(Auth::Bearer { token: Some(token), token_url: None, .. }) => {
                Some(Identity::Bearer(Secret::new(fill("source.auth.token", token.reveal())?)))
            }
            Some(Auth::Basic { user, password }) => Some(Identity::Basic(
                fill("source.auth.user", user)?,
                Secret::new(fill("source.auth.password", password.reveal())?),
            )),
            Some(Auth::Bearer { .. }) => return Err(refuse("is not supported by this version without `token`")),
            Some(Auth::Hmac { .. }) => return Err(refuse("`hmac` is not supported by this version")),
        };
        let ca_file = settings.ca_file.as_deref().map(|path| fill("source.ca_file", path)).transpose()?;
        let client = client(&HttpSettings {
            idle_timeout: settings.idle_timeout.duration(),
            ca_file: ca_file.map(PathBuf::from),
            ..HttpSettings::default()
        });
        let since = settings.since.clone().zip(start.since).map(|(parameter, since)| {
            let overlap = settings.overlap.map_or(Duration::ZERO, crate::config::Span::duration);
            let from = chrono::TimeDelta::from_std(overlap).ok().and_then(|overlap| since.checked_sub_signed(overlap));
            (parameter, from.unwrap_or(since).to_rfc3339_opts(SecondsFormat::AutoSi, true))
        });
        let person = settings
            .person
            .as_ref()
            .map(|person| Ok(PersonRequest { url: url("source.person.url", &person.url)?, body: person.body.clone() }));
        let first = if settings.paging == Some(Paging::Page) { Place::Number(1, 0) } else { Place::First };
        let (place, skip) = match &start.after {
            Some(resume) => Place::from_resume(&resume.place)?,
            None => (first, 0),
        };
        Ok(Self {
            client: client.map_err(Fault::Client)?,
            url: url("source.url", &settings.url)?,
            identity,
            paging: settings.paging,
            page_size: settings.page_size,
            since,
            form: AnswerForm {
                records: settings.records.clone(),
                next: settings.next.clone(),
                totals: settings.totals.clone(),
            },
            max_body: settings.max_body.0,
            interval: settings.rate.map(crate::config::source::Rate::interval),
            retry: job.retry,
            person: person.transpose()?,
            limits: start.limits,
            place: Some(place),
            skip,
            resumed: start.after.is_some(),
            number: start.after.map_or(0, |resume| resume.page + 1),
            began: None,
            waiting: Vec::new(),
            seen: HashSet::new(),
            last_body: None,
            next_request_at: None,
        })
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<Page>, Fault> {
        if let Some(page) = self.waiting.pop() {
            return Ok(Some(page));
        }
        // Taken: after an error there is nothing more.
        let Some(place) = self.place.take() else { return Ok(None) };
        if !self.seen.insert(place.digest()) {
            return Err(Fault::Looping(if self.paging == Some(Paging::Cursor) { "cursor" } else { "page" }));
        }
        let request = self.request(&place)?;
        let (answer, headers) = self.ask(&request).await?;
        self.resumed = false;
        self.began = self.began.or_else(|| date_of(&headers));

        let body = answer.digest();
        let same_as_before = self.last_body.replace(body) == Some(body) && answer.count() > 0;
        if self.paging == Some(Paging::Page) && same_as_before {
            return Err(Fault::Looping("page"));
        }
        let next = self.next_place(&place, &answer, &headers)?;
        let after_last = next.as_ref().map(|next| next.to_resume(0));
        let skip = std::mem::take(&mut self.skip);
        let mut pages = answer.into_pages(self.number, skip, self.limits);
        for (page, rows) in &mut pages {
            page.began = self.began;
            page.resume = Some(place.to_resume(*rows));
        }
        if let Some((last, _)) = pages.last_mut() {
            last.resume = after_last;
        }
        self.number += pages.len() as u32;
        self.place = next;
        self.waiting = pages.into_iter().rev().map(|(page, _)| page).collect();
        Ok(self.waiting.pop())
    }

    /// Everything on one person, in one answer.
    pub(super) async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, Fault> {
        let person = self.person.as_ref().ok_or(Fault::NoPersonRequest)?;
        let mut body = serde_json::Map::new();
        body.insert(person.body.clone(), id_number.into());
        let request = self.identify(self.client.request(Method::POST, person.url.clone())).json(&body);
        let (answer, headers) = self.ask(&request).await?;
        if answer.next().is_some() {
            return Err(Fault::Answer {
                found: "a further page of one person's records".to_owned(),
                accepted: "all of them in one answer",
            });
        }
        let mut pages = answer.into_pages(0, 0, self.limits);
        for (page, _) in &mut pages {
            page.began = date_of(&headers);
        }
        Ok(pages.into_iter().map(|(page, _)| page).collect())
    }

    fn identify(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.identity {
            None => request,
            Some(Identity::Bearer(token)) => request.bearer_auth(token.reveal()),
            Some(Identity::Basic(user, password)) => request.basic_auth(user, Some(password.reveal())),
        }
    }

    fn request(&self, place: &Place) -> Result<RequestBuilder, Fault> {
        let url = if let Place::Link(link) = place {
            let url = self.url.join(link).map_err(|_| Fault::ForeignLink)?;
            if url.origin() != self.url.origin() {
                return Err(Fault::ForeignLink);
            }
            url
        } else {
            let mut url = self.url.clone();
            let parameters = [
                self.since.clone(),
                self.page_size.map(|size| ("page_size".to_owned(), size.to_string())),
                match place {
                    Place::Cursor(cursor) => Some(("cursor".to_owned(), cursor.clone())),
                    Place::Number(number, _) => Some(("page".to_owned(), number.to_string())),
                    Place::First | Place::Link(_) => None,
                },
            ];
            for (name, value) in parameters.into_iter().flatten() {
                url.query_pairs_mut().append_pair(&name, &value);
            }
            url
        };
        Ok(self.identify(self.client.get(url)))
    }

    fn next_place(&self, place: &Place, answer: &Answer, headers: &HeaderMap) -> Result<Option<Place>, Fault> {
        let next = match self.paging {
            None => None,
            Some(Paging::Cursor) => answer.next().map(|cursor| Place::Cursor(cursor.to_owned())),
            Some(Paging::Link) => {
                let link = if self.form.next.is_some() { answer.next().map(str::to_owned) } else { next_link(headers) };
                link.map(Place::Link)
            }
            // An agency may give fewer a page than it was asked for, so that only an empty page or the announced
            // number of records is the end.
            Some(Paging::Page) => {
                let (number, before) = match place {
                    Place::Number(number, before) => (*number, *before),
                    _ => (1, 0),
                };
                let so_far = before + answer.count();
                let all = answer.total().is_some_and(|total| so_far >= total);
                (answer.count() > 0 && !all).then_some(Place::Number(number + 1, so_far))
            }
        };
        match next {
            Some(next) if self.seen.contains(&next.digest()) => {
                Err(Fault::Looping(if self.paging == Some(Paging::Cursor) { "cursor" } else { "page" }))
            }
            next => Ok(next),
        }
    }

    /// Sends a request until it is answered well, as often as the job allows.
    async fn ask(&mut self, request: &RequestBuilder) -> Result<(Answer, HeaderMap), Fault> {
        let mut attempt = 1;
        loop {
            self.keep_rate().await;
            let request = request.try_clone().ok_or(Fault::NotInThisBuild("a request that streams"))?;
            let fault = match self.ask_once(request).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let asked = match fault {
                Fault::Status { retry_after, .. } => retry_after,
                _ => None,
            };
            let too_long = asked.is_some_and(|asked| asked > self.retry.max_backoff.duration());
            if !fault.transient() || attempt >= self.retry.attempts || too_long {
                return Err(fault);
            }
            tracing::warn!(attempt, fault = %fault, "asking the agency again");
            tokio::time::sleep(asked.unwrap_or_else(|| self.backoff(attempt))).await;
            attempt += 1;
        }
    }

    /// Doubled each time up to the cap, of which half to all is waited, so that many jobs do not come back at once.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.retry.backoff.duration().saturating_mul(1 << (attempt - 1).min(20));
        let longest = doubled.min(self.retry.max_backoff.duration());
        let share = getrandom::u32().unwrap_or(u32::MAX);
        longest / 2 + (longest / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
    }

    async fn keep_rate(&mut self) {
        let Some(interval) = self.interval else { return };
        if let Some(at) = self.next_request_at {
            tokio::time::sleep_until(at).await;
        }
        self.next_request_at = Some(Instant::now() + interval);
    }

    async fn ask_once(&self, request: RequestBuilder) -> Result<(Answer, HeaderMap), Fault> {
        let response = request.send().await.map_err(|error| Fault::Unreachable(error.without_url()))?;
        let status = response.status();
        let headers = response.headers().clone();
        if !status.is_success() {
            let gone = matches!(status.as_u16(), 400 | 404 | 410 | 422);
            return Err(if self.resumed && gone {
                Fault::ResumeLost { status: status.as_u16() }
            } else {
                Fault::Status { status: status.as_u16(), retry_after: retry_after(&headers) }
            });
        }
        if status == StatusCode::NO_CONTENT {
            return Ok((Answer::nothing(), headers));
        }
        let body = read_body(response, self.max_body).await.map_err(Fault::Body)?;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok((Answer::read(body, content_type, &self.form)?, headers))
    }
}

/// The `Date` of an answer: the agency's own clock.
fn date_of(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    parse_http_date(headers.get(DATE)?.to_str().ok()?)
}

fn parse_http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.with_timezone(&Utc))
}

/// `Retry-After`: seconds, or an instant by the agency's own clock. What cannot be meant is left out or cut.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (parse_http_date(text)? - date_of(headers)?).to_std().unwrap_or(Duration::ZERO),
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// The `Link` header's address with `rel="next"`.
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|links| {
        let mut rest = links;
        while let Some((_, after)) = rest.split_once('<') {
            let (address, after) = after.split_once('>')?;
            let (parameters, _) = after.split_once('<').unwrap_or((after, ""));
            let is_next = parameters.split([';', ',']).any(|parameter| {
                let value = parameter.trim().strip_prefix("rel=").unwrap_or_default().trim_matches('"');
                value.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return Some(address.to_owned());
            }
            rest = after;
        }
        None
    })
}

#[cfg(test)]
mod tests;
