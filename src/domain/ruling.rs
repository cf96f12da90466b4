//! What a reviewer may say of a month: approval or rejection with structured reasons, a note, and whether a second person must agree.

use super::facts::words;
use super::free_text::{holds_id_number, is_unreadable};
use super::review::{Ground, Grounds};
use super::reviewing::Refused;

words! {
    /// Why a month that does not pass counts all the same.
    ApprovalReason {
        WagePaidByBankSlip = "wage_paid_by_bank_slip",
        BackPaymentProven = "back_payment_proven",
        InsuredInOtherProvince = "insured_in_other_province",
        CertificateOriginalSeen = "certificate_original_seen",
        ContractShown = "contract_shown",
        AgreementNamesEmployer = "agreement_names_employer",
        Other = "other",
    }
}

words! {
    /// Why the evidence does not do.
    RejectionReason {
        DocumentIllegible = "document_illegible",
        DocumentOfOtherMonth = "document_of_other_month",
        DocumentOfOtherUnit = "document_of_other_unit",
        AmountBelowStandard = "amount_below_standard",
        NotSignedByInsurer = "not_signed_by_insurer",
        ShamSuspected = "sham_suspected",
        Other = "other",
    }
}

impl ApprovalReason {
    /// The grounds that the reason may answer.
    const fn answers(self) -> Grounds {
        let none = Grounds::NONE;
        match self {
            Self::WagePaidByBankSlip => none.with(Ground::Wage),
            Self::BackPaymentProven | Self::InsuredInOtherProvince => none.with(Ground::Pension).with(Ground::Medical),
            Self::CertificateOriginalSeen => none.with(Ground::Certificate),
            Self::ContractShown => none.with(Ground::Contract).with(Ground::Conflict),
            Self::AgreementNamesEmployer => none.with(Ground::Dispatch).with(Ground::Conflict),
            Self::Other => Grounds::ALL,
        }
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::WagePaidByBankSlip => "银行流水证明已发工资",
            Self::BackPaymentProven => "已补缴并有凭证",
            Self::InsuredInOtherProvince => "在外省参保",
            Self::CertificateOriginalSeen => "已核验残疾证件原件",
            Self::ContractShown => "已出示劳动合同",
            Self::AgreementNamesEmployer => "派遣协议约定由本单位计入",
            Self::Other => "其他",
        }
    }
}

impl RejectionReason {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::DocumentIllegible => "材料无法辨认",
            Self::DocumentOfOtherMonth => "材料不是当月的",
            Self::DocumentOfOtherUnit => "材料不是本单位的",
            Self::AmountBelowStandard => "金额低于标准",
            Self::NotSignedByInsurer => "经办机构未盖章",
            Self::ShamSuspected => "疑似虚假安置",
            Self::Other => "其他",
        }
    }
}

/// What a reviewer says, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// For each ground that stands in the way a reason that answers it.
    Approve(Vec<ApprovalReason>),
    Reject(Vec<RejectionReason>),
}

/// A reviewer's word with the note that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub word: Word,
    pub note: Option<String>,
}

/// Signs of a note at most.
const LONGEST_NOTE: usize = 500;

impl Ruling {
    pub fn approves(&self) -> bool {
        matches!(self.word, Word::Approve(_))
    }

    /// The reasons as they are stored.
    pub fn reasons(&self) -> Vec<String> {
        match &self.word {
            Word::Approve(reasons) => reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            Word::Reject(reasons) => reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
        }
    }

    /// Whether it can be said of a month that fails for these grounds.
    pub fn check(&self, grounds: Grounds) -> Result<(), Refused> {
        let (none, other) = match &self.word {
            Word::Approve(reasons) => (reasons.is_empty(), reasons.contains(&ApprovalReason::Other)),
            Word::Reject(reasons) => (reasons.is_empty(), reasons.contains(&RejectionReason::Other)),
        };
        if none {
            return Err(Refused::NoReason);
        }
        if let Word::Approve(reasons) = &self.word {
            let answered = reasons.iter().fold(Grounds::NONE, |all, reason| all.and(reason.answers()));
            let unanswered = grounds.without(answered);
            if !unanswered.is_empty() {
                return Err(Refused::GroundsUnanswered(unanswered));
            }
        }
        check_note(self.note.as_deref(), other)
    }
}

