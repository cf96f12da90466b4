//! Agencies over HTTP: pages by cursor, number or link, asked for again with patience when they fail.

mod identity;
mod place;
mod session;
mod stream;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use reqwest::header::{ETAG, HeaderMap, LAST_MODIFIED, LINK};

use self::identity::Identity;
use self::place::Place;
use self::session::{Question, Reply, Session, SessionSettings};
use self::stream::RecordStream;
use super::answer::{AnswerForm, Reach};
use super::error::Fault;
use super::page::{Limits, Page};
use super::{Start, resolve};
use crate::config::{Environment, HttpSource, Job, Paging, Span};
use crate::http::{HttpSettings, client, date};

/// Asking for one person, filled in.
struct PersonRequest {
    url: Url,
    body: String,
}

/// An answer of a record a line that is still coming.
struct Incoming {
    place: Place,
    records: Box<RecordStream>,
    link: Option<String>,
}

/// What an answer says of those that follow.
struct Ending<'a> {
    reach: Reach,
    next: Option<&'a str>,
    total: Option<u64>,
    link: Option<String>,
}

/// An agency that is read page by page.
pub struct HttpReader {
    session: Session,
    url: Url,
    paging: Option<Paging>,
    page_size: Option<u32>,
    since: Option<(String, String)>,
    next_is_in_answer: bool,
    person: Option<PersonRequest>,
    limits: Limits,
    /// `None` after the last.
    place: Option<Place>,
    /// How much of the next answer was read before.
    reach: Reach,
    /// The next request is the first after a resume.
    resumed: bool,
    /// Number of the next page.
    number: u32,
    began: Option<DateTime<Utc>>,
    /// Pages of the last answer not handed out yet, the last first.
    waiting: Vec<Page>,
    incoming: Option<Incoming>,
    seen: HashSet<u64>,
    last_answer: Option<Reach>,
    /// What the last delivery was known by.
    known_by: Option<String>,
    validator: Option<String>,
    unchanged: bool,
}

impl HttpReader {
    pub(super) fn open(
        job: &Job,
        settings: &HttpSource,
        environment: &Environment,
        start: Start,
    ) -> Result<Self, Fault> {
        let fill = |key: &str, text: &str| resolve(job, environment, key, text);
        let refuse = |key: &str, what: &str| Fault::Config(job.error_at(key, what));
        let url = |key: &str, text: &str| {
            let url = Url::parse(&fill(key, text)?).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            url.ok_or_else(|| refuse(key, "is not an address of the form `https://host/path`"))
        };
        let ca_file = settings.ca_file.as_deref().map(|path| fill("source.ca_file", path)).transpose()?;
        let client = client(&HttpSettings {
            idle_timeout: settings.idle_timeout.duration(),
            ca_file: ca_file.map(PathBuf::from),
            ..HttpSettings::default()
        });
        let since = settings.since.clone().zip(start.since).map(|(parameter, since)| {
            let overlap = settings.overlap.map_or(Duration::ZERO, Span::duration);
            let from = chrono::TimeDelta::from_std(overlap).ok().and_then(|overlap| since.checked_sub_signed(overlap));
            (parameter, from.unwrap_or(since).to_rfc3339_opts(SecondsFormat::AutoSi, true))
        });
        let person = settings
            .person
            .as_ref()
            .map(|person| Ok(PersonRequest { url: url("source.person.url", &person.url)?, body: person.body.clone() }));
        let first = if settings.paging == Some(Paging::Page) { Place::Number(1, 0) } else { Place::First };
        let (place, reach) = match &start.after {
            Some(resume) => Place::from_resume(&resume.place)?,
            None => (first, Reach::default()),
        };
        // Only one answer that holds everything says by itself that nothing changed, and only to who has all of it.
        let asks_anew = settings.paging.is_none() && start.after.is_none();
        Ok(Self {
            session: Session::start(SessionSettings {
                client: client.map_err(Fault::Client)?,
                identity: Identity::of(settings.auth.as_ref(), fill, refuse)?,
                form: AnswerForm {
                    records: settings.records.clone(),
                    next: settings.next.clone(),
                    totals: settings.totals.clone(),
                },
                max_body: settings.max_body.0,
                interval: settings.rate.map(crate::config::source::Rate::interval),
                retry: job.retry,
                timeout: job.timeout.duration(),
                now: start.now,
            }),
            url: url("source.url", &settings.url)?,
            paging: settings.paging,
            page_size: settings.page_size,
            since,
            next_is_in_answer: settings.next.is_some(),
            person: person.transpose()?,
            limits: start.limits,
            place: Some(place),
            reach,
            resumed: start.after.is_some(),
            number: start.after.map_or(0, |resume| resume.page + 1),
            began: None,
            waiting: Vec::new(),
            incoming: None,
            seen: HashSet::new(),
            last_answer: None,
            known_by: start.validator.filter(|_| asks_anew),
            validator: None,
            unchanged: false,
        })
    }

