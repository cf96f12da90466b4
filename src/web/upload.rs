//! A file as the body of a request: read piece by piece, and held to the digest that names it.

use std::io;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Parameter, RequestBody, SchemaObject};
use aide::operation::{add_parameters, set_body};
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use percent_encoding::percent_decode_str;
use schemars::json_schema;
use sha2::{Digest, Sha256};
use tokio::io::AsyncRead;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::io::StreamReader;

use super::input::has_control_sign;
use super::load::overloaded;
use super::once::{CONTENT_DIGEST, FILE_NAME, header_parameter};
use super::problem::Problem;

/// A body of at most so many bytes, not read yet.
pub(super) struct Upload<const MOST: usize> {
    body: Body,
    digest: [u8; 32],
    room: Room,
}

/// Files that are worked on at once, at most: each is held in memory while it is looked into.
static ROOM: Semaphore = Semaphore::const_new(16);

/// To be held until the work on a file is done.
pub(super) struct Room(#[expect(dead_code, reason = "what counts is when it ends")] SemaphorePermit<'static>);

/// Why a body is not taken as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UploadFault {
    #[error("the body is larger than is taken here")]
    TooLarge,
    #[error("the body that came has another SHA-256 than its `Content-Digest` says: send it again")]
    OtherDigest,
}

impl<S: Send + Sync, const MOST: usize> FromRequest<S> for Upload<MOST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let digest = digest_of(request.headers())?;
        let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > MOST as u64) {
            return Err(Problem::too_large());
        }
        let room = Room(ROOM.try_acquire().map_err(|_| overloaded())?);
        Ok(Self { body: request.into_body(), digest, room })
    }
}

/// The SHA-256 among the digests that are said (RFC 9530).
pub(super) fn digest_of(headers: &HeaderMap) -> Result<[u8; 32], Problem> {
    let said = headers.get(CONTENT_DIGEST).and_then(|said| said.to_str().ok()).unwrap_or_default();
    let digest = said.split(',').find_map(|one| one.trim().strip_prefix("sha-256=:")?.strip_suffix(':'));
    let digest = digest.and_then(|digest| STANDARD.decode(digest).ok()?.try_into().ok());
    digest.ok_or_else(|| {
        let detail = "whoever sends a file says its SHA-256 first, as `Content-Digest: sha-256=:BASE64:` (RFC 9530)";
        Problem::bad_request("content_digest_missing", detail, "上传文件须附带 Content-Digest（sha-256）。")
    })
}

impl<const MOST: usize> Upload<MOST> {
    /// The body piece by piece; an error in the end's place where it is not the one that was announced.
    fn pieces(self) -> (BoxStream<'static, io::Result<Bytes>>, Room) {
        struct Rest {
            body: BodyDataStream,
            hash: Sha256,
            wanted: [u8; 32],
            room: usize,
        }
        let rest = Rest { body: self.body.into_data_stream(), hash: Sha256::new(), wanted: self.digest, room: MOST };
        let next = |mut rest: Rest| async move {
            match rest.body.next().await {
                Some(Ok(piece)) => {
                    rest.room = rest.room.checked_sub(piece.len()).ok_or(fault(UploadFault::TooLarge))?;
                    rest.hash.update(&piece);
                    Ok(Some((piece, rest)))
                }
                Some(Err(error)) => Err(io::Error::other(error)),
                None if rest.hash.finalize().as_slice() == rest.wanted => Ok(None),
                None => Err(fault(UploadFault::OtherDigest)),
            }
        };
        (try_unfold(rest, next).boxed(), self.room)
    }

    /// All of it.
    pub(super) async fn into_bytes(self) -> Result<(Bytes, Room), Problem> {
        let (pieces, room) = self.pieces();
        let whole = pieces.try_collect::<Vec<_>>().await.map_err(|error| unread(&error))?;
        Ok((whole.concat().into(), room))
    }

    /// To be read as it comes; reading it to its end fails where it is not the one that was announced.
    pub(super) fn into_reader(self) -> (impl AsyncRead + Unpin, Room) {
        let (pieces, room) = self.pieces();
        (StreamReader::new(pieces), room)
    }
}

fn fault(fault: UploadFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

/// What came is not what was announced.
pub(super) fn other_digest() -> Problem {
    let detail = UploadFault::OtherDigest.to_string();
    Problem::bad_request("digest_disagrees", detail, "收到的内容与 Content-Digest 不符，请重新发送。")
}

/// What became of reading it.
pub(super) fn unread(error: &io::Error) -> Problem {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<UploadFault>()) {
        Some(UploadFault::TooLarge) => Problem::too_large(),
        Some(UploadFault::OtherDigest) => other_digest(),
        None => Problem::bad_request("broken_off", "the request broke off", "请求未完整到达。"),
    }
}

impl<const MOST: usize> OperationInput for Upload<MOST> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let json_schema = json_schema!({ "type": "string", "format": "binary", "maxLength": MOST });
        let schema = Some(SchemaObject { json_schema, example: None, external_docs: None });
        let body = RequestBody {
            description: Some("The file as it is".to_owned()),
            content: [("*/*".to_owned(), MediaType { schema, ..MediaType::default() })].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
        let description = "SHA-256 of the file (RFC 9530): what comes is held to it before anything is kept";
        let schema = json_schema!({ "type": "string", "pattern": "sha-256=:[A-Za-z0-9+/]{43}=:" });
        add_parameters(ctx, operation, [header_parameter("Content-Digest", description, schema)]);
    }
}

/// As the sender calls a file; empty where nothing is said. It may hold somebody's number, so that it is in no address.
pub(super) struct FileName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for FileName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(name) = parts.headers.get(FILE_NAME) else { return Ok(Self(String::new())) };
        let name = name.to_str().ok().and_then(|name| percent_decode_str(name).decode_utf8().ok());
        name.filter(|name| !has_control_sign(name)).map(|name| Self(name.into_owned())).ok_or_else(|| {
            let detail = "`X-File-Name` is the file's name in UTF-8 without control signs, percent-encoded";
            Problem::bad_request("bad_file_name", detail, "X-File-Name 须为百分号编码的 UTF-8 文件名。")
        })
    }
}

impl OperationInput for FileName {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let description = "The file's name in UTF-8, percent-encoded";
        let mut parameter = header_parameter("X-File-Name", description, json_schema!({ "type": "string" }));
        if let Parameter::Header { parameter_data, .. } = &mut parameter {
            parameter_data.required = false;
        }
        add_parameters(ctx, operation, [parameter]);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn read(content: &'static [u8], of: &[u8]) -> Result<Vec<u8>, String> {
        let digest = format!("sha-512=:AAAA:, sha-256=:{}:", STANDARD.encode(Sha256::digest(of)));
        let request = Request::builder().header("content-digest", digest).body(Body::from(content)).expect("a request");
        let upload = Upload::<8>::from_request(request, &()).await.expect("a digest");
        let mut read = Vec::new();
        upload.into_reader().0.read_to_end(&mut read).await.map(|_| read).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_the_body_that_was_announced_is_read_to_its_end() {
        assert_eq!(read(b"content", b"content").await, Ok(b"content".to_vec()));
        assert_eq!(read(b"", b"").await, Ok(Vec::new()));
        assert_eq!(read(b"content", b"contend").await, Err(UploadFault::OtherDigest.to_string()));
        assert_eq!(read(b"too large", b"too large").await, Err(UploadFault::TooLarge.to_string()));
    }
}
