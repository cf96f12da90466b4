//! Every state against every event, and what holds however the tax department's answers come.

use proptest::prelude::*;

use super::*;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;

const FIRST: Message = Message { version: 1, kind: MessageKind::Certified, attempt: 1 };
const WITHDRAWAL: Message = Message { version: 1, kind: MessageKind::Withdrawn, attempt: 1 };
const SECOND: Message = Message { version: 2, kind: MessageKind::Certified, attempt: 1 };

fn at(minute: u32) -> DateTime<Utc> {
    "2026-03-15T02:00:00Z".parse::<DateTime<Utc>>().expect("instant") + chrono::TimeDelta::minutes(minute.into())
}

fn complete() -> Event {
    let commitment = Commitment { version: "2026-1".to_owned(), hash: "00ff".to_owned() };
    Event::Complete { by: "employer".to_owned(), certification_number: "R-1".to_owned(), commitment }
}

fn accept(message: Message) -> Event {
    accept_with(message, &format!("T-{}-{}", message.version, message.kind))
}

fn accept_with(message: Message, receipt: &str) -> Event {
    Event::Accept { message, receipt: receipt.to_owned() }
}

fn reject(message: Message, code: &str) -> Event {
    let rejection = Rejection { code: code.to_owned(), field: None, value: None, text: "no such office".to_owned() };
    Event::Reject { message, rejection }
}

fn ask_withdrawal(levy_paid: bool) -> Event {
    let (by, reason) = ("employer".to_owned(), "a person too many".to_owned());
    Event::AskWithdrawal { by, reason, levy_paid, refund_reference: None }
}

fn decide_withdrawal(approve: bool, reference: Option<&str>) -> Event {
    let refund_reference = reference.map(str::to_owned);
    Event::DecideWithdrawal { by: "staff".to_owned(), approve, reason: "seen".to_owned(), refund_reference }
}

fn ask_amendment() -> Event {
    let month = Month::new(2025, 3).expect("month");
    let change = Change { person: PersonId(1), month, add: false, reason: "not paid".to_owned() };
    Event::AskAmendment { by: "employer".to_owned(), changes: vec![change] }
}

fn decide_amendment(approve: bool) -> Event {
    let (by, reason) = ("staff".to_owned(), "seen".to_owned());
    Event::DecideAmendment { by, approve, reason, certification_number: "R-2".to_owned() }
}

fn reissue(kind: MessageKind) -> Event {
    Event::Reissue { by: "staff".to_owned(), kind }
}

fn reopen() -> Event {
    Event::Reopen { by: "staff".to_owned() }
}

fn close() -> Event {
    Event::Close { by: "staff".to_owned(), reason: "given up".to_owned() }
}

/// The department had gone on to version 2 without us.
fn recover(holds: Holds) -> Event {
    Event::Recover { by: "operator".to_owned(), last: SECOND, messages: 3, holds }
}

fn withdrawn(version: u32) -> Holds {
    Holds::Withdrawn { version, receipt: "T-9".to_owned() }
}

fn revoke(message: Message) -> Event {
    let rejection = Rejection { code: "E9".to_owned(), field: None, value: None, text: "after all".to_owned() };
    Event::Revoke { by: "supervisor".to_owned(), message, rejection }
}

fn deregister() -> Event {
    Event::Deregister { by: "staff".to_owned(), on: "2026-03-10".parse().expect("day") }
}

/// The declaration after these events, a minute each; all are allowed.
fn after(events: &[Event]) -> Declaration {
    events.iter().enumerate().fold(Declaration::default(), |declaration, (minute, event)| {
        declaration.apply(event.clone(), at(minute as u32)).expect("allowed").0
    })
}

