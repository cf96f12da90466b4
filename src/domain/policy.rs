//! A province's rules as dated data: what held on a day, or "no rule for this date", never a guess.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;

use super::age::RetirementRules;
use super::certificate::{CertificateMonth, WeightRules};
use super::counting::{Headcount, PlacedPersons};
use super::dated::Dated;
pub use super::dated::{DatedError, Entry, NoRule};
use super::decimal::Exact;
use super::facts::{EmployerKind, words};
use super::money::Fen;
use super::month::Month;
use super::ruling::SecondPerson;

words! {
    /// 最低工资类区 of the employer's place.
    WageClass { One = "1", Two = "2", Three = "3" }
}
words! {
    /// What is compared with the minimum wage.
    WageBasis {
        /// The amounts as reported. Feeds split off neither insurance shares nor allowances, so nothing else can be compared.
        Gross = "gross",
    }
}
words! {
    /// Whether a month covered by 补缴 alone passes by itself.
    BackPayment { Accept = "accept", Review = "review" }
}
words! {
    /// How placed persons enter the levy.
    PlacedPersonsRounding { Exact = "exact", TwoDecimals = "two_decimals" }
}

impl PlacedPersonsRounding {
    /// Placed persons: weighted person-months ÷ 12.
    pub fn placed(self, weighted_person_months: u32) -> Exact {
        let placed = PlacedPersons::from_weighted_months(weighted_person_months).exact();
        match self {
            Self::Exact => placed,
            Self::TwoDecimals => placed.rounded(2),
        }
    }
}

/// Minimum wages per month of the three classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumWages {
    pub class_1: Fen,
    pub class_2: Fen,
    pub class_3: Fen,
}

impl MinimumWages {
    /// In the order of [`WageClass::ALL`].
    pub fn by_class(self) -> [Fen; 3] {
        [self.class_1, self.class_2, self.class_3]
    }

    pub fn get(self, class: WageClass) -> Fen {
        match class {
            WageClass::One => self.class_1,
            WageClass::Two => self.class_2,
            WageClass::Three => self.class_3,
        }
    }
}

/// A county-level unit or a functional zone, and its class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassedUnit {
    pub name: String,
    pub class: WageClass,
}

/// The list of wage classes in force for a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassList {
    /// By six-digit code.
    pub divisions: BTreeMap<String, ClassedUnit>,
    /// Development zones and scenic areas have no code; the key is this file's own.
    #[serde(default)]
    pub zones: BTreeMap<String, ClassedUnit>,
}

impl ClassList {
    /// Divisions and zones, by code or key.
    pub fn units(&self) -> impl Iterator<Item = (&String, &ClassedUnit)> {
        self.divisions.iter().chain(&self.zones)
    }

    /// Every unit of `earlier` that this one no longer names.
    pub fn dropped<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (&'a String, &'a ClassedUnit)> {
        earlier.units().filter(|(unit, _)| class_in(self, unit).is_none())
    }
}

/// A day of every year; 29 February is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayOfYear {
    month: u32,
    day: u32,
}

impl DayOfYear {
    pub fn new(month: u32, day: u32) -> Option<Self> {
        const COMMON_YEAR: i32 = 2023;
        NaiveDate::from_ymd_opt(COMMON_YEAR, month, day).map(|_| Self { month, day })
    }

    pub fn of(self, year: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, self.month, self.day).unwrap_or(NaiveDate::MAX)
    }
}

/// The declaration window, both days included, in the year after the business year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub opens: DayOfYear,
    pub closes: DayOfYear,
}

/// The windows as dated; a business year declared before the first entry has that entry's window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    dated: Dated<Window>,
    first: Window,
}

impl Windows {
    /// `None` without an entry.
    pub fn new(dated: Dated<Window>) -> Option<Self> {
        let first = dated.entries().first()?.value;
        Some(Self { dated, first })
    }

    pub fn dated(&self) -> &Dated<Window> {
        &self.dated
    }
}

/// The text an employer accepts at 完成申报.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    pub version: String,
    pub text: String,
}

/// From this ratio of placed persons on, this share of the levy is paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliefTier {
    pub ratio_from: Exact,
    pub share: Exact,
}

/// Relief of the levy, by the day it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliefRules {
    /// Highest ratio first; the last begins at 0.
    pub tiers: Vec<ReliefTier>,
    /// Employers of `exempt_kinds` with at most so many persons owe nothing.
    pub exempt_headcount: Exact,
    pub exempt_kinds: BTreeSet<EmployerKind>,
}

