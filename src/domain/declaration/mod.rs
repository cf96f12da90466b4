//! The declaration of one employer and year as a state machine: 完成申报, the hand-over to the tax department, its answers,
//! withdrawal, amendment, deregistration, closing.
//!
//! Pure: [`Declaration::apply`] returns the next state and its [`Effect`]s; the caller stores both in one transaction.
//!
//! Where the employer stands is the [`Stage`]. What the tax department holds or may come to hold stands beside it, because a
//! message of an earlier version can be unanswered while the next version is entered or completed already. Each answer is matched
//! to its own message, so that late, doubled and crossed answers do no harm.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Message, MessageKind, Rejection};

mod apply;
mod follow;
mod holds;
mod next;
mod refused;
mod request;
#[cfg(test)]
mod tests;

pub use follow::{Holds, Recovered};
pub use next::{NextStep, Progress, WaitsFor};
pub use refused::Refused;
pub use request::{Amendment, Change, Outcome, REFUND_REFERENCE_SIGNS, Withdrawal, checked_reference};

/// Who did something, and when. `by` is the name under which the audit log knows the actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pipeline", schemars(rename = "DoneBy"))]
pub struct Act {
    pub by: String,
    pub at: DateTime<Utc>,
}

/// The text of the commitment (真实性承诺) that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Commitment {
    pub version: String,
    /// Of the text shown, in hexadecimal.
    pub hash: String,
}

/// A 完成申报, or an amendment that was approved: the result frozen under a version of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Completion {
    /// From 1, without gaps, never used twice.
    pub version: u32,
    pub completed: Act,
    pub certification_number: String,
    pub commitment: Commitment,
    /// The version whose months it amends; none: a completion of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amends: Option<u32>,
}

/// A message in the outbox, and who had it put there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Issue {
    pub message: Message,
    pub issued: Act,
}

/// A message that is not answered for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Unanswered {
    /// What the message certifies, or withdraws.
    pub completion: Completion,
    pub issue: Issue,
    #[serde(default)]
    pub sent_at: Option<DateTime<Utc>>,
}

/// A result that the tax department accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Held {
    pub completion: Completion,
    pub issue: Issue,
    pub receipt: String,
    pub accepted_at: DateTime<Utc>,
}

/// A message that the tax department rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Returned {
    pub completion: Completion,
    pub issue: Issue,
    pub rejection: Rejection,
    pub rejected_at: DateTime<Utc>,
}

/// A withdrawal that the tax department accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pipeline", schemars(rename = "AcceptedWithdrawal"))]
pub struct Withdrawn {
    pub message: Message,
    pub receipt: String,
    pub accepted_at: DateTime<Utc>,
}

/// A unit that is being deregistered (单位注销): only months before that month can be declared, and the window does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Deregistration {
    pub deregistered_on: NaiveDate,
    pub entered: Act,
}

/// Where the employer's latest version stands, and what is true there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Stage {
    /// Placements may be entered and months ticked. `last_version` is 0 until something was completed.
    Open {
        last_version: u32,
        /// By whom it was opened again.
        reopened: Option<Act>,
        /// When the tax department rejected what was completed before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejected_at: Option<DateTime<Utc>>,
    },
    /// Frozen; the message waits in the outbox.
    Completed {
        completion: Completion,
        issue: Issue,
    },
    /// The message went out and is not answered for good.
    Sent {
        completion: Completion,
        issue: Issue,
        sent_at: DateTime<Utc>,
    },
    Accepted(Held),
    Rejected(Returned),
    /// Staff ended it: nothing of it was ever accepted, and nothing can be any more.
    Closed {
        last_version: u32,
        closed: Act,
        reason: String,
    },
}

/// A declaration as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Declaration {
    #[serde(flatten)]
    pub stage: Stage,
    /// The result of an earlier version that the tax department still holds; where the stage is accepted, that one took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Held>,
    /// Messages from before the stage's own that are not answered for good, in the order in which they leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Unanswered>,
    /// The last withdrawal that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
    /// The withdrawal of what is still in force, rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal_rejected: Option<Returned>,
    /// The last version that was given up after its rejection: its number is not used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<u32>,
    /// The last request to withdraw, with its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<Withdrawal>,
    /// The last request to amend, with its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendment: Option<Amendment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration: Option<Deregistration>,
    /// How far the department had gone on without us, where that was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
}

