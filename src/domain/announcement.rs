//! 通知公告: what the federation tells everybody of a division: how it is written, on which days it is in force, by which words it is found.

use chrono::NaiveDate;

use super::facts::words;
use super::free_text::holds_id_number;

/// Signs of a title at most.
pub const LONGEST_TITLE: usize = 100;
/// Signs of a text at most.
pub const LONGEST_TEXT: usize = 20_000;
/// Signs of what is searched for at most.
pub const LONGEST_SEARCH: usize = 100;

words! {
    /// Where an announcement stands on a business day.
    AnnouncementState {
        /// Its first day is still to come.
        Upcoming = "upcoming",
        InForce = "in_force",
        /// Its last day is over.
        Ended = "ended",
        Withdrawn = "withdrawn",
    }
}

impl AnnouncementState {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Upcoming => "待生效",
            Self::InForce => "有效",
            Self::Ended => "已过期",
            Self::Withdrawn => "已撤回",
        }
    }
}

/// What an announcement says, and on which business days.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Content {
    /// One line.
    pub title: String,
    /// Plain text; lines end with a line feed.
    pub text: String,
    pub from_on: NaiveDate,
    /// The last day. `None`: until it is withdrawn.
    pub until_on: Option<NaiveDate>,
}

/// Why an announcement cannot be as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is no division; accepted are its first two, four or six digits")]
    NotADivision,
    #[error("the division is outside the province {province}; accepted are {province} and the divisions below it")]
    OutsideProvince { province: String },
    #[error("it is for a division beyond your jurisdiction {own}; accepted are {own} and the divisions below it")]
    BeyondReach { own: String },
    #[error("the title has {signs} signs, where 1 to {LONGEST_TITLE} in one line are accepted")]
    TitleLength { signs: usize },
    #[error("the text has {signs} signs, where 1 to {LONGEST_TEXT} are accepted")]
    TextLength { signs: usize },
    #[error("the {0} holds a control character; accepted is plain text, with line ends and tabs in the text only")]
    ControlSign(&'static str),
    #[error("it would end on {until_on} before it begins on {from_on}")]
    EndsBeforeItBegins { from_on: NaiveDate, until_on: NaiveDate },
    #[error("the {0} holds an ID number, which everybody would read; leave it out")]
    HoldsIdNumber(&'static str),
    #[error("it was withdrawn; what is to be told all the same is published anew")]
    Withdrawn,
    #[error("it was corrected meanwhile and is at version {version}; look at that one first")]
    Outdated { version: u32 },
    #[error("the search has {signs} signs, where up to {LONGEST_SEARCH} are accepted")]
    SearchTooLong { signs: usize },
}

impl Refused {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotADivision => "not_a_division",
            Self::OutsideProvince { .. } => "outside_province",
            Self::BeyondReach { .. } => "beyond_reach",
            Self::TitleLength { .. } => "title_length",
            Self::TextLength { .. } => "text_length",
            Self::ControlSign(_) => "control_sign",
            Self::EndsBeforeItBegins { .. } => "ends_before_it_begins",
            Self::HoldsIdNumber(_) => "holds_id_number",
            Self::Withdrawn => "withdrawn",
            Self::Outdated { .. } => "outdated",
            Self::SearchTooLong { .. } => "search_too_long",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::NotADivision => "行政区划代码须为前两位、四位或六位数字。".to_owned(),
            Self::OutsideProvince { province } => format!("只能面向本省（{province}）及所辖区划发布。"),
            Self::BeyondReach { own } => format!("只能面向本级（{own}）及所辖区划发布、更正或撤回。"),
            Self::TitleLength { .. } => format!("标题须为一行，1至{LONGEST_TITLE}个字。"),
            Self::TextLength { .. } => format!("正文须为1至{LONGEST_TEXT}个字。"),
            Self::ControlSign(_) => "标题和正文须为纯文本，不得含有控制字符。".to_owned(),
            Self::EndsBeforeItBegins { .. } => "截止日期不得早于生效日期。".to_owned(),
            Self::HoldsIdNumber(_) => "公告中不得填写身份证号。".to_owned(),
            Self::Withdrawn => "该公告已撤回；如需发布，请另行发布。".to_owned(),
            Self::Outdated { version } => format!("该公告已更正为第{version}版，请先查看。"),
            Self::SearchTooLong { .. } => format!("搜索内容不得超过{LONGEST_SEARCH}个字。"),
        }
    }
}

