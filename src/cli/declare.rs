//! `renzheng declare`: an employer's year from the counter.

use clap::Subcommand;

use super::context::Context;
use super::output::Output;
use super::run::verify_year;
use super::{Common, Ended, consent};
use crate::declare::complete::{Completing, complete, state};
use crate::declare::confirm::confirm_passed;
use crate::declare::{DeclareError, Declaring};
use crate::domain::completion::Obstacle;
use crate::domain::facts::PersonId;
use crate::verify::Selection;

#[derive(Subcommand)]
pub(super) enum DeclareCommand {
    /// Where the employer's declaration stands
    Show(Whose),
    /// Confirm every month that passes
    Confirm(Whose),
    /// Agree that the program completes on the last day what is ticked, if all of it passes by itself; or take that back
    Consent(consent::ConsentArgs),
    /// Print the commitment (真实性承诺) that completion asks for
    Commitment,
    /// 完成申报: freeze the confirmed months, number them, and hand them to the tax department
    Complete {
        #[command(flatten)]
        whose: Whose,
        /// Version of the commitment text that the employer read and accepted
        #[arg(long, value_name = "VERSION")]
        accept_commitment: Option<String>,
    },
}

#[derive(clap::Args)]
pub(super) struct Whose {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Business year
    #[arg(long)]
    year: i32,
}

pub(super) async fn run(common: &Common, command: &DeclareCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn declaring(context: &Context, whose: &Whose) -> anyhow::Result<Declaring> {
    Ok(Declaring { employer: context.employer(&whose.employer).await?, year: whose.year })
}

async fn act(context: &Context, command: &DeclareCommand, out: Output) -> anyhow::Result<Ended> {
    let store = &context.store;
    match command {
        DeclareCommand::Show(whose) => {
            let state = state(store, declaring(context, whose).await?).await?;
            out.value(&state, |state| format!("{} {}: {}", whose.employer, whose.year, state.name()))?;
        }
        DeclareCommand::Confirm(whose) => {
            let confirmed = confirm_passed(store, declaring(context, whose).await?, &context.actor.name).await?;
            out.value(&confirmed, |confirmed| {
                format!("{} months pass, {} of them newly confirmed", confirmed.passed, confirmed.new)
            })?;
        }
        DeclareCommand::Consent(args) => consent::run(context, args, out).await?,
        DeclareCommand::Commitment => {
            let today = store.today().await?;
            let policy = context.policy()?.policy;
            let text = policy.commitment(today)?;
            let value = serde_json::json!({ "version": text.version, "text": text.text });
            out.value(&value, |_| format!("version {}\n\n{}", text.version, text.text.trim_end()))?;
        }
        DeclareCommand::Complete { whose, accept_commitment } => {
            let completing = Completing {
                declaring: declaring(context, whose).await?,
                accepted_commitment: accept_commitment.clone(),
                actor: context.actor.name.clone(),
            };
            let reading = context.policy()?;
            let completed = match complete(store, &reading, &completing).await {
                Ok(completed) => completed,
                Err(error) => {
                    name_persons(&error);
                    return Err(error.into());
                }
            };
            out.value(&completed, |completed| {
                format!(
                    "completed: version {}, certification {}, {} persons, {} weighted person-months; message {} waits for the tax department",
                    completed.version,
                    completed.certification_number,
                    completed.persons,
                    completed.weighted_person_months,
                    completed.message_id
                )
            })?;
            // other employers of these persons see the claims at once; if not, the night shows them
            let selection = Selection { employer: Some(completing.declaring.employer), ..Selection::default() };
            if let Err(error) = verify_year(context, whose.year, &selection).await {
                eprintln!("warning: results of others were not judged anew: {}", crate::errors::chain(error.as_ref()));
            }
        }
    }
    Ok(Ended::Done)
}

/// Persons that stand in the way, by their opaque number.
fn name_persons(error: &DeclareError) {
    let list = |persons: &mut dyn Iterator<Item = &PersonId>| {
        persons.map(|person| person.0.to_string()).collect::<Vec<_>>().join(", ")
    };
    let say = |what: &str, persons: String| eprintln!("{what}: person_id {persons}");
    match error {
        DeclareError::Obstacles(obstacles) => {
            for obstacle in obstacles {
                match obstacle {
                    Obstacle::NoCertificate(persons) => say("no certificate in force", list(&mut persons.iter())),
                    Obstacle::NotConfirmed(persons) => {
                        say("months not confirmed", list(&mut persons.iter().map(|(person, _)| person)));
                    }
                    _ => {}
                }
            }
        }
        DeclareError::ClaimedElsewhere(months) => {
            let mut persons: Vec<&PersonId> = months.iter().map(|(person, _)| person).collect();
            persons.dedup();
            say("claimed by another employer", list(&mut persons.into_iter()));
        }
        _ => {}
    }
}
