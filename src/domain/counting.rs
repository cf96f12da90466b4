//! From confirmed months to placed persons, and the headcount they are measured against.

use super::decimal::{DecimalError, Exact};

/// What the confirmed months of one employer and business year add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Count {
    /// Persons with at least one confirmed month.
    pub person_count: u32,
    /// Confirmed months, each once.
    pub unweighted_person_months: u32,
    /// Confirmed months, each by its weight.
    pub weighted_person_months: u32,
    /// The weighted count of each month, January first. Their sum is `weighted_person_months`; nothing is averaged
    /// over the year and spread again (残联厅函〔2022〕63号).
    pub months: [u32; 12],
}

impl Count {
    /// One item per person: the weight of each confirmed month, January first, 0 where none is confirmed.
    pub fn of(persons: impl IntoIterator<Item = [u8; 12]>) -> Self {
        let mut count = Self::default();
        for weights in persons {
            let confirmed = weights.iter().filter(|weight| **weight > 0).count() as u32;
            count.person_count += u32::from(confirmed > 0);
            count.unweighted_person_months += confirmed;
            for (month, weight) in count.months.iter_mut().zip(weights) {
                *month += u32::from(weight);
                count.weighted_person_months += u32::from(weight);
            }
        }
        count
    }

    pub fn placed_persons(&self) -> PlacedPersons {
        PlacedPersons::from_weighted_months(self.weighted_person_months)
    }
}

/// 已安置残疾人数: weighted person-months ÷ 12, kept exact. `Display` is two decimals, half-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacedPersons {
    weighted_months: u32,
}

impl PlacedPersons {
    pub fn from_weighted_months(weighted_months: u32) -> Self {
        Self { weighted_months }
    }

    pub fn weighted_months(self) -> u32 {
        self.weighted_months
    }

    pub fn exact(self) -> Exact {
        Exact::twelfths(u64::from(self.weighted_months))
    }

    /// In lowest terms, always with a slash: `5/6`, `3/1`.
    pub fn to_fraction(self) -> String {
        self.exact().to_fraction()
    }
}

impl std::fmt::Display for PlacedPersons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.exact().to_decimals(2))
    }
}

/// In-post staff of a year (在职职工人数), averaged, so any decimal from 0 up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Headcount(Exact);

/// What is wrong with a headcount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadcountError {
    #[error("not a headcount: {0}")]
    Decimal(DecimalError),
    #[error("above ten million persons")]
    TooLarge,
    #[error("more dispatched persons are counted elsewhere than the headcount holds")]
    Negative,
}

/// No employer is larger; the bound keeps every levy within what an amount can hold.
const MAX_HEADCOUNT: u32 = 10_000_000;

impl Headcount {
    /// An exact decimal, such as `30` or `30.5`.
    pub fn parse(text: &str) -> Result<Self, HeadcountError> {
        Self::checked(Exact::parse(text).map_err(HeadcountError::Decimal)?)
    }

    /// The mean of the twelve monthly headcounts, exact.
    pub fn averaged(months: [u32; 12]) -> Result<Self, HeadcountError> {
        Self::checked(Exact::twelfths(months.iter().map(|persons| u64::from(*persons)).sum()))
    }

    /// Seasonal staff as a yearly average: persons × months ÷ 12 (财税〔2015〕72号 art. 8).
    pub fn seasonal(persons: u32, months: u32) -> Result<Self, HeadcountError> {
        Self::checked(Exact::twelfths(u64::from(persons) * u64::from(months)))
    }

    /// Dispatched persons move the headcount with them (财政部公告2019年第98号 item 2): their confirmed months, unweighted,
    /// are added where they are counted and taken away at the other side.
    pub fn moved_by_dispatch(&self, months_gained: u32, months_lost: u32) -> Result<Self, HeadcountError> {
        let gained = &self.0 + &Exact::twelfths(u64::from(months_gained));
        Self::checked(&gained - &Exact::twelfths(u64::from(months_lost)))
    }

