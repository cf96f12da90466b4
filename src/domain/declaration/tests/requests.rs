//! What employers ask for, what staff decide, and what repeats a command.

use super::*;

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
fn requests_do_not_mind_the_answers_that_come_meanwhile() {
    let asked = after(&[complete(), ask_withdrawal(false)]);
    let (accepted, _) = asked.apply(accept(FIRST), at(5)).expect("accepted");
    assert_eq!(told(&accepted), "accepted v1 in force");
    assert!(accepted.open_withdrawal().is_some());
    let (open, _) = accepted.apply(decide_withdrawal(true, None), at(6)).expect("approved");
    assert_eq!(told(&open), "open v1 in force …v1 withdrawn");
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
