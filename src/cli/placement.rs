//! `renzheng placement`: placements of an employer's year, one by one, and last year's list.

use std::collections::HashMap;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, parse_uscc, stdin_lines, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::declare::register::carry_over::{CarriedOver, Carrying};
use crate::declare::register::placement::{ContractView, PlacementEntered, PlacementForm, PlacementView, Whom};
use crate::declare::register::{Outcome, Register};
use crate::domain::access::Action;
use crate::domain::entry::{Education, EducationLevel, Warning};
use crate::domain::facts::{PersonId, RetirementTrack, UnitId};
use crate::domain::ids::{ResidentId, Uscc, mask_name};
use crate::domain::month::Month;
use crate::store::audit::Act;
use crate::store::people::Identity;

#[derive(Subcommand)]
pub(super) enum PlacementCommand {
    /// Register a placement: by the receipt of a look-up, or of a person typed on standard input (ID number, then name)
    ///
    /// A person who is placed at the employer in that year is registered again (重新登记): what is given stands then.
    Add {
        #[command(flatten)]
        whose: Whose,
        /// Receipt of a look-up that matched; without it ID number and name are read from standard input, a line each
        #[arg(long)]
        receipt: Option<String>,
        #[command(flatten)]
        terms: TermsArgs,
    },
    /// Change a placement; what is not given stays
    Change {
        #[command(flatten)]
        whose: Whose,
        /// The person: a `person_id`, or `-` for an ID number on standard input
        #[arg(long)]
        person: String,
        #[command(flatten)]
        terms: TermsArgs,
        /// The person is no longer dispatched
        #[arg(long, conflicts_with = "dispatch")]
        not_dispatched: bool,
        /// The person is no graduate
        #[arg(long, conflicts_with = "school")]
        no_education: bool,
    },
    /// Delete a placement with its contracts and ticked months, until the declaration is completed
    Delete {
        #[command(flatten)]
        whose: Whose,
        /// The person: a `person_id`, or `-` for an ID number on standard input
        #[arg(long)]
        person: String,
        /// Written to the audit log
        #[arg(long)]
        why: String,
    },
    /// List the placements of a year
    List(Whose),
    /// Show one placement with its contracts
    Show {
        #[command(flatten)]
        whose: Whose,
        /// The person: a `person_id`, or `-` for an ID number on standard input
        #[arg(long)]
        person: String,
    },
    /// 导入上一年名单: carry the placements of the year before into this year, with affiliates and contracts that run on
    CarryOver(Whose),
}

#[derive(Args)]
pub(super) struct Whose {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    pub employer: String,
    /// Business year
    #[arg(long)]
    pub year: i16,
}

#[derive(Args)]
pub(super) struct TermsArgs {
    /// The dispatch company of a dispatched person
    #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
    dispatch: Option<Uscc>,
    /// Who pays wages [default: the employer]
    #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
    wage_payer: Option<Uscc>,
    /// Who pays pension insurance [default: the employer]
    #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
    pension_payer: Option<Uscc>,
    /// Who pays medical insurance [default: the employer]
    #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
    medical_payer: Option<Uscc>,
    /// `men_60`, `women_55` or `women_50` [default: by the person's sex]
    #[arg(long, value_parser = parse_track)]
    track: Option<RetirementTrack>,
    /// 学历信息 of a graduate: vocational, college, bachelor, master or doctor
    #[arg(long, value_parser = parse_level, requires = "school", requires = "graduated_on")]
    education_level: Option<EducationLevel>,
    /// The graduate's school
    #[arg(long, requires = "education_level")]
    school: Option<String>,
    /// The day of graduation
    #[arg(long, value_name = "DATE", requires = "education_level")]
    graduated_on: Option<NaiveDate>,
}

fn parse_track(text: &str) -> Result<RetirementTrack, String> {
    RetirementTrack::parse(text).ok_or_else(|| "accepted are men_60, women_55, women_50".to_owned())
}

fn parse_level(text: &str) -> Result<EducationLevel, String> {
    EducationLevel::parse(text).ok_or_else(|| "accepted are vocational, college, bachelor, master, doctor".to_owned())
}

impl TermsArgs {
    fn education(&self) -> Option<Education> {
        let (level, graduated_on) = (self.education_level?, self.graduated_on?);
        Some(Education { level, school: self.school.as_deref()?.trim().to_owned(), graduated_on })
    }
}

