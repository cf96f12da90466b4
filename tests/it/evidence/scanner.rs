//! The virus scanner over a real socket: what it refuses is refused, and nothing passes for lack of an answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use renzheng::declare::evidence::{Attaching, Scanner, attach};
use renzheng::domain::review::Ground;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::made::{jpeg, pdf, png};
use super::{Desk, E1, code, operator};

/// What a JPEG says is `FOUND`, a PDF an `ERROR`, anything else `OK`; every file it got whole.
#[derive(Clone, Default)]
struct Clamd(Arc<Mutex<Vec<Vec<u8>>>>);

impl Clamd {
    async fn converse(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut command = [0; 10];
        stream.read_exact(&mut command).await?;
        assert_eq!(&command, b"zINSTREAM\0");
        let mut content = Vec::new();
        loop {
            let length = stream.read_u32().await? as usize;
            if length == 0 {
                break;
            }
            let begin = content.len();
            content.resize(begin + length, 0);
            stream.read_exact(&mut content[begin..]).await?;
        }
        let answer: &[u8] = match &content[..2] {
            b"\xff\xd8" => b"stream: Synthetic.Test FOUND\0",
            b"%P" => b"INSTREAM size limit exceeded. ERROR\0",
            _ => b"stream: OK\0",
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(content);
        stream.write_all(answer).await
    }

    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn scanned(desk: &Desk, scanner: &Scanner, name: &str, content: &[u8]) -> String {
    let subjects = [desk.cell("2025-03", Ground::Wage).await];
    let attaching = Attaching { employer: desk.unit(E1).await, file_name: name, subjects: &subjects };
    code(attach(&desk.store, Some(scanner), &operator(), &attaching, content).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_passes_the_scanner_by_either_kind_of_socket_or_is_refused() {
    let desk = Desk::open("evidence_scanned").await;
    let clamd = Clamd::default();
    let by_address = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = by_address.local_addr().expect("an address").to_string();
    let socket = std::env::temp_dir().join(format!("renzheng-clamd-{}", std::process::id()));
    let by_path = UnixListener::bind(&socket).expect("a socket");
    let (one, other) = (clamd.clone(), clamd.clone());
    let listening = [
        tokio::spawn(async move {
            while let Ok((stream, _)) = by_address.accept().await {
                one.converse(stream).await.expect("a conversation");
            }
        }),
        tokio::spawn(async move {
            while let Ok((stream, _)) = by_path.accept().await {
                other.converse(stream).await.expect("a conversation");
            }
        }),
    ];
    for place in [address, socket.to_str().expect("UTF-8").to_owned()] {
        let scanner = Scanner::new(place);
        let long = [png(), vec![0; 200_000]].concat();
        assert_eq!(scanned(&desk, &scanner, "a.png", &long).await, "taken");
        assert_eq!(clamd.take(), [long]);
        assert_eq!(scanned(&desk, &scanner, "a.jpg", &jpeg()).await, "infected");
        assert_eq!(scanned(&desk, &scanner, "a.pdf", &pdf(b"")).await, "scanner_away");
        clamd.take();
    }
    assert_eq!(desk.count("select count(*) from evidence where scanned_at is not null").await, 1);
    assert_eq!(desk.files().len(), 1, "nothing else rests anywhere");
    listening.iter().for_each(tokio::task::JoinHandle::abort);
    std::fs::remove_file(socket).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_of_the_scanner_nothing_passes() {
    let desk = Desk::open("evidence_no_scanner").await;
    let nobody = Scanner::new("127.0.0.1:1");
    assert_eq!(scanned(&desk, &nobody, "a.png", &png()).await, "scanner_away");
    // one that listens and says nothing
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let scanner = Scanner::new(silent.local_addr().expect("an address").to_string());
    let scanner = scanner.with_timeout(Duration::from_millis(50));
    assert_eq!(scanned(&desk, &scanner, "a.png", &png()).await, "scanner_away");
    // one that hangs up
    let address = silent.local_addr().expect("an address").to_string();
    let hanging_up = tokio::spawn(async move {
        while let Ok((stream, _)) = silent.accept().await {
            drop(stream);
        }
    });
    assert_eq!(scanned(&desk, &Scanner::new(address), "a.png", &png()).await, "scanner_away");
    hanging_up.abort();
    assert_eq!((desk.count("select count(*) from evidence").await, desk.files().len()), (0, 0));
}
