//! What our steps refuse, as problem documents: a refusal keeps its code and sentences; whatever else goes wrong is ours and not told.

use crate::declare::DeclareError;
use crate::declare::register::RegisterError;
use crate::declare::register::look_up::TooManyMisses;
use crate::verify::VerifyError;
use crate::web::problem::{Fault, Problem};

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

fn too_many(misses: &TooManyMisses) -> Problem {
    Problem::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_misses", misses.to_string(), misses.chinese())
}
