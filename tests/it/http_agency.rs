//! An agency over HTTP, down to the bytes on its wire: what it has, what it was asked, and every way in which its answers fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use renzheng::config::Environment;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::agency::{Wage, id_number};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub address: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    pub fn path(&self) -> &str {
        self.address.split('?').next().unwrap_or_default()
    }

    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.address.split_once('?')?.1.as_bytes();
        let mut pairs = url::form_urlencoded::parse(query);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Which page of the records was asked for, from 0; nothing if something else was.
    pub fn page(&self) -> Option<usize> {
        let at = || self.parameter("cursor").map_or(Some(0), |cursor| cursor.parse().ok());
        (self.path() == "/v1/wages").then(at).flatten()
    }
}

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// The connection ends without a byte.
    Closed,
    /// Not a byte, ever.
    Silent,
    /// Not a byte after the head.
    SilentAfterHead,
    /// A byte now and then, without end.
    Drip,
    /// More is announced than comes.
    Short,
    /// In chunks, of which the last does not come.
    NoLastChunk,
}

/// What is answered, and how it arrives.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub wire: Wire,
}

impl Reply {
    pub fn json(value: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status: 200, headers, body: value.to_string().into_bytes(), wire: Wire::Whole }
    }

    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), wire: Wire::Whole }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn over(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    async fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("text grows");
        }
        let length = self.body.len() + if self.wire == Wire::Short { 10 } else { 0 };
        match self.wire {
            Wire::Closed => return Ok(()),
            Wire::Silent => return std::future::pending().await,
            Wire::NoLastChunk => head += "transfer-encoding: chunked\r\n\r\n",
            _ if self.status == 304 => head += "\r\n",
            _ => write!(head, "content-length: {length}\r\n\r\n").expect("text grows"),
        }
        stream.write_all(head.as_bytes()).await?;
        match self.wire {
            Wire::SilentAfterHead => return std::future::pending().await,
            Wire::Drip => {
                let mut beat = tokio::time::interval(Duration::from_millis(25));
                for byte in self.body.chunks(1) {
                    beat.tick().await;
                    stream.write_all(byte).await?;
                }
            }
            Wire::NoLastChunk => {
                stream.write_all(format!("{:x}\r\n", self.body.len()).as_bytes()).await?;
                stream.write_all(&self.body).await?;
                stream.write_all(b"\r\n").await?;
            }
            _ => stream.write_all(&self.body).await?,
        }
        stream.shutdown().await
    }
}

/// A server on loopback that answers by a function and remembers what it was asked.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    locked(&log).push(request.clone());
                    // who asked may have gone
                    drop(answer(&request).send(&mut stream).await);
                });
            }
        });
        Self { url, asked }
    }

    /// Everything that was asked since this was asked last.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut locked(&self.asked))
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut words = lines.next()?.split(' ');
            let (method, address) = (words.next()?.to_owned(), words.next()?.to_owned());
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(Asked { method, address, headers, body: body.to_owned() });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

/// What an answer is turned into on its way out.
pub type Tamper = fn(&Asked, Reply) -> Reply;

/// How a record is changed on its way.
pub type Form = fn(&mut serde_json::Map<String, Value>);

/// What happens at the agency.
pub type Change = fn(&mut Desk);

/// Which page is tampered with (any, if none is named), how often, and how.
pub type Tampering = (Option<usize>, usize, Tamper);

/// What the agency has and how it behaves now.
pub struct Desk {
    pub records: Vec<Wage>,
    pub page_size: usize,
    /// The order of the pages and which of them come: numbers of pages, if not all in turn.
    pub order: Option<Vec<usize>>,
    /// What it announces, if not how many there are.
    pub announced: Option<u64>,
    /// Renames or changes a record on its way.
    pub form: Form,
    /// Answers to these pages (any, if none is named) are tampered with, so many times.
    pub tamper: Option<Tampering>,
    /// Happens after so many further pages.
    pub later: Option<(usize, Change)>,
    /// What one person is asked for by is out of order.
    pub person_down: bool,
    /// Everything in one answer, known by this tag.
    pub tag: Option<String>,
    /// The token that is good now; none is needed where there is none. Each asking for a token makes the next.
    pub token: Option<u32>,
    /// It gives out only what was good before.
    pub stale_tokens: bool,
}

type SharedDesk = Arc<Mutex<Desk>>;

/// The wage records of one agency by cursor pages, and of single people by POST.
pub struct WageAgency {
    pub server: Server,
    pub desk: SharedDesk,
}

