//! What a placement's story means for pay and insurance, month by month, before deliveries spoil it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::divisions::minimum_wage_fen;
use super::rows::{Contribution, PersonIndex, UnitIndex};
use super::stories::Story;
use crate::domain::month::Month;

/// Pay for one month, in fen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    Nothing,
    /// One record, which the delivery may correct, repeat or spoil.
    Ordinary(i64),
    /// One record, left as it is.
    Exact(i64),
    Split(i64, i64),
    /// +first, −first, +second as records of their own.
    Reversed(i64, i64),
    /// Paid by a unit that the placement does not name.
    Elsewhere(i64),
    /// Reported, then deleted.
    Deleted(i64),
    /// The only record is one that must be refused.
    Refused(i64),
}

/// Insurance of one month in one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    Nothing,
    Ordinary,
    /// By the expected unit, as said.
    By(Contribution),
    /// By a unit that the placement does not name.
    Elsewhere(Contribution),
    OwnAccount(Contribution),
    /// In the residents' scheme.
    Resident(Contribution),
    /// Paid, and a back payment beside it.
    Topped,
    /// Owed, corrected to paid later.
    OwedThenPaid,
    /// The only record is one that must be refused.
    Refused,
}

/// What the agencies would report of a placement.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub person: PersonIndex,
    pub wage_payer: UnitIndex,
    pub pension_payer: UnitIndex,
    pub medical_payer: UnitIndex,
    /// Some other unit, for records of the wrong one.
    pub outsider: UnitIndex,
    pub wage_class: u8,
    pub wage_lag: u8,
    pub unreported_tail: u8,
    pub pay: [Pay; 12],
    pub pension: [Cover; 12],
    pub medical: [Cover; 12],
}

/// The months worked, 0 to 12, the second not included.
pub fn months_worked(rng: &mut ChaCha8Rng, story: Story) -> (u8, u8) {
    match story {
        Story::Joiner => (rng.random_range(1..=9), 12),
        Story::Leaver => (0, rng.random_range(2..=10)),
        _ => (0, 12),
    }
}

/// Fills in pay and cover of every month by the story.
pub fn plan(rng: &mut ChaCha8Rng, work: &mut Work, story: Story, months: (u8, u8), year: i32) {
    let worked = |month: usize| (usize::from(months.0)..usize::from(months.1)).contains(&month);
    let standard = |month: usize| {
        let month = Month::new(year, month as u32 + 1);
        month.map_or(0, |month| minimum_wage_fen(work.wage_class, month))
    };
    let highest = standard(11).max(standard(0));
    // Three in four earn well above the minimum, one in four close to it.
    let usual = if rng.random_range(0..4) == 0 {
        highest + rng.random_range(0..20_000)
    } else {
        (highest + rng.random_range(20_000..400_000)) / 100 * 100
    };
    let turn = rng.random_range(0..4_usize);
    let spell = |month: usize| (turn * 2 + 1..turn * 2 + 4).contains(&month);
    for month in 0..12 {
        (work.pay[month], work.pension[month], work.medical[month]) = if worked(month) {
            let pay = pay_of(story, month, spell(month), standard(month), standard(0), usual);
            let (pension, medical) = cover_of(story, spell(month), turn);
            (pay, pension, medical)
        } else {
            (Pay::Nothing, Cover::Nothing, Cover::Nothing)
        };
    }
    if story == Story::Joiner && rng.random_bool(0.5) {
        // Half a month's pay in the first month.
        work.pay[usize::from(months.0)] = Pay::Exact(usual / 2);
    }
}

fn pay_of(story: Story, month: usize, spell: bool, standard: i64, january: i64, usual: i64) -> Pay {
    use Story as S;
    match story {
        S::WageBelow if spell => Pay::Exact(if month.is_multiple_of(2) { standard - 1 } else { standard * 3 / 5 }),
        S::WageOldStandard => Pay::Exact(january),
        S::WageExact => Pay::Exact(standard),
        S::WageSplit => Pay::Split(standard - 50_000, if spell { 49_999 } else { 50_000 }),
        S::WageReversedUp if spell => Pay::Reversed(standard - 10_000, standard + 12_345),
        S::WageReversedDown if spell => Pay::Reversed(standard + 30_000, standard - 10_000),
        S::WageZero if spell => Pay::Exact(0),
        S::WageWrongPayer if spell => Pay::Elsewhere(usual),
        S::WageNone if spell => Pay::Nothing,
        S::WageDeleted if spell => Pay::Deleted(usual),
        S::WageRefused if spell => Pay::Refused(usual),
        _ => Pay::Ordinary(usual),
    }
}

fn cover_of(story: Story, spell: bool, turn: usize) -> (Cover, Cover) {
    use Contribution as C;
    use Cover::{By, Elsewhere, Nothing, Ordinary, OwedThenPaid, OwnAccount, Refused, Resident, Topped};
    use Story as S;
    let resident = if turn == 0 { C::ResidentOwed } else { C::ResidentPaid };
    let either = if turn == 0 { C::Owed } else { C::Paid };
    match story {
        S::PensionOwed if spell => (By(C::Owed), Ordinary),
        S::MedicalOwed if spell => (Ordinary, By(C::Owed)),
        S::PensionWrongUnit if spell => (Elsewhere(either), Ordinary),
        S::MedicalWrongUnit if spell => (Ordinary, Elsewhere(either)),
        S::FlexibleAccount => (OwnAccount(either), OwnAccount(C::Paid)),
        S::PensionResident => (Resident(resident), Ordinary),
        S::MedicalResident => (Ordinary, Resident(resident)),
        S::InsuranceGap if spell && turn.is_multiple_of(2) => (Nothing, Nothing),
        S::InsuranceGap if spell => (Ordinary, Nothing),
        S::BackPaymentAlone if spell => {
            (By(C::BackPaid), if turn.is_multiple_of(2) { By(C::BackPaid) } else { Ordinary })
        }
        S::BackPaymentBeside if spell => (Topped, Topped),
        S::OwedThenPaid if spell => (OwedThenPaid, OwedThenPaid),
        S::InsuranceRefused if spell && turn.is_multiple_of(2) => (Refused, Ordinary),
        S::InsuranceRefused if spell => (Ordinary, Refused),
        S::PublicSector => (By(C::PaidPublic), Ordinary),
        // The other employer insures.
        S::SecondFails => (Nothing, Nothing),
        _ => (Ordinary, Ordinary),
    }
}
