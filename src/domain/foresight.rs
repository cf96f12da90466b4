//! What will fail soon unless somebody acts: certificates and contracts that end, gaps between contracts, months without
//! insurance, a minimum wage that overtakes the last wage, retirement.

use chrono::{Days, NaiveDate};

use super::age::retirement_date;
use super::certificate::{Interval, in_force};
use super::contract::contract_code;
use super::dated::Dated;
use super::facts::{Contract, RetirementTrack, Scheme, Wage};
use super::judge::Case;
use super::money::Fen;
use super::month::Month;
use super::policy::{MinimumWages, MonthRules};
use super::verdict::{Codes, ContractCode, InsuranceCode};

/// One thing that will fail, or has begun to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Foreseen {
    /// The last certificate in force ends on this day and none follows it.
    CertificateEnds { on: NaiveDate },
    /// Nothing in force on the business date, though the contract is.
    CertificateMissing,
    /// The last contract long enough ends on this day and none follows it.
    ContractEnds { on: NaiveDate },
    /// Whole months between two contracts that no contract covers.
    ContractGap { first: Month, last: Month },
    /// A settled month of the year, covered by a contract, without insurance that counts.
    InsuranceMissing { scheme: Scheme, month: Month, code: InsuranceCode },
    /// The standard that holds from this day on is above what was last paid.
    MinimumWageRises { from: NaiveDate, standard: Fen, last_paid: Fen, last_period: Month },
    /// The age of retirement is reached: the months after no longer count.
    Retires { on: NaiveDate },
}

/// A placement in the running year, and what the judge says of its months.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    pub case: &'a Case<'a>,
    /// The rules of the month of the business date.
    pub rules: &'a MonthRules,
    /// Months of the year that have ended, with their codes.
    pub months: &'a [(Month, Codes)],
    /// The person's wages, those of the years beside this one too: at New Year the last one is last year's.
    pub wages: &'a [Wage],
}

/// What lies within `days` of the business date, or has happened this year, in the order of [`Foreseen`].
/// `minimum_wages`: every one that the policy knows.
pub fn foresee(outlook: &Outlook<'_>, minimum_wages: &Dated<MinimumWages>, days: u32) -> Vec<Foreseen> {
    let today = outlook.case.business_date;
    let horizon = today.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX);
    let mut found = Vec::new();
    let employed = contract_code(outlook.case.facts.contracts, Month::of(today)).0 == ContractCode::Pass;
    found.extend(certificates(outlook, today, horizon, employed));
    found.extend(contracts(outlook.case.facts.contracts, today, horizon));
    found.extend(insurances(outlook));
    found.extend(minimum_wage(outlook, minimum_wages, horizon));
    let subject = &outlook.case.subject;
    let track = subject.track.unwrap_or_else(|| RetirementTrack::default_for(subject.sex));
    let on = retirement_date(subject.born_on, track, &outlook.rules.retirement);
    if (today..=horizon).contains(&on) {
        found.push(Foreseen::Retires { on });
    }
    found
}

/// How long what holds today holds on without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// Nothing holds today.
    None,
    Ends(NaiveDate),
    Open,
}

fn cover(intervals: &[Interval], today: NaiveDate) -> Cover {
    let mut day = today;
    let mut covered = false;
    loop {
        let longest = intervals.iter().filter(|interval| interval.contains(day));
        match longest.map(|interval| interval.last.unwrap_or(NaiveDate::MAX)).max() {
            None if covered => return day.pred_opt().map_or(Cover::None, Cover::Ends),
            None => return Cover::None,
            Some(NaiveDate::MAX) => return Cover::Open,
            Some(last) => {
                covered = true;
                match last.succ_opt() {
                    Some(next) => day = next,
                    None => return Cover::Open,
                }
            }
        }
    }
}

fn certificates(outlook: &Outlook<'_>, today: NaiveDate, horizon: NaiveDate, employed: bool) -> Option<Foreseen> {
    let all = outlook.case.facts.certificates;
    let intervals: Vec<Interval> =
        all.iter().filter_map(|certificate| in_force(certificate, all, outlook.rules.weights)).collect();
    match cover(&intervals, today) {
        Cover::Ends(on) if on <= horizon => Some(Foreseen::CertificateEnds { on }),
        // a register that was not pulled lately proves no absence
        Cover::None if employed && outlook.case.known.certificates.current => Some(Foreseen::CertificateMissing),
        Cover::Ends(_) | Cover::None | Cover::Open => None,
    }
}

