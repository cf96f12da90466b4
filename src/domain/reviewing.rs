//! Why a tick, a handing-in, a decision or a conflict's end is refused: a stable code, a sentence in English, one in Chinese.

use chrono::{DateTime, NaiveDate, Utc};

use super::facts::PersonId;
use super::month::Month;
use super::review::Grounds;
use super::ticking::{NotDue, Wait};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("this person has no placement at this employer in {year}")]
    NoPlacement { year: i32 },
    #[error("the declaration is completed; to change it, ask for a withdrawal or an amendment")]
    NotOpen,
    #[error("{month} does not lie in {year}; a placement is declared for the months of its year")]
    OtherYear { month: Month, year: i32 },
    #[error("no month was named")]
    NoMonths,
    #[error("there are no results yet; have the year verified first")]
    NotJudged,
    #[error("not known yet, which is no failure: {}; wait, or tick when the day is past", list(.0))]
    NotDue(Vec<NotDue>),
    #[error("work is handed in from {first_day} to {last_day}")]
    OutsideWindow { first_day: NaiveDate, last_day: NaiveDate },
    #[error("evidence is missing: {}; attach it, or untick the month", evidence(.0))]
    EvidenceMissing(Vec<(Month, Grounds)>),
    #[error("nothing is to be handed in: every ticked month passes, is decided, or is under review")]
    NothingToHandIn,

    #[error("the case is with another reviewer until {until}")]
    HeldByAnother { until: DateTime<Utc> },
    #[error("the case is not yours, or no longer; open it first (`renzheng review show`)")]
    NotHeld,
    #[error("{month} is not under review: {standing}")]
    NotUnderReview { month: Month, standing: &'static str },
    #[error("the results changed since: {month} fails for {now}; look again")]
    Changed { month: Month, now: Grounds },
    #[error("no reason was given")]
    NoReason,
    #[error("no reason answers {0}; an approval needs one for each ground")]
    GroundsUnanswered(Grounds),
    #[error("the reason `other` needs a note")]
    NoteMissing,
    #[error("the note has {signs} signs, where up to {most} are accepted")]
    NoteTooLong { signs: usize, most: usize },
    #[error("the note holds control signs, or was decoded wrongly; accepted is one line of readable text")]
    NoteUnreadable,
    #[error("the note holds an ID number, which is not kept in clear; leave it out")]
    NoteHoldsIdNumber,
    #[error("{month} is proposed already and waits for a second person; undo the proposal first")]
    Proposed { month: Month },
    #[error("no decision on {month} waits for a second person")]
    NothingProposed { month: Month },
    #[error("whoever proposed a decision does not agree to it; another person must")]
    SamePerson,
    #[error("nothing is decided on {month}")]
    NothingDecided { month: Month },
    #[error("valid from {valid_from} to {valid_to}: a certificate ends after it begins")]
    ValidityBackwards { valid_from: NaiveDate, valid_to: NaiveDate },
    #[error("level {level}, where 1 to {most} is accepted for this kind of certificate")]
    NoSuchLevel { level: u8, most: u8 },
    #[error("a reviewer, or the operator at the counter, records that a document was shown; an employer attaches it")]
    NotAtTheCounter,

    #[error("no other employer has placed person {} in {month}: nothing is to be decided", .person.0)]
    NoRival { person: PersonId, month: Month },
    #[error("an employer holds the claim on {month}, which wins; a withdrawal or an amendment would release it")]
    Claimed { month: Month },
    #[error("an employer of another jurisdiction is part of it; the level above both decides")]
    BeyondReach,
    #[error("the labour contract decides for persons who are not dispatched, the dispatch agreement for those who are")]
    ReasonUnfit,
    #[error("it is decided so already")]
    DecidedSo,
    #[error("no conflict over {month} is decided")]
    NoConflictDecided { month: Month },
    #[error("somebody decided {month} meanwhile, or took a decision back; look again")]
    DecidedMeanwhile { month: Month },
}