    /// What this answer is known by, where one answer holds everything: its `ETag`, or else its `Last-Modified`.
    pub(super) fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// Whether the agency said that nothing changed since the delivery that `Start` named.
    pub(super) fn unchanged(&self) -> bool {
        self.unchanged
    }

    /// Asks for as little as can be, and does not read it; what was found.
    pub(super) async fn probe(&mut self) -> Result<String, Fault> {
        self.page_size = self.page_size.map(|_| 1);
        let place = self.place.clone().unwrap_or(Place::First);
        let url = self.address(&place)?;
        let question = Question { url, body: None, validator: None, reach: Reach::default(), resumed: false };
        let status = self.session.probe(&question).await?;
        Ok(format!("the agency answers {}", status.as_u16()))
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<Page>, Fault> {
        loop {
            if let Some(page) = self.waiting.pop() {
                return Ok(Some(page));
            }
            if let Some(incoming) = self.incoming.take() {
                let place = incoming.place.clone();
                match self.page_of(incoming).await {
                    Ok(page) => return Ok(Some(page)),
                    Err(fault) => {
                        self.session.wait_after(fault).await?;
                        // The same again, from where it broke.
                        self.seen.remove(&place.digest());
                        self.place = Some(place);
                    }
                }
            }
            // Taken: after an error there is nothing more.
            let Some(place) = self.place.take() else { return Ok(None) };
            if !self.seen.insert(place.digest()) {
                return Err(self.looping());
            }
            self.ask(place).await?;
            if self.unchanged {
                return Ok(None);
            }
        }
    }

    async fn ask(&mut self, place: Place) -> Result<(), Fault> {
        let question = Question {
            url: self.address(&place)?,
            body: None,
            validator: self.known_by.clone(),
            reach: self.reach.clone(),
            resumed: self.resumed,
        };
        match self.session.ask(&question).await? {
            Reply::Unchanged => {
                self.unchanged = true;
                self.validator.clone_from(&self.known_by);
            }
            Reply::Records(records, headers) => {
                self.note(&headers);
                self.incoming = Some(Incoming { place, records, link: next_link(&headers) });
            }
            Reply::Document(answer, headers) => {
                self.note(&headers);
                let mut pages = answer.pages(self.number, &std::mem::take(&mut self.reach), self.limits)?;
                for (page, reach) in &mut pages {
                    page.began = self.began;
                    page.resume = Some(place.to_resume(reach));
                }
                if let Some((last, reach)) = pages.last_mut() {
                    let link = next_link(&headers);
                    let ending = Ending { reach: reach.clone(), next: answer.next(), total: answer.total(), link };
                    last.resume = self.go_on(&place, ending)?;
                }
                self.number += pages.len() as u32;
                self.waiting = pages.into_iter().rev().map(|(page, _)| page).collect();
            }
        }
        Ok(())
    }

    /// What an answer's head says of the delivery.
    fn note(&mut self, headers: &HeaderMap) {
        self.resumed = false;
        self.began = self.began.or_else(|| date(headers));
        if self.paging.is_none() {
            let validator = headers.get(ETAG).or_else(|| headers.get(LAST_MODIFIED));
            self.validator = validator.and_then(|value| value.to_str().ok()).map(str::to_owned);
        }
    }

    /// The next page of an answer that is still coming.
    async fn page_of(&mut self, mut incoming: Incoming) -> Result<Page, Fault> {
        let mut page = Page::new(self.number);
        page.began = self.began;
        let more = incoming.records.read_into(&mut page, self.limits).await?;
        self.session.note_progress();
        self.number += 1;
        let reach = incoming.records.reach();
        if more {
            page.resume = Some(incoming.place.to_resume(&reach));
            self.reach = reach;
            self.incoming = Some(incoming);
        } else {
            self.reach = Reach::default();
            page.resume =
                self.go_on(&incoming.place, Ending { reach, next: None, total: None, link: incoming.link })?;
        }
        Ok(page)
    }

    /// Sets the place after an answer that was read to its end, and gives it as it is stored.
    fn go_on(&mut self, place: &Place, ending: Ending<'_>) -> Result<Option<String>, Fault> {
        let holds_records = ending.reach.records > 0;
        let same_as_before = self.last_answer.as_ref() == Some(&ending.reach) && holds_records;
        if self.paging == Some(Paging::Page) && same_as_before {
            return Err(Fault::Looping("page"));
        }
        let next = match self.paging {
            None => None,
            Some(Paging::Cursor) => ending.next.map(|cursor| Place::Cursor(cursor.to_owned())),
            Some(Paging::Link) => {
                let link = if self.next_is_in_answer { ending.next.map(str::to_owned) } else { ending.link };
                link.map(Place::Link)
            }
            // An agency may give fewer a page than it was asked for, so that only an empty page or the announced
            // number of records is the end.
            Some(Paging::Page) => {
                let (number, before) = match place {
                    Place::Number(number, before) => (*number, *before),
                    _ => (1, 0),
                };
                let so_far = before + ending.reach.records;
                let all = ending.total.is_some_and(|total| so_far >= total);
                (holds_records && !all).then_some(Place::Number(number + 1, so_far))
            }
        };
        if next.as_ref().is_some_and(|next| self.seen.contains(&next.digest())) {
            return Err(self.looping());
        }
        self.last_answer = Some(ending.reach);
        self.place = next;
        Ok(self.place.as_ref().map(|next| next.to_resume(&Reach::default())))
    }

    fn looping(&self) -> Fault {
        Fault::Looping(if self.paging == Some(Paging::Cursor) { "cursor" } else { "page" })
    }

    /// Everything on one person, in one answer.
    pub(super) async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, Fault> {
        let person = self.person.as_ref().ok_or(Fault::NoPersonRequest)?;
        let mut body = serde_json::Map::new();
        body.insert(person.body.clone(), id_number.into());
        let question = Question {
            url: person.url.clone(),
            body: Some(serde_json::Value::Object(body).to_string()),
            validator: None,
            reach: Reach::default(),
            resumed: false,
        };
        self.session.restart_deadline();
        loop {
            match self.session.ask(&question).await? {
                Reply::Unchanged => return Ok(Vec::new()),
                Reply::Document(answer, headers) => {
                    if answer.next().is_some() {
                        return Err(Fault::Answer {
                            found: "a further page of one person's records".to_owned(),
                            accepted: "all of them in one answer",
                        });
                    }
                    let pages = answer.pages(0, &Reach::default(), self.limits)?;
                    return Ok(dated(pages.into_iter().map(|(page, _)| page).collect(), &headers));
                }
                Reply::Records(records, headers) => match self.all_of(*records).await {
                    Ok(pages) => return Ok(dated(pages, &headers)),
                    Err(fault) => self.session.wait_after(fault).await?,
                },
            }
        }
    }

    async fn all_of(&self, mut records: RecordStream) -> Result<Vec<Page>, Fault> {
        let mut pages = Vec::new();
        loop {
            let mut page = Page::new(pages.len() as u32);
            let more = records.read_into(&mut page, self.limits).await?;
            pages.push(page);
            if !more {
                return Ok(pages);
            }
        }
    }

    fn address(&self, place: &Place) -> Result<Url, Fault> {
        if let Place::Link(link) = place {
            let url = self.url.join(link).map_err(|_| Fault::ForeignLink)?;
            return if url.origin() == self.url.origin() { Ok(url) } else { Err(Fault::ForeignLink) };
        }
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
        Ok(url)
    }
}

/// Pages with the agency's own time.
fn dated(mut pages: Vec<Page>, headers: &HeaderMap) -> Vec<Page> {
    for page in &mut pages {
        page.began = date(headers);
    }
    pages
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
