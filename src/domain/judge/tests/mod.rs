//! The judge against the rules as decided: the business year 2025 of one person, told fact by fact and judged month by month.

mod codes;
mod conflict;
mod notes;
mod pending;
mod properties;
mod scenarios;

use std::ops::RangeInclusive;

use super::*;
use crate::domain::age::RetirementRules;
use crate::domain::certificate::{CertificateMonth, WeightRules};
use crate::domain::facts::{CertificateKind, CertificateStatus, ContractKind};

const EMPLOYER: UnitId = UnitId(1);
const AFFILIATE: UnitId = UnitId(2);
const STRANGER: UnitId = UnitId(3);
const DISPATCHER: UnitId = UnitId(4);
const JIANGXI: u8 = 36;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("day")
}

/// A day, or nothing for the empty text.
fn date(text: &str) -> Option<NaiveDate> {
    (!text.is_empty()).then(|| day(text))
}

/// The months of 2025 by number; 13 is January 2026.
fn month(number: i32) -> Month {
    Month::from_index(2025 * 12 + number - 1).expect("month")
}

fn yuan(text: &str) -> Fen {
    text.parse().expect("amount")
}

/// Jiangxi's rules for a month of 2025, whose last month has another minimum wage.
fn rules_of(month: Month) -> MonthRules {
    let standards = if month.number() == 12 { ["2240", "2090", "1950"] } else { ["2000", "1870", "1740"] };
    MonthRules {
        month,
        minimum_wage: standards.map(yuan),
        back_payment: BackPayment::Accept,
        certificate_month: CertificateMonth::Overlap,
        minimum_age_years: 16,
        retirement: RetirementRules::NATIONAL_2025,
        weights: WeightRules::NATIONAL,
    }
}

/// What one insurance record says otherwise.
type Change = fn(&mut Insurance);

/// Everything the judge is told of one placement.
#[derive(Clone, Debug)]
struct World {
    subject: Subject,
    terms: EmployerTerms,
    wages: Vec<Wage>,
    insurances: Vec<Insurance>,
    certificates: Vec<Certificate>,
    contracts: Vec<Contract>,
    filings: Vec<DispatchFiling>,
    known: Knowledge,
    business_date: NaiveDate,
    back_payment: BackPayment,
    certificate_month: CertificateMonth,
}

fn certificate(level: u8, valid_from: &str, valid_to: &str) -> Certificate {
    Certificate {
        version: VersionId(900),
        kind: CertificateKind::DisabledPerson,
        level,
        valid_from: day(valid_from),
        valid_to: date(valid_to),
        status: CertificateStatus::Valid,
        status_since: None,
        updated_at: "2026-01-10T00:00:00Z".parse().expect("instant"),
    }
}

fn contract(starts_on: &str, ends_on: &str) -> Contract {
    Contract { kind: ContractKind::Labour, starts_on: day(starts_on), ends_on: date(ends_on), terminated_on: None }
}

fn filing(status: FilingStatus, valid_from: &str, valid_to: &str) -> DispatchFiling {
    DispatchFiling {
        version: VersionId(800),
        dispatcher: DISPATCHER,
        province: JIANGXI,
        valid_from: day(valid_from),
        valid_to: date(valid_to),
        status,
    }
}

impl World {
    /// A man born 1980-05-05 with a certificate of level 3 and a contract from 10 March 2025 for two years, at an employer
    /// of wage class 1; nothing is reported of wages and insurance, and everything is known.
    fn silent() -> Self {
        let settled = PeriodKnowledge { settled_through: Some(month(13)), ..PeriodKnowledge::default() };
        Self {
            subject: Subject {
                born_on: day("1980-05-05"),
                sex: Sex::Male,
                track: None,
                wage_payer: EMPLOYER,
                pension_payer: EMPLOYER,
                medical_payer: EMPLOYER,
                dispatch: None,
            },
            terms: EmployerTerms { wage_class: WageClass::One, wage_lag: 0, province: JIANGXI },
            wages: Vec::new(),
            insurances: Vec::new(),
            certificates: vec![certificate(3, "2020-06-01", "2030-05-31")],
            contracts: vec![contract("2025-03-10", "2027-03-09")],
            filings: Vec::new(),
            known: Knowledge {
                wages: settled,
                pension: settled,
                medical: settled,
                certificates: RegisterKnowledge { current: true, refused: false },
                filings: RegisterKnowledge { current: true, refused: false },
            },
            business_date: day("2026-03-15"),
            back_payment: BackPayment::Accept,
            certificate_month: CertificateMonth::Overlap,
        }
    }

