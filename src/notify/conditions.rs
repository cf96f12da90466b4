//! What is wrong, derived from what is stored; each in English and in Chinese.

use chrono::{DateTime, TimeDelta, Utc};

use super::lateness::lateness;
use super::{Installation, Said};
use crate::clock::{business_date, rfc3339};
use crate::config::{AlertSettings, JobKind};
use crate::domain::reconciliation::Class;
use crate::store::alerts::{AlertKind, Condition, REPLAY_OF};
use crate::store::event_deliveries::PausedSubscription;
use crate::store::failed_jobs::LastEnd;
use crate::store::look_ups::RefusedLookUps;
use crate::store::metrics::SourceFigure;
use crate::store::outbox_lines::{Contradicted, OutboxFigure};
use crate::store::readiness::Finding;
use crate::store::reconciliations::{DifferenceFigure, RefusedStatement};

/// What was looked at.
pub(super) struct Seen {
    pub now: DateTime<Utc>,
    /// How far this machine's clock is before the database's.
    pub skew: TimeDelta,
    /// How the last of each job ended.
    pub ends: Vec<LastEnd>,
    pub sources: Vec<SourceFigure>,
    pub outbox: Vec<OutboxFigure>,
    pub contradicted: Option<Contradicted>,
    /// Where this runs.
    pub machine: String,
    /// What is wrong with the keys.
    pub keys: Option<Finding>,
    /// Employers whose look-ups were refused today.
    pub look_ups: Vec<RefusedLookUps>,
    /// Where the tax department and we differ.
    pub differences: Vec<DifferenceFigure>,
    /// Years whose statement was not believed.
    pub statements: Vec<RefusedStatement>,
    /// Subscriptions whose receiver took nothing for too long.
    pub paused: Vec<PausedSubscription>,
}

/// A handful of refused rows is daily business; a share of them is a changed form.
const REFUSALS_THAT_MATTER: i64 = 20;
/// Requests are signed with the time: a peer refuses what is further away.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(60);
/// What an installation has one of.
const INSTALLATION: &str = "installation";
const TAX_DEPARTMENT: &str = "tax department";

/// Everything that is wrong, each cause once.
pub(super) fn conditions(seen: &Seen, installation: &Installation<'_>) -> Vec<Condition> {
    let Installation { jobs, alerts: settings, .. } = *installation;
    let mut found = Vec::new();
    let mut add = |kind, subject: &str, said: Said| {
        let Said { text, chinese } = said;
        found.push(Condition { kind, subject: subject.to_owned(), text, chinese });
    };
    for end in seen.ends.iter().filter(|end| end.failed()) {
        let subject = if end.replay { format!("{REPLAY_OF}{}", end.job) } else { end.job.clone() };
        add(AlertKind::RunFailed, &subject, failed(end));
    }
    for source in &seen.sources {
        let job = jobs.iter().find(|job| job.name == source.job);
        if let Some(late) = job.and_then(|job| lateness(job, source, seen.now)) {
            add(AlertKind::SourceLate, &source.job, late);
        }
        if source.held > 0 {
            add(AlertKind::DeliveryHeld, &source.job, held(source));
        }
        if let Some(said) = quarantine(source, settings) {
            add(AlertKind::QuarantineLarge, &source.job, said);
        }
    }
    if let Some(said) = receipts(seen, settings) {
        add(AlertKind::ReceiptMissing, TAX_DEPARTMENT, said);
    }
    if let Some(figure) = seen.outbox.iter().find(|figure| figure.state == "unknown") {
        add(AlertKind::MessageUnknown, TAX_DEPARTMENT, unknown(figure));
    }
    if let Some(found) = &seen.contradicted {
        add(AlertKind::MessageContradicted, TAX_DEPARTMENT, contradicted(found));
    }
    if let Some(said) = nobody_to_tell(seen, installation) {
        add(AlertKind::TaxNotSet, TAX_DEPARTMENT, said);
    }
    if let Some(finding) = &seen.keys {
        let text = format!("the keys {}", finding.text);
        let chinese = format!("密钥有误：{}", finding.text);
        add(AlertKind::KeysWrong, INSTALLATION, Said { text, chinese });
    }
    if seen.skew.abs() > MOST_SKEW {
        add(AlertKind::ClockWrong, &seen.machine, skewed(seen.skew));
    }
    if let Some(why) = installation.broken_jobs {
        let text = format!(
            "the job files changed and cannot be worked with: {why}. The jobs as they were before go on; `renzheng check` tells everything \
             that is wrong"
        );
        let chinese =
            format!("任务文件有改动但无法使用：{why}。程序继续按原来的任务运行；运行 `renzheng check` 查看全部错误");
        add(AlertKind::JobsBroken, &seen.machine, Said { text, chinese });
    }
    // what the program repairs by itself matters once it is still there at the next look
    let for_people = |figure: &&DifferenceFigure| figure.class.can_be_settled() || figure.lasting > 0;
    for figure in seen.differences.iter().filter(for_people) {
        add(AlertKind::DifferenceOpen, figure.class.as_str(), differing(figure));
    }
    for statement in &seen.statements {
        add(AlertKind::StatementRefused, &statement.year.to_string(), not_believed(statement));
    }
    for subscription in &seen.paused {
        add(
            AlertKind::SubscriptionPaused,
            &format!("subscription {}", subscription.subscription_id),
            paused(subscription),
        );
    }
    let today = business_date(seen.now);
    for refused in &seen.look_ups {
        add(AlertKind::LookUpsRefused, &format!("{} {today}", refused.uscc), look_ups(refused));
    }
    found
}

