//! Reminders as a run: what is agreed to be completed on the last day is, and who is not finished near the end hears of it, once a threshold.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::clock;
use crate::config::{AlertSettings, Job};
use crate::declare::consent::{complete_by_consent, fails};
use crate::declare::unfinished::find_unfinished;
use crate::declare::{DeclareError, Declaring};
use crate::domain::facts::UnitId;
use crate::domain::reminder::{days_left, threshold};
use crate::errors;
use crate::notify::reminder::{Term, completed, to_employer, to_staff};
use crate::notify::{self, recipients};
use crate::store::reminders::{Declarer, To, Told};
use crate::store::runs::{Ending, Started, Trigger};
use crate::store::{Store, StoreError};
use crate::verify::Reading;

/// Employers that are looked at with one question.
const AT_ONCE: i64 = 200;
/// So near the end sources that are late are told of too.
const LATE_IS_TOLD: u16 = 7;

/// What a reminding did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reminded {
    /// The threshold that the day has reached; none outside the window and long before its end.
    pub days_before: Option<u16>,
    /// Declarations completed because their employer had agreed.
    pub completed: u64,
    /// Employers that were not finished and heard of it now, or could be told to nobody.
    pub employers: u64,
    /// Divisions whose staff heard of it now.
    pub divisions: u64,
    /// Employers of whom it could not be said, with their cause in the run's lines; the next run tries again.
    pub failed: u64,
}

/// Why a reminding did not end.
#[derive(Debug, thiserror::Error)]
pub enum RemindError {
    #[error("reminders could not be read or put down")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Declare(#[from] DeclareError),
    #[error(transparent)]
    Notify(#[from] notify::NotifyError),
}

/// What reminds.
#[derive(Clone, Copy)]
pub struct Reminding<'a> {
    pub store: &'a Store,
    pub reading: &'a Reading,
    /// All jobs: which sources are late follows from them.
    pub jobs: &'a [Job],
    pub alerts: &'a AlertSettings,
}

