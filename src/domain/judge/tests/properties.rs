//! What holds in every world: the first line of the rules that fits gives the code, and more knowledge only ends waiting.

use chrono::{Days, Utc};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Months judged: two beside each other, and the last, whose standard differs and whose lagged period is next year's.
const JUDGED: &[i32] = &[4, 5, 12];
/// Amounts around the standards, and reversals.
const AMOUNTS: &[i64] = &[-200_000, -1, 0, 1, 99_999, 100_000, 173_999, 174_000, 199_999, 200_000, 223_999, 224_000];
const WAITING_CHECKS: [Check; 3] = [Check::Wage, Check::Pension, Check::Medical];

fn any_period() -> impl Strategy<Value = Month> {
    select(&[4, 5, 6, 12, 13][..]).prop_map(month)
}

fn any_unit() -> impl Strategy<Value = UnitId> {
    select(&[EMPLOYER, AFFILIATE, STRANGER][..])
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    (0..900_u64).prop_map(|days| day("2024-01-01") + Days::new(days))
}

fn any_wages() -> impl Strategy<Value = Vec<Wage>> {
    let wage = (any_period(), any_unit(), select(AMOUNTS)).prop_map(|(period, payer, amount)| Wage {
        version: VersionId(0),
        period,
        payer,
        amount: Fen(amount),
    });
    prop::collection::vec(wage, 0..8).prop_map(|mut wages| {
        (1..).zip(&mut wages).for_each(|(number, wage)| wage.version = VersionId(number));
        wages
    })
}

fn any_insurances() -> impl Strategy<Value = Vec<Insurance>> {
    let record = (
        any_period(),
        select(Scheme::ALL),
        select(Coverage::ALL),
        prop::option::of(any_unit()),
        select(ContributionStatus::ALL),
        select(Payment::ALL),
    );
    let record = record.prop_map(|(period, scheme, coverage, insured, status, payment)| Insurance {
        version: VersionId(0),
        period,
        scheme,
        coverage,
        insured,
        status,
        payment,
    });
    prop::collection::vec(record, 0..10).prop_map(|mut records| {
        (101..).zip(&mut records).for_each(|(number, record)| record.version = VersionId(number));
        records
    })
}

/// Each certificate was updated in a second of its own: the register's updates of one person have an order.
fn any_certificates() -> impl Strategy<Value = Vec<Certificate>> {
    let certificate = (
        select(CertificateKind::ALL),
        1..=10_u8,
        any_day(),
        prop::option::of(0..600_u64),
        select(CertificateStatus::ALL),
        prop::option::of(any_day()),
    );
    let certificate = certificate.prop_map(|(kind, level, valid_from, length, status, status_since)| Certificate {
        version: VersionId(0),
        kind,
        level: if kind == CertificateKind::DisabledPerson { 1 + level % 4 } else { level },
        valid_from,
        valid_to: length.map(|days| valid_from + Days::new(days)),
        status,
        status_since,
        updated_at: chrono::DateTime::<Utc>::UNIX_EPOCH,
    });
    prop::collection::vec(certificate, 0..4).prop_map(|mut certificates| {
        (201..).zip(&mut certificates).for_each(|(number, certificate)| {
            certificate.version = VersionId(number);
            certificate.updated_at += chrono::TimeDelta::seconds(number);
        });
        certificates
    })
}

fn any_contracts() -> impl Strategy<Value = Vec<Contract>> {
    let contract = (select(ContractKind::ALL), any_day(), prop::option::of(any_day()), prop::option::of(any_day()));
    let contract = contract.prop_map(|(kind, starts_on, ends_on, terminated_on)| Contract {
        kind,
        starts_on,
        ends_on,
        terminated_on,
    });
    prop::collection::vec(contract, 0..3)
}

fn any_filings() -> impl Strategy<Value = Vec<DispatchFiling>> {
    let filing = (
        select(&[DISPATCHER, DISPATCHER, DISPATCHER, STRANGER][..]),
        select(&[JIANGXI, JIANGXI, JIANGXI, 44][..]),
        any_day(),
        prop::option::of(any_day()),
        select(FilingStatus::ALL),
    );
    let filing = filing.prop_map(|(dispatcher, province, valid_from, valid_to, status)| DispatchFiling {
        version: VersionId(301),
        dispatcher,
        province,
        valid_from,
        valid_to,
        status,
    });
    prop::collection::vec(filing, 0..4)
}

