//! A department that says everything but what was agreed: the answer is kept as it came, nothing is guessed, nothing is lost, and nobody
//! else's message waits for it.

use super::*;
use crate::sandbox::tax_faults::{Fault, Plan, What};

/// How the first attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// No answer at all: sent again.
    Unheard,
    /// Not decided: sent again.
    Later,
    /// Asked about.
    Unknown,
}

/// The fault, how the attempt ends, and whether the department has the message then.
const TABLE: [(What, Ends, bool); 15] = [
    (What::Down, Ends::Unheard, false),
    (What::OutOfOrder, Ends::Later, false),
    (What::TooMany, Ends::Later, false),
    (What::AnswerLost, Ends::Unheard, true),
    (What::AnswerCut, Ends::Unknown, true),
    (What::AnswerStray, Ends::Unknown, true),
    (What::AnswerHuge, Ends::Unknown, true),
    (What::ReceiptWithNul, Ends::Unknown, true),
    (What::AnotherDigest, Ends::Unknown, true),
    (What::UnknownWord, Ends::Unknown, true),
    (What::ErrorInside, Ends::Unknown, false),
    (What::LoginPage, Ends::Unknown, false),
    (What::Later, Ends::Later, false),
    (What::PassingRejection, Ends::Later, false),
    (What::AnswerRepeated, Ends::Unknown, true),
];

#[tokio::test]
async fn whatever_the_department_says_the_message_arrives_once_and_unchanged() {
    for (what, ends, taken_in) in TABLE {
        let office = Office::open().await;
        let mut at = start();
        if what == What::AnswerRepeated {
            // there is an answer before
            office.enqueue(employer(77), 1, None).await;
            office.sent(at).await;
        }
        let message_id = office.enqueue_first().await;
        office.behind.faults.set(Plan { faults: vec![Fault { times: Some(1), ..Fault::of(what) }], seed: 0 });
        let sent = office.sent(at).await;
        let heard = office.store().list_attempts(message_id).await.expect("attempts").remove(0);
        let expected = match ends {
            Ends::Unheard | Ends::Later => Answered::Later,
            Ends::Unknown => Answered::Unknown,
        };
        assert_eq!((sent.message_id, &sent.answered), (message_id, &expected), "{what:?}: {sent:?}");
        assert_eq!(heard.status.is_none(), ends == Ends::Unheard, "{what:?}: {heard:?}");
        if ends == Ends::Unknown {
            assert!(
                heard.error.is_some() && heard.answer.is_some_and(|raw| !raw.is_empty()),
                "{what:?}: kept as it came"
            );
        }
        let came = office.received().await.iter().any(|(received, _)| *received == message_id.to_string());
        assert_eq!(came, taken_in, "{what:?}");

        // nobody else's message waits for it, but while the department wants no requests at all
        let other = office.enqueue(employer(78), 1, None).await;
        at = sent.again_at.expect("again");
        let mut accepted = Vec::new();
        for _ in 0..6 {
            match office.step(at).await {
                Step::Sent(sent) => {
                    if matches!(sent.answered, Answered::Accepted { .. }) {
                        accepted.push(sent.message_id);
                    }
                    at = at.max(sent.again_at.unwrap_or(at));
                }
                Step::Empty => break,
            }
        }
        accepted.sort_unstable();
        let mut expected = [message_id, other];
        expected.sort_unstable();
        assert_eq!(accepted, expected, "{what:?}");
        let bodies: Vec<String> = office
            .behind
            .faults
            .received()
            .into_iter()
            .filter(|request| {
                request.method == "POST" && request.message_id.as_deref() == Some(&message_id.to_string())
            })
            .map(|request| request.digest)
            .collect();
        let (_, body) = office.store().find_outbox_message(message_id).await.expect("found").expect("a message");
        assert!(bodies.iter().all(|digest| *digest == hex::encode(&body.digest)), "{what:?}: byte for byte");
        assert!(office.store().find_contradicted().await.expect("asked").is_none());
    }
}

#[tokio::test]
async fn what_was_answered_for_good_and_then_denied_is_kept_for_people_and_stands() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let Answered::Accepted { receipt } = office.sent(start()).await.answered else { panic!("accepted") };
    let operator = crate::domain::access::Actor::operator("op");
    let retry = async || {
        let due = office.store().retry_push(Some(message_id), &operator, "message", "why").await.expect("due");
        assert_eq!(due, 1);
        let at = office.store().now().await.expect("now").max(start());
        office.sent(at).await
    };
    office.store().set_clock(after(3600)).await.expect("the clock");
    office.behind.faults.set(Plan { faults: vec![Fault::of(What::RevokedLater)], seed: 0 });
    let asked = retry().await;
    assert!(asked.asked && matches!(asked.answered, Answered::Rejected { .. }), "{asked:?}");
    let (line, _) = office.store().find_outbox_message(message_id).await.expect("found").expect("a message");
    assert_eq!((line.state.as_str(), line.receipt.as_deref()), ("accepted", Some(receipt.as_str())), "it stands");
    assert_eq!(line.contradicted.as_ref().map(|said| &said["code"]), Some(&json!("revoked")));
    assert_eq!(office.store().find_contradicted().await.expect("asked").map(|found| found.messages), Some(1));
    office.behind.faults.set(Plan::default());
    assert!(matches!(retry().await.answered, Answered::Accepted { .. }));
    assert!(office.store().find_contradicted().await.expect("asked").is_none(), "it says the same again");

    // it forgets: the same bytes again
    office.behind.forget_last(1).expect("forgotten");
    assert_eq!(retry().await.answered, Answered::Forgotten);
    let at = office.store().now().await.expect("now");
    let sent = office.sent(at).await;
    assert!(!sent.asked && matches!(sent.answered, Answered::Accepted { .. }), "{sent:?}");
}

#[tokio::test]
async fn what_was_rejected_and_is_forgotten_is_not_sent_again() {
    let office = Office::open().await;
    let message_id = office.enqueue(Uscc::parse(FIRST).expect("a code"), 1, Some(7)).await;
    assert!(matches!(office.sent(start()).await.answered, Answered::Rejected { .. }));
    office.behind.forget_last(1).expect("forgotten");
    office.store().set_clock(after(3600)).await.expect("the clock");
    let operator = crate::domain::access::Actor::operator("op");
    office.store().retry_push(Some(message_id), &operator, "message", "why").await.expect("due");
    let at = office.store().now().await.expect("now");
    assert_eq!(office.sent(at).await.answered, Answered::Forgotten);
    assert_eq!(office.step(at + TimeDelta::days(1)).await, Step::Empty);
    assert_eq!(office.received().await, [], "the department holds nothing of it, as it should");
}
