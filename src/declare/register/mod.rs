//! From a person to a placement with contracts (添加残疾人, 安置信息, 合同管理, 关联单位, 单位基本信息), entered one by one.
//!
//! Every step asks who may, takes the publish lock, checks by the rules that an import is checked by, and saves state, notices and
//! one audit row in one transaction. A step that changes nothing leaves no trace.

pub mod affiliate;
pub mod carry_over;
pub mod contract;
pub mod double_claims;
pub mod employer;
pub mod look_up;
pub mod notices;
pub mod placement;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::expected::{Expected, Moved};
use super::permit::{EmployerEntry, permit};

use crate::clock;
use crate::crypto::CryptoError;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::dated::NoRule;
use crate::domain::entry::{Refusal, Years};
use crate::domain::facts::UnitId;
use crate::domain::free_text::ReasonFault;
use crate::domain::policy::Policy;
use crate::store::audit::{Act, fingerprint};
use crate::store::publish::{Cause, Publish};
use crate::store::{Store, StoreError};

/// What every step works with.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    pub store: &'a Store,
    pub policy: &'a Policy,
    pub actor: &'a Actor,
}

/// Why a step was not taken; then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Everything that forbids the entry, each with its field.
    #[error("{}", list(.0))]
    Refused(Vec<Refusal>),
    #[error(transparent)]
    Moved(#[from] Moved),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error(transparent)]
    TooManyMisses(#[from] look_up::TooManyMisses),
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("the entry could not be written down")]
    Json(#[from] serde_json::Error),
    #[error("personal data could not be encrypted")]
    Crypto(#[from] CryptoError),
    #[error("the entry could not be stored")]
    Store(#[from] StoreError),
}

fn list(refusals: &[Refusal]) -> String {
    let told = refusals.iter().map(|one| format!("{}: {}; accepted: {one}", one.field(), one.code()));
    told.collect::<Vec<_>>().join("\n")
}

impl From<Refusal> for RegisterError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(vec![refusal])
    }
}

impl RegisterError {
    /// Of the first reason, where the employer can do something about it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::Refused(refusals) => refusals.first().map_or("refused", Refusal::code),
            Self::Moved(moved) => moved.code(),
            Self::Reason(fault) => fault.code(),
            Self::TooManyMisses(_) => "too_many_misses",
            Self::NoRule(_) => "no_rule",
            Self::Json(_) | Self::Crypto(_) | Self::Store(_) => "failed",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::Denied(denied) => denied.chinese().to_owned(),
            Self::Refused(refusals) => refusals.iter().map(Refusal::chinese).collect(),
            Self::Moved(moved) => moved.chinese().to_owned(),
            Self::Reason(fault) => fault.chinese(),
            Self::TooManyMisses(refused) => refused.chinese(),
            Self::NoRule(_) => "该日期没有政策规则。".to_owned(),
            Self::Json(_) | Self::Crypto(_) | Self::Store(_) => "系统未能保存，请稍后再试。".to_owned(),
        }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EntryOutcome")]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    New,
    /// 重新登记: it stood before, otherwise.
    Changed,
    /// It stood so already, and nothing was written.
    Same,
}

/// What a step did, where there is nothing else to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EntryDone")]
pub struct Done {
    pub outcome: Outcome,
}

/// That what was entered is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    Deleted,
}

/// Whether something is entered that is not there yet, or what is there is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Add,
    Change,
    /// Added, or what is expected there changed.
    Save(Expected),
}

impl Step {
    fn expected(self) -> Expected {
        match self {
            Self::Add | Self::Change => Expected::Anything,
            Self::Save(expected) => expected,
        }
    }
}

impl Register<'_> {
    /// The employer, if the actor may do this to it; who is out of reach does not exist.
    async fn hold(&self, unit: UnitId, action: Action) -> Result<EmployerEntry, RegisterError> {
        permit(self.store, self.actor, action, unit).await
    }

    /// A publish in which entries of the year may change: nobody completes the declaration before it ends.
    async fn begin(&self, held: &EmployerEntry, year: i16) -> Result<Publish, RegisterError> {
        let at = self.store.now().await?;
        self.years(at).check(year)?;
        let mut publish = self.store.publish(Cause::Entry, at).await?;
        if !publish.lock_declaration(held.unit(), year).await?.is_editable() {
            publish.abandon().await?;
            return Err(Refusal::DeclarationCompleted.into());
        }
        Ok(publish)
    }

    fn years(&self, at: DateTime<Utc>) -> Years {
        Years::on(clock::business_date(at), |year| self.policy.knows_year(year))
    }

    fn fingerprint(&self, state: &impl Serialize) -> Result<[u8; 32], RegisterError> {
        Ok(fingerprint(self.store.keys(), state)?)
    }

    /// An act of this actor; what stood before and after is to be added.
    fn act(&self, at: DateTime<Utc>, action: Action, object: String) -> Act<'_> {
        Act::read(at, self.actor, action, object)
    }
}
