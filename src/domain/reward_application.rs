//! 超比例奖励申请: an application, what it rests on, where it stands, and what staff may say of it.

use super::dated::NoRule;
use super::declaration::{Act, Held};
use super::facts::{UnitId, words};
use super::reviewing;
use super::reward::{Reward, RewardOutcome};
use super::ruling::check_note;

words! {
    /// Where an application stands.
    ApplicationState {
        /// It waits for staff.
        Open = "open",
        /// The result it rests on was withdrawn or replaced before anybody decided.
        Lapsed = "lapsed",
        /// The employer took it back.
        Withdrawn = "withdrawn",
        Approved = "approved",
        Rejected = "rejected",
    }
}

words! {
    /// Why an application is approved.
    ApprovalReason {
        ResultConfirmed = "result_confirmed",
        MaterialsChecked = "materials_checked",
        Other = "other",
    }
}

words! {
    /// Why it is not.
    RejectionReason {
        HeadcountWrong = "headcount_wrong",
        PlacementInDoubt = "placement_in_doubt",
        LevyOwed = "levy_owed",
        RewardedElsewhere = "rewarded_elsewhere",
        Other = "other",
    }
}

impl ApplicationState {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Open => "待审核",
            Self::Lapsed => "已失效",
            Self::Withdrawn => "已撤回",
            Self::Approved => "已通过",
            Self::Rejected => "未通过",
        }
    }
}

impl ApprovalReason {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::ResultConfirmed => "认定结果属实",
            Self::MaterialsChecked => "已核验申请材料",
            Self::Other => "其他",
        }
    }
}

impl RejectionReason {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::HeadcountWrong => "在职职工人数有误",
            Self::PlacementInDoubt => "安置情况存疑",
            Self::LevyOwed => "尚欠缴残保金",
            Self::RewardedElsewhere => "已享受同类奖励",
            Self::Other => "其他",
        }
    }
}

/// What staff say of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Approve(ApprovalReason),
    Reject(RejectionReason),
}

impl Word {
    pub const fn approves(self) -> bool {
        matches!(self, Self::Approve(_))
    }

    /// The reason as it is stored.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Approve(reason) => reason.as_str(),
            Self::Reject(reason) => reason.as_str(),
        }
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Approve(reason) => reason.chinese(),
            Self::Reject(reason) => reason.chinese(),
        }
    }

    /// Reads what was stored.
    pub fn parse(approved: bool, reason: &str) -> Option<Self> {
        if approved {
            ApprovalReason::parse(reason).map(Self::Approve)
        } else {
            RejectionReason::parse(reason).map(Self::Reject)
        }
    }
}

/// Staff's word with the note that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub word: Word,
    pub note: Option<String>,
}

impl Ruling {
    /// The same as it is kept: the note without blanks around, and there where the reason needs one.
    pub fn checked(&self) -> Result<Self, Refused> {
        let needed = matches!(self.word, Word::Approve(ApprovalReason::Other) | Word::Reject(RejectionReason::Other));
        check_note(self.note.as_deref(), needed)?;
        let note = self.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
        Ok(Self { word: self.word, note: note.map(str::to_owned) })
    }
}

/// The accepted result that an application rests on: a version, and the attempt of the message that was accepted. A version that the
/// department took back and accepted again is another result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema), schemars(rename = "RewardBasis"))]
pub struct Basis {
    pub version: u32,
    pub attempt: u32,
}

impl Basis {
    pub fn of(held: &Held) -> Self {
        Self { version: held.completion.version, attempt: held.issue.message.attempt }
    }
}

/// How an application ended, if somebody ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Withdrawn(Act),
    Decided(Act, Ruling),
}

/// An application as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub application_id: i64,
    pub employer: UnitId,
    pub year: i16,
    pub basis: Basis,
    pub policy_version: String,
    /// As it was worked out when it was applied for.
    pub calculation: Reward,
    pub applied: Act,
    pub ending: Option<Ending>,
}

impl Application {
    /// Where it stands while the tax department holds `in_force`.
    pub fn state(&self, in_force: Option<Basis>) -> ApplicationState {
        match &self.ending {
            Some(Ending::Withdrawn(_)) => ApplicationState::Withdrawn,
            Some(Ending::Decided(_, ruling)) if ruling.word.approves() => ApplicationState::Approved,
            Some(Ending::Decided(..)) => ApplicationState::Rejected,
            None if in_force == Some(self.basis) => ApplicationState::Open,
            None => ApplicationState::Lapsed,
        }
    }
}

