//! The way out of every failing code: what to do, who does it, and which document is taken as evidence in the meantime.

use super::document::{Bearer, Document};
use super::facts::{CertificateKind, Scheme, words};
use super::judge::Waiting;
use super::money::Fen;
use super::month::Month;
use super::said::Said;
use super::verdict::{AgeCode, CertificateCode, Check, Codes, ContractCode, DispatchCode, InsuranceCode, WageCode};

words! {
    /// Who can put something right.
    Party {
        Handler = "handler",
        PayingUnit = "paying_unit",
        TaxOffice = "tax_office",
        InsuranceBureau = "insurance_bureau",
        MedicalBureau = "medical_bureau",
        CertificateRegistry = "certificate_registry",
        VeteransOffice = "veterans_office",
        DispatchCompany = "dispatch_company",
        FederationStaff = "federation_staff",
        Agency = "agency",
    }
}

impl Party {
    pub fn said(self) -> Said {
        let (en, zh) = match self {
            Self::Handler => ("the employer's handler", "单位经办人"),
            Self::PayingUnit => ("the paying unit", "发放或缴费单位"),
            Self::TaxOffice => ("the tax office", "税务机关"),
            Self::InsuranceBureau => ("the social insurance bureau", "社会保险经办机构"),
            Self::MedicalBureau => ("the medical insurance bureau", "医疗保障经办机构"),
            Self::CertificateRegistry => ("the federation that issues the certificate", "残联残疾人证核发部门"),
            Self::VeteransOffice => ("the veterans' affairs office", "退役军人事务部门"),
            Self::DispatchCompany => ("the dispatch company", "劳务派遣单位"),
            Self::FederationStaff => ("federation staff", "残联工作人员"),
            Self::Agency => ("the agency that delivers the data", "数据提供部门"),
        };
        Said::new(en, zh)
    }
}

/// One party, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct ByWhom {
    pub party: Party,
    #[serde(flatten)]
    pub said: Said,
}

/// What puts a failing check right.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Remedy {
    pub what: Said,
    /// Who acts, the first one first.
    pub by_whom: Vec<ByWhom>,
    /// What a reviewer takes as evidence where the record itself does not come.
    pub document: Said,
}

impl Remedy {
    fn new(what: Said, parties: &[Party], document: Said) -> Self {
        let by_whom = parties.iter().map(|party| ByWhom { party: *party, said: party.said() }).collect();
        Self { what, by_whom, document }
    }
}

/// What a remedy has to name.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    pub month: Month,
    /// The period in which the wage is looked up.
    pub period: Month,
    /// The unit whose record is asked for, as it may be shown.
    pub payer: &'a str,
    pub found: Option<Fen>,
    pub required: Option<Fen>,
    /// Of the certificate that decided.
    pub certificate: Option<CertificateKind>,
    /// The dispatch company of a dispatched person.
    pub dispatch: Option<&'a str>,
}

/// The remedy of one check's code; `None` where nothing has failed.
pub fn remedy(check: Check, codes: &Codes, failure: &Failure<'_>) -> Option<Remedy> {
    let soldier = failure.certificate == Some(CertificateKind::DisabledSoldier);
    let bearer = Bearer { soldier, dispatched: failure.dispatch.is_some() };
    let months = if check == Check::Wage { failure.period } else { failure.month };
    let unit = if check == Check::Dispatch { failure.dispatch.unwrap_or("?") } else { failure.payer };
    let document = Document::of(check, codes, bearer)?.said(&months.into(), unit);
    match check {
        Check::Wage => wage(codes.wage, failure, document),
        Check::Pension => insurance(Scheme::Pension, codes.pension, failure, document),
        Check::Medical => insurance(Scheme::Medical, codes.medical, failure, document),
        Check::Certificate => certificate(codes.certificate, failure, document),
        Check::Age => age(codes.age, document),
        Check::Contract => contract(codes.contract, failure, document),
        Check::Dispatch => dispatch(codes.dispatch, failure, document),
    }
}