    pub fn exact(&self) -> &Exact {
        &self.0
    }

    fn checked(number: Exact) -> Result<Self, HeadcountError> {
        if number.is_negative() {
            return Err(HeadcountError::Negative);
        }
        if number > Exact::from(MAX_HEADCOUNT) {
            return Err(HeadcountError::TooLarge);
        }
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn year(weight: u8, from: usize, to: usize) -> [u8; 12] {
        std::array::from_fn(|month| if (from..=to).contains(&(month + 1)) { weight } else { 0 })
    }

    #[test]
    fn twelfths_are_shown_half_up_with_two_decimals() {
        let shown: Vec<String> = (1..=12).map(|n| PlacedPersons::from_weighted_months(n).to_string()).collect();
        let expected = ["0.08", "0.17", "0.25", "0.33", "0.42", "0.50", "0.58", "0.67", "0.75", "0.83", "0.92", "1.00"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn placed_persons_stay_an_exact_fraction() {
        assert_eq!(PlacedPersons::from_weighted_months(10).to_fraction(), "5/6");
        assert_eq!(PlacedPersons::from_weighted_months(0).to_fraction(), "0/1");
        assert_eq!(PlacedPersons::from_weighted_months(26).to_fraction(), "13/6");
        assert_eq!(PlacedPersons::from_weighted_months(26).to_string(), "2.17");
        assert_eq!(PlacedPersons::from_weighted_months(26).weighted_months(), 26);
    }

    #[test]
    fn each_month_counts_by_its_own_weight() {
        // level 3 until June, level 2 from July
        let mut raised = year(1, 1, 6);
        raised[6..].fill(2);
        let count = Count::of([raised, year(1, 3, 12), year(2, 1, 0)]);
        assert_eq!((count.person_count, count.unweighted_person_months, count.weighted_person_months), (2, 22, 28));
        assert_eq!(count.months, [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(count.placed_persons().to_string(), "2.33");
    }

    #[test]
    fn nobody_confirmed_counts_as_nothing() {
        assert_eq!(Count::of([]), Count::default());
        assert_eq!(Count::default().placed_persons().to_string(), "0.00");
    }

    #[test]
    fn monthly_headcounts_are_averaged_exactly() {
        let growing = Headcount::averaged([98, 98, 99, 99, 100, 100, 101, 101, 102, 102, 103, 103]).expect("average");
        assert_eq!(growing.exact().to_string(), "100.5");
        let small = Headcount::averaged([30, 30, 30, 30, 30, 30, 31, 31, 31, 31, 31, 31]).expect("average");
        assert_eq!(small.exact().to_string(), "30.5");
    }

    #[test]
    fn seasonal_staff_become_a_yearly_average() {
        assert_eq!(Headcount::seasonal(12, 5).expect("seasonal").exact().to_string(), "5");
        assert_eq!(Headcount::seasonal(7, 4).expect("seasonal").exact().to_fraction(), "7/3");
    }

    #[test]
    fn dispatched_persons_move_the_headcount_with_them() {
        let own = Headcount::parse("100").expect("headcount");
        assert_eq!(own.moved_by_dispatch(12, 0).expect("moved").exact().to_string(), "101");
        assert_eq!(own.moved_by_dispatch(0, 7).expect("moved").exact().to_decimals(4), "99.4167");
        let none = Headcount::parse("0").expect("headcount");
        assert_eq!(none.moved_by_dispatch(0, 1), Err(HeadcountError::Negative));
    }

    #[test]
    fn a_headcount_is_a_decimal_within_reason() {
        assert_eq!(Headcount::parse("-5"), Err(HeadcountError::Decimal(DecimalError::Malformed)));
        assert_eq!(Headcount::parse("10000001"), Err(HeadcountError::TooLarge));
        assert!(Headcount::parse("10000000").is_ok());
    }
}
