//! What may be entered as a placement: who pays wages and insurance, dispatch, and the retirement track.

use super::facts::{Relation, RetirementTrack, UnitId, words};
use super::ids::Sex;

words! {
    /// The three payers of a placement, in the order of the form.
    Payer { Wage = "wage", Pension = "pension", Medical = "medical" }
}

impl Payer {
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Wage => "工资",
            Self::Pension => "社保",
            Self::Medical => "医保",
        }
    }

    /// The field of the form, and the column of the file, that names the payer.
    pub fn field(self) -> &'static str {
        match self {
            Self::Wage => "wage_payer_uscc",
            Self::Pension => "pension_payer_uscc",
            Self::Medical => "medical_payer_uscc",
        }
    }
}

/// A unit that the employer listed for the year of the placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affiliate {
    pub unit: UnitId,
    pub relation: Relation,
}

/// A placement as somebody wants to enter it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub employer: UnitId,
    pub dispatched: bool,
    pub dispatch_company: Option<UnitId>,
    pub wage_payer: UnitId,
    pub pension_payer: UnitId,
    pub medical_payer: UnitId,
    /// `None`: the default of the sex.
    pub retirement_track: Option<RetirementTrack>,
    /// As the person's ID number says it.
    pub sex: Sex,
    /// The units listed by this employer for the year of the placement.
    pub affiliates: &'a [Affiliate],
}

/// Why a placement may not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the {0} payer is neither the employer nor a unit listed by it for the year; list the affiliate first")]
    PayerNotListed(Payer),
    #[error("all three payers are other units; at least one of wage, pension and medical must be paid by the employer")]
    NoPayerIsEmployer,
    #[error("a dispatch company is named although the person is not dispatched; leave it out, or enter a dispatch")]
    DispatchCompanyNotExpected,
    #[error("a dispatched person needs the dispatch company")]
    DispatchCompanyMissing,
    #[error("the dispatch company is not listed by the employer for the year with the relation `dispatch`")]
    DispatchCompanyNotListed,
    #[error("the {0} payer of a dispatched person must be the employer or the dispatch company")]
    PayerOutsideDispatch(Payer),
    #[error("the retirement track `{0}` contradicts the sex that the ID number states")]
    TrackContradictsSex(RetirementTrack),
}

impl Refusal {
    pub fn code(self) -> &'static str {
        match self {
            Self::PayerNotListed(_) => "payer_not_listed",
            Self::NoPayerIsEmployer => "no_payer_is_employer",
            Self::DispatchCompanyNotExpected => "dispatch_company_not_expected",
            Self::DispatchCompanyMissing => "dispatch_company_missing",
            Self::DispatchCompanyNotListed => "dispatch_company_not_listed",
            Self::PayerOutsideDispatch(_) => "payer_outside_dispatch",
            Self::TrackContradictsSex(_) => "track_contradicts_sex",
        }
    }

    /// The field of the form, and the column of the file, that it speaks of.
    pub fn field(self) -> &'static str {
        match self {
            Self::PayerNotListed(payer) | Self::PayerOutsideDispatch(payer) => payer.field(),
            Self::NoPayerIsEmployer => Payer::Wage.field(),
            Self::DispatchCompanyNotExpected | Self::DispatchCompanyMissing | Self::DispatchCompanyNotListed => {
                "dispatch_uscc"
            }
            Self::TrackContradictsSex(_) => "retirement_track",
        }
    }

    pub fn chinese(self) -> String {
        match self {
            Self::PayerNotListed(payer) => {
                format!(
                    "{}缴纳（发放）单位既不是本单位，也不是本年度已登记的关联单位；请先登记关联单位。",
                    payer.chinese()
                )
            }
            Self::NoPayerIsEmployer => "工资、社保、医保不能全部由其他单位发放或缴纳，至少一项须为本单位。".to_owned(),
            Self::DispatchCompanyNotExpected => "该人员不是劳务派遣，不应填写派遣单位。".to_owned(),
            Self::DispatchCompanyMissing => "劳务派遣人员须填写派遣单位。".to_owned(),
            Self::DispatchCompanyNotListed => "派遣单位未在本年度登记为劳务派遣关系；请先登记。".to_owned(),
            Self::PayerOutsideDispatch(payer) => {
                format!("劳务派遣人员的{}缴纳（发放）单位须为本单位或派遣单位。", payer.chinese())
            }
            Self::TrackContradictsSex(_) => "所选退休年龄类别与身份证号码所示性别不符。".to_owned(),
        }
    }
}

