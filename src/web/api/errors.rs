//! What our steps refuse, as problem documents: a refusal keeps its code and sentences; whatever else goes wrong is ours and not told.

use axum::http::{HeaderValue, StatusCode, header};

use crate::declare::DeclareError;
use crate::declare::evidence::EvidenceError;
use crate::declare::import::ImportError;
use crate::declare::needs::NeedsError;
use crate::declare::register::RegisterError;
use crate::declare::register::look_up::TooManyMisses;
use crate::domain::evidence;
use crate::errors;
use crate::verify::VerifyError;
use crate::web::problem::{Fault, Problem};
use crate::web::upload::unread;

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Store(error) => error.into(),
            error => Self::failed(&error),
        }
    }
}

impl From<DeclareError> for Problem {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Denied(denied) => denied.into(),
            DeclareError::Store(error) => error.into(),
            DeclareError::Verify(error) => error.into(),
            DeclareError::Obstacles(ref obstacles) => {
                let faults: Vec<Fault> = obstacles
                    .iter()
                    .map(|one| Fault {
                        field: None,
                        code: one.code().to_owned(),
                        detail: one.to_string(),
                        detail_zh: one.chinese(),
                    })
                    .collect();
                refused(&error).listing(faults)
            }
            error => refused(&error),
        }
    }
}

fn refused(error: &DeclareError) -> Problem {
    match (error.code(), error.chinese()) {
        (Some(code), Some(chinese)) => Problem::refused(code, error.to_string(), chinese),
        _ => Problem::failed(error),
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Denied(denied) => denied.into(),
            RegisterError::Store(error) => error.into(),
            RegisterError::Refused(ref refusals) => {
                let faults: Vec<Fault> = refusals
                    .iter()
                    .map(|one| Fault {
                        field: Some(one.field().to_owned()),
                        code: one.code().to_owned(),
                        detail: one.to_string(),
                        detail_zh: one.chinese(),
                    })
                    .collect();
                Self::unprocessable(error.code(), error.to_string(), error.chinese()).listing(faults)
            }
            RegisterError::Moved(moved) => moved.into(),
            RegisterError::TooManyMisses(ref misses) => too_many(misses),
            RegisterError::NoRule(_) => Self::unprocessable(error.code(), error.to_string(), error.chinese()),
            error => Self::failed(&error),
        }
    }
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Denied(denied) => denied.into(),
            EvidenceError::Refused(refusal) => refusal.into(),
            EvidenceError::Incoming(error) => unread(&error),
            EvidenceError::Store(error) => error.into(),
            error => Self::failed(&error),
        }
    }
}

impl From<evidence::Refusal> for Problem {
    fn from(refusal: evidence::Refusal) -> Self {
        use evidence::Refusal as R;
        let (code, detail, detail_zh) = (refusal.code(), refusal.to_string(), refusal.chinese());
        match refusal {
            R::NoSuchEvidence => Self::not_found(),
            R::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail, detail_zh),
            R::ScannerAway => Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail, detail_zh)
                .with(header::RETRY_AFTER, HeaderValue::from_static("60")),
            R::DeclarationClosed { .. } | R::DecisionRests | R::ProofStays | R::TooManyFiles | R::OverQuota => {
                Self::refused(code, detail, detail_zh)
            }
            _ => Self::unprocessable(code, detail, detail_zh),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        if let Some((code, detail_zh)) = error.refusal() {
            return Self::unprocessable(code, errors::chain(&error), detail_zh);
        }
        match error {
            ImportError::Denied(denied) => denied.into(),
            ImportError::Store(error) => error.into(),
            error => Self::failed(&error),
        }
    }
}

impl From<NeedsError> for Problem {
    fn from(error: NeedsError) -> Self {
        match error {
            NeedsError::Evidence(error) => error.into(),
            NeedsError::Standing(error) => error.into(),
            NeedsError::Verify(error) => error.into(),
            NeedsError::Store(error) => error.into(),
        }
    }
}

fn too_many(misses: &TooManyMisses) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_misses", misses.to_string(), misses.chinese())
}