fn any_period_knowledge() -> impl Strategy<Value = PeriodKnowledge> {
    (prop::option::weighted(0.8, (3..=13).prop_map(month)), any::<bool>(), any::<u16>())
        .prop_map(|(settled_through, repull_due, refused)| PeriodKnowledge { settled_through, repull_due, refused })
}

fn any_knowledge() -> impl Strategy<Value = Knowledge> {
    let periods = (any_period_knowledge(), any_period_knowledge(), any_period_knowledge());
    (periods, any::<[bool; 4]>()).prop_map(|((wages, pension, medical), flags)| Knowledge {
        wages,
        pension,
        medical,
        certificates: RegisterKnowledge { current: flags[0], refused: flags[1] },
        filings: RegisterKnowledge { current: flags[2], refused: flags[3] },
    })
}

fn any_subject() -> impl Strategy<Value = Subject> {
    let born = prop_oneof![
        Just(day("1980-05-05")),
        (0..1200_u64).prop_map(|days| day("1964-01-01") + Days::new(days)),
        (0..900_u64).prop_map(|days| day("2008-01-01") + Days::new(days)),
    ];
    let payer = || select(&[EMPLOYER, EMPLOYER, AFFILIATE][..]);
    (born, payer(), payer(), payer(), prop::option::of(Just(DISPATCHER))).prop_map(
        |(born_on, wage_payer, pension_payer, medical_payer, dispatch)| Subject {
            born_on,
            sex: Sex::Male,
            track: None,
            wage_payer,
            pension_payer,
            medical_payer,
            dispatch,
        },
    )
}

/// Any world, with facts that often meet in the same month; half of them begin with a month in which everything passes.
fn any_world() -> impl Strategy<Value = World> {
    let facts = (any_wages(), any_insurances(), any_certificates(), any_contracts(), any_filings());
    let terms = (select(WageClass::ALL), 0..=1_u8).prop_map(|(wage_class, wage_lag)| EmployerTerms {
        wage_class,
        wage_lag,
        province: JIANGXI,
    });
    let policy = (select(BackPayment::ALL), select(CertificateMonth::ALL));
    (any_subject(), terms, facts, any_knowledge(), any_day(), policy, any::<bool>()).prop_map(
        |(subject, terms, facts, known, business_date, (back_payment, certificate_month), passing)| {
            let (wages, insurances, certificates, contracts, filings) = facts;
            let mut world = World {
                subject,
                terms,
                wages,
                insurances,
                certificates,
                contracts,
                filings,
                known,
                business_date,
                back_payment,
                certificate_month,
            };
            if passing {
                let good = World::employed();
                world.certificates.extend(good.certificates);
                world.contracts.extend(good.contracts);
                for payer in [EMPLOYER, AFFILIATE] {
                    world.pays(4..=13, payer, "9000");
                    world.insures(Scheme::Pension, 4..=12, payer);
                    world.insures(Scheme::Medical, 4..=12, payer);
                }
            }
            world
        },
    )
}

/// The wage code by the lines of the rules.
fn wage_by_the_rules(world: &World, number: i32) -> &'static str {
    let period = month(number + i32::from(world.terms.wage_lag));
    let in_period = || world.wages.iter().filter(|wage| wage.period == period);
    let by_payer: Vec<_> = in_period().filter(|wage| wage.payer == world.subject.wage_payer).collect();
    let others = in_period().any(|wage| wage.payer != world.subject.wage_payer);
    let sum: i64 = by_payer.iter().map(|wage| wage.amount.0).sum();
    let standard = match (number == 12, world.terms.wage_class) {
        (false, WageClass::One) => 200_000,
        (false, WageClass::Two) => 187_000,
        (false, WageClass::Three) => 174_000,
        (true, WageClass::One) => 224_000,
        (true, WageClass::Two) => 209_000,
        (true, WageClass::Three) => 195_000,
    };
    let by_records = [
        (!by_payer.is_empty() && sum >= standard, "pass"),
        (!by_payer.is_empty(), "below_minimum"),
        (others, "wrong_unit"),
        (true, "no_record"),
    ];
    waiting_by_the_rules(first_that_holds(&by_records), &world.known.wages, period)
}

