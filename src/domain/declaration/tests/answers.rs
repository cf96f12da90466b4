//! What the department answers, however late, doubled and crossed, and what stands after it.

use super::*;

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
