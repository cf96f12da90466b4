//! The names of checks and codes as people read them.

use super::said::Said;
use super::verdict::{AgeCode, CertificateCode, Check, Codes, ContractCode, DispatchCode, InsuranceCode, WageCode};

/// The check's column on the page of the national system.
pub fn column(check: Check) -> &'static str {
    match check {
        Check::Wage => "工资信息",
        Check::Pension => "社保参保状态",
        Check::Medical => "医保参保状态",
        Check::Certificate => "残疾证状态",
        Check::Age => "是否就业年龄段",
        Check::Contract => "合同状态",
        Check::Dispatch => "劳务派遣备案",
    }
}

const PASS: (&str, &str) = ("passes", "通过");
const PENDING: (&str, &str) = ("not known yet", "待到数");

/// What the check's code says.
pub fn code(check: Check, codes: &Codes) -> Said {
    let (en, zh) = match check {
        Check::Wage => wage(codes.wage),
        Check::Pension => insurance(codes.pension),
        Check::Medical => insurance(codes.medical),
        Check::Certificate => certificate(codes.certificate),
        Check::Age => age(codes.age),
        Check::Contract => contract(codes.contract),
        Check::Dispatch => dispatch(codes.dispatch),
    };
    Said::new(en, zh)
}

fn wage(code: WageCode) -> (&'static str, &'static str) {
    match code {
        WageCode::Pass => PASS,
        WageCode::Pending => PENDING,
        WageCode::BelowMinimum => ("below the minimum wage", "低于最低工资标准"),
        WageCode::WrongUnit => ("paid by another unit only", "由其他单位发放"),
        WageCode::NoRecord => ("no wage reported", "无工资记录"),
    }
}

fn insurance(code: InsuranceCode) -> (&'static str, &'static str) {
    match code {
        InsuranceCode::Pass => PASS,
        InsuranceCode::BackPayment => ("paid afterwards only, to be reviewed", "仅有补缴，须审核"),
        InsuranceCode::Pending => PENDING,
        InsuranceCode::Unpaid => ("registered, not paid", "欠费"),
        InsuranceCode::WrongUnit => ("insured through another unit or an own account", "由其他单位或个人缴纳"),
        InsuranceCode::ResidentScheme => ("insured as a resident only", "仅有居民保险"),
        InsuranceCode::NoRecord => ("not insured", "无参保记录"),
    }
}

fn certificate(code: CertificateCode) -> (&'static str, &'static str) {
    match code {
        CertificateCode::Pass => PASS,
        CertificateCode::Pending => PENDING,
        CertificateCode::Cancelled => ("cancelled", "已注销"),
        CertificateCode::Frozen => ("frozen", "已冻结"),
        CertificateCode::Expired => ("ended before the month", "已过期"),
        CertificateCode::NotYetValid => ("begins after the month", "尚未生效"),
        CertificateCode::None => ("no certificate", "无证件"),
    }
}

fn age(code: AgeCode) -> (&'static str, &'static str) {
    match code {
        AgeCode::Pass => PASS,
        AgeCode::UnderAge => ("too young", "未到就业年龄"),
        AgeCode::OverAge => ("retirement age reached", "已达退休年龄"),
    }
}

fn contract(code: ContractCode) -> (&'static str, &'static str) {
    match code {
        ContractCode::Pass => PASS,
        ContractCode::TooShort => ("agreed for less than a year", "合同期限不满一年"),
        ContractCode::NotCovered => ("no contract covers the month", "合同未覆盖当月"),
        ContractCode::None => ("no contract", "无合同"),
    }
}

fn dispatch(code: DispatchCode) -> (&'static str, &'static str) {
    match code {
        DispatchCode::NotApplicable => ("not dispatched", "非劳务派遣"),
        DispatchCode::Pass => PASS,
        DispatchCode::Pending => PENDING,
        DispatchCode::NotInForce => ("filing not in force", "备案未生效或已失效"),
        DispatchCode::NotApproved => ("filing not approved", "备案未通过审核"),
        DispatchCode::NotFiled => ("not filed", "未备案"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_column_and_every_code_its_words() {
        let (mut told, mut before) = (String::new(), None);
        for (check, codes) in Codes::one_by_one() {
            if before.replace(check) != Some(check) {
                told.extend([column(check), "\n"]);
            }
            let Said { en, zh } = code(check, &codes);
            told.extend(["    ", codes.get(check), ": ", &en, " ", &zh, "\n"]);
        }
        insta::assert_snapshot!(told, @r"
        工资信息
            pass: passes 通过
            pending: not known yet 待到数
            below_minimum: below the minimum wage 低于最低工资标准
            wrong_unit: paid by another unit only 由其他单位发放
            no_record: no wage reported 无工资记录
        社保参保状态
            pass: passes 通过
            back_payment: paid afterwards only, to be reviewed 仅有补缴，须审核
            pending: not known yet 待到数
            unpaid: registered, not paid 欠费
            wrong_unit: insured through another unit or an own account 由其他单位或个人缴纳
            resident_scheme: insured as a resident only 仅有居民保险
            no_record: not insured 无参保记录
        医保参保状态
            pass: passes 通过
            back_payment: paid afterwards only, to be reviewed 仅有补缴，须审核
            pending: not known yet 待到数
            unpaid: registered, not paid 欠费
            wrong_unit: insured through another unit or an own account 由其他单位或个人缴纳
            resident_scheme: insured as a resident only 仅有居民保险
            no_record: not insured 无参保记录
        残疾证状态
            pass: passes 通过
            pending: not known yet 待到数
            cancelled: cancelled 已注销
            frozen: frozen 已冻结
            expired: ended before the month 已过期
            not_yet_valid: begins after the month 尚未生效
            none: no certificate 无证件
        是否就业年龄段
            pass: passes 通过
            under_age: too young 未到就业年龄
            over_age: retirement age reached 已达退休年龄
        合同状态
            pass: passes 通过
            too_short: agreed for less than a year 合同期限不满一年
            not_covered: no contract covers the month 合同未覆盖当月
            none: no contract 无合同
        劳务派遣备案
            not_applicable: not dispatched 非劳务派遣
            pass: passes 通过
            pending: not known yet 待到数
            not_in_force: filing not in force 备案未生效或已失效
            not_approved: filing not approved 备案未通过审核
            not_filed: not filed 未备案
        ");
    }
}
