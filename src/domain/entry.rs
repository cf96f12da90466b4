//! What may be entered beside the payers of a placement: years, names, contracts, affiliates, education; and why not.
//!
//! One entry and a file of thousands are checked by the same functions: the import adds the line and what was found.

use chrono::{Datelike, NaiveDate};

use super::facts::{Contract, ContractKind, PersonId, Relation, words};
use super::free_text::is_unreadable;
use super::month::years_later;
use super::placement;

/// Characters of a name, an address or a post, at most.
pub const MAX_TEXT_CHARACTERS: usize = 200;
/// A dispatch company agrees with its worker on two years at least (劳动合同法 art. 58).
const DISPATCH_CONTRACT_YEARS: u32 = 2;
/// Who graduated longer ago is no graduate any more.
const GRADUATE_YEARS: u32 = 5;

words! {
    /// The side that counts a dispatched person, by the dispatch agreement.
    CountedBy { Employer = "employer", DispatchCompany = "dispatch_company" }
}
words! {
    /// What a graduate graduated with.
    EducationLevel {
        Vocational = "vocational",
        College = "college",
        Bachelor = "bachelor",
        Master = "master",
        Doctor = "doctor",
    }
}

impl EducationLevel {
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Vocational => "中职",
            Self::College => "专科",
            Self::Bachelor => "本科",
            Self::Master => "硕士研究生",
            Self::Doctor => "博士研究生",
        }
    }
}

/// 学历信息: only of who graduated from full-time studies within five years, as the entry says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Education {
    pub level: EducationLevel,
    pub school: String,
    pub graduated_on: NaiveDate,
}

/// What is wrong with a text that people are to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    #[error("a value")]
    Missing,
    #[error("up to {MAX_TEXT_CHARACTERS} characters")]
    TooLong(usize),
    #[error("readable text: this was decoded wrongly before it came here, or holds control characters")]
    Unreadable,
}

impl TextFault {
    pub fn code(self) -> &'static str {
        if self == Self::Missing { "missing" } else { "malformed" }
    }

    /// What stands there, as far as it may be shown.
    pub fn found(self) -> String {
        match self {
            Self::Missing => "nothing".to_owned(),
            Self::TooLong(length) => format!("{length} characters"),
            Self::Unreadable => "a replacement or control character".to_owned(),
        }
    }

    fn chinese(self) -> String {
        match self {
            Self::Missing => "不能为空。".to_owned(),
            Self::TooLong(_) => format!("不能超过{MAX_TEXT_CHARACTERS}个字符。"),
            Self::Unreadable => "含有乱码或控制字符。".to_owned(),
        }
    }
}

/// A name, post, school or address without what surrounds it.
pub fn text(text: &str) -> Result<&str, TextFault> {
    let text = text.trim();
    let length = text.chars().count();
    if text.is_empty() {
        Err(TextFault::Missing)
    } else if length > MAX_TEXT_CHARACTERS {
        Err(TextFault::TooLong(length))
    } else if is_unreadable(text) {
        Err(TextFault::Unreadable)
    } else {
        Ok(text)
    }
}

/// The years that may be entered: the last one and the running one, where every month has its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Years([(i16, bool); 2]);

impl Years {
    /// `is_known` says whether the policy has rules for all months of a year.
    pub fn on(today: NaiveDate, is_known: impl Fn(i32) -> bool) -> Self {
        let running = today.year();
        Self([running - 1, running].map(|year| (year as i16, is_known(year))))
    }

    pub fn check(self, year: i16) -> Result<(), Refusal> {
        match self.0.iter().find(|(known, _)| *known == year) {
            Some((_, true)) => Ok(()),
            Some((_, false)) => Err(Refusal::NoRuleForYear),
            None => Err(Refusal::YearOutOfRange(self.0[0].0, self.0[1].0)),
        }
    }
}

/// Everything that is wrong with the days of a contract.
pub fn contract_faults(contract: &Contract) -> Vec<Refusal> {
    let starts_on = contract.starts_on;
    let before = |day: Option<NaiveDate>| day.is_some_and(|day| day < starts_on);
    let ends = before(contract.ends_on).then_some(Refusal::EndsBeforeStart(starts_on));
    let terminated = before(contract.terminated_on).then_some(Refusal::TerminatedBeforeStart(starts_on));
    ends.into_iter().chain(terminated).collect()
}

