//! One look at the clock: fires that are due are decided, work that waited long enough is let go, jobs that fail again and again are paused.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::decide::{LATE, Situation, Verdict, decide};
use super::waiting::{Predecessor, Readiness, readiness};
use super::{ACTOR, Known, Schedule};
use crate::clock;
use crate::config::{Job, JobKind, Tick};
use crate::domain::access::Actor;
use crate::store::StoreError;
use crate::store::fires::{Decided, Decision, ScheduleLine};
use crate::store::task_history::Waiting;
use crate::store::tasks::{NewTask, Priority};

/// Fires of one job that are decided at once; the rest comes next.
const MOST_AT_ONCE: usize = 1000;

impl Schedule {
    /// Decides everything that is due now. Several processes may tick at once, and any of them as often as it likes.
    pub async fn tick(&self) -> Result<(), StoreError> {
        self.jobs.reread(&self.store).await?;
        let known = self.known();
        let now = self.store.now().await?;
        let schedules = self.store.list_schedules().await?;
        for job in &known.jobs {
            let schedule = schedules.iter().find(|schedule| schedule.job == job.name);
            self.pause_if_failing(job, schedule).await?;
            self.fire(job, schedule, now).await?;
        }
        self.let_go(&known, now).await?;
        self.queue_for_concerned(now).await
    }

    async fn fire(&self, job: &Job, known: Option<&ScheduleLine>, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(cron) = &job.schedule else { return Ok(()) };
        let line = format!("{} {}", cron.as_str(), job.timezone.name());
        let same_line = |schedule: &ScheduleLine| schedule.line.as_ref() == Some(&line);
        let due = |from: DateTime<Utc>| cron.ticks_after(from, &job.timezone).take_while(|tick| tick.at <= now);
        if known.is_some_and(|known| same_line(known) && due(known.decided_until).next().is_none()) {
            return Ok(());
        }
        // a look every minute that finds nothing is no fire: a record of each would say nothing
        let idle = job.kind == JobKind::DeliverEvents && !self.store.has_due_deliveries(now).await?;
        let mut deciding = self.store.decide_fires(&job.name, now).await?;
        let schedule = deciding.schedule.clone();
        let from = match &schedule.line {
            Some(_) if same_line(&schedule) => schedule.decided_until,
            // a new line does not fire for the past; but two processes with different lines lose no fire to each other
            Some(_) => schedule.decided_until.max(now - LATE),
            None => now,
        };
        let mut ticks: Vec<Tick> = due(from).take(MOST_AT_ONCE + 1).collect();
        let more = ticks.len() > MOST_AT_ONCE;
        ticks.truncate(if idle { 0 } else { MOST_AT_ONCE });
        let open = deciding.open_tasks().await?;
        let pause = schedule.pause.as_ref();
        let situation = Situation { now, misfire: job.misfire, overlap: job.overlap, open: &open, pause, more };
        let fires: Vec<Decided> =
            decide(&ticks, &situation).into_iter().map(|verdict| decided(job, verdict, now)).collect();
        deciding.save_fires(&fires).await?;
        let until = ticks.last().filter(|_| more).map_or(now, |last| last.at);
        deciding.commit(until, &line).await?;
        for fire in &fires {
            tracing::info!(job = %job.name, nominal_at = %clock::rfc3339(fire.nominal_at), decision = %fire.decision, why = %fire.why, "fire decided");
        }
        Ok(())
    }

    /// A job that failed as often in a row as it may is paused until a person resumes it.
    async fn pause_if_failing(&self, job: &Job, known: Option<&ScheduleLine>) -> Result<(), StoreError> {
        let (Some(most), Some(known)) = (job.pause_after, known) else { return Ok(()) };
        if known.pause.is_some() {
            return Ok(());
        }
        let failed = self.store.failed_in_a_row(&job.name, known.resumed_at, most).await?;
        if failed >= most {
            let why = format!(
                "failed {failed} times in a row (`pause_after`); `renzheng jobs resume {}` ends the pause",
                job.name
            );
            if self.store.pause_job(&job.name, &Actor::program(ACTOR), &why).await? {
                tracing::error!(job = %job.name, failed, "paused: it failed again and again");
            }
        }
        Ok(())
    }

    /// Lets go what waited for other jobs long enough.
    async fn let_go(&self, known: &Known, now: DateTime<Utc>) -> Result<(), StoreError> {
        let waiting = self.store.list_waiting().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let schedules = self.store.list_schedules().await?;
        for task in waiting {
            let patient = task.patient_until.is_none_or(|until| now < until);
            let standings = self.store.standings(&task.after, task.business_date).await?;
            let predecessors: Vec<Predecessor> = standings
                .into_iter()
                .map(|standing| {
                    let expected = is_expected(known, &standing.job, &task, &schedules);
                    Predecessor { standing, expected }
                })
                .collect();
            if let Readiness::Ready { missing } = readiness(&predecessors, patient) {
                for missing in &missing {
                    tracing::warn!(job = %task.job, %missing, "goes on without a job that goes first");
                }
                self.store.release_task(task.task_id, &missing).await?;
            }
        }
        Ok(())
    }
}

/// Whether a fire of a job is still to come on the business date of the work that waits, before patience ends.
fn is_expected(known: &Known, name: &str, waiting: &Waiting, schedules: &[ScheduleLine]) -> bool {
    let Some((job, cron)) = known.find(name).and_then(|job| Some((job, job.schedule.as_ref()?))) else {
        return false;
    };
    let Some(schedule) = schedules.iter().find(|schedule| schedule.job == name) else { return false };
    let just_before = clock::start_of_day(waiting.business_date) - TimeDelta::seconds(1);
    let next = cron.next_after(schedule.decided_until.max(just_before), &job.timezone);
    next.is_some_and(|next| {
        clock::business_date(next.at) == waiting.business_date
            && waiting.patient_until.is_none_or(|until| next.at <= until)
    })
}

/// A fire with its work, if it runs.
fn decided(job: &Job, verdict: Verdict, now: DateTime<Utc>) -> Decided {
    let Verdict { nominal_at, decision, why } = verdict;
    let business_date = clock::business_date(nominal_at);
    let task = (decision == Decision::Run).then(|| {
        let key = format!("{} {}", job.name, clock::rfc3339(nominal_at));
        let patience = TimeDelta::from_std(job.after_patience.duration()).unwrap_or(TimeDelta::MAX);
        NewTask {
            due_at: nominal_at + jitter(job),
            after: job.after.clone(),
            patient_until: nominal_at.max(now).checked_add_signed(patience),
            ..new_task(job, key, business_date, now, ACTOR)
        }
    });
    Decided { nominal_at, business_date, decision, why, task }
}

/// Work of a job, to begin at once.
pub(super) fn new_task(job: &Job, key: String, date: NaiveDate, at: DateTime<Utc>, created_by: &str) -> NewTask {
    NewTask {
        kind: job.kind.as_str(),
        key,
        job: job.name.clone(),
        days: None,
        business_date: date,
        priority: Priority::Night,
        due_at: at,
        after: Vec::new(),
        patient_until: None,
        attempts: job.retry.attempts,
        created_by: created_by.to_owned(),
    }
}

/// How much later than its schedule says a job begins: by its name, so always the same.
fn jitter(job: &Job) -> TimeDelta {
    let most_ms = u64::try_from(job.jitter.duration().as_millis()).unwrap_or(u64::MAX);
    if most_ms == 0 {
        return TimeDelta::zero();
    }
    let digest = Sha256::digest(job.name.as_bytes());
    let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    TimeDelta::milliseconds((number % most_ms) as i64)
}
