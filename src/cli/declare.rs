//! `renzheng declare`: an employer's year from the counter.

use clap::{Subcommand, ValueEnum};

use super::context::Context;
use super::output::Output;
use super::push_text::rejection_lines;
use super::run::verify_year;
use super::table::table;
use super::{Common, Ended, consent, tick};
use crate::clock;
use crate::declare::complete::{self, Completed, Completing, complete};
use crate::declare::drift::{DriftOfDeclaration, of_employer};
use crate::declare::{DeclareError, Declaring, corrections, window_of};
use crate::domain::access::Action;
use crate::domain::completion::Obstacle;
use crate::domain::declaration::Declaration;
use crate::domain::facts::PersonId;
use crate::domain::message::MessageKind;
use crate::domain::money::Fen;
use crate::verify::Selection;

#[derive(Subcommand)]
pub(super) enum DeclareCommand {
    /// Where the employer's declaration stands, and what the tax department holds
    Show(Whose),
    /// Tick months: those that pass are ticked without it, others need evidence and a reviewer
    Tick(tick::TickArgs),
    /// Untick months: they are not declared, and stand in no other employer's way
    Untick(tick::UntickArgs),
    /// 送审: hand a placement in for review
    HandIn(tick::HandInArgs),
    /// Where every month of the employer's year stands
    Standing(Whose),
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
        /// A name for this command: given again, it gets the same answer and completes nothing twice
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// What later data says otherwise than the declared months, and what that is worth
    Drift(Whose),
    /// Issue a rejected message again, with the employer's name and tax office as they are stored now
    Reissue {
        #[command(flatten)]
        whose: Whose,
        /// Which message was rejected
        #[arg(long, value_enum, default_value_t = Kind::Certified)]
        kind: Kind,
    },
    /// Open a rejected or closed declaration for its next version
    Reopen(Whose),
    /// Give up what was rejected: a result in force stands; without one the declaration ends and its claims are free
    Close {
        #[command(flatten)]
        whose: Whose,
        /// Why
        #[arg(long, value_name = "REASON")]
        why: String,
    },
}

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Certified,
    Withdrawn,
}

#[derive(clap::Args)]
pub(super) struct Whose {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    pub(super) employer: String,
    /// Business year
    #[arg(long)]
    pub(super) year: i32,
}

pub(super) async fn run(common: &Common, command: &DeclareCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

impl Whose {
    /// The year of an employer within the actor's reach; what may be done there the use case asks.
    pub(super) async fn declaring(&self, context: &Context) -> anyhow::Result<Declaring> {
        Ok(Declaring { employer: context.employer(Action::ReadResults, &self.employer).await?, year: self.year })
    }

    /// A declaration, as text with what is known of its messages.
    pub(super) fn print(&self, declaration: &Declaration, out: Output) -> anyhow::Result<()> {
        out.value(declaration, |declaration| format!("{} {}: {}", self.employer, self.year, told(declaration)))
    }
}

async fn act(context: &Context, command: &DeclareCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        DeclareCommand::Tick(args) => return tick::tick(context, args, out).await,
        DeclareCommand::Untick(args) => return tick::untick(context, args, out).await,
        DeclareCommand::HandIn(args) => return tick::hand_in(context, args, out).await,
        DeclareCommand::Standing(whose) => return tick::standing(context, whose, out).await,
        DeclareCommand::Show(whose) => show(context, whose, out).await?,
        DeclareCommand::Consent(args) => consent::run(context, args, out).await?,
        DeclareCommand::Commitment => {
            let today = store.today().await?;
            let policy = context.policy()?.policy;
            let text = policy.commitment(today)?;
            let value = serde_json::json!({ "version": text.version, "text": text.text });
            out.value(&value, |_| format!("version {}\n\n{}", text.version, text.text.trim_end()))?;
        }
        DeclareCommand::Complete { whose, accept_commitment, idempotency_key } => {
            let mut completing = Completing::of(whose.declaring(context).await?, accept_commitment.clone());
            completing.idempotency_key.clone_from(idempotency_key);
            let completed = match complete(store, &context.policy()?, actor, &completing).await {
                Ok(completed) => completed,
                Err(error) => {
                    name_persons(&error);
                    return Err(error.into());
                }
            };
            out.value(&completed, completed_text)?;
            judge_others(context, completing.declaring).await;
        }
        DeclareCommand::Drift(whose) => {
            let policy = context.policy()?.policy;
            let found = of_employer(store, &policy, actor, whose.declaring(context).await?).await?;
            match found {
                Some(drift) => out.value(&drift, drift_text)?,
                None => eprintln!("nothing of {} is declared for {}", whose.employer, whose.year),
            }
        }
        DeclareCommand::Reissue { whose, kind } => {
            let kind = match kind {
                Kind::Certified => MessageKind::Certified,
                Kind::Withdrawn => MessageKind::Withdrawn,
            };
            let declaring = whose.declaring(context).await?;
            whose.print(&corrections::reissue(store, actor, declaring, kind).await?, out)?;
        }
        DeclareCommand::Reopen(whose) => {
            let declaring = whose.declaring(context).await?;
            whose.print(&corrections::reopen(store, actor, declaring).await?, out)?;
        }
        DeclareCommand::Close { whose, why } => {
            let declaring = whose.declaring(context).await?;
            whose.print(&corrections::close(store, actor, declaring, why).await?, out)?;
            judge_others(context, declaring).await;
        }
    }
    Ok(Ended::Done)
}