/// What happens to a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// 完成申报; whether it may happen, `completion::check` has said.
    Complete {
        by: String,
        certification_number: String,
        commitment: Commitment,
    },
    /// The message left for the tax department, or left once more.
    Send {
        message: Message,
    },
    Accept {
        message: Message,
        receipt: String,
    },
    Reject {
        message: Message,
        rejection: Rejection,
    },
    /// Staff corrected technical data of a rejected message: the same result, or the same withdrawal, goes out once more.
    Reissue {
        by: String,
        kind: MessageKind,
    },
    /// After a rejection the result itself is to change, or a closed declaration goes on: back to entering, then a new version.
    Reopen {
        by: String,
    },
    /// What was rejected is given up: an earlier result in force stands, and without one the declaration is closed.
    Close {
        by: String,
        reason: String,
    },
    AskWithdrawal {
        by: String,
        reason: String,
        levy_paid: bool,
        refund_reference: Option<String>,
    },
    DecideWithdrawal {
        by: String,
        approve: bool,
        reason: String,
        refund_reference: Option<String>,
    },
    /// Single person-months are to be added or removed; that they can be, the caller has made sure.
    AskAmendment {
        by: String,
        changes: Vec<Change>,
    },
    DecideAmendment {
        by: String,
        approve: bool,
        reason: String,
        certification_number: String,
    },
    /// The unit is being deregistered on that day.
    Deregister {
        by: String,
        on: NaiveDate,
    },
    /// The department had received messages that are not known here, the last of them `last`, `messages` with those that are: their
    /// numbers are used, and what it holds in force without our being able to prove it is withdrawn.
    Recover {
        by: String,
        last: Message,
        messages: u32,
        holds: Holds,
    },
    /// The department rejected, or took out of force, what it had accepted.
    Revoke {
        by: String,
        message: Message,
        rejection: Rejection,
    },
}

/// What the caller does in the transaction that stores the next state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Keep these months for good, under the version.
    Freeze { version: u32 },
    /// Claim every month of the version for the employer; one that another employer holds fails all.
    TakeClaims { version: u32 },
    /// Put the certification of what is frozen into the outbox. `supersedes`: what the tax department holds when it arrives.
    Certify { message: Message, completion: Completion, supersedes: Option<u32> },
    /// Put the withdrawal into the outbox.
    Withdraw { message: Message },
    /// Give up the employer's claims on months that none of these versions contains.
    ReleaseClaims { except: Vec<u32> },
    /// Never send these: the department has gone on without them.
    Overtake { messages: Vec<Message> },
}

impl Default for Declaration {
    fn default() -> Self {
        Self {
            stage: Stage::Open { last_version: 0, reopened: None, rejected_at: None },
            standing: None,
            earlier: Vec::new(),
            withdrawn: None,
            withdrawal_rejected: None,
            given_up: None,
            withdrawal: None,
            amendment: None,
            deregistration: None,
            recovered: None,
        }
    }
}

impl Stage {
    /// The word under which the stage is stored and shown to programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Completed { .. } => "completed",
            Self::Sent { .. } => "sent",
            Self::Accepted(_) => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Closed { .. } => "closed",
        }
    }

    /// What is completed, if something is.
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Open { .. } | Self::Closed { .. } => None,
            Self::Completed { completion, .. } | Self::Sent { completion, .. } => Some(completion),
            Self::Accepted(held) => Some(&held.completion),
            Self::Rejected(returned) => Some(&returned.completion),
        }
    }

    /// The message about what is completed.
    pub fn issue(&self) -> Option<&Issue> {
        match self {
            Self::Open { .. } | Self::Closed { .. } => None,
            Self::Completed { issue, .. } | Self::Sent { issue, .. } => Some(issue),
            Self::Accepted(held) => Some(&held.issue),
            Self::Rejected(returned) => Some(&returned.issue),
        }
    }
}

impl Declaration {
    /// The word under which the stage is stored and shown to programs.
    pub fn name(&self) -> &'static str {
        self.stage.name()
    }

    /// Whether placements, affiliates and ticks may change.
    pub fn is_editable(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// The version numbered last; 0 if none was.
    pub fn last_version(&self) -> u32 {
        let of_stage = match &self.stage {
            Stage::Open { last_version, .. } | Stage::Closed { last_version, .. } => *last_version,
            other => other.completion().map_or(0, |completion| completion.version),
        };
        let recovered = self.recovered.as_ref().map_or(0, |recovered| recovered.last.version);
        of_stage.max(self.given_up.unwrap_or_default()).max(recovered)
    }

    /// The day of the unit's deregistration, if one was entered.
    pub fn deregistered_on(&self) -> Option<NaiveDate> {
        self.deregistration.as_ref().map(|entry| entry.deregistered_on)
    }

    /// When the tax department rejected what was completed last, or before it was opened again.
    pub fn rejected_at(&self) -> Option<DateTime<Utc>> {
        match &self.stage {
            Stage::Open { rejected_at, .. } => *rejected_at,
            Stage::Rejected(returned) => Some(returned.rejected_at),
            _ => None,
        }
    }
}