    /// The same man with wages of 3000 yuan and both insurances from March to December.
    fn employed() -> Self {
        let mut world = Self::insured();
        world.pays(3..=12, EMPLOYER, "3000");
        world
    }

    /// With both insurances from March to December, and no wages.
    fn insured() -> Self {
        let mut world = Self::silent();
        world.insures(Scheme::Pension, 3..=12, EMPLOYER);
        world.insures(Scheme::Medical, 3..=12, EMPLOYER);
        world
    }

    /// Employed, and dispatched by a company with these filings.
    fn dispatched(filings: &[DispatchFiling]) -> Self {
        let mut world = Self::employed();
        world.subject.dispatch = Some(DISPATCHER);
        world.filings = filings.to_vec();
        world
    }

    fn next_version(&self) -> VersionId {
        VersionId(1 + (self.wages.len() + self.insurances.len()) as i64)
    }

    fn pays(&mut self, periods: RangeInclusive<i32>, payer: UnitId, amount: &str) {
        for number in periods {
            let version = self.next_version();
            self.wages.push(Wage { version, period: month(number), payer, amount: yuan(amount) });
        }
    }

    /// Employee insurance, paid in time.
    fn insures(&mut self, scheme: Scheme, periods: RangeInclusive<i32>, unit: UnitId) {
        for number in periods {
            self.insures_as(scheme, number, |record| record.insured = Some(unit));
        }
    }

    /// One record: employee insurance at the employer, paid in time, but for what `change` says.
    fn insures_as(&mut self, scheme: Scheme, number: i32, change: impl FnOnce(&mut Insurance)) {
        let mut record = Insurance {
            version: self.next_version(),
            period: month(number),
            scheme,
            coverage: Coverage::Employee,
            insured: Some(EMPLOYER),
            status: ContributionStatus::Paid,
            payment: Payment::Normal,
        };
        change(&mut record);
        self.insurances.push(record);
    }

    fn rules(&self, month: Month) -> MonthRules {
        MonthRules { back_payment: self.back_payment, certificate_month: self.certificate_month, ..rules_of(month) }
    }

    fn case(&self) -> Case<'_> {
        Case {
            subject: self.subject,
            terms: self.terms,
            facts: Facts {
                wages: &self.wages,
                insurances: &self.insurances,
                certificates: &self.certificates,
                contracts: &self.contracts,
                filings: &self.filings,
            },
            known: self.known,
            business_date: self.business_date,
        }
    }

    /// The verdict on a month, and what the judge noted on its way.
    fn heard(&self, number: i32) -> (Verdict, Vec<(Check, Note)>) {
        let mut notes = Vec::new();
        let month = month(number);
        let verdict = judge(&self.case(), month, &self.rules(month), &mut |check, note| notes.push((check, note)));
        (verdict, notes)
    }

    fn verdict(&self, number: i32) -> Verdict {
        self.heard(number).0
    }

    fn word(&self, check: Check, number: i32) -> &'static str {
        self.verdict(number).codes.get(check)
    }

    /// A check's twelve words, runs of one word written once: `1-2 no_record, 3-12 pass`.
    fn year(&self, check: Check) -> String {
        let mut runs: Vec<(i32, i32, &str)> = Vec::new();
        for number in 1..=12 {
            let word = self.word(check, number);
            match runs.last_mut() {
                Some((_, last, running)) if *running == word => *last = number,
                _ => runs.push((number, number, word)),
            }
        }
        let shown =
            runs.iter().map(
                |(first, last, word)| {
                    if first == last { format!("{first} {word}") } else { format!("{first}-{last} {word}") }
                },
            );
        shown.collect::<Vec<_>>().join(", ")
    }

    /// The numbers of the months that pass.
    fn passed(&self) -> Vec<i32> {
        (1..=12).filter(|number| self.verdict(*number).passed()).collect()
    }

    /// What one check noted on a month.
    fn notes(&self, check: Check, number: i32) -> Vec<Note> {
        self.heard(number).1.into_iter().filter(|(of, _)| *of == check).map(|(_, note)| note).collect()
    }
}

fn months(numbers: RangeInclusive<i32>) -> Vec<i32> {
    numbers.collect()
}