impl Content {
    /// As it is kept: without blanks around, lines ended by a line feed.
    pub fn checked(title: &str, text: &str, from_on: NaiveDate, until_on: Option<NaiveDate>) -> Result<Self, Refused> {
        let title = title.trim().to_owned();
        let text = text.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned();
        let signs = title.chars().count();
        if !(1..=LONGEST_TITLE).contains(&signs) {
            return Err(Refused::TitleLength { signs });
        }
        let signs = text.chars().count();
        if !(1..=LONGEST_TEXT).contains(&signs) {
            return Err(Refused::TextLength { signs });
        }
        if title.chars().any(char::is_control) {
            return Err(Refused::ControlSign("title"));
        }
        if text.chars().any(|sign| sign.is_control() && !matches!(sign, '\n' | '\t')) {
            return Err(Refused::ControlSign("text"));
        }
        if let Some((name, _)) = [("title", &title), ("text", &text)].iter().find(|(_, words)| holds_id_number(words)) {
            return Err(Refused::HoldsIdNumber(name));
        }
        if let Some(until_on) = until_on.filter(|until_on| *until_on < from_on) {
            return Err(Refused::EndsBeforeItBegins { from_on, until_on });
        }
        Ok(Self { title, text, from_on, until_on })
    }
}

/// Where an announcement of these days stands on `day`.
pub fn state_on(day: NaiveDate, from_on: NaiveDate, until_on: Option<NaiveDate>, withdrawn: bool) -> AnnouncementState {
    if withdrawn {
        AnnouncementState::Withdrawn
    } else if day < from_on {
        AnnouncementState::Upcoming
    } else if until_on.is_some_and(|until_on| until_on < day) {
        AnnouncementState::Ended
    } else {
        AnnouncementState::InForce
    }
}

/// Two, four or six digits, of which the first two are the province's.
pub fn check_division(division: &str, province: u8) -> Result<(), Refused> {
    let digits = matches!(division.len(), 2 | 4 | 6) && division.bytes().all(|sign| sign.is_ascii_digit());
    if !digits {
        return Err(Refused::NotADivision);
    }
    let province = format!("{province:02}");
    if division.starts_with(&province) { Ok(()) } else { Err(Refused::OutsideProvince { province }) }
}

