//! `renzheng results`: the stored grid, as text or as JSON lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clap::Args;
use serde::Serialize;

use super::as_of::{AsOf, parse_as_of};
use super::context::Context;
use super::output::Output;
use super::table::grid;
use super::{Common, Ended};
use crate::clock;
use crate::domain::access::{Action, Scope as Reached};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::mask_name;
use crate::domain::month::Month;
use crate::domain::verdict::Codes;
use crate::store::facts::{Persons, Scope, Shard};
use crate::store::past::Written;
use crate::store::people::Identity;
use crate::store::results::{RunOrigin, YearRow};

#[derive(Args)]
pub(super) struct ResultsArgs {
    /// Business year
    #[arg(long)]
    year: i32,
    /// Only this employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: Option<String>,
    /// Only this person: a `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: Option<String>,
    /// As they stood at this instant (RFC 3339), or after this verification run (`run:123`: its number or id)
    #[arg(long, value_name = "INSTANT|run:N", value_parser = parse_as_of)]
    as_of: Option<AsOf>,
}

/// One placement and month.
#[derive(Serialize)]
struct Line<'a> {
    employer_uscc: &'a str,
    person_id: PersonId,
    id_number: String,
    year: i32,
    month: Month,
    checks: Codes,
    passed: bool,
    conflict: bool,
    weight: u8,
    verified_at: String,
    run_id: String,
    policy_version: &'a str,
}

pub(super) async fn run(common: &Common, args: &ResultsArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = results(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn results(context: &Context, args: &ResultsArgs, out: Output) -> anyhow::Result<Ended> {
    let store = &context.store;
    let employer = match &args.employer {
        Some(code) => Some(context.employer(Action::ReadResults, code).await?),
        None => None,
    };
    let person = match &args.person {
        Some(person) => Some(context.person(person).await?),
        None => None,
    };
    let (seq, written) = match &args.as_of {
        None => (store.head().await?, Written::Now),
        Some(as_of) => as_of.stored(context).await?,
    };
    let chunks = match (person, employer, &context.actor.scope) {
        (Some(person), _, _) => vec![Persons::These(vec![person])],
        (None, Some(employer), _) => vec![Persons::These(store.placed_persons(args.year, employer, seq).await?)],
        (None, None, Reached::Units(units)) => {
            let mut persons = BTreeSet::new();
            for unit in units {
                persons.extend(store.placed_persons(args.year, *unit, seq).await?);
            }
            vec![Persons::These(persons.into_iter().collect())]
        }
        (None, None, _) => store.person_ranges(args.year, seq, Shard::WHOLE, 10_000).await?,
    };
    let past = args.as_of.as_ref().map_or_else(String::new, |as_of| format!(" as of {as_of}"));
    let what = format!("results {}{past}", args.year);
    let mut look =
        Look { context, year: args.year, what, employer: args.employer.as_deref(), person, out, noted: false };
    for persons in chunks {
        let mut rows = store.placed_rows(&Scope { year: args.year, seq, persons }, &written).await?;
        let reached = context.reached(rows.iter().map(|row| row.employer).collect()).await?;
        rows.retain(|row| employer.is_none_or(|employer| row.employer == employer) && reached.contains(&row.employer));
        look.show(&rows).await?;
    }
    if !look.noted && past.is_empty() {
        eprintln!("there are no results of {} for this; `renzheng verify --year {}` makes them", args.year, args.year);
    } else if !look.noted {
        eprintln!("there were no results of {} for this{past}", args.year);
    }
    Ok(Ended::Done)
}

/// Whose results are asked for, as the audit names them.
pub(super) fn whose(employer: Option<&str>, person: Option<PersonId>) -> String {
    let employer = employer.map_or_else(|| "every employer".to_owned(), |code| format!("employer {code}"));
    let person = person.map_or_else(|| "every person".to_owned(), |person| format!("person {}", person.0));
    format!("{employer}, {person}")
}

/// A look at results: it stands in the audit before the first of them is shown, and where none is, nowhere.
pub(super) struct Look<'a> {
    pub(super) context: &'a Context,
    pub(super) year: i32,
    /// What is looked at, as the audit names it: `results 2025`.
    pub(super) what: String,
    pub(super) employer: Option<&'a str>,
    pub(super) person: Option<PersonId>,
    pub(super) out: Output,
    /// Something was shown.
    pub(super) noted: bool,
}

impl Look<'_> {
    /// Prints rows, by person. Of what is revealed each person has a row of the audit, of whom no other rows come later.
    pub(super) async fn show(&mut self, rows: &[YearRow]) -> anyhow::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let shown = Shown::load(self.context, rows).await?;
        let object = |person| format!("{}: {}", self.what, whose(self.employer, person));
        if self.out.reveal {
            let persons: BTreeSet<PersonId> = rows.iter().map(|row| row.person).collect();
            self.context.note_looks(persons.into_iter().map(|person| object(Some(person))).collect(), true).await?;
        } else if !self.noted {
            self.context.note_looks(vec![object(self.person)], false).await?;
        }
        self.noted = true;
        for row in rows {
            shown.print(self.year, row, self.out)?;
        }
        Ok(())
    }
}

/// What rows refer to, for showing them.
struct Shown {
    codes: HashMap<UnitId, String>,
    people: HashMap<PersonId, Identity>,
    runs: BTreeMap<i32, RunOrigin>,
}

impl Shown {
    async fn load(context: &Context, rows: &[YearRow]) -> anyhow::Result<Self> {
        let mut units: Vec<UnitId> = rows.iter().map(|row| row.employer).collect();
        units.sort_unstable();
        units.dedup();
        let mut persons: Vec<PersonId> = rows.iter().map(|row| row.person).collect();
        persons.dedup();
        let mut numbers: Vec<i32> = rows.iter().flat_map(|row| row.runs).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let codes = context.store.unit_codes(&units).await?;
        Ok(Self {
            codes: codes.into_iter().map(|(unit, code)| (unit, code.as_str().to_owned())).collect(),
            people: context.store.identities(&persons).await?,
            runs: context.store.run_origins(&numbers).await?.into_iter().map(|run| (run.number, run)).collect(),
        })
    }

    fn print(&self, year: i32, row: &YearRow, out: Output) -> anyhow::Result<()> {
        let months = row.verdicts(year)?;
        let code = self.codes.get(&row.employer).map_or("", String::as_str);
        let identity = self.people.get(&row.person);
        let id_number = identity.map_or_else(String::new, |person| {
            if out.reveal { person.id.reveal().to_owned() } else { person.id.masked() }
        });
        if !out.is_json() {
            let name = identity.map_or_else(String::new, |person| {
                if out.reveal { person.name.clone() } else { mask_name(&person.name) }
            });
            out.line(format!("{code}  person {}  {name}  {id_number}", row.person.0))?;
            return Ok(out.line(format!("{}\n", grid(&months)))?);
        }
        for (place, (month, verdict)) in months.into_iter().enumerate() {
            let run = self.runs.get(&row.runs[place]);
            out.json(&Line {
                employer_uscc: code,
                person_id: row.person,
                id_number: id_number.clone(),
                year,
                month,
                checks: verdict.codes,
                passed: verdict.passed(),
                conflict: verdict.conflict,
                weight: verdict.weight,
                verified_at: run.map_or_else(String::new, |run| clock::rfc3339(run.verified_at)),
                run_id: run.map_or_else(String::new, |run| run.run_id.to_string()),
                policy_version: run.map_or("", |run| run.policy_version.as_str()),
            })?;
        }
        Ok(())
    }
}
