//! The one place that builds HTTP clients, and the bounded reading of what they get.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;

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
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            total_timeout: None,
            user_agent: concat!("renzheng/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca_file: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the certificate file `{path}` cannot be read")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the certificate file `{path}` holds no certificate in PEM form")]
    Certificate { path: PathBuf },
    #[error("no HTTP client can be built")]
    Build(#[source] reqwest::Error),
}

/// Redirects beyond this are a circle.
const MAX_REDIRECTS: usize = 5;

/// A client. It follows redirects only to where it was sent in the first place (scheme, host and port): credentials and
/// personal data go to nobody else. Another redirect is answered with itself.
pub fn client(settings: &HttpSettings) -> Result<reqwest::Client, ClientError> {
    // Errs when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the one place that builds clients")]
    let mut builder = reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.idle_timeout)
        .user_agent(&settings.user_agent)
        .no_proxy()
        .redirect(Policy::custom(|attempt| {
            let origin = attempt.previous().first().map(reqwest::Url::origin);
            let same = origin.is_some_and(|origin| origin == attempt.url().origin());
            if same && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
        }));
    if let Some(timeout) = settings.total_timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(path) = &settings.ca_file {
        builder = builder.tls_certs_merge(read_certificates(path)?);
    }
    builder.build().map_err(ClientError::Build)
}

fn read_certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let pem = std::fs::read(path).map_err(|source| ClientError::Read { path: path.to_owned(), source })?;
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
    #[error("an answer that breaks off")]
    Broken(#[source] reqwest::Error),
}

/// The body of an answer, decompressed, of at most `max_bytes`: nothing beyond is held in memory.
pub async fn read_body(mut response: reqwest::Response, max_bytes: u64) -> Result<Vec<u8>, BodyError> {
    let too_large = BodyError::TooLarge { limit_bytes: max_bytes };
    if response.content_length().is_some_and(|length| length > max_bytes) {
        return Err(too_large);
    }
    let mut body = Vec::with_capacity(response.content_length().unwrap_or(0) as usize);
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Broken(error.without_url()))? {
        if (body.len() + chunk.len()) as u64 > max_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