/// The code of one insurance by the lines of the rules.
fn insurance_by_the_rules(world: &World, scheme: Scheme, number: i32) -> &'static str {
    let (payer, known) = match scheme {
        Scheme::Pension => (world.subject.pension_payer, &world.known.pension),
        Scheme::Medical => (world.subject.medical_payer, &world.known.medical),
    };
    let any = |wanted: &dyn Fn(&Insurance) -> bool| {
        world
            .insurances
            .iter()
            .any(|record| record.scheme == scheme && record.period == month(number) && wanted(record))
    };
    let employee = |record: &Insurance| record.coverage == Coverage::Employee;
    let expected = |record: &Insurance| employee(record) && record.insured == Some(payer);
    let paid = |record: &Insurance| expected(record) && record.status == ContributionStatus::Paid;
    let accepted = |record: &Insurance| world.back_payment == BackPayment::Accept || record.payment == Payment::Normal;
    let by_records = [
        (any(&|record| paid(record) && accepted(record)), "pass"),
        (any(&paid), "back_payment"),
        (any(&expected), "unpaid"),
        (any(&employee), "wrong_unit"),
        (any(&|_| true), "resident_scheme"),
        (true, "no_record"),
    ];
    waiting_by_the_rules(first_that_holds(&by_records), known, month(number))
}

/// The code of a dispatched person's filing by the lines of the rules.
fn dispatch_by_the_rules(world: &World) -> &'static str {
    if world.subject.dispatch.is_none() {
        return "not_applicable";
    }
    let of_province = || {
        let wanted = |filing: &&DispatchFiling| filing.dispatcher == DISPATCHER && filing.province == JIANGXI;
        world.filings.iter().filter(wanted)
    };
    let today = world.business_date;
    let on_the_day =
        |filing: &DispatchFiling| filing.valid_from <= today && filing.valid_to.unwrap_or(NaiveDate::MAX) >= today;
    let approved = |filing: &DispatchFiling| filing.status == FilingStatus::Approved;
    first_that_holds(&[
        (of_province().any(|filing| approved(filing) && on_the_day(filing)), "pass"),
        (of_province().any(|filing| approved(filing) || filing.status == FilingStatus::Revoked), "not_in_force"),
        (of_province().next().is_some(), "not_approved"),
        (!world.known.filings.current || world.known.filings.refused, "pending"),
        (true, "not_filed"),
    ])
}

