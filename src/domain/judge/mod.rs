//! The one judge: decides the seven checks of one month of one placement, and says what it rests on.
//!
//! Batch, single person and explanation call the same function; an explanation is what the judge itself notes on the way.

mod passed_over;

use chrono::NaiveDate;

pub use passed_over::PassedOver;

use super::age::{age_code, birthday, retirement_date};
use super::certificate::{may_be_pending, settled_code, standing, weight};
use super::contract::contract_code;
use super::facts::{
    Certificate, Contract, ContributionStatus, Coverage, DispatchFiling, FilingStatus, Insurance, Payment,
    RetirementTrack, Scheme, UnitId, VersionId, Wage,
};
use super::ids::Sex;
use super::money::Fen;
use super::month::Month;
use super::policy::{BackPayment, MonthRules, WageClass};
use super::verdict::{CertificateCode, Check, Codes, ContractCode, DispatchCode, InsuranceCode, Verdict, WageCode};

/// A placement and its person, as far as the checks ask.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub born_on: NaiveDate,
    pub sex: Sex,
    /// What the placement says; else the default of the sex.
    pub track: Option<RetirementTrack>,
    pub wage_payer: UnitId,
    pub pension_payer: UnitId,
    pub medical_payer: UnitId,
    /// The dispatch company, if the person is dispatched.
    pub dispatch: Option<UnitId>,
}

/// The employer, as far as the checks ask.
#[derive(Clone, Copy, Debug)]
pub struct EmployerTerms {
    pub wage_class: WageClass,
    /// 0, or 1 where the wage of a month is reported for the next.
    pub wage_lag: u8,
    /// First two digits of the division.
    pub province: u8,
}

/// The facts of one person in force at the sequence judged at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub wages: &'a [Wage],
    pub insurances: &'a [Insurance],
    pub certificates: &'a [Certificate],
    /// Of this placement.
    pub contracts: &'a [Contract],
    /// Of this placement's dispatch company.
    pub filings: &'a [DispatchFiling],
}

/// How much is known of wages, or of one insurance scheme, for one placement.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeriodKnowledge {
    /// The last period for which every source that covers the placement has delivered everything; `None`: none yet, or no source.
    pub settled_through: Option<Month>,
    /// The person became concerned after the last whole pull of a source that keeps only people concerned.
    pub repull_due: bool,
    /// Bit *n*: a refused record for the period *n* months after January of the year is open.
    pub refused: u16,
}

impl PeriodKnowledge {
    fn settled(&self, period: Month) -> bool {
        self.settled_through.is_some_and(|through| period <= through)
    }

    fn refused(&self, period: Month, january: Month) -> bool {
        let offset = period.index() - january.index();
        (0..16).contains(&offset) && self.refused >> offset & 1 == 1
    }
}

/// What is known, and what is not, of one placement at the sequence judged at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Knowledge {
    pub wages: PeriodKnowledge,
    pub pension: PeriodKnowledge,
    pub medical: PeriodKnowledge,
    /// Of the person.
    pub certificates: RegisterKnowledge,
    /// Of the dispatch company.
    pub filings: RegisterKnowledge,
}

/// How much is known of a register that is not kept by period.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegisterKnowledge {
    /// It was pulled, and not too long ago.
    pub current: bool,
    /// A refused record is open.
    pub refused: bool,
}

/// Why a check waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// The period is not settled: a source has not yet delivered it whole.
    NotSettled,
    /// The source was never pulled, or too long ago.
    Stale,
    /// A refused record that may be the missing one is open in quarantine.
    RefusedRecord,
    /// The person became concerned after the last pull; the re-pull has not run.
    RepullDue,
}

/// What the judge saw on its way to a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The sum of the payer's records.
    Sum(Fen),
    /// The standard it is compared with.
    Standard(Fen),
    /// The period looked up.
    Period(Month),
    /// A record the code rests on.
    RestsOn(VersionId),
    /// A record that was looked at and does not count here, and why.
    PassedOver(VersionId, PassedOver),
    /// The contract the code rests on: its place among the placement's.
    Contract(usize),
    /// A contract that does not carry the code, and why.
    ContractPassedOver(usize, PassedOver),
    /// The day from which on the person is old enough.
    OldEnoughOn(NaiveDate),
    /// The day on which the age of retirement is reached.
    RetiresOn(NaiveDate),
    Waiting(Waiting),
}

