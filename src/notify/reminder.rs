//! What a notice says, in Chinese and in English: counts, no persons. Its subject says nothing of disability.

use chrono::NaiveDate;

use super::Said;
use crate::domain::reminder::{Stands, Summary, Unfinished};
use crate::store::reminders::Wording;

/// Which year, and how long there is.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    pub year: i32,
    pub last_day: NaiveDate,
    pub days_left: u16,
}

impl Term {
    fn left(self) -> Said {
        match self.days_left {
            0 => Said { text: "today is the last day".to_owned(), chinese: "今天是最后一天".to_owned() },
            1 => Said { text: "1 day left".to_owned(), chinese: "还剩 1 天".to_owned() },
            days => Said { text: format!("{days} days left"), chinese: format!("还剩 {days} 天") },
        }
    }

    fn subject(self, chinese: &str, english: &str) -> String {
        let left = self.left();
        format!("{} 年度{chinese}：{} / {english} {}: {}", self.year, left.chinese, self.year, left.text)
    }
}

/// Lines in both languages.
#[derive(Default)]
struct Lines {
    text: Vec<String>,
    chinese: Vec<String>,
}

impl Lines {
    fn add_if(&mut self, holds: bool, text: &str, chinese: &str) {
        if holds {
            self.text.push(format!("- {text}"));
            self.chinese.push(format!("- {chinese}"));
        }
    }

    fn wording(self, subject: String, head: &Said) -> Wording {
        let body = |head: &str, lines: &[String]| format!("{head}\n{}\n", lines.join("\n"));
        Wording { subject, text: body(&head.text, &self.text), chinese: body(&head.chinese, &self.chinese) }
    }
}

/// To an employer: what is missing of its year. `late`: sources that are late now.
pub fn to_employer(uscc: &str, term: Term, missing: &Unfinished, late: &[String]) -> Wording {
    let Term { year, last_day, .. } = term;
    let left = term.left();
    let head = Said {
        text: format!(
            "The declaration of {uscc} for {year} is not finished; it can be completed until {last_day}, {}.",
            left.text
        ),
        chinese: format!("{uscc} 的 {year} 年度申报尚未完成，截止日期 {last_day}，{}。", left.chinese),
    };
    let Unfinished {
        evidence_months,
        evidence_persons,
        not_handed_in,
        under_review,
        returned,
        without_certificate,
        ..
    } = *missing;
    let mut lines = Lines::default();
    lines.add_if(
        missing.stands == Stands::Rejected,
        "the tax department rejected the message; the federation corrects it and issues it again",
        "税务部门退回了报文，由残联更正后重新发送",
    );
    lines.add_if(
        missing.stands == Stands::NoReceipt,
        "it was completed and handed over, and no receipt of the tax department has come; there is nothing for you to do",
        "申报已完成并已发送，尚未收到税务部门回执，您无需操作",
    );
    lines.add_if(
        evidence_months > 0,
        &format!(
            "{evidence_months} ticked months of {evidence_persons} persons lack evidence: attach it, or untick them"
        ),
        &format!("{evidence_persons} 人共 {evidence_months} 个已勾选月份缺少证明材料：请上传材料，或取消勾选"),
    );
    lines.add_if(
        not_handed_in > 0,
        &format!("{not_handed_in} persons have all their evidence and are not handed in for review"),
        &format!("{not_handed_in} 人材料已齐，尚未提交审核"),
    );
    lines.add_if(
        returned > 0,
        &format!(
            "{returned} persons were returned by the reviewer: attach what is asked for and hand in again, or untick"
        ),
        &format!("{returned} 人被审核退回：请补充材料后重新提交，或取消勾选"),
    );
    lines.add_if(
        under_review > 0,
        &format!("{under_review} persons are under review; the federation has to decide"),
        &format!("{under_review} 人正在审核，等待残联处理"),
    );
    lines.add_if(
        without_certificate > 0,
        &format!("{without_certificate} persons have no certificate in force today, without which the declaration cannot be completed"),
        &format!("{without_certificate} 人今天没有有效证件，无法完成申报"),
    );
    lines.add_if(
        missing.stands == Stands::Open && !missing.any_ticked,
        &format!("of {} persons no month is ticked", missing.persons),
        &format!("已录入 {} 人，尚未勾选任何月份", missing.persons),
    );
    lines.add_if(
        missing.only_completion,
        "everything ticked is confirmed: only the completion (完成申报) is missing",
        "勾选的月份均已确认，只差“完成申报”",
    );
    lines.add_if(
        missing.consent_fails,
        "your consent to be completed on the last day cannot be carried out as things stand: please complete it yourself",
        "按目前情况无法根据您的授权自动完成申报，请自行完成",
    );
    add_late(&mut lines, late);
    lines.wording(term.subject("年审申报提醒", "Declaration for"), &head)
}