fn wage(code: WageCode, failure: &Failure<'_>, document: Said) -> Option<Remedy> {
    let Failure { period, payer, .. } = failure;
    let (what, parties): (Said, &[Party]) = match code {
        WageCode::Pass | WageCode::Pending => return None,
        WageCode::BelowMinimum => {
            let missing = match (failure.required, failure.found) {
                (Some(required), Some(found)) => (required + -found).to_string(),
                _ => "?".to_owned(),
            };
            let what = Said::new(
                format!(
                    "{missing} yuan are missing for {period}: pay them and correct the withholding return of {payer}; if they were paid, show it"
                ),
                format!("{period}还差{missing}元：补发并更正{payer}的个人所得税扣缴申报；如已发放，提交证明"),
            );
            (what, &[Party::PayingUnit, Party::Handler])
        }
        WageCode::WrongUnit => {
            let what = Said::new(
                format!(
                    "the placement names {payer} as the unit that pays: correct it to the unit that does (an affiliate is listed with its proof first), or have {payer} report the wage"
                ),
                format!(
                    "安置信息登记的工资发放单位是{payer}：改为实际发放单位（关联单位须先登记并上传关系证明），或由{payer}申报工资"
                ),
            );
            return Some(Remedy::new(what, &[Party::Handler, Party::PayingUnit], document));
        }
        WageCode::NoRecord => {
            let what = Said::new(
                format!(
                    "have {payer} file the withholding return for {period}; the month turns with the next delivery"
                ),
                format!("由{payer}补报{period}个人所得税扣缴申报，下次数据到达后自动更新"),
            );
            (what, &[Party::PayingUnit, Party::TaxOffice])
        }
    };
    Some(Remedy::new(what, parties, document))
}

fn insurance(scheme: Scheme, code: InsuranceCode, failure: &Failure<'_>, document: Said) -> Option<Remedy> {
    let Failure { month, payer, .. } = failure;
    let (bureau, en, zh) = match scheme {
        Scheme::Pension => (Party::InsuranceBureau, "pension insurance", "职工基本养老保险"),
        Scheme::Medical => (Party::MedicalBureau, "medical insurance", "职工基本医疗保险"),
    };
    let (what, parties): (Said, &[Party]) = match code {
        InsuranceCode::Pass | InsuranceCode::Pending => return None,
        InsuranceCode::BackPayment => (
            Said::new(
                format!("{month} was paid afterwards: hand in the statement, a reviewer decides"),
                format!("{month}为补缴：提交缴费证明，由残联审核"),
            ),
            &[Party::Handler, Party::FederationStaff],
        ),
        InsuranceCode::Unpaid => (
            Said::new(
                format!(
                    "{payer} registered {month} for {en} and owes it: pay the arrears; the month turns with the next delivery"
                ),
                format!("{payer} {month} {zh}欠费：补缴到账，下次数据到达后自动更新"),
            ),
            &[Party::PayingUnit, bureau],
        ),
        InsuranceCode::WrongUnit => {
            let what = Said::new(
                format!(
                    "the placement names {payer} for {en}: correct it to the unit that insures (an affiliate is listed with its proof first), or have {payer} insure the person"
                ),
                format!(
                    "安置信息登记的{zh}缴费单位是{payer}：改为实际缴费单位（关联单位须先登记并上传关系证明），或由{payer}办理参保"
                ),
            );
            return Some(Remedy::new(what, &[Party::Handler, Party::PayingUnit], document));
        }
        InsuranceCode::ResidentScheme => (
            Said::new(
                format!(
                    "only insured as a resident: have {payer} register the person for employee {en} and pay {month} if the bureau takes it afterwards"
                ),
                format!("仅有居民保险：由{payer}办理{zh}参保，经办机构允许的补缴{month}"),
            ),
            &[Party::PayingUnit, bureau],
        ),
        InsuranceCode::NoRecord => (
            Said::new(
                format!(
                    "have {payer} register the person for {en} and pay {month}; if it was paid in another province, show it"
                ),
                format!("由{payer}办理{zh}参保并缴纳{month}；如在外省缴纳，提交证明"),
            ),
            &[Party::PayingUnit, bureau],
        ),
    };
    Some(Remedy::new(what, parties, document))
}