/// Every state, by a road that leads to it.
fn states() -> Vec<(&'static str, Declaration)> {
    let send = |message| Event::Send { message };
    let accepted = [complete(), send(FIRST), accept(FIRST)];
    let and = |more: &[Event]| after(&[&accepted[..], more].concat());
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let amending = [ask_amendment(), decide_amendment(true)];
    let twice = |more: &[Event]| and(&[&withdrawing[..], more].concat());
    let amended = |more: &[Event]| and(&[&amending[..], more].concat());
    vec![
        ("open", Declaration::default()),
        ("deregistering", after(&[deregister()])),
        ("completed", after(&[complete()])),
        ("sent", after(&[complete(), send(FIRST)])),
        ("accepted", and(&[])),
        ("rejected", after(&[complete(), send(FIRST), reject(FIRST, "E1")])),
        ("closed", after(&[complete(), reject(FIRST, "E1"), close()])),
        ("withdrawal asked", and(&[ask_withdrawal(false)])),
        ("withdrawal asked, levy paid", and(&[ask_withdrawal(true)])),
        ("withdrawal approved", twice(&[])),
        ("withdrawal accepted", twice(&[accept(WITHDRAWAL)])),
        ("withdrawal rejected", twice(&[reject(WITHDRAWAL, "E1")])),
        ("completed before the withdrawal is answered", twice(&[complete()])),
        ("withdrawal rejected after the next completion", twice(&[complete(), reject(WITHDRAWAL, "E1")])),
        ("amendment asked", and(&[ask_amendment()])),
        ("amended", amended(&[])),
        ("amendment rejected", amended(&[reject(SECOND, "E1")])),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let again = Message { attempt: 2, ..FIRST };
    vec![
        ("complete", complete()),
        ("send v1", Event::Send { message: FIRST }),
        ("accept v1", accept(FIRST)),
        ("accept v1, other receipt", accept_with(FIRST, "T-9")),
        ("accept v1 #2", accept(again)),
        ("reject v1", reject(FIRST, "E1")),
        ("reject v1, other code", reject(FIRST, "E2")),
        ("send withdrawal", Event::Send { message: WITHDRAWAL }),
        ("accept withdrawal", accept(WITHDRAWAL)),
        ("reject withdrawal", reject(WITHDRAWAL, "E1")),
        ("accept v2", accept(SECOND)),
        ("reject v2", reject(SECOND, "E1")),
        ("reissue", reissue(MessageKind::Certified)),
        ("reissue withdrawal", reissue(MessageKind::Withdrawn)),
        ("reopen", reopen()),
        ("close", close()),
        ("ask withdrawal", ask_withdrawal(false)),
        ("approve withdrawal", decide_withdrawal(true, None)),
        ("approve withdrawal, refunded", decide_withdrawal(true, Some("RF-1"))),
        ("refuse withdrawal", decide_withdrawal(false, None)),
        ("ask amendment", ask_amendment()),
        ("approve amendment", decide_amendment(true)),
        ("refuse amendment", decide_amendment(false)),
        ("deregister", deregister()),
        ("recover, nothing held", recover(Holds::Nothing)),
        ("recover, held as here", recover(Holds::AsHere)),
        ("recover, v1 held", recover(withdrawn(1))),
        ("recover, v2 held", recover(withdrawn(2))),
        ("revoke v1", revoke(FIRST)),
    ]
}

fn effect(effect: &Effect) -> String {
    let told = |message: &Message| format!("v{} {} #{}", message.version, message.kind, message.attempt);
    match effect {
        Effect::Freeze { version } => format!("freeze v{version}"),
        Effect::TakeClaims { version } => format!("claim v{version}"),
        Effect::Certify { message, supersedes: None, .. } | Effect::Withdraw { message } => {
            format!("enqueue {}", told(message))
        }
        Effect::Certify { message, supersedes: Some(before), .. } => {
            format!("enqueue {} for v{before}", told(message))
        }
        Effect::ReleaseClaims { except } => format!("release but {except:?}"),
        Effect::Overtake { messages } => {
            format!("overtake {}", messages.iter().map(told).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Stage, what is in force, what is unanswered.
fn told(declaration: &Declaration) -> String {
    let mut text = declaration.name().to_owned();
    if let Some(version) = declaration.version_in_force() {
        text.extend([" v", &version.to_string(), " in force"]);
    }
    for issue in declaration.unanswered() {
        text.extend([" …v", &issue.message.version.to_string(), " ", issue.message.kind.as_str()]);
    }
    text
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of every state against every event")]
fn every_state_answers_every_event() {
    let mut table = String::new();
    for (name, state) in states() {
        table.extend([name, " = ", &told(&state), "\n"]);
        for (event_name, event) in events() {
            let outcome = match state.clone().apply(event, at(300)) {
                Ok((next, effects)) if next == state && effects.is_empty() => "unchanged".to_owned(),
                Ok((next, effects)) => {
                    let effects: Vec<_> = effects.iter().map(effect).collect();
                    let effects = if effects.is_empty() { String::new() } else { format!(": {}", effects.join(", ")) };
                    format!("{}{effects}", told(&next))
                }
                Err(refused) => format!("refused {}", refused.code()),
            };
            table.extend(["  ", event_name, " -> ", &outcome, "\n"]);
        }
    }
    insta::assert_snapshot!(table, @r"
    open = open
      complete -> completed …v1 certified: freeze v1, claim v1, enqueue v1 certified #1
      send v1 -> refused not_completed
      accept v1 -> refused not_completed
      accept v1, other receipt -> refused not_completed
      accept v1 #2 -> refused not_completed
      reject v1 -> refused not_completed
      reject v1, other code -> refused not_completed
      send withdrawal -> refused not_completed
      accept withdrawal -> refused not_completed
      reject withdrawal -> refused not_completed
      accept v2 -> refused not_completed
      reject v2 -> refused not_completed
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused not_completed
      ask withdrawal -> refused not_completed
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> refused not_completed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> open
      recover, nothing held -> open: release but []
      recover, held as here -> open: release but []
      recover, v1 held -> open …v1 withdrawn: enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    deregistering = open
      complete -> completed …v1 certified: freeze v1, claim v1, enqueue v1 certified #1
      send v1 -> refused not_completed
      accept v1 -> refused not_completed
      accept v1, other receipt -> refused not_completed
      accept v1 #2 -> refused not_completed
      reject v1 -> refused not_completed
      reject v1, other code -> refused not_completed
      send withdrawal -> refused not_completed
      accept withdrawal -> refused not_completed
      reject withdrawal -> refused not_completed
      accept v2 -> refused not_completed
      reject v2 -> refused not_completed
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused not_completed
      ask withdrawal -> refused not_completed
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> refused not_completed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> open
      recover, nothing held -> open: release but []
      recover, held as here -> open: release but []
      recover, v1 held -> open …v1 withdrawn: enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    completed = completed …v1 certified
      complete -> refused already_completed
      send v1 -> sent …v1 certified
      accept v1 -> accepted v1 in force: release but [1]
      accept v1, other receipt -> accepted v1 in force: release but [1]
      accept v1 #2 -> refused another_message
      reject v1 -> rejected
      reject v1, other code -> rejected
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused may_be_accepted
      ask withdrawal -> completed …v1 certified
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> completed …v1 certified
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v1 certified #1, release but []
      recover, held as here -> open: overtake v1 certified #1, release but []
      recover, v1 held -> open …v1 withdrawn: overtake v1 certified #1, enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: overtake v1 certified #1, enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    sent = sent …v1 certified
      complete -> refused already_completed
      send v1 -> unchanged
      accept v1 -> accepted v1 in force: release but [1]
      accept v1, other receipt -> accepted v1 in force: release but [1]
      accept v1 #2 -> refused another_message
      reject v1 -> rejected
      reject v1, other code -> rejected
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused may_be_accepted
      ask withdrawal -> sent …v1 certified
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> sent …v1 certified
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v1 certified #1, release but []
      recover, held as here -> open: overtake v1 certified #1, release but []
      recover, v1 held -> open …v1 withdrawn: overtake v1 certified #1, enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: overtake v1 certified #1, enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    accepted = accepted v1 in force
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> accepted v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused result_stands
      ask withdrawal -> accepted v1 in force
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> accepted v1 in force
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> accepted v1 in force: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> rejected
    rejected = rejected
      complete -> refused rejection_open
      send v1 -> refused already_answered
      accept v1 -> refused already_answered
      accept v1, other receipt -> refused already_answered
      accept v1 #2 -> refused another_message
      reject v1 -> unchanged
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> completed …v1 certified: enqueue v1 certified #2
      reissue withdrawal -> refused not_rejected
      reopen -> open
      close -> closed: release but []
      ask withdrawal -> refused rejection_open
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> refused rejection_open
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> rejected: release but [1]
      recover, held as here -> rejected: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open …v2 withdrawn: enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    closed = closed
      complete -> refused closed
      send v1 -> refused another_message
      accept v1 -> refused another_message
      accept v1, other receipt -> refused another_message
      accept v1 #2 -> refused another_message
      reject v1 -> refused another_message
      reject v1, other code -> refused another_message
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> open
      close -> unchanged
      ask withdrawal -> refused closed
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> refused closed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> closed: release but []
      recover, held as here -> closed: release but []
      recover, v1 held -> open …v1 withdrawn: enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    withdrawal asked = accepted v1 in force
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> accepted v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused result_stands
      ask withdrawal -> unchanged
      approve withdrawal -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #1
      approve withdrawal, refunded -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #1
      refuse withdrawal -> accepted v1 in force
      ask amendment -> refused request_open
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> accepted v1 in force: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> rejected
    withdrawal asked, levy paid = accepted v1 in force
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> accepted v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused result_stands
      ask withdrawal -> refused request_open
      approve withdrawal -> refused refund_reference_missing
      approve withdrawal, refunded -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #1
      refuse withdrawal -> accepted v1 in force
      ask amendment -> refused request_open
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> accepted v1 in force: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> rejected
    withdrawal approved = open v1 in force …v1 withdrawn
      complete -> completed v1 in force …v1 withdrawn …v2 certified: freeze v2, claim v2, enqueue v2 certified #1
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> open v1 in force …v1 withdrawn
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> open v1 in force …v1 withdrawn
      accept withdrawal -> open: release but []
      reject withdrawal -> open v1 in force: release but [1]
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> unchanged
      close -> refused may_be_accepted
      ask withdrawal -> refused not_completed
      approve withdrawal -> unchanged
      approve withdrawal, refunded -> unchanged
      refuse withdrawal -> refused no_request
      ask amendment -> refused not_completed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v1 withdrawn #1, release but []
      recover, held as here -> open v1 in force: overtake v1 withdrawn #1, release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: overtake v1 withdrawn #1, enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: overtake v1 withdrawn #1, enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> open …v1 withdrawn
    withdrawal accepted = open
      complete -> completed …v2 certified: freeze v2, claim v2, enqueue v2 certified #1
      send v1 -> refused another_message
      accept v1 -> refused another_message
      accept v1, other receipt -> refused another_message
      accept v1 #2 -> refused another_message
      reject v1 -> refused another_message
      reject v1, other code -> refused another_message
      send withdrawal -> refused already_answered
      accept withdrawal -> unchanged
      reject withdrawal -> refused already_answered
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> unchanged
      close -> refused withdrawal_accepted
      ask withdrawal -> refused not_completed
      approve withdrawal -> unchanged
      approve withdrawal, refunded -> unchanged
      refuse withdrawal -> refused no_request
      ask amendment -> refused not_completed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> open: release but []
      recover, v1 held -> open …v1 withdrawn: enqueue v1 withdrawn #4, release but []
      recover, v2 held -> open …v2 withdrawn: enqueue v2 withdrawn #4, release but []
      revoke v1 -> unchanged
    withdrawal rejected = open v1 in force
      complete -> completed v1 in force …v2 certified: freeze v2, claim v2, enqueue v2 certified #1 for v1
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> open v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused already_answered
      accept withdrawal -> refused already_answered
      reject withdrawal -> unchanged
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #2
      reopen -> unchanged
      close -> accepted v1 in force: release but [1]
      ask withdrawal -> refused not_completed
      approve withdrawal -> unchanged
      approve withdrawal, refunded -> unchanged
      refuse withdrawal -> refused no_request
      ask amendment -> refused not_completed
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> open v1 in force: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> open
    completed before the withdrawal is answered = completed v1 in force …v1 withdrawn …v2 certified
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> completed v1 in force …v1 withdrawn …v2 certified
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> completed v1 in force …v1 withdrawn …v2 certified
      accept withdrawal -> completed …v2 certified: release but [2]
      reject withdrawal -> completed v1 in force …v2 certified: release but [1, 2]
      accept v2 -> accepted v2 in force …v1 withdrawn: release but [2]
      reject v2 -> rejected v1 in force …v1 withdrawn: release but [1, 2]
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused may_be_accepted
      ask withdrawal -> completed v1 in force …v1 withdrawn …v2 certified
      approve withdrawal -> unchanged
      approve withdrawal, refunded -> unchanged
      refuse withdrawal -> refused no_request
      ask amendment -> completed v1 in force …v1 withdrawn …v2 certified
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v1 withdrawn #1, v2 certified #1, release but []
      recover, held as here -> accepted v1 in force: overtake v1 withdrawn #1, v2 certified #1, release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: overtake v1 withdrawn #1, v2 certified #1, enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: overtake v1 withdrawn #1, v2 certified #1, enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> completed …v1 withdrawn …v2 certified
    withdrawal rejected after the next completion = completed v1 in force …v2 certified
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> completed v1 in force …v2 certified
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused already_answered
      accept withdrawal -> refused already_answered
      reject withdrawal -> unchanged
      accept v2 -> accepted v2 in force: release but [2]
      reject v2 -> rejected v1 in force: release but [1, 2]
      reissue -> refused not_rejected
      reissue withdrawal -> refused superseded
      reopen -> refused not_rejected
      close -> refused may_be_accepted
      ask withdrawal -> completed v1 in force …v2 certified
      approve withdrawal -> unchanged
      approve withdrawal, refunded -> unchanged
      refuse withdrawal -> refused no_request
      ask amendment -> completed v1 in force …v2 certified
      approve amendment -> refused no_request
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v2 certified #1, release but []
      recover, held as here -> accepted v1 in force: overtake v2 certified #1, release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: overtake v2 certified #1, enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: overtake v2 certified #1, enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> completed …v2 certified
    amendment asked = accepted v1 in force
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> accepted v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused another_message
      reject v2 -> refused another_message
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused result_stands
      ask withdrawal -> refused request_open
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> unchanged
      approve amendment -> completed v1 in force …v2 certified: freeze v2, claim v2, enqueue v2 certified #1 for v1
      refuse amendment -> accepted v1 in force
      deregister -> refused already_completed
      recover, nothing held -> open: release but []
      recover, held as here -> accepted v1 in force: release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> rejected
    amended = completed v1 in force …v2 certified
      complete -> refused already_completed
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> completed v1 in force …v2 certified
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> accepted v2 in force: release but [2]
      reject v2 -> rejected v1 in force: release but [1, 2]
      reissue -> refused not_rejected
      reissue withdrawal -> refused not_rejected
      reopen -> refused not_rejected
      close -> refused may_be_accepted
      ask withdrawal -> completed v1 in force …v2 certified
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> completed v1 in force …v2 certified
      approve amendment -> unchanged
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> open: overtake v2 certified #1, release but []
      recover, held as here -> accepted v1 in force: overtake v2 certified #1, release but [1]
      recover, v1 held -> open v1 in force …v1 withdrawn: overtake v2 certified #1, enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v1 in force …v2 withdrawn: overtake v2 certified #1, enqueue v2 withdrawn #4, release but [1]
      revoke v1 -> completed …v2 certified
    amendment rejected = rejected v1 in force
      complete -> refused rejection_open
      send v1 -> refused already_answered
      accept v1 -> unchanged
      accept v1, other receipt -> rejected v1 in force
      accept v1 #2 -> refused another_message
      reject v1 -> refused already_answered
      reject v1, other code -> refused already_answered
      send withdrawal -> refused another_message
      accept withdrawal -> refused another_message
      reject withdrawal -> refused another_message
      accept v2 -> refused already_answered
      reject v2 -> unchanged
      reissue -> completed v1 in force …v2 certified: enqueue v2 certified #2 for v1
      reissue withdrawal -> refused not_rejected
      reopen -> refused result_stands
      close -> accepted v1 in force: release but [1]
      ask withdrawal -> refused rejection_open
      approve withdrawal -> refused no_request
      approve withdrawal, refunded -> refused no_request
      refuse withdrawal -> refused no_request
      ask amendment -> refused rejection_open
      approve amendment -> unchanged
      refuse amendment -> refused no_request
      deregister -> refused already_completed
      recover, nothing held -> rejected: release but [2]
      recover, held as here -> rejected v1 in force: release but [1, 2]
      recover, v1 held -> open v1 in force …v1 withdrawn: enqueue v1 withdrawn #4, release but [1]
      recover, v2 held -> open v2 in force …v2 withdrawn: enqueue v2 withdrawn #4, release but [2]
      revoke v1 -> rejected
    ");
}

#[test]
fn a_rejected_message_is_issued_again_under_the_same_version_and_the_next_attempt() {
    let again = Message { attempt: 2, ..FIRST };
    let issued = after(&[complete(), reject(FIRST, "E1"), reissue(MessageKind::Certified)]);
    assert_eq!(
        issued.stage.completion().expect("completed").completed.by,
        "employer",
        "the result is still the employer's"
    );
    assert_eq!(issued.stage.issue().expect("issued").issued.by, "staff");
    assert_eq!(issued.clone().apply(accept(FIRST), at(3)), Err(Refused::AnotherMessage), "the first attempt is over");
    let (accepted, _) = issued.apply(accept(again), at(3)).expect("accepted");
    assert_eq!(accepted.name(), "accepted");
}

#[test]
fn a_paid_levy_is_paid_back_before_anything_is_withdrawn() {
    let asked = after(&[complete(), accept(FIRST), ask_withdrawal(true)]);
    let refused = asked.clone().apply(decide_withdrawal(true, Some(" ")), at(5));
    assert_eq!(refused, Err(Refused::RefundReferenceMissing));
    let (open, effects) = asked.apply(decide_withdrawal(true, Some("RF-1")), at(5)).expect("approved");
    assert_eq!((told(&open).as_str(), effects.len()), ("open v1 in force …v1 withdrawn", 1));
    let request = open.withdrawal.expect("kept");
    assert_eq!(
        (request.refund_reference.as_deref(), request.outcome.map(|outcome| outcome.approved)),
        (Some("RF-1"), Some(true))
    );
}

#[test]
fn nobody_decides_what_they_asked_for_and_nothing_is_done_without_a_reason() {
    let asked = after(&[complete(), ask_amendment()]);
    let decide = |by: &str, reason: &str| Event::DecideAmendment {
        by: by.to_owned(),
        approve: true,
        reason: reason.to_owned(),
        certification_number: String::new(),
    };
    assert_eq!(asked.clone().apply(decide("employer", "mine"), at(5)), Err(Refused::OwnRequest));
    assert_eq!(asked.apply(decide("staff", " "), at(5)), Err(Refused::ReasonMissing));
}

#[test]
fn a_rejected_amendment_leaves_the_old_result_and_can_be_given_up() {
    let rejected = after(&[complete(), accept(FIRST), ask_amendment(), decide_amendment(true), reject(SECOND, "E1")]);
    assert_eq!(told(&rejected), "rejected v1 in force");
    let (standing, effects) = rejected.apply(close(), at(9)).expect("given up");
    assert_eq!(told(&standing), "accepted v1 in force");
    assert_eq!(effects, [Effect::ReleaseClaims { except: vec![1] }]);
    let (again, _) = standing.apply(ask_amendment(), at(10)).expect("asked");
    let (again, _) = again
        .apply(
            Event::DecideAmendment {
                by: "chief".to_owned(),
                approve: true,
                reason: "seen".to_owned(),
                certification_number: "R-3".to_owned(),
            },
            at(11),
        )
        .expect("approved");
    assert_eq!(told(&again), "completed v1 in force …v3 certified", "no number is used twice");
}

#[test]
fn requests_do_not_mind_the_answers_that_come_meanwhile() {
    let asked = after(&[complete(), ask_withdrawal(false)]);
    let (accepted, _) = asked.apply(accept(FIRST), at(5)).expect("accepted");
    assert_eq!(told(&accepted), "accepted v1 in force");
    assert!(accepted.open_withdrawal().is_some());
    let (open, _) = accepted.apply(decide_withdrawal(true, None), at(6)).expect("approved");
    assert_eq!(told(&open), "open v1 in force …v1 withdrawn");
}

#[test]
fn the_answers_of_three_messages_may_cross() {
    let all = after(&[complete(), ask_withdrawal(false), decide_withdrawal(true, None), complete()]);
    assert_eq!(told(&all), "completed …v1 certified …v1 withdrawn …v2 certified");
    assert_eq!(all.expected_in_force(), Some(2));
    let mut declaration = all;
    for message in [SECOND, WITHDRAWAL, FIRST] {
        declaration = declaration.apply(accept(message), at(9)).expect("taken").0;
    }
    assert_eq!(told(&declaration), "accepted v2 in force");
    assert_eq!(declaration.claiming_versions(), [2]);
}

#[test]
fn another_receipt_takes_the_place_of_the_first_wherever_the_result_stands() {
    let receipt = |declaration: &Declaration| declaration.in_force().map(|held| held.receipt.clone());
    let accepted = after(&[complete(), accept(FIRST)]);
    let (again, effects) = accepted.apply(accept_with(FIRST, "T-9"), at(9)).expect("taken");
    assert_eq!((receipt(&again).as_deref(), effects), (Some("T-9"), Vec::new()));
    let withdrawing = after(&[complete(), accept(FIRST), ask_withdrawal(false), decide_withdrawal(true, None)]);
    let (again, _) = withdrawing.apply(accept_with(FIRST, "T-9"), at(9)).expect("taken");
    assert_eq!(receipt(&again).as_deref(), Some("T-9"));
    let (again, _) = again.apply(accept(WITHDRAWAL), at(10)).expect("taken");
    let (again, _) = again.apply(accept_with(WITHDRAWAL, "T-8"), at(11)).expect("taken");
    assert_eq!(again.withdrawn.map(|withdrawn| withdrawn.receipt).as_deref(), Some("T-8"));
}

#[test]
fn after_a_recovery_no_number_that_the_department_has_is_used_again() {
    let (recovered, effects) = Declaration::default().apply(recover(withdrawn(2)), at(1)).expect("recovered");
    assert_eq!(told(&recovered), "open …v2 withdrawn");
    let withdrawal = Message { version: 2, kind: MessageKind::Withdrawn, attempt: 4 };
    assert!(effects.contains(&Effect::Withdraw { message: withdrawal }), "{effects:?}");
    let (same, effects) = recovered.clone().apply(recover(withdrawn(2)), at(2)).expect("again");
    assert_eq!((&same, effects.len()), (&recovered, 0), "the same once more changes nothing");
    let (completed, _) = recovered.apply(complete(), at(3)).expect("completed");
    assert_eq!(told(&completed), "completed …v2 withdrawn …v3 certified");
    assert_eq!(completed.expected_in_force(), Some(3));
    let (answered, _) = completed.apply(accept(withdrawal), at(4)).expect("withdrawn");
    let third = Message { version: 3, ..FIRST };
    let (answered, _) = answered.apply(accept(third), at(5)).expect("accepted");
    assert_eq!(told(&answered), "accepted v3 in force");
}

#[test]
fn what_is_issued_again_after_a_recovery_has_a_key_that_the_department_never_saw() {
    let rejected = after(&[complete(), reject(FIRST, "E1")]);
    let last = Message { attempt: 2, ..FIRST };
    let gone_on = Event::Recover { by: "operator".to_owned(), last, messages: 5, holds: Holds::Nothing };
    let (rejected, _) = rejected.apply(gone_on, at(3)).expect("recovered");
    assert_eq!(told(&rejected), "rejected");
    let (again, _) = rejected.apply(reissue(MessageKind::Certified), at(4)).expect("issued");
    assert_eq!(again.stage.issue().map(|issue| issue.message), Some(Message { attempt: 6, ..FIRST }));
}

#[test]
fn our_own_result_stands_with_its_claims_until_what_took_its_place_is_withdrawn() {
    let accepted = after(&[complete(), accept(FIRST)]);
    let (open, effects) = accepted.apply(recover(withdrawn(2)), at(3)).expect("recovered");
    assert_eq!(told(&open), "open v1 in force …v2 withdrawn");
    assert!(effects.contains(&Effect::ReleaseClaims { except: vec![1] }), "{effects:?}");
    let withdrawal = Message { version: 2, kind: MessageKind::Withdrawn, attempt: 4 };
    let (open, effects) = open.apply(accept(withdrawal), at(4)).expect("withdrawn");
    assert_eq!((told(&open).as_str(), effects), ("open", vec![Effect::ReleaseClaims { except: Vec::new() }]));
}

#[test]
fn what_the_department_rejects_after_all_is_rejected_with_its_code_and_goes_the_ways_of_a_rejection() {
    let (rejected, effects) = after(&[complete(), accept(FIRST)]).apply(revoke(FIRST), at(3)).expect("revoked");
    assert_eq!((told(&rejected).as_str(), effects.len()), ("rejected", 0), "claims stay");
    let Stage::Rejected(returned) = &rejected.stage else { panic!("rejected") };
    assert_eq!((returned.rejection.code.as_str(), rejected.rejected_at()), ("E9", Some(at(3))));
    assert!(rejected.clone().apply(reissue(MessageKind::Certified), at(4)).is_ok());
    assert!(rejected.clone().apply(reopen(), at(4)).is_ok());
    assert!(rejected.apply(close(), at(4)).is_ok());
}

#[cfg(feature = "pipeline")]
#[test]
fn a_declaration_survives_storage() {
    for (name, state) in states() {
        let stored = serde_json::to_value(&state).expect("stored");
        assert_eq!(stored["state"], state.name());
        assert_eq!(serde_json::from_value::<Declaration>(stored).expect("read"), state, "{name}");
    }
}

#[cfg(feature = "pipeline")]
#[test]
fn what_an_earlier_program_stored_is_read() {
    let completion = r#"{"version":1,"completed":{"by":"x","at":"2026-03-15T02:00:00Z"},"certification_number":"R-1","commitment":{"version":"2026-1","hash":"00"}}"#;
    let issue =
        r#"{"message":{"version":1,"kind":"certified","attempt":1},"issued":{"by":"x","at":"2026-03-15T02:00:00Z"}}"#;
    let rows = [
        (r#"{"state":"open","last_version":0,"reopened":null}"#.to_owned(), "open"),
        (format!(r#"{{"state":"completed","completion":{completion},"issue":{issue}}}"#), "completed …v1 certified"),
        (
            format!(r#"{{"state":"sent","completion":{completion},"issue":{issue},"sent_at":"2026-03-15T02:00:00Z"}}"#),
            "sent …v1 certified",
        ),
        (
            format!(
                r#"{{"state":"accepted","completion":{completion},"issue":{issue},"receipt":"T","accepted_at":"2026-03-15T02:00:00Z"}}"#
            ),
            "accepted v1 in force",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(told(&serde_json::from_str(&text).expect("read")), expected);
    }
}

/// The tax department as a set of versions, with its answers under way.
#[derive(Default)]
struct Department {
    held: Option<u32>,
    highest: u32,
    /// Answers, each maybe delivered again and in any order.
    answers: Vec<Event>,
}

impl Department {
    /// Judges a message as it arrives; `mood` lets it reject what is right.
    fn receive(&mut self, message: Message, supersedes: Option<u32>, mood: bool) {
        let fits = match message.kind {
            MessageKind::Certified => message.version > self.highest && supersedes == self.held,
            MessageKind::Withdrawn => self.held == Some(message.version),
        };
        if !fits || mood {
            self.answers.push(reject(message, "E1"));
            return;
        }
        self.highest = message.version;
        self.held = (message.kind == MessageKind::Certified).then_some(message.version);
        self.answers.push(accept(message));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Any events in any order, answers late, doubled and crossed.
    #[test]
    fn the_declaration_and_the_department_never_part(moves in prop::collection::vec((0..16_u8, any::<u8>(), prop::bool::weighted(0.15)), 1..80)) {
        let mut declaration = Declaration::default();
        let mut department = Department::default();
        let mut outbox: Vec<(Message, Option<u32>)> = Vec::new();
        // versions whose months the employer claims
        let mut claims: Vec<u32> = Vec::new();
        let mut last = 0;
        for (step, (what, pick, mood)) in moves.into_iter().enumerate() {
            let event = match what {
                0 | 1 => complete(),
                2 => ask_withdrawal(pick % 2 == 0),
                3 => decide_withdrawal(pick % 4 != 0, (pick % 3 != 0).then_some("RF-1")),
                4 => ask_amendment(),
                5 => decide_amendment(pick % 4 != 0),
                6 => reissue(if pick % 2 == 0 { MessageKind::Certified } else { MessageKind::Withdrawn }),
                7 => reopen(),
                8 => close(),
                9..=11 => {
                    // the department receives the first message of the order
                    outbox.sort_by_key(|(message, _)| (message.version, message.kind == MessageKind::Withdrawn, message.attempt));
                    if outbox.is_empty() { continue }
                    let (message, supersedes) = outbox.remove(0);
                    department.receive(message, supersedes, mood);
                    Event::Send { message }
                }
                _ => {
                    if department.answers.is_empty() { continue }
                    let place = usize::from(pick) % department.answers.len();
                    // now and then an answer comes again
                    if mood { department.answers[place].clone() } else { department.answers.remove(place) }
                }
            };
            let before = declaration.clone();
            let Ok((next, effects)) = declaration.clone().apply(event, at(step as u32)) else { continue };
            let answered = next.unanswered().count() < before.unanswered().count();
            for effect in effects {
                match effect {
                    Effect::Freeze { version } => {
                        prop_assert_eq!(version, last + 1, "versions rise by one");
                        last = version;
                    }
                    Effect::TakeClaims { version } => claims.push(version),
                    Effect::Certify { message, supersedes, .. } => outbox.push((message, supersedes)),
                    Effect::Withdraw { message } => outbox.push((message, None)),
                    Effect::ReleaseClaims { except } => claims.retain(|version| except.contains(version)),
                    Effect::Overtake { messages } => outbox.retain(|(message, _)| !messages.contains(message)),
                }
            }
            // in force only what an acceptance put there
            if next.version_in_force() > before.version_in_force() {
                prop_assert!(answered);
            }
            prop_assert!(next.last_version() >= before.last_version());
            prop_assert_eq!(next.last_version(), last);
            declaration = next;
            if let Some(held) = department.held {
                prop_assert!(claims.contains(&held), "what the department holds is claimed: {:?} of {:?}", held, claims);
            }
            for issue in declaration.unanswered() {
                if issue.message.kind == MessageKind::Certified {
                    prop_assert!(claims.contains(&issue.message.version), "what is on its way is claimed");
                }
            }
        }
        // everything leaves and is answered: both sides hold the same
        outbox.sort_by_key(|(message, _)| (message.version, message.kind == MessageKind::Withdrawn, message.attempt));
        for (message, supersedes) in outbox {
            department.receive(message, supersedes, false);
        }
        for answer in std::mem::take(&mut department.answers) {
            if let Ok((next, _)) = declaration.clone().apply(answer, at(500)) {
                declaration = next;
            }
        }
        prop_assert_eq!(declaration.version_in_force(), department.held);
        prop_assert_eq!(declaration.unanswered().count(), 0);
    }
}

#[test]
fn placements_may_change_only_while_the_declaration_is_open() {
    let editable: Vec<&str> =
        states().into_iter().filter(|(_, state)| state.is_editable()).map(|(name, _)| name).collect();
    assert_eq!(
        editable,
        ["open", "deregistering", "withdrawal approved", "withdrawal accepted", "withdrawal rejected"]
    );
}

#[test]
fn the_day_of_deregistration_and_of_the_rejection_are_kept() {
    assert_eq!(after(&[deregister()]).deregistered_on(), "2026-03-10".parse().ok());
    assert_eq!(after(&[complete()]).deregistered_on(), None);
    let rejected = after(&[complete(), reject(FIRST, "E1")]);
    assert_eq!(rejected.rejected_at(), Some(at(1)));
    let reopened = after(&[complete(), reject(FIRST, "E1"), reopen()]);
    assert_eq!((reopened.name(), reopened.rejected_at()), ("open", Some(at(1))), "the window counts from it");
    assert_eq!(after(&[complete(), accept(FIRST)]).rejected_at(), None);
    assert_eq!(Declaration::default().rejected_at(), None);
}

#[test]
fn only_the_same_person_with_the_same_words_repeats_a_command() {
    let allowed =
        |declaration: &Declaration, event: Event| declaration.clone().apply(event, at(50)).map(|(after, _)| after);
    let reopened = after(&[complete(), reject(FIRST, "E1"), reopen()]);
    assert_eq!(allowed(&reopened, reopen()), Ok(reopened.clone()));
    assert_eq!(allowed(&reopened, Event::Reopen { by: "another".to_owned() }), Err(Refused::NotRejected));

    let closed = after(&[complete(), reject(FIRST, "E1"), close()]);
    assert_eq!(allowed(&closed, close()), Ok(closed.clone()));
    for (by, reason) in [("another", "given up"), ("staff", "for another reason")] {
        let close = Event::Close { by: by.to_owned(), reason: reason.to_owned() };
        assert_eq!(allowed(&closed, close), Err(Refused::Closed), "{by} {reason}");
    }

    let asked = after(&[complete(), accept(FIRST), ask_amendment()]);
    assert_eq!(allowed(&asked, ask_amendment()), Ok(asked.clone()));
    let Event::AskAmendment { changes, .. } = ask_amendment() else { unreachable!("it is one") };
    let by_another = Event::AskAmendment { by: "another".to_owned(), changes };
    assert_eq!(allowed(&asked, by_another), Err(Refused::RequestOpen));
}

#[test]
fn an_amendment_names_some_months_and_each_once() {
    let accepted = after(&[complete(), accept(FIRST)]);
    let Event::AskAmendment { changes, .. } = ask_amendment() else { unreachable!("it is one") };
    for unclear in [Vec::new(), [&changes[..], &changes[..]].concat()] {
        let asking = Event::AskAmendment { by: "employer".to_owned(), changes: unclear };
        assert_eq!(accepted.clone().apply(asking, at(50)).map(|_| ()), Err(Refused::ChangesUnclear));
    }
}

#[test]
fn a_blank_reference_of_a_refund_is_none() {
    let asking = |reference: &str| {
        let (by, reason) = ("employer".to_owned(), "a person too many".to_owned());
        let refund_reference = Some(reference.to_owned());
        after(&[complete(), accept(FIRST), Event::AskWithdrawal { by, reason, levy_paid: true, refund_reference }])
    };
    let reference =
        |declaration: Declaration| declaration.open_withdrawal().and_then(|asked| asked.refund_reference.clone());
    assert_eq!(reference(asking("  ")), None);
    assert_eq!(reference(asking(" RF-1 ")), Some("RF-1".to_owned()));
}

#[test]
fn a_refund_that_comes_after_it_was_asked_for_is_added_to_the_request() {
    let asking = |reference: Option<&str>| {
        let (by, reason) = ("employer".to_owned(), "a person too many".to_owned());
        Event::AskWithdrawal { by, reason, levy_paid: true, refund_reference: reference.map(str::to_owned) }
    };
    let asked = after(&[complete(), accept(FIRST), asking(None), asking(Some("RF-1")), asking(None)]);
    let request = asked.open_withdrawal().expect("open");
    assert_eq!((request.refund_reference.as_deref(), request.asked.at), (Some("RF-1"), at(2)), "none takes none away");
    assert!(asked.apply(decide_withdrawal(true, None), at(9)).is_ok());
}

#[test]
fn a_reference_of_a_refund_is_one_short_line_and_nobodys_id_number() {
    let asked = after(&[complete(), accept(FIRST), ask_withdrawal(true)]);
    let decided = |reference: &str| asked.clone().apply(decide_withdrawal(true, Some(reference)), at(5)).map(|_| ());
    assert_eq!(decided(&"号".repeat(REFUND_REFERENCE_SIGNS)), Ok(()));
    let too_long = "号".repeat(REFUND_REFERENCE_SIGNS + 1);
    for unfit in [&*too_long, "RF-1\u{0}", "RF 360001198005050117"] {
        assert_eq!(decided(unfit), Err(Refused::RefundReferenceUnfit), "{unfit:?}");
    }
}

#[test]
fn an_answer_is_about_its_own_message_whatever_came_before() {
    let amending = [complete(), accept_with(FIRST, "T"), ask_amendment(), decide_amendment(true)];
    // another message under a receipt that is known from the first is another message
    assert_eq!(after(&[&amending[..], &[accept_with(SECOND, "T")]].concat()).version_in_force(), Some(2));
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let again =
        [&[complete(), accept(FIRST)], &withdrawing[..], &[complete(), accept(SECOND)], &withdrawing[..]].concat();
    assert_eq!(after(&again).version_in_force(), Some(2));
    let late = after(&[&again[..], &[accept(WITHDRAWAL)]].concat());
    assert_eq!(late.version_in_force(), Some(2), "the withdrawal of the first takes nothing of the second");
    // a rejected withdrawal of what is not in force any more waits for nobody
    let rejected = [&[complete(), accept(FIRST)], &withdrawing[..], &[complete(), reject(WITHDRAWAL, "E1")]].concat();
    assert!(after(&rejected).withdrawal_rejected.is_some());
    assert!(after(&[&rejected[..], &[accept(SECOND)]].concat()).withdrawal_rejected.is_none());
}

#[test]
fn what_is_given_up_is_what_came_after_the_result_that_stands() {
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let road = [&[complete(), accept(FIRST)], &withdrawing[..], &[reject(WITHDRAWAL, "E1"), close()]].concat();
    let stands = after(&road);
    assert_eq!((stands.name(), stands.version_in_force(), stands.given_up), ("accepted", Some(1), None));
    // and its withdrawal is another message than the rejected one
    let asked = after(&[&road[..], &[ask_withdrawal(false)]].concat());
    let (_, effects) = asked.apply(decide_withdrawal(true, None), at(50)).expect("allowed");
    assert_eq!(effects, [Effect::Withdraw { message: Message { attempt: 2, ..WITHDRAWAL } }]);
    let amended = [complete(), accept(FIRST), ask_amendment(), decide_amendment(true), reject(SECOND, "E1"), close()];
    assert_eq!(after(&amended).given_up, Some(2));
    // nothing stands, and nothing was withdrawn
    assert_eq!(after(&[complete(), reject(FIRST, "E1"), reopen(), close()]).name(), "closed");
}

#[test]
fn the_withdrawal_of_the_latest_version_is_kept_however_the_answers_come() {
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let second_withdrawal = Message { version: 2, ..WITHDRAWAL };
    let both =
        [&[complete(), accept(FIRST)], &withdrawing[..], &[complete(), accept(SECOND)], &withdrawing[..]].concat();
    for answers in [[WITHDRAWAL, second_withdrawal], [second_withdrawal, WITHDRAWAL]] {
        let declaration = after(&[&both[..], &answers.map(accept)].concat());
        assert_eq!(declaration.withdrawn.map(|withdrawn| withdrawn.message), Some(second_withdrawal), "{answers:?}");
    }
    // a certification under the receipt of that withdrawal is answered for itself
    let third = Message { version: 3, ..FIRST };
    let again =
        [accept_with(WITHDRAWAL, "T"), accept_with(second_withdrawal, "T"), complete(), accept_with(third, "T")];
    assert_eq!(after(&[&both[..], &again].concat()).version_in_force(), Some(3));
}

#[test]
fn a_rejected_withdrawal_waits_for_staff_only_while_the_department_holds_what_it_withdraws() {
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let waits = |events: &[Event]| after(events).withdrawal_rejected.is_some();
    let unanswered = [&[complete()], &withdrawing[..]].concat();
    assert!(!waits(&[&unanswered[..], &[reject(FIRST, "E1"), reject(WITHDRAWAL, "E1")]].concat()));
    assert!(waits(&[&unanswered[..], &[accept(FIRST), reject(WITHDRAWAL, "E1")]].concat()));
    // what it holds without us is not in force here
    let issued = Message { attempt: 4, ..WITHDRAWAL };
    assert!(waits(&[recover(withdrawn(1)), reject(issued, "E1")]));
    // what came after is as if nothing had been recovered
    let (third, its_withdrawal) = (Message { version: 3, ..FIRST }, Message { version: 3, ..WITHDRAWAL });
    let after_it = [&[recover(Holds::Nothing), complete()], &withdrawing[..]].concat();
    assert!(!waits(&[&after_it[..], &[reject(third, "E1"), reject(its_withdrawal, "E1")]].concat()));
}

#[test]
fn the_same_finding_is_taken_over_once_and_another_anew() {
    let found = |last: Message, messages: u32| Event::Recover {
        by: "operator".to_owned(),
        last,
        messages,
        holds: Holds::Nothing,
    };
    let taken_over = after(&[found(SECOND, 3)]);
    assert_eq!(taken_over.recovered_at(), Some(at(0)));
    let once_more = |event: Event| taken_over.clone().apply(event, at(9)).expect("allowed").0.recovered_at();
    assert_eq!(once_more(found(SECOND, 3)), Some(at(0)));
    assert_eq!(once_more(found(SECOND, 4)), Some(at(9)), "more messages");
    assert_eq!(once_more(found(Message { version: 3, ..SECOND }, 3)), Some(at(9)), "a later version");
    assert_eq!(Declaration::default().recovered_at(), None);
}

#[test]
fn what_is_withdrawn_after_a_recovery_is_ours_only_if_we_know_that_version() {
    let number = |events: &[Event]| {
        let mut withdrawing = after(events).earlier.into_iter().map(|earlier| earlier.completion.certification_number);
        withdrawing.next().expect("a withdrawal is under way")
    };
    let rejected = [complete(), reject(FIRST, "E1")];
    for road in [&[complete(), accept(FIRST)], &rejected] {
        assert_eq!(number(&[&road[..], &[recover(withdrawn(1))]].concat()), "R-1");
        assert_eq!(number(&[&road[..], &[recover(withdrawn(2))]].concat()), "", "of the second nothing is known");
    }
    assert_eq!(after(&[&rejected[..], &[recover(withdrawn(1))]].concat()).version_in_force(), Some(1));
    assert_eq!(after(&[&rejected[..], &[recover(withdrawn(2))]].concat()).version_in_force(), None);
}

#[test]
fn an_acceptance_is_revoked_by_its_own_message_only() {
    let accepted = after(&[complete(), accept(FIRST)]);
    let after_revoking = |message| accepted.clone().apply(revoke(message), at(9)).expect("allowed").0;
    assert_eq!(after_revoking(SECOND), accepted);
    assert_eq!(after_revoking(FIRST).name(), "rejected");
}

#[test]
fn what_the_next_version_supersedes_is_what_stands_once_all_is_accepted() {
    let withdrawing = [ask_withdrawal(false), decide_withdrawal(true, None)];
    let expected = |events: &[Event]| after(events).expected_in_force();
    let accepted = [&[complete(), accept(FIRST)], &withdrawing[..]].concat();
    assert_eq!(expected(&accepted), None, "its withdrawal is on its way");
    assert_eq!(expected(&[&accepted[..], &[complete()]].concat()), Some(2));
    assert_eq!(expected(&[&accepted[..], &[complete(), accept(SECOND)]].concat()), Some(2), "the second stays");
    assert_eq!(expected(&[&accepted[..], &[accept(WITHDRAWAL), complete()]].concat()), Some(2));
    // the withdrawal was answered before what it withdraws: that never comes into force
    let crossed = [&[complete()], &withdrawing[..], &[accept(WITHDRAWAL)]].concat();
    assert_eq!(expected(&crossed), None);
}
