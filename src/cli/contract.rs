//! `renzheng contract`: contracts of one placement.

use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::context::{Context, usage};
use super::output::Output;
use super::placement::{Whose, contract_line, odd};
use super::{Common, Ended};
use crate::declare::register::contract::{ContractEntered, ContractForm, ContractKey};
use crate::declare::register::placement::{ContractView, Terms};
use crate::declare::register::{Outcome, Register, Step};
use crate::domain::access::Action;
use crate::domain::entry::CountedBy;
use crate::domain::facts::{ContractKind, PersonId};
use crate::domain::ids::normalise;
use crate::domain::money::Fen;

#[derive(Subcommand)]
pub(super) enum ContractCommand {
    /// Add a contract to a placement
    Add {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        says: Says,
    },
    /// Change a contract; what is not given stays
    Change {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        says: Says,
        /// The contract has no end
        #[arg(long, conflicts_with = "ends_on")]
        open_ended: bool,
    },
    /// Say on which day a contract was terminated
    Terminate {
        #[command(flatten)]
        which: Which,
        /// The last day
        #[arg(long, value_name = "DATE")]
        on: NaiveDate,
    },
    /// Delete a contract that was entered by mistake
    Delete {
        #[command(flatten)]
        which: Which,
        /// Written to the audit log
        #[arg(long)]
        why: String,
    },
    /// List the contracts of a placement
    List {
        #[command(flatten)]
        whose: Whose,
        /// The person: a `person_id`, or `-` for an ID number on standard input
        #[arg(long)]
        person: String,
    },
}

/// Which contract.
#[derive(Args)]
pub(super) struct Which {
    #[command(flatten)]
    whose: Whose,
    /// The person: a `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
    /// labour or establishment (在编)
    #[arg(long, value_parser = parse_kind)]
    kind: ContractKind,
    /// The day on which it begins
    #[arg(long, value_name = "DATE")]
    starts_on: NaiveDate,
}

#[derive(Args)]
pub(super) struct Says {
    /// Its last day [default: without end]
    #[arg(long, value_name = "DATE")]
    ends_on: Option<NaiveDate>,
    /// The post
    #[arg(long)]
    post: Option<String>,
    /// Monthly pay in yuan
    #[arg(long, value_name = "YUAN", value_parser = parse_yuan)]
    monthly_pay: Option<Fen>,
    /// Of a dispatched person: the side that the dispatch agreement lets count: `employer` or `dispatch_company`
    #[arg(long, value_parser = parse_side)]
    counted_by: Option<CountedBy>,
}

fn parse_kind(text: &str) -> Result<ContractKind, String> {
    ContractKind::parse(text).ok_or_else(|| "accepted are labour, establishment".to_owned())
}

fn parse_side(text: &str) -> Result<CountedBy, String> {
    CountedBy::parse(text).ok_or_else(|| "accepted are employer, dispatch_company".to_owned())
}

fn parse_yuan(text: &str) -> Result<Fen, String> {
    Fen::parse_yuan(&normalise(text)).map_err(|error| error.to_string())
}

pub(super) async fn run(common: &Common, command: &ContractCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn key(context: &Context, which: &Which) -> anyhow::Result<ContractKey> {
    Ok(ContractKey {
        employer: context.employer(Action::ReadResults, &which.whose.employer).await?,
        year: which.whose.year,
        person: context.person(&which.person).await?,
        kind: which.kind,
        starts_on: which.starts_on,
    })
}

async fn act(context: &Context, command: &ContractCommand, out: Output) -> anyhow::Result<Ended> {
    let reading = context.policy()?;
    let register = Register { store: &context.store, policy: &reading.policy, actor: &context.actor };
    match command {
        ContractCommand::Add { which, says } => {
            let key = key(context, which).await?;
            let terms = Terms { post: says.post.clone(), monthly_pay: says.monthly_pay };
            let form =
                ContractForm { key, ends_on: says.ends_on, terminated_on: None, terms, counted_by: says.counted_by };
            let entered = register.save_contract(&form, Step::Add).await?;
            out.value(&entered, told)?;
        }
        ContractCommand::Change { which, says, open_ended } => {
            let key = key(context, which).await?;
            let stands = contracts(&register, &key).await?;
            let stands = stands.into_iter().find(|one| one.kind == key.kind && one.starts_on == key.starts_on);
            let former = stands.as_ref();
            let terms = former.map(|contract| contract.terms.clone()).unwrap_or_default();
            let form = ContractForm {
                key,
                ends_on: says.ends_on.or(former.and_then(|contract| contract.ends_on).filter(|_| !open_ended)),
                terminated_on: former.and_then(|contract| contract.terminated_on),
                terms: Terms {
                    post: says.post.clone().or(terms.post),
                    monthly_pay: says.monthly_pay.or(terms.monthly_pay),
                },
                counted_by: says.counted_by,
            };
            let entered = register.save_contract(&form, Step::Change).await?;
            out.value(&entered, told)?;
        }
        ContractCommand::Terminate { which, on } => {
            let entered = register.terminate_contract(&key(context, which).await?, *on).await?;
            out.value(&entered, told)?;
        }
        ContractCommand::Delete { which, why } => {
            let deleted = register.delete_contract(&key(context, which).await?, why).await?;
            out.value(&deleted, |_| "the contract is deleted".to_owned())?;
        }
        ContractCommand::List { whose, person } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let person = context.person(person).await?;
            let placed = register.placements(employer, whose.year, Some(person)).await?.into_iter().next();
            let placed = placed.ok_or_else(|| not_placed(person, whose.year))?;
            for contract in &placed.contracts {
                out.value(contract, contract_line)?;
            }
        }
    }
    Ok(Ended::Done)
}

async fn contracts(register: &Register<'_>, key: &ContractKey) -> anyhow::Result<Vec<ContractView>> {
    let placed = register.placements(key.employer, key.year, Some(key.person)).await?;
    Ok(placed.into_iter().flat_map(|view| view.contracts).collect())
}

fn not_placed(person: PersonId, year: i16) -> anyhow::Error {
    usage(format!("person {} is not placed there in {year}", person.0))
}

fn told(entered: &ContractEntered) -> String {
    let what = match entered.outcome {
        Outcome::New => "the contract is entered",
        Outcome::Changed => "the contract is changed",
        Outcome::Same => "the contract stands so already; nothing changed",
    };
    let mut lines = vec![what.to_owned()];
    lines.extend(odd(&entered.warnings, &entered.months_elsewhere));
    lines.join("\n")
}
