//! What programs that subscribed are told, and when a delivery that failed is tried again; `schemas/events/event.json` is its shape.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::Serialize;

use super::facts::{PersonId, words};
use super::ids::Uscc;
use super::message::MessageKind;
use super::month::{Month, SHANGHAI};
use super::verdict::{Codes, Verdict};

words! {
    /// What is told.
    EventKind {
        /// Verification says something else of a placement's months than before.
        CellChanged = "cell_changed",
        /// Staff decided a month, or took a decision back.
        DecisionMade = "decision_made",
        /// The tax department answered for good.
        AnswerReceived = "answer_received",
        /// Nothing happened: whoever subscribed tries the way out.
        Ping = "ping",
    }
}

impl EventKind {
    /// What can be subscribed to; a ping comes when it is asked for.
    pub const SUBSCRIBED: [Self; 3] = [Self::CellChanged, Self::DecisionMade, Self::AnswerReceived];
}

words! {
    /// Staff's word on a month.
    DecisionWord { Approved = "approved", Rejected = "rejected", Undone = "undone" }
}

impl DecisionWord {
    pub fn of(approved: bool) -> Self {
        if approved { Self::Approved } else { Self::Rejected }
    }
}

words! {
    /// The tax department's word on a message.
    AnswerWord { Accepted = "accepted", Rejected = "rejected" }
}

/// An event as receivers get it (事件). Persons appear by an opaque number only. The same event may come twice, with the same bytes: it is
/// known by `event_id`. Events may come in another order than that in which they happened. Fields may be added: what is not known is to be
/// passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Verification says something else of a placement's months than before (核验结果变化).
    CellChanged(CellChanged),
    /// Staff decided a month, or took a decision back (审核决定).
    DecisionMade(DecisionMade),
    /// The tax department answered a message for good (税务部门回执).
    AnswerReceived(AnswerReceived),
    /// Nothing happened: a try, asked for by whoever subscribed (测试).
    Ping(Ping),
}

/// What every event says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Heading {
    /// The event's own id, a version 7 UUID; the same however often it comes (事件编号).
    #[cfg_attr(feature = "pipeline", schemars(extend("format" = "uuid")))]
    pub event_id: String,
    /// When it happened, RFC 3339 in Beijing time (发生时间).
    #[cfg_attr(feature = "pipeline", schemars(with = "String", extend("format" = "date-time")))]
    pub occurred_at: DateTime<FixedOffset>,
}

/// Whose year it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct EmployerYear {
    /// The employer's unified social credit code (统一社会信用代码).
    pub employer_uscc: Uscc,
    /// The business year (申报年度).
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1900, max = 2199)))]
    pub year: i16,
}

/// Months of a placement about which verification says something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct CellChanged {
    #[serde(flatten)]
    pub heading: Heading,
    #[serde(flatten)]
    pub subject: EmployerYear,
    /// The person's number here (人员序号).
    pub person_id: PersonId,
    /// Only those that changed, January first (变化的月份).
    #[cfg_attr(feature = "pipeline", schemars(length(min = 1, max = 12)))]
    pub months: Vec<ChangedMonth>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct ChangedMonth {
    pub month: Month,
    /// Null where the month was judged for the first time (变化前).
    pub before: Option<Cell>,
    /// What it says now (变化后).
    pub after: Cell,
}

/// What verification says of one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Cell {
    /// The code of each check (各项核验结果).
    pub codes: Codes,
    /// Another employer holds the month or would count it too (冲突).
    pub conflict: bool,
    /// Every check passes or does not apply, and there is no conflict (通过).
    pub passed: bool,
}

/// Staff's word on a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct DecisionMade {
    #[serde(flatten)]
    pub heading: Heading,
    #[serde(flatten)]
    pub subject: EmployerYear,
    /// The person's number here (人员序号).
    pub person_id: PersonId,
    /// What was decided about (月份).
    #[cfg_attr(feature = "pipeline", schemars(length(min = 1, max = 12)))]
    pub months: Vec<Month>,
    /// `undone`: no decision stands on them any more (决定).
    pub decision: DecisionWord,
}

/// The tax department's word on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct AnswerReceived {
    #[serde(flatten)]
    pub heading: Heading,
    #[serde(flatten)]
    pub subject: EmployerYear,
    /// Of the result that the message is about (版本号).
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub version: u32,
    /// Whether the message certifies that version or withdraws it (报文类型).
    pub message: MessageKind,
    /// What became of it (状态).
    pub state: AnswerWord,
}

/// A try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Ping {
    #[serde(flatten)]
    pub heading: Heading,
}