/// Everything that is asked of one placement, apart from the month.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub subject: Subject,
    pub terms: EmployerTerms,
    pub facts: Facts<'a>,
    pub known: Knowledge,
    /// The business date, Asia/Shanghai: a filing is asked for that day, not for the months.
    pub business_date: NaiveDate,
}

/// Judges one month. `note` hears what each check found; the batch path passes a function that does nothing.
///
/// Conflict is not decided here: it needs the person's other placements (see [`in_conflict`]).
pub fn judge(case: &Case<'_>, month: Month, rules: &MonthRules, note: &mut impl FnMut(Check, Note)) -> Verdict {
    let Case { subject, terms, facts, known, business_date } = case;
    let pension = Contribution { check: Check::Pension, scheme: Scheme::Pension, payer: subject.pension_payer };
    let medical = Contribution { check: Check::Medical, scheme: Scheme::Medical, payer: subject.medical_payer };
    let track = subject.track.unwrap_or_else(|| RetirementTrack::default_for(subject.sex));
    note(Check::Age, Note::OldEnoughOn(birthday(subject.born_on, rules.minimum_age_years)));
    note(Check::Age, Note::RetiresOn(retirement_date(subject.born_on, track, &rules.retirement)));
    let contract = noted_contract_code(facts.contracts, month, note);
    let codes = Codes {
        wage: wage_code(subject.wage_payer, *terms, facts.wages, &known.wages, month, rules, note),
        pension: pension.code(facts.insurances, &known.pension, month, rules, note),
        medical: medical.code(facts.insurances, &known.medical, month, rules, note),
        certificate: certificate_code(facts.certificates, known, month, rules, note),
        age: age_code(subject.born_on, track, month, &rules.retirement, rules.minimum_age_years),
        contract,
        dispatch: dispatch_code(subject.dispatch, terms.province, facts.filings, known, *business_date, note),
    };
    Verdict { codes, conflict: false, weight: weight(facts.certificates, month, rules.weights) }
}

fn noted_contract_code(contracts: &[Contract], month: Month, note: &mut impl FnMut(Check, Note)) -> ContractCode {
    let (code, rests_on) = contract_code(contracts, month);
    for (place, contract) in contracts.iter().enumerate() {
        let what = if rests_on == Some(place) {
            Note::Contract(place)
        } else if !contract.covers(month) {
            Note::ContractPassedOver(place, PassedOver::OtherDates)
        } else if !contract.is_long_enough() && code == ContractCode::Pass {
            Note::ContractPassedOver(place, PassedOver::TooShort)
        } else {
            Note::ContractPassedOver(place, PassedOver::AnotherDecides)
        };
        note(Check::Contract, what);
    }
    code
}

fn wage_code(
    payer: UnitId,
    terms: EmployerTerms,
    wages: &[Wage],
    known: &PeriodKnowledge,
    month: Month,
    rules: &MonthRules,
    note: &mut impl FnMut(Check, Note),
) -> WageCode {
    let mut note = |what| note(Check::Wage, what);
    let period = month.plus(i32::from(terms.wage_lag));
    let standard = rules.minimum_wage_of(terms.wage_class);
    let (mut sum, mut from_payer, mut from_others) = (Fen(0), false, false);
    for wage in wages.iter().filter(|wage| wage.period == period) {
        if wage.payer == payer {
            from_payer = true;
            sum = sum + wage.amount;
            note(Note::RestsOn(wage.version));
        } else {
            from_others = true;
            note(Note::PassedOver(wage.version, PassedOver::AnotherUnit));
        }
    }
    note(Note::Period(period));
    note(Note::Standard(standard));
    if from_payer {
        note(Note::Sum(sum));
    }
    if from_payer && sum >= standard {
        return WageCode::Pass;
    }
    if !known.settled(period) {
        note(Note::Waiting(Waiting::NotSettled));
        return WageCode::Pending;
    }
    if from_payer {
        return WageCode::BelowMinimum;
    }
    if from_others {
        return WageCode::WrongUnit;
    }
    match missing(known, period, month) {
        Some(waiting) => {
            note(Note::Waiting(waiting));
            WageCode::Pending
        }
        None => WageCode::NoRecord,
    }
}

