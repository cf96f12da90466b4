//! Keys that change on one side before they do on the other.

use super::*;
use crate::config::PreviousKey;
use crate::sandbox::tax_faults::Plan;

/// Ours is `ours`; before it was `former`.
fn rotated(office: &Office) -> Client {
    let previous = PreviousKey { key_id: "former".to_owned(), key: Secret::new("old secret") };
    Client::new(&TaxSettings { previous: Some(previous), ..settings(office.department, "secret") }).expect("a client")
}

async fn sent_by(office: &Office, client: &Client) -> Sent {
    match step(office.store(), client, start()).await.expect("a step") {
        Step::Sent(sent) => sent,
        Step::Empty => panic!("nothing is due"),
    }
}

fn known(keys: &str) -> Plan {
    Plan::parse(&format!("[[fault]]\nwhat = \"keys\"\nkeys = [{keys}]\n")).expect("a plan")
}

#[tokio::test]
async fn we_changed_the_key_before_the_department_did_and_the_previous_one_is_taken() {
    let office = Office::open().await;
    office.enqueue_first().await;
    let client = rotated(&office);
    office.behind.faults.set(known("\"former\""));
    let sent = sent_by(&office, &client).await;
    assert!(matches!(sent.answered, Answered::Accepted { .. }), "{sent:?}");
    let note = "under the previous key `former`: the department refuses `ours` by 401";
    assert_eq!(sent.error.as_deref(), Some(note));
    let attempts = office.store().list_attempts(sent.message_id).await.expect("attempts");
    assert_eq!((attempts.len(), attempts[0].error.as_deref()), (1, Some(note)), "one attempt, which says so");
    assert!(client.probe(start()).await.is_ok());

    // the department follows: our key is known, and the previous one is not asked for
    office.behind.faults.set(known("\"ours\""));
    office.enqueue(second_employer(), 1, None).await;
    let sent = sent_by(&office, &client).await;
    assert!(matches!(sent.answered, Answered::Accepted { .. }) && sent.error.is_none(), "{sent:?}");
    let keys: Vec<String> = office.behind.faults.received().into_iter().map(|request| request.key_id).collect();
    assert_eq!(keys, ["ours", "former", "ours", "former", "ours"]);
}

#[tokio::test]
async fn the_department_changed_the_key_before_we_did_and_nothing_is_lost_until_we_follow() {
    let office = Office::open().await;
    office.enqueue_first().await;
    // we still sign by what will be the previous key
    let behind = Client::new(&TaxSettings { key_id: "former".to_owned(), ..settings(office.department, "old secret") });
    office.behind.faults.set(known("\"ours\""));
    let sent = sent_by(&office, &behind.expect("a client")).await;
    assert_eq!(sent.answered, Answered::Later);
    assert!(sent.error.is_some_and(|error| error.starts_with("status 401")));
    let again = sent.again_at.expect("again");
    let Step::Sent(sent) = step(office.store(), &rotated(&office), again).await.expect("a step") else { panic!("due") };
    assert!(matches!(sent.answered, Answered::Accepted { .. }) && sent.error.is_none(), "{sent:?}");
}

#[tokio::test]
async fn where_neither_key_is_known_that_is_what_is_told() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    office.behind.faults.set(known("\"another\""));
    let client = rotated(&office);
    let sent = sent_by(&office, &client).await;
    assert_eq!((&sent.answered, sent.message_id), (&Answered::Later, message_id));
    let error = sent.error.expect("an error");
    assert!(error.starts_with("status 401") && !error.contains("previous"), "{error}");
    assert!(client.probe(start()).await.is_err_and(|error| error.contains("401")));
}