fn first_that_holds(lines: &[(bool, &'static str)]) -> &'static str {
    lines.iter().find(|(holds, _)| *holds).map_or("", |(_, word)| word)
}

/// What the records say, or `pending` where that is not yet known to be all.
fn waiting_by_the_rules(word: &'static str, known: &PeriodKnowledge, period: Month) -> &'static str {
    let settled = known.settled_through.is_some_and(|through| through >= period);
    let refused = known.refused & 1 << (period.index() - month(1).index()) != 0;
    match word {
        "pass" | "back_payment" => word,
        _ if !settled => "pending",
        "no_record" if refused || known.repull_due => "pending",
        _ => word,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_first_line_of_the_rules_that_fits_gives_the_code(world in any_world(), number in select(JUDGED)) {
        prop_assert_eq!(world.word(Check::Wage, number), wage_by_the_rules(&world, number));
        prop_assert_eq!(world.word(Check::Pension, number), insurance_by_the_rules(&world, Scheme::Pension, number));
        prop_assert_eq!(world.word(Check::Medical, number), insurance_by_the_rules(&world, Scheme::Medical, number));
        prop_assert_eq!(world.word(Check::Dispatch, number), dispatch_by_the_rules(&world));
    }

    #[test]
    fn a_further_wage_that_is_no_reversal_never_costs_a_pass(
        world in any_world(), number in select(JUDGED), period in any_period(), amount in 0..500_000_i64,
    ) {
        let before = world.verdict(number);
        let mut richer = world.clone();
        let (version, payer) = (VersionId(99), world.subject.wage_payer);
        richer.wages.push(Wage { version, period, payer, amount: Fen(amount) });
        let after = richer.verdict(number);
        prop_assert!(before.codes.wage != WageCode::Pass || after.codes.wage == WageCode::Pass);
        prop_assert_eq!(Codes { wage: before.codes.wage, ..after.codes }, before.codes, "no other check looks at it");
    }

    #[test]
    fn more_knowledge_only_ends_waiting(world in any_world(), number in select(JUDGED), months in 0..12_i32) {
        let mut wiser = world.clone();
        for known in [&mut wiser.known.wages, &mut wiser.known.pension, &mut wiser.known.medical] {
            known.settled_through = Some(known.settled_through.map_or(month(3), |through| through.plus(months)));
        }
        (wiser.known.certificates.current, wiser.known.filings.current) = (true, true);
        let (before, after) = (world.verdict(number).codes, wiser.verdict(number).codes);
        for check in Check::ALL {
            prop_assert!(
                before.get(*check) == "pending" || before.get(*check) == after.get(*check),
                "{}: {} became {}", check, before.get(*check), after.get(*check)
            );
        }
    }

    #[test]
    fn when_everything_is_known_nothing_is_pending(world in any_world(), number in select(JUDGED)) {
        let codes = World { known: World::silent().known, ..world }.verdict(number).codes;
        prop_assert!(Check::ALL.iter().all(|check| codes.get(*check) != "pending"), "{:?}", codes);
    }

    #[test]
    fn a_period_that_is_not_settled_never_gives_a_failing_code(world in any_world(), number in select(JUDGED)) {
        let known = Knowledge {
            wages: PeriodKnowledge { settled_through: None, ..world.known.wages },
            pension: PeriodKnowledge { settled_through: Some(month(number - 1)), ..world.known.pension },
            medical: PeriodKnowledge { settled_through: None, ..world.known.medical },
            ..world.known
        };
        let codes = World { known, ..world }.verdict(number).codes;
        for check in WAITING_CHECKS {
            prop_assert!(matches!(codes.get(check), "pass" | "back_payment" | "pending"), "{}", codes.get(check));
        }
    }

    #[test]
    fn a_month_passes_exactly_when_every_check_passes_or_does_not_apply(
        world in any_world(), number in select(JUDGED),
    ) {
        let verdict = world.verdict(number);
        let every = Check::ALL.iter().all(|check| matches!(verdict.codes.get(*check), "pass" | "not_applicable"));
        prop_assert_eq!(verdict.passed(), every);
        prop_assert_eq!(Verdict::unpack(verdict.pack()), Some(verdict));
    }

    #[test]
    fn the_order_of_the_facts_does_not_matter(
        (world, shuffled) in any_world().prop_flat_map(|world| {
            let facts = (
                Just(world.wages.clone()).prop_shuffle(),
                Just(world.insurances.clone()).prop_shuffle(),
                Just(world.certificates.clone()).prop_shuffle(),
                Just(world.contracts.clone()).prop_shuffle(),
                Just(world.filings.clone()).prop_shuffle(),
            );
            let base = world.clone();
            let shuffled = facts.prop_map(move |(wages, insurances, certificates, contracts, filings)| {
                World { wages, insurances, certificates, contracts, filings, ..base.clone() }
            });
            (Just(world), shuffled)
        }),
        number in select(JUDGED),
    ) {
        prop_assert_eq!(world.verdict(number), shuffled.verdict(number));
    }

    #[test]
    fn facts_of_other_periods_change_nothing(world in any_world(), number in select(JUDGED)) {
        let mut narrow = world.clone();
        let period = month(number + i32::from(world.terms.wage_lag));
        narrow.wages.retain(|wage| wage.period == period);
        narrow.insurances.retain(|record| record.period == month(number));
        prop_assert_eq!(narrow.heard(number), world.heard(number));
    }

    #[test]
    fn every_record_looked_at_is_noted_once_and_every_pending_check_names_its_cause(
        world in any_world(), number in select(JUDGED),
    ) {
        let (verdict, notes) = world.heard(number);
        let period = month(number + i32::from(world.terms.wage_lag));
        let wages = world.wages.iter().filter(|wage| wage.period == period).count();
        let of = |scheme| {
            let wanted = |record: &&Insurance| record.scheme == scheme && record.period == month(number);
            world.insurances.iter().filter(wanted).count()
        };
        let filings = if world.subject.dispatch.is_some() { world.filings.len() } else { 0 };
        for (check, looked_at) in [
            (Check::Wage, wages),
            (Check::Pension, of(Scheme::Pension)),
            (Check::Medical, of(Scheme::Medical)),
            (Check::Certificate, world.certificates.len()),
            (Check::Dispatch, filings),
        ] {
            let count = |wanted: fn(&Note) -> bool| notes.iter().filter(|(of, note)| *of == check && wanted(note)).count();
            let records = count(|note| matches!(note, Note::RestsOn(_) | Note::PassedOver(..)));
            prop_assert_eq!(records, looked_at, "{}", check);
            let causes = count(|note| matches!(note, Note::Waiting(_)));
            prop_assert_eq!(causes, usize::from(verdict.codes.get(check) == "pending"), "{}", check);
        }
    }
}