/// A note is short, readable, and holds no ID number; `needed`: there must be one.
pub fn check_note(note: Option<&str>, needed: bool) -> Result<(), Refused> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    let Some(note) = note else { return if needed { Err(Refused::NoteMissing) } else { Ok(()) } };
    let signs = note.chars().count();
    if signs > LONGEST_NOTE {
        return Err(Refused::NoteTooLong { signs, most: LONGEST_NOTE });
    }
    if is_unreadable(note) {
        return Err(Refused::NoteUnreadable);
    }
    if holds_id_number(note) { Err(Refused::NoteHoldsIdNumber) } else { Ok(()) }
}

/// ⚙ For which months a decision is a proposal until a second person agrees.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "RawSecondPerson")]
pub struct SecondPerson {
    grounds: Grounds,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum RawSecondPerson {
    Word(String),
    Grounds(Vec<String>),
}

impl TryFrom<RawSecondPerson> for SecondPerson {
    type Error = String;

    fn try_from(raw: RawSecondPerson) -> Result<Self, String> {
        match raw {
            RawSecondPerson::Word(word) if word == "off" => Ok(Self::default()),
            RawSecondPerson::Word(word) if word == "all" => Ok(Self { grounds: Grounds::ALL }),
            RawSecondPerson::Word(word) => {
                Err(format!("second_person `{word}`, where `off`, `all` or a list of grounds is accepted"))
            }
            RawSecondPerson::Grounds(words) => Ok(Self { grounds: Grounds::parse(words.iter().map(String::as_str))? }),
        }
    }
}

impl SecondPerson {
    pub fn for_grounds(grounds: Grounds) -> Self {
        Self { grounds }
    }

