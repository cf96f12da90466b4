//! Agencies as servers on loopback: every way of paging, and the ways in which they fail.

mod auth;
mod conditional;
mod stream;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::routing::any;

use super::*;
use crate::sources::page::CellKind;
use crate::sources::{Resume, Source, SourceError};

type Request = axum::http::Request<Bytes>;

/// A server that answers the n-th request (from 0) by a function of it.
struct Agency {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Agency {
    async fn start(answer: impl Fn(usize, Request) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let handler = any(async move |request: axum::extract::Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            answer(count.fetch_add(1, Ordering::SeqCst), Request::from_parts(head, body))
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback_service(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn open(&self, settings: &str, start: Start) -> Result<Source, SourceError> {
        self.open_within("2h", settings, start).await
    }

    async fn open_within(&self, timeout: &str, settings: &str, start: Start) -> Result<Source, SourceError> {
        let text = format!(
            "kind = \"pull\"\nrecord = \"wage\"\ntimeout = \"{timeout}\"\nretry = {{ attempts = 3, backoff = \"1ms\", max_backoff = \"2ms\" }}\n\
             [source]\ntype = \"http\"\nurl = \"${{AGENCY}}/v1/wages\"\n{settings}"
        );
        let job = Job::parse(std::path::Path::new("wage.toml"), &text).expect("a job");
        Source::open(&job, &Environment::only([("AGENCY", self.url.as_str()), ("TOKEN", "t0ken")]), start).await
    }

    async fn read_from(&self, settings: &str, start: Start) -> Result<Vec<Page>, SourceError> {
        let mut source = self.open(settings, start).await?;
        rest_of(&mut source).await
    }

    async fn read(&self, settings: &str) -> Result<Vec<Page>, SourceError> {
        self.read_from(settings, Start::default()).await
    }
}

async fn rest_of(source: &mut Source) -> Result<Vec<Page>, SourceError> {
    let mut pages = Vec::new();
    while let Some(page) = source.next_page().await? {
        pages.push(page);
    }
    Ok(pages)
}

fn json(text: impl Into<String>) -> Response<Body> {
    Response::builder().header("content-type", "application/json").body(Body::from(text.into())).expect("a response")
}

fn status(code: u16, headers: &[(&str, &str)]) -> Response<Body> {
    let builder =
        headers.iter().fold(Response::builder().status(code), |builder, (name, value)| builder.header(*name, *value));
    builder.body(Body::empty()).expect("a response")
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    let url = Url::parse(&format!("http://x{}", request.uri())).expect("an address");
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn ids(pages: &[Page]) -> Vec<String> {
    let of_page = |page: &Page| {
        let column = page.find_column("id").unwrap_or(usize::MAX);
        (0..page.len()).filter_map(|row| page.get(row, column)).map(|value| value.text.to_owned()).collect::<Vec<_>>()
    };
    pages.iter().flat_map(of_page).collect()
}

const CURSOR: &str = "paging = \"cursor\"\nnext = \"/next\"\ntotals = \"/total\"\n";

fn by_cursor(request: &Request) -> Response<Body> {
    json(match parameter(request, "cursor").as_deref() {
        None => r#"{"records":[{"id":1},{"id":2},{"id":3}],"next":"b/+ ","total":5}"#,
        Some("b/+ ") => r#"{"records":[{"id":4}],"next":7,"total":5}"#,
        Some("7") => r#"{"records":[{"id":5}],"next":null,"total":5}"#,
        Some(_) => return status(410, &[]),
    })
}

#[tokio::test]
async fn a_cursor_leads_through_all_pages_and_any_of_them_can_be_gone_on_after() {
    let agency = Agency::start(|_, request| by_cursor(&request)).await;
    let whole = agency.read(CURSOR).await.expect("readable");
    assert_eq!(ids(&whole), ["1", "2", "3", "4", "5"]);
    assert_eq!(whole.iter().map(|page| page.announced_total).collect::<Vec<_>>(), [Some(5); 3]);
    assert!(whole[2].resume.is_none() && whole[0].began.is_some());

    let small = Start { limits: Limits { rows: 2, ..Limits::default() }, ..Start::default() };
    let whole = agency.read_from(CURSOR, small.clone()).await.expect("readable");
    assert_eq!(whole.len(), 4, "the first answer makes two pages");
    for at in 0..3 {
        let after = Some(Resume { page: at, place: whole[at as usize].resume.clone().expect("not the last") });
        let rest = agency.read_from(CURSOR, Start { after, ..small.clone() }).await.expect("readable");
        assert_eq!(ids(&rest), ids(&whole[at as usize + 1..]));
        assert_eq!(rest[0].number, at + 1);
    }
    let after = Some(Resume { page: 0, place: "0 cursor forgotten".to_owned() });
    let error = agency.read_from(CURSOR, Start { after, ..small }).await.expect_err("gone");
    assert!(error.resume_lost(), "{error}");
}

#[tokio::test]
async fn a_cursor_that_comes_back_is_an_error() {
    let agency = Agency::start(|at, _| json(format!(r#"{{"records":[{{"id":{at}}}],"next":"c{}"}}"#, at % 3))).await;
    let error = agency.read(CURSOR).await.expect_err("it loops");
    assert_eq!(error.to_string(), "source of job `wage`: the agency sends the same cursor again and again");
    assert!(!error.transient() && agency.asked() <= 4);
}

#[tokio::test]
async fn pages_are_counted_to_the_first_empty_one_or_the_announced_number() {
    let answer = |_: usize, request: Request| {
        assert_eq!(parameter(&request, "page_size").as_deref(), Some("100"));
        json(match parameter(&request, "page").as_deref() {
            Some("1") => r#"{"records":[{"id":1},{"id":2}],"total":3}"#,
            Some("2") => r#"{"records":[{"id":3}],"total":3}"#,
            _ => r#"{"records":[],"total":3}"#,
        })
    };
    let agency = Agency::start(answer).await;
    let settings = "paging = \"page\"\npage_size = 100\n";
    assert_eq!(ids(&agency.read(settings).await.expect("readable")), ["1", "2", "3"]);
    assert_eq!(agency.asked(), 3);
    assert_eq!(
        ids(&agency.read(&format!("{settings}totals = \"/total\"\n")).await.expect("readable")),
        ["1", "2", "3"]
    );
    assert_eq!(agency.asked(), 5);

    let stubborn = Agency::start(|_, _| json(r#"{"records":[{"id":1}]}"#)).await;
    assert!(stubborn.read("paging = \"page\"\n").await.is_err(), "the same page again and again");
}

#[tokio::test]
async fn links_are_followed_at_the_same_host_only() {
    let answer = |_: usize, request: Request| match request.uri().query() {
        None => Response::builder()
            .header("link", "</v1/first>; rel=\"first\", </v1/wages?after=1>; rel=\"next\"")
            .header("content-type", "application/x-ndjson")
            .body(Body::from("{\"id\":1}\n\n{\"id\":2}\n"))
            .expect("a response"),
        Some("after=1") => json("[{\"id\":3}]"),
        Some(_) => status(404, &[]),
    };
    let agency = Agency::start(answer).await;
    assert_eq!(ids(&agency.read("paging = \"link\"\n").await.expect("readable")), ["1", "2", "3"]);

    let foreign = Agency::start(|_, _| json(r#"{"records":[{"id":1}],"next":"http://elsewhere.invalid/"}"#)).await;
    let error = foreign.read("paging = \"link\"\nnext = \"/next\"\n").await.expect_err("elsewhere");
    assert!(matches!(error.fault, Fault::ForeignLink));

    let moved =
        Agency::start(|at, _| if at == 0 { status(307, &[("location", "/v2")]) } else { json("[{\"id\":1}]") }).await;
    assert_eq!(ids(&moved.read("").await.expect("moved within the host")), ["1"]);
    let sent_away = Agency::start(|_, _| status(302, &[("location", "http://127.0.0.2:1/")])).await;
    let error = sent_away.read("").await.expect_err("elsewhere");
    assert!(matches!(error.fault, Fault::Status { status: 302, .. }) && !error.transient());
}

#[tokio::test]
async fn a_failing_agency_is_asked_again_but_not_for_ever() {
    let agency = Agency::start(|at, _| if at < 2 { status(503, &[]) } else { json("[{\"id\":1}]") }).await;
    assert_eq!(ids(&agency.read("").await.expect("the third time")), ["1"]);
    let agency = Agency::start(|_, _| status(500, &[])).await;
    let error = agency.read("").await.expect_err("never");
    assert!(error.transient() && agency.asked() == 3, "{error}");
    let agency = Agency::start(|_, _| status(403, &[])).await;
    let error = agency.read("").await.expect_err("refused");
    assert!(!error.transient() && agency.asked() == 1, "{error}");
}

#[tokio::test]
async fn an_agency_that_names_a_time_is_left_alone_until_then() {
    let now = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let past = ("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT");
    let agency = Agency::start(move |at, _| match at {
        0 => status(429, &[("retry-after", "0")]),
        1 => status(429, &[now, past]),
        _ => json("[{\"id\":1}]"),
    })
    .await;
    assert_eq!(ids(&agency.read("").await.expect("the third time")), ["1"]);
    for (after, seconds) in [("120", 120), ("31536000", 6 * 3600), ("Sun, 06 Nov 1994 09:49:37 GMT", 3600)] {
        let agency = Agency::start(move |_, _| status(429, &[now, ("retry-after", after)])).await;
        let error = agency.read("").await.expect_err("later");
        assert_eq!((error.retry_after(), agency.asked()), (Some(Duration::from_secs(seconds)), 1), "{after}");
    }
}

#[tokio::test]
async fn what_breaks_off_or_is_something_else_is_no_page() {
    let cut = r#"{"records":[{"id":1},{"id""#;
    let agency = Agency::start(move |at, _| json(if at == 0 { cut } else { "[{\"id\":1}]" })).await;
    assert_eq!(ids(&agency.read("").await.expect("the second time")), ["1"]);

    let web_page = || Response::builder().header("content-type", "text/html").body(Body::from("<html>")).expect("one");
    let agency = Agency::start(move |_, _| web_page()).await;
    let error = agency.read("").await.expect_err("a login page").to_string();
    assert_eq!(error, "source of job `wage`: the agency sent a web page where JSON is expected");

    for (body, what) in [
        (r#"{"data":[]}"#, "no records"),
        (r#"{"records":{}}"#, "something else than an array"),
        (r#"{"records":[],"total":"many"}"#, "something else than a count"),
        ("", "what is not JSON (it breaks off)"),
    ] {
        let agency = Agency::start(move |_, _| json(body)).await;
        let error = agency.read("totals = \"/total\"\n").await.expect_err("no page").to_string();
        assert!(error.contains(&format!("the agency sent {what} where")), "{error}");
    }
}

#[tokio::test]
async fn a_body_cut_off_under_way_is_asked_for_again_and_one_too_large_is_not() {
    let broken = || {
        let parts = [Ok("[{\"id\":1},"), Err(std::io::Error::other("cut"))];
        Response::new(Body::from_stream(futures_util::stream::iter(parts)))
    };
    let agency = Agency::start(move |at, _| if at == 0 { broken() } else { json("[{\"id\":1}]") }).await;
    assert_eq!(ids(&agency.read("").await.expect("the second time")), ["1"]);

    let agency = Agency::start(|_, _| json(format!("[\"{}\"]", "x".repeat(5000)))).await;
    let error = agency.read("max_body = \"4KiB\"\n").await.expect_err("too large");
    assert_eq!(error.to_string(), "source of job `wage`: the agency sent an answer of more than 4096 bytes");
    assert!(!error.transient() && agency.asked() == 1);
    assert_eq!(agency.read("max_body = 6000\n").await.expect("fits")[0].undecodable.len(), 1);
}

#[tokio::test]
async fn nobody_there_helps_later_and_is_said_without_the_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let agency = Agency { url, asked: Arc::default() };
    let error = agency.read("").await.expect_err("nobody");
    assert!(error.transient());
    let chain = format!("{:#}", anyhow::Error::new(error));
    assert!(chain.contains("cannot be reached") && !chain.contains("/v1/wages"), "{chain}");
}

#[tokio::test]
async fn a_number_is_what_was_written() {
    let agency = Agency::start(|_, _| json(r#"[{"amount":3500.10,"big":36000019900307123456,"text":"1.0"}]"#)).await;
    let pages = agency.read("").await.expect("readable");
    let cells: Vec<_> = pages[0].raw(0).into_iter().map(|(_, value)| (value.text, value.kind)).collect();
    let expected = [("3500.10", CellKind::Number), ("36000019900307123456", CellKind::Number), ("1.0", CellKind::Text)];
    assert_eq!(cells, expected);
}

#[tokio::test]
async fn the_watermark_less_the_overlap_and_the_credentials_are_sent() {
    let answer = |_: usize, request: Request| {
        assert_eq!(parameter(&request, "updated_since").as_deref(), Some("2025-04-01T23:00:00Z"));
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        assert!(matches!(authorization, Some("Bearer t0ken" | "Basic dTp0MGtlbg==")));
        json("[]")
    };
    let agency = Agency::start(answer).await;
    let since = Some("2025-04-02T00:00:00Z".parse().expect("an instant"));
    for auth in ["type = \"bearer\", token = \"${TOKEN}\"", "type = \"basic\", user = \"u\", password = \"${TOKEN}\""] {
        let settings = format!("since = \"updated_since\"\noverlap = \"1h\"\nauth = {{ {auth} }}\n");
        let start = Start { since, ..Start::default() };
        let pages = agency.read_from(&settings, start).await.expect("readable");
        assert_eq!((pages.len(), pages[0].len()), (1, 0));
    }
    let error = agency.read("ca_file = \"${UNSET}\"\n").await.expect_err("unset").to_string();
    assert_eq!(error, "source of job `wage`: wage.toml:8: `source.ca_file`: the variable `UNSET` is not set");
}

#[tokio::test]
async fn one_person_is_asked_for_in_the_body() {
    let answer = |_: usize, request: Request| {
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "/v1/person"));
        assert_eq!(request.body(), r#"{"zjhm":"360001199003070012"}"#);
        json(r#"{"records":[{"id":1}]}"#)
    };
    let agency = Agency::start(answer).await;
    let person = "[source.person]\nurl = \"${AGENCY}/v1/person\"\nbody = \"zjhm\"\n";
    let mut source = agency.open(person, Start::default()).await.expect("opened");
    assert_eq!(ids(&source.ask_person("360001199003070012").await.expect("answered")), ["1"]);
    let mut source = agency.open("", Start::default()).await.expect("opened");
    assert!(matches!(source.ask_person("x").await.expect_err("no request").fault, Fault::NoPersonRequest));
}
