//! Every pair of states falls into one class or none, and following the ways out ends with both sides holding the same.

use proptest::prelude::*;

use super::*;
use crate::domain::declaration::Holds;

const USCC: &str = "91369900MA00000152";

fn answered(version: u32, kind: MessageKind, attempt: u32, answer: Answer) -> Answered {
    let message = Message { version, kind, attempt };
    let again = if attempt > 1 { format!(":{attempt}") } else { String::new() };
    Answered {
        message,
        message_id: format!("{version}-{kind}-{attempt}"),
        idempotency_key: format!("{USCC}:2025:{version}:{kind}{again}"),
        digest: format!("{version:064x}"),
        answer,
        receipt: (answer == Accepted).then(|| format!("R-{version}-{kind}")),
        person_count: if kind == Certified { 2 } else { 0 },
        weighted_person_months: if kind == Certified { u64::from(version) * 12 } else { 0 },
        lapsed: false,
    }
}

use Answer::{Accepted, Rejected};
use MessageKind::{Certified, Withdrawn};

fn here(answered: &[Answered]) -> Here {
    Here { answered: answered.to_vec(), ..Here::default() }
}

fn judged(ours: &[Answered], theirs: &[Answered]) -> Judged {
    compare(USCC, &here(ours), row_of(USCC, theirs, 0).as_ref())
}

fn differs(ours: &[Answered], theirs: &[Answered]) -> Class {
    match judged(ours, theirs) {
        Judged::Differs(class) => class,
        other => panic!("no difference: {other:?}"),
    }
}

#[test]
fn each_class_has_its_cause() {
    let first = answered(1, Certified, 1, Accepted);
    let second = answered(2, Certified, 1, Accepted);
    let refused = answered(1, Certified, 1, Rejected);
    let withdrawn = answered(1, Withdrawn, 1, Accepted);
    let both = [first.clone(), second.clone()];
    assert_eq!(judged(&both, &both), Judged::Equal);
    assert_eq!(judged(&[], &[]), Judged::Equal);
    assert_eq!(differs(&both, &[]), Class::MissingThere);
    assert_eq!(differs(&both, std::slice::from_ref(&second)), Class::MissingThere, "fewer than were answered");
    assert_eq!(differs(&both, std::slice::from_ref(&first)), Class::BehindThere);
    assert_eq!(differs(&[], std::slice::from_ref(&first)), Class::MissingHere);
    assert_eq!(differs(std::slice::from_ref(&first), &both), Class::MissingHere);
    assert_eq!(differs(std::slice::from_ref(&refused), std::slice::from_ref(&first)), Class::AcceptedThere);
    let taken_back = Answered { answer: Rejected, ..first.clone() };
    assert_eq!(differs(std::slice::from_ref(&first), &[taken_back]), Class::RejectedThere);
    let lapsed = Answered { lapsed: true, ..first.clone() };
    assert_eq!(differs(std::slice::from_ref(&first), std::slice::from_ref(&lapsed)), Class::WithdrawnThere);
    assert_eq!(differs(&[lapsed], std::slice::from_ref(&first)), Class::InForceThere);
    let other_receipt = Answered { receipt: Some("R-9".to_owned()), ..first.clone() };
    assert_eq!(differs(std::slice::from_ref(&first), &[other_receipt]), Class::OtherReceipt);
    for other in [
        Answered { weighted_person_months: 13, ..first.clone() },
        Answered { person_count: 3, ..first.clone() },
        Answered { digest: "f".repeat(64), ..first.clone() },
        Answered { idempotency_key: "x".to_owned(), ..first.clone() },
    ] {
        assert_eq!(differs(std::slice::from_ref(&first), &[other]), Class::OtherContent);
    }
    let foreign = Answered { message_id: "foreign".to_owned(), ..second };
    assert_eq!(differs(&[first.clone(), withdrawn.clone()], &[first, withdrawn, foreign]), Class::MissingHere);
}

