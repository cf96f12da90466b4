//! NDJSON that becomes pages while it comes, and answers that break off on the way.

use std::io::{Read, Write};
use std::net::TcpListener;

use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use super::*;

fn ndjson(body: Body) -> Response<Body> {
    Response::builder().header("content-type", "application/x-ndjson").body(body).expect("a response")
}

fn rows(rows: usize) -> Start {
    Start { limits: Limits { rows, ..Limits::default() }, ..Start::default() }
}

fn lines(numbers: std::ops::RangeInclusive<u32>) -> String {
    numbers.flat_map(|number| ["{\"id\":".to_owned(), number.to_string(), "}\n".to_owned()]).collect()
}

#[tokio::test]
async fn pages_are_there_before_the_answer_ends() {
    let (more, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let answer = Arc::new(move |_: usize, _: Request| {
        let wait = wait.lock().expect("no panic").take().expect("asked once");
        let rest = stream::once(async move { wait.await.map(|()| lines(4..=5)).map_err(std::io::Error::other) });
        ndjson(Body::from_stream(stream::iter([Ok(lines(1..=3))]).chain(rest)))
    });
    let agency = Agency::start(move |at, request| answer(at, request)).await;
    let mut source = agency.open("", rows(2)).await.expect("opened");
    let first = source.next_page().await.expect("readable").expect("a page");
    assert_eq!(ids(std::slice::from_ref(&first)), ["1", "2"]);
    more.send(()).expect("the agency waits for this");
    let rest = rest_of(&mut source).await.expect("readable");
    assert_eq!((ids(&rest), rest[1].resume.as_deref()), (vec!["3".to_owned(), "4".into(), "5".into()], None));
}

#[tokio::test]
async fn any_page_of_a_long_answer_can_be_gone_on_after() {
    let text = format!("\u{FEFF}{}\n \r\n\x1E{}not json\n{}", lines(1..=3), lines(4..=6), lines(7..=7).trim_end());
    let agency = Agency::start(move |_, _| ndjson(Body::from(text.clone()))).await;
    let whole = agency.read_from("max_body = 64\n", rows(2)).await.expect("its lines are short");
    assert_eq!(ids(&whole), ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(whole.iter().map(|page| page.undecodable.len()).sum::<usize>(), 1);
    assert!(whole[3].resume.is_none() && whole[0].began.is_some());
    for at in 0..3 {
        let after = Some(Resume { page: at, place: whole[at as usize].resume.clone().expect("not the last") });
        let rest = agency.read_from("", Start { after, ..rows(2) }).await.expect("readable");
        assert_eq!(ids(&rest), ids(&whole[at as usize + 1..]));
        assert_eq!(rest[0].row_number(0), whole[at as usize + 1].row_number(0));
    }
}

#[tokio::test]
async fn another_answer_than_the_one_begun_is_not_gone_on_with() {
    for body in [lines(1..=5), format!("[{}]", lines(1..=5).trim_end().replace('\n', ","))] {
        let is_document = body.starts_with('[');
        let agency = Agency::start(move |at, _| {
            let body = if at == 0 { body.clone() } else { body.replacen('1', "9", 1) };
            if is_document { json(body) } else { ndjson(Body::from(body)) }
        })
        .await;
        let mut source = agency.open("", rows(2)).await.expect("opened");
        let first = source.next_page().await.expect("readable").expect("a page");
        let after = Some(Resume { page: 0, place: first.resume.expect("more follow") });
        let error = agency.read_from("", Start { after, ..rows(2) }).await.expect_err("another");
        assert!(error.resume_lost() && matches!(error.fault, Fault::AnswerChanged), "{error}");
    }
}

#[tokio::test]
async fn a_line_beyond_the_limit_ends_the_reading() {
    let agency = Agency::start(|_, _| ndjson(Body::from(format!("{}\"{}\"", lines(1..=1), "x".repeat(5000))))).await;
    let error = agency.read("max_body = \"4KiB\"\n").await.expect_err("too long");
    assert_eq!(error.to_string(), "source of job `wage`: the agency sent a line of more than 4096 bytes");
    assert!(!error.transient() && agency.asked() == 1);
}

/// A server that sends the n-th of these byte by byte as they are and hangs up; the last again and again.
fn hanging_up(answers: Vec<String>) -> Agency {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).expect("readable") == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            let at = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            stream.write_all(answers[at].as_bytes()).expect("written");
        }
    });
    Agency { url, asked }
}

fn declared(content_type: &str, body: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn chunked(body: &str, end: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
    format!("{head}{:x}\r\n{body}\r\n{end}", body.len())
}

#[tokio::test]
async fn a_body_shorter_than_declared_is_no_answer() {
    let body = "[{\"id\":1}]";
    let cut = declared("application/json", body, body.len() + 1);
    let agency = hanging_up(vec![cut.clone()]);
    let error = agency.read("").await.expect_err("cut");
    assert!(error.transient() && agency.asked() == 3, "{error}");
    let agency = hanging_up(vec![cut, declared("application/json", body, body.len())]);
    assert_eq!(ids(&agency.read("").await.expect("the second time")), ["1"]);
}

#[tokio::test]
async fn a_page_that_was_cut_is_not_given_out() {
    for cut in [chunked(&lines(1..=3), ""), declared("application/x-ndjson", &lines(1..=3), 1000)] {
        let agency = hanging_up(vec![cut.clone()]);
        let mut source = agency.open("", rows(2)).await.expect("opened");
        let first = source.next_page().await.expect("readable").expect("whole, for a third record came");
        assert_eq!(ids(&[first]), ["1", "2"]);
        let error = source.next_page().await.expect_err("cut");
        assert!(error.transient() && agency.asked() == 3, "{error}");
        assert!(source.next_page().await.expect("nothing more").is_none());

        let agency = hanging_up(vec![cut, chunked(&lines(1..=4), "0\r\n\r\n")]);
        assert_eq!(ids(&agency.read_from("", rows(2)).await.expect("the second time")), ["1", "2", "3", "4"]);
    }
}

#[tokio::test]
async fn a_last_line_cut_off_is_noticed_where_the_length_is_not_known() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    let agency = hanging_up(vec![format!("{head}{}{{\"id\":", lines(1..=1))]);
    let error = agency.read("").await.expect_err("cut");
    assert!(error.transient() && error.to_string().contains("whose last line breaks off"), "{error}");
    let agency = hanging_up(vec![format!("{head}{}", lines(1..=2).trim_end())]);
    assert_eq!(ids(&agency.read("").await.expect("whole")), ["1", "2"]);
}