/// Why a step of an application is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "the tax department has accepted no result of the employer's year, or holds none any more; the reward rests on that"
    )]
    NotAccepted,
    #[error("the employer's headcount is not entered, which the required persons follow from")]
    HeadcountMissing,
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("{}", .0.english())]
    NotDue(RewardOutcome),
    #[error("an application of the year is open already")]
    RequestOpen,
    #[error("an application of the year was approved already")]
    AlreadyApproved,
    #[error("no application of the year is open")]
    NoRequest,
    #[error(
        "the result that the application rests on was withdrawn or replaced; it lapsed, and the employer may apply anew"
    )]
    Lapsed,
    #[error("another application is open by now ({open}); look at that one first")]
    AnotherOpen { open: i64 },
    #[error("who applied does not decide; another member of staff must")]
    OwnRequest,
    #[error(transparent)]
    Note(#[from] reviewing::Refused),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAccepted => "not_accepted",
            Self::HeadcountMissing => "headcount_missing",
            Self::NoRule(_) => "no_rule",
            Self::NotDue(outcome) => outcome.as_str(),
            Self::RequestOpen => "request_open",
            Self::AlreadyApproved => "already_approved",
            Self::NoRequest => "no_request",
            Self::Lapsed => "lapsed",
            Self::AnotherOpen { .. } => "another_open",
            Self::OwnRequest => "own_request",
            Self::Note(refused) => refused.code(),
        }
    }

    pub fn chinese(&self) -> String {
        let text = match self {
            Self::NotAccepted => "税务部门尚未接收该年度的认定结果，或现无有效结果；奖励以此为依据。",
            Self::HeadcountMissing => "未填写在职职工人数，无法计算应安置人数。",
            Self::NoRule(_) => "该日期没有政策规则。",
            Self::NotDue(outcome) => outcome.chinese(),
            Self::RequestOpen => "该年度已有申请等待审核。",
            Self::AlreadyApproved => "该年度的奖励申请已通过。",
            Self::NoRequest => "该年度没有等待审核的申请。",
            Self::Lapsed => "申请所依据的认定结果已撤回或被替代，申请已失效，可重新申请。",
            Self::AnotherOpen { .. } => "等待审核的申请已不是您查看的那一份，请重新查看。",
            Self::OwnRequest => "申请人不能审核自己的申请，须由其他工作人员审核。",
            Self::Note(refused) => return refused.chinese(),
        };
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reward::tests::due;

    fn ruling(word: Word, note: Option<&str>) -> Ruling {
        Ruling { word, note: note.map(str::to_owned) }
    }

    #[test]
    fn another_reason_is_told_in_a_note_and_no_note_holds_a_number() {
        let other = Word::Reject(RejectionReason::Other);
        let code = |ruling: Ruling| ruling.checked().expect_err("refused").code();
        assert_eq!(code(ruling(other, None)), "note_missing");
        assert_eq!(code(ruling(other, Some(" \u{3000}"))), "note_missing");
        assert_eq!(code(ruling(Word::Approve(ApprovalReason::Other), None)), "note_missing");
        assert_eq!(code(ruling(other, Some("证号360001198005050117"))), "note_holds_id_number");
        assert_eq!(code(ruling(other, Some(&"长".repeat(501)))), "note_too_long");
        assert_eq!(code(ruling(other, Some("a\0b"))), "note_unreadable");
        let kept = ruling(Word::Approve(ApprovalReason::ResultConfirmed), Some("  ")).checked().expect("accepted");
        assert_eq!(kept.note, None);
    }

    #[test]
    fn a_word_is_read_as_it_was_stored() {
        let words = ApprovalReason::ALL.iter().map(|reason| Word::Approve(*reason));
        for word in words.chain(RejectionReason::ALL.iter().map(|reason| Word::Reject(*reason))) {
            assert_eq!(Word::parse(word.approves(), word.reason()), Some(word));
            assert!(!word.chinese().is_empty());
        }
        assert_eq!(Word::parse(true, "levy_owed"), None);
    }

    #[test]
    fn states_and_reasons_are_told_in_chinese() {
        let states: Vec<&str> = ApplicationState::ALL.iter().map(|state| state.chinese()).collect();
        assert_eq!(states, ["待审核", "已失效", "已撤回", "已通过", "未通过"]);
        let approvals: Vec<&str> = ApprovalReason::ALL.iter().map(|reason| Word::Approve(*reason).chinese()).collect();
        assert_eq!(approvals, ["认定结果属实", "已核验申请材料", "其他"]);
        let rejections: Vec<&str> = RejectionReason::ALL.iter().map(|reason| Word::Reject(*reason).chinese()).collect();
        assert_eq!(rejections, ["在职职工人数有误", "安置情况存疑", "尚欠缴残保金", "已享受同类奖励", "其他"]);
    }

    #[test]
    fn every_refusal_has_a_code_and_a_sentence() {
        let no_rule = NoRule { what: "reward", on: "2020-01-01".parse().expect("a day") };
        let all = [
            Refused::NotAccepted,
            Refused::HeadcountMissing,
            Refused::NoRule(no_rule),
            Refused::NotDue(RewardOutcome::NoExcess),
            Refused::RequestOpen,
            Refused::AlreadyApproved,
            Refused::NoRequest,
            Refused::Lapsed,
            Refused::AnotherOpen { open: 7 },
            Refused::OwnRequest,
            Refused::Note(reviewing::Refused::NoteMissing),
        ];
        let told: Vec<String> = all.iter().map(|one| format!("{}: {one}; {}", one.code(), one.chinese())).collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
not_accepted: the tax department has accepted no result of the employer's year, or holds none any more; the reward rests on that; 税务部门尚未接收该年度的认定结果，或现无有效结果；奖励以此为依据。
headcount_missing: the employer's headcount is not entered, which the required persons follow from; 未填写在职职工人数，无法计算应安置人数。
no_rule: no rule for this date: reward on 2020-01-01; 该日期没有政策规则。
no_excess: the employer placed no more persons than it must; 安置残疾人数未超过应安置人数。
request_open: an application of the year is open already; 该年度已有申请等待审核。
already_approved: an application of the year was approved already; 该年度的奖励申请已通过。
no_request: no application of the year is open; 该年度没有等待审核的申请。
lapsed: the result that the application rests on was withdrawn or replaced; it lapsed, and the employer may apply anew; 申请所依据的认定结果已撤回或被替代，申请已失效，可重新申请。
another_open: another application is open by now (7); look at that one first; 等待审核的申请已不是您查看的那一份，请重新查看。
own_request: who applied does not decide; another member of staff must; 申请人不能审核自己的申请，须由其他工作人员审核。
note_missing: the reason `other` needs a note; 选择“其他”时须填写说明。
"###);
    }

    #[test]
    fn an_application_is_open_only_while_its_result_is_in_force() {
        let basis = Basis { version: 2, attempt: 1 };
        let act = || Act { by: "staff".to_owned(), at: chrono::DateTime::UNIX_EPOCH };
        let state = |ending: Option<Ending>, in_force: Option<Basis>| {
            let application = Application {
                application_id: 1,
                employer: UnitId(1),
                year: 2025,
                basis,
                policy_version: "1".to_owned(),
                calculation: due(),
                applied: act(),
                ending,
            };
            application.state(in_force)
        };
        assert_eq!(state(None, Some(basis)), ApplicationState::Open);
        for other in [None, Some(Basis { version: 3, ..basis }), Some(Basis { attempt: 2, ..basis })] {
            assert_eq!(state(None, other), ApplicationState::Lapsed, "{other:?}");
        }
        let decided = |word| Some(Ending::Decided(act(), ruling(word, None)));
        for in_force in [None, Some(basis)] {
            assert_eq!(state(Some(Ending::Withdrawn(act())), in_force), ApplicationState::Withdrawn);
            let approved = decided(Word::Approve(ApprovalReason::ResultConfirmed));
            assert_eq!(state(approved, in_force), ApplicationState::Approved, "what is decided stays");
            assert_eq!(state(decided(Word::Reject(RejectionReason::LevyOwed)), in_force), ApplicationState::Rejected);
        }
    }
}
