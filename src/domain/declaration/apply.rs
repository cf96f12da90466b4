//! Every event on every declaration: the next state and what it brings with it, or why not.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::request::checked_reference;
use super::{
    Act, Amendment, Change, Commitment, Completion, Declaration, Deregistration, Effect, Event, Held, Issue, Outcome,
    Refused, Returned, Stage, Unanswered, Withdrawal, Withdrawn,
};
use crate::domain::message::{Message, MessageKind, Rejection};

/// The next state and its effects.
type Next = Result<(Declaration, Vec<Effect>), Refused>;

impl Declaration {
    /// The next state and what it brings with it. News that is no news (a message sent or answered twice, in the same sense)
    /// leaves the declaration as it is, so that a worker may repeat itself.
    pub fn apply(self, event: Event, at: DateTime<Utc>) -> Next {
        match event {
            Event::Complete { by, certification_number, commitment } => {
                self.complete(Act { by, at }, certification_number, commitment)
            }
            Event::Send { message } => self.send(message, at),
            Event::Accept { message, receipt } => self.accept(message, receipt, at),
            Event::Reject { message, rejection } => self.reject(message, rejection, at),
            Event::Reissue { by, kind: MessageKind::Certified } => self.reissue(Act { by, at }),
            Event::Reissue { by, kind: MessageKind::Withdrawn } => self.reissue_withdrawal(Act { by, at }),
            Event::Reopen { by } => self.reopen(Act { by, at }),
            Event::Close { by, reason } => self.close(Act { by, at }, reason),
            Event::AskWithdrawal { by, reason, levy_paid, refund_reference } => {
                self.ask_withdrawal(Act { by, at }, reason, levy_paid, refund_reference.as_deref())
            }
            Event::DecideWithdrawal { by, approve, reason, refund_reference } => {
                let outcome = Outcome { decided: Act { by, at }, approved: approve, reason };
                self.decide_withdrawal(outcome, refund_reference.as_deref())
            }
            Event::AskAmendment { by, changes } => self.ask_amendment(Act { by, at }, changes),
            Event::DecideAmendment { by, approve, reason, certification_number } => {
                let outcome = Outcome { decided: Act { by, at }, approved: approve, reason };
                self.decide_amendment(outcome, certification_number)
            }
            Event::Deregister { by, on } => {
                if !self.is_editable() || self.last_version() > 0 {
                    return Err(Refused::AlreadyCompleted);
                }
                let entry = Deregistration { deregistered_on: on, entered: Act { by, at } };
                Ok((Self { deregistration: Some(entry), ..self }, Vec::new()))
            }
            Event::Recover { by, last, messages, holds } => Ok(self.recover(Act { by, at }, last, messages, holds)),
            Event::Revoke { by: _, message, rejection } => Ok((self.revoke(message, rejection, at), Vec::new())),
        }
    }

    fn complete(self, completed: Act, certification_number: String, commitment: Commitment) -> Next {
        match self.stage {
            Stage::Open { .. } => {
                let version = self.last_version() + 1;
                Ok(self.freeze(Completion { version, completed, certification_number, commitment, amends: None }))
            }
            Stage::Completed { .. } | Stage::Sent { .. } | Stage::Accepted(_) => Err(Refused::AlreadyCompleted),
            Stage::Rejected(_) => Err(Refused::RejectionOpen),
            Stage::Closed { .. } => Err(Refused::Closed),
        }
    }

    /// A new version: its months are kept and claimed, its certification waits behind everything unanswered.
    fn freeze(mut self, completion: Completion) -> (Declaration, Vec<Effect>) {
        let supersedes = self.expected_in_force();
        self.set_aside();
        let version = completion.version;
        let message = Message { version, kind: MessageKind::Certified, attempt: 1 };
        let issue = Issue { message, issued: completion.completed.clone() };
        self.stage = Stage::Completed { completion: completion.clone(), issue };
        let certify = Effect::Certify { message, completion, supersedes };
        (self, vec![Effect::Freeze { version }, Effect::TakeClaims { version }, certify])
    }