/// What is searched for, parted by blanks of either width: an announcement is found if every one of them stands in its title or text.
pub fn keywords(search: &str) -> Result<Vec<String>, Refused> {
    let signs = search.chars().count();
    if signs > LONGEST_SEARCH {
        return Err(Refused::SearchTooLong { signs });
    }
    // control characters stand in no title and no text, so that nothing is missed without them
    let parts = search.split(|sign: char| sign.is_whitespace() || sign.is_control());
    Ok(parts.filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn content(title: &str, text: &str) -> Result<Content, Refused> {
        Content::checked(title, text, day("2026-03-01"), None)
    }

    #[test]
    fn title_and_text_have_their_lengths_in_signs() {
        let long = |signs: usize| "残".repeat(signs);
        assert!(content(&long(100), &long(20_000)).is_ok());
        assert_eq!(content(&long(101), "x"), Err(Refused::TitleLength { signs: 101 }));
        assert_eq!(content(" \u{3000}", "x"), Err(Refused::TitleLength { signs: 0 }));
        assert_eq!(content("x", &long(20_001)), Err(Refused::TextLength { signs: 20_001 }));
        assert_eq!(content("x", "\n \t"), Err(Refused::TextLength { signs: 0 }));
    }

    #[test]
    fn it_is_plain_text_and_lines_end_in_one_way() {
        let kept = content(" 通知 ", "一\r\n二\r三\t四\n").expect("accepted");
        assert_eq!((kept.title.as_str(), kept.text.as_str()), ("通知", "一\n二\n三\t四"));
        assert_eq!(content("通\n知", "x"), Err(Refused::ControlSign("title")));
        assert_eq!(content("x", "a\0b"), Err(Refused::ControlSign("text")));
        assert_eq!(content("x", "a\u{1b}[31mb"), Err(Refused::ControlSign("text")));
    }

    #[test]
    fn nobodys_number_is_told_to_everybody() {
        let number = "请360001198005050117前来办理";
        assert_eq!(content(number, "x"), Err(Refused::HoldsIdNumber("title")));
        assert_eq!(content("x", number), Err(Refused::HoldsIdNumber("text")));
        assert!(content("电话0797-8391234", "窗口时间 2026-03-01 至 2026-10-31").is_ok());
    }

    #[test]
    fn it_is_in_force_from_its_first_to_its_last_day() {
        let (from, until) = (day("2026-03-01"), Some(day("2026-03-31")));
        for (on, state) in [
            ("2026-02-28", AnnouncementState::Upcoming),
            ("2026-03-01", AnnouncementState::InForce),
            ("2026-03-31", AnnouncementState::InForce),
            ("2026-04-01", AnnouncementState::Ended),
        ] {
            assert_eq!(state_on(day(on), from, until, false), state, "{on}");
            assert_eq!(state_on(day(on), from, until, true), AnnouncementState::Withdrawn, "{on}");
        }
        assert_eq!(state_on(day("2036-01-01"), from, None, false), AnnouncementState::InForce);
        assert!(Content::checked("x", "x", from, Some(from)).is_ok(), "for one day");
        let backwards = Content::checked("x", "x", from, Some(day("2026-02-28")));
        assert_eq!(backwards.expect_err("refused").code(), "ends_before_it_begins");
    }

    #[test]
    fn states_and_refusals_are_told_in_chinese() {
        let states: Vec<&str> = AnnouncementState::ALL.iter().map(|state| state.chinese()).collect();
        assert_eq!(states, ["待生效", "有效", "已过期", "已撤回"]);
        let (own, province, from_on) = ("3601".to_owned(), "36".to_owned(), day("2026-03-01"));
        for (refused, chinese) in [
            (Refused::NotADivision, "行政区划代码须为前两位、四位或六位数字。"),
            (Refused::OutsideProvince { province }, "只能面向本省（36）及所辖区划发布。"),
            (Refused::BeyondReach { own }, "只能面向本级（3601）及所辖区划发布、更正或撤回。"),
            (Refused::TitleLength { signs: 101 }, "标题须为一行，1至100个字。"),
            (Refused::TextLength { signs: 0 }, "正文须为1至20000个字。"),
            (Refused::ControlSign("text"), "标题和正文须为纯文本，不得含有控制字符。"),
            (Refused::EndsBeforeItBegins { from_on, until_on: from_on }, "截止日期不得早于生效日期。"),
            (Refused::HoldsIdNumber("text"), "公告中不得填写身份证号。"),
            (Refused::Withdrawn, "该公告已撤回；如需发布，请另行发布。"),
            (Refused::Outdated { version: 3 }, "该公告已更正为第3版，请先查看。"),
            (Refused::SearchTooLong { signs: 101 }, "搜索内容不得超过100个字。"),
        ] {
            assert_eq!(refused.chinese(), chinese);
        }
    }

    #[test]
    fn keywords_are_parted_by_blanks_of_either_width() {
        assert_eq!(keywords("  年审\u{3000}window\t50% ").expect("read"), ["年审", "window", "50%"]);
        assert_eq!(keywords("").expect("read"), [""; 0]);
        assert_eq!(keywords("a\0b").expect("read"), ["a", "b"]);
        assert!(keywords(&"残".repeat(100)).is_ok());
        assert_eq!(keywords(&"残".repeat(101)), Err(Refused::SearchTooLong { signs: 101 }));
    }

    #[test]
    fn a_division_has_two_four_or_six_digits_and_is_the_provinces_own() {
        for good in ["36", "3601", "360102"] {
            assert_eq!(check_division(good, 36), Ok(()));
        }
        for bad in ["", "3", "360", "36010", "3601021", "36 1", "３６", "3a"] {
            assert_eq!(check_division(bad, 36), Err(Refused::NotADivision));
        }
        assert!(!Refused::NotADivision.to_string().contains('`'), "what was sent is not repeated");
        for beyond in ["43", "4301", "440106", "63"] {
            assert_eq!(check_division(beyond, 36), Err(Refused::OutsideProvince { province: "36".to_owned() }));
        }
        assert_eq!(check_division("0601", 6), Ok(()));
    }
}
