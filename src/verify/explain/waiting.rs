//! What is not known and when it will be: the sources that answer for a check, whether one is late, and what is waited for.

use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock;
use crate::domain::facts::{RecordKind, Scheme};
use crate::domain::judge::Waiting;
use crate::domain::month::Month;
use crate::domain::remedy::{Delivery, Remedy, while_pending};
use crate::domain::said::Said;
use crate::store::facts::Freshness;
use crate::store::quarantine::RefusedRecord;

/// How one source stands that answers for a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceState {
    pub job: String,
    /// Shanghai date of the fetch of the last whole pull.
    pub last_whole_on: Option<NaiveDate>,
    /// Of a register that was never pulled whole: the Shanghai date on which its job was set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_up_on: Option<NaiveDate>,
    /// By period: the last one that is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_through: Option<Month>,
    /// By period: a pull from this day on makes it complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// The first day on which the last whole pull was older than it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_since: Option<NaiveDate>,
}

impl SourceState {
    /// `set_up_on`: when the job came into being, where that is known.
    pub fn of(source: &Freshness, period: Option<Month>, today: NaiveDate, set_up_on: Option<NaiveDate>) -> Self {
        let settings = &source.settings;
        let days = |number: i32| Days::new(number.max(0) as u64);
        let by_period = matches!(settings.record, RecordKind::Wage | RecordKind::Insurance);
        let settled = if by_period { source.settled_through() } else { None };
        let due_on = period.filter(|_| by_period).map(|period| period.last_day() + days(settings.settles_after_days));
        let open = period.is_some_and(|period| settled.is_none_or(|through| through < period));
        let overdue = due_on.filter(|due| open && *due < today).map(|due| due + Days::new(1));
        let stale = source
            .last_whole_on
            .map(|on| on + days(settings.stale_after_days) + Days::new(1))
            .filter(|since| *since <= today);
        Self {
            job: settings.job.clone(),
            last_whole_on: source.last_whole_on,
            set_up_on: set_up_on.filter(|_| source.last_whole_on.is_none() && !by_period),
            settled_through: settled,
            due_on,
            late_since: overdue.or(stale),
        }
    }

    /// The period is not complete yet.
    fn is_open(&self, period: Month) -> bool {
        self.settled_through.is_none_or(|through| through < period)
    }

    pub fn said(&self) -> Said {
        let pulled = match (self.last_whole_on, self.set_up_on) {
            (Some(on), _) => (format!("last whole pull on {on}"), format!("最近一次完整拉取{on}")),
            (None, Some(on)) => (format!("never pulled whole, set up on {on}"), format!("{on}接入，从未完整拉取")),
            (None, None) => ("never pulled whole".to_owned(), "从未完整拉取".to_owned()),
        };
        let through = self
            .settled_through
            .map(|through| (format!(", complete through {through}"), format!("，数据完整至{through}")));
        let late = self.late_since.map(|since| (format!(", late since {since}"), format!("，自{since}起逾期")));
        let ((through_en, through_zh), (late_en, late_zh)) = (through.unwrap_or_default(), late.unwrap_or_default());
        let en = format!("{}: {}{through_en}{late_en}", self.job, pulled.0);
        let zh = format!("{}：{}{through_zh}{late_zh}", self.job, pulled.1);
        Said::new(en, zh)
    }
}

/// What a pending code waits for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PendingEvidence {
    #[serde(flatten)]
    pub told: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDate>,
    /// The day from which on it should be known, if that is to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<SourceState>,
    pub to_do: Remedy,
}

/// What a waiting check is told by.
#[derive(Debug, JsonSchema)]
pub struct Waited<'a> {
    pub waiting: Waiting,
    pub period: Option<Month>,
    pub sources: &'a [SourceState],
    pub refused: &'a [RefusedRecord],
    /// The day on which the person became concerned.
    pub concerned_on: Option<NaiveDate>,
    pub today: NaiveDate,
}

