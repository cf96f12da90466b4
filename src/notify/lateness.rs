//! Whether a source is late: older than it may be, or not published since its schedule asked for it.

use chrono::{DateTime, TimeDelta, Utc};

use super::Said;
use crate::clock::rfc3339;
use crate::config::Job;
use crate::store::metrics::SourceFigure;

/// Days that are looked back for the last fire, one step after the other.
const LOOKED_BACK: [i64; 5] = [1, 7, 31, 366, 4 * 366];

/// Why the source is late, if it is.
pub(super) fn lateness(job: &Job, source: &SourceFigure, now: DateTime<Utc>) -> Option<Said> {
    let last = source.last_whole_at;
    let since = match last {
        Some(at) => format!("the last whole pull of `{}` began at {}", job.name, rfc3339(at)),
        None => format!(
            "`{}` has never been pulled whole since it was registered at {}",
            job.name,
            rfc3339(source.registered_at)
        ),
    };
    let chinese_since = match last {
        Some(at) => format!("任务 `{}` 最近一次完整拉取始于 {}", job.name, rfc3339(at)),
        None => format!("任务 `{}` 自 {} 登记以来从未完整拉取过", job.name, rfc3339(source.registered_at)),
    };
    let what_to_do = format!("look at `renzheng runs {}`; results rest on what there is until then", job.name);
    let chinese_to_do = format!("请运行 `renzheng runs {}` 查看；在此之前核验结果以已有数据为准", job.name);
    let age = now - last.unwrap_or(source.registered_at);
    if let Some(max_age) = job.gates.max_age
        && age.to_std().is_ok_and(|age| age > max_age.duration())
    {
        return Some(Said {
            text: format!("{since}, longer ago than max_age = {max_age} allows; {what_to_do}"),
            chinese: format!("{chinese_since}，已超过 max_age = {max_age}；{chinese_to_do}"),
        });
    }
    let fire = last_fire(job, now - grace(job))?;
    let missed = fire > source.registered_at && last.is_none_or(|at| at < fire);
    let fire = rfc3339(fire);
    missed.then(|| Said {
        text: format!("{since}, and nothing was published since its schedule asked for it at {fire}; {what_to_do}"),
        chinese: format!("{chinese_since}，按计划应于 {fire} 拉取，此后没有数据发布；{chinese_to_do}"),
    })
}

/// So long a fire may take until its delivery is published.
fn grace(job: &Job) -> TimeDelta {
    let patience = if job.after.is_empty() { std::time::Duration::ZERO } else { job.after_patience.duration() };
    TimeDelta::from_std(job.timeout.duration() + patience + job.jitter.duration()).unwrap_or(TimeDelta::MAX)
}

/// The last nominal fire no later than an instant.
fn last_fire(job: &Job, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let schedule = job.schedule.as_ref()?;
    LOOKED_BACK.into_iter().find_map(|days| {
        let from = before.checked_sub_signed(TimeDelta::days(days))?;
        let fires = schedule.ticks_after(from, &job.timezone).map(|tick| tick.at);
        fires.take_while(|at| *at <= before).last()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::facts::RecordKind;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn job(keys: &str) -> Job {
        let text = format!(
            "kind = \"pull\"\nrecord = \"wage\"\n{keys}\n[source]\ntype = \"file\"\npath = \"x.csv\"\nformat = \"csv\"\n"
        );
        Job::parse(Path::new("pull-wage.toml"), &text).expect("a job")
    }

    fn source(last_whole_at: Option<&str>) -> SourceFigure {
        SourceFigure {
            job: "pull-wage".to_owned(),
            record: RecordKind::Wage,
            registered_at: instant("2026-03-01T00:00:00+08:00"),
            last_whole_at: last_whole_at.map(instant),
            last_stamp_at: None,
            held: 0,
            refused: 0,
            records: 0,
            read: 0,
            changed: 0,
            same: 0,
        }
    }

    #[test]
    fn a_source_is_late_when_it_is_older_than_it_may_be_or_never_came_for_so_long() {
        let job = job("gates = { max_age = \"36h\" }");
        let last = source(Some("2026-04-01T01:30:00+08:00"));
        assert_eq!(lateness(&job, &last, instant("2026-04-02T13:30:00+08:00")), None);
        let late = lateness(&job, &last, instant("2026-04-02T13:30:01+08:00")).expect("late");
        assert!(late.text.contains("longer ago than max_age = 36h allows"), "{late:?}");
        assert_eq!(lateness(&job, &source(None), instant("2026-03-02T12:00:00+08:00")), None);
        let never = lateness(&job, &source(None), instant("2026-03-02T12:00:01+08:00")).expect("late");
        assert!(never.text.contains("never been pulled whole"), "{never:?}");
    }

    #[test]
    fn a_source_is_late_when_its_fire_led_to_nothing_in_the_time_that_a_run_may_take() {
        let job = job("schedule = \"30 1 * * *\"\ntimeout = \"2h\"");
        let last = source(Some("2026-04-01T01:30:05+08:00"));
        assert_eq!(lateness(&job, &last, instant("2026-04-02T03:29:59+08:00")), None);
        let late = lateness(&job, &last, instant("2026-04-02T03:30:00+08:00")).expect("late");
        assert!(late.text.contains("schedule asked for it at 2026-04-02T01:30:00+08:00"), "{late:?}");
        let evening = instant("2026-03-01T23:00:00+08:00");
        assert!(lateness(&job, &source(None), evening).is_some(), "its first fire led to nothing");
        let later = SourceFigure { registered_at: instant("2026-03-01T02:00:00+08:00"), ..source(None) };
        assert_eq!(lateness(&job, &later, evening), None, "it was registered after the fire");
    }

    #[test]
    fn the_last_fire_of_a_rare_schedule_is_found_too() {
        let at = instant("2026-04-15T00:00:00+08:00");
        for (line, fire) in [
            ("0 * * * *", Some("2026-04-15T00:00:00+08:00")),
            ("0 5 1 * *", Some("2026-04-01T05:00:00+08:00")),
            ("0 5 29 2 *", Some("2024-02-29T05:00:00+08:00")),
        ] {
            assert_eq!(last_fire(&job(&format!("schedule = \"{line}\"")), at), fire.map(instant), "{line}");
        }
    }
}
