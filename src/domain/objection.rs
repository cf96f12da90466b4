//! What a person says against being counted by an employer, and how staff answer. It changes no result by itself.

use super::facts::words;
use super::month::Month;

/// Signs of the person's words, and of the answer.
pub const TEXT_SIGNS: usize = 1_000;
/// Objections of one person that wait for an answer.
pub const OPEN_AT_ONCE: i64 = 5;
/// Months of one objection.
pub const MONTHS_AT_ONCE: usize = 36;

words! {
    /// What the person says.
    ObjectionKind {
        NeverWorkedThere = "never_worked_there",
        NotInTheseMonths = "not_in_these_months",
        WageNotReceived = "wage_not_received",
        /// Something else, which the text says.
        Other = "other",
    }
}

impl ObjectionKind {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::NeverWorkedThere => "从未在该单位工作",
            Self::NotInTheseMonths => "这些月份未在该单位工作",
            Self::WageNotReceived => "未收到所列工资",
            Self::Other => "其他",
        }
    }
}

words! {
    /// What staff found.
    Finding { Upheld = "upheld", NotUpheld = "not_upheld" }
}

impl Finding {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Upheld => "异议成立",
            Self::NotUpheld => "异议不成立",
        }
    }
}

/// Why an objection was not taken, or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("an objection names months: 1 to {MONTHS_AT_ONCE}")]
    Months,
    #[error("this employer does not count you in {month}")]
    NotCounted { month: Month },
    #[error("say in words what is wrong")]
    TextNeeded,
    #[error("the text has {signs} signs; accepted are up to {TEXT_SIGNS}")]
    TextTooLong { signs: usize },
    #[error("{OPEN_AT_ONCE} objections of yours wait for an answer; another is taken when one of them is answered")]
    TooManyOpen,
    #[error("there is no such objection")]
    Unknown,
    #[error("it is answered already")]
    Answered,
    #[error("an answer tells the person why: 1 to {TEXT_SIGNS} signs")]
    AnswerNeeded,
}

impl Refused {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Months => "months",
            Self::NotCounted { .. } => "not_counted",
            Self::TextNeeded => "text_needed",
            Self::TextTooLong { .. } => "text_too_long",
            Self::TooManyOpen => "too_many_open",
            Self::Unknown => "no_objection",
            Self::Answered => "answered",
            Self::AnswerNeeded => "answer_needed",
        }
    }

    pub fn chinese(self) -> String {
        match self {
            Self::Months => format!("请选择1至{MONTHS_AT_ONCE}个月份。"),
            Self::NotCounted { month } => format!("该单位在{month}未将您计入。"),
            Self::TextNeeded => "请说明具体情况。".to_owned(),
            Self::TextTooLong { signs } => format!("文字共{signs}字，不得超过{TEXT_SIGNS}字。"),
            Self::TooManyOpen => format!("您已有{OPEN_AT_ONCE}项异议待答复，答复后可再提出。"),
            Self::Unknown => "未找到该异议。".to_owned(),
            Self::Answered => "该异议已答复。".to_owned(),
            Self::AnswerNeeded => format!("请填写给本人的答复，不超过{TEXT_SIGNS}字。"),
        }
    }
}

/// The months in order, each once, and the words without blanks around them.
pub fn check(kind: ObjectionKind, months: &[Month], text: &str) -> Result<(Vec<Month>, String), Refused> {
    let mut months = months.to_vec();
    months.sort_unstable();
    months.dedup();
    if months.is_empty() || months.len() > MONTHS_AT_ONCE {
        return Err(Refused::Months);
    }
    let text = short(text)?;
    if text.is_empty() && kind == ObjectionKind::Other {
        return Err(Refused::TextNeeded);
    }
    Ok((months, text.to_owned()))
}

/// The words of an answer.
pub fn check_answer(text: &str) -> Result<&str, Refused> {
    let text = short(text)?;
    if text.is_empty() { Err(Refused::AnswerNeeded) } else { Ok(text) }
}

fn short(text: &str) -> Result<&str, Refused> {
    let text = text.trim();
    let signs = text.chars().count();
    if signs > TEXT_SIGNS { Err(Refused::TextTooLong { signs }) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn months(numbers: &[u32]) -> Vec<Month> {
        numbers.iter().filter_map(|number| Month::new(2025, *number)).collect()
    }

    #[test]
    fn months_are_taken_once_and_in_order_and_words_without_blanks() {
        let taken = check(ObjectionKind::WageNotReceived, &months(&[3, 1, 3]), " 没有收到 \n");
        assert_eq!(taken, Ok((months(&[1, 3]), "没有收到".to_owned())));
        assert!(check(ObjectionKind::NeverWorkedThere, &months(&[1]), "").is_ok(), "the kind says it");
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_taken() {
        let check = |kind, numbers: &[u32], text: &str| check(kind, &months(numbers), text).expect_err("refused");
        assert_eq!(check(ObjectionKind::NeverWorkedThere, &[], "x"), Refused::Months);
        assert_eq!(check(ObjectionKind::Other, &[1], "  "), Refused::TextNeeded);
        // signs, not bytes
        assert!(super::check(ObjectionKind::Other, &months(&[1]), &"字".repeat(1_000)).is_ok());
        assert_eq!(check(ObjectionKind::Other, &[1], &"字".repeat(1_001)), Refused::TextTooLong { signs: 1_001 });
        let many: Vec<Month> = (0..37).filter_map(|month| Month::from_index(2020 * 12 + month)).collect();
        assert_eq!(super::check(ObjectionKind::Other, &many, "x"), Err(Refused::Months));
        assert!(super::check(ObjectionKind::Other, &many[1..], "x").is_ok(), "three years");
        assert_eq!(check_answer(" "), Err(Refused::AnswerNeeded));
    }

    #[test]
    fn every_refusal_has_a_code_and_a_sentence() {
        let month = months(&[2])[0];
        let all = [
            Refused::Months,
            Refused::NotCounted { month },
            Refused::TextNeeded,
            Refused::TextTooLong { signs: 1_001 },
            Refused::TooManyOpen,
            Refused::Unknown,
            Refused::Answered,
            Refused::AnswerNeeded,
        ];
        let told: Vec<String> = all.iter().map(|one| format!("{}: {one}; {}", one.code(), one.chinese())).collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
months: an objection names months: 1 to 36; 请选择1至36个月份。
not_counted: this employer does not count you in 2025-02; 该单位在2025-02未将您计入。
text_needed: say in words what is wrong; 请说明具体情况。
text_too_long: the text has 1001 signs; accepted are up to 1000; 文字共1001字，不得超过1000字。
too_many_open: 5 objections of yours wait for an answer; another is taken when one of them is answered; 您已有5项异议待答复，答复后可再提出。
no_objection: there is no such objection; 未找到该异议。
answered: it is answered already; 该异议已答复。
answer_needed: an answer tells the person why: 1 to 1000 signs; 请填写给本人的答复，不超过1000字。
"###);
    }

    #[test]
    fn kinds_and_findings_are_told_in_chinese() {
        let kinds: Vec<&str> = ObjectionKind::ALL.iter().map(|kind| kind.chinese()).collect();
        assert_eq!(kinds, ["从未在该单位工作", "这些月份未在该单位工作", "未收到所列工资", "其他"]);
        let findings: Vec<&str> = Finding::ALL.iter().map(|finding| finding.chinese()).collect();
        assert_eq!(findings, ["异议成立", "异议不成立"]);
    }
}