pub(super) async fn run(common: &Common, command: &PlacementCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &PlacementCommand, out: Output) -> anyhow::Result<Ended> {
    let reading = context.policy()?;
    let register = Register { store: &context.store, policy: &reading.policy, actor: &context.actor };
    match command {
        PlacementCommand::Add { whose, receipt, terms } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let typed: Option<(ResidentId, String)> = match receipt {
                Some(_) => None,
                None => Some(typed_person()?),
            };
            let whom = match (receipt, &typed) {
                (Some(receipt), _) => Whom::Receipt(receipt),
                (None, Some((id, name))) => Whom::Named { id: *id, name },
                (None, None) => return Err(usage("say whom: a receipt, or ID number and name on standard input")),
            };
            let form = PlacementForm {
                employer,
                year: whose.year,
                whom,
                dispatched: terms.dispatch.is_some(),
                dispatch: terms.dispatch,
                wage_payer: terms.wage_payer,
                pension_payer: terms.pension_payer,
                medical_payer: terms.medical_payer,
                track: terms.track,
                education: terms.education(),
            };
            let entered = register.enter(&form).await?;
            out.value(&entered, told)?;
        }
        PlacementCommand::Change { whose, person, terms, not_dispatched, no_education } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let person = context.person(person).await?;
            let stands = register.placements(employer, whose.year, Some(person)).await?.into_iter().next();
            let form = changed(employer, whose.year, person, terms, stands.as_ref(), (*not_dispatched, *no_education));
            let entered = register.enter(&form).await?;
            out.value(&entered, told)?;
        }
        PlacementCommand::Delete { whose, person, why } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let person = context.person(person).await?;
            let deleted = register.delete_placement(employer, whose.year, person, why).await?;
            out.value(&deleted, |_| format!("the placement of person {} in {} is deleted", person.0, whose.year))?;
        }
        PlacementCommand::List(whose) => list(context, &register, whose, out).await?,
        PlacementCommand::Show { whose, person } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let person = context.person(person).await?;
            let views = register.placements(employer, whose.year, Some(person)).await?;
            let Some(view) = views.into_iter().next() else {
                return Err(usage(format!("person {} is not placed there in {}", person.0, whose.year)));
            };
            let people = People::load(context, &[person], out, whose).await?;
            out.value(&people.line(&view), |line| show(line))?;
        }
        PlacementCommand::CarryOver(whose) => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let report = register.carry_over(employer, whose.year).await?;
            out.value(&report, |report| carried(report, whose.year))?;
            return Ok(Ended::of(report.count(Carrying::NotCarried) > 0));
        }
    }
    Ok(Ended::Done)
}

fn typed_person() -> anyhow::Result<(ResidentId, String)> {
    let [id, name] = stdin_lines(["the ID number", "the name"])?;
    let id = ResidentId::parse(&id).map_err(|error| usage(format!("the first line is no ID number: {error}")))?;
    Ok((id, name))
}

/// What stands, with what is given in its place.
fn changed(
    employer: UnitId,
    year: i16,
    person: PersonId,
    terms: &TermsArgs,
    stands: Option<&PlacementView>,
    (not_dispatched, no_education): (bool, bool),
) -> PlacementForm<'static> {
    let stood = |unit: fn(&PlacementView) -> Uscc| stands.map(unit);
    let former_dispatch = stands.and_then(|view| view.dispatch_uscc).filter(|_| !not_dispatched);
    let dispatch = terms.dispatch.or(former_dispatch);
    let former_education = stands.and_then(|view| view.education.clone()).filter(|_| !no_education);
    PlacementForm {
        employer,
        year,
        whom: Whom::Placed(person),
        dispatched: dispatch.is_some(),
        dispatch,
        wage_payer: terms.wage_payer.or(stood(|view| view.wage_payer_uscc)),
        pension_payer: terms.pension_payer.or(stood(|view| view.pension_payer_uscc)),
        medical_payer: terms.medical_payer.or(stood(|view| view.medical_payer_uscc)),
        track: terms.track.or(stands.and_then(|view| view.retirement_track)),
        education: terms.education().or(former_education),
    }
}

fn told(entered: &PlacementEntered) -> String {
    let what = match entered.outcome {
        Outcome::New => "registered",
        Outcome::Changed => "registered again (重新登记)",
        Outcome::Same => "registered so already; nothing changed",
    };
    let mut lines = vec![format!("person {} is {what}", entered.person.0)];
    lines.extend(odd(&entered.warnings, &entered.months_elsewhere));
    lines.join("\n")
}

/// Warnings and double claims, a line each.
pub(super) fn odd(warnings: &[Warning], months_elsewhere: &[Month]) -> Vec<String> {
    let mut lines: Vec<String> = (warnings.iter())
        .map(|warning| format!("  warning {}: {}: {warning}", warning.field(), warning.code()))
        .collect();
    if !months_elsewhere.is_empty() {
        let months: Vec<String> = months_elsewhere.iter().map(ToString::to_string).collect();
        lines.push(format!("  another employer may count {} as well: both and staff are told", months.join(", ")));
    }
    lines
}