#[test]
fn what_is_on_its_way_is_no_difference() {
    let first = answered(1, Certified, 1, Accepted);
    let second = answered(2, Certified, 1, Accepted);
    let row = row_of(USCC, &[first.clone(), second.clone()], 0);
    let open = vec![(second.message_id.clone(), second.message)];
    let unanswered = Here { open, ..here(std::slice::from_ref(&first)) };
    assert_eq!(compare(USCC, &unanswered, row.as_ref()), Judged::UnderWay, "received, and not heard of");
    let stirred = Here { stirred: true, ..here(std::slice::from_ref(&first)) };
    assert_eq!(compare(USCC, &stirred, row.as_ref()), Judged::UnderWay, "much may have happened meanwhile");
    let other = row_of(USCC, &[Answered { person_count: 7, ..first.clone() }], 0);
    let withdrawal = Message { version: 1, kind: Withdrawn, attempt: 2 };
    let withdrawing = Here { open: vec![("w".to_owned(), withdrawal)], ..here(&[first]) };
    assert_eq!(compare(USCC, &withdrawing, other.as_ref()), Judged::UnderWay, "it is being withdrawn");
    for elsewhere in [Message { version: 2, ..withdrawal }, Message { kind: Certified, ..withdrawal }] {
        let here = Here { open: vec![("w".to_owned(), elsewhere)], ..withdrawing.clone() };
        assert_eq!(compare(USCC, &here, other.as_ref()), Judged::Differs(Class::OtherContent), "{elsewhere:?}");
    }
}

#[test]
fn what_is_in_force_there_is_judged_by_whose_it_is() {
    let first = answered(1, Certified, 1, Accepted);
    let (second, refused) = (answered(2, Certified, 1, Accepted), answered(2, Certified, 1, Rejected));
    let last = answered(3, Certified, 1, Rejected);
    let foreign = Answered { message_id: "foreign".to_owned(), ..first.clone() };
    let ours = [answered(1, Certified, 1, Rejected), refused.clone()];
    assert_eq!(differs(&ours, &[foreign, refused.clone()]), Class::MissingHere, "of as many messages one is not ours");
    let ours = [first.clone(), refused, last.clone()];
    assert_eq!(differs(&ours, &[first, second, last]), Class::InForceThere, "another version than here");
}

#[test]
fn asked_again_is_what_the_department_lost_and_nothing_before_it() {
    let all: Vec<Answered> = (1..=3).map(|version| answered(version, Certified, 1, Accepted)).collect();
    let row = |theirs: &[Answered]| row_of(USCC, theirs, 0);
    let asked = |class, theirs: &[Answered]| asked_again(class, &here(&all), row(theirs).as_ref());
    assert_eq!(asked(Class::BehindThere, &all[..1]), ["2-certified-1", "3-certified-1"]);
    assert_eq!(asked(Class::MissingThere, &[]).len(), 3);
    assert_eq!(asked(Class::OtherReceipt, &all), ["3-certified-1"]);
    assert_eq!(asked(Class::RejectedThere, &all), ["3-certified-1"]);
    for class in
        [Class::MissingHere, Class::AcceptedThere, Class::WithdrawnThere, Class::InForceThere, Class::OtherContent]
    {
        assert_eq!(asked(class, &all), Vec::<String>::new(), "{class} waits for people");
    }
}

#[test]
fn every_class_has_an_owner_and_a_way_out_in_both_languages() {
    for class in Class::ALL {
        assert_eq!(Class::parse(class.as_str()), Some(*class));
        assert!(class.way_out().len() > 40 && class.chinese().chars().count() > 15, "{class}");
        assert_eq!(class.can_be_settled(), class.way_out().contains("reconcile settle"), "{class}");
    }
}

/// The department, and what of it survives.
#[derive(Clone, Debug, Default)]
struct Department(Vec<Answered>);

