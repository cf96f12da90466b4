//! Every state against every event.

use super::*;

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
