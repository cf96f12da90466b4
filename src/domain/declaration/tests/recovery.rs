//! What is found to have gone on at the tax department without us, and what it takes back.

use super::*;

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