fn list(months: &[NotDue]) -> String {
    months.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn evidence(months: &[(Month, Grounds)]) -> String {
    months.iter().map(|(month, grounds)| format!("{month} {grounds}")).collect::<Vec<_>>().join("; ")
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPlacement { .. } => "no_placement",
            Self::NotOpen => "not_open",
            Self::OtherYear { .. } => "other_year",
            Self::NoMonths => "no_months",
            Self::NotJudged => "not_judged",
            Self::NotDue(_) => "not_due",
            Self::OutsideWindow { .. } => "outside_window",
            Self::EvidenceMissing(_) => "evidence_missing",
            Self::NothingToHandIn => "nothing_to_hand_in",
            Self::HeldByAnother { .. } => "held_by_another",
            Self::NotHeld => "not_held",
            Self::NotUnderReview { .. } => "not_under_review",
            Self::Changed { .. } => "changed",
            Self::NoReason => "no_reason",
            Self::GroundsUnanswered(_) => "grounds_unanswered",
            Self::NoteMissing => "note_missing",
            Self::NoteTooLong { .. } => "note_too_long",
            Self::NoteUnreadable => "note_unreadable",
            Self::NoteHoldsIdNumber => "note_holds_id_number",
            Self::Proposed { .. } => "proposed",
            Self::NothingProposed { .. } => "nothing_proposed",
            Self::SamePerson => "same_person",
            Self::NothingDecided { .. } => "nothing_decided",
            Self::ValidityBackwards { .. } => "validity_backwards",
            Self::NoSuchLevel { .. } => "no_such_level",
            Self::NotAtTheCounter => "not_at_the_counter",
            Self::NoRival { .. } => "no_rival",
            Self::Claimed { .. } => "claimed",
            Self::BeyondReach => "beyond_reach",
            Self::ReasonUnfit => "reason_unfit",
            Self::DecidedSo => "decided_so",
            Self::NoConflictDecided { .. } => "no_conflict_decided",
            Self::DecidedMeanwhile { .. } => "decided_meanwhile",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::NoPlacement { year } => format!("该人员{year}年未在本单位登记安置。"),
            Self::NotOpen => "已完成申报；如需修改，请申请撤回或更正。".to_owned(),
            Self::OtherYear { month, year } => format!("{month}不属于{year}年度。"),
            Self::NoMonths => "未选择月份。".to_owned(),
            Self::NotJudged => "尚无校验结果，请先进行校验。".to_owned(),
            Self::NotDue(months) => {
                let told: Vec<String> = months
                    .iter()
                    .map(|one| {
                        let waits: Vec<String> = one.waits.iter().copied().map(Wait::chinese).collect();
                        format!("{}{}", one.month, waits.join("、"))
                    })
                    .collect();
                format!("待到数，暂不能勾选：{}。", told.join("；"))
            }
            Self::OutsideWindow { first_day, last_day } => format!("送审时间为{first_day}至{last_day}。"),
            Self::EvidenceMissing(months) => {
                let told: Vec<String> =
                    months.iter().map(|(month, grounds)| format!("{month}：{}", grounds.chinese())).collect();
                format!("缺少证明材料：{}。请上传，或取消勾选。", told.join("；"))
            }
            Self::NothingToHandIn => "没有需要送审的月份。".to_owned(),
            Self::HeldByAnother { .. } => "该件正由其他审核人员办理。".to_owned(),
            Self::NotHeld => "请先领取该件再审核。".to_owned(),
            Self::NotUnderReview { month, .. } => format!("{month}不在审核中。"),
            Self::Changed { month, .. } => format!("{month}的校验结果已变化，请重新查看。"),
            Self::NoReason => "请选择理由。".to_owned(),
            Self::GroundsUnanswered(grounds) => format!("以下项目没有对应的通过理由：{}。", grounds.chinese()),
            Self::NoteMissing => "选择“其他”时须填写说明。".to_owned(),
            Self::NoteTooLong { most, .. } => format!("说明不得超过{most}字。"),
            Self::NoteUnreadable => "说明含有乱码或控制字符。".to_owned(),
            Self::NoteHoldsIdNumber => "说明中不得填写身份证号。".to_owned(),
            Self::Proposed { month } => format!("{month}已有待复核的意见。"),
            Self::NothingProposed { month } => format!("{month}没有待复核的意见。"),
            Self::SamePerson => "复核人不能是提出意见的本人。".to_owned(),
            Self::NothingDecided { month } => format!("{month}尚无审核意见。"),
            Self::ValidityBackwards { .. } => "证件有效期止早于有效期起。".to_owned(),
            Self::NoSuchLevel { most, .. } => format!("该类证件的等级应为1至{most}。"),
            Self::NotAtTheCounter => "只有审核人员或窗口人员可登记已出示原件。".to_owned(),
            Self::NoRival { month, .. } => format!("{month}没有其他单位登记该人员。"),
            Self::Claimed { month } => format!("{month}已由一家单位认定，以认定为准。"),
            Self::BeyondReach => "涉及其他辖区的单位，由共同上级裁定。".to_owned(),
            Self::ReasonUnfit => "非派遣以劳动合同为准，派遣以派遣协议为准。".to_owned(),
            Self::DecidedSo => "已作出相同裁定。".to_owned(),
            Self::NoConflictDecided { month } => format!("{month}没有可撤回的裁定。"),
            Self::DecidedMeanwhile { month } => format!("{month}刚由他人裁定或撤回，请重新查看。"),
        }
    }
}