fn contracts(contracts: &[Contract], today: NaiveDate, horizon: NaiveDate) -> Vec<Foreseen> {
    let counting = || contracts.iter().filter(|contract| contract.is_long_enough());
    let intervals: Vec<Interval> =
        counting().map(|contract| Interval { first: contract.starts_on, last: contract.last_day() }).collect();
    let mut found = Vec::new();
    // months that no contract covers between the first that begins and the last that begins
    let first = counting().map(|contract| contract.starts_on).min().map(Month::of);
    let last = counting().map(|contract| contract.starts_on).max().map(Month::of);
    if let (Some(first), Some(last)) = (first, last) {
        let mut open: Option<Month> = None;
        let mut month = first;
        while month <= last {
            let covered = counting().any(|contract| contract.covers(month));
            match (covered, open) {
                (false, None) => open = Some(month),
                (true, Some(from)) => {
                    found.push(Foreseen::ContractGap { first: from, last: month.plus(-1) });
                    open = None;
                }
                _ => {}
            }
            month = month.plus(1);
        }
    }
    if let Cover::Ends(on) = cover(&intervals, today)
        && on <= horizon
    {
        found.insert(0, Foreseen::ContractEnds { on });
    }
    found
}

fn insurances(outlook: &Outlook<'_>) -> Vec<Foreseen> {
    let mut found = Vec::new();
    for (month, codes) in outlook.months.iter().filter(|(_, codes)| codes.contract == ContractCode::Pass) {
        for (scheme, code) in [(Scheme::Pension, codes.pension), (Scheme::Medical, codes.medical)] {
            // what is pending is not settled: nobody knows yet
            if !matches!(code, InsuranceCode::Pass | InsuranceCode::Pending) {
                found.push(Foreseen::InsuranceMissing { scheme, month: *month, code });
            }
        }
    }
    found
}