impl Waited<'_> {
    pub fn told(&self) -> PendingEvidence {
        let period = self.period.map(|period| period.to_string()).unwrap_or_default();
        let (told, since, until, waits_for) = match self.waiting {
            Waiting::NotSettled => {
                let open = |source: &&SourceState| self.period.is_none_or(|period| source.is_open(period));
                let waits_for: Vec<SourceState> = self.sources.iter().filter(open).cloned().collect();
                let until = waits_for.iter().filter_map(|source| source.due_on).max().filter(|due| *due >= self.today);
                let since = self.period.and_then(|period| period.last_day().succ_opt());
                (not_settled(&period, &waits_for, until), since, until, waits_for)
            }
            Waiting::Stale => {
                // of a register one source that is fresh is enough
                let late_since = self.sources.iter().filter_map(|source| source.late_since).max();
                let since = late_since.or_else(|| self.sources.iter().filter_map(|source| source.set_up_on).min());
                let told = if self.sources.is_empty() {
                    Said::new("no source of this kind is set up", "尚未配置该类数据来源")
                } else if self.never_pulled() {
                    Said::new(
                        "the register was never pulled whole, so that nobody knows what it holds",
                        "登记数据从未完整拉取，尚不知有无记录",
                    )
                } else {
                    Said::new(
                        "the register was not pulled lately, so that what is not there may be",
                        "登记数据较久未更新，缺少的记录可能已存在",
                    )
                };
                (told, since, None, self.sources.to_vec())
            }
            Waiting::RefusedRecord => {
                let since = self.refused.iter().map(|record| clock::business_date(record.delivered_at)).min();
                let told = Said::new(
                    "a record that may be the missing one was refused and lies in quarantine",
                    "可能对应的数据被拒收，正在隔离待处理",
                );
                (told, since, None, Vec::new())
            }
            Waiting::RepullDue => {
                let told = Said::new(
                    "the person is new here, and the source has not been asked for them since",
                    "该人员为新登记人员，数据来源尚未补取",
                );
                (told, self.concerned_on, None, self.sources.to_vec())
            }
        };
        let delivery = if waits_for.is_empty() {
            Delivery::NoSource
        } else if waits_for.iter().any(|source| source.late_since.is_some()) {
            Delivery::Late
        } else if self.never_pulled() {
            Delivery::Never
        } else {
            Delivery::InTime
        };
        PendingEvidence { told, since, until, to_do: while_pending(self.waiting, until, delivery), waits_for }
    }

    fn never_pulled(&self) -> bool {
        self.sources.iter().all(|source| source.last_whole_on.is_none())
    }
}

fn not_settled(period: &str, waits_for: &[SourceState], until: Option<NaiveDate>) -> Said {
    let jobs: Vec<&str> = waits_for.iter().map(|source| source.job.as_str()).collect();
    if jobs.is_empty() {
        return Said::new(
            format!("no source delivers {period} for the employer's place"),
            format!("没有数据来源提供用人单位所在地{period}的数据"),
        );
    }
    let (en, zh) = (jobs.join(", "), jobs.join("、"));
    match until {
        Some(day) => Said::new(
            format!("{period} is not due yet: it counts as delivered by a whole pull of {en} on or after {day}"),
            format!("{period}数据尚未到期：{zh}在{day}或之后完整拉取后视为到齐"),
        ),
        None => Said::new(
            format!("{period} has not been delivered whole by {en}, which is past its day"),
            format!("{period}数据已过到期日，{zh}尚未完整提供"),
        ),
    }
}

/// What was looked for and not found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LookedFor {
    #[serde(flatten)]
    pub told: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Month>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceState>,
}