    /// What the stage holds of the tax department's side goes beside the stage, which is to become another.
    pub(super) fn set_aside(&mut self) {
        let last_version = self.last_version();
        let open = Stage::Open { last_version, reopened: None, rejected_at: None };
        match std::mem::replace(&mut self.stage, open) {
            Stage::Completed { completion, issue } => {
                self.earlier.push(Unanswered { completion, issue, sent_at: None });
            }
            Stage::Sent { completion, issue, sent_at } => {
                self.earlier.push(Unanswered { completion, issue, sent_at: Some(sent_at) });
            }
            Stage::Accepted(held) => self.standing = Some(held),
            Stage::Open { .. } | Stage::Rejected(_) | Stage::Closed { .. } => {}
        }
    }

    /// Whether the stage waits for an answer to this message.
    fn is_own(&self, message: Message) -> bool {
        let waits = matches!(self.stage, Stage::Completed { .. } | Stage::Sent { .. });
        waits && self.stage.issue().is_some_and(|issue| issue.message == message)
    }

    /// Takes the message out of those before the stage's own.
    fn take_earlier(&mut self, message: Message) -> Option<Unanswered> {
        let place = self.earlier.iter().position(|earlier| earlier.issue.message == message)?;
        Some(self.earlier.remove(place))
    }