    /// Whether a month that fails for these grounds needs one.
    pub fn is_asked(&self, grounds: Grounds) -> bool {
        self.grounds.intersects(grounds)
    }
}

words! {
    /// Why one of several employers prevails in a conflict.
    PrevailingReason {
        /// It signed the labour contract; for persons who are not dispatched.
        LabourContract = "labour_contract",
        /// The dispatch agreement names it as the side that counts the person.
        DispatchAgreement = "dispatch_agreement",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn approve(reasons: &[ApprovalReason], note: Option<&str>) -> Ruling {
        Ruling { word: Word::Approve(reasons.to_vec()), note: note.map(str::to_owned) }
    }

    const WAGE: Grounds = Grounds::NONE.with(Ground::Wage);

    #[test]
    fn an_approval_answers_every_ground() {
        let both = WAGE.with(Ground::Contract);
        let slip = approve(&[ApprovalReason::WagePaidByBankSlip], None);
        assert_eq!(slip.check(WAGE), Ok(()));
        let unanswered = Grounds::NONE.with(Ground::Contract);
        assert_eq!(slip.check(both), Err(Refused::GroundsUnanswered(unanswered)));
        let all = approve(&[ApprovalReason::WagePaidByBankSlip, ApprovalReason::ContractShown], None);
        assert_eq!(all.check(both), Ok(()));
        assert_eq!(approve(&[], None).check(both), Err(Refused::NoReason));
    }

    #[test]
    fn another_reason_is_told_in_a_note() {
        let age = Grounds::NONE.with(Ground::Age);
        assert_eq!(approve(&[ApprovalReason::Other], None).check(age), Err(Refused::NoteMissing));
        assert_eq!(approve(&[ApprovalReason::Other], Some("  ")).check(age), Err(Refused::NoteMissing));
        assert_eq!(approve(&[ApprovalReason::Other], Some("延迟退休已批准")).check(age), Ok(()));
        let rejection = |note: Option<&str>| Ruling {
            word: Word::Reject(vec![RejectionReason::Other]),
            note: note.map(str::to_owned),
        };
        assert_eq!(rejection(None).check(age), Err(Refused::NoteMissing));
        assert_eq!(rejection(Some("see the letter")).check(age), Ok(()));
    }

    #[test]
    fn a_note_is_short_and_holds_no_id_number() {
        assert_eq!(check_note(Some(&"长".repeat(500)), false), Ok(()));
        assert_eq!(check_note(Some(&"长".repeat(501)), false), Err(Refused::NoteTooLong { signs: 501, most: 500 }));
        assert_eq!(check_note(Some("证号360001198005050117，已核"), false), Err(Refused::NoteHoldsIdNumber));
        assert_eq!(check_note(Some("seen\0"), false), Err(Refused::NoteUnreadable));
        assert_eq!(check_note(Some("receipt 202500000000000001"), false), Ok(()));
        assert_eq!(check_note(None, false), Ok(()));
    }

    #[test]
    fn a_second_person_is_asked_for_by_ground() {
        let word = |word: &str| SecondPerson::try_from(RawSecondPerson::Word(word.to_owned()));
        let list = |words: &[&str]| {
            SecondPerson::try_from(RawSecondPerson::Grounds(words.iter().map(|word| (*word).to_owned()).collect()))
        };
        assert_eq!(word("off"), Ok(SecondPerson::default()));
        assert!(word("all").expect("all").is_asked(WAGE));
        let some = list(&["certificate", "conflict"]).expect("a list");
        assert!(some.is_asked(WAGE.with(Ground::Conflict)) && !some.is_asked(WAGE));
        assert!(word("on").expect_err("no such word").contains("`off`, `all` or a list"));
        assert!(list(&["salary"]).expect_err("no such ground").contains("`salary`"));
    }

    proptest! {
        #[test]
        fn an_approval_for_other_reasons_alone_with_a_note_answers_anything(bits: u8) {
            prop_assert_eq!(approve(&[ApprovalReason::Other], Some("seen")).check(Grounds(bits)), Ok(()));
        }

        #[test]
        fn more_grounds_are_never_easier_to_answer(bits: u8, more: u8, which in prop::collection::vec(0..6_usize, 0..4)) {
            let reasons: Vec<ApprovalReason> = which.into_iter().map(|place| ApprovalReason::ALL[place]).collect();
            let ruling = approve(&reasons, None);
            if ruling.check(Grounds(bits | more)).is_ok() {
                prop_assert_eq!(ruling.check(Grounds(bits)), Ok(()));
            }
        }
    }

    #[test]
    fn reasons_are_told_in_chinese() {
        let approvals: Vec<&str> = ApprovalReason::ALL.iter().map(|reason| reason.chinese()).collect();
        let expected = [
            "银行流水证明已发工资",
            "已补缴并有凭证",
            "在外省参保",
            "已核验残疾证件原件",
            "已出示劳动合同",
            "派遣协议约定由本单位计入",
            "其他",
        ];
        assert_eq!(approvals, expected);
        let rejections: Vec<&str> = RejectionReason::ALL.iter().map(|reason| reason.chinese()).collect();
        let expected = [
            "材料无法辨认",
            "材料不是当月的",
            "材料不是本单位的",
            "金额低于标准",
            "经办机构未盖章",
            "疑似虚假安置",
            "其他",
        ];
        assert_eq!(rejections, expected);
    }

    #[test]
    fn a_ruling_is_stored_by_the_words_of_its_reasons() {
        let approval = approve(&[ApprovalReason::ContractShown, ApprovalReason::Other], Some("seen"));
        assert!(approval.approves());
        assert_eq!(approval.reasons(), ["contract_shown", "other"]);
        let word = Word::Reject(vec![RejectionReason::ShamSuspected]);
        let rejection = Ruling { word, note: None };
        assert!(!rejection.approves());
        assert_eq!(rejection.reasons(), ["sham_suspected"]);
    }

    #[test]
    fn each_reason_answers_what_it_proves() {
        let answered = |reason: &ApprovalReason| reason.answers().to_string();
        let all: Vec<String> = ApprovalReason::ALL.iter().map(answered).collect();
        let everything = Grounds::ALL.to_string();
        let expected = [
            "wage",
            "pension, medical",
            "pension, medical",
            "certificate",
            "contract, conflict",
            "dispatch, conflict",
            &everything,
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_second_person_is_asked_where_one_of_the_grounds_fails() {
        let asked = SecondPerson::for_grounds(WAGE.with(Ground::Age));
        assert!(asked.is_asked(WAGE) && asked.is_asked(WAGE.with(Ground::Pension)));
        assert!(!asked.is_asked(Grounds::NONE.with(Ground::Pension)) && !asked.is_asked(Grounds::NONE));
        assert!(!SecondPerson::default().is_asked(Grounds::ALL), "off unless the policy says so");
    }
}
