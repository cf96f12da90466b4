//! `--as-of`: a point of the past, named by an instant or by a verification run.

use chrono::{DateTime, Utc};

use super::context::{Context, usage};
use crate::clock::{self, rfc3339};
use crate::domain::policy::Policy;
use crate::domain::retention::RetentionClass;
use crate::policy;
use crate::store::past::{PastVerification, Written};
use crate::verify::changes::Point;

/// What stands before the number or id of a run.
const RUN: &str = "run:";

/// A point of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AsOf {
    Instant(DateTime<Utc>),
    /// That at which a verification run judged, by its number or id.
    Run(String),
}

pub(super) fn parse_as_of(text: &str) -> Result<AsOf, String> {
    match (text.strip_prefix(RUN), text.parse()) {
        (Some(run), _) if run.parse::<i32>().is_ok() || uuid::Uuid::parse_str(run).is_ok() => {
            Ok(AsOf::Run(run.to_owned()))
        }
        (None, Ok(at)) => Ok(AsOf::Instant(at)),
        _ => Err("accepted are an instant such as 2026-04-15T08:00:00+08:00, and the number or id of a verification run such as run:123"
            .to_owned()),
    }
}

impl std::fmt::Display for AsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instant(at) => f.write_str(&rfc3339(*at)),
            Self::Run(run) => write!(f, "{RUN}{run}"),
        }
    }
}

impl AsOf {
    /// What was known, entered and ruled there, for which day. Refused where no verification tells by which policy was judged.
    pub(super) async fn known(&self, context: &Context) -> anyhow::Result<(Point, Policy)> {
        let store = &context.store;
        let class = RetentionClass::SupersededRecords;
        let (point, version) = match self {
            Self::Instant(at) => {
                context.refuse_before_horizon(class, *at).await?;
                let Some(past) = store.find_verification_begun(*at).await? else {
                    return Err(usage(format!(
                        "no verification had begun by {self}, so that no policy is known by which to judge then; `renzheng runs` lists \
                         what ran"
                    )));
                };
                let point = Point { seq: store.head_at(*at).await?, business_date: clock::business_date(*at) };
                (point, past.policy_version)
            }
            Self::Run(run) => {
                let past = verification(context, run).await?;
                if let Some(horizon) = store.find_horizon(class).await?
                    && past.seq < store.head_at(horizon).await?
                {
                    return Err(usage(format!(
                        "what run {} read is not known whole any more: `retention.{class}` keeps the past since {}",
                        past.number,
                        rfc3339(horizon)
                    )));
                }
                (Point { seq: past.seq, business_date: past.business_date }, past.policy_version)
            }
        };
        let text = store.find_policy(&version).await?;
        let text = text.ok_or_else(|| anyhow::anyhow!("the text of policy {version} is not in the database"))?;
        Ok((point, policy::recall(&text)?))
    }

    /// The publish sequence whose placements count there, and which of what was stored of them.
    pub(super) async fn stored(&self, context: &Context) -> anyhow::Result<(i64, Written)> {
        let store = &context.store;
        let class = RetentionClass::ResultHistory;
        match self {
            Self::Instant(at) => {
                context.refuse_before_horizon(class, *at).await?;
                let ended = store.find_ended_runs(*at).await?.ok_or_else(|| {
                    usage(format!(
                        "no verification had ended by {self}: there were no results; `renzheng runs` lists what ran"
                    ))
                })?;
                Ok((store.head_at(*at).await?, Written::By(ended)))
            }
            Self::Run(run) => {
                let PastVerification { number, seq, started_at, state, part, .. } = verification(context, run).await?;
                context.refuse_before_horizon(class, started_at).await?;
                if part {
                    eprintln!(
                        "run {number} judged some persons only: of the others is shown what had been stored before it"
                    );
                } else if state != "done" {
                    eprintln!(
                        "run {number} is {state}: of whom it did not judge is shown what had been stored before it"
                    );
                }
                Ok((seq, Written::UpTo { seq, number }))
            }
        }
    }
}

/// The verification of a run that has ended.
async fn verification(context: &Context, run: &str) -> anyhow::Result<PastVerification> {
    let line = context.run(run).await?;
    let (number, kind) = (line.run_number, &line.kind);
    match context.store.find_verification(number).await? {
        Some(_) if line.finished_at.is_none() => {
            Err(usage(format!("run {number} still goes on: it can be looked back at once it has ended")))
        }
        Some(past) => Ok(past),
        None if kind == "verify" => {
            Err(usage(format!("run {number} never came to judge; `renzheng runs show {number}` says why")))
        }
        None => Err(usage(format!("run {number} is of kind {kind}; --as-of accepts a run of kind verify"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_and_a_run_are_told_apart_and_nothing_else_is_taken() {
        let at: DateTime<Utc> = "2026-04-15T00:00:00Z".parse().expect("an instant");
        assert_eq!(parse_as_of("2026-04-15T08:00:00+08:00"), Ok(AsOf::Instant(at)));
        assert_eq!(parse_as_of("run:123"), Ok(AsOf::Run("123".to_owned())));
        let id = "019d8ec6-1a00-7000-8000-000000000001";
        assert_eq!(parse_as_of(&format!("run:{id}")), Ok(AsOf::Run(id.to_owned())));
        for wrong in ["123", "run:", "run:last", "run: 5", "2026-04-15", "2026-04-15T08:00:00", ""] {
            let error = parse_as_of(wrong).expect_err(wrong);
            assert!(error.contains("run:123"), "{wrong}: {error}");
        }
    }
}