impl Reminding<'_> {
    /// Completes what is agreed and tells who is not finished; the run's record says how much.
    pub async fn remind(&self, job: &Job, by: impl Into<Trigger<'_>>) -> Result<Reminded, RemindError> {
        let run = self.store.start_run("remind", &job.name, by).await?;
        let mut reminded = Reminded::default();
        let outcome = self.store.journal(&run, Box::pin(self.remind_as(job, &run, &mut reminded))).await;
        let ending = if outcome.is_ok() { Ending::Done } else { Ending::Failed };
        let why = outcome.as_ref().err().map(|error| errors::chain(error));
        let counts = serde_json::to_value(reminded).unwrap_or_default();
        self.store.finish_run(&run, ending, &counts, why.as_deref()).await?;
        outcome.map(|()| reminded)
    }

    async fn remind_as(&self, job: &Job, run: &Started, reminded: &mut Reminded) -> Result<(), RemindError> {
        let (policy, today) = (&self.reading.policy, run.business_date);
        let Some(year) = policy.declarable_year(today) else { return Ok(()) };
        let window = policy.window(year);
        let Some(days_left) = days_left(window, today) else { return Ok(()) };
        let term = Term { year, last_day: window.1, days_left };
        if self.is_time_to_complete(term, run.at) {
            self.complete_consenting(term, reminded).await?;
        }
        let Some(days_before) = threshold(days_left, &job.days_before) else { return Ok(()) };
        reminded.days_before = Some(days_before);
        let late =
            if days_left <= LATE_IS_TOLD { notify::late_sources(self.store, self.jobs).await? } else { Vec::new() };
        self.tell_employers(term, days_before, &late, reminded).await?;
        self.tell_staff(term, days_before, &late, reminded).await
    }

    /// On the last day, from the time that is set.
    fn is_time_to_complete(&self, term: Term, now: DateTime<Utc>) -> bool {
        clock::business_date(now) == term.last_day
            && now >= clock::shanghai(term.last_day, self.alerts.remind.consent_at)
    }

    async fn complete_consenting(&self, term: Term, reminded: &mut Reminded) -> Result<(), RemindError> {
        let mut after = UnitId(0);
        loop {
            let employers = self.store.list_consenting(term.year, after, AT_ONCE).await?;
            let Some(last) = employers.last() else { return Ok(()) };
            after = *last;
            for employer in employers {
                let declaring = Declaring { employer, year: term.year };
                match complete_by_consent(self.store, self.reading, declaring).await {
                    // it must be done by a person: who is open hears of it once more, on this day of all days
                    Ok(None) => {
                        let before = UnitId(employer.0 - 1);
                        let declarers = self.store.list_declarers(term.year, 0, before, 1).await?;
                        for declarer in declarers.iter().filter(|declarer| declarer.employer == employer) {
                            reminded.employers += u64::from(self.tell_employer(term, 0, &[], declarer).await?);
                        }
                    }
                    Ok(Some(done)) => {
                        let codes = self.store.unit_codes(&[employer]).await?;
                        let uscc = codes.get(&employer).map(ToString::to_string).unwrap_or_default();
                        let wording = completed(&uscc, term, &done.certification_number);
                        let told =
                            Told { kind: "completed", to: To::Employer(employer), year: term.year, days_before: 0 };
                        let findings = serde_json::json!({ "version": done.version });
                        let targets = recipients::of_employer(&self.alerts.remind);
                        let at = self.store.now().await?;
                        // another process may have been first: it is told and counted once
                        let first = self.store.save_reminder(told, &findings, &wording, targets, at).await?;
                        reminded.completed += u64::from(first);
                    }
                    Err(error) => pass_over(employer, error, reminded)?,
                }
            }
        }
    }

    async fn tell_employers(
        &self,
        term: Term,
        days_before: u16,
        late: &[String],
        reminded: &mut Reminded,
    ) -> Result<(), RemindError> {
        let mut after = UnitId(0);
        loop {
            let declarers = self.store.list_declarers(term.year, days_before, after, AT_ONCE).await?;
            let Some(last) = declarers.last() else { return Ok(()) };
            after = last.employer;
            for declarer in &declarers {
                match self.tell_employer(term, days_before, late, declarer).await {
                    Ok(told) => reminded.employers += u64::from(told),
                    Err(error) => pass_over(declarer.employer, error, reminded)?,
                }
            }
        }
    }

    /// False if the employer is finished, or heard of it meanwhile.
    async fn tell_employer(
        &self,
        term: Term,
        days_before: u16,
        late: &[String],
        declarer: &Declarer,
    ) -> Result<bool, DeclareError> {
        let at = self.store.now().await?;
        let waited = TimeDelta::from_std(self.alerts.receipt_after.duration()).unwrap_or(TimeDelta::MAX);
        let receipts_due = at.checked_sub_signed(waited).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let policy = &self.reading.policy;
        let found = find_unfinished(self.store, policy, term.year, declarer, receipts_due, at).await?;
        let Some(mut missing) = found else { return Ok(false) };
        let targets = recipients::of_employer(&self.alerts.remind);
        missing.contact_missing = targets.is_empty();
        let declaring = Declaring { employer: declarer.employer, year: term.year };
        missing.consent_fails = fails(self.store, self.reading, declaring).await?;
        let wording = to_employer(declarer.uscc.as_str(), term, &missing, late);
        let findings = serde_json::to_value(missing)?;
        let told = Told { kind: "reminder", to: To::Employer(declarer.employer), year: term.year, days_before };
        Ok(self.store.save_reminder(told, &findings, &wording, targets, at).await?)
    }

    async fn tell_staff(
        &self,
        term: Term,
        days_before: u16,
        late: &[String],
        reminded: &mut Reminded,
    ) -> Result<(), RemindError> {
        for (division, targets) in recipients::of_staff(&self.alerts.remind) {
            let told = Told { kind: "summary", to: To::Division(division), year: term.year, days_before };
            if self.store.has_reminder(told).await? {
                continue;
            }
            let summary = self.store.summarise_reminders(division, term.year, days_before).await?;
            if summary.employers == 0 {
                continue;
            }
            let wording = to_staff(division, term, &summary, late);
            let findings = serde_json::to_value(summary).map_err(DeclareError::from)?;
            let at = self.store.now().await?;
            reminded.divisions += u64::from(self.store.save_reminder(told, &findings, &wording, targets, at).await?);
        }
        Ok(())
    }
}

/// One employer of whom nothing can be said does not keep the others from hearing; a database that is out keeps everybody.
fn pass_over(employer: UnitId, error: DeclareError, reminded: &mut Reminded) -> Result<(), RemindError> {
    if let DeclareError::Store(error) = error {
        return Err(error.into());
    }
    tracing::error!(employer = employer.0, error = errors::chain(&error), "an employer was passed over");
    reminded.failed += 1;
    Ok(())
}

/// Who drives this by hand names no other day: what is told depends on what there is now.
pub fn is_today(date: Option<NaiveDate>, now: DateTime<Utc>) -> bool {
    date.is_none_or(|date| date == clock::business_date(now))
}
