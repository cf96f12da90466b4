//! What operators do to the installation: its outbox, jobs, tasks, alerts and refused records. Each is written to the audit.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Done;
use crate::clock::rfc3339;
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::facts::UnitId;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::domain::ids::Uscc;
use crate::store::push_holds::Held;
use crate::store::quarantine::{Discarded, QuarantineFilter};
use crate::store::task_history::TaskLine;
use crate::store::{Store, StoreError};

/// Why something was not done to the installation.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{0} was not granted the whole installation, which this is about")]
    NotOfEverything(String),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("there is no message {0}; `renzheng push status` lists them")]
    NoMessage(Uuid),
    #[error("an attempt on message {message_id} is under way; if its worker died, it is due again at {}", rfc3339(*.until))]
    UnderWay { message_id: Uuid, until: DateTime<Utc> },
    #[error("there is no task {0}")]
    NoTask(i64),
    #[error("task {task_id} is `{state}`: {}", .step.needs())]
    OtherState { task_id: i64, state: String, step: TaskStep },
    #[error("there is no alert {0}; `renzheng alerts` lists them")]
    NoAlert(i32),
    #[error("the installation's work could not be read or changed")]
    Store(#[from] StoreError),
}

impl OperateError {
    /// Of a refusal: what it is, for programs.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::NotOfEverything(_) => Some("not_of_everything"),
            Self::Reason(fault) => Some(fault.code()),
            Self::NoMessage(_) | Self::NoTask(_) | Self::NoAlert(_) => Some("not_found"),
            Self::UnderWay { .. } => Some("under_way"),
            Self::OtherState { step: TaskStep::Retry, .. } => Some("not_given_up"),
            Self::OtherState { step: TaskStep::Discard, .. } => Some("under_way_or_done"),
            Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        let text = match self {
            Self::Denied(denied) => denied.chinese(),
            Self::NotOfEverything(_) => "只有获得全部授权的管理员可以进行此操作。",
            Self::Reason(fault) => return Some(fault.chinese()),
            Self::NoMessage(_) | Self::NoTask(_) | Self::NoAlert(_) => Denied::NotFound.chinese(),
            Self::UnderWay { .. } => "该消息正在发送，请稍后再试。",
            Self::OtherState { step: TaskStep::Retry, .. } => "只有已放弃的任务可以重试。",
            Self::OtherState { step: TaskStep::Discard, .. } => "只有已放弃或尚未开始的任务可以作废。",
            Self::Store(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Whether the actor operates the installation: all of it, since none of its parts is a division's.
pub fn may_operate(actor: &Actor) -> Result<(), OperateError> {
    actor.may_at_all(Action::Operate)?;
    if actor.scope == Scope::Everything { Ok(()) } else { Err(OperateError::NotOfEverything(actor.name.clone())) }
}

/// The reason, of whoever may.
fn begin<'a>(actor: &Actor, why: &'a str) -> Result<&'a str, OperateError> {
    may_operate(actor)?;
    Ok(Reason::parse(why)?.as_str())
}

/// What of the outbox is held or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Everything,
    /// A business year of an employer.
    Year {
        employer: UnitId,
        uscc: Uscc,
        year: i16,
    },
}

impl Part {
    fn held(self) -> Held {
        match self {
            Self::Everything => Held::Everything,
            Self::Year { employer, year, .. } => Held::Year(employer, year),
        }
    }
}

/// As the audit names it.
impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Year { uscc, year, .. } => write!(f, "declaration {uscc} {year}"),
        }
    }
}

/// Lets nothing of it leave until it is released.
pub async fn hold(store: &Store, actor: &Actor, part: Part, why: &str) -> Result<Done, OperateError> {
    let why = begin(actor, why)?;
    Ok(Done { changed: store.hold_push(part.held(), actor, &part.to_string(), why).await? })
}

/// Ends a hold on exactly this, and a pause of the program itself.
pub async fn release(store: &Store, actor: &Actor, part: Part, why: &str) -> Result<Done, OperateError> {
    let why = begin(actor, why)?;
    Ok(Done { changed: store.release_push(part.held(), actor, &part.to_string(), why).await? > 0 })
}

/// Makes a message due now, or everything that is not answered for good; what is answered for good is asked about again. How many
/// messages are due: none of one that was given up here, of which the department never heard.
pub async fn retry_messages(
    store: &Store,
    actor: &Actor,
    message_id: Option<Uuid>,
    why: &str,
) -> Result<u64, OperateError> {
    let why = begin(actor, why)?;
    let Some(message_id) = message_id else {
        return Ok(store.retry_push(None, actor, "everything", why).await?);
    };
    store.find_outbox_message(message_id).await?.ok_or(OperateError::NoMessage(message_id))?;
    if let Some(until) = store.running_attempt(message_id).await? {
        return Err(OperateError::UnderWay { message_id, until });
    }
    Ok(store.retry_push(Some(message_id), actor, &format!("message {message_id}"), why).await?)
}

/// What becomes of a task by a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStep {
    /// Tried once more, with all its attempts.
    Retry,
    /// Given up for good.
    Discard,
}

impl TaskStep {
    fn needs(self) -> &'static str {
        match self {
            Self::Retry => "only what was given up is tried once more",
            Self::Discard => "only what was given up or has not begun is discarded",
        }
    }
}

/// Tries a task once more that was given up, or gives one up for good that was or has not begun. As it stood before.
pub async fn decide_task(
    store: &Store,
    actor: &Actor,
    task_id: i64,
    step: TaskStep,
    why: &str,
) -> Result<TaskLine, OperateError> {
    let why = begin(actor, why)?;
    let task = store.find_task(task_id).await?.ok_or(OperateError::NoTask(task_id))?;
    let done = match step {
        TaskStep::Retry => store.retry_dead_task(task_id, actor, why).await?,
        TaskStep::Discard => store.discard_task(task_id, actor, why).await?,
    };
    if done { Ok(task) } else { Err(OperateError::OtherState { task_id, state: task.state, step }) }
}

/// Passes over the fires of a job from now on.
pub async fn pause_job(store: &Store, actor: &Actor, job: &str, why: &str) -> Result<Done, OperateError> {
    let why = begin(actor, why)?;
    Ok(Done { changed: store.pause_job(job, actor, why).await? })
}

/// Runs a job again from its next fire on.
pub async fn resume_job(store: &Store, actor: &Actor, job: &str) -> Result<Done, OperateError> {
    may_operate(actor)?;
    Ok(Done { changed: store.resume_job(job, actor).await? })
}

/// Says that somebody takes care of what is wrong.
pub async fn acknowledge_alert(store: &Store, actor: &Actor, alert_id: i32, why: &str) -> Result<Done, OperateError> {
    let why = begin(actor, why)?;
    let known = store.acknowledge_alert(alert_id, actor, why).await?;
    if known { Ok(Done::CHANGED) } else { Err(OperateError::NoAlert(alert_id)) }
}

/// Closes refused records for good.
pub async fn discard_refusals(
    store: &Store,
    actor: &Actor,
    filter: &QuarantineFilter,
    why: &str,
) -> Result<Discarded, OperateError> {
    let why = begin(actor, why)?;
    Ok(Discarded { discarded: store.discard_refusals(filter, actor, why).await? })
}
