//! What our steps refuse, as problem documents: a refusal keeps its code and sentences; whatever else goes wrong is ours and not told.

use axum::http::{HeaderValue, StatusCode, header};

use crate::declare::DeclareError;
use crate::declare::certification::DocumentError;
use crate::declare::consent::ConsentError;
use crate::declare::discard::DiscardError;
use crate::declare::evidence::EvidenceError;
use crate::declare::import::ImportError;
use crate::declare::needs::NeedsError;
use crate::declare::operate::OperateError;
use crate::declare::register::RegisterError;
use crate::declare::register::look_up::TooManyMisses;
use crate::declare::worth::WorthError;
use crate::domain::completion::Obstacle;
use crate::domain::dated::NoRule;
use crate::domain::declaration::Refused;
use crate::domain::entry::Refusal;
use crate::domain::evidence;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::errors;
use crate::verify::VerifyError;
use crate::web::problem::{Fault, Problem};
use crate::web::upload::unread;

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Store(error) => error.into(),
            VerifyError::NoRule(no_rule) => no_rule.into(),
            error @ VerifyError::NoWageClass { .. } => {
                let refusal = Refusal::NoWageClass;
                Self::unprocessable(refusal.code(), error.to_string(), refusal.chinese())
            }
            error => Self::failed(&error),
        }
    }
}

impl From<DeclareError> for Problem {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Denied(denied) => denied.into(),
            DeclareError::Reason(fault) => fault.into(),
            DeclareError::Store(error) => error.into(),
            DeclareError::Verify(error) => error.into(),
            DeclareError::NoRule(no_rule) => no_rule.into(),
            DeclareError::Worth(error) => error.into(),
            DeclareError::Refused(unfit @ Refused::RefundReferenceUnfit) => {
                Self::unprocessable(unfit.code(), unfit.to_string(), unfit.chinese())
            }
            error @ DeclareError::KeyReused => {
                Self::unprocessable("key_reused", error.to_string(), error.chinese().unwrap_or_default())
            }
            DeclareError::Obstacles(ref obstacles) => {
                let faults: Vec<Fault> = obstacles.iter().flat_map(faults_of).collect();
                refused(&error).listing(faults)
            }
            DeclareError::ClaimedElsewhere(ref months) => {
                let fault = |(person, month): &(PersonId, Month)| {
                    let detail = "another employer claims the month".to_owned();
                    fault_of(
                        *person,
                        "claimed_elsewhere",
                        format!("{month}: {detail}"),
                        format!("{month}已被其他单位申报。"),
                    )
                };
                let faults: Vec<Fault> = months.iter().map(fault).collect();
                refused(&error).listing(faults)
            }
            DeclareError::NotAmendable(ref months) => {
                let faults: Vec<Fault> = (months.iter())
                    .map(|one| {
                        let (month, fault) = (one.month, one.fault);
                        let chinese = format!("{month}{}。", fault.chinese());
                        fault_of(one.person, fault.code(), format!("{month}: {fault}"), chinese)
                    })
                    .collect();
                refused(&error).listing(faults)
            }
            error => refused(&error),
        }
    }
}

/// What stands in the way of a completion, person by person where it is persons.
fn faults_of(obstacle: &Obstacle) -> Vec<Fault> {
    let (code, detail, detail_zh) = (obstacle.code(), obstacle.to_string(), obstacle.chinese());
    let mut faults = vec![Fault { field: None, code: code.to_owned(), detail, detail_zh }];
    match obstacle {
        Obstacle::NoCertificate(persons) => {
            let lacks = |person: &PersonId| {
                fault_of(
                    *person,
                    code,
                    "no certificate is in force today".to_owned(),
                    "当日没有有效的残疾证件。".to_owned(),
                )
            };
            faults.extend(persons.iter().map(lacks));
        }
        Obstacle::NotConfirmed(persons) => faults.extend(persons.iter().map(|(person, months)| {
            let months: Vec<String> =
                months.iter().map(|(month, standing)| format!("{month} {}", standing.as_str())).collect();
            let months = months.join(", ");
            fault_of(*person, code, format!("not confirmed: {months}"), format!("尚未审核确认：{months}。"))
        })),
        Obstacle::OutsideWindow { .. }
        | Obstacle::NoMonths
        | Obstacle::WithoutProof(_)
        | Obstacle::CommitmentNotAccepted { .. } => {}
    }
    faults
}

/// Something about one person.
fn fault_of(person: PersonId, code: &str, detail: String, detail_zh: String) -> Fault {
    Fault { field: Some(format!("person_id {}", person.0)), code: code.to_owned(), detail, detail_zh }
}

impl From<NoRule> for Problem {
    fn from(no_rule: NoRule) -> Self {
        Self::unprocessable("no_rule", no_rule.to_string(), "该日期没有政策规则。")
    }
}

impl From<WorthError> for Problem {
    fn from(error: WorthError) -> Self {
        match error {
            WorthError::NoRule(no_rule) => no_rule.into(),
            error @ (WorthError::NoSuchYear(_) | WorthError::Headcount(_) | WorthError::Wage(_)) => {
                let detail = errors::chain(&error);
                Self::unprocessable("levy_not_computable", detail, "按所给人数、工资或年度无法测算保障金。")
            }
        }
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::Denied(denied) => denied.into(),
            ConsentError::Declare(error) => error.into(),
            refused => Self::refused(refused.code(), refused.to_string(), refused.chinese()),
        }
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        match (error.code(), error.chinese(), error) {
            (_, _, DocumentError::Denied(denied)) => denied.into(),
            (_, _, DocumentError::Store(error)) => error.into(),
            (Some(code), Some(chinese), error @ DocumentError::NotIssued) => {
                Self::new(StatusCode::NOT_FOUND, code, error.to_string(), chinese)
            }
            (Some(code), Some(chinese), error) => Self::refused(code, error.to_string(), chinese),
            (_, _, error) => Self::failed(&error),
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
            RegisterError::Reason(fault) => fault.into(),
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
            EvidenceError::Reason(fault) => fault.into(),
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

impl From<OperateError> for Problem {
    fn from(error: OperateError) -> Self {
        match (error.code(), error.chinese(), error) {
            (_, _, OperateError::Denied(denied)) => denied.into(),
            (_, _, OperateError::Store(error)) => error.into(),
            (_, _, OperateError::Reason(fault)) => fault.into(),
            (_, _, OperateError::NoMessage(_) | OperateError::NoTask(_) | OperateError::NoAlert(_)) => {
                Self::not_found()
            }
            (Some(code), Some(chinese), error @ OperateError::NotOfEverything(_)) => {
                Self::new(StatusCode::FORBIDDEN, code, error.to_string(), chinese)
            }
            (Some(code), Some(chinese), error) => Self::refused(code, error.to_string(), chinese),
            (_, _, error) => Self::failed(&error),
        }
    }
}

impl From<DiscardError> for Problem {
    fn from(error: DiscardError) -> Self {
        match (error.code(), error.chinese(), error) {
            (_, _, DiscardError::Operate(error)) => error.into(),
            (_, _, DiscardError::Store(error)) => error.into(),
            (_, _, DiscardError::Reason(fault)) => fault.into(),
            (_, _, DiscardError::NotFound(_)) => Self::not_found(),
            (Some(code), Some(chinese), error) => Self::refused(code, error.to_string(), chinese),
            (_, _, error) => Self::failed(&error),
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
