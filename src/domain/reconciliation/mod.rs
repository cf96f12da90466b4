//! Where our messages and the tax department's statement differ: each employer's year in exactly one class, with who acts and how.

use serde::{Deserialize, Serialize};

use super::declaration::Holds;
use super::facts::words;
use super::message::{Message, MessageKind};
use super::statement::{Answer, Answered, InForce, Last, Row, order, row_of};

mod way_out;

#[cfg(test)]
mod tests;

words! {
    /// In which way an employer's year differs.
    Class {
        /// The department holds nothing, or fewer messages than it answered.
        MissingThere = "missing_there",
        /// The department holds an older state than it confirmed.
        BehindThere = "behind_there",
        /// The same certification under another receipt.
        OtherReceipt = "other_receipt",
        /// The department holds messages that are not known here.
        MissingHere = "missing_here",
        /// Rejected, says our answer; accepted, says the statement.
        AcceptedThere = "accepted_there",
        /// Accepted, says our answer; rejected, says the statement.
        RejectedThere = "rejected_there",
        /// The department took out of force what nobody withdrew.
        WithdrawnThere = "withdrawn_there",
        /// The department holds in force what by the answers to our messages is not.
        InForceThere = "in_force_there",
        /// The same message with another digest or other numbers.
        OtherContent = "other_content",
    }
}

words! {
    /// Who puts a difference right.
    Owner {
        /// By itself: it asks about the messages and sends again what the department does not hold.
        Program = "program",
        /// Staff of the federation, who decide on the case.
        Staff = "staff",
        /// Whoever runs the installation.
        Operator = "operator",
        TaxDepartment = "tax_department",
    }
}

/// What is known here of an employer's year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    pub answered: Vec<Answered>,
    /// Messages that are not answered for good, by their ids.
    pub open: Vec<(String, Message)>,
    /// Messages that the department counted before and of which nothing is known.
    pub more: i64,
    /// Something of it was enqueued, sent or answered while the statement was read.
    pub stirred: bool,
}

/// How the two sides of an employer's year compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    Equal,
    /// They differ by what is on its way.
    UnderWay,
    Differs(Class),
}

impl Here {
    pub fn row(&self, uscc: &str) -> Option<Row> {
        row_of(uscc, &self.answered, self.more)
    }

    fn find_answered(&self, message_id: &str) -> Option<&Answered> {
        self.answered.iter().find(|one| one.message_id == message_id)
    }

    fn is_open(&self, message_id: &str) -> bool {
        self.open.iter().any(|(id, _)| id == message_id)
    }

    fn knows(&self, message_id: &str) -> bool {
        self.is_open(message_id) || self.find_answered(message_id).is_some()
    }

    fn withdraws(&self, version: u32) -> bool {
        let is_it = |message: &Message| message.kind == MessageKind::Withdrawn && message.version == version;
        self.open.iter().any(|(_, message)| is_it(message))
    }
}

/// Compares both sides of one employer's year. Whatever they hold falls into exactly one class, or into none.
pub fn compare(uscc: &str, here: &Here, there: Option<&Row>) -> Judged {
    let ours = here.row(uscc);
    if ours.as_ref() == there {
        return Judged::Equal;
    }
    if here.stirred {
        return Judged::UnderWay;
    }
    let Some(there) = there else { return Judged::Differs(Class::MissingThere) };
    if !here.knows(&there.last.message_id) || there.in_force.as_ref().is_some_and(|held| !here.knows(&held.message_id))
    {
        return Judged::Differs(Class::MissingHere);
    }
    if here.is_open(&there.last.message_id) || there.in_force.as_ref().is_some_and(|held| here.withdraws(held.version))
    {
        return Judged::UnderWay;
    }
    // the last message there is answered here, so that there is a row
    let (Some(ours), Some(last)) = (ours, here.find_answered(&there.last.message_id)) else {
        return Judged::Differs(Class::MissingHere);
    };
    Judged::Differs(if ours.last.message_id == last.message_id { class_of(&ours, there) } else { Class::BehindThere })
}

/// Of two rows with the same last message.
fn class_of(ours: &Row, there: &Row) -> Class {
    if there.last != (Last { status: there.last.status, ..ours.last.clone() }) {
        return Class::OtherContent;
    }
    match (ours.last.status, there.last.status) {
        (Answer::Accepted, Answer::Rejected) => return Class::RejectedThere,
        (Answer::Rejected, Answer::Accepted) => return Class::AcceptedThere,
        _ => {}
    }
    if there.messages > ours.messages {
        return Class::MissingHere;
    }
    match (&ours.in_force, &there.in_force) {
        (Some(ours), Some(there)) if ours.message_id == there.message_id => {
            if *there != (InForce { receipt: there.receipt.clone(), ..ours.clone() }) {
                return Class::OtherContent;
            }
            if ours.receipt != there.receipt {
                return Class::OtherReceipt;
            }
        }
        (_, Some(_)) => return Class::InForceThere,
        (Some(_), None) => return Class::WithdrawnThere,
        (None, None) => {}
    }
    // all that is left is how many messages there were
    Class::MissingThere
}