    /// Why a message that nobody waits for is none of ours (any more).
    fn not_waited_for(&self, message: Message) -> Refused {
        let known = self.stage.issue().is_some_and(|issue| issue.message == message)
            || self.standing.as_ref().is_some_and(|held| held.issue.message == message)
            || self.withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.message == message)
            || self.withdrawal_rejected.as_ref().is_some_and(|returned| returned.issue.message == message);
        if known {
            Refused::AlreadyAnswered
        } else if self.last_version() == 0 {
            Refused::NotCompleted
        } else {
            Refused::AnotherMessage
        }
    }

    fn send(mut self, message: Message, at: DateTime<Utc>) -> Next {
        if self.is_own(message) {
            if let Stage::Completed { completion, issue } = self.stage {
                self.stage = Stage::Sent { completion, issue, sent_at: at };
            }
            return Ok((self, Vec::new()));
        }
        match self.earlier.iter_mut().find(|earlier| earlier.issue.message == message) {
            Some(earlier) => {
                earlier.sent_at.get_or_insert(at);
                Ok((self, Vec::new()))
            }
            None => Err(self.not_waited_for(message)),
        }
    }

    fn accept(mut self, message: Message, receipt: String, at: DateTime<Utc>) -> Next {
        if self.replace_receipt(message, &receipt) {
            return Ok((self, Vec::new()));
        }
        if self.is_own(message) {
            // an answer proves that the message went out, even if the worker died before it could say so
            if let Stage::Completed { completion, issue } | Stage::Sent { completion, issue, .. } = self.stage {
                self.stage = Stage::Accepted(Held { completion, issue, receipt, accepted_at: at });
                self.standing = None;
            } else {
                return Err(Refused::AnotherMessage);
            }
        } else if let Some(Unanswered { completion, issue, .. }) = self.take_earlier(message) {
            match message.kind {
                MessageKind::Certified => {
                    let withdrawn = self.withdrawn.as_ref().map(|withdrawn| withdrawn.message.version);
                    // an answer that comes after those of later messages puts nothing back into force
                    if self.version_in_force().max(withdrawn) < Some(message.version) {
                        self.standing = Some(Held { completion, issue, receipt, accepted_at: at });
                    }
                }
                MessageKind::Withdrawn => {
                    self.standing.take_if(|held| held.completion.version <= message.version);
                    if self.withdrawn.as_ref().is_none_or(|before| before.message.version <= message.version) {
                        self.withdrawn = Some(Withdrawn { message, receipt, accepted_at: at });
                    }
                }
            }
        } else {
            return Err(self.not_waited_for(message));
        }
        let in_force = self.version_in_force();
        self.withdrawal_rejected.take_if(|returned| Some(returned.completion.version) != in_force);
        let except = self.claiming_versions();
        Ok((self, vec![Effect::ReleaseClaims { except }]))
    }

    fn reject(mut self, message: Message, rejection: Rejection, at: DateTime<Utc>) -> Next {
        let of_stage = match &self.stage {
            Stage::Rejected(returned) => Some(returned),
            _ => None,
        };
        let known = of_stage.into_iter().chain(&self.withdrawal_rejected).find(|one| one.issue.message == message);
        if known.is_some_and(|returned| returned.rejection.code == rejection.code) {
            return Ok((self, Vec::new()));
        }
        if self.is_own(message) {
            if let Stage::Completed { completion, issue } | Stage::Sent { completion, issue, .. } = self.stage {
                self.stage = Stage::Rejected(Returned { completion, issue, rejection, rejected_at: at });
            } else {
                return Err(Refused::AnotherMessage);
            }
        } else if let Some(Unanswered { completion, issue, .. }) = self.take_earlier(message) {
            if let Stage::Open { rejected_at, .. } = &mut self.stage {
                *rejected_at = Some(at);
            }
            let still_held = self.version_in_force() == Some(completion.version);
            // it holds what we cannot prove: that is withdrawn until it is
            let recovered = self.recovered.as_ref().is_some_and(|known| completion.version <= known.last.version);
            if message.kind == MessageKind::Withdrawn && (still_held || recovered) {
                self.withdrawal_rejected = Some(Returned { completion, issue, rejection, rejected_at: at });
            }
        } else {
            return Err(self.not_waited_for(message));
        }
        // months that only the rejected message contained: what is in force was accepted without them
        let except = self.claiming_versions();
        let release = self.in_force().map(|_| Effect::ReleaseClaims { except });
        Ok((self, release.into_iter().collect()))
    }

    fn reissue(mut self, issued: Act) -> Next {
        if matches!(&self.stage, Stage::Completed { issue, .. } if issue.message.attempt > 1 && issue.issued.by == issued.by)
        {
            return Ok((self, Vec::new()));
        }
        let supersedes = self.expected_in_force();
        let Stage::Rejected(Returned { completion, issue, .. }) = self.stage.clone() else {
            return Err(Refused::NotRejected);
        };
        let message = self.issued_again(issue.message);
        self.stage = Stage::Completed { completion: completion.clone(), issue: Issue { message, issued } };
        Ok((self, vec![Effect::Certify { message, completion, supersedes }]))
    }

    fn reissue_withdrawal(mut self, issued: Act) -> Next {
        let Some(Returned { completion, issue, .. }) = self.withdrawal_rejected.clone() else {
            return Err(Refused::NotRejected);
        };
        if self.unanswered().any(|issue| issue.message.version > completion.version) {
            return Err(Refused::Superseded);
        }
        if !matches!(self.stage, Stage::Open { .. } | Stage::Rejected(_)) {
            return Err(Refused::ResultStands);
        }
        let message = self.issued_again(issue.message);
        self.withdrawal_rejected = None;
        self.earlier.push(Unanswered { completion, issue: Issue { message, issued }, sent_at: None });
        Ok((self, vec![Effect::Withdraw { message }]))
    }

    fn reopen(mut self, act: Act) -> Next {
        let rejected_at = match &self.stage {
            Stage::Open { reopened: Some(before), .. } if before.by == act.by => return Ok((self, Vec::new())),
            Stage::Rejected(returned) if self.standing.is_none() => Some(returned.rejected_at),
            Stage::Rejected(_) => return Err(Refused::ResultStands),
            Stage::Closed { .. } => None,
            _ => return Err(Refused::NotRejected),
        };
        self.stage = Stage::Open { last_version: self.last_version(), reopened: Some(act), rejected_at };
        Ok((self, Vec::new()))
    }

    fn close(mut self, closed: Act, reason: String) -> Next {
        required(&reason)?;
        match &self.stage {
            Stage::Closed { closed: before, reason: given, .. } if before.by == closed.by && *given == reason => {
                return Ok((self, Vec::new()));
            }
            Stage::Open { .. } if self.last_version() == 0 => return Err(Refused::NotCompleted),
            Stage::Completed { .. } | Stage::Sent { .. } => return Err(Refused::MayBeAccepted),
            Stage::Accepted(_) => return Err(Refused::ResultStands),
            Stage::Closed { .. } => return Err(Refused::Closed),
            Stage::Open { .. } | Stage::Rejected(_) => {}
        }
        if !self.earlier.is_empty() {
            return Err(Refused::MayBeAccepted);
        }
        let last_version = self.last_version();
        match self.standing.take() {
            Some(held) => {
                self.given_up = Some(last_version).filter(|last| *last > held.completion.version);
                self.stage = Stage::Accepted(held);
            }
            None if self.withdrawn.is_some() && self.is_editable() => return Err(Refused::WithdrawalAccepted),
            None => self.stage = Stage::Closed { last_version, closed, reason },
        }
        let except = self.claiming_versions();
        Ok((self, vec![Effect::ReleaseClaims { except }]))
    }

    /// What is completed and can be withdrawn or amended; a request that is open already comes first.
    fn requestable(&self) -> Result<&Completion, Refused> {
        if self.open_withdrawal().is_some() || self.open_amendment().is_some() {
            return Err(Refused::RequestOpen);
        }
        self.changeable()
    }

    fn changeable(&self) -> Result<&Completion, Refused> {
        match &self.stage {
            Stage::Completed { completion, .. } | Stage::Sent { completion, .. } => Ok(completion),
            Stage::Accepted(held) => Ok(&held.completion),
            Stage::Rejected(_) => Err(Refused::RejectionOpen),
            Stage::Open { .. } => Err(Refused::NotCompleted),
            Stage::Closed { .. } => Err(Refused::Closed),
        }
    }

    /// The same, if it is still the version that a request is about.
    fn changeable_as(&self, version: u32) -> Result<&Completion, Refused> {
        let completion = self.changeable()?;
        if completion.version == version { Ok(completion) } else { Err(Refused::RequestOutdated) }
    }

    /// The withdrawal that waits for a decision.
    pub fn open_withdrawal(&self) -> Option<&Withdrawal> {
        self.withdrawal.as_ref().filter(|request| request.outcome.is_none())
    }

    /// The amendment that waits for a decision.
    pub fn open_amendment(&self) -> Option<&Amendment> {
        self.amendment.as_ref().filter(|request| request.outcome.is_none())
    }

    fn ask_withdrawal(mut self, asked: Act, reason: String, levy_paid: bool, refund_reference: Option<&str>) -> Next {
        let refund_reference = checked_reference(refund_reference)?;
        let same =
            |open: &Withdrawal| open.asked.by == asked.by && open.reason == reason && open.levy_paid == levy_paid;
        if let Some(open) = self.withdrawal.as_mut().filter(|open| open.outcome.is_none() && same(open)) {
            // the refund came after it was asked for
            open.refund_reference = refund_reference.or(open.refund_reference.take());
            return Ok((self, Vec::new()));
        }
        let version = self.requestable()?.version;
        required(&reason)?;
        self.withdrawal = Some(Withdrawal { version, asked, reason, levy_paid, refund_reference, outcome: None });
        Ok((self, Vec::new()))
    }

    fn decide_withdrawal(mut self, outcome: Outcome, refund_reference: Option<&str>) -> Next {
        if is_repeated(self.withdrawal.as_ref().and_then(|request| request.outcome.as_ref()), &outcome) {
            return Ok((self, Vec::new()));
        }
        let request = self.open_withdrawal().ok_or(Refused::NoRequest)?;
        decidable(&request.asked, &outcome)?;
        let refund_reference = checked_reference(refund_reference)?.or_else(|| request.refund_reference.clone());
        let approved = outcome.approved;
        if approved && request.levy_paid && refund_reference.is_none() {
            return Err(Refused::RefundReferenceMissing);
        }
        let withdrawn = if approved { Some(self.changeable_as(request.version)?.clone()) } else { None };
        let decided = outcome.decided.clone();
        if let Some(request) = &mut self.withdrawal {
            request.outcome = Some(outcome);
            request.refund_reference = refund_reference;
        }
        let Some(completion) = withdrawn else { return Ok((self, Vec::new())) };
        self.set_aside();
        if let Stage::Open { reopened, .. } = &mut self.stage {
            *reopened = Some(decided.clone());
        }
        let before = self.withdrawal_rejected.take().map(|returned| returned.issue.message);
        let before = before.filter(|message| message.version == completion.version);
        let attempt = before.map_or(0, |message| message.attempt);
        let message = self.issued_again(Message { version: completion.version, kind: MessageKind::Withdrawn, attempt });
        self.earlier.push(Unanswered { completion, issue: Issue { message, issued: decided }, sent_at: None });
        Ok((self, vec![Effect::Withdraw { message }]))
    }

    fn ask_amendment(mut self, asked: Act, changes: Vec<Change>) -> Next {
        if self.open_amendment().is_some_and(|open| open.asked.by == asked.by && open.changes == changes) {
            return Ok((self, Vec::new()));
        }
        let of_version = self.requestable()?.version;
        let months: HashSet<_> = changes.iter().map(|change| (change.person, change.month)).collect();
        if changes.is_empty() || months.len() != changes.len() {
            return Err(Refused::ChangesUnclear);
        }
        changes.iter().try_for_each(|change| required(&change.reason))?;
        self.amendment = Some(Amendment { of_version, asked, changes, outcome: None });
        Ok((self, Vec::new()))
    }

    fn decide_amendment(mut self, outcome: Outcome, certification_number: String) -> Next {
        if is_repeated(self.amendment.as_ref().and_then(|request| request.outcome.as_ref()), &outcome) {
            return Ok((self, Vec::new()));
        }
        let request = self.open_amendment().ok_or(Refused::NoRequest)?;
        decidable(&request.asked, &outcome)?;
        let of_version = request.of_version;
        let approved = outcome.approved;
        let amended = if approved { Some(self.changeable_as(of_version)?.commitment.clone()) } else { None };
        let completed = outcome.decided.clone();
        if let Some(request) = &mut self.amendment {
            request.outcome = Some(outcome);
        }
        let Some(commitment) = amended else { return Ok((self, Vec::new())) };
        let version = self.last_version() + 1;
        Ok(self.freeze(Completion { version, completed, certification_number, commitment, amends: Some(of_version) }))
    }
}

fn required(reason: &str) -> Result<(), Refused> {
    if reason.trim().is_empty() { Err(Refused::ReasonMissing) } else { Ok(()) }
}

/// A decision has a reason and is not taken by who asked.
fn decidable(asked: &Act, outcome: &Outcome) -> Result<(), Refused> {
    required(&outcome.reason)?;
    if asked.by == outcome.decided.by { Err(Refused::OwnRequest) } else { Ok(()) }
}

/// The same decision by the same person: a command that came twice.
fn is_repeated(known: Option<&Outcome>, outcome: &Outcome) -> bool {
    known.is_some_and(|known| {
        known.decided.by == outcome.decided.by && known.approved == outcome.approved && known.reason == outcome.reason
    })
}
