//! The past: what was published, ruled and stored by an instant, and by the point at which a verification run judged.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Store, StoreError};

/// A verification that has read what it judges by.
#[derive(Clone, Debug)]
pub struct PastVerification {
    pub number: i32,
    /// The publish sequence, the day and the policy by which it judged.
    pub seq: i64,
    pub business_date: NaiveDate,
    pub policy_version: String,
    pub state: String,
    pub started_at: DateTime<Utc>,
    /// It judged some persons, not everybody whom something touched.
    pub part: bool,
}

/// The verification runs that had ended at an instant: those up to a number, but for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRuns {
    pub up_to: i32,
    pub but: Vec<i32>,
}

/// Which of everything that was ever stored of a placement's year is read: its last version that was written …
#[derive(Clone, Debug)]
pub enum Written {
    /// … at all: as it stands now.
    Now,
    /// … by one of these runs: as it stood at the instant at which they had ended.
    ///
    /// Of a row is known which run wrote it, not when. What a run that was going on at the instant had written by then is not seen; what is
    /// seen was stored by then, all of it.
    By(EndedRuns),
    /// … by a run that judged at this sequence under this number, or before: as it stood after that run. A later run at an earlier
    /// sequence does not count, nor does an earlier one that had read more.
    UpTo { seq: i64, number: i32 },
}

impl EndedRuns {
    /// SQL over integers only: whether a run is one of these.
    fn sql(&self, run: &str) -> String {
        let but: Vec<String> = self.but.iter().map(ToString::to_string).collect();
        format!("{run} <= {} and {run} <> all('{{{}}}'::integer[])", self.up_to, but.join(","))
    }
}

impl Written {
    /// What rows of a year are read from, of those that `filter` lets through, both SQL over integers only: a row a placement.
    ///
    /// Versions of a row follow each other by the sequence at which they were judged, then by their latest run: no other is ever written
    /// over the one before it. Who wrote a version is told by the one that it replaced, unless it replaced none or came after that one was
    /// taken away: then all its months are of one run. What nobody wrote over was taken away with its placement.
    pub(super) fn source(&self, filter: &str) -> String {
        let (stood, gone) = match self {
            Self::Now => return "verification as stood".to_owned(),
            Self::By(ended) => (ended.sql("writer"), ended.sql("gone_by")),
            Self::UpTo { seq, number } => {
                (format!("(seq, writer) <= ({seq}, {number})"), format!("gone_by <= {number}"))
            }
        };
        let version =
            "person_id, employer_id, year, cells, runs, seq, (select max(run) from unnest(runs) as run) as last_run";
        format!(
            "(select person_id, employer_id, year, cells, runs
              from (select distinct on (person_id, employer_id) *
                    from (select *, case when lead(writer) over versions is distinct from replaced_by then replaced_by end as gone_by
                          from (select *, greatest(lag(replaced_by) over versions, (select min(run) from unnest(runs) as run)) as writer
                                from (select {version}, null::integer as replaced_by from verification where {filter}
                                      union all
                                      select {version}, replaced_by from verification_history where {filter}) as ever
                                window versions as (partition by person_id, employer_id order by seq, last_run)) as written
                          window versions as (partition by person_id, employer_id order by seq, last_run)) as version
                    where {stood}
                    order by person_id, employer_id, seq desc, last_run desc) as latest
              where gone_by is null or not ({gone})) as stood"
        )
    }
}

impl Store {
    /// The last publish of which is certain that it was there at an instant: it and all before it began by then. A publish bears the
    /// instant at which what it publishes began, which may be before those of its predecessors.
    ///
    /// Looks at the publishes up to there one by one: less than a fifth of a second for a million.
    pub async fn head_at(&self, at: DateTime<Utc>) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select coalesce((select min(seq) - 1 from publish where published_at > $1), (select seq from publish_head)) as "seq!""#,
            at
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The last verification that had begun at an instant: by its policy was judged then.
    pub async fn find_verification_begun(&self, at: DateTime<Utc>) -> Result<Option<PastVerification>, StoreError> {
        Ok(sqlx::query_as!(
            PastVerification,
            r#"select run_number as number, seq as "seq!", business_date, policy_version as "policy_version!", state, started_at, part
               from run where kind = 'verify' and started_at <= $1 and seq is not null and policy_version is not null
               order by started_at desc, run_number desc limit 1"#,
            at
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// A verification by its run's number; `None`: the run is none, or never came to judge.
    pub async fn find_verification(&self, number: i32) -> Result<Option<PastVerification>, StoreError> {
        Ok(sqlx::query_as!(
            PastVerification,
            r#"select run_number as number, seq as "seq!", business_date, policy_version as "policy_version!", state, started_at, part
               from run where kind = 'verify' and run_number = $1 and seq is not null and policy_version is not null"#,
            number
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The verifications that had ended at an instant, well or not; `None`: none had.
    pub async fn find_ended_runs(&self, at: DateTime<Utc>) -> Result<Option<EndedRuns>, StoreError> {
        Ok(sqlx::query_as!(
            EndedRuns,
            r#"select last.number as "up_to!",
                      array(select run_number from run
                            where kind = 'verify' and run_number < last.number and (finished_at is null or finished_at > $1)
                            order by run_number) as "but!"
               from (select max(run_number) as number from run
                     where kind = 'verify' and seq is not null and finished_at <= $1) as last
               where last.number is not null"#,
            at
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The policy text of a version that was ever used.
    pub async fn find_policy(&self, version: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!("select content from policy where version = $1", version)
            .fetch_optional(&self.pool)
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::publish::Cause;
    use super::super::testing::Database;
    use super::*;

    #[tokio::test]
    async fn an_instant_sees_no_publish_behind_one_that_began_later() {
        let database = Database::open().await;
        let store = &database.store;
        let day = "2026-04-15T10:00:00Z".parse::<DateTime<Utc>>().expect("an instant");
        let at = |seconds| day + chrono::TimeDelta::seconds(seconds);
        assert_eq!(store.head_at(at(0)).await.expect("a sequence"), 0, "nothing was published ever");
        // the third began before the second, and came after it
        for (cause, seconds) in [(Cause::Pull, 0), (Cause::Entry, 20), (Cause::Completion, 10), (Cause::Entry, 50)] {
            store.publish(cause, at(seconds)).await.expect("begun").commit().await.expect("published");
        }
        for (seconds, head) in [(-1, 0), (0, 1), (10, 1), (19, 1), (20, 3), (49, 3), (50, 4), (900, 4)] {
            assert_eq!(store.head_at(at(seconds)).await.expect("a sequence"), head, "{seconds} s");
        }
    }
}
