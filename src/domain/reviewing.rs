//! Why a tick, a handing-in, a decision or a conflict's end is refused: a stable code, a sentence in English, one in Chinese.

use chrono::{DateTime, NaiveDate, Utc};

use super::facts::PersonId;
use super::month::{Month, SHANGHAI};
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

    #[error("the case is with another reviewer until {}", shanghai(*until))]
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

/// As a reviewer's clock shows it.
fn shanghai(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.with_timezone(&SHANGHAI).format("%Y-%m-%d %H:%M")
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
            Self::HeldByAnother { until } => format!("该件正由其他审核人员办理，至{}。", shanghai(*until)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::Ground;

    #[test]
    fn every_refusal_has_a_code_and_a_sentence() {
        let month = Month::new(2025, 3).expect("a month");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let due = |due_on| Wait { ground: Ground::Wage, due_on, settled: false };
        let not_due = NotDue { month, waits: vec![due(Some(day("2026-04-15"))), due(None)] };
        let grounds = Grounds::NONE.with(Ground::Wage).with(Ground::Contract);
        let all = [
            Refused::NoPlacement { year: 2025 },
            Refused::NotOpen,
            Refused::OtherYear { month, year: 2024 },
            Refused::NoMonths,
            Refused::NotJudged,
            Refused::NotDue(vec![not_due.clone(), not_due]),
            Refused::OutsideWindow { first_day: day("2026-03-01"), last_day: day("2026-10-31") },
            Refused::EvidenceMissing(vec![(month, grounds), (month.plus(1), grounds)]),
            Refused::NothingToHandIn,
            Refused::HeldByAnother { until: DateTime::UNIX_EPOCH },
            Refused::NotHeld,
            Refused::NotUnderReview { month, standing: "passed" },
            Refused::Changed { month, now: grounds },
            Refused::NoReason,
            Refused::GroundsUnanswered(grounds),
            Refused::NoteMissing,
            Refused::NoteTooLong { signs: 501, most: 500 },
            Refused::NoteUnreadable,
            Refused::NoteHoldsIdNumber,
            Refused::Proposed { month },
            Refused::NothingProposed { month },
            Refused::SamePerson,
            Refused::NothingDecided { month },
            Refused::ValidityBackwards { valid_from: day("2025-03-02"), valid_to: day("2025-03-01") },
            Refused::NoSuchLevel { level: 9, most: 4 },
            Refused::NotAtTheCounter,
            Refused::NoRival { person: PersonId(7), month },
            Refused::Claimed { month },
            Refused::BeyondReach,
            Refused::ReasonUnfit,
            Refused::DecidedSo,
            Refused::NoConflictDecided { month },
            Refused::DecidedMeanwhile { month },
        ];
        let told: Vec<String> = all.iter().map(|one| format!("{}: {one}; {}", one.code(), one.chinese())).collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
no_placement: this person has no placement at this employer in 2025; 该人员2025年未在本单位登记安置。
not_open: the declaration is completed; to change it, ask for a withdrawal or an amendment; 已完成申报；如需修改，请申请撤回或更正。
other_year: 2025-03 does not lie in 2024; a placement is declared for the months of its year; 2025-03不属于2024年度。
no_months: no month was named; 未选择月份。
not_judged: there are no results yet; have the year verified first; 尚无校验结果，请先进行校验。
not_due: not known yet, which is no failure: 2025-03: wage due on 2026-04-15, wage without a day by which it must be known; 2025-03: wage due on 2026-04-15, wage without a day by which it must be known; wait, or tick when the day is past; 待到数，暂不能勾选：2025-03工资应于2026-04-15到数、工资尚无到数日期；2025-03工资应于2026-04-15到数、工资尚无到数日期。
outside_window: work is handed in from 2026-03-01 to 2026-10-31; 送审时间为2026-03-01至2026-10-31。
evidence_missing: evidence is missing: 2025-03 wage, contract; 2025-04 wage, contract; attach it, or untick the month; 缺少证明材料：2025-03：工资、合同；2025-04：工资、合同。请上传，或取消勾选。
nothing_to_hand_in: nothing is to be handed in: every ticked month passes, is decided, or is under review; 没有需要送审的月份。
held_by_another: the case is with another reviewer until 1970-01-01 08:00; 该件正由其他审核人员办理，至1970-01-01 08:00。
not_held: the case is not yours, or no longer; open it first (`renzheng review show`); 请先领取该件再审核。
not_under_review: 2025-03 is not under review: passed; 2025-03不在审核中。
changed: the results changed since: 2025-03 fails for wage, contract; look again; 2025-03的校验结果已变化，请重新查看。
no_reason: no reason was given; 请选择理由。
grounds_unanswered: no reason answers wage, contract; an approval needs one for each ground; 以下项目没有对应的通过理由：工资、合同。
note_missing: the reason `other` needs a note; 选择“其他”时须填写说明。
note_too_long: the note has 501 signs, where up to 500 are accepted; 说明不得超过500字。
note_unreadable: the note holds control signs, or was decoded wrongly; accepted is one line of readable text; 说明含有乱码或控制字符。
note_holds_id_number: the note holds an ID number, which is not kept in clear; leave it out; 说明中不得填写身份证号。
proposed: 2025-03 is proposed already and waits for a second person; undo the proposal first; 2025-03已有待复核的意见。
nothing_proposed: no decision on 2025-03 waits for a second person; 2025-03没有待复核的意见。
same_person: whoever proposed a decision does not agree to it; another person must; 复核人不能是提出意见的本人。
nothing_decided: nothing is decided on 2025-03; 2025-03尚无审核意见。
validity_backwards: valid from 2025-03-02 to 2025-03-01: a certificate ends after it begins; 证件有效期止早于有效期起。
no_such_level: level 9, where 1 to 4 is accepted for this kind of certificate; 该类证件的等级应为1至4。
not_at_the_counter: a reviewer, or the operator at the counter, records that a document was shown; an employer attaches it; 只有审核人员或窗口人员可登记已出示原件。
no_rival: no other employer has placed person 7 in 2025-03: nothing is to be decided; 2025-03没有其他单位登记该人员。
claimed: an employer holds the claim on 2025-03, which wins; a withdrawal or an amendment would release it; 2025-03已由一家单位认定，以认定为准。
beyond_reach: an employer of another jurisdiction is part of it; the level above both decides; 涉及其他辖区的单位，由共同上级裁定。
reason_unfit: the labour contract decides for persons who are not dispatched, the dispatch agreement for those who are; 非派遣以劳动合同为准，派遣以派遣协议为准。
decided_so: it is decided so already; 已作出相同裁定。
no_conflict_decided: no conflict over 2025-03 is decided; 2025-03没有可撤回的裁定。
decided_meanwhile: somebody decided 2025-03 meanwhile, or took a decision back; look again; 2025-03刚由他人裁定或撤回，请重新查看。
"###);
    }
}
