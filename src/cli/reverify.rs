//! `renzheng verify --employer`, `--person`: verified at once, after the sources were asked if so wished; what changed, and what stands now.

use super::Ended;
use super::context::{Context, usage};
use super::output::Output;
use super::results::whose;
use super::table::grid;
use super::verify::unjudged;
use crate::config::{Job, JobKind};
use crate::declare::reverify::{AskedSource, ChangedCheck, Outcome, Permitted, Verification};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::verdict::Verdict;
use crate::errors::chain;
use crate::ingest::{self, PullError};
use crate::store::reverifications::Reverification;
use crate::verify::grid::{GridLine, GridMonth};

/// Whom to verify, of a year.
pub(super) struct Asked<'a> {
    pub(super) year: i32,
    /// With its code.
    pub(super) employer: Option<(UnitId, &'a str)>,
    /// Without an employer: at every employer of theirs.
    pub(super) person: Option<PersonId>,
    /// The sources that can be asked for single persons are asked first.
    pub(super) fresh: bool,
}

pub(super) async fn reverify(context: &Context, asked: &Asked<'_>, out: Output) -> anyhow::Result<Ended> {
    let Context { store, actor, .. } = context;
    let reading = context.policy()?;
    let placements = placements(context, asked).await?;
    let permitted = Permitted::note(store, &reading, actor, placements, asked.fresh).await?;
    // their settings are what is judged by, whether or not a source is asked
    let jobs = context.jobs().await?;
    let sources = if asked.fresh { ask_sources(context, asked, &jobs).await? } else { Vec::new() };
    let unanswered = sources.iter().any(|source| source.state != "done");
    let found = permitted.verify(store, &reading, actor).await?;
    for mut verification in found.verifications {
        verification.sources.clone_from(&sources);
        verification.ended = asked.fresh.then(|| if unanswered { "done_with_refusals" } else { "done" }.to_owned());
        let code = verification.employer_uscc.clone();
        if verification.outcome.as_ref().is_some_and(|outcome| !outcome.results.is_empty()) {
            let object = format!("results {}: {}", asked.year, whose(Some(&code), asked.person));
            context.note_looks(vec![object], false).await?;
        }
        out.value(&verification, describe)?;
    }
    for line in unjudged(&found.without_wage_class) {
        eprintln!("{line}");
    }
    Ok(Ended::of(unanswered || !found.without_wage_class.is_empty()))
}

/// Nobody is verified, and no source is asked, who has no placement there.
async fn placements(context: &Context, asked: &Asked<'_>) -> anyhow::Result<Vec<Reverification>> {
    let Asked { year, employer, person, .. } = *asked;
    let placement = |employer| Reverification { employer, person, year };
    let Some(person) = person else { return Ok(employer.map(|(unit, _)| placement(unit)).into_iter().collect()) };
    let mut placed = context.store.list_employers_of(person, year).await?;
    placed.retain(|unit| employer.is_none_or(|(named, _)| *unit == named));
    if placed.is_empty() {
        return Err(unplaced(year, employer.map(|(_, code)| code)));
    }
    Ok(placed.into_iter().map(placement).collect())
}

/// What is said of a person who has no placement where one is looked for.
pub(super) fn unplaced(year: i32, employer: Option<&str>) -> anyhow::Error {
    let at = employer.map_or_else(String::new, |code| format!(" at {code}"));
    usage(format!("this person has no placement{at} in {year}"))
}

/// Asks each source that can be asked for single persons. One that does not answer keeps nobody from what the others say: what was pulled
/// of it last stands.
async fn ask_sources(context: &Context, asked: &Asked<'_>, jobs: &[Job]) -> anyhow::Result<Vec<AskedSource>> {
    let Context { store, environment, actor, .. } = context;
    let persons = match (asked.person, asked.employer) {
        (Some(person), _) => vec![person],
        (None, Some((employer, _))) => store.placed_persons(asked.year, employer, store.head().await?).await?,
        (None, None) => Vec::new(),
    };
    let mut sources = Vec::new();
    if persons.is_empty() {
        return Ok(sources);
    }
    for job in jobs.iter().filter(|job| job.kind == JobKind::Pull) {
        let (state, records, changed) =
            match ingest::pull_persons(store, job, environment, &persons, None, &actor.name).await {
                Ok(None) => {
                    eprintln!("{}: cannot be asked for one person; what was pulled last stands", job.name);
                    continue;
                }
                Ok(Some(counts)) => {
                    let state = if counts.refused > 0 { "done_with_refusals" } else { "done" };
                    (state, counts.read, counts.new + counts.changed)
                }
                Err(error) => {
                    eprintln!("warning: {}: {}; what was pulled last stands", job.name, chain(&error));
                    let late = matches!(error, PullError::Timeout(_) | PullError::Unanswered(_));
                    (if late { "timed_out" } else { "failed" }, 0, 0)
                }
            };
        sources.push(AskedSource { job: job.name.clone(), state: state.to_owned(), records, changed });
    }
    Ok(sources)
}

fn describe(verification: &Verification) -> String {
    let Verification { employer_uscc, year, sources, outcome, .. } = verification;
    let mut lines: Vec<String> = sources
        .iter()
        .map(|AskedSource { job, state, records, changed }| {
            format!("{job}: {state}, {records} records, {changed} of them new or changed")
        })
        .collect();
    let Some(Outcome { seq, differences, results }) = outcome else { return lines.join("\n") };
    let changed = differences.len();
    lines.push(format!("{employer_uscc} {year}: verified at publish {seq}, {changed} checks of months changed"));
    lines.extend(differences.iter().map(told));
    for line in results {
        let GridLine { person_id, name, id_number, .. } = line;
        lines.push(format!("\n{employer_uscc}  person {}  {name}  {id_number}", person_id.0));
        lines.push(grid(&months(line)));
    }
    lines.join("\n")
}

fn told(difference: &ChangedCheck) -> String {
    let ChangedCheck { person_id, month, check, before, now } = difference;
    let before = before.as_deref().unwrap_or("not verified");
    format!("    person {} {month} {check}: {before} → {now}", person_id.0)
}

fn months(line: &GridLine) -> Vec<(Month, Verdict)> {
    let verdict = |month: &GridMonth| {
        let verdict = Verdict { codes: month.checks, conflict: month.conflict, weight: month.weight };
        (month.month, verdict)
    };
    line.months.iter().map(verdict).collect()
}
