//! The one place that builds HTTP clients, signs requests, and reads what comes back within bounds.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HeaderMap, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder, Url};
use rustls::CertificateError;
use sha2::{Digest, Sha256};
use url::Host;
use uuid::Uuid;

use crate::clock;
use crate::config::Secret;
use crate::crypto::{SignatureAlgorithm, Signed, content_digest_header};
use crate::domain::address::{is_loopback, is_public};

/// How a client behaves towards its peer.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub connect_timeout: Duration,
    /// Between two reads of an answer.
    pub idle_timeout: Duration,
    /// For a request and its whole answer; `None` where only silence ends it.
    pub total_timeout: Option<Duration>,
    pub user_agent: String,
    /// Certificates (PEM) that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// By which we are known to a server that asks for it: certificate and key, PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            total_timeout: None,
            user_agent: concat!("renzheng/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca_file: None,
            identity: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the certificate file `{path}` cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("the certificate file `{path}` holds no certificate in PEM form")]
    Certificate { path: PathBuf },
    #[error("`{certificate}` and `{key}` hold no certificate and private key in PEM form that belong together")]
    Identity { certificate: PathBuf, key: PathBuf },
    #[error("no HTTP client can be built")]
    Build(#[source] reqwest::Error),
}

/// Redirects beyond this are a circle.
const MAX_REDIRECTS: usize = 5;

/// A client. It follows redirects only to where it was sent in the first place (scheme, host and port): credentials and
/// personal data go to nobody else. Another redirect is answered with itself.
pub fn client(settings: &HttpSettings) -> Result<reqwest::Client, ClientError> {
    build(settings, |builder| {
        builder.redirect(Policy::custom(|attempt| {
            let origin = attempt.previous().first().map(Url::origin);
            let same = origin.is_some_and(|origin| origin == attempt.url().origin());
            if same && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
        }))
    })
}

/// Which addresses may be reached that others have named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reachable {
    Public,
    /// This machine too: for tests and the sandbox.
    PublicAndLoopback,
}

/// A name that strangers gave leads where they have no business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host's address is not public")]
pub struct NotPublic;

impl Reachable {
    fn holds(self, address: IpAddr) -> bool {
        is_public(address) || (self == Self::PublicAndLoopback && is_loopback(address))
    }

    /// Whether a request may be sent there at all. A host that is written as an address is never resolved, so it is looked at here; a
    /// name is looked at when it is resolved, by the client.
    pub fn permits(self, address: &Url) -> Result<(), NotPublic> {
        let literal = match address.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(NotPublic),
        };
        if self.holds(literal) { Ok(()) } else { Err(NotPublic) }
    }
}