/// Why a record that is not there may still exist.
fn missing(known: &PeriodKnowledge, period: Month, month: Month) -> Option<Waiting> {
    let january = month.plus(1 - month.number() as i32);
    if known.refused(period, january) {
        Some(Waiting::RefusedRecord)
    } else if known.repull_due {
        Some(Waiting::RepullDue)
    } else {
        None
    }
}

/// One of the two insurance checks.
#[derive(Clone, Copy)]
struct Contribution {
    check: Check,
    scheme: Scheme,
    payer: UnitId,
}

impl Contribution {
    /// Why a record of the month and scheme does not carry the code; `None` if it does. `paid`: the unit asked for paid, by some record.
    fn passed_over(self, record: &Insurance, paid: bool) -> Option<PassedOver> {
        match (record.coverage, record.insured) {
            (Coverage::Resident, _) => Some(PassedOver::ResidentScheme),
            (Coverage::Employee, None) => Some(PassedOver::OwnAccount),
            (Coverage::Employee, Some(unit)) if unit != self.payer => Some(PassedOver::AnotherUnit),
            (Coverage::Employee, Some(_)) => {
                (paid && record.status == ContributionStatus::Owed).then_some(PassedOver::Owed)
            }
        }
    }

    fn code(
        self,
        insurances: &[Insurance],
        known: &PeriodKnowledge,
        month: Month,
        rules: &MonthRules,
        note: &mut impl FnMut(Check, Note),
    ) -> InsuranceCode {
        let mut note = |what| note(self.check, what);
        let (mut paid, mut paid_back, mut owed, mut elsewhere, mut resident) = (false, false, false, false, false);
        let of_month = || insurances.iter().filter(|record| record.scheme == self.scheme && record.period == month);
        for record in of_month() {
            match (record.coverage, record.insured == Some(self.payer), record.status, record.payment) {
                (Coverage::Employee, true, ContributionStatus::Paid, Payment::Normal) => paid = true,
                (Coverage::Employee, true, ContributionStatus::Paid, Payment::BackPayment) => paid_back = true,
                (Coverage::Employee, true, ContributionStatus::Owed, _) => owed = true,
                (Coverage::Employee, false, _, _) => elsewhere = true,
                (Coverage::Resident, _, _, _) => resident = true,
            }
        }
        for record in of_month() {
            note(match self.passed_over(record, paid || paid_back) {
                None => Note::RestsOn(record.version),
                Some(why) => Note::PassedOver(record.version, why),
            });
        }
        note(Note::Period(month));
        if paid || paid_back && rules.back_payment == BackPayment::Accept {
            return InsuranceCode::Pass;
        }
        if paid_back {
            return InsuranceCode::BackPayment;
        }
        if !known.settled(month) {
            note(Note::Waiting(Waiting::NotSettled));
            return InsuranceCode::Pending;
        }
        if owed {
            return InsuranceCode::Unpaid;
        }
        if elsewhere {
            return InsuranceCode::WrongUnit;
        }
        if resident {
            return InsuranceCode::ResidentScheme;
        }
        match missing(known, month, month) {
            Some(waiting) => {
                note(Note::Waiting(waiting));
                InsuranceCode::Pending
            }
            None => InsuranceCode::NoRecord,
        }
    }
}

fn certificate_code(
    certificates: &[Certificate],
    known: &Knowledge,
    month: Month,
    rules: &MonthRules,
    note: &mut impl FnMut(Check, Note),
) -> CertificateCode {
    let mut note = |what| note(Check::Certificate, what);
    let (code, rests_on) = settled_code(certificates, month, rules.certificate_month, rules.weights);
    for (place, certificate) in certificates.iter().enumerate() {
        note(if rests_on == Some(place) {
            Note::RestsOn(certificate.version)
        } else {
            let stands = standing(certificate, certificates, month, rules.certificate_month, rules.weights);
            Note::PassedOver(certificate.version, stands.into())
        });
    }
    if may_be_pending(code) && !known.certificates.current {
        note(Note::Waiting(Waiting::Stale));
        return CertificateCode::Pending;
    }
    if code == CertificateCode::None && known.certificates.refused {
        note(Note::Waiting(Waiting::RefusedRecord));
        return CertificateCode::Pending;
    }
    code
}