impl WageAgency {
    pub async fn start(records: Vec<Wage>, page_size: usize) -> Self {
        let desk = Arc::new(Mutex::new(Desk {
            records,
            page_size,
            order: None,
            announced: None,
            form: |_| (),
            tamper: None,
            later: None,
            person_down: false,
            tag: None,
            token: None,
            stale_tokens: false,
        }));
        let of_server = desk.clone();
        let server = Server::start(move |asked| locked(&of_server).answer(asked)).await;
        Self { server, desk }
    }

    pub fn change(&self, change: impl FnOnce(&mut Desk)) {
        change(&mut locked(&self.desk));
    }

    pub fn environment(&self) -> Environment {
        Environment::only([("AGENCY", self.server.url.as_str())])
    }

    /// The pages that were asked for since this was asked last.
    pub fn take_pages(&self) -> Vec<usize> {
        self.server.take_asked().iter().filter_map(Asked::page).collect()
    }
}

impl Desk {
    /// Everything is well again.
    pub fn recover(&mut self) {
        self.order = None;
        self.announced = None;
        self.form = |_| ();
        self.tamper = None;
        self.later = None;
        self.person_down = false;
        self.stale_tokens = false;
    }

    fn record(&self, wage: &Wage) -> Value {
        let line = wage.line();
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        let names = ["record_id", "updated_at", "deleted", "id_number", "name", "payer_uscc", "period", "amount"];
        let mut record: serde_json::Map<String, Value> =
            names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.into())).collect();
        (self.form)(&mut record);
        record.into()
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some((left, change)) = self.later {
            self.later = (left > 0).then_some((left.saturating_sub(1), change));
            if left == 0 {
                change(self);
            }
        }
        let reply = self.honest_answer(asked);
        match self.tamper {
            Some((page, times, tamper)) if times > 0 && (page.is_none() || asked.page() == page) => {
                self.tamper = Some((page, times - 1, tamper));
                tamper(asked, reply)
            }
            _ => reply,
        }
    }

    fn honest_answer(&mut self, asked: &Asked) -> Reply {
        if asked.path() == "/token" {
            let next = self.token.unwrap_or(0) + u32::from(!self.stale_tokens);
            self.token = if self.stale_tokens { self.token } else { Some(next) };
            let given = if self.stale_tokens { "stale".to_owned() } else { format!("t{next}") };
            return Reply::json(&json!({ "access_token": given, "expires_in": 3600 }));
        }
        let wanted = self.token.map(|token| format!("Bearer t{token}"));
        if wanted.is_some() && asked.headers.get("authorization") != wanted.as_ref() {
            return Reply::status(401);
        }
        if asked.path() == "/v1/person" {
            if self.person_down {
                return Reply::status(503);
            }
            let body: Value = serde_json::from_str(&asked.body).expect("JSON");
            let of_person = self.records.iter().filter(|wage| body["zjhm"] == id_number(wage.person));
            let records: Vec<Value> = of_person.map(|wage| self.record(wage)).collect();
            return Reply::json(&json!({ "records": records }));
        }
        let since = asked.parameter("since").map(|since| seconds_of(&since));
        let wanted = self.records.iter().filter(|wage| since.is_none_or(|since| i64::from(wage.stamp) >= since));
        let wanted: Vec<&Wage> = wanted.collect();
        if let Some(tag) = &self.tag {
            if asked.headers.get("if-none-match") == Some(tag) {
                return Reply::status(304).header("etag", tag);
            }
            let records: Vec<Value> = wanted.iter().map(|wage| self.record(wage)).collect();
            return Reply::json(&json!({ "records": records })).header("etag", tag);
        }
        let pages: Vec<&[&Wage]> = wanted.chunks(self.page_size).collect();
        let turns = self.order.clone().unwrap_or_else(|| (0..pages.len()).collect());
        let at = asked.page().expect("a page");
        let page = turns.get(at).and_then(|page| pages.get(*page)).copied().unwrap_or_default();
        let records: Vec<Value> = page.iter().map(|wage| self.record(wage)).collect();
        let next = (at + 1 < turns.len()).then(|| (at + 1).to_string());
        let total = self.announced.unwrap_or(wanted.len() as u64);
        Reply::json(&json!({ "records": records, "next": next, "total": total }))
    }
}

/// Seconds after 2026-01-01 in Shanghai, which is how stamps are written in these tests.
pub fn seconds_of(instant: &str) -> i64 {
    let zero: chrono::DateTime<chrono::FixedOffset> = "2026-01-01T00:00:00+08:00".parse().expect("an instant");
    let at = chrono::DateTime::parse_from_rfc3339(instant).expect("an instant");
    (at - zero).num_seconds()
}