/// What is odd about a contract that is accepted.
pub fn contract_warnings(contract: &Contract, dispatched: bool) -> Vec<Warning> {
    if !contract.is_long_enough() {
        return vec![Warning::ContractUnderAYear];
    }
    let until = |end: NaiveDate| end.succ_opt().unwrap_or(end);
    let short = |end: NaiveDate| until(end) < years_later(contract.starts_on, DISPATCH_CONTRACT_YEARS);
    let labour = contract.kind == ContractKind::Labour;
    if dispatched && labour && contract.ends_on.is_some_and(short) {
        return vec![Warning::DispatchContractUnderTwoYears];
    }
    Vec::new()
}

/// Whether an affiliate's row may change its relation.
pub fn check_relation(stored: Relation, wanted: Relation, is_used: bool) -> Result<(), Refusal> {
    if is_used && stored != wanted { Err(Refusal::AffiliateInUse(stored)) } else { Ok(()) }
}

impl Education {
    /// A graduate of the placement's year: at most five years before it, and no later than in it.
    pub fn check(&self, year: i16) -> Result<(), Refusal> {
        text(&self.school).map_err(|fault| Refusal::Text { field: "school", fault })?;
        let new_year = |year: i32| NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MAX);
        let (first, next) = (new_year(i32::from(year)), new_year(i32::from(year) + 1));
        if self.graduated_on >= next {
            Err(Refusal::GraduatesLater(year))
        } else if years_later(self.graduated_on, GRADUATE_YEARS) < first {
            Err(Refusal::GraduatedLongAgo(year))
        } else {
            Ok(())
        }
    }
}

/// Who handles the declarations of an employer, and how they are reached.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Contact {
    pub handler: String,
    pub phone: String,
    pub address: String,
    pub email: Option<String>,
}

impl Contact {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Refusal> {
        let mut faults = Vec::new();
        for (field, value) in [("handler", &self.handler), ("address", &self.address)] {
            faults.extend(text(value).err().map(|fault| Refusal::Text { field, fault }));
        }
        if !is_phone(&self.phone) {
            faults.push(Refusal::Phone);
        }
        if self.email.as_deref().is_some_and(|email| !is_mail_address(email)) {
            faults.push(Refusal::MailAddress);
        }
        faults
    }
}

/// 5 to 20 digits, with what people put between them.
pub fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (5..=20).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || " +-()转".contains(c))
}

fn is_mail_address(text: &str) -> bool {
    let plain = text.len() <= 254 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b",;<>\"".contains(&byte));
    let parts = text.split_once('@');
    plain && parts.is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'))
}