/// What is accepted and deserves a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error("none of the three payers is the dispatch company; other provinces take that for no dispatch at all")]
    NoPayerIsDispatchCompany,
}

impl Warning {
    pub fn code(self) -> &'static str {
        match self {
            Self::NoPayerIsDispatchCompany => "no_payer_is_dispatch_company",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::NoPayerIsDispatchCompany => "工资、社保、医保均不由派遣单位发放或缴纳，请核对派遣关系。",
        }
    }
}

impl Entry<'_> {
    /// The track that the age check takes.
    pub fn track(&self) -> RetirementTrack {
        self.retirement_track.unwrap_or_else(|| RetirementTrack::default_for(self.sex))
    }

    /// Everything that forbids the entry, or else what to warn of.
    pub fn check(&self) -> Result<Vec<Warning>, Vec<Refusal>> {
        let (mut refusals, warnings) =
            if self.dispatched { self.check_dispatched() } else { (self.check_own(), Vec::new()) };
        if self.track().sex() != self.sex {
            refusals.push(Refusal::TrackContradictsSex(self.track()));
        }
        if refusals.is_empty() { Ok(warnings) } else { Err(refusals) }
    }

    fn payers(&self) -> [(Payer, UnitId); 3] {
        [(Payer::Wage, self.wage_payer), (Payer::Pension, self.pension_payer), (Payer::Medical, self.medical_payer)]
    }

    fn check_own(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if self.dispatch_company.is_some() {
            refusals.push(Refusal::DispatchCompanyNotExpected);
        }
        let others: Vec<_> = self.payers().into_iter().filter(|(_, unit)| *unit != self.employer).collect();
        let listed = |unit: UnitId| self.affiliates.iter().any(|affiliate| affiliate.unit == unit);
        refusals
            .extend(others.iter().filter(|(_, unit)| !listed(*unit)).map(|(payer, _)| Refusal::PayerNotListed(*payer)));
        if others.len() == 3 {
            refusals.push(Refusal::NoPayerIsEmployer);
        }
        refusals
    }

    fn check_dispatched(&self) -> (Vec<Refusal>, Vec<Warning>) {
        // without the company nothing can be said of the payers
        let Some(company) = self.dispatch_company else {
            return (vec![Refusal::DispatchCompanyMissing], Vec::new());
        };
        let mut refusals = Vec::new();
        if !self.affiliates.contains(&Affiliate { unit: company, relation: Relation::Dispatch }) {
            refusals.push(Refusal::DispatchCompanyNotListed);
        }
        let outside = |unit: UnitId| unit != self.employer && unit != company;
        refusals.extend(
            (self.payers().into_iter())
                .filter(|(_, unit)| outside(*unit))
                .map(|(payer, _)| Refusal::PayerOutsideDispatch(payer)),
        );
        let paid_by_company = self.payers().iter().any(|(_, unit)| *unit == company);
        let warnings = if paid_by_company { Vec::new() } else { vec![Warning::NoPayerIsDispatchCompany] };
        (refusals, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: UnitId = UnitId(1);
    const AFFILIATE: UnitId = UnitId(2);
    const DISPATCH: UnitId = UnitId(3);
    const STRANGER: UnitId = UnitId(4);
    const LISTED: &[Affiliate] = &[
        Affiliate { unit: AFFILIATE, relation: Relation::Affiliate },
        Affiliate { unit: DISPATCH, relation: Relation::Dispatch },
    ];

    fn entry(payers: [UnitId; 3]) -> Entry<'static> {
        let [wage_payer, pension_payer, medical_payer] = payers;
        Entry {
            employer: OWN,
            dispatched: false,
            dispatch_company: None,
            wage_payer,
            pension_payer,
            medical_payer,
            retirement_track: None,
            sex: Sex::Female,
            affiliates: LISTED,
        }
    }

    fn dispatched(payers: [UnitId; 3]) -> Entry<'static> {
        Entry { dispatched: true, dispatch_company: Some(DISPATCH), ..entry(payers) }
    }

    #[test]
    fn at_most_two_of_the_three_payers_are_other_units() {
        for payers in [[OWN, OWN, OWN], [OWN, AFFILIATE, AFFILIATE], [AFFILIATE, OWN, OWN], [OWN, DISPATCH, AFFILIATE]]
        {
            assert_eq!(entry(payers).check(), Ok(vec![]), "{payers:?}");
        }
        assert_eq!(entry([AFFILIATE; 3]).check(), Err(vec![Refusal::NoPayerIsEmployer]), "V08");
        assert_eq!(entry([AFFILIATE, DISPATCH, AFFILIATE]).check(), Err(vec![Refusal::NoPayerIsEmployer]));
    }

    #[test]
    fn a_payer_that_the_employer_did_not_list_is_refused() {
        assert_eq!(entry([STRANGER, OWN, OWN]).check(), Err(vec![Refusal::PayerNotListed(Payer::Wage)]));
        assert_eq!(
            entry([OWN, STRANGER, STRANGER]).check(),
            Err(vec![Refusal::PayerNotListed(Payer::Pension), Refusal::PayerNotListed(Payer::Medical)])
        );
        let without_list = Entry { affiliates: &[], ..entry([AFFILIATE, OWN, OWN]) };
        assert_eq!(without_list.check(), Err(vec![Refusal::PayerNotListed(Payer::Wage)]));
    }

    #[test]
    fn every_reason_is_named_at_once() {
        let wrong = Entry {
            dispatch_company: Some(DISPATCH),
            retirement_track: Some(RetirementTrack::Men60),
            ..entry([STRANGER, AFFILIATE, AFFILIATE])
        };
        assert_eq!(
            wrong.check(),
            Err(vec![
                Refusal::DispatchCompanyNotExpected,
                Refusal::PayerNotListed(Payer::Wage),
                Refusal::NoPayerIsEmployer,
                Refusal::TrackContradictsSex(RetirementTrack::Men60),
            ])
        );
    }

    #[test]
    fn a_dispatched_person_is_paid_by_the_employer_or_the_dispatch_company() {
        assert_eq!(dispatched([DISPATCH; 3]).check(), Ok(vec![]));
        assert_eq!(dispatched([OWN, DISPATCH, OWN]).check(), Ok(vec![]));
        assert_eq!(dispatched([OWN; 3]).check(), Ok(vec![Warning::NoPayerIsDispatchCompany]));
        assert_eq!(
            dispatched([DISPATCH, AFFILIATE, OWN]).check(),
            Err(vec![Refusal::PayerOutsideDispatch(Payer::Pension)])
        );
    }

    #[test]
    fn a_dispatched_person_needs_a_company_listed_for_dispatch() {
        let nameless = Entry { dispatch_company: None, ..dispatched([STRANGER; 3]) };
        assert_eq!(nameless.check(), Err(vec![Refusal::DispatchCompanyMissing]));
        let affiliate = Entry { dispatch_company: Some(AFFILIATE), ..dispatched([AFFILIATE; 3]) };
        assert_eq!(affiliate.check(), Err(vec![Refusal::DispatchCompanyNotListed]));
        let unlisted = Entry { affiliates: &[], ..dispatched([DISPATCH; 3]) };
        assert_eq!(unlisted.check(), Err(vec![Refusal::DispatchCompanyNotListed]));
    }

    #[test]
    fn a_track_of_the_other_sex_is_refused_and_none_means_the_default() {
        let with = |track, sex| Entry { retirement_track: track, sex, ..entry([OWN; 3]) };
        assert_eq!(with(Some(RetirementTrack::Women50), Sex::Female).check(), Ok(vec![]));
        assert_eq!(
            with(Some(RetirementTrack::Women55), Sex::Male).check(),
            Err(vec![Refusal::TrackContradictsSex(RetirementTrack::Women55)])
        );
        assert_eq!(with(None, Sex::Male).track(), RetirementTrack::Men60);
        assert_eq!(with(None, Sex::Female).track(), RetirementTrack::Women55);
    }

    #[test]
    fn refusals_speak_both_languages() {
        let refusal = Refusal::PayerNotListed(Payer::Pension);
        assert_eq!(refusal.code(), "payer_not_listed");
        assert!(refusal.to_string().starts_with("the pension payer is neither"));
        assert!(refusal.chinese().starts_with("社保"));
    }
}