fn certificate(code: CertificateCode, failure: &Failure<'_>, document: Said) -> Option<Remedy> {
    let month = failure.month;
    let soldier = failure.certificate == Some(CertificateKind::DisabledSoldier);
    let registry = if soldier { Party::VeteransOffice } else { Party::CertificateRegistry };
    let (what, parties): (Said, &[Party]) = match code {
        CertificateCode::Pass | CertificateCode::Pending => return None,
        CertificateCode::Cancelled => (
            Said::new(
                "the certificate was cancelled (注销) and no later month counts; whoever disputes it asks the issuing federation to look again",
                "证件已注销，此后月份不计入；有异议的向核发残联申请复核",
            ),
            &[registry, Party::FederationStaff],
        ),
        CertificateCode::Frozen => (
            Said::new(
                "the certificate is frozen (冻结), mostly because it was not transferred after moving house: have it transferred and opened again",
                "证件已冻结（多因户籍迁移后未办理转移）：办理迁移并解除冻结",
            ),
            &[registry, Party::Handler],
        ),
        CertificateCode::Expired => (
            Said::new(
                format!("renew the certificate; {month} counts only if the register shows one in force then"),
                format!("办理换证；登记的有效期覆盖{month}才计入"),
            ),
            &[registry, Party::Handler],
        ),
        CertificateCode::NotYetValid => (
            Said::new(
                format!(
                    "{month} lies before the certificate begins and does not count; if an earlier one existed, have the register completed"
                ),
                format!("{month}早于证件起始日期，不计入；如有更早的证件，请补全登记"),
            ),
            &[registry, Party::Handler],
        ),
        CertificateCode::None => (
            Said::new(
                "no certificate that counts is known under this ID number: check the ID number; if there is one, have the register completed",
                "该身份证号下没有可计入的证件：核对身份证号；确有证件的，请补全登记",
            ),
            &[Party::Handler, registry],
        ),
    };
    Some(Remedy::new(what, parties, document))
}

fn age(code: AgeCode, document: Said) -> Option<Remedy> {
    match code {
        AgeCode::Pass => None,
        AgeCode::UnderAge => Some(Remedy::new(
            Said::new(
                "a month before the 16th birthday never counts; if the ID number is wrong, enter the right one",
                "未满16周岁的月份不计入；如身份证号有误，请更正",
            ),
            &[Party::Handler],
            document,
        )),
        AgeCode::OverAge => Some(Remedy::new(
            Said::new(
                "the retirement age is reached: if the post has another one (women 50 or 55), correct the placement; agreed late retirement goes to a reviewer",
                "已达到法定退休年龄：如岗位适用其他退休年龄（女50或55周岁），更正安置信息；弹性延迟退休的由残联审核",
            ),
            &[Party::Handler, Party::FederationStaff],
            document,
        )),
    }
}

fn contract(code: ContractCode, failure: &Failure<'_>, document: Said) -> Option<Remedy> {
    let month = failure.month;
    let what = match code {
        ContractCode::Pass => return None,
        ContractCode::TooShort => Said::new(
            "the contract was agreed for less than a year: if it was extended or replaced by one agreement of a year or more, enter that",
            "合同约定期限不满一年：如已续签或变更为一年以上，请登记该合同",
        ),
        ContractCode::NotCovered => Said::new(
            format!("no contract entered covers {month}: if there was one, enter it; else the month does not count"),
            format!("登记的合同均不覆盖{month}：如确有合同请补充登记，否则该月不计入"),
        ),
        ContractCode::None => Said::new(
            "no contract is entered: enter the labour contract, or the place on the establishment",
            "未登记合同：请登记劳动合同或在编信息",
        ),
    };
    Some(Remedy::new(what, &[Party::Handler], document))
}

fn dispatch(code: DispatchCode, failure: &Failure<'_>, document: Said) -> Option<Remedy> {
    let company = failure.dispatch.unwrap_or("?");
    let what = match code {
        DispatchCode::NotApplicable | DispatchCode::Pass | DispatchCode::Pending => return None,
        DispatchCode::NotInForce => Said::new(
            format!(
                "the filing of {company} has ended, not begun or was revoked: file anew for this province, before the declaration"
            ),
            format!("{company}的备案已到期、未生效或被撤销：申报前在本省重新备案"),
        ),
        DispatchCode::NotApproved => Said::new(
            format!(
                "the filing of {company} is pending or was rejected: complete it until it is approved, before the declaration"
            ),
            format!("{company}的备案待审核或未通过：申报前补正并通过审核"),
        ),
        DispatchCode::NotFiled => Said::new(
            format!(
                "{company} has no filing for this province: file on the national employment platform before the declaration"
            ),
            format!("{company}未在本省备案：申报前在全国残疾人就业服务平台办理备案"),
        ),
    };
    Some(Remedy::new(what, &[Party::DispatchCompany, Party::Handler], document))
}

