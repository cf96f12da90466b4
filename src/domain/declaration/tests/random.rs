//! What holds however the events and the tax department's answers come.

use proptest::prelude::*;

use super::*;

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