/// The answered messages about which the program asks the department by itself, which it then sends again where they are not held. Of
/// what was rejected after its acceptance the reason is asked; nothing else comes of that.
pub fn asked_again(class: Class, here: &Here, there: Option<&Row>) -> Vec<String> {
    let last = there.and_then(|row| here.find_answered(&row.last.message_id));
    let ids = |wanted: &dyn Fn(&Answered) -> bool| {
        here.answered.iter().filter(|one| wanted(one)).map(|one| one.message_id.clone()).collect()
    };
    match class {
        Class::MissingThere => ids(&|_| true),
        Class::BehindThere => ids(&|one| last.is_none_or(|last| order(one.message) > order(last.message))),
        Class::OtherReceipt => {
            there.and_then(|row| row.in_force.as_ref()).map_or_else(Vec::new, |held| vec![held.message_id.clone()])
        }
        Class::RejectedThere => last.map_or_else(Vec::new, |last| vec![last.message_id.clone()]),
        _ => Vec::new(),
    }
}

/// What following the department comes to, once a person has decided so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub correction: Correction,
    pub step: Step,
}

/// What our own record of the messages is corrected by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    Nothing,
    /// These messages are the department's word alone, and there were `more` of which nothing is known.
    Recovered {
        messages: Vec<Answered>,
        more: i64,
    },
    /// Accepted here, and rejected.
    Rejected {
        message_id: String,
    },
    /// Rejected here, and accepted.
    Accepted {
        message_id: String,
        receipt: String,
    },
    /// Not in force any more.
    Lapsed {
        message_id: String,
    },
}

/// What the declaration goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The certification does not stand any more: as after a rejection.
    Revoke { message: Message },
    /// The numbers used there are used; what is in force there and cannot be proved here is withdrawn.
    Recover { last: Message, messages: u32, holds: Holds },
}

/// How the department is followed; `None` where that is not for us to do: the program repairs it by itself, or only the department can.
pub fn settle(class: Class, here: &Here, there: &Row) -> Option<Settlement> {
    let recover = |holds| Step::Recover { last: message_of(&there.last), messages: there.messages, holds };
    let holds = || match &there.in_force {
        None => Holds::Nothing,
        Some(held) => {
            let ours = here.row(&there.uscc).and_then(|row| row.in_force);
            if ours.is_some_and(|ours| ours.message_id == held.message_id) { Holds::AsHere } else { withdrawn(held) }
        }
    };
    let (correction, step) = match class {
        Class::MissingThere | Class::BehindThere | Class::OtherReceipt => return None,
        Class::MissingHere => {
            let messages = unknown(here, there);
            let known = here.answered.len() as i64 + here.more + messages.len() as i64;
            let more = i64::from(there.messages) - known;
            (Correction::Recovered { messages, more }, recover(holds()))
        }
        Class::AcceptedThere => {
            let held = there.in_force.as_ref().filter(|held| held.message_id == there.last.message_id);
            let receipt = held.map_or_else(|| "-".to_owned(), |held| held.receipt.clone());
            (Correction::Accepted { message_id: there.last.message_id.clone(), receipt }, recover(holds()))
        }
        Class::RejectedThere => {
            let last = here.find_answered(&there.last.message_id)?;
            let message_id = last.message_id.clone();
            (Correction::Rejected { message_id }, Step::Revoke { message: last.message })
        }
        Class::WithdrawnThere => {
            let held = here.row(&there.uscc)?.in_force?;
            let message = here.find_answered(&held.message_id)?.message;
            (Correction::Lapsed { message_id: held.message_id }, Step::Revoke { message })
        }
        Class::InForceThere | Class::OtherContent => {
            (Correction::Nothing, recover(withdrawn(there.in_force.as_ref()?)))
        }
    };
    Some(Settlement { correction, step })
}

fn withdrawn(held: &InForce) -> Holds {
    Holds::Withdrawn { version: held.version, receipt: held.receipt.clone() }
}

/// The messages that a row names and that are not known here.
fn unknown(here: &Here, there: &Row) -> Vec<Answered> {
    let Row { last, in_force, .. } = there;
    let mut messages = Vec::new();
    let numbers = |held: Option<&InForce>| {
        held.map_or((None, 0, 0), |held| (Some(held.receipt.clone()), held.person_count, held.weighted_person_months))
    };
    if !here.knows(&last.message_id) {
        let held = in_force.as_ref().filter(|held| held.message_id == last.message_id);
        let (receipt, person_count, weighted_person_months) = numbers(held);
        let receipt = receipt.or_else(|| (last.status == Answer::Accepted).then(|| "-".to_owned()));
        let Last { message_id, idempotency_key, digest, status, .. } = last.clone();
        let message = message_of(last);
        // accepted, and not in force any more
        let lapsed = held.is_none();
        messages.push(Answered {
            message,
            message_id,
            idempotency_key,
            digest,
            answer: status,
            receipt,
            person_count,
            weighted_person_months,
            lapsed,
        });
    }
    if let Some(held) =
        in_force.as_ref().filter(|held| held.message_id != last.message_id && !here.knows(&held.message_id))
    {
        let (receipt, person_count, weighted_person_months) = numbers(Some(held));
        messages.push(Answered {
            message: Message { version: held.version, kind: MessageKind::Certified, attempt: 1 },
            message_id: held.message_id.clone(),
            idempotency_key: String::new(),
            digest: held.digest.clone(),
            answer: Answer::Accepted,
            receipt,
            person_count,
            weighted_person_months,
            lapsed: false,
        });
    }
    messages
}

/// The last message with the attempt that its key ends in.
fn message_of(last: &Last) -> Message {
    let Last { version, kind, idempotency_key, .. } = last;
    let attempt = idempotency_key.split(':').nth(4).and_then(|number| number.parse().ok()).unwrap_or(1);
    Message { version: *version, kind: *kind, attempt }
}

/// Both rows as they were compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Detail {
    pub here: Option<Row>,
    pub there: Option<Row>,
}