/// What ends a conflict between employers (残联厅函〔2022〕63号 item 1(3)).
pub fn conflict_remedy(month: Month, dispatched: bool) -> Remedy {
    let what = if dispatched {
        Said::new(
            format!("{month} counts for one employer only: the side that the dispatch agreement names; staff decide"),
            format!("{month}只能由一家单位计入：以派遣协议约定的一方为准，由残联认定"),
        )
    } else {
        Said::new(
            format!("{month} counts for one employer only: the one that signed the labour contract; staff decide"),
            format!("{month}只能由一家单位计入：以签订劳动合同的单位为准，由残联认定"),
        )
    };
    let document = Document::of_conflict(dispatched).said(&month.into(), "");
    Remedy::new(what, &[Party::Handler, Party::FederationStaff], document)
}

/// How the sources stand that are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    InTime,
    /// One is past its day: it is the agency's and the staff's affair.
    Late,
    /// None was ever pulled whole.
    Never,
    /// No job asks for this kind of record.
    NoSource,
}

/// What to do while a check waits.
pub fn while_pending(waiting: Waiting, until: Option<chrono::NaiveDate>, delivery: Delivery) -> Remedy {
    let nothing = Said::new("no document is asked for", "无需提交材料");
    let (what, parties): (Said, &[Party]) = match (waiting, until) {
        (Waiting::NotSettled | Waiting::Stale, _) if delivery == Delivery::NoSource => (
            Said::new(
                "nothing for the employer: nobody delivers this, staff have a source set up",
                "单位无需处理：尚无数据来源，由残联安排接入",
            ),
            &[Party::FederationStaff],
        ),
        (Waiting::NotSettled, Some(day)) if delivery != Delivery::Late => (
            Said::new(
                format!("nothing until {day}: the month turns by itself when the source has delivered"),
                format!("{day}前无需处理：数据到齐后自动更新"),
            ),
            &[],
        ),
        (Waiting::NotSettled, _) => (
            Said::new(
                "nothing for the employer: a source is late, staff ask the agency for it and pull again",
                "单位无需处理：数据提供部门逾期，由残联催报并重新拉取",
            ),
            &[Party::FederationStaff, Party::Agency],
        ),
        (Waiting::Stale, _) if delivery == Delivery::Never => (
            Said::new(
                "nothing for the employer: the source was never pulled whole, staff have it pulled",
                "单位无需处理：该数据来源从未完整拉取，由残联安排拉取",
            ),
            &[Party::FederationStaff, Party::Agency],
        ),
        (Waiting::Stale, _) => (
            Said::new(
                "nothing for the employer: the source was not pulled lately, staff pull it again",
                "单位无需处理：数据较久未更新，由残联重新拉取",
            ),
            &[Party::FederationStaff, Party::Agency],
        ),
        (Waiting::RefusedRecord, _) => (
            Said::new(
                "nothing for the employer: staff look at the refused record, have it put right at the agency, replay or discard it",
                "单位无需处理：由残联核查被拒数据，联系提供部门更正后重放，或作废",
            ),
            &[Party::FederationStaff, Party::Agency],
        ),
        (Waiting::RepullDue, _) => (
            Said::new(
                "nothing: the next pull of the source asks for this person",
                "无需处理：下次拉取时补取该人员数据",
            ),
            &[Party::FederationStaff],
        ),
    };
    Remedy::new(what, parties, nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure<'static> {
        Failure {
            month: "2025-02".parse().expect("month"),
            period: "2025-03".parse().expect("month"),
            payer: "91369900MA00000152",
            found: Some(Fen(190_000)),
            required: Some(Fen(200_000)),
            certificate: None,
            dispatch: Some("91369900MA4000D15L"),
        }
    }

    fn assert_told(remedy: &Remedy, what: &str) {
        assert!(!remedy.what.lacks_a_language() && !remedy.document.lacks_a_language(), "{what}: {remedy:?}");
        assert!(!remedy.by_whom.iter().any(|by| by.said.lacks_a_language()), "{what}: {remedy:?}");
        let chinese = |text: &str| text.chars().any(|sign| ('\u{4E00}'..='\u{9FFF}').contains(&sign));
        assert!(chinese(&remedy.what.zh) && chinese(&remedy.document.zh), "{what}: {remedy:?}");
    }

    #[test]
    fn every_failing_code_and_no_other_has_a_remedy_in_both_languages() {
        use crate::domain::verdict::Sign;
        for certificate in [None, Some(CertificateKind::DisabledPerson), Some(CertificateKind::DisabledSoldier)] {
            for (check, codes) in Codes::one_by_one() {
                let code = codes.get(check);
                let remedy = remedy(check, &codes, &Failure { certificate, ..failure() });
                assert_eq!(remedy.is_some(), codes.sign(check) == Sign::Fail, "{check} {code}");
                let Some(remedy) = remedy else { continue };
                assert_told(&remedy, &format!("{check} {code}"));
                assert!(!remedy.by_whom.is_empty(), "{check} {code}: somebody acts");
            }
        }
        for dispatched in [false, true] {
            assert_told(&conflict_remedy(failure().month, dispatched), "conflict");
        }
    }

    #[test]
    fn codes_of_one_check_are_repaired_in_different_ways() {
        let told: Vec<(Check, Said)> = Codes::one_by_one()
            .into_iter()
            .filter_map(|(check, codes)| Some((check, remedy(check, &codes, &failure())?.what)))
            .collect();
        for (at, (check, what)) in told.iter().enumerate() {
            assert!(!told[..at].iter().any(|(other, said)| other == check && said == what), "{check}: {what:?} twice");
        }
    }

    #[test]
    fn a_wage_too_low_names_the_sum_the_period_and_the_unit() {
        let codes = Codes { wage: WageCode::BelowMinimum, ..Codes::PASSING };
        let remedy = remedy(Check::Wage, &codes, &failure()).expect("a remedy");
        assert!(remedy.what.en.starts_with("100.00 yuan are missing for 2025-03"), "{}", remedy.what.en);
        assert!(remedy.what.zh.starts_with("2025-03还差100.00元"), "{}", remedy.what.zh);
        assert!(remedy.document.en.contains("for 2025-03 from unit 91369900MA00000152"), "{}", remedy.document.en);
        assert_eq!(remedy.by_whom[0].party, Party::PayingUnit);
    }

    #[test]
    fn a_soldiers_certificate_is_the_veterans_offices_affair() {
        let codes = Codes { certificate: CertificateCode::Expired, ..Codes::PASSING };
        let of = |certificate| remedy(Check::Certificate, &codes, &Failure { certificate, ..failure() }).expect("one");
        assert_eq!(of(Some(CertificateKind::DisabledSoldier)).by_whom[0].party, Party::VeteransOffice);
        assert_eq!(of(Some(CertificateKind::DisabledPerson)).by_whom[0].party, Party::CertificateRegistry);
        assert!(of(Some(CertificateKind::DisabledSoldier)).document.zh.contains("残疾军人证"));
        assert!(!of(Some(CertificateKind::DisabledPerson)).document.zh.contains("残疾军人证"));
    }

    #[test]
    fn a_register_that_was_never_pulled_or_has_no_source_is_not_told_as_late() {
        let what = |waiting, delivery| while_pending(waiting, None, delivery).what.en;
        assert!(what(Waiting::Stale, Delivery::Late).contains("was not pulled lately"));
        assert!(what(Waiting::Stale, Delivery::Never).contains("was never pulled whole"));
        for waiting in [Waiting::Stale, Waiting::NotSettled] {
            assert!(what(waiting, Delivery::NoSource).contains("nobody delivers this"), "{waiting:?}");
        }
    }

    #[test]
    fn while_a_month_waits_the_employer_has_nothing_to_do() {
        let day: chrono::NaiveDate = "2026-02-14".parse().expect("day");
        let early = while_pending(Waiting::NotSettled, Some(day), Delivery::InTime);
        assert!(early.what.en.contains("nothing until 2026-02-14") && early.by_whom.is_empty(), "{early:?}");
        let late = while_pending(Waiting::NotSettled, Some(day), Delivery::Late);
        assert_eq!(late.by_whom[0].party, Party::FederationStaff);
        for waiting in [Waiting::NotSettled, Waiting::Stale, Waiting::RefusedRecord, Waiting::RepullDue] {
            for until in [None, Some(day)] {
                for delivery in [Delivery::InTime, Delivery::Late, Delivery::Never, Delivery::NoSource] {
                    let remedy = while_pending(waiting, until, delivery);
                    assert_told(&remedy, "pending");
                    assert!(!remedy.by_whom.iter().any(|by| by.party == Party::Handler), "{waiting:?}");
                }
            }
        }
    }
}
