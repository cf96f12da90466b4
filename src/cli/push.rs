//! `renzheng push`: messages to the tax department, and what operators do about them.

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::context::{Context, usage};
use super::output::Output;
use super::push_text::{Done, Shown, Standing, lines_text, message_text, standing_text};
use super::run::{describe_push, push_now};
use super::{Common, Ended};
use crate::declare::discard::discard;
use crate::declare::operate::{self, OperateError, Part};
use crate::domain::access::Action;
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::store::outbox_lines::OutboxFilter;

#[derive(Subcommand)]
pub(super) enum PushCommand {
    /// Send what waits, and take in the answers
    Run,
    /// How the outbox stands: figures, holds, and messages, newest first
    Status {
        /// Only of this employer (USCC)
        #[arg(long)]
        employer: Option<String>,
        /// Only of this business year
        #[arg(long)]
        year: Option<i16>,
        /// Only in this state
        #[arg(long, value_parser = ["waiting", "sent", "accepted", "rejected", "unknown", "withdrawn"])]
        state: Option<String>,
        /// How many messages
        #[arg(long, default_value_t = 20)]
        limit: i64,
    },
    /// One message: its bytes, every attempt with the answer as it came, what a rejection means
    Show {
        /// The message's id
        message_id: Uuid,
    },
    /// Try again now; what is answered for good is asked about again
    Retry {
        /// The message's id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        message_id: Option<Uuid>,
        /// Everything that is not answered for good
        #[arg(long)]
        all: bool,
        /// Written to the audit log
        #[arg(long)]
        why: String,
    },
    /// Let nothing leave: of one employer's year, or at all; until released
    Hold(HoldArgs),
    /// End a hold, or a pause of the program itself
    Release(HoldArgs),
    /// Give up a message that was never tried: its declaration takes it as a rejection
    Discard {
        /// The message's id
        message_id: Uuid,
        /// Written to the audit log, and to the declaration
        #[arg(long)]
        why: String,
    },
}

#[derive(Args)]
pub(super) struct HoldArgs {
    /// The employer (USCC)
    #[arg(long, requires = "year", required_unless_present = "all", conflicts_with = "all")]
    employer: Option<String>,
    /// Its business year
    #[arg(long, requires = "employer")]
    year: Option<i16>,
    /// Everything
    #[arg(long)]
    all: bool,
    /// Written to the audit log
    #[arg(long)]
    why: String,
}

impl HoldArgs {
    async fn part(&self, context: &Context) -> anyhow::Result<Part> {
        match (&self.employer, self.year) {
            (Some(code), Some(year)) => {
                let employer = employer(context, code).await?;
                Ok(Part::Year { employer, uscc: Uscc::parse(code)?, year })
            }
            _ => Ok(Part::Everything),
        }
    }
}

async fn employer(context: &Context, code: &str) -> anyhow::Result<UnitId> {
    context.employer(Action::Operate, code).await
}

pub(super) async fn run(common: &Common, command: &PushCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &PushCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        PushCommand::Run => {
            let handed_over = push_now(context, "push", (&actor.name).into()).await?;
            out.value(&handed_over, |handed_over| describe_push(*handed_over))?;
        }
        PushCommand::Status { employer: code, year, state, limit } => {
            let of = match code {
                Some(code) => Some(employer(context, code).await?),
                None => None,
            };
            let filter = OutboxFilter { employer: of, year: *year, state: state.clone(), message_id: None };
            status(context, &filter, *limit, out).await?;
        }
        PushCommand::Show { message_id } => {
            let (line, body) =
                store.find_outbox_message(*message_id).await?.ok_or(OperateError::NoMessage(*message_id))?;
            let attempts = store.list_attempts(*message_id).await?;
            out.value(&Shown::new(line, body, attempts), message_text)?;
        }
        PushCommand::Retry { message_id, why, .. } => retry(context, *message_id, why, out).await?,
        PushCommand::Hold(args) => {
            let part = args.part(context).await?;
            let changed = operate::hold(store, actor, part, &args.why).await?.changed;
            let done = Done { did: "hold", what: part.to_string(), changed, messages: None };
            out.value(&done, |done| {
                let already = if done.changed { "is held" } else { "was held already" };
                format!("{} {already}: nothing of it leaves until `renzheng push release`", done.what)
            })?;
        }
        PushCommand::Release(args) => {
            let part = args.part(context).await?;
            let changed = operate::release(store, actor, part, &args.why).await?.changed;
            let done = Done { did: "release", what: part.to_string(), changed, messages: None };
            out.value(&done, |done| {
                let outcome = if done.changed { "is released" } else { "was not held" };
                format!("{} {outcome}", done.what)
            })?;
        }
        PushCommand::Discard { message_id, why } => {
            let changed = discard(store, actor, *message_id, why).await?.changed;
            let done = Done { did: "discard", what: message_id.to_string(), changed, messages: None };
            out.value(&done, |done| {
                format!("message {} is given up; `renzheng declare show` says what can be done now", done.what)
            })?;
        }
    }
    Ok(Ended::Done)
}

async fn status(context: &Context, filter: &OutboxFilter, limit: i64, out: Output) -> anyhow::Result<()> {
    let store = &context.store;
    let standing = Standing { figures: store.outbox_figures().await?, holds: store.list_holds().await? };
    let lines = store.list_outbox_of(filter, None, limit).await?;
    out.value(&standing, standing_text)?;
    if out.is_json() {
        return lines.iter().try_for_each(|line| out.json(line));
    }
    if !lines.is_empty() {
        out.line(lines_text(&lines))?;
    }
    Ok(())
}

async fn retry(context: &Context, message_id: Option<Uuid>, why: &str, out: Output) -> anyhow::Result<()> {
    let what = message_id.map_or_else(|| "everything".to_owned(), |message_id| format!("message {message_id}"));
    let messages = operate::retry_messages(&context.store, &context.actor, message_id, why).await?;
    if message_id.is_some() && messages == 0 {
        return Err(usage(format!("{what} was given up here: the department never had it, there is nothing to ask")));
    }
    let done = Done { did: "retry", what, changed: messages > 0, messages: Some(messages) };
    out.value(&done, |done| {
        format!("{messages} messages are due now ({}): `renzheng push run`, or the next run of the push job", done.what)
    })
}
