//! Why a source could not be read, and whether trying later helps. Never holds rows or credentials.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::ConfigError;
use crate::http::{BodyError, ClientError};

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
    #[error("{0} is not in this build")]
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
    #[error("the agency answered {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    #[error("the agency no longer knows where reading was to go on: it answered {status}")]
    ResumeLost { status: u16 },
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
    #[error("`{path}` cannot be read")]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{path}` changed while it was read")]
    Changed { path: PathBuf },
    #[error("{path}:{line}: {what}")]
    Header { path: PathBuf, line: u64, what: String },
    #[error("`{path}` is no workbook that can be read: {why}")]
    Workbook { path: PathBuf, why: String },
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

impl Fault {
    /// Whether the same may succeed later without anyone changing anything.
    pub fn transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::ResumeLost { .. }
            | Self::Body(BodyError::Broken(_))
            | Self::Answer { .. }
            | Self::NoFile(_)
            | Self::NotReady { .. }
            | Self::Changed { .. }
            | Self::Interrupted { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::File { source, .. } => source.kind() != std::io::ErrorKind::PermissionDenied,
            Self::Connect(fault) | Self::Query(fault) => fault.transient,
            Self::Config(_)
            | Self::NotInThisBuild(_)
            | Self::NoPersonRequest
            | Self::BadResume
            | Self::Client(_)
            | Self::Body(BodyError::TooLarge { .. })
            | Self::Looping(_)
            | Self::ForeignLink
            | Self::Header { .. }
            | Self::Workbook { .. }
            | Self::NullKey(_) => false,
        }
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
        match self.fault {
            Fault::Status { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// Whether the delivery has to be read again from its first page: what was read so far belongs to something that
    /// is no more.
    pub fn resume_lost(&self) -> bool {
        matches!(self.fault, Fault::ResumeLost { .. } | Fault::Changed { .. } | Fault::BadResume)
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
            fault => fault.source(),
        }
    }
}