fn add_late(lines: &mut Lines, late: &[String]) {
    lines.add_if(
        !late.is_empty(),
        &format!("late now, so that months may be pending through no fault of yours: {}", late.join(", ")),
        &format!("以下数据源目前延迟，部分月份可能因此待到数：{}", late.join("、")),
    );
}

/// To the staff of a division: how much is unfinished.
pub fn to_staff(division: &str, term: Term, summary: &Summary, late: &[String]) -> Wording {
    let Term { year, last_day, .. } = term;
    let left = term.left();
    let Summary {
        employers,
        open,
        rejected,
        no_receipt,
        awaiting_staff,
        under_review,
        only_completion,
        contact_missing,
    } = *summary;
    let head = Said {
        text: format!(
            "Division {division}: {employers} employers have not finished their declaration for {year}, which is open until {last_day}, {}.",
            left.text
        ),
        chinese: format!(
            "辖区 {division}：{employers} 家用人单位尚未完成 {year} 年度申报，截止日期 {last_day}，{}。",
            left.chinese
        ),
    };
    let mut lines = Lines::default();
    lines.add_if(open > 0, &format!("{open} are open"), &format!("{open} 家未完成申报"));
    lines.add_if(
        awaiting_staff > 0,
        &format!("{awaiting_staff} of them wait for you: {under_review} persons are under review"),
        &format!("其中 {awaiting_staff} 家等待贵单位审核，共 {under_review} 人"),
    );
    lines.add_if(
        only_completion > 0,
        &format!("{only_completion} have everything confirmed and only have to complete it"),
        &format!("{only_completion} 家已全部确认，只差“完成申报”"),
    );
    lines.add_if(
        rejected > 0,
        &format!("{rejected} were rejected by the tax department: correct them and issue them again"),
        &format!("{rejected} 家被税务部门退回，需更正后重新发送"),
    );
    lines.add_if(
        no_receipt > 0,
        &format!("{no_receipt} were handed over and have no receipt"),
        &format!("{no_receipt} 家已发送但未收到回执"),
    );
    lines.add_if(
        contact_missing > 0,
        &format!("{contact_missing} could not be told: no contact is known"),
        &format!("{contact_missing} 家没有联系方式，未能通知"),
    );
    add_late(&mut lines, late);
    lines.wording(term.subject("年审申报进度", "Declarations for"), &head)
}

