//! What a check goes by: its rule in a sentence, the law or notice behind it, and the entries of the policy that hold for the month.

use chrono::NaiveDate;

use super::dated::{Dated, Entry};
use super::month::Month;
use super::policy::{BackPayment, Policy};
use super::said::Said;
use super::verdict::Check;
use crate::domain::certificate::CertificateMonth;

/// One entry of the policy file, as it was used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct PolicyEntry {
    /// The name of the list in the policy file.
    pub list: &'static str,
    pub from: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    pub source: String,
}

/// The rule of one check for one month.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Basis {
    pub rule: Said,
    /// Law or notice with article or item, as it is cited; the same in both languages.
    pub law: &'static str,
    pub policy: Vec<PolicyEntry>,
}

/// The user manual of the national system, the only text that names the seven columns.
const MANUAL_CHECKS: &str = "联网认证系统用户手册 3.2";

fn entry<T>(list: &'static str, dated: &Dated<T>, on: NaiveDate) -> Option<PolicyEntry> {
    let entry = dated.entry_on(on).ok()?;
    Some(PolicyEntry { list, from: entry.from, until: entry.until, source: entry.source.clone() })
}

/// The list by which a division has its class in a month; a list that began later is told with its own first day.
fn class_list(policy: &Policy, division: &str, on: NaiveDate) -> Option<PolicyEntry> {
    let Entry { from, until, source, .. } = policy.class_list_on(division, on)?;
    Some(PolicyEntry { list: "wage_classes", from: *from, until: *until, source: source.clone() })
}

/// What the check of `month` goes by under `policy`. `division`: whose wage class holds; none where the employer says its class itself.
pub fn basis(check: Check, month: Month, policy: &Policy, division: Option<&str>) -> Basis {
    let on = month.first_day();
    let (rule, law, entries): (Said, &'static str, Vec<Option<PolicyEntry>>) = match check {
        Check::Wage => {
            let classes = division.and_then(|division| class_list(policy, division, on));
            let first_named_on = classes.as_ref().map(|list| list.from).filter(|from| *from > on);
            (
                wage_rule(first_named_on),
                "联网认证系统用户手册 3.2; 最低工资规定 art. 12",
                vec![
                    entry("minimum_wage", &policy.minimum_wages, on),
                    classes,
                    entry("wage_basis", &policy.wage_basis, on),
                ],
            )
        }
        Check::Pension | Check::Medical => {
            let review = policy.back_payment.on(on) == Ok(&BackPayment::Review);
            (insurance_rule(check, review), MANUAL_CHECKS, vec![entry("back_payment", &policy.back_payment, on)])
        }
        Check::Certificate => {
            let rule = policy.certificate_month.on(on).copied().unwrap_or(CertificateMonth::Overlap);
            let entries =
                vec![entry("certificate_month", &policy.certificate_month, on), entry("weights", &policy.weights, on)];
            (certificate_rule(rule), "残联厅函〔2022〕63号 item 1(1)–(2); 残疾人证管理办法 art. 19, 24", entries)
        }
        Check::Age => (
            Said::new(
                "the youngest age is reached on the last day of the month, the retirement age not yet on its first",
                "当月最后一日已满最低就业年龄，且当月1日尚未达到法定退休年龄",
            ),
            "劳动法 art. 15; 关于实施渐进式延迟法定退休年龄的决定 (2024-09-13) art. 1",
            vec![
                entry("minimum_age_years", &policy.minimum_age_years, on),
                entry("retirement", &policy.retirement, on),
            ],
        ),
        Check::Contract => (
            Said::new(
                "a labour contract of a year or more, or a place on the establishment, is in force on some day of the month",
                "当月有一年以上期限的有效劳动合同，或为在编人员",
            ),
            "财税〔2015〕72号 art. 8; 联网认证系统用户手册 3.1.3",
            Vec::new(),
        ),
        Check::Dispatch => (
            Said::new(
                "the dispatch company of a dispatched person has an approved filing for the employer's province, in force on the day of the check",
                "被派遣人员的劳务派遣单位在用人单位所在省备案通过，且核验当日有效",
            ),
            "财政部公告2019年第98号 item 2; 联网认证系统用户手册 3.1.3 note 1",
            Vec::new(),
        ),
    };
    Basis { rule, law, policy: entries.into_iter().flatten().collect() }
}

/// `first_named_on`: the list that names the division first begins after the month.
fn wage_rule(first_named_on: Option<NaiveDate>) -> Said {
    let en = "what the wage payer reported for the period, corrections and reversals added up, reaches the minimum wage of the employer's class on the first day of the month";
    let zh = "工资发放单位申报的当期工资（更正、冲销一并计算）合计不低于当月1日执行的最低工资标准";
    match first_named_on {
        None => Said::new(en, zh),
        Some(day) => Said::new(
            format!(
                "{en}; the list of classes from {day} is the first to name the employer's division, its class holds before too"
            ),
            format!("{zh}；{day}起的类区名单首次列明用人单位所在地，此前月份适用同一类区"),
        ),
    }
}

fn insurance_rule(check: Check, review: bool) -> Said {
    let (en, zh) = if check == Check::Pension { ("pension", "养老") } else { ("medical", "医疗") };
    if review {
        Said::new(
            format!(
                "the unit named paid employee {en} insurance for the month; a month paid only afterwards is reviewed"
            ),
            format!("登记的缴费单位已为其缴纳当月职工{zh}保险；仅有补缴的月份须审核"),
        )
    } else {
        Said::new(
            format!("the unit named paid employee {en} insurance for the month, in time or afterwards"),
            format!("登记的缴费单位已为其缴纳当月职工{zh}保险（含补缴）"),
        )
    }
}

fn certificate_rule(rule: CertificateMonth) -> Said {
    match rule {
        CertificateMonth::Overlap => Said::new(
            "a certificate is in force on some day of the month",
            "当月任一日持有有效残疾人证或残疾军人证（一至八级）",
        ),
        CertificateMonth::WholeMonth => Said::new(
            "a certificate is in force on every day of the month",
            "当月每一日均持有有效残疾人证或残疾军人证（一至八级）",
        ),
        CertificateMonth::Year => Said::new(
            "a certificate is in force on some day of the business year",
            "业务年度内任一日持有有效残疾人证或残疾军人证（一至八级）",
        ),
    }
}

/// What marks a month as in conflict.
pub fn conflict_basis() -> Basis {
    Basis {
        rule: Said::new(
            "a person's month counts for one employer only: the holder of the claim, else none while two would pass",
            "同一人同一月份只能由一家单位计入：已被认定的归认定单位，均未认定且均通过的待残联裁定",
        ),
        law: "残联厅函〔2022〕63号 item 1(3)",
        policy: Vec::new(),
    }
}
