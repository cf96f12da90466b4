//! The declaration of one employer and year as a state machine: 完成申报, the hand-over to the tax department, its answer.
//!
//! Pure: [`State::apply`] returns the next state and its [`Effect`]s; the caller stores both in one transaction.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Message, MessageKind, Rejection};

/// Who did something, and when. `by` is the name under which the audit log knows the actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    pub by: String,
    pub at: DateTime<Utc>,
}

/// The text of the commitment (真实性承诺) that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    pub version: String,
    /// Of the text shown, in hexadecimal.
    pub hash: String,
}

/// A 完成申报: the result frozen under a version of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// From 1, without gaps, never used twice.
    pub version: u32,
    pub completed: Act,
    pub certification_number: String,
    pub commitment: Commitment,
}

/// A message in the outbox, and who had it put there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    pub message: Message,
    pub issued: Act,
}

/// Where a declaration stands, and what is true there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Placements may be entered and months ticked. `last_version` is 0 until something was completed.
    Open {
        last_version: u32,
        reopened: Option<Act>,
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
    Accepted {
        completion: Completion,
        issue: Issue,
        receipt: String,
        accepted_at: DateTime<Utc>,
    },
    Rejected {
        completion: Completion,
        issue: Issue,
        rejection: Rejection,
        rejected_at: DateTime<Utc>,
    },
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
    /// Staff corrected technical data of a rejected message: the same result goes out once more.
    Reissue {
        by: String,
    },
    /// After a rejection the result itself is to change: back to entering, then a new version.
    Reopen {
        by: String,
    },
}

/// What the caller does in the transaction that stores the next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Keep the result as it is now, for good, under the version.
    Freeze { version: u32 },
    /// Claim every confirmed month of the version for the employer; one that another employer holds fails all.
    TakeClaims { version: u32 },
    /// Put the message into the outbox.
    Enqueue(Message),
    /// Give up the employer's claims on months that the version does not contain.
    ReleaseClaims { not_in_version: u32 },
}

/// Why an event is refused; the state stays what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the declaration is completed already; to change it, ask for a withdrawal or an amendment")]
    AlreadyCompleted,
    #[error("the declaration was rejected; reopen it to change the result, or have the message issued again")]
    RejectionOpen,
    #[error("the declaration is not completed, so that no message of it exists")]
    NotCompleted,
    #[error("the message is not the one that the declaration waits for")]
    AnotherMessage,
    #[error("the tax department answered this message already, and otherwise")]
    AlreadyAnswered,
    #[error("only a declaration that the tax department rejected can be issued again or reopened")]
    NotRejected,
}

impl Refused {
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyCompleted => "already_completed",
            Self::RejectionOpen => "rejection_open",
            Self::NotCompleted => "not_completed",
            Self::AnotherMessage => "another_message",
            Self::AlreadyAnswered => "already_answered",
            Self::NotRejected => "not_rejected",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::AlreadyCompleted => "已完成申报;如需修改,请申请撤回或更正。",
            Self::RejectionOpen => "税务部门已退回;如需修改结果请重新打开申报,否则请重新发送。",
            Self::NotCompleted => "尚未完成申报,没有可处理的报文。",
            Self::AnotherMessage => "该报文不是当前申报正在等待的报文。",
            Self::AlreadyAnswered => "税务部门已对该报文作出不同的答复。",
            Self::NotRejected => "只有被税务部门退回的申报才能重新发送或重新打开。",
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Open { last_version: 0, reopened: None }
    }
}

type Next = Result<(State, Vec<Effect>), Refused>;