async fn show(context: &Context, whose: &Whose, out: Output) -> anyhow::Result<()> {
    let declaring = whose.declaring(context).await?;
    let declaration = complete::show(&context.store, &context.actor, declaring).await?;
    let at = context.store.now().await?;
    let window = window_of(&context.store, &context.policy()?.policy, declaring, &declaration, at).await?;
    if out.is_json() {
        let mut value = serde_json::to_value(&declaration)?;
        value["version_in_force"] = serde_json::to_value(declaration.version_in_force())?;
        value["window"] = serde_json::to_value(window)?;
        return out.json(&value);
    }
    whose.print(&declaration, out)?;
    let open = match window {
        None => "the unit is being deregistered: it is completed at any time".to_owned(),
        Some(window) => format!(
            "completion is open from {} to {}, both days included{}",
            window.first_day,
            window.last_day,
            if window.contains(at) { "" } else { "; not now" }
        ),
    };
    Ok(out.line(open)?)
}

/// Others of these persons see the claims at once; if not, the night shows them.
pub(super) async fn judge_others(context: &Context, declaring: Declaring) {
    let selection = Selection { employer: Some(declaring.employer), ..Selection::default() };
    if let Err(error) = verify_year(context, declaring.year, &selection).await {
        eprintln!("warning: results of others were not judged anew: {}", crate::errors::chain(error.as_ref()));
    }
}

fn completed_text(completed: &Completed) -> String {
    format!(
        "completed: version {}, certification {}, {} persons, {} weighted person-months; message {} waits for the tax department",
        completed.version,
        completed.certification_number,
        completed.persons,
        completed.weighted_person_months,
        completed.message_id
    )
}

/// A line of where it stands, then a line for everything else that is true.
fn told(declaration: &Declaration) -> String {
    let mut lines = vec![declaration.name().to_owned()];
    if let Some(completion) = declaration.stage.completion() {
        let amends = completion.amends.map_or_else(String::new, |version| format!(", amends version {version}"));
        lines
            .push(format!("version {}, certification {}{amends}", completion.version, completion.certification_number));
    }
    if let Some(held) = declaration.in_force() {
        lines.push(format!(
            "in force at the tax department: version {}, receipt {}",
            held.completion.version, held.receipt
        ));
    }
    for issue in declaration.unanswered() {
        let message = issue.message;
        lines.push(format!(
            "not answered yet: {} of version {}, attempt {}",
            message.kind, message.version, message.attempt
        ));
    }
    if let crate::domain::declaration::Stage::Rejected(returned) = &declaration.stage {
        lines.extend(rejection_lines(&returned.rejection));
    }
    if let Some(returned) = &declaration.withdrawal_rejected {
        let version = returned.completion.version;
        lines.push(format!("withdrawal of version {version}:"));
        lines.extend(rejection_lines(&returned.rejection));
    }
    if let Some(request) = declaration.open_withdrawal() {
        lines.push(format!(
            "withdrawal of version {} asked for by {}: {}",
            request.version, request.asked.by, request.reason
        ));
    }
    if let Some(request) = declaration.open_amendment() {
        let months = request.changes.len();
        lines.push(format!(
            "amendment of {months} months of version {} asked for by {}",
            request.of_version, request.asked.by
        ));
    }
    if let Some(day) = declaration.deregistered_on() {
        lines.push(format!("the unit is deregistered on {day}"));
    }
    lines.join("\n  ")
}

fn drift_text(drift: &DriftOfDeclaration) -> String {
    let yuan = |amount: Option<Fen>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
    let head = format!(
        "{} {} version {}: {} months differ, {:+} weighted person-months, worth {} yuan",
        drift.employer_uscc,
        drift.year,
        drift.version,
        drift.months.len(),
        drift.weighted_months,
        yuan(drift.worth)
    );
    let rows: Vec<Vec<String>> = drift
        .months
        .iter()
        .map(|month| {
            let failing: Vec<&str> = month.failing.iter().map(|ground| ground.as_str()).collect();
            vec![
                month.person_id.0.to_string(),
                month.month.to_string(),
                month.what.to_string(),
                failing.join(", "),
                month.since.map(clock::rfc3339).unwrap_or_default(),
                format!("{:+}", month.weighted_months),
                yuan(month.worth),
            ]
        })
        .collect();
    if rows.is_empty() {
        return head;
    }
    let header = ["person", "month", "what", "failing", "since", "months", "worth, yuan"];
    format!("{head}\n{}", table(&header, &rows, &[0, 5, 6]))
}

/// Persons that stand in the way, by their opaque number.
pub(super) fn name_persons(error: &DeclareError) {
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
                        for (person, months) in persons {
                            let months: Vec<String> = months
                                .iter()
                                .map(|(month, standing)| format!("{month} {}", standing.as_str()))
                                .collect();
                            say("months not confirmed", format!("{}: {}", person.0, months.join(", ")));
                        }
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