/// Why something may not be entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("last year or the running one: {0} or {1}")]
    YearOutOfRange(i16, i16),
    #[error("a year whose months all have rules in the policy")]
    NoRuleForYear,
    #[error("a year whose declaration is open: what is completed changes by withdrawal or amendment only")]
    DeclarationCompleted,
    #[error("{fault}")]
    Text { field: &'static str, fault: TextFault },
    #[error("a receipt of this employer's own look-up, not older than {0} minutes: look the person up once more")]
    ReceiptUnknown(i64),
    #[error("a person placed at this employer in this year: enter the placement first")]
    NotPlaced,
    #[error(transparent)]
    Placement(#[from] placement::Refusal),
    #[error("another unit than the employer")]
    OwnEmployer,
    #[error("{0}: placements of the year use this unit, so its relation stays")]
    AffiliateInUse(Relation),
    #[error("a unit that no placement of the year uses: change or delete the placements of {} first", persons(.0))]
    AffiliateUsed(Vec<PersonId>),
    #[error("a unit that is listed for the year; list it first")]
    AffiliateNotListed,
    #[error("a unit that is not listed for the year yet; change the one that is")]
    AffiliateListed,
    #[error("5 to 20 digits, with blanks, +, - or brackets between them")]
    Phone,
    #[error("one mail address such as name@example.org")]
    MailAddress,
    #[error("{0} or later, when the contract starts")]
    EndsBeforeStart(NaiveDate),
    #[error("{0} or later, when the contract starts")]
    TerminatedBeforeStart(NaiveDate),
    #[error("a contract that is entered: of its kind, beginning on that day; `contract list` shows them")]
    ContractNotEntered,
    #[error("a contract that is not entered yet: of this kind one begins on that day; change that one")]
    ContractEntered,
    #[error("nothing: the person is not dispatched, so that no dispatch agreement names a side")]
    AgreementNotExpected,
    #[error("pay from 0 up")]
    NegativePay,
    #[error("nothing: a place on the establishment has no pay of a contract")]
    PayNotExpected,
    #[error("a day up to the end of {0}, the year of the placement")]
    GraduatesLater(i16),
    #[error("a day not more than five years before {0}, the year of the placement: else leave the education out")]
    GraduatedLongAgo(i16),
    #[error("a handler's name, phone and address, which have to be entered before they can be confirmed")]
    ContactMissing,
    #[error("a division whose wage class the policy knows, or a `wage_class` of its own")]
    NoWageClass,
    #[error("a division code of 6 digits")]
    Division { field: &'static str },
}

fn persons(persons: &[PersonId]) -> String {
    persons.iter().map(|person| format!("person {}", person.0)).collect::<Vec<_>>().join(", ")
}

impl Refusal {
    pub fn code(&self) -> &'static str {
        match self {
            Self::YearOutOfRange(..) => "year_out_of_range",
            Self::NoRuleForYear => "no_rule_for_year",
            Self::DeclarationCompleted => "declaration_completed",
            Self::Text { fault, .. } => fault.code(),
            Self::ReceiptUnknown(_) => "receipt_unknown",
            Self::NotPlaced => "no_placement",
            Self::Placement(refusal) => refusal.code(),
            Self::OwnEmployer => "own_employer",
            Self::AffiliateInUse(_) => "affiliate_in_use",
            Self::AffiliateUsed(_) => "affiliate_used",
            Self::AffiliateNotListed => "affiliate_not_listed",
            Self::AffiliateListed => "affiliate_listed",
            Self::Phone | Self::MailAddress | Self::Division { .. } => "malformed",
            Self::EndsBeforeStart(_) => "ends_before_start",
            Self::TerminatedBeforeStart(_) => "terminated_before_start",
            Self::ContractNotEntered => "contract_not_entered",
            Self::ContractEntered => "contract_entered",
            Self::AgreementNotExpected => "agreement_not_expected",
            Self::NegativePay => "negative_pay",
            Self::PayNotExpected => "pay_not_expected",
            Self::GraduatesLater(_) => "graduates_later",
            Self::GraduatedLongAgo(_) => "graduated_long_ago",
            Self::ContactMissing => "contact_missing",
            Self::NoWageClass => "no_wage_class",
        }
    }

    /// The field of the form, or the column of the file, that it speaks of.
    pub fn field(&self) -> &'static str {
        match self {
            Self::YearOutOfRange(..) | Self::NoRuleForYear | Self::DeclarationCompleted => "year",
            Self::Text { field, .. } | Self::Division { field } => field,
            Self::ReceiptUnknown(_) => "receipt",
            Self::NotPlaced => "id_number",
            Self::Placement(refusal) => refusal.field(),
            Self::OwnEmployer | Self::AffiliateUsed(_) | Self::AffiliateNotListed | Self::AffiliateListed => {
                "unit_uscc"
            }
            Self::AffiliateInUse(_) => "relation",
            Self::Phone => "phone",
            Self::MailAddress => "email",
            Self::EndsBeforeStart(_) => "ends_on",
            Self::TerminatedBeforeStart(_) => "terminated_on",
            Self::ContractNotEntered | Self::ContractEntered => "starts_on",
            Self::AgreementNotExpected => "counted_by",
            Self::NegativePay | Self::PayNotExpected => "monthly_pay",
            Self::GraduatesLater(_) | Self::GraduatedLongAgo(_) => "graduated_on",
            Self::ContactMissing => "handler",
            Self::NoWageClass => "division",
        }
    }

    pub fn chinese(&self) -> String {
        let said = match self {
            Self::YearOutOfRange(last, running) => return format!("只能登记上一年度或本年度（{last}、{running}）。"),
            Self::Text { fault, .. } => return fault.chinese(),
            Self::ReceiptUnknown(minutes) => {
                return format!("查询凭证无效、已超过{minutes}分钟或不属于本单位，请重新查询。");
            }
            Self::Placement(refusal) => return refusal.chinese(),
            Self::AffiliateInUse(relation) => {
                let relation = if *relation == Relation::Dispatch { "劳务派遣" } else { "关联单位" };
                return format!("本年度安置信息已使用该单位，关系不可更改，仍为“{relation}”。");
            }
            Self::AffiliateUsed(persons) => {
                return format!("本年度有{}条安置信息正在使用该单位，请先修改或删除这些安置信息。", persons.len());
            }
            Self::EndsBeforeStart(day) => return format!("合同终止日期不得早于开始日期（{day}）。"),
            Self::TerminatedBeforeStart(day) => return format!("合同解除日期不得早于开始日期（{day}）。"),
            Self::GraduatesLater(year) => return format!("毕业日期不得晚于{year}年底。"),
            Self::GraduatedLongAgo(year) => {
                return format!("毕业日期距{year}年初已超过五年，不属于应届及近五年毕业生，请勿填写学历信息。");
            }
            Self::NoRuleForYear => "该年度没有完整的政策规则，不能登记。",
            Self::DeclarationCompleted => "该年度已完成申报，只能通过撤回或更正修改。",
            Self::NotPlaced => "该人员本年度未在本单位登记安置，请先登记。",
            Self::OwnEmployer => "不能将本单位登记为关联单位。",
            Self::AffiliateNotListed => "该单位未登记为本年度关联单位，请先登记。",
            Self::AffiliateListed => "该单位已登记为本年度关联单位，请修改已有信息。",
            Self::Phone => "电话应为5至20位数字。",
            Self::MailAddress => "电子邮箱格式不正确。",
            Self::ContractNotEntered => "未找到该类型且在该日开始的合同。",
            Self::ContractEntered => "已有同类型且在该日开始的合同，请修改已有合同。",
            Self::AgreementNotExpected => "该人员不是劳务派遣，不应填写派遣协议约定的计入方。",
            Self::NegativePay => "月工资不得为负数。",
            Self::PayNotExpected => "在编人员不填写合同工资。",
            Self::ContactMissing => "请先填写经办人姓名、电话和地址，再确认。",
            Self::NoWageClass => "该行政区没有对应的最低工资类别，请填写已知行政区或工资类别。",
            Self::Division { .. } => "行政区代码应为6位数字。",
        };
        said.to_owned()
    }
}