fn paused(subscription: &PausedSubscription) -> Said {
    let PausedSubscription { subscription_id, account, host, paused_at, waiting } = subscription;
    let since = rfc3339(*paused_at);
    Said {
        text: format!(
            "the receiver of subscription {subscription_id} ({account}, {host}) took no event for a week, so that it is paused since {since}; \
             {waiting} events wait. Once it works again its user goes on by `renzheng subscription resume {subscription_id}`"
        ),
        chinese: format!(
            "订阅 {subscription_id}（{account}，{host}）的接收端一周未接收任何事件，自 {since} 起暂停，{waiting} 个事件待发送。接收端恢复后由订阅用户运行 \
             `renzheng subscription resume {subscription_id}` 继续"
        ),
    }
}

fn differing(figure: &DifferenceFigure) -> Said {
    let DifferenceFigure { class, count, oldest_at, .. } = figure;
    let since = rfc3339(*oldest_at);
    let (gate, chinese_gate) = match class {
        Class::MissingHere => (
            ". Until then nothing leaves after a start but what takes them back",
            "。在此之前，程序启动后除撤回外不再发送任何报文",
        ),
        _ => ("", ""),
    };
    Said {
        text: format!(
            "{count} employers' years differ from what the tax department holds ({class}), the oldest since {since}; it is for {}: {}{gate}. \
             `renzheng reconcile list` names them",
            class.owner(),
            class.way_out()
        ),
        chinese: format!(
            "有 {count} 个单位年度与税务部门不一致（{class}），最早自 {since} 起，由{}处理：{}{chinese_gate}。运行 `renzheng reconcile list` 查看",
            class.owner().chinese(),
            class.chinese()
        ),
    }
}

fn not_believed(statement: &RefusedStatement) -> Said {
    let RefusedStatement { year, at, why } = statement;
    let at = rfc3339(*at);
    Said {
        text: format!(
            "the tax department's statement of {year} was not believed at {at}, and nothing was changed: {why}"
        ),
        chinese: format!("税务部门 {year} 年度的对账单在 {at} 未被采信，未作任何更改：{why}"),
    }
}

fn look_ups(refused: &RefusedLookUps) -> Said {
    let RefusedLookUps { uscc, missed, refused, .. } = refused;
    Said {
        text: format!(
            "{missed} look-ups of {uscc} found nobody today and {refused} more were refused: somebody may be trying numbers out. The audit log \
             names who asked (`look_up`); speak with the employer"
        ),
        chinese: format!(
            "单位 {uscc} 今日有 {missed} 次查询未匹配，另有 {refused} 次被拒绝，可能有人在试探证件号码。审计日志（`look_up`）记有查询人；请与该单位联系"
        ),
    }
}

fn failed(end: &LastEnd) -> Said {
    let again = if end.replay { "quarantine replay --job" } else { "run" };
    let LastEnd { job, state, .. } = end;
    let at = rfc3339(end.ended_at);
    let number = end.run_number.map(|number| number.to_string()).unwrap_or_default();
    let why = end.error.as_deref().unwrap_or("no reason is known");
    Said {
        text: format!(
            "run {number} of `{job}` ended {state} at {at}: {why}. What was stored stays; `renzheng runs show {number}` tells more, \
             `renzheng {again} {job}` goes on"
        ),
        chinese: format!(
            "任务 `{job}` 的第 {number} 次运行于 {at} 失败（{state}）：{why}。已入库的数据不受影响；运行 `renzheng runs show {number}` 查看详情，\
             运行 `renzheng {again} {job}` 继续"
        ),
    }
}

