//! An explanation as text, in one of the two languages: what the command line prints and a page can show.

use super::records::{ContractEvidence, Record, Says};
use super::{CheckEvidence, ConflictEvidence, Explanation};
use crate::clock;
use crate::domain::basis::Basis;
use crate::domain::facts::{CertificateKind, CertificateStatus, ContributionStatus, Coverage, FilingStatus, Payment};
use crate::domain::labels;
use crate::domain::remedy::Remedy;
use crate::domain::said::Language;

/// Lines of text in one language.
struct Lines {
    language: Language,
    lines: Vec<String>,
}

/// The text of the language that is spoken.
fn pick<'a>(language: Language, en: &'a str, zh: &'a str) -> &'a str {
    match language {
        Language::English => en,
        Language::Chinese => zh,
    }
}

impl Lines {
    fn new(language: Language) -> Self {
        Self { language, lines: Vec::new() }
    }

    fn pick<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        pick(self.language, en, zh)
    }

    /// `label: text`, indented.
    fn say(&mut self, en: &str, zh: &str, text: &str) {
        let line = match self.language {
            Language::English => format!("    {en}: {text}"),
            Language::Chinese => format!("    {zh}：{text}"),
        };
        self.lines.push(line);
    }

    fn basis(&mut self, basis: &Basis) {
        let rule = format!("{} [{}]", basis.rule.get(self.language), basis.law);
        self.say("rule", "规则", &rule);
        for entry in &basis.policy {
            let from = self.pick("from", "起");
            let span = match self.language {
                Language::English => format!("{} {from} {}", entry.list, entry.from),
                Language::Chinese => format!("{} {}{from}", entry.list, entry.from),
            };
            self.say("policy", "政策条目", &format!("{span} ({})", entry.source));
        }
    }

    fn remedy(&mut self, remedy: &Remedy) {
        self.say("to do", "处理办法", remedy.what.get(self.language));
        if !remedy.by_whom.is_empty() {
            let parties: Vec<&str> = remedy.by_whom.iter().map(|by| by.said.get(self.language)).collect();
            let parties = parties.join(self.pick(", ", "、"));
            self.say("by", "由谁办理", &parties);
        }
        self.say("evidence", "证明材料", remedy.document.get(self.language));
    }
}

/// The whole explanation.
pub fn text(explanation: &Explanation, language: Language) -> String {
    let Explanation { month, employer_uscc, person_id, id_number, weight, business_date, seq, policy_version, .. } =
        explanation;
    let head = match language {
        Language::English => {
            let verdict = match (explanation.passed, explanation.conflict) {
                (true, _) => "counts",
                (false, true) => "does not count, in conflict",
                (false, false) => "does not count",
            };
            format!(
                "{month} {employer_uscc} person {} {id_number}: {verdict}, weight {weight}\nas of {business_date}, publish {seq}, policy {policy_version}",
                person_id.0
            )
        }
        Language::Chinese => {
            let verdict = match (explanation.passed, explanation.conflict) {
                (true, _) => "计入",
                (false, true) => "不计入（重复申报）",
                (false, false) => "不计入",
            };
            format!(
                "{month} {employer_uscc} 人员{} {id_number}：{verdict}，权重{weight}\n截至{business_date}，发布序号{seq}，政策版本{policy_version}",
                person_id.0
            )
        }
    };
    let mut parts = vec![head];
    parts.extend(explanation.conflict_evidence.as_ref().map(|conflict| conflict_text(conflict, language)));
    parts.extend(explanation.checks.iter().map(|check| check_text(check, language)));
    parts.join("\n")
}

/// What is told of a conflict.
pub fn conflict_text(conflict: &ConflictEvidence, language: Language) -> String {
    let mut lines = Lines::new(language);
    lines.lines.push(match language {
        Language::English => format!("Ⅹ conflict: {}", conflict.told.en),
        Language::Chinese => format!("Ⅹ 重复申报：{}", conflict.told.zh),
    });
    for other in &conflict.others {
        let stake = match (other.holds_claim, other.prevails, other.would_pass) {
            (true, ..) => lines.pick("holds the claim", "已认定该月"),
            (false, true, _) => lines.pick("prevails by decision", "经裁定计入该单位"),
            (false, false, true) => lines.pick("would pass too", "同样通过"),
            (false, false, false) => lines.pick("has a stake", "有关联"),
        };
        let told = format!("{}, {stake}", other.uscc);
        lines.say("other employer", "另一单位", &told);
    }
    lines.basis(&conflict.basis);
    lines.remedy(&conflict.remedy);
    lines.lines.join("\n")
}

