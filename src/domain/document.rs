//! The documents that a reviewer takes as evidence: which one a failing check asks, and how it is told for one month or for many.

use super::facts::words;
use super::month::Month;
use super::said::Said;
use super::verdict::{AgeCode, Check, Codes, InsuranceCode, Sign, WageCode};

words! {
    /// What is handed in, or shown.
    Document {
        /// Tax-issued, of the unit that should pay, with the bank slip.
        IncomeStatement = "income_statement",
        /// Of another unit that did pay, with the proof of its relation.
        IncomeStatementOfPayer = "income_statement_of_payer",
        PensionStatement = "pension_statement",
        PensionStatementOfPayer = "pension_statement_of_payer",
        MedicalStatement = "medical_statement",
        MedicalStatementOfPayer = "medical_statement_of_payer",
        /// 残疾人证, the original.
        DisabledPersonCertificate = "disabled_person_certificate",
        /// 残疾军人证, the original.
        DisabledSoldierCertificate = "disabled_soldier_certificate",
        ProofOfBirth = "proof_of_birth",
        ProofOfRetirementAge = "proof_of_retirement_age",
        LabourContract = "labour_contract",
        /// Of a dispatched person, with the dispatch company.
        DispatchedContract = "dispatched_contract",
        DispatchLicence = "dispatch_licence",
        /// Which of two employers signed it decides between them.
        ContractInForce = "contract_in_force",
        /// Names the person and the side that counts them.
        DispatchAgreement = "dispatch_agreement",
    }
}

/// What of a placement the document depends on besides the code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bearer {
    /// The certificate that decided is a soldier's.
    pub soldier: bool,
    pub dispatched: bool,
}

impl Document {
    /// What a check that does not pass asks; `None` where it passes. One that is pending asks what it would ask if nothing came.
    pub fn of(check: Check, codes: &Codes, bearer: Bearer) -> Option<Self> {
        if !matches!(codes.sign(check), Sign::Fail | Sign::Pending) {
            return None;
        }
        Some(match check {
            Check::Wage if codes.wage == WageCode::WrongUnit => Self::IncomeStatementOfPayer,
            Check::Wage => Self::IncomeStatement,
            Check::Pension if codes.pension == InsuranceCode::WrongUnit => Self::PensionStatementOfPayer,
            Check::Pension => Self::PensionStatement,
            Check::Medical if codes.medical == InsuranceCode::WrongUnit => Self::MedicalStatementOfPayer,
            Check::Medical => Self::MedicalStatement,
            Check::Certificate if bearer.soldier => Self::DisabledSoldierCertificate,
            Check::Certificate => Self::DisabledPersonCertificate,
            Check::Age if codes.age == AgeCode::UnderAge => Self::ProofOfBirth,
            Check::Age => Self::ProofOfRetirementAge,
            Check::Contract if bearer.dispatched => Self::DispatchedContract,
            Check::Contract => Self::LabourContract,
            Check::Dispatch => Self::DispatchLicence,
        })
    }

    /// What ends a conflict between employers.
    pub const fn of_conflict(dispatched: bool) -> Self {
        if dispatched { Self::DispatchAgreement } else { Self::ContractInForce }
    }

    /// One of it serves all persons whom its unit sends.
    pub const fn serves_all_persons(self) -> bool {
        matches!(self, Self::DispatchLicence)
    }

    /// Whether it is of a certain unit, which is named.
    pub const fn names_unit(self) -> bool {
        matches!(self, Self::IncomeStatement | Self::PensionStatement | Self::MedicalStatement | Self::DispatchLicence)
    }