fn held(source: &SourceFigure) -> Said {
    let SourceFigure { job, held, .. } = source;
    let deliveries = if *held == 1 { "a delivery".to_owned() } else { format!("{held} deliveries") };
    Said {
        text: format!(
            "{deliveries} of `{job}` waits, held, and nothing of it is visible until a person decides: `renzheng runs {job}` says why, then \
             `renzheng runs release` or `renzheng runs discard`"
        ),
        chinese: format!(
            "数据源 `{job}` 有 {held} 批数据被暂挂，在人工决定之前不生效：运行 `renzheng runs {job}` 查看原因，再运行 `renzheng runs release` 放行\
             或 `renzheng runs discard` 放弃"
        ),
    }
}

fn quarantine(source: &SourceFigure, settings: &AlertSettings) -> Option<Said> {
    let SourceFigure { job, refused, .. } = source;
    let (all, ratio) = (source.records + refused, settings.quarantine_ratio);
    let share = *refused as f64 / all.max(1) as f64;
    (*refused >= REFUSALS_THAT_MATTER && share > ratio).then(|| Said {
        text: format!(
            "{refused} of {all} records of `{job}` lie refused in quarantine, more than quarantine_ratio = {ratio} allows: `renzheng \
             quarantine list --job {job}` shows them, `renzheng quarantine replay` reads them again once the job's mapping is mended"
        ),
        chinese: format!(
            "数据源 `{job}` 的 {all} 条记录中有 {refused} 条被拒收隔离，超过 quarantine_ratio = {ratio}：运行 `renzheng quarantine list --job {job}` \
             查看，修正字段映射后运行 `renzheng quarantine replay` 重新读取"
        ),
    })
}

/// States of messages that the tax department has not answered for good, in both languages.
const OPEN: [(&str, &str); 3] = [("waiting", "待发送"), ("sent", "已发送未答复"), ("unknown", "答复不明")];

fn open(seen: &Seen) -> impl Iterator<Item = &OutboxFigure> + Clone {
    seen.outbox.iter().filter(|figure| OPEN.iter().any(|(state, _)| *state == figure.state))
}

/// Messages that wait for their answer: how many, and the oldest with its state.
fn waiting(seen: &Seen) -> Option<(i64, &OutboxFigure)> {
    let oldest = open(seen).min_by_key(|figure| figure.oldest_at)?;
    Some((open(seen).map(|figure| figure.messages).sum(), oldest))
}

/// Whose the oldest message of a state is.
fn oldest_of(figure: &OutboxFigure) -> String {
    let year = figure.oldest_year.map(|year| year.to_string()).unwrap_or_default();
    format!("{} {year}", figure.oldest_uscc.as_deref().unwrap_or_default())
}

/// What kind of trouble the last attempt had: the first part of what was said of it.
fn class(figure: &OutboxFigure) -> &str {
    figure.last_error.as_deref().map_or("", |error| error.split(": ").next().unwrap_or_default())
}

fn receipts(seen: &Seen, settings: &AlertSettings) -> Option<Said> {
    let (messages, oldest) = waiting(seen)?;
    let late = (seen.now - oldest.oldest_at).to_std().is_ok_and(|age| age > settings.receipt_after.duration());
    if !late {
        return None;
    }
    let states: Vec<String> = open(seen).map(|figure| format!("{} {}", figure.messages, figure.state)).collect();
    let chinese_of = |state: &str| OPEN.iter().find(|(known, _)| *known == state).map_or("", |(_, chinese)| *chinese);
    let chinese_states: Vec<String> =
        open(seen).map(|figure| format!("{} {} 条", chinese_of(&figure.state), figure.messages)).collect();
    let (whose, at, after) = (oldest_of(oldest), rfc3339(oldest.oldest_at), settings.receipt_after);
    let (ended, chinese_ended) = match class(oldest) {
        "" => (String::new(), String::new()),
        class => (format!(", its last attempt: {class}"), format!("，最近一次发送结果：{class}")),
    };
    Some(Said {
        text: format!(
            "{messages} messages to the tax department wait for their answer ({}), the oldest that of {whose} since {at}{ended}; that is longer \
             than receipt_after = {after} allows: `renzheng push status` shows them, what holds them and the last answer",
            states.join(", ")
        ),
        chinese: format!(
            "有 {messages} 条发往税务部门的报文未收到回执（{}），最早一条为 {whose}，自 {at} 起{chinese_ended}，已超过 receipt_after = {after}：\
             运行 `renzheng push status` 查看报文、暂停情况和最近的答复",
            chinese_states.join("，")
        ),
    })
}

