//! The declaration, driven from its first event on.

mod answers;
mod random;
mod recovery;
mod requests;
mod table;

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
