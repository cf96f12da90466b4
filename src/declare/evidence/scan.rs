//! The virus scanner, by the protocol of clamd: the file is sent over a socket, a word comes back.
//!
//! Nothing is let through for lack of an answer: whoever has a scanner has it for every file.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::domain::evidence::Refusal;

/// From the connection to the answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);
const PIECE: usize = 64 * 1024;
/// An answer is a line.
const ANSWER_BYTES: u64 = 4096;

/// Where the scanner listens: the path of a socket, or host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanner {
    address: String,
    timeout: Duration,
}

impl Scanner {
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), timeout: TIMEOUT }
    }

    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Refuses what the scanner refuses, and everything while it does not answer.
    pub async fn scan(&self, content: &[u8]) -> Result<(), Refusal> {
        let why = match tokio::time::timeout(self.timeout, self.ask(content)).await {
            Ok(Ok(answer)) if answer.ends_with(" FOUND") => {
                tracing::warn!(answer, "the virus scanner refuses a file");
                return Err(Refusal::Infected);
            }
            Ok(Ok(answer)) if answer == "stream: OK" => return Ok(()),
            Ok(Ok(answer)) => format!("it answered `{answer}`"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", self.timeout.as_secs()),
        };
        tracing::error!(scanner = self.address, why, "the virus scanner cannot be asked, so that files are refused");
        Err(Refusal::ScannerAway)
    }

    async fn ask(&self, content: &[u8]) -> std::io::Result<String> {
        if self.address.starts_with('/') {
            converse(UnixStream::connect(&self.address).await?, content).await
        } else {
            converse(TcpStream::connect(&self.address).await?, content).await
        }
    }
}

/// `INSTREAM`: pieces with their lengths, an empty one at the end; then the answer, closed by a zero byte.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, content: &[u8]) -> std::io::Result<String> {
    stream.write_all(b"zINSTREAM\0").await?;
    for piece in content.chunks(PIECE) {
        stream.write_u32(piece.len() as u32).await?;
        stream.write_all(piece).await?;
    }
    stream.write_u32(0).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).trim_matches(['\0', '\n', ' ']).to_owned())
}