/// To an employer: it was completed as it had agreed.
pub fn completed(uscc: &str, term: Term, certification_number: &str) -> Wording {
    let year = term.year;
    let head = Said {
        text: format!(
            "The declaration of {uscc} for {year} was completed today as you had agreed: certification {certification_number}. Only months that \
             pass by themselves were declared; others can be added by an amendment."
        ),
        chinese: format!(
            "已按您的授权于今天完成 {uscc} 的 {year} 年度申报，认定书编号 {certification_number}。仅申报了自动核验通过的月份，其他月份可通过更正申报补充。"
        ),
    };
    let subject = format!("{year} 年度申报已按授权完成 / Declaration for {year} completed as agreed");
    Wording { subject, text: format!("{}\n", head.text), chinese: format!("{}\n", head.chinese) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(days_left: u16) -> Term {
        Term { year: 2025, last_day: "2026-10-31".parse().expect("a date"), days_left }
    }

    #[test]
    fn an_employer_is_told_everything_that_is_missing_and_nothing_else() {
        let missing = Unfinished {
            stands: Stands::Open,
            persons: 5,
            evidence_months: 7,
            evidence_persons: 2,
            not_handed_in: 1,
            under_review: 1,
            returned: 1,
            without_certificate: 1,
            contact_missing: false,
            only_completion: false,
            any_ticked: true,
            consent_fails: true,
        };
        let late = ["pull-wage".to_owned()];
        let told = to_employer("91369900MA00000152", term(14), &missing, &late);
        insta::assert_snapshot!(format!("{}\n\n{}\n{}", told.subject, told.chinese, told.text), @r###"
2025 年度年审申报提醒：还剩 14 天 / Declaration for 2025: 14 days left

91369900MA00000152 的 2025 年度申报尚未完成，截止日期 2026-10-31，还剩 14 天。
- 2 人共 7 个已勾选月份缺少证明材料：请上传材料，或取消勾选
- 1 人材料已齐，尚未提交审核
- 1 人被审核退回：请补充材料后重新提交，或取消勾选
- 1 人正在审核，等待残联处理
- 1 人今天没有有效证件，无法完成申报
- 按目前情况无法根据您的授权自动完成申报，请自行完成
- 以下数据源目前延迟，部分月份可能因此待到数：pull-wage

The declaration of 91369900MA00000152 for 2025 is not finished; it can be completed until 2026-10-31, 14 days left.
- 7 ticked months of 2 persons lack evidence: attach it, or untick them
- 1 persons have all their evidence and are not handed in for review
- 1 persons were returned by the reviewer: attach what is asked for and hand in again, or untick
- 1 persons are under review; the federation has to decide
- 1 persons have no certificate in force today, without which the declaration cannot be completed
- your consent to be completed on the last day cannot be carried out as things stand: please complete it yourself
- late now, so that months may be pending through no fault of yours: pull-wage
"###);
        let last = Unfinished {
            evidence_months: 0,
            not_handed_in: 0,
            under_review: 0,
            returned: 0,
            without_certificate: 0,
            consent_fails: false,
            only_completion: true,
            ..missing
        };
        let told = to_employer("91369900MA00000152", term(0), &last, &[]);
        insta::assert_snapshot!(format!("{}\n\n{}\n{}", told.subject, told.chinese, told.text), @r###"
2025 年度年审申报提醒：今天是最后一天 / Declaration for 2025: today is the last day

91369900MA00000152 的 2025 年度申报尚未完成，截止日期 2026-10-31，今天是最后一天。
- 勾选的月份均已确认，只差“完成申报”

The declaration of 91369900MA00000152 for 2025 is not finished; it can be completed until 2026-10-31, today is the last day.
- everything ticked is confirmed: only the completion (完成申报) is missing
"###);
    }

    #[test]
    fn staff_are_told_how_much_is_unfinished_and_what_is_theirs() {
        let summary = Summary {
            employers: 9,
            open: 6,
            rejected: 1,
            no_receipt: 2,
            awaiting_staff: 2,
            under_review: 3,
            only_completion: 1,
            contact_missing: 4,
        };
        let told = to_staff("3601", term(1), &summary, &[]);
        insta::assert_snapshot!(format!("{}\n\n{}\n{}", told.subject, told.chinese, told.text), @r###"
2025 年度年审申报进度：还剩 1 天 / Declarations for 2025: 1 day left

辖区 3601：9 家用人单位尚未完成 2025 年度申报，截止日期 2026-10-31，还剩 1 天。
- 6 家未完成申报
- 其中 2 家等待贵单位审核，共 3 人
- 1 家已全部确认，只差“完成申报”
- 1 家被税务部门退回，需更正后重新发送
- 2 家已发送但未收到回执
- 4 家没有联系方式，未能通知

Division 3601: 9 employers have not finished their declaration for 2025, which is open until 2026-10-31, 1 day left.
- 6 are open
- 2 of them wait for you: 3 persons are under review
- 1 have everything confirmed and only have to complete it
- 1 were rejected by the tax department: correct them and issue them again
- 2 were handed over and have no receipt
- 4 could not be told: no contact is known
"###);
    }

    #[test]
    fn no_subject_says_anything_of_disability() {
        let missing = Unfinished::nothing(Stands::Rejected, 1);
        let wordings = [
            to_employer("91369900MA00000152", term(3), &missing, &[]),
            to_staff("36", term(3), &Summary::default(), &[]),
            completed("91369900MA00000152", term(0), "36-2025-00000001"),
        ];
        for wording in wordings {
            let subject = wording.subject.to_lowercase();
            assert!(["残", "disab", "9136"].iter().all(|word| !subject.contains(word)), "{subject}");
        }
    }
}