/// Resolves names, and gives out only what may be reached: the connection goes to the very address that was looked at.
struct Resolver(Reachable);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reachable = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // all of them: a name that also leads inside is no name for strangers
            if found.iter().any(|address| !reachable.holds(address.ip())) {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// A client for addresses that others have named: it connects only to what is reachable, and follows no redirect. Ask
/// [`Reachable::permits`] before each request.
pub fn client_for_strangers(settings: &HttpSettings, reachable: Reachable) -> Result<reqwest::Client, ClientError> {
    build(settings, |builder| builder.redirect(Policy::none()).dns_resolver(Resolver(reachable)))
}

fn build(
    settings: &HttpSettings,
    where_to: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, ClientError> {
    // Errs when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the one place that builds clients")]
    let mut builder = reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.idle_timeout)
        .user_agent(&settings.user_agent)
        .no_proxy();
    builder = where_to(builder);
    if let Some(timeout) = settings.total_timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(path) = &settings.ca_file {
        builder = builder.tls_certs_merge(read_certificates(path)?);
    }
    if let Some((certificate, key)) = &settings.identity {
        builder = builder.identity(read_identity(certificate, key)?);
    }
    // what was read is tried here: a key that is another certificate's is found when they are put together
    builder.build().map_err(|error| match &settings.identity {
        Some((certificate, key)) if error.is_builder() => {
            ClientError::Identity { certificate: certificate.clone(), key: key.clone() }
        }
        _ => ClientError::Build(error),
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::Read { path: path.to_owned(), source })
}

fn read_identity(certificate: &Path, key: &Path) -> Result<reqwest::Identity, ClientError> {
    let mut pem = read_file(key)?;
    pem.push(b'\n');
    pem.extend(read_file(certificate)?);
    reqwest::Identity::from_pem(&pem)
        .map_err(|_| ClientError::Identity { certificate: certificate.to_owned(), key: key.to_owned() })
}

fn read_certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let pem = read_file(path)?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(ClientError::Certificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// Why an answer could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("an answer of more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("a line of more than {limit_bytes} bytes")]
    LineTooLarge { limit_bytes: u64 },
    #[error("an answer that breaks off")]
    Broken(#[source] reqwest::Error),
}

/// The body of an answer, decompressed, of at most `max_bytes`: nothing beyond is held in memory.
pub async fn read_body(response: reqwest::Response, max_bytes: u64) -> Result<Vec<u8>, BodyError> {
    let too_large = BodyError::TooLarge { limit_bytes: max_bytes };
    if response.content_length().is_some_and(|length| length > max_bytes) {
        return Err(too_large);
    }
    match read_beginning(response, max_bytes).await {
        (body, None) => Ok(body),
        (_, Some(error)) => Err(error),
    }
}

/// What there is of an answer's body, decompressed, up to `max_bytes`, and why that is not all of it.
pub async fn read_beginning(mut response: reqwest::Response, max_bytes: u64) -> (Vec<u8>, Option<BodyError>) {
    let announced = response.content_length().unwrap_or(0).min(max_bytes);
    let mut body = Vec::with_capacity(announced as usize);
    loop {
        match response.chunk().await {
            Ok(None) => return (body, None),
            Ok(Some(chunk)) => {
                let left = max_bytes as usize - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(left)]);
                if chunk.len() > left {
                    return (body, Some(BodyError::TooLarge { limit_bytes: max_bytes }));
                }
            }
            Err(error) => return (body, Some(BodyError::Broken(error.without_url()))),
        }
    }
}

/// Longer than this nobody is left alone: who asks for more means something else.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(6);

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or an instant by the peer's own clock, its `Date`. What is longer than
/// six hours is cut to that; what is neither is left out.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only what is too large for a number fails here.
        text.parse().map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
    } else {
        (parse_date(text)? - date(headers)?).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// The `Date` of an answer: the peer's own clock.
pub fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    parse_date(headers.get(DATE)?.to_str().ok()?)
}

fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc())
}

/// The wait before an attempt is followed by another: 30 s, doubled with each attempt up to 48 min, and up to a quarter more, so that
/// messages that failed together do not come back together. The same for the same attempt; one hour at most.
pub fn backoff(message_id: Uuid, attempt_number: i32) -> TimeDelta {
    const FIRST_S: i64 = 30;
    const LONGEST_S: i64 = 48 * 60;
    let doublings = attempt_number.saturating_sub(1).clamp(0, 7);
    let wait_ms = (FIRST_S << doublings).min(LONGEST_S) * 1000;
    let hash = Sha256::new().chain_update(message_id).chain_update(attempt_number.to_be_bytes()).finalize();
    let share = i64::from(u16::from_be_bytes([hash[0], hash[1]]));
    TimeDelta::milliseconds(wait_ms + wait_ms / 4 * share / i64::from(u16::MAX))
}

/// What a TLS peer's certificate was refused for, if that is why a request failed.
pub fn certificate_fault(error: &reqwest::Error) -> Option<CertificateError> {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = next {
        // An error of input or output does not name what it wraps as its source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let of_tls = wrapped.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(fault)) = of_tls {
            return Some(fault.clone());
        }
        next = wrapped.map_or_else(|| error.source(), |inner| Some(inner));
    }
    None
}