    /// The document in words; `unit` by its code, where it [names one](Self::names_unit).
    pub fn said(self, months: &Months, unit: &str) -> Said {
        let (en, zh) = (&months.0.en, &months.0.zh);
        match self {
            Self::IncomeStatement => Said::new(
                format!(
                    "tax-issued income statement for {en} from unit {unit}, with the bank slip or the pay record of the same wage"
                ),
                format!("税务机关出具的{zh}个人收入纳税明细（扣缴单位{unit}），并附同月银行代发流水或工资发放凭证"),
            ),
            Self::IncomeStatementOfPayer => Said::new(
                format!(
                    "tax-issued income statement for {en} from the unit that paid, and the agreement or proof of its relation to the employer"
                ),
                format!("税务机关出具的{zh}个人收入纳税明细（实际发放单位），以及该单位与用人单位的关系证明"),
            ),
            Self::PensionStatement => {
                statement("personal pension insurance statement", "个人养老保险参保缴费证明", months, unit)
            }
            Self::MedicalStatement => {
                statement("medical insurance payment statement", "医疗保险缴费证明", months, unit)
            }
            Self::PensionStatementOfPayer => {
                statement_of_payer("personal pension insurance statement", "个人养老保险参保缴费证明", months)
            }
            Self::MedicalStatementOfPayer => {
                statement_of_payer("medical insurance payment statement", "医疗保险缴费证明", months)
            }
            Self::DisabledPersonCertificate => original("残疾人证", "残疾人证", months),
            Self::DisabledSoldierCertificate => {
                original("残疾军人证 (levels 1 to 8)", "残疾军人证（一至八级）", months)
            }
            Self::ProofOfBirth => {
                Said::new("ID card or household register with the date of birth", "居民身份证或户口簿（体现出生日期）")
            }
            Self::ProofOfRetirementAge => Said::new(
                "proof of the post's retirement age, or the written agreement on late retirement with the insurance statement of these months",
                "岗位适用退休年龄的证明，或弹性延迟退休书面协议及相应月份参保证明",
            ),
            Self::LabourContract => contract("the employer", "用人单位", months),
            Self::DispatchedContract => contract("the dispatch company", "劳务派遣单位", months),
            Self::DispatchLicence => Said::new(
                format!(
                    "dispatch licence (劳务派遣经营许可证) and human resources licence of {unit}; from another province also the proof of filing with this one"
                ),
                format!("{unit}的劳务派遣经营许可证、人力资源服务许可证；外省单位另附本省备案证明"),
            ),
            Self::ContractInForce => {
                Said::new(format!("labour contract in force in {en}"), format!("{zh}有效的劳动合同"))
            }
            Self::DispatchAgreement => Said::new(
                "dispatch agreement that names the person and the side that counts",
                "载明该人员及计入方的劳务派遣协议",
            ),
        }
    }
}

fn statement(en: &str, zh: &str, months: &Months, unit: &str) -> Said {
    let Months(months) = months;
    Said::new(
        format!("{en} that shows {} with unit {unit}, from the insurance system or the service hall", months.en),
        format!("{zh}（体现{}、缴费单位{unit}），由参保系统下载或经办大厅打印", months.zh),
    )
}

fn statement_of_payer(en: &str, zh: &str, months: &Months) -> Said {
    let Months(months) = months;
    Said::new(
        format!(
            "{en} that shows {} and the unit that paid, and the agreement or proof of its relation to the employer",
            months.en
        ),
        format!("{zh}（体现{}及实际缴费单位），以及该单位与用人单位的关系证明", months.zh),
    )
}

fn original(en: &str, zh: &str, months: &Months) -> Said {
    let Months(months) = months;
    Said::new(
        format!("the original {en} that covers {}, shown at the counter", months.en),
        format!("有效期覆盖{}的{zh}原件，到窗口查验", months.zh),
    )
}

fn contract(en: &str, zh: &str, months: &Months) -> Said {
    let Months(months) = months;
    Said::new(
        format!(
            "labour contract with {en} of a year or more that covers {}; for an establishment post the staffing document (编制)",
            months.en
        ),
        format!("与{zh}签订、期限一年以上且覆盖{}的劳动合同；在编人员提供编制证明", months.zh),
    )
}

/// Months in words: those that follow each other as a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Months(Said);

impl Months {
    /// In any order, each once or more often.
    pub fn of(months: impl IntoIterator<Item = Month>) -> Self {
        let mut months: Vec<Month> = months.into_iter().collect();
        months.sort_unstable();
        months.dedup();
        let mut spans: Vec<(Month, Month)> = Vec::new();
        for month in months {
            match spans.last_mut() {
                Some((_, last)) if last.plus(1) == month => *last = month,
                _ => spans.push((month, month)),
            }
        }
        let told = |between: &str, join: &str| {
            let span = |(first, last): &(Month, Month)| {
                if first == last { first.to_string() } else { format!("{first}{between}{last}") }
            };
            spans.iter().map(span).collect::<Vec<_>>().join(join)
        };
        Self(Said::new(told("…", ", "), told("至", "、")))
    }
}

impl Months {
    /// As commands take them: `2025-02..2025-05,2025-08`.
    pub fn as_argument(&self) -> String {
        self.0.en.replace('…', "..").replace(", ", ",")
    }
}

