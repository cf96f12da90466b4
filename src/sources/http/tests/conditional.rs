//! Asking whether anything changed, waiting as long as one is asked to, and not for ever.

use futures_util::stream;

use super::*;
use crate::http::BodyError;

fn tagged(name: &str, value: &str) -> Response<Body> {
    let response = Response::builder().header("content-type", "application/json").header(name, value);
    response.body(Body::from("[{\"id\":1}]")).expect("a response")
}

#[tokio::test]
async fn who_has_everything_asks_whether_anything_changed() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (name, asks_by, value) in [
        ("etag", "if-none-match", "\"v1\""),
        ("etag", "if-none-match", "W/\"v1\""),
        ("last-modified", "if-modified-since", date),
    ] {
        let agency = Agency::start(move |_, request| match request.headers().get(asks_by) {
            Some(known) if known == value => status(304, &[(name, value)]),
            _ => tagged(name, value),
        })
        .await;
        let mut source = agency.open("", Start::default()).await.expect("opened");
        assert_eq!(source.validator(), None);
        assert_eq!(ids(&rest_of(&mut source).await.expect("readable")), ["1"]);
        let validator = source.validator().map(str::to_owned);
        assert_eq!((validator.as_deref(), source.unchanged()), (Some(value), false));

        let mut source = agency.open("", Start { validator, ..Start::default() }).await.expect("opened");
        assert!(source.next_page().await.expect("answered").is_none());
        assert_eq!((source.unchanged(), source.validator()), (true, Some(value)));

        let validator = Some("\"v0\"".to_owned());
        let mut source = agency.open("", Start { validator, ..Start::default() }).await.expect("opened");
        assert_eq!(ids(&rest_of(&mut source).await.expect("changed")), ["1"]);
        assert!(!source.unchanged());
    }
}

#[tokio::test]
async fn one_page_of_many_or_the_rest_of_an_answer_is_not_asked_for_conditionally() {
    let agency = Agency::start(|_, request| {
        assert!(request.headers().get("if-none-match").is_none());
        tagged("etag", "\"v1\"")
    })
    .await;
    let validator = Some("\"v1\"".to_owned());
    let paged = agency.open("paging = \"link\"\n", Start { validator: validator.clone(), ..Start::default() }).await;
    let mut paged = paged.expect("opened");
    assert_eq!(ids(&rest_of(&mut paged).await.expect("readable")), ["1"]);
    assert_eq!(paged.validator(), None);
    let after = Some(Resume { page: 0, place: "0 first".to_owned() });
    let rest = agency.read_from("", Start { after, validator, ..Start::default() }).await.expect("readable");
    assert_eq!(ids(&rest), ["1"]);

    let unasked = Agency::start(|_, _| status(304, &[])).await;
    let error = unasked.read("").await.expect_err("nobody asked so");
    assert!(matches!(error.fault, Fault::Status { status: 304, .. }));
}

#[tokio::test]
async fn a_wait_that_cannot_be_meant_gives_way_to_our_own() {
    for text in ["-1", "soon", "1.5"] {
        let agency = Agency::start(
            move |at, _| if at == 0 { status(429, &[("retry-after", text)]) } else { json("[{\"id\":1}]") },
        );
        assert_eq!(ids(&agency.await.read("").await.expect("the second time")), ["1"]);
    }
}

/// A body that brings a byte now and then and never ends.
fn drip() -> Response<Body> {
    let ticks = tokio::time::interval(Duration::from_millis(10));
    let bytes = stream::unfold(ticks, async |mut ticks| {
        ticks.tick().await;
        Some((Ok::<_, std::io::Error>(" "), ticks))
    });
    Response::builder().header("content-type", "application/json").body(Body::from_stream(bytes)).expect("a response")
}

#[tokio::test]
async fn an_answer_that_drips_ends_with_the_jobs_time() {
    let agency = Agency::start(|_, _| drip()).await;
    let mut source = agency.open_within("300ms", "", Start::default()).await.expect("opened");
    let error = source.next_page().await.expect_err("too slow");
    assert!(matches!(error.fault, Fault::TooSlow { .. }) && error.transient(), "{error}");
    assert_eq!(agency.asked(), 1, "there is no time left to ask again");
    assert!(error.to_string().ends_with("did not end within the job's `timeout` of 300ms"), "{error}");
}

#[tokio::test]
async fn silence_after_the_head_is_noticed_and_the_agency_asked_again() {
    let silent = || Response::new(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
    let agency = Agency::start(move |at, _| if at == 0 { silent() } else { json("[{\"id\":1}]") }).await;
    assert_eq!(ids(&agency.read("idle_timeout = \"100ms\"\n").await.expect("the second time")), ["1"]);
}

fn gzip(content_type: &str, content: &[u8]) -> Response<Body> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    let body = encoder.finish().expect("compressed");
    let head = Response::builder().header("content-type", content_type).header("content-encoding", "gzip");
    head.body(Body::from(body)).expect("a response")
}

#[tokio::test]
async fn a_compressed_answer_counts_by_what_it_becomes() {
    let bomb = [b"[\"".to_vec(), vec![b'x'; 16 << 20], b"\"]".to_vec()].concat();
    for content_type in ["application/json", "application/x-ndjson"] {
        let answer = gzip(content_type, &bomb);
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("small on the way");
        let agency = Agency::start(move |_, _| Response::from_parts(head.clone(), Body::from(body.clone()))).await;
        let error = agency.read("max_body = \"1MiB\"\n").await.expect_err("a bomb");
        let limit = 1 << 20;
        let too_large = matches!(error.fault, Fault::Body(BodyError::TooLarge { limit_bytes } | BodyError::LineTooLarge { limit_bytes }) if limit_bytes == limit);
        assert!(too_large && !error.transient() && agency.asked() == 1, "{error}");
    }
    let agency = Agency::start(|_, _| gzip("application/json", b"[{\"id\":1}]")).await;
    assert_eq!(ids(&agency.read("").await.expect("small")), ["1"]);
}