/// What is told of one check.
pub fn check_text(evidence: &CheckEvidence, language: Language) -> String {
    let mut lines = Lines::new(language);
    let (sign, column) = (evidence.sign.as_str(), labels::column(evidence.check));
    let says = evidence.says.get(language);
    lines.lines.push(match language {
        Language::English => format!("{sign} {column} {}: {} ({says})", evidence.check, evidence.code),
        Language::Chinese => format!("{sign} {column}：{says}"),
    });
    if evidence.code == "not_applicable" {
        return lines.lines.join("\n");
    }
    values(&mut lines, evidence);
    for record in &evidence.rests_on {
        let told = record_text(record, language);
        lines.say("rests on", "依据", &told);
    }
    for passed in &evidence.passed_over {
        let because = passed.because.get(language);
        let told = match language {
            Language::English => format!("{}; because {because}", record_text(&passed.record, language)),
            Language::Chinese => format!("{}；原因：{because}", record_text(&passed.record, language)),
        };
        lines.say("passed over", "未采用", &told);
    }
    for passed in &evidence.contracts_passed_over {
        let because = passed.because.get(language);
        let told = match language {
            Language::English => format!("{}; because {because}", contract_text(&passed.contract, language)),
            Language::Chinese => format!("{}；原因：{because}", contract_text(&passed.contract, language)),
        };
        lines.say("passed over", "未采用", &told);
    }
    missing(&mut lines, evidence);
    lines.basis(&evidence.basis);
    if let Some(remedy) = &evidence.remedy {
        lines.remedy(remedy);
    }
    lines.lines.join("\n")
}

/// The value found and the value required.
fn values(lines: &mut Lines, evidence: &CheckEvidence) {
    if let Some(required) = evidence.required {
        let period = evidence.period.map(|period| period.to_string()).unwrap_or_default();
        let told = match (lines.language, evidence.found) {
            (Language::English, Some(found)) => format!("{found} yuan for {period}, required {required} yuan"),
            (Language::English, None) => format!("nothing for {period}, required {required} yuan"),
            (Language::Chinese, Some(found)) => format!("{period} {found}元，要求{required}元"),
            (Language::Chinese, None) => format!("{period}无，要求{required}元"),
        };
        lines.say("found", "实际", &told);
    }
    if let Some(contract) = &evidence.contract {
        let told = contract_text(contract, lines.language);
        lines.say("rests on", "依据", &told);
    }
    if let (Some(from), Some(to)) = (evidence.old_enough_on, evidence.retires_on) {
        let told = match lines.language {
            Language::English => format!("of working age from {from}, retirement age reached on {to}"),
            Language::Chinese => format!("{from}满最低就业年龄，{to}达到法定退休年龄"),
        };
        lines.say("found", "实际", &told);
    }
}

/// What is not there: waited for, looked for, refused.
fn missing(lines: &mut Lines, evidence: &CheckEvidence) {
    let language = lines.language;
    if let Some(pending) = &evidence.pending {
        let since = pending.since.map(|day| match language {
            Language::English => format!("; waiting since {day}"),
            Language::Chinese => format!("；自{day}起等待"),
        });
        let told = format!("{}{}", pending.told.get(language), since.unwrap_or_default());
        lines.say("pending", "待到数", &told);
        for source in &pending.waits_for {
            lines.say("waits for", "等待来源", source.said().get(language));
        }
    }
    if let Some(looked_for) = &evidence.looked_for {
        lines.say("looked for", "已查找", looked_for.told.get(language));
        for source in &looked_for.sources {
            lines.say("in", "来源", source.said().get(language));
        }
    }
    for refused in &evidence.refused {
        let field = refused.field.as_deref().map(|field| format!(" ({field})")).unwrap_or_default();
        let place = format!("{} {}/{}/{}", refused.source, refused.batch_id, refused.page_number, refused.row_number);
        let told = match language {
            Language::English => format!(
                "record {} in quarantine, {}{field}, {place}, delivered {}",
                refused.quarantine_id,
                refused.code,
                clock::rfc3339(refused.delivered_at)
            ),
            Language::Chinese => format!(
                "隔离记录{}，{}{field}，{place}，送达{}",
                refused.quarantine_id,
                refused.code,
                clock::rfc3339(refused.delivered_at)
            ),
        };
        lines.say("refused", "被拒数据", &told);
    }
    if let Some(pending) = &evidence.pending {
        lines.remedy(&pending.to_do);
    }
}

