//! Whatever two employers enter, in whatever order, and by whatever way: what must hold, holds.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use renzheng::declare::register::carry_over::Carrying;
use renzheng::declare::register::placement::PlacementForm;
use renzheng::declare::register::{Outcome, RegisterError};

use super::*;

const YEARS: [i16; 2] = [2025, 2026];
const UNITS: [&str; 2] = [HOLDING, DISPATCHER];
const PERSONS: std::ops::Range<u32> = 11..14;

/// What an employer (the first or the other) does.
#[derive(Clone, Debug)]
enum Doing {
    /// Paid by the employer, or wages by one of the units.
    Enter {
        other: bool,
        year: usize,
        person: u32,
        payer: Option<usize>,
    },
    Delete {
        other: bool,
        year: usize,
        person: u32,
    },
    Import {
        other: bool,
        year: usize,
        persons: Vec<u32>,
        payer: Option<usize>,
    },
    CarryOver {
        other: bool,
    },
    List {
        other: bool,
        year: usize,
        unit: usize,
        relation: Relation,
    },
    Unlist {
        other: bool,
        year: usize,
        unit: usize,
    },
    /// Without end: a contract never takes a month from the other side.
    Contract {
        other: bool,
        year: usize,
        person: u32,
    },
    DeleteContract {
        other: bool,
        year: usize,
        person: u32,
    },
}

fn step() -> impl Strategy<Value = Doing> {
    let (other, year, person) = (any::<bool>(), 0..2_usize, PERSONS);
    let payer = proptest::option::of(0..2_usize);
    let place = (other, year.clone(), person.clone());
    let list = (any::<bool>(), year.clone(), 0..2_usize);
    prop_oneof![
        6 => (place.clone(), payer.clone())
            .prop_map(|((other, year, person), payer)| Doing::Enter { other, year, person, payer }),
        2 => place.clone().prop_map(|(other, year, person)| Doing::Delete { other, year, person }),
        2 => (any::<bool>(), year, proptest::collection::vec(person, 1..4), payer)
            .prop_map(|(other, year, persons, payer)| Doing::Import { other, year, persons, payer }),
        1 => any::<bool>().prop_map(|other| Doing::CarryOver { other }),
        3 => (list.clone(), any::<bool>()).prop_map(|((other, year, unit), dispatch)| {
            let relation = if dispatch { Relation::Dispatch } else { Relation::Affiliate };
            Doing::List { other, year, unit, relation }
        }),
        1 => list.prop_map(|(other, year, unit)| Doing::Unlist { other, year, unit }),
        2 => place.clone().prop_map(|(other, year, person)| Doing::Contract { other, year, person }),
        1 => place.prop_map(|(other, year, person)| Doing::DeleteContract { other, year, person }),
    ]
}

