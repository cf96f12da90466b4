//! Agencies that ask who we are: tokens that are fetched and end, and signed requests.

use std::sync::Mutex;

use super::*;
use crate::crypto::{SignatureAlgorithm, Signed, content_digest_header};

const FETCHED: &str = "paging = \"cursor\"\nnext = \"/next\"\nauth = { type = \"bearer\", token_url = \"${AGENCY}/token\", \
                       client_id = \"federation\", client_secret = \"s &=cret\" }\n";

/// An agency whose tokens are `token 1`, `token 2` …, and which refuses all that `is_good` does not accept.
struct Office {
    agency: Agency,
    given: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

async fn office(
    expires_in: &'static str,
    is_good: impl Fn(usize, usize) -> bool + Clone + Send + Sync + 'static,
) -> Office {
    let (given, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, refusals) = (given.clone(), refused.clone());
    let answer = move |at: usize, request: Request| {
        if request.uri().path() == "/token" {
            assert_eq!(request.method(), "POST");
            assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
            let form = "grant_type=client_credentials&client_id=federation&client_secret=s+%26%3Dcret";
            assert_eq!(request.body(), form);
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return json(format!(r#"{{"access_token":"token-{number}","token_type":"Bearer"{expires_in}}}"#));
        }
        let presented = request.headers()["authorization"].to_str().expect("text").to_owned();
        let number = presented.strip_prefix("Bearer token-").and_then(|number| number.parse().ok());
        if !is_good(at, number.expect("one of our tokens")) {
            refusals.fetch_add(1, Ordering::SeqCst);
            return status(401, &[("www-authenticate", "Bearer error=\"invalid_token\"")]);
        }
        json(match parameter(&request, "cursor").as_deref() {
            None => r#"{"records":[{"id":1}],"next":"b"}"#,
            Some("b") => r#"{"records":[{"id":2}],"next":"c"}"#,
            Some(_) => r#"{"records":[{"id":3}]}"#,
        })
    };
    Office { agency: Agency::start(answer).await, given, refused }
}

impl Office {
    fn counts(&self) -> (usize, usize) {
        (self.given.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_for_all_pages() {
    let office = office(r#","expires_in":3600"#, |_, number| number == 1).await;
    let mut source = office.agency.open(FETCHED, Start::default()).await.expect("opened");
    assert_eq!(office.counts().0, 0, "none before the first page is wanted");
    assert_eq!(ids(&rest_of(&mut source).await.expect("readable")), ["1", "2", "3"]);
    assert_eq!(office.counts(), (1, 0));
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed_once_for_the_same_page() {
    // Asked: token, page 1, page 2 refused, token, page 2, page 3.
    let office = office("", |at, number| if at < 2 { number == 1 } else { number == 2 }).await;
    assert_eq!(ids(&office.agency.read(FETCHED).await.expect("renewed")), ["1", "2", "3"]);
    assert_eq!((office.counts(), office.agency.asked()), ((2, 1), 6));
}

#[tokio::test]
async fn a_token_is_not_used_beyond_its_life() {
    let office = office(r#","expires_in":"0""#, |_, _| true).await;
    assert_eq!(ids(&office.agency.read(FETCHED).await.expect("readable")), ["1", "2", "3"]);
    assert_eq!(office.counts(), (3, 0));
}

#[tokio::test]
async fn an_agency_that_refuses_new_tokens_too_is_not_asked_again() {
    let office = office("", |_, _| false).await;
    let error = office.agency.read(FETCHED).await.expect_err("refused");
    assert_eq!(office.counts(), (2, 2));
    let said = "source of job `wage`: the agency refuses our credentials, and a new token too: it answered 401; look at \
                `source.auth`";
    assert_eq!((error.to_string().as_str(), error.transient()), (said, false));
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_is_the_end() {
    for code in [401, 403] {
        let agency = Agency::start(move |_, _| status(code, &[])).await;
        let error = agency.read("auth = { type = \"bearer\", token = \"${TOKEN}\" }\n").await.expect_err("refused");
        let said = format!("the agency refuses our credentials: it answered {code}; look at `source.auth`");
        assert!(error.to_string().ends_with(&said) && !error.transient() && agency.asked() == 1, "{error}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    for (answer, transient, asked) in [(401, false, 1), (503, true, 3)] {
        let agency = Agency::start(move |_, request| {
            assert_eq!(request.uri().path(), "/token");
            status(answer, &[])
        })
        .await;
        let error = agency.read(FETCHED).await.expect_err("no token");
        assert!(error.to_string().ends_with(&format!("no token was given: `token_url` answered {answer}")), "{error}");
        assert_eq!((error.transient(), agency.asked()), (transient, asked));
    }
    for body in
        ["<html>", "{}", r#"{"access_token":""}"#, r#"{"access_token":{"a":1}}"#, "{\"access_token\":\"a\\nb\"}"]
    {
        let agency = Agency::start(move |_, _| json(body)).await;
        let error = agency.read(FETCHED).await.expect_err("no token");
        assert!(matches!(error.fault, Fault::NoToken), "{body}: {error}");
        assert!(!format!("{error:?}").contains("cret"));
    }
}

#[tokio::test]
async fn every_request_is_signed_with_its_query_and_body() {
    const KEY: &str = "auth = { type = \"hmac\", key_id = \"federation\", key = \"${TOKEN}\"";
    let now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().expect("an instant");
    for (algorithm, word) in
        [(SignatureAlgorithm::HmacSm3, ""), (SignatureAlgorithm::HmacSha256, ", algorithm = \"hmac-sha256\"")]
    {
        let signed = Arc::new(Mutex::new(Vec::new()));
        let paths = signed.clone();
        let agency = Agency::start(move |_, request| {
            let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
            let (timestamp, content_digest) = (header("x-renzheng-timestamp"), header("content-digest"));
            let path = request.uri().path_and_query().expect("a path").as_str().to_owned();
            let text = Signed {
                method: request.method().as_str(),
                path: &path,
                timestamp: &timestamp,
                content_digest: &content_digest,
            };
            assert!(text.verify(algorithm, b"t0ken", &header("x-renzheng-signature")), "{path}");
            assert_eq!(content_digest, content_digest_header(request.body()));
            assert_eq!(header("x-renzheng-key-id"), "federation");
            let at = DateTime::parse_from_rfc3339(&timestamp).expect("an instant").to_utc();
            assert!((0..60).contains(&(at - now).num_seconds()), "{timestamp}");
            paths.lock().expect("no panic").push(path);
            by_cursor(&request)
        })
        .await;
        let settings = format!("{CURSOR}{KEY}{word} }}\n[source.person]\nurl = \"${{AGENCY}}/person?v=1\"\n");
        let start = Start { now: Some(now), ..Start::default() };
        let mut source = agency.open(&settings, start).await.expect("opened");
        assert_eq!(ids(&rest_of(&mut source).await.expect("readable")), ["1", "2", "3", "4", "5"]);
        // The first answer of `by_cursor` leads on, which one about a person may not.
        assert!(source.ask_person("360001199003070012").await.is_err());
        let expected = ["/v1/wages", "/v1/wages?cursor=b%2F%2B+", "/v1/wages?cursor=7", "/person?v=1"];
        assert_eq!(*signed.lock().expect("no panic"), expected);

        let error = agency.read(&settings).await.expect_err("no time");
        assert!(matches!(error.fault, Fault::NoTime));
    }
}
