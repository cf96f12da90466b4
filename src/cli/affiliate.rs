//! `renzheng affiliate`: affiliates and dispatch companies of an employer's year.

use clap::{Args, Subcommand};

use super::context::{Context, parse_uscc, usage};
use super::output::Output;
use super::placement::{Whose, odd};
use super::table::table;
use super::{Common, Ended};
use crate::declare::register::affiliate::{AffiliateEntered, AffiliateForm, AffiliateView};
use crate::declare::register::{Outcome, Register, Step};
use crate::domain::access::Action;
use crate::domain::facts::Relation;
use crate::domain::ids::Uscc;
use crate::store::contacts::AffiliateAddress;

#[derive(Subcommand)]
pub(super) enum AffiliateCommand {
    /// List a unit that pays in the employer's stead, or dispatches
    Add {
        #[command(flatten)]
        whose: Whose,
        /// The unit
        #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
        unit: Uscc,
        /// Its name
        #[arg(long)]
        name: String,
        /// affiliate or dispatch
        #[arg(long, value_parser = parse_relation)]
        relation: Relation,
        #[command(flatten)]
        reached: Reached,
    },
    /// Change a unit; what is not given stays, and the relation stays once a placement uses it
    Change {
        #[command(flatten)]
        whose: Whose,
        /// The unit
        #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
        unit: Uscc,
        /// Its name
        #[arg(long)]
        name: Option<String>,
        /// affiliate or dispatch
        #[arg(long, value_parser = parse_relation)]
        relation: Option<Relation>,
        #[command(flatten)]
        reached: Reached,
    },
    /// Take a unit off the list, unless a placement of the year uses it
    Delete {
        #[command(flatten)]
        whose: Whose,
        /// The unit
        #[arg(long, value_name = "USCC", value_parser = parse_uscc)]
        unit: Uscc,
        /// Written to the audit log
        #[arg(long)]
        why: String,
    },
    /// List the units of a year
    List(Whose),
}

#[derive(Args)]
pub(super) struct Reached {
    /// Where the unit is
    #[arg(long)]
    address: Option<String>,
    /// Its telephone
    #[arg(long)]
    phone: Option<String>,
}

fn parse_relation(text: &str) -> Result<Relation, String> {
    Relation::parse(text).ok_or_else(|| "accepted are affiliate, dispatch".to_owned())
}

pub(super) async fn run(common: &Common, command: &AffiliateCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &AffiliateCommand, out: Output) -> anyhow::Result<Ended> {
    let reading = context.policy()?;
    let register = Register { store: &context.store, policy: &reading.policy, actor: &context.actor };
    match command {
        AffiliateCommand::Add { whose, unit, name, relation, reached } => {
            let form = AffiliateForm {
                employer: context.employer(Action::ReadResults, &whose.employer).await?,
                year: whose.year,
                unit: *unit,
                name: name.clone(),
                relation: *relation,
                address: AffiliateAddress { address: reached.address.clone(), phone: reached.phone.clone() },
            };
            let entered = register.save_affiliate(&form, Step::Add).await?;
            out.value(&entered, told)?;
        }
        AffiliateCommand::Change { whose, unit, name, relation, reached } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let listed =
                register.affiliates(employer, whose.year).await?.into_iter().find(|one| one.unit_uscc == *unit);
            let listed = listed.ok_or_else(|| usage(format!("{unit} is not listed for {}: add it", whose.year)))?;
            let form = AffiliateForm {
                employer,
                year: whose.year,
                unit: *unit,
                name: name.clone().unwrap_or(listed.unit_name),
                relation: relation.unwrap_or(listed.relation),
                address: AffiliateAddress {
                    address: reached.address.clone().or(listed.address.address),
                    phone: reached.phone.clone().or(listed.address.phone),
                },
            };
            let entered = register.save_affiliate(&form, Step::Change).await?;
            out.value(&entered, told)?;
        }
        AffiliateCommand::Delete { whose, unit, why } => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let deleted = register.delete_affiliate(employer, whose.year, *unit, why).await?;
            out.value(&deleted, |_| format!("{unit} is off the list of {}", whose.year))?;
        }
        AffiliateCommand::List(whose) => {
            let employer = context.employer(Action::ReadResults, &whose.employer).await?;
            let listed = register.affiliates(employer, whose.year).await?;
            if out.is_json() {
                listed.iter().try_for_each(|one| out.json(one))?;
            } else {
                let rows: Vec<Vec<String>> = listed.iter().map(row).collect();
                out.line(table(&["unit", "name", "relation", "address", "phone", "used by"], &rows, &[5]))?;
            }
        }
    }
    Ok(Ended::Done)
}

fn row(view: &AffiliateView) -> Vec<String> {
    vec![
        view.unit_uscc.to_string(),
        view.unit_name.clone(),
        view.relation.to_string(),
        view.address.address.clone().unwrap_or_default(),
        view.address.phone.clone().unwrap_or_default(),
        view.used_by.to_string(),
    ]
}

fn told(entered: &AffiliateEntered) -> String {
    let what = match entered.outcome {
        Outcome::New => "the unit is listed",
        Outcome::Changed => "the unit is changed",
        Outcome::Same => "the unit stands so already; nothing changed",
    };
    let mut lines = vec![what.to_owned()];
    lines.extend(odd(&entered.warnings, &[]));
    lines.join("\n")
}
