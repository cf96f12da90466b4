//! What a placement is there to show: one story each, given out in fixed shares so that every rule concerns somebody.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::domain::facts::words;

words! {
    /// The one thing about a placement that is out of the ordinary.
    Story {
        Plain = "plain",
        Joiner = "joiner",
        Leaver = "leaver",
        WageBelow = "wage_below",
        WageOldStandard = "wage_old_standard",
        WageExact = "wage_exact",
        WageSplit = "wage_split",
        WageReversedUp = "wage_reversed_up",
        WageReversedDown = "wage_reversed_down",
        WageZero = "wage_zero",
        WageWrongPayer = "wage_wrong_payer",
        WageNone = "wage_none",
        WageDeleted = "wage_deleted",
        WageRefused = "wage_refused",
        PensionOwed = "pension_owed",
        MedicalOwed = "medical_owed",
        PensionWrongUnit = "pension_wrong_unit",
        MedicalWrongUnit = "medical_wrong_unit",
        FlexibleAccount = "flexible_account",
        PensionResident = "pension_resident",
        MedicalResident = "medical_resident",
        InsuranceGap = "insurance_gap",
        BackPaymentAlone = "back_payment_alone",
        BackPaymentBeside = "back_payment_beside",
        OwedThenPaid = "owed_then_paid",
        InsuranceRefused = "insurance_refused",
        PublicSector = "public_sector",
        CertificateNone = "certificate_none",
        CertificateExpired = "certificate_expired",
        CertificateExpiredByStatus = "certificate_expired_by_status",
        CertificateExpiredUndated = "certificate_expired_undated",
        CertificateFrozen = "certificate_frozen",
        CertificateFrozenUndated = "certificate_frozen_undated",
        CertificateCancelled = "certificate_cancelled",
        CertificateCancelledUndated = "certificate_cancelled_undated",
        CertificateReplaced = "certificate_replaced",
        CertificateReplacedUndated = "certificate_replaced_undated",
        CertificateNotYetValid = "certificate_not_yet_valid",
        CertificatePartOfMonth = "certificate_part_of_month",
        CertificateMonthEnds = "certificate_month_ends",
        CertificateRenewedLate = "certificate_renewed_late",
        CertificateReissued = "certificate_reissued",
        CertificateDisagrees = "certificate_disagrees",
        CertificateCorrected = "certificate_corrected",
        CertificateDeleted = "certificate_deleted",
        CertificateRefused = "certificate_refused",
        Soldier = "soldier",
        SoldierNotCounted = "soldier_not_counted",
        SoldierBeside = "soldier_beside",
        Sixteen = "sixteen",
        RetiringMan = "retiring_man",
        RetiringWoman55 = "retiring_woman_55",
        RetiringWoman50 = "retiring_woman_50",
        Retired = "retired",
        LeapBirthday = "leap_birthday",
        ContractTooShort = "contract_too_short",
        ContractDayShort = "contract_day_short",
        ContractExactYear = "contract_exact_year",
        ContractLeapStart = "contract_leap_start",
        ContractEndsFebruary = "contract_ends_february",
        ContractEnded = "contract_ended",
        ContractStartsLate = "contract_starts_late",
        ContractTerminated = "contract_terminated",
        ContractHalves = "contract_halves",
        ContractNone = "contract_none",
        Establishment = "establishment",
        EstablishmentShort = "establishment_short",
        AffiliatePaysOne = "affiliate_pays_one",
        AffiliatePaysTwo = "affiliate_pays_two",
        DispatchApproved = "dispatch_approved",
        DispatchEndedYesterday = "dispatch_ended_yesterday",
        DispatchEndsToday = "dispatch_ends_today",
        DispatchEndsTomorrow = "dispatch_ends_tomorrow",
        DispatchBeginsTomorrow = "dispatch_begins_tomorrow",
        DispatchRevoked = "dispatch_revoked",
        DispatchPending = "dispatch_pending",
        DispatchRejected = "dispatch_rejected",
        DispatchNotFiled = "dispatch_not_filed",
        DispatchOtherProvince = "dispatch_other_province",
        DispatchRefused = "dispatch_refused",
        SecondPasses = "second_passes",
        SecondFails = "second_fails",
    }
}

/// Placements in which each story occurs once at least.
pub const BLOCK: usize = 400;

impl Story {
    /// How many of [`BLOCK`] placements tell it; `Plain` takes the rest.
    const fn share(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Joiner | Self::Leaver | Self::DispatchApproved => 10,
            Self::AffiliatePaysOne | Self::MedicalResident | Self::Establishment => 5,
            Self::WageBelow | Self::WageNone | Self::SecondPasses | Self::SecondFails | Self::CertificateReplaced => 3,
            Self::WageSplit
            | Self::WageExact
            | Self::WageOldStandard
            | Self::FlexibleAccount
            | Self::InsuranceGap
            | Self::BackPaymentAlone
            | Self::PublicSector
            | Self::AffiliatePaysTwo
            | Self::Soldier
            | Self::CertificateNotYetValid
            | Self::CertificateExpired
            | Self::CertificateMonthEnds
            | Self::CertificatePartOfMonth
            | Self::ContractLeapStart
            | Self::ContractEndsFebruary
            | Self::Sixteen
            | Self::RetiringMan
            | Self::RetiringWoman50
            | Self::RetiringWoman55 => 2,
            _ => 1,
        }
    }

    /// Whether the person comes through a dispatch company.
    pub const fn is_dispatch(self) -> bool {
        self as u8 >= Self::DispatchApproved as u8 && self as u8 <= Self::DispatchRefused as u8
    }
}

/// Gives out stories block by block, shuffled within each.
#[derive(Default)]
pub struct Deck {
    cards: Vec<Story>,
}

impl Deck {
    pub fn draw(&mut self, rng: &mut ChaCha8Rng) -> Story {
        if self.cards.is_empty() {
            for story in Story::ALL {
                self.cards.extend(std::iter::repeat_n(*story, story.share()));
            }
            self.cards.resize(BLOCK, Story::Plain);
            self.cards.shuffle(rng);
        }
        self.cards.pop().unwrap_or(Story::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_placements_are_plain_and_every_story_is_in_a_block() {
        let told: usize = Story::ALL.iter().map(|story| story.share()).sum();
        assert!(told * 2 < BLOCK, "{told} of {BLOCK}");
        assert!(Story::ALL.iter().all(|story| *story == Story::Plain || story.share() > 0));
    }
}