/// What is accepted and deserves a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error(transparent)]
    Placement(#[from] placement::Warning),
    #[error("is another name than the one kept for this ID number, which stays")]
    AnotherName,
    #[error("is agreed for less than a year; no month it covers passes by it")]
    ContractUnderAYear,
    #[error("is agreed for less than two years, which a dispatch company may not do (劳动合同法 art. 58)")]
    DispatchContractUnderTwoYears,
    #[error(
        "is not said: the dispatch agreement names the side that counts the person, which decides if both claim them"
    )]
    AgreementMissing,
    #[error("no contract of the year before runs into {0}; enter the new one, or delete the placement")]
    NoContractRunsOn(i16),
    #[error("is over the working age in every month of {0}")]
    OverAge(i16),
    #[error("no certificate of this person is in force today")]
    NoCertificateToday,
    #[error("the check digit of the subject part (character 17) does not fit; real codes break it now and then")]
    SubjectCheck,
}

impl Warning {
    pub fn code(self) -> &'static str {
        match self {
            Self::Placement(warning) => warning.code(),
            Self::AnotherName => "another_name",
            Self::ContractUnderAYear => "contract_under_a_year",
            Self::DispatchContractUnderTwoYears => "dispatch_contract_under_two_years",
            Self::AgreementMissing => "agreement_missing",
            Self::NoContractRunsOn(_) => "no_contract_runs_on",
            Self::OverAge(_) => "over_age",
            Self::NoCertificateToday => "no_certificate_today",
            Self::SubjectCheck => "subject_check",
        }
    }

    pub fn field(self) -> &'static str {
        match self {
            Self::Placement(_) => "dispatch_uscc",
            Self::AnotherName => "name",
            Self::ContractUnderAYear | Self::DispatchContractUnderTwoYears | Self::NoContractRunsOn(_) => "ends_on",
            Self::AgreementMissing => "counted_by",
            Self::OverAge(_) | Self::NoCertificateToday => "id_number",
            Self::SubjectCheck => "unit_uscc",
        }
    }

    pub fn chinese(self) -> String {
        match self {
            Self::Placement(warning) => warning.chinese().to_owned(),
            Self::AnotherName => "与该身份证号已有的姓名不一致，仍以原姓名为准。".to_owned(),
            Self::ContractUnderAYear => "合同期限不足一年，所覆盖月份不能据此通过。".to_owned(),
            Self::DispatchContractUnderTwoYears => "劳务派遣合同期限不足两年（劳动合同法第五十八条）。".to_owned(),
            Self::AgreementMissing => "未填写派遣协议约定的计入方；双方同时申报时以此为准。".to_owned(),
            Self::NoContractRunsOn(year) => format!("上一年度没有延续到{year}年的合同，请补录新合同或删除该人员。"),
            Self::OverAge(year) => format!("{year}年全年已超过就业年龄。"),
            Self::NoCertificateToday => "该人员今日没有有效的残疾证件。".to_owned(),
            Self::SubjectCheck => "统一社会信用代码第17位校验不符，请核对。".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::RetirementTrack;
    use super::super::placement::Payer;
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn contract(starts_on: &str, ends_on: &str) -> Contract {
        let ends_on = (!ends_on.is_empty()).then(|| day(ends_on));
        Contract { kind: ContractKind::Labour, starts_on: day(starts_on), ends_on, terminated_on: None }
    }

    #[test]
    fn last_year_and_the_running_one_may_be_entered_where_the_policy_knows_them() {
        let years = Years::on(day("2026-03-15"), |year| year != 2026);
        assert_eq!(years.check(2025), Ok(()));
        assert_eq!(years.check(2026), Err(Refusal::NoRuleForYear));
        assert_eq!(years.check(2024), Err(Refusal::YearOutOfRange(2025, 2026)));
        assert_eq!(years.check(2027), Err(Refusal::YearOutOfRange(2025, 2026)));
    }

    #[test]
    fn a_dispatch_contract_shorter_than_two_years_is_warned_of_and_another_is_not() {
        for (starts_on, ends_on, dispatched, warnings) in [
            ("2024-01-01", "2025-12-31", true, vec![]),
            ("2024-01-01", "2025-12-30", true, vec![Warning::DispatchContractUnderTwoYears]),
            ("2024-01-01", "2025-12-30", false, vec![]),
            ("2024-01-01", "2024-12-30", true, vec![Warning::ContractUnderAYear]),
            ("2024-02-29", "2026-02-27", true, vec![]),
            ("2024-01-01", "", true, vec![]),
        ] {
            assert_eq!(contract_warnings(&contract(starts_on, ends_on), dispatched), warnings, "{starts_on} {ends_on}");
        }
        let post = Contract { kind: ContractKind::Establishment, ..contract("2024-01-01", "2024-06-30") };
        assert_eq!(contract_warnings(&post, true), vec![]);
    }

    #[test]
    fn education_is_of_who_graduated_within_five_years_before_the_year_of_the_placement() {
        let graduated = |on: &str| {
            let education =
                Education {
                    level: EducationLevel::Bachelor, school: "南昌例大学".to_owned(), graduated_on: day(on)
                };
            education.check(2025)
        };
        assert_eq!(graduated("2020-01-01"), Ok(()));
        assert_eq!(graduated("2025-12-31"), Ok(()));
        assert_eq!(graduated("2019-12-31"), Err(Refusal::GraduatedLongAgo(2025)));
        assert_eq!(graduated("2026-01-01"), Err(Refusal::GraduatesLater(2025)));
    }

    #[test]
    fn a_contact_has_a_name_a_phone_and_an_address() {
        let contact = |phone: &str, email: Option<&str>| Contact {
            handler: "李经办".to_owned(),
            phone: phone.to_owned(),
            address: "南昌市例路1号".to_owned(),
            email: email.map(str::to_owned),
        };
        for phone in ["13800000000", "0791-8888 0000", "+86 (791) 88880000", "0791-88880000转123"] {
            assert_eq!(contact(phone, Some("li@example.org")).faults(), vec![], "{phone}");
        }
        for phone in ["", "1234", "八八八八八八", "138000000001380000000013800000"] {
            assert_eq!(contact(phone, None).faults(), vec![Refusal::Phone], "{phone}");
        }
        for email in ["", "li", "@example.org", "li@", "a@b.c, d@e.f", "li@example.org>", "李@example.org"] {
            assert_eq!(contact("13800000000", Some(email)).faults(), vec![Refusal::MailAddress], "{email}");
        }
    }

    #[test]
    fn a_text_is_there_readable_and_not_too_long() {
        assert_eq!(text("  王小明 "), Ok("王小明"));
        assert_eq!(text("　"), Err(TextFault::Missing));
        assert!(text(&"王".repeat(200)).is_ok());
        assert_eq!(text(&"王".repeat(201)), Err(TextFault::TooLong(201)));
        assert_eq!(text("王\u{FFFD}"), Err(TextFault::Unreadable));
        let found = [TextFault::Missing, TextFault::TooLong(201), TextFault::Unreadable].map(TextFault::found);
        assert_eq!(found, ["nothing", "201 characters", "a replacement or control character"]);
    }

    #[test]
    fn every_refusal_and_warning_in_both_languages() {
        let refusals = [
            Refusal::YearOutOfRange(2025, 2026),
            Refusal::NoRuleForYear,
            Refusal::DeclarationCompleted,
            Refusal::Text { field: "name", fault: TextFault::Missing },
            Refusal::Text { field: "school", fault: TextFault::TooLong(300) },
            Refusal::Text { field: "name", fault: TextFault::Unreadable },
            Refusal::ReceiptUnknown(30),
            Refusal::NotPlaced,
            Refusal::Placement(placement::Refusal::PayerNotListed(Payer::Wage)),
            Refusal::Placement(placement::Refusal::NoPayerIsEmployer),
            Refusal::Placement(placement::Refusal::DispatchCompanyNotExpected),
            Refusal::Placement(placement::Refusal::DispatchCompanyMissing),
            Refusal::Placement(placement::Refusal::DispatchCompanyNotListed),
            Refusal::Placement(placement::Refusal::PayerOutsideDispatch(Payer::Medical)),
            Refusal::Placement(placement::Refusal::TrackContradictsSex(RetirementTrack::Women50)),
            Refusal::OwnEmployer,
            Refusal::AffiliateInUse(Relation::Dispatch),
            Refusal::AffiliateUsed(vec![PersonId(17), PersonId(18)]),
            Refusal::AffiliateNotListed,
            Refusal::AffiliateListed,
            Refusal::Phone,
            Refusal::MailAddress,
            Refusal::EndsBeforeStart(day("2025-03-01")),
            Refusal::TerminatedBeforeStart(day("2025-03-01")),
            Refusal::ContractNotEntered,
            Refusal::ContractEntered,
            Refusal::AgreementNotExpected,
            Refusal::NegativePay,
            Refusal::PayNotExpected,
            Refusal::GraduatesLater(2025),
            Refusal::GraduatedLongAgo(2025),
            Refusal::ContactMissing,
            Refusal::NoWageClass,
            Refusal::Division { field: "tax_division" },
        ];
        let warnings = [
            Warning::Placement(placement::Warning::NoPayerIsDispatchCompany),
            Warning::AnotherName,
            Warning::ContractUnderAYear,
            Warning::DispatchContractUnderTwoYears,
            Warning::AgreementMissing,
            Warning::NoContractRunsOn(2026),
            Warning::OverAge(2026),
            Warning::NoCertificateToday,
            Warning::SubjectCheck,
        ];
        let refused = refusals.iter().map(|one| format!("{} {}: {one} {}", one.field(), one.code(), one.chinese()));
        let warned = warnings.iter().map(|one| format!("{} {}: {one} {}", one.field(), one.code(), one.chinese()));
        insta::assert_snapshot!(refused.chain(warned).collect::<Vec<_>>().join("\n"), @"
        year year_out_of_range: last year or the running one: 2025 or 2026 只能登记上一年度或本年度（2025、2026）。
        year no_rule_for_year: a year whose months all have rules in the policy 该年度没有完整的政策规则，不能登记。
        year declaration_completed: a year whose declaration is open: what is completed changes by withdrawal or amendment only 该年度已完成申报，只能通过撤回或更正修改。
        name missing: a value 不能为空。
        school malformed: up to 200 characters 不能超过200个字符。
        name malformed: readable text: this was decoded wrongly before it came here, or holds control characters 含有乱码或控制字符。
        receipt receipt_unknown: a receipt of this employer's own look-up, not older than 30 minutes: look the person up once more 查询凭证无效、已超过30分钟或不属于本单位，请重新查询。
        id_number no_placement: a person placed at this employer in this year: enter the placement first 该人员本年度未在本单位登记安置，请先登记。
        wage_payer_uscc payer_not_listed: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first 工资缴纳（发放）单位既不是本单位，也不是本年度已登记的关联单位；请先登记关联单位。
        wage_payer_uscc no_payer_is_employer: all three payers are other units; at least one of wage, pension and medical must be paid by the employer 工资、社保、医保不能全部由其他单位发放或缴纳，至少一项须为本单位。
        dispatch_uscc dispatch_company_not_expected: a dispatch company is named although the person is not dispatched; leave it out, or enter a dispatch 该人员不是劳务派遣，不应填写派遣单位。
        dispatch_uscc dispatch_company_missing: a dispatched person needs the dispatch company 劳务派遣人员须填写派遣单位。
        dispatch_uscc dispatch_company_not_listed: the dispatch company is not listed by the employer for the year with the relation `dispatch` 派遣单位未在本年度登记为劳务派遣关系；请先登记。
        medical_payer_uscc payer_outside_dispatch: the medical payer of a dispatched person must be the employer or the dispatch company 劳务派遣人员的医保缴纳（发放）单位须为本单位或派遣单位。
        retirement_track track_contradicts_sex: the retirement track `women_50` contradicts the sex that the ID number states 所选退休年龄类别与身份证号码所示性别不符。
        unit_uscc own_employer: another unit than the employer 不能将本单位登记为关联单位。
        relation affiliate_in_use: dispatch: placements of the year use this unit, so its relation stays 本年度安置信息已使用该单位，关系不可更改，仍为“劳务派遣”。
        unit_uscc affiliate_used: a unit that no placement of the year uses: change or delete the placements of person 17, person 18 first 本年度有2条安置信息正在使用该单位，请先修改或删除这些安置信息。
        unit_uscc affiliate_not_listed: a unit that is listed for the year; list it first 该单位未登记为本年度关联单位，请先登记。
        unit_uscc affiliate_listed: a unit that is not listed for the year yet; change the one that is 该单位已登记为本年度关联单位，请修改已有信息。
        phone malformed: 5 to 20 digits, with blanks, +, - or brackets between them 电话应为5至20位数字。
        email malformed: one mail address such as name@example.org 电子邮箱格式不正确。
        ends_on ends_before_start: 2025-03-01 or later, when the contract starts 合同终止日期不得早于开始日期（2025-03-01）。
        terminated_on terminated_before_start: 2025-03-01 or later, when the contract starts 合同解除日期不得早于开始日期（2025-03-01）。
        starts_on contract_not_entered: a contract that is entered: of its kind, beginning on that day; `contract list` shows them 未找到该类型且在该日开始的合同。
        starts_on contract_entered: a contract that is not entered yet: of this kind one begins on that day; change that one 已有同类型且在该日开始的合同，请修改已有合同。
        counted_by agreement_not_expected: nothing: the person is not dispatched, so that no dispatch agreement names a side 该人员不是劳务派遣，不应填写派遣协议约定的计入方。
        monthly_pay negative_pay: pay from 0 up 月工资不得为负数。
        monthly_pay pay_not_expected: nothing: a place on the establishment has no pay of a contract 在编人员不填写合同工资。
        graduated_on graduates_later: a day up to the end of 2025, the year of the placement 毕业日期不得晚于2025年底。
        graduated_on graduated_long_ago: a day not more than five years before 2025, the year of the placement: else leave the education out 毕业日期距2025年初已超过五年，不属于应届及近五年毕业生，请勿填写学历信息。
        handler contact_missing: a handler's name, phone and address, which have to be entered before they can be confirmed 请先填写经办人姓名、电话和地址，再确认。
        division no_wage_class: a division whose wage class the policy knows, or a `wage_class` of its own 该行政区没有对应的最低工资类别，请填写已知行政区或工资类别。
        tax_division malformed: a division code of 6 digits 行政区代码应为6位数字。
        dispatch_uscc no_payer_is_dispatch_company: none of the three payers is the dispatch company; other provinces take that for no dispatch at all 工资、社保、医保均不由派遣单位发放或缴纳，请核对派遣关系。
        name another_name: is another name than the one kept for this ID number, which stays 与该身份证号已有的姓名不一致，仍以原姓名为准。
        ends_on contract_under_a_year: is agreed for less than a year; no month it covers passes by it 合同期限不足一年，所覆盖月份不能据此通过。
        ends_on dispatch_contract_under_two_years: is agreed for less than two years, which a dispatch company may not do (劳动合同法 art. 58) 劳务派遣合同期限不足两年（劳动合同法第五十八条）。
        counted_by agreement_missing: is not said: the dispatch agreement names the side that counts the person, which decides if both claim them 未填写派遣协议约定的计入方；双方同时申报时以此为准。
        ends_on no_contract_runs_on: no contract of the year before runs into 2026; enter the new one, or delete the placement 上一年度没有延续到2026年的合同，请补录新合同或删除该人员。
        id_number over_age: is over the working age in every month of 2026 2026年全年已超过就业年龄。
        id_number no_certificate_today: no certificate of this person is in force today 该人员今日没有有效的残疾证件。
        unit_uscc subject_check: the check digit of the subject part (character 17) does not fit; real codes break it now and then 统一社会信用代码第17位校验不符，请核对。
        ");
    }

    #[test]
    fn a_contract_ends_on_or_after_its_first_day() {
        let first = day("2025-03-01");
        for (ends_on, terminated_on, faults) in [
            ("", "", vec![]),
            ("2025-03-01", "2025-03-01", vec![]),
            ("2025-02-28", "", vec![Refusal::EndsBeforeStart(first)]),
            ("", "2025-02-28", vec![Refusal::TerminatedBeforeStart(first)]),
            ("2025-02-28", "2025-02-28", vec![Refusal::EndsBeforeStart(first), Refusal::TerminatedBeforeStart(first)]),
        ] {
            let terminated_on = (!terminated_on.is_empty()).then(|| day(terminated_on));
            let contract = Contract { terminated_on, ..contract("2025-03-01", ends_on) };
            assert_eq!(contract_faults(&contract), faults, "{ends_on} {terminated_on:?}");
        }
    }

    #[test]
    fn the_relation_of_a_unit_that_a_placement_names_does_not_change() {
        let (branch, dispatch) = (Relation::Affiliate, Relation::Dispatch);
        assert_eq!(check_relation(branch, dispatch, true), Err(Refusal::AffiliateInUse(branch)));
        assert_eq!(check_relation(branch, branch, true), Ok(()));
        assert_eq!(check_relation(branch, dispatch, false), Ok(()));
    }

    #[test]
    fn levels_of_education_have_the_names_that_the_form_has() {
        let names: Vec<&str> = EducationLevel::ALL.iter().map(|level| level.chinese()).collect();
        assert_eq!(names, ["中职", "专科", "本科", "硕士研究生", "博士研究生"]);
    }
}