impl State {
    /// The word under which the state is stored and shown to programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Completed { .. } => "completed",
            Self::Sent { .. } => "sent",
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Whether placements, affiliates and ticks may change.
    pub fn is_editable(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// The version completed last; 0 if none was.
    pub fn last_version(&self) -> u32 {
        match self {
            Self::Open { last_version, .. } => *last_version,
            Self::Completed { completion, .. }
            | Self::Sent { completion, .. }
            | Self::Accepted { completion, .. }
            | Self::Rejected { completion, .. } => completion.version,
        }
    }

    /// The next state and what it brings with it. News that is no news (a message sent or answered twice, in the same
    /// sense) leaves the state as it is, so that a worker may repeat itself.
    pub fn apply(self, event: Event, at: DateTime<Utc>) -> Next {
        match event {
            Event::Complete { by, certification_number, commitment } => {
                self.complete(Act { by, at }, certification_number, commitment)
            }
            Event::Send { message } => self.send(message, at),
            Event::Accept { message, receipt } => self.accept(message, receipt, at),
            Event::Reject { message, rejection } => self.reject(message, rejection, at),
            Event::Reissue { by } => self.reissue(Act { by, at }),
            Event::Reopen { by } => self.reopen(Act { by, at }),
        }
    }

    fn complete(self, completed: Act, certification_number: String, commitment: Commitment) -> Next {
        match self {
            Self::Open { last_version, .. } => {
                let version = last_version + 1;
                let message = Message { version, kind: MessageKind::Certified, attempt: 1 };
                let issue = Issue { message, issued: completed.clone() };
                let completion = Completion { version, completed, certification_number, commitment };
                let effects =
                    vec![Effect::Freeze { version }, Effect::TakeClaims { version }, Effect::Enqueue(message)];
                Ok((Self::Completed { completion, issue }, effects))
            }
            Self::Completed { .. } | Self::Sent { .. } | Self::Accepted { .. } => Err(Refused::AlreadyCompleted),
            Self::Rejected { .. } => Err(Refused::RejectionOpen),
        }
    }

    /// The message that an answer must be about.
    fn expect(&self, message: Message) -> Result<(), Refused> {
        match self {
            Self::Open { .. } => Err(Refused::NotCompleted),
            Self::Completed { issue, .. }
            | Self::Sent { issue, .. }
            | Self::Accepted { issue, .. }
            | Self::Rejected { issue, .. } => {
                if issue.message == message {
                    Ok(())
                } else {
                    Err(Refused::AnotherMessage)
                }
            }
        }
    }

    fn send(self, message: Message, sent_at: DateTime<Utc>) -> Next {
        self.expect(message)?;
        match self {
            Self::Open { .. } => Err(Refused::NotCompleted),
            Self::Completed { completion, issue } => Ok((Self::Sent { completion, issue, sent_at }, Vec::new())),
            Self::Sent { .. } => Ok((self, Vec::new())),
            Self::Accepted { .. } | Self::Rejected { .. } => Err(Refused::AlreadyAnswered),
        }
    }

    fn accept(self, message: Message, receipt: String, accepted_at: DateTime<Utc>) -> Next {
        self.expect(message)?;
        match self {
            Self::Open { .. } => Err(Refused::NotCompleted),
            // an answer proves that the message went out, even if the worker died before it could say so
            Self::Completed { completion, issue } | Self::Sent { completion, issue, .. } => {
                let release = Effect::ReleaseClaims { not_in_version: completion.version };
                Ok((Self::Accepted { completion, issue, receipt, accepted_at }, vec![release]))
            }
            Self::Accepted { receipt: ref known, .. } if *known == receipt => Ok((self, Vec::new())),
            Self::Accepted { .. } | Self::Rejected { .. } => Err(Refused::AlreadyAnswered),
        }
    }

    fn reject(self, message: Message, rejection: Rejection, rejected_at: DateTime<Utc>) -> Next {
        self.expect(message)?;
        match self {
            Self::Open { .. } => Err(Refused::NotCompleted),
            Self::Completed { completion, issue } | Self::Sent { completion, issue, .. } => {
                Ok((Self::Rejected { completion, issue, rejection, rejected_at }, Vec::new()))
            }
            Self::Rejected { rejection: ref known, .. } if known.code == rejection.code => Ok((self, Vec::new())),
            Self::Accepted { .. } | Self::Rejected { .. } => Err(Refused::AlreadyAnswered),
        }
    }

    fn reissue(self, issued: Act) -> Next {
        let Self::Rejected { completion, issue, .. } = self else { return Err(Refused::NotRejected) };
        let message = Message { attempt: issue.message.attempt + 1, ..issue.message };
        Ok((Self::Completed { completion, issue: Issue { message, issued } }, vec![Effect::Enqueue(message)]))
    }

    fn reopen(self, act: Act) -> Next {
        let Self::Rejected { completion, .. } = self else { return Err(Refused::NotRejected) };
        Ok((Self::Open { last_version: completion.version, reopened: Some(act) }, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Message = Message { version: 1, kind: MessageKind::Certified, attempt: 1 };

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-03-15T02:{minute:02}:00Z").parse().expect("instant")
    }

    fn complete() -> Event {
        let commitment = Commitment { version: "2026-1".to_owned(), hash: "00ff".to_owned() };
        Event::Complete { by: "employer".to_owned(), certification_number: "R-1".to_owned(), commitment }
    }

    fn accept(message: Message, receipt: &str) -> Event {
        Event::Accept { message, receipt: receipt.to_owned() }
    }

    fn reject(message: Message, code: &str) -> Event {
        let rejection =
            Rejection { code: code.to_owned(), field: None, value: None, text: "no such office".to_owned() };
        Event::Reject { message, rejection }
    }

    fn events() -> Vec<(&'static str, Event)> {
        let second = Message { attempt: 2, ..FIRST };
        vec![
            ("complete", complete()),
            ("send", Event::Send { message: FIRST }),
            ("send another", Event::Send { message: second }),
            ("accept", accept(FIRST, "T-1")),
            ("accept, other receipt", accept(FIRST, "T-2")),
            ("accept another", accept(second, "T-1")),
            ("reject", reject(FIRST, "E1")),
            ("reject, other code", reject(FIRST, "E2")),
            ("reject another", reject(second, "E1")),
            ("reissue", Event::Reissue { by: "staff".to_owned() }),
            ("reopen", Event::Reopen { by: "staff".to_owned() }),
        ]
    }

    fn after(events: &[Event]) -> State {
        events.iter().enumerate().fold(State::default(), |state, (minute, event)| {
            state.apply(event.clone(), at(minute as u32)).expect("allowed").0
        })
    }

    fn states() -> Vec<State> {
        let send = Event::Send { message: FIRST };
        vec![
            State::default(),
            after(&[complete()]),
            after(&[complete(), send.clone()]),
            after(&[complete(), send.clone(), accept(FIRST, "T-1")]),
            after(&[complete(), send, reject(FIRST, "E1")]),
        ]
    }

    fn effect(effect: &Effect) -> String {
        match effect {
            Effect::Freeze { version } => format!("freeze v{version}"),
            Effect::TakeClaims { version } => format!("take claims v{version}"),
            Effect::Enqueue(message) => format!("enqueue v{} {} #{}", message.version, message.kind, message.attempt),
            Effect::ReleaseClaims { not_in_version } => format!("release claims not in v{not_in_version}"),
        }
    }

    #[test]
    fn every_state_answers_every_event() {
        let mut table = String::new();
        for state in states() {
            for (name, event) in events() {
                let outcome = match state.clone().apply(event, at(30)) {
                    Ok((next, effects)) if next == state && effects.is_empty() => "unchanged".to_owned(),
                    Ok((next, effects)) if effects.is_empty() => next.name().to_owned(),
                    Ok((next, effects)) => {
                        format!("{}: {}", next.name(), effects.iter().map(effect).collect::<Vec<_>>().join(", "))
                    }
                    Err(refused) => format!("refused {}", refused.code()),
                };
                table.extend([state.name(), " + ", name, " -> ", &outcome, "\n"]);
            }
        }
        insta::assert_snapshot!(table, @r"
        open + complete -> completed: freeze v1, take claims v1, enqueue v1 certified #1
        open + send -> refused not_completed
        open + send another -> refused not_completed
        open + accept -> refused not_completed
        open + accept, other receipt -> refused not_completed
        open + accept another -> refused not_completed
        open + reject -> refused not_completed
        open + reject, other code -> refused not_completed
        open + reject another -> refused not_completed
        open + reissue -> refused not_rejected
        open + reopen -> refused not_rejected
        completed + complete -> refused already_completed
        completed + send -> sent
        completed + send another -> refused another_message
        completed + accept -> accepted: release claims not in v1
        completed + accept, other receipt -> accepted: release claims not in v1
        completed + accept another -> refused another_message
        completed + reject -> rejected
        completed + reject, other code -> rejected
        completed + reject another -> refused another_message
        completed + reissue -> refused not_rejected
        completed + reopen -> refused not_rejected
        sent + complete -> refused already_completed
        sent + send -> unchanged
        sent + send another -> refused another_message
        sent + accept -> accepted: release claims not in v1
        sent + accept, other receipt -> accepted: release claims not in v1
        sent + accept another -> refused another_message
        sent + reject -> rejected
        sent + reject, other code -> rejected
        sent + reject another -> refused another_message
        sent + reissue -> refused not_rejected
        sent + reopen -> refused not_rejected
        accepted + complete -> refused already_completed
        accepted + send -> refused already_answered
        accepted + send another -> refused another_message
        accepted + accept -> unchanged
        accepted + accept, other receipt -> refused already_answered
        accepted + accept another -> refused another_message
        accepted + reject -> refused already_answered
        accepted + reject, other code -> refused already_answered
        accepted + reject another -> refused another_message
        accepted + reissue -> refused not_rejected
        accepted + reopen -> refused not_rejected
        rejected + complete -> refused rejection_open
        rejected + send -> refused already_answered
        rejected + send another -> refused another_message
        rejected + accept -> refused already_answered
        rejected + accept, other receipt -> refused already_answered
        rejected + accept another -> refused another_message
        rejected + reject -> unchanged
        rejected + reject, other code -> refused already_answered
        rejected + reject another -> refused another_message
        rejected + reissue -> completed: enqueue v1 certified #2
        rejected + reopen -> open
        ");
    }

    #[test]
    fn a_rejected_message_is_issued_again_under_the_same_version_and_the_next_attempt() {
        let again = Message { attempt: 2, ..FIRST };
        let issued = after(&[complete(), reject(FIRST, "E1"), Event::Reissue { by: "staff".to_owned() }]);
        let act = |by: &str, minute| Act { by: by.to_owned(), at: at(minute) };
        let completion = Completion {
            version: 1,
            completed: act("employer", 0),
            certification_number: "R-1".to_owned(),
            commitment: Commitment { version: "2026-1".to_owned(), hash: "00ff".to_owned() },
        };
        let issue = Issue { message: again, issued: act("staff", 2) };
        assert_eq!(issued, State::Completed { completion, issue }, "the result is still the employer's");
        let late = issued.clone().apply(accept(FIRST, "T-1"), at(3));
        assert_eq!(late, Err(Refused::AnotherMessage), "the first attempt is over");
        let (accepted, _) = issued.apply(accept(again, "T-9"), at(3)).expect("accepted");
        assert_eq!(accepted.name(), "accepted");
    }

    #[test]
    fn a_reopened_declaration_is_completed_under_the_next_version_which_then_decides_the_claims() {
        let reopened = after(&[complete(), reject(FIRST, "E1"), Event::Reopen { by: "staff".to_owned() }]);
        assert!(reopened.is_editable());
        assert_eq!(reopened.last_version(), 1);
        let (completed, _) = reopened.apply(complete(), at(5)).expect("completed");
        let second = Message { version: 2, ..FIRST };
        let (_, effects) = completed.apply(accept(second, "T-2"), at(6)).expect("accepted");
        assert_eq!(effects, [Effect::ReleaseClaims { not_in_version: 2 }]);
    }

    #[cfg(feature = "pipeline")]
    #[test]
    fn a_state_survives_storage() {
        for state in states() {
            let stored = serde_json::to_value(&state).expect("stored");
            assert_eq!(stored["state"], state.name());
            assert_eq!(serde_json::from_value::<State>(stored).expect("read"), state);
        }
    }
}