/// Open refused records that may be the one asked for.
pub fn of_check(
    refused: &[RefusedRecord],
    record: RecordKind,
    scheme: Option<Scheme>,
    period: Option<Month>,
) -> Vec<RefusedRecord> {
    let may_be = |line: &&RefusedRecord| {
        let same = |asked: Option<i32>, said: Option<i32>| match (asked, said) {
            (Some(asked), Some(said)) => asked == said,
            _ => true,
        };
        line.record == i16::from(record.number())
            && same(scheme.map(|scheme| i32::from(scheme.number())), line.scheme.map(i32::from))
            && same(period.map(Month::index), line.period)
    };
    refused.iter().filter(may_be).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::{JobSettings, SourceId};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn source(record: RecordKind, last_whole_on: Option<&str>) -> Freshness {
        Freshness {
            source: SourceId(1),
            settings: JobSettings {
                job: "pull-wage".to_owned(),
                record,
                settles_after_days: 45,
                stale_after_days: 7,
                schemes: Vec::new(),
                divisions: Vec::new(),
                concerned_only: false,
            },
            last_whole_on: last_whole_on.map(day),
            complete_seq: i64::MAX,
        }
    }

    fn december(last_whole_on: Option<&str>, today: &str) -> PendingEvidence {
        let period = "2025-12".parse().ok();
        let sources = [SourceState::of(&source(RecordKind::Wage, last_whole_on), period, day(today), None)];
        let waited = Waited {
            waiting: Waiting::NotSettled,
            period,
            sources: &sources,
            refused: &[],
            concerned_on: None,
            today: day(today),
        };
        waited.told()
    }

    #[test]
    fn a_period_inside_its_delay_says_when_it_is_due_and_asks_for_nothing() {
        // 31 December 2025 + 45 days = 14 February 2026
        let told = december(Some("2026-01-09"), "2026-01-10");
        assert_eq!((told.since, told.until), (Some(day("2026-01-01")), Some(day("2026-02-14"))));
        assert_eq!(told.waits_for[0].late_since, None);
        assert!(told.to_do.what.en.starts_with("nothing until 2026-02-14"), "{}", told.to_do.what.en);
    }

    #[test]
    fn a_source_past_the_day_is_late_since_the_day_after_and_staff_act() {
        let told = december(Some("2026-02-13"), "2026-02-16");
        assert_eq!(told.until, None);
        assert_eq!(told.waits_for[0].late_since, Some(day("2026-02-15")));
        assert!(!told.to_do.by_whom.is_empty());
        let never = december(None, "2026-03-01");
        assert_eq!((never.waits_for[0].last_whole_on, never.waits_for[0].late_since), (None, Some(day("2026-02-15"))));
    }

    #[test]
    fn a_source_that_should_be_pulled_daily_is_late_once_it_is_stale_even_before_the_due_day() {
        let told = december(Some("2026-01-01"), "2026-01-10");
        assert_eq!(told.waits_for[0].late_since, Some(day("2026-01-09")));
        let register = |today: &str| {
            SourceState::of(&source(RecordKind::Certificate, Some("2026-01-01")), None, day(today), None).late_since
        };
        assert_eq!((register("2026-01-08"), register("2026-01-09")), (None, Some(day("2026-01-09"))));
    }

    /// What is told of a register on 20 January 2026 whose sources were pulled whole on these days, all set up on 2 January.
    fn register(pulls: &[Option<&str>]) -> PendingEvidence {
        let today = day("2026-01-20");
        let state = |pulled: Option<&str>| {
            SourceState::of(&source(RecordKind::Certificate, pulled), None, today, Some(day("2026-01-02")))
        };
        let sources: Vec<SourceState> = pulls.iter().copied().map(state).collect();
        let waiting = Waiting::Stale;
        Waited { waiting, period: None, sources: &sources, refused: &[], concerned_on: None, today }.told()
    }

    #[test]
    fn a_register_that_was_never_pulled_is_told_as_such_since_it_was_set_up() {
        let never = register(&[None]);
        assert!(never.told.en.contains("never pulled whole") && never.told.zh.contains("从未完整拉取"), "{never:?}");
        assert_eq!((never.since, never.until), (Some(day("2026-01-02")), None));
        assert!(never.to_do.what.en.contains("never pulled whole"), "{}", never.to_do.what.en);
        assert_eq!(never.waits_for[0].said().en, "pull-wage: never pulled whole, set up on 2026-01-02");
        let stale = register(&[None, Some("2026-01-10")]);
        assert!(stale.told.en.contains("not pulled lately"), "{}", stale.told.en);
        assert_eq!(stale.since, Some(day("2026-01-18")), "seven days after it was pulled last, it is late");
        assert_eq!(stale.waits_for[1].set_up_on, None, "it was pulled, and that says more");
        let nobody = register(&[]);
        assert_eq!((nobody.told.en.as_str(), nobody.since), ("no source of this kind is set up", None));
        assert!(nobody.to_do.what.en.contains("set up"), "{}", nobody.to_do.what.en);
    }

    #[test]
    fn a_refused_record_may_be_the_one_asked_for_unless_it_says_otherwise() {
        let refused = |period: Option<&str>, scheme: Option<Scheme>| RefusedRecord {
            quarantine_id: 1,
            source: "pull-pension".to_owned(),
            batch_id: 1,
            page_number: 0,
            row_number: 0,
            code: "checksum".to_owned(),
            field: None,
            delivered_at: "2026-01-10T00:00:00Z".parse().expect("instant"),
            record: i16::from(RecordKind::Insurance.number()),
            period: period.map(|text| text.parse::<Month>().expect("month").index()),
            scheme: scheme.map(|scheme| i16::from(scheme.number())),
        };
        let found = |line| {
            let period = "2025-09".parse().ok();
            of_check(&[line], RecordKind::Insurance, Some(Scheme::Pension), period).len()
        };
        assert_eq!(found(refused(None, None)), 1);
        assert_eq!(found(refused(Some("2025-09"), Some(Scheme::Pension))), 1);
        assert_eq!(found(refused(Some("2025-10"), None)), 0);
        assert_eq!(found(refused(Some("2025-09"), Some(Scheme::Medical))), 0);
        let wages = of_check(&[refused(None, None)], RecordKind::Wage, None, None);
        assert_eq!(wages.len(), 0);
    }
}