/// What one filing says of a dispatched placement; what decides comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Filed {
    AnotherUnit,
    AnotherProvince,
    /// Pending or rejected.
    Undecided,
    /// Approved or revoked, for other days.
    Ended,
    /// Revoked, though its days are not over.
    Revoked,
    InForce,
}

impl Filed {
    fn of(filing: &DispatchFiling, dispatcher: UnitId, province: u8, on: NaiveDate) -> Self {
        if filing.dispatcher != dispatcher {
            return Self::AnotherUnit;
        }
        if filing.province != province {
            return Self::AnotherProvince;
        }
        let in_force = filing.valid_from <= on && filing.valid_to.is_none_or(|valid_to| on <= valid_to);
        match filing.status {
            FilingStatus::Approved if in_force => Self::InForce,
            FilingStatus::Revoked if in_force => Self::Revoked,
            FilingStatus::Approved | FilingStatus::Revoked => Self::Ended,
            FilingStatus::Pending | FilingStatus::Rejected => Self::Undecided,
        }
    }

    /// It gives the same code as the best one.
    fn decides_with(self, best: Self) -> bool {
        match best {
            Self::AnotherUnit | Self::AnotherProvince => false,
            Self::Ended | Self::Revoked => matches!(self, Self::Ended | Self::Revoked),
            Self::Undecided | Self::InForce => self == best,
        }
    }

    /// Why it does not count where another one decides.
    fn passed_over(self) -> Option<PassedOver> {
        match self {
            Self::AnotherUnit => Some(PassedOver::AnotherUnit),
            Self::AnotherProvince => Some(PassedOver::AnotherProvince),
            Self::Undecided => Some(PassedOver::NotApproved),
            Self::Ended => Some(PassedOver::OtherDates),
            Self::Revoked => Some(PassedOver::NotInForce),
            Self::InForce => None,
        }
    }
}

fn dispatch_code(
    dispatch: Option<UnitId>,
    province: u8,
    filings: &[DispatchFiling],
    known: &Knowledge,
    business_date: NaiveDate,
    note: &mut impl FnMut(Check, Note),
) -> DispatchCode {
    let mut note = |what| note(Check::Dispatch, what);
    let Some(dispatcher) = dispatch else { return DispatchCode::NotApplicable };
    let says = |filing: &DispatchFiling| Filed::of(filing, dispatcher, province, business_date);
    let best = filings.iter().map(says).max();
    for filing in filings {
        let filed = says(filing);
        note(match filed.passed_over() {
            Some(why) if !best.is_some_and(|best| filed.decides_with(best)) => Note::PassedOver(filing.version, why),
            _ => Note::RestsOn(filing.version),
        });
    }
    match best {
        Some(Filed::InForce) => return DispatchCode::Pass,
        Some(Filed::Ended | Filed::Revoked) => return DispatchCode::NotInForce,
        Some(Filed::Undecided) => return DispatchCode::NotApproved,
        Some(Filed::AnotherUnit | Filed::AnotherProvince) | None => {}
    }
    let waiting = if known.filings.current {
        known.filings.refused.then_some(Waiting::RefusedRecord)
    } else {
        Some(Waiting::Stale)
    };
    match waiting {
        Some(waiting) => {
            note(Note::Waiting(waiting));
            DispatchCode::Pending
        }
        None => DispatchCode::NotFiled,
    }
}

/// One employer's stake in a month of a person whom others may count too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// All seven checks pass and the month is not unticked.
    pub passes: bool,
    pub holds_claim: bool,
    /// Staff decided that this employer counts the month, and it does not leave it: the month is not unticked.
    pub prevails: bool,
}

/// Whether the month is in conflict for the employer at `own`: another holds the claim; or nobody does and another prevails by decision, or,
/// where that is not this one, another's placement passes. `claimed_elsewhere`: an employer without a placement among the stakes holds the
/// claim.
pub fn in_conflict(stakes: &[Stake], own: usize, claimed_elsewhere: bool) -> bool {
    if stakes[own].holds_claim {
        return false;
    }
    let mut others = stakes.iter().enumerate().filter(|(place, _)| *place != own).map(|(_, stake)| stake);
    if claimed_elsewhere || others.clone().any(|stake| stake.holds_claim) {
        return true;
    }
    !stakes[own].prevails && others.any(|stake| stake.prevails || stake.passes)
}

#[cfg(test)]
mod tests;