fn minimum_wage(outlook: &Outlook<'_>, minimum_wages: &Dated<MinimumWages>, horizon: NaiveDate) -> Option<Foreseen> {
    let Case { subject, terms, .. } = outlook.case;
    let of_payer = || outlook.wages.iter().filter(|wage| wage.payer == subject.wage_payer);
    let last_period = of_payer().map(|wage| wage.period).max()?;
    let last_paid: Fen = of_payer().filter(|wage| wage.period == last_period).map(|wage| wage.amount).sum();
    let for_month = last_period.plus(-i32::from(terms.wage_lag));
    minimum_wages
        .entries()
        .iter()
        .filter(|entry| entry.from > for_month.first_day() && entry.from <= horizon)
        .map(|entry| (entry.from, entry.value.get(terms.wage_class)))
        .find(|(_, standard)| *standard > last_paid)
        .map(|(from, standard)| Foreseen::MinimumWageRises { from, standard, last_paid, last_period })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::age::RetirementRules;
    use crate::domain::certificate::{CertificateMonth, WeightRules};
    use crate::domain::dated::Entry;
    use crate::domain::facts::{
        Certificate, CertificateKind, CertificateStatus, ContractKind, UnitId, VersionId, Wage,
    };
    use crate::domain::ids::Sex;
    use crate::domain::judge::{EmployerTerms, Facts, Knowledge, RegisterKnowledge, Subject};
    use crate::domain::policy::{BackPayment, WageClass};
    use crate::domain::verdict::{AgeCode, CertificateCode, DispatchCode, WageCode};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn labour(starts_on: &str, ends_on: &str) -> Contract {
        Contract {
            kind: ContractKind::Labour,
            starts_on: day(starts_on),
            ends_on: (!ends_on.is_empty()).then(|| day(ends_on)),
            terminated_on: None,
        }
    }

    fn month(text: &str) -> Month {
        text.parse().expect("month")
    }

    fn of_contracts(all: &[Contract]) -> Vec<Foreseen> {
        contracts(all, day("2026-04-15"), day("2026-07-14"))
    }

    #[test]
    fn a_contract_that_ends_within_the_days_is_told_unless_another_follows() {
        let ending = labour("2024-07-01", "2026-06-30");
        assert_eq!(of_contracts(&[ending]), [Foreseen::ContractEnds { on: day("2026-06-30") }]);
        assert_eq!(of_contracts(&[ending, labour("2026-07-01", "2027-06-30")]), []);
        assert_eq!(of_contracts(&[labour("2024-07-01", "2026-07-15")]), [], "beyond the days");
        assert_eq!(of_contracts(&[labour("2024-07-01", "")]), []);
        assert_eq!(of_contracts(&[labour("2023-01-01", "2025-12-31")]), [], "it has ended, and that is no news");
    }

    #[test]
    fn whole_months_between_two_contracts_are_a_gap() {
        let all = [labour("2024-01-01", "2025-09-10"), labour("2025-12-31", "")];
        assert_eq!(of_contracts(&all), [Foreseen::ContractGap { first: month("2025-10"), last: month("2025-11") }]);
        let touching = [labour("2024-01-01", "2025-09-10"), labour("2025-10-31", "")];
        assert_eq!(of_contracts(&touching), [], "some day of each month is covered");
        let short = [labour("2024-01-01", "2025-09-10"), labour("2025-10-01", "2025-12-30"), labour("2026-01-01", "")];
        assert_eq!(
            of_contracts(&short),
            [Foreseen::ContractGap { first: month("2025-10"), last: month("2025-12") }],
            "a contract too short covers nothing"
        );
    }

    #[test]
    fn a_cover_goes_on_over_intervals_that_follow_each_other() {
        let interval =
            |first: &str, last: &str| Interval { first: day(first), last: (!last.is_empty()).then(|| day(last)) };
        let today = day("2026-04-15");
        assert_eq!(cover(&[], today), Cover::None);
        assert_eq!(cover(&[interval("2026-01-01", "2026-04-14")], today), Cover::None);
        let two = [interval("2026-05-01", "2026-06-30"), interval("2026-01-01", "2026-04-30")];
        assert_eq!(cover(&two, today), Cover::Ends(day("2026-06-30")));
        let gap = [interval("2026-05-02", ""), interval("2026-01-01", "2026-04-30")];
        assert_eq!(cover(&gap, today), Cover::Ends(day("2026-04-30")));
        assert_eq!(cover(&[interval("2026-01-01", "")], today), Cover::Open);
    }

    const OWN: UnitId = UnitId(1);

    fn yuan(text: &str) -> Fen {
        text.parse().expect("amount")
    }

    fn minimum_wages() -> Dated<MinimumWages> {
        let entry = |from: &str, class_1: &str| Entry {
            from: day(from),
            until: None,
            source: "a notice".to_owned(),
            value: MinimumWages { class_1: yuan(class_1), class_2: yuan("1000"), class_3: yuan("900") },
        };
        Dated::new("minimum_wage", vec![entry("2024-04-01", "2000"), entry("2026-07-01", "2240")]).expect("dated")
    }

    fn certificate(valid_to: &str) -> Certificate {
        Certificate {
            version: VersionId(1),
            kind: CertificateKind::DisabledPerson,
            level: 3,
            valid_from: day("2016-07-01"),
            valid_to: (!valid_to.is_empty()).then(|| day(valid_to)),
            status: CertificateStatus::Valid,
            status_since: None,
            updated_at: "2026-01-10T00:00:00Z".parse().expect("instant"),
        }
    }

    /// What is foreseen on 15 April 2026 for a man with an open contract, while the register of certificates is current.
    fn foreseen(
        born_on: &str,
        wages: &[Wage],
        certificates: &[Certificate],
        months: &[(Month, Codes)],
        days: u32,
    ) -> Vec<Foreseen> {
        foreseen_with((true, 0), &[labour("2020-01-01", "")], born_on, wages, certificates, months, days)
    }

    /// First: whether the register is current, and the employer's wage lag.
    fn foreseen_with(
        (current, wage_lag): (bool, u8),
        contracts: &[Contract],
        born_on: &str,
        wages: &[Wage],
        certificates: &[Certificate],
        months: &[(Month, Codes)],
        days: u32,
    ) -> Vec<Foreseen> {
        let case = Case {
            subject: Subject {
                born_on: day(born_on),
                sex: Sex::Male,
                track: None,
                wage_payer: OWN,
                pension_payer: OWN,
                medical_payer: OWN,
                dispatch: None,
            },
            terms: EmployerTerms { wage_class: WageClass::One, wage_lag, province: 36 },
            // none of the year itself: what was paid last may be of the year before
            facts: Facts { wages: &[], insurances: &[], certificates, contracts, filings: &[] },
            known: Knowledge { certificates: RegisterKnowledge { current, refused: false }, ..Knowledge::default() },
            business_date: day("2026-04-15"),
        };
        let rules = MonthRules {
            month: month("2026-04"),
            minimum_wage: [yuan("2000"), yuan("1000"), yuan("900")],
            back_payment: BackPayment::Accept,
            certificate_month: CertificateMonth::Overlap,
            minimum_age_years: 16,
            retirement: RetirementRules::NATIONAL_2025,
            weights: WeightRules::NATIONAL,
        };
        foresee(&Outlook { case: &case, rules: &rules, months, wages }, &minimum_wages(), days)
    }

    fn paid(period: &str, payer: UnitId, amount: &str) -> Wage {
        Wage { version: VersionId(1), period: month(period), payer, amount: yuan(amount) }
    }

    #[test]
    fn a_minimum_wage_that_will_overtake_what_was_last_paid_is_told() {
        let certificates = [certificate("")];
        let wages = [paid("2026-01", OWN, "3000"), paid("2026-02", OWN, "2100"), paid("2026-03", UnitId(2), "9000")];
        let told = |days| foreseen("1980-05-05", &wages, &certificates, &[], days);
        let rises = Foreseen::MinimumWageRises {
            from: day("2026-07-01"),
            standard: yuan("2240"),
            last_paid: yuan("2100"),
            last_period: month("2026-02"),
        };
        assert_eq!(told(90), [rises]);
        assert_eq!(told(30), [], "beyond the days");
        // paid in April 2024: for April, when 2000 was in force already, or, a month late, for March
        for (wage_lag, from, standard) in [(0, "2026-07-01", "2240"), (1, "2024-04-01", "2000")] {
            let last = paid("2024-04", OWN, "1900");
            let told = foreseen_with(
                (true, wage_lag),
                &[labour("2020-01-01", "")],
                "1980-05-05",
                &[last],
                &certificates,
                &[],
                90,
            );
            let (last_paid, last_period) = (last.amount, last.period);
            assert_eq!(
                told,
                [Foreseen::MinimumWageRises { from: day(from), standard: yuan(standard), last_paid, last_period }]
            );
        }
        let enough = [paid("2026-02", OWN, "2240")];
        assert_eq!(foreseen("1980-05-05", &enough, &certificates, &[], 90), []);
    }

    #[test]
    fn a_certificate_that_ends_or_is_missing_and_a_retirement_are_told() {
        let ends = [Foreseen::CertificateEnds { on: day("2026-06-30") }];
        assert_eq!(foreseen("1980-05-05", &[], &[certificate("2026-06-30")], &[], 90), ends);
        assert_eq!(foreseen("1980-05-05", &[], &[certificate("2026-04-14")], &[], 90), [Foreseen::CertificateMissing]);
        assert_eq!(
            foreseen("1980-05-05", &[], &[certificate("2026-06-30")], &[], 76),
            ends,
            "its last day is the last looked at"
        );
        assert_eq!(foreseen("1980-05-05", &[], &[certificate("2026-06-30")], &[], 75), [], "beyond the days");
        let missing = |current, contracts: &[Contract]| {
            foreseen_with((current, 0), contracts, "1980-05-05", &[], &[certificate("2026-04-14")], &[], 90)
        };
        assert_eq!(missing(false, &[labour("2020-01-01", "")]), [], "nobody asked the register lately");
        assert_eq!(missing(true, &[labour("2020-01-01", "2026-03-31")]), [], "employed no longer");
        // born in January 1966: sixty years and four months
        let retires = [Foreseen::Retires { on: day("2026-05-20") }];
        assert_eq!(foreseen("1966-01-20", &[], &[certificate("")], &[], 90), retires);
    }

    #[test]
    fn a_settled_month_without_insurance_is_told_and_a_pending_one_is_not() {
        let codes = |pension, contract| Codes {
            wage: WageCode::Pass,
            pension,
            medical: InsuranceCode::Pass,
            certificate: CertificateCode::Pass,
            age: AgeCode::Pass,
            contract,
            dispatch: DispatchCode::NotApplicable,
        };
        let months = [
            (month("2026-01"), codes(InsuranceCode::NoRecord, ContractCode::Pass)),
            (month("2026-02"), codes(InsuranceCode::NoRecord, ContractCode::NotCovered)),
            (month("2026-03"), codes(InsuranceCode::Pending, ContractCode::Pass)),
        ];
        let missing = Foreseen::InsuranceMissing {
            scheme: Scheme::Pension,
            month: month("2026-01"),
            code: InsuranceCode::NoRecord,
        };
        assert_eq!(foreseen("1980-05-05", &[], &[certificate("")], &months, 90), [missing]);
    }
}