fn contract_text(contract: &ContractEvidence, language: Language) -> String {
    let establishment = contract.kind == "establishment";
    match language {
        Language::English => {
            let kind = if establishment { "establishment post" } else { "labour contract" };
            let end = contract.ends_on.map_or_else(|| "open-ended".to_owned(), |day| format!("to {day}"));
            let ended = contract.terminated_on.map(|day| format!(", terminated on {day}")).unwrap_or_default();
            format!("{kind} from {} {end}{ended}", contract.starts_on)
        }
        Language::Chinese => {
            let kind = if establishment { "在编" } else { "劳动合同" };
            let end = contract.ends_on.map_or_else(|| "无固定期限".to_owned(), |day| format!("至{day}"));
            let ended = contract.terminated_on.map(|day| format!("，{day}解除")).unwrap_or_default();
            format!("{kind}{}{end}{ended}", contract.starts_on)
        }
    }
}

fn record_text(record: &Record, language: Language) -> String {
    let origin = &record.origin;
    let (delivered, stamped) = (clock::rfc3339(origin.delivered_at), clock::rfc3339(origin.updated_at));
    let place = format!("{} {}/{}/{}", origin.source, origin.batch_id, origin.page_number, origin.row_number);
    let says = says_text(&record.says, language);
    match language {
        Language::English => format!("{says} ({place}, delivered {delivered}, stamped {stamped})"),
        Language::Chinese => format!("{says}（{place}，送达{delivered}，数据时间{stamped}）"),
    }
}

fn says_text(says: &Says, language: Language) -> String {
    let until = |day: &Option<chrono::NaiveDate>| match (language, day) {
        (Language::English, Some(day)) => format!("to {day}"),
        (Language::English, None) => "without end".to_owned(),
        (Language::Chinese, Some(day)) => format!("至{day}"),
        (Language::Chinese, None) => "长期".to_owned(),
    };
    match says {
        Says::Wage { unit, amount } => {
            let unit = unit.said();
            match (language, amount) {
                (Language::English, Some(amount)) => format!("{amount} yuan from {}", unit.en),
                (Language::English, None) => format!("a wage from {}", unit.en),
                (Language::Chinese, Some(amount)) => format!("{}发放{amount}元", unit.zh),
                (Language::Chinese, None) => format!("{}发放的工资", unit.zh),
            }
        }
        Says::Insurance { unit, coverage, status, payment } => {
            let back = *payment == Payment::BackPayment;
            let coverage_text = match coverage {
                Coverage::Employee => pick(language, "employee insurance", "职工保险"),
                Coverage::Resident => pick(language, "residents' insurance", "居民保险"),
            };
            let status_text = match (status, back) {
                (ContributionStatus::Paid, false) => pick(language, "paid", "已缴"),
                (ContributionStatus::Paid, true) => pick(language, "paid afterwards", "已补缴"),
                (ContributionStatus::Owed, _) => pick(language, "owed", "欠费"),
            };
            let unit = unit.said();
            match language {
                Language::English => format!("{coverage_text} through {}, {status_text}", unit.en),
                Language::Chinese => format!("{}{coverage_text}，{status_text}", unit.zh),
            }
        }
        Says::Certificate { certificate, level, valid_from, valid_to, status, status_since } => {
            let kind = match certificate {
                CertificateKind::DisabledPerson => "残疾人证",
                CertificateKind::DisabledSoldier => "残疾军人证",
            };
            let status_text = match status {
                CertificateStatus::Valid => pick(language, "valid", "有效"),
                CertificateStatus::Expired => pick(language, "expired", "过期"),
                CertificateStatus::Frozen => pick(language, "frozen", "冻结"),
                CertificateStatus::Cancelled => pick(language, "cancelled", "注销"),
                CertificateStatus::Replaced => pick(language, "replaced", "换发"),
            };
            match language {
                Language::English => {
                    let since = status_since.map(|day| format!(" since {day}")).unwrap_or_default();
                    format!("{kind} level {level} from {valid_from} {}, {status_text}{since}", until(valid_to))
                }
                Language::Chinese => {
                    let since = status_since.map(|day| format!("（{day}起）")).unwrap_or_default();
                    format!("{kind}{level}级，{valid_from}{}，{status_text}{since}", until(valid_to))
                }
            }
        }
        Says::Filing { province, valid_from, valid_to, filing } => {
            let status = match filing {
                FilingStatus::Approved => pick(language, "approved", "已通过"),
                FilingStatus::Pending => pick(language, "pending", "待审核"),
                FilingStatus::Rejected => pick(language, "rejected", "不通过"),
                FilingStatus::Revoked => pick(language, "revoked", "已撤销"),
            };
            match language {
                Language::English => {
                    format!("filing for province {province} from {valid_from} {}, {status}", until(valid_to))
                }
                Language::Chinese => format!("省份代码{province}的备案，{valid_from}{}，{status}", until(valid_to)),
            }
        }
    }
}