impl ReliefRules {
    pub fn exempts(&self, kind: EmployerKind, headcount: &Headcount) -> bool {
        self.exempt_kinds.contains(&kind) && *headcount.exact() <= self.exempt_headcount
    }

    /// The share to pay at this ratio; all of it where no tier says otherwise.
    pub fn share(&self, placed_ratio: Option<&Exact>) -> Exact {
        let tier = placed_ratio.and_then(|ratio| self.tiers.iter().find(|tier| *ratio >= tier.ratio_from));
        tier.map_or_else(Exact::one, |tier| tier.share.clone())
    }
}

/// Average wages of a year's urban staff in the province, the inputs of the wage ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocialAverageWage {
    pub non_private: Option<Fen>,
    pub private: Option<Fen>,
    /// The two weighted by employment, as published. It is never computed here: the weights are not in the policy.
    pub weighted: Option<Fen>,
}

/// What a levy is assessed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevyRules {
    pub required_ratio: Exact,
    pub relief: ReliefRules,
    pub wage_cap_multiple: Exact,
    /// `None`: not published, or not in the policy; the ceiling is then unknown.
    pub social_average_wage: Option<Fen>,
    pub placed_persons_rounding: PlacedPersonsRounding,
}

/// The reward for exceeding the ratio.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardRules {
    pub enabled: bool,
    pub kinds: BTreeSet<EmployerKind>,
    /// The smallest excess that is rewarded, persons; 0 rewards any excess.
    pub minimum_excess: Exact,
    /// Only whole persons of the excess are paid for.
    pub whole_persons: bool,
    /// Monthly minimum wages per person of excess and year; absent where the amount is not known.
    pub minimum_wage_factor: Option<Exact>,
}

/// What one month of a placement is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthRules {
    pub month: Month,
    /// In the order of [`WageClass::ALL`].
    pub minimum_wage: [Fen; 3],
    pub back_payment: BackPayment,
    pub certificate_month: CertificateMonth,
    pub minimum_age_years: u32,
    pub retirement: RetirementRules,
    pub weights: WeightRules,
}

impl MonthRules {
    pub fn minimum_wage_of(&self, class: WageClass) -> Fen {
        self.minimum_wage[usize::from(class.number())]
    }
}

/// The rules of one province. Built by the policy room, which checks that nothing overlaps, lacks or contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first 16 hexadecimal digits of the SHA-256 of the file.
    pub version: String,
    /// The first two digits of the province's divisions.
    pub province: u8,
    pub province_name: String,
    pub minimum_wages: Dated<MinimumWages>,
    pub class_lists: Dated<ClassList>,
    pub wage_basis: Dated<WageBasis>,
    pub back_payment: Dated<BackPayment>,
    pub certificate_month: Dated<CertificateMonth>,
    pub minimum_age_years: Dated<u32>,
    pub retirement: Dated<RetirementRules>,
    pub weights: Dated<WeightRules>,
    pub windows: Windows,
    pub certificate_at_submission: Dated<bool>,
    pub completion_grace_days: Dated<u32>,
    pub pending_tick_days: Dated<u32>,
    pub second_person: Dated<SecondPerson>,
    pub stranger_retention_days: Dated<u32>,
    pub placed_persons_rounding: Dated<PlacedPersonsRounding>,
    pub commitments: Dated<Commitment>,
    pub required_ratio: Dated<Exact>,
    pub relief: Dated<ReliefRules>,
    pub wage_cap_multiple: Dated<Exact>,
    pub social_average_wages: Dated<SocialAverageWage>,
    pub rewards: Dated<RewardRules>,
}

impl Policy {
    /// What held on the first day of the month.
    pub fn month_rules(&self, month: Month) -> Result<MonthRules, NoRule> {
        let on = month.first_day();
        self.wage_basis.on(on)?;
        Ok(MonthRules {
            month,
            minimum_wage: self.minimum_wages.on(on)?.by_class(),
            back_payment: *self.back_payment.on(on)?,
            certificate_month: *self.certificate_month.on(on)?,
            minimum_age_years: *self.minimum_age_years.on(on)?,
            retirement: *self.retirement.on(on)?,
            weights: *self.weights.on(on)?,
        })
    }

    /// The name of a division (six digits) or zone (its key) by the newest list; `None` if that does not name it.
    pub fn division_name(&self, division: &str) -> Option<&str> {
        let list = &self.class_lists.entries().last()?.value;
        let unit = list.divisions.get(division).or_else(|| list.zones.get(division))?;
        Some(&unit.name)
    }

    /// The class of a division (six digits) or zone (its key) by the newest list; `None` if that does not name it.
    pub fn class_of(&self, division: &str) -> Option<WageClass> {
        self.class_lists.entries().last().and_then(|entry| class_in(&entry.value, division))
    }

