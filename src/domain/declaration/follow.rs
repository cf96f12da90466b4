//! The tax department is followed where the two sides parted: numbers it has used, certifications it holds or no longer holds.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Act, Commitment, Completion, Declaration, Effect, Held, Issue, Returned, Stage, Unanswered};
use crate::domain::message::{Message, MessageKind, Rejection};

/// How far the tax department had gone on without us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Recovered {
    /// The last message that it had answered: versions up to this one are used.
    pub last: Message,
    /// So many messages it had answered: no key of an earlier version holds a higher number, but for what was given up here without leaving.
    pub messages: u32,
    pub taken_over: Act,
}

/// What the tax department holds in force when it is found to have gone on without us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    /// What is in force here.
    AsHere,
    /// What cannot be proved here: it is to be withdrawn.
    Withdrawn {
        version: u32,
        receipt: String,
    },
}

impl Declaration {
    /// When it was last taken over that the department had gone on.
    pub fn recovered_at(&self) -> Option<DateTime<Utc>> {
        self.recovered.as_ref().map(|recovered| recovered.taken_over.at)
    }

    /// The message once more, under a key that the department cannot have received.
    pub(super) fn issued_again(&self, message: Message) -> Message {
        let of_version = self.recovered.as_ref().filter(|recovered| message.version <= recovered.last.version);
        let used = of_version.map_or(0, |recovered| recovered.messages.max(recovered.last.attempt));
        Message { attempt: message.attempt.max(used) + 1, ..message }
    }

    /// The same acceptance once more, maybe under another receipt; whether it was one.
    pub(super) fn replace_receipt(&mut self, message: Message, receipt: &str) -> bool {
        let held = match &mut self.stage {
            Stage::Accepted(held) => Some(held),
            _ => self.standing.as_mut(),
        };
        let of_held = held.filter(|held| held.issue.message == message).map(|held| &mut held.receipt);
        let of_withdrawn = self.withdrawn.as_mut().filter(|withdrawn| withdrawn.message == message);
        match of_held.or(of_withdrawn.map(|withdrawn| &mut withdrawn.receipt)) {
            Some(before) => {
                receipt.clone_into(before);
                true
            }
            None => false,
        }
    }

    /// What is on its way here is never sent: its keys or what it supersedes are not what the department has. The employer completes again,
    /// above every number that was used.
    pub(super) fn recover(mut self, act: Act, last: Message, messages: u32, holds: Holds) -> (Self, Vec<Effect>) {
        if self.recovered.as_ref().is_some_and(|before| before.last == last && before.messages == messages) {
            return (self, Vec::new());
        }
        let overtaken: Vec<Message> = self.unanswered().map(|issue| issue.message).collect();
        self.earlier.clear();
        let last_version = self.last_version().max(last.version);
        let open = |by: &Act| Stage::Open { last_version, reopened: Some(by.clone()), rejected_at: None };
        let unanswered = matches!(self.stage, Stage::Completed { .. } | Stage::Sent { .. });
        let mut withdraw = None;
        match holds {
            Holds::AsHere => {
                if unanswered {
                    self.stage = self.standing.take().map_or_else(|| open(&act), Stage::Accepted);
                }
            }
            Holds::Nothing => {
                self.standing = None;
                self.withdrawal_rejected = None;
                if unanswered || matches!(self.stage, Stage::Accepted(_)) {
                    self.stage = open(&act);
                }
            }
            Holds::Withdrawn { version, receipt } => {
                withdraw = Some((version, self.completion_to_withdraw(version, receipt, &act)));
                self.withdrawal_rejected = None;
                self.stage = open(&act);
            }
        }
        self.recovered = Some(Recovered { last, messages, taken_over: act.clone() });
        let mut effects = Vec::new();
        if !overtaken.is_empty() {
            effects.push(Effect::Overtake { messages: overtaken });
        }
        if let Some((version, completion)) = withdraw {
            let message = self.issued_again(Message { version, kind: MessageKind::Withdrawn, attempt: 0 });
            self.earlier.push(Unanswered { completion, issue: Issue { message, issued: act }, sent_at: None });
            effects.push(Effect::Withdraw { message });
        }
        let except = self.claiming_versions();
        effects.push(Effect::ReleaseClaims { except });
        (self, effects)
    }

    /// What the withdrawal of a version is about. A result of ours stays beside the stage until the withdrawal is accepted, with its claims;
    /// of a version that is not known here there is nothing but the number.
    fn completion_to_withdraw(&mut self, version: u32, receipt: String, act: &Act) -> Completion {
        match &self.stage {
            Stage::Accepted(held) => self.standing = Some(held.clone()),
            // the department accepted what it had rejected
            Stage::Rejected(Returned { completion, issue, .. }) if completion.version == version => {
                let (completion, issue) = (completion.clone(), issue.clone());
                self.standing = Some(Held { completion, issue, receipt, accepted_at: act.at });
            }
            _ => {}
        }
        let ours = self.standing.as_ref().filter(|held| held.completion.version == version);
        ours.map_or_else(
            || Completion {
                version,
                completed: act.clone(),
                certification_number: String::new(),
                commitment: Commitment { version: String::new(), hash: String::new() },
                amends: None,
            },
            |held| held.completion.clone(),
        )
    }

    /// Claims stay, as after a rejection: staff issue again, reopen or close.
    pub(super) fn revoke(mut self, message: Message, rejection: Rejection, at: DateTime<Utc>) -> Self {
        match self.stage {
            Stage::Accepted(Held { completion, issue, .. }) if issue.message == message => {
                self.stage = Stage::Rejected(Returned { completion, issue, rejection, rejected_at: at });
            }
            _ if self.standing.as_ref().is_some_and(|held| held.issue.message == message) => {
                self.standing = None;
                self.withdrawal_rejected = None;
                if let Stage::Open { rejected_at, .. } = &mut self.stage {
                    *rejected_at = Some(at);
                }
            }
            _ => {}
        }
        self
    }
}