impl Heading {
    pub fn new(event_id: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self { event_id: event_id.into(), occurred_at: at.with_timezone(&SHANGHAI) }
    }
}

impl Cell {
    fn of(verdict: &Verdict) -> Self {
        Self { codes: verdict.codes, conflict: verdict.conflict, passed: verdict.passed() }
    }
}

impl ChangedMonth {
    /// `None` if nothing that is told differs: the weight says how severe a disability is, and is not told.
    pub fn between(month: Month, before: Option<&Verdict>, after: &Verdict) -> Option<Self> {
        let (before, after) = (before.map(Cell::of), Cell::of(after));
        (before.as_ref() != Some(&after)).then_some(Self { month, before, after })
    }
}

impl Event {
    pub fn kind(&self) -> EventKind {
        match self {
            Self::CellChanged(_) => EventKind::CellChanged,
            Self::DecisionMade(_) => EventKind::DecisionMade,
            Self::AnswerReceived(_) => EventKind::AnswerReceived,
            Self::Ping(_) => EventKind::Ping,
        }
    }
}

/// The waits after the first attempts, in minutes; after every later one the last.
const WAITS_MINUTES: [i64; 6] = [1, 5, 30, 2 * 60, 6 * 60, 12 * 60];

/// So long after the first attempt nobody tries again.
pub const PATIENCE: TimeDelta = TimeDelta::days(7);

/// When a delivery is tried again whose attempt of this number (from 1) has just failed; `None`: not any more. A receiver that wants to be
/// left alone for so long (`stay_away`) is, but no longer than the longest of the waits.
pub fn next_attempt(
    attempt_number: i32,
    first_tried_at: DateTime<Utc>,
    now: DateTime<Utc>,
    stay_away: TimeDelta,
) -> Option<DateTime<Utc>> {
    let last = WAITS_MINUTES.len() - 1;
    let place = usize::try_from(attempt_number - 1).unwrap_or_default().min(last);
    let [wait, longest] = [place, last].map(|place| TimeDelta::minutes(WAITS_MINUTES[place]));
    (now - first_tried_at < PATIENCE).then(|| now + wait.max(stay_away).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ever_more_rarely_for_a_week() {
        let first: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().expect("an instant");
        let (mut now, mut waits) = (first, Vec::new());
        for number in 1.. {
            let Some(next) = next_attempt(number, first, now, TimeDelta::zero()) else { break };
            waits.push((next - now).num_minutes());
            now = next;
        }
        assert_eq!(waits[..6], [1, 5, 30, 120, 360, 720]);
        assert!(waits[6..].iter().all(|wait| *wait == 720), "{waits:?}");
        assert!(now - first >= PATIENCE && now - first < PATIENCE + TimeDelta::hours(12), "{}", now - first);
    }

    #[test]
    fn a_receiver_that_wants_to_be_left_alone_is_within_the_longest_wait() {
        let now: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().expect("an instant");
        let wait = |number: i32, minutes: i64| {
            let next = next_attempt(number, now, now, TimeDelta::minutes(minutes)).expect("another attempt");
            (next - now).num_minutes()
        };
        assert_eq!([wait(1, 20), wait(3, 20), wait(1, 100_000)], [20, 30, 720]);
        let late = now + PATIENCE;
        assert_eq!(next_attempt(1, now, late, TimeDelta::minutes(20)), None, "nobody waits for more than a week");
    }

    #[test]
    fn instants_are_told_in_beijing_time() {
        let heading = Heading::new("e1", "2026-03-02T20:30:00Z".parse().expect("an instant"));
        assert_eq!(heading.occurred_at.to_rfc3339(), "2026-03-03T04:30:00+08:00");
    }

    #[test]
    fn what_differs_in_weight_alone_is_no_news() {
        let month = Month::new(2025, 3).expect("a month");
        let passing = Verdict::unpack(1 << 23).expect("a verdict");
        let severe = Verdict { weight: 2, ..passing };
        let contested = Verdict { conflict: true, ..passing };
        assert_eq!(ChangedMonth::between(month, Some(&passing), &severe), None);
        let told = ChangedMonth::between(month, Some(&passing), &contested).expect("news");
        assert_eq!((told.before.map(|cell| cell.passed), told.after.passed), (Some(true), false));
        assert!(ChangedMonth::between(month, None, &passing).is_some(), "judged for the first time");
    }
}

#[cfg(all(test, feature = "pipeline"))]
mod shape {
    use super::*;

    #[test]
    fn the_schema_of_an_event_is_the_committed_one() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Event)).expect("written") + "\n";
        let committed = include_str!("../../schemas/events/event.json");
        assert!(committed == schema, "schemas/events/event.json should hold:\n{schema}");
    }
}
