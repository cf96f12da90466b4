//! Why a source could not be read, and whether trying later helps. Never holds rows or credentials.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rustls::CertificateError;

use crate::config::ConfigError;
use crate::http::{BodyError, ClientError, certificate_fault};

/// A source that could not be read.
#[derive(Debug)]
pub struct SourceError {
    pub job: String,
    pub fault: Fault,
}

/// What is wrong with a source.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Config(ConfigError),
    #[error("`{0}` is not in this build: build with `--features {0}`")]
    NotInThisBuild(&'static str),
    #[error("the source cannot be asked for one person: `[source.person]` is missing or the source is a file")]
    NoPersonRequest,
    /// The place is not repeated: it may be a database's key.
    #[error("the place where reading was to go on is none of this kind of source")]
    BadResume,

    #[error("{0}")]
    Client(ClientError),
    #[error("the agency cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("{}", certificate_words(.0))]
    Certificate(CertificateError),
    #[error("the agency's answers did not end within the job's `timeout` of {limit:?}")]
    TooSlow { limit: Duration },
    #[error("the agency refuses our credentials{}: it answered {status}; look at `source.auth`",
        if *.renewed { ", and a new token too" } else { "" })]
    Unauthorized { status: u16, renewed: bool },
    #[error("no token was given: `token_url` answered {status}")]
    TokenRefused { status: u16, retry_after: Option<Duration> },
    #[error("no token was given: `token_url` sent something else than a JSON object with `access_token`")]
    NoToken,
    #[error("there is no time to sign requests with")]
    NoTime,
    #[error("the agency answered {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("the agency no longer knows where reading was to go on: it answered {status}")]
    ResumeLost { status: u16 },
    #[error("the agency's answer is no longer the one that was begun")]
    AnswerChanged,
    #[error("the agency sent {0}")]
    Body(BodyError),
    #[error("the agency sent {found} where {accepted} is expected")]
    Answer { found: String, accepted: &'static str },
    #[error("the agency sends the same {0} again and again")]
    Looping(&'static str),
    #[error("the agency's next page lies at another host, where nothing is fetched")]
    ForeignLink,

    #[error("there is no file `{0}`")]
    NoFile(PathBuf),
    #[error("`{path}` is not yet complete: its marker `{marker}` is missing")]
    NotReady { path: PathBuf, marker: String },
    #[error("`{path}` is not the file that its manifest `{marker}` speaks of")]
    NotAsInManifest { path: PathBuf, marker: String },
    #[error("the manifest `{path}` is none: accepted are lines of the form `<checksum>  <file>`")]
    Manifest { path: PathBuf },
    #[error("`{path}` cannot be read")]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{path}` changed while it was read")]
    Changed { path: PathBuf },
    #[error("{path}:{line}: {what}")]
    Header { path: PathBuf, line: u64, what: String },
    #[error("`{path}` is no workbook that can be read: {why}")]
    Workbook { path: PathBuf, why: String },
    #[error("`{path}` is no Parquet file that can be read: {why}")]
    Parquet { path: PathBuf, why: String },
    #[error("reading `{path}` ended before its time")]
    Interrupted { path: PathBuf },

    #[error("the database cannot be reached")]
    Connect(#[source] DatabaseFault),
    #[error("the database refuses the query")]
    Query(#[source] DatabaseFault),
    #[error("the key column `{0}` holds NULLs: rows without a key cannot be read in order")]
    NullKey(String),
}

/// What a database said, without its detail and hint, which repeat values.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct DatabaseFault {
    pub what: String,
    pub transient: bool,
}

fn certificate_words(fault: &CertificateError) -> String {
    let why = match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is made out to another name"
        }
        CertificateError::UnknownIssuer => "comes from nobody who is trusted: name its issuer's in `ca_file`",
        CertificateError::Revoked => "was revoked",
        _ => "is not in order",
    };
    format!("the agency's certificate {why}")
}

/// Whether the agency will have another certificate sooner or later.
fn passes(fault: &CertificateError) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(fault, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
}

impl Fault {
    /// Whether the same may succeed later without anyone changing anything.
    pub fn transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TooSlow { .. }
            | Self::NoToken
            | Self::ResumeLost { .. }
            | Self::AnswerChanged
            | Self::Body(BodyError::Broken(_))
            | Self::Answer { .. }
            | Self::NoFile(_)
            | Self::NotReady { .. }
            | Self::NotAsInManifest { .. }
            | Self::Manifest { .. }
            | Self::Changed { .. }
            | Self::Interrupted { .. } => true,
            Self::Certificate(fault) => passes(fault),
            Self::Status { status, .. } | Self::TokenRefused { status, .. } => {
                matches!(status, 408 | 425 | 429 | 500..=599)
            }
            Self::File { source, .. } => source.kind() != std::io::ErrorKind::PermissionDenied,
            Self::Connect(fault) | Self::Query(fault) => fault.transient,
            Self::Config(_)
            | Self::NotInThisBuild(_)
            | Self::NoPersonRequest
            | Self::BadResume
            | Self::Client(_)
            | Self::Unauthorized { .. }
            | Self::NoTime
            | Self::Body(BodyError::TooLarge { .. } | BodyError::LineTooLarge { .. })
            | Self::Looping(_)
            | Self::ForeignLink
            | Self::Header { .. }
            | Self::Workbook { .. }
            | Self::Parquet { .. }
            | Self::NullKey(_) => false,
        }
    }

    /// Why a request was not answered.
    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        certificate_fault(&error).map_or_else(|| Self::Unreachable(error.without_url()), Self::Certificate)
    }

    /// How long the agency asked us to stay away.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::TokenRefused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the delivery has to be read again from its first page.
    pub(super) fn starts_over(&self) -> bool {
        matches!(self, Self::ResumeLost { .. } | Self::AnswerChanged | Self::Changed { .. } | Self::BadResume)
    }

    pub(super) fn of_job(self, job: &str) -> SourceError {
        SourceError { job: job.to_owned(), fault: self }
    }
}

impl SourceError {
    /// Whether trying later helps.
    pub fn transient(&self) -> bool {
        self.fault.transient()
    }

    /// How long the agency asked us to stay away.
    pub fn retry_after(&self) -> Option<Duration> {
        self.fault.retry_after()
    }

    /// Whether the agency took no offence but wants fewer questions.
    pub fn rate_limited(&self) -> bool {
        let too_many =
            matches!(self.fault, Fault::Status { status: 429, .. } | Fault::TokenRefused { status: 429, .. });
        too_many || self.retry_after().is_some()
    }

    /// Whether our credentials are not good: nothing helps but others.
    pub fn credentials_refused(&self) -> bool {
        match &self.fault {
            Fault::Unauthorized { .. } => true,
            Fault::TokenRefused { .. } => !self.transient(),
            _ => false,
        }
    }

    /// Whether the delivery has to be read again from its first page: what was read so far belongs to something that
    /// is no more.
    pub fn resume_lost(&self) -> bool {
        self.fault.starts_over()
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source of job `{}`: {}", self.job, self.fault)
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Client(error) => error.source(),
            Fault::Body(error) => error.source(),
            Fault::Certificate(_) => None,
            fault => fault.source(),
        }
    }
}
