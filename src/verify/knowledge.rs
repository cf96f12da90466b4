//! What is known: which periods are settled, which sources are current, which records are missing because they were refused.

use std::collections::{HashMap, HashSet};

use chrono::{Days, NaiveDate};

use crate::domain::facts::{PersonId, RecordKind, Scheme, UnitId};
use crate::domain::judge::{Knowledge, PeriodKnowledge, RegisterKnowledge};
use crate::domain::month::Month;
use crate::store::facts::{Freshness, OpenRefusal};

/// How far the sources of one kind of record reach for one division.
#[derive(Clone, Copy, Debug)]
struct Reach {
    settled_through: Option<Month>,
    /// Persons concerned after this publish are not complete yet.
    complete_seq: i64,
}

/// The sources' state at one sequence and business date.
#[derive(Debug)]
pub struct Sources {
    freshness: Vec<Freshness>,
    certificates_current: bool,
    filings_current: bool,
}

/// What is known for one employer's division.
#[derive(Clone, Copy, Debug)]
pub struct DivisionKnowledge {
    wages: Reach,
    pension: Reach,
    medical: Reach,
}

impl Sources {
    pub fn new(freshness: Vec<Freshness>, business_date: NaiveDate) -> Self {
        let current = |record: RecordKind| {
            freshness
                .iter()
                .filter(|source| source.settings.record == record)
                .filter_map(|source| Some((source.last_whole_on?, source.settings.stale_after_days)))
                .max()
                .is_some_and(|(on, stale_after)| (business_date - on).num_days() <= i64::from(stale_after))
        };
        let (certificates_current, filings_current) =
            (current(RecordKind::Certificate), current(RecordKind::DispatchFiling));
        Self { freshness, certificates_current, filings_current }
    }

    /// Whether a register was delivered lately enough that its silence means something.
    pub fn is_current(&self, record: RecordKind) -> bool {
        match record {
            RecordKind::DispatchFiling => self.filings_current,
            _ => self.certificates_current,
        }
    }

    pub fn for_division(&self, division: &str) -> DivisionKnowledge {
        DivisionKnowledge {
            wages: self.reach(RecordKind::Wage, None, division),
            pension: self.reach(RecordKind::Insurance, Some(Scheme::Pension), division),
            medical: self.reach(RecordKind::Insurance, Some(Scheme::Medical), division),
        }
    }

    /// Settled is what every source that covers the place has delivered whole.
    fn reach(&self, record: RecordKind, scheme: Option<Scheme>, division: &str) -> Reach {
        let covering: Vec<&Freshness> =
            self.freshness.iter().filter(|source| covers(source, record, scheme, division)).collect();
        let settled: Option<Vec<Month>> = covering.iter().map(|source| source.settled_through()).collect();
        Reach {
            settled_through: settled.and_then(|months| months.into_iter().min()),
            complete_seq: covering.iter().map(|source| source.complete_seq).min().unwrap_or(i64::MAX),
        }
    }

    /// The sources that answer for a check: by period those that cover the place, of a register all.
    pub fn answering<'a>(
        &'a self,
        record: RecordKind,
        scheme: Option<Scheme>,
        division: &'a str,
    ) -> impl Iterator<Item = &'a Freshness> {
        let by_period = matches!(record, RecordKind::Wage | RecordKind::Insurance);
        self.freshness.iter().filter(move |source| {
            if by_period { covers(source, record, scheme, division) } else { source.settings.record == record }
        })
    }

    /// Whether every source that covers the place has delivered the period whole.
    pub fn is_settled(&self, record: RecordKind, scheme: Option<Scheme>, division: &str, period: Month) -> bool {
        self.reach(record, scheme, division).settled_through.is_some_and(|through| period <= through)
    }

    /// The last day on which the register would still be current; `None` if it was never pulled whole.
    pub fn register_due_on(&self, record: RecordKind) -> Option<NaiveDate> {
        let of_record = self.freshness.iter().filter(|source| source.settings.record == record);
        let pulled = of_record.filter_map(|source| Some((source.last_whole_on?, source.settings.stale_after_days)));
        pulled.max().map(|(on, stale_after)| on + Days::new(stale_after.max(0) as u64))
    }

    /// The day from which a period counts as settled if it is delivered then: the latest over the sources that cover it.
    pub fn due_on(
        &self,
        record: RecordKind,
        scheme: Option<Scheme>,
        division: &str,
        period: Month,
    ) -> Option<NaiveDate> {
        self.freshness
            .iter()
            .filter(|source| covers(source, record, scheme, division))
            .map(|source| period.last_day() + Days::new(source.settings.settles_after_days.max(0) as u64))
            .max()
    }
}

fn covers(source: &Freshness, record: RecordKind, scheme: Option<Scheme>, division: &str) -> bool {
    let settings = &source.settings;
    settings.record == record
        && scheme.is_none_or(|scheme| settings.schemes.is_empty() || settings.schemes.contains(&scheme))
        && (settings.divisions.is_empty() || settings.divisions.iter().any(|prefix| division.starts_with(prefix)))
}