/// Whether a step wrote; a refused one must not have.
fn wrote<T>(outcome: Result<T, RegisterError>, of: impl Fn(&T) -> bool) -> bool {
    match outcome {
        Ok(done) => of(&done),
        Err(RegisterError::Refused(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

impl Office {
    fn employer(&self, other: bool) -> (UnitId, &'static str) {
        if other { (self.other, OTHER) } else { (self.own, OWN) }
    }

    /// The person with this number, if anybody entered them.
    async fn known(&self, number: u32) -> Option<PersonId> {
        let id = ResidentId::parse(&id_number(number)).expect("an ID");
        self.agency.harness.store.find_person(&id).await.expect("asked")
    }

    /// Takes a step; how many rows of the audit it should have made.
    async fn take(&self, step: &Doing) -> i64 {
        let register = self.register();
        let not_same = |outcome: Outcome| outcome != Outcome::Same;
        let wrote = match step {
            Doing::Enter { other, year, person, payer } => {
                let employer = self.employer(*other).0;
                let wage_payer = payer.map(|unit| uscc(UNITS[unit]));
                let form = PlacementForm { wage_payer, ..typed(employer, YEARS[*year], *person) };
                wrote(register.enter(&form).await, |entered| not_same(entered.outcome))
            }
            Doing::Delete { other, year, person } => {
                let Some(person) = self.known(*person).await else { return 0 };
                let employer = self.employer(*other).0;
                wrote(register.delete_placement(employer, YEARS[*year], person, "why").await, |_| true)
            }
            Doing::Import { other, year, persons, payer } => {
                let (_, code) = self.employer(*other);
                let wages = payer.map_or(code, |unit| UNITS[unit]);
                let header = "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,\
                              medical_payer_uscc";
                let year = YEARS[*year];
                let row =
                    |person: &u32| format!("{code},{year},{},{NAME},false,{wages},{code},{code}", id_number(*person));
                let rows: Vec<String> = persons.iter().map(row).collect();
                let report = self.import(ImportKind::Placements, header, &rows).await;
                report.new + report.changed > 0
            }
            Doing::CarryOver { other } => wrote(register.carry_over(self.employer(*other).0, 2026).await, |report| {
                report.affiliates > 0 || report.count(Carrying::Carried) > 0
            }),
            Doing::List { other, year, unit, relation } => {
                let form = affiliate(self.employer(*other).0, YEARS[*year], UNITS[*unit], *relation);
                let added = register.save_affiliate(&form, Step::Add).await;
                let step = if added.is_ok() { added } else { register.save_affiliate(&form, Step::Change).await };
                wrote(step, |entered| not_same(entered.outcome))
            }
            Doing::Unlist { other, year, unit } => {
                let employer = self.employer(*other).0;
                let deleted = register.delete_affiliate(employer, YEARS[*year], uscc(UNITS[*unit]), "why").await;
                wrote(deleted, |_| true)
            }
            Doing::Contract { other, year, person } => {
                let Some(person) = self.known(*person).await else { return 0 };
                let form = labour(self.employer(*other).0, YEARS[*year], person, "2020-01-01", "");
                wrote(register.save_contract(&form, Step::Add).await, |entered| not_same(entered.outcome))
            }
            Doing::DeleteContract { other, year, person } => {
                let Some(person) = self.known(*person).await else { return 0 };
                let form = labour(self.employer(*other).0, YEARS[*year], person, "2020-01-01", "");
                wrote(register.delete_contract(&form.key, "why").await, |_| true)
            }
        };
        i64::from(wrote)
    }

    /// Persons and years that both employers have.
    async fn shared(&self) -> Vec<String> {
        self.texts(
            "select concat_ws(' ', person_id, year) from placement where to_seq is null group by person_id, year having count(*) > 1",
        )
        .await
    }

    /// Everything that must hold whatever was done.
    async fn check(&self) {
        let twice = "select 'twice' from placement where to_seq is null group by person_id, employer_id, year having count(*) > 1";
        assert_eq!(self.texts(twice).await, Vec::<String>::new(), "one placement an employer, person and year");
        let lost = "select p.person_id::text from placement p
                    cross join lateral (values (wage_payer), (pension_payer), (medical_payer)) as payer (unit)
                    where p.to_seq is null and payer.unit <> p.employer_id
                      and not exists (select from affiliate a where a.employer_id = p.employer_id and a.year = p.year
                                       and a.unit_id = payer.unit and a.to_seq is null)";
        assert_eq!(self.texts(lost).await, Vec::<String>::new(), "a unit in use is listed");
        let orphans = "select c.person_id::text from contract c where c.to_seq is null
                       and not exists (select from placement p where p.person_id = c.person_id and p.year = c.year
                                        and p.employer_id = c.employer_id and p.to_seq is null)";
        assert_eq!(self.texts(orphans).await, Vec::<String>::new(), "a contract has its placement");
    }
}

#[test]
fn what_two_employers_enter_in_any_order_and_way_keeps_what_must_hold() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut runner =
        TestRunner::new(Config { cases: 6, max_shrink_iters: 40, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 1..40);
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let office = Office::open("register_random").await;
            let mut told: BTreeSet<String> = BTreeSet::new();
            for (number, step) in steps.iter().enumerate() {
                let (audit, head) = (office.count("audit").await, office.head().await);
                let wrote = office.take(step).await;
                assert_eq!(office.count("audit").await, audit + wrote, "step {number}, {step:?}: audit rows");
                assert_eq!(office.head().await, head + wrote, "step {number}, {step:?}: publishes");
                office.check().await;
                told.extend(office.shared().await);
                // both employers, and the staff of either
                let notices = office.count("notice").await;
                assert_eq!(notices, 4 * told.len() as i64, "step {number}, {step:?}: each double claim is told once");
            }
        });
        Ok(())
    });
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}