impl From<Month> for Months {
    fn from(month: Month) -> Self {
        Self::of([month])
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::{CertificateCode, ContractCode, DispatchCode};
    use super::*;

    #[test]
    fn months_that_follow_each_other_are_a_span() {
        let months = |texts: &[&str]| {
            let months = Months::of(texts.iter().map(|text| text.parse().expect("a month")));
            (months.0.en, months.0.zh)
        };
        let expect = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
        assert_eq!(months(&["2025-02"]), expect("2025-02", "2025-02"));
        assert_eq!(months(&["2025-12", "2026-01", "2025-11"]), expect("2025-11…2026-01", "2025-11至2026-01"));
        assert_eq!(
            months(&["2025-02", "2025-03", "2025-02", "2025-08", "2025-05"]),
            expect("2025-02…2025-03, 2025-05, 2025-08", "2025-02至2025-03、2025-05、2025-08")
        );
    }

    #[test]
    fn every_document_is_told_in_both_languages_and_names_its_unit_where_it_says_so() {
        for document in Document::ALL {
            let said = document.said(&Months::of([Month::new(2025, 2).expect("a month")]), "UNIT");
            assert!(!said.lacks_a_language(), "{document}");
            assert_eq!(said.en.contains("UNIT") && said.zh.contains("UNIT"), document.names_unit(), "{document}");
        }
    }

    #[test]
    fn each_failing_check_asks_the_document_that_repairs_it() {
        use InsuranceCode::{Unpaid, WrongUnit};
        let (nobody, soldier) = (Bearer::default(), Bearer { soldier: true, ..Bearer::default() });
        let dispatched = Bearer { dispatched: true, ..nobody };
        let with = |change: fn(&mut Codes)| {
            let mut codes = Codes::PASSING;
            change(&mut codes);
            codes
        };
        for (check, codes, bearer, document) in [
            (Check::Wage, with(|codes| codes.wage = WageCode::WrongUnit), nobody, Document::IncomeStatementOfPayer),
            (Check::Wage, with(|codes| codes.wage = WageCode::NoRecord), nobody, Document::IncomeStatement),
            (Check::Wage, with(|codes| codes.wage = WageCode::Pending), nobody, Document::IncomeStatement),
            (Check::Pension, with(|codes| codes.pension = WrongUnit), nobody, Document::PensionStatementOfPayer),
            (Check::Pension, with(|codes| codes.pension = Unpaid), nobody, Document::PensionStatement),
            (Check::Medical, with(|codes| codes.medical = WrongUnit), nobody, Document::MedicalStatementOfPayer),
            (Check::Medical, with(|codes| codes.medical = Unpaid), nobody, Document::MedicalStatement),
            (
                Check::Certificate,
                with(|codes| codes.certificate = CertificateCode::None),
                nobody,
                Document::DisabledPersonCertificate,
            ),
            (
                Check::Certificate,
                with(|codes| codes.certificate = CertificateCode::None),
                soldier,
                Document::DisabledSoldierCertificate,
            ),
            (Check::Age, with(|codes| codes.age = AgeCode::UnderAge), nobody, Document::ProofOfBirth),
            (Check::Age, with(|codes| codes.age = AgeCode::OverAge), nobody, Document::ProofOfRetirementAge),
            (Check::Contract, with(|codes| codes.contract = ContractCode::None), nobody, Document::LabourContract),
            (
                Check::Contract,
                with(|codes| codes.contract = ContractCode::None),
                dispatched,
                Document::DispatchedContract,
            ),
            (
                Check::Dispatch,
                with(|codes| codes.dispatch = DispatchCode::NotFiled),
                dispatched,
                Document::DispatchLicence,
            ),
        ] {
            assert_eq!(Document::of(check, &codes, bearer), Some(document), "{codes:?} {bearer:?}");
        }
        for check in Check::ALL {
            assert_eq!(
                Document::of(*check, &Codes::PASSING, nobody),
                None,
                "{check} passes, or there is nothing to check"
            );
        }
    }

    #[test]
    fn only_the_licence_serves_everybody_and_months_are_told_to_commands_as_they_take_them() {
        let serving: Vec<_> = Document::ALL.iter().filter(|document| document.serves_all_persons()).collect();
        assert_eq!(serving, [&Document::DispatchLicence]);
        let months = ["2025-02", "2025-03", "2025-08"].map(|text| text.parse().expect("a month"));
        assert_eq!(Months::of(months).as_argument(), "2025-02..2025-03,2025-08");
    }
}