impl Freshness {
    /// The last period whose last day lies `settles_after` days or more before the fetch of the last whole pull began.
    pub(super) fn settled_through(&self) -> Option<Month> {
        let reached = self.last_whole_on? - Days::new(self.settings.settles_after_days.max(0) as u64);
        let month = Month::of(reached);
        Some(if month.last_day() == reached { month } else { month.plus(-1) })
    }
}

/// Refused records that are open, by whom they would be about.
#[derive(Debug)]
pub struct Refusals {
    january: Month,
    by_person: HashMap<PersonId, Vec<OpenRefusal>>,
    filings_of: HashSet<UnitId>,
}

impl Refusals {
    pub fn new(open: Vec<OpenRefusal>, year: i32) -> Self {
        let mut by_person: HashMap<PersonId, Vec<OpenRefusal>> = HashMap::new();
        let mut filings_of = HashSet::new();
        for refusal in open {
            match (refusal.person, refusal.record, refusal.unit) {
                (Some(person), ..) => by_person.entry(person).or_default().push(refusal),
                (None, RecordKind::DispatchFiling, Some(unit)) => {
                    filings_of.insert(unit);
                }
                _ => {}
            }
        }
        let january = Month::all_of(year).next().unwrap_or_else(|| Month::of(NaiveDate::MIN));
        Self { january, by_person, filings_of }
    }

    /// One bit a period from January on; a record whose period cannot be read may be any period's.
    fn periods(&self, person: PersonId, record: RecordKind, scheme: Option<Scheme>) -> u16 {
        let mut bits = 0;
        for refusal in self.by_person.get(&person).into_iter().flatten() {
            let of_scheme = match (scheme, refusal.scheme) {
                (Some(asked), Some(said)) => asked.number() == said,
                _ => true,
            };
            if refusal.record != record || !of_scheme {
                continue;
            }
            bits |= match refusal.period.map(|period| period.index() - self.january.index()) {
                None => u16::MAX,
                Some(offset @ 0..16) => 1 << offset,
                Some(_) => 0,
            };
        }
        bits
    }

    fn certificate(&self, person: PersonId) -> bool {
        self.by_person
            .get(&person)
            .is_some_and(|refusals| refusals.iter().any(|refusal| refusal.record == RecordKind::Certificate))
    }
}

/// All of it for one placement.
pub fn knowledge(
    sources: &Sources,
    division: &DivisionKnowledge,
    refusals: &Refusals,
    person: PersonId,
    concerned_seq: Option<i64>,
    dispatch: Option<UnitId>,
) -> Knowledge {
    let periods = |reach: Reach, record, scheme| PeriodKnowledge {
        settled_through: reach.settled_through,
        repull_due: concerned_seq.unwrap_or(i64::MAX) > reach.complete_seq,
        refused: refusals.periods(person, record, scheme),
    };
    Knowledge {
        wages: periods(division.wages, RecordKind::Wage, None),
        pension: periods(division.pension, RecordKind::Insurance, Some(Scheme::Pension)),
        medical: periods(division.medical, RecordKind::Insurance, Some(Scheme::Medical)),
        certificates: RegisterKnowledge {
            current: sources.certificates_current,
            refused: refusals.certificate(person),
        },
        filings: RegisterKnowledge {
            current: sources.filings_current,
            refused: dispatch.is_some_and(|company| refusals.filings_of.contains(&company)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::{JobSettings, SourceId};

    fn source(last_whole_on: Option<&str>, divisions: &[&str]) -> Freshness {
        Freshness {
            source: SourceId(1),
            settings: JobSettings {
                job: "pull-wage".to_owned(),
                record: RecordKind::Wage,
                settles_after_days: 45,
                stale_after_days: 7,
                schemes: Vec::new(),
                divisions: divisions.iter().map(|prefix| (*prefix).to_owned()).collect(),
                concerned_only: false,
            },
            last_whole_on: last_whole_on.map(|day| day.parse().expect("day")),
            complete_seq: i64::MAX,
        }
    }

    fn settled(sources: &[Freshness]) -> Option<String> {
        let sources = Sources::new(sources.to_vec(), "2026-04-15".parse().expect("day"));
        sources.for_division("360102").wages.settled_through.map(|month| month.to_string())
    }

    #[test]
    fn a_period_settles_on_the_day_its_delay_is_over() {
        // 31 December 2025 + 45 days = 14 February 2026
        assert_eq!(settled(&[source(Some("2026-02-13"), &[])]).as_deref(), Some("2025-11"));
        assert_eq!(settled(&[source(Some("2026-02-14"), &[])]).as_deref(), Some("2025-12"));
        assert_eq!(settled(&[source(Some("2026-02-15"), &[])]).as_deref(), Some("2025-12"));
    }

    #[test]
    fn every_source_that_covers_the_place_must_have_delivered() {
        let late = source(Some("2026-01-20"), &["3601"]);
        let elsewhere = source(None, &["3609"]);
        let never = source(None, &["36"]);
        let good = source(Some("2026-04-01"), &[]);
        assert_eq!(settled(&[good.clone(), late.clone()]).as_deref(), Some("2025-11"));
        assert_eq!(settled(&[good.clone(), elsewhere]).as_deref(), Some("2026-01"));
        assert_eq!(settled(&[good, never]), None);
        assert_eq!(settled(&[]), None, "nobody delivers wages of this place");
    }
}
