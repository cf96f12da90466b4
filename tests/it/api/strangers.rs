//! Whoever shows no token: slow ones, and many of them, hold up neither token holders nor other strangers.

use std::net::{Ipv4Addr, SocketAddr};

use renzheng::domain::access::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Api, Says};
use crate::access::{E1, province, unit, user};
use crate::website::Website;

/// Somebody at an address of this machine who announces a body and sends its first sign.
async fn begin(server: SocketAddr, from: u8, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).expect("an address of this machine");
    let mut stream = socket.connect(server).await.expect("connected");
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 200\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_who_do_not_finish_their_sentence_hold_up_nobody() {
    let province = province("api_slow").await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let server: SocketAddr = site.url.trim_start_matches("http://").parse().expect("an address");
    let mut slow = Vec::new();
    for number in 0..300_u16 {
        let path = if number % 3 == 0 { "/api/v1/certification-checks" } else { "/api/v1/person/looks" };
        // each address as often as it may
        slow.push(begin(server, 10 + (number / 20) as u8, path).await);
    }
    for _ in 0..20 {
        let session = api.call(&token, "read_session", Says::default()).await;
        assert_eq!(session.status, 200, "{}", session.text);
    }
    let papers = json!({ "id_number": "360001196501010019", "certificate_number": "36000119650101001942", "code": "2222-2222-2222" });
    let stranger = api.call("", "list_own_looks", Says::default().body(json!({ "credentials": papers }))).await;
    assert_eq!(stranger.problem(), (404, "not_fitting".to_owned()));
    let check = Says::default().body(json!({ "number": "36-2025-00000001", "code": "2222" }));
    assert_eq!(api.call("", "check_certification", check).await.problem(), (404, "no_such_document".to_owned()));
}

/// The head of what comes, in small letters.
async fn head_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await.expect("an answer") == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&answer).to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_is_told_before_they_have_said_anything() {
    let province = province("api_eager").await;
    let site = Website::of(&province.harness.store).await;
    let server: SocketAddr = site.url.trim_start_matches("http://").parse().expect("an address");
    let doors = [
        (7, "/api/v1/certification-checks", 10, "application/problem+json"),
        (8, "/check", 10, "text/html"),
        (9, "/api/v1/person/looks", 30, "application/problem+json"),
    ];
    for (from, path, a_minute, kind) in doors {
        let mut asked = Vec::new();
        for _ in 0..=a_minute {
            asked.push(Box::pin(head_of(begin(server, from, path).await)));
        }
        // the others say on, and nobody answers them
        let (told, _, rest) = futures_util::future::select_all(asked).await;
        assert_eq!(rest.len(), a_minute);
        assert!(told.starts_with("http/1.1 429 ") && told.contains("\r\nretry-after: "), "{path}: {told}");
        assert!(told.contains(kind), "{path}: {told}");
    }
}