/// How requests are signed for one peer.
#[derive(Clone, Debug)]
pub struct Signer {
    key_id: HeaderValue,
    key: Secret,
    algorithm: SignatureAlgorithm,
}

impl Signer {
    /// Errs when the key's name cannot stand in a header.
    pub fn new(key_id: &str, key: Secret, algorithm: SignatureAlgorithm) -> Result<Self, InvalidHeaderValue> {
        Ok(Self { key_id: HeaderValue::from_str(key_id)?, key, algorithm })
    }

    /// The request with its digest, time, key's name and signature. Method, address and body are those it will be sent
    /// with, `at` the time it is signed with.
    pub fn sign(
        &self,
        request: RequestBuilder,
        method: &Method,
        address: &Url,
        body: &[u8],
        at: DateTime<Utc>,
    ) -> RequestBuilder {
        self.sign_beside(None, request, method, address, body, at)
    }

    /// As [`Signer::sign`], and beside it the name and signature of the key before, for who does not know the new one yet.
    pub fn sign_beside(
        &self,
        previous: Option<&Self>,
        request: RequestBuilder,
        method: &Method,
        address: &Url,
        body: &[u8],
        at: DateTime<Utc>,
    ) -> RequestBuilder {
        let (timestamp, content_digest) = (clock::rfc3339(at), content_digest_header(body));
        // As it goes over the wire: with the query, without a fragment.
        let path =
            address.query().map_or_else(|| address.path().to_owned(), |query| format!("{}?{query}", address.path()));
        let signed =
            Signed { method: method.as_str(), path: &path, timestamp: &timestamp, content_digest: &content_digest };
        let signature = |signer: &Self| signed.sign(signer.algorithm, signer.key.reveal().as_bytes());
        let request = request.header("X-Renzheng-Key-Id", &self.key_id).header("X-Renzheng-Signature", signature(self));
        let request = match previous {
            Some(previous) => request
                .header("X-Renzheng-Previous-Key-Id", &previous.key_id)
                .header("X-Renzheng-Previous-Signature", signature(previous)),
            None => request,
        };
        request.header("Content-Digest", content_digest).header("X-Renzheng-Timestamp", timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_left_alone_for_as_long_as_can_be_meant() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("31536000", Some(6 * 3600)),
            ("99999999999999999999999", Some(6 * 3600)),
            ("Sun, 06 Nov 1994 09:49:37 GMT", Some(3600)),
            ("Mon, 06 Nov 1995 09:49:37 GMT", Some(6 * 3600)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            headers.insert(DATE, HeaderValue::from_static(now));
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{text}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 09:49:37 GMT"));
        assert_eq!(retry_after(&headers), None, "an instant by an unknown clock");
    }

    #[test]
    fn a_signature_covers_the_query_as_it_is_sent() {
        let settings = HttpSettings::default();
        let client = client(&settings).expect("a client");
        let signer = Signer::new("one", Secret::new("synthetic"), SignatureAlgorithm::HmacSm3).expect("a name");
        let address: Url = "https://agency.invalid/v1/wages?cursor=b%2F+&x=%E7%8E%8B#part".parse().expect("an address");
        let at = "2026-03-01T00:00:00Z".parse().expect("an instant");
        let request = signer.sign(client.get(address.clone()), &Method::GET, &address, b"", at);
        let request = request.build().expect("a request");
        let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
        let expected = Signed {
            method: "GET",
            path: "/v1/wages?cursor=b%2F+&x=%E7%8E%8B",
            timestamp: "2026-03-01T08:00:00+08:00",
            content_digest: &content_digest_header(b""),
        };
        assert_eq!(header("X-Renzheng-Timestamp"), expected.timestamp);
        assert_eq!(header("X-Renzheng-Key-Id"), "one");
        assert!(expected.verify(SignatureAlgorithm::HmacSm3, b"synthetic", &header("X-Renzheng-Signature")));
        assert!(Signer::new("two\nlines", Secret::new("k"), SignatureAlgorithm::HmacSm3).is_err());
    }
}