/// A placement with its person as they may be shown.
#[derive(Serialize)]
struct Line<'a> {
    name: String,
    id_number: String,
    #[serde(flatten)]
    view: &'a PlacementView,
}

/// Who the persons are; that they are revealed, if they are, is written to the audit log.
struct People {
    known: HashMap<PersonId, Identity>,
    reveal: bool,
}

impl People {
    async fn load(context: &Context, persons: &[PersonId], out: Output, whose: &Whose) -> anyhow::Result<Self> {
        if out.reveal {
            context.actor.may_at_all(Action::Reveal)?;
            let object = format!("placements {} {}", whose.employer, whose.year);
            let mut act = Act::read(context.store.now().await?, &context.actor, Action::Reveal, object);
            act.detail = serde_json::json!({ "persons": persons });
            context.store.record(&act).await?;
        }
        Ok(Self { known: context.store.identities(persons).await?, reveal: out.reveal })
    }

    fn line<'a>(&self, view: &'a PlacementView) -> Line<'a> {
        let (name, id_number) = match self.known.get(&view.person) {
            Some(person) if self.reveal => (person.name.clone(), person.id.reveal().to_owned()),
            Some(person) => (mask_name(&person.name), person.id.masked()),
            None => Default::default(),
        };
        Line { name, id_number, view }
    }
}

async fn list(context: &Context, register: &Register<'_>, whose: &Whose, out: Output) -> anyhow::Result<()> {
    let employer = context.employer(Action::ReadResults, &whose.employer).await?;
    let views = register.placements(employer, whose.year, None).await?;
    let persons: Vec<PersonId> = views.iter().map(|view| view.person).collect();
    let people = People::load(context, &persons, out, whose).await?;
    let lines: Vec<Line<'_>> = views.iter().map(|view| people.line(view)).collect();
    if out.is_json() {
        return lines.iter().try_for_each(|line| out.json(line));
    }
    if lines.is_empty() {
        eprintln!("nobody is placed there in {}", whose.year);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|Line { name, id_number, view }| {
            vec![
                view.person.0.to_string(),
                name.clone(),
                id_number.clone(),
                view.dispatch_uscc.map(|code| code.to_string()).unwrap_or_default(),
                view.wage_payer_uscc.to_string(),
                view.pension_payer_uscc.to_string(),
                view.medical_payer_uscc.to_string(),
                view.contracts.len().to_string(),
            ]
        })
        .collect();
    let header = ["person", "name", "ID number", "dispatched by", "wages", "pension", "medical", "contracts"];
    out.line(table(&header, &rows, &[0, 7]))?;
    Ok(())
}

fn show(Line { name, id_number, view }: &Line<'_>) -> String {
    let mut lines = vec![
        format!("person         {}  {name}  {id_number}", view.person.0),
        format!("wage payer     {}", view.wage_payer_uscc),
        format!("pension payer  {}", view.pension_payer_uscc),
        format!("medical payer  {}", view.medical_payer_uscc),
    ];
    lines.extend(view.dispatch_uscc.map(|code| format!("dispatched by  {code}")));
    lines.extend(view.counted_by.map(|side| format!("counted by     {side}")));
    lines.extend(view.retirement_track.map(|track| format!("track          {track}")));
    lines.extend(view.education.as_ref().map(|education| {
        let Education { level, school, graduated_on } = education;
        format!("education      {level} {}, {school}, {graduated_on}", level.chinese())
    }));
    lines.extend(view.contracts.iter().map(|contract| format!("contract       {}", contract_line(contract))));
    lines.join("\n")
}

pub(super) fn contract_line(contract: &ContractView) -> String {
    let ContractView { kind, starts_on, ends_on, terminated_on, terms } = contract;
    let end = ends_on.map_or_else(|| "without end".to_owned(), |day| format!("to {day}"));
    let terminated = terminated_on.map(|day| format!(", terminated on {day}")).unwrap_or_default();
    let post = terms.post.as_ref().map(|post| format!(", {post}")).unwrap_or_default();
    let pay = terms.monthly_pay.map(|pay| format!(", {pay} a month")).unwrap_or_default();
    format!("{kind} from {starts_on} {end}{terminated}{post}{pay}")
}

fn carried(report: &CarriedOver, year: i16) -> String {
    let mut lines = vec![format!(
        "into {year}: {} carried, {} already there, {} not carried; {} affiliates",
        report.count(Carrying::Carried),
        report.count(Carrying::AlreadyThere),
        report.count(Carrying::NotCarried),
        report.affiliates
    )];
    for person in &report.persons {
        let number = person.person.0;
        lines.extend(person.refusals.iter().map(|why| format!("  person {number} not carried: {}: {why}", why.code())));
        let warned = person.warnings.iter();
        lines.extend(warned.map(|what| format!("  person {number} carried, warning: {}: {what}", what.code())));
    }
    lines.join("\n")
}