impl Department {
    fn row(&self) -> Option<Row> {
        row_of(USCC, &self.0, 0)
    }

    /// Answers a message as agreed; what it knows it answers as before.
    fn receive(&mut self, message_id: &str, message: Message) -> Answered {
        if let Some(known) = self.0.iter().find(|one| one.message_id == message_id) {
            return known.clone();
        }
        let in_force = self.row().and_then(|row| row.in_force).map(|held| held.version);
        let newest = self.0.iter().filter(|one| one.receipt.is_some()).map(|one| one.message.version).max();
        let accepts = match message.kind {
            Certified => Some(message.version) > newest,
            Withdrawn => in_force == Some(message.version),
        };
        let mut answer =
            answered(message.version, message.kind, message.attempt, if accepts { Accepted } else { Rejected });
        message_id.clone_into(&mut answer.message_id);
        self.0.push(answer.clone());
        answer
    }
}

/// Our side and how it follows its own declaration.
#[derive(Clone, Debug, Default)]
struct Office {
    here: Here,
    /// Numbers for messages of its own.
    issued: u32,
}

impl Office {
    fn enqueue(&mut self, message: Message) {
        self.issued += 1;
        self.here.open.push((format!("ours-{}", self.issued), message));
    }

    fn drain(&mut self, department: &mut Department) {
        for (message_id, message) in std::mem::take(&mut self.here.open) {
            self.here.answered.push(department.receive(&message_id, message));
        }
    }