fn unknown(figure: &OutboxFigure) -> Said {
    let (messages, whose, class) = (figure.messages, oldest_of(figure), class(figure));
    Said {
        text: format!(
            "of {messages} messages it is unknown what became of them at the tax department, the oldest that of {whose}: {class}. They are asked \
             about again and never guessed; `renzheng push status --state unknown` lists them, `renzheng push show` has each answer as it came, to be \
             shown to the department"
        ),
        chinese: format!(
            "有 {messages} 条报文在税务部门的结果不明，最早一条为 {whose}：{class}。系统会继续查询，不作推测；运行 `renzheng push status --state unknown` \
             查看清单，运行 `renzheng push show` 查看原始答复并与税务部门核对"
        ),
    }
}

fn contradicted(found: &Contradicted) -> Said {
    let Contradicted { messages, message_id, uscc, year } = found;
    Said {
        text: format!(
            "of {messages} messages the tax department now says the opposite of what it had answered for good, the first {message_id} of {uscc} \
             {year}. The declarations stand as they were answered first; `renzheng push show {message_id}` has both answers. Settle it with the \
             department, then `renzheng push retry {message_id} --why …` asks it again"
        ),
        chinese: format!(
            "有 {messages} 条报文，税务部门目前的答复与此前的最终答复相反，首条为 {uscc} {year} 的 {message_id}。申报状态仍以首次答复为准；\
             运行 `renzheng push show {message_id}` 查看两次答复，与税务部门核实后运行 `renzheng push retry {message_id} --why …` 重新查询"
        ),
    }
}

/// By which the tax department is named.
const VARIABLES: &str = "RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID, RENZHENG_TAX_KEY";

/// Something is to be handed over, and nobody is named to whom.
fn nobody_to_tell(seen: &Seen, installation: &Installation<'_>) -> Option<Said> {
    let pushes = installation.jobs.iter().any(|job| job.kind == JobKind::Push);
    let (messages, _) = waiting(seen).filter(|_| pushes && !installation.tax_is_set)?;
    Some(Said {
        text: format!(
            "{messages} messages wait for the tax department, which is not set: {VARIABLES}, or `[tax]` in `renzheng.toml`. They stay and go \
             out once it is"
        ),
        chinese: format!(
            "有 {messages} 条报文待发往税务部门，但尚未配置税务接口：{VARIABLES}，或 `renzheng.toml` 的 `[tax]`。报文会保留，配置后自动发送"
        ),
    })
}

fn skewed(skew: TimeDelta) -> Said {
    let seconds = skew.abs().num_seconds();
    let (side, chinese_side) = if skew > TimeDelta::zero() { ("before", "快") } else { ("behind", "慢") };
    Said {
        text: format!(
            "this machine's clock is {seconds} s {side} the database's: signed requests will be refused; let both keep time by NTP"
        ),
        chinese: format!("本机时钟比数据库{chinese_side} {seconds} 秒：签名请求会被拒绝；请让两者都通过 NTP 对时"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(job: &str, replay: bool, state: &str) -> LastEnd {
        LastEnd {
            job: job.to_owned(),
            replay,
            run_number: Some(7),
            state: state.to_owned(),
            ended_at: "2026-04-15T02:00:00+08:00".parse().expect("an instant"),
            error: Some("the agency cannot be reached".to_owned()),
        }
    }

    #[test]
    fn what_failed_and_nothing_else_is_told_with_the_command_that_goes_on() {
        let ends = vec![
            end("pull-wage", false, "failed"),
            end("pull-medical", false, "held"),
            end("push", false, "done"),
            end("verify", false, "crashed"),
            end("pull-wage", true, "timed_out"),
        ];
        let seen = Seen {
            now: "2026-04-15T03:00:00+08:00".parse().expect("an instant"),
            skew: TimeDelta::seconds(-60),
            ends,
            sources: Vec::new(),
            outbox: Vec::new(),
            contradicted: None,
            machine: "here".to_owned(),
            keys: None,
            look_ups: Vec::new(),
            differences: Vec::new(),
            statements: Vec::new(),
            paused: Vec::new(),
        };
        let alerts = AlertSettings::default();
        let found =
            conditions(&seen, &Installation { jobs: &[], alerts: &alerts, tax_is_set: false, broken_jobs: None });
        let subjects: Vec<&str> = found.iter().map(|condition| condition.subject.as_str()).collect();
        assert_eq!(subjects, ["pull-wage", "verify", "replay of pull-wage"]);
        assert_eq!(
            found[2].text,
            "run 7 of `pull-wage` ended timed_out at 2026-04-15T02:00:00+08:00: the agency cannot be reached. What was stored stays; \
             `renzheng runs show 7` tells more, `renzheng quarantine replay --job pull-wage` goes on"
        );
        assert!(found.iter().all(|condition| condition.chinese.contains("已入库的数据不受影响")), "{found:?}");
    }
}