    /// The list by which a division (six digits) or zone (its key) has its class on a day: the one in force, or, before the unit is
    /// named for the first time, the first later one that names it. A new unit is carved out of old ones, and its ground needs a class
    /// in the months before too. `None` where no list is in force, and for a unit that neither it nor a later one names.
    pub fn class_list_on(&self, division: &str, on: NaiveDate) -> Option<&Entry<ClassList>> {
        let in_force = self.class_lists.entry_on(on).ok()?;
        let later = self.class_lists.entries().iter().filter(|entry| entry.from > in_force.from);
        std::iter::once(in_force).chain(later).find(|entry| class_in(&entry.value, division).is_some())
    }

    /// The class on a day, by [`Policy::class_list_on`].
    pub fn class_on(&self, division: &str, on: NaiveDate) -> Option<WageClass> {
        self.class_list_on(division, on).and_then(|entry| class_in(&entry.value, division))
    }

    pub fn minimum_wage(&self, class: WageClass, on: NaiveDate) -> Result<Fen, NoRule> {
        Ok(self.minimum_wages.on(on)?.get(class))
    }

    /// Every month of the year can be judged.
    pub fn knows_year(&self, year: i32) -> bool {
        Month::new(year, 1).is_some() && Month::all_of(year).all(|month| self.month_rules(month).is_ok())
    }

    /// First and last day on which a business year may be declared: by the window in force when the next year begins.
    pub fn window(&self, business_year: i32) -> (NaiveDate, NaiveDate) {
        let year = business_year.saturating_add(1);
        let new_year = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX);
        let window = self.windows.dated.on(new_year).copied().unwrap_or(self.windows.first);
        (window.opens.of(year), window.closes.of(year))
    }

    /// The business year whose window a day lies in.
    pub fn declarable_year(&self, on: NaiveDate) -> Option<i32> {
        let business_year = on.year() - 1;
        let (first, last) = self.window(business_year);
        (first..=last).contains(&on).then_some(business_year)
    }

    pub fn commitment(&self, on: NaiveDate) -> Result<&Commitment, NoRule> {
        self.commitments.on(on)
    }

    pub fn weights(&self, on: NaiveDate) -> Result<WeightRules, NoRule> {
        self.weights.on(on).copied()
    }

    /// Whether 完成申报 demands a certificate in force that day.
    pub fn certificate_at_submission(&self, on: NaiveDate) -> Result<bool, NoRule> {
        self.certificate_at_submission.on(on).copied()
    }

    /// Days for which completion stays open after the last decision on work handed in inside the window.
    pub fn completion_grace_days(&self, on: NaiveDate) -> Result<u32, NoRule> {
        self.completion_grace_days.on(on).copied()
    }

    /// A pending month may be ticked with evidence when fewer days than this remain of the window.
    pub fn pending_tick_days(&self, on: NaiveDate) -> Result<u32, NoRule> {
        self.pending_tick_days.on(on).copied()
    }

    /// For which months a decision needs a second person; for none where the policy does not say.
    pub fn second_person(&self, on: NaiveDate) -> SecondPerson {
        self.second_person.on(on).cloned().unwrap_or_default()
    }

    /// Days for which refused records of persons who are neither placed nor holders stay in quarantine.
    pub fn stranger_retention_days(&self, on: NaiveDate) -> Result<u32, NoRule> {
        self.stranger_retention_days.on(on).copied()
    }

    /// `paid_on` decides ratio, relief, ceiling multiple and rounding, the business year the social average wage.
    pub fn levy_rules(&self, business_year: i32, paid_on: NaiveDate) -> Result<LevyRules, NoRule> {
        let social_average_wage = NaiveDate::from_ymd_opt(business_year, 1, 1)
            .and_then(|on| self.social_average_wages.on(on).ok())
            .and_then(|wages| wages.weighted);
        Ok(LevyRules {
            required_ratio: self.required_ratio.on(paid_on)?.clone(),
            relief: self.relief.on(paid_on)?.clone(),
            wage_cap_multiple: self.wage_cap_multiple.on(paid_on)?.clone(),
            social_average_wage,
            placed_persons_rounding: *self.placed_persons_rounding.on(paid_on)?,
        })
    }

    pub fn reward_rules(&self, on: NaiveDate) -> Result<&RewardRules, NoRule> {
        self.rewards.on(on)
    }
}

fn class_in(list: &ClassList, unit: &str) -> Option<WageClass> {
    list.divisions.get(unit).or_else(|| list.zones.get(unit)).map(|unit| unit.class)
}
