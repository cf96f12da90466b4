//! The deterministic synthetic province: employers, placements and every agency's records, the same for the same seed.

use chrono::NaiveDate;

use super::founding;
use super::rows::{
    Affiliate, CertificateRow, Contract, Employer, FilingRow, InsuranceRow, Person, Placement, Unit, WageRow,
};

/// What decides a province, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Spec {
    /// Placements; an eighth as many employers, give or take.
    pub persons: u32,
    pub seed: u64,
    /// The business year.
    pub year: i32,
    /// The business date: nothing stamped on it or later has been delivered.
    pub today: NaiveDate,
}

/// Everything there is, in the order in which it was entered and is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Province {
    pub spec: Spec,
    pub people: Vec<Person>,
    pub units: Vec<Unit>,
    pub employers: Vec<Employer>,
    pub affiliates: Vec<Affiliate>,
    pub placements: Vec<Placement>,
    pub contracts: Vec<Contract>,
    pub wages: Vec<WageRow>,
    pub pension: Vec<InsuranceRow>,
    pub medical: Vec<InsuranceRow>,
    pub certificates: Vec<CertificateRow>,
    pub filings: Vec<FilingRow>,
}

impl Province {
    /// Pure: the same spec gives the same province. Holds about 1.1 kB a person.
    pub fn generate(spec: &Spec) -> Self {
        founding::found(*spec)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use super::*;
    use crate::domain::facts::{Relation, RetirementTrack};
    use crate::domain::ids::{CertificateNumber, ResidentId, Uscc};
    use crate::domain::month::{Month, years_later};
    use crate::sandbox::divisions::minimum_wage_fen;
    use crate::sandbox::numbers;
    use crate::sandbox::rows::{Contribution, Flaw, OWN_ACCOUNT, Wear, stamp_s};
    use crate::sandbox::stories::Story;
    use crate::sandbox::units::FILING_STORIES;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn spec() -> Spec {
        Spec { persons: 2000, seed: 7, year: 2025, today: day("2026-04-15") }
    }

    #[test]
    fn the_same_seed_gives_the_same_province_and_another_seed_another() {
        let province = Province::generate(&spec());
        assert_eq!(province, Province::generate(&spec()));
        assert_ne!(province, Province::generate(&Spec { seed: 8, ..spec() }));
    }

    #[test]
    fn every_number_is_valid_and_nobody_shares_one() {
        let province = Province::generate(&spec());
        let ids: BTreeSet<_> = province.people.iter().map(|person| person.id_number).collect();
        assert_eq!(ids.len(), province.people.len());
        for person in &province.people {
            let id = numbers::text(&person.id_number);
            assert!(ResidentId::parse(id).is_ok() && id.starts_with("3600"));
        }
        let codes: BTreeSet<_> = province.units.iter().map(|unit| unit.uscc).collect();
        assert_eq!(codes.len(), province.units.len());
        for unit in &province.units {
            let code = Uscc::parse(numbers::text(&unit.uscc)).expect("valid code");
            assert!(code.subject_check_fits() && &code.as_str()[2..8] == "369900");
        }
        for row in province.certificates.iter().filter(|row| row.category > 0) {
            let text = province.certificate_text(row);
            assert!(text.certificate_number.is_empty() || CertificateNumber::parse(&text.certificate_number).is_ok());
        }
    }

    #[test]
    fn placements_obey_the_rules_of_entry() {
        let province = Province::generate(&spec());
        assert_eq!(province.placements.len(), 2000);
        assert!((150..500).contains(&province.employers.len()), "{} employers", province.employers.len());
        let listed: BTreeSet<_> = province.affiliates.iter().map(|row| (row.employer, row.unit)).collect();
        assert_eq!(listed.len(), province.affiliates.len());
        let dispatching = province.affiliates.iter().filter(|row| row.relation == Relation::Dispatch);
        let dispatching: BTreeSet<_> = dispatching.map(|row| (row.employer, row.unit)).collect();
        let mut keys = BTreeSet::new();
        for placement in &province.placements {
            assert!(keys.insert((placement.employer, placement.person)), "one placement per employer and person");
            let payers = [placement.wage_payer, placement.pension_payer, placement.medical_payer];
            let others: Vec<_> = payers.iter().filter(|payer| **payer != placement.employer).collect();
            if let Some(dispatcher) = placement.dispatcher {
                assert!(dispatching.contains(&(placement.employer, dispatcher)));
                assert!(others.iter().all(|payer| **payer == dispatcher));
            } else {
                assert!(others.len() <= 2);
                assert!(others.iter().all(|payer| listed.contains(&(placement.employer, **payer))));
            }
            let id = ResidentId::parse(province.id_number(placement.person)).expect("valid");
            assert!(placement.track.is_none_or(|track| track.sex() == id.sex()));
        }
        let contracts: BTreeSet<_> =
            province.contracts.iter().map(|row| (row.employer, row.person, row.kind, row.starts_on)).collect();
        assert_eq!(contracts.len(), province.contracts.len());
        assert!(province.contracts.iter().all(|row| row.ends_on.is_none_or(|end| end >= row.starts_on)));
    }

    #[test]
    fn every_story_is_told_five_times_among_two_thousand() {
        let province = Province::generate(&spec());
        let mut told: BTreeMap<Story, usize> = BTreeMap::new();
        for placement in &province.placements {
            *told.entry(placement.story).or_default() += 1;
        }
        for story in Story::ALL {
            assert!(told.get(story).is_some_and(|count| *count >= 5), "{story}: {:?}", told.get(story));
        }
        let filed: BTreeSet<_> = province.filings.iter().map(|row| row.dispatcher).collect();
        let needed = FILING_STORIES.len() - 1;
        assert!(filed.len() >= needed, "{} companies have filed", filed.len());
        let persons: BTreeSet<_> = province.placements.iter().map(|placement| placement.person).collect();
        assert!(persons.len() + 15 <= province.placements.len(), "some persons are placed twice");
    }

    #[test]
    fn deliveries_hold_corrections_deletions_rekeyed_repeated_and_reused_records() {
        let province = Province::generate(&spec());
        let mut versions: HashMap<u32, Vec<&WageRow>> = HashMap::new();
        for row in &province.wages {
            versions.entry(row.record).or_default().push(row);
        }
        let many: Vec<_> = versions.values().filter(|rows| rows.len() > 1).collect();
        let pairs =
            |fits: &dyn Fn(&WageRow, &WageRow) -> bool| many.iter().filter(|rows| fits(rows[0], rows[1])).count();
        assert!(pairs(&|a, b| a.stamp_s < b.stamp_s && a.amount_fen != b.amount_fen) > 50, "corrected");
        assert!(pairs(&|a, b| a.stamp_s > b.stamp_s) > 10, "newer before older");
        assert!(pairs(&|a, b| a.person != b.person) > 30, "re-keyed");
        assert!(pairs(&|a, b| a == b) > 20, "repeated");
        assert!(pairs(&|a, b| a.stamp_s == b.stamp_s && a != b) >= 3, "stamp reused");
        assert!(pairs(&|_, b| b.deleted) > 20, "deleted");
        assert!(province.wages.iter().filter(|row| row.amount_fen < 0).count() > 20, "reversed");
    }

    #[test]
    fn about_one_record_in_two_hundred_must_be_refused_for_each_reason() {
        let province = Province::generate(&spec());
        let mut flaws: HashMap<String, usize> = HashMap::new();
        let wages = province.wages.iter().map(|row| row.flaw);
        let insurances = province.pension.iter().chain(&province.medical).map(|row| row.flaw);
        for flaw in wages.chain(insurances).filter(|flaw| *flaw != Flaw::None) {
            *flaws.entry(format!("{flaw:?}")).or_default() += 1;
        }
        assert_eq!(flaws.len(), 7, "{flaws:?}");
        let records = province.wages.len() + province.pension.len() + province.medical.len();
        let refused: usize = flaws.values().sum();
        assert!((records / 400..records / 100).contains(&refused), "{refused} of {records}");
    }

    #[test]
    fn names_and_numbers_are_spelt_in_many_ways() {
        let province = Province::generate(&spec());
        let texts: Vec<_> = province.wages.iter().map(|row| (row.wear, province.wage_text(row))).collect();
        let with = |wear: Wear, fits: &dyn Fn(&str) -> bool| {
            texts.iter().filter(|(worn, text)| *worn == wear && fits(&text.id_number)).count()
        };
        assert!(with(Wear::Spaced, &|id| id.contains(' ')) > 5);
        assert!(with(Wear::FullWidth, &|id| id.contains('３')) > 5);
        assert!(with(Wear::LowerCase, &|id| id.ends_with('x')) > 5);
        assert!(with(Wear::FifteenDigits, &|id| id.len() == 15) > 5);
        assert!(texts.iter().any(|(_, text)| text.name.contains('•')));
        assert!(province.people.iter().any(|person| person.name.contains('·')));
        assert!(province.people.iter().any(|person| person.name.chars().any(|c| c as u32 > 0xFFFF)));
    }

    #[test]
    fn strangers_and_unplaced_holders_are_among_the_insured() {
        let province = Province::generate(&spec());
        let holders = province.certificates.iter().map(|row| row.person);
        let concerned: BTreeSet<_> = holders.chain(province.placements.iter().map(|row| row.person)).collect();
        let strange = province.medical.iter().filter(|row| !concerned.contains(&row.person)).count();
        assert!((3..8).contains(&(strange * 100 / province.medical.len())), "{strange}");
        assert!(province.medical.iter().any(|row| row.unit == OWN_ACCOUNT && row.contribution == Contribution::Paid));
    }

    #[test]
    fn edges_of_birthdays_contracts_and_certificates_are_there() {
        let province = Province::generate(&spec());
        let births: Vec<_> = province
            .placements
            .iter()
            .filter(|placement| placement.story == Story::Sixteen)
            .filter_map(|placement| ResidentId::parse(province.id_number(placement.person)).ok())
            .map(|id| id.birth_date())
            .collect();
        assert!(births.iter().any(|born| Month::of(*born).first_day() == *born));
        assert!(births.iter().any(|born| Month::of(*born).last_day() == *born));
        assert!(province.placements.iter().any(|row| row.track == Some(RetirementTrack::Women50)));
        let lasts = |days: u64| {
            let over = |row: &Contract| years_later(row.starts_on, 1) - chrono::Days::new(days);
            province.contracts.iter().filter(|row| row.ends_on == Some(over(row))).count()
        };
        assert!(lasts(1) >= 5 && lasts(2) >= 5, "exactly a year and a day less");
        assert!(province.contracts.iter().any(|row| row.starts_on == day("2024-02-29")));
        assert!(province.contracts.iter().any(|row| row.ends_on == Some(day("2025-02-28"))));
        let today = province.spec.today;
        for shift in [-1, 0, 1] {
            let end = today + chrono::TimeDelta::days(shift);
            assert!(province.filings.iter().any(|row| row.valid_to == Some(end)), "a filing ends on {end}");
        }
        let at_end = |date: Option<NaiveDate>| date.is_some_and(|date| Month::of(date).last_day() == date);
        assert!(province.certificates.iter().any(|row| at_end(row.valid_to)));
        assert!(province.certificates.iter().any(|row| at_end(Some(row.valid_from))));
    }

    #[test]
    fn employers_differ_in_class_lag_and_lateness() {
        let province = Province::generate(&spec());
        assert!(province.employers.iter().any(|employer| employer.wage_class.is_some()));
        assert!(province.employers.iter().any(|employer| employer.wage_lag == 1));
        assert!(province.employers.iter().any(|employer| employer.unreported_tail > 0));
        assert!(province.employers.iter().any(|employer| employer.division != employer.tax_division));
        let class_of: HashMap<_, _> =
            province.employers.iter().map(|employer| (employer.unit, employer.effective_class)).collect();
        let plain = province.placements.iter().find(|row| row.story == Story::WageExact).expect("an exact wage");
        let standard = minimum_wage_fen(class_of[&plain.employer], "2025-06".parse().expect("month"));
        let wages = province.wages.iter().filter(|row| row.person == plain.person);
        assert!(wages.clone().any(|row| i64::from(row.amount_fen) == standard));
    }

    #[test]
    fn a_later_business_date_adds_records_and_takes_none_away() {
        let early = Province::generate(&Spec { today: day("2025-09-01"), ..spec() });
        let late = Province::generate(&spec());
        assert!(early.wages.len() < late.wages.len() * 3 / 4);
        let mut rest = late.wages.iter();
        assert!(early.wages.iter().all(|row| rest.any(|later| later == row)), "the same records in the same order");
        assert_eq!(early.placements, late.placements);
        let limit_s = stamp_s(day("2025-09-01"), 0);
        assert!(early.medical.iter().all(|row| row.stamp_s < limit_s));
        assert!(early.certificates.iter().all(|row| row.stamp_s < limit_s));
    }
}