    /// The program's part: asks, sends again what is not held, keeps the receipt that it hears.
    fn ask(&mut self, department: &mut Department, ids: &[String]) {
        let mut asked: Vec<usize> =
            (0..self.here.answered.len()).filter(|at| ids.contains(&self.here.answered[*at].message_id)).collect();
        asked.sort_by_key(|at| order(self.here.answered[*at].message));
        for at in asked {
            let ours = &mut self.here.answered[at];
            let heard = department.receive(&ours.message_id.clone(), ours.message);
            if heard.answer == Accepted && ours.answer == Accepted {
                ours.receipt = heard.receipt;
            }
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        let of = |here: &mut Here, id: &str, change: &dyn Fn(&mut Answered)| {
            here.answered.iter_mut().filter(|one| one.message_id == id).for_each(change);
        };
        match settlement.correction {
            Correction::Nothing => {}
            Correction::Recovered { messages, more } => {
                self.here.answered.extend(messages);
                self.here.more += more;
            }
            Correction::Rejected { message_id } => of(&mut self.here, &message_id, &|one| one.answer = Rejected),
            Correction::Accepted { message_id, receipt } => of(&mut self.here, &message_id, &|one| {
                one.answer = Accepted;
                one.receipt = Some(receipt.clone());
            }),
            Correction::Lapsed { message_id } => of(&mut self.here, &message_id, &|one| one.lapsed = true),
        }
        if let Step::Recover { messages, holds, .. } = settlement.step {
            self.here.open.clear();
            if let Holds::Withdrawn { version, .. } = holds {
                self.enqueue(Message { version, kind: Withdrawn, attempt: messages + 1 });
            }
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
enum Mishap {
    Forget(usize),
    Restore(usize),
    RejectAfterAll(usize),
    AcceptAfterAll(usize),
    Lapse(usize),
    Change(usize),
    Receipt(usize),
    Foreign(bool),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let at = 0..6_usize;
    prop_oneof![
        at.clone().prop_map(Mishap::Forget),
        at.clone().prop_map(Mishap::Restore),
        at.clone().prop_map(Mishap::RejectAfterAll),
        at.clone().prop_map(Mishap::AcceptAfterAll),
        at.clone().prop_map(Mishap::Lapse),
        at.clone().prop_map(Mishap::Change),
        at.prop_map(Mishap::Receipt),
        any::<bool>().prop_map(Mishap::Foreign),
    ]
}

fn happen(office: &mut Office, department: &mut Department, mishap: &Mishap) {
    let change = |department: &mut Department, at: usize, change: &dyn Fn(&mut Answered)| {
        let count = department.0.len().max(1);
        department.0.get_mut(at % count).into_iter().for_each(change);
    };
    match mishap {
        Mishap::Forget(kept) => department.0.truncate(*kept),
        Mishap::Restore(kept) => office.here.answered.truncate(*kept),
        Mishap::RejectAfterAll(at) => change(department, *at, &|one| one.answer = Rejected),
        Mishap::AcceptAfterAll(at) => change(department, *at, &|one| {
            one.answer = Accepted;
            one.receipt = Some("late".to_owned());
        }),
        Mishap::Lapse(at) => change(department, *at, &|one| one.lapsed = one.message.kind == Certified),
        Mishap::Change(at) => change(department, *at, &|one| one.weighted_person_months += 1),
        Mishap::Receipt(at) => change(department, *at, &|one| {
            if one.receipt.is_some() {
                one.receipt = Some("other".to_owned());
            }
        }),
        Mishap::Foreign(accepted) => {
            let version = department.0.iter().map(|one| one.message.version).max().unwrap_or_default() + 1;
            let mut foreign = answered(version, Certified, 1, if *accepted { Accepted } else { Rejected });
            foreign.message_id = format!("foreign-{}", department.0.len());
            department.0.push(foreign);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Any history, any mishaps one after the other, each followed to its end.
    #[test]
    fn the_ways_out_lead_to_both_sides_holding_the_same(
        history in prop::collection::vec((0..4_u8, any::<bool>()), 0..6),
        mishaps in prop::collection::vec(mishap(), 0..4),
        left_open in any::<bool>(),
    ) {
        let (mut office, mut department) = (Office::default(), Department::default());
        let mut version = 0;
        for (what, _) in &history {
            let message = if *what == 0 && version > 0 {
                Message { version, kind: Withdrawn, attempt: office.issued + 1 }
            } else {
                version += 1;
                Message { version, kind: Certified, attempt: 1 }
            };
            office.enqueue(message);
            office.drain(&mut department);
        }
        prop_assert_eq!(compare(USCC, &office.here, department.row().as_ref()), Judged::Equal);
        for mishap in &mishaps {
            happen(&mut office, &mut department, mishap);
        }
        if left_open {
            version += 1;
            office.enqueue(Message { version, kind: Certified, attempt: 1 });
        }
        for round in 0.. {
            prop_assert!(round < 40, "it goes round in circles: {:?} {:?}", office.here, department.row());
            let there = department.row();
            match compare(USCC, &office.here, there.as_ref()) {
                Judged::Equal if office.here.open.is_empty() => break,
                Judged::Equal | Judged::UnderWay => office.drain(&mut department),
                Judged::Differs(class) => {
                    let asked = asked_again(class, &office.here, there.as_ref());
                    let before = (office.here.clone(), there.clone());
                    office.ask(&mut department, &asked);
                    if class.can_be_settled() {
                        match there.as_ref().and_then(|there| settle(class, &office.here, there)) {
                            Some(settlement) => office.settle(settlement),
                            // only the department can put it right: it writes what it had answered
                            None => {
                                prop_assert_eq!(class, Class::OtherContent);
                                department.0.clone_from(&office.here.answered);
                            }
                        }
                    } else if (office.here.clone(), department.row()) == before {
                        // asking did not help: people speak with the department, which takes our word for what it answered
                        department.0.clone_from(&office.here.answered);
                        department.0.retain(|one| !one.message_id.is_empty());
                        office.here.more = 0;
                    }
                }
            }
        }
    }
}

#[test]
fn settling_takes_over_exactly_what_the_department_names_and_nobody_here_knows() {
    let first = answered(1, Certified, 1, Accepted);
    let second = answered(2, Certified, 1, Accepted);
    let third = answered(3, Certified, 1, Rejected);
    let withdrawal = answered(2, Withdrawn, 1, Accepted);
    let settled = |ours: &Here, theirs: &[Answered], more| {
        let row = row_of(USCC, theirs, more).expect("a row");
        let settlement = settle(Class::MissingHere, ours, &row).expect("it can be settled");
        let Correction::Recovered { messages, more } = settlement.correction else { panic!("recovered") };
        let Step::Recover { last, messages: there, holds } = settlement.step else { panic!("recover") };
        assert_eq!((last, there), (theirs.last().expect("a message").message, row.messages));
        (messages, more, holds)
    };
    let held = || Holds::Withdrawn { version: 2, receipt: "R-2-certified".to_owned() };
    let known = Here { more: 1, ..here(std::slice::from_ref(&first)) };

    // the last message and another that is in force; of six in all one is known, one was counted before, two are named
    let (messages, more, holds) = settled(&known, &[first.clone(), second.clone(), third.clone()], 3);
    let rejected = Answered { receipt: None, person_count: 0, weighted_person_months: 0, lapsed: true, ..third };
    let in_force = Answered { idempotency_key: String::new(), ..second.clone() };
    assert_eq!((messages, more, holds), (vec![rejected, in_force], 2, held()));

    // the last message is what is in force: it is named once
    let (messages, more, holds) = settled(&here(std::slice::from_ref(&first)), &[first.clone(), second.clone()], 0);
    assert_eq!((messages, more, holds), (vec![second.clone()], 0, held()));

    // accepted, and nothing of it is in force: its receipt is not told
    let theirs = [first.clone(), second.clone(), withdrawal.clone()];
    let (messages, more, holds) = settled(&here(std::slice::from_ref(&first)), &theirs, 0);
    let accepted = Answered { receipt: Some("-".to_owned()), lapsed: true, ..withdrawal };
    assert_eq!((messages, more, holds), (vec![accepted], 1, Holds::Nothing));

    // what is in force is ours
    let fourth = Answered { message_id: "foreign".to_owned(), ..answered(4, Certified, 1, Rejected) };
    let ours = here(&[first.clone(), second.clone()]);
    let (messages, more, holds) = settled(&ours, &[first, second, fourth], 0);
    assert_eq!(messages.iter().map(|one| one.message_id.as_str()).collect::<Vec<_>>(), ["foreign"]);
    assert_eq!((more, holds), (0, Holds::AsHere));
}

#[test]
fn what_is_accepted_there_is_taken_with_its_receipt_where_it_is_in_force() {
    let first = answered(1, Certified, 1, Accepted);
    let refused = answered(1, Certified, 1, Rejected);
    let settled = |ours: &[Answered], theirs: &[Answered]| {
        let row = row_of(USCC, theirs, 0).expect("a row");
        settle(Class::AcceptedThere, &here(ours), &row).expect("it can be settled")
    };
    let certified = settled(&[refused], std::slice::from_ref(&first));
    let (message_id, receipt) = (first.message_id.clone(), "R-1-certified".to_owned());
    assert_eq!(certified.correction, Correction::Accepted { message_id, receipt: receipt.clone() });
    let holds = Holds::Withdrawn { version: 1, receipt };
    assert_eq!(certified.step, Step::Recover { last: first.message, messages: 1, holds });

    let withdrawal = answered(1, Withdrawn, 1, Accepted);
    let ours = [first.clone(), answered(1, Withdrawn, 1, Rejected)];
    let withdrawn = settled(&ours, &[first, withdrawal.clone()]);
    let correction = Correction::Accepted { message_id: withdrawal.message_id, receipt: "-".to_owned() };
    assert_eq!(withdrawn.correction, correction);
    let step = Step::Recover { last: withdrawal.message, messages: 2, holds: Holds::Nothing };
    assert_eq!(withdrawn.step, step);
}
